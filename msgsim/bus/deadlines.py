# Hot path: `line` is appended to by StandardQueue.take without a call (benchmarks/spike.py).
"""Messages by the time at which they become visible: ends of visibility timeouts and of delays."""

from collections import deque
from collections.abc import Iterator
from math import inf

from sortedcontainers import SortedList

from msgsim.bus.message import Message

SLACK = 64
"""Entries that may be stale before a compaction is worth its time."""


class Deadlines:
    """An index of deadlines that are mostly added in order.

    With one timeout for all, deadlines come due in the order in which they were added: a plain deque of (deadline,
    messages) holds them, one entry per receive. The others, after a changed visibility or a timeout of the call's own,
    are in a sorted list. An entry is valid while the message still has that deadline; the deque drops invalid entries
    when they come due or when they are the greater part of it, so that a 12 h timeout does not keep dead messages.

    Attributes:
        line: (deadline, messages) with ascending deadlines.
        limit: length of `line` at which it wants `compact()`.
        index: (deadline, number, message) of all others; None if there are none, which is cheaper to ask.
    """

    __slots__ = ("index", "limit", "line")

    def __init__(self) -> None:
        self.line: deque[tuple[float, list[Message]]] = deque()
        self.index: SortedList[tuple[float, int, Message]] | None = None
        self.limit = SLACK

    def add(self, deadline: float, messages: list[Message]) -> None:
        """Enter messages that have this deadline. Cost: O(1) in order, O(log n) each out of order."""
        line = self.line
        if line and deadline < line[-1][0]:
            if self.index is None:
                self.index = SortedList()
            self.index.update([(deadline, message.number, message) for message in messages])
            return
        line.append((deadline, messages))
        if len(line) > self.limit:
            self.compact()

    def discard(self, message: Message) -> None:
        """Forget a message before its deadline changes. Cost: O(log n) if it is in the index, else nothing to do."""
        if self.index is not None:
            self.index.discard((message.deadline, message.number, message))
            if not self.index:
                self.index = None

    def head(self) -> float:
        """A time before which nothing comes due [s]; inf if nothing ever does. Cost: O(1)."""
        first = self.line[0][0] if self.line else inf
        return first if self.index is None else min(first, self.index[0][0])

    def next_valid(self) -> float:
        """The earliest valid deadline [s]; inf if none. Cost: amortised O(1): entries passed over are dropped."""
        line = self.line
        while line and all(message.deadline != line[0][0] for message in line[0][1]):
            line.popleft()
        return self.head()

    def pop_due(self, now: float) -> list[Message]:
        """Take out the messages of the earliest entry, which is due by `now`; [] if it was stale."""
        line = self.line
        index = self.index
        if index is not None and (not line or index[0][0] < line[0][0]):
            deadline, _, message = index.pop(0)
            if not index:
                self.index = None
            return [message] if message.deadline == deadline else []
        deadline, messages = line[0]
        if deadline > now:
            return []
        line.popleft()
        return [message for message in messages if message.deadline == deadline]

    def __iter__(self) -> Iterator[Message]:
        """All messages with a valid deadline, each once, in no particular order. Cost: O(n)."""
        seen = set()
        for deadline, messages in self.line:
            for message in messages:
                if message.deadline == deadline and message.number not in seen:
                    seen.add(message.number)
                    yield message
        for _, _, message in self.index or ():
            if message.number not in seen:
                yield message

    def clear(self) -> None:
        """Forget everything."""
        self.line.clear()
        self.index = None
        self.limit = SLACK

    def compact(self) -> None:
        """Drop stale entries from the line. Cost: amortised O(1) per entry added."""
        live = [
            entry for entry in self.line if entry[1][0].deadline == entry[0] or (len(entry[1]) > 1 and _valid(entry))
        ]
        self.line.clear()
        self.line.extend(live)
        self.limit = 2 * len(live) + SLACK


def _valid(entry: tuple[float, list[Message]]) -> bool:
    deadline, messages = entry
    return any(message.deadline == deadline for message in messages)
