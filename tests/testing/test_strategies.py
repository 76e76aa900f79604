"""Strategies: what they draw is valid, reaches every kind of thing, and shrinks to what is simplest."""

from collections.abc import Callable
from math import inf, nextafter
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

import msgsim as ms
from msgsim.errors import DeclarationError
from msgsim.testing import (
    Fault,
    check_conservation,
    check_receive_counts,
    fault_schedules,
    queues,
    scenarios,
    times_around,
    topics,
    traffic,
    workers,
)

quick = settings(max_examples=2_000, database=None, derandomize=True, phases=[Phase.generate, Phase.shrink])


def simplest(strategy: st.SearchStrategy[Any], condition: Callable[[Any], bool] = lambda _: True) -> Any:
    return find(strategy, condition, settings=quick)


# ---------------------------------------------------------------- times


def test_times_around_are_the_deadlines_their_neighbours_and_what_is_between() -> None:
    wanted = [30.0, nextafter(30.0, -inf), nextafter(30.0, inf), 60.0, nextafter(60.0, -inf), nextafter(60.0, inf)]
    for time in wanted:
        assert simplest(times_around([60, 30]), lambda drawn, time=time: drawn == time) == time
    assert 31 < simplest(times_around([60, 30]), lambda drawn: 31 < drawn < 59) < 59


@given(times_around([10.0, inf, 10.0, 20.0]))
def test_no_time_is_far_from_the_deadlines(time: float) -> None:
    assert nextafter(10.0, -inf) <= time <= nextafter(20.0, inf)


@given(times_around([5.0, 10.0], since=7.0))
def test_no_time_is_earlier_than_asked_for(time: float) -> None:
    assert 7.0 <= time <= nextafter(10.0, inf)


@given(times_around([7.0], since=7.0))
def test_a_deadline_that_is_now_has_no_time_before_it(time: float) -> None:
    assert time in {7.0, nextafter(7.0, inf)}


def test_times_around_shrink_to_now_or_else_to_the_first_deadline() -> None:
    assert simplest(times_around([30.0, 60.0], since=7.0)) == 7.0
    assert simplest(times_around([30.0, 60.0])) == 30.0
    assert simplest(times_around([], since=7.0)) == 7.0


def test_without_any_deadline_there_is_no_time() -> None:
    with pytest.raises(DeclarationError, match=r"times_around.deadlines: there are none, and no `since`"):
        times_around([inf])


# ---------------------------------------------------------------- declarations


@given(queues())
def test_a_queue_of_any_kind_can_be_made_live(queue: ms.Queue) -> None:
    kind = ms.FifoQueue if queue.fifo else ms.StandardQueue
    assert kind(queue).counts(0.0) == (0, 0, 0)


def test_the_simplest_queue_is_the_default() -> None:
    assert simplest(queues()) == ms.Queue()
    assert simplest(queues(fifo=False)) == ms.Queue()
    assert simplest(queues(fifo=True)) == ms.Queue(fifo=True)
    assert simplest(queues(redrive_to=["dead"])) == ms.Queue()


def test_of_a_queue_only_what_matters_differs_from_the_default() -> None:
    dead = simplest(queues(redrive_to=["dead"]), lambda queue: queue.redrive is not None)
    assert dead == ms.Queue(redrive=ms.Redrive(to="dead", max_receive_count=1))
    assert simplest(queues(), lambda queue: queue.delay > 2) == ms.Queue(delay=2.5)
    high = simplest(queues(), lambda queue: queue.fifo_throughput_limit == "perMessageGroupId")
    scope, limit = "messageGroup", "perMessageGroupId"
    assert high == ms.Queue(fifo=True, deduplication_scope=scope, fifo_throughput_limit=limit)


def test_the_simplest_topic_has_no_subscription_and_the_next_one_is_plain() -> None:
    assert simplest(topics()) == ms.Topic()
    subscribed = simplest(topics(["a", "b"]), lambda topic: bool(topic.subscriptions))
    assert subscribed == ms.Topic(subscriptions=[ms.Subscription(endpoint="a")])


