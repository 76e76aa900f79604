"""Live queues: their end, and bad input that every verb may get."""

from math import inf, nan
from typing import Any

import numpy as np
import pytest

from msgsim.bus.queue import Queue, Redrive
from msgsim.bus.standard import StandardQueue
from msgsim.errors import InvalidParameterValue, QueueDoesNotExist, TimeRanBackwards


def make(**settings: Any) -> StandardQueue:
    return StandardQueue(Queue(**settings), "q")


class TestClose:
    @pytest.mark.rule("SQS-Q-3")
    def test_the_messages_go_whatever_their_state(self) -> None:
        queue = make()
        queue.send("a", 0)
        queue.send("b", 0)
        queue.send("c", 0, delay=9)
        queue.receive(1)
        assert (queue.exists, queue.deleted_at) == (True, None)
        queue.close(5)
        assert (queue.exists, queue.deleted_at, queue.purged) == (False, 5, 3)
        queue.check(6)
        assert (queue.counts(7), queue.next_deadline()) == ((0, 0, 0), None)
        assert queue.residence(7) == sum(queue.integrals(7)) == 15

    @pytest.mark.rule("SQS-Q-3")
    @pytest.mark.rule("SQS-Q-6")
    def test_then_every_verb_is_refused(self) -> None:
        queue = make()
        queue.send("a", 0)
        [delivery] = queue.receive(0)
        queue.close(1)
        verbs = (
            lambda: queue.send("a", 2),
            lambda: queue.receive(2),
            lambda: queue.delete(delivery.receipt_handle, 2),
            lambda: queue.change_visibility(delivery.receipt_handle, 0, 2),
            lambda: queue.purge(2),
            lambda: queue.set_attributes(2, delay=1),
            lambda: queue.start_move(2),
            lambda: queue.close(2),
        )
        for verb in verbs:
            with pytest.raises(QueueDoesNotExist, match=r"^The specified queue does not exist\.$"):
                verb()

    def test_a_purge_just_before_does_not_matter(self) -> None:
        queue = make()
        queue.purge(0)
        queue.send("a", 1)
        queue.close(2)
        assert queue.purged == 1

    def test_changes_on_their_way_are_forgotten(self) -> None:
        queue = make(attribute_lag=60)
        queue.set_attributes(0, delay=5)
        queue.close(1)
        assert (queue.next_deadline(), queue.change_due) == (None, inf)
        queue.advance(100)
        assert queue.declaration.delay == 0

    def test_dead_letters_stay_where_they_are_then(self) -> None:
        dead = StandardQueue(Queue(), "dead")
        redrive = Redrive(to="dead", max_receive_count=1)
        queue = StandardQueue(Queue(visibility_timeout=0, redrive=redrive), "q", dead_letter_queue=dead)
        queue.send("a", 0)
        queue.receive(0)
        dead.close(1)
        assert [delivery.receive_count for delivery in queue.receive(2)] == [2]
        assert (queue.dead_lettered, dead.moved_in) == (0, 0)
        new = StandardQueue(Queue(), "dead")
        queue.set_attributes(3, dead_letter_queue=new)
        assert queue.receive(3) == []
        assert new.counts(3) == (1, 0, 0)


class TestBadInput:
    def test_an_infinite_time_is_no_time(self) -> None:
        queue = make()
        queue.send("a", 0)
        queue.receive(0)
        for verb in (queue.counts, queue.advance, queue.receive, queue.purge):
            with pytest.raises(InvalidParameterValue, match="now=inf is not a time"):
                verb(inf)
        assert queue.counts(1) == (0, 1, 0)

    def test_nor_is_what_is_no_number(self) -> None:
        with pytest.raises((InvalidParameterValue, TimeRanBackwards), match="nan"):
            make().counts(nan)

    def test_a_dead_letter_queue_that_was_looked_at_later_is_not_sent_back_in_time(self) -> None:
        queue = make(redrive=Redrive(to="dead", max_receive_count=1))
        assert queue.dead_letter_queue is not None
        queue.dead_letter_queue.counts(5)
        with pytest.raises(TimeRanBackwards, match="dead: time can't go backwards"):
            queue.receive(4)
        assert queue.receive(5) == []

    @pytest.mark.rule("SQS-RCV-1")
    @pytest.mark.parametrize("count", [0, 11, 2.5, "3", True, None])
    def test_a_number_of_messages_is_a_whole_one(self, count: Any) -> None:
        with pytest.raises(InvalidParameterValue) as raised:
            make().receive(0, count)
        reason = "Must be between 1 and 10, if provided."
        assert str(raised.value) == f"Value {count} for parameter MaxNumberOfMessages is invalid. Reason: {reason}"

    def test_numbers_of_another_library_are_as_good(self) -> None:
        queue = make()
        for body in "abc":
            queue.send(body, 0)
        numpys: Any = np.int64(2), np.float64(7)
        assert len(queue.receive(0, *numpys)) == 2
        assert queue.counts(7) == (3, 0, 0)

    @pytest.mark.parametrize("timeout", ["1", False, nan])
    def test_a_timeout_is_a_number(self, timeout: Any) -> None:
        with pytest.raises(InvalidParameterValue, match="VisibilityTimeout"):
            make().receive(0, 1, timeout)
