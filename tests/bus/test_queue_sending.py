"""Standard queues: how they are declared, what they take in, and delays."""

from math import inf, nan, nextafter
from typing import Any

import pytest

from msgsim.bus.fifo import FifoQueue
from msgsim.bus.message import GONE, VISIBLE
from msgsim.bus.queue import Queue, Redrive
from msgsim.bus.standard import StandardQueue
from msgsim.errors import (
    DeclarationError,
    InvalidMessageContents,
    InvalidParameterValue,
    MissingParameter,
    TimeRanBackwards,
)


def make_queue(**settings: Any) -> Queue:
    return Queue(**settings)


def make_redrive(count: Any) -> Redrive:
    return Redrive(to="d", max_receive_count=count)


def make(**settings: Any) -> StandardQueue:
    return StandardQueue(Queue(**settings), "q")


def received(queue: StandardQueue, now: float) -> list[str]:
    return [delivery.body for delivery in queue.receive(now, 10)]


class TestQueue:
    @pytest.mark.rule("SQS-ATT-1")
    def test_defaults_are_the_service_s(self) -> None:
        queue = Queue()
        assert (queue.visibility_timeout, queue.delay, queue.retention, queue.wait_time) == (30, 0, 345_600, 0)
        assert (queue.max_message_bytes, queue.max_in_flight, queue.redrive) == (1_048_576, 120_000, None)
        assert (queue.fifo, queue.content_based_deduplication, queue.poll_winner) == (False, False, "longest")

    @pytest.mark.rule("SQS-ATT-1")
    @pytest.mark.parametrize(
        ("field", "low", "high"),
        [
            ("visibility_timeout", 0, 43_200),
            ("delay", 0, 900),
            ("retention", 60, 1_209_600),
            ("wait_time", 0, 20),
            ("max_message_bytes", 1_024, 1_048_576),
        ],
    )
    def test_ranges_include_their_ends(self, field: str, low: int, high: int) -> None:
        assert getattr(make_queue(**{field: low}), field) == low
        assert getattr(make_queue(**{field: high}), field) == high
        for wrong in (low - 1, high + 1):
            with pytest.raises(
                DeclarationError, match=rf"Queue\.{field}: {wrong}.* is not allowed; allowed: {low} to {high} \["
            ):
                make_queue(**{field: wrong})

    @pytest.mark.rule("SQS-INF-1")
    def test_in_flight_limit_is_at_least_one_and_may_be_raised(self) -> None:
        assert Queue(max_in_flight=1_000_000).max_in_flight == 1_000_000
        with pytest.raises(DeclarationError, match="max_in_flight: 0 is not allowed; allowed: 1 or more"):
            Queue(max_in_flight=0)

    @pytest.mark.rule("SQS-DLQ-1")
    def test_redrive_needs_a_queue_and_a_count_of_1_to_1000(self) -> None:
        assert Redrive(to="d", max_receive_count=1_000) == make_redrive(1_000.0)
        with pytest.raises(DeclarationError, match=r"Redrive\.to: must not be empty"):
            Redrive(to="", max_receive_count=1)
        for wrong in (0, 1_001, 1.5):
            with pytest.raises(
                DeclarationError, match=r"Redrive\.max_receive_count: .* allowed: 1 to 1000 \[receives\]"
            ):
                make_redrive(wrong)
        with pytest.raises(TypeError, match="max_receive_count"):
            Redrive(to="d")

    def test_redrive_is_a_redrive(self) -> None:
        with pytest.raises(DeclarationError, match=r"Queue\.redrive: 'dlq' is not a Redrive"):
            Queue(redrive="dlq")  # type: ignore[arg-type]

    @pytest.mark.rule("SQS-Q-7")
    @pytest.mark.parametrize(
        "setting",
        [
            {"content_based_deduplication": True},
            {"deduplication_scope": "messageGroup"},
            {"fifo_throughput_limit": "perMessageGroupId"},
            {"throttled": True},
        ],
        ids=repr,
    )
    @pytest.mark.rule("SQS-Q-7")
    def test_fifo_settings_are_refused(self, setting: dict[str, Any]) -> None:
        with pytest.raises(DeclarationError, match=rf"Queue\.{next(iter(setting))}: is for FIFO queues only"):
            Queue(**setting)

    def test_a_fifo_queue_is_another_kind(self) -> None:
        with pytest.raises(DeclarationError, match=r"Queue\.fifo.*FifoQueue"):
            StandardQueue(Queue(fifo=True))

    @pytest.mark.rule("SQS-RCV-6")
    def test_poll_winner_is_the_longest_waiting_or_random(self) -> None:
        assert Queue(poll_winner="random").poll_winner == "random"
        with pytest.raises(DeclarationError, match=r"'newest' is not allowed; allowed: longest, random \(SQS-RCV-6\)"):
            Queue(poll_winner="newest")


