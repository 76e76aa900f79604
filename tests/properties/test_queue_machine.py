"""Standard queues against a model that is too simple to be wrong: a source, its dead-letter queue, and that one's own.

Random waits never hit a boundary: the jumps in time are aimed at the model's deadlines, just before, at and after.
"""

from collections.abc import Callable
from functools import partial
from math import inf, nextafter
from typing import Any, NamedTuple

import pytest
from hypothesis import event, target
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule

from msgsim.bus.message import Message, format_id
from msgsim.bus.queue import Queue, Redrive
from msgsim.bus.standard import StandardQueue
from msgsim.errors import BusError
from tests.properties.model import CAP, ModelQueue, Refused, Ticket

LONG_POLL = 20.0
FOREVER = 345_600.0
SOURCE = 0

delays = st.sampled_from([None] * 8 + [0.0, 0.0, 1.0, 1.0, 2.5, 900.0])
timeouts = st.sampled_from([0.0, 0.5, 1.0, 1.0, 2.5, 2.5, 5.0, 10.0] * 2 + [CAP])


changes = st.one_of(
    st.tuples(st.just("visibility_timeout"), st.sampled_from([0.0, 1.0, 5.0])),
    st.tuples(st.just("delay"), st.sampled_from([0.0, 1.0, 3.0])),
    st.tuples(st.just("retention"), st.sampled_from([60.0, 61.0, 1_000.0, FOREVER])),
    st.tuples(st.just("wait_time"), st.sampled_from([0.0, LONG_POLL])),
    st.tuples(st.just("max_in_flight"), st.sampled_from([1, 2, 120_000])),
    st.tuples(st.just("max_receive_count"), st.sampled_from([1, 2, 4])),
)


class Moment(NamedTuple):
    """A time relative to the model's deadlines: just before, at or just after the next one or one of those behind it.

    `far` is for retention, and the 60 s after a purge; without `which` it is now.
    """

    which: int | None
    side: float
    far: bool


moments = st.builds(
    Moment,
    which=st.sampled_from([None, 0, 0, 1, 2]),
    side=st.sampled_from([-inf, 0.0, 0.0, inf]),
    far=st.sampled_from([False] * 11 + [True]),
)


class Wanted(NamedTuple):
    """A receive: when, how much, for how long, and what the receiver is going to do."""

    when: Moment
    limit: int
    timeout: float | None
    wait_time: float | None
    durations: list[float]
    failures: list[int] | None
    one_by_one: bool


wanted = st.builds(
    Wanted,
    when=moments,
    limit=st.integers(1, 10),
    timeout=st.none() | st.none() | timeouts,
    wait_time=st.sampled_from([None, 0.0, LONG_POLL]),
    durations=st.lists(st.sampled_from([0.0, 0.125, 0.25, 0.5]), min_size=10, max_size=10),
    failures=st.none() | st.lists(st.integers(0, 3), min_size=1, max_size=3),
    one_by_one=st.booleans(),
)


class Pair:
    """A queue, its model, and a listener that hears of the queue by `on_change` and `next_deadline` only."""

    def __init__(self, queue: StandardQueue, model: ModelQueue) -> None:
        self.queue = queue
        self.model = model
        self.called = True
        self.alarm = inf
        self.lined_up: set[int] = set()
        self.limited = False
        queue.on_change = self.hear

    def __repr__(self) -> str:
        return self.queue.name

    def hear(self) -> None:
        self.called = True

    def check(self, now: float) -> None:
        queue, model = self.queue, self.model
        model.advance(now)
        assert queue.counts(now) == model.counts()
        queue.check(now)
        assert queue.sent + queue.moved_in == model.came
        assert {how: getattr(queue, how) for how in model.tallies()} == model.tallies()
        assert queue.next_deadline() == model.next_deadline()
        if not queue.moved_in:
            assert queue.age_of_oldest(now) == model.age_of_oldest(now)
        assert sorted(queue.sojourns) == sorted(model.sojourns)
        assert sorted(queue.waits) == sorted(model.waits)
        assert sorted(queue.end_to_end) == sorted(model.end_to_end)
        near = 1e-9 * (1.0 + model.came * now)
        assert queue.integrals(now) == pytest.approx(tuple(model.areas.values()), rel=0, abs=near)
        assert sum(queue.integrals(now)) == pytest.approx(queue.residence(now), rel=0, abs=near)
        assert queue.residence(now) == pytest.approx(model.residence(now), rel=0, abs=near)
        assert not queue.limited or queue.in_flight >= queue.max_in_flight
        self.listen(now)

    def listen(self, now: float) -> None:
        """What becomes receivable, or due earlier than the listener's alarm, has to be announced.

        So has room below the limit of messages in flight, to whoever was refused there.
        """
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


