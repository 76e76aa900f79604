"""What a run costs: its requests, deliveries and emails by what they are billed for, and a projection to a month.

```python
bill = ledger(run)
print(bill)               # what drives the bill
bill.total                # of the run
bill.per_month            # 30 days of such traffic
bill.cost_per_month("emails")
ledger(run, attrs.evolve(load_prices(), worker_hour=0.05)).total  # workers included
```

The projection takes what happened after the warm-up as if it went on for 30 days: a run of an hour with a spike in it
makes a month with a spike in every hour. Give it a run of a whole day, or week, if that is what repeats itself.
"""

from collections.abc import Mapping, Sequence
from html import escape
from math import fsum
from os import PathLike
from textwrap import indent, wrap
from typing import Any

import attrs

from msgsim.declare import check_flag, check_number, plain
from msgsim.errors import DeclarationError, UnknownName
from msgsim.formats import count, exactly, one_line, share, significant
from msgsim.run import Run
from msgsim.study.billed import MONTH, Billed, Item, worker_hours
from msgsim.study.grids import as_html, as_text
from msgsim.study.message_sizes import MessageSizes
from msgsim.study.prices import MILLION, THOUSAND, Prices, load_prices
from msgsim.study.tariffs import Tariffs, units
from msgsim.study.vocabulary import PAID, WHOLE

WIDTH = 100
"""Of the notes [characters]."""


@attrs.frozen(kw_only=True)
class Line:
    """A line of the bill.

    Attributes:
        entity, service, kind, per, rule: see `Item`.
        requests, units: in the run.
        unit_price: of one unit, over the tiers that a month like this reaches.
        amount: units times price.
        monthly_units: in a month like this.
        monthly: their price.
    """

    entity: str
    service: str
    kind: str
    per: str
    rule: str
    requests: float
    units: float
    unit_price: float
    amount: float
    monthly_units: float
    monthly: float


