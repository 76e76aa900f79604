"""Which messages have outlived their queue's retention period, at no cost to queues whose messages are young."""

from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from math import inf, nextafter

from msgsim.bus.message import GONE, Message

SLACK = 1_024
"""Entries that may be stale before a compaction is worth its time."""


class Retention:
    """Messages by the time they expire, kept only once one of them is half as old as the period.

    Until then a lower bound of the oldest message's age is enough: the queue asks again when that bound is reached.

    Attributes:
        period: how long a message is kept [s]; it is removed when its age is more than that (SQS-RET-1).
        since: when the period came into force [s]; nothing is removed by it before.
        due: the earliest time at which something may have to be removed or looked at [s].
        heap: (expiry, number, message), or None while the bound is enough.
    """

    __slots__ = ("_limit", "due", "heap", "period", "since")

    def __init__(self, period: float) -> None:
        self.period = period
        self.since = -inf
        self.due = -inf
        self.heap: list[tuple[float, int, Message]] | None = None
        self._limit = SLACK

    def change(self, period: float, live: Iterable[Message], now: float) -> None:
        """Have another period from `now` on, for the messages that are there, too (SQS-ATT-2). Cost: O(n)."""
        self.period = period
        self.since = now
        self.heap = None
        self.look(live, now)

    def add(self, message: Message) -> None:
        """Enter a message that arrived; needed while there is a heap, or if it was sent earlier than it arrived."""
        expiry = message.sent_at + self.period
        self.due = min(self.due, nextafter(expiry, inf))
        heap = self.heap
        if heap is None:
            return
        heappush(heap, (expiry, message.number, message))
        if len(heap) > self._limit:
            self._compact(heap)

    def renew(self, live: Iterable[Message]) -> None:
        """Make `due` exact, from now on by the heap. Cost: O(n) the first time, then O(log n) per stale entry met."""
        heap = self.heap
        if heap is None:
            self._begin(list(live))
            return
        while heap and heap[0][2].deadline == GONE:
            heappop(heap)
        self._set_due(heap)

    def look(self, live: Iterable[Message], now: float) -> None:
        """Renew the bound from the live messages, or begin the heap if one of them is half its period old.

        Cost: O(n), at most once per half period while messages are young; later at most once until the queue empties.
        """
        messages = list(live)
        oldest = min((message.sent_at for message in messages), default=now)
        if 2.0 * (now - oldest) < self.period:
            self.due = nextafter(oldest + self.period, inf)
            return
        self._begin(messages)

    def head(self, now: float) -> float:
        """The earliest expiry before `now` [s]; inf if none. Drops the stale entries it meets."""
        heap = self.heap
        if heap is None:
            return inf
        while heap and heap[0][2].deadline == GONE:
            heappop(heap)
        if heap and heap[0][0] < now:
            return max(heap[0][0], self.since)
        self._set_due(heap)
        if not heap:
            self.heap = None
            self.due = nextafter(now + self.period, inf)
        return inf

    def pop(self) -> Message:
        """Take out the message that expires first; `head()` said that there is one."""
        assert self.heap  # noqa: S101 - narrows the type; head() was asked
        return heappop(self.heap)[2]

    def _begin(self, messages: list[Message]) -> None:
        self.heap = heap = [(message.sent_at + self.period, message.number, message) for message in messages]
        heapify(heap)
        self._limit = 2 * len(heap) + SLACK
        self._set_due(heap)

    def _set_due(self, heap: list[tuple[float, int, Message]]) -> None:
        self.due = nextafter(heap[0][0], inf) if heap else inf

    def _compact(self, heap: list[tuple[float, int, Message]]) -> None:
        heap[:] = [entry for entry in heap if entry[2].deadline != GONE]
        heapify(heap)
        self._limit = 2 * len(heap) + SLACK
