"""FIFO topics in simulations."""

from typing import Any

import pytest

import msgsim as ms


def scenario_of(**fields: Any) -> ms.Scenario:
    parts: dict[str, Any] = {
        "topics": {
            "bookings": ms.Topic(
                fifo=True,
                subscriptions=[ms.Subscription(endpoint="ledger"), ms.Subscription(endpoint="audit", raw=True)],
            )
        },
        "queues": {"ledger": ms.Queue(fifo=True), "audit": ms.Queue()},
        "traffic": {"accounts": ms.Traffic(to="bookings", rate=5, groups=20)},
        "workers": {
            "clerks": ms.Workers(queue="ledger", count=4, service_time=ms.Exponential(0.3)),
            "readers": ms.Workers(queue="audit", count=4, service_time=ms.Exponential(0.3)),
        },
    }
    return ms.Scenario(**{**parts, **fields})


@pytest.mark.parametrize("traffic", [{}, {"resend": 0.3}, {"deduplication_id": "{n}"}])
def test_queues_behind_a_fifo_topic_work_the_same_lazily_and_not(traffic: dict[str, Any]) -> None:
    scenario = scenario_of(traffic={"accounts": ms.Traffic(to="bookings", rate=5, groups=20, **traffic)})
    runs = []
    for lazy in (True, False):
        sim = ms.Simulation(scenario, seed=3, lazy=lazy)
        sim.run(600)
        run = sim.result()
        run.audit()
        runs.append(run)
        topic: Any = sim.topics["bookings"]
        source = sim.traffic["accounts"]
        assert topic.published + topic.deduplicated == source.arrivals + source.resent
        assert topic.deduplicated == source.resent
    for queue in ("ledger", "audit"):
        assert runs[0].total(queue, "sent") == runs[0].total("bookings", "published") > 2000
        assert runs[0].mean(queue, "sojourn_time") == runs[1].mean(queue, "sojourn_time")


def test_a_worker_passes_its_group_on_to_a_fifo_topic() -> None:
    scenario = scenario_of(
        queues={"ledger": ms.Queue(fifo=True), "audit": ms.Queue(), "inbox": ms.Queue(fifo=True)},
        traffic={"accounts": ms.Traffic(to="inbox", rate=5, groups=20)},
        workers={
            "w": ms.Workers(queue="inbox", count=4, service_time=0.1, on_success=[ms.Publish("bookings")]),
        },
    )
    run = ms.simulate(scenario, until=60, seed=1)
    run.audit()
    assert run.total("bookings", "published") == run.total("w", "processed") > 100


def test_what_may_have_no_group_cannot_go_to_a_fifo_topic() -> None:
    with pytest.raises(ms.MsgsimError, match=r"traffic\.accounts\.groups: is missing; 'bookings' is a FIFO topic"):
        scenario_of(traffic={"accounts": ms.Traffic(to="bookings", rate=5)})
    queues = {"ledger": ms.Queue(fifo=True), "audit": ms.Queue(), "inbox": ms.Queue()}
    worker = ms.Workers(queue="inbox", count=1, service_time=0.1, on_success=[ms.Publish("bookings")])
    with pytest.raises(ms.MsgsimError, match=r"on_success\.0\.group_id: is missing; 'bookings' is a FIFO topic"):
        scenario_of(queues=queues, traffic={"accounts": ms.Traffic(to="inbox", rate=5)}, workers={"w": worker})


def test_a_publish_without_a_group_is_refused() -> None:
    queues = {"ledger": ms.Queue(fifo=True), "audit": ms.Queue(), "inbox": ms.Queue()}
    worker = ms.Workers(queue="inbox", count=1, service_time=0.1, on_success=[ms.Publish("bookings")])
    sim = ms.Simulation(scenario_of(queues=queues, traffic={}, workers={"w": worker}))
    sim.queues["inbox"].send("a", 0.0)
    sim.run(5)
    assert (sim.workers["w"].failed, sim.topics["bookings"].published) == (1, 0)


def test_a_fifo_topic_survives_a_file() -> None:
    scenario = scenario_of(
        topics={"bookings": ms.Topic(fifo=True, archive=7, throughput_scope="MessageGroup", throttled=True)}
    )
    assert ms.Scenario.from_toml(scenario.to_toml()) == scenario
