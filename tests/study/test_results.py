import csv
import io
import json
import pickle
import sys
from math import inf, nan
from pathlib import Path
from typing import Any

import attrs
import pytest

import msgsim as ms
from msgsim.errors import AuditError, DeclarationError, MissingExtra, StudyError, UnknownName
from msgsim.study.estimates import holm
from msgsim.study.results import Study

COUNT = "workers.w.count"


@pytest.fixture
def study(desk: ms.Scenario) -> Study:
    return ms.Experiment(desk, replications=4, seed=3, series="q.visible").vary(COUNT, [1, 2, 3]).run("sequential")


def test_the_long_table(study: Study) -> None:
    frame = study.to_pandas()
    assert list(frame.columns) == [COUNT, "replication", "entity", "metric", "value"]
    chosen = frame[(frame[COUNT] == 2) & (frame.entity == "q") & (frame.metric == "sojourn_time.p99")]
    assert list(chosen.value) == list(study.values("q", "sojourn_time.p99", {COUNT: 2}))
    assert list(chosen.replication) == [0, 1, 2, 3]
    rows = list(csv.reader(io.StringIO(study.to_csv())))
    assert rows[0] == list(frame.columns)
    assert len(rows) == len(frame) + 1


def test_frames_are_an_extra(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "msgsim.study.frames", raising=False)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtra, match=r"msgsim\[pandas\]"):
        study.to_pandas()


def test_files(study: Study, tmp_path: Path) -> None:
    assert (tmp_path / "a.csv").write_text("old") == 3
    assert study.to_csv(tmp_path / "a.csv") == (tmp_path / "a.csv").read_text()
    assert study.to_json(tmp_path / "a.json") == (tmp_path / "a.json").read_text()
    with pytest.raises(FileNotFoundError):
        study.to_csv(tmp_path / "no" / "a.csv")


def test_json_has_the_estimates(study: Study) -> None:
    made = json.loads(study.to_json())
    assert made["replications"] == 4
    assert made["points"][1]["at"] == {COUNT: 2}
    found = {(each["entity"], each["metric"]): each for each in made["points"][1]["estimates"]}
    estimate = study.estimate("q", "waiting_time.mean", {COUNT: 2})
    assert found["q", "waiting_time.mean"]["value"] == estimate.value
    assert found["q", "waiting_time.mean"]["high"] == estimate.high
    assert (
        json.loads(
            ms.Experiment(study.experiment.scenario, replications=1)
            .vary("workers.w.service_time", [ms.Fixed(1.0)])
            .run("sequential")
            .to_json()
        )["points"][0]["at"]["workers.w.service_time"]
        == "Fixed(value=1.0)"
    )


def test_it_pickles(study: Study) -> None:
    again = pickle.loads(pickle.dumps(study))  # noqa: S301 - made above
    assert again.to_csv() == study.to_csv()
    assert repr(again) == "<Study of 3 design points, 12 runs, finished>"


def test_text_and_html(study: Study) -> None:
    text = study.summary()
    assert "3 design points · 4 replications" in text
    assert "q.waiting_time.p99" in text
    assert f"\n{COUNT}" in text
    chosen = study.summary([("q", "sent.total")], confidence=0.9)
    assert "q.sent.total" in chosen
    assert "waiting_time" not in chosen
    assert "90 % confidence" in chosen
    assert study._repr_html_().count("<table>") >= 3


def test_a_measure_that_no_point_changes_is_said_once(study: Study) -> None:
    text = study.summary([("q", "sent.total")])
    assert "The same at all design points" in text
    assert "q.sent.total [messages]" in text
    assert COUNT not in text


def test_quantile_over_replications(study: Study) -> None:
    values = sorted(study.values("q", "visible.max", {COUNT: 1}))
    assert study.quantile("q", "visible.max", 0.5, {COUNT: 1}).value == values[1]


