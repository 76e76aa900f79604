# Hot path: a predicate runs once per publish whose attributes vary; `_one_exact_key` is for the policies that most are.
"""SNS filter policies, compiled to one predicate per policy when they are set.

A policy is compiled inside out: each element of an array becomes a `Match` (a function of the value), the array one
`Match` that is true if any of its elements is, and the policy a `Predicate` that is true if all of its keys are.
Exact values are understood so far; an operator of the grammar (SNS-FLT-3) is refused by name.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from math import isfinite, prod
from typing import Any, TypeAlias

from msgsim.declare import ReadOnly, plain
from msgsim.errors import DeclarationError
from msgsim.quotas import FILTER_COMBINATIONS, FILTER_POLICY_KEYS

MESSAGE_ATTRIBUTES = "MessageAttributes"
MESSAGE_BODY = "MessageBody"

Predicate: TypeAlias = Callable[[Any], bool]
"""Whether a message passes: of its attributes (a mapping or None), or of its body as parsed by `parse_body`."""

Match: TypeAlias = Callable[[Any], bool]
"""Whether one value, or `ABSENT`, satisfies an element of a policy."""

ABSENT = object()
"""What a `Match` is asked about when the message does not have the key."""

OPERATORS = frozenset(
    {
        "anything-but",
        "cidr",
        "equals-ignore-case",
        "exists",
        "numeric",
        "prefix",
        "suffix",
        "wildcard",
    }
)
"""The operators of the grammar: `{operator: operand}` in place of an exact value (SNS-FLT-3)."""


def compile_policy(policy: object, scope: str = MESSAGE_ATTRIBUTES) -> Predicate:
    """Make the predicate of a policy.

    A message passes if each key of the policy has one of its values: AND across keys, OR inside an array (SNS-FLT-2).
    Strings compare exactly, numbers by value; true, false and null equal only themselves. An array in the message, a
    `String.Array` attribute or a list in the body, has a value if any of its members is that value. A message without
    attributes, or a body that is no JSON object, does not pass (SNS-FLT-5, SNS-FLT-6). A policy without keys lets
    everything pass.

    Args:
        policy: `{key: [value, ...]}`.
        scope: "MessageAttributes", or "MessageBody" for the top-level keys of the body.

    Returns:
        The predicate. With one key and exact values it costs about one dictionary and one set lookup.

    Raises:
        DeclarationError: not a policy, over a limit (SNS-FLT-8), or more of the grammar than is understood so far; in
            the service's words where it has some (SNS-FLT-1, SNS-FLT-10).
    """
    check_scope(scope)
    if not isinstance(policy, Mapping):
        raise _refused(f"{policy!r} is not a filter policy; allowed: {{key: [value, ...]}}", "SNS-FLT-3")
    if not policy:
        return _pass
    for key, values in policy.items():
        _check_key(key, values, scope)
    if len(policy) > FILTER_POLICY_KEYS.high:
        raise _refused("Filter policy can not have more than 5 keys", "SNS-FLT-8", f"{len(policy)} given")
    combinations = prod(len(values) for values in policy.values())
    if combinations > FILTER_COMBINATIONS.high:
        detail = f"{combinations} combinations of values given; allowed: up to {FILTER_COMBINATIONS.high:g}"
        raise _refused("Filter policy is too complex", "SNS-FLT-8", detail)

    tests = tuple((key, _any_of(key, values)) for key, values in policy.items())
    if scope == MESSAGE_BODY:
        return _on_body(tests)
    if len(policy) == 1:
        ((key, values),) = policy.items()
        if _is_plain(values):
            return _one_exact_key(key, frozenset(values), tests[0][1])
    return _on_attributes(tests)


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


def plain_policy(policy: Any) -> Any:
    """A policy's own copy in read-only dicts and lists; what is neither a mapping nor a sequence stays as it is."""
    if isinstance(policy, Mapping):
        return ReadOnly({key: plain_policy(value) for key, value in policy.items()})
    if isinstance(policy, (list, tuple)):
        return [plain_policy(value) for value in policy]
    return plain(policy)


# ---------------------------------------------------------------- policies -> predicates


def _pass(_: object) -> bool:
    return True


def _one_exact_key(key: str, allowed: frozenset[object], match: Match) -> Predicate:
    def passes(attributes: Any) -> bool:
        if not attributes:
            return False
        value = attributes.get(key, ABSENT)
        try:
            if value in allowed:
                return True
        except TypeError:  # unhashable: no exact value, but it may be a list of some
            pass
        return isinstance(value, (list, tuple)) and match(value)

    return passes


