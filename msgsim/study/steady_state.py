"""What one long run says about the steady state: where it begins, and its mean with an honest interval.

Messages of one run hang together: one that waits long is followed by others that do. An interval that takes them for
independent is far too narrow. Batches of many messages are nearly independent, if they are long against the time that
the system takes to forget; the correlation of each batch with the next tells whether they are.
"""

from array import array
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import fsum, inf, isfinite, nan, sqrt

import attrs

from msgsim.declare import check_number
from msgsim.errors import DeclarationError
from msgsim.metrics import COUNTER, SAMPLE, metric_of
from msgsim.run import Run
from msgsim.study.estimates import Estimate, as_confidence, as_numbers, mean_of, scipy_special, student

BATCH = 5
"""Of how many values MSER-5 takes the mean before it looks for the end of the warm-up."""

FEWEST = 4
"""With fewer batches there is nothing to choose from."""

SUSPICIOUS = 0.05
"""Batches count as independent unless so large a correlation has a smaller chance among independent ones."""


@attrs.frozen(kw_only=True)
class Truncation:
    """Where the warm-up ends.

    Attributes:
        index: of the first value that is kept.
        n: of how many values.
        settled: whether that is before the last place that is looked at, halfway; if not, a later one may be better:
            the run is too short to reach a steady state, or has none.
        time: of that value [s]; None for values that have no times.
    """

    index: int
    n: int
    settled: bool
    time: float | None = None


@attrs.frozen(kw_only=True)
class BatchMeans(Estimate):
    """The mean of one long run; `n` is the number of batches.

    Attributes:
        means: of the batches, in order.
        size: values in each.
        lag_1: the correlation of each batch with the next; NaN if there are not three batches that differ.
        p_value: how likely so large a correlation is among independent batches; NaN likewise.
    """

    means: tuple[float, ...]
    size: int
    lag_1: float
    p_value: float

    @property
    def independent(self) -> bool:
        """Whether the batches look independent. If not, the interval is too narrow: the run should be longer."""
        return self.p_value >= SUSPICIOUS

    def __str__(self) -> str:
        plain = Estimate.__str__(self)
        if self.p_value < SUSPICIOUS:
            return f"{plain}; too narrow: batches hang together, by {self.lag_1:.2f} each with the next"
        return plain


def mser5(values: Iterable[float]) -> int:
    """How many of the first values to leave out, as a warm-up, by the rule MSER-5.

    Args:
        values: finite, in the order of time.

    Returns:
        The index of the first value to keep; 0 if there are too few to tell. `truncation` says whether to believe it.

    Raises:
        DeclarationError: not finite numbers.
    """
    return truncation(values).index


def truncation(values: Iterable[float]) -> Truncation:
    """Where the warm-up ends by MSER-5: where the mean of what is left has the least standard error.

    Of the means of five values each, leaves out as many as make the sum of squares of the others, over the square of
    their number, the least; at most the first half (White 1997; White, Cobb and Spratt 2000). A rule of thumb: it does
    not see a warm-up that is as long as the run. Cost: O(number of values).

    Args:
        values: finite, in the order of time.

    Raises:
        DeclarationError: not finite numbers.
    """
    series = _finite("values", values)
    means = [mean_of(series[start : start + BATCH]) for start in range(0, len(series) - BATCH + 1, BATCH)]
    if len(means) < FEWEST:
        return Truncation(index=0, n=len(series), settled=False)
    choices = len(means) // 2
    errors = _standard_errors(means)
    best = min(range(choices), key=errors.__getitem__)
    return Truncation(index=best * BATCH, n=len(series), settled=best < choices - 1)


def warm_up(runs: Run | Iterable[Run], entity: str, metric: str) -> Truncation:
    """When a gauge or the rate of a counter has settled: MSER-5 on its readings, averaged over replications.

    Needs 20 readings; for more, run with a shorter `probe`. The more replications, the less it takes chance for a
    warm-up. A run's own warm-up makes no difference.

    Args:
        runs: one run, or replications with the same readings.
        entity: its name.
        metric: of the entity; the backlog, `visible`, settles last.

    Raises:
        UnknownName: no such entity or metric, or the metric has no readings.
        DeclarationError: no runs, something that is no run, or runs whose readings are at different times.
    """
    if not isinstance(runs, Iterable):
        runs = [runs]
    known = list(runs)
    if not known:
        raise DeclarationError("runs", "there is none; allowed: one run or more")
    readings = []
    for place, run in enumerate(known):
        _check_run(f"runs[{place}]", run)
        readings.append(_readings(run, entity, metric))
        if readings[-1][0] != readings[0][0]:
            raise DeclarationError(f"runs[{place}]", "its readings are at other times than those of the first run")
    times = readings[0][0]
    found = truncation([mean_of(values) for values in zip(*(row for _, row in readings), strict=True)])
    return attrs.evolve(found, time=times[found.index] if times else None)


