"""A consumer at work on virtual time, while faults strike at their times."""

from collections.abc import Callable, Iterable
from typing import Any

from msgsim.bus.queue import LiveQueue
from msgsim.bus.receipts import Delivery
from msgsim.declare import HOUR
from msgsim.errors import DeclarationError
from msgsim.testing.bus import Bus
from msgsim.testing.faults import CRASH, DUPLICATE, OUTAGE, REDELIVERY, Fault


def handler_of(consumer: Any, path: str) -> Callable[[Delivery], Any]:
    """What a consumer handles a delivery with: its `consume`, or itself if it is a function.

    Raises:
        DeclarationError: it has neither; names `path`.
    """
    handler = getattr(consumer, "consume", consumer)
    if not callable(handler):
        raise DeclarationError(path, f"{consumer!r} is no function of a delivery, and has no `consume(delivery)`")
    found: Callable[[Delivery], Any] = handler
    return found


def drive(
    bus: Bus,
    queue: LiveQueue,
    consumer: Any,
    *,
    faults: Iterable[Fault] = (),
    restart: Callable[[], None] | None = None,
    duration: float = HOUR,
) -> list[Delivery]:
    """Have a consumer handle what a queue delivers until it is empty, moving the clock from deadline to deadline.

    Args:
        bus: whose clock is moved.
        queue: on that bus.
        consumer: an object with `consume(delivery)`, or a function of a delivery, that returns False if the message
            must not be deleted.
        faults: what goes wrong (see `Fault`); each strikes once.
        restart: called after each crash, to make a consumer anew.
        duration: no more than that [s]; what is in flight then stays so.

    Returns:
        What was handed to the consumer, in that order; a duplicate is in it twice.

    Raises:
        DeclarationError: the consumer is none, the queue is not on the bus, or `duration` is negative.
    """
    consume = handler_of(consumer, "drive.consumer")
    if queue not in bus:
        raise DeclarationError("drive.queue", f"{queue!r} is not on {bus!r}: only what is on it is moved in time")
    if not duration >= 0:
        raise DeclarationError("drive.duration", f"{duration!r} is not allowed; allowed: 0 s or more")
    end = bus.now + duration
    waiting = sorted(faults, key=lambda fault: fault.at)
    outages = [fault for fault in waiting if fault.kind == OUTAGE]
    waiting = [fault for fault in waiting if fault.kind != OUTAGE]
    handled: list[Delivery] = []
    while bus.now <= end:
        outage = next((each for each in outages if each.at <= bus.now < each.at + each.duration), None)
        batch = [] if outage else queue.receive(bus.now, 10, wait_time=1)
        for delivery in batch:
            strikes = waiting.pop(0).kind if waiting and waiting[0].at <= bus.now else ""
            for _ in range(2 if strikes == DUPLICATE else 1):
                handled.append(delivery)
                done = consume(delivery) is not False
            if strikes == CRASH:
                if restart is not None:
                    restart()
                break
            if done and strikes != REDELIVERY:
                queue.delete(delivery.receipt_handle, bus.now)
        if batch:
            continue
        then = outage.at + outage.duration if outage else bus.next_deadline()
        if then is None or not sum(queue.counts(bus.now)):
            break
        bus.advance(to=max(bus.now, then))
    return handled
