"""Rates: what counters gained between readings."""

from collections.abc import Sequence
from itertools import pairwise

from msgsim.run import Run

_SHORT = 0.5
"""A last interval of less than this share of the usual one joins its neighbour: too few events for a rate."""


def rates(run: Run, entity: str, metric: str) -> tuple[list[float], list[float]]:
    """The mean rate of a counter in each interval between readings.

    Args:
        run: of which.
        entity: its name.
        metric: a counter.

    Returns:
        The edges of the intervals [s], and the rate in each [1/s]: one less; none of a run of no length.

    Raises:
        UnknownName: no such entity or metric, or the metric is of samples.
    """
    times, values = run.series(entity, metric)
    edges, counts = list(times), list(values)
    if len(edges) > 2 and edges[-1] - edges[-2] < _SHORT * run.probe:  # noqa: PLR2004 - two intervals
        del edges[-2], counts[-2]
    spans = [later - edge for edge, later in pairwise(edges)]
    gains = [later - value for value, later in pairwise(counts)]
    return edges, [gain / span for gain, span in zip(gains, spans, strict=True)]


def peak(values: Sequence[float]) -> float:
    """The highest of rates [1/s]; NaN if there are none."""
    return max(values, default=float("nan"))
