"""What a FIFO queue costs: against a standard queue, and with more and more messages in it.

`python benchmarks/fifo.py` drives the bare verbs `enqueue`, `take` and `finish_one`, without any engine:

1. a standard queue and a FIFO queue with 1,000 groups, a backlog of 2,000 messages, batches of 10: the goal is at most
   twice the time;
2. a FIFO queue that holds 10 k, 100 k and 1 M messages, in one group, in as many groups, and hidden in flight for 12 h:
   the time of an operation should not grow, but for the caches of the machine: as many messages as the queue holds go
   through it. Beyond 120,000 waiting messages it includes the look-ahead for groups. The same with a standard queue
   shows what the caches do.
"""

import gc
from argparse import ArgumentParser
from collections import deque
from collections.abc import Callable
from statistics import median
from time import process_time

from msgsim.bus.fifo import FifoQueue
from msgsim.bus.message import Message
from msgsim.bus.queue import Queue
from msgsim.bus.standard import StandardQueue

GROUPS = 1_000
BACKLOG = 2_000
BATCH = 10
HALF_A_DAY = 43_200.0
GOAL = 2.0
SIZES = (10_000, 100_000, 1_000_000)


def standard(count: int) -> float:
    """CPU time of a message that goes through a standard queue [s]."""
    queue = StandardQueue(Queue(), "standard")
    for _ in range(BACKLOG):
        queue.enqueue("a", None, 0.0, None, 0.0)
    enqueue, take, finish = queue.enqueue, queue.take, queue.finish_one
    start = process_time()
    for turn in range(count // BATCH):
        now = turn * 0.01
        for _ in range(BATCH):
            enqueue("a", None, now, None, now)
        for message in take(now, BATCH, 30.0):
            finish(message, now)
    spent = process_time() - start
    assert (queue.sent, queue.deleted, queue.visible) == (BACKLOG + count, count, BACKLOG)
    queue.check(now)
    return spent / count


def fifo(count: int) -> float:
    """The same through a FIFO queue with `GROUPS` groups, which take turns in what is sent."""
    queue = FifoQueue(Queue(fifo=True), "fifo")
    names = [f"group-{number}" for number in range(GROUPS)]
    for number in range(BACKLOG):
        queue.enqueue("a", None, 0.0, None, 0.0, names[number % GROUPS])
    enqueue, take, finish = queue.enqueue, queue.take, queue.finish_one
    number = 0
    start = process_time()
    for turn in range(count // BATCH):
        now = turn * 0.01
        for _ in range(BATCH):
            enqueue("a", None, now, None, now, names[number])
            number = (number + 1) % GROUPS
        for message in take(now, BATCH, 30.0):
            finish(message, now)
    spent = process_time() - start
    assert (queue.sent, queue.deleted, queue.visible) == (BACKLOG + count, count, BACKLOG)
    queue.check(now)
    return spent / count


def laden(size: int, groups: int, count: int) -> float:
    """CPU time of a message while `size` messages wait in `groups` groups [s]."""
    queue = FifoQueue(Queue(fifo=True), "laden")
    names = [str(number) for number in range(groups)]
    for number in range(size):
        queue.enqueue("a", None, 0.0, None, 0.0, names[number % groups])
    number = 0
    start = process_time()
    for turn in range(count // BATCH):
        now = turn * 0.01
        for _ in range(BATCH):
            queue.enqueue("a", None, now, None, now, names[number])
            number = (number + 1) % groups
        for message in queue.take(now, BATCH, 30.0):
            queue.finish_one(message, now)
    spent = process_time() - start
    assert (queue.sent, queue.deleted, queue.visible) == (size + count, count, size)
    return spent / count


def laden_standard(size: int, count: int) -> float:
    """CPU time of a message while `size` messages wait in a standard queue [s]."""
    queue = StandardQueue(Queue(), "laden")
    for _ in range(size):
        queue.enqueue("a", None, 0.0, None, 0.0)
    start = process_time()
    for turn in range(count // BATCH):
        now = turn * 0.01
        for _ in range(BATCH):
            queue.enqueue("a", None, now, None, now)
        for message in queue.take(now, BATCH, 30.0):
            queue.finish_one(message, now)
    spent = process_time() - start
    assert (queue.sent, queue.deleted, queue.visible) == (size + count, count, size)
    return spent / count


def hidden(size: int, count: int) -> float:
    """CPU time of a message while `size` others are in flight for 12 h, one in each group [s]."""
    queue = FifoQueue(Queue(fifo=True, max_in_flight=size + BATCH), "hidden")
    flying: deque[Message] = deque()
    for number in range(size):
        queue.enqueue("a", None, 0.0, None, 0.0, str(number))
        flying.extend(queue.take(0.0, BATCH, HALF_A_DAY))
    number = size
    start = process_time()
    for turn in range(count // BATCH):
        now = turn * 0.01
        for _ in range(BATCH):
            number += 1
            queue.enqueue("a", None, now, None, now, str(number))
        flying.extend(queue.take(now, BATCH, HALF_A_DAY))
        for _ in range(BATCH):
            queue.finish_one(flying.popleft(), now)
        last = flying[-1]
        queue.extend(last, now, 0.0, now)  # given back, and received again
        flying[-1] = queue.take(now, 1, HALF_A_DAY)[0]
        assert flying[-1] is last
    spent = process_time() - start
    assert (queue.sent, queue.deleted, queue.in_flight) == (size + count, count, size)
    return spent / count


KINDS: dict[str, Callable[[int, int], float]] = {
    "standard queue": laden_standard,
    "one group": lambda size, count: laden(size, 1, count),
    "as many groups": lambda size, count: laden(size, size, count),
    "in flight for 12 h": hidden,
}


def main() -> None:
    parser = ArgumentParser(description="Measure FIFO queues.")
    parser.add_argument("--scale", type=float, default=1.0, help="of the numbers of messages")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    gc.disable()  # what is measured is the queue; the collector looks at every message that there is
    count = int(200_000 * options.scale)
    pairs = []
    for _ in range(options.rounds):
        plain, grouped = standard(count), fifo(count)
        pairs.append(grouped / plain)
        print(f"standard {1e6 * plain:.2f} us/message, FIFO {1e6 * grouped:.2f}, {grouped / plain:.2f} times")
    print(f"FIFO / standard: {median(pairs):.2f}, goal at most {GOAL:g}\n")
    print(f"{'us/message with':20}" + "".join(f"{size:>12,}" for size in SIZES))
    for kind, measure in KINDS.items():
        times = []
        for size in SIZES:
            held = int(size * options.scale)
            times.append(min(measure(held, max(held, count // 2)) for _ in range(options.rounds)))
            gc.collect()
        print(f"{kind:20}" + "".join(f"{1e6 * time:12.2f}" for time in times), flush=True)


if __name__ == "__main__":
    main()
