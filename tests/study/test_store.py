import sqlite3
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import attrs
import pytest

import msgsim as ms
from msgsim.errors import AuditError, StudyError
from msgsim.study.identity import filed
from msgsim.study.jobs import Outcome
from msgsim.study.prices import shipped_text
from msgsim.study.store import ResultsFile

COUNT = "workers.w.count"


@pytest.fixture
def experiment(desk: ms.Scenario) -> ms.Experiment:
    return ms.Experiment(desk, replications=3, horizon=60.0, series="q.visible").vary(COUNT, [1, 2])


def test_a_study_goes_on_from_its_file(experiment: ms.Experiment, tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    first = experiment.run("sequential", results=path, progress=lambda done, _total: done < 4)
    assert len(first.outcomes) == 4
    told: list[tuple[int, int]] = []
    second = experiment.run("sequential", results=path, progress=lambda *done: told.append(done))
    assert told == [(4, 6), (5, 6), (6, 6)]
    fresh = experiment.run("sequential")
    assert second.to_csv() == fresh.to_csv()
    assert second.series("q", "visible", {COUNT: 2}) == fresh.series("q", "visible", {COUNT: 2})


def test_with_more_replications_and_more_values(experiment: ms.Experiment, tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    experiment.run("sequential", results=path)
    more = attrs.evolve(experiment, replications=4, factors={COUNT: (3, 2, 1)})
    told: list[tuple[int, int]] = []
    study = more.run("sequential", results=path, progress=lambda *done: told.append(done))
    assert told[0] == (6, 12)
    assert study.to_csv() == more.run("sequential").to_csv()
    less = attrs.evolve(experiment, replications=2).run("sequential", results=path)
    assert len(less.outcomes) == 4


def test_each_finished_run_is_read_once_however_many_rounds_there_are(
    experiment: ms.Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "study.sqlite"
    attrs.evolve(experiment, replications=5).run("sequential", results=path)
    rounds: list[list[tuple[int, int]]] = []
    finished, named = ResultsFile.finished, []

    def read(file: ResultsFile, points: list[str], replications: range) -> list[tuple[tuple[int, int], Outcome]]:
        found = list(finished(file, points, replications))
        rounds.append([place for place, _ in found])
        return found

    monkeypatch.setattr(ResultsFile, "finished", read)
    monkeypatch.setattr("msgsim.study.course.filed", lambda point: named.append(point) or filed(point))
    told: list[tuple[int, int]] = []
    stopping = experiment.stop_when("q", "waiting_time.mean", relative=1e-6, most=12)
    study = stopping.run("sequential", results=path, progress=lambda *done: told.append(done))
    assert rounds == [
        [(point, number) for point in (0, 1) for number in range(3)],
        [(point, number) for point in (0, 1) for number in (3, 4)],
        [],
    ]
    assert len(named) == 2, "points are named once"
    assert told[:2] == [(6, 6), (10, 12)]
    assert study.to_csv() == attrs.evolve(experiment, replications=12).run("sequential").to_csv()
    with ResultsFile(path, stopping.identity()) as file:
        keys = [filed(point) for point in study.points]
        assert [place for place, _ in finished(file, keys[:1], range(4, 6))] == [(0, 4), (0, 5)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": 8}, "its seed is 0, not 8"),
        ({"horizon": 61.0}, "its horizon is 60.0, not 61.0"),
        ({"warm_up": 1.0}, "its warm-up is 0.0, not 1.0"),
        ({"probe": 7.0}, "its probe is None, not 7.0"),
        ({"series": ()}, "its series is q.visible, not none"),
        ({"measure": dict}, "its measure is None, not dict"),
    ],
)
def test_another_studys_file_is_refused(
    experiment: ms.Experiment, tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    path = tmp_path / "study.sqlite"
    experiment.run("sequential", results=path)
    before = path.read_bytes()
    with pytest.raises(StudyError, match=f"holds the runs of another study: {said}"):
        attrs.evolve(experiment, **changes).run("sequential", results=path)  # type: ignore[arg-type]
    assert path.read_bytes() == before


def test_a_file_has_runs_of_one_price_list(experiment: ms.Experiment, tmp_path: Path) -> None:
    path, dear = tmp_path / "study.sqlite", tmp_path / "dear.toml"
    experiment.run("sequential", results=path)
    dear.write_text(shipped_text().replace("per_million = 0.40", "per_million = 0.80"))
    with pytest.raises(StudyError, match="its price list is"):
        attrs.evolve(experiment, prices=dear).run("sequential", results=path)


def test_another_scenarios_file_is_refused(experiment: ms.Experiment, tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    experiment.run("sequential", results=path)
    other = attrs.evolve(experiment, scenario=experiment.scenario.vary("queues.q.visibility_timeout", 77))
    with pytest.raises(StudyError, match=r"its scenario is another one \(.*visibility_timeout = 77"):
        other.run("sequential", results=path)


def test_a_handler_is_told_by_its_name(desk: ms.Scenario, tmp_path: Path) -> None:
    def pack(*_: object) -> None:
        return None

    def post(*_: object) -> None:
        return None

    path = tmp_path / "study.sqlite"
    ms.Experiment(desk.vary("workers.w.handler", pack), horizon=20.0, replications=1).run("sequential", results=path)
    with pytest.raises(StudyError, match=r"pack there.*post here"):
        ms.Experiment(desk.vary("workers.w.handler", post), horizon=20.0, replications=1).run(
            "sequential", results=path
        )


def test_alternatives_are_kept_apart(desk: ms.Scenario, tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    base = ms.Experiment(desk, replications=1, horizon=20.0)
    base.compare({}, {COUNT: 3}).run("sequential", results=path)
    with pytest.raises(StudyError, match="its alternative b is another one"):
        base.compare({}, {COUNT: 4}).run("sequential", results=path)


def test_two_studies_do_not_write_one_file(
    experiment: ms.Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("msgsim.study.store.PATIENCE", 0.0)
    path, made = tmp_path / "study.sqlite", list[int]()

    def meanwhile(done: int, _total: int) -> None:
        if done == 2:
            with pytest.raises(StudyError, match="another study is writing it; give each study a file of its own"):
                experiment.run("sequential", results=path, progress=lambda done, _total: made.append(done))

    study = experiment.run("sequential", results=path, progress=meanwhile)
    assert made == [], "it is refused before it makes a run"
    assert len(study.outcomes) == 6
    again = experiment.run("sequential", results=path, progress=lambda done, _total: made.append(done))
    assert made == [6], "and what the first one has made is all there"
    assert again.to_csv() == study.to_csv()


def test_what_is_no_results_file_is_left_alone(experiment: ms.Experiment, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("remember the milk " * 40)
    with pytest.raises(StudyError, match="is no results file; it is left alone"):
        experiment.run("sequential", results=text)
    assert text.read_text().startswith("remember")
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE customers (name TEXT)")
    connection.close()
    with pytest.raises(StudyError, match="a database of another program"):
        experiment.run("sequential", results=other)
    with pytest.raises(StudyError, match="no such folder"):
        experiment.run("sequential", results=tmp_path / "no" / "a.sqlite")
    with pytest.raises(StudyError, match="cannot be used as a results file"):
        experiment.run("sequential", results=tmp_path)


def test_a_file_of_another_format_is_refused(experiment: ms.Experiment, tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    experiment.run("sequential", results=path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE study SET value = '99' WHERE key = 'format'")
    connection.close()
    with pytest.raises(StudyError, match="another version of msgsim"):
        experiment.run("sequential", results=path)


def test_a_limit_of_file_sizes_loses_no_finished_run(experiment: ms.Experiment, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="limits of processes are those of Unix")
    path = tmp_path / "study.sqlite"
    experiment.run("sequential", results=path, progress=lambda done, _total: done < 2)
    points = [point.key for point in experiment.points()]
    outcome = experiment.run("sequential", progress=lambda done, _total: done < 1).outcomes[0, 0]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with ResultsFile(path, experiment.identity()) as file:
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, hard))
        try:
            with pytest.raises(StudyError, match=r"cannot be written any more: .* written are there"):
                file.save("a new point", 0, attrs.evolve(outcome, columns=outcome.columns * 50))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with ResultsFile(path, experiment.identity()) as file:
        assert sum(1 for _ in file.finished(points, range(1000))) == 2


def test_a_full_disk_loses_no_finished_run(experiment: ms.Experiment, tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    experiment = attrs.evolve(experiment, replications=40)
    experiment.run("sequential", results=path, progress=lambda done, _total: done < 2)
    terms = experiment.identity()
    points = [point.key for point in experiment.points()]
    outcome = experiment.run("sequential", progress=lambda done, _total: done < 1).outcomes[0, 0]
    with ResultsFile(path, terms) as file:
        [(pages,)] = file._connection.execute("PRAGMA page_count").fetchall()
        file._connection.execute(f"PRAGMA max_page_count = {pages + 4}")
        written = _fill(file, points[0], outcome)
        with pytest.raises(StudyError, match="the disk is full"):
            file.save("a new point", 0, attrs.evolve(outcome, columns=outcome.columns * 50))
        assert sum(1 for _ in file.finished(points, range(1000))) == 2 + written
    going_on = experiment.run("sequential", results=path, progress=lambda *_: False)
    assert len(going_on.outcomes) == 2 + written


def _fill(file: ResultsFile, point: str, outcome: Outcome) -> int:
    """Save until the disk is full; how many it took."""
    for place in range(1000):
        try:
            file.save(point, 10 + place, outcome)
        except StudyError as error:
            return place if "the disk is full; the runs that had been written are there" in str(error) else -1
    raise AssertionError("it never got full")


def test_the_study_that_met_a_full_disk_has_what_was_finished(
    experiment: ms.Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise StudyError("the disk is full")

    monkeypatch.setattr(ResultsFile, "save", refuse)
    with pytest.raises(StudyError, match="full") as caught:
        experiment.run("sequential", results=tmp_path / "study.sqlite")
    assert len(caught.value.study.outcomes) == 1  # type: ignore[attr-defined]


def test_runs_of_another_version_are_refused(
    experiment: ms.Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "study.sqlite"
    experiment.run("sequential", results=path)

    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("msgsim.formats.version", missing)
    with pytest.raises(StudyError, match=r"its msgsim is .*, not an unknown one"):
        experiment.run("sequential", results=path)


class _Weighed:
    """A measure that is an object: its repr is another one in each process."""

    def __call__(self, run: ms.Run) -> dict[str, float]:
        return {"weighed": run.total("q", "sent")}


def test_a_measure_that_is_an_object_is_the_same_in_another_process(experiment: ms.Experiment, tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    attrs.evolve(experiment, measure=_Weighed()).run("sequential", results=path)
    told: list[tuple[int, int]] = []
    attrs.evolve(experiment, measure=_Weighed()).run(
        "sequential", results=path, progress=lambda *done: told.append(done)
    )
    assert told == [(6, 6)]


def _trace(last: float) -> ms.Trace:
    return ms.Trace(counts=[1.0] * 20 + [last], width=1.0)


def test_traces_that_look_alike_are_kept_apart(desk: ms.Scenario, tmp_path: Path) -> None:
    path, told = tmp_path / "study.sqlite", list[tuple[int, int]]()
    experiment = ms.Experiment(desk, replications=1, horizon=30.0)
    assert repr(_trace(2.0)) == repr(_trace(9.0)), "a long one is shown in short"
    for last in (2.0, 9.0, 2.0):
        one = experiment.vary("traffic.t.rate", [_trace(last)])
        study = one.run("sequential", results=path, progress=lambda *done: told.append(done))
        assert study.to_json() == one.run("sequential").to_json()
    assert told == [(0, 1), (1, 1), (0, 1), (1, 1), (1, 1)]


def test_handlers_as_values_are_told_apart_by_their_names(desk: ms.Scenario, tmp_path: Path) -> None:
    def pack(*_: object) -> None:
        return None

    def post(*_: object) -> None:
        return None

    def again() -> ms.Experiment:
        def pack(*_: object) -> None:
            return None

        return base.vary("workers.w.handler", [post, pack])

    base = ms.Experiment(desk, replications=1, horizon=20.0)
    path, told = tmp_path / "study.sqlite", list[tuple[int, int]]()
    both = base.vary("workers.w.handler", [pack, post])
    both.run("sequential", results=path)
    both.run("sequential", results=path, progress=lambda *done: told.append(done))
    assert told == [(2, 2)]
    told.clear()
    again().run("sequential", results=path, progress=lambda *done: told.append(done))
    assert told[0] == (1, 2), "another function of that name is in another place"
    nameless = base.vary("workers.w.handler", [lambda *_: None, lambda *_: None])
    assert len(nameless.run("sequential").points) == 2
    with pytest.raises(StudyError, match=r"can't tell design point 1 from one before it.*by their names"):
        nameless.run("sequential", results=tmp_path / "other.sqlite")


@pytest.mark.parametrize("path", ["", ":memory:", 3, b"study.sqlite"])
def test_what_would_not_be_a_file_afterwards_is_refused(experiment: ms.Experiment, path: object) -> None:
    with pytest.raises(StudyError, match="is no results file; allowed: the path of one"):
        experiment.run("sequential", results=path)  # type: ignore[arg-type]


def test_books_that_do_not_balance_are_kept_with_their_run(
    experiment: ms.Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "study.sqlite"
    monkeypatch.setattr(
        "msgsim.study.jobs.simulate", lambda *a, **k: attrs.evolve(ms.simulate(*a, **k), violations=("!",))
    )
    for _ in range(2):
        study = experiment.run("sequential", results=path)
        assert {outcome.violations for outcome in study.outcomes.values()} == {("!",)}
        with pytest.raises(AuditError, match="replication 0 of design point"):
            study.audit()


def test_each_series_comes_back_as_it_was(desk: ms.Scenario, tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    experiment = ms.Experiment(desk, replications=2, horizon=60.0, series=["q.sent", "q.visible"])
    fresh, again = (experiment.run("sequential", results=path) for _ in range(2))
    for metric in ("sent", "visible"):
        assert again.series("q", metric) == fresh.series("q", metric)
    assert again.series("q", "sent") != again.series("q", "visible")
    assert len(again.series("q", "sent")[0]) > 2
