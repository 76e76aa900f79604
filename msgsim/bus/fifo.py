# Hot path: `enqueue`, `take` and `finish_one` trust their arguments (benchmarks/fifo.py).
"""The FIFO queue: order within message groups, and nothing twice within 5 minutes."""

from collections import OrderedDict, deque
from collections.abc import Collection, Hashable, Iterator, Mapping
from contextlib import contextmanager
from itertools import takewhile
from typing import Any

from msgsim.bus.attempts import Attempt, Attempts
from msgsim.bus.contents import check_identifier, check_message
from msgsim.bus.deduplication import Deduplication, content_id
from msgsim.bus.groups import FifoMessage, Group, Member, RedrivenFifoMessage
from msgsim.bus.ledger import Counts
from msgsim.bus.lookahead import LookAhead
from msgsim.bus.message import GONE, VISIBLE, Content, Message
from msgsim.bus.queue import LiveQueue, Queue, check_queue
from msgsim.bus.receipts import Delivery
from msgsim.bus.throughput import Throughput
from msgsim.distributions import Uniforms
from msgsim.errors import DeclarationError, InvalidParameterValue, MissingParameter
from msgsim.quotas import LOOK_AHEAD, RELAXED

SLACK = 1_024
"""Entries that may be stale before a compaction is worth its time."""


