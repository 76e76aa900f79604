from collections.abc import Iterable
from math import inf, isnan, nan
from random import Random
from typing import Any

import pytest
from scipy import stats

from msgsim.errors import DeclarationError
from msgsim.study.estimates import mean_interval
from msgsim.study.sequential import Sequential, replicate_until


class Replications:
    """Values by replication, and which were asked for."""

    def __init__(self, values: Iterable[float]) -> None:
        self.values = list(values)
        self.asked: list[range] = []

    def __call__(self, wanted: range) -> list[float]:
        self.asked.append(wanted)
        return [self.values[number] for number in wanted]


def normal(spread: float, seed: int = 1, n: int = 2_000) -> Replications:
    rng = Random(seed)
    return Replications(rng.gauss(10, spread) for _ in range(n))


def test_the_first_round_may_be_enough() -> None:
    replicate = normal(0.1)
    result = replicate_until(replicate)
    assert replicate.asked == [range(10)]
    assert result.reached
    assert (result.n, result.required, result.values) == (10, 10, tuple(replicate.values[:10]))
    known = mean_interval(replicate.values[:10])
    assert (result.value, result.low, result.high, str(result)) == (known.value, known.low, known.high, str(known))


@pytest.mark.parametrize("relative", [0.2, 0.1, 0.05])
def test_rounds_go_on_until_it_is_known_well_enough(relative: float) -> None:
    replicate = normal(5)
    result = replicate_until(replicate, relative=relative)
    assert result.reached
    assert result.relative_half_width <= relative
    assert result.target == relative * result.value
    asked = [number for wanted in replicate.asked for number in wanted]
    assert asked == list(range(len(result.values)))  # each once, in order
    before = replicate.asked[-1].start
    if before:  # and not one round too many
        assert mean_interval(replicate.values[:before]).relative_half_width > relative


def test_a_round_at_most_doubles_their_number() -> None:
    replicate = normal(5)
    replicate_until(replicate, relative=0.01, most=100)
    assert replicate.asked == [range(10), range(10, 20), range(20, 40), range(40, 80), range(80, 100)]


def test_a_round_is_what_the_spread_asks_for() -> None:
    """Half widths go with 1 / sqrt(n): from 10 replications 15 is a guess of what is needed, and not 20."""
    values = [9.0, 11.0] * 5
    half = mean_interval(values).half_width
    replicate = Replications(values * 10)
    replicate_until(replicate, relative=0.0, absolute=half / 1.5**0.5)
    assert replicate.asked[1] == range(10, 15)


def test_at_the_end_it_says_what_it_would_take() -> None:
    replicate = normal(5)
    result = replicate_until(replicate, relative=0.01, most=100)
    assert not result.reached
    assert result.n == len(result.values) == 100
    assert result.required == pytest.approx(100 * (result.half_width / result.target) ** 2, abs=1)
    wanted = f"not within {result.target:.3g} as wanted: about {result.required:,.0f} replications would"
    assert str(result) == f"{mean_interval(result.values)}; {wanted}"


def test_what_it_would_take_is_about_right() -> None:
    asked = replicate_until(normal(5), relative=0.05, most=100).required
    taken = replicate_until(normal(5, n=5_000), relative=0.05, most=5_000).n
    assert asked == pytest.approx(taken, rel=0.25)


def test_a_mean_of_zero_has_an_absolute_target() -> None:
    rng = Random(3)
    values = [rng.gauss(0, 1) for _ in range(400)]
    assert not replicate_until(Replications(values), most=100).reached
    result = replicate_until(Replications(values), absolute=0.25)
    assert result.reached
    assert result.half_width <= result.target == 0.25


def test_equal_values_are_known_at_once() -> None:
    result = replicate_until(Replications([0.0] * 10))
    assert (result.reached, result.value, result.half_width, result.target) == (True, 0.0, 0.0, 0.0)


def test_no_target_is_reached_by_equal_values_alone() -> None:
    assert replicate_until(Replications([3.0] * 10), relative=0, absolute=0).reached
    result = replicate_until(normal(1), relative=0, most=30)
    assert (result.reached, result.required) == (False, inf)
    assert str(result).endswith("; not within 0 as wanted: no number would")


