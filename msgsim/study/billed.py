"""What a run is billed for: requests, deliveries, recipients and workers, counted from its counters."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from math import ceil, floor, fsum

import attrs

from msgsim.declare import DAY, HOUR
from msgsim.quotas import SMS_PART_GSM
from msgsim.run import Run
from msgsim.study.message_sizes import MessageSizes, chunks
from msgsim.study.prices import GIBIBYTE

MONTH = 30 * DAY
"""A month of a bill [s]."""

SQS, SNS, SES, WORKERS = "SQS", "SNS", "SES", "workers"

Count = Callable[[str, str], float]
"""Reads a counter: of an entity, by its metric."""


@attrs.frozen
class Item:
    """What one entity is billed for, of one kind.

    Attributes:
        entity: whose.
        service: "SQS", "SNS", "SES" or "workers".
        kind: such as "empty receive".
        tariff: the price that it comes under, see `study/tariffs.py`.
        requests: calls, deliveries or recipients.
        units: as which they are billed: requests of 64 KiB, GiB, months, hours.
        rule: id of the rule that says so; none for workers, which no service bills.
        per: of what the price is usually said: "million", "1,000", "GiB", "address", "part" or "hour".
    """

    entity: str
    service: str
    kind: str
    tariff: str
    requests: float
    units: float
    rule: str
    per: str = "million"


@attrs.frozen
class Sends:
    """What is sent to a queue, or published to a topic.

    Attributes:
        requests: of all.
        units: as which they are billed.
        size: of all of them together [bytes].
        grouped: units of those that carry a message group.
    """

    requests: float
    units: float
    size: float
    grouped: float


def batch_units(receives: float, received: float, size: float) -> float:
    """The requests that receives are billed as, which brought so many messages of one size [bytes] (PRC-SQS-2).

    How many each brought is not known, but on average: they are taken to have brought one more or less.

    >>> batch_units(10, 25, 65_536)
    25.0
    """
    if not receives:
        return 0.0
    mean = received / receives
    fewer = floor(mean)
    more = mean - fewer
    return receives * ((1.0 - more) * chunks(fewer * size) + more * chunks((fewer + 1) * size))


class Billed:
    """What a run is billed for.

    Args:
        run: which.
        sizes: of its messages.
        attached: bytes of the attachments of an email, by outbox.
        vdm: the Virtual Deliverability Manager is switched on.
        workers: whether they cost something.
    """

    def __init__(
        self, run: Run, sizes: MessageSizes, attached: Mapping[str, float], *, vdm: bool, workers: bool
    ) -> None:
        self._run = run
        self._scenario = run.scenario
        self._sizes = sizes
        self._attached = attached
        self._vdm = vdm
        self._workers = workers

    def items(self, count: Count, span: float) -> Iterator[Item]:
        """All that has happened, in the order of the run's entities.

        Args:
            count: reads the counters of the time that is meant.
            span: how long that is [s].
        """
        kinds = {"queue": self._queue, "topic": self._topic, "subscription": self._subscription}
        for entity, record in self._run.records.items():
            if record.kind == "outbox":
                found = self._outbox(entity, count, span)
            elif record.kind == "pool" and self._workers:
                found = self._pool(entity, span)
            elif record.kind in kinds:
                found = kinds[record.kind](entity, count)
            else:
                continue
            yield from (item for item in found if item.requests > 0)

    def _queue(self, name: str, count: Count) -> Iterator[Item]:
        queue = self._scenario.queues[name]
        tariff = "fifo" if queue.fifo else "standard"

        def item(kind: str, requests: float, units: float, tariff: str = tariff, rule: str = "PRC-SQS-2") -> Item:
            return Item(name, SQS, kind, tariff, requests, units, rule)

        delivered = self._delivered(name, count)
        sends = self._sends(name, count(name, "sent") + count(name, "deduplicated") - delivered, count)
        yield item("send", sends.requests, sends.units)
        if self._run.records[name].table == "fair queue":
            yield item("message group", sends.grouped, sends.grouped, "fair", "PRC-SQS-1")
        size = self._sizes.of(name)
        yield item("delivery by a topic", delivered, delivered * chunks(size), "topic delivery", "PRC-SNS-1")
        receives = count(name, "receives")
        yield item("receive", receives, batch_units(receives, count(name, "received"), size))
        for kind, metric in (("delete", "delete_requests"), ("change visibility", "visibility_requests")):
            pools = [pool for pool, workers in self._scenario.workers.items() if workers.queue == name]
            calls = sum(count(pool, metric) for pool in pools)
            yield item(kind, calls, calls)
        empty = count(name, "empty_receives")
        yield item("empty receive", empty, empty)

    def _delivered(self, name: str, count: Count) -> float:
        """What topics have put into a queue, what they could deliver to nobody else included."""
        found = 0.0
        for topic, declared in self._scenario.topics.items():
            into = 0
            for key, subscription in declared.named().items():
                entity = f"{topic}/{key}"
                if subscription.protocol == "sqs" and subscription.endpoint == name:
                    found += count(entity, "delivered") + count(entity, "duplicated")
                    into += 1
                if subscription.redrive == name:
                    found += count(entity, "delivery_dead_lettered")
            if declared.fifo and into:  # which of its queues asked for a replay, a run does not say
                found += count(topic, "replayed_delivered") * into / len(declared.subscriptions)
        return found

    def _sends(self, target: str, requests: float, count: Count) -> Sends:
        """What comes to a target one by one: of traffic sources by the size of each, of others by that of the target.

        What workers send to a queue with groups is taken to have one.
        """
        sources = [
            (count(name, "arrivals") + count(name, "resent"), self._sizes.of(name), traffic.groups is not None)
            for name, traffic in self._scenario.traffic.items()
            if traffic.to == target
        ]
        events = sum(number for number, _, _ in sources)
        taken = min(1.0, max(0.0, requests) / events) if events else 0.0  # the others were refused
        parts = [(number * taken, size, grouped) for number, size, grouped in sources]
        parts.append((max(0.0, requests - events), self._sizes.of(target), True))
        return Sends(
            sum(number for number, _, _ in parts),
            sum(number * chunks(size) for number, size, _ in parts),
            sum(number * size for number, size, _ in parts),
            sum(number * chunks(size) for number, size, grouped in parts if grouped),
        )

    def _topic(self, name: str, count: Count) -> Iterator[Item]:
        published = self._sends(name, count(name, "published"), count)
        fifo = self._scenario.topics[name].fifo
        tariff = "fifo publish" if fifo else "publish"
        yield Item(name, SNS, "publish", tariff, published.requests, published.units, "PRC-SNS-1")
        if fifo:
            yield _gibibytes(name, "published bytes", "fifo publish GiB", published.requests, published.size)
            replayed = count(name, "replayed_delivered")
            units = replayed * chunks(self._sizes.of(name))
            yield Item(name, SNS, "replay", "fifo delivery", replayed, units, "PRC-SNS-1")

    def _subscription(self, name: str, count: Count) -> Iterator[Item]:
        topic, _, key = name.partition("/")
        declared = self._scenario.topics[topic]
        subscription = declared.named()[key]
        protocol = subscription.protocol
        delivered = count(name, "delivered") + count(name, "duplicated")
        size = self._sizes.delivered(topic, key)
        if protocol == "sms":
            units = delivered * max(1, ceil(self._sizes.of(topic) / SMS_PART_GSM.high))
            tariff = f"sms {subscription.endpoint}"
            yield Item(name, SNS, "text message", tariff, delivered, units, "PRC-SNS-1", "part")
            return
        tariff = "fifo delivery" if declared.fifo else f"delivery {protocol}"
        yield Item(name, SNS, f"{protocol} delivery", tariff, delivered, delivered * chunks(size), "PRC-SNS-1")
        if declared.fifo:
            yield _gibibytes(name, "delivered bytes", "fifo delivery GiB", delivered, delivered * size)

    def _outbox(self, name: str, count: Count, span: float) -> Iterator[Item]:
        recipients = count(name, "recipients_accepted")
        yield Item(name, SES, "recipient", "recipient", recipients, recipients, "PRC-SES-1", "1,000")
        if attached := self._attached.get(name):
            coded = recipients * 4 * ceil(attached / 3) / GIBIBYTE
            yield Item(name, SES, "attachment", "attachment GiB", recipients, coded, "PRC-SES-1", "GiB")
        if self._vdm:
            yield Item(name, SES, "deliverability manager", "vdm", recipients, recipients, "PRC-SES-1", "1,000")
        addresses = sum(pool.ips for pool in self._scenario.outboxes[name].pools.values())
        months = addresses * span / MONTH
        yield Item(name, SES, "dedicated IP address", "dedicated IP", addresses, months, "PRC-SES-1", "address")

    def _pool(self, name: str, span: float) -> Iterator[Item]:
        hours = worker_hours(self._run, name, span)
        yield Item(name, WORKERS, "worker hour", "worker hour", hours, hours, "", "hour")


def worker_hours(run: Run, pool: str, span: float) -> float:
    """The hours that workers were there, busy or not.

    Exact after the warm-up; by the readings before.

    Args:
        run: finished, and beyond its warm-up.
        pool: of the workers.
        span: the last so many seconds of the run, with all that is after the warm-up.
    """
    since = run.until - span
    times, counts = run.series(pool, "count")
    early = fsum(
        (min(times[place + 1], run.warm_up) - max(times[place], since)) * counts[place]
        for place in range(bisect_left(times, run.warm_up))
        if times[place + 1] > since
    )
    return (early + (run.until - run.warm_up) * run.mean(pool, "count")) / HOUR


def _gibibytes(entity: str, kind: str, tariff: str, requests: float, size: float) -> Item:
    return Item(entity, SNS, kind, tariff, requests, size / GIBIBYTE, "PRC-SNS-1", "GiB")
