"""SQS: policies as JSON texts: who may use a queue, where its dead letters go, whose it takes."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from msgsim.bus.filters import parse_body
from msgsim.bus.queue import Redrive, RedriveAllow
from msgsim.errors import ServiceError
from msgsim.quotas import (
    MAX_RECEIVE_COUNT,
    POLICY_ACTIONS,
    POLICY_BYTES,
    POLICY_CONDITIONS,
    POLICY_PRINCIPALS,
    POLICY_STATEMENTS,
    REDRIVE_SOURCES,
    Quota,
)
from msgsim.service.account import Account
from msgsim.service.sqs_refusals import SQS, invalid, queue_of

ACTIONS = (
    "*",
    "ChangeMessageVisibility",
    "DeleteMessage",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
    "PurgeQueue",
    "ReceiveMessage",
    "SendMessage",
)
"""What a queue's owner can let others do (SQS-Q-9)."""

_ALLOW_FORMAT = (
    "Invalid value for the parameter RedriveAllowPolicy. Reason: Amazon SQS can't create the redrive allow policy, as "
    "it's in an unsupported format."
)
_ALLOW = "Amazon SQS can't create the redrive allow policy. "


# ---------------------------------------------------------------- dead letters


def redrive_of(account: Account, name: str, text: str, *, fifo: bool) -> Redrive | None:
    """The declaration of a redrive policy; None for an empty text, which removes it (SQS-DLQ-1).

    Raises:
        ServiceError: it cannot be, or its queue is not there, of the other type, or does not take the dead letters of
            the queue called `name` (SQS-DLQ-2, SQS-DLQ-6).
    """
    if not text:
        return None
    policy = _parsed(text)
    if policy is None:
        raise _redrive_refusal(text, "Redrive policy is not a valid JSON map.")
    for key in ("deadLetterTargetArn", "maxReceiveCount"):
        if key not in policy:
            raise _redrive_refusal(text, f"Redrive policy does not contain mandatory attribute: {key}.")
    count = str(policy["maxReceiveCount"])
    low, high = int(MAX_RECEIVE_COUNT.low), int(MAX_RECEIVE_COUNT.high)
    if not (count.isascii() and count.isdigit() and len(count) < 10 and low <= int(count) <= high):  # noqa: PLR2004
        allowed = f"valid values are from {low} to {high} both inclusive."
        raise _redrive_refusal(text, f"Invalid value for maxReceiveCount: {count}, {allowed}")
    arn = str(policy["deadLetterTargetArn"])
    if not arn.startswith("arn:aws:sqs:"):
        raise _redrive_refusal(text, "Invalid value for deadLetterTargetArn.")
    target = account.queue_named(arn)
    if target is None:
        raise _redrive_refusal(text, "Dead letter target does not exist.")
    declared = account.queues[target].declaration
    if declared.fifo != fifo:
        raise _redrive_refusal(text, "Dead-letter queue must be same type of queue as the source.")
    if declared.redrive_allow is not None and not declared.redrive_allow.allows(name):
        raise _redrive_refusal(text, "The dead-letter queue's redrive allow policy does not allow this queue.")
    return Redrive(to=target, max_receive_count=int(count))


def redrive_policy(account: Account, redrive: Redrive | None) -> str | None:
    """A redrive policy as a text; None if there is none."""
    if redrive is None:
        return None
    arn = account.arn("sqs", redrive.to)
    return _written({"deadLetterTargetArn": arn, "maxReceiveCount": redrive.max_receive_count})


def redrive_allow(account: Account, text: str) -> RedriveAllow | None:
    """The declaration of a redrive allow policy; None for an empty text (SQS-DLQ-6).

    Raises:
        ServiceError: it cannot be.
    """
    if not text:
        return None
    policy = _parsed(text)
    if policy is None or not policy.keys() <= {"redrivePermission", "sourceQueueArns"}:
        raise SQS.error("InvalidParameterValue", _ALLOW_FORMAT)
    permission, arns = policy.get("redrivePermission"), policy.get("sourceQueueArns", [])
    is_list = isinstance(arns, list) and all(isinstance(arn, str) for arn in arns)
    if permission not in ("allowAll", "denyAll", "byQueue") or not is_list:
        raise SQS.error("InvalidParameterValue", _ALLOW_FORMAT)
    reason = ""
    if permission != "byQueue" and arns:
        reason = "To specify one or more source queue ARNs, you must set redrivePermission to byQueue."
    elif permission == "byQueue" and not arns:
        reason = (
            "When you specify the byQueue permission type, you must also specify one or more sourceQueueArns values."
        )
    elif len(arns) > REDRIVE_SOURCES.high:
        reason = f"The maximum number of source queue ARNs you can specify is {REDRIVE_SOURCES.high:g}."
    if reason:
        raise invalid("RedriveAllowPolicy", text, _ALLOW + reason)
    # A source may come to be later, or never: an ARN of elsewhere stays what it is, and is no queue's name here.
    return RedriveAllow(permission=str(permission), sources=[arn.removeprefix(account.arn("sqs", "")) for arn in arns])


