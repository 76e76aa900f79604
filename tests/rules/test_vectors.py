"""Worked examples, each with numbers of its own: what goes in, and what comes out at which time [s]."""

from collections.abc import Generator
from math import nextafter
from random import Random
from typing import Any

import pytest

import msgsim as ms
from msgsim.bus.receivers import Receiver
from msgsim.bus.reputation import Reputation, ReputationPolicy
from msgsim.errors import InvalidParameterValue, OverLimit, Throttled


def bodies(queue: ms.StandardQueue | ms.FifoQueue, now: float, **settings: Any) -> list[str]:
    return [delivery.body for delivery in queue.receive(now, 10, **settings)]


@pytest.mark.rule("SQS-RCV-4")
@pytest.mark.parametrize("apart", [0, 1])
def test_v1_a_long_poll_ends_with_the_first_message(apart: float) -> None:
    workers = ms.Workers(queue="q", count=1, batch_size=10, wait_time=20, service_time=ms.Fixed(30))
    simulation = ms.Simulation(ms.Scenario(queues={"q": ms.Queue()}, workers={"w": workers}))
    queue = simulation.queues["q"]

    def send() -> Generator[Any, Any, None]:
        yield simulation.env.timeout(3)
        queue.send("a", simulation.now)
        yield simulation.env.timeout(apart)
        queue.send("b", simulation.now)

    simulation.env.process(send())
    simulation.run(2.999)
    assert simulation.workers["w"].busy == 0
    simulation.run(3)
    assert simulation.workers["w"].busy == 1
    assert queue.counts(3).in_flight >= 1
    simulation.run(19.999)
    assert queue.counts(19.999) == ((1, 1, 0) if apart else (0, 2, 0))


@pytest.mark.rule("SQS-VIS-2")
def test_v2_a_change_counts_from_now_and_for_one_receive() -> None:
    queue = ms.StandardQueue(ms.Queue(visibility_timeout=30), name="q")
    queue.send("a", 0)
    [delivery] = queue.receive(0)
    queue.change_visibility(delivery.receipt_handle, 60, 20)
    assert bodies(queue, 79.999) == []
    assert bodies(queue, 80) == ["a"]
    assert bodies(queue, 109.999) == []
    assert bodies(queue, 110) == ["a"]


@pytest.mark.rule("SQS-VIS-3")
def test_v3_a_message_is_hidden_for_12_hours_in_all() -> None:
    queue = ms.StandardQueue(ms.Queue(), name="q")
    queue.send("a", 0)
    [delivery] = queue.receive(0)
    with pytest.raises(InvalidParameterValue, match=r"beyond the limit \[43200 seconds\]"):
        queue.change_visibility(delivery.receipt_handle, 43_195, 10)
    queue.change_visibility(delivery.receipt_handle, 43_185, 10)
    assert bodies(queue, 43_194.999) == []
    assert bodies(queue, 43_195) == ["a"]


@pytest.mark.rule("SQS-VIS-6")
def test_v4_an_expired_handle_deletes_from_a_standard_queue() -> None:
    queue = ms.StandardQueue(ms.Queue(visibility_timeout=10), name="q")
    queue.send("a", 0)
    [delivery] = queue.receive(0)
    queue.delete(delivery.receipt_handle, 15)
    assert queue.counts(15) == (0, 0, 0)
    assert (queue.deleted, bodies(queue, 60)) == (1, [])


@pytest.mark.rule("FIFO-VIS-1")
def test_v4_on_a_fifo_queue_it_is_refused_and_the_message_comes_again() -> None:
    queue = ms.FifoQueue(ms.Queue(fifo=True, visibility_timeout=10), name="q")
    queue.send("a", 0, group_id="g", deduplication_id="a")
    [delivery] = queue.receive(0)
    with pytest.raises(InvalidParameterValue, match=r"Reason: The receipt handle has expired\."):
        queue.delete(delivery.receipt_handle, 15)
    assert bodies(queue, 15) == ["a"]


@pytest.mark.rule("SQS-DLQ-3")
@pytest.mark.rule("SQS-SYS-2")
def test_v5_the_third_poll_finds_nothing_and_moves_the_message() -> None:
    declared = ms.Queue(visibility_timeout=10, redrive=ms.Redrive(to="dead", max_receive_count=2))
    dead = ms.StandardQueue(ms.Queue(), name="dead")
    source = ms.StandardQueue(declared, name="source", dead_letter_queue=dead)
    sent = source.send("a", 0)
    assert [bodies(source, now) for now in (0, 11)] == [["a"], ["a"]]
    assert (source.counts(21.999), dead.counts(21.999)) == ((1, 0, 0), (0, 0, 0))  # no poll, no move
    assert bodies(source, 22) == []
    assert (source.counts(22), dead.counts(22)) == ((0, 0, 0), (1, 0, 0))
    [delivery] = dead.receive(22)
    assert (delivery.message_id, delivery.receive_count) == (sent.message_id, 3)


