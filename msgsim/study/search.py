"""The search of a plan: which values are tried, with how many replications, and where it ends."""

from collections.abc import Callable, Mapping, Sequence
from math import ceil, floor, inf, isfinite, log10
from typing import Any

import attrs

from msgsim.errors import DeclarationError, UnknownName
from msgsim.study.course import Course
from msgsim.study.design import Point
from msgsim.study.experiment import Experiment
from msgsim.study.jobs import Outcome
from msgsim.study.objectives import Objective
from msgsim.study.results import Study
from msgsim.study.rounds import of_each
from msgsim.study.verdicts import Verdict

LOOKS = 6
"""Values over the whole range that are tried first: bisection alone would not see one that holds, and then fails."""

WIDE = 10.0
"""From this ratio of the bounds on, first looks are spread by ratio and not by difference."""


@attrs.frozen(kw_only=True)
class Trial:
    """A value that was tried.

    Attributes:
        value: of what is sought.
        verdict: whether it meets the objective, with the estimates of its terms.
        replications: that these are of.
        finished: False if Ctrl-C came before the first round was: then it has no say.
    """

    value: float
    verdict: Verdict
    replications: int
    finished: bool = True

    @property
    def met(self) -> bool:
        """Whether the whole confidence interval of each term meets the objective."""
        return self.finished and self.verdict.met

    @property
    def missed(self) -> bool:
        """Whether the whole confidence interval of some term does not meet it."""
        return self.finished and self.verdict.missed

    @property
    def state(self) -> str:
        """The same in words: "met", "not met", or "not sure" if the interval of a term is on both sides."""
        if not self.finished:
            return "interrupted"
        return "met" if self.met else "not met" if self.missed else "not sure"

    @property
    def is_open(self) -> bool:
        """Whether more replications may show that it meets the objective.

        Not if one of them had nothing to measure, or an infinite value: what is added does not mend that.
        """
        if self.state != "not sure":
            return False
        return all(isfinite(each.value) and not each.missing for each in self.verdict.estimates)


