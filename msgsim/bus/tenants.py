# Hot path: a tenant is touched when a message of it comes, is received and leaves (benchmarks/fair.py).
"""Tenants of a fair queue: the messages of each that can be received, and its share of the work."""

from array import array
from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from sortedcontainers import SortedList

from msgsim.bus.message import GONE, Message

MOST_LABELS = 65_535
"""So many tenants of a queue have their times told apart: what two bytes per deleted message can name."""


class TenantState(NamedTuple):
    """What a queue knows of one tenant.

    Attributes:
        visible: messages that can be received: its backlog.
        in_flight: messages received and not done.
        noisy: whether the messages of others go first (SQS-FAIR-3).
        processing_time: recently spent in flight, in all [message s].
        sojourns: arrival to deletion of each of its deleted messages [s], in the order of deletion.
        waits: arrival to first receive of the same messages [s].
    """

    visible: int
    in_flight: int
    noisy: bool
    processing_time: float
    sojourns: "array[float]"
    waits: "array[float]"


class Quiet(NamedTuple):
    """The messages of a queue without those of noisy tenants (SQS-FAIR-7).

    Attributes:
        noisy_groups: tenants that are noisy.
        visible, in_flight, delayed: messages of the others, by state.
        age: of the oldest of them [s], as `StandardQueue.age_of_oldest`.
    """

    noisy_groups: int
    visible: int
    in_flight: int
    delayed: int
    age: float


class Tenant:
    """One tenant, while it has messages in the queue or a share of its recent work.

    Its backlog stands as in a standard queue: `first` and `line` have what came in order, `returned` the rest. A line
    is only made for a second message, so that many tenants with one message each are small.

    Its processing time is the integral of its `in_flight`, kept in two windows of time that are the same for all
    tenants of a queue: `area` since the present one began, up to `since`, and `before` in the whole of the one before.

    Attributes:
        key: its group id, or the number of a message without one (SQS-FAIR-2).
        label: by which its times are told apart; 0 if they are not.
        first: the first message of the line; None if there is none.
        line: the messages behind it.
        returned: (place, number, message) of those that were received before or did not come in order.
        gone: messages of the line that are no longer there.
        entry: (place, number, tenant) by which the queue has it in the order of the quiet ones.
        noisy: whether it was set aside from them.
        looked: the receive that last found it quiet.
        in_flight: its messages received and not done.
        area, before: its processing time in this window and in the one before [message s].
        since: up to where `area` is [s]; without anything in flight, since when that is.
        window: the number of the window.
    """

    __slots__ = (
        "area",
        "before",
        "entry",
        "first",
        "gone",
        "in_flight",
        "key",
        "label",
        "line",
        "looked",
        "noisy",
        "returned",
        "since",
        "window",
    )

    def __init__(self, key: str | int, label: int, since: float, window: int) -> None:
        self.key = key
        self.label = label
        self.first: Message | None = None
        self.line: deque[Message] | None = None
        self.returned: SortedList[tuple[float, int, Message]] | None = None
        self.gone = 0
        self.entry: tuple[float, int, Tenant] | None = None
        self.noisy = False
        self.looked = 0
        self.in_flight = 0
        self.area = self.before = 0.0
        self.since = since
        self.window = window

    # ---------------------------------------------------------------- its share of the work

    def roll(self, window: int, length: float) -> None:
        """Another window of `length` [s] has begun."""
        start = window * length
        in_flight = self.in_flight
        if window == self.window + 1:
            self.before = self.area + in_flight * (start - self.since) if in_flight else self.area
        else:
            self.before = in_flight * length
        self.area = 0.0
        self.window = window
        if in_flight:
            self.since = start

    def change(self, by: int, at: float) -> None:
        """One message more or less is in flight since `at` [s], a time in its window."""
        if at > self.since:
            self.area += self.in_flight * (at - self.since)
            self.since = at
        self.in_flight += by

    # ---------------------------------------------------------------- its backlog

    @property
    def visible(self) -> int:
        """How many of its messages can be received."""
        line = (self.first is not None) + (len(self.line) if self.line else 0) - self.gone
        return line + (len(self.returned) if self.returned else 0)

    def __iter__(self) -> Iterator[Message]:
        """The messages that can be received, those of the line first. Cost: O(n)."""
        if self.first is not None:
            for message in chain((self.first,), self.line or ()):
                if message.deadline != GONE:
                    yield message
        for _, _, message in self.returned or ():
            yield message

    def head(self) -> "tuple[float, int, Tenant] | None":
        """The place of its next message, as an entry; None without a backlog. Cost: O(1)."""
        first = self.first
        if self.returned:
            place, number, _ = self.returned[0]
            if first is None or (place, number) < (first.arrived_at, first.number):
                return place, number, self
        return None if first is None else (first.arrived_at, first.number, self)

    def following(self) -> Message | None:
        """The message that `pop` would take. Cost: O(1)."""
        first = self.first
        if self.returned:
            place, number, back = self.returned[0]
            if first is None or (place, number) < (first.arrived_at, first.number):
                found: Message = back
                return found
        return first

    def append(self, message: Message) -> None:
        """Place a message that came after those in the line. Cost: O(1)."""
        if self.first is None:
            self.first = message
        elif self.line is None:
            self.line = deque((message,))
        else:
            self.line.append(message)

    def line_up(self, message: Message) -> None:
        """Place a message by its arrival, though it may not be the last. Cost: O(1); O(log returned) out of order."""
        last = self.line[-1] if self.line else self.first
        if last is not None and (last.arrived_at, last.number) > (message.arrived_at, message.number):
            self.place(message, message.arrived_at)
        else:
            self.append(message)

    def place(self, message: Message, place: float) -> None:
        """Place a message by a time [s]. Cost: O(log returned)."""
        if self.returned is None:
            self.returned = SortedList()
        self.returned.add((place, message.number, message))

    def discard(self, message: Message, place: float) -> None:
        """Take a message out, which stands at a place if it was returned. Cost: O(log returned)."""
        entry = (place, message.number, message)
        if self.returned and entry in self.returned:
            self.returned.remove(entry)
            self.returned = self.returned or None
            return
        message.deadline = GONE
        self.gone += 1
        self._drop_gone()

    def pop(self) -> Message:
        """Take the next message out; there must be one. Cost: O(1); O(log returned) for one that was returned."""
        message = self.first
        returned = self.returned
        if returned:
            place, number, back = returned[0]
            if message is None or (place, number) < (message.arrived_at, message.number):
                del returned[0]
                if not returned:
                    self.returned = None
                found: Message = back
                return found
        assert message is not None  # noqa: S101 - narrows the type: there is a backlog
        self.first = self.line.popleft() if self.line else None
        if self.gone:
            self._drop_gone()
        return message

    def clear(self) -> None:
        """Its backlog is gone."""
        self.first = self.line = self.returned = self.entry = None
        self.gone = 0
        self.noisy = False

    def _drop_gone(self) -> None:
        """Step over those at the front of the line that are gone."""
        while self.first is not None and self.first.deadline == GONE:
            self.gone -= 1
            self.first = self.line.popleft() if self.line else None
