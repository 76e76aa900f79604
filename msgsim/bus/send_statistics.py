"""Send statistics: what an account has sent in the last two weeks, by the quarter of an hour."""

from collections import deque
from math import inf
from typing import NamedTuple

from msgsim.declare import check_now
from msgsim.quotas import STATISTICS_BUCKET, STATISTICS_TIME

_WIDTH = STATISTICS_BUCKET.low
_KEPT = STATISTICS_TIME.low


class SendDataPoint(NamedTuple):
    """One quarter of an hour in which something happened, in recipients.

    Attributes:
        timestamp: when it began [s].
        delivery_attempts: sent to.
        bounces: hard ones.
        complaints: of those who got the email.
        rejects: of emails that were accepted and then not sent for what was in them.
    """

    timestamp: float
    delivery_attempts: int
    bounces: int
    complaints: int
    rejects: int


class SendStatistics:
    """Counts by quarters of an hour since time 0, and forgets them after 14 days.

    Args:
        name: for errors.

    Attributes:
        now: the time of the last call [s]; -inf before the first.

    Source: SES-REP-4. Cost: O(1) per count; at most 1,345 quarters are kept.
    """

    __slots__ = ("_points", "name", "now")

    def __init__(self, name: str = "statistics") -> None:
        self.name = name
        self.now = -inf
        self._points: deque[list[float]] = deque()

    def count(
        self, now: float, *, delivery_attempts: int = 0, bounces: int = 0, complaints: int = 0, rejects: int = 0
    ) -> None:
        """Add to the quarter of an hour that `now` [s] is in.

        Raises:
            TimeRanBackwards: `now` is earlier than at the last call.
        """
        self._advance(now)
        begin = now // _WIDTH * _WIDTH
        if not self._points or self._points[-1][0] != begin:
            self._points.append([begin, 0, 0, 0, 0])
        point = self._points[-1]
        point[1] += delivery_attempts
        point[2] += bounces
        point[3] += complaints
        point[4] += rejects

    def points(self, now: float) -> list[SendDataPoint]:
        """What is known at `now` [s]: the quarters in which something happened and that ended within the last 14 days.

        Raises:
            TimeRanBackwards: `now` is earlier than at the last call.

        Cost: O(points).
        """
        self._advance(now)
        return [SendDataPoint(begin, *map(int, counts)) for begin, *counts in self._points]

    def _advance(self, now: float) -> None:
        check_now(self.name, now, self.now)
        self.now = now
        points = self._points
        while points and points[0][0] + _WIDTH + _KEPT <= now:
            points.popleft()
