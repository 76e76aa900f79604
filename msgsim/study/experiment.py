"""Experiment: many runs of a scenario and its variations, declared."""

import re
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from math import inf, isfinite
from os import PathLike
from typing import TYPE_CHECKING, Any

import attrs

from msgsim.declare import as_float, as_int, check_number, copied, instance, number, plain
from msgsim.errors import DeclarationError, StudyError, UnknownName
from msgsim.metrics import COUNTER, GAUGE
from msgsim.scenario import Scenario
from msgsim.simulation import Simulation
from msgsim.study.design import ALTERNATIVE, Point, changed, grid, latin_hypercube, repeated
from msgsim.study.estimates import as_confidence
from msgsim.study.executors import run_all
from msgsim.study.jobs import Extra, Failure, Job, Outcome, Terms
from msgsim.study.measures import Key
from msgsim.study.prices import Prices, load_prices
from msgsim.study.results import Study
from msgsim.study.sequential import grown, needed
from msgsim.study.store import ResultsFile, release
from msgsim.study.vocabulary import WHOLE, Vocabulary, refuse_statistic

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

MSER5 = "mser5"
"""Instead of a warm-up: find one."""

REPLICATIONS = 10

MOST_POINTS = 100_000
"""Design points of a study."""

ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")
"""In the repr of a function or an object: another one in each process."""

Progress = Callable[[int, int], bool | None]
"""Called with the runs that are done and those that are wanted; returning False ends the study there."""


def _as_series(given: Any) -> Any:
    """Texts such as "emails.visible" as (entity, metric)."""
    given = (given,) if isinstance(given, str) else given
    if not isinstance(given, Sequence):
        return given
    return tuple(tuple(each.rsplit(".", 1)) if isinstance(each, str) else each for each in given)


def _check_keys(_owner: object, _attribute: "attrs.Attribute[Any]", value: object) -> None:
    if not isinstance(value, tuple) or not all(isinstance(key, tuple) and len(key) == 2 for key in value):  # noqa: PLR2004
        raise DeclarationError("series", f'{value!r} is not a list of series; allowed: such as ["emails.visible"]')


def _check_warm_up(_owner: object, _attribute: "attrs.Attribute[Any]", value: object) -> None:
    if value is not None and value != MSER5:
        if isinstance(value, str):
            raise DeclarationError("warm_up", f'{value!r} is not a warm-up; allowed: seconds, or "{MSER5}"')
        check_number("warm_up", value, unit="s")


def _check_measure(_owner: object, _attribute: "attrs.Attribute[Any]", value: object) -> None:
    if value is not None and not callable(value):
        raise DeclarationError("measure", f"{value!r} is not a function of a run")


@attrs.frozen
class Precision:
    """How well a measure must be known; see `Experiment.stop_when`."""

    entity: str
    measure: str
    relative: float = number(0.05, kw_only=False)
    absolute: float = number(0.0, kw_only=False)
    confidence: float = attrs.field(default=0.95, converter=as_confidence)
    most: int = number(1000, low=2, integer=True, kw_only=False)

    def next_after(self, study: Study, done: int) -> int:
        """How many replications to have next; `done` if that many will do, or no number would."""
        wanted = done
        for point in study.points:
            estimate = study.estimate(self.entity, self.measure, point.levels, confidence=self.confidence)
            if estimate.n < 2:  # noqa: PLR2004 - no interval yet: others of the replications have had nothing to measure
                wanted = max(wanted, grown(done, inf))
                continue
            target = max(self.absolute, self.relative * abs(estimate.value))
            if isfinite(estimate.half_width) and estimate.half_width > target:
                wanted = max(wanted, grown(done, needed(estimate, target)))
        return min(wanted, self.most)


