"""Where messages meet the polls that wait for them, while everything has an event of its own.

`engine/lazy.py` has the other kind of station, for queues whose work nobody else can notice while it happens.
"""

from collections import deque
from math import inf
from random import Random
from typing import Protocol

from simpy import Environment

from msgsim.bus.message import Message
from msgsim.bus.queue import StandardQueue
from msgsim.engine.board import Board
from msgsim.engine.clock import Timer, Turn


class Poller(Protocol):
    """A worker, as a station sees it."""

    poll_started: float
    timer: Timer | None

    def begin(self, batch: list[Message], now: float) -> None:
        """Take a batch."""
        ...

    def act(self, now: float) -> None:
        """Do what it was scheduled for."""
        ...


class Pool(Protocol):
    """A worker pool, as a station sees it."""

    batch_size: int
    wait_time: float
    waiting: deque[Poller]


class Station:
    """Brings the messages of a queue to the polls that wait for them, and its deadlines to the queue.

    While nobody waits it does not listen: the queue's deadlines take effect when the next poll looks.

    Args:
        env: the SimPy environment.
        queue: whose messages.
        board: of the simulation.
        rng: decides which of several waiting polls wins; None for the longest-waiting (SQS-RCV-6).
    """

    __slots__ = ("_env", "_polls", "_pools", "_rng", "board", "changed", "deadline", "queue", "wake")

    lazy = False

    def __init__(self, env: Environment, queue: StandardQueue, board: Board, rng: Random | None) -> None:
        self._env = env
        self._rng = rng
        self._pools: list[Pool] = []
        self._polls: dict[int, Timer] = {}
        self.board = board
        self.queue = queue
        self.changed = False
        self.wake = Timer(env, self.dispatch, Turn.WORKER)
        self.deadline = Timer(env, self._due, Turn.DEADLINE)

    def join(self, pool: Pool) -> deque[Poller]:
        """A pool polls here; returns where its waiting polls stand, the longest-waiting first."""
        self._pools.append(pool)
        self._polls[id(pool)] = Timer(self._env, lambda now: self._end_polls(pool, now), Turn.DEADLINE)
        return deque()

    def schedule(self, worker: Poller, time: float) -> None:
        """Have the worker act at `time` [s]."""
        if worker.timer is None:
            worker.timer = Timer(self._env, worker.act, Turn.WORKER)
        worker.timer.arm(time)

    def cancel(self, worker: Poller) -> None:
        """Do not have it act."""
        if worker.timer is not None:
            worker.timer.cancel()

    def wait(self, pool: Pool, worker: Poller, now: float) -> None:
        """A poll begins to wait."""
        worker.poll_started = now
        pool.waiting.append(worker)
        polls = self._polls[id(pool)]
        if polls.time == inf:
            polls.arm(now + pool.wait_time)
        queue = self.queue
        queue.on_change = self.notice
        if queue.due < self.deadline.time:
            self.deadline.arm(max(queue.due, now))

    def notice(self) -> None:
        """Something has become receivable, or a deadline has got earlier."""
        queue = self.queue
        if queue.due < self.deadline.time:
            self.deadline.arm(max(queue.due, self._env.now))
        if not self.changed:
            self.changed = True
            self.board.pending.append(self)
            if not self.board.inside:
                self.wake.arm(self._env.now)

    def dispatch(self, now: float) -> None:
        """Give what is receivable to the waiting polls."""
        board = self.board
        if self.changed:
            self.changed = False
            board.pending.remove(self)
        queue = self.queue
        board.inside = True
        while True:
            pool = self._pools[0]
            if len(self._pools) > 1 or self._rng is not None:
                pool = self._choose()
            waiting = pool.waiting
            if not waiting:
                queue.on_change = None
                break
            batch = queue.take(now, pool.batch_size, queue.visibility_timeout)
            if not batch:
                break
            waiting.popleft().begin(batch, now)
        if queue.on_change is not None and queue.due < self.deadline.time:
            self.deadline.arm(queue.due)
        board.inside = False
        if board.pending:
            board.flush(now)

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
                to_front(pool.waiting, winner)
                return pool
            winner -= len(pool.waiting)
        raise AssertionError  # pragma: no cover - random() is below 1

    def _due(self, now: float) -> None:
        queue = self.queue
        queue.settle(now)
        queue.renew_due()
        if not any(pool.waiting for pool in self._pools):
            return
        if queue.due < inf:
            self.deadline.arm(queue.due)
        if queue.visible:
            board = self.board
            board.inside = True
            self.notice()
            board.inside = False
            board.flush(now)

    def _end_polls(self, pool: Pool, now: float) -> None:
        """End the long polls that have waited their time, and begin new ones (SQS-RCV-4)."""
        due = renew_polls(pool.waiting, pool.wait_time, self.queue, now)
        if due < inf:
            self._polls[id(pool)].arm(due)


def renew_polls(waiting: deque[Poller], wait_time: float, queue: StandardQueue, now: float) -> float:
    """End the polls that have waited their time; their workers poll again at once, behind the others.

    Returns:
        When the next poll ends [s]; inf if none waits.
    """
    while waiting and waiting[0].poll_started + wait_time <= now:
        worker = waiting.popleft()
        queue.empty_receives += 1
        worker.poll_started = now
        waiting.append(worker)
    return waiting[0].poll_started + wait_time if waiting else inf


def to_front(waiting: deque[Poller], place: int) -> None:
    """Move one poll before all others. Cost: O(waiting)."""
    worker = waiting[place]
    del waiting[place]
    waiting.appendleft(worker)


def _longest(pool: Pool) -> float:
    return pool.waiting[0].poll_started
