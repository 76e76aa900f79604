"""Move tasks: messages that leave a dead-letter queue again."""

from math import inf, nextafter
from typing import Any

import pytest

from msgsim.bus.fifo import FifoQueue
from msgsim.bus.moves import MoveTask
from msgsim.bus.queue import Queue, Redrive
from msgsim.bus.standard import StandardQueue
from msgsim.errors import InvalidParameterValue, QueueDoesNotExist, TimeRanBackwards


class Bus:
    """Two queues, "a" and "b", with one dead-letter queue."""

    def __init__(self, dead: Queue | None = None, **settings: Any) -> None:
        self.dead = StandardQueue(dead or Queue(), "dead")
        redrive = Redrive(to="dead", max_receive_count=1)
        declared = Queue(visibility_timeout=0, redrive=redrive, **settings)
        self.a = StandardQueue(declared, "a", dead_letter_queue=self.dead)
        self.b = StandardQueue(declared, "b", dead_letter_queue=self.dead)

    def bury(self, queue: StandardQueue, bodies: str, now: float = 0, **settings: Any) -> None:
        """Send messages and have them dead-lettered."""
        for body in bodies:
            queue.send(body, now, **settings)
            queue.receive(now)
            queue.receive(now)


def visible(queue: StandardQueue | FifoQueue, now: float) -> str:
    return "".join(delivery.body for delivery in queue.receive(now, 10))


class TestStart:
    @pytest.mark.rule("SQS-MOV-1")
    def test_the_source_must_be_a_dead_letter_queue(self) -> None:
        bus = Bus()
        with pytest.raises(InvalidParameterValue, match=r"^Source queue must be configured as a Dead Letter Queue\.$"):
            bus.a.start_move(0)
        assert bus.dead.start_move(0).state == "RUNNING"

    @pytest.mark.rule("SQS-MOV-1")
    def test_the_destination_must_exist_be_another_one_and_of_the_same_type(self) -> None:
        bus = Bus()
        bus.b.close(0)
        with pytest.raises(QueueDoesNotExist):
            bus.dead.start_move(0, bus.b)
        with pytest.raises(InvalidParameterValue, match="must not be the same"):
            bus.dead.start_move(0, bus.dead)
        fifo: Any = FifoQueue(Queue(fifo=True), "f")
        with pytest.raises(InvalidParameterValue, match="must be of the same type"):
            bus.dead.start_move(0, fifo)
        assert bus.dead.move is None

    @pytest.mark.rule("SQS-MOV-3")
    @pytest.mark.parametrize("rate", [0, nextafter(1, 0), nextafter(500, inf), "1"])
    def test_the_rate_has_bounds(self, rate: Any) -> None:
        bus = Bus()
        with pytest.raises(InvalidParameterValue, match="MaxNumberOfMessagesPerSecond"):
            bus.dead.start_move(0, rate=rate)
        assert [Bus().dead.start_move(0, rate=allowed).state for allowed in (1, 500)] == ["RUNNING", "RUNNING"]

    def test_relaxed_quotas_have_no_bound(self) -> None:
        bus = Bus(Queue(quotas="relaxed"))
        bus.bury(bus.a, "xy")
        task = bus.dead.start_move(0, rate=1e6)
        task.advance(1e-6)
        assert task.moved == 2

    @pytest.mark.rule("SQS-MOV-3")
    def test_a_source_has_one_task_at_a_time(self) -> None:
        bus = Bus()
        bus.bury(bus.a, "x")
        task = bus.dead.start_move(0, rate=1)
        with pytest.raises(InvalidParameterValue, match=r"^There is already a task running\. Only one active task is"):
            bus.dead.start_move(0)
        task.cancel(0)
        with pytest.raises(InvalidParameterValue, match="already a task running"):
            bus.dead.start_move(0)
        task.advance(1)
        assert bus.dead.start_move(1).state == "RUNNING"

    def test_whoever_drives_the_queue_is_told(self) -> None:
        bus = Bus()
        told: list[MoveTask] = []
        bus.dead.on_move = told.append
        assert told == [bus.dead.start_move(0)] or told[0] is bus.dead.move


