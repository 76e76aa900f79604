"""A lazy station shows what one event per message would show, in every situation that a queue and its pools know."""

# ruff: noqa: C408 - keyword arguments read better here

import random
from typing import Any

import pytest

import msgsim as ms
from tests.engine.twins import differences, simulated

Q, W, T, S = ms.Queue, ms.Workers, ms.Traffic, ms.Scenario


def base(q: dict[str, Any] | None = None, w: dict[str, Any] | None = None) -> ms.Scenario:
    pool = {"queue": "q", "count": 4, "service_time": ms.Exponential(0.5), **(w or {})}
    return S(queues={"q": Q(**(q or {}))}, traffic={"t": T(to="q", rate=5)}, workers={"w": W(**pool)})


SPIKE = ms.Constant(5) + ms.Spike(at=30, height=60, hold=10, every=200)
CASES: dict[str, tuple[ms.Scenario, float]] = {
    "spike": (
        S(
            queues={
                "q": Q(visibility_timeout=10, redrive=ms.Redrive(to="d", max_receive_count=2)),
                "d": Q(visibility_timeout=10, redrive=ms.Redrive(to="p", max_receive_count=4)),
                "p": Q(),
            },
            traffic={"t": T(to="q", rate=SPIKE)},
            workers={
                "w": W(queue="q", count=5, service_time=ms.Exponential(0.3), failure_rate=0.3),
                "dw": W(queue="d", count=2, service_time=ms.Exponential(0.8), failure_rate=0.4, batch_size=3),
            },
        ),
        300.0,
    ),
    "b1": (base(w=dict(batch_size=1)), 300.0),
    "b3": (base(w=dict(batch_size=3)), 300.0),
    "b10": (base(), 300.0),
    "wait5": (base(w=dict(wait_time=5, batch_size=3, failure_rate=0.1)), 300.0),
    "pools": (
        S(
            queues={"q": Q(visibility_timeout=5)},
            traffic={"t": T(to="q", rate=6)},
            workers={
                "a": W(queue="q", count=2, service_time=ms.Exponential(0.5), failure_rate=0.2),
                "b": W(queue="q", count=2, service_time=ms.Uniform(0.2, 0.9), batch_size=2),
            },
        ),
        300.0,
    ),
    "traffics": (
        S(
            queues={"q": Q(visibility_timeout=5)},
            traffic={"t": T(to="q", rate=3), "u": T(to="q", rate=2, process="regular"), "v": T(to="q", rate=SPIKE)},
            workers={"a": W(queue="q", count=8, service_time=ms.Exponential(0.5), failure_rate=0.2)},
        ),
        300.0,
    ),
    "delay": (base(q=dict(delay=3, visibility_timeout=5), w=dict(failure_rate=0.2)), 300.0),
    "inflight": (base(q=dict(max_in_flight=6, visibility_timeout=5), w=dict(failure_rate=0.2)), 300.0),
    "inflight1": (
        base(q=dict(max_in_flight=1, visibility_timeout=5), w=dict(failure_rate=0.2, service_time=0.1)),
        300.0,
    ),
    "inflight3": (
        base(q=dict(max_in_flight=3, visibility_timeout=5), w=dict(failure_rate=0.2, service_time=ms.Uniform(0.1, 1))),
        300.0,
    ),
    "retention": (base(q=dict(retention=60, visibility_timeout=5), w=dict(failure_rate=0.2, count=2)), 300.0),
    "retention2": (
        base(
            q=dict(retention=60, visibility_timeout=50),
            w=dict(failure_rate=0.2, count=2, service_time=ms.Exponential(4)),
        ),
        300.0,
    ),
    "dup": (base(q=dict(visibility_timeout=1), w=dict(failure_rate=0.1)), 300.0),
    "dup2": (base(q=dict(visibility_timeout=2), w=dict(failure_rate=0.1, count=8)), 300.0),
    "shifts": (
        base(
            w=dict(count=ms.Steps([(0, 0), (60, 3), (200, 0), (300, 5), (400, 1)]), failure_rate=0.1),
            q=dict(visibility_timeout=5),
        ),
        300.0,
    ),
    "ramp": (base(w=dict(count=ms.Ramp(0, 500, 0, 8), failure_rate=0.1), q=dict(visibility_timeout=5)), 300.0),
    "random": (base(q=dict(poll_winner="random", visibility_timeout=5), w=dict(failure_rate=0.1, count=10)), 300.0),
    "random2": (
        S(
            queues={"q": Q(visibility_timeout=5, poll_winner="random")},
            traffic={"t": T(to="q", rate=6)},
            workers={
                "a": W(queue="q", count=3, service_time=ms.Exponential(0.5), failure_rate=0.2),
                "b": W(queue="q", count=3, service_time=ms.Uniform(0.2, 0.9), batch_size=2),
            },
        ),
        300.0,
    ),
    "regular": (
        S(
            queues={"q": Q(visibility_timeout=5)},
            traffic={"t": T(to="q", rate=8, process="regular")},
            workers={"a": W(queue="q", count=5, service_time=0.5, failure_rate=0.2)},
        ),
        300.0,
    ),
    "regular2": (
        S(
            queues={"q": Q(visibility_timeout=5)},
            traffic={"t": T(to="q", rate=8, process="regular")},
            workers={
                "a": W(queue="q", count=5, service_time=0.5, failure_rate=0.2),
                "b": W(queue="q", count=2, service_time=0.25, batch_size=2),
            },
        ),
        300.0,
    ),
    "regular3": (
        S(
            queues={"q": Q(visibility_timeout=5)},
            traffic={"t": T(to="q", rate=8 + ms.Spike(at=20, height=20, hold=10), process="regular")},
            workers={
                "a": W(queue="q", count=5, service_time=0.5, failure_rate=0.2),
                "b": W(queue="q", count=ms.Steps([(0, 2), (50, 0), (100, 4)]), service_time=0.75, batch_size=2),
            },
        ),
        300.0,
    ),
    "topic": (
        S(
            topics={
                "o": ms.Topic(
                    subscriptions=[
                        ms.Subscription(endpoint="q"),
                        ms.Subscription(endpoint="r", delivery_delay=ms.Exponential(1)),
                    ]
                )
            },
            queues={"q": Q(visibility_timeout=5), "r": Q(delay=1)},
            traffic={"t": T(to="o", rate=8), "u": T(to="r", rate=1)},
            workers={
                "a": W(queue="q", count=5, service_time=0.5, failure_rate=0.2),
                "b": W(queue="r", count=2, service_time=ms.Exponential(0.25), batch_size=2),
            },
        ),
        300.0,
    ),
    "sendmsg": (
        S(
            queues={"q": Q(visibility_timeout=5), "r": Q(visibility_timeout=3)},
            traffic={"t": T(to="q", rate=8), "u": T(to="r", rate=1)},
            workers={
                "a": W(
                    queue="q",
                    count=5,
                    service_time=ms.Exponential(0.5),
                    failure_rate=0.2,
                    on_success=[ms.SendMessage("r"), ms.SendMessage("r", delay=2)],
                ),
                "b": W(queue="r", count=6, service_time=ms.Exponential(0.25), batch_size=2),
            },
        ),
        300.0,
    ),
}


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("case", CASES)
def test_lazy_equals_an_event_per_message(case: str, seed: int) -> None:
    scenario, until = CASES[case]
    lazy, _ = simulated(scenario, until, lazy=True, seed=seed)
    eager, _ = simulated(scenario, until, lazy=False, seed=seed)
    assert differences(lazy, eager) == []


