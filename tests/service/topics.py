"""A client of an account's topics, for tests of the request surface."""

from typing import Any

import pytest

from msgsim.bus.queue import Queue
from msgsim.bus.topic import TopicFanout
from msgsim.service import Account, ServiceError, call

ARN = "arn:aws:sns:us-east-1:123456789012:t"
QUEUE_ARN = "arn:aws:sqs:us-east-1:123456789012:q"
DAY = 86_400.0


class TopicClient:
    """An account with one topic and one queue, and calls about them."""

    def __init__(self, **settings: Any) -> None:
        self.account = Account(**settings)
        self("CreateTopic", Name="t")
        self.queue = self.account.add_queue("q", Queue())

    def __call__(self, operation: str, now: float = 0, **params: Any) -> dict[str, Any]:
        return call(self.account, operation, params, now)

    def subscribe(self, protocol: str = "sqs", endpoint: str = QUEUE_ARN, now: float = 0, **attributes: str) -> str:
        given: dict[str, Any] = {"Attributes": attributes} if attributes else {}
        answer = self(
            "Subscribe",
            now,
            TopicArn=ARN,
            Protocol=protocol,
            Endpoint=endpoint,
            ReturnSubscriptionArn=True,
            **given,
        )
        return str(answer["SubscriptionArn"])

    def publish(self, message: str = "x", now: float = 0, **params: Any) -> str:
        return str(self("Publish", now, TopicArn=ARN, Message=message, **params)["MessageId"])

    def bodies(self, now: float = 0) -> list[str]:
        return [each.body for each in self.queue.receive(now, 10)]

    def refusal(self, operation: str, now: float = 0, **params: Any) -> tuple[str, str, int]:
        with pytest.raises(ServiceError) as caught:
            self(operation, now, **params)
        return caught.value.code, caught.value.message, caught.value.status

    @property
    def topic(self) -> TopicFanout:
        return self.account.topics["t"]
