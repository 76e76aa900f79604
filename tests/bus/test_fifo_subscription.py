"""Deliveries of FIFO topics that are repeated, hold up their group, or fail for good."""

import copy
import pickle
from collections.abc import Iterable
from math import inf
from random import Random
from typing import Any

import attrs
import pytest

import msgsim as ms
from msgsim.bus.fifo_subscription import FifoSubscriber
from msgsim.bus.fifo_topic import FifoFanout
from msgsim.errors import AuditError, DeclarationError, InvalidParameter, UnknownName

NAMES = ("fifo", "fifo-dead", "standard", "standard-dead")
FIFO = ms.Subscription(endpoint="fifo", raw=True, log_rate=1.0)
STANDARD = ms.Subscription(endpoint="standard", raw=True, log_rate=1.0)
DOWN = ms.Server(outages=[ms.Outage(at=0, duration=100)])
FOR_GOOD = ms.Server(outages=[ms.Outage(at=0, duration=inf)])


def queue_named(name: str, **fields: Any) -> Any:
    is_fifo = name.startswith("fifo")
    return (ms.FifoQueue if is_fifo else ms.StandardQueue)(ms.Queue(fifo=is_fifo, **fields), name)


def topic_of(
    *subscriptions: ms.Subscription, small: Iterable[str] = (), blocks: bool = True, **fields: Any
) -> FifoFanout:
    queues = {name: queue_named(name, **({"max_message_bytes": 1_024} if name in small else {})) for name in NAMES}
    declared = ms.Topic(subscriptions=subscriptions, fifo=True, **fields)
    return FifoFanout(declared, "t", endpoints=queues, rng=Random(7), blocks=blocks)


def the(topic: FifoFanout) -> FifoSubscriber:
    only: FifoSubscriber = next(iter(topic.subscriptions.values()))
    return only


def dead_of(topic: FifoFanout) -> Any:
    """The queue for the dead letters of the only subscription."""
    each = the(topic)
    return each.queues()[str(each.declaration.redrive)]


def publish(topic: FifoFanout, now: float, *bodies: str, group: str = "g", **fields: Any) -> None:
    for body in bodies:
        topic.publish(body, now, group_id=group, deduplication_id=body, **fields)
    topic.check()


def drive(topic: FifoFanout) -> list[float]:
    """Go from deadline to deadline; when they were."""
    times: list[float] = []
    while (due := topic.next_deadline()) is not None:
        times.append(due)
        topic.advance(due)
        topic.check()
    return times


def outcome(topic: FifoFanout) -> tuple[int, int, int, int]:
    each = the(topic)
    return each.delivered, each.delivery_dead_lettered, each.delivery_dropped, each.pending


def came(queue: Any) -> list[tuple[str, float]]:
    return [(message.body, message.arrived_at) for message in queue.live()]


@pytest.mark.rule("SNS-FIFO-3")
@pytest.mark.rule("SNS-RTY-1")
@pytest.mark.parametrize("subscription", [FIFO, STANDARD])
def test_a_failed_attempt_holds_up_its_group_for_that_subscriber(subscription: ms.Subscription) -> None:
    server = ms.Server(outages=[ms.Outage(at=0, duration=1)])
    topic = topic_of(attrs.evolve(subscription, server=server), ms.Subscription(endpoint="fifo-dead", raw=True))
    publish(topic, 0.5, "a1", "a2", group="a")
    publish(topic, 1.0, "a3", group="a")
    publish(topic, 1.0, "b1", group="b")
    each = the(topic)
    assert (each.attempts, each.pending, each.held_up, topic.held_up) == (5, 3, 2, 2)  # three retries without a pause
    assert came(each.queue) == [("b1", 1.0)]
    assert topic.subscriptions["fifo-dead"].delivered == 4
    assert drive(topic) == [1.5]
    assert sorted(came(each.queue), key=lambda pair: pair[1:]) == [
        ("b1", 1.0),
        ("a1", 1.5),
        ("a2", 1.5),
        ("a3", 1.5),
    ]
    assert (each.attempts, each.failed_attempts, each.held_up) == (8, 4, 0)