def _on_attributes(tests: Sequence[tuple[str, Match]]) -> Predicate:
    def passes(attributes: Any) -> bool:
        return bool(attributes) and _all(tests, attributes)

    return passes


def _on_body(tests: Sequence[tuple[str, Match]]) -> Predicate:
    def passes(body: Any) -> bool:
        return isinstance(body, dict) and _all(tests, body)

    return passes


def _all(tests: Sequence[tuple[str, Match]], message: Mapping[str, Any]) -> bool:
    """AND across keys; a loop, as a generator costs more than the matches."""
    for key, match in tests:  # noqa: SIM110 - see above
        if not match(message.get(key, ABSENT)):
            return False
    return True


# ---------------------------------------------------------------- arrays -> matches


def _any_of(key: str, elements: Sequence[Any]) -> Match:
    """OR inside an array, and over the members of an array in the message (SNS-FLT-5)."""
    matches = [_element(key, element) for element in elements]
    one = _in(frozenset(elements)) if _is_plain(elements) else _satisfies(matches)

    def match(value: Any) -> bool:
        return any(map(one, value)) if isinstance(value, (list, tuple)) else one(value)

    return match


def _in(allowed: frozenset[object]) -> Match:
    """All exact values at once."""

    def match(value: Any) -> bool:
        try:
            return value in allowed
        except TypeError:  # unhashable, thus no exact value
            return False

    return match


def _satisfies(matches: Sequence[Match]) -> Match:
    return lambda value: any(match(value) for match in matches)


def _element(key: str, element: object) -> Match:
    if isinstance(element, Mapping):
        return _operator(key, element)
    if element is None or isinstance(element, bool):
        return _keyword(element)
    if isinstance(element, (str, int)) or (isinstance(element, float) and isfinite(element)):
        return _exact(element)
    raise _refused("Match value must be String, number, true, false, or null", detail=f"{key!r} has {element!r}")


def _keyword(element: object) -> Match:
    return lambda value: value is element


def _exact(element: float | str) -> Match:
    return lambda value: not isinstance(value, bool) and bool(value == element)


def _operator(key: str, element: Mapping[Any, Any]) -> Match:
    if len(element) != 1:
        raise _refused("Only one key allowed in match expression", detail=f"{key!r} has {dict(element)!r}")
    (name,) = element
    if name not in OPERATORS:
        raise _refused(f"Unrecognized match type {name}", detail=f"{key!r} has {dict(element)!r}")
    raise _unsupported(f"the operator {name!r} of key {key!r}")


# ---------------------------------------------------------------- refusals


def _check_key(key: object, values: object, scope: str) -> None:
    """Refuse what is no `key: [value, ...]`; the values are checked where they are compiled."""
    if not isinstance(key, str):
        raise _refused(f"{key!r} is not a key; allowed: a text", "SNS-FLT-3")
    if isinstance(values, Mapping):
        if scope == MESSAGE_ATTRIBUTES:
            text = "Filter policy scope MessageAttributes does not support nested filter policy"
            raise _refused(text, detail=f"{key!r} has {dict(values)!r}")
        raise _unsupported(f"the nested policy of key {key!r}")
    if not isinstance(values, (list, tuple)):
        raise _refused(f'"{key}" must be an object or an array', detail=f"{values!r} given")
    if not values:
        raise _refused("Empty arrays are not allowed", detail=f"{key!r} has none of the values that it may have")
    if key == "$or" and _are_alternatives(values):
        raise _unsupported("the operator '$or'")
    if "." in key and scope == MESSAGE_BODY:
        raise _unsupported(f"the path {key!r} into a message body")


def _are_alternatives(values: Sequence[object]) -> bool:
    """Whether the array of `$or` makes it the operator, not a key of that name (SNS-FLT-4)."""
    return len(values) > 1 and all(isinstance(value, Mapping) and OPERATORS.isdisjoint(value) for value in values)


def _refused(text: str, rule: str = "SNS-FLT-10", detail: str = "") -> DeclarationError:
    problem = f"{text}: {detail} ({rule})" if detail else f"{text} ({rule})"
    return DeclarationError("Subscription.filter_policy", problem)


def _unsupported(what: str) -> DeclarationError:
    problem = f"{what} is not understood so far, only exact values are: {{key: [value, ...]}} (SNS-FLT-3)"
    return DeclarationError("Subscription.filter_policy", problem)


def _is_plain(elements: Sequence[object]) -> bool:
    """Whether a set can tell the elements apart: all are exact values, none equals a flag (in Python `True == 1`)."""
    return not any(isinstance(element, Mapping) or element in (0, 1) for element in elements)


def _no_constant(name: str) -> None:
    """NaN and the infinities are no JSON, though Python reads them."""
    raise ValueError(name)
