"""What calls to SQS are billed as."""

import pytest

from msgsim.errors import ServiceError
from tests.service.clients import Client

KIB = 1_024


@pytest.mark.rule("PRC-SQS-2")
def test_v27_a_message_of_1_mib_costs_33_requests() -> None:
    client = Client()
    client.account.billed.clear()
    client.send("x" * KIB * KIB)
    [message] = client.receive()
    client.on("DeleteMessage", ReceiptHandle=message["ReceiptHandle"])
    assert client.account.billed == {"SendMessage": 16, "ReceiveMessage": 16, "DeleteMessage": 1}
    assert client.account.billed.total() == 33


@pytest.mark.rule("PRC-SQS-2")
@pytest.mark.parametrize(
    ("body", "units"), [(1, 1), (64 * KIB, 1), (64 * KIB + 1, 2), (256 * KIB, 4), (256 * KIB + 1, 5)]
)
def test_each_64_kib_that_is_begun_counts(body: int, units: int) -> None:
    client = Client()
    client.send("x" * body)
    assert client.account.billed["SendMessage"] == units


@pytest.mark.rule("PRC-SQS-2")
def test_attributes_count_as_they_do_for_the_size() -> None:
    client = Client()
    value = {"DataType": "String", "StringValue": "v"}
    client.send("x" * (64 * KIB - 8), MessageAttributes={"a": value})
    assert client.account.billed["SendMessage"] == 1
    client.send("é" * (32 * KIB - 4) + "x", MessageAttributes={"a": value})
    assert client.account.billed["SendMessage"] == 1 + 2
    [first, second] = client.receive(MaxNumberOfMessages=10, MessageAttributeNames=["All"])
    assert len(first["Body"]) > len(second["Body"])
    assert client.account.billed["ReceiveMessage"] == 3


@pytest.mark.rule("PRC-SQS-2")
@pytest.mark.rule("SQS-BAT-6")
def test_a_batch_is_one_call_and_so_is_an_empty_receive() -> None:
    client = Client()
    client.receive()
    client.receive()
    client.on("SendMessageBatch", Entries=[{"Id": str(each), "MessageBody": "x" * 6 * KIB} for each in range(10)])
    client.on("SendMessageBatch", Entries=[{"Id": str(each), "MessageBody": "x" * 7 * KIB} for each in range(10)])
    assert client.account.billed == {"CreateQueue": 1, "ReceiveMessage": 2, "SendMessageBatch": 1 + 2}


def test_what_is_refused_and_what_others_answer_is_not_counted() -> None:
    client = Client()
    with pytest.raises(ServiceError):
        client.send("")
    client("CreateTopic", Name="t")
    assert client.account.billed == {"CreateQueue": 1}
