"""SNS: policies as JSON texts: when deliveries are repeated, and where those go that fail for good."""

import json
from collections.abc import Mapping
from typing import Any

from msgsim.bus.filters import parse_body
from msgsim.bus.retries import (
    SUBSCRIPTION_PARTS,
    TOPIC_PARTS,
    DeliveryPolicy,
    subscription_json,
    subscription_policy,
    topic_json,
    topic_policy,
)
from msgsim.bus.subscription import Endpoint, Subscription
from msgsim.bus.topic import TopicFanout
from msgsim.errors import DeclarationError, InvalidParameter
from msgsim.quotas import MAX_RECEIVES_PER_SECOND, RETRIES, RETRY_DELAY, Quota
from msgsim.service.account import Account

DELIVERY, REDRIVE = "DeliveryPolicy", "RedrivePolicy"

_DEPTH = 3
"""Objects within one another, of a topic's policy."""

_OVERRIDES = "disableSubscriptionOverrides"
_COUNTS = ("numRetries", "numNoDelayRetries", "numMinDelayRetries", "numMaxDelayRetries")
_BOUNDS: Mapping[str, Quota] = {
    **dict.fromkeys(_COUNTS, RETRIES),
    "minDelayTarget": RETRY_DELAY,
    "maxDelayTarget": RETRY_DELAY,
    "maxReceivesPerSecond": MAX_RECEIVES_PER_SECOND,
}
"""What the service says of a number in the same words for all (SNS-RTY-4)."""


# ---------------------------------------------------------------- deliveries


def delivery_policy(written: str, place: str) -> DeliveryPolicy | None:
    """A subscription's policy out of the service's JSON; None for an empty one, which leaves it to the topic.

    Args:
        written: as it came; members that are null are absent, and so have their defaults.
        place: "Attributes Reason: " when the subscription is made, "" when an attribute is set.

    Raises:
        InvalidParameter: no policy, or beyond a bound (SNS-RTY-4, SNS-RTY-7).
    """
    given = _table(written, place)
    _check_members(given, SUBSCRIPTION_PARTS, "", place)
    try:
        return subscription_policy(given) if given else None
    except DeclarationError as error:
        raise _refused(error, place) from error


def topic_fields(written: str, place: str) -> dict[str, Any]:
    """The fields of `Topic` that a topic's policy is; an empty one is the default.

    Raises:
        InvalidParameter: as `delivery_policy`.
    """
    given = _table(written, place)
    http = given.get("http", {})
    for member in given:
        if member != "http":
            raise InvalidParameter(f"Invalid parameter: {place}{DELIVERY}: Unexpected JSON member: {member}")
    if isinstance(http, dict):
        _check_members({part: each for part, each in http.items() if part != _OVERRIDES}, TOPIC_PARTS, "http.", place)
    try:
        policy, overrides = topic_policy(given) if given else (None, False)
    except DeclarationError as error:
        raise _refused(error, place) from error
    return {"delivery_policy": policy, "disable_subscription_overrides": overrides}


def described_topic(topic: TopicFanout) -> dict[str, str]:
    """The policy of a topic, and the one in force, as texts."""
    declared = topic.declaration
    overrides = declared.disable_subscription_overrides
    in_force = topic_json(declared.delivery_policy or DeliveryPolicy(), overrides=overrides)
    found = {f"Effective{DELIVERY}": json.dumps(in_force)}
    if declared.delivery_policy is not None:
        found[DELIVERY] = json.dumps(in_force)
    return found


def described_subscription(account: Account, topic: TopicFanout, subscription: Subscription) -> dict[str, str]:
    """The policies of a subscription, and the delivery policy in force if it is of HTTP, as texts."""
    found: dict[str, str] = {}
    in_force = topic.effective_policy(subscription)
    if in_force is not None:
        found[f"Effective{DELIVERY}"] = json.dumps(subscription_json(in_force))
    if subscription.delivery_policy is not None:
        found[DELIVERY] = json.dumps(subscription_json(subscription.delivery_policy))
    if subscription.redrive is not None:
        found[REDRIVE] = json.dumps({"deadLetterTargetArn": account.arn("sqs", subscription.redrive)})
    return found


