"""FIFO queues: order within groups, who is blocked and when, and whose turn it is."""

from math import nextafter
from typing import Any

import pytest

from msgsim.bus.fifo import FifoQueue
from msgsim.bus.queue import Queue, Redrive
from msgsim.bus.receipts import Delivery


def filled(messages: str, *, look_ahead: int | None = None, **settings: Any) -> FifoQueue:
    """With messages such as "a1 b1 a2", each in the group that its first letter names."""
    queue = FifoQueue(Queue(fifo=True, **settings), "q", look_ahead=look_ahead)
    send(queue, messages, 0)
    return queue


def send(queue: FifoQueue, messages: str, now: float) -> None:
    for body in messages.split():
        queue.send(body, now, group_id=body[0], deduplication_id=body)


def receive(queue: FifoQueue, now: float, limit: int = 10, timeout: float | None = None) -> str:
    return " ".join(delivery.body for delivery in queue.receive(now, limit, timeout))


def received(queue: FifoQueue, now: float, limit: int = 10) -> dict[str, Delivery]:
    return {delivery.body: delivery for delivery in queue.receive(now, limit)}


def delete(queue: FifoQueue, deliveries: dict[str, Delivery], which: str, now: float) -> None:
    for body in which.split():
        queue.delete(deliveries[body].receipt_handle, now)


class TestWithinAGroup:
    @pytest.mark.rule("FIFO-ORD-1")
    def test_all_that_there_is_of_one_before_the_next(self) -> None:
        queue = filled("a1 b1 a2 a3")
        assert receive(queue, 0) == "a1 a2 a3 b1"

    @pytest.mark.rule("FIFO-ORD-1")
    def test_a_group_is_not_skipped_for_lack_of_messages(self) -> None:
        queue = filled("a1 b1 a2 c1 b2 a3")
        assert receive(queue, 0, 4) == "a1 a2 a3 b1"
        assert receive(queue, 0, 4) == "c1"

    @pytest.mark.rule("FIFO-ORD-3")
    def test_while_one_is_in_flight_later_calls_get_nothing_of_it(self) -> None:
        queue = filled("a1 a2 b1")
        assert receive(queue, 0, 1) == "a1"
        assert receive(queue, 1) == "b1"
        assert receive(queue, 2) == ""
        assert not queue.receivable
        send(queue, "a3", 3)
        assert receive(queue, 3) == ""

    @pytest.mark.rule("FIFO-ORD-4")
    def test_deleting_some_keeps_it_blocked_deleting_the_last_unblocks_it(self) -> None:
        heard: list[int] = []
        queue = filled("a1 a2 a3")
        got = received(queue, 0, 2)
        queue.on_change = lambda: heard.append(1)
        delete(queue, got, "a1", 1)
        assert (receive(queue, 1), heard) == ("", [])
        send(queue, "a4", 1)
        assert (queue.receivable, heard) == (False, [])
        delete(queue, got, "a2", 2)
        assert (queue.receivable, heard) == (True, [1])
        assert receive(queue, 2) == "a3 a4"

    @pytest.mark.rule("FIFO-ORD-4")
    def test_in_any_order(self) -> None:
        queue = filled("a1 a2 a3 a4")
        got = received(queue, 0, 3)
        delete(queue, got, "a2 a3 a1", 1)
        assert receive(queue, 1) == "a4"
        queue.check(1)

    @pytest.mark.rule("FIFO-ORD-5")
    def test_one_that_is_given_back_comes_alone(self) -> None:
        queue = filled("a1 a2 a3")
        got = received(queue, 0, 2)
        queue.change_visibility(got["a1"].receipt_handle, 0, 1)
        assert receive(queue, 1) == "a1"

    @pytest.mark.rule("FIFO-ORD-5")
    def test_behind_one_in_flight_it_stays_blocked(self) -> None:
        queue = filled("a1 a2 a3")
        got = received(queue, 0, 2)
        queue.change_visibility(got["a2"].receipt_handle, 0, 1)
        assert (receive(queue, 1), queue.counts(1)) == ("", (2, 1, 0))
        delete(queue, got, "a1", 2)
        assert receive(queue, 2) == "a2 a3"

    @pytest.mark.rule("FIFO-ORD-5")
    def test_the_end_of_one_in_the_middle_is_heard_of(self) -> None:
        queue = filled("a1 a2 a3")
        got = received(queue, 0, 2)
        queue.change_visibility(got["a1"].receipt_handle, 0, 1)
        heard: list[int] = []
        queue.on_change = lambda: heard.append(1)
        delete(queue, got, "a2", 2)
        assert heard == [1]
        assert receive(queue, 2) == "a1 a3"

    @pytest.mark.rule("FIFO-ORD-6")
    @pytest.mark.parametrize(("extended", "expected"), [("a1", ""), ("a2", "a1"), ("a3", "a1 a2")])
    def test_exactly_what_stands_before_the_first_in_flight(self, extended: str, expected: str) -> None:
        queue = filled("a1 a2 a3 a4", visibility_timeout=1)
        got = received(queue, 0, 3)
        queue.change_visibility(got[extended].receipt_handle, 4, 0)
        assert receive(queue, nextafter(1, 0)) == ""
        assert receive(queue, 1) == expected

    @pytest.mark.rule("FIFO-ORD-7")
    def test_a_timeout_of_0_leaves_it_receivable(self) -> None:
        queue = filled("a1 a2")
        assert [receive(queue, 0, 10, 0) for _ in range(3)] == ["a1 a2"] * 3

    @pytest.mark.rule("FIFO-ORD-7")
    def test_a_plain_timeout_keeps_the_order(self) -> None:
        queue = filled("a1 a2 a3", visibility_timeout=5)
        assert receive(queue, 0, 2) == "a1 a2"
        assert receive(queue, 5) == "a1 a2 a3"

    @pytest.mark.rule("FIFO-ORD-7")
    def test_a_group_that_was_empty_works_again(self) -> None:
        queue = filled("a1")
        delete(queue, received(queue, 0), "a1", 0)
        assert receive(queue, 1) == ""
        send(queue, "a2 a3", 2)
        assert receive(queue, 2) == "a2 a3"

    @pytest.mark.rule("FIFO-SND-6")
    def test_what_is_sent_again_lands_behind_what_came_in_between(self) -> None:
        queue = filled("")
        for body in ("a1", "a\0", "a3"):  # the entries of a batch, in its order
            try:
                queue.send(body, 0, group_id="a", deduplication_id=body[-1].replace("\0", "2"))
            except ValueError:
                continue
        queue.send("a2", 1, group_id="a", deduplication_id="2")
        assert receive(queue, 1) == "a1 a3 a2"


