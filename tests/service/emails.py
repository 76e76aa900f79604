"""A client of an account's outbox, for tests of the request surface."""

import json
from typing import Any

import pytest

from msgsim.bus.message import EPOCH
from msgsim.bus.outbox import Outbox
from msgsim.errors import ServiceError
from msgsim.service.account import Account
from msgsim.service.requests import call

HELLO = {"Simple": {"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": "Hello"}}}}


class Emails:
    """An account, and calls about its outbox."""

    def __init__(
        self, *, region: str = "us-east-1", verification_time: float | None = None, epoch: float = EPOCH, **outbox: Any
    ) -> None:
        declared = Outbox(**outbox)
        self.account = Account(region, outbox=declared, verification_time=verification_time, epoch=epoch)

    def __call__(self, operation: str, now: float = 0, **params: Any) -> dict[str, Any]:
        return call(self.account, operation, params, now)

    def send(self, now: float = 0, *, to: str = "a@example.com", **params: Any) -> str:
        """Send an email; its id."""
        request = {
            "FromEmailAddress": "shop@example.com",
            "Destination": {"ToAddresses": [to]},
            "Content": HELLO,
            **params,
        }
        return str(self("SendEmail", now, **request)["MessageId"])

    def refusal(self, operation: str, now: float = 0, **params: Any) -> tuple[str, str, int]:
        with pytest.raises(ServiceError) as caught:
            self(operation, now, **params)
        return caught.value.code, caught.value.message, caught.value.status

    def refused(self, now: float = 0, **params: Any) -> tuple[str, str, int]:
        """The refusal of an email."""
        with pytest.raises(ServiceError) as caught:
            self.send(now, **params)
        return caught.value.code, caught.value.message, caught.value.status

    @property
    def last(self) -> Any:
        """The latest email."""
        return self.account.outbox.sent[-1].email

    def listen(self, topic: str = "feedback", queue: str = "events") -> str:
        """A topic with a queue that gets its messages raw; the topic's ARN."""
        arn = str(self("CreateTopic", Name=topic)["TopicArn"])
        url = self("CreateQueue", QueueName=queue)["QueueUrl"]
        endpoint = self("GetQueueAttributes", QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self(
            "Subscribe",
            TopicArn=arn,
            Protocol="sqs",
            Endpoint=endpoint,
            Attributes={"RawMessageDelivery": "true"},
        )
        return arn

    def events(self, now: float = 0, queue: str = "events") -> list[dict[str, Any]]:
        """What came into that queue."""
        params = {"QueueUrl": self.account.queue_url(queue), "MaxNumberOfMessages": 10}
        return [json.loads(each["Body"]) for each in self("ReceiveMessage", now, **params).get("Messages", [])]
