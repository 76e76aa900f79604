"""Who makes the runs of a study: this process, joblib's workers, or any executor of `concurrent.futures`.

The numbers are the same in every case. On this machine:

    study = experiment.run()  # worker processes on all cores, if the work is worth it
    study = experiment.run(ProcessPoolExecutor(4))  # any executor of concurrent.futures

On a Dask cluster, this machine's or one on Kubernetes (`pip install 'msgsim[dask]' dask-kubernetes`, and the operator
that it comes with in the cluster). The image must have msgsim in the version that is used here:

    from dask.distributed import Client
    from dask_kubernetes.operator import KubeCluster

    with KubeCluster(name="studies", image="registry.example.com/msgsim:1", n_workers=20) as cluster:
        study = experiment.run(Client(cluster), results="study.sqlite")

On a Ray cluster, through its backend for joblib (`pip install ray`). Ray hands over results in rounds, of a few runs
for each of its cores, and so they are saved:

    import joblib
    from ray.util.joblib import register_ray

    register_ray()
    with joblib.parallel_config("ray"):
        study = experiment.run("joblib", results="study.sqlite")

The results file is written here, by this process alone: workers need no disk that they share.
"""

import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, as_completed
from functools import partial
from itertools import islice
from queue import SimpleQueue
from time import perf_counter
from typing import Any
from warnings import catch_warnings, simplefilter

from msgsim.errors import DeclarationError, MissingExtra, StudyError
from msgsim.study.jobs import Failure, Job, Outcome, perform

Save = Callable[[Job, Outcome | Failure], bool]
"""Takes what came back; False says that no more is wanted."""

_Placed = tuple[tuple[int, int], Outcome | Failure]
_Workers = Callable[[Sequence[Job], int], Generator[_Placed, None, None]]
"""Makes runs, so many at a time, and yields them as they come; being closed ends those under way."""

WORTH_IT = 1.0
"""Work shorter than this is done here: to start workers takes about as long [s]."""

AHEAD = 2
"""Runs for each worker that are under way or handed out, so that it need not wait until results are saved.

Loky passes so many on to its workers at once; if it were stopped with more, its thread would stumble over them.
"""

IDLE = 300
"""So long workers wait for the next study [s]."""

ROUND = 4
"""Runs for each worker between two looks at the results, where these come in rounds."""

ATTEMPTS = 3
"""A study ends when all workers have died so often in a row without one run having finished in between."""

_THREADS = ("OMP", "OPENBLAS", "MKL", "BLIS", "VECLIB_MAXIMUM", "NUMBA", "NUMEXPR")
"""Libraries that would use all cores in each of the workers, by the beginnings of their variables."""

_IN_PROCESSES = "processes of concurrent.futures take only functions that can be imported; those of executor=None any"
_IN_WORKERS = 'executor="sequential" makes them in this process, where nothing needs to be sent'


def run_all(jobs: Sequence[Job], executor: Any, n_jobs: int | None, save: Save) -> None:
    """Make runs, in any order.

    Args:
        jobs: which.
        executor: None for joblib's worker processes, if it is worth it; "sequential" for here; "joblib" for what
            `joblib.parallel_config` says, such as a Ray cluster; an executor of `concurrent.futures`, or a client of
            Dask, which has one.
        n_jobs: worker processes; None for one for each core.
        save: called here with each outcome as it comes.

    Raises:
        DeclarationError: that is no executor.
        MissingExtra: joblib is not installed, but needed.
        StudyError: the workers die again and again.
    """
    if not isinstance(executor, (Executor, str)) and hasattr(executor, "get_executor"):
        executor = executor.get_executor()
    if isinstance(executor, Executor):
        _with_futures(jobs, executor, save)
    elif executor == "joblib":
        _with_joblib(jobs, n_jobs, save)
    elif executor == "sequential" or (executor is None and n_jobs == 1):
        _here(jobs, save)
    elif executor is None:
        left = _here(jobs, save, worth=WORTH_IT) if n_jobs is None else jobs
        if left:
            _with_workers(left, -1 if n_jobs is None else n_jobs, save)
    else:
        allowed = 'None, "sequential", "joblib", an executor of concurrent.futures or a Dask client'
        raise DeclarationError("executor", f"{executor!r} is not an executor; allowed: {allowed}")


def _here(jobs: Sequence[Job], save: Save, worth: float = float("inf")) -> Sequence[Job]:
    """Make runs in this process, until it is clear that the rest is worth workers.

    Returns:
        The rest.
    """
    began = perf_counter()
    for done, job in enumerate(jobs, 1):
        if not save(job, perform(job)):
            return []
        spent = perf_counter() - began
        if spent / done * (len(jobs) - done) > worth:
            return jobs[done:]
    return []


def _with_workers(jobs: Sequence[Job], n_jobs: int, save: Save) -> None:
    """Make runs in worker processes on this machine, which stay for the next study."""
    joblib = _joblib()
    with joblib.parallel_config("loky"):
        count = joblib.effective_n_jobs(n_jobs)  # one where there may be no more, as in a worker of another library
    if count == 1:
        _here(jobs, save)
    else:
        _outlive(partial(_by_loky, count), AHEAD * count, jobs, save)


def _with_joblib(jobs: Sequence[Job], n_jobs: int | None, save: Save) -> None:
    """Make runs by what joblib has been told to use."""
    joblib = _joblib()
    _outlive(partial(_by_joblib, n_jobs), ROUND * joblib.effective_n_jobs(n_jobs), jobs, save)


