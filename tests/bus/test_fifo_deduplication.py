"""FIFO queues: what is sent twice within 5 minutes is there once."""

from math import inf, nextafter
from typing import Any

import pytest

from msgsim.bus.deduplication import Deduplication, content_id
from msgsim.bus.fifo import FifoQueue
from msgsim.bus.queue import Queue, Redrive

HASH_OF_TEST = "532eaabd9574880dbf76b9b8cc00832c20a6ec113d682299550d7a6e0f345e25"


def make(**settings: Any) -> FifoQueue:
    return FifoQueue(Queue(fifo=True, **settings), "q")


def waiting(queue: FifoQueue, now: float) -> int:
    return queue.counts(now).visible


class TestWindow:
    @pytest.mark.rule("FIFO-DUP-1")
    @pytest.mark.parametrize(("at", "there"), [(nextafter(310, 0), 1), (310, 2), (nextafter(310, inf), 2)])
    def test_lasts_5_minutes_from_the_first_send(self, at: float, there: int) -> None:
        queue = make()
        queue.send("a", 10, group_id="g", deduplication_id="x")
        queue.send("a", 200, group_id="g", deduplication_id="x")  # a duplicate does not prolong it
        queue.send("b", at, group_id="g", deduplication_id="x")
        assert waiting(queue, at) == there

    @pytest.mark.rule("FIFO-DUP-1")
    def test_begins_anew_with_the_send_that_came_after_it(self) -> None:
        queue = make()
        for at in (0, 300, 599, 600):
            queue.send("a", at, group_id="g", deduplication_id="x")
        assert (waiting(queue, 600), queue.deduplicated) == (3, 1)

    @pytest.mark.rule("FIFO-DUP-2")
    def test_a_duplicate_gets_the_ids_of_the_original(self) -> None:
        queue = make()
        first = queue.send("a", 0, group_id="g", deduplication_id="x")
        again = queue.send("other", 1, group_id="g", deduplication_id="x")
        assert again is first
        assert (again.message_id, again.sequence_number, again.body) == (first.message_id, first.sequence_number, "a")
        assert (queue.sent, queue.deduplicated, waiting(queue, 1)) == (1, 1, 1)

    @pytest.mark.rule("FIFO-DUP-2")
    def test_the_memory_outlives_the_message(self) -> None:
        queue = make()
        first = queue.send("a", 0, group_id="g", deduplication_id="x")
        queue.delete(queue.receive(1)[0].receipt_handle, 1)
        assert queue.send("a", 299, group_id="g", deduplication_id="x") is first
        assert queue.counts(299) == (0, 0, 0)

    @pytest.mark.rule("FIFO-DUP-1")
    def test_the_memory_holds_5_minutes_not_more(self) -> None:
        queue = make()
        for now in range(2_000):
            queue.send("a", now, group_id="g", deduplication_id=f"m{now}")
        assert len(queue._memory) == 300
        memory = Deduplication()
        message: Any = queue.receive(2_000)[0].message
        memory.remember("x", message, 0)
        memory.remember("x", message, 299)
        assert memory.find("x", 300) is None


class TestContent:
    @pytest.mark.rule("FIFO-DUP-3")
    def test_the_id_is_the_hash_of_the_body_alone(self) -> None:
        assert content_id("Test") == HASH_OF_TEST
        queue = make(content_based_deduplication=True)
        first = queue.send("Test", 0, group_id="g", attributes={"k": "a"})
        assert first.deduplication_id == HASH_OF_TEST
        assert queue.send("Test", 1, group_id="g", attributes={"k": "b"}) is first
        assert queue.send("test", 1, group_id="g") is not first

    @pytest.mark.rule("FIFO-DUP-3")
    @pytest.mark.rule("FIFO-DUP-7")
    @pytest.mark.parametrize("ids", [(None, HASH_OF_TEST), (HASH_OF_TEST, None)])
    def test_an_explicit_id_equal_to_the_hash_collides(self, ids: tuple[str | None, str | None]) -> None:
        queue = make(content_based_deduplication=True)
        for given in ids:
            queue.send("Test", 0, group_id="g", deduplication_id=given)
        assert waiting(queue, 0) == 1

    @pytest.mark.rule("FIFO-DUP-3")
    def test_an_explicit_id_comes_first(self) -> None:
        queue = make(content_based_deduplication=True)
        queue.send("Test", 0, group_id="g", deduplication_id="x")
        queue.send("Test", 0, group_id="g", deduplication_id="y")
        queue.send("other", 0, group_id="g", deduplication_id="y")
        assert waiting(queue, 0) == 2

    @pytest.mark.rule("FIFO-DUP-7")
    def test_can_be_switched_on_and_off(self) -> None:
        queue = make()
        queue.send("Test", 0, group_id="g", deduplication_id=HASH_OF_TEST)
        queue.set_attributes(1, content_based_deduplication=True)
        queue.send("Test", 2, group_id="g")
        assert (waiting(queue, 2), queue.deduplicated) == (1, 1)
        queue.set_attributes(3, content_based_deduplication=False)
        with pytest.raises(ValueError, match="ContentBasedDeduplication enabled"):
            queue.send("Test", 4, group_id="g")


