# Hot path: `enqueue_grouped`, `take` and `finish_one` trust their arguments (benchmarks/fair.py).
"""The fair queue: what becomes of a standard queue with its first message that has a group id (SQS-FAIR-1)."""

from array import array
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from itertools import islice
from math import inf
from typing import Any

from msgsim.bus.fairness import Fairness, key_of
from msgsim.bus.message import GONE, VISIBLE, Content, GroupedMessage, Message
from msgsim.bus.standard import StandardQueue
from msgsim.bus.tenants import Quiet, TenantState


class FairQueue(StandardQueue):
    """A standard queue that has had a message with a group id: `Fairness` chooses, and hears of what is in flight.

    The messages without a group that were never received stand where they do in any standard queue.
    """

    __slots__ = ()

    fairness: Fairness

    # ---------------------------------------------------------------- the hot path

    def enqueue_grouped(
        self,
        content: str | Content,
        attributes: Mapping[str, Any] | None,
        now: float,
        origin: int | None,
        origin_at: float,
        group_id: str,
        delay: float | None = None,
    ) -> Message:
        """See `StandardQueue`."""
        message = GroupedMessage()
        message.group_id = group_id
        if delay is not None:
            self._store(message, content, attributes, now, origin, origin_at, delay)
            return message
        message.content = content
        message.attributes = attributes
        self.sent = sent = self.sent + 1
        message.number = self.base | sent
        message.arrived_at = now
        message.origin = origin
        message.origin_at = origin_at
        message.receive_count = 0
        if self.delaying:
            self._admit(message, now)
        else:
            message.deadline = VISIBLE
            self._visible_time -= now
            fairness = self.fairness  # `Fairness.append`, without its calls
            fairness.waiting += 1
            tenant = fairness.tenants.get(group_id)
            if tenant is None:
                tenant = fairness.enter(group_id)
            if tenant.first is None:
                tenant.first = message
                if tenant.entry is None and not tenant.noisy:
                    tenant.entry = entry = (now, message.number, tenant)
                    heappush(fairness.heads, entry)
            elif tenant.line is None:
                tenant.line = deque((message,))
            else:
                tenant.line.append(message)
        if self.retention.heap is not None:
            self.retention.add(message)
        if self.on_change is not None:
            self.on_change()
        return message

    def take(self, now: float, limit: int, timeout: float) -> list[Message]:
        """See `StandardQueue`. A message that is alone is taken without a look at who is noisy."""
        if now >= self.due:
            self.settle(now)
        fairness = self.fairness
        heads = fairness.heads
        waiting = fairness.waiting
        if (
            waiting > 1
            or self._fresh
            or self._chance is not None
            or self.in_flight + limit > self.max_in_flight
            or (waiting and not heads)
        ):
            return super().take(now, limit, timeout)
        if not waiting:
            return []
        entry = heads[0]
        tenant = entry[2]
        message = tenant.first
        if message is None or message.receive_count or tenant.entry is not entry or tenant.gone:
            return super().take(now, limit, timeout)
        heappop(heads)
        tenant.entry = tenant.first = None
        fairness.waiting = 0
        if now >= fairness.ends:
            fairness.tick(now)
        if tenant.window != fairness.window:
            tenant.roll(fairness.window, fairness.length)
        if now > tenant.since:
            tenant.area += tenant.in_flight * (now - tenant.since)
            tenant.since = now
        tenant.in_flight += 1
        message.deadline = deadline = now + timeout
        message.first_received_at = now
        message.receive_count = 1
        self.received += 1
        self.in_flight += 1
        self._visible_time += now
        self._flight_time -= now
        batch = [message]
        line = self._line
        if line and deadline < line[-1][0]:
            self.flights.add(deadline, batch)
        else:
            line.append((deadline, batch))
            if len(line) > self.flights.limit:
                self.flights.compact()
        if deadline < self.due:  # noqa: PLR1730 - a call costs more than the branch
            self.due = deadline
        return batch

    def finish_one(self, message: Message, at: float) -> None:
        """See `Store`; with `Fairness.leave`, without their calls."""
        fairness = self.fairness
        if at >= fairness.ends:
            fairness.tick(at)
        if self.flights.index is not None:
            self.flights.discard(message)
        message.deadline = GONE
        self.in_flight -= 1
        self._flight_time += at
        self.deleted += 1
        arrived = message.arrived_at
        self.sojourns.append(at - arrived)
        self.waits.append(message.first_received_at - arrived)
        if self._end_to_end is not None:
            self._end_to_end.append(at - message.origin_at)
        elif message.origin_at != arrived:
            self._begin_end_to_end(at - message.origin_at)
        group_id = message.group_id
        if group_id is None:
            fairness.leave(message, at)
        else:
            tenant = fairness.tenants[group_id]
            if tenant.window != fairness.window:
                tenant.roll(fairness.window, fairness.length)
            if at > tenant.since:
                tenant.area += tenant.in_flight * (at - tenant.since)
                tenant.since = at
            tenant.in_flight -= 1
            fairness.labels.append(tenant.label)
        if self.limited:
            self._release()

    def finish(
        self,
        batch: Sequence[Message],
        durations: Sequence[float],
        failures: Sequence[int] | None,
        deadline: float,
        first: int,
        clock: float,
        until: float,
    ) -> tuple[int, float]:
        """See `StandardQueue`; who has what in flight is known up to the latest call only."""
        position = first
        while position < len(batch):
            at = clock + durations[position]
            if at > until:
                break
            clock = at
            message = batch[position]
            if (failures is None or position not in failures) and message.deadline == deadline:
                self.finish_one(message, at)
            position += 1
        return position, clock

    def _take_in_order(self, now: float, limit: int) -> list[Message]:
        """Choose messages, those of quiet tenants first."""
        return self.fairness.choose(now, limit)

    # ---------------------------------------------------------------- what else changes who has what in flight

    def remove(self, message: Message, receive_count: int, at: float) -> bool:
        """See `Store`."""
        self.settle(at)
        fairness = self.fairness
        if at >= fairness.ends:
            fairness.tick(at)
        state = message.deadline
        if not super().remove(message, receive_count, at):
            return False
        if state == VISIBLE:
            fairness.labels.append(fairness.of(message).label)
            fairness.drop(message)
        else:
            fairness.leave(message, at)
        return True

    def extend(self, message: Message, received_at: float, timeout: float, now: float) -> None:
        """See `Store`."""
        self.settle(now)
        if now >= self.fairness.ends:
            self.fairness.tick(now)
        state = message.deadline
        super().extend(message, received_at, timeout, now)
        if state == VISIBLE and timeout:
            self.fairness.fly(message, now)

    def first_in_line(self) -> Message | None:
        """See `StandardQueue`: the oldest, whosever it is. Cost: amortised O(log tenants)."""
        own = super().first_in_line()
        head = self.fairness.oldest()
        if head is None or (own is not None and (own.arrived_at, own.number) < head[:2]):
            return own
        return head[2].following()

    def move_out(self, message: Message, now: float) -> None:
        """See `LiveQueue`."""
        super().move_out(message, now)
        self.fairness.drop(message)

    def put_aside(self, message: Message, now: float) -> None:
        """See `StandardQueue`."""
        self.fairness.land(message, now)
        super().put_aside(message, now)

    def _return(self, message: Message, at: float) -> None:
        if at >= self.fairness.ends:
            self.fairness.tick(at)
        self.fairness.land(message, at)
        super()._return(message, at)

    def _expire(self, message: Message, at: float) -> None:
        at = max(at, message.arrived_at)
        if message.deadline != VISIBLE and message.receive_count:
            if at >= self.fairness.ends:
                self.fairness.tick(at)
            self.fairness.land(message, at)
        super()._expire(message, at)
        self.fairness.drop(message)

    def _empty(self, now: float) -> None:
        if now >= self.fairness.ends:
            self.fairness.tick(now)
        super()._empty(now)

    def clear(self) -> None:
        """See `LiveQueue`."""
        super().clear()
        self.fairness.clear(self.looked_at)

    # ---------------------------------------------------------------- places

    def line_up(self, message: Message) -> None:
        """See `StandardQueue`: within its tenant."""
        if message.group_id is None:
            super().line_up(message)
            return
        tenant = self.fairness.of(message)
        tenant.line_up(message)
        self.fairness.waiting += 1
        self.fairness.reseat(tenant)

    def take_out(self, message: Message) -> None:
        """See `Store`."""
        fairness = self.fairness
        tenant = fairness.tenants.get(key_of(message))
        if tenant is None:
            super().take_out(message)
            return
        tenant.discard(message, self._places.pop(message.number, message.arrived_at))
        fairness.waiting -= 1
        fairness.reseat(tenant)

    def _append(self, message: Message) -> None:
        group_id = message.group_id
        if group_id is None:
            super()._append(message)
        else:
            self.fairness.append(message, group_id)

    def _place_at(self, message: Message, place: float) -> None:
        tenant = self.fairness.of(message)
        tenant.place(message, place)
        self.fairness.waiting += 1
        self.fairness.reseat(tenant)

    def _set_place(self) -> None:
        self._place = -inf

    # ---------------------------------------------------------------- for probes and audits

    @property
    def tenants(self) -> Mapping[str, TenantState]:
        """See `StandardQueue`; as of the last look. Those that have left nothing but times are among them."""
        fairness = self.fairness
        now = max(self.looked_at, fairness.ends - fairness.length)
        times: dict[int, tuple[array[float], array[float]]] = {
            label: (array("d"), array("d")) for label in (0, *fairness.named.values())
        }
        since = fairness.unlabelled
        for label, sojourn, wait in zip(fairness.labels, self.sojourns[since:], self.waits[since:], strict=True):
            sojourns, waits = times[label]
            sojourns.append(sojourn)
            waits.append(wait)
        noisy = {tenant.key for tenant in fairness.noisy(now)}
        states = {}
        for key, label in fairness.named.items():
            tenant = fairness.tenants.get(key)
            visible, in_flight, recent = 0, 0, 0.0
            if tenant is not None:
                visible, in_flight, recent = tenant.visible, tenant.in_flight, fairness.recent_of(tenant, now)
            states[key] = TenantState(visible, in_flight, key in noisy, recent, *times[label])
        return states

    @property
    def visible(self) -> int:
        """See `StandardQueue`."""
        return len(self._fresh) - self._stale + self.fairness.waiting

    def age_of_oldest(self, now: float) -> float:
        """See `StandardQueue`. Cost: O(in flight + delayed + returned + tenants with a backlog)."""
        return self._age(now, ())

    def quiet(self, now: float) -> Quiet:
        """See `StandardQueue`. Cost: O(in flight + delayed + returned + tenants with a backlog)."""
        noisy = self.fairness.noisy(now)
        keys = {tenant.key for tenant in noisy}
        delayed = sum(1 for message in self._delayed if message.group_id in keys)
        return Quiet(
            len(noisy),
            self.visible - sum(tenant.visible for tenant in noisy),
            self.in_flight - sum(tenant.in_flight for tenant in noisy),
            self.delayed - delayed,
            self._age(now, keys),
        )

    def _age(self, now: float, without: Collection[str | int]) -> float:
        """As `age_of_oldest`, without the messages of some tenants."""
        firsts = list(islice((message for message in self._fresh if message.deadline != GONE), 1))
        returned: list[Message] = []
        for tenant in self.fairness.backlogged():
            if tenant.key not in without:
                if tenant.first is not None:
                    firsts.append(tenant.first)
                returned += [message for _, _, message in tenant.returned or ()]
        for message in self._in_hiding():
            if key_of(message) not in without:
                returned.append(message)
        firsts += [each for each in returned if each.number not in self._places and not self._is_poison(each)]
        return now - min((message.arrived_at for message in firsts), default=now)

    def live(self) -> Iterator[Message]:
        """See `Ledger`."""
        yield from super().live()
        for tenant in self.fairness.backlogged():
            yield from tenant
