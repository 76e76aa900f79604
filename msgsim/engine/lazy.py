# Hot path: `LazyStation.run` is the whole life of a queue and its workers (benchmarks/spike.py, benchmarks/mmc.py).
"""Queues whose work nobody can notice while it happens: simulated in one go when somebody looks.

A queue whose workers only receive, work and delete changes nothing outside it, except what it moves to its dead-letter
queue. Nothing has to happen at its time, then: a loop over a heap of its own does all that is past when a message comes
from elsewhere, at a probe, or when a user looks. What anybody sees is what one event each would have shown
(`tests/engine/test_lazy.py` compares the two).
"""

# ruff: noqa: C901, FURB136, PLR0912, PLR0915, PLR1730, SLF001 - one loop over the queue's own containers is what makes it fast

from collections import deque
from collections.abc import Iterator, Mapping
from heapq import heappop, heappush, heapreplace
from math import inf, nextafter
from random import Random
from typing import Any

from simpy import Environment

from msgsim.bus.message import GONE, VISIBLE, Content, Message
from msgsim.engine.board import Board
from msgsim.engine.clock import Timer, Turn
from msgsim.engine.stations import Pool, drawn, renew_polls
from msgsim.engine.traffic import TrafficSource


class LazyStation:
    """A queue, the traffic that goes directly to it, and its polls.

    Args:
        env: the SimPy environment.
        queue: whose messages.
        board: of the simulation.
        rng: decides which of several waiting polls wins; None for the longest-waiting (SQS-RCV-6).

    Attributes:
        lines: the waiting polls, in one line.
        upstream: the stations whose dead letters come here; they are run first.
    """

    __slots__ = (
        "_change",
        "_clock",
        "_env",
        "_heap",
        "_hired",
        "_limited",
        "_pause",
        "_polls_end",
        "_pools",
        "_rank",
        "_rng",
        "_running",
        "_served_at",
        "_servings",
        "_source",
        "_sources",
        "_waiting",
        "_wake",
        "board",
        "lines",
        "queue",
        "upstream",
    )

    lazy = True
    stepped = False

    def __init__(self, env: Environment, queue: Any, board: Board, rng: Random | None) -> None:
        self._env = env
        self._rng = rng
        self._heap: list[tuple[float, int, Any]] = [(inf, 0, None)]  # the last entry saves a question per turn
        self._hired = 0
        self._rank: float = 0
        self._pause = -1
        self._pools: list[Any] = []
        self._sources: list[TrafficSource] = []
        self._source: TrafficSource | Merged = Merged([])
        self._waiting: deque[Any] = deque()
        self._servings = 0
        self._served_at = -inf
        self.lines = [self._waiting]
        self._polls_end = inf
        self._wake = inf
        self._clock = 0.0
        self._limited = False
        self._running = False
        self.board = board
        self.queue: Any = queue
        self.upstream: list[LazyStation] = []
        queue.catch_up = self.catch_up
        queue.on_change = self._notice
        queue.on_arrival = self.prepare
        queue.held = self._held
        queue.on_lag = self._await_change
        self._change = Timer(env, self._put_in_force, Turn.FIRST)

    # ---------------------------------------------------------------- what comes from elsewhere

    def feed(self, source: TrafficSource) -> None:
        """Traffic that goes directly to the queue."""
        self._sources.append(source)
        self._source = source if len(self._sources) == 1 else Merged(self._sources)

    def enqueue(
        self,
        content: str | Content,
        attributes: Mapping[str, Any] | None,
        now: float,
        origin: int | None,
        origin_at: float,
    ) -> None:
        """A message from a topic or another queue's worker."""
        self._receive(now, origin_at)
        queue = self.queue
        queue.on_change = None
        queue.enqueue(content, attributes, now, origin, origin_at)
        queue.on_change = self._notice
        if self._waiting:
            self._wake_at(now)

    def enqueue_later(
        self,
        content: str | Content,
        attributes: Mapping[str, Any] | None,
        now: float,
        origin: int | None,
        origin_at: float,
        delay: float,
    ) -> None:
        """The same with a delay of its own [s]."""
        self._receive(now, origin_at)
        self.queue.enqueue_later(content, attributes, now, origin, origin_at, delay)

    def enqueue_grouped(
        self,
        content: str | Content,
        attributes: Mapping[str, Any] | None,
        now: float,
        origin: int | None,
        origin_at: float,
        group_id: str,
        *rest: Any,
    ) -> None:
        """The same of a group, with a delay of its own [s] or, for a FIFO queue, an id for deduplication."""
        self._receive(now, origin_at)
        queue = self.queue
        queue.on_change = None
        enqueue = queue.enqueue if queue.declaration.fifo else queue.enqueue_grouped
        enqueue(content, attributes, now, origin, origin_at, group_id, *rest)
        queue.on_change = self._notice
        if self._waiting and queue.receivable:
            self._wake_at(now)

    def _receive(self, now: float, origin_at: float) -> None:
        """Get ready for a message that may be older than its time in the queue; `_leap` asks no message for that."""
        self.prepare(now)
        queue = self.queue
        if origin_at != now and queue._end_to_end is None:
            queue._end_to_end = queue.sojourns[:]

    def catch_up(self, now: float) -> None:
        """Do all that is past at `now`, down to the completions inside a batch.

        A user's call may change anything: before it, every message in work gets an event of its own.
        """
        if self._running:
            self._complete(now, self._rank)
            return
        self._reach(now)
        if not self.board.probing:
            self._go_stepwise()

    def _await_change(self) -> None:
        """Changed attributes are on their way (SQS-ATT-2)."""
        self._change.arm(self.queue.change_due)

    def _put_in_force(self, now: float) -> None:
        self.catch_up(nextafter(now, -inf))
        self.queue.settle(now)
        if self.queue.change_due < inf:
            self._await_change()
        if self._waiting and self.queue.receivable:
            self._wake_at(now)

    def _reach(self, now: float) -> None:
        """Do all that somebody who looks now must see."""
        present = float(self._env.now)
        over = now < present or self._begins_pause()
        time = min(now, present)
        for station in self.upstream:
            station._reach(now)
        self.run(time, through_workers=over)
        self._clock = time
        self._complete(time, inf if over else -inf)

    def _approach(self, now: float) -> None:
        """Do what comes before the workers' turn at an instant on the way, or before its arrivals where it is early."""
        if not self._running:
            for station in self.upstream:
                station._approach(now)
            if self.board.early:
                self.run(nextafter(now, -inf), through_workers=True)
            else:
                self.run(now, through_workers=False)
            self._clock = now

    def _begins_pause(self) -> bool:
        """Whether this is the first look after all of the present instant is over.

        What a user does in the pause is for the workers' turn when the simulation goes on.
        """
        board = self.board
        if not board.quiet or self._pause == board.pauses:
            return False
        self._pause = board.pauses
        return True

    def _complete(self, now: float, rank: float) -> None:
        """Apply the completions before `now`, and those at `now` of workers that come before a rank.

        Once waiting polls have been served at `now`, all workers have had their turn, but with what was served last.
        """
        before = nextafter(now, -inf)
        again = self._served_at == now
        for pool in self._pools:
            for worker in pool.workers:
                if worker.batch and not worker.stepwise:
                    done = worker.rank < rank or (again and worker.served < self._servings)
                    worker.catch_up(now if done else before)

    def _go_stepwise(self) -> None:
        """Give every message in work an event of its own."""
        for pool in self._pools:
            for worker in pool.workers:
                worker.go_stepwise()

    def _held(self) -> Iterator[Message]:
        """What workers hold without the queue keeping its deadline."""
        for pool in self._pools:
            for worker in pool.workers:
                if worker.held:
                    yield from worker.batch[worker.position :]

    # ---------------------------------------------------------------- what workers ask for

    def join(self, pool: Pool) -> deque[Any]:
        """A pool polls here; returns where its waiting polls stand, the longest-waiting first."""
        self._pools.append(pool)
        return self._waiting

    def next_rank(self) -> int:
        """The place of another worker among those that act at one instant."""
        self._hired += 1
        return self._hired

    def schedule(self, worker: Any, time: float) -> None:
        """Have the worker act at `time` [s]."""
        worker.time = time
        heappush(self._heap, (time, worker.rank, worker))

    def cancel(self, worker: Any) -> None:
        """Do not have it act."""
        worker.time = inf

    def wait(self, pool: Pool, worker: Any, now: float) -> None:
        """A poll begins to wait."""
        worker.poll_started = now
        self._waiting.append(worker)
        if self._polls_end == inf:
            self._polls_end = now + pool.wait_time
        self._limit(now)

    # ---------------------------------------------------------------- the loop

    def run(self, limit: float, *, through_workers: bool) -> None:
        """Do everything up to `limit`; at that very instant the workers' turn may be left for later."""
        self._running = True
        queue = self.queue
        queue.on_change = None
        sources = self._sources
        last_work = limit if through_workers else nextafter(limit, -inf)
        regular = len(sources) == len(self._pools) == 1 and self._rng is None and not queue.delaying
        regular = regular and type(sources[0]) is TrafficSource
        while True:
            if regular:
                self._leap(sources[0], self._pools[0], limit, last_work)
            if not self._step(limit, last_work):
                break
        queue.on_change = self._notice
        self._running = False

    def _step(self, limit: float, last_work: float) -> bool:
        """Do the next thing, by time and turn; False if there is none up to the limit."""
        heap = self._heap
        source = self._source
        work = heap[0][0]
        wake = self._wake
        arrival = source.time
        alarm = max(self._clock, min(self.queue.due, self._polls_end)) if self._waiting else inf
        first = min(alarm, arrival, wake, work)
        if first > limit or (first > last_work and first < min(alarm, arrival)):
            return False
        if first == alarm:
            self._alarm(first)
        elif first == arrival:
            source.pull()
            if self._waiting:
                self._wake_at(first)
        elif first == work:
            worker = heappop(heap)[2]
            if worker.time == first:
                worker.time = inf
                self._rank = worker.rank
                worker.action(first)
        else:
            self._wake = inf
            self._rank = -inf
            self._servings += 1
            self._served_at = first
            self._dispatch(first)
        if self._limited and not self.queue.limited:
            self._limited = False
            self._wake_at(first)
        return True

    def _leap(self, source: TrafficSource, pool: Any, limit: float, last_work: float) -> None:
        """Do as `_step` for as long as it is the usual: one source, one pool, messages that were never received.

        Everything is in local variables meanwhile. At the first thing that is not usual the state is put back, and
        `_step` does it. (A queue that has become fair has its `_place` at -inf.)
        """
        queue = self.queue
        retention = queue.retention
        if self._wake < inf or queue._place < inf or queue.limited or queue.moved_in or retention.heap is not None:
            return
        heap = self._heap
        waiting = self._waiting
        fresh = queue._fresh
        size = pool.batch_size
        crowded = queue.max_in_flight - size
        timeout = queue.visibility_timeout
        sample = pool.sample
        random = pool.random
        failure_rate = pool.failure_rate
        sojourn = queue.sojourns.append
        wait = queue.waits.append
        end_to_end = queue._end_to_end
        next_arrival = source.next
        content = source.content
        attributes = source.attributes
        retained = retention.due
        arrival = source.time
        arrivals = number = 0
        base = queue.base
        sent = queue.sent
        due = queue.due
        polls_end = self._polls_end
        alarm = polls_end if polls_end < due else due
        in_flight = queue.in_flight
        visible_time = queue._visible_time
        flight_time = queue._flight_time
        received = companions = deleted = processed = failed = 0
        busy = pool.busy
        busy_time = pool.busy_time

        while True:
            work = heap[0][0]
            if arrival <= work:
                now = arrival
                if now > limit or now >= alarm:
                    break
                message = Message()
                message.content = content
                message.attributes = attributes
                sent += 1
                message.number = base | sent
                message.arrived_at = now
                message.origin_at = now
                message.origin = None
                message.receive_count = 0
                message.deadline = VISIBLE
                visible_time -= now
                fresh.append(message)
                arrivals += 1
                arrival = next_arrival()
                if not waiting:
                    continue
                if arrival <= now or work <= now or now > last_work or in_flight > crowded:
                    self._wake_at(now)
                    break
                worker = waiting.popleft()
                if not waiting:
                    polls_end = inf
                    alarm = due
                busy += 1
                busy_time -= now
            else:
                now = work
                worker = heap[0][2]
                if now > last_work or now >= alarm or not worker.held or worker.time != now:
                    break
                heappop(heap)
                batch = worker.batch
                failures = worker.failures
                deadline = worker.deadline
                if len(batch) == 1 and failures is None and not worker.position:
                    message = batch[0]
                    message.deadline = GONE
                    since = message.arrived_at
                    sojourn(now - since)
                    wait(message.first_received_at - since)
                    if end_to_end is not None:
                        end_to_end.append(now - message.origin_at)
                    flight_time += now
                    deleted += 1
                    in_flight -= 1
                    processed += 1
                else:
                    at = worker.clock
                    durations = worker.durations
                    for position in range(worker.position, len(batch)):
                        at += durations[position]
                        message = batch[position]
                        if failures is not None and position in failures:
                            queue.flights.add(deadline, [message])
                            if deadline < due:
                                due = deadline
                                if due < alarm:
                                    alarm = due
                            failed += 1
                            continue
                        message.deadline = GONE
                        since = message.arrived_at
                        sojourn(at - since)
                        wait(message.first_received_at - since)
                        if end_to_end is not None:
                            end_to_end.append(at - message.origin_at)
                        flight_time += at
                        deleted += 1
                        in_flight -= 1
                    processed += len(batch) - worker.position
                if not fresh:
                    worker.batch = []
                    busy -= 1
                    busy_time += now
                    worker.poll_started = now
                    waiting.append(worker)
                    if polls_end == inf:
                        polls_end = now + pool.wait_time
                        if polls_end < alarm:
                            alarm = polls_end
                    continue
                if in_flight > crowded:
                    worker.position = len(batch)
                    worker.action = worker.poll
                    heappush(heap, (now, worker.rank, worker))
                    break

            # The worker receives.
            deadline = now + timeout
            worker.clock = now
            worker.position = 0
            worker.deadline = deadline
            worker.held = True
            worker.stepwise = False
            worker.failures = None
            number = len(fresh)
            if number == 1 or size == 1:
                message = fresh.popleft()
                message.deadline = deadline
                message.first_received_at = now
                message.receive_count = 1
                duration = sample()
                end = now + duration
                worker.batch = [message]
                worker.durations = [duration]
                if failure_rate and random() < failure_rate:
                    worker.failures = _FIRST
                number = 1
                visible_time += now
                flight_time -= now
            else:
                if number > size:
                    number = size
                batch = []
                durations = []
                end = now
                for position in range(number):
                    message = fresh.popleft()
                    message.deadline = deadline
                    message.first_received_at = now
                    message.receive_count = 1
                    batch.append(message)
                    duration = sample()
                    durations.append(duration)
                    end += duration
                    if failure_rate and random() < failure_rate:
                        worker.fail(position)
                companions += position
                worker.batch = batch
                worker.durations = durations
                visible_time += number * now
                flight_time -= number * now
            received += number
            in_flight += number
            if end >= deadline or end >= retained:
                worker.go_stepwise()
                if queue.due < due:
                    due = queue.due
                break
            worker.time = end
            worker.action = worker.finish_action
            heappush(heap, (end, worker.rank, worker))

        source.time = arrival
        source.count += arrivals
        queue.sent = sent
        queue.due = due
        queue.received += received
        queue.companions += companions
        queue.deleted += deleted
        queue.in_flight += received - deleted
        queue._visible_time = visible_time
        queue._flight_time = flight_time
        pool.processed += processed
        pool.failed += failed
        pool.busy = busy
        pool.busy_time = busy_time
        self._polls_end = polls_end

    def _dispatch(self, now: float) -> None:
        """Give what is receivable to the waiting polls."""
        waiting = self._waiting
        queue = self.queue
        place = 0
        while waiting:
            if self._rng is not None:
                if queue.limited or not queue.receivable:
                    return
                _, place = drawn([waiting], self._rng)
            worker = waiting[place]
            size = worker.pool.batch_size
            batch = queue.take(now, size, queue.visibility_timeout)
            if not batch:
                self._limit(now)
                return
            del waiting[place]
            worker.served = self._servings
            worker.begin(batch, now)
            if len(batch) < size and not queue.receivable:
                break
        if not waiting:
            self._polls_end = inf

    def _limit(self, now: float) -> None:
        """If polls wait for the number in flight to drop, each deletion must happen in its own event."""
        if self.queue.limited:
            self._limited = True
            self._complete(now, self._rank)
            self._go_stepwise()

    def _alarm(self, now: float) -> None:
        """Deadlines have come while polls wait."""
        queue = self.queue
        if self._polls_end <= now:
            self._polls_end = renew_polls(self._waiting, self._pools[0].wait_time, queue, now)
        if queue.due <= now:
            queue.settle(now)
            queue.renew_due()
            if queue.receivable:
                self._wake_at(now)

    def _wake_at(self, now: float) -> None:
        """Give the waiting polls their turn, after what is already due at this instant."""
        self._wake = min(self._wake, now)

    def give_way(self, worker: Any, now: float) -> bool:
        """See `Station`; here all polls can wait."""
        worker.pool.rest(worker, now)
        self._wake_at(now)
        return True

    def prepare(self, now: float) -> None:
        """A message is about to come: do what comes before it."""
        if self.board.quiet and not any(station._running for station in self.upstream):
            self._reach(now)
        else:
            self._approach(now)

    def _notice(self) -> None:
        """A dead letter has come, or a user has done something."""
        if self._waiting:
            self._wake_at(self._clock)


_FIRST = [0]


class Merged:
    """Several sources, or none, as one; at one instant the source goes first whose last event is longer ago."""

    __slots__ = ("_heap", "_pulls", "time")

    def __init__(self, sources: list[TrafficSource]) -> None:
        self._pulls = len(sources)
        self._heap = [(source.time, place, source) for place, source in enumerate(sources)]
        self._heap.sort()
        self.time = self._heap[0][0] if sources else inf

    def pull(self) -> None:
        """Let the next event happen."""
        source = self._heap[0][2]
        self._pulls += 1
        heapreplace(self._heap, (source.pull(), self._pulls, source))
        self.time = self._heap[0][0]
