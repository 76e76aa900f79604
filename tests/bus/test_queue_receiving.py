"""Standard queues: receiving, order, and the limit of messages in flight."""

from math import inf, nan, nextafter
from typing import Any

import pytest

from msgsim.bus.queue import Queue, Redrive
from msgsim.bus.standard import StandardQueue
from msgsim.errors import InvalidParameterValue, OverLimit


def make(**settings: Any) -> StandardQueue:
    return StandardQueue(Queue(**settings), "q")


def filled(bodies: str, **settings: Any) -> StandardQueue:
    queue = make(**settings)
    for second, body in enumerate(bodies):
        queue.send(body, second / 10)
    return queue


def received(queue: StandardQueue, now: float, limit: int = 10) -> str:
    return "".join(delivery.body for delivery in queue.receive(now, limit))


class TestReceive:
    @pytest.mark.rule("SQS-RCV-1")
    def test_gives_one_message_unless_told_otherwise(self) -> None:
        queue = filled("abc")
        assert [delivery.body for delivery in queue.receive(1)] == ["a"]

    @pytest.mark.rule("SQS-RCV-1")
    def test_gives_at_most_what_was_asked_for(self) -> None:
        queue = filled("abcdefghijklm")
        assert received(queue, 2, 10) == "abcdefghij"
        assert received(queue, 2, 10) == "klm"

    @pytest.mark.rule("SQS-RCV-1")
    @pytest.mark.parametrize("limit", [0, 11, -1, nan])
    def test_asks_for_1_to_10_messages(self, limit: int) -> None:
        with pytest.raises(
            InvalidParameterValue,
            match=rf"^Value {limit} for parameter MaxNumberOfMessages is invalid\. Reason: Must be between 1 and 10, "
            r"if provided\.$",
        ):
            filled("a").receive(1, limit)

    @pytest.mark.rule("SQS-RCV-2")
    @pytest.mark.parametrize("wait_time", [-1, 21, nextafter(20, inf), nan])
    def test_waits_0_to_20_seconds(self, wait_time: float) -> None:
        queue = filled("a")
        with pytest.raises(
            InvalidParameterValue,
            match=rf"^Value {wait_time} for parameter WaitTimeSeconds is invalid\. Reason: Must be >= 0 and <= 20, if "
            r"provided\.$",
        ):
            queue.receive(1, wait_time=wait_time)
        assert len(queue.receive(1, wait_time=20)) == 1

    @pytest.mark.rule("SQS-RCV-7")
    @pytest.mark.parametrize("timeout", [-1, 43_201, nextafter(43_200, inf), nan])
    def test_hides_for_0_to_43200_seconds(self, timeout: float) -> None:
        queue = filled("a")
        with pytest.raises(
            InvalidParameterValue,
            match=rf"^Value {timeout} for parameter VisibilityTimeout is invalid\. Reason: Must be >= 0 and <= 43200, "
            r"if provided\.$",
        ):
            queue.receive(1, visibility_timeout=timeout)
        assert len(queue.receive(1, visibility_timeout=43_200)) == 1

    def test_an_attempt_id_is_for_fifo_queues(self) -> None:
        with pytest.raises(
            InvalidParameterValue,
            match=r"^Value a1 for parameter ReceiveRequestAttemptId is invalid\. Reason: The request includes a "
            r"parameter that is not valid for this queue type\.$",
        ):
            filled("a").receive(1, attempt_id="a1")

    def test_a_refused_receive_takes_nothing(self) -> None:
        queue = filled("a")
        with pytest.raises(InvalidParameterValue):
            queue.receive(1, 11)
        assert (queue.counts(1), queue.received, queue.empty_receives) == ((1, 0, 0), 0, 0)

    @pytest.mark.rule("SQS-SYS-2")
    def test_counts_every_receive(self) -> None:
        queue = filled("a", visibility_timeout=1)
        counts = [queue.receive(now)[0].receive_count for now in (0, 1, 2)]
        assert counts == [1, 2, 3]
        assert (queue.received, queue.redelivered) == (3, 2)

    def test_a_delivery_keeps_its_count_and_shows_the_first_receive(self) -> None:
        queue = filled("a", visibility_timeout=1)
        first = queue.receive(0.5)[0]
        second = queue.receive(5)[0]
        assert (first.receive_count, second.receive_count) == (1, 2)
        assert (second.sent_at, second.first_received_at) == (0, 0.5)
        assert first.message_id == second.message_id
        assert repr(second) == f"<Delivery {second.message_id} receive_count=2>"

    @pytest.mark.rule("SQS-RCV-7")
    def test_a_timeout_of_0_leaves_the_message_receivable(self) -> None:
        queue = filled("a")
        first = queue.receive(1, visibility_timeout=0)[0]
        second = queue.receive(1)[0]
        assert (first.receive_count, second.receive_count) == (1, 2)
        assert first.receipt_handle != second.receipt_handle
        assert queue.counts(1) == (0, 1, 0)

    @pytest.mark.rule("SQS-RCV-7")
    def test_a_timeout_of_the_call_is_for_its_messages_only(self) -> None:
        queue = filled("ab", visibility_timeout=30)
        queue.receive(1, visibility_timeout=2)
        queue.receive(1)
        assert queue.counts(3) == (1, 1, 0)
        assert queue.receive(3)
        assert queue.counts(nextafter(33, -inf)) == (1, 1, 0)
        assert queue.counts(33) == (2, 0, 0)

    @pytest.mark.rule("SQS-RCV-2")
    def test_an_empty_short_poll_is_counted_and_an_empty_first_look_of_a_long_one_is_not(self) -> None:
        queue, waiting = make(), make(wait_time=20)
        assert queue.receive(0) == queue.receive(0, wait_time=1) == []
        assert waiting.receive(0) == waiting.receive(0, wait_time=0) == []
        assert (queue.empty_receives, waiting.empty_receives) == (1, 1)

    @pytest.mark.rule("SQS-RCV-4")
    def test_a_long_poll_takes_what_is_there(self) -> None:
        queue = filled("ab")
        assert len(queue.receive(1, 10, wait_time=20)) == 2


