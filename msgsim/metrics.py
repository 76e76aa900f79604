"""The catalogue of metrics, and the probe that reads them.

Nothing is emitted while a run runs: live objects count inline, and the probe pulls at its instants.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from math import inf, nextafter
from typing import Any, TypeAlias

import attrs

from msgsim.bus.fairness import Fairness
from msgsim.bus.fifo import FifoQueue
from msgsim.bus.fifo_subscription import FifoSubscriber
from msgsim.bus.outbox import SendingAccount
from msgsim.bus.queue import LiveQueue
from msgsim.bus.standard import StandardQueue
from msgsim.bus.topic import TopicFanout
from msgsim.engine.actions import JoinState
from msgsim.engine.workers import WorkerPool
from msgsim.errors import AuditError, UnknownName

COUNTER, GAUGE, SAMPLE = "counter", "gauge", "sample"

STATISTICS = ("mean", "p50", "p90", "p99", "p99.9", "max", "total", "final")


@attrs.frozen
class Metric:
    """One metric of one kind of entity.

    Attributes:
        name: as in `run.total(entity, name)`.
        shape: "counter" (has a total), "gauge" (has a value at every instant) or "sample" (one value per message).
        unit: of its values.
        reading: what it counts, in a sentence.
        twin: the CloudWatch metric that corresponds, if one does.
    """

    name: str
    shape: str
    unit: str
    reading: str
    twin: str = ""


def _table(*metrics: Metric) -> dict[str, Metric]:
    return {metric.name: metric for metric in metrics}


CATALOGUE: dict[str, dict[str, Metric]] = {
    "traffic": _table(
        Metric("arrivals", COUNTER, "events", "traffic events generated"),
        Metric("resent", COUNTER, "events", "of those, sent again"),
    ),
    "topic": _table(
        Metric("published", COUNTER, "messages", "publishes accepted", "NumberOfMessagesPublished"),
        Metric("delivered", COUNTER, "messages", "deliveries made", "NumberOfNotificationsDelivered"),
        Metric("filtered_out", COUNTER, "messages", "not wanted by a policy", "NumberOfNotificationsFilteredOut"),
        Metric("delivery_failed", COUNTER, "messages", "failed for good"),
        Metric("delivery_dead_lettered", COUNTER, "messages", "of those, kept", "NumberOfNotificationsRedrivenToDlq"),
        Metric("delivery_dropped", COUNTER, "messages", "of those, lost"),
        Metric(
            "redrive_failed",
            COUNTER,
            "messages",
            "of those, because their dead-letter queue could not take them",
            "NumberOfNotificationsFailedToRedriveToDlq",
        ),
        Metric("duplicated", COUNTER, "messages", "of those delivered, arrived twice"),
        Metric("attempts", COUNTER, "attempts", "of deliveries, begun"),
        Metric("failed_attempts", COUNTER, "attempts", "of these, failed or known to"),
        Metric(
            "notifications_failed",
            COUNTER,
            "notifications",
            "failed for good, and of HTTP each failed attempt instead",
            "NumberOfNotificationsFailed",
        ),
        Metric("pending", GAUGE, "messages", "deliveries under way, retries included; its mean is over probes"),
        Metric(
            "filtered_by_attributes",
            COUNTER,
            "messages",
            "of what was filtered out: by attributes",
            "NumberOfNotificationsFilteredOut-MessageAttributes",
        ),
        Metric(
            "filtered_by_body",
            COUNTER,
            "messages",
            "of what was filtered out: by the body",
            "NumberOfNotificationsFilteredOut-MessageBody",
        ),
        Metric(
            "filtered_without_attributes",
            COUNTER,
            "messages",
            "of what was filtered out: it had no attributes",
            "NumberOfNotificationsFilteredOut-NoMessageAttributes",
        ),
        Metric(
            "filtered_invalid_attributes",
            COUNTER,
            "messages",
            "of what was filtered out: attributes that no policy can look at",
            "NumberOfNotificationsFilteredOut-InvalidAttributes",
        ),
        Metric(
            "filtered_invalid_body",
            COUNTER,
            "messages",
            "of what was filtered out: a body that no policy can look at",
            "NumberOfNotificationsFilteredOut-InvalidMessageBody",
        ),
    ),
    "queue": _table(
        Metric("sent", COUNTER, "messages", "enqueued by sends and topics", "NumberOfMessagesSent"),
        Metric("received", COUNTER, "deliveries", "received, redeliveries included", "NumberOfMessagesReceived"),
        Metric("deleted", COUNTER, "messages", "deleted, each once", "NumberOfMessagesDeleted"),
        Metric("dead_lettered", COUNTER, "messages", "moved away by its redrive policy"),
        Metric("expired", COUNTER, "messages", "removed by retention"),
        Metric("purged", COUNTER, "messages", "removed by purges"),
        Metric("moved_in", COUNTER, "messages", "dead letters that came"),
        Metric("moved_out", COUNTER, "messages", "moved back by a move task"),
        Metric("deduplicated", COUNTER, "messages", "suppressed duplicates", "NumberOfDeduplicatedSentMessages"),
        Metric("receives", COUNTER, "receives", "polls that brought messages, up to 10 at once"),
        Metric("empty_receives", COUNTER, "receives", "polls that ended with nothing", "NumberOfEmptyReceives"),
        Metric("redelivered", COUNTER, "deliveries", "of messages received before"),
        Metric("duplicate_work", COUNTER, "messages", "handled by a worker after its timeout had run out"),
        Metric("visible", GAUGE, "messages", "the backlog: receivable now", "ApproximateNumberOfMessagesVisible"),
        Metric("in_flight", GAUGE, "messages", "received, not done", "ApproximateNumberOfMessagesNotVisible"),
        Metric("delayed", GAUGE, "messages", "not yet receivable", "ApproximateNumberOfMessagesDelayed"),
        Metric(
            "age_of_oldest_message",
            GAUGE,
            "s",
            "since the oldest one came; sampled, so its mean is over probes",
            "ApproximateAgeOfOldestMessage",
        ),
        Metric("waiting_time", SAMPLE, "s", "enqueue to first receive"),
        Metric("sojourn_time", SAMPLE, "s", "enqueue to deletion, redeliveries and delay included"),
        Metric("end_to_end_time", SAMPLE, "s", "traffic event to deletion"),
    ),
    "pool": _table(
        Metric("busy", GAUGE, "workers", "workers that hold a batch"),
        Metric("count", GAUGE, "workers", "workers that are there"),
        Metric("utilization", GAUGE, "1", "busy / count; its mean is of the integrals"),
        Metric("processed", COUNTER, "messages", "handled to the end, well or not"),
        Metric("failed", COUNTER, "messages", "of those, left to their visibility timeout"),
        Metric("delete_requests", COUNTER, "requests", "calls that deleted a message, or a batch"),
        Metric("visibility_requests", COUNTER, "requests", "calls that restarted visibility timeouts"),
    ),
    "join": _table(
        Metric("completed", COUNTER, "events", "traffic events for which every part has succeeded"),
        Metric("open", GAUGE, "events", "those for which only some have; its mean is over probes"),
        Metric("end_to_end_time", SAMPLE, "s", "traffic event to completion"),
    ),
    "outbox": _table(
        Metric("accepted", COUNTER, "emails", "accepted", "Send"),
        Metric("recipients_accepted", COUNTER, "recipients", "of these, suppressed ones included"),
        Metric("delivered", COUNTER, "recipients", "got the email", "Delivery"),
        Metric("bounced", COUNTER, "recipients", "did not", "Bounce"),
        Metric("complained", COUNTER, "recipients", "got it and complained", "Complaint"),
        Metric("throttled", COUNTER, "recipients", "of emails refused by rate or quota"),
        Metric("rejected", COUNTER, "recipients", "of emails refused for what they are"),
        Metric("suppressed", COUNTER, "recipients", "accepted and not sent to"),
        Metric("pending", GAUGE, "recipients", "neither delivered nor bounced yet; its mean is over probes"),
        Metric("end_to_end_time", SAMPLE, "s", "traffic event to delivery, of each delivered recipient"),
    ),
}
CATALOGUE["subscription"] = {name: metric for name, metric in CATALOGUE["topic"].items() if name != "published"}
CATALOGUE["FIFO queue"] = {
    **CATALOGUE["queue"],
    **_table(
        Metric(
            "groups_in_flight",
            GAUGE,
            "groups",
            "with messages in flight; its mean is over probes",
            "ApproximateNumberOfGroupsWithInflightMessages",
        ),
    ),
}
_HELD_UP = Metric("held_up", GAUGE, "messages", "that wait for another of their group; its mean is over probes")

CATALOGUE["FIFO subscription"] = {**CATALOGUE["subscription"], **_table(_HELD_UP)}
CATALOGUE["topic with a quota"] = {
    **CATALOGUE["topic"],
    **_table(Metric("over_quota", COUNTER, "messages", "refused by the quota that all topics share")),
}
CATALOGUE["FIFO topic"] = {
    **CATALOGUE["topic with a quota"],
    **_table(
        Metric("deduplicated", COUNTER, "messages", "accepted, and dropped as known"),
        Metric("throttled", COUNTER, "messages", "refused for too many in a second"),
        _HELD_UP,
        Metric(
            "replayed_delivered",
            COUNTER,
            "messages",
            "deliveries from the archive",
            "NumberOfReplayedNotificationsDelivered",
        ),
        Metric("replayed_failed", COUNTER, "messages", "failed for good", "NumberOfReplayedNotificationsFailed"),
        Metric(
            "archived_messages",
            GAUGE,
            "messages",
            "that can be replayed; its mean is over probes",
            "ApproximateNumberOfMessagesArchived",
        ),
        Metric(
            "archived_bytes",
            GAUGE,
            "bytes",
            "of these, attributes included; its mean is over probes",
            "ApproximateNumberOfBytesArchived",
        ),
    ),
}
CATALOGUE["outbox with addresses"] = {
    **CATALOGUE["outbox"],
    **_table(
        Metric("rejected", COUNTER, "recipients", "of emails refused for what they are, or while paused"),
        Metric("hard_bounced", COUNTER, "recipients", "do not exist"),
        Metric("soft_bounced", COUNTER, "recipients", "were given up"),
        Metric("over_rate", COUNTER, "recipients", "of emails refused by the rate"),
        Metric("over_quota", COUNTER, "recipients", "of emails refused by the daily quota"),
        Metric("delayed", COUNTER, "recipients", "late, and told to be", "DeliveryDelay"),
        Metric("infected", COUNTER, "recipients", "of emails accepted and not sent for a virus", "Reject"),
        Metric("rendering_failed", COUNTER, "recipients", "of emails whose template lacked data", "RenderingFailure"),
        Metric("opened", COUNTER, "times", "an email was opened", "Open"),
        Metric("clicked", COUNTER, "times", "a link was followed", "Click"),
        Metric(
            "bounce_rate",
            GAUGE,
            "1",
            "hard bounces by recipient, over the volume of its reputation, or all; its mean is over probes",
            "Reputation.BounceRate",
        ),
        Metric(
            "complaint_rate",
            GAUGE,
            "1",
            "complaints by recipient, over the same; its mean is over probes",
            "Reputation.ComplaintRate",
        ),
        Metric("paused", GAUGE, "1", "1 while every email is refused, else 0; its mean is over probes"),
    ),
}
CATALOGUE["outbox with pools"] = {
    **CATALOGUE["outbox with addresses"],
    **_table(
        Metric("by_dedicated", COUNTER, "recipients", "whose emails left by an address of their pool"),
        Metric("by_shared", COUNTER, "recipients", "whose emails left by a shared one, beyond the plan of their pool"),
        Metric("postponed", COUNTER, "recipients", "of those by their pool: put off to a day with room"),
    ),
}
CATALOGUE["fair queue"] = {
    **CATALOGUE["queue"],
    **_table(
        Metric(
            "noisy_groups",
            GAUGE,
            "groups",
            "that others are served before; its mean is over probes",
            "ApproximateNumberOfNoisyGroups",
        ),
        Metric(
            "visible_in_quiet_groups",
            GAUGE,
            "messages",
            "the backlog of the others; its mean is over probes",
            "ApproximateNumberOfMessagesVisibleInQuietGroups",
        ),
        Metric(
            "in_flight_in_quiet_groups",
            GAUGE,
            "messages",
            "received of them, not done; its mean is over probes",
            "ApproximateNumberOfMessagesNotVisibleInQuietGroups",
        ),
        Metric(
            "delayed_in_quiet_groups",
            GAUGE,
            "messages",
            "of them, not yet receivable; its mean is over probes",
            "ApproximateNumberOfMessagesDelayedInQuietGroups",
        ),
        Metric(
            "age_of_oldest_message_in_quiet_groups",
            GAUGE,
            "s",
            "since the oldest of them came; its mean is over probes",
            "ApproximateAgeOfOldestMessageInQuietGroups",
        ),
    ),
}
"""Every metric by kind of entity and name; queues with message groups have more than others (CW-SQS-1, SQS-FAIR-7).

