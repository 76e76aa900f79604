"""How many publishes a FIFO topic takes per second, and what it says to more."""

from collections import OrderedDict, deque
from math import inf

from msgsim.errors import Throttled
from msgsim.quotas import GROUP_RATE, TOPIC_BYTES, TOPIC_RATE

SECOND = 1.0


class Meter:
    """Publishes and their bytes within the last second.

    Args:
        rate: publishes that it takes within any second.
        size: bytes that it takes within any second.
    """

    __slots__ = ("_taken", "_total", "rate", "size")

    def __init__(self, rate: float, size: float) -> None:
        self.rate = rate
        self.size = size
        self._taken: deque[tuple[float, int]] = deque()
        self._total = 0

    def is_idle(self, now: float) -> bool:
        """Whether there was none within the last second. Cost: amortised O(1)."""
        taken = self._taken
        while taken and taken[0][0] + SECOND <= now:
            self._total -= taken.popleft()[1]
        return not taken

    def has_room(self, size: int, now: float) -> bool:
        """Whether another publish fits. Cost: amortised O(1)."""
        taken = self._taken
        self.is_idle(now)
        return len(taken) < self.rate and self._total + size <= self.size

    def take(self, size: int, now: float) -> None:
        """Count a publish."""
        self._taken.append((now, size))
        self._total += size


class TopicThroughput:
    """300 publishes per second and message group; with the scope "Topic" also 3,000, or 20 MB, for all (SNS-QUO-2).

    Args:
        scope: "Topic" or "MessageGroup".
    """

    __slots__ = ("_groups", "_topic")

    def __init__(self, scope: str) -> None:
        self._topic = Meter(TOPIC_RATE.high, TOPIC_BYTES.high) if scope == "Topic" else None
        self._groups: OrderedDict[str, Meter] = OrderedDict()

    def __len__(self) -> int:
        """Groups that are remembered: those of the last second, if there was a publish since."""
        return len(self._groups)

    def charge(self, group_id: str, size: int, now: float) -> None:
        """Count a publish, or refuse it; a refused one does not count.

        Raises:
            Throttled: there were too many within the last second.

        Cost: amortised O(1).
        """
        groups = self._groups
        while groups and next(iter(groups.values())).is_idle(now):
            groups.popitem(last=False)
        group = groups.get(group_id)
        if group is None:
            group = Meter(GROUP_RATE.high, inf)
        if not group.has_room(size, now):
            raise Throttled(
                f"Rate exceeded: more than {GROUP_RATE.high} publishes a second to {group_id!r} (SNS-QUO-2)"
            )
        if self._topic is not None:
            if not self._topic.has_room(size, now):
                raise Throttled(
                    f"Rate exceeded: more than {TOPIC_RATE.high} publishes or {TOPIC_BYTES.high} bytes a second "
                    "(SNS-QUO-2)"
                )
            self._topic.take(size, now)
        group.take(size, now)
        groups[group_id] = group
        groups.move_to_end(group_id)
