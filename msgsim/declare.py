"""Fields of declarations: converters and validators that name the field, the value and what is allowed.

Declarations are frozen attrs classes. Their fields are made here, so that every bad value is refused by one sentence of
one shape: `Queue.delay: 1000 is not allowed; allowed: 0 to 900 [s] (SQS-DLY-1)`.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from msgsim.errors import DeclarationError

MINUTE = 60.0
HOUR = 3600.0
DAY = 86_400.0


def bounds(low: float, high: float, unit: str = "", rule: str = "", *, above: bool = False) -> str:
    """The allowed range in words, with unit and rule id."""
    if high == math.inf:
        words = f"more than {low:.12g}" if above else f"{low:.12g} or more"
    else:
        words = f"more than {low:.12g}, up to {high:.12g}" if above else f"{low:.12g} to {high:.12g}"
    return words + (f" [{unit}]" if unit else "") + (f" ({rule})" if rule else "")


def check_number(
    path: str,
    value: object,
    *,
    low: float = 0.0,
    high: float = math.inf,
    above: bool = False,
    unit: str = "",
    rule: str = "",
    integer: bool = False,
) -> None:
    """Refuse what is not a finite number in [low, high] (or (low, high] with `above`).

    Raises:
        DeclarationError: says what was given and what is allowed.
    """
    problem = ""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        problem = "is not a number"
    elif not low <= value <= high or abs(value) == math.inf or (above and value == low):
        problem = "is not allowed"
    elif integer and value != int(value):
        problem = "is not a whole number"
    if problem:
        allowed = bounds(low, high, unit, rule, above=above)
        raise DeclarationError(path, f"{value!r} {problem}; allowed: {allowed}")


def _to_float(value: Any) -> Any:
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _to_int(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def number(
    default: Any = attrs.NOTHING,
    *,
    low: float = 0.0,
    high: float = math.inf,
    above: bool = False,
    unit: str = "",
    rule: str = "",
    integer: bool = False,
    optional: bool = False,
    kw_only: bool | None = None,
) -> Any:
    """A numeric field; a finite float (or an int with `integer`), or None where `optional`."""

    def validate(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
        if optional and value is None:
            return
        path = f"{type(owner).__name__}.{attribute.name}"
        check_number(path, value, low=low, high=high, above=above, unit=unit, rule=rule, integer=integer)

    convert = _to_int if integer else _to_float
    return attrs.field(default=default, converter=convert, validator=validate, kw_only=kw_only)


def flag(default: bool = False) -> Any:
    """A boolean field; anything else is refused, truthy or not."""

    def validate(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
        if not isinstance(value, bool):
            raise DeclarationError(f"{type(owner).__name__}.{attribute.name}", f"{value!r} is neither true nor false")

    return attrs.field(default=default, validator=validate)


def text(
    default: Any = attrs.NOTHING, *, optional: bool = False, empty: bool = True, kw_only: bool | None = None
) -> Any:
    """A string field."""

    def validate(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
        if optional and value is None:
            return
        path = f"{type(owner).__name__}.{attribute.name}"
        if not isinstance(value, str):
            raise DeclarationError(path, f"{value!r} is not a text")
        if not empty and not value:
            raise DeclarationError(path, "must not be empty")

    return attrs.field(default=default, validator=validate, kw_only=kw_only)


def choice(default: Any, allowed: tuple[str, ...], rule: str = "") -> Any:
    """A string field out of a fixed set."""

    def validate(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
        if value not in allowed:
            source = f" ({rule})" if rule else ""
            problem = f"{value!r} is not allowed; allowed: {', '.join(allowed)}{source}"
            raise DeclarationError(f"{type(owner).__name__}.{attribute.name}", problem)

    return attrs.field(default=default, validator=validate)


def instance(kind: type | tuple[type, ...], what: str, *, default: Any = attrs.NOTHING, optional: bool = False) -> Any:
    """A field that holds a declaration of a given class."""

    def validate(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
        if (optional and value is None) or isinstance(value, kind):
            return
        raise DeclarationError(f"{type(owner).__name__}.{attribute.name}", f"{value!r} is not {what}")

    return attrs.field(default=default, validator=validate)


def listed(kind: type | tuple[type, ...], what: str, *, default: Any = (), kw_only: bool | None = None) -> Any:
    """A field that holds a sequence of declarations, kept as a tuple."""

    def convert(value: Any) -> Any:
        return tuple(value) if isinstance(value, (list, tuple)) else value

    def validate(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
        path = f"{type(owner).__name__}.{attribute.name}"
        if not isinstance(value, tuple):
            raise DeclarationError(path, f"{value!r} is not a list of {what}")
        for position, item in enumerate(value):
            if not isinstance(item, kind):
                raise DeclarationError(f"{path}.{position}", f"{item!r} is not {what}")

    return attrs.field(default=default, converter=convert, validator=validate, kw_only=kw_only)


def copied(value: Any) -> Any:
    """A converter that keeps a mapping's own copy, so that a declaration does not change with its maker's dict."""
    return dict(value) if isinstance(value, Mapping) else value


Sampler = Callable[[], float]
"""Draws the next value; made once per stream, called once per use."""
