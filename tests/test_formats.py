import doctest
from collections.abc import Callable
from math import inf, nan

import pytest

from msgsim import formats
from msgsim.formats import NO_VALUE, count, counted, duration, exactly, share, significant


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(formats).failed == 0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (1e-6, "0.00100 ms"),
        (0.000644, "0.644 ms"),
        (0.09999, "100 ms"),
        (0.1, "0.100 s"),
        (0.123, "0.123 s"),
        (9.999, "10.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (245, "4 min 05 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 00 min"),
        (7380, "2 h 03 min"),
        (86_369, "23 h 59 min"),
        (86_371, "1 d 00 h"),
        (400 * 86_400, "400 d 00 h"),
        (4000 * 86_400, "4,000 d 00 h"),
    ],
)
def test_durations_have_two_units_and_carry_over(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize("shown", [duration, count, share, significant])
@pytest.mark.parametrize("value", [nan, inf])
def test_what_is_not_there_is_a_dash(shown: Callable[[float], str], value: float) -> None:
    assert shown(value) == NO_VALUE


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0"), (0.000278, "0.000278"), (9.996, "10.0"), (0.9996, "1.00"), (1234.5, "1,234"), (1e7, "10,000,000")],
)
def test_three_digits_and_no_exponent(value: float, words: str) -> None:
    assert significant(value) == words


def test_shares() -> None:
    assert [share(value) for value in (0, 0.0004, 0.0005, 1)] == ["0.0 %", "< 0.1 %", "0.1 %", "100.0 %"]


def test_nouns_agree_with_their_numbers() -> None:
    assert [counted(number, "event") for number in (0, 1, 1234)] == ["0 events", "1 event", "1,234 events"]


def test_exact_times_lose_nothing() -> None:
    assert [exactly(value) for value in (0.0, 0.25, 90.0, 7380.5)] == [
        "0 s",
        "0.25 s",
        "90 s",
        "7,380.5 s (2 h 03 min)",
    ]