class TestMoving:
    @pytest.mark.rule("SQS-MOV-3")
    def test_messages_go_in_order_at_the_rate(self) -> None:
        bus, other = Bus(), StandardQueue(Queue(), "other")
        bus.bury(bus.a, "xyz")
        task = bus.dead.start_move(10, other, rate=2)
        seen = []
        while (due := task.next_deadline()) is not None:
            task.advance(due)
            seen.append((due, other.counts(due).visible, task.state))
        assert seen == [(10, 1, "RUNNING"), (10.5, 2, "RUNNING"), (11, 3, "RUNNING"), (11.5, 3, "COMPLETED")]
        assert (task.moved, task.started_at, visible(other, 12)) == (3, 10, "xyz")
        assert (bus.dead.moved_out, other.moved_in, other.sent) == (3, 3, 0)
        for queue in (bus.dead, other):
            queue.check(12)
            assert queue.residence(12) == pytest.approx(sum(queue.integrals(12)))
        assert repr(task) == "<MoveTask 'dead' COMPLETED moved=3>"

    @pytest.mark.rule("SQS-MOV-3")
    def test_without_a_rate_it_is_as_fast_as_is_allowed(self) -> None:
        bus = Bus()
        bus.bury(bus.a, "x" * 9)
        task = bus.dead.start_move(0)
        task.advance(nextafter(7 / 500, 0))
        assert task.moved == 7
        task.advance(7 / 500)
        assert task.moved == 8

    @pytest.mark.rule("SQS-MOV-2")
    def test_without_a_destination_each_message_goes_home(self) -> None:
        bus = Bus()
        bus.bury(bus.a, "x")
        bus.bury(bus.b, "y")
        bus.bury(bus.a, "z")
        bus.a.set_attributes(0, redrive=None)
        bus.dead.start_move(0).advance(1)
        assert (visible(bus.a, 1), visible(bus.b, 1), visible(bus.dead, 1)) == ("xz", "y", "")

    @pytest.mark.rule("SQS-MOV-2")
    def test_a_message_without_a_home_fails_the_task(self) -> None:
        bus = Bus()
        bus.dead.send("x", 0)
        task = bus.dead.start_move(0)
        task.advance(0)
        assert (task.state, task.failure_reason) == ("FAILED", "CouldNotDetermineMessageSource")
        assert (bus.dead.counts(0), task.next_deadline()) == ((1, 0, 0), None)

    @pytest.mark.rule("SQS-MOV-4")
    def test_a_moved_message_is_a_new_one(self) -> None:
        bus = Bus()
        bus.a.send("x", 0, attributes={"k": 1}, group_id="t")
        first = bus.a.receive(0)[0]
        bus.a.receive(0)
        [dead] = bus.dead.receive(0, 1, 0)
        assert (dead.message_id, dead.receive_count, dead.sent_at) == (first.message_id, 2, 0)
        bus.dead.start_move(100, rate=1).advance(100)
        [moved] = bus.a.receive(100)
        assert moved.message_id != first.message_id
        assert (moved.receive_count, moved.sent_at, moved.first_received_at) == (1, 100, 100)
        assert (moved.body, moved.attributes, moved.group_id) == ("x", {"k": 1}, "t")
        assert (moved.origin_id, moved.origin_at) == (first.origin_id, 0)
        assert bus.a.counts(100 + 345_600) == (1, 0, 0)
        assert bus.a.counts(nextafter(100 + 345_600, inf)) == (0, 0, 0)

    def test_ids_do_not_collide_with_those_of_later_sends(self) -> None:
        bus = Bus()
        bus.bury(bus.a, "xy")
        bus.dead.start_move(0).advance(1)
        bus.a.send("z", 1)
        assert len({delivery.message_id for delivery in bus.a.receive(1, 10)}) == 3

    def test_the_delay_of_the_destination_holds(self) -> None:
        bus = Bus(delay=5)
        bus.a.send("x", 0, delay=0)
        bus.a.receive(0)
        bus.a.receive(0)
        bus.dead.start_move(10).advance(10)
        assert (bus.a.counts(nextafter(15, 0)), bus.a.counts(15)) == ((0, 0, 1), (1, 0, 0))

    def test_what_cannot_be_received_stays(self) -> None:
        bus = Bus()
        bus.bury(bus.a, "xyz")
        bus.dead.receive(0)
        task = bus.dead.start_move(0)
        task.advance(1)
        assert (task.state, task.moved, bus.dead.counts(1)) == ("COMPLETED", 2, (0, 1, 0))

    def test_returned_messages_go_in_their_place(self) -> None:
        bus, other = Bus(), StandardQueue(Queue(), "other")
        bus.bury(bus.a, "wxyz")
        handles = [delivery.receipt_handle for delivery in bus.dead.receive(0, 3)]
        bus.dead.change_visibility(handles[0], 0, 0)
        bus.dead.change_visibility(handles[2], 0, 0)
        bus.dead.delete(handles[1], 0)
        bus.dead.start_move(0, other).advance(1)
        assert visible(other, 1) == "wyz"

    def test_what_was_deleted_in_the_line_is_passed_over(self) -> None:
        bus, other = Bus(), StandardQueue(Queue(), "other")
        bus.bury(bus.a, "xyz")
        first, second = bus.dead._fresh[0], bus.dead._fresh[1]
        bus.dead.remove(second, second.receive_count, 0)
        assert bus.dead.take(0, 1, 30) == [first]
        bus.dead.start_move(0, other).advance(1)
        assert visible(other, 1) == "z"

    def test_tenants_are_moved_oldest_first(self) -> None:
        bus, other = Bus(), StandardQueue(Queue(), "other")
        for body, tenant in (("x", "t"), ("y", None), ("z", "t"), ("w", None)):
            bus.bury(bus.a, body, group_id=tenant)
        bus.dead.start_move(0, other).advance(1)
        bus.dead.check(1)
        assert visible(other, 1) == "xyzw"

    def test_whoever_waits_at_the_destination_is_told(self) -> None:
        bus = Bus()
        bus.bury(bus.a, "x")
        heard: list[int] = []
        bus.a.on_change = lambda: heard.append(bus.a.visible)
        bus.dead.start_move(0).advance(0)
        assert heard == [1]

    def test_what_drives_the_queues_is_asked_first(self) -> None:
        bus = Bus()
        bus.bury(bus.a, "x")
        asked: list[tuple[str, float]] = []
        bus.dead.on_arrival = lambda now: asked.append(("dead", now))
        bus.a.on_arrival = lambda now: asked.append(("a", now))
        bus.dead.start_move(3).advance(3)
        assert asked == [("dead", 3), ("a", 3)]

    def test_a_queue_that_was_looked_at_later_is_not_changed_before(self) -> None:
        bus = Bus()
        bus.bury(bus.a, "xyz")
        task = bus.dead.start_move(0, rate=1)
        bus.a.counts(5)
        task.advance(6)
        assert (task.moved, sum(bus.a.integrals(6))) == (3, 3)
        with pytest.raises(TimeRanBackwards):
            bus.dead.counts(4)


