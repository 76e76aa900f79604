import csv
import io
import json
import pickle
import pickletools
import sys
from array import array
from collections.abc import Callable
from fractions import Fraction
from math import ceil, fsum, isnan
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import msgsim as ms
from msgsim.engine.handlers import LostHandler
from msgsim.errors import AuditError, DeclarationError, HandlerError, UnknownName
from msgsim.metrics import CATALOGUE, COUNTER, GAUGE, SAMPLE, STATISTICS, Record
from msgsim.run import _OFFERED, Run

SCENARIO = ms.Scenario(
    title="Orders",
    topics={"orders": ms.Topic(subscriptions=(ms.Subscription(endpoint="emails"),))},
    queues={"emails": ms.Queue(visibility_timeout=10), "idle": ms.Queue()},
    outboxes={"ses": ms.Outbox(max_send_rate=4, delivery_delay=1)},
    traffic={"shop": ms.Traffic(to="orders", rate=3)},
    workers={
        "mailers": ms.Workers(
            queue="emails", count=2, service_time=ms.Exponential(0.5), on_success=[ms.SendEmail(outbox="ses")]
        )
    },
)
WARM_UP = 12.5


@pytest.fixture(scope="module")
def run() -> Run:
    return ms.simulate(SCENARIO, until=60, seed=4, warm_up=WARM_UP, probe=2)


def made(*, times: list[float] | None = None, warm_up: float = 0, **rows: list[float]) -> Run:
    """A run of one queue `q` with some of its rows; those of samples are `waiting_time` and the like."""
    shapes = {name: CATALOGUE["queue"][name].shape for name in rows}
    series = {name: array("d", row) for name, row in rows.items() if shapes[name] != SAMPLE}
    samples = {name: array("d", row) for name, row in rows.items() if shapes[name] == SAMPLE}
    times = [0.0, 1.0] if times is None else times
    return Run(
        scenario=SCENARIO,
        seed=0,
        replication=0,
        until=times[-1],
        warm_up=warm_up,
        probe=1,
        times=array("d", times),
        records={"q": Record("queue", series, {}, samples)},
    )


# ---------------------------------------------------------------- numbers


def test_totals_cover_everything_and_finals_are_the_last_values(run: Run) -> None:
    whole = ms.simulate(SCENARIO, until=60, seed=4, probe=2)
    for entity, metric in (("emails", "sent"), ("emails", "deleted"), ("ses", "accepted"), ("shop", "arrivals")):
        total = run.total(entity, metric)
        assert isinstance(total, int)
        assert total == whole.total(entity, metric) == run.final(entity, metric) == run.series(entity, metric)[1][-1]
    assert run.final("emails", "visible") == run.series("emails", "visible")[1][-1]
    assert run.total("idle", "sent") == 0


def test_series_are_at_the_probes(run: Run) -> None:
    times, values = run.series("emails", "visible")
    assert times.tolist() == list(range(0, 61, 2))
    assert len(values) == len(times)
    assert run.kind("emails") == "queue"


def test_the_mean_of_samples_is_exact(run: Run) -> None:
    samples = run.samples("emails", "sojourn_time")
    assert len(samples) > 100
    assert run.mean("emails", "sojourn_time") == fsum(samples) / len(samples)
    assert made(waiting_time=[1e16, 1.0, -1e16, 1.0]).mean("q", "waiting_time") == 0.5


def test_there_is_no_mean_of_nothing(run: Run) -> None:
    assert isnan(run.mean("idle", "waiting_time"))
    assert isnan(run.quantile("idle", "waiting_time", 0.5))
    assert run.mean("idle", "visible") == 0


def test_a_gauge_that_is_only_sampled_is_averaged_over_time_between_probes() -> None:
    times, ages = [0.0, 1.0, 3.0, 4.0, 8.0], [7.0, 2.0, 4.0, 1.0, 100.0]
    held = [7 * 1, 2 * 2, 4 * 1, 1 * 4]
    assert made(times=times, age_of_oldest_message=ages).mean("q", "age_of_oldest_message") == sum(held) / 8
    late = made(times=times, age_of_oldest_message=ages, warm_up=2.5)
    assert late.mean("q", "age_of_oldest_message") == (2 * 0.5 + 4 * 1 + 1 * 4) / 5.5
    never = made(times=times, age_of_oldest_message=ages, warm_up=8)
    assert isnan(never.mean("q", "age_of_oldest_message"))


