"""Sums are those of `fsum`, bit for bit, whoever adds them up."""

import struct
import sys
from array import array
from math import fsum, inf, nan
from random import Random
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from msgsim import sums
from msgsim.sums import exact_sum

WIDE = st.floats(allow_nan=False, allow_infinity=False)
TIMES = st.floats(0, 1e4) | st.floats(-1e-9, 1e-9)


@pytest.fixture
def by_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few there are, and in blocks of four."""
    monkeypatch.setattr(sums, "WORTH_IT", 1)
    monkeypatch.setattr(sums, "BITS", 2)


def bits(value: float) -> bytes:
    return struct.pack("d", value)


@pytest.mark.usefixtures("by_numpy")
@given(st.lists(TIMES, max_size=40) | st.lists(WIDE, max_size=20))
@example([2.0**-1074, -(2.0**-1074), 2.0**-1073])
@example([1e16, 1.0, -1e16])
@example([2.0**53, 1.0, 2.0**-1074])
@example([2.0**53, 1.0, -(2.0**-1074)])
@example([2.0**899, 2.0**-1074, -(2.0**899)])
@example([1.0, 2.0**-53, 2.0**-106, -(2.0**-106)])
@example([-1.0] * 4 + [0.5 - 2.0**-54] * 4)
@example([0.0, -0.0])
@example(
    [*[2.0**-51 * (1 + times * 2.0**-52) for times in (1, 1, 1, 2)], 0.75, -0.75, -(2.0**-49)]
)  # as large rests as can be
def test_it_is_what_fsum_has(values: list[float]) -> None:
    try:
        expected = fsum(values)
    except OverflowError:
        with pytest.raises(OverflowError):
            exact_sum(array("d", values))
    else:
        assert bits(exact_sum(array("d", values))) == bits(expected)


@pytest.mark.parametrize("spread", [0, 20, 60, 400])
def test_so_it_is_of_many(spread: int) -> None:
    random = Random(7)
    values = array("d", (random.gauss(0, 1) * 2.0 ** random.randint(-spread, spread) for _ in range(20_000)))
    assert exact_sum(values) == fsum(values)
    total = exact_sum(values)
    random.shuffle(values)
    assert exact_sum(values) == total


def test_parts_of_a_whole_block_of_the_largest_are_still_exact() -> None:
    almost_one = 1 - 2.0**-53
    values = array("d", [almost_one] * (2 << sums.BITS) + [2.0**-60] * 3 + [-almost_one] * (1 << sums.BITS))
    assert exact_sum(values) == fsum(values)
    assert exact_sum(array("d", [-1.0] * (1 << sums.BITS))) == -float(1 << sums.BITS)


@pytest.mark.usefixtures("by_numpy")
@pytest.mark.parametrize("values", [[inf, 1.0], [-inf, 3.0], [nan, 1.0], [1.0, nan, inf]])
def test_what_is_not_finite_stays_so(values: list[float]) -> None:
    assert bits(exact_sum(array("d", values))) == bits(fsum(values))


@pytest.mark.usefixtures("by_numpy")
def test_both_infinities_have_no_sum() -> None:
    with pytest.raises(ValueError, match="-inf"):
        exact_sum(array("d", [inf, -inf]))


@pytest.mark.usefixtures("by_numpy")
@pytest.mark.parametrize("large", [sums.LARGE, np.nextafter(sums.LARGE, 0), 2.0**1023])
def test_large_ones_are_left_to_fsum_before_they_overflow(large: float) -> None:
    assert exact_sum(array("d", [large, 1.0, -large / 2])) == fsum([large, 1.0, -large / 2])
    assert exact_sum(array("d", [-large, 1.0])) == fsum([-large, 1.0])


def test_it_is_the_same_without_numpy_and_does_not_load_it(monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(3)
    values = array("d", (random.expovariate(1) for _ in range(2_000)))
    expected = exact_sum(values)
    asked: list[str] = []
    monkeypatch.setattr(sums, "fsum", lambda each: asked.append("fsum") or fsum(each))
    monkeypatch.setattr(sums, "sys", SimpleNamespace(modules={name: None for name in sys.modules if name != "numpy"}))
    assert exact_sum(values) == expected == fsum(values)
    assert asked == ["fsum"]


@pytest.mark.parametrize(("few", "blocks"), [(1, 0), (0, 1)])
def test_a_few_are_added_up_at_once(few: int, blocks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    split: list[int] = []
    monkeypatch.setattr(np, "frombuffer", lambda values: split.append(1) or np.array(values))
    assert exact_sum(array("d", [0.1] * (sums.WORTH_IT - few))) == fsum([0.1] * (sums.WORTH_IT - few))
    assert len(split) == blocks


def test_the_values_stay_as_they_are() -> None:
    values = array("d", [0.1, 2.0**-70] * 1_000)
    before = values.tobytes()
    exact_sum(values)
    assert values.tobytes() == before