class TestBetweenGroups:
    @pytest.mark.rule("FIFO-ORD-2")
    def test_those_not_served_of_late_come_first(self) -> None:
        queue = filled("a1 a2 b1", visibility_timeout=10)
        assert receive(queue, 0, 2) == "a1 a2"
        assert receive(queue, 1) == "b1"
        send(queue, "c1 a3 a4", 2)
        assert receive(queue, 11) == "c1 a1 a2 a3 a4 b1"

    @pytest.mark.rule("FIFO-ORD-2")
    def test_one_that_is_unblocked_goes_to_the_tail(self) -> None:
        queue = filled("a1 a2 b1")
        got = received(queue, 0, 2)
        queue.change_visibility(got["a1"].receipt_handle, 0, 1)
        assert receive(queue, 1) == "b1 a1"

    @pytest.mark.rule("FIFO-ORD-2")
    def test_of_those_unblocked_at_one_instant_the_oldest_comes_first(self) -> None:
        queue = filled("a1 b1 c1")
        for timeout in (10, 9, 8):
            receive(queue, 10 - timeout, 1, timeout)
        assert receive(queue, 10) == "a1 b1 c1"

    @pytest.mark.rule("FIFO-ORD-2")
    @pytest.mark.parametrize("then", ["send", "delete", "give back"])
    def test_the_order_does_not_depend_on_who_looked_when(self, then: str) -> None:
        queue = FifoQueue(Queue(fifo=True), "q")
        queue.enqueue("a1", None, 0, None, 0, "a")
        queue.take(0, 1, 5)
        queue.enqueue("b1", None, 0, None, 0, "b")
        queue.enqueue("b2", None, 0, None, 0, "b")
        [b1] = queue.take(0, 1, 60)
        if then == "send":
            queue.enqueue("c1", None, 6, None, 6, "c")  # a has been unblocked at 5, before this
        elif then == "delete":
            queue.finish_one(b1, 6)
        else:
            queue.extend(b1, 0, 0, 6)
        assert queue.take(6, 10, 30)[0].body == "a1"


