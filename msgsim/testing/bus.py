"""Bus: live queues, topics and outboxes by name, on one virtual clock."""

from itertools import chain
from typing import Any, Protocol, TypeVar

from msgsim.bus.fifo import FifoQueue
from msgsim.bus.outbox import Outbox, SendingAccount
from msgsim.bus.queue import LiveQueue, Queue
from msgsim.bus.standard import StandardQueue
from msgsim.bus.topic import Topic, TopicFanout
from msgsim.engine.streams import stream
from msgsim.errors import DeclarationError, TimeRanBackwards


class Timed(Protocol):
    """What has deadlines of its own: every live object of msgsim."""

    def next_deadline(self) -> float | None:
        """When something is due [s]; None if nothing is."""
        ...

    def advance(self, now: float, /) -> None:
        """Do what is due by `now` [s]."""
        ...


T = TypeVar("T", bound=Timed)
Q = TypeVar("Q", bound=LiveQueue)


class Bus:
    """Makes live objects, and moves the clock that they share.

    The objects are those of msgsim itself: every call takes `now`, which is `bus.now`.

    Args:
        now: where the clock begins [s].
        seed: of what is left to chance.

    Attributes:
        now: the time [s]; moved by `advance` alone.
        queues, topics, outboxes: what was made, by name.
    """

    def __init__(self, *, now: float = 0.0, seed: int = 0) -> None:
        self.now = now
        self._seed = seed
        self.queues: dict[str, LiveQueue] = {}
        self.topics: dict[str, TopicFanout] = {}
        self.outboxes: dict[str, SendingAccount] = {}
        self._others: list[Timed] = []

    def __repr__(self) -> str:
        return f"<Bus now={self.now:g} {', '.join([*self.queues, *self.topics, *self.outboxes]) or 'empty'}>"

    def __contains__(self, thing: object) -> bool:
        return any(each is thing for each in self._all())

    def queue(self, name: str = "queue", declaration: Queue | None = None, **settings: Any) -> StandardQueue:
        """Make a standard queue.

        Args:
            name: a new one.
            declaration: of the queue; or give its fields.
            settings: fields of `Queue`. The queue that `redrive` names is made, too, if there is none yet.

        Raises:
            DeclarationError: the name is taken, or a setting is not allowed.
        """
        return self._queue(StandardQueue, name, Queue(**settings) if declaration is None else declaration)

    def fifo_queue(self, name: str = "queue", declaration: Queue | None = None, **settings: Any) -> FifoQueue:
        """Make a FIFO queue; see `queue`."""
        return self._queue(FifoQueue, name, Queue(fifo=True, **settings) if declaration is None else declaration)

    def _queue(self, kind: type[Q], name: str, declared: Queue) -> Q:
        self._check(name)
        target: Any = None
        if declared.redrive is not None:
            to = declared.redrive.to
            target = self.queues[to] if to in self.queues else self._queue(kind, to, Queue(fifo=declared.fifo))
        made = kind(declared, name, dead_letter_queue=target, rng=stream(self._seed, name, "testing"))
        made.on_move = self._others.append
        self.queues[name] = made
        return made

    def topic(self, name: str = "topic", declaration: Topic | None = None, **settings: Any) -> TopicFanout:
        """Make a topic, whose subscribed queues must have been made before.

        Args:
            name: a new one.
            declaration: of the topic; or give its fields.
            settings: fields of `Topic`.

        Raises:
            DeclarationError: the name is taken, or a setting is not allowed.
            UnknownName: a subscribed queue does not exist.
        """
        self._check(name)
        declared = Topic(**settings) if declaration is None else declaration
        rng = stream(self._seed, name, "testing")
        endpoints: Any = self.queues
        made = TopicFanout(declared, name, endpoints=endpoints, rng=rng)
        self.topics[name] = made
        return made

    def outbox(self, name: str = "ses", declaration: Outbox | None = None, **settings: Any) -> SendingAccount:
        """Make an outbox.

        Args:
            name: a new one.
            declaration: of the outbox; or give its fields.
            settings: fields of `Outbox`.

        Raises:
            DeclarationError: the name is taken, or a setting is not allowed.
        """
        self._check(name)
        declared = Outbox(**settings) if declaration is None else declaration
        made = SendingAccount(declared, name, rng=stream(self._seed, name, "testing"))
        self.outboxes[name] = made
        return made

    def add(self, thing: T) -> T:
        """Have the clock move something else that has deadlines: a live object made elsewhere, or one of your own."""
        self._others.append(thing)
        return thing

    def next_deadline(self) -> float | None:
        """When something is due next, be it a moment past [s]; None if nothing is."""
        deadlines = (each.next_deadline() for each in self._all())
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def advance(self, seconds: float = 0.0, *, to: float | None = None) -> float:
        """Move the clock, and do on the way what is due, each at its time.

        At one instant topics come first, then outboxes, then what was added, then queues.

        Args:
            seconds: how far.
            to: instead, until when [s].

        Returns:
            The new time [s].

        Raises:
            TimeRanBackwards: that would be earlier than now.
        """
        end = self.now + seconds if to is None else to
        if not end >= self.now:
            raise TimeRanBackwards.at("bus", end, self.now)
        while True:
            due = self.next_deadline()
            if due is None or due > end:
                break
            self._turn(max(due, self.now))
        self._turn(end)
        return self.now

    def _turn(self, now: float) -> None:
        self.now = now
        for each in self._all():
            each.advance(now)

    def _all(self) -> chain[Timed]:
        return chain(self.topics.values(), self.outboxes.values(), self._others, self.queues.values())

    def _check(self, name: str) -> None:
        if name in {**self.queues, **self.topics, **self.outboxes}:
            raise DeclarationError(name, "the bus has something of that name already")
