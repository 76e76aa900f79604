"""Rate curves: how many events per second a source makes, as a function of time.

A curve is a frozen declaration with closed forms: `rate(t)`, `integral(a, b)`, `breakpoints(a, b)`. Curves add
(`Constant(200) + Spike(...)`) and scale (`2 * curve`).
"""

import math
from bisect import bisect_right
from collections.abc import Mapping
from functools import cached_property
from itertools import accumulate
from os import PathLike, fspath
from pathlib import PurePath
from typing import Any

import attrs

from msgsim.declare import DAY, as_float, check_number, flag, number, text
from msgsim.engine.forms import Constant, Form, RateCurve, Sum, as_curve, check_time, refuse_curve, scaling
from msgsim.engine.spikes import Spike
from msgsim.engine.traces import SHORTEST, read_trace
from msgsim.errors import DeclarationError

__all__ = [
    "CURVES",
    "Constant",
    "Diurnal",
    "Ramp",
    "RateCurve",
    "Spike",
    "Steps",
    "Sum",
    "Trace",
    "as_curve",
    "refuse_curve",
]

SHOWN_COUNTS = 12
"""A trace of more buckets than this shows only its first three in its repr."""


@attrs.frozen
class Ramp(RateCurve):
    """A straight climb or fall: `from_rate` up to `start`, `to_rate` from `end` on, a line between them.

    Args:
        start: when the change begins, 0 or more [s].
        end: when it is complete, after `start` [s].
        from_rate: before the change [1/s].
        to_rate: after it [1/s].
    """

    start: float = number(unit="s")
    end: float = number(unit="s")
    from_rate: float = number(unit="1/s")
    to_rate: float = number(unit="1/s")

    def __attrs_post_init__(self) -> None:
        check_number("Ramp.end", self.end, low=self.start, above=True, unit="s")

    def integral(self, a: float, b: float) -> float:
        """The expected number of events in [a, b]."""
        low, high = (min(max(t, self.start), self.end) for t in (a, b))
        middle = (0.5 * (low + high) - self.start) / (self.end - self.start)
        within = (self.from_rate + (self.to_rate - self.from_rate) * middle) * (high - low)
        before = self.from_rate * max(0.0, min(b, self.start) - a)
        return before + within + self.to_rate * max(0.0, b - max(a, self.end))

    def next_breakpoint(self, t: float) -> float:
        """The start, the end, then never."""
        if t < self.start:
            return self.start
        return self.end if t < self.end else math.inf

    def form(self, start: float) -> Form:
        """One of the two levels, or the line."""
        if start < self.start:
            return Form(self.from_rate)
        if start >= self.end:
            return Form(self.to_rate)
        slope = (self.to_rate - self.from_rate) / (self.end - self.start)
        return Form(self.from_rate + slope * (start - self.start), slope)

    def __mul__(self, factor: float) -> "Ramp":
        if not scaling(self, factor):
            return NotImplemented
        return attrs.evolve(self, from_rate=self.from_rate * factor, to_rate=self.to_rate * factor)


@attrs.frozen
class Diurnal(RateCurve):
    """A daily rhythm: `mean + amplitude * cos(2 pi (t - peak_at) / period)`.

    Args:
        mean: the average over a period [1/s].
        amplitude: how far it swings up and down, at most `mean` [1/s].
        period: of the rhythm [s].
        peak_at: a time of the highest rate [s]; None for the middle of the period (noon, if time 0 is midnight).
    """

    mean: float = number(unit="1/s")
    amplitude: float = number(unit="1/s")
    period: float = number(DAY, low=SHORTEST, unit="s")
    peak_at: float | None = number(None, unit="s", optional=True)

    def __attrs_post_init__(self) -> None:
        check_number("Diurnal.amplitude", self.amplitude, high=self.mean, unit="1/s", rule="at most the mean")

    def _phase(self, t: float) -> float:
        peak = 0.5 * self.period if self.peak_at is None else self.peak_at
        return math.tau * (math.fmod(t - peak, self.period) / self.period)

    def integral(self, a: float, b: float) -> float:
        """The expected number of events in [a, b]."""
        check_time(self, a)
        check_time(self, b)
        half = 0.5 * math.tau / self.period * (b - a)
        swing = self.amplitude * self.period / math.pi * math.cos(self._phase(a) + half) * math.sin(half)
        return self.mean * (b - a) + swing

    def next_breakpoint(self, t: float) -> float:  # noqa: ARG002 - one formula for all times
        """Never."""
        return math.inf

    def form(self, start: float) -> Form:
        """The mean and one wave."""
        if not self.amplitude:
            return Form(self.mean)
        return Form(self.mean, waves=((self.amplitude, math.tau / self.period, self._phase(start)),))

    def __mul__(self, factor: float) -> "Diurnal":
        if not scaling(self, factor):
            return NotImplemented
        return attrs.evolve(self, mean=self.mean * factor, amplitude=self.amplitude * factor)


