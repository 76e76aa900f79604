"""The inverse question: which value does it take, such that an objective holds?"""

from collections.abc import Sequence
from math import inf, isfinite, log
from os import PathLike
from textwrap import fill
from typing import TYPE_CHECKING, Any

import attrs

from msgsim.declare import check_number, plain
from msgsim.errors import DeclarationError, StudyError
from msgsim.scenario import Scenario
from msgsim.study.design import brief
from msgsim.study.estimates import Estimate, as_confidence
from msgsim.study.experiment import MSER5, REPLICATIONS, Experiment
from msgsim.study.grids import as_html, as_text
from msgsim.study.objectives import Objective, Term, parse
from msgsim.study.prices import Prices
from msgsim.study.progress import Report
from msgsim.study.results import Study
from msgsim.study.rounds import of_each, rounds
from msgsim.study.search import Search, Trial, check_whole, first_met, looks_over
from msgsim.study.verdicts import Verdict

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SMALLEST, LARGEST = "smallest", "largest"

WIDTH = 100
"""Of the conclusion as text [characters]."""

FINE = 0.01
"""Of what is no whole number, the answer is found to within this share of the range."""

LEVEL = 0.05
"""Up to this share of it, a term makes no difference that is worth a range."""

FAR = 2000.0
"""Beyond the logarithm of any ratio of two floats."""


