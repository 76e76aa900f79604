"""FIFO topics: order, deduplication before fan-out, envelopes, limits, archive and replay."""

import json
import math
from random import Random

import attrs
import pytest

from msgsim.bus.archive import COMPLETED, FAILED, IN_PROGRESS, PENDING, Archive
from msgsim.bus.fifo import FifoQueue
from msgsim.bus.fifo_topic import FifoFanout
from msgsim.bus.queue import Queue
from msgsim.bus.standard import StandardQueue
from msgsim.bus.topic import Subscription, Topic, TopicFanout
from msgsim.bus.topic_throughput import TopicThroughput
from msgsim.declare import DAY
from msgsim.distributions import Exponential
from msgsim.errors import (
    AuditError,
    DeclarationError,
    InvalidParameter,
    ReplayLimitExceeded,
    Throttled,
    UnknownName,
)


def topic_of(*subscriptions: Subscription, **fields: object) -> FifoFanout:
    topic = Topic(subscriptions=subscriptions, fifo=True, **fields)
    queues = {
        "fifo": FifoQueue(Queue(fifo=True), "fifo"),
        "other": FifoQueue(Queue(fifo=True), "other"),
        "standard": StandardQueue(Queue(), "standard"),
    }
    return FifoFanout(topic, "t", endpoints=queues, rng=Random(7))


def queue_of(topic: FifoFanout, key: str = "fifo") -> FifoQueue:
    queue: FifoQueue = topic.subscriptions[key].queue
    return queue


def bodies(topic: FifoFanout, now: float, key: str = "fifo") -> list[str]:
    return [delivery.body for delivery in queue_of(topic, key).receive(now, 10)]


RAW = Subscription(endpoint="fifo", raw=True)


@pytest.mark.rule("SNS-FIFO-1")
def test_a_duplicate_reaches_nobody_within_five_minutes() -> None:
    topic = topic_of(RAW, Subscription(endpoint="standard", raw=True))
    first = topic.publish("a", 0.0, group_id="g", deduplication_id="x")
    assert topic.publish("b", 299.9, group_id="h", deduplication_id="x") == first
    assert (topic.published, topic.deduplicated, topic.delivered) == (1, 1, 2)
    assert topic.publish("c", 300.0, group_id="g", deduplication_id="x") != first
    assert queue_of(topic, "standard").counts(300.0).visible == 2
    topic.check()


@pytest.mark.rule("SNS-FIFO-1")
def test_ids_come_from_the_body_and_are_passed_on() -> None:
    topic = topic_of(RAW, Subscription(endpoint="standard", raw=True), content_based_deduplication=True)
    topic.publish("Test", 0.0, group_id="g")
    topic.publish("Test", 1.0, group_id="g", attributes={"a": 1})
    assert topic.deduplicated == 1
    (delivery,) = queue_of(topic).receive(1.0, 10)
    assert delivery.message.given_id == "532eaabd9574880dbf76b9b8cc00832c20a6ec113d682299550d7a6e0f345e25"
    assert delivery.message.group_id == "g"
    (tenant,) = queue_of(topic, "standard").receive(1.0, 10)
    assert tenant.message.group_id == "g"


@pytest.mark.rule("SNS-FIFO-2")
@pytest.mark.parametrize(("scope", "published"), [("Topic", 1), ("MessageGroup", 2)])
def test_ids_are_unique_within_the_scope(scope: str, published: int) -> None:
    topic = topic_of(RAW, throughput_scope=scope)
    topic.publish("a", 0.0, group_id="g", deduplication_id="x")
    topic.publish("a", 0.0, group_id="h", deduplication_id="x")
    assert topic.published == published


def test_a_publish_needs_a_group_and_an_id() -> None:
    topic = topic_of(RAW)
    with pytest.raises(InvalidParameter, match="MessageGroupId parameter is required for FIFO topics"):
        topic.publish("a", 0.0, deduplication_id="x")
    with pytest.raises(InvalidParameter, match="ContentBasedDeduplication enabled"):
        topic.publish("a", 0.0, group_id="g")
    with pytest.raises(InvalidParameter, match="MessageDeduplicationId can only include"):
        topic.publish("a", 0.0, group_id="g", deduplication_id="x y")
    with pytest.raises(InvalidParameter, match="MessageGroupId"):
        topic.publish("a", 0.0, group_id="", deduplication_id="x")
    with pytest.raises(InvalidParameter, match="required"):
        topic.fan_out("a", None, 0.0, 1, 0.0)
    with pytest.raises(InvalidParameter, match="required"):
        topic.route(None).publish("a", 0.0, 1, 0.0)
    assert topic.published == 0