def _pairs(value: Any) -> Any:
    if not isinstance(value, (list, tuple)):
        return value
    return tuple(tuple(map(as_float, item)) if isinstance(item, (list, tuple)) else item for item in value)


@attrs.frozen
class Steps(RateCurve):
    """A staircase: from each time on, the rate beside it; 0 before the first time.

    Args:
        steps: pairs of a time, 0 or more and strictly ascending [s], and a rate [1/s].
    """

    steps: tuple[tuple[float, float], ...] = attrs.field(converter=_pairs)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.steps, tuple) or not self.steps:
            raise DeclarationError("Steps.steps", f"{self.steps!r} is not a list of pairs (time, rate)")
        earlier = 0.0
        for position, step in enumerate(self.steps):
            path = f"Steps.steps.{position}"
            if not isinstance(step, tuple) or len(step) != 2:  # noqa: PLR2004 - a pair
                raise DeclarationError(path, f"{step!r} is not a pair (time, rate)")
            check_number(f"{path}.0", step[0], low=earlier, above=position > 0, unit="s")
            check_number(f"{path}.1", step[1], unit="1/s")
            earlier = step[0]

    @cached_property
    def _times(self) -> list[float]:
        return [time for time, _ in self.steps]

    def integral(self, a: float, b: float) -> float:
        """The expected number of events in [a, b]. Cost: O(steps)."""
        ends = [*self._times[1:], math.inf]
        parts = zip(self.steps, ends, strict=True)
        return math.fsum(rate * max(0.0, min(b, end) - max(a, begin)) for (begin, rate), end in parts)

    def next_breakpoint(self, t: float) -> float:
        """The next step."""
        position = bisect_right(self._times, t)
        return self._times[position] if position < len(self.steps) else math.inf

    def form(self, start: float) -> Form:
        """The level of the step."""
        position = bisect_right(self._times, start)
        return Form(self.steps[position - 1][1] if position else 0.0)

    def __mul__(self, factor: float) -> "Steps":
        if not scaling(self, factor):
            return NotImplemented
        return Steps([(time, rate * factor) for time, rate in self.steps])


def _counts(value: Any) -> Any:
    """A tuple of floats out of a list, an array or a column; anything else as it is, for the check to refuse."""
    value = value.tolist() if hasattr(value, "tolist") else value
    return tuple(map(as_float, value)) if isinstance(value, (list, tuple)) else value


def _show_counts(counts: tuple[float, ...]) -> str:
    if len(counts) <= SHOWN_COUNTS:
        return repr(counts)
    return f"({', '.join(map(repr, counts[:3]))}, ... {len(counts) - 3} more)"


