"""Fan-out of live topics: who gets what, when, and that the books balance."""

import json
import math
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgsim.bus.fifo import FifoQueue
from msgsim.bus.filters import compile_policy
from msgsim.bus.message import Message, format_id, id_base
from msgsim.bus.publication import Envelope
from msgsim.bus.queue import Queue
from msgsim.bus.standard import StandardQueue
from msgsim.bus.topic import Subscription, Topic, TopicFanout
from msgsim.distributions import Exponential, Fixed, Uniform
from msgsim.errors import (
    AuditError,
    DeclarationError,
    InvalidParameter,
    InvalidParameterValue,
    TimeRanBackwards,
    UnknownName,
)


class Inbox:
    """A queue that keeps what it is given."""

    def __init__(self) -> None:
        self.got: list[tuple[Any, Any, float, int | None, float]] = []

    def enqueue(self, content: Any, attributes: Any, now: float, origin: int | None, origin_at: float) -> None:
        self.got.append((content, attributes, now, origin, origin_at))

    def enqueue_grouped(
        self, content: Any, attributes: Any, now: float, origin: int | None, origin_at: float, group_id: str
    ) -> None:
        self.got.append((content, {**(attributes or {}), "group": group_id}, now, origin, origin_at))

    @property
    def times(self) -> list[float]:
        return [now for _, _, now, _, _ in self.got]


def _topic(*subscriptions: Subscription, rng: Any = None) -> tuple[TopicFanout, dict[str, Inbox]]:
    inboxes = {each.endpoint: Inbox() for each in subscriptions if each.protocol == "sqs"}
    return TopicFanout(Topic(subscriptions=subscriptions), "t", endpoints=inboxes, rng=rng), inboxes


def _numbers(topic: TopicFanout) -> dict[str, tuple[int, int, int, int]]:
    topic.check()
    return {
        name: (each.delivered, each.filtered_out, each.delivery_failed, each.pending)
        for name, each in topic.subscriptions.items()
    }


def _text(content: Envelope) -> dict[str, Any]:
    message = Message()
    message.number = 1
    message.origin, message.origin_at = 2, 0.0
    fields: dict[str, Any] = json.loads(content.render(message))
    return fields


# ---------------------------------------------------------------- declarations


def test_a_topic_without_subscriptions_loses_what_is_published() -> None:
    topic, _ = _topic()
    topic.publish("x", 0)
    assert (topic.published, topic.delivered, topic.filtered_out) == (1, 0, 0)
    topic.check()


@pytest.mark.rule("SNS-SUB-4")
def test_an_endpoint_is_subscribed_once_per_protocol() -> None:
    one = Subscription(endpoint="a@example.com", protocol="email")
    with pytest.raises(DeclarationError) as caught:
        Topic(subscriptions=[one, Subscription(endpoint="a@example.com", protocol="email", failure_rate=0.1)])
    assert caught.value.path == "Topic.subscriptions.1"
    assert caught.value.problem == "email endpoint 'a@example.com' is subscribed already (SNS-SUB-4)"


def test_subscriptions_are_named_by_endpoint_and_where_needed_by_protocol() -> None:
    topic = Topic(
        subscriptions=[
            Subscription(endpoint="a"),
            Subscription(endpoint="a", protocol="sms"),
            Subscription(endpoint="sms:a", protocol="sms"),
        ]
    )
    assert [(name, each.protocol) for name, each in topic.named().items()] == [
        ("a", "sqs"),
        ("sms:a", "sms"),
        ("sms:sms:a", "sms"),
    ]
    live = TopicFanout(topic, "t", endpoints={"a": Inbox()})
    assert [each.name for each in live.subscriptions.values()] == ["t/a", "t/sms:a", "t/sms:sms:a"]
    assert live.declaration is topic
    assert live.subscriptions["a"].declaration is topic.subscriptions[0]


def test_a_subscribed_queue_must_be_there() -> None:
    topic = Topic(subscriptions=[Subscription(endpoint="emial")])
    with pytest.raises(UnknownName, match="no queue named 'emial'; did you mean 'emails'"):
        TopicFanout(topic, endpoints={"emails": Inbox()})
    with pytest.raises(UnknownName, match="declared: none"):
        TopicFanout(topic)


@pytest.mark.parametrize("fields", [{"failure_rate": 0.1}, {"delivery_delay": Exponential(1)}])
def test_chance_needs_a_generator(fields: dict[str, Any]) -> None:
    with pytest.raises(DeclarationError, match=r"t/a: its deliveries fail or take time by chance: .* rng="):
        _topic(Subscription(endpoint="a", **fields))