def ranked(values: list[float], q: str) -> float:
    """The smallest value that at least a share `q` does not exceed, by counting."""
    needed = ceil(Fraction(q) * len(values))
    return min(value for value in values if sum(other <= value for other in values) >= needed)


shares = st.integers(0, 10_000).map(lambda n: f"{n / 10_000:.4f}")


@given(st.lists(st.integers(0, 9) | st.floats(0, 9), min_size=1, max_size=40), shares)
def test_a_quantile_is_an_order_statistic(values: list[float], q: str) -> None:
    found = made(sojourn_time=values).quantile("q", "sojourn_time", float(q))
    assert found == ranked([float(value) for value in values], q)


@pytest.mark.parametrize(("q", "rank"), [(0, 1), (0.07, 7), (0.01, 1), (0.011, 2), (0.57, 57), (0.99, 99), (1, 100)])
def test_a_share_of_a_hundred_is_that_many(q: float, rank: int) -> None:
    shuffled = [float(n * 37 % 101) for n in range(1, 101)]
    assert made(waiting_time=shuffled).quantile("q", "waiting_time", q) == rank


def test_order_is_the_same_with_numpy_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    values = [0.3, 0.1, 2.0**-1074, 0.0, 1e300, 0.2, 0.1]
    found = []
    for modules in (sys.modules | {"numpy": np}, {name: each for name, each in sys.modules.items() if name != "numpy"}):
        monkeypatch.setattr("msgsim.run.sys", SimpleNamespace(modules=modules))
        run = made(waiting_time=values)
        found.append([run.quantile("q", "waiting_time", share / 20) for share in range(21)])
        assert list(run.samples("q", "waiting_time")) == values
    assert found[0] == found[1]


def test_the_quantile_of_a_gauge_is_over_the_probes_after_the_warm_up() -> None:
    run = made(times=[0.0, 1.0, 2.0, 3.0], visible=[9, 5, 7, 6], warm_up=1)
    assert [run.quantile("q", "visible", q) for q in (0, 0.34, 0.5, 0.67, 1)] == [5, 6, 6, 7, 7]
    assert isnan(made(times=[0.0, 1.0], visible=[1, 2], warm_up=5).quantile("q", "visible", 0.5))


@pytest.mark.parametrize("q", [-0.1, 1.1, float("nan"), True, "p99", None])
def test_a_quantile_is_from_0_to_1(run: Run, q: Any) -> None:
    with pytest.raises(DeclarationError, match=r"^q: .* is not a quantile; allowed: 0 to 1$"):
        run.quantile("emails", "waiting_time", q)


def test_statistics_go_by_name(run: Run) -> None:
    assert run.stat("emails", "waiting_time", "mean") == run.mean("emails", "waiting_time")
    for name, q in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1)):
        assert run.stat("emails", "waiting_time", name) == run.quantile("emails", "waiting_time", q)
    assert run.stat("emails", "waiting_time", "max") == max(run.samples("emails", "waiting_time"))
    assert run.stat("emails", "sent", "total") == run.total("emails", "sent")
    assert run.stat("emails", "visible", "final") == run.final("emails", "visible")


def test_all_statistics_of_a_metric_are_those_that_it_has_one_by_one(run: Run) -> None:
    for entity, record in run.records.items():
        for metric in CATALOGUE[record.table].values():
            found = run.statistics(entity, metric.name)
            assert list(found) == [name for name in STATISTICS if name in _OFFERED[metric.shape]]
            for name, value in found.items():
                alone = run.stat(entity, metric.name, name)
                assert value == alone or (isnan(value) and isnan(alone))
                assert type(value) is type(alone)
    twin = "ApproximateNumberOfMessagesVisible"
    assert run.statistics("emails", twin) == run.statistics("emails", "visible")
    assert isinstance(run.statistics("emails", "sent")["total"], int)
    with pytest.raises(UnknownName, match="no metric of queue 'emails' named 'seen'"):
        run.statistics("emails", "seen")


