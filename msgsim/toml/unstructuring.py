"""Declarations to plain data: tables without what is at its default, in the order of the fields."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from operator import is_
from typing import Any

import attrs
from cattrs import Converter

from msgsim.bus.topic import Subscription
from msgsim.distributions import Distribution, Fixed
from msgsim.engine.actions import Action
from msgsim.engine.curves import Constant, RateCurve, Sum
from msgsim.engine.groups import Groups, UniformGroups
from msgsim.engine.workers import Workers
from msgsim.toml.problems import Problems, each, refused
from msgsim.toml.structuring import TAG, TAGS, UNHELD, plain_number

_EXACT = 2.0**53
"""Whole numbers below this are the same as floats."""


def _table(owner: Any, converter: Converter) -> dict[str, Any]:
    """A declaration as a table, without what is at its default."""
    problems = Problems()
    table: dict[str, Any] = {TAG: TAGS[type(owner)]} if type(owner) in TAGS else {}
    for field in attrs.fields(type(owner)):
        value = getattr(owner, field.name)
        if value is None or not field.init or value == _default(field, owner):
            continue
        if field.name in UNHELD:
            problems.add(field.name, "a file cannot hold a Python function; leave it out, and set it in Python")
        else:
            table[field.name] = problems.part(field.name, partial(converter.unstructure, value))
    problems.check()
    return table


def _default(field: "attrs.Attribute[Any]", owner: Any) -> Any:
    default: Any = field.default
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # a class, but declared as a function
        return default.factory(owner) if default.takes_self else default.factory()
    convert: Any = field.converter
    return default if default is attrs.NOTHING or convert is None else convert(default)


def _number(value: float) -> float:
    """A float of a declaration as the shortest number; it is a float again when it is read."""
    value = float(value)
    return int(value) if value.is_integer() and abs(value) < _EXACT else value


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise refused(f"{value!r} has half of a surrogate pair, which no file can hold") from None
    return value


def _held(value: Any) -> Any:
    """A value of an attribute or a filter policy, as it is."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (bool, int)):
        return plain_number(value, int)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, (list, tuple)):
        return list(each(enumerate(value), _held).values())
    if isinstance(value, dict):
        return each(((_text(key), item) for key, item in value.items()), _held)
    if isinstance(value, bytes):
        raise refused(f"{value!r} is bytes, which TOML cannot hold; use a text, such as base64")
    raise refused(f"{value!r} is not a value that TOML can hold; allowed: texts, numbers, true, false, lists, tables")


def _has_null(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_has_null, value.values()))
    return value is None or (isinstance(value, list) and any(map(_has_null, value)))


def _is_foreign(kind: type) -> bool:
    return issubclass(kind, (Distribution, RateCurve, Groups, Action)) and kind not in TAGS


def _refuse_foreign(value: object) -> Any:
    raise refused(f"{value!r} is of a class of your own, which a file does not know")


@lru_cache(maxsize=1)
def writer() -> Converter:
    """A converter from declarations to plain data; `unstructure` raises `Refused`."""
    converter = Converter()

    def items(value: Sequence[Any]) -> list[Any]:
        return list(each(enumerate(value), converter.unstructure).values())

    def members(value: Mapping[str, Any]) -> dict[str, Any]:
        if any(attrs.has(type(item)) for item in value.values()):
            return each(value.items(), converter.unstructure)
        held: dict[str, Any] = _held(value)
        return held

    def subscription(value: Any) -> dict[str, Any]:
        if not _has_null(value.filter_policy) or value.filter_policy is None:
            return _table(value, converter)
        rest = _table(attrs.evolve(value, filter_policy=None), converter)
        return {**rest, "filter_policy": json.dumps(value.filter_policy)}

    def workers(value: Any) -> dict[str, Any]:
        table = _table(value, converter)
        if isinstance(value.count, Constant):  # a bare number would be a number of workers
            table["count"] = _table(value.count, converter)
        return table

    converter.register_unstructure_hook_func(attrs.has, lambda value: _table(value, converter))
    converter.register_unstructure_hook_func(_is_foreign, _refuse_foreign)
    sequences: tuple[type, ...] = (tuple, list)
    for kind in sequences:
        converter.register_unstructure_hook(kind, items)
    converter.register_unstructure_hook(dict, members)
    converter.register_unstructure_hook(float, _number)
    converter.register_unstructure_hook(str, _text)
    exact: dict[type, Callable[[Any], Any]] = {
        Fixed: lambda value: _number(value.value),
        Constant: lambda value: _number(value.rate),
        Sum: lambda value: items(value.terms),
        UniformGroups: lambda value: value.count if value == UniformGroups(value.count) else _table(value, converter),
        Subscription: subscription,
        Workers: workers,
    }
    for kind, hook in exact.items():
        converter.register_unstructure_hook_func(partial(is_, kind), hook)
    return converter
