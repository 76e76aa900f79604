from math import nan
from pathlib import Path

import attrs
import pytest

import msgsim as ms
from msgsim.errors import DeclarationError, StudyError, UnknownName
from msgsim.study.costs import ledger
from msgsim.study.prices import shipped_text

COUNT = "workers.w.count"


def test_a_replication_is_that_run_of_the_scenario(desk: ms.Scenario) -> None:
    study = (
        ms.Experiment(desk, horizon=200.0, warm_up=50.0, replications=3, seed=7).vary(COUNT, [1, 3]).run("sequential")
    )
    run = ms.simulate(desk.vary(COUNT, 3), until=200.0, warm_up=50.0, seed=7, replication=2)
    values = study.values("q", "sojourn_time.p99", at={COUNT: 3})
    assert len(values) == 3
    assert values[2] == run.quantile("q", "sojourn_time", 0.99)
    assert study.values("q", "sent.total", {COUNT: 1}) == study.values("q", "sent.total", {COUNT: 3}), "common numbers"
    assert study.values("w", "utilization.mean", {COUNT: 3})[2] == run.mean("w", "utilization")
    assert not study.interrupted
    study.audit()


def test_recovery_is_among_the_measures(desk: ms.Scenario) -> None:
    study = ms.Experiment(desk, replications=2).run("sequential")
    drain = study.estimate("q", "drain_time.max")
    assert 0 < drain.value < 180
    assert study.probability("max(q.drain_time) < 300").value == 1


def test_the_defaults_are_the_scenarios_own(desk: ms.Scenario) -> None:
    scenario = attrs.evolve(desk, horizon=120.0, warm_up=30.0)
    study = ms.Experiment(scenario, replications=1).run("sequential")
    assert study.values("q", "waiting_time.mean")[0] == ms.simulate(scenario).mean("q", "waiting_time")


def test_alternatives_have_a_column(desk: ms.Scenario) -> None:
    experiment = ms.Experiment(desk, replications=2, horizon=100.0)
    study = experiment.compare({}, {COUNT: 4}, names=("now", "then")).run("sequential")
    assert [point.levels for point in study.points] == [{"alternative": "now"}, {"alternative": "then"}]
    assert study.points[1].scenario.workers["w"].count == 4
    assert study.estimate("w", "count.mean", {"alternative": "then"}).value == 4
    other = desk.vary("queues.q.visibility_timeout", 5)
    assert experiment.compare(desk, other).points()[1].scenario == other


def test_a_hypercube_and_a_factor_combine(desk: ms.Scenario) -> None:
    experiment = ms.Experiment(desk).latin_hypercube({COUNT: (1, 9)}, points=4).vary("workers.w.batch_size", [1, 10])
    points = experiment.points()
    assert len(points) == 8
    assert len({point.levels[COUNT] for point in points}) == 4


def test_a_measure_of_ones_own(desk: ms.Scenario) -> None:
    def late(run: ms.Run) -> dict[str, float]:
        return {"late": sum(wait > 1 for wait in run.samples("q", "waiting_time"))}

    study = ms.Experiment(desk, replications=2, horizon=100.0, measure=late).run("sequential")
    run = ms.simulate(desk, until=100.0, replication=1)
    assert study.values("*", "late")[1] == late(run)["late"]


@pytest.mark.parametrize("returned", [None, {"late": "very"}, {"late": None}])
def test_a_measure_that_returns_no_numbers_is_refused(desk: ms.Scenario, returned: object) -> None:
    experiment = ms.Experiment(desk, replications=1, horizon=50.0, measure=lambda _run: returned)  # type: ignore[arg-type,return-value]
    with pytest.raises(StudyError, match=r"replication 0 of design point as declared failed: .*measure"):
        experiment.run("sequential")


def test_a_measure_may_not_take_the_name_of_another(desk: ms.Scenario) -> None:
    experiment = ms.Experiment(desk, replications=1, horizon=50.0, measure=lambda _: {"cost_per_month.final": 0.0})
    with pytest.raises(StudyError, match=r"cost_per_month\.final, which is a measure already"):
        experiment.run("sequential")


