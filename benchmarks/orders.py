"""(d) Orders through inventory, billing and shipping, joined into two emails each; 100,000 orders, 400,000 messages.

A spike of threefold traffic is more than the mailers can do, so that emails wait.
"""

from baseline import Result
from compare import Benchmark, main

from msgsim import (
    Constant,
    Exponential,
    Join,
    Outbox,
    Queue,
    Run,
    Scenario,
    SendEmail,
    SendMessage,
    Spike,
    Subscription,
    Topic,
    Traffic,
    Workers,
)

PARTS = ("inventory", "billing", "shipping")
COUNTS = {"inventory": 12, "billing": 16, "shipping": 14, "emails": 6}
SERVICE_MEANS = {"inventory": 0.08, "billing": 0.12, "shipping": 0.1, "emails": 0.05}


def scenario(scale: float) -> Scenario:
    pools = {part: f"{part}-workers" for part in PARTS}
    joined = Join("ready", parts=tuple(pools.values()), then=[SendMessage("emails")])
    done = {part: [joined if part == "inventory" else Join("ready")] for part in PARTS}
    emails = [SendEmail("ses", to="customer-{n}@example.com"), SendEmail("ses", to="warehouse@example.com")]
    actions = done | {"emails": emails}
    return Scenario(
        topics={"orders": Topic(subscriptions=tuple(Subscription(endpoint=part) for part in PARTS))},
        queues={queue: Queue(visibility_timeout=30) for queue in COUNTS},
        outboxes={"ses": Outbox(max_send_rate=500, burst=500, max_24_hour_send=1_000_000, records=False)},
        traffic={
            "shop": Traffic(to="orders", rate=Constant(60) + Spike(at=660 * scale, height=120, hold=120 * scale)),
        },
        workers={
            pools.get(queue, "mailers"): Workers(
                queue=queue,
                count=count,
                service_time=Exponential(SERVICE_MEANS[queue]),
                failure_rate=0.01,
                on_success=actions[queue],
            )
            for queue, count in COUNTS.items()
        },
    )


def counts(run: Run) -> Result:
    result: Result = {"orders": run.total("orders", "published")}
    result |= {name: run.total("ses", name) for name in ("accepted", "throttled")}
    for queue in COUNTS:
        result |= {f"{name}_{queue}": run.total(queue, name) for name in ("sent", "received", "deleted")}
        result |= {f"{name}_{queue}": run.final(queue, name) for name in ("visible", "in_flight")}
    return result


BENCHMARK = Benchmark(
    model="order_pipeline",
    scenario=scenario,
    counts=counts,
    until=1_440.0,
    moments={"spike_at": 660.0, "spike_hold": 120.0},
)

if __name__ == "__main__":
    main(BENCHMARK)