class TestOrder:
    @pytest.mark.rule("SQS-RCV-8")
    def test_oldest_first(self) -> None:
        assert received(filled("abcd"), 1, 3) == "abc"

    @pytest.mark.rule("SQS-RCV-8")
    def test_of_one_instant_in_the_order_of_sending(self) -> None:
        queue = make()
        for body in "abc":
            queue.send(body, 0)
        assert received(queue, 0) == "abc"

    @pytest.mark.rule("SQS-RCV-8")
    def test_a_message_that_timed_out_is_at_its_old_place(self) -> None:
        queue = filled("abcd", visibility_timeout=5)
        assert received(queue, 1, 2) == "ab"
        assert received(queue, 6) == "abcd"

    @pytest.mark.rule("SQS-RCV-8")
    def test_a_returned_message_among_younger_and_older_ones(self) -> None:
        queue = filled("abc")
        deliveries = queue.receive(1, 3)
        for delivery in (deliveries[2], deliveries[0]):
            queue.change_visibility(delivery.receipt_handle, 0, 1)
        queue.send("d", 2)
        assert received(queue, 2) == "acd"

    @pytest.mark.rule("SQS-RCV-8")
    def test_an_older_fresh_message_comes_before_a_younger_returned_one(self) -> None:
        queue = filled("a")
        queue.send("b", 1, delay=3)
        queue.send("c", 2)
        assert received(queue, 2, 2) == "ac"
        assert received(queue, 40, 1) == "a"
        assert received(queue, 40) == "bc"

    @pytest.mark.rule("SQS-RCV-8")
    @pytest.mark.parametrize(("receives", "order"), [(1, "abc"), (2, "abc"), (3, "bca")])
    def test_after_three_receives_a_message_is_at_the_back(self, receives: int, order: str) -> None:
        queue = filled("abc", visibility_timeout=1)
        for now in range(1, receives + 1):
            assert received(queue, now, 1) == "a"
        assert received(queue, 9) == order

    @pytest.mark.rule("SQS-RCV-8")
    def test_the_back_is_where_the_message_came_back(self) -> None:
        queue = filled("a", visibility_timeout=1)
        for now in (1, 2, 3):
            queue.receive(now)
        queue.send("before", 3.5)
        queue.send("after", 4.5)
        assert [each.body for each in queue.receive(5, 10)] == ["before", "a", "after"]

    @pytest.mark.rule("SQS-RCV-8")
    def test_a_message_at_the_back_can_be_hidden_again(self) -> None:
        queue = filled("ab", visibility_timeout=1)
        for now in (1, 2, 3):
            handle = queue.receive(now, 1)[0].receipt_handle
        assert queue.counts(4) == (2, 0, 0)
        queue.change_visibility(handle, 5, 4)
        assert received(queue, 4) == "b"
        assert received(queue, 9) == "ba"


