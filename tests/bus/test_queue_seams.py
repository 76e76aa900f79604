"""Standard queues: what drives them from outside: next deadlines, changes, the calls by record."""

from collections.abc import Iterator
from math import inf, nextafter
from typing import Any

import pytest

import msgsim as ms
from msgsim.bus.fifo import FifoQueue
from msgsim.bus.message import GONE, VISIBLE, Message
from msgsim.bus.queue import Queue
from msgsim.bus.standard import StandardQueue
from msgsim.errors import InvalidParameterValue


def make(**settings: Any) -> StandardQueue:
    return StandardQueue(Queue(**settings), "q")


def filled(count: int, **settings: Any) -> StandardQueue:
    queue = make(**settings)
    for number in range(count):
        queue.enqueue(f"m{number}", None, 0, None, 0)
    return queue


class TestNextDeadline:
    def test_of_an_empty_queue_is_none(self) -> None:
        queue = make()
        assert queue.next_deadline() is None
        queue.advance(5)
        assert queue.next_deadline() is None

    @pytest.mark.rule("SQS-RET-1")
    def test_of_a_visible_message_is_the_moment_after_its_last_one(self) -> None:
        queue = make(retention=60)
        queue.send("a", 7)
        assert queue.next_deadline() == nextafter(67, inf)

    def test_looks_at_all_messages_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        queue = filled(1_000, retention=60)
        looks: list[int] = []
        live = StandardQueue.live

        def counted(self: StandardQueue) -> Iterator[Message]:
            looks.append(1)
            yield from live(self)

        monkeypatch.setattr(StandardQueue, "live", counted)
        for now in range(50):
            queue.enqueue("later", None, now, None, now)
            assert queue.next_deadline() == nextafter(60, inf)
            queue.delete(queue.receive(now)[0].receipt_handle, now)
        assert looks == [1]

    def test_is_the_end_of_a_visibility_timeout_or_of_a_delay_whichever_comes_first(self) -> None:
        queue = make()
        queue.send("a", 0)
        queue.send("b", 0, delay=20)
        queue.receive(0, 1, 30)
        assert queue.next_deadline() == 20
        queue.advance(20)
        assert queue.next_deadline() == 30

    @pytest.mark.parametrize("way", ["delete", "give back", "extend", "purge"])
    def test_forgets_what_is_not_due_any_more(self, way: str) -> None:
        queue = make(retention=1_000)
        queue.send("a", 0)
        handle = queue.receive(0, 1, 30)[0].receipt_handle
        assert queue.next_deadline() == 30
        if way == "delete":
            queue.delete(handle, 1)
        elif way == "purge":
            queue.purge(1)
        else:
            queue.change_visibility(handle, 50 if way == "extend" else 0, 1)
        expected = {"delete": None, "purge": None, "give back": nextafter(1_000, inf), "extend": 51}
        assert queue.next_deadline() == expected[way]

    @pytest.mark.rule("SQS-RET-1")
    @pytest.mark.parametrize("now", [30, 601, 999])
    def test_is_the_expiry_of_the_oldest_that_is_there_not_of_one_that_left(self, now: float) -> None:
        queue = make(retention=1_000)
        queue.send("a", 0)
        queue.send("b", 20)
        queue.delete(queue.receive(now)[0].receipt_handle, now)
        assert queue.next_deadline() == nextafter(1_020, inf)

    def test_is_known_before_anybody_looked(self) -> None:
        assert filled(3, retention=60).next_deadline() == nextafter(60, inf)
        assert filled(3, delay=5).next_deadline() == 5

    def test_leads_from_change_to_change(self) -> None:
        queue = make(visibility_timeout=10, retention=60)
        queue.send("a", 0, delay=5)
        queue.send("b", 1)
        queue.receive(1)
        seen = []
        for _ in range(4):
            due = queue.next_deadline()
            assert due is not None
            seen.append((due, queue.counts(due)))
        assert queue.next_deadline() is None
        assert seen == [
            (5, (1, 1, 0)),
            (11, (2, 0, 0)),
            (nextafter(60, inf), (1, 0, 0)),
            (nextafter(61, inf), (0, 0, 0)),
        ]

    def test_renewing_what_is_due_keeps_nothing_stale(self) -> None:
        queue = filled(1, retention=1_000)
        [message] = queue.take(0, 1, 30)
        assert queue.due == 30
        queue.finish_one(message, 1)
        queue.renew_due()
        assert queue.due == nextafter(1_000, inf)


