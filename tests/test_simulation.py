import os
import subprocess
import sys
from collections.abc import Callable, Generator
from itertools import pairwise
from math import inf, nan
from typing import Any

import attrs
import numpy as np
import pytest

import msgsim as ms
from msgsim.engine.actions import Action
from msgsim.engine.lazy import LazyStation
from msgsim.errors import AuditError, DeclarationError, HandlerError, TimeRanBackwards, UnknownName
from msgsim.run import Run

FROM_1 = 0.5
"""Regular traffic at this rate arrives at 1, 3, 5 ... s."""


def orders(**changes: Any) -> ms.Scenario:
    """A little of everything."""
    settings: dict[str, Any] = {
        "topics": {
            "orders": ms.Topic(
                subscriptions=(
                    ms.Subscription(endpoint="emails", filter_policy={"kind": ["placed"]}),
                    ms.Subscription(endpoint="audit", raw=True, delivery_delay=ms.Exponential(0.3)),
                )
            )
        },
        "queues": {
            "emails": ms.Queue(visibility_timeout=8, redrive=ms.Redrive(to="dead", max_receive_count=2)),
            "dead": ms.Queue(),
            "audit": ms.Queue(delay=2, poll_winner="random"),
            "direct": ms.Queue(visibility_timeout=5, redrive=ms.Redrive(to="lost", max_receive_count=1)),
            "lost": ms.Queue(retention=60),
        },
        "outboxes": {"ses": ms.Outbox(max_send_rate=10, delivery_delay=ms.Exponential(2), bounce_rate=0.1)},
        "traffic": {
            "shop": ms.Traffic(
                to="orders", rate=ms.Constant(4) + ms.Spike(at=30, height=16, hold=10), attributes={"kind": "placed"}
            ),
            "sensors": ms.Traffic(to="direct", rate=7.7),
        },
        "workers": {
            "mailers": ms.Workers(
                queue="emails",
                count=3,
                service_time=ms.LogNormal(0.25, 0.8),
                failure_rate=0.1,
                on_success=[ms.Join("done", parts=["mailers", "archivers"], then=[ms.SendEmail("ses")])],
            ),
            "archivers": ms.Workers(
                queue="audit",
                count=ms.Steps([(0, 2), (50, 4)]),
                service_time=ms.Exponential(0.2),
                on_success=[ms.Join("done")],
            ),
            "readers": ms.Workers(queue="direct", count=3, service_time=ms.Exponential(0.35), failure_rate=0.05),
        },
    }
    return ms.Scenario(**(settings | changes))


def numbers(run: Run) -> dict[str, Any]:
    """Everything in a run; means of gauges apart from their last digits."""
    found = run.to_dict()
    for entity in found["entities"].values():
        for metric in entity["metrics"].values():
            if "series" in metric and metric.get("mean") is not None:
                metric["mean"] = pytest.approx(metric["mean"], rel=1e-12, abs=1e-12)
    return found


@pytest.fixture(params=[True, False], ids=["lazy", "eager"])
def lazy(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def one(lazy: bool, until: float = 60, *, probe: float = 1, warm_up: float = 0, **settings: Any) -> ms.Simulation:
    """One queue `q` with one worker `w`, and regular traffic `t` unless it says otherwise; not run yet."""
    defaults: dict[str, Any] = {"count": 1, "batch_size": 1, "service_time": 2}
    queue = settings.pop("queue", ms.Queue())
    rate = settings.pop("rate", FROM_1)
    scenario = ms.Scenario(
        queues={"q": queue, "d": ms.Queue()},
        traffic={"t": ms.Traffic(to="q", rate=rate, process="regular")},
        workers={"w": ms.Workers(queue="q", **(defaults | settings))},
    )
    return ms.Simulation(scenario, lazy=lazy, probe=probe, horizon=until, warm_up=warm_up)


# ---------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"until": 0}, "until: 0 is not allowed; allowed: more than 0 [s]"),
        ({"until": -1}, "until: -1 is not allowed; allowed: more than 0 [s]"),
        ({"until": nan}, "until: nan is not allowed; allowed: more than 0 [s]"),
        ({"until": inf}, "until: inf is not allowed; allowed: more than 0 [s]"),
        ({"until": "60"}, "until: '60' is not a number; allowed: more than 0 [s]"),
        ({"until": True}, "until: True is not a number; allowed: more than 0 [s]"),
        ({"warm_up": 60}, "warm_up: 60.0 leaves nothing of a run of 60.0 s"),
        ({"warm_up": 61}, "warm_up: 61.0 leaves nothing of a run of 60.0 s"),
        ({"warm_up": -1}, "warm_up: -1 is not allowed; allowed: 0 or more [s]"),
        ({"warm_up": nan}, "warm_up: nan is not allowed; allowed: 0 or more [s]"),
        ({"warm_up": "5"}, "warm_up: '5' is not a number; allowed: 0 or more [s]"),
        ({"probe": 0}, "probe: 0 is not allowed; allowed: more than 0 [s]"),
        ({"probe": inf}, "probe: inf is not allowed; allowed: more than 0 [s]"),
        ({"probe": "1"}, "probe: '1' is not a number; allowed: more than 0 [s]"),
        ({"seed": "7"}, "seed: '7' is not a whole number"),
        ({"seed": 1.0}, "seed: 1.0 is not a whole number"),
        ({"seed": True}, "seed: True is not a whole number"),
        ({"replication": None}, "replication: None is not a whole number"),
        ({"scenario": "orders"}, "scenario: 'orders' is not a Scenario"),
    ],
)
def test_an_argument_that_is_not_allowed_is_refused_in_a_line(arguments: dict[str, Any], message: str) -> None:
    settings: dict[str, Any] = {"scenario": orders(), "until": 60}
    with pytest.raises(DeclarationError) as caught:
        ms.simulate(**(settings | arguments))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("until", "message"),
    [
        (4, "until: 4 is in the past; the simulation is at 5.0 s"),
        ("9", "until: '9' is not a number; allowed: 0 or more [s]"),
        (nan, "until: nan is not allowed; allowed: 0 or more [s]"),
        (inf, "until: inf is not allowed; allowed: 0 or more [s]"),
        (-1, "until: -1 is not allowed; allowed: 0 or more [s]"),
    ],
)
def test_a_simulation_does_not_run_into_the_past_or_for_ever(until: Any, message: str) -> None:
    simulation = ms.Simulation(orders())
    simulation.run(5)
    simulation.run(5)
    with pytest.raises(DeclarationError) as caught:
        simulation.run(until)
    assert str(caught.value) == message
    assert simulation.now == 5


