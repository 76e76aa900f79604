"""Numbers in words: counts, rates, shares and durations as a reader wants them, with their units."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from math import isfinite
from typing import Any

from msgsim.declare import DAY, HOUR, MINUTE

NO_VALUE = "–"  # noqa: RUF001 - a dash, not a minus
"""Shown where there is nothing to show."""

UNTITLED = "Untitled scenario"
"""Stands for a title that is empty."""

_SHORT = 0.1
"""Below this, durations are in milliseconds [s]."""

_SMALL = 0.0005
"""Below this, a share would read as 0.0 %."""


def significant(value: float) -> str:
    """A number with three significant digits, or all those before the point; no exponent.

    >>> [significant(value) for value in (0, 0.012345, 1.5, 12.345, 123456.7)]
    ['0', '0.0123', '1.50', '12.3', '123,457']
    """
    if not isfinite(value):
        return NO_VALUE
    if not value:
        return "0"
    exponent = int(f"{value:.2e}".partition("e")[2])
    return f"{value:,.{max(0, 2 - exponent)}f}"


def count(value: float) -> str:
    """A whole number with thousands separated.

    >>> count(76817)
    '76,817'
    """
    return f"{value:,.0f}" if isfinite(value) else NO_VALUE


def counted(value: float, noun: str, plural: str = "") -> str:
    """A whole number and what it is of.

    >>> counted(1, "message"), counted(2, "reply", "replies")
    ('1 message', '2 replies')
    """
    return f"{count(value)} {noun if value == 1 else plural or noun + 's'}"


def finite(data: Any) -> Any:
    """Plain data as JSON has it: None for numbers that are not finite, lists for tuples.

    >>> finite({"a": (1, float("inf"))})
    {'a': [1, None]}
    """
    if isinstance(data, float):
        return data if isfinite(data) else None
    if isinstance(data, Mapping):
        return {key: finite(value) for key, value in data.items()}
    return [finite(value) for value in data] if isinstance(data, (list, tuple)) else data


def share(value: float) -> str:
    """A share of 1 in percent.

    >>> share(0.91305), share(0.0002)
    ('91.3 %', '< 0.1 %')
    """
    if not isfinite(value):
        return NO_VALUE
    return "< 0.1 %" if 0 < value < _SMALL else f"{100 * value:.1f} %"


def duration(seconds: float) -> str:
    """A time span in the two units that matter, or in seconds to three digits.

    >>> [duration(value) for value in (0.0123, 0.123, 12.34, 245, 7380, 100_000)]
    ['12.3 ms', '0.123 s', '12.3 s', '4 min 05 s', '2 h 03 min', '1 d 04 h']
    """
    if not isfinite(seconds):
        return NO_VALUE
    if 0 < seconds < _SHORT:
        return f"{significant(1000 * seconds)} ms"
    if round(seconds, 1) < MINUTE:
        return f"{significant(seconds)} s"
    if (whole := round(seconds)) < HOUR:
        return f"{whole // 60} min {whole % 60:02d} s"
    if (whole := round(seconds / MINUTE)) < DAY / MINUTE:
        return f"{whole // 60} h {whole % 60:02d} min"
    whole = round(seconds / HOUR)
    return f"{whole // 24:,} d {whole % 24:02d} h"


def exactly(seconds: float) -> str:
    """A time span as the shortest number that is exactly it, and in words where that helps.

    >>> exactly(36.0), exactly(3600.0)
    ('36 s', '3,600 s (1 h 00 min)')
    """
    number = f"{seconds:,.0f}" if seconds == round(seconds) else f"{seconds:,}"
    return f"{number} s ({duration(seconds)})" if seconds >= 2 * MINUTE else f"{number} s"


def one_line(text: str) -> str:
    r"""A text from elsewhere on one line, without control characters.

    >>> one_line("no\n  luck\x1b[0m")
    'no luck [0m'
    """
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def release() -> str:
    """The version of msgsim; nothing for a folder of sources that is not installed."""
    try:
        return version("msgsim")
    except PackageNotFoundError:
        return ""
