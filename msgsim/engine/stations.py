# Hot path: one `dispatch` per arrival that finds a waiting poll (benchmarks/mmc.py).
"""Where messages meet the polls that wait for them."""

from collections import deque
from math import inf
from random import Random
from typing import Protocol

from simpy import Environment

from msgsim.bus.message import Message
from msgsim.bus.queue import StandardQueue
from msgsim.engine.clock import Timer, Turn


class Poller(Protocol):
    """A worker, as a station sees it."""

    poll_started: float

    def begin(self, batch: list[Message], now: float) -> None:
        """Take a batch."""
        ...


class Pool(Protocol):
    """A worker pool, as a station sees it."""

    batch_size: int
    waiting: deque[Poller]

    def catch_up(self, now: float) -> None:
        """Apply the completions that have passed."""
        ...

    def go_stepwise(self, now: float) -> None:
        """Give every message in work an event of its own."""
        ...


class Board:
    """The stations where something has become receivable at this instant.

    "At one instant: deadlines, then arrivals, then workers" (see `Turn`). So a poll that is woken gets its turn after
    everything else of the instant. Where nothing else is scheduled for it, and that is the rule, the turn comes at once
    and costs no event.

    Attributes:
        inside: whether one of the engine's own actions is running; it flushes the board at its end.
        pending: the stations.
    """

    __slots__ = ("_peek", "inside", "pending")

    def __init__(self, env: Environment) -> None:
        self._peek = env.peek
        self.inside = False
        self.pending: list[Station] = []

    def flush(self, now: float) -> None:
        """Let the waiting polls look, or give them their turn later in this instant."""
        pending = self.pending
        while pending:
            station = pending.pop()
            station.changed = False
            if self._peek() > now:
                station.dispatch(now)
            else:
                station.wake.arm(now)


class Station:
    """Brings the messages of a queue to the polls that wait for them, and its deadlines to the queue.

    While nobody waits it does not listen: the queue's deadlines take effect when the next poll looks.

    Args:
        env: the SimPy environment.
        queue: whose messages.
        board: of the simulation.
        rng: decides which of several waiting polls wins; None for the longest-waiting (SQS-RCV-6).
    """

    __slots__ = ("_board", "_env", "_pools", "_rng", "changed", "deadline", "queue", "wake")

    def __init__(self, env: Environment, queue: StandardQueue, board: Board, rng: Random | None) -> None:
        self._env = env
        self._board = board
        self._rng = rng
        self._pools: list[Pool] = []
        self.queue = queue
        self.changed = False
        self.wake = Timer(env, self.dispatch, Turn.WORKER)
        self.deadline = Timer(env, self._due, Turn.DEADLINE)

    def join(self, pool: Pool) -> None:
        """A pool polls here."""
        self._pools.append(pool)
        self.queue.catch_up = self._catch_up

    def watch(self) -> None:
        """A poll has begun to wait."""
        queue = self.queue
        queue.on_change = self.notice
        if queue.due < self.deadline.time:
            self.deadline.arm(max(queue.due, self._env.now))

    def notice(self) -> None:
        """Something has become receivable, or a deadline has got earlier."""
        queue = self.queue
        if queue.due < self.deadline.time:
            self.deadline.arm(max(queue.due, self._env.now))
        if not self.changed:
            self.changed = True
            board = self._board
            board.pending.append(self)
            if not board.inside:
                self.wake.arm(self._env.now)

    def dispatch(self, now: float) -> None:
        """Give what is receivable to the waiting polls."""
        if self.changed:
            self.changed = False
            self._board.pending.remove(self)
        queue = self.queue
        board = self._board
        board.inside = True
        while True:
            pool = self._pools[0]
            if len(self._pools) > 1 or self._rng is not None:
                pool = self._choose()
            waiting = pool.waiting
            if not waiting:
                queue.on_change = None
                break
            worker = waiting.popleft()
            limit = pool.batch_size
            batch = queue.take(now, limit, queue.visibility_timeout)
            if not batch:
                waiting.appendleft(worker)
                if queue.limited:
                    self.go_stepwise(now)
                break
            worker.begin(batch, now)
            if len(batch) < limit and not queue.limited:
                if not waiting and all(not pool.waiting for pool in self._pools):
                    queue.on_change = None
                break
        board.inside = False
        if board.pending:
            board.flush(now)

    def go_stepwise(self, now: float) -> None:
        """Polls wait for the number in flight to drop: from now on each deletion must happen in its own event."""
        for pool in self._pools:
            pool.go_stepwise(now)

    def _choose(self) -> Pool:
        """The pool whose poll wins; any pool if none waits. A random winner is moved to the front of its pool."""
        waiting = [pool for pool in self._pools if pool.waiting]
        if not waiting:
            return self._pools[0]
        if self._rng is None:
            return min(waiting, key=_longest)
        winner = int(self._rng.random() * sum(len(pool.waiting) for pool in waiting))
        for pool in waiting:
            if winner < len(pool.waiting):
                worker = pool.waiting[winner]
                del pool.waiting[winner]
                pool.waiting.appendleft(worker)
                return pool
            winner -= len(pool.waiting)
        raise AssertionError  # pragma: no cover - random() is below 1

    def _due(self, now: float) -> None:
        queue = self.queue
        queue.settle(now)
        due = queue.next_deadline()
        queue.due = inf if due is None else due
        if not any(pool.waiting for pool in self._pools):
            return
        if queue.due < inf:
            self.deadline.arm(queue.due)
        if queue.visible:
            board = self._board
            board.inside = True
            self.notice()
            board.inside = False
            board.flush(now)

    def _catch_up(self, now: float) -> None:
        for pool in self._pools:
            pool.catch_up(now)


def _longest(pool: Pool) -> float:
    return pool.waiting[0].poll_started


