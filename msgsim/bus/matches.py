"""The elements of a filter policy's arrays, each compiled to a `Matcher` of one value (SNS-FLT-3)."""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from operator import ge, gt, le, lt
from typing import Any, TypeAlias

import attrs

from msgsim.bus.policies import OPERATORS, Key, PolicyRefusal, Trail, quoted
from msgsim.quotas import WILDCARDS

Match: TypeAlias = Callable[[Any], bool]
"""Whether a value that is there, and is neither an array nor an object, satisfies an element."""

_VALUE = "Match value must be String, number, true, false, or null"
_ONE_BOUND = ("operator", "bound")
_RANGE = ("lower operator", "bottom", "upper operator", "top")
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}


@attrs.frozen
class Matcher:
    """An element, compiled.

    Attributes:
        match: it as a function.
        text: the same as an expression of a text `v`, with `{}` for the constant; "" if no text satisfies it.
        number: the same of a number `v`.
        constant: what the expressions need.
    """

    match: Match
    text: str = "{}(v)"
    number: str = "{}(v)"
    constant: object = attrs.Factory(lambda self: self.match, takes_self=True)


@attrs.frozen
class Elements:
    """The elements of one key, compiled: any of them will do (SNS-FLT-2).

    Attributes:
        matchers: of values.
        present: a value that is there will do, whatever it is.
        absent: no value will do.
    """

    matchers: tuple[Matcher, ...]
    present: bool
    absent: bool

    def satisfied_by(self, values: Sequence[Any]) -> bool:
        """Whether one of the values satisfies one of the elements; objects and arrays among them do not."""
        if self.present and values:
            return True
        for value in values:
            if isinstance(value, (dict, list, tuple, bytes)):
                continue
            for matcher in self.matchers:
                if matcher.match(value):
                    return True
        return False


def compile_elements(key: Key) -> Elements:
    """Compile the elements of a key.

    Raises:
        PolicyRefusal: one is no element of the grammar (SNS-FLT-10).
    """
    matchers = []
    presences = []
    for position, element in enumerate(key.elements):
        trail = (*key.trail, position)
        if isinstance(element, Mapping):
            name = _only_key(element, trail)
            if name == "exists":
                presences.append(_exists(element[name], (*trail, name)))
            else:
                matchers.append(_BUILDERS[name](element[name], (*trail, name)))
        else:
            matchers.append(_exact(element, trail))
    return Elements(tuple(matchers), present=True in presences, absent=False in presences)


def _only_key(element: Mapping[Any, Any], trail: Trail) -> str:
    if len(element) != 1:
        raise PolicyRefusal("Only one key allowed in match expression", f"{dict(element)!r} given", trail=trail)
    (name,) = element
    if name not in OPERATORS:
        raise PolicyRefusal(f"Unrecognized match type {_said(name)}", f"{dict(element)!r} given", trail=(*trail, name))
    return str(name)


def _said(name: object) -> str:
    return quoted(name) if isinstance(name, str) else repr(name)


# ---------------------------------------------------------------- exact values


def _exact(element: object, trail: Trail) -> Matcher:
    if element is None or isinstance(element, bool):
        return Matcher(lambda value: value is element, text="", number="")
    if isinstance(element, str):
        return Matcher(lambda value: bool(value == element), text="v == {}", number="", constant=element)
    if _is_number(element):
        return Matcher(lambda value: _is_number(value) and bool(value == element), "", "v == {}", element)
    raise PolicyRefusal(_VALUE, f"{element!r} given", trail=trail)


def _is_number(value: object) -> bool:
    """Whether it is a number of JSON; it may be as large as Python knows (SNS-FLT-7)."""
    if isinstance(value, float):
        return isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


# ---------------------------------------------------------------- texts


def _text(operand: object, operator: str, trail: Trail) -> str:
    if not isinstance(operand, str):
        raise PolicyRefusal(f"{operator} match pattern must be a string", f"{operand!r} given", trail=trail)
    return operand


def _prefix(operand: object, trail: Trail) -> Matcher:
    start = _text(operand, "prefix", trail)
    return Matcher(lambda value: isinstance(value, str) and value.startswith(start), "v.startswith({})", "", start)