class FifoQueue(LiveQueue):
    """A live FIFO queue.

    See `LiveQueue` for its arguments and verbs. Of each group, exactly the messages before the first one that is in
    flight can be received (FIFO-ORD-6); one that is delayed holds up those behind it, too. A receive takes all it can
    of one group before the next one (FIFO-ORD-1). Groups that can be served stand in a rotation, which they enter at
    the tail when they are unblocked (FIFO-ORD-2); of those unblocked at one instant the one with the oldest message
    comes first.

    Args:
        look_ahead: groups are served if their oldest message is among the first so many visible ones of the queue
            (FIFO-ORD-8); None for the service's number.

    Attributes:
        visible: messages that are neither in flight nor delayed, blocked ones included (SQS-ATT-5).
        deduplication_scope: of the declaration that the queue was made with, whatever its attributes say later
            (FIFO-DUP-5); to have it otherwise, set this.
        throughput: the calls of the last second; None if there may be any number. Another one may be put here.
    """

    __slots__ = (
        "_arrivals",
        "_arrivals_limit",
        "_attempts",
        "_groups",
        "_groups_limit",
        "_memory",
        "_paid",
        "_rotation",
        "_sequence",
        "_unblocked",
        "_view",
        "deduplication_scope",
        "look_ahead",
        "throughput",
        "visible",
    )

    visible: int

    def __init__(
        self,
        queue: Queue,
        name: str = "queue",
        *,
        dead_letter_queue: "FifoQueue | None" = None,
        rng: Uniforms | None = None,
        look_ahead: int | None = None,
    ) -> None:
        check_queue(type(self), queue)
        if not queue.fifo:
            raise DeclarationError("Queue.fifo", "False is for a StandardQueue, not for a FifoQueue")
        if look_ahead is not None:
            LOOK_AHEAD.check("FifoQueue.look_ahead", look_ahead)
        self.visible = 0
        self.throughput: Throughput | None = None
        self.look_ahead = look_ahead or int(LOOK_AHEAD.under(queue.quotas).default or 0)
        self.deduplication_scope = queue.deduplication_scope
        self._groups: dict[str, Group] = {}
        self._groups_limit = SLACK
        self._arrivals: deque[Member] = deque()
        self._arrivals_limit = SLACK
        self._rotation: OrderedDict[Group, None] = OrderedDict()
        self._unblocked: dict[Group, tuple[float, int]] = {}
        self._view: LookAhead | None = None
        self._memory = Deduplication()
        self._attempts = Attempts()
        self._sequence = 0
        self._paid = False
        super().__init__(queue, name, dead_letter_queue=dead_letter_queue, rng=rng)

    # ---------------------------------------------------------------- the hot path: trusted arguments, time not checked

    def enqueue(
        self,
        content: str | Content,
        attributes: Mapping[str, Any] | None,
        now: float,
        origin: int | None,
        origin_at: float,
        group_id: str,
        deduplication_id: str | None = None,
    ) -> FifoMessage | None:
        """Append a message with the queue's own delay.

        Args:
            content: the body, or what renders it.
            attributes: shared and never changed.
            now: [s].
            origin: the traffic event that caused it; None if that is the message itself.
            origin_at: when that event happened [s].
            group_id: the message group.
            deduplication_id: None for a message that is known to be unique, which costs no memory.

        Returns:
            The message; None if it was dropped as a duplicate (FIFO-DUP-2).

        Cost: O(1); amortised O(log n) beyond the look-ahead.
        """
        if now >= self.due:
            self.settle(now)
        if deduplication_id is not None and self._is_duplicate(group_id, deduplication_id, now):
            return None
        message = FifoMessage()
        message.content = content
        message.attributes = attributes
        self.sent += 1
        message.arrived_at = now
        message.origin = origin
        message.origin_at = origin_at
        message.given_id = deduplication_id
        if deduplication_id is not None:
            self._memory.remember(self._key(group_id, deduplication_id), message, now)
        if self.delay or self.retention.heap is not None:
            self._begin(message, group_id, now)
            return message
        message.receive_count = 0
        message.deadline = VISIBLE
        self._sequence = sequence = self._sequence + 1  # from here on what `_begin` does, inlined
        message.sequence = sequence
        message.number = self.base | sequence
        group = self._groups.get(group_id)
        if group is None:
            group = self._new_group(group_id)
        message.group = group
        message.following = None
        message.previous = tail = group.tail
        group.tail = message
        arrivals = self._arrivals
        arrivals.append(message)
        if len(arrivals) > self._arrivals_limit:
            self._compact()
        self._visible_time -= now
        if tail is None:
            group.head = message
        else:
            tail.following = message
        self.visible = visible = self.visible + 1
        view = self._view
        if view is not None:
            view.append(message)
        elif visible > self.look_ahead:
            view = self._begin_view()
        if tail is None and (view is None or sequence <= view.last):
            self._rotation[group] = None
        if self.on_change is not None and group in self._rotation:
            self.on_change()
        return message

    def take(self, now: float, limit: int, timeout: float) -> list[Message]:
        """Receive up to `limit` messages: all that can be had of one group before the next (FIFO-ORD-1).

        The list is the queue's own: it must not be changed. At the in-flight limit it is empty (FIFO-VIS-3).
        Cost: O(1) per message; amortised O(log n) beyond the look-ahead.
        """
        if now >= self.due:
            self.settle(now)
        if self._unblocked:
            self._enter()
        rotation = self._rotation
        if not rotation and self.in_flight < self.max_in_flight:
            return []
        if self.in_flight + limit > self.max_in_flight:
            limit = self._room(now, limit)
        batch: list[Any] = []
        deadline = now + timeout
        most = self.max_receive_count
        room = limit
        while room > 0 and rotation:
            group, _ = rotation.popitem(last=False)
            message = group.head
            first = len(batch)
            while message is not None and message.deadline == VISIBLE:
                following = message.following
                if message.receive_count >= most:
                    self._give_up(message, now)
                else:
                    message.deadline = deadline
                    if message.receive_count:
                        self.count_again(message, now)
                    else:
                        message.first_received_at = now
                    message.receive_count += 1
                    batch.append(message)
                    room -= 1
                    if not room:
                        break
                message = following
            if self._view is not None or self._unblocked:
                self._end_turn(group, batch[first:], now)
        count = len(batch)
        if not count:
            return batch
        self.visible -= count
        self.received += count
        if count > 1:
            self.companions += count - 1
        self.in_flight += count
        moment = count * now
        self._visible_time += moment
        self._flight_time -= moment
        self.flights.add(deadline, batch)
        if deadline < self.due:  # noqa: PLR1730 - the call costs more than the branch
            self.due = deadline
        return batch

    def finish_one(self, message: Message, at: float) -> None:
        """Delete a message that is in flight and whose timeout has not passed; may unblock its group (FIFO-ORD-4).

        Cost: O(1).
        """
        if at >= self.due:
            self.settle(at)
        if self.flights.index is not None:
            self.flights.discard(message)
        message.deadline = GONE
        self.in_flight -= 1
        self._flight_time += at
        self.deleted += 1
        arrived = message.arrived_at
        self.sojourns.append(at - arrived)
        self.waits.append(message.first_received_at - arrived)
        if self._end_to_end is not None or message.origin_at != arrived:
            self.end_to_end_of(message, at)
        if self.limited:
            self._release()
        arrivals = self._arrivals
        while arrivals and arrivals[0].deadline == GONE:
            arrivals.popleft()
        member: Member = message  # type: ignore[assignment]  # a queue's own
        view = self._view
        if view is not None:
            view.absent.discard(member.sequence)
        group = member.group
        following = member.following
        if group.head is member:  # what `_drop` does, inlined
            group.head = following
            if following is None:
                group.tail = None
                return
            following.previous = member.following = None
            if following.deadline != VISIBLE or (view is not None and following.sequence > view.last):
                return
            self._rotation[group] = None
        else:
            group.remove(member)
        if self.on_change is not None and group in self._rotation:
            self.on_change()

    def settle(self, now: float) -> None:
        """See `Store`."""
        if now < self.due:
            return
        super().settle(now)
        if self._unblocked:
            self._enter()

    def remove(self, message: Message, receive_count: int, at: float) -> bool:
        """Delete a message by the receive that holds it; False if that is over (FIFO-VIS-1). Cost: O(1)."""
        self.settle(at)
        if message.deadline == GONE or not _holds(message, receive_count):
            return False
        self.finish_one(message, at)
        return True

    def extend(self, message: Message, received_at: float, timeout: float, now: float) -> None:
        """Restart the visibility timeout of a message from `now` (SQS-VIS-2).

        Raises:
            InvalidParameterValue: the timeout has passed (FIFO-VIS-2), or as `Store.extend`.

        Cost: O(log changed); amortised O(log n) beyond the look-ahead.
        """
        self.settle(now)
        if message.deadline == VISIBLE:
            raise _expired("")
        super().extend(message, received_at, timeout, now)
        self._attempts.spoil(message)
        if self._unblocked:
            self._enter()

    # ---------------------------------------------------------------- the verbs that differ between the kinds: checked

    def send(
        self,
        body: str,
        now: float,
        *,
        attributes: Mapping[str, Any] | None = None,
        delay: float | None = None,
        group_id: str | None = None,
        deduplication_id: str | None = None,
    ) -> Member:
        """Send one message.

        Args:
            body: 1 character up to `max_message_bytes`, attributes included.
            now: [s].
            attributes: at most 10.
            delay: None or 0, both of which mean the queue's own (FIFO-SND-4).
            group_id: within which it keeps its order.
            deduplication_id: may be left out if the queue takes it from the body.

        Returns:
            The message; if this is a duplicate, the one that was sent first, be it gone (FIFO-DUP-2).

        Raises:
            MissingParameter, InvalidMessageContents, InvalidParameterValue: as the service (SQS-SND-1 ... SQS-SND-8,
                FIFO-SND-1 ... FIFO-SND-4).
            RequestThrottled: too many calls (FIFO-TPS-4).
            QueueDoesNotExist: it was deleted.
            TimeRanBackwards: `now` is earlier than at the last call.

        Cost: O(size of the body); amortised O(log n) beyond the look-ahead.
        """
        if group_id is None:
            raise MissingParameter("The request must contain the parameter MessageGroupId.")
        if delay:
            raise InvalidParameterValue(
                f"Value {delay} for parameter DelaySeconds is invalid. Reason: The request include parameter that is "
                "not valid for this queue type."
            )
        check_identifier("MessageGroupId", group_id)
        if deduplication_id is not None:
            check_identifier("MessageDeduplicationId", deduplication_id)
        check_message(body, attributes, self.declaration.max_message_bytes, self.declaration.quotas)
        self.attend(now)
        if deduplication_id is None:
            if not self.declaration.content_based_deduplication:
                raise InvalidParameterValue(
                    "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided "
                    "explicitly"
                )
            deduplication_id = content_id(body)
        self._charge("SendMessage", now, (group_id,))
        original = self._memory.find(self._key(group_id, deduplication_id), now)
        if original is not None:
            self.deduplicated += 1
            return original
        own = dict(attributes) if attributes else None
        message = self.enqueue(body, own, now, None, now, group_id, deduplication_id)
        assert message is not None  # noqa: S101 - narrows the type: only a known id makes a duplicate
        return message

    def receive(
        self,
        now: float,
        max_messages: int = 1,
        visibility_timeout: float | None = None,
        *,
        wait_time: float | None = None,
        attempt_id: str | None = None,
    ) -> list[Delivery]:
        """Look once; never blocks. At the in-flight limit there is nothing, and no error (FIFO-VIS-3).

        Args:
            now: [s].
            max_messages: 1 to 10 (SQS-RCV-1).
            visibility_timeout: instead of the queue's own [s], for these messages only (SQS-RCV-7).
            wait_time: more than 0 says "the first look of a long poll" [s]; None takes the queue's own (SQS-RCV-2).
            attempt_id: repeated within 5 minutes, it gets the same deliveries, hidden anew (FIFO-VIS-4).

        Raises:
            InvalidParameterValue: a parameter is out of its range.
            RequestThrottled: too many calls (FIFO-TPS-4).
            QueueDoesNotExist: it was deleted.
            TimeRanBackwards: `now` is earlier than at the last call.

        Cost: O(1) per message; amortised O(log n) beyond the look-ahead.
        """
        if attempt_id is not None:
            check_identifier("ReceiveRequestAttemptId", attempt_id)
        wait, timeout = self._begin_receive(now, max_messages, visibility_timeout, wait_time)
        self._charge("ReceiveMessage", now)
        if attempt_id is not None:
            attempt = self._attempts.find(attempt_id, now)
            if attempt is not None and self._repeat(attempt, timeout, now):
                return list(attempt.deliveries)
        batch = self.take(now, max_messages, timeout)
        if not batch and not wait:
            self.empty_receives += 1
        if batch and self.on_change is not None:
            self.on_change()
        deliveries = [self.deliver(message, now) for message in batch]
        if attempt_id is not None:
            self._attempts.remember(attempt_id, deliveries, now)
        return list(deliveries)

    def delete(self, receipt_handle: str, now: float) -> None:
        """Delete a message; again is no error (SQS-VIS-9).

        Raises:
            InvalidParameterValue: the handle's visibility timeout has passed (FIFO-VIS-1).
            RequestThrottled: too many calls (FIFO-TPS-4).
            QueueDoesNotExist: it was deleted.
            ReceiptHandleIsInvalid: not a handle of this queue.
            TimeRanBackwards: `now` is earlier than at the last call.

        Cost: O(1).
        """
        receipt = self._read(receipt_handle)
        self.attend(now)
        message: Any = self._handles.get(receipt.number)
        self._charge("DeleteMessage", now, () if message is None else (message.group_id,))
        if message is None or message.deadline == GONE:
            return
        if not self.remove(message, receipt.receive_count, now):
            raise _expired(receipt_handle)

    def change_visibility(self, receipt_handle: str, timeout: float, now: float) -> None:
        """Restart the visibility timeout of a received message; 0 gives it back (SQS-VIS-2, SQS-VIS-4).

        Args:
            receipt_handle: of the receive that holds the message.
            timeout: from `now` [s]; with the time since that receive at most 12 h (SQS-VIS-3).
            now: [s].

        Raises:
            InvalidParameterValue: the message is gone, the handle's timeout has passed (FIFO-VIS-2; the code is
                unpublished), or the new one is out of range.
            QueueDoesNotExist: the queue was deleted.
            ReceiptHandleIsInvalid: not a handle of this queue.
            TimeRanBackwards: `now` is earlier than at the last call.

        Cost: O(log changed); amortised O(log n) beyond the look-ahead.
        """
        receipt = self._read(receipt_handle)
        self.attend(now)
        message = self._handles.get(receipt.number)
        if message is not None and message.deadline != GONE and not _holds(message, receipt.receive_count):
            raise _expired(receipt_handle)
        super().change_visibility(receipt_handle, timeout, now)

    @contextmanager
    def as_one_call(self, action: str, now: float, groups: Collection[str] = ()) -> Iterator[None]:
        """Have all calls inside count as one, as a batch does (SQS-BAT-6, FIFO-TPS-1).

        Args:
            action: "SendMessage" or "DeleteMessage".
            now: [s].
            groups: the message groups that it is about.

        Raises:
            RequestThrottled: too many calls; nothing inside is done (FIFO-TPS-4).
        """
        self._charge(action, now, groups)
        self._paid = True
        try:
            yield
        finally:
            self._paid = False

    # ---------------------------------------------------------------- for pollers, probes and audits

    @property
    def receivable(self) -> bool:
        """Whether there is a message that can be received, as of the last look; not so if all groups are blocked."""
        return bool(self._rotation or self._unblocked)

    def age_of_oldest(self, now: float) -> float:
        """Age of the oldest message [s]; 0 if there is none. No message is left out (CW-SQS-1).

        In a dead-letter queue it counts from the move (SQS-RET-3). Cost: amortised O(1).
        """
        arrivals = self._arrivals
        while arrivals and arrivals[0].deadline == GONE:
            arrivals.popleft()
        return now - arrivals[0].arrived_at if arrivals else 0.0

    def groups_in_flight(self) -> int:
        """Message groups that have messages in flight (CW-SQS-1). Cost: O(in flight)."""
        flying: Any = self.flights
        return len({message.group_id for message in flying})

    def group_of(self, receipt_handle: str) -> str | None:
        """The message group that a receipt handle is about; None if its message is forgotten.

        Raises:
            ReceiptHandleIsInvalid: not a handle of this queue.
        """
        message: Any = self._handles.get(self._read(receipt_handle).number)
        return None if message is None else message.group_id

    def live(self) -> Iterator[Message]:
        """See `Ledger`; in the order in which they came."""
        for message in self._arrivals:
            if message.deadline != GONE:
                yield message

    def recounted(self) -> Counts:
        """See `Ledger`."""
        seen = sum(1 for message in self.live() if message.deadline == VISIBLE)
        return Counts(seen, sum(1 for _ in self.flights), sum(1 for _ in self._delayed))

    # ---------------------------------------------------------------- what `LiveQueue` and `Store` ask for

    def clear(self) -> None:
        """See `LiveQueue`; ids are forgotten, too (SQS-PRG-3)."""
        super().clear()
        for message in self._arrivals:
            message.previous = message.following = None
        self._arrivals.clear()
        self._groups.clear()
        self._rotation.clear()
        self._unblocked.clear()
        self._memory.clear()
        self._attempts.clear()
        self._view = None
        self.visible = 0

    def line_up(self, message: Message) -> None:
        """See `Store`: it stands where it stood, and is visible."""
        member: Member = message  # type: ignore[assignment]  # a queue's own
        self.visible += 1
        if self._view is not None:
            self._close(self._view.show(member))
        elif self.visible > self.look_ahead:
            self._begin_view()

    def put_back(self, message: Message, at: float) -> None:
        """See `Store`."""
        self.line_up(message)
        self._unblock(message, at)

    def take_out(self, message: Message) -> None:  # noqa: ARG002 - `_expire` knows it, too
        """See `Store`; `_expire` does the rest."""
        self.visible -= 1

    def accept(self, message: Message, now: float, source: str) -> None:
        """See `LiveQueue`; retention restarts (SQS-RET-2), and its id is its message id (SQS-DLQ-5)."""
        if self.on_arrival is not None:
            self.on_arrival(now)
        if now >= self.due:
            self.settle(now)
        moved = RedrivenFifoMessage(message, source, now)
        name = moved.group_id or ""
        self.moved_in += 1
        self._visible_time -= now
        self._line_up_new(moved, self._join(moved, name))
        self._memory.remember(self._key(name, moved.message_id), moved, now)
        self.retention.add(moved)
        self.due = min(self.due, self.retention.due)
        if self.on_change is not None:
            self.on_change()

    def first_in_line(self) -> Message | None:
        """See `LiveQueue`."""
        return next(iter(self._rotation)).head if self._rotation else None

    def move_out(self, message: Message, now: float) -> None:
        """See `LiveQueue`. Cost: O(1); amortised O(log n) beyond the look-ahead."""
        super().move_out(message, now)
        self._drop(message, now, seen=True)
        if self._unblocked:
            self._enter()

    def move_in(self, message: Message, now: float) -> Message:
        """See `LiveQueue`; its deduplication id is its new message id."""
        moved = FifoMessage()
        moved.content = message.content
        moved.attributes = message.attributes
        moved.arrived_at = now
        moved.origin = message.origin_id
        moved.origin_at = message.origin_at
        moved.given_id = None
        self.moved_in += 1
        self._begin(moved, str(message.group_id), now)
        return moved

    def _delay_changed(self, now: float) -> None:
        """Another delay is for the messages that are waiting, too (SQS-DLY-2). Cost: O(delayed)."""
        delayed = list(self._delayed)
        self._delayed.clear()
        for message in sorted(delayed, key=lambda message: (message.arrived_at, message.number)):
            until = message.arrived_at + self.delay
            if until <= now:
                self._show(message, now)
            else:
                message.deadline = until
                self._delayed.add(until, [message])

    def _show(self, message: Message, at: float) -> None:
        super()._show(message, at)
        self._unblock(message, at)

    def _expire(self, message: Message, at: float) -> None:
        seen = message.deadline == VISIBLE
        super()._expire(message, at)
        self._drop(message, max(at, message.arrived_at), seen=seen)

    def _redeclared(self) -> None:
        super()._redeclared()
        queue = self.declaration
        high = queue.fifo_throughput_limit == "perMessageGroupId"
        if not queue.throttled or queue.quotas == RELAXED:
            self.throughput = None
        elif self.throughput is None or self.throughput.high != high:
            self.throughput = Throughput(high=high)

    # ---------------------------------------------------------------- inside: groups and their rotation

    def _begin(self, message: FifoMessage, group_id: str, now: float) -> None:
        """Let a new message wait, with the queue's own delay."""
        message.receive_count = 0
        message.deadline = VISIBLE
        group = self._join(message, group_id)
        message.number = self.base | message.sequence
        if self.delay:
            self._hide(message, now + self.delay, now)
            if self._view is not None:
                self._view.absent.add(message.sequence)
        else:
            self._visible_time -= now
            self._line_up_new(message, group)
        if self.retention.heap is not None:
            self.retention.add(message)
        if self.on_change is not None and (self.delay or group in self._rotation):
            self.on_change()

    def _join(self, message: Member, group_id: str) -> Group:
        """Give a message its place behind all others."""
        self._sequence = message.sequence = self._sequence + 1
        group = self._groups.get(group_id)
        if group is None:
            group = self._new_group(group_id)
        group.append(message)
        self._arrivals.append(message)
        if len(self._arrivals) > self._arrivals_limit:
            self._compact()
        return group

    def _new_group(self, name: str) -> Group:
        """Make a group, and forget the empty ones when they are the greater part. Cost: amortised O(1)."""
        groups = self._groups
        if len(groups) >= self._groups_limit:
            self._groups = groups = {name: group for name, group in groups.items() if group.head is not None}
            self._groups_limit = 2 * len(groups) + SLACK
        group = groups[name] = Group(name)
        return group

    def _compact(self) -> None:
        """Drop what is gone from the line of arrivals. Cost: amortised O(1) per message."""
        live = [message for message in self._arrivals if message.deadline != GONE]
        self._arrivals.clear()
        self._arrivals.extend(live)
        self._arrivals_limit = 2 * len(live) + SLACK

    def _line_up_new(self, message: Member, group: Group) -> None:
        """A visible message has come; a group of which it is all enters the rotation at once."""
        self.visible += 1
        if self._view is not None:
            self._view.append(message)
        elif self.visible > self.look_ahead:
            self._begin_view()
        if group.head is message and (self._view is None or message.sequence <= self._view.last):
            self._rotation[group] = None

    def _unblock(self, message: Message, at: float) -> None:
        """A message may be received from now on: if it is the head of its group, that can be served."""
        head: Member = message  # type: ignore[assignment]  # a queue's own
        if head.group.head is not head or head.group in self._rotation:
            return
        if self._view is None or head.sequence <= self._view.last:
            self._unblocked.setdefault(head.group, (at, head.sequence))

    def _enter(self) -> None:
        """Let the groups that have been unblocked enter the rotation. Cost: amortised O(log n) per group."""
        unblocked = self._unblocked
        for group in unblocked if len(unblocked) == 1 else sorted(unblocked, key=unblocked.__getitem__):
            self._rotation[group] = None
        unblocked.clear()

    def _close(self, message: Member | None) -> None:
        """A message may not be received any more: if it is the head of its group, that cannot be served."""
        if message is not None and message.group.head is message:
            self._rotation.pop(message.group, None)
            self._unblocked.pop(message.group, None)

    def _drop(self, message: Message, at: float, *, seen: bool) -> None:
        """Take a message out of its group that is gone; `seen` says that it was visible."""
        member: Member = message  # type: ignore[assignment]  # a queue's own
        group = member.group
        was_head = group.remove(member)
        if seen:
            self._leave_view([member], at)
        elif self._view is not None:
            self._view.absent.discard(member.sequence)
        if not was_head:
            return
        head = group.head
        if head is not None and head.deadline == VISIBLE and (self._view is None or head.sequence <= self._view.last):
            self._unblock(head, at)
        else:
            self._rotation.pop(group, None)
            self._unblocked.pop(group, None)

    def _end_turn(self, group: Group, taken: list[Member], now: float) -> None:
        """A group has been served, and others have come within reach for what was taken."""
        self._leave_view(taken, now)
        self._unblocked.pop(group, None)
        self._enter()

    def _give_up(self, message: Member, now: float) -> None:
        """Move a message of the group that is being served to the dead-letter queue (FIFO-ORD-9)."""
        self._dead_letter(message, now)
        self.visible -= 1
        message.group.remove(message)
        self._leave_view([message], now)

    # ---------------------------------------------------------------- inside: the look-ahead

    def _begin_view(self) -> LookAhead:
        """One message more is visible than is looked at. Cost: O(n), amortised over those in reach."""
        view = self._view = LookAhead(self.look_ahead, self._arrivals)
        for message in takewhile(lambda message: message.sequence > view.last, reversed(self._arrivals)):
            if message.deadline == VISIBLE:
                self._close(message)
        return view

    def _leave_view(self, messages: list[Member], at: float) -> None:
        """Messages are not visible any more, and others may come within reach for them."""
        view = self._view
        if view is not None:
            for near in view.leave(messages):
                self._unblock(near, at)
            if 2 * self.visible <= self.look_ahead:
                self._view = None

    # ---------------------------------------------------------------- inside: ids and calls

    def _key(self, group_id: str, deduplication_id: str) -> Hashable:
        """What the queue remembers an id by (FIFO-DUP-4)."""
        return deduplication_id if self.deduplication_scope == "queue" else (group_id, deduplication_id)

    def _is_duplicate(self, group_id: str, deduplication_id: str, now: float) -> bool:
        if self._memory.find(self._key(group_id, deduplication_id), now) is None:
            return False
        self.deduplicated += 1
        return True

    def _repeat(self, attempt: Attempt, timeout: float, now: float) -> bool:
        """Hide the messages of a receive anew; False if there is no room in flight for those that were visible."""
        messages: list[Any] = [delivery.message for delivery in attempt.deliveries]
        back = [message for message in messages if message.deadline == VISIBLE]
        if self.in_flight + len(back) > self.max_in_flight:
            return False
        deadline = now + timeout
        for message in messages:
            if message.deadline != VISIBLE:
                self.flights.discard(message)
            message.deadline = deadline
        for message in back:
            self.visible -= 1
            self.in_flight += 1
            self._visible_time += now
            self._flight_time -= now
            self._close(message)
        self._leave_view(back, now)
        self.flights.add(deadline, messages)
        self.due = min(self.due, deadline)
        if self._unblocked:
            self._enter()
        if self.on_change is not None:
            self.on_change()
        return True

    def _charge(self, action: str, now: float, groups: Collection[str] = ()) -> None:
        if self.throughput is not None and not self._paid:
            self.throughput.charge(action, now, groups)


def _holds(message: Message, receive_count: int) -> bool:
    """Whether a receive of a message that is there still holds it."""
    return message.deadline != VISIBLE and message.receive_count == receive_count


def _expired(handle: str) -> InvalidParameterValue:
    value = f"Value {handle}" if handle else "Value"
    return InvalidParameterValue(
        f"{value} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
    )
