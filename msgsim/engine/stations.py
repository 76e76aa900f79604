"""Where messages meet the polls that wait for them, while everything has an event of its own.

`engine/lazy.py` has the other kind of station, for queues whose work nobody else can notice while it happens.
"""

from collections import deque
from math import inf
from random import Random
from typing import Any, Protocol

from simpy import Environment

from msgsim.bus.message import Message
from msgsim.bus.queue import LiveQueue
from msgsim.engine.board import Board
from msgsim.engine.clock import Timer, Turn


class Poller(Protocol):
    """A worker, as a station sees it."""

    pool: Any
    poll_started: float
    rank: int
    timer: Timer | None

    def begin(self, batch: list[Message], now: float) -> None:
        """Take a batch."""
        ...

    def act(self, now: float) -> None:
        """Do what it was scheduled for."""
        ...


class Pool(Protocol):
    """A worker pool, as a station sees it."""

    acts: bool
    batch_size: int
    wait_time: float


class Line:
    """The waiting polls of one wait time, the longest-waiting first."""

    __slots__ = ("_queue", "_wait_time", "ends", "waiting")

    def __init__(self, env: Environment, queue: LiveQueue, wait_time: float) -> None:
        self._queue = queue
        self._wait_time = wait_time
        self.waiting: deque[Poller] = deque()
        self.ends = Timer(env, self._end, Turn.DEADLINE)

    def _end(self, now: float) -> None:
        """End the long polls that have waited their time, and begin new ones (SQS-RCV-4)."""
        due = renew_polls(self.waiting, self._wait_time, self._queue, now)
        if due < inf:
            self.ends.arm(due)


