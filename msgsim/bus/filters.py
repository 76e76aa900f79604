"""SNS filter policies, compiled to one predicate per policy when they are set.

`policies` reads a policy, `complexity` holds it against the limits, `matches` compiles its elements, and `predicates`
makes one function of them.
"""

import json
from collections.abc import Mapping
from typing import Any

from msgsim.bus.complexity import check_bytes, check_complexity, check_wildcards, policy_bytes
from msgsim.bus.policies import DEEPEST, MESSAGE_ATTRIBUTES, MESSAGE_BODY, read_policy, too_deep
from msgsim.bus.predicates import Predicate, on_attributes, on_body, only_binary
from msgsim.declare import ReadOnly, plain
from msgsim.errors import DeclarationError

__all__ = [
    "MESSAGE_ATTRIBUTES",
    "MESSAGE_BODY",
    "REASONS",
    "Predicate",
    "check_scope",
    "compile_policy",
    "parse_body",
    "plain_policy",
    "why_filtered",
]

NO_ATTRIBUTES = "NoMessageAttributes"
INVALID_ATTRIBUTES = "InvalidAttributes"
INVALID_BODY = "InvalidMessageBody"
REASONS = (MESSAGE_ATTRIBUTES, MESSAGE_BODY, NO_ATTRIBUTES, INVALID_ATTRIBUTES, INVALID_BODY)
"""Why a message was filtered out: the ends of the names of CloudWatch's metrics."""


def compile_policy(policy: object, scope: str = MESSAGE_ATTRIBUTES) -> Predicate:
    """Make the predicate of a policy.

    A message passes if each key of the policy has one of its values: AND across keys, OR inside an array (SNS-FLT-2),
    and OR between the policies of `$or` (SNS-FLT-4). Strings compare exactly, numbers by value; true, false and null
    equal only themselves. An array in the message, a `String.Array` attribute or a list in the body, has a value if any
    of its members does. A message without attributes, or a body that is no JSON object, does not pass (SNS-FLT-5,
    SNS-FLT-6). A policy without keys lets everything pass.

    Args:
        policy: `{key: [element, ...]}`: values, or operators as in `{"price": [{"numeric": [">=", 10, "<", 20]}]}`;
            for bodies also `{key: policy}`, the same as a key with dots.
        scope: "MessageAttributes" or "MessageBody".

    Returns:
        The predicate. Of attributes it costs about as much as a function written by hand.

    Raises:
        DeclarationError: not a policy, or over a limit (SNS-FLT-8, SNS-FLT-9); in the service's words where it has
            some (SNS-FLT-1, SNS-FLT-10).
    """
    check_scope(scope)
    policy = plain_policy(policy)
    conditions = read_policy(policy, scope)
    if not conditions:
        return _pass
    check_complexity(conditions)
    predicate = on_body(conditions) if scope == MESSAGE_BODY else on_attributes(conditions)
    check_wildcards(conditions)
    check_bytes(policy_bytes(policy))
    return predicate


def why_filtered(scope: str, attributes: Mapping[str, Any] | None, body: object) -> str:
    """Why a message that did not pass a policy did not, in the words of CloudWatch's metrics.

    Args:
        scope: of the policy.
        attributes: of the message; None if it has none.
        body: as `parse_body` returns it; looked at for the scope "MessageBody" only.

    Returns:
        One of `REASONS`: the scope itself if the message could be looked at and simply does not match.
    """
    if scope == MESSAGE_BODY:
        return MESSAGE_BODY if isinstance(body, dict) else INVALID_BODY
    if not attributes or only_binary(attributes):
        return NO_ATTRIBUTES
    return INVALID_ATTRIBUTES if any(map(_is_malformed, attributes.values())) else MESSAGE_ATTRIBUTES


def check_scope(scope: object) -> None:
    """Refuse a scope that is not one of the two.

    Raises:
        DeclarationError: in the service's words (SNS-FLT-1).
    """
    if not isinstance(scope, str) or scope not in (MESSAGE_ATTRIBUTES, MESSAGE_BODY):
        raise DeclarationError(
            "Subscription.filter_scope",
            f"FilterPolicyScope: Invalid value [{scope}]. Please use either MessageBody or MessageAttributes "
            "(SNS-FLT-1)",
        )


def parse_body(text: str) -> object:
    """The JSON value that a body is; None for what is no JSON, which passes no policy either (SNS-FLT-6)."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None


def plain_policy(policy: Any, level: int = 0) -> Any:
    """A policy's own copy in read-only dicts and lists; what is neither a mapping nor a sequence stays as it is.

    Raises:
        DeclarationError: it has more levels than any policy that is not too complex (SNS-FLT-8).
    """
    if level > DEEPEST:
        raise too_deep()
    if isinstance(policy, Mapping):
        return ReadOnly({key: plain_policy(value, level + 1) for key, value in policy.items()})
    if isinstance(policy, (list, tuple)):
        return [plain_policy(value, level + 1) for value in policy]
    return plain(policy)


def _pass(_: object) -> bool:
    return True


def _is_malformed(value: object) -> bool:
    """Whether an attribute is an array with members that no array of attributes can have, or is no array at all."""
    if isinstance(value, (list, tuple)):
        return any(isinstance(member, (Mapping, list, tuple, bytes)) for member in value)
    return getattr(value, "data_type", "") == "String.Array"


def _no_constant(name: str) -> None:
    """NaN and the infinities are no JSON, though Python reads them."""
    raise ValueError(name)
