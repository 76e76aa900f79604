"""Values of `--vary`: lists, ranges and TOML arrays."""

import re
from contextlib import suppress
from fractions import Fraction
from math import isfinite
from typing import Any

from msgsim.errors import DeclarationError
from msgsim.files import value_at
from msgsim.scenario import Scenario
from msgsim.study.experiment import MOST_POINTS

_BOUND = r"[+-]?\d{1,15}(?:\.\d{1,15})?"
_RANGE = re.compile(rf"({_BOUND})\.\.({_BOUND})(?:\.\.({_BOUND}))?", re.ASCII)

_CLOSES = {"[": "]", "{": "}"}
_QUOTED = {'"': re.compile(r'"(?:[^"\\]|\\.)*"'), "'": re.compile("'[^']*'")}
"""Texts of TOML, by the letter that they begin with."""


def levels(scenario: Scenario, written: str) -> tuple[str, list[Any]]:
    """The path and the values of `PATH=V1,V2,...`.

    A value is written as in a scenario file, and a text needs no quotes. `2..10` stands for the whole numbers from 2 to
    10, and `0.5..2..0.5` for steps of 0.5. A single list in brackets holds the values: those that are lists themselves
    stand in brackets of their own.

    Args:
        scenario: in which the path is.
        written: as in the option.

    Raises:
        DeclarationError: that is no path and values, or one cannot be there.
    """
    path, equals, listed = written.partition("=")
    path = path.strip()
    if not equals or not path:
        problem = (
            f"{written!r} is not PATH=V1,V2,..., such as workers.mailers.count=2,4,8 or workers.mailers.count=2..8"
        )
        raise DeclarationError("", problem)
    parts = split(path, listed)
    if len(parts) == 1 and parts[0].startswith("["):
        parts = split(path, parts[0][1:-1])
    if parts == [""]:
        raise DeclarationError(path, "there are no values to vary it over")
    values = []
    for place, part in enumerate(parts, 1):
        if not part:
            raise DeclarationError(path, f"value {place} of {listed.strip()!r} is empty")
        values += [value_at(scenario, path, text) for text in _spread(path, part)]
    return path, values


def split(path: str, listed: str) -> list[str]:
    """A list at its commas, but for those in quotes and brackets.

    Args:
        path: whose values they are, for the error.
        listed: the list.

    Raises:
        DeclarationError: a quote or a bracket does not end, or ends what has not begun.
    """
    parts, begin, place = [], 0, 0
    closing: list[str] = []
    while place < len(listed):
        letter = listed[place]
        begins = closing or not listed[begin:place].strip()
        if letter in _QUOTED and begins:  # an apostrophe within a word begins nothing
            quoted = _QUOTED[letter].match(listed, place)
            if quoted is None:
                raise DeclarationError(path, f"{listed.strip()!r} lacks a {letter} at its end")
            place = quoted.end()
            continue
        if letter in _CLOSES:
            closing.append(_CLOSES[letter])
        elif closing and letter == closing[-1]:
            closing.pop()
        elif letter in _CLOSES.values():
            raise DeclarationError(path, f"{listed.strip()!r} has a {letter} where none can end")
        elif letter == "," and not closing:
            parts.append(listed[begin:place].strip())
            begin = place + 1
        place += 1
    if closing:
        raise DeclarationError(path, f"{listed.strip()!r} lacks a {closing[-1]} at its end")
    return [*parts, listed[begin:].strip()]


def bounds(written: str) -> tuple[float, float]:
    """Lowest and highest value of `LOW..HIGH` or `LOW,HIGH`; whole numbers as written.

    Raises:
        DeclarationError: that is no range.
    """
    found = re.fullmatch(r"(.+?)(?:\.\.|,)(.+)", written)
    with suppress(ValueError):
        if found is not None:
            return _number(found[1]), _number(found[2])
    raise DeclarationError("", f"{written!r} is not a range; allowed: LOW..HIGH, such as 1..50")


def _number(written: str) -> float:
    """A whole number if it is written as one."""
    if re.fullmatch(r"\s*[+-]?\d{1,15}\s*", written, re.ASCII):
        return int(written)
    value = float(written)
    if not isfinite(value):
        raise ValueError
    return value


def _spread(path: str, part: str) -> list[str]:
    """The values that one part of a list stands for."""
    found = _RANGE.fullmatch(part)
    if found is None:
        return [part]
    low, high = Fraction(found[1]), Fraction(found[2])
    if found[3] is None and (low.denominator > 1 or high.denominator > 1):
        raise DeclarationError(path, f"{part!r} needs a step; allowed: LOW..HIGH..STEP, such as 0.5..2..0.5")
    step = Fraction(found[3] or 1)
    if low > high or step <= 0:
        raise DeclarationError(path, f"{part!r} is an empty range; allowed: LOW..HIGH or LOW..HIGH..STEP, upwards")
    steps = (high - low) // step
    if steps >= MOST_POINTS:
        raise DeclarationError(path, f"{part!r} stands for {steps + 1:,} values; allowed: up to {MOST_POINTS:,}")
    values = [low + place * step for place in range(steps + 1)]
    whole = "." not in part.replace("..", "")
    return [str(int(value)) if whole else repr(float(value)) for value in values]
