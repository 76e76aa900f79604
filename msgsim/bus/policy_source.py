"""Where in the text of a filter policy something is, as refusals of the service tell it (SNS-FLT-10)."""

import json
from collections.abc import Iterator
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

from msgsim.bus.policies import Trail

_SPACE = " \t\n\r"
_DECODER = json.JSONDecoder()


def source_of(text: str, trail: Trail) -> str:
    """The line that follows the refusal of something in a policy.

    Which column the service names is unpublished. SIM: the one after the value that is refused, which for
    an operator is its operand.

    Args:
        text: the policy as it came, which is JSON.
        trail: to the thing.
    """
    end = _end_of(text, trail)
    before = text[:end]
    line = before.count("\n") + 1
    column = end - (before.rfind("\n") + 1) + 1
    return f'\n at [Source: (String)"{text}"; line: {line}, column: {column}]'


def _end_of(text: str, trail: Trail) -> int:
    at = _skip(text, 0)
    for step in trail:
        found = [start for name, start in _entries(text, at) if name == step]
        if not found:
            break
        at = found[-1]  # of a key that is written twice the last one counts
    return int(_DECODER.raw_decode(text, at)[1])


def _entries(text: str, at: int) -> Iterator[tuple[Any, int]]:
    """The keys or positions of an object or array that begins somewhere, and where their values begin."""
    is_object = text[at] == "{"
    if not is_object and text[at] != "[":
        return
    number = 0
    at = _skip(text, at + 1)
    while text[at] not in "}]":
        name: Any = number
        if is_object:
            name, at = scanstring(text, at + 1)
            at = _skip(text, _skip(text, at) + 1)
        yield name, at
        at = _skip(text, _DECODER.raw_decode(text, at)[1])
        if text[at] == ",":
            at = _skip(text, at + 1)
        number += 1


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at
