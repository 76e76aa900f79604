"""SQS: up to ten messages at once: what refuses the whole call, and what fails an entry alone (SQS-BAT-5)."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from msgsim.bus.fifo import FifoQueue
from msgsim.errors import BusError, ReceiptHandleIsInvalid, ServiceError
from msgsim.quotas import BATCH_BYTES, BATCH_ENTRIES
from msgsim.service.account import Account
from msgsim.service.billing import payload_bytes
from msgsim.service.sqs_messages import send_one
from msgsim.service.sqs_refusals import PREFIX, SQS, queue_of

Entry: TypeAlias = Mapping[str, Any]
"""One of a batch, with its `Id`."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


def send_message_batch(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Send messages in the order of the request (SQS-BAT-3, SQS-BAT-4, FIFO-SND-6)."""
    queue = queue_of(account, params)
    entries = _entries(params, "SendMessageBatchRequestEntry")
    size = sum(payload_bytes(entry["MessageBody"], entry.get("MessageAttributes", {})) for entry in entries)
    if size > BATCH_BYTES.high:
        raise SQS.error(
            f"{PREFIX}BatchRequestTooLong",
            f"Batch requests cannot be longer than {BATCH_BYTES.high:.0f} bytes. You have sent {size} bytes.",
        )
    if isinstance(queue, FifoQueue):
        _check_ids(queue, entries)
        with queue.as_one_call("SendMessage", now, {entry["MessageGroupId"] for entry in entries}):
            return _each(entries, lambda entry: send_one(queue, entry, now))
    return _each(entries, lambda entry: send_one(queue, entry, now))


def delete_message_batch(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Delete messages, each as by itself (SQS-BAT-5)."""
    queue = queue_of(account, params)

    def delete(entry: Entry) -> dict[str, Any]:
        queue.delete(entry["ReceiptHandle"], now)
        return {}

    entries = _entries(params, "DeleteMessageBatchRequestEntry")
    if isinstance(queue, FifoQueue):
        with queue.as_one_call("DeleteMessage", now, _groups(queue, entries)):
            return _each(entries, delete)
    return _each(entries, delete)


def change_message_visibility_batch(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Restart visibility timeouts, each as by itself (SQS-BAT-5)."""
    queue = queue_of(account, params)

    def change(entry: Entry) -> dict[str, Any]:
        queue.change_visibility(entry["ReceiptHandle"], entry["VisibilityTimeout"], now)
        return {}

    return _each(_entries(params, "ChangeMessageVisibilityBatchRequestEntry"), change)


def _entries(params: Mapping[str, Any], kind: str) -> Sequence[Entry]:
    """The entries, if there are not too few or too many, and their ids can be (SQS-BAT-1, SQS-BAT-2)."""
    entries: Sequence[Entry] = params["Entries"]
    if not entries:
        raise SQS.error(f"{PREFIX}EmptyBatchRequest", f"There should be at least one {kind} in the request.")
    if len(entries) > BATCH_ENTRIES.high:
        raise SQS.error(
            f"{PREFIX}TooManyEntriesInBatchRequest",
            f"Maximum number of entries per request are {BATCH_ENTRIES.high:g}. You have sent {len(entries)}.",
        )
    seen = set()
    for entry in entries:
        if not _ID.fullmatch(entry["Id"]):
            raise SQS.error(
                f"{PREFIX}InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most "
                "80 letters long.",
            )
    for entry in entries:
        if entry["Id"] in seen:
            raise SQS.error(f"{PREFIX}BatchEntryIdsNotDistinct", f"Id {entry['Id']} repeated.")
        seen.add(entry["Id"])
    return entries


def _groups(queue: FifoQueue, entries: Sequence[Entry]) -> set[str]:
    """The groups of the messages that are there of those that handles stand for."""
    groups = set()
    for entry in entries:
        with suppress(ReceiptHandleIsInvalid):
            groups.add(queue.group_of(entry["ReceiptHandle"]))
    return {group for group in groups if group is not None}


def _check_ids(queue: FifoQueue, entries: Sequence[Entry]) -> None:
    """Refuse a batch to a FIFO queue if any of its entries lacks an id (FIFO-SND-1, FIFO-SND-2)."""
    for entry in entries:
        if "MessageGroupId" not in entry:
            raise SQS.error("InvalidParameterValue", "The request must contain the parameter MessageGroupId.")
        if not queue.declaration.content_based_deduplication and "MessageDeduplicationId" not in entry:
            raise SQS.error(
                "InvalidParameterValue",
                "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided "
                "explicitly",
            )


def _each(entries: Sequence[Entry], perform: Callable[[Entry], dict[str, Any]]) -> dict[str, Any]:
    """Perform each entry; a refusal fails that entry alone. Keys without entries are left out."""
    successful, failed = [], []
    for entry in entries:
        try:
            successful.append({"Id": entry["Id"], **perform(entry)})
        except (BusError, ServiceError) as error:
            refusal = error if isinstance(error, ServiceError) else SQS.refusal(error)
            failed.append(
                {
                    "Id": entry["Id"],
                    "Code": refusal.code,
                    "Message": refusal.message.replace("parameters are invalid", "parameters cannot be validated"),
                    "SenderFault": True,
                }
            )
    return {key: each for key, each in (("Successful", successful), ("Failed", failed)) if each}
