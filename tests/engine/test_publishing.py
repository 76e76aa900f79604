"""The quota that the topics of a simulation share."""

from typing import Any

import pytest

import msgsim as ms
from msgsim.errors import DeclarationError, Throttled


def scenario_of(**fields: Any) -> ms.Scenario:
    parts: dict[str, Any] = {
        "topics": {name: ms.Topic(subscriptions=[ms.Subscription(endpoint=f"q-{name}")]) for name in ("a", "b")},
        "queues": {"q-a": ms.Queue(), "q-b": ms.Queue()},
        "traffic": {"first": ms.Traffic(to="a", rate=8, process="regular")},
        "publish_rate": 5,
    }
    return ms.Scenario(**{**parts, **fields})


@pytest.mark.rule("SNS-QUO-1")
@pytest.mark.parametrize("traffic", [{}, {"groups": 3}, {"resend": 0.5}])
def test_what_traffic_publishes_above_the_quota_is_dropped_and_counted(traffic: dict[str, Any]) -> None:
    declared = ms.Traffic(to="a", rate=8, process="regular", **traffic)
    run = ms.simulate(scenario_of(traffic={"first": declared}), until=100, seed=1)
    run.audit()
    published = run.total("a", "published")
    assert published + run.total("a", "over_quota") == run.total("first", "arrivals") + run.total("first", "resent")
    assert published == run.total("q-a", "sent") == pytest.approx(500, abs=5)
    assert run.total("b", "over_quota") == 0


@pytest.mark.rule("SNS-QUO-1")
def test_topics_share_the_quota() -> None:
    traffic = {name: ms.Traffic(to=to, rate=40, process="poisson") for name, to in (("first", "a"), ("second", "b"))}
    scenario = scenario_of(traffic=traffic, publish_rate=50)
    run = ms.simulate(scenario, until=200, seed=1)
    run.audit()
    published = [run.total(name, "published") for name in ("a", "b")]
    assert 48 * 200 <= sum(published) <= 50 * 200
    assert published[0] == pytest.approx(published[1], rel=0.1)
    assert "over quota" in run.summary()
    free = ms.simulate(scenario.vary("publish_rate", None), until=200, seed=1)
    assert free.total("a", "published") == run.total("first", "arrivals")
    assert "over quota" not in free.summary()


@pytest.mark.rule("SNS-QUO-1")
def test_a_publish_by_a_worker_is_a_refused_action() -> None:
    def scenario(on_refusal: Any) -> ms.Scenario:
        work = {"count": 1, "batch_size": 1, "service_time": 0, "on_success": [ms.Publish("b")]}
        return scenario_of(
            traffic={"first": ms.Traffic(to="q-a", rate=100, process="regular")},
            queues={"q-a": ms.Queue(visibility_timeout=30), "q-b": ms.Queue()},
            topics={"b": ms.Topic(subscriptions=[ms.Subscription(endpoint="q-b")])},
            workers={"w": ms.Workers(queue="q-a", on_refusal=on_refusal, **work)},
            publish_rate=1,
        )

    returned = ms.simulate(scenario("return"), until=9.5, seed=1)
    returned.audit()
    assert returned.total("b", "published") == returned.total("q-a", "deleted") == 10
    assert returned.total("b", "over_quota") == returned.total("w", "failed") > 900
    retried = ms.simulate(scenario(ms.Retry(attempts=100, base=0.4, cap=0.4)), until=9.5, seed=1)
    retried.audit()
    assert (retried.total("b", "published"), retried.total("b", "over_quota"), retried.total("w", "failed")) == (
        8,
        24,
        0,
    )


@pytest.mark.rule("SNS-QUO-1")
@pytest.mark.rule("SNS-QUO-3")
@pytest.mark.parametrize(
    ("region", "standard", "fifo"),
    [("us-east-1", 30_000, 30_000), ("eu-central-1", 1_500, 3_000), ("mx-central-1", 300, 3_000)],
)
def test_a_region_has_a_quota_of_each_kind(region: str, standard: int, fifo: int) -> None:
    topics = {"s": ms.Topic(), "f": ms.Topic(fifo=True, content_based_deduplication=True)}
    simulation = ms.Simulation(ms.Scenario(topics=topics, region=region))
    for name, limit in (("s", standard), ("f", fifo)):
        topic: Any = simulation.topics[name]
        assert topic.quota.limit == limit
        topic.quota.charge(0.0, limit - 1)
        topic.publish("x", 0.0, group_id="g")
        with pytest.raises(Throttled, match="Rate exceeded"):
            topic.publish("y", 0.0, group_id="g")
        assert (topic.published, topic.over_quota) == (1, 1)


@pytest.mark.rule("SNS-QUO-1")
def test_events_of_emails_count_as_well() -> None:
    sets = {"s": ms.ConfigurationSet(events=[ms.EventDestination(topic="b", types=["send"])])}
    scenario = scenario_of(
        outboxes={"out": ms.Outbox(configuration_set="s", configuration_sets=sets)},
        traffic={"first": ms.Traffic(to="q-a", rate=10, process="regular")},
        workers={
            "w": ms.Workers(
                queue="q-a",
                count=1,
                service_time=0,
                on_success=[ms.SendEmail("out", to="{n}@example.com", subject="s", body="b")],
            )
        },
    )
    run = ms.simulate(scenario, until=9.95, seed=1)
    run.audit()
    assert run.total("b", "published") == 50
    assert run.total("b", "published") + run.total("b", "over_quota") == run.total("out", "accepted")


@pytest.mark.parametrize("region", ["", "Europe", "eu-west", "EU-WEST-1", "eu-west-1\n"])
def test_what_is_no_region_is_refused(region: str) -> None:
    with pytest.raises(DeclarationError, match=r"Scenario\.region"):
        scenario_of(region=region)


def test_quotas_are_written_to_files() -> None:
    scenario = scenario_of(region="ap-south-1")
    text = scenario.to_toml()
    assert 'region = "ap-south-1"' in text
    assert "publish_rate = 5" in text
    assert ms.Scenario.from_toml(text) == scenario
