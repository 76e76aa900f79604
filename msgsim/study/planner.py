"""The inverse question: which value does it take, such that an objective holds?"""

from collections.abc import Mapping, Sequence
from math import floor, inf, isfinite, log, log10
from os import PathLike
from textwrap import fill
from typing import TYPE_CHECKING, Any

import attrs

from msgsim.declare import check_number, plain
from msgsim.errors import DeclarationError, StudyError
from msgsim.scenario import Scenario
from msgsim.study.course import Progress
from msgsim.study.design import brief
from msgsim.study.estimates import Estimate, as_confidence
from msgsim.study.experiment import MSER5, Experiment
from msgsim.study.grids import as_html, as_text
from msgsim.study.objectives import Objective, parse
from msgsim.study.results import Study
from msgsim.study.verdicts import Verdict

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SMALLEST, LARGEST = "smallest", "largest"

LOOKS = 6
"""Values over the whole range that are tried first: bisection alone would not see one that holds, and then fails."""

WIDE = 10.0
"""From this ratio of the bounds on, first looks are spread by ratio and not by difference."""

WIDTH = 100
"""Of the conclusion as text [characters]."""

FINE = 0.01
"""Of what is no whole number, the answer is found to within this share of the range."""


FAR = 2000.0
"""Beyond the logarithm of any ratio of two floats."""


@attrs.frozen(kw_only=True)
class Trial:
    """A value that was tried.

    Attributes:
        value: of what is sought.
        verdict: whether it meets the objective, with the estimates of its terms.
    """

    value: float
    verdict: Verdict

    @property
    def met(self) -> bool:
        """Whether the whole confidence interval of each term meets the objective."""
        return self.verdict.met

    @property
    def state(self) -> str:
        """The same in words: "met", "not met", or "not sure" if the interval of a term is on both sides."""
        return "met" if self.verdict.met else "not met" if self.verdict.missed else "not sure"


@attrs.frozen(kw_only=True, eq=False)
class Plan:
    """An answer, and what it rests on.

    Attributes:
        find: the path of what was sought.
        between: the range.
        want: "smallest" or "largest".
        objective: what had to hold.
        value: the answer; None if no value that was tried meets the objective.
        table: every value that was tried, in order.
        study: all runs.
        confidence: of each interval.
    """

    find: str
    between: tuple[float, float]
    want: str
    objective: Objective
    value: float | None
    table: tuple[Trial, ...]
    study: Study
    confidence: float

    @property
    def scenario(self) -> Scenario:
        """The scenario with the answer in it.

        Raises:
            StudyError: there is no answer; says why.
        """
        if self.value is None:
            raise StudyError(self.conclusion)
        return self.study.experiment.scenario.vary(self.find, self.value)

    @property
    def estimate(self) -> Estimate:
        """Of the objective's first term at the answer, or at the best value that was tried if there is no answer."""
        return self.estimates[0]

    @property
    def estimates(self) -> tuple[Estimate, ...]:
        """The same for each term."""
        chosen = self.best if self.value is None else self._trial(self.value)
        return chosen.verdict.estimates

    @property
    def best(self) -> Trial:
        """The value that comes closest to meeting the objective, by its worst term."""
        return min(self.table, key=lambda trial: (not trial.met, _distance(trial.verdict)))

    @property
    def monotone(self) -> bool:
        """Whether one side of the answer meets the objective and the other does not, as far as it was looked at.

        If not, an answer holds for itself and no more: a larger value may be worse.
        """
        return not self._surprises()

    @property
    def unsure(self) -> list[float]:
        """Values that would be better answers, and of which these replications can't tell: more of them may."""
        return [trial.value for trial in self.table if trial.state == "not sure" and self._is_better(trial.value)]

    def __repr__(self) -> str:
        return f"<Plan {self.find}={'none' if self.value is None else brief(self.value)}: {self.objective}>"

    def __str__(self) -> str:
        return f"{as_text(self._heads(), self._cells())}\n\n{fill(self.conclusion, WIDTH)}\n"

    def _repr_html_(self) -> str:
        from html import escape  # noqa: PLC0415 - only here

        return f"<p>{escape(self.conclusion)}</p>{as_html(self._heads(), self._cells(), str(self.objective))}"

    @property
    def conclusion(self) -> str:
        """The answer in sentences."""
        low, high = (brief(bound) for bound in self.between)
        if self.value is None:
            best = self.best
            reasons = "; ".join(f"{term}: {estimate}" for term, estimate in best.verdict.lacking)
            said = f"No value of {self.find} from {low} to {high} meets {self.objective}."
            said += f" The best that was tried is {brief(best.value)}, with {reasons}."
        else:
            said = f"{self.find} = {brief(self.value)} is the {self.want} value from {low} to {high} such that "
            said += f"{self.objective}: {'; '.join(map(str, self.estimates))}."
        if surprises := self._surprises():
            values = ", ".join(brief(value) for value in surprises)
            said += f" Beware: it is not monotone. Beyond the answer, {values} does not meet it; look at the curve."
        if unsure := self.unsure:
            values = ", ".join(brief(value) for value in unsure)
            said += f" More replications may show that {values} will do."
        return said

    def to_pandas(self) -> "pd.DataFrame":
        """Every value that was tried: value, state, and for each term its estimate and interval.

        Raises:
            MissingExtra: pandas is not installed.
        """
        from msgsim.study.frames import table_of  # noqa: PLC0415 - pandas is an extra

        rows = []
        for trial in self.table:
            row: dict[str, Any] = {self.find: trial.value, "state": trial.state}
            for term, estimate in trial.verdict.terms:
                name = f"{term.statistic}({term.entity}.{term.metric})"
                row |= {name: estimate.value, f"{name} low": estimate.low, f"{name} high": estimate.high}
            rows.append(row)
        return table_of(rows)

    def plot(self) -> "Figure":
        """The curve: each term over the values that were tried, with intervals, the limit and the answer.

        Raises:
            MissingExtra: matplotlib is not installed.
        """
        from msgsim.study.pictures import planner_curve  # noqa: PLC0415 - matplotlib is an extra

        return planner_curve(self)

    def _trial(self, value: float) -> Trial:
        return next(trial for trial in self.table if trial.value == value)

    def _is_better(self, value: float) -> bool:
        if self.value is None:
            return True
        return value < self.value if self.want == SMALLEST else value > self.value

    def _surprises(self) -> list[float]:
        """Values on the far side of the answer that surely do not meet the objective."""
        if self.value is None:
            return []
        return [
            trial.value
            for trial in self.table
            if trial.value != self.value and not self._is_better(trial.value) and trial.verdict.missed
        ]

    def _heads(self) -> list[str]:
        terms = [f"{term.statistic}({term.entity}.{term.metric})" for term in self.objective.terms]
        return [self.find, *terms, str(self.objective) if len(terms) == 1 else "all of them"]

    def _cells(self) -> list[list[str]]:
        return [
            [
                brief(trial.value),
                *(str(estimate).partition(" (")[0] for estimate in trial.verdict.estimates),
                ("-> " if trial.value == self.value else "") + trial.state,
            ]
            for trial in self.table
        ]


