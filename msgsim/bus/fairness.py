# Hot path: `Fairness.choose` runs at each receive of a fair queue with a backlog (benchmarks/fair.py).
"""Who is next in a fair queue, in which no tenant keeps the others waiting (SQS-FAIR-3, SQS-FAIR-4, SQS-FAIR-5)."""

# ruff: noqa: C901, PLR0912, PLR0915, SLF001 - one loop chooses; it is the part of its queue that knows tenants

from array import array
from collections.abc import Iterator
from heapq import heapify, heappop, heappush, heapreplace
from math import inf
from typing import TYPE_CHECKING

from msgsim.bus.message import GONE, Message
from msgsim.bus.tenants import MOST_LABELS, Tenant
from msgsim.quotas import NOISY_IN_FLIGHT, NOISY_SHARE, QUIET_AFTER

if TYPE_CHECKING:
    from msgsim.bus.standard import StandardQueue

_SHARE = NOISY_SHARE.low * (1.0 + 1e-9)  # what is exactly a tenth, but for rounding, is not more
_BAR = NOISY_IN_FLIGHT.low - 1
_IDLE = QUIET_AFTER.low
_NOBODY = Tenant("", 0, 0.0, 0)
_NOWHERE = (inf, 0, _NOBODY)

SLACK = 64
"""Entries that may be stale, or tenants without anything to do, before a compaction is worth its time."""