@pytest.mark.rule("SNS-FIFO-3")
def test_groups_that_are_not_held_up_can_overtake() -> None:
    server = ms.Server(outages=[ms.Outage(at=0, duration=1)])
    topic = topic_of(attrs.evolve(FIFO, server=server), blocks=False)
    publish(topic, 0.5, "first")
    publish(topic, 1.0, "second")
    assert (the(topic).pending, the(topic).held_up) == (1, 0)
    drive(topic)
    assert came(the(topic).queue) == [("second", 1.0), ("first", 1.5)]


@pytest.mark.rule("SNS-FIFO-3")
@pytest.mark.rule("SNS-RTY-2")
def test_what_fails_for_23_days_lets_the_next_of_its_group_begin() -> None:
    topic = topic_of(attrs.evolve(FIFO, server=FOR_GOOD, redrive="fifo-dead"))
    publish(topic, 0.0, "a", "b")
    assert drive(topic) == [pytest.approx(2_000_132, abs=1), pytest.approx(2 * 2_000_132, abs=2)]
    each = the(topic)
    assert (each.attempts, each.failed_attempts) == (200_032, 200_032)
    assert (outcome(topic), topic.delivery_failed) == ((0, 2, 0, 0), 2)


@pytest.mark.rule("SNS-RTY-2")
def test_attempts_in_an_outage_are_those_of_the_first_in_line() -> None:
    topic = topic_of(attrs.evolve(FIFO, server=DOWN))
    publish(topic, 0.0, *"abcdefgh")
    topic.advance(99.0)
    alone = topic_of(attrs.evolve(FIFO, server=DOWN))
    publish(alone, 0.0, "a")
    alone.advance(99.0)
    assert the(topic).attempts == the(alone).attempts > 10
    drive(topic)
    assert [body for body, _ in came(the(topic).queue)] == list("abcdefgh")


def test_a_long_line_moves_on_at_once() -> None:
    topic = topic_of(attrs.evolve(FIFO, server=DOWN))
    for number in range(3_000):
        topic.publish("x", 0.0, group_id="g", deduplication_id=f"{number}")
    assert len(drive(topic)) == 1
    assert outcome(topic) == (3_000, 0, 0, 0)


@pytest.mark.rule("SNS-FIFO-3")
def test_an_answer_that_takes_its_time_holds_up_its_group() -> None:
    topic = topic_of(attrs.evolve(FIFO, server=ms.Server(latency=2), delivery_delay=1.0))
    publish(topic, 0.0, "a1", "a2", group="a")
    publish(topic, 0.0, "b1", group="b")
    drive(topic)
    assert sorted(came(the(topic).queue), key=lambda pair: pair[1]) == [("a1", 3.0), ("b1", 3.0), ("a2", 5.0)]
    assert [(entry.at, entry.dwell_time) for entry in the(topic).log] == [(3.0, 2.0), (3.0, 2.0), (5.0, 2.0)]


@pytest.mark.rule("SNS-SUB-6")
@pytest.mark.rule("SNS-RTY-1")
def test_what_a_policy_does_not_allow_holds_up_nobody() -> None:
    topic = topic_of(attrs.evolve(FIFO, server=ms.Server(denies=True), redrive="fifo-dead"))
    publish(topic, 0.0, "a", "b")
    assert (outcome(topic), topic.next_deadline(), the(topic).attempts) == ((0, 2, 0, 0), None, 2)


@pytest.mark.rule("SNS-DLQ-2")
@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize(("endpoint", "dead"), [("fifo", "fifo-dead"), ("standard", "standard-dead")])
def test_a_dead_letter_keeps_its_form_its_group_and_its_id(raw: bool, endpoint: str, dead: str) -> None:
    subscription = ms.Subscription(endpoint=endpoint, raw=raw, redrive=dead, failure_rate=1.0)
    topic = topic_of(subscription)
    queue = attrs.evolve(subscription, endpoint=dead, redrive=None, failure_rate=0.0)
    lively = topic_of(queue)
    for each in (topic, lively):
        publish(each, 3.0, "hello", attributes={"kind": "a"})
    (letter,) = dead_of(topic).receive(3.0)
    (delivery,) = the(lively).queue.receive(3.0)  # type: ignore[union-attr, attr-defined]
    assert (letter.body, letter.attributes) == (delivery.body, delivery.attributes)
    assert letter.message.group_id == "g"
    if endpoint == "fifo":
        assert letter.message.given_id == "hello"