def plan(
    scenario: Scenario,
    *,
    find: str,
    between: tuple[float, float],
    such_that: str | Objective,
    want: str = SMALLEST,
    confidence: float = 0.95,
    horizon: float | None = None,
    warm_up: float | str | None = None,
    replications: int = 10,
    seed: int = 0,
    tolerance: float | None = None,
    executor: Any = None,
    n_jobs: int | None = None,
    progress: Progress | bool | None = None,
    results: "str | PathLike[str] | None" = None,
) -> Plan:
    """Find the smallest (or largest) value of one thing such that an objective holds.

    A value meets the objective if the whole confidence interval of each of its terms does. A few values over the whole
    range come first; then bisection between the first one that meets it and its neighbour that does not. All values
    have the same random numbers, so that chance does not decide between neighbours.

    Args:
        scenario: what takes part.
        find: the path of a number, such as `workers.mailers.count`, `queues.emails.visibility_timeout`,
            `outboxes.ses.max_send_rate` or `traffic.shop.rate.1.height`.
        between: lowest and highest value; whole numbers if both are.
        such_that: the objective, such as "p99(emails.sojourn_time) < 60".
        want: "smallest", or "largest": the highest spike that the system survives.
        confidence: of each interval.
        horizon: of each run [s]; None for the scenario's own.
        warm_up: what happens before is left out of means and quantiles [s]; None for the scenario's own.
        replications: independent runs of each value.
        seed: of all random streams.
        tolerance: of what is no whole number, how close the answer must be; None for 1 % of the range.
        executor: see `Experiment.run`.
        n_jobs: worker processes; None for one for each core.
        progress: True shows a bar; or a function that is called with the runs done and wanted.
        results: a file that keeps each finished run.

    Returns:
        The plan; its `value` is None if no value that was tried meets the objective.

    Raises:
        UnknownName: the path, or something in the objective, does not exist.
        DeclarationError: an argument is not allowed, or a value is not at that path.
        StudyError: a run failed, or workers die.
        MissingExtra: scipy or joblib is not installed.
    """
    low, high = _range(find, between)
    if want not in (SMALLEST, LARGEST):
        raise DeclarationError("want", f"{want!r} is not allowed; allowed: {SMALLEST}, {LARGEST}")
    confidence = as_confidence(confidence)
    whole = isinstance(low, int) and isinstance(high, int)
    if tolerance is not None:
        check_number("tolerance", tolerance, above=True)
    finest = 1 if whole else (high - low) * FINE if tolerance is None else float(plain(tolerance))
    if warm_up == MSER5:
        raise DeclarationError("warm_up", "'mser5' would find another one for each value; allowed: seconds")
    experiment = Experiment(scenario, horizon=horizon, warm_up=warm_up, replications=replications, seed=seed).vary(
        find, [low, high]
    )
    if experiment.replications < 2:  # noqa: PLR2004 - one value has no interval
        raise DeclarationError("replications", "1 gives no interval; allowed: 2 or more")
    objective = parse(such_that).check(experiment.points()[-1].scenario)
    search = _Search(
        attrs.evolve(experiment, factors={}),
        find,
        objective,
        confidence,
        {"executor": executor, "n_jobs": n_jobs, "progress": progress, "results": results},
    )
    looks = _looks(low, high, finest, whole=whole)
    search.look(looks)
    value = _first(search, looks if want == SMALLEST else looks[::-1], finest, whole=whole)
    return Plan(
        find=find,
        between=(low, high),
        want=want,
        objective=objective,
        value=value,
        table=tuple(Trial(value=each, verdict=search.verdicts[each]) for each in sorted(search.verdicts)),
        study=search.study(),
        confidence=confidence,
    )


