"""How far a study is, for whoever waits."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from time import perf_counter

from msgsim.errors import DeclarationError

Report = Callable[[int, int], bool | None]
"""Called with the runs that are done and those that are wanted; returning False ends the study there."""

WIDTH = 30
"""Of a bar [characters]."""


@contextmanager
def quietly() -> Iterator[Report]:
    """Nobody waits."""
    yield lambda _done, _total: None


@contextmanager
def reporting(progress: Report) -> Iterator[Report]:
    """A function of the user's own."""
    yield progress


def shown(progress: Report | bool | None) -> AbstractContextManager[Report]:
    """A context in which progress is reported as was asked for.

    Args:
        progress: True for a bar; a function of the user's own; None or False for silence.

    Raises:
        DeclarationError: it is none of these.
    """
    if progress is True:
        return bar()
    if progress is None or progress is False:
        return quietly()
    if not callable(progress):
        raise DeclarationError("progress", f"{progress!r} is not a function of the runs done and wanted")
    return reporting(progress)


@contextmanager
def bar() -> Iterator[Report]:
    """A bar with the time left, on standard error; it is gone when the study ends."""
    began = perf_counter()
    before: list[int] = []

    def report(done: int, total: int) -> None:
        if not before:
            before.append(done)
        spent, fresh = perf_counter() - began, done - before[0]
        filled = WIDTH * done // total
        left = f", {clock(spent / fresh * (total - done))} left" if fresh else ""
        line = f"\r[{'#' * filled}{'.' * (WIDTH - filled)}] {done:,} of {total:,} runs, {clock(spent)}{left}   "
        sys.stderr.write(line)
        sys.stderr.flush()

    try:
        yield report
    finally:
        sys.stderr.write(f"\r{'':{WIDTH + 60}}\r")
        sys.stderr.flush()


def clock(seconds: float) -> str:
    """A time span as on a stop watch.

    >>> clock(5), clock(3725)
    ('0:05', '1:02:05')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
