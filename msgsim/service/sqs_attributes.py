"""SQS: the attributes of queues, between texts on the wire and fields of `Queue`."""

import json
import re
from collections.abc import Mapping
from typing import Any

import attrs

from msgsim.bus.queue import Queue
from msgsim.declare import bounds
from msgsim.errors import DeclarationError, ServiceError
from msgsim.quotas import DELAY, KMS_REUSE, MAX_MESSAGE_BYTES, RETENTION, VISIBILITY_TIMEOUT, WAIT_TIME, Quota
from msgsim.service.account import Account, AnyQueue
from msgsim.service.queue_record import QueueRecord
from msgsim.service.sqs_policies import allow_policy, policy_document, redrive_allow, redrive_of, redrive_policy
from msgsim.service.sqs_refusals import SQS, queue_of

NUMBERS: Mapping[str, tuple[str, Quota]] = {
    "DelaySeconds": ("delay", DELAY),
    "MaximumMessageSize": ("max_message_bytes", MAX_MESSAGE_BYTES),
    "MessageRetentionPeriod": ("retention", RETENTION),
    "ReceiveMessageWaitTimeSeconds": ("wait_time", WAIT_TIME),
    "VisibilityTimeout": ("visibility_timeout", VISIBILITY_TIMEOUT),
}
"""The numeric attributes of a queue: what the bus calls them, and their bounds (SQS-ATT-1)."""

FIFO_ONLY: Mapping[str, tuple[str, Mapping[str, Any], str]] = {
    "ContentBasedDeduplication": (
        "content_based_deduplication",
        {"true": True, "false": False},
        "Unknown Attribute ContentBasedDeduplication.",
    ),
    "DeduplicationScope": (
        "deduplication_scope",
        {"queue": "queue", "messageGroup": "messageGroup"},
        "You can specify the DeduplicationScope only when FifoQueue is set to true.",
    ),
    "FifoThroughputLimit": (
        "fifo_throughput_limit",
        {"perQueue": "perQueue", "perMessageGroupId": "perMessageGroupId"},
        "You can specify the FifoThroughputLimit only when FifoQueue is set to true.",
    ),
}
"""Attributes of FIFO queues: what the bus calls them, their values, and how a standard queue refuses (SQS-Q-7)."""

READ_ONLY = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
)
"""What can be read and not set (SQS-ATT-3)."""

SETTABLE = (
    *NUMBERS,
    *FIFO_ONLY,
    "FifoQueue",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "Policy",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
)

_NUMBER = re.compile(r"[0-9]{1,9}")


@attrs.frozen
class Wanted:
    """What a request wants a queue to be.

    Attributes:
        fields: of `Queue`, by the attributes that they came from.
        texts: of encryption, by attribute.
        policy: the policy document; None to have none.
    """

    fields: dict[str, tuple[str, Any]] = attrs.field(factory=dict)
    texts: dict[str, str] = attrs.field(factory=dict)
    policy: dict[str, Any] | None = None

    def changes(self) -> dict[str, Any]:
        """Fields of `Queue` and their values."""
        return dict(self.fields.values())


def read_attributes(account: Account, name: str, attributes: Mapping[str, str], *, fifo: bool) -> Wanted:
    """What the attributes of a request say about a queue of this name and type.

    Raises:
        ServiceError: an attribute that there is not, or a value that cannot be (SQS-ATT-1, SQS-Q-7).
    """
    wanted = Wanted()
    for attribute, text in attributes.items():
        if attribute == "FifoQueue":
            continue
        if attribute in NUMBERS:
            field, quota = NUMBERS[attribute]
            wanted.fields[attribute] = field, _number(attribute, text, quota.under(account.settings.get("quotas")))
        elif attribute in FIFO_ONLY:
            field, values, refusal = FIFO_ONLY[attribute]
            if not fifo:
                raise SQS.error("InvalidAttributeName", refusal)
            if text not in values:
                raise _invalid(attribute, f"{text!r} is not allowed; allowed: {', '.join(values)}")
            wanted.fields[attribute] = field, values[text]
        elif attribute == "RedrivePolicy":
            wanted.fields[attribute] = "redrive", redrive_of(account, name, text, fifo=fifo)
        elif attribute == "RedriveAllowPolicy":
            wanted.fields[attribute] = "redrive_allow", redrive_allow(account, text)
        elif attribute == "Policy":
            wanted = attrs.evolve(wanted, policy=policy_document(text))
        elif attribute in SETTABLE:
            wanted.texts[attribute] = _encryption(attribute, text)
        else:
            raise SQS.error("InvalidAttributeName", f"Unknown Attribute {attribute}.")
    if wanted.texts.get("KmsMasterKeyId") and wanted.texts.get("SqsManagedSseEnabled") == "true":
        raise SQS.error(
            "InvalidAttributeName",
            "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS "
            "SSE.",
        )
    return wanted


def declare(base: Queue, wanted: Wanted) -> Queue:
    """A declaration with the fields that are wanted.

    Raises:
        ServiceError: they do not go together (FIFO-TPS-2).
    """
    try:
        return attrs.evolve(base, **wanted.changes())
    except DeclarationError as error:
        raise _together(error) from error