@given(topics(["a", "b"]))
def test_a_topic_can_be_made_live(topic: ms.Topic) -> None:
    from random import Random

    ends = {name: ms.StandardQueue(ms.Queue(), name) for name in "ab"}
    assert ms.TopicFanout(topic, endpoints=ends, rng=Random(1)).delivered == 0


def test_the_simplest_traffic_is_one_per_second_to_the_first_place() -> None:
    assert simplest(traffic(["a", "b"])) == ms.Traffic(to="a", rate=1)
    grouped = simplest(traffic(groups=[None, 3]), lambda source: source.groups is not None)
    assert grouped == ms.Traffic(to="q", rate=1, groups=3)


def test_the_simplest_pool_is_one_worker() -> None:
    assert simplest(workers("a")) == ms.Workers(queue="a", count=1, batch_size=1, service_time=0.25)
    chained = simplest(workers("a", actions=[ms.SendMessage("b")]), lambda pool: bool(pool.on_success))
    assert chained.on_success == (ms.SendMessage("b"),)


# ---------------------------------------------------------------- scenarios


def test_the_simplest_scenario_is_one_queue_with_traffic() -> None:
    expected = ms.Scenario(horizon=60, queues={"q": ms.Queue()}, traffic={"q-traffic0": ms.Traffic(to="q", rate=1)})
    assert simplest(scenarios()) == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("condition", "lines"),
    [
        pytest.param(lambda scenario: bool(scenario.topics), 6, id="a topic"),
        pytest.param(lambda scenario: bool(scenario.workers), 11, id="a pool"),
        pytest.param(lambda scenario: bool(scenario.outboxes), 13, id="an outbox"),
        pytest.param(lambda scenario: scenario.queues["q"].redrive is not None, 7, id="dead letters"),
        pytest.param(lambda scenario: scenario.queues["q"].fifo, 7, id="a FIFO queue"),
        pytest.param(lambda scenario: "s" in scenario.queues, 7, id="three queues"),
    ],
)
def test_a_failing_scenario_is_a_few_lines(condition: Callable[[ms.Scenario], bool], lines: int) -> None:
    text = simplest(scenarios(), condition).to_toml()
    assert len([line for line in text.splitlines() if line.strip()]) <= lines, text


@settings(max_examples=30, deadline=None)
@given(scenarios(), st.integers(0, 3))
def test_every_scenario_runs_and_its_books_balance(scenario: ms.Scenario, seed: int) -> None:
    run = ms.simulate(scenario, seed=seed)
    check_conservation(run)
    check_receive_counts(run)


@settings(max_examples=50, deadline=None)
@given(scenarios())
def test_every_scenario_can_be_written_down(scenario: ms.Scenario) -> None:
    assert ms.Scenario.from_toml(scenario.to_toml()) == scenario


@settings(max_examples=50, deadline=None)
@given(scenarios(fifo=True, most_queues=1))
def test_scenarios_can_be_narrowed(scenario: ms.Scenario) -> None:
    assert set(scenario.queues) == {"q"}
    assert all(queue.fifo for queue in scenario.queues.values())
    assert scenario.topics == {}


@pytest.mark.parametrize("most", [0, 4])
def test_a_scenario_has_one_to_three_queues(most: int) -> None:
    with pytest.raises(DeclarationError, match=f"scenarios.most_queues: {most} is not allowed; allowed: 1 to 3"):
        simplest(scenarios(most_queues=most))


# ---------------------------------------------------------------- faults


@given(fault_schedules(horizon=20, most=3))
def test_faults_are_few_and_in_order_of_time(faults: tuple[Fault, ...]) -> None:
    assert len(faults) <= 3
    assert [fault.at for fault in faults] == sorted(fault.at for fault in faults)
    assert all(0 <= fault.at <= 20 for fault in faults)


def test_the_simplest_schedule_is_empty_and_a_fault_comes_at_once() -> None:
    assert simplest(fault_schedules()) == ()
    for kind in ("crash", "duplicate", "redelivery"):
        schedule = simplest(fault_schedules(), lambda faults, kind=kind: any(each.kind == kind for each in faults))
        assert schedule == (Fault(kind=kind),)
    outage = simplest(fault_schedules(), lambda faults: any(each.kind == "outage" for each in faults))
    assert outage == (Fault(kind="outage", duration=1),)
