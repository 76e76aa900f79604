# Hot path: one call per traffic event (benchmarks/arrivals.py).
"""Arrival times out of a rate curve.

Time is changed by the integrated rate: arrival k is where the integral reaches the sum of k gaps. Unit exponential gaps
make a Poisson process, gaps of 1 a regular one. The curve is walked stretch by stretch between its breakpoints, and all
sums are relative to the stretch, so that nothing loses digits over a long horizon.

A level stretch costs one comparison and one division on top of the random number. Making its times ahead in chunks
saves nothing over that (benchmarks/arrivals.py), so none are.
"""

from math import cos, exp, inf, log, nextafter, sin, sqrt, tau
from typing import Protocol

from msgsim.engine.forms import Form, RateCurve
from msgsim.engine.traces import SHORTEST
from msgsim.errors import DeclarationError

PROCESSES = ("poisson", "regular")
"""The arrival processes that a curve can drive."""

FOREVER = 2.0**40
"""A stretch that begins after this [s], 35,000 years, counts as never: a double there is good for 0.2 ms."""

IDLE_LIMIT = 16
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


NOTHING = Form(0.0)


class Uniforms(Protocol):
    """Where random numbers come from."""

    def random(self) -> float:
        """The next number, uniform on [0, 1)."""


class ArrivalTimes:
    """The times of one source's events, one per call of `next`.

    Uniforms are taken in order, one per arrival and one arrival ahead, the first of them at construction. The state is
    plain: it copies and pickles, together with the random stream.

    Args:
        curve: the rate.
        poisson: exponential gaps of the integrated rate instead of equal ones.
        rng: needed for `poisson` only.
        start: no arrival is earlier [s].
    """

    __slots__ = (
        "_area",
        "_begin",
        "_bent",
        "_curve",
        "_end",
        "_form",
        "_last",
        "_level",
        "_level_area",
        "_need",
        "_reached",
        "_rng",
        "_steep",
    )

    _area: float
    _begin: float
    _bent: bool
    _end: float
    _form: Form
    _last: float
    _level: float
    _level_area: float
    _reached: tuple[float, float, float]
    _steep: float

    def __init__(self, curve: RateCurve, *, poisson: bool, rng: Uniforms | None, start: float = 0.0) -> None:
        self._curve = curve
        self._rng = rng if poisson else None
        # The next arrival is where the integral from the begin of the stretch reaches this.
        self._need = 0.5 if self._rng is None else -log(1.0 - self._rng.random())
        self._enter(start)

    def next(self) -> float:
        """The time of the next arrival [s], not before the last one; infinite if there is none, ever."""
        need = self._need
        if need < self._level_area:
            rng = self._rng
            self._need = need + 1.0 if rng is None else need - log(1.0 - rng.random())
            return self._begin + need / self._level
        return self._walk()

    def _walk(self) -> float:
        """The same where the stretch is not level, or has to be left first."""
        idle = 0
        while self._need >= self._area:
            if self._end == inf:
                return inf
            self._need -= self._area
            idle += 1
            self._enter(self._end if idle % IDLE_LIMIT else self._leap(self._end - self._begin))
        if self._level_area:
            return self.next()
        need = self._need
        rng = self._rng
        self._need = need + 1.0 if rng is None else need - log(1.0 - rng.random())
        if self._bent:
            x = self._iterated(need)
        else:
            # The root of slope/2 x^2 + level x = need that loses no digits for a small slope or level.
            level = self._level
            root = level + sqrt(max(0.0, level * level + 2.0 * self._form.slope * need))
            x = 2.0 * need / root if root > 0.0 else 0.0
        time = self._begin + x
        if not self._last <= time <= self._end:  # by a rounding
            time = min(max(time, self._last), self._end)
        self._last = time
        return time

    def _enter(self, begin: float) -> None:
        """Take up the stretch that begins at `begin`."""
        end, form = self._curve.stretch(begin) if begin < FOREVER else (inf, NOTHING)
        level, slope, tails, waves = form
        self._begin = self._last = begin
        self._level_area = self._area = 0.0
        if tails or waves:
            tails = tuple(tail for tail in tails if tail[0] * tail[1] > WORN_OFF)
            form = Form(level, slope, tails, waves)
            cuts = [TAIL_REACH * decay for _, decay in tails]
            cuts += [WAVE_REACH * tau / speed for _, speed, _ in waves]
            end = min([end, *(begin + max(cut, SHORTEST) for cut in cuts)])
        self._end = end
        self._form = form
        self._level = level
        self._bent = bool(tails or waves)
        if slope or tails or waves:
            self._area = curved(form, end - begin)[0]
            # Where the inversion has come to: time since the begin, integral and rate there.
            self._reached = (0.0, *curved(form, 0.0))
            # The rate changes by no more than this per second, so a step s leaves an error of steep / 2 * s^2 at most.
            self._steep = abs(slope)
            self._steep += sum(amplitude / decay for amplitude, decay in tails)
            self._steep += sum(amplitude * speed for amplitude, speed, _ in waves)
        elif level:
            area = level * (end - begin)
            while begin + area / level > end:  # by a rounding
                area = nextafter(area, 0.0)
            self._level_area = self._area = area

    def _leap(self, length: float) -> float:
        """Go on from the end of the stretch by growing steps for as long as the integral says that nothing arrives."""
        begin = self._end
        step = IDLE_LIMIT * length
        while begin < FOREVER:
            area = self._curve.integral(begin, begin + step)
            if area >= self._need:
                break
            self._need -= area
            begin += step
            step *= 2.0
        return begin

    def _iterated(self, target: float) -> float:
        """How far into a stretch of any form the integral reaches the target.

        By Newton's method between bounds, from the last arrival on.
        """
        form = self._form
        steep = self._steep
        low, area, rate = self._reached
        high = self._end - self._begin
        x = low + (target - area) / rate if rate > 0.0 else high
        tries = 0
        while True:
            tries += 1
            if not low <= x <= high or not tries % 8:
                x = 0.5 * (low + high)
            area, rate = curved(form, x)
            if area < target:
                low = x
            else:
                high = x
            step = (target - area) / rate if rate > 0.0 else inf
            x += step
            if steep * step * step < CLOSE or high - low <= ROUNDING * high:
                break
        x = min(max(x, low), high)
        self._reached = (x, target, rate)
        return x


def curved(form: Form, x: float) -> tuple[float, float]:
    """The integral from the begin of a stretch to `x` later [events], and the rate there [1/s]."""
    level, slope, tails, waves = form
    area = x * (level + 0.5 * slope * x)
    rate = level + slope * x
    for amplitude, decay in tails:
        left = amplitude * exp(-x / decay)
        area += (amplitude - left) * decay
        rate += left
    for amplitude, speed, phase in waves:
        now = speed * x + phase
        area += amplitude / speed * (sin(now) - sin(phase))
        rate += amplitude * cos(now)
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
