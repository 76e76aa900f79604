"""SQS: batches, and what refuses all of one or fails an entry alone."""

from typing import Any

import pytest

from msgsim.service import Account
from tests.service.clients import NO_QUEUE, Client, fifo, texts

PREFIX = "AWS.SimpleQueueService."
BATCHES: dict[str, dict[str, Any]] = {
    "SendMessageBatch": {"MessageBody": "x"},
    "DeleteMessageBatch": {"ReceiptHandle": "x"},
    "ChangeMessageVisibilityBatch": {"ReceiptHandle": "x", "VisibilityTimeout": 0},
}
ID = (
    f"{PREFIX}InvalidBatchEntryId",
    (
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 "
        "letters long."
    ),
    400,
)


def entries(*bodies: str, **params: Any) -> list[dict[str, Any]]:
    """Entries called e0, e1 ... with these bodies."""
    return [{"Id": f"e{number}", "MessageBody": body, **params} for number, body in enumerate(bodies)]


def receipts(messages: list[dict[str, Any]], **params: Any) -> list[dict[str, Any]]:
    """Entries called e0, e1 ... with the handles of these messages."""
    return [
        {"Id": f"e{number}", "ReceiptHandle": each["ReceiptHandle"], **params} for number, each in enumerate(messages)
    ]


def successful(answer: dict[str, Any]) -> list[str]:
    return [each["Id"] for each in answer.get("Successful", [])]


# ---------------------------------------------------------------- the whole call


@pytest.mark.rule("SQS-BAT-1")
@pytest.mark.parametrize("operation", BATCHES)
def test_a_batch_has_1_to_10_entries(operation: str) -> None:
    client = Client()
    kind = f"{operation}RequestEntry"
    error = client.error(operation, QueueUrl=client.url, Entries=[])
    assert (error.code, error.message, error.status) == (
        f"{PREFIX}EmptyBatchRequest",
        f"There should be at least one {kind} in the request.",
        400,
    )
    assert error.shape == "EmptyBatchRequest"
    for count in (11, 20):
        many = [{"Id": f"e{number}", **BATCHES[operation]} for number in range(count)]
        assert client.refused(operation, Entries=many) == (
            f"{PREFIX}TooManyEntriesInBatchRequest",
            f"Maximum number of entries per request are 10. You have sent {count}.",
            400,
        )
    ten = [{"Id": f"e{number}", **BATCHES[operation]} for number in range(10)]
    answer = client.on(operation, Entries=ten)
    assert sum(map(len, answer.values())) == 10
    assert client.queue.sent == (10 if operation == "SendMessageBatch" else 0)


@pytest.mark.rule("SQS-BAT-2")
@pytest.mark.parametrize("operation", BATCHES)
def test_the_ids_of_entries_are_words_and_distinct(operation: str) -> None:
    client = Client()
    entry = BATCHES[operation]
    for name in ("", "a b", "invalid:id", "é", "a" * 81, "a\n"):
        assert client.refused(operation, Entries=[{"Id": "fine", **entry}, {"Id": name, **entry}]) == ID
    names = ["a", "b", "A", "b", "a"]
    assert client.refused(operation, Entries=[{"Id": name, **entry} for name in names]) == (
        f"{PREFIX}BatchEntryIdsNotDistinct",
        "Id b repeated.",
        400,
    )
    assert client.queue.sent == 0
    assert sum(map(len, client.on(operation, Entries=[{"Id": "_-" * 40, **entry}]).values())) == 1


@pytest.mark.parametrize("operation", BATCHES)
def test_a_batch_needs_its_queue_and_its_parameters(operation: str) -> None:
    client = Client()
    entry = {"Id": "a", **BATCHES[operation]}
    assert client.refusal(operation, QueueUrl="q", Entries=[entry]) == NO_QUEUE
    for name in entry:
        lacking = {key: value for key, value in entry.items() if key != name}
        assert client.refused(operation, Entries=[entry, lacking]) == (
            "MissingParameter",
            f"The request must contain the parameter Entries.1.{name}.",
            400,
        )
    assert client.queue.sent == 0


@pytest.mark.rule("SQS-BAT-3")
def test_a_batch_has_up_to_a_mebibyte() -> None:
    client = Client({"MaximumMessageSize": "1024"})
    attributes = {"key": {"DataType": "Binary.x", "BinaryValue": b"\0" * 10}} | texts(k="é")
    body = "é" * 52_413 + "x"
    batch = entries(*[body] * 9, body + "x" * 6, MessageAttributes=attributes)
    answer = client.on("SendMessageBatch", Entries=batch)  # 10 * (104,827 + 3 + 8 + 10 + 1 + 6 + 2) + 6 bytes
    assert len(answer["Failed"]) == 10
    batch[0]["MessageBody"] += "x"
    assert client.refused("SendMessageBatch", Entries=batch)[1].endswith("You have sent 1048577 bytes.")
    code, text, status = client.refused("SendMessageBatch", Entries=entries("x" * 524_288, "x" * 524_289))
    assert (code, status) == (f"{PREFIX}BatchRequestTooLong", 400)
    assert text == "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes."
    assert "Failed" in client.on("SendMessageBatch", Entries=entries("x" * 524_288, "x" * 524_288))
    assert client.queue.sent == 0