def test_all_statistics_of_a_group() -> None:
    traffic = ms.Traffic(to="q", rate=2, groups=3)
    desk = {"w": ms.Workers(queue="q", count=1, service_time=ms.Fixed(0.1))}
    run = ms.simulate(ms.Scenario(queues={"q": ms.Queue()}, traffic={"t": traffic}, workers=desk), until=60, seed=1)
    first, second, *_ = run.groups("q")
    found = run.statistics("q", "sojourn_time", group=first)
    assert found == {name: run.stat("q", "sojourn_time", name, group=first) for name in found}
    assert found != run.statistics("q", "sojourn_time", group=second)
    for metric in ("visible", "sent"):
        with pytest.raises(UnknownName, match=f"q.{metric} is a"):
            run.statistics("q", metric, group=first)


# ---------------------------------------------------------------- what does not exist


ENTITIES = "emails, idle, mailers, orders, orders/emails, ses, shop"


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda run: run.kind("email"), f"no entity named 'email'; did you mean 'emails'? declared: {ENTITIES}"),
        (
            lambda run: run.total("email", "sent"),
            f"no entity named 'email'; did you mean 'emails'? declared: {ENTITIES}",
        ),
        (
            lambda run: run.total("shop", "arrived"),
            "no metric of traffic 'shop' named 'arrived'; did you mean 'arrivals'? declared: arrivals, resent",
        ),
        (
            lambda run: run.total("emails", "visible"),
            "emails.visible is a gauge: it has mean, p50, p90, p99, p99.9, max, final, not what was asked for",
        ),
        (
            lambda run: run.mean("emails", "sent"),
            "emails.sent is a counter: it has total, final, not what was asked for",
        ),
        (
            lambda run: run.quantile("emails", "sent", 0.5),
            "emails.sent is a counter: it has total, final, not what was asked for",
        ),
        (
            lambda run: run.total("emails", "waiting_time"),
            "emails.waiting_time is a sample: it has mean, p50, p90, p99, p99.9, max, not what was asked for",
        ),
        (
            lambda run: run.stat("emails", "sent", "p95"),
            "no statistic named 'p95'; did you mean 'p99'? declared: final, max, mean, p50, p90, p99, p99.9, total",
        ),
    ],
)
def test_what_does_not_exist_is_answered_with_what_does(run: Run, ask: Callable[[Run], Any], message: str) -> None:
    with pytest.raises(UnknownName) as caught:
        ask(run)
    assert str(caught.value) == message


NAMED = {"emails": "queue", "mailers": "pool", "ses": "outbox", "orders": "topic", "shop": "traffic"}


def test_each_shape_has_its_statistics_and_no_others(run: Run) -> None:
    quantiles = {"p50", "p90", "p99", "p99.9", "max"}
    offered = {
        COUNTER: {"total", "final"},
        GAUGE: quantiles | {"mean", "final"},
        SAMPLE: quantiles | {"mean"},
    }
    for entity, kind in NAMED.items():
        for metric in CATALOGUE[kind].values():
            for statistic in STATISTICS:
                if statistic in offered[metric.shape]:
                    assert not isnan(run.stat(entity, metric.name, statistic))
                else:
                    with pytest.raises(UnknownName):
                        run.stat(entity, metric.name, statistic)
            if metric.shape == SAMPLE:
                run.samples(entity, metric.name)
                with pytest.raises(UnknownName):
                    run.series(entity, metric.name)
            else:
                run.series(entity, metric.name)
                with pytest.raises(UnknownName):
                    run.samples(entity, metric.name)


# ---------------------------------------------------------------- books


def test_audit_says_what_does_not_balance(run: Run) -> None:
    run.audit()
    records: dict[str, Any] = {"until": 1.0, "warm_up": 0.0, "probe": 1.0, "times": array("d"), "records": {}}
    for violations, message in ((("first",), "first"), (("first", "second", "third"), "first (and 2 more)")):
        bad = Run(scenario=SCENARIO, seed=0, replication=0, violations=violations, **records)
        with pytest.raises(AuditError) as caught:
            bad.audit()
        assert str(caught.value) == message


