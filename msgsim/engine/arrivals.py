# Hot path: one call per traffic event (benchmarks/arrivals.py).
"""Arrival times out of a rate curve.

Time is changed by the integrated rate: arrival k is where the integral reaches the sum of k gaps. Unit exponential gaps
make a Poisson process, gaps of 1 a regular one. The curve is walked stretch by stretch between its breakpoints, and all
sums are relative to the stretch, so that nothing loses digits over a long horizon.

The times of a stretch are made ahead in chunks, by loops over local variables: half the time of working out each one
in a call of its own (benchmarks/arrivals.py).
"""

import math
from itertools import repeat
from typing import Protocol

from msgsim.engine.forms import Form, RateCurve
from msgsim.engine.traces import SHORTEST
from msgsim.errors import DeclarationError

PROCESSES = ("poisson", "regular")
"""The arrival processes that a curve can drive."""

CHUNK = 512
"""How many times are made ahead at most."""

FOREVER = 2.0**40
"""A stretch that begins after this [s], 35,000 years, counts as never: a double there is good for 0.2 ms."""

IDLE_LIMIT = 64
"""After so many stretches in a row without an arrival, the generator leaps by the integral instead."""

WORN_OFF = 1e-15
"""A tail whose whole rest is fewer expected events than this is no longer followed."""

TAIL_REACH = 8.0
"""A stretch with a tail is cut after so many time constants."""

WAVE_REACH = 0.25
"""A stretch with a wave is cut after this part of its period."""

CLOSE = 1e-12
"""How exactly the integral is inverted where it must be iterated [events]."""

ROUNDING = 4e-16
"""Bounds this close to each other, relatively, have nothing between them."""


class Uniforms(Protocol):
    """Where random numbers come from."""

    def random(self) -> float:
        """The next number, uniform on [0, 1)."""


