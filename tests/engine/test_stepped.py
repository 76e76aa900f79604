"""FIFO and fair queues at lazy stations show what one event per message would show."""

from typing import Any

import attrs
import pytest

import msgsim as ms
from msgsim.engine.stepped import SteppedStation
from tests.engine.test_lazy import CASES
from tests.engine.twins import assert_twins

FEW = ms.UniformGroups(3)
MANY = ms.ZipfGroups(40)


def in_groups(scenario: ms.Scenario, groups: Any, *, fifo: bool) -> ms.Scenario:
    """The same with groups in all traffic; FIFO queues take no delays of a message's own."""
    return attrs.evolve(
        scenario,
        queues={name: attrs.evolve(queue, fifo=fifo) for name, queue in scenario.queues.items()},
        traffic={name: attrs.evolve(traffic, groups=groups) for name, traffic in scenario.traffic.items()},
        workers={
            name: attrs.evolve(
                pool, on_success=[attrs.evolve(action, delay=None) if fifo else action for action in pool.on_success]
            )
            for name, pool in scenario.workers.items()
        },
    )


@pytest.mark.parametrize("groups", [FEW, MANY], ids=["few groups", "many groups"])
@pytest.mark.parametrize("case", [name for name, (scenario, _) in CASES.items() if not scenario.topics])
def test_a_fifo_queue_is_the_same_with_an_event_each(case: str, groups: ms.UniformGroups | ms.ZipfGroups) -> None:
    run = assert_twins(in_groups(CASES[case][0], groups, fifo=True), 300.0, seed=3, probe=2.0)
    assert run.total("q", "sent") > 10 or case == "no traffic"


@pytest.mark.parametrize("case", CASES)
def test_a_fair_queue_is_the_same_with_an_event_each(case: str) -> None:
    run = assert_twins(in_groups(CASES[case][0], MANY, fifo=False), 300.0, seed=3, probe=2.0)
    assert run.total("q", "sent") > 10 or case == "no traffic"


def test_the_cases_are_stepped() -> None:
    for case, (scenario, _) in CASES.items():
        if scenario.topics or not any(pool.queue == "q" for pool in scenario.workers.values()):
            continue
        for fifo in (True, False):
            stations = ms.Simulation(in_groups(scenario, FEW, fifo=fifo))._stations
            assert any(isinstance(station, SteppedStation) for station in stations.values()), case
