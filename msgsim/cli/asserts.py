"""What `--assert` gives a pipeline: whether objectives are met, as lines and as an exit status."""

import sys
from collections.abc import Iterable, Sequence
from math import isfinite, isnan
from typing import Any

from msgsim.cli.app import FINE, NOT_MET
from msgsim.cli.options import about
from msgsim.cli.words import complain
from msgsim.run import Run
from msgsim.scenario import Scenario
from msgsim.study.estimates import Estimate
from msgsim.study.measures import measures
from msgsim.study.objectives import Objective, parse
from msgsim.study.results import Study
from msgsim.study.verdicts import Verdict

MORE = "more replications may tell"


def read_objectives(written: Sequence[str], scenarios: Iterable[Scenario], option: str = "--assert") -> list[Objective]:
    """Objectives, with the metrics' own names.

    Args:
        written: as in the option.
        scenarios: that must all have what the objectives are about.
        option: where they stand.

    Raises:
        UnknownName, DeclarationError: one is none, or is about what some scenario does not have.
    """
    with about(option):
        found = [parse(each) for each in written]
        for scenario in scenarios:
            found = [each.check(scenario) for each in found]
    return found


def judge_run(run: Run, objectives: Sequence[Objective], *, quiet: bool) -> int:
    """Say whether one run meets objectives, by its values.

    Returns:
        The exit status.
    """
    if not objectives:
        return FINE
    found = measures(run)
    status = FINE
    for objective in objectives:
        met = objective.met_by(found)
        details = "; ".join(f"{term}: {_shown(found[term.key])}" for term in objective.terms)
        if not quiet:
            sys.stdout.write(f"{'met' if met else 'not met'}: {details}\n")
        if not met:
            status = complain(f"--assert: not met in this run: {details}", NOT_MET)
    return status


def _shown(value: float) -> str:
    return "nothing to look at" if isnan(value) else f"{value:.6g}"


def judge_study(study: Study, objectives: Sequence[Objective], confidence: float) -> list[Verdict]:
    """Verdicts of each objective at each design point."""
    return [verdict for each in objectives for verdict in study.judge(each, confidence=confidence)]


def blame(verdicts: Sequence[Verdict]) -> int:
    """Say which objectives are not met, and where.

    Returns:
        The exit status.
    """
    status = FINE
    for verdict in verdicts:
        if not verdict.met:
            measured = all(isfinite(estimate.value) for estimate in verdict.estimates)
            hint = f"; {MORE}" if measured and not verdict.missed else ""
            status = complain(f"--assert: {verdict}{hint}", NOT_MET)
    return status


def verdict_dict(verdict: Verdict) -> dict[str, Any]:
    """A verdict as plain data."""
    return {
        "at": {
            path: value if isinstance(value, (str, int, float)) else repr(value)
            for path, value in verdict.point.levels.items()
        },
        "objective": str(verdict.objective),
        "state": "met" if verdict.met else "not met" if verdict.missed else "not sure",
        "terms": [{"term": str(term), **estimate_dict(estimate)} for term, estimate in verdict.terms],
    }


def estimate_dict(estimate: Estimate) -> dict[str, Any]:
    """An estimate as plain data; None is what is not finite."""
    numbers = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    return {**{name: value if isfinite(value) else None for name, value in numbers.items()}, "n": estimate.n}
