"""Standard queues: what happens to messages that are received too often."""

from math import inf, nextafter

import pytest

from msgsim.bus.queue import Queue, Redrive
from msgsim.bus.standard import StandardQueue
from msgsim.errors import DeclarationError


class Dead:
    """A queue with a dead-letter queue."""

    def __init__(self, count: int, *, retention: float = 345_600, dead: Queue | None = None) -> None:
        redrive = Redrive(to="dead", max_receive_count=count)
        self.dead = StandardQueue(dead or Queue(), "dead")
        self.source = StandardQueue(
            Queue(visibility_timeout=10, redrive=redrive, retention=retention), "source", dead_letter_queue=self.dead
        )

    def send(self, bodies: str, now: float = 0) -> None:
        for body in bodies:
            self.source.send(body, now)

    def take(self, now: float, limit: int = 10) -> str:
        return "".join(delivery.body for delivery in self.source.receive(now, limit))


class TestMove:
    @pytest.mark.rule("SQS-DLQ-3")
    def test_comes_at_the_receive_that_would_exceed_the_count(self) -> None:
        queues = Dead(2)
        message_id = queues.source.send("a", 0).message_id
        assert [queues.take(now) for now in (0, 11, 22)] == ["a", "a", ""]  # vector V-5
        assert (queues.source.counts(22), queues.dead.counts(22)) == ((0, 0, 0), (1, 0, 0))
        [delivery] = queues.dead.receive(22)
        assert (delivery.receive_count, delivery.message_id) == (3, message_id)

    @pytest.mark.rule("SQS-DLQ-3")
    def test_does_not_come_without_that_receive(self) -> None:
        queues = Dead(2)
        queues.send("a")
        queues.take(0)
        queues.take(11)
        assert (queues.source.counts(300_000), queues.dead.counts(300_000)) == ((1, 0, 0), (0, 0, 0))

    @pytest.mark.rule("SQS-DLQ-3")
    def test_that_receive_gives_the_next_messages_instead(self) -> None:
        queues = Dead(1)
        queues.send("ab")
        queues.take(0)
        queues.send("cde", 5)
        assert queues.take(10, 2) == "cd"
        assert (queues.source.counts(10), queues.dead.counts(10)) == ((1, 2, 0), (2, 0, 0))

    @pytest.mark.rule("SQS-DLQ-3")
    def test_no_more_are_moved_than_the_receive_looks_at(self) -> None:
        queues = Dead(1)
        queues.source.send("b", 0, delay=2)
        queues.send("a", 1)
        assert queues.take(1) == "a"
        assert queues.take(11, 1) == "b"
        assert queues.source.counts(11) == (1, 1, 0)
        assert queues.take(11, 1) == ""
        assert queues.dead.counts(11) == (1, 0, 0)

    @pytest.mark.rule("SQS-DLQ-3")
    @pytest.mark.parametrize("count", [1, 2, 3, 5])
    def test_a_message_is_received_exactly_as_often_as_allowed(self, count: int) -> None:
        queues = Dead(count)
        queues.send("a")
        assert [queues.take(now) for now in range(0, 80, 10)] == ["a"] * count + [""] * (8 - count)
        assert queues.source.received == count

    @pytest.mark.rule("SQS-VIS-11")
    def test_giving_back_counts_as_a_receive(self) -> None:
        queues = Dead(1)
        queues.send("a")
        handle = queues.source.receive(0)[0].receipt_handle
        queues.source.change_visibility(handle, 0, 1)
        assert queues.take(1) == ""
        assert queues.dead.counts(1) == (1, 0, 0)

    @pytest.mark.rule("SQS-DLQ-4")
    @pytest.mark.rule("SQS-SYS-2")
    @pytest.mark.rule("SQS-SYS-3")
    def test_keeps_id_body_attributes_receive_count_and_origin(self) -> None:
        queues = Dead(1)
        sent = queues.source.send("a", 3, attributes={"kind": "placed"})
        queues.take(3)
        queues.take(13)
        [delivery] = queues.dead.receive(20)
        assert (delivery.message_id, delivery.body, delivery.attributes) == (sent.message_id, "a", {"kind": "placed"})
        assert (delivery.receive_count, delivery.sent_at, delivery.first_received_at) == (2, 3, 20)
        assert (delivery.origin_id, delivery.origin_at) == (sent.number, 3)
        moved = delivery.message
        assert (moved.arrived_at, moved.source, type(moved).__name__) == (13, "source", "RedrivenMessage")  # type: ignore[attr-defined]

    @pytest.mark.rule("SQS-DLQ-4")
    def test_is_no_send_and_no_redelivery(self) -> None:
        queues = Dead(1)
        queues.send("a")
        queues.take(0)
        queues.take(10)
        queues.dead.receive(10, 1, 5)
        assert (queues.source.dead_lettered, queues.dead.sent, queues.dead.moved_in) == (1, 0, 1)
        assert (queues.dead.received, queues.dead.redelivered) == (1, 0)
        queues.dead.receive(15)
        assert (queues.dead.received, queues.dead.redelivered) == (2, 1)

    @pytest.mark.rule("SQS-VIS-9")
    def test_handles_of_the_source_mean_nothing_afterwards(self) -> None:
        queues = Dead(1)
        queues.send("a")
        handle = queues.source.receive(0)[0].receipt_handle
        queues.take(10)
        queues.source.delete(handle, 11)
        assert queues.dead.counts(11) == (1, 0, 0)
        assert queues.source.deleted == 0

    def test_sojourns_in_the_dead_letter_queue_count_from_the_move(self) -> None:
        queues = Dead(1)
        queues.send("a")
        queues.take(0)
        queues.take(10)
        delivery = queues.dead.receive(12)[0]
        queues.dead.delete(delivery.receipt_handle, 15)
        assert (list(queues.dead.sojourns), list(queues.dead.waits), list(queues.dead.end_to_end)) == ([5], [2], [15])
        assert (len(queues.source.sojourns), queues.source.residence(15)) == (0, 10)

    def test_letters_of_one_receive_come_in_the_order_of_the_source(self) -> None:
        queues = Dead(1)
        queues.send("abc")
        queues.take(0)
        queues.take(10)
        assert [each.body for each in queues.dead.receive(10, 10)] == ["a", "b", "c"]

    @pytest.mark.rule("SQS-RCV-8")
    def test_letters_of_one_instant_stay_in_the_order_in_which_they_were_sent(self) -> None:
        queues = Dead(3)
        queues.send("ab")
        queues.take(0, 1)  # a
        queues.take(10, 1)  # a
        queues.take(20, 1)  # a, which is at the back now
        for now in (30, 40, 50):
            queues.source.receive(now, 1)  # b
        queues.source.advance(60)
        assert queues.take(61) == ""
        first = queues.dead.receive(61, 1, 5)
        assert [each.body for each in first] == ["a"]
        assert "".join(each.body for each in queues.dead.receive(61, 10)) == "b"

    def test_a_queue_without_redrive_delivers_forever(self) -> None:
        queue = StandardQueue(Queue(visibility_timeout=1), "q")
        queue.send("a", 0)
        assert [len(queue.receive(now)) for now in range(2_000)] == [1] * 2_000
        assert queue.dead_letter_queue is None

    def test_a_dead_letter_queue_is_made_if_none_is_given(self) -> None:
        queue = StandardQueue(Queue(redrive=Redrive(to="d", max_receive_count=1), visibility_timeout=1), "q")
        queue.send("a", 0)
        queue.receive(0)
        queue.receive(1)
        assert queue.dead_letter_queue is not None
        assert (queue.dead_letter_queue.name, queue.dead_letter_queue.counts(1)) == ("d", (1, 0, 0))

    def test_the_dead_letter_queue_is_the_one_that_is_named(self) -> None:
        dead = StandardQueue(Queue(), "dead")
        redrive = Redrive(to="other", max_receive_count=1)
        with pytest.raises(DeclarationError, match=r"Queue\.redrive\.to: is 'other'; the dead-letter queue is 'dead'"):
            StandardQueue(Queue(redrive=redrive), "q", dead_letter_queue=dead)
        with pytest.raises(DeclarationError, match=r"Queue\.redrive: is None, and so has no dead-letter queue"):
            StandardQueue(Queue(), "q", dead_letter_queue=dead)
        live = StandardQueue(Queue(), "q")
        with pytest.raises(DeclarationError, match="the dead-letter queue is 'dead'"):
            live.set_attributes(0, redrive=redrive, dead_letter_queue=dead)
        assert (live.dead_letter_queue, dead.origins) == (None, {})

    def test_a_dead_letter_queue_may_redrive_too(self) -> None:
        queues = Dead(1, dead=Queue(visibility_timeout=1, redrive=Redrive(to="pit", max_receive_count=3)))
        pit = queues.dead.dead_letter_queue
        assert pit is not None
        queues.send("a")
        queues.take(0)
        queues.take(10)
        assert [len(queues.dead.receive(now)) for now in (10, 11, 12, 13)] == [1, 1, 0, 0]
        assert pit.receive(20)[0].receive_count == 4

    def test_a_letter_that_comes_with_too_many_receives_moves_on_at_the_first_look(self) -> None:
        queues = Dead(2, dead=Queue(redrive=Redrive(to="pit", max_receive_count=2)))
        queues.send("a")
        for now in (0, 10, 20):
            queues.take(now)
        assert queues.dead.receive(20) == []
        assert queues.dead.dead_lettered == 1
        queues.dead.send("fresh", 21)
        assert len(queues.dead.receive(21)) == 1

    def test_who_waits_at_the_dead_letter_queue_hears_of_it(self) -> None:
        queues = Dead(1)
        heard: list[float] = []
        queues.dead.on_change = lambda: heard.append(queues.dead.visible)
        queues.dead.on_arrival = heard.append
        queues.send("a")
        queues.take(0)
        queues.take(10)
        assert heard == [10, 1]