def test_horizon_and_warm_up_are_the_scenarios_own_unless_given() -> None:
    scenario = orders(horizon=40, warm_up=10)
    run = ms.simulate(scenario)
    assert (run.until, run.warm_up, run.probe, run.seed) == (40, 10, 0.4, 0)
    assert ms.simulate(scenario, 20, 5, warm_up=0).to_dict() == ms.simulate(orders(), until=20, seed=5).to_dict()
    with pytest.raises(DeclarationError, match=r"^warm_up: 10.0 leaves nothing of a run of 8.0 s$"):
        ms.simulate(scenario, until=8)


def test_the_probe_is_a_hundredth_of_the_horizon_and_at_most_a_minute() -> None:
    assert ms.Simulation(orders(horizon=300)).probe_interval == 3
    assert ms.Simulation(orders(), horizon=ms.DAY).probe_interval == 60
    assert ms.Simulation(orders(), probe=0.25).probe_interval == 0.25


# ---------------------------------------------------------------- one instant


def test_a_probe_sees_everything_of_its_instant(lazy: bool) -> None:
    simulation = one(lazy, 10)
    simulation.run(10)
    run = simulation.result()
    assert run.series("t", "arrivals")[1].tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert run.series("q", "deleted")[1].tolist() == [0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert run.series("q", "in_flight")[1].tolist() == [0] + 10 * [1]
    assert set(run.series("q", "visible")[1]) == {0}
    assert set(run.samples("q", "waiting_time")) == {0}


def test_deadlines_come_first_and_workers_act_on_them_at_once(lazy: bool) -> None:
    """Received at 1, failed at 2, visible and received again at 5, 9, 13 ...; a delay of 2 s ends likewise."""
    failing = one(
        lazy,
        10,
        rate=ms.Steps([(0, 0.5), (2, 0)]),
        service_time=1,
        failure_rate=1,
        queue=ms.Queue(visibility_timeout=4),
    )
    failing.run(10)
    run = failing.result()
    assert run.series("q", "received")[1].tolist() == [0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3]
    assert run.series("w", "busy")[1].tolist() == [0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0]
    assert set(run.series("q", "visible")[1]) == {0}

    delayed = one(lazy, 6, queue=ms.Queue(delay=2))
    delayed.run(6)
    run = delayed.result()
    assert run.series("q", "delayed")[1].tolist() == [0, 1, 1, 1, 1, 1, 1]
    assert run.series("q", "in_flight")[1].tolist() == [0, 0, 0, 1, 1, 1, 1]


def test_a_delivery_that_takes_time_arrives_before_the_probe_and_the_pool_is_resized() -> None:
    scenario = ms.Scenario(
        topics={"t": ms.Topic(subscriptions=(ms.Subscription(endpoint="q", delivery_delay=2),))},
        queues={"q": ms.Queue()},
        outboxes={"ses": ms.Outbox(delivery_delay=1)},
        traffic={"source": ms.Traffic(to="t", rate=FROM_1, process="regular")},
        workers={
            "w": ms.Workers(
                queue="q", count=ms.Steps([(0, 0), (4, 2)]), service_time=1, on_success=[ms.SendEmail("ses")]
            )
        },
    )
    run = ms.simulate(scenario, until=8, probe=1)
    assert run.series("t", "published")[1].tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert run.series("t/q", "delivered")[1].tolist() == [0, 0, 0, 1, 1, 2, 2, 3, 3]
    assert run.series("w", "count")[1].tolist() == [0, 0, 0, 0, 2, 2, 2, 2, 2]
    assert run.series("ses", "accepted")[1].tolist() == [0, 0, 0, 0, 0, 1, 2, 2, 3]
    assert run.series("ses", "delivered")[1].tolist() == [0, 0, 0, 0, 0, 0, 1, 2, 2]


def test_a_users_process_has_its_turn_between_arrivals_and_workers(lazy: bool) -> None:
    simulation = one(lazy, 6)
    seen: dict[float, Any] = {}

    def look() -> Generator[Any, Any, None]:
        for _ in range(5):
            yield simulation.env.timeout(1)
            seen[simulation.now] = (*simulation.queues["q"].counts(simulation.now), simulation.queues["q"].deleted)

    simulation.env.process(look())
    simulation.run(6)
    assert seen == {1: (1, 0, 0, 0), 2: (0, 1, 0, 0), 3: (1, 1, 0, 0), 4: (0, 1, 0, 1), 5: (1, 1, 0, 1)}
    undisturbed = one(lazy, 6)
    undisturbed.run(6)
    assert numbers(simulation.result()) == numbers(undisturbed.result())


@pytest.mark.parametrize(
    ("until", "probe", "times"),
    [
        (60, 7, [0, 7, 14, 21, 28, 35, 42, 49, 56, 60]),
        (60, 20, [0, 20, 40, 60]),
        (0.3, 0.1, [0, 0.1, 0.2, 0.3]),
        (5, 60, [0, 5]),
        (5, 5, [0, 5]),
    ],
)
def test_probes_are_at_0_and_at_multiples_and_at_the_end(until: float, probe: float, times: list[float]) -> None:
    run = ms.simulate(orders(), until=until, probe=probe)
    assert run.times.tolist() == times
    assert all(len(row) == len(times) for record in run.records.values() for row in record.series.values())


# ---------------------------------------------------------------- in parts


SPLITS = [(0.0, 0.0, 100.0), (33.3, 50.0, 66.0, 66.0, 100.0), tuple(range(1, 101)), (1e-300, 99.999999, 100.0)]


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("warm_up", [0, 50])
def test_running_on_is_the_same_as_running_through(split: tuple[float, ...], warm_up: float, lazy: bool) -> None:
    whole = ms.Simulation(orders(), seed=3, horizon=100, warm_up=warm_up, lazy=lazy)
    whole.run(100)
    parts = ms.Simulation(orders(), seed=3, horizon=100, warm_up=warm_up, lazy=lazy)
    for until in split:
        parts.run(until)
        assert parts.now == until
    assert parts.result().to_json() == whole.result().to_json()


def test_a_result_can_be_asked_for_at_any_time_and_changes_nothing(lazy: bool) -> None:
    whole = ms.Simulation(orders(), seed=3, horizon=100, warm_up=20, lazy=lazy)
    whole.run(100)
    watched = ms.Simulation(orders(), seed=3, horizon=100, warm_up=20, lazy=lazy)
    assert numbers(watched.result()) == numbers(watched.result())

    def watch() -> Generator[Any, Any, None]:
        for _ in range(40):
            yield watched.env.timeout(2.5)
            watched.result()

    watched.env.process(watch())
    for until in (0, 10, 10, 20, 33.3, 70, 99.9, 100):
        watched.run(until)
        run = watched.result()
        run.audit()
        assert (run.until, run.times[-1]) == (until, until)
        assert all(early < late for early, late in pairwise(run.times))
        twin = ms.Simulation(orders(), seed=3, horizon=100, warm_up=20, lazy=lazy)
        twin.run(until)
        assert numbers(run) == numbers(twin.result())
    assert numbers(watched.result()) == numbers(whole.result())


def test_looking_is_the_same_as_not_looking(lazy: bool) -> None:
    whole = ms.Simulation(orders(), seed=3, horizon=60, lazy=lazy)
    whole.run(60)
    watched = ms.Simulation(orders(), seed=3, horizon=60, lazy=lazy)
    for until in range(61):
        watched.run(until)
        for live in (watched.queues, watched.topics, watched.outboxes, watched.workers, watched.traffic):
            assert all(repr(each) for each in live.values())
    assert numbers(watched.result()) == numbers(whole.result())
    assert watched.messages == sum(queue.sent for queue in watched.queues.values()) > 0


def test_lazy_makes_no_difference() -> None:
    runs = []
    for lazy in (True, False):
        simulation = ms.Simulation(orders(), seed=8, horizon=100, warm_up=7, lazy=lazy)
        simulation.run(100)
        runs.append(numbers(simulation.result()))
    assert runs[0] == runs[1]


# ---------------------------------------------------------------- progress


def test_progress_is_called_at_each_probe_and_changes_nothing() -> None:
    seen: list[float] = []

    def note(simulation: ms.Simulation) -> None:
        seen.append(simulation.now)
        assert simulation.result().times[-1] == simulation.now

    run = ms.simulate(orders(), until=55, probe=10, seed=2, progress=note)
    assert seen == [0, 10, 20, 30, 40, 50]
    assert run.to_json() == ms.simulate(orders(), until=55, probe=10, seed=2).to_json()
    assert not run.interrupted


@pytest.mark.parametrize("stop", [0, 1, 3])
def test_progress_ends_a_run_by_returning_false(stop: int) -> None:
    run = ms.simulate(orders(), until=55, probe=10, seed=2, progress=lambda simulation: simulation.now < 10 * stop)
    assert run.interrupted
    assert run.until == 10 * stop
    short = ms.Simulation(orders(), probe=10, seed=2)
    short.run(10 * stop)
    assert run.to_dict() == short.result(interrupted=True).to_dict()
    assert run.summary()


def test_a_run_that_ends_in_its_warm_up_has_no_means_or_samples(lazy: bool) -> None:
    simulation = ms.Simulation(orders(), warm_up=50, lazy=lazy)
    simulation.run(40)
    run = simulation.result()
    assert run.total("direct", "deleted") > 100
    for name in ("direct", "emails", "readers", "done", "ses"):
        for metric, found in run.to_dict()["entities"][name]["metrics"].items():
            assert found.get("mean") is None, metric
            assert found.get("p50") is None, metric
            assert not found.get("count"), metric
    simulation.run(50)
    assert simulation.result().to_dict()["entities"]["direct"]["metrics"]["visible"]["mean"] is None
    simulation.run(60)
    assert len(simulation.result().samples("direct", "sojourn_time")) > 0


def test_an_error_on_the_way_leaves_a_simulation_that_can_be_asked_and_goes_on() -> None:
    def fail(simulation: ms.Simulation) -> Generator[Any, Any, None]:
        yield simulation.env.timeout(5)
        raise KeyboardInterrupt

    simulation = ms.Simulation(orders(), seed=3, horizon=100)
    simulation.env.process(fail(simulation))
    with pytest.raises(KeyboardInterrupt):
        simulation.run(50)
    assert simulation.now == 5
    early = simulation.result(interrupted=True)
    assert early.interrupted
    early.audit()
    simulation.run(100)
    assert simulation.now == 100
    assert numbers(simulation.result()) == numbers(ms.simulate(orders(), until=100, seed=3))


# ---------------------------------------------------------------- live


def test_live_objects_are_found_by_name() -> None:
    simulation = ms.Simulation(orders(title="Shop"), seed=4)
    simulation.run(10)
    assert repr(simulation) == "<Simulation 'Shop' now=10 seed=4>"
    assert isinstance(simulation.queues["emails"], ms.StandardQueue)
    assert isinstance(simulation.topics["orders"], ms.TopicFanout)
    assert isinstance(simulation.outboxes["ses"], ms.SendingAccount)
    assert simulation.workers["archivers"].count == 2
    assert simulation.traffic["shop"].arrivals == simulation.topics["orders"].published > 0
    assert simulation.queues["emails"].dead_letter_queue is simulation.queues["dead"]
    assert simulation.env.now == simulation.now == 10
    with pytest.raises(TimeRanBackwards, match="direct"):
        simulation.queues["direct"].send("late", 9)


def test_a_call_between_runs_is_seen_by_a_waiting_poll_at_that_instant(lazy: bool) -> None:
    simulation = one(lazy, rate=0, count=2)
    simulation.run(30)
    queue = simulation.queues["q"]
    queue.send("hello", 30)
    simulation.run(30)
    assert queue.counts(30) == (0, 1, 0)
    assert simulation.workers["w"].busy == 1
    simulation.run(32)
    assert queue.counts(32) == (0, 0, 0)
    run = simulation.result()
    assert run.samples("q", "waiting_time").tolist() == [0]
    assert run.samples("q", "sojourn_time").tolist() == [2]


def test_a_call_inside_a_run_is_seen_by_a_waiting_poll_at_that_instant(lazy: bool) -> None:
    simulation = one(lazy, rate=0)

    def send() -> Generator[Any, Any, None]:
        yield simulation.env.timeout(12.5)
        simulation.queues["q"].send("hello", simulation.now)

    simulation.env.process(send())
    simulation.run(60)
    run = simulation.result()
    assert run.samples("q", "waiting_time").tolist() == [0]
    assert run.samples("q", "end_to_end_time").tolist() == [2]
    assert run.total("w", "processed") == 1


def test_a_process_may_do_a_workers_work(lazy: bool) -> None:
    simulation = one(lazy, queue=ms.Queue(visibility_timeout=40), service_time=30)
    done: list[tuple[float, str]] = []

    def help_out() -> Generator[Any, Any, None]:
        queue = simulation.queues["q"]
        yield simulation.env.timeout(0.125)
        while True:
            yield simulation.env.timeout(0.25)
            for delivery in queue.receive(simulation.now):
                yield simulation.env.timeout(0.5)
                queue.delete(delivery.receipt_handle, simulation.now)
                done.append((simulation.now, delivery.body))

    simulation.env.process(help_out())
    simulation.run(10)
    assert done == [(3.625, "message 2"), (5.625, "message 3"), (7.625, "message 4"), (9.625, "message 5")]
    run = simulation.result()
    run.audit()
    assert (run.total("q", "received"), run.total("q", "deleted"), run.final("q", "in_flight")) == (5, 4, 1)


def test_topics_outboxes_and_pools_take_live_calls() -> None:
    simulation = ms.Simulation(orders(traffic={}), seed=1)
    simulation.run(10)
    simulation.topics["orders"].publish("hello", 10, attributes={"kind": "placed"})
    simulation.outboxes["ses"].send_email(ms.Email("a@example.com", subject="Hi"), 10)
    simulation.workers["mailers"].resize(7, 10)
    simulation.run(60)
    run = simulation.result()
    run.audit()
    assert run.total("orders", "delivered") == run.total("orders", "published") * 2 == 2
    assert run.total("ses", "accepted") == 1 + run.total("done", "completed")
    assert run.total("ses", "delivered") + run.total("ses", "bounced") == run.total("ses", "accepted")
    assert run.final("mailers", "count") == 7
    with pytest.raises(TimeRanBackwards, match=r"^mailers: resize at now=59"):
        simulation.workers["mailers"].resize(1, 59)


def test_live_objects_can_be_looked_up_while_a_handler_runs() -> None:
    simulations: list[ms.Simulation] = []

    def handle(delivery: Any, context: Any) -> None:
        found = simulations[0].queues["q"]
        if delivery.receive_count == 1 and found.sent < 4:
            found.send(f"{delivery.body} again", context.now)

    simulations.append(one(lazy=True, rate=ms.Steps([(0, 0.5), (2, 0)]), handler=handle))
    simulations[0].run(60)
    run = simulations[0].result()
    run.audit()
    assert run.total("q", "sent") == run.total("q", "deleted") == 4


def test_all_kinds_of_actions_are_done_before_the_deletion() -> None:
    scenario = orders(
        traffic={"shop": ms.Traffic(to="direct", rate=2)},
        workers={
            "readers": ms.Workers(
                queue="direct",
                count=3,
                service_time=0.5,
                on_success=[
                    ms.Publish("orders", attributes={"kind": "placed"}),
                    ms.SendMessage("lost", delay=900),
                    ms.SendMessage("dead", body="of {n}"),
                    ms.SendEmail("ses"),
                ],
            )
        },
    )
    run = ms.simulate(scenario, until=60)
    done = run.total("direct", "deleted")
    assert done > 100
    assert run.total("orders", "published") == run.total("emails", "sent") == done
    assert run.total("dead", "sent") == run.total("ses", "accepted") == run.final("lost", "delayed") == done


# ---------------------------------------------------------------- handlers


def test_what_a_handler_returns_is_wired() -> None:
    def handle(_delivery: Any, context: Any) -> list[Any]:
        return [ms.SendMessage("d", body=f"seen at {context.now:g}")]

    simulation = one(lazy=True, until=5, handler=handle)
    simulation.run(5)
    assert simulation.result().total("d", "sent") == 2
    assert [delivery.body for delivery in simulation.queues["d"].receive(5, 10)] == ["seen at 1", "seen at 3"]


@pytest.mark.parametrize(
    ("action", "problem"),
    [
        (ms.SendMessage("x"), "no queue named 'x'; declared: d, q"),
        (ms.SendEmail("ses"), "no outbox named 'ses'; declared: none"),
        (ms.Join("x"), "of which the pool is not a part"),
        (ms.Join("j"), "of which the pool is not a part"),
    ],
)
def test_a_handler_is_told_what_it_may_not_return(action: Action, problem: str) -> None:
    declared = ms.Scenario(
        queues={"q": ms.Queue(), "d": ms.Queue()},
        traffic={"t": ms.Traffic(to="q", rate=1)},
        workers={
            "w": ms.Workers(queue="q", count=1, handler=lambda _delivery, _context: [action]),
            "other": ms.Workers(
                queue="d",
                count=1,
                service_time=1,
                on_success=[ms.Join("j", parts=["other"], then=[ms.SendMessage("q")])],
            ),
        },
    )
    simulation = ms.Simulation(declared)
    with pytest.raises(HandlerError, match=rf"^the handler of 'w' returned {type(action).__name__}\(.*{problem}$"):
        simulation.run(5)
    simulation.result()


def test_a_handler_may_return_a_join_that_its_pool_is_a_part_of() -> None:
    join = ms.Join("j", parts=["w"], then=[ms.SendMessage("d")])
    simulation = one(lazy=True, handler=lambda _delivery, _context: [ms.Join("j")], on_success=[join])
    simulation.run(5)
    assert simulation.result().total("j", "completed") == simulation.result().total("d", "sent") > 0


def test_what_a_handler_raises_is_in_the_run() -> None:
    def handle(_delivery: Any, _context: Any) -> None:
        raise ValueError("no good")

    simulation = one(lazy=True, handler=handle)
    simulation.run(4)
    run = simulation.result()
    assert run.raised == {"w": {"ValueError: no good": 2}}


def test_an_action_of_an_unknown_kind_is_refused() -> None:
    class Sing(Action):
        def __repr__(self) -> str:
            return "Sing()"

    with pytest.raises(DeclarationError, match=r"^workers\.w: Sing\(\) is not an action$"):
        one(lazy=True, on_success=[Sing()])


# ---------------------------------------------------------------- how it is wired


def is_lazy(pools: dict[str, ms.Workers], redrive: ms.Redrive | None = None, *, lazy: bool = True) -> bool:
    queues = {"q": ms.Queue(redrive=redrive), "d": ms.Queue()}
    simulation = ms.Simulation(ms.Scenario(queues=queues, workers=pools), lazy=lazy)
    return isinstance(simulation._stations["q"], LazyStation)


PLAIN = ms.Workers(queue="q", count=1, service_time=1)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"on_success": (ms.SendMessage("d"),)}, False),
        ({"handler": print}, False),
        ({"heartbeat": 5}, False),
        ({"delete": "batch"}, False),
        ({"wait_time": 0}, False),
        ({"wait_time": 3}, True),
    ],
)
def test_a_queue_is_lazy_if_nobody_can_notice_its_work(changes: dict[str, Any], expected: bool) -> None:
    assert is_lazy({"a": attrs.evolve(PLAIN, **changes)}) is expected


