"""The same numbers as simulsi, a library of others for simulation studies (MIT), to rounding."""

from collections.abc import Callable
from functools import cache
from math import isinf, nan
from random import Random
from typing import Any

import pytest

import msgsim as ms
from msgsim.study.estimates import holm, mean_interval, paired, wilson
from msgsim.study.sequential import replicate_until
from msgsim.study.steady_state import batch_means, lag_1_correlation, truncation

pytest.importorskip("simulsi", reason="simulsi is not installed: pip install 'msgsim[test]'")

TINY = 1e-9
"""Relative: what the order of additions may change."""


def _noise(n: int, seed: int) -> list[float]:
    rng = Random(seed)
    return [rng.expovariate(0.5) for _ in range(n)]


def _correlated(n: int, seed: int) -> list[float]:
    rng, value, values = Random(seed), 50.0, []
    for _ in range(n):
        value = 0.9 * value + rng.gauss(0, 1)
        values.append(value)
    return values


def _waits(seed: int) -> list[float]:
    """Waiting times of M/M/2 at a utilization of 0.8, from empty."""
    scenario = ms.Scenario(
        queues={"jobs": ms.Queue(visibility_timeout=600)},
        traffic={"clients": ms.Traffic(to="jobs", rate=1.6)},
        workers={"crew": ms.Workers(queue="jobs", count=2, batch_size=1, service_time=ms.Exponential(1.0))},
    )
    return list(ms.simulate(scenario, until=1_500, seed=seed).samples("jobs", "waiting_time"))


SERIES: dict[str, Callable[[int], list[float]]] = {
    "noise": lambda seed: _noise(500, seed),
    "odd": lambda seed: _noise(503, seed),
    "short": lambda seed: _noise(21, seed),
    "decay": lambda seed: _correlated(2_000, seed),
    "waits": _waits,
}


@cache
def _series(name: str, seed: int) -> tuple[float, ...]:
    return tuple(SERIES[name](seed))


@pytest.fixture(params=[(name, seed) for name in SERIES for seed in range(2)], ids=lambda each: f"{each[0]}-{each[1]}")
def series(request: pytest.FixtureRequest) -> list[float]:
    return list(_series(*request.param))


def near(value: float) -> Any:
    return pytest.approx(value, rel=TINY, abs=1e-12)


def test_the_warm_up_ends_at_the_same_value(series: list[float]) -> None:
    from simulsi.analysis.warmup import mser

    ours, theirs = truncation(series), mser(series)
    assert (ours.index, ours.n, ours.settled) == (theirs.truncation, theirs.n, theirs.reliable)


@pytest.mark.parametrize("batches", [2, 10, 20])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_batch_means(series: list[float], batches: int, confidence: float) -> None:
    from simulsi.statistics import batch_means as others

    left_over = len(series) % batches  # theirs is left out of the end
    ours, theirs = batch_means(series, batches, confidence), others(series[left_over:], batches, confidence)
    assert list(ours.means) == near(theirs.batch_means.tolist())
    assert (ours.value, ours.low, ours.high) == near(
        (theirs.summary.mean, theirs.summary.ci_low, theirs.summary.ci_high)
    )
    assert ours.lag_1 == pytest.approx(theirs.lag1_autocorrelation, rel=1e-6, nan_ok=True)


def test_the_correlation_of_neighbours(series: list[float]) -> None:
    from simulsi.statistics import lag1_autocorrelation

    assert lag_1_correlation(series) == pytest.approx(lag1_autocorrelation(series), rel=1e-9)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
def test_intervals_of_means(series: list[float], confidence: float) -> None:
    from simulsi.statistics import summarize

    with_gaps = [nan, *series, nan]
    ours, theirs = mean_interval(with_gaps, confidence), summarize(with_gaps, confidence)
    assert (ours.value, ours.low, ours.high, ours.n) == near((theirs.mean, theirs.ci_low, theirs.ci_high, theirs.n))
    assert ours.relative_half_width == near(theirs.relative_half_width)


def test_pairs(series: list[float]) -> None:
    from simulsi.statistics import paired_difference

    rng = Random(9)
    after = [value + rng.gauss(0.05, 1) for value in series]
    after[3] = nan
    ours, theirs = paired(series, after), paired_difference(series, after)
    assert (ours.value, ours.low, ours.high, ours.n) == near(
        (theirs.difference, theirs.ci_low, theirs.ci_high, theirs.n_a)
    )
    assert ours.p_value == pytest.approx(theirs.p_value, rel=1e-6)
    assert ours.significant is theirs.significant


@pytest.mark.parametrize("n", [1, 2, 10, 333])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_shares(n: int, confidence: float) -> None:
    from simulsi.statistics import proportion_ci

    for successes in range(n + 1):
        ours = wilson(successes, n, confidence)
        assert (ours.low, ours.high) == near(proportion_ci(successes, n, confidence))


@pytest.mark.parametrize("seed", range(10))
def test_adjusted_p_values(seed: int) -> None:
    from simulsi.statistics import adjust_p_values

    rng = Random(seed)
    given = [rng.choice((nan, 0.01, rng.random(), rng.random() ** 4)) for _ in range(30)]
    assert holm(given) == pytest.approx(adjust_p_values(given, "holm"), rel=TINY, nan_ok=True)


@pytest.mark.parametrize("seed", range(5))
def test_replications_that_are_required(seed: int) -> None:
    """Theirs has a target of g / (1 + g), and of t the quantile for each number; ours has the present one."""
    from simulsi.statistics import required_replications

    values = _noise(50, seed)
    ours = replicate_until(lambda wanted: [values[number] for number in wanted], first=50, most=50)
    theirs = required_replications(values, 0.05 / 0.95)
    assert not isinf(ours.required)
    assert ours.required == pytest.approx(theirs.required_n, rel=0.06)
