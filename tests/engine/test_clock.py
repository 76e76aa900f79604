"""Timers go off at exactly their time, in their turn; and what they rely on in SimPy is still so."""

import json
from collections.abc import Callable, Generator
from math import inf, nextafter
from typing import Any

import pytest
import simpy
from hypothesis import example, given
from hypothesis import strategies as st
from simpy import Environment
from simpy.core import StopSimulation
from simpy.events import NORMAL, URGENT, Event

import msgsim as ms
from msgsim.engine.clock import Timer, Turn, run_through


def noting(heard: list[Any], word: Any) -> Callable[[object], None]:
    return lambda _: heard.append(word)


# ---------------------------------------------------------------- what SimPy promises, and msgsim/engine/clock.py uses


def succeeded(env: Environment, *callbacks: Any) -> Event:
    """An event as SimPy's own Timeout makes it."""
    event = Event(env)
    event._ok = True
    event._value = None
    event.callbacks = list(callbacks)
    return event


def test_simpy_is_of_the_version_that_this_file_was_checked_against() -> None:
    assert simpy.__version__.split(".")[0] == "4", "SimPy has changed: read simpy/core.py again, then this file"


def test_simpy_lets_an_event_be_scheduled_again_and_again() -> None:
    env = Environment()
    heard: list[float] = []

    def hear(event: Any) -> None:
        assert event.callbacks is None  # step() takes them away before it calls them
        event.callbacks = callbacks
        heard.append(env.now)

    callbacks = [hear]
    event = succeeded(env, hear)
    for delay in (3, 1, 1, 2):
        env.schedule(event, Turn.WORKER.value, delay)  # type: ignore[arg-type]
    for _ in range(4):
        env.step()
    assert heard == [1, 1, 2, 3]
    assert event.callbacks is callbacks


def test_simpy_orders_by_time_then_priority_then_insertion() -> None:
    env = Environment()
    heard: list[Any] = []
    for name, priority, delay in [
        ("late", -9, 2),
        ("second", 2.25, 1),
        ("third", 2.25, 1),
        ("fourth", 2.5, 1),
        ("first", -4, 1),
        ("last", 3, 1),
    ]:
        env.schedule(succeeded(env, noting(heard, name)), priority, delay)  # type: ignore[arg-type]
    for _ in range(6):
        env.step()
    assert heard == ["first", "second", "third", "fourth", "last", "late"]


def test_simpy_gives_its_own_processes_the_priorities_0_and_1() -> None:
    assert (URGENT, NORMAL) == (0, 1)
    assert Turn.PUBLICATION < URGENT < NORMAL < Turn.WORKER
    env = Environment()
    heard: list[str] = []

    def process() -> Generator[Event, None, None]:
        heard.append("begins")
        yield env.timeout(0)
        heard.append("goes on")

    env.schedule(succeeded(env, noting(heard, "worker")), Turn.WORKER.value, 0)  # type: ignore[arg-type]
    env.process(process())
    env.schedule(succeeded(env, noting(heard, "arrival")), Turn.ARRIVAL.value, 0)  # type: ignore[arg-type]
    while env.peek() < inf:
        env.step()
    assert heard == ["arrival", "begins", "goes on", "worker"]


def test_simpy_adds_the_delay_to_its_now() -> None:
    env = Environment(initial_time=0.1)
    assert env._now == env.now == 0.1
    env.schedule(succeeded(env), delay=0.2)
    assert env.peek() == 0.1 + 0.2
    env.step()
    assert env._now == 0.1 + 0.2
    assert env.peek() == inf


def test_simpy_ends_a_step_by_stop_simulation_and_keeps_what_it_had_not_called() -> None:
    env = Environment()
    heard: list[str] = []

    def stop(_event: Event) -> None:
        raise StopSimulation(None)

    env.schedule(succeeded(env, stop, noting(heard, "after the stop")), Turn.LAST.value, 5)  # type: ignore[arg-type]
    with pytest.raises(StopSimulation):
        env.step()
    assert (env.now, heard) == (5, [])
    assert env.peek() == 5  # the rest of the callbacks, at once and first
    env.step()
    assert (env.now, heard) == (5, ["after the stop"])


# ---------------------------------------------------------------- exactness

starts = st.floats(0, 1e6) | st.floats(0, 2)
waits = st.floats(0, 1e7) | st.floats(0, 2)


@given(starts, waits)
@example(0.17048513894515313, 0.4706308368041912 - 0.17048513894515313)
def test_a_timer_goes_off_at_exactly_its_time(start: float, wait: float) -> None:
    time = start + wait
    env = Environment(initial_time=start)
    heard: list[tuple[float, float]] = []
    timer = Timer(env, lambda now: heard.append((now, env.now)), Turn.WORKER)
    timer.arm(time)
    assert timer.time == time
    run_through(env, time + 1.0)
    assert heard == [(time, time)]
    assert timer.time == inf


