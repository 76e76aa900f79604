"""Receiving from standard queues by clients that lose answers and ask again."""

import json
from typing import Any

import pytest

from msgsim.service.account import Account
from msgsim.service.requests import call


class Client:
    """An account with a queue, and calls about it."""

    def __init__(self, **attributes: str) -> None:
        self.account = Account()
        call(self.account, "CreateQueue", {"QueueName": "dead"}, 0)
        self.url = call(self.account, "CreateQueue", {"QueueName": "q", "Attributes": attributes}, 0)["QueueUrl"]

    def __call__(self, operation: str, now: float, **params: Any) -> dict[str, Any]:
        return call(self.account, operation, {"QueueUrl": self.url, **params}, now)


@pytest.mark.rule("GEN-4")
@pytest.mark.rule("SQS-DUP-2")
def test_a_send_that_is_tried_again_is_another_message() -> None:
    client = Client()
    lost, answer = (client("SendMessage", now, MessageBody="a") for now in (0, 1))
    assert lost["MessageId"] != answer["MessageId"]
    assert client.account.queues["q"].counts(1) == (2, 0, 0)


@pytest.mark.rule("GEN-4")
@pytest.mark.rule("SQS-RCV-9")
def test_a_receive_counts_though_its_answer_is_lost() -> None:
    client = Client(VisibilityTimeout="10")
    client("SendMessage", 0, MessageBody="a")
    client("ReceiveMessage", 0)
    assert client("ReceiveMessage", 1) == {}
    [message] = client("ReceiveMessage", 10, AttributeNames=["ApproximateReceiveCount"])["Messages"]
    assert message["Attributes"] == {"ApproximateReceiveCount": "2"}


@pytest.mark.rule("SQS-RCV-9")
def test_a_message_that_may_be_received_once_can_be_dead_lettered_unseen() -> None:
    target = "arn:aws:sqs:us-east-1:123456789012:dead"
    policy = json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": 1})
    client = Client(VisibilityTimeout="10", RedrivePolicy=policy)
    client("SendMessage", 0, MessageBody="a")
    client("ReceiveMessage", 0)  # nobody sees the answer
    assert client("ReceiveMessage", 10) == {}
    assert client.account.queues["dead"].counts(10) == (1, 0, 0)
