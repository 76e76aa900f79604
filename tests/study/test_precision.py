"""A study that ends before a measure is known well enough says where, what was wanted and what it would take."""

import json
import pickle
from collections.abc import Mapping, Sequence
from math import inf, nan
from typing import Any

import attrs
import pytest

import msgsim as ms
from msgsim.study.design import Point
from msgsim.study.estimates import mean_interval
from msgsim.study.overview import SHOWN
from msgsim.study.precision import Precision, Shortfall
from msgsim.study.results import Study

COUNT = "workers.w.count"
WAIT = ("q", "waiting_time.mean")


@pytest.fixture
def short(desk: ms.Scenario) -> Study:
    experiment = ms.Experiment(desk, replications=3, horizon=50.0).vary(COUNT, [2, 3])
    return experiment.stop_when(*WAIT, relative=0.001, most=7).run("sequential")


def shortfall(values: Sequence[float], target: float, levels: Mapping[str, Any] | None = None) -> Shortfall:
    return Shortfall(Point(levels or {COUNT: 2}, ms.Scenario(horizon=1.0)), mean_interval(values), target)


def test_the_study_says_so_in_every_way_that_it_shows_itself(short: Study) -> None:
    assert [each.point for each in short.imprecise] == list(short.points)
    for each in short.imprecise:
        assert each.estimate == short.estimate(*WAIT, each.point.levels)
        assert each.target == 0.001 * each.estimate.value < each.estimate.half_width
    head = (
        "Not as precise as wanted after 7 replications, the most allowed: q.waiting_time.mean within 0.1 % of its mean"
    )
    text = short.summary([("q", "sent.total")])
    assert f"\n\n{head} (95 %)\n  {COUNT}=2: {short.imprecise[0].estimate}: ± " in text
    assert f"\n  {short.imprecise[1]}\n\n" in text
    assert f"<p>{head} (95 %)</p><ul><li>{COUNT}=2: " in short._repr_html_()
    assert repr(short) == "<Study of 2 design points, 14 runs, finished, not as precise as wanted>"
    written = json.loads(short.to_json())["imprecise"]
    assert [each["at"] for each in written] == [{COUNT: 2}, {COUNT: 3}]
    first = short.imprecise[0]
    assert written[0] == {
        "at": {COUNT: 2},
        "value": first.estimate.value,
        "low": first.estimate.low,
        "high": first.estimate.high,
        "target": first.target,
        "required": first.required,
        "n": 7,
    }
    assert pickle.loads(pickle.dumps(short)).imprecise == short.imprecise  # noqa: S301 - made above


def test_only_the_points_that_fall_short_are_named(desk: ms.Scenario) -> None:
    experiment = ms.Experiment(desk, replications=2, horizon=50.0).vary(COUNT, [2, 9])
    study = experiment.stop_when(*WAIT, relative=0.0, absolute=0.01, most=3).run("sequential")
    assert [each.point.levels for each in study.imprecise] == [{COUNT: 2}]
    assert "q.waiting_time.mean within 0.01 (95 %)\n  workers.w.count=2" in study.summary()


def test_a_study_that_reached_it_or_was_interrupted_says_nothing_of_it(desk: ms.Scenario) -> None:
    experiment = ms.Experiment(desk, replications=3, horizon=50.0)
    reached = experiment.stop_when(*WAIT, relative=5.0).run("sequential")
    stopped = experiment.stop_when(*WAIT, relative=0.001).run("sequential", progress=lambda done, _: done < 5)
    for study in (reached, stopped, experiment.run("sequential")):
        assert study.imprecise == ()
        assert json.loads(study.to_json())["imprecise"] == []
        assert "precise" not in study.summary()
        assert "precise" not in repr(study)
        assert "precise" not in study._repr_html_()
    assert stopped.interrupted


def test_it_ends_before_the_most_if_no_number_would_do(desk: ms.Scenario) -> None:
    experiment = ms.Experiment(desk, replications=2, horizon=50.0, measure=lambda _: {"endless": inf})
    study = experiment.stop_when("*", "endless", most=50).run("sequential")
    assert study.experiment.replications == 2
    assert "wanted after 2 replications: *.endless within 5 % of its mean (95 %)\n" in study.summary()
    assert str(study.imprecise[0]).endswith("no number of replications gives an interval")


def test_of_many_points_the_first_are_named(short: Study) -> None:
    many = attrs.evolve(short, imprecise=short.imprecise * SHOWN)
    assert f"  and {SHOWN} more\n" in many.summary()
    assert many.summary().count(str(short.imprecise[0])) == SHOWN // 2
    just = attrs.evolve(short, imprecise=short.imprecise * (SHOWN // 2))
    assert "more\n" not in just.summary()


@pytest.mark.parametrize(
    ("values", "target", "said", "required"),
    [
        ([1.0, 2.0, 3.0], 0.5, "2.0 [-0.5, 4.5] (95 %, n=3): ± 2.48, not 0.5; about 75 replications would do", 75),
        ([1.0, 3.0], 0.0, "2 [-11, 15] (95 %, n=2): ± 12.7, not 0; no number would do", inf),
        ([1.0, 3.0], 1e-12, "2 [-11, 15] (95 %, n=2): ± 12.7, not 1e-12; no number would do", None),
        ([2.0], 0.5, "2 [-inf, inf] (95 %, n=1): there is no interval of so few values", inf),
        ([nan, nan], nan, "nan [-inf, inf] (95 %, n=0, 2 without a value): there is no interval of so few values", inf),
        ([1.0, inf], inf, "inf [-inf, inf] (95 %, n=2): no number of replications gives an interval", inf),
    ],
)
def test_what_is_said_of_one_point(values: list[float], target: float, said: str, required: float | None) -> None:
    short = shortfall(values, target)
    assert str(short) == f"{COUNT}=2: {said}"
    if required is not None:
        assert short.required == required
    written = json.loads(json.dumps(short.to_dict(), allow_nan=False))
    assert written["n"] == short.estimate.n
    assert (written["required"] is None) == (short.required == inf)


@pytest.mark.parametrize(
    ("relative", "absolute", "said"),
    [
        (0.05, 0.0, "5 % of its mean"),
        (0.0, 0.25, "0.25"),
        (0.001, 2.0, "0.1 % of its mean or 2"),
        (0.0, 0.0, "0"),
    ],
)
def test_what_is_wanted_in_words(relative: float, absolute: float, said: str) -> None:
    wanted = Precision(*WAIT, relative=relative, absolute=absolute, confidence=0.9)
    assert str(wanted) == f"q.waiting_time.mean within {said} (90 %)"


def test_what_is_wanted_if_nothing_is_said(desk: ms.Scenario) -> None:
    wanted = ms.Experiment(desk).stop_when(*WAIT).precision
    assert wanted == Precision(*WAIT)
    assert str(wanted) == "q.waiting_time.mean within 5 % of its mean (95 %)"
    assert wanted.most == 1000


def test_what_is_just_precise_enough_is(desk: ms.Scenario) -> None:
    experiment = ms.Experiment(desk, replications=2, horizon=20.0)
    for relative, absolute in ((0.0, 0.0), (0.05, 0.0)):
        study = experiment.stop_when("w", "count.mean", relative=relative, absolute=absolute).run("sequential")
        assert study.imprecise == ()
    half = experiment.run("sequential").estimate(*WAIT).half_width
    assert experiment.stop_when(*WAIT, relative=0.0, absolute=half, most=2).run("sequential").imprecise == ()
