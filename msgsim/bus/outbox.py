# Hot path: `SendingAccount.try_send` runs once per email; the rest runs at the edge or once per outcome.
"""Outboxes: how many emails a sending account may send, and what becomes of them."""

from array import array
from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush
from itertools import repeat
from math import inf
from typing import TYPE_CHECKING, Any

import attrs

from msgsim.bus.mail import Email, EmailContent, Record, SentMail, check_email, is_domain, parse_address
from msgsim.bus.message import EPOCH, format_id, id_base
from msgsim.declare import (
    HOUR,
    MINUTE,
    Sampler,
    check_epoch,
    check_name,
    check_not_ahead,
    check_now,
    flag,
    listed,
    number,
    text,
)
from msgsim.distributions import Distribution, Fixed, Uniforms, as_distribution, refuse_duration
from msgsim.errors import (
    AuditError,
    BusError,
    DeclarationError,
    InvalidParameterValue,
    MessageRejected,
    SendingPaused,
    Throttled,
    TimeRanBackwards,
)
from msgsim.quotas import MAX_DELIVERY_TIME, QUOTA_WINDOW, SANDBOX_24_HOUR_SEND, SANDBOX_SEND_RATE

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Email", "Outbox", "SendingAccount"]

BURST_SECONDS = 1.0
"""The tolerated burst unless it is given: so many seconds' worth of the sending rate [s] (SES-QUO-4: unpublished)."""

RATE_TOLERANCE = 1e-6
"""So much of a recipient may be missing in the bucket, so that a stream at exactly the rate is not refused because its
time stamps are rounded. Stamps after a week carry 1.2e-10 s, that is 1e-7 of a recipient at 1,000 per second. What was
tolerated is owed, so it never adds up."""

FIRST_RETRY = MINUTE
"""Pause after the first soft bounce [s]; it doubles at each further one (SES-BNC-2: unpublished)."""

LONGEST_RETRY = HOUR
"""The longest pause between delivery attempts [s] (SES-BNC-2: unpublished)."""

MAILBOX_SIMULATOR = "simulator.amazonses.com"

Refusal = tuple[type[BusError], str]
OVER_RATE: Refusal = (Throttled, "Maximum sending rate exceeded")
OVER_DAILY_QUOTA: Refusal = (Throttled, "Daily message quota exceeded")
NOT_REFUSED: Refusal = (BusError, "nothing has been refused")
PAUSED: Refusal = (SendingPaused, "Email sending is paused for this account")

_NO_TIME_LEFT = 0
_COMPLAINT = -1


class _NoChance:
    """Stands in for the random numbers that a fixed delay takes without looking."""

    def random(self) -> float:
        return 0.0


