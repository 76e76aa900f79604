"""A consumer behind a live queue, on virtual time: what a test says about it, and the steps that rules are made of."""

import sys
from collections.abc import Callable, Iterable
from math import inf
from random import Random
from typing import Any, ClassVar, Self, cast

from hypothesis import HealthCheck, Phase, currently_in_test_context, event, settings
from hypothesis import strategies as st
from hypothesis.errors import StopTest, UnsatisfiedAssumption
from hypothesis.stateful import RuleBasedStateMachine, invariant

from msgsim.bus.fifo import FifoQueue
from msgsim.bus.message import Message
from msgsim.bus.queue import LiveQueue, Queue
from msgsim.bus.receipts import Delivery
from msgsim.bus.standard import StandardQueue
from msgsim.errors import DeclarationError, InvalidParameterValue, OverLimit, TimeRanBackwards
from msgsim.testing.driving import handler_of
from msgsim.testing.invariants import check_conservation, check_receive_counts

STEPS = 30
"""Rules that run in an example, unless its settings say otherwise: enough to get into trouble, and few to leave out."""

PATIENCE = 1_000
"""Rounds after which a queue that does not empty is left alone: its consumer never wants some message deleted."""


class Crash(BaseException):
    """The consumer's process dies here; `except Exception` does not catch it.

    A `finally` of the consumer runs all the same, as after no real death: what it does through a fake that has a
    `crash_point()` before its effect is not done.
    """


class Held:
    """A delivery in the hands of the consumer.

    Attributes:
        delivery: what the queue delivered.
        until: the end of its visibility timeout [s].
        label: the number of the message and of the receive, for stories.
    """

    __slots__ = ("delivery", "label", "until")

    def __init__(self, delivery: Delivery, until: float, number: int) -> None:
        self.delivery = delivery
        self.until = until
        again = f", receive {delivery.receive_count}" if delivery.receive_count > 1 else ""
        self.label = f"message {number}{again}"

    def __repr__(self) -> str:
        return f"<{self.label}>"


