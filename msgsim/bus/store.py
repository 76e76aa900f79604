# Hot path: `finish_one` and `settle` are called per message or batch, with trusted arguments (benchmarks/spike.py).
"""Messages by state, and what becomes of them by time alone: the part that standard and FIFO queues share."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from math import inf

from msgsim.bus.deadlines import Deadlines
from msgsim.bus.ledger import Ledger
from msgsim.bus.message import GONE, VISIBLE, Message, id_base
from msgsim.bus.retention import Retention
from msgsim.errors import InvalidParameterValue
from msgsim.quotas import VISIBILITY_TIMEOUT


class Store(Ledger):
    """The messages of a queue. Those in flight and delayed are kept here; the visible ones by a subclass, in its order.

    Expiry is lazy: a passed deadline takes effect when the queue is next looked at, at the time it was due.

    Attributes:
        base: where the ids of the queue's messages begin.
        visibility_timeout, delay: of messages that bring none of their own [s].
        delaying: whether a send has to ask for the delay: there is one, or changed attributes are on their way.
        change_due: when changed attributes come into force [s]; inf if none are on their way.
        longest: how long a message may be hidden in all [s] (SQS-VIS-3).
        longest_from_first: whether that counts from the first receive instead of the one that holds the message.
        old_handles_delete: whether any receive deletes a message, not the latest one only (SQS-VIS-6).
        max_in_flight: messages received and not yet deleted or returned (SQS-INF-1).
        max_receive_count: receives that a message gets before it is dead-lettered; inf for no limit.
        looked_at: the latest `now` of a checked call [s].
        clock: tells the time beyond which no checked call can be [s]; None outside of a simulation.
        catch_up: called with `now` before anything but the hot path looks at the queue: the engine settles there what
            it knows but has not done yet.
        on_change: called when something becomes receivable or the next deadline gets earlier.
        held: the messages in flight that are not in `flights`, because whoever holds them will be done in time.
        flights: the messages in flight by the end of their visibility timeout.
        retention: all messages by the time they expire.
        due: a time before which nothing changes by itself [s].
        limited: whether a receive found the queue at its in-flight limit, and nothing has left since.
    """

    __slots__ = (
        "_delayed",
        "base",
        "catch_up",
        "change_due",
        "clock",
        "delay",
        "delaying",
        "due",
        "flights",
        "held",
        "limited",
        "longest",
        "longest_from_first",
        "looked_at",
        "max_in_flight",
        "max_receive_count",
        "old_handles_delete",
        "on_change",
        "retention",
        "visibility_timeout",
    )

    def __init__(
        self,
        name: str,
        *,
        visibility_timeout: float,
        delay: float,
        retention: float,
        max_in_flight: int,
        max_receive_count: float,
    ) -> None:
        super().__init__(name)
        self.base = id_base(name)
        self.visibility_timeout = visibility_timeout
        self.delay = delay
        self.delaying = delay > 0
        self.change_due = inf
        self.longest: float = VISIBILITY_TIMEOUT.high
        self.longest_from_first = False
        self.old_handles_delete = False
        self.max_in_flight = max_in_flight
        self.max_receive_count = max_receive_count
        self.looked_at = -inf
        self.clock: Callable[[], float] | None = None
        self.catch_up: Callable[[float], None] | None = None
        self.on_change: Callable[[], None] | None = None
        self.held: Callable[[], Iterator[Message]] | None = None
        self.flights = Deadlines()
        self._delayed = Deadlines()
        self.retention = Retention(retention)
        self.due = -inf
        self.limited = False

    # ---------------------------------------------------------------- what a subclass knows: the visible ones, in order

    @abstractmethod
    def line_up(self, message: Message) -> None:
        """Place a message that has become visible for the first time."""

    @abstractmethod
    def put_back(self, message: Message, at: float) -> None:
        """Place a message that is visible again at `at` [s], after a receive."""

    @abstractmethod
    def take_out(self, message: Message) -> None:
        """Take a visible message out, wherever it stands."""

    @abstractmethod
    def change(self, now: float) -> None:
        """Put changed attributes into force that are due by `now` [s], each change at its own time."""

    # ---------------------------------------------------------------- what is due

    def settle(self, now: float) -> None:
        """Do what is due: deadlines that `now` has reached, each at its own time. Idempotent; cost: O(1) per change."""
        if now < self.due:
            return
        if now >= self.change_due:
            self.change(now)
        flights = self.flights
        delayed = self._delayed
        retention = self.retention
        while True:
            if now >= retention.due and retention.heap is None:
                retention.look(self.live(), now)
            expiry = retention.head(now)
            ends = flights.head()
            shows = delayed.head()
            if expiry < ends and expiry < shows:
                self._expire(retention.pop(), expiry)
            elif ends <= shows and ends <= now:
                for message in flights.pop_due(now):
                    self._return(message, ends)
            elif shows <= now:
                for message in delayed.pop_due(now):
                    self._show(message, shows)
            else:
                break
        self.due = min(flights.head(), delayed.head(), retention.due, self.change_due)
        if self.limited:
            self._release()

    def next_deadline(self) -> float | None:
        """When the queue changes next by itself [s]; None if it will not.

        Cost: amortised O(log n); O(n) the first time that retention comes first.
        """
        if not self.visible + self.in_flight + self.delayed:
            return None if self.change_due == inf else self.change_due
        due = min(self.flights.next_valid(), self._delayed.next_valid(), self.change_due)
        if self.retention.due <= due:
            self.retention.renew(self.live())
        return min(due, self.retention.due)

    def renew_due(self) -> None:
        """Forget deadlines that nothing has any more: `due` is not earlier than need be. Cost: amortised O(1)."""
        self.due = min(self.flights.next_valid(), self._delayed.next_valid(), self.retention.due, self.change_due)

    # ---------------------------------------------------------------- a message at a time, by record

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
        if message.deadline == GONE or (message.receive_count != receive_count and not self.old_handles_delete):
            return False
        if message.deadline == VISIBLE:
            self.take_out(message)
            self._visible_time += at
        else:
            self.flights.discard(message)
            self.in_flight -= 1
            self._flight_time += at
        message.deadline = GONE
        self._count_deleted(message, at)
        if self.limited:
            self._release()
        return True

    def extend(self, message: Message, received_at: float, timeout: float, now: float) -> None:
        """Restart the visibility timeout of a message from `now` (SQS-VIS-2).

        Raises:
            InvalidParameterValue: the message is gone (SQS-VIS-8), or would be hidden for more than 12 h from its
                receive (SQS-VIS-3); 0 gives it back at any time.

        Cost: O(log changed + log returned).
        """
        self.settle(now)
        if message.deadline == GONE:
            raise InvalidParameterValue(
                "Value for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for "
                "visibility timeout change."
            )
        if timeout and timeout > self.allowance(message, received_at, now):
            raise InvalidParameterValue(
                f"Value {timeout} for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the "
                f"message is beyond the limit [{self.longest:g} seconds]"
            )
        if message.deadline == VISIBLE:
            if not timeout:
                return
            self.take_out(message)
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
            self._return(message, now)
            if self.limited:
                self._release()
        if self.on_change is not None:
            self.on_change()

    def allowance(self, message: Message, received_at: float, now: float) -> float:
        """How long a message may still be hidden, by the receive at `received_at` (SQS-VIS-3) [s]."""
        since = message.first_received_at if self.longest_from_first else received_at
        return self.longest - (now - since)

    # ---------------------------------------------------------------- inside

    def _in_hiding(self) -> Iterator[Message]:
        """The messages in flight and delayed."""
        yield from self.flights
        yield from self._delayed
        if self.held is not None:
            yield from self.held()

    def _hide(self, message: Message, until: float, now: float) -> None:
        message.deadline = until
        self._delayed.add(until, [message])
        self.delayed += 1
        self._delayed_time -= now
        self.due = min(self.due, until)

    def _admit(self, message: Message, now: float) -> None:
        """Let a message in that has the queue's own delay, while there is one or a change of it is on its way."""
        if now >= self.change_due:
            self.settle(now)
        if self.delay:
            self._hide(message, now + self.delay, now)
        else:
            message.deadline = VISIBLE
            self._visible_time -= now
            self.line_up(message)

    def _show(self, message: Message, at: float) -> None:
        """End a delay."""
        message.deadline = VISIBLE
        self.delayed -= 1
        self._delayed_time += at
        self._visible_time -= at
        self.line_up(message)

    def _return(self, message: Message, at: float) -> None:
        """End a receive without deletion."""
        message.deadline = VISIBLE
        self.in_flight -= 1
        self._flight_time += at
        self._visible_time -= at
        self.put_back(message, at)

    def _expire(self, message: Message, at: float) -> None:
        """Remove a message that outlived its retention, whatever its state (SQS-RET-1).

        A dead letter that was too old for this queue when it was moved goes the moment it comes (SQS-RET-2).
        """
        at = max(at, message.arrived_at)
        if message.deadline == VISIBLE:
            self._visible_time += at
            self.take_out(message)
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

    def _drop_gone(self, batch: Sequence[Message], deadline: float) -> None:
        index = self.flights.index
        for message in batch:
            if index and message.deadline == GONE:
                index.discard((deadline, message.number, message))
        self.flights.index = index or None
