"""Comparison: what changes between two design points, and which of it is more than chance."""

from collections.abc import Mapping, Sequence

import attrs

from msgsim.study.design import Point, labels
from msgsim.study.estimates import Difference, Estimate, holm, mean_interval, paired
from msgsim.study.grids import as_html, as_text
from msgsim.study.measures import Key


@attrs.frozen(kw_only=True)
class Row:
    """One measure of both.

    Attributes:
        entity, measure: which.
        a, b: estimates of each.
        difference: of b - a, from pairs with common random numbers.
        p_value: of the difference, adjusted for the number of measures that are compared (Holm).
    """

    entity: str
    measure: str
    a: Estimate
    b: Estimate
    difference: Difference
    p_value: float


@attrs.frozen(kw_only=True, repr=False)
class Comparison:
    """Two design points, measure by measure.

    Attributes:
        a, b: the points.
        rows: the measures.
        confidence: of each interval by itself.
    """

    a: Point
    b: Point
    rows: Sequence[Row]
    confidence: float

    @property
    def changed(self) -> list[Row]:
        """What has changed by more than chance, all measures taken together: adjusted p-value up to 1 - confidence."""
        return [row for row in self.rows if row.p_value <= 1 - self.confidence]

    def __repr__(self) -> str:
        one, other = labels((self.a, self.b))
        return f"<Comparison of {one} and {other}: {len(self.changed)} of {len(self.rows)} measures differ>"

    def __str__(self) -> str:
        one, other = labels((self.a, self.b))
        title = f"from {one} to {other}: {self.confidence:.4g} confidence, adjusted p-values"
        return f"{title}\n{as_text(_HEADS, self._cells())}"

    def _repr_html_(self) -> str:
        one, other = labels((self.a, self.b))
        return as_html(_HEADS, self._cells(), f"From {one} (a) to {other} (b)")

    def _cells(self) -> list[list[str]]:
        return [
            [
                f"{row.entity}.{row.measure}",
                f"{row.a.value:.4g}",
                f"{row.b.value:.4g}",
                f"{row.difference.value:+.4g} [{row.difference.low:+.4g}, {row.difference.high:+.4g}]",
                f"{row.p_value:.2g}",
            ]
            for row in self.rows
        ]


_HEADS = ("measure", "a", "b", "b - a", "p")


def compared(
    a: Point, b: Point, pairs: Mapping[Key, tuple[Sequence[float], Sequence[float]]], confidence: float
) -> Comparison:
    """Compare two design points.

    Args:
        a: the one point.
        b: the other.
        pairs: by measure, the values of each replication at both.
        confidence: of the intervals.
    """
    differences = {key: paired(first, second, confidence) for key, (first, second) in pairs.items()}
    adjusted = holm([difference.p_value for difference in differences.values()])
    rows = [
        Row(
            entity=key[0],
            measure=key[1],
            a=mean_interval(pairs[key][0], confidence),
            b=mean_interval(pairs[key][1], confidence),
            difference=difference,
            p_value=p_value,
        )
        for (key, difference), p_value in zip(differences.items(), adjusted, strict=True)
    ]
    return Comparison(a=a, b=b, rows=rows, confidence=confidence)