def test_names_that_are_not_there(study: Study) -> None:
    with pytest.raises(UnknownName, match="entity"):
        study.values("z", "sent.total", {COUNT: 1})
    with pytest.raises(UnknownName, match=r"of sojourn_time there are: .*sojourn_time\.p99"):
        study.values("q", "sojourn_time.p95", {COUNT: 1})
    with pytest.raises(UnknownName, match="did you mean 'sojourn_time'"):
        study.values("q", "sojurn_time.p99", {COUNT: 1})
    with pytest.raises(UnknownName, match=rf"no design point with .*9.*{COUNT}=1"):
        study.values("q", "sent.total", {COUNT: 9})
    with pytest.raises(UnknownName, match="fits 3 design points"):
        study.values("q", "sent.total")


def test_probability(study: Study) -> None:
    threshold = sorted(study.values("q", "waiting_time.p99", {COUNT: 2}))[1]
    estimate = study.probability(f"p99(q.waiting_time) <= {threshold!r}", {COUNT: 2})
    assert estimate.value == 0.5
    assert 0 < estimate.low < 0.5 < estimate.high < 1


def test_a_verdict_needs_the_whole_interval(study: Study) -> None:
    estimate = study.estimate("q", "waiting_time.mean", {COUNT: 2})
    verdicts = {
        bound: study.judge(f"mean(q.waiting_time) < {bound!r}", {COUNT: 2})[0]
        for bound in (estimate.high * 1.01, estimate.value * 1.01, max(0.0, estimate.low) * 0.99)
    }
    assert [(each.met, each.missed) for each in verdicts.values()] == [(True, False), (False, False), (False, True)]
    assert [str(each).split(": ")[1] for each in verdicts.values()] == ["met", "not sure", "not met"]
    assert len(study.judge("mean(q.waiting_time) < 1")) == 3
    with pytest.raises(UnknownName):
        study.judge("mean(z.waiting_time) < 1")


def _with(study: Study, place: int, key: tuple[str, str], values: list[float]) -> Study:
    """The study, if a design point had had other values of a measure."""
    outcomes = dict(study.outcomes)
    for replication, value in enumerate(values):
        outcome = outcomes[place, replication]
        numbers = outcome.numbers[:]
        numbers[outcome.columns.index(key)] = value
        outcomes[place, replication] = attrs.evolve(outcome, numbers=numbers)
    return attrs.evolve(study, outcomes=outcomes)


def test_a_replication_with_nothing_to_measure_meets_nothing(study: Study) -> None:
    """Workers that are so late that nothing is through have no 99 % quantile, and are not on time."""
    late = _with(study, 1, ("q", "waiting_time.p99"), [1.0, 1.1, 1.2, nan])
    [verdict] = late.judge("p99(q.waiting_time) < 1000", {COUNT: 2})
    assert (verdict.met, verdict.missed) == (False, False)
    assert "not sure" in str(verdict)
    assert "1 without a value" in str(verdict)
    assert late.probability("p99(q.waiting_time) < 1000", {COUNT: 2}).value == 0.75


def test_what_takes_for_ever_in_one_run_is_not_met_for_sure(study: Study) -> None:
    endless = _with(study, 1, ("q", "drain_time.max"), [1.0, 1.1, inf, 1.2])
    [verdict] = endless.judge("max(q.drain_time) < 1000", {COUNT: 2})
    assert (verdict.met, verdict.missed) == (False, True)
    [verdict] = endless.judge("max(q.drain_time) > 0.5", {COUNT: 2})
    assert not verdict.missed


def test_the_cheapest_has_a_cost(study: Study) -> None:
    key = ("*", "cost_per_month.final")
    dear = _with(_with(study, 0, key, [nan] * 4), 1, key, [9.0] * 4)
    found = _with(dear, 2, key, [9.0] * 4).cheapest("total(q.sent) >= 1")
    assert found is not None
    assert found.point.levels == {COUNT: 2}, "the first of those that cost the same"
    for place in range(3):
        dear = _with(dear, place, key, [nan] * 4)
    assert dear.cheapest("total(q.sent) >= 1") is None


