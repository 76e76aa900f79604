"""Move tasks: messages leave a dead-letter queue again, at a rate (SQS-MOV-1 ... SQS-MOV-5)."""

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Any

from msgsim.bus.message import Message
from msgsim.declare import check_not_ahead, check_now
from msgsim.errors import InvalidParameterValue
from msgsim.quotas import MOVE_RATE, MOVE_TIME

if TYPE_CHECKING:
    from msgsim.bus.queue import LiveQueue

RUNNING, CANCELLING, CANCELLED, COMPLETED, FAILED = "RUNNING", "CANCELLING", "CANCELLED", "COMPLETED", "FAILED"
ACTIVE = (RUNNING, CANCELLING)

NO_QUEUE = "AWS.SimpleQueueService.NonExistentQueue"
NO_SOURCE = "CouldNotDetermineMessageSource"
TOO_LONG = "The task has run for its longest time."


class MoveTask:
    """Moves the visible messages of a dead-letter queue one by one, in order, until there is none.

    A message in flight or delayed then is not waited for. What is moved is a new message where it comes: another id, a
    new age, no receives (SQS-MOV-4; for the receives that is unconfirmed). A message that did not come by redrive has
    no source to go back to; then the task fails (unconfirmed).

    Args:
        source: a queue that is the dead-letter queue of another one.
        destination: where to; None for each message's own source queue (SQS-MOV-2).
        now: [s].
        rate: messages per second, the first one at `now`; None for the default of `MOVE_RATE`, as the service's own is
            unpublished (SQS-MOV-3).

    Attributes:
        state: RUNNING, then COMPLETED, or CANCELLING and CANCELLED, or FAILED (SQS-MOV-5).
        failure_reason: why it failed; "" if it did not.
        moved: messages so far.
        started_at: [s].
        on_change: called when the next deadline gets earlier; that does not happen, but whoever drives it may set this.

    Raises:
        InvalidParameterValue: no queue has its dead letters in `source`, a task is active there, `destination` is the
            same queue or of the other type, or the rate is not allowed.
        QueueDoesNotExist: one of the queues was deleted.
        TimeRanBackwards: `now` is earlier than at the last call of a queue.
    """

    __slots__ = (
        "_due",
        "_end",
        "_looked_at",
        "_rate",
        "destination",
        "failure_reason",
        "moved",
        "on_change",
        "source",
        "started_at",
        "state",
    )

    def __init__(
        self, source: "LiveQueue", destination: "LiveQueue | None", now: float, *, rate: float | None = None
    ) -> None:
        quotas = source.declaration.quotas
        quota = MOVE_RATE.under(quotas)
        if rate is not None:
            quota.demand(rate)
        source.attend(now)
        if not source.sources():
            raise InvalidParameterValue("Source queue must be configured as a Dead Letter Queue.")
        if source.move is not None and source.move.state in ACTIVE:
            raise InvalidParameterValue(
                "There is already a task running. Only one active task is allowed for a source queue arn at a given "
                "time."
            )
        if destination is not None:
            destination.attend(now)
            if destination is source:
                raise InvalidParameterValue("Source queue and destination queue must not be the same.")
            if destination.declaration.fifo != source.declaration.fifo:
                raise InvalidParameterValue("Source queue and destination queue must be of the same type.")
        self.source = source
        self.destination = destination
        self.state: str = RUNNING
        self.failure_reason = ""
        self.moved = 0
        self.started_at = self._looked_at = self._due = now
        self.on_change: Callable[[], None] | None = None
        self._rate: Any = quota.default if rate is None else rate
        self._end: float = now + (MOVE_TIME.under(quotas).default or inf)
        source.move = self

    def __repr__(self) -> str:
        return f"<MoveTask {self.source.name!r} {self.state} moved={self.moved}>"

    def next_deadline(self) -> float | None:
        """When it moves the next message, or ends [s]; None if it has ended."""
        return min(self._due, self._end) if self.state in ACTIVE else None

    def advance(self, now: float) -> None:
        """Move what is due by `now`; idempotent.

        Each message goes at its own time, or if one of the queues was looked at later, then.

        Raises:
            TimeRanBackwards: `now` is earlier than at the last call.

        Cost: that of a receive and a send per message.
        """
        check_now(repr(self), now, self._looked_at)
        if self.source.clock is not None:
            check_not_ahead(repr(self), now, self.source.clock)
        self._looked_at = now
        while self.state in ACTIVE and min(self._due, self._end) <= now:
            if self.state == CANCELLING:
                self.state = CANCELLED
            elif self._due >= self._end:
                self._fail(TOO_LONG)
            else:
                self._step(self._due)

    def cancel(self, now: float) -> int:
        """Move no more messages; those that were moved stay where they are (SQS-MOV-5).

        Returns:
            How many were moved.

        Raises:
            InvalidParameterValue: the task is not running.
            TimeRanBackwards: `now` is earlier than at the last call.
        """
        self.advance(now)
        if self.state != RUNNING:
            raise InvalidParameterValue("Only active tasks can be cancelled.")
        self.state = CANCELLING
        return self.moved

    def _step(self, at: float) -> None:
        """Move one message, end, or find that a queue was looked at later."""
        source = self.source
        if not source.exists or not (self.destination is None or self.destination.exists):
            self._fail(NO_QUEUE)
            return
        if self._is_ahead(source):
            return
        _prepare(source, at)
        message = source.first_in_line()
        if message is None:
            self.state = COMPLETED
            return
        to = self._home(message)
        if to is None or not to.exists:
            self._fail(NO_SOURCE if to is None else NO_QUEUE)
            return
        if self._is_ahead(to):
            return
        _prepare(to, at)
        source.move_out(message, at)
        to.move_in(message, at)
        self.moved += 1
        self._due = self.started_at + self.moved / self._rate

    def _is_ahead(self, queue: "LiveQueue") -> bool:
        """Whether a queue was looked at later than the task is due; then it is due at that time."""
        if queue.looked_at <= self._due:
            return False
        self._due = queue.looked_at
        return True

    def _home(self, message: Message) -> "LiveQueue | None":
        if self.destination is not None:
            return self.destination
        return self.source.origins.get(getattr(message, "source", ""))

    def _fail(self, reason: str) -> None:
        self.state = FAILED
        self.failure_reason = reason


def _prepare(queue: "LiveQueue", at: float) -> None:
    """Have a queue do what comes before a change at a time."""
    if queue.on_arrival is not None:
        queue.on_arrival(at)
    queue.settle(at)
    queue.looked_at = at
