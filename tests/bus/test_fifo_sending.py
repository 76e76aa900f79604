"""FIFO queues: how they are made, what they take in, sequence numbers, delays."""

from itertools import pairwise
from math import nextafter
from typing import Any

import pytest

from msgsim.bus.fifo import FifoQueue
from msgsim.bus.groups import format_sequence
from msgsim.bus.queue import Queue, Redrive
from msgsim.bus.standard import StandardQueue
from msgsim.errors import (
    DeclarationError,
    InvalidMessageContents,
    InvalidParameterValue,
    MissingParameter,
    TimeRanBackwards,
)

PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


def make(**settings: Any) -> FifoQueue:
    return FifoQueue(Queue(fifo=True, content_based_deduplication=True, **settings), "q")


def bodies(queue: FifoQueue, now: float, **settings: Any) -> list[str]:
    return [delivery.body for delivery in queue.receive(now, 10, **settings)]


class TestMaking:
    def test_a_standard_declaration_makes_no_fifo_queue(self) -> None:
        with pytest.raises(DeclarationError, match="for a StandardQueue"):
            FifoQueue(Queue(), "q")

    @pytest.mark.rule("FIFO-ORD-8")
    def test_the_look_ahead_is_120_000_or_what_is_asked_for(self) -> None:
        assert make().look_ahead == 120_000
        assert FifoQueue(Queue(fifo=True), "q", look_ahead=3).look_ahead == 3
        assert FifoQueue(Queue(fifo=True, quotas="relaxed"), "q").look_ahead > 10**12
        with pytest.raises(DeclarationError, match=r"FifoQueue.look_ahead: 0 is not allowed"):
            FifoQueue(Queue(fifo=True), "q", look_ahead=0)

    @pytest.mark.rule("SQS-DLQ-2")
    def test_its_dead_letter_queue_is_one_too(self) -> None:
        redriving: Any = Queue(fifo=True, redrive=Redrive(to="d", max_receive_count=1))
        standard: Any = StandardQueue(Queue(), "d")
        with pytest.raises(DeclarationError, match="SQS-DLQ-2"):
            FifoQueue(redriving, "q", dead_letter_queue=standard)
        made = FifoQueue(redriving, "q").dead_letter_queue
        assert isinstance(made, FifoQueue)
        assert (made.name, made.declaration.fifo) == ("d", True)


