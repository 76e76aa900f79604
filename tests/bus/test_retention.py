"""Retention: a bound while messages are young, a heap afterwards."""

from math import inf, nextafter

import pytest

from msgsim.bus.message import GONE, VISIBLE, Message, RedrivenMessage
from msgsim.bus.retention import SLACK, Retention


def message(number: int, sent_at: float) -> Message:
    made = Message()
    made.number = number
    made.arrived_at = sent_at
    made.deadline = VISIBLE
    return made


def aged(*times: float, period: float = 100, now: float = 90) -> tuple[Retention, list[Message]]:
    """A retention that keeps a heap of messages sent at these times."""
    retention = Retention(period)
    messages = [message(number, sent_at) for number, sent_at in enumerate(times)]
    retention.look(messages, now)
    assert retention.heap is not None
    return retention, messages


class TestBound:
    def test_asks_for_a_look_first(self) -> None:
        assert Retention(100).due == -inf

    def test_is_the_moment_after_the_oldest_expires(self) -> None:
        retention = Retention(100)
        retention.look([message(1, 30), message(2, 20)], 40)
        assert (retention.due, retention.heap) == (nextafter(120, inf), None)

    def test_of_no_message_is_what_one_that_comes_now_would_have(self) -> None:
        retention = Retention(100)
        retention.look([], 40)
        assert (retention.due, retention.heap) == (nextafter(140, inf), None)

    def test_holds_no_message(self) -> None:
        retention = Retention(100)
        retention.look([message(1, 30)], 40)
        retention.add(message(2, 40))
        assert retention.heap is None
        assert retention.head(1_000) == inf

    def test_gets_earlier_for_a_message_that_is_older_than_its_arrival(self) -> None:
        retention = Retention(100)
        retention.look([], 40)
        sent = message(1, 10)
        sent.content, sent.attributes, sent.origin, sent.origin_at, sent.receive_count = "body", None, None, 10, 1
        letter = RedrivenMessage(sent, "source", 50)
        retention.add(letter)
        assert retention.due == nextafter(110, inf)

    @pytest.mark.parametrize(("now", "heap"), [(nextafter(50, -inf), False), (50, True)])
    def test_is_not_enough_any_more_when_a_message_is_half_its_period_old(self, now: float, heap: bool) -> None:
        retention = Retention(100)
        retention.look([message(1, 0)], now)
        assert (retention.heap is not None) is heap
        assert retention.due == nextafter(100, inf)


class TestHeap:
    def test_gives_the_messages_by_their_expiry(self) -> None:
        retention, _ = aged(30, 10, 20)
        assert retention.due == nextafter(110, inf)
        found = []
        while retention.head(200) < inf:
            found.append((retention.head(200), retention.pop().number))
        assert found == [(110, 1), (120, 2), (130, 0)]

    def test_is_strict(self) -> None:
        retention, _ = aged(10)
        assert retention.head(110) == inf
        assert retention.head(nextafter(110, inf)) == 110

    def test_steps_over_what_is_gone(self) -> None:
        retention, messages = aged(10, 20)
        messages[0].deadline = GONE
        assert retention.head(115) == inf
        assert retention.due == nextafter(120, inf)

    def test_is_given_up_when_it_is_empty(self) -> None:
        retention, messages = aged(10)
        messages[0].deadline = GONE
        assert retention.head(95) == inf
        assert (retention.heap, retention.due) == (None, nextafter(195, inf))

    def test_takes_messages_that_come_later(self) -> None:
        retention, _ = aged(10)
        retention.add(message(7, 95))
        assert retention.head(120) == 110
        retention.pop()
        assert retention.head(195) == inf
        assert retention.due == nextafter(195, inf)
        assert retention.head(196) == 195

    def test_drops_what_is_gone_when_that_is_the_greater_part(self) -> None:
        retention, _ = aged(10)
        longest = 0
        for number in range(1, 10 * SLACK):
            later = message(number, 90)
            retention.add(later)
            later.deadline = GONE
            assert retention.heap is not None
            longest = max(longest, len(retention.heap))
        assert longest <= 2 * SLACK
        assert retention.head(200) == 110


class TestRenew:
    def test_begins_the_heap(self) -> None:
        retention = Retention(100)
        retention.look([message(1, 0)], 0)
        later = message(2, 30)
        retention.renew([later])
        assert (retention.due, retention.heap) == (nextafter(130, inf), [(130, 2, later)])

    def test_drops_what_is_gone_from_the_heap(self) -> None:
        retention, messages = aged(10, 20)
        messages[0].deadline = GONE
        retention.renew(messages)
        assert retention.due == nextafter(120, inf)