# ---------------------------------------------------------------- what is delivered


@pytest.mark.rule("SNS-ENV-1")
@pytest.mark.rule("SNS-ENV-3")
def test_queues_get_one_shared_envelope_without_attributes() -> None:
    topic, inboxes = _topic(Subscription(endpoint="a"), Subscription(endpoint="b"))
    first = topic.publish("x", 1.5, attributes={"kind": "placed"}, subject="Hi")
    second = topic.publish("y", 2.5)
    (envelope, attributes, now, origin, origin_at), (other, *_) = inboxes["a"].got
    assert inboxes["b"].got[0][0] is envelope
    assert (attributes, now, origin, origin_at) == (None, 1.5, id_base("t") + 1, 1.5)
    fields = _text(envelope)
    assert (fields["MessageId"], fields["Message"], fields["Subject"]) == (first, "x", "Hi")
    assert fields["Timestamp"] == "2026-01-01T00:00:01.500Z"
    assert fields["MessageAttributes"] == {"kind": {"Type": "String", "Value": "placed"}}
    assert first == format_id(id_base("t") + 1)
    assert _text(other)["MessageId"] == second == format_id(id_base("t") + 2)
    assert "Subject" not in _text(other)


@pytest.mark.rule("SNS-ENV-4")
def test_raw_delivery_is_the_message_and_its_attributes() -> None:
    topic, inboxes = _topic(Subscription(endpoint="a", raw=True))
    attributes = {"kind": "placed"}
    topic.publish("x", 1, attributes=attributes)
    attributes["kind"] = "changed"
    topic.publish("y", 2, attributes={})
    origin = id_base("t")
    assert inboxes["a"].got == [("x", {"kind": "placed"}, 1, origin + 1, 1), ("y", None, 2, origin + 2, 2)]


def test_the_origin_is_passed_on() -> None:
    topic, inboxes = _topic(Subscription(endpoint="a"), Subscription(endpoint="b", raw=True))
    topic.fan_out("x", None, 5.0, 77, 4.0)
    topic.route(None).publish("x", 6.0, 78, 4.5)
    for inbox in inboxes.values():
        assert [entry[2:] for entry in inbox.got] == [(5.0, 77, 4.0), (6.0, 78, 4.5)]


@pytest.mark.rule("SNS-FLT-12")
def test_each_subscription_gets_what_its_filter_lets_pass() -> None:
    topic, inboxes = _topic(
        Subscription(endpoint="placed", filter_policy={"kind": ["placed"]}, raw=True),
        Subscription(endpoint="all", raw=True),
        Subscription(endpoint="big", filter_policy={"size": [3], "kind": ["placed"]}, raw=True),
    )
    topic.publish("1", 0, attributes={"kind": "placed"})
    topic.publish("2", 0, attributes={"kind": "placed", "size": 3})
    topic.publish("3", 0, attributes={"kind": "shipped", "size": 3})
    topic.publish("4", 0)
    assert {name: [entry[0] for entry in inbox.got] for name, inbox in inboxes.items()} == {
        "placed": ["1", "2"],
        "all": ["1", "2", "3", "4"],
        "big": ["2"],
    }
    assert _numbers(topic) == {"placed": (2, 2, 0, 0), "all": (4, 0, 0, 0), "big": (1, 3, 0, 0)}
    assert (topic.published, topic.delivered, topic.filtered_out, topic.delivery_failed) == (4, 7, 5, 0)
    assert (topic.pending, topic.delivery_dead_lettered) == (0, 0)


@pytest.mark.rule("SNS-FLT-6")
def test_a_filter_can_look_at_the_body() -> None:
    topic, inboxes = _topic(
        Subscription(endpoint="body", filter_policy={"kind": ["placed"]}, filter_scope="MessageBody", raw=True),
        Subscription(endpoint="head", filter_policy={"kind": ["placed"]}, raw=True),
    )
    yes, no = '{"kind": "placed"}', '{"kind": "shipped"}'
    for body in (yes, yes, no, "placed", "[]"):
        topic.publish(body, 0)
    topic.publish(no, 0, attributes={"kind": "placed"})
    assert [entry[0] for entry in inboxes["body"].got] == [yes, yes]
    assert [entry[0] for entry in inboxes["head"].got] == [no]
    assert _numbers(topic) == {"body": (2, 4, 0, 0), "head": (1, 5, 0, 0)}