class TestSend:
    @pytest.mark.rule("SQS-SND-1")
    def test_one_character_is_enough(self) -> None:
        queue = make()
        message = queue.send("x", 5)
        assert (message.body, message.sent_at, message.attributes, message.receive_count) == ("x", 5, None, 0)
        assert queue.counts(5) == (1, 0, 0)
        assert queue.sent == 1

    @pytest.mark.rule("SQS-SND-1")
    def test_an_empty_body_is_missing(self) -> None:
        with pytest.raises(MissingParameter, match=r"^The request must contain the parameter MessageBody\.$"):
            make().send("", 0)

    @pytest.mark.rule("SQS-SND-2")
    def test_a_forbidden_character_is_refused(self) -> None:
        with pytest.raises(InvalidMessageContents, match=r"U\+0000 at position 2"):
            make().send("ab\0", 0)

    @pytest.mark.rule("SQS-SND-3")
    def test_the_size_limit_is_the_queue_s_and_inclusive(self) -> None:
        queue = make(max_message_bytes=1_024)
        queue.send("x" * 1_024, 0)
        with pytest.raises(
            InvalidParameterValue,
            match=r"^One or more parameters are invalid\. Reason: Message must be shorter than 1024 bytes\.$",
        ):
            queue.send("x" * 1_025, 0)
        assert queue.counts(0) == (1, 0, 0)

    @pytest.mark.rule("SQS-SND-3")
    def test_attributes_count_towards_the_size(self) -> None:
        queue = make(max_message_bytes=1_024)
        queue.send("x" * 1_013, 0, attributes={"kind": "p"})  # 4 + 6 + 1 bytes of attributes
        with pytest.raises(InvalidParameterValue, match="shorter than 1024 bytes"):
            queue.send("x" * 1_014, 0, attributes={"kind": "p"})

    @pytest.mark.rule("SQS-SND-8")
    def test_a_deduplication_id_is_refused(self) -> None:
        with pytest.raises(
            InvalidParameterValue,
            match=r"^Value d1 for parameter MessageDeduplicationId is invalid\. Reason: The request includes a "
            r"parameter that is not valid for this queue type\.$",
        ):
            make().send("x", 0, deduplication_id="d1")

    @pytest.mark.rule("SQS-FAIR-2")
    def test_a_group_id_is_allowed_and_comes_with_the_delivery(self) -> None:
        queue = make()
        queue.send("x", 0, group_id="~tenant!")
        queue.send("y", 0)
        first, second = queue.receive(0, 2)
        assert (first.group_id, second.group_id) == ("~tenant!", None)

    @pytest.mark.rule("SQS-FAIR-1")
    @pytest.mark.parametrize("group_id", ["", "a b", "é", "x" * 129, 7])
    def test_a_group_id_has_1_to_128_visible_ascii_characters(self, group_id: str) -> None:
        make().send("x", 0, group_id="x" * 128)
        with pytest.raises(
            InvalidParameterValue,
            match=rf"^Value {group_id} for parameter MessageGroupId is invalid\. Reason: MessageGroupId can only "
            r"include alphanumeric and punctuation characters\. 1 to 128 in length\.$",
        ):
            make().send("x", 0, group_id=group_id)

    def test_attributes_are_the_message_s_own(self) -> None:
        attributes = {"kind": "placed"}
        message = make().send("x", 0, attributes=attributes)
        attributes["kind"] = "changed"
        assert message.attributes == {"kind": "placed"}

    def test_a_message_is_its_own_origin(self) -> None:
        message = make().send("x", 7)
        assert (message.origin_id, message.origin_at) == (message.number, 7)

    @pytest.mark.rule("SQS-DUP-2")
    def test_sending_again_makes_another_message(self) -> None:
        queue = make()
        assert queue.send("x", 0).message_id != queue.send("x", 0).message_id
        assert queue.sent == 2

    def test_ids_depend_on_the_queue_s_name_and_its_own_count_only(self) -> None:
        first = [make().send("x", 0).message_id, StandardQueue(Queue(), "other").send("x", 0).message_id]
        second = [make().send("y", 9).message_id, StandardQueue(Queue(), "other").send("y", 9).message_id]
        assert first == second
        assert first[0] != first[1]

    def test_a_refused_send_leaves_no_trace(self) -> None:
        queue = make()
        for wrong in ({"body": ""}, {"body": "x", "delay": -1}, {"body": "x", "group_id": ""}):
            with pytest.raises((InvalidParameterValue, MissingParameter)):
                queue.send(now=0, **wrong)
        assert (queue.sent, queue.counts(0)) == (0, (0, 0, 0))
        assert queue.send("x", 0).number == make().send("x", 0).number


