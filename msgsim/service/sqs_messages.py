"""SQS: one message sent, received, deleted or hidden for another time."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgsim.bus.message import Message, RedrivenMessage
from msgsim.bus.receipts import Delivery
from msgsim.service.account import Account, AnyQueue
from msgsim.service.message_attributes import (
    Wire,
    body_checksum,
    checksum,
    from_wire,
    to_wire,
    trimmed,
)
from msgsim.service.sqs_refusals import SQS, WORDING, invalid, queue_of

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


class TracedAttributes(dict[str, Any]):
    """The attributes of a message that was sent with a trace header, which goes where they go (SQS-SYS-3).

    Attributes:
        header: the trace header.
    """

    __slots__ = ("header",)
    header: str


def send_message(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Send a message (SQS-SND-1 ... SQS-SND-8)."""
    return send_one(queue_of(account, params), params, now)


def send_one(queue: AnyQueue, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Send what a request or an entry of a batch says; the answer has ids and checksums (SQS-SND-6).

    System attributes count neither for the size nor for the checksum of the others.
    """
    attributes = from_wire(params.get("MessageAttributes", {}), WORDING)
    system = _system(params.get("MessageSystemAttributes", {}))
    sent = queue.sent
    message = queue.send(
        params["MessageBody"],
        now,
        attributes=attributes,
        delay=params.get("DelaySeconds"),
        group_id=params.get("MessageGroupId"),
        deduplication_id=params.get("MessageDeduplicationId"),
    )
    if system and queue.sent > sent:  # a duplicate is the message that is there already (FIFO-DUP-2)
        traced = TracedAttributes(message.attributes or {})
        traced.header = str(system["AWSTraceHeader"])
        message.attributes = traced
    answer = {"MessageId": message.message_id, "MD5OfMessageBody": body_checksum(params["MessageBody"])}
    if attributes:
        answer["MD5OfMessageAttributes"] = checksum(to_wire(attributes))
    if system:
        answer["MD5OfMessageSystemAttributes"] = checksum(to_wire(system))
    number = _sequence_number(message)
    if number is not None:
        answer["SequenceNumber"] = number
    return answer


def receive_message(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Look once for messages; no key "Messages" if there are none (SQS-RCV-1 ... SQS-RCV-7)."""
    queue = queue_of(account, params)
    asked = [*params.get("MessageSystemAttributeNames", ()), *params.get("AttributeNames", ())]
    for name in asked:
        if name != "All" and name not in SYSTEM_ATTRIBUTES:
            raise SQS.error("InvalidAttributeName", f"Unknown Attribute {name}.")
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
    queue_of(account, params).delete(params["ReceiptHandle"], now)
    return {}


def change_message_visibility(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Restart a visibility timeout (SQS-VIS-2, SQS-VIS-3)."""
    queue_of(account, params).change_visibility(params["ReceiptHandle"], params["VisibilityTimeout"], now)
    return {}


def _system(wires: Mapping[str, Wire]) -> dict[str, Any]:
    for name, wire in wires.items():
        if name != "AWSTraceHeader":
            raise invalid("MessageSystemAttributes", name, "The only system attribute of a send is AWSTraceHeader.")
        if wire["DataType"] != "String":
            raise invalid("AWSTraceHeader", wire["DataType"], "Its type must be String.")
    return from_wire(wires, WORDING)


def _sequence_number(message: Message) -> str | None:
    return getattr(message, "sequence_number", None)


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
    asked = {name: value for name, value in delivery.attributes.items() if _is_asked_for(name, patterns)}
    wires = trimmed(to_wire(asked))
    if wires:
        message["MD5OfMessageAttributes"] = checksum(wires)
        message["MessageAttributes"] = wires
    return message


def _system_attributes(account: Account, delivery: Delivery) -> dict[str, str]:
    """All that the message has, as texts (SQS-SYS-1, SQS-SYS-2, SQS-SYS-3). The sender is always the account."""
    message = delivery.message
    attributes = {
        "SenderId": account.account_id,
        "SentTimestamp": account.milliseconds(delivery.sent_at),
        "ApproximateReceiveCount": str(delivery.receive_count),
        "ApproximateFirstReceiveTimestamp": account.milliseconds(delivery.first_received_at),
    }
    optional = {
        "MessageGroupId": delivery.group_id,
        "MessageDeduplicationId": getattr(message, "deduplication_id", None),
        "SequenceNumber": _sequence_number(message),
    }
    attributes |= {name: value for name, value in optional.items() if value is not None}
    if isinstance(message.attributes, TracedAttributes):
        attributes["AWSTraceHeader"] = message.attributes.header
    if isinstance(message, RedrivenMessage):
        attributes["DeadLetterQueueSourceArn"] = account.arn("sqs", message.source)
    return attributes


def _is_asked_for(name: str, patterns: Sequence[str]) -> bool:
    """Whether a receive asks for a message attribute: by name, by all, or by what it begins with (SQS-SYS-4)."""
    return any(
        pattern in (name, "All") or (pattern.endswith(".*") and name.startswith(pattern.removesuffix(".*")))
        for pattern in patterns
    )
