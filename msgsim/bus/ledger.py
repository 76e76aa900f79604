"""The books of a queue: what came, what left, what is here, and for how long."""

from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterator
from math import fsum, inf
from typing import NamedTuple

from msgsim.bus.message import Message, RedrivenMessage
from msgsim.errors import AuditError


class Counts(NamedTuple):
    """The messages of a queue by state; disjoint (SQS-ATT-4)."""

    visible: int
    in_flight: int
    delayed: int


class Ledger(ABC):
    """The counters, time integrals and samples of a queue, kept where messages enter and leave.

    A subclass has the messages. It must keep, per instant: sent + moved_in = visible + in_flight + delayed + deleted +
    dead_lettered + moved_out + expired + purged.

    Attributes:
        name: of the queue.
        companions: messages received, but for the first of each receive.
        sojourns: arrival to deletion of each deleted message [s], in the order of deletion.
        waits: arrival to first receive of the same messages [s].
    """

    __slots__ = (
        "_delayed_time",
        "_end_to_end",
        "_flight_time",
        "_left_time",
        "_visible_time",
        "companions",
        "dead_lettered",
        "deduplicated",
        "delayed",
        "deleted",
        "duplicate_work",
        "empty_receives",
        "expired",
        "in_flight",
        "moved_in",
        "moved_out",
        "name",
        "purged",
        "received",
        "redelivered",
        "sent",
        "sojourns",
        "waits",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.sent = self.received = self.deleted = self.dead_lettered = self.expired = self.purged = 0
        self.moved_in = self.moved_out = self.deduplicated = self.companions = 0
        self.empty_receives = self.redelivered = self.duplicate_work = 0
        self.in_flight = self.delayed = 0
        self._visible_time = self._flight_time = self._delayed_time = self._left_time = 0.0
        self.sojourns = array("d")
        self.waits = array("d")
        self._end_to_end: array[float] | None = None

    @property
    def receives(self) -> int:
        """Receives that brought messages; the others are `empty_receives`."""
        return self.received - self.companions

    @property
    @abstractmethod
    def visible(self) -> int:
        """Messages that can be received, as of the last look."""

    @abstractmethod
    def live(self) -> Iterator[Message]:
        """All messages that are here, in no particular order. Cost: O(n)."""

    @abstractmethod
    def recounted(self) -> Counts:
        """The messages by state, counted one by one. Cost: O(n)."""

    @property
    def end_to_end(self) -> "array[float]":
        """Origin to deletion of each deleted message [s]."""
        return self.sojourns if self._end_to_end is None else self._end_to_end

    def end_to_end_of(self, message: Message, at: float) -> None:
        """Note the end-to-end time of the message whose sojourn was noted last."""
        if self._end_to_end is None:
            self._begin_end_to_end(at - message.origin_at)
        else:
            self._end_to_end.append(at - message.origin_at)

    def _begin_end_to_end(self, sample: float) -> "array[float]":
        """Keep end-to-end times apart from sojourns, now that one differs; `sample` belongs to the latest sojourn."""
        self._end_to_end = self.sojourns[:-1]
        self._end_to_end.append(sample)
        return self._end_to_end

    def _count_deleted(self, message: Message, at: float) -> None:
        self.deleted += 1
        arrived = message.arrived_at
        self.sojourns.append(at - arrived)
        self.waits.append(message.first_received_at - arrived)
        if self._end_to_end is not None or message.origin_at != arrived:
            self.end_to_end_of(message, at)

    def count_again(self, message: Message, now: float) -> None:
        """Count the receive of a message that was received before, here or in the queue it came from."""
        if isinstance(message, RedrivenMessage) and message.first_received_at == -inf:
            message.first_received_at = now
        else:
            self.redelivered += 1

    def integrals(self, now: float) -> tuple[float, float, float]:
        """Integrals of visible, in flight and delayed over time, from time 0 to `now` [message s]; after `settle`."""
        return (
            self._visible_time + self.visible * now,
            self._flight_time + self.in_flight * now,
            self._delayed_time + self.delayed * now,
        )

    def residence(self, now: float) -> float:
        """Time that messages spent here up to `now` [message s], summed over those that left and those still here."""
        here = sum(now - message.arrived_at for message in self.live())
        return fsum(self.sojourns) + self._left_time + here

    def balance(self, now: float, *, deep: bool) -> None:
        """Assert that the books balance as of the last look: every message that came is somewhere, once.

        Args:
            now: [s].
            deep: also look at each message in flight and delayed. Cost: O(n) instead of O(1).

        Raises:
            AuditError: says which numbers differ.
        """
        came = self.sent + self.moved_in
        left = self.deleted + self.dead_lettered + self.moved_out + self.expired + self.purged
        counted = Counts(self.visible, self.in_flight, self.delayed)
        if came != left + sum(counted) or len(self.sojourns) != self.deleted:
            raise AuditError(
                f"queue {self.name!r} at {now:g} s: sent {self.sent} + moved_in {self.moved_in} is not left {left} + "
                f"{counted}; it has {len(self.sojourns)} sojourns of {self.deleted} deleted messages"
            )
        if not deep:
            return
        found = self.recounted()
        if found != counted:
            raise AuditError(
                f"queue {self.name!r} at {now:g} s: its containers hold {found}; its counters say {counted}"
            )
