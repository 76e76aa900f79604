"""A run under way: in slices, with its progress, until its end or Ctrl-C."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf, nextafter
from threading import current_thread, main_thread
from time import perf_counter
from types import FrameType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from msgsim.formats import duration, significant
from msgsim.simulation import Simulation

SLICE = 0.05
"""A run goes on in slices of about so much real time [s], and looks for Ctrl-C between them."""

FIRST_SLICE = 1e-9
"""The first slice, as a share of the run; nobody knows yet how long it takes. No other is shorter."""

GROWTH = 4.0
"""A slice is at most so many times as long as the one before."""

PATIENCE = 1.0
"""Runs shorter than this [s of real time] show no progress."""


class Stop:
    """Whether Ctrl-C has been pressed; the second time ends everything."""

    def __init__(self) -> None:
        self.asked = False

    def ask(self, _signal: int, _frame: FrameType | None) -> None:
        """What Ctrl-C calls."""
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


@contextmanager
def stop_asked() -> Iterator[Stop]:
    """A context in which Ctrl-C is only noted."""
    stop = Stop()
    if current_thread() is not main_thread():  # signals are the main thread's
        yield stop
        return
    before = signal.signal(signal.SIGINT, stop.ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


class Bar:
    """Progress on standard error, for runs that take a while."""

    def __init__(self, end: float, *, shown: bool) -> None:
        self._end = end
        self._shown = shown
        self._began = self._looked = perf_counter()
        self._progress: Progress | None = None
        self._task: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def show(self, simulation: Simulation) -> None:
        """Show how far it is."""
        now = perf_counter()
        spent = now - self._began
        if not self._shown or spent < PATIENCE or now - self._looked < SLICE:
            return
        self._looked = now
        if self._progress is None:
            columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"))
            self._progress = Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False)
            self._task = self._progress.add_task("", total=self._end)
            self._progress.start()
        speed = f"{significant(simulation.now / spent)}x real time"
        pace = f"{significant(simulation.messages / spent)} messages/s"
        note = f"{duration(simulation.now)} of {duration(self._end)}, {speed}, {pace}"
        self._progress.update(self._task, completed=simulation.now, description=note, refresh=True)


def advance(simulation: Simulation, end: float, stop: Stop, bar: Bar) -> bool:
    """Run to the end, in slices that are short in real time; False if it was stopped."""
    step = end * FIRST_SLICE
    with bar:
        while not stop.asked:
            now = simulation.now
            began = perf_counter()
            simulation.run(min(end, max(now + step, nextafter(now, inf))))
            if simulation.now >= end:
                return True
            step = max(step * min(GROWTH, SLICE / max(perf_counter() - began, 1e-9)), end * FIRST_SLICE)
            bar.show(simulation)
    return False