def test_names_of_ones_own_may_come_in_any_order(desk: ms.Scenario) -> None:
    def shuffled(run: ms.Run) -> dict[str, float]:
        return {"a": 1.0, "b": 2.0} if run.replication else {"b": 2.0, "a": 1.0}

    study = ms.Experiment(desk, replications=2, horizon=50.0, measure=shuffled).run("sequential")
    assert list(study.values("*", "a")) == [1.0, 1.0]


def test_each_run_of_a_point_has_the_same_measures(desk: ms.Scenario, tmp_path: Path) -> None:
    """Else the numbers of one would stand under the names of another."""

    def moody(run: ms.Run) -> dict[str, float]:
        return {"a": 1.0} if run.replication < 2 else {"b": 2.0}

    experiment = ms.Experiment(desk, replications=3, horizon=50.0, measure=moody)
    said = "replication 2 of .*: measure: returned a, b for some runs and not for others"
    with pytest.raises(StudyError, match=said):
        experiment.run("sequential", results=tmp_path / "study.sqlite")
    with pytest.raises(StudyError, match=said):
        experiment.run("sequential", results=tmp_path / "study.sqlite")


def test_the_names_of_measures_are_kept_once(desk: ms.Scenario, tmp_path: Path) -> None:
    """They are nine tenths of what a run from a worker or a file takes."""
    experiment = ms.Experiment(desk, replications=2, horizon=50.0).vary(COUNT, [1, 2])
    for _ in range(2):
        study = experiment.run("sequential", results=tmp_path / "study.sqlite")
        assert len({id(outcome.columns) for outcome in study.outcomes.values()}) == 1


def test_series_are_kept(desk: ms.Scenario) -> None:
    study = ms.Experiment(desk, replications=2, horizon=100.0, series="q.visible", probe=10.0).run("sequential")
    times, replications = study.series("q", "visible")
    assert list(times) == [10.0 * place for place in range(11)]
    assert list(replications[1]) == list(
        ms.simulate(desk, until=100.0, probe=10.0, replication=1).series("q", "visible")[1]
    )
    with pytest.raises(UnknownName, match=r"q\.in_flight"):
        study.series("q", "in_flight")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"replications": 0}, "replications"),
        ({"replications": 2.5}, "replications"),
        ({"horizon": 0}, "until"),
        ({"horizon": "1h"}, "until"),
        ({"warm_up": -1}, "warm_up"),
        ({"warm_up": "mser6"}, "mser5"),
        ({"warm_up": 300.0}, "leaves nothing"),
        ({"seed": "x"}, "seed"),
        ({"probe": 0}, "probe"),
        ({"series": ["q.visibel"]}, "visible"),
        ({"series": ["z.visible"]}, "z"),
        ({"series": ["q.sojourn_time"]}, "no values over time"),
        ({"series": ["visible"]}, "not a list of series"),
        ({"series": 3}, "not a list of series"),
        ({"measure": 3}, "not a function"),
    ],
)
def test_an_experiment_refuses(desk: ms.Scenario, arguments: dict[str, object], said: str) -> None:
    with pytest.raises((DeclarationError, UnknownName), match=said):
        ms.Experiment(desk, **arguments)  # type: ignore[arg-type]


def test_it_wants_a_scenario() -> None:
    with pytest.raises(DeclarationError, match="not a Scenario"):
        ms.Experiment("black-friday")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "values", "error", "said"),
    [
        ("workers.z.count", [1], UnknownName, "z"),
        (COUNT, [], DeclarationError, "no values"),
        (3, [1], DeclarationError, "3 is not a path"),
        (COUNT, [1, 2, 1], DeclarationError, "twice"),
        (COUNT, 3, DeclarationError, "not a list"),
        (COUNT, "12", DeclarationError, "not a list"),
        (COUNT, {1, 2}, DeclarationError, "which have an order"),
        (COUNT, [1, 2, 1.0], DeclarationError, "1.0 is there twice"),
        ("workers.w.service_time", [ms.Fixed(1.0), ms.Fixed(1.0)], DeclarationError, "twice"),
        ("workers.w.on_success", [[], [ms.Publish(topic="x")], []], DeclarationError, r"\[\] is there twice"),
        ("alternative", [1], DeclarationError, "alternatives"),
    ],
)
def test_a_factor_that_can_not_be(
    desk: ms.Scenario, path: str, values: object, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        ms.Experiment(desk).vary(path, values)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["horizon", "warm_up"])
