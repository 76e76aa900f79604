"""Bus: live objects by name, and what is due is done in order of time."""

from math import inf, nextafter

import pytest

import msgsim as ms
from msgsim.errors import DeclarationError, TimeRanBackwards, UnknownName
from msgsim.testing import Bus


def test_a_queue_is_a_queue_of_msgsim_by_fields_or_declaration() -> None:
    bus = Bus()
    emails = bus.queue("emails", visibility_timeout=60)
    audit = bus.queue("audit", ms.Queue(delay=5))
    assert isinstance(emails, ms.StandardQueue)
    assert emails.declaration == ms.Queue(visibility_timeout=60)
    assert audit.declaration == ms.Queue(delay=5)
    assert bus.queues == {"emails": emails, "audit": audit}
    assert repr(bus) == "<Bus now=0 emails, audit>"
    assert repr(Bus(now=7)) == "<Bus now=7 empty>"


def test_a_fifo_queue_and_its_dead_letter_queue() -> None:
    bus = Bus()
    orders = bus.fifo_queue("orders", redrive=ms.Redrive(to="dead", max_receive_count=1))
    other = bus.fifo_queue("other", ms.Queue(fifo=True, redrive=ms.Redrive(to="dead", max_receive_count=2)))
    assert isinstance(bus.queues["dead"], ms.FifoQueue)
    assert orders.dead_letter_queue is other.dead_letter_queue is bus.queues["dead"]


def test_a_name_is_used_once() -> None:
    bus = Bus()
    bus.queue("a")
    for make in (bus.queue, bus.fifo_queue, bus.topic, bus.outbox):
        with pytest.raises(DeclarationError, match="a: the bus has something of that name already"):
            make("a")


def test_time_passes_only_by_advance() -> None:
    bus = Bus(now=100)
    assert bus.advance(20) == 120
    assert bus.advance(to=130) == 130
    assert bus.advance() == bus.now == 130
    with pytest.raises(TimeRanBackwards, match=r"bus: time can't go backwards: now=129.0"):
        bus.advance(-1)


def test_a_visibility_timeout_passes_on_the_way() -> None:
    bus = Bus()
    queue = bus.queue(visibility_timeout=30)
    queue.send("a", bus.now)
    assert [delivery.body for delivery in queue.receive(bus.now)] == ["a"]
    bus.advance(to=nextafter(30, 0))
    assert queue.receive(bus.now) == []
    bus.advance(to=30)
    assert [delivery.receive_count for delivery in queue.receive(bus.now)] == [2]


def test_a_topic_delivers_at_its_own_time_before_the_queue_is_looked_at() -> None:
    bus = Bus()
    queue = bus.queue("q")
    topic = bus.topic("t", subscriptions=[ms.Subscription(endpoint="q", delivery_delay=2, raw=True)])
    topic.publish("news", bus.now)
    assert bus.next_deadline() == 2
    bus.advance(10)
    (message,) = queue.live()
    assert message.arrived_at == 2


def test_a_topic_by_declaration_needs_its_queues() -> None:
    declaration = ms.Topic(subscriptions=[ms.Subscription(endpoint="q")])
    with pytest.raises(UnknownName, match="no queue named 'q'"):
        Bus().topic("t", declaration)


def test_what_a_topic_leaves_to_chance_is_the_same_with_the_same_seed() -> None:
    def delivered(seed: int) -> int:
        bus = Bus(seed=seed)
        bus.queue("q")
        topic = bus.topic("t", subscriptions=[ms.Subscription(endpoint="q", failure_rate=0.5)])
        for _ in range(64):
            topic.publish("news", bus.now)
        return topic.delivered

    assert delivered(1) == delivered(1)
    assert len({delivered(seed) for seed in range(8)}) > 1


def test_an_outbox_delivers_in_time() -> None:
    bus = Bus()
    account = bus.outbox("ses", delivery_delay=3)
    account.send_email(ms.Email(to="a@example.com", subject="s", body="b"), bus.now)
    bus.advance(to=nextafter(3, 0))
    assert account.delivered == 0
    bus.advance(to=3)
    assert account.delivered == 1
    assert bus.outbox("other", ms.Outbox(max_send_rate=2)) is bus.outboxes["other"]


def test_move_tasks_are_driven_too() -> None:
    bus = Bus()
    queue = bus.queue("q", visibility_timeout=0, redrive=ms.Redrive(to="dead", max_receive_count=1))
    queue.send("a", bus.now)
    queue.receive(bus.now)
    assert queue.receive(bus.now) == []
    dead = bus.queues["dead"]
    dead.start_move(bus.now, rate=1)
    bus.advance(10)
    assert queue.counts(bus.now).visible == 1


def test_other_things_with_deadlines_can_be_added() -> None:
    class Alarm:
        def __init__(self) -> None:
            self.times = [5.0, 1.0]
            self.rang: list[float] = []

        def next_deadline(self) -> float | None:
            return self.times[-1] if self.times else None

        def advance(self, now: float) -> None:
            while self.times and self.times[-1] <= now:
                self.rang.append(now)
                self.times.pop()

    bus = Bus(now=2)
    alarm = bus.add(Alarm())
    bus.advance(8)
    assert alarm.rang == [2, 5]  # what was due before is done at once
    assert bus.next_deadline() is None


def test_retention_ends_a_moment_after_its_time() -> None:
    bus = Bus()
    queue = bus.queue(retention=60)
    queue.send("a", bus.now)
    assert bus.next_deadline() == nextafter(60, inf)
    bus.advance(to=60)
    assert queue.counts(bus.now).visible == 1
    bus.advance(1)
    assert queue.counts(bus.now).visible == 0
