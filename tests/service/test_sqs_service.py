"""SQS by its own names."""

import json
from hashlib import md5
from typing import Any

import pytest

from msgsim.bus.queue import Queue, Redrive, StandardQueue
from msgsim.errors import ServiceError
from msgsim.service.account import Account
from msgsim.service.requests import call
from msgsim.service.sqs import SYSTEM_ATTRIBUTES

EPOCH_MS = 1_767_225_600_000
LETTERS = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"


class Client:
    """An account with one queue, and calls about it."""

    def __init__(self, attributes: dict[str, str] | None = None) -> None:
        self.account = Account()
        self.url = self("CreateQueue", QueueName="q", Attributes=attributes or {})["QueueUrl"]

    def __call__(self, operation: str, now: float = 0, **params: Any) -> dict[str, Any]:
        return call(self.account, operation, params, now)

    def send(self, body: str = "x", now: float = 0, **params: Any) -> dict[str, Any]:
        return self("SendMessage", now, QueueUrl=self.url, MessageBody=body, **params)

    def receive(self, now: float = 0, **params: Any) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = self("ReceiveMessage", now, QueueUrl=self.url, **params).get("Messages", [])
        return messages

    def refusal(self, operation: str, now: float = 0, **params: Any) -> tuple[str, str, int]:
        with pytest.raises(ServiceError) as caught:
            self(operation, now, **params)
        return caught.value.code, caught.value.message, caught.value.status

    @property
    def queue(self) -> StandardQueue:
        return self.account.queues["q"]


def _texts(**attributes: str) -> dict[str, Any]:
    return {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}


# ---------------------------------------------------------------- queues


@pytest.mark.rule("SQS-ATT-1")
def test_a_queue_has_the_attributes_that_were_asked_for() -> None:
    client = Client(
        {
            "DelaySeconds": "1",
            "MaximumMessageSize": "2048",
            "MessageRetentionPeriod": "60",
            "ReceiveMessageWaitTimeSeconds": "3",
            "VisibilityTimeout": "4",
        }
    )
    assert client.url == "https://sqs.us-east-1.amazonaws.com/123456789012/q"
    assert client.queue.declaration == Queue(
        delay=1, max_message_bytes=2048, retention=60, wait_time=3, visibility_timeout=4
    )
    assert Client().queue.declaration == Queue()


@pytest.mark.rule("SQS-Q-2")
def test_a_queue_is_made_once() -> None:
    client = Client({"VisibilityTimeout": "4"})
    live = client.queue
    for attributes in ({}, {"VisibilityTimeout": "4"}, {"DelaySeconds": "0", "RedrivePolicy": ""}):
        answer = client("CreateQueue", QueueName="q", Attributes=attributes)
        assert answer == {"QueueUrl": client.url}
    assert client("CreateQueue", QueueName="q") == {"QueueUrl": client.url}
    assert client.queue is live
    for attribute, value in (("VisibilityTimeout", "5"), ("DelaySeconds", "1")):
        assert client.refusal("CreateQueue", QueueName="q", Attributes={attribute: value}) == (
            "QueueAlreadyExists",
            f"A queue already exists with the same name and a different value for attribute {attribute}",
            400,
        )


@pytest.mark.rule("SQS-Q-1")
@pytest.mark.parametrize("name", ["", "a/b", "a.fifo", "a b", "a" * 81, "é"])
def test_a_name_that_cannot_be_is_refused(name: str) -> None:
    assert Client().refusal("CreateQueue", QueueName=name) == ("InvalidParameterValue", LETTERS, 400)


@pytest.mark.rule("SQS-Q-1")
def test_a_name_has_up_to_80_characters_and_is_case_sensitive() -> None:
    client = Client()
    for name in ("a" * 80, "A-b_9", "Q"):
        assert client("CreateQueue", QueueName=name)["QueueUrl"].endswith(f"/{name}")
    assert len(client.account.queues) == 4


