"""Objectives: what a system must hold, as `p99(emails.waiting_time) < 2 min and final(*.cost_per_month) < 500`.

```
objective  =  term, { "and", term }
term       =  STATISTIC "(" ENTITY "." METRIC ")"  OP  number [ unit ]
           |  ( "cost" | "cost_per_month" )        OP  number [ unit ]
STATISTIC  =  mean | p50 | p90 | p99 | p99.9 | max | total | final
ENTITY     =  a name | a topic "/" its endpoint | "*", the whole scenario
OP         =  < | <= | > | >=
unit       =  ms | s | min | h | d | % | USD
```

`cost < 500` is short for `final(*.cost_per_month) < 500`. An endpoint with blanks, brackets or quotes in it stands in
double quotes, with its topic: `total("alerts/the phone (old)".delivered) > 10`. What is written is read by a parser and
never evaluated.
"""

import re
from collections.abc import Mapping
from fractions import Fraction
from math import inf, isfinite
from typing import Never

import attrs

from msgsim.declare import DAY, HOUR, MINUTE, choice, listed, number, text
from msgsim.errors import DeclarationError, UnknownName
from msgsim.metrics import STATISTICS, Metric
from msgsim.scenario import Scenario
from msgsim.study.recovery import DERIVED
from msgsim.study.vocabulary import WHOLE, Vocabulary, refuse_statistic

OPERATORS = ("<", "<=", ">", ">=")

UNITS: Mapping[str, tuple[Fraction, str]] = {
    "ms": (Fraction(1, 1000), "s"),
    "s": (Fraction(1), "s"),
    "min": (Fraction(MINUTE), "s"),
    "h": (Fraction(HOUR), "s"),
    "d": (Fraction(DAY), "s"),
    "%": (Fraction(1, 100), "1"),
    "USD": (Fraction(1), "USD"),
}
"""Each unit in that of the metrics which it is for. Fractions: 99.9 % is 0.999, and not the float beside it."""

SHORTHANDS = {"cost": "cost_per_month", "cost_per_month": "cost_per_month"}
"""Words that stand for the final of a metric of the whole scenario."""

EXAMPLE = "such as p99(emails.waiting_time) < 60"

QUOTED = 30
"""So much of an expression is quoted where it goes wrong [characters]."""


@attrs.frozen(kw_only=True)
class Term:
    """One condition on one statistic of one metric.

    Attributes:
        statistic: of `STATISTICS`.
        entity: name, or `*` for the whole scenario.
        metric: its name, or that of its CloudWatch twin.
        op: "<", "<=", ">" or ">=".
        amount: as written, in `unit`.
        unit: as written: "ms", "s", "min", "h", "d", "%", "USD"; "" for the metric's own.
    """

    statistic: str = choice(attrs.NOTHING, STATISTICS)
    entity: str = text(empty=False)
    metric: str = text(empty=False)
    op: str = choice(attrs.NOTHING, OPERATORS)
    amount: float = number()
    unit: str = choice("", ("", *UNITS))

    def __attrs_post_init__(self) -> None:
        if self.unit and self.amount * float(UNITS[self.unit][0]) == inf:
            raise DeclarationError("Term.amount", f"{self.amount!r} {self.unit} is too large a number")

    def __str__(self) -> str:
        entity = self.entity if _PLAIN.fullmatch(self.entity) else f'"{self.entity}"'
        amount = f"{self.amount!r}".removesuffix(".0")
        return f"{self.statistic}({entity}.{self.metric}) {self.op} {amount}{self.unit and ' '}{self.unit}"

    @property
    def key(self) -> tuple[str, str]:
        """Where its value stands among measures: the entity, and "metric.statistic"."""
        return self.entity, f"{self.metric}.{self.statistic}"

    @property
    def threshold(self) -> float:
        """In the metric's own unit: seconds, a share of 1, messages ..."""
        if not self.unit:
            return self.amount
        return float(Fraction(repr(self.amount)) * UNITS[self.unit][0])

    @property
    def bounded_above(self) -> bool:
        """Whether small values meet it: then it is an interval's upper end that must."""
        return self.op in ("<", "<=")

    def met_by(self, value: float) -> bool:
        """Whether a value meets it. NaN, which stands for nothing to measure, meets nothing."""
        if self.op == "<":
            return value < self.threshold
        if self.op == "<=":
            return value <= self.threshold
        return value > self.threshold if self.op == ">" else value >= self.threshold

    def met_by_all(self, low: float, high: float) -> bool:
        """Whether all values of an interval meet it, which the worse of its ends decides."""
        return self.met_by(high if self.bounded_above else low)

    def implies(self, other: "Term") -> bool:
        """Whether what meets it meets another one of the same statistic and direction."""
        if self.threshold == other.threshold:
            return len(self.op) == 1 or self.op == other.op
        return (self.threshold < other.threshold) == self.bounded_above

    def check(self, vocabulary: Vocabulary) -> "Term":
        """See `Objective.check`."""
        metric = self._found(vocabulary)
        if self.unit and UNITS[self.unit][1] != metric.unit:
            raise DeclarationError(
                str(self), f"{self.entity}.{metric.name} is in {_IN[metric.unit]}, not in {self.unit}"
            )
        if metric.name in DERIVED and self.entity not in vocabulary.disturbed:
            problem = (
                f"nothing that the scenario declares disturbs {self.entity}: it needs a spike, a step or an outage"
            )
            raise DeclarationError(str(self), problem)
        return attrs.evolve(self, metric=metric.name)

    def _found(self, vocabulary: Vocabulary) -> Metric:
        try:
            metric = vocabulary.metric(self.entity, self.metric)
            refuse_statistic(self.entity, metric, self.statistic)
        except UnknownName as error:
            raise UnknownName(f"{self}: {error}") from None
        return metric


