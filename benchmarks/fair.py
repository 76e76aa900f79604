"""What fairness costs: a fair queue with 100 tenants against the same queue without group ids, and with many tenants.

`python benchmarks/fair.py` times the same messages through `enqueue`, `take` and `finish` or `finish_one`. Both queues
are timed in turn in each round; the ratio is the median over the rounds. The counts are checked each time.
"""

from argparse import ArgumentParser
from collections.abc import Callable
from statistics import median
from time import process_time

from msgsim.bus.queue import Queue
from msgsim.bus.standard import StandardQueue

TENANTS = 100
BATCH = 10
SERVICE = [0.01] * BATCH
GAP = 0.001
"""Between two batches [s]."""


def send(queue: StandardQueue, ids: list[str | None], first: int, now: float) -> None:
    """Send a batch, each message with the next group id."""
    count = len(ids)
    for number in range(first, first + BATCH):
        group_id = ids[number % count]
        if group_id is None:
            queue.enqueue("", None, now, None, now)
        else:
            queue.enqueue_grouped("", None, now, None, now, group_id)


def drive(ids: list[str | None], messages: int, backlog: int, *, one_by_one: bool) -> float:
    """Send, receive and delete; gives the CPU time per message [s] with a backlog of that size standing by."""
    queue = StandardQueue(Queue(visibility_timeout=43_200), "q")
    for first in range(0, backlog, BATCH):
        send(queue, ids, first, 0.0)
    now = 0.0
    began = process_time()
    for first in range(backlog, backlog + messages, BATCH):
        now += GAP
        send(queue, ids, first, now)
        batch = queue.take(now, BATCH, 43_200)
        if one_by_one:
            for message in batch:
                queue.finish_one(message, now)
        else:
            queue.finish(batch, SERVICE, None, batch[0].deadline, 0, now, now + 1.0)
            now += 0.1
    spent = process_time() - began
    assert queue.sent == backlog + messages
    assert queue.received == queue.deleted == messages
    assert queue.visible == backlog
    queue.check(now)
    return spent / messages


def ratio(tenants: int, messages: int, rounds: int, backlog: int, *, one_by_one: bool) -> tuple[float, float, float]:
    """Medians: microseconds per message plain, fair, and the ratio of the same round."""
    named: list[str | None] = [f"tenant-{number}" for number in range(tenants)]
    run: Callable[[list[str | None]], float] = lambda ids: drive(ids, messages, backlog, one_by_one=one_by_one)  # noqa: E731
    pairs = [(run([None]), run(named)) for _ in range(rounds)]
    plain, fair = (1e6 * median(side) for side in zip(*pairs, strict=True))
    return plain, fair, median(fair / plain for plain, fair in pairs)


def main() -> None:
    parser = ArgumentParser(description="Time a fair queue against a plain one.")
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of messages")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    messages = round(200_000 * options.scale)
    print(f"{'tenants':>9}{'backlog':>9}  {'deleted by':12}{'plain [us]':>11}{'fair [us]':>11}{'ratio':>7}")
    for tenants, backlog in ((TENANTS, 0), (TENANTS, 10_000), (10_000, 0), (10_000, 10_000), (100_000, 100_000)):
        for name, one_by_one in (("finish", False), ("finish_one", True)):
            plain, fair, times = ratio(tenants, messages, options.rounds, backlog, one_by_one=one_by_one)
            print(f"{tenants:9,}{backlog:9,}  {name:12}{plain:11.2f}{fair:11.2f}{times:7.2f}", flush=True)


if __name__ == "__main__":
    main()
