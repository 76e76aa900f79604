"""What stands in the pictures of studies."""

import attrs
import pytest
from matplotlib.axes import Axes

import msgsim as ms
from msgsim.study.objectives import parse
from msgsim.study.pictures import _ticks, front_chart
from msgsim.study.results import Study

COUNT = "workers.w.count"


@pytest.fixture
def study(desk: ms.Scenario) -> Study:
    return (
        ms.Experiment(desk, replications=3, series="q.visible", horizon=150.0).vary(COUNT, [1, 2, 12]).run("sequential")
    )


def _labels(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()] if axes.get_legend() else []


def test_a_varied_number_makes_a_curve(study: Study) -> None:
    [axes] = study.plot("q", "waiting_time.p99", objective="p99(q.waiting_time) < 20").axes
    line = axes.lines[0]
    assert list(line.get_xdata()) == [1, 2, 12]
    assert list(line.get_ydata()) == [study.estimate("q", "waiting_time.p99", {COUNT: n}).value for n in (1, 2, 12)]
    assert _labels(axes) == ["p99(q.waiting_time) < 20"]
    assert axes.get_xscale() == "log"
    assert axes.get_xlabel() == COUNT
    assert axes.get_ylabel() == "s"


@pytest.mark.parametrize("values", [[1.5, 2.0, 2.5], [1.0, 2.0, 3.0]])
def test_numbers_close_together_have_an_even_axis(desk: ms.Scenario, values: list[float]) -> None:
    study = ms.Experiment(desk, replications=2, horizon=50.0).vary("traffic.t.rate", values).run("sequential")
    [axes] = study.plot("q", "sent.total").axes
    assert axes.get_xscale() == "linear"


def test_anything_else_makes_a_forest(desk: ms.Scenario) -> None:
    study = (
        ms.Experiment(desk, replications=3, horizon=100.0)
        .compare({}, {COUNT: 3}, names=("now", "then"))
        .run("sequential")
    )
    [axes] = study.plot("q", "visible.max", objective="max(q.visible) < 9").axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["now", "then"]
    assert axes.get_xlabel() == "messages"
    assert len(_labels(axes)) == 1
    single = ms.Experiment(desk, replications=1, horizon=100.0, measure=lambda _: {"mine": 3.0}).run("sequential")
    [axes] = single.plot("*", "mine").axes
    assert axes.get_xlabel() == ""


def test_two_numbers_make_a_curve_for_each_value_of_the_one_with_fewer(desk: ms.Scenario) -> None:
    experiment = ms.Experiment(desk, replications=2, horizon=50.0)
    study = experiment.vary("workers.w.batch_size", [10, 1]).vary(COUNT, [3, 1, 2]).run("sequential")
    [axes] = study.plot("q", "visible.max").axes
    assert _labels(axes) == ["batch_size=10", "batch_size=1"]
    assert axes.get_xlabel() == COUNT
    for batch_size, curve in zip((10, 1), axes.containers, strict=True):
        points = [{COUNT: count, "workers.w.batch_size": batch_size} for count in (1, 2, 3)]
        line = curve.lines[0]  # type: ignore[attr-defined]
        assert list(line.get_xdata()) == [1, 2, 3]
        assert list(line.get_ydata()) == [study.estimate("q", "visible.max", at).value for at in points]
    assert axes.get_ylim()[0] == 0


def test_negative_numbers_are_not_cut_off(desk: ms.Scenario) -> None:
    experiment = ms.Experiment(
        desk, replications=2, horizon=20.0, measure=lambda run: {"gain": -run.mean("w", "count")}
    )
    [axes] = experiment.vary(COUNT, [1, 2, 3]).run("sequential").plot("*", "gain").axes
    assert axes.get_ylim()[0] < -3


def test_too_many_curves_are_a_forest(desk: ms.Scenario) -> None:
    experiment = ms.Experiment(desk, replications=2, horizon=20.0)
    few = experiment.vary(COUNT, [1, 2]).vary("workers.w.batch_size", [1, 10]).run("sequential")
    many = experiment.vary(COUNT, range(1, 7)).vary("workers.w.batch_size", range(1, 7)).run("sequential")
    for study in (few, many):
        [axes] = study.plot("q", "sent.total").axes
        names = [label.get_text() for label in axes.get_yticklabels()]
        assert names[:2] == ["count=1, batch_size=1", f"count=1, batch_size={10 if study is few else 2}"]
        assert len(names) == len(study.points)


