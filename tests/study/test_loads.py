"""Loads: what declarations put on queues and outboxes, as a fluid."""

from math import inf, isnan
from typing import Any

import pytest

import msgsim as ms
from msgsim.study.loads import FEWEST, MOST, Loads, largest_group, load, receives


def _scenario(*, horizon: float = 1_000.0, rate: Any = 2.0, **workers: Any) -> ms.Scenario:
    return ms.Scenario(
        horizon=horizon,
        queues={"q": ms.Queue()},
        traffic={"t": ms.Traffic(to="q", rate=rate)},
        workers={"w": ms.Workers(**({"queue": "q", "count": 4, "service_time": 1.0} | workers))},
    )


def test_a_steady_load_is_offered_work_over_workers() -> None:
    found = Loads(_scenario()).queues["q"]
    assert (found.mean, found.peak, found.peak_backlog, found.drain_time) == pytest.approx((0.5, 0.5, 0, 0))


def test_windows_are_minutes_but_for_short_and_long_horizons() -> None:
    found = [Loads(_scenario(horizon=horizon)) for horizon in (10, 60_000, 1e6)]
    assert [(loads.windows, loads.width) for loads in found] == [(FEWEST, 0.1), (1_000, 60.0), (MOST, 500.0)]


def test_a_backlog_is_what_came_and_was_not_finished() -> None:
    found = load([3.0, 3.0, 0.0, 0.0, 0.0, 0.0], [1.0] * 6, 10.0)
    assert found.backlog == [20, 40, 30, 20, 10, 0]
    assert found.finished == [1] * 6
    assert (found.mean, found.peak, found.peak_backlog, found.drain_time) == (1.0, 3.0, 40, 50)


def test_what_is_never_drained_lasts_for_ever() -> None:
    assert load([2.0, 2.0], [1.0, 1.0], 10.0).drain_time == inf


def test_a_queue_without_messages_or_without_work_has_no_load() -> None:
    assert isnan(load([0.0], [1.0], 1.0).mean)
    nobody = load([1.0], [0.0], 1.0)
    assert nobody.mean == inf
    assert isnan(nobody.peak)
    assert Loads(_scenario(service_time=0)).queues["q"].mean == 0


def test_work_that_is_not_declared_is_not_guessed() -> None:
    loads = Loads(_scenario(handler=print))
    assert loads.queues == {}
    assert loads.of_groups("q") == {}
    assert loads.arrivals["q"] == pytest.approx([2.0] * FEWEST)
    assert Loads(ms.Scenario(queues={"q": ms.Queue()}, traffic={"t": ms.Traffic(to="q", rate=1)})).queues == {}


@pytest.mark.parametrize(
    ("rate", "most", "times"), [(0, inf, 1), (0.5, inf, 2), (0.5, 1, 1), (0.5, 2, 1.5), (1, 5, 5), (1, inf, inf)]
)
def test_failures_are_work_again(rate: float, most: float, times: float) -> None:
    workers = ms.Workers(queue="q", count=1, service_time=1, failure_rate=rate)
    assert receives(workers, most) == pytest.approx(times)


def test_work_that_always_fails_is_never_done() -> None:
    assert Loads(_scenario(failure_rate=1.0)).queues["q"].mean == inf
    assert Loads(_scenario(failure_rate=1.0, service_time=0)).queues["q"].mean == 0
    assert Loads(_scenario(failure_rate=0.5)).queues["q"].mean == pytest.approx(1.0)


def test_shifts_and_several_pools_add_up() -> None:
    shifts = _scenario(count=ms.Steps([(0, 0), (500, 8)]))
    found = Loads(shifts).queues["q"]
    assert found.mean == pytest.approx(0.5)
    assert found.peak_backlog == pytest.approx(1_000)
    more = {**_scenario().workers, "x": ms.Workers(queue="q", count=2, service_time=0.5)}
    both = ms.Scenario(horizon=1_000, queues={"q": ms.Queue()}, traffic=_scenario().traffic, workers=more)
    assert Loads(both).queues["q"].mean == pytest.approx(0.25)


