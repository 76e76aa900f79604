"""Standard queues: visibility timeouts, receipt handles, deleting."""

from math import inf, nan, nextafter
from typing import Any

import pytest

from msgsim.bus.queue import Queue
from msgsim.bus.receipts import Delivery
from msgsim.bus.standard import StandardQueue
from msgsim.errors import InvalidParameterValue, ReceiptHandleIsInvalid


def filled(bodies: str = "a", **settings: Any) -> StandardQueue:
    queue = StandardQueue(Queue(**settings), "q")
    for body in bodies:
        queue.send(body, 0)
    return queue


def first_of(queue: StandardQueue, now: float, timeout: float | None = None) -> Delivery:
    [delivery] = queue.receive(now, 1, timeout)
    return delivery


class TestTimeout:
    @pytest.mark.rule("SQS-VIS-1")
    @pytest.mark.parametrize("timeout", [30, 0.1, 43_200])
    def test_ends_at_its_deadline(self, timeout: float) -> None:
        queue = filled(visibility_timeout=timeout)
        first_of(queue, 7)
        end = 7 + timeout
        assert queue.counts(nextafter(end, -inf)) == (0, 1, 0)
        assert queue.counts(end) == (1, 0, 0)
        assert queue.counts(nextafter(end, inf)) == (1, 0, 0)

    @pytest.mark.rule("SQS-VIS-1")
    def test_the_message_is_receivable_at_its_deadline(self) -> None:
        queue = filled(visibility_timeout=5)
        first_of(queue, 0)
        assert queue.receive(nextafter(5, -inf)) == []
        assert first_of(queue, 5).receive_count == 2

    @pytest.mark.rule("SQS-VIS-11")
    def test_a_message_that_times_out_comes_back_at_once_and_has_been_received_once(self) -> None:
        queue = filled(visibility_timeout=5)
        first_of(queue, 0)
        assert (queue.counts(5), queue.received, queue.redelivered) == ((1, 0, 0), 1, 0)
        first_of(queue, 5)
        assert (queue.received, queue.redelivered) == (2, 1)

    def test_messages_received_together_come_back_together(self) -> None:
        queue = filled("abc", visibility_timeout=5)
        queue.receive(0, 3)
        assert queue.counts(5) == (3, 0, 0)

    def test_shorter_and_longer_timeouts_are_independent(self) -> None:
        queue = filled("abc")
        for timeout in (10, 5, 7):
            first_of(queue, 0, timeout)
        assert [queue.counts(now).visible for now in (5, 7, 10)] == [1, 2, 3]


class TestDelete:
    @pytest.mark.rule("SQS-VIS-10")
    def test_removes_the_message(self) -> None:
        queue = filled(visibility_timeout=5)
        queue.delete(first_of(queue, 1).receipt_handle, 3)
        assert (queue.counts(100), queue.deleted) == ((0, 0, 0), 1)
        assert (list(queue.sojourns), list(queue.waits), list(queue.end_to_end)) == ([3], [1], [3])

    @pytest.mark.rule("SQS-VIS-6")
    def test_with_an_expired_handle_deletes_what_nobody_received_since(self) -> None:
        queue = filled(visibility_timeout=10)
        handle = first_of(queue, 0).receipt_handle
        queue.delete(handle, 15)  # vector V-4
        assert (queue.counts(15), queue.deleted) == ((0, 0, 0), 1)

    @pytest.mark.rule("SQS-VIS-6")
    def test_with_an_old_handle_succeeds_without_effect(self) -> None:
        queue = filled(visibility_timeout=10)
        old = first_of(queue, 0).receipt_handle
        new = first_of(queue, 10).receipt_handle
        queue.delete(old, 11)
        assert (queue.counts(11), queue.deleted) == ((0, 1, 0), 0)
        queue.delete(new, 11)
        assert (queue.counts(11), queue.deleted) == ((0, 0, 0), 1)

    @pytest.mark.rule("SQS-VIS-6")
    def test_with_an_old_handle_has_no_effect_when_the_new_one_has_expired_too(self) -> None:
        queue = filled(visibility_timeout=10)
        old = first_of(queue, 0).receipt_handle
        first_of(queue, 10)
        queue.delete(old, 25)
        assert queue.counts(25) == (1, 0, 0)

    @pytest.mark.rule("SQS-VIS-9")
    def test_again_is_no_error_and_counts_once(self) -> None:
        queue = filled()
        handle = first_of(queue, 0).receipt_handle
        for now in (1, 2):
            queue.delete(handle, now)
        assert (queue.deleted, len(queue.sojourns)) == (1, 1)

    @pytest.mark.rule("SQS-VIS-9")
    def test_of_a_message_that_retention_removed_is_no_error(self) -> None:
        queue = filled(retention=60, visibility_timeout=100)
        handle = first_of(queue, 0).receipt_handle
        queue.delete(handle, 61)
        assert (queue.deleted, queue.expired) == (0, 1)

    @pytest.mark.rule("SQS-VIS-10")
    def test_of_a_message_that_is_visible_leaves_its_neighbours(self) -> None:
        queue = filled("abc", visibility_timeout=5)
        handles = [each.receipt_handle for each in queue.receive(0, 3)]
        queue.delete(handles[1], 5)
        assert [each.body for each in queue.receive(5, 10)] == ["a", "c"]


