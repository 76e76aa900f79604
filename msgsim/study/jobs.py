"""Jobs: the single runs of a study, as they are sent to workers, and what comes back."""

from array import array
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from msgsim.errors import DeclarationError
from msgsim.run import Run
from msgsim.scenario import Scenario
from msgsim.simulation import simulate
from msgsim.study.measures import Key, measures
from msgsim.study.prices import Prices
from msgsim.study.vocabulary import WHOLE

Extra = Callable[[Run], Mapping[str, float]]
"""A measure of a user's own: some numbers of a run, by name."""


@attrs.frozen
class Terms:
    """How each run of a study is made.

    Attributes:
        horizon: [s]; None for the scenario's own.
        warm_up: [s]; None for the scenario's own.
        seed: of the random streams.
        probe: time between readings [s]; None for the default of `simulate`.
        series: gauges and counters whose readings are kept, as (entity, metric).
        measure: more measures of the whole scenario.
        prices: by which runs are priced; None for those that are shipped.
    """

    horizon: float | None = None
    warm_up: float | None = None
    seed: int = 0
    probe: float | None = None
    series: tuple[Key, ...] = ()
    measure: Extra | None = None
    prices: Prices | None = None


@attrs.frozen
class Job:
    """One run to make.

    Attributes:
        point: place of the design point.
        replication: of it.
        scenario: of the point.
        terms: the study's.
    """

    point: int
    replication: int
    scenario: Scenario
    terms: Terms

    @property
    def place(self) -> tuple[int, int]:
        """Point and replication."""
        return self.point, self.replication


@attrs.frozen
class Outcome:
    """What is kept of a run.

    Attributes:
        columns: what the numbers are.
        numbers: as many.
        violations: books that did not balance.
        times: of the readings [s], if series are kept.
        series: readings by entity and metric.
    """

    columns: tuple[Key, ...]
    numbers: "array[float]"
    violations: tuple[str, ...] = ()
    times: "array[float]" = attrs.field(factory=lambda: array("d"))
    series: Mapping[Key, "array[float]"] = attrs.field(factory=dict)


@attrs.frozen
class Failure:
    """Why a run did not end.

    Attributes:
        error: the exception's name and text.
    """

    error: str


def perform(job: Job) -> Outcome | Failure:
    """Make a run; in a worker process or here, with the same numbers."""
    terms = job.terms
    try:
        run = simulate(
            job.scenario,
            terms.horizon,
            terms.seed,
            warm_up=terms.warm_up,
            probe=terms.probe,
            audit=False,
            replication=job.replication,
        )
        return kept(run, terms)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other runs must not be lost for it
        return Failure(f"{type(error).__name__}: {error}")


def kept(run: Run, terms: Terms) -> Outcome:
    """What is kept of a run.

    Raises:
        DeclarationError: the user's own measure returns no numbers.
    """
    found = measures(run, terms.prices)
    if terms.measure is not None:
        own = _own(terms.measure, run)
        if taken := sorted(name for entity, name in own if (entity, name) in found):
            raise DeclarationError(
                "measure", f"returned {', '.join(taken)}, which is a measure already; choose another name"
            )
        found.update(own)
    series = {key: array("d", run.series(*key)[1]) for key in terms.series}
    return Outcome(
        tuple(found),
        array("d", found.values()),
        run.violations,
        run.times[:] if series else array("d"),
        series,
    )


def _own(measure: Extra, run: Run) -> dict[Key, float]:
    given: Any = measure(run)
    if not isinstance(given, Mapping):
        raise DeclarationError("measure", f"returned {given!r}; allowed: a mapping of names to numbers")
    try:
        return {
            (WHOLE, f"{name}"): float(value) for name, value in sorted(given.items(), key=lambda item: f"{item[0]}")
        }
    except (TypeError, ValueError) as error:
        raise DeclarationError("measure", f"returned {given!r}; allowed: a mapping of names to numbers") from error