class TestDelay:
    @pytest.mark.rule("SQS-DLY-1")
    @pytest.mark.parametrize(
        ("now", "counts"), [(nextafter(8, -inf), (0, 0, 1)), (8, (1, 0, 0)), (nextafter(8, inf), (1, 0, 0))]
    )
    def test_ends_at_its_deadline(self, now: float, counts: tuple[int, int, int]) -> None:
        queue = make(delay=5)
        queue.send("x", 3)
        assert queue.counts(3) == (0, 0, 1)
        assert queue.counts(now) == counts

    @pytest.mark.rule("SQS-DLY-1")
    def test_a_delayed_message_is_not_receivable(self) -> None:
        queue = make(delay=5)
        queue.send("x", 0)
        assert received(queue, nextafter(5, -inf)) == []
        assert received(queue, 5) == ["x"]

    @pytest.mark.rule("SQS-DLY-1")
    def test_the_message_s_own_delay_wins(self) -> None:
        queue = make(delay=5)
        queue.send("later", 0, delay=9)
        queue.send("default", 0)
        queue.send("at once", 0, delay=0)
        assert received(queue, 0) == ["at once"]
        assert received(queue, 5) == ["default"]
        assert received(queue, nextafter(9, -inf)) == []
        assert received(queue, 9) == ["later"]

    @pytest.mark.rule("SQS-DLY-1")
    def test_of_its_own_may_be_the_queue_s(self) -> None:
        queue = make(delay=5)
        queue.send("x", 0, delay=5)
        assert queue.counts(nextafter(5, -inf)) == (0, 0, 1)
        assert queue.counts(5) == (1, 0, 0)

    @pytest.mark.rule("SQS-DLY-1")
    @pytest.mark.parametrize("delay", [-1, 901, nextafter(900, inf), nan])
    def test_is_0_to_900_seconds(self, delay: float) -> None:
        make().send("x", 0, delay=900)
        with pytest.raises(
            InvalidParameterValue,
            match=rf"^Value {delay} for parameter DelaySeconds is invalid\. Reason: Must be >= 0 and <= 900, "
            r"if provided\.$",
        ):
            make().send("x", 0, delay=delay)

    def test_a_message_takes_its_place_by_the_time_it_was_sent(self) -> None:
        queue = make()
        queue.send("a", 0, delay=5)
        queue.send("b", 1)
        queue.send("c", 2, delay=1)
        assert received(queue, 5) == ["a", "b", "c"]

    def test_of_messages_of_one_instant_the_first_sent_is_first_though_it_was_delayed(self) -> None:
        queue = make()
        queue.send("a", 0, delay=5)
        queue.send("b", 0)
        assert received(queue, 5) == ["a", "b"]

    def test_a_message_that_was_delayed_long_goes_to_the_front(self) -> None:
        queue = make()
        queue.send("a", 0, delay=5)
        assert queue.counts(5) == (1, 0, 0)
        queue.send("b", 6)
        assert received(queue, 6) == ["a", "b"]

    @pytest.mark.rule("SQS-DLY-4")
    def test_does_not_extend_retention(self) -> None:
        queue = make(retention=60)
        queue.send("x", 0, delay=59)
        assert queue.counts(60) == (1, 0, 0)
        assert queue.counts(nextafter(60, inf)) == (0, 0, 0)


class TestTime:
    @pytest.mark.parametrize("now", [nan, -inf, inf])
    def test_is_a_finite_number(self, now: float) -> None:
        queue = make()
        with pytest.raises(InvalidParameterValue, match=f"^q: now={now!r} is not a time; allowed: finite numbers"):
            queue.send("y", now)
        assert queue.sent == 0

    def test_never_runs_backwards(self) -> None:
        earlier = nextafter(5, -inf)
        queue = make()
        queue.send("x", 5)
        handle = queue.receive(5)[0].receipt_handle
        for call in (
            lambda: queue.send("y", earlier),
            lambda: queue.receive(earlier),
            lambda: queue.delete(handle, earlier),
            lambda: queue.change_visibility(handle, 1, earlier),
            lambda: queue.purge(earlier),
            lambda: queue.counts(earlier),
            lambda: queue.advance(earlier),
            lambda: queue.check(earlier),
        ):
            with pytest.raises(TimeRanBackwards, match=rf"^q: time can't go backwards: now={earlier!r} is earlier .*5"):
                call()
        assert queue.counts(5) == (0, 1, 0)
        assert queue.sent == 1

    def test_may_stand_still(self) -> None:
        queue = make()
        queue.advance(5)
        queue.advance(5)
        assert queue.counts(5) == (0, 0, 0)

    def test_the_first_call_may_be_at_any_time(self) -> None:
        assert make().counts(-3.0) == (0, 0, 0)

    def test_a_queue_shows_its_state(self) -> None:
        queue = make(delay=5)
        queue.send("x", 0)
        assert repr(queue) == "<StandardQueue 'q' visible=0 in_flight=0 delayed=1>"


