"""What a standard queue does, written as simply as it can be: one list, scanned whole at every question."""

from math import inf, nextafter
from typing import NamedTuple

CAP = 43_200.0
RECEIVES_BEFORE_BACK = 3


class Refused(Exception):  # noqa: N818 - as in the tree of errors
    """The model's refusal; its argument is the name of the error that the queue has to raise."""


class Ticket(NamedTuple):
    """One receive of one message: what a receipt handle stands for."""

    item: "Item"
    receive_count: int
    received_at: float


class Item:
    """A message in a queue of the model."""

    def __init__(self, number: int, body: str, sent_at: float, arrived_at: float) -> None:
        self.number = number
        self.body = body
        self.sent_at = sent_at
        self.arrived_at = arrived_at
        self.place = arrived_at
        self.state = "visible"
        self.until = inf
        self.receive_count = 0
        self.receives_here = 0
        self.origin_at = sent_at
        self.first_received_at = inf
        self.left_at = inf


class ModelQueue:
    """A standard queue without any index: a message is visible, in flight, delayed, or it has left in some way."""

    def __init__(
        self,
        *,
        visibility_timeout: float = 30.0,
        delay: float = 0.0,
        retention: float = 345_600.0,
        wait_time: float = 0.0,
        max_in_flight: int = 120_000,
        max_receive_count: float = inf,
        dead_letter_queue: "ModelQueue | None" = None,
        attribute_lag: float = 0.0,
        retention_lag: float = 0.0,
    ) -> None:
        self.visibility_timeout = visibility_timeout
        self.delay = delay
        self.retention = retention
        self.wait_time = wait_time
        self.max_in_flight = max_in_flight
        self.max_receive_count = max_receive_count
        self.dead_letter_queue = dead_letter_queue
        self.lags = {False: attribute_lag, True: retention_lag}
        self.changes: list[tuple[float, str, float]] = []
        self.retained_since = -inf
        self.items: list[Item] = []
        self.gone: list[Item] = []
        self.jobs: list[tuple[float, Ticket]] = []
        self.now = -inf
        self.purged_at = -inf
        self.came = 0
        self.received = self.redelivered = self.empty_receives = 0
        self.left = dict.fromkeys(("deleted", "dead_lettered", "expired", "purged"), 0)
        self.sojourns: list[float] = []
        self.waits: list[float] = []
        self.end_to_end: list[float] = []
        self.timeouts = 0
        self.areas = {"visible": 0.0, "in_flight": 0.0, "delayed": 0.0}
        self.accounted_at = 0.0

    # what is there

    def those(self, state: str) -> list[Item]:
        return [item for item in self.items if item.state == state]

    def counts(self) -> tuple[int, int, int]:
        return len(self.those("visible")), len(self.those("in_flight")), len(self.those("delayed"))

    def tallies(self) -> dict[str, int]:
        received = {"received": self.received, "redelivered": self.redelivered, "empty_receives": self.empty_receives}
        return {**received, **self.left}

    def line(self) -> list[Item]:
        """Who is next: oldest first, by number at one instant; after three receives to the back (SQS-RCV-8)."""
        return sorted(self.those("visible"), key=lambda item: (item.place, item.number))

    def next_deadline(self) -> float | None:
        """Timeouts and delays end at their deadline; retention is strict, so it bites a moment after (SQS-RET-1)."""
        deadlines = [item.until for item in self.items if item.state != "visible"]
        deadlines += [at for at, _, _ in self.changes]
        deadlines += [nextafter(item.sent_at + self.retention, inf) for item in self.items]
        return min(deadlines, default=None)

    def age_of_oldest(self, now: float) -> float:
        """Without those that three receives or more have moved to the back (CW-SQS-1)."""
        young = [item for item in self.items if item.receives_here < RECEIVES_BEFORE_BACK]
        return max((now - item.arrived_at for item in young), default=0.0)

    def residence(self, now: float) -> float:
        everyone = self.items + self.gone
        return sum(min(now, item.left_at) - item.arrived_at for item in everyone)

    # time

    def advance(self, now: float) -> None:
        """Let happen what is due, one thing at a time, the earliest first."""
        assert now >= self.now
        while True:
            happenings: list[tuple[float, int, Item | Ticket | None]] = []
            for item in self.items:
                if item.state != "visible" and item.until <= now:
                    happenings.append((item.until, 0, item))
                if item.sent_at + self.retention < now:
                    at = max(item.sent_at + self.retention, item.arrived_at, self.retained_since)
                    happenings.append((at, 1, item))
            happenings += [(at, 2, ticket) for at, ticket in self.jobs if at <= now]
            happenings += [(at, 3, None) for at, _, _ in self.changes if at <= now]
            if not happenings:
                break
            at, kind, what = min(happenings, key=lambda happening: happening[:2])
            self.account(at)
            if what is None:
                self.put_in_force(at)
            elif isinstance(what, Ticket):
                self.jobs.remove((at, what))
                self.end(what, at)
            elif kind == 1:
                self.leave(what, "expired", at)
            else:
                self.show(what, at)
        self.account(now)
        self.now = now

    def put_in_force(self, at: float) -> None:
        """Let the changes of attributes count that are due, the earliest first."""
        self.changes.sort(key=lambda change: change[0])
        _, name, value = self.changes.pop(0)
        setattr(self, name, value)
        if name == "retention":
            self.retained_since = at

    def account(self, at: float) -> None:
        """Integrate the number in each state over time, a rectangle at a time."""
        for state in self.areas:
            self.areas[state] += len(self.those(state)) * (at - self.accounted_at)
        self.accounted_at = at

    def show(self, item: Item, at: float) -> None:
        if item.state == "in_flight":
            self.timeouts += 1
            item.place = at if item.receives_here >= RECEIVES_BEFORE_BACK else item.arrived_at
        item.state = "visible"
        item.until = inf

    def hide(self, item: Item, state: str, until: float) -> None:
        item.state = state
        item.until = until

    def leave(self, item: Item, how: str, at: float) -> None:
        self.items.remove(item)
        self.gone.append(item)
        self.left[how] += 1
        item.state = "gone"
        item.left_at = at
        if how == "deleted":
            self.sojourns.append(at - item.arrived_at)
            self.waits.append(item.first_received_at - item.arrived_at)
            self.end_to_end.append(at - item.origin_at)

    # the verbs, at the time to which the queue has been advanced

    def send(self, number: int, body: str, delay: float | None = None) -> Item:
        self.advance(self.now)
        item = Item(number, body, self.now, self.now)
        self.items.append(item)
        self.came += 1
        wanted = self.delay if delay is None else delay
        if wanted:
            self.hide(item, "delayed", self.now + wanted)
        return item

    def receive(self, limit: int, timeout: float | None = None, wait_time: float | None = None) -> list[Ticket]:
        self.advance(self.now)
        wait = self.wait_time if wait_time is None else wait_time
        room = self.max_in_flight - len(self.those("in_flight"))
        if room <= 0 and not wait:
            raise Refused("OverLimit")
        tickets = self.take(min(limit, max(room, 0)), self.visibility_timeout if timeout is None else timeout)
        if not tickets and not wait:
            self.empty_receives += 1
        return tickets

    def take(self, limit: int, timeout: float) -> list[Ticket]:
        self.advance(self.now)
        tickets: list[Ticket] = []
        for item in self.line():
            if len(tickets) == limit:
                break
            if item.receive_count >= self.max_receive_count:
                self.dead_letter(item)
                continue
            if item.first_received_at < inf:
                self.redelivered += 1
            item.first_received_at = min(item.first_received_at, self.now)
            item.receive_count += 1
            item.receives_here += 1
            self.received += 1
            self.hide(item, "in_flight", self.now + timeout)
            tickets.append(Ticket(item, item.receive_count, self.now))
        return tickets

    def dead_letter(self, item: Item) -> None:
        assert self.dead_letter_queue is not None
        self.leave(item, "dead_lettered", self.now)
        moved = Item(item.number, item.body, item.sent_at, self.now)
        moved.origin_at = item.origin_at
        moved.receive_count = item.receive_count
        self.dead_letter_queue.advance(self.now)
        self.dead_letter_queue.items.append(moved)
        self.dead_letter_queue.came += 1

    def delete(self, ticket: Ticket) -> bool:
        """Only the latest receive deletes; anything else is no error and does nothing (SQS-VIS-6, SQS-VIS-9)."""
        self.advance(self.now)
        if ticket.item.state == "gone" or ticket.item.receive_count != ticket.receive_count:
            return False
        self.leave(ticket.item, "deleted", self.now)
        return True

    def end(self, ticket: Ticket, at: float) -> None:
        """A worker has completed a message."""
        if ticket.item.state != "gone" and ticket.item.receive_count == ticket.receive_count:
            self.leave(ticket.item, "deleted", at)

    def change_visibility(self, ticket: Ticket, timeout: float) -> None:
        """From now on, not added; any handle acts on the present delivery (SQS-VIS-2, SQS-VIS-7)."""
        self.advance(self.now)
        item = ticket.item
        if item.state == "gone" or (timeout and timeout > CAP - (self.now - ticket.received_at)):
            raise Refused("InvalidParameterValue")
        if timeout:
            self.hide(item, "in_flight", self.now + timeout)
        elif item.state == "in_flight":
            self.show(item, self.now)

    def set_attribute(self, name: str, value: float) -> None:
        """After its lag, for the messages that are there and the receives to come; a delay is for later sends."""
        self.advance(self.now)
        self.changes.append((self.now + self.lags[name == "retention"], name, value))
        self.advance(self.now)

    def purge(self) -> None:
        self.advance(self.now)
        if self.now < self.purged_at + 60:
            raise Refused("PurgeQueueInProgress")
        self.purged_at = self.now
        for item in list(self.items):
            self.leave(item, "purged", self.now)
