import sys
from collections.abc import Callable
from math import inf, isnan, nan, sqrt
from random import Random
from statistics import fmean
from typing import Any

import attrs
import pytest
from scipy import stats

import msgsim as ms
from msgsim.errors import DeclarationError, MissingExtra, UnknownName
from msgsim.study.estimates import mean_interval
from msgsim.study.steady_state import (
    BatchMeans,
    Truncation,
    batch_means,
    lag_1_correlation,
    long_run,
    mser5,
    truncation,
    warm_up,
)


def autoregressive(n: int, phi: float, seed: int, start: float = 0.0) -> list[float]:
    """X(t) = phi X(t-1) + noise of variance 1: mean 0, and in the long run a variance of 1 / (1 - phi^2)."""
    rng = Random(seed)
    values, value = [], start
    for _ in range(n):
        value = phi * value + rng.gauss(0, 1)
        values.append(value)
    return values


def noise(n: int, seed: int) -> list[float]:
    return autoregressive(n, 0.0, seed)


def within(count: int, tries: int, share: float) -> bool:
    low, high = stats.binom(tries, share).interval(0.999)
    return bool(low <= count <= high)


# ---------------------------------------------------------------- MSER-5


def standard_error(means: list[float]) -> float:
    mean = fmean(means)
    return sum((value - mean) ** 2 for value in means) / len(means) ** 2


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n", [20, 23, 100, 404])
def test_mser_5_is_the_least_standard_error_by_its_definition(n: int, seed: int) -> None:
    values = autoregressive(n, 0.8, seed, start=10)
    means = [fmean(values[start : start + 5]) for start in range(0, n // 5 * 5, 5)]
    errors = [standard_error(means[left_out:]) for left_out in range(len(means) // 2)]
    assert mser5(values) == 5 * errors.index(min(errors))


def test_a_warm_up_is_cut_off_where_it_ends() -> None:
    """A step from 10 to 0 after 60 of 1,000 values; with noise, chance may take some more."""
    assert truncation([10.0] * 60 + [0.0] * 940) == Truncation(index=60, n=1_000, settled=True)
    for seed in range(10):
        found = truncation([10.0 + each for each in noise(60, seed)] + noise(940, seed + 100))
        assert found.settled
        assert 60 <= found.index <= 160


def test_a_decay_is_cut_off_when_it_is_lost_in_the_noise() -> None:
    found = [mser5(autoregressive(1_000, 0.95, seed, start=100)) for seed in range(20)]
    assert all(40 <= index <= 250 for index in found)  # 0.95^40 leaves 13 of 100; the standard deviation is 3.2


def test_equal_values_need_no_warm_up() -> None:
    assert truncation([3.0] * 100) == Truncation(index=0, n=100, settled=True)


def test_what_still_changes_at_the_end_has_not_settled() -> None:
    assert truncation(range(100)) == Truncation(index=45, n=100, settled=False)


@pytest.mark.parametrize("n", [0, 1, 5, 19])
def test_with_fewer_than_four_batches_nothing_is_known(n: int) -> None:
    assert truncation([5.0] * n) == Truncation(index=0, n=n, settled=False)


def test_four_batches_are_enough() -> None:
    assert truncation([9.0] * 5 + [1.0] * 15) == Truncation(index=5, n=20, settled=False)
    assert truncation([1.0] * 24) == Truncation(index=0, n=24, settled=True)


def test_an_offset_makes_no_difference() -> None:
    """Sums of squares would lose all digits of the spread."""
    values = [round(value, 3) for value in autoregressive(500, 0.9, 3, start=20)]
    assert mser5([2.0**40 + value for value in values]) == mser5(values) > 0


# ---------------------------------------------------------------- batch means


def test_batches_by_hand() -> None:
    estimate = batch_means([100, 1, 3, 5, 7, 9, 11], batches=3)
    assert estimate.means == (2.0, 6.0, 10.0)
    assert (estimate.value, estimate.n, estimate.size, estimate.missing) == (6.0, 3, 2, 0)
    known = mean_interval([2, 6, 10])
    assert (estimate.low, estimate.high) == (known.low, known.high)
    assert estimate.lag_1 == 0.0  # (-4)(0) + (0)(4)


def test_batches_of_one_value_are_the_values() -> None:
    values = noise(30, 1)
    estimate, known = batch_means(values, 30), mean_interval(values)
    assert (estimate.value, estimate.low, estimate.high) == (known.value, known.low, known.high)


@pytest.mark.parametrize(("values", "value"), [([], nan), ([3.0], 3.0), (range(19), 9.0)])
def test_fewer_values_than_batches_have_no_bounds(values: list[float], value: float) -> None:
    estimate = batch_means(values)
    assert estimate.value == pytest.approx(value, nan_ok=True)
    assert (estimate.low, estimate.high, estimate.n, estimate.size, estimate.means) == (-inf, inf, 0, 0, ())
    assert isnan(estimate.lag_1)
    assert not estimate.independent


def test_two_batches_have_an_interval_and_no_check() -> None:
    estimate = batch_means([1, 3], 2)
    assert estimate.half_width == pytest.approx(12.706, abs=5e-4)
    assert isnan(estimate.lag_1)
    assert isnan(estimate.p_value)
    assert not estimate.independent
    assert str(estimate) == "2 [-11, 15] (95 %, n=2)"


def test_batches_that_are_alike_have_no_correlation() -> None:
    estimate = batch_means([7.0] * 100)
    assert (estimate.value, estimate.half_width) == (7.0, 0.0)
    assert isnan(estimate.lag_1)


def test_batches_that_hang_together_are_noticed() -> None:
    estimate = batch_means(autoregressive(2_000, 0.995, 1))
    assert estimate.lag_1 > 0.35
    assert not estimate.independent
    assert str(estimate).endswith(
        f"n=20); too narrow: batches hang together, by {estimate.lag_1:.2f} each with the next"
    )


def test_long_batches_pass() -> None:
    estimate = batch_means(autoregressive(20_000, 0.9, 1))
    assert estimate.independent
    assert "narrow" not in str(estimate)


@pytest.mark.parametrize("n", [10, 20])
def test_one_in_twenty_independent_series_is_suspected(n: int) -> None:
    suspected = sum(not batch_means(noise(n, seed), n).independent for seed in range(1_000))
    assert within(suspected, 1_000, 0.05)


@pytest.mark.parametrize("n", [5, 20])
def test_mean_and_variance_of_the_correlation_are_moran_s(n: int) -> None:
    found = [lag_1_correlation(noise(n, seed)) for seed in range(2_000)]
    low, high = stats.t.interval(0.999, 1_999, loc=fmean(found), scale=stats.sem(found))
    assert low <= -1 / n <= high
    assert stats.tstd(found) == pytest.approx((n - 2) / (n * sqrt(n - 1)), rel=0.06)


def test_batch_means_cover_where_single_values_do_not() -> None:
    """A correlation of 0.8 makes the variance of the mean 9 times that of independent values."""
    series = [autoregressive(1_000, 0.8, seed, start=Random(-seed).gauss(0, 1 / 0.6)) for seed in range(150)]
    by_batches = sum(each.low <= 0 <= each.high for each in map(batch_means, series))
    by_values = sum(each.low <= 0 <= each.high for each in map(mean_interval, series))
    assert within(by_batches, 150, 0.94)
    assert within(by_values, 150, 2 * stats.norm.cdf(1.96 / 3) - 1)


# ---------------------------------------------------------------- runs


def scenario() -> ms.Scenario:
    return ms.Scenario(
        queues={"jobs": ms.Queue(visibility_timeout=600), "idle": ms.Queue()},
        traffic={"clients": ms.Traffic(to="jobs", rate=1.5)},
        workers={"crew": ms.Workers(queue="jobs", count=2, batch_size=1, service_time=ms.Exponential(1.0))},
    )


@pytest.fixture(scope="module")
def runs() -> list[ms.Run]:
    return [ms.simulate(scenario(), until=2_000, warm_up=500, seed=1, replication=r) for r in range(3)]


def test_one_run_by_its_messages(runs: list[ms.Run]) -> None:
    run = runs[0]
    estimate = long_run(run, "jobs", "waiting_time")
    assert isinstance(estimate, BatchMeans)
    assert estimate == batch_means(run.samples("jobs", "waiting_time"))
    assert estimate.low < run.mean("jobs", "waiting_time") < estimate.high


def test_one_run_by_its_readings(runs: list[ms.Run]) -> None:
    run = runs[0]
    estimate = long_run(run, "jobs", "visible", batches=5, confidence=0.99)
    after = list(run.series("jobs", "visible")[1])[25:]  # every 20 s: the first at 500 s
    assert estimate == batch_means(after, 5, 0.99)
    assert estimate.low < run.mean("jobs", "visible") < estimate.high


def test_one_run_by_its_rates(runs: list[ms.Run]) -> None:
    """Arrivals of 1.5 a second over 1,500 s, counted in 75 intervals."""
    run = runs[0]
    estimate = long_run(run, "jobs", "sent", batches=15)
    sent = run.series("jobs", "sent")[1]
    assert estimate.value == pytest.approx((sent[-1] - sent[25]) / 1_500)
    assert estimate.low < 1.5 < estimate.high
    assert long_run(run, "jobs", "NumberOfMessagesSent", batches=15) == estimate


def test_nothing_happened_in_a_queue(runs: list[ms.Run]) -> None:
    estimate = long_run(runs[0], "idle", "waiting_time")
    assert (isnan(estimate.value), estimate.low, estimate.high) == (True, -inf, inf)
    assert str(long_run(runs[0], "idle", "visible")) == "0 [0, 0] (95 %, n=20)"


def test_a_warm_up_has_a_time(runs: list[ms.Run]) -> None:
    found = warm_up(runs, "jobs", "visible")
    rows = [run.series("jobs", "visible")[1] for run in runs]
    averaged = [fmean(values) for values in zip(*rows, strict=True)]
    assert found == attrs.evolve(truncation(averaged), time=20.0 * found.index)
    assert found.n == 101
    assert warm_up(runs[0], "jobs", "visible").index == mser5(rows[0])
    assert warm_up(iter(runs), "jobs", "visible") == found


def test_a_run_that_has_not_begun_says_nothing() -> None:
    run = ms.Simulation(scenario(), seed=1).result()
    assert warm_up(run, "jobs", "visible") == Truncation(index=0, n=1, settled=False, time=0.0)
    assert warm_up(run, "jobs", "sent") == Truncation(index=0, n=0, settled=False, time=None)
    for metric in ("visible", "sent", "waiting_time"):
        assert long_run(run, "jobs", metric).n == 0


def test_a_ramp_that_fills_a_pool_is_a_warm_up() -> None:
    """Work arrives from 400 s on; until then nobody is busy, and then nearly 5 are."""
    late = ms.Scenario(
        queues={"jobs": ms.Queue(visibility_timeout=600)},
        traffic={"clients": ms.Traffic(to="jobs", rate=ms.Steps(((0, 0), (400, 5))))},
        workers={"crew": ms.Workers(queue="jobs", count=10, batch_size=1, service_time=ms.Exponential(1.0))},
    )
    runs = [ms.simulate(late, until=1_500, probe=5, seed=1, replication=r) for r in range(3)]
    for entity, metric in [("crew", "busy"), ("jobs", "sent"), ("crew", "utilization")]:
        found = warm_up(runs, entity, metric)
        assert found.settled
        assert 400 <= found.time <= 600  # chance takes some more


# ---------------------------------------------------------------- nonsense


@pytest.mark.parametrize("ask", [mser5, truncation, batch_means])
@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_a_series_misses_nothing(ask: Callable[[list[float]], object], value: float) -> None:
    with pytest.raises(
        DeclarationError, match=r"^values\[2\]: -?(nan|inf) is not finite, and a series cannot do without"
    ):
        ask([1.0, 2.0, value, 4.0])


@pytest.mark.parametrize("batches", [1, 0, -3, 2.5, "20", None, nan, inf])
def test_a_number_of_batches(batches: Any) -> None:
    with pytest.raises(DeclarationError, match=r"^batches: .* allowed: 2 or more"):
        batch_means(range(100), batches)


def test_a_confidence() -> None:
    with pytest.raises(DeclarationError, match=r"^confidence: 95 is not allowed"):
        batch_means(range(100), confidence=95)


def test_what_is_not_there(runs: list[ms.Run]) -> None:
    with pytest.raises(UnknownName, match="job"):
        long_run(runs[0], "job", "visible")
    with pytest.raises(UnknownName, match="visibel"):
        long_run(runs[0], "jobs", "visibel")
    with pytest.raises(UnknownName, match=r"jobs\.waiting_time is a sample"):
        warm_up(runs, "jobs", "waiting_time")


def test_runs_with_the_same_readings(runs: list[ms.Run]) -> None:
    with pytest.raises(DeclarationError, match=r"^runs: there is none"):
        warm_up([], "jobs", "visible")
    other = ms.simulate(scenario(), until=1_000, seed=1)
    with pytest.raises(DeclarationError, match=r"^runs\[1\]: its readings are at other times"):
        warm_up([runs[0], other], "jobs", "visible")


@pytest.mark.parametrize("given", [None, 7, [None], "jobs", [7]])
def test_what_is_no_run(given: Any) -> None:
    with pytest.raises(DeclarationError, match=r"^runs\[0\]: .* is not a Run"):
        warm_up(given, "jobs", "visible")
    with pytest.raises(DeclarationError, match=r"^run: .* is not a Run"):
        long_run(given, "jobs", "visible")


def test_without_scipy_warm_ups_are_still_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    assert mser5([9.0] * 5 + [1.0] * 35) == 5
    with pytest.raises(MissingExtra, match="scipy"):
        batch_means(noise(100, 1))