def test_who_can_be_subscribed_to_which_topic() -> None:
    with pytest.raises(DeclarationError, match=r"subscriptions\.0\.protocol: 'http' is not allowed at a FIFO topic"):
        Topic(fifo=True, subscriptions=[Subscription(endpoint="http://x", protocol="http")])
    queue = FifoQueue(Queue(fifo=True), "fifo")
    with pytest.raises(DeclarationError, match="can not be subscribed to standard SNS topics"):
        TopicFanout(Topic(subscriptions=[RAW]), "t", endpoints={"fifo": queue})
    topic = topic_of()
    topic.publish("a", 0.0, group_id="g", deduplication_id="x")
    topic.subscribe(RAW, queue)
    topic.publish("b", 1.0, group_id="g", deduplication_id="y")
    assert bodies(topic, 1.0) == ["b"]
    topic.check()


def test_each_kind_of_topic_has_its_class() -> None:
    with pytest.raises(DeclarationError, match="False is for a TopicFanout, not for a FifoFanout"):
        FifoFanout(Topic())
    with pytest.raises(DeclarationError, match="True is for a FifoFanout, not for a TopicFanout"):
        TopicFanout(Topic(fifo=True))


@pytest.mark.parametrize(
    "fields",
    [{"archive": 1}, {"throttled": True}, {"content_based_deduplication": True}, {"throughput_scope": "MessageGroup"}],
)
def test_standard_topics_have_nothing_of_fifo_topics(fields: dict[str, object]) -> None:
    with pytest.raises(DeclarationError, match="is for FIFO topics"):
        Topic(**fields)  # type: ignore[arg-type]


@pytest.mark.rule("SNS-ENV-2")
def test_the_envelope_has_a_sequence_number_and_no_signature() -> None:
    topic = topic_of(Subscription(endpoint="fifo"))
    topic.publish("a", 1.0, group_id="g", deduplication_id="x", subject="s", attributes={"k": "v"})
    topic.publish("b", 1.0, group_id="g", deduplication_id="y")
    first, second = (json.loads(body) for body in bodies(topic, 1.0))
    assert list(first) == [
        "Type",
        "MessageId",
        "SequenceNumber",
        "TopicArn",
        "Subject",
        "Message",
        "Timestamp",
        "UnsubscribeURL",
        "MessageAttributes",
    ]
    assert first["Timestamp"] == "2026-01-01T00:00:01.000Z"
    assert len(first["SequenceNumber"]) == 20
    assert int(first["SequenceNumber"]) < int(second["SequenceNumber"])


@pytest.mark.rule("SNS-FIFO-3")
def test_a_group_keeps_its_order_and_others_go_on() -> None:
    topic = topic_of(attrs.evolve(RAW, delivery_delay=Exponential(10.0)))
    for number in range(200):
        topic.publish(f"{number}", number / 10, group_id=f"g{number % 5}", deduplication_id=f"{number}")
    topic.advance(1e4)
    topic.check()
    seen = [int(message.body) for message in queue_of(topic).live()]
    assert seen != sorted(seen)
    for group in range(5):
        members = [number for number in seen if number % 5 == group]
        assert members == sorted(members)


@pytest.mark.rule("SNS-FIFO-3")
def test_groups_need_not_be_blocked() -> None:
    subscription = attrs.evolve(RAW, delivery_delay=Exponential(10.0))
    topic = FifoFanout(
        Topic(subscriptions=[subscription], fifo=True),
        endpoints={"fifo": FifoQueue(Queue(fifo=True))},
        rng_of=lambda _: Random(7),
        blocks=False,
    )
    for number in range(100):
        topic.publish(f"{number}", 0.0, group_id="g", deduplication_id=f"{number}")
    assert topic.pending == 100
    topic.check()
    topic.check(deep=False)
    topic.advance(1e4)
    seen = [int(message.body) for message in queue_of(topic).live()]
    assert seen != sorted(seen)
    assert topic.next_deadline() is None


