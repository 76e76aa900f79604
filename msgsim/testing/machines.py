"""Machines that put a consumer behind a queue, on virtual time, and let Hypothesis do to it what queues do.

A consumer is tested by a subclass that says what it does with a delivery and what must hold:

    class Charging(QueueMachine):
        def start(self) -> None:
            self.bank = Bank(after_charge=self.crash_point)  # survives crashes

        def boot(self) -> None:
            self.consumer = Charger(self.bank)  # does not: made anew after each crash

        def consume(self, delivery: Delivery) -> None:
            self.consumer.handle(delivery.body)

        def check(self) -> None:
            assert not self.bank.charged_twice()

    TestCharging = Charging.TestCase  # pytest runs it

or, in one line, by `QueueMachine.using(Charger, world=Bank, check=...)`. The consumer receives in batches, is late,
gives messages back, and crashes: at any `crash_point()` that its surroundings pass, or between its effect and the
delete. The queue redelivers, duplicates and dead-letters. Jumps in time are aimed at deadlines and just beside them. At
the end of an example all that is left is delivered and handled without faults. A failure carries the story of its
example as a note.

An example has 30 steps; `Charging.TestCase.settings` are Hypothesis's settings, as of any of its machines. A subclass
may have rules of its own, made of the steps of `Workbench`.
"""

from contextlib import suppress
from math import inf

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from msgsim.bus.chance import Ghost
from msgsim.bus.fifo import FifoQueue
from msgsim.bus.queue import Queue, Redrive
from msgsim.bus.standard import StandardQueue
from msgsim.quotas import DEDUPLICATION_INTERVAL
from msgsim.testing.invariants import check_order
from msgsim.testing.strategies import points_around
from msgsim.testing.workbench import Crash, Held, Workbench

# What is chosen from is not known before a rule runs: rules draw a number, and take it modulo what there is. So an
# example stays valid when earlier steps are left out of it, and shrinks well.
_which = st.integers(0, 9)
_limits = st.sampled_from([10, 1, 3])
_groups = st.sampled_from(["g", "g", "h", "i"])


def _bodies(most: int) -> st.SearchStrategy[list[str]]:
    return st.runner().flatmap(lambda machine: st.lists(machine.bodies(), min_size=1, max_size=most))


def _moment(machine: Workbench, number: int) -> float:
    moments = points_around(machine.deadlines(), machine.now)
    return moments[number % len(moments)]


class Machine(Workbench):
    """The rules that both kinds of machines have.

    Where a rule needs a delivery and the consumer has none in hand, it receives first, and waits for it.
    """

    @rule(limit=_limits, patient=st.booleans())
    def receive(self, limit: int, patient: bool) -> None:
        """The consumer receives; a patient one waits for the next deadline if there is nothing."""
        if not self.receives(limit) and patient:
            self.go_on()
            self.receives(limit)

    @rule(which=_which)
    def process(self, which: int) -> None:
        """The consumer handles a delivery, and deletes it."""
        for held in self.takes_up(which):
            self.work(held)

    @rule(to=st.builds(_moment, st.runner(), st.integers(0, 15)))
    def advance(self, to: float) -> None:
        """Time passes: to a deadline, just before or after it, or in between."""
        self.go(to)

    @rule(which=_which, after=st.sampled_from([0, 0, 0, 1, 1, 2, 3]))
    def crash(self, which: int, after: int) -> None:
        """The consumer dies while it handles a delivery: after some crash points, or else before the delete.

        With it dies what else it has in hand.
        """
        for held in self.takes_up(which):
            self.reached.add("crash")
            self.tell(f"the consumer handles {held.label}")
            self.fuse = after
            where = "before the delete"
            try:
                with suppress(*self.failures):
                    self.consume(held.delivery)
            except Crash:
                where = f"at crash point {after + 1}"
            finally:
                self.fuse = inf
            self.tell(f"and crashes {where}")
            self.hands.clear()
            self.boot()

    @rule(which=_which)
    def redeliver(self, which: int) -> None:
        """The consumer is slow: a visibility timeout passes, and it receives again while it still has the first one."""
        for held in self.takes_up(which):
            self.go(max(self.now, held.until))
            self.receives()

    @rule(which=_which)
    def late(self, which: int) -> None:
        """The consumer handles a delivery whose timeout has passed, and deletes by its expired handle."""
        for held in self.takes_up(which):
            self.go(max(self.now, held.until))
            self.work(held)

    @rule(which=_which, timeout=st.sampled_from([60.0, 1.0]))
    def extend(self, which: int, timeout: float) -> None:
        """A heartbeat: the consumer asks for more time."""
        for held in self.takes_up(which):
            if self.hides(held, timeout):
                self.tell(f"{held.label} stays hidden for {timeout:g} s from now")

    @rule(which=_which)
    def nack(self, which: int) -> None:
        """The consumer gives a delivery back."""
        for held in self.takes_up(which):
            self.gives_back(held)

    @rule(which=_which)
    def dead_letter(self, which: int) -> None:
        """The consumer gives a message back as often as it comes, until the queue has enough of it."""
        again = self.takes_up(which)
        for _ in range(10):
            for held in again:
                self.gives_back(held)
                message_id = held.delivery.message_id
                again = [each for each in self.receives() if each.delivery.message_id == message_id]


