"""Timers go off at exactly their time, in their turn; and what they rely on in SimPy is still so."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simpy import Environment

from msgsim.engine.clock import Timer, Turn, run_through


@given(st.floats(0, 1e6), st.floats(0, 1e7))
def test_a_timer_goes_off_at_exactly_its_time(start: float, wait: float) -> None:
    env = Environment(initial_time=start)
    heard: list[tuple[float, float]] = []
    timer = Timer(env, lambda now: heard.append((now, env.now)), Turn.WORKER)
    time = start + wait
    timer.arm(time)
    assert timer.time == time
    run_through(env, time + 1.0)
    assert heard == [(time, time)]
    assert timer.time == inf


@pytest.mark.parametrize(
    ("now", "time"), [(0.17048513894515313, 0.4706308368041912), (0.1, 100.3), (1e-300, 1.0), (0.3, 0.3)]
)
def test_times_that_no_delay_leads_to(now: float, time: float) -> None:
    env = Environment(initial_time=now)
    heard: list[float] = []
    Timer(env, heard.append, Turn.ARRIVAL).arm(time)
    run_through(env, 200.0)
    assert heard == [time]


def test_only_the_last_arming_counts() -> None:
    env = Environment()
    heard: list[float] = []
    timer = Timer(env, heard.append, Turn.WORKER)
    timer.arm(5.0)
    timer.arm(3.0)
    timer.arm(7.0)
    run_through(env, 10.0)
    assert heard == [7.0]
    timer.arm(12.0)
    timer.cancel()
    run_through(env, 20.0)
    assert heard == [7.0]


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


def test_turns_at_one_instant() -> None:
    env = Environment()
    heard: list[str] = []

    def process() -> object:
        yield env.timeout(1.0)
        heard.append("user")

    env.process(process())  # type: ignore[arg-type]
    for turn in (Turn.PROBE, Turn.WORKER, Turn.ARRIVAL, Turn.DEADLINE, Turn.FIRST):
        Timer(env, lambda _, name=turn.name: heard.append(name), turn).arm(1.0)
    run_through(env, 1.0)
    assert heard == ["FIRST", "DEADLINE", "ARRIVAL", "user", "WORKER", "PROBE"]


def test_running_on_is_the_same_as_running_through() -> None:
    env = Environment()
    heard: list[float] = []
    for time in (1.0, 2.0, 2.0, 3.0):
        Timer(env, heard.append, Turn.WORKER).arm(time)
    run_through(env, 2.0)
    assert (heard, env.now) == ([1.0, 2.0, 2.0], 2.0)
    run_through(env, 2.0)
    run_through(env, 4.0)
    assert heard == [1.0, 2.0, 2.0, 3.0]