# ---------------------------------------------------------------- plain data


def test_a_run_pickles_and_holds_no_live_object(run: Run) -> None:
    before = run.to_json()
    packed = pickle.dumps(run)
    assert len(packed) == len(pickle.dumps(ms.simulate(SCENARIO, until=60, seed=4, warm_up=WARM_UP, probe=2)))
    copy = pickle.loads(packed)  # noqa: S301 - our own bytes
    assert copy.to_json() == before
    assert copy.scenario == run.scenario
    assert copy.quantile("emails", "waiting_time", 0.9) == run.quantile("emails", "waiting_time", 0.9)
    strings = {argument for _, argument, _ in pickletools.genops(packed) if isinstance(argument, str)}
    live = {"StandardQueue", "WorkerPool", "TopicFanout", "SendingAccount", "TrafficSource", "Environment", "Random"}
    assert {"Run", "Record", "Scenario"} <= strings
    assert not live & strings
    assert not any(name.startswith(("simpy", "random")) for name in strings)


def test_a_repr_says_how_far_it_got(run: Run) -> None:
    assert repr(run) == "<Run 'Orders' until=60 seed=4 finished>"
    early = ms.simulate(ms.Scenario(), until=60, progress=lambda simulation: simulation.now < 6)
    assert repr(early) == "<Run 'untitled' until=6 seed=0 interrupted>"


def test_json_has_all_numbers_and_no_nan(run: Run) -> None:
    source = run.to_json()

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    found = json.loads(source, parse_constant=refuse)
    assert found == run.to_dict()
    assert source.endswith("}\n")
    assert found["title"] == "Orders"
    assert [found[name] for name in ("seed", "replication", "until", "warm_up", "probe")] == [4, 0, 60, WARM_UP, 2]
    assert (found["interrupted"], found["violations"], found["times"]) == (False, [], run.times.tolist())
    assert list(found["entities"]) == list(SCENARIO.entities())
    queue = found["entities"]["emails"]
    assert queue["kind"] == "queue"
    assert list(queue["metrics"]) == list(CATALOGUE["queue"])
    assert queue["metrics"]["sent"] == {
        "total": run.total("emails", "sent"),
        "final": run.final("emails", "sent"),
        "series": run.series("emails", "sent")[1].tolist(),
    }
    waits = queue["metrics"]["waiting_time"]
    assert waits["count"] == len(run.samples("emails", "waiting_time"))
    assert waits["p99"] == run.quantile("emails", "waiting_time", 0.99)
    assert found["entities"]["idle"]["metrics"]["waiting_time"] == {
        "mean": None,
        "p50": None,
        "p90": None,
        "p99": None,
        "p99.9": None,
        "max": None,
        "count": 0,
    }


def test_csv_has_the_series_in_long_form(run: Run) -> None:
    rows = list(csv.reader(io.StringIO(run.to_csv())))
    assert rows[0] == ["time", "entity", "metric", "value"]
    counted = sum(len(record.series) for record in run.records.values()) * len(run.times)
    assert len(rows) == counted + 1
    visible = [(float(time), int(value)) for time, *what, value in rows[1:] if what == ["emails", "visible"]]
    assert visible == list(zip(*run.series("emails", "visible"), strict=True))
    ages = [float(value) for _, *what, value in rows[1:] if what == ["emails", "age_of_oldest_message"]]
    assert ages == run.series("emails", "age_of_oldest_message")[1].tolist()


def test_json_and_csv_are_written_to_a_path_if_one_is_given(run: Run, tmp_path: Path) -> None:
    assert run.to_json(tmp_path / "run.json") == (tmp_path / "run.json").read_text(encoding="utf-8") == run.to_json()
    assert run.to_csv(str(tmp_path / "run.csv")) == (tmp_path / "run.csv").read_text(encoding="utf-8") == run.to_csv()
    with pytest.raises(IsADirectoryError):
        run.to_json(tmp_path)


# ---------------------------------------------------------------- to look at


def test_summary_and_html(run: Run) -> None:
    assert "Orders" in run.summary()
    assert "Orders" in run._repr_html_()


