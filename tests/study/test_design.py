import sys

import pytest

import msgsim as ms
from msgsim.errors import DeclarationError, MissingExtra, UnknownName
from msgsim.study.design import Point, grid, labels, latin_hypercube, matching


def test_a_grid_has_every_combination_and_the_last_factor_changes_fastest(desk: ms.Scenario) -> None:
    factors = {"workers.w.count": [1, 2], "workers.w.batch_size": [1, 10]}
    points = grid({"": desk}, [{}], factors)
    assert [tuple(point.levels.values()) for point in points] == [(1, 1), (1, 10), (2, 1), (2, 10)]
    assert points[1].scenario.workers["w"].batch_size == 10
    assert str(points[1]) == "workers.w.count=1, workers.w.batch_size=10"
    assert str(Point({}, desk)) == "as declared"


def test_labels_are_as_long_as_it_takes_to_tell_paths_apart(desk: ms.Scenario) -> None:
    levels = {"alternative": "now", "workers.w.count": 2, "queues.q.delay": 1.50, "queues.r.delay": None}
    named = labels([Point(levels, desk), Point({}, desk)])
    assert named == ["now, count=2, queues.q.delay=1.5, queues.r.delay=None", "as declared"]


def test_the_key_of_a_point_does_not_depend_on_the_order_of_its_paths(desk: ms.Scenario) -> None:
    assert Point({"a": 1, "b": 2.5}, desk).key == Point({"b": 2.5, "a": 1}, desk).key
    assert Point({"a": 1}, desk).key != Point({"a": 2}, desk).key


def test_numbers_of_another_library_are_the_same_values(desk: ms.Scenario) -> None:
    np = pytest.importorskip("numpy")
    assert Point({"a": np.int64(3)}, desk).key == Point({"a": 3}, desk).key
    assert list(matching([Point({"a": 3}, desk)], {"a": np.int64(3)})) == [0]


def test_a_hypercube_has_one_point_in_each_slice_of_each_range() -> None:
    points = latin_hypercube({"a": (0.0, 1.0), "b": (1, 20)}, 20, seed=5)
    assert sorted(int(point["a"] * 20) for point in points) == list(range(20))
    assert sorted(point["b"] for point in points) == list(range(1, 21))
    assert points == latin_hypercube({"a": (0.0, 1.0), "b": (1, 20)}, 20, seed=5)
    assert points != latin_hypercube({"a": (0.0, 1.0), "b": (1, 20)}, 20, seed=6)


@pytest.mark.parametrize(
    ("ranges", "points", "said"),
    [
        ({}, 5, "has no path"),
        ("a", 5, "has no path"),
        ({"a": (1, 1)}, 5, "empty range"),
        ({"a": (1, float("nan"))}, 5, "is not allowed"),
        ({"a": [1]}, 5, "is not a range"),
        ({"a": "12"}, 5, "is not a range"),
        ({"a": (1, 2)}, 0, "0 is not allowed"),
        ({"a": (1, 2)}, 2.5, "not a whole number"),
    ],
)
def test_a_hypercube_refuses(ranges: object, points: object, said: str) -> None:
    with pytest.raises(DeclarationError, match=said):
        latin_hypercube(ranges, points, seed=1)  # type: ignore[arg-type]


def test_a_hypercube_needs_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(MissingExtra, match=r"msgsim\[study\]"):
        latin_hypercube({"a": (0, 1)}, 2, seed=1)


def test_a_combination_that_is_not_allowed_is_named(desk: ms.Scenario) -> None:
    with pytest.raises(DeclarationError, match=r"workers\.w\.count"):
        grid({"": desk}, [{}], {"workers.w.count": [1, -1]})
    with pytest.raises(UnknownName, match="mailers"):
        grid({"": desk}, [{}], {"workers.mailers.count": [1]})


def test_arrays_are_no_values_of_a_design(desk: ms.Scenario) -> None:
    np = pytest.importorskip("numpy")
    with pytest.raises(DeclarationError, match="count"):
        ms.Experiment(desk).vary("workers.w.count", np.array([[1, 2], [3, 4]])).points()
