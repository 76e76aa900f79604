"""Recovery: how long a queue takes after a spike or an outage until it is what it was, and what that cost.

For each trigger (see `triggers`) that begins after the warm-up there is one value of each metric in `DERIVED`; their
statistics are asked for as those of samples are: `max(emails.drain_time) < 10 min`.

Normal is what was there before the first trigger: the highest reading between the warm-up and its start. Where there
is no such reading, it is the last one before it; or 0, if it begins with the run. What is in work is normal in any
case: as many messages as there are workers then, and an age as long as one message takes them on average.

A queue is drained when no more messages than normal are in it, waiting or in flight, and it stays so: the effect of a
trigger may come late or come back, when retries and timeouts are due. For as long as the trigger lasted, and for a
visibility timeout, there must not be more than twice as many and ten more; what comes after that is something else. If
it is not drained by the end of the run, its drain time is infinite, so that no upper bound holds.

Readings are at probes. Whatever happens between two of them is not seen: a peak may have been higher, and a backlog
that came and went was none. Between the last reading above normal and the first that is not, the time is put where the
line between them crosses normal; or earlier, where the line through the last two readings above it does, because a
backlog falls evenly while it drains. So times are right to a fraction of `probe` if the drain takes several of these.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from math import inf, isfinite, isnan, nan
from typing import Any

import attrs

from msgsim.declare import check_number, plain
from msgsim.errors import DeclarationError, UnknownName
from msgsim.formats import count, duration
from msgsim.metrics import SAMPLE, Metric
from msgsim.run import Run, quantiles
from msgsim.study.triggers import Trigger, triggers

BACKLOGS: Mapping[str, tuple[str, ...]] = {
    "queue": ("visible", "in_flight", "delayed"),
    "topic": ("pending",),
    "subscription": ("pending",),
    "outbox": ("pending",),
}
"""The gauges of each kind of entity that together are what is not done yet; the first is its backlog."""


NOTABLE = 10.0
"""So many messages more, or seconds, are no chance."""


@attrs.frozen(kw_only=True)
class Recovery:
    """What one trigger did to one entity.

    Attributes:
        trigger: that it is about.
        normal: messages that are not done yet, waiting or in flight, that were there before the first trigger.
        peak: the highest backlog from its start until that is drained [messages; recipients of outboxes].
        drain_time: from its end until there are no more messages, waiting or in flight, than normal [s].
        normal_age: of the oldest message: the objective, or what was normal [s]; NaN if it is no queue.
        peak_age: the highest age of the oldest message from its start until the backlog is drained [s]; NaN as above.
        recovery_time: from its end until the last message is gone that was older than `normal_age` while the backlog
            drained [s]; it may be longer ago than the drain, or end a little later. NaN as above.
        lost: messages that retention removed from its start until the next trigger.
    """

    trigger: Trigger
    normal: float
    peak: float
    drain_time: float
    normal_age: float = nan
    peak_age: float = nan
    recovery_time: float = nan
    lost: float = 0.0

    def __str__(self) -> str:
        words = [f"{self.trigger}: peak {count(self.peak)}"]
        if isfinite(self.peak_age):
            words.append(f"at most {duration(self.peak_age)} old")
        words.append(_in_words("drained", self.drain_time))
        if not isnan(self.recovery_time):
            words.append(_in_words(f"down to an age of {duration(self.normal_age)}", self.recovery_time))
        if self.lost:
            words.append(f"{count(self.lost)} lost to retention")
        return ", ".join(words)


def _in_words(what: str, time: float) -> str:
    return f"not {what} by the end" if time == inf else f"{what} {duration(time)} after it"


@attrs.frozen
class Derived:
    """A metric that is not measured but derived: one value for each trigger.

    Attributes:
        metric: name, shape, unit and reading.
        kinds: of the entities that have it.
        of: its value in a recovery.
    """

    metric: Metric
    kinds: tuple[str, ...]
    of: Callable[[Recovery], float]

    def values(self, run: Run, entity: str) -> list[float]:
        """One value for each trigger; none if the entity had no triggers.

        Raises:
            UnknownName: there is no such entity, or none of a kind that has the metric.
        """
        if run.kind(entity) not in self.kinds:
            raise UnknownName(f"{entity} is no {' or '.join(self.kinds)}: it has no {self.metric.name}")
        return [self.of(each) for each in recoveries(run, entity)]


def _derived(
    name: str, unit: str, reading: str, kinds: tuple[str, ...], of: Callable[[Recovery], float]
) -> tuple[str, Derived]:
    return name, Derived(Metric(name, SAMPLE, unit, reading), kinds, of)


DERIVED: Mapping[str, Derived] = dict(
    [
        _derived(
            "drain_time",
            "s",
            "end of a trigger until no more messages than before are waiting or in flight; infinite if not by the end",
            tuple(BACKLOGS),
            lambda recovery: recovery.drain_time,
        ),
        _derived(
            "recovery_time",
            "s",
            "end of a trigger until the oldest message is no older than before; infinite if not by the end",
            ("queue",),
            lambda recovery: recovery.recovery_time,
        ),
        _derived("peak_visible", "messages", "highest backlog by a trigger", ("queue",), lambda each: each.peak),
        _derived(
            "peak_age", "s", "highest age of the oldest message by a trigger", ("queue",), lambda each: each.peak_age
        ),
        _derived(
            "peak_pending",
            "messages",
            "most deliveries under way by a trigger; of outboxes, recipients",
            ("topic", "subscription", "outbox"),
            lambda recovery: recovery.peak,
        ),
        _derived(
            "lost_to_retention",
            "messages",
            "removed by retention from the start of a trigger until the next one",
            ("queue",),
            lambda recovery: recovery.lost,
        ),
    ]
)
"""Metrics of triggers, by name. Each has one value for each trigger of an entity, and the statistics of samples."""


def derived_of(kind: str) -> dict[str, Metric]:
    """The metrics of triggers that a kind of entity has."""
    return {name: each.metric for name, each in DERIVED.items() if kind in each.kinds}


def derived_values(run: Run) -> dict[str, dict[str, list[float]]]:
    """All of `DERIVED`, by entity and metric, of the entities that have triggers: no values, if not in the run.

    Cost: one pass over the readings of each.
    """
    found = {}
    had = _in_run(run)
    for entity in triggers(run.scenario, inf):
        judged = _judge(run, entity, had.get(entity, ()))
        found[entity] = {name: [DERIVED[name].of(each) for each in judged] for name in derived_of(run.kind(entity))}
    return found


def statistics_of(values: Sequence[float]) -> dict[str, float]:
    """The statistics of samples by name, mean, p50, p90, p99, p99.9 and max, as a run has them; NaN of nothing."""
    return {"mean": sum(values) / len(values) if values else nan, **quantiles(sorted(values))}


def recoveries(
    run: Run,
    entity: str,
    *,
    at: "float | tuple[float, float] | Sequence[float | tuple[float, float]] | None" = None,
    normal: float | None = None,
    age: float | None = None,
) -> list[Recovery]:
    """What each trigger did to a queue, topic, subscription or outbox.

    Args:
        run: that is finished.
        entity: its name.
        at: the triggers: instants or pairs (start, end) [s]; None for those that the scenario declares, from the
            warm-up on.
        normal: messages that may be there, waiting or in flight; None for what was there before the first trigger.
        age: of the oldest message, that is the objective [s]; None for what was before the first trigger.

    Raises:
        UnknownName: there is no such entity, or it has no backlog.
        DeclarationError: an argument is not allowed.
    """
    kind = run.kind(entity)
    if kind not in BACKLOGS:
        raise UnknownName(f"{entity} is a {kind}: it has no backlog to drain; allowed: a {', '.join(BACKLOGS)}")
    if normal is not None:
        check_number("normal", normal, unit="messages")
    if age is not None:
        check_number("age", age, unit="s")
    some = _in_run(run).get(entity, []) if at is None else _given(at, run.until)
    return _judge(run, entity, some, normal, age)


def _in_run(run: Run) -> dict[str, list[Trigger]]:
    declared = triggers(run.scenario, run.until)
    return {name: [each for each in some if each.start >= run.warm_up] for name, some in declared.items()}


def _given(at: Any, until: float) -> list[Trigger]:
    pairs: list[Any] = [at] if _is_pair(at) or not isinstance(at, (list, tuple)) else list(at)
    found = []
    for place, pair in enumerate(pairs):
        path = f"at.{place}"
        start, end = map(plain, pair if _is_pair(pair) else (pair, pair))
        check_number(path, start, high=until, unit="s")
        check_number(path, end, low=start, high=until, unit="s")
        found.append(Trigger(start=float(start), end=float(end)))
    if not found:
        raise DeclarationError("at", f"{at!r} names no instant; allowed: instants or pairs (start, end) [s]")
    return sorted(found, key=lambda trigger: trigger.start)


def _is_pair(at: object) -> bool:
    return isinstance(at, tuple) and len(at) == 2  # noqa: PLR2004 - a pair


def _judge(
    run: Run, entity: str, some: Sequence[Trigger], normal: float | None = None, age: float | None = None
) -> list[Recovery]:
    if not some:
        return []
    kind = run.kind(entity)
    times = run.times
    backlog, *others = [run.series(entity, metric)[1] for metric in BACKLOGS[kind]]
    present = array("d", map(sum, zip(backlog, *others, strict=True)) if others else backlog)
    workers, work = _in_work(run, entity, some[0])
    drain = _Descent(times, present, max(workers, _before(run, present, some[0])) if normal is None else normal)
    ages: array[float] = array("d")
    lost: array[int] = array("q")
    fresh = None
    timeout = 0.0
    if kind == "queue":
        timeout = run.scenario.queues[entity].visibility_timeout
        ages, lost = (run.series(entity, metric)[1] for metric in ("age_of_oldest_message", "expired"))
        fresh = _Descent(times, ages, max(work, _before(run, ages, some[0])) if age is None else age)
    found = []
    for trigger, following in zip(some, [*[each.start for each in some[1:]], inf], strict=True):
        calm = max(timeout, trigger.end - trigger.start)
        drained = drain.after(trigger.end, calm, following)
        first = bisect_left(times, trigger.start)
        stop = bisect_left(times, following)
        # Without a reading until the next trigger, the first one after it has to do.
        span = slice(first, max(first + 1, min(stop, bisect_left(times, drained) + 1)))
        recovery = Recovery(
            trigger=trigger, normal=drain.level, peak=float(max(backlog[span])), drain_time=drained - trigger.end
        )
        if fresh is not None:
            recovery = attrs.evolve(
                recovery,
                normal_age=fresh.level,
                peak_age=max(ages[span]),
                recovery_time=max(0.0, fresh.last_within(first, drained) - trigger.end),
                lost=float(lost[max(first, stop - 1)] - (lost[first - 1] if first else 0)),
            )
        found.append(recovery)
    return found


def _in_work(run: Run, entity: str, first: Trigger) -> tuple[float, float]:
    """How many workers a queue had before the first trigger, and how long a message takes the slowest of them [s]."""
    place = max(0, bisect_left(run.times, first.start) - 1)
    pools = {name: pool for name, pool in run.scenario.workers.items() if pool.queue == entity}
    workers = sum(run.series(name, "count")[1][place] for name in pools)
    return float(workers), max((pool.service_time.mean for pool in pools.values()), default=0.0)


def _before(run: Run, values: "array[float]", first: Trigger) -> float:
    """What was normal: see the top of this module."""
    end = bisect_left(run.times, first.start)
    begin = bisect_left(run.times, run.warm_up)
    if begin < end:
        return float(max(values[begin:end]))
    return float(values[end - 1]) if end else 0.0


class _Descent:
    """When a gauge comes down to a level.

    Args:
        times, values: its readings.
        level: of which it must not be above.
    """

    def __init__(self, times: "array[float]", values: "array[float]", level: float) -> None:
        self.level = level
        self._times = times
        self._values = values
        notable = max(2.0 * level, level + NOTABLE)
        self._low = [place for place, value in enumerate(values) if value <= level]
        self._above = [place for place, value in enumerate(values) if value > level]
        self._high = [place for place in self._above if values[place] > notable]

    def after(self, end: float, calm: float, following: float) -> float:
        """When it is there, not before `end`, and stays so [s]; infinite if not by the last reading.

        Args:
            end: of a trigger [s].
            calm: how long it must stay there [s].
            following: when another trigger begins, from which on it need not [s].

        Cost: O(log readings), and so much for each time at which it comes back.
        """
        times = self._times
        first = place = self._next_low(bisect_left(times, end))
        while place is not None:
            risen = bisect_left(self._high, place)
            if risen == len(self._high):
                break
            back = times[self._high[risen]]
            if back > times[place] + calm or back >= following:
                break
            place = self._next_low(self._high[risen])
        if place is None:
            return inf
        if place == first and (times[place] == end or not place or self._values[place - 1] <= self.level):
            return end  # it is there at the end, or was at the readings around it
        return max(end, self._crossing(place, end))

    def last_within(self, first: int, until: float) -> float:
        """When it comes down for the last time that it was above before an instant [s].

        Args:
            first: the reading from which on that counts.
            until: the instant [s]; if it is above then, the next time is meant.

        Returns:
            Infinite if it does not come down; minus infinity if it was not above. Cost: O(log readings).
        """
        last = bisect_left(self._times, until)
        position = bisect_right(self._above, last) - 1
        if position < 0 or self._above[position] < first:
            return -inf
        place = self._next_low(self._above[position])
        return inf if place is None else self._crossing(place, self._times[first])

    def _next_low(self, place: int) -> int | None:
        position = bisect_left(self._low, place)
        return self._low[position] if position < len(self._low) else None

    def _crossing(self, low: int, since: float) -> float:
        """When it was at the level before a reading that is not above, after one that is."""
        times, values, level = self._times, self._values, self.level
        high = low - 1
        crossed = times[high] + (times[low] - times[high]) * (values[high] - level) / (values[high] - values[low])
        if high and times[high - 1] >= since and values[high - 1] > values[high]:
            pace = (values[high - 1] - values[high]) / (times[high] - times[high - 1])
            crossed = min(crossed, times[high] + (values[high] - level) / pace)
        return crossed
