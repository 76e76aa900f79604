"""How many calls a FIFO queue takes per second, and what it says to more."""

from collections import deque
from collections.abc import Collection
from zlib import crc32

from msgsim.errors import RequestThrottled
from msgsim.quotas import FIFO_CALLS, FIFO_OTHER_REGIONS, FIFO_REGIONS

CALLS = int(FIFO_CALLS.high)
SECOND = 1.0


class Throughput:
    """Counts calls by action: "SendMessage", "ReceiveMessage", "DeleteMessage", a batch of them being one call.

    Usually a queue takes 300 calls of each within any second (FIFO-TPS-1). With high throughput the queue takes what
    its Region allows, and each of its partitions 300 (FIFO-TPS-2, FIFO-TPS-3). A group is in one partition, so 300 are
    also the most for a group. A batch counts once in each partition that it has groups of; a receive, which names no
    group, counts for the queue only.

    How partitions grow is unpublished; here they are as many as the Region allows, unless it is said how many there
    are at first: then their number doubles when a call is refused by a full one, not more often than every
    `growth_interval`.

    Args:
        high: whether the queue has high throughput.
        region: where it is, such as "eu-west-1".
        partitions: how many there are at first; None for as many as the Region allows.
        growth_interval: between two doublings of their number [s].
    """

    __slots__ = ("_base", "_calls", "_grown_at", "_parts", "growth_interval", "high", "limit", "partitions")

    def __init__(
        self,
        *,
        high: bool = False,
        region: str = "us-east-1",
        partitions: int | None = None,
        growth_interval: float = 60.0,
    ) -> None:
        self.high = high
        self.limit = FIFO_REGIONS.get(region, FIFO_OTHER_REGIONS) if high else CALLS
        self.partitions = self._most if partitions is None else min(partitions, self._most)
        self.growth_interval = growth_interval
        self._base = self.partitions
        self._grown_at: float | None = None
        self._calls: dict[str, deque[float]] = {}
        self._parts: dict[tuple[str, int], deque[float]] = {}

    def charge(self, action: str, now: float, groups: Collection[str] = ()) -> None:
        """Count one call, or refuse it; a refused one does not count.

        Args:
            action: what is called.
            now: [s].
            groups: the message groups that it is about.

        Raises:
            RequestThrottled: there were too many within the last second (FIFO-TPS-4).

        Cost: O(groups); O(calls of the last second) when partitions grow.
        """
        calls = self._calls.setdefault(action, deque(maxlen=self.limit))
        if not self.high:
            _refuse_if_full(calls, 1, now)
            calls.append(now)
            return
        numbers = sorted({self.partition(group) for group in groups})
        parts = [self._parts.setdefault((action, number), deque(maxlen=CALLS)) for number in numbers]
        times = max(len(parts), 1)
        _refuse_if_full(calls, times, now)
        try:
            for part in parts:
                _refuse_if_full(part, 1, now)
        except RequestThrottled:
            self._grow(now)
            raise
        for part in parts:
            part.append(now)
        calls.extend([now] * times)

    def partition(self, group: str) -> int:
        """The partition of a message group, by a hash of its id (FIFO-TPS-3)."""
        digest = crc32(group.encode())
        number = digest % (2 * self._base)
        return number if number < self.partitions else number % self._base

    @property
    def _most(self) -> int:
        return self.limit // CALLS

    def _grow(self, now: float) -> None:
        """Split each partition in two, up to the most that there can be; both halves keep the calls of the whole."""
        if self._grown_at is not None and now < self._grown_at + self.growth_interval:
            return
        self._grown_at = now
        if self.partitions == 2 * self._base:
            self._base = self.partitions
        before, self.partitions = self.partitions, min(2 * self._base, self._most)
        for (action, number), part in list(self._parts.items()):
            half = number + self._base
            if before <= half < self.partitions:
                self._parts[action, half] = deque(part, maxlen=CALLS)


def _refuse_if_full(calls: "deque[float]", times: int, now: float) -> None:
    limit = calls.maxlen or 0
    crowd = len(calls) + times - limit
    if crowd > 0 and now < calls[crowd - 1] + SECOND:
        raise RequestThrottled(f"Request is throttled. More than {limit} calls within a second (FIFO-TPS-4)")
