"""Driving a consumer: each kind of fault strikes once, at its time."""

import pytest

import msgsim as ms
from msgsim.bus.receipts import Delivery
from msgsim.errors import DeclarationError
from msgsim.testing import Bus, Fault, drive


class Log:
    """A consumer that notes what it handles, and when."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.lines: list[tuple[float, str, int]] = []
        self.starts = 1

    def __call__(self, delivery: Delivery) -> None:
        self.lines.append((self.bus.now, delivery.body, delivery.receive_count))

    def restart(self) -> None:
        self.starts += 1


def made(*bodies: str, **settings: float) -> tuple[Bus, ms.StandardQueue, Log]:
    bus = Bus()
    queue = bus.queue(visibility_timeout=30, **settings)
    for body in bodies:
        queue.send(body, bus.now)
    return bus, queue, Log(bus)


def test_without_faults_everything_is_handled_once_and_deleted() -> None:
    bus, queue, log = made("a", "b")
    queue.send("later", bus.now, delay=10)
    deliveries = drive(bus, queue, log)
    assert log.lines == [(0, "a", 1), (0, "b", 1), (10, "later", 1)]
    assert [delivery.body for delivery in deliveries] == ["a", "b", "later"]
    assert queue.deleted == 3
    assert bus.now == 10


def test_a_crash_comes_before_the_delete_and_takes_the_batch_along() -> None:
    bus, queue, log = made("a", "b")
    drive(bus, queue, log, faults=[Fault(kind="crash")], restart=log.restart)
    assert log.lines == [(0, "a", 1), (30, "a", 2), (30, "b", 2)]
    assert log.starts == 2


def test_a_crash_needs_no_restart() -> None:
    bus, queue, log = made("a")
    drive(bus, queue, log, faults=[Fault(kind="crash")])
    assert log.lines == [(0, "a", 1), (30, "a", 2)]


def test_a_redelivery_leaves_the_rest_of_the_batch_alone() -> None:
    bus, queue, log = made("a", "b")
    drive(bus, queue, log, faults=[Fault(kind="redelivery")], restart=log.restart)
    assert log.lines == [(0, "a", 1), (0, "b", 1), (30, "a", 2)]
    assert log.starts == 1


def test_a_duplicate_is_handed_over_twice() -> None:
    bus, queue, log = made("a", "b")
    deliveries = drive(bus, queue, log, faults=[Fault(kind="duplicate")])
    assert log.lines == [(0, "a", 1), (0, "a", 1), (0, "b", 1)]
    assert len(deliveries) == 3
    assert queue.deleted == 2


def test_nothing_is_received_during_an_outage() -> None:
    bus, queue, log = made("a")
    drive(bus, queue, log, faults=[Fault(kind="outage", duration=5), Fault(kind="outage", at=2, duration=6)])
    assert log.lines == [(8, "a", 1)]


def test_a_fault_waits_for_its_time() -> None:
    bus, queue, log = made("a")
    queue.send("b", bus.now, delay=5)
    drive(bus, queue, log, faults=[Fault(kind="duplicate", at=3)])
    assert log.lines == [(0, "a", 1), (5, "b", 1), (5, "b", 1)]


def test_what_the_consumer_does_not_want_deleted_comes_again_until_it_is_dead_lettered_or_time_is_up() -> None:
    bus = Bus()
    queue = bus.queue(visibility_timeout=30, redrive=ms.Redrive(to="dead", max_receive_count=2))
    queue.send("a", bus.now)
    assert [each.receive_count for each in drive(bus, queue, lambda _: False)] == [1, 2]
    assert queue.dead_lettered == 1
    bus, queue, _ = made("a")
    assert [each.receive_count for each in drive(bus, queue, lambda _: False, duration=65)] == [1, 2, 3]


def test_the_last_of_a_message_may_be_its_retention() -> None:
    bus, queue, log = made("a", retention=60)
    queue.receive(bus.now, visibility_timeout=100)
    assert drive(bus, queue, log) == []
    assert queue.expired == 1


def test_a_consumer_may_be_an_object() -> None:
    class Consumer:
        def consume(self, delivery: Delivery) -> bool:
            return delivery.receive_count > 1

    bus, queue, _ = made("a")
    assert [each.receive_count for each in drive(bus, queue, Consumer())] == [1, 2]


def test_what_cannot_be_driven() -> None:
    bus, queue, log = made("a")
    with pytest.raises(DeclarationError, match=r"drive.consumer: None is no function of a delivery, and has no `cons"):
        drive(bus, queue, None)
    with pytest.raises(
        DeclarationError, match=r"drive.queue: .* is not on <Bus now=0 empty>: only what is on it is mov"
    ):
        drive(Bus(), queue, log)
    with pytest.raises(DeclarationError, match=r"drive.duration: -1 is not allowed; allowed: 0 s or more"):
        drive(bus, queue, log, duration=-1)
    assert log.lines == []


def test_a_queue_that_was_made_elsewhere_is_put_on_the_bus() -> None:
    bus = Bus()
    log = Log(bus)
    queue = bus.add(ms.StandardQueue(ms.Queue()))
    queue.send("a", bus.now)
    drive(bus, queue, log)
    assert log.lines == [(0, "a", 1)]
