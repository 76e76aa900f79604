"""What a FIFO queue remembers of sends, so that another one with the same id adds nothing."""

from collections import deque
from collections.abc import Hashable
from hashlib import sha256

from msgsim.bus.groups import Member
from msgsim.quotas import DEDUPLICATION_INTERVAL


class Deduplication:
    """Messages by their deduplication id, for 5 minutes from the send that was accepted (FIFO-DUP-1).

    The memory outlives the message (FIFO-DUP-2). It holds what was sent within one interval, not more.
    """

    __slots__ = ("_known", "_line")

    def __init__(self) -> None:
        self._known: dict[Hashable, Member] = {}
        self._line: deque[tuple[float, Hashable]] = deque()

    def find(self, key: Hashable, now: float) -> Member | None:
        """The message that was accepted with this key, if that is remembered. Cost: amortised O(1)."""
        line = self._line
        while line and line[0][0] <= now:
            del self._known[line.popleft()[1]]
        return self._known.get(key)

    def remember(self, key: Hashable, message: Member, now: float) -> None:
        """Remember a message that was accepted, unless the key is known. Cost: amortised O(1)."""
        if self.find(key, now) is None:
            self._known[key] = message
            self._line.append((now + DEDUPLICATION_INTERVAL.low, key))

    def clear(self) -> None:
        """Forget everything (SQS-PRG-3)."""
        self._known.clear()
        self._line.clear()

    def __len__(self) -> int:
        return len(self._known)


def content_id(body: str) -> str:
    """The id that a body stands for: attributes do not count (FIFO-DUP-3).

    >>> content_id("Test")
    '532eaabd9574880dbf76b9b8cc00832c20a6ec113d682299550d7a6e0f345e25'
    """
    return sha256(body.encode()).hexdigest()