@attrs.frozen
class Trace(RateCurve):
    """A recorded series of counts in buckets of one width, each spread evenly over its bucket.

    Time 0 is the start of the first bucket. After the last one the rate is 0, or the series starts over. A trace holds
    its values, so it does not need its file again.

    Args:
        counts: events per bucket, 0 or more each; a list, an array or a column.
        width: of a bucket, 1 ms or more [s].
        start: the text of the first time stamp, for labels only.
        repeat: whether the series starts over for ever.
        name: for labels only.
    """

    counts: tuple[float, ...] = attrs.field(converter=_counts, repr=_show_counts)
    width: float = number(low=SHORTEST, unit="s")
    start: str = text("")
    repeat: bool = flag()
    name: str = text("")

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.counts, tuple) or not self.counts:
            raise DeclarationError("Trace.counts", f"{self.counts!r} is not a list of counts")
        for position, count in enumerate(self.counts):
            # A day of seconds is 86,400 checks: only what looks wrong gets the slow one.
            if type(count) is not float or not 0.0 <= count < math.inf:
                check_number(f"Trace.counts.{position}", count)

    @classmethod
    def from_csv(
        cls, path: str | PathLike[str], time: str = "timestamp", count: str = "value", *, repeat: bool = False
    ) -> "Trace":
        """Read a bucketed count series, such as a CloudWatch export; see `read_trace` for what is accepted.

        Args:
            path: of the file.
            time: name of the column with the start of each bucket.
            count: name of the column with the number of events in it.
            repeat: whether the series starts over for ever.

        Raises:
            TraceError: the file is not a usable series; says the row.
        """
        counts, width, start = read_trace(path, time, count)
        return cls(counts, width, start=start, repeat=repeat, name=PurePath(fspath(path)).stem)

    @property
    def total(self) -> float:
        """Events in one pass."""
        return self._before[-1]

    @property
    def duration(self) -> float:
        """Length of one pass [s]."""
        return len(self.counts) * self.width

    @cached_property
    def _before(self) -> list[float]:
        """Events before each bucket of a pass, and in all of it."""
        return list(accumulate(self.counts, initial=0.0))

    @cached_property
    def _changes(self) -> list[int]:
        """The buckets of a pass that differ from the one before; what follows a pass that does not repeat is 0."""
        cycle = self.counts if self.repeat else (*self.counts, 0.0)
        previous = cycle[-1]
        changes = []
        for index, count in enumerate(cycle):
            if count != previous:
                changes.append(index)
            previous = count
        return changes

    def _bucket(self, t: float) -> int:
        """The number of the bucket that `t` is in, counted on through the passes."""
        index = int(t // self.width)
        # Bounds are compared as they are computed, so that a breakpoint belongs to what it begins.
        if (index + 1) * self.width <= t:
            return index + 1
        return index - 1 if index * self.width > t else index

    def _position(self, t: float) -> tuple[int, int, float]:
        """The pass, the bucket in it, and the share of the bucket that is over."""
        if t <= 0.0:
            return 0, 0, 0.0
        if not self.repeat and t >= self.duration:
            return 1, 0, 0.0
        bucket = self._bucket(t)
        passed, index = divmod(bucket, len(self.counts))
        return passed, index, (t - bucket * self.width) / self.width

    def integral(self, a: float, b: float) -> float:
        """The expected number of events in [a, b]. Cost: O(1), after a first use of O(buckets)."""
        check_time(self, a)
        check_time(self, b)
        pass_a, index_a, share_a = self._position(a)
        pass_b, index_b, share_b = self._position(b)
        if (pass_a, index_a) == (pass_b, index_b):
            return self.counts[index_a] * (share_b - share_a)
        whole = (pass_b - pass_a) * self.total + (self._before[index_b] - self._before[index_a])
        return whole + (self.counts[index_b] * share_b - self.counts[index_a] * share_a)

    def _end(self, bucket: int) -> float:
        """When the count of a bucket ends to hold."""
        changes = self._changes
        passed, index = divmod(bucket, len(self.counts)) if self.repeat else (0, bucket)
        position = bisect_right(changes, index)
        if position < len(changes):
            return (passed * len(self.counts) + changes[position]) * self.width
        return ((passed + 1) * len(self.counts) + changes[0]) * self.width if self.repeat and changes else math.inf

    def _level(self, bucket: int) -> float:
        if self.repeat:
            bucket %= len(self.counts)
        return self.counts[bucket] / self.width if bucket < len(self.counts) else 0.0

    def next_breakpoint(self, t: float) -> float:
        """The begin of the next bucket with another count than its forerunner. Cost: O(log buckets)."""
        if t < 0.0 and self.counts[0]:
            return 0.0
        return self._end(self._bucket(max(t, 0.0)))

    def form(self, start: float) -> Form:
        """The level of the bucket."""
        return Form(self._level(self._bucket(start)) if start >= 0.0 else 0.0)

    def stretch(self, start: float) -> tuple[float, Form]:
        """The next breakpoint after `start`, and the formula until then, with one search for the bucket."""
        if start < 0.0:
            return self.next_breakpoint(start), Form(0.0)
        bucket = self._bucket(start)
        return self._end(bucket), Form(self._level(bucket))

    def __mul__(self, factor: float) -> "Trace":
        if not scaling(self, factor):
            return NotImplemented
        return attrs.evolve(self, counts=tuple(count * factor for count in self.counts))


CURVES: Mapping[str, type[RateCurve]] = {
    "constant": Constant,
    "ramp": Ramp,
    "spike": Spike,
    "diurnal": Diurnal,
    "steps": Steps,
    "trace": Trace,
}
"""The `type` that names each curve in a file."""
