"""Study: what many runs have shown, as plain data, with estimates and their intervals."""

import csv
import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from math import isnan
from os import PathLike
from typing import TYPE_CHECKING, Any, Never

import attrs

from msgsim.declare import plain
from msgsim.errors import AuditError, DeclarationError, StudyError, UnknownName
from msgsim.formats import finite
from msgsim.study.comparison import Comparison, compared
from msgsim.study.design import Point, labels, matching
from msgsim.study.estimates import Estimate, mean_interval, quantile_interval, wilson
from msgsim.study.jobs import Outcome
from msgsim.study.measures import Key, find, titled
from msgsim.study.objectives import Objective, parse
from msgsim.study.pareto import front
from msgsim.study.verdicts import Verdict, judged
from msgsim.study.vocabulary import WHOLE
from msgsim.writing import write_whole

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from msgsim.study.experiment import Experiment
    from msgsim.study.precision import Shortfall

At = Mapping[str, Any] | None
"""Which design point: values by path, as many as tell it apart; None if there is but one."""


@attrs.frozen(kw_only=True, eq=False)
class Study:
    """The runs of an experiment, finished or as far as they got.

    Pickles, and holds no live object.

    Attributes:
        experiment: as it was run; with the warm-up that was found, if one was to be. Of a plan, whose points may have
            different numbers of replications, with the largest.
        points: the design points.
        outcomes: what is kept of each run, by place of the point and replication, in order.
        interrupted: whether runs are missing.
        imprecise: where a study that was to stop when a measure is known well enough ended before; see
            `Experiment.stop_when`.
    """

    experiment: "Experiment"
    points: tuple[Point, ...]
    outcomes: Mapping[tuple[int, int], Outcome]
    interrupted: bool = False
    imprecise: "tuple[Shortfall, ...]" = ()
    _known: dict[int, tuple[list[Outcome], dict[Key, int]]] = attrs.field(factory=dict, init=False, repr=False)

    def __repr__(self) -> str:
        state = "interrupted" if self.interrupted else "finished"
        state += ", not as precise as wanted" if self.imprecise else ""
        return f"<Study of {len(self.points)} design points, {len(self.outcomes)} runs, {state}>"

    # ---------------------------------------------------------------- numbers

    def values(self, entity: str, measure: str, at: At = None) -> "array[float]":
        """A measure of each finished replication of a design point, in order; NaN where there was nothing.

        Args:
            entity: its name; "*" for measures of the whole scenario.
            measure: such as "sojourn_time.p99".
            at: values that tell the design point apart.

        Raises:
            UnknownName: no such entity, measure or design point; says which there are.
            StudyError: no run of the design point has finished.
        """
        return self._values(self._place(at), entity, measure)

    def estimate(self, entity: str, measure: str, at: At = None, *, confidence: float = 0.95) -> Estimate:
        """The mean of a measure over replications, with the interval of Student's t distribution.

        Args:
            entity: its name; "*" for measures of the whole scenario.
            measure: such as "sojourn_time.p99".
            at: values that tell the design point apart.
            confidence: of the interval.

        Raises:
            UnknownName: no such entity, measure or design point; says which there are.
            StudyError: no run of the design point has finished.
            DeclarationError: that is no confidence.
            MissingExtra: scipy is not installed.
        """
        return mean_interval(self.values(entity, measure, at), confidence)

    def quantile(self, entity: str, measure: str, q: float, at: At = None, *, confidence: float = 0.95) -> Estimate:
        """A quantile of a measure over replications: what it is on all but the worst days.

        Args:
            entity: its name; "*" for measures of the whole scenario.
            measure: such as "sojourn_time.p99".
            at: values that tell the design point apart.
            q: 0 to 1.
            confidence: of the interval, which is one of order statistics.

        Raises:
            UnknownName: no such entity, measure or design point; says which there are.
            StudyError: no run of the design point has finished.
            DeclarationError: that is no quantile or no confidence.
            MissingExtra: scipy is not installed.
        """
        return quantile_interval(self.values(entity, measure, at), q, confidence)

    def probability(self, objective: str | Objective, at: At = None, *, confidence: float = 0.95) -> Estimate:
        """The probability that a run meets an objective, with Wilson's interval.

        Args:
            objective: such as "p99(emails.sojourn_time) < 60".
            at: values that tell the design point apart.
            confidence: of the interval.

        Raises:
            UnknownName, DeclarationError: the objective is not one, or there is no such design point.
            MissingExtra: scipy is not installed.
        """
        place = self._place(at)
        found = parse(objective).check(self.points[place].scenario)
        outcomes = self._of(place)
        met = sum(found.met_by(dict(zip(each.columns, each.numbers, strict=True))) for each in outcomes)
        return wilson(met, len(outcomes), confidence)

    def judge(self, objective: str | Objective, at: At = None, *, confidence: float = 0.95) -> list[Verdict]:
        """Whether design points meet an objective: with each term's whole confidence interval, not by luck.

        Args:
            objective: such as "p99(emails.sojourn_time) < 60 and total(emails.expired) <= 0".
            at: only the design points with these values; None for all.
            confidence: of the intervals.

        Returns:
            A verdict for each design point. Of one that has no finished run it is "not sure": it is not met.

        Raises:
            UnknownName, DeclarationError: the objective is not one, or there is no such design point.
            MissingExtra: scipy is not installed.
        """
        parsed = parse(objective)
        verdicts = []
        for place in self._places(at):
            keys = parsed.check(self.points[place].scenario).keys
            values = {key: self._values(place, *key) if self._of(place) else array("d") for key in keys}
            verdicts.append(judged(parsed, self.points[place], values, confidence))
        return verdicts

    def cheapest(
        self, objective: str | Objective, cost: Key = (WHOLE, "cost_per_month.final"), *, confidence: float = 0.95
    ) -> Verdict | None:
        """The design point that costs least among those that meet an objective; None if no one does.

        Of several that cost the same it is the first. What has no cost, which is NaN, is not among them; nor is, after
        an interruption, what has no finished run.

        Args:
            objective: such as "p99(emails.sojourn_time) < 60".
            cost: the measure of which less is better, as (entity, measure).
            confidence: of the intervals.

        Raises:
            UnknownName, DeclarationError: the objective is not one, or there is no such measure.
            MissingExtra: scipy is not installed.
        """
        [cost] = _pairs([cost])
        met = [verdict for verdict in self.judge(objective, confidence=confidence) if verdict.met]
        costs = [self.estimate(*cost, verdict.point.levels).value for verdict in met]
        known = [(value, place) for place, value in enumerate(costs) if not isnan(value)]
        return met[min(known)[1]] if known else None

    def compare(
        self,
        a: At = None,
        b: At = None,
        measures: Sequence[Key] | None = None,
        *,
        confidence: float = 0.95,
    ) -> Comparison:
        """What changes from one design point to another, replication by replication.

        Args:
            a: values that tell the one point apart; None for the first, if there are but two.
            b: the same for the other.
            measures: as (entity, measure); None for means and 99 % quantiles of times, and of utilization.
            confidence: of the intervals. P-values are adjusted for the number of comparisons, by Holm's method.

        Raises:
            UnknownName: no such entity, measure or design point; says which there are.
            StudyError: no run of one of them has finished.
            DeclarationError: which two points is not clear.
            MissingExtra: scipy is not installed.
        """
        if a is None and b is None and len(self.points) == 2:  # noqa: PLR2004 - as it says
            one, other = 0, 1
        elif a is None or b is None:
            raise DeclarationError("compare", f"say which two of the {len(self.points)} design points")
        else:
            one, other = self._place(a), self._place(b)
        keys = self._headlines((one, other)) if measures is None else _pairs(measures)
        return compared(
            self.points[one],
            self.points[other],
            {key: (self._paired(one, other, *key)) for key in keys},
            confidence,
        )

    def front(self, *measures: Key) -> list[tuple[Any, ...]]:
        """The design points that no other one beats in everything: the Pareto front.

        Args:
            measures: two or more as (entity, measure), of which less is better: ("*", "cost_per_month.final").

        Returns:
            A row for each point on the front, the least of the first measure first: the `Point`, then the means.

        Raises:
            UnknownName: no such entity or measure.
            DeclarationError: there are fewer than two measures.
        """
        if len(measures) < 2:  # noqa: PLR2004 - with one there is but a least
            raise DeclarationError("front", f"{len(measures)} measures; allowed: two or more, as (entity, measure)")
        return front(self._means(_pairs(measures)))

    def plot_front(self, x: Key, y: Key, *, objective: str | None = None) -> "Figure":
        """All design points by two measures of which less is better, and the front.

        Args:
            x: as (entity, measure), such as ("*", "cost_per_month.final").
            y: the same.
            objective: draws the lines that it sets for the two.

        Raises:
            UnknownName: no such entity or measure.
            StudyError: no run has finished.
            MissingExtra: matplotlib is not installed.
        """
        from msgsim.study.pictures import front_chart  # noqa: PLC0415 - matplotlib is an extra

        self._refuse_nothing()
        first = [row[0] for row in self.front(x, y)]
        means = self._means((x, y))
        rows = [
            (label, one, other, point in first)
            for label, (point, one, other) in zip(labels([row[0] for row in means]), means, strict=True)
        ]
        terms = parse(objective).terms if objective else ()
        limits = [(which, term) for which, key in enumerate((x, y)) for term in terms if term.key == key]
        names = (titled(self.points[0].scenario, *x), titled(self.points[0].scenario, *y))
        return front_chart(rows, names, limits)

    def series(self, entity: str, metric: str, at: At = None) -> tuple["array[float]", "list[array[float]]"]:
        """Times of the readings [s], and the readings of each replication, of a gauge or counter that is kept.

        Args:
            entity: of one of the experiment's `series`.
            metric: of it.
            at: values that tell the design point apart.

        Raises:
            UnknownName: it was not kept, or there is no such design point.
        """
        kept = [".".join(key) for key in self.experiment.series]
        if (entity, metric) not in self.experiment.series:
            raise UnknownName.among("series (see Experiment.series)", f"{entity}.{metric}", kept)
        outcomes = self._of(self._place(at))
        times = outcomes[0].times if outcomes else array("d")
        return times, [outcome.series[entity, metric] for outcome in outcomes]

    def measured(self, at: At = None) -> list[Key]:
        """What was measured at a design point: pairs of entity and measure; none if no run of it has finished.

        Args:
            at: values that tell the design point apart.

        Raises:
            UnknownName: there is no such design point.
        """
        return list(self._at(self._place(at))[1])

    def audit(self) -> None:
        """Check that the books of all runs balance.

        Raises:
            AuditError: says which run's do not, and what differs.
        """
        for (place, replication), outcome in self.outcomes.items():
            if outcome.violations:
                where = f"replication {replication} of design point {self.points[place]}"
                raise AuditError(f"{where}: {outcome.violations[0]}")

    # ---------------------------------------------------------------- to look at, and to take away

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """The long table: values of the varied paths, replication, entity, metric, value."""
        names = self._names()
        for (place, replication), outcome in self.outcomes.items():
            point = self._levels(place, names)
            for (entity, measure), value in zip(outcome.columns, outcome.numbers, strict=True):
                yield *point, replication, entity, measure, value

    def to_pandas(self) -> "pd.DataFrame":
        """The long table as a frame: a column for each varied path, then replication, entity, metric, value.

        Raises:
            MissingExtra: pandas is not installed.
        """
        from msgsim.study.frames import frame  # noqa: PLC0415 - pandas is an extra

        return frame(self)

    def to_csv(self, path: "str | PathLike[str] | None" = None) -> str:
        """The long table as CSV. Written to `path` if one is given.

        Raises:
            OSError: the path cannot be written; nothing is left half written.
        """
        names = self._names()
        parts = [_line([*names, "replication", "entity", "metric", "value"]), "\n"]
        middles: dict[tuple[Key, ...], list[str]] = {}
        for (place, replication), outcome in self.outcomes.items():
            begin = _line([*self._levels(place, names), replication])
            if outcome.columns not in middles:
                middles[outcome.columns] = [f",{_line(key)}," for key in outcome.columns]
            some = zip(middles[outcome.columns], outcome.numbers, strict=True)
            parts += [f"{begin}{middle}{value!r}\n" for middle, value in some]
        source = "".join(parts)
        if path is not None:
            write_whole(path, source)
        return source

    def to_dict(self, *, confidence: float = 0.95) -> dict[str, Any]:
        """How it was made, and estimates of all measures, as plain lists and numbers; None is what is not finite."""
        experiment = self.experiment
        return {
            "title": experiment.scenario.title,
            "seed": experiment.seed,
            "replications": experiment.replications,
            "horizon": experiment.length,
            "warm_up": experiment.scenario.warm_up if experiment.warm_up is None else experiment.warm_up,
            "confidence": confidence,
            "interrupted": self.interrupted,
            "imprecise": [{"at": _levels(each.point), **each.to_dict()} for each in self.imprecise],
            "points": [
                {
                    "at": _levels(point),
                    "estimates": [self._estimate_dict(place, key, confidence) for key in self._at(place)[1]],
                }
                for place, point in enumerate(self.points)
            ],
        }

    def to_json(self, path: "str | PathLike[str] | None" = None, *, confidence: float = 0.95) -> str:
        """The same as JSON; same experiment and seed give the same bytes. Written to `path` if one is given.

        Raises:
            OSError: the path cannot be written; nothing is left half written.
        """
        source = json.dumps(self.to_dict(confidence=confidence), indent=1, allow_nan=False) + "\n"
        if path is not None:
            write_whole(path, source)
        return source

    def summary(self, measures: Sequence[Key] | None = None, *, confidence: float = 0.95) -> str:
        """Estimates in a page of text.

        Args:
            measures: as (entity, measure); None for the ones that most ask for.
            confidence: of the intervals.

        Raises:
            UnknownName: no such entity or measure.
            MissingExtra: scipy is not installed.
        """
        from msgsim.study.overview import as_text  # noqa: PLC0415 - an edge, loaded when it is used

        return as_text(self, self._chosen(measures), confidence)

    def _repr_html_(self) -> str:
        from msgsim.study.overview import as_html  # noqa: PLC0415 - as above

        return as_html(self, self._chosen(None), 0.95)

    def plot(self, entity: str, measure: str, *, objective: str | None = None, confidence: float = 0.95) -> "Figure":
        """A measure over the design points, with its intervals: curves over a varied number, else a forest plot.

        Of several numbers the one with the most values is the axis, and there is a curve for each combination of the
        others, if these are few.

        Args:
            entity: its name; "*" for measures of the whole scenario.
            measure: such as "sojourn_time.p99".
            objective: draws the line that it sets for the measure.
            confidence: of the intervals.

        Raises:
            UnknownName: no such entity or measure.
            StudyError: no run has finished.
            MissingExtra: matplotlib or scipy is not installed.
        """
        from msgsim.study.pictures import over_points  # noqa: PLC0415 - matplotlib is an extra

        self._refuse_nothing()
        return over_points(self, entity, measure, objective, confidence)

    def fan(self, entity: str, metric: str, at: At = None) -> "Figure":
        """A kept series over time: the median of the replications, and bands that hold 50 and 90 % of them.

        Args:
            entity: of one of the experiment's `series`.
            metric: of it.
            at: values that tell the design point apart.

        Raises:
            UnknownName: it was not kept, or there is no such design point.
            StudyError: no run of the design point has finished.
            MissingExtra: matplotlib is not installed.
        """
        from msgsim.study.pictures import fan_chart  # noqa: PLC0415 - as above

        self._columns(self._place(at))
        return fan_chart(self, entity, metric, at)

    # ---------------------------------------------------------------- inside

    def _names(self) -> list[str]:
        """Columns of the design, in order."""
        return list(dict.fromkeys(name for point in self.points for name in point.levels))

    def _levels(self, place: int, names: Sequence[str]) -> tuple[Any, ...]:
        return tuple(plain(self.points[place].levels.get(name)) for name in names)

    def _places(self, at: At) -> list[int]:
        if at is not None and not isinstance(at, Mapping):
            raise DeclarationError("at", f"{at!r} is not values by path, such as {{'workers.mailers.count': 6}}")
        for place, point in enumerate(self.points):
            if point.levels is at:  # as whoever goes through the points asks: no need to look at any value
                return [place]
        places = list(matching(self.points, at))
        if not places:
            known = "; ".join(str(point) for point in self.points[:20])
            more = f" and {len(self.points) - 20} more" if len(self.points) > 20 else ""  # noqa: PLR2004 - enough to see
            raise UnknownName(f"there is no design point with {dict(at or {})!r}; there are: {known}{more}")
        return places

    def _place(self, at: At) -> int:
        places = self._places(at)
        if len(places) > 1:
            names = ", ".join(self._names())
            raise UnknownName(f"at={dict(at or {})!r} fits {len(places)} design points; tell them apart by: {names}")
        return places[0]

    def _at(self, place: int) -> tuple[list[Outcome], dict[Key, int]]:
        """The outcomes of a point, and the places of its measures."""
        if not self._known:
            for (point, _), outcome in self.outcomes.items():
                if point not in self._known:
                    self._known[point] = [], {key: column for column, key in enumerate(outcome.columns)}
                self._known[point][0].append(outcome)
        return self._known.get(place, ([], {}))

    def _of(self, place: int) -> list[Outcome]:
        return self._at(place)[0]

    def _columns(self, place: int) -> dict[Key, int]:
        columns = self._at(place)[1]
        if not columns:
            self._refuse(f"no run of design point {self.points[place]} has finished; {AGAIN}")
        return columns

    def _values(self, place: int, entity: str, measure: str) -> "array[float]":
        column = find(self._columns(place), entity, measure)
        return array("d", (outcome.numbers[column] for outcome in self._of(place)))

    def _means(self, measures: Sequence[Key]) -> list[tuple[Any, ...]]:
        """Of each point that has finished runs: itself, and the means of some measures."""
        return [
            (point, *(mean_interval(self._values(place, *key)).value for key in measures))
            for place, point in enumerate(self.points)
            if self._of(place)
        ]

    def _paired(self, one: int, other: int, entity: str, measure: str) -> tuple["array[float]", "array[float]"]:
        """Values of the replications that both points have."""
        common = [number for place, number in self.outcomes if place == one and (other, number) in self.outcomes]
        columns = [find(self._columns(place), entity, measure) for place in (one, other)]
        first, second = (
            array("d", (self.outcomes[place, number].numbers[column] for number in common))
            for place, column in zip((one, other), columns, strict=True)
        )
        return first, second

    def _headlines(self, places: Sequence[int]) -> list[Key]:
        """What most ask for, of entities that all of some points have and to which anything happened."""
        shared = [key for key in self._columns(places[0]) if all(key in self._columns(place) for place in places[1:])]
        return [
            key
            for key in shared
            if key[1] in HEADLINES and any(value > 0 for place in places for value in self._values(place, *key))
        ]

    def _chosen(self, measures: Sequence[Key] | None) -> list[Key]:
        begun = [place for place in range(len(self.points)) if self._of(place)]
        if not begun:
            return []
        if measures is None:
            return self._headlines(begun)
        keys = _pairs(measures)
        for key in keys:
            if not any(key in self._columns(place) for place in begun):
                find(self._columns(begun[0]), *key)  # says what there is instead
        return keys

    def _refuse_nothing(self) -> None:
        """Refuse to draw what has not begun."""
        if not self.outcomes:
            self._refuse(f"no run has finished, and there is nothing to draw; {AGAIN}")

    def _refuse(self, problem: str) -> Never:
        error = StudyError(problem)
        error.study = self
        raise error

    def _estimate_dict(self, place: int, key: Key, confidence: float) -> dict[str, Any]:
        estimate = mean_interval(self._values(place, *key), confidence)
        numbers = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
        return {"entity": key[0], "metric": key[1], **finite(numbers), "n": estimate.n}