class TestOnChange:
    @pytest.fixture
    def heard(self) -> list[tuple[int, int]]:
        return []

    @pytest.fixture
    def queue(self, heard: list[tuple[int, int]]) -> StandardQueue:
        queue = make()
        queue.on_change = lambda: heard.append((queue.visible, queue.in_flight))
        return queue

    def test_is_called_for_every_way_of_sending(self, queue: StandardQueue, heard: list[tuple[int, int]]) -> None:
        queue.send("a", 0)
        queue.send("b", 0, delay=5)
        queue.enqueue("c", None, 0, None, 0)
        queue.enqueue_later("d", None, 0, None, 0, 5)
        assert heard == [(1, 0), (1, 0), (2, 0), (2, 0)]

    def test_is_called_when_a_receive_makes_a_deadline(
        self, queue: StandardQueue, heard: list[tuple[int, int]]
    ) -> None:
        queue.send("a", 0)
        queue.receive(0)
        queue.receive(0)
        assert heard == [(1, 0), (0, 1)]

    def test_is_called_when_a_message_is_given_back_or_hidden(
        self, queue: StandardQueue, heard: list[tuple[int, int]]
    ) -> None:
        queue.send("a", 0)
        handle = queue.receive(0)[0].receipt_handle
        heard.clear()
        queue.change_visibility(handle, 5, 1)
        queue.change_visibility(handle, 0, 1)
        assert heard == [(0, 1), (1, 0)]
        queue.change_visibility(handle, 0, 1)
        assert len(heard) == 2

    def test_is_not_called_by_what_makes_nothing_receivable(
        self, queue: StandardQueue, heard: list[tuple[int, int]]
    ) -> None:
        queue.send("a", 0)
        handle = queue.receive(0)[0].receipt_handle
        heard.clear()
        queue.delete(handle, 1)
        queue.purge(1)
        queue.counts(2)
        queue.receive(2)
        queue.next_deadline()
        assert heard == []


class TestOnChangeByTimeAlone:
    """Who drives a live queue by `advance` is told what can be received again, as those are who send to it."""

    @pytest.mark.parametrize("fifo", [False, True])
    def test_is_called_when_a_delay_and_a_timeout_end(self, fifo: bool) -> None:
        kind: Any = FifoQueue if fifo else StandardQueue
        queue = kind(Queue(fifo=fifo, delay=5, visibility_timeout=10, content_based_deduplication=fifo), "q")
        queue.send("a", 0, group_id="g")
        heard: list[tuple[float, int]] = []
        queue.on_change = lambda: heard.append((queue.looked_at, queue.visible))
        for now in (nextafter(5, 0), 5, 6):
            queue.advance(now)
        assert heard == [(5, 1)]
        queue.receive(7)
        heard.clear()
        for now in (nextafter(17, 0), 17, 18):
            queue.advance(now)
        assert heard == [(17, 1)]

    def test_is_not_called_when_all_that_comes_back_is_too_old(self) -> None:
        queue = make(retention=60, visibility_timeout=30)
        queue.send("a", 0)
        queue.receive(50)
        heard: list[int] = []
        queue.on_change = lambda: heard.append(queue.visible)
        queue.advance(90)
        assert (heard, queue.expired) == ([], 1)

    def test_wakes_a_listener_of_a_simulation_that_nobody_else_works_in(self) -> None:
        """A queue of chance has a station with an event per message, which does not listen while no poll waits."""
        simulation = ms.Simulation(ms.Scenario(queues={"q": ms.Queue(delay=5, sampled=0.5)}))
        queue = simulation.queues["q"]
        heard: list[float] = []
        queue.send("a", 0)
        queue.on_change = lambda: heard.append(simulation.now)
        simulation.run(7.0)
        queue.advance(7.0)
        assert heard == [7.0]