class TestEnd:
    @pytest.mark.rule("SQS-MOV-5")
    def test_cancelling_stops_the_rest_and_undoes_nothing(self) -> None:
        bus = Bus()
        bus.bury(bus.a, "wxyz")
        task = bus.dead.start_move(0, rate=1)
        assert task.cancel(1) == 2
        assert (task.state, task.next_deadline()) == ("CANCELLING", 2)
        task.advance(2)
        assert (task.state, task.moved, task.next_deadline()) == ("CANCELLED", 2, None)
        assert (bus.a.counts(9).visible, bus.dead.counts(9).visible) == (2, 2)

    @pytest.mark.rule("SQS-MOV-5")
    def test_only_a_running_task_can_be_cancelled(self) -> None:
        bus = Bus()
        task = bus.dead.start_move(0)
        with pytest.raises(InvalidParameterValue, match=r"^Only active tasks can be cancelled\.$"):
            task.cancel(0)  # there was nothing to move
        assert task.state == "COMPLETED"

    @pytest.mark.rule("SQS-MOV-5")
    @pytest.mark.parametrize("which", ["destination", "home", "source"])
    def test_a_queue_that_is_deleted_fails_it(self, which: str) -> None:
        bus, other = Bus(), StandardQueue(Queue(), "other")
        bus.bury(bus.a, "xyz")
        task = bus.dead.start_move(0, other if which == "destination" else None, rate=1)
        task.advance(0)
        {"destination": other, "home": bus.a, "source": bus.dead}[which].close(0.5)
        task.advance(1)
        assert (task.state, task.failure_reason) == ("FAILED", "AWS.SimpleQueueService.NonExistentQueue")
        assert task.moved == 1

    @pytest.mark.rule("SQS-MOV-3")
    def test_it_ends_after_36_hours(self) -> None:
        bus = Bus(retention=1_209_600, dead=Queue(retention=1_209_600))
        bus.bury(bus.a, "x" * 1_000)
        task = bus.dead.start_move(0, rate=1)
        task._rate = 1 / 200  # the service's slowest rate would take 129,600 messages
        task.advance(nextafter(129_600, 0))
        assert (task.state, task.moved) == ("RUNNING", 648)
        task.advance(129_600)
        assert (task.state, task.moved) == ("FAILED", 648)
        assert task.failure_reason == "The task has run for its longest time."

    def test_time_does_not_run_backwards(self) -> None:
        task = Bus().dead.start_move(5)
        with pytest.raises(TimeRanBackwards, match="MoveTask"):
            task.advance(4)


