"""Frozen random variates for durations, with exact mean and variance. Hot path: what `sampler` returns.

A value is drawn by inversion, from exactly one uniform per draw, whatever the distribution. So a run with another
distribution in one place uses the same uniforms everywhere else, and differences between the two are due to it.
`Fixed` takes its uniform too.

All values are in seconds and not negative. cv is the coefficient of variation: standard deviation / mean.
"""

import sys
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate, pairwise
from math import ceil, erfc, exp, expm1, frexp, fsum, gamma, inf, ldexp, lgamma, log, log1p, sqrt
from operator import mul
from typing import Any, Protocol, cast

import attrs

from msgsim.declare import Sampler, as_float, check_number, number, plain
from msgsim.errors import DeclarationError


class Uniforms(Protocol):
    """A source of uniforms, such as `random.Random`."""

    def random(self) -> float:
        """The next uniform in [0, 1)."""
        ...


class _Given:
    """A source whose `random` is any function."""

    __slots__ = ("random",)

    def __init__(self, random: Callable[[], float]) -> None:
        self.random = random


class Distribution(ABC):
    """A random duration [s]: the base of the classes below, for annotations and `isinstance`."""

    __slots__ = ()

    @property
    @abstractmethod
    def mean(self) -> float:
        """The expectation [s], exact."""

    @property
    @abstractmethod
    def variance(self) -> float:
        """The variance [s²], exact; inf where the second moment diverges."""

    @abstractmethod
    def sampler(self, rng: Uniforms) -> Sampler:
        """A function that draws the next value [s] by inversion of one uniform of `rng`.

        It is bound to `rng`, which holds all the state there is: do not copy or pickle a sampler, make it again from
        the declaration and the copied `rng`.
        """

    @abstractmethod
    def _tails(self, x: float) -> tuple[float, float]:
        """P(X ≤ x) and P(X > x) for x ≥ 0, each to full relative accuracy."""

    def _upper_end(self) -> float:
        """The smallest x [s] with P(X ≤ x) = 1."""
        return inf

    def _invert(self, u: float) -> float:
        """The quantile for u < 1: what `sampler` makes of that uniform."""
        return self.sampler(_Given(lambda: u))()

    def quantile(self, u: float) -> float:
        """The smallest x [s] with cdf(x) ≥ u.

        Args:
            u: in [0, 1]; at 1 the value is inf where the distribution is unbounded.

        Raises:
            DeclarationError: u is not a number in [0, 1].
        """
        check_number(f"{type(self).__name__}.quantile", u, high=1.0)
        return self._upper_end() if u == 1 else self._invert(u)

    def cdf(self, x: float) -> float:
        """P(X ≤ x) for x [s], accurate however small it is."""
        return self._tails(x)[0] if x >= 0 else 0.0

    def survival(self, x: float) -> float:
        """P(X > x) for x [s]: 1 - cdf(x), accurate however small it is."""
        return self._tails(x)[1] if x >= 0 else 1.0