@pytest.mark.rule("SNS-DLQ-1")
def test_dead_letters_of_a_fifo_queue_need_a_fifo_queue() -> None:
    needed = "must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic"
    wrong = attrs.evolve(FIFO, redrive="standard-dead")
    with pytest.raises(DeclarationError, match=needed):
        topic_of(wrong)
    queues = {name: ms.Queue(fifo=name.startswith("fifo")) for name in NAMES}
    with pytest.raises(DeclarationError, match=rf"topics\.t\.subscriptions\.0\.redrive: 'standard-dead': .*{needed}"):
        ms.Scenario(topics={"t": ms.Topic(fifo=True, subscriptions=[wrong])}, queues=queues)
    with pytest.raises(UnknownName):
        topic_of(attrs.evolve(FIFO, redrive="nobody"))
    for dead in ("standard-dead", "fifo-dead"):  # the service minds FIFO subscriptions only
        topic = topic_of(attrs.evolve(STANDARD, redrive=dead, failure_rate=1.0))
        publish(topic, 0.0, "a")
        assert outcome(topic) == (0, 1, 0, 0)


@pytest.mark.rule("SNS-DLQ-1")
def test_so_do_those_of_a_subscription_that_is_new_or_changes_and_a_queue_that_comes_back() -> None:
    needed = "must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic"
    fifo, standard = queue_named("fifo-dead"), queue_named("standard-dead")
    topic = topic_of(attrs.evolve(STANDARD, failure_rate=1.0))
    declared = attrs.evolve(FIFO, redrive="dead", failure_rate=1.0)
    with pytest.raises(DeclarationError, match=needed):
        topic.subscribe(declared, queue_named("fifo"), standard)
    assert list(topic.subscriptions) == ["standard"]
    each = topic.subscribe(declared, queue_named("fifo"), fifo)
    publish(topic, 0.0, "a")
    changed = attrs.evolve(declared, redrive="other")
    with pytest.raises(DeclarationError, match=needed):
        topic.change("fifo", changed, dead_letter_queue=standard)
    with pytest.raises(UnknownName, match="no queue named 'other'"):
        topic.change("fifo", changed)
    other = queue_named("fifo-other")
    topic.change("fifo", changed, dead_letter_queue=other)
    publish(topic, 1.0, "b")
    with pytest.raises(DeclarationError, match=needed):
        topic.bind("other", standard)
    again = queue_named("fifo-again")
    topic.bind("other", again)
    publish(topic, 2.0, "c")
    assert [[body for body, _ in came(queue)] for queue in (fifo, other, again, standard)] == [["a"], ["b"], ["c"], []]
    assert (each.delivery_failed, each.delivery_dead_lettered, topic.delivery_dropped) == (3, 3, 3)


@pytest.mark.rule("SNS-DLQ-1")
@pytest.mark.parametrize("fields", [{"delivery_delay": 3.0}, {"server": ms.Server(latency=2)}])
def test_a_delivery_keeps_the_form_and_the_dead_letter_queue_with_which_it_began(fields: dict[str, Any]) -> None:
    declared = attrs.evolve(FIFO, failure_rate=1.0, **fields)
    topic = topic_of(declared)
    one, two = queue_named("fifo-one"), queue_named("fifo-two")
    if "server" in fields:
        declared = attrs.evolve(declared, failure_rate=0.0)
        topic = topic_of(declared)
        the(topic).queue.set_attributes(0.0, max_message_bytes=1_024)  # type: ignore[union-attr, attr-defined]
    steps: list[tuple[bool, str | None, Any]] = [
        (True, None, None),
        (True, "one", one),
        (False, "two", two),
        (True, None, None),
    ]
    for number, (raw, redrive, queue) in enumerate(steps):
        topic.change("fifo", attrs.evolve(declared, raw=raw, redrive=redrive), dead_letter_queue=queue)
        topic.publish(f"{number}" * 1_100, 0.0, group_id="g", deduplication_id=f"{number}")
    drive(topic)
    assert [body[0] for body, _ in came(one)] == ["1"]
    assert [body[0] for body, _ in came(two)] == ["{"]
    assert outcome(topic) == (0, 2, 2, 0)


