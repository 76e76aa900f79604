from array import array
from itertools import pairwise
from math import fsum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import msgsim as ms
from msgsim.errors import UnknownName
from msgsim.metrics import CATALOGUE, COUNTER, GAUGE, SAMPLE, Metric, metric_of
from msgsim.run import Run

STEP = 0.0625
"""All times in the scenario below are multiples of this [s], so probes this far apart miss nothing."""


def dyadic(**changes: Any) -> ms.Scenario:
    """Everything happens at multiples of a sixteenth of a second."""
    times = ms.Empirical([0.25, 0.5, 0.5, 1.0, 3.75])
    declared: dict[str, Any] = {
        "topics": {
            "t": ms.Topic(subscriptions=(ms.Subscription(endpoint="late", delivery_delay=ms.Empirical([0.5, 1.25])),))
        },
        "queues": {
            "q": ms.Queue(visibility_timeout=5, redrive=ms.Redrive(to="d", max_receive_count=2)),
            "d": ms.Queue(retention=60),
            "late": ms.Queue(delay=2.5),
        },
        "outboxes": {"ses": ms.Outbox(delivery_delay=ms.Empirical([0.125, 4.0]), max_send_rate=1)},
        "traffic": {
            "a": ms.Traffic(to="q", rate=ms.Steps([(0, 4), (20, 8), (30, 4)]), process="regular"),
            "b": ms.Traffic(to="t", rate=2, process="regular"),
        },
        "workers": {
            "direct": ms.Workers(
                queue="q", count=ms.Steps([(0, 2), (10.5, 7), (40, 5)]), service_time=times, failure_rate=0.2
            ),
            "behind": ms.Workers(
                queue="late",
                count=3,
                batch_size=2,
                wait_time=0,
                poll_interval=0.5,
                service_time=times,
                on_success=[ms.Join("j", parts=["behind"], then=[ms.SendEmail("ses")])],
            ),
        },
    }
    return ms.Scenario(**(declared | changes))


def sum_of_rectangles(times: "array[float]", values: "array[Any]", begin: float) -> float:
    """The mean of a step function from `begin` on, by adding up the rectangles between readings."""
    areas = [
        value * (until - max(since, begin))
        for (since, until), value in zip(pairwise(times), values, strict=False)
        if until > begin
    ]
    return fsum(areas) / (times[-1] - begin)


def finely_probed(warm_up: float, *, lazy: bool, seed: int = 1) -> Run:
    simulation = ms.Simulation(dyadic(), seed=seed, warm_up=warm_up, probe=STEP, lazy=lazy)
    simulation.run(60)
    return simulation.result()


GAUGES = [
    *((queue, gauge) for queue in ("q", "d", "late") for gauge in ("visible", "in_flight", "delayed")),
    *((pool, gauge) for pool in ("direct", "behind") for gauge in ("busy", "count")),
    ("ses", "pending"),
    ("j", "open"),
]


@pytest.mark.parametrize("lazy", [True, False], ids=["lazy", "eager"])
@pytest.mark.parametrize("warm_up", [0, 10.5, 20, 33.0625, 59.9])
def test_the_mean_of_a_gauge_is_its_integral_after_the_warm_up(lazy: bool, warm_up: float) -> None:
    run = finely_probed(warm_up, lazy=lazy)
    coarse = ms.Simulation(dyadic(), seed=1, warm_up=warm_up, probe=7, lazy=lazy)
    coarse.run(60)
    kept = coarse.result()
    for entity, gauge in GAUGES:
        exact = sum_of_rectangles(*run.series(entity, gauge), warm_up)
        assert run.mean(entity, gauge) == pytest.approx(exact, rel=1e-9, abs=1e-9)
        if gauge not in {"pending", "open"}:  # kept exactly, however far apart the probes are
            assert kept.mean(entity, gauge) == pytest.approx(exact, rel=1e-9, abs=1e-9)
    assert run.mean("q", "visible") > 1
    assert run.mean("late", "delayed") > 1
    assert run.mean("d", "visible") > 0


@pytest.mark.parametrize("warm_up", [0, 33.0625])
def test_the_mean_utilization_is_a_ratio_of_integrals(warm_up: float) -> None:
    run = finely_probed(warm_up, lazy=True)
    for pool in ("direct", "behind"):
        busy, count = run.mean(pool, "busy"), run.mean(pool, "count")
        assert run.mean(pool, "utilization") == pytest.approx(busy / count, rel=1e-12)
        _, utilization = run.series(pool, "utilization")
        assert utilization.tolist() == [
            busy / count for busy, count in zip(run.series(pool, "busy")[1], run.series(pool, "count")[1], strict=True)
        ]


def test_a_pool_without_workers_is_not_utilized() -> None:
    scenario = ms.Scenario(
        queues={"q": ms.Queue()},
        workers={"w": ms.Workers(queue="q", count=ms.Steps([(5, 0)]), service_time=1)},
    )
    run = ms.simulate(scenario, until=10)
    assert run.mean("w", "utilization") == run.mean("w", "count") == run.final("w", "utilization") == 0