def batch_means(values: Iterable[float], batches: int = 20, confidence: float = 0.95) -> BatchMeans:
    """The mean of values that hang together, with the interval of Student's t distribution over means of batches.

    What is left over, less than one batch, is left out of the beginning. With fewer values than batches there are no
    bounds.

    Args:
        values: finite, in the order of time, without a warm-up; see `mser5`.
        batches: 2 or more; of the same values, fewer ones are longer and less dependent, and have a wider interval.
        confidence: above 0 and below 1.

    Raises:
        DeclarationError: not finite numbers, no number of batches or no confidence.
        MissingExtra: scipy is not installed.
    """
    confidence = as_confidence(confidence)
    check_number("batches", batches, low=2, integer=True)
    batches = int(batches)
    series = _finite("values", values)
    size = len(series) // batches
    first = len(series) - batches * size
    means = [mean_of(series[start : start + size]) for start in range(first, len(series), size)] if size else []
    value, half = student(means, confidence)
    if not means and series:
        value = mean_of(series)
    lag_1 = lag_1_correlation(means)
    return BatchMeans(
        value=value,
        low=value - half if means else -inf,
        high=value + half if means else inf,
        n=len(means),
        confidence=confidence,
        means=tuple(means),
        size=size,
        lag_1=lag_1,
        p_value=_p_value(lag_1, len(means)),
    )


def long_run(run: Run, entity: str, metric: str, batches: int = 20, confidence: float = 0.95) -> BatchMeans:
    """The mean of a metric in one run after its warm-up, by batch means.

    Of a sample metric, over messages; of a gauge, over its readings, and of a counter its rate [1/s] between them.
    The run's own mean of a gauge is over every instant, and may differ a little.

    Args:
        run: a long one.
        entity: its name.
        metric: of the entity.
        batches: as in `batch_means`.
        confidence: above 0 and below 1.

    Raises:
        UnknownName: no such entity or metric.
        DeclarationError: no run, no number of batches or no confidence.
        MissingExtra: scipy is not installed.
    """
    _check_run("run", run)
    if _shape(run, entity, metric) == SAMPLE:
        return batch_means(run.samples(entity, metric), batches, confidence)
    times, values = _readings(run, entity, metric)
    after = [value for time, value in zip(times, values, strict=True) if time >= run.warm_up]
    return batch_means(after, batches, confidence)


def lag_1_correlation(values: Sequence[float]) -> float:
    """The correlation of each value with the next; NaN if there are not three values that differ."""
    if len(values) < 3:  # noqa: PLR2004 - two values are always opposites
        return nan
    mean = mean_of(values)
    apart = [value - mean for value in values]
    squares = fsum(each * each for each in apart)
    return fsum(each * following for each, following in pairwise(apart)) / squares if squares else nan


# ---------------------------------------------------------------- inside


def _finite(path: str, values: Iterable[float]) -> "array[float]":
    series = as_numbers(path, values)
    for place, value in enumerate(series):
        if not isfinite(value):
            problem = f"{value!r} is not finite, and a series cannot do without one of its values"
            raise DeclarationError(f"{path}[{place}]", problem)
    return series


def _standard_errors(means: Sequence[float]) -> list[float]:
    """The squared standard error of the mean of means[d:], for each d (one pass from the end, as Welford's)."""
    errors, mean, squares = [], 0.0, 0.0
    for count, value in enumerate(reversed(means), 1):
        apart = value - mean
        mean += apart / count
        squares += apart * (value - mean)
        errors.append(squares / (count * count))
    errors.reverse()
    return errors


def _check_run(path: str, run: object) -> None:
    if not isinstance(run, Run):
        raise DeclarationError(path, f"{run!r} is not a Run, as `simulate` gives one")


def _shape(run: Run, entity: str, metric: str) -> str:
    run.kind(entity)  # refuses what is no entity
    return metric_of(run.records[entity].table, entity, metric).shape


def _readings(run: Run, entity: str, metric: str) -> tuple[Sequence[float], Sequence[float]]:
    """Times [s] and values of a gauge; of a counter, where each interval begins and its rate there [1/s]."""
    times, values = run.series(entity, metric)
    if _shape(run, entity, metric) != COUNTER:
        return times, values
    steps = [
        (begin, (after - before) / (end - begin))
        for (begin, before), (end, after) in pairwise(zip(times, values, strict=True))
    ]
    return [begin for begin, _ in steps], [rate for _, rate in steps]


def _p_value(lag_1: float, n: int) -> float:
    """P(a correlation of at least `lag_1` among `n` independent normal values), nearly.

    Its mean -1/n and its variance (n - 2)^2 / (n^2 (n - 1)) are exact (Moran 1948); a normal distribution is not.
    """
    if n < 3:  # noqa: PLR2004 - as above
        return nan
    spread = (n - 2) / (n * sqrt(n - 1))
    return 1.0 - float(scipy_special().ndtr((lag_1 + 1 / n) / spread))