class Alternating:
    """A content whose text depends on the publish."""

    def render(self, message: Message) -> str:
        return json.dumps({"odd": bool(message.origin_id % 2), "number": message.number - id_base("t")})


@pytest.mark.rule("SNS-FLT-6")
def test_a_content_is_rendered_for_a_filter_that_looks_at_the_body() -> None:
    topic, inboxes = _topic(
        Subscription(endpoint="odd", filter_policy={"odd": [True]}, filter_scope="MessageBody"),
        Subscription(endpoint="third", filter_policy={"number": [3]}, filter_scope="MessageBody"),
    )
    content, route = Alternating(), topic.route(None)
    for origin in range(4):
        route.publish(content, 0.0, origin, 0.0)
    route.publish(content, 0.0, None, 0.0)
    assert [entry[3] for entry in inboxes["odd"].got] == [1, 3, *([None] if (id_base("t") + 5) % 2 else [])]
    assert [entry[3] for entry in inboxes["third"].got] == [2]
    assert _text(inboxes["third"].got[0][0])["Message"] == '{"odd": false, "number": 3}'


def test_other_protocols_are_counted() -> None:
    topic, _ = _topic(
        Subscription(endpoint="+1 555 0100", protocol="sms"),
        Subscription(endpoint="a@example.com", protocol="email", filter_policy={"kind": ["placed"]}),
        Subscription(endpoint="https://example.com", protocol="https", raw=True, delivery_delay=Fixed(2)),
    )
    topic.publish("x", 0)
    topic.publish("y", 1, attributes={"kind": "placed"})
    topic.advance(2)
    assert _numbers(topic) == {
        "+1 555 0100": (2, 0, 0, 0),
        "a@example.com": (1, 1, 0, 0),
        "https://example.com": (1, 0, 0, 1),
    }


# ---------------------------------------------------------------- routes

_SUBSCRIPTIONS = [
    Subscription(endpoint="a"),
    Subscription(endpoint="b", raw=True, filter_policy={"k": ["x", "y"]}),
    Subscription(endpoint="c", filter_policy={"k": ["y"], "n": [1, 2]}),
    Subscription(endpoint="d", filter_policy={"k": ["x"]}, delivery_delay=Uniform(0, 3), failure_rate=0.3),
    Subscription(endpoint="e", raw=True, delivery_delay=Fixed(1)),
    Subscription(endpoint="f", protocol="lambda", filter_policy={"n": [2]}, failure_rate=0.5),
    Subscription(endpoint="g", filter_policy={"k": ["z"]}, filter_scope="MessageBody"),
]
_ATTRIBUTES: list[dict[str, Any] | None] = [None, {}, {"k": "x"}, {"k": "y", "n": 2}, {"k": ["x", "y"], "n": 1.0}]
_BODIES = ['{"k": "z"}', "plain", '{"k": "x"}']


def _record(inboxes: dict[str, Inbox]) -> dict[str, list[Any]]:
    return {
        name: [(_text(content) if isinstance(content, Envelope) else content, *rest) for content, *rest in inbox.got]
        for name, inbox in inboxes.items()
    }


@given(
    st.lists(st.sampled_from(_SUBSCRIPTIONS), unique_by=lambda each: each.endpoint),
    st.lists(st.tuples(st.sampled_from(range(5)), st.sampled_from(range(3)), st.floats(0, 2)), max_size=12),
)
def test_a_route_does_what_a_publish_does(
    subscriptions: list[Subscription], publishes: list[tuple[int, int, float]]
) -> None:
    checked, checked_inboxes = _topic(*subscriptions, rng=Random(1))
    trusted, trusted_inboxes = _topic(*subscriptions, rng=Random(1))
    routed, routed_inboxes = _topic(*subscriptions, rng=Random(1))
    routes = [routed.route(attributes, "s") for attributes in _ATTRIBUTES]
    now = 0.0
    for which, body, pause in publishes:
        now += pause
        origin = id_base("t") + checked.published + 1
        checked.publish(_BODIES[body], now, attributes=_ATTRIBUTES[which], subject="s")
        trusted.advance(now)
        trusted.fan_out(_BODIES[body], _ATTRIBUTES[which], now, origin, now, "s")
        routed.advance(now)
        routes[which].publish(_BODIES[body], now, origin, now)
        assert _numbers(checked) == _numbers(trusted) == _numbers(routed)
    for topic in (checked, trusted, routed):
        topic.advance(now + 3)
        assert topic.pending == 0
        ended = topic.delivered + topic.filtered_out + topic.delivery_failed
        assert ended == topic.published * len(subscriptions)
    assert _numbers(checked) == _numbers(trusted) == _numbers(routed)
    assert _record(checked_inboxes) == _record(trusted_inboxes) == _record(routed_inboxes)