class TestHandles:
    @pytest.mark.rule("SQS-VIS-5")
    def test_each_receive_has_its_own(self) -> None:
        queue = filled(visibility_timeout=5)
        handles = [first_of(queue, now).receipt_handle for now in (0, 5, 10)]
        assert len(set(handles)) == 3
        assert all(len(handle) <= 1_024 for handle in handles)

    @pytest.mark.rule("SQS-VIS-9")
    @pytest.mark.parametrize("handle", ["garbage", "", 7, None, "0" * 60])
    def test_garbage_is_refused(self, handle: str) -> None:
        queue = filled()
        text = rf'^The input receipt handle "{handle}" is not a valid receipt handle\.$'
        with pytest.raises(ReceiptHandleIsInvalid, match=text):
            queue.delete(handle, 0)
        with pytest.raises(ReceiptHandleIsInvalid, match=text):
            queue.change_visibility(handle, 5, 0)

    @pytest.mark.rule("SQS-VIS-9")
    def test_of_another_queue_is_refused(self) -> None:
        other = StandardQueue(Queue(), "other")
        other.send("x", 0)
        handle = first_of(other, 0).receipt_handle
        with pytest.raises(ReceiptHandleIsInvalid):
            filled().delete(handle, 0)

    @pytest.mark.rule("SQS-VIS-9")
    def test_of_a_receive_that_cannot_be_is_refused(self) -> None:
        queue = filled()
        handle = first_of(queue, 0).receipt_handle
        with pytest.raises(ReceiptHandleIsInvalid):
            queue.delete(handle[:-1] + "0", 0)

    @pytest.mark.rule("SQS-VIS-9")
    def test_of_a_message_that_is_not_known_deletes_nothing(self) -> None:
        queue, twin = filled(), filled("ab")
        [_, delivery] = twin.receive(0, 2)
        queue.delete(delivery.receipt_handle, 0)
        assert queue.counts(0) == (1, 0, 0)
        with pytest.raises(InvalidParameterValue, match="Message does not exist or is not available"):
            queue.change_visibility(delivery.receipt_handle, 5, 0)