Some metrics of the services are missing: `SentMessageSize` of queues and `PublishSize` of topics, as bodies are made
only if somebody reads them; those of text messages, which cost nothing in a run (`Account.sms` counts those of
requests); those of how an archive is written; and `Subscription` of outboxes, as nobody manages contact lists here.
"""

_TWINS = {kind: {each.twin: each for each in table.values() if each.twin} for kind, table in CATALOGUE.items()}


def metric_of(kind: str, entity: str, metric: str) -> Metric:
    """Look a metric up by its name, or by that of its twin.

    Raises:
        UnknownName: this kind of entity has no such metric; says which it has.
    """
    table = CATALOGUE[kind]
    if isinstance(metric, str):
        if metric in table:
            return table[metric]
        if metric in _TWINS[kind]:
            return _TWINS[kind][metric]
    raise UnknownName.among(f"metric of {kind} {entity!r}", metric, table)


@attrs.frozen(eq=False)
class Record:
    """What a run knows of one entity: plain data.

    Attributes:
        kind: of the entity.
        series: counters and gauges at the probes, by metric.
        means: exact time-weighted means of gauges after the warm-up, where they are kept.
        samples: values of messages after the warm-up, by metric.
        table: its part of the catalogue, which says more than its kind.
        groups: the message groups of a fair queue.
        labels: of the same messages as the samples, where the queue is fair: which group, counted from 1; 0 for none.
    """

    kind: str
    series: Mapping[str, "array[Any]"]
    means: Mapping[str, float]
    samples: Mapping[str, "array[float]"]
    table: str = attrs.field(default=attrs.Factory(lambda self: self.kind, takes_self=True))
    groups: Sequence[str] = ()
    labels: "array[int]" = attrs.field(factory=lambda: array("H"))


class Meter:
    """Reads one live entity.

    Args:
        name: of the entity.
        kind: of the entity.
        live: the object.
    """

    __slots__ = ("_begun", "_fair", "_integrals", "kind", "live", "name", "rows", "skip", "table")

    def __init__(self, name: str, kind: str, live: Any) -> None:
        self.name = name
        self.kind = kind
        self.live = live
        self.table = kind
        self._fair: Fairness | None = live.fairness if isinstance(live, StandardQueue) else None
        if isinstance(live, FifoQueue):
            self.table = "FIFO queue"
        elif self._fair is not None:
            self.table = "fair queue"
        elif isinstance(live, TopicFanout) and live.fifo:
            self.table = "FIFO topic"
        elif isinstance(live, TopicFanout) and live.quota is not None:
            self.table = "topic with a quota"
        elif isinstance(live, FifoSubscriber):
            self.table = "FIFO subscription"
        elif isinstance(live, SendingAccount) and live.outbox.knows_addresses:
            self.table = "outbox with pools" if live.outbox.pools else "outbox with addresses"
        table = CATALOGUE[self.table].values()
        self.rows: dict[str, array[Any]] = {
            metric.name: array("q" if metric.shape == COUNTER or metric.unit not in {"s", "1"} else "d")
            for metric in table
            if metric.shape != SAMPLE
        }
        self.skip: dict[str, int] = {}
        self._begun = 0.0
        self._integrals: dict[str, float] = {}

    def values(self, now: float) -> dict[str, float]:
        """Counters and gauges at `now`; the entity has been settled."""
        live = self.live
        if isinstance(live, LiveQueue):
            gauge: dict[str, float] = {"age_of_oldest_message": live.age_of_oldest(now)}
            if isinstance(live, FifoQueue):
                gauge["groups_in_flight"] = live.groups_in_flight()
            elif isinstance(live, StandardQueue) and self._fair is not None:
                quiet = live.quiet(now)
                gauge["noisy_groups"] = quiet.noisy_groups
                gauge["visible_in_quiet_groups"] = quiet.visible
                gauge["in_flight_in_quiet_groups"] = quiet.in_flight
                gauge["delayed_in_quiet_groups"] = quiet.delayed
                gauge["age_of_oldest_message_in_quiet_groups"] = quiet.age
        elif isinstance(live, WorkerPool):
            gauge = {"utilization": live.busy / live.count if live.count else 0.0}
        elif isinstance(live, JoinState):
            gauge = {"open": live.opened - live.completed}
        elif isinstance(live, SendingAccount) and "paused" in self.rows:
            gauge = {**_rates(live), "paused": float(live.is_paused(now))}
            if live.pools:
                gauge |= _passages(live)
        else:
            gauge = {}
        return {name: gauge[name] if name in gauge else getattr(live, name) for name in self.rows}

    def samples(self) -> dict[str, "array[float]"]:
        """All values so far, the warm-up's included."""
        live = self.live
        if isinstance(live, LiveQueue):
            return {"waiting_time": live.waits, "sojourn_time": live.sojourns, "end_to_end_time": live.end_to_end}
        if isinstance(live, (JoinState, SendingAccount)):
            return {"end_to_end_time": live.end_to_end}
        return {}

    def integrals(self, now: float) -> dict[str, float]:
        """Integrals of gauges from time 0 to `now`."""
        live = self.live
        if isinstance(live, LiveQueue):
            visible, in_flight, delayed = live.integrals(now)
            return {"visible": visible, "in_flight": in_flight, "delayed": delayed}
        if isinstance(live, WorkerPool):
            return {"busy": live.busy_time + live.busy * now, "count": live.count_time + live.count * now}
        return {}

    def begin(self, now: float) -> None:
        """The warm-up ends: what has been so far is left out of means and quantiles."""
        self._begun = now
        self._integrals = self.integrals(now)
        self.skip = {name: len(values) for name, values in self.samples().items()}

    def settle(self, now: float) -> None:
        """Have everything done that is due by `now`."""
        live = self.live
        if isinstance(live, (LiveQueue, TopicFanout, SendingAccount)):
            live.advance(now)

    def check(self, now: float, *, deep: bool) -> None:
        """Assert that the entity's books balance.

        Raises:
            AuditError: says which numbers differ, and when.
        """
        live = self.live
        if isinstance(live, LiveQueue):
            live.check(now, deep=deep or live.visible + live.in_flight + live.delayed < ALWAYS_DEEP)
        elif isinstance(live, (TopicFanout, SendingAccount, WorkerPool)):
            try:
                if isinstance(live, WorkerPool):
                    live.check()
                else:
                    live.check(deep=deep)
            except AuditError as error:
                raise AuditError(f"{error} (at {now:g} s)") from None

    def record(self, now: float, *, warm: bool) -> Record:
        """Everything so far, as plain data; the last row is of `now`. Means and samples only if it is warm."""
        samples = {
            name: values[self.skip.get(name, 0) if warm else len(values) :] for name, values in self.samples().items()
        }
        series = {name: row[:] for name, row in self.rows.items()}
        span = now - self._begun if warm else 0.0
        means = {}
        if span > 0:
            begun = self._integrals
            grown = {name: value - begun.get(name, 0.0) for name, value in self.integrals(now).items()}
            means = {name: value / span for name, value in grown.items()}
            if "busy" in grown:
                means["utilization"] = grown["busy"] / grown["count"] if grown["count"] else 0.0
        groups: Sequence[str] = ()
        labels = array("H")
        if self._fair is not None:
            groups = tuple(self._fair.named)
            labels = self._fair.labels[len(self._fair.labels) - len(samples["sojourn_time"]) :]
        return Record(self.kind, series, means, samples, self.table, groups, labels)


