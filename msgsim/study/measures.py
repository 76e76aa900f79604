"""What a study keeps of a run: every statistic of every metric, as plain numbers."""

from array import array
from collections.abc import Mapping
from contextlib import suppress
from functools import cache

from msgsim.errors import UnknownName, no_such
from msgsim.metrics import CATALOGUE
from msgsim.run import Run
from msgsim.scenario import Scenario
from msgsim.study.costs import ledger
from msgsim.study.prices import Prices
from msgsim.study.recovery import derived_values, statistics_of
from msgsim.study.vocabulary import WHOLE, Vocabulary

Key = tuple[str, str]
"""An entity and a measure of it, such as ("emails", "sojourn_time.p99")."""


def measures(run: Run, prices: Prices | None = None) -> dict[Key, float]:
    """Every statistic of every metric of a run, recovery from spikes and outages and what it costs included.

    Args:
        run: finished.
        prices: by which it is priced; None for those that are shipped.

    Returns:
        By entity and "METRIC.STATISTIC"; NaN where there was nothing to look at.
    """
    with suppress(ImportError):
        import numpy as np  # noqa: F401, PLC0415 - a run sorts by it if it is there, in a seventh of the time
    found: dict[Key, float] = {}
    for entity, record in run.records.items():
        before = None
        for metric in CATALOGUE[record.table]:
            samples = record.samples.get(metric)
            if samples is None or not _alike(samples, before):
                statistics = run.statistics(entity, metric)
            before = samples
            for statistic, value in statistics.items():
                found[entity, _title(metric, statistic)] = float(value)
    for entity, derived in derived_values(run).items():
        for metric, values in derived.items():
            for statistic, value in statistics_of(values).items():
                found[entity, _title(metric, statistic)] = value
    found.update(ledger(run, prices).measures())
    return found


def _alike(samples: "array[float]", others: "array[float] | None") -> bool:
    """Whether they are the same: of a queue that is sent to at once, times from the event are those from the send."""
    if not others or len(samples) != len(others) or samples[-1] != others[-1]:
        return False
    return samples.tobytes() == others.tobytes()  # a hundredth of the time that arrays take


@cache
def _title(metric: str, statistic: str) -> str:
    """One text for all entities: it is sent once, and compared at once."""
    return f"{metric}.{statistic}"


def find(columns: Mapping[Key, int], entity: str, measure: str) -> int:
    """The place of a measure.

    Args:
        columns: places by entity and measure.
        entity: its name.
        measure: "METRIC.STATISTIC", or a name of one's own.

    Raises:
        UnknownName: no such entity or measure; says which there are.
    """
    place = columns.get((entity, measure))
    if place is not None:
        return place
    entities = dict.fromkeys(name for name, _ in columns)
    if entity not in entities:
        raise UnknownName.among("entity", entity, entities)
    offered = [name for owner, name in columns if owner == entity]
    metric = str(measure).partition(".")[0]
    those = [name for name in offered if name.partition(".")[0] == metric]
    if those:
        raise UnknownName(f"{entity} has no measure {measure!r}; of {metric} there are: {', '.join(those)}")
    metrics = dict.fromkeys(name.partition(".")[0] for name in offered)
    raise UnknownName(no_such(f"metric of {entity}", metric, metrics))


def titled(scenario: Scenario, entity: str, measure: str) -> str:
    """A measure and its unit, for the axis of a picture."""
    unit = unit_of(scenario, entity, measure)
    name = measure if entity == WHOLE else f"{entity}.{measure}"
    return f"{name} [{unit}]" if unit not in {"", "1"} else name


def unit_of(scenario: Scenario, entity: str, measure: str) -> str:
    """The unit of a measure; nothing for a user's own."""
    try:
        return Vocabulary.of(scenario).metric(entity, measure.partition(".")[0]).unit
    except UnknownName:
        return ""