def test_texts_in_a_table_are_quoted(desk: ms.Scenario) -> None:
    experiment = ms.Experiment(desk, replications=1, horizon=20.0, measure=lambda _: {'a "b", c': 0.1})
    study = experiment.compare({}, {COUNT: 3}, names=("now", "then, or never")).run("sequential")
    rows = list(csv.reader(io.StringIO(study.to_csv())))[1:]
    assert rows == [[str(cell) for cell in row] for row in study.rows()]
    assert [row[0] for row in rows if row[3] == 'a "b", c'] == ["now", "then, or never"]
    frame = study.to_pandas()
    assert next(frame.itertuples(index=False, name=None))[:4] == next(study.rows())[:4]


def test_the_table_of_no_runs_has_its_columns(study: Study) -> None:
    empty = attrs.evolve(study, outcomes={}, interrupted=True)
    assert list(empty.to_pandas().columns) == [COUNT, "replication", "entity", "metric", "value"]
    assert empty.to_csv() == f"{COUNT},replication,entity,metric,value\n"


class TestCompare:
    def test_pairs_have_common_random_numbers(self, study: Study) -> None:
        comparison = study.compare({COUNT: 1}, {COUNT: 3})
        rows = {(row.entity, row.measure): row for row in comparison.rows}
        row = rows["q", "waiting_time.mean"]
        assert row.difference.value == pytest.approx(row.b.value - row.a.value)
        assert row.difference.value < 0
        adjusted = holm([each.difference.p_value for each in comparison.rows])
        assert [each.p_value for each in comparison.rows] == pytest.approx(adjusted, nan_ok=True)
        assert row.p_value > row.difference.p_value, "adjusted for many comparisons"
        assert rows["w", "utilization.mean"] in comparison.changed
        assert "b - a" in str(comparison)
        assert str(comparison).startswith("from count=1 to count=3: ")
        known = f"{len(comparison.changed)} of {len(comparison.rows)}"
        assert repr(comparison) == f"<Comparison of count=1 and count=3: {known} measures differ>"
        assert "From count=1 (a) to count=3 (b)" in comparison._repr_html_()
        assert "<table>" in comparison._repr_html_()

    def test_chosen_measures(self, study: Study) -> None:
        comparison = study.compare({COUNT: 1}, {COUNT: 3}, [("q", "sent.total")])
        assert [(row.entity, row.measure) for row in comparison.rows] == [("q", "sent.total")]
        assert comparison.rows[0].difference.value == 0
        assert comparison.changed == []

    def test_two_points_need_no_names(self, desk: ms.Scenario) -> None:
        study = ms.Experiment(desk, replications=2, horizon=100.0).compare({}, {COUNT: 3}).run("sequential")
        assert study.compare().a.levels == {"alternative": "a"}

    def test_of_three_points_it_must_be_said(self, study: Study) -> None:
        with pytest.raises(DeclarationError, match="which two of the 3"):
            study.compare()
        with pytest.raises(DeclarationError, match="which two of the 3"):
            study.compare({COUNT: 1})

    def test_only_replications_that_both_have(self, study: Study) -> None:
        outcomes = {place: outcome for place, outcome in study.outcomes.items() if place != (0, 1)}
        comparison = attrs.evolve(study, outcomes=outcomes).compare({COUNT: 1}, {COUNT: 3})
        assert {row.difference.n for row in comparison.rows} == {3}


def test_books_that_do_not_balance_are_said_with_their_run(study: Study) -> None:
    study.audit()
    broken = attrs.evolve(study.outcomes[1, 2], violations=("queue 'q': 3 are missing",))
    with pytest.raises(AuditError, match=rf"replication 2 of design point {COUNT}=2: queue 'q': 3 are missing"):
        attrs.evolve(study, outcomes={**study.outcomes, (1, 2): broken}).audit()


