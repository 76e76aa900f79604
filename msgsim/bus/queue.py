# Hot path: `enqueue`, `take` and `finish` (benchmarks/spike.py) trust their arguments; the verbs below check them.
"""Queues: declared (`Queue`, `Redrive`) and live (`StandardQueue`).

A live queue is a state machine over `now`. Nothing in it waits: whoever drives it asks `next_deadline()` and calls
again. Expiry is lazy: a passed deadline takes effect when the queue is next looked at, at the time it was due.
"""

from array import array
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import fsum, inf
from typing import Any, NamedTuple

import attrs
from sortedcontainers import SortedList

from msgsim.bus.contents import check_message
from msgsim.bus.deadlines import Deadlines
from msgsim.bus.message import GONE, VISIBLE, Content, GroupedMessage, Message, RedrivenMessage, id_base
from msgsim.bus.receipts import Delivery, Receipt, read_handle, write_handle
from msgsim.bus.retention import Retention
from msgsim.declare import choice, flag, instance, text
from msgsim.errors import (
    AuditError,
    DeclarationError,
    InvalidParameterValue,
    OverLimit,
    PurgeQueueInProgress,
    ReceiptHandleIsInvalid,
    TimeRanBackwards,
)
from msgsim.quotas import (
    DELAY,
    MAX_IN_FLIGHT,
    MAX_MESSAGE_BYTES,
    MAX_MESSAGES,
    MAX_RECEIVE_COUNT,
    PURGE_INTERVAL,
    RECEIVES_BEFORE_BACK,
    RETENTION,
    VISIBILITY_TIMEOUT,
    WAIT_TIME,
)

_BACK = int(RECEIVES_BEFORE_BACK.low)


@attrs.frozen(kw_only=True)
class Redrive:
    """Where a message goes that was received too often (SQS-DLQ-1, SQS-DLQ-3).

    Attributes:
        to: name of the dead-letter queue.
        max_receive_count: receives that a message gets; the next attempt moves it.
    """

    to: str = text(empty=False)
    max_receive_count: int = MAX_RECEIVE_COUNT.field(integer=True)


@attrs.frozen(kw_only=True)
class Queue:
    """A queue, declared.

    Attributes:
        visibility_timeout: how long a received message stays hidden [s] (SQS-VIS-1).
        delay: how long a sent message stays hidden [s], unless the send says otherwise (SQS-DLY-1).
        retention: age beyond which a message is removed [s] (SQS-RET-1).
        wait_time: of a receive that names none [s]; more than 0 is long polling (SQS-RCV-2).
        max_message_bytes: body and attributes together (SQS-SND-3).
        redrive: the dead-letter policy; None to deliver forever.
        fifo: order within message groups. Not modelled yet: True is refused.
        content_based_deduplication: of FIFO queues only.
        max_in_flight: messages received and not yet deleted or returned (SQS-INF-1).
        poll_winner: which of several waiting polls gets a message; unconfirmed for the real service (SQS-RCV-6).
    """

    visibility_timeout: float = VISIBILITY_TIMEOUT.field()
    delay: float = DELAY.field()
    retention: float = RETENTION.field()
    wait_time: float = WAIT_TIME.field()
    max_message_bytes: int = MAX_MESSAGE_BYTES.field(integer=True)
    redrive: Redrive | None = instance(Redrive, "a Redrive", default=None, optional=True)
    fifo: bool = flag()
    content_based_deduplication: bool = flag()
    max_in_flight: int = MAX_IN_FLIGHT.field(integer=True)
    poll_winner: str = choice("longest", ("longest", "random"), "SQS-RCV-6")

    def __attrs_post_init__(self) -> None:
        if self.fifo:
            raise DeclarationError("Queue.fifo", "FIFO queues are not modelled yet; leave it out for a standard queue")
        if self.content_based_deduplication:
            raise DeclarationError("Queue.content_based_deduplication", "is for FIFO queues only (SQS-Q-7)")


class Counts(NamedTuple):
    """The messages of a queue by state; disjoint (SQS-ATT-4)."""

    visible: int
    in_flight: int
    delayed: int