@attrs.frozen(kw_only=True, repr=False)
class Ledger:
    """What a run costs.

    Attributes:
        lines: in the order of the entities of the run; what did not happen has none.
        prices: by which they were priced.
        until: the run's end [s]: the amounts are of [0, until].
        window: what the projection is from: the run's last so many seconds, after the warm-up.
        free_tier: whether it is taken off.
        kinds: of the run's entities, with or without costs.
        worker_hours: that workers were there in the run, busy or not, by pool [h].
    """

    lines: Sequence[Line]
    prices: Prices
    until: float
    window: float
    free_tier: bool
    kinds: Mapping[str, str]
    worker_hours: Mapping[str, float]

    def __repr__(self) -> str:
        return f"<Ledger {self.money(self.total)}, {self.money(self.per_month)} per month, {len(self.lines)} lines>"

    @property
    def total(self) -> float:
        """What the run cost."""
        return fsum(line.amount for line in self.lines)

    @property
    def per_month(self) -> float:
        """What 30 days of such traffic cost."""
        return fsum(line.monthly for line in self.lines)

    def cost(self, entity: str = WHOLE) -> float:
        """What the run cost at one entity; see `cost_per_month`."""
        return fsum(line.amount for line in self.of(entity))

    def cost_per_month(self, entity: str = WHOLE) -> float:
        """What 30 days of such traffic cost at one entity.

        Workers' requests are their queue's, and deliveries those of their topic and of their subscription, such as
        "orders/emails". Traffic sources cost nothing themselves, and worker pools what the price list says of an hour.

        Args:
            entity: its name; "*" for all.

        Raises:
            UnknownName: there is no such entity; says which there are.
        """
        return fsum(line.monthly for line in self.of(entity))

    def of(self, entity: str) -> list[Line]:
        """The lines of one entity, those of a topic's subscriptions included; of all for "*".

        Raises:
            UnknownName: there is no such entity; says which there are.
        """
        if entity == WHOLE:
            return list(self.lines)
        if not isinstance(entity, str) or entity not in self.kinds:
            raise UnknownName.among("entity", entity, (*self.kinds, WHOLE))
        return [line for line in self.lines if line.entity == entity or line.entity.startswith(f"{entity}/")]

    def measures(self) -> dict[tuple[str, str], float]:
        """The costs of all that services bill, and of the whole, and how long workers were there.

        Returns:
            By entity, and "cost.final", "cost_per_month.final" or "worker_hours.final".
        """
        found = {}
        for entity in (*(name for name, kind in self.kinds.items() if kind in PAID), WHOLE):
            found[entity, "cost.final"] = self.cost(entity)
            found[entity, "cost_per_month.final"] = self.cost_per_month(entity)
        for pool, hours in self.worker_hours.items():
            found[pool, "worker_hours.final"] = hours
        found[WHOLE, "worker_hours.final"] = fsum(self.worker_hours.values())
        return found

    def drivers(self) -> list[tuple[Line, float]]:
        """What drives the bill: the lines and their shares of it, the dearest first."""
        whole = self.per_month
        ordered = sorted(self.lines, key=lambda line: -line.monthly)
        return [(line, line.monthly / whole if whole else 0.0) for line in ordered]

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {
            "currency": self.prices.currency,
            "prices": self.prices.date,
            "region": self.prices.region,
            "free_tier": self.free_tier,
            "until": self.until,
            "window": self.window,
            "total": self.total,
            "per_month": self.per_month,
            "lines": [{**attrs.asdict(line), "share": part} for line, part in self.drivers()],
        }

    def __str__(self) -> str:
        lines = [self._headline(), "", indent(as_text(_HEADS, self._rows(), _WORDS), "  "), ""]
        for note in self.notes():
            lines += wrap(note, WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes())
        return (
            f"<div class='msgsim'><p><strong>{escape(self._headline())}</strong></p>"
            f"{as_html(_HEADS, self._rows())}<ul>{notes}</ul></div>"
        )

    def notes(self) -> list[str]:
        """What a reader should know besides the numbers, in sentences."""
        prices = self.prices
        place = f" for {prices.region}" if prices.region else ""
        free = "is taken off" if self.free_tier else "is not taken off: an account has it once, for all its traffic"
        begun = (
            f"A month is 30 days of such traffic as the last {exactly(self.window)} of the run had; "
            f"the run itself cost {self.money(self.total)} for {exactly(self.until)}."
        )
        found = [begun, f"Prices of {prices.date}{place}, without tax; the free tier {free}."]
        found.append(f"{_BY_SIZE} Not in here: {'' if prices.worker_hour else 'workers, '}{_LEFT_OUT}.")
        gratis = [f"{line.kind} of {line.entity}" for line in self.lines if not line.unit_price]
        if gratis:
            found.append(f"Free of charge: {', '.join(gratis)}.")
        return [one_line(note) for note in found]

    def money(self, amount: float) -> str:
        """An amount as a text, to the cent, or to three digits where that says nothing."""
        written = f"{amount:,.2f}" if amount >= 1 or not amount else significant(amount)
        return f"{self.prices.currency} {written}"

    def _headline(self) -> str:
        return f"{self.money(self.per_month)} per month. What drives the bill:"

    def _rows(self) -> list[Sequence[str]]:
        return [
            (
                one_line(line.entity),
                line.service,
                line.kind,
                count(line.requests),
                significant(line.monthly_units),
                f"{significant(line.unit_price * _PACKS[line.per])} per {line.per}",
                self.money(line.monthly),
                share(part),
            )
            for line, part in self.drivers()
            if line.unit_price
        ]


_BY_SIZE = "A payload is billed as a request for each 64 KiB begun, by the sizes that are declared."
_LEFT_OUT = "functions, storage, traffic between Regions, keys, metrics"
_PACKS = {"million": MILLION, "1,000": THOUSAND, "GiB": 1.0, "address": 1.0, "part": 1.0, "hour": 1.0}
_HEADS = ("of", "service", "kind", "in the run", "billed per month", "price", "per month", "share")
_WORDS = 3
"""Columns of words, which stand to the left."""