class TestCatchUp:
    def test_is_called_before_anybody_looks(self) -> None:
        queue = make()
        times: list[float] = []
        queue.catch_up = times.append
        queue.send("a", 1)
        queue.receive(2)
        queue.counts(3)
        queue.purge(4)
        assert times == [1, 2, 3, 4]

    def test_held_messages_are_in_flight_though_the_queue_keeps_no_deadline_of_them(self) -> None:
        queue = filled(2)
        batch = queue.take(0, 1, 30)
        queue.flights.clear()
        queue.held = lambda: iter(batch)
        queue.check(100)
        assert queue.residence(100) == 200
        queue.purge(100)
        assert [message.deadline for message in batch] == [GONE]


class TestTake:
    def test_gives_the_records(self) -> None:
        queue = filled(3)
        batch = queue.take(2, 2, 30)
        assert [(message.body, message.receive_count, message.deadline) for message in batch] == [
            ("m0", 1, 32),
            ("m1", 1, 32),
        ]
        assert [message.first_received_at for message in batch] == [2, 2]
        assert queue.counts(2) == (1, 2, 0)

    def test_of_nothing_is_empty(self) -> None:
        queue = make()
        assert list(queue.take(0, 10, 30)) == []
        assert queue.counts(0) == (0, 0, 0)

    def test_settles_what_is_due(self) -> None:
        queue = filled(1)
        queue.take(0, 1, 5)
        assert [message.receive_count for message in queue.take(5, 1, 5)] == [2]
        assert queue.redelivered == 1


class TestFinish:
    def test_deletes_each_message_at_its_own_completion(self) -> None:
        queue = filled(3)
        batch = queue.take(1, 3, 30)
        assert queue.finish(batch, [1.0, 2.0, 4.0], None, 31, 0, 1, inf) == (3, 8)
        assert (list(queue.sojourns), list(queue.waits)) == ([2, 4, 8], [1, 1, 1])
        assert queue.counts(8) == (0, 0, 0)
        assert queue.integrals(8) == (3, 11, 0)
        assert [message.deadline for message in batch] == [GONE] * 3

    def test_stops_at_what_is_not_completed(self) -> None:
        queue = filled(3)
        batch = queue.take(0, 3, 30)
        durations = [1.0, 2.0, 4.0]
        assert queue.finish(batch, durations, None, 30, 0, 0, nextafter(3, -inf)) == (1, 1)
        assert queue.finish(batch, durations, None, 30, 1, 1, 3) == (2, 3)
        assert queue.counts(3) == (0, 1, 0)
        assert queue.finish(batch, durations, None, 30, 2, 3, inf) == (3, 7)
        assert (queue.deleted, queue.counts(7)) == (3, (0, 0, 0))

    def test_leaves_failures_to_their_visibility_timeout(self) -> None:
        queue = filled(3)
        batch = queue.take(0, 3, 30)
        assert queue.finish(batch, [1.0, 1.0, 1.0], [1], 30, 0, 0, inf) == (3, 3)
        assert queue.counts(nextafter(30, -inf)) == (0, 1, 0)
        assert queue.counts(30) == (1, 0, 0)
        assert list(queue.sojourns) == [1, 3]

    def test_leaves_a_message_that_is_not_what_it_was(self) -> None:
        queue = filled(2)
        batch = queue.take(0, 2, 30)
        queue.extend(batch[0], 0, 50, 1)
        queue.remove(batch[1], 1, 2)
        queue.finish(batch, [3.0, 3.0], None, 30, 0, 0, inf)
        assert (queue.deleted, queue.counts(6)) == (1, (0, 1, 0))

    def test_forgets_deadlines_that_came_out_of_order(self) -> None:
        queue = filled(3)
        queue.take(0, 1, 100)
        batch = queue.take(0, 2, 30)
        queue.finish(batch, [1.0, 1.0], [1], 30, 0, 0, inf)
        assert (queue.next_deadline(), queue.counts(2)) == (30, (0, 2, 0))
        queue.check(30)
        assert queue.counts(30) == (1, 1, 0)
        assert queue.flights.index is None
        last = queue.take(30, 1, 30)
        assert queue.next_deadline() == 60
        queue.finish(last, [1.0], None, 60, 0, 30, inf)
        assert queue.next_deadline() == 100

    @pytest.mark.parametrize("way", ["finish", "finish_one", "remove"])
    def test_end_to_end_times_are_kept_once_they_differ_from_sojourns(self, way: str) -> None:
        queue = make()
        for origin_at in (5, 2, 5):
            queue.enqueue("a", None, 5, 1, origin_at)
        batch = queue.take(6, 3, 30)
        assert queue.end_to_end is queue.sojourns
        if way == "finish":
            queue.finish(batch, [1.0, 1.0, 1.0], None, 36, 0, 6, inf)
        for position, message in enumerate(batch):
            if way == "finish_one":
                queue.finish_one(message, 7 + position)
            elif way == "remove":
                assert queue.remove(message, 1, 7 + position)
        assert (list(queue.sojourns), list(queue.end_to_end)) == ([2, 3, 4], [2, 6, 4])

    @pytest.mark.rule("SQS-INF-1")
    @pytest.mark.parametrize("way", ["finish", "finish_one"])
    def test_makes_room_below_the_limit(self, way: str) -> None:
        queue = filled(2, max_in_flight=1)
        batch = queue.take(0, 1, 30)
        assert queue.take(0, 1, 30) == []
        heard = []
        queue.on_change = lambda: heard.append(queue.in_flight)
        if way == "finish":
            queue.finish(batch, [1.0], None, 30, 0, 0, inf)
        else:
            queue.finish_one(batch[0], 1)
        assert (heard, queue.limited) == ([0], False)