class TestHotPath:
    """The calls that trust their arguments put a message where `send` would."""

    def test_enqueue_takes_the_queue_s_delay(self) -> None:
        plain, delayed = make(), make(delay=5)
        assert plain.enqueue("x", None, 3, None, 3).deadline == VISIBLE
        assert delayed.enqueue("x", None, 3, None, 3).deadline == 8
        assert (plain.counts(3), delayed.counts(3)) == ((1, 0, 0), (0, 0, 1))

    def test_enqueue_later_has_a_delay_of_its_own(self) -> None:
        queue = make(delay=5)
        queue.enqueue_later("now", None, 0, None, 0, 0)
        queue.enqueue_later("then", None, 0, None, 0, 7)
        assert received(queue, 5) == ["now"]
        assert received(queue, 7) == ["then"]

    def test_the_origin_travels_with_the_message(self) -> None:
        queue = make()
        for message in (queue.enqueue("x", None, 3, 77, 2), queue.enqueue_later("x", None, 3, 77, 2, 1)):
            assert (message.origin_id, message.origin_at) == (77, 2)
        delivery = queue.receive(4)[0]
        assert (delivery.origin_id, delivery.origin_at) == (77, 2)

    def test_attributes_are_shared(self) -> None:
        attributes = {"kind": "placed"}
        assert make().enqueue("x", attributes, 0, None, 0).attributes is attributes

    def test_content_is_rendered_when_it_is_read(self) -> None:
        class Greeting:
            def render(self, message: object) -> str:
                return f"hello {message!r}"[:8]

        queue = make()
        queue.enqueue(Greeting(), None, 0, None, 0)
        assert received(queue, 0) == ["hello <M"]

    def test_a_message_that_left_is_gone(self) -> None:
        queue = make()
        message = queue.enqueue("x", None, 0, None, 0)
        queue.delete(queue.receive(0)[0].receipt_handle, 0)
        assert message.deadline == GONE


CALLS: list[tuple[Any, str]] = [
    (lambda queue: queue.counts(inf), "q: now=inf is not a time; allowed: finite numbers [s]"),
    (lambda queue: queue.send("b", None), "q: now=None is not a time; allowed: finite numbers [s]"),
    (lambda queue: queue.purge("x"), "q: now='x' is not a time; allowed: finite numbers [s]"),
    (lambda queue: queue.receive(True), "q: now=True is not a time; allowed: finite numbers [s]"),
    (lambda queue: queue.receive(1, 2.5), "Value 2.5 for parameter MaxNumberOfMessages is invalid"),
    (lambda queue: queue.receive(1, True), "Value True for parameter MaxNumberOfMessages is invalid"),
    (lambda queue: queue.receive(1, wait_time=[]), "Value [] for parameter WaitTimeSeconds is invalid"),
    (lambda queue: queue.receive(1, 1, "x"), "Value x for parameter VisibilityTimeout is invalid"),
    (lambda queue: queue.send("b", 1, delay="x"), "Value x for parameter DelaySeconds is invalid"),
    (lambda queue: queue.send("b", 1, attributes="x"), "attributes: 'x' is not a mapping of names and values"),
]


@pytest.mark.parametrize(("call", "problem"), CALLS)
def test_a_parameter_of_the_wrong_kind_is_named_and_harms_nothing(call: Any, problem: str) -> None:
    queue = StandardQueue(Queue(redrive=Redrive(to="dead", max_receive_count=3)), "q")
    with pytest.raises(InvalidParameterValue) as raised:
        call(queue)
    assert str(raised.value).replace("dead:", "q:").startswith(problem)
    queue.send("b", 2)
    assert queue.counts(3) == (1, 0, 0)


@pytest.mark.parametrize("kind", [StandardQueue, FifoQueue])
def test_a_live_queue_is_made_of_a_queue_and_a_name(kind: Any) -> None:
    with pytest.raises(DeclarationError, match=rf"^{kind.__name__}\.queue: None is not a Queue$"):
        kind(None)
    with pytest.raises(DeclarationError, match=rf"^{kind.__name__}\.name: 3 is not a name; allowed: a text$"):
        kind(Queue(fifo=kind is FifoQueue), name=3)
