"""Machines: each rule does what it says, bugs of consumers are found and told as short stories, good consumers pass."""

from collections import Counter
from math import nan, nextafter
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.errors import StopTest
from hypothesis.stateful import run_state_machine_as_test

import msgsim as ms
from msgsim.bus.receipts import Delivery
from msgsim.errors import AuditError, DeclarationError, TimeRanBackwards
from msgsim.testing import Crash, FifoMachine, QueueMachine, shares


def run(kind: Any, *, most: int = 300) -> None:
    """Always the same examples; 300 of them take some seconds if none fails."""
    its_own = kind.TestCase.settings
    run_state_machine_as_test(kind, settings=settings(its_own, max_examples=most, derandomize=True, database=None))


class Log:
    """A consumer that notes what it handles."""

    def __init__(self, world: Any) -> None:
        self.lines = [] if world is None else world

    def consume(self, delivery: Delivery) -> None:
        self.lines.append((delivery.body, delivery.receive_count))


Standard = QueueMachine.using(Log, world=lambda _: [])
Fifo = FifoMachine.using(Log, world=lambda _: [])


def with_one_in_hand(kind: Any = Standard, **settings: Any) -> Any:
    if settings:
        kind = kind.using(Log, world=lambda _: [], queue=ms.Queue(**settings))
    machine = kind()
    machine.begin(["a"], 10)
    return machine


def lines(machine: Any) -> list[str]:
    return [line.partition(" s  ")[2] for line in machine.story]


# ---------------------------------------------------------------- rules of both kinds


@pytest.mark.parametrize("kind", [Standard, Fifo])
def test_a_delivery_is_handled_and_deleted(kind: Any) -> None:
    machine = with_one_in_hand(kind)
    machine.process(0)
    machine.holds()
    assert machine.world == [("a", 1)]
    assert machine.hands == []
    assert machine.queue.deleted == 1
    assert machine.reached == set()
    expected = ["message 1 is sent: a", "received: message 1", "the consumer handles message 1", "message 1 is deleted"]
    assert lines(machine) == expected
    machine.teardown()
    assert lines(machine)[4:] == ["from here on nothing goes wrong"]


@pytest.mark.parametrize("kind", [Standard, Fifo])
def test_a_crash_loses_what_is_in_hand_and_makes_a_new_consumer(kind: Any) -> None:
    machine = kind()
    machine.begin(["a", "b"], 10)
    before = machine.consumer
    machine.crash(0, 0)
    assert machine.world == [("a", 1)]
    assert machine.hands == []
    assert machine.consumer is not before
    assert machine.consumer.lines is machine.world
    assert machine.queue.in_flight == 2
    assert machine.reached == {"crash"}
    machine.teardown()
    assert machine.now == 30
    assert Counter(machine.world) == {("a", 1): 1, ("a", 2): 1, ("b", 2): 1}


def test_a_crash_comes_at_the_crash_point_that_it_says() -> None:
    steps: list[int] = []

    class Walking(QueueMachine):
        def consume(self, delivery: Delivery) -> None:  # noqa: ARG002 - only its steps matter
            for step in range(2):
                steps.append(step)
                self.crash_point("after", step)

    for after, expected in ((0, [0]), (1, [0, 1]), (2, [0, 1])):
        machine = with_one_in_hand(Walking)
        steps.clear()
        machine.crash(0, after)
        assert steps == expected
    machine.crash_point()  # without a crash it is nothing
    machine.fuse = 0
    with pytest.raises(Crash):
        machine.crash_point()


@pytest.mark.parametrize("kind", [Standard, Fifo])
def test_a_redelivery_leaves_the_first_delivery_in_hand(kind: Any) -> None:
    machine = with_one_in_hand(kind)
    machine.redeliver(0)
    assert machine.now == 30
    assert [repr(held) for held in machine.hands] == ["<message 1>", "<message 1, receive 2>"]
    assert machine.reached == {"redelivery"}
    machine.elapse(5)
    machine.redeliver(0)  # its timeout has passed long since
    assert machine.now == 35
    assert len(machine.hands) == 2


