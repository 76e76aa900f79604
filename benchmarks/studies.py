"""What a study costs beside its runs, how much of two cores it uses, and that all executors give the same table.

`python benchmarks/studies.py` makes each study with two worker processes, and with a results file, after a smaller one
that starts them. Two goals: less than 20 ms of overhead for each run, and of two cores at least 90 %.

The overhead is CPU time, which bears what else the machine does, if not quite: in the worker, what it takes to unpickle
the run's declaration, to work out all measures and to pickle them; in the parent, all that it does, over the runs.
The use of the cores is the CPU time of the runs alone over the time that passes on both cores. That is worth something
on a machine that has nothing else to do; the load is printed beside it.
"""

import os
import pickle
from argparse import ArgumentParser
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

import attrs
import mmc

from msgsim import Experiment, Scenario, load, simulate
from msgsim.study.jobs import Job, kept

JOBS = 2
RUNS = 40
GOAL = 0.020
"""Overhead for each run [s]."""

MODELS: dict[str, Callable[[], tuple[Scenario, float]]] = {
    "M/M/8": lambda: (mmc.scenario(1.0), 15_000.0),
    "order-processing": lambda: (load("order-processing"), 900.0),
    "black-friday": lambda: (load("black-friday"), 5_400.0),
}
"""Scenarios and their horizons [s]."""


@attrs.frozen(kw_only=True)
class Figures:
    """Of one study.

    Attributes:
        runs: how many.
        alone: CPU time of a run by itself [s].
        worker: and of what its worker does beside it [s].
        parent: and of what the parent does for it [s].
        wall: time that the study took [s].
    """

    runs: int
    alone: float
    worker: float
    parent: float
    wall: float

    @property
    def overhead(self) -> float:
        """For each run [s]."""
        return self.worker + self.parent

    @property
    def use(self) -> float:
        """Share of the cores' time that goes into runs."""
        return self.runs * self.alone / (self.wall * JOBS)

    def __str__(self) -> str:
        times = (self.alone, self.worker, self.parent, self.overhead)
        return f"{''.join(f'{1e3 * time:10.1f}' for time in times)}{self.wall:10.1f}{100 * self.use:8.0f} %"


def experiment(model: str, runs: int, scale: float = 1.0) -> Experiment:
    scenario, horizon = MODELS[model]()
    return Experiment(scenario, horizon=horizon * scale, warm_up=0.0, replications=runs, seed=1)


def in_worker(declared: Experiment, samples: int) -> tuple[float, float]:
    """CPU times of a run alone, and of what belongs to it in a worker [s]."""
    terms = declared.terms()
    runs, others = [], []
    for replication in range(-1, samples):  # the first one loads what is loaded once
        sent = pickle.dumps(Job(0, max(replication, 0), declared.scenario, terms))
        began = process_time()
        job = pickle.loads(sent)  # noqa: S301 - made just above
        unpickled = process_time()
        run = simulate(
            job.scenario,
            terms.horizon,
            terms.seed,
            warm_up=terms.warm_up,
            probe=terms.probe,
            audit=False,
            replication=job.replication,
        )
        ended = process_time()
        pickle.dumps(kept(run, terms))
        others.append(process_time() - ended + unpickled - began)
        runs.append(ended - unpickled)
    return median(runs[1:]), median(others[1:])


def measured(model: str, runs: int = RUNS, scale: float = 1.0, samples: int = 8) -> Figures:
    """Make a study by worker processes, and see what it costs."""
    declared = experiment(model, runs, scale)
    alone, worker = in_worker(declared, samples)
    with TemporaryDirectory() as folder:
        experiment(model, JOBS, 0.1 * scale).run(n_jobs=JOBS)
        spent, began = process_time(), perf_counter()
        study = declared.run(n_jobs=JOBS, results=Path(folder, "study.sqlite"))
        wall, parent = perf_counter() - began, process_time() - spent
    assert len(study.outcomes) == runs
    return Figures(runs=runs, alone=alone, worker=worker, parent=parent / runs, wall=wall)


def executors() -> dict[str, Callable[[Experiment], str]]:
    """The table of an experiment, by who makes its runs."""

    def pool(declared: Experiment) -> str:
        with ProcessPoolExecutor(JOBS, mp_context=get_context("spawn")) as processes:
            return declared.run(processes).to_csv()

    def dask(declared: Experiment) -> str:
        distributed: Any = __import__("distributed")
        with (
            distributed.LocalCluster(n_workers=JOBS, threads_per_worker=1, dashboard_address=None) as cluster,
            distributed.Client(cluster) as client,
        ):
            return declared.run(client).to_csv()

    found = {
        "sequential": lambda declared: declared.run("sequential").to_csv(),
        "joblib (loky)": lambda declared: declared.run(n_jobs=JOBS).to_csv(),
        "ProcessPoolExecutor": pool,
    }
    return found | ({"Dask": dask} if find_spec("distributed") else {})


def tables(declared: Experiment) -> dict[str, str]:
    """The table of an experiment by executor."""
    return {name: make(declared) for name, make in executors().items()}


def main() -> None:
    parser = ArgumentParser(description="Measure what studies cost beside their runs.")
    parser.add_argument("--runs", type=int, default=RUNS, help="of each study")
    options = parser.parse_args()
    heads = ("run [ms]", "worker", "parent", "overhead", "wall [s]", "cores")
    print(f"{'':20}{''.join(f'{head:>10}' for head in heads)}   load")
    found = {}
    for model in MODELS:
        figures = found[model] = measured(model, options.runs)
        print(f"{model:20}{figures}   {os.getloadavg()[0]:.1f}", flush=True)
    declared = experiment("order-processing", 5, 0.1).vary("workers.billing-workers.count", [4, 8])
    made = tables(declared)
    assert len(set(made.values())) == 1, "the tables differ"
    size = len(made["sequential"].splitlines())
    print(f"the same table of {size:,} lines from: {', '.join(made)}")
    for model, figures in found.items():
        assert figures.overhead < GOAL, f"{model}: {figures}"


if __name__ == "__main__":
    main()