def test_a_queue_that_is_there_again_gets_what_is_under_way_in_its_order() -> None:
    topic = topic_of(attrs.evolve(FIFO, server=ms.Server(latency=5)), STANDARD)
    plain = topic_of(ms.Subscription(endpoint="fifo", raw=True))
    again = queue_named("fifo")
    publish(topic, 0.0, "1", "2")
    publish(plain, 0.0, "1")
    for each in (topic, plain):
        the(each).queue.close(1.0)  # type: ignore[union-attr, attr-defined]
    publish(plain, 1.0, "2")
    topic.bind("fifo", again)
    plain.bind("standard", queue_named("standard"))
    plain.bind("fifo", queue_named("fifo"))
    publish(plain, 2.0, "3")
    drive(topic)
    assert came(again) == [("1", 5.0), ("2", 10.0)]
    assert came(the(plain).queue) == [("3", 2.0)]
    assert outcome(plain) == (2, 0, 1, 0)
    plain.bind("fifo", queue_named("fifo", max_message_bytes=1_024))
    plain.publish("x" * 1_025, 3.0, group_id="g", deduplication_id="long")
    assert outcome(plain) == (2, 0, 2, 0)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda topic: pickle.loads(pickle.dumps(topic))])  # noqa: S301
def test_a_copy_goes_its_own_way(copied: Any) -> None:
    server = ms.Server(latency=ms.Exponential(2), failures={"503": 0.5}, outages=[ms.Outage(at=5, duration=30)])
    topic = topic_of(
        attrs.evolve(FIFO, server=server, delivery_delay=ms.Exponential(3), redrive="fifo-dead"),
        ms.Subscription(endpoint="standard", filter_policy={"kind": ["a"]}),
        archive=1,
    )
    for number in range(20):
        publish(topic, float(number), f"{number}", group="ab"[number % 2], attributes={"kind": "abb"[number % 3]})
    topic.replay("standard", 19.0, start=0.0)
    assert the(topic).held_up > 0
    twin = copied(topic)
    for each in (topic, twin):
        drive(each)
        publish(each, 100.0, "last", attributes={"kind": "a"})
        drive(each)
    assert the(twin).log == the(topic).log
    for name in ("fifo", "standard"):
        assert repr(twin.subscriptions[name]) == repr(topic.subscriptions[name])
        assert came(twin.subscriptions[name].queue) == came(topic.subscriptions[name].queue)
    twin.subscriptions["standard"].queue.close(500.0)
    for each in (topic, twin):
        publish(each, 500.0, "more", attributes={"kind": "a"})
    assert (topic.subscriptions["standard"].delivery_failed, twin.subscriptions["standard"].delivery_failed) == (0, 1)


@pytest.mark.rule("SNS-DLQ-3")
def test_a_dead_letter_queue_may_be_gone_or_too_small() -> None:
    topic = topic_of(attrs.evolve(FIFO, redrive="fifo-dead", failure_rate=1.0), small=["fifo-dead"])
    publish(topic, 0.0, "x" * 128)
    topic.publish("x" * 1_025, 0.0, group_id="g", deduplication_id="long")
    assert (outcome(topic), topic.redrive_failed) == ((0, 1, 1, 0), 1)
    dead_of(topic).set_attributes(0.5, max_message_bytes=2_048, attribute_lag=0)
    topic.publish("x" * 1_025, 0.5, group_id="g", deduplication_id="taken")
    assert (outcome(topic), topic.redrive_failed) == ((0, 2, 1, 0), 1)
    dead_of(topic).close(1.0)
    publish(topic, 1.0, "y")
    assert (outcome(topic), topic.redrive_failed) == ((0, 2, 2, 0), 2)


@pytest.mark.rule("SNS-ENV-5")
@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("server", [None, ms.Server()])
@pytest.mark.parametrize("endpoint", ["fifo", "standard"])
def test_what_is_larger_than_its_queue_takes_is_not_delivered(
    raw: bool, server: ms.Server | None, endpoint: str
) -> None:
    subscription = ms.Subscription(endpoint=endpoint, raw=raw, redrive=f"{endpoint}-dead", server=server)
    topic = topic_of(subscription, small=[endpoint])
    for size in (1_024 - len("nString") - 16, 1_024 - len("nString") - 15):
        topic.publish("x" * size, 0.0, group_id="g", deduplication_id=f"{size}", attributes={"n": "y" * 16})
    topic.check()
    assert outcome(topic) == ((1, 1, 0, 0) if raw else (0, 2, 0, 0))
    assert the(topic).failed_attempts == the(topic).delivery_failed