class TestLookAhead:
    @pytest.mark.rule("FIFO-ORD-8")
    def test_a_group_behind_it_is_not_served(self) -> None:
        queue = filled("a1 a2 a3 b1", look_ahead=3)
        assert receive(queue, 0, 1) == "a1"
        assert receive(queue, 0) == "b1"
        behind = filled("a1 a2 a3 a4 b1", look_ahead=3)
        got = received(behind, 0, 1)
        assert receive(behind, 0) == ""
        assert not behind.receivable
        assert behind.counts(0) == (4, 1, 0)
        delete(behind, got, "a1", 1)
        assert receive(behind, 1) == "a2 a3 a4 b1"

    @pytest.mark.rule("FIFO-ORD-8")
    def test_messages_of_a_group_within_it_may_be_behind_it(self) -> None:
        queue = filled("a1 b1 c1 a2 d1", look_ahead=2)
        assert receive(queue, 0, 2) == "a1 a2"
        assert receive(queue, 0) == "b1 c1 d1"

    @pytest.mark.rule("FIFO-ORD-8")
    def test_who_comes_back_puts_others_out_of_reach(self) -> None:
        queue = filled("a1 b1 c1 d1", look_ahead=2)
        got = received(queue, 0, 2)
        assert set(got) == {"a1", "b1"}
        queue.change_visibility(got["a1"].receipt_handle, 0, 1)
        queue.change_visibility(got["b1"].receipt_handle, 0, 1)
        assert queue.counts(1) == (4, 0, 0)
        assert receive(queue, 1, 2) == "a1 b1"

    @pytest.mark.rule("FIFO-ORD-8")
    def test_a_huge_backlog_of_one_group_hides_younger_ones(self) -> None:
        queue = FifoQueue(Queue(fifo=True), "q")
        for _ in range(120_000):
            queue.enqueue("a", None, 0, None, 0, "a")
        queue.enqueue("b", None, 0, None, 0, "b")
        [first] = queue.take(0, 1, 30)
        assert [message.body for message in queue.take(0, 10, 30)] == ["b"]
        queue.enqueue("a", None, 1, None, 1, "a")
        queue.enqueue("c", None, 1, None, 1, "c")
        assert queue.take(1, 10, 30) == []
        queue.finish_one(first, 2)
        assert [message.group_id for message in queue.take(2, 2, 30)] == ["a", "a"]
        assert [message.body for message in queue.take(2, 10, 30)] == ["c"]

    @pytest.mark.rule("FIFO-ORD-8")
    def test_it_is_looked_at_what_stands_there_when_it_becomes_too_much(self) -> None:
        queue = filled("a1 b1", look_ahead=2)
        got = received(queue, 0)
        for body in ("e1", "c1"):
            send(queue, body, 0)
            got |= received(queue, 0)
        for body in ("a1", "b1", "e1"):
            queue.change_visibility(got[body].receipt_handle, 0, 1)
        assert queue.counts(1) == (3, 1, 0)
        assert [group.name for group in queue._rotation] == ["a", "b"]
        queue.change_visibility(got["c1"].receipt_handle, 0, 2)
        assert receive(queue, 2) == "a1 b1 e1 c1"

    @pytest.mark.rule("FIFO-ORD-8")
    def test_delayed_messages_are_not_among_the_first_ones(self) -> None:
        queue = filled("a1 b1 c1", look_ahead=2, delay=5)
        send(queue, "d1", 6)
        assert (queue.counts(6), receive(queue, 6, 1)) == ((3, 0, 1), "a1")
        assert [group.name for group in queue._rotation] == ["b", "c"]
        assert receive(queue, 11) == "b1 c1 d1"

    @pytest.mark.rule("FIFO-ORD-8")
    @pytest.mark.rule("FIFO-VIS-4")
    def test_a_repeated_receive_brings_others_within_reach(self) -> None:
        queue = filled("a1 b1 c1 d1", look_ahead=1, visibility_timeout=5)
        queue.receive(0, 1, attempt_id="x")
        assert queue.counts(5) == (4, 0, 0)
        assert [group.name for group in queue._rotation] == ["a"]
        queue.receive(5, 1, attempt_id="x")
        assert [group.name for group in queue._rotation] == ["b"]
        queue.check(5)

    @pytest.mark.rule("FIFO-ORD-8")
    @pytest.mark.rule("FIFO-VIS-4")
    def test_it_brings_as_many_within_reach_as_it_hides_there(self) -> None:
        queue = filled("a1 a2 b1 c1", look_ahead=1, visibility_timeout=5)
        queue.receive(0, 2, attempt_id="x")
        queue.receive(5, 2, attempt_id="x")
        assert [group.name for group in queue._rotation] == ["b"]

    @pytest.mark.rule("FIFO-ORD-8")
    def test_dead_letters_count_where_they_come(self) -> None:
        dead = FifoQueue(Queue(fifo=True), "dead", look_ahead=1)
        declared = Queue(fifo=True, visibility_timeout=0, redrive=Redrive(to="dead", max_receive_count=1))
        source = FifoQueue(declared, "source", dead_letter_queue=dead)
        send(source, "a1 b1 c1", 0)
        source.receive(0, 10)
        source.receive(1, 10)
        assert (dead.counts(1), [group.name for group in dead._rotation]) == ((3, 0, 0), ["a"])
        assert receive(dead, 1) == "a1 b1 c1"