def allow_policy(account: Account, allow: RedriveAllow | None) -> str | None:
    """A redrive allow policy as a text; None if there is none."""
    if allow is None:
        return None
    policy: dict[str, Any] = {"redrivePermission": allow.permission}
    if allow.sources:
        policy["sourceQueueArns"] = [
            source if source.startswith("arn:") else account.arn("sqs", source) for source in allow.sources
        ]
    return _written(policy)


def _redrive_refusal(text: str, reason: str) -> ServiceError:
    return invalid("RedrivePolicy", text, reason)


# ---------------------------------------------------------------- permissions


def policy_document(text: str) -> dict[str, Any] | None:
    """The policy that a text is; None for an empty one, which removes it. Its limits are checked (SQS-Q-9).

    Raises:
        ServiceError: no policy, or beyond a limit.
    """
    if not text:
        return None
    policy = _parsed(text)
    statements = _listed(policy.get("Statement")) if policy else []
    if len(text.encode()) > POLICY_BYTES.high or not all(isinstance(each, dict) for each in statements):
        statements = []
    if not policy or not statements:
        raise SQS.error("InvalidAttributeValue", "Invalid value for the parameter Policy.")
    conditions = [_entries(each.get("Condition")) for each in statements]
    _limit(len(statements), "statements", POLICY_STATEMENTS)
    _limit(sum(map(_principals, statements)), "principals", POLICY_PRINCIPALS)
    _limit(sum(conditions), "conditions", POLICY_CONDITIONS)
    for each in statements:
        _limit(len(_listed(each.get("Action"))), "Actions", POLICY_ACTIONS)
    return policy


def add_permission(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Add a statement to a queue's policy (SQS-Q-9)."""
    queue = queue_of(account, params)
    label, actions, accounts = params["Label"], params["Actions"], params["AWSAccountIds"]
    if not actions:
        raise SQS.error("MissingParameter", "The request must contain the parameter Actions.")
    if not accounts:
        raise invalid("PrincipalId", "[]", "Unable to verify.")
    _limit(len(actions), "Actions", POLICY_ACTIONS)
    for action in actions:
        if action not in ACTIONS:
            raise invalid("ActionName", f"SQS:{action}", "Only the queue owner is allowed to invoke this action.")
    record = account.record(queue.name)
    arn = account.arn("sqs", queue.name)
    policy = record.policy or {"Version": "2008-10-17", "Id": f"{arn}/SQSDefaultPolicy", "Statement": []}
    statements = _listed(policy["Statement"])
    if any(statement.get("Sid") == label for statement in statements):
        raise invalid("Label", label, "Already exists.")
    statement = {
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": _one_or_all([f"arn:aws:iam::{each}:root" for each in accounts])},
        "Action": _one_or_all([f"SQS:{each}" for each in actions]),
        "Resource": arn,
    }
    record.policy = policy_document(json.dumps({**policy, "Statement": [*statements, statement]}))
    return {}


def remove_permission(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Take a statement out of a queue's policy."""
    queue = queue_of(account, params)
    label = params["Label"]
    record = account.record(queue.name)
    statements = _listed(record.policy["Statement"]) if record.policy else []
    left = [statement for statement in statements if statement.get("Sid") != label]
    if record.policy is None or len(left) == len(statements):
        raise invalid("Label", label, "can't find label on existing policy.")
    record.policy = {**record.policy, "Statement": left} if left else None
    return {}


def _limit(given: int, what: str, quota: Quota) -> None:
    if given > quota.high:
        raise SQS.error("OverLimit", f"{given} {what} were found, maximum allowed is {quota.high:g}.", 403)


def _principals(statement: Mapping[str, Any]) -> int:
    principal = statement.get("Principal")
    return _entries(principal) if isinstance(principal, dict) else 1


def _entries(given: object) -> int:
    """How many values a map holds, whose values are single ones, lists of them or maps of such."""
    if isinstance(given, dict):
        return sum(map(_entries, given.values()))
    return len(_listed(given))


def _listed(given: Any) -> list[Any]:
    if isinstance(given, list):
        return given
    return [] if given is None else [given]


def _one_or_all(members: Sequence[str]) -> str | Sequence[str]:
    return members[0] if len(members) == 1 else members


def _written(policy: Mapping[str, Any]) -> str:
    return json.dumps(policy, separators=(",", ":"))


def _parsed(text: str) -> dict[str, Any] | None:
    value = parse_body(text)
    return value if isinstance(value, dict) else None