class ArrivalTimes:
    """The times of one source's events, one per call of `next`.

    Uniforms are taken in order, one per arrival, the first of them at construction; a few arrivals are made ahead. The
    state is plain: it copies and pickles, with the random stream at the same place.

    Args:
        curve: the rate.
        poisson: exponential gaps of the integrated rate instead of equal ones.
        rng: needed for `poisson` only.
        start: no arrival is earlier [s].
        chunk: how many times are made ahead at most; no influence on the times.
    """

    __slots__ = (
        "_ahead",
        "_area",
        "_begin",
        "_chunk",
        "_curve",
        "_end",
        "_form",
        "_last",
        "_level",
        "_need",
        "_reached",
        "_rng",
    )

    def __init__(
        self, curve: RateCurve, *, poisson: bool, rng: Uniforms | None, start: float = 0.0, chunk: int = CHUNK
    ) -> None:
        self._curve = curve
        self._rng = rng if poisson else None
        self._chunk = chunk
        self._ahead: list[float] = []  # the next times, latest first
        # The next arrival is where the integral from the begin of the stretch reaches this.
        self._need = 0.5 if self._rng is None else -math.log(1.0 - self._rng.random())
        self._form = Form(0.0)
        self._level = 0.0  # of the stretch; 0 if it is not level
        # Where the inversion of a curved stretch has come to: time since its begin, integral and rate there.
        self._reached = (0.0, 0.0, 0.0)
        self._enter(start)

    def next(self) -> float:
        """The time of the next arrival [s], not before the last one; infinite if there is none, ever."""
        ahead = self._ahead
        return ahead.pop() if ahead else self._more()

    def _enter(self, begin: float) -> None:
        """Take up the stretch that begins at `begin`."""
        self._begin = self._last = begin
        if begin >= FOREVER:
            self._end = math.inf
            self._area = 0.0
            return
        end, form = self._curve.stretch(begin)
        level, slope, tails, waves = form
        if tails or waves:
            tails = tuple(tail for tail in tails if tail[0] * tail[1] > WORN_OFF)
            form = Form(level, slope, tails, waves)
            cuts = [TAIL_REACH * decay for _, decay in tails]
            cuts += [WAVE_REACH * math.tau / speed for _, speed, _ in waves]
            end = min([end, *(begin + max(cut, SHORTEST) for cut in cuts)])
        self._end = end
        self._form = form
        self._level = 0.0 if slope or tails or waves else level
        if self._level:
            self._area = level * (end - begin)
        elif slope or tails or waves:
            self._reached = (0.0, *curved(form, 0.0))
            self._area = curved(form, end - begin)[0]
        else:
            self._area = 0.0  # 0 for ever is not 0 * inf

    def _more(self) -> float:
        """Make the next times ahead and return the first of them."""
        idle = 0
        while self._need >= self._area:
            if self._end == math.inf:
                return math.inf
            self._need -= self._area
            idle += 1
            self._enter(
                self._end if idle % IDLE_LIMIT else self._leap(self._end, IDLE_LIMIT * (self._end - self._begin))
            )
        times = self._level_times() if self._level else self._bent_times()
        if times[-1] > self._end:  # by a rounding
            times = [min(time, self._end) for time in times]
        times.reverse()
        self._ahead = times
        return times.pop()

    def _leap(self, begin: float, step: float) -> float:
        """Go on from `begin` by growing steps for as long as the integral says that nothing arrives."""
        while begin < FOREVER:
            area = self._curve.integral(begin, begin + step)
            if area >= self._need:
                break
            self._need -= area
            begin += step
            step *= 2.0
        return begin

    def _level_times(self) -> list[float]:
        """The next times on a level stretch, ascending."""
        begin = self._begin
        level = self._level
        need = self._need
        area = self._area
        times: list[float] = []
        append = times.append
        if self._rng is None:
            for _ in repeat(None, self._chunk):
                if need >= area:
                    break
                append(begin + need / level)
                need += 1.0
        else:
            random = self._rng.random
            log = math.log
            for _ in repeat(None, self._chunk):
                if need >= area:
                    break
                append(begin + need / level)
                need -= log(1.0 - random())
        self._need = need
        return times

    def _bent_times(self) -> list[float]:
        """The next times on any other stretch, ascending."""
        need = self._need
        targets: list[float] = []
        while need < self._area and len(targets) < self._chunk:
            targets.append(need)
            need += 1.0 if self._rng is None else -math.log(1.0 - self._rng.random())
        self._need = need
        form = self._form
        return self._iterate(targets) if form.tails or form.waves else self._sloped(targets)

    def _sloped(self, targets: list[float]) -> list[float]:
        """The times at which the integral of a straight slope reaches the targets."""
        level, slope, _, _ = self._form
        begin = self._begin
        last = self._last
        times = []
        for target in targets:
            # The root of slope/2 x^2 + level x = target that loses no digits for a small slope or level.
            root = level + math.sqrt(max(0.0, level * level + 2.0 * slope * target))
            last = max(last, begin + 2.0 * target / root) if root > 0.0 else last
            times.append(last)
        self._last = last
        return times

    def _iterate(self, targets: list[float]) -> list[float]:
        """The same for any form, by Newton's method between bounds, from each arrival to the next."""
        form = self._form
        begin = self._begin
        length = self._end - begin
        # The rate changes by no more than this per second, so a step s leaves an error of steep / 2 * s^2 at most.
        steep = abs(form.slope)
        steep += sum(amplitude / decay for amplitude, decay in form.tails)
        steep += sum(amplitude * speed for amplitude, speed, _ in form.waves)
        x, area, rate = self._reached
        times = []
        last = self._last
        for target in targets:
            low, high = x, length
            guess = x + (target - area) / rate if rate > 0.0 else high
            tries = 0
            while True:
                tries += 1
                if not low <= guess <= high or not tries % 8:
                    guess = 0.5 * (low + high)
                area, rate = curved(form, guess)
                if area < target:
                    low = guess
                else:
                    high = guess
                step = (target - area) / rate if rate > 0.0 else math.inf
                guess += step
                if steep * step * step < CLOSE or high - low <= ROUNDING * high:
                    break
            x = min(max(guess, low), high)
            area = target
            last = max(last, begin + x)
            times.append(last)
        self._reached = (x, area, rate)
        self._last = last
        return times


def curved(form: Form, x: float) -> tuple[float, float]:
    """The integral from the begin of a stretch to `x` later [events], and the rate there [1/s]."""
    level, slope, tails, waves = form
    area = x * (level + 0.5 * slope * x)
    rate = level + slope * x
    for amplitude, decay in tails:
        left = amplitude * math.exp(-x / decay)
        area += (amplitude - left) * decay
        rate += left
    for amplitude, speed, phase in waves:
        now = speed * x + phase
        area += amplitude / speed * (math.sin(now) - math.sin(phase))
        rate += amplitude * math.cos(now)
    return area, rate


def arrival_times(curve: RateCurve, process: str, rng: Uniforms | None, start: float = 0.0) -> ArrivalTimes:
    """The arrival times of a source whose rate follows a curve.

    Args:
        curve: the rate.
        process: "poisson", or "regular": arrival k = 0, 1, ... comes where the integral from `start` reaches k + 0.5,
            so that a whole number of events in a bucket of a trace falls inside that bucket.
        rng: the source's own stream; not used by "regular".
        start: no arrival is earlier [s].

    Returns:
        An object whose `next()` gives the times, ascending, and infinity when no more will come.

    Raises:
        DeclarationError: no such process, or no random stream for a random one.
    """
    if process not in PROCESSES:
        raise DeclarationError("arrival_times.process", f"{process!r} is not allowed; allowed: {', '.join(PROCESSES)}")
    if process == "poisson" and rng is None:
        raise DeclarationError("arrival_times.rng", "a Poisson process needs a random stream")
    return ArrivalTimes(curve, poisson=process == "poisson", rng=rng, start=start)