@pytest.mark.parametrize("small", [1e-200, 1e-7, 0.0])
def test_a_target_out_of_reach_is_said_to_be(small: float) -> None:
    """The mean is next to nothing and the spread is not."""
    result = replicate_until(Replications([-1.0, 1.0 + small] * 10), most=20, relative=1e-9)
    assert not result.reached
    assert result.required > 1e20
    assert str(result).endswith("as wanted: no number would")


def test_an_infinite_value_ends_it() -> None:
    replicate = Replications([1.0, 2.0, inf, *[1.0] * 100])
    result = replicate_until(replicate)
    assert replicate.asked == [range(10)]
    assert (result.reached, result.value, result.required) == (False, inf, inf)
    assert isnan(replicate_until(Replications([inf, -inf, *[1.0] * 8])).value)


def test_replications_without_a_value_count_as_run() -> None:
    replicate = Replications([nan] * 30 + [9.0, 11.0] * 500)
    result = replicate_until(replicate)
    assert result.reached
    assert result.missing == 30
    assert result.n + result.missing == len(result.values)
    nothing = replicate_until(Replications([nan] * 40), most=40)
    assert (nothing.reached, nothing.n, nothing.missing, nothing.required) == (False, 0, 40, inf)
    assert nothing.target == 0.0


def test_rounds_are_multiples_of_a_step_but_for_the_last() -> None:
    replicate = normal(5)
    replicate_until(replicate, relative=0.01, first=6, most=50, step=4)
    assert [wanted.stop for wanted in replicate.asked] == [8, 16, 32, 50]
    replicate = normal(0.1)
    replicate_until(replicate, first=6, step=4)
    assert replicate.asked == [range(8)]


def test_the_first_round_may_be_the_only_one() -> None:
    replicate = normal(5)
    result = replicate_until(replicate, first=10, most=10, step=4)
    assert replicate.asked == [range(10)]
    assert not result.reached


def test_intervals_at_the_end_still_cover() -> None:
    """A little less than 95 %: it ends where the interval is narrow, which chance helps with."""
    results = [replicate_until(normal(3, seed, n=200), relative=0.1) for seed in range(300)]
    assert all(result.reached for result in results)
    covered = sum(result.low <= 10 <= result.high for result in results)
    low, high = stats.binom(300, 0.93).interval(0.999)
    assert low <= covered <= high


@pytest.mark.parametrize("given", [[1.0, 2.0], [1.0] * 11, []])
def test_one_value_for_each(given: list[float]) -> None:
    with pytest.raises(DeclarationError) as error:
        replicate_until(lambda _: given)
    assert str(error.value) == (
        f"replicate: {len(given)} values for replications 0 to 9; allowed: one for each, NaN for none"
    )


@pytest.mark.parametrize("given", [None, "1234567890", [1.0] * 9 + ["x"]])
def test_values_are_numbers(given: Any) -> None:
    with pytest.raises(DeclarationError, match=r"^replicate(\[9\])?: .* is no"):
        replicate_until(lambda _: given)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"relative": -0.1}, "relative: -0.1 is not allowed; allowed: 0 or more"),
        ({"absolute": nan}, "absolute: nan is not allowed; allowed: 0 or more"),
        ({"first": 1}, "first: 1 is not allowed; allowed: 2 or more"),
        ({"first": 20, "most": 10}, "most: 10 is not allowed; allowed: 20 or more"),
        ({"most": 10.5}, "most: 10.5 is not a whole number; allowed: 10 or more"),
        ({"step": 0}, "step: 0 is not allowed; allowed: 1 or more"),
        ({"confidence": 1}, "confidence: 1 is not allowed; allowed: above 0, below 1, such as 0.95"),
    ],
)
def test_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(DeclarationError) as error:
        replicate_until(normal(1), **arguments)
    assert str(error.value) == message


def test_a_function_is_needed() -> None:
    with pytest.raises(DeclarationError, match=r"^replicate: \[1, 2\] is not a function"):
        replicate_until([1, 2])  # type: ignore[arg-type]


def test_the_result_is_an_estimate() -> None:
    result = replicate_until(normal(1))
    assert isinstance(result, Sequential)
    assert result.confidence == result.coverage == 0.95