class _Units(dict[str, str]):
    """Units in words."""

    def __missing__(self, unit: str) -> str:
        return unit


_IN = _Units({"s": "seconds (s, or ms, min, h, d)", "1": "shares of 1 (%)", "USD": "USD"})


@attrs.frozen
class Objective:
    """Conditions that must all hold; `parse` makes one.

    Attributes:
        terms: at least one.

    Raises:
        DeclarationError: there is none, or two of them exclude each other.
    """

    terms: tuple[Term, ...] = listed(Term, "a Term", default=attrs.NOTHING)

    def __attrs_post_init__(self) -> None:
        if not self.terms:
            raise DeclarationError("Objective.terms", "must not be empty")
        tightest: dict[tuple[tuple[str, str], bool], Term] = {}
        for term in self.terms:
            other = tightest.get((term.key, not term.bounded_above))
            if other is not None and not _leaves_room(other, term):
                raise DeclarationError("objective", f"no value meets both {other} and {term}")
            known = tightest.setdefault((term.key, term.bounded_above), term)
            if not known.implies(term):
                tightest[term.key, term.bounded_above] = term

    def __str__(self) -> str:
        return " and ".join(map(str, self.terms))

    @property
    def keys(self) -> list[tuple[str, str]]:
        """What must be measured, each once."""
        return list(dict.fromkeys(term.key for term in self.terms))

    def met_by(self, measures: Mapping[tuple[str, str], float]) -> bool:
        """Whether the measures of a run meet all terms.

        Raises:
            UnknownName: one that it needs is not there.
        """
        missing = [f"{entity}.{name}" for entity, name in self.keys if (entity, name) not in measures]
        if missing:
            known = [f"{entity}.{name}" for entity, name in measures]
            raise UnknownName.among("measure", missing[0], known)
        return all(term.met_by(measures[term.key]) for term in self.terms)

    def check(self, scenario: Scenario) -> "Objective":
        """Refuse what the scenario will not measure, before anything runs.

        Returns:
            The same, with the metrics' own names instead of their CloudWatch twins'.

        Raises:
            UnknownName: an entity or metric that there is not, or a statistic that the metric does not have.
            DeclarationError: a unit that is not the metric's, or a metric of triggers where there is none.
        """
        vocabulary = Vocabulary.of(scenario)
        return Objective(tuple(term.check(vocabulary) for term in self.terms))


def _leaves_room(one: Term, other: Term) -> bool:
    """Whether a value meets both of two terms, one of which bounds it above and one below."""
    above, below = (other, one) if one.bounded_above else (one, other)
    touching = above.op == ">=" and below.op == "<="
    return above.threshold < below.threshold or (touching and above.threshold == below.threshold)


def parse(expression: "str | Objective") -> Objective:
    """Read an objective; one that is read already is returned as it is. See the top of this module for the grammar.

    Raises:
        DeclarationError: it is not one; says where it goes wrong and what is expected there.
        UnknownName: there is no such statistic; says which there are.
    """
    if isinstance(expression, Objective):
        return expression
    if not isinstance(expression, str):
        raise DeclarationError("objective", f"{expression!r} is not a text {EXAMPLE}")
    return Objective(tuple(_Reader(expression).terms()))


