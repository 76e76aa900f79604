"""The Pareto front: of many designs, those that no other one beats in everything."""

from collections.abc import Iterable, Sequence
from math import isnan
from typing import Any, TypeVar

from msgsim.errors import DeclarationError
from msgsim.study.estimates import as_numbers

Point = TypeVar("Point", bound=Sequence[object])


def front(points: Iterable[Point]) -> list[Point]:
    """The designs for which no other is as good in all costs and better in one.

    Costs are numbers of which less is better, such as dollars a month and a p99; turn the sign of what should be large.
    Designs that are equal in all costs are all on the front or none is. NaN is no answer: a design with one is not on
    the front, and beats nobody. An infinite cost is worse than any other, and as bad as another infinite one.

    >>> front([(2, 300.0, 40.0), (4, 500.0, 9.0), (6, 700.0, 12.0), (8, 900.0, 2.0)])
    [(2, 300.0, 40.0), (4, 500.0, 9.0), (8, 900.0, 2.0)]

    Args:
        points: rows of what the design is, which can be anything, and its costs, one or more; as many in each.

    Returns:
        The rows on the front as they are, by their costs: the first one first. Rows that tie stay in the order given.
        Cost: O(rows x those on the front).

    Raises:
        DeclarationError: says which row is none, or which cost is not a number.
    """
    rows = [(_costs(f"points[{place}]", point), point) for place, point in enumerate(points)]
    for place, (costs, _) in enumerate(rows):
        if len(costs) != len(rows[0][0]):
            problem = f"{len(costs)} as the number of costs; allowed: {len(rows[0][0])}, as in the first row"
            raise DeclarationError(f"points[{place}]", problem)
    kept: list[tuple[tuple[float, ...], Point]] = []
    # In this order, what beats a row comes before it, and if anything does, so does something that nothing beats.
    for costs, point in sorted((row for row in rows if not any(map(isnan, row[0]))), key=lambda row: row[0]):
        if not any(_beats(other, costs) for other, _ in kept):
            kept.append((costs, point))
    return [point for _, point in kept]


def _beats(costs: tuple[float, ...], others: tuple[float, ...]) -> bool:
    return costs != others and all(mine <= theirs for mine, theirs in zip(costs, others, strict=True))


def _costs(path: str, point: Sequence[object]) -> tuple[float, ...]:
    if isinstance(point, (str, bytes)) or not isinstance(point, Sequence) or len(point) < 2:  # noqa: PLR2004 - and costs
        problem = f"{point!r} is no row; allowed: what the design is, and then its costs, one or more"
        raise DeclarationError(path, problem)
    costs: Any = [0.0, *point[1:]]  # in the place of the design, so that errors count as the row does
    return tuple(as_numbers(path, costs)[1:])
