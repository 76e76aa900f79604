"""Runs one benchmark model in its four forms, in turn, and prints how their times compare.

All forms run in one process, one after the other, round by round, and are timed by the CPU time of the process: what
else the machine does disturbs a round as a whole, not one form. Ratios are taken within a round; the table has their
medians. What is timed for msgsim is `simulate()`: wiring, run, 100 probes with their audits, and the `Run`.
"""

import gc
import platform
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from time import process_time

import bare
import idiomatic
import stripped
from baseline import Result, check_agreement, check_books, messages

from msgsim import Run, Scenario, simulate

SEED = 1
YARDSTICK = "bare heapq loop"
FORMS = (YARDSTICK, "msgsim", "stripped loop", "idiomatic SimPy")


@dataclass(frozen=True)
class Benchmark:
    """One model in its four forms.

    Attributes:
        model: name of the function in `bare`, `stripped` and `idiomatic`.
        scenario: of msgsim, with all times but those of single messages multiplied by a scale.
        counts: what the other forms return, from a run.
        until: horizon at scale 1 [s].
        moments: the other times that a scale multiplies, by the functions' argument [s].
    """

    model: str
    scenario: Callable[[float], Scenario]
    counts: Callable[[Run], Result]
    until: float
    moments: Mapping[str, float] = field(default_factory=dict)

    def expected(self, scale: float) -> float:
        """The mean number of traffic events."""
        return sum(each.rate.integral(0.0, self.until * scale) for each in self.scenario(scale).traffic.values())

    def forms(self, scale: float) -> dict[str, Callable[[], Result | Run]]:
        """What is to be timed, by name."""
        scenario = self.scenario(scale)
        until = self.until * scale
        times = {name: moment * scale for name, moment in self.moments.items()} | {"until": until}

        def form(module: object) -> Callable[[], Result]:
            model = getattr(module, self.model)
            return lambda: model(**times, seed=SEED, statistics=False)

        def in_msgsim() -> Run:
            return simulate(scenario, until=until, seed=SEED, probe=until / bare.PROBES)

        return dict(zip(FORMS, (form(bare), in_msgsim, form(stripped), form(idiomatic)), strict=True))

    def check(self, name: str, outcome: Result | Run, scale: float) -> Result:
        """Assert that a run lost no message and had the traffic that is expected; gives its counts."""
        if isinstance(outcome, Run):
            outcome.audit()
            result = self.counts(outcome)
        else:
            result = outcome
        check_books(f"{self.model}, {name}", result, self.expected(scale))
        return result


@dataclass
class Timing:
    """The times of one form.

    Attributes:
        seconds: CPU time in each round [s].
        result: its counts.
    """

    seconds: list[float] = field(default_factory=list)
    result: Result = field(default_factory=dict)

    def over(self, other: "Timing") -> list[float]:
        """The ratios to another form's times, round by round."""
        return [mine / theirs for mine, theirs in zip(self.seconds, other.seconds, strict=True)]


def compare(benchmark: Benchmark, *, scale: float = 1.0, rounds: int = 3) -> dict[str, Timing]:
    """Run all forms in turn, check each, and that they agree on what they count."""
    timings = {name: Timing() for name in FORMS}
    for _ in range(rounds):
        for name, run in benchmark.forms(scale).items():
            gc.collect()
            begin = process_time()
            outcome = run()
            timings[name].seconds.append(process_time() - begin)
            timings[name].result = benchmark.check(name, outcome, scale)
    yardstick = timings[YARDSTICK].result
    for name, timing in timings.items():
        check_agreement(f"{benchmark.model}, {name}", yardstick, timing.result)
    return timings


def table(benchmark: Benchmark, timings: Mapping[str, Timing]) -> str:
    """The times and ratios as text."""
    yardstick = timings[YARDSTICK]
    rounds = len(yardstick.seconds)
    lines = [
        f"{benchmark.model}: {rounds} rounds, Python {platform.python_version()}, {platform.machine()}",
        f"{'':17}{'messages':>10}{'CPU [s]':>9}{'us/message':>12}{'x bare':>8}   (range)",
    ]
    for name, timing in timings.items():
        seconds = median(timing.seconds)
        size = messages(timing.result)
        ratios = timing.over(yardstick)
        lines.append(
            f"{name:17}{size:10,.0f}{seconds:9.2f}{1e6 * seconds / size:12.2f}{median(ratios):8.2f}"
            f"   ({min(ratios):.2f} - {max(ratios):.2f})"
        )
    gain = median(timings["idiomatic SimPy"].over(timings["msgsim"]))
    lines.append(f"msgsim is {gain:.1f} times as fast as idiomatic SimPy")
    return "\n".join(lines)


def main(benchmark: Benchmark) -> None:
    options = _parse()
    scale = options.scale / 10 if options.quick else options.scale
    if options.only:
        outcome = benchmark.forms(scale)[options.only]()
        print(f"{messages(benchmark.check(options.only, outcome, scale)):.0f}")
    else:
        print(table(benchmark, compare(benchmark, scale=scale, rounds=options.rounds)))


def _parse() -> Namespace:
    parser = ArgumentParser(description="Time one model in its four forms, in turn.")
    parser.add_argument("--quick", action="store_true", help="a tenth of the size")
    parser.add_argument("--scale", type=float, default=1.0, help="size, as a multiple of the full one")
    parser.add_argument("--rounds", type=int, default=3, help="how often each form runs")
    parser.add_argument("--only", choices=FORMS, help="run this form once, untimed, and print its number of messages")
    return parser.parse_args()