def _meddle(simulation: ms.Simulation, notes: list[Any]) -> None:
    """A user's own process that does everything a user may do, at instants of its own."""
    chance = random.Random(5)

    def process() -> Any:
        queue = simulation.queues["q"]
        while True:
            yield simulation.env.timeout(chance.expovariate(0.5))
            now = simulation.now
            notes.append(tuple(queue.counts(now)))
            what = chance.random()
            if what < 0.3:
                queue.send("mine", now)
            elif what < 0.7:
                for delivery in queue.receive(now, 3, wait_time=20):
                    notes.append((delivery.body, delivery.receive_count))
                    if what < 0.5:
                        queue.delete(delivery.receipt_handle, now)
                    elif what < 0.6:
                        queue.change_visibility(delivery.receipt_handle, 0 if what < 0.55 else 7, now)
            elif what < 0.9:
                simulation.workers["w"].resize(int(chance.random() * 6), now)
            elif now > 70 and what > 0.97:
                notes.append(queue.purged)

    simulation.env.process(process())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_user_who_meddles_sees_the_same(seed: int) -> None:
    scenario = base(q=dict(visibility_timeout=5), w=dict(failure_rate=0.2))
    lazy, seen = simulated(scenario, 300.0, lazy=True, seed=seed, drive=_meddle)
    eager, expected = simulated(scenario, 300.0, lazy=False, seed=seed, drive=_meddle)
    assert seen == expected
    assert differences(lazy, eager) == []


def test_stopping_on_the_way_changes_nothing() -> None:
    scenario, until = CASES["spike"]
    whole, _ = simulated(scenario, until, lazy=True, probe=7.0)
    parts, _ = simulated(scenario, until, lazy=True, probe=7.0, stops=(0.0, 33.3, 40.0, 123.4))
    assert differences(whole, parts) == []
