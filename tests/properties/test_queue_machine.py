"""Standard queues against a model that is too simple to be wrong: a source, its dead-letter queue, and that one's own.

Random waits never hit a boundary: the jumps in time are aimed at the model's deadlines, just before, at and after.
"""

from collections.abc import Callable, Sequence
from math import inf, nextafter
from typing import Any

import pytest
from hypothesis import assume, event, target
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule

from msgsim.bus.message import Message, format_id
from msgsim.bus.queue import Counts, Queue, Redrive, StandardQueue
from msgsim.bus.receipts import Delivery
from msgsim.errors import BusError, InvalidParameterValue
from tests.properties.model import ModelQueue, Refused, Ticket

TIMEOUTS = st.sampled_from([0.0, 0.5, 1.0, 2.5, 10.0, 43_200.0])
LONG = 20.0


class Pair:
    """A queue, its model, and a listener that hears of the queue by `on_change` and `next_deadline` only."""

    def __init__(self, queue: StandardQueue, model: ModelQueue) -> None:
        self.queue = queue
        self.model = model
        self.called = True
        self.alarm = inf
        self.lined_up: set[int] = set()
        queue.on_change = self.hear

    def hear(self) -> None:
        self.called = True

    def check(self, now: float) -> None:
        queue, model = self.queue, self.model
        model.advance(now)
        assert queue.counts(now) == model.counts()
        queue.check(now)
        assert queue.sent + queue.moved_in == model.came
        assert (queue.received, queue.redelivered, queue.empty_receives) == (
            model.received,
            model.redelivered,
            model.empty_receives,
        )
        assert {how: getattr(queue, how) for how in model.left} == model.left
        assert queue.next_deadline() == model.next_deadline()
        if not queue.moved_in:
            assert queue.age_of_oldest(now) == model.age_of_oldest(now)
        near = 1e-9 * (1.0 + model.came * now)
        assert queue.integrals(now) == pytest.approx(tuple(model.areas.values()), rel=0, abs=near)
        assert sum(queue.integrals(now)) == pytest.approx(queue.residence(now), rel=0, abs=near)
        assert queue.residence(now) == pytest.approx(model.residence(now), rel=0, abs=near)
        assert not queue.limited or queue.in_flight >= queue.max_in_flight
        self.listen(now)

    def listen(self, now: float) -> None:
        """What becomes receivable, or due earlier than the listener's alarm, has to be announced."""
        line = {item.number for item in self.model.line()}
        due = self.model.next_deadline() or inf
        if self.called or now >= self.alarm:
            self.alarm = due
        else:
            assert due >= self.alarm
            assert line <= self.lined_up
        self.called = False
        self.lined_up = line