def test_a_queue_is_lazy_if_its_pools_are_alike_and_so_is_what_is_behind_it() -> None:
    redrive = ms.Redrive(to="d", max_receive_count=1)
    behind = ms.Workers(queue="d", count=1, service_time=1)
    assert is_lazy({})
    assert is_lazy({"a": PLAIN, "b": PLAIN, "c": behind}, redrive)
    assert not is_lazy({"a": PLAIN}, lazy=False)
    assert not is_lazy({"a": PLAIN, "b": attrs.evolve(PLAIN, wait_time=5)})
    assert not is_lazy({"a": PLAIN, "c": attrs.evolve(behind, heartbeat=5)}, redrive)


def test_a_pool_follows_its_shifts() -> None:
    counts = {
        "stairs": ms.Steps([(0, 2), (100, 5), (200, 1)]),
        "slope": ms.Ramp(60, 360, 0, 10),
        "wave": ms.Diurnal(4, 4, period=480, peak_at=0),
    }
    scenario = ms.Scenario(
        queues=dict.fromkeys(counts, ms.Queue()) | {"q": ms.Queue()},
        workers={f"{name}-pool": ms.Workers(queue="q", count=curve, service_time=1) for name, curve in counts.items()},
    )
    run = ms.simulate(scenario, until=480, probe=20)
    times, stairs = run.series("stairs-pool", "count")
    assert stairs.tolist() == [2 if time < 100 else 5 if time < 200 else 1 for time in times]
    for name in ("slope", "wave"):
        found = dict(zip(*run.series(f"{name}-pool", "count"), strict=True))
        assert [found[time] for time in range(0, 481, 60)] == [round(counts[name].rate(t)) for t in range(0, 481, 60)]
    assert run.final("slope-pool", "count") == 10


