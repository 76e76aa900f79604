# Hot path: `SendingAccount.try_send` runs once per email; the rest runs at the edge or once per outcome.
"""Outboxes: how many emails a sending account may send, and what becomes of them."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from itertools import repeat
from math import inf
from typing import Any

import attrs

from msgsim.bus.authentication import DmarcPolicy
from msgsim.bus.configuration_set import ConfigurationSet, check_sets
from msgsim.bus.deliveries import Addressee, Deliveries, is_infected
from msgsim.bus.email_events import EmailEvent, EventSource, Mailing
from msgsim.bus.email_templates import EmailTemplate, TemplatedEmail
from msgsim.bus.email_validation import EmailValidation
from msgsim.bus.emails import outline
from msgsim.bus.identities import Identities, canonical
from msgsim.bus.mail import Email, EmailContent, Record, SentMail, check_email
from msgsim.bus.mailbox_simulator import simulated
from msgsim.bus.message import EPOCH, format_id, id_base
from msgsim.bus.outcomes import Books, Outcomes
from msgsim.bus.quota_growth import QuotaGrowth
from msgsim.bus.receivers import (
    PROOFS,
    Receiver,
    check_duration,
    check_proofs,
    check_receivers,
    probability,
)
from msgsim.bus.reputation import HEALTHY, SHUTDOWN, ReputationPolicy
from msgsim.bus.sending_identities import SendingIdentity, check_sending, speaks_for
from msgsim.bus.sending_tenants import SendingTenant
from msgsim.bus.standing import Standing, seen_at
from msgsim.bus.suppression import (
    listed_address,
    reasons_field,
)
from msgsim.bus.terms import Terms
from msgsim.bus.verified import check_identities, check_identity, refuse_unverified
from msgsim.bus.warm_up import DedicatedPool
from msgsim.declare import (
    HOUR,
    as_tuple,
    check_epoch,
    check_name,
    check_not_ahead,
    check_now,
    copied,
    flag,
    instance,
    listed,
    number,
    text,
)
from msgsim.distributions import Distribution, Fixed, Uniforms, as_distribution
from msgsim.errors import (
    AuditError,
    BusError,
    ConfigurationSetPaused,
    DeclarationError,
    InvalidParameterValue,
    MailFromDomainNotVerified,
    MessageRejected,
    SendingPaused,
    Throttled,
    TimeRanBackwards,
    no_such,
)
from msgsim.quotas import (
    MAX_DELIVERY_TIME,
    QUOTA_WINDOW,
    SANDBOX_24_HOUR_SEND,
    SANDBOX_SEND_RATE,
)

__all__ = ["Email", "Outbox", "SendingAccount"]

BURST_SECONDS = 1.0
"""The tolerated burst unless it is given: so many seconds' worth of the sending rate [s] (SES-QUO-4: unpublished)."""

RATE_TOLERANCE = 1e-6
"""So much of a recipient may be missing in the bucket, so that a stream at exactly the rate is not refused because its
time stamps are rounded. Stamps after a week carry 1.2e-10 s, that is 1e-7 of a recipient at 1,000 per second. What was
tolerated is owed, so it never adds up."""

DELAY_NOTICE = 4 * HOUR
"""Acceptance to the first event that says that an email is late, and from one to the next [s] (SES-BNC-3: unpublished);
what mail servers usually wait."""

Listener = Callable[[EmailEvent, int, float], object]
"""Hears of events: the event, the traffic event that caused its email, and when that happened [s]."""

Refusal = tuple[type[BusError], str]
OVER_RATE: Refusal = (Throttled, "Maximum sending rate exceeded")
OVER_DAILY_QUOTA: Refusal = (Throttled, "Daily message quota exceeded")
NOT_REFUSED: Refusal = (BusError, "nothing has been refused")
PAUSED: Refusal = (SendingPaused, "Email sending is paused for this account")


class _NoChance:
    """Stands in for the random numbers that a fixed delay takes without looking."""

    def random(self) -> float:
        return 0.0