AGAIN = "run the study again, and with its results file it goes on from there"
"""What to do about runs that are missing."""

HEADLINES = frozenset(
    {
        "waiting_time.mean",
        "waiting_time.p99",
        "sojourn_time.p99",
        "visible.max",
        "age_of_oldest_message.max",
        "utilization.mean",
        "dead_lettered.total",
        "drain_time.max",
        "expired.total",
        "throttled.total",
        "bounced.total",
    }
)
"""The measures of an overview."""


def _pairs(measures: Any) -> list[Key]:
    """Measures as they are; refuses what is no pair."""
    if isinstance(measures, str) or not isinstance(measures, Sequence):
        raise DeclarationError("measures", f"{measures!r} is not a list of measures; allowed: {_PAIR}, ...")
    for given in measures:
        if not isinstance(given, (tuple, list)) or [type(part) for part in given] != [str, str]:
            raise DeclarationError("measures", f"{given!r} is not a measure; allowed: {_PAIR}")
    return [(entity, measure) for entity, measure in measures]


_PAIR = '(entity, measure), such as ("emails", "sojourn_time.p99")'


def _line(cells: Sequence[object]) -> str:
    """Cells as a part of a line of CSV."""
    sink = StringIO()
    csv.writer(sink, lineterminator="").writerow(cells)
    return sink.getvalue()


def _levels(point: Point) -> dict[str, Any]:
    return {path: _jsonable(value) for path, value in point.levels.items()}


def _jsonable(value: Any) -> Any:
    value = plain(value)
    return value if value is None or isinstance(value, (str, bool, int, float)) else repr(value)