@pytest.mark.rule("SQS-Q-1")
def test_fifo_queues_are_refused_clearly() -> None:
    client = Client()
    for name in ("a", ".fifo", "a" * 76 + ".fifo"):
        code, message, _ = client.refusal("CreateQueue", QueueName=name, Attributes={"FifoQueue": "true"})
        assert (code, message) == ("InvalidParameterValue", LETTERS)
    assert client.refusal("CreateQueue", QueueName="a.fifo", Attributes={"FifoQueue": "true"}) == (
        "AWS.SimpleQueueService.UnsupportedOperation",
        "FIFO queues are not modelled yet; leave FifoQueue out for a standard queue",
        400,
    )


@pytest.mark.rule("SQS-Q-7")
@pytest.mark.parametrize(
    ("attribute", "text"),
    [
        ("FifoQueue", "Unknown Attribute FifoQueue."),
        ("ContentBasedDeduplication", "Unknown Attribute ContentBasedDeduplication."),
        ("DeduplicationScope", "You can specify the DeduplicationScope only when FifoQueue is set to true."),
        ("FifoThroughputLimit", "You can specify the FifoThroughputLimit only when FifoQueue is set to true."),
        ("Delay", "Unknown Attribute Delay."),
    ],
)
def test_attributes_that_a_standard_queue_does_not_take(attribute: str, text: str) -> None:
    refusal = Client().refusal("CreateQueue", QueueName="a", Attributes={attribute: "false"})
    assert refusal == ("InvalidAttributeName", text, 400)


def test_attributes_that_nothing_heeds_are_refused() -> None:
    code, message, _ = Client().refusal("CreateQueue", QueueName="a", Attributes={"Policy": "{}"})
    assert code == "AWS.SimpleQueueService.UnsupportedOperation"
    assert message == "The attribute Policy is not modelled yet; leave it out"


@pytest.mark.rule("SQS-ATT-1")
@pytest.mark.parametrize("value", ["-1", "901", "1.0", "x", "", "²", "٣", "9" * 5_000])
def test_a_number_out_of_its_range_is_refused(value: str) -> None:
    client = Client()
    assert client.refusal("CreateQueue", QueueName="a", Attributes={"DelaySeconds": value}) == (
        "InvalidAttributeValue",
        (
            f"Invalid value for the parameter DelaySeconds. Reason: {value!r} is not allowed; "
            "allowed: 0 to 900 [s] (SQS-DLY-1)"
        ),
        400,
    )
    assert "a" not in client.account.queues


@pytest.mark.rule("SQS-DLQ-1")
@pytest.mark.parametrize("count", [3, "3"])
def test_a_redrive_policy_names_its_queue_by_arn(count: object) -> None:
    client = Client()
    policy = json.dumps({"deadLetterTargetArn": client.account.arn("sqs", "q"), "maxReceiveCount": count})
    for _ in range(2):
        client("CreateQueue", QueueName="a", Attributes={"RedrivePolicy": policy})
    live = client.account.queues["a"]
    assert live.declaration.redrive == Redrive(to="q", max_receive_count=3)
    assert live.dead_letter_queue is client.queue
    other = json.dumps({"deadLetterTargetArn": client.account.arn("sqs", "q"), "maxReceiveCount": 4})
    assert client.refusal("CreateQueue", QueueName="a", Attributes={"RedrivePolicy": other})[0] == "QueueAlreadyExists"
    client("CreateQueue", QueueName="b", Attributes={"RedrivePolicy": ""})
    assert client.account.queues["b"].declaration.redrive is None


@pytest.mark.rule("SQS-DLQ-1")
@pytest.mark.rule("SQS-DLQ-2")
@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ("{", "Redrive policy is not a valid JSON map."),
        ("[]", "Redrive policy is not a valid JSON map."),
        ("[" * 100_000, "Redrive policy is not a valid JSON map."),
        ('{"maxReceiveCount": 3}', "Redrive policy does not contain mandatory attribute: deadLetterTargetArn."),
        ('{"deadLetterTargetArn": "a"}', "Redrive policy does not contain mandatory attribute: maxReceiveCount."),
        *(
            (
                f'{{"deadLetterTargetArn": "a", "maxReceiveCount": "{count}"}}',
                f"Invalid value for maxReceiveCount: {count}, valid values are from 1 to 1000 both inclusive.",
            )
            for count in ("0", "1001", "x", "3.0", "²")
        ),
        *(
            (f'{{"deadLetterTargetArn": "{arn}", "maxReceiveCount": 3}}', "Dead letter target does not exist.")
            for arn in ("q", "arn:aws:sqs:us-east-1:123456789012:p", "arn:aws:sqs:us-east-2:123456789012:q")
        ),
    ],
)
def test_a_redrive_policy_that_cannot_be_is_refused(policy: str, reason: str) -> None:
    assert Client().refusal("CreateQueue", QueueName="a", Attributes={"RedrivePolicy": policy}) == (
        "InvalidParameterValue",
        f"Value {policy} for parameter RedrivePolicy is invalid. Reason: {reason}",
        400,
    )


