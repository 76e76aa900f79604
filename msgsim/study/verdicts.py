"""Verdicts: whether a design point meets an objective, by intervals."""

from collections.abc import Mapping, Sequence
from math import isinf

import attrs

from msgsim.study.design import Point
from msgsim.study.estimates import Estimate, mean_interval
from msgsim.study.measures import Key
from msgsim.study.objectives import Objective, Term


@attrs.frozen(kw_only=True)
class Verdict:
    """Whether a design point meets an objective.

    Attributes:
        point: which.
        objective: with the metrics' own names.
        estimates: of each of its terms.
    """

    point: Point
    objective: Objective
    estimates: tuple[Estimate, ...]

    @property
    def met(self) -> bool:
        """Whether the whole interval of each term meets it, and no replication had nothing to measure.

        What no run has been made of is not met, and not missed.
        """
        return not self.lacking

    @property
    def missed(self) -> bool:
        """Whether the whole interval of some term does not meet it; if neither is so, more replications may tell."""
        return any(_missed(term, estimate) for term, estimate in self.terms)

    @property
    def lacking(self) -> list[tuple[Term, Estimate]]:
        """Terms that are not met, with their estimates."""
        return [
            (term, estimate)
            for term, estimate in self.terms
            if estimate.missing or not term.met_by_all(estimate.low, estimate.high)
        ]

    @property
    def terms(self) -> list[tuple[Term, Estimate]]:
        """Terms and their estimates."""
        return list(zip(self.objective.terms, self.estimates, strict=True))

    def __str__(self) -> str:
        word = "met" if self.met else "not met" if self.missed else "not sure"
        details = "; ".join(f"{term}: {_in_words(estimate)}" for term, estimate in self.terms)
        return f"{self.point}: {word}: {details}"


def _in_words(estimate: Estimate) -> str:
    return str(estimate) if estimate.n or estimate.missing else "no run has finished"


def _missed(term: Term, estimate: Estimate) -> bool:
    """Whether nothing of the interval meets a term; an infinite mean has no interval, and more runs cannot mend it."""
    if isinf(estimate.value):
        return not term.met_by(estimate.value)
    return not term.met_by(estimate.low if term.bounded_above else estimate.high)


def judged(objective: Objective, point: Point, values: Mapping[Key, Sequence[float]], confidence: float) -> Verdict:
    """Judge a design point.

    Args:
        objective: what it must hold.
        point: which.
        values: the replications' values, by measure.
        confidence: of the intervals.

    Raises:
        UnknownName, DeclarationError: the objective asks for what the scenario does not have.
    """
    checked = objective.check(point.scenario)
    return Verdict(
        point=point,
        objective=checked,
        estimates=tuple(mean_interval(values[term.key], confidence) for term in checked.terms),
    )