def test_a_late_delete_works_on_a_standard_queue_and_not_on_a_fifo_queue() -> None:
    machine = with_one_in_hand(Standard)
    machine.late(0)
    assert machine.now == 30
    assert machine.queue.deleted == 1
    assert machine.reached == {"expired handle"}
    machine = with_one_in_hand(Fifo)
    machine.late(0)
    assert machine.queue.deleted == 0
    assert lines(machine)[-1] == "message 1 is not deleted: its handle has expired"
    machine.teardown()
    assert machine.world == [("a", 1), ("a", 2)]


@pytest.mark.parametrize("kind", [Standard, Fifo])
def test_a_message_that_is_given_back_is_received_at_once(kind: Any) -> None:
    machine = with_one_in_hand(kind)
    machine.nack(0)
    assert machine.hands == []
    machine.receive(1, False)
    assert [repr(held) for held in machine.hands] == ["<message 1, receive 2>"]
    assert machine.reached == {"nack", "redelivery"}


def test_a_heartbeat_keeps_a_message_hidden() -> None:
    machine = with_one_in_hand(Standard)
    machine.extend(0, 60.0)
    assert machine.hands[0].until == 60
    assert machine.deadlines() == [0, 30, 60]
    machine.advance(nextafter(60, 0))
    machine.receive(10, False)
    assert len(machine.hands) == 1
    machine.advance(60.0)
    machine.receive(10, False)
    assert len(machine.hands) == 2
    assert lines(machine)[2] == "message 1 stays hidden for 60 s from now"


def test_a_heartbeat_after_the_timeout_is_refused_by_a_fifo_queue() -> None:
    machine = with_one_in_hand(Fifo)
    machine.advance(30.0)
    machine.extend(0, 60.0)
    assert machine.hands[0].until == 30
    assert machine.reached == {"expired handle"}
    assert len(lines(machine)) == 2


@pytest.mark.parametrize("kind", [Standard, Fifo])
def test_a_message_that_is_given_back_too_often_is_dead_lettered(kind: Any) -> None:
    machine = with_one_in_hand(kind)
    machine.dead_letter(0)
    assert machine.reached == {"nack", "redelivery", "dead letter"}
    assert [message.body for message in machine.dead_letters()] == ["a"]
    assert machine.completed() == []
    assert lines(machine)[-1] == "1 dead-lettered"
    machine.teardown()
    assert machine.world == []


def test_giving_back_ends_after_some_time() -> None:
    machine = with_one_in_hand(Standard, redrive=ms.Redrive(to="dead", max_receive_count=1_000))
    machine.dead_letter(0)
    assert machine.queue.received == 11
    assert machine.dead_letters() == []


def test_without_a_dead_letter_queue_there_are_no_dead_letters() -> None:
    machine = with_one_in_hand(Standard, visibility_timeout=5)
    assert machine.dead_letters() == []
    assert machine.completed() == machine.sent


def test_a_patient_consumer_waits_for_the_next_deadline() -> None:
    machine = with_one_in_hand(Standard)
    machine.receive(10, True)
    assert machine.now == 30
    assert len(machine.hands) == 2
    machine = with_one_in_hand(Standard)
    machine.process(0)
    machine.advance(40.0)
    machine.receive(10, True)
    assert machine.now == 40


def test_the_in_flight_limit_is_no_failure() -> None:
    machine = with_one_in_hand(Standard, max_in_flight=1)
    machine.send(["b"], None)
    machine.receive(10, False)
    assert len(machine.hands) == 1
    assert machine.reached == {"in-flight limit"}
    machine.teardown()
    assert machine.world == [("a", 1), ("b", 1)]


