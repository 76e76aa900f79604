"""SQS by its own names: queues, messages and receipt handles (GEN-2)."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgsim.bus.filters import parse_body
from msgsim.bus.message import RedrivenMessage
from msgsim.bus.queue import Queue, Redrive, StandardQueue
from msgsim.bus.receipts import Delivery
from msgsim.declare import bounds
from msgsim.errors import OverLimit, PurgeQueueInProgress, ReceiptHandleIsInvalid, ServiceError
from msgsim.quotas import (
    DELAY,
    MAX_MESSAGE_BYTES,
    MAX_RECEIVE_COUNT,
    RETENTION,
    VISIBILITY_TIMEOUT,
    WAIT_TIME,
    Quota,
)
from msgsim.service.account import Account
from msgsim.service.message_attributes import WIRES, Wording, body_checksum, checksum, from_wire, to_wire
from msgsim.service.operation import Operation, Service
from msgsim.service.parameters import ANY_TEXT, TEXT, WHOLE, ListOf, MapOf, Missing, Structure

SQS = Service(
    missing=Missing("MissingParameter", "The request must contain the parameter {}."),
    codes={
        OverLimit: ("OverLimit", 403),
        PurgeQueueInProgress: ("AWS.SimpleQueueService.PurgeQueueInProgress", 403),
        ReceiptHandleIsInvalid: ("ReceiptHandleIsInvalid", 404),
    },
)
"""How SQS answers; its refusals (SQS-INF-1, SQS-PRG-2, SQS-VIS-9)."""

WORDING = Wording(
    code="InvalidParameterValue",
    kind="The type of message (user) attribute '{name}' is invalid. You must use only the following supported type "
    "prefixes: Binary, Number, String.",
    empty="Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'.",
    field="The message attribute '{name}' with type '{kind}' must use field '{field}'.",
    number="Can't cast the value of message (user) attribute '{name}' to a number.",
)
"""Refusals of message attributes (SQS-SND-5)."""

NUMBERS: Mapping[str, tuple[str, Quota]] = {
    "DelaySeconds": ("delay", DELAY),
    "MaximumMessageSize": ("max_message_bytes", MAX_MESSAGE_BYTES),
    "MessageRetentionPeriod": ("retention", RETENTION),
    "ReceiveMessageWaitTimeSeconds": ("wait_time", WAIT_TIME),
    "VisibilityTimeout": ("visibility_timeout", VISIBILITY_TIMEOUT),
}
"""The numeric attributes of a queue: what the bus calls them, and their bounds (SQS-ATT-1)."""

FIFO_ONLY: Mapping[str, str] = {
    "ContentBasedDeduplication": "Unknown Attribute ContentBasedDeduplication.",
    "DeduplicationScope": "You can specify the DeduplicationScope only when FifoQueue is set to true.",
    "FifoQueue": "Unknown Attribute FifoQueue.",
    "FifoThroughputLimit": "You can specify the FifoThroughputLimit only when FifoQueue is set to true.",
}
"""Attributes that a standard queue does not take, and how they are refused (SQS-Q-7)."""

NOT_MODELLED = frozenset(
    {"KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId", "Policy", "RedriveAllowPolicy", "SqsManagedSseEnabled"}
)
"""Attributes that the service has and that nothing here heeds yet."""

SYSTEM_ATTRIBUTES = (
    "AWSTraceHeader",
    "ApproximateFirstReceiveTimestamp",
    "ApproximateReceiveCount",
    "DeadLetterQueueSourceArn",
    "MessageDeduplicationId",
    "MessageGroupId",
    "SenderId",
    "SentTimestamp",
    "SequenceNumber",
)
"""What a receive can ask for; "All" asks for each that the message has (SQS-SYS-1)."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_FIFO_NAME = re.compile(r"(?=.{1,80}\Z)[A-Za-z0-9_-]+\.fifo")
_NUMBER = re.compile(r"[0-9]{1,9}")


# ---------------------------------------------------------------- queues


