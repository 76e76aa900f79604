"""TOML as a text: reading it with errors of one line, and writing it as a person would lay it out."""

import re
import textwrap
import tomllib
from datetime import date, time
from typing import Any

import tomli_w

from msgsim.errors import DeclarationError

WIDTH = 100
"""Longest line, where a line can be broken [characters]."""

_CODED = re.compile(r"""\s*["'\[{]""")


def parse(source: str, name: str = "") -> dict[str, Any]:
    """Read a TOML text.

    Args:
        source: the text.
        name: of the file, for errors.

    Raises:
        DeclarationError: not TOML; says line and column.
    """
    try:
        return tomllib.loads(source)
    except RecursionError:
        raise DeclarationError(name, "not TOML that can be read: nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        raise DeclarationError(name, f"not TOML: {' '.join(str(error).split())}") from None
    except ValueError:  # the interpreter's own limit for whole numbers
        raise DeclarationError(name, "not TOML that can be read: a number has too many digits") from None


def parse_value(text: str) -> Any:
    """A value as TOML writes it; what is no TOML value is a text as it is.

    >>> parse_value("12"), parse_value("true"), parse_value('{to = "b"}'), parse_value("emails")
    (12, True, {'to': 'b'}, 'emails')

    Raises:
        DeclarationError: it begins as a quoted text, a list or a table, and goes on as none.
    """
    try:
        parsed = parse(f"value = {text}")
    except DeclarationError:
        if _CODED.match(text):
            raise DeclarationError("", f"{text!r} is not a TOML value") from None
        return text
    value = parsed["value"]
    if len(parsed) > 1 and _CODED.match(text):
        raise DeclarationError("", f"{text!r} is not a TOML value")
    return text if len(parsed) > 1 or isinstance(value, (date, time)) else value


def write(data: dict[str, Any]) -> str:
    """Write a scenario: its own fields, then a table per member of each section, in the order of `data`."""
    blocks = ["".join(_assigned(key, value) for key, value in data.items() if not isinstance(value, dict))]
    for section, members in data.items():
        if isinstance(members, dict):
            for name, member in members.items():
                fields = "".join(_assigned(key, value) for key, value in member.items())
                blocks.append(f"[{_key(section)}.{_key(name)}]\n{fields}")
    return "\n".join(block for block in blocks if block)


def _assigned(key: str, value: Any) -> str:
    if isinstance(value, str) and "\n" in value and "\r" not in value:
        return tomli_w.dumps({key: value}, multiline_strings=True)
    head = f"{_key(key)} = "
    line = _inline(value)
    tables = isinstance(value, list) and len(value) > 1 and any(isinstance(item, dict) for item in value)
    if not isinstance(value, list) or (len(head) + len(line) <= WIDTH and not tables):
        return f"{head}{line}\n"
    items = [f"{_inline(item)}," for item in value]
    if all(isinstance(item, (int, float)) for item in value):
        items = textwrap.wrap(" ".join(items), WIDTH - 4)
    return f"{head}[\n" + "".join(f"    {item}\n" for item in items) + "]\n"


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return (
            "{ " + ", ".join(f"{_key(key)} = {_inline(item)}" for key, item in value.items()) + " }" if value else "{}"
        )
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    if type(value) is float:
        return repr(value)
    return tomli_w.dumps({"_": value})[len("_ = ") : -1]


def _key(key: str) -> str:
    return tomli_w.dumps({key: 0})[: -len(" = 0\n")]
