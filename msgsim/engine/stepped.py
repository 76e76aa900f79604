# Hot path: `SteppedStation.run` is the life of a FIFO or fair queue and its workers (benchmarks/fifo_pipeline.py).
"""Lazy stations of queues where each deletion counts: of FIFO and fair queues.

What can be received there depends on what is in flight: a deletion unblocks a group (FIFO-ORD-4), or changes a tenant's
share of the work (SQS-FAIR-3). So each message has an event of its own, in the station's own heap.
"""

# ruff: noqa: C901, PLR0912, PLR0915, PLR1730, SLF001 - one loop that does what `Worker` does without its calls

from heapq import heappop, heappush, heapreplace
from math import inf, nextafter
from typing import Any

from msgsim.engine.lazy import LazyStation
from msgsim.engine.traffic import GroupedSource


class SteppedStation(LazyStation):
    """See `LazyStation`; here every worker has an event per message."""

    __slots__ = ()

    stepped = True

    def run(self, limit: float, *, through_workers: bool) -> None:
        """See `LazyStation.run`.

        What a worker does with a message that has neither timed out nor been touched by others, `Worker._step`, and
        how it receives, `Worker.begin`, are done here.
        """
        self._running = True
        queue = self.queue
        queue.on_change = None
        heap = self._heap
        source = self._source
        waiting = self._waiting
        fifo = queue.declaration.fifo
        rotation, unblocked = (queue._rotation, queue._unblocked) if fifo else (None, None)  # `FifoQueue.receivable`
        fairness: Any = None if fifo else queue.fairness
        fresh = None if fifo else queue._fresh  # with what waits for fairness, `FairQueue.visible`
        grouped = source if type(source) is GroupedSource else None
        if grouped is not None:  # for `GroupedSource.pull`
            draw, next_arrival, deliver = grouped.draw, grouped.next, grouped.deliver
            content, attributes = grouped.content, grouped.attributes
        last_work = limit if through_workers else nextafter(limit, -inf)
        while True:
            work = heap[0][0]
            arrival = source.time
            now = arrival if arrival <= work else work  # noqa: FURB136 - a call costs more
            if self._wake < now:
                now = self._wake
            if waiting:
                alarm = self._polls_end
                if queue.due < alarm:
                    alarm = queue.due
                if alarm <= now:
                    alarm = max(self._clock, alarm)
                    if alarm > limit:
                        break
                    self._alarm(alarm)
                    continue
            if now > limit or (now > last_work and now < arrival):
                break
            if now == arrival:
                if grouped is not None:
                    grouped.count += 1
                    deliver(content, attributes, now, None, now, draw())
                    grouped.time = next_arrival()
                else:
                    source.pull()
                if not waiting or queue.limited or not (rotation or unblocked if fifo else fairness.waiting or fresh):
                    continue
                if source.time <= now or work <= now or now > last_work:
                    self._wake = now
                    continue
                serving = True
            else:
                serving = now != work

            if not serving:
                worker = heap[0][2]
                if worker.time != now:
                    heappop(heap)
                    continue
                pool = worker.pool
                if worker.action is not worker.step_action:
                    heappop(heap)
                    worker.time = inf
                    worker.action(now)
                    continue
                if now >= queue.due:
                    queue.settle(now)
                batch = worker.batch
                position = worker.position
                message = batch[position]
                deadline = worker.deadline
                failures = worker.failures
                failed = failures is not None and position in failures
                if (
                    now >= deadline
                    or message.deadline != deadline
                    or message.receive_count != worker.receipts[position]
                ):
                    heappop(heap)
                    worker.time = inf
                    worker._failed = failed
                    worker.action(now)
                    if waiting and not queue.limited and (rotation or unblocked if fifo else fairness.waiting or fresh):
                        self._wake = now
                    continue
                worker.clock = now
                pool.processed += 1
                position += 1
                if not failed:
                    queue.finish_one(message, now)
                else:
                    pool.failed += 1
                    if fifo:
                        position = worker.after_group(message, position)
                worker.position = position
                if position < len(batch):
                    worker.time = end = now + worker.durations[position]
                    heapreplace(heap, (end, worker.rank, worker))
                    if waiting and not queue.limited and (rotation or unblocked if fifo else fairness.waiting or fresh):
                        self._wake = now
                    continue
                heappop(heap)
                worker.time = inf
                if worker.leaving:
                    pool.leave(worker, now)
                    if waiting and not queue.limited and (rotation or unblocked if fifo else fairness.waiting or fresh):
                        self._wake = now
                    continue
                if waiting and not queue.limited and (rotation or unblocked if fifo else fairness.waiting or fresh):
                    self._wake = now
                    batch = []
                else:
                    batch = queue.take(now, pool.batch_size, queue.visibility_timeout)
                if not batch:
                    worker.batch = batch
                    pool.busy -= 1
                    pool.busy_time += now
                    worker.poll_started = now
                    waiting.append(worker)
                    if self._polls_end == inf:
                        self._polls_end = now + pool.wait_time
                    continue
            else:
                self._wake = inf
                if self._rng is not None:
                    self._dispatch(now)
                    continue
                if not waiting:
                    continue
                worker = waiting[0]
                pool = worker.pool
                batch = queue.take(now, pool.batch_size, queue.visibility_timeout)
                if not batch:
                    continue
                waiting.popleft()
                if not waiting:
                    self._polls_end = inf
                pool.busy += 1
                pool.busy_time -= now

            # The worker begins on its batch.
            sample = pool.sample
            rate = pool.failure_rate
            worker.batch = batch
            worker.position = 0
            worker.clock = now
            worker.deadline = batch[0].deadline
            worker.failures = None
            if len(batch) == 1:
                duration = sample()
                worker.durations = [duration]
                worker.receipts = [batch[0].receive_count]
                end = now + duration
                if rate and pool.random() < rate:
                    worker.failures = [0]
            else:
                worker.durations = durations = [sample() for _ in batch]
                worker.receipts = [message.receive_count for message in batch]
                end = now + durations[0]
                if rate:
                    random = pool.random
                    for position in range(len(batch)):
                        if random() < rate:
                            worker.fail(position)
            worker.action = worker.step_action
            worker.time = end
            heappush(heap, (end, worker.rank, worker))
            if waiting and not queue.limited and (rotation or unblocked if fifo else fairness.waiting or fresh):
                if serving and end == now:  # the others are served before what takes no time
                    self._dispatch(now)
                else:
                    self._wake = now
        queue.on_change = self._notice
        self._running = False

    def _limit(self, now: float) -> None:
        """See `LazyStation`; each deletion has its own event anyway."""
