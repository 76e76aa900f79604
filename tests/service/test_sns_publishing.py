"""SNS: publishes, alone and in batches."""

import json
from typing import Any

import pytest

from msgsim.bus.publish_quota import PublishQuota
from tests.service.topics import ARN, TopicClient


def _text(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


def _batch(client: TopicClient, *entries: dict[str, Any], now: float = 0) -> dict[str, Any]:
    named = [{"Id": str(number), "Message": "x", **entry} for number, entry in enumerate(entries)]
    return client("PublishBatch", now, TopicArn=ARN, PublishBatchRequestEntries=named)


@pytest.mark.rule("SNS-PUB-5")
@pytest.mark.rule("SNS-PUB-6")
def test_each_entry_is_published_and_filtered_for_itself() -> None:
    client = TopicClient()
    client.subscribe(FilterPolicy='{"k": ["a"]}')
    bad = {"MessageAttributes": {"k": {"DataType": "Text", "StringValue": "a"}}}
    answer = _batch(
        client,
        {"Message": "1", "MessageAttributes": {"k": _text("a")}, "Subject": "Hi"},
        {"Message": "2", "MessageAttributes": {"k": _text("b")}},
        {"Message": ""},
        bad,
        {"MessageDeduplicationId": "d"},
    )
    assert [each["Id"] for each in answer["Successful"]] == ["0", "1"]
    assert [(each["Id"], each["Code"], each["SenderFault"]) for each in answer["Failed"]] == [
        ("2", "InvalidParameter", True),
        ("3", "ParameterValueInvalid", True),
        ("4", "InvalidParameter", True),
    ]
    assert answer["Failed"][0]["Message"] == "Invalid parameter: Empty message"
    (body,) = client.bodies()
    assert json.loads(body)["MessageId"] == answer["Successful"][0]["MessageId"]


@pytest.mark.rule("SNS-PUB-6")
@pytest.mark.parametrize(
    ("entries", "code", "text"),
    [
        ([], "EmptyBatchRequest", "The batch request doesn't contain any entries."),
        ([{}] * 11, "TooManyEntriesInBatchRequest", "The batch request contains more entries than permissible."),
        ([{"Id": "a"}] * 2, "BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id."),
        (
            [{"Id": "a.b"}],
            "InvalidBatchEntryId",
            "The Id of a batch entry in the batch request contains an impermissible character: a.b",
        ),
        (
            [{"Id": ""}],
            "InvalidBatchEntryId",
            "The Id of a batch entry in the batch request contains an impermissible character: ",
        ),
        (
            [{"Id": "a" * 81}],
            "InvalidBatchEntryId",
            "The Id of a batch entry in the batch request is too long: " + "a" * 81,
        ),
        (
            [{"Message": "x" * 200_000}, {"Message": "é" * 31_073}],
            "BatchRequestTooLong",
            "The length of all the messages put together is more than the limit.",
        ),
    ],
)
def test_a_batch_that_cannot_be_is_refused_as_a_whole(entries: list[dict[str, Any]], code: str, text: str) -> None:
    client = TopicClient()
    named = [{"Id": str(number), "Message": "x", **entry} for number, entry in enumerate(entries)]
    refusal = client.refusal("PublishBatch", TopicArn=ARN, PublishBatchRequestEntries=named)
    assert refusal == (code, text, 400)
    assert client.topic.published == 0


@pytest.mark.rule("SNS-PUB-6")
def test_a_batch_of_the_greatest_size_is_published() -> None:
    client = TopicClient()
    answer = _batch(client, {"Id": "a" * 80, "Message": "x" * 200_000}, {"Message": "é" * 31_072})
    assert (len(answer["Successful"]), answer["Failed"]) == (2, [])


@pytest.mark.rule("SNS-PUB-4")
def test_queues_get_their_own_text_or_the_default() -> None:
    client = TopicClient()
    client.subscribe(RawMessageDelivery="true")
    for texts in ({"default": "d", "sqs": "q"}, {"default": "d", "sms": "s"}, {"default": "d", "sqs": 1, "x": []}):
        client.publish(json.dumps(texts), MessageStructure="json", MessageAttributes={"k": _text("a")})
    deliveries = client.queue.receive(1, 10)
    assert [(each.body, each.attributes) for each in deliveries] == [("q", {}), ("d", {}), ("d", {})]


@pytest.mark.rule("SNS-PUB-4")
@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("{", "Message Structure - JSON message body failed to parse"),
        ('["default"]', "Message Structure - JSON message body failed to parse"),
        ('{"sqs": "q"}', "Message Structure - No default entry in JSON message body"),
        ('{"default": 1}', "Message Structure - No default entry in JSON message body"),
    ],
)
def test_a_structure_that_is_none_is_refused(message: str, text: str) -> None:
    refusal = TopicClient().refusal("Publish", TopicArn=ARN, Message=message, MessageStructure="json")
    assert refusal == ("InvalidParameter", f"Invalid parameter: {text}", 400)


def test_there_is_one_structure() -> None:
    refusal = TopicClient().refusal("Publish", TopicArn=ARN, Message="{}", MessageStructure="xml")
    assert refusal[1] == "Invalid parameter: MessageStructure Reason: xml is none; allowed: json"


@pytest.mark.rule("SNS-PUB-3")
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a" * 256, "Length of message attribute name must be less than 256 bytes."),
        ("é" * 128, "Length of message attribute name must be less than 256 bytes."),
        (".a", "Invalid message attribute name starting with character '.' was found."),
        ("a.", "Invalid message attribute name ending with character '.' was found."),
        ("a..b", "Message attribute name can not have successive '.' character."),
    ],
)
def test_names_of_attributes_that_cannot_be(name: str, text: str) -> None:
    client = TopicClient()
    refusal = client.refusal("Publish", TopicArn=ARN, Message="x", MessageAttributes={name: _text("a")})
    assert refusal == ("ParameterValueInvalid", text, 400)
    client.publish(MessageAttributes={"a" * 255: _text("a"), "a.b": _text("a")})


@pytest.mark.rule("SNS-QUO-1")
@pytest.mark.rule("SNS-QUO-3")
def test_all_topics_of_an_account_share_a_quota() -> None:
    client = TopicClient(publish_quota=PublishQuota(limit=12))
    client("CreateTopic", Name="u")
    _batch(client, *[{}] * 10)
    other = {"TopicArn": ARN[:-1] + "u", "Message": "x"}
    client("Publish", 0.5, **other)
    client("Publish", 0.5, TargetArn=other["TopicArn"], Message="x")
    assert client.refusal("Publish", 0.5, **other) == ("Throttled", "Rate exceeded", 429)
    client("Publish", 1, **other)
    assert client.account.topics["u"].published == 3


@pytest.mark.rule("SNS-ENV-5")
def test_a_queue_that_becomes_smaller_gets_no_envelope_that_is_too_long() -> None:
    client = TopicClient()
    client.subscribe()
    client.publish("x" * 1_000)
    url = client.account.queue_url("q")
    for size, expected in ((1_024, 1), (262_144, 2)):
        client("SetQueueAttributes", QueueUrl=url, Attributes={"MaximumMessageSize": f"{size}"})
        client.publish("x" * 1_000)
        assert client.topic.delivered == expected
    assert (client.topic.delivery_failed, client.queue.counts(0).visible) == (1, 2)
    client.topic.check()
