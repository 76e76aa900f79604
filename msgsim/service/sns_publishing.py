"""SNS: publishes, alone and up to ten at once (SNS-PUB-1 ... SNS-PUB-7)."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgsim.bus.fifo_topic import FifoFanout
from msgsim.bus.message import format_id, id_base
from msgsim.bus.topic import TopicFanout
from msgsim.errors import BusError, ServiceError
from msgsim.quotas import PUBLISH_BYTES, PUBLISH_ENTRIES
from msgsim.service import sns_fifo
from msgsim.service.account import Account
from msgsim.service.message_attributes import from_wire, wire_bytes
from msgsim.service.sns_refusals import SNS, WORDING, invalid, topic_of
from msgsim.service.sns_sms import check_message

_TARGETS = ("TopicArn", "TargetArn", "PhoneNumber")
_CHARACTER = re.compile(r"[^A-Za-z0-9_-]")
_ID_LENGTH = 80


def publish(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Publish to a topic."""
    targets = [key for key in _TARGETS if key in params]
    if not targets:
        raise invalid("TopicArn or TargetArn", "no value for required parameter")
    if len(targets) > 1:
        raise invalid("TopicArn or TargetArn", "only one of them may be given")
    arn = params[targets[0]]
    if targets[0] == "PhoneNumber":
        check_message(_attributes(params))
        account.sms.send(arn, params["Message"], now)
        account.texted += 1
        return {"MessageId": format_id(id_base(account.arn("sns", "sms")) + account.texted)}
    if targets[0] == "TargetArn" and account.topic_named(arn) is None:
        raise invalid("TargetArn", "No endpoint found for the target arn specified")
    _, topic = topic_of(account, arn)
    _charge(account, topic, now, 1)
    return _publish_one(topic, params, now)


def publish_batch(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Publish up to ten messages in the order of the request; each is filtered for itself (SNS-PUB-6)."""
    _, topic = topic_of(account, params["TopicArn"])
    entries: Sequence[Mapping[str, Any]] = params["PublishBatchRequestEntries"]
    _check_entries(entries)
    if isinstance(topic, FifoFanout):
        for entry in entries:
            sns_fifo.check_entry(topic, entry)
    _charge(account, topic, now, len(entries))
    successful, failed = [], []
    for entry in entries:
        try:
            successful.append({"Id": entry["Id"], **_publish_one(topic, entry, now)})
        except (BusError, ServiceError) as error:
            refusal = error if isinstance(error, ServiceError) else SNS.refusal(error)
            failed.append({"Id": entry["Id"], "Code": refusal.code, "Message": refusal.message, "SenderFault": True})
    return {"Successful": successful, "Failed": failed}


def _charge(account: Account, topic: TopicFanout, now: float, messages: int) -> None:
    quota = account.fifo_publish_quota if topic.fifo else account.publish_quota
    if quota is not None:
        quota.charge(now, messages)


def _publish_one(topic: TopicFanout, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    message = params["Message"]
    given: dict[str, Any] = {
        "attributes": _attributes(params),
        "subject": params.get("Subject"),
        "group_id": params.get("MessageGroupId"),
        "deduplication_id": params.get("MessageDeduplicationId"),
        "structure": params.get("MessageStructure"),
    }
    if not isinstance(topic, FifoFanout):
        return {"MessageId": topic.publish(message, now, **given)}
    message_id, sequence = topic.publish_numbered(message, now, **given)
    return {"MessageId": message_id, "SequenceNumber": sequence}


def _attributes(params: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a message.

    Raises:
        ServiceError: one that cannot be (SNS-PUB-3).
    """
    attributes = from_wire(params.get("MessageAttributes", {}), WORDING, arrays=True)
    for name in attributes:
        _check_name(name)
    return attributes


def _check_name(name: str) -> None:
    """Refuse the name of a message attribute (SNS-PUB-3)."""
    if len(name.encode()) >= 256:  # noqa: PLR2004 - as the text says
        raise ServiceError("ParameterValueInvalid", "Length of message attribute name must be less than 256 bytes.")
    for place, character in (("starting", name[:1]), ("ending", name[-1:])):
        if character == ".":
            text = f"Invalid message attribute name {place} with character '.' was found."
            raise ServiceError("ParameterValueInvalid", text)
    if ".." in name:
        raise ServiceError("ParameterValueInvalid", "Message attribute name can not have successive '.' character.")


def _check_entries(entries: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a batch as a whole."""
    if not entries:
        raise SNS.error("EmptyBatchRequest", "The batch request doesn't contain any entries.")
    if len(entries) > PUBLISH_ENTRIES.high:
        text = "The batch request contains more entries than permissible."
        raise SNS.error("TooManyEntriesInBatchRequest", text)
    for entry in entries:
        written = entry["Id"]
        found = _CHARACTER.search(written)
        if found or not written:
            text = "The Id of a batch entry in the batch request contains an impermissible character: "
            raise SNS.error("InvalidBatchEntryId", f"{text}{written}")
        if len(written) > _ID_LENGTH:
            text = f"The Id of a batch entry in the batch request is too long: {written}"
            raise SNS.error("InvalidBatchEntryId", text)
    if len({entry["Id"] for entry in entries}) < len(entries):
        text = "Two or more batch entries in the request have the same Id."
        raise SNS.error("BatchEntryIdsNotDistinct", text)
    size = sum(len(each["Message"].encode()) + wire_bytes(each.get("MessageAttributes", {})) for each in entries)
    if size > PUBLISH_BYTES.high:
        raise SNS.error("BatchRequestTooLong", "The length of all the messages put together is more than the limit.")
