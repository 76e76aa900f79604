"""The four benchmark models as a SimPy user writes them from the tutorials.

A queue is a `Store`, a worker is a process, and each delivery from a queue with a visibility timeout starts a process
that waits for it and puts the message back, at the end of the queue, unless it has been deleted. Where no message can
fail (`many_servers`, `filtered_topic`) nobody would write such timers, so there are none.

The functions take the same arguments as those of `bare.py` and give the same counts; there are no probes and no
integrals, and what messages and queues do not need is not there.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from math import inf
from random import Random
from typing import Any

import simpy
from baseline import Model, Result, describe

Process = Generator[simpy.Event, Any, None]


@dataclass(slots=True, eq=False)
class Message:
    """A message of one queue."""

    body: Any
    sent_at: float
    receive_count: int = 0
    deleted: bool = False


class MessageQueue:
    """A queue with a visibility timeout [s] and a dead-letter list, both optional."""

    def __init__(
        self, env: simpy.Environment, visibility_timeout: float | None = None, max_receive_count: float = inf
    ) -> None:
        self.env = env
        self.visibility_timeout = visibility_timeout
        self.max_receive_count = max_receive_count
        self.store = simpy.Store(env)
        self.dead_letters: list[Message] = []
        self.waiting: list[float] = []
        self.sojourn: list[float] = []
        self.sent = self.received = self.in_flight = self.max_backlog = 0

    def send(self, body: object) -> None:
        """Put a new message into the queue."""
        self.sent += 1
        self.store.put(Message(body, self.env.now))
        self.max_backlog = max(self.max_backlog, len(self.store.items))

    def receive(self, batch_size: int) -> Generator[simpy.Event, Any, list[Message]]:
        """Wait for a message, and take up to `batch_size` of those that are there."""
        batch: list[Message] = []
        while not batch or (len(batch) < batch_size and self.store.items):
            message = yield self.store.get()
            if message.receive_count >= self.max_receive_count:
                self.dead_letters.append(message)
                continue
            message.receive_count += 1
            if message.receive_count == 1:
                self.waiting.append(self.env.now - message.sent_at)
            self.received += 1
            self.in_flight += 1
            if self.visibility_timeout is not None:
                self.env.process(self.expire(message, self.visibility_timeout))
            batch.append(message)
        return batch

    def expire(self, message: Message, timeout: float) -> Process:
        """Put a received message back after its visibility timeout, unless it is deleted by then."""
        yield self.env.timeout(timeout)
        if not message.deleted:
            self.in_flight -= 1
            self.store.put(message)

    def delete(self, message: Message) -> None:
        """Remove a message for good."""
        message.deleted = True
        self.in_flight -= 1
        self.sojourn.append(self.env.now - message.sent_at)

    def counts(self, suffix: str = "") -> Result:
        """Say how many messages are where."""
        return {
            f"sent{suffix}": self.sent,
            f"received{suffix}": self.received,
            f"deleted{suffix}": len(self.sojourn),
            f"dead_lettered{suffix}": len(self.dead_letters),
            f"visible{suffix}": len(self.store.items),
            f"in_flight{suffix}": self.in_flight,
        }


@dataclass
class Outbox:
    """A sending account: a token bucket, and a sliding 24 h count kept per second."""

    env: simpy.Environment
    max_send_rate: float
    burst: float
    max_24_hour_send: int

    def __post_init__(self) -> None:
        self.tokens = self.burst
        self.filled_at = 0.0
        self.seconds: deque[list[int]] = deque([[0, 0]])
        self.last_24_hours = 0
        self.accepted = self.throttled = 0

    def send_email(self) -> bool:
        """Accept an email, or say no."""
        now = self.env.now
        while self.seconds and self.seconds[0][0] <= now - 86_400:
            self.last_24_hours -= self.seconds.popleft()[1]
        self.tokens = min(self.burst, self.tokens + (now - self.filled_at) * self.max_send_rate)
        self.filled_at = now
        if self.tokens < 1 or self.last_24_hours >= self.max_24_hour_send:
            self.throttled += 1
            return False
        if not self.seconds or self.seconds[-1][0] != int(now):
            self.seconds.append([int(now), 0])
        self.tokens -= 1
        self.last_24_hours += 1
        self.seconds[-1][1] += 1
        self.accepted += 1
        return True


def poisson(
    env: simpy.Environment, rng: Random, phases: Iterator[tuple[float, float]], emit: Callable[[], None]
) -> Process:
    """Emit at a rate that changes: each phase is the time of its end [s] and its rate [1/s]."""
    for end, rate in phases:
        while True:
            gap = rng.expovariate(rate)
            if env.now + gap >= end:
                break
            yield env.timeout(gap)
            emit()
        yield env.timeout(end - env.now)


def worker(
    env: simpy.Environment,
    queue: MessageQueue,
    batch_size: int,
    service_mean: float,
    services: Random,
    failures: Random | None = None,
    failure_rate: float = 0.0,
    on_success: Callable[[Any], bool] | None = None,
) -> Process:
    """Handle batches for ever; a message is deleted if it does not fail and `on_success` accepts it."""
    while True:
        batch = yield from queue.receive(batch_size)
        for message in batch:
            yield env.timeout(services.expovariate(1.0 / service_mean))
            if failures is not None and failures.random() < failure_rate:
                continue
            if on_success is None or on_success(message.body):
                queue.delete(message)


def visibility_spike(
    *,
    until: float = 8_400.0,
    base_rate: float = 50.0,
    spike_rate: float = 500.0,
    spike_at: float = 600.0,
    spike_hold: float = 60.0,
    spike_every: float = 3_000.0,
    workers: int = 20,
    batch_size: int = 10,
    service_mean: float = 0.2,
    failure_rate: float = 0.02,
    visibility_timeout: float = 30.0,
    max_receive_count: int = 3,
    seed: int = 1,
    statistics: bool = True,
) -> Result:
    """Run one queue with failures and a dead-letter queue through repeated spikes."""
    arrivals, services, failures = (Random(f"{seed}/{name}") for name in ("arrivals", "services", "failures"))
    env = simpy.Environment()
    queue = MessageQueue(env, visibility_timeout, max_receive_count)

    def phases() -> Iterator[tuple[float, float]]:
        spike = spike_at
        while True:
            yield spike, base_rate
            yield spike + spike_hold, spike_rate
            spike += spike_every

    env.process(poisson(env, arrivals, phases(), lambda: queue.send("")))
    for _ in range(workers):
        env.process(worker(env, queue, batch_size, service_mean, services, failures, failure_rate))
    env.run(until=until)

    counts = queue.counts() | {"max_backlog": queue.max_backlog}
    return counts | describe("waiting", queue.waiting) | describe("sojourn", queue.sojourn) if statistics else counts


def many_servers(
    *,
    until: float = 41_667.0,
    rate: float = 7.2,
    workers: int = 8,
    service_mean: float = 1.0,
    seed: int = 1,
    statistics: bool = True,
) -> Result:
    """Run M/M/8 at a utilization of 0.9."""
    arrivals, services = (Random(f"{seed}/{name}") for name in ("arrivals", "services"))
    env = simpy.Environment()
    queue = MessageQueue(env)
    env.process(poisson(env, arrivals, iter([(inf, rate)]), lambda: queue.send("")))
    for _ in range(workers):
        env.process(worker(env, queue, 1, service_mean, services))
    env.run(until=until)

    counts = queue.counts() | {"max_backlog": queue.max_backlog}
    return counts | describe("waiting", queue.waiting) | describe("sojourn", queue.sojourn) if statistics else counts


def filtered_topic(
    *,
    until: float = 1_000.0,
    rate: float = 200.0,
    queues: int = 5,
    workers: int = 10,
    batch_size: int = 10,
    service_mean: float = 0.05,
    seed: int = 1,
    statistics: bool = True,
) -> Result:
    """Run a topic whose five filtered subscriptions take two of five kinds each."""
    arrivals, kind_draws, services = (Random(f"{seed}/{name}") for name in ("arrivals", "kinds", "services"))
    env = simpy.Environment()
    kinds = [f"kind-{i}" for i in range(queues)]
    subscriptions = [({kinds[i], kinds[(i + 1) % queues]}, MessageQueue(env)) for i in range(queues)]
    topic = {"published": 0, "filtered_out": 0}

    def publish() -> None:
        topic["published"] += 1
        kind = kind_draws.choice(kinds)
        for accepted, queue in subscriptions:
            if kind in accepted:
                queue.send(kind)
            else:
                topic["filtered_out"] += 1

    env.process(poisson(env, arrivals, iter([(inf, rate)]), publish))
    for _, queue in subscriptions:
        for _ in range(workers):
            env.process(worker(env, queue, batch_size, service_mean, services))
    env.run(until=until)

    counts: Result = dict(topic)
    for _, queue in subscriptions:
        for key, value in queue.counts().items():
            counts[key] = counts.get(key, 0) + value
    if not statistics:
        return counts
    waiting = [time for _, queue in subscriptions for time in queue.waiting]
    sojourn = [time for _, queue in subscriptions for time in queue.sojourn]
    return counts | describe("waiting", waiting) | describe("sojourn", sojourn)


def order_pipeline(
    *,
    until: float = 1_440.0,
    rate: float = 60.0,
    spike_rate: float = 180.0,
    spike_at: float = 660.0,
    spike_hold: float = 120.0,
    workers: tuple[int, int, int, int] = (12, 16, 14, 6),
    service_means: tuple[float, float, float, float] = (0.08, 0.12, 0.1, 0.05),
    batch_size: int = 10,
    failure_rate: float = 0.01,
    visibility_timeout: float = 30.0,
    max_send_rate: float = 500.0,
    burst: float = 500.0,
    max_24_hour_send: int = 1_000_000,
    seed: int = 1,
    statistics: bool = True,
) -> Result:
    """Run orders through inventory, billing and shipping, joined into two emails each."""
    arrivals, services, failures = (Random(f"{seed}/{name}") for name in ("arrivals", "services", "failures"))
    env = simpy.Environment()
    names = ("inventory", "billing", "shipping", "emails")
    queues = [MessageQueue(env, visibility_timeout) for _ in names]
    *parts, emails = queues
    outbox = Outbox(env, max_send_rate, burst, max_24_hour_send)
    placed_at: list[float] = []
    parts_left: dict[int, int] = {}
    order_to_email: list[float] = []

    def place() -> None:
        order = len(placed_at)
        placed_at.append(env.now)
        parts_left[order] = len(parts)
        for queue in parts:
            queue.send(order)

    def join(order: int) -> bool:
        parts_left[order] -= 1
        if parts_left[order] == 0:
            del parts_left[order]
            emails.send(order)
        return True

    def notify(order: int) -> bool:
        for _ in ("customer", "warehouse"):
            if not outbox.send_email():
                return False
        order_to_email.append(env.now - placed_at[order])
        return True

    phases = [(spike_at, rate), (spike_at + spike_hold, spike_rate), (inf, rate)]
    env.process(poisson(env, arrivals, iter(phases), place))
    for queue, size, mean, action in zip(queues, workers, service_means, (join, join, join, notify), strict=True):
        for _ in range(size):
            env.process(worker(env, queue, batch_size, mean, services, failures, failure_rate, action))
    env.run(until=until)

    counts: Result = {"orders": len(placed_at), "accepted": outbox.accepted, "throttled": outbox.throttled}
    for name, queue in zip(names, queues, strict=True):
        counts |= queue.counts(f"_{name}")
    return counts | describe("order_to_email", order_to_email) if statistics else counts


MODELS: tuple[Model, ...] = (visibility_spike, many_servers, filtered_topic, order_pipeline)