def test_messages_may_come_late_and_be_sent_by_the_consumer_itself() -> None:
    class Chain(QueueMachine):
        def consume(self, delivery: Delivery) -> None:
            if delivery.body == "a":
                self.queue.send("more", self.now)

    machine = with_one_in_hand(Chain)
    machine.send(["b"], 5.0)
    assert 5.0 in machine.deadlines()
    machine.teardown()
    assert machine.now == 5
    assert "received: message 3" in lines(machine)


def test_a_duplicate_is_one_more_delivery_that_changes_nothing() -> None:
    machine = with_one_in_hand(Standard)
    machine.duplicate(0)
    assert machine.world == [("a", 2)]
    assert machine.queue.counts(0.0) == (0, 1, 0)
    machine.process(0)
    machine.duplicate(0)
    assert machine.world == [("a", 2), ("a", 1), ("a", 2)]
    assert machine.queue.deleted == machine.queue.received == 1
    assert machine.reached == {"duplicate"}
    assert lines(machine)[-1] == "the consumer handles a duplicate of message 1"


def test_what_was_never_delivered_has_no_duplicate() -> None:
    machine = QueueMachine.using(Log, world=lambda _: [], queue=ms.Queue(delay=5))()
    machine.begin(["a"], 10)
    machine.duplicate(0)
    assert machine.world == []
    assert machine.reached == set()


def test_a_duplicate_that_the_consumer_does_not_want_deleted_is_left() -> None:
    machine = QueueMachine.using(lambda _: lambda _: False)()
    machine.begin(["a"], 10)
    machine.duplicate(0)
    assert lines(machine)[-1] == "the consumer handles a duplicate of message 1"
    assert machine.queue.counts(0.0) == (0, 1, 0)


# ---------------------------------------------------------------- rules of FIFO queues


def test_a_group_is_handled_in_order_and_blocks_what_comes_after() -> None:
    machine = Fifo()
    machine.begin(["a", "b"], 10)
    machine.send(["c"], "g")
    machine.send(["d"], "h")
    machine.receive(10, False)
    assert machine.reached == {"blocked group"}
    assert [repr(held) for held in machine.in_turn()] == ["<message 1>", "<message 4>"]
    machine.process(0)
    assert [repr(held) for held in machine.in_turn()] == ["<message 2>", "<message 4>"]


def test_what_is_given_back_takes_the_rest_of_its_group_along() -> None:
    machine = Fifo()
    machine.begin(["a", "b"], 10)
    machine.send(["c"], "h")
    machine.receive(10, False)
    machine.nack(0)
    assert [repr(held) for held in machine.hands] == ["<message 3>"]
    machine.teardown()
    assert [body for body, _ in machine.world] == ["c", "a", "b"]


def test_a_repeated_send_is_dropped_within_its_time() -> None:
    machine = with_one_in_hand(Fifo)
    machine.advance(nextafter(300, 0))
    machine.resend(0)
    assert machine.queue.deduplicated == 1
    assert machine.reached == {"deduplicated"}
    machine.advance(300.0)
    machine.resend(0)
    assert machine.queue.sent == 1


def test_at_the_in_flight_limit_no_group_is_blocked() -> None:
    machine = with_one_in_hand(Fifo, fifo=True, max_in_flight=1)
    machine.send(["b"], "h")
    machine.receive(10, False)
    assert machine.reached == set()


# ---------------------------------------------------------------- what a consumer can say


def test_failures_leave_the_message_to_its_timeout_and_other_exceptions_fail_the_test() -> None:
    class Shop(QueueMachine):
        failures = (ConnectionError,)

        def start(self) -> None:
            self.calls = 0

        def consume(self, delivery: Delivery) -> None:
            self.calls += 1
            if self.calls == 1:
                raise ConnectionError(delivery.body)
            if delivery.body == "b":
                raise ValueError(delivery.body)

    machine = with_one_in_hand(Shop)
    machine.process(0)
    assert lines(machine)[-1] == "which fails: ConnectionError('a')"
    machine.teardown()
    assert machine.calls == 2
    machine.calls = 0
    machine.send(["c"], None)
    machine.receive(10, False)
    machine.crash(0, 3)
    machine.send(["b"], None)
    with pytest.raises(ValueError, match="b"):
        machine.teardown()