def test_frame(run: Run) -> None:
    frame = run.to_pandas("emails")
    assert frame["sent"].tolist() == run.series("emails", "sent")[1].tolist()
    assert ("emails", "sent") in run.to_pandas().columns


def test_plot_and_report(run: Run, tmp_path: Path) -> None:
    from matplotlib import pyplot as plt

    figure = run.plot(["emails"])
    assert figure.axes
    plt.close(figure)
    run.report(tmp_path / "run.html")
    page = (tmp_path / "run.html").read_text(encoding="utf-8")
    assert page.startswith("<!")
    assert "Orders" in page


# ---------------------------------------------------------------- what is no argument


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda run: run.kind({}), "no entity named {}"),
        (lambda run: run.total(["emails"], "sent"), "no entity named ['emails']"),
        (lambda run: run.total("emails", ["sent"]), "no metric of queue 'emails' named ['sent']"),
        (lambda run: run.stat("emails", "sojourn_time", ["p50"]), "no statistic named ['p50']"),
        (lambda run: run.to_pandas(["emails"]), "no entity named ['emails']"),
        (lambda run: run.plot([["emails"]]), "no entity named ['emails']"),
    ],
)
def test_what_is_no_name_is_an_unknown_one(run: Run, call: Any, problem: str) -> None:
    with pytest.raises(UnknownName) as raised:
        call(run)
    assert str(raised.value).startswith(problem)


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda run: run.plot(3), "entities: 3 is not a list of names"),
        (lambda run: run.report(None), "path: None is not the path of a file"),
        (lambda run: run.to_json(3), "path: 3 is not the path of a file"),
        (lambda run: run.to_csv(3), "path: 3 is not the path of a file"),
    ],
)
def test_arguments_of_the_wrong_kind_are_named(run: Run, call: Any, problem: str) -> None:
    with pytest.raises(DeclarationError) as raised:
        call(run)
    assert str(raised.value) == problem


def no_time(_delivery: Any, _context: Any) -> None:
    """A handler that pickles, by its name."""


def test_a_handler_that_does_not_pickle_leaves_its_name() -> None:
    queues = {"emails": ms.Queue()}
    pools = {
        "kept": ms.Workers(queue="emails", count=1, handler=no_time),
        "lost": ms.Workers(queue="emails", count=1, handler=lambda *_: None),
    }
    run = ms.simulate(ms.Scenario(queues=queues, workers=pools), until=1)
    again = pickle.loads(pickle.dumps(run))  # noqa: S301 - our own bytes
    assert again.scenario.workers["kept"] == pools["kept"]
    lost = again.scenario.workers["lost"].handler
    assert lost == LostHandler("test_a_handler_that_does_not_pickle_leaves_its_name.<locals>.<lambda>")
    with pytest.raises(HandlerError, match="did not pickle with its run"):
        lost(None, None)
    with pytest.raises(DeclarationError, match=r"^workers\.lost\.handler: the function .*<lambda> did not pickle"):
        ms.simulate(again.scenario, until=1)
    assert run.scenario.workers == pools


# ---------------------------------------------------------------- message groups


@pytest.fixture(scope="module")
def tenants() -> Run:
    scenario = ms.Scenario(
        queues={"q": ms.Queue(), "ledger": ms.Queue(fifo=True)},
        traffic={
            "t": ms.Traffic(to="q", rate=10, groups=ms.GroupShares({"a": 1, "b": 4})),
            "alone": ms.Traffic(to="q", rate=1),
            "f": ms.Traffic(to="ledger", rate=1, groups=2),
        },
        workers={"w": ms.Workers(queue="q", count=8, batch_size=1, service_time=ms.Exponential(0.5))},
    )
    return ms.simulate(scenario, until=120, warm_up=20, seed=5)


