"""(c) A topic whose five filtered subscriptions take two of five kinds each; 200,000 publishes, 400,000 messages."""

from baseline import Result
from compare import Benchmark, main

from msgsim import Exponential, Queue, Run, Scenario, Subscription, Topic, Traffic, Workers

KINDS = range(5)


def scenario(_scale: float) -> Scenario:
    wanted = {f"queue-{kind}": [kind, (kind + 1) % len(KINDS)] for kind in KINDS}
    subscriptions = tuple(
        Subscription(endpoint=queue, filter_policy={"kind": kinds}, raw=True) for queue, kinds in wanted.items()
    )
    return Scenario(
        topics={"events": Topic(subscriptions=subscriptions)},
        queues={queue: Queue(visibility_timeout=30) for queue in wanted},
        traffic={f"source-{kind}": Traffic(to="events", rate=40, attributes={"kind": kind}) for kind in KINDS},
        workers={
            f"crew-{kind}": Workers(queue=f"queue-{kind}", count=10, service_time=Exponential(0.05)) for kind in KINDS
        },
    )


def counts(run: Run) -> Result:
    queues = run.scenario.queues
    result: Result = {name: run.total("events", name) for name in ("published", "filtered_out")}
    result |= {name: sum(run.total(queue, name) for queue in queues) for name in ("sent", "received", "deleted")}
    return result | {name: sum(run.final(queue, name) for queue in queues) for name in ("visible", "in_flight")}


BENCHMARK = Benchmark(model="filtered_topic", scenario=scenario, counts=counts, until=1_000.0)

if __name__ == "__main__":
    main(BENCHMARK)