def test_failures_are_counted_and_filters_apply() -> None:
    topic = topic_of(
        attrs.evolve(RAW, failure_rate=1.0),
        Subscription(endpoint="other", filter_policy={"k": ["v"]}, raw=True),
        Subscription(endpoint="standard", filter_policy={"k": ["v"]}, filter_scope="MessageBody"),
    )
    topic.publish('{"k": "v"}', 0.0, group_id="g", deduplication_id="x")
    assert (topic.delivered, topic.filtered_out, topic.delivery_failed) == (1, 1, 1)
    topic.check()
    topic.subscriptions["fifo"].delivered += 1
    with pytest.raises(AuditError, match="of 1 published, 2 have ended"):
        topic.check()


@pytest.mark.rule("SNS-QUO-2")
def test_a_group_and_a_topic_take_so_many_a_second() -> None:
    topic = topic_of(RAW, throttled=True)
    for number in range(300):
        topic.publish("a", 0.0, group_id="g", deduplication_id=f"{number}")
    with pytest.raises(Throttled, match="more than 300 publishes a second to 'g'"):
        topic.publish("a", 0.999, group_id="g", deduplication_id="z")
    topic.publish("a", 1.0, group_id="g", deduplication_id="z")
    for number in range(2999):
        topic.publish("a", 1.5, group_id=f"g{number % 20}", deduplication_id=f"t{number}")
    with pytest.raises(Throttled, match="more than 3000 publishes or 20000000 bytes"):
        topic.publish("a", 1.5, group_id="h", deduplication_id="y")
    wide = topic_of(RAW, throttled=True, throughput_scope="MessageGroup")
    for number in range(3001):
        wide.publish("a", 1.5, group_id=f"g{number % 20}", deduplication_id=f"t{number}")
    assert wide.published == 3001


@pytest.mark.rule("SNS-QUO-2")
def test_a_topic_takes_so_many_bytes_a_second() -> None:
    topic = topic_of(RAW, throttled=True)
    for number in range(100):
        topic.publish("a" * 200_000, 0.0, group_id=f"{number}", deduplication_id=f"{number}")
    with pytest.raises(Throttled, match="20000000 bytes"):
        topic.publish("a", 0.0, group_id="h", deduplication_id="y")


def archived(*subscriptions: Subscription, days: int = 1) -> FifoFanout:
    topic = topic_of(*subscriptions, archive=days)
    for number in range(5):
        topic.publish(f"{number}", float(number), group_id="g", deduplication_id=f"{number}", attributes={"n": number})
    return topic


@pytest.mark.rule("SNS-ARC-1")
def test_the_archive_keeps_publishes_for_its_days() -> None:
    topic = archived(RAW)
    archive = topic.archive
    assert archive is not None
    assert [publication.content for publication in archive] == ["0", "1", "2", "3", "4"]
    archive.prune(DAY)
    assert len(archive) == 4
    assert archive.beginning(DAY) == 0.0
    assert archive.beginning(DAY + 9) == 9.0
    archive.prune(DAY + 3)
    assert [publication.content for publication in archive] == ["4"]
    assert archive.after(0, 5.0) is None
    topic.keep(2, DAY)
    assert archive.retention == 2 * DAY
    topic.keep(None, DAY)
    assert topic.archive is None
    assert topic.declaration.archive is None
    topic.keep(3, DAY)
    kept: Archive | None = topic.archive
    assert kept is not None
    assert (len(kept), kept.since) == (0, DAY)
    for days in (0, 366, 1.5):
        with pytest.raises(DeclarationError, match=r"SNS-ARC-1|whole"):
            topic.keep(days, DAY)


@pytest.mark.rule("SNS-ARC-2")
def test_a_replay_delivers_again_with_the_same_id_and_time() -> None:
    topic = archived(Subscription(endpoint="standard", filter_policy={"n": [1, 3]}))
    queue = topic.subscriptions["standard"].queue
    before = [json.loads(delivery.body) for delivery in queue.receive(4.0, 10)]
    replay = topic.replay("standard", 10.0, start=0.0)
    assert replay.status == PENDING
    topic.advance(10.0015)
    assert replay.status == IN_PROGRESS
    topic.publish("live", 10.0016, group_id="g", deduplication_id="l", attributes={"n": 3})
    assert topic.subscriptions["standard"].withheld == 1
    topic.advance(20.0)
    assert replay.status == COMPLETED
    again = [json.loads(delivery.body) for delivery in queue.receive(20.0, 10)]
    assert all(message.pop("Replayed") for message in again)
    assert again[:-1] == before
    assert again[-1]["Message"] == "live"
    assert topic.subscriptions["standard"].replayed_delivered == 3
    topic.publish("more", 21.0, group_id="g", deduplication_id="m", attributes={"n": 3})
    assert "Replayed" not in json.loads(queue.receive(21.0)[0].body)
    topic.check()


