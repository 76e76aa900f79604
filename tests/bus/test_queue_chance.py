"""Standard queues: what is left to chance, and the choices that the service does not tell."""

from collections.abc import Sequence
from math import inf
from random import Random
from typing import Any

import pytest

from msgsim.bus.chance import Chance, Ghost
from msgsim.bus.message import GONE, Message
from msgsim.bus.queue import Queue, Redrive
from msgsim.bus.standard import StandardQueue
from msgsim.errors import InvalidParameterValue


class Drawn:
    """Draws the numbers that it is given."""

    def __init__(self, *numbers: float) -> None:
        self.numbers = list(numbers)

    def random(self) -> float:
        return self.numbers.pop(0)


def make(*numbers: float, seed: int = 1, **settings: Any) -> StandardQueue:
    rng: Any = Drawn(*numbers) if numbers else Random(seed)
    return StandardQueue(Queue(**settings), "q", rng=rng)


def filled(bodies: str, *numbers: float, **settings: Any) -> StandardQueue:
    queue = make(*numbers, **settings)
    for body in bodies:
        queue.send(body, 0)
    return queue


def bodies(queue: StandardQueue, now: float, limit: int = 10, **settings: Any) -> str:
    return "".join(delivery.body for delivery in queue.receive(now, limit, **settings))


class TestSample:
    @pytest.mark.rule("SQS-RCV-3")
    def test_a_short_poll_sees_each_message_with_its_probability(self) -> None:
        queue = filled("abcde", 0.5, 0.49, 0.9, 0.0, 0.5, sampled=0.5)
        assert bodies(queue, 0) == "bd"
        assert queue.counts(0) == (3, 2, 0)

    @pytest.mark.rule("SQS-RCV-3")
    def test_it_may_be_empty_and_repeating_it_finds_everything_in_order(self) -> None:
        queue = filled("abc", 0.9, 0.9, 0.9, 0.9, 0.1, 0.9, 0.1, 0.9, 0.1, sampled=0.5)
        assert [bodies(queue, 0) for _ in range(4)] == ["", "b", "a", "c"]
        assert queue.empty_receives == 1
        assert queue.counts(0) == (0, 3, 0)

    @pytest.mark.rule("SQS-RCV-4")
    def test_a_long_poll_sees_everything(self) -> None:
        queue = filled("abc", 0.9, sampled=0.5)
        assert bodies(queue, 0, wait_time=20) == "abc"

    def test_it_looks_no_further_than_it_must(self) -> None:
        queue = filled("abcde", 0.9, 0.1, 0.1, sampled=0.5)
        assert bodies(queue, 0, 2) == "bc"
        assert bodies(queue, 0, wait_time=20) == "ade"

    def test_a_message_that_was_returned_is_sampled_too(self) -> None:
        queue = filled("ab", 0.1, 0.1, 0.9, 0.1, sampled=0.5)
        assert bodies(queue, 0) == "ab"
        assert bodies(queue, 30) == "b"
        assert bodies(queue, 30, wait_time=1) == "a"
        queue.check(30)

    def test_without_it_a_short_poll_draws_nothing(self) -> None:
        queue = filled("ab", 0.9, 0.9, disorder=0.5)
        assert bodies(queue, 0) == "ab"


class TestDisorder:
    @pytest.mark.rule("SQS-RCV-8")
    @pytest.mark.parametrize(
        ("drawn", "sent", "limit", "order"),
        [
            ((0.9, 0.9, 0.9), "abc", 3, "abc"),
            ((0.1, 0.9, 0.9), "abc", 3, "bac"),  # a lets b pass, and goes then
            ((0.1, 0.1, 0.9), "abc", 3, "bca"),
            ((0.9, 0.1, 0.9), "abc", 3, "acb"),
            ((0.1,), "abc", 1, "b"),
            ((0.1, 0.1), "abc", 2, "bc"),
            ((0.1, 0.9), "abc", 2, "ba"),
            ((0.1, 0.1), "ab", 2, "ba"),
            ((0.1,), "a", 2, "a"),
        ],
    )
    def test_a_message_may_let_those_behind_it_pass(
        self, drawn: Sequence[float], sent: str, limit: int, order: str
    ) -> None:
        queue = filled(sent, *drawn, disorder=0.5)
        assert bodies(queue, 0, limit) == order

    @pytest.mark.rule("SQS-RCV-8")
    def test_who_was_passed_is_the_first_again(self) -> None:
        queue = filled("abc", 0.1, 0.9, 0.9, disorder=0.5)
        assert [bodies(queue, 0, 1) for _ in range(3)] == ["b", "a", "c"]
        queue.check(0)

    def test_nobody_is_lost(self) -> None:
        queue = filled("abcdefghij" * 20, disorder=0.5)
        assert sorted("".join(bodies(queue, 0, 7) for _ in range(30))) == sorted("abcdefghij" * 20)

    def test_dead_letters_go_when_it_is_their_turn(self) -> None:
        queue = filled("ab", 0.9, 0.9, disorder=0.5, redrive=Redrive(to="dead", max_receive_count=1))
        assert bodies(queue, 0) == "ab"
        assert bodies(queue, 30) == ""
        assert queue.dead_lettered == 2


