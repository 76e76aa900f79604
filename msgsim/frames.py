"""The series of a run as pandas frames."""

from typing import Any

from msgsim.errors import MissingExtra
from msgsim.run import Run

try:
    import numpy as np
    import pandas as pd
except ImportError as missing:
    raise MissingExtra("pandas", "pandas") from missing


def frame(run: Run, entity: str | None = None) -> pd.DataFrame:
    """Counters and gauges at the probes: one row for each, indexed by `time` [s].

    Args:
        run: of which.
        entity: a column for each of its metrics; None for those of all entities, under (entity, metric).

    Raises:
        UnknownName: there is no such entity; says which there are.
    """
    if entity is not None:
        run.kind(entity)
        columns: dict[Any, Any] = dict(run.records[entity].series)
        names = pd.Index(list(columns), name="metric")
    else:
        columns = {
            (name, metric): values for name, record in run.records.items() for metric, values in record.series.items()
        }
        names = pd.MultiIndex.from_tuples(list(columns), names=["entity", "metric"])
    # Copies: a frame that is changed must not change its run.
    made = pd.DataFrame(
        {place: np.array(values) for place, values in enumerate(columns.values())},
        index=pd.Index(np.array(run.times), name="time"),
    )
    made.columns = names
    return made