def _rates(account: SendingAccount) -> dict[str, float]:
    """By the reputation, or over all so far where nobody looks (CW-SES-2)."""
    judged = account.reputation
    if judged is not None:
        return {"bounce_rate": judged.bounce_rate, "complaint_rate": judged.complaint_rate}
    sent = account.recipients_accepted or 1
    return {"bounce_rate": account.hard_bounced / sent, "complaint_rate": account.complained / sent}


def _passages(account: SendingAccount) -> dict[str, float]:
    """How emails with dedicated pools left, over all pools (SES-IP-1)."""
    pools = account.pools.values()
    return {
        "by_dedicated": sum(pool.dedicated for pool in pools),
        "by_shared": sum(pool.shared for pool in pools),
        "postponed": sum(pool.delayed for pool in pools),
    }


Reading: TypeAlias = tuple[float, list[list[float]]]
"""The time of a reading, and what was read of each entity."""


class Probe:
    """Reads all entities at its instants, and checks their books.

    Attributes:
        times: of the readings [s].
        violations: what did not balance, and when.
    """

    __slots__ = ("_meters", "times", "violations")

    def __init__(self, meters: Iterable[Meter]) -> None:
        self._meters = list(meters)
        self.times = array("d")
        self.violations: list[str] = []

    def settle(self, now: float) -> None:
        """Have everything done that is due by `now`."""
        for meter in self._meters:
            meter.settle(now)

    def begin(self, now: float) -> None:
        """The warm-up ends; what happens at this very instant belongs to what follows."""
        self.settle(nextafter(now, -inf))
        for meter in self._meters:
            meter.begin(now)

    def look(self, now: float) -> None:
        """Take a reading."""
        self.settle(now)
        self.times.append(now)
        for meter in self._meters:
            for name, value in meter.values(now).items():
                meter.rows[name].append(value)

    def check(self, now: float, *, deep: bool = False) -> None:
        """Check everybody's books; after a look or `settle`. Cost: O(1) per entity, with `deep` O(messages there)."""
        for meter in self._meters:
            try:
                meter.check(now, deep=deep)
            except AuditError as error:
                self.violations.append(str(error))

    def take_last(self) -> "Reading":
        """Take the last reading back."""
        return self.times.pop(), [[row.pop() for row in meter.rows.values()] for meter in self._meters]

    def put_back(self, reading: "Reading") -> None:
        """Have a reading again that was taken back."""
        time, values = reading
        self.times.append(time)
        for meter, taken in zip(self._meters, values, strict=True):
            for row, value in zip(meter.rows.values(), taken, strict=True):
                row.append(value)

    def records(self, now: float, *, warm: bool) -> dict[str, Record]:
        """Everything so far, as plain data; after a reading at `now`. `warm` says whether the warm-up is over."""
        return {meter.name: meter.record(now, warm=warm) for meter in self._meters}

    def compare(self, now: float) -> list[str]:
        """Little's law as an identity: the integral of each queue's length against the time its messages spent there.

        Returns:
            What differs by more than `TOLERANCE`.
        """
        found = []
        for meter in self._meters:
            queue = meter.live
            if not isinstance(queue, LiveQueue):
                continue
            area = sum(queue.integrals(now))
            spent = queue.residence(now)
            if abs(area - spent) > TOLERANCE * max(area, spent, 1.0):
                found.append(
                    f"queue {queue.name!r} at {now:g} s: the integral of its length is {area!r} message s, but its "
                    f"messages spent {spent!r} s in it"
                )
        return found


ALWAYS_DEEP = 1_000
"""Up to so many messages in a queue, its containers are counted at every probe; otherwise for results alone."""

TOLERANCE = 1e-9
"""How closely the integral of a queue's length must agree with its messages' times, relatively."""
