"""Design points: which scenarios a study runs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import attrs

from msgsim.declare import check_number, plain
from msgsim.errors import DeclarationError, MissingExtra
from msgsim.scenario import Scenario

ALTERNATIVE = "alternative"
"""The column that tells alternatives apart, beside the columns of paths."""


@attrs.frozen
class Point:
    """One design point.

    Attributes:
        levels: values by path, and under "alternative" the name of one, if there are several.
        scenario: with these values.
    """

    levels: Mapping[str, Any]
    scenario: Scenario

    @property
    def key(self) -> str:
        """The same for equal values, whatever their order, in any process."""
        return "; ".join(f"{path}={plain(value)!r}" for path, value in sorted(self.levels.items()))

    def __str__(self) -> str:
        return ", ".join(f"{path}={brief(value)}" for path, value in self.levels.items()) or "as declared"


def brief(value: object) -> str:
    """A value of a design in few letters."""
    value = plain(value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def labels(points: Iterable[Point]) -> list[str]:
    """Points in few letters, for pictures: of a path its end, if that tells it from the others.

    >>> from msgsim import Scenario
    >>> labels([Point({"alternative": "now", "workers.w.count": 3}, Scenario(horizon=1.0))])
    ['now, count=3']
    """
    every = list(points)
    paths = list(dict.fromkeys(path for point in every for path in point.levels))
    ends = [path.rpartition(".")[2] for path in paths]
    names = {path: end if ends.count(end) == 1 else path for path, end in zip(paths, ends, strict=True)}
    return [
        ", ".join(_labelled(names[path], value) for path, value in point.levels.items()) or str(point)
        for point in every
    ]


def _labelled(name: str, value: object) -> str:
    return brief(value) if name == ALTERNATIVE else f"{name}={brief(value)}"


def grid(
    alternatives: Mapping[str, Scenario],
    samples: Sequence[Mapping[str, Any]],
    factors: Mapping[str, Sequence[Any]],
) -> list[Point]:
    """All combinations of alternatives, sampled points and the values of factors; the last factor changes fastest.

    Args:
        alternatives: scenarios by name; a single one under "" is not told apart by a column.
        samples: values by path of each sampled point; one without any if nothing is sampled.
        factors: the values of each path.

    Raises:
        DeclarationError: a combination is not allowed; says which.
        UnknownName: a path does not exist.
    """
    made = []
    for name, scenario in alternatives.items():
        for sample in samples:
            for values in product(*factors.values()):
                changes = {**sample, **dict(zip(factors, values, strict=True))}
                labels = {ALTERNATIVE: name} if name else {}
                made.append(Point({**labels, **changes}, changed(scenario, changes)))
    return made


def changed(scenario: Scenario, changes: Mapping[str, Any]) -> Scenario:
    """A scenario with other values at some paths, in their order.

    Raises:
        DeclarationError: the values are not allowed, or not together.
        UnknownName: a path does not exist.
    """
    for path, value in changes.items():
        scenario = scenario.vary(path, value)
    return scenario


def latin_hypercube(ranges: Mapping[str, tuple[float, float]], points: int, seed: int) -> list[dict[str, Any]]:
    """Points that spread over some ranges: each of `points` equal slices of each range has one of them.

    Args:
        ranges: lowest and highest value by path; whole numbers if both are.
        points: how many.
        seed: of their places.

    Raises:
        DeclarationError: a range is empty or not of numbers, or there are no points.
        MissingExtra: scipy is not installed.
    """
    check_number("points", points, low=1, integer=True)
    if not isinstance(ranges, Mapping) or not ranges:
        raise DeclarationError("ranges", f"{ranges!r} has no path with a lowest and a highest value")
    for path, given in ranges.items():
        _check_range(path, given)
    try:
        from scipy.stats import qmc  # noqa: PLC0415 - heavy, and an extra
    except ImportError as missing:
        raise MissingExtra("scipy", "study") from missing
    drawn = qmc.LatinHypercube(d=len(ranges), rng=seed).random(points)
    return [
        {path: _within(given, share) for (path, given), share in zip(ranges.items(), row, strict=True)}
        for row in drawn.tolist()
    ]


def _check_range(path: str, given: object) -> None:
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) != 2:  # noqa: PLR2004 - low and high
        raise DeclarationError(path, f"{given!r} is not a range; allowed: (lowest, highest)")
    for bound in given:
        check_number(path, bound, low=float("-inf"))
    if not given[0] < given[1]:
        raise DeclarationError(path, f"{given!r} is an empty range; allowed: (lowest, highest)")


def _within(given: tuple[float, float], share: float) -> float:
    low, high = (plain(bound) for bound in given)
    if isinstance(low, int) and isinstance(high, int):
        return min(high, low + int(share * (high - low + 1)))
    return float(low + share * (high - low))


def repeated(values: Sequence[Any]) -> int | None:
    """The place of the first value that is there before; None if all are different.

    Cost: O(values), or their square where they cannot be hashed.
    """
    seen: set[Any] = set()
    for place, value in enumerate(values):
        try:
            if value in seen:
                return place
            seen.add(value)
        except TypeError:
            if any(same(value, other) for other in values[:place]):
                return place
    return None


def matching(points: Iterable[Point], at: Mapping[str, Any] | None) -> Iterator[int]:
    """The places of the points that have some values; all for None."""
    for place, point in enumerate(points):
        if all(path in point.levels and same(point.levels[path], value) for path, value in (at or {}).items()):
            yield place


def same(one: Any, other: Any) -> bool:
    """Whether two values of a design are the same; numbers of another library are numbers."""
    try:
        return bool(plain(one) == plain(other))
    except ValueError:  # such as arrays, which are no values of a design
        return False
