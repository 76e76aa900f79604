import attrs
import pytest

import msgsim as ms
from msgsim.errors import DeclarationError, StudyError, UnknownName
from msgsim.study.planner import Plan, PlanInterrupted
from msgsim.study.prices import load_prices

COUNT = "workers.w.count"
SHORT = {"horizon": 200.0, "replications": 4, "executor": "sequential"}


def _plan(scenario: ms.Scenario, such_that: str, between: tuple[float, float] = (1, 12), **more: object) -> Plan:
    arguments = {"find": COUNT, "between": between, "such_that": such_that, **SHORT, **more}
    return ms.plan(scenario, **arguments)  # type: ignore[arg-type]


def test_the_answer_is_the_smallest_value_that_meets_the_objective(desk: ms.Scenario) -> None:
    plan = _plan(desk, "p99(q.waiting_time) < 5")
    assert isinstance(plan.value, int)
    tried = {trial.value: trial for trial in plan.table}
    assert tried[plan.value].met
    assert plan.estimate.high < 5
    assert plan.estimates == tried[plan.value].verdict.estimates == (plan.estimate,)
    assert plan.estimate.value == plan.study.estimate("q", "waiting_time.p99", {COUNT: plan.value}).value
    below = tried[plan.value - 1]
    assert not below.met
    assert below.verdict.estimates[0].high >= 5
    assert [trial.value for trial in plan.table] == sorted(tried)
    assert plan.monotone
    assert f"{COUNT} = {plan.value} is the smallest value from 1 to 12" in str(plan)
    assert repr(plan) == f"<Plan {COUNT}={plan.value}: p99(q.waiting_time) < 5>"
    assert str(plan.value) in plan._repr_html_()


def test_every_value_would_have_given_the_same_answer(desk: ms.Scenario) -> None:
    plan = _plan(desk, "p99(q.waiting_time) < 5", most=4)
    every = ms.Experiment(desk, horizon=200.0, replications=4).vary(COUNT, range(1, 13)).run("sequential")
    met = [verdict.point.levels[COUNT] for verdict in every.judge("p99(q.waiting_time) < 5") if verdict.met]
    assert plan.value == met[0]


def test_the_scenario_with_the_answer_in_it(desk: ms.Scenario) -> None:
    plan = _plan(desk, "p99(q.waiting_time) < 5")
    assert plan.scenario == desk.vary(COUNT, plan.value)
    none = _plan(desk, "p99(q.waiting_time) < 5", between=(1, 2))
    with pytest.raises(StudyError, match=r"^No value of workers.w.count from 1 to 2 meets"):
        _ = none.scenario


def test_workers_that_cost_something_have_a_limit(desk: ms.Scenario) -> None:
    """A worker is 720 hours a month."""
    prices = attrs.evolve(load_prices(), worker_hour=1.0)
    plan = _plan(desk, "cost < 3000", want="largest", prices=prices)
    assert plan.value == 4
    assert plan.estimate.value == pytest.approx(4 * 720, rel=0.01)
    assert _plan(desk, "cost < 3000", want="largest").value == 12


def test_the_largest_value(desk: ms.Scenario) -> None:
    plan = _plan(
        desk, "max(q.visible) < 50", find="traffic.t.rate.1.height", between=(0.5, 20.0), want="largest", tolerance=0.5
    )
    assert plan.value is not None
    tried = {trial.value: trial for trial in plan.table}
    above = min(value for value in tried if value > plan.value)
    assert above - plan.value <= 0.5
    assert not tried[above].met
    assert plan.monotone
    assert all(value > plan.value for value in plan.unsure)
    assert "is the largest value" in plan.conclusion


def test_a_bound_may_be_the_answer(desk: ms.Scenario) -> None:
    assert _plan(desk, "total(q.expired) <= 0").value == 1
    assert _plan(desk, "total(q.expired) <= 0", want="largest").value == 12


def test_an_objective_that_no_value_meets(desk: ms.Scenario) -> None:
    plan = _plan(desk, "p99(q.sojourn_time) < 0.5 and total(q.expired) <= 0", between=(1, 3))
    assert plan.value is None
    assert plan.best.value == 3
    assert plan.unsure == []
    assert plan.monotone
    assert plan.estimate == plan.best.verdict.estimates[0]
    assert plan.estimate.value > 0.5
    assert "No value of workers.w.count from 1 to 3 meets" in plan.conclusion
    assert "The best that was tried is 3, with p99(q.sojourn_time) < 0.5: " in plan.conclusion
    assert "expired" not in plan.conclusion.partition("The best")[2], "only what is not met"
    assert plan.conclusion.endswith("That is the highest value allowed; beyond it there may be one.")
    within = attrs.evolve(plan, between=(0, 4))
    assert within.conclusion.endswith("The values that were tried on both sides of it are worse.")
    assert repr(plan) == f"<Plan {COUNT}=none: p99(q.sojourn_time) < 0.5 and total(q.expired) <= 0>"


