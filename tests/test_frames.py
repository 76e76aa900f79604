import sys

import numpy as np
import pandas as pd
import pytest

import msgsim as ms
from msgsim.errors import MissingExtra, UnknownName
from msgsim.frames import frame
from msgsim.metrics import CATALOGUE, SAMPLE
from msgsim.run import Run


@pytest.fixture(scope="module")
def run() -> Run:
    scenario = ms.Scenario(
        topics={"t": ms.Topic(subscriptions=(ms.Subscription(endpoint="q"),))},
        queues={"q": ms.Queue()},
        traffic={"source": ms.Traffic(to="t", rate=2)},
        workers={"w": ms.Workers(queue="q", count=1, service_time=0.3)},
    )
    return ms.simulate(scenario, until=60, seed=5, probe=7)


def test_a_frame_of_one_entity_has_a_column_per_metric(run: Run) -> None:
    made = frame(run, "q")
    assert made.index.name == "time"
    assert made.index.tolist() == run.times.tolist() == [0, 7, 14, 21, 28, 35, 42, 49, 56, 60]
    assert made.columns.name == "metric"
    assert made.columns.tolist() == [metric.name for metric in CATALOGUE["queue"].values() if metric.shape != SAMPLE]
    for metric in made.columns:
        assert made[metric].tolist() == run.series("q", metric)[1].tolist()
    assert made["sent"].iloc[-1] == run.total("q", "sent")


def test_a_frame_of_all_has_two_levels(run: Run) -> None:
    made = run.to_pandas()
    assert list(made.columns.names) == ["entity", "metric"]
    assert made.columns.get_level_values("entity").unique().tolist() == list(run.records)
    for entity in run.records:
        pd.testing.assert_frame_equal(pd.DataFrame(made[entity]), run.to_pandas(entity))
    assert made["t/q", "delivered"].iloc[-1] == run.total("t/q", "delivered")


def test_counts_are_whole_numbers(run: Run) -> None:
    made = frame(run, "q")
    assert made["sent"].dtype == made["visible"].dtype == np.int64
    assert made["age_of_oldest_message"].dtype == np.float64


def test_changing_a_frame_leaves_the_run_alone(run: Run) -> None:
    before = run.to_json()
    made = frame(run, "q")
    made.loc[:, "sent"] = -1
    made["visible"].to_numpy(copy=True)[0] = 9
    made.index.to_numpy(copy=True)[0] = 9
    assert run.to_json() == before


def test_an_empty_scenario_has_times_and_no_columns() -> None:
    made = frame(ms.simulate(ms.Scenario(), until=10, probe=5))
    assert made.index.tolist() == [0, 5, 10]
    assert list(made.columns.names) == ["entity", "metric"]
    assert made.shape == (3, 0)


def test_an_unknown_entity_is_named(run: Run) -> None:
    with pytest.raises(UnknownName, match="no entity named 'qq'"):
        frame(run, "qq")


def test_without_pandas_the_extra_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "msgsim.frames")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtra, match=r"msgsim\[pandas\]"):
        run.to_pandas()
