"""What both baselines share: statistics of samples, the checks of a run's books, and the clock around it."""

from collections.abc import Callable, Sequence
from math import ceil, isclose, sqrt
from time import perf_counter

Result = dict[str, float]
Model = Callable[..., Result]

EXPECTED = {  # mean number of traffic events of each model's default run
    "visibility_spike": 8_400 * 50 + 3 * 60 * 450,
    "many_servers": 41_667 * 7.2,
    "filtered_topic": 1_000 * 200,
    "order_pipeline": 1_440 * 60 + 120 * 120,
}


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


def check_books(model: str, result: Result) -> None:
    """Assert that a default run lost no message, and that its traffic is within five standard deviations."""
    for key in result:
        if key.startswith("deleted"):
            queue = key.removeprefix("deleted")
            places = (
                result.get(f"{place}{queue}", 0) for place in ("deleted", "dead_lettered", "visible", "in_flight")
            )
            assert result[f"sent{queue}"] == sum(places), f"{model}: messages lost or doubled in {queue or 'the queue'}"
            assert result[f"received{queue}"] >= result[key], f"{model}: more deleted than received"
    deviation = abs(traffic(result) - EXPECTED[model])
    assert deviation < 5 * sqrt(EXPECTED[model]), f"{model}: {traffic(result)} traffic events"
    if "published" in result:
        assert result["sent"] + result["filtered_out"] == 5 * result["published"], f"{model}: deliveries lost"
    if "accepted" in result and not result["throttled"]:
        assert result["accepted"] == 2 * result["deleted_emails"], f"{model}: emails lost"


def check_agreement(model: str, bare: Result, idiomatic: Result) -> None:
    """Assert that two runs agree: counts within five standard deviations, times within 5 % or 1 ms.

    Both styles draw the same traffic. They share out service times and failures differently, and the idiomatic one
    puts failed messages at the end of the queue, so only the model without failures and batches agrees in each digit.
    """
    for key, value in bare.items():
        other = idiomatic[key]
        if model == "many_servers":
            assert isclose(value, other, rel_tol=1e-9), f"{model}.{key}: {value} and {other}"
        elif key.startswith(("mean_", "p50_", "p99_")):
            assert isclose(value, other, rel_tol=0.05, abs_tol=1e-3), f"{model}.{key}: {value} and {other}"
        else:
            assert abs(value - other) <= 5 * sqrt(value + other), f"{model}.{key}: {value} and {other}"
    assert traffic(bare) == traffic(idiomatic), f"{model}: the traffic differs"


def fastest(model: Model, *, rounds: int = 3) -> float:
    """Time the default run without its statistics [s]: the least of some rounds, as noise only adds."""
    times = []
    for _ in range(rounds):
        begin = perf_counter()
        model(statistics=False)
        times.append(perf_counter() - begin)
    return min(times)