class TestIds:
    @pytest.mark.rule("FIFO-SND-1")
    def test_a_group_is_a_must(self) -> None:
        with pytest.raises(MissingParameter, match=r"^The request must contain the parameter MessageGroupId\.$"):
            make().send("a", 0)

    @pytest.mark.rule("FIFO-SND-2")
    def test_so_is_a_deduplication_id_unless_the_content_has_one(self) -> None:
        queue = FifoQueue(Queue(fifo=True), "q")
        wording = "either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
        with pytest.raises(InvalidParameterValue, match=wording):
            queue.send("a", 0, group_id="g")
        assert queue.send("a", 0, group_id="g", deduplication_id="x").deduplication_id == "x"
        assert bodies(queue, 0) == ["a"]

    @pytest.mark.rule("FIFO-SND-3")
    @pytest.mark.parametrize("given", [PUNCTUATION, "a", "Z9" * 64])
    def test_ids_are_letters_digits_and_punctuation(self, given: str) -> None:
        queue = make()
        queue.send("a", 0, group_id=given, deduplication_id=given)
        [delivery] = queue.receive(0)
        assert (delivery.message.group_id, delivery.group_id) == (given, given)

    @pytest.mark.rule("FIFO-SND-3")
    @pytest.mark.parametrize("given", ["", "a b", "a" * 129, "ä", "a\n"])
    @pytest.mark.parametrize(
        ("parameter", "name"), [("group_id", "MessageGroupId"), ("deduplication_id", "MessageDeduplicationId")]
    )
    def test_nothing_else(self, given: str, parameter: str, name: str) -> None:
        ids: dict[str, Any] = {"group_id": "g", "deduplication_id": "d", parameter: given}
        with pytest.raises(InvalidParameterValue) as raised:
            make().send("a", 0, **ids)
        assert str(raised.value) == (
            f"Value {given} for parameter {name} is invalid. Reason: {name} can only include alphanumeric and "
            "punctuation characters. 1 to 128 in length."
        )

    @pytest.mark.rule("FIFO-SND-7")
    def test_there_can_be_any_number_of_groups(self) -> None:
        queue = make()
        for number in range(3_000):
            queue.send(f"m{number}", 0, group_id=str(number))
        assert queue.counts(0) == (3_000, 0, 0)
        for now in range(300):
            for delivery in queue.receive(now, 10):
                queue.delete(delivery.receipt_handle, now)
        assert (queue.counts(300), queue.deleted) == ((0, 0, 0), 3_000)

    def test_groups_that_are_empty_are_forgotten_in_time(self) -> None:
        queue = make()
        for number in range(5_000):
            message = queue.enqueue("a", None, 0, None, 0, str(number))
            assert queue.take(0, 1, 30) == [message]
            assert message is not None
            queue.finish_one(message, 0)
        assert len(queue._groups) <= 1_024
        assert len(queue._arrivals) <= 1_025

    def test_what_a_standard_queue_refuses_is_refused_here(self) -> None:
        queue = make()
        with pytest.raises(MissingParameter):
            queue.send("", 0, group_id="g")
        with pytest.raises(InvalidMessageContents):
            queue.send("\0", 0, group_id="g")
        queue.send("a", 5, group_id="g")
        with pytest.raises(TimeRanBackwards):
            queue.send("b", 4, group_id="g")
        assert queue.counts(5) == (1, 0, 0)


class TestSequenceNumbers:
    @pytest.mark.rule("FIFO-SND-5")
    def test_have_20_digits_and_grow_with_gaps(self) -> None:
        queue = make()
        sent = [queue.send(f"m{number}", 0, group_id="ab"[number % 2]).sequence_number for number in range(4)]
        assert sent == sorted(sent)
        assert [len(number) for number in sent] == [20] * 4
        assert {int(after) - int(before) for before, after in pairwise(sent)} == {256}
        received: list[Any] = [delivery.message for delivery in queue.receive(0, 10)]
        assert [message.sequence_number for message in received] == [sent[0], sent[2], sent[1], sent[3]]

    @pytest.mark.rule("FIFO-SND-5")
    def test_have_20_digits_for_as_long_as_a_queue_lives(self) -> None:
        assert len(format_sequence(1)) == len(format_sequence(10**15)) == 20


