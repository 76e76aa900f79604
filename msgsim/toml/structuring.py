"""Plain data to declarations: cattrs chooses by type what is made of a table, a list, a number or a text."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, time
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, get_args, get_origin

import attrs
from cattrs import Converter

from msgsim.declare import flag, number, text
from msgsim.distributions import DISTRIBUTIONS, Distribution, Fixed
from msgsim.engine.actions import ACTIONS, Action, Retry
from msgsim.engine.curves import CURVES, Constant, RateCurve, Sum, Trace
from msgsim.engine.groups import GROUPS, Groups, UniformGroups
from msgsim.errors import DeclarationError, TraceError, no_such
from msgsim.toml.problems import Problems, Refused, each, refused

Hook = Callable[[Any, Any], Any]
"""What cattrs calls with a value and its type."""

TAG = "type"
"""The key that says which one of several declarations a table is."""

TAGS: dict[type, str] = {
    **{kind: tag for table in (DISTRIBUTIONS, CURVES, GROUPS, ACTIONS) for tag, kind in table.items()},
    Retry: "retry",
}
"""Declarations that carry a tag."""

UNHELD = ("handler",)
"""Fields that no file can hold."""

NO_FUNCTION = "a file cannot hold a Python function; set it in Python"

TOO_LARGE = "a whole number of more than 308 digits is not allowed"


@attrs.frozen(kw_only=True)
class TraceFile:
    """A trace that is read from a CSV file, as a scenario file may give it instead of the counts.

    Attributes:
        file: path, relative to the folder of the scenario file.
        time: name of the column with the start of each bucket.
        count: name of the column with the number of events in it.
        repeat: whether the series starts over for ever.
        scale: the counts are multiplied by it.
    """

    file: str = text(empty=False)
    time: str = text("timestamp")
    count: str = text("value")
    repeat: bool = flag()
    scale: float = number(1.0)


class Reader:
    """Makes declarations of one class out of tables.

    Args:
        kind: an attrs class.
        converter: for its fields.
    """

    def __init__(self, kind: type, converter: Converter) -> None:
        self._kind = kind
        self._fields = {field.name: field for field in attrs.fields(kind) if field.init}
        self._converter = converter

    def __call__(self, value: Any, _: Any) -> Any:
        """The declaration of a table."""
        if not isinstance(value, dict):
            raise refused(f"{value!r} is not a table; allowed: {', '.join(self._names())}")
        problems = Problems()
        given = {}
        for key, item in value.items():
            if key in UNHELD and key in self._fields:
                problems.add(key, NO_FUNCTION)
            elif key not in self._fields:
                problems.add(key, no_such("field", key, self._names()))
            else:
                before = len(problems.found)
                made = problems.part(key, partial(self._converter.structure, item, self._fields[key].type))
                if len(problems.found) == before:
                    given[key] = made
        for name, field in self._fields.items():
            if name not in value and field.default is attrs.NOTHING:
                problems.add(name, "is missing, and has no default")
        first = []
        if not problems.found:
            try:
                return self._kind(**given)
            except DeclarationError as error:
                first = [self._found(error, value)]
        problems.found += self._refusals(given, value) or first
        raise Refused(*dict.fromkeys(problems.found))  # two fields may refuse one value

    def _names(self) -> list[str]:
        return [name for name in self._fields if name not in UNHELD]

    def _found(self, error: DeclarationError, written: Mapping[str, Any]) -> tuple[str, str]:
        """A declaration names the class and the field: the class is known by its place."""
        head, _, tail = error.path.partition(".")
        path = tail if head == self._kind.__name__ else error.path
        return path, as_written(error.problem, written.get(path))

    def _refusals(self, given: Mapping[str, Any], written: Mapping[str, Any]) -> list[tuple[str, str]]:
        """What each field says of its value, as the class itself stops at the first that refuses."""
        probe: Any = object.__new__(self._kind)  # never leaves here; validators read its class and other fields
        found: list[tuple[str, str]] = []
        values: dict[str, Any] = {}

        def attempt(act: Callable[..., Any], *args: Any) -> Any:
            try:
                return act(*args)
            except DeclarationError as error:
                found.append(self._found(error, written))

        for name, field in self._fields.items():
            value = given.get(name, field.default)
            if name in given:
                before = len(found)
                value = attempt(field.converter, value) if field.converter else value
                if len(found) == before:
                    values[name] = value
            object.__setattr__(probe, name, value)
        for name, value in values.items():
            check = self._fields[name].validator
            if check is not None:
                attempt(check, probe, self._fields[name], value)
        return found


class Family:
    """Makes one of several declarations out of tables with a tag.

    Args:
        what: it is, for errors.
        table: the classes by tag.
        converter: for tables without their tag.
        bare: what a bare number is short for.
    """

    def __init__(
        self, what: str, table: Mapping[str, type], converter: Converter, bare: Callable[[Any], Any] | None = None
    ) -> None:
        self._what = what
        self._table = table
        self._converter = converter
        self._bare = bare

    def __call__(self, value: Any, _: Any) -> Any:
        """The declaration of a table, or of a number."""
        if isinstance(value, dict):
            return self._tagged(value)
        if self._bare is not None and isinstance(value, (int, float)) and not isinstance(value, bool):
            try:
                return self._bare(plain_number(value, float))
            except DeclarationError as error:
                raise refused(as_written(error.problem, value)) from None
        number_or = "a number, or " if self._bare else ""
        raise refused(
            f"{value!r} is not {self._what}; allowed: {number_or}a table with a type: {', '.join(self._table)}"
        )

    def _tagged(self, value: dict[str, Any]) -> Any:
        tag = value.get(TAG)
        if tag is None:
            raise Refused((TAG, f"is missing; allowed: {', '.join(self._table)}"))
        if not isinstance(tag, str) or tag not in self._table:
            raise Refused((TAG, no_such("type", tag, self._table)))
        kind = self._table[tag]
        if kind is Trace and "file" in value:
            kind = TraceFile
        return self._converter.structure({key: item for key, item in value.items() if key != TAG}, kind)


def as_written(problem: str, value: object) -> str:
    """A problem with a number that was written as a whole one, and made a float before it was judged."""
    made = f"{value}.0 "
    return problem.replace(made, f"{value} ", 1) if type(value) is int and problem.startswith(made) else problem


def plain_number(value: Any, _: Any) -> Any:
    """A value for a numeric field: its declaration judges it, but for whole numbers that no float can hold."""
    if isinstance(value, int):
        try:
            float(value)
        except OverflowError:
            raise refused(TOO_LARGE) from None
    return value


def _free(value: Any, _: Any = None) -> Any:
    """Attributes of a message, and what is in them."""
    if isinstance(value, (date, time)):
        raise refused(f"{value!s} is a date or time, which no message attribute is; write it as a text")
    if isinstance(value, dict):
        return each(value.items(), _free)
    if isinstance(value, list):
        return list(each(enumerate(value), _free).values())
    return plain_number(value, float)


def _policy(value: Any, _: Any) -> Any:
    """A filter policy: a table, or the service's own JSON, which has null."""
    if not isinstance(value, str):
        return _free(value)
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise refused(f"{value!r} is neither a table nor JSON: {error}") from None