@pytest.mark.rule("SQS-RET-2")
@pytest.mark.rule("SQS-RET-3")
def test_v6_a_dead_letter_is_as_old_as_it_was_and_its_metric_begins_with_the_move() -> None:
    declared = ms.Queue(redrive=ms.Redrive(to="dead", max_receive_count=1))
    dead = ms.StandardQueue(ms.Queue(retention=4 * ms.DAY), name="dead")
    source = ms.StandardQueue(declared, name="source", dead_letter_queue=dead)
    source.send("a", 0)
    source.receive(0)
    source.receive(ms.DAY)
    assert (dead.counts(ms.DAY), dead.age_of_oldest(ms.DAY)) == ((1, 0, 0), 0)
    assert dead.age_of_oldest(ms.DAY + 7) == 7
    assert dead.counts(4 * ms.DAY) == (1, 0, 0)
    assert dead.counts(4 * ms.DAY + 0.001) == (0, 0, 0)
    assert dead.expired == 1


@pytest.mark.rule("SQS-RET-2")
@pytest.mark.rule("SQS-RET-3")
def test_v6_on_fifo_queues_its_retention_begins_with_the_move_too() -> None:
    declared = ms.Queue(fifo=True, redrive=ms.Redrive(to="dead", max_receive_count=1))
    dead = ms.FifoQueue(ms.Queue(fifo=True, retention=4 * ms.DAY), name="dead")
    source = ms.FifoQueue(declared, name="source", dead_letter_queue=dead)
    source.send("a", 0, group_id="g", deduplication_id="a")
    source.receive(0)
    source.receive(ms.DAY)
    assert (dead.counts(ms.DAY), dead.age_of_oldest(ms.DAY)) == ((1, 0, 0), 0)
    assert dead.age_of_oldest(ms.DAY + 7) == 7
    assert dead.counts(5 * ms.DAY) == (1, 0, 0)
    assert dead.counts(5 * ms.DAY + 0.001) == (0, 0, 0)


@pytest.mark.rule("SQS-DLY-2")
def test_v7_a_shorter_delay_is_for_what_waits_on_a_fifo_queue_only() -> None:
    standard = ms.StandardQueue(ms.Queue(delay=60), name="standard")
    fifo = ms.FifoQueue(ms.Queue(fifo=True, delay=60), name="fifo")
    standard.send("a", 0)
    fifo.send("a", 0, group_id="g", deduplication_id="a")
    for queue in (standard, fifo):
        assert queue.counts(4.999) == (0, 0, 1)
        queue.set_attributes(5, delay=0)
    assert bodies(fifo, 5) == ["a"]
    assert bodies(standard, 59.999) == []
    assert bodies(standard, 60) == ["a"]


@pytest.mark.rule("FIFO-DUP-1")
@pytest.mark.rule("FIFO-DUP-2")
@pytest.mark.rule("FIFO-DUP-6")
def test_v9_an_id_is_remembered_for_5_minutes_or_until_a_purge() -> None:
    queue = ms.FifoQueue(ms.Queue(fifo=True), name="q")
    first = queue.send("a", 0, group_id="g", deduplication_id="x")
    queue.delete(queue.receive(5)[0].receipt_handle, 5)
    assert queue.send("a", 299, group_id="g", deduplication_id="x").message_id == first.message_id
    assert queue.counts(299) == (0, 0, 0)
    assert queue.send("a", 301, group_id="g", deduplication_id="x").message_id != first.message_id
    assert queue.counts(301) == (1, 0, 0)
    queue.purge(302)
    queue.send("b", 302, group_id="g", deduplication_id="x")
    assert bodies(queue, 302) == ["b"]


