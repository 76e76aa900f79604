"""The long table of a study as a pandas frame."""

from array import array
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgsim.declare import plain
from msgsim.errors import MissingExtra

try:
    import pandas as pd
except ImportError as missing:
    raise MissingExtra("pandas", "pandas") from missing

if TYPE_CHECKING:
    from msgsim.study.results import Study


def frame(study: "Study") -> pd.DataFrame:
    """A column for each varied path, then replication, entity, metric, value; in the order of design points.

    Column by column: rows of a million numbers would be a million tuples first.
    """
    names = list(dict.fromkeys(name for point in study.points for name in point.levels))
    levels: list[list[Any]] = [[] for _ in names]
    replications, entities, metrics, values = array("q"), list[str](), list[str](), array("d")
    for (place, replication), outcome in study.outcomes.items():
        size = len(outcome.columns)
        for column, name in zip(levels, names, strict=True):
            column.extend([plain(study.points[place].levels.get(name))] * size)
        replications.extend([replication] * size)
        entities.extend(entity for entity, _ in outcome.columns)
        metrics.extend(metric for _, metric in outcome.columns)
        values.extend(outcome.numbers)
    texts = zip([*names, "entity", "metric"], [*levels, entities, metrics], strict=True)
    made = {name: pd.Series(column, dtype=None if column else object) for name, column in texts}
    made["replication"] = pd.Series(replications, dtype="int64")
    made["value"] = pd.Series(values, dtype="float64")
    return pd.DataFrame({name: made[name] for name in (*names, "replication", "entity", "metric", "value")})


def table_of(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """A frame of rows that have the same columns."""
    return pd.DataFrame.from_records(list(rows))
