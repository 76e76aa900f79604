import doctest
import pickle
import sys
from array import array
from collections.abc import Callable
from itertools import pairwise
from math import inf, isnan, nan
from random import Random
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pytest
from scipy import stats

from msgsim.errors import DeclarationError, MissingExtra
from msgsim.study import estimates
from msgsim.study.estimates import Estimate, holm, mean_interval, paired, quantile_interval, wilson

VALUES = [12.1, 13.4, 11.0, 12.9, 14.2, 12.2]


def normal(n: int, seed: int = 1) -> list[float]:
    rng = Random(seed)
    return [rng.gauss(10, 2) for _ in range(n)]


def within(count: int, tries: int, share: float) -> bool:
    """Whether a count is in the 99.9 % interval of the binomial distribution. Seeds are fixed: nothing flakes."""
    low, high = stats.binom(tries, share).interval(0.999)
    return bool(low <= count <= high)


# ---------------------------------------------------------------- the estimate itself


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(estimates) == (0, 1)


@pytest.mark.parametrize(
    ("low", "value", "high", "text"),
    [
        (11.89, 12.34, 12.79, "12.3 [11.9, 12.8]"),
        (12.22, 12.34, 12.46, "12.34 [12.22, 12.46]"),
        (0.0, 0.0, 0.0, "0 [0, 0]"),
        (7.0, 7.0, 7.0, "7 [7, 7]"),
        (11_890.0, 12_340.0, 12_790.0, "12340 [11890, 12790]"),
        (-inf, 12.3456789, inf, "12.3457 [-inf, inf]"),
        (3.0, 12.0, inf, "12 [3, inf]"),
        (-inf, nan, inf, "nan [-inf, inf]"),
        (1e12, 2e12, 3e12, "2e+12 [1e+12, 3e+12]"),
        (1e-12, 2e-12, 3e-12, "2e-12 [1e-12, 3e-12]"),
        (0.00095, 0.001, 0.00105, "0.00100 [0.00095, 0.00105]"),
        (-0.2, 0.05, 0.3, "0.05 [-0.20, 0.30]"),
    ],
)
def test_as_many_digits_as_the_interval_leaves_a_meaning(low: float, value: float, high: float, text: str) -> None:
    estimate = Estimate(value=value, low=low, high=high, n=10, confidence=0.95)
    assert str(estimate) == f"{text} (95 %, n=10)"
    head, tail = str(estimate).split(" ", 1)
    assert estimate._repr_html_() == f"<b>{head}</b> {tail}"


def test_what_was_left_out_is_said() -> None:
    estimate = Estimate(value=1.0, low=0.5, high=1.5, n=10, confidence=0.9, coverage=0.9213, missing=2)
    assert str(estimate) == "1.0 [0.5, 1.5] (90 %, in fact 92.13 %, n=10, 2 without a value)"


@pytest.mark.parametrize(
    ("low", "value", "high", "half", "relative"),
    [
        (8.0, 10.0, 12.0, 2.0, 0.2),
        (-12.0, -10.0, -8.0, 2.0, 0.2),
        (-1.0, 0.0, 1.0, 1.0, inf),
        (0.0, 0.0, 0.0, 0.0, 0.0),
        (inf, inf, inf, 0.0, 0.0),
        (-inf, 5.0, inf, inf, inf),
        (-inf, inf, inf, inf, inf),
        (-inf, nan, inf, inf, inf),
        (3.0, 5.0, inf, inf, inf),
    ],
)
def test_half_widths(low: float, value: float, high: float, half: float, relative: float) -> None:
    estimate = Estimate(value=value, low=low, high=high, n=10, confidence=0.95)
    assert (estimate.half_width, estimate.relative_half_width) == (half, relative)


def test_an_estimate_is_plain_data() -> None:
    estimate = mean_interval(VALUES)
    assert pickle.loads(pickle.dumps(estimate)) == estimate  # noqa: S301 - its own
    assert estimate.coverage == estimate.confidence == 0.95
    with pytest.raises(AttributeError):
        estimate.value = 3.0  # type: ignore[misc]
    assert all(type(number) is float for number in (estimate.value, estimate.low, estimate.high))


# ---------------------------------------------------------------- means


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
def test_a_mean_has_the_interval_of_student(confidence: float) -> None:
    estimate = mean_interval(VALUES, confidence)
    low, high = stats.t.interval(confidence, 5, loc=fmean(VALUES), scale=stdev(VALUES) / 6**0.5)
    assert (estimate.value, estimate.n, estimate.confidence) == (fmean(VALUES), 6, confidence)
    assert (estimate.low, estimate.high) == pytest.approx((low, high), rel=1e-12)