class Search:
    """Values that have been looked at.

    Args:
        experiment: that makes runs of one value; its `replications` are those of the first round.
        find: the path of what is sought.
        objective: what must hold.
        rounds: how many replications a value has after each round.
        confidence: of what is said of a value, after however many rounds.
        how: who makes the runs, who hears of it, and where they are kept, as `Experiment.run` has them.
    """

    def __init__(
        self,
        experiment: Experiment,
        find: str,
        objective: Objective,
        rounds: Sequence[int],
        confidence: float,
        how: Mapping[str, Any],
    ) -> None:
        self._experiment = experiment
        self._find = find
        self._objective = objective
        self._rounds = rounds
        self._confidence = confidence
        self._how = how
        self._points: dict[float, Point] = {}
        self._outcomes: dict[float, dict[int, Outcome]] = {}
        self._trials: dict[float, Trial] = {}

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Those so far, in the order of values."""
        return tuple(self._trials[value] for value in sorted(self._trials))

    def look(self, values: Sequence[float]) -> None:
        """Make the first round of some values that are new.

        Raises:
            KeyboardInterrupt: there was one, or whoever hears of progress wants no more; what has finished is kept.
        """
        self._take(self._experiment.vary(self._find, list(values)).run(**self._how))

    def met(self, value: float) -> bool:
        """Whether a value meets the objective, by as many rounds as it takes to tell, as far as they go.

        Raises:
            KeyboardInterrupt: as above.
        """
        if value not in self._trials:
            self.look([value])
        for size in self._rounds[1:]:
            trial = self._trials[value]
            if not trial.is_open:
                break
            if size > trial.replications:
                self._grow(value, size)
        return self._trials[value].met

    def study(self) -> Study:
        """All runs as one study, in the order of values."""
        trials = self.trials
        most = max(self._rounds[0], *(len(self._outcomes[trial.value]) for trial in trials))
        experiment = attrs.evolve(self._experiment, replications=most)
        return Study(
            experiment=experiment.vary(self._find, [trial.value for trial in trials]),
            points=tuple(self._points[trial.value] for trial in trials),
            outcomes={
                (place, replication): outcome
                for place, trial in enumerate(trials)
                for replication, outcome in self._outcomes[trial.value].items()
            },
            interrupted=not all(trial.finished for trial in trials),
        )

    def _grow(self, value: float, size: int) -> None:
        """Make another round of a value."""
        experiment = attrs.evolve(self._experiment, replications=size).vary(self._find, [value])
        known = {(0, replication): outcome for replication, outcome in self._outcomes[value].items()}
        how = self._how
        course = Course(experiment, [self._points[value]], how["results"], known)
        self._take(course.through(how["executor"], how["n_jobs"], how["progress"]))

    def _take(self, study: Study) -> None:
        """Keep what has finished, and judge it."""
        found: dict[int, dict[int, Outcome]] = {}
        for (place, replication), outcome in study.outcomes.items():
            found.setdefault(place, {})[replication] = outcome
        for place, outcomes in found.items():
            point = study.points[place]
            value = point.levels[self._find]
            self._points[value], self._outcomes[value] = point, outcomes
            finished = len(outcomes) == study.experiment.replications
            if finished or value not in self._trials:  # else what the round before has told is still true
                self._trials[value] = self._judged(study, point, len(outcomes), finished=finished)
        if study.interrupted:
            raise KeyboardInterrupt

    def _judged(self, study: Study, point: Point, replications: int, *, finished: bool) -> Trial:
        each = of_each(self._confidence, len(self._rounds))
        [verdict] = study.judge(self._objective, point.levels, confidence=each)
        # Wider by as much as it takes to stop at any round: what stops there holds as often as this says.
        stated = tuple(
            attrs.evolve(estimate, confidence=self._confidence, coverage=self._confidence)
            for estimate in verdict.estimates
        )
        verdict = attrs.evolve(verdict, estimates=stated)
        return Trial(value=point.levels[self._find], verdict=verdict, replications=replications, finished=finished)


def first_met(met: Callable[[float], bool], looks: Sequence[float], finest: float, *, whole: bool) -> float | None:
    """The first value, in the order of the looks, that meets the objective, by bisection before the first that does.

    Args:
        met: whether a value does; not asked about looks beyond the first that does.
        looks: upwards or downwards.
        finest: how close the answer must be.
        whole: whether there are whole numbers only.
    """
    place = next((place for place, value in enumerate(looks) if met(value)), None)
    if place is None:
        return None
    good = looks[place]
    if not place:
        return good
    bad = looks[place - 1]
    while abs(good - bad) > finest:
        middle = (good + bad) // 2 if whole else rounded((good + bad) / 2, finest)
        if middle in (good, bad):  # neighbours among floats: nothing is between them, however fine it is wanted
            break
        if met(middle):
            good = middle
        else:
            bad = middle
    return good


def looks_over(low: float, high: float, finest: float, *, whole: bool) -> list[float]:
    """Values over a range, both ends among them; round ones, as far as that makes no difference."""
    if low > 0 and high / low >= WIDE:
        found = [low * (high / low) ** (step / (LOOKS - 1)) for step in range(LOOKS)]
        inside = [round(value) if whole else float(f"{value:.3g}") for value in found[1:-1]]
    else:
        found = [low + (high - low) * step / (LOOKS - 1) for step in range(LOOKS)]
        inside = [round(value) if whole else rounded(value, finest) for value in found[1:-1]]
    return sorted({low, high, *(value for value in inside if low < value < high)})


def rounded(value: float, finest: float) -> float:
    """To the power of ten that is at most `finest`: of two values farther apart than that, the middle stays between."""
    return round(value, -floor(log10(finest))) if 0 < finest < inf else value


def check_whole(experiment: Experiment, find: str, between: tuple[float, float]) -> None:
    """Refuse bounds that are not both whole of something that takes whole numbers only, and say so.

    Args:
        experiment: in whose scenario it is.
        find: its path.
        between: the bounds.

    Raises:
        DeclarationError: as it says. Whatever else is wrong with a bound is not found here.
    """
    low, high = between
    if isinstance(low, int) and isinstance(high, int):
        return
    for look in looks_over(low, high, (high - low) / LOOKS, whole=False):
        value = min(max(low, floor(look) + 0.5), high)
        if value != round(value) and _refuses(experiment, find, value) and not _refuses(experiment, find, round(value)):
            least, greatest = ceil(low), floor(high)
            such = f", such as {(least, greatest)}" if least < greatest else ""
            problem = f"{between!r} is not allowed: {find} takes whole numbers; allowed: whole bounds{such}"
            raise DeclarationError("between", problem)


def _refuses(experiment: Experiment, find: str, value: float) -> bool:
    try:
        experiment.scenario.vary(find, value)
    except (DeclarationError, UnknownName):
        return True
    return False
