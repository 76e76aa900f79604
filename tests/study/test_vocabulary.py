import pytest

import msgsim as ms
from msgsim.bus.receivers import Receiver
from msgsim.errors import DeclarationError, UnknownName
from msgsim.study.measures import measures
from msgsim.study.vocabulary import Vocabulary

RICH = ms.Scenario(
    publish_rate=100,
    topics={
        "plain": ms.Topic(subscriptions=[ms.Subscription(endpoint="fair"), ms.Subscription(endpoint="quiet")]),
        "strict": ms.Topic(fifo=True, subscriptions=[ms.Subscription(endpoint="ordered")]),
    },
    queues={"fair": ms.Queue(), "quiet": ms.Queue(), "ordered": ms.Queue(fifo=True), "alone": ms.Queue()},
    outboxes={"simple": ms.Outbox(), "addressed": ms.Outbox(receivers=[Receiver(unknown_users=0.1)])},
    traffic={
        "tenants": ms.Traffic(to="plain", rate=1, groups=3),
        "groups": ms.Traffic(to="strict", rate=1, groups=3),
    },
    workers={
        "pool": ms.Workers(
            queue="quiet",
            count=1,
            service_time=1,
            on_success=[ms.Join("j", parts=["pool"], then=[ms.SendEmail(outbox="simple")])],
        )
    },
)


@pytest.mark.parametrize("scenario", [RICH, *map(ms.load, ms.examples())])
def test_it_knows_what_a_run_will_measure(scenario: ms.Scenario) -> None:
    vocabulary = Vocabulary.of(scenario)
    run = ms.Simulation(scenario).result()
    assert dict(vocabulary.tables) == {name: record.table for name, record in run.records.items()}
    assert dict(vocabulary.kinds) == {name: run.kind(name) for name in run.records}


def test_there_is_one_of_each_kind() -> None:
    assert dict(Vocabulary.of(RICH).tables) == {
        "tenants": "traffic",
        "groups": "traffic",
        "plain": "topic with a quota",
        "plain/fair": "subscription",
        "plain/quiet": "subscription",
        "strict": "FIFO topic",
        "strict/ordered": "FIFO subscription",
        "fair": "fair queue",
        "quiet": "fair queue",
        "ordered": "FIFO queue",
        "alone": "queue",
        "pool": "pool",
        "j": "join",
        "simple": "outbox",
        "addressed": "outbox with addresses",
    }


def test_hours_of_workers_are_of_pools_and_of_the_whole() -> None:
    vocabulary = Vocabulary.of(RICH)
    assert vocabulary.metric("pool", "worker_hours") is vocabulary.metric("*", "worker_hours")
    for entity in ("quiet", "j", "tenants"):
        with pytest.raises(UnknownName, match=r"no metric of .* named 'worker_hours'"):
            vocabulary.metric(entity, "worker_hours")
    with pytest.raises(UnknownName, match="no metric of pool 'pool' named 'cost'"):
        vocabulary.metric("pool", "cost")
    hours = [key for key in measures(ms.simulate(RICH, until=10)) if key[1] == "worker_hours.final"]
    assert hours == [("pool", "worker_hours.final"), ("*", "worker_hours.final")]


def test_only_scenarios_have_one() -> None:
    with pytest.raises(DeclarationError, match="scenario: 'black-friday' is not a Scenario"):
        Vocabulary.of("black-friday")  # type: ignore[arg-type]
