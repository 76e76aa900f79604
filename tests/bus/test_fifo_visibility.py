"""FIFO queues: handles that have expired, the limit in flight, and what counts as visible."""

from math import nextafter
from typing import Any

import pytest

from msgsim.bus.fifo import FifoQueue
from msgsim.bus.message import GONE
from msgsim.bus.queue import Queue
from msgsim.errors import InvalidParameterValue, ReceiptHandleIsInvalid


def filled(groups: str, **settings: Any) -> FifoQueue:
    queue = FifoQueue(Queue(fifo=True, **settings), "q")
    for number, group in enumerate(groups):
        queue.enqueue(f"{group}{number}", None, 0, None, 0, group)
    return queue


def bodies(queue: FifoQueue, now: float) -> list[str]:
    return [delivery.body for delivery in queue.receive(now, 10)]


class TestExpiredHandles:
    @pytest.mark.rule("FIFO-VIS-1")
    @pytest.mark.parametrize("at", [10, 15])
    def test_do_not_delete(self, at: float) -> None:
        queue = filled("a", visibility_timeout=10)
        handle = queue.receive(0)[0].receipt_handle
        with pytest.raises(InvalidParameterValue) as raised:
            queue.delete(handle, at)
        assert str(raised.value) == (
            f"Value {handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
        )
        assert bodies(queue, at) == ["a0"]

    @pytest.mark.rule("FIFO-VIS-1")
    def test_delete_until_then(self) -> None:
        queue = filled("a", visibility_timeout=10)
        queue.delete(queue.receive(0)[0].receipt_handle, nextafter(10, 0))
        assert queue.counts(10) == (0, 0, 0)

    @pytest.mark.rule("FIFO-VIS-1")
    def test_delete_within_an_extended_timeout(self) -> None:
        queue = filled("a", visibility_timeout=10)
        handle = queue.receive(0)[0].receipt_handle
        queue.change_visibility(handle, 20, 5)
        queue.delete(handle, 24)
        assert (queue.deleted, queue.counts(30)) == (1, (0, 0, 0))

    @pytest.mark.rule("FIFO-VIS-1")
    def test_an_older_receive_has_expired_while_a_newer_one_holds_the_message(self) -> None:
        queue = filled("a", visibility_timeout=10)
        old = queue.receive(0)[0].receipt_handle
        new = queue.receive(10)[0].receipt_handle
        for action in (queue.delete, lambda handle, now: queue.change_visibility(handle, 5, now)):
            with pytest.raises(InvalidParameterValue, match="has expired"):
                action(old, 11)
        queue.delete(new, 12)
        assert queue.counts(12) == (0, 0, 0)

    @pytest.mark.rule("SQS-VIS-9")
    def test_deleting_again_is_no_error(self) -> None:
        queue = filled("a", visibility_timeout=10)
        handle = queue.receive(0)[0].receipt_handle
        for now in (1, 2, 50):
            queue.delete(handle, now)
        assert queue.deleted == 1
        with pytest.raises(ReceiptHandleIsInvalid):
            queue.delete("garbage", 50)
        assert queue.group_of(handle) == "a"

    def test_of_forgotten_messages_do_nothing(self) -> None:
        queue = filled("ab" * 1_000)
        first = queue.receive(0)[0].receipt_handle
        queue.delete(first, 0)
        while deliveries := queue.receive(0, 10):
            for delivery in deliveries:
                queue.delete(delivery.receipt_handle, 0)
        queue.delete(first, 1)
        assert queue.group_of(first) is None
        assert queue.deleted == 2_000

    @pytest.mark.rule("FIFO-VIS-2")
    def test_do_not_change_visibility(self) -> None:
        queue = filled("a", visibility_timeout=10)
        handle = queue.receive(0)[0].receipt_handle
        with pytest.raises(InvalidParameterValue) as raised:
            queue.change_visibility(handle, 20, 10)
        assert str(raised.value) == (
            f"Value {handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
        )
        assert queue.counts(10) == (1, 0, 0)

    @pytest.mark.rule("SQS-VIS-8")
    def test_nor_do_those_of_deleted_messages(self) -> None:
        queue = filled("a")
        handle = queue.receive(0)[0].receipt_handle
        queue.delete(handle, 1)
        with pytest.raises(InvalidParameterValue, match="Message does not exist or is not available"):
            queue.change_visibility(handle, 20, 2)