class TestDuplicates:
    @pytest.mark.rule("SQS-DUP-1")
    def test_a_message_may_come_again_inside_its_visibility_timeout(self) -> None:
        queue = filled("ab", 0.4, 0.5, duplicates=0.5)
        first = queue.receive(0, 10)
        [again] = queue.receive(1, 10)
        assert (again.message_id, again.body, again.receive_count) == (first[0].message_id, "a", 2)
        assert again.receipt_handle != first[0].receipt_handle
        assert again.first_received_at == 0
        assert bodies(queue, 2) == ""
        assert (queue.received, queue.redelivered, queue.duplicate_work) == (3, 1, 1)
        assert queue.counts(2) == (0, 2, 0)
        queue.check(2)

    @pytest.mark.rule("SQS-DUP-1")
    def test_it_may_come_again_after_its_deletion(self) -> None:
        queue = filled("a", 0.4, duplicates=0.5)
        [delivery] = queue.receive(0)
        queue.delete(delivery.receipt_handle, 1)
        [again] = queue.receive(2)
        assert (again.body, queue.counts(2), queue.deleted) == ("a", (0, 0, 0), 1)
        queue.delete(again.receipt_handle, 3)
        assert queue.deleted == 1
        queue.check(3)
        assert queue.residence(3) == sum(queue.integrals(3)) == 1

    @pytest.mark.rule("SQS-DUP-1")
    def test_deleting_the_duplicate_has_no_effect(self) -> None:
        queue = filled("a", 0.4, 0.9, duplicates=0.5)
        queue.receive(0)
        [again] = queue.receive(1)
        queue.delete(again.receipt_handle, 2)
        assert (queue.counts(2), queue.deleted) == ((0, 1, 0), 0)
        [back] = queue.receive(30)
        assert back.receive_count == 2
        queue.delete(again.receipt_handle, 31)
        queue.delete(back.receipt_handle, 31)
        assert (queue.counts(31), queue.deleted) == ((0, 0, 0), 1)

    def test_the_duplicate_changes_the_visibility_of_the_message_if_that_is_there(self) -> None:
        queue = filled("a", 0.4, 0.9, duplicates=0.5)
        [delivery] = queue.receive(0)
        [again] = queue.receive(1)
        queue.change_visibility(again.receipt_handle, 60, 2)
        assert (queue.counts(30), queue.counts(62)) == ((0, 1, 0), (1, 0, 0))
        queue.delete(delivery.receipt_handle, 62)
        with pytest.raises(InvalidParameterValue, match="Message does not exist"):
            queue.change_visibility(again.receipt_handle, 60, 63)

    def test_each_delivery_is_repeated_at_most_once(self) -> None:
        queue = filled("abc", duplicates=1.0)
        assert [bodies(queue, 0, 2) for _ in range(5)] == ["ab", "ab", "c", "c", ""]

    def test_whoever_waits_is_told(self) -> None:
        queue = filled("a", 0.4, duplicates=0.5)
        heard: list[bool] = []
        queue.on_change = lambda: heard.append(queue.receivable)
        assert queue.receivable
        queue.take(0, 1, 30)
        assert heard == [True]
        assert (queue.visible, queue.receivable) == (0, True)
        queue.take(0, 1, 30)
        assert not queue.receivable

    def test_nobody_is_told_without_need(self) -> None:
        queue = filled("a", 0.9, duplicates=0.5)
        heard: list[bool] = []
        queue.on_change = lambda: heard.append(True)
        queue.take(0, 1, 30)
        assert heard == []

    def test_those_of_expired_and_purged_messages_do_not_come(self) -> None:
        queue = filled("a", 0.4, 0.4, duplicates=0.5, retention=60)
        queue.receive(0)
        assert bodies(queue, 61) == ""
        assert queue.duplicate_work == 0
        queue.send("b", 61)
        assert bodies(queue, 61) == "b"
        queue.purge(62)
        assert bodies(queue, 62) == ""

    def test_the_limit_in_flight_holds_for_them(self) -> None:
        queue = filled("ab", 0.4, 0.4, duplicates=0.5, max_in_flight=1)
        assert bodies(queue, 0, wait_time=1) == "a"
        assert bodies(queue, 0, wait_time=1) == ""
        assert bodies(queue, 30, wait_time=1) == "a"
        assert queue.duplicate_work == 1

    def test_by_record_it_looks_the_same_and_is_gone(self) -> None:
        queue = make(0.4, duplicates=0.5)
        queue.enqueue("a", {"k": 1}, 3, 7, 2)
        [message] = queue.take(4, 1, 30)
        [ghost] = queue.take(5, 1, 30)
        assert isinstance(ghost, Ghost)
        names = ("body", "attributes", "number", "arrived_at", "sent_at", "origin_id", "origin_at", "group_id")
        assert [getattr(ghost, name) for name in names] == [getattr(message, name) for name in names]
        assert (ghost.deadline, ghost.receive_count) == (GONE, 2)
        assert queue.remove(ghost, 2, 6) is False
        queue.finish_one(message, 6)
        queue.check(6)

    def test_a_tenant_has_them_too(self) -> None:
        queue = make(0.4, duplicates=0.5)
        queue.send("a", 0, group_id="t")
        queue.receive(0)
        [again] = queue.receive(1)
        assert (again.group_id, queue.counts(1)) == ("t", (0, 1, 0))
        queue.check(1)


