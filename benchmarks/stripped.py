"""The four benchmark models stripped to what their own counts and means need: a lower bound, not a simulator of a bus.

Each function is one loop over local variables. What it leaves out, and `bare.py` does: a message is no more than the
time it was sent, or the number of its order; nothing has an id, a body, attributes or a receive count to ask for. The
next arrival stays out of the heap. A batch is deleted when it is received, with the completion times that it will have,
so that nothing can be asked of the model while it runs; there are no probes and no integrals. In the model of orders,
where completions have effects, each has its own event, but queues have no waiting and sojourn times.

Workers of a pool are exchangeable, so a pool is the number of its idle workers and a heap of completion times. Every
run covers [0, until]; times are from send to first receive (waiting), from send to deletion (sojourn), or from order to
email [s]; the greatest backlog is as arrivals see it. `statistics=False` leaves out the means and quantiles, for timing
the loops alone.
"""

# ruff: noqa: C901, PLR0912, PLR0915, PLR1730 - a loop without calls is what is measured: long functions, no `max()`

from collections import deque
from heapq import heappop, heappush, heapreplace
from math import inf, log
from random import Random

from baseline import Model, Result, describe


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
    base_gap, spike_gap = 1.0 / base_rate, 1.0 / spike_rate
    ready: deque[float] = deque()  # never received, in order of sending
    returned: list[tuple[float, int]] = []  # failed and visible again: all were sent before any of `ready`
    failed: deque[tuple[float, float, int]] = deque()  # deadline, sent_at, receive count, in receive order
    dead: list[float] = []
    done = [until]  # completion times of batches; `until` itself ends the run
    waiting: list[float] = []
    sojourn: list[float] = []
    sent = received = unfinished = peak = 0
    idle, gap, change, in_spike, due = workers, base_gap, spike_at, False, inf
    arrival = -log(1.0 - arrivals()) * gap

    while True:
        if arrival < done[0] and arrival < due:
            now = arrival
            sent += 1
            ready.append(now)
            arrival -= log(1.0 - arrivals()) * gap
            while arrival >= change:  # the process has no memory: draw afresh from where the rate changes
                in_spike = not in_spike
                gap = spike_gap if in_spike else base_gap
                arrival = change - log(1.0 - arrivals()) * gap
                change += spike_hold if in_spike else spike_every - spike_hold
            if not idle:
                if len(ready) + len(returned) > peak:
                    peak = len(ready) + len(returned)
                continue
            idle -= 1
        elif done[0] < due:
            now = heappop(done)
            if now >= until:
                break
            if not ready and not returned:
                idle += 1
                continue
        else:
            now = due
            while failed and failed[0][0] <= now:
                heappush(returned, failed.popleft()[1:])
            due = failed[0][0] if failed else inf
            if not idle:
                continue
            idle -= 1

        finish = now
        room = batch_size
        while room and (ready or returned):
            if returned:
                sent_at, count = heappop(returned)
                if count >= max_receive_count:
                    dead.append(sent_at)
                    continue
                count += 1
            else:
                sent_at = ready.popleft()
                count = 1
                waiting.append(now - sent_at)
            room -= 1
            finish -= log(1.0 - services()) * service_mean
            if failures() < failure_rate:
                failed.append((now + visibility_timeout, sent_at, count))
                due = failed[0][0]
            elif finish < until:
                sojourn.append(finish - sent_at)
            else:
                unfinished += 1
        received += batch_size - room
        if room < batch_size:
            heappush(done, finish)
        else:  # it found only messages for the dead-letter queue
            idle += 1

    counts: Result = {
        "sent": sent,
        "received": received,
        "deleted": len(sojourn),
        "dead_lettered": len(dead),
        "visible": len(ready) + len(returned),
        "in_flight": len(failed) + unfinished,
        "max_backlog": peak,
    }
    return counts | describe("waiting", waiting) | describe("sojourn", sojourn) if statistics else counts