def test_two_values_by_hand() -> None:
    """t(0.975, 1) = 12.706; the standard error of 1 and 3 is 1."""
    estimate = mean_interval([1, 3])
    assert (estimate.value, estimate.half_width) == (2.0, pytest.approx(12.706, abs=5e-4))


@pytest.mark.parametrize("given", [tuple, iter, np.array, lambda values: array("d", values), lambda v: (x for x in v)])
def test_whatever_has_numbers_in_an_order_will_do(given: Callable[[list[float]], Any]) -> None:
    assert mean_interval(given(VALUES)) == mean_interval(VALUES)


def test_nan_is_left_out_and_counted() -> None:
    estimate = mean_interval([nan, *VALUES, nan])
    known = mean_interval(VALUES)
    assert (estimate.value, estimate.low, estimate.high, estimate.n) == (known.value, known.low, known.high, 6)
    assert estimate.missing == 2


@pytest.mark.parametrize(("values", "value"), [([], nan), ([nan], nan), ([3.5], 3.5), ([3.5, nan], 3.5)])
def test_without_two_values_there_are_no_bounds(values: list[float], value: float) -> None:
    estimate = mean_interval(values)
    assert estimate.value == pytest.approx(value, nan_ok=True)
    assert (estimate.low, estimate.high) == (-inf, inf)


@pytest.mark.parametrize(
    ("values", "value"), [([1, inf], inf), ([1, -inf, 2], -inf), ([inf, -inf, 1], nan), ([inf, inf], inf)]
)
def test_an_infinite_value_leaves_the_mean_without_bounds(values: list[float], value: float) -> None:
    estimate = mean_interval(values)
    assert estimate.value == pytest.approx(value, nan_ok=True)
    assert (estimate.low, estimate.high, estimate.relative_half_width) == (-inf, inf, inf)


@pytest.mark.parametrize("same", [0.1, 1 / 3, -7.0, 1e300])
def test_equal_values_have_no_spread_by_rounding(same: float) -> None:
    estimate = mean_interval([same] * 7)
    assert (estimate.low, estimate.value, estimate.high) == (same, same, same)


def test_numbers_at_the_ends_of_what_a_float_holds() -> None:
    assert mean_interval([1.5e308, 1.5e308]).value == 1.5e308
    estimate = mean_interval([1e200, 3e200])
    assert (estimate.value, estimate.low, estimate.high) == (2e200, -inf, inf)
    estimate = mean_interval([1e154, 3e154] * 3)
    assert (estimate.value, estimate.low, estimate.high) == (2e154, -inf, inf)


def test_a_large_mean_keeps_the_digits_of_a_small_spread() -> None:
    shifted = mean_interval([2.0**40 + value for value in (0.0, 0.25, 0.5)])
    assert shifted.half_width == pytest.approx(mean_interval([0.0, 0.25, 0.5]).half_width, rel=1e-3)


def test_intervals_of_normal_values_cover_as_often_as_they_say() -> None:
    intervals = [mean_interval(normal(5, seed), 0.9) for seed in range(2_000)]
    assert within(sum(each.low <= 10 <= each.high for each in intervals), 2_000, 0.9)


# ---------------------------------------------------------------- quantiles


def covered(n: int, q: float, first: int, last: int) -> float:
    """P(between `first` and `last` - 1 of `n` values are up to the quantile), summed by scipy.stats."""
    return float(sum(stats.binom.pmf(k, n, q) for k in range(first, last)))


@pytest.mark.parametrize(
    ("n", "q", "first", "last"),
    [
        (6, 0.5, 1, 6),
        (20, 0.5, 6, 15),
        (50, 0.9, 41, 50),
        (10, 0.9, 7, None),
        (5, 0.5, None, None),
        (367, 0.99, 359, None),
        (368, 0.99, 360, 368),
        (3, 0.0, None, 1),
        (3, 1.0, 3, None),
    ],
)
def test_a_quantile_lies_between_two_of_the_values(n: int, q: float, first: int | None, last: int | None) -> None:
    values = list(range(1, n + 1))
    Random(3).shuffle(values)
    estimate = quantile_interval(values, q)
    assert (estimate.low, estimate.high) == (first or -inf, last or inf)
    assert estimate.coverage == pytest.approx(covered(n, q, first or 0, last or n + 1), rel=1e-9)
    assert estimate.coverage >= estimate.confidence == 0.95
    assert estimate.n == n


