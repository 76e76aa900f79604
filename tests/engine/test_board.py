"""When waiting polls look at what has become receivable: at once, or after everything else of that instant."""

import pytest
from simpy import Environment

from msgsim.engine.board import Board
from msgsim.engine.clock import Timer, Turn, run_through


class Listener:
    """A station that notes when it gets its turn."""

    def __init__(self, env: Environment, heard: list[tuple[str, float]], name: str, turn: float = Turn.WORKER) -> None:
        self.changed = False
        self.heard = heard
        self.name = name
        self.wake = Timer(env, self.dispatch, turn)

    def dispatch(self, now: float) -> None:
        self.heard.append((self.name, now))


def announce(board: Board, *stations: Listener) -> None:
    for station in stations:
        station.changed = True
        board.pending.append(station)


def test_where_nothing_else_happens_the_turn_comes_at_once() -> None:
    env = Environment()
    board, heard = Board(env), list[tuple[str, float]]()
    station = Listener(env, heard, "a")
    Timer(env, lambda _: None, Turn.PROBE).arm(1.0)
    announce(board, station)
    board.flush(0.0)
    assert heard == [("a", 0.0)]
    assert (station.changed, board.pending, env.peek()) == (False, [], 1.0)


def test_where_something_else_happens_at_the_instant_the_turn_comes_after_it() -> None:
    env = Environment()
    board, heard = Board(env), list[tuple[str, float]]()
    station = Listener(env, heard, "station")
    Timer(env, lambda now: heard.append(("arrival", now)), Turn.ARRIVAL).arm(0.0)
    Timer(env, lambda now: heard.append(("probe", now)), Turn.PROBE).arm(0.0)
    announce(board, station)
    board.flush(0.0)
    assert (heard, station.changed, board.pending) == ([], False, [])
    run_through(env, 0.0)
    assert heard == [("arrival", 0.0), ("station", 0.0), ("probe", 0.0)]


def test_several_stations_go_by_their_turns() -> None:
    env = Environment()
    board, heard = Board(env), list[tuple[str, float]]()
    stations = [Listener(env, heard, name, Turn.WORKER + turn) for name, turn in (("b", 0.5), ("a", 0.25), ("c", 0.75))]
    announce(board, *stations)
    board.flush(0.0)
    assert heard == []
    run_through(env, 0.0)
    assert heard == [("a", 0.0), ("b", 0.0), ("c", 0.0)]


def test_with_nothing_to_do_nothing_is_done() -> None:
    env = Environment()
    Board(env).flush(0.0)
    assert env.peek() == float("inf")


@pytest.mark.parametrize(
    ("turns", "pauses"), [([], 0), ([False], 0), ([True], 0), ([False, True], 1), ([False, True, True, False, True], 2)]
)
def test_a_pause_begins_where_it_becomes_quiet(turns: list[bool], pauses: int) -> None:
    board = Board(Environment())
    assert board.quiet
    for quiet in turns:
        board.quiet = quiet
        assert board.quiet == quiet
    assert board.pauses == pauses
