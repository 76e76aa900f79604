"""The four benchmark models as bare `heapq` event loops that do the work of a message bus: the yardstick.

What a loop does, as a message bus must: everything that happens is an entry (time, number, kind, ...) of one heap:
arrivals, changes of a rate, the completion of each message, the end of the visibility timeout of each failed message,
probes. A message is a record with all that a receiver may ask for. Every message is deleted by an event of its own, so
that the state can be read at any instant, and is, at 100 probes. Counters, waiting times (send to first receive),
sojourn times (send to deletion) and the integrals of the visible and in-flight counts over time are kept per queue;
attributes are filtered at each publish; a join knows its parts.

What it does not do: it checks nothing, knows no other queue settings than its own, makes no ids or handles, keeps no
index to find a message by, cannot stop and go on, and cannot be called from outside. Each function is one loop over
local variables, written for its model. Workers of a pool are exchangeable: a pool is the number of its idle workers,
and a worker at work is the rest of its batch, in its next event. A completion is taken to come before the visibility
timeout ends (a batch of ten would have to take 30 s), so only failed messages have an event for that; returned ones go
to the front of their queue.

Compare `stripped.py`, which leaves out all that the statistics of its one model can do without. `statistics=False`
leaves out the means and quantiles, for timing the loops alone.
"""

# ruff: noqa: C901, PLR0912, PLR0915, PLR1730 - a loop without calls is what is measured: long functions, no `min()`

from collections import deque
from heapq import heappop, heappush
from itertools import chain
from math import inf, log
from random import Random
from typing import Any

from baseline import Model, Result, describe

ARRIVAL, DONE, VISIBLE, RATE, PROBE = range(5)

PROBES = 100
BODY = "message"


class Message:
    """A message of one queue."""

    __slots__ = (
        "attributes",
        "body",
        "deadline",
        "first_received_at",
        "id",
        "origin_at",
        "origin_id",
        "receive_count",
        "sent_at",
    )

    def __init__(
        self,
        number: int,
        body: str,
        attributes: dict[str, Any] | None,
        sent_at: float,
        origin_id: int,
        origin_at: float,
    ) -> None:
        self.id = number
        self.body = body
        self.attributes = attributes
        self.sent_at = sent_at
        self.origin_id = origin_id
        self.origin_at = origin_at
        self.receive_count = 0
        self.first_received_at = self.deadline = inf


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
    """Run one queue with failures and a dead-letter queue through repeated spikes: 500,000 messages by default."""
    arrivals, services, failures = (Random(f"{seed}/{name}").random for name in ("arrivals", "services", "failures"))
    ready: deque[Message] = deque()
    dead_letters: list[Message] = []
    waiting: list[float] = []
    sojourn: list[float] = []
    readings: list[tuple[float, ...]] = []
    sent = received = deleted = dead_lettered = in_flight = 0
    visible_time = flight_time = 0.0
    idle, gap, in_spike, phase = workers, 1.0 / base_rate, False, 0
    heap: list[tuple[float, int, int, Any]] = [(0.0, 0, PROBE, 0), (spike_at, 1, RATE, None)]
    number = 2
    heappush(heap, (-log(1.0 - arrivals()) * gap, number, ARRIVAL, phase))

    while True:
        now, _, kind, what = heappop(heap)
        if kind == ARRIVAL:
            if what != phase:
                continue
            sent += 1
            ready.append(Message(sent, BODY, None, now, sent, now))
            visible_time -= now
            number += 1
            heappush(heap, (now - log(1.0 - arrivals()) * gap, number, ARRIVAL, phase))
            if not idle:
                continue
            idle -= 1
        elif kind == DONE:
            message = what.pop()
            if failures() < failure_rate:
                number += 1
                heappush(heap, (message.deadline, number, VISIBLE, message))
            else:
                deleted += 1
                in_flight -= 1
                flight_time += now
                sojourn.append(now - message.sent_at)
            if what:
                number += 1
                heappush(heap, (now - log(1.0 - services()) * service_mean, number, DONE, what))
                continue
            if not ready:
                idle += 1
                continue
        elif kind == VISIBLE:
            in_flight -= 1
            flight_time += now
            visible_time -= now
            ready.appendleft(what)
            if not idle:
                continue
            idle -= 1
        elif kind == RATE:  # the process has no memory: draw afresh; the arrival of the old phase is void
            in_spike = not in_spike
            gap = 1.0 / (spike_rate if in_spike else base_rate)
            phase += 1
            number += 2
            heappush(heap, (now - log(1.0 - arrivals()) * gap, number - 1, ARRIVAL, phase))
            heappush(heap, (now + (spike_hold if in_spike else spike_every - spike_hold), number, RATE, None))
            continue
        else:
            readings.append((now, sent, received, deleted, dead_lettered, len(ready), in_flight))
            if what == PROBES:
                break
            number += 1
            heappush(heap, ((what + 1) * until / PROBES, number, PROBE, what + 1))
            continue

        batch: list[Message] = []
        deadline = now + visibility_timeout
        while ready and len(batch) < batch_size:
            message = ready.popleft()
            visible_time += now
            if not message.receive_count:
                message.first_received_at = now
                waiting.append(now - message.sent_at)
            elif message.receive_count == max_receive_count:
                dead_lettered += 1
                dead_letters.append(message)
                continue
            message.receive_count += 1
            message.deadline = deadline
            flight_time -= now
            batch.append(message)
        if not batch:
            idle += 1
            continue
        received += len(batch)
        in_flight += len(batch)
        batch.reverse()
        number += 1
        heappush(heap, (now - log(1.0 - services()) * service_mean, number, DONE, batch))

    names = ("sent", "received", "deleted", "dead_lettered", "visible", "in_flight")
    counts: Result = dict(zip(names, readings[-1][1:], strict=True))
    if not statistics:
        return counts
    for _, *reading in readings:
        assert reading[0] == sum(reading[2:]), "messages lost or doubled"
    counts["mean_visible"] = (visible_time + until * len(ready)) / until
    counts["mean_in_flight"] = (flight_time + until * in_flight) / until
    return counts | describe("waiting", waiting) | describe("sojourn", sojourn)


