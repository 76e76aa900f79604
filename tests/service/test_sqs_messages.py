"""SQS: one message sent, received, deleted or hidden for another time."""

import json
from hashlib import md5, sha256
from typing import Any

import pytest

from msgsim.bus.fifo import FifoQueue
from msgsim.bus.queue import Queue
from msgsim.bus.standard import StandardQueue
from msgsim.service.sqs_messages import SYSTEM_ATTRIBUTES
from tests.service.clients import EPOCH_MS, Client, fifo, texts

HEADER = "Root=1-5759e988-bd862e3fe1be46a994272793"


# ---------------------------------------------------------------- sending


@pytest.mark.rule("SQS-SND-6")
@pytest.mark.rule("SQS-SND-7")
def test_a_send_answers_with_id_and_checksums() -> None:
    client = Client()
    answer = client.send("é", MessageAttributes=texts(MyAttribute="foobar"))
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


@pytest.mark.rule("SQS-RCV-5")
@pytest.mark.parametrize("params", [{}, {"WaitTimeSeconds": 20}])
def test_an_empty_receive_has_no_messages_key(params: dict[str, Any]) -> None:
    client = Client()
    assert client("ReceiveMessage", QueueUrl=client.url, **params) == {}
    assert client.queue.empty_receives == (0 if params else 1)


@pytest.mark.rule("SQS-SYS-1")
def test_a_plain_receive_has_no_attributes() -> None:
    client = Client()
    sent = client.send("x", MessageAttributes=texts(k="v"))
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
        **texts(Hello="There", General="Kenobi"),
        "Help.Me": {"DataType": "Number.int", "StringValue": "7"},
    }
    sent = client.send(MessageAttributes=wires)
    (message,) = client.receive(MessageAttributeNames=names)
    assert message.get("MessageAttributes", {}) == {name: wires[name] for name in expected}
    assert ("MD5OfMessageAttributes" in message) == bool(expected)
    if len(expected) == len(wires):
        assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    if expected == ["Hello"]:
        answer = client.send(MessageAttributes=texts(Hello="There"))
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
    sent = client("SendMessage", QueueUrl=source, MessageBody="x", MessageAttributes=texts(k="v"))
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


# ---------------------------------------------------------------- sizes to the byte


@pytest.mark.rule("SQS-SND-3")
def test_a_message_has_body_names_types_with_labels_and_values() -> None:
    client = Client({"MaximumMessageSize": "1024"})
    attributes = {
        "é": {"DataType": "String", "StringValue": "x"},
        "text": {"DataType": "String.json", "StringValue": "éé"},
        "number": {"DataType": "Number.int", "StringValue": "007"},
        "bytes": {"DataType": "Binary.gif", "BinaryValue": b"\xff\x00"},
    }
    del attributes["é"]
    size = (4 + 11 + 4) + (6 + 10 + 3) + (5 + 10 + 2)
    client.send("x" * (1024 - size), MessageAttributes=attributes, MessageSystemAttributes=trace())
    code, text, _ = client.refused("SendMessage", MessageBody="x" * (1025 - size), MessageAttributes=attributes)
    assert (code, text) == (
        "InvalidParameterValue",
        "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.",
    )
    code, _, _ = client.refused("SendMessage", MessageBody="é" * 512 + "x")
    assert code == "InvalidParameterValue"
    client.send("é" * 512)
    assert client.queue.sent == 2


@pytest.mark.rule("SQS-SND-3")
def test_a_message_has_up_to_a_mebibyte() -> None:
    client = Client()
    client.send("x" * 1_048_576)
    assert client.refused("SendMessage", MessageBody="x" * 1_048_577)[:2] == (
        "InvalidParameterValue",
        "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.",
    )
    client.on("SetQueueAttributes", Attributes={"MaximumMessageSize": "2048"})
    assert client.refused("SendMessage", MessageBody="x" * 2_049)[1].endswith("shorter than 2048 bytes.")


# ---------------------------------------------------------------- numbers


@pytest.mark.rule("SQS-SND-5")
@pytest.mark.parametrize(
    "number", ["9" * 38, "-" + "9" * 38, "1" + "0" * 126, "1e126", "1e-128", "0", "0e500", "00.10"]
)
def test_a_number_has_up_to_38_digits(number: str) -> None:
    Client().send(MessageAttributes={"k": {"DataType": "Number", "StringValue": number}})


