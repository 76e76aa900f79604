"""What all rate curves share: the base class, the forms that they are made of, constants and sums.

Between two breakpoints every curve is one `Form`: a level, a slope, exponential tails and cosine waves. The arrival
generator needs nothing else.

Every curve is continuous from the right: at a jump, `rate(t)` is the new rate.
"""

import math
from abc import ABC, abstractmethod
from typing import Any, NamedTuple, Never

import attrs

from msgsim.declare import as_float, check_number, plain
from msgsim.errors import DeclarationError

LATEST = 1e300
"""No curve is asked for later times [s]: their distances in milliseconds are finite."""


class Form(NamedTuple):
    """A curve between two breakpoints, in terms of the time `x` [s] since the start of that stretch.

    The rate is `level + slope * x`, plus `amplitude * exp(-x / decay)` for each tail `(amplitude, decay)`, plus
    `amplitude * cos(speed * x + phase)` for each wave `(amplitude, speed, phase)`.
    """

    level: float
    slope: float = 0.0
    tails: tuple[tuple[float, float], ...] = ()
    waves: tuple[tuple[float, float, float], ...] = ()


class RateCurve(ABC):
    """The base of all rate curves. Times are in seconds, rates in events per second."""

    __slots__ = ()

    @abstractmethod
    def integral(self, a: float, b: float) -> float:
        """The expected number of events in [a, b], in closed form; `a <= b`, both finite."""

    @abstractmethod
    def next_breakpoint(self, t: float) -> float:
        """The first time after `t` where the formula changes; infinite if it never does."""

    @abstractmethod
    def form(self, start: float) -> Form:
        """The formula from `start` until the next breakpoint."""

    def stretch(self, start: float) -> tuple[float, Form]:
        """The next breakpoint after `start`, and the formula until then."""
        return self.next_breakpoint(start), self.form(start)

    @abstractmethod
    def __mul__(self, factor: float) -> "RateCurve":
        """The curve with all its rates multiplied by a number of 0 or more."""

    def __rmul__(self, factor: float) -> "RateCurve":
        return self * factor

    def __add__(self, other: "RateCurve | float") -> "RateCurve":
        if isinstance(other, RateCurve):
            return Sum((self, other))
        other = plain(other)
        if isinstance(other, (int, float)):
            return Sum((self, Constant(other)))
        return NotImplemented

    def __radd__(self, other: float) -> "RateCurve":
        other = plain(other)
        if not isinstance(other, (int, float)):
            return NotImplemented
        # The built-in sum() starts from 0, which is no curve of its own.
        return Sum((Constant(other), self)) if other else self

    def rate(self, t: float) -> float:
        """The rate at `t` [1/s].

        Raises:
            DeclarationError: `t` is not a finite number.
        """
        check_time(self, t)
        level, _, tails, waves = self.form(t)
        level += sum(amplitude for amplitude, _ in tails)
        # A wave as high as its mean may come out at -1e-17 in its trough.
        return max(0.0, level + sum(amplitude * math.cos(phase) for amplitude, _, phase in waves))

    def breakpoints(self, a: float, b: float) -> list[float]:
        """The times in (a, b) where the formula changes, ascending. Cost: one step for each of them."""
        found = []
        t = self.next_breakpoint(a)
        while t < b:
            found.append(t)
            t = self.next_breakpoint(t)
        return found

    def windows(self, a: float, b: float) -> list[tuple[float, float]]:  # noqa: ARG002 - most curves have none
        """The stretches (start, end) of [a, b] that spikes fill, for shading in a picture; ascending."""
        return []


def scaling(curve: RateCurve, factor: object) -> bool:
    """Whether `factor` is a number to scale with.

    Raises:
        DeclarationError: it is one, but negative or not finite.
    """
    factor = plain(factor)
    if not isinstance(factor, (int, float)):
        return False
    check_number(f"{type(curve).__name__} * factor", factor)
    return True


def check_time(curve: RateCurve, t: object) -> None:
    """Refuse what is not a time that a curve can be asked for.

    Raises:
        DeclarationError: says what was given.
    """
    given = plain(t)
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not abs(given) <= LATEST:
        raise DeclarationError(type(curve).__name__, f"{given!r} is not a time; allowed: numbers up to {LATEST:g} [s]")


class _Rate(float):
    """A constant rate: a number that may be asked for a time, like the `rate` of any other curve."""

    __slots__ = ()

    def __call__(self, t: float) -> float:  # noqa: ARG002 - it is the same at all times
        """The rate at `t` [1/s]."""
        return float(self)


