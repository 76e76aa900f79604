"""The same numbers whoever makes the runs, and none lost when a worker dies."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

import msgsim as ms
from msgsim.errors import DeclarationError, MissingExtra, StudyError
from msgsim.study import executors
from msgsim.study.jobs import Failure, Job, Outcome
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
    monkeypatch.setattr(executors, "_with_joblib", None)
    assert experiment.run().to_csv() == table


def test_and_the_rest_by_workers_when_it_is_worth_it(
    experiment: ms.Experiment, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed = []

    def workers(jobs: Sequence[Job], _options: object, save: executors.Save) -> None:
        handed.extend(jobs)
        executors._here(jobs, save)

    monkeypatch.setattr(executors, "WORTH_IT", 0.0)
    monkeypatch.setattr(executors, "_with_joblib", workers)
    assert experiment.run().to_csv() == table
    assert len(handed) == 5


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
