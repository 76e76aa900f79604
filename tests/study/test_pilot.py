"""What a pilot study does; what comes of it is in `test_experiment.py`."""

from collections.abc import Sequence
from typing import Any

import attrs
import pytest

import msgsim as ms
from msgsim.study import executors, pilot
from msgsim.study.jobs import Job
from msgsim.study.pilot import GAUGES, READINGS
from msgsim.study.steady_state import truncation

LENGTH = 600.0


def _by_hand(scenario: ms.Scenario, replications: int) -> float:
    """Where MSER-5 cuts the mean, over some replications from the beginning on, of all messages in the queue."""
    runs = [
        ms.simulate(scenario, LENGTH, 0, warm_up=0.0, probe=LENGTH / READINGS, replication=replication)
        for replication in range(replications)
    ]
    totals = [
        [sum(values) for values in zip(*(run.series("q", each)[1] for each in GAUGES), strict=True)] for run in runs
    ]
    cut = truncation([sum(values) / len(values) for values in zip(*totals, strict=True)])
    assert cut.settled
    return float(runs[0].times[cut.index])


@pytest.mark.parametrize("replications", [2, 3, 5])
def test_a_few_replications_from_the_beginning_on_say_it(replications: int, desk: ms.Scenario) -> None:
    """Whatever warm-up the scenario declares: what happens before it would not be seen."""
    calm = attrs.evolve(desk, traffic={"t": ms.Traffic(to="q", rate=1.8)}, horizon=LENGTH, warm_up=LENGTH / 2)
    study = ms.Experiment(calm, warm_up="mser5", replications=replications).run("sequential")
    assert study.experiment.warm_up == _by_hand(calm, replications)
    assert study.experiment.warm_up != _by_hand(calm, replications - 1), "or this would show nothing"


@pytest.mark.parametrize(("replications", "looked_at"), [(2, 2), (5, 5), (6, 5), (50, 5)])
def test_it_makes_a_few_runs_of_each_point(
    replications: int, looked_at: int, desk: ms.Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[int, int]] = []

    def run_all(jobs: Sequence[Job], *rest: Any) -> None:
        made.extend(job.place for job in jobs)
        assert {job.terms.warm_up for job in jobs} == {0.0}
        executors.run_all(jobs, *rest)

    monkeypatch.setattr(pilot, "run_all", run_all)
    experiment = ms.Experiment(desk.vary("traffic.t.rate", 1.0), horizon=150.0, replications=replications)
    experiment = experiment.vary("workers.w.count", [3, 4])
    pilot.longest_warm_up(experiment, experiment.points(), "sequential", None)
    assert made == [(point, replication) for point in range(2) for replication in range(looked_at)]