def test_what_is_given_for_all_runs_is_not_varied(desk: ms.Scenario, path: str) -> None:
    with pytest.raises(DeclarationError, match=f"{path}: the experiment has a {path} for all its runs"):
        ms.Experiment(desk, horizon=200.0, warm_up=10.0).vary(path, [50.0])


def test_a_path_is_varied_once(desk: ms.Scenario) -> None:
    experiment = ms.Experiment(desk).vary(COUNT, [1, 2])
    with pytest.raises(DeclarationError, match="varied already"):
        experiment.vary(COUNT, [3])
    with pytest.raises(DeclarationError, match="varied already"):
        experiment.latin_hypercube({COUNT: (1, 2)}, 2)


def test_alternatives_that_can_not_be(desk: ms.Scenario) -> None:
    experiment = ms.Experiment(desk)
    with pytest.raises(DeclarationError, match="neither a Scenario"):
        experiment.compare(desk, 3)  # type: ignore[arg-type]
    for names in (("a", "a"), ("a", "b", "a"), ("a",), 3, [["a"], ["b"]], ("a", "")):
        with pytest.raises(DeclarationError, match="two different names"):
            experiment.compare(desk, desk, names=names)  # type: ignore[arg-type]
    with pytest.raises(DeclarationError, match="alternatives already"):
        experiment.compare(desk, desk).compare(desk, desk)


def test_a_combination_may_be_what_makes_a_value_possible(desk: ms.Scenario) -> None:
    experiment = ms.Experiment(desk).vary("horizon", [50.0]).vary("warm_up", [60.0, 40.0])
    assert len(experiment.points()) == 2
    with pytest.raises(StudyError, match=r"warm_up=60.*leaves nothing"):
        experiment.run("sequential")
    bad = ms.Experiment(desk).vary("workers.w.count", [-1])
    with pytest.raises(DeclarationError, match=r"workers\.w\.count"):
        bad.run("sequential")


def test_too_many_points_are_refused(desk: ms.Scenario) -> None:
    experiment = ms.Experiment(desk).vary(COUNT, range(1, 1001)).vary("workers.w.poll_interval", range(1, 1001))
    with pytest.raises(DeclarationError, match="1,000,000 design points; allowed: up to 100,000"):
        experiment.points()


