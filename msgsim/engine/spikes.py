"""Spikes: a burst of traffic, once or again and again."""

import math

import attrs

from msgsim.declare import number
from msgsim.engine.forms import Form, RateCurve, scaling
from msgsim.engine.traces import SHORTEST
from msgsim.errors import DeclarationError

SHADED_TAIL = 3.0
"""How many time constants of a spike's decay `windows` counts as part of the spike: 95 % of it."""


@attrs.frozen
class Spike(RateCurve):
    """A burst: a linear rise over `ramp`, `height` for `hold`, then an exponential decay; 0 before it.

    With `every`, the burst repeats for ever, and the tails of earlier repeats add up: the curve is exactly the sum of
    single spikes at `at`, `at + every`, `at + 2 * every` ... So the rate may exceed `height` if `decay` is long.

    Args:
        at: when the rise begins, 0 or more [s].
        height: the rate that the burst adds [1/s].
        hold: how long it stays there [s].
        ramp: how long the rise takes [s]; 0 jumps.
        decay: time constant of the fall [s]; 0 drops at once.
        every: period of the repeats, at least `ramp + hold` and 1 ms [s]; None for a single spike.
    """

    at: float = number(unit="s")
    height: float = number(unit="1/s")
    hold: float = number(unit="s")
    ramp: float = number(0.0, unit="s")
    decay: float = number(0.0, unit="s")
    every: float | None = number(None, low=SHORTEST, unit="s", optional=True)

    def __attrs_post_init__(self) -> None:
        if self.every is not None and self.every < self.ramp + self.hold:
            problem = f"{self.every!r} is not allowed; allowed: {self.ramp + self.hold:g} or more [s] (ramp + hold)"
            raise DeclarationError("Spike.every", problem)

    @property
    def _empty(self) -> bool:
        return not self.height or not (self.ramp or self.hold or self.decay)

    def _repeat(self, t: float) -> int:
        """The number of the last repeat that began at or before `t`; `t` is not before `at`."""
        if self.every is None:
            return 0
        index = int((t - self.at) // self.every)
        # Begins are compared as they are computed, so that a breakpoint belongs to what it begins.
        if self._begin(index + 1) <= t:
            return index + 1
        return index - 1 if index and self._begin(index) > t else index

    def _begin(self, index: int) -> float:
        return self.at + index * (self.every or 0.0)

    def _pulse(self, low: float, high: float) -> float:
        """The area of the rise and the hold between two times since a repeat's begin."""
        low, high = max(low, 0.0), min(high, self.ramp + self.hold)
        if low >= high:
            return 0.0
        area = self.height * (high - max(low, self.ramp)) if high > self.ramp else 0.0
        top = min(high, self.ramp)
        return area + 0.5 * self.height / self.ramp * (top - low) * (top + low) if low < top else area

    def _tails(self, t: float) -> tuple[int, float]:
        """How many repeats are past their hold at `t`, and the sum of what is left of their tails, of 1 each."""
        index = self._repeat(t)
        since = t - self._begin(index) - (self.ramp + self.hold)
        count = index + (since >= 0.0)
        return count, self._left(count, since if since >= 0.0 else since + (self.every or 0.0))

    def _left(self, count: int, since: float) -> float:
        """The sum of `count` tails, the last of which began `since` ago: a geometric series."""
        if not count:
            return 0.0
        newest = math.exp(-max(since, 0.0) / self.decay)  # a rounding below 0 is much for a short decay
        if self.every is None:
            return newest
        gap = self.every / self.decay
        return newest * math.expm1(-count * gap) / math.expm1(-gap)

    def integral(self, a: float, b: float) -> float:
        """The expected number of events in [a, b]. Cost: O(1)."""
        a, b = max(a, self.at), max(b, self.at)
        first, last = self._repeat(a), self._repeat(b)
        low, high = a - self._begin(first), b - self._begin(last)
        if first == last:
            area = self._pulse(low, high)
        else:
            whole = self.height * (0.5 * self.ramp + self.hold)
            area = self._pulse(low, math.inf) + (last - first - 1) * whole + self._pulse(0.0, high)
        if not self.decay:
            return area
        (count_a, left_a), (count_b, left_b) = self._tails(a), self._tails(b)
        gone = (count_b - count_a) + left_a - left_b
        if count_a == count_b:
            # The same without the cancellation of two nearly equal sums.
            gone = -left_a * math.expm1((a - b) / self.decay)
        return area + self.height * self.decay * gone

    def next_breakpoint(self, t: float) -> float:
        """The next begin, end of rise or end of hold."""
        if self._empty:
            return math.inf
        if t < self.at:
            return self.at
        index = self._repeat(t)
        begin = self._begin(index)
        for then in (begin + self.ramp, begin + (self.ramp + self.hold)):
            if then > t:
                # A hold that fills the whole period may end an ulp after the next begin.
                return then if self.every is None else min(then, self._begin(index + 1))
        return math.inf if self.every is None else self._begin(index + 1)

    def form(self, start: float) -> Form:
        """The rise, the hold or nothing, plus one tail that stands for all earlier ones."""
        if start < self.at:
            return Form(0.0)
        index = self._repeat(start)
        begin = self._begin(index)
        level = slope = 0.0
        # The same sums as in `next_breakpoint`: at a breakpoint, what it begins holds.
        over = start >= begin + (self.ramp + self.hold)
        if start < begin + self.ramp:
            slope = self.height / self.ramp
            level = slope * (start - begin)
        elif not over:
            level = self.height
        if not self.decay:
            return Form(level, slope)
        ago = start - begin - (self.ramp + self.hold)
        amplitude = self.height * self._left(index + over, ago if over else ago + (self.every or 0.0))
        return Form(level, slope, ((amplitude, self.decay),) if amplitude else ())

    def windows(self, a: float, b: float) -> list[tuple[float, float]]:
        """Rise, hold and three time constants of the decay of each repeat, cut at the next one and to [a, b]."""
        if self._empty or b <= self.at:
            return []
        length = self.ramp + self.hold + SHADED_TAIL * self.decay
        if self.every is not None:
            length = min(length, self.every)
        begins = map(self._begin, range(self._repeat(max(a, self.at)), self._repeat(b) + 1))
        return [(max(a, begin), min(b, begin + length)) for begin in begins if begin < b and begin + length > a]

    def __mul__(self, factor: float) -> "Spike":
        return attrs.evolve(self, height=self.height * factor) if scaling(self, factor) else NotImplemented