def test_a_queue_is_found_by_its_name() -> None:
    client = Client()
    found = {"QueueUrl": client.url}
    assert client("GetQueueUrl", QueueName="q") == found
    assert client("GetQueueUrl", QueueName="q", QueueOwnerAWSAccountId="123456789012") == found


@pytest.mark.rule("SQS-Q-6")
@pytest.mark.rule("GEN-2")
def test_an_unknown_queue_goes_by_the_old_code() -> None:
    client = Client()
    refusal = ("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.", 400)
    assert client.refusal("GetQueueUrl", QueueName="Q") == refusal
    assert client.refusal("GetQueueUrl", QueueName="q", QueueOwnerAWSAccountId="999999999999") == refusal
    for operation, params in (
        ("SendMessage", {"MessageBody": "x"}),
        ("ReceiveMessage", {}),
        ("DeleteMessage", {"ReceiptHandle": "x"}),
        ("ChangeMessageVisibility", {"ReceiptHandle": "x", "VisibilityTimeout": 0}),
        ("PurgeQueue", {}),
    ):
        for url in ("q", client.url + "x"):
            assert client.refusal(operation, QueueUrl=url, **params) == refusal


@pytest.mark.rule("SQS-PRG-1")
@pytest.mark.rule("SQS-PRG-2")
def test_a_purge_leaves_nothing_and_comes_once_a_minute() -> None:
    client = Client()
    client.send()
    assert client("PurgeQueue", QueueUrl=client.url) == {}
    assert client.receive() == []
    assert client.refusal("PurgeQueue", 59.9, QueueUrl=client.url) == (
        "AWS.SimpleQueueService.PurgeQueueInProgress",
        "Only one PurgeQueue operation on q is allowed every 60 seconds.",
        403,
    )
    client("PurgeQueue", 60, QueueUrl=client.url)


# ---------------------------------------------------------------- sending


@pytest.mark.rule("SQS-SND-6")
@pytest.mark.rule("SQS-SND-7")
def test_a_send_answers_with_id_and_checksums() -> None:
    client = Client()
    answer = client.send("é", MessageAttributes=_texts(MyAttribute="foobar"))
    (message,) = client.receive()
    assert answer == {
        "MessageId": message["MessageId"],
        "MD5OfMessageBody": md5("é".encode(), usedforsecurity=False).hexdigest(),
        "MD5OfMessageAttributes": "adb59cd4678ea5a855436b949cd07ab6",
    }
    assert client.send().keys() == {"MessageId", "MD5OfMessageBody"}
    assert client.send(MessageAttributes={}).keys() == {"MessageId", "MD5OfMessageBody"}


@pytest.mark.rule("SQS-DLY-1")
def test_a_delay_of_the_message_overrides_that_of_the_queue() -> None:
    client = Client({"DelaySeconds": "10"})
    client.send("queue's")
    client.send("own", DelaySeconds=5)
    client.send("none", DelaySeconds=0)
    for now, body in ((0, "none"), (5, "own"), (10, "queue's")):
        assert [message["Body"] for message in client.receive(now, MaxNumberOfMessages=10)] == [body]
    code, message, status = client.refusal("SendMessage", 10, QueueUrl=client.url, MessageBody="x", DelaySeconds=901)
    assert (code, status) == ("InvalidParameterValue", 400)
    assert message == "Value 901 for parameter DelaySeconds is invalid. Reason: Must be >= 0 and <= 900, if provided."


