from random import Random

import pytest

from msgsim.errors import DeclarationError
from msgsim.study.estimates import student
from msgsim.study.rounds import of_each, rounds


@pytest.mark.parametrize(
    ("given", "sizes"),
    [
        ((10,), (10, 20, 40)),
        ((3,), (3, 6, 12)),
        ((10, 10), (10,)),
        ((10, 11), (10, 11)),
        ((10, 20), (10, 20)),
        ((10, 21), (10, 20, 21)),
        ((2, 100), (2, 4, 8, 16, 32, 64, 100)),
        ((5.0, 10.0), (5, 10)),
    ],
)
def test_each_round_is_twice_as_many_up_to_the_most(given: tuple[int, ...], sizes: tuple[int, ...]) -> None:
    assert rounds(*given) == sizes
    assert all(type(size) is int for size in rounds(*given))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((1,), r"replications: 1 is not allowed; allowed: 2 or more \(one has no interval\)"),
        ((2.5,), r"replications: 2\.5 is not a whole number"),
        (("10",), "replications: '10' is not a number"),
        ((10, 9), r"most: 9 is not allowed; allowed: 10 or more \(at least as many as replications\)"),
        ((10, 10.5), "most: 10.5 is not a whole number"),
        ((10, True), "most: True is not a number"),
        ((10, float("inf")), "most: inf is not allowed"),
    ],
)
def test_what_is_no_number_of_replications(given: tuple[int, ...], said: str) -> None:
    with pytest.raises(DeclarationError, match=said):
        rounds(*given)


def test_a_single_look_is_as_sure_as_was_asked_for() -> None:
    for confidence in (0.1, 0.9, 0.95, 0.99):
        assert of_each(confidence, 1) == confidence
        assert 4 * (1 - of_each(confidence, 4)) == pytest.approx(1 - confidence)


def test_an_interval_that_one_stops_at_holds_as_often_as_it_says() -> None:
    """Values whose mean is known: who stops at the first interval that leaves it out is wrong as rarely as was wanted.

    Of a thousand tries 5 % are 50, give or take 7. By a million it is 4.3 % if the error is split, and 11.9 % if not.
    """
    random, sizes, tries = Random(1), rounds(5), 1000
    samples = [[random.gauss(0.0, 1.0) for _ in range(sizes[-1])] for _ in range(tries)]

    def wrong(confidence: float) -> int:
        return sum(any(_leaves_out(sample[:size], confidence) for size in sizes) for sample in samples)

    assert wrong(of_each(0.95, len(sizes))) <= 50 + 2 * 7
    assert wrong(0.95) > 50 + 5 * 7, "which looks at 95 % each are not"


def _leaves_out(values: list[float], confidence: float) -> bool:
    mean, half = student(values, confidence)
    return abs(mean) > half
