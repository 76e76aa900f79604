"""What must hold, whatever happens: of live queues, of deliveries in the order in which they came, and of runs.

All raise AuditError, which is an AssertionError; all say which numbers or messages they mean.
"""

from collections.abc import Iterable, Iterator

from msgsim.bus.message import Message
from msgsim.bus.queue import LiveQueue
from msgsim.bus.receipts import Delivery
from msgsim.errors import AuditError
from msgsim.run import Run

CAME = ("sent", "moved_in")
LEFT = ("deleted", "dead_lettered", "moved_out", "expired", "purged")
HERE = ("visible", "in_flight", "delayed")
NEVER_FALL = (*CAME, *LEFT, "received", "redelivered")


def check_conservation(subject: LiveQueue | Run, now: float | None = None) -> None:
    """Every message is somewhere, once: sent + moved in = visible + in flight + delayed + all that left.

    Args:
        subject: a live queue, whose messages are counted one by one; or a run, at each of its readings.
        now: of a live queue [s]; None for the time it was last looked at.

    Raises:
        AuditError: a message is missing, or one too many.
        TimeRanBackwards: `now` is earlier than the queue has seen.

    Cost: O(messages), or O(readings).
    """
    if isinstance(subject, LiveQueue):
        subject.check(subject.looked_at if now is None else now)
        return
    subject.audit()
    for name in _queues(subject):
        series = {metric: subject.series(name, metric)[1] for metric in (*CAME, *LEFT, *HERE)}
        for row, time in enumerate(subject.times):
            came = sum(series[metric][row] for metric in CAME)
            rest = sum(series[metric][row] for metric in (*LEFT, *HERE))
            if came != rest:
                raise AuditError(f"queue {name!r} at {time:g} s: {came} messages came, {rest} are accounted for")


def check_no_loss(
    subject: LiveQueue | Run, handled: Iterable[str] | None = None, sent: Iterable[str] | None = None
) -> None:
    """No message went away unhandled: none expired, none was purged, and no delivery of a topic failed for good.

    Args:
        subject: a live queue or a run.
        handled: of a live queue: the ids of the messages that a consumer has handled.
        sent: with `handled`: the ids of those that must have been, unless they are still in the queue or in the
            dead-letter queues behind it.

    Raises:
        AuditError: something was lost; says what.
    """
    if isinstance(subject, Run):
        for name in _queues(subject):
            _check_lost(name, subject.total(name, "expired"), subject.total(name, "purged"))
        for name in subject.scenario.topics:
            failed = subject.total(name, "delivery_failed")
            if failed:
                raise AuditError(f"topic {name!r}: {failed} deliveries failed for good")
        return
    _check_lost(subject.name, subject.expired, subject.purged)
    if handled is None or sent is None:
        return
    kept = {*handled}
    queue: LiveQueue | None = subject
    while queue is not None:
        kept.update(message.message_id for message in queue.live())
        queue = queue.dead_letter_queue
    lost = [message_id for message_id in sent if message_id not in kept]
    if lost:
        raise AuditError(f"queue {subject.name!r}: {', '.join(lost)}: neither handled nor kept anywhere")


def check_order(subject: LiveQueue | Iterable[Delivery]) -> None:
    """Messages of a group are received for the first time in the order in which they were sent (FIFO-ORD-1).

    Args:
        subject: a live FIFO queue, of which the messages that it holds are looked at; or deliveries of one queue, in
            the order in which they were received. Messages without a group have no order.

    Raises:
        AuditError: a message overtook another one of its group.

    Cost: O(n log n).
    """
    overtook = _overtaking(subject) if isinstance(subject, LiveQueue) else _overtaken(subject)
    for earlier, later in overtook:
        raise AuditError(
            f"group {_group(earlier)!r}: {later.message_id} was received before {earlier.message_id}, which was sent "
            "before it"
        )


def check_receive_counts(subject: LiveQueue | Run | Iterable[Delivery]) -> None:
    """Receive counts never fall (SQS-SYS-2); in a run, no counter of a queue does.

    Args:
        subject: a live queue, whose counters and messages must agree; a run; or deliveries, in the order in which they
            were received, of one queue or of several.

    Raises:
        AuditError: a count fell.
    """
    if isinstance(subject, LiveQueue):
        _check_counts_of(subject)
    elif isinstance(subject, Run):
        _check_counters_of(subject)
    else:
        latest: dict[str, int] = {}
        for delivery in subject:
            before = latest.get(delivery.message_id, 0)
            if delivery.receive_count < max(before, 1):
                count = f"receive count {delivery.receive_count}"
                raise AuditError(f"{delivery.message_id} was delivered with {count} after {before}")
            latest[delivery.message_id] = delivery.receive_count


def _queues(run: Run) -> Iterable[str]:
    return run.scenario.queues


def _check_lost(name: str, expired: int, purged: int) -> None:
    if expired or purged:
        raise AuditError(f"queue {name!r}: {expired} messages expired and {purged} were purged")


def _group(message: Message) -> str | None:
    return getattr(message, "group_id", None)


def _overtaking(queue: LiveQueue) -> Iterator[tuple[Message, Message]]:
    waiting: dict[str, Message] = {}
    for message in sorted(queue.live(), key=lambda each: (each.arrived_at, each.number)):
        group = _group(message)
        if group is None:
            continue
        if not message.receives_here:
            waiting.setdefault(group, message)
        elif group in waiting:
            yield waiting[group], message


def _overtaken(deliveries: Iterable[Delivery]) -> Iterator[tuple[Message, Message]]:
    seen: set[str] = set()
    latest: dict[str, Message] = {}
    for delivery in deliveries:
        message, group = delivery.message, delivery.group_id
        if group is None or delivery.message_id in seen:
            continue
        seen.add(delivery.message_id)
        before = latest.get(group)
        if before is not None and (message.arrived_at, message.number) < (before.arrived_at, before.number):
            yield message, before
        latest[group] = message


def _check_counts_of(queue: LiveQueue) -> None:
    received = 0
    for message in queue.live():
        received += message.receives_here
        if not 0 <= message.receives_here <= message.receive_count:
            raise AuditError(f"{message!r}: {message.receives_here} of {message.receive_count} receives were here")
    if received > queue.received:
        raise AuditError(f"queue {queue.name!r}: its messages count {received} receives, it counts {queue.received}")


def _check_counters_of(run: Run) -> None:
    for name in _queues(run):
        for metric in NEVER_FALL:
            values = run.series(name, metric)[1]
            for row in range(1, len(values)):
                if values[row] < values[row - 1]:
                    when = f"between {run.times[row - 1]:g} and {run.times[row]:g} s"
                    raise AuditError(f"{name}.{metric} fell from {values[row - 1]} to {values[row]} {when}")
