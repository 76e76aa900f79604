"""What a request may hold: the shapes of parameters, checked before an operation looks at them."""

import re
from collections.abc import Mapping
from typing import Any, NoReturn, Protocol

import attrs

from msgsim.errors import ServiceError

_HALF_CHARACTER = re.compile("[\ud800-\udfff]")


@attrs.frozen
class Missing:
    """How a service refuses a request that lacks a parameter.

    Attributes:
        code: on the wire.
        text: with `{}` for the parameter.
    """

    code: str
    text: str


class Shape(Protocol):
    """What a value must look like."""

    def check(self, path: str, value: Any, missing: Missing) -> None:
        """Refuse another one.

        Raises:
            ServiceError: says where in the request, what was given, and what is allowed.
        """
        ...


@attrs.frozen
class Plain:
    """A value of one type; a bool is not an int."""

    words: str
    kind: type

    def check(self, path: str, value: Any, _: Missing) -> None:
        """See `Shape`."""
        if not isinstance(value, self.kind) or (isinstance(value, bool) and self.kind is not bool):
            _refuse(path, value, self.words)


@attrs.frozen
class Text:
    """A text that can go over a wire: without halves of surrogate pairs, which no encoding carries."""

    def check(self, path: str, value: Any, missing: Missing) -> None:
        """See `Shape`."""
        ANY_TEXT.check(path, value, missing)
        if _HALF_CHARACTER.search(value):
            _refuse(path, value, "a text of whole characters")


@attrs.frozen
class ListOf:
    """A list, each member of one shape."""

    member: Shape

    def check(self, path: str, value: Any, missing: Missing) -> None:
        """See `Shape`."""
        if not isinstance(value, (list, tuple)):
            _refuse(path, value, "a list")
        for position, member in enumerate(value):
            self.member.check(f"{path}.{position}", member, missing)


@attrs.frozen
class MapOf:
    """A map by texts, each value of one shape."""

    member: Shape

    def check(self, path: str, value: Any, missing: Missing) -> None:
        """See `Shape`."""
        for name, member in _mapping(path, value).items():
            TEXT.check(f"{path} (name)", name, missing)
            self.member.check(f"{path}.{name}", member, missing)


@attrs.frozen
class Structure:
    """A map with these members.

    Attributes:
        required: their shapes by name.
        optional: the same.
    """

    required: Mapping[str, Shape]
    optional: Mapping[str, Shape] = attrs.field(factory=dict)

    def check(self, path: str, value: Any, missing: Missing) -> None:
        """See `Shape`."""
        shapes = {**self.required, **self.optional}
        given = _mapping(path, value)
        inside = f"{path}." if path else ""
        for name in self.required:
            if name not in given:
                raise ServiceError(missing.code, missing.text.format(f"{inside}{name}"))
        for name, member in given.items():
            if name not in shapes:
                raise ServiceError(
                    "ValidationError",
                    f'Unknown parameter in {path or "input"}: "{name}", must be one of: {", ".join(shapes) or "none"} '
                    "(others that the service has are not modelled yet)",
                )
            shapes[name].check(f"{inside}{name}", member, missing)


ANY_TEXT = Plain("a text", str)
TEXT = Text()
WHOLE = Plain("a whole number", int)
FLAG = Plain("true or false", bool)
BYTES = Plain("bytes", bytes)


def _mapping(path: str, value: Any) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        _refuse(path or "input", value, "a map")
    return value


def _refuse(path: str, value: object, words: str) -> NoReturn:
    raise ServiceError("ValidationError", f"Invalid type for parameter {path}: {value!r} is not {words}")
