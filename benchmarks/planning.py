"""How often the planner finds the true answer: the workers that queues need whose answers are known, M/M/c.

`python benchmarks/planning.py --jobs 2` asks four questions with a hundred seeds each, such as "how many workers keep
the mean wait below 0.2 s?", and compares each answer with Erlang C. The planner asks for certainty: a number of workers
will do if the whole confidence interval is below the limit. So its answer should be the true minimum, or one above it
where the interval of the minimum itself is not clear of the limit. Below the minimum an answer is wrong, and above
these two it is a waste.

The last question is a hard one: the 99 % quantile is 19.985 s at the minimum, the limit is 20, and with one worker more
it is 19.0, so that ten runs of 900 s are sometimes too few to be sure of that either. There the planner takes more, up
to forty, as it does by itself. `--most 10` shows what it does without.

Ten replications of 900 s to begin with, after 150 s of warm-up. `--jobs 2` takes two processes; the numbers are the
same. It takes a quarter of an hour of CPU time.
"""

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from math import inf
from statistics import fmean

import attrs

from msgsim import Exponential, Queue, Scenario, Traffic, Workers, plan
from msgsim.study.closed_forms import MMc
from msgsim.study.estimates import Estimate, wilson
from msgsim.study.objectives import Objective, parse

SEEDS = 100
WARM_UP, LENGTH, REPLICATIONS = 150.0, 900.0, 10
CREW = 40
"""Workers that the planner may look at."""

GOAL = 0.95


@attrs.frozen
class Question:
    """How many workers are needed.

    Attributes:
        rate: arrivals [1/s].
        service_time: the mean [s].
        such_that: the objective, of one term.
    """

    rate: float
    service_time: float
    such_that: str

    @property
    def objective(self) -> Objective:
        """What must hold."""
        return parse(self.such_that)

    def theory(self, servers: int) -> float:
        """What the objective is about, by theory [s]."""
        [term] = self.objective.terms
        model = MMc(arrival_rate=self.rate, service_time=self.service_time, servers=servers)
        if not model.is_stable:
            return inf
        if term.statistic == "mean":
            mean: float = getattr(model, term.metric)
            return mean
        quantile: float = getattr(model, f"{term.metric}_quantile")(float(term.statistic[1:]) / 100)
        return quantile

    @property
    def truth(self) -> int:
        """The smallest number of workers that will do."""
        [term] = self.objective.terms
        return next(servers for servers in range(1, CREW) if term.met_by(self.theory(servers)))

    def scenario(self) -> Scenario:
        """One worker, and the arrivals."""
        service_time = Exponential(self.service_time)
        return Scenario(
            queues={"jobs": Queue(visibility_timeout=43_200)},
            traffic={"clients": Traffic(to="jobs", rate=self.rate)},
            workers={"crew": Workers(queue="jobs", count=1, batch_size=1, wait_time=20, service_time=service_time)},
        )


QUESTIONS = (
    Question(1.4, 1.0, "mean(jobs.waiting_time) < 0.2"),
    Question(2.5, 2.0, "p90(jobs.waiting_time) < 2"),
    Question(4.0, 4.0, "mean(jobs.waiting_time) < 0.6"),
    Question(3.0, 4.0, "p99(jobs.sojourn_time) < 20"),
)


@attrs.frozen
class Answer:
    """Of one plan.

    Attributes:
        question: its place.
        value: the number of workers; None if there was none.
        runs: that it took.
    """

    question: int
    value: int | None
    runs: int


def answer(place: int, seed: int, most: int | None) -> Answer:
    """The planner's answer to a question, by its place, with a seed."""
    question = QUESTIONS[place]
    found = plan(
        question.scenario(),
        find="workers.crew.count",
        between=(1, CREW),
        such_that=question.objective,
        horizon=WARM_UP + LENGTH,
        warm_up=WARM_UP,
        replications=REPLICATIONS,
        most=most,
        seed=seed,
        executor="sequential",
    )
    return Answer(place, None if found.value is None else int(found.value), len(found.study.outcomes))


@attrs.frozen
class Row:
    """What became of one question."""

    question: Question
    answers: Sequence[Answer]

    @property
    def above(self) -> Counter[float]:
        """How many answers were so many above the true minimum."""
        truth = self.question.truth
        return Counter(inf if each.value is None else each.value - truth for each in self.answers)

    @property
    def right(self) -> Estimate:
        """The share of the true minimum or one above it."""
        return wilson(self.above[0] + self.above[1], len(self.answers))

    def __str__(self) -> str:
        question, above, right = self.question, self.above, self.right
        below = sum(number for difference, number in above.items() if difference < 0)
        more = sum(number for difference, number in above.items() if difference > 1)
        return (
            f"{question.such_that:32}{question.theory(question.truth - 1):8.3f}{question.theory(question.truth):8.3f}"
            f"{question.truth:6}{above[0]:8}{above[1]:8}{below:8}{more:8}   {100 * right.value:.0f} %"
            f"  {100 * right.low:.1f} - {100 * right.high:.1f}{fmean(each.runs for each in self.answers):9.0f}"
        )


def table(
    seeds: int = SEEDS, jobs: int = 1, questions: Iterable[int] = range(len(QUESTIONS)), most: int | None = None
) -> list[Row]:
    """A row for each question; the same whatever the number of processes."""
    places = list(questions)
    asked = [(place, seed, most) for place in places for seed in range(seeds)]
    if jobs == 1:
        found = [answer(*each) for each in asked]
    else:
        with ProcessPoolExecutor(jobs) as pool:
            found = list(pool.map(answer, *zip(*asked, strict=True), chunksize=5))
    return [Row(QUESTIONS[place], [each for each in found if each.question == place]) for place in places]


def main() -> None:
    parser = ArgumentParser(description="Compare the planner's answers with Erlang C.")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="of each question")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--most", type=int, help="replications of a value; as the planner has it if it is left out")
    options = parser.parse_args()
    rows = table(options.seeds, options.jobs, most=options.most)
    print(f"{'':32}{'theory [s]':>16}{'true':>6}")
    heads = ("one less", "there", "min", "exact", "1 above", "below", "more")
    widths = (8, 8, 6, 8, 8, 8, 8)
    print(f"{'objective':32}{''.join(f'{head:>{width}}' for head, width in zip(heads, widths, strict=True))}", end="")
    print("   right (95 %)          runs")
    for row in rows:
        print(row)
    if options.seeds >= SEEDS and options.most is None:
        for row in rows:
            assert row.right.value >= GOAL, str(row)
            assert not any(difference < 0 for difference in row.above), str(row)


if __name__ == "__main__":
    main()
