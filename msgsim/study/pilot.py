"""A pilot study, to find the warm-up that an experiment needs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

from msgsim.errors import DeclarationError
from msgsim.study.design import Point
from msgsim.study.estimates import mean_of
from msgsim.study.executors import run_all
from msgsim.study.jobs import Failure, Job, Outcome
from msgsim.study.steady_state import truncation

if TYPE_CHECKING:
    from msgsim.study.experiment import Experiment

RUNS = 5
"""Replications of each design point in a pilot, at most."""

READINGS = 500
"""Of each run of a pilot: MSER-5 chooses among a fifth of them."""

GAUGES = ("visible", "in_flight", "delayed")


def longest_warm_up(experiment: "Experiment", points: Sequence[Point], executor: Any, n_jobs: int | None) -> float:
    """The longest warm-up that any design point needs, by MSER-5 on the messages in all its queues [s].

    The mean of a few replications is looked at, with no warm-up of their own. All design points have the same one, so
    that they are compared over the same time.

    Raises:
        DeclarationError: at some design point no end of the warm-up is to be seen: the horizon is too short for a
            steady state, or there is none, as with a spike; or the scenario has no queue.
    """
    length = experiment.length
    found: dict[tuple[int, int], Outcome] = {}
    failed: list[str] = []
    jobs = []
    for place, point in enumerate(points):
        if not point.scenario.queues:
            raise DeclarationError("warm_up", "'mser5' looks at messages in queues, and there is no queue")
        series = tuple((name, gauge) for name in point.scenario.queues for gauge in GAUGES)
        terms = attrs.evolve(experiment.terms(), warm_up=0.0, probe=length / READINGS, series=series, measure=None)
        runs = min(RUNS, experiment.replications)
        jobs += [Job(place, replication, point.scenario, terms) for replication in range(runs)]

    def save(job: Job, outcome: Outcome | Failure) -> bool:
        if isinstance(outcome, Failure):
            failed.append(f"replication {job.replication} of design point {points[job.point]}: {outcome.error}")
            return False
        found[job.place] = outcome
        return True

    run_all(jobs, executor, n_jobs, save)
    if failed:
        raise DeclarationError("warm_up", f"'mser5' looks at a few runs first, and one failed: {failed[0]}")
    return max(
        _warm_up(point, [found[key] for key in sorted(found) if key[0] == place]) for place, point in enumerate(points)
    )


def _warm_up(point: Point, outcomes: Sequence[Outcome]) -> float:
    totals = [[sum(values) for values in zip(*outcome.series.values(), strict=True)] for outcome in outcomes]
    cut = truncation([mean_of(values) for values in zip(*totals, strict=True)])
    if not cut.settled:
        problem = "is a longer run, or a warm-up in seconds: a spike has no steady state"
        raise DeclarationError("warm_up", f"'mser5' sees no end of the warm-up at {point}; what helps {problem}")
    return outcomes[0].times[cut.index]