def test_a_term_that_is_the_same_at_every_value_is_decided_by_something_else(desk: ms.Scenario) -> None:
    plan = _plan(desk, "p50(q.sojourn_time) < 0.01", between=(20, 40))
    assert plan.conclusion.endswith(f"at every value that was tried: something else than {COUNT} decides it.")


def test_what_was_never_measured_has_no_reason(desk: ms.Scenario) -> None:
    plan = _plan(desk, "p99(q.sojourn_time) < 5", between=(1, 2), horizon=1e-6)
    assert plan.conclusion.rpartition(", with ")[2].startswith("p99(q.sojourn_time) < 5: ")
    assert "decides it" not in plan.conclusion
    assert "beyond it" not in plan.conclusion


def test_the_best_of_a_limit_of_nothing(desk: ms.Scenario) -> None:
    """It has no ratio, and some values still come closer to it."""
    plan = _plan(desk, "max(q.visible) <= 0", between=(1, 3))
    assert plan.value is None
    assert plan.best.value == 3
    plan = _plan(desk, "total(q.expired) > 0 and max(q.visible) > 5", between=(1, 3))
    assert plan.best.value == 1, "all are as far from the one term, and the first limit counts"


@pytest.mark.parametrize("op", [">", ">="])
def test_the_best_of_what_should_be_large_is_the_largest(op: str, desk: ms.Scenario) -> None:
    plan = _plan(desk, f"mean(w.utilization) {op} 0.99", between=(2, 9), most=4)
    assert plan.value is None
    assert plan.best.value == 2
    plan = _plan(desk, f"mean(q.waiting_time) {op} 1000 and mean(w.utilization) > 0.01", between=(1, 9), most=4)
    assert plan.best.value == 1, "the worst term decides"


def test_no_value_is_sure(desk: ms.Scenario) -> None:
    value = (
        ms.Experiment(desk, horizon=200.0, replications=4)
        .vary(COUNT, [2])
        .run("sequential")
        .estimate("q", "waiting_time.mean")
        .value
    )
    plan = _plan(desk, f"mean(q.waiting_time) < {value!r}", between=(1, 2))
    assert plan.value is None
    assert plan.unsure == [2]


def test_the_best_of_nothing_to_measure(desk: ms.Scenario) -> None:
    silent = desk.vary("traffic.t.rate", 0.0)
    plan = _plan(silent, "p99(q.sojourn_time) < 0.5", between=(1, 2))
    assert plan.value is None
    assert plan.best.value == 1


def test_what_is_not_monotone_is_said() -> None:
    """Many workers outrun the sending account: throttled emails wait out their visibility timeout."""
    shop = ms.Scenario(
        horizon=200.0,
        queues={"q": ms.Queue(visibility_timeout=60)},
        outboxes={"ses": ms.Outbox(max_send_rate=4)},
        traffic={"t": ms.Traffic(to="q", rate=1 + ms.Spike(at=20.0, height=9.0, hold=20.0))},
        workers={
            "w": ms.Workers(
                queue="q", count=1, batch_size=1, service_time=ms.Fixed(1.0), on_success=[ms.SendEmail(outbox="ses")]
            )
        },
    )
    plan = _plan(shop, "p99(q.sojourn_time) < 58", between=(1, 20))
    assert plan.value is not None
    assert not plan.monotone
    assert "it is not monotone" in plan.conclusion


def test_what_more_replications_may_show(desk: ms.Scenario) -> None:
    estimates = ms.Experiment(desk, horizon=200.0, replications=4).vary(COUNT, [2]).run("sequential")
    value = estimates.estimate("q", "waiting_time.mean").value
    plan = _plan(desk, f"mean(q.waiting_time) < {value * 1.02!r}", most=4)
    assert plan.unsure == [2]
    said = "With 4 replications, the most that were allowed, it could not be told whether 2 will do."
    assert said in plan.conclusion
    assert "not sure" in str(plan)


def test_frame(desk: ms.Scenario) -> None:
    plan = _plan(desk, "p99(q.waiting_time) < 5")
    frame = plan.to_pandas()
    assert list(frame.columns) == [
        COUNT, "replications", "state", "p99(q.waiting_time)", "p99(q.waiting_time) low", "p99(q.waiting_time) high"
    ]  # fmt: skip
    assert len(frame) == len(plan.table)