def many_servers(
    *,
    until: float = 41_667.0,
    rate: float = 7.2,
    workers: int = 8,
    service_mean: float = 1.0,
    visibility_timeout: float = 30.0,
    seed: int = 1,
    statistics: bool = True,
) -> Result:
    """Run M/M/8 at a utilization of 0.9: 300,000 messages by default, one per receive."""
    arrivals, services = (Random(f"{seed}/{name}").random for name in ("arrivals", "services"))
    ready: deque[Message] = deque()
    waiting: list[float] = []
    sojourn: list[float] = []
    readings: list[tuple[float, ...]] = []
    sent = received = deleted = in_flight = 0
    visible_time = flight_time = 0.0
    idle, gap = workers, 1.0 / rate
    heap: list[tuple[float, int, int, Any]] = [(0.0, 0, PROBE, 0)]
    number = 1
    heappush(heap, (-log(1.0 - arrivals()) * gap, number, ARRIVAL, None))

    while True:
        now, _, kind, what = heappop(heap)
        if kind == ARRIVAL:
            sent += 1
            ready.append(Message(sent, BODY, None, now, sent, now))
            visible_time -= now
            number += 1
            heappush(heap, (now - log(1.0 - arrivals()) * gap, number, ARRIVAL, None))
            if not idle:
                continue
            idle -= 1
        elif kind == DONE:
            deleted += 1
            in_flight -= 1
            flight_time += now
            sojourn.append(now - what.sent_at)
            if not ready:
                idle += 1
                continue
        else:
            readings.append((now, sent, received, deleted, len(ready), in_flight))
            if what == PROBES:
                break
            number += 1
            heappush(heap, ((what + 1) * until / PROBES, number, PROBE, what + 1))
            continue

        message = ready.popleft()
        message.receive_count += 1
        message.first_received_at = now
        message.deadline = now + visibility_timeout
        waiting.append(now - message.sent_at)
        received += 1
        in_flight += 1
        visible_time += now
        flight_time -= now
        number += 1
        heappush(heap, (now - log(1.0 - services()) * service_mean, number, DONE, message))

    names = ("sent", "received", "deleted", "visible", "in_flight")
    counts: Result = dict(zip(names, readings[-1][1:], strict=True))
    if not statistics:
        return counts
    for _, *reading in readings:
        assert reading[0] == sum(reading[2:]), "messages lost or doubled"
    counts["mean_visible"] = (visible_time + until * len(ready)) / until
    counts["mean_in_flight"] = (flight_time + until * in_flight) / until
    return counts | describe("waiting", waiting) | describe("sojourn", sojourn)


