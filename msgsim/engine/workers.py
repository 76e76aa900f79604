# Hot path: `Worker.begin` and `Worker.finish` run once per batch (benchmarks/spike.py, benchmarks/mmc.py).
"""Worker pools: declared (`Workers`) and live (`WorkerPool`).

A worker handles its batch one message at a time. At a lazy station, where nothing can interfere before the batch is
done, one event does all of it: `StandardQueue.finish` deletes each message at its own completion time, and
`WorkerPool.catch_up` applies the completions that have passed whenever somebody looks. Otherwise each message has an
event of its own.
"""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from math import ceil, inf, nextafter
from random import Random
from typing import Any

import attrs
from simpy import Environment

from msgsim.bus.chance import Ghost
from msgsim.bus.message import GONE, VISIBLE, Message
from msgsim.bus.queue import LiveQueue
from msgsim.bus.standard import StandardQueue
from msgsim.declare import as_int, choice, listed, number, text
from msgsim.distributions import Distribution, Fixed, as_distribution, refuse_duration
from msgsim.engine.actions import Action, Retry, Step
from msgsim.engine.clock import Timer, Turn
from msgsim.engine.curves import RateCurve
from msgsim.engine.handlers import Desk, Handler
from msgsim.engine.lazy import LazyStation
from msgsim.engine.stations import Station
from msgsim.errors import AuditError, DeclarationError, TimeRanBackwards
from msgsim.quotas import BATCH_ENTRIES, MAX_MESSAGES, SETS, VISIBILITY_TIMEOUT, WAIT_TIME

MOST_WORKERS = 10_000_000
"""Of a pool: each takes about a kilobyte."""

SHORTEST = 0.001
"""Polls, heartbeats and deliveries of one message are at least so far apart [s]: in no time they would never end."""


def _check_count(_owner: object, _attribute: "attrs.Attribute[Any]", value: object) -> None:
    if isinstance(value, RateCurve):
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise DeclarationError("Workers.count", f"{value!r} is neither a whole number nor a curve")
    if not 1 <= value <= MOST_WORKERS:
        problem = f"{value!r} is not allowed; allowed: 1 to {MOST_WORKERS}, or a curve (shifts)"
        raise DeclarationError("Workers.count", problem)


@attrs.frozen(kw_only=True)
class Workers:
    """A pool of workers on a queue, declared.

    Attributes:
        queue: name of the queue that they poll.
        count: how many; a curve for shifts, rounded to whole workers.
        batch_size: messages per receive, at most 10 (SQS-RCV-1).
        wait_time: of a poll [s], 0 or at least 0.001; more than 0 is long polling (SQS-RCV-2).
        poll_interval: pause after an empty short poll [s], at least 0.001.
        service_time: per message [s]; a number is `Fixed`.
        failure_rate: probability that handling a message fails, after its whole service time.
        on_success: actions in order, before the message is deleted.
        on_refusal: when an action is refused: "return" leaves the message to its visibility timeout, a `Retry` tries
            again inside the worker first.
        delete: "each" message when it is done, or the "batch" at its end.
        heartbeat: restart the visibility timeout of what is not done yet every so often [s], at least 0.001
            (SQS-VIS-12).
        handler: a Python function that is called for each message.
        quotas: which limits hold for `batch_size` and `wait_time`: "published", or "relaxed" on a queue that has these.
    """

    queue: str = text(empty=False)
    count: int | RateCurve = attrs.field(converter=as_int, validator=_check_count)
    batch_size: int = MAX_MESSAGES.field(10, integer=True)
    wait_time: float = WAIT_TIME.field(20.0)
    poll_interval: float = number(1.0, unit="s")
    handler: Handler | None = attrs.field(default=None)  # before what its default depends on
    service_time: Distribution = attrs.field(
        default=attrs.Factory(lambda self: None if self.handler is None else Fixed(0.0), takes_self=True),
        converter=as_distribution,
    )
    failure_rate: float = number(0.0, high=1.0, unit="probability")
    on_success: Sequence[Action] = listed(Action, "an action (SendEmail, Publish, SendMessage, Join)")
    on_refusal: str | Retry = attrs.field(default="return")
    delete: str = choice("each", ("each", "batch"))
    heartbeat: float | None = number(None, low=SHORTEST, high=VISIBILITY_TIMEOUT.high, unit="s", optional=True)
    quotas: str | None = choice(None, SETS, optional=True)

    def __attrs_post_init__(self) -> None:
        service_time: object = self.service_time
        allowed = "a number of seconds, or Exponential(mean) ..."
        if service_time is None:
            raise DeclarationError("Workers.service_time", f"is missing; {allowed}")
        refuse_duration("Workers.service_time", service_time, f"is not a distribution; {allowed}")
        if not isinstance(self.on_refusal, Retry) and not (
            isinstance(self.on_refusal, str) and self.on_refusal == "return"
        ):
            raise DeclarationError("Workers.on_refusal", f'{self.on_refusal!r} is neither "return" nor a Retry')
        if self.handler is not None and not callable(self.handler):
            raise DeclarationError("Workers.handler", f"{self.handler!r} is not a function f(delivery, context)")
        if not self.wait_time and not self.poll_interval:
            raise DeclarationError("Workers.poll_interval", "must be more than 0 [s] with wait_time=0: polls never end")
        for name in ("wait_time", "poll_interval"):
            value = getattr(self, name)
            if 0.0 < value < SHORTEST:
                problem = f"{value!r} is not allowed; allowed: 0, or {SHORTEST} or more [s]: polls would not end"
                raise DeclarationError(f"Workers.{name}", problem)