def test_what_has_no_value_is_left_out(study: Study) -> None:
    place = study.outcomes[0, 0].columns.index(("q", "waiting_time.p99"))
    outcomes = dict(study.outcomes)
    for replication in range(3):
        numbers = outcomes[0, replication].numbers[:]
        numbers[place] = float("nan")
        outcomes[0, replication] = attrs.evolve(outcomes[0, replication], numbers=numbers)
    [axes] = attrs.evolve(study, outcomes=outcomes).plot("q", "waiting_time.p99").axes
    assert list(axes.lines[0].get_xdata()) == [2, 12]
    two = attrs.evolve(
        study, points=study.points[:2], outcomes={key: each for key, each in outcomes.items() if key[0] < 2}
    )
    [axes] = two.plot("q", "waiting_time.p99").axes
    assert len(axes.get_yticklabels()) == 2


def test_what_is_infinite_is_not_on_a_picture_of_the_front() -> None:
    points = [("a", 1.0, float("inf"), True), ("b", 2.0, 3.0, True), ("c", 3.0, float("nan"), False)]
    [axes] = front_chart(points, ("USD", "s")).axes
    assert [text.get_text() for text in axes.texts] == ["b"]


def test_a_fan_holds_its_median(study: Study) -> None:
    [axes] = study.fan("q", "visible", {COUNT: 1}).axes
    _, replications = study.series("q", "visible", {COUNT: 1})
    assert list(axes.lines[0].get_ydata()) == [sorted(values)[1] for values in zip(*replications, strict=True)]
    assert _labels(axes) == ["90 % of 3 replications", "50 % of 3 replications", "median"]
    assert axes.get_xlabel() == "simulated time [min]"


def test_a_planners_curve(desk: ms.Scenario) -> None:
    plan = ms.plan(
        desk,
        find=COUNT,
        between=(1, 8),
        such_that="mean(q.waiting_time) < 0.4 and max(q.visible) < 60",
        horizon=200.0,
        replications=3,
        executor="sequential",
    )
    rows = plan.plot().axes
    assert [row.get_title(loc="left") for row in rows] == ["mean(q.waiting_time)", "max(q.visible)"]
    assert f"answer: {plan.value}" in _labels(rows[0])
    assert "limit: < 60" in _labels(rows[1])
    assert rows[0].get_yscale() == "symlog", "the limit would be lost at the foot"
    none = attrs.evolve(plan, value=None, table=[trial for trial in plan.table if not trial.met])
    assert not any(label.startswith("answer") for label in _labels(none.plot().axes[0]))


def test_each_term_of_a_plan_has_its_own_colours(desk: ms.Scenario) -> None:
    plan = ms.plan(
        desk,
        find=COUNT,
        between=(1, 4),
        such_that="max(q.visible) < 9 and total(q.expired) <= 0",
        horizon=200.0,
        replications=3,
        most=3,
        executor="sequential",
    )
    waiting, expired = plan.plot().axes
    assert _labels(waiting)[:-1] == ["not sure"]
    assert _labels(expired)[:-1] == ["met"]
    assert {trial.state for trial in plan.table} == {"not sure"}


def test_a_front() -> None:
    points = [("a", 1.0, 9.0, True), ("b", 2.0, 9.0, False), ("c", 3.0, 4.0, True)]
    [axes] = front_chart(points, ("USD", "s")).axes
    assert [text.get_text() for text in axes.texts] == ["a", "c"]
    assert _labels(axes) == ["beaten", "front"]
    assert front_chart([], ("USD", "s")).axes[0].get_xlabel() == "USD"


def test_a_limit_at_the_foot_of_a_front_has_room() -> None:
    [term] = parse("p99(q.sojourn_time) < 10").terms
    points = [("a", 1.0, 900.0, True), ("b", 2.0, 950.0, False), ("c", 3.0, 4.0, True)]
    [axes] = front_chart(points, ("USD", "s"), [(1, term)]).axes
    assert axes.get_yscale() == "symlog"
    [axes] = front_chart(points, ("USD", "s"), [(0, term)]).axes
    assert axes.get_yscale() == "linear"


def test_labels_of_a_front_have_room_or_are_left_out() -> None:
    crowd = [(f"one of many labels, {place}", 1 + place / 1000, 2 - place / 1000, True) for place in range(40)]
    [axes] = front_chart([*crowd, ("far away, where the picture ends", 9.0, 1.0, True)], ("USD", "s")).axes
    shown = [text.get_text() for text in axes.texts]
    assert 2 < len(shown) < 20
    assert shown[0] == "one of many labels, 0"
    assert shown[-1] == "far away, where the picture ends"
    assert axes.texts[0].get_horizontalalignment() == "left"
    assert axes.texts[-1].get_horizontalalignment() == "right"


def test_ticks_leave_room_for_their_labels() -> None:
    assert _ticks([1, 2, 5, 10, 11, 12, 13, 23, 50]) == [1, 2, 5, 10, 13, 23, 50]