@attrs.frozen
class Experiment:
    """Many runs of a scenario and its variations.

    Replication r of each design point uses the same random numbers: streams are named by component, seed and
    replication. So what differs between two points is what was varied, and their differences are known far better than
    either (common random numbers).

    Args:
        scenario: what takes part.
        horizon: of each run [s]; None for the scenario's own.
        warm_up: what happens before is left out of means and quantiles [s]; None for the scenario's own; "mser5" finds
            one, the longest that any design point needs, by MSER-5 on all messages in the system.
        replications: independent runs of each design point.
        seed: of all random streams; same experiment and seed, same numbers.
        probe: time between readings [s]; None for 1 % of the horizon, at most 60 s.
        series: gauges and counters whose readings are kept, such as ["emails.visible"], for pictures.
        measure: a function of a `Run` that returns more numbers by name; they are measures of the entity "*".
        prices: by which runs are priced, or the path of a price list; None for the list that is shipped.
        precision: when to stop; see `stop_when`.
        factors: the values of each path, all combined; see `vary`.
        samples: sampled points; see `latin_hypercube`.
        alternatives: scenarios by name; see `compare`.

    Raises:
        DeclarationError: an argument is not allowed.
    """

    scenario: Scenario = instance(Scenario, "a Scenario")
    horizon: float | None = attrs.field(kw_only=True, default=None, converter=as_float)
    warm_up: float | str | None = attrs.field(kw_only=True, default=None, converter=as_float, validator=_check_warm_up)
    replications: int = number(REPLICATIONS, low=1, integer=True, kw_only=True)
    seed: int = attrs.field(kw_only=True, default=0, converter=as_int)
    probe: float | None = number(None, above=True, unit="s", optional=True, kw_only=True)
    series: tuple[Key, ...] = attrs.field(kw_only=True, default=(), converter=_as_series, validator=_check_keys)
    measure: Extra | None = attrs.field(kw_only=True, default=None, validator=_check_measure)
    prices: Prices | str | PathLike[str] | None = attrs.field(kw_only=True, default=None)
    precision: Precision | None = attrs.field(kw_only=True, default=None)
    factors: Mapping[str, tuple[Any, ...]] = attrs.field(kw_only=True, factory=dict, converter=copied)
    samples: tuple[Mapping[str, Any], ...] = attrs.field(kw_only=True, default=({},))
    alternatives: Mapping[str, Scenario] = attrs.field(kw_only=True, factory=dict, converter=copied)

    def __attrs_post_init__(self) -> None:
        # A simulation checks all of these, and in the words of a single run.
        warm_up = None if isinstance(self.warm_up, str) else self.warm_up
        trial = Simulation(self.scenario, seed=self.seed, warm_up=warm_up, probe=self.probe, horizon=self.horizon)
        if trial.warm_up >= self.length:
            raise DeclarationError("warm_up", f"{trial.warm_up!r} leaves nothing of a run of {self.length!r} s")
        vocabulary = Vocabulary.of(self.scenario)
        for entity, name in self.series:
            metric = vocabulary.metric(entity, name)
            if metric.shape not in (COUNTER, GAUGE):
                raise DeclarationError("series", f"{entity}.{metric.name} has no values over time, but {metric.shape}s")

    @property
    def length(self) -> float:
        """The horizon [s]."""
        return self.scenario.horizon if self.horizon is None else self.horizon

    def vary(self, path: str, values: Sequence[Any]) -> "Experiment":
        """The same with a factor: a design point for each value at a path. Several factors are combined.

        Args:
            path: such as `workers.mailers.count`.
            values: at least one, all different.

        Raises:
            UnknownName: the path does not exist.
            DeclarationError: no values, one twice, or the path is varied already, or given for the whole experiment.
        """
        if isinstance(values, (str, Mapping, AbstractSet)) or not _listable(values):
            raise DeclarationError(f"{path}", f"{values!r} is not a list of values, which have an order")
        found = tuple(values)
        if not found:
            raise DeclarationError(f"{path}", "there are no values to vary it over")
        if (twice := repeated(found)) is not None:
            raise DeclarationError(f"{path}", f"{found[twice]!r} is there twice")
        self._check_free(path)
        if path in {"horizon", "warm_up"} and getattr(self, path) is not None:
            raise DeclarationError(path, f"the experiment has a {path} for all its runs; allowed: vary it, or give it")
        for scenario in self.alternatives.values() or (self.scenario,):
            _check_path(scenario, path, found[0])
        return attrs.evolve(self, factors={**self.factors, path: found})

    def latin_hypercube(self, ranges: Mapping[str, tuple[float, float]], points: int) -> "Experiment":
        """The same with points that spread over ranges of several paths, far fewer than a grid would need.

        Args:
            ranges: lowest and highest value by path; whole numbers if both are.
            points: how many.

        Raises:
            UnknownName: a path does not exist.
            DeclarationError: a range is empty, or its path is varied already.
            MissingExtra: scipy is not installed.
        """
        sampled = latin_hypercube(ranges, points, self.seed)
        for path, value in sampled[0].items():
            self._check_free(path)
            _check_path(self.scenario, path, value)
        return attrs.evolve(self, samples=tuple(sampled))

    def compare(
        self, a: Scenario | Mapping[str, Any], b: Scenario | Mapping[str, Any], *, names: Sequence[str] = ("a", "b")
    ) -> "Experiment":
        """The same for two alternatives, told apart by the column "alternative".

        Args:
            a: a scenario, or values by path that this experiment's scenario has instead; {} for as it is.
            b: the same.
            names: of the two.

        Raises:
            UnknownName: a path does not exist.
            DeclarationError: a value is not allowed, or there are alternatives already.
        """
        if self.alternatives:
            raise DeclarationError("compare", "there are alternatives already")
        if len(set(names)) != 2 or not all(isinstance(name, str) and name for name in names):  # noqa: PLR2004 - two
            raise DeclarationError("names", f"{names!r} are not two different names")
        made = {}
        for name, given in zip(names, (a, b), strict=True):
            if not isinstance(given, (Scenario, Mapping)):
                raise DeclarationError(name, f"{given!r} is neither a Scenario nor values by path")
            made[name] = given if isinstance(given, Scenario) else changed(self.scenario, given)
        return attrs.evolve(self, alternatives=made)

    def stop_when(
        self,
        entity: str,
        measure: str,
        *,
        relative: float = 0.05,
        absolute: float = 0.0,
        confidence: float = 0.95,
        most: int = 1000,
    ) -> "Experiment":
        """The same with as many replications as it takes, `replications` of them first.

        It stops when the half width of the measure's interval is small enough at every design point: `relative` times
        its mean, or `absolute`, whichever is more. All points have the same number of replications. See `sequential`
        for what such a rule does to intervals.

        Args:
            entity: whose measure it is; "*" for the whole scenario.
            measure: such as "sojourn_time.p99"; what has a value in fewer than two replications needs more.
            relative: a share of the mean.
            absolute: in the unit of the measure; for means that may be 0.
            confidence: of the interval.
            most: replications at most.

        Raises:
            DeclarationError: an argument is not allowed.
            UnknownName: there is no such measure. Those of one's own are only known when a run has ended.
        """
        if self.measure is None or entity != WHOLE:
            metric, _, statistic = str(measure).partition(".")
            for scenario in self.alternatives.values() or (self.scenario,):
                found = Vocabulary.of(scenario).metric(entity, metric)
                refuse_statistic(entity, found, statistic)
                measure = f"{found.name}.{statistic}"
        precision = Precision(entity, measure, relative, absolute, confidence, most)
        if self.replications < 2:  # noqa: PLR2004 - one value has no interval
            raise DeclarationError("replications", "1 gives no interval to begin with; allowed: 2 or more")
        check_number("most", most, low=self.replications, integer=True)
        return attrs.evolve(self, precision=precision)

    def points(self) -> list[Point]:
        """The design points, in the order of the table.

        Raises:
            DeclarationError: a combination of values is not allowed; says which. Or there are too many.
        """
        size = len(self.samples) * max(1, len(self.alternatives))
        for values in self.factors.values():
            size *= len(values)
        if size > MOST_POINTS:
            raise DeclarationError("factors", f"{size:,} design points; allowed: up to {MOST_POINTS:,}")
        return grid(self.alternatives or {"": self.scenario}, self.samples, self.factors)

    def run(
        self,
        executor: Any = None,
        n_jobs: int | None = None,
        progress: Progress | bool | None = None,
        *,
        results: "str | PathLike[str] | None" = None,
    ) -> Study:
        """Make all runs.

        The numbers are the same whoever makes them, in whatever order. Ctrl-C ends a study early, with what has
        finished.

        Args:
            executor: None for worker processes on this machine, if the work is worth it; "sequential" for this process;
                "joblib" for what `joblib.parallel_config` says; an executor of `concurrent.futures`; a client of Dask.
            n_jobs: worker processes; None for one for each core.
            progress: True shows a bar; or a function that is called with the runs done and wanted.
            results: a file that keeps each finished run; the same experiment goes on from there, with more
                replications or more values if you like.

        Raises:
            DeclarationError: an argument or a design point is not allowed.
            StudyError: a run failed, workers die, or the file can't be used; its `study` has what has finished.
            MissingExtra: joblib is not installed, but needed.
        """
        if n_jobs is not None:
            check_number("n_jobs", n_jobs, low=-inf, integer=True)
            if n_jobs == 0:
                raise DeclarationError("n_jobs", "0 is not allowed; allowed: 1 or more, or -1 for one for each core")
        experiment = self
        points = self.points()
        if self.warm_up == MSER5:
            from msgsim.study.pilot import longest_warm_up  # noqa: PLC0415 - few ask

            experiment = attrs.evolve(self, warm_up=longest_warm_up(self, points, executor, n_jobs))
        return _Course(experiment, points, results).through(executor, n_jobs, progress)

    def terms(self) -> Terms:
        """How each run is made."""
        warm_up = self.warm_up
        if isinstance(warm_up, str):
            warm_up = 0.0
        prices = self.prices if isinstance(self.prices, Prices) else load_prices(self.prices)
        return Terms(self.horizon, warm_up, self.seed, self.probe, self.series, self.measure, prices)

    def identity(self) -> dict[str, str]:
        """What all runs of a results file have in common."""
        return {
            "msgsim": release(),
            "scenario": _written(self.scenario) if not self.alternatives else "several",
            "horizon": repr(self.length),
            "warm-up": repr(self.scenario.warm_up if self.warm_up is None else self.warm_up),
            "seed": repr(self.seed),
            "probe": repr(self.probe),
            "series": ", ".join(".".join(key) for key in self.series) or "none",
            "measure": getattr(self.measure, "__qualname__", ADDRESS.sub("", repr(self.measure))),
            "price list": f"as shipped, of {load_prices().date}" if self.prices is None else repr(self.terms().prices),
            **{f"alternative {name}": _written(scenario) for name, scenario in self.alternatives.items()},
        }

    def _check_free(self, path: str) -> None:
        if path in self.factors or any(path in sample for sample in self.samples):
            raise DeclarationError(f"{path}", "is varied already")
        if path == ALTERNATIVE:
            raise DeclarationError(f"{path}", "is the column of alternatives")