@pytest.mark.parametrize("q", [0.01, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("confidence", [0.01, 0.8, 0.95, 0.999])
@pytest.mark.parametrize("n", [1, 2, 7, 40, 1_000])
def test_each_side_leaves_out_as_much_as_it_may(n: int, q: float, confidence: float) -> None:
    estimate = quantile_interval(range(1, n + 1), q, confidence)
    first, last = (0 if estimate.low == -inf else int(estimate.low)), (n + 1 if estimate.high == inf else estimate.high)
    law, tail = stats.binom(n, q), (1 - confidence) / 2
    assert law.cdf(first - 1) <= tail * (1 + 1e-9)
    assert law.sf(last - 1) <= tail * (1 + 1e-9)
    assert first == n or law.cdf(first) > tail * (1 - 1e-9)
    assert last == 1 or law.sf(last - 2) > tail * (1 - 1e-9)
    assert estimate.low <= estimate.value <= estimate.high


def test_twenty_values_have_the_coverage_of_the_sign_test() -> None:
    assert str(quantile_interval(range(1, 21), 0.5)) == "10 [6, 15] (95 %, in fact 95.86 %, n=20)"


def test_the_value_is_that_of_a_run() -> None:
    assert quantile_interval([1, 2, 3, 4], 0.5).value == 2
    assert quantile_interval([1, 2, 3, 4], 0.51).value == 3
    assert isnan(quantile_interval([], 0.5).value)


def test_quantiles_of_infinite_values_have_bounds() -> None:
    """Two of twenty runs never drain: no mean, and yet a median."""
    values = [*range(1, 19), inf, inf]
    assert str(quantile_interval(values, 0.5)) == "10 [6, 15] (95 %, in fact 95.86 %, n=20)"
    estimate = quantile_interval([inf] * 20, 0.5)
    assert (estimate.low, estimate.value, estimate.high, estimate.half_width) == (inf, inf, inf, 0.0)


def test_nan_is_not_among_the_values_in_order() -> None:
    estimate = quantile_interval([nan, 3, nan, 1, 2], 0.5)
    assert (estimate.value, estimate.n, estimate.missing) == (2, 3, 2)


def test_nothing_says_nothing_of_a_quantile() -> None:
    estimate = quantile_interval([], 0.9)
    assert (estimate.low, estimate.high, estimate.coverage, estimate.n) == (-inf, inf, 1.0, 0)


def test_quantile_intervals_cover_as_often_as_they_say() -> None:
    """Exponential values, not normal ones: no distribution is assumed."""
    rng = Random(5)
    intervals = [quantile_interval([rng.expovariate(1) for _ in range(50)], 0.9) for _ in range(1_000)]
    true = -np.log(0.1)
    assert within(sum(each.low <= true <= each.high for each in intervals), 1_000, intervals[0].coverage)


# ---------------------------------------------------------------- probabilities


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (1, 10), (5, 10), (10, 10), (81, 263), (999, 1_000), (1, 1)])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_a_share_has_the_interval_of_wilson(successes: int, n: int, confidence: float) -> None:
    estimate = wilson(successes, n, confidence)
    known = stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    assert (estimate.value, estimate.n) == (successes / n, n)
    assert (estimate.low, estimate.high) == pytest.approx((known.low, known.high), abs=1e-12)
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


