"""Prices: what a request, a delivery or an email costs, read from a dated file that a user can replace."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from importlib.resources import files
from itertools import pairwise
from math import inf
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import attrs

from msgsim.bus.subscription import PROTOCOLS
from msgsim.declare import as_float, check_number, copied, instance, listed, number, text
from msgsim.errors import DeclarationError

MILLION = 1e6
THOUSAND = 1e3
GIBIBYTE = 2.0**30

DEFAULT = "default"
"""The numbers that no other price of text messages is for."""

SHIPPED = "prices.toml"

SIZE_LIMIT = 2**20
"""A larger file holds no prices [bytes]."""


def _check_end(_owner: object, _attribute: "attrs.Attribute[Any]", value: object) -> None:
    if value != inf:
        check_number("Tier.up_to", value, above=True, unit="requests/month")


@attrs.frozen(kw_only=True)
class Tier:
    """A price that holds for a part of a month's requests.

    Attributes:
        up_to: as many of them, those of the tiers before included [requests/month]; infinite for the last tier.
        per_million: the price of a million.
    """

    up_to: float = attrs.field(default=inf, converter=as_float, validator=_check_end)
    per_million: float = number()


def _check_tiers(path: str, tiers: Sequence[Tier]) -> None:
    if not tiers:
        raise DeclarationError(path, "has no tier; allowed: one or more, such as [{ per_million = 0.4 }]")
    for place, (before, after) in enumerate(pairwise(tiers), 1):
        if not before.up_to < after.up_to:
            problem = f"{after.up_to:g} is not above the {before.up_to:g} of the tier before"
            raise DeclarationError(f"{path}.{place}.up_to", problem)
    if tiers[-1].up_to != inf:
        raise DeclarationError(f"{path}.{len(tiers) - 1}.up_to", "must be left out: the last tier has no end")


def _check_amounts(owner: object, attribute: "attrs.Attribute[Any]", table: object) -> None:
    path = f"{type(owner).__name__}.{attribute.name}"
    if not isinstance(table, Mapping):
        raise DeclarationError(path, f"{table!r} is not a table of prices")
    for name, price in table.items():
        check_number(f"{path}.{name}", price)


def _check_protocols(owner: object, attribute: "attrs.Attribute[Any]", table: Mapping[str, float]) -> None:
    _check_amounts(owner, attribute, table)
    wanted = {protocol for protocol in PROTOCOLS if protocol != "sms"}
    for name in sorted(wanted.symmetric_difference(table)):
        problem = "is missing" if name in wanted else f"is no such protocol; allowed: {', '.join(sorted(wanted))}"
        raise DeclarationError(f"{type(owner).__name__}.{attribute.name}.{name}", problem)


def _check_sms(owner: object, attribute: "attrs.Attribute[Any]", table: Mapping[str, float]) -> None:
    _check_amounts(owner, attribute, table)
    path = f"{type(owner).__name__}.{attribute.name}"
    if DEFAULT not in table:
        raise DeclarationError(f"{path}.{DEFAULT}", "is missing: the price for all other numbers")
    for beginning in table:
        if beginning != DEFAULT and not (beginning[:1] == "+" and beginning[1:].isdecimal()):
            problem = "is not the beginning of a number; allowed: such as '+49', or 'default'"
            raise DeclarationError(f"{path}.{beginning}", problem)


def _check_date(_owner: object, _attribute: "attrs.Attribute[Any]", value: object) -> None:
    try:
        date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        problem = f"{value!r} is not a date; allowed: a text such as '2026-06-13'"
        raise DeclarationError("Prices.date", problem) from None


@attrs.frozen(kw_only=True)
class SqsPrices:
    """What SQS charges (PRC-SQS-1). A request is counted for each 64 KiB begun (PRC-SQS-2).

    Attributes:
        standard, fifo: requests to queues of either type, by tiers of a month.
        fair_per_million: on top, for sends with a message group to a standard queue.
        topic_delivery_per_million: for what topics deliver to queues.
        free_requests: of a month, if the free tier is counted.
    """

    standard: Sequence[Tier] = listed(Tier, "a tier", default=attrs.NOTHING)
    fifo: Sequence[Tier] = listed(Tier, "a tier", default=attrs.NOTHING)
    fair_per_million: float = number()
    topic_delivery_per_million: float = number()
    free_requests: float = number()

    def __attrs_post_init__(self) -> None:
        _check_tiers("SqsPrices.standard", self.standard)
        _check_tiers("SqsPrices.fifo", self.fifo)


@attrs.frozen(kw_only=True)
class SnsPrices:
    """What SNS charges (PRC-SNS-1).

    Attributes:
        publish_per_million, fifo_publish_per_million: publishes, for each 64 KiB begun.
        fifo_publish_per_gb, fifo_delivery_per_gb: bytes of FIFO topics that come and go.
        fifo_delivery_per_million: deliveries of FIFO topics, to whatever queue.
        delivery_per_million: deliveries of standard topics by protocol, for each 64 KiB begun.
        sms: a part of a text message, by the beginning of the number; the longest that fits counts.
        free_publishes: of a month, if the free tier is counted.
    """

    publish_per_million: float = number()
    fifo_publish_per_million: float = number()
    fifo_publish_per_gb: float = number()
    fifo_delivery_per_million: float = number()
    fifo_delivery_per_gb: float = number()
    delivery_per_million: Mapping[str, float] = attrs.field(converter=copied, validator=_check_protocols)
    sms: Mapping[str, float] = attrs.field(converter=copied, validator=_check_sms)
    free_publishes: float = number()

    def of_number(self, endpoint: str) -> float:
        """The price of a part of a text message to a number."""
        fitting = [beginning for beginning in self.sms if endpoint.startswith(beginning)]
        return self.sms[max(fitting, key=len, default=DEFAULT)]


@attrs.frozen(kw_only=True)
class SesPrices:
    """What SES charges (PRC-SES-1).

    Attributes:
        per_thousand: recipients of accepted emails, suppressed ones included.
        attachments_per_gb: of 1024³ bytes in base64.
        dedicated_ip_per_month: of an address.
        vdm_per_thousand: recipients, if the Virtual Deliverability Manager is switched on.
        free_recipients: of a month, if the free tier is counted.
    """

    per_thousand: float = number()
    attachments_per_gb: float = number()
    dedicated_ip_per_month: float = number()
    vdm_per_thousand: float = number()
    free_recipients: float = number()


@attrs.frozen(kw_only=True)
class Prices:
    """A price list.

    Attributes:
        title: where it comes from.
        date: when it held, such as "2026-06-13".
        currency: of all amounts, such as "USD".
        region: for which it holds.
        worker_hour: what a worker costs in an hour, busy or not; 0 leaves workers out.
        sqs, sns, ses: by service.
    """

    title: str = text("")
    date: str = attrs.field(validator=_check_date)
    currency: str = text(empty=False)
    region: str = text("")
    worker_hour: float = number(0.0)
    sqs: SqsPrices = instance(SqsPrices, "a table of prices")
    sns: SnsPrices = instance(SnsPrices, "a table of prices")
    ses: SesPrices = instance(SesPrices, "a table of prices")


def average(tiers: Sequence[Tier], requests: float) -> float:
    """The price of a million of a month's `requests`, over all tiers that they reach; of the first if there are none.

    >>> average([Tier(up_to=100, per_million=4), Tier(per_million=2)], 200)
    3.0
    """
    if not requests:
        return tiers[0].per_million
    amount = begin = 0.0
    for tier in tiers:
        amount += max(0.0, min(requests, tier.up_to) - begin) * tier.per_million
        begin = tier.up_to
    return amount / requests


def shipped_text() -> str:
    """The price list that comes with the package, as TOML with its comments: to make one's own from."""
    return files("msgsim.study").joinpath(SHIPPED).read_text("utf-8")