class Workbench(RuleBasedStateMachine):
    """What machines of all kinds have in common, without their rules. See `machines` for how to use them.

    Attributes:
        declaration: of the queue; a subclass may have another one.
        failures: exceptions of the consumer that mean "could not be handled now": the message waits out its timeout.
            Any other exception fails the test.
        now: the time [s].
        queue: the live queue.
        world: what `make_world` made.
        consumer: what `make_consumer` made.
        sent: the messages that rules have sent so far.
        deliveries: all that the queue delivered, in order; duplicates that a rule hands over are not in it.
        hands: deliveries that the consumer has received and not yet handled.
        story: what happened, a line for each thing.
        reached: which of the interesting states the example has reached.
    """

    declaration: ClassVar[Queue]
    failures: ClassVar[tuple[type[Exception], ...]] = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.TestCase.settings = settings(
            deadline=None,
            suppress_health_check=list(HealthCheck),
            stateful_step_count=STEPS,
            phases=[phase for phase in settings().phases if phase != Phase.explain],  # the story explains more
        )

    def __init__(self) -> None:
        super().__init__()
        self._outer = sys.exception()  # what Hypothesis itself is in the middle of handling, and no failure of ours
        self.now = 0.0
        self.queue = self.make_queue()
        self.sent: list[Message] = []
        self.deliveries: list[Delivery] = []
        self.hands: list[Held] = []
        self.story: list[str] = []
        self.reached: set[str] = set()
        self.fuse: float = inf
        self._numbers: dict[str, int] = {}
        self._latest: dict[str, Held] = {}
        self._alarms: set[float] = set()
        self.world: Any = None
        self.consumer: Any = None
        self.start()
        self.boot()
        if type(self).consume is Workbench.consume:
            handler_of(self.consumer, f"{type(self).__name__}.consumer")

    # ---------------------------------------------------------------- for subclasses

    def make_queue(self) -> LiveQueue:
        """The queue under the consumer, by `declaration`."""
        declared = self.declaration
        return FifoQueue(declared, "queue") if declared.fifo else StandardQueue(declared, "queue", rng=Random(0))

    def bodies(self) -> st.SearchStrategy[str]:
        """What is sent."""
        return st.sampled_from(["a", "b", "c"])

    def make_world(self) -> Any:
        """What survives a crash of the consumer: databases, card services; made once per example."""
        return None

    def make_consumer(self) -> Any:
        """A consumer as it starts: an object with `consume(delivery)`, or a function of a delivery."""
        return None

    def start(self) -> None:
        """Begin an example."""
        self.world = self.make_world()

    def boot(self) -> None:
        """Start the consumer's process: at the beginning, and after each crash."""
        self.consumer = self.make_consumer()

    def consume(self, delivery: Delivery) -> Any:
        """Handle a delivery; False if it must not be deleted. By default that is left to `consumer`."""
        return handler_of(self.consumer, f"{type(self).__name__}.consumer")(delivery)

    def check(self) -> None:
        """What must hold after every step; raises AssertionError if it does not."""

    def settled(self) -> None:
        """What must hold at the end, when faults are over and every message was handled or dead-lettered."""

    @classmethod
    def using(
        cls,
        consumer: Callable[[Any], Any],
        *,
        world: Callable[[Self], Any] | None = None,
        queue: Queue | None = None,
        check: Callable[[Any], None] | None = None,
        settled: Callable[[Self], None] | None = None,
    ) -> type[Self]:
        """A machine for a consumer, without writing a class.

        Args:
            consumer: called with the world, at the start and after each crash; makes an object with
                `consume(delivery)`, or a function of a delivery. Of a function that keeps nothing of its own:
                `lambda world: handle`.
            world: called with the machine, whose `crash_point` it may want; makes what survives crashes.
            queue: instead of `declaration`.
            check: called with the world after every step; raises AssertionError.
            settled: called with the machine at the end; the same.

        Returns:
            A subclass: `.TestCase` of it is a test, `run_state_machine_as_test` runs it.

        Raises:
            DeclarationError: `consumer` cannot be called, or `queue` is no declaration of a queue of this kind.
        """
        if not callable(consumer):
            raise DeclarationError("using.consumer", f"{consumer!r} cannot be called with a world, to make a consumer")
        declared = cls.declaration if queue is None else queue
        if not isinstance(declared, Queue) or declared.fifo != cls.declaration.fifo:
            given = f"fifo={declared.fifo}" if isinstance(declared, Queue) else repr(queue)
            allowed = f"a Queue with fifo={cls.declaration.fifo}"
            raise DeclarationError("using.queue", f"{given} is not allowed; allowed for a {cls.__name__}: {allowed}")

        def make_consumer(machine: Self) -> Any:
            try:
                return consumer(machine.world)
            except Exception as error:
                name = getattr(consumer, "__name__", "consumer")
                error.add_note(
                    f"{name} was called with the world, to make a consumer; if it is itself a function of a delivery: "
                    f"using(lambda world: {name})"
                )
                raise

        def make_world(machine: Self) -> Any:
            return None if world is None else world(machine)

        def check_world(machine: Self) -> None:
            if check is not None:
                check(machine.world)

        def check_settled(machine: Self) -> None:
            if settled is not None:
                settled(machine)

        members = {
            "__doc__": cls.__doc__,
            "declaration": declared,
            "make_world": make_world,
            "make_consumer": make_consumer,
            "check": check_world,
            "settled": check_settled,
        }
        name = getattr(consumer, "__name__", "")
        return cast("type[Self]", type(f"{name if name.isidentifier() else ''}{cls.__name__}", (cls,), members))

    # ---------------------------------------------------------------- for consumers and their surroundings

    def crash_point(self, *_: object) -> None:
        """A place where the consumer may die: to be called by the fakes that its effects go through.

        Raises:
            Crash: it does.
        """
        if self.fuse <= 0:
            raise Crash
        self.fuse -= 1

    def elapse(self, seconds: float) -> None:
        """Let time pass while the consumer is at work [s].

        Raises:
            TimeRanBackwards: `seconds` is negative.
        """
        self.go(self.now + seconds)

    # ---------------------------------------------------------------- what there is

    def deadlines(self) -> list[float]:
        """When something happens by itself, in order [s]: known from what was sent and received, not from the queue."""
        return sorted(alarm for alarm in self._alarms if alarm >= self.now)

    def in_turn(self) -> list[Held]:
        """The deliveries of which the consumer may handle one next."""
        return self.hands

    def known(self) -> list[Held]:
        """The latest delivery of each message that was ever delivered."""
        return list(self._latest.values())

    def dead_letters(self) -> list[Message]:
        """The messages that were dead-lettered."""
        target = self.queue.dead_letter_queue
        return [] if target is None else sorted(target.live(), key=lambda message: message.number)

    def completed(self) -> list[Message]:
        """The messages that were sent and not dead-lettered: at the end, all that the consumer had to handle."""
        dead = {message.message_id for message in self.dead_letters()}
        return [message for message in self.sent if message.message_id not in dead]

    # ---------------------------------------------------------------- steps that rules are made of

    def tell(self, line: str) -> None:
        """Add to the story."""
        self.story.append(f"{self.now:>12g} s  {line}")

    def go(self, now: float) -> None:
        """Move the clock; TimeRanBackwards if that is back."""
        if not now >= self.now:
            raise TimeRanBackwards.at(type(self).__name__, now, self.now)
        self.now = now

    def go_on(self) -> None:
        """Move the clock to the next deadline, if there is one."""
        self.go(next((alarm for alarm in self.deadlines() if alarm > self.now), self.now))

    def sends(self, message: Message, delay: float) -> None:
        """Note a message that was sent, hidden for `delay` [s]."""
        self.sent.append(message)
        self._numbers[message.message_id] = len(self.sent)
        self._alarms.add(self.now + delay)
        self.tell(f"message {len(self.sent)} is sent: {message.body}")

    def label(self, delivery: Delivery, until: float) -> Held:
        """A delivery as stories call it."""
        return Held(delivery, until, self._numbers.setdefault(delivery.message_id, len(self._numbers) + 1))

    def receives(self, limit: int = 10) -> list[Held]:
        """Receive into the hands of the consumer."""
        dead = self.queue.dead_lettered
        try:
            batch = self.queue.receive(self.now, limit)
        except OverLimit:
            self.reached.add("in-flight limit")
            return []
        if self.queue.dead_lettered > dead:
            self.reached.add("dead letter")
            self.tell(f"{self.queue.dead_lettered - dead} dead-lettered")
        self.deliveries += batch
        until = self.now + self.queue.visibility_timeout
        received = [self.label(delivery, until) for delivery in batch]
        for held in received:
            self._latest[held.delivery.message_id] = held
            if held.delivery.receive_count > 1:
                self.reached.add("redelivery")
        if received:
            self._alarms.add(until)
            self.tell(f"received: {', '.join(held.label for held in received)}")
        self.hands += received
        return received

    def takes_up(self, which: int) -> list[Held]:
        """One of the deliveries in hand, or else of those that come next, be it by waiting; none if none comes."""
        if not self.hands and not self.receives():
            self.go_on()
            self.receives()
        ready = self.in_turn()
        return [ready[which % len(ready)]] if ready else []

    def handles(self, held: Held) -> bool:
        """Have the consumer handle a delivery; whether it may be deleted then."""
        self.tell(f"the consumer handles {held.label}")
        try:
            return self.consume(held.delivery) is not False
        except self.failures as failure:
            self.tell(f"which fails: {failure!r}")
            return False

    def deletes(self, held: Held) -> None:
        """Delete by the handle of a delivery."""
        self._note_expiry(held)
        try:
            self.queue.delete(held.delivery.receipt_handle, self.now)
        except InvalidParameterValue:
            self.tell(f"{held.label} is not deleted: its handle has expired")
        else:
            self.tell(f"{held.label} is deleted")

    def hides(self, held: Held, timeout: float) -> bool:
        """Change the visibility by the handle of a delivery; whether the queue agreed."""
        self._note_expiry(held)
        try:
            self.queue.change_visibility(held.delivery.receipt_handle, timeout, self.now)
        except InvalidParameterValue:
            return False
        held.until = self.now + timeout
        self._alarms.add(held.until)
        return True

    def _note_expiry(self, held: Held) -> None:
        if self.now >= held.until:
            self.reached.add("expired handle")

    def gives_back(self, held: Held) -> None:
        """Make a delivery visible again at once."""
        self.reached.add("nack")
        self.tell(f"{held.label} is given back")
        self.hands.remove(held)
        self.hides(held, 0.0)
        self.gives_up(held)

    def gives_up(self, held: Held) -> None:
        """What follows from a delivery that the consumer did not handle."""

    def work(self, held: Held) -> None:
        """Have the consumer handle a delivery, and delete it by its handle."""
        self.hands.remove(held)
        if self.handles(held):
            self.deletes(held)
        else:
            self.gives_up(held)

    def settle(self) -> None:
        """Deliver and handle all that is left, with no further faults; then look at the end."""
        self.tell("from here on nothing goes wrong")
        for _ in range(PATIENCE):
            while self.hands:
                self.work(self.in_turn()[0])
            if not self.receives():
                if not sum(self.queue.counts(self.now)):
                    self.holds()
                    self.settled()
                    break
                self.go_on()

    # ---------------------------------------------------------------- what is looked at

    @invariant()
    def always(self) -> None:
        """What `holds` says; that is none itself, since Hypothesis forgets an invariant that a subclass overrides."""
        self.holds()

    def holds(self) -> None:
        """The consumer's promise, and the queue's own."""
        self.check()
        check_conservation(self.queue, self.now)
        check_receive_counts(self.queue)
        check_receive_counts(self.deliveries)

    def teardown(self) -> None:
        """Bring an example to its end, say what it reached, and tell its story if it fails."""
        failure = sys.exception()
        if isinstance(failure, (StopTest, UnsatisfiedAssumption)):
            return
        if failure is self._outer:
            failure = None
        try:
            if failure is None:
                self.settle()
        except Exception as error:
            failure = error
            raise
        finally:
            self.note_reached(self.reached)
            if failure is not None:
                failure.add_note("\n".join(["The story:", *self.story]))

    def note_reached(self, reached: Iterable[str]) -> None:
        """Pass on which interesting states the example has reached; Hypothesis shows them with its statistics."""
        if currently_in_test_context():
            for state in sorted(reached):
                event(state)