# ---------------------------------------------------------------- warm-up


def test_a_message_counts_if_it_was_deleted_at_or_after_the_warm_up(lazy: bool) -> None:
    """One worker, deletions at 3, 5, 7 ...; what happens at the very end of the warm-up counts."""
    for warm_up, counted in ((0, 4), (3, 4), (3.001, 3), (4.999, 3), (5, 3), (9, 1), (9.5, 0)):
        simulation = one(lazy, 10, warm_up=warm_up)
        simulation.run(10)
        run = simulation.result()
        assert [len(run.samples("q", name)) for name in ("sojourn_time", "waiting_time", "end_to_end_time")] == [
            counted
        ] * 3
        assert run.total("q", "deleted") == 4


def test_a_batch_may_straddle_the_warm_up(lazy: bool) -> None:
    """Four messages are there at 0; one batch of 2 s each ends them at 2, 4, 6, 8."""
    for warm_up, counted in ((1, 4), (2, 4), (3, 3), (4, 3), (6, 2), (8, 1)):
        simulation = one(lazy, 10, warm_up=warm_up, rate=0, batch_size=10)
        queue = simulation.queues["q"]
        for number in range(4):
            queue.send(f"message {number}", 0)
        simulation.run(10)
        run = simulation.result()
        assert sorted(run.samples("q", "sojourn_time")) == [2, 4, 6, 8][4 - counted :]