@pytest.mark.rule("SNS-FLT-2")
@given(st.lists(st.sampled_from(_ATTRIBUTES), max_size=10))
def test_counts_are_those_of_the_filters(publishes: list[dict[str, Any] | None]) -> None:
    subscriptions = _SUBSCRIPTIONS[:3]
    topic, inboxes = _topic(*subscriptions)
    for attributes in publishes:
        topic.publish("x", 0, attributes=attributes)
    for each in subscriptions:
        passes = compile_policy(each.filter_policy) if each.filter_policy else bool
        expected = len(publishes) if each.filter_policy is None else sum(map(passes, publishes))
        live = topic.subscriptions[each.endpoint]
        assert len(inboxes[each.endpoint].got) == live.delivered == live.matched == expected
        assert live.filtered_out == len(publishes) - expected
    topic.check()


# ---------------------------------------------------------------- delays and failures


def test_a_delayed_delivery_happens_at_its_own_time() -> None:
    topic, inboxes = _topic(Subscription(endpoint="slow", delivery_delay=5), Subscription(endpoint="quick"))
    assert topic.next_deadline() is None
    topic.publish("x", 1)
    topic.publish("y", 2)
    assert inboxes["quick"].times == [1, 2]
    assert topic.next_deadline() == 6
    topic.advance(math.nextafter(6.0, 0))
    assert inboxes["slow"].times == []
    assert _numbers(topic)["slow"] == (0, 0, 0, 2)
    topic.advance(6)
    topic.advance(6)
    assert inboxes["slow"].times == [6]
    topic.advance(100)
    assert inboxes["slow"].times == [6, 7]
    assert [entry[2:] for entry in inboxes["slow"].got] == [(6, id_base("t") + 1, 1), (7, id_base("t") + 2, 2)]
    assert [_text(entry[0])["Timestamp"][-7:-1] for entry in inboxes["slow"].got] == ["01.000", "02.000"]
    assert topic.next_deadline() is None
    assert _numbers(topic) == {"slow": (2, 0, 0, 0), "quick": (2, 0, 0, 0)}


def test_deliveries_due_at_one_instant_keep_the_order_of_publishing() -> None:
    topic, inboxes = _topic(Subscription(endpoint="a", raw=True, delivery_delay=1))
    for body in "bac":
        topic.publish(body, 0)
    topic.advance(1)
    assert [entry[0] for entry in inboxes["a"].got] == ["b", "a", "c"]


def test_no_delay_is_a_delivery_at_once() -> None:
    topic, inboxes = _topic(Subscription(endpoint="a", delivery_delay=0))
    topic.publish("x", 3)
    assert inboxes["a"].times == [3]
    assert topic.next_deadline() is None
    assert _numbers(topic) == {"a": (1, 0, 0, 0)}


def test_a_publish_first_makes_what_is_due() -> None:
    topic, inboxes = _topic(
        Subscription(endpoint="a", raw=True, delivery_delay=1), Subscription(endpoint="b", raw=True)
    )
    topic.publish("x", 0)
    topic.publish("y", 5)
    assert inboxes["a"].times == [1]
    assert topic.next_deadline() == 6


def test_an_earlier_deadline_is_announced_and_no_other() -> None:
    topic, _ = _topic(
        Subscription(endpoint="slow", delivery_delay=5, filter_policy={"k": ["slow"]}),
        Subscription(endpoint="quick", delivery_delay=1, filter_policy={"k": ["quick"]}),
    )
    seen: list[float | None] = []
    topic.on_change = lambda: seen.append(topic.next_deadline())
    topic.publish("x", 0, attributes={"k": "slow"})
    topic.publish("x", 1, attributes={"k": "slow"})
    topic.publish("x", 2, attributes={"k": "quick"})
    topic.publish("x", 3)
    topic.advance(10)
    assert seen == [5, 3]


