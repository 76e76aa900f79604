"""Standard queues: messages that grow too old, and purges."""

from math import inf, nextafter
from typing import Any

import pytest

from msgsim.bus.queue import Queue
from msgsim.bus.standard import StandardQueue
from msgsim.errors import InvalidParameterValue, PurgeQueueInProgress


def make(**settings: Any) -> StandardQueue:
    return StandardQueue(Queue(**settings), "q")


class TestRetention:
    @pytest.mark.rule("SQS-RET-1")
    def test_is_strict(self) -> None:
        queue = make(retention=60)
        queue.send("a", 7)
        assert queue.counts(67) == (1, 0, 0)
        assert queue.counts(nextafter(67, inf)) == (0, 0, 0)
        assert queue.expired == 1

    @pytest.mark.rule("SQS-RET-1")
    @pytest.mark.parametrize("state", ["visible", "in flight", "delayed", "returned", "hidden again"])
    def test_removes_a_message_in_any_state(self, state: str) -> None:
        queue = make(retention=60, visibility_timeout=5)
        queue.send("a", 0, delay=900 if state == "delayed" else 0)
        if state not in {"delayed", "visible"}:
            timeout = 900 if state == "in flight" else 5
            handle = queue.receive(0, 1, timeout)[0].receipt_handle
            if state == "hidden again":
                queue.advance(5)
                queue.change_visibility(handle, 900, 6)
        assert sum(queue.counts(60)) == 1
        assert queue.counts(nextafter(60, inf)) == (0, 0, 0)
        queue.check(61)
        assert (queue.expired, queue.residence(61)) == (1, 60)
        assert sum(queue.integrals(61)) == pytest.approx(60, abs=1e-9)
        assert queue.counts(2_000) == (0, 0, 0)

    @pytest.mark.rule("SQS-RET-1")
    def test_takes_effect_when_it_was_due_however_late_one_looks(self) -> None:
        queue = make(retention=60)
        for second in range(10):
            queue.send("a", second)
        queue.advance(1_000)
        assert (queue.expired, queue.residence(1_000)) == (10, 600)

    @pytest.mark.rule("SQS-RET-1")
    def test_a_late_look_that_receives_finds_nothing(self) -> None:
        queue = make(retention=60)
        queue.send("a", 0)
        queue.send("b", 50)
        assert [each.body for each in queue.receive(100, 10)] == ["b"]

    @pytest.mark.rule("SQS-RET-1")
    def test_messages_of_one_age_go_together(self) -> None:
        queue = make(retention=60)
        for _ in range(5):
            queue.send("a", 0)
        queue.send("b", 1)
        assert [queue.counts(now).visible for now in (60, 60.5, 61, 61.5)] == [6, 1, 1, 0]

    @pytest.mark.rule("SQS-RET-1")
    def test_the_handle_of_an_expired_message_changes_nothing(self) -> None:
        queue = make(retention=60)
        queue.send("a", 0)
        handle = queue.receive(0, 1, 900)[0].receipt_handle
        with pytest.raises(InvalidParameterValue, match="Message does not exist"):
            queue.change_visibility(handle, 5, 61)

    @pytest.mark.rule("SQS-RET-1")
    def test_a_message_that_was_received_three_times_is_as_old_as_any(self) -> None:
        queue = make(retention=60, visibility_timeout=1)
        queue.send("a", 0)
        for now in (1, 2, 3):
            queue.receive(now)
        assert queue.counts(60) == (1, 0, 0)
        assert queue.counts(61) == (0, 0, 0)
        assert queue._places == {}

    @pytest.mark.rule("SQS-RET-1")
    def test_holds_for_a_queue_that_was_empty_for_long(self) -> None:
        queue = make(retention=60)
        queue.send("a", 0)
        queue.advance(500)
        queue.send("b", 500)
        assert queue.counts(560) == (1, 0, 0)
        assert queue.counts(561) == (0, 0, 0)

    @pytest.mark.rule("SQS-RET-1")
    def test_holds_for_messages_that_were_enqueued_without_a_look(self) -> None:
        queue = make(retention=60)
        for second in range(300):
            queue.enqueue("a", None, second, None, second)
        queue.settle(300)
        assert (queue.visible, queue.expired) == (60, 240)
        for second in range(300, 400):
            queue.enqueue("a", None, second, None, second)
        assert len(queue.take(430, 10, 30)) == 10
        assert (queue.expired, queue.visible) == (370, 20)


class TestPurge:
    @pytest.mark.rule("SQS-PRG-1")
    def test_removes_messages_in_any_state(self) -> None:
        queue = make()
        queue.send("a", 0)
        queue.send("b", 0)
        queue.send("c", 0, delay=9)
        handle = queue.receive(0)[0].receipt_handle
        assert queue.counts(1) == (1, 1, 1)
        queue.purge(2)
        assert (queue.counts(2), queue.purged) == ((0, 0, 0), 3)
        assert queue.counts(1_000) == (0, 0, 0)
        queue.check(1_000)
        queue.delete(handle, 1_000)
        assert (queue.deleted, queue.residence(1_000)) == (0, 6)

    @pytest.mark.rule("SQS-PRG-1")
    def test_removes_returned_messages_and_those_at_the_back(self) -> None:
        queue = make(visibility_timeout=1)
        queue.send("a", 0)
        queue.send("b", 0.5)
        for now in (1, 2, 3):
            queue.receive(now)
        queue.purge(4)
        queue.send("c", 4)
        assert [each.body for each in queue.receive(4, 10)] == ["c"]
        queue.check(5)

    @pytest.mark.rule("SQS-PRG-1")
    def test_what_comes_after_it_is_not_touched(self) -> None:
        queue = make()
        queue.send("a", 0)
        queue.purge(1)
        queue.send("b", 1)
        assert [each.body for each in queue.receive(1, 10)] == ["b"]

    @pytest.mark.rule("SQS-PRG-2")
    def test_is_allowed_every_60_seconds(self) -> None:
        queue = make()
        queue.purge(5)
        with pytest.raises(
            PurgeQueueInProgress, match=r"^Only one PurgeQueue operation on q is allowed every 60 seconds\.$"
        ):
            queue.purge(5)
        queue.send("a", 6)
        with pytest.raises(PurgeQueueInProgress):
            queue.purge(nextafter(65, -inf))
        assert queue.counts(65) == (1, 0, 0)
        queue.purge(65)
        assert queue.counts(65) == (0, 0, 0)

    @pytest.mark.rule("SQS-PRG-2")
    def test_a_refused_purge_does_not_delay_the_next(self) -> None:
        queue = make()
        queue.purge(0)
        with pytest.raises(PurgeQueueInProgress):
            queue.purge(59)
        queue.purge(60)

    @pytest.mark.rule("SQS-PRG-1")
    def test_a_purged_message_has_neither_sojourn_nor_deadline(self) -> None:
        queue = make()
        queue.send("a", 0)
        queue.receive(0)
        queue.purge(2)
        assert (len(queue.sojourns), queue.next_deadline()) == (0, None)
