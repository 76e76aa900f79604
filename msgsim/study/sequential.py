"""As many replications as it takes: more of them, until their mean is known well enough."""

from array import array
from collections.abc import Callable, Iterable
from math import ceil, inf, isfinite

import attrs

from msgsim.declare import check_number
from msgsim.errors import DeclarationError
from msgsim.study.estimates import Estimate, as_confidence, as_numbers, mean_interval

Replicate = Callable[[range], Iterable[float]]
"""The values of some replications, by their numbers: `range(10, 20)` asks for the tenth to the nineteenth."""

COUNTABLE = 1e12
"""So many replications are as good as infinitely many."""


@attrs.frozen(kw_only=True)
class Sequential(Estimate):
    """A mean, of as many replications as it took.

    Attributes:
        values: of all replications, in order; NaN where there is none.
        target: the half width that was to be reached, for the value as it turned out.
        reached: whether it was.
        required: replications that the target needs by what is known so far; infinite if no number would do.
    """

    values: tuple[float, ...]
    target: float
    reached: bool
    required: float

    def __str__(self) -> str:
        plain = Estimate.__str__(self)
        if self.reached:
            return plain
        wanted = f"about {self.required:,.0f} replications would" if self.required < COUNTABLE else "no number would"
        return f"{plain}; not within {self.target:.3g} as wanted: {wanted}"


def replicate_until(
    replicate: Replicate,
    *,
    relative: float = 0.05,
    absolute: float = 0.0,
    confidence: float = 0.95,
    first: int = 10,
    most: int = 1000,
    step: int = 1,
) -> Sequential:
    """Run replications until the half width of their mean's interval is small enough.

    Enough is `relative` times the mean, or `absolute`, whichever is more. The next round is as many as the spread so
    far asks for, and at most doubles their number. Which replications are run depends on their values alone, so the
    same function gives the same result, however it runs them.

    At `most` replications it ends: the result says that the target was not reached, and what it would take. It ends
    before if a value is infinite, since the mean then is, too.

    A rule that looks at the interval stops a little too often when it is narrow by chance, and covers a little less
    than it says; the more so, the smaller `first` is. Values that are all alike stop it at once, however much there is
    that they have not met yet.

    Args:
        replicate: gives the values of some replications; it is asked for each once, in order.
        relative: a share of the mean.
        absolute: in the unit of the values; for means that may be 0.
        confidence: above 0 and below 1.
        first: replications of the first round, 2 or more.
        most: the end, if the target is not reached before; at least `first`.
        step: each round is of a multiple of so many, such as the number of cores; but for the last.

    Raises:
        DeclarationError: an argument is not allowed, or `replicate` does not give a value for each replication.
        MissingExtra: scipy is not installed.
    """
    confidence = as_confidence(confidence)
    if not callable(replicate):
        raise DeclarationError("replicate", f"{replicate!r} is not a function of a range of replications")
    check_number("relative", relative)
    check_number("absolute", absolute)
    check_number("first", first, low=2, integer=True)
    check_number("most", most, low=first, integer=True)
    check_number("step", step, low=1, integer=True)
    first, most, step = int(first), int(most), int(step)
    values = array("d")
    upcoming = _round_up(first, step, most)
    while True:
        values.extend(_ask(replicate, range(len(values), upcoming)))
        estimate = mean_interval(values, confidence)
        target = max(float(absolute), float(relative) * abs(estimate.value))  # in this order: the mean may be NaN
        reached = isfinite(estimate.half_width) and estimate.half_width <= target
        required = needed(estimate, target)
        hopeless = estimate.n > 1 and not isfinite(estimate.half_width)
        if reached or hopeless or len(values) >= most:
            break
        upcoming = _round_up(grown(len(values), required), step, most)
    return Sequential(
        **{field.name: getattr(estimate, field.name) for field in attrs.fields(Estimate)},
        values=tuple(values),
        target=target,
        reached=reached,
        required=float(len(values)) if reached else required,
    )


def _ask(replicate: Replicate, wanted: range) -> "array[float]":
    given = as_numbers("replicate", replicate(wanted))
    if len(given) != len(wanted):
        problem = (
            f"{len(given)} values for replications {wanted[0]} to {wanted[-1]}; allowed: one for each, NaN for none"
        )
        raise DeclarationError("replicate", problem)
    return given


def needed(estimate: Estimate, target: float) -> float:
    """Replications that a half width needs, by an estimate so far; infinite if no number would do.

    Those without a value are included: the half width shrinks with the root of their number.

    Args:
        estimate: so far.
        target: the half width.
    """
    half = estimate.half_width
    if not target or not isfinite(half):
        return inf
    wanted = (estimate.n + estimate.missing) * (half / target) * (half / target)
    return float(ceil(wanted)) if wanted < inf else inf


def grown(done: int, required: float) -> int:
    """How many replications to have next: more than `done`, and at most twice as many."""
    return int(min(max(required, done + 1), 2 * done))


def _round_up(wanted: int, step: int, most: int) -> int:
    return min(most, -(-wanted // step) * step)