def redriving(to: Pair, count: int, name: str, **settings: Any) -> Pair:
    queue = Queue(redrive=Redrive(to=to.queue.name, max_receive_count=count), **settings)
    return Pair(
        StandardQueue(queue, name, dead_letter_queue=to.queue),
        ModelQueue(max_receive_count=count, dead_letter_queue=to.model, **settings),
    )


def same_answer(ask_queue: Callable[[], Any], ask_model: Callable[[], Any]) -> tuple[Any, Any] | None:
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


class Machine(RuleBasedStateMachine):
    """Time, and the comparison. Where it is not attentive, the queues are looked at now and then only.

    Every example begins with some sends and receives: Hypothesis leaves out some of the rules in most examples.
    """

    held: Bundle[Any] = Bundle("held")
    pairs: list[Pair]
    now: float
    attentive: bool

    @initialize(
        target=held,
        start=st.sampled_from([0.0, 0.1, 86_400.0]),
        attentive=st.booleans(),
        visibility_timeout=st.sampled_from([0.0, 1.0, 1.0, 2.5, 2.5, 5.0, 10.0] * 2 + [CAP]),
        delay=st.sampled_from([0.0, 0.0, 1.0, 3.0]),
        retention=st.sampled_from([[FOREVER] * 3] * 2 + [[60.0, 61.0, 100.0], [1_000.0, 60.0, 61.0]]),
        wait_time=st.sampled_from([0.0, LONG_POLL]),
        max_in_flight=st.sampled_from([1, 3, 120_000, 120_000]),
        lags=st.sampled_from([(0.0, 0.0), (2.5, 2.5), (1.0, 5.0)]),
        max_receive_count=st.sampled_from([[1, 2], [1, 1_000], [2, 1], [2, 3], [3, 5], [4, 1_000], [1_000, 1]]),
        first=st.lists(delays, min_size=2, max_size=8),
        opening=st.lists(wanted, max_size=8),
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
        lags: tuple[float, float],
        max_receive_count: list[int],
        first: list[float | None],
        opening: list[Wanted],
    ) -> Any:
        self.now = start
        self.attentive = attentive
        pit = Pair(StandardQueue(Queue(retention=retention[2]), "pit"), ModelQueue(retention=retention[2]))
        dead = redriving(pit, max_receive_count[1], "dead", visibility_timeout=1.0, retention=retention[1])
        source = redriving(
            dead,
            max_receive_count[0],
            "source",
            visibility_timeout=visibility_timeout,
            delay=delay,
            retention=retention[0],
            wait_time=wait_time,
            max_in_flight=max_in_flight,
            attribute_lag=lags[0],
            retention_lag=lags[1],
        )
        self.pairs = [source, dead, pit]
        self.go(start)
        self.send(first)
        got = []
        for want in opening:
            self.go_to(want.when)
            got += self.get(source, want)
        return multiple(*got)

    def put(self, delay: float | None) -> None:
        """Send one message to the source."""
        raise NotImplementedError

    def get(self, pair: Pair, want: Wanted) -> list[Any]:
        """Receive, compare, and return what is left in the receiver's hands."""
        raise NotImplementedError

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
                times.update(item.sent_at + other.model.retention for item in model.items for other in self.pairs)
            else:
                times.update(item.until for item in model.items)
                times.update(at for at, _ in model.jobs)
                times.update(at for at, _, _ in model.changes)
        return sorted(time for time in times if self.now <= time < inf)

    def look(self) -> None:
        for pair in self.pairs:
            pair.check(self.now)

    @rule(delays=st.lists(delays, min_size=1, max_size=3))
    def send(self, delays: list[float | None]) -> None:
        for delay in delays:
            self.put(delay)

    @rule(target=held, want=wanted)
    def receive(self, want: Wanted) -> Any:
        self.go_to(want.when)
        return multiple(*self.get(self.pairs[SOURCE], want))

    @precondition(lambda self: self.pairs[1].model.came)
    @rule(target=held, which=st.sampled_from([1, 1, 2]), want=wanted)
    def receive_dead_letters(self, which: int, want: Wanted) -> Any:
        self.go_to(want.when)
        return multiple(*self.get(self.pairs[which], want))

    @rule(moment=moments)
    def jump(self, moment: Moment) -> None:
        self.go_to(moment)

    @rule(seconds=st.sampled_from([0.0, 0.25, 1.0, 2.5, 10.0]) | st.floats(0.0, 20.0))
    def wait(self, seconds: float) -> None:
        self.go(self.now + seconds)

    @rule(seconds=st.sampled_from([None] * 16 + [61.0, 61.0, 1_000.0, CAP - 1.0, FOREVER]))
    def wait_long(self, seconds: float | None) -> None:
        self.go(self.now + (seconds or 1.0))

    @rule(which=st.sampled_from([None] * 12 + [0, 1, 2]), again=st.sampled_from([None, -inf, 0.0, inf]))
    def purge(self, which: int | None, again: float | None) -> None:
        """Now and then, and then again about when it is allowed."""
        if which is None:
            return
        pair = self.pairs[which]
        same_answer(lambda: pair.queue.purge(self.now), pair.model.purge)
        if again is not None:
            allowed = pair.model.purged_at + 60.0
            self.go(allowed if again == 0.0 else nextafter(allowed, again))
            same_answer(lambda: pair.queue.purge(self.now), pair.model.purge)

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
            for what, count in {**model.left, "redelivered": model.redelivered, "timed out": model.timeouts}.items():
                if count:
                    event(f"{pair}: {what}")
            target(float(model.redelivered + model.left["dead_lettered"]), label=f"{pair}: redelivered, dead letters")