def get_queue_attributes(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Attributes by name or all at once; without names none, and no key "Attributes" (SQS-ATT-3, SQS-ATT-4)."""
    queue = queue_of(account, params)
    names = params.get("AttributeNames", ())
    for name in names:
        if name != "All" and name not in READ_ONLY and name not in SETTABLE:
            raise SQS.error("InvalidAttributeName", f"Unknown Attribute {name}.")
    known = attributes_of(account, queue, now)
    asked = known if "All" in names else {name: known[name] for name in names if name in known}
    return {"Attributes": asked} if asked else {}


def set_queue_attributes(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Change attributes; all of them or none (SQS-ATT-2)."""
    queue = queue_of(account, params)
    attributes = params["Attributes"]
    fifo = queue.declaration.fifo
    if "FifoQueue" in attributes and not (fifo and attributes["FifoQueue"] == "true"):
        raise _invalid("FifoQueue", "Modifying queue type is not supported.")
    wanted = read_attributes(account, queue.name, attributes, fifo=fifo)
    try:
        account.change_queue(queue, wanted.changes(), now)
    except DeclarationError as error:
        raise _together(error) from error
    record = account.record(queue.name)
    record.modified_at = now
    if "Policy" in attributes:
        record.policy = wanted.policy
    record.texts |= wanted.texts
    if wanted.texts.get("SqsManagedSseEnabled") == "true":
        record.texts.pop("KmsMasterKeyId", None)
    elif wanted.texts.get("KmsMasterKeyId"):
        record.texts.pop("SqsManagedSseEnabled", None)
    return {}


def attributes_of(account: Account, queue: AnyQueue, now: float) -> dict[str, str]:
    """All attributes that a queue has, as texts; changed ones before they are in force (SQS-ATT-2)."""
    declared = queue.intended
    record = account.record(queue.name)
    counts = queue.counts(now)
    encryption = encryption_of(record)
    if not encryption["KmsMasterKeyId"]:
        del encryption["KmsMasterKeyId"], encryption["KmsDataKeyReusePeriodSeconds"]
    attributes: dict[str, str | None] = {
        "QueueArn": account.arn("sqs", queue.name),
        "ApproximateNumberOfMessages": str(counts.visible),
        "ApproximateNumberOfMessagesNotVisible": str(counts.in_flight),
        "ApproximateNumberOfMessagesDelayed": str(counts.delayed),
        "CreatedTimestamp": account.seconds(record.created_at),
        "LastModifiedTimestamp": account.seconds(record.modified_at),
        **{attribute: f"{getattr(declared, field):.0f}" for attribute, (field, _) in NUMBERS.items()},
        "Policy": json.dumps(record.policy) if record.policy else None,
        "RedrivePolicy": redrive_policy(account, declared.redrive),
        "RedriveAllowPolicy": allow_policy(account, declared.redrive_allow),
        **encryption,
    }
    if declared.fifo:
        attributes["FifoQueue"] = "true"
        for attribute, (field, values, _) in FIFO_ONLY.items():
            here = getattr(declared, field)
            attributes[attribute] = next(text for text, value in values.items() if value == here)
    return {name: text for name, text in attributes.items() if text is not None}


def differing(account: Account, queue: AnyQueue, attributes: Mapping[str, str], wanted: Wanted) -> str:
    """The first attribute of a request that an existing queue has another value of; "" if there is none (SQS-Q-2)."""
    record = account.record(queue.name)
    encryption = encryption_of(record)
    for attribute in attributes:
        if attribute in wanted.fields:
            field, value = wanted.fields[attribute]
            same = getattr(queue.intended, field) == value
        elif attribute in wanted.texts:
            same = encryption[attribute] == wanted.texts[attribute]
        else:
            same = attribute != "Policy" or record.policy == wanted.policy
        if not same:
            return attribute
    return ""


def encryption_of(record: QueueRecord) -> dict[str, str]:
    """The attributes of encryption as they were set, or by default; a key of its own replaces that of SQS."""
    key = record.texts.get("KmsMasterKeyId", "")
    usual = {
        "KmsMasterKeyId": key,
        "KmsDataKeyReusePeriodSeconds": f"{KMS_REUSE.default:.0f}",
        "SqsManagedSseEnabled": "false" if key else "true",
    }
    return usual | record.texts


def _number(attribute: str, text: str, quota: Quota) -> int:
    if not (_NUMBER.fullmatch(text) and quota.low <= int(text) <= quota.high):
        allowed = bounds(quota.low, quota.high, quota.unit, quota.rule)
        raise _invalid(attribute, f"{text!r} is not allowed; allowed: {allowed}")
    return int(text)


def _encryption(attribute: str, text: str) -> str:
    if attribute == "KmsDataKeyReusePeriodSeconds":
        return str(_number(attribute, text, KMS_REUSE))
    if attribute == "SqsManagedSseEnabled" and text not in ("true", "false"):
        raise _invalid(attribute, f"{text!r} is not allowed; allowed: true, false")
    return text


def _together(error: DeclarationError) -> ServiceError:
    """Attributes that cannot be together, or a dead-letter queue that cannot be this queue's."""
    attribute = "RedrivePolicy" if error.path == "Queue.redrive" else "FifoThroughputLimit"
    return _invalid(attribute, error.problem)


def _invalid(attribute: str, reason: str) -> ServiceError:
    return SQS.error("InvalidAttributeValue", f"Invalid value for the parameter {attribute}. Reason: {reason}")