class Machine(RuleBasedStateMachine):
    """Time, and the comparison."""

    pairs: list[Pair]
    now: float
    attentive: bool

    @initialize(
        start=st.sampled_from([0.0, 0.1, 86_400.0]),
        attentive=st.booleans(),
        visibility_timeout=st.sampled_from([0.0, 1.0, 2.5, 10.0, 30.0, 43_200.0]),
        delay=st.sampled_from([0.0, 0.0, 1.0, 3.0]),
        retention=st.sampled_from([[345_600.0] * 3, [60.0, 61.0, 100.0], [100.0, 60.0, 60.0]]),
        wait_time=st.sampled_from([0.0, LONG]),
        max_in_flight=st.sampled_from([1, 2, 3, 120_000]),
        max_receive_count=st.sampled_from([[1, 2], [1, 1_000], [2, 1], [3, 5], [4, 1_000], [1_000, 1]]),
    )
    def begin(
        self,
        start: float,
        attentive: bool,
        visibility_timeout: float,
        delay: float,
        retention: list[float],
        wait_time: float,
        max_in_flight: int,
        max_receive_count: list[int],
    ) -> None:
        self.now = start
        self.attentive = attentive
        pit = Pair(StandardQueue(Queue(retention=retention[2]), "pit"), ModelQueue(retention=retention[2]))
        dead = self._redriving(pit, max_receive_count[1], "dead", visibility_timeout=1.0, retention=retention[1])
        source = self._redriving(
            dead,
            max_receive_count[0],
            "source",
            visibility_timeout=visibility_timeout,
            delay=delay,
            retention=retention[0],
            wait_time=wait_time,
            max_in_flight=max_in_flight,
        )
        self.pairs = [source, dead, pit]
        self.go(start)

    def _redriving(self, to: Pair, count: int, name: str, **settings: Any) -> Pair:
        queue = Queue(redrive=Redrive(to=to.queue.name, max_receive_count=count), **settings)
        return Pair(
            StandardQueue(queue, name, dead_letter_queue=to.queue),
            ModelQueue(max_receive_count=count, dead_letter_queue=to.model, **settings),
        )

    def go(self, now: float) -> None:
        """To a later time; nobody tells the queues."""
        assert now >= self.now
        self.now = now
        for pair in self.pairs:
            pair.model.advance(now)

    def look(self) -> None:
        for pair in self.pairs:
            pair.check(self.now)

    def deadlines(self) -> list[float]:
        times = {pair.model.purged_at + 60.0 for pair in self.pairs}
        for pair in self.pairs:
            times.update(item.until for item in pair.model.items)
            times.update(item.sent_at + pair.model.retention for item in pair.model.items)
            times.update(at for at, _ in pair.model.jobs)
        return sorted(time for time in times if self.now <= time < inf)

    @rule(which=st.integers(0, 2), side=st.sampled_from([-inf, 0.0, inf]))
    def jump(self, which: int, side: float) -> None:
        deadlines = self.deadlines()[: which + 1]
        assume(deadlines)
        deadline = deadlines[-1]
        self.go(max(self.now, deadline if side == 0.0 else nextafter(deadline, side)))

    @rule(seconds=st.sampled_from([0.0, 0.25, 1.0, 2.5, 10.0]) | st.floats(0.0, 20.0))
    def wait(self, seconds: float) -> None:
        self.go(self.now + seconds)

    @precondition(lambda self: self.pairs[0].model.came % 5 == 4)
    @rule(seconds=st.sampled_from([61.0, 1_000.0, 43_199.0, 345_600.0]))
    def wait_long(self, seconds: float) -> None:
        self.go(self.now + seconds)

    @rule()
    def look_now(self) -> None:
        self.look()

    @invariant()
    def agrees(self) -> None:
        if self.attentive:
            self.look()

    def teardown(self) -> None:
        """Say how eventful the example was, and look for more eventful ones."""
        if not hasattr(self, "pairs"):
            return
        for pair in self.pairs:
            model, name = pair.model, pair.queue.name
            happened = {**model.left, "redelivered": model.redelivered, "timed out": model.timeouts}
            for what, count in happened.items():
                if count:
                    event(f"{name}: {what}")
            target(float(model.redelivered + model.left["dead_lettered"]), label=f"{name}: redelivered, dead letters")


def same_answer(ask_queue: Callable[[], Any], ask_model: Callable[[], Any]) -> tuple[Any, Any]:
    """Both answers; a refusal by one has to be the other's, too, and reads as (None, None)."""
    try:
        expected = ask_model()
    except Refused as refused:
        with pytest.raises(BusError) as raised:
            ask_queue()
        assert type(raised.value).__name__ == str(refused)
        event(f"refused: {refused}")
        return None, None
    return ask_queue(), expected