@pytest.fixture
def partial(study: Study) -> Study:
    """Of the first point two runs, of the second one, of the third none."""
    outcomes = {place: study.outcomes[place] for place in ((0, 0), (0, 1), (1, 0))}
    return attrs.evolve(study, outcomes=outcomes, interrupted=True)


@pytest.fixture
def empty(study: Study) -> Study:
    return attrs.evolve(study, outcomes={}, interrupted=True)


class TestInterrupted:
    @pytest.mark.parametrize(
        "ask",
        [
            lambda study, at: study.values("q", "sent.total", at),
            lambda study, at: study.estimate("q", "sent.total", at),
            lambda study, at: study.quantile("q", "sent.total", 0.5, at),
            lambda study, at: study.compare({COUNT: 1}, at),
            lambda study, at: study.compare({COUNT: 1}, at, [("q", "sent.total")]),
            lambda study, at: study.fan("q", "visible", at),
        ],
    )
    def test_what_is_asked_of_a_point_without_runs(self, partial: Study, ask: Any) -> None:
        with pytest.raises(StudyError) as caught:
            ask(partial, {COUNT: 3})
        again = "run the study again, and with its results file it goes on from there"
        assert str(caught.value) == f"no run of design point {COUNT}=3 has finished; {again}"
        assert caught.value.study is partial

    def test_a_verdict_of_a_point_without_runs_is_not_sure(self, partial: Study) -> None:
        objective = "p99(q.waiting_time) < 1000 and total(q.sent) >= 0"
        verdicts = partial.judge(objective)
        assert [verdict.point for verdict in verdicts] == list(partial.points)
        last = verdicts[-1]
        assert not last.met
        assert not last.missed
        assert len(last.lacking) == 2
        assert str(last) == (
            f"{COUNT}=3: not sure: p99(q.waiting_time) < 1000: no run has finished; "
            "total(q.sent) >= 0: no run has finished"
        )
        assert [estimate.n for estimate in last.estimates] == [0, 0]
        assert "n=2" in str(verdicts[0])
        [alone] = partial.judge(objective, {COUNT: 3})
        assert str(alone) == str(last)
        with pytest.raises(UnknownName, match="no entity named 'z'"):
            partial.judge("mean(z.waiting_time) < 1", {COUNT: 3})

    def test_nothing_to_measure_is_not_the_same_as_no_run(self, study: Study) -> None:
        never = _with(study, 2, ("q", "waiting_time.mean"), [nan] * 4)
        [verdict] = never.judge("mean(q.waiting_time) < 1", {COUNT: 3})
        assert str(verdict).endswith("4 without a value)")

    def test_the_cheapest_is_of_those_that_are_known_to_meet_it(self, partial: Study, empty: Study) -> None:
        key = ("*", "cost_per_month.final")
        dear = _with(_with(partial, 0, key, [5.0, 5.0]), 1, key, [1.0])
        found = dear.cheapest("mean(w.count) <= 1000")
        assert found is not None
        assert found.point.levels == {COUNT: 1}, "of the others too little is known"
        assert empty.cheapest("total(q.sent) >= 1") is None

    def test_summaries_say_of_which_points_the_measures_are(self, study: Study, partial: Study) -> None:
        heads = {
            f"Measures of {COUNT}=2\n": {place: study.outcomes[place] for place in ((1, 0), (1, 1))},
            "The same at all design points with runs\n": {place: study.outcomes[place] for place in ((0, 0), (1, 0))},
            "The same at all design points\n": study.outcomes,
        }
        for head, outcomes in heads.items():
            text = attrs.evolve(partial, outcomes=outcomes).summary([("q", "sent.total")])
            assert [other for other in heads if other in text] == [head]

    def test_summaries_name_the_points_without_runs(self, partial: Study, empty: Study) -> None:
        text = partial.summary()
        assert f"interrupted, 9 runs missing\n\nNo run has finished of 1 design point:\n  {COUNT}=3\n\nq." in text
        assert (
            f"<p>No run has finished of 1 design point:</p><ul><li>{COUNT}=3</li></ul><table>" in partial._repr_html_()
        )
        assert empty.summary().endswith(
            f"No run has finished of 3 design points:\n  {COUNT}=1\n  {COUNT}=2\n  {COUNT}=3\n"
        )
        assert empty.summary([("q", "sent.total")]) == empty.summary()

    def test_one_point_more_than_are_named(self, partial: Study) -> None:
        bare = [attrs.evolve(partial.points[2], levels={COUNT: number}) for number in range(3, 15)]
        for points, last in ((bare[:10], f"{COUNT}=12"), (bare[:11], "and 1 more")):
            text = attrs.evolve(partial, points=(*partial.points[:2], *points)).summary()
            assert f"of {len(points)} design points:" in text
            assert f"\n  {last}\n\n" in text

    def test_what_is_left_of_the_others(self, partial: Study, empty: Study) -> None:
        assert partial.measured({COUNT: 3}) == empty.measured({COUNT: 1}) == []
        assert partial.series("q", "visible", {COUNT: 3})[1] == []
        assert partial.probability("total(q.sent) > 1", {COUNT: 3}).n == 0
        assert empty.front(("q", "sent.total"), ("w", "count.mean")) == []
        assert repr(empty) == "<Study of 3 design points, 0 runs, interrupted>"
        known = [row[0] for row in partial.front(("q", "sent.total"), ("w", "count.mean"))]
        assert known
        assert all(point in partial.points[:2] for point in known)

    def test_there_is_no_picture_of_nothing(self, empty: Study) -> None:
        for draw in (
            lambda: empty.plot("q", "sent.total"),
            lambda: empty.plot_front(("q", "sent.total"), ("w", "count.mean")),
        ):
            with pytest.raises(StudyError, match="no run has finished, and there is nothing to draw") as caught:
                draw()
            assert caught.value.study is empty