class TestDelay:
    @pytest.mark.rule("FIFO-SND-4")
    def test_a_message_has_none_of_its_own(self) -> None:
        with pytest.raises(InvalidParameterValue) as raised:
            make().send("a", 0, group_id="g", delay=2)
        assert str(raised.value) == (
            "Value 2 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid "
            "for this queue type."
        )

    @pytest.mark.rule("FIFO-SND-4")
    @pytest.mark.parametrize("delay", [None, 0])
    def test_none_and_0_are_the_queue_s(self, delay: float | None) -> None:
        queue = make(delay=10)
        queue.send("a", 5, group_id="g", delay=delay)
        assert queue.counts(nextafter(15, 0)) == (0, 0, 1)
        assert bodies(queue, nextafter(15, 0)) == []
        assert bodies(queue, 15) == ["a"]

    @pytest.mark.rule("SQS-DLY-2")
    @pytest.mark.parametrize(("delay", "expected"), [(0, [10, 10]), (7, [10, 13]), (20, [21, 26])])
    def test_a_changed_one_is_for_the_messages_that_wait(self, delay: float, expected: list[float]) -> None:
        queue = make(delay=60)
        queue.send("a", 1, group_id="g")
        queue.send("b", 6, group_id="h")
        queue.set_attributes(10, delay=delay)
        for body, at in zip("ab", expected, strict=True):
            if at > 10:
                assert bodies(queue, nextafter(at, 0)) == []
            if at != expected[0] or body == "a":
                got = bodies(queue, at)
                assert body in got
        assert queue.counts(30).delayed == 0

    @pytest.mark.rule("SQS-DLY-2")
    def test_one_that_has_become_longer_hides_nothing_that_is_visible(self) -> None:
        queue = make(delay=1)
        queue.send("a", 0, group_id="g")
        queue.set_attributes(5, delay=60)
        assert bodies(queue, 5) == ["a"]

    @pytest.mark.rule("FIFO-ORD-1")
    def test_who_is_delayed_holds_up_its_group(self) -> None:
        dead = make(delay=20)
        source = FifoQueue(
            Queue(
                fifo=True,
                content_based_deduplication=True,
                visibility_timeout=0,
                redrive=Redrive(to="q", max_receive_count=1),
            ),
            "source",
            dead_letter_queue=dead,
        )
        source.send("moved", 0, group_id="g")
        source.receive(0)
        dead.send("sent", 0, group_id="g")
        source.receive(1)
        assert dead.counts(1) == (1, 0, 1)
        assert bodies(dead, 1) == []
        assert not dead.receivable
        assert bodies(dead, 20) == ["sent", "moved"]


class TestHotPath:
    def test_enqueue_says_what_send_says_and_drops_duplicates(self) -> None:
        queue = make()
        first = queue.enqueue("a", {"k": "v"}, 1, 7, 0.5, "g", "x")
        assert first is not None
        assert (first.body, first.attributes, first.origin_id, first.origin_at) == ("a", {"k": "v"}, 7, 0.5)
        assert (first.group_id, first.deduplication_id, first.sent_at) == ("g", "x", 1)
        assert queue.enqueue("b", None, 300, 8, 300, "h", "x") is None
        assert (queue.sent, queue.deduplicated) == (1, 1)
        assert queue.take(1, 10, 30) == [first]
        queue.finish_one(first, 3)
        assert (list(queue.sojourns), list(queue.waits), list(queue.end_to_end)) == ([2], [0], [2.5])

    def test_without_an_id_it_is_unique_and_costs_no_memory(self) -> None:
        queue = make()
        messages = [queue.enqueue("a", None, 0, None, 0, "g") for _ in range(2)]
        assert all(message is not None and message.deduplication_id == message.message_id for message in messages)
        assert (queue.sent, len(queue._memory)) == (2, 0)

    def test_a_queue_with_a_delay_forgets_what_is_gone_as_well(self) -> None:
        queue = make(delay=1, retention=60)
        for now in range(5_000):
            queue.enqueue("a", None, now, None, now, "g")
        assert (queue.visible, queue.delayed, queue.expired) == (60, 1, 4_939)
        assert len(queue._arrivals) <= 2 * 61 + 1_024

    @pytest.mark.parametrize("settings", [{}, {"delay": 3}, {"retention": 60}])
    def test_listeners_hear_of_what_can_be_received_or_is_due_earlier(self, settings: dict[str, Any]) -> None:
        heard: list[float] = []
        queue = make(**settings)
        queue.advance(0)
        if "retention" in settings:
            queue.enqueue("old", None, 0, None, 0, "old")
            queue.enqueue("new", None, 50, None, 50, "new")
            queue.settle(61)  # from now on each expiry is kept
        queue.on_change = lambda: heard.append(1)
        queue.enqueue("a", None, 62, None, 62, "g")
        assert heard == [1]
        if not settings:
            queue.enqueue("b", None, 62, None, 62, "g")
            assert heard == [1, 1]
            queue.take(62, 10, 30)
            queue.enqueue("c", None, 62, None, 62, "g")
            assert heard == [1, 1]