def test_traffic_flows_through_topics_workers_and_joins() -> None:
    sent = [ms.SendMessage("next"), ms.Publish("done"), ms.SendEmail("ses", cc=["a@example.com"])]
    scenario = ms.Scenario(
        horizon=1_000.0,
        topics={
            "news": ms.Topic(
                subscriptions=[
                    ms.Subscription(endpoint="a"),
                    ms.Subscription(endpoint="b", filter_policy={"kind": ["x"]}),
                    ms.Subscription(endpoint="c", filter_policy={"kind": ["y"]}),
                    ms.Subscription(endpoint="me@example.com", protocol="email"),
                ]
            ),
            "done": ms.Topic(subscriptions=[ms.Subscription(endpoint="d", filter_policy={"kind": ["x"]})]),
        },
        queues={name: ms.Queue() for name in ("a", "b", "c", "d", "next", "joined")},
        outboxes={"ses": ms.Outbox()},
        traffic={"t": ms.Traffic(to="news", rate=2.0, attributes={"kind": "x"}, resend=0.5)},
        workers={
            "fast": ms.Workers(
                queue="a",
                count=9,
                service_time=1,
                on_success=[*sent, ms.Join("both", parts=["fast", "slow"], then=[ms.SendMessage("joined")])],
            ),
            "slow": ms.Workers(queue="b", count=1, service_time=1, on_success=[ms.Join("both")]),
        },
    )
    loads = Loads(scenario, {"done/d": 0.25})
    rates = {name: values[5] for name, values in loads.arrivals.items()}
    assert rates == pytest.approx(
        {"news": 3, "a": 3, "b": 3, "c": 0, "next": 3, "done": 3, "ses": 6, "d": 0.75, "joined": 1}
    )


def test_a_publish_with_attributes_of_its_own_is_filtered_by_them() -> None:
    scenario = ms.Scenario(
        topics={
            "out": ms.Topic(
                subscriptions=[
                    ms.Subscription(endpoint="x", filter_policy={"k": ["a"]}),
                    ms.Subscription(endpoint="y", filter_policy={"k": ["b"]}, filter_scope="MessageBody"),
                ]
            )
        },
        queues={"q": ms.Queue(), "x": ms.Queue(), "y": ms.Queue()},
        traffic={"t": ms.Traffic(to="q", rate=1)},
        workers={
            "w": ms.Workers(queue="q", count=2, service_time=1, on_success=[ms.Publish("out", attributes={"k": "a"})])
        },
    )
    arrivals = Loads(scenario, {"out/y": 0.5}).arrivals
    assert (arrivals["x"][0], arrivals["y"][0]) == pytest.approx((1.0, 0.5))


def test_messages_that_go_in_a_circle_do_not_keep_anybody_busy_for_ever() -> None:
    scenario = ms.Scenario(
        queues={"q": ms.Queue()},
        traffic={"t": ms.Traffic(to="q", rate=1)},
        workers={"w": ms.Workers(queue="q", count=9, service_time=1, on_success=[ms.SendMessage("q")])},
    )
    assert 1 < Loads(scenario).arrivals["q"][0] <= 4


def test_the_largest_group_of_a_source_is_known() -> None:
    assert largest_group(ms.UniformGroups(4)) == ("group-1", 0.25)
    assert largest_group(ms.ZipfGroups(2, exponent=1)) == ("group-1", pytest.approx(2 / 3))
    assert largest_group(ms.GroupShares({"a": 1, "b": 3})) == ("b", 0.75)


@pytest.mark.rule("FIFO-ORD-4")
def test_a_group_is_a_load_on_one_worker() -> None:
    subscriptions = [ms.Subscription(endpoint="q"), ms.Subscription(endpoint="more")]
    scenario = ms.Scenario(
        topics={"news": ms.Topic(fifo=True, subscriptions=subscriptions)},
        queues={"q": ms.Queue(fifo=True), "more": ms.Queue(), "other": ms.Queue()},
        traffic={
            "direct": ms.Traffic(to="q", rate=1, groups=ms.GroupShares({"a": 1})),
            "by-topic": ms.Traffic(to="news", rate=1, groups=ms.GroupShares({"a": 3, "b": 1})),
            "elsewhere": ms.Traffic(to="other", rate=1, groups=2),
            "plain": ms.Traffic(to="other", rate=1),
        },
        workers={"w": ms.Workers(queue="q", count=9, service_time=1, failure_rate=0.5)},
    )
    found = Loads(scenario).of_groups("q")
    assert list(found) == ["a"]
    assert found["a"].mean == pytest.approx(1.75 * 2)
    assert Loads(scenario).of_groups("other") == {}


def test_what_arrives_twice_is_twice_the_work() -> None:
    scenario = ms.Scenario(
        horizon=1_000.0,
        topics={"news": ms.Topic(subscriptions=[ms.Subscription(endpoint="q", duplicate_rate=0.25)])},
        queues={"q": ms.Queue()},
        traffic={"t": ms.Traffic(to="news", rate=2.0)},
        workers={"w": ms.Workers(queue="q", count=4, service_time=1.0)},
    )
    assert Loads(scenario).queues["q"].mean == pytest.approx(2.0 * 1.25 / 4)