@pytest.mark.rule("SQS-SND-5")
@pytest.mark.parametrize(
    "number", ["1" * 39, "1.1e126", "1e127", "9e-129", "1e99999999999999999999", "1e999999999", "-1e999", "0x1", " 1"]
)
def test_a_number_beyond_its_limits_is_refused(number: str) -> None:
    client = Client()
    assert client.refused(
        "SendMessage", MessageBody="x", MessageAttributes={"k": {"DataType": "Number", "StringValue": number}}
    ) == ("InvalidParameterValue", "Can't cast the value of message (user) attribute 'k' to a number.", 400)
    assert client.queue.sent == 0


@pytest.mark.rule("SQS-SND-5")
@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("007.50", "7.5"),
        ("-000", "-0"),
        ("1.00", "1"),
        (".5", "0.5"),
        ("100", "100"),
        ("+0.1e05", "+0.1e05"),
        ("5.", "5"),
    ],
)
def test_numbers_come_without_needless_zeros_and_their_checksum_is_of_what_came(written: str, read: str) -> None:
    client = Client()
    sent = client.send(MessageAttributes={"k": {"DataType": "Number.int", "StringValue": written}})
    [message] = client.receive(MessageAttributeNames=["All"])
    assert message["MessageAttributes"] == {"k": {"DataType": "Number.int", "StringValue": read}}
    assert (message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]) is (read == written)


@pytest.mark.rule("SQS-SND-5")
def test_a_type_has_up_to_256_characters() -> None:
    client = Client()
    kind = "String." + "x" * 249
    client.send(MessageAttributes={"k": {"DataType": kind, "StringValue": "x"}})
    attributes = {"k": {"DataType": kind + "x", "StringValue": "x"}}
    assert client.refused("SendMessage", MessageBody="x", MessageAttributes=attributes) == (
        "InvalidParameterValue",
        "The type of message (user) attribute 'k' must be at most 256 characters long.",
        400,
    )


@pytest.mark.rule("SQS-SND-4")
def test_a_message_has_up_to_ten_attributes_and_their_names_are_checked() -> None:
    client = Client()
    client.send(MessageAttributes=texts(**{f"k{number}": "x" for number in range(10)}))
    for names in (
        [f"k{number}" for number in range(11)],
        ["AWS.x"],
        ["amazon.x"],
        [".a"],
        ["a."],
        ["a b"],
        ["a" * 257],
    ):
        attributes = texts(**dict.fromkeys(names, "x"))
        code, _, status = client.refused("SendMessage", MessageBody="x", MessageAttributes=attributes)
        assert (code, status) == ("InvalidParameterValue", 400)
    assert client.queue.sent == 1


# ---------------------------------------------------------------- trace headers


def trace(header: str = HEADER) -> dict[str, Any]:
    return texts(AWSTraceHeader=header)


@pytest.mark.rule("SQS-SYS-1")
@pytest.mark.rule("SQS-SYS-3")
@pytest.mark.rule("SQS-SND-6")
@pytest.mark.parametrize("attributes", [{}, texts(k="v")])
def test_a_trace_header_goes_where_its_message_goes(attributes: dict[str, Any]) -> None:
    client = Client()
    dead = Client(name="dead", account=client.account)
    policy = '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:dead", "maxReceiveCount": 1}'
    client.on("SetQueueAttributes", Attributes={"RedrivePolicy": policy})
    sent = client.send(MessageAttributes=attributes, MessageSystemAttributes=trace())
    plain = client.send(MessageAttributes=attributes)
    assert (
        sent["MD5OfMessageSystemAttributes"]
        == md5(
            b"\0\0\0\x0eAWSTraceHeader\0\0\0\x06String\x01\0\0\0\x28" + HEADER.encode(), usedforsecurity=False
        ).hexdigest()
    )
    assert sent.get("MD5OfMessageAttributes") == plain.get("MD5OfMessageAttributes")
    asked = {"MessageSystemAttributeNames": ["AWSTraceHeader"], "MessageAttributeNames": ["All"]}
    for now, queue in ((0, client), (31, dead)):
        client.bodies(now)
        queue.on("SetQueueAttributes", now, Attributes={"VisibilityTimeout": "0"})
        [first, second] = dead.receive(62, MaxNumberOfMessages=10, **asked) if queue is dead else [None, None]
    assert first is not None
    assert second is not None
    assert first["Attributes"] == {"AWSTraceHeader": HEADER}
    assert first.get("MessageAttributes", {}) == attributes
    assert "Attributes" not in second