class _Course:
    """An experiment under way."""

    def __init__(self, experiment: Experiment, points: list[Point], results: "str | PathLike[str] | None") -> None:
        self._experiment = experiment
        self._points = points
        self._results = results
        self._outcomes: dict[tuple[int, int], Outcome] = {}
        self._columns: dict[tuple[Key, ...], tuple[Key, ...]] = {}
        self._named: dict[int, tuple[Key, ...]] = {}
        self._failed: tuple[Job, Failure] | None = None
        self._stopped = False
        self._wanted = experiment.replications

    def through(self, executor: Any, n_jobs: int | None, progress: Progress | bool | None) -> Study:
        if self._results is None:
            return self._rounds(None, executor, n_jobs, progress)
        with ResultsFile(self._results, self._experiment.identity()) as file:
            return self._rounds(file, executor, n_jobs, progress)

    def _rounds(
        self, file: ResultsFile | None, executor: Any, n_jobs: int | None, progress: Progress | bool | None
    ) -> Study:
        """As many replications as are wanted, or as it takes."""
        while True:
            self._go(file, executor, n_jobs, progress)
            study, precision = self._study(), self._experiment.precision
            if precision is None or study.interrupted:
                return study
            following = precision.next_after(study, self._wanted)
            if following == self._wanted:
                return study
            if self._stopped:  # with the last run of a round
                return attrs.evolve(study, interrupted=True)
            self._wanted = following

    def _go(
        self, file: ResultsFile | None, executor: Any, n_jobs: int | None, progress: Progress | bool | None
    ) -> None:
        wanted = self._wanted
        keys = self._keys() if file is not None else []
        if file is not None:
            for (point, replication), outcome in file.finished(keys, wanted):
                self._outcomes[point, replication] = self._shared(point, outcome)
        terms = self._experiment.terms()
        jobs = [
            Job(place, replication, point.scenario, terms)
            for replication in range(wanted)
            for place, point in enumerate(self._points)
            if (place, replication) not in self._outcomes
        ]
        total = wanted * len(self._points)

        with _shown(progress) as report:

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
        return attrs.evolve(outcome, columns=columns)

    def _alike(self, job: Job, outcome: Outcome) -> Outcome | Failure:
        """Refuse a run that was measured in other terms than others of its design point."""
        if outcome.columns is self._named[job.point]:
            return outcome
        odd = sorted(name for _, name in set(outcome.columns).symmetric_difference(self._named[job.point]))
        allowed = "allowed: the same names for every run of a design point, with NaN where there is nothing"
        return Failure(f"measure: returned {', '.join(odd)} for some runs and not for others; {allowed}", ours=True)

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


