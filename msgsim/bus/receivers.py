"""Receivers: the mail servers of domains, what they accept, and which of their mailboxes there are."""

from bisect import bisect_right
from collections.abc import Sequence
from hashlib import blake2b
from math import inf
from struct import Struct
from typing import Any, NamedTuple

import attrs

from msgsim.bus.mail import is_domain
from msgsim.declare import DAY, HOUR, MINUTE, Sampler, as_float, as_tuple, check_number, flag, number
from msgsim.distributions import Distribution, as_distribution, refuse_duration
from msgsim.errors import DeclarationError
from msgsim.quotas import BULK_SENDER, COMPLAINTS_OF_BULK

FIRST_RETRY = MINUTE
"""Pause after the first failed attempt [s]; it doubles at each further one (SES-BNC-2: unpublished)."""

LONGEST_RETRY = HOUR
"""The longest pause between delivery attempts [s] (SES-BNC-2: unpublished)."""

GREYLIST_MEMORY = 35 * DAY
"""How long a receiver that greylists remembers an address to which no email is attempted [s]; what mail servers do."""

PRUNED_FROM = 1_024
"""Of fewer addresses than this, those that are forgotten are not looked for."""

RATE_SLACK = 1e-6
"""So much of a recipient may be missing at a receiver that takes a rate, because time stamps are rounded."""

_UNIFORMS = Struct(">QQQ").unpack
"""Three whole numbers below 2⁶⁴ out of a digest."""

DEMANDS = ("dkim", "spf", "dmarc", "one-click", "complaints")
"""What a receiver may ask of those who send much (SES-IDN-3)."""

PROOFS = DEMANDS[:3]
"""Of these, what holds for all emails of a sender alike (SES-IDN-2)."""


def retry_at(at: float, attempt: int, blocked_until: float, gives_up_at: float) -> tuple[float, int]:
    """The first attempt after a failed one that can change anything.

    Args:
        at: when the failed attempt was [s].
        attempt: its number, counted from 1.
        blocked_until: attempts before that are known to fail [s].
        gives_up_at: nothing is tried from then on [s].

    Returns:
        When that attempt is, and its number. Cost: O(log) of the pauses, and one step per hour of the block.
    """
    while True:
        at += min(FIRST_RETRY * 2.0 ** (attempt - 1), LONGEST_RETRY)
        attempt += 1
        if at >= blocked_until or at >= gives_up_at:
            return at, attempt