def create_queue(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Make a queue, or find the one that is there with these attributes (SQS-Q-1, SQS-Q-2)."""
    name = params["QueueName"]
    attributes = params.get("Attributes", {})
    fifo = attributes.get("FifoQueue") == "true"
    if not (_FIFO_NAME if fifo else _NAME).fullmatch(name):
        raise ServiceError(
            "InvalidParameterValue",
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        )
    if fifo:
        raise _unsupported("FIFO queues are not modelled yet; leave FifoQueue out for a standard queue")
    wanted = {attribute: _field(account, attribute, text) for attribute, text in attributes.items()}
    queue = account.queues.get(name)
    if queue is None:
        account.add_queue(name, Queue(**dict(wanted.values())))
    else:
        for attribute, (field, value) in wanted.items():
            if getattr(queue.declaration, field) != value:
                raise ServiceError(
                    "QueueAlreadyExists",
                    f"A queue already exists with the same name and a different value for attribute {attribute}",
                )
    return {"QueueUrl": account.queue_url(name)}


def get_queue_url(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Find a queue by its name (SQS-Q-6)."""
    name = params["QueueName"]
    if name not in account.queues or params.get("QueueOwnerAWSAccountId", account.account_id) != account.account_id:
        raise _no_queue()
    return {"QueueUrl": account.queue_url(name)}


def purge_queue(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Remove all messages (SQS-PRG-1)."""
    _queue(account, params).purge(now)
    return {}


def _queue(account: Account, params: Mapping[str, Any]) -> StandardQueue:
    queue = account.queue_at(params["QueueUrl"])
    if queue is None:
        raise _no_queue()
    return queue


def _no_queue() -> ServiceError:
    return ServiceError("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")


def _unsupported(text: str) -> ServiceError:
    return ServiceError("AWS.SimpleQueueService.UnsupportedOperation", text)


def _field(account: Account, attribute: str, text: str) -> tuple[str, Any]:
    """The field of `Queue` and the value that an attribute stands for."""
    if attribute == "RedrivePolicy":
        return "redrive", _redrive(account, text) if text else None
    if attribute in FIFO_ONLY:
        raise ServiceError("InvalidAttributeName", FIFO_ONLY[attribute])
    if attribute in NOT_MODELLED:
        raise _unsupported(f"The attribute {attribute} is not modelled yet; leave it out")
    if attribute not in NUMBERS:
        raise ServiceError("InvalidAttributeName", f"Unknown Attribute {attribute}.")
    field, quota = NUMBERS[attribute]
    if not (_NUMBER.fullmatch(text) and quota.low <= int(text) <= quota.high):
        allowed = bounds(quota.low, quota.high, quota.unit, quota.rule)
        raise ServiceError(
            "InvalidAttributeValue",
            f"Invalid value for the parameter {attribute}. Reason: {text!r} is not allowed; allowed: {allowed}",
        )
    return field, int(text)


def _redrive(account: Account, text: str) -> Redrive:
    """The declaration of a redrive policy (SQS-DLQ-1, SQS-DLQ-2)."""
    policy = parse_body(text)
    if not isinstance(policy, dict):
        raise _redrive_refusal(text, "Redrive policy is not a valid JSON map.")
    for key in ("deadLetterTargetArn", "maxReceiveCount"):
        if key not in policy:
            raise _redrive_refusal(text, f"Redrive policy does not contain mandatory attribute: {key}.")
    count = str(policy["maxReceiveCount"])
    low, high = int(MAX_RECEIVE_COUNT.low), int(MAX_RECEIVE_COUNT.high)
    if not (_NUMBER.fullmatch(count) and low <= int(count) <= high):
        allowed = f"valid values are from {low} to {high} both inclusive."
        raise _redrive_refusal(text, f"Invalid value for maxReceiveCount: {count}, {allowed}")
    target = account.queue_named(str(policy["deadLetterTargetArn"]))
    if target is None:
        raise _redrive_refusal(text, "Dead letter target does not exist.")
    return Redrive(to=target, max_receive_count=int(count))


def _redrive_refusal(text: str, reason: str) -> ServiceError:
    return ServiceError(
        "InvalidParameterValue", f"Value {text} for parameter RedrivePolicy is invalid. Reason: {reason}"
    )


# ---------------------------------------------------------------- messages


def send_message(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Send a message (SQS-SND-1 ... SQS-SND-8)."""
    queue = _queue(account, params)
    body = params["MessageBody"]
    wires = params.get("MessageAttributes", {})
    message = queue.send(
        body,
        now,
        attributes=from_wire(wires, WORDING),
        delay=params.get("DelaySeconds"),
        group_id=params.get("MessageGroupId"),
        deduplication_id=params.get("MessageDeduplicationId"),
    )
    answer = {"MessageId": message.message_id, "MD5OfMessageBody": body_checksum(body)}
    if wires:
        answer["MD5OfMessageAttributes"] = checksum(to_wire(message.attributes or {}))
    return answer


def receive_message(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Look once for messages; no key "Messages" if there are none (SQS-RCV-1 ... SQS-RCV-7)."""
    queue = _queue(account, params)
    asked = [*params.get("MessageSystemAttributeNames", ()), *params.get("AttributeNames", ())]
    for name in asked:
        if name != "All" and name not in SYSTEM_ATTRIBUTES:
            raise ServiceError("InvalidAttributeName", f"Unknown Attribute {name}.")
    wanted = SYSTEM_ATTRIBUTES if "All" in asked else asked
    deliveries = queue.receive(
        now,
        params.get("MaxNumberOfMessages", 1),
        params.get("VisibilityTimeout"),
        wait_time=params.get("WaitTimeSeconds"),
        attempt_id=params.get("ReceiveRequestAttemptId"),
    )
    patterns = params.get("MessageAttributeNames", ())
    messages = [_received(account, delivery, wanted, patterns) for delivery in deliveries]
    return {"Messages": messages} if messages else {}


def delete_message(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Delete a message (SQS-VIS-6, SQS-VIS-9)."""
    _queue(account, params).delete(params["ReceiptHandle"], now)
    return {}


def change_message_visibility(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Restart a visibility timeout (SQS-VIS-2, SQS-VIS-3)."""
    _queue(account, params).change_visibility(params["ReceiptHandle"], params["VisibilityTimeout"], now)
    return {}


def _received(account: Account, delivery: Delivery, wanted: Sequence[str], patterns: Sequence[str]) -> dict[str, Any]:
    body = delivery.body
    message: dict[str, Any] = {
        "MessageId": delivery.message_id,
        "ReceiptHandle": delivery.receipt_handle,
        "MD5OfBody": body_checksum(body),
        "Body": body,
    }
    known = _system_attributes(account, delivery)
    system = {name: known[name] for name in wanted if name in known}
    if system:
        message["Attributes"] = system
    wires = to_wire({name: value for name, value in delivery.attributes.items() if _is_asked_for(name, patterns)})
    if wires:
        message["MD5OfMessageAttributes"] = checksum(wires)
        message["MessageAttributes"] = wires
    return message


def _system_attributes(account: Account, delivery: Delivery) -> dict[str, str]:
    """All that the message has, as texts (SQS-SYS-1, SQS-SYS-2, SQS-SYS-3). The sender is always the account."""
    attributes = {
        "SenderId": account.account_id,
        "SentTimestamp": account.milliseconds(delivery.sent_at),
        "ApproximateReceiveCount": str(delivery.receive_count),
        "ApproximateFirstReceiveTimestamp": account.milliseconds(delivery.first_received_at),
    }
    if delivery.group_id is not None:
        attributes["MessageGroupId"] = delivery.group_id
    if isinstance(delivery.message, RedrivenMessage):
        attributes["DeadLetterQueueSourceArn"] = account.arn("sqs", delivery.message.source)
    return attributes


def _is_asked_for(name: str, patterns: Sequence[str]) -> bool:
    """Whether a receive asks for a message attribute: by name, by all, or by what it begins with (SQS-SYS-4)."""
    return any(
        pattern in (name, "All") or (pattern.endswith(".*") and name.startswith(pattern.removesuffix(".*")))
        for pattern in patterns
    )


OPERATIONS: Mapping[str, Operation] = {
    "ChangeMessageVisibility": Operation(
        SQS,
        change_message_visibility,
        Structure({"QueueUrl": TEXT, "ReceiptHandle": TEXT, "VisibilityTimeout": WHOLE}),
    ),
    "CreateQueue": Operation(SQS, create_queue, Structure({"QueueName": TEXT}, {"Attributes": MapOf(TEXT)})),
    "DeleteMessage": Operation(SQS, delete_message, Structure({"QueueUrl": TEXT, "ReceiptHandle": TEXT})),
    "GetQueueUrl": Operation(SQS, get_queue_url, Structure({"QueueName": TEXT}, {"QueueOwnerAWSAccountId": TEXT})),
    "PurgeQueue": Operation(SQS, purge_queue, Structure({"QueueUrl": TEXT})),
    "ReceiveMessage": Operation(
        SQS,
        receive_message,
        Structure(
            {"QueueUrl": TEXT},
            {
                "AttributeNames": ListOf(TEXT),
                "MaxNumberOfMessages": WHOLE,
                "MessageAttributeNames": ListOf(TEXT),
                "MessageSystemAttributeNames": ListOf(TEXT),
                "ReceiveRequestAttemptId": TEXT,
                "VisibilityTimeout": WHOLE,
                "WaitTimeSeconds": WHOLE,
            },
        ),
    ),
    "SendMessage": Operation(
        SQS,
        send_message,
        Structure(
            {"QueueUrl": TEXT, "MessageBody": ANY_TEXT},
            {
                "DelaySeconds": WHOLE,
                "MessageAttributes": WIRES,
                "MessageDeduplicationId": TEXT,
                "MessageGroupId": TEXT,
            },
        ),
    ),
}
"""The operations by name."""
