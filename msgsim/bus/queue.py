"""Queues: declared (`Queue`, `Redrive`), and what live ones of both kinds have in common (`LiveQueue`).

A live queue is a state machine over `now`. Nothing in it waits: whoever drives it asks `next_deadline()` and calls
again. `bus/standard.py` and `bus/fifo.py` have the two kinds.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import Any, Self

import attrs

from msgsim.bus.attributes import Change, Changes, parts
from msgsim.bus.ledger import Counts
from msgsim.bus.message import GONE, Message, RedrivenMessage
from msgsim.bus.moves import MoveTask
from msgsim.bus.receipts import Delivery, Receipt, read_handle, write_handle
from msgsim.bus.store import Store
from msgsim.declare import check_name, check_not_ahead, check_now, choice, flag, instance, listed, number, text
from msgsim.distributions import Uniforms
from msgsim.errors import (
    DeclarationError,
    InvalidParameterValue,
    OverLimit,
    PurgeQueueInProgress,
    QueueDoesNotExist,
    ReceiptHandleIsInvalid,
    UnknownName,
)
from msgsim.quotas import (
    ATTRIBUTE_LAG,
    DELAY,
    MAX_IN_FLIGHT,
    MAX_MESSAGE_BYTES,
    MAX_MESSAGES,
    MAX_RECEIVE_COUNT,
    PUBLISHED,
    PURGE_INTERVAL,
    REDRIVE_SOURCES,
    RETENTION,
    RETENTION_LAG,
    SETS,
    VISIBILITY_TIMEOUT,
    WAIT_TIME,
)

APART = 2**32
"""More than any receive count: the mark of a receipt that is no receive's own."""


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
class RedriveAllow:
    """Which queues may name a queue as their dead-letter queue (SQS-DLQ-6).

    Attributes:
        permission: "allowAll", "denyAll", or "byQueue" for those named in `sources`.
        sources: names of queues, at most 10.
    """

    permission: str = choice("allowAll", ("allowAll", "denyAll", "byQueue"), "SQS-DLQ-6")
    sources: Sequence[str] = listed(str, "names of queues")

    def __attrs_post_init__(self) -> None:
        if (self.permission == "byQueue") != bool(self.sources):
            raise DeclarationError("RedriveAllow.sources", "names queues with permission 'byQueue', and only then")
        if len(self.sources) > REDRIVE_SOURCES.high:
            problem = f"{len(self.sources)} are too many; allowed: at most {REDRIVE_SOURCES.high:g} (SQS-DLQ-6)"
            raise DeclarationError("RedriveAllow.sources", problem)

    def allows(self, name: str) -> bool:
        """Whether a queue may have its dead letters here."""
        return self.permission == "allowAll" or name in self.sources


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
        fifo: order within message groups.
        content_based_deduplication: of FIFO queues only: the hash of the body stands in for a missing id (FIFO-DUP-3).
        deduplication_scope: of FIFO queues only: "queue", or "messageGroup" for ids that count within a group
            (FIFO-DUP-4).
        fifo_throughput_limit: of FIFO queues only: "perQueue", or "perMessageGroupId" for high throughput, which needs
            the scope "messageGroup" (FIFO-TPS-2).
        max_in_flight: messages received and not yet deleted or returned (SQS-INF-1, FIFO-VIS-3).
        poll_winner: which of several waiting polls gets a message; unconfirmed for the real service (SQS-RCV-6).
        sampled: probability that a short poll sees a message that is there (SQS-RCV-3).
        duplicates: probability that a delivery is followed by another one of the same message (SQS-DUP-1).
        disorder: probability that a message lets the one behind it pass when it is its turn (SQS-RCV-8).
        visibility_cap: what the 12 h count from, the "receipt" or the "message"; unconfirmed (SQS-VIS-3).
        old_handle: what a delete by the handle of an older receive does, "ignored" or "deletes"; unconfirmed
            (SQS-VIS-6).
        attribute_lag: until a change of attributes is in force [s] (SQS-ATT-2).
        retention_lag: until a change of `retention` is in force [s] (SQS-ATT-2).
        processing_window: what counts as recent for a tenant's share of the processing time [s]; unconfirmed
            (SQS-FAIR-3).
        redrive_allow: as a dead-letter queue, which queues may name it; None for all (SQS-DLQ-6).
        throttled: whether calls above the published throughput of FIFO queues are refused (FIFO-TPS-1 ... FIFO-TPS-4).
        quotas: which limits hold, here and for calls: "published" or "relaxed"; None for the scenario's, which are the
            published ones unless it says otherwise.
    """

    visibility_timeout: float = VISIBILITY_TIMEOUT.field()
    delay: float = DELAY.field()
    retention: float = RETENTION.field()
    wait_time: float = WAIT_TIME.field()
    quotas: str | None = choice(None, SETS, optional=True)
    max_message_bytes: int = MAX_MESSAGE_BYTES.field(integer=True)
    redrive: Redrive | None = instance(Redrive, "a Redrive", default=None, optional=True)
    fifo: bool = flag()
    content_based_deduplication: bool = flag()
    max_in_flight: int = MAX_IN_FLIGHT.field(integer=True)
    poll_winner: str = choice("longest", ("longest", "random"), "SQS-RCV-6")
    deduplication_scope: str = choice("queue", ("queue", "messageGroup"), "FIFO-DUP-4")
    fifo_throughput_limit: str = choice("perQueue", ("perQueue", "perMessageGroupId"), "FIFO-TPS-2")
    sampled: float = number(1.0, above=True, high=1.0, unit="probability", rule="SQS-RCV-3")
    duplicates: float = number(0.0, high=1.0, unit="probability", rule="SQS-DUP-1")
    disorder: float = number(0.0, high=1.0, unit="probability", rule="SQS-RCV-8")
    visibility_cap: str = choice("receipt", ("receipt", "message"), "SQS-VIS-3")
    old_handle: str = choice("ignored", ("ignored", "deletes"), "SQS-VIS-6")
    attribute_lag: float = ATTRIBUTE_LAG.field()
    retention_lag: float = RETENTION_LAG.field()
    processing_window: float = number(60.0, above=True, unit="s", rule="SQS-FAIR-3")
    redrive_allow: RedriveAllow | None = instance(RedriveAllow, "a RedriveAllow", default=None, optional=True)
    throttled: bool = flag()

    def __attrs_post_init__(self) -> None:
        if self.fifo:
            if self.fifo_throughput_limit == "perMessageGroupId" and self.deduplication_scope != "messageGroup":
                problem = "'perMessageGroupId' needs deduplication_scope='messageGroup' (FIFO-TPS-2)"
                raise DeclarationError("Queue.fifo_throughput_limit", problem)
            standard = ("sampled", 1.0), ("duplicates", 0.0), ("disorder", 0.0), ("old_handle", "ignored")
            for name, quiet in standard:
                if getattr(self, name) != quiet:
                    raise DeclarationError(f"Queue.{name}", "is for standard queues only")
            return
        fifo_only = (
            ("content_based_deduplication", False, "SQS-Q-7"),
            ("deduplication_scope", "queue", "SQS-Q-7"),
            ("fifo_throughput_limit", "perQueue", "SQS-Q-7"),
            ("throttled", False, "SQS-SND-9"),
        )
        for name, quiet, rule in fifo_only:
            if getattr(self, name) != quiet:
                raise DeclarationError(f"Queue.{name}", f"is for FIFO queues only ({rule})")

    def under(self, quotas: str) -> "Queue":
        """The same with the limits of a set, unless it names its own; what is at its default is then at that set's."""
        if self.quotas is not None or quotas == PUBLISHED:
            return self
        fields = attrs.fields(Queue)
        kept = {
            name: value
            for name, value in attrs.asdict(self, recurse=False).items()
            if not isinstance(getattr(fields, name).default, attrs.Factory)  # type: ignore[arg-type]
            or value != getattr(fields, name).default.factory(self)
        }
        return Queue(**kept | {"quotas": quotas})