def _check_delay(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if value is not None:
        path = f"{type(owner).__name__}.{attribute.name}"
        refuse_duration(path, value, "is neither a number of seconds nor a distribution")


def _probability(rule: str) -> Any:
    return number(0.0, high=1, unit="probability", rule=rule)


@attrs.frozen(kw_only=True)
class Outbox:
    """A sending account: its quotas, and how its emails fare. Everything is counted in recipients (SES-QUO-2).

    Args:
        max_send_rate: sustained rate [recipients/s]; None for no limit (SES-QUO-4).
        burst: what may be sent at once on top of it [recipients]; None for one second's worth, at least 1 (SES-QUO-4).
        max_24_hour_send: quota for each 24 hours [recipients]; None for no limit (SES-QUO-3).
        sandbox: 1 recipient/s and 200 in 24 hours unless given otherwise, and only to `verified` addresses and the
            mailbox simulator (SES-QUO-1). The sender counts as verified.
        delivery_delay: acceptance to the first delivery attempt [s], a distribution or a number, drawn per recipient;
            None for delivery at once.
        bounce_rate: probability that a recipient does not exist: found at the first attempt, not retried (SES-BNC-1).
        soft_bounce_rate: probability that an attempt fails for the moment; the next ones follow after 1, 2, 4 ... and
            at most 60 minutes (SES-BNC-2).
        complaint_rate: probability that a recipient who got the email complains.
        complaint_delay: delivery to complaint [s], a distribution or a number; None for at once.
        max_delivery_time: acceptance to giving up on a recipient [s] (SES-BNC-2).
        records: keep the latest emails for inspection.
        record_limit: how many of them [emails].
        sender: address, for emails that name none.
        verified: addresses, and domains with all that is below them (SES-IDN-1); read in the sandbox only.

    Raises:
        DeclarationError: a value is not allowed; says which are.
    """

    max_send_rate: float | None = number(None, above=True, unit="recipients/s", rule="SES-QUO-4", optional=True)
    burst: float | None = number(None, low=1, unit="recipients", rule="SES-QUO-4", optional=True)
    max_24_hour_send: int | None = number(None, low=1, unit="recipients", rule="SES-QUO-3", integer=True, optional=True)
    sandbox: bool = flag()
    delivery_delay: Distribution | None = attrs.field(default=None, converter=as_distribution, validator=_check_delay)
    bounce_rate: float = _probability("SES-BNC-1")
    soft_bounce_rate: float = _probability("SES-BNC-1")
    complaint_rate: float = _probability("SES-EVT-7")
    complaint_delay: Distribution | None = attrs.field(default=None, converter=as_distribution, validator=_check_delay)
    max_delivery_time: float = MAX_DELIVERY_TIME.field()
    records: bool = flag(default=True)
    record_limit: int = number(1_000, low=1, unit="emails", integer=True)
    sender: str = text("no-reply@example.com")
    verified: Sequence[str] = listed(str, "an address or a domain")

    def __attrs_post_init__(self) -> None:
        kind = type(self).__name__
        if self.burst is not None and self.send_rate is None:
            raise DeclarationError(f"{kind}.burst", f"{self.burst!r} needs a max_send_rate to go beyond (SES-QUO-4)")
        _check_identity(f"{kind}.sender", self.sender)
        for position, identity in enumerate(self.verified):
            if not is_domain(identity):
                _check_identity(f"{kind}.verified.{position}", identity)

    @property
    def send_rate(self) -> float | None:
        """The sending rate in force [recipients/s]; None for no limit."""
        return SANDBOX_SEND_RATE.default if self.sandbox and self.max_send_rate is None else self.max_send_rate

    @property
    def burst_size(self) -> float:
        """What a full bucket holds [recipients]; infinite without a sending rate."""
        if self.burst is not None or self.send_rate is None:
            return self.burst or inf
        return max(1.0, self.send_rate * BURST_SECONDS)

    @property
    def daily_quota(self) -> float:
        """The quota in force for each 24 hours [recipients]; infinite for no limit."""
        if self.max_24_hour_send is not None:
            return self.max_24_hour_send
        return SANDBOX_24_HOUR_SEND.high if self.sandbox else inf

    def check_sandbox(self, email: Email) -> None:
        """Refuse what the sandbox does not send.

        Raises:
            MessageRejected: the email cannot be sent at all (SES-SND-3), or not to these recipients (SES-SND-2).

        Source: SES-QUO-1, SES-IDN-1.
        """
        check_email(email)
        known = {_canonical(identity) for identity in self.verified}
        unverified = [address for address in email.recipients if not _covers(known, address)]
        if unverified:
            raise MessageRejected(
                "Email address is not verified. The following identities failed the check in region US-EAST-1: "
                + ", ".join(unverified)
            )


def _check_identity(path: str, written: str) -> None:
    try:
        parse_address(written)
    except MessageRejected as error:
        raise DeclarationError(path, str(error)) from None


def _canonical(identity: str) -> str:
    """An identity as it is compared: the domain in lower case (SES-IDN-1)."""
    if is_domain(identity):
        return identity.lower()
    _, local, domain = parse_address(identity)
    return f"{local}@{domain.lower()}"


def _covers(known: set[str], written: str) -> bool:
    address = _canonical(written)
    domain = address.rpartition("@")[2]
    labels = domain.split(".")
    domains = [".".join(labels[first:]) for first in range(len(labels))]
    return domain == MAILBOX_SIMULATOR or any(identity in known for identity in (address, *domains))


class SendingAccount:
    """An outbox at work.

    Recipients of an accepted email are delivered at once, unless the outbox says otherwise; then each has outcomes that
    come due with time, and `advance` counts them at the time they were due, however late it is called.

    Args:
        outbox: the declaration.
        name: of the account; its ids come from it.
        rng: uniform random numbers; needed if a rate of the outbox is not 0 or a delay is not fixed.
        epoch: time 0 in seconds since 1970, for the `Date` of emails.

    Attributes:
        paused: set it to refuse every email (SES-REP-3).
        refusal: error class and text of the latest refusal by `try_send`.
        accepted: emails accepted.
        recipients_accepted: their recipients. The counts that follow are of recipients, too.
        delivered: got the email.
        bounced: did not: `hard_bounced` do not exist, `soft_bounced` were given up.
        complained: got it and complained.
        pending: accepted, and neither delivered nor bounced yet.
        throttled: of emails refused by rate or quota.
        rejected: of emails refused for what is in them, or while paused.
        suppressed: accepted, but not sent to, being on a suppression list; the outbox has none, so this stays 0.
        end_to_end: origin to delivery [s] of each delivered recipient, in order of delivery.
        sent: the latest accepted emails; empty with `records=False`.
        clock: tells the time beyond which nobody can send [s]; None outside of a simulation.
        on_change: called when the next deadline gets earlier.

    Raises:
        DeclarationError: `rng` is needed and missing.
    """

    __slots__ = (
        "_burst",
        "_daily_quota",
        "_draw_complaint_delay",
        "_draw_delivery_delay",
        "_events",
        "_filled_at",
        "_id_base",
        "_now",
        "_past",
        "_quiet",
        "_rate",
        "_records",
        "_rng",
        "_sandbox",
        "_second",
        "_second_used",
        "_serial",
        "_tokens",
        "_used",
        "accepted",
        "bounced",
        "clock",
        "complained",
        "delivered",
        "end_to_end",
        "hard_bounced",
        "name",
        "on_change",
        "outbox",
        "paused",
        "pending",
        "recipients_accepted",
        "refusal",
        "rejected",
        "sent",
        "soft_bounced",
        "suppressed",
        "throttled",
    )

    def __init__(self, outbox: Outbox, name: str = "ses", *, rng: Uniforms | None = None, epoch: float = EPOCH) -> None:
        if not isinstance(outbox, Outbox):
            raise DeclarationError("SendingAccount.outbox", f"{outbox!r} is not an Outbox")
        check_name("SendingAccount.name", name)
        check_epoch("SendingAccount.epoch", epoch)
        self.outbox = outbox
        self.name = name
        self.paused = False
        self.refusal = NOT_REFUSED
        self.clock: Callable[[], float] | None = None
        self.on_change: Callable[[], None] | None = None
        self.accepted = self.recipients_accepted = self.delivered = self.pending = 0
        self.bounced = self.hard_bounced = self.soft_bounced = self.complained = 0
        self.throttled = self.rejected = self.suppressed = 0
        self.end_to_end = array("d")

        self._id_base = id_base(name)
        self._sandbox = outbox.sandbox
        self._now = -inf
        self._rate = outbox.send_rate
        self._burst = self._tokens = outbox.burst_size
        self._filled_at = -inf
        self._daily_quota = outbox.daily_quota
        self._past: deque[tuple[float, int]] = deque()
        self._second = -inf
        self._second_used = self._used = 0

        records: deque[Record] = deque(maxlen=outbox.record_limit)
        self._records = records if outbox.records else None
        self.sent = SentMail(records, sender=outbox.sender, epoch=epoch)

        chances = (outbox.bounce_rate, outbox.soft_bounce_rate, outbox.complaint_rate)
        self._quiet = outbox.delivery_delay is None and not any(chances)
        self._events: list[tuple[float, int, int, float, float]] = []
        self._serial = 0
        needs_chance = any(chances) or not isinstance(outbox.delivery_delay, Fixed | None)
        if rng is None and needs_chance:
            raise DeclarationError(
                f"{type(self).__name__}.rng",
                f"{name!r} has a rate that is not 0 or a delay that is drawn: pass rng=random.Random(seed)",
            )
        self._rng: Uniforms = rng if rng is not None else _NoChance()
        self._bind_samplers()

    def _bind_samplers(self) -> None:
        delivery, complaint = self.outbox.delivery_delay, self.outbox.complaint_delay
        self._draw_delivery_delay: Sampler | None = delivery.sampler(self._rng) if delivery else None
        self._draw_complaint_delay: Sampler | None = complaint.sampler(self._rng) if complaint else None

    def __getstate__(self) -> dict[str, Any]:
        """All but the samplers, bound to this account's random numbers and made again, and what its driver set."""
        bound = {"_draw_delivery_delay", "_draw_complaint_delay", "clock", "on_change"}
        return {slot: getattr(self, slot) for slot in self.__slots__ if slot not in bound}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for slot, value in state.items():
            setattr(self, slot, value)
        self.clock = self.on_change = None
        self._bind_samplers()

    def send_email(
        self, email: Email, now: float, *, origin_id: int | None = None, origin_at: float | None = None
    ) -> str:
        """Send an email, or refuse it as a whole. Nothing is queued on a refusal, and no quota is used (SES-QUO-5).

        Args:
            email: what to send.
            now: simulated time [s].
            origin_id: the traffic event that caused it; None for the email itself.
            origin_at: when that happened [s]; None for `now`.

        Returns:
            The message id.

        Raises:
            MessageRejected: the email cannot be sent as it is (SES-QUO-8, SES-SND-3), or the sandbox does not send to
                one of its recipients (SES-SND-2).
            SendingPaused: the account is paused (SES-REP-3).
            Throttled: "Daily message quota exceeded" or "Maximum sending rate exceeded", in this order: the limit that
                lasts longer is named first. The service does not publish its order.
            TimeRanBackwards: `now` is earlier than at the last call.
        """
        if not isinstance(email, Email):
            raise InvalidParameterValue(f"{self.name}: email={email!r} is not an Email")
        self.advance(now)
        recipients = len(email.recipients)
        try:
            check_email(email)
        except MessageRejected:
            self.rejected += recipients
            raise
        email_id = self._id_base + self.accepted + 1
        origin_id = email_id if origin_id is None else origin_id
        origin_at = now if origin_at is None else origin_at
        if not self.try_send(recipients, now, origin_at, origin_id, email):
            kind, reason = self.refusal
            raise kind(reason)
        return format_id(email_id)

    def try_send(
        self,
        recipients: int,
        now: float,
        origin_at: float,
        origin_id: int,
        content: Email | EmailContent,
        cause: object = None,
    ) -> bool:
        """Send an email that is known to be well-formed, without building it.

        Args:
            recipients: how many, 1 to 50; trusted.
            now: simulated time [s].
            origin_at: when the traffic event that caused it happened [s].
            origin_id: the id of that event.
            content: the email, or what renders it when somebody looks. The sandbox looks at each.
            cause: the message that `content` is rendered for.

        Returns:
            Whether it was accepted; if not, `refusal` says why.

        Raises:
            TimeRanBackwards: `now` is earlier than at the last call.

        Source: SES-QUO-2 ... SES-QUO-5. The bucket must hold the recipients, or be full if they are more than it can
        hold: then it goes into debt. Cost: O(1), and O(log pending) per recipient if delivery takes time.
        """
        if not now >= self._now:
            raise TimeRanBackwards.at(self.name, now, self._now)
        self._now = now
        events = self._events
        if events and events[0][0] <= now:
            self._settle(now)
        if (self.paused or self._sandbox) and not self._admits(recipients, now, content, cause):
            return False

        second = now // 1.0
        if second != self._second:
            self._turn(second)
        if self._used + recipients > self._daily_quota:
            self.refusal = OVER_DAILY_QUOTA
            self.throttled += recipients
            return False
        rate = self._rate
        if rate is not None:
            burst = self._burst
            tokens = self._tokens + (now - self._filled_at) * rate
            if tokens > burst:
                tokens = burst
            elif tokens < recipients - RATE_TOLERANCE and tokens < burst - RATE_TOLERANCE:
                self.refusal = OVER_RATE
                self.throttled += recipients
                return False
            self._tokens = tokens - recipients
            self._filled_at = now

        self._used += recipients
        self._second_used += recipients
        self.recipients_accepted += recipients
        self.accepted = accepted = self.accepted + 1
        records = self._records
        if records is not None:
            records.append((self._id_base + accepted, now, origin_id, origin_at, content, cause))
        if not self._quiet:
            self._dispatch(recipients, now, origin_at)
            return True
        self.delivered += recipients
        if recipients == 1:
            self.end_to_end.append(now - origin_at)
        else:
            self.end_to_end.extend(repeat(now - origin_at, recipients))
        return True

    def sent_last_24_hours(self, now: float) -> int:
        """Recipients that count against the daily quota at `now` [s].

        The window slides by whole seconds: what was accepted during second s is forgotten at s + 86,400. So it is exact
        to a second and holds at most 86,400 entries.

        Source: SES-QUO-3.
        """
        self.advance(now)
        second = now // 1.0
        if second != self._second:
            self._turn(second)
        return self._used

    def next_deadline(self) -> float | None:
        """When the next outcome is due [s]; None if none is."""
        return self._events[0][0] if self._events else None

    def advance(self, now: float) -> None:
        """Count the outcomes that are due.

        Raises:
            TimeRanBackwards: `now` is earlier than at the last call.
            TimeRanAhead: `now` is later than the time of the simulation that the outbox is in.
        """
        check_now(self.name, now, self._now)
        if self.clock is not None:
            check_not_ahead(self.name, now, self.clock)
        self._now = now
        self._settle(now)

    def check(self, *, deep: bool = True) -> None:
        """Hold the account's books against one another.

        Args:
            deep: and against its containers. Cost: O(pending + seconds of quota in use) instead of O(1).

        Raises:
            AuditError: they do not agree.
        """
        equal = {
            "recipients_accepted = delivered + bounced + pending + suppressed": (
                self.recipients_accepted,
                self.delivered + self.bounced + self.pending + self.suppressed,
            ),
            "bounced = hard_bounced + soft_bounced": (self.bounced, self.hard_bounced + self.soft_bounced),
            "delivered = end-to-end times": (self.delivered, len(self.end_to_end)),
        }
        if deep:
            attempts = sum(event[2] != _COMPLAINT for event in self._events)
            equal["pending = outcomes awaited"] = (self.pending, attempts)
            by_second = self._second_used + sum(used for _, used in self._past)
            equal["quota used = quota used by second"] = (self._used, by_second)
        for law, (left, right) in equal.items():
            if left != right:
                raise AuditError(f"{self.name}: {law} does not hold: {left} and {right}")

    def _admits(self, recipients: int, now: float, content: Email | EmailContent, cause: object) -> bool:
        if self.paused:
            self.refusal = PAUSED
        else:
            email = content if isinstance(content, Email) else content.render(cause, now)
            try:
                self.outbox.check_sandbox(email)
            except MessageRejected as error:
                self.refusal = MessageRejected, str(error)
            else:
                return True
        self.rejected += recipients
        return False

    def _turn(self, second: float) -> None:
        """Close the second that quota was counted in, and forget those that are 24 hours old."""
        if self._second_used:
            self._past.append((self._second, self._second_used))
            self._second_used = 0
        self._second = second
        past = self._past
        while past and past[0][0] + QUOTA_WINDOW.low <= second:
            self._used -= past.popleft()[1]

    def _dispatch(self, recipients: int, now: float, origin_at: float) -> None:
        """Begin the deliveries of an accepted email."""
        head = self._events[0][0] if self._events else inf
        self.pending += recipients
        delay = self._draw_delivery_delay
        for _ in range(recipients):
            self._plan_attempt(now + delay() if delay else now, 1, now, origin_at)
        self._settle(now)
        if self.on_change is not None and self._events and self._events[0][0] < head:
            self.on_change()

    def _plan_attempt(self, at: float, attempt: int, accepted_at: float, origin_at: float) -> None:
        gives_up_at = accepted_at + self.outbox.max_delivery_time
        if at < gives_up_at:
            self._plan(at, attempt, accepted_at, origin_at)
        else:
            self._plan(gives_up_at, _NO_TIME_LEFT, accepted_at, origin_at)

    def _plan(self, at: float, step: int, accepted_at: float, origin_at: float) -> None:
        self._serial += 1
        heappush(self._events, (at, self._serial, step, accepted_at, origin_at))

    def _settle(self, now: float) -> None:
        events = self._events
        while events and events[0][0] <= now:
            at, _, step, accepted_at, origin_at = heappop(events)
            if step == _COMPLAINT:
                self.complained += 1
            elif step == _NO_TIME_LEFT:
                self.soft_bounced += 1
                self.bounced += 1
                self.pending -= 1
            else:
                self._attempt(at, step, accepted_at, origin_at)

    def _attempt(self, at: float, attempt: int, accepted_at: float, origin_at: float) -> None:
        """One delivery attempt: the recipient does not exist, cannot take it now, or gets it."""
        outbox = self.outbox
        if attempt == 1 and self._happens(outbox.bounce_rate):
            self.hard_bounced += 1
            self.bounced += 1
            self.pending -= 1
        elif self._happens(outbox.soft_bounce_rate):
            pause = min(FIRST_RETRY * 2.0 ** (attempt - 1), LONGEST_RETRY)
            self._plan_attempt(at + pause, attempt + 1, accepted_at, origin_at)
        else:
            self.delivered += 1
            self.pending -= 1
            self.end_to_end.append(at - origin_at)
            if self._happens(outbox.complaint_rate):
                delay = self._draw_complaint_delay
                self._plan(at + delay() if delay else at, _COMPLAINT, accepted_at, origin_at)

    def _happens(self, probability: float) -> bool:
        return probability > 0 and self._rng.random() < probability
