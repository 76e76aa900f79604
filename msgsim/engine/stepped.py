# Hot path: `SteppedStation.run` is the whole life of a FIFO queue and its workers (benchmarks/fifo_pipeline.py).
"""Lazy stations of queues where each deletion counts: of FIFO and fair queues.

What can be received there depends on what is in flight: a deletion unblocks a group (FIFO-ORD-4), or changes a tenant's
share of the work (SQS-FAIR-3). So each message has an event of its own, in the station's own heap.
"""

# ruff: noqa: C901, PLR0912, PLR1730, SLF001 - one loop without needless calls

from heapq import heappop, heapreplace
from math import inf, nextafter

from msgsim.engine.lazy import LazyStation


class SteppedStation(LazyStation):
    """See `LazyStation`; here every worker has an event per message."""

    __slots__ = ()

    stepped = True

    def run(self, limit: float, *, through_workers: bool) -> None:
        """See `LazyStation.run`."""
        self._running = True
        queue = self.queue
        queue.on_change = None
        heap = self._heap
        source = self._source
        waiting = self._waiting
        last_work = limit if through_workers else nextafter(limit, -inf)
        while True:
            first = work = heap[0][0]
            arrival = source.time
            if arrival <= first:
                first = arrival
            if self._wake < first:
                first = self._wake
            if waiting:
                alarm = max(self._clock, min(queue.due, self._polls_end))
                if alarm <= first:
                    if alarm > limit:
                        break
                    self._alarm(alarm)
                    continue
            if first > limit or (first > last_work and first < arrival):
                break
            if first == arrival:
                source.pull()
            elif first == work:
                worker = heap[0][2]
                if worker.time != first:
                    heappop(heap)
                    continue
                self._rank = worker.rank
                position = worker.position
                batch = worker.batch
                deadline = worker.deadline
                following = position + 1
                if (
                    worker.action is worker.step_action
                    and following < len(batch)
                    and first < deadline
                    and batch[position].deadline == deadline
                    and worker.failures is None
                    and batch[position].receive_count == worker.receipts[position]
                ):
                    worker.clock = first
                    worker.pool.processed += 1
                    queue.finish_one(batch[position], first)
                    worker.position = following
                    worker.time = end = first + worker.durations[following]
                    heapreplace(heap, (end, worker.rank, worker))
                else:
                    heappop(heap)
                    worker.time = inf
                    worker.action(first)
            else:
                self._wake = inf
                self._rank = inf
                self._dispatch(first)
                continue
            if waiting and queue.receivable and not queue.limited:
                self._wake_at(first)
        queue.on_change = self._notice
        self._running = False

    def _limit(self, now: float) -> None:
        """See `LazyStation`; each deletion has its own event anyway."""