@pytest.mark.rule("SNS-ARC-2")
def test_with_an_end_the_subscription_stops_there() -> None:
    topic = archived(Subscription(endpoint="standard", raw=True))
    each = topic.subscriptions["standard"]
    replay = topic.replay("standard", 10.0, start=1.0, end=2.0)
    topic.advance(11.0)
    assert (replay.status, each.replayed_delivered) == (COMPLETED, 2)
    topic.publish("a", 12.0, group_id="g", deduplication_id="a")
    assert (each.delivered, each.withheld) == (5, 1)
    topic.resume("standard", 13.0)
    topic.publish("b", 13.0, group_id="g", deduplication_id="b")
    assert each.delivered == 6
    topic.check()


@pytest.mark.rule("SNS-ARC-2")
def test_a_replay_waits_for_an_end_that_is_to_come() -> None:
    topic = archived(Subscription(endpoint="standard", raw=True))
    replay = topic.replay("standard", 10.0, start=4.0, end=20.0)
    topic.publish("a", 19.5, group_id="g", deduplication_id="a")
    topic.publish("b", 20.5, group_id="g", deduplication_id="b")
    topic.advance(30.0)
    assert (replay.status, topic.subscriptions["standard"].replayed_delivered) == (COMPLETED, 2)
    later = topic.replay("standard", 30.0, start=25.0, end=40.0)
    statuses = []
    for now in (40.0, math.nextafter(40.0, math.inf)):
        topic.advance(now)
        statuses.append(later.status)
    assert statuses == [IN_PROGRESS, COMPLETED]


@pytest.mark.rule("SNS-ARC-2")
@pytest.mark.parametrize("begun", [0.0, 19.5, 20.0, 30.0])
def test_what_is_published_at_the_end_of_a_replay_belongs_to_it(begun: float) -> None:
    topic = topic_of(Subscription(endpoint="standard", raw=True), archive=1)
    times = (math.nextafter(20.0, 0.0), 20.0, 20.0, math.nextafter(20.0, math.inf), 20.5)
    begins = [(begun, "replay")] + [(at, "publish") for at in times]
    for number, (at, what) in enumerate(sorted(begins)):
        if what == "replay":
            replay = topic.replay("standard", at, start=0.0, end=20.0)
        else:
            topic.publish("x", at, group_id="g", deduplication_id=f"{number}")
    topic.advance(40.0)
    assert (replay.status, topic.replayed_delivered) == (COMPLETED, 3)
    topic.check()


@pytest.mark.rule("SNS-ARC-3")
def test_replays_have_a_limit_and_a_fifo_queue_drops_what_it_knows() -> None:
    topic = archived(RAW, Subscription(endpoint="other", raw=True))
    topic.most_replays = 1
    topic.replay("fifo", 10.0, start=0.0)
    with pytest.raises(ReplayLimitExceeded, match="1 replays are under way"):
        topic.replay("other", 10.0, start=0.0)
    topic.replay("fifo", 10.0, start=0.0)  # in place of its own
    topic.advance(20.0)
    assert (queue_of(topic).sent, queue_of(topic).deduplicated) == (5, 5)
    topic.replay("fifo", 400.0, start=0.0)
    topic.advance(401.0)
    assert queue_of(topic).sent == 10