class TestByRecord:
    @pytest.mark.rule("FIFO-VIS-1")
    def test_a_message_is_removed_by_the_receive_that_holds_it(self) -> None:
        queue = filled("a")
        [message] = queue.take(0, 1, 10)
        assert not queue.remove(message, 2, 5)
        assert not queue.remove(message, 1, 10)
        assert queue.take(10, 1, 10) == [message]
        assert queue.remove(message, 2, 11)
        assert not queue.remove(message, 2, 12)
        assert (message.deadline, queue.deleted) == (GONE, 1)

    @pytest.mark.rule("FIFO-VIS-2")
    def test_a_message_that_has_timed_out_is_not_extended(self) -> None:
        queue = filled("a")
        [message] = queue.take(0, 1, 10)
        queue.extend(message, 0, 20, 5)
        with pytest.raises(InvalidParameterValue, match=r"^Value for parameter ReceiptHandle is invalid.*has expired"):
            queue.extend(message, 0, 20, 25)

    def test_the_end_of_a_deleted_message_is_forgotten(self) -> None:
        queue = filled("ab", retention=1_000)
        queue.take(0, 1, 30)
        [message] = queue.take(0, 1, 10)
        assert queue.next_deadline() == 10
        queue.finish_one(message, 1)
        assert (queue.flights.index, queue.next_deadline()) == (None, 30)

    def test_the_end_to_end_time_of_each_is_kept(self) -> None:
        queue = filled("a")
        queue.enqueue("b", None, 2, 7, 1, "b")
        for message in queue.take(3, 10, 10):
            queue.finish_one(message, 4)
        assert (list(queue.sojourns), list(queue.end_to_end)) == ([4, 2], [4, 3])


class TestInFlight:
    @pytest.mark.rule("FIFO-VIS-3")
    def test_at_the_limit_there_is_nothing_and_no_error(self) -> None:
        queue = filled("abc", max_in_flight=2)
        assert bodies(queue, 0) == ["a0", "b1"]
        assert bodies(queue, 1) == []
        assert (queue.limited, queue.empty_receives) == (True, 1)

    @pytest.mark.rule("FIFO-VIS-3")
    def test_a_delete_makes_room_and_is_heard_of(self) -> None:
        queue = filled("abc", max_in_flight=2)
        handle = queue.receive(0, 2)[0].receipt_handle
        queue.receive(0)
        heard: list[int] = []
        queue.on_change = lambda: heard.append(1)
        queue.delete(handle, 1)
        assert (queue.limited, heard) == (False, [1])
        assert bodies(queue, 1) == ["c2"]


class TestCounts:
    @pytest.mark.rule("SQS-ATT-5")
    @pytest.mark.rule("FIFO-VIS-5")
    def test_blocked_messages_count_as_visible(self) -> None:
        queue = filled("aabbcc")
        queue.receive(0, 1)
        assert queue.receivable
        queue.receive(0, 1)
        assert queue.counts(0) == (4, 2, 0)
        queue.receive(0, 2)
        assert (queue.counts(0), queue.receivable) == ((2, 4, 0), False)

    @pytest.mark.rule("CW-SQS-1")
    def test_groups_with_messages_in_flight_are_counted(self) -> None:
        queue = filled("aaabbc")
        assert queue.groups_in_flight() == 0
        queue.receive(0, 5)
        assert queue.groups_in_flight() == 2
        queue.counts(30)
        assert queue.groups_in_flight() == 0

    @pytest.mark.rule("CW-SQS-1")
    def test_the_age_of_the_oldest_leaves_nobody_out(self) -> None:
        queue = filled("a", visibility_timeout=0)
        assert queue.age_of_oldest(0) == 0
        for now in range(5):
            queue.receive(now)
        queue.enqueue("b", None, 5, None, 5, "b")
        assert queue.age_of_oldest(7) == 7
        queue.delete(queue.receive(7, 1, 30)[0].receipt_handle, 7)
        [message] = queue.take(7, 1, 30)
        queue.finish_one(message, 8)
        assert queue.age_of_oldest(8) == 0

    @pytest.mark.rule("CW-SQS-1")
    def test_it_is_that_of_a_message_that_is_there(self) -> None:
        queue = filled("a", retention=60)
        queue.enqueue("b", None, 50, None, 50, "b")
        assert (queue.counts(70), queue.age_of_oldest(70)) == ((1, 0, 0), 20)
