"""Experiment: many runs of a scenario and its variations, declared."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from math import inf
from os import PathLike
from typing import Any

import attrs

from msgsim.declare import as_float, as_int, check_number, copied, instance, number
from msgsim.errors import DeclarationError, UnknownName
from msgsim.formats import release
from msgsim.metrics import COUNTER, GAUGE
from msgsim.scenario import Scenario
from msgsim.simulation import Simulation
from msgsim.study.course import Course
from msgsim.study.design import ALTERNATIVE, Point, changed, grid, latin_hypercube, repeated
from msgsim.study.identity import anywhere, written
from msgsim.study.jobs import Extra, Terms
from msgsim.study.measures import Key
from msgsim.study.precision import MOST, Precision
from msgsim.study.prices import Prices, load_prices
from msgsim.study.progress import Report
from msgsim.study.results import Study
from msgsim.study.vocabulary import WHOLE, Vocabulary, refuse_statistic

MSER5 = "mser5"
"""Instead of a warm-up: find one."""

REPLICATIONS = 10

MOST_POINTS = 100_000
"""Design points of a study."""


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
        if not isinstance(path, str):
            raise DeclarationError("path", f"{path!r} is not a path such as workers.mailers.count")
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
        if not _are_two_names(names):
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
        most: int = MOST,
    ) -> "Experiment":
        """The same with as many replications as it takes, `replications` of them first.

        It stops when the half width of the measure's interval is small enough at every design point: `relative` times
        its mean, or `absolute`, whichever is more. All points have the same number of replications. If it ends before,
        the study says so: see `Study.imprecise`. See `sequential` for what such a rule does to intervals.

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
        progress: Report | bool | None = None,
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
        return Course(experiment, points, results).through(executor, n_jobs, progress)

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
            "msgsim": release() or "an unknown one",
            "scenario": written(self.scenario) if not self.alternatives else "several",
            "horizon": repr(self.length),
            "warm-up": repr(self.scenario.warm_up if self.warm_up is None else self.warm_up),
            "seed": repr(self.seed),
            "probe": repr(self.probe),
            "series": ", ".join(".".join(key) for key in self.series) or "none",
            "measure": getattr(self.measure, "__qualname__", anywhere(repr(self.measure))),
            "price list": f"as shipped, of {load_prices().date}" if self.prices is None else repr(self.terms().prices),
            **{f"alternative {name}": written(scenario) for name, scenario in self.alternatives.items()},
        }

    def _check_free(self, path: str) -> None:
        if path in self.factors or any(path in sample for sample in self.samples):
            raise DeclarationError(f"{path}", "is varied already")
        if path == ALTERNATIVE:
            raise DeclarationError(f"{path}", "is the column of alternatives")


def _are_two_names(given: object) -> bool:
    if not isinstance(given, Sequence) or len(given) != 2:  # noqa: PLR2004 - as it says
        return False
    return all(isinstance(name, str) and name for name in given) and given[0] != given[1]


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
