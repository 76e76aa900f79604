"""Topics of msgsim and of moto: who gets what, and what is refused by which code."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("moto", reason="the comparison with moto needs it: pip install 'moto[sqs]'")

from msgsim.bus.message import EPOCH
from tests.differential.topics import KEY, TOPICS, Sides, TopicTwins
from tests.differential.twins import ARN, Pair, moto_on_a_clock

KEYS = st.sampled_from(["k", "j", "n"])
TEXTS = st.sampled_from(["a", "ab", "b", "ba", "A"])
NUMBERS = st.sampled_from([0, 1, 2, 1.5, -3])
ELEMENTS = st.one_of(
    TEXTS,
    NUMBERS,
    st.builds(lambda name, text: {name: text}, st.sampled_from(["prefix", "suffix", "equals-ignore-case"]), TEXTS),
    st.builds(lambda texts: {"anything-but": texts}, st.lists(TEXTS, min_size=1, max_size=2)),
    st.builds(lambda start: {"anything-but": {"prefix": start}}, TEXTS),
    st.builds(lambda sign, n: {"numeric": [sign, n]}, st.sampled_from(["=", "<", "<=", ">", ">="]), NUMBERS),
    st.just({"numeric": [">=", 0, "<", 2]}),
    st.just({"exists": True}),
)
ARRAYS = st.one_of(st.lists(ELEMENTS, min_size=1, max_size=3), st.just([{"exists": False}]))
POLICIES = st.dictionaries(KEYS, ARRAYS, min_size=1, max_size=2)
WIRES = st.one_of(
    TEXTS.map(lambda text: {"DataType": "String", "StringValue": text}),
    NUMBERS.map(lambda number: {"DataType": "Number", "StringValue": str(number)}),
)
MESSAGES = st.dictionaries(KEYS, WIRES, min_size=1, max_size=3)


@pytest.fixture(scope="module")
def moto() -> Iterator[None]:
    with moto_on_a_clock() as (_, clock), pytest.MonkeyPatch.context() as patch:
        clock.now = EPOCH
        patch.setattr("moto.sns.models.Subscription.private_key", lambda _: KEY)
        yield


@pytest.mark.usefixtures("moto")
@settings(max_examples=20, deadline=None)
@given(policy=POLICIES, messages=st.lists(MESSAGES, min_size=1, max_size=6))
def test_the_same_messages_get_through(policy: dict[str, Any], messages: list[dict[str, Any]]) -> None:
    sides = Sides(policy)
    assert sides.ours(messages) == sides.theirs(messages)


@pytest.mark.usefixtures("moto")
@pytest.mark.parametrize(
    "policy",
    [
        {"k": "a"},
        {"k": [["a"]]},
        {"k": [{"begins": "a"}]},
        {"k": [{"exists": "true"}]},
        {"k": [{"numeric": []}]},
        {"k": [{"numeric": ["<", "a"]}]},
        {"k": [{"numeric": [">", 1, ">", 2]}]},
        {"k": [{"numeric": [">", 2, "<", 1]}]},
        {key: ["a"] for key in "123456"},
        {key: list(range(6)) for key in "123"},
    ],
)
def test_the_same_policies_are_refused(policy: dict[str, Any]) -> None:
    sides = Sides(policy)
    assert sides.ours([]) == sides.theirs([]) == "InvalidParameter"


# ---------------------------------------------------------------- topics, subscriptions, publishes

BOTH = st.sampled_from(["t", "u"])
QUEUES = st.sampled_from(["a", "b"])
FILTERS = st.sampled_from(["", '{"k": ["a"]}', '{"k": [{"prefix": "b"}]}'])
FLAGS = st.sampled_from(["true", "false"])
ATTRIBUTES = st.dictionaries(KEYS, WIRES, max_size=2)
QUEUE = {"TopicArn": f"{TOPICS}:t", "Protocol": "sqs"}
REDRIVE = json.dumps({"deadLetterTargetArn": f"{ARN}:dead"})
STEPS = st.one_of(
    st.tuples(st.just("publish"), BOTH, ATTRIBUTES, st.booleans()),
    st.tuples(st.just("batch"), BOTH, st.lists(ATTRIBUTES, min_size=1, max_size=3)),
    st.tuples(st.just("subscribe"), BOTH, QUEUES),
    st.tuples(st.just("set"), BOTH, QUEUES, st.just("RawMessageDelivery"), FLAGS),
    st.tuples(st.just("set"), BOTH, QUEUES, st.just("FilterPolicy"), FILTERS),
    st.tuples(st.just("set"), BOTH, QUEUES, st.just("RedrivePolicy"), st.just(REDRIVE)),
    st.tuples(st.just("unsubscribe"), BOTH, QUEUES),
    st.tuples(st.just("delete"), BOTH),
    st.tuples(st.just("create"), BOTH),
)
KEPT = ("Endpoint", "FilterPolicy", "Owner", "Protocol", "RawMessageDelivery", "RedrivePolicy", "TopicArn")
"""Attributes of a subscription that both tell in the same way."""


def take(twins: TopicTwins, step: Sequence[Any], number: int) -> None:
    """One step; what both answer must agree."""
    operation, topic, *rest = step
    arn = f"{TOPICS}:{topic}"
    if operation == "publish":
        attributes, has_subject = rest
        subject = {"Subject": f"s{number}"} if has_subject else {}
        agree_on_ids(
            twins.call("sns:Publish", TopicArn=arn, Message=f"m{number}", MessageAttributes=attributes, **subject)
        )
    elif operation == "batch":
        entries = [
            {"Id": str(place), "Message": f"m{number}.{place}", "MessageAttributes": attributes}
            for place, attributes in enumerate(rest[0])
        ]
        agree_on_ids(twins.call("sns:PublishBatch", TopicArn=arn, PublishBatchRequestEntries=entries))
    elif operation == "subscribe":
        pair = twins.subscribe(topic, rest[0])
        assert (pair.ours == "NotFound") == (pair.theirs == "NotFound")
    elif operation in ("create", "delete"):
        name = {"Name": topic} if operation == "create" else {"TopicArn": arn}
        pair = twins.call(f"sns:{operation.title()}Topic", **name)
        assert pair.ours == pair.theirs
        if operation == "delete":
            twins.subscriptions = {key: arns for key, arns in twins.subscriptions.items() if key[0] != topic}
    elif (topic, rest[0]) in twins.subscriptions:
        subscription = twins.subscriptions[topic, rest[0]]
        if operation == "set":
            change = {"AttributeName": rest[1], "AttributeValue": rest[2]}
            pair = twins.call("sns:SetSubscriptionAttributes", SubscriptionArn=subscription, **change)
            assert pair.ours == pair.theirs == {}
        else:
            del twins.subscriptions[topic, rest[0]]
            for _ in range(2):
                pair = twins.call("sns:Unsubscribe", SubscriptionArn=subscription)
                assert pair.ours == pair.theirs == {}
            gone = twins.call("sns:GetSubscriptionAttributes", SubscriptionArn=subscription)
            assert gone.ours == gone.theirs == "NotFound"


def agree_on_ids(pair: Pair) -> None:
    """Both give an id, or both the same refusal."""
    if isinstance(pair.ours, str):
        assert pair.ours == pair.theirs
        return
    assert pair.ours.keys() == pair.theirs.keys()
    if "Successful" in pair.ours:
        assert [each["Id"] for each in pair.ours["Successful"]] == [each["Id"] for each in pair.theirs["Successful"]]


def described(twins: TopicTwins, arns: Pair) -> Pair:
    found = twins.call("sns:GetSubscriptionAttributes", SubscriptionArn=arns)
    kept = [{key: each["Attributes"][key] for key in KEPT if each["Attributes"].get(key)} for each in found]
    for each in kept:
        for name in ("FilterPolicy", "RedrivePolicy"):
            if name in each:
                each[name] = json.loads(each[name])
    return Pair(*kept)


@pytest.mark.usefixtures("moto")
@settings(max_examples=10, deadline=None)
@given(steps=st.lists(STEPS, min_size=3, max_size=12))
def test_programs_on_topics(steps: list[tuple[Any, ...]]) -> None:
    twins = TopicTwins()
    for name in ("a", "b", "dead"):
        twins.queue(name)
    for topic in "tu":
        take(twins, ("create", topic), 0)
    twins.subscribe("t", "a", RawMessageDelivery="true", FilterPolicy='{"k": ["a"]}')
    twins.subscribe("t", "b", RedrivePolicy=REDRIVE)
    for number, step in enumerate(steps):
        take(twins, step, number)
    for arns in twins.subscriptions.values():
        ours, theirs = described(twins, arns)
        assert ours == theirs
    for operation in ("ListTopics", "ListSubscriptions"):
        ours, theirs = twins.call(f"sns:{operation}")
        assert listed(ours) == listed(theirs)
    for queue in ("a", "b"):
        ours, theirs = twins.received(queue)
        assert ours == theirs
    assert twins.received("dead") == ([], [])


def listed(answer: dict[str, Any]) -> list[dict[str, str]]:
    """A list without the ARNs of subscriptions, which each makes in its own way."""
    (things,) = answer.values()
    plain = [{key: value for key, value in each.items() if key != "SubscriptionArn"} for each in things]
    return sorted(plain, key=lambda each: sorted(each.items()))


@pytest.mark.usefixtures("moto")
@pytest.mark.parametrize(
    ("operation", "params", "code"),
    [
        ("sns:Publish", {"TopicArn": f"{TOPICS}:x", "Message": "x"}, "NotFound"),
        ("sns:GetTopicAttributes", {"TopicArn": f"{TOPICS}:x"}, "NotFound"),
        ("sns:CreateTopic", {"Name": "a b"}, "InvalidParameter"),
        ("sns:ListSubscriptionsByTopic", {"TopicArn": f"{TOPICS}:x"}, "NotFound"),
        ("sns:Subscribe", {**QUEUE, "TopicArn": f"{TOPICS}:x", "Endpoint": f"{ARN}:a"}, "NotFound"),
        ("sns:Subscribe", {**QUEUE, "Endpoint": "a"}, "InvalidParameter"),
        ("sns:Subscribe", {**QUEUE, "Endpoint": f"{ARN}:f.fifo"}, "InvalidParameter"),
        ("sns:GetSubscriptionAttributes", {"SubscriptionArn": f"{TOPICS}:t:x"}, "NotFound"),
        (
            "sns:SetSubscriptionAttributes",
            {"SubscriptionArn": f"{TOPICS}:t:x", "AttributeName": "RawMessageDelivery", "AttributeValue": "true"},
            "NotFound",
        ),
        (
            "sns:PublishBatch",
            {"TopicArn": f"{TOPICS}:t", "PublishBatchRequestEntries": [{"Id": "a", "Message": "x"}] * 2},
            "BatchEntryIdsNotDistinct",
        ),
        (
            "sns:PublishBatch",
            {
                "TopicArn": f"{TOPICS}:t",
                "PublishBatchRequestEntries": [{"Id": str(n), "Message": "x"} for n in range(11)],
            },
            "TooManyEntriesInBatchRequest",
        ),
        ("sns:ListTagsForResource", {"ResourceArn": f"{TOPICS}:x"}, "ResourceNotFound"),
        (
            "sns:AddPermission",
            {"TopicArn": f"{TOPICS}:t", "Label": "l", "AWSAccountId": ["1" * 12], "ActionName": ["Fly"]},
            "InvalidParameter",
        ),
    ],
)
def test_the_same_requests_are_refused(operation: str, params: dict[str, Any], code: str) -> None:
    twins = TopicTwins()
    twins.queue("a")
    twins.call("sqs:CreateQueue", QueueName="f.fifo", Attributes={"FifoQueue": "true"})
    twins.call("sns:CreateTopic", Name="t")
    pair = twins.call(operation, **params)
    assert pair.ours == pair.theirs == code