def calls_for(messages: int) -> int:
    """The calls that so many messages of one kind of request take (SQS-BAT-1)."""
    return ceil(messages / BATCH_ENTRIES.high)


class Worker:
    """One worker of a pool.

    Attributes:
        pool: it belongs to.
        rank: its place among the workers of the station that act at one instant.
        served: which serving of waiting polls gave it its batch; kept by a lazy station.
        poll_started: when its present poll began [s].
        batch: the messages it holds; empty while it waits.
        stepwise: whether each message of the batch has an event of its own.
        held: whether the queue does not keep the batch's deadline: it will be done in time.
        position: of the message in work.
        clock: when the message before it was done, or the batch was received [s].
        deadline: end of the batch's visibility timeout [s].
        receipts: of the messages of the batch: their receive counts when they were received.
        action: what it does next, and `time`, `timer`: when. The station keeps these.
    """

    __slots__ = (
        "_attempt",
        "_beat",
        "_done",
        "_extra",
        "_failed",
        "_next_beat",
        "_received_at",
        "_refused_step",
        "_waits",
        "action",
        "batch",
        "clock",
        "deadline",
        "durations",
        "failures",
        "finish_action",
        "held",
        "leaving",
        "poll_started",
        "pool",
        "position",
        "rank",
        "receipts",
        "served",
        "step_action",
        "stepwise",
        "time",
        "timer",
    )

    def __init__(self, pool: "WorkerPool", rank: int) -> None:
        self.pool = pool
        self.rank = rank
        self.served = 0
        self.timer: Timer | None = None
        self.time = inf
        self.action: Callable[[float], None] = self.poll
        self.poll_started = 0.0
        self.batch: list[Message] = []
        self.durations: list[float] = []
        self.failures: list[int] | None = None
        self.stepwise = True
        self.held = False
        self.leaving = False
        self.position = 0
        self.clock = 0.0
        self.deadline = 0.0
        self.finish_action = self.finish
        self.step_action = self._step
        self._received_at = 0.0
        self.receipts: list[int] = []
        self._done: list[int] = []
        self._failed = False
        self._refused_step = 0
        self._attempt = 0
        self._extra: Sequence[Step] = ()
        self._waits: Generator[float, None, Any] | None = None
        self._beat: Timer | None = None
        self._next_beat = inf

    # ---------------------------------------------------------------- the hot path

    def act(self, now: float) -> None:
        """Do what it was scheduled for, as an event of its own."""
        board = self.pool.station.board
        board.inside = True
        self.action(now)
        board.inside = False
        if board.pending:
            board.flush(now)

    def poll(self, now: float) -> None:
        """Look for a batch; wait if there is none, or behind polls that have waited longer for it (SQS-RCV-6)."""
        pool = self.pool
        if self.leaving:
            pool.leave(self, now)
            return
        queue = pool.queue
        for line in pool.lines:
            if line and queue.receivable and not queue.limited:
                if pool.station.give_way(self, now):
                    return
                break
        if pool.wait_time:
            batch = queue.take(now, pool.batch_size, queue.visibility_timeout)
        else:
            batch = queue.glance(now, pool.batch_size, queue.visibility_timeout)
        if batch:
            self.begin(batch, now)
        else:
            pool.rest(self, now)

    def begin(self, batch: list[Message], now: float) -> None:
        """Start on a batch: draw its service times and failures, and go on when it, or its first message, is done."""
        pool = self.pool
        if not self.batch:
            pool.busy += 1
            pool.busy_time -= now
        self.held = False
        self.batch = batch
        sample = pool.sample
        rate = pool.failure_rate
        self.position = 0
        self.clock = now
        deadline = batch[0].deadline
        if deadline == GONE:  # duplicates, which are not in the queue
            deadline = now + pool.queue.visibility_timeout
        self.deadline = deadline
        end = now
        self.durations = durations = []
        for _ in batch:
            duration = sample()
            durations.append(duration)
            end += duration
        self.failures = None
        if rate:
            for position in range(len(batch)):
                if pool.random() < rate:
                    self.fail(position)
        queue = pool.queue
        if (
            pool.whole
            and end < deadline
            and end < queue.retention.due
            and not queue.limited
            and type(queue) is StandardQueue
        ):
            self.stepwise = False
            self.action = self.finish_action
            pool.station.schedule(self, end)
        else:
            self._begin_stepwise(now)

    def fail(self, position: int) -> None:
        """The message at a position of the batch will fail."""
        if self.failures is None:
            self.failures = []
        self.failures.append(position)

    def finish(self, now: float) -> None:
        """The whole batch is done, and nothing has interfered."""
        self.catch_up(inf)
        self.poll(now)

    def catch_up(self, until: float) -> None:
        """Apply the completions up to `until` of a batch that has one event for all of it."""
        pool = self.pool
        first = self.position
        failures = self.failures
        queue: Any = pool.queue
        self.position, self.clock = queue.finish(
            self.batch, self.durations, failures, self.deadline, first, self.clock, until
        )
        pool.processed += self.position - first
        if failures is not None:
            failed = [position for position in failures if first <= position < self.position]
            pool.failed += len(failed)
            if self.held:
                for position in failed:
                    self.let_go(self.batch[position])

    def let_go(self, message: Message) -> None:
        """Leave a message to its visibility timeout."""
        queue = self.pool.queue
        queue.flights.add(self.deadline, [message])
        queue.due = min(queue.due, self.deadline)

    # ---------------------------------------------------------------- a message at a time

    def go_stepwise(self) -> None:
        """Go on with one event per message, from the message in work."""
        if self.stepwise or self.position >= len(self.batch):
            return
        self.stepwise = True
        if self.held:
            self.held = False
            for message in self.batch[self.position :]:
                self.let_go(message)
        self._note_receipts()
        self._failed = self.failures is not None and self.position in self.failures
        self._schedule(self.step_action, self.clock + self.durations[self.position])

    def _schedule(self, action: Callable[[float], None], time: float) -> None:
        self.action = action
        if self.timer is not None:
            self.timer.arm(time)
        else:
            self.pool.station.schedule(self, time)

    def _begin_stepwise(self, now: float) -> None:
        self.stepwise = True
        self._note_receipts()
        pool = self.pool
        if pool.heartbeat is not None:
            if self._beat is None:
                self._beat = Timer(pool.env, self._heartbeat, Turn.WORKER)
            self._next_beat = now + pool.heartbeat
            if self._beat.time == inf:  # or it goes off before, and is armed again then
                self._beat.arm(self._next_beat)
        self._start_message(now)

    def _note_receipts(self) -> None:
        batch = self.batch
        if not self.position:
            self._received_at = self.clock
        if len(batch) == 1:
            self.receipts = [batch[0].receive_count]
        else:
            self.receipts = [message.receive_count for message in batch]
        if self._done:
            self._done = []

    def _start_message(self, now: float) -> None:
        """Begin the message at `position`."""
        position = self.position
        self._failed = self.failures is not None and position in self.failures
        self._refused_step = self._attempt = 0
        duration = self.durations[position]
        if self.pool.desk is not None:
            duration = self._ask(self.pool.desk, now, duration)
        self._schedule(self.step_action, now + duration)

    def _ask(self, desk: Desk, now: float, duration: float) -> float:
        """Call the handler; returns how long it takes to the next thing it does [s]."""
        outcome = desk.call(self.batch[self.position], now)
        self._failed = self._failed or outcome.failed
        self._extra = outcome.steps
        self._waits = outcome.waits
        if outcome.waits is not None:
            return 0.0
        return duration if outcome.service_time is None else outcome.service_time

    def _step(self, now: float) -> None:
        """The message at `position` has had its service time."""
        if self._waits is not None and self._go_on(self._waits, now):
            return
        pool = self.pool
        position = self.position
        message = self.batch[position]
        queue = pool.queue
        succeeded = not self._failed
        if succeeded:
            steps = pool.steps if not self._extra else [*pool.steps, *self._extra]
            for index in range(self._refused_step, len(steps)):
                if not steps[index](message, now):
                    if self._try_again(index, now):
                        return
                    succeeded = False
                    break
        self.clock = now
        pool.processed += 1
        if now >= queue.due:
            queue.settle(now)
        if (
            now < self.deadline
            and message.deadline == self.deadline
            and message.receive_count == self.receipts[position]
        ):
            if succeeded and pool.delete_each:
                queue.finish_one(message, now)
        else:
            self._handle_late(message, position, succeeded, now)
        position += 1
        if not succeeded:
            pool.failed += 1
            if pool.fifo:
                position = self.after_group(message, position)
        elif not pool.delete_each:
            self._done.append(position - 1)
        self.position = position
        if position < len(self.batch):
            self._start_message(now)
        else:
            self._end_batch(now)

    def after_group(self, message: Any, position: int) -> int:
        """Leave the rest of a failed message's group to the visibility timeout, too: or its order would be lost."""
        batch: list[Any] = self.batch
        while position < len(batch) and batch[position].group_id == message.group_id:
            position += 1
        return position

    def _handle_late(self, message: Message, position: int, succeeded: bool, now: float) -> None:
        """The message had timed out, or is not what it was: others may have it.

        A standard queue still deletes it if nobody else received it (SQS-VIS-6), a FIFO queue does not (FIFO-VIS-1).
        """
        queue = self.pool.queue
        queue.settle(now)
        receipt = self.receipts[position]
        late = message.receive_count != receipt or message.deadline == VISIBLE or now >= self.deadline
        if late and not isinstance(message, Ghost):  # that has been counted
            queue.duplicate_work += 1
        if succeeded and self.pool.delete_each:
            queue.remove(message, receipt, now)

    def _end_batch(self, now: float) -> None:
        self._next_beat = inf
        queue = self.pool.queue
        if self._done:
            self.pool.count_deletes(len(self._done))
        for position in self._done:
            queue.remove(self.batch[position], self.receipts[position], now)
        self.poll(now)

    def _go_on(self, waits: Generator[float, None, Any], now: float) -> bool:
        """Go on with a handler that yields its waits; False if it has ended."""
        desk = self.pool.desk
        assert desk is not None  # noqa: S101 - narrows the type: a handler began this
        outcome = desk.resume(waits, now)
        if outcome.service_time is not None:
            self._schedule(self.step_action, now + outcome.service_time)
            return True
        self._waits = None
        self._failed = self._failed or outcome.failed
        self._extra = outcome.steps
        return False

    def _try_again(self, refused: int, now: float) -> bool:
        """Schedule another try of a refused action; False if there is none left."""
        retry = self.pool.retry
        if retry is None or self._attempt >= retry.attempts:
            return False
        self._refused_step = refused
        self._schedule(self.step_action, now + retry.wait(self._attempt))
        self._attempt += 1
        return True

    def _heartbeat(self, now: float) -> None:
        """Restart the visibility timeout of everything in hand, within the 12 h of its receive (SQS-VIS-3)."""
        pool = self.pool
        beat, interval = self._beat, pool.heartbeat
        assert beat is not None and interval is not None  # noqa: PT018, S101 - narrows the types: that is who calls
        if now < self._next_beat:  # it was armed for a batch that is done
            if self._next_beat < inf:
                beat.arm(self._next_beat)
            return
        queue = pool.queue
        board = pool.station.board
        timeout = min(queue.visibility_timeout, queue.longest - (now - self._received_at))
        if timeout <= 0:
            return
        board.inside = True
        queue.settle(now)
        named = 0
        for position in [*self._done, *range(self.position, len(self.batch))]:
            message = self.batch[position]
            if message.deadline == GONE:
                continue
            named += 1
            if pool.fifo and (message.deadline == VISIBLE or message.receive_count != self.receipts[position]):
                continue  # its receipt has expired, and the call fails (FIFO-VIS-2)
            if timeout <= queue.allowance(message, self._received_at, now):
                queue.extend(message, self._received_at, timeout, now)
        pool.visibility_requests += calls_for(named)
        self.deadline = now + timeout
        self._next_beat = now + interval
        beat.arm(self._next_beat)
        board.inside = False
        if board.pending:
            board.flush(now)