def test_as_many_points_as_are_allowed_are_made(desk: ms.Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("msgsim.study.experiment.MOST_POINTS", 6)
    experiment = ms.Experiment(desk).vary(COUNT, [1, 2, 3]).compare(desk, {"queues.q.delay": 1.0})
    assert len(experiment.points()) == 6
    for seven in (
        experiment.vary("queues.q.visibility_timeout", [9.0, 10.0]),
        ms.Experiment(desk).vary(COUNT, range(1, 8)),
    ):
        with pytest.raises(DeclarationError, match="design points; allowed: up to 6"):
            seven.points()


def test_what_a_failed_run_leaves(desk: ms.Scenario) -> None:
    def pick(run: ms.Run) -> dict[str, float]:
        if run.replication == 2:
            raise RuntimeError("no")
        return {}

    experiment = ms.Experiment(desk, replications=4, horizon=50.0, measure=pick)
    with pytest.raises(
        StudyError, match="replication 2 of design point as declared failed: RuntimeError: no"
    ) as caught:
        experiment.run("sequential")
    kept = caught.value.study
    assert len(kept.outcomes) == 2  # type: ignore[attr-defined]
    assert kept.interrupted  # type: ignore[attr-defined]


class TestProgress:
    def test_it_is_told_how_far_it_is(self, desk: ms.Scenario) -> None:
        told = []
        ms.Experiment(desk, replications=2, horizon=50.0).run("sequential", progress=lambda *done: told.append(done))
        assert told == [(0, 2), (1, 2), (2, 2)]

    def test_false_ends_a_study_with_what_there_is(self, desk: ms.Scenario) -> None:
        experiment = ms.Experiment(desk, replications=9, horizon=50.0)
        study = experiment.run("sequential", progress=lambda done, _total: done < 3)
        assert len(study.outcomes) == 3
        assert study.interrupted
        assert "6 runs missing" in study.summary()

    def test_until_then_all_points_have_as_many_runs(self, desk: ms.Scenario) -> None:
        experiment = ms.Experiment(desk, replications=9, horizon=50.0).vary(COUNT, [1, 2])
        study = experiment.run("sequential", progress=lambda done, _total: done < 4)
        assert list(study.outcomes) == [(0, 0), (0, 1), (1, 0), (1, 1)]

    def test_so_does_ctrl_c(self, desk: ms.Scenario) -> None:
        def press(done: int, _total: int) -> None:
            if done == 2:
                raise KeyboardInterrupt

        study = ms.Experiment(desk, replications=9, horizon=50.0).run("sequential", progress=press)
        assert len(study.outcomes) == 2

    def test_a_bar(self, desk: ms.Scenario, capfd: pytest.CaptureFixture[str]) -> None:
        study = ms.Experiment(desk, replications=2, horizon=50.0).run("sequential", progress=True)
        assert not study.interrupted
        out, error = capfd.readouterr()
        assert out == ""
        assert "2 of 2 runs" in error
        assert error.endswith(" \r")

    def test_no_function_is_none(self, desk: ms.Scenario) -> None:
        with pytest.raises(DeclarationError, match="progress"):
            ms.Experiment(desk).run("sequential", progress="yes")  # type: ignore[arg-type]


class TestMser5:
    def test_it_finds_one_warm_up_for_all_points(self, desk: ms.Scenario) -> None:
        calm = attrs.evolve(desk, traffic={"t": ms.Traffic(to="q", rate=1.0)}, horizon=2000.0)
        experiment = ms.Experiment(calm, warm_up="mser5", replications=3).vary(COUNT, [2, 3])
        study = experiment.run("sequential")
        found = study.experiment.warm_up
        assert isinstance(found, float)
        assert 0 <= found < 1000
        by_hand = ms.simulate(calm.vary(COUNT, 2), warm_up=found, replication=1)
        assert study.values("q", "waiting_time.mean", {COUNT: 2})[1] == by_hand.mean("q", "waiting_time")

    def test_a_queue_that_only_grows_has_none(self, desk: ms.Scenario) -> None:
        growing = attrs.evolve(desk, traffic={"t": ms.Traffic(to="q", rate=5.0)})
        with pytest.raises(DeclarationError, match="sees no end of the warm-up at as declared"):
            ms.Experiment(growing, warm_up="mser5", replications=2).run("sequential")

    def test_it_needs_a_queue(self) -> None:
        empty = ms.Scenario(topics={"t": ms.Topic()}, traffic={"x": ms.Traffic(to="t", rate=1)}, horizon=50.0)
        with pytest.raises(DeclarationError, match="no queue"):
            ms.Experiment(empty, warm_up="mser5").run("sequential")

    def test_a_pilot_that_fails_says_why(self, desk: ms.Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object, **__: object) -> None:
            raise RuntimeError("no")

        monkeypatch.setattr("msgsim.study.jobs.simulate", fail)
        with pytest.raises(DeclarationError, match="one failed: replication 0 of design point as declared: RuntimeErr"):
            ms.Experiment(desk, warm_up="mser5").run("sequential")


class TestStopWhen:
    def test_it_goes_on_until_every_point_is_known_well_enough(self, desk: ms.Scenario) -> None:
        experiment = ms.Experiment(desk, replications=3, horizon=100.0).vary(COUNT, [2, 3])
        study = experiment.stop_when("q", "sojourn_time.mean", relative=0.2).run("sequential")
        estimates = [study.estimate("q", "sojourn_time.mean", point.levels) for point in study.points]
        assert all(estimate.relative_half_width <= 0.2 for estimate in estimates)
        assert {estimate.n for estimate in estimates} == {study.experiment.replications}
        assert study.experiment.replications > 3
        fixed = attrs.evolve(experiment, replications=study.experiment.replications).run("sequential")
        assert study.to_csv() == fixed.to_csv()

    def test_it_ends_at_most_there(self, desk: ms.Scenario) -> None:
        experiment = ms.Experiment(desk, replications=3, horizon=50.0)
        study = experiment.stop_when("q", "waiting_time.mean", relative=1e-6, most=7).run("sequential")
        assert study.experiment.replications == 7

    def test_what_does_not_vary_is_known_at_once(self, desk: ms.Scenario) -> None:
        experiment = ms.Experiment(desk, replications=2, horizon=50.0)
        assert len(experiment.stop_when("w", "count.mean", relative=0.0).run("sequential").outcomes) == 2
        assert len(experiment.stop_when("q", "expired.total", absolute=1.0).run("sequential").outcomes) == 2

    def test_it_can_be_stopped(self, desk: ms.Scenario) -> None:
        experiment = ms.Experiment(desk, replications=3, horizon=50.0).stop_when(
            "q", "waiting_time.mean", relative=1e-6
        )
        study = experiment.run("sequential", progress=lambda done, _total: done < 5)
        assert len(study.outcomes) == 5
        assert study.interrupted

    def test_it_can_be_stopped_with_the_last_run_of_a_round(self, desk: ms.Scenario) -> None:
        experiment = ms.Experiment(desk, replications=3, horizon=50.0).stop_when("q", "waiting_time.mean", relative=0)

        def press(done: int, _total: int) -> None:
            if done == 3 and not pressed:
                pressed.append(done)
                raise KeyboardInterrupt

        pressed: list[int] = []
        study = experiment.run("sequential", progress=press)
        assert len(study.outcomes) == 3
        assert study.interrupted, "more replications were wanted"

    def test_a_measure_that_few_runs_have_needs_more_of_them(self, desk: ms.Scenario) -> None:
        def seldom(run: ms.Run) -> dict[str, float]:
            return {"late": 1.0 if run.replication in (3, 5) else nan}

        experiment = ms.Experiment(desk, replications=2, horizon=20.0, measure=seldom)
        study = experiment.stop_when("*", "late", most=50).run("sequential")
        assert study.estimate("*", "late").n == 2
        assert study.experiment.replications == 8

    def test_it_refuses(self, desk: ms.Scenario) -> None:
        experiment = ms.Experiment(desk, replications=3, horizon=50.0)
        with pytest.raises(DeclarationError, match="most"):
            experiment.stop_when("q", "waiting_time.mean", most=2)
        with pytest.raises(DeclarationError, match="relative"):
            experiment.stop_when("q", "waiting_time.mean", relative=-1)
        with pytest.raises(DeclarationError, match="confidence"):
            experiment.stop_when("q", "waiting_time.mean", confidence=2)
        with pytest.raises(DeclarationError, match="no interval to begin with"):
            attrs.evolve(experiment, replications=1).stop_when("q", "waiting_time.mean")
        with pytest.raises(UnknownName, match="waiting_time"):
            experiment.stop_when("q", "waiting.mean")
        with pytest.raises(UnknownName, match="p95"):
            experiment.stop_when("q", "waiting_time.p95")
        with pytest.raises(UnknownName, match="late"):
            attrs.evolve(experiment, measure=lambda _: {}).stop_when("*", "late").run("sequential")
        twin = experiment.stop_when("q", "NumberOfMessagesSent.total").precision
        assert twin is not None
        assert twin.measure == "sent.total"


def test_costs_are_among_the_measures(desk: ms.Scenario, tmp_path: Path) -> None:
    study = ms.Experiment(desk, replications=2, horizon=100.0).run("sequential")
    run = ms.simulate(desk, until=100.0, replication=1)
    assert study.values("*", "cost_per_month.final")[1] == ledger(run).per_month > 0
    assert study.values("q", "cost.final")[1] == ledger(run).cost("q")
    dear = tmp_path / "dear.toml"
    dear.write_text(shipped_text().replace("per_million = 0.40", "per_million = 0.80"))
    double = ms.Experiment(desk, replications=2, horizon=100.0, prices=dear).run("sequential")
    assert double.values("q", "cost.final")[1] == pytest.approx(2 * study.values("q", "cost.final")[1])
    assert study.judge("cost < 1000")[0].met
