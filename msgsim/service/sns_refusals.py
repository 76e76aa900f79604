"""How SNS refuses: its codes and wordings, and the topic that a request is about (GEN-3)."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgsim.bus.policies import PolicyRefusal
from msgsim.bus.policy_source import source_of
from msgsim.bus.topic import TopicFanout
from msgsim.errors import DeclarationError, InvalidParameter, ReplayLimitExceeded, ServiceError, Throttled
from msgsim.service.account import Account
from msgsim.service.message_attributes import Wording
from msgsim.service.operation import Service
from msgsim.service.parameters import Missing

SNS = Service(
    missing=Missing("InvalidParameter", "Invalid parameter: {} Reason: no value for required parameter"),
    codes={Throttled: ("Throttled", 429), ReplayLimitExceeded: ("ReplayLimitExceeded", 403)},
)
"""How SNS answers; its refusals (SNS-QUO-3, SNS-ARC-3)."""

WORDING = Wording(
    code="ParameterValueInvalid",
    kind="The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes is "
    "Binary, Number, and String.",
    empty="The message attribute '{name}' must contain non-empty message attribute value for message attribute type "
    "'{kind}'.",
    field="The message attribute '{name}' with type '{kind}' must use field '{field}'.",
    number="Could not cast message attribute '{name}' value to number.",
)
"""Refusals of message attributes (SNS-PUB-3)."""

FLAGS: Mapping[str, bool] = {"false": False, "true": True}
PAGE = 100
"""How many things a list has on one page."""


def topic_of(account: Account, arn: str) -> tuple[str, TopicFanout]:
    """The topic that has an ARN, and its name.

    Raises:
        ServiceError: there is none (SNS-TOP-4).
    """
    name = account.topic_named(arn)
    if name is None:
        raise ServiceError("NotFound", "Topic does not exist", 404)
    return name, account.topics[name]


def invalid(parameter: str, reason: str) -> InvalidParameter:
    """A parameter cannot be."""
    return InvalidParameter(f"Invalid parameter: {parameter} Reason: {reason}")


def flag(attribute: str, written: str, place: str = "Attributes Reason: ") -> bool:
    """An attribute that is true or false.

    Raises:
        InvalidParameter: it is something else.
    """
    if written not in FLAGS:
        raise InvalidParameter(
            f"Invalid parameter: {place}{attribute}: Invalid value [{written}]. Must be true or false."
        )
    return FLAGS[written]


def refused_subscription(error: DeclarationError, policy: str | None, place: str) -> InvalidParameter:
    """The refusal of a subscription in the words of the service.

    Args:
        error: of the bus.
        policy: its filter policy as it came.
        place: "Attributes Reason: " when it is made, "" when an attribute is set.
    """
    if isinstance(error, PolicyRefusal):
        if error.is_nesting:
            return InvalidParameter(f"Invalid parameter: {error.text}")
        where = "" if error.trail is None or policy is None else source_of(policy, error.trail)
        return InvalidParameter(f"Invalid parameter: {place}FilterPolicy: {error.text}{where}")
    if error.path == "Subscription.endpoint":
        return InvalidParameter(f"Invalid parameter: Endpoint Reason: {error.problem}")
    if error.path == "Subscription.filter_scope":
        return InvalidParameter(f"Invalid parameter: {place}{error.problem.removesuffix(' (SNS-FLT-1)')}")
    attribute = "DeliveryPolicy" if error.path == "Subscription.delivery_policy" else "RawMessageDelivery"
    return InvalidParameter(f"Invalid parameter: {place}{attribute}: {error.problem}")


def page(key: str, things: Sequence[Any], token: str | None) -> dict[str, Any]:
    """One page of a list, and the token of the next one if there is more.

    Raises:
        InvalidParameter: a token that was never given.
    """
    start = 0
    if token is not None:
        starts = {str(at): at for at in range(PAGE, len(things), PAGE)}
        if token not in starts:
            raise invalid("NextToken", "no page begins there")
        start = starts[token]
    answer: dict[str, Any] = {key: list(things[start : start + PAGE])}
    if start + PAGE < len(things):
        answer["NextToken"] = str(start + PAGE)
    return answer
