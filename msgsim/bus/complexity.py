"""How complex a filter policy may be: keys, combinations of values, wildcards, bytes (SNS-FLT-8, SNS-FLT-9)."""

import json
from collections.abc import Mapping
from math import prod

from msgsim.bus.policies import Conditions, Either, Key, PolicyRefusal, keys_of
from msgsim.quotas import FILTER_BYTES, FILTER_COMBINATIONS, FILTER_POLICY_KEYS, WILDCARD_POINTS

_TOO_COMPLEX = "Filter policy is too complex"


def check_complexity(conditions: Conditions) -> None:
    """Refuse too many keys or combinations.

    Only the keys at the ends of nested policies count, and one that several branches of `$or` have counts once.

    Raises:
        PolicyRefusal: says which limit, and how far it is exceeded.
    """
    keys = len({key.path for key in keys_of(conditions)})
    if keys > FILTER_POLICY_KEYS.high:
        raise PolicyRefusal("Filter policy can not have more than 5 keys", f"{keys} given", rule="SNS-FLT-8")
    count = combinations(conditions)
    if count > FILTER_COMBINATIONS.high:
        detail = f"{count} combinations of values given; allowed: up to {FILTER_COMBINATIONS.high:g}"
        raise PolicyRefusal(_TOO_COMPLEX, detail, rule="SNS-FLT-8")


def combinations(conditions: Conditions) -> int:
    """The product over keys of their values times their depth; `$or` is as many as its branches together."""
    return prod(map(_combinations, conditions))


def _combinations(condition: Key | Either) -> int:
    if isinstance(condition, Either):
        return sum(map(combinations, condition.branches))
    return len(condition.elements) * condition.depth


def check_wildcards(conditions: Conditions) -> None:
    """Refuse patterns that have too many points together; the elements have been compiled.

    Raises:
        PolicyRefusal: says how many there are.
    """
    points = sum(_points(key) for key in keys_of(conditions))
    if points > WILDCARD_POINTS.high:
        detail = f"its wildcards have {points} points; allowed: up to {WILDCARD_POINTS.high:g}"
        raise PolicyRefusal(_TOO_COMPLEX, detail, rule="SNS-FLT-9")


def check_bytes(size: int) -> None:
    """Refuse a policy whose text is too long.

    Raises:
        PolicyRefusal: says how long it is.
    """
    if size > FILTER_BYTES.high:
        detail = f"it has {size} bytes; allowed: up to {FILTER_BYTES.high:g}"
        raise PolicyRefusal(_TOO_COMPLEX, detail, rule="SNS-FLT-8")


def policy_bytes(policy: object) -> int:
    """The bytes of a policy that was not written as a text: of the shortest one."""
    return len(json.dumps(policy, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))


def _points(key: Key) -> int:
    """The points of all patterns of a key together, times their number."""
    points = []
    for element in key.elements:
        if not isinstance(element, Mapping):
            continue
        if "wildcard" in element:
            points.append(3 if element["wildcard"].count("*") > 1 else 1)
        operand = element.get("anything-but")
        if isinstance(operand, Mapping) and "wildcard" in operand:
            patterns = operand["wildcard"]
            points += [1] * (1 if isinstance(patterns, str) else len(patterns))
    return sum(points) * len(points)