def test_random_delays_come_from_the_distribution_and_the_generator() -> None:
    topic, inboxes = _topic(Subscription(endpoint="a", raw=True, delivery_delay=Exponential(2)), rng=Random(3))
    draw = Exponential(2).sampler(Random(3))
    expected = sorted(n + draw() for n in range(20))
    for n in range(20):
        topic.publish("x", n)
    topic.advance(1_000)
    assert inboxes["a"].times == expected


def test_deliveries_fail_at_the_given_rate() -> None:
    n, rate = 20_000, 0.3
    topic, inboxes = _topic(
        Subscription(endpoint="a", failure_rate=rate),
        Subscription(endpoint="b", protocol="http", failure_rate=rate, delivery_delay=1),
        Subscription(endpoint="c", failure_rate=1.0),
        rng=Random(11),
    )
    route = topic.route(None)
    for k in range(n):
        route.publish("x", float(k), k, float(k))
    topic.advance(n)
    tolerance = 4 * math.sqrt(n * rate * (1 - rate))
    for name in "ab":
        assert abs(topic.subscriptions[name].delivery_failed - n * rate) < tolerance
    assert _numbers(topic)["a"] == (len(inboxes["a"].got), 0, n - len(inboxes["a"].got), 0)
    assert _numbers(topic)["c"] == (0, 0, n, 0)
    assert topic.delivery_failed == sum(each.delivery_failed for each in topic.subscriptions.values())
    assert topic.delivery_dead_lettered == 0


# ---------------------------------------------------------------- subscriptions that come later


def test_a_later_subscription_gets_what_is_published_from_then_on() -> None:
    topic, inboxes = _topic(Subscription(endpoint="a", raw=True), Subscription(endpoint="+1", protocol="sms"))
    route = topic.route({"kind": "placed"})
    route.publish("1", 0.0, None, 0.0)
    topic.publish("1", 0)
    inbox = Inbox()
    declared = Subscription(endpoint="b", raw=True, filter_policy={"kind": ["placed"]})
    live = topic.subscribe(declared, inbox)
    assert topic.subscriptions["b"] is live
    assert (live.name, live.declaration) == ("t/b", declared)
    assert topic.declaration.subscriptions[2:] == (declared,)
    assert _numbers(topic) == {"a": (2, 0, 0, 0), "+1": (2, 0, 0, 0), "b": (0, 0, 0, 0)}
    route.publish("2", 1.0, None, 1.0)
    topic.publish("3", 1)
    topic.publish("4", 2, attributes={"kind": "placed"})
    assert [entry[0] for entry in inbox.got] == ["2", "4"]
    assert [entry[0] for entry in inboxes["a"].got] == ["1", "1", "2", "3", "4"]
    assert _numbers(topic) == {"a": (5, 0, 0, 0), "+1": (5, 0, 0, 0), "b": (2, 1, 0, 0)}


@pytest.mark.rule("SNS-FLT-6")
def test_a_later_filter_can_look_at_the_body() -> None:
    topic, inboxes = _topic(Subscription(endpoint="a", raw=True))
    route = topic.route(None)
    text = '{"kind": "placed"}'
    inbox, other = Inbox(), Inbox()
    route.publish(text, 0.0, None, 0.0)
    first = Subscription(endpoint="b", raw=True, filter_policy={"kind": ["placed"]}, filter_scope="MessageBody")
    topic.subscribe(first, inbox)
    for body in (text, text, "{}"):
        route.publish(body, 1.0, None, 1.0)
    route.publish(text, 2.0, None, 2.0)
    topic.subscribe(Subscription(endpoint="c", raw=True), other)
    route.publish(text, 3.0, None, 3.0)
    assert (inbox.times, other.times) == ([1, 1, 2, 3], [3])
    assert len(inboxes["a"].got) == 6
    assert _numbers(topic) == {"a": (6, 0, 0, 0), "b": (4, 1, 0, 0), "c": (1, 0, 0, 0)}


