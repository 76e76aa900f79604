"""A study that is killed again and again has the same table as one that ran through, and nothing saved is made twice.

`python benchmarks/interrupted.py` makes a study of 1,000 short runs by two worker processes, in one go. Then it makes
the same in three sessions with one results file: in the first a worker process is killed, and later Ctrl-C reaches all
of the processes; in the second a worker is killed, and later the study itself, both by SIGKILL; the third goes on to
the end. Then it makes the study on a Dask cluster of two processes, of which one is killed. When all of that happens
is random, by a seed.

Each run is written down where it is made, so that it can be seen that what is in the results file is not made again.
What a worker has made but the study has not saved yet is lost, and is made again: those runs are counted.
"""

import os
import random
import signal
import sqlite3
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from importlib.util import find_spec
from multiprocessing import active_children
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from threading import Timer
from time import perf_counter, sleep
from typing import Any

import attrs

from msgsim import Experiment, Exponential, Queue, Run, Scenario, Traffic, Workers
from msgsim.study.identity import filed

JOBS = 2
RUNS = 1_000
POINTS = 10
LOG = "INTERRUPTED_LOG"
"""The variable that says where runs are written down."""

PAUSE = 0.05
"""What is random within a run or a save happens within so long [s]."""

WORKER, CTRL_C, STUDY = "a worker killed", "Ctrl-C", "the study killed"

SESSIONS: Sequence[Mapping[str, float]] = ({WORKER: 0.15, CTRL_C: 0.35}, {WORKER: 0.45, STUDY: 0.65}, {})
"""What happens in each session, after what share of the runs; give or take a twentieth."""

COUNT = "workers.desk.count"

Place = tuple[int, int]
"""Workers of the design point, and replication."""

Pids = Callable[[], Iterable[int]]


