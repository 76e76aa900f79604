"""(b) M/M/8 at a utilization of 0.9: one message per receive; 300,000 messages."""

from baseline import Result
from compare import Benchmark, main

from msgsim import Exponential, Queue, Run, Scenario, Traffic, Workers


def scenario(_scale: float) -> Scenario:
    return Scenario(
        queues={"jobs": Queue(visibility_timeout=30)},
        traffic={"clients": Traffic(to="jobs", rate=7.2)},
        workers={"crew": Workers(queue="jobs", count=8, batch_size=1, service_time=Exponential(1.0))},
    )


def counts(run: Run) -> Result:
    result: Result = {name: run.total("jobs", name) for name in ("sent", "received", "deleted")}
    return result | {name: run.final("jobs", name) for name in ("visible", "in_flight")}


BENCHMARK = Benchmark(model="many_servers", scenario=scenario, counts=counts, until=41_667.0)

if __name__ == "__main__":
    main(BENCHMARK)