def test_joins_and_emails_count_by_when_they_are_done() -> None:
    scenario = ms.Scenario(
        queues={"q": ms.Queue()},
        outboxes={"slow": ms.Outbox(delivery_delay=3), "fast": ms.Outbox()},
        traffic={"t": ms.Traffic(to="q", rate=FROM_1, process="regular")},
        workers={
            "w": ms.Workers(
                queue="q",
                count=1,
                batch_size=1,
                service_time=2,
                on_success=[ms.Join("j", parts=["w"], then=[ms.SendEmail("slow"), ms.SendEmail("fast")])],
            )
        },
    )
    run = ms.simulate(scenario, until=10, warm_up=5)
    assert run.samples("j", "end_to_end_time").tolist() == [2, 2, 2]  # at 5, 7, 9
    assert run.samples("fast", "end_to_end_time").tolist() == [2, 2, 2]
    assert run.samples("slow", "end_to_end_time").tolist() == [5, 5, 5]  # at 6, 8, 10
    assert (run.total("j", "completed"), run.total("slow", "accepted")) == (4, 4)


@pytest.mark.parametrize("seed", range(3))
def test_warm_up_leaves_out_what_was_done_before_it_and_no_more(seed: int, lazy: bool) -> None:
    def run(until: float, warm_up: float = 0) -> Run:
        simulation = ms.Simulation(orders(), seed=seed, horizon=100, warm_up=warm_up, lazy=lazy)
        simulation.run(until)
        return simulation.result()

    early, warm, full = run(37.7), run(100, 37.7), run(100)
    for entity, metric in (
        ("direct", "sojourn_time"),
        ("direct", "waiting_time"),
        ("emails", "end_to_end_time"),
        ("ses", "end_to_end_time"),
        ("done", "end_to_end_time"),
    ):
        both = sorted([*early.samples(entity, metric), *warm.samples(entity, metric)])
        assert both == sorted(full.samples(entity, metric))
        assert len(early.samples(entity, metric)) > 10
    for name, record in full.records.items():
        assert {metric: row[-1] for metric, row in record.series.items()} == {
            metric: row[-1] for metric, row in warm.records[name].series.items()
        }