def check_dead_letter_queue(queue: Queue, name: str, target: Queue, path: str = "Queue.redrive") -> None:
    """Refuse a dead-letter queue that cannot be one of this queue.

    Args:
        queue: whose dead letters.
        name: of it.
        target: the dead-letter queue.
        path: of the redrive policy, for the error.

    Raises:
        DeclarationError: it is of the other type (SQS-DLQ-2), or does not allow it (SQS-DLQ-6).
    """
    if queue.fifo != target.fifo:
        kinds = ("standard", "FIFO") if target.fifo else ("FIFO", "standard")
        problem = f"the dead-letter queue of a {kinds[0]} queue must be one, too, not a {kinds[1]} queue (SQS-DLQ-2)"
        raise DeclarationError(path, problem)
    if target.redrive_allow is not None and not target.redrive_allow.allows(name):
        raise DeclarationError(path, f"the dead-letter queue does not allow {name!r} to name it (SQS-DLQ-6)")


def _check_target(queue: Queue, name: str, target: "LiveQueue") -> None:
    if queue.redrive is None:
        raise DeclarationError("Queue.redrive", "is None, and so has no dead-letter queue")
    check_dead_letter_queue(queue, name, target.declaration)
    if queue.redrive.to != target.name:
        raise DeclarationError("Queue.redrive.to", f"is {queue.redrive.to!r}; the dead-letter queue is {target.name!r}")