class TestRetention:
    @pytest.mark.rule("SQS-RET-2")
    def test_counts_from_the_first_send(self) -> None:
        queues = Dead(1, dead=Queue(retention=100))
        queues.send("a", 5)
        queues.take(5)
        queues.take(65)
        assert queues.dead.next_deadline() == nextafter(105, inf)
        assert queues.dead.counts(105) == (1, 0, 0)
        assert queues.dead.counts(nextafter(105, inf)) == (0, 0, 0)

    @pytest.mark.rule("SQS-RET-2")
    def test_of_four_days_leaves_three_after_one_day_in_the_source(self) -> None:
        day = 86_400
        queues = Dead(1)
        queues.send("a")
        queues.take(0)
        queues.take(day)
        assert queues.dead.counts(4 * day) == (1, 0, 0)  # vector V-6
        assert queues.dead.age_of_oldest(4 * day) == 3 * day
        assert queues.dead.counts(nextafter(4 * day, inf)) == (0, 0, 0)

    @pytest.mark.rule("SQS-RET-2")
    def test_a_letter_that_is_too_old_for_the_dead_letter_queue_is_gone_when_it_comes(self) -> None:
        queues = Dead(1, dead=Queue(retention=60))
        queues.send("a")
        queues.take(0)
        queues.take(1_000)
        assert (queues.dead.counts(1_000), queues.dead.expired) == ((0, 0, 0), 1)
        assert queues.dead.integrals(1_000) == (0, 0, 0)
        assert queues.dead.residence(1_000) == 0
        queues.dead.check(1_000)

    @pytest.mark.rule("SQS-RET-2")
    def test_letters_expire_by_their_age_not_by_the_time_they_came(self) -> None:
        queues = Dead(1, dead=Queue(retention=100))
        queues.send("a", 0)
        queues.send("b", 30)
        b = queues.source.receive(30, 10)[1].receipt_handle
        queues.source.change_visibility(b, 0, 30)
        queues.source.receive(30)  # b is moved first
        queues.take(40)
        assert [queues.dead.counts(now).visible for now in (40, 100, 101, 130, 131)] == [2, 2, 1, 1, 0]
        queues.dead.check(131)

    @pytest.mark.rule("SQS-RET-1")
    def test_of_the_source_does_not_make_dead_letters(self) -> None:
        queues = Dead(1, retention=60)
        queues.send("a")
        queues.take(0)
        queues.take(61)
        assert (queues.source.expired, queues.source.dead_lettered, queues.dead.moved_in) == (1, 0, 0)

    @pytest.mark.rule("SQS-RET-3")
    def test_the_age_of_a_letter_counts_from_the_move(self) -> None:
        queues = Dead(3)
        queues.send("a")
        for now in (0, 10, 20, 30):
            queues.take(now)
        assert queues.dead.age_of_oldest(30) == 0
        assert queues.dead.age_of_oldest(45) == 15

    @pytest.mark.rule("SQS-RET-3")
    def test_dropped_letters_do_not_accumulate(self) -> None:
        queues = Dead(1, dead=Queue(retention=60))
        source = queues.source
        for second in range(0, 2_000, 2):
            older, newer = source.enqueue("x", None, second, None, 0), source.enqueue("y", None, second + 1, None, 0)
            for message in (newer, older):
                queues.dead.accept(message, second + 1, "source")
            queues.dead.advance(second + 1)
            assert len(queues.dead._fresh) <= 64
        assert queues.dead.counts(3_000) == (0, 0, 0)
        assert (len(queues.dead._fresh), queues.dead._stale) == (0, 0)