@given(
    st.lists(st.sampled_from(_SUBSCRIPTIONS), unique_by=lambda each: each.endpoint, min_size=1),
    st.data(),
)
def test_a_topic_that_grew_does_what_one_declared_so_does(
    subscriptions: list[Subscription], data: st.DataObject
) -> None:
    late = data.draw(st.integers(0, len(subscriptions) - 1))
    before, after = data.draw(st.tuples(*[st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), max_size=5)] * 2))
    grown, inboxes = _topic(*subscriptions[:late], rng=Random(1))
    routes = [grown.route(attributes, "s") for attributes in _ATTRIBUTES]
    for which, body in before:
        routes[which].publish(_BODIES[body], 0.0, 1, 0.0)
    grown.advance(5)
    counted = _numbers(grown)
    for inbox in inboxes.values():
        inbox.got.clear()
    for each in subscriptions[late:]:
        inboxes[each.endpoint] = Inbox()
        grown.subscribe(each, inboxes[each.endpoint] if each.protocol == "sqs" else None)
    random = Random()
    random.setstate(grown._rng.getstate())  # type: ignore[union-attr]
    declared, expected = _topic(*subscriptions, rng=random)
    declared.published = grown.published  # so that both give the same ids
    for which, body in after:
        routes[which].publish(_BODIES[body], 5.0, 1, 0.0)
        declared.route(_ATTRIBUTES[which], "s").publish(_BODIES[body], 5.0, 1, 0.0)
    for topic in (grown, declared):
        topic.advance(9)
    expected.update({key: inbox for key, inbox in inboxes.items() if key not in expected})
    assert _record(inboxes) == _record(expected)
    for name, numbers in _numbers(grown).items():
        live = declared.subscriptions[name]
        since = (live.delivered, live.filtered_out, live.delivery_failed, live.pending)
        assert numbers == tuple(map(sum, zip(counted.get(name, (0, 0, 0, 0)), since, strict=True)))


@pytest.mark.rule("SNS-SUB-4")
def test_a_subscription_that_cannot_be_added_changes_nothing() -> None:
    topic, _ = _topic(Subscription(endpoint="a"))
    topic.publish("x", 0)
    declaration = topic.declaration
    with pytest.raises(DeclarationError, match=r"Topic\.subscriptions\.1: sqs endpoint 'a' is subscribed already"):
        topic.subscribe(Subscription(endpoint="a", raw=True), Inbox())
    with pytest.raises(UnknownName, match="no queue named 'b'"):
        topic.subscribe(Subscription(endpoint="b"))
    with pytest.raises(DeclarationError, match=r"t/b: .* rng="):
        topic.subscribe(Subscription(endpoint="b", failure_rate=0.5), Inbox())
    assert topic.declaration is declaration
    assert list(topic.subscriptions) == ["a"]
    topic.publish("x", 0)
    assert _numbers(topic) == {"a": (2, 0, 0, 0)}


# ---------------------------------------------------------------- the checked verb


@pytest.mark.rule("SNS-PUB-1")
@pytest.mark.rule("SNS-PUB-7")
def test_a_refused_publish_reaches_nobody() -> None:
    topic, inboxes = _topic(Subscription(endpoint="a"))
    for fields in ({"body": ""}, {"subject": "\n"}, {"attributes": {"k": object()}}, {"deduplication_id": "d"}):
        arguments: dict[str, Any] = {"body": "x", "now": 0, **fields}
        with pytest.raises(InvalidParameter):
            topic.publish(**arguments)
    assert (topic.published, inboxes["a"].got) == (0, [])
    with pytest.raises(
        InvalidParameter, match="MessageDeduplicationId parameter that is not valid for this topic type"
    ):
        topic.publish("x", 0, deduplication_id="d")
    topic.publish("x", 0, group_id="tenant")
    assert topic.published == 1
    assert [attributes for _, attributes, *_ in inboxes["a"].got] == [{"group": "tenant"}]


@pytest.mark.rule("SNS-PUB-7")
@pytest.mark.parametrize("group_id", ["", "a b", "x" * 129, 3])
def test_a_group_is_an_identifier(group_id: Any) -> None:
    topic, inboxes = _topic(Subscription(endpoint="a"))
    with pytest.raises(InvalidParameter, match=r"^Invalid parameter: MessageGroupId Reason: "):
        topic.publish("x", 0, group_id=group_id)
    assert (topic.published, inboxes["a"].got) == (0, [])


@pytest.mark.rule("SNS-SUB-5")
def test_a_fifo_queue_is_no_endpoint_of_a_standard_topic() -> None:
    fifo = FifoQueue(Queue(fifo=True), "f")
    with pytest.raises(DeclarationError, match=r"'f'.*FIFO SQS Queues can not be subscribed to standard SNS topics"):
        TopicFanout(Topic(subscriptions=[Subscription(endpoint="f")]), "t", endpoints={"f": fifo})


