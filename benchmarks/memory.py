"""How much memory a message takes while it waits: at most 200 B if it has no body of its own.

`python benchmarks/memory.py` lets 200,000 messages wait, in turn sent to a `StandardQueue` by `send()`, by traffic in a
simulation directly to a queue, and through a topic, raw and in envelopes. The bytes per message are what `tracemalloc`
counts, which is asserted, and what the process has grown by, where the system says so (Linux).
"""

import gc
import os
import tracemalloc
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path

from msgsim import Queue, Scenario, Simulation, StandardQueue, Subscription, Topic, Traffic

MESSAGES = 200_000
LIMIT = 200
RATE = 1_000

Keeper = Callable[[int], tuple[object, int]]


def by_send(size: int) -> tuple[object, int]:
    """Send to a queue that is by itself."""
    queue = StandardQueue(Queue(), "jobs")
    for number in range(size):
        queue.send("message", number / RATE)
    return queue, queue.counts(size / RATE).visible


def by_traffic(size: int) -> tuple[object, int]:
    """Simulate traffic that goes to a queue without workers."""
    return _simulated(size, Scenario(queues={"jobs": Queue()}, traffic={"clients": Traffic(to="jobs", rate=RATE)}))


def through_topic(size: int, *, raw: bool = True, queues: int = 1) -> tuple[object, int]:
    """Simulate traffic that goes to queues through a topic."""
    names = [f"jobs-{number}" for number in range(queues)]
    subscriptions = tuple(Subscription(endpoint=name, raw=raw) for name in names)
    return _simulated(
        size,
        Scenario(
            topics={"events": Topic(subscriptions=subscriptions)},
            queues={name: Queue() for name in names},
            traffic={"clients": Traffic(to="events", rate=RATE / queues)},
        ),
    )


def in_envelopes(size: int) -> tuple[object, int]:
    """The same in envelopes, one for each publish."""
    return through_topic(size, raw=False)


def in_shared_envelopes(size: int) -> tuple[object, int]:
    """The same with three queues, whose messages share the envelopes."""
    return through_topic(size, raw=False, queues=3)


def _simulated(size: int, scenario: Scenario) -> tuple[object, int]:
    simulation = Simulation(scenario, seed=1, horizon=size / RATE)
    simulation.run(size / RATE)
    return simulation, sum(queue.counts(simulation.now).visible for queue in simulation.queues.values())


KEEPERS: dict[str, Keeper] = {
    "send()": by_send,
    "traffic to a queue": by_traffic,
    "through a topic, raw": through_topic,
    "through a topic, in envelopes": in_envelopes,
    "the same, three queues": in_shared_envelopes,
}
LIMITED = ("send()", "traffic to a queue")
"""Messages that hold nothing but themselves: no envelope, and no id of an event that caused them."""


def traced(keep: Keeper, size: int) -> float:
    """Bytes per waiting message, as `tracemalloc` counts them."""
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    kept, waiting = keep(size)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert abs(waiting - size) < 5 * size**0.5, f"{waiting} messages wait in {kept}, expected {size}"
    return (after - before) / waiting


def resident() -> int | None:
    """The memory that the process holds [B]; None if the system does not say."""
    statistics = Path("/proc/self/statm")
    return int(statistics.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if statistics.exists() else None


def main() -> None:
    parser = ArgumentParser(description="Measure the memory of waiting messages.")
    parser.add_argument("--quick", action="store_true", help="a tenth of the messages")
    size = MESSAGES // 10 if parser.parse_args().quick else MESSAGES
    grown = {}
    all_kept = []  # nothing is freed in between, so that the process must grow
    for name, keep in KEEPERS.items():
        before = resident()
        kept, waiting = keep(size)
        all_kept.append(kept)
        after = resident()
        grown[name] = "-" if before is None or after is None else f"{(after - before) / waiting:.0f}"
    all_kept.clear()
    print(f"{size:,} messages [B each]{'tracemalloc':>20}{'resident':>10}")
    counted = {name: traced(keep, size) for name, keep in KEEPERS.items()}
    for name, value in counted.items():
        print(f"{name:31}{value:13.0f}{grown[name]:>10}")
    too_much = [name for name in LIMITED if counted[name] > LIMIT]
    assert not too_much, f"more than {LIMIT} B: {', '.join(too_much)}"


if __name__ == "__main__":
    main()
