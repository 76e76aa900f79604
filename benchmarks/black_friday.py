"""The whole Black-Friday plan: workers of each pool and a sending rate for which the objectives hold, and the costs.

`python benchmarks/black_friday.py` asks for one thing after the other, each with what was found before it: the answer
for the emails depends on how fast billing is. Then it checks the plan as a whole, with random numbers that the search
has not seen, against the example as it is: what gets better, by how much, how sure that is, and what it costs.
"""

from argparse import ArgumentParser
from collections.abc import Sequence

from msgsim import HOUR, Experiment, Run, Scenario, load, plan
from msgsim.study.comparison import Comparison
from msgsim.study.costs import ledger
from msgsim.study.estimates import Estimate
from msgsim.study.planner import Plan

Step = tuple[str, tuple[int, int], str]

STEPS: Sequence[Step] = (
    ("workers.inventory-workers.count", (2, 5), "p99(inventory.sojourn_time) < 30 s"),
    ("workers.shipping-workers.count", (4, 8), "p99(shipping.sojourn_time) < 30 s"),
    (
        "workers.billing-workers.count",
        (8, 16),
        "p99(billing.sojourn_time) < 5 min and max(billing.drain_time) < 5 min",
    ),
    ("outboxes.ses.max_send_rate", (14, 40), "p99(ses.end_to_end_time) < 10 min and max(emails.drain_time) < 10 min"),
)
"""What is sought, where, and what must hold; within the hour, of which the rush leaves a quarter."""

MEASURES = (
    ("billing", "sojourn_time.p99"),
    ("ses", "end_to_end_time.p99"),
    ("billing", "drain_time.max"),
    ("emails", "drain_time.max"),
    ("ses", "throttled.total"),
    ("*", "requests and emails [USD]"),
    ("*", "workers [USD]"),
)

WORKER_HOUR = 0.05
"""What a worker costs [USD]; replace it by your own figure."""


def bill(run: Run) -> dict[str, float]:
    hours = sum(run.mean(pool, "count") for pool in run.scenario.workers) * run.until / HOUR
    return {"requests and emails [USD]": ledger(run).total, "workers [USD]": hours * WORKER_HOUR}


def steps_of(
    scenario: Scenario,
    steps: Sequence[Step] = STEPS,
    horizon: float = HOUR,
    replications: int = 3,
    n_jobs: int | None = None,
) -> list[Plan]:
    """Plan one thing after the other, and print each answer."""
    plans: list[Plan] = []
    for find, between, such_that in steps:
        how = {"horizon": horizon, "replications": replications, "seed": 1, "n_jobs": n_jobs}
        found = plan(scenario, find=find, between=between, such_that=such_that, **how)
        assert found.value is not None, found.conclusion
        print(found.conclusion, flush=True)
        scenario = scenario.vary(find, found.value)
        plans.append(found)
    return plans


def checked(
    scenario: Scenario, plans: Sequence[Plan], replications: int = 10, n_jobs: int | None = None
) -> tuple[Comparison, Estimate]:
    """Compare the scenario as it is with the plan, and say how likely a day is on which all objectives hold."""
    planned = {found.find: found.value for found in plans}
    objectives = " and ".join(str(found.objective) for found in plans)
    experiment = Experiment(scenario, replications=replications, seed=2, measure=bill)
    study = experiment.compare({}, planned, names=("as it is", "planned")).run(n_jobs=n_jobs)
    study.audit()
    return study.compare(measures=MEASURES), study.probability(objectives, {"alternative": "planned"})


def main() -> None:
    parser = ArgumentParser(description="Plan the workers and the sending rate of Black Friday.")
    parser.add_argument("--jobs", type=int, help="processes; one for each core if it is not given")
    options = parser.parse_args()
    scenario = load("black-friday")
    plans = steps_of(scenario, n_jobs=options.jobs)
    comparison, days = checked(scenario, plans, n_jobs=options.jobs)
    print(f"\n{comparison}\n\nDays on which all of it holds: {days}")


if __name__ == "__main__":
    main()
