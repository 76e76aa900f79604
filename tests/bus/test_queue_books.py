"""Standard queues: books that balance, memory that is bounded, costs that do not grow."""

import gc
import sys
import tracemalloc
from collections.abc import Callable, Iterable
from math import inf
from types import FrameType
from typing import Any

import pytest

from msgsim.bus.ledger import Counts
from msgsim.bus.message import GONE, Message
from msgsim.bus.queue import Queue, Redrive
from msgsim.bus.standard import StandardQueue
from msgsim.errors import AuditError

BODY = "the body that all share"


def make(**settings: Any) -> StandardQueue:
    return StandardQueue(Queue(**settings), "q")


def busy() -> StandardQueue:
    """At 20: one each visible, returned, in flight and delayed; others were deleted, purged, expired, dead-lettered."""
    queue = make(retention=60, visibility_timeout=5, redrive=Redrive(to="d", max_receive_count=1))
    queue.send("purged", 0)
    queue.purge(0.5)
    queue.send("dead", 1)
    queue.receive(2)
    queue.receive(8)
    queue.send("deleted", 9)
    queue.delete(queue.receive(10)[0].receipt_handle, 11)
    queue.send("returned", 12)
    queue.send("in flight", 13)
    queue.receive(14, 1, 1)
    queue.receive(14, 1, 40)
    queue.send("visible", 15)
    queue.send("delayed", 16, delay=30)
    queue.advance(20)
    return queue


class TestBooks:
    def test_counts_are_by_state_and_disjoint(self) -> None:
        assert busy().counts(20) == Counts(visible=2, in_flight=1, delayed=1)

    def test_every_message_that_came_is_somewhere_once(self) -> None:
        queue = busy()
        queue.check(20)
        assert (queue.sent, queue.purged, queue.dead_lettered, queue.deleted) == (7, 1, 1, 1)
        assert sum(queue.counts(20)) == 4
        assert (queue.moved_out, queue.deduplicated, queue.duplicate_work, queue.expired) == (0, 0, 0, 0)
        queue.check(200)
        assert queue.expired == 4

    def test_integrals_by_state(self) -> None:
        queue = busy()
        visible = 0.5 + 1 + 1 + 1 + (2 + 5) + 1 + 5  # the dead one twice, then deleted, returned, in flight, visible
        assert queue.integrals(20) == pytest.approx((visible, 5 + 1 + 1 + 6, 4), abs=1e-9)

    @pytest.mark.parametrize("now", [20, 30, 46, 60, 75, 76.5, 200])
    def test_the_time_in_all_states_is_the_time_that_messages_were_here(self, now: float) -> None:
        queue = busy()
        queue.advance(now)
        assert sum(queue.integrals(now)) == pytest.approx(queue.residence(now), abs=1e-9)

    def test_residence_counts_those_that_left_in_any_way_and_those_still_here(self) -> None:
        assert busy().residence(20) == 0.5 + 7 + 2 + 8 + 7 + 5 + 4

    def test_the_age_of_the_oldest_leaves_out_what_was_received_three_times(self) -> None:
        queue = make(visibility_timeout=1)
        assert queue.age_of_oldest(0) == 0
        queue.send("poison", 0)
        queue.send("b", 2)
        assert queue.age_of_oldest(3) == 3
        for now in (3, 4):
            queue.receive(now)
        assert queue.age_of_oldest(5) == 5
        queue.receive(5)
        assert queue.age_of_oldest(5.5) == 3.5
        queue.advance(6)
        assert queue.age_of_oldest(7) == 5

    def test_the_age_of_the_oldest_looks_at_delayed_messages_too(self) -> None:
        queue = make()
        queue.send("a", 1, delay=50)
        assert queue.age_of_oldest(11) == 10

    def test_the_age_of_the_oldest_steps_over_what_is_gone(self) -> None:
        queue = make(retention=60)
        source = make()
        for sent_at, moved_at in ((30, 50), (0, 51), (40, 55)):
            queue.accept(source.enqueue(BODY, None, sent_at, None, 0), moved_at, "q")
        assert queue.counts(70) == (2, 0, 0)
        [first] = queue.take(70, 1, 30)
        queue.finish_one(first, 71)
        assert queue.age_of_oldest(80) == 25
        assert [message.arrived_at for message in queue.take(80, 10, 30)] == [55]