# ---------------------------------------------------------------- dead letters


def redrive(account: Account, written: str, place: str, *, fifo: bool) -> str | None:
    """The queue that a redrive policy names; None for an empty one, which removes it (SNS-DLQ-1).

    Args:
        account: that the queue must be of.
        written: as it came.
        place: as of `delivery_policy`.
        fifo: the subscription is one of a FIFO queue.

    Raises:
        InvalidParameter: no policy, no queue of the account, or one of the other type.
    """
    prefix = f"Invalid parameter: {place}{REDRIVE}: "
    policy = parse_body(written) if written else {}
    if policy == {}:
        return None
    if not isinstance(policy, dict):
        raise InvalidParameter(f"{prefix}failed to parse JSON.")
    arn = policy.get("deadLetterTargetArn")
    if not isinstance(arn, str) or not arn.startswith("arn:aws:sqs:"):
        raise InvalidParameter(f"{prefix}deadLetterTargetArn is an invalid arn")
    name = account.queue_named(arn)
    if name is None:
        raise InvalidParameter(f"{prefix}there is no queue {arn}: it must be one of this account and Region")
    if account.queues[name].declaration.fifo != fifo:
        if fifo:
            words = "must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic."
        else:
            words = f"{arn} is a FIFO queue; allowed: a standard queue, as the endpoint is no FIFO queue"
        raise InvalidParameter(prefix + words)
    return name


def dead_letter_queue(account: Account, subscription: Subscription, known: Endpoint | None = None) -> Endpoint | None:
    """The live queue that a subscription names for its dead letters; the one known of, if that has gone."""
    found: Any = None if subscription.redrive is None else account.queues.get(subscription.redrive, known)
    return found  # type: ignore[no-any-return]  # a FIFO queue is an endpoint of FIFO topics


# ---------------------------------------------------------------- texts


def _table(written: str, place: str) -> dict[str, Any]:
    given = parse_body(written) if written else {}
    if not isinstance(given, dict):
        raise InvalidParameter(f"Invalid parameter: {place}{DELIVERY}: failed to parse JSON.")
    return _present(given, _DEPTH)


def _present(given: Mapping[str, Any], depth: int) -> dict[str, Any]:
    """The members of a JSON object, and of those within it, that are not null; deeper than `depth` as they are."""
    return {
        member: _present(value, depth - 1) if isinstance(value, dict) and depth > 1 else value
        for member, value in given.items()
        if value is not None
    }


def _check_members(given: Mapping[str, Any], parts: Mapping[str, Mapping[str, str]], where: str, place: str) -> None:
    """Refuse what no member of a policy is, and numbers beyond their bounds, in the words of the service."""
    for part, members in given.items():
        if part not in parts:
            raise InvalidParameter(f"Invalid parameter: {place}{DELIVERY}: Unexpected JSON member: {part}")
        for member, value in members.items() if isinstance(members, dict) else ():
            if member not in parts[part]:
                raise InvalidParameter(f"Invalid parameter: {place}{DELIVERY}: Unexpected JSON member: {member}")
            quota = _BOUNDS.get(member)
            if quota is None or isinstance(value, bool) or not isinstance(value, (int, float)):
                continue
            words = ""
            if value < quota.low:
                words = f"must be greater than or equal to {quota.low:g}"
            elif value > quota.high:
                words = f"must be less than or equal to {quota.high:g}"
            if words:
                raise InvalidParameter(f"Invalid parameter: {place}{DELIVERY}: {where}{part}.{member} {words}")


def _refused(error: DeclarationError, place: str) -> InvalidParameter:
    path = error.path.removeprefix(DELIVERY).removeprefix(".")
    return InvalidParameter(f"Invalid parameter: {place}{DELIVERY}: {f'{path} ' if path else ''}{error.problem}")
