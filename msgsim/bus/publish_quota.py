"""How many messages the topics of an account take per second, all together, and what is said to more (SNS-QUO-1)."""

from collections import deque

from msgsim.declare import check_number
from msgsim.errors import Throttled
from msgsim.quotas import (
    FIFO_PUBLISH_RATES,
    FIFO_PUBLISH_RATES_ELSEWHERE,
    PUBLISH_RATES,
    PUBLISH_RATES_ELSEWHERE,
)

SECOND = 1.0


class PublishQuota:
    """Counts the messages that the topics of one type publish in one Region within any second.

    Args:
        region: where they are, such as "eu-west-1".
        fifo: for FIFO topics, which have a quota of their own.
        limit: messages per second instead of the Region's.

    Attributes:
        limit: messages per second.
        throttled: messages that were refused.

    Raises:
        DeclarationError: a limit that is no whole number from 1.
    """

    __slots__ = ("_recent", "_size", "limit", "throttled")

    def __init__(self, region: str = "us-east-1", *, fifo: bool = False, limit: int | None = None) -> None:
        if limit is None:
            elsewhere = FIFO_PUBLISH_RATES_ELSEWHERE if fifo else PUBLISH_RATES_ELSEWHERE
            limit = (FIFO_PUBLISH_RATES if fifo else PUBLISH_RATES).get(region, elsewhere)
        check_number("PublishQuota.limit", limit, low=1, unit="messages/s", rule="SNS-QUO-1", integer=True)
        self.limit = limit
        self.throttled = 0
        self._recent: deque[tuple[float, int]] = deque()
        self._size = 0

    def charge(self, now: float, messages: int = 1) -> None:
        """Count messages that are published by one call, or refuse them all; those do not count.

        Args:
            now: [s].
            messages: 1, or the entries of a batch.

        Raises:
            Throttled: with them there would be too many within the last second (SNS-QUO-3).

        Cost: O(1), amortised.
        """
        if not self.take(now, messages):
            raise Throttled("Rate exceeded")

    def take(self, now: float, messages: int = 1) -> bool:
        """The same; returns False instead of raising."""
        recent = self._recent
        while recent and recent[0][0] + SECOND <= now:
            self._size -= recent.popleft()[1]
        if self._size + messages > self.limit:
            self.throttled += messages
            return False
        self._size += messages
        if recent and recent[-1][0] == now:
            recent[-1] = (now, recent[-1][1] + messages)
        else:
            recent.append((now, messages))
        return True