class TestCheck:
    @pytest.mark.parametrize(
        "counter", ["sent", "moved_in", "deleted", "dead_lettered", "moved_out", "expired", "purged"]
    )
    def test_finds_a_counter_that_is_wrong(self, counter: str) -> None:
        queue = busy()
        setattr(queue, counter, getattr(queue, counter) + 1)
        with pytest.raises(AuditError, match=r"^queue 'q' at 20 s: sent \d \+ moved_in \d is not left \d \+ Counts\("):
            queue.check(20)

    def test_finds_a_lost_message(self) -> None:
        queue = busy()
        queue._fresh.pop()
        with pytest.raises(AuditError, match="is not left"):
            queue.check(20)

    def test_finds_a_lost_sojourn(self) -> None:
        queue = busy()
        queue.sojourns.pop()
        with pytest.raises(AuditError, match="it has 0 sojourns of 1 deleted messages"):
            queue.check(20)

    @pytest.mark.parametrize("state", ["fresh", "in flight", "delayed"])
    def test_finds_a_message_that_is_not_where_it_says(self, state: str) -> None:
        queue = busy()
        where: dict[str, Iterable[Message]] = {
            "fresh": queue._fresh,
            "in flight": queue.flights,
            "delayed": queue._delayed,
        }
        next(iter(where[state])).deadline = GONE
        queue.check(20, deep=False)
        with pytest.raises(AuditError, match=r"^queue 'q' at 20 s: its containers hold Counts\(.*its counters say"):
            queue.check(20)

    def test_finds_counters_that_make_up_for_each_other(self) -> None:
        queue = busy()
        queue.in_flight += 1
        queue.delayed -= 1
        queue.check(20, deep=False)
        with pytest.raises(AuditError, match=r"hold Counts\(visible=2, in_flight=1, delayed=1\)"):
            queue.check(20)

    def test_is_an_assertion(self) -> None:
        queue = busy()
        queue.sent = 0
        with pytest.raises(AssertionError):
            queue.check(20)


def bytes_per_message(send: Callable[[float], object], count: int) -> float:
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(count):
            send(number / 7)
        return (tracemalloc.get_traced_memory()[0] - before) / count
    finally:
        tracemalloc.stop()


class TestMemory:
    """100,000 messages at 100,000 different times that share a body and have no attributes."""

    @pytest.mark.slow
    def test_of_a_message_that_was_sent(self) -> None:
        queue = make()
        assert bytes_per_message(lambda now: queue.send(BODY, now), 100_000) <= 200
        assert queue.visible == 100_000

    def test_of_a_message_that_was_enqueued(self) -> None:
        queue = make()
        assert bytes_per_message(lambda now: queue.enqueue(BODY, None, now, None, now), 100_000) <= 200
        assert queue.visible == 100_000

    def test_long_timeouts_do_not_keep_what_was_deleted(self) -> None:
        queue = make(visibility_timeout=43_200)
        for second in range(20_000):
            queue.send(BODY, second)
            queue.delete(queue.receive(second)[0].receipt_handle, second)
        assert len(queue.flights.line) <= 200
        assert len(queue._handles) <= 2_100
        assert queue.flights.index is None

    def test_long_timeouts_on_the_hot_path_do_not_keep_what_was_deleted(self) -> None:
        queue = make(visibility_timeout=43_200)
        for second in range(20_000):
            queue.enqueue(BODY, None, second, None, second)
            batch = queue.take(second, 10, 43_200)
            queue.finish(batch, [0.5], None, second + 43_200, 0, second, inf)
        assert len(queue.flights.line) <= 200

    def test_changed_timeouts_do_not_keep_what_was_deleted(self) -> None:
        queue = make()
        queue.send(BODY, 0)
        queue.receive(0, 1, 43_200)
        for second in range(5_000):
            queue.send(BODY, second)
            handle = queue.receive(second)[0].receipt_handle
            queue.change_visibility(handle, 20_000, second)
            queue.delete(handle, second)
        assert len(queue.flights.line) <= 200
        assert queue.flights.index is None

    def test_heartbeats_do_not_accumulate(self) -> None:
        queue = make()
        queue.send(BODY, 0)
        handle = queue.receive(0)[0].receipt_handle
        for second in range(5_000):
            queue.change_visibility(handle, 30, second)
        assert len(queue.flights.line) <= 200

    def test_retention_keeps_no_messages_that_were_deleted(self) -> None:
        queue = make(retention=60)
        queue.send(BODY, 0)
        queue.receive(0, 1, 43_200)
        for tenth in range(1, 20_000):
            queue.send(BODY, tenth / 10)
            queue.delete(queue.receive(tenth / 10)[0].receipt_handle, tenth / 10)
        assert queue.retention.heap is None or len(queue.retention.heap) <= 2_100

    def test_a_queue_that_is_nearly_empty_keeps_no_places(self) -> None:
        queue = make(visibility_timeout=1)
        for second in range(0, 3_000, 3):
            queue.send(BODY, second)
            for third in range(3):
                delivery = queue.receive(second + third)[0]
            queue.advance(second + 3)
            queue.delete(delivery.receipt_handle, second + 3)
        assert (len(queue._places), len(queue._returned), len(queue._fresh)) == (0, 0, 0)