def test_times_are_told_apart_by_group(tenants: Run) -> None:
    assert sorted(tenants.groups("q")) == ["a", "b"]
    sizes = {group: len(tenants.samples("q", "sojourn_time", group=group)) for group in ("a", "b")}
    assert 3 * sizes["a"] < sizes["b"] < 5 * sizes["a"]
    both = [value for group in ("a", "b") for value in tenants.samples("q", "sojourn_time", group=group)]
    everything = sorted(tenants.samples("q", "sojourn_time"))
    assert 50 < len(everything) - len(both) < 150  # those without a group
    assert set(both) <= set(everything)
    values = sorted(tenants.samples("q", "waiting_time", group="a"))
    assert tenants.mean("q", "waiting_time", group="a") == pytest.approx(fsum(values) / len(values))
    assert tenants.quantile("q", "waiting_time", 1, group="a") == values[-1]
    assert tenants.stat("q", "waiting_time", "max", group="a") == values[-1]
    assert tenants.stat("q", "waiting_time", "mean", group="a") == tenants.mean("q", "waiting_time", group="a")
    assert tenants.stat("q", "waiting_time", "p50", group="a") == tenants.quantile("q", "waiting_time", 0.5, group="a")


@pytest.mark.parametrize("warm_up", [0, 20])
def test_times_of_a_group_are_those_that_its_queue_noted(tenants: Run, warm_up: float) -> None:
    simulation = ms.Simulation(tenants.scenario, seed=5, warm_up=warm_up)
    simulation.run(warm_up)
    before = dict.fromkeys(("a", "b"), 0)
    if warm_up:
        before = {group: len(state.waits) for group, state in simulation.queues["q"].tenants.items()}
    simulation.run(60)
    finished = simulation.result()
    for group, state in simulation.queues["q"].tenants.items():
        assert len(state.waits) > before[group] + 30
        assert finished.samples("q", "waiting_time", group=group) == state.waits[before[group] :]
        assert finished.samples("q", "sojourn_time", group=group) == state.sojourns[before[group] :]


def test_groups_are_written_with_their_statistics(tenants: Run) -> None:
    described = tenants.to_dict()["entities"]
    assert "groups" not in described["ledger"]
    assert list(described["q"]["groups"]) == tenants.groups("q")
    group = described["q"]["groups"]["b"]
    assert group["messages"] == len(tenants.samples("q", "waiting_time", group="b"))
    assert group["sojourn_time"]["p99"] == tenants.quantile("q", "sojourn_time", 0.99, group="b")
    assert list(group["waiting_time"]) == ["mean", "p50", "p90", "p99", "p99.9", "max"]
    assert json.loads(tenants.to_json())["entities"]["q"]["groups"]["b"] == group
    simulation = ms.Simulation(tenants.scenario, warm_up=20, seed=5)
    simulation.run(10)
    early = simulation.result()
    assert early.to_dict()["entities"]["q"]["groups"]["b"]["waiting_time"]["mean"] is None


def test_groups_survive_pickling(tenants: Run) -> None:
    again = pickle.loads(pickle.dumps(tenants))  # noqa: S301 - what was just pickled
    assert again.samples("q", "waiting_time", group="b") == tenants.samples("q", "waiting_time", group="b")


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (
            lambda run: run.groups("ledger"),
            "ledger has no times by message group: that has a standard queue whose traffic has groups",
        ),
        (
            lambda run: run.mean("w", "utilization", group="a"),
            "w.utilization is a gauge: it has mean, p50, p90, p99, p99.9, max, final, not what was asked for",
        ),
        (
            lambda run: run.stat("q", "sent", "total", group="a"),
            "q.sent is a counter: it has total, final, not what was asked for",
        ),
        (
            lambda run: run.quantile("ledger", "waiting_time", 0.5, group="a"),
            "ledger has no times by message group: that has a standard queue whose traffic has groups",
        ),
        (
            lambda run: run.mean("q", "waiting_time", group="c"),
            "no message group of q named 'c'; declared: a, b",
        ),
        (
            lambda run: run.samples("q", "waiting_time", group=3),
            "no message group of q named 3; declared: a, b",
        ),
        (
            lambda run: run.quantile("q", "waiting_time", 0.5, group=["a"]),
            "no message group of q named ['a']; declared: a, b",
        ),
    ],
)
def test_what_has_no_groups_says_so(tenants: Run, ask: Any, message: str) -> None:
    with pytest.raises(UnknownName) as caught:
        ask(tenants)
    assert str(caught.value).replace("b, a", "a, b") == message