@pytest.mark.rule("SQS-SND-1")
@pytest.mark.rule("SQS-SND-2")
@pytest.mark.rule("SQS-SND-3")
@pytest.mark.rule("SQS-SND-8")
def test_a_message_that_cannot_be_is_refused() -> None:
    client = Client({"MaximumMessageSize": "1024"})
    missing = ("MissingParameter", "The request must contain the parameter MessageBody.", 400)
    assert client.refusal("SendMessage", QueueUrl=client.url) == missing
    for body, params, code, text in (
        ("", {}, *missing[:2]),
        ("\0", {}, "InvalidMessageContents", "Invalid characters found: U+0000 at position 0."),
        ("\ud800", {}, "InvalidMessageContents", "Invalid characters found: U+D800 at position 0."),
        (
            "x" * 1025,
            {},
            "InvalidParameterValue",
            "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.",
        ),
        (
            "x",
            {"MessageDeduplicationId": "d"},
            "InvalidParameterValue",
            (
                "Value d for parameter MessageDeduplicationId is invalid. Reason: The request includes a parameter "
                "that is not valid for this queue type."
            ),
        ),
        (
            "x",
            {"MessageAttributes": {"k": {"DataType": "Number", "StringValue": "x"}}},
            "InvalidParameterValue",
            "Can't cast the value of message (user) attribute 'k' to a number.",
        ),
    ):
        assert client.refusal("SendMessage", QueueUrl=client.url, MessageBody=body, **params) == (code, text, 400)
    assert client.queue.sent == 0


# ---------------------------------------------------------------- receiving


@pytest.mark.rule("SQS-RCV-5")
@pytest.mark.parametrize("params", [{}, {"WaitTimeSeconds": 20}])
def test_an_empty_receive_has_no_messages_key(params: dict[str, Any]) -> None:
    client = Client()
    assert client("ReceiveMessage", QueueUrl=client.url, **params) == {}
    assert client.queue.empty_receives == (0 if params else 1)


@pytest.mark.rule("SQS-SYS-1")
def test_a_plain_receive_has_no_attributes() -> None:
    client = Client()
    sent = client.send("x", MessageAttributes=_texts(k="v"))
    (message,) = client.receive()
    assert message == {
        "MessageId": sent["MessageId"],
        "ReceiptHandle": message["ReceiptHandle"],
        "MD5OfBody": sent["MD5OfMessageBody"],
        "Body": "x",
    }


@pytest.mark.rule("SQS-RCV-1")
@pytest.mark.rule("SQS-RCV-2")
@pytest.mark.rule("SQS-RCV-7")
def test_the_parameters_of_a_receive_count_and_are_checked() -> None:
    client = Client()
    for body in "abc":
        client.send(body)
    assert [each["Body"] for each in client.receive(MaxNumberOfMessages=2, VisibilityTimeout=5)] == ["a", "b"]
    assert [each["Body"] for each in client.receive()] == ["c"]
    assert [each["Body"] for each in client.receive(5, MaxNumberOfMessages=10, VisibilityTimeout=0)] == ["a", "b"]
    assert [each["Body"] for each in client.receive(5, MaxNumberOfMessages=10)] == ["a", "b"]
    for name, value, reason in (
        ("MaxNumberOfMessages", 11, "Must be between 1 and 10, if provided."),
        ("MaxNumberOfMessages", 0, "Must be between 1 and 10, if provided."),
        ("WaitTimeSeconds", 21, "Must be >= 0 and <= 20, if provided."),
        ("VisibilityTimeout", -1, "Must be >= 0 and <= 43200, if provided."),
    ):
        assert client.refusal("ReceiveMessage", 5, QueueUrl=client.url, **{name: value}) == (
            "InvalidParameterValue",
            f"Value {value} for parameter {name} is invalid. Reason: {reason}",
            400,
        )
    code, message, _ = client.refusal("ReceiveMessage", 5, QueueUrl=client.url, ReceiveRequestAttemptId="a")
    assert (code, "ReceiveRequestAttemptId" in message) == ("InvalidParameterValue", True)


