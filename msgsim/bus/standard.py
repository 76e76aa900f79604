# Hot path: `enqueue`, `take` and `finish` trust their arguments (benchmarks/spike.py).
"""The standard queue: best-effort order, and as fast as can be while nobody has received a message twice."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from math import inf
from typing import Any

from sortedcontainers import SortedList

from msgsim.bus.chance import Chance, Ghost
from msgsim.bus.contents import check_identifier, check_message
from msgsim.bus.fairness import Fairness
from msgsim.bus.ledger import Counts
from msgsim.bus.message import GONE, VISIBLE, Content, GroupedMessage, Message
from msgsim.bus.queue import LiveQueue, Queue, check_queue
from msgsim.bus.receipts import Delivery
from msgsim.bus.tenants import Quiet, TenantState
from msgsim.distributions import Uniforms
from msgsim.errors import DeclarationError, InvalidParameterValue
from msgsim.quotas import DELAY, RECEIVES_BEFORE_BACK

_MOVED = 2**31
"""Ids of messages that a move task brought begin here, behind those of messages that were sent."""

_BACK = int(RECEIVES_BEFORE_BACK.low)


class StandardQueue(LiveQueue):
    """A live standard queue.

    See `LiveQueue` for its arguments and verbs. Messages are offered oldest first; a message that became visible again
    is offered at its old place, after three receives at the back (SQS-RCV-8). If its declaration says so, chance has a
    part in it (`bus/chance.py`). The first message with a group id makes it fair (`bus/fairness.py`).

    Attributes:
        fairness: what it knows of tenants; None until it is fair.
    """

    __slots__ = (
        "_chance",
        "_fresh",
        "_line",
        "_place",
        "_places",
        "_recount",
        "_returned",
        "_stale",
        "fairness",
    )

    def __init__(
        self,
        queue: Queue,
        name: str = "queue",
        *,
        dead_letter_queue: "StandardQueue | None" = None,
        rng: Uniforms | None = None,
    ) -> None:
        check_queue(type(self), queue)
        if queue.fifo:
            raise DeclarationError("Queue.fifo", "True is for a FifoQueue, not for a StandardQueue")
        self._fresh: deque[Message] = deque()
        self._returned: SortedList[tuple[float, int, Message]] = SortedList()
        self._places: dict[int, float] = {}
        self._stale = 0
        self._place = inf
        self._recount = False
        self._chance: Chance | None = None
        self.fairness: Fairness | None = None
        super().__init__(queue, name, dead_letter_queue=dead_letter_queue, rng=rng)
        self._line = self.flights.line

    # ---------------------------------------------------------------- the hot path: trusted arguments, time not checked

    def enqueue(
        self,
        content: str | Content,
        attributes: Mapping[str, Any] | None,
        now: float,
        origin: int | None,
        origin_at: float,
    ) -> Message:
        """Append a message with the queue's own delay. Cost: O(1)."""
        message = Message()
        message.content = content
        message.attributes = attributes
        self.sent = sent = self.sent + 1
        message.number = self.base | sent  # "|" makes a smaller int than "+" (benchmarks/memory.py)
        message.arrived_at = now
        message.origin = origin
        message.origin_at = origin_at
        message.receive_count = 0
        if self.delaying:
            self._admit(message, now)
        else:
            message.deadline = VISIBLE
            self._visible_time -= now
            self._fresh.append(message)
        if self.retention.heap is not None:
            self.retention.add(message)
        if self.on_change is not None:
            self.on_change()
        return message

    def enqueue_later(
        self,
        content: str | Content,
        attributes: Mapping[str, Any] | None,
        now: float,
        origin: int | None,
        origin_at: float,
        delay: float,
    ) -> Message:
        """The same with a delay of the message's own [s]. Cost: O(log delayed)."""
        message = Message()
        self._store(message, content, attributes, now, origin, origin_at, delay)
        return message

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
        """Append a message of a tenant, with the queue's own delay unless it has one of its own (SQS-FAIR-1).

        Cost: O(log tenants) for the first message of its tenant, else O(1); O(log delayed) with a delay of its own.
        """
        self.be_fair(now)
        return self.enqueue_grouped(content, attributes, now, origin, origin_at, group_id, delay)

    def be_fair(self, now: float) -> None:
        """Be fair to tenants from now on: another class chooses, so that nobody else pays for it.

        Cost: O(1), and once O(returned log returned).
        """
        from msgsim.bus.fair import FairQueue  # noqa: PLC0415 - it is built upon this module

        if self.fairness is None:
            self.fairness = Fairness(self, now)
            self.__class__ = FairQueue
            for place, _, message in self._returned:
                self._place_at(message, place)
            self._returned.clear()
            self._set_place()

    def take(self, now: float, limit: int, timeout: float) -> list[Message]:  # noqa: PLR0912 - written out: hot path
        """Receive up to `limit` messages: oldest first, returned ones at their old place (SQS-RCV-8).

        The list is the queue's own: it must not be changed. At the in-flight limit it is empty (SQS-INF-1).
        Cost: O(1) per message; O(log returned) for messages that were received before.
        """
        if now >= self.due:
            self.settle(now)
        fresh = self._fresh
        count = len(fresh)
        if not count and self._place == inf and self.in_flight < self.max_in_flight:
            return []
        if self.in_flight + limit > self.max_in_flight:
            limit = self._room(now, limit)
        if self._place < inf:
            chance = self._chance
            if chance is not None and chance.ghosts:
                return self._take_ghosts(now, limit)
            batch = self._take_in_order(now, limit) if chance is None else self._take_by_chance(now, limit)
            count = len(batch)
            self.companions += count and count - 1
        else:
            if count > limit:  # noqa: PLR1730 - the call costs more than the branch
                count = limit
            if count == 1:
                batch = [fresh.popleft()]
            else:
                batch = [fresh.popleft() for _ in range(count)]
                self.companions += count and count - 1
        if not count:
            return batch
        deadline = now + timeout
        for message in batch:
            message.deadline = deadline
            if message.receive_count:
                self.count_again(message, now)
            else:
                message.first_received_at = now
            message.receive_count += 1
        self.received += count
        self.in_flight += count
        moment = count * now
        self._visible_time += moment
        self._flight_time -= moment
        line = self._line
        if line and deadline < line[-1][0]:
            self.flights.add(deadline, batch)
        else:
            line.append((deadline, batch))
            if len(line) > self.flights.limit:
                self.flights.compact()
        if deadline < self.due:  # noqa: PLR1730 - the same
            self.due = deadline
        return batch

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
        """Delete the messages of a batch that is handled one by one, each at its own completion.

        Args:
            batch: as returned by `take`.
            durations: service time of each message [s].
            failures: positions of those that are left to their visibility timeout; None if none is.
            deadline: end of the batch's visibility timeout [s], later than its last completion.
            first: position of the first message not done yet.
            clock: when the one before it was completed, or the batch was received [s].
            until: completions later than this are left for another call [s].

        Returns:
            The position of the first message not done now, and the time of the last completion [s].

        Cost: O(1) per message.
        """
        sojourn = self.sojourns.append
        wait = self.waits.append
        end_to_end = self._end_to_end
        moment = 0.0
        done = 0
        position = first
        last = len(batch)
        while position < last:
            at = clock + durations[position]
            if at > until:
                break
            clock = at
            if failures is None or position not in failures:
                message = batch[position]
                if message.deadline == deadline:
                    message.deadline = GONE
                    arrived = message.arrived_at
                    sojourn(at - arrived)
                    wait(message.first_received_at - arrived)
                    if end_to_end is not None:
                        end_to_end.append(at - message.origin_at)
                    elif message.origin_at != arrived:
                        end_to_end = self._begin_end_to_end(at - message.origin_at)
                    moment += at
                    done += 1
            position += 1
        self.deleted += done
        self.in_flight -= done
        self._flight_time += moment
        if self.flights.index is not None:
            self._drop_gone(batch[first:position], deadline)
        if self.limited:
            self._release()
        return position, clock

    # ---------------------------------------------------------------- the verb that differs between the kinds: checked

    def send(
        self,
        body: str,
        now: float,
        *,
        attributes: Mapping[str, Any] | None = None,
        delay: float | None = None,
        group_id: str | None = None,
        deduplication_id: str | None = None,
    ) -> Message:
        """Send one message.

        Args:
            body: 1 character up to `max_message_bytes`, attributes included.
            now: [s].
            attributes: at most 10.
            delay: instead of the queue's own [s].
            group_id: the tenant, for fairness (SQS-FAIR-1); no order on a standard queue.
            deduplication_id: of FIFO queues only.

        Raises:
            MissingParameter, InvalidMessageContents, InvalidParameterValue: as the service (SQS-SND-1 ... SQS-SND-8).
            QueueDoesNotExist: the queue was deleted.
            TimeRanBackwards: `now` is earlier than at the last call.

        Cost: O(1); O(log delayed) with a delay of its own.
        """
        if deduplication_id is not None:
            raise InvalidParameterValue(
                f"Value {deduplication_id} for parameter MessageDeduplicationId is invalid. Reason: The request "
                "includes a parameter that is not valid for this queue type."
            )
        if delay is not None:
            DELAY.under(self.declaration.quotas).demand(delay)
        if group_id is not None:
            check_identifier("MessageGroupId", group_id)
        check_message(body, attributes, self.declaration.max_message_bytes, self.declaration.quotas)
        self.attend(now)
        message = Message()
        if group_id is not None:
            message = GroupedMessage()
            message.group_id = group_id
            self.be_fair(now)
        wanted = self.delay if delay is None else delay
        self._store(message, body, dict(attributes) if attributes else None, now, None, now, wanted)
        return message

    def deliver(self, message: Message, now: float) -> Delivery:
        """See `LiveQueue`; the handle of a duplicate is none of the message's own."""
        if isinstance(message, Ghost):
            return self._deliver_again(message.original, message.receive_count, now)
        return super().deliver(message, now)

    # ---------------------------------------------------------------- for probes and audits

    @property
    def tenants(self) -> "Mapping[str, TenantState]":
        """What is known of each tenant, by group id; empty if the queue is not fair. Cost: O(tenants + deleted)."""
        return {}

    def quiet(self, now: float) -> Quiet:
        """What there is without the noisy tenants (SQS-FAIR-7): all, as nobody is noisy. Cost: as `age_of_oldest`."""
        return Quiet(0, self.visible, self.in_flight, self.delayed, self.age_of_oldest(now))

    @property
    def visible(self) -> int:
        """Messages that can be received, as of the last look."""
        return len(self._fresh) + len(self._returned) - self._stale

    def age_of_oldest(self, now: float) -> float:
        """Age of the oldest message that is not at the back of the queue [s]; 0 if there is none.

        Standard queues leave out messages received three times or more, be it all of them (CW-SQS-1). In a dead-letter
        queue it counts from the move (SQS-RET-3). Cost: O(in flight + delayed + returned).
        """
        oldest = now
        for message in self._fresh:
            if message.deadline != GONE:
                oldest = min(oldest, message.arrived_at)
                break
        returned = (message for _, _, message in self._returned)
        for message in chain(returned, self._in_hiding()):
            if message.number not in self._places and not self._is_poison(message):
                oldest = min(oldest, message.arrived_at)
        return now - oldest

    def live(self) -> Iterator[Message]:
        """See `Ledger`."""
        for message in self._fresh:
            if message.deadline != GONE:
                yield message
        for _, _, message in self._returned:
            yield message
        yield from self._in_hiding()

    def recounted(self) -> Counts:
        """See `Ledger`."""
        seen = sum(1 for message in self.live() if message.deadline == VISIBLE)
        held = 0 if self.held is None else sum(1 for _ in self.held())
        return Counts(seen, sum(1 for _ in self.flights) + held, sum(1 for _ in self._delayed))

    def clear(self) -> None:
        """See `LiveQueue`."""
        super().clear()
        self._stale = 0
        self._fresh.clear()
        self._returned.clear()
        self._places.clear()
        self._recount = False
        if self._chance is not None:
            self._chance.ghosts.clear()
        self._set_place()

    def accept(self, message: Message, now: float, source: str) -> None:
        """See `LiveQueue`."""
        if self.max_receive_count < inf:
            self._recount = True
            self._set_place()
        if message.group_id is not None:
            self.be_fair(now)
        super().accept(message, now, source)

    def _store(
        self,
        message: Message,
        content: str | Content,
        attributes: Mapping[str, Any] | None,
        now: float,
        origin: int | None,
        origin_at: float,
        delay: float,
    ) -> None:
        message.content = content
        message.attributes = attributes
        self.sent = sent = self.sent + 1
        message.number = self.base | sent  # "|" makes a smaller int than "+" (benchmarks/memory.py)
        message.arrived_at = now
        message.origin = origin
        message.origin_at = origin_at
        message.receive_count = 0
        if delay:
            self._hide(message, now + delay, now)
        else:
            message.deadline = VISIBLE
            self._visible_time -= now
            self._append(message)
        self.retention.add(message)
        if self.on_change is not None:
            self.on_change()

    def _append(self, message: Message) -> None:
        """Place a message that has come last."""
        self._fresh.append(message)

    def _is_poison(self, message: Message) -> bool:
        return message.receives_here >= _BACK

    def line_up(self, message: Message) -> None:
        """Place a message by its arrival, and by number among those of one instant, though it may not be the last."""
        fresh = self._fresh
        if fresh and (fresh[-1].arrived_at, fresh[-1].number) > (message.arrived_at, message.number):
            self._place_at(message, message.arrived_at)
        else:
            fresh.append(message)

    def put_back(self, message: Message, at: float) -> None:
        """See `Store`: to the old place, or after three receives to the back (SQS-RCV-8)."""
        place = message.arrived_at
        if message.receives_here >= _BACK:
            place = self._places[message.number] = at
        self._place_at(message, place)

    def take_out(self, message: Message) -> None:
        """See `Store`."""
        entry = (self._places.get(message.number, message.arrived_at), message.number, message)
        if entry in self._returned:
            self._places.pop(message.number, None)
            self._returned.remove(entry)
            self._set_place()
        else:
            message.deadline = GONE
            self._drop_stale()

    def _place_at(self, message: Message, place: float) -> None:
        self._returned.add((place, message.number, message))
        self._set_place()

    def _set_place(self) -> None:
        """Where the first returned message stands: inf when `take` may pop fresh messages unseen."""
        if self._stale or self._recount or self._chance is not None:
            self._place = -inf
        else:
            self._place = self._returned[0][0] if self._returned else inf

    def _take_in_order(self, now: float, limit: int) -> list[Message]:
        """Choose messages when there are returned ones, or some that need a look at their receive count."""
        fresh = self._fresh
        returned = self._returned
        batch: list[Message] = []
        while len(batch) < limit:
            if returned and not (fresh and _before(fresh[0], returned[0])):
                _, number, message = returned.pop(0)
                self._places.pop(number, None)
            elif fresh:
                message = fresh.popleft()
                if message.deadline == GONE:
                    self._stale -= 1
                    continue
            else:
                self._recount = False
                break
            if message.receive_count >= self.max_receive_count:
                self._dead_letter(message, now)
            else:
                batch.append(message)
        self._set_place()
        return batch

    # ---------------------------------------------------------------- chance

    @property
    def receivable(self) -> bool:
        """See `LiveQueue`; duplicates can be received, too."""
        return self.visible > 0 or (self._chance is not None and bool(self._chance.ghosts))

    def glance(self, now: float, limit: int, timeout: float) -> list[Message]:
        """See `LiveQueue`: each message is seen with the probability `Queue.sampled` (SQS-RCV-3)."""
        chance = self._chance
        if chance is None:
            return self.take(now, limit, timeout)
        chance.short = True
        batch = self.take(now, limit, timeout)
        chance.short = False
        return batch

    def _redeclared(self) -> None:
        """See `LiveQueue`."""
        super()._redeclared()
        queue = self.declaration
        if self.moved_in and self.max_receive_count < inf:
            self._recount = True
        before = self._chance
        self._chance = None
        if self.rng is not None and (queue.sampled < 1.0 or queue.disorder or queue.duplicates):
            self._chance = Chance(
                self.rng.random, sampled=queue.sampled, disorder=queue.disorder, duplicates=queue.duplicates
            )
            if before is not None:
                self._chance.ghosts = before.ghosts
        self._set_place()

    def _take_by_chance(self, now: float, limit: int) -> list[Message]:
        """Choose messages as chance has it."""
        chance = self._chance
        assert chance is not None  # noqa: S101 - narrows the type: the caller has looked
        batch, back = chance.choose(lambda: next(iter(self._take_in_order(now, 1)), None), limit)
        for message in back:
            self.put_aside(message, now)
        if chance.ghosts and self.on_change is not None:
            self.on_change()
        return batch

    def _take_ghosts(self, now: float, limit: int) -> list[Message]:
        """Deliver messages once more that were delivered before (SQS-DUP-1)."""
        chance = self._chance
        assert chance is not None  # noqa: S101 - as above
        batch = chance.appear(limit, now - self.retention.period)
        self.companions += max(0, len(batch) - 1)
        self.received += len(batch)
        self.redelivered += len(batch)
        self.duplicate_work += len(batch)
        return batch

    # ---------------------------------------------------------------- move tasks

    def first_in_line(self) -> Message | None:
        """See `LiveQueue`."""
        fresh = self._fresh
        while fresh and fresh[0].deadline == GONE:
            fresh.popleft()
            self._stale -= 1
        returned = self._returned
        if returned and not (fresh and _before(fresh[0], returned[0])):
            first: Message = returned[0][2]
            return first
        return fresh[0] if fresh else None

    def move_in(self, message: Message, now: float) -> Message:
        """See `LiveQueue`."""
        group_id = message.group_id
        moved = Message()
        if group_id is not None:
            moved = GroupedMessage()
            moved.group_id = group_id
            self.be_fair(now)
        self.moved_in += 1
        moved.content = message.content
        moved.attributes = message.attributes
        moved.number = self.base | _MOVED | self.moved_in
        moved.arrived_at = now
        moved.origin = message.origin_id
        moved.origin_at = message.origin_at
        moved.receive_count = 0
        self._admit(moved, now)
        self.retention.add(moved)
        if self.on_change is not None:
            self.on_change()
        return moved

    # ---------------------------------------------------------------- chance

    def put_aside(self, message: Message, now: float) -> None:
        """Put a message back that was taken out of the line, and is not received after all."""
        self.put_back(message, now)

    # ---------------------------------------------------------------- what is gone

    def _drop_stale(self) -> None:
        """One more of the fresh messages is gone; drop those that nobody has to step over any more."""
        fresh = self._fresh
        self._stale += 1
        while fresh and fresh[0].deadline == GONE:
            fresh.popleft()
            self._stale -= 1
        self._set_place()


def _before(fresh: Message, entry: tuple[float, int, Message]) -> bool:
    place = entry[0]
    return fresh.arrived_at < place or (fresh.arrived_at == place and fresh.number < entry[1])