def _constant_rate(value: Any) -> Any:
    value = as_float(value)
    return _Rate(value) if isinstance(value, float) else value


def _check_rate(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    check_number(f"{type(owner).__name__}.{attribute.name}", value, unit="1/s")


@attrs.frozen
class Constant(RateCurve):
    """The same rate for ever.

    `Constant(200).rate` is both the number 200.0 and, called with a time, the rate at that time.

    Args:
        rate: 0 or more [1/s].
    """

    rate: _Rate = attrs.field(converter=_constant_rate, validator=_check_rate)

    def integral(self, a: float, b: float) -> float:
        """The expected number of events in [a, b]."""
        return self.rate * (b - a)

    def next_breakpoint(self, t: float) -> float:  # noqa: ARG002 - it never changes
        """Never."""
        return math.inf

    def form(self, start: float) -> Form:  # noqa: ARG002 - it never changes
        """The level alone."""
        return Form(float(self.rate))

    def __mul__(self, factor: float) -> "Constant":
        return Constant(self.rate * factor) if scaling(self, factor) else NotImplemented


def _flat(value: Any) -> Any:
    if not isinstance(value, (list, tuple)):
        return value
    terms: list[Any] = []
    for item in map(as_curve, value):
        terms.extend(item.terms if isinstance(item, Sum) else (item,))
    return tuple(terms)


@attrs.frozen(repr=False)
class Sum(RateCurve):
    """Curves on top of each other; made by `+`.

    Args:
        terms: curves or plain numbers; sums among them are dissolved.
    """

    terms: tuple[RateCurve, ...] = attrs.field(converter=_flat)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.terms, tuple) or not self.terms:
            raise DeclarationError("Sum.terms", f"{self.terms!r} is not a list of rate curves")
        for position, term in enumerate(self.terms):
            if not isinstance(term, RateCurve):
                refuse_curve(f"Sum.terms.{position}", term, "is not a rate curve")

    def __repr__(self) -> str:
        return f"Sum({self.terms!r})" if len(self.terms) == 1 else " + ".join(map(repr, self.terms))

    def integral(self, a: float, b: float) -> float:
        """The expected number of events in [a, b]."""
        return math.fsum(term.integral(a, b) for term in self.terms)

    def next_breakpoint(self, t: float) -> float:
        """The first of the terms' own."""
        return min([term.next_breakpoint(t) for term in self.terms])

    def form(self, start: float) -> Form:
        """The terms' forms, added up."""
        level = slope = 0.0
        tails: tuple[tuple[float, float], ...] = ()
        waves: tuple[tuple[float, float, float], ...] = ()
        for term in self.terms:
            form = term.form(start)
            level += form.level
            slope += form.slope
            tails += form.tails
            waves += form.waves
        return Form(level, slope, tails, waves)

    def windows(self, a: float, b: float) -> list[tuple[float, float]]:
        """The terms' windows; those that overlap or touch become one."""
        merged: list[tuple[float, float]] = []
        for start, end in sorted(window for term in self.terms for window in term.windows(a, b)):
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return merged

    def __mul__(self, factor: float) -> "Sum":
        return Sum(tuple(term * factor for term in self.terms)) if scaling(self, factor) else NotImplemented


def as_curve(value: Any) -> Any:
    """A converter for fields that hold a curve: a number becomes a `Constant`, a list a `Sum`.

    Anything else, also a number that is no rate, is returned as it is, for the field's validator to refuse by its own
    name; `refuse_curve` has the words.
    """
    value = plain(value)
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return Constant(value)
        return Sum(value) if isinstance(value, (list, tuple)) else value
    except DeclarationError:
        return value


def refuse_curve(path: str, value: object, problem: str) -> Never:
    """Say why `as_curve` made no curve.

    Args:
        path: of the field.
        value: that it left as it was.
        problem: with what is no number and no list either.

    Raises:
        DeclarationError: under the path, and for a member of a list under its own.
    """
    if isinstance(value, (list, tuple)) and value:
        try:
            Sum(tuple(value))
        except DeclarationError as error:
            raise DeclarationError(path + error.path.removeprefix("Sum.terms"), error.problem) from None
    value = as_float(value)
    if isinstance(value, float):
        check_number(path, value, unit="1/s")
    raise DeclarationError(path, f"{value!r} {problem}")