@pytest.mark.rule("SQS-SYS-1")
@pytest.mark.rule("SQS-SYS-2")
@pytest.mark.rule("SQS-FAIR-2")
def test_system_attributes_are_texts_and_come_when_asked_for() -> None:
    client = Client({"VisibilityTimeout": "10"})
    client.send("x", 1.5, MessageGroupId="tenant")
    client.receive(2)
    (message,) = client.receive(20.25, MessageSystemAttributeNames=["All"])
    assert message["Attributes"] == {
        "ApproximateFirstReceiveTimestamp": str(EPOCH_MS + 2_000),
        "ApproximateReceiveCount": "2",
        "MessageGroupId": "tenant",
        "SenderId": "123456789012",
        "SentTimestamp": str(EPOCH_MS + 1_500),
    }
    (message,) = client.receive(30.25, AttributeNames=["SentTimestamp"], MessageSystemAttributeNames=["SenderId"])
    assert message["Attributes"] == {"SenderId": "123456789012", "SentTimestamp": str(EPOCH_MS + 1_500)}
    (message,) = client.receive(40.25, AttributeNames=["SequenceNumber", "DeadLetterQueueSourceArn"])
    assert "Attributes" not in message
    assert set(SYSTEM_ATTRIBUTES) > {"AWSTraceHeader", "SequenceNumber", "MessageDeduplicationId"}


def test_an_unknown_system_attribute_is_refused_before_anything_is_received() -> None:
    client = Client()
    client.send()
    names: list[dict[str, Any]] = [{"AttributeNames": ["Sent"]}, {"MessageSystemAttributeNames": ["All", "Sent"]}]
    for params in names:
        refusal = client.refusal("ReceiveMessage", QueueUrl=client.url, **params)
        assert refusal == ("InvalidAttributeName", "Unknown Attribute Sent.", 400)
    assert client.queue.received == 0


@pytest.mark.rule("SQS-SYS-4")
@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], []),
        (["All"], ["General", "Hello", "Help.Me"]),
        ([".*"], ["General", "Hello", "Help.Me"]),
        (["Hello"], ["Hello"]),
        (["hello", "Help"], []),
        (["Help.*"], ["Help.Me"]),
        (["Hel.*"], ["Hello", "Help.Me"]),
        (["General", "Hello", "Other"], ["General", "Hello"]),
    ],
)
def test_message_attributes_come_when_asked_for(names: list[str], expected: list[str]) -> None:
    client = Client()
    wires = {
        **_texts(Hello="There", General="Kenobi"),
        "Help.Me": {"DataType": "Number.int", "StringValue": "007"},
    }
    sent = client.send(MessageAttributes=wires)
    (message,) = client.receive(MessageAttributeNames=names)
    assert message.get("MessageAttributes", {}) == {name: wires[name] for name in expected}
    assert ("MD5OfMessageAttributes" in message) == bool(expected)
    if len(expected) == len(wires):
        assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    if expected == ["Hello"]:
        answer = client.send(MessageAttributes=_texts(Hello="There"))
        assert message["MD5OfMessageAttributes"] == answer["MD5OfMessageAttributes"]


def test_messages_that_others_sent_are_received_too() -> None:
    client = Client()
    client.queue.send("x", 0, attributes={"n": 7})
    (message,) = client.receive(MessageAttributeNames=["All"])
    assert message["MessageAttributes"] == {"n": {"DataType": "Number", "StringValue": "7"}}


@pytest.mark.rule("SQS-DLQ-3")
@pytest.mark.rule("SQS-SYS-2")
@pytest.mark.rule("SQS-SYS-3")
def test_a_message_received_too_often_goes_to_the_dead_letter_queue() -> None:
    client = Client()
    policy = json.dumps({"deadLetterTargetArn": client.account.arn("sqs", "q"), "maxReceiveCount": "2"})
    attributes = {"VisibilityTimeout": "10", "RedrivePolicy": policy}
    source = client("CreateQueue", QueueName="source", Attributes=attributes)["QueueUrl"]
    sent = client("SendMessage", QueueUrl=source, MessageBody="x", MessageAttributes=_texts(k="v"))
    for now, count in ((0, 1), (11, 1), (22, 0)):
        assert len(client("ReceiveMessage", now, QueueUrl=source).get("Messages", [])) == count
    (dead,) = client.receive(23, AttributeNames=["All"], MessageAttributeNames=["All"])
    assert (dead["MessageId"], dead["Body"]) == (sent["MessageId"], "x")
    assert dead["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert dead["Attributes"] == {
        "ApproximateFirstReceiveTimestamp": str(EPOCH_MS + 23_000),
        "ApproximateReceiveCount": "3",
        "DeadLetterQueueSourceArn": "arn:aws:sqs:us-east-1:123456789012:source",
        "SenderId": "123456789012",
        "SentTimestamp": str(EPOCH_MS),
    }