class PlanInterrupted(KeyboardInterrupt):
    """Ctrl-C before there was an answer.

    Attributes:
        plan: as far as it got.
    """

    def __init__(self, plan: "Plan") -> None:
        super().__init__(plan.conclusion)
        self.plan = plan


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
        study: all runs; values that took more rounds have more replications.
        confidence: of what is said of each value, after however many rounds.
        rounds: how many replications a value had after each round, as far as it took one. An interval is wide enough to
            be looked at after each: its level is that of `study.estimate(..., confidence=plan.level)`.
        interrupted: whether Ctrl-C came first; then `value` is the best answer among those that were tried.
    """

    find: str
    between: tuple[float, float]
    want: str
    objective: Objective
    value: float | None
    table: tuple[Trial, ...]
    study: Study
    confidence: float
    rounds: tuple[int, ...]
    interrupted: bool = False

    @property
    def level(self) -> float:
        """The confidence of a single look at an interval, such that all of them together have `confidence`."""
        return of_each(self.confidence, len(self.rounds))

    @property
    def scenario(self) -> Scenario:
        """The scenario with the answer in it.

        Raises:
            StudyError: there is no answer; says why.
        """
        if self.value is None or self.interrupted:
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
        return [trial.value for trial in self._open()]

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
        said = self._answer()
        if surprises := self._surprises():
            values = ", ".join(brief(value) for value in surprises)
            said += f" Beware: it is not monotone. Beyond the answer, {values} does not meet it; look at the curve."
        if (unsure := self._open()) and not self.interrupted:
            values = ", ".join(brief(trial.value) for trial in unsure)
            most = max(trial.replications for trial in unsure)
            said += (
                f" With {most} replications, the most that were allowed, it could not be told whether {values} will do."
            )
        return said

    def to_pandas(self) -> "pd.DataFrame":
        """Every value that was tried: value, replications, state, and for each term its estimate and interval.

        Raises:
            MissingExtra: pandas is not installed.
        """
        from msgsim.study.frames import table_of  # noqa: PLC0415 - pandas is an extra

        rows = []
        for trial in self.table:
            row: dict[str, Any] = {
                self.find: trial.value,
                "replications": trial.replications,
                "state": trial.state,
            }
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

    def _open(self) -> list[Trial]:
        """Trials of values that would be better answers, and of which more replications may tell."""
        return [trial for trial in self.table if trial.is_open and self._is_better(trial.value)]

    def _answer(self) -> str:
        """The answer in a sentence or two."""
        low, high = (brief(bound) for bound in self.between)
        among = f"value from {low} to {high}"
        if self.interrupted:
            among = f"value that was tried from {low} to {high}"
        said = "Interrupted, and not decided. " if self.interrupted else ""
        if self.value is not None:
            said += f"{self.find} = {brief(self.value)} is the {self.want} {among} such that "
            return f"{said}{self.objective}: {'; '.join(map(str, self.estimates))}."
        if self.interrupted:
            if not any(trial.finished for trial in self.table):
                return "Interrupted before any value could be judged."
            return f"{said}No value of {self.find} that was tried meets {self.objective}."
        best = self.best
        reasons = "; ".join(f"{term}: {estimate}" for term, estimate in best.verdict.lacking)
        said = f"No value of {self.find} from {low} to {high} meets {self.objective}."
        said += f" The best that was tried is {brief(best.value)}, with {reasons}."
        return f"{said} {self._why_not(best)}".rstrip()

    def _why_not(self, best: Trial) -> str:
        """Whether another range may help, by what each value makes of the terms that the best one does not meet."""
        lacking = [term for term, _ in best.verdict.lacking]
        if not all(isfinite(estimate.value) for _, estimate in best.verdict.lacking):
            return ""
        if all(map(self._is_level, lacking)):
            return f"It is much the same at every value that was tried: something else than {self.find} decides it."
        ends = dict(zip(self.between, ("lowest", "highest"), strict=True))
        if best.value in ends:
            return f"That is the {ends[best.value]} value allowed; beyond it there may be one."
        return "The values that were tried on both sides of it are worse."

    def _is_level(self, term: Term) -> bool:
        """Whether all values that were tried make nearly the same of a term."""
        found = [estimate.value for trial in self.table for each, estimate in trial.verdict.terms if each == term]
        return max(found) - min(found) <= LEVEL * max(map(abs, found))

    def _surprises(self) -> list[float]:
        """Values on the far side of the answer that surely do not meet the objective."""
        if self.value is None:
            return []
        return [
            trial.value
            for trial in self.table
            if trial.value != self.value and not self._is_better(trial.value) and trial.missed
        ]

    def _heads(self) -> list[str]:
        terms = [f"{term.statistic}({term.entity}.{term.metric})" for term in self.objective.terms]
        return [self.find, "runs", *terms, str(self.objective) if len(terms) == 1 else "all of them"]

    def _cells(self) -> list[list[str]]:
        return [
            [
                brief(trial.value),
                str(trial.replications),
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
    replications: int = REPLICATIONS,
    most: int | None = None,
    seed: int = 0,
    tolerance: float | None = None,
    prices: Prices | str | PathLike[str] | None = None,
    executor: Any = None,
    n_jobs: int | None = None,
    progress: Report | bool | None = None,
    results: "str | PathLike[str] | None" = None,
) -> Plan:
    """Find the smallest (or largest) value of one thing such that an objective holds.

    A value meets the objective if the whole confidence interval of each of its terms does. A few values over the whole
    range come first; then bisection between the first one that meets it and its neighbour that does not. All values
    have the same random numbers, so that chance does not decide between neighbours.

    Where an interval is on both sides of the limit, and the answer depends on it, the value gets twice as many
    replications, and again, until it is clear or there are `most`. Who looks again is wrong more often: so intervals
    are wider, such that they hold with `confidence` after however many rounds (see `study.rounds`). With `most` equal
    to `replications` there is one round, and intervals are as wide as those of an experiment.

    Args:
        scenario: what takes part.
        find: the path of a number, such as `workers.mailers.count`, `queues.emails.visibility_timeout`,
            `outboxes.ses.max_send_rate` or `traffic.shop.rate.1.height`.
        between: lowest and highest value; whole numbers if both are.
        such_that: the objective, such as "p99(emails.sojourn_time) < 60".
        want: "smallest", or "largest": the highest spike that the system survives.
        confidence: of what is said of each value, after however many rounds.
        horizon: of each run [s]; None for the scenario's own.
        warm_up: what happens before is left out of means and quantiles [s]; None for the scenario's own.
        replications: independent runs of each value in the first round.
        most: replications of a value at most; None for four times as many as in the first round.
        seed: of all random streams.
        tolerance: of what is no whole number, how close the answer must be; None for 1 % of the range.
        prices: by which runs are priced, or the path of a price list; None for the list that is shipped.
        executor: see `Experiment.run`.
        n_jobs: worker processes; None for one for each core.
        progress: True shows a bar; or a function that is called with the runs done and wanted.
        results: a file that keeps each finished run.

    Returns:
        The plan; its `value` is None if no value that was tried meets the objective.

    Raises:
        PlanInterrupted: Ctrl-C, or `progress` returned False; it has the plan as far as it got.
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
    sizes = rounds(replications, most)
    terms: dict[str, Any] = {
        "horizon": horizon,
        "warm_up": warm_up,
        "replications": replications,
        "seed": seed,
        "prices": prices,
    }
    experiment = Experiment(scenario, **terms)
    check_whole(experiment, find, (low, high))
    objective = parse(such_that).check(experiment.vary(find, [low, high]).points()[-1].scenario)
    how = {"executor": executor, "n_jobs": n_jobs, "progress": progress, "results": results}
    search = Search(experiment, find, objective, sizes, confidence, how)
    looks = looks_over(low, high, finest, whole=whole)

    def made(value: float | None, *, interrupted: bool = False) -> Plan:
        return Plan(
            find=find,
            between=(low, high),
            want=want,
            objective=objective,
            value=value,
            table=search.trials,
            study=search.study(),
            confidence=confidence,
            rounds=sizes,
            interrupted=interrupted,
        )

    try:
        search.look(looks)
        value = first_met(search.met, looks if want == SMALLEST else looks[::-1], finest, whole=whole)
    except KeyboardInterrupt:
        if not search.trials:
            raise
        met = [trial.value for trial in search.trials if trial.met]
        raise PlanInterrupted(made(met[0 if want == SMALLEST else -1] if met else None, interrupted=True)) from None
    return made(value)


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