@pytest.mark.rule("FIFO-DUP-2")
def test_a_duplicate_does_not_change_the_trace_header() -> None:
    client = fifo()
    ids = {"MessageGroupId": "g", "MessageDeduplicationId": "d"}
    first = client.send(**ids)
    second = client.send(MessageSystemAttributes=trace(), **ids)
    assert (second["MessageId"], second["SequenceNumber"]) == (first["MessageId"], first["SequenceNumber"])
    [message] = client.receive(AttributeNames=["AWSTraceHeader"])
    assert "Attributes" not in message


@pytest.mark.parametrize(
    ("system", "text"),
    [
        (
            {"Other": {"DataType": "String", "StringValue": "x"}},
            (
                "Value Other for parameter MessageSystemAttributes is invalid. Reason: The only system attribute of a "
                "send is AWSTraceHeader."
            ),
        ),
        (
            {"AWSTraceHeader": {"DataType": "Number", "StringValue": "1"}},
            "Value Number for parameter AWSTraceHeader is invalid. Reason: Its type must be String.",
        ),
        (
            {"AWSTraceHeader": {"DataType": "String", "StringValue": ""}},
            "Message (user) attribute 'AWSTraceHeader' must contain a non-empty value of type 'String'.",
        ),
    ],
)
def test_a_system_attribute_that_cannot_be_is_refused(system: dict[str, Any], text: str) -> None:
    client = Client()
    refusal = client.refused("SendMessage", MessageBody="x", MessageSystemAttributes=system)
    assert refusal == ("InvalidParameterValue", text, 400)
    assert client.queue.sent == 0


# ---------------------------------------------------------------- FIFO queues


@pytest.mark.rule("FIFO-SND-5")
@pytest.mark.rule("SQS-SYS-1")
def test_a_fifo_message_has_its_ids_and_a_sequence_number() -> None:
    client = fifo()
    first = client.send("a", MessageGroupId="g", MessageDeduplicationId="d1")
    second = client.send("b", MessageGroupId="g", MessageDeduplicationId="d2")
    assert first.keys() == {"MessageId", "MD5OfMessageBody", "SequenceNumber"}
    numbers = [first["SequenceNumber"], second["SequenceNumber"]]
    assert [len(number) for number in numbers] == [20, 20]
    assert int(numbers[1]) > int(numbers[0]) + 1
    for attempt in ("1", "2"):
        [message] = client.receive(int(attempt) * 100, AttributeNames=["All"])
        assert message["Attributes"] == {
            "ApproximateFirstReceiveTimestamp": str(EPOCH_MS + 100_000),
            "ApproximateReceiveCount": attempt,
            "MessageDeduplicationId": "d1",
            "MessageGroupId": "g",
            "SenderId": "123456789012",
            "SentTimestamp": str(EPOCH_MS),
            "SequenceNumber": numbers[0],
        }


@pytest.mark.rule("FIFO-SND-1")
@pytest.mark.rule("FIFO-SND-2")
@pytest.mark.rule("FIFO-SND-3")
@pytest.mark.rule("FIFO-SND-4")
@pytest.mark.parametrize(
    ("params", "code", "text"),
    [
        (
            {"MessageDeduplicationId": "d"},
            "MissingParameter",
            "The request must contain the parameter MessageGroupId.",
        ),
        (
            {"MessageGroupId": "g"},
            "InvalidParameterValue",
            (
                "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided "
                "explicitly"
            ),
        ),
        *(
            (
                {"MessageGroupId": "g", "MessageDeduplicationId": "d", name: value},
                "InvalidParameterValue",
                (
                    f"Value {value} for parameter {name} is invalid. Reason: {name} can only include alphanumeric and "
                    "punctuation characters. 1 to 128 in length."
                ),
            )
            for name in ("MessageGroupId", "MessageDeduplicationId")
            for value in ("", "a b", "é", "a" * 129)
        ),
        (
            {"MessageGroupId": "g", "MessageDeduplicationId": "d", "DelaySeconds": 2},
            "InvalidParameterValue",
            (
                "Value 2 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not "
                "valid for this queue type."
            ),
        ),
    ],
)
def test_a_fifo_message_that_cannot_be_is_refused(params: dict[str, Any], code: str, text: str) -> None:
    client = fifo()
    assert client.refused("SendMessage", MessageBody="x", **params) == (code, text, 400)
    assert client.queue.sent == 0