@pytest.mark.rule("SQS-INF-1")
def test_too_many_in_flight_is_an_error_for_a_short_poll_only() -> None:
    client = Client()
    client.account.queues["q"] = StandardQueue(Queue(max_in_flight=1), "q")
    client.send()
    client.send()
    client.receive()
    code, _, status = client.refusal("ReceiveMessage", QueueUrl=client.url)
    assert (code, status) == ("OverLimit", 403)
    assert client.receive(WaitTimeSeconds=1) == []


# ---------------------------------------------------------------- receipt handles


@pytest.mark.rule("SQS-VIS-6")
@pytest.mark.rule("SQS-VIS-9")
def test_a_deleted_message_does_not_come_back() -> None:
    client = Client()
    client.send()
    (message,) = client.receive()
    for now in (1, 2):
        answer = client("DeleteMessage", now, QueueUrl=client.url, ReceiptHandle=message["ReceiptHandle"])
        assert answer == {}
    assert client.receive(60) == []
    assert client.queue.deleted == 1


@pytest.mark.rule("SQS-VIS-9")
def test_what_is_no_handle_is_refused() -> None:
    client = Client()
    refusal = ("ReceiptHandleIsInvalid", 'The input receipt handle "garbage" is not a valid receipt handle.', 404)
    assert client.refusal("DeleteMessage", QueueUrl=client.url, ReceiptHandle="garbage") == refusal
    params = {"QueueUrl": client.url, "ReceiptHandle": "garbage", "VisibilityTimeout": 1}
    assert client.refusal("ChangeMessageVisibility", **params) == refusal


@pytest.mark.rule("SQS-VIS-2")
@pytest.mark.rule("SQS-VIS-4")
def test_a_visibility_timeout_restarts_from_now() -> None:
    client = Client()
    client.send()
    (message,) = client.receive()

    def change(now: float, timeout: int) -> dict[str, Any]:
        handle = message["ReceiptHandle"]
        params = {"QueueUrl": client.url, "ReceiptHandle": handle, "VisibilityTimeout": timeout}
        return client("ChangeMessageVisibility", now, **params)

    assert change(20, 60) == {}
    assert client.receive(79.9) == []
    (message,) = client.receive(80)
    change(81, 0)
    (message,) = client.receive(81)
    assert client.receive(110.9) == []
    assert len(client.receive(111)) == 1


@pytest.mark.rule("SQS-VIS-3")
def test_a_message_is_hidden_for_at_most_12_hours() -> None:
    client = Client()
    client.send()
    (message,) = client.receive()
    params = {"QueueUrl": client.url, "ReceiptHandle": message["ReceiptHandle"]}
    code, text, _ = client.refusal("ChangeMessageVisibility", 10, VisibilityTimeout=43_195, **params)
    assert code == "InvalidParameterValue"
    assert "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]" in text
    client("ChangeMessageVisibility", 10, VisibilityTimeout=43_185, **params)


@pytest.mark.rule("SQS-VIS-8")
def test_the_visibility_of_a_deleted_message_cannot_change() -> None:
    client = Client()
    client.send()
    (message,) = client.receive()
    params = {"QueueUrl": client.url, "ReceiptHandle": message["ReceiptHandle"]}
    client("DeleteMessage", **params)
    code, text, _ = client.refusal("ChangeMessageVisibility", VisibilityTimeout=1, **params)
    assert code == "InvalidParameterValue"
    assert text.endswith("Reason: Message does not exist or is not available for visibility timeout change.")