# ---------------------------------------------------------------- the same again


def test_the_same_seed_is_the_same_run_and_another_is_not() -> None:
    one_run = ms.simulate(orders(), until=60, seed=5, warm_up=10, probe=2)
    assert one_run.to_json() == ms.simulate(orders(), until=60.0, seed=5, warm_up=10.0, probe=2.0).to_json()
    others = [
        ms.simulate(orders(), until=60, seed=5, warm_up=10, probe=2, replication=1),
        ms.simulate(orders(), until=60, seed=6, warm_up=10, probe=2),
        ms.simulate(orders(), until=60, seed=6, warm_up=10, probe=2, replication=1),
    ]
    entities = [repr(run.to_dict()["entities"]) for run in (one_run, *others)]
    assert len(set(entities)) == 4
    assert others[0].replication == 1


PROGRAM = """
import sys, msgsim
run = msgsim.simulate(msgsim.Scenario.from_toml(sys.stdin.read()), until=60, seed=5)
sys.stdout.write(run.to_json())
"""


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_runs_do_not_depend_on_the_hash_seed(hash_seed: str) -> None:
    found = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM],
        input=orders().to_toml(),
        env=os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == ms.simulate(orders(), until=60, seed=5).to_json()


def test_another_component_shifts_no_numbers() -> None:
    scenario = orders()
    more = orders(
        queues={"other": ms.Queue(), **scenario.queues},
        traffic={"more": ms.Traffic(to="other", rate=3), **scenario.traffic},
        workers={"others": ms.Workers(queue="other", count=2, service_time=ms.Exponential(1)), **scenario.workers},
    )
    alone = ms.simulate(scenario, until=60, seed=5).to_dict()["entities"]
    together = ms.simulate(more, until=60, seed=5).to_dict()["entities"]
    assert {name: together[name] for name in alone} == alone
    assert together.keys() - alone.keys() == {"other", "more", "others"}


