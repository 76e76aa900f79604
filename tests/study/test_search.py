from array import array
from collections.abc import Callable, Iterator
from math import inf, nan, nextafter

import pytest

import msgsim as ms
from msgsim.errors import DeclarationError
from msgsim.study import executors
from msgsim.study.jobs import Job, Outcome
from msgsim.study.objectives import parse
from msgsim.study.planner import Plan, PlanInterrupted
from msgsim.study.search import Search, check_whole, first_met, looks_over, rounded

COUNT = "workers.w.count"
MEASURE = ("q", "waiting_time.mean")

Replicate = Callable[[int, int], float]
"""A mean waiting time [s], by the number of workers and the replication."""


@pytest.mark.parametrize(
    ("between", "finest", "looks"),
    [
        ((5.0, 900.0), 4.0, [5.0, 14.1, 39.9, 113.0, 319.0, 900.0]),
        ((0.0, 1.0), 0.01, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        ((100.001, 100.002), 1e-5, [100.001, 100.0012, 100.0014, 100.0016, 100.0018, 100.002]),
        ((-1.0, 2.0), 5.0, [-1.0, 0.0, 1.0, 2.0]),
        ((-1e308, 1.7e308), float("inf"), [-1e308, 1.7e308]),
        ((0.0, 5e-324), 0.0, [0.0, 5e-324]),
    ],
)
def test_looks_are_at_round_numbers(between: tuple[float, float], finest: float, looks: list[float]) -> None:
    assert looks_over(*between, finest, whole=False) == looks


@pytest.mark.parametrize("finest", [0.01, 0.3, 1.0, 4.0])
def test_the_middle_of_what_is_far_enough_apart_stays_between(finest: float) -> None:
    for step in range(200):
        low, high = 0.017 * step, 0.017 * step + finest * 1.0001
        assert low < rounded((low + high) / 2, finest) < high


def _found(looks: list[float], met: Callable[[float], bool], finest: float = 1, *, whole: bool = True) -> float | None:
    return first_met(met, looks, finest, whole=whole)


def test_bisection_ends_at_the_edge_of_what_meets_the_objective() -> None:
    for edge in range(1, 41):
        assert _found([1, 20, 40], lambda value, edge=edge: value >= edge) == edge  # type: ignore[misc]
        assert _found([40, 20, 1], lambda value, edge=edge: value <= edge) == edge  # type: ignore[misc]
    assert _found([1, 20, 40], lambda value: 10 <= value <= 25) == 10, "it holds, and then fails"
    assert _found([1, 20, 40], lambda value: value in {1, 30, 40}) == 1
    assert _found([1, 20, 40], lambda value: value == 30) is None
    assert _found([0.0, 1.0], lambda value: value > 0.3, 0.01, whole=False) == pytest.approx(0.305, abs=0.006)


def test_bisection_finer_than_floats_ends() -> None:
    low = 0.5
    high = nextafter(nextafter(low, 1), 1)
    assert _found([low, high], lambda value: value > low, 1e-300, whole=False) == nextafter(low, 1)
    assert _found([high, low], lambda value: value < high, 1e-300, whole=False) == nextafter(low, 1)


def test_a_value_beyond_the_first_that_will_do_is_not_asked_about() -> None:
    asked = []

    def met(value: float) -> bool:
        asked.append(value)
        return value >= 17

    assert first_met(met, [1, 10, 20, 30, 40], 1, whole=True) == 17
    assert asked == [1, 10, 20, 15, 17, 16]


# ---------------------------------------------------------------- more replications where it is not sure


class _Runs:
    """Makes runs whose outcomes are known, and counts them."""

    def __init__(self) -> None:
        self.replicate: Replicate = lambda _count, _replication: 0.0
        self.made: list[tuple[int, int]] = []

    def perform(self, job: Job) -> Outcome:
        count = int(job.scenario.workers["w"].count)  # type: ignore[call-overload]
        self.made.append((count, job.replication))
        return Outcome((MEASURE,), array("d", [self.replicate(count, job.replication)]))


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> _Runs:
    made = _Runs()
    monkeypatch.setattr(executors, "perform", made.perform)
    return made


def _plan(scenario: ms.Scenario, such_that: str = "mean(q.waiting_time) < 10", **more: object) -> Plan:
    arguments = {
        "find": COUNT,
        "between": (1, 6),
        "such_that": such_that,
        "replications": 4,
        "executor": "sequential",
        **more,
    }
    return ms.plan(scenario, **arguments)  # type: ignore[arg-type]


def _around(means: dict[int, float], spread: float = 1.0) -> Replicate:
    """Means of each value, with as much above them as below; any even number of replications has the mean itself."""
    return lambda count, replication: means[count] + (spread if replication % 2 else -spread)


def test_a_value_gets_more_replications_until_it_is_clear(desk: ms.Scenario, runs: _Runs) -> None:
    """The half width at 98.3 % is 2.80 with 4 replications of 10 +- 1, 1.0 with 8 and 0.57 with 16."""
    runs.replicate = _around({1: 20.0, 2: 11.5, 3: 10.0, 4: 9.2, 5: 9.1, 6: 1.0})
    plan = _plan(desk)
    assert plan.rounds == (4, 8, 16)
    assert [(trial.value, trial.replications, trial.state) for trial in plan.table] == [
        (1, 4, "not met"),
        (2, 8, "not met"),
        (3, 16, "not sure"),
        (4, 16, "met"),
        (5, 4, "not sure"),
        (6, 4, "met"),
    ]
    assert plan.value == 4
    assert plan.unsure == [3], "5 is not sure, and of no use any more"
    assert len(runs.made) == len(set(runs.made)) == 4 + 8 + 16 + 16 + 4 + 4, "no run is made twice"
    assert (
        "With 16 replications, the most that were allowed, it could not be told whether 3 will do." in plan.conclusion
    )
    assert [row.split()[1] for row in str(plan).splitlines()[:7]] == ["runs", "4", "8", "16", "16", "4", "4"]


def test_from_the_other_side(desk: ms.Scenario, runs: _Runs) -> None:
    runs.replicate = _around({1: 1.0, 2: 9.1, 3: 9.2, 4: 10.0, 5: 11.5, 6: 20.0})
    plan = _plan(desk, want="largest")
    assert plan.value == 3
    assert [trial.replications for trial in plan.table] == [4, 4, 16, 16, 8, 4]
    assert plan.unsure == [4]


def test_bisection_takes_more_of_the_middle(desk: ms.Scenario, runs: _Runs) -> None:
    runs.replicate = lambda count, replication: _around({count: {7: 9.5, 6: 10.0}.get(count, 17.0 - count)})(
        count, replication
    )
    plan = _plan(desk, between=(1, 26))
    tried = {trial.value: trial.replications for trial in plan.table}
    assert plan.value == 8
    assert tried == {1: 4, 2: 4, 4: 4, 7: 16, 8: 16, 10: 4, 14: 4, 26: 4}


def test_with_one_round_intervals_are_those_of_an_experiment(desk: ms.Scenario) -> None:
    plan = _plan(desk, "mean(q.waiting_time) < 0.5", most=4)
    assert plan.rounds == (4,)
    assert plan.level == plan.confidence == 0.95
    assert {trial.replications for trial in plan.table} == {4}
    study = ms.Experiment(desk, replications=4).vary(COUNT, [trial.value for trial in plan.table]).run("sequential")
    assert study.to_csv() == plan.study.to_csv()
    for trial in plan.table:
        assert trial.verdict.estimates == (study.estimate(*MEASURE, {COUNT: trial.value}),)


def test_with_more_rounds_intervals_are_wider_and_say_what_they_hold(desk: ms.Scenario) -> None:
    plan = _plan(desk, "mean(q.waiting_time) < 0.5", confidence=0.9)
    assert plan.level == pytest.approx(1 - 0.1 / 3)
    for trial in plan.table:
        [estimate] = trial.verdict.estimates
        alone = plan.study.estimate(*MEASURE, {COUNT: trial.value}, confidence=plan.level)
        assert (estimate.value, estimate.low, estimate.high, estimate.n) == (
            alone.value, alone.low, alone.high, trial.replications
        )  # fmt: skip
        assert estimate.confidence == estimate.coverage == 0.9
    assert "(90 %, n=" in plan.conclusion


@pytest.mark.parametrize("odd", [nan, inf])
def test_what_more_replications_do_not_mend_takes_no_more(odd: float, desk: ms.Scenario, runs: _Runs) -> None:
    """A run with nothing to measure, or one that never ends, is there however many are added."""
    runs.replicate = lambda count, replication: odd if replication == 1 else 10.0 - 0.1 * (replication % 2) * count
    plan = _plan(desk, "mean(q.waiting_time) > 9.95")
    assert plan.value is None
    assert {trial.state for trial in plan.table} == {"not sure"}
    assert len(runs.made) == 4 * 6
    assert plan.unsure == []
    assert "could not be told" not in plan.conclusion


def test_who_asks_twice_is_told_the_same(desk: ms.Scenario, runs: _Runs) -> None:
    runs.replicate = _around({2: 10.0})
    how = {"executor": "sequential", "n_jobs": None, "progress": None, "results": None}
    experiment = ms.Experiment(desk, replications=4)
    search = Search(experiment, COUNT, parse("mean(q.waiting_time) < 10"), (4, 8, 16), 0.95, how)
    assert not search.met(2)
    assert not search.met(2)
    assert len(runs.made) == 16
    assert [trial.replications for trial in search.trials] == [16]


def test_no_value_will_do_and_some_might(desk: ms.Scenario, runs: _Runs) -> None:
    runs.replicate = _around(dict.fromkeys(range(1, 7), 10.0))
    plan = _plan(desk)
    assert plan.value is None
    assert len(runs.made) == 16 * 6
    assert plan.unsure == [1, 2, 3, 4, 5, 6]
    with pytest.raises(PlanInterrupted) as raised:
        _plan(desk, progress=_stopping(28))
    assert raised.value.plan.conclusion == (
        "Interrupted, and not decided. No value of workers.w.count that was tried meets mean(q.waiting_time) < 10."
    )


def test_it_goes_on_from_a_file(desk: ms.Scenario, tmp_path: object, runs: _Runs) -> None:
    wanted = {"between": (1, 3), "replications": 2, "most": 8}
    runs.replicate = _around({1: 90.0, 2: 10.0, 3: 1.0})
    alone = _plan(desk, **wanted)
    made = len(runs.made)
    assert made == 2 + 8 + 2 + 2, "3 is clear with 4"
    path = f"{tmp_path}/plan.sqlite"
    with pytest.raises(PlanInterrupted) as raised:
        _plan(desk, results=path, progress=_stopping(12), **wanted)
    assert len(raised.value.plan.study.outcomes) == 9, "three of the calls were before the first run of a round"
    assert len(runs.made) == made + 9
    again = _plan(desk, results=path, **wanted)
    assert len(runs.made) == 2 * made, "no run is made twice"
    assert str(again) == str(alone)
    assert again.study.to_csv() == alone.study.to_csv()
    few = _plan(desk, results=path, **wanted | {"most": 2})
    assert {trial.replications for trial in few.table} == {2}, "what is not asked for is left in the file"
    assert len(runs.made) == 2 * made
    more = _plan(desk, results=path, **wanted | {"most": 16})
    assert [trial.replications for trial in more.table] == [2, 16, 4]
    assert len(runs.made) == 2 * made + 8


@pytest.mark.parametrize(("want", "best"), [("smallest", 3), ("largest", 2)])
def test_the_best_so_far_is_on_the_side_that_is_wanted(want: str, best: int, desk: ms.Scenario, runs: _Runs) -> None:
    means = {1: 10.0, 2: 10.0, 3: 1.0, 4: 1.0} if want == "smallest" else {1: 1.0, 2: 1.0, 3: 10.0, 4: 10.0}
    runs.replicate = _around(means)
    with pytest.raises(PlanInterrupted) as raised:
        _plan(desk, between=(1, 4), want=want, progress=_stopping(20))
    assert raised.value.plan.value == best


@pytest.mark.parametrize("mean", [1.0, 20.0])
def test_a_first_round_that_was_interrupted_has_no_say(mean: float, desk: ms.Scenario, runs: _Runs) -> None:
    """However sure its few runs seem to be."""
    runs.replicate = lambda _count, _replication: mean
    with pytest.raises(PlanInterrupted) as raised:
        _plan(desk, progress=_stopping(18))
    plan = raised.value.plan
    assert plan.value is None
    assert {trial.state for trial in plan.table} == {"interrupted"}
    assert any(trial.verdict.met or trial.verdict.missed for trial in plan.table)
    assert not any(trial.met or trial.missed or trial.is_open for trial in plan.table)


def _stopping(calls: int) -> Callable[[int, int], bool]:
    """Wants no more at some call."""
    left: Iterator[int] = iter(range(calls - 1, -1, -1))
    return lambda _done, _total: next(left) > 0


def test_all_runs_are_one_study_with_as_many_of_each_value_as_it_took(desk: ms.Scenario, runs: _Runs) -> None:
    runs.replicate = lambda count, replication: _around({count: {7: 9.5, 6: 10.0}.get(count, 17.0 - count)})(
        count, replication
    )
    plan = _plan(desk, between=(1, 26))
    study = plan.study
    assert [point.levels[COUNT] for point in study.points] == [trial.value for trial in plan.table]
    assert [trial.value for trial in plan.table] == sorted(trial.value for trial in plan.table)
    assert list(study.outcomes) == sorted(study.outcomes)
    assert not study.interrupted
    assert study.experiment.replications == 16
    for trial in plan.table:
        assert study.estimate(*MEASURE, {COUNT: trial.value}).n == trial.replications
    assert len(study.to_pandas()) == len(study.to_csv().splitlines()) - 1 == sum(t.replications for t in plan.table)
    assert list(plan.to_pandas()["replications"]) == [trial.replications for trial in plan.table]
    study.audit()
    assert " design points · 4 to 16 replications · " in study.summary([MEASURE])
    assert "missing" not in study.summary([MEASURE])
    [row] = study.compare({COUNT: 1}, {COUNT: 7}, [MEASURE]).rows
    assert row.difference.n == 4, "pairs are of replications that both have"


def test_the_plan_is_the_same_whoever_makes_the_runs(desk: ms.Scenario) -> None:
    from concurrent.futures import ThreadPoolExecutor

    wanted = {"such_that": "mean(q.waiting_time) < 0.4", "horizon": 60.0}
    alone = _plan(desk, **wanted)
    assert {trial.replications for trial in alone.table} > {4}
    with ThreadPoolExecutor(3) as threads:
        other = _plan(desk, **wanted, executor=threads)
    assert str(other) == str(alone)
    assert other.study.to_csv() == alone.study.to_csv()


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("find", "between", "such"),
    [
        (COUNT, (1, 30.0), ", such as (1, 30)"),
        (COUNT, (1.0, 6.0), ", such as (1, 6)"),
        (COUNT, (0.4, 30), ", such as (1, 30)"),
        (COUNT, (1.2, 1.4), ""),
        ("workers.w.batch_size", (1.5, 10), ", such as (2, 10)"),
    ],
)
def test_what_takes_whole_numbers_says_so(
    find: str, between: tuple[float, float], such: str, desk: ms.Scenario
) -> None:
    with pytest.raises(DeclarationError) as raised:
        _plan(desk, find=find, between=between)
    problem = f"{between} is not allowed: {find} takes whole numbers; allowed: whole bounds{such}"
    assert str(raised.value) == f"between: {problem}"


def test_whole_bounds_are_not_looked_at_and_fractions_may_be_fine(desk: ms.Scenario) -> None:
    experiment = ms.Experiment(desk)
    check_whole(experiment, COUNT, (-3, 0))
    check_whole(experiment, "queues.q.visibility_timeout", (1.0, 30.5))
    check_whole(experiment, "queues.q.nonsense", (1.0, 30.5))
    check_whole(experiment, COUNT, (-1e308, 1.7e308))
    check_whole(experiment, COUNT, (0.0, 5e-324))
