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


def after_a_booking(*actions: ms.Publish, **topic: Any) -> ms.Scenario:
    subscriptions = [ms.Subscription(endpoint="audit", raw=True)]
    return scenario_of(
        topics={"bookings": ms.Topic(fifo=True, subscriptions=subscriptions, **topic)},
        queues={"ledger": ms.Queue(fifo=True), "audit": ms.Queue(), "inbox": ms.Queue(fifo=True)},
        traffic={},
        workers={"w": ms.Workers(queue="inbox", count=1, service_time=0.1, on_success=list(actions))},
    )


def sent_on(scenario: ms.Scenario, *bodies: str, until: float = 10.0) -> ms.Simulation:
    sim = ms.Simulation(scenario, seed=1)
    for number, body in enumerate(bodies):
        sim.queues["inbox"].send(body, 0.0, group_id="g", deduplication_id=f"{number}")
    sim.run(until)
    return sim


@pytest.mark.rule("SNS-FIFO-1")
def test_an_action_gives_its_publish_an_id() -> None:
    action = ms.Publish("bookings", body="booked {body}", attributes={"k": "v"}, deduplication_id="{body}", subject="s")
    sim = sent_on(after_a_booking(action), "a", "b", "a")
    topic: Any = sim.topics["bookings"]
    assert (topic.published, topic.deduplicated, sim.workers["w"].processed) == (2, 1, 3)
    deliveries = sim.queues["audit"].receive(10.0, 10)
    assert [(each.body, each.message.group_id) for each in deliveries] == [("booked a", "g"), ("booked b", "g")]
    run = sim.result()
    run.audit()
    assert run.total("bookings", "deduplicated") == 1


@pytest.mark.rule("SNS-FIFO-1")
@pytest.mark.parametrize(("content_based", "published"), [(True, 2), (False, 3)])
def test_an_action_without_an_id_takes_the_hash_if_the_topic_does(*, content_based: bool, published: int) -> None:
    sim = sent_on(after_a_booking(ms.Publish("bookings"), content_based_deduplication=content_based), "a", "b", "a")
    assert sim.topics["bookings"].published == published


def test_an_action_whose_group_is_none_is_refused() -> None:
    sim = sent_on(after_a_booking(ms.Publish("bookings", group_id="{body}")), "not one")
    assert (sim.workers["w"].failed, sim.topics["bookings"].published) == (1, 0)


def test_a_standard_topic_takes_no_id() -> None:
    worker = ms.Workers(
        queue="q", count=1, service_time=0.1, on_success=[ms.Publish("t", deduplication_id="{message_id}")]
    )
    with pytest.raises(ms.MsgsimError, match=r"on_success\.0\.deduplication_id: 't' is a standard topic"):
        ms.Scenario(topics={"t": ms.Topic()}, queues={"q": ms.Queue()}, workers={"w": worker})


@pytest.mark.rule("SNS-QUO-2")
def test_throttled_traffic_is_lost_and_counted() -> None:
    topic = ms.Topic(fifo=True, throttled=True, subscriptions=[ms.Subscription(endpoint="ledger")])
    traffic = ms.Traffic(to="bookings", rate=400, process="regular", groups=1)
    run = ms.simulate(scenario_of(topics={"bookings": topic}, traffic={"a": traffic}, workers={}), until=10, seed=1)
    run.audit()
    published, throttled = run.total("bookings", "published"), run.total("bookings", "throttled")
    assert published + throttled == run.total("a", "arrivals")
    assert published == pytest.approx(3_000, abs=300)
    assert run.total("ledger", "sent") == published


@pytest.mark.rule("SNS-QUO-2")
def test_a_throttled_action_fails() -> None:
    scenario = after_a_booking(*[ms.Publish("bookings")] * 301, throttled=True)
    sim = sent_on(scenario, "a", until=5.0)
    topic: Any = sim.topics["bookings"]
    assert (sim.workers["w"].failed, topic.published, topic.throttled) == (1, 300, 1)


def test_the_archive_and_replays_are_measured() -> None:
    topic = ms.Topic(fifo=True, archive=1, subscriptions=[ms.Subscription(endpoint="audit", raw=True)])
    sim = ms.Simulation(scenario_of(topics={"bookings": topic}, workers={}), seed=1)
    sim.run(60)
    live: Any = sim.topics["bookings"]
    before = live.published
    live.replay("audit", 60.0, 0.0)
    sim.run(120)
    run = sim.result()
    run.audit()
    assert before > 100
    assert before <= run.total("bookings", "replayed_delivered") <= before + 10
    assert run.total("bookings", "NumberOfReplayedNotificationsFailed") == 0
    _, values = run.series("bookings", "ApproximateNumberOfMessagesArchived")
    assert values[-1] == run.total("bookings", "published")
    _, sizes = run.series("bookings", "archived_bytes")
    assert sizes[-1] == sum(len(body) for body in (f"message {n}" for n in range(1, int(values[-1]) + 1)))