def check_fields(names: Iterable[str]) -> None:
    """Refuse what is no field of `Queue`.

    Raises:
        UnknownName: says which there are.
    """
    known = attrs.fields_dict(Queue)
    for name in names:
        if name not in known:
            raise UnknownName.among("attribute of a queue", name, known)


def check_queue(kind: type, queue: object) -> None:
    """Refuse to make a live queue of what declares none.

    Raises:
        DeclarationError: it is no `Queue`.
    """
    if not isinstance(queue, Queue):
        raise DeclarationError(f"{kind.__name__}.queue", f"{queue!r} is not a Queue")


class LiveQueue(Store):
    """What every live queue does, standard or FIFO: the service's verbs, which check what they are given.

    Args:
        queue: its declaration.
        name: part of its ids and handles.
        dead_letter_queue: where `queue.redrive` moves messages; if it is left out, a queue of that name with default
            settings, reachable as the attribute of that name.
        rng: uniform random numbers; may be left out if nothing is left to chance.

    Attributes:
        declaration: what is in force.
        intended: what will be, once all changes of attributes are in force (SQS-ATT-2).
        origins: the queues that name this one as their dead-letter queue, or did, by name.
        deleted_at: when it was deleted [s]; None while it exists.
        on_arrival: called with `now` before a message comes in from another queue, or goes out to one.
        on_close: called before the queue is deleted: whoever drives the queue may refuse it.
        on_lag: called when changed attributes are going to be in force at `change_due`: whoever drives the queue calls
            `settle` then, before anything else of that instant.
        on_move: called with a move task that begins: whoever drives the queue drives it, too.
        move: the latest move task out of this queue; None if there was none.
        on_redeclare: called before a change of attributes is accepted, with what is intended and the dead-letter
            queue: whoever drives the queue may refuse it.
        watchers: called when it has been deleted, or is going to take less than it does.

    Raises:
        DeclarationError: it needs an `rng` and there is none, or `dead_letter_queue` is not the one that
            `queue.redrive` names, is of the other type (SQS-DLQ-2) or does not allow it (SQS-DLQ-6).
    """

    __slots__ = (
        "_changes",
        "_handles",
        "_handles_limit",
        "_last_purge",
        "dead_letter_queue",
        "declaration",
        "deleted_at",
        "intended",
        "move",
        "on_arrival",
        "on_close",
        "on_lag",
        "on_move",
        "on_redeclare",
        "origins",
        "rng",
        "watchers",
    )

    def __init__(
        self,
        queue: Queue,
        name: str = "queue",
        *,
        dead_letter_queue: "Self | None" = None,
        rng: Uniforms | None = None,
    ) -> None:
        check_name(f"{type(self).__name__}.name", name)
        super().__init__(
            name,
            visibility_timeout=queue.visibility_timeout,
            delay=queue.delay,
            retention=queue.retention,
            max_in_flight=queue.max_in_flight,
            max_receive_count=queue.redrive.max_receive_count if queue.redrive else inf,
        )
        self.declaration = self.intended = queue
        self.rng = rng
        self._changes = Changes()
        self.deleted_at: float | None = None
        self.origins: dict[str, Self] = {}
        self.on_arrival: Callable[[float], None] | None = None
        self.on_close: Callable[[], None] | None = None
        self.on_lag: Callable[[], None] | None = None
        self.on_move: Callable[[MoveTask], None] | None = None
        self.move: MoveTask | None = None
        self.on_redeclare: Callable[[Queue, Self | None], None] | None = None
        self.watchers: list[Callable[[], None]] = []
        self._need_chance(queue)
        if queue.redrive and dead_letter_queue is None:
            dead_letter_queue = type(self)(Queue(fifo=queue.fifo), queue.redrive.to)
        self._name(queue, dead_letter_queue)
        self._last_purge = -inf
        self._handles: dict[int, Message] = {}
        self._handles_limit = 1_024
        self._redeclared()

    def __repr__(self) -> str:
        kind = type(self).__name__
        return f"<{kind} {self.name!r} visible={self.visible} in_flight={self.in_flight} delayed={self.delayed}>"

    # ---------------------------------------------------------------- what the kinds of queues do in their own way

    @abstractmethod
    def take(self, now: float, limit: int, timeout: float) -> list[Message]:
        """Receive up to `limit` messages that can be received at `now` [s], hidden from others for `timeout` [s]."""

    @abstractmethod
    def age_of_oldest(self, now: float) -> float:
        """Age of the oldest message [s]; 0 if there is none (CW-SQS-1)."""

    @property
    @abstractmethod
    def receivable(self) -> bool:
        """Whether there is a message that can be received, as of the last look: what a waiting poll waits for."""

    def glance(self, now: float, limit: int, timeout: float) -> list[Message]:
        """The same for a short poll, which may miss messages that are there (SQS-RCV-3)."""
        return self.take(now, limit, timeout)

    def _delay_changed(self, now: float) -> None:
        """The queue's delay is another one from `now` on [s]; on standard queues for later sends only (SQS-DLY-2)."""

    @abstractmethod
    def first_in_line(self) -> Message | None:
        """The message that is to be received next, as of the last look; None if there is none. Cost: amortised O(1)."""

    @abstractmethod
    def move_in(self, message: Message, now: float) -> Message:
        """Take in what a move task took out of another queue, as a new message (SQS-MOV-4). Cost: as a send."""

    def clear(self) -> None:
        """Forget all messages, which have been counted out."""
        self.flights.clear()
        self._delayed.clear()

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
            QueueDoesNotExist: it was deleted.
            TimeRanBackwards: `now` is earlier than at the last call.

        Cost: O(1) per message.
        """
        if attempt_id is not None:
            raise InvalidParameterValue(
                f"Value {attempt_id} for parameter ReceiveRequestAttemptId is invalid. Reason: The request includes a "
                "parameter that is not valid for this queue type."
            )
        wait, timeout = self._begin_receive(now, max_messages, visibility_timeout, wait_time)
        if not wait and self.in_flight >= self.max_in_flight:
            raise OverLimit(f"{self.in_flight} messages are in flight; the limit is {self.max_in_flight} (SQS-INF-1)")
        batch = self.take(now, max_messages, timeout) if wait else self.glance(now, max_messages, timeout)
        if not batch and not wait:
            self.empty_receives += 1
        if batch and self.on_change is not None:
            self.on_change()
        return [self.deliver(message, now) for message in batch]

    def _begin_receive(
        self, now: float, max_messages: int, visibility_timeout: float | None, wait_time: float | None
    ) -> tuple[float, float]:
        """Check what a receive asks for, and do what is due; gives its wait time and visibility timeout."""
        quotas = self.declaration.quotas
        MAX_MESSAGES.under(quotas).demand(max_messages, integer=True)
        if wait_time is not None:
            WAIT_TIME.under(quotas).demand(wait_time)
        if visibility_timeout is not None:
            VISIBILITY_TIMEOUT.under(quotas).demand(visibility_timeout)
        target = self.dead_letter_queue
        if target is not None:
            check_now(target.name, now, target.looked_at)
        self.attend(now)
        wait = self.declaration.wait_time if wait_time is None else wait_time
        timeout = self.visibility_timeout if visibility_timeout is None else visibility_timeout
        return wait, timeout

    def deliver(self, message: Message, now: float) -> Delivery:
        """What a receiver sees of a message taken at `now`; from here on its handle is known."""
        handles = self._handles
        handles[message.number] = message
        if len(handles) > self._handles_limit:
            for number in [number for number, known in handles.items() if known.deadline == GONE]:
                del handles[number]
            self._handles_limit = 2 * len(handles) + 1_024
        return Delivery(message, write_handle(self.base, Receipt(message.number, message.receive_count, now)))

    def _deliver_again(self, message: Message, receive_count: int, now: float) -> Delivery:
        """What a receiver sees of a message that is not really there (SQS-DUP-1).

        Its handle is no receive's own: deleting with it has no effect, nor is that an error.
        """
        receipt = Receipt(message.number, receive_count | APART, now)
        delivery = Delivery(message, write_handle(self.base, receipt))
        delivery.receive_count = receive_count
        return delivery

    def delete(self, receipt_handle: str, now: float) -> None:
        """Delete a message; again, too late or with an old handle is no error (SQS-VIS-6, SQS-VIS-9).

        Raises:
            QueueDoesNotExist: it was deleted.
            ReceiptHandleIsInvalid: not a handle of this queue.
            TimeRanBackwards: `now` is earlier than at the last call.

        Cost: O(1) in flight, O(log returned) if the message is visible again.
        """
        receipt = self._read(receipt_handle)
        self.attend(now)
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
            QueueDoesNotExist: the queue was deleted.
            ReceiptHandleIsInvalid: not a handle of this queue.
            InvalidParameterValue: the message is gone, or the timeout is out of range.
            TimeRanBackwards: `now` is earlier than at the last call.

        Cost: O(log changed + log returned).
        """
        receipt = self._read(receipt_handle)
        VISIBILITY_TIMEOUT.under(self.declaration.quotas).demand(timeout)
        self.attend(now)
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
            QueueDoesNotExist: it was deleted.
            TimeRanBackwards: `now` is earlier than at the last call.

        Cost: O(n).
        """
        self.attend(now)
        pause = PURGE_INTERVAL.under(self.declaration.quotas).low
        if now < self._last_purge + pause:
            raise PurgeQueueInProgress(
                f"Only one PurgeQueue operation on {self.name} is allowed every {pause:g} seconds."
            )
        self._last_purge = now
        self._empty(now)

    def _empty(self, now: float) -> None:
        visible, in_flight, delayed = self.visible, self.in_flight, self.delayed
        for message in list(self.live()):
            message.deadline = GONE
            self._left_time += now - message.arrived_at
        self._visible_time += visible * now
        self._flight_time += in_flight * now
        self._delayed_time += delayed * now
        self.purged += visible + in_flight + delayed
        self.in_flight = self.delayed = 0
        self.clear()
        if self.limited:
            self._release()

    # ---------------------------------------------------------------- the queue itself

    @property
    def exists(self) -> bool:
        """Whether it has not been deleted."""
        return self.deleted_at is None

    def close(self, now: float) -> None:
        """Delete the queue, whatever is in it (SQS-Q-3): from now on its verbs raise QueueDoesNotExist.

        What it had is counted as purged. The queues whose dead letters it took keep them from now on.

        Raises:
            DeclarationError: it is part of a simulation, where others go on to use it.
            QueueDoesNotExist: it was deleted before.
            TimeRanBackwards: `now` is earlier than at the last call.

        Cost: O(n).
        """
        if self.on_close is not None:
            self.on_close()
        self.attend(now)
        self._empty(now)
        self.deleted_at = now
        self._changes.clear()
        self.change_due = inf
        self.delaying = self.delay > 0
        for source in self.sources():
            source.max_receive_count = inf
        for watcher in self.watchers:
            watcher()

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        """All but who is told that it has gone: what a copy goes on to deliver to enters itself anew."""
        state: Any = super().__getstate__()
        del state[1]["watchers"]
        return state  # type: ignore[no-any-return]  # that of an object with slots

    def __setstate__(self, state: tuple[None, dict[str, Any]]) -> None:
        for slot, value in state[1].items():
            setattr(self, slot, value)
        self.watchers = getattr(self, "watchers", [])

    def tell(self, watcher: Callable[[], None]) -> None:
        """Call it when the queue has been deleted, or is going to take less than it does.

        That may be asked of a copy that is not whole yet: its messages can lead to the topic that they came from.
        """
        self.watchers = getattr(self, "watchers", [])
        self.watchers.append(watcher)

    def sources(self) -> "list[Self]":
        """The queues that have their dead letters here now, in the order in which they began to."""
        queues = self.origins.values()
        return [
            queue for queue in queues if queue.dead_letter_queue is self and queue.declaration.redrive and queue.exists
        ]

    def set_attributes(self, now: float, *, dead_letter_queue: "Self | None" = None, **changes: Any) -> None:
        """Change attributes, all of them or none (SQS-ATT-2).

        They come into force after `attribute_lag`, the retention after `retention_lag`, of what is in force now, in the
        order in which they were asked for. A changed retention is for the messages that are there, too; a changed delay
        for later sends only, but on FIFO queues (SQS-DLY-2); timeouts, limits and redrive policies for the next
        receives. A queue goes on to deduplicate by the scope that it was made with (FIFO-DUP-5), and a fair one by the
        `processing_window` with which it began; `poll_winner` is looked at when a simulation begins.

        Args:
            now: [s].
            dead_letter_queue: the live queue that `redrive` names, if it is not the present one.
            changes: by the names of `Queue`'s fields.

        Raises:
            UnknownName: `Queue` has no such field.
            InvalidParameterValue: `fifo` cannot change (SQS-Q-7).
            DeclarationError: what it would be is not allowed, needs an `rng`, or has no live dead-letter queue.
            QueueDoesNotExist: it was deleted.
            TimeRanBackwards: `now` is earlier than at the last call.

        Cost: O(1); O(n) for the retention, and for the delay of a FIFO queue.
        """
        self.attend(now)
        check_fields(changes)
        if changes.get("fifo", self.intended.fifo) != self.intended.fifo:
            raise InvalidParameterValue(
                "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported."
            )
        intended = attrs.evolve(self.intended, **changes)
        if dead_letter_queue is not None:
            changes["redrive"] = intended.redrive
        target: Self | None = self._changes.latest("redrive", self.dead_letter_queue)
        if "redrive" in changes:
            target = self._target(intended, target, dead_letter_queue)
        self._need_chance(intended)
        if self.on_redeclare is not None:
            self.on_redeclare(intended, target)
        self.intended = intended
        for part in parts(changes):
            lag = self.declaration.retention_lag if "retention" in part else self.declaration.attribute_lag
            self._changes.add(Change(now + lag, part, target))
        if intended.max_message_bytes < self.declaration.max_message_bytes:
            for watcher in self.watchers:
                watcher()
        self.change_due = self._changes.due
        self.delaying = True
        self.due = min(self.due, self.change_due)
        self.settle(now)
        if self._changes and self.on_lag is not None:
            self.on_lag()
        if self.on_change is not None:
            self.on_change()

    def change(self, now: float) -> None:
        """See `Store`."""
        while self._changes.due <= now:
            change = self._changes.pop()
            self.change_due = inf
            self.settle(change.at)
            self._put_in_force(change)
            self.change_due = self._changes.due

    def _put_in_force(self, change: Change) -> None:
        before = self.declaration
        self.declaration = queue = attrs.evolve(before, **change.values)
        if "redrive" in change.values:
            self._name(queue, change.target)
            self.max_receive_count = queue.redrive.max_receive_count if queue.redrive else inf
        self.visibility_timeout = queue.visibility_timeout
        self.max_in_flight = queue.max_in_flight
        self.delay = queue.delay
        self.delaying = self.delay > 0 or bool(self._changes)
        if queue.retention != before.retention:
            self.retention.change(queue.retention, self.live(), change.at)
        if queue.delay != before.delay:
            self._delay_changed(change.at)
        self._redeclared()
        if self.limited:
            self._release()

    def _redeclared(self) -> None:
        """Another declaration is in force, be it the first."""
        queue = self.declaration
        self.longest = VISIBILITY_TIMEOUT.under(queue.quotas).high
        self.longest_from_first = queue.visibility_cap == "message"
        self.old_handles_delete = queue.old_handle == "deletes"

    def _need_chance(self, queue: Queue) -> None:
        for name, quiet in (("sampled", 1.0), ("duplicates", 0.0), ("disorder", 0.0)):
            value = getattr(queue, name)
            if value != quiet and self.rng is None:
                problem = f"{value!r} needs chance: {type(self).__name__}(queue, name, rng=Random(seed))"
                raise DeclarationError(f"Queue.{name}", problem)

    def _target(self, queue: Queue, present: "Self | None", given: "Self | None") -> "Self | None":
        """The live queue that an intended redrive policy names."""
        if given is not None:
            _check_target(queue, self.name, given)
        if queue.redrive is None:
            return None
        target = present if given is None else given
        if target is None or not target.exists or (given is None and target.name != queue.redrive.to):
            problem = (
                f"needs the live queue {queue.redrive.to!r}: set_attributes(now, redrive=..., dead_letter_queue=...)"
            )
            raise DeclarationError("Queue.redrive", problem)
        after: LiveQueue | None = target
        while after is not None:
            if after is self:
                raise DeclarationError("Queue.redrive", f"dead letters of {self.name!r} would go in a circle")
            after = after.dead_letter_queue
        check_dead_letter_queue(queue, self.name, target.declaration)
        return target

    def _name(self, queue: Queue, target: "Self | None") -> None:
        """Have another dead-letter queue, or none."""
        if target is not None:
            _check_target(queue, self.name, target)
            target.origins[self.name] = self
        self.dead_letter_queue = target

    # ---------------------------------------------------------------- move tasks

    def start_move(self, now: float, destination: "Self | None" = None, *, rate: float | None = None) -> MoveTask:
        """Begin to move the messages of this dead-letter queue (SQS-MOV-1 ... SQS-MOV-5).

        Args:
            now: [s].
            destination: where to; None for each message's own source queue.
            rate: messages per second, at most 500; None for as fast as goes.

        Returns:
            The task. Outside of a simulation its `advance` has to be called, as that of a queue.

        Raises:
            InvalidParameterValue: no queue has its dead letters here, a task is running, or an argument is not allowed.
            QueueDoesNotExist: one of the queues was deleted.
            TimeRanBackwards: `now` is earlier than at the last call.
        """
        task = MoveTask(self, destination, now, rate=rate)
        if self.on_move is not None:
            self.on_move(task)
        return task

    def move_out(self, message: Message, now: float) -> None:
        """Take out a visible message that goes to another queue. Cost: O(1), O(log returned) if it was received."""
        self.take_out(message)
        self._visible_time += now
        message.deadline = GONE
        self.moved_out += 1
        self._left_time += now - message.arrived_at

    # ---------------------------------------------------------------- time

    def counts(self, now: float) -> Counts:
        """Messages by state at `now`.

        Raises:
            TimeRanBackwards: `now` is earlier than at the last call.
        """
        self.advance(now)
        return Counts(self.visible, self.in_flight, self.delayed)

    def attend(self, now: float) -> None:
        """Do what is due by `now`, before a call that the queue must be there for.

        Raises:
            QueueDoesNotExist: it was deleted.
            TimeRanBackwards: `now` is earlier than at the last call.
        """
        if self.deleted_at is not None:
            raise QueueDoesNotExist("The specified queue does not exist.")
        self.advance(now)

    def advance(self, now: float) -> None:
        """Do what is due by `now`; idempotent. Whoever listens is told if something can be received again.

        Raises:
            InvalidParameterValue: `now` is infinite.
            TimeRanBackwards: `now` is earlier than at the last call.
            TimeRanAhead: `now` is later than the time of the simulation that the queue is in.
        """
        check_now(self.name, now, self.looked_at)
        if self.clock is not None:
            check_not_ahead(self.name, now, self.clock)
        self.looked_at = now
        if self.catch_up is not None:
            self.catch_up(now)
        hidden = self.in_flight + self.delayed
        self.settle(now)
        if self.in_flight + self.delayed < hidden and self.on_change is not None and self.receivable:
            self.on_change()

    def check(self, now: float, *, deep: bool = True) -> None:
        """Assert that the books balance: every message that came is somewhere, once.

        Args:
            now: [s].
            deep: also look at each message. Cost: O(n) instead of O(1).

        Raises:
            AuditError: says which numbers differ.
            TimeRanBackwards: `now` is earlier than at the last call.
        """
        self.advance(now)
        self.balance(now, deep=deep)

    # ---------------------------------------------------------------- dead letters

    def accept(self, message: Message, now: float, source: str) -> None:
        """Take in a message that another queue's redrive policy gave up (SQS-DLQ-4, SQS-RET-2)."""
        if self.on_arrival is not None:
            self.on_arrival(now)
        moved = RedrivenMessage(message, source, now)
        self._visible_time -= now
        self.line_up(moved)
        self.moved_in += 1
        self.retention.add(moved)
        self.due = min(self.due, self.retention.due)
        if self.on_change is not None:
            self.on_change()

    def _dead_letter(self, message: Message, now: float) -> None:
        """Move a message at the receive that would exceed its count (SQS-DLQ-3)."""
        message.deadline = GONE
        self.dead_lettered += 1
        self._visible_time += now
        self._left_time += now - message.arrived_at
        target = self.dead_letter_queue
        assert target is not None  # noqa: S101 - narrows the type; a finite max_receive_count comes with a target
        target.accept(message, now, self.name)

    def _read(self, handle: object) -> Receipt:
        receipt = read_handle(self.base, handle)
        if receipt.receive_count < 1:
            raise ReceiptHandleIsInvalid(f'The input receipt handle "{handle}" is not a valid receipt handle.')
        return receipt