@pytest.mark.rule("SNS-ENV-5")
def test_a_queue_that_becomes_smaller_is_noticed() -> None:
    topic = topic_of(ms.Subscription(endpoint="fifo", raw=True))
    queue: Any = the(topic).queue
    long = "x" * 2_000
    topic.publish(long, 0.0, group_id="g", deduplication_id="1")
    queue.set_attributes(1.0, max_message_bytes=1_024)
    topic.publish(long, 1.0, group_id="g", deduplication_id="2")
    queue.set_attributes(2.0, max_message_bytes=4_096)
    topic.publish(long, 2.0, group_id="g", deduplication_id="3")
    assert outcome(topic) == (2, 0, 1, 0)
    topic.check()


@pytest.mark.rule("SNS-ENV-5")
def test_a_queue_may_become_smaller_or_go_while_a_delivery_is_under_way() -> None:
    topic = topic_of(attrs.evolve(FIFO, server=ms.Server(latency=5)))
    queue: Any = the(topic).queue
    topic.publish("x" * 2_000, 0.0, group_id="g", deduplication_id="1")
    queue.set_attributes(1.0, max_message_bytes=1_024)
    publish(topic, 1.0, "short")
    topic.advance(5.0)
    queue.close(6.0)
    drive(topic)
    assert [entry.status for entry in the(topic).log] == ["message too long", "endpoint deleted"]
    assert outcome(topic) == (0, 0, 2, 0)


@pytest.mark.rule("SNS-ENV-4")
@pytest.mark.parametrize("server", [None, ms.Server()])
def test_a_queue_takes_ten_raw_attributes(server: ms.Server | None) -> None:
    topic = topic_of(ms.Subscription(endpoint="fifo", raw=True, server=server), ms.Subscription(endpoint="standard"))
    for count in (10, 11):
        publish(topic, 0.0, f"{count}", attributes={f"a{number}": "x" for number in range(count)})
    assert outcome(topic) == (1, 0, 1, 0)
    assert topic.subscriptions["standard"].delivered == 2


def test_chance_fails_deliveries_with_a_server_and_without_alike() -> None:
    fates = []
    for fields in ({}, {"server": ms.Server()}):
        topic = topic_of(ms.Subscription(endpoint="fifo", raw=True, failure_rate=0.5, **fields))  # type: ignore[arg-type]
        publish(topic, 0.0, *map(str, range(100)))
        drive(topic)
        fates.append([body for body, _ in came(the(topic).queue)])
        assert the(topic).attempts == 100
        assert the(topic).failed_attempts == the(topic).delivery_failed == 100 - len(fates[-1])
    assert fates[0] == fates[1]
    assert 30 < len(fates[0]) < 70


@pytest.mark.rule("SNS-RTY-9")
def test_what_takes_everything_at_once_has_a_log_too() -> None:
    topic = topic_of(FIFO)
    publish(topic, 0.0, "a", "b")
    assert [(entry.at, entry.status) for entry in the(topic).log] == [(0.0, "200"), (0.0, "200")]
    assert outcome(topic) == (2, 0, 0, 0)


@pytest.mark.rule("SNS-SUB-2")
def test_the_queue_of_another_account_gets_what_is_published_once_it_is_confirmed() -> None:
    topic = topic_of(
        ms.Subscription(endpoint="fifo", raw=True, confirmed_at=10.0),
        ms.Subscription(endpoint="standard", raw=True, confirmed_at=None),
        archive=1,
    )
    for number, now in enumerate((0.0, 9.99, 10.0, 11.0)):
        publish(topic, now, f"{number}")
    assert (the(topic).delivered, the(topic).missed, the(topic).filtered_out) == (2, 2, 0)
    never = topic.subscriptions["standard"]
    assert (never.delivered, never.missed, never.pending) == (0, 4, 0)
    with pytest.raises(InvalidParameter, match="pending confirmation"):
        topic.replay("standard", 11.0, start=0.0)
    topic.confirm("standard", 12.0)
    publish(topic, 12.0, "last")
    assert (never.delivered, never.missed) == (1, 4)
    with pytest.raises(UnknownName):
        topic.confirm("nobody", 12.0)