def as_distribution(value: Distribution | float) -> Distribution:
    """A converter for fields: a bare number becomes `Fixed`.

    All else, also a number that is negative or not finite, stays for the validator to judge; `refuse_duration` has the
    words.
    """
    value = plain(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return Fixed(value)
        except DeclarationError:
            pass
    return cast("Distribution", value)


def refuse_duration(
    path: str, value: object, problem: str = "is neither a distribution nor a number of seconds"
) -> None:
    """Refuse what `as_distribution` made no distribution of.

    Args:
        path: of the field.
        value: that it left as it was.
        problem: with what is no number either.

    Raises:
        DeclarationError: says what was given and what is allowed.
    """
    value = as_float(value)
    if isinstance(value, float):
        check_number(path, value, unit="s")
    if not isinstance(value, Distribution):
        raise DeclarationError(path, f"{value!r} {problem}")


def _squared(x: float) -> float:
    return x * x  # x**2 raises on overflow, instead of giving inf


@attrs.frozen
class Fixed(Distribution):
    """Always the same.

    Args:
        value: [s], 0 or more.
    """

    value: float = number(unit="s")

    @property
    def mean(self) -> float:
        """The value itself [s]."""
        return self.value

    @property
    def variance(self) -> float:
        """0 [s²]."""
        return 0.0

    def sampler(self, rng: Uniforms) -> Sampler:
        """See `Distribution.sampler`; the uniform is used up unseen."""
        random, value = rng.random, self.value

        def draw() -> float:
            random()
            return value

        return draw

    def _upper_end(self) -> float:
        return self.value

    def _tails(self, x: float) -> tuple[float, float]:
        return (1.0, 0.0) if x >= self.value else (0.0, 1.0)


@attrs.frozen
class Uniform(Distribution):
    """Evenly spread.

    Args:
        low: [s], 0 or more.
        high: [s], more than `low`.
    """

    low: float = number(unit="s")
    high: float = number(unit="s")

    def __attrs_post_init__(self) -> None:
        check_number("Uniform.high", self.high, low=self.low, above=True, unit="s", rule="for no spread use Fixed")

    @property
    def mean(self) -> float:
        """The midpoint [s]."""
        return self.low + (self.high - self.low) / 2

    @property
    def variance(self) -> float:
        """(high - low)² / 12 [s²]."""
        return _squared(self.high - self.low) / 12

    def sampler(self, rng: Uniforms) -> Sampler:
        """See `Distribution.sampler`."""
        random, low, width = rng.random, self.low, self.high - self.low

        def draw() -> float:
            return low + width * random()

        return draw

    def _upper_end(self) -> float:
        return self.high

    def _tails(self, x: float) -> tuple[float, float]:
        x = min(max(x, self.low), self.high)
        width = self.high - self.low
        return (x - self.low) / width, (self.high - x) / width


@attrs.frozen
class Exponential(Distribution):
    """Memoryless: cv is 1.

    Args:
        mean: [s], more than 0.
    """

    mean: float = number(above=True, unit="s")

    @property
    def variance(self) -> float:
        """mean² [s²]."""
        return _squared(self.mean)

    def sampler(self, rng: Uniforms) -> Sampler:
        """See `Distribution.sampler`."""
        random, factor, log_one_plus = rng.random, -self.mean, log1p

        def draw() -> float:
            # Not log(1 - u): log1p is a third faster in CPython 3.11, and accurate for small u.
            return factor * log_one_plus(-random())

        return draw

    def _tails(self, x: float) -> tuple[float, float]:
        return -expm1(-x / self.mean), exp(-x / self.mean)


@attrs.frozen
class _MeanAndCv(Distribution):
    """What is declared by its mean and its coefficient of variation, in the range where ten digits hold."""

    mean: float = number(above=True, unit="s")
    cv: float = number(low=0.001, high=100.0, rule="for no spread use Fixed")

    @property
    def variance(self) -> float:
        """(mean · cv)² [s²]."""
        return _squared(self.mean * self.cv)


@attrs.frozen
class Gamma(_MeanAndCv):
    """A sum of exponential phases, if 1/cv² is whole (Erlang); smoother than exponential for cv < 1, burstier above.

    Args:
        mean: [s], more than 0.
        cv: 0.001 to 100; 1 is `Exponential`.
    """

    @property
    def shape(self) -> float:
        """1 / cv²."""
        return 1.0 / (self.cv * self.cv)

    @property
    def scale(self) -> float:
        """Mean / shape [s]."""
        return self.mean * self.cv * self.cv

    def sampler(self, rng: Uniforms) -> Sampler:
        """See `Distribution.sampler`.

        A draw evaluates a Taylor series of ln(quantile) of degree 10, which is the exact inverse to 1e-11, at the cost
        of five exponential draws. There is one series per eighth of a binary order of magnitude of the nearer tail,
        made when first needed, so some two hundred in a long run: 10 ms in all for cv > 0.05, 0.1 s at the least cv.
        """
        if self.cv == 1:
            return Exponential(self.mean).sampler(rng)
        random, split, exponential, one = rng.random, frexp, exp, 1.0
        shape, log_scale = self.shape, log(self.scale)
        lower: dict[int, tuple[float, ...]] = {0: (0.0,) * (_DEGREE + 1) + (-inf,)}  # u = 0
        upper: dict[int, tuple[float, ...]] = {}

        def draw() -> float:
            u = random()
            if u < 0.5:  # noqa: PLR2004 - the nearer tail, where the mantissa of the uniform resolves it
                series = lower
                mantissa, exponent = split(u)
            else:
                series = upper
                mantissa, exponent = split(one - u)
            key = exponent * 16 + int(mantissa * 16.0)
            try:
                centre, c10, c9, c8, c7, c6, c5, c4, c3, c2, c1, c0 = series[key]
            except KeyError:
                series[key] = _gamma_series(shape, log_scale, key, is_upper=series is upper)
                centre, c10, c9, c8, c7, c6, c5, c4, c3, c2, c1, c0 = series[key]
            t = mantissa - centre
            return exponential(
                (((((((((c10 * t + c9) * t + c8) * t + c7) * t + c6) * t + c5) * t + c4) * t + c3) * t + c2) * t + c1)
                * t
                + c0
            )

        return draw

    def _invert(self, u: float) -> float:
        if self.cv == 1 or u == 0:
            return Exponential(self.mean).quantile(u)
        return exp(_log_gamma_quantile(self.shape, u, 1.0 - u) + log(self.scale))

    def _tails(self, x: float) -> tuple[float, float]:
        x, shape = min(x / self.scale, 1e300), self.shape  # further out, nothing is left
        if x == 0:
            return 0.0, 1.0
        log_lower, log_upper = _log_gamma_lower(shape, log(x))[0], _log_gamma_upper(shape, log(x))[0]
        return exp(log_lower), exp(log_upper)


@attrs.frozen
class Weibull(_MeanAndCv):
    """A power of an exponential: with cv < 1 the longer it took the sooner it ends, with cv > 1 the later.

    Args:
        mean: [s], more than 0.
        cv: 0.001 to 100; 1 is exponential.
    """

    @property
    def shape(self) -> float:
        """The power k with 1 + cv² = Γ(1 + 2/k) / Γ(1 + 1/k)². Cost: some 20 µs."""
        target = log1p(self.cv * self.cv)
        inverse = _least(lambda y: lgamma(1 + 2 * y) - 2 * lgamma(1 + y) >= target, 0.0, max(1.0, target / log(2)))
        return 1.0 / inverse

    @property
    def scale(self) -> float:
        """Mean / Γ(1 + 1/shape) [s]."""
        return self.mean / gamma(1.0 + 1.0 / self.shape)

    def sampler(self, rng: Uniforms) -> Sampler:
        """See `Distribution.sampler`."""
        random, scale, power, log_one_plus = rng.random, self.scale, 1.0 / self.shape, log1p

        def draw() -> float:
            return scale * (-log_one_plus(-random())) ** power  # type: ignore[no-any-return]  # typeshed: ** may be complex

        return draw

    def _tails(self, x: float) -> tuple[float, float]:
        x /= self.scale
        log_hazard = self.shape * log(x) if x > 0 else -inf
        hazard = exp(min(log_hazard, 700.0))
        return -expm1(-hazard), exp(-hazard)


@attrs.frozen
class LogNormal(_MeanAndCv):
    """A product of many factors: what service times of programs mostly look like.

    Args:
        mean: [s], more than 0.
        cv: 0.001 to 100.
    """

    @property
    def sigma(self) -> float:
        """The standard deviation of the logarithm: √ln(1 + cv²)."""
        return sqrt(log1p(self.cv * self.cv))

    def sampler(self, rng: Uniforms) -> Sampler:
        """See `Distribution.sampler`."""
        # Imported on use, because it brings fractions and decimal along (2 ms). Its inv_cdf is Wichura's AS241 (Applied
        # Statistics 37, 1988), exact to 1e-16, in C: a draw takes a third of what the same takes in Python.
        from statistics import NormalDist  # noqa: PLC0415

        sigma = self.sigma
        random, mean, exponential = rng.random, self.mean, exp
        normal_quantile = NormalDist(-sigma * sigma / 2, sigma).inv_cdf

        def draw() -> float:
            try:
                return mean * exponential(normal_quantile(random()))
            except ValueError:  # u = 0
                return 0.0

        return draw

    def _tails(self, x: float) -> tuple[float, float]:
        x /= self.mean
        z = (log(x) / self.sigma + self.sigma / 2) / sqrt(2) if x > 0 else -inf
        return erfc(-z) / 2, erfc(z) / 2


@attrs.frozen
class Pareto(Distribution):
    """A power-law tail above a minimum: rare values that are very long.

    Args:
        mean: [s], more than 0.
        shape: more than 1; the variance is finite above 2.
    """

    mean: float = number(above=True, unit="s")
    shape: float = number(low=1.0, above=True)

    @property
    def minimum(self) -> float:
        """The least value [s]."""
        return self.mean * ((self.shape - 1) / self.shape)

    @property
    def variance(self) -> float:
        """mean² / (shape · (shape - 2)) [s²]; inf for a shape up to 2."""
        return self.mean / self.shape * (self.mean / (self.shape - 2)) if self.shape > 2 else inf  # noqa: PLR2004

    def sampler(self, rng: Uniforms) -> Sampler:
        """See `Distribution.sampler`."""
        random, minimum, power, one = rng.random, self.minimum, -1.0 / self.shape, 1.0

        def draw() -> float:
            return minimum * (one - random()) ** power  # type: ignore[no-any-return]  # as in Weibull

        return draw

    def _tails(self, x: float) -> tuple[float, float]:
        minimum = self.minimum
        if x <= minimum:
            return 0.0, 1.0
        log_upper = self.shape * (log(minimum) - log(x)) if x > 2 * minimum else self.shape * log1p((minimum - x) / x)
        return -expm1(log_upper), exp(log_upper)


def _sorted_values(values: Any) -> Any:
    """A sorted tuple of the values of a list, tuple, array or series."""
    if hasattr(values, "tolist"):
        values = values.tolist()
    if not isinstance(values, (list, tuple)):
        raise DeclarationError("Empirical.values", f"{values!r} is not a list of numbers")
    if not values:
        raise DeclarationError("Empirical.values", "must not be empty")
    for position, value in enumerate(values):
        check_number(f"Empirical.values.{position}", value, unit="s")
    return tuple(sorted(map(float, values)))


@attrs.frozen
class Empirical(Distribution):
    """One of the given values, each as likely as the others: measured durations, as they are.

    Args:
        values: [s], 0 or more, at least one; kept sorted. A list, tuple, numpy array or pandas series.
    """

    values: tuple[float, ...] = attrs.field(converter=_sorted_values)

    @property
    def mean(self) -> float:
        """The mean of the values [s]. Cost: O(values)."""
        return fsum(self.values) / len(self.values)

    @property
    def variance(self) -> float:
        """The mean square deviation of the values (over n, not n - 1) [s²]. Cost: O(values)."""
        mean = self.mean
        return fsum(_squared(value - mean) for value in self.values) / len(self.values)

    def sampler(self, rng: Uniforms) -> Sampler:
        """See `Distribution.sampler`; a quantile is an order statistic, never interpolated."""
        random, count, index = rng.random, len(self.values), ceil
        table = self.values[:1] + self.values  # u = 0 is the first value, too

        def draw() -> float:
            return table[index(random() * count)]

        return draw

    def _upper_end(self) -> float:
        return self.values[-1]

    def _tails(self, x: float) -> tuple[float, float]:
        count = len(self.values)
        below = bisect_right(self.values, x)
        return below / count, (count - below) / count


def _checked_components(components: Any) -> Any:
    """A tuple of (weight, distribution)."""
    if not isinstance(components, (list, tuple)):
        raise DeclarationError("Mixture.components", f"{components!r} is not a list of [weight, distribution]")
    if not components:
        raise DeclarationError("Mixture.components", "must not be empty")
    return tuple(_checked_pairs(components))


def _checked_pairs(components: list[Any] | tuple[Any, ...]) -> Iterator[tuple[float, Distribution]]:
    for position, pair in enumerate(components):
        path = f"Mixture.components.{position}"
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:  # noqa: PLR2004
            raise DeclarationError(path, f"{pair!r} is not a pair of weight and distribution")
        check_number(f"{path}.0", pair[0], above=True)
        distribution = as_distribution(pair[1])
        refuse_duration(f"{path}.1", distribution, "is neither a distribution nor a number")
        yield float(pair[0]), distribution


@attrs.frozen
class Mixture(Distribution):
    """Sometimes this, sometimes that: a cache that hits or misses, a dependency that at times hangs.

    Args:
        components: (weight, distribution) pairs, at least one; weights are more than 0 and need not sum to 1; a bare
            number is a `Fixed`.
    """

    components: tuple[tuple[float, Distribution], ...] = attrs.field(converter=_checked_components)

    @property
    def weights(self) -> tuple[float, ...]:
        """The weights, scaled to sum to 1."""
        weights = self._scaled_weights()
        total = fsum(weights)
        return tuple(weight / total for weight in weights)

    @property
    def mean(self) -> float:
        """Σ weight · mean [s]."""
        return self._average(lambda part: part.mean)

    @property
    def variance(self) -> float:
        """Σ weight · (variance + (mean - mean of all)²) [s²]."""
        mean = self.mean
        return self._average(lambda part: part.variance + _squared(part.mean - mean))

    def sampler(self, rng: Uniforms) -> Sampler:
        """A function that draws the next value [s] from one uniform of `rng`.

        The uniform picks a component by the cumulative weights, and where it lies within that weight, scaled to
        [0, 1), is the uniform for the component. So values are not monotone in u, unlike `quantile`, and a component
        of weight w sees a uniform that is a multiple of 2⁻⁵³/w, not of 2⁻⁵³: no loss to speak of for w > 1e-6.
        """
        weights = self.weights
        edges = [0.0, *accumulate(weights[:-1]), 1.0]
        widths = [end - start for start, end in pairwise(edges)]
        # Shrunk by 2⁻⁵², so that no rounding makes the scaled uniform 1. What is so light that it has no width is never
        # picked.
        factors = [(1.0 - 2.0**-52) / width if width else 0.0 for width in widths]
        remainder: list[float] = []
        feed = _Given(remainder.pop)
        samplers = [part.sampler(feed) for _, part in self.components]
        random, pick, inner, push = rng.random, bisect_right, edges[1:-1], remainder.append

        def draw() -> float:
            u = random()
            chosen = pick(inner, u)
            push((u - edges[chosen]) * factors[chosen])
            return samplers[chosen]()

        return draw

    def _scaled_weights(self) -> list[float]:
        """The weights over a power of two, so that they are exact and their sum is finite."""
        exponent = frexp(max(weight for weight, _ in self.components))[1]
        return [ldexp(weight, -exponent) for weight, _ in self.components]

    def _average(self, of: Callable[[Distribution], float]) -> float:
        """The weighted average of what `of` says of each component; exactly 1 where that is 1 for all."""
        weights, values = self._scaled_weights(), [of(part) for _, part in self.components]
        return fsum(map(mul, weights, values)) / fsum(weights)

    def _upper_end(self) -> float:
        return max(part._upper_end() for _, part in self.components)  # noqa: SLF001 - the same base

    def _invert(self, u: float) -> float:
        """The inverse of the mixed cdf, between the least and the largest quantile of the components.

        Cost: one quantile per component and some 60 cdfs each.
        """

        def reached(x: float) -> bool:
            if u < 0.999:  # noqa: PLR2004 - beyond, the rounding of the cdf would show
                return self.cdf(x) >= u
            return self.survival(x) <= 1.0 - u

        candidates = [part.quantile(u) for _, part in self.components]
        low, high = min(candidates), max(candidates)
        return low if reached(low) else _least(reached, low, high)

    def _tails(self, x: float) -> tuple[float, float]:
        return self._average(lambda part: part.cdf(x)), self._average(lambda part: part.survival(x))


DISTRIBUTIONS: dict[str, type[Distribution]] = {
    "fixed": Fixed,
    "uniform": Uniform,
    "exponential": Exponential,
    "gamma": Gamma,
    "weibull": Weibull,
    "log-normal": LogNormal,
    "pareto": Pareto,
    "empirical": Empirical,
    "mixture": Mixture,
}
"""The classes by their names in files."""


def _least(holds: Callable[[float], bool], low: float, high: float) -> float:
    """The least float in (low, high] for which `holds`, which stays true from there: bisected to the last bit."""
    while low < (middle := low + (high - low) / 2) < high:
        if holds(middle):
            high = middle
        else:
            low = middle
    return high


# The regularized incomplete gamma functions P(a, x) and Q = 1 - P and their inverse, after Abramowitz and Stegun (A&S)
# 6.5.29, 6.5.31 and 26.4.17. All in y = ln x and in logarithms of the tails: ln P and ln Q are concave in y (the
# logarithm of a gamma variate has a log-concave density), so Newton's method converges, and nothing overflows.

_DEGREE = 10
_EPSILON = sys.float_info.epsilon


def _log_kernel(a: float, y: float) -> float:
    """The logarithm of x^a exp(-x) / Γ(a + 1)."""
    return a * y - exp(y) - lgamma(a + 1)


def _log_gamma_lower(a: float, y: float) -> tuple[float, float]:
    """Ln P(a, exp(y)) and its derivative by y: the series where x < a + 1, all terms positive."""
    x = exp(y)
    if x >= a + 1:
        log_upper, slope = _log_gamma_upper(a, y)
        upper = exp(log_upper)
        return log1p(-upper), -slope * upper / (1.0 - upper)
    n, term, total = a, 1.0, 1.0
    while term > total * _EPSILON:
        n += 1.0
        term *= x / n
        total += term
    return _log_kernel(a, y) + log(total), a / total


def _log_gamma_upper(a: float, y: float) -> tuple[float, float]:
    """Ln Q(a, exp(y)) and its derivative by y: the continued fraction where x ≥ a + 1, by Lentz's method."""
    x = exp(y)
    if x < a + 1:
        log_lower, slope = _log_gamma_lower(a, y)
        lower = exp(log_lower)
        return log1p(-lower), -slope * lower / (1.0 - lower)
    b = x + 1.0 - a
    c, d = inf, 1.0 / b
    fraction, change, n = d, 0.0, 0.0
    while abs(change - 1.0) > _EPSILON:
        n += 1.0
        numerator = n * (a - n)
        b += 2.0
        d = 1.0 / (numerator * d + b)
        c = b + numerator / c
        change = c * d
        fraction *= change
    return _log_kernel(a, y) + log(a) + log(fraction), -1.0 / fraction


def _log_gamma_quantile(a: float, u: float, v: float) -> float:
    """The y with P(a, exp(y)) = u and Q(a, exp(y)) = v = 1 - u.

    Accurate to 1e-12, to 2e-11 for a < 0.01. Cost: three to eight sums of some 20 + 7·√a terms.
    """
    log_u, log_v = (log(u), log1p(-u)) if u <= v else (log1p(-v), log(v))
    least = (log_u + lgamma(a + 1)) / a  # because P ≤ x^a / Γ(a + 1), which for small x is P
    if least < -40:  # noqa: PLR2004 - x < 1e-17
        return least
    y = least
    if a >= 1:
        # Wilson and Hilferty's cube of a normal, with a normal quantile good to three digits (A&S 26.2.23)
        t = sqrt(-2 * min(log_u, log_v))
        z = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)))
        root = 1 - 1 / (9 * a) + (z if u > v else -z) / (3 * sqrt(a))
        y = max(least, log(a) + 3 * log(root)) if root > 0 else least
    elif u > v and least >= -1:
        y = log(max(1.0, -log_v - lgamma(a)))  # because Q ≤ exp(-x) / Γ(a) for x ≥ 1 ≥ a
    tail, target = (_log_gamma_lower, log_u) if u <= v or least < -1 else (_log_gamma_upper, log_v)
    step = inf
    while abs(step) > 1e-9:  # noqa: PLR2004 - the next step would be its square
        value, slope = tail(a, y)
        step = (target - value) / slope
        y += step
    return y