class TestChangeVisibility:
    @pytest.mark.rule("SQS-VIS-2")
    def test_restarts_the_timeout_from_now(self) -> None:
        queue = filled()
        queue.change_visibility(first_of(queue, 0, 30).receipt_handle, 60, 20)  # vector V-2
        assert queue.counts(nextafter(80, -inf)) == (0, 1, 0)
        assert queue.counts(80) == (1, 0, 0)

    @pytest.mark.rule("SQS-VIS-2")
    def test_may_shorten(self) -> None:
        queue = filled()
        queue.change_visibility(first_of(queue, 0).receipt_handle, 1, 20)
        assert queue.counts(nextafter(21, -inf)) == (0, 1, 0)
        assert queue.counts(21) == (1, 0, 0)

    @pytest.mark.rule("SQS-VIS-2")
    def test_the_next_receive_has_the_queue_s_timeout_again(self) -> None:
        queue = filled(visibility_timeout=30)
        queue.change_visibility(first_of(queue, 0).receipt_handle, 60, 20)
        first_of(queue, 80)
        assert queue.counts(nextafter(110, -inf)) == (0, 1, 0)
        assert queue.counts(110) == (1, 0, 0)

    @pytest.mark.rule("SQS-VIS-4")
    def test_of_0_gives_the_message_back(self) -> None:
        queue = filled()
        handle = first_of(queue, 1).receipt_handle
        queue.change_visibility(handle, 0, 2)
        assert queue.counts(2) == (1, 0, 0)
        assert first_of(queue, 2).receive_count == 2

    @pytest.mark.rule("SQS-VIS-4")
    def test_of_0_for_a_visible_message_changes_nothing(self) -> None:
        queue = filled(visibility_timeout=5)
        handle = first_of(queue, 0).receipt_handle
        queue.change_visibility(handle, 0, 6)
        assert queue.counts(6) == (1, 0, 0)
        assert first_of(queue, 6).receive_count == 2

    @pytest.mark.rule("SQS-VIS-7")
    def test_by_an_expired_handle_hides_the_message_again(self) -> None:
        queue = filled("ab", visibility_timeout=5)
        handle = first_of(queue, 0).receipt_handle
        queue.change_visibility(handle, 10, 6)
        assert queue.counts(6) == (1, 1, 0)
        assert first_of(queue, 6, 1).body == "b"
        assert queue.counts(nextafter(16, -inf)) == (1, 1, 0)
        assert [each.body for each in queue.receive(16, 10)] == ["a", "b"]

    @pytest.mark.rule("SQS-VIS-7")
    def test_by_an_old_handle_acts_on_the_present_delivery(self) -> None:
        queue = filled(visibility_timeout=5)
        old = first_of(queue, 0).receipt_handle
        first_of(queue, 5)
        queue.change_visibility(old, 0, 6)
        assert queue.counts(6) == (1, 0, 0)

    @pytest.mark.rule("SQS-VIS-8")
    def test_of_a_deleted_message_is_refused(self) -> None:
        queue = filled()
        handle = first_of(queue, 0).receipt_handle
        queue.delete(handle, 1)
        with pytest.raises(
            InvalidParameterValue,
            match=rf"^Value {handle} for parameter ReceiptHandle is invalid\. Reason: Message does not exist or is not "
            r"available for visibility timeout change\.$",
        ):
            queue.change_visibility(handle, 5, 1)

    @pytest.mark.rule("SQS-VIS-2")
    @pytest.mark.parametrize("timeout", [-1, 43_201, nan])
    def test_is_0_to_43200_seconds(self, timeout: float) -> None:
        queue = filled()
        handle = first_of(queue, 0).receipt_handle
        with pytest.raises(
            InvalidParameterValue, match=rf"^Value {timeout} for parameter VisibilityTimeout is invalid"
        ):
            queue.change_visibility(handle, timeout, 0)
        assert queue.counts(30) == (1, 0, 0)

    @pytest.mark.rule("SQS-VIS-3")
    def test_is_capped_at_12_hours_from_the_receive(self) -> None:
        queue = filled()
        handle = first_of(queue, 0).receipt_handle
        with pytest.raises(
            InvalidParameterValue,
            match=r"^Value 43195 for parameter VisibilityTimeout is invalid\. Reason: Total VisibilityTimeout for the "
            r"message is beyond the limit \[43200 seconds\]$",
        ):
            queue.change_visibility(handle, 43_195, 10)  # vector V-3
        queue.change_visibility(handle, 43_185, 10)
        queue.change_visibility(handle, 43_190, 10)
        with pytest.raises(InvalidParameterValue, match="beyond the limit"):
            queue.change_visibility(handle, nextafter(43_190, inf), 10)
        assert queue.counts(nextafter(43_200, -inf)) == (0, 1, 0)
        assert queue.counts(43_200) == (1, 0, 0)

    @pytest.mark.rule("SQS-VIS-3")
    @pytest.mark.rule("SQS-VIS-4")
    def test_0_gives_back_however_long_ago_the_receive_was(self) -> None:
        queue = filled()
        old = first_of(queue, 0).receipt_handle
        first_of(queue, 43_190)
        queue.change_visibility(old, 0, 43_210)
        assert queue.counts(43_210) == (1, 0, 0)

    @pytest.mark.rule("SQS-VIS-3")
    def test_extending_does_not_restart_the_12_hours_and_another_receive_does(self) -> None:
        queue = filled(visibility_timeout=43_200)
        old = first_of(queue, 0, 100).receipt_handle
        queue.change_visibility(old, 30_000, 50)
        with pytest.raises(InvalidParameterValue, match="beyond the limit"):
            queue.change_visibility(old, 20_000, 30_000)
        new = first_of(queue, 30_050).receipt_handle
        with pytest.raises(InvalidParameterValue, match="beyond the limit"):
            queue.change_visibility(old, 20_000, 30_050)
        queue.change_visibility(new, 43_200, 30_050)
        assert queue.counts(nextafter(73_250, -inf)) == (0, 1, 0)

    @pytest.mark.rule("SQS-VIS-12")
    def test_a_heartbeat_holds_a_message_for_as_long_as_it_beats(self) -> None:
        queue = filled(visibility_timeout=120)
        handle = first_of(queue, 0).receipt_handle
        for now in range(60, 3_600, 60):
            queue.change_visibility(handle, 120, now)
            assert queue.counts(now) == (0, 1, 0)
        assert queue.counts(nextafter(3_660, -inf)) == (0, 1, 0)
        assert queue.counts(3_660) == (1, 0, 0)

    @pytest.mark.rule("SQS-VIS-2")
    def test_back_to_the_deadline_it_had(self) -> None:
        queue = filled("ab")
        handle = first_of(queue, 0, 30).receipt_handle
        queue.change_visibility(handle, 50, 10)
        queue.change_visibility(handle, 15, 15)
        queue.check(15)
        assert queue.counts(nextafter(30, -inf)) == (1, 1, 0)
        assert queue.counts(30) == (2, 0, 0)
        queue.check(61)
        assert sum(queue.integrals(61)) == pytest.approx(queue.residence(61), abs=1e-9)

    @pytest.mark.rule("SQS-VIS-2")
    def test_a_batch_received_with_a_shorter_timeout_can_be_extended_one_by_one(self) -> None:
        queue = filled("abc")
        first_of(queue, 0, 100)
        b, c = (each.receipt_handle for each in queue.receive(0, 2, 10))
        queue.change_visibility(b, 50, 5)
        queue.delete(c, 5)
        assert [queue.counts(now) for now in (10, 55, 100)] == [(0, 2, 0), (1, 1, 0), (2, 0, 0)]
