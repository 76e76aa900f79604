"""Fields of declarations: converters and validators that name the field, the value and what is allowed.

Declarations are frozen attrs classes. Their fields are made here, so that every bad value is refused by one sentence of
one shape: `Queue.delay: 1000 is not allowed; allowed: 0 to 900 [s] (SQS-DLY-1)`.
"""

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from numbers import Integral, Real
from operator import index
from typing import Any, Never, TypeVar

import attrs

from msgsim.errors import DeclarationError, InvalidParameterValue, TimeRanAhead, TimeRanBackwards, UnknownName

Value = TypeVar("Value")

MINUTE = 60.0
HOUR = 3600.0
DAY = 86_400.0

LARGEST = sys.float_info.max
"""The largest finite number that a float holds."""

CALENDAR = "up to the year 9999"
"""Why a time is too late."""

UNSHOWN = 4_096
"""A whole number of so many bits has more digits than may be worth quoting."""

LAST_SECOND = 253_402_300_799
"""The last second of the year 9999, in seconds since 1970: no calendar goes further."""


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
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        problem = "is not a number"
    elif not low <= value <= high or abs(value) > LARGEST or (above and value == low):
        problem = "is not allowed"
    elif integer and value != int(value):
        problem = "is not a whole number"
    if problem:
        allowed = bounds(low, high, unit, rule, above=above)
        raise DeclarationError(path, f"{value!r} {problem}; allowed: {allowed}")


def plain(value: Any) -> Any:
    """A number of another library, such as NumPy's, as Python's own; anything else as it is.

    Whole numbers with more digits than Python shows become infinite: no error could quote them.
    """
    kind = type(value)
    if kind is float or kind is bool:
        return value
    if isinstance(value, Integral):
        whole = index(value)
        return whole if whole.bit_length() < UNSHOWN else math.copysign(math.inf, whole > 0 or -1)
    return float(value) if isinstance(value, Real) else value


def as_float(value: Any) -> Any:
    """A converter: whole numbers become floats; what is no number is left to be refused."""
    value = plain(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def as_int(value: Any) -> Any:
    """A converter: floats that are whole become whole numbers; what is no number is left to be refused."""
    value = plain(value)
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

    convert = as_int if integer else as_float
    return attrs.field(default=default, converter=convert, validator=validate, kw_only=kw_only)


def flag(default: bool = False) -> Any:
    """A boolean field; anything else is refused, truthy or not."""

    def validate(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
        check_flag(f"{type(owner).__name__}.{attribute.name}", value)

    return attrs.field(default=default, validator=validate)


def check_flag(path: str, value: object) -> None:
    """Refuse what is neither true nor false, truthy or not.

    Raises:
        DeclarationError: says where.
    """
    if not isinstance(value, bool):
        raise DeclarationError(path, f"{value!r} is neither true nor false")


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


def choice(default: Any, allowed: tuple[str, ...], rule: str = "", *, optional: bool = False) -> Any:
    """A string field out of a fixed set."""

    def validate(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
        if not (isinstance(value, str) and value in allowed) and not (optional and value is None):
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


def as_tuple(value: Any) -> Any:
    """A converter: one text, or a list of them."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, (list, tuple)) else value


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


class ReadOnly(dict[Any, Any]):
    """A mapping of a declaration: a dict that cannot be changed."""

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> Never:
        raise TypeError("a declaration does not change: make another one, with Scenario.vary or attrs.evolve")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type["ReadOnly"], tuple[dict[Any, Any]]]:
        return ReadOnly, (dict(self),)

    def copy(self) -> dict[Any, Any]:
        """A dict that can be changed."""
        return dict(self)


def copied(value: Any) -> Any:
    """A converter that keeps a mapping's own copy, so that a declaration does not change with its maker's dict."""
    return ReadOnly(value) if isinstance(value, Mapping) else value


class Named(Mapping[str, Value]):
    """A look at live things by name: it shows what is there, and cannot be changed.

    Args:
        what: each of them is, for the error.
        members: by name; the look follows their changes.
    """

    __slots__ = ("_members", "_what")

    def __init__(self, what: str, members: Mapping[str, Value]) -> None:
        self._what = what
        self._members = members

    def __getitem__(self, name: str) -> Value:
        """One of them.

        Raises:
            UnknownName: there is none of that name; says which there are.
        """
        if name not in self:
            raise UnknownName.among(self._what, name, self._members)
        return self._members[name]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._members

    def get(self, name: str, default: Any = None) -> Any:
        """One of them, or `default` if there is none of that name."""
        return self._members[name] if name in self else default

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __repr__(self) -> str:
        return repr(dict(self._members))


def check_name(path: str, value: object) -> None:
    """Refuse what is no name of a live thing.

    Raises:
        DeclarationError: not a text, or empty.
    """
    if not isinstance(value, str) or not value:
        raise DeclarationError(path, f"{value!r} is not a name; allowed: a text")


def check_epoch(path: str, value: object) -> None:
    """Refuse what cannot be time 0 [s since 1970].

    Raises:
        DeclarationError: not a number, or beyond the year 9999.
    """
    check_number(path, value, high=LAST_SECOND, unit="s since 1970", rule=CALENDAR)


def check_now(name: str, now: float, last: float) -> None:
    """Refuse what cannot be the time of a call.

    Args:
        name: of what is called.
        now: [s].
        last: time of its last call [s].

    Raises:
        InvalidParameterValue: `now` is not a finite number.
        TimeRanBackwards: it is earlier than `last`.

    Cost: O(1), and next to nothing for a float or a whole number.
    """
    kind = type(now)
    if (kind is float or kind is int) and -LARGEST <= now <= LARGEST and now >= last:
        return
    given = plain(now)
    if not isinstance(given, (int, float)) or isinstance(given, bool) or not abs(given) <= LARGEST:
        raise InvalidParameterValue(f"{name}: now={given!r} is not a time; allowed: finite numbers [s]")
    if given < last:
        raise TimeRanBackwards.at(name, given, last)


def check_not_ahead(name: str, now: float, clock: Callable[[], float]) -> None:
    """Refuse a call whose time has not come yet, by a clock [s].

    Raises:
        TimeRanAhead: `now` is later than that.
    """
    present = clock()
    if now > present:
        raise TimeRanAhead.at(name, now, present)


Sampler = Callable[[], float]
"""Draws the next value; made once per stream, called once per use."""
