from itertools import pairwise
from math import isnan

import pytest

import msgsim as ms
from msgsim.errors import UnknownName
from msgsim.rates import peak, rates

SCENARIO = ms.Scenario(
    queues={"q": ms.Queue()}, traffic={"t": ms.Traffic(to="q", rate=ms.Steps([(0, 1), (20, 4)]), process="regular")}
)


def test_a_rate_is_what_was_gained_between_readings() -> None:
    run = ms.simulate(SCENARIO, until=40, probe=10)
    edges, gained = rates(run, "t", "arrivals")
    times, counts = run.series("t", "arrivals")
    assert edges == [0, 10, 20, 30, 40] == list(times)
    assert gained == [(later - count) / 10 for count, later in pairwise(counts)]
    assert gained == pytest.approx([1, 1, 4, 4], abs=0.2)
    assert peak(gained) == max(gained)


def test_a_short_rest_joins_the_interval_before() -> None:
    edges, gained = rates(ms.simulate(SCENARIO, until=40.3, probe=10), "t", "arrivals")
    assert edges == [0, 10, 20, 30, 40.3]
    assert gained[-1] == pytest.approx(4, abs=0.2)
    edges, _ = rates(ms.simulate(SCENARIO, until=46, probe=10), "t", "arrivals")
    assert edges == [0, 10, 20, 30, 40, 46]


def test_a_run_of_one_short_interval_has_its_rate() -> None:
    edges, gained = rates(ms.simulate(SCENARIO, until=2, probe=10), "t", "arrivals")
    assert edges == [0, 2]
    assert len(gained) == 1


def test_a_run_of_no_length_has_none() -> None:
    edges, gained = rates(ms.Simulation(SCENARIO).result(), "t", "arrivals")
    assert (edges, gained) == ([0], [])
    assert isnan(peak(gained))


def test_samples_have_no_rate() -> None:
    with pytest.raises(UnknownName, match="sample"):
        rates(ms.simulate(SCENARIO, until=2), "q", "waiting_time")