def test_time_does_not_run_backwards() -> None:
    topic, _ = _topic()
    topic.advance(5)
    topic.publish("x", 5)
    with pytest.raises(TimeRanBackwards, match="t: time can't go backwards"):
        topic.publish("x", 4.9)
    with pytest.raises(TimeRanBackwards):
        topic.advance(4.9)
    for now in (math.nan, math.inf, "x"):
        with pytest.raises(InvalidParameterValue, match=f"t: now={now!r} is not a time"):
            topic.publish("x", now)  # type: ignore[arg-type]
    assert topic.published == 1


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [({1: 2}, "1 is not a name (SNS-PUB-3)"), ("x", "'x' is not a mapping"), (3, "3 is not a mapping")],
)
def test_attributes_are_a_mapping_of_names(attributes: Any, problem: str) -> None:
    topic, _ = _topic()
    with pytest.raises(InvalidParameter) as raised:
        topic.publish("x", 0, attributes=attributes)
    assert str(raised.value) == f"Invalid parameter: MessageAttributes: {problem}"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"topic": None}, "TopicFanout.topic: None is not a Topic"),
        ({"topic": Topic(), "name": 3}, "TopicFanout.name: 3 is not a name; allowed: a text"),
        ({"topic": Topic(), "epoch": 1e15}, "TopicFanout.epoch: 1000000000000000.0 is not allowed; allowed: 0 to 2534"),
        (
            {"topic": Topic(subscriptions=[Subscription(endpoint="q")]), "endpoints": {"q": 3}},
            "endpoints.q: 3 is not a live queue",
        ),
    ],
)
def test_what_a_live_topic_is_made_of(arguments: Any, problem: str) -> None:
    with pytest.raises(DeclarationError) as raised:
        TopicFanout(**arguments)
    assert str(raised.value).startswith(problem)


# ---------------------------------------------------------------- with queues, and the books


def test_a_queue_gets_the_envelope_as_its_body() -> None:
    emails, audit = StandardQueue(Queue(), "emails"), StandardQueue(Queue(), "audit")
    topic = TopicFanout(
        Topic(subscriptions=[Subscription(endpoint="emails"), Subscription(endpoint="audit", raw=True)]),
        "orders",
        endpoints={"emails": emails, "audit": audit},
    )
    id_ = topic.publish("x", 0, attributes={"k": "a"})
    (enveloped,) = emails.receive(1)
    (raw,) = audit.receive(1)
    fields = json.loads(enveloped.body)
    assert (fields["Message"], fields["MessageId"]) == ("x", id_)
    assert len({id_, enveloped.message_id, raw.message_id}) == 3
    assert (raw.body, raw.attributes) == ("x", {"k": "a"})
    assert not enveloped.attributes


def test_the_audit_finds_what_is_unaccounted_for() -> None:
    topic, _ = _topic(Subscription(endpoint="a", delivery_delay=1))
    topic.publish("x", 0)
    topic.check()
    topic.published += 1
    with pytest.raises(AuditError, match="published 2, but its audiences count 1"):
        topic.check()
    topic.published -= 1
    topic.subscriptions["a"].under_way = 0
    with pytest.raises(AuditError, match="of 1 published, 0 have ended and 1 are waiting"):
        topic.check()
    topic.subscriptions["a"].under_way = 1
    topic.subscriptions["a"].delivery_failed = 1
    with pytest.raises(AuditError, match="of 1 published, 1 have ended and 1 are waiting"):
        topic.check()


def test_representations_show_the_numbers() -> None:
    topic, _ = _topic(Subscription(endpoint="a", filter_policy={"k": ["x"]}))
    topic.publish("x", 0)
    assert repr(topic) == "<TopicFanout 't' published=1 delivered=0 filtered_out=1 delivery_failed=0 pending=0>"
    assert repr(topic.subscriptions["a"]) == "<Subscriber 't/a' delivered=0 filtered_out=1 delivery_failed=0 pending=0>"


@pytest.mark.rule("SNS-SUB-4")
def test_a_subscription_can_go_and_the_others_keep_their_numbers() -> None:
    queue = StandardQueue(Queue(), name="q")
    subscriptions = [Subscription(endpoint="q", raw=True, delivery_delay=5), Subscription(endpoint="q", protocol="sms")]
    topic = TopicFanout(Topic(subscriptions=subscriptions), name="t", endpoints={"q": queue})
    route = topic.route(None)
    route.publish("1", 0, None, 0)
    gone = topic.unsubscribe("q")
    route.publish("2", 0, None, 0)
    topic.advance(5)
    assert [each.body for each in queue.receive(5, 10)] == ["1"]
    assert gone.delivered == 1
    assert list(topic.subscriptions) == ["sms:q"]
    assert topic.declaration == Topic(subscriptions=subscriptions[1:])
    assert topic.delivered == 2
    topic.check()
    topic.subscribe(subscriptions[0], queue)
    topic.check()
    with pytest.raises(UnknownName, match="sms:q"):
        topic.unsubscribe("x")


