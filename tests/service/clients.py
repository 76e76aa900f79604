"""A client of an account, for tests of the request surface."""

from typing import Any

import pytest

from msgsim.service import Account, ServiceError, call

EPOCH_MS = 1_767_225_600_000
"""Time 0 in milliseconds since 1970."""

NO_QUEUE = ("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.", 400)


class Client:
    """An account with one queue, and calls about it."""

    def __init__(
        self, attributes: dict[str, str] | None = None, *, name: str = "q", account: Account | None = None
    ) -> None:
        self.account = account or Account()
        self.name = name
        self.url = self("CreateQueue", QueueName=name, Attributes=attributes or {})["QueueUrl"]

    def __call__(self, operation: str, now: float = 0, **params: Any) -> dict[str, Any]:
        return call(self.account, operation, params, now)

    def on(self, operation: str, now: float = 0, **params: Any) -> dict[str, Any]:
        """An operation on the queue."""
        return self(operation, now, QueueUrl=self.url, **params)

    def send(self, body: str = "x", now: float = 0, **params: Any) -> dict[str, Any]:
        return self.on("SendMessage", now, MessageBody=body, **params)

    def receive(self, now: float = 0, **params: Any) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = self.on("ReceiveMessage", now, **params).get("Messages", [])
        return messages

    def bodies(self, now: float = 0, **params: Any) -> list[str]:
        return [message["Body"] for message in self.receive(now, MaxNumberOfMessages=10, **params)]

    def attributes(self, *names: str, now: float = 0) -> dict[str, str]:
        found: dict[str, str] = self.on("GetQueueAttributes", now, AttributeNames=list(names)).get("Attributes", {})
        return found

    def error(self, operation: str, now: float = 0, **params: Any) -> ServiceError:
        with pytest.raises(ServiceError) as caught:
            self(operation, now, **params)
        return caught.value

    def refusal(self, operation: str, now: float = 0, **params: Any) -> tuple[str, str, int]:
        error = self.error(operation, now, **params)
        return error.code, error.message, error.status

    def refused(self, operation: str, now: float = 0, **params: Any) -> tuple[str, str, int]:
        """The refusal of an operation on the queue."""
        return self.refusal(operation, now, QueueUrl=self.url, **params)

    @property
    def queue(self) -> Any:
        return self.account.queues[self.name]


def fifo(**attributes: str) -> Client:
    """A client of a FIFO queue called q.fifo."""
    return Client({"FifoQueue": "true", **attributes}, name="q.fifo")


def texts(**attributes: str) -> dict[str, Any]:
    """Message attributes of type String."""
    return {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