def _gamma_series(a: float, log_scale: float, key: int, *, is_upper: bool) -> tuple[float, ...]:
    """The Taylor series of y = ln(scale · quantile) over one interval of a tail probability.

    The tail is mantissa · 2^exponent with key = 16 · exponent + (whole part of 16 · mantissa), and the series is in the
    mantissa around the middle of those with that key: 1/32 to each side at a distance of at least 17/32 from 0, where
    the next singularity is; so a term is less than 1/17 of the one before. The coefficients follow from
    y'' = (exp(y) - a) · y'², after Steinbrecher and Shaw, Quantile mechanics, European J. Appl. Math. 19 (2008).

    Returns:
        The middle, then the coefficients from the highest degree down.
    """
    exponent, cell = key >> 4, key & 15
    centre = (cell + 0.5) / 16
    tail = ldexp(centre, exponent)
    y = _log_gamma_quantile(a, *((1.0 - tail, tail) if is_upper else (tail, 1.0 - tail)))
    density = a * exp(_log_kernel(a, y))
    x, slopes = [exp(y)], [ldexp(-1.0 if is_upper else 1.0, exponent) / density]
    squares: list[float] = []
    for k in range(1, _DEGREE):
        squares.append(_product(slopes, slopes, k))
        slopes.append((_product(x, squares, k) - a * squares[k - 1]) / k)
        x.append(_product(x, slopes, k) / k)
    return (centre, *(slopes[k] / (k + 1) for k in reversed(range(_DEGREE))), y + log_scale)


def _product(left: list[float], right: list[float], k: int) -> float:
    """The (k - 1)-th coefficient of the product of two power series."""
    return sum(left[i] * right[k - 1 - i] for i in range(k))
