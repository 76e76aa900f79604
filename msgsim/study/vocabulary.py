"""What a run of a scenario will measure, known before it runs: the metrics of each entity and their statistics."""

from collections.abc import Collection, Iterable, Mapping
from math import inf

import attrs

from msgsim.errors import DeclarationError, UnknownName
from msgsim.metrics import CATALOGUE, Metric, metric_of
from msgsim.run import _OFFERED
from msgsim.scenario import Scenario
from msgsim.study.recovery import derived_of
from msgsim.study.triggers import triggers

WHOLE = "*"
"""The entity that stands for the whole scenario."""

FIGURE = "figure"
"""The shape of a metric of which a run has one number: it is `final`."""

FIGURES = {
    "cost": Metric("cost", FIGURE, "USD", "what the run would cost"),
    "cost_per_month": Metric("cost_per_month", FIGURE, "USD", "what a month like the run would cost"),
}
"""Metrics of the whole scenario, and of each entity that services bill."""

WORKED = {"worker_hours": Metric("worker_hours", FIGURE, "worker hours", "how long workers were there, busy or not")}
"""Metrics of the whole scenario, and of each pool."""

PAID = ("queue", "topic", "outbox")
"""The kinds of entities that services bill."""

OFFERED: Mapping[str, tuple[str, ...]] = {**_OFFERED, FIGURE: ("final",)}
"""The statistics that each shape of metric has."""


@attrs.frozen
class Vocabulary:
    """What may be asked about the runs of a scenario.

    Attributes:
        kinds: of its entities, by name.
        tables: the part of the catalogue that holds each one's metrics, as `Record.table` of a run will say.
        disturbed: those that have triggers, so that there are values of `DERIVED`.
    """

    kinds: Mapping[str, str]
    tables: Mapping[str, str]
    disturbed: Collection[str]

    @classmethod
    def of(cls, scenario: Scenario) -> "Vocabulary":
        """That of a scenario. Cost: O(scenario); nothing is simulated.

        Raises:
            DeclarationError: it is no scenario.
        """
        if not isinstance(scenario, Scenario):
            raise DeclarationError("scenario", f"{scenario!r} is not a Scenario")
        grouped = scenario.flows().grouped
        kinds = scenario.entities()
        tables = dict(kinds)
        for name, queue in scenario.queues.items():
            if queue.fifo or name in grouped:
                tables[name] = "FIFO queue" if queue.fifo else "fair queue"
        limited = scenario.region is not None or scenario.publish_rate is not None
        for name, topic in scenario.topics.items():
            if topic.fifo or limited:
                tables[name] = "FIFO topic" if topic.fifo else "topic with a quota"
            if topic.fifo:
                tables.update({f"{name}/{key}": "FIFO subscription" for key in topic.named()})
        for name, outbox in scenario.outboxes.items():
            if outbox.knows_addresses:
                tables[name] = "outbox with pools" if outbox.pools else "outbox with addresses"
        return cls(kinds, tables, tuple(triggers(scenario, inf)))

    def metric(self, entity: str, name: str) -> Metric:
        """A metric of an entity, by its name or that of its CloudWatch twin.

        Raises:
            UnknownName: no such entity, or it has no such metric; says which there are.
        """
        if entity == WHOLE:
            figures = FIGURES | WORKED
            if name not in figures:
                raise UnknownName.among("metric of the whole scenario ('*')", name, figures)
            return figures[name]
        if entity not in self.kinds:
            raise UnknownName.among("entity", entity, self.kinds)
        further = self._further(entity)
        if name in further:
            return further[name]
        try:
            return metric_of(self.tables[entity], entity, name)
        except UnknownName:
            known = {**CATALOGUE[self.tables[entity]], **further}
            raise UnknownName.among(f"metric of {self.tables[entity]} {entity!r}", name, known) from None

    def _further(self, entity: str) -> Mapping[str, Metric]:
        """The metrics that studies know beside the catalogue."""
        kind = self.kinds[entity]
        figures = FIGURES if kind in PAID else WORKED if kind == "pool" else {}
        return {**derived_of(kind), **figures}


def refuse_statistic(entity: str, metric: Metric, statistic: str) -> None:
    """Refuse a statistic that a metric does not have.

    Raises:
        UnknownName: says which it has.
    """
    offered: Iterable[str] = OFFERED[metric.shape]
    if statistic not in offered:
        raise UnknownName(
            f"{entity}.{metric.name} is a {metric.shape}: it has {', '.join(offered)}, and no {statistic}"
        )
