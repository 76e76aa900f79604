"""The same numbers whoever makes the runs, and none lost when a worker dies."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, sleep

import pytest

import msgsim as ms
from msgsim.errors import DeclarationError, MissingExtra, StudyError
from msgsim.study import executors
from msgsim.study.jobs import Failure, Job, Outcome, Terms
from tests.architecture.sources import ROOT

COUNT = "workers.w.count"


@pytest.fixture
def experiment(desk: ms.Scenario) -> ms.Experiment:
    return ms.Experiment(desk, replications=3, horizon=60.0, seed=5, series="q.visible").vary(COUNT, [1, 2])


@pytest.fixture
def table(experiment: ms.Experiment) -> str:
    return experiment.run("sequential").to_csv()


def test_threads(experiment: ms.Experiment, table: str) -> None:
    with ThreadPoolExecutor(2) as executor:
        assert experiment.run(executor).to_csv() == table


def test_processes(experiment: ms.Experiment, table: str) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        assert experiment.run(executor).to_csv() == table


def test_loky(experiment: ms.Experiment, table: str) -> None:
    assert experiment.run(n_jobs=2).to_csv() == table


def test_what_joblib_is_told_to_use(experiment: ms.Experiment, table: str) -> None:
    import joblib

    with joblib.parallel_config(backend="threading", n_jobs=2):
        assert experiment.run("joblib").to_csv() == table
    assert experiment.run("joblib", n_jobs=1).to_csv() == table


def test_a_backend_of_joblib_that_returns_nothing_before_all_is_done(
    experiment: ms.Experiment, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import joblib
    from joblib._parallel_backends import ThreadingBackend

    class AsRay(ThreadingBackend):  # type: ignore[misc, unused-ignore]
        supports_return_generator = False

    joblib.register_parallel_backend("as-ray", AsRay)
    monkeypatch.setattr(executors, "ROUND", 2)
    seen = []

    def two_rounds(done: int, _wanted: int) -> bool:
        seen.append(done)
        return done < 3

    with joblib.parallel_config("as-ray", n_jobs=1):
        assert experiment.run("joblib").to_csv() == table
        study = experiment.run("joblib", progress=two_rounds)
    assert study.interrupted
    assert seen == [0, 1, 2, 3]
    assert list(study.outcomes) == [(0, 0), (0, 1), (1, 0)]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_dask(experiment: ms.Experiment, table: str) -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        assert experiment.run(client).to_csv() == table
        assert experiment.run(client.get_executor()).to_csv() == table


def test_a_client_of_dask_is_asked_for_its_executor(experiment: ms.Experiment, table: str) -> None:
    with ThreadPoolExecutor(1) as threads:

        class Client:
            def get_executor(self) -> ThreadPoolExecutor:
                return threads

        assert experiment.run(Client()).to_csv() == table


def test_short_work_is_done_here(experiment: ms.Experiment, table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "WORTH_IT", 1e9)
    monkeypatch.setattr(executors, "_with_workers", None)
    assert experiment.run().to_csv() == table


def test_and_the_rest_by_workers_when_it_is_worth_it(
    experiment: ms.Experiment, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed = []

    def workers(jobs: Sequence[Job], _count: int, save: executors.Save) -> None:
        handed.extend(jobs)
        executors._here(jobs, save)

    monkeypatch.setattr(executors, "WORTH_IT", 0.0)
    monkeypatch.setattr(executors, "_with_workers", workers)
    assert experiment.run().to_csv() == table
    assert len(handed) == 5


@pytest.mark.parametrize(("n_jobs", "asked"), [(None, -1), (2, 2), (-2, -2)])
def test_how_many_workers_are_asked_for(
    experiment: ms.Experiment, monkeypatch: pytest.MonkeyPatch, n_jobs: int | None, asked: int
) -> None:
    counts = []

    def workers(jobs: Sequence[Job], count: int, save: executors.Save) -> None:
        counts.append(count)
        executors._here(jobs, save)

    monkeypatch.setattr(executors, "WORTH_IT", 0.0)
    monkeypatch.setattr(executors, "_with_workers", workers)
    assert len(experiment.run(n_jobs=n_jobs).outcomes) == 6
    assert counts == [asked]


@pytest.mark.parametrize(("each", "left"), [(0.24, 0), (0.25, 0), (0.26, 4), (2.0, 4)])
def test_work_is_worth_workers_by_what_is_left_of_it(
    desk: ms.Scenario, monkeypatch: pytest.MonkeyPatch, each: float, left: int
) -> None:
    clock = iter([10.0 + each * place for place in range(9)])
    monkeypatch.setattr(executors, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(executors, "perform", lambda job: Failure(str(job.place)))
    jobs = [Job(0, replication, desk, Terms()) for replication in range(5)]
    saved: list[Job] = []
    rest = executors._here(jobs, lambda job, _: saved.append(job) is None, worth=1.0)
    assert len(rest) == left
    assert [*saved, *rest] == jobs


def test_a_script_needs_no_guard(tmp_path: Path) -> None:
    script = tmp_path / "study.py"
    script.write_text(
        "import msgsim as ms\n"
        "def twice(run):\n"
        "    return {'twice': 2 * run.total('q', 'sent')}\n"
        "desk = ms.Scenario(horizon=50, queues={'q': ms.Queue()}, traffic={'t': ms.Traffic(to='q', rate=1)})\n"
        "study = ms.Experiment(desk, replications=4, measure=twice).run(n_jobs=2)\n"
        "print(len(study.outcomes), study.values('*', 'twice')[0] == 2 * study.values('q', 'sent.total')[0])\n"
    )
    command = [sys.executable, str(script)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)  # noqa: S603 - ours
    assert done.stdout == "4 True\n"


class _Deadly:
    """A measure that kills its process the first time it meets a replication."""

    def __init__(self, folder: Path, *, always: bool = False) -> None:
        self.folder = folder
        self.always = always

    def __call__(self, run: ms.Run) -> dict[str, float]:
        mark = self.folder / f"met-{run.replication}"
        if run.replication == 2 and (self.always or not mark.exists()):
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return {"fine": 1.0}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no such signal on this system")
@pytest.mark.filterwarnings("ignore")
class TestDeath:
    def test_a_study_survives_a_killed_worker(self, desk: ms.Scenario, tmp_path: Path) -> None:
        experiment = ms.Experiment(desk, replications=6, horizon=30.0, measure=_Deadly(tmp_path))
        study = experiment.run(n_jobs=2)
        assert not study.interrupted
        assert list(study.values("*", "fine")) == [1.0] * 6

    def test_who_always_kills_is_named_and_the_others_are_kept(self, desk: ms.Scenario, tmp_path: Path) -> None:
        experiment = ms.Experiment(desk, replications=4, horizon=30.0, measure=_Deadly(tmp_path, always=True))
        path = tmp_path / "study.sqlite"
        with pytest.raises(StudyError, match="1 runs left, among them replication 2 of design point 0") as caught:
            experiment.run(n_jobs=2, results=path)
        assert sorted(number for _, number in caught.value.study.outcomes) == [0, 1, 3]  # type: ignore[attr-defined]

    def test_an_executor_that_breaks(self, experiment: ms.Experiment) -> None:
        class Broken(ThreadPoolExecutor):
            count = 0

            def submit(self, fn: object, /, *args: object, **_: object) -> Future[Outcome | Failure]:  # type: ignore[override]
                future: Future[Outcome | Failure] = Future()
                self.count += 1
                if self.count < 4:
                    future.set_result(fn(*args))  # type: ignore[operator]
                else:
                    future.set_exception(BrokenExecutor("gone"))
                return future

        with Broken(1) as executor, pytest.raises(StudyError, match="a worker process died") as caught:
            experiment.run(executor)
        assert len(caught.value.study.outcomes) == 3  # type: ignore[attr-defined]

    def test_an_executor_that_is_broken_before_it_begins(self, experiment: ms.Experiment) -> None:
        class Gone(ThreadPoolExecutor):
            def submit(self, *_: object, **__: object) -> Future[object]:  # type: ignore[override]
                raise BrokenExecutor("gone")

        with Gone(1) as executor, pytest.raises(StudyError, match="with 6 runs left, among them replication 0"):
            experiment.run(executor)


class _Mortal:
    """Workers that make runs in order, and die of some of them, with all that are under way.

    Args:
        fatal: by replication, how often it kills.
    """

    def __init__(self, fatal: dict[int, int]) -> None:
        self.fatal = fatal
        self.begun: list[tuple[list[int], int]] = []

    def __call__(self, jobs: Sequence[Job], ahead: int) -> Generator[executors._Placed, None, None]:
        self.begun.append(([job.replication for job in jobs], ahead))
        for first, job in enumerate(jobs):
            for each in jobs[first : first + ahead]:
                if self.fatal.get(each.replication, 0):
                    self.fatal[each.replication] -= 1
                    raise BrokenExecutor("killed")
            yield job.place, Failure("made")


def _outlived(desk: ms.Scenario, fatal: dict[int, int], runs: int = 8) -> tuple[list[int], list[tuple[list[int], int]]]:
    """What was made, in order, with -1 for an end before all was; and what workers were given each time."""
    made: list[int] = []
    workers = _Mortal(fatal)
    jobs = [Job(0, replication, desk, Terms()) for replication in range(runs)]

    def save(job: Job, _outcome: Outcome | Failure) -> bool:
        made.append(job.replication)
        return True

    try:
        executors._outlive(workers, 2, jobs, save)
    except StudyError as error:
        made.append(-1 if f"with {runs - len(made)} runs left" in str(error) else -2)
    return made, workers.begun


class TestDeaths:
    def test_nobody_dies(self, desk: ms.Scenario) -> None:
        assert _outlived(desk, {}) == ([*range(8)], [([*range(8)], 2)])

    def test_what_was_under_way_is_put_off_and_then_made_one_at_a_time(self, desk: ms.Scenario) -> None:
        made, begun = _outlived(desk, {3: 1})
        assert made == [0, 1, 4, 5, 6, 7, 2, 3]
        assert begun == [([*range(8)], 2), ([4, 5, 6, 7], 2), ([2, 3], 1)]

    def test_who_always_kills_costs_no_other_run(self, desk: ms.Scenario) -> None:
        made, begun = _outlived(desk, {0: 99})
        assert made == [2, 3, 4, 5, 6, 7, 1, -1]
        assert begun[2:] == [([0, 1], 1), ([1, 0], 1), ([0], 1), ([0], 1)]

    @pytest.mark.parametrize(("times", "last"), [(2, 0), (3, -1)])
    def test_the_third_death_in_a_row_is_the_end(self, desk: ms.Scenario, times: int, last: int) -> None:
        made, begun = _outlived(desk, {0: times}, runs=1)
        assert made == [last]
        assert len(begun) == 3

    def test_a_run_that_finishes_begins_the_count_anew(self, desk: ms.Scenario) -> None:
        made, begun = _outlived(desk, {1: 1, 4: 1, 7: 2}, runs=8)
        assert sorted(made) == [*range(8)]
        assert len(begun) == 5

    def test_all_that_die_at_once_end_the_study_soon(self, desk: ms.Scenario) -> None:
        made, begun = _outlived(desk, dict.fromkeys(range(8), 99))
        assert made == [-1]
        assert len(begun) == executors.ATTEMPTS == 3


def test_no_more_runs_are_handed_out_than_workers_can_begin_soon(
    experiment: ms.Experiment, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from joblib.externals import loky

    asked: list[dict[str, object]] = []
    pending: list[int] = []

    class Threads(ThreadPoolExecutor):
        under_way = 0

        def submit(self, fn: object, /, *args: object, **_: object) -> Future[Outcome | Failure]:  # type: ignore[override]
            self.under_way += 1
            pending.append(self.under_way)
            future = super().submit(fn, *args)  # type: ignore[arg-type]
            future.add_done_callback(self._ended)
            return future  # type: ignore[return-value]

        def _ended(self, _future: object) -> None:
            self.under_way -= 1

    with Threads(1) as threads:

        def executor(count: int, **options: object) -> Threads:
            asked.append({"count": count, **options})
            return threads

        monkeypatch.setattr(loky, "get_reusable_executor", executor)
        monkeypatch.setattr(executors, "AHEAD", 1)
        monkeypatch.setenv("OMP_NUM_THREADS", "3")
        assert experiment.run(n_jobs=2).to_csv() == table
    assert max(pending) == 2
    assert len(pending) == 6
    assert [(each["count"], each["timeout"]) for each in asked] == [(2, executors.IDLE)]
    limits = asked[0]["env"]
    assert isinstance(limits, dict)
    assert limits["OMP_NUM_THREADS"] == "3"
    assert limits["OPENBLAS_NUM_THREADS"] == "1"


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="there is no such call on this system")
def test_ctrl_c_ends_the_runs_that_are_under_way(desk: ms.Scenario) -> None:
    def endless(_run: ms.Run) -> dict[str, float]:
        sleep(100)
        return {}

    def press(_done: int, _total: int) -> None:
        main = threading.main_thread().ident
        assert main is not None
        threading.Timer(0.5, signal.pthread_kill, (main, signal.SIGINT)).start()

    experiment = ms.Experiment(desk, replications=9, horizon=10.0, measure=endless)
    began = perf_counter()
    study = experiment.run(n_jobs=2, progress=press)
    assert perf_counter() - began < 50
    assert study.interrupted
    assert study.outcomes == {}


def test_runs_are_made_here_where_there_may_be_one_worker(
    experiment: ms.Experiment, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import joblib

    monkeypatch.setattr(joblib, "effective_n_jobs", lambda _wanted: 1)
    monkeypatch.setattr(executors, "_by_loky", None)
    assert experiment.run(n_jobs=2).to_csv() == table


def test_what_cannot_be_sent_to_workers_is_said_and_the_others_are_kept(desk: ms.Scenario) -> None:
    lock = threading.Lock()

    def measure(_run: ms.Run) -> dict[str, float]:
        with lock:
            return {}

    experiment = ms.Experiment(desk, replications=2, horizon=10.0, measure=measure)
    with pytest.raises(
        StudyError, match="did not make 2 runs, among them replication 0 of design point 0: Pick"
    ) as caught:
        experiment.run(n_jobs=2)
    assert str(caught.value).endswith(
        '; executor="sequential" makes them in this process, where nothing needs to be sent'
    )
    assert caught.value.study.outcomes == {}  # type: ignore[attr-defined]
    assert len(experiment.run("sequential").outcomes) == 2


def test_joblibs_workers_get_suspects_one_at_a_time(desk: ms.Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    import joblib

    rounds = []

    class Parallel:
        def __init__(self, **options: object) -> None:
            self.options = options

        def __call__(self, calls: list[tuple[object, tuple[Job], object]]) -> list[tuple[int, int]]:
            rounds.append(([job.replication for _, (job,), _ in calls], self.options))
            return [job.place for _, (job,), _ in calls]

    monkeypatch.setattr(joblib, "Parallel", Parallel)
    jobs = [Job(0, replication, desk, Terms()) for replication in range(3)]
    assert [*executors._by_joblib(2, jobs, 1)] == [(0, 0), (0, 1), (0, 2)]
    assert rounds == [([0], {"n_jobs": 2}), ([1], {"n_jobs": 2}), ([2], {"n_jobs": 2})]
    rounds.clear()
    assert [*executors._by_joblib(None, jobs, 8)] == [(0, 0), (0, 1), (0, 2)]
    assert rounds == [([0, 1, 2], {"return_as": "generator_unordered"})]


class _Lossy(ThreadPoolExecutor):
    """Does not bring back one run, and takes no more than some."""

    def __init__(self, lost: int, most: int = 99) -> None:
        super().__init__(1)
        self.count, self.lost, self.most = 0, lost, most

    def submit(self, fn: object, /, *args: object, **_: object) -> Future[Outcome | Failure]:  # type: ignore[override]
        self.count += 1
        if self.count > self.most:
            raise RuntimeError("cannot schedule new futures after shutdown")
        future: Future[Outcome | Failure] = Future()
        if self.count == self.lost:
            future.set_exception(ValueError("can't pickle that"))
        else:
            future.set_result(fn(*args))  # type: ignore[operator]
        return future


@pytest.mark.parametrize(
    ("executor", "kept", "said"),
    [
        (_Lossy(2), 5, "did not make 1 runs, among them replication 0 of design point 1: ValueError: can't pickle"),
        (_Lossy(0, most=4), 4, "did not make 2 runs, among them replication 2 of design point 0: RuntimeError: cannot"),
        (_Lossy(3, most=0), 0, "did not make 6 runs, among them replication 0 of design point 0: RuntimeError"),
    ],
)
def test_what_an_executor_has_made_is_kept_whatever_happens_to_the_rest(
    experiment: ms.Experiment, executor: _Lossy, kept: int, said: str, tmp_path: Path
) -> None:
    with pytest.raises(StudyError, match=said) as caught:
        experiment.run(executor, results=tmp_path / "study.sqlite")
    executor.shutdown()
    assert len(caught.value.study.outcomes) == kept  # type: ignore[attr-defined]
    assert caught.value.__cause__ is not None
    told: list[tuple[int, int]] = []
    experiment.run("sequential", results=tmp_path / "study.sqlite", progress=lambda *done: told.append(done))
    assert told[0] == (kept, 6)


def test_a_stop_cancels_what_has_not_begun(experiment: ms.Experiment) -> None:
    with ThreadPoolExecutor(1) as executor:
        study = experiment.run(executor, progress=lambda done, _total: done < 2)
    assert len(study.outcomes) == 2
    assert len(experiment.run("sequential", progress=lambda done, _total: done < 2).outcomes) == 2
    stopped = experiment.run(n_jobs=2, progress=lambda done, _total: done < 2)
    assert len(stopped.outcomes) == 2


@pytest.mark.parametrize("executor", ["lokey", 3, object()])
def test_what_is_no_executor(experiment: ms.Experiment, executor: object) -> None:
    with pytest.raises(DeclarationError, match="is not an executor; allowed: None"):
        experiment.run(executor)


@pytest.mark.parametrize("jobs", [0, 1.5, "2"])
def test_what_is_no_number_of_jobs(experiment: ms.Experiment, jobs: object) -> None:
    with pytest.raises(DeclarationError, match="n_jobs"):
        experiment.run(n_jobs=jobs)  # type: ignore[arg-type]


def test_joblib_is_an_extra(experiment: ms.Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "joblib", None)
    with pytest.raises(MissingExtra, match=r"msgsim\[study\]"):
        experiment.run(n_jobs=2)