def test_a_message_that_must_not_be_deleted_comes_again() -> None:
    machine = QueueMachine.using(lambda _: lambda _: False)()
    machine.begin(["a"], 10)
    machine.teardown()
    assert machine.queue.dead_lettered == 1
    assert machine.now == 150  # five receives, by `declaration`


def test_a_queue_that_never_empties_is_left_alone() -> None:
    settled: list[Any] = []
    kind = QueueMachine.using(lambda _: lambda _: False, queue=ms.Queue(), settled=settled.append)
    machine = kind()
    machine.begin(["a"], 10)
    machine.teardown()
    assert machine.queue.received > 500
    assert settled == []


def test_a_consumer_may_be_slow() -> None:
    class Slow(QueueMachine):
        def consume(self, delivery: Delivery) -> None:
            if delivery.receive_count == 1:
                self.elapse(31)

    machine = with_one_in_hand(Slow)
    machine.process(0)
    assert machine.reached == {"expired handle"}
    assert machine.now == 31


def test_a_machine_of_a_function_says_whose_it_is() -> None:
    def polite(_world: object) -> Any:
        return lambda _: None

    kind = QueueMachine.using(polite, queue=ms.Queue(delay=5))
    assert kind.__name__ == "politeQueueMachine"
    assert kind.declaration.delay == 5
    assert kind().world is None
    assert QueueMachine.declaration.delay == 0


def cut_short(machine: Any) -> None:
    try:
        raise StopTest(0)  # as Hypothesis does it
    finally:
        machine.teardown()


def test_the_end_of_an_example_that_hypothesis_cuts_short_is_not_looked_at() -> None:
    machine = with_one_in_hand(Standard)
    with pytest.raises(StopTest):
        cut_short(machine)
    assert len(lines(machine)) == 2


# ---------------------------------------------------------------- bugs are found


class Bank:
    """Charges, and whom they were for; a crash may follow each step."""

    def __init__(self, machine: Any) -> None:
        self.crash_point = machine.crash_point
        self.charged: list[str] = []
        self.seen: set[str] = set()

    def charge(self, payment: str) -> None:
        self.charged.append(payment)
        self.crash_point()

    def record(self, payment: str) -> None:
        self.seen.add(payment)
        self.crash_point()

    def check(self) -> None:
        twice = [payment for payment, count in Counter(self.charged).items() if count > 1]
        assert not twice, f"charged twice: {len(twice)}"


def all_charged(machine: Any) -> None:
    missing = {message.message_id for message in machine.completed()} - {*machine.world.charged}
    assert not missing, f"never charged: {len(missing)}"


class Charger:
    def __init__(self, bank: Bank) -> None:
        self.bank = bank

    def consume(self, delivery: Delivery) -> None:
        if delivery.message_id not in self.bank.seen:
            self.handle(delivery.message_id)

    def handle(self, payment: str) -> None:
        raise NotImplementedError


class Naive(Charger):
    def consume(self, delivery: Delivery) -> None:
        self.bank.charge(delivery.message_id)


class ChargesFirst(Charger):
    def handle(self, payment: str) -> None:
        self.bank.charge(payment)
        self.bank.record(payment)


class RecordsFirst(Charger):
    def handle(self, payment: str) -> None:
        self.bank.record(payment)
        self.bank.charge(payment)


class Forgetful(Charger):
    def __init__(self, bank: Bank) -> None:
        super().__init__(bank)
        self.mine: set[str] = set()

    def consume(self, delivery: Delivery) -> None:
        if delivery.message_id not in self.mine:
            self.mine.add(delivery.message_id)
            self.bank.charge(delivery.message_id)