class TestChooser:
    @staticmethod
    def choose(chance: Chance, count: int, limit: int) -> tuple[list[int], list[int]]:
        line = []
        for number in range(count):
            message = Message()
            message.number = number
            line.append(message)
        chosen, back = chance.choose(lambda: line.pop(0) if line else None, limit)
        return [message.number for message in chosen], [message.number for message in back]

    def test_what_was_passed_to_the_end_goes_back(self) -> None:
        chance = Chance(Drawn(0.1, 0.1).random, sampled=1.0, disorder=0.5, duplicates=0.0)
        assert self.choose(chance, 5, 2) == ([1, 2], [0])

    def test_samples_and_disorder_go_together(self) -> None:
        chance = Chance(Drawn(0.1, 0.1, 0.9, 0.1, 0.1).random, sampled=0.5, disorder=0.5, duplicates=0.0)
        chance.short = True
        assert self.choose(chance, 3, 2) == ([2, 0], [1])


class TestVisibilityCap:
    @pytest.mark.rule("SQS-VIS-3")
    @pytest.mark.parametrize(("cap", "longest"), [("receipt", 43_200), ("message", 43_170)])
    def test_the_12_hours_may_count_from_the_first_receive(self, cap: str, longest: float) -> None:
        queue = filled("a", visibility_cap=cap)
        queue.receive(0)
        [delivery] = queue.receive(30)
        if cap == "message":
            with pytest.raises(InvalidParameterValue, match=r"beyond the limit \[43200 seconds\]"):
                queue.change_visibility(delivery.receipt_handle, longest + 1, 30)
        queue.change_visibility(delivery.receipt_handle, longest, 30)
        assert (queue.counts(longest + 29), queue.counts(longest + 30)) == ((0, 1, 0), (1, 0, 0))


class TestOldHandle:
    @pytest.mark.rule("SQS-VIS-6")
    @pytest.mark.parametrize(("old_handle", "left"), [("ignored", 1), ("deletes", 0)])
    @pytest.mark.parametrize("now", [31, 61])
    def test_it_may_delete(self, old_handle: str, left: int, now: float) -> None:
        queue = filled("a", old_handle=old_handle)
        [old] = queue.receive(0)
        queue.receive(30)
        queue.delete(old.receipt_handle, now)
        assert sum(queue.counts(now)) == left
        queue.check(now)

    def test_so_may_that_of_a_duplicate(self) -> None:
        queue = filled("a", 0.4, duplicates=0.5, old_handle="deletes")
        queue.receive(0)
        [again] = queue.receive(0)
        queue.delete(again.receipt_handle, 1)
        assert (queue.counts(1), queue.deleted) == ((0, 0, 0), 1)
        assert queue.next_deadline() is None
        assert queue.counts(1e9) == (0, 0, 0)
        assert inf > queue.residence(1e9)
