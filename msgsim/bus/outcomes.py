# Hot path: `Outcomes.begin` and `attempt` run once per recipient of an outbox with delays or rates.
"""What becomes of recipients of whom nothing is known but how many there are."""

from array import array
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from msgsim.bus.receivers import FIRST_RETRY, LONGEST_RETRY
from msgsim.declare import Sampler
from msgsim.distributions import Uniforms

if TYPE_CHECKING:
    from msgsim.bus.outbox import Outbox, SendingAccount

NO_TIME_LEFT = 0
COMPLAINT = -1
"""Steps of a recipient beside the attempts, which are numbered from 1."""

QUOTA_REVIEW = -2
"""A step of an account: a look at its quotas (SES-QUO-6)."""


class Books:
    """Counts of what became of recipients.

    Attributes:
        delivered: got the email.
        bounced: did not: `hard_bounced` do not exist, `soft_bounced` were given up.
        complained: got it and complained.
        pending: accepted, and neither delivered nor bounced yet.
        suppressed: accepted, but not sent to, being on a suppression list.
        infected: of emails that were accepted and then found to carry a virus (SES-SND-9).
        rendering_failed: of emails that were accepted and then lacked data for their template (SES-SND-6).
        delayed: could not be delivered for so long that the outbox says so (SES-BNC-3).
        returned: got it, as it seemed, and the receiver sent it back; they are among `delivered` (SES-EVT-7).
        auto_replied: got it, and something answered by itself (SES-EVT-8).
        opened, clicked: how often an email was opened, and a link in it followed.
        end_to_end: origin to delivery [s] of each delivered recipient, in order of delivery.
    """

    __slots__ = (
        "auto_replied",
        "bounced",
        "clicked",
        "complained",
        "delayed",
        "delivered",
        "end_to_end",
        "hard_bounced",
        "infected",
        "opened",
        "pending",
        "rendering_failed",
        "returned",
        "soft_bounced",
        "suppressed",
    )

    def __init__(self) -> None:
        self.delivered = self.pending = self.suppressed = self.infected = self.rendering_failed = 0
        self.bounced = self.hard_bounced = self.soft_bounced = self.complained = 0
        self.delayed = self.returned = self.auto_replied = self.opened = self.clicked = 0
        self.end_to_end = array("d")

    @property
    def accounted(self) -> int:
        """All recipients of accepted emails, by what has become of them."""
        return self.delivered + self.bounced + self.pending + self.suppressed + self.infected + self.rendering_failed


Step = tuple[float, int, int, Any, float]
"""What is due: when [s], in which order at one instant, which step, since when or for whom, and its origin's time."""


class Outcomes:
    """Deliveries, bounces and complaints by chance alone, recipient by recipient.

    Args:
        outbox: with its delays and rates.
        books: where they are counted.
        rng: uniform random numbers.

    Attributes:
        events: what is due, a heap.
        serial: of the latest of them.
    """

    __slots__ = (
        "_books",
        "_draw_complaint_delay",
        "_draw_delivery_delay",
        "_outbox",
        "_rng",
        "events",
        "serial",
    )

    bound = frozenset({"_draw_complaint_delay", "_draw_delivery_delay"})
    """Slots that are bound to the random numbers of one object, and made again in its copy."""

    def __init__(self, outbox: "Outbox", books: Books, rng: Uniforms) -> None:
        self.events: list[Step] = []
        self._outbox = outbox
        self._books = books
        self._rng = rng
        self.serial = 0
        self._bind()

    def _bind(self) -> None:
        """Make the samplers, which are bound to this object's random numbers."""
        delivery, complaint = self._outbox.delivery_delay, self._outbox.complaint_delay
        self._draw_delivery_delay: Sampler | None = delivery.sampler(self._rng) if delivery else None
        self._draw_complaint_delay: Sampler | None = complaint.sampler(self._rng) if complaint else None

    def _slots(self) -> list[str]:
        return [slot for kind in type(self).__mro__ for slot in getattr(kind, "__slots__", ())]

    def __getstate__(self) -> dict[str, Any]:
        """All but the samplers, which are made again."""
        return {slot: getattr(self, slot) for slot in self._slots() if slot not in self.bound}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for slot, value in state.items():
            setattr(self, slot, value)
        self._bind()

    def begin(self, recipients: int, now: float, origin_at: float) -> None:
        """Begin the deliveries of an accepted email."""
        self._books.pending += recipients
        delay = self._draw_delivery_delay
        for _ in range(recipients):
            self._plan_attempt(now + delay() if delay else now, 1, now, origin_at)
        self.settle(now)

    def settle(self, now: float) -> None:
        """Do what is due by `now`, in order."""
        events = self.events
        while events and events[0][0] <= now:
            at, _, step, subject, origin_at = heappop(events)
            self._do(at, step, subject, origin_at)

    def awaited(self) -> int:
        """How many recipients wait for their outcome. Cost: O(events)."""
        return sum(step > COMPLAINT for _, _, step, _, _ in self.events)

    def plan_review(self, at: float, account: "SendingAccount") -> None:
        """Let the account look at its quotas at `at` [s]."""
        self._plan(at, QUOTA_REVIEW, account, at)

    def _plan(self, at: float, step: int, subject: Any, origin_at: float) -> None:
        self.serial += 1
        heappush(self.events, (at, self.serial, step, subject, origin_at))

    def _plan_attempt(self, at: float, attempt: int, accepted_at: float, origin_at: float) -> None:
        gives_up_at = accepted_at + self._outbox.max_delivery_time
        if at < gives_up_at:
            self._plan(at, attempt, accepted_at, origin_at)
        else:
            self._plan(gives_up_at, NO_TIME_LEFT, accepted_at, origin_at)

    def _do(self, at: float, step: int, subject: Any, origin_at: float) -> None:
        books = self._books
        if step == COMPLAINT:
            books.complained += 1
        elif step == NO_TIME_LEFT:
            books.soft_bounced += 1
            books.bounced += 1
            books.pending -= 1
        elif step == QUOTA_REVIEW:
            subject.review_quotas(at)
        else:
            self._attempt(at, step, subject, origin_at)

    def _attempt(self, at: float, attempt: int, accepted_at: float, origin_at: float) -> None:
        """One delivery attempt: the recipient does not exist, cannot take it now, or gets it."""
        outbox, books = self._outbox, self._books
        if attempt == 1 and self._happens(outbox.bounce_rate):
            books.hard_bounced += 1
            books.bounced += 1
            books.pending -= 1
        elif self._happens(outbox.soft_bounce_rate):
            pause = min(FIRST_RETRY * 2.0 ** (attempt - 1), LONGEST_RETRY)
            self._plan_attempt(at + pause, attempt + 1, accepted_at, origin_at)
        else:
            books.delivered += 1
            books.pending -= 1
            books.end_to_end.append(at - origin_at)
            if self._happens(outbox.complaint_rate):
                delay = self._draw_complaint_delay
                self._plan(at + delay() if delay else at, COMPLAINT, accepted_at, origin_at)

    def _happens(self, probability: float) -> bool:
        return probability > 0 and self._rng.random() < probability