class Careful(Charger):
    """The bank itself knows what it was asked for: charging and recording are one step."""

    def handle(self, payment: str) -> None:
        self.bank.seen.add(payment)
        self.bank.charge(payment)


def story_of(failure: BaseException) -> list[str]:
    (note,) = [note for note in failure.__notes__ if note.startswith("The story:")]
    return note.splitlines()[1:]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [QueueMachine, FifoMachine])
@pytest.mark.parametrize(
    ("consumer", "failure"),
    [
        (Naive, "charged twice: 1"),
        (ChargesFirst, "charged twice: 1"),
        (RecordsFirst, "never charged: 1"),
        (Forgetful, "charged twice: 1"),
    ],
)
def test_a_bug_is_found_and_told_as_a_short_story(kind: Any, consumer: Any, failure: str) -> None:
    with pytest.raises(AssertionError, match=failure) as raised:
        run(kind.using(consumer, world=Bank, check=Bank.check, settled=all_charged))
    story = story_of(raised.value)
    assert len(story) <= 12
    assert sum("the consumer handles" in line for line in story) <= 3


def test_a_story_begins_with_the_first_send_and_ends_with_what_broke_the_promise() -> None:
    machine = FifoMachine.using(ChargesFirst, world=Bank, check=Bank.check)()
    machine.begin(["a"], 10)
    machine.crash(0, 0)
    machine.process(0)
    told = [
        "message 1 is sent: a",
        "received: message 1",
        "the consumer handles message 1",
        "and crashes at crash point 1",
        "received: message 1, receive 2",
        "the consumer handles message 1, receive 2",
        "message 1, receive 2 is deleted",
    ]
    with pytest.raises(AssertionError, match="charged twice: 1") as raised:
        failing(machine)
    assert [line.partition(" s  ")[2] for line in story_of(raised.value)] == told


def failing(machine: Any) -> None:
    try:
        machine.always()
    finally:
        machine.teardown()  # as Hypothesis does it


def test_what_must_hold_in_the_end_is_asked_of_each_machine() -> None:
    asked: list[QueueMachine] = []
    run(QueueMachine.using(Careful, world=Bank, settled=asked.append), most=3)
    assert asked
    assert all(isinstance(machine.world, Bank) for machine in asked)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [QueueMachine, FifoMachine])
def test_a_careful_consumer_passes(kind: Any) -> None:
    run(kind.using(Careful, world=Bank, check=Bank.check, settled=all_charged), most=100)


@pytest.mark.parametrize("kind", [QueueMachine, FifoMachine])
def test_a_promise_is_looked_at_after_every_step(kind: Any) -> None:
    looked = 0

    class Machine(kind):  # type: ignore[misc]  # made at run time
        def consume(self, delivery: Delivery) -> None:
            pass

        def holds(self) -> None:
            nonlocal looked
            looked += 1
            super().holds()

    run(Machine, most=10)
    assert looked > 100


def test_an_example_is_short_and_the_explanation_is_the_story() -> None:
    chosen = Standard.TestCase.settings
    assert chosen.stateful_step_count == 30
    assert chosen.deadline is None
    assert Phase.shrink in chosen.phases
    assert Phase.explain not in chosen.phases


def test_a_queue_that_loses_messages_is_noticed() -> None:
    class Leaky(ms.StandardQueue):
        def delete(self, receipt_handle: str, now: float) -> None:
            super().delete(receipt_handle, now)
            self.deleted += 1

    class Machine(QueueMachine):
        def make_queue(self) -> ms.StandardQueue:
            return Leaky(self.declaration)

        def consume(self, delivery: Delivery) -> None:
            pass

    with pytest.raises(AuditError, match="is not left"):
        run(Machine)


def test_bodies_are_what_the_test_says() -> None:
    class Numbers(QueueMachine):
        def bodies(self) -> st.SearchStrategy[str]:
            return st.integers(0, 9).map(str)

        def consume(self, delivery: Delivery) -> None:
            assert delivery.body != "7", "seven"

    with pytest.raises(AssertionError, match="seven") as raised:
        run(Numbers)
    assert len(story_of(raised.value)) <= 6