def filtered_topic(
    *,
    until: float = 1_000.0,
    rate: float = 200.0,
    queues: int = 5,
    workers: int = 10,
    batch_size: int = 10,
    service_mean: float = 0.05,
    visibility_timeout: float = 30.0,
    seed: int = 1,
    statistics: bool = True,
) -> Result:
    """Run a topic whose five filtered subscriptions take two of five kinds each: 200,000 publishes by default.

    Each kind has a source of its own, with attributes that all its messages share.
    """
    services = Random(f"{seed}/services").random
    gap = queues / rate
    sources = [(Random(f"{seed}/arrivals-{kind}").random, {"kind": kind}) for kind in range(queues)]
    subscriptions = [(queue, frozenset((queue, (queue + 1) % queues))) for queue in range(queues)]
    ready: list[deque[Message]] = [deque() for _ in range(queues)]
    waiting: list[list[float]] = [[] for _ in range(queues)]
    sojourn: list[list[float]] = [[] for _ in range(queues)]
    idle = [workers] * queues
    sent, received, deleted, in_flight = ([0] * queues for _ in range(4))
    visible_time, flight_time = [0.0] * queues, [0.0] * queues
    published = filtered_out = 0
    readings: list[tuple[Any, ...]] = []
    heap: list[tuple[float, int, int, int, Any]] = [(0.0, 0, PROBE, 0, None)]
    for number, (arrivals, _) in enumerate(sources):
        heappush(heap, (-log(1.0 - arrivals()) * gap, 1 + number, ARRIVAL, number, None))
    number = queues

    while True:
        now, _, kind, which, batch = heappop(heap)
        if kind == ARRIVAL:
            published += 1
            arrivals, attributes = sources[which]
            value = attributes["kind"]
            number += 1
            heappush(heap, (now - log(1.0 - arrivals()) * gap, number, ARRIVAL, which, None))
            looking = []
            for queue, accepted in subscriptions:
                if value in accepted:
                    sent[queue] += 1
                    ready[queue].append(Message(sent[queue], BODY, attributes, now, published, now))
                    visible_time[queue] -= now
                    if idle[queue]:
                        idle[queue] -= 1
                        looking.append(queue)
                else:
                    filtered_out += 1
        elif kind == DONE:
            message = batch.pop()
            deleted[which] += 1
            in_flight[which] -= 1
            flight_time[which] += now
            sojourn[which].append(now - message.sent_at)
            if batch:
                number += 1
                heappush(heap, (now - log(1.0 - services()) * service_mean, number, DONE, which, batch))
                continue
            if not ready[which]:
                idle[which] += 1
                continue
            looking = [which]
        else:
            state = (tuple(each) for each in (sent, received, deleted, map(len, ready), in_flight))
            readings.append((now, published, filtered_out, *state))
            if which == PROBES:
                break
            number += 1
            heappush(heap, ((which + 1) * until / PROBES, number, PROBE, which + 1, None))
            continue

        for queue in looking:
            line = ready[queue]
            deadline = now + visibility_timeout
            batch = []
            while line and len(batch) < batch_size:
                message = line.popleft()
                message.receive_count += 1
                message.first_received_at = now
                message.deadline = deadline
                waiting[queue].append(now - message.sent_at)
                batch.append(message)
            size = len(batch)
            received[queue] += size
            in_flight[queue] += size
            visible_time[queue] += size * now
            flight_time[queue] -= size * now
            batch.reverse()
            number += 1
            heappush(heap, (now - log(1.0 - services()) * service_mean, number, DONE, queue, batch))

    names = ("sent", "received", "deleted", "visible", "in_flight")
    counts: Result = {"published": published, "filtered_out": filtered_out}
    counts |= zip(names, map(sum, readings[-1][3:]), strict=True)
    if not statistics:
        return counts
    for _, publishes, filtered, came, _, *places in readings:
        assert queues * publishes == filtered + sum(came), "deliveries lost or doubled"
        assert came == tuple(map(sum, zip(*places, strict=True))), "messages lost or doubled"
    counts["mean_visible"] = sum(visible_time) / until + counts["visible"]
    counts["mean_in_flight"] = sum(flight_time) / until + counts["in_flight"]
    return counts | describe("waiting", list(chain(*waiting))) | describe("sojourn", list(chain(*sojourn)))


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
    """Run orders through inventory, billing and shipping, joined into two emails each: 100,000 orders by default."""
    arrivals, services, failures = (Random(f"{seed}/{name}").random for name in ("arrivals", "services", "failures"))
    parts, emails = (0, 1, 2), 3
    joined: list[int] = []  # by order: a bit for each part that has succeeded
    all_parts = 0b111
    order_to_email: list[float] = []
    ready: list[deque[Message]] = [deque() for _ in workers]
    waiting: list[list[float]] = [[] for _ in workers]
    sojourn: list[list[float]] = [[] for _ in workers]
    idle = list(workers)
    sent, received, deleted, in_flight = ([0] * len(workers) for _ in range(4))
    visible_time, flight_time = [0.0] * len(workers), [0.0] * len(workers)
    orders = accepted = throttled = 0
    readings: list[tuple[Any, ...]] = []
    seconds: deque[list[int]] = deque([[0, 0]])  # [second, emails accepted in it] of the last 24 h
    tokens, filled_at, last_24_hours = burst, 0.0, 0

    gap, phase = 1.0 / rate, 0
    heap: list[tuple[float, int, int, int, Any]] = [
        (0.0, 0, PROBE, 0, None),
        (spike_at, 1, RATE, 0, spike_rate),
        (spike_at + spike_hold, 2, RATE, 0, rate),
    ]
    number = 3
    heappush(heap, (-log(1.0 - arrivals()) * gap, number, ARRIVAL, phase, None))

    while True:
        now, _, kind, which, what = heappop(heap)
        looking: tuple[int, ...] = (which,)
        if kind == ARRIVAL:
            if which != phase:
                continue
            for pool in parts:
                sent[pool] += 1
                ready[pool].append(Message(sent[pool], BODY, None, now, orders, now))
                visible_time[pool] -= now
            orders += 1
            joined.append(0)
            number += 1
            heappush(heap, (now - log(1.0 - arrivals()) * gap, number, ARRIVAL, phase, None))
            looking = parts
        elif kind == DONE:
            message = what.pop()
            succeeded = failures() >= failure_rate
            if succeeded and which == emails:
                second = int(now)
                if seconds[-1][0] != second:
                    seconds.append([second, 0])
                    while seconds[0][0] <= now - 86_400:
                        last_24_hours -= seconds.popleft()[1]
                for _ in range(2):  # the customer, the warehouse
                    tokens += (now - filled_at) * max_send_rate
                    if tokens > burst:
                        tokens = burst
                    filled_at = now
                    if tokens < 1.0 or last_24_hours >= max_24_hour_send:
                        throttled += 1
                        succeeded = False
                        break
                    tokens -= 1.0
                    last_24_hours += 1
                    seconds[-1][1] += 1
                    accepted += 1
                    order_to_email.append(now - message.origin_at)
            elif succeeded:
                order = message.origin_id
                done = joined[order] | 1 << which
                if done == all_parts and joined[order] != all_parts:
                    sent[emails] += 1
                    ready[emails].append(Message(sent[emails], message.body, None, now, order, message.origin_at))
                    visible_time[emails] -= now
                    looking = (emails, which)
                joined[order] = done
            if succeeded:
                deleted[which] += 1
                in_flight[which] -= 1
                flight_time[which] += now
                sojourn[which].append(now - message.sent_at)
            else:
                number += 1
                heappush(heap, (message.deadline, number, VISIBLE, which, message))
            if what:
                number += 1
                finish = now - log(1.0 - services()) * service_means[which]
                heappush(heap, (finish, number, DONE, which, what))
            else:
                idle[which] += 1
        elif kind == VISIBLE:
            in_flight[which] -= 1
            flight_time[which] += now
            visible_time[which] -= now
            ready[which].appendleft(what)
        elif kind == RATE:  # the process has no memory: draw afresh; the arrival of the old phase is void
            gap = 1.0 / what
            phase += 1
            number += 1
            heappush(heap, (now - log(1.0 - arrivals()) * gap, number, ARRIVAL, phase, None))
            continue
        else:
            state = (tuple(each) for each in (sent, received, deleted, map(len, ready), in_flight))
            readings.append((now, orders, accepted, throttled, *state))
            if which == PROBES:
                break
            number += 1
            heappush(heap, ((which + 1) * until / PROBES, number, PROBE, which + 1, None))
            continue

        for pool in looking:
            line = ready[pool]
            if not line or not idle[pool]:
                continue
            idle[pool] -= 1
            deadline = now + visibility_timeout
            batch: list[Message] = []
            while line and len(batch) < batch_size:
                message = line.popleft()
                if not message.receive_count:
                    message.first_received_at = now
                    waiting[pool].append(now - message.sent_at)
                message.receive_count += 1
                message.deadline = deadline
                batch.append(message)
            size = len(batch)
            received[pool] += size
            in_flight[pool] += size
            visible_time[pool] += size * now
            flight_time[pool] -= size * now
            batch.reverse()
            number += 1
            heappush(heap, (now - log(1.0 - services()) * service_means[pool], number, DONE, pool, batch))

    counts: Result = {"orders": orders, "accepted": accepted, "throttled": throttled}
    places = dict(zip(("sent", "received", "deleted", "visible", "in_flight"), readings[-1][4:], strict=True))
    for pool, name in enumerate(("inventory", "billing", "shipping", "emails")):
        counts |= {f"{place}_{name}": numbers[pool] for place, numbers in places.items()}
    if not statistics:
        return counts
    for _, _, _, _, came, _, *where in readings:
        assert came == tuple(map(sum, zip(*where, strict=True))), "messages lost or doubled"
    counts["mean_visible"] = sum(visible_time) / until + sum(places["visible"])
    counts["mean_in_flight"] = sum(flight_time) / until + sum(places["in_flight"])
    counts |= describe("waiting", list(chain(*waiting))) | describe("sojourn", list(chain(*sojourn)))
    return counts | describe("order_to_email", order_to_email)


MODELS: tuple[Model, ...] = (visibility_spike, many_servers, filtered_topic, order_pipeline)