@given(starts, st.integers(0, 5))
def test_a_timer_may_go_off_a_few_roundings_from_now(start: float, steps: int) -> None:
    time = start
    for _ in range(steps):
        time = nextafter(time, inf)
    env = Environment(initial_time=start)
    heard: list[float] = []
    Timer(env, heard.append, Turn.DEADLINE).arm(time)
    run_through(env, start + 1.0)
    assert heard == [time]


UNREACHABLE = [
    (0.17048513894515313, 0.4706308368041912),
    (164.3723514854145, 496.87398588804166),
    (2.5974355922737713, 12.418547431878059),
    (7.692147560528431, 28.537941121217745),
]
"""Pairs of now and time that SimPy's one addition does not bridge: the nearest delays lead to times on either side."""


@pytest.mark.parametrize(("now", "time"), [*UNREACHABLE, (0.1, 100.3), (1e-300, 1.0), (0.3, 0.3)])
def test_times_that_no_delay_leads_to(now: float, time: float) -> None:
    env = Environment(initial_time=now)
    heard: list[float] = []
    Timer(env, heard.append, Turn.ARRIVAL).arm(time)
    run_through(env, 1000.0)
    assert heard == [time]


@pytest.mark.parametrize(("now", "time"), UNREACHABLE)
def test_a_time_that_no_delay_leads_to_is_still_reached_once_if_it_is_armed_twice(now: float, time: float) -> None:
    assert not any(now + delay == time for delay in (nextafter(time - now, 0), time - now, nextafter(time - now, inf)))
    env = Environment(initial_time=now)
    heard: list[float] = []
    timer = Timer(env, heard.append, Turn.ARRIVAL)
    timer.arm(time)
    timer.arm(time)
    run_through(env, 1000.0)
    assert heard == [time]


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30))
def test_time_never_runs_backwards(gaps: list[float]) -> None:
    env = Environment()
    heard: list[float] = []
    rest = iter(gaps)

    def again(now: float) -> None:
        heard.append(now)
        gap = next(rest, None)
        if gap is not None:
            timer.arm(now + gap)

    timer = Timer(env, again, Turn.ARRIVAL)
    timer.arm(0.0)
    run_through(env, 1e5)
    assert len(heard) == len(gaps) + 1
    assert heard == sorted(heard)


# ---------------------------------------------------------------- arming


def test_only_the_last_arming_counts() -> None:
    env = Environment()
    heard: list[float] = []
    timer = Timer(env, heard.append, Turn.WORKER)
    timer.arm(5.0)
    timer.arm(3.0)
    timer.arm(7.0)
    run_through(env, 10.0)
    assert heard == [7.0]


@pytest.mark.parametrize(("first", "then"), [(5.0, 3.0), (3.0, 5.0), (5.0, 5.0)], ids=["earlier", "later", "the same"])
def test_a_timer_that_is_armed_again_goes_off_once(first: float, then: float) -> None:
    env = Environment()
    heard: list[float] = []
    timer = Timer(env, heard.append, Turn.WORKER)
    timer.arm(first)
    timer.arm(then)
    run_through(env, 10.0)
    assert heard == [then]


def test_a_cancelled_timer_does_not_go_off_until_it_is_armed_again() -> None:
    env = Environment()
    heard: list[float] = []
    timer = Timer(env, heard.append, Turn.WORKER)
    timer.arm(5.0)
    timer.cancel()
    assert timer.time == inf
    run_through(env, 6.0)
    assert heard == []
    timer.arm(12.0)
    timer.cancel()
    timer.arm(11.0)
    run_through(env, 20.0)
    assert heard == [11.0]


def test_a_timer_may_arm_itself_for_the_same_instant() -> None:
    env = Environment()
    heard: list[tuple[str, float]] = []

    def again(now: float) -> None:
        heard.append(("timer", now))
        if len(heard) < 3:
            timer.arm(now)

    timer = Timer(env, again, Turn.DEADLINE)
    timer.arm(1.0)
    Timer(env, lambda now: heard.append(("later turn", now)), Turn.WORKER).arm(1.0)
    run_through(env, 2.0)
    assert heard == [("timer", 1.0)] * 3 + [("later turn", 1.0)]


def test_one_timer_serves_for_ever() -> None:
    env = Environment()
    heard: list[float] = []

    def again(now: float) -> None:
        heard.append(now)
        timer.arm(now + 0.1)

    timer = Timer(env, again, Turn.ARRIVAL)
    timer.arm(0.0)
    run_through(env, 100.0)
    assert len(heard) > 999
    assert heard == sorted(heard)


# ---------------------------------------------------------------- turns


