"""How SQS refuses: its codes and wordings, and the queue that a request is about (GEN-2)."""

from collections.abc import Mapping
from typing import Any

from msgsim.errors import (
    OverLimit,
    PurgeQueueInProgress,
    QueueDoesNotExist,
    ReceiptHandleIsInvalid,
    RequestThrottled,
    ServiceError,
)
from msgsim.service.account import Account, AnyQueue
from msgsim.service.message_attributes import Wording
from msgsim.service.operation import Service
from msgsim.service.parameters import Missing

PREFIX = "AWS.SimpleQueueService."

SQS = Service(
    missing=Missing("MissingParameter", "The request must contain the parameter {}."),
    codes={
        OverLimit: ("OverLimit", 403),
        PurgeQueueInProgress: (f"{PREFIX}PurgeQueueInProgress", 403),
        ReceiptHandleIsInvalid: ("ReceiptHandleIsInvalid", 404),
        RequestThrottled: ("RequestThrottled", 403),
        QueueDoesNotExist: (f"{PREFIX}NonExistentQueue", 400),
    },
    shapes={
        f"{PREFIX}NonExistentQueue": "QueueDoesNotExist",
        "QueueAlreadyExists": "QueueNameExists",
        **{
            f"{PREFIX}{name}": name
            for name in (
                "BatchEntryIdsNotDistinct",
                "BatchRequestTooLong",
                "EmptyBatchRequest",
                "InvalidBatchEntryId",
                "PurgeQueueInProgress",
                "QueueDeletedRecently",
                "TooManyEntriesInBatchRequest",
                "UnsupportedOperation",
            )
        },
    },
)
"""How SQS answers; its refusals (SQS-INF-1, SQS-PRG-2, SQS-VIS-9, FIFO-TPS-4)."""

WORDING = Wording(
    code="InvalidParameterValue",
    kind="The type of message (user) attribute '{name}' is invalid. You must use only the following supported type "
    "prefixes: Binary, Number, String.",
    empty="Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'.",
    field="The message attribute '{name}' with type '{kind}' must use field '{field}'.",
    number="Can't cast the value of message (user) attribute '{name}' to a number.",
    type_length="The type of message (user) attribute '{name}' must be at most 256 characters long.",
    limited=True,
)
"""Refusals of message attributes (SQS-SND-5)."""


def queue_of(account: Account, params: Mapping[str, Any]) -> AnyQueue:
    """The queue that `QueueUrl` leads to.

    Raises:
        ServiceError: there is none (SQS-Q-6).
    """
    queue = account.queue_at(params["QueueUrl"])
    if queue is None:
        raise no_queue()
    return queue


def no_queue() -> ServiceError:
    """There is no such queue (SQS-Q-6)."""
    return SQS.error(f"{PREFIX}NonExistentQueue", "The specified queue does not exist.")


def invalid(parameter: str, value: object, reason: str) -> ServiceError:
    """A parameter's value cannot be."""
    return SQS.error("InvalidParameterValue", f"Value {value} for parameter {parameter} is invalid. Reason: {reason}")