def _joblib() -> Any:
    try:
        import joblib  # noqa: PLC0415 - an extra, and not light
    except ImportError as missing:
        raise MissingExtra("joblib", "study") from missing
    return joblib


def _outlive(workers: _Workers, ahead: int, jobs: Sequence[Job], save: Save) -> None:
    """Have workers make runs, and new ones make the rest when they die.

    When one dies all do, and any run under way may be why. These are put off until all others are made, and then made
    one at a time: so the others are not lost to one that always kills its worker, or that needs all the memory.

    Raises:
        StudyError: they die again and again.
    """
    left = {job.place: job for job in jobs}
    suspects: dict[tuple[int, int], Job] = {}
    deaths = 0
    while left or suspects:
        some, at_once = (left, ahead) if left else (suspects, 1)
        results = workers(list(some.values()), at_once)
        try:
            for place, outcome in results:
                deaths = 0
                if not save(some.pop(place), outcome):
                    return
        except BrokenExecutor as error:
            deaths += 1
            if deaths == ATTEMPTS:
                raise StudyError(_died(next(iter(some.values())), len(left) + len(suspects))) from error
            for place in list(some)[:at_once]:  # they are handed out in order
                suspects[place] = some.pop(place)
        finally:
            with catch_warnings():
                simplefilter("ignore")  # that runs are cancelled, which is what was wanted
                results.close()


def _by_loky(count: int, jobs: Sequence[Job], ahead: int) -> Generator[_Placed, None, None]:
    """Places and outcomes as they come; without joblib's own loop, which looks for them a hundred times a second."""
    from joblib.externals.loky import get_reusable_executor  # noqa: PLC0415 - an extra, and not light

    limits = {(name := f"{library}_NUM_THREADS"): os.environ.get(name, "1") for library in _THREADS}
    executor = get_reusable_executor(count, timeout=IDLE, env=limits)
    waiting = iter(jobs)
    pending: dict[Future[Outcome | Failure], Job] = {}
    done: SimpleQueue[Future[Outcome | Failure]] = SimpleQueue()
    lost: list[tuple[Job, Exception]] = []
    try:
        while True:
            for job in islice(waiting, ahead - len(pending)):
                future = executor.submit(perform, job)
                pending[future] = job
                future.add_done_callback(done.put)
            if not pending:
                break
            future = done.get()
            job = pending.pop(future)
            try:
                outcome = future.result()
            except BrokenExecutor:
                raise
            except Exception as error:  # noqa: BLE001 - a run raises nothing: it is of the way there or back
                lost.append((job, error))
                continue
            yield job.place, outcome
    except BaseException:  # GeneratorExit among them: nobody wants what is under way
        executor.shutdown(kill_workers=True)
        raise
    if lost:
        raise _unfinished(lost, _IN_WORKERS)


def _by_joblib(n_jobs: int | None, jobs: Sequence[Job], ahead: int) -> Generator[_Placed, None, None]:
    """Places and outcomes as they come, or in rounds: one at a time, or if the backend returns nothing before all."""
    joblib = _joblib()
    options = {} if n_jobs is None else {"n_jobs": n_jobs}
    calls = [joblib.delayed(_placed)(job) for job in jobs]
    try:
        parallel = joblib.Parallel(return_as="generator_unordered", **options) if ahead > 1 else None
    except ValueError:
        parallel = None
    if parallel is not None:
        yield from parallel(calls)
        return
    for first in range(0, len(calls), ahead):
        yield from joblib.Parallel(**options)(calls[first : first + ahead])


def _placed(job: Job) -> _Placed:
    """A run, with its place: workers return them in any order."""
    return job.place, perform(job)


def _with_futures(jobs: Sequence[Job], executor: Executor, save: Save) -> None:
    pending: dict[Future[Outcome | Failure], Job] = {}
    lost: list[tuple[Job, Exception]] = []
    try:
        try:
            for job in jobs:
                pending[executor.submit(perform, job)] = job
        except RuntimeError as error:  # it is broken, or shut down; what it has taken may be finished yet
            lost = [(job, error) for job in jobs[len(pending) :]]
        for future in as_completed(pending):
            job = pending.pop(future)  # a future that is kept would hold what came back
            try:
                outcome = future.result()
            except Exception as error:  # noqa: BLE001 - a run raises nothing: it is of the way there or back
                lost.append((job, error))
                continue
            if not save(job, outcome):
                return
    finally:
        for future in pending:
            future.cancel()
    if lost:
        raise _unfinished(lost, _IN_PROCESSES)


def _unfinished(lost: Sequence[tuple[Job, Exception]], hint: str) -> StudyError:
    """What to say of runs that an executor did not bring back."""
    job, error = min(lost, key=lambda each: (each[0].replication, each[0].point))
    if isinstance(error, BrokenExecutor):
        said = _died(job, len(lost))
    else:
        said = (
            f"the executor did not make {len(lost)} runs, among them replication {job.replication} of design point "
            f"{job.point}: {type(error).__name__}: {str(error).rstrip('.')}; what has finished is kept; {hint}"
        )
    made = StudyError(said)
    made.__cause__ = error
    return made


def _died(job: Job, left: int) -> str:
    return (
        f"a worker process died (killed, or out of memory), with {left} runs left, among them replication "
        f"{job.replication} of design point {job.point}; what has finished is kept: run the study again with its "
        "results file, with fewer n_jobs if memory is short"
    )