class TestByRecord:
    def test_finish_one_deletes_a_message_whose_deadline_was_changed(self) -> None:
        queue = filled(2)
        a, b = queue.take(0, 2, 30)
        queue.extend(a, 0, 5, 1)
        queue.finish_one(a, 2)
        assert (queue.next_deadline(), queue.counts(6)) == (30, (0, 1, 0))
        queue.finish_one(b, 7)
        assert queue.counts(31) == (0, 0, 0)
        queue.check(31)

    @pytest.mark.rule("SQS-VIS-6")
    def test_remove_says_whether_it_had_an_effect(self) -> None:
        queue = filled(1)
        [message] = queue.take(0, 1, 5)
        assert queue.remove(message, 2, 1) is False
        queue.take(5, 1, 5)
        assert queue.remove(message, 1, 6) is False
        assert queue.remove(message, 2, 12) is True
        assert queue.remove(message, 2, 12) is False
        assert queue.deleted == 1

    @pytest.mark.rule("SQS-VIS-8")
    def test_extend_refuses_a_message_that_is_gone(self) -> None:
        queue = filled(1)
        [message] = queue.take(0, 1, 5)
        queue.finish_one(message, 1)
        with pytest.raises(InvalidParameterValue, match="Message does not exist or is not available"):
            queue.extend(message, 0, 5, 1)

    @pytest.mark.rule("SQS-VIS-3")
    def test_extend_holds_the_12_hours(self) -> None:
        queue = filled(1)
        [message] = queue.take(0, 1, 5)
        with pytest.raises(InvalidParameterValue, match=r"beyond the limit \[43200 seconds\]"):
            queue.extend(message, 0, 43_200, 1)

    def test_extend_to_a_later_end_keeps_the_messages_in_line(self) -> None:
        queue = filled(2)
        a, b = queue.take(0, 2, 5)
        queue.extend(a, 0, 20, 1)
        assert (a.deadline, b.deadline, queue.next_deadline()) == (21, 5, 5)
        queue.settle(21)
        assert (a.deadline, b.deadline) == (VISIBLE, VISIBLE)

    def test_deliver_makes_a_handle_of_a_record(self) -> None:
        queue = filled(1)
        [message] = queue.take(3, 1, 30)
        queue.delete(queue.deliver(message, 3).receipt_handle, 4)
        assert message.deadline == GONE

    def test_records_are_slim(self) -> None:
        assert not hasattr(Message(), "__dict__")
        assert not hasattr(make(), "__dict__")