class TestScope:
    @pytest.mark.rule("FIFO-DUP-4")
    @pytest.mark.parametrize(("scope", "there"), [("queue", 1), ("messageGroup", 2)])
    def test_is_the_queue_or_the_group(self, scope: str, there: int) -> None:
        queue = make(deduplication_scope=scope)
        for group in ("g", "h", "g"):
            queue.send("a", 0, group_id=group, deduplication_id="x")
        assert waiting(queue, 0) == there

    @pytest.mark.rule("FIFO-DUP-5")
    @pytest.mark.parametrize(("made", "later", "there"), [("queue", "messageGroup", 1), ("messageGroup", "queue", 2)])
    def test_stays_what_it_was_when_the_queue_was_made(self, made: str, later: str, there: int) -> None:
        queue = make(deduplication_scope=made)
        queue.set_attributes(0, deduplication_scope=later)
        assert queue.declaration.deduplication_scope == later
        for group in ("g", "h"):
            queue.send("a", 1, group_id=group, deduplication_id="x")
        assert waiting(queue, 1) == there

    @pytest.mark.rule("FIFO-DUP-5")
    def test_can_be_switched_by_hand(self) -> None:
        queue = make()
        queue.deduplication_scope = "messageGroup"
        for group in ("g", "h"):
            queue.send("a", 1, group_id=group, deduplication_id="x")
        assert waiting(queue, 1) == 2


class TestForgetting:
    @pytest.mark.rule("FIFO-DUP-6")
    @pytest.mark.rule("SQS-PRG-3")
    def test_a_purge_forgets(self) -> None:
        queue = make()
        queue.send("a", 0, group_id="g", deduplication_id="x")
        queue.receive(0, attempt_id="first")
        queue.purge(1)
        assert queue.counts(1) == (0, 0, 0)
        queue.send("b", 1, group_id="g", deduplication_id="x")
        assert [delivery.body for delivery in queue.receive(1, attempt_id="first")] == ["b"]

    @pytest.mark.rule("FIFO-DUP-6")
    @pytest.mark.rule("SQS-DLQ-5")
    def test_a_dead_letter_goes_by_its_message_id(self) -> None:
        dead = FifoQueue(Queue(fifo=True), "dead")
        declared = Queue(fifo=True, visibility_timeout=0, redrive=Redrive(to="dead", max_receive_count=1))
        source = FifoQueue(declared, "source", dead_letter_queue=dead)
        moved = source.send("a", 0, group_id="g", deduplication_id="x")
        dead.send("manual", 0, group_id="g", deduplication_id="x")  # would swallow it by its old id
        source.receive(0)
        source.receive(1)
        assert (dead.counts(1), dead.moved_in, dead.sent) == ((2, 0, 0), 1, 1)
        manual: Any
        letter: Any
        manual, letter = (delivery.message for delivery in dead.receive(1, 10))
        assert letter.deduplication_id == moved.message_id == letter.message_id
        assert letter.sequence_number > manual.sequence_number
        again = dead.send("c", 2, group_id="g", deduplication_id=moved.message_id)
        assert (again.body, dead.deduplicated) == ("a", 1)