_PLAIN = re.compile(r'[^\s()"]+')
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[0-9]+)?")
_SUBJECT = re.compile(r'(?:"([^"]+)"|([^\s()"]+))\.([A-Za-z_][A-Za-z0-9_-]*)')
_OPERATOR = re.compile(r"[<>=!~≤≥≠≈&|]+")
_NUMBER = re.compile(r"(?:[0-9]+(?:_[0-9]+)*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_UNIT = re.compile(r"[A-Za-zµ%$€]+")
_AND = re.compile(r"and\b", re.IGNORECASE)
_BLANK = re.compile(r"\s*")


class _Reader:
    """Reads from left to right, in one pass."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._place = 0

    def terms(self) -> list[Term]:
        self._skip()
        if self._is_over():
            raise DeclarationError("objective", f"is empty; allowed: conditions joined by 'and', {EXAMPLE}")
        found = [self._term()]
        while not self._is_over():
            if self._take(_AND) is None:
                self._refuse("'and' and another condition, or the end")
            found.append(self._term())
        return found

    def _term(self) -> Term:
        word = self._look(_WORD)
        if word in SHORTHANDS:
            self._take(_WORD)
            subject = "final", WHOLE, SHORTHANDS[word]
        else:
            subject = self._call()
        op = self._operator()
        amount = self._amount()
        statistic, entity, metric = subject
        return Term(statistic=statistic, entity=entity, metric=metric, op=op, amount=amount, unit=self._unit())

    def _call(self) -> tuple[str, str, str]:
        statistic = self._take(_WORD)
        if statistic is None:
            self._refuse(f"a condition {EXAMPLE}")
        if not self._take_letter("("):
            self._refuse(f"'(' after {_cut(statistic)!r}: a condition is {EXAMPLE}")
        if statistic not in STATISTICS:
            raise UnknownName.among("statistic", statistic, STATISTICS)
        subject = _SUBJECT.match(self._source, self._place)
        if subject is None:
            self._refuse("ENTITY.METRIC, such as emails.waiting_time")
        self._place = subject.end()
        self._skip()
        if not self._take_letter(")"):
            self._refuse("')' after ENTITY.METRIC")
        quoted, plain, metric = subject.groups()
        return statistic, quoted or plain, metric

    def _operator(self) -> str:
        op = self._look(_OPERATOR)
        if op not in OPERATORS:
            self._refuse("an operator: < <= > >=")
        self._take(_OPERATOR)
        return op

    def _amount(self) -> float:
        given = self._take(_NUMBER)
        if given is None:
            self._refuse("a number, 0 or more")
        amount = float(given)
        if not isfinite(amount):
            raise DeclarationError("objective", f"{_cut(given)} is too large a number")
        return amount

    def _unit(self) -> str:
        if self._look(_AND) is not None:
            return ""
        unit = self._look(_UNIT)
        if unit is None:
            return ""
        if unit not in UNITS:
            self._refuse(f"a unit ({', '.join(UNITS)}), 'and', or the end")
        self._take(_UNIT)
        return unit

    def _is_over(self) -> bool:
        return self._place == len(self._source)

    def _look(self, pattern: re.Pattern[str]) -> str | None:
        found = pattern.match(self._source, self._place)
        return None if found is None else found.group()

    def _take(self, pattern: re.Pattern[str]) -> str | None:
        found = self._look(pattern)
        if found is not None:
            self._place += len(found)
            self._skip()
        return found

    def _take_letter(self, letter: str) -> bool:
        if not self._source.startswith(letter, self._place):
            return False
        self._place += 1
        self._skip()
        return True

    def _skip(self) -> None:
        found = _BLANK.match(self._source, self._place)
        self._place = self._place if found is None else found.end()

    def _refuse(self, expected: str) -> Never:
        rest = self._source[self._place :]
        found = f"{_cut(rest)!r}" if rest else "the end"
        before = self._source[max(0, self._place - QUOTED) : self._place].strip()
        after = f" after {before!r}" if before else ""
        raise DeclarationError("objective", f"{found}{after} is not what was expected: {expected}")


def _cut(given: str) -> str:
    return given if len(given) <= QUOTED else f"{given[:QUOTED]}..."