class _Search:
    """Values that have been looked at."""

    def __init__(
        self,
        experiment: Experiment,
        find: str,
        objective: Objective,
        confidence: float,
        how: Mapping[str, Any],
    ) -> None:
        self._experiment = experiment
        self._find = find
        self._objective = objective
        self._confidence = confidence
        self._how = how
        self._studies: list[Study] = []
        self.verdicts: dict[float, Verdict] = {}

    def look(self, values: Sequence[float]) -> None:
        """Look at some values that are new."""
        study = self._experiment.vary(self._find, list(values)).run(**self._how)
        if study.interrupted:
            raise KeyboardInterrupt
        self._studies.append(study)
        verdicts = study.judge(self._objective, confidence=self._confidence)
        self.verdicts.update(zip(values, verdicts, strict=True))

    def met(self, value: float) -> bool:
        """Whether a value that is new meets the objective."""
        self.look([value])
        return self.verdicts[value].met

    def study(self) -> Study:
        """All runs as one study, in the order of values."""
        parts = [
            (point.levels[self._find], point, study, place)
            for study in self._studies
            for place, point in enumerate(study.points)
        ]
        parts.sort(key=lambda part: part[0])
        outcomes = {
            (place, replication): outcome
            for place, (_, _, study, before) in enumerate(parts)
            for (point, replication), outcome in study.outcomes.items()
            if point == before
        }
        values = [value for value, *_ in parts]
        return Study(
            experiment=self._experiment.vary(self._find, values),
            points=tuple(point for _, point, *_ in parts),
            outcomes=outcomes,
        )


def _first(search: _Search, looks: Sequence[float], finest: float, *, whole: bool) -> float | None:
    """The first value, in the order of the looks, that meets the objective, by bisection before the first that does."""
    place = next((place for place, value in enumerate(looks) if search.verdicts[value].met), None)
    if place is None:
        return None
    good = looks[place]
    if not place:
        return good
    bad = looks[place - 1]
    while abs(good - bad) > finest:
        middle = (good + bad) // 2 if whole else _rounded((good + bad) / 2, finest)
        if middle in (good, bad):  # neighbours among floats: nothing is between them, however fine it is wanted
            break
        if search.met(middle):
            good = middle
        else:
            bad = middle
    return good


def _range(find: str, between: object) -> tuple[float, float]:
    if not isinstance(find, str):
        raise DeclarationError("find", f"{find!r} is not a path such as workers.mailers.count")
    if not isinstance(between, Sequence) or isinstance(between, str) or len(between) != 2:  # noqa: PLR2004 - low and high
        raise DeclarationError("between", f"{between!r} is not a range; allowed: (lowest, highest)")
    for bound in between:
        check_number("between", bound, low=-inf)
    low, high = (plain(bound) for bound in between)
    if not low < high:
        raise DeclarationError("between", f"{between!r} is an empty range; allowed: (lowest, highest)")
    return low, high


def _looks(low: float, high: float, finest: float, *, whole: bool) -> list[float]:
    """Values over a range, both ends among them; round ones, as far as that makes no difference."""
    if low > 0 and high / low >= WIDE:
        found = [low * (high / low) ** (step / (LOOKS - 1)) for step in range(LOOKS)]
        inside = [round(value) if whole else float(f"{value:.3g}") for value in found[1:-1]]
    else:
        found = [low + (high - low) * step / (LOOKS - 1) for step in range(LOOKS)]
        inside = [round(value) if whole else _rounded(value, finest) for value in found[1:-1]]
    return sorted({low, high, *(value for value in inside if low < value < high)})


def _rounded(value: float, finest: float) -> float:
    """To the power of ten that is at most `finest`: of two values farther apart than that, the middle stays between."""
    return round(value, -floor(log10(finest))) if 0 < finest < inf else value


def _distance(verdict: Verdict) -> float:
    """How far a verdict's worst term is from being met, as a ratio's logarithm; NaN is farthest.

    A limit of 0 has no ratio: what misses one is further than any that has, by as much as it misses it.
    """
    worst = -inf
    for term, estimate in verdict.lacking:
        reached, wanted = (estimate.value, term.threshold) if term.bounded_above else (term.threshold, estimate.value)
        if not isfinite(reached) or not isfinite(wanted):
            return inf
        ratio = log(reached) - log(wanted) if reached > 0 and wanted > 0 else FAR + max(0.0, reached - wanted)
        worst = max(worst, ratio)
    return worst
