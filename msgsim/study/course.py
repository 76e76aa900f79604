"""An experiment under way: which runs are still to be made, and what becomes of each that comes back."""

from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

import attrs

from msgsim.errors import StudyError
from msgsim.study.design import Point, repeated
from msgsim.study.executors import run_all
from msgsim.study.identity import filed
from msgsim.study.jobs import Failure, Job, Outcome
from msgsim.study.measures import Key
from msgsim.study.progress import Report, shown
from msgsim.study.results import Study
from msgsim.study.store import ResultsFile

if TYPE_CHECKING:
    from msgsim.study.experiment import Experiment


class Course:
    """An experiment under way.

    Args:
        experiment: with its warm-up.
        points: its design points.
        results: a file that keeps each finished run.
        known: runs that were made before, by place of the point and replication: they are not made again.
    """

    def __init__(
        self,
        experiment: "Experiment",
        points: list[Point],
        results: "str | PathLike[str] | None",
        known: Mapping[tuple[int, int], Outcome] | None = None,
    ) -> None:
        self._experiment = experiment
        self._points = points
        self._results = results
        self._outcomes: dict[tuple[int, int], Outcome] = {}
        self._columns: dict[tuple[Key, ...], tuple[Key, ...]] = {}
        self._named: dict[int, tuple[Key, ...]] = {}
        self._failed: tuple[Job, Failure] | None = None
        self._stopped = False
        self._wanted = experiment.replications
        for (point, replication), outcome in (known or {}).items():
            self._outcomes[point, replication] = self._shared(point, outcome)
        self._read = 0

    def through(self, executor: Any, n_jobs: int | None, progress: Report | bool | None) -> Study:
        """Make all runs that are not there; see `Experiment.run`."""
        if self._results is None:
            return self._rounds(None, [], executor, n_jobs, progress)
        keys = self._keys()
        with ResultsFile(self._results, self._experiment.identity()) as file:
            return self._rounds(file, keys, executor, n_jobs, progress)

    def _rounds(
        self,
        file: ResultsFile | None,
        keys: list[str],
        executor: Any,
        n_jobs: int | None,
        progress: Report | bool | None,
    ) -> Study:
        """As many replications as are wanted, or as it takes."""
        while True:
            if file is not None:
                self._recall(file, keys)
            self._go(file, keys, executor, n_jobs, progress)
            study, precision = self._study(), self._experiment.precision
            if precision is None or study.interrupted:
                return study
            following = precision.next_after(study, self._wanted)
            if following == self._wanted:
                return attrs.evolve(study, imprecise=tuple(precision.shortfalls(study)))
            if self._stopped:  # with the last run of a round
                return attrs.evolve(study, interrupted=True)
            self._wanted = following

    def _recall(self, file: ResultsFile, keys: list[str]) -> None:
        """Have the runs that a file has, those of earlier rounds only once."""
        for (point, replication), outcome in file.finished(keys, range(self._read, self._wanted)):
            self._outcomes[point, replication] = self._shared(point, outcome)
        self._read = self._wanted

    def _go(
        self,
        file: ResultsFile | None,
        keys: list[str],
        executor: Any,
        n_jobs: int | None,
        progress: Report | bool | None,
    ) -> None:
        wanted = self._wanted
        terms = self._experiment.terms()
        jobs = [
            Job(place, replication, point.scenario, terms)
            for replication in range(wanted)
            for place, point in enumerate(self._points)
            if (place, replication) not in self._outcomes
        ]
        total = wanted * len(self._points)

        with shown(progress) as report:

            def save(job: Job, outcome: Outcome | Failure) -> bool:
                if isinstance(outcome, Outcome):
                    outcome = self._alike(job, self._shared(job.point, outcome))
                if isinstance(outcome, Failure):
                    self._failed = (job, outcome)
                    return False
                self._outcomes[job.place] = outcome
                if file is not None:
                    file.save(keys[job.point], job.replication, outcome)
                self._stopped = report(len(self._outcomes), total) is False
                return not self._stopped

            try:
                self._stopped = report(len(self._outcomes), total) is False
                if jobs and not self._stopped:
                    run_all(jobs, executor, n_jobs, save)
            except KeyboardInterrupt:
                self._stopped = True
            except StudyError as error:
                error.study = self._study()
                raise
        if self._failed is not None:
            job, failure = self._failed
            raised = StudyError(
                f"replication {job.replication} of design point {self._points[job.point]} failed: {failure.error}"
            )
            raised.study = self._study()
            raise raised

    def _shared(self, point: int, outcome: Outcome) -> Outcome:
        """The same with the columns of the runs before it: from a worker each comes with its own, the most of it."""
        columns = self._columns.setdefault(outcome.columns, outcome.columns)
        self._named.setdefault(point, columns)
        return outcome if columns is outcome.columns else attrs.evolve(outcome, columns=columns)

    def _alike(self, job: Job, outcome: Outcome) -> Outcome | Failure:
        """Refuse a run that was measured in other terms than others of its design point."""
        if outcome.columns is self._named[job.point]:
            return outcome
        odd = sorted(name for _, name in set(outcome.columns).symmetric_difference(self._named[job.point]))
        allowed = "allowed: the same names for every run of a design point, with NaN where there is nothing"
        return Failure(f"measure: returned {', '.join(odd)} for some runs and not for others; {allowed}")

    def _keys(self) -> list[str]:
        """Of the design points in a results file.

        Raises:
            StudyError: two are the same, such as those of two functions without a name.
        """
        keys = [filed(point) for point in self._points]
        if (twice := repeated(keys)) is not None:
            problem = f"a results file can't tell design point {twice} from one before it: {self._points[twice]}"
            raise StudyError(f"{problem}; functions are told apart by their names")
        return keys

    def _study(self) -> Study:
        wanted = self._wanted * len(self._points)
        return Study(
            experiment=attrs.evolve(self._experiment, replications=self._wanted),
            points=tuple(self._points),
            outcomes=dict(sorted(self._outcomes.items())),
            interrupted=len(self._outcomes) < wanted,
        )