def check_duration(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """A validator of fields with a time that is fixed or drawn [s]; None where there is none."""
    if value is not None:
        path = f"{type(owner).__name__}.{attribute.name}"
        refuse_duration(path, value, "is neither a number of seconds nor a distribution")


def probability(rule: str) -> Any:
    """A declaration's field with a probability, 0 unless it is given."""
    return number(0.0, high=1, unit="probability", rule=rule)


def _pairs(value: Any) -> Any:
    if not isinstance(value, (list, tuple)):
        return value
    return tuple(tuple(map(as_float, pair)) if isinstance(pair, (list, tuple)) else pair for pair in value)


def _check_outages(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    path = f"{type(owner).__name__}.{attribute.name}"
    if not isinstance(value, tuple):
        raise DeclarationError(path, f"{value!r} is not a list of pairs (start, end)")
    earlier = 0.0
    for position, pair in enumerate(value):
        here = f"{path}.{position}"
        if not isinstance(pair, tuple) or len(pair) != 2:  # noqa: PLR2004 - a pair
            raise DeclarationError(here, f"{pair!r} is not a pair (start, end)")
        check_number(f"{here}.0", pair[0], low=earlier, above=position > 0, unit="s")
        check_number(f"{here}.1", pair[1], low=pair[0], above=True, unit="s")
        earlier = pair[1]


def _check_domains(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    path = f"{type(owner).__name__}.{attribute.name}"
    if not isinstance(value, tuple):
        raise DeclarationError(path, f"{value!r} is not a list of domains")
    for position, domain in enumerate(value):
        if not (isinstance(domain, str) and is_domain(domain)):
            raise DeclarationError(f"{path}.{position}", f"{domain!r} is not a domain")
        if domain.lower() in map(str.lower, value[:position]):
            raise DeclarationError(f"{path}.{position}", f"{domain!r} is named twice; capitals do not matter")


def _check_words(owner: object, attribute: "attrs.Attribute[Any]", value: object, words: Sequence[str]) -> None:
    path = f"{type(owner).__name__}.{attribute.name}"
    if not isinstance(value, tuple):
        raise DeclarationError(path, f"{value!r} is not a list; allowed in it: {', '.join(words)}")
    for position, word in enumerate(value):
        if word not in words:
            allowed = f"allowed: {', '.join(words)} (SES-IDN-3)"
            raise DeclarationError(f"{path}.{position}", f"{word!r} is not allowed; {allowed}")
        if word in value[:position]:
            raise DeclarationError(f"{path}.{position}", f"{word!r} is named twice")


def _check_demands(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    _check_words(owner, attribute, value, DEMANDS)


def check_proofs(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """A validator of what receivers find in all emails of a sender."""
    _check_words(owner, attribute, value, PROOFS)


@attrs.frozen(kw_only=True)
class Receiver:
    """The mail server of one or more domains, seen from outside.

    Shares are of addresses: whether a mailbox is there is a property of its address and the same at every email, so
    that a list which is cleaned becomes better. Rates are of emails, by chance.

    Args:
        domains: whose mail it takes, without those below them; none for all that no other receiver has.
        unknown_users: share of the addresses that do not exist: a hard bounce (SES-BNC-1).
        bounces_late: it accepts emails to those, and sends them back a minute later (SES-EVT-7).
        full_mailboxes: share of the addresses whose mailbox is full when the first email comes.
        full_time: how long it stays full from then on [s], a distribution or a number; None for ever.
        greylisting: the first email to an address is deferred until so long after the first attempt [s], and again
            when there was none for 35 days; None for none.
        max_rate: recipients that it takes [1/s], and as many at once; it defers what is more. None for no limit.
        resolves: whether DNS knows its domains. Emails are tried again where it does not, and bounce hard in the end
            (SES-BNC-1).
        outages: pairs (start, end) [s], in order; it cannot be reached in [start, end).
        tls: whether it can encrypt; emails that require it bounce otherwise (SES-CFG-1).
        demands: of senders of bulk: "dkim" and "spf" aligned, a "dmarc" policy that passes, "one-click" unsubscription,
            "complaints" below their limit (SES-IDN-3). It rejects what does not meet them.
        bulk: above so many emails in 24 hours a sender is one of bulk [emails] (SES-IDN-3).
        complaint_limit: complaints in 24 hours over emails in 24 hours of a sender of bulk must be below this
            [fraction]; whether the service is told of them does not matter (SES-IDN-3).
        complaint_rate: probability that who got an email complains.
        complainers: share of the addresses that complain about each email.
        reports: whether it tells the service of complaints; Gmail does not (SES-EVT-4).
        auto_reply_rate: probability that an answer comes back by itself, from one out of office (SES-EVT-8).
        open_rate: probability that an email is opened, with its images.
        reopen_rate: probability that who opened it opens it again, each time.
        click_rate: probability that a link in an opened one is followed; it must have an HTML part with one.
        reading_delay: delivery to opening, and from one to the next [s], a distribution or a number; None for at once.

    Raises:
        DeclarationError: a value is not allowed; says which are.
    """

    domains: Sequence[str] = attrs.field(default=(), converter=as_tuple, validator=_check_domains)
    unknown_users: float = probability("SES-BNC-1")
    bounces_late: bool = flag()
    full_mailboxes: float = probability("SES-BNC-1")
    full_time: Distribution | None = attrs.field(default=None, converter=as_distribution, validator=check_duration)
    greylisting: float | None = number(None, above=True, unit="s", optional=True)
    max_rate: float | None = number(None, above=True, unit="recipients/s", optional=True)
    resolves: bool = flag(default=True)
    outages: Sequence[tuple[float, float]] = attrs.field(default=(), converter=_pairs, validator=_check_outages)
    tls: bool = flag(default=True)
    demands: Sequence[str] = attrs.field(default=(), converter=as_tuple, validator=_check_demands)
    bulk: int = number(int(BULK_SENDER.low), unit="emails", rule="SES-IDN-3", integer=True)
    complaint_limit: float = COMPLAINTS_OF_BULK.field()
    complaint_rate: float = probability("SES-EVT-7")
    complainers: float = probability("SES-EVT-7")
    reports: bool = flag(default=True)
    auto_reply_rate: float = probability("SES-EVT-8")
    open_rate: float = probability("SES-EVT-7")
    reopen_rate: float = number(0.0, high=0.99, unit="probability", rule="SES-EVT-7")
    click_rate: float = probability("SES-EVT-7")
    reading_delay: Distribution | None = attrs.field(default=None, converter=as_distribution, validator=check_duration)

    def __attrs_post_init__(self) -> None:
        if self.full_time is not None and not self.full_mailboxes:
            raise DeclarationError("Receiver.full_time", "needs a share of full_mailboxes")
        if self.bounces_late and not self.unknown_users:
            raise DeclarationError("Receiver.bounces_late", "needs a share of unknown_users")

    @property
    def knows_addresses(self) -> bool:
        """Whether anything is a property of an address."""
        return bool(self.unknown_users or self.full_mailboxes or self.complainers)

    @property
    def minds_complaints(self) -> bool:
        """Whether it counts complaints about those who send to it."""
        return "complaints" in self.demands

    @property
    def uses_chance(self) -> bool:
        """Whether random numbers are needed."""
        rates = self.complaint_rate or self.auto_reply_rate or self.open_rate or self.knows_addresses
        return bool(rates)


def check_receivers(path: str, receivers: Sequence[Receiver]) -> None:
    """Refuse two receivers for one domain, or two for all the others.

    Raises:
        DeclarationError: names the second.
    """
    taken: dict[str, int] = {}
    for position, receiver in enumerate(receivers):
        for domain in [name.lower() for name in receiver.domains] or [""]:
            if domain in taken:
                whose = f"the mail of {domain}" if domain else "all other mail"
                raise DeclarationError(f"{path}.{position}.domains", f"receiver {taken[domain]} takes {whose} already")
            taken[domain] = position


class Mailbox(NamedTuple):
    """What is a property of an address."""

    exists: bool
    full: bool
    complains: bool


USUAL = Mailbox(exists=True, full=False, complains=False)


class ReceivingServer:
    """A receiver at work, as one account sees it.

    Args:
        receiver: the declaration.
        key: makes properties of addresses; another key, other addresses that do not exist.

    Attributes:
        receiver: the declaration.
    """

    __slots__ = (
        "_complaints",
        "_ends",
        "_filled_at",
        "_free_at",
        "_hours",
        "_key",
        "_known",
        "_most_known",
        "_starts",
        "_tokens",
        "receiver",
    )

    def __init__(self, receiver: Receiver, key: bytes) -> None:
        self.receiver = receiver
        self._key = key
        self._starts = [start for start, _ in receiver.outages]
        self._ends = [end for _, end in receiver.outages]
        self._tokens = self._burst()
        self._filled_at = 0.0
        self._known: dict[str, float] = {}
        self._most_known = PRUNED_FROM
        self._free_at: dict[str, float] = {}
        self._hours: dict[int, int] = {}
        self._complaints: dict[int, int] = {}

    def _burst(self) -> float:
        rate = self.receiver.max_rate
        return inf if rate is None else max(1.0, rate)

    def mailbox(self, address: str) -> Mailbox:
        """What is behind an address: the same at each look. Cost: O(1), a hash where there are shares."""
        receiver = self.receiver
        if not receiver.knows_addresses:
            return USUAL
        digest = blake2b(address.encode(), digest_size=24, key=self._key).digest()
        exists, full, complains = _UNIFORMS(digest)
        return Mailbox(
            exists >= receiver.unknown_users * 2.0**64,
            full < receiver.full_mailboxes * 2.0**64,
            complains < receiver.complainers * 2.0**64,
        )

    def chance(self, address: str) -> float:
        """A number in [0, 1) that is a property of the address, beside those that decide about its mailbox."""
        digest = blake2b(address.encode(), digest_size=7, key=self._key, person=b"score").digest()
        return int.from_bytes(digest) / 2.0**56

    def unreachable_until(self, now: float) -> float:
        """The end of the outage that is on [s]; `now` if none is."""
        position = bisect_right(self._starts, now)
        return max(now, self._ends[position - 1]) if position else now

    def next_outage(self, now: float) -> float:
        """When the next outage begins [s]; infinite if none does."""
        position = bisect_right(self._starts, now)
        return self._starts[position] if position < len(self._starts) else inf

    def grey_until(self, address: str, now: float) -> float:
        """Until when an address is greylisted [s], which begins at its first attempt.

        It stays known while emails to it are attempted. Cost: O(1), over time; memory O(addresses of 35 days).
        """
        wait = self.receiver.greylisting
        if wait is None:
            return now
        until = self._known.get(address)
        if until is None or now >= until + GREYLIST_MEMORY:
            until = now + wait
        self._known[address] = until = max(until, now)
        if len(self._known) > self._most_known:
            self._known = {each: at for each, at in self._known.items() if now < at + GREYLIST_MEMORY}
            self._most_known = max(PRUNED_FROM, 2 * len(self._known))
        return until

    def full_until(self, address: str, now: float, full_time: Sampler | None) -> float:
        """Until when the mailbox is full [s], counted from the first look.

        Args:
            address: of a mailbox that is full at first.
            now: [s].
            full_time: draws how long it will be; None for ever.
        """
        if full_time is None:
            return inf
        until = self._free_at.get(address)
        if until is None:
            until = self._free_at[address] = now + full_time()
        return until

    def takes(self, now: float) -> bool:
        """Whether the rate has room for one more recipient, who has it then. Cost: O(1)."""
        rate = self.receiver.max_rate
        if rate is None:
            return True
        tokens = min(self._burst(), self._tokens + (now - self._filled_at) * rate)
        self._filled_at = now
        self._tokens = tokens
        if tokens < 1.0 - RATE_SLACK:
            return False
        self._tokens = tokens - 1.0
        return True

    def count(self, now: float) -> bool:
        """Count an email of this sender; say whether it sends in bulk, by the hours of the latest 24 (SES-IDN-3)."""
        self._hours = _counted(self._hours, now)
        return sum(self._hours.values()) > self.receiver.bulk

    def count_complaint(self, now: float) -> None:
        """Count a complaint about this sender. Cost: O(1), and O(hours) once an hour."""
        self._complaints = _counted(self._complaints, now)

    def minds(self, now: float) -> bool:
        """Whether there are too many complaints about this sender, by the hours of the latest 24 (SES-IDN-3)."""
        if not self._complaints:
            return False
        first = int(now // HOUR) - int(DAY // HOUR)
        complaints, emails = (
            sum(number for hour, number in each.items() if hour > first) for each in (self._complaints, self._hours)
        )
        return complaints > 0 and complaints / max(1, emails) >= self.receiver.complaint_limit


def _counted(hours: dict[int, int], now: float) -> dict[int, int]:
    """Counts by the hour with one more, without those that are a day old."""
    hour = int(now // HOUR)
    if hour not in hours:
        first = hour - int(DAY // HOUR)
        hours = {past: number for past, number in hours.items() if past > first}
    hours[hour] = hours.get(hour, 0) + 1
    return hours