class TestFifo:
    @pytest.mark.rule("SQS-MOV-4")
    def test_groups_keep_their_order(self) -> None:
        dead = FifoQueue(Queue(fifo=True), "dead")
        redrive = Redrive(to="dead", max_receive_count=1)
        queue = FifoQueue(Queue(fifo=True, visibility_timeout=0, redrive=redrive), "q", dead_letter_queue=dead)
        for number, group in enumerate("ghggh"):
            queue.send(str(number), 0, group_id=group, deduplication_id=str(number))
        sent = {delivery.message_id for delivery in queue.receive(0, 10)}
        assert queue.receive(0, 10) == []
        assert dead.counts(0) == (5, 0, 0)
        task = dead.start_move(1, rate=1)
        task.advance(3)
        assert (task.moved, queue.moved_in, queue.sent) == (3, 3, 5)
        task.advance(9)
        assert task.state == "COMPLETED"
        moved = queue.receive(9, 10)
        assert {(delivery.group_id, delivery.receive_count) for delivery in moved} == {("g", 1), ("h", 1)}
        for group, order in (("g", "023"), ("h", "14")):
            assert "".join(delivery.body for delivery in moved if delivery.group_id == group) == order
        assert not sent & {delivery.message_id for delivery in moved}
        for each in (queue, dead):
            each.check(9)
            assert each.residence(9) == pytest.approx(sum(each.integrals(9)))

    def test_a_blocked_group_stays(self) -> None:
        dead = FifoQueue(Queue(fifo=True), "dead")
        queue = FifoQueue(
            Queue(fifo=True, redrive=Redrive(to="dead", max_receive_count=1)), "q", dead_letter_queue=dead
        )
        for number, group in enumerate("ggh"):
            dead.send(str(number), 0, group_id=group, deduplication_id=str(number))
        dead.receive(0)
        task = dead.start_move(0, queue)
        task.advance(1)
        assert (task.moved, task.state, visible(queue, 1)) == (1, "COMPLETED", "2")
        assert dead.counts(1) == (1, 1, 0)
