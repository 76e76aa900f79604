"""Receives that can be repeated by whoever lost the answer, by the id that they were given (FIFO-VIS-4)."""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from msgsim.bus.message import GONE, Message
from msgsim.bus.receipts import Delivery
from msgsim.quotas import ATTEMPT_INTERVAL


class Attempt(NamedTuple):
    """A receive with an id.

    Attributes:
        deliveries: what it returned; never empty.
        until: when it is forgotten [s].
    """

    deliveries: Sequence[Delivery]
    until: float


class Attempts:
    """The receives of the last 5 minutes that had an id.

    A repeated one returns the same messages as long as they are all there, and nobody changed their visibility or
    received them since. What it does after that is unpublished: here it is a receive like any other.
    """

    __slots__ = ("_known", "_line", "_of")

    def __init__(self) -> None:
        self._known: dict[str, Attempt] = {}
        self._of: dict[int, str] = {}
        self._line: deque[tuple[str, Attempt]] = deque()

    def find(self, attempt_id: str, now: float) -> Attempt | None:
        """The receive that had this id, if it can be repeated. Cost: amortised O(1) per message."""
        line = self._line
        while line and line[0][1].until <= now:
            known, attempt = line.popleft()
            if self._known.get(known) is attempt:
                self._forget(known)
        found = self._known.get(attempt_id)
        if found is None or any(_is_old(delivery) for delivery in found.deliveries):
            return None
        return found

    def remember(self, attempt_id: str, deliveries: Sequence[Delivery], now: float) -> None:
        """Keep what a receive returned, in place of what one with the same id did before. Cost: O(1) per message."""
        if attempt_id in self._known:
            self._forget(attempt_id)
        if not deliveries:
            return
        attempt = Attempt(deliveries, now + ATTEMPT_INTERVAL.low)
        self._known[attempt_id] = attempt
        self._line.append((attempt_id, attempt))
        for delivery in deliveries:
            self._of[delivery.message.number] = attempt_id

    def spoil(self, message: Message) -> None:
        """Somebody changed the visibility of a message. Cost: O(1) per message of its receive."""
        attempt_id = self._of.get(message.number)
        if attempt_id is not None:
            self._forget(attempt_id)

    def clear(self) -> None:
        """Forget everything."""
        self._known.clear()
        self._of.clear()
        self._line.clear()

    def __len__(self) -> int:
        return len(self._known)

    def _forget(self, attempt_id: str) -> None:
        for delivery in self._known.pop(attempt_id).deliveries:
            if self._of.get(delivery.message.number) == attempt_id:
                del self._of[delivery.message.number]


def _is_old(delivery: Delivery) -> bool:
    message = delivery.message
    return message.deadline == GONE or message.receive_count != delivery.receive_count