# ---------------------------------------------------------------- books that do not balance


def bump(name: str, by: float = 1) -> Callable[[Any], None]:
    return lambda live: setattr(live, name, getattr(live, name) + by)


def corrupted(lazy: bool, kind: str, entity: str, *deeds: Callable[[Any], None]) -> str:
    """What the audit says of a run in which somebody tampered with a counter at 25 s; probes are every 10 s."""
    simulation = one(lazy, 60, probe=10, rate=10, service_time=1, batch_size=10)
    simulation.run(25)
    for deed in deeds:
        deed(getattr(simulation, kind)[entity])
    simulation.run(60)
    run = simulation.result()
    assert simulation.result().violations == run.violations
    with pytest.raises(AuditError) as caught:
        run.audit()
    return str(caught.value)


@pytest.mark.parametrize(
    "counter",
    ["sent", "moved_in", "deleted", "dead_lettered", "moved_out", "expired", "purged", "in_flight", "delayed"],
)
@pytest.mark.parametrize("by", [1, -1])
def test_a_counter_that_lies_is_found_with_queue_and_time(lazy: bool, counter: str, by: int) -> None:
    assert corrupted(lazy, "queues", "q", bump(counter, by)).startswith("queue 'q' at 30 s: sent ")


def test_counters_that_lie_in_step_are_found_by_counting(lazy: bool) -> None:
    found = corrupted(lazy, "queues", "q", bump("in_flight"), bump("delayed", -1))
    assert found.startswith("queue 'q' at 30 s: its containers hold Counts(")


@pytest.mark.parametrize("account", ["_visible_time", "_flight_time", "_delayed_time", "_left_time"])
@pytest.mark.parametrize("by", [100, -1e-3])
def test_time_that_nobody_spent_is_found(lazy: bool, account: str, by: float) -> None:
    found = corrupted(lazy, "queues", "q", bump(account, by))
    assert found.startswith("queue 'q' at 60 s: the integral of its length is ")


def test_a_sojourn_that_lies_is_found(lazy: bool) -> None:
    def lengthen(queue: Any) -> None:
        queue.sojourns[0] += 1

    found = corrupted(lazy, "queues", "q", lengthen)
    assert found.startswith("queue 'q' at 60 s: the integral of its length is ")


def test_a_pool_that_lies_is_found_with_the_time(lazy: bool) -> None:
    found = corrupted(lazy, "workers", "w", bump("count"))
    assert found.startswith("pool 'w': ")
    assert "(at 30 s)" in found