class TestReceivingTwice(Standard.TestCase):  # type: ignore[name-defined,misc]  # made at run time
    """A machine is a test case of its own."""

    settings = settings(Standard.TestCase.settings, max_examples=20)


# ---------------------------------------------------------------- what cannot be


def test_a_machine_needs_a_consumer() -> None:
    with pytest.raises(DeclarationError, match=r"QueueMachine.consumer: None is no function of a delivery, and has no"):
        QueueMachine()
    with pytest.raises(DeclarationError, match=r"LogFifoMachine.consumer: \[\] is no function of a delivery"):
        type("LogFifoMachine", (FifoMachine,), {"make_consumer": lambda _: []})()
    with pytest.raises(DeclarationError, match=r"using.consumer: 'charge' cannot be called with a world"):
        QueueMachine.using("charge")  # type: ignore[arg-type]


def test_a_consumer_that_is_handed_over_instead_of_what_makes_it_is_told_apart() -> None:
    def charge(delivery: Delivery) -> str:
        return delivery.body

    with pytest.raises(AttributeError) as raised:
        QueueMachine.using(charge)()
    expected = (
        "charge was called with the world, to make a consumer; if it is itself a function of a delivery: "
        "using(lambda world: charge)"
    )
    assert raised.value.__notes__ == [expected]
    assert QueueMachine.using(lambda _: charge)().consumer is charge


def test_a_machine_needs_a_queue_of_its_kind() -> None:
    wrong = "using.queue: {} is not allowed; allowed for a {}: a Queue with fifo={}"
    with pytest.raises(DeclarationError, match=wrong.format("fifo=True", "QueueMachine", "False")):
        QueueMachine.using(Log, queue=ms.Queue(fifo=True))
    with pytest.raises(DeclarationError, match=wrong.format("fifo=False", "FifoMachine", "True")):
        FifoMachine.using(Log, queue=ms.Queue())
    with pytest.raises(DeclarationError, match=wrong.format("'queue'", "QueueMachine", "False")):
        QueueMachine.using(Log, queue="queue")  # type: ignore[arg-type]


def test_time_does_not_run_backwards() -> None:
    machine = with_one_in_hand(Standard)
    machine.advance(5.0)
    with pytest.raises(TimeRanBackwards, match=r"LogQueueMachine: time can't go backwards: now=4.0 is earlier"):
        machine.elapse(-1)
    with pytest.raises(TimeRanBackwards):
        machine.go(nan)


# ---------------------------------------------------------------- what is reached


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "states"),
    [
        (Standard, ["crash", "dead letter", "duplicate", "expired handle", "nack", "redelivery"]),
        (Fifo, ["blocked group", "crash", "dead letter", "deduplicated", "expired handle", "nack", "redelivery"]),
    ],
)
def test_interesting_states_are_reached_often(kind: Any, states: list[str]) -> None:
    found = shares(kind, examples=100)
    assert sorted(found) == states
    assert [state for state in states if not found[state] > 0.2] == []


def test_shares_are_the_same_each_time() -> None:
    assert shares(Standard, examples=20) == shares(Standard, examples=20)


def test_what_follows_upon_a_crash_is_not_done() -> None:
    class Tidy(QueueMachine):
        def start(self) -> None:
            self.done: list[str] = []

        def effect(self, name: str) -> None:
            self.crash_point()
            self.done.append(name)

        def consume(self, delivery: Delivery) -> None:
            try:
                self.effect(delivery.body)
            finally:
                self.effect("tidied up")

    machine = with_one_in_hand(Tidy)
    machine.crash(0, 0)
    assert machine.done == []
    machine.crash(0, 1)
    assert machine.done == ["a"]
    machine.process(0)
    assert machine.done == ["a", "a", "tidied up"]