def test_a_summary_of_what_is_not_there_is_refused(study: Study) -> None:
    with pytest.raises(UnknownName, match=r"of sojourn_time there are: .*sojourn_time\.p99"):
        study.summary([("q", "sent.total"), ("q", "sojourn_time.p95")])
    with pytest.raises(UnknownName, match="no entity named 'z'"):
        study.summary([("z", "sent.total")])


def test_nothing_is_no_number(study: Study) -> None:
    columns = study.outcomes[0, 0].columns
    place = columns.index(("q", "waiting_time.mean"))
    numbers = study.outcomes[0, 0].numbers[:]
    numbers[place] = nan
    changed = attrs.evolve(
        study, outcomes={**study.outcomes, (0, 0): attrs.evolve(study.outcomes[0, 0], numbers=numbers)}
    )
    estimate = changed.estimate("q", "waiting_time.mean", {COUNT: 1})
    assert (estimate.n, estimate.missing) == (3, 1)


def test_the_front(desk: ms.Scenario) -> None:
    experiment = ms.Experiment(desk, replications=2, horizon=100.0, measure=lambda run: {"pay": run.mean("w", "count")})
    study = experiment.vary(COUNT, [1, 2, 3]).vary("queues.q.visibility_timeout", [30, 0.5]).run("sequential")
    wait, pay = ("q", "sojourn_time.mean"), ("*", "pay")
    rows = study.front(pay, wait)
    assert [row[0].levels[COUNT] for row in rows] == sorted(row[0].levels[COUNT] for row in rows)
    for point, cost, time in rows:
        beaten = [
            other
            for other in study.points
            if study.estimate(*pay, other.levels).value <= cost and study.estimate(*wait, other.levels).value < time
        ]
        assert beaten == [], point
    [axes] = study.plot_front(pay, wait).axes
    assert len(axes.texts) == len(rows)
    assert axes.get_xlabel() == "pay"
    assert axes.get_ylabel() == "q.sojourn_time.mean [s]"
    [axes] = study.plot_front(
        ("q", "visible.max"), wait, objective="mean(q.sojourn_time) < 3 and max(q.visible) < 9"
    ).axes
    limits = {str(line.get_label()): line for line in axes.lines}
    assert list(limits["mean(q.sojourn_time) < 3"].get_ydata()) == [3, 3]
    assert list(limits["max(q.visible) < 9"].get_xdata()) == [9, 9]
    with pytest.raises(DeclarationError, match="two or more"):
        study.front(wait)


