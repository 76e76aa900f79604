"""FIFO queues against a model that is too simple to be wrong: a source, its dead-letter queue, and time.

Random waits never hit a boundary: the jumps in time are aimed at the model's deadlines, just before, at and after.
"""

from math import inf, nextafter
from typing import Any, NamedTuple

import pytest
from hypothesis import event, target
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule

from msgsim.bus.fifo import FifoQueue
from msgsim.bus.message import format_id
from msgsim.bus.queue import Queue, Redrive
from msgsim.errors import BusError
from tests.properties.fifo_model import FIVE_MINUTES, FifoModel
from tests.properties.model import CAP, Refused, Ticket

FOREVER = 345_600.0

timeouts = st.sampled_from([0.0, 0.5, 1.0, 1.0, 2.5, 2.5, 5.0, 10.0] * 2 + [CAP])
groups = st.sampled_from(["a", "a", "a", "b", "b", "c", "d"])


class Moment(NamedTuple):
    """A time about one of the model's next deadlines: just before, at or just after it; without `which` it is now."""

    which: int | None
    side: float
    far: bool


moments = st.builds(
    Moment,
    which=st.sampled_from([None, None, 0, 0, 1, 2]),
    side=st.sampled_from([-inf, 0.0, 0.0, inf]),
    far=st.sampled_from([False] * 9 + [True]),
)


class Sent(NamedTuple):
    """A message to be sent: its group, and its id for deduplication, which may be that of its body."""

    group: str
    deduplication_id: str | None
    body: str | None


sends = st.builds(
    Sent,
    group=groups,
    deduplication_id=st.sampled_from([None] * 9 + ["x", "y"]),
    body=st.sampled_from([None] * 9 + ["same"]),
)


class Wanted(NamedTuple):
    """A receive."""

    when: Moment
    limit: int
    timeout: float | None
    wait_time: float | None
    attempt_id: str | None


wanted = st.builds(
    Wanted,
    when=moments,
    limit=st.sampled_from([1, 1, 2, 3, 10]),
    timeout=st.none() | st.none() | timeouts,
    wait_time=st.sampled_from([None, 0.0, 20.0]),
    attempt_id=st.sampled_from([None, None, None, "first", "second"]),
)


class Pair:
    """A queue, its model, and a listener that hears of the queue by `on_change` and `next_deadline` only."""

    def __init__(self, name: str, dead: "Pair | None", count: int, look_ahead: int, **settings: Any) -> None:
        redrive = None if dead is None else Redrive(to=dead.queue.name, max_receive_count=count)
        scope = settings.pop("scope", "queue")
        self.queue = FifoQueue(
            Queue(
                fifo=True,
                content_based_deduplication=True,
                deduplication_scope=scope,
                redrive=redrive,
                **settings,
            ),
            name,
            dead_letter_queue=None if dead is None else dead.queue,
            look_ahead=look_ahead,
        )
        self.model = FifoModel(
            look_ahead=look_ahead,
            scope=scope,
            max_receive_count=inf if dead is None else count,
            dead_letter_queue=None if dead is None else dead.model,
            **settings,
        )
        self.called = True
        self.alarm = inf
        self.lined_up: set[int] = set()
        self.limited = False
        self.queue.on_change = self.hear

    def __repr__(self) -> str:
        return self.queue.name

    def hear(self) -> None:
        self.called = True

    def check(self, now: float) -> None:
        queue, model = self.queue, self.model
        model.advance(now)
        assert queue.counts(now) == model.counts()
        queue.check(now)
        assert [group.name for group in queue._rotation] == model.turns
        assert queue.receivable == bool(model.line())
        assert queue.sent + queue.moved_in == model.came
        assert {how: getattr(queue, how) for how in model.tallies()} == model.tallies()
        assert queue.next_deadline() == model.next_deadline()
        assert queue.age_of_oldest(now) == model.age_of_oldest(now)
        assert queue.groups_in_flight() == model.groups_in_flight()
        assert sorted(queue.sojourns) == sorted(model.sojourns)
        assert sorted(queue.waits) == sorted(model.waits)
        near = 1e-9 * (1.0 + model.came * now)
        assert queue.integrals(now) == pytest.approx(tuple(model.areas.values()), rel=0, abs=near)
        assert queue.residence(now) == pytest.approx(model.residence(now), rel=0, abs=near)
        assert not queue.limited or queue.in_flight >= queue.max_in_flight
        self.listen(now)

    def listen(self, now: float) -> None:
        """What becomes receivable, or due earlier than the listener's alarm, has to be announced."""
        line = {item.number for item in self.model.line()}
        due = self.model.next_deadline()
        if self.called or now >= self.alarm:
            self.alarm = inf if due is None else due
        else:
            assert due is None or due >= self.alarm
            assert line <= self.lined_up
            assert self.queue.limited or not self.limited
        self.called = False
        self.lined_up = line
        self.limited = self.queue.limited


