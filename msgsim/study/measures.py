"""What a study keeps of a run: every statistic of every metric, as plain numbers."""

from collections.abc import Mapping
from contextlib import suppress

from msgsim.errors import UnknownName, no_such
from msgsim.metrics import CATALOGUE, SAMPLE
from msgsim.run import Run
from msgsim.scenario import Scenario
from msgsim.study.costs import ledger
from msgsim.study.prices import Prices
from msgsim.study.recovery import derived_values, statistic_of
from msgsim.study.vocabulary import OFFERED, WHOLE, Vocabulary

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
    found = {
        (entity, f"{metric.name}.{statistic}"): float(run.stat(entity, metric.name, statistic))
        for entity, record in run.records.items()
        for metric in CATALOGUE[record.table].values()
        for statistic in OFFERED[metric.shape]
    }
    for entity, derived in derived_values(run).items():
        for name, values in derived.items():
            for statistic in OFFERED[SAMPLE]:
                found[entity, f"{name}.{statistic}"] = statistic_of(values, statistic)
    found.update(ledger(run, prices).measures())
    return found


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