@given(st.integers(0, 2**32), st.floats(0, 59), st.booleans())
@settings(max_examples=10, deadline=None)
def test_littles_law_is_an_identity(seed: int, warm_up: float, lazy: bool) -> None:
    """What all spent in a queue is what its length adds up to, over the whole run; the audit says so, too."""
    simulation = ms.Simulation(dyadic(), seed=seed, lazy=lazy, warm_up=warm_up)
    simulation.run(60)
    simulation.result().audit()

    stopping = dyadic(traffic={"a": ms.Traffic(to="q", rate=ms.Steps([(0, 4), (20, 0)]))})
    drained = ms.Simulation(stopping, seed=seed, lazy=lazy)
    drained.run(300)
    run = drained.result()
    run.audit()
    inside = run.mean("q", "visible") + run.mean("q", "in_flight") + run.mean("q", "delayed")
    assert run.final("q", "visible") + run.final("q", "in_flight") == 0
    lost = 300 * inside - fsum(run.samples("q", "sojourn_time"))
    assert lost >= -1e-9
    if not run.total("q", "dead_lettered"):
        assert lost == pytest.approx(0, abs=1e-9)


def test_counters_never_fall() -> None:
    run = finely_probed(0, lazy=True)
    for entity, record in run.records.items():
        for metric in CATALOGUE[record.kind].values():
            if metric.shape == COUNTER:
                _, values = run.series(entity, metric.name)
                assert all(before <= after for before, after in pairwise(values)), (entity, metric.name)


def test_the_law_of_conservation_holds_at_every_probe() -> None:
    run = finely_probed(0, lazy=True)
    for queue in ("q", "d", "late"):
        rows = [
            [run.series(queue, name)[1][place] for place in range(len(run.times))]
            for name in ("sent", "moved_in", "visible", "delayed", "in_flight", "deleted", "dead_lettered", "moved_out")
        ]
        gone = [run.series(queue, name)[1] for name in ("expired", "purged")]
        for sent, moved_in, *rest in zip(*rows, *gone, strict=True):
            assert sent + moved_in == sum(rest)
    assert run.total("q", "dead_lettered") == run.total("d", "moved_in") > 0


# ---------------------------------------------------------------- the catalogue


def every() -> list[tuple[str, Metric]]:
    return [(kind, metric) for kind, table in CATALOGUE.items() for metric in table.values()]


@pytest.mark.parametrize(("kind", "metric"), every(), ids=lambda each: each if isinstance(each, str) else each.name)
def test_every_metric_says_what_it_is(kind: str, metric: Metric) -> None:
    assert metric_of(kind, "x", metric.name) is metric
    assert metric.shape in {COUNTER, GAUGE, SAMPLE}
    assert metric.unit
    assert metric.reading
    assert metric.reading[-1] != "."


def test_the_catalogue_has_what_the_reference_lists() -> None:
    names = {kind: list(table) for kind, table in CATALOGUE.items()}
    assert names["queue"] == [
        "sent",
        "received",
        "deleted",
        "dead_lettered",
        "expired",
        "purged",
        "moved_in",
        "moved_out",
        "deduplicated",
        "receives",
        "empty_receives",
        "redelivered",
        "duplicate_work",
        "visible",
        "in_flight",
        "delayed",
        "age_of_oldest_message",
        "waiting_time",
        "sojourn_time",
        "end_to_end_time",
    ]
    reference = ["published", "delivered", "filtered_out", "delivery_failed", "delivery_dead_lettered"]
    assert names["topic"][: len(reference)] == reference
    assert names["subscription"] == names["topic"][1:]
    assert set(names["outbox"]) >= {
        "accepted",
        "recipients_accepted",
        "delivered",
        "bounced",
        "complained",
        "throttled",
        "rejected",
        "suppressed",
    }
    counters = {"processed", "failed", "delete_requests", "visibility_requests"}
    assert set(names["pool"]) == {"busy", "count", "utilization", *counters}
    assert names["traffic"] == ["arrivals", "resent"]
    assert set(names["join"]) == {"completed", "open", "end_to_end_time"}


def test_a_metric_that_does_not_exist_is_told_which_do() -> None:
    with pytest.raises(UnknownName, match=r"^no metric of traffic 'shop' named 'arrival'; did you mean 'arrivals'\? d"):
        metric_of("traffic", "shop", "arrival")


def test_every_entity_has_every_metric_of_its_kind() -> None:
    run = finely_probed(0, lazy=True)
    assert {name: record.kind for name, record in run.records.items()} == dyadic().entities()
    for record in run.records.values():
        table = CATALOGUE[record.kind].values()
        assert list(record.series) == [metric.name for metric in table if metric.shape != SAMPLE]
        assert list(record.samples) == [metric.name for metric in table if metric.shape == SAMPLE]
        for metric in table:
            if metric.shape == SAMPLE:
                assert record.samples[metric.name].typecode == "d"
            else:
                fractional = metric.shape == GAUGE and metric.unit in {"s", "1"}
                assert record.series[metric.name].typecode == ("d" if fractional else "q")