@pytest.mark.rule("SQS-BAT-3")
def test_the_size_is_counted_whatever_is_in_the_messages() -> None:
    wires = [
        {"DataType": "Number", "StringValue": "9" * 1_048_576},
        {"DataType": "Text", "BinaryValue": b"\0" * 1_048_576},
    ]
    for wire in wires:
        batch = entries("\ud800", MessageAttributes={"k": wire})
        assert Client().refused("SendMessageBatch", Entries=batch)[0] == f"{PREFIX}BatchRequestTooLong"


@pytest.mark.rule("SQS-BAT-3")
@pytest.mark.rule("SQS-BAT-5")
@pytest.mark.rule("SQS-SND-2")
def test_v8_a_bad_character_fails_its_entry_and_too_much_fails_the_call() -> None:
    client = Client()
    answer = client.on("SendMessageBatch", Entries=entries("a", "b\0", "c"))
    assert successful(answer) == ["e0", "e2"]
    assert answer["Failed"] == [
        {
            "Id": "e1",
            "Code": "InvalidMessageContents",
            "Message": "Invalid characters found: U+0000 at position 1.",
            "SenderFault": True,
        }
    ]
    code, _, _ = client.refused("SendMessageBatch", Entries=entries("x" * 600 * 1024, "x" * 600 * 1024))
    assert code == f"{PREFIX}BatchRequestTooLong"
    assert client.bodies() == ["a", "c"]


# ---------------------------------------------------------------- entries


@pytest.mark.rule("SQS-BAT-4")
def test_an_entry_that_is_too_large_for_its_queue_fails_alone() -> None:
    client = Client({"MaximumMessageSize": "1024"})
    answer = client.on("SendMessageBatch", Entries=entries("x" * 1024, "x" * 1025, "y"))
    assert successful(answer) == ["e0", "e2"]
    assert answer["Failed"] == [
        {
            "Id": "e1",
            "Code": "InvalidParameterValue",
            "Message": "One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes.",
            "SenderFault": True,
        }
    ]


@pytest.mark.rule("SQS-BAT-5")
@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"MessageBody": ""}, "MissingParameter"),
        ({"MessageBody": "\ud800"}, "InvalidMessageContents"),
        ({"MessageBody": "x" * 1025}, "InvalidParameterValue"),
        ({"DelaySeconds": 901}, "InvalidParameterValue"),
        ({"MessageGroupId": "a b"}, "InvalidParameterValue"),
        ({"MessageDeduplicationId": "d"}, "InvalidParameterValue"),
        ({"MessageAttributes": {"k": {"DataType": "Number", "StringValue": "x"}}}, "InvalidParameterValue"),
        ({"MessageAttributes": {"k": {"DataType": "String"}}}, "InvalidParameterValue"),
        ({"MessageAttributes": texts(**{"aws.k": "v"})}, "InvalidParameterValue"),
        ({"MessageAttributes": texts(k="\0")}, "InvalidParameterValue"),
        ({"MessageSystemAttributes": texts(k="v")}, "InvalidParameterValue"),
    ],
)
def test_one_bad_entry_of_ten_leaves_the_others(params: dict[str, Any], code: str) -> None:
    client = Client({"MaximumMessageSize": "1024"})
    batch = entries(*"abcdefghij")
    batch[4] |= params
    answer = client.on("SendMessageBatch", Entries=batch)
    assert successful(answer) == ["e0", "e1", "e2", "e3", "e5", "e6", "e7", "e8", "e9"]
    [failed] = answer["Failed"]
    assert (failed["Id"], failed["Code"], failed["SenderFault"]) == ("e4", code, True)
    assert client.bodies() == list("abcdfghij")


