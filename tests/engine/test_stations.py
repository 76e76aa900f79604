"""Which of several waiting polls gets a message, when polls end, and whose turn it is at one instant."""

from collections import deque
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from simpy import Environment

import msgsim as ms
from msgsim.bus.message import Message
from msgsim.engine.board import Board
from msgsim.engine.clock import Timer, Turn, run_through
from msgsim.engine.stations import MOST_RANKS, Station, drawn, renew_polls, turn_of


class Crew:
    """A pool, as a station sees it."""

    def __init__(self, wait_time: float = 20.0, batch_size: int = 1, *, acts: bool = False) -> None:
        self.acts = acts
        self.batch_size = batch_size
        self.wait_time = wait_time


class Hand:
    """A worker that notes what it gets, and never finishes it."""

    def __init__(self, crew: Crew, name: str, got: list[tuple[str, float, int]]) -> None:
        self.pool = crew
        self.name = name
        self.rank = 1
        self.poll_started = 0.0
        self.timer: Timer | None = None
        self._got = got

    def begin(self, batch: list[Message], now: float) -> None:
        self._got.append((self.name, now, len(batch)))

    def act(self, now: float) -> None:
        self._got.append((self.name, now, 0))


class Place:
    """A station with a queue, and what its workers got."""

    def __init__(self, *crews: Crew, rng: Random | None = None, **settings: Any) -> None:
        self.env = Environment()
        self.queue = ms.StandardQueue(ms.Queue(**settings), name="q")
        self.station = Station(self.env, self.queue, Board(self.env), rng)
        self.lines = [self.station.join(crew) for crew in crews]
        self.got: list[tuple[str, float, int]] = []

    def wait(self, crew: Crew, *names: str, at: float = 0.0) -> None:
        run_through(self.env, at)
        for name in names:
            self.station.wait(crew, Hand(crew, name, self.got), at)

    def send(self, at: float, count: int = 1) -> None:
        run_through(self.env, at)
        for number in range(count):
            self.queue.send(f"{number}", at)
        run_through(self.env, at)


def test_the_longest_waiting_poll_gets_the_message_over_all_pools() -> None:
    slow, fast = Crew(20.0), Crew(10.0)
    place = Place(slow, fast)
    place.wait(slow, "a", at=1.0)
    place.wait(fast, "b", at=2.0)
    place.wait(slow, "c", at=3.0)
    for at in (4.0, 5.0, 6.0, 7.0):
        place.send(at)
    assert place.got == [("a", 4.0, 1), ("b", 5.0, 1), ("c", 6.0, 1)]
    assert place.queue.counts(7.0) == (1, 3, 0)
    assert place.queue.on_change is None  # nobody waits, nobody listens


def test_a_poll_gets_up_to_its_batch_and_the_next_poll_the_rest() -> None:
    few, many = Crew(batch_size=3), Crew(batch_size=10)
    place = Place(few, many)
    place.wait(few, "a")
    place.wait(many, "b", "c")
    place.send(1.0, 7)
    assert place.got == [("a", 1.0, 3), ("b", 1.0, 4)]
    assert [hand.name for hand in place.lines[1]] == ["c"]  # type: ignore[attr-defined]
    assert place.lines[0] is place.lines[1]  # they wait for equally long: one line


def test_polls_that_have_waited_their_time_end_and_begin_again() -> None:
    crew = Crew(10.0)
    place = Place(crew)
    place.wait(crew, "a", at=1.0)
    place.wait(crew, "b", at=4.0)
    ended = []
    for until in (10.9, 11.0, 13.9, 14.0, 21.0, 24.0):
        run_through(place.env, until)
        ended.append(place.queue.empty_receives)
    assert ended == [0, 1, 1, 2, 3, 4]
    place.send(25.0)
    assert place.got == [("a", 25.0, 1)]
    place.send(26.0)
    run_through(place.env, 100.0)
    assert place.queue.empty_receives == 4  # nobody waits any more


def test_polls_end_before_what_arrives_at_that_instant() -> None:
    polls = deque[Any](Hand(Crew(), name, []) for name in "abc")
    for poll, started in zip(polls, (0.0, 1.0, 2.0), strict=True):
        poll.poll_started = started
    queue = ms.StandardQueue(ms.Queue(), name="q")
    assert renew_polls(polls, 5.0, queue, 6.0) == 7.0
    assert queue.empty_receives == 2
    assert [poll.name for poll in polls] == ["c", "a", "b"]
    assert renew_polls(deque(), 5.0, queue, 100.0) == float("inf")


def test_messages_come_back_to_polls_that_wait() -> None:
    crew = Crew()
    place = Place(crew, visibility_timeout=5.0, delay=2.0)
    place.wait(crew, "a", "b", "c")
    place.send(1.0)
    run_through(place.env, 20.0)
    assert place.got == [("a", 3.0, 1), ("b", 8.0, 1), ("c", 13.0, 1)]
    assert place.queue.counts(20.0) == (1, 0, 0)


def test_a_poll_that_begins_late_still_hears_of_a_deadline_that_is_past() -> None:
    crew = Crew()
    place = Place(crew, visibility_timeout=5.0)
    place.queue.send("x", 0.0)
    place.queue.receive(0.0)
    place.wait(crew, "a", at=7.0)
    run_through(place.env, 7.0)
    assert place.got == [("a", 7.0, 1)]