def test_a_replay_can_fail_or_be_refused() -> None:
    topic = archived(attrs.evolve(RAW, delivery_delay=2.0), Subscription(endpoint="other", failure_rate=1.0))
    with pytest.raises(UnknownName, match="nobody"):
        topic.replay("nobody", 10.0, start=0.0)
    with pytest.raises(InvalidParameter, match="EndingPoint 1 is before 2"):
        topic.replay("fifo", 10.0, start=2, end=1)
    with pytest.raises(DeclarationError, match="StartingPoint"):
        topic.replay("fifo", 10.0, start=float("nan"))
    first = topic.replay("fifo", 10.0, start=0.0)
    second = topic.replay("fifo", 10.0, start=0.0)
    topic.replay("other", 10.0, start=0.0)
    topic.advance(10.1)
    assert first.status == FAILED
    assert topic.subscriptions["fifo"].replays_pending == 5
    assert topic.subscriptions["other"].replayed_failed == topic.replayed_failed == 5
    assert second.status == COMPLETED
    third = topic.replay("fifo", 20.0, start=0.0)
    topic.keep(None, 20.0)
    topic.advance(21.0)
    assert third.status == FAILED
    with pytest.raises(InvalidParameter, match="no archive"):
        topic.replay("fifo", 30.0, start=0.0)
    topic.check()


def test_what_comes_due_earlier_is_told() -> None:
    topic = topic_of(attrs.evolve(RAW, delivery_delay=5.0))
    told: list[float | None] = []
    topic.on_change = lambda: told.append(topic.next_deadline())
    topic.publish("a", 0.0, group_id="g", deduplication_id="a")
    topic.fan_out("b", None, 1.0, 7, 0.5, None, "g")
    topic.route(None).publish_grouped("c", 1.0, None, 1.0, "g")
    assert told == [5.0]
    assert topic.pending == 3
    topic.advance(6.0)
    assert bodies(topic, 6.0) == ["a", "b", "c"]


@pytest.mark.rule("SNS-QUO-2")
def test_attributes_count_among_the_bytes() -> None:
    topic = topic_of(RAW, throttled=True)
    for number in range(99):
        topic.publish("a" * 200_000, 0.0, group_id="g", deduplication_id=f"{number}")
    with pytest.raises(Throttled, match="20000000 bytes"):
        topic.publish("a", 0.0, group_id="g", deduplication_id="x", attributes={"k": "v" * 199_993})
    topic.publish("a", 0.0, group_id="g", deduplication_id="x", attributes={"k": "v" * 199_992})
    assert (topic.published, topic.throttled) == (100, 1)


@pytest.mark.rule("SNS-QUO-2")
def test_trusted_publishes_are_counted_as_throttled_too() -> None:
    topic = topic_of(RAW, throttled=True)
    route = topic.route({"k": "v"})
    for number in range(300):
        assert topic.try_accept(route, "a", 0.0, number, 0.0, "g", None)
    assert not topic.try_accept(route, "a", 0.0, None, 0.0, "g", None)
    topic.fan_out("a", None, 0.0, 1, 0.0, None, "g")
    topic.route(None).publish_grouped("a", math.nextafter(1.0, 0.0), None, 0.0, "g")
    assert (topic.published, topic.throttled) == (300, 3)
    topic.fan_out("a", None, 1.0, 1, 0.0, None, "g")
    assert (topic.published, topic.throttled) == (301, 3)
    topic.check()


def test_meters_of_idle_groups_are_forgotten() -> None:
    throughput = TopicThroughput("MessageGroup")
    for number in range(1_000):
        throughput.charge(f"{number}", 1, number / 10)
    assert len(throughput) == 10
    throughput.charge("990", 1, 99.95)
    throughput.charge("x", 1, 100.6)
    assert len(throughput) == 5
    throughput.charge("x", 1, 200.0)
    assert len(throughput) == 1


def test_a_text_per_protocol_is_hashed_as_a_whole() -> None:
    topic = topic_of(RAW, content_based_deduplication=True)
    for text in ("a", "b", "a"):
        written = json.dumps({"default": "d", "sqs": "q", "sms": text})
        topic.publish(written, 0.0, group_id="g", structure="json", attributes={"k": "v"})
    assert topic.deduplicated == 1
    deliveries = queue_of(topic).receive(0.0, 10)
    assert [(delivery.body, delivery.attributes) for delivery in deliveries] == [("q", {}), ("q", {})]


@pytest.mark.rule("SNS-ARC-1")
def test_the_archive_has_a_size() -> None:
    plain = topic_of(RAW)
    assert (plain.archived_messages, plain.archived_bytes) == (0, 0)
    topic = archived(RAW)
    assert (topic.archived_messages, topic.archived_bytes) == (5, 5 * len("0nNumber0"))
    topic.advance(DAY + 2)
    assert (topic.archived_messages, topic.archived_bytes) == (2, 2 * len("0nNumber0"))
    topic.advance(2 * DAY)
    assert (topic.archived_messages, topic.archived_bytes) == (0, 0)


