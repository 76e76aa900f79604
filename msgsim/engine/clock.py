# Hot path: one `arm` and one `_fire` per arrival and per batch of work (benchmarks/spike.py).
"""Timers on SimPy's schedule: the only file that knows SimPy's scheduler.

A timer re-arms one event for its whole life. That costs what a private heap would cost; a new `Timeout` per event costs
more than twice as much.
"""

from collections.abc import Callable
from enum import IntEnum
from math import inf, nextafter
from typing import Any

from simpy import Environment
from simpy.core import StopSimulation
from simpy.events import Event

from msgsim.engine.interrupts import between_events


class Turn(IntEnum):
    """Who goes first at one instant. SimPy's own priorities, 0 and 1, belong to processes that users write."""

    FIRST = -4
    DEADLINE = -3
    ARRIVAL = -2
    PUBLICATION = -1
    WORKER = 2
    PROBE = 3
    LAST = 4


class _Tick(Event):
    """An event that has succeeded from the start, like SimPy's own Timeout, and can be scheduled again and again."""

    def __init__(self, env: Environment, callbacks: list[Callable[[Event], None]]) -> None:
        self.env = env
        self.callbacks: Any = callbacks
        self._value = None
        self._ok = True


class Timer:
    """Calls `action(now)` once at the time it is armed for.

    Args:
        env: the SimPy environment.
        action: called with the armed time [s].
        turn: its place among the things that happen at the same instant.

    Attributes:
        time: when it goes off [s]; inf while it is not armed.
    """

    __slots__ = ("_callbacks", "_env", "_event", "_schedule", "_turn", "action", "time")

    def __init__(self, env: Environment, action: Callable[[float], None], turn: float) -> None:
        self._env = env
        self._schedule: Any = env.schedule
        self._turn = turn.value if isinstance(turn, Turn) else turn
        self.action = action
        self.time = inf
        self._callbacks: list[Callable[[Event], None]] = [self._fire]
        self._event = _Tick(env, self._callbacks)

    def arm(self, time: float) -> None:
        """Go off at `time` [s], not at any time armed for before. Not in the past."""
        self.time = time
        now = self._env._now  # noqa: SLF001 - the property costs a call per event
        delay = time - now
        if now + delay != time:
            delay = _exact_delay(now, time)
        self._schedule(self._event, self._turn, delay)

    def cancel(self) -> None:
        """Do not go off. What is on SimPy's schedule stays there and passes without effect."""
        self.time = inf

    def _fire(self, event: Event) -> None:
        event.callbacks = self._callbacks
        now = self._env._now  # noqa: SLF001 - as above
        if self.time == now:
            self.time = inf
            self.action(now)
        elif self.time == nextafter(now, inf):  # no delay led to it; from here one does
            self.arm(self.time)


def _exact_delay(now: float, time: float) -> float:
    """The delay that SimPy's addition turns into exactly `time`; without it deadlines are missed by a rounding.

    `time - now` is off by at most a rounding, and mostly a neighbour of it adds up. Where all sums are ties between two
    times and round to the even one, the delay leads to the time just before.
    """
    delay = time - now
    while now + delay < time:
        delay = nextafter(delay, inf)
    while now + delay > time:
        delay = nextafter(delay, -inf)
    return delay


def run_through(env: Environment, until: float) -> None:
    """Process every event up to and including `until`, probes of that instant included.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed; the event of that moment was processed to its end.
    """
    stop = Timer(env, _stop, Turn.LAST)
    stop.arm(until)
    step = env.step
    with between_events() as interrupt:
        try:
            while not interrupt.asked:
                step()
        except StopSimulation:
            pass
        finally:
            stop.cancel()


def _stop(_now: float) -> None:
    raise StopSimulation(None)