def test_an_entry_answers_as_a_send_does() -> None:
    client = Client()
    [single] = client.on("SendMessageBatch", Entries=entries("x", MessageAttributes=texts(k="v")))["Successful"]
    sent = client.send("x", MessageAttributes=texts(k="v"))
    assert single.keys() == {"Id", *sent}
    assert single["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    delayed = entries("y", DelaySeconds=5)
    answer = client.on("SendMessageBatch", Entries=delayed)
    assert "Failed" not in answer
    assert client.bodies() == ["x", "x"]
    assert client.bodies(5) == ["y"]


@pytest.mark.rule("SQS-BAT-5")
@pytest.mark.rule("SQS-VIS-9")
def test_a_bad_handle_fails_its_entry() -> None:
    client = Client()
    client.on("SendMessageBatch", Entries=entries("a", "b"))
    batch = [{"Id": "bad", "ReceiptHandle": "garbage"}, *receipts(client.receive(MaxNumberOfMessages=10))]
    hidden = client.on("ChangeMessageVisibilityBatch", Entries=[{**each, "VisibilityTimeout": 60} for each in batch])
    assert hidden["Successful"] == [{"Id": "e0"}, {"Id": "e1"}]
    assert hidden["Failed"] == [
        {
            "Id": "bad",
            "Code": "ReceiptHandleIsInvalid",
            "Message": 'The input receipt handle "garbage" is not a valid receipt handle.',
            "SenderFault": True,
        }
    ]
    assert client.bodies(59.9) == []
    deleted = client.on("DeleteMessageBatch", 59.9, Entries=batch)
    assert deleted == hidden
    assert client.bodies(60) == []
    assert client.queue.deleted == 2
    gone = client.on("ChangeMessageVisibilityBatch", 60, Entries=[{**batch[1], "VisibilityTimeout": 0}])
    assert [(each["Id"], each["Code"]) for each in gone["Failed"]] == [("e0", "InvalidParameterValue")]
    assert "Successful" not in gone


# ---------------------------------------------------------------- FIFO queues


@pytest.mark.rule("SQS-BAT-5")
@pytest.mark.rule("FIFO-SND-1")
@pytest.mark.rule("FIFO-SND-2")
def test_an_entry_without_its_ids_fails_the_batch() -> None:
    client = fifo()
    lacking = (
        ("MessageGroupId", "The request must contain the parameter MessageGroupId."),
        (
            "MessageDeduplicationId",
            (
                "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided "
                "explicitly"
            ),
        ),
    )
    for name, text in lacking:
        batch = entries("a", "b", MessageGroupId="g", MessageDeduplicationId="d")
        del batch[1][name]
        assert client.refused("SendMessageBatch", Entries=batch) == ("InvalidParameterValue", text, 400)
    assert client.queue.sent == 0
    client.on("SetQueueAttributes", Attributes={"ContentBasedDeduplication": "true"})
    assert successful(client.on("SendMessageBatch", Entries=entries("a", "b", MessageGroupId="g"))) == ["e0", "e1"]


@pytest.mark.rule("FIFO-SND-6")
def test_an_entry_that_is_sent_again_lands_behind_the_later_ones() -> None:
    client = fifo(ContentBasedDeduplication="true")
    batch = entries("a", "b\0", "c", MessageGroupId="g")
    answer = client.on("SendMessageBatch", Entries=batch)
    assert successful(answer) == ["e0", "e2"]
    numbers = [int(each["SequenceNumber"]) for each in answer["Successful"]]
    assert numbers == sorted(numbers)
    client.on("SendMessageBatch", Entries=entries("b", MessageGroupId="g"))
    assert client.bodies() == ["a", "c", "b"]


@pytest.mark.rule("SQS-BAT-6")
@pytest.mark.rule("FIFO-TPS-1")
@pytest.mark.rule("FIFO-TPS-4")
def test_a_batch_is_one_request() -> None:
    client = Client(
        {"FifoQueue": "true", "ContentBasedDeduplication": "true"},
        name="q.fifo",
        account=Account(settings={"throttled": True}),
    )
    for call in range(300):
        bodies = [f"{call} {number}" for number in range(10)]
        assert "Failed" not in client.on("SendMessageBatch", Entries=entries(*bodies, MessageGroupId="g"))
    assert client.queue.sent == 3_000
    code, _, status = client.refused("SendMessageBatch", 0.9, Entries=entries("x", MessageGroupId="g"))
    assert (code, status) == ("RequestThrottled", 403)
    assert client.queue.sent == 3_000
    for _ in range(300):
        batch = receipts(client.receive(0.9, MaxNumberOfMessages=10))
        assert "Failed" not in client.on("DeleteMessageBatch", 0.9, Entries=batch)
    assert client.queue.deleted == 3_000
    spent = [*batch[:1], {"Id": "bad", "ReceiptHandle": "garbage"}]
    assert client.refused("DeleteMessageBatch", 0.9, Entries=spent)[0] == "RequestThrottled"
    client.on("SendMessageBatch", 1, Entries=entries("x", MessageGroupId="g"))
    [failed] = client.on("DeleteMessageBatch", 1.9, Entries=spent)["Failed"]
    assert failed["Id"] == "bad"
