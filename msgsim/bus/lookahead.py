"""Which messages of a FIFO queue are looked at for available groups, while more are waiting than that."""

from collections import deque
from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush
from math import inf

from msgsim.bus.groups import Member
from msgsim.bus.message import GONE, VISIBLE

SLACK = 1_024
"""Entries that may be stale before a compaction is worth its time."""


class LookAhead:
    """The first `reach` visible messages in the order in which they came, and those behind them (FIFO-ORD-8).

    Both parts are lines that mostly grow and shrink at their ends, with a heap for those that come back in between.
    A message stays where it stands while it is in flight, and counts again when it is back. One that is met while it
    is not visible is taken out, and enters anew when it is back.

    Args:
        reach: how many visible messages are looked at.
        messages: all that are there, in the order in which they came.

    Attributes:
        last: the sequence of the last message within reach.
        count: visible messages up to `last`; `reach`, or all that are there.
        absent: sequences of messages that are not visible and stand nowhere here.
    """

    __slots__ = ("_behind", "_beyond", "_limit", "_near", "_returned", "absent", "count", "last", "reach")

    def __init__(self, reach: int, messages: Iterable[Member]) -> None:
        self.reach = reach
        self.last: float = -inf
        self.count = 0
        self._near: deque[Member] = deque()
        self._returned: list[tuple[int, Member]] = []
        self._beyond = deque(messages)
        self._behind: list[tuple[int, Member]] = []
        self.absent: set[int] = set()
        self._limit = SLACK
        while self.count < reach and self._pull() is not None:
            pass

    def append(self, message: Member) -> None:
        """A visible message has come. Cost: O(1)."""
        self._beyond.append(message)
        if self.count < self.reach:
            self._pull()

    def show(self, message: Member) -> Member | None:
        """A message is visible that was not; returns the one that is now out of reach for it, if any.

        Cost: amortised O(log n).
        """
        sequence = message.sequence
        within = sequence <= self.last
        if sequence in self.absent:
            self.absent.discard(sequence)
            if within:
                heappush(self._returned, (-sequence, message))
                if len(self._returned) > self._limit:
                    self._compact()
            elif not self._beyond or self._beyond[-1].sequence < sequence:
                self._beyond.append(message)
            else:
                heappush(self._behind, (sequence, message))
        if within:
            self.count += 1
            return self._push() if self.count > self.reach else None
        if self.count < self.reach:
            self._pull()
        return None

    def leave(self, messages: Sequence[Member]) -> list[Member]:
        """Messages are not visible any more; returns those that came within reach for them, in order.

        Messages that cease to be visible together must leave together.

        Cost: amortised O(log n) per message.
        """
        last = self.last
        for message in messages:
            if message.sequence <= last:
                self.count -= 1
        near: list[Member] = []
        while self.count < self.reach:
            pulled = self._pull()
            if pulled is None:
                break
            near.append(pulled)
        return near

    def _pull(self) -> Member | None:
        """Bring the next visible message within reach."""
        beyond, behind = self._beyond, self._behind
        while beyond or behind:
            if behind and not (beyond and beyond[0].sequence < behind[0][0]):
                message = heappop(behind)[1]
            else:
                message = beyond.popleft()
            self.last = message.sequence
            if message.deadline == VISIBLE:
                near = self._near
                while near and near[0].deadline == GONE:
                    near.popleft()
                near.append(message)
                self.count += 1
                if len(near) > self._limit:
                    self._compact()
                return message
            if message.deadline != GONE:
                self.absent.add(message.sequence)
        return None

    def _push(self) -> Member:
        """Put the last visible message out of reach."""
        near, returned = self._near, self._returned
        while True:
            if returned and not (near and near[-1].sequence > -returned[0][0]):
                message = heappop(returned)[1]
            else:
                message = near.pop()
            if message.deadline == VISIBLE:
                self.last = message.sequence - 1
                self.count -= 1
                self._beyond.appendleft(message)
                return message
            if message.deadline != GONE:
                self.absent.add(message.sequence)

    def _compact(self) -> None:
        """Drop what is gone from what is near. Cost: amortised O(1) per entry."""
        live = [message for message in self._near if message.deadline != GONE]
        self._near.clear()
        self._near.extend(live)
        self._returned[:] = [entry for entry in self._returned if entry[1].deadline != GONE]
        heapify(self._returned)
        self._limit = 2 * (len(live) + len(self._returned)) + SLACK