class WorkerPool:
    """A live pool.

    Attributes:
        fifo: whether its queue is a FIFO queue.
        whole: whether a batch may have one event for all of it: nobody notices, and no deletion matters to others.
        count: workers that are there, those that finish their last batch included.
        busy: workers that hold a batch.
        lazy: whether its station is.
        lines: where polls wait at its station, be they of other pools.
        acts: whether its workers do more than delete.
        processed: messages whose handling has ended, well or not.
        failed: those of them that were left to their visibility timeout.
        visibility_requests: calls that restarted visibility timeouts, of up to 10 messages each (SQS-BAT-1).
    """

    __slots__ = (
        "_batched_deletes",
        "_leaving",
        "acts",
        "batch_size",
        "busy",
        "busy_time",
        "count",
        "count_time",
        "declaration",
        "delete_each",
        "desk",
        "env",
        "failed",
        "failure_rate",
        "fifo",
        "heartbeat",
        "lazy",
        "lines",
        "name",
        "poll_interval",
        "processed",
        "queue",
        "random",
        "retry",
        "sample",
        "station",
        "steps",
        "visibility_requests",
        "wait_time",
        "waiting",
        "whole",
        "workers",
    )

    def __init__(
        self,
        workers: Workers,
        name: str,
        *,
        env: Environment,
        station: "Station | LazyStation",
        service_rng: Random,
        failure_rng: Random,
        desk: Desk | None = None,
    ) -> None:
        self.declaration = workers
        self.name = name
        self.env = env
        self.station = station
        self.queue: LiveQueue = station.queue
        self.fifo = self.queue.declaration.fifo
        self.batch_size = workers.batch_size
        self.wait_time = workers.wait_time
        self.poll_interval = workers.poll_interval
        self.sample = workers.service_time.sampler(service_rng)
        self.random = failure_rng.random
        self.failure_rate = workers.failure_rate
        self.delete_each = workers.delete == "each"
        self.heartbeat = workers.heartbeat
        self.retry = workers.on_refusal if isinstance(workers.on_refusal, Retry) else None
        self.desk = desk
        self.steps: Sequence[Step] = ()
        self.lazy = station.lazy
        self.whole = self.lazy and not station.stepped
        self.acts = bool(workers.on_success or desk)
        self.count = self.busy = self.processed = self.failed = 0
        self.visibility_requests = self._batched_deletes = 0
        self.count_time = self.busy_time = 0.0
        self.workers: list[Worker] = []
        self._leaving = 0
        self.waiting: deque[Any] = station.join(self)
        self.lines: list[deque[Any]] = station.lines

    def __repr__(self) -> str:
        return f"<WorkerPool {self.name!r} count={self.count} busy={self.busy}>"

    @property
    def delete_requests(self) -> int:
        """Calls that deleted messages: one for each that was handled well, or for up to 10 of a batch (SQS-BAT-1)."""
        return self.processed - self.failed if self.delete_each else self._batched_deletes

    def count_deletes(self, messages: int) -> None:
        """So many messages of a batch are deleted together."""
        self._batched_deletes += calls_for(messages)

    def resize(self, n: int, now: float) -> None:
        """Have `n` workers from `now` on.

        New ones poll at once. Waiting polls are cancelled, the newest first; busy workers finish their batch, then
        leave.

        Args:
            n: 0 or more.
            now: the simulation's time [s].

        Raises:
            DeclarationError: `n` is not a whole number of 0 or more.
            TimeRanBackwards: `now` is not the simulation's time.
        """
        if isinstance(n, bool) or not isinstance(n, int) or n < 0:
            raise DeclarationError(f"{self.name}.resize", f"{n!r} is not allowed; allowed: whole numbers from 0")
        if now != self.env.now:
            raise TimeRanBackwards(f"{self.name}: resize at now={now!r}, but the simulation is at {self.env.now!r}")
        if self.lazy:
            self.queue.advance(now)
        self._aim(n, now)

    def shift(self, n: int, now: float) -> None:
        """Have `n` workers from `now` on, before anything else happens at that instant."""
        if isinstance(self.station, LazyStation):
            self.station.catch_up(nextafter(now, -inf))
        self._aim(n, now)

    def _aim(self, n: int, now: float) -> None:
        if n > MOST_WORKERS:
            problem = f"{n} at {now:g} s is not allowed; allowed: up to {MOST_WORKERS}"
            raise DeclarationError(f"workers.{self.name}.count", problem)
        while self.count - self._leaving < n and self._leaving:
            self._recall()
        while self.count - self._leaving < n:
            self._hire(now)
        while self.count - self._leaving > n:
            self._dismiss(now)

    def rest(self, worker: Worker, now: float) -> None:
        """A worker found nothing."""
        if worker.batch:
            worker.batch = []
            self.busy -= 1
            self.busy_time += now
        if self.wait_time:
            self.station.wait(self, worker, now)
        else:
            self.queue.empty_receives += 1
            worker.action = worker.poll
            self.station.schedule(worker, now + self.poll_interval)

    def leave(self, worker: Worker, now: float) -> None:
        """A dismissed worker has finished its batch."""
        worker.batch = []
        worker.leaving = False
        self.busy -= 1
        self.busy_time += now
        self._leaving -= 1
        self._remove(worker, now)

    def check(self) -> None:
        """Assert that the workers add up.

        Raises:
            AuditError: says which numbers differ.
        """
        busy = sum(1 for worker in self.workers if worker.batch)
        if busy != self.busy or len(self.workers) != self.count:
            raise AuditError(
                f"pool {self.name!r}: {busy} of {len(self.workers)} workers hold a batch; the counters say "
                f"{self.busy} of {self.count}"
            )

    def _hire(self, now: float) -> None:
        worker = Worker(self, self.station.next_rank())
        self.workers.append(worker)
        self.count += 1
        self.count_time -= now
        self.station.schedule(worker, now)

    def _remove(self, worker: Worker, now: float) -> None:
        self.station.cancel(worker)
        self.workers.remove(worker)
        self.count -= 1
        self.count_time += now

    def _recall(self) -> None:
        worker = next(worker for worker in self.workers if worker.leaving)
        worker.leaving = False
        self._leaving -= 1

    def _dismiss(self, now: float) -> None:
        for place in range(len(self.waiting) - 1, -1, -1):
            if self.waiting[place].pool is self:
                worker = self.waiting[place]
                del self.waiting[place]
                self._remove(worker, now)
                return
        for worker in reversed(self.workers):
            if not worker.batch:
                self._remove(worker, now)
                return
        worker = next(worker for worker in reversed(self.workers) if not worker.leaving)
        worker.go_stepwise()
        worker.leaving = True
        self._leaving += 1