class Verbs(Machine):
    """The service's verbs."""

    handles: Bundle[tuple[Pair, str, Ticket]] = Bundle("handles")

    @rule(delay=st.sampled_from([None, None, 0.0, 1.0, 2.5, 900.0]), count=st.integers(1, 3))
    def send(self, delay: float | None, count: int) -> None:
        source = self.pairs[0]
        for _ in range(count):
            body = f"message {source.model.came}"
            message = source.queue.send(body, self.now, delay=delay, attributes={"kind": body})
            source.model.send(message.number, body, delay)

    @rule(
        target=handles,
        limit=st.integers(1, 10),
        timeout=st.none() | TIMEOUTS,
        wait_time=st.sampled_from([None, 0.0, LONG]),
    )
    def receive(self, limit: int, timeout: float | None, wait_time: float | None) -> Any:
        return self._receive(self.pairs[0], limit, timeout, wait_time)

    @precondition(lambda self: self.pairs[0].model.items)
    @rule(target=handles, limit=st.integers(1, 10), timeout=st.none() | TIMEOUTS)
    def receive_when_something_is_due(self, limit: int, timeout: float | None) -> Any:
        due = min(item.until for item in self.pairs[0].model.items)
        if due < inf:
            self.go(max(self.now, due))
        return self._receive(self.pairs[0], limit, timeout, LONG)

    @precondition(lambda self: self.pairs[1].model.came)
    @rule(target=handles, which=st.sampled_from([1, 1, 2]), limit=st.integers(1, 10), timeout=st.none() | TIMEOUTS)
    def receive_dead_letters(self, which: int, limit: int, timeout: float | None) -> Any:
        return self._receive(self.pairs[which], limit, timeout, None)

    def _receive(self, pair: Pair, limit: int, timeout: float | None, wait_time: float | None) -> Any:
        deliveries, tickets = same_answer(
            lambda: pair.queue.receive(self.now, limit, timeout, wait_time=wait_time),
            lambda: pair.model.receive(limit, timeout, wait_time),
        )
        if deliveries is None:
            return multiple()
        self._compare(deliveries, tickets)
        return multiple(
            *[(pair, delivery.receipt_handle, ticket) for delivery, ticket in zip(deliveries, tickets, strict=True)]
        )

    def _compare(self, deliveries: Sequence[Delivery], tickets: Sequence[Ticket]) -> None:
        assert [
            (
                delivery.message_id,
                delivery.body,
                delivery.attributes,
                delivery.receive_count,
                delivery.sent_at,
            )
            for delivery in deliveries
        ] == [
            (
                format_id(ticket.item.number),
                ticket.item.body,
                {"kind": ticket.item.body},
                ticket.receive_count,
                ticket.item.sent_at,
            )
            for ticket in tickets
        ]

    @rule(handle=handles)
    def delete(self, handle: tuple[Pair, str, Ticket]) -> None:
        pair, receipt_handle, ticket = handle
        if ticket.item.state != "gone":
            if ticket.item.receive_count != ticket.receive_count:
                event("deletes by an old handle")
            elif ticket.item.state == "visible":
                event("deletes by an expired handle")
        pair.queue.delete(receipt_handle, self.now)
        pair.model.delete(ticket)

    @rule(handle=handles, timeout=TIMEOUTS)
    def change_visibility(self, handle: tuple[Pair, str, Ticket], timeout: float) -> None:
        pair, receipt_handle, ticket = handle
        if ticket.item.state == "visible":
            event("changes visibility by an expired handle")
        same_answer(
            lambda: pair.queue.change_visibility(receipt_handle, timeout, self.now),
            lambda: pair.model.change_visibility(ticket, timeout),
        )

    @rule(handle=handles, which=st.integers(0, 7))
    def change_visibility_to_meet_a_deadline(self, handle: tuple[Pair, str, Ticket], which: int) -> None:
        deadlines = self.deadlines()
        assume(deadlines)
        timeout = deadlines[which % len(deadlines)] - self.now
        assume(timeout <= 43_200)
        pair, receipt_handle, ticket = handle
        same_answer(
            lambda: pair.queue.change_visibility(receipt_handle, timeout, self.now),
            lambda: pair.model.change_visibility(ticket, timeout),
        )

    @precondition(lambda self: self.pairs[0].model.came % 5 == 4)
    @rule(which=st.sampled_from([0, 0, 1, 2]))
    def purge(self, which: int) -> None:
        pair = self.pairs[which]
        same_answer(lambda: pair.queue.purge(self.now), pair.model.purge)

    @rule()
    def drain(self) -> None:
        """Receive and delete everything, from deadline to deadline: the order of all that is there is compared."""
        for pair in self.pairs:
            for _ in range(50):
                got = self._receive(pair, 10, None, LONG).values
                for handle in got:
                    self.delete(handle)
                due = pair.model.next_deadline()
                if not got and due is None:
                    break
                if not got and due is not None:
                    self.go(due)
        self.look()


TestVerbs = Verbs.TestCase