def _suffix(operand: object, trail: Trail) -> Matcher:
    end = _text(operand, "suffix", trail)
    return Matcher(lambda value: isinstance(value, str) and value.endswith(end), "v.endswith({})", "", end)


def _equals_ignore_case(operand: object, trail: Trail) -> Matcher:
    wanted = _text(operand, "equals-ignore-case", trail).lower()
    return Matcher(lambda value: isinstance(value, str) and value.lower() == wanted, "v.lower() == {}", "", wanted)


def _wildcard(operand: object, trail: Trail) -> Matcher:
    first, *middle, last = _pattern(operand, trail)
    if not middle and last is None:
        return Matcher(lambda value: bool(value == first), "v == {}", "", first)
    end = last or ""
    shortest = len(first) + len(end)

    def match(value: Any) -> bool:
        if not (isinstance(value, str) and value.startswith(first) and value.endswith(end)):
            return False
        at, stop = len(first), len(value) - len(end)
        for part in middle:
            at = value.find(part, at, stop)
            if at < 0:
                return False
            at += len(part)
        return len(value) >= shortest

    return Matcher(match, number="")


def _pattern(operand: object, trail: Trail) -> list[Any]:
    """The parts of a pattern between its stars; a second part of None if it has no star."""
    pattern = _text(operand, "wildcard", trail)
    parts: list[Any] = pattern.split("*")
    if len(parts) - 1 > WILDCARDS.high:
        detail = f"{quoted(pattern)!r} has {len(parts) - 1} wildcards; allowed: up to {WILDCARDS.high:g}"
        raise PolicyRefusal("Filter policy is too complex", detail, rule="SNS-FLT-9")
    return parts if len(parts) > 1 else [pattern, None]


def _cidr(operand: object, trail: Trail) -> Matcher:
    from ipaddress import ip_address, ip_network  # noqa: PLC0415 - few policies need it

    written = _text(operand, "cidr", trail)
    address, slash, bits = written.partition("/")
    if not slash or "/" in bits:
        raise PolicyRefusal("Malformed CIDR, one '/' required", f"{quoted(written)!r} given", trail=trail)
    if not (bits.isascii() and bits.isdigit()):
        raise PolicyRefusal("Malformed CIDR, mask bits must be an integer", f"{quoted(bits)!r} given", trail=trail)
    try:
        network = ip_network(written, strict=False)
    except ValueError as error:
        raise PolicyRefusal(f"Nonstandard IP address: {quoted(address)}", quoted(str(error)), trail=trail) from None

    def match(value: Any) -> bool:
        if not isinstance(value, str):
            return False
        try:
            return ip_address(value) in network
        except ValueError:
            return False

    return Matcher(match, number="")


# ---------------------------------------------------------------- numbers


def _numeric(operand: object, trail: Trail) -> Matcher:
    terms = operand if isinstance(operand, (list, tuple)) else ()
    if not terms:
        raise PolicyRefusal("Invalid member in numeric match: ]", f"{operand!r} given", trail=trail)
    sign = terms[0]
    if not isinstance(sign, str):
        raise PolicyRefusal(f"Invalid member in numeric match: {sign!r}", f"{operand!r} given", trail=(*trail, 0))
    if sign != "=" and sign not in _COMPARISONS:
        raise PolicyRefusal(f"Unrecognized numeric range operator: {quoted(sign)}", trail=(*trail, 0))
    bound = _bound(terms, 1, "equals" if sign == "=" else sign, trail)
    if len(terms) == len(_ONE_BOUND):
        return _exact(bound, trail) if sign == "=" else _compared(sign, bound)
    if sign not in (">", ">="):
        raise PolicyRefusal("Too many terms in numeric range expression", f"{operand!r} given", trail=(*trail, 2))
    upper = terms[2]
    if not isinstance(upper, str):
        raise PolicyRefusal(f"Bad value in numeric range: {upper!r}", f"{operand!r} given", trail=(*trail, 2))
    if upper not in ("<", "<="):
        raise PolicyRefusal(f"Bad numeric range operator: {quoted(upper)}", trail=(*trail, 2))
    top = _bound(terms, 3, upper, trail)
    if top <= bound:
        raise PolicyRefusal("Bottom must be less than top", f"{operand!r} given", trail=(*trail, 3))
    if len(terms) > len(_RANGE):
        raise PolicyRefusal("Too many terms in numeric range expression", f"{operand!r} given", trail=(*trail, 4))
    return _between(sign, bound, upper, top)