def many_servers(
    *,
    until: float = 41_667.0,
    rate: float = 7.2,
    workers: int = 8,
    service_mean: float = 1.0,
    seed: int = 1,
    statistics: bool = True,
) -> Result:
    """Run M/M/8 at a utilization of 0.9: 300,000 messages by default, one per receive."""
    arrivals, services = (Random(f"{seed}/{name}").random for name in ("arrivals", "services"))
    gap = 1.0 / rate
    ready: deque[float] = deque()
    done = [until]
    waiting: list[float] = []
    sojourn: list[float] = []
    sent = peak = 0
    idle = workers
    arrival = -log(1.0 - arrivals()) * gap

    while True:
        if arrival < done[0]:
            now = sent_at = arrival
            sent += 1
            arrival -= log(1.0 - arrivals()) * gap
            if not idle:
                ready.append(now)
                if len(ready) > peak:
                    peak = len(ready)
                continue
            idle -= 1
            finish = now - log(1.0 - services()) * service_mean
            heappush(done, finish)
        else:
            now = done[0]
            if now >= until:
                break
            if not ready:
                heappop(done)
                idle += 1
                continue
            sent_at = ready.popleft()
            finish = now - log(1.0 - services()) * service_mean
            heapreplace(done, finish)
        waiting.append(now - sent_at)
        if finish < until:
            sojourn.append(finish - sent_at)

    counts: Result = {"sent": sent, "received": len(waiting), "deleted": len(sojourn), "visible": len(ready)}
    counts |= {"in_flight": workers - idle, "max_backlog": peak}
    return counts | describe("waiting", waiting) | describe("sojourn", sojourn) if statistics else counts


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
    """Run a topic whose five filtered subscriptions take two of five kinds each: 200,000 publishes by default."""
    arrivals, kind_draws, services = (Random(f"{seed}/{name}").random for name in ("arrivals", "kinds", "services"))
    gap = 1.0 / rate
    kinds = [f"kind-{i}" for i in range(queues)]
    ready: list[deque[float]] = [deque() for _ in kinds]
    subscriptions = [(i, {kinds[i], kinds[(i + 1) % queues]}, ready[i]) for i in range(queues)]
    idle = [workers] * queues
    done = [(until, 0)]
    waiting: list[float] = []
    sojourn: list[float] = []
    published = sent = unfinished = 0
    arrival = -log(1.0 - arrivals()) * gap

    while True:
        if arrival < done[0][0]:
            now = arrival
            published += 1
            arrival -= log(1.0 - arrivals()) * gap
            kind = kinds[int(kind_draws() * queues)]
            for i, accepted, queue in subscriptions:
                if kind in accepted:
                    sent += 1
                    if not idle[i]:
                        queue.append(now)
                        continue
                    idle[i] -= 1
                    waiting.append(0.0)
                    finish = now - log(1.0 - services()) * service_mean
                    heappush(done, (finish, i))
                    if finish < until:
                        sojourn.append(finish - now)
                    else:
                        unfinished += 1
        else:
            now, i = heappop(done)
            if now >= until:
                break
            queue = ready[i]
            if not queue:
                idle[i] += 1
                continue
            finish = now
            for _ in range(min(batch_size, len(queue))):
                sent_at = queue.popleft()
                waiting.append(now - sent_at)
                finish -= log(1.0 - services()) * service_mean
                if finish < until:
                    sojourn.append(finish - sent_at)
                else:
                    unfinished += 1
            heappush(done, (finish, i))

    counts: Result = {
        "published": published,
        "filtered_out": published * queues - sent,
        "sent": sent,
        "received": len(waiting),
        "deleted": len(sojourn),
        "visible": sum(map(len, ready)),
        "in_flight": unfinished,
    }
    return counts | describe("waiting", waiting) | describe("sojourn", sojourn) if statistics else counts


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
    """Run orders through inventory, billing and shipping, joined into two emails each: 100,000 orders by default.

    What a completion does (join, emails) happens at its own time, so there is one event per message here. Failed
    messages, and only those, get an event for their visibility timeout, and come back to the front of their queue.
    """
    arrivals, services, failures = (Random(f"{seed}/{name}").random for name in ("arrivals", "services", "failures"))
    emails = 3
    pool_of = [pool for pool, size in enumerate(workers) for _ in range(size)]
    idle = [[w for w, p in enumerate(pool_of) if p == pool] for pool in range(4)]
    ready: list[deque[int]] = [deque() for _ in workers]
    batches: list[list[int]] = [[] for _ in pool_of]  # what is left of each worker's batch, last first
    received_at = [0.0] * len(pool_of)
    events = [(until, 0, 0)]  # (time, worker, order) of completions; (time, -1 - pool, order) of visibility deadlines
    placed_at: list[float] = []
    parts_left: list[int] = []
    order_to_email: list[float] = []
    received, deleted = [0] * 4, [0] * 4
    seconds: deque[list[int]] = deque([[0, 0]])  # [second, emails accepted in it] of the last 24 h
    tokens, filled_at, last_24_hours, accepted, throttled = burst, 0.0, 0, 0, 0

    def start(worker: int, pool: int, now: float) -> None:
        queue = ready[pool]
        size = min(batch_size, len(queue))
        received[pool] += size
        order = queue.popleft()
        if size > 1:
            batch = batches[worker] = [queue.popleft() for _ in range(size - 1)]
            batch.reverse()
        received_at[worker] = now
        heappush(events, (now - log(1.0 - services()) * service_means[pool], worker, order))

    mean_gap, change, next_rates = 1.0 / rate, spike_at, [(spike_at + spike_hold, spike_rate), (inf, rate)]
    arrival = -log(1.0 - arrivals()) * mean_gap
    while True:
        if arrival < events[0][0]:
            order = len(placed_at)
            placed_at.append(arrival)
            parts_left.append(emails)
            for pool in range(emails):
                ready[pool].append(order)
                if idle[pool]:
                    start(idle[pool].pop(), pool, arrival)
            arrival -= log(1.0 - arrivals()) * mean_gap
            while arrival >= change:
                start_of_rate, (change, new_rate) = change, next_rates.pop(0)
                mean_gap = 1.0 / new_rate
                arrival = start_of_rate - log(1.0 - arrivals()) * mean_gap
            continue

        now, worker, order = heappop(events)
        if now >= until:
            break
        if worker < 0:
            pool = -1 - worker
            ready[pool].appendleft(order)
            if idle[pool]:
                start(idle[pool].pop(), pool, now)
            continue

        pool = pool_of[worker]
        succeeded = failures() >= failure_rate
        if succeeded and pool == emails:
            if seconds[-1][0] != int(now):
                seconds.append([int(now), 0])
                while seconds[0][0] <= now - 86_400:
                    last_24_hours -= seconds.popleft()[1]
            tokens = min(burst, tokens + (now - filled_at) * max_send_rate)
            filled_at = now
            for _ in range(2):  # the customer, the warehouse
                if tokens < 1.0 or last_24_hours >= max_24_hour_send:
                    throttled += 1
                    succeeded = False
                    break
                tokens -= 1.0
                last_24_hours += 1
                seconds[-1][1] += 1
                accepted += 1
            else:
                order_to_email.append(now - placed_at[order])
        elif succeeded:
            parts_left[order] -= 1
            if not parts_left[order]:
                ready[emails].append(order)
                if idle[emails]:
                    start(idle[emails].pop(), emails, now)
        if succeeded:
            deleted[pool] += 1
        else:
            heappush(events, (received_at[worker] + visibility_timeout, -1 - pool, order))

        if batches[worker]:
            finish = now - log(1.0 - services()) * service_means[pool]
            heappush(events, (finish, worker, batches[worker].pop()))
        elif ready[pool]:
            start(worker, pool, now)
        else:
            idle[pool].append(worker)

    counts: Result = {"orders": len(placed_at), "accepted": accepted, "throttled": throttled}
    for pool, name in enumerate(("inventory", "billing", "shipping", "emails")):
        counts[f"sent_{name}"] = len(placed_at) if pool < emails else parts_left.count(0)
        counts[f"received_{name}"] = received[pool]
        counts[f"deleted_{name}"] = deleted[pool]
        counts[f"visible_{name}"] = len(ready[pool])
        expiring = sum(worker == -1 - pool for _, worker, _ in events)
        handled = sum(1 + len(batches[w]) for _, w, _ in events if w >= 0 and pool_of[w] == pool)
        counts[f"in_flight_{name}"] = expiring + handled
    return counts | describe("order_to_email", order_to_email) if statistics else counts


MODELS: tuple[Model, ...] = (visibility_spike, many_servers, filtered_topic, order_pipeline)
