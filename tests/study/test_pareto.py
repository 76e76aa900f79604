import doctest
from itertools import permutations
from math import inf, nan
from random import Random
from typing import Any

import pytest

from msgsim.errors import DeclarationError
from msgsim.study import pareto
from msgsim.study.pareto import front

Row = tuple[Any, ...]


def test_the_example_in_the_docstring_holds() -> None:
    assert doctest.testmod(pareto) == (0, 1)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([], []),
        ([("a", 1, 1)], ["a"]),
        ([("a", 1, 2), ("b", 2, 1)], ["a", "b"]),
        ([("a", 1, 2), ("b", 1, 1)], ["b"]),
        ([("a", 1, 1), ("b", 2, 2), ("c", 1, 1)], ["a", "c"]),
        ([("a", 2, 1), ("b", 1, 1), ("c", 1, 2)], ["b"]),
        ([("a", 1, nan), ("b", 2, 2), ("c", nan, 0)], ["b"]),
        ([("a", nan, nan)], []),
        ([("a", 1, inf), ("b", 2, inf), ("c", 3, 5)], ["a", "c"]),
        ([("a", inf, inf), ("b", inf, inf)], ["a", "b"]),
        ([("a", -5, 1), ("b", -4, 0)], ["a", "b"]),
        ([("a", 3), ("b", 1), ("c", 2), ("d", 1)], ["b", "d"]),
        ([("a", 0.0, 1), ("b", -0.0, 1)], ["a", "b"]),
        ([({"workers": 3}, 1, 1)], [{"workers": 3}]),
    ],
)
def test_what_nothing_beats(points: list[Row], expected: list[Any]) -> None:
    assert [name for name, *_ in front(points)] == expected


def test_rows_come_back_as_they_are() -> None:
    points = [[1, 2, 3], (0, 5, 1)]
    first, second = front(points)
    assert first is points[0]
    assert second is points[1]
    assert front(iter(points)) == points


def test_the_order_of_rows_makes_no_difference() -> None:
    points = [("a", 1, 4), ("b", 2, 2), ("c", 3, 3), ("d", 4, 1)]
    assert all(front(order) == [points[0], points[1], points[3]] for order in permutations(points))


@pytest.mark.parametrize("costs", [1, 2, 3, 4])
def test_it_is_the_front_by_its_definition(costs: int) -> None:
    rng = Random(costs)
    for _ in range(30):
        points = [(place, *(rng.randrange(6) for _ in range(costs))) for place in range(40)]
        beaten = {
            one[0]
            for one in points
            for other in points
            if other[1:] != one[1:] and all(theirs <= mine for theirs, mine in zip(other[1:], one[1:], strict=True))
        }
        assert {place for place, *_ in front(points)} == set(range(40)) - beaten


@pytest.mark.parametrize("point", [7, "abc", b"abc", (1,), (), None, {1: 2, 3: 4}])
def test_a_row_is_a_design_and_its_costs(point: Any) -> None:
    with pytest.raises(DeclarationError, match=r"^points\[1\]: .* is no row; allowed: what the design is, and then"):
        front([(1, 2, 3), point])


def test_rows_have_as_many_costs() -> None:
    with pytest.raises(DeclarationError) as error:
        front([(1, 2, 3), (1, 2)])
    assert str(error.value) == "points[1]: 1 as the number of costs; allowed: 2, as in the first row"


def test_a_cost_is_a_number() -> None:
    with pytest.raises(DeclarationError) as error:
        front([(1, 2, 3), (1, 2, "3 $")])
    assert str(error.value) == "points[1][2]: '3 $' is not a number; allowed: floats and NaN"