@pytest.mark.parametrize(
    ("kind", "entity", "counter"), [("topics", "orders", "published"), ("outboxes", "ses", "pending")]
)
def test_topics_and_outboxes_that_lie_are_found_with_the_time(kind: str, entity: str, counter: str) -> None:
    simulation = ms.Simulation(orders(), probe=10)
    simulation.run(25)
    bump(counter)(getattr(simulation, kind)[entity])
    simulation.run(30)
    run = simulation.result()
    assert len(run.violations) == 1
    with pytest.raises(AuditError, match=rf"{entity}'?: .* \(at 30 s\)$"):
        run.audit()


def test_simulate_audits_unless_told_not_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ms.StandardQueue, "residence", lambda *_: -1.0)
    with pytest.raises(AuditError, match=r"^queue 'emails' at 20 s: .* message s, .* \(and \d more\)$"):
        ms.simulate(orders(), until=20)
    run = ms.simulate(orders(), until=20, audit=False)
    assert len(run.violations) == 5


def test_a_subscription_shifts_no_other_ones_chances() -> None:
    def failed(*others: ms.Subscription) -> float:
        flaky = ms.Subscription(endpoint="a@example.com", protocol="email", failure_rate=0.3)
        scenario = ms.Scenario(
            topics={"news": ms.Topic(subscriptions=[*others, flaky])},
            traffic={"writers": ms.Traffic(to="news", rate=1)},
        )
        run = ms.simulate(scenario, until=1_000, seed=3)
        return run.total("news/a@example.com", "delivery_failed")

    assert failed() == failed(ms.Subscription(endpoint="b@example.com", protocol="email", failure_rate=0.5)) > 0


@pytest.mark.parametrize(("rate", "count"), [(1.5, 2), (2.5, 3), (2.4, 2), (0.5, 1)])
def test_half_a_worker_of_a_shift_is_a_whole_one(rate: float, count: int) -> None:
    scenario = ms.Scenario(
        queues={"q": ms.Queue()},
        workers={"w": ms.Workers(queue="q", count=ms.Constant(rate), service_time=1)},
    )
    assert ms.simulate(scenario, until=10).quantile("w", "count", 0.5) == count


def test_a_slope_is_followed_where_the_next_worker_comes_or_goes() -> None:
    up = ms.Ramp(0, 50, 0, 10)
    down = ms.Ramp(0, 50, 3, 0)
    bend = ms.Spike(at=10, height=8, hold=0, decay=20)
    counts = {"up": up, "down": down, "bend": bend}
    scenario = ms.Scenario(
        queues={"q": ms.Queue()},
        workers={name: ms.Workers(queue="q", count=curve, service_time=1) for name, curve in counts.items()},
    )
    run = ms.simulate(scenario, until=60, probe=2)
    times, up_counts = run.series("up", "count")
    assert up_counts.tolist() == [min(10, int(time / 5 + 0.5)) for time in times]
    assert run.series("down", "count")[1].tolist()[:10] == [3, 3, 3, 3, 3, 2, 2, 2, 2, 2]
    assert run.series("bend", "count")[1].tolist()[5:10] == [8, 7, 7, 6, 5]


def test_arguments_are_checked_before_anything_runs() -> None:
    calls: list[tuple[Any, str]] = [
        (lambda: ms.simulate(orders(), until=10**400), "until: 1000"),
        (
            lambda: ms.simulate(orders(), until=1e12),
            "until: 1000000000000.0 is not allowed; allowed: 0 to 251635075199",
        ),
        (
            lambda: ms.Simulation(orders()).run(1e12),
            "until: 1000000000000.0 is not allowed; allowed: 0 to 251635075199",
        ),
        (lambda: ms.simulate(orders(), progress=True), "progress: True is not a function of the simulation"),
        (lambda: ms.Simulation(orders()).run(1, progress=3), "progress: 3 is not a function of the simulation"),
        (lambda: ms.simulate(orders(), seed=10**5_000), "seed: inf is not a whole number"),
    ]
    for call, problem in calls:
        with pytest.raises(DeclarationError) as raised:
            call()
        assert str(raised.value).startswith(problem)


def test_numbers_of_numpy_do_for_arguments() -> None:
    run = ms.simulate(orders(), until=np.int64(20), seed=np.int64(3), warm_up=np.float32(5), probe=np.int64(1))
    assert run.to_json() == ms.simulate(orders(), until=20, seed=3, warm_up=5, probe=1).to_json()


def test_live_things_are_looked_up_by_name() -> None:
    simulation = ms.Simulation(orders())
    sections = {"queues": "queue", "topics": "topic", "outboxes": "outbox", "workers": "worker pool"}
    for section, what in {**sections, "traffic": "traffic source"}.items():
        live = getattr(simulation, section)
        assert set(live) == set(getattr(simulation.scenario, section))
        with pytest.raises(UnknownName, match=f"no {what} named 'emial'"):
            live["emial"]
        assert not hasattr(live, "pop")


def test_readings_have_a_limit() -> None:
    scenario = ms.Scenario(queues={"q": ms.Queue()})
    with pytest.raises(DeclarationError) as caught:
        ms.Simulation(scenario, horizon=60, probe=1e-9)
    assert str(caught.value) == "probe: 1e-09 [s] makes 60,000,000,000 readings; allowed: at most 10,000,000"
    assert ms.Simulation(scenario, horizon=60, probe=0.5).probe_interval == 0.5