@pytest.mark.rule("CW-SES-1")
@pytest.mark.rule("CW-SES-2")
def test_an_outbox_that_looks_at_addresses_has_rates_and_more_counts() -> None:
    def send(**outbox: Any) -> ms.Run:
        scenario = ms.Scenario(
            queues={"q": ms.Queue()},
            outboxes={"ses": ms.Outbox(receivers=[ms.Receiver(unknown_users=0.5)], **outbox)},
            traffic={"t": ms.Traffic(to="q", rate=1)},
            workers={"w": ms.Workers(queue="q", count=1, service_time=0, on_success=[ms.SendEmail("ses")])},
        )
        return ms.simulate(scenario, until=1_000, seed=1)

    usual = send()
    assert usual.total("ses", "hard_bounced") == usual.total("ses", "Bounce") > 400
    assert usual.final("ses", "Reputation.BounceRate") == usual.total("ses", "bounced") / usual.total("ses", "Send")
    assert (usual.final("ses", "paused"), usual.total("ses", "rejected")) == (0, 0)
    judged = send(reputation=ms.ReputationPolicy(grace=0))
    assert judged.total("ses", "accepted") == 100
    assert judged.final("ses", "paused") == 1
    assert judged.final("ses", "bounce_rate") == judged.total("ses", "bounced") / 100
    assert "paused" in judged.summary()
    assert "paused" not in usual.summary()


@pytest.mark.rule("CW-SES-1")
@pytest.mark.rule("SES-SND-9")
def test_rejects_are_what_was_found_to_be_infected_and_not_what_was_refused() -> None:
    assert metric_of("outbox with addresses", "ses", "Reject").name == "infected"
    with pytest.raises(UnknownName, match="no metric of outbox 'ses' named 'Reject'"):
        metric_of("outbox", "ses", "Reject")


@pytest.mark.rule("SES-IP-1")
def test_an_outbox_with_dedicated_pools_counts_by_which_addresses_emails_left() -> None:
    def send(until: float, **pools: ms.DedicatedPool) -> ms.Run:
        sets = {name: ms.ConfigurationSet(pool=name) for name in pools}
        outbox = ms.Outbox(configuration_sets={**sets, "none": ms.ConfigurationSet()}, pools=pools)
        scenario = ms.Scenario(
            queues={"q": ms.Queue(), "r": ms.Queue()},
            outboxes={"ses": outbox},
            traffic={f"to-{name}": ms.Traffic(to=name, rate=0.25, process="regular") for name in ("q", "r")},
            workers={
                f"of-{queue}": ms.Workers(
                    queue=queue,
                    count=1,
                    service_time=0,
                    on_success=[ms.SendEmail("ses", configuration_set=name)],
                )
                for queue, name in zip(("q", "r"), (*pools, "none"), strict=False)
            },
        )
        return ms.simulate(scenario, until=until, seed=1)

    warming = send(99, one=ms.DedicatedPool(first_volume=5), two=ms.DedicatedPool(first_volume=3))
    assert warming.total("ses", "accepted") == 50
    assert [warming.total("ses", name) for name in ("by_dedicated", "by_shared", "postponed")] == [8, 42, 0]
    late = ms.DedicatedPool(started_at=-40 * ms.DAY, first_volume=1, full_volume=2, managed=True)
    waiting = send(99, own=late)
    assert [waiting.total("ses", name) for name in ("accepted", "by_dedicated", "by_shared")] == [50, 25, 0]
    assert waiting.total("ses", "postponed") == 24
    assert waiting.total("ses", "delivered") == 26
    with pytest.raises(UnknownName, match="no metric of outbox with addresses 'ses' named 'by_shared'"):
        send(9).total("ses", "by_shared")
    assert list(waiting.series("ses", "by_dedicated")[1])[-1] == 25


@pytest.mark.rule("SNS-FIFO-3")
def test_what_a_failing_delivery_holds_up_is_a_gauge() -> None:
    down = ms.Subscription(endpoint="q", server=ms.Server(outages=[ms.Outage(at=10, duration=50)]), retry_jitter=0.1)
    scenario = ms.Scenario(
        topics={"t": ms.Topic(fifo=True, subscriptions=[down])},
        queues={"q": ms.Queue(fifo=True)},
        traffic={"c": ms.Traffic(to="t", rate=1, process="regular", groups=2)},
    )
    run = ms.simulate(scenario, 200, seed=1, probe=1)
    assert run.records["t/q"].table == "FIFO subscription"
    times, held_up = run.series("t/q", "held_up")
    assert list(held_up) == list(run.series("t", "held_up")[1])
    pending = run.series("t/q", "pending")[1]
    within = [place for place, time in enumerate(times) if 15 < time < 60]
    assert [held_up[place] for place in within] == [pending[place] - 2 for place in within]  # each group tries one
    assert run.stat("t/q", "held_up", "max") > 40
    assert run.stat("t/q", "held_up", "final") == 0
    assert "held up" not in str(run.summary())
    assert "held up" in str(ms.simulate(scenario, 50, seed=1).summary())
