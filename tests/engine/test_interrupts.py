"""Ctrl-C during a run."""

import os
import signal
from collections.abc import Generator
from threading import Thread

import pytest
from simpy.events import Event

import msgsim as ms
from msgsim.engine.interrupts import between_events

QUEUE = ms.Scenario(
    queues={"q": ms.Queue()},
    traffic={"t": ms.Traffic(to="q", rate=100)},
    workers={"w": ms.Workers(queue="q", count=2, service_time=ms.Exponential(0.01))},
)


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("lazy", [True, False])
def test_a_run_ends_between_two_events_and_can_be_gone_on_with(lazy: bool) -> None:
    simulation = ms.Simulation(QUEUE, seed=7, lazy=lazy, probe=1)
    whole = ms.Simulation(QUEUE, seed=7, lazy=lazy, probe=1)

    def user() -> Generator[Event, None, None]:
        yield simulation.env.timeout(20)
        press()

    simulation.env.process(user())
    with pytest.raises(KeyboardInterrupt):
        simulation.run(50)
    assert simulation.now == 20
    simulation.result().audit()
    simulation.run(50)
    whole.run(50)
    assert simulation.result().total("q", "deleted") == whole.result().total("q", "deleted") > 4_000


def test_the_second_time_is_at_once() -> None:
    seen = []

    def impatient() -> None:
        with between_events() as interrupt:
            press()
            seen.append(interrupt.asked)
            press()
            seen.append("not reached")

    with pytest.raises(KeyboardInterrupt):
        impatient()
    assert seen == [True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_somebody_elses_is_left_alone() -> None:
    pressed = []
    before = signal.signal(signal.SIGINT, lambda *_: pressed.append(1))
    try:
        with between_events() as interrupt:
            press()
        assert (pressed, interrupt.asked) == ([1], False)
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_get_no_signals() -> None:
    seen = []

    def run() -> None:
        with between_events() as interrupt:
            seen.append(interrupt.asked)

    thread = Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [False]
