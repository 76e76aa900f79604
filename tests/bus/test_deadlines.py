"""Deadlines: the index of what becomes visible when."""

from math import inf
from random import Random

import pytest

from msgsim.bus.deadlines import SLACK, Deadlines
from msgsim.bus.message import GONE, VISIBLE, Message


def message(number: int, deadline: float) -> Message:
    made = Message()
    made.number = number
    made.deadline = deadline
    return made


def batch(deadline: float, *numbers: int) -> list[Message]:
    return [message(number, deadline) for number in numbers]


def numbers(messages: list[Message]) -> list[int]:
    return [each.number for each in messages]


class TestHead:
    def test_of_nothing_is_never(self) -> None:
        assert Deadlines().head() == Deadlines().next_valid() == inf

    def test_is_the_earliest_of_both_lists(self) -> None:
        deadlines = Deadlines()
        deadlines.add(10, batch(10, 1))
        assert deadlines.head() == 10
        deadlines.add(12, batch(12, 2))
        deadlines.add(5, batch(5, 3))
        assert (deadlines.head(), len(deadlines.line)) == (5, 2)

    def test_may_be_stale_and_the_next_valid_one_is_not(self) -> None:
        deadlines = Deadlines()
        first, second = batch(10, 1, 2), batch(20, 3)
        deadlines.add(10, first)
        deadlines.add(20, second)
        first[0].deadline = GONE
        assert deadlines.next_valid() == 10
        first[1].deadline = 30
        assert deadlines.head() == 10
        assert deadlines.next_valid() == deadlines.head() == 20
        second[0].deadline = VISIBLE
        assert deadlines.next_valid() == inf


class TestPopDue:
    def test_takes_the_messages_of_the_earliest_entry(self) -> None:
        deadlines = Deadlines()
        deadlines.add(10, batch(10, 1, 2))
        deadlines.add(10, batch(10, 3))
        assert numbers(deadlines.pop_due(10)) == [1, 2]
        assert numbers(deadlines.pop_due(10)) == [3]
        assert deadlines.head() == inf

    def test_leaves_out_those_whose_deadline_is_another_now(self) -> None:
        deadlines = Deadlines()
        entry = batch(10, 1, 2, 3)
        deadlines.add(10, entry)
        entry[0].deadline = GONE
        entry[2].deadline = 40
        assert numbers(deadlines.pop_due(10)) == [2]

    def test_takes_nothing_that_is_not_due(self) -> None:
        deadlines = Deadlines()
        deadlines.add(10, batch(10, 1))
        assert deadlines.pop_due(9) == []
        assert deadlines.head() == 10

    def test_takes_changed_ones_in_order_one_by_one(self) -> None:
        deadlines = Deadlines()
        deadlines.add(10, batch(10, 1))
        for deadline, number in ((7, 2), (5, 3), (5, 4)):
            deadlines.add(deadline, batch(deadline, number))
        assert [numbers(deadlines.pop_due(10)) for _ in range(4)] == [[3], [4], [2], [1]]
        assert deadlines.index is None

    def test_takes_a_message_once_that_came_back_to_the_deadline_it_had(self) -> None:
        deadlines = Deadlines()
        [again] = batch(30, 1)
        deadlines.add(30, [again])
        deadlines.add(60, batch(60, 2))
        deadlines.add(30, [again])
        assert sorted(numbers(list(deadlines))) == [1, 2]
        [popped] = deadlines.pop_due(30)
        popped.deadline = VISIBLE
        assert deadlines.pop_due(30) == []
        assert (deadlines.head(), deadlines.index) == (60, None)


class TestDiscard:
    def test_forgets_a_changed_deadline(self) -> None:
        deadlines = Deadlines()
        deadlines.add(10, batch(10, 1))
        early = batch(5, 2, 3)
        deadlines.add(5, early)
        deadlines.discard(early[0])
        assert numbers(list(deadlines)) == [1, 3]
        deadlines.discard(early[1])
        assert (deadlines.index, deadlines.head()) == (None, 10)

    def test_leaves_the_line_to_its_stale_entries(self) -> None:
        deadlines = Deadlines()
        [one] = batch(10, 1)
        deadlines.add(10, [one])
        deadlines.discard(one)
        one.deadline = GONE
        assert deadlines.next_valid() == inf


class TestAll:
    def test_each_message_with_a_valid_deadline_is_there_once(self) -> None:
        deadlines = Deadlines()
        entry = batch(10, 1, 2)
        deadlines.add(10, entry)
        deadlines.add(10, [entry[0]])
        deadlines.add(5, batch(5, 3))
        entry[1].deadline = GONE
        assert sorted(numbers(list(deadlines))) == [1, 3]

    def test_clear_forgets_everything(self) -> None:
        deadlines = Deadlines()
        deadlines.add(10, batch(10, 1))
        deadlines.add(5, batch(5, 2))
        line = deadlines.line
        deadlines.clear()
        assert (list(deadlines), deadlines.head(), deadlines.limit) == ([], inf, SLACK)
        assert deadlines.line is line


class TestCompaction:
    def test_drops_stale_entries_when_they_are_the_greater_part(self) -> None:
        deadlines = Deadlines()
        longest = 0
        for number in range(10_000):
            [one] = batch(43_200 + number, number)
            deadlines.add(one.deadline, [one])
            one.deadline = GONE
            longest = max(longest, len(deadlines.line))
        assert longest <= 2 * SLACK

    def test_keeps_entries_with_one_valid_message_and_their_order(self) -> None:
        deadlines = Deadlines()
        kept = []
        for number in range(0, 1_000, 2):
            entry = batch(number, number, number + 1)
            deadlines.add(number, entry)
            entry[0].deadline = GONE
            if number % 20:
                entry[1].deadline = GONE
            else:
                kept.append(number + 1)
        deadlines.compact()
        assert (len(deadlines.line), deadlines.limit) == (len(kept), 2 * len(kept) + SLACK)
        assert numbers(list(deadlines)) == kept

    def test_keeps_the_deque_that_the_queue_appends_to(self) -> None:
        deadlines = Deadlines()
        line = deadlines.line
        deadlines.add(1, batch(1, 1))
        deadlines.compact()
        assert deadlines.line is line


@pytest.mark.parametrize("seed", range(20))
def test_everything_comes_out_at_its_last_deadline(seed: int) -> None:
    random = Random(seed)
    deadlines = Deadlines()
    messages = [message(number, 0) for number in range(40)]
    for _ in range(200):
        one = random.choice(messages)
        if one.deadline:
            deadlines.discard(one)
        one.deadline = random.randrange(1, 30)
        deadlines.add(one.deadline, [one])
    expected = sorted((each.deadline, each.number) for each in messages if each.deadline)
    assert deadlines.next_valid() == expected[0][0]
    assert sorted(numbers(list(deadlines))) == sorted(number for _, number in expected)
    found = []
    while deadlines.head() < inf:
        now = deadlines.head()
        for each in deadlines.pop_due(now):
            found.append((now, each.number))
            each.deadline = VISIBLE
    assert sorted(found) == expected
    assert [deadline for deadline, _ in found] == [deadline for deadline, _ in expected]
