"""The whole Black-Friday plan: workers of each pool and a sending rate for which the objectives hold, and the costs.

`python benchmarks/black_friday.py` asks for one thing after the other, each with what was found before it: the answer
for the emails depends on how fast billing is. Then it checks the plan as a whole, with random numbers that the search
has not seen, against the example as it is: what gets better, by how much, how sure that is, and what it costs, with
5 cents for an hour of a worker. All of that takes 30 lines.
"""

from attrs import evolve

from msgsim import HOUR, Experiment, Scenario, load, plan
from msgsim.study.prices import load_prices
from msgsim.study.results import Study

STEPS = {
    "workers.inventory-workers.count": ((2, 5), "p99(inventory.sojourn_time) < 30 s"),
    "workers.shipping-workers.count": ((4, 8), "p99(shipping.sojourn_time) < 30 s"),
    "workers.billing-workers.count": ((8, 16), "p99(billing.sojourn_time) < 5 min and max(billing.drain_time) < 5 min"),
    "outboxes.ses.max_send_rate": ((14, 40), "p99(ses.end_to_end_time) < 10 min and max(emails.drain_time) < 10 min"),
}
LOOK_AT = {"billing": "sojourn_time.p99", "ses": "end_to_end_time.p99", "emails": "drain_time.max", "*": "cost.final"}


def planned(scenario: Scenario) -> Scenario:
    for find, (between, such_that) in STEPS.items():
        found = plan(scenario, find=find, between=between, such_that=such_that, horizon=HOUR, replications=3, seed=1)
        print(found.conclusion)
        scenario = found.scenario
    return scenario


def checked(before: Scenario, after: Scenario) -> Study:
    prices = evolve(load_prices(), worker_hour=0.05)
    study = Experiment(before, seed=2, prices=prices).compare(before, after, names=("as it is", "planned")).run()
    study.audit()
    print(study.compare(measures=[*LOOK_AT.items(), ("*", "worker_hours.final")]))
    objectives = " and ".join(such_that for _, such_that in STEPS.values())
    print("Days on which all of it holds:", study.probability(objectives, {"alternative": "planned"}))
    return study


if __name__ == "__main__":
    example = load("black-friday")
    checked(example, planned(example))