def load_prices(path: str | PathLike[str] | None = None) -> Prices:
    """Read a price list.

    Args:
        path: of a TOML file with all the keys of the one that is shipped, but that `worker_hour` may be left out; None
            for that one.

    Raises:
        DeclarationError: it cannot be read, is not TOML, or a price is missing, unknown or none; one line for each
            problem.
    """
    return _shipped() if path is None else _parsed(*_read(path))


@cache
def _shipped() -> Prices:
    """Read once for all runs of a study; it never changes."""
    return _parsed(SHIPPED, shipped_text())


def _parsed(name: str, source: str) -> Prices:
    from msgsim.toml import notation, problems, structuring  # noqa: PLC0415 - loaded when somebody asks for costs

    try:
        prices: Prices = structuring.reader(".").structure(notation.parse(source, name), Prices)
    except problems.Refused as refused:
        error = problems.error_of(refused)
        raise DeclarationError(f"{name}: {error.path}", error.problem) from None
    return prices


def _read(path: object) -> tuple[str, str]:
    if not isinstance(path, (str, PathLike)):
        raise DeclarationError("prices", f"{path!r} is neither a price list nor the path of one")
    name = fspath(path)
    try:
        with Path(name).open("rb") as file:
            content = file.read(SIZE_LIMIT + 1)
        if len(content) > SIZE_LIMIT:
            raise DeclarationError(str(name), f"holds more than {SIZE_LIMIT:,} bytes: this is no price list")
        return str(name), content.decode("utf-8")
    except (OSError, ValueError) as error:
        if isinstance(error, DeclarationError):
            raise
        problem = getattr(error, "strerror", None) or error
        raise DeclarationError(str(name), f"cannot be read: {problem}") from None
