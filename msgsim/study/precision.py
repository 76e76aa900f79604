"""Precision: how well a measure must be known before a study stops, and what is said if it is not by then."""

from collections.abc import Iterator
from math import inf, isfinite
from typing import TYPE_CHECKING, Any

import attrs

from msgsim.declare import number
from msgsim.formats import finite
from msgsim.study.design import Point
from msgsim.study.estimates import Estimate, as_confidence
from msgsim.study.sequential import COUNTABLE, grown, needed

if TYPE_CHECKING:
    from msgsim.study.results import Study


MOST = 1000
"""Replications at which it ends in any case, if nothing else is said."""


@attrs.frozen
class Precision:
    """How well a measure must be known; see `Experiment.stop_when`."""

    entity: str
    measure: str
    relative: float = number(0.05, kw_only=False)
    absolute: float = number(0.0, kw_only=False)
    confidence: float = attrs.field(default=0.95, converter=as_confidence)
    most: int = number(MOST, low=2, integer=True, kw_only=False)

    def __str__(self) -> str:
        wanted = [f"{100 * self.relative:.4g} % of its mean"] if self.relative else []
        if self.absolute or not wanted:
            wanted.append(f"{self.absolute:.4g}")
        return f"{self.entity}.{self.measure} within {' or '.join(wanted)} ({100 * self.confidence:.4g} %)"

    def next_after(self, study: "Study", done: int) -> int:
        """How many replications to have next; `done` if that many will do, or no number would."""
        wanted = done
        for each in self.shortfalls(study):
            if each.estimate.n < 2:  # noqa: PLR2004 - no interval yet: others may have something to measure
                wanted = max(wanted, grown(done, inf))
            elif isfinite(each.estimate.half_width):
                wanted = max(wanted, grown(done, each.required))
        return min(wanted, self.most)

    def shortfalls(self, study: "Study") -> "Iterator[Shortfall]":
        """The design points at which the measure is not known well enough, with what is known."""
        for point in study.points:
            estimate = study.estimate(self.entity, self.measure, point.levels, confidence=self.confidence)
            target = max(self.absolute, self.relative * abs(estimate.value))  # in this order: the mean may be NaN
            if not (isfinite(estimate.half_width) and estimate.half_width <= target):
                yield Shortfall(point, estimate, target)


@attrs.frozen
class Shortfall:
    """A design point at which a measure is not known as well as wanted.

    Attributes:
        point: which.
        estimate: what is known.
        target: the half width that was wanted, for the value as it turned out.
    """

    point: Point
    estimate: Estimate
    target: float

    @property
    def required(self) -> float:
        """Replications that the target needs by what is known so far; infinite if no number would do."""
        return needed(self.estimate, self.target)

    def __str__(self) -> str:
        estimate = self.estimate
        found = f"{self.point}: {estimate}"
        if estimate.n < 2:  # noqa: PLR2004 - there is no interval of one
            return f"{found}: there is no interval of so few values"
        if not isfinite(estimate.half_width):
            return f"{found}: no number of replications gives an interval"
        enough = (
            f"about {self.required:,.0f} replications would do" if self.required < COUNTABLE else "no number would do"
        )
        return f"{found}: \N{PLUS-MINUS SIGN} {estimate.half_width:.3g}, not {self.target:.3g}; {enough}"

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers; None is what is not finite."""
        estimate = self.estimate
        numbers = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
        return {**finite({**numbers, "target": self.target, "required": self.required}), "n": estimate.n}