class Receipt(NamedTuple):
    """A delivery in the hands of a client."""

    pair: Pair
    handle: str
    ticket: Ticket


class Machine(RuleBasedStateMachine):
    """Where it is not attentive, the queues are looked at now and then only."""

    held: Bundle[Any] = Bundle("held")
    pairs: list[Pair]
    now: float
    attentive: bool

    @initialize(
        target=held,
        start=st.sampled_from([0.0, 0.1, 86_400.0]),
        attentive=st.booleans(),
        visibility_timeout=st.sampled_from([0.0, 1.0, 1.0, 2.5, 2.5, 5.0, 10.0] * 2 + [CAP]),
        delay=st.sampled_from([0.0, 0.0, 0.0, 1.0, 3.0]),
        retention=st.sampled_from([[FOREVER] * 2] * 2 + [[60.0, 61.0], [400.0, 60.0]]),
        max_in_flight=st.sampled_from([1, 3, 120_000, 120_000]),
        look_ahead=st.sampled_from([1, 2, 3, 5, 120_000, 120_000]),
        max_receive_count=st.sampled_from([1, 2, 3, 1_000]),
        scope=st.sampled_from(["queue", "messageGroup"]),
        first=st.lists(sends, min_size=2, max_size=10),
        opening=st.lists(wanted, max_size=6),
    )
    def begin(
        self,
        start: float,
        attentive: bool,
        visibility_timeout: float,
        delay: float,
        retention: list[float],
        max_in_flight: int,
        look_ahead: int,
        max_receive_count: int,
        scope: str,
        first: list[Sent],
        opening: list[Wanted],
    ) -> Any:
        self.now = start
        self.attentive = attentive
        dead = Pair("dead", None, 0, look_ahead, visibility_timeout=1.0, delay=delay, retention=retention[1])
        source = Pair(
            "source",
            dead,
            max_receive_count,
            look_ahead,
            visibility_timeout=visibility_timeout,
            delay=delay,
            retention=retention[0],
            max_in_flight=max_in_flight,
            scope=scope,
        )
        self.pairs = [source, dead]
        self.go(start)
        self.send(first)
        got = []
        for want in opening:
            self.go_to(want.when)
            got += self.get(source, want)
        return multiple(*got)

    def go(self, now: float) -> None:
        """To a later time; nobody tells the queues."""
        assert now >= self.now
        self.now = now
        for pair in self.pairs:
            pair.model.advance(now)

    def go_to(self, moment: Moment) -> None:
        if moment.which is None:
            return
        deadlines = self.deadlines(far=moment.far)[: moment.which + 1]
        if deadlines:
            deadline = deadlines[-1] if moment.side == 0.0 else nextafter(deadlines[-1], moment.side)
            self.go(max(self.now, deadline))

    def deadlines(self, *, far: bool) -> list[float]:
        times = set()
        for pair in self.pairs:
            model = pair.model
            if far:
                times.add(model.purged_at + 60.0)
                times.update(item.arrived_at + model.retention for item in model.items)
                times.update(until for _, _, until in model.memory)
                times.update(attempt.at + FIVE_MINUTES for attempt in model.attempts.values())
            else:
                times.update(item.until for item in model.items)
        return sorted(time for time in times if self.now <= time < inf)

    def look(self) -> None:
        for pair in self.pairs:
            pair.check(self.now)

    def ask(self, ask_queue: Any, ask_model: Any) -> tuple[Any, Any] | None:
        """Both answers; None after a refusal, which has to be the same from both."""
        refusal = ""
        try:
            expected = ask_model()
        except Refused as refused:
            refusal = str(refused)
        if not refusal:
            return ask_queue(), expected
        with pytest.raises(BusError) as raised:
            ask_queue()
        assert type(raised.value).__name__ == refusal
        event(f"refused: {refusal}")
        return None

    @rule(batch=st.lists(sends, min_size=1, max_size=4))
    def send(self, batch: list[Sent]) -> None:
        self.send_to(self.pairs[0], batch)

    @rule(batch=st.lists(sends, min_size=1, max_size=2))
    def send_to_dead_letters(self, batch: list[Sent]) -> None:
        self.send_to(self.pairs[1], batch)

    def send_to(self, pair: Pair, batch: list[Sent]) -> None:
        for group, deduplication_id, wanted_body in batch:
            body = wanted_body or f"message {pair.model.came}"
            message = pair.queue.send(body, self.now, group_id=group, deduplication_id=deduplication_id)
            before = pair.model.came
            item = pair.model.put(body, group, deduplication_id)
            if pair.model.came > before:
                item.number = message.number
            else:
                event("duplicates")
            assert (message.number, message.group_id, message.body) == (item.number, item.group, item.body)

    def get(self, pair: Pair, want: Wanted) -> list[Receipt]:
        queue, model = pair.queue, pair.model
        answers = self.ask(
            lambda: queue.receive(
                self.now, want.limit, want.timeout, wait_time=want.wait_time, attempt_id=want.attempt_id
            ),
            lambda: model.receive_as(want.limit, want.timeout, want.wait_time, want.attempt_id),
        )
        assert answers is not None
        deliveries, tickets = answers
        received = [(each.message_id, each.body, each.receive_count, each.group_id) for each in deliveries]
        assert received == [(format_id(item.number), item.body, count, item.group) for item, count, _ in tickets]
        if len({item.group for item, _, _ in tickets}) > 1:
            event("receives from several groups")
        return [Receipt(pair, each.receipt_handle, ticket) for each, ticket in zip(deliveries, tickets, strict=True)]

    @rule(target=held, want=wanted)
    def receive(self, want: Wanted) -> Any:
        self.go_to(want.when)
        return multiple(*self.get(self.pairs[0], want))

    @rule(want=wanted, kept=st.integers(0, 9))
    def receive_and_delete(self, want: Wanted, kept: int) -> None:
        """All but one."""
        self.go_to(want.when)
        for position, receipt in enumerate(self.get(self.pairs[0], want)):
            if position != kept:
                self.delete(receipt)

    @precondition(lambda self: self.pairs[1].model.came)
    @rule(target=held, want=wanted)
    def receive_dead_letters(self, want: Wanted) -> Any:
        self.go_to(want.when)
        return multiple(*self.get(self.pairs[1], want))

    @rule(receipt=held)
    def delete(self, receipt: Receipt) -> None:
        self.ask(
            lambda: receipt.pair.queue.delete(receipt.handle, self.now),
            lambda: receipt.pair.model.delete(receipt.ticket),
        )

    @rule(receipt=held, timeout=timeouts)
    def change_visibility(self, receipt: Receipt, timeout: float) -> None:
        self.ask(
            lambda: receipt.pair.queue.change_visibility(receipt.handle, timeout, self.now),
            lambda: receipt.pair.model.change_visibility(receipt.ticket, timeout),
        )

    @rule(receipt=held, which=st.integers(0, 4))
    def change_visibility_to_meet_a_deadline(self, receipt: Receipt, which: int) -> None:
        deadlines = self.deadlines(far=False)[: which + 1]
        self.change_visibility(receipt, min(deadlines[-1] - self.now, CAP) if deadlines else CAP)

    @rule(receipt=held)
    def change_visibility_there_and_back(self, receipt: Receipt) -> None:
        until = receipt.ticket.item.until
        self.change_visibility(receipt, 11.0)
        if self.now < until < inf:
            self.change_visibility(receipt, until - self.now)

    @rule(moment=moments)
    def jump(self, moment: Moment) -> None:
        self.go_to(moment)

    @rule(seconds=st.sampled_from([0.0, 0.25, 1.0, 2.5, 10.0, 61.0]) | st.floats(0.0, 20.0))
    def wait(self, seconds: float) -> None:
        self.go(self.now + seconds)

    @rule(which=st.sampled_from([0] * 6 + [1]), delay=st.sampled_from([0.0, 0.5, 1.0, 3.0]))
    def set_delay(self, which: int, delay: float) -> None:
        pair = self.pairs[which]
        pair.queue.set_attributes(self.now, delay=delay)
        pair.model.set_delay(delay)

    @rule(which=st.sampled_from([None] * 20 + [0, 1]))
    def purge(self, which: int | None) -> None:
        if which is not None:
            pair = self.pairs[which]
            self.ask(lambda: pair.queue.purge(self.now), pair.model.purge)

    @rule(whether=st.sampled_from([False, False, True]))
    def drain(self, whether: bool) -> None:
        """Receive and delete everything, from deadline to deadline: the order of all that is there is compared."""
        want = Wanted(Moment(None, 0.0, far=False), 10, None, 20.0, None)
        for pair in self.pairs if whether else []:
            for _ in range(40):
                batch = self.get(pair, want)
                for receipt in batch:
                    self.delete(receipt)
                due = pair.model.next_deadline()
                if not batch and due is not None:
                    self.go(max(self.now, due))
        self.look()

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
            model = pair.model
            for what, count in model.tallies().items():
                if count:
                    event(f"{pair}: {what}")
            target(float(model.redelivered + model.left["dead_lettered"]), label=f"{pair}: redelivered, dead letters")


TestFifo = Machine.TestCase