class StandardQueue:
    """A live standard queue.

    Args:
        queue: its declaration.
        name: part of its ids and handles.
        dead_letter_queue: where `queue.redrive` moves messages; if it is left out, a queue of that name with default
            settings, reachable as the attribute of that name.

    Attributes:
        looked_at: the latest `now` of a checked call [s].
        on_change: called when something becomes receivable or the next deadline gets earlier.
        catch_up: called with `now` before anything but the hot path looks at the queue: the engine settles there what
            it knows but has not done yet.
        on_arrival: called with `now` before a dead letter comes in from another queue.
        held: the messages in flight that are not in `flights`, because whoever holds them will be done in time.
    """

    __slots__ = (
        "_delayed",
        "_delayed_time",
        "_end_to_end",
        "_flight_time",
        "_fresh",
        "_handles",
        "_handles_limit",
        "_last_purge",
        "_left_time",
        "_line",
        "_place",
        "_places",
        "_recount",
        "_returned",
        "_stale",
        "_visible_time",
        "base",
        "catch_up",
        "dead_letter_queue",
        "dead_lettered",
        "declaration",
        "deduplicated",
        "delay",
        "delayed",
        "deleted",
        "due",
        "duplicate_work",
        "empty_receives",
        "expired",
        "flights",
        "held",
        "in_flight",
        "limited",
        "looked_at",
        "max_in_flight",
        "max_receive_count",
        "moved_in",
        "moved_out",
        "name",
        "on_arrival",
        "on_change",
        "purged",
        "received",
        "redelivered",
        "retention",
        "sent",
        "sojourns",
        "visibility_timeout",
        "waits",
    )

    def __init__(self, queue: Queue, name: str = "queue", *, dead_letter_queue: "StandardQueue | None" = None) -> None:
        self.declaration = queue
        self.name = name
        self.base = id_base(name)
        self.visibility_timeout = queue.visibility_timeout
        self.delay = queue.delay
        self.max_in_flight = queue.max_in_flight
        self.max_receive_count: float = inf
        self.dead_letter_queue = dead_letter_queue
        if queue.redrive:
            self.max_receive_count = queue.redrive.max_receive_count
            self.dead_letter_queue = dead_letter_queue or StandardQueue(Queue(), queue.redrive.to)

        self.on_change: Callable[[], None] | None = None
        self.catch_up: Callable[[float], None] | None = None
        self.on_arrival: Callable[[float], None] | None = None
        self.held: Callable[[], Iterator[Message]] | None = None

        self.sent = self.received = self.deleted = self.dead_lettered = self.expired = self.purged = 0
        self.moved_in = self.moved_out = self.deduplicated = 0
        self.empty_receives = self.redelivered = self.duplicate_work = 0
        self.in_flight = self.delayed = 0

        self.looked_at = -inf
        self._last_purge = -inf
        self._fresh: deque[Message] = deque()
        self._returned: SortedList[tuple[float, int, Message]] = SortedList()
        self._places: dict[int, float] = {}
        self._stale = 0
        self._place = inf
        self._recount = False
        self.flights = Deadlines()
        self._line = self.flights.line
        self._delayed = Deadlines()
        self.retention = Retention(queue.retention)
        self.due = -inf
        self.limited = False
        self._handles: dict[int, Message] = {}
        self._handles_limit = 1_024

        self._visible_time = self._flight_time = self._delayed_time = self._left_time = 0.0
        self.sojourns = array("d")
        self.waits = array("d")
        self._end_to_end: array[float] | None = None

    def __repr__(self) -> str:
        return f"<StandardQueue {self.name!r} visible={self.visible} in_flight={self.in_flight} delayed={self.delayed}>"

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
        if self.delay:
            self._hide(message, now + self.delay, now)
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

    def take(self, now: float, limit: int, timeout: float) -> list[Message]:
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
            batch = self._take_in_order(now, limit)
            count = len(batch)
        else:
            if count > limit:  # noqa: PLR1730 - the call costs more than the branch
                count = limit
            batch = [fresh.popleft()] if count == 1 else [fresh.popleft() for _ in range(count)]
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

    # ---------------------------------------------------------------- what the engine does by record

    def finish_one(self, message: Message, at: float) -> None:
        """Delete a message that is in flight and whose timeout has not passed. Cost: O(1)."""
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
        if self.limited:
            self._release()

    def remove(self, message: Message, receive_count: int, at: float) -> bool:
        """Delete a message by the receive that holds it; False if that had no effect.

        An expired receive still deletes as long as nobody else received the message; an older one succeeds without
        effect (SQS-VIS-6, SQS-VIS-9). Cost: O(1) in flight, O(log returned) if the message is visible again.
        """
        self.settle(at)
        if message.deadline == GONE or message.receive_count != receive_count:
            return False
        if message.deadline == VISIBLE:
            self._take_back(message)
            self._visible_time += at
        else:
            self.flights.discard(message)
            self.in_flight -= 1
            self._flight_time += at
        message.deadline = GONE
        self._count_deleted(message, at)
        return True

    def extend(self, message: Message, received_at: float, timeout: float, now: float) -> None:
        """Restart the visibility timeout of a message from `now` (SQS-VIS-2).

        Raises:
            InvalidParameterValue: the message is gone (SQS-VIS-8), or beyond 12 h from its receive (SQS-VIS-3).

        Cost: O(log changed + log returned).
        """
        self.settle(now)
        if message.deadline == GONE:
            raise InvalidParameterValue(
                "Value for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for "
                "visibility timeout change."
            )
        cap = VISIBILITY_TIMEOUT.high
        if timeout > cap - (now - received_at):
            raise InvalidParameterValue(
                f"Value {timeout} for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the "
                f"message is beyond the limit [{cap:g} seconds]"
            )
        if message.deadline == VISIBLE:
            if not timeout:
                return
            self._take_back(message)
            self._visible_time += now
            self.in_flight += 1
            self._flight_time -= now
        else:
            self.flights.discard(message)
        if timeout:
            message.deadline = now + timeout
            self.flights.add(message.deadline, [message])
            self.due = min(self.due, message.deadline)
        else:
            self._show_again(message, now)
            if self.limited:
                self._release()
        if self.on_change is not None:
            self.on_change()

    def settle(self, now: float) -> None:
        """Do what is due: deadlines that `now` has reached, each at its own time. Idempotent; cost: O(1) per change."""
        if now < self.due:
            return
        flights = self.flights
        delayed = self._delayed
        retention = self.retention
        while True:
            if now >= retention.due and retention.heap is None:
                retention.look(self._live(), now)
            expiry = retention.head(now)
            ends = flights.head()
            shows = delayed.head()
            if expiry < ends and expiry < shows:
                self._expire(retention.pop(), expiry)
            elif ends <= shows and ends <= now:
                for message in flights.pop_due(now):
                    self._show_again(message, ends)
            elif shows <= now:
                for message in delayed.pop_due(now):
                    self._show(message, shows)
            else:
                break
        self.due = min(flights.head(), delayed.head(), retention.due)
        if self.limited:
            self._release()

    @property
    def visible(self) -> int:
        """Messages that can be received, as of the last look."""
        return len(self._fresh) + len(self._returned) - self._stale

    @property
    def end_to_end(self) -> "array[float]":
        """Origin to deletion of each deleted message [s]."""
        return self.sojourns if self._end_to_end is None else self._end_to_end

    def accept(self, message: Message, now: float, source: str) -> None:
        """Take in a message that another queue's redrive policy gave up (SQS-DLQ-4, SQS-RET-2)."""
        if self.on_arrival is not None:
            self.on_arrival(now)
        moved = RedrivenMessage()
        moved.content = message.content
        moved.attributes = message.attributes
        moved.number = message.number
        moved.arrived_at = now
        moved.first_sent_at = message.sent_at
        moved.source = source
        moved.origin = message.origin
        moved.origin_at = message.origin_at
        moved.receive_count = message.receive_count
        moved.first_received_at = -inf
        moved.deadline = VISIBLE
        self._visible_time -= now
        self._line_up(moved)
        self.moved_in += 1
        self.retention.add(moved)
        self.due = min(self.due, self.retention.due)
        if self.max_receive_count < inf:
            self._recount = True
            self._set_place()
        if self.on_change is not None:
            self.on_change()

    # ---------------------------------------------------------------- the service's verbs: checked

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
            TimeRanBackwards: `now` is earlier than at the last call.

        Cost: O(1); O(log delayed) with a delay of its own.
        """
        if deduplication_id is not None:
            raise InvalidParameterValue(
                f"Value {deduplication_id} for parameter MessageDeduplicationId is invalid. Reason: The request "
                "includes a parameter that is not valid for this queue type."
            )
        if delay is not None:
            DELAY.demand(delay)
        if group_id is not None and not (
            isinstance(group_id, str) and 1 <= len(group_id) <= _GROUP_ID_LENGTH and _is_group_id(group_id)
        ):
            raise InvalidParameterValue(
                f"Value {group_id} for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include "
                "alphanumeric and punctuation characters. 1 to 128 in length."
            )
        check_message(body, attributes, self.declaration.max_message_bytes)
        self.advance(now)
        message = Message()
        if group_id is not None:
            message = GroupedMessage()
            message.group_id = group_id
        wanted = self.delay if delay is None else delay
        self._store(message, body, dict(attributes) if attributes else None, now, None, now, wanted)
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
        """Look once; never blocks.

        Args:
            now: [s].
            max_messages: 1 to 10 (SQS-RCV-1).
            visibility_timeout: instead of the queue's own [s], for these messages only (SQS-RCV-7).
            wait_time: more than 0 says "the first look of a long poll" [s]; None takes the queue's own (SQS-RCV-2).
            attempt_id: of FIFO queues only.

        Raises:
            InvalidParameterValue: a parameter is out of its range.
            OverLimit: a short poll while too many messages are in flight (SQS-INF-1).
            TimeRanBackwards: `now` is earlier than at the last call.

        Cost: O(1) per message.
        """
        if attempt_id is not None:
            raise InvalidParameterValue(
                f"Value {attempt_id} for parameter ReceiveRequestAttemptId is invalid. Reason: The request includes a "
                "parameter that is not valid for this queue type."
            )
        MAX_MESSAGES.demand(max_messages)
        wait = self.declaration.wait_time if wait_time is None else wait_time
        WAIT_TIME.demand(wait)
        timeout = self.visibility_timeout if visibility_timeout is None else visibility_timeout
        VISIBILITY_TIMEOUT.demand(timeout)
        self.advance(now)
        if not wait and self.in_flight >= self.max_in_flight:
            raise OverLimit(f"{self.in_flight} messages are in flight; the limit is {self.max_in_flight} (SQS-INF-1)")
        batch = self.take(now, max_messages, timeout)
        if not batch and not wait:
            self.empty_receives += 1
        if batch and self.on_change is not None:
            self.on_change()
        return [self.deliver(message, now) for message in batch]

    def deliver(self, message: Message, now: float) -> Delivery:
        """What a receiver sees of a message taken at `now`; from here on its handle is known."""
        handles = self._handles
        handles[message.number] = message
        if len(handles) > self._handles_limit:
            for number in [number for number, known in handles.items() if known.deadline == GONE]:
                del handles[number]
            self._handles_limit = 2 * len(handles) + 1_024
        return Delivery(message, write_handle(self.base, Receipt(message.number, message.receive_count, now)))

    def delete(self, receipt_handle: str, now: float) -> None:
        """Delete a message; again, too late or with an old handle is no error (SQS-VIS-6, SQS-VIS-9).

        Raises:
            ReceiptHandleIsInvalid: not a handle of this queue.
            TimeRanBackwards: `now` is earlier than at the last call.

        Cost: O(1) in flight, O(log returned) if the message is visible again.
        """
        receipt = self._read(receipt_handle)
        self.advance(now)
        message = self._handles.get(receipt.number)
        if message is not None:
            self.remove(message, receipt.receive_count, now)

    def change_visibility(self, receipt_handle: str, timeout: float, now: float) -> None:
        """Restart the visibility timeout of a received message; 0 gives it back (SQS-VIS-2, SQS-VIS-4).

        Any handle of the message acts on its present delivery, an expired one hides it again (SQS-VIS-7).

        Args:
            receipt_handle: of any receive of the message.
            timeout: from `now` [s]; with the time since that receive at most 12 h (SQS-VIS-3).
            now: [s].

        Raises:
            ReceiptHandleIsInvalid: not a handle of this queue.
            InvalidParameterValue: the message is gone, or the timeout is out of range.
            TimeRanBackwards: `now` is earlier than at the last call.

        Cost: O(log changed + log returned).
        """
        receipt = self._read(receipt_handle)
        VISIBILITY_TIMEOUT.demand(timeout)
        self.advance(now)
        message = self._handles.get(receipt.number)
        if message is None or message.deadline == GONE:
            raise InvalidParameterValue(
                f"Value {receipt_handle} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is "
                "not available for visibility timeout change."
            )
        self.extend(message, receipt.received_at, timeout, now)

    def purge(self, now: float) -> None:
        """Remove all messages, whatever their state (SQS-PRG-1).

        Raises:
            PurgeQueueInProgress: less than 60 s after the last purge (SQS-PRG-2).
            TimeRanBackwards: `now` is earlier than at the last call.

        Cost: O(n).
        """
        self.advance(now)
        if now < self._last_purge + PURGE_INTERVAL.low:
            raise PurgeQueueInProgress(
                f"Only one PurgeQueue operation on {self.name} is allowed every {PURGE_INTERVAL.low:g} seconds."
            )
        self._last_purge = now
        visible, in_flight, delayed = self.visible, self.in_flight, self.delayed
        for message in list(self._live()):
            message.deadline = GONE
            self._left_time += now - message.arrived_at
        self._visible_time += visible * now
        self._flight_time += in_flight * now
        self._delayed_time += delayed * now
        self.purged += visible + in_flight + delayed
        self.in_flight = self.delayed = self._stale = 0
        self._fresh.clear()
        self._returned.clear()
        self._places.clear()
        self.flights.clear()
        self._delayed.clear()
        self._recount = False
        self._set_place()
        if self.limited:
            self._release()

    def counts(self, now: float) -> Counts:
        """Messages by state at `now`.

        Raises:
            TimeRanBackwards: `now` is earlier than at the last call.
        """
        self.advance(now)
        return Counts(self.visible, self.in_flight, self.delayed)

    def advance(self, now: float) -> None:
        """Do what is due by `now`; idempotent.

        Raises:
            TimeRanBackwards: `now` is earlier than at the last call.
        """
        if not now >= self.looked_at:
            raise TimeRanBackwards.at(self.name, now, self.looked_at)
        self.looked_at = now
        if self.catch_up is not None:
            self.catch_up(now)
        self.settle(now)

    def next_deadline(self) -> float | None:
        """When the queue changes next by itself [s]; None if it will not.

        Cost: amortised O(1); O(n) where retention comes first and no heap of it is kept.
        """
        if not self.visible + self.in_flight + self.delayed:
            return None
        due = min(self.flights.next_valid(), self._delayed.next_valid())
        if self.retention.due <= due:
            self.retention.renew(self._live(), self.looked_at)
        return min(due, self.retention.due)

    def renew_due(self) -> None:
        """Forget deadlines that nothing has any more: `due` is not earlier than need be. Cost: amortised O(1)."""
        self.due = min(self.flights.next_valid(), self._delayed.next_valid(), self.retention.due)

    # ---------------------------------------------------------------- for probes and audits

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
        for message in self._unordered():
            if message.number not in self._places and not self._is_poison(message):
                oldest = min(oldest, message.arrived_at)
        return now - oldest

    def integrals(self, now: float) -> tuple[float, float, float]:
        """Integrals of visible, in flight and delayed over time, from time 0 to `now` [message s]; after `settle`."""
        return (
            self._visible_time + self.visible * now,
            self._flight_time + self.in_flight * now,
            self._delayed_time + self.delayed * now,
        )

    def residence(self, now: float) -> float:
        """Time that messages spent here up to `now` [message s], summed over those that left and those still here."""
        here = sum(now - message.arrived_at for message in self._live())
        return fsum(self.sojourns) + self._left_time + here

    def check(self, now: float, *, deep: bool = True) -> None:
        """Assert that the books balance: every message that came is somewhere, once.

        Args:
            now: [s].
            deep: also look at each message in flight and delayed. Cost: O(n) instead of O(1).

        Raises:
            AuditError: says which numbers differ.
        """
        self.advance(now)
        came = self.sent + self.moved_in
        left = self.deleted + self.dead_lettered + self.moved_out + self.expired + self.purged
        here = self.visible + self.in_flight + self.delayed
        if came != left + here or len(self.sojourns) != self.deleted:
            raise AuditError(
                f"queue {self.name!r} at {now:g} s: sent {self.sent} + moved_in {self.moved_in} is not left {left} + "
                f"{self.counts(now)}; it has {len(self.sojourns)} sojourns of {self.deleted} deleted messages"
            )
        if not deep:
            return
        seen = sum(1 for message in self._live() if message.deadline == VISIBLE)
        held = 0 if self.held is None else sum(1 for _ in self.held())
        found = Counts(seen, sum(1 for _ in self.flights) + held, sum(1 for _ in self._delayed))
        if found != self.counts(now):
            raise AuditError(
                f"queue {self.name!r} at {now:g} s: its containers hold {found}; its counters say {self.counts(now)}"
            )

    # ---------------------------------------------------------------- inside

    def _read(self, handle: object) -> Receipt:
        receipt = read_handle(self.base, handle)
        if receipt.receive_count < 1:
            raise ReceiptHandleIsInvalid(f'The input receipt handle "{handle}" is not a valid receipt handle.')
        return receipt

    def _live(self) -> Iterator[Message]:
        for message in self._fresh:
            if message.deadline != GONE:
                yield message
        yield from self._unordered()

    def _unordered(self) -> Iterator[Message]:
        for _, _, message in self._returned:
            yield message
        yield from self.flights
        yield from self._delayed
        if self.held is not None:
            yield from self.held()

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
            self._fresh.append(message)
        self.retention.add(message)
        if self.on_change is not None:
            self.on_change()

    def _is_poison(self, message: Message) -> bool:
        return message.receive_count >= _BACK and not isinstance(message, RedrivenMessage)

    def _hide(self, message: Message, until: float, now: float) -> None:
        message.deadline = until
        self._delayed.add(until, [message])
        self.delayed += 1
        self._delayed_time -= now
        self.due = min(self.due, until)

    def _show(self, message: Message, at: float) -> None:
        """End a delay."""
        message.deadline = VISIBLE
        self.delayed -= 1
        self._delayed_time += at
        self._visible_time -= at
        self._line_up(message)

    def _line_up(self, message: Message) -> None:
        """Place a message by its arrival, and by number among those of one instant, though it may not be the last."""
        fresh = self._fresh
        if fresh and (fresh[-1].arrived_at, fresh[-1].number) > (message.arrived_at, message.number):
            self._put_back(message, message.arrived_at)
        else:
            fresh.append(message)

    def _show_again(self, message: Message, at: float) -> None:
        """End a receive without deletion: to the old place, or after three receives to the back (SQS-RCV-8)."""
        message.deadline = VISIBLE
        self.in_flight -= 1
        self._flight_time += at
        self._visible_time -= at
        place = message.arrived_at
        if message.receive_count >= _BACK:
            place = self._places[message.number] = at
        self._put_back(message, place)

    def _put_back(self, message: Message, place: float) -> None:
        self._returned.add((place, message.number, message))
        self._set_place()

    def _take_back(self, message: Message) -> None:
        """Take a visible message that was received before out of the line."""
        place = self._places.pop(message.number, message.arrived_at)
        self._returned.remove((place, message.number, message))
        self._set_place()

    def _set_place(self) -> None:
        """Where the first returned message stands: inf when `take` may pop fresh messages unseen."""
        if self._stale or self._recount:
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

    def _dead_letter(self, message: Message, now: float) -> None:
        """Move a message at the receive that would exceed its count (SQS-DLQ-3)."""
        message.deadline = GONE
        self.dead_lettered += 1
        self._visible_time += now
        self._left_time += now - message.arrived_at
        target = self.dead_letter_queue
        assert target is not None  # noqa: S101 - narrows the type; a finite max_receive_count comes with a target
        target.accept(message, now, self.name)

    def count_again(self, message: Message, now: float) -> None:
        """Count the receive of a message that was received before, here or in the queue it came from."""
        if isinstance(message, RedrivenMessage) and message.first_received_at == -inf:
            message.first_received_at = now
        else:
            self.redelivered += 1

    def _expire(self, message: Message, at: float) -> None:
        """Remove a message that outlived its retention, whatever its state (SQS-RET-1).

        A dead letter that was too old for this queue when it was moved goes the moment it comes (SQS-RET-2).
        """
        at = max(at, message.arrived_at)
        if message.deadline == VISIBLE:
            self._visible_time += at
            if (self._places.get(message.number, message.arrived_at), message.number, message) in self._returned:
                self._take_back(message)
            else:
                message.deadline = GONE
                self._drop_stale()
        elif message.receive_count:
            self.flights.discard(message)
            self.in_flight -= 1
            self._flight_time += at
        else:
            self._delayed.discard(message)
            self.delayed -= 1
            self._delayed_time += at
        message.deadline = GONE
        self.expired += 1
        self._left_time += at - message.arrived_at

    def _drop_stale(self) -> None:
        """One more of the fresh messages is gone; drop those that nobody has to step over any more."""
        fresh = self._fresh
        self._stale += 1
        while fresh and fresh[0].deadline == GONE:
            fresh.popleft()
            self._stale -= 1
        self._set_place()

    def _count_deleted(self, message: Message, at: float) -> None:
        self.deleted += 1
        arrived = message.arrived_at
        self.sojourns.append(at - arrived)
        self.waits.append(message.first_received_at - arrived)
        if self._end_to_end is not None or message.origin_at != arrived:
            self.end_to_end_of(message, at)
        if self.limited:
            self._release()

    def end_to_end_of(self, message: Message, at: float) -> None:
        """Note the end-to-end time of the message whose sojourn was noted last."""
        if self._end_to_end is None:
            self._begin_end_to_end(at - message.origin_at)
        else:
            self._end_to_end.append(at - message.origin_at)

    def _room(self, now: float, limit: int) -> int:
        """How many messages may still be received before the in-flight limit (SQS-INF-1)."""
        if self.catch_up is not None:
            self.catch_up(now)
        self.settle(now)
        room = self.max_in_flight - self.in_flight
        if room <= 0:
            self.limited = True
            return 0
        return min(limit, room)

    def _release(self) -> None:
        if self.in_flight < self.max_in_flight:
            self.limited = False
            if self.on_change is not None:
                self.on_change()

    def _begin_end_to_end(self, sample: float) -> "array[float]":
        """Keep end-to-end times apart from sojourns, now that one differs; `sample` belongs to the latest sojourn."""
        self._end_to_end = self.sojourns[:-1]
        self._end_to_end.append(sample)
        return self._end_to_end

    def _drop_gone(self, batch: Sequence[Message], deadline: float) -> None:
        index = self.flights.index
        for message in batch:
            if index and message.deadline == GONE:
                index.discard((deadline, message.number, message))
        self.flights.index = index or None


_GROUP_ID_LENGTH = 128


def _is_group_id(text_: str) -> bool:
    return all("!" <= character <= "~" for character in text_)


def _before(fresh: Message, entry: tuple[float, int, Message]) -> bool:
    place = entry[0]
    return fresh.arrived_at < place or (fresh.arrived_at == place and fresh.number < entry[1])