def experiment(runs: int = RUNS) -> Experiment:
    scenario = Scenario(
        horizon=3_000.0,
        queues={"calls": Queue()},
        traffic={"callers": Traffic(to="calls", rate=1.0)},
        workers={"desk": Workers(queue="calls", count=2, batch_size=1, service_time=Exponential(mean=1.0))},
    )
    declared = Experiment(scenario, replications=runs // POINTS, seed=1, measure=noted)
    return declared.vary(COUNT, range(2, 2 + POINTS))


def noted(run: Run) -> dict[str, float]:
    """Write down that a run has been made: a line is one write, so that those of two processes do not mix."""
    if LOG in os.environ:
        note(f"made {run.scenario.workers['desk'].count} {run.replication}")
    return {}


def note(line: str) -> None:
    sink = os.open(os.environ[LOG], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(sink, f"{line}\n".encode())
    os.close(sink)


# ---------------------------------------------------------------- one session, in a process of its own


class Trouble:
    """Makes things happen while a study is under way; it is the study's `progress`.

    Args:
        events: what happens, and after how many runs.
        chance: decides when exactly.
        results: the results file, which is copied when a worker is killed.
        pids: gives the processes of the workers.
    """

    def __init__(self, events: Mapping[str, int], chance: random.Random, results: Path, pids: Pids) -> None:
        self._events = dict(events)
        self._chance = chance
        self._results = results
        self._pids = pids

    def __call__(self, done: int, _wanted: int) -> None:
        """Do what is due."""
        due = [event for event, after in self._events.items() if done >= after]
        for event in due:
            del self._events[event]
            delay = self._chance.uniform(0.0, PAUSE)
            if event == WORKER:
                sleep(delay)  # the workers go on meanwhile, and no transaction is open: the copy is whole
                copyfile(self._results, f"{self._results}.copy")
                note(event)
                os.kill(self._chance.choice(sorted(self._pids())), signal.SIGKILL)
            else:
                note(event)
                stop = (os.killpg, 0, signal.SIGINT) if event == CTRL_C else (os.kill, os.getpid(), signal.SIGKILL)
                timer = Timer(delay, stop[0], stop[1:])
                timer.daemon = True
                timer.start()


def session(options: Namespace) -> None:
    """Make the study, or as much of it as is left and as the trouble lets; and write its table, if it is whole."""
    declared = experiment(options.runs)
    events = {name: int(after) for name, after in (event.rsplit("=", 1) for event in options.events)}
    arguments = (events, random.Random(options.seed), options.results)
    if options.executor == "dask":
        distributed: Any = __import__("distributed")
        with (
            distributed.LocalCluster(n_workers=JOBS, threads_per_worker=1, dashboard_address=None) as cluster,
            distributed.Client(cluster) as client,
        ):
            trouble = Trouble(*arguments, lambda: client.run(os.getpid).values())
            study = declared.run(client, results=options.results, progress=trouble)
    else:
        trouble = Trouble(*arguments, lambda: [child.pid for child in active_children() if child.pid])
        study = declared.run(n_jobs=JOBS, results=options.results, progress=trouble)
    if not study.interrupted:
        study.audit()
        study.to_csv(options.results.with_suffix(".csv"))


# ---------------------------------------------------------------- all sessions, and what became of the runs


@attrs.frozen(kw_only=True)
class Account:
    """Of a study and what happened to it.

    Attributes:
        runs: of the study.
        lost: by what happened, runs that were made and had not been saved.
        again: runs that were made a second time, or a third.
        seconds: that all sessions took [s].
        table: the study's.
    """

    runs: int
    lost: Mapping[str, int]
    again: int
    seconds: float
    table: bytes

    def __str__(self) -> str:
        lost = "; ".join(f"{what}: {number} lost" for what, number in self.lost.items()) or "nothing happened"
        return f"{self.runs:,} runs in {self.seconds:.1f} s; {lost}; {self.again} made again"


def made(
    folder: Path,
    sessions: Sequence[Mapping[str, float]],
    *,
    runs: int = RUNS,
    seed: int = 1,
    executor: str = "loky",
) -> Account:
    """Make a study in several sessions, and check after each that nothing that had been saved was made again."""
    chance = random.Random(seed)
    results = folder / "study.sqlite"
    size = ["--runs", str(runs), "--executor", executor]
    before: set[Place] = set()
    lost: dict[str, int] = {}
    total, began = 0, perf_counter()
    for number, events in enumerate(sessions, 1):
        log, errors = folder / f"session-{number}.log", folder / f"session-{number}.err"
        due = [f"{event}={round(runs * (share + chance.uniform(-0.05, 0.05)))}" for event, share in events.items()]
        command = [sys.executable, __file__, "--results", str(results), *size, "--seed", str(chance.randrange(1000))]
        status = ended([*command, "--events", *due], log, errors)
        expected = -signal.SIGKILL if STUDY in events else 0
        assert status == expected, f"session {number} ended with {status}\n{errors.read_text()}"
        after = saved(results)
        assert before <= after
        lines = log.read_text().splitlines()
        total += len(lines) - len(events)
        lost.update({f"{what} ({number})": count for what, count in lost_in(lines, before, after, results).items()})
        before = after
    seconds = perf_counter() - began
    assert len(before) == runs, f"{len(before):,} of {runs:,} runs"
    table = results.with_suffix(".csv").read_bytes()
    return Account(runs=runs, lost=lost, again=total - runs, seconds=seconds, table=table)


def ended(command: Sequence[str], log: Path, errors: Path) -> int:
    """Run a session to its end, and then end what it has left behind: workers of a study that was killed.

    Returns:
        Its exit status.
    """
    environment = {**os.environ, LOG: str(log)}
    with (
        errors.open("wb") as sink,
        subprocess.Popen(command, env=environment, start_new_session=True, stderr=sink) as child,  # noqa: S603 - ours
    ):
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it is still there, and its group has its number
        os.killpg(child.pid, signal.SIGKILL)
        return child.wait()


def lost_in(lines: Sequence[str], before: set[Place], after: set[Place], results: Path) -> dict[str, int]:
    """Check the log of a session, and count by event what had been made, but not saved.

    Args:
        lines: of the log: runs that were made, and what happened.
        before: runs that had been saved when it began.
        after: and when it ended.
        results: the results file.
    """
    kept, lost = before, dict.fromkeys((line for line in lines if not line.startswith("made ")), 0)
    seen: set[Place] = set()
    for line in lines:
        if line == WORKER:
            kept = saved(Path(f"{results}.copy"))
            assert before <= kept <= seen | before
        elif line not in lost:
            _, point, replication = line.split()
            place = int(point), int(replication)
            assert place not in kept, f"{place} had been saved, and was made again"
            lost[WORKER] = lost.get(WORKER, 0) + (place in seen)
            seen.add(place)
    ending = next((event for event in lost if event != WORKER), None)
    if ending is not None:
        lost[ending] = len(seen - after)
    return {event: count for event, count in lost.items() if event != WORKER or WORKER in lines}


def saved(results: Path) -> set[Place]:
    """The runs in a results file that nobody has open."""
    workers = {filed(point): int(point.levels[COUNT]) for point in experiment().points()}
    with closing(sqlite3.connect(results)) as connection:
        query = "SELECT point.key, run.replication FROM run JOIN point ON point.id = run.point"
        return {(workers[key], replication) for key, replication in connection.execute(query)}


def main() -> None:
    parser = ArgumentParser(description="Interrupt a study again and again.")
    parser.add_argument("--runs", type=int, default=RUNS, help="of the study")
    parser.add_argument("--seed", type=int, default=1, help="of when it is interrupted")
    parser.add_argument("--executor", choices=("loky", "dask"), default="loky", help="of a session")
    parser.add_argument("--results", type=Path, help="make one session of a study")
    parser.add_argument("--events", nargs="*", default=[], help="what happens in it")
    options = parser.parse_args()
    if options.results is not None:
        session(options)
        return
    plans: dict[str, tuple[str, Sequence[Mapping[str, float]]]] = {
        "in one go": ("loky", [{}]),
        "interrupted": ("loky", SESSIONS),
    }
    if find_spec("distributed"):
        plans["on Dask"] = ("dask", [{WORKER: 0.3}])
    tables = set()
    for name, (executor, sessions) in plans.items():
        with TemporaryDirectory() as folder:
            account = made(Path(folder), sessions, runs=options.runs, seed=options.seed, executor=executor)
        print(f"{name}: {account}", flush=True)
        tables.add(account.table)
    assert len(tables) == 1, "the tables differ"
    print(f"the same table of {len(tables.pop().splitlines()):,} lines each time, and no run made that had been saved")


if __name__ == "__main__":
    main()
