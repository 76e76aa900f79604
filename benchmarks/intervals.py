"""How often intervals that say 95 % hold the true value: 1,000 studies of a queue whose answers are known, M/M/c.

`python benchmarks/intervals.py` makes in each study every kind of interval of `msgsim.study`, and prints how many held
what theory says. Two workers at a utilization of 0.7 forget their past within 20 s or so. Replications of 2,000 s have
a warm-up of 400 s before, so that they are in the steady state; the long run is of 20,000 s. `--jobs 2` takes two
processes; the numbers are the same.

The messages whose waits are taken as independent are some 350 s apart.
"""

from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from statistics import fmean, median

import attrs

from msgsim import Exponential, Queue, Run, Scenario, Traffic, Workers, simulate
from msgsim.study.closed_forms import MMc
from msgsim.study.estimates import Difference, Estimate, mean_interval, paired, quantile_interval, wilson
from msgsim.study.sequential import replicate_until
from msgsim.study.steady_state import BatchMeans, batch_means, mser5

STUDIES = 1_000
REPLICATIONS = 10
WARM_UP, LENGTH, LONG = 400.0, 2_000.0, 20_000.0
APART = range(250, 2_500, 500)
"""Which of the messages after the warm-up are taken as independent; there are 2,800 or so."""

MEAN = "mean wait, replications"
STOPPED = "mean wait, until it is within 5 %"
PAIRED = "mean wait, 3 workers against 2"
QUANTILE = "90 % quantile of waits"
SHARE = "share of messages that wait"
BATCHES = "mean wait, batches of a long run"
TRUNCATED = "the same, from empty by MSER-5"
NAIVE = "the same, as if independent"


def system(servers: int) -> MMc:
    return MMc(arrival_rate=1.4, service_time=1.0, servers=servers)


TRUTHS = {
    MEAN: system(2).waiting_time,
    STOPPED: system(2).waiting_time,
    PAIRED: system(3).waiting_time - system(2).waiting_time,
    QUANTILE: system(2).waiting_time_quantile(0.9),
    SHARE: system(2).delay_probability,
    BATCHES: system(2).waiting_time,
    TRUNCATED: system(2).waiting_time,
    NAIVE: system(2).waiting_time,
}


@cache
def scenario(servers: int) -> Scenario:
    model = system(servers)
    return Scenario(
        queues={"jobs": Queue(visibility_timeout=43_200)},
        traffic={"clients": Traffic(to="jobs", rate=model.arrival_rate)},
        workers={
            "crew": Workers(
                queue="jobs", count=servers, batch_size=1, wait_time=20, service_time=Exponential(model.service_time)
            )
        },
    )


def replication(servers: int, seed: int, number: int) -> Run:
    until = WARM_UP + LENGTH
    return simulate(scenario(servers), until=until, warm_up=WARM_UP, probe=until, seed=seed, replication=number)


def wait(run: Run) -> float:
    return run.mean("jobs", "waiting_time")


def study(seed: int) -> dict[str, Estimate]:
    """All intervals, from runs of one seed."""
    runs = [replication(2, seed, number) for number in range(REPLICATIONS)]
    means = [wait(run) for run in runs]
    waits = [run.samples("jobs", "waiting_time")[place] for run in runs for place in APART]

    def more(wanted: Iterable[int]) -> list[float]:
        return [means[number] if number < len(means) else wait(replication(2, seed, number)) for number in wanted]

    long = simulate(scenario(2), until=LONG, warm_up=0, probe=LONG, seed=seed, replication=REPLICATIONS)
    series = long.samples("jobs", "waiting_time")
    steady = series[round(WARM_UP * system(2).arrival_rate) :]
    return {
        MEAN: mean_interval(means),
        STOPPED: replicate_until(more, relative=0.05, first=REPLICATIONS),
        PAIRED: paired(means, [wait(replication(3, seed, number)) for number in range(REPLICATIONS)]),
        QUANTILE: quantile_interval(waits, 0.9),
        SHARE: wilson(sum(value > 0 for value in waits), len(waits)),
        BATCHES: batch_means(steady),
        TRUNCATED: batch_means(series[mser5(series) :]),
        NAIVE: mean_interval(steady),
    }


@attrs.frozen
class Row:
    """What became of one kind of interval."""

    name: str
    estimates: Sequence[Estimate]

    @property
    def truth(self) -> float:
        """By theory."""
        return TRUTHS[self.name]

    @property
    def held(self) -> Estimate:
        """The share of the studies whose interval holds the truth."""
        return wilson(sum(each.low <= self.truth <= each.high for each in self.estimates), len(self.estimates))

    @property
    def stated(self) -> float:
        """How often intervals of this kind hold it by their own account."""
        return self.estimates[0].coverage

    def __str__(self) -> str:
        held = self.held
        return (
            f"{self.name:36}{self.truth:9.4f}{fmean(each.half_width for each in self.estimates):9.4f}"
            f"{100 * self.stated:8.1f} %{100 * held.value:8.1f} %   {100 * held.low:.1f} - {100 * held.high:.1f}"
        )


def table(studies: int = STUDIES, jobs: int = 1) -> list[Row]:
    """A row for each kind of interval; the same whatever the number of processes."""
    if jobs == 1:
        found = [study(seed) for seed in range(studies)]
    else:
        with ProcessPoolExecutor(jobs) as pool:
            found = list(pool.map(study, range(studies), chunksize=10))
    return [Row(name, [each[name] for each in found]) for name in TRUTHS]


def check(rows: Iterable[Row]) -> None:
    """Intervals hold the truth as often as they say, nearly; but for those that are there to fail."""
    for row in rows:
        if row.name == NAIVE:
            assert row.held.value < 0.6, row
        else:
            assert row.stated - 0.03 <= row.held.value <= row.stated + 0.02, row


def notes(rows: Iterable[Row]) -> str:
    by_name = {row.name: row.estimates for row in rows}
    runs = fmean(each.n for each in by_name[STOPPED])
    gain = median(each.variance_reduction for each in by_name[PAIRED] if isinstance(each, Difference))
    passed = [each for each in by_name[BATCHES] if isinstance(each, BatchMeans) and each.independent]
    return (
        f"within 5 % after {runs:.1f} replications on average; pairs take {gain:.1f} times fewer runs (median)\n"
        f"batches that look independent: {len(passed)} of {len(by_name[BATCHES])}, "
        f"{100 * Row(BATCHES, passed).held.value:.1f} % of them hold it"
    )


def main() -> None:
    parser = ArgumentParser(description="Count how often intervals hold what theory says.")
    parser.add_argument("--studies", type=int, default=STUDIES, help="how many")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    options = parser.parse_args()
    rows = table(options.studies, options.jobs)
    print(f"{'':36}{'truth':>9}{'+/-':>9}{'stated':>10}{'held':>10}   (95 %)")
    for row in rows:
        print(row)
    print(notes(rows))
    if options.studies >= STUDIES:
        check(rows)


if __name__ == "__main__":
    main()