def test_the_cheapest_that_meets_an_objective(study: Study) -> None:
    every = study.judge("total(q.sent) >= 1")
    costs = [study.estimate("*", "cost_per_month.final", each.point.levels).value for each in every]
    found = study.cheapest("total(q.sent) >= 1")
    assert found is not None
    assert study.estimate("*", "cost_per_month.final", found.point.levels).value == min(costs)
    idle = study.cheapest("total(q.sent) >= 1", ("w", "utilization.mean"))
    assert idle is not None
    assert idle.point.levels == {COUNT: 3}
    assert study.cheapest("total(q.sent) < 1") is None


@pytest.mark.parametrize("given", ["q.sent.total", ("q", "sent", "total"), ("q",), ("q", 3), 3])
def test_what_is_no_measure(study: Study, given: Any) -> None:
    with pytest.raises(DeclarationError, match=r"is not a measure; allowed: \(entity, measure\)"):
        study.summary([given])
    with pytest.raises(DeclarationError, match="is not a measure"):
        study.compare({COUNT: 1}, {COUNT: 2}, [given])
    with pytest.raises(DeclarationError, match="is not a measure"):
        study.cheapest("total(q.sent) >= 1", given)
    with pytest.raises(DeclarationError, match="is not a measure"):
        study.front(given, ("q", "sent.total"))


@pytest.mark.parametrize("given", ["q.sent.total", 3])
def test_what_is_no_list_of_measures(study: Study, given: Any) -> None:
    with pytest.raises(DeclarationError, match="is not a list of measures"):
        study.summary(given)


@pytest.mark.parametrize("at", [3, [1], "1"])
def test_what_tells_no_design_point_apart(study: Study, at: Any) -> None:
    with pytest.raises(DeclarationError, match="is not values by path"):
        study.estimate("q", "sent.total", at)


def test_a_confidence_reaches_every_interval(study: Study) -> None:
    at, objective = {COUNT: 2}, "mean(q.waiting_time) < 1"
    [row] = study.compare({COUNT: 1}, at, [("q", "waiting_time.mean")], confidence=0.5).rows
    assert row.a == study.estimate("q", "waiting_time.mean", {COUNT: 1}, confidence=0.5)
    assert row.b == study.estimate("q", "waiting_time.mean", at, confidence=0.5)
    assert row.difference.confidence == 0.5
    assert study.quantile("q", "visible.max", 0.5, at, confidence=0.5).confidence == 0.5
    assert study.probability(objective, at, confidence=0.5).confidence == 0.5
    assert study.judge(objective, at, confidence=0.5)[0].estimates == (row.b,)
    point = json.loads(study.to_json(confidence=0.5))["points"][1]
    [found] = [each for each in point["estimates"] if (each["entity"], each["metric"]) == ("q", "waiting_time.mean")]
    assert (found["low"], found["high"]) == (row.b.low, row.b.high)


def test_the_difference_is_of_the_second_from_the_first(study: Study) -> None:
    comparison = study.compare({COUNT: 3}, {COUNT: 1}, [("w", "count.mean"), ("q", "sent.total")])
    row = comparison.rows[0]
    assert (row.a.value, row.b.value, row.difference.value) == (3, 1, -2)
    assert comparison.changed == [row]
