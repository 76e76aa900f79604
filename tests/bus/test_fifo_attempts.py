"""FIFO queues: a receive that is repeated because its answer was lost."""

from math import nextafter
from typing import Any

import pytest

from msgsim.bus.fifo import FifoQueue
from msgsim.bus.queue import Queue
from msgsim.bus.receipts import Delivery
from msgsim.errors import InvalidParameterValue


def filled(count: int, **settings: Any) -> FifoQueue:
    queue = FifoQueue(Queue(fifo=True, **settings), "q")
    for number in range(count):
        queue.enqueue(f"m{number}", None, 0, None, 0, "ab"[number % 2])
    return queue


def handles(deliveries: list[Delivery]) -> list[str]:
    return [delivery.receipt_handle for delivery in deliveries]


def bodies(deliveries: list[Delivery]) -> list[str]:
    return [delivery.body for delivery in deliveries]


@pytest.mark.rule("FIFO-VIS-4")
def test_the_same_messages_and_handles_hidden_anew() -> None:
    queue = filled(4, visibility_timeout=30)
    first = queue.receive(0, 2, attempt_id="x")
    assert bodies(first) == ["m0", "m2"]
    again = queue.receive(20, 1, attempt_id="x")
    assert handles(again) == handles(first)
    assert (queue.received, queue.redelivered, queue.counts(20)) == (2, 0, (2, 2, 0))
    assert [delivery.receive_count for delivery in again] == [1, 1]
    assert queue.next_deadline() == 50
    assert queue.counts(nextafter(50, 0)) == (2, 2, 0)
    assert queue.counts(50) == (4, 0, 0)


@pytest.mark.rule("FIFO-VIS-4")
def test_for_as_long_as_the_repetition_says() -> None:
    queue = filled(1)
    queue.receive(0, attempt_id="x")
    queue.receive(1, 1, 5, attempt_id="x")
    assert queue.next_deadline() == 6


@pytest.mark.rule("FIFO-VIS-4")
@pytest.mark.parametrize(("at", "same"), [(nextafter(300, 0), True), (300, False)])
def test_within_5_minutes(at: float, same: bool) -> None:
    queue = filled(2, visibility_timeout=1_000)
    first = queue.receive(0, attempt_id="x")
    queue.receive(200, attempt_id="x")  # does not prolong them
    assert (handles(queue.receive(at, attempt_id="x")) == handles(first)) is same


@pytest.mark.rule("FIFO-VIS-4")
def test_messages_that_have_timed_out_are_hidden_again() -> None:
    queue = filled(4, visibility_timeout=10)
    first = queue.receive(0, 2, attempt_id="x")
    heard: list[int] = []
    queue.on_change = lambda: heard.append(1)
    assert handles(queue.receive(15, 2, attempt_id="x")) == handles(first)
    assert heard == [1, 1]  # they came back, and have an end again
    assert (queue.counts(15), queue.next_deadline()) == ((2, 2, 0), 25)
    queue.delete(first[0].receipt_handle, 16)
    queue.check(16)
    assert bodies(queue.receive(16, 10)) == ["m1", "m3"]


@pytest.mark.rule("FIFO-VIS-4")
def test_not_beyond_the_limit_in_flight() -> None:
    queue = filled(4, visibility_timeout=10, max_in_flight=2)
    queue.receive(0, 2, attempt_id="x")
    assert bodies(queue.receive(15, 2)) == ["m1", "m3"]
    assert queue.receive(15, 2, attempt_id="x") == []


@pytest.mark.rule("FIFO-VIS-4")
@pytest.mark.parametrize("what", ["delete", "extend", "give back", "received by others"])
def test_a_fresh_receive_if_one_of_them_is_not_as_it_was(what: str) -> None:
    queue = filled(4, visibility_timeout=10)
    first = queue.receive(0, 2, attempt_id="x")
    if what == "delete":
        queue.delete(first[0].receipt_handle, 5)
    elif what == "extend":
        queue.change_visibility(first[1].receipt_handle, 60, 5)
    elif what == "give back":
        queue.change_visibility(first[0].receipt_handle, 0, 5)
        assert bodies(queue.receive(5, 10)) == ["m1", "m3", "m0"]
    else:
        assert bodies(queue.receive(10, 2)) == ["m1", "m3"]
        assert bodies(queue.receive(10, 1)) == ["m0"]
    expected = [] if what in ("give back", "received by others") else ["m1", "m3"]
    fresh = queue.receive(11 if what == "received by others" else 6, 2, attempt_id="x")
    assert bodies(fresh) == expected
    if expected:
        assert handles(queue.receive(7, 2, attempt_id="x")) == handles(fresh)


@pytest.mark.rule("FIFO-VIS-4")
def test_an_id_is_that_of_its_last_receive() -> None:
    queue = filled(6, visibility_timeout=100)
    first = queue.receive(0, 1, attempt_id="x")
    queue.delete(first[0].receipt_handle, 1)
    second = queue.receive(200, 1, attempt_id="x")
    assert handles(second) != handles(first)
    assert handles(queue.receive(310, 1, attempt_id="x")) == handles(second)  # the first one's 5 minutes do not count
    queue.receive(310, 2, attempt_id="y")
    assert len(queue._attempts) == 2


def test_after_a_while_they_are_forgotten() -> None:
    queue = filled(6, visibility_timeout=1)
    queue.receive(0, 1, attempt_id="x")
    assert bodies(queue.receive(2, 3, attempt_id="y")) == ["m1", "m3", "m5"]
    assert bodies(queue.receive(4, 4, attempt_id="w"))[:1] == ["m0"]  # takes over a message of the first one
    assert queue.receive(4, 1, attempt_id="x") == []
    queue.receive(299, 3, attempt_id="z")
    assert len(queue._attempts) == 3
    queue.receive(302, 1, attempt_id="z")
    assert len(queue._attempts) == 2
    queue.receive(10_000, 1, attempt_id="z")
    assert len(queue._attempts) == 1


def test_an_empty_answer_is_not_kept() -> None:
    queue = filled(0)
    assert queue.receive(0, attempt_id="x") == []
    assert queue.empty_receives == 1
    queue.enqueue("a", None, 1, None, 1, "g")
    assert bodies(queue.receive(1, attempt_id="x")) == ["a"]


def test_a_timeout_of_0_gives_them_back_at_once() -> None:
    queue = filled(1, visibility_timeout=10)
    first = queue.receive(0, attempt_id="x")
    assert handles(queue.receive(1, 1, 0, attempt_id="x")) == handles(first)
    assert queue.counts(1) == (1, 0, 0)


@pytest.mark.parametrize("given", ["", "a b", "a" * 129])
def test_an_id_is_letters_digits_and_punctuation(given: str) -> None:
    with pytest.raises(InvalidParameterValue, match="ReceiveRequestAttemptId can only include alphanumeric"):
        filled(1).receive(0, attempt_id=given)