@pytest.mark.rule("SNS-RTY-1")
@pytest.mark.parametrize("key", ["fifo", "standard"])
def test_what_goes_to_a_deleted_queue_is_lost(key: str) -> None:
    topic = topic_of(Subscription(endpoint=key, delivery_delay=1))
    each = topic.subscriptions[key]
    topic.publish("a", 0.0, group_id="g", deduplication_id="a")
    topic.advance(1.0)
    each.queue.close(2.0)
    topic.watch(each.queue)
    topic.publish("b", 2.0, group_id="g", deduplication_id="b")
    topic.advance(3.0)
    assert (each.delivered, each.delivery_failed, each.pending) == (1, 1, 0)
    topic.check()


def test_the_reasons_of_what_is_filtered_out_add_up() -> None:
    topic = topic_of(
        attrs.evolve(RAW, filter_policy={"n": [1]}),
        Subscription(endpoint="other", filter_policy={"n": [1]}, filter_scope="MessageBody"),
    )
    for number, (attributes, body) in enumerate(
        [({"n": 1}, '{"n": 1}'), ({"n": 2}, '{"n": 2}'), ({"n": 2}, "text"), (None, '{"n": 3}')]
    ):
        topic.publish(body, 0.0, group_id="g", deduplication_id=f"{number}", attributes=attributes)
    for counted, expected in ((topic.subscriptions["fifo"], (2, 0, 1, 0)), (topic, (2, 2, 1, 1))):
        reasons = (
            counted.filtered_by_attributes,
            counted.filtered_by_body,
            counted.filtered_without_attributes,
            counted.filtered_invalid_attributes + counted.filtered_invalid_body,
        )
        assert reasons == expected
        assert sum(reasons) == counted.filtered_out
    assert topic.subscriptions["fifo"].matched == 1
    topic.check()


@pytest.mark.parametrize("step", [0.5, 100.0])
def test_a_filter_changes_between_the_steps_of_a_replay(step: float) -> None:
    topic = topic_of(RAW, archive=1)
    topic.replay_rate = 1.0
    for number in range(5):
        topic.publish("x", 0.0, group_id="g", deduplication_id=f"{number}", attributes={"n": number})
    topic.replay("fifo", 1.0, 0.0)
    topic.change("fifo", attrs.evolve(RAW, filter_policy={"n": [99]}), at=3.5)
    now = 1.0
    while now < 100.0:
        now = min(now + step, 100.0)
        topic.advance(now)
    assert topic.replayed_delivered == 2  # at 2 s and at 3 s


def test_a_replay_ends_with_its_subscription() -> None:
    topic = topic_of(RAW, archive=1)
    topic.replay_rate = 1.0
    for number in range(3):
        topic.publish("x", 0.0, group_id="g", deduplication_id=f"{number}")
    replay = topic.replay("fifo", 1.0, 0.0)
    topic.advance(2.0)
    subscriber = topic.unsubscribe("fifo")
    topic.advance(100.0)
    assert (subscriber.replayed_delivered, replay.status, topic.next_deadline()) == (1, FAILED, None)


def test_what_is_not_subscribed_is_not_resumed() -> None:
    with pytest.raises(UnknownName, match="nobody"):
        topic_of(RAW).resume("nobody", 0.0)


@pytest.mark.parametrize(("field", "given"), [("blocks", "no"), ("replay_rate", 0.0), ("most_replays", 0)])
def test_a_topic_that_cannot_be_is_refused(field: str, given: object) -> None:
    with pytest.raises(DeclarationError, match=rf"FifoFanout\.{field}"):
        FifoFanout(Topic(fifo=True), **{field: given})  # type: ignore[arg-type]


@pytest.mark.rule("SNS-ARC-1")
def test_what_is_too_old_is_not_replayed() -> None:
    topic = topic_of(RAW, archive=2)
    for day in range(3):
        topic.publish("x", day * DAY, group_id="g", deduplication_id=f"{day}")
    topic.replay("fifo", 3.5 * DAY, start=0.0)
    topic.advance(3.6 * DAY)
    assert topic.replayed_delivered == 1
    topic.keep(1, 3.6 * DAY)
    topic.keep(30, 3.6 * DAY)
    assert (topic.archived_messages, topic.archived_bytes) == (0, 0)
