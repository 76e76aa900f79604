"""Run: what happened, as plain data."""

import csv
import json
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import ceil, fsum, isnan, nan
from operator import mul, sub
from os import PathLike
from typing import TYPE_CHECKING, Any

import attrs

from msgsim.declare import plain
from msgsim.engine.handlers import LostHandler
from msgsim.errors import AuditError, DeclarationError, UnknownName
from msgsim.metrics import CATALOGUE, COUNTER, GAUGE, SAMPLE, STATISTICS, Metric, Record, metric_of
from msgsim.scenario import Scenario
from msgsim.sums import exact_sum
from msgsim.writing import write_whole

if TYPE_CHECKING:
    import matplotlib.figure
    import pandas as pd

_QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999, "max": 1.0}


@attrs.frozen(kw_only=True, eq=False)
class Run:
    """A run of a scenario: finished, or as far as it got.

    Pickles, and holds no live object. A handler that does not pickle, such as a lambda, becomes a `LostHandler`.

    Attributes:
        scenario: what took part.
        seed, replication: of the random streams.
        until: when it ended [s].
        warm_up: means and quantiles cover what came after [s].
        probe: time between readings [s].
        times: of the readings [s].
        records: by entity.
        violations: books that did not balance.
        raised: by pool, how often its handler raised which exception.
        interrupted: whether it was ended before its horizon.
    """

    scenario: Scenario
    seed: int
    replication: int
    until: float
    warm_up: float
    probe: float
    times: "array[float]"
    records: Mapping[str, Record]
    violations: tuple[str, ...] = ()
    raised: Mapping[str, Mapping[str, int]] = attrs.field(factory=dict)
    interrupted: bool = False
    _sorted: dict[tuple[str, str, str | None], "array[float]"] = attrs.field(factory=dict, init=False, repr=False)
    _grouped: dict[tuple[str, str], dict[str, "array[float]"]] = attrs.field(factory=dict, init=False, repr=False)

    def __repr__(self) -> str:
        state = "interrupted" if self.interrupted else "finished"
        return f"<Run {self.scenario.title or 'untitled'!r} until={self.until:g} seed={self.seed} {state}>"

    def __getstate__(self) -> dict[str, Any]:
        """All but the sorted values, which are made again when they are needed, and handlers that do not pickle."""
        state: dict[str, Any] = attrs.asdict(self, recurse=False)
        state["_sorted"], state["_grouped"] = {}, {}
        state["scenario"] = _portable(self.scenario)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)

    # ---------------------------------------------------------------- numbers

    def kind(self, entity: str) -> str:
        """What kind of thing an entity is.

        Raises:
            UnknownName: there is no such entity; says which there are.
        """
        return self._record(entity).kind

    def total(self, entity: str, metric: str) -> int:
        """A counter over [0, until].

        Raises:
            UnknownName: no such entity or metric, or the metric is not a counter.
        """
        return int(self._series(entity, metric, COUNTER)[-1])

    def final(self, entity: str, metric: str) -> float:
        """A counter or gauge at the end.

        Raises:
            UnknownName: no such entity or metric, or the metric is of samples.
        """
        return float(self._series(entity, metric, COUNTER, GAUGE)[-1])

    def series(self, entity: str, metric: str) -> tuple["array[float]", "array[Any]"]:
        """Times [s] and values of a counter or gauge at the probes.

        Raises:
            UnknownName: no such entity or metric, or the metric is of samples.
        """
        return self.times, self._series(entity, metric, COUNTER, GAUGE)

    def groups(self, entity: str) -> list[str]:
        """The message groups of a fair queue, in the order in which they came.

        Only the messages of standard queues are told apart by group, and of a queue at most 65,535 groups.

        Raises:
            UnknownName: there is no such entity, or its messages have no groups.
        """
        if self._record(entity).table != "fair queue":
            raise UnknownName(
                f"{entity} has no times by message group: that has a standard queue whose traffic has groups"
            )
        return list(self._record(entity).groups)

    def samples(self, entity: str, metric: str, *, group: str | None = None) -> "array[float]":
        """The values of a sample metric after the warm-up, in the order in which batches of messages were done.

        Args:
            entity: its name.
            metric: a sample metric.
            group: only the messages of this group of a fair queue.

        Raises:
            UnknownName: no such entity, metric or group, or the metric has no samples.
        """
        return self._samples(entity, self._expect(entity, metric, SAMPLE), group)

    def mean(self, entity: str, metric: str, *, group: str | None = None) -> float:
        """Mean after the warm-up: over messages, or for a gauge over time, exactly. NaN if there was nothing.

        Gauges that are only sampled (see `metrics.CATALOGUE`) are averaged over time between probes.

        Args:
            entity: its name.
            metric: a sample or gauge metric.
            group: only the messages of this group of a fair queue; for samples.

        Raises:
            UnknownName: no such entity, metric or group, or the metric is a counter.
        """
        found = self._expect(entity, metric, *((SAMPLE, GAUGE) if group is None else (SAMPLE,)))
        return self._mean(entity, found, group)

    def quantile(self, entity: str, metric: str, q: float, *, group: str | None = None) -> float:
        """The exact `q`-quantile after the warm-up: the smallest value that at least a share `q` does not exceed.

        Over messages, or for a gauge over the probes. NaN if there was nothing.

        Args:
            entity: its name.
            metric: a sample or gauge metric.
            q: 0 to 1.
            group: only the messages of this group of a fair queue; for samples.

        Raises:
            UnknownName: no such entity, metric or group, or the metric is a counter.
            DeclarationError: `q` is not a number from 0 to 1.
        """
        q = plain(q)
        if isinstance(q, bool) or not isinstance(q, (int, float)) or not 0 <= q <= 1:
            raise DeclarationError("q", f"{q!r} is not a quantile; allowed: 0 to 1")
        found = self._expect(entity, metric, *((SAMPLE, GAUGE) if group is None else (SAMPLE,)))
        return quantile(self._ordered(entity, found, group), q)

    def stat(self, entity: str, metric: str, statistic: str, *, group: str | None = None) -> float:
        """One statistic by name: mean, p50, p90, p99, p99.9, max, total or final; of a group see `quantile`.

        Raises:
            UnknownName: no such entity, metric, statistic or group, or the metric does not have it.
        """
        if not isinstance(statistic, str) or statistic not in STATISTICS:
            raise UnknownName.among("statistic", statistic, STATISTICS)
        if statistic in _QUANTILES:
            return self.quantile(entity, metric, _QUANTILES[statistic], group=group)
        if statistic == "mean":
            return self.mean(entity, metric, group=group)
        if group is not None:
            self._expect(entity, metric, SAMPLE)
        value: float = getattr(self, statistic)(entity, metric)
        return value

    def statistics(self, entity: str, metric: str, *, group: str | None = None) -> dict[str, float]:
        """All statistics of a metric by name, each as `stat` has it, in less time than one by one.

        Args:
            entity: its name.
            metric: any of it.
            group: only the messages of this group of a fair queue; for samples.

        Raises:
            UnknownName: no such entity, metric or group.
        """
        found = self._expect(entity, metric, *((SAMPLE, GAUGE, COUNTER) if group is None else (SAMPLE,)))
        if found.shape == COUNTER:
            last = self.records[entity].series[found.name][-1]
            return {"total": int(last), "final": float(last)}
        made = {"mean": self._mean(entity, found, group), **quantiles(self._ordered(entity, found, group))}
        if found.shape == GAUGE:
            made["final"] = float(self.records[entity].series[found.name][-1])
        return made

    def audit(self) -> None:
        """Check that every message is accounted for and that L = λW holds as an identity.

        Raises:
            AuditError: says what does not balance, and when it was first noticed.
        """
        if self.violations:
            more = f" (and {len(self.violations) - 1} more)" if len(self.violations) > 1 else ""
            raise AuditError(f"{self.violations[0]}{more}")

    # ---------------------------------------------------------------- to look at, and to take away

    def summary(self) -> str:
        """The run in a page of text."""
        from msgsim.summary import as_text  # noqa: PLC0415 - an edge, loaded when it is used

        return as_text(self)

    def _repr_html_(self) -> str:
        from msgsim.summary import as_html  # noqa: PLC0415 - as above

        return as_html(self)

    def plot(self, entities: "list[str] | None" = None) -> "matplotlib.figure.Figure":
        """The run in pictures; in a notebook the figure shows itself.

        Args:
            entities: only these; None for all.

        Raises:
            MissingExtra: matplotlib is not installed.
            UnknownName: there is no such entity.
            DeclarationError: `entities` is no list of names.
        """
        from msgsim.plot import figure  # noqa: PLC0415 - as above

        return figure(self, entities)

    def report(self, path: "str | PathLike[str]") -> None:
        """Write one self-contained HTML page: summary, pictures, scenario, and how to reproduce it.

        Raises:
            MissingExtra: matplotlib is not installed.
            DeclarationError: `path` is no path.
            OSError: the path cannot be written; nothing is left half written.
        """
        _check_path(path)
        from msgsim.report import page  # noqa: PLC0415 - as above

        write_whole(path, page(self))

    def to_pandas(self, entity: str | None = None) -> "pd.DataFrame":
        """The series as a frame: one row per probe, a column per metric; without an entity, (entity, metric) columns.

        Raises:
            MissingExtra: pandas is not installed.
            UnknownName: there is no such entity.
        """
        from msgsim.frames import frame  # noqa: PLC0415 - as above

        return frame(self, entity)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the single samples, as plain lists and numbers; NaN is None."""
        return {
            "title": self.scenario.title,
            "seed": self.seed,
            "replication": self.replication,
            "until": self.until,
            "warm_up": self.warm_up,
            "probe": self.probe,
            "interrupted": self.interrupted,
            "violations": list(self.violations),
            "entities": {name: self._entity_dict(name) for name in self.records},
            "times": self.times.tolist(),
        }

    def to_json(self, path: "str | PathLike[str] | None" = None) -> str:
        """The same as JSON; same scenario and seed give the same bytes. Written to `path` if one is given.

        Raises:
            OSError: the path cannot be written; nothing is left half written.
        """
        if path is not None:
            _check_path(path)
        source = json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"
        if path is not None:
            write_whole(path, source)
        return source

    def to_csv(self, path: "str | PathLike[str] | None" = None) -> str:
        """The series as CSV in long form: time, entity, metric, value. Written to `path` if one is given.

        Raises:
            OSError: the path cannot be written; nothing is left half written.
        """
        from io import StringIO  # noqa: PLC0415 - keeps `import msgsim` light

        if path is not None:
            _check_path(path)
        sink = StringIO()
        writer = csv.writer(sink, lineterminator="\n")
        writer.writerow(["time", "entity", "metric", "value"])
        for name, record in self.records.items():
            for metric, values in record.series.items():
                for time, value in zip(self.times, values, strict=True):
                    writer.writerow([repr(time), name, metric, repr(value)])
        if path is not None:
            write_whole(path, sink.getvalue())
        return sink.getvalue()

    # ---------------------------------------------------------------- inside

    def _entity_dict(self, name: str) -> dict[str, Any]:
        record = self.records[name]
        metrics: dict[str, Any] = {}
        for metric in CATALOGUE[record.table].values():
            values = self.statistics(name, metric.name)
            metrics[metric.name] = {each: None if isnan(value) else value for each, value in values.items()}
            if metric.shape == SAMPLE:
                metrics[metric.name]["count"] = len(record.samples[metric.name])
            else:
                metrics[metric.name]["series"] = record.series[metric.name].tolist()
        described: dict[str, Any] = {"kind": record.kind, "metrics": metrics}
        if record.groups:
            described["groups"] = {group: self._group_dict(name, group) for group in record.groups}
        return described

    def _group_dict(self, name: str, group: str) -> dict[str, Any]:
        made: dict[str, Any] = {"messages": len(self.samples(name, "waiting_time", group=group))}
        for metric in ("waiting_time", "sojourn_time"):
            values = self.statistics(name, metric, group=group)
            made[metric] = {each: None if isnan(value) else value for each, value in values.items()}
        return made

    def _record(self, entity: str) -> Record:
        if not isinstance(entity, str) or entity not in self.records:
            raise UnknownName.among("entity", entity, self.records)
        return self.records[entity]

    def _expect(self, entity: str, metric: str, *shapes: str) -> Metric:
        found = metric_of(self._record(entity).table, entity, metric)
        if found.shape not in shapes:
            offered = ", ".join(_OFFERED[found.shape])
            raise UnknownName(f"{entity}.{metric} is a {found.shape}: it has {offered}, not what was asked for")
        return found

    def _series(self, entity: str, metric: str, *shapes: str) -> "array[Any]":
        return self._record(entity).series[self._expect(entity, metric, *shapes).name]

    def _samples(self, entity: str, metric: Metric, group: str | None) -> "array[float]":
        if group is not None:
            return self._of_group(entity, metric.name, group)
        return self.records[entity].samples[metric.name]

    def _of_group(self, entity: str, metric: str, group: str) -> "array[float]":
        key = (entity, metric)
        if key not in self._grouped:
            record = self._record(entity)
            found = [array("d") for _ in range(len(record.groups) + 1)]
            for label, value in zip(record.labels, record.samples[metric], strict=False):
                found[label].append(value)
            self._grouped[key] = dict(zip(self.groups(entity), found[1:], strict=True))
        groups = self._grouped[key]
        if not isinstance(group, str) or group not in groups:
            raise UnknownName.among(f"message group of {entity}", group, groups)
        return groups[group]

    def _mean(self, entity: str, metric: Metric, group: str | None) -> float:
        if metric.shape == SAMPLE:
            values = self._samples(entity, metric, group)
            return exact_sum(values) / len(values) if values else nan
        record = self.records[entity]
        if metric.name in record.means:
            return record.means[metric.name]
        times, readings = self.times, record.series[metric.name]
        ends = max(1, bisect_right(times, self.warm_up))  # the reading that ends the first stretch after the warm-up
        since = [max(time, self.warm_up) for time in times[ends - 1 :]]
        held = map(mul, map(sub, times[ends:], since), readings[ends - 1 :])
        span = self.until - self.warm_up
        return fsum(held) / span if span > 0 else nan

    def _ordered(self, entity: str, metric: Metric, group: str | None) -> "array[float]":
        if group is not None:
            self._of_group(entity, metric.name, group)  # refuses what is no group, which may be no key either
        key = (entity, metric.name, group)
        if key not in self._sorted:
            if metric.shape == SAMPLE:
                self._sorted[key] = _in_order(self._samples(entity, metric, group))
            else:
                readings = self.records[entity].series[metric.name]
                self._sorted[key] = array("d", sorted(readings[bisect_left(self.times, self.warm_up) :]))
        return self._sorted[key]


def quantile(ordered: Sequence[float], q: float) -> float:
    """The smallest of some values in order that at least a share `q` of them does not exceed; NaN if there is none."""
    return ordered[_place(len(ordered), q)] if ordered else nan


def quantiles(ordered: Sequence[float]) -> dict[str, float]:
    """The quantiles that have names, of some values in order; NaN if there is none."""
    if not ordered:
        return dict.fromkeys(_QUANTILES, nan)
    return {name: ordered[place] for name, place in _places(len(ordered))}


def _place(size: int, q: float) -> int:
    return max(0, ceil(round(q * size, 9)) - 1)


@lru_cache(maxsize=256)
def _places(size: int) -> tuple[tuple[str, int], ...]:
    """Where the quantiles that have names are: gauges of a run are all equally long, and so are those of all runs."""
    return tuple((name, _place(size, q)) for name, q in _QUANTILES.items())


def _in_order(samples: "array[float]") -> "array[float]":
    """The same values in order: by numpy, where it is loaded anyway, in a seventh of the time."""
    if sys.modules.get("numpy") is None or not samples:
        return array("d", sorted(samples))
    import numpy as np  # noqa: PLC0415 - as above

    ordered = array("d", samples)
    np.frombuffer(ordered).sort()
    return ordered


def _check_path(path: object) -> None:
    if not isinstance(path, (str, PathLike)):
        raise DeclarationError("path", f"{path!r} is not the path of a file")


def _portable(scenario: Scenario) -> Scenario:
    """The scenario, with a `LostHandler` for each handler that does not pickle."""
    lost = {
        name: attrs.evolve(pool, handler=LostHandler(getattr(pool.handler, "__qualname__", repr(pool.handler))))
        for name, pool in scenario.workers.items()
        if not _pickles(pool.handler)
    }
    return attrs.evolve(scenario, workers={**scenario.workers, **lost}) if lost else scenario


def _pickles(handler: object) -> bool:
    from pickle import dumps  # noqa: PLC0415 - keeps `import msgsim` light

    try:
        dumps(handler)
    except Exception:  # noqa: BLE001 - whatever it is that cannot be pickled has its own way to say so
        return False
    return True


_OFFERED = {
    COUNTER: ("total", "final"),
    GAUGE: ("mean", "p50", "p90", "p99", "p99.9", "max", "final"),
    SAMPLE: ("mean", "p50", "p90", "p99", "p99.9", "max"),
}
"""The statistics that each shape of metric has."""