class QueueMachine(Machine):
    """A consumer behind a standard queue.

    Of 1,000 examples with a consumer that never fails, 72 % see a redelivery, 62 % an expired handle, 53 % a message
    that is given back, 49 % a dead letter, 46 % a duplicate and 35 % a crash. `shares` counts them for any machine.
    """

    declaration = Queue(visibility_timeout=30.0, redrive=Redrive(to="dead-letters", max_receive_count=5))
    queue: StandardQueue

    def _send(self, bodies: list[str], delay: float | None) -> None:
        for body in bodies:
            message = self.queue.send(body, self.now, delay=delay)
            self.sends(message, self.queue.delay if delay is None else delay)

    @initialize(bodies=_bodies(5), limit=_limits)
    def begin(self, bodies: list[str], limit: int) -> None:
        """There is something to do from the start."""
        self._send(bodies, None)
        self.receives(limit)

    @rule(bodies=_bodies(3), delay=st.sampled_from([None, None, None, 5.0]))
    def send(self, bodies: list[str], delay: float | None) -> None:
        """A producer sends."""
        self._send(bodies, delay)

    @rule(which=_which)
    def duplicate(self, which: int) -> None:
        """The queue delivers once more what is in flight or deleted already, and it is handled (SQS-DUP-1)."""
        known = self.known()
        if not known:
            return
        held = known[which % len(known)]
        self.reached.add("duplicate")
        ghost = Ghost(held.delivery.message)
        ghost.appear()
        copy = self.label(self.queue.deliver(ghost, self.now), inf)
        copy.label = f"a duplicate of {held.label}"
        if self.handles(copy):
            self.queue.delete(copy.delivery.receipt_handle, self.now)  # no error, and no effect either


class FifoMachine(Machine):
    """A consumer behind a FIFO queue; it handles the messages of a group in their order.

    What it cannot handle, and so what it gives back, ends its work on the rest of that group. Producers send again when
    they lost the response, and the queue drops that (FIFO-DUP-2).

    Of 1,000 examples with a consumer that never fails, 79 % see a redelivery, 64 % a dead letter, 61 % an expired
    handle, 56 % a message that is given back, 46 % a repeated send, 42 % a crash and 40 % a blocked group.
    """

    declaration = Queue(fifo=True, visibility_timeout=30.0, redrive=Redrive(to="dead-letters", max_receive_count=5))
    queue: FifoQueue

    def in_turn(self) -> list[Held]:
        """Of each group the first delivery in hand."""
        first: dict[str | None, Held] = {}
        for held in self.hands:
            first.setdefault(held.delivery.group_id, held)
        return list(first.values())

    def gives_up(self, held: Held) -> None:
        """The rest of the group in hand must not overtake: it is dropped, and waits out its timeout."""
        self.hands = [each for each in self.hands if each.delivery.group_id != held.delivery.group_id]

    def receives(self, limit: int = 10) -> list[Held]:
        """Receive into the hands of the consumer."""
        received = super().receives(limit)
        if len(received) < limit and self.queue.visible and self.queue.in_flight < self.queue.max_in_flight:
            self.reached.add("blocked group")
        return received

    def _send(self, bodies: list[str], group: str) -> None:
        for body in bodies:
            unique = str(len(self.sent) + 1)
            message = self.queue.send(body, self.now, group_id=group, deduplication_id=unique)
            self.sends(message, self.queue.delay)

    @initialize(bodies=_bodies(5), limit=_limits)
    def begin(self, bodies: list[str], limit: int) -> None:
        """There is something to do from the start."""
        self._send(bodies, "g")
        self.receives(limit)

    @rule(bodies=_bodies(3), group=_groups)
    def send(self, bodies: list[str], group: str) -> None:
        """A producer sends."""
        self._send(bodies, group)

    @rule(which=_which)
    def resend(self, which: int) -> None:
        """A producer did not get the response, and sends again in time; nothing comes of it (FIFO-DUP-2)."""
        number = which % len(self.sent)
        message = self.sent[number]
        if self.now < message.sent_at + DEDUPLICATION_INTERVAL.low:
            self.reached.add("deduplicated")
            group = getattr(message, "group_id", None)
            self.queue.send(message.body, self.now, group_id=group, deduplication_id=str(number + 1))

    def holds(self) -> None:
        """The consumer's promise, and the queue's own."""
        super().holds()
        check_order(self.queue)
        check_order(self.deliveries)