def ledger(
    run: Run,
    prices: Prices | str | PathLike[str] | None = None,
    *,
    free_tier: bool = False,
    message_bytes: float | Mapping[str, float] | None = None,
    attachment_bytes: float | Mapping[str, float] | None = None,
    vdm: bool = False,
) -> Ledger:
    """What a run costs, and a month of such traffic.

    SQS bills each call: sends of traffic sources and workers one by one, receives, empty ones among them, deletes, and
    heartbeats; what topics and redrive policies put into a queue is no request. SNS bills publishes, and deliveries
    after filtering by protocol. SES bills recipients of accepted emails. What the services refuse costs nothing. Of
    what a user's own code does to live queues, sends and receives are counted, and other calls are not. Workers cost
    what the price list says of an hour, which is nothing in the one that is shipped.

    Args:
        run: finished, or as far as it got.
        prices: a price list, or the path of one; None for the one that is shipped.
        free_tier: take off what is free each month. Off, because an account has it once for all that it does.
        message_bytes: size of the messages with their attributes, for all or by traffic source, topic or queue; None
            for what is declared [bytes].
        attachment_bytes: of an email, for all or by outbox; None for none [bytes].
        vdm: the Virtual Deliverability Manager is switched on.

    Raises:
        DeclarationError: an argument is not allowed, or nothing of the run is after its warm-up.

    Source: PRC-SQS-1, PRC-SQS-2, PRC-SNS-1, PRC-SES-1.
    """
    if not isinstance(run, Run):
        raise DeclarationError("run", f"{run!r} is not a Run")
    check_flag("free_tier", free_tier)
    check_flag("vdm", vdm)
    listed = prices if isinstance(prices, Prices) else load_prices(prices)
    attached = _attached(run, attachment_bytes)
    begin = max((place for place, time in enumerate(run.times) if time <= run.warm_up), default=0)
    window = run.until - run.times[begin]
    if window <= 0:
        problem = f"ends at {run.until!r} s, before anything has happened after its warm-up of {run.warm_up!r} s"
        raise DeclarationError("run", problem)
    sizes = MessageSizes(run.scenario, message_bytes)
    billed = Billed(run, sizes, attached, vdm=vdm, workers=listed.worker_hour > 0)

    def in_window(entity: str, metric: str) -> float:
        _, values = run.series(entity, metric)
        return float(values[-1] - values[begin])

    rates = {(item.entity, item.kind): item.units * MONTH / window for item in billed.items(in_window, window)}
    items = list(billed.items(run.total, run.until))
    monthly = [rates.get((item.entity, item.kind), 0.0) for item in items]
    totals = units((item.tariff, number) for item, number in zip(items, monthly, strict=True))
    tariffs = Tariffs(listed, totals, free_tier=free_tier)
    lines = [_line(item, number, tariffs.price(item)) for item, number in zip(items, monthly, strict=True)]
    return Ledger(
        lines=lines,
        prices=listed,
        until=run.until,
        window=window,
        free_tier=free_tier,
        kinds={name: record.kind for name, record in run.records.items()},
        worker_hours={name: worker_hours(run, name, run.until) for name in run.scenario.workers},
    )


def _line(item: Item, monthly: float, price: float) -> Line:
    return Line(
        entity=item.entity,
        service=item.service,
        kind=item.kind,
        per=item.per,
        rule=item.rule,
        requests=item.requests,
        units=item.units,
        unit_price=price,
        amount=item.units * price,
        monthly_units=monthly,
        monthly=monthly * price,
    )


def monthly_cost(run: Run) -> float:
    """What 30 days of such traffic cost, by the prices that are shipped; see `ledger`."""
    return ledger(run).per_month


def _attached(run: Run, given: float | Mapping[str, float] | None) -> dict[str, float]:
    """The size of an email's attachments by outbox [bytes]."""
    given = plain(given)
    outboxes = run.scenario.outboxes
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        check_number("attachment_bytes", given, unit="bytes")
        return dict.fromkeys(outboxes, float(given))
    for name, size in given.items():
        if name not in outboxes:
            raise UnknownName.among("outbox", name, outboxes)
        check_number(f"attachment_bytes.{name}", size, unit="bytes")
    return {name: float(size) for name, size in given.items()}
