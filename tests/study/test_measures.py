"""What a study keeps of a run is what the run says, statistic by statistic."""

from array import array
from math import isnan

import pytest

import msgsim as ms
from msgsim.metrics import CATALOGUE
from msgsim.study import measures as module
from msgsim.study.measures import measures
from msgsim.study.vocabulary import OFFERED


def _same(one: float, other: float) -> bool:
    return one == other or (isnan(one) and isnan(other))


@pytest.mark.parametrize("length", [0.0, 30.0])
@pytest.mark.parametrize("delay", [0.0, 0.5])
def test_each_measure_is_the_statistic_of_the_run(desk: ms.Scenario, delay: float, length: float) -> None:
    desk = desk.vary("queues.q.delay", delay)
    run = ms.simulate(desk, until=60, seed=3, warm_up=length)
    found = measures(run)
    for entity, record in run.records.items():
        for metric in CATALOGUE[record.table].values():
            for statistic in OFFERED[metric.shape]:
                value = found[entity, f"{metric.name}.{statistic}"]
                assert isinstance(value, float)
                assert _same(value, run.stat(entity, metric.name, statistic)), (entity, metric.name, statistic)


def test_samples_that_are_the_same_are_looked_at_once(desk: ms.Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    statistics = ms.Run.statistics

    def counted(run: ms.Run, entity: str, metric: str) -> dict[str, float]:
        asked.append(metric)
        return statistics(run, entity, metric)

    monkeypatch.setattr(ms.Run, "statistics", counted)
    measures(ms.simulate(desk, until=60, seed=3))
    assert asked.count("sojourn_time") == 1
    assert "end_to_end_time" not in asked
    assert {"waiting_time", "sent", "received", "visible"} < set(asked)


@pytest.mark.parametrize(
    ("others", "alike"),
    [
        ([0.5, 2.0, 1.0], True),
        (None, False),
        ([], False),
        ([0.5, 2.0], False),
        ([0.5, 2.0, 1.5], False),
        ([0.5, 2.5, 1.0], False),
    ],
)
def test_what_is_the_same(others: list[float] | None, alike: bool) -> None:
    given = None if others is None else array("d", others)
    assert module._alike(array("d", [0.5, 2.0, 1.0]), given) is alike


def test_names_are_one_text_for_all_entities_and_runs(desk: ms.Scenario) -> None:
    one, other = (measures(ms.simulate(desk, until=20, seed=seed)) for seed in (1, 2))
    assert [*one] == [*other]
    assert all(first[1] is second[1] for first, second in zip(one, other, strict=True))
