"""The look-ahead of FIFO queues, against the first so many of a list."""

from random import Random
from typing import Any

import pytest

from msgsim.bus import lookahead
from msgsim.bus.groups import FifoMessage
from msgsim.bus.lookahead import LookAhead
from msgsim.bus.message import GONE, VISIBLE


def message(sequence: int, deadline: float = VISIBLE) -> FifoMessage:
    made = FifoMessage()
    made.sequence = sequence
    made.deadline = deadline
    return made


def within(messages: list[FifoMessage], reach: int) -> list[int]:
    return [each.sequence for each in messages if each.deadline == VISIBLE][:reach]


@pytest.mark.rule("FIFO-ORD-8")
def test_the_first_visible_ones_are_within_reach() -> None:
    messages = [message(1), message(2, 30.0), message(3), message(4, GONE), message(5), message(6)]
    view = LookAhead(2, messages)
    assert (view.last, view.count) == (3, 2)
    messages[0].deadline = 30.0
    assert view.leave([messages[0]]) == [messages[4]]
    messages[1].deadline = VISIBLE
    assert view.show(messages[1]) is messages[4]
    assert (view.last, view.count) == (4, 2)


@pytest.mark.rule("FIFO-ORD-8")
@pytest.mark.parametrize("seed", range(6))
def test_whatever_comes_goes_and_comes_back(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookahead, "SLACK", 4)
    rng = Random(seed)
    reach = rng.choice([1, 3, 8])
    messages = [message(sequence, rng.choice([VISIBLE, VISIBLE, 30.0])) for sequence in range(20)]
    view = LookAhead(reach, messages)
    for sequence in range(20, 3_000):
        before = within(messages, reach)
        said: list[Any] = []
        alive = [each for each in messages if each.deadline != GONE]
        chosen = rng.choice(alive) if alive else None
        if chosen is None or rng.random() < 0.2:
            new = message(sequence, rng.choice([VISIBLE, 30.0]))
            messages.append(new)
            if new.deadline == VISIBLE:
                view.append(new)
            else:
                view.absent.add(sequence)
        elif chosen.deadline != VISIBLE and rng.random() < 0.7:
            chosen.deadline = VISIBLE
            said = [view.show(chosen)]
            assert [each.sequence for each in said if each is not None] == [
                each for each in [*before, chosen.sequence] if each not in within(messages, reach) and each in before
            ] or said == [chosen]
        elif chosen.deadline != VISIBLE:
            chosen.deadline = GONE
            view.absent.discard(chosen.sequence)
        else:
            batch = [each for each in alive if each.deadline == VISIBLE][: rng.randint(1, 4)]
            for each in [*batch, chosen]:
                each.deadline = rng.choice([30.0, 30.0, GONE])
            near = view.leave(batch if chosen in batch else [*batch, chosen])
            assert [each.sequence for each in near] == [each for each in within(messages, reach) if each not in before]
        seen = [each.sequence for each in messages if each.deadline == VISIBLE]
        assert [each for each in seen if each <= view.last] == within(messages, reach)
        assert view.count == len(within(messages, reach))
    assert len(view._near) + len(view._returned) < 2 * len(messages)
