"""The visibility spike of `spike.py` on a FIFO and on a fair queue: what order and fairness cost a whole scenario.

The same traffic, workers, failures and timeouts; the FIFO version has 1,000 groups, the fair one 100 tenants, all
equally likely. Each may take twice as long as the standard queue, per message, and no longer. On a FIFO queue a failed
message holds up its group until its visibility timeout ends, so that backlogs differ; the counts of messages do not.

`python benchmarks/fifo_pipeline.py` times them in turn, as `compare.py` does; `--instructions` counts instructions
instead, as `instructions.py` does.
"""

import gc
from argparse import ArgumentParser
from collections.abc import Callable
from statistics import median
from time import process_time

import attrs
import spike
from baseline import check_books
from compare import SEED
from instructions import counted

from msgsim import Run, Scenario, UniformGroups, simulate

FORMS = ("standard", "fifo", "fair")
SCALES = (0.05, 0.1)
LIMIT = 2.0


def scenario(form: str, scale: float) -> Scenario:
    made = spike.scenario(scale)
    if form == "standard":
        return made
    groups = UniformGroups(1_000 if form == "fifo" else 100)
    return attrs.evolve(
        made,
        queues={name: attrs.evolve(queue, fifo=form == "fifo") for name, queue in made.queues.items()},
        traffic={name: attrs.evolve(traffic, groups=groups) for name, traffic in made.traffic.items()},
    )


def check(form: str, run: Run, scale: float) -> int:
    """Assert that no message was lost; gives how many there were."""
    run.audit()
    check_books(form, spike.counts(run), spike.BENCHMARK.expected(scale))
    return run.total("jobs", "sent")


def runner(form: str, scale: float) -> Callable[[], Run]:
    until = spike.BENCHMARK.until * scale
    declared = scenario(form, scale)
    return lambda: simulate(declared, until=until, seed=SEED, probe=until / 100)


def compare(scale: float, rounds: int) -> dict[str, list[float]]:
    """The CPU time of each form per message [s], round by round."""
    times: dict[str, list[float]] = {form: [] for form in FORMS}
    for _ in range(rounds):
        for form in FORMS:
            run = runner(form, scale)
            gc.collect()
            begin = process_time()
            finished = run()
            seconds = process_time() - begin
            times[form].append(seconds / check(form, finished, scale))
    return times


def instructions(form: str) -> float:
    """Instructions per message: the difference of two sizes."""
    (less, few), (more, many) = (counted(__file__, form, scale) for scale in SCALES)
    return (more - less) / (many - few)


def main() -> None:
    parser = ArgumentParser(description="Time a standard, a FIFO and a fair queue in the same scenario.")
    parser.add_argument("--scale", type=float, default=1.0, help="size, as a multiple of the full one")
    parser.add_argument("--rounds", type=int, default=3, help="how often each form runs")
    parser.add_argument("--only", choices=FORMS, help="run this form once, untimed, and print its number of messages")
    parser.add_argument("--instructions", action="store_true", help="count instructions; needs valgrind")
    options = parser.parse_args()
    if options.only:
        print(check(options.only, runner(options.only, options.scale)(), options.scale))
        return
    print(f"{'':10}{'per message':>14}{'x standard':>12}")
    if options.instructions:
        counts = {form: instructions(form) for form in FORMS}
        for form, count in counts.items():
            print(f"{form:10}{count:14,.0f}{count / counts['standard']:12.2f}")
        return
    times = compare(options.scale, options.rounds)
    for form, seconds in times.items():
        ratios = [mine / theirs for mine, theirs in zip(seconds, times["standard"], strict=True)]
        print(
            f"{form:10}{1e6 * median(seconds):11.2f} us{median(ratios):12.2f}   ({min(ratios):.2f} - {max(ratios):.2f})"
        )


if __name__ == "__main__":
    main()