@pytest.mark.rule("FIFO-ORD-1")
@pytest.mark.rule("FIFO-ORD-3")
@pytest.mark.rule("FIFO-ORD-4")
@pytest.mark.rule("FIFO-ORD-5")
@pytest.mark.rule("FIFO-ORD-6")
@pytest.mark.rule("SQS-ATT-5")
def test_v10_v12_a_group_is_blocked_by_what_is_in_flight() -> None:
    queue = ms.FifoQueue(ms.Queue(fifo=True), name="q")
    for body in ("a1", "b1", "a2", "a3"):
        queue.send(body, 0, group_id=body[0], deduplication_id=body)
    first, second = queue.receive(0, 2)
    assert (first.body, second.body) == ("a1", "a2")
    assert queue.counts(0) == (2, 2, 0)
    assert bodies(queue, 0) == ["b1"]
    queue.change_visibility(first.receipt_handle, 0, 1)
    [again] = queue.receive(1, 10)
    assert again.body == "a1"
    queue.delete(again.receipt_handle, 2)
    assert bodies(queue, 2) == []
    queue.delete(second.receipt_handle, 3)
    assert bodies(queue, 3) == ["a3"]


@pytest.mark.rule("FIFO-ORD-6")
def test_v11_what_stands_before_the_extended_one_comes_again() -> None:
    queue = ms.FifoQueue(ms.Queue(fifo=True, visibility_timeout=1), name="q")
    for body in ("a1", "a2", "a3"):
        queue.send(body, 0, group_id="a", deduplication_id=body)
    _, second, _ = queue.receive(0, 10)
    queue.change_visibility(second.receipt_handle, 4, 0)
    assert bodies(queue, 2.5) == ["a1"]


@pytest.mark.slow
@pytest.mark.rule("FIFO-VIS-3")
def test_v13_at_the_limit_a_fifo_queue_is_empty_and_no_error() -> None:
    queue = ms.FifoQueue(ms.Queue(fifo=True), name="q")
    for number in range(120_001):
        queue.enqueue("a", None, 0, None, 0, str(number))
    for _ in range(12_000):
        queue.take(0, 10, 30)
    assert queue.counts(0) == (1, 120_000, 0)
    assert bodies(queue, 0) == []
    assert bodies(queue, 0, wait_time=20) == []
    assert len(bodies(queue, 30)) == 10


@pytest.mark.slow
@pytest.mark.rule("SQS-INF-1")
def test_v13_at_the_limit_a_short_poll_is_refused_and_a_long_one_is_empty() -> None:
    queue = ms.StandardQueue(ms.Queue(), name="q")
    for _ in range(120_001):
        queue.send("a", 0)
    for _ in range(12_000):
        queue.receive(0, 10)
    assert queue.counts(0) == (1, 120_000, 0)
    with pytest.raises(OverLimit, match="120000"):
        queue.receive(0)
    assert bodies(queue, 0, wait_time=20) == []
    assert bodies(queue, 30, wait_time=20) != []


def attempts_of(server: ms.Server) -> tuple[list[float], int]:
    """When a delivery to an HTTPS endpoint is tried, and how many of one are dead letters in the end."""
    dead = ms.StandardQueue(ms.Queue(), "dead")
    web = ms.Subscription(endpoint="https://example.com", protocol="https", server=server, redrive="dead")
    topic = ms.TopicFanout(ms.Topic(subscriptions=[web]), endpoints={"dead": dead})
    topic.publish("x", 0)
    times = [0.0] * topic.attempts
    for now in range(1, 200):
        topic.advance(now)
        times += [float(now)] * (topic.attempts - len(times))
    return times, dead.counts(200).visible


@pytest.mark.rule("SNS-RTY-3")
@pytest.mark.rule("SNS-RTY-6")
def test_v14_three_retries_twenty_seconds_apart_then_the_dead_letters() -> None:
    assert attempts_of(ms.Server(failures={"503": 1})) == ([0, 20, 40, 60], 1)
    assert attempts_of(ms.Server(failures={"404": 1})) == ([0], 1)
    assert attempts_of(ms.Server(latency=100)) == ([0, 35, 70, 105], 1)
    assert attempts_of(ms.Server(failures={"timeout": 1})) == ([0, 35, 70, 105], 1)


@pytest.mark.rule("SNS-RTY-1")
@pytest.mark.rule("SNS-SUB-6")
def test_v15_a_queue_that_denies_is_not_tried_again() -> None:
    live = {name: ms.StandardQueue(ms.Queue(), name) for name in ("q", "dead")}
    denied = ms.Subscription(endpoint="q", server=ms.Server(denies=True), redrive="dead")
    topic = ms.TopicFanout(ms.Topic(subscriptions=[denied]), endpoints=live)
    topic.publish("x", 0)
    assert (topic.attempts, topic.next_deadline()) == (1, None)
    assert [live[name].counts(0).visible for name in ("q", "dead")] == [0, 1]