def test_the_example_of_newcombe() -> None:
    """Newcombe 1998, table I: 81 of 263 have 0.2553 to 0.3662, 0 of 20 have 0 to 0.1611."""
    assert (wilson(81, 263).low, wilson(81, 263).high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert (wilson(0, 20).low, wilson(0, 20).high) == (0.0, pytest.approx(0.1611, abs=5e-5))


def test_never_and_always_have_an_end_that_is_certain() -> None:
    assert wilson(0, 7).low == 0.0
    assert wilson(7, 7).high == 1.0


def test_without_a_try_anything_is_possible() -> None:
    estimate = wilson(0, 0)
    assert (isnan(estimate.value), estimate.low, estimate.high, estimate.n) == (True, 0.0, 1.0, 0)


def test_wilson_covers_on_average_as_often_as_it_says() -> None:
    """Exactly, not by chance: over all outcomes of 50 tries and many true probabilities."""
    n = 50
    intervals = [wilson(k, n) for k in range(n + 1)]
    shares = []
    for p in np.linspace(0.05, 0.95, 91):
        chances = stats.binom.pmf(range(n + 1), n, p)
        shares.append(
            sum(chance for chance, each in zip(chances, intervals, strict=True) if each.low <= p <= each.high)
        )
    assert fmean(shares) == pytest.approx(0.95, abs=0.005)
    assert min(shares) > 0.91


# ---------------------------------------------------------------- pairs


def test_a_difference_is_the_paired_test() -> None:
    before, after = (
        VALUES,
        [value + change for value, change in zip(VALUES, [0.5, 0.1, 0.4, -0.2, 0.6, 0.3], strict=True)],
    )
    difference = paired(before, after)
    known = stats.ttest_rel(after, before)
    low, high = known.confidence_interval(0.95)
    assert (difference.low, difference.high) == pytest.approx((low, high), rel=1e-9)
    assert difference.p_value == pytest.approx(known.pvalue, rel=1e-9)
    assert difference.value == pytest.approx(fmean(after) - fmean(before), rel=1e-9)
    assert difference.variance_reduction == pytest.approx(
        (stdev(before) ** 2 + stdev(after) ** 2) / stdev(y - x for x, y in zip(before, after, strict=True)) ** 2,
        rel=1e-9,
    )
    assert (difference.n, difference.missing) == (6, 0)


def test_the_other_way_round_is_the_opposite() -> None:
    there, back = paired(normal(10, 1), normal(10, 2)), paired(normal(10, 2), normal(10, 1))
    assert (there.value, there.low, there.high) == (-back.value, -back.high, -back.low)
    assert there.p_value == back.p_value


@pytest.mark.parametrize(("a", "b", "significant"), [(1, 3, True), (3, 1, True), (2, 2, False), (2, 2.01, False)])
def test_what_leaves_zero_out_is_significant(a: float, b: float, significant: bool) -> None:
    noise = [0.1, -0.2, 0.15, 0.05, -0.1]
    assert paired([a] * 5, [b + each for each in noise]).significant is significant


def test_common_random_numbers_pay_off() -> None:
    """With half of the chance in common: variances of 2 and 2, of the difference 2, so half the runs will do."""
    rng = Random(2)
    common = [rng.gauss(0, 1) for _ in range(5_000)]
    a, b = ([each + rng.gauss(0, 1) for each in common] for _ in range(2))
    assert paired(a, b).variance_reduction == pytest.approx(2.0, abs=0.2)
    independent = [rng.gauss(0, 2**0.5) for _ in common]
    assert paired(a, independent).variance_reduction == pytest.approx(1.0, abs=0.1)


def test_pairs_without_a_difference_are_left_out() -> None:
    difference = paired([1, nan, 3, inf, 4], [2, 5, nan, inf, 6])
    assert (difference.value, difference.n, difference.missing) == (1.5, 2, 3)


def test_an_infinite_difference_has_no_bounds() -> None:
    difference = paired([1, 2, 3], [2, inf, 4])
    assert (difference.value, difference.low, difference.high) == (inf, -inf, inf)
    assert isnan(difference.p_value)
    assert isnan(difference.variance_reduction)
    assert not difference.significant


@pytest.mark.parametrize(
    ("a", "b", "p_value", "reduction"),
    [
        ([1, 2, 3], [2, 3, 4], 0.0, inf),
        ([1, 2, 3], [1, 2, 3], 1.0, inf),
        ([1, 1], [1, 1], 1.0, nan),
        ([1, 1], [2, 2], 0.0, nan),
        ([1], [2], nan, nan),
        ([], [], nan, nan),
    ],
)
def test_pairs_that_differ_alike(a: list[float], b: list[float], p_value: float, reduction: float) -> None:
    difference = paired(a, b)
    assert difference.p_value == pytest.approx(p_value, nan_ok=True)
    assert difference.variance_reduction == pytest.approx(reduction, nan_ok=True)


def test_p_values_of_no_difference_are_uniform() -> None:
    p_values = [paired(normal(8, 2 * seed), normal(8, 2 * seed + 1)).p_value for seed in range(1_000)]
    assert stats.kstest(p_values, "uniform").pvalue > 0.001


# ---------------------------------------------------------------- many comparisons


@pytest.mark.parametrize(
    ("given", "adjusted"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.05], [0.05]),
        ([0.5, 0.9], [1.0, 1.0]),
        ([0.02, 0.02, 0.02], [0.06, 0.06, 0.06]),
        ([nan, 0.01, nan, 0.02], [nan, 0.02, nan, 0.02]),
        ([0, 1], [0, 1]),
        ([nan], [nan]),
        ([], []),
    ],
)
def test_holm_by_hand(given: list[float], adjusted: list[float]) -> None:
    assert holm(given) == pytest.approx(adjusted, nan_ok=True)