class TestWithoutAnyLook:
    """The calls by record settle what is due before they act."""

    def test_take_finds_what_has_timed_out(self) -> None:
        queue = FifoQueue(Queue(fifo=True), "q")
        first = queue.enqueue("a1", None, 0, None, 0, "a")
        assert queue.take(0, 1, 5) == [first]
        assert queue.take(5, 1, 5) == [first]

    def test_finish_one_lets_others_come_first_that_were_unblocked_before(self) -> None:
        queue = FifoQueue(Queue(fifo=True), "q")
        for body in ("a1", "b1", "b2"):
            queue.enqueue(body, None, 0, None, 0, body[0])
        queue.take(0, 1, 5)
        [b1] = queue.take(0, 1, 60)
        queue.finish_one(b1, 6)
        assert [message.body for message in queue.take(6, 10, 5)] == ["a1", "b2"]

    def test_who_hears_of_a_message_given_back_may_take_it_at_once(self) -> None:
        queue = FifoQueue(Queue(fifo=True), "q")
        queue.enqueue("a1", None, 0, None, 0, "a")
        [message] = queue.take(0, 1, 60)
        got: list[Any] = []
        queue.on_change = lambda: got.extend(queue.take(1, 1, 60))
        queue.extend(message, 0, 0, 1)
        assert got == [message]
        queue.check(1)


class TestDeadLetters:
    def make(self, **settings: Any) -> tuple[FifoQueue, FifoQueue]:
        dead = FifoQueue(Queue(fifo=True, retention=4 * 86_400), "dead")
        declared = Queue(fifo=True, redrive=Redrive(to="dead", max_receive_count=1), **settings)
        return FifoQueue(declared, "source", dead_letter_queue=dead), dead

    @pytest.mark.rule("FIFO-ORD-9")
    @pytest.mark.rule("SQS-DLQ-5")
    def test_the_next_of_its_group_comes_in_its_place(self) -> None:
        source, dead = self.make(visibility_timeout=10)
        send(source, "a1 a2 b1", 0)
        assert receive(source, 0, 1) == "a1"
        assert receive(source, 10) == "b1 a2"
        assert (source.counts(10), source.dead_lettered) == ((0, 2, 0), 1)
        [letter] = dead.receive(10)
        assert (letter.body, letter.group_id, letter.receive_count) == ("a1", "a", 2)

    @pytest.mark.rule("FIFO-ORD-9")
    def test_behind_one_that_was_received_in_the_same_call(self) -> None:
        source, dead = self.make(visibility_timeout=10)
        send(source, "a1 a2", 0)
        got = received(source, 0)
        source.set_attributes(5, redrive=Redrive(to="dead", max_receive_count=2))
        source.change_visibility(got["a1"].receipt_handle, 0, 5)
        assert receive(source, 5) == "a1"
        source.set_attributes(20, redrive=Redrive(to="dead", max_receive_count=1))
        send(source, "a3", 20)
        assert receive(source, 20) == "a3"
        assert [delivery.body for delivery in dead.receive(20, 10)] == ["a1", "a2"]

    @pytest.mark.rule("FIFO-ORD-9")
    def test_beyond_the_look_ahead_it_brings_others_within_reach(self) -> None:
        dead = FifoQueue(Queue(fifo=True), "dead")
        declared = Queue(fifo=True, visibility_timeout=1, redrive=Redrive(to="dead", max_receive_count=1))
        source = FifoQueue(declared, "source", dead_letter_queue=dead, look_ahead=2)
        send(source, "a1 a2 b1 c1 d1", 0)
        assert receive(source, 0, 2) == "a1 a2"
        assert receive(source, 1) == "b1 c1 d1"
        assert receive(dead, 1) == "a1 a2"

    @pytest.mark.rule("SQS-RET-2")
    @pytest.mark.rule("SQS-RET-3")
    def test_retention_restarts_with_the_move(self) -> None:
        source, dead = self.make(visibility_timeout=0)
        send(source, "a1", 0)
        source.receive(0)
        source.receive(86_400)
        assert (dead.age_of_oldest(86_400), dead.age_of_oldest(86_407)) == (0, 7)
        assert dead.counts(5 * 86_400) == (1, 0, 0)
        [letter] = dead.receive(5 * 86_400, 1, 0)
        assert letter.sent_at == 86_400
        assert dead.counts(nextafter(5 * 86_400, 1e9)) == (0, 0, 0)

    def test_the_queue_that_takes_it_first_does_what_is_due(self) -> None:
        seen: list[float] = []
        source, dead = self.make(visibility_timeout=0)
        send(dead, "b1", 0)
        dead.receive(0, 1, 5)
        heard: list[int] = []
        dead.on_arrival = seen.append
        dead.on_change = lambda: heard.append(1)
        send(source, "a1", 0)
        source.receive(0)
        source.receive(6)
        assert (seen, heard) == ([6], [1])
        assert receive(dead, 6) == "b1 a1"