class Station:
    """Brings the messages of a queue to the polls that wait for them, and its deadlines to the queue.

    While nobody waits it does not listen: the queue's deadlines take effect when the next poll looks. Workers that act
    at one instant do so in the order in which they came to the station, whatever they did before; then the waiting
    polls look.

    Args:
        env: the SimPy environment.
        queue: whose messages.
        board: of the simulation.
        rng: decides which of several waiting polls wins; None for the longest-waiting (SQS-RCV-6).

    Attributes:
        lines: the waiting polls, by their wait times.
    """

    __slots__ = (
        "_change",
        "_env",
        "_hired",
        "_lines",
        "_rng",
        "board",
        "changed",
        "deadline",
        "lines",
        "queue",
        "wake",
    )

    lazy = False
    stepped = True

    def __init__(self, env: Environment, queue: LiveQueue, board: Board, rng: Random | None) -> None:
        self._env = env
        self._rng = rng
        self._lines: dict[float, Line] = {}
        self.lines: list[deque[Poller]] = []
        self._hired = 0
        self.board = board
        self.queue = queue
        self.changed = False
        self.wake = Timer(env, self.dispatch, turn_of(queue, MOST_RANKS, acts=False))
        self.deadline = Timer(env, self._due, Turn.DEADLINE)
        self._change = Timer(env, self._put_in_force, Turn.FIRST)
        queue.on_lag = self._await_change

    def join(self, pool: Pool) -> deque[Poller]:
        """A pool polls here; returns where its waiting polls stand, the longest-waiting first."""
        if pool.acts:
            self.wake = Timer(self._env, self.dispatch, turn_of(self.queue, MOST_RANKS, acts=True))
        if pool.wait_time not in self._lines:
            line = self._lines[pool.wait_time] = Line(self._env, self.queue, pool.wait_time)
            self.lines.append(line.waiting)
        return self._lines[pool.wait_time].waiting

    def next_rank(self) -> int:
        """The place of another worker among those that act at one instant."""
        self._hired += 1
        return self._hired

    def schedule(self, worker: Poller, time: float) -> None:
        """Have the worker act at `time` [s]."""
        if worker.timer is None:
            worker.timer = Timer(self._env, worker.act, turn_of(self.queue, worker.rank, acts=worker.pool.acts))
        worker.timer.arm(time)

    def cancel(self, worker: Poller) -> None:
        """Do not have it act."""
        if worker.timer is not None:
            worker.timer.cancel()

    def wait(self, pool: Pool, worker: Poller, now: float) -> None:
        """A poll begins to wait."""
        worker.poll_started = now
        line = self._lines[pool.wait_time]
        line.waiting.append(worker)
        if line.ends.time == inf:
            line.ends.arm(now + pool.wait_time)
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
        board.inside = True
        self._serve(now)
        queue = self.queue
        if queue.on_change is not None and queue.due < self.deadline.time:
            self.deadline.arm(queue.due)
        board.inside = False
        if board.pending:
            board.flush(now)

    def give_way(self, worker: Poller, now: float) -> bool:
        """Let the polls go first that have waited longer (SQS-RCV-6); whether the worker waits behind them now.

        A short poll, which cannot wait, looks when they have what they wait for.
        """
        if not worker.pool.wait_time:
            self._serve(now)
            return False
        worker.pool.rest(worker, now)
        self.notice()
        return True

    def _serve(self, now: float) -> None:
        queue = self.queue
        lines = self.lines
        waiting = lines[0]
        place = 0
        while True:
            if len(lines) > 1:
                waiting = min(lines, key=_longest)
            if not waiting:
                queue.on_change = None
                break
            if self._rng is not None:
                if queue.limited or not queue.receivable:
                    break
                waiting, place = drawn(lines, self._rng)
            worker = waiting[place]
            size = worker.pool.batch_size
            batch = queue.take(now, size, queue.visibility_timeout)
            if not batch:
                break
            del waiting[place]
            worker.begin(batch, now)
            if len(batch) < size and not queue.receivable:
                break

    def _await_change(self) -> None:
        """Changed attributes are on their way (SQS-ATT-2)."""
        self._change.arm(self.queue.change_due)

    def _put_in_force(self, now: float) -> None:
        board = self.board
        board.inside = board.early = True
        self.queue.settle(now)
        if self.queue.change_due < inf:
            self._await_change()
        if self.queue.receivable and self.queue.on_change is not None:
            self.notice()
        board.inside = board.early = False
        board.flush(now)

    def _due(self, now: float) -> None:
        queue = self.queue
        queue.settle(now)
        queue.renew_due()
        if not any(self.lines):
            return
        self.deadline.arm(queue.due)
        if queue.receivable:
            board = self.board
            board.inside = True
            self.notice()
            board.inside = False
            board.flush(now)


def renew_polls(waiting: deque[Poller], wait_time: float, queue: LiveQueue, now: float) -> float:
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


def drawn(lines: list[deque[Any]], rng: Random) -> tuple[deque[Any], int]:
    """Draw one of the waiting polls: its line and its place there."""
    place = int(rng.random() * sum(map(len, lines)))
    for waiting in lines:
        if place < len(waiting):
            return waiting, place
        place -= len(waiting)
    raise AssertionError  # pragma: no cover - random() is below 1


MOST_RANKS = 2**34
MOST_MOVES = 64


def turn_of(queue: LiveQueue, rank: int, *, acts: bool) -> float:
    """The turn of a worker at one instant.

    Those that act on other queues come before those that only delete, and the workers of a queue before those of its
    dead-letter queue: so nobody misses what comes from there at the same instant. For the rest it goes by rank.
    """
    moves = 0
    target = queue.dead_letter_queue
    while target is not None:
        moves += 1
        target = target.dead_letter_queue
    place = (0 if acts else MOST_MOVES) + MOST_MOVES - 1 - min(moves, MOST_MOVES - 1)
    return Turn.WORKER + (place + rank / (2 * MOST_RANKS)) / (2 * MOST_MOVES)


def _longest(waiting: deque[Poller]) -> float:
    return waiting[0].poll_started if waiting else inf
