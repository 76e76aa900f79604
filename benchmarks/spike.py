"""(a) Visibility spike: one queue with failures and a dead-letter queue, through tenfold spikes; 500,000 messages.

20 workers take batches of ten. Three spikes of a minute leave backlogs that take minutes to drain.
"""

from baseline import Result
from compare import Benchmark, main

from msgsim import Constant, Exponential, Queue, Redrive, Run, Scenario, Spike, Traffic, Workers


def scenario(scale: float) -> Scenario:
    spikes = Spike(at=600 * scale, height=450, hold=60 * scale, every=3_000 * scale)
    return Scenario(
        queues={
            "jobs": Queue(visibility_timeout=30, redrive=Redrive(to="dead-letters", max_receive_count=3)),
            "dead-letters": Queue(),
        },
        traffic={"clients": Traffic(to="jobs", rate=Constant(50) + spikes)},
        workers={"crew": Workers(queue="jobs", count=20, service_time=Exponential(0.2), failure_rate=0.02)},
    )


def counts(run: Run) -> Result:
    totals = ("sent", "received", "deleted", "dead_lettered")
    result: Result = {name: run.total("jobs", name) for name in totals}
    assert run.total("dead-letters", "moved_in") == result["dead_lettered"]
    return result | {name: run.final("jobs", name) for name in ("visible", "in_flight")}


BENCHMARK = Benchmark(
    model="visibility_spike",
    scenario=scenario,
    counts=counts,
    until=8_400.0,
    moments={"spike_at": 600.0, "spike_hold": 60.0, "spike_every": 3_000.0},
)

if __name__ == "__main__":
    main(BENCHMARK)
