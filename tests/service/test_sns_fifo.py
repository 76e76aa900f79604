"""SNS: FIFO topics, their archives and replays."""

import json
from typing import Any

import pytest

from msgsim.bus.fifo_topic import FifoFanout
from msgsim.bus.message import EPOCH
from msgsim.bus.publish_quota import PublishQuota
from msgsim.bus.queue import Queue
from msgsim.bus.retries import DeliveryPolicy, topic_json
from msgsim.bus.timestamps import iso_timestamp
from msgsim.errors import DeclarationError
from tests.service.topics import ARN, QUEUE_ARN, TopicClient

FIFO = ARN + ".fifo"
FIFO_QUEUE = QUEUE_ARN + ".fifo"
INVALID = "Invalid parameter: "


def _at(time: float) -> str:
    return iso_timestamp(EPOCH + time)


class FifoClient(TopicClient):
    """An account that has a FIFO topic and a FIFO queue, too."""

    def __init__(self, attributes: dict[str, str] | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self("CreateTopic", Name="t.fifo", Attributes={"FifoTopic": "true", **(attributes or {})})
        self.fifo_queue = self.account.add_queue("q.fifo", Queue(fifo=True))

    def follow(self, endpoint: str = FIFO_QUEUE, now: float = 0, **attributes: str) -> str:
        given: dict[str, Any] = {"Attributes": attributes} if attributes else {}
        return str(self("Subscribe", now, TopicArn=FIFO, Protocol="sqs", Endpoint=endpoint, **given)["SubscriptionArn"])

    def send(self, message: str, now: float = 0, group: str = "g", **params: Any) -> dict[str, Any]:
        return self("Publish", now, TopicArn=FIFO, Message=message, MessageGroupId=group, **params)

    def described(self, now: float = 0) -> dict[str, str]:
        return dict(self("GetTopicAttributes", now, TopicArn=FIFO)["Attributes"])

    def set(self, attribute: str, value: str, now: float = 0) -> None:
        self("SetTopicAttributes", now, TopicArn=FIFO, AttributeName=attribute, AttributeValue=value)

    @property
    def fifo(self) -> FifoFanout:
        live = self.account.topics["t.fifo"]
        assert isinstance(live, FifoFanout)
        return live


CONTENT = {"ContentBasedDeduplication": "true"}
ARCHIVED = {**CONTENT, "ArchivePolicy": '{"MessageRetentionPeriod": "30"}'}


def _replay(start: float, end: float | None = None) -> str:
    points = {"PointType": "Timestamp", "StartingPoint": _at(start)}
    return json.dumps(points if end is None else {**points, "EndingPoint": _at(end)})


# ---------------------------------------------------------------- topics


@pytest.mark.rule("SNS-TOP-1")
@pytest.mark.rule("SNS-TOP-2")
def test_a_fifo_topic_is_made_once() -> None:
    client = FifoClient(ARCHIVED)
    for attributes in (
        {},
        CONTENT,
        {"ArchivePolicy": '{"MessageRetentionPeriod": 30}', "FifoThroughputScope": "Topic"},
    ):
        answer = client("CreateTopic", Name="t.fifo", Attributes={"FifoTopic": "true", **attributes})
        assert answer == {"TopicArn": FIFO}
    text = f"{INVALID}Attributes Reason: Topic already exists with different attributes"
    for attributes in (
        {"ContentBasedDeduplication": "false"},
        {"FifoThroughputScope": "MessageGroup"},
        {"ArchivePolicy": "{}"},
        {"DisplayName": "T"},
    ):
        refusal = client.refusal("CreateTopic", Name="t.fifo", Attributes={"FifoTopic": "true", **attributes})
        assert refusal == ("InvalidParameter", text, 400)
    assert client("ListTopics") == {"Topics": [{"TopicArn": ARN}, {"TopicArn": FIFO}]}


def test_its_attributes_are_texts() -> None:
    client = FifoClient()
    assert client.described() == {
        "ContentBasedDeduplication": "false",
        "DisplayName": "",
        "EffectiveDeliveryPolicy": json.dumps(topic_json(DeliveryPolicy())),
        "FifoThroughputScope": "Topic",
        "FifoTopic": "true",
        "Owner": "123456789012",
        "SubscriptionsConfirmed": "0",
        "SubscriptionsDeleted": "0",
        "SubscriptionsPending": "0",
        "TopicArn": FIFO,
    }
    client.set("DisplayName", "T")
    client.set("ContentBasedDeduplication", "true")
    client.set("FifoThroughputScope", "MessageGroup")
    described = client.described()
    assert (described["DisplayName"], described["ContentBasedDeduplication"]) == ("T", "true")
    assert described["FifoThroughputScope"] == "MessageGroup"


@pytest.mark.rule("SNS-FIFO-2")
def test_the_scope_goes_one_way() -> None:
    client = FifoClient(CONTENT)
    first = client.send("x", group="a")
    assert client.send("x", group="b") == first
    client.set("FifoThroughputScope", "Topic")
    client.set("FifoThroughputScope", "MessageGroup")
    assert client.send("x", group="a") != client.send("x", group="b") != first
    refusal = client.refusal(
        "SetTopicAttributes", TopicArn=FIFO, AttributeName="FifoThroughputScope", AttributeValue="Topic"
    )
    text = f"{INVALID}FifoThroughputScope Reason: a topic cannot go back from MessageGroup to Topic"
    assert refusal == ("InvalidParameter", text, 400)


@pytest.mark.rule("SNS-ARC-1")
@pytest.mark.parametrize(
    ("attribute", "written", "text"),
    [
        ("ContentBasedDeduplication", "yes", "Invalid value [yes]. Must be true or false."),
        ("FifoThroughputScope", "topic", "Invalid value [topic]. Please use either Topic or MessageGroup"),
        ("ArchivePolicy", "[]", "[] is no object with a MessageRetentionPeriod"),
        ("ArchivePolicy", "{", "{ is no object with a MessageRetentionPeriod"),
        ("ArchivePolicy", '{"Days": 1}', '{"Days": 1} is no object with a MessageRetentionPeriod'),
        ("ArchivePolicy", '{"MessageRetentionPeriod": "0"}', "MessageRetentionPeriod: 0 "),
        ("ArchivePolicy", '{"MessageRetentionPeriod": 366}', "MessageRetentionPeriod: 366 "),
        ("ArchivePolicy", '{"MessageRetentionPeriod": 1.5}', "MessageRetentionPeriod: 1.5 "),
        ("ArchivePolicy", '{"MessageRetentionPeriod": "1e2"}', "MessageRetentionPeriod: '1e2' "),
        ("ArchivePolicy", '{"MessageRetentionPeriod": true}', "MessageRetentionPeriod: True "),
        ("Beauty", "1", "not modelled; allowed: ArchivePolicy, ContentBasedDeduplication, DeliveryPolicy"),
    ],
)
def test_an_attribute_that_cannot_be_is_refused(attribute: str, written: str, text: str) -> None:
    client = FifoClient()
    made = client.refusal("CreateTopic", Name="u.fifo", Attributes={"FifoTopic": "true", attribute: written})
    assert made[0::2] == ("InvalidParameter", 400)
    assert made[1].startswith(f"{INVALID}Attributes Reason: {attribute}: {text}")
    before = client.described()
    changed = client.refusal("SetTopicAttributes", TopicArn=FIFO, AttributeName=attribute, AttributeValue=written)
    place = "AttributeName Reason: " if attribute == "Beauty" else ""
    assert changed[1].startswith(f"{INVALID}{place}{attribute}: {text}")
    assert client.described() == before
    assert list(client.account.topics) == ["t", "t.fifo"]


@pytest.mark.rule("SNS-ARC-1")
@pytest.mark.parametrize("attribute", ["ArchivePolicy", "ContentBasedDeduplication", "FifoThroughputScope"])
def test_standard_topics_have_none_of_these(attribute: str) -> None:
    client = TopicClient()
    refusal = client.refusal("CreateTopic", Name="u", Attributes={attribute: "true"})
    assert refusal[1] == f"{INVALID}Attributes Reason: {attribute}: only FIFO topics have it (SNS-FIFO-1, SNS-ARC-1)"
    refusal = client.refusal("SetTopicAttributes", TopicArn=ARN, AttributeName=attribute, AttributeValue="true")
    assert refusal[1] == f"{INVALID}AttributeName Reason: {attribute}: only FIFO topics have it (SNS-FIFO-1, SNS-ARC-1)"


def test_there_are_as_many_fifo_topics_as_the_quota_says(monkeypatch: pytest.MonkeyPatch) -> None:
    client = FifoClient()
    few = type("Few", (), {"high": 1, "unit": "FIFO topics"})()
    monkeypatch.setattr("msgsim.service.sns_topics.FIFO_TOPICS", few)
    refusal = client.refusal("CreateTopic", Name="u.fifo", Attributes={"FifoTopic": "true"})
    assert refusal == ("TopicLimitExceeded", "There are 1 FIFO topics already", 403)
    client("CreateTopic", Name="u")


# ---------------------------------------------------------------- subscriptions


@pytest.mark.rule("SNS-SUB-5")
def test_queues_of_both_types_are_subscribed_and_nothing_else() -> None:
    client = FifoClient(CONTENT)
    client.follow()
    client.follow(QUEUE_ARN, RawMessageDelivery="true")
    client.send("x")
    (fifo,) = client.fifo_queue.receive(0, 10)
    (standard,) = client.queue.receive(0, 10)
    assert (json.loads(fifo.body)["Message"], standard.body) == ("x", "x")
    for protocol in ("lambda", "email", "sms", "http"):
        refusal = client.refusal("Subscribe", TopicArn=FIFO, Protocol=protocol, Endpoint="e")
        text = f"{INVALID}Protocol Reason: {protocol} cannot be subscribed to a FIFO topic; allowed: sqs"
        assert refusal == ("InvalidParameter", text, 400)
    refusal = client.refusal("Subscribe", TopicArn=ARN, Protocol="sqs", Endpoint=FIFO_QUEUE)
    assert refusal[1] == (
        "Invalid parameter: Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS "
        "topics"
    )


@pytest.mark.rule("SNS-SUB-5")
def test_a_fifo_topic_has_up_to_100_subscriptions() -> None:
    client = FifoClient()
    for number in range(100):
        client.account.add_queue(f"q{number}", Queue())
        client.follow(f"{QUEUE_ARN}{number}")
    refusal = client.refusal("Subscribe", TopicArn=FIFO, Protocol="sqs", Endpoint=FIFO_QUEUE)
    text = "There are 100 subscriptions of a FIFO topic already"
    assert refusal == ("SubscriptionLimitExceeded", text, 403)
    client.follow(f"{QUEUE_ARN}99")
    for number in range(100):
        client("Subscribe", TopicArn=ARN, Protocol="sqs", Endpoint=f"{QUEUE_ARN}{number}")
    client("Subscribe", TopicArn=ARN, Protocol="sqs", Endpoint=QUEUE_ARN)


def test_a_topic_has_up_to_five_streams() -> None:
    client = TopicClient()
    for number in range(5):
        client.subscribe("firehose", f"stream{number}")
    refusal = client.refusal("Subscribe", TopicArn=ARN, Protocol="firehose", Endpoint="stream5")
    text = "There are 5 Firehose subscriptions of a topic already"
    assert refusal == ("SubscriptionLimitExceeded", text, 403)
    client.subscribe("lambda", "stream5")


# ---------------------------------------------------------------- publishes


@pytest.mark.rule("SNS-FIFO-1")
@pytest.mark.rule("SNS-ENV-2")
def test_answers_and_envelopes_have_the_sequence_number() -> None:
    client = FifoClient()
    client.follow()
    first = client.send("1", MessageDeduplicationId="a")
    assert set(first) == {"MessageId", "SequenceNumber"}
    assert client.send("2", 299, MessageDeduplicationId="a") == first
    second = client.send("3", 300, MessageDeduplicationId="a")
    assert int(second["SequenceNumber"]) > int(first["SequenceNumber"])
    bodies = [json.loads(each.body) for each in client.fifo_queue.receive(300, 10)]
    assert [{key: body[key] for key in first} for body in bodies] == [first, second]


@pytest.mark.rule("SNS-FIFO-1")
def test_the_content_is_what_was_published_not_what_queues_get_of_it() -> None:
    client = FifoClient(CONTENT)
    texts = [json.dumps({"default": "d", "email": number}) for number in range(2)]
    ids = [client.send(text, MessageStructure="json")["MessageId"] for text in (*texts, texts[0])]
    assert ids[0] == ids[2] != ids[1]
    given = [client.send(text, MessageStructure="json", MessageDeduplicationId="i") for text in texts]
    assert given[0] == given[1]


GROUP = f"{INVALID}The MessageGroupId parameter is required for FIFO topics"
ID = (
    f"{INVALID}The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided "
    "explicitly"
)


@pytest.mark.rule("SNS-PUB-6")
@pytest.mark.parametrize(
    ("entry", "text"), [({}, GROUP), ({"MessageDeduplicationId": "d"}, GROUP), ({"MessageGroupId": "g"}, ID)]
)
def test_an_entry_without_group_or_id_refuses_the_whole_call(entry: dict[str, str], text: str) -> None:
    client = FifoClient(fifo_publish_quota=PublishQuota(limit=1))
    whole = {"Id": "0", "Message": "x", "MessageGroupId": "g", "MessageDeduplicationId": "d"}
    entries = [whole, {"Id": "1", "Message": "x", **entry}]
    refusal = client.refusal("PublishBatch", TopicArn=FIFO, PublishBatchRequestEntries=entries)
    assert refusal == ("InvalidParameter", text, 400)
    assert client.refusal("Publish", TopicArn=FIFO, Message="x", **entry) == refusal
    assert client.fifo.published == 0


@pytest.mark.rule("SNS-PUB-6")
def test_other_problems_fail_an_entry_alone() -> None:
    client = FifoClient(CONTENT)
    entries = [
        {"Id": "0", "Message": "x", "MessageGroupId": "g"},
        {"Id": "1", "Message": "x", "MessageGroupId": "g g"},
        {"Id": "2", "Message": "", "MessageGroupId": "g"},
    ]
    answer = client("PublishBatch", TopicArn=FIFO, PublishBatchRequestEntries=entries)
    (successful,) = answer["Successful"]
    assert set(successful) == {"Id", "MessageId", "SequenceNumber"}
    assert [each["Id"] for each in answer["Failed"]] == ["1", "2"]


@pytest.mark.rule("SNS-QUO-1")
def test_fifo_topics_have_a_quota_of_their_own() -> None:
    client = FifoClient(CONTENT, publish_quota=PublishQuota(limit=1), fifo_publish_quota=PublishQuota(limit=2))
    client.publish()
    client.send("1")
    client.send("2")
    for arn, params in ((ARN, {}), (FIFO, {"MessageGroupId": "g"})):
        refusal = client.refusal("Publish", 0.9, TopicArn=arn, Message="3", **params)
        assert refusal == ("Throttled", "Rate exceeded", 429)
    client.send("3", 1)


@pytest.mark.rule("SNS-QUO-2")
def test_a_group_has_a_limit_if_topics_are_throttled() -> None:
    client = FifoClient(throttled_topics=True)
    for number in range(300):
        client.send("x", MessageDeduplicationId=str(number))
    code, text, status = client.refusal(
        "Publish", TopicArn=FIFO, Message="x", MessageGroupId="g", MessageDeduplicationId="x"
    )
    assert (code, status) == ("Throttled", 429)
    assert text.startswith("Rate exceeded")
    client.send("x", group="h", MessageDeduplicationId="x")
    client.set("FifoThroughputScope", "MessageGroup")
    client.send("x", MessageDeduplicationId="y")
    client.publish()


# ---------------------------------------------------------------- archives and replays


@pytest.mark.rule("SNS-ARC-1")
@pytest.mark.rule("SNS-TOP-3")
def test_a_topic_with_an_archive_is_not_deleted() -> None:
    client = FifoClient()
    client.set("ArchivePolicy", ARCHIVED["ArchivePolicy"], 10)
    described = client.described(20)
    assert json.loads(described["ArchivePolicy"]) == {"MessageRetentionPeriod": 30}
    assert described["BeginningArchiveTime"] == _at(10)
    assert client.described(10 + 31 * 86_400)["BeginningArchiveTime"] == _at(10 + 86_400)
    code, _, status = client.refusal("DeleteTopic", 31 * 86_400 + 10, TopicArn=FIFO)
    assert (code, status) == ("InvalidState", 400)
    for empty in ("{}", ""):
        client.set("ArchivePolicy", ARCHIVED["ArchivePolicy"], 40 * 86_400)
        client.set("ArchivePolicy", empty, 40 * 86_400)
    assert "ArchivePolicy" not in client.described(40 * 86_400)
    client("DeleteTopic", 40 * 86_400, TopicArn=FIFO)
    assert list(client.account.topics) == ["t"]


@pytest.mark.rule("SNS-ARC-2")
def test_an_archive_is_replayed_and_then_the_subscription_goes_on() -> None:
    client = FifoClient(ARCHIVED)
    sent = [client.send(str(number), number)["MessageId"] for number in range(3)]
    policy = _replay(1)
    arn = client.follow(QUEUE_ARN, 10, ReplayPolicy=policy)
    status = [client("GetSubscriptionAttributes", 10, SubscriptionArn=arn)["Attributes"]["ReplayStatus"]]
    assert client.follow(QUEUE_ARN, 11, ReplayPolicy=policy) == client.follow(QUEUE_ARN, 11) == arn
    attributes = client("GetSubscriptionAttributes", 11, SubscriptionArn=arn)["Attributes"]
    assert attributes["ReplayPolicy"] == policy
    assert [*status, attributes["ReplayStatus"]] == ["Pending", "Completed"]
    client.send("3", 12)
    bodies = [json.loads(each.body) for each in client.queue.receive(12, 10)]
    assert [(each["Message"], each.get("Replayed", False)) for each in bodies] == [
        ("1", True),
        ("2", True),
        ("3", False),
    ]
    assert [each["MessageId"] for each in bodies[:2]] == sent[1:]
    assert [each["Timestamp"] for each in bodies[:2]] == [_at(1), _at(2)]
    text = f"{INVALID}Attributes Reason: Subscription already exists with different attributes"
    refusal = client.refusal(
        "Subscribe",
        12,
        TopicArn=FIFO,
        Protocol="sqs",
        Endpoint=QUEUE_ARN,
        Attributes={"ReplayPolicy": _replay(2)},
    )
    assert refusal == ("InvalidParameter", text, 400)


@pytest.mark.rule("SNS-ARC-2")
def test_a_replay_with_an_end_stops_there_until_the_policy_is_changed() -> None:
    client = FifoClient(ARCHIVED)
    arn = client.follow(QUEUE_ARN, RawMessageDelivery="true")

    def set_policy(value: str, now: float) -> None:
        client(
            "SetSubscriptionAttributes",
            now,
            SubscriptionArn=arn,
            AttributeName="ReplayPolicy",
            AttributeValue=value,
        )

    set_policy("{}", 0)
    client.send("1", 1)
    set_policy(_replay(0, 2), 5)
    client.send("2", 10)
    assert client("GetSubscriptionAttributes", 10, SubscriptionArn=arn)["Attributes"]["ReplayStatus"] == "Completed"
    assert client.bodies(10) == ["1", "1"]
    set_policy("{}", 11)
    assert "ReplayPolicy" not in client("GetSubscriptionAttributes", 11, SubscriptionArn=arn)["Attributes"]
    client.send("3", 12)
    assert client.bodies(12) == ["3"]


@pytest.mark.rule("SNS-ARC-2")
def test_a_replay_ends_with_its_subscription() -> None:
    client = FifoClient(ARCHIVED)
    client.send("1", 1)
    arn = client.follow(QUEUE_ARN, 2, ReplayPolicy=_replay(0))
    client("Unsubscribe", 2, SubscriptionArn=arn)
    client.account.advance(3)
    assert client.bodies(3) == []
    assert client.follow(QUEUE_ARN, 4) == arn
    assert "ReplayPolicy" not in client("GetSubscriptionAttributes", 4, SubscriptionArn=arn)["Attributes"]


def test_a_replay_that_was_ended_elsewhere_is_not_told_of() -> None:
    client = FifoClient(ARCHIVED)
    arn = client.follow(ReplayPolicy=_replay(0))
    client.fifo.resume("q.fifo", 0)
    assert "ReplayStatus" not in client("GetSubscriptionAttributes", SubscriptionArn=arn)["Attributes"]


@pytest.mark.rule("SNS-ARC-3")
def test_too_many_replays_are_refused() -> None:
    client = FifoClient(ARCHIVED)
    client.fifo.most_replays = 1
    client.follow(ReplayPolicy=_replay(0, 100))
    code, text, status = client.refusal(
        "Subscribe", TopicArn=FIFO, Protocol="sqs", Endpoint=QUEUE_ARN, Attributes={"ReplayPolicy": _replay(0)}
    )
    assert (code, status) == ("ReplayLimitExceeded", 403)
    assert text.startswith("1 replays are under way")
    assert list(client.fifo.subscriptions) == ["q.fifo"]


@pytest.mark.rule("SNS-ARC-2")
@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("[]", "[] is no object with EndingPoint, PointType, StartingPoint"),
        ('{"PointType": "Timestamp"}', '{"PointType": "Timestamp"} is no object with EndingPoint'),
        ('{"PointType": "Place", "StartingPoint": 1}', "PointType: Place is none; allowed: Timestamp"),
        ('{"PointType": "Timestamp", "StartingPoint": 1}', "StartingPoint: 1 is no time such as 2026-01-01T"),
        (
            '{"PointType": "Timestamp", "StartingPoint": "2026-02-30T00:00:00Z"}',
            "StartingPoint: 2026-02-30T00:00:00Z is no time",
        ),
        (
            json.dumps({"PointType": "Timestamp", "StartingPoint": _at(0), "EndingPoint": "soon"}),
            "EndingPoint: soon is no time",
        ),
    ],
)
def test_a_replay_policy_that_cannot_be_is_refused(written: str, text: str) -> None:
    client = FifoClient(ARCHIVED)
    given = {"TopicArn": FIFO, "Protocol": "sqs", "Endpoint": FIFO_QUEUE}
    refusal = client.refusal("Subscribe", **given, Attributes={"ReplayPolicy": written})
    assert refusal[1].startswith(f"{INVALID}Attributes Reason: ReplayPolicy: {text}")
    assert client.fifo.subscriptions == {}


@pytest.mark.rule("SNS-ARC-2")
def test_what_cannot_be_replayed_is_refused() -> None:
    client = FifoClient(ARCHIVED)
    given = {"Protocol": "sqs", "Endpoint": QUEUE_ARN}
    backwards = {"ReplayPolicy": _replay(2, 1)}
    refusal = client.refusal("Subscribe", TopicArn=FIFO, **given, Attributes=backwards)
    assert refusal[1].startswith(f"{INVALID}ReplayPolicy Reason: EndingPoint")
    assert client.fifo.subscriptions == {}
    refusal = client.refusal("Subscribe", TopicArn=ARN, **given, Attributes={"ReplayPolicy": _replay(0)})
    text = f"{INVALID}Attributes Reason: ReplayPolicy: the topic has no archive (SNS-ARC-1)"
    assert refusal == ("InvalidParameter", text, 400)


def test_whether_topics_are_throttled_is_yes_or_no() -> None:
    with pytest.raises(DeclarationError, match=r"Account\.throttled_topics: 'yes' is neither true nor false"):
        TopicClient(throttled_topics="yes")
