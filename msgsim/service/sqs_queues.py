"""SQS: queues made, found, listed, tagged, purged and deleted."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from msgsim.quotas import PAGE
from msgsim.service.account import Account
from msgsim.service.sqs_attributes import declare, differing, read_attributes
from msgsim.service.sqs_refusals import PREFIX, SQS, invalid, no_queue, queue_of

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_FIFO_NAME = re.compile(r"(?=.{1,80}\Z)[A-Za-z0-9_-]+\.fifo")


def create_queue(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Make a queue, or find the one that is there with these attributes (SQS-Q-1, SQS-Q-2, SQS-Q-4)."""
    name = params["QueueName"]
    attributes = params.get("Attributes", {})
    fifo = attributes.get("FifoQueue") == "true"
    if not (_FIFO_NAME if fifo else _NAME).fullmatch(name):
        raise SQS.error(
            "InvalidParameterValue",
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        )
    if "FifoQueue" in attributes and not fifo:
        raise SQS.error("InvalidAttributeName", "Unknown Attribute FifoQueue.")
    wanted = read_attributes(account, name, attributes, fifo=fifo)
    if now < account.reusable_at(name):
        raise SQS.error(
            f"{PREFIX}QueueDeletedRecently",
            "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
        )
    present = account.queues.get(name)
    if present is None:
        account.add_queue(name, declare(account.declaration(fifo=fifo), wanted), now)
        record = account.record(name)
        record.texts |= wanted.texts
        record.policy = wanted.policy
        record.tags |= params.get("tags", {})
    elif attribute := differing(account, present, attributes, wanted):
        raise SQS.error(
            "QueueAlreadyExists",
            f"A queue already exists with the same name and a different value for attribute {attribute}",
        )
    return {"QueueUrl": account.queue_url(name)}


def delete_queue(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Delete a queue, whatever is in it (SQS-Q-3)."""
    account.delete_queue(queue_of(account, params).name, now)
    return {}


def get_queue_url(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Find a queue by its name (SQS-Q-6)."""
    name = params["QueueName"]
    owner = params.get("QueueOwnerAWSAccountId", account.account_id)
    if not account.is_found(name) or owner != account.account_id:
        raise no_queue()
    return {"QueueUrl": account.queue_url(name)}


def list_queues(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """URLs of queues whose names begin with a prefix, in pages; no key "QueueUrls" if there are none (SQS-Q-8)."""
    prefix = params.get("QueueNamePrefix", "")
    names = [name for name in account.queues if name.startswith(prefix) and account.is_found(name)]
    page, token = _page(names, params)
    answer: dict[str, Any] = {"QueueUrls": [account.queue_url(name) for name in page]} if page else {}
    return answer | token


def list_dead_letter_source_queues(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """URLs of the queues whose dead letters come here, in pages (SQS-Q-8)."""
    dead = queue_of(account, params)
    names = [name for name, queue in account.queues.items() if queue.intended.redrive and _target(queue) == dead.name]
    page, token = _page(names, params)
    return {"queueUrls": [account.queue_url(name) for name in page]} | token


def purge_queue(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Remove all messages (SQS-PRG-1)."""
    queue_of(account, params).purge(now)
    return {}


def tag_queue(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Add tags; one with the key of another replaces it (SQS-Q-8)."""
    queue = queue_of(account, params)
    if not params["Tags"]:
        raise SQS.error("MissingParameter", "The request must contain the parameter Tags.")
    account.record(queue.name).tags |= params["Tags"]
    return {}


def untag_queue(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Take tags off, those that are there."""
    queue = queue_of(account, params)
    if not params["TagKeys"]:
        raise SQS.error("InvalidParameterValue", "Tag keys must be between 1 and 128 characters in length.")
    for key in params["TagKeys"]:
        account.record(queue.name).tags.pop(key, None)
    return {}


def list_queue_tags(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """All tags; no key "Tags" if there are none."""
    tags = account.record(queue_of(account, params).name).tags
    return {"Tags": dict(tags)} if tags else {}


def _target(queue: Any) -> str:
    return str(queue.intended.redrive.to)


def _page(names: Iterable[str], params: Mapping[str, Any]) -> tuple[list[str], dict[str, str]]:
    """Names in order, those of one page, and the key "NextToken" if there are more and a page size was given."""
    size = params.get("MaxResults", int(PAGE.high))
    if not PAGE.low <= size <= PAGE.high:
        raise invalid("MaxResults", size, f"Must be between {PAGE.low:g} and {PAGE.high:.0f}, if provided.")
    after = _last(params["NextToken"]) if params.get("NextToken") else ""
    left = sorted(name for name in names if name > after)
    more = "MaxResults" in params and len(left) > size
    return left[:size], {"NextToken": left[size - 1].encode().hex()} if more else {}


def _last(token: str) -> str:
    try:
        return bytes.fromhex(token).decode()
    except ValueError:
        raise invalid("NextToken", token, "Not a token of an earlier page.") from None
