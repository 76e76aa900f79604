"""How far a study is, for whoever waits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

Report = Callable[[int, int], bool | None]
"""Called with the runs that are done and those that are wanted; returning False ends the study there."""


@contextmanager
def quietly() -> Iterator[Report]:
    """Nobody waits."""
    yield lambda _done, _total: None


@contextmanager
def reporting(progress: Report) -> Iterator[Report]:
    """A function of the user's own."""
    yield progress


@contextmanager
def bar() -> Iterator[Report]:
    """A bar with the time left, on standard error or in the notebook."""
    from rich.console import Console  # noqa: PLC0415 - not light
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415 - the same

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("runs {task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("", total=None)
        began = perf_counter()
        before: list[int] = []

        def report(done: int, total: int) -> None:
            before.append(done) if not before else None
            fresh = done - before[0]
            spent = perf_counter() - began
            left = f", {_clock(spent / fresh * (total - done))} left" if fresh else ""
            shown.update(task, completed=done, total=total, description=f"{_clock(spent)}{left}")

        yield report


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