def _sequence(kind: Any, converter: Converter) -> Hook:
    """Lists, item by item; what is no list is left for the declaration to judge."""
    hooks = [converter.get_structure_hook(item) for item in get_args(kind) if item is not ...]
    types = get_args(kind)
    fixed = get_origin(kind) is tuple and ... not in types

    def read(value: Any, _: Any) -> Any:
        if not isinstance(value, list) or (fixed and len(value) != len(hooks)) or types == (float, ...):
            return value
        made = Problems()
        items = [
            made.part(place, partial(hooks[place if fixed else 0], item, types[place if fixed else 0]))
            for place, item in enumerate(value)
        ]
        made.check()
        return items

    return read


def _mapping(kind: Any, converter: Converter) -> Hook:
    """Sections of a scenario, member by member."""
    member = get_args(kind)[1]
    hook = converter.get_structure_hook(member)

    def read(value: Any, _: Any) -> Any:
        return each(value.items(), lambda item: hook(item, member)) if isinstance(value, dict) else value

    return read


def _is_sequence(kind: Any) -> bool:
    return get_origin(kind) in (tuple, Sequence)


def _is_mapping(kind: Any) -> bool:
    return get_origin(kind) is Mapping


def _as_it_is(value: Any, _: Any) -> Any:
    return value


@lru_cache(maxsize=4)
def reader(folder: str) -> Converter:
    """A converter from plain data to declarations; `structure` raises `Refused`.

    Args:
        folder: where the files of traces are.
    """
    converter = Converter()
    distribution = Family("a distribution", DISTRIBUTIONS, converter, Fixed)
    single = Family("a rate curve", CURVES, converter, Constant)
    trace_file = Reader(TraceFile, converter)
    retry = Family("a retry", {"retry": Retry}, converter)

    def curve(value: Any, _: Any) -> Any:
        if not isinstance(value, list):
            return single(value, _)
        if not value:
            raise refused("an empty list is no rate; allowed: a number, a curve, or a list of them")
        return Sum(list(each(enumerate(value), lambda item: curve(item, _)).values()))

    def trace(value: Any, _: Any) -> Trace:
        declared: TraceFile = trace_file(value, _)
        path = Path(folder) / declared.file
        try:
            return Trace.from_csv(path, declared.time, declared.count, repeat=declared.repeat) * declared.scale
        except TraceError as error:
            raise Refused(("file", str(error))) from None

    def count(value: Any, _: Any) -> Any:
        return curve(value, _) if isinstance(value, (dict, list)) else plain_number(value, int)

    def on_refusal(value: Any, _: Any) -> Any:
        return retry(value, _) if isinstance(value, dict) else value

    converter.register_structure_hook_factory(attrs.has, lambda kind: Reader(kind, converter))
    converter.register_structure_hook_factory(_is_sequence, lambda kind: _sequence(kind, converter))
    converter.register_structure_hook_factory(_is_mapping, lambda kind: _mapping(kind, converter))
    converter.register_structure_hook(float, plain_number)
    converter.register_structure_hook(int, plain_number)
    converter.register_structure_hook(str, _as_it_is)
    converter.register_structure_hook(bool, _as_it_is)
    hooks: list[tuple[Any, Hook]] = [
        (Any, _free),
        (dict[str, Any], _policy),
        (Mapping[str, Any], _free),
        (Distribution, distribution),
        (RateCurve, curve),
        (Groups, Family("message groups", GROUPS, converter, UniformGroups)),
        (Action, Family("an action", ACTIONS, converter)),
        (TraceFile, trace),
        (int | RateCurve, count),
        (str | Retry, on_refusal),
    ]
    for kind, hook in hooks:
        converter.register_structure_hook_func(partial(_is, kind), hook)
    return converter


def _is(kind: Any, asked: Any) -> bool:
    return bool(asked == kind)