@pytest.mark.rule("SNS-ARC-2")
@pytest.mark.rule("SNS-FIFO-3")
def test_what_is_replayed_is_tried_again_in_order_and_before_what_is_published_then() -> None:
    server = ms.Server(outages=[ms.Outage(at=10, duration=90)])
    topic = topic_of(attrs.evolve(STANDARD, server=server), archive=1)
    publish(topic, 0.0, "1", "2", "3")
    topic.replay("standard", 20.0, start=0.0)
    topic.advance(21.0)
    each = the(topic)
    assert (each.replays_pending, each.pending, each.held_up) == (3, 0, 2)
    publish(topic, 21.0, "4")
    assert (each.replays_pending, each.pending, each.held_up) == (3, 1, 3)
    drive(topic)
    arrivals = sorted(came(each.queue), key=lambda pair: pair[1])
    assert [body for body, _ in arrivals] == ["1", "2", "3", "1", "2", "3", "4"]
    assert (each.delivered, each.replayed_delivered, each.pending, each.replays_pending) == (4, 3, 0, 0)


@pytest.mark.rule("SNS-ARC-2")
@pytest.mark.parametrize("server", [None, ms.Server(denies=True)])
@pytest.mark.parametrize(("redrive", "kept"), [(None, 0), ("standard-dead", 3)])
def test_what_fails_in_a_replay_is_counted_apart(server: ms.Server | None, redrive: str | None, kept: int) -> None:
    declared = ms.Subscription(endpoint="standard", redrive=redrive, server=server, failure_rate=1.0)
    topic = topic_of(declared, archive=1)
    publish(topic, 0.0, "1", "2", "3")
    topic.replay("standard", 20.0, start=0.0)
    drive(topic)
    each = the(topic)
    assert (each.delivery_failed, each.delivery_dead_lettered, each.redrive_failed) == (3, kept, 0)
    assert (topic.replayed_failed, topic.replayed_dead_lettered) == (3, kept)
    assert each.attempts == each.failed_attempts == 6


def test_deliveries_under_way_are_still_made_when_nobody_is_subscribed_any_more() -> None:
    topic = topic_of(attrs.evolve(FIFO, server=DOWN))
    publish(topic, 0.0, "a", "b")
    each: Any = topic.unsubscribe("fifo")
    publish(topic, 1.0, "c")
    drive(topic)
    assert [body for body, _ in came(each.queue)] == ["a", "b"]


def test_a_line_that_nobody_moves_is_found() -> None:
    topic = topic_of(attrs.evolve(FIFO, server=DOWN))
    publish(topic, 0.0, "a", "b")
    topic._pending.clear()
    topic.check(deep=False)
    with pytest.raises(AuditError, match="nothing is under way that 2 of group 'g' wait for"):
        topic.check()


def test_whoever_publishes_as_a_message_arrives_comes_behind_it() -> None:
    topic = topic_of(attrs.evolve(FIFO, server=DOWN))
    queue: Any = the(topic).queue
    publish(topic, 0.0, "a", "b")

    def again() -> None:
        if topic.published < 4:
            topic.publish(f"more {topic.published}", topic._now, group_id="g", deduplication_id=f"{topic.published}")

    queue.on_change = again
    drive(topic)
    assert [body for body, _ in came(queue)] == ["a", "b", "more 2", "more 3"][: the(topic).delivered]
    assert the(topic).pending == 0


def test_a_scenario_shows_what_an_outage_of_a_fifo_queue_does() -> None:
    server = ms.Server(outages=[ms.Outage(at=60, duration=120)])
    scenario = ms.Scenario(
        topics={
            "t": ms.Topic(fifo=True, subscriptions=[ms.Subscription(endpoint="q", server=server, redrive="dead")]),
        },
        queues={"q": ms.Queue(fifo=True), "dead": ms.Queue(fifo=True)},
        traffic={"source": ms.Traffic(to="t", rate=ms.Constant(2), groups=ms.UniformGroups(5))},
        workers={"crew": ms.Workers(queue="q", count=5, service_time=ms.Fixed(0.1))},
    )
    run = ms.simulate(scenario, until=300, seed=3)
    run.audit()
    assert run.total("t", "published") == run.total("t", "delivered") == run.total("q", "sent") > 500
    assert run.total("t/q", "failed_attempts") == 5 * 15
    assert run.total("dead", "sent") == run.total("t/q", "delivery_failed") == 0
    assert run.stat("t/q", "pending", "max") > 200
    assert run.final("t/q", "pending") == 0