def _bound(terms: Sequence[Any], position: int, sign: str, trail: Trail) -> Any:
    bound = terms[position] if position < len(terms) else None
    if not _is_number(bound):
        where = (*trail, min(position, len(terms) - 1))
        raise PolicyRefusal(f"Value of {sign} must be numeric", f"{list(terms)!r} given", trail=where)
    return bound


def _compared(sign: str, bound: float) -> Matcher:
    compare = _COMPARISONS[sign]
    return Matcher(lambda value: _is_number(value) and compare(value, bound), "", f"v {sign} {{}}", bound)


def _between(lower: str, low: float, upper: str, high: float) -> Matcher:
    above, below = _COMPARISONS[lower], _COMPARISONS[upper]

    def match(value: Any) -> bool:
        return _is_number(value) and above(value, low) and below(value, high)

    # The constants are numbers, which no expression can be hidden in.
    flipped = "<" if lower == ">" else "<="
    return Matcher(match, text="", number=f"{low!r} {flipped} v {upper} {high!r}")


# ---------------------------------------------------------------- the others


def _exists(operand: object, trail: Trail) -> bool:
    if not isinstance(operand, bool):
        text = "exists match pattern must be either true or false."
        raise PolicyRefusal(text, f"{operand!r} given", trail=trail)
    return operand


def _anything_but(operand: object, trail: Trail) -> Matcher:
    """What is there and satisfies none of the excluded elements (SNS-FLT-3)."""
    if isinstance(operand, Mapping):
        excluded = _patterns(operand, trail)
    elif isinstance(operand, (list, tuple)):
        if not operand:
            raise PolicyRefusal("Empty arrays are not allowed", "anything-but has no values", trail=trail)
        excluded = [_excluded(each, (*trail, position)) for position, each in enumerate(operand)]
    else:
        excluded = [_excluded(operand, trail)]
    if len(excluded) == 1 and excluded[0].text and excluded[0].text != "{}(v)":
        only = excluded[0]
        return Matcher(lambda value: not only.match(value), f"not {only.text}", "True", only.constant)
    matches = [each.match for each in excluded]
    return Matcher(lambda value: not any(match(value) for match in matches))


def _patterns(operand: Mapping[Any, Any], trail: Trail) -> list[Matcher]:
    name = _only_key_of_anything_but(operand, trail)
    inner = operand[name]
    trail = (*trail, name)
    if name != "wildcard" or not isinstance(inner, (list, tuple)):
        return [_BUILDERS[name](inner, trail)]
    if not inner:
        raise PolicyRefusal("Empty arrays are not allowed", "wildcard has no patterns", trail=trail)
    return [_wildcard(each, (*trail, position)) for position, each in enumerate(inner)]


def _only_key_of_anything_but(operand: Mapping[Any, Any], trail: Trail) -> str:
    for name in operand:
        if name not in ("prefix", "suffix", "wildcard"):
            text = f"Unsupported anything-but pattern: {_said(name)}"
            raise PolicyRefusal(text, "allowed: prefix, suffix, wildcard", trail=(*trail, name))
    return _only_key(operand, trail)


def _excluded(element: object, trail: Trail) -> Matcher:
    if isinstance(element, Mapping):
        raise PolicyRefusal(_VALUE, f"{dict(element)!r} given", trail=trail)
    return _exact(element, trail)


_BUILDERS: Mapping[str, Callable[[Any, Trail], Matcher]] = {
    "anything-but": _anything_but,
    "cidr": _cidr,
    "equals-ignore-case": _equals_ignore_case,
    "numeric": _numeric,
    "prefix": _prefix,
    "suffix": _suffix,
    "wildcard": _wildcard,
}