class Receipt(NamedTuple):
    """A delivery in the hands of a client."""

    pair: Pair
    handle: str
    ticket: Ticket


class Verbs(Machine):
    """The service's verbs."""

    def put(self, delay: float | None) -> None:
        source = self.pairs[SOURCE]
        body = f"message {source.model.came}"
        message = source.queue.send(body, self.now, delay=delay, attributes={"kind": body})
        source.model.send(message.number, body, delay)

    def get(self, pair: Pair, want: Wanted) -> list[Receipt]:
        answers = same_answer(
            lambda: pair.queue.receive(self.now, want.limit, want.timeout, wait_time=want.wait_time),
            lambda: pair.model.receive(want.limit, want.timeout, want.wait_time),
        )
        if answers is None:
            return []
        deliveries, tickets = answers
        received = [(each.message_id, each.body, each.receive_count, each.sent_at) for each in deliveries]
        assert received == [(format_id(item.number), item.body, count, item.sent_at) for item, count, _ in tickets]
        assert all(each.attributes == {"kind": each.body} for each in deliveries)
        return [Receipt(pair, each.receipt_handle, ticket) for each, ticket in zip(deliveries, tickets, strict=True)]

    @rule(receipt=Machine.held)
    def delete(self, receipt: Receipt) -> None:
        item = receipt.ticket.item
        if item.state != "gone" and item.receive_count != receipt.ticket.receive_count:
            event("deletes by an old handle")
        if item.state == "visible" and item.receive_count == receipt.ticket.receive_count:
            event("deletes by an expired handle")
        receipt.pair.queue.delete(receipt.handle, self.now)
        receipt.pair.model.delete(receipt.ticket)

    @rule(receipt=Machine.held, timeout=timeouts)
    def change_visibility(self, receipt: Receipt, timeout: float) -> None:
        if receipt.ticket.item.state == "visible":
            event("changes visibility by an expired handle")
        same_answer(
            lambda: receipt.pair.queue.change_visibility(receipt.handle, timeout, self.now),
            lambda: receipt.pair.model.change_visibility(receipt.ticket, timeout),
        )

    @rule(receipt=Machine.held, which=st.integers(0, 4), far=st.booleans())
    def change_visibility_to_meet_a_deadline(self, receipt: Receipt, which: int, far: bool) -> None:
        deadlines = self.deadlines(far=far)[: which + 1]
        self.change_visibility(receipt, min(deadlines[-1] - self.now, CAP) if deadlines else CAP)

    @rule(receipt=Machine.held)
    def change_visibility_there_and_back(self, receipt: Receipt) -> None:
        until = receipt.ticket.item.until
        self.change_visibility(receipt, 11.0)
        if self.now < until < inf:
            self.change_visibility(receipt, until - self.now)

    @rule(receipt=Machine.held)
    def nack(self, receipt: Receipt) -> None:
        self.change_visibility(receipt, 0.0)

    @rule(which=st.sampled_from([SOURCE, SOURCE, 1]), change=changes)
    def set_attribute(self, which: int, change: tuple[str, float]) -> None:
        pair, (name, value) = self.pairs[which], change
        if name == "max_receive_count":
            redrive = pair.queue.intended.redrive
            assert redrive is not None
            pair.queue.set_attributes(self.now, redrive=Redrive(to=redrive.to, max_receive_count=int(value)))
        else:
            pair.queue.set_attributes(self.now, **{name: value})
        pair.model.set_attribute(name, value)
        event(f"changes of {name}")

    @rule(whether=st.sampled_from([False, False, True]))
    def drain(self, whether: bool) -> None:
        """Receive and delete everything, from deadline to deadline: the order of all that is there is compared."""
        want = Wanted(Moment(None, 0.0, far=False), 10, None, LONG_POLL, [], None, one_by_one=True)
        for pair in self.pairs if whether else []:
            for _ in range(40):
                batch = self.get(pair, want)
                for receipt in batch:
                    self.delete(receipt)
                due = pair.model.next_deadline()
                if not batch and due is not None:
                    self.go(max(self.now, due))
        self.look()


