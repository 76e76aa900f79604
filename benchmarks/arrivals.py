"""What one arrival time costs, by curve and process, and that making times ahead in chunks would save nothing.

`python benchmarks/arrivals.py` prints nanoseconds per arrival, the best of several rounds, with the loop that asks for
them. Each run also checks its count against the integral of the curve.
"""

from math import inf, log, sqrt
from random import Random
from time import process_time

from msgsim.declare import DAY
from msgsim.engine.arrivals import ArrivalTimes, Uniforms, arrival_times
from msgsim.engine.curves import Constant, Diurnal, Ramp, RateCurve, Spike, Trace

ROUNDS = 5

CURVES: dict[str, tuple[RateCurve, float]] = {
    "constant": (Constant(200), 1_000.0),
    "trace, 50 per bucket": (Trace([20 + 7 * k % 61 for k in range(5_000)], 300.0), 1_500_000.0),
    "trace, 2.5 per bucket": (Trace([7 * k % 6 for k in range(50_000)], 300.0), 15_000_000.0),
    "ramp": (Ramp(0, 1_000, 100, 300), 1_000.0),
    "diurnal": (Diurnal(2, 1.6), DAY),
    "repeated spike": (Spike(at=10, height=400, hold=5, ramp=1, decay=30, every=60), 1_000.0),
    "sum of three": (1 + Diurnal(1, 0.8) + Spike(at=600, height=10, hold=60, ramp=10, decay=30, every=3_600), DAY),
}


class InChunks:
    """The Poisson times of a constant rate, made ahead 512 at a time by the tightest loop there is."""

    __slots__ = ("_ahead", "_rate", "_reached", "_rng")

    def __init__(self, rate: float, rng: Uniforms) -> None:
        self._rate = rate
        self._rng = rng
        self._reached = 0.0
        self._ahead: list[float] = []

    def next(self) -> float:
        """The time of the next arrival [s]."""
        return self._ahead.pop() if self._ahead else self._more()

    def _more(self) -> float:
        random = self._rng.random
        rate = self._rate
        reached = self._reached
        times = [(reached := reached - log(1.0 - random())) / rate for _ in range(512)]
        self._reached = reached
        times.reverse()
        self._ahead = times
        return times.pop()


def run(arrivals: ArrivalTimes | InChunks, horizon: float) -> tuple[int, float]:
    """Count the arrivals before the horizon, and the time that they take each [ns]."""
    following = arrivals.next
    count = 0
    start = process_time()
    while following() < horizon:
        count += 1
    return count, (process_time() - start) / count * 1e9


def best(curve: RateCurve, process: str, horizon: float) -> float:
    """The fastest round [ns per arrival]."""
    fastest = inf
    for _ in range(ROUNDS):
        count, cost = run(arrival_times(curve, process, Random(1)), horizon)
        expected = curve.integral(0.0, horizon)
        assert abs(count - expected) <= (1.0 if process == "regular" else 5.0 * sqrt(expected))
        fastest = min(fastest, cost)
    return fastest


def main() -> None:
    """Print the table."""
    print(f"{'curve':25}{'poisson':>10}{'regular':>10}   [ns per arrival]")
    for name, (curve, horizon) in CURVES.items():
        print(f"{name:25}{best(curve, 'poisson', horizon):10.0f}{best(curve, 'regular', horizon):10.0f}")
    counts, costs = zip(*(run(InChunks(200.0, Random(1)), 1_000.0) for _ in range(ROUNDS)), strict=True)
    assert set(counts) == {run(arrival_times(Constant(200), "poisson", Random(1)), 1_000.0)[0]}
    print(f"{'constant, in chunks':25}{min(costs):10.0f}")


if __name__ == "__main__":
    main()