def test_holm_keeps_the_order_and_lowers_nothing() -> None:
    rng = Random(4)
    given = [rng.random() ** 3 for _ in range(100)]
    adjusted = holm(given)
    assert all(after >= before for before, after in zip(given, adjusted, strict=True))
    in_order = [adjusted[place] for place in sorted(range(100), key=given.__getitem__)]
    assert all(before <= after for before, after in pairwise(in_order))
    assert max(adjusted) <= 1


def test_one_false_alarm_in_twenty_families() -> None:
    """Twenty comparisons each, nothing true: without adjustment 64 % of the families would raise an alarm."""
    rng = Random(6)
    families = [[rng.random() for _ in range(20)] for _ in range(2_000)]
    alarms = sum(min(holm(family)) <= 0.05 for family in families)
    assert within(alarms, 2_000, 1 - (1 - 0.05 / 20) ** 20)
    assert alarms / 2_000 < 0.06


# ---------------------------------------------------------------- nonsense


@pytest.mark.parametrize("confidence", [0, 1, -0.5, 95, nan, inf, "0.95", None, True])
@pytest.mark.parametrize(
    "ask",
    [
        lambda confidence: mean_interval([1, 2], confidence),
        lambda confidence: quantile_interval([1, 2], 0.5, confidence),
        lambda confidence: wilson(1, 2, confidence),
        lambda confidence: paired([1, 2], [2, 4], confidence),
    ],
)
def test_a_confidence_is_between_0_and_1(ask: Callable[[Any], Estimate], confidence: object) -> None:
    with pytest.raises(DeclarationError, match=r"^confidence: .* allowed: above 0, below 1, such as 0.95"):
        ask(confidence)


@pytest.mark.parametrize("values", ["123", b"12345678", {1: 2}, {1, 2}, None, 7, 1.5])
def test_values_are_a_series(values: Any) -> None:
    with pytest.raises(DeclarationError, match=r"^values: .* is no series of numbers"):
        mean_interval(values)


@pytest.mark.parametrize("value", ["1", None, [1.0], 1j, 10**400])
def test_the_value_that_is_no_number_is_named(value: Any) -> None:
    with pytest.raises(DeclarationError, match=r"^values\[1\]: .* is not a number"):
        quantile_interval([1.0, value], 0.5)


@pytest.mark.parametrize("q", [-0.1, 1.1, nan, "p99", True])
def test_a_quantile_is_a_share(q: Any) -> None:
    with pytest.raises(DeclarationError, match=r"^q: .* allowed: 0 to 1"):
        quantile_interval([1, 2], q)


@pytest.mark.parametrize(
    ("successes", "n", "message"),
    [
        (3, 2, "successes: 3 is not allowed; allowed: 0 to 2"),
        (-1, 2, "successes: -1 is not allowed; allowed: 0 to 2"),
        (1.5, 2, "successes: 1.5 is not a whole number; allowed: 0 to 2"),
        (0, -1, "n: -1 is not allowed; allowed: 0 or more"),
        (0, True, "n: True is not a number; allowed: 0 or more"),
    ],
)
def test_successes_are_some_of_the_tries(successes: Any, n: Any, message: str) -> None:
    with pytest.raises(DeclarationError) as error:
        wilson(successes, n)
    assert str(error.value) == message


def test_pairs_have_two_values() -> None:
    with pytest.raises(DeclarationError, match=r"^b: 2 values; allowed: as many as a has, which are 3, in pairs"):
        paired([1, 2, 3], [1, 2])


@pytest.mark.parametrize("value", [-0.1, 1.1, inf])
def test_a_p_value_is_a_probability(value: float) -> None:
    with pytest.raises(DeclarationError, match=r"^p_values\[1\]: .* allowed: 0 to 1, or NaN"):
        holm([0.5, value])


def test_without_scipy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(MissingExtra, match=r"this needs scipy.*msgsim\[study\]"):
        mean_interval([1, 2])
    assert holm([0.01, 0.02]) == [0.02, 0.02]