@pytest.mark.rule("FIFO-DUP-3")
def test_the_id_of_a_content_is_its_hash() -> None:
    client = fifo(ContentBasedDeduplication="true")
    client.send("Test", MessageGroupId="g", MessageAttributes=texts(k="v"))
    [message] = client.receive(AttributeNames=["MessageDeduplicationId"])
    digest = "532eaabd9574880dbf76b9b8cc00832c20a6ec113d682299550d7a6e0f345e25"
    assert message["Attributes"] == {"MessageDeduplicationId": digest}
    assert sha256(b"Test").hexdigest() == digest


@pytest.mark.rule("SQS-VIS-6")
@pytest.mark.rule("FIFO-VIS-1")
def test_v4_an_expired_handle_deletes_from_a_standard_queue_only() -> None:
    standard, ordered = Client({"VisibilityTimeout": "10"}), fifo(VisibilityTimeout="10")
    standard.send()
    [message] = standard.receive()
    assert standard.on("DeleteMessage", 15, ReceiptHandle=message["ReceiptHandle"]) == {}
    assert standard.bodies(60) == []
    ordered.send(MessageGroupId="g", MessageDeduplicationId="d")
    [message] = ordered.receive()
    handle = message["ReceiptHandle"]
    refusal = (
        "InvalidParameterValue",
        f"Value {handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.",
        400,
    )
    assert ordered.refused("DeleteMessage", 15, ReceiptHandle=handle) == refusal
    assert ordered.refused("ChangeMessageVisibility", 15, ReceiptHandle=handle, VisibilityTimeout=5) == refusal
    assert ordered.bodies(15) == ["x"]


@pytest.mark.rule("FIFO-DUP-1")
@pytest.mark.rule("FIFO-DUP-2")
@pytest.mark.rule("FIFO-DUP-6")
@pytest.mark.rule("SQS-PRG-3")
def test_v9_an_id_is_remembered_for_five_minutes_or_until_a_purge() -> None:
    client = fifo()
    ids = {"MessageGroupId": "g", "MessageDeduplicationId": "x"}
    first = client.send(**ids)
    [message] = client.receive(5)
    client.on("DeleteMessage", 5, ReceiptHandle=message["ReceiptHandle"])
    assert client.send(now=299, **ids)["MessageId"] == first["MessageId"]
    assert client.bodies(299) == []
    assert client.send(now=301, **ids)["MessageId"] != first["MessageId"]
    client.on("PurgeQueue", 302)
    client.send(now=302, **ids)
    assert client.bodies(302) == ["x"]


@pytest.mark.rule("FIFO-VIS-4")
def test_a_receive_is_repeated_by_its_attempt_id() -> None:
    client = fifo()
    for body in "ab":
        client.send(body, MessageGroupId="g", MessageDeduplicationId=body)
    first = client.receive(ReceiveRequestAttemptId="attempt", MaxNumberOfMessages=2)
    assert client.receive(20, MaxNumberOfMessages=2) == []
    assert client.receive(20, ReceiveRequestAttemptId="attempt", MaxNumberOfMessages=2) == first
    assert client.bodies(49.9) == []
    code, _, _ = client.refused("ReceiveMessage", 49.9, ReceiveRequestAttemptId="a b")
    assert code == "InvalidParameterValue"


@pytest.mark.rule("FIFO-VIS-3")
def test_at_the_limit_a_fifo_queue_has_nothing_and_no_error() -> None:
    client = fifo()
    client.account.queues["q.fifo"] = FifoQueue(Queue(fifo=True, max_in_flight=1), "q.fifo")
    for body in "ab":
        client.send(body, MessageGroupId=body, MessageDeduplicationId=body)
    assert client.bodies() == ["a"]
    assert client.receive() == client.receive(WaitTimeSeconds=20) == []


@pytest.mark.rule("FIFO-TPS-1")
@pytest.mark.rule("FIFO-TPS-4")
def test_above_its_quota_a_fifo_queue_refuses() -> None:
    client = fifo()
    client.account.queues["q.fifo"] = FifoQueue(Queue(fifo=True, throttled=True), "q.fifo")
    for number in range(300):
        client.send(MessageGroupId="g", MessageDeduplicationId=str(number))
    code, _, status = client.refused("SendMessage", MessageBody="x", MessageGroupId="g", MessageDeduplicationId="x")
    assert (code, status) == ("RequestThrottled", 403)
    assert client.bodies(0.5) == ["x"] * 10
    client.send(now=1, MessageGroupId="g", MessageDeduplicationId="x")
    assert client.queue.sent == 301