def test_turns_at_one_instant() -> None:
    env = Environment()
    heard: list[str] = []

    def process() -> Generator[Event, None, None]:
        yield env.timeout(1.0)
        heard.append("user")

    def interrupted() -> Generator[Event, None, None]:
        try:
            yield env.timeout(9.0)
        except simpy.Interrupt:
            heard.append("user, urgent")

    env.process(process())
    sleeper = env.process(interrupted())
    for turn in reversed(Turn):
        if turn is not Turn.LAST:
            Timer(env, noting(heard, turn.name), turn).arm(1.0)
    Timer(env, lambda _: sleeper.interrupt(), Turn.PUBLICATION).arm(1.0)
    run_through(env, 1.0)
    assert heard == ["FIRST", "DEADLINE", "ARRIVAL", "PUBLICATION", "user, urgent", "user", "WORKER", "PROBE"]


def test_between_two_turns_there_is_room() -> None:
    env = Environment()
    heard: list[float] = []
    for turn in (Turn.PROBE, Turn.WORKER + 0.5, Turn.WORKER + 0.25, Turn.WORKER):
        Timer(env, noting(heard, float(turn)), turn).arm(1.0)
    run_through(env, 1.0)
    assert heard == sorted(heard) == [2.0, 2.25, 2.5, 3.0]


def test_in_one_turn_they_go_as_they_were_armed() -> None:
    env = Environment()
    heard: list[str] = []
    timers = [Timer(env, noting(heard, name), Turn.ARRIVAL) for name in "abc"]
    for timer in reversed(timers):
        timer.arm(1.0)
    run_through(env, 1.0)
    assert heard == ["c", "b", "a"]


# ---------------------------------------------------------------- running


def test_running_on_goes_through_each_instant_once() -> None:
    env = Environment()
    heard: list[float] = []
    for time in (1.0, 2.0, 2.0, 3.0):
        Timer(env, heard.append, Turn.WORKER).arm(time)
    run_through(env, 2.0)
    assert (heard, env.now) == ([1.0, 2.0, 2.0], 2.0)
    run_through(env, 2.0)
    run_through(env, 4.0)
    assert (heard, env.now) == ([1.0, 2.0, 2.0, 3.0], 4.0)


def test_what_is_armed_between_runs_for_the_present_is_done_in_the_next() -> None:
    env = Environment()
    heard: list[float] = []
    run_through(env, 2.0)
    Timer(env, heard.append, Turn.DEADLINE).arm(2.0)
    assert heard == []
    run_through(env, 2.0)
    assert heard == [2.0]


def test_an_error_leaves_an_environment_that_goes_on_and_does_not_stop_early() -> None:
    env = Environment()
    heard: list[float] = []

    def fail(_now: float) -> None:
        raise ZeroDivisionError

    Timer(env, fail, Turn.WORKER).arm(1.0)
    for time in (2.0, 6.0):
        Timer(env, heard.append, Turn.WORKER).arm(time)
    with pytest.raises(ZeroDivisionError):
        run_through(env, 5.0)
    assert env.now == 1.0
    run_through(env, 10.0)  # the stop at 5 was called off
    assert (heard, env.now) == ([2.0, 6.0], 10.0)


@pytest.mark.parametrize("lazy", [True, False])
@pytest.mark.parametrize(
    "stops",
    [(0.0,), (30.0,), (12.5, 12.5, 40.0), (0.0625, 3.3, 7.0, 7.0, 59.99999, 99.0), (100.0,)],
    ids=lambda stops: "-".join(f"{stop:g}" for stop in stops),
)
def test_running_on_is_the_same_as_running_through_to_the_last_byte(stops: tuple[float, ...], lazy: bool) -> None:
    scenario = ms.Scenario(
        topics={"t": ms.Topic(subscriptions=(ms.Subscription(endpoint="r", delivery_delay=ms.Exponential(1)),))},
        queues={
            "q": ms.Queue(visibility_timeout=3, redrive=ms.Redrive(to="d", max_receive_count=2)),
            "d": ms.Queue(),
            "r": ms.Queue(max_in_flight=5),
        },
        traffic={"a": ms.Traffic(to="q", rate=8, process="regular"), "b": ms.Traffic(to="t", rate=3)},
        workers={
            "w": ms.Workers(queue="q", count=5, service_time=0.5, failure_rate=0.3),
            "v": ms.Workers(queue="r", count=ms.Steps([(0, 1), (7, 4), (40, 0)]), service_time=ms.Exponential(0.5)),
        },
    )

    def written(*stops: float) -> Any:
        simulation = ms.Simulation(scenario, seed=4, horizon=100, probe=7.0, lazy=lazy)
        for stop in stops:
            simulation.run(stop)
        return simulation.result().to_json()

    whole = written(100.0)
    assert json.loads(whole)["violations"] == []
    assert written(*stops, 100.0) == whole