class TestMoves:
    @pytest.mark.rule("SQS-MOV-4")
    def test_a_moved_message_is_a_new_one_of_its_group(self) -> None:
        dead = FifoQueue(Queue(fifo=True), "dead")
        declared = Queue(fifo=True, visibility_timeout=0, redrive=Redrive(to="dead", max_receive_count=1))
        source = FifoQueue(declared, "source", dead_letter_queue=dead)
        send(source, "a1 a2 b1", 0)
        assert receive(source, 0) == "a1 a2 b1"
        assert receive(source, 1) == ""
        assert dead.first_in_line() is not None
        for now in (2, 3, 4):
            message = dead.first_in_line()
            assert message is not None
            dead.move_out(message, now)
            source.move_in(message, now)
        assert dead.first_in_line() is None
        assert (dead.counts(4), dead.moved_out, source.moved_in) == ((0, 0, 0), 3, 3)
        moved = source.receive(4, 10)
        assert [(each.body, each.group_id, each.receive_count) for each in moved] == [
            ("a1", "a", 1),
            ("a2", "a", 1),
            ("b1", "b", 1),
        ]
        message_of: Any = moved[0].message
        assert message_of.deduplication_id == moved[0].message_id

    def test_the_next_group_is_the_one_that_has_come_back(self) -> None:
        queue = filled("a1", visibility_timeout=5, look_ahead=1)
        send(queue, "b1", 0)
        receive(queue, 0, 1)
        receive(queue, 1, 1)
        queue.settle(5)
        first = queue.first_in_line()
        assert first is not None
        queue.settle(6)
        queue.move_out(first, 6)
        assert [getattr(queue.first_in_line(), "body", None), queue.counts(6)] == ["b1", (1, 0, 0)]


class TestRetention:
    @pytest.mark.rule("SQS-RET-1")
    def test_who_expires_unblocks_its_group(self) -> None:
        queue = filled("a1", retention=60, visibility_timeout=1_000)
        send(queue, "a2", 10)
        send(queue, "b1", 20)
        assert receive(queue, 50, 1) == "a1"
        assert queue.counts(60) == (2, 1, 0)
        assert receive(queue, 60.5) == "b1 a2"
        assert queue.counts(75) == (0, 1, 0)
        queue.check(100)
        assert queue.expired == 3

    @pytest.mark.rule("SQS-RET-1")
    @pytest.mark.parametrize("name", ["s0", "s1", "s2", "s3"])
    def test_of_one_instant_they_go_in_any_order(self, name: str) -> None:
        dead = FifoQueue(Queue(fifo=True, retention=60), "dead")
        declared = Queue(fifo=True, visibility_timeout=0, redrive=Redrive(to="dead", max_receive_count=1))
        source = FifoQueue(declared, name, dead_letter_queue=dead)
        send(source, "a1", 0)
        source.receive(0)
        source.receive(0)
        send(dead, "a2", 0)
        assert dead.counts(60) == (2, 0, 0)
        assert dead.counts(60.5) == (0, 0, 0)
        send(dead, "a3", 61)
        assert receive(dead, 61) == "a3"
        dead.check(61)

    @pytest.mark.rule("SQS-RET-1")
    def test_whether_it_is_seen_or_not(self) -> None:
        queue = filled("a1 a2 b1 c1", retention=60, look_ahead=2, visibility_timeout=1_000)
        send(queue, "d1", 30)
        receive(queue, 40, 1)
        assert queue.counts(60.5) == (1, 0, 0)
        assert receive(queue, 60.5) == "d1"
