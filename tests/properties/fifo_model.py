"""What a FIFO queue does, written as simply as it can be: lists, scanned whole at every question.

The books are those of the model of a standard queue; order, blocking, deduplication and attempts are its own.
"""

from hashlib import sha256
from math import inf
from typing import Any

from tests.properties.model import Item, ModelQueue, Refused, Ticket

FIVE_MINUTES = 300.0


class FifoItem(Item):
    """A message in a FIFO queue of the model."""

    def __init__(self, sequence: int, body: str, group: str, arrived_at: float) -> None:
        super().__init__(sequence, body, arrived_at, arrived_at)
        self.sequence = sequence
        self.group = group
        self.changes = 0


class Attempt:
    """A receive with an id: what it returned, how often their visibility had been changed then, and when it was."""

    def __init__(self, tickets: list[Ticket], at: float) -> None:
        self.tickets = tickets
        self.changes = [ticket.item.changes for ticket in tickets]
        self.at = at


class FifoModel(ModelQueue):
    """A FIFO queue without any index. Groups take turns: `turns` are those that can be served, in order."""

    def __init__(self, *, look_ahead: int = 120_000, scope: str = "queue", **settings: Any) -> None:
        super().__init__(**settings)
        self.look_ahead = look_ahead
        self.scope = scope
        self.turns: list[str] = []
        self.coming: list[tuple[float, int, str]] = []
        self.memory: list[tuple[Any, FifoItem, float]] = []
        self.attempts: dict[str, Attempt] = {}
        self.sequence = 0
        self.deduplicated = 0

    # what there is

    def tallies(self) -> dict[str, int]:
        return {**super().tallies(), "deduplicated": self.deduplicated}

    def of(self, group: str) -> list[Any]:
        return [item for item in self.items if item.group == group]

    def prefix(self, group: str) -> list[Any]:
        """The messages of a group before the first one that is not visible (FIFO-ORD-6)."""
        found = []
        for item in self.of(group):
            if item.state != "visible":
                break
            found.append(item)
        return found

    def line(self) -> list[Item]:
        return [item for group in self.able() for item in self.prefix(group)]

    def able(self) -> list[str]:
        """The groups whose oldest message is visible and among the first that are looked at (FIFO-ORD-8)."""
        seen = self.those("visible")[: self.look_ahead]
        groups = list(dict.fromkeys(item.group for item in self.items))
        return [group for group in groups if self.of(group)[0] in seen]

    def groups_in_flight(self) -> int:
        return len({item.group for item in self.those("in_flight")})

    def age_of_oldest(self, now: float) -> float:
        return max((now - item.arrived_at for item in self.items), default=0.0)

    # turns

    def turn(self, at: float) -> None:
        """Groups that cannot be served leave; those that can come to the tail, at one instant the oldest first."""
        able = self.able()
        self.turns = [group for group in self.turns if group in able]
        self.coming = [entry for entry in self.coming if entry[2] in able]
        known = self.turns + [group for _, _, group in self.coming]
        self.coming += [(at, self.of(group)[0].sequence, group) for group in able if group not in known]

    def line_up(self) -> None:
        self.turns += [group for _, _, group in sorted(self.coming)]
        self.coming = []

    def advance(self, now: float) -> None:
        super().advance(now)
        self.line_up()

    def show(self, item: Item, at: float) -> None:
        super().show(item, at)
        self.turn(at)

    def hide(self, item: Item, state: str, until: float) -> None:
        super().hide(item, state, until)
        self.turn(self.now)

    def leave(self, item: Item, how: str, at: float) -> None:
        super().leave(item, how, at)
        self.turn(at)

    # the verbs, at the time to which the queue has been advanced

    def put(self, body: str, group: str, deduplication_id: str | None) -> FifoItem:
        self.advance(self.now)
        given = sha256(body.encode()).hexdigest() if deduplication_id is None else deduplication_id
        key = given if self.scope == "queue" else (given, group)
        for known, item, until in self.memory:
            if known == key and self.now < until:
                self.deduplicated += 1
                return item
        item = self.arrive(body, group)
        self.memory.append((key, item, self.now + FIVE_MINUTES))
        self.came += 1
        if self.delay:
            self.hide(item, "delayed", self.now + self.delay)
        self.turn(self.now)
        self.line_up()
        return item

    def arrive(self, body: str, group: str) -> FifoItem:
        self.sequence += 1
        item = FifoItem(self.sequence, body, group, self.now)
        self.items.append(item)
        return item

    def receive_as(
        self, limit: int, timeout: float | None, wait_time: float | None, attempt_id: str | None
    ) -> list[Ticket]:
        self.advance(self.now)
        wanted = self.visibility_timeout if timeout is None else timeout
        if attempt_id is not None:
            attempt = self.attempts.get(attempt_id)
            if attempt is not None and self.now < attempt.at + FIVE_MINUTES and self.repeat(attempt, wanted):
                return attempt.tickets
        room = self.max_in_flight - len(self.those("in_flight"))
        tickets = self.take(min(limit, max(room, 0)), wanted)
        wait = self.wait_time if wait_time is None else wait_time
        if not tickets and not wait:
            self.empty_receives += 1
        if attempt_id is not None:
            self.attempts.pop(attempt_id, None)
            if tickets:
                self.attempts[attempt_id] = Attempt(tickets, self.now)
        return tickets

    def repeat(self, attempt: Attempt, timeout: float) -> bool:
        """The same messages again, if they are as they were (FIFO-VIS-4)."""
        for ticket, changes in zip(attempt.tickets, attempt.changes, strict=True):
            item: Any = ticket.item
            if item.state == "gone" or item.receive_count != ticket.receive_count or item.changes != changes:
                return False
        back = [ticket.item for ticket in attempt.tickets if ticket.item.state == "visible"]
        if len(self.those("in_flight")) + len(back) > self.max_in_flight:
            return False
        for ticket in attempt.tickets:
            ticket.item.state, ticket.item.until = "in_flight", self.now + timeout
        self.turn(self.now)
        self.line_up()
        return True

    def take(self, limit: int, timeout: float) -> list[Ticket]:
        self.advance(self.now)
        tickets: list[Ticket] = []
        while len(tickets) < limit and self.turns:
            group = self.turns[0]
            for item in self.prefix(group):
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
            self.turns = [other for other in self.turns if other != group]
            self.line_up()
        return tickets

    def dead_letter(self, item: Any) -> None:
        target: Any = self.dead_letter_queue
        self.leave(item, "dead_lettered", self.now)
        target.advance(self.now)
        moved = target.arrive(item.body, item.group)
        moved.number = item.number
        moved.origin_at = item.origin_at
        moved.receive_count = item.receive_count
        target.came += 1
        target.turn(self.now)
        target.line_up()

    def delete(self, ticket: Ticket) -> bool:
        self.advance(self.now)
        if ticket.item.state == "gone":
            return False
        self.demand(ticket)
        self.leave(ticket.item, "deleted", self.now)
        self.line_up()
        return True

    def change_visibility(self, ticket: Ticket, timeout: float) -> None:
        self.advance(self.now)
        if ticket.item.state != "gone":
            self.demand(ticket)
        super().change_visibility(ticket, timeout)
        item: Any = ticket.item
        item.changes += 1
        self.line_up()

    def demand(self, ticket: Ticket) -> None:
        """A receive whose timeout has passed holds nothing any more (FIFO-VIS-1, FIFO-VIS-2)."""
        if ticket.item.state == "visible" or ticket.item.receive_count != ticket.receive_count:
            raise Refused("InvalidParameterValue")

    def purge(self) -> None:
        super().purge()
        self.memory = []

    def set_delay(self, delay: float) -> None:
        """For the messages that wait, too (SQS-DLY-2)."""
        self.advance(self.now)
        self.delay = delay
        for item in self.those("delayed"):
            item.until = item.arrived_at + delay
            if item.until <= self.now:
                self.show(item, self.now)
        self.line_up()
