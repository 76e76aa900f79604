"""What a standard queue may leave to chance: samples, disorder and duplicates (SQS-RCV-3, SQS-RCV-8, SQS-DUP-1)."""

from collections import deque
from collections.abc import Callable

from msgsim.bus.message import GONE, Message
from msgsim.declare import Sampler


class Ghost(Message):
    """One more delivery of a message: it looks the same, and what becomes of it changes nothing (SQS-DUP-1).

    Attributes:
        original: the message, be it still there or not.
        group_id: the tenant, if it has one.
    """

    __slots__ = ("group_id", "original")

    def __init__(self, original: Message) -> None:
        self.original = original
        self.content = original.content
        self.attributes = original.attributes
        self.number = original.number
        self.arrived_at = original.arrived_at
        self.origin = original.origin
        self.origin_at = original.origin_at
        self.receive_count = original.receive_count
        self.deadline = GONE
        self.first_received_at = original.arrived_at
        self.group_id: str | None = getattr(original, "group_id", None)

    @property
    def sent_at(self) -> float:
        """When the message was first sent [s]."""
        return self.original.sent_at

    def appear(self) -> None:
        """It is delivered: a receive after those that the message has had."""
        self.receive_count = self.original.receive_count + 1
        self.first_received_at = self.original.first_received_at


class Chance:
    """Chooses among messages that stand in order, and remembers which deliveries come twice.

    Attributes:
        random: draws a uniform number.
        sampled, disorder, duplicates: probabilities, see `Queue`.
        short: whether a short poll is looking, which sees a sample only.
        ghosts: what is to be delivered once more, at the next receives.
    """

    __slots__ = ("disorder", "duplicates", "ghosts", "random", "sampled", "short")

    def __init__(self, random: Sampler, *, sampled: float, disorder: float, duplicates: float) -> None:
        self.random = random
        self.sampled = sampled
        self.disorder = disorder
        self.duplicates = duplicates
        self.short = False
        self.ghosts: deque[Ghost] = deque()

    def choose(self, following: Callable[[], Message | None], limit: int) -> tuple[list[Message], list[Message]]:
        """Choose up to `limit` messages.

        Args:
            following: takes the next message out, in order; None if there is none.
            limit: how many are wanted.

        Returns:
            The chosen ones, and those that were taken out and have to go back.

        Cost: O(limit), of a short poll O(limit / sampled).
        """
        random = self.random
        sampled = self.sampled if self.short else 1.0
        disorder = self.disorder
        chosen: list[Message] = []
        back: list[Message] = []
        patient: Message | None = None  # it is its turn, but it lets those behind it pass
        while len(chosen) < limit:
            message = following()
            if message is None:
                break
            if sampled < 1.0 and random() >= sampled:
                back.append(message)
                continue
            if patient is None:
                patient = message
            else:
                chosen.append(message)
            if len(chosen) < limit and not (disorder and random() < disorder):
                chosen.append(patient)
                patient = None
        if patient is not None:
            (chosen if len(chosen) < limit else back).append(patient)
        if self.duplicates:
            self.ghosts.extend(Ghost(message) for message in chosen if random() < self.duplicates)
        return chosen, back

    def appear(self, limit: int, oldest: float) -> list[Message]:
        """The duplicates that are delivered now, up to `limit`, without those sent before `oldest` [s] (SQS-RET-1)."""
        ghosts = self.ghosts
        batch: list[Message] = []
        while ghosts and len(batch) < limit:
            ghost = ghosts.popleft()
            if ghost.sent_at >= oldest:
                ghost.appear()
                batch.append(ghost)
        return batch
