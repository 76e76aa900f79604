"""The archive of a FIFO topic, and the replays of it."""

from collections import deque
from collections.abc import Iterator
from itertools import islice

import attrs

from msgsim.bus.message import Content
from msgsim.bus.publication import Attributes, FifoEnvelope
from msgsim.declare import DAY

PENDING, IN_PROGRESS, COMPLETED, FAILED = "Pending", "In progress", "Completed", "Failed"
"""What becomes of a replay (SNS-ARC-2)."""


@attrs.frozen
class Publication:
    """One publish to a FIFO topic, as it is delivered and kept.

    Attributes:
        envelope: for queues without raw delivery; it holds what was published, when, and under which numbers.
        attributes: of the publish.
        origin: the traffic event that caused it.
        origin_at: when that was [s].
        group_id: its message group.
        deduplication_id: its id; None if it is known to be unique.
        place: its place among all publishes of the topic, from 1.
    """

    envelope: FifoEnvelope
    attributes: Attributes | None
    origin: int
    origin_at: float
    group_id: str
    deduplication_id: str | None
    place: int

    @property
    def content(self) -> str | Content:
        """What was published."""
        return self.envelope.content

    @property
    def published_at(self) -> float:
        """When it was published [s]."""
        return self.envelope.published_at


class Archive:
    """What was published within the retention period, in order (SNS-ARC-1).

    Args:
        days: the retention period.
        since: when it was switched on [s].

    Attributes:
        retention: [s].
        since: when it was switched on [s].
        size: of what it has [bytes].
    """

    __slots__ = ("_first", "_kept", "_sizes", "retention", "since", "size")

    def __init__(self, days: float, since: float) -> None:
        self.retention = days * DAY
        self.since = since
        self.size = 0
        self._kept: list[Publication] = []
        self._sizes: deque[int] = deque()
        self._first = 0

    def __len__(self) -> int:
        return len(self._kept) - self._first

    def __iter__(self) -> Iterator[Publication]:
        return islice(self._kept, self._first, None)

    def keep(self, publication: Publication, size: int) -> None:
        """Add a publish of so many bytes, and drop what is too old by then. Cost: amortised O(1)."""
        self.size += size
        self._sizes.append(size)
        self._kept.append(publication)
        self.prune(publication.published_at)

    def prune(self, now: float) -> None:
        """Drop what is older than the retention period. Cost: amortised O(1)."""
        kept = self._kept
        first = self._first
        while first < len(kept) and kept[first].published_at + self.retention <= now:
            self.size -= self._sizes.popleft()
            first += 1
        if first > len(kept) // 2:
            del kept[:first]
            first = 0
        self._first = first

    def beginning(self, now: float) -> float:
        """The earliest time from which there can be publishes [s]: the service's `BeginningArchiveTime`."""
        return max(self.since, now - self.retention)

    def after(self, place: int, start: float) -> Publication | None:
        """The first publish behind a place that is not older than `start` [s]. Cost: O(log n) looks at the archive."""
        kept = self._kept
        low, high = self._first, len(kept)
        while low < high:
            middle = (low + high) // 2
            if kept[middle].place > place and kept[middle].published_at >= start:
                high = middle
            else:
                low = middle + 1
        return kept[low] if low < len(kept) else None


class Replay:
    """A replay for one subscription: from the archive, in order, until it has caught up or reached its end.

    Attributes:
        start: publishes from then on [s].
        end: publishes up to and at then [s]; None to catch up and go on with what is published (SNS-ARC-2).
        status: "Pending", "In progress", "Completed" or "Failed".
        place: of the publish that was replayed last.
    """

    __slots__ = ("end", "place", "start", "status")

    def __init__(self, start: float, end: float | None) -> None:
        self.start = start
        self.end = end
        self.status = PENDING
        self.place = 0