def _table(kind: type, what: str) -> Any:
    """A field with declarations of one class by name."""

    def validate(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
        path = f"{type(owner).__name__}.{attribute.name}"
        if not isinstance(value, Mapping):
            raise DeclarationError(path, f"{value!r} is not a table of names with {what} each")
        for name, item in value.items():
            if not isinstance(name, str) or not name:
                raise DeclarationError(path, f"{name!r} is not a name")
            if not isinstance(item, kind):
                raise DeclarationError(f"{path}.{name}", f"{item!r} is not {what}")

    return attrs.field(factory=dict, converter=copied, validator=validate)


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
        verified: addresses, and domains with all that is below them (SES-IDN-1). The sandbox sends to these only; where
            there are any, emails come from these only, or from `sender` (SES-SND-2). What bounces in those domains does
            no harm (SES-BNC-4).
        identities: further ones, verified or not yet, with MAIL FROM domains of their own (SES-IDN-2). Where one speaks
            for `sender`, that is sent from as far as it is verified.
        receivers: mail servers by domain, and what they do with emails.
        suppressed_reasons: for which of "BOUNCE" and "COMPLAINT" an address comes on the account's suppression list and
            is not sent to; none switches it off. None is as the service has it: for both, where addresses are looked
            at (SES-SUP-1).
        authentication: what receivers find in its emails: "dkim" and "spf" aligned, "dmarc" passing (SES-IDN-2);
            unsubscription by one click is a matter of each email.
        dmarc: the record of those who send: then what receivers find is worked out from `verified` and the identities
            at work instead (SES-IDN-2); None for `authentication` as it is.
        delay_notice: how late an email is when that is told, and again after each further such time [s] (SES-BNC-3).
        configuration_sets: by name (SES-CFG-1).
        configuration_set: the one of emails that name none; None for none.
        pools: of dedicated IP addresses, by the names by which configuration sets have them (SES-IP-1).
        tenants: by the names by which emails have them (SES-TEN-1).
        templates: of emails, by the names by which they have them (SES-SND-6).
        reputation: how the account is judged, and paused; None if nobody looks (SES-REP-1).
        validation: which addresses are not sent to for their score; None if none is given (SES-SUP-6).
        quota_growth: how quotas grow for a sender who uses them and is healthy; None if they do not (SES-QUO-6).

    Addresses are looked at where it matters, which takes time: in the sandbox, with identities, receivers,
    configuration sets, tenants, templates, a reputation or validation, and where `suppressed_reasons` is given.
    Otherwise recipients are counted, and all is chance.

    Raises:
        DeclarationError: a value is not allowed; says which are.
    """

    max_send_rate: float | None = number(None, above=True, unit="recipients/s", rule="SES-QUO-4", optional=True)
    burst: float | None = number(None, low=1, unit="recipients", rule="SES-QUO-4", optional=True)
    max_24_hour_send: int | None = number(None, low=1, unit="recipients", rule="SES-QUO-3", integer=True, optional=True)
    sandbox: bool = flag()
    delivery_delay: Distribution | None = attrs.field(default=None, converter=as_distribution, validator=check_duration)
    bounce_rate: float = probability("SES-BNC-1")
    soft_bounce_rate: float = probability("SES-BNC-1")
    complaint_rate: float = probability("SES-EVT-7")
    complaint_delay: Distribution | None = attrs.field(
        default=None, converter=as_distribution, validator=check_duration
    )
    max_delivery_time: float = MAX_DELIVERY_TIME.field()
    records: bool = flag(default=True)
    record_limit: int = number(1_000, low=1, unit="emails", integer=True)
    sender: str = text("no-reply@example.com")
    verified: Sequence[str] = listed(str, "an address or a domain")
    identities: Sequence[SendingIdentity] = listed(SendingIdentity, "a SendingIdentity")
    receivers: Sequence[Receiver] = listed(Receiver, "a Receiver")
    suppressed_reasons: Sequence[str] | None = reasons_field()
    authentication: Sequence[str] = attrs.field(default=PROOFS, converter=as_tuple, validator=check_proofs)
    dmarc: DmarcPolicy | None = instance(DmarcPolicy, "a DmarcPolicy", default=None, optional=True)
    delay_notice: float = number(DELAY_NOTICE, low=1, unit="s", rule="SES-BNC-3")
    configuration_sets: Mapping[str, ConfigurationSet] = attrs.field(factory=dict, converter=copied)
    configuration_set: str | None = text(None, optional=True)
    pools: Mapping[str, DedicatedPool] = _table(DedicatedPool, "a DedicatedPool")
    tenants: Mapping[str, SendingTenant] = _table(SendingTenant, "a SendingTenant")
    templates: Mapping[str, EmailTemplate] = _table(EmailTemplate, "an EmailTemplate")
    reputation: ReputationPolicy | None = instance(ReputationPolicy, "a ReputationPolicy", default=None, optional=True)
    validation: EmailValidation | None = instance(EmailValidation, "an EmailValidation", default=None, optional=True)
    quota_growth: QuotaGrowth | None = instance(QuotaGrowth, "a QuotaGrowth", default=None, optional=True)

    def __attrs_post_init__(self) -> None:
        kind = type(self).__name__
        if self.quota_growth is not None and (self.sandbox or self.max_24_hour_send is None):
            needs = "the sandbox has quotas of its own" if self.sandbox else "needs a max_24_hour_send that is used"
            raise DeclarationError(f"{kind}.quota_growth", f"{needs} (SES-QUO-6)")
        if self.burst is not None and self.send_rate is None:
            raise DeclarationError(f"{kind}.burst", f"{self.burst!r} needs a max_send_rate to go beyond (SES-QUO-4)")
        check_identity(f"{kind}.sender", self.sender)
        check_identities(f"{kind}.verified", self.verified)
        check_sending(f"{kind}.identities", self.identities, self.verified)
        check_receivers(f"{kind}.receivers", self.receivers)
        check_sets(f"{kind}.configuration_sets", self.configuration_sets)
        if self.configuration_set is not None and self.configuration_set not in self.configuration_sets:
            problem = no_such("configuration set", self.configuration_set, self.configuration_sets)
            raise DeclarationError(f"{kind}.configuration_set", problem)
        for name, declared in self.configuration_sets.items():
            if declared.pool is not None and declared.pool not in self.pools:
                problem = no_such("pool", declared.pool, self.pools)
                raise DeclarationError(f"{kind}.configuration_sets.{name}.pool", problem)

    @property
    def knows_addresses(self) -> bool:
        """Whether anything depends on who gets an email."""
        given = self.receivers or self.configuration_sets or self.tenants or self.reputation or self.validation
        return self.sandbox or self.suppressed_reasons is not None or bool(given or self.templates or self.identities)

    @property
    def uses_chance(self) -> bool:
        """Whether random numbers are needed."""
        chances = (self.bounce_rate, self.soft_bounce_rate, self.complaint_rate)
        drawn = not isinstance(self.delivery_delay, Fixed | None)
        parts = (*(each.uses_chance for each in self.receivers), *(each.deferral_rate for each in self.pools.values()))
        return drawn or any(chances) or any(parts) or self.validation is not None

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

    def is_usual(self, sender: str) -> bool:
        """Whether an address, with or without a name, is the `sender` of this outbox, which needs no verification."""
        same = sender == self.sender or canonical(sender) == canonical(self.sender)
        return same and not self.sender_is_declared

    @property
    def sender_is_declared(self) -> bool:
        """Whether one of the `identities` speaks for the `sender`."""
        return speaks_for(self.identities, self.sender)

    def check_sandbox(self, email: Email, covers: Callable[[str], bool] | None = None) -> None:
        """Refuse what the sandbox does not send.

        Args:
            email: what is to be sent.
            covers: whether an address is verified; None for `verified` and `identities` at time 0.

        Raises:
            MessageRejected: the email cannot be sent at all (SES-SND-3), or not from this sender or to these recipients
                (SES-SND-2).

        Source: SES-QUO-1, SES-IDN-1.
        """
        check_email(email)
        if covers is None:
            covers = partial(Identities(self.verified, self.identities).covers, now=0.0)
        author = self.sender if email.sender is None else email.sender
        sender = () if self.is_usual(author) else (author,)
        to = [written for written in email.recipients if simulated(listed_address(written)) is None]
        refuse_unverified([written for written in (*sender, *to) if not covers(written)])


class SendingAccount(Standing):
    """An outbox at work.

    Recipients of an accepted email are delivered at once, unless the outbox says otherwise; then each has outcomes that
    come due with time, and `advance` counts them at the time they were due, however late it is called.

    Args:
        outbox: the declaration.
        name: of the account; its ids come from it.
        rng: uniform random numbers; needed if a rate of the outbox is not 0 or a delay is not fixed.
        epoch: time 0 in seconds since 1970, for the `Date` of emails.
        source: what events say of the account; None for what they say of any.

    Attributes:
        refusal: error class and text of the latest refusal by `try_send`.
        accepted: emails accepted.
        recipients_accepted: their recipients. What has become of them is counted in recipients, too; see `Books`, and
            `Standing` for all that is not sending.
        throttled: of emails refused by rate or quota: `over_rate` and `over_quota`.
        rejected: of emails refused for what is in them, or while paused.
        sent: the latest accepted emails; empty with `records=False`.
        quota_changes: when quotas grew [s], and to what: in 24 hours, and per second (SES-QUO-6).
        clock: tells the time beyond which nobody can send [s]; None outside of a simulation.
        on_change: called when the next deadline gets earlier.

    Raises:
        DeclarationError: `rng` is needed and missing.
    """

    __slots__ = (
        "_burst",
        "_daily_quota",
        "_deliveries",
        "_events",
        "_filled_at",
        "_guarded",
        "_id_base",
        "_looking",
        "_now",
        "_on_event",
        "_outcomes",
        "_past",
        "_quiet",
        "_rate",
        "_records",
        "_rng",
        "_second",
        "_second_used",
        "_source",
        "_terms",
        "_tokens",
        "_used",
        "accepted",
        "clock",
        "on_change",
        "over_quota",
        "over_rate",
        "quota_changes",
        "recipients_accepted",
        "refusal",
        "rejected",
        "sent",
    )

    def __init__(
        self,
        outbox: Outbox,
        name: str = "ses",
        *,
        rng: Uniforms | None = None,
        epoch: float = EPOCH,
        source: EventSource | None = None,
    ) -> None:
        if not isinstance(outbox, Outbox):
            raise DeclarationError("SendingAccount.outbox", f"{outbox!r} is not an Outbox")
        check_name("SendingAccount.name", name)
        check_epoch("SendingAccount.epoch", epoch)
        super().__init__(outbox, name)
        self.refusal = NOT_REFUSED
        self.clock: Callable[[], float] | None = None
        self.on_change: Callable[[], None] | None = None
        self.accepted = self.recipients_accepted = 0
        self.over_rate = self.over_quota = self.rejected = 0

        self._id_base = id_base(name)
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

        if rng is None and outbox.uses_chance:
            raise DeclarationError(
                f"{type(self).__name__}.rng",
                f"{name!r} has a rate that is not 0 or a delay that is drawn: pass rng=random.Random(seed)",
            )
        self._rng: Uniforms = rng if rng is not None else _NoChance()
        self._outcomes = Outcomes(outbox, self, self._rng)
        self._events = self._outcomes.events
        chances = (outbox.bounce_rate, outbox.soft_bounce_rate, outbox.complaint_rate)
        self._quiet = outbox.delivery_delay is None and not any(chances)
        self._guarded = outbox.sender_is_declared
        self._looking = False
        self._deliveries: Deliveries | None = None
        self._source = source or EventSource(sender=outbox.sender, epoch=epoch)
        self._on_event: Listener | None = None
        self._terms = self.terms()
        self.quota_changes: list[tuple[float, float, float | None]] = []
        if outbox.knows_addresses:
            self.look()
        if outbox.quota_growth is not None:
            self._outcomes.plan_review(outbox.quota_growth.next_look(0.0), self)

    def __getstate__(self) -> dict[str, Any]:
        """All but what its driver set."""
        left = {"clock", "on_change", "_on_event"}
        slots = (*Books.__slots__, *Standing.__slots__, *self.__slots__)
        return {slot: getattr(self, slot) for slot in slots if slot not in left}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for slot, value in state.items():
            setattr(self, slot, value)
        self.clock = self.on_change = self._on_event = None

    @property
    def daily_quota(self) -> float:
        """The quota in force for each 24 hours [recipients]; infinite for no limit. It may have grown (SES-QUO-6)."""
        return self._daily_quota

    @property
    def send_rate(self) -> float | None:
        """The sending rate in force [recipients/s]; None for no limit. It may have grown (SES-QUO-6)."""
        return self._rate

    @property
    def throttled(self) -> int:
        """Recipients of emails refused by rate or quota."""
        return self.over_rate + self.over_quota

    @property
    def on_event(self) -> "Listener | None":
        """Called with each event, the traffic event that caused its email, and when that happened [s].

        Setting it makes the account look at addresses from then on.
        """
        return self._on_event

    @on_event.setter
    def on_event(self, listener: "Listener | None") -> None:
        self._on_event = listener
        if listener is not None:
            self.look()

    def look(self) -> "Deliveries":
        """Look at the addresses of all emails from now on."""
        if self._deliveries is None:
            receivers = self.outbox.receivers
            validated = self.outbox.validation is not None
            known = validated or any(receiver.knows_addresses for receiver in receivers)
            drawn = self._rng.random() if known else 0.0
            key = blake2b(f"{self.name} {drawn!r}".encode(), digest_size=32).digest()
            self._deliveries = Deliveries(self, self._rng, key, self._outcomes)
            self._outcomes = self._deliveries
            self._looking, self._quiet = True, False
        return self._deliveries

    def send_email(
        self,
        email: Email,
        now: float,
        *,
        origin_id: int | None = None,
        origin_at: float | None = None,
        terms: Terms | None = None,
        templated: TemplatedEmail | None = None,
    ) -> str:
        """Send an email, or refuse it as a whole. Nothing is queued on a refusal, and no quota is used (SES-QUO-5).

        Args:
            email: what to send.
            now: simulated time [s].
            origin_id: the traffic event that caused it; None for the email itself.
            origin_at: when that happened [s]; None for `now`.
            terms: of `SendingAccount.terms`; None for the usual ones.
            templated: what makes the texts of `email`, which is found to fit or not after acceptance (SES-SND-6).

        Returns:
            The message id.

        Raises:
            MessageRejected: the email cannot be sent as it is (SES-QUO-8, SES-SND-3), its sender is not verified, or
                the sandbox does not send to one of its recipients (SES-SND-2).
            MailFromDomainNotVerified: its sender's MAIL FROM domain is not, and is to stop emails then (SES-IDN-2).
            SendingPaused: the account is paused, or the configuration set (SES-REP-3).
            InvalidParameterValue: `email` is no Email, `terms` are no Terms, or `templated` is no TemplatedEmail.
            Throttled: "Daily message quota exceeded" or "Maximum sending rate exceeded", in this order: the limit that
                lasts longer is named first. The service does not publish its order.
            TimeRanBackwards: `now` is earlier than at the last call.
        """
        if not isinstance(email, Email):
            raise InvalidParameterValue(f"{self.name}: email={email!r} is not an Email")
        if not isinstance(terms, Terms | None):
            raise InvalidParameterValue(f"{self.name}: terms={terms!r} are none; SendingAccount.terms makes them")
        if not isinstance(templated, TemplatedEmail | None):
            raise InvalidParameterValue(f"{self.name}: templated={templated!r} is not a TemplatedEmail")
        self.advance(now)
        recipients = len(email.recipients)
        try:
            check_email(email)
            self._check_sender(email, now)
        except BusError:
            self.rejected += recipients
            raise
        scenes = (simulated(listed_address(written)) for written in email.recipients)
        if not self._looking and (templated is not None or is_infected(email) or any(scenes)):
            self.look()
        email_id = self._id_base + self.accepted + 1
        origin_id = email_id if origin_id is None else origin_id
        origin_at = now if origin_at is None else origin_at
        if not self.try_send_on(terms or self._terms, recipients, now, origin_at, origin_id, templated or email):
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
            content: the email, or what renders it when somebody looks; the sandbox looks at each.
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
            self._outcomes.settle(now)
        if self.paused or self._looking:
            return self._send_looking(recipients, now, (origin_id, origin_at), content, cause, self._terms)

        second = now // 1.0
        if second != self._second:
            self._turn(second)
        if self._used + recipients > self._daily_quota:
            self.refusal = OVER_DAILY_QUOTA
            self.over_quota += recipients
            return False
        rate = self._rate
        if rate is not None:
            burst = self._burst
            tokens = self._tokens + (now - self._filled_at) * rate
            if tokens > burst:
                tokens = burst
            elif tokens < recipients - RATE_TOLERANCE and tokens < burst - RATE_TOLERANCE:
                self.refusal = OVER_RATE
                self.over_rate += recipients
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

    def try_send_on(
        self,
        terms: Terms,
        recipients: int,
        now: float,
        origin_at: float,
        origin_id: int,
        content: Email | EmailContent,
        cause: object = None,
    ) -> bool:
        """The same on terms of one's own; see `try_send`.

        Args:
            terms: of `SendingAccount.terms`.
            recipients: how many; trusted.
            now: simulated time [s].
            origin_at: when the traffic event that caused it happened [s].
            origin_id: the id of that event.
            content: the email, or what renders it.
            cause: the message that `content` is rendered for.
        """
        if not self._looking:
            return self.try_send(recipients, now, origin_at, origin_id, content, cause)
        if not now >= self._now:
            raise TimeRanBackwards.at(self.name, now, self._now)
        self._now = now
        self._outcomes.settle(now)
        return self._send_looking(recipients, now, (origin_id, origin_at), content, cause, terms)

    def search(
        self, *, to: str | None = None, subject: str | None = None, since: float = -inf, until: float = inf
    ) -> SentMail:
        """Those of the sent emails that fit; see `SentMail.search`."""
        return self.sent.search(to=to, subject=subject, since=since, until=until)

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

    def review_quotas(self, at: float) -> None:
        """Let quotas grow if they have been used, and plan the next look at them (SES-QUO-6)."""
        growth = self.outbox.quota_growth
        assert growth is not None, "only growth plans a review"  # noqa: S101 - for the type checker
        self._turn(at // 1.0)
        healthy = self.reputation is None or self.reputation.status(seen_at(self.reputation, at)) == HEALTHY
        if healthy and not self.paused and self._used >= growth.use * self._daily_quota:
            quota, rate = growth.grown(self._daily_quota, self._rate)
            if (quota, rate) == (self._daily_quota, self._rate):
                return
            self._grow(quota, rate, at)
        self._outcomes.plan_review(growth.next_look(at, None if self._used else self._now), self)

    def _grow(self, quota: float, rate: float | None, at: float) -> None:
        if rate is not None and self._rate is not None:
            self._tokens = min(self._burst, self._tokens + (at - self._filled_at) * self._rate)
            self._filled_at = at
            if self.outbox.burst is None:
                self._burst = max(1.0, rate * BURST_SECONDS)
        self._daily_quota, self._rate = quota, rate
        self.quota_changes.append((at, quota, rate))

    def next_deadline(self) -> float | None:
        """When the next outcome is due, or the next look at quotas [s]; None if none is."""
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
        self._outcomes.settle(now)

    def check(self, *, deep: bool = True) -> None:
        """Hold the account's books against one another.

        Args:
            deep: and against its containers. Cost: O(pending + seconds of quota in use) instead of O(1).

        Raises:
            AuditError: they do not agree.
        """
        equal = {
            "recipients_accepted = delivered + bounced + pending + suppressed + infected + rendering_failed": (
                self.recipients_accepted,
                self.accounted,
            ),
            "bounced = hard_bounced + soft_bounced": (self.bounced, self.hard_bounced + self.soft_bounced),
            "delivered = end-to-end times": (self.delivered, len(self.end_to_end)),
        }
        if deep:
            equal["pending = outcomes awaited"] = (self.pending, self._outcomes.awaited())
            by_second = self._second_used + sum(used for _, used in self._past)
            equal["quota used = quota used by second"] = (self._used, by_second)
        for law, (left, right) in equal.items():
            if left != right:
                raise AuditError(f"{self.name}: {law} does not hold: {left} and {right}")

    def _check_sender(self, email: Email, now: float) -> None:
        sender = self.outbox.sender if email.sender is None else email.sender
        if not self.identities.in_use or self.outbox.is_usual(sender):
            return
        if not self.outbox.sandbox or self.identities.covers(sender, now):
            self.identities.envelope(sender, now)

    def _send_looking(
        self,
        recipients: int,
        now: float,
        origin: tuple[int, float],
        content: Email | EmailContent,
        cause: object,
        terms: Terms,
    ) -> bool:
        """Send an email of an account that looks at addresses, or refuse it; or one of any account that is paused."""
        refusal = self._stop(now, terms)
        addressees: Sequence[Addressee] = ()
        if refusal is None:
            try:
                addressees = self._look_at(content, cause, now)
            except (MailFromDomainNotVerified, MessageRejected) as error:
                refusal = type(error), str(error)
        if refusal is not None:
            self.refusal = refusal
            self.rejected += recipients
            return False
        if not self._take(recipients, sum(addressee.scene is None for addressee in addressees), now):
            return False
        self.recipients_accepted += recipients
        self.accepted += 1
        number = self._id_base + self.accepted
        find_failure = getattr(content, "failure", None)
        failure: str | None = find_failure(cause, now) if find_failure else None
        if self._records is not None and failure is None:
            self._records.append((number, now, *origin, content, cause))
        head = self._events[0][0] if self._events else inf
        mailing = Mailing(
            self._source,
            number,
            now,
            content,
            cause,
            tags=terms.tags,
            configuration_set=terms.configuration_set,
            tenant=None if terms.tenant is None else terms.tenant.name,
            operation=terms.operation,
        )
        self.look().accept(mailing, addressees, terms, origin, failure)
        self._tell_driver(head)
        return True

    def _stop(self, now: float, terms: Terms) -> Refusal | None:
        """Why nothing may be sent at all (SES-REP-3, SES-TEN-1); None if it may."""
        if self.paused or (self.reputation is not None and self.reputation.status(now) == SHUTDOWN):
            return PAUSED
        if terms.tenant is not None and not terms.tenant.may_send:
            return SendingPaused, f"Email sending is paused for the tenant {terms.tenant.name}"
        if terms.configuration_set in self._stopped:
            return (
                ConfigurationSetPaused,
                f"Email sending is paused for the configuration set {terms.configuration_set}",
            )
        if self._halted_at is not None or (self.reputation is not None and len(self.reputation.changes) > self._seen):
            self._follow_pauses(now)
        return None

    def _take(self, recipients: int, counted: int, now: float) -> bool:
        """Take recipients out of rate and quota as `try_send` does, `counted` of them out of the quota (SES-QUO-7)."""
        second = now // 1.0
        if second != self._second:
            self._turn(second)
        if counted and self._used + counted > self._daily_quota:
            self.refusal = OVER_DAILY_QUOTA
            self.over_quota += recipients
            return False
        if self._rate is not None:
            tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
            if tokens < min(recipients, self._burst) - RATE_TOLERANCE:
                self.refusal = OVER_RATE
                self.over_rate += recipients
                return False
            self._tokens = tokens - recipients
            self._filled_at = now
        self._used += counted
        self._second_used += counted
        return True

    def _look_at(self, content: Email | EmailContent, cause: object, now: float) -> Sequence[Addressee]:
        """Whom an email goes to.

        Raises:
            MessageRejected: to what is no address (SES-SND-3), or not from here (SES-SND-2).
            MailFromDomainNotVerified: the MAIL FROM domain of the usual sender is not, and stops emails (SES-IDN-2).
        """
        if self._guarded and not isinstance(content, (Email, TemplatedEmail)):
            self.identities.envelope(self.outbox.sender, now)  # `send_email` has seen to the senders of its own
        if self.outbox.sandbox:
            email = outline(content, cause, now)
            self.outbox.check_sandbox(email, lambda address: self.identities.covers(address, now))
            written = email.recipients
        else:
            written = content.recipients if isinstance(content, Email) else content.addresses(cause, now)
        addresses = map(listed_address, written)
        return [Addressee(each, address, simulated(address)) for each, address in zip(written, addresses, strict=True)]

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
        """Begin the deliveries of an accepted email whose addresses nobody looks at."""
        head = self._events[0][0] if self._events else inf
        self._outcomes.begin(recipients, now, origin_at)
        self._tell_driver(head)

    def _tell_driver(self, head: float) -> None:
        """Tell whoever drives the account if its next deadline is earlier than `head` [s]."""
        if self.on_change is not None and self._events and self._events[0][0] < head:
            self.on_change()
