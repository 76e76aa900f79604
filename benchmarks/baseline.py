"""What the loops, msgsim and SimPy models share: statistics of samples, and the checks of a run's books."""

from collections.abc import Callable, Sequence
from math import ceil, sqrt

Result = dict[str, float]
Model = Callable[..., Result]

LEVELS = ("visible", "in_flight", "max_backlog")
"""What is so many at one instant. All other counts are sums over the run."""


def describe(name: str, samples: Sequence[float]) -> Result:
    """Give the mean, median and 99th percentile (nearest rank) of samples [s]."""
    ordered = sorted(samples)
    size = len(ordered)
    return {
        f"mean_{name}": sum(ordered) / size,
        f"p50_{name}": ordered[ceil(0.50 * size) - 1],
        f"p99_{name}": ordered[ceil(0.99 * size) - 1],
    }


def traffic(result: Result) -> float:
    """Give the number of traffic events of a run (sent, published or orders): the first of its counts."""
    return next(iter(result.values()))


def messages(result: Result) -> float:
    """Give the number of messages that queues have taken in."""
    return sum(value for key, value in result.items() if key.startswith("sent"))


def check_books(name: str, result: Result, expected: float) -> None:
    """Assert that no message was lost, and that the traffic is within five standard deviations of what is expected."""
    for key in result:
        if key.startswith("deleted"):
            queue = key.removeprefix("deleted")
            places = (
                result.get(f"{place}{queue}", 0) for place in ("deleted", "dead_lettered", "visible", "in_flight")
            )
            assert result[f"sent{queue}"] == sum(places), f"{name}: messages lost or doubled in {queue or 'the queue'}"
            assert result[f"received{queue}"] >= result[key], f"{name}: more deleted than received"
    deviation = abs(traffic(result) - expected)
    assert deviation < 5 * sqrt(expected), f"{name}: {traffic(result)} traffic events, expected {expected}"
    if "published" in result:
        assert result["sent"] + result["filtered_out"] == 5 * result["published"], f"{name}: deliveries lost"
    if "accepted" in result and not result["throttled"]:
        assert result["accepted"] == 2 * result["deleted_emails"], f"{name}: emails lost"


def check_agreement(name: str, one: Result, other: Result) -> None:
    """Assert that what two runs both count agrees within five standard deviations.

    A count of n out of t traffic events has a variance of about n; a multiple of them, as n copies of t, of n * n / t.
    """
    for key in one.keys() & other.keys():
        if key.startswith((*LEVELS, "mean_", "p50_", "p99_")):
            continue
        variance = sum(max(run[key], run[key] ** 2 / traffic(run)) for run in (one, other))
        assert abs(one[key] - other[key]) <= 5 * sqrt(variance), f"{name}.{key}: {one[key]} and {other[key]}"