@pytest.mark.rule("SNS-SUB-2")
def test_v18_what_is_published_before_the_confirmation_is_never_delivered() -> None:
    pending = ms.Subscription(endpoint="https://example.com", protocol="https", confirmed_at=5)
    topic = ms.TopicFanout(ms.Topic(subscriptions=[pending]))
    topic.publish("before", 4)
    topic.publish("after", 5)
    topic.advance(1e6)
    assert topic.delivered == 1


def passing(topic: ms.Topic, *published: dict[str, Any]) -> list[bool]:
    """Whether each of some publishes gets through the only subscription of a topic."""
    queue = ms.StandardQueue(ms.Queue(), name="q")
    live = ms.TopicFanout(topic, name="t", endpoints={"q": queue})
    found = []
    for attributes in published:
        before = live.delivered
        live.publish("a", 0, attributes=attributes)
        found.append(live.delivered > before)
    return found


@pytest.mark.rule("SNS-FLT-2")
@pytest.mark.rule("SNS-FLT-5")
def test_v16_a_store_and_a_range_of_prices() -> None:
    policy = {"store": ["x"], "price": [{"numeric": [">=", 10, "<", 20]}]}
    topic = ms.Topic(subscriptions=[ms.Subscription(endpoint="q", filter_policy=policy)])
    given = ({"store": "x", "price": 10}, {"store": "x", "price": 20}, {"store": "x"})
    assert passing(topic, *given, {"store": ["y", "x"], "price": 15}) == [True, False, False, True]


@pytest.mark.rule("SNS-FLT-2")
@pytest.mark.rule("SNS-FLT-3")
def test_v17_absent_or_a_value() -> None:
    topic = ms.Topic(subscriptions=[ms.Subscription(endpoint="q", filter_policy={"k": [{"exists": False}, "a"]})])
    assert passing(topic, {"j": "z"}, {"k": "a"}, {"k": "b"}, {}) == [True, True, False, False]


@pytest.mark.rule("SES-QUO-2")
@pytest.mark.rule("SES-QUO-3")
def test_v19_the_daily_quota_slides() -> None:
    account = ms.SendingAccount(ms.Outbox(max_24_hour_send=1_000))
    for _ in range(20):
        account.send_email(ms.Email([f"a{n}@x.org" for n in range(50)]), 0)
    with pytest.raises(Throttled, match=r"^Daily message quota exceeded$"):
        account.send_email(ms.Email("a@x.org"), 86_399)
    assert account.send_email(ms.Email("a@x.org"), 86_401)


def told(account: ms.SendingAccount) -> list[tuple[str, float, str]]:
    events: list[tuple[str, float, str]] = []
    account.on_event = lambda event, *_: events.append(
        (event.kind, event.at, f"{event.details.get('bounceType', '')}/{event.details.get('bounceSubType', '')}")
    )
    return events


@pytest.mark.rule("SES-SUP-1")
@pytest.mark.rule("SES-SUP-3")
@pytest.mark.parametrize(
    ("reasons", "sub_type", "rate"), [(None, "OnAccountSuppressionList", 0.0), ([], "Suppressed", 1.0)]
)
def test_v20_an_address_on_a_list(reasons: list[str] | None, sub_type: str, rate: float) -> None:
    outbox = ms.Outbox(receivers=[Receiver(unknown_users=1)], suppressed_reasons=reasons, reputation=ReputationPolicy())
    account = ms.SendingAccount(outbox, rng=Random(1))
    account.send_email(ms.Email("gone@x.org"), 0)  # puts it on the list
    account.reputation = Reputation(ReputationPolicy())
    events, quota = told(account), account.sent_last_24_hours(1)
    assert account.send_email(ms.Email("gone@x.org"), 1, terms=account.terms())
    assert events == [("Send", 1, "/"), ("Bounce", 1, f"Permanent/{sub_type}")]
    assert account.sent_last_24_hours(1) == quota + 1
    assert account.reputation.bounce_rate == rate


@pytest.mark.rule("SES-BNC-1")
@pytest.mark.rule("SES-BNC-2")
@pytest.mark.rule("SES-BNC-4")
def test_v21_a_mailbox_that_stays_full() -> None:
    outbox = ms.Outbox(receivers=[Receiver(full_mailboxes=1)], reputation=ReputationPolicy())
    account = ms.SendingAccount(outbox, rng=Random(1))
    events = told(account)
    account.send_email(ms.Email("full@x.org"), 0)
    account.advance(nextafter(50_400, 0))
    assert {kind for kind, *_ in events} == {"Send", "DeliveryDelay"}
    account.advance(50_400)
    assert events[-1] == ("Bounce", 50_400, "Transient/MailboxFull")
    assert account.reputation is not None
    assert account.reputation.bounce_rate == 0