class Work(NamedTuple):
    """A batch in the hands of a worker that was received for good: it will be done in time."""

    batch: list[Message]
    durations: list[float]
    failures: list[int] | None
    deadline: float
    progress: list[Any]


class Record(NamedTuple):
    """A message in the hands of the engine."""

    pair: Pair
    message: Message
    ticket: Ticket


class HotPath(Machine):
    """The calls that trust their arguments: batches that are finished lazily, messages that are handled one by one."""

    def __init__(self) -> None:
        super().__init__()
        self.work: dict[str, list[Work]] = {"source": [], "dead": [], "pit": []}

    def put(self, delay: float | None) -> None:
        source = self.pairs[SOURCE]
        queue, number = source.queue, source.model.came
        body, origin_at = f"message {number}", self.now - number % 2
        if delay is None:
            message = queue.enqueue(body, None, self.now, number, origin_at)
        else:
            message = queue.enqueue_later(body, None, self.now, number, origin_at, delay)
        source.model.send(message.number, body, delay).origin_at = origin_at

    def get(self, pair: Pair, want: Wanted) -> list[Record]:
        self.go(self.now)
        queue, model = pair.queue, pair.model
        queue.catch_up = partial(self.catch_up, pair)
        model.advance(self.now)
        timeout = queue.visibility_timeout if want.timeout is None else want.timeout
        if not want.one_by_one:
            timeout = max(timeout, 2.0)
        room = model.max_in_flight - len(model.those("in_flight"))
        tickets = model.take(max(0, min(want.limit, room)), timeout)
        batch = queue.take(self.now, want.limit, timeout)
        pair.called = True  # who takes knows that there is a new deadline
        assert [(message.number, message.body, message.receive_count) for message in batch] == [
            (item.number, item.body, count) for item, count, _ in tickets
        ]
        ends = [self.now]
        for duration in want.durations[: len(batch)]:
            ends.append(ends[-1] + duration)
        first_expiry = min((item.sent_at + model.retention for item in model.items), default=inf)
        if want.one_by_one or ends[-1] >= min(self.now + timeout, first_expiry):
            return [Record(pair, message, ticket) for message, ticket in zip(batch, tickets, strict=True)]
        progress = [0, self.now, ends[-1]]
        self.work[queue.name].append(Work(batch, want.durations, want.failures, self.now + timeout, progress))
        for position, ticket in enumerate(tickets):
            if want.failures is None or position not in want.failures:
                model.jobs.append((ends[position + 1], ticket))
        event("batches that are finished lazily")
        return []

    def go(self, now: float) -> None:
        """Batches end in events of their own, before anything later happens."""
        super().go(now)
        for pair in self.pairs:
            for work in list(self.work[pair.queue.name]):
                if work.progress[2] <= now:
                    self.finish(pair, work, inf)
                    self.work[pair.queue.name].remove(work)

    def catch_up(self, pair: Pair, until: float) -> None:
        for work in self.work[pair.queue.name]:
            self.finish(pair, work, until)

    def finish(self, pair: Pair, work: Work, until: float) -> None:
        batch, durations, failures, deadline, progress = work
        progress[:2] = pair.queue.finish(batch, durations, failures, deadline, progress[0], progress[1], until)

    @rule(record=Machine.held)
    def remove(self, record: Record) -> None:
        self.go(self.now)
        pair, message, ticket = record
        assert pair.queue.remove(message, ticket.receive_count, self.now) == pair.model.delete(ticket)

    @rule(record=Machine.held)
    def finish_one(self, record: Record) -> None:
        self.go(self.now)
        pair, message, ticket = record
        item = ticket.item
        if item.state == "in_flight" and item.until > self.now and item.receive_count == ticket.receive_count:
            event("messages that are finished one by one")
            pair.queue.finish_one(message, self.now)
            pair.model.delete(ticket)

    @rule(record=Machine.held, timeout=timeouts)
    def extend(self, record: Record, timeout: float) -> None:
        self.go(self.now)
        pair, message, ticket = record
        if not any(message in work.batch[work.progress[0] :] for work in self.work[pair.queue.name]):
            same_answer(
                lambda: pair.queue.extend(message, ticket.received_at, timeout, self.now),
                lambda: pair.model.change_visibility(ticket, timeout),
            )

    @rule(record=Machine.held)
    def extend_there_and_back(self, record: Record) -> None:
        until = record.ticket.item.until
        self.extend(record, 11.0)
        if self.now < until < inf:
            self.extend(record, until - self.now)

    @rule()
    def settle(self) -> None:
        self.go(self.now)
        for pair in self.pairs:
            pair.queue.settle(self.now)


TestVerbs = Verbs.TestCase
TestHotPath = HotPath.TestCase
