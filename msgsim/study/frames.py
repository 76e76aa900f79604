"""The long table of a study as a pandas frame."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgsim.errors import MissingExtra

try:
    import pandas as pd
except ImportError as missing:
    raise MissingExtra("pandas", "pandas") from missing

if TYPE_CHECKING:
    from msgsim.study.results import Study


def frame(study: "Study") -> pd.DataFrame:
    """A column for each varied path, then replication, entity, metric, value; in the order of design points."""
    names = list(dict.fromkeys(name for point in study.points for name in point.levels))
    columns = [*names, "replication", "entity", "metric", "value"]
    made = pd.DataFrame.from_records(list(study.rows()), columns=columns)
    return made.astype({"replication": "int64", "value": "float64"})


def table_of(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """A frame of rows that have the same columns."""
    return pd.DataFrame.from_records(list(rows))
