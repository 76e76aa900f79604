"""SNS: who else may use a topic, as statements of its policy."""

import json
from collections.abc import Mapping
from typing import Any

from msgsim.bus.filters import parse_body
from msgsim.errors import InvalidParameter
from msgsim.service.account import Account
from msgsim.service.sns_refusals import invalid, topic_of

ACTIONS = (
    "AddPermission",
    "DeleteTopic",
    "GetTopicAttributes",
    "ListSubscriptionsByTopic",
    "Publish",
    "Receive",
    "RemovePermission",
    "SetTopicAttributes",
    "Subscribe",
)
"""What a topic's owner can let others do."""


def add_permission(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Add a statement to a topic's policy, which no publish is treated by."""
    name, _topic = topic_of(account, params["TopicArn"])
    label, accounts, actions = params["Label"], params["AWSAccountId"], params["ActionName"]
    for what, given in (("AWSAccountId", accounts), ("ActionName", actions)):
        if not given:
            raise invalid(what, "no value for required parameter")
    if any(action not in ACTIONS for action in actions):
        raise InvalidParameter("Invalid parameter: Policy statement action out of service scope!")
    policy = _policy(account, name)
    if any(_label(statement) == label for statement in policy["Statement"]):
        raise InvalidParameter("Invalid parameter: Statement already exists")
    statement = {
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": _one_or_all([f"arn:aws:iam::{each}:root" for each in accounts])},
        "Action": _one_or_all([f"SNS:{each}" for each in actions]),
        "Resource": account.arn("sns", name),
    }
    _keep(account, name, {**policy, "Statement": [*policy["Statement"], statement]})
    return {}


def remove_permission(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Take a statement out of a topic's policy."""
    name, _topic = topic_of(account, params["TopicArn"])
    policy = _policy(account, name)
    left = [statement for statement in policy["Statement"] if _label(statement) != params["Label"]]
    if len(left) == len(policy["Statement"]):
        raise InvalidParameter("Invalid parameter: Statement does not exist")
    _keep(account, name, {**policy, "Statement": left})
    return {}


def _policy(account: Account, name: str) -> dict[str, Any]:
    """The policy of a topic: an empty one if what was set is none."""
    arn = account.arn("sns", name)
    empty = {"Version": "2008-10-17", "Id": f"{arn}/policy", "Statement": []}
    policy = parse_body(account.topic_record(name).texts.get("Policy", ""))
    if not isinstance(policy, dict):
        return empty
    statements = policy.get("Statement", [])
    return {**empty, **policy, "Statement": statements if isinstance(statements, list) else [statements]}


def _label(statement: object) -> object:
    return statement.get("Sid") if isinstance(statement, dict) else None


def _keep(account: Account, name: str, policy: Mapping[str, Any]) -> None:
    account.topic_record(name).texts["Policy"] = json.dumps(policy)


def _one_or_all(members: list[str]) -> str | list[str]:
    return members[0] if len(members) == 1 else members