@pytest.mark.rule("SNS-SUB-8")
def test_filter_and_form_of_a_subscription_can_change_and_nothing_else() -> None:
    queue = StandardQueue(Queue(), name="q")
    topic = TopicFanout(Topic(subscriptions=[Subscription(endpoint="q")]), name="t", endpoints={"q": queue})
    route = topic.route({"k": "a"})
    route.publish("1", 0, None, 0)
    changed = Subscription(endpoint="q", raw=True, filter_policy={"k": ["b"]}, filter_scope="MessageBody")
    topic.change("q", changed)
    for body in ('{"k": "b"}', '{"k": "a"}'):
        route.publish(body, 0, None, 0)
    subscriber = topic.subscriptions["q"]
    assert (subscriber.delivered, subscriber.filtered_out, topic.reads_bodies) == (2, 1, True)
    assert topic.declaration.subscriptions[0] is subscriber.declaration is changed
    assert queue.receive(0, 10)[1].body == '{"k": "b"}'
    topic.change("q", Subscription(endpoint="q"))
    assert not topic.reads_bodies
    topic.check()
    with pytest.raises(DeclarationError, match="t/q: something else is to be changed; allowed: filter_policy, "):
        topic.change("q", Subscription(endpoint="q", delivery_delay=1))


@pytest.mark.rule("SNS-FLT-11")
def test_a_filter_policy_may_take_its_time_to_be_in_force() -> None:
    topic, _ = _topic(Subscription(endpoint="a"))
    each = topic.subscriptions["a"]
    picky = Subscription(endpoint="a", filter_policy={"k": ["x"]})
    topic.publish("x", 0)
    topic.change("a", picky, at=900)
    assert topic.next_deadline() == 900
    topic.publish("x", 899)
    topic.check()
    topic.publish("x", 900)
    assert (each.delivered, each.filtered_out, topic.declaration.subscriptions) == (2, 1, (picky,))
    topic.change("a", Subscription(endpoint="a"), at=900)
    topic.publish("x", 900)
    assert each.delivered == 3
    with pytest.raises(DeclarationError, match="SNS-FLT-11"):
        topic.change("a", picky, at=1_801)
    topic.change("a", picky, at=1_000)
    topic.change("a", Subscription(endpoint="a"))
    topic.change("a", picky, at=1_100)
    topic.change("a", Subscription(endpoint="a"), at=1_050)
    topic.advance(1_000)
    topic.publish("x", 1_099)
    topic.publish("x", 1_100)
    assert each.delivered == 5  # what was asked for last is in force
    topic.change("a", picky, at=1_200)
    topic.change("a", Subscription(endpoint="a"), at=1_300)
    topic.publish("x", 1_200)
    topic.publish("x", 1_300)
    assert (each.delivered, each.filtered_out) == (6, 2)
    topic.change("a", picky, at=1_400)
    topic.unsubscribe("a")
    topic.advance(1_400)
    assert topic.declaration.subscriptions == ()


@pytest.mark.rule("SNS-FLT-11")
def test_a_change_that_is_called_off_leaves_the_others_in_their_order() -> None:
    topic, _ = _topic(Subscription(endpoint="a", delivery_delay=5), Subscription(endpoint="b", delivery_delay=2))
    topic.change("a", Subscription(endpoint="a", delivery_delay=5, raw=True), at=1)
    topic.publish("x", 0)
    topic.change("a", Subscription(endpoint="a", delivery_delay=5))
    assert topic.next_deadline() == 2
    topic.advance(5)
    assert (topic.delivered, topic.pending) == (2, 0)


def test_a_change_is_told_when_by_the_clock_of_a_simulation() -> None:
    topic, _ = _topic(Subscription(endpoint="a"))
    topic.clock = lambda: 10_000.0
    picky = Subscription(endpoint="a", filter_policy={"k": ["x"]})
    topic.change("a", picky, at=10_900)
    assert topic.next_deadline() == 10_900
    topic.change("a", picky, at=9_999)
    assert (topic.next_deadline(), topic.declaration.subscriptions) == (None, (picky,))
