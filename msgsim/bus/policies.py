"""Filter policies as they are read: conditions on keys, and how a policy that is none is refused.

A policy is read to a tuple of conditions, all of which must hold: a `Key`, whose value must satisfy one of some
elements, or an `Either`, of whose branches one must hold. Nested policies become keys with a path, as a dotted key has.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import attrs

from msgsim.errors import DeclarationError

MESSAGE_ATTRIBUTES = "MessageAttributes"
MESSAGE_BODY = "MessageBody"

OPERATORS = frozenset(
    {"anything-but", "cidr", "equals-ignore-case", "exists", "numeric", "prefix", "suffix", "wildcard"}
)
"""The operators of the grammar: `{operator: operand}` in place of an exact value (SNS-FLT-3)."""

DEEPEST = 200
"""Levels of mappings and lists in a policy; SIM: by its combinations none has more than 150 nested keys (SNS-FLT-8)."""

Trail: TypeAlias = tuple[str | int, ...]
"""Where in a policy something is: keys and positions from the outside in."""


class PolicyRefusal(DeclarationError):  # noqa: N818 - reads as what happened
    """A filter policy that is none, or is over a limit.

    Attributes:
        text: in the service's words.
        trail: where in the policy; None for the limits, of which the service does not say where (SNS-FLT-10).
        is_nesting: nested where that is not possible, which the service says without naming the policy.
    """

    def __init__(
        self,
        text: str,
        detail: str = "",
        *,
        rule: str = "SNS-FLT-10",
        trail: Trail | None = None,
        nesting: bool = False,
    ) -> None:
        super().__init__("Subscription.filter_policy", f"{text}: {detail} ({rule})" if detail else f"{text} ({rule})")
        self.text = text
        self.trail = trail
        self.is_nesting = nesting

    def __reduce__(self) -> tuple[type[DeclarationError], tuple[str, str]]:
        """Between processes it is a plain `DeclarationError`: only the wire asks for more."""
        return DeclarationError, (self.path, self.problem)


@attrs.frozen
class Key:
    """A condition on one key.

    Attributes:
        path: its name; of a nested one the names from the outside in, with dots between.
        depth: 1 at the top.
        elements: one of them must be satisfied.
        trail: to the elements.
    """

    path: str
    depth: int
    elements: Sequence[Any]
    trail: Trail


@attrs.frozen
class Either:
    """What `$or` asks for: that one of these holds."""

    branches: tuple["Conditions", ...]


Conditions: TypeAlias = tuple[Key | Either, ...]


def read_policy(policy: object, scope: str) -> Conditions:
    """Read a policy's keys; their elements are looked at when they are compiled.

    Raises:
        PolicyRefusal: something else than keys with arrays or, in bodies, policies in them.
    """
    if not isinstance(policy, Mapping):
        raise PolicyRefusal(f"{policy!r} is not a filter policy; allowed: {{key: [value, ...]}}", trail=())
    return _conditions(policy, scope, "", 1, ())


def keys_of(conditions: Conditions) -> list[Key]:
    """All keys, those of all branches included."""
    found = []
    for each in conditions:
        if isinstance(each, Key):
            found.append(each)
        else:
            found += [key for branch in each.branches for key in keys_of(branch)]
    return found


def quoted(text: str) -> str:
    """A text in a message, with halves of characters in a form that can be written."""
    return text.encode("utf-8", "backslashreplace").decode()


def _conditions(policy: Mapping[Any, Any], scope: str, prefix: str, depth: int, trail: Trail) -> Conditions:
    read: list[Key | Either] = []
    for key, values in policy.items():
        if not isinstance(key, str):
            raise PolicyRefusal(f"{key!r} is not a key; allowed: a text", rule="SNS-FLT-3", trail=trail)
        here = (*trail, key)
        _check_key(key, values, scope, here)
        if isinstance(values, Mapping):
            read += _conditions(values, scope, f"{prefix}{key}.", depth + 1, here)
        elif key == "$or" and _are_alternatives(values):
            read.append(Either(tuple(_branch(each, scope, prefix, depth, (*here, n)) for n, each in enumerate(values))))
        else:
            read.append(Key(f"{prefix}{key}", depth, tuple(values), here))
    return tuple(read)


def _branch(policy: Mapping[Any, Any], scope: str, prefix: str, depth: int, trail: Trail) -> Conditions:
    if not policy:
        raise PolicyRefusal("Empty objects are not allowed", trail=trail)
    return _conditions(policy, scope, prefix, depth, trail)


def _check_key(key: str, values: object, scope: str, trail: Trail) -> None:
    name = quoted(key)
    if isinstance(values, Mapping):
        if scope == MESSAGE_ATTRIBUTES:
            text = "Filter policy scope MessageAttributes does not support nested filter policy"
            raise PolicyRefusal(text, f"{name!r} has {dict(values)!r}", trail=trail, nesting=True)
        if not values:
            raise PolicyRefusal("Empty objects are not allowed", f"{name!r} has one", trail=trail)
    elif not isinstance(values, (list, tuple)):
        raise PolicyRefusal(f'"{name}" must be an object or an array', f"{values!r} given", trail=trail)
    elif not values:
        detail = f"{name!r} has none of the values that it may have"
        raise PolicyRefusal("Empty arrays are not allowed", detail, trail=trail)


def too_deep() -> PolicyRefusal:
    """The refusal of a policy with more levels than any that is not too complex."""
    return PolicyRefusal("Filter policy is too complex", f"it has more than {DEEPEST} levels", rule="SNS-FLT-8")


def _are_alternatives(values: Sequence[object]) -> bool:
    """Whether the array of `$or` makes it the operator, not a key of that name (SNS-FLT-4)."""
    return len(values) > 1 and all(isinstance(value, Mapping) and OPERATORS.isdisjoint(value) for value in values)