def test_a_deadline_without_a_poll_wakes_nobody() -> None:
    crew = Crew()
    place = Place(crew, visibility_timeout=5.0)
    place.wait(crew, "a")
    place.send(1.0)
    run_through(place.env, 10.0)
    assert place.got == [("a", 1.0, 1)]
    assert place.queue.counts(10.0) == (1, 0, 0)


def test_retention_while_a_poll_waits_wakes_nobody() -> None:
    crew = Crew()
    place = Place(crew, retention=60.0, delay=100.0)
    place.wait(crew, "a")
    place.send(1.0)
    run_through(place.env, 200.0)
    assert place.got == []
    assert (place.queue.expired, place.queue.counts(200.0)) == (1, (0, 0, 0))


def test_a_random_poll_wins_where_the_queue_says_so() -> None:
    winners = []
    for seed in range(40):
        one, other = Crew(20.0), Crew(5.0)
        place = Place(one, other, rng=Random(seed))
        place.wait(one, "a", "b")
        place.wait(other, "c", "d")
        place.send(1.0)
        ((winner, at, _),) = place.got
        winners.append(winner)
        assert at == 1.0
        place.send(2.0)
        assert len({name for name, _, _ in place.got}) == 2
    assert set(winners) == set("abcd")
    assert 3 < winners.count("a") < 20


def test_a_draw_is_made_only_for_a_message_that_can_be_received() -> None:
    class Counted(Random):
        draws = 0

        def random(self) -> float:
            self.draws += 1
            return 0.0

    rng = Counted()
    crew = Crew()
    place = Place(crew, rng=rng, max_in_flight=1)
    place.wait(crew, "a", "b", "c")
    place.send(1.0)
    assert rng.draws == 1
    place.send(2.0)  # draws, and finds the limit of messages in flight
    place.send(3.0)
    assert rng.draws == 2
    assert place.queue.limited
    place.station.dispatch(3.0)
    assert rng.draws == 2
    assert place.got == [("a", 1.0, 1)]


def test_a_draw_is_a_place_in_a_line() -> None:
    lines: list[deque[Any]] = [deque("abc"), deque(), deque("d")]

    class Fixed(Random):
        value = 0.0

        def random(self) -> float:
            return self.value

    rng = Fixed()
    drew = []
    for rng.value in (0.0, 0.26, 0.74, 0.75, 0.999):
        line, place = drawn(lines, rng)
        drew.append(line[place])
    assert drew == list("abcdd")


def test_a_worker_acts_when_it_was_scheduled_for_unless_it_is_called_off() -> None:
    crew = Crew()
    place = Place(crew)
    hand = Hand(crew, "a", place.got)
    place.station.cancel(hand)  # it never was
    place.station.schedule(hand, 1.0)
    run_through(place.env, 1.0)
    place.station.schedule(hand, 2.0)
    place.station.cancel(hand)
    run_through(place.env, 3.0)
    assert place.got == [("a", 1.0, 0)]
    assert [place.station.next_rank() for _ in range(3)] == [1, 2, 3]


def test_at_one_instant_those_that_act_come_first_then_sources_then_dead_letter_queues_then_by_rank() -> None:
    pit = ms.StandardQueue(ms.Queue(), name="pit")
    dead = ms.StandardQueue(
        ms.Queue(redrive=ms.Redrive(to="pit", max_receive_count=1)), name="dead", dead_letter_queue=pit
    )
    source = ms.StandardQueue(
        ms.Queue(redrive=ms.Redrive(to="dead", max_receive_count=1)), name="source", dead_letter_queue=dead
    )
    turns = [
        turn_of(queue, rank, acts=acts)
        for acts in (True, False)
        for queue in (source, dead, pit)
        for rank in (1, 2, 10_000_000, MOST_RANKS)
    ]
    assert all(earlier < later for earlier, later in pairwise([Turn.WORKER.value, *turns, Turn.PROBE.value]))


def test_a_long_chain_of_dead_letter_queues_still_ends_before_the_probe() -> None:
    queue = ms.StandardQueue(ms.Queue(), name="end")
    for number in range(100):
        redrive = ms.Redrive(to=queue.name, max_receive_count=1)
        queue = ms.StandardQueue(ms.Queue(redrive=redrive), name=f"q{number}", dead_letter_queue=queue)
    assert Turn.WORKER <= turn_of(queue, 1, acts=True) < turn_of(queue, 1, acts=False) < Turn.PROBE


@pytest.mark.parametrize("acts", [True, False])
def test_waiting_polls_look_after_the_workers_of_their_instant(acts: bool) -> None:
    crew = Crew(acts=acts)
    place = Place(crew)
    busy = Hand(crew, "busy", place.got)
    place.wait(crew, "waiting")
    place.station.schedule(busy, 1.0)
    arrivals: list[Message] = []
    Timer(place.env, lambda now: arrivals.append(place.queue.send("x", now)), Turn.ARRIVAL).arm(1.0)
    run_through(place.env, 1.0)
    assert place.got == [("busy", 1.0, 0), ("waiting", 1.0, 1)]