def test_all_runs_are_one_study(desk: ms.Scenario) -> None:
    plan = _plan(desk, "p99(q.waiting_time) < 5")
    assert [point.levels[COUNT] for point in plan.study.points] == [trial.value for trial in plan.table]
    assert len(plan.study.outcomes) == sum(trial.replications for trial in plan.table)
    again = ms.Experiment(desk, horizon=200.0, replications=4).vary(COUNT, [1]).run("sequential")
    assert again.values("q", "sojourn_time.p99") == plan.study.values("q", "sojourn_time.p99", {COUNT: 1})


def test_it_goes_on_from_a_file(desk: ms.Scenario, tmp_path: object) -> None:
    path = f"{tmp_path}/plan.sqlite"
    first = _plan(desk, "p99(q.waiting_time) < 5", results=path)
    calls: list[tuple[int, int]] = []
    again = _plan(desk, "p99(q.waiting_time) < 5", results=path, progress=lambda *done: calls.append(done))
    assert again.value == first.value
    assert all(done == total for done, total in calls), "nothing was run again"


def _stopped(scenario: ms.Scenario, after: int, **more: object) -> Plan:
    """A plan whose progress wants no more at some call: one before the first run, and one after each."""
    calls = iter(range(1, after + 1))
    with pytest.raises(PlanInterrupted) as raised:
        _plan(scenario, "mean(q.waiting_time) < 0.5", between=(1, 6), progress=lambda *_: next(calls) < after, **more)
    assert isinstance(raised.value, KeyboardInterrupt)
    assert str(raised.value) == raised.value.plan.conclusion
    return raised.value.plan


def test_it_can_be_stopped_before_any_value_was_judged(desk: ms.Scenario) -> None:
    plan = _stopped(desk, 9)
    assert plan.interrupted
    assert plan.value is None
    assert [(trial.replications, trial.state) for trial in plan.table] == [(2, "interrupted")] * 2 + [
        (1, "interrupted")
    ] * 4
    assert not any(trial.met or trial.missed or trial.is_open for trial in plan.table)
    assert plan.conclusion == "Interrupted before any value could be judged."
    assert plan.study.interrupted
    assert " · 4 replications · " in plan.study.summary()
    assert "interrupted, 16 runs missing" in plan.study.summary()


def test_it_can_be_stopped_on_the_way(desk: ms.Scenario) -> None:
    """After the 24 runs of the first looks: in the middle of a second round."""
    plan = _stopped(desk, 28)
    assert plan.value is not None
    assert [trial.finished for trial in plan.table] == [True] * 6
    assert len(plan.study.outcomes) == 26
    assert not plan.study.interrupted
    assert "Interrupted, and not decided. workers.w.count = 5 is the smallest value that was tried" in plan.conclusion
    assert "could not be told" not in plan.conclusion
    with pytest.raises(StudyError, match="Interrupted, and not decided"):
        _ = plan.scenario


def test_it_can_be_stopped_before_there_is_anything_to_show(desk: ms.Scenario) -> None:
    with pytest.raises(KeyboardInterrupt) as raised:
        _plan(desk, "p99(q.waiting_time) < 5", progress=lambda *_: False)
    assert raised.type is KeyboardInterrupt


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"between": (5, 5)}, DeclarationError, "empty range"),
        ({"between": (5,)}, DeclarationError, "not a range"),
        ({"between": "15"}, DeclarationError, "not a range"),
        ({"between": (1, float("inf"))}, DeclarationError, "between"),
        ({"between": (-3, 5)}, DeclarationError, r"workers\.w\.count"),
        ({"find": "workers.v.count"}, UnknownName, "v"),
        ({"find": 3}, DeclarationError, "not a path"),
        ({"such_that": "p99(q.sojourn) < 3"}, UnknownName, "sojourn"),
        ({"such_that": "import os"}, DeclarationError, "objective"),
        ({"want": "cheapest"}, DeclarationError, "smallest, largest"),
        ({"replications": 1}, DeclarationError, "one has no interval"),
        ({"most": 3}, DeclarationError, "most: 3 is not allowed; allowed: 4 or more"),
        ({"confidence": 95}, DeclarationError, "confidence"),
        ({"tolerance": 0}, DeclarationError, "tolerance"),
        ({"warm_up": "mser5"}, DeclarationError, "for each value"),
        ({"find": "workers.w.queue"}, (DeclarationError, StudyError), "queue"),
    ],
)
def test_a_plan_refuses(desk: ms.Scenario, arguments: dict[str, object], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        _plan(desk, **{"such_that": "p99(q.waiting_time) < 5", **arguments})  # type: ignore[arg-type]