class Fairness:
    """Who is next in a queue with tenants (SQS-FAIR-3, SQS-FAIR-4, SQS-FAIR-5).

    At the start of a receive, a tenant with a backlog is noisy if it has 30 messages or more in flight and more than
    10 % of all that are, or if its share of the recent processing time is more than 10 %. It is not if none of its
    messages has been in flight for 5 minutes. Nothing else is remembered: it stops when its shares have fallen, since
    no other threshold is published. Quiet messages go first, oldest first; among noisy tenants the one with the fewest
    in flight, those chosen in the same receive included. Where chance has a part, each message is a receive of its own.

    Processing time is time in flight, summed over messages. "Recent" is unpublished: it is the present window of
    `Queue.processing_window` and the fading part of the one before, as if that one's work had been even. It counts from
    the moment at which the queue became fair. So two numbers per tenant are enough.

    At most 9 tenants can have more than a tenth of something, so at most 18 are noisy at a time. The others with a
    backlog are in a heap by the place of their next message; a tenant is asked when it comes to the top, and set aside
    if it is noisy. The few that are set aside are asked again at each receive.

    Attributes:
        tenants: those that have messages here or recently had, by group id; a message without one, once received, is a
            tenant of its own, by its number (SQS-FAIR-2). Those that were never received are quiet, whatever happens:
            the queue has them as if it were not fair.
        waiting: messages that can be received and belong to a tenant.
        labels: of the tenant of each deleted message since the queue is fair, in the order of deletion.
        unlabelled: messages deleted before.
        named: the group ids by label; messages without one, and of tenants after the first 65,535, have label 0.
        ends: when the present window does [s].
        heads: (place, number, tenant) of the next message of each tenant that is not set aside: a heap, in which an
            entry is valid while its tenant has it.
        window: the number of the present window.
        length: of a window [s].
    """

    __slots__ = (
        "_began",
        "_limit",
        "_most_tenants",
        "_noisy",
        "_receive",
        "_total_at_start",
        "_total_before",
        "ends",
        "heads",
        "labels",
        "length",
        "named",
        "queue",
        "tenants",
        "unlabelled",
        "waiting",
        "window",
    )

    def __init__(self, queue: "StandardQueue", now: float) -> None:
        self.queue = queue
        self.tenants: dict[str | int, Tenant] = {}
        self.waiting = 0
        self.labels = array("H")
        self.unlabelled = len(queue.sojourns)
        self.named: dict[str, int] = {}
        self.heads: list[tuple[float, int, Tenant]] = []
        self._limit = self._most_tenants = SLACK
        self._noisy: list[Tenant] = []
        self._receive = 0
        self._began = now
        self.length = queue.declaration.processing_window
        self.window = int(now // self.length)
        self.ends = (self.window + 1) * self.length
        self._total_at_start = self._total(now)
        self._total_before = 0.0

    # ---------------------------------------------------------------- tenants

    def enter(self, key: str | int) -> Tenant:
        """A tenant that is not known, or was forgotten. Cost: amortised O(1)."""
        if len(self.tenants) >= self._most_tenants:
            self._forget()
        label = 0
        if isinstance(key, str):
            label = self.named.get(key, 0)
            if not label and len(self.named) < MOST_LABELS:
                label = self.named[key] = len(self.named) + 1
        tenant = self.tenants[key] = Tenant(key, label, self.ends - self.length, self.window)
        return tenant

    def of(self, message: Message) -> Tenant:
        """The tenant of a message."""
        key = key_of(message)
        tenant = self.tenants.get(key)
        return self.enter(key) if tenant is None else tenant

    def _forget(self) -> None:
        """Drop the tenants that have nothing here, nor a share of the recent work."""
        for key, tenant in list(self.tenants.items()):
            if not tenant.in_flight and tenant.entry is None and not tenant.noisy and tenant.window < self.window - 1:
                del self.tenants[key]
        self._most_tenants = 2 * len(self.tenants) + SLACK

    # ---------------------------------------------------------------- the recent work

    def tick(self, now: float) -> None:
        """Begin the window that `now` is in, before anything changes at `now`."""
        window = max(int(now // self.length), self.window + 1)  # products of floats are rounded
        start = window * self.length
        total = self._total(start)
        earlier = self._total_at_start if window == self.window + 1 else self._total(start - self.length)
        self._total_before = total - earlier
        self._total_at_start = total
        self.window = window
        self.ends = (window + 1) * self.length

    def _total(self, at: float) -> float:
        """The integral of all that is in flight, up to a time after which nothing has changed so far."""
        return self.queue._flight_time + self.queue.in_flight * at

    def _fading(self, now: float) -> float:
        """How much of the window before still counts."""
        return (self.ends - now) / self.length

    def recent(self, now: float) -> float:
        """The recent processing time of all [message s]."""
        return self._total_before * self._fading(now) + self._total(now) - self._total_at_start

    def recent_of(self, tenant: Tenant, now: float) -> float:
        """The recent processing time of one tenant [message s]."""
        if tenant.window != self.window:
            tenant.roll(self.window, self.length)
        return tenant.before * self._fading(now) + tenant.area + tenant.in_flight * (now - tenant.since)

    def is_noisy(self, tenant: Tenant, now: float) -> bool:
        """Whether a tenant that has a backlog is noisy; at or after the latest change."""
        in_flight = tenant.in_flight
        if in_flight > _BAR and in_flight > _SHARE * self.queue.in_flight:
            return True
        recent = self.recent_of(tenant, now)
        return recent > max(0.0, _SHARE * self.recent(now)) and (in_flight > 0 or now - tenant.since < _IDLE)

    def noisy(self, now: float) -> list[Tenant]:
        """All tenants that are noisy. Cost: O(tenants with a backlog)."""
        if now >= self.ends:
            self.tick(now)
        return [tenant for tenant in self.backlogged() if self.is_noisy(tenant, now)]

    def backlogged(self) -> Iterator[Tenant]:
        """The tenants with messages that can be received. Cost: amortised O(1) for each."""
        for entry in self.heads:
            if entry[2].entry is entry:
                yield entry[2]
        yield from self._noisy

    # ---------------------------------------------------------------- in flight

    def fly(self, message: Message, now: float) -> None:
        """A message that was visible is in flight since `now`."""
        tenant = self.of(message)
        if tenant.window != self.window:
            tenant.roll(self.window, self.length)
        tenant.change(1, now)

    def land(self, message: Message, at: float) -> Tenant:
        """A message is in flight no more since `at`; after the `tick` of that time. Cost: amortised O(1)."""
        key = key_of(message)
        tenant = self.tenants.get(key)
        if tenant is None:  # it was received before the queue was fair
            tenant = self.enter(key)
            tenant.since = self._began
            tenant.window = int(self._began // self.length)
            tenant.in_flight = 1
        if tenant.window != self.window:
            tenant.roll(self.window, self.length)
        tenant.change(-1, at)
        return tenant

    def leave(self, message: Message, at: float) -> None:
        """A message in flight has been deleted; after the `tick` of that time. Cost: amortised O(1)."""
        self.labels.append(self.land(message, at).label)
        self.drop(message)

    def drop(self, message: Message) -> None:
        """A message is gone; without a group it was its own tenant."""
        if message.group_id is None:
            self.tenants.pop(message.number, None)

    def clear(self, now: float) -> None:
        """All messages are gone; after the `tick` of that time. Cost: O(tenants)."""
        for key, tenant in list(self.tenants.items()):
            if tenant.window != self.window:
                tenant.roll(self.window, self.length)
            if tenant.in_flight:
                tenant.change(-tenant.in_flight, now)
            tenant.clear()
            if isinstance(key, int):
                del self.tenants[key]
        self.heads.clear()
        self._noisy.clear()
        self.waiting = 0

    # ---------------------------------------------------------------- the order

    def append(self, message: Message, group_id: str) -> None:
        """Place a message that has come last. Cost: O(log tenants) for the first of its tenant, else O(1)."""
        tenant = self.tenants.get(group_id)
        if tenant is None:
            tenant = self.enter(group_id)
        tenant.append(message)
        self.waiting += 1
        if tenant.entry is None and not tenant.noisy:
            tenant.entry = entry = (message.arrived_at, message.number, tenant)
            heappush(self.heads, entry)

    def reseat(self, tenant: Tenant) -> None:
        """The backlog of a tenant has changed; have it at its place. Cost: O(log tenants)."""
        head = tenant.head()
        if tenant.noisy:
            if head is None:
                self._noisy.remove(tenant)
                tenant.noisy = False
        elif head is None or tenant.entry is None or tenant.entry[:2] != head[:2]:
            tenant.entry = head
            heads = self.heads
            if head is not None:
                heappush(heads, head)
            if len(heads) > self._limit:
                heads[:] = [entry for entry in heads if entry[2].entry is entry]
                heapify(heads)
                self._limit = 2 * len(heads) + SLACK

    def oldest(self) -> tuple[float, int, Tenant] | None:
        """The place of the message of a tenant that is first in line, noisy or not; None if there is none."""
        heads = self.heads
        while heads and heads[0][2].entry is not heads[0]:
            heappop(heads)
        found = [head for head in (tenant.head() for tenant in self._noisy) if head is not None]
        return min([*heads[:1], *found], default=None, key=_place)

    def _review(self, now: float) -> None:
        """Let those that are no longer noisy go back to the others."""
        for tenant in self._noisy[:]:
            if not self.is_noisy(tenant, now):
                self._noisy.remove(tenant)
                tenant.noisy = False
                self.reseat(tenant)

    def _loose_head(self) -> tuple[float, int] | None:
        """The place of the first message that has no tenant yet."""
        queue = self.queue
        fresh = queue._fresh
        while fresh and fresh[0].deadline == GONE:
            fresh.popleft()
            queue._stale -= 1
        return (fresh[0].arrived_at, fresh[0].number) if fresh else None

    def choose(self, now: float, limit: int) -> list[Message]:
        """Take out up to `limit` messages, those of quiet tenants first (SQS-FAIR-4).

        Cost: O(log tenants) per message; O(log returned) for messages that were received before.
        """
        if now >= self.ends:
            self.tick(now)
        queue = self.queue
        fresh = queue._fresh
        most = queue.max_receive_count
        window = self.window
        fade = (self.ends - now) / self.length
        total = queue.in_flight
        bar = max(_BAR, _SHARE * total)
        worked = queue._flight_time + total * now - self._total_at_start
        part = max(0.0, _SHARE * (self._total_before * fade + worked))
        self._receive = receive = self._receive + 1
        if self._noisy:
            self._review(now)
        heads = self.heads
        entry: tuple[float, int, Tenant] = _NOWHERE
        batch: list[Message] = []
        while len(batch) < limit:
            tenant = None
            while heads:
                entry = heads[0]
                tenant = entry[2]
                if tenant.entry is entry:
                    if tenant.looked == receive:
                        break
                    if tenant.window != window:
                        tenant.roll(window, self.length)
                    in_flight = tenant.in_flight
                    if (
                        in_flight <= bar
                        and tenant.before * fade + tenant.area + in_flight * (now - tenant.since) <= part
                    ) or not self.is_noisy(tenant, now):
                        tenant.looked = receive
                        break
                    tenant.entry = None
                    tenant.noisy = True
                    self._noisy.append(tenant)
                heappop(heads)
                tenant = None
            loose = self._loose_head() if fresh else None
            if loose is not None and (tenant is None or loose < entry[:2]):
                message = fresh.popleft()
                tenant = self.enter(message.number)
            elif tenant is not None:
                self.waiting -= 1
                first = tenant.first
                if first is None or tenant.gone or tenant.returned is not None:
                    message = tenant.pop()
                    tenant.entry = None
                    heappop(heads)
                    self.reseat(tenant)
                else:  # `Tenant.pop` and `reseat`, without their calls
                    message = first
                    line = tenant.line
                    if line:
                        tenant.first = first = line.popleft()
                        tenant.entry = entry = (first.arrived_at, first.number, tenant)
                        heapreplace(heads, entry)
                    else:
                        tenant.first = tenant.entry = None
                        heappop(heads)
            elif self._noisy:
                tenant = min(self._noisy, key=_fewest_in_flight)
                message = tenant.pop()
                self.waiting -= 1
                self.reseat(tenant)
                if tenant.window != window:
                    tenant.roll(window, self.length)
            else:
                break
            if message.receive_count:
                queue._places.pop(message.number, None)
                if message.receive_count >= most:
                    queue._dead_letter(message, now)
                    self.drop(message)
                    continue
            if now > tenant.since:
                tenant.area += tenant.in_flight * (now - tenant.since)
                tenant.since = now
            tenant.in_flight += 1
            batch.append(message)
        return batch


def key_of(message: Message) -> str | int:
    """What tells a message's tenant from the others."""
    return message.number if message.group_id is None else message.group_id


def _fewest_in_flight(tenant: Tenant) -> tuple[int, float, int]:
    head = tenant.head()
    assert head is not None  # noqa: S101 - narrows the type: a noisy tenant has a backlog
    return tenant.in_flight, head[0], head[1]


def _place(entry: tuple[float, int, Tenant]) -> tuple[float, int]:
    return entry[:2]
