"""Estimates, each with the interval that says how far to trust it: means, quantiles, shares, differences.

An interval is for independent values, such as one per replication. What a single run has to say about its messages is
not independent: see `steady_state.batch_means`.

NaN is a value that a replication does not have, such as the mean of no messages. It is left out and counted in
`missing`, and the interval is about the replications that have one. An infinite value, such as the time to drain of a
queue that never drains, is a value: a mean with one has no bounds, a quantile may well have some.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from math import fsum, inf, isfinite, isinf, isnan, nan, sqrt
from typing import Any

import attrs

from msgsim.declare import check_number, plain
from msgsim.errors import DeclarationError, MissingExtra
from msgsim.run import quantile

_NO_SERIES = (str, bytes, bytearray, Mapping, AbstractSet)
"""Can be gone through, and are no numbers in an order."""

_TWO_DIGITS = 3.0
"""Half widths whose first digit is smaller are shown with a second one: else rounding would change them by half."""

_MOST_DECIMALS = 9
_LONGEST = 1e12
"""What is smaller or larger is shown with an exponent."""


@attrs.frozen(kw_only=True)
class Estimate:
    """A number, and the interval that holds the true one with some confidence.

    >>> print(Estimate(value=12.34, low=11.89, high=12.79, n=10, confidence=0.95))
    12.3 [11.9, 12.8] (95 %, n=10)

    Attributes:
        value: the best guess; NaN if there was nothing to guess from.
        low, high: the bounds; infinite where there are too few values for one.
        n: of how many values.
        confidence: how often such intervals hold the true value, as asked for.
        coverage: and as it is, where there is no interval for exactly that: between two of the values themselves, an
            interval holds it more often.
        missing: values that were NaN, and left out.
    """

    value: float
    low: float
    high: float
    n: int
    confidence: float
    coverage: float = attrs.field(default=attrs.Factory(lambda self: self.confidence, takes_self=True))
    missing: int = 0

    @property
    def half_width(self) -> float:
        """Half the width of the interval."""
        return 0.0 if self.low == self.high else (self.high - self.low) / 2

    @property
    def relative_half_width(self) -> float:
        """The same as a share of the value; infinite for a value of 0 that is not certain."""
        half = self.half_width
        if half == 0:
            return 0.0
        return half / abs(self.value) if 0 < abs(self.value) < inf else inf

    def __str__(self) -> str:
        decimals = _decimals(self.half_width, max(map(abs, (self.value, self.low, self.high))))
        value, low, high = (_shown(number, decimals) for number in (self.value, self.low, self.high))
        details = [_percent(self.confidence)]
        if self.coverage != self.confidence:
            details.append(f"in fact {_percent(self.coverage)}")
        details.append(f"n={self.n}")
        if self.missing:
            details.append(f"{self.missing} without a value")
        return f"{value} [{low}, {high}] ({', '.join(details)})"

    def _repr_html_(self) -> str:
        value, rest = str(self).split(" ", 1)
        return f"<b>{value}</b> {rest}"


@attrs.frozen(kw_only=True)
class Difference(Estimate):
    """The mean of what one changes in the other, in pairs of runs.

    Attributes:
        p_value: how likely so large a mean or a larger one is if nothing changes; NaN if there are not two pairs.
        variance_reduction: how many times as many runs it would take without pairs, from the variances of both and of
            the difference; above 1 if both go up and down together, NaN if nothing varies.
    """

    p_value: float
    variance_reduction: float

    @property
    def significant(self) -> bool:
        """Whether the interval leaves 0 out. For one of many differences, adjust the p-values: see `holm`."""
        return self.low > 0 or self.high < 0


def mean_interval(values: Iterable[float], confidence: float = 0.95) -> Estimate:
    """The mean of independent values, with the interval of Student's t distribution.

    Exact for values of a normal distribution, and good for means of many messages each. Without two values there are no
    bounds. If all values are equal the interval has no width, which says nothing about what is rare.

    Args:
        values: one of each replication; NaN is left out.
        confidence: above 0 and below 1.

    Raises:
        DeclarationError: not numbers, or no confidence.
        MissingExtra: scipy is not installed.
    """
    confidence = as_confidence(confidence)
    present, missing = _present(as_numbers("values", values))
    value, half = student(present, confidence)
    low, high = (value - half, value + half) if isfinite(value) else (-inf, inf)
    return Estimate(value=value, low=low, high=high, n=len(present), confidence=confidence, missing=missing)


def quantile_interval(values: Iterable[float], q: float, confidence: float = 0.95) -> Estimate:
    """A quantile of the distribution of independent values, with an interval between two of them.

    Holds for any distribution: the number of values up to the true quantile is binomial, and the interval leaves out at
    most half of 1 - `confidence` on each side. There are only so many intervals: `coverage` says what this one has for
    a continuous distribution; values that are equal add to it. With too few values, an end is infinite: with 95 %
    confidence it takes 6 for the median, and 368 for an upper end of the 99 % quantile.

    Args:
        values: NaN is left out.
        q: 0 to 1. Of `q` 0 and 1, the least and the greatest, one end is always infinite.
        confidence: above 0 and below 1.

    Raises:
        DeclarationError: not numbers, no quantile or no confidence.
        MissingExtra: scipy is not installed.
    """
    confidence = as_confidence(confidence)
    check_number("q", q, high=1.0)
    q = float(plain(q))
    present, missing = _present(as_numbers("values", values))
    ordered, n, tail = sorted(present), len(present), (1 - confidence) / 2
    special = scipy_special()

    def below(k: int) -> float:
        """P(at most k values are up to the quantile)."""
        return float(special.bdtr(k, n, q))

    def above(k: int) -> float:
        """Minus P(more than k values are), which grows as k does."""
        return -float(special.bdtrc(k, n, q))

    first = bisect_right(range(n), tail, key=below)
    last = 1 + bisect_left(range(n), -tail, key=above)
    return Estimate(
        value=quantile(ordered, q),
        low=ordered[first - 1] if first else -inf,
        high=ordered[last - 1] if last <= n else inf,
        n=n,
        confidence=confidence,
        coverage=1.0 - (below(first - 1) if first else 0.0) + (above(last - 1) if last <= n else 0.0),
        missing=missing,
    )


def wilson(successes: int, n: int, confidence: float = 0.95) -> Estimate:
    """A probability, from how often something happened in independent tries, with Wilson's score interval.

    It stays within 0 and 1 and has a width even if nothing happened, or everything. On average over the true
    probability it covers as often as it says; close to 0 and 1 that goes up and down.

    Args:
        successes: 0 to `n`.
        n: tries; of none, anything is possible.
        confidence: above 0 and below 1.

    Raises:
        DeclarationError: not whole numbers, more successes than tries, or no confidence.
        MissingExtra: scipy is not installed.
    """
    confidence = as_confidence(confidence)
    check_number("n", n, integer=True)
    n = int(n)
    check_number("successes", successes, high=n, integer=True)
    if not n:
        return Estimate(value=nan, low=0.0, high=1.0, n=0, confidence=confidence)
    share = int(successes) / n
    z = float(scipy_special().ndtri((1 + confidence) / 2))
    scale = 1 + z * z / n
    centre = (share + z * z / (2 * n)) / scale
    half = z / scale * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))
    return Estimate(value=share, low=low, high=high, n=n, confidence=confidence)


def paired(a: Iterable[float], b: Iterable[float], confidence: float = 0.95) -> Difference:
    """What changes from `a` to `b`: the mean of b - a over pairs, with the interval of Student's t distribution.

    Replication r of two scenarios with the same seed is such a pair: both have the same random numbers, so that most of
    what chance does is the same and drops out.

    Args:
        a: one value of each replication.
        b: the same, in the same order. Where one of two is NaN, or both are infinite with one sign, there is no
            difference: they are left out.
        confidence: above 0 and below 1.

    Raises:
        DeclarationError: not numbers, not equally many, or no confidence.
        MissingExtra: scipy is not installed.
    """
    confidence = as_confidence(confidence)
    before, after = as_numbers("a", a), as_numbers("b", b)
    if len(before) != len(after):
        raise DeclarationError(
            "b", f"{len(after)} values; allowed: as many as a has, which are {len(before)}, in pairs"
        )
    pairs = [(x, y) for x, y in zip(before, after, strict=True) if not isnan(y - x)]
    changes = [y - x for x, y in pairs]
    estimate = mean_interval(changes, confidence)
    return Difference(
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        n=len(pairs),
        confidence=confidence,
        missing=len(before) - len(pairs),
        p_value=_p_value(changes, estimate.value),
        variance_reduction=_variance_reduction(pairs, changes),
    )


def holm(p_values: Iterable[float]) -> list[float]:
    """P-values of many comparisons, each adjusted so that a bound on all holds for the chance of one false alarm.

    Holm's method, step by step down from the smallest: with however many comparisons, of which any may be true, the
    chance that one that is 0.05 or less here is a false alarm is at most 0.05.

    Args:
        p_values: NaN stays NaN, and is no comparison.

    Returns:
        The adjusted ones, in the order given.

    Raises:
        DeclarationError: not numbers from 0 to 1.
    """
    given = as_numbers("p_values", p_values)
    for place, value in enumerate(given):
        if not isnan(value) and not 0 <= value <= 1:
            raise DeclarationError(f"p_values[{place}]", f"{value!r} is not allowed; allowed: 0 to 1, or NaN")
    places = sorted((place for place, value in enumerate(given) if not isnan(value)), key=given.__getitem__)
    adjusted, least = list(given), 0.0
    for done, place in enumerate(places):
        least = max(least, min(1.0, (len(places) - done) * given[place]))
        adjusted[place] = least
    return adjusted


# ---------------------------------------------------------------- for those who make estimates


def as_numbers(path: str, values: Iterable[float]) -> "array[float]":
    """Values as an array of floats; the same one if they are.

    Raises:
        DeclarationError: says which value is not a number.
    """
    if isinstance(values, array) and values.typecode == "d":
        return values
    if isinstance(values, _NO_SERIES) or not isinstance(values, Iterable):
        raise DeclarationError(path, f"{values!r} is no series of numbers; allowed: a list, an array and the like")
    made = array("d")
    for place, value in enumerate(values):
        try:
            made.append(value)
        except (TypeError, ValueError, OverflowError):
            raise DeclarationError(f"{path}[{place}]", f"{value!r} is not a number; allowed: floats and NaN") from None
    return made


def as_confidence(confidence: float) -> float:
    """A confidence as a float.

    Raises:
        DeclarationError: it is not one.
    """
    value = plain(confidence)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1:
        raise DeclarationError("confidence", f"{confidence!r} is not allowed; allowed: above 0, below 1, such as 0.95")
    return float(value)


def student(values: Sequence[float], confidence: float) -> tuple[float, float]:
    """Mean and half width of the interval of Student's t distribution; NaN is not allowed.

    The half width is infinite if there are fewer than two values, or infinite ones.
    """
    if not values:
        return nan, inf
    mean, n = mean_of(values), len(values)
    if n == 1 or not isfinite(mean):
        return mean, inf
    spread = sqrt(variance_of(values, mean) / n)
    return mean, float(scipy_special().stdtrit(n - 1, (1 + confidence) / 2)) * spread if spread else 0.0


def mean_of(values: Sequence[float]) -> float:
    """The mean, to the last digit; of both infinities it is NaN."""
    try:
        mean = fsum(values) / len(values)
    except OverflowError:
        mean = fsum(value / len(values) for value in values)
    except ValueError:
        return nan
    return min(max(mean, min(values)), max(values))  # of equal values, that value: rounding must not spread them


def variance_of(values: Sequence[float], mean: float) -> float:
    """The variance of the distribution that the values, two or more, are drawn from."""
    try:
        return fsum((value - mean) * (value - mean) for value in values) / (len(values) - 1)
    except OverflowError:
        return inf


def scipy_special() -> Any:
    """The distributions, as functions of numbers; `scipy.stats` has the same ones, and takes far longer to import.

    Raises:
        MissingExtra: scipy is not installed.
    """
    try:
        from scipy import special  # noqa: PLC0415 - heavy, and an extra
    except ImportError:
        raise MissingExtra("scipy", "study") from None
    return special


# ---------------------------------------------------------------- inside


def _present(values: "array[float]") -> tuple[list[float], int]:
    present = [value for value in values if not isnan(value)]
    return present, len(values) - len(present)


def _p_value(changes: Sequence[float], mean: float) -> float:
    n = len(changes)
    if n < 2 or not isfinite(mean):  # noqa: PLR2004 - there is no spread of one
        return nan
    spread = sqrt(variance_of(changes, mean) / n)
    if not spread:
        return 0.0 if mean else 1.0
    return 2 * float(scipy_special().stdtr(n - 1, -abs(mean) / spread))


def _variance_reduction(pairs: Sequence[tuple[float, float]], changes: Sequence[float]) -> float:
    if len(pairs) < 2:  # noqa: PLR2004 - as above
        return nan
    apart = sum(variance_of(values, mean_of(values)) for values in zip(*pairs, strict=True))
    together = variance_of(changes, mean_of(changes))
    if together:
        return apart / together
    return inf if apart else nan


def _decimals(half: float, largest: float) -> int | None:
    """Those that the half width leaves a meaning; None for numbers that are better shown another way."""
    if not 0 < half < inf or not largest < _LONGEST:
        return None
    first, exponent = f"{half:.1e}".split("e")
    decimals = max(0, (float(first) < _TWO_DIGITS) - int(exponent))
    return decimals if decimals <= _MOST_DECIMALS else None


def _shown(number: float, decimals: int | None) -> str:
    return f"{number:.6g}" if decimals is None or isinf(number) else f"{number:.{decimals}f}"


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"