class TestInFlightLimit:
    @pytest.mark.rule("SQS-INF-1")
    def test_a_short_poll_at_the_limit_is_refused(self) -> None:
        queue = filled("abc", max_in_flight=2)
        assert received(queue, 1, 2) == "ab"
        with pytest.raises(OverLimit, match=r"^2 messages are in flight; the limit is 2 \(SQS-INF-1\)$"):
            queue.receive(1)
        assert queue.empty_receives == 0

    @pytest.mark.rule("SQS-INF-1")
    def test_a_long_poll_at_the_limit_is_empty(self) -> None:
        queue = filled("abc", max_in_flight=2)
        received(queue, 1, 2)
        assert queue.receive(1, wait_time=20) == []
        assert queue.limited
        assert queue.counts(1) == (1, 2, 0)

    @pytest.mark.rule("SQS-INF-1")
    def test_a_receive_is_cut_at_the_limit(self) -> None:
        queue = filled("abc", max_in_flight=2)
        assert received(queue, 1, 1) == "a"
        assert received(queue, 1, 10) == "b"

    @pytest.mark.rule("SQS-INF-1")
    def test_no_message_is_dead_lettered_at_the_limit(self) -> None:
        declared = Queue(max_in_flight=1, visibility_timeout=1, redrive=Redrive(to="d", max_receive_count=1))
        queue = StandardQueue(declared, "q")
        queue.send("a", 0)
        queue.receive(0)
        queue.send("b", 1)
        queue.receive(1, visibility_timeout=9)  # a goes to the dead letters, b is received
        queue.send("c", 2)
        assert (queue.dead_lettered, queue.receive(2, wait_time=20)) == (1, [])

    @pytest.mark.rule("SQS-INF-1")
    @pytest.mark.parametrize("way", ["delete", "give back", "time out", "purge", "expire"])
    def test_whoever_waits_at_the_limit_hears_when_there_is_room(self, way: str) -> None:
        queue = filled("ab", max_in_flight=1, retention=60, visibility_timeout=100 if way == "expire" else 30)
        handle = queue.receive(1)[0].receipt_handle
        assert queue.receive(1, wait_time=20) == []
        heard = []
        queue.on_change = lambda: heard.append(queue.limited)
        if way == "delete":
            queue.delete(handle, 2)
        elif way == "give back":
            queue.change_visibility(handle, 0, 2)
        elif way == "purge":
            queue.purge(2)
        else:
            queue.advance(90)
        assert heard[:1] == [False]

    @pytest.mark.rule("SQS-VIS-7")
    def test_hiding_an_expired_message_again_may_pass_the_limit_and_room_is_below_it(self) -> None:
        queue = make(max_in_flight=1)
        queue.send("b", 0, delay=1)
        queue.send("a", 0)
        a = queue.receive(0, visibility_timeout=1)[0].receipt_handle
        b = queue.receive(1)[0].receipt_handle
        queue.change_visibility(a, 30, 1)
        assert queue.counts(1) == (0, 2, 0)
        assert queue.receive(1, wait_time=20) == []
        heard = []
        queue.on_change = lambda: heard.append(queue.in_flight)
        queue.delete(b, 2)
        assert (heard, queue.limited) == ([], True)
        queue.delete(a, 2)
        assert (heard, queue.limited) == ([0], False)

    @pytest.mark.rule("SQS-INF-1")
    def test_room_is_made_though_nobody_listens(self) -> None:
        queue = filled("ab", max_in_flight=1)
        handle = queue.receive(1)[0].receipt_handle
        assert queue.receive(1, wait_time=20) == []
        queue.delete(handle, 2)
        assert not queue.limited
        assert received(queue, 2) == "b"

    @pytest.mark.rule("SQS-INF-1")
    def test_what_the_engine_knows_is_settled_before_the_limit_is_believed(self) -> None:
        queue = filled("ab", max_in_flight=1)
        batch = queue.take(1, 1, 30)

        def catch_up(now: float) -> None:
            queue.finish(batch, [1.0], None, 31, 0, 1, now)

        queue.catch_up = catch_up
        assert [message.body for message in queue.take(2, 1, 30)] == ["b"]