def operations(run: Callable[[], object]) -> int:
    """How many functions are called meanwhile, Python's own included: costs without a clock."""
    count = 0

    def tally(_frame: FrameType, kind: str, _argument: object) -> None:
        nonlocal count
        if kind in ("call", "c_call"):
            count += 1

    before = sys.getprofile()
    gc.disable()  # a collection has callbacks, of Hypothesis for one
    sys.setprofile(tally)
    try:
        run()
    finally:
        sys.setprofile(before)
        gc.enable()
    return count


def backlog(count: int, **settings: Any) -> StandardQueue:
    queue = make(**settings)
    for _ in range(count):
        queue.enqueue(BODY, None, 0, None, 0)
    queue.settle(0)
    return queue


class TestCost:
    """Of one operation with 30 times as many messages around it: the same, or little more where it is O(log n)."""

    @pytest.mark.parametrize("count", [300, 9_000])
    def test_sending_and_taking_do_not_depend_on_the_backlog(self, count: int) -> None:
        queue = backlog(count)
        assert operations(lambda: queue.enqueue(BODY, None, 1, None, 1)) <= 5
        assert operations(lambda: queue.send(BODY, 1.0)) <= 25
        assert operations(lambda: queue.take(1, 10, 30)) <= 21
        assert operations(lambda: queue.receive(1)) <= 28

    @pytest.mark.parametrize("count", [300, 9_000])
    def test_deleting_does_not_depend_on_the_number_in_flight(self, count: int) -> None:
        queue = backlog(count, visibility_timeout=500)
        handles = [queue.receive(1)[0].receipt_handle for _ in range(count)]
        assert operations(lambda: queue.delete(handles[count // 2], 2)) <= 25

    @pytest.mark.parametrize("count", [300, 9_000])
    def test_changing_a_timeout_depends_little_on_the_number_in_flight(self, count: int) -> None:
        queue = backlog(count, visibility_timeout=500)
        handles = [queue.receive(1)[0].receipt_handle for _ in range(count)]
        for handle in handles:
            queue.change_visibility(handle, 100, 2)
        assert operations(lambda: queue.change_visibility(handles[count // 2], 90, 3)) <= 80
        assert operations(lambda: queue.change_visibility(handles[count // 2], 0, 3)) <= 80

    @pytest.mark.parametrize("count", [300, 9_000])
    def test_finishing_depends_on_the_batch_only(self, count: int) -> None:
        queue = backlog(count)
        batch = queue.take(1, 10, 30)
        assert operations(lambda: queue.finish(batch, [0.1] * 10, None, 31, 0, 1, inf)) <= 30

    @pytest.mark.parametrize("count", [300, 9_000])
    def test_a_timeout_costs_as_much_as_there_comes_back(self, count: int) -> None:
        queue = backlog(count)
        for second in range(0, count, 10):
            queue.take(second / 1_000, 10, 30)
        assert operations(lambda: queue.settle(30)) <= 170
        assert queue.visible == 10

    @pytest.mark.parametrize("count", [300, 9_000])
    def test_looking_again_costs_nothing(self, count: int) -> None:
        queue = backlog(count)
        assert operations(lambda: queue.counts(5)) <= 12

    def test_retention_costs_young_messages_nothing(self) -> None:
        queue = make(retention=1_000)

        def work() -> None:
            for tenth in range(10_000):
                now = tenth / 10
                queue.enqueue(BODY, None, now, None, now)
                queue.finish(queue.take(now, 1, 30), [0.0], None, now + 30, 0, now, inf)

        assert operations(work) <= 17 * 10_000
        assert queue.retention.heap is None

    def test_retention_costs_little_when_messages_grow_old(self) -> None:
        queue = make(retention=100)

        def work() -> None:
            for tenth in range(10_000):
                queue.enqueue(BODY, None, tenth / 10, None, 0)
                queue.settle(tenth / 10)

        assert operations(work) <= 33 * 10_000
        assert (queue.visible, queue.expired) == (1_001, 8_999)