def _shown(progress: Progress | bool | None) -> "AbstractContextManager[Progress]":
    """A context in which progress is reported as was asked for."""
    from msgsim.study.progress import bar, quietly, reporting  # noqa: PLC0415 - `rich` where a bar is wanted

    if progress is True:
        return bar()
    if progress is None or progress is False:
        return quietly()
    if not callable(progress):
        raise DeclarationError("progress", f"{progress!r} is not a function of the runs done and wanted")
    return reporting(progress)


def _listable(values: object) -> bool:
    try:
        iter(values)  # type: ignore[call-overload]
    except TypeError:
        return False
    return True


def _check_path(scenario: Scenario, path: str, value: Any) -> None:
    """Refuse a path that is not there; whether a value is allowed may depend on the other factors."""
    try:
        scenario.vary(path, value)
    except UnknownName:
        raise
    except DeclarationError:
        return


def filed(point: Point) -> str:
    """The key of a design point in a results file: the same for equal values in any process, and for no others.

    A declaration may be shown in short, as a trace is: a digest of the whole scenario is beside it.
    """
    key = ADDRESS.sub("", point.key)
    if all(value is None or isinstance(plain(value), (bool, int, float, str)) for value in point.levels.values()):
        return key
    from hashlib import sha256  # noqa: PLC0415 - few need it

    return f"{key} #{sha256(_written(point.scenario).encode()).hexdigest()[:24]}"


def _written(scenario: Scenario) -> str:
    try:
        return scenario.to_toml()
    except DeclarationError:  # a Python function is a handler: a file cannot hold it, but its name tells it apart
        bare = {name: attrs.evolve(pool, handler=None) for name, pool in scenario.workers.items()}
        names = ", ".join(
            f"{name}: {getattr(pool.handler, '__qualname__', 'a handler')}"
            for name, pool in scenario.workers.items()
            if pool.handler is not None
        )
        return f"{attrs.evolve(scenario, workers=bare).to_toml()}\n# handlers: {names}\n"
