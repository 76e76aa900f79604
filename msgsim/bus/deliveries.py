# Hot path: runs once per recipient of an outbox that looks at addresses.
"""What becomes of recipients by their addresses: lists, receivers, retries, and the events that tell of it."""

from collections.abc import Callable, Mapping, Sequence
from math import inf, nextafter
from typing import TYPE_CHECKING, Any, NamedTuple

from msgsim.bus.authentication import proofs_of
from msgsim.bus.email_events import EmailEvent, Mailing
from msgsim.bus.email_templates import TemplatedEmail
from msgsim.bus.emails import Email
from msgsim.bus.mailbox_simulator import BOUNCE as SCENE_BOUNCE
from msgsim.bus.mailbox_simulator import COMPLAINT as SCENE_COMPLAINT
from msgsim.bus.mailbox_simulator import OUT_OF_OFFICE, SUPPRESSED
from msgsim.bus.outcomes import COMPLAINT as COMPLAINT_PLAIN
from msgsim.bus.outcomes import QUOTA_REVIEW as LAST_PLAIN
from msgsim.bus.outcomes import Outcomes
from msgsim.bus.receivers import USUAL, Mailbox, Receiver, ReceivingServer, retry_at
from msgsim.bus.suppression import BOUNCE, COMPLAINT, GlobalSuppressionList, SuppressionList
from msgsim.bus.terms import Terms
from msgsim.declare import MINUTE, Sampler
from msgsim.distributions import Uniforms
from msgsim.quotas import MAX_DELIVERY_TIME

if TYPE_CHECKING:
    from msgsim.bus.outbox import SendingAccount

ATTEMPT, EXPIRY, NOTICE, COMPLAINING, RETURN, OPENING, CLICKING = range(LAST_PLAIN - 1, LAST_PLAIN - 8, -1)
"""Steps of a parcel, beside those of recipients without an address."""

WAITING = (ATTEMPT, EXPIRY, NOTICE)
"""Steps of those that wait for their outcome."""

RETURN_AFTER = MINUTE
"""Delivery to the bounce of a receiver that finds out late [s] (SES-EVT-7: unpublished)."""


TEST_VIRUS = b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE"
"""In files that every virus scanner takes for a virus, though they are none."""


def is_infected(content: object) -> bool:
    """Whether an email has a file with the test virus; what only renders one for a message has no files (SES-SND-9)."""
    email = content.email if isinstance(content, TemplatedEmail) else content
    return isinstance(email, Email) and any(TEST_VIRUS in attachment.content for attachment in email.attachments)


class Addressee(NamedTuple):
    """A recipient of an email that is to be accepted.

    Attributes:
        written: as the email has it.
        address: without a name.
        scene: what the mailbox simulator does; None for an address elsewhere.
    """

    written: str
    address: str
    scene: str | None


class Setback(NamedTuple):
    """Why an attempt failed for the moment.

    Attributes:
        delay_type: as events say it (SES-EVT-6).
        status: enhanced status code.
        response: of the receiver.
        bounce_sub_type: of the bounce if it goes on like this (SES-EVT-3).
    """

    delay_type: str
    status: str
    response: str
    bounce_sub_type: str = "General"


NO_ANSWER = Setback("TransientCommunicationFailure", "4.4.2", "421 4.4.2 Connection timed out")
TOO_FAST = Setback("SendingDeferral", "4.7.0", "421 4.7.0 Too many emails, try again later")
COLD = Setback("IPFailure", "4.7.0", "421 4.7.0 The sending address is not known yet, try again later")
GREYLISTED = Setback("General", "4.7.1", "450 4.7.1 Greylisted, try again later")
FULL = Setback("MailboxFull", "4.2.2", "452 4.2.2 Mailbox full", "MailboxFull")
BUSY = Setback("General", "4.3.2", "451 4.3.2 Try again later")
NO_HOST = Setback("General", "4.4.4", "451 4.4.4 No host found by DNS for the domain")

NO_SUCH_USER = "550 5.1.1 user unknown"
NO_SUCH_HOST = "550 5.4.4 no host found by DNS for the domain"
NO_TLS = "554 5.7.4 the receiver offers no TLS, which the configuration set requires"


class Parcel:
    """An email on its way to one recipient."""

    __slots__ = (
        "address",
        "attempt",
        "counted",
        "decided",
        "deferral",
        "gives_up_at",
        "mailbox",
        "mailing",
        "notice_at",
        "noticed",
        "origin_at",
        "origin_id",
        "scene",
        "server",
        "setback",
        "terms",
        "then",
        "written",
    )

    def __init__(self, mailing: Mailing, addressee: Addressee, terms: Terms, origin: tuple[int, float]) -> None:
        self.mailing = mailing
        self.written, self.address, self.scene = addressee
        self.terms = terms
        self.origin_id, self.origin_at = origin
        self.attempt = 1
        self.counted = self.decided = self.noticed = False
        self.deferral = 0.0
        self.gives_up_at = mailing.accepted_at + terms.max_delivery_time
        self.notice_at = inf
        self.setback: Setback | None = None
        self.then = (inf, EXPIRY)
        self.server: ReceivingServer
        self.mailbox: Mailbox = USUAL


class Deliveries(Outcomes):
    """What becomes of recipients whose addresses are looked at.

    A pending parcel has one entry among what is due: its next attempt that can change anything, its end, or a notice
    that it is late.

    Args:
        account: whose emails they are; it counts.
        rng: uniform random numbers.
        key: makes properties of addresses.
        plain: what was there before addresses were looked at; None if nothing was.

    Attributes:
        everywhere: what is on the service's own list because of this account.
    """

    __slots__ = (
        "_account",
        "_draw_full_time",
        "_draw_reading_delay",
        "_elsewhere",
        "_server_of",
        "_servers",
        "everywhere",
    )

    bound = Outcomes.bound | {"_draw_full_time", "_draw_reading_delay"}

    def __init__(self, account: "SendingAccount", rng: Uniforms, key: bytes, plain: Outcomes) -> None:
        self._account = account
        self._servers = [ReceivingServer(receiver, key) for receiver in account.outbox.receivers]
        self._server_of = {domain.lower(): server for server in self._servers for domain in server.receiver.domains}
        others = [server for server in self._servers if not server.receiver.domains]
        self._elsewhere = others[0] if others else ReceivingServer(Receiver(), key)
        self.everywhere = GlobalSuppressionList()
        super().__init__(account.outbox, account, rng)
        self.events = plain.events
        self.serial = plain.serial

    def _bind(self) -> None:
        super()._bind()
        self._draw_full_time = self._samplers(lambda receiver: receiver.full_time)
        self._draw_reading_delay = self._samplers(lambda receiver: receiver.reading_delay)

    def _samplers(self, of: Callable[[Receiver], Any]) -> dict[Sequence[str], Sampler]:
        """By the domains of receivers, which no two share: a hash of those, not of all that a receiver is."""
        receivers = self._outbox.receivers
        return {receiver.domains: of(receiver).sampler(self._rng) for receiver in receivers if of(receiver) is not None}

    # ------------------------------------------------------------ acceptance

    def accept(
        self,
        mailing: Mailing,
        addressees: Sequence[Addressee],
        terms: Terms,
        origin: tuple[int, float],
        failure: str | None = None,
    ) -> None:
        """Begin the deliveries of an accepted email (SES-SND-1), unless it carries a virus (SES-SND-9).

        Args:
            mailing: the email.
            addressees: its recipients.
            terms: what holds for it.
            origin: the traffic event that caused it, and when that happened [s].
            failure: why it cannot be rendered: then nothing is sent (SES-SND-6).
        """
        now = mailing.accepted_at
        everyone = tuple(addressee.written for addressee in addressees)
        content = mailing.content
        if failure is not None:
            self._account.rendering_failed += len(everyone)
            name = getattr(content, "template_name", None)
            details = {"errorMessage": failure} if name is None else {"errorMessage": failure, "templateName": name}
            self._tell("Rendering Failure", now, everyone, details, mailing, origin)
            return
        self._tell("Send", now, everyone, {}, mailing, origin)
        if is_infected(content):
            self._account.infected += len(everyone)
            self._account.note_reject(len(everyone), now)
            self._tell("Reject", now, everyone, {"reason": "Bad content"}, mailing, origin)
            return
        delay = self._draw_delivery_delay
        for addressee in addressees:
            parcel = Parcel(mailing, addressee, terms, origin)
            if self._withheld(parcel, now):
                continue
            at = now
            if terms.pool is not None and parcel.scene is None:
                at, _, parcel.deferral = terms.pool.send(now, parcel.address.rpartition("@")[2])
            self._account.pending += 1
            if delay is not None:
                at += delay()
            if at > now:
                self._next(parcel, at, ATTEMPT)
            else:
                self._try(parcel, now)
        self.settle(now)

    def _withheld(self, parcel: Parcel, now: float) -> bool:
        """Whether a list keeps an email from being sent, which is counted and told then (SES-SUP-1 ... SES-SUP-4)."""
        if parcel.scene is not None:
            if parcel.scene != SUPPRESSED:
                return False
            self._tell_withheld(parcel, now, "Suppressed", BOUNCE)
            return True
        address, terms = parcel.address, parcel.terms
        reasons = self._reasons(terms)
        if reasons:
            own = self._list_of(terms)
            reason = own.reason(address)
            if reason in reasons:
                whose = "Account" if terms.listed_by is None else "Tenant"
                self._tell_withheld(parcel, now, f"On{whose}SuppressionList", reason)
                return True
        elif self.everywhere.holds(address, now):
            self._tell_withheld(parcel, now, "Suppressed", BOUNCE)
            self._account.note_sent(parcel.terms, now)
            self._account.note_bounce(parcel.address, parcel.terms, now)
            return True
        if self._looks_wrong(address):
            self._tell_withheld(parcel, now, "EmailValidationSuppressed", BOUNCE)
            return True
        self._account.note_sent(parcel.terms, now)
        return False

    def _looks_wrong(self, address: str) -> bool:
        """Whether the score of an address is too low to send to it (SES-SUP-6)."""
        validation = self._outbox.validation
        if validation is None:
            return False
        server = self._server(address)
        exists = server.receiver.resolves and server.mailbox(address).exists
        return not validation.sends_to(exists, server.chance(address))

    def _server(self, address: str) -> ReceivingServer:
        return self._server_of.get(address.rpartition("@")[2].lower(), self._elsewhere)

    def _tell_withheld(self, parcel: Parcel, now: float, sub_type: str, reason: str | None) -> None:
        self._account.suppressed += 1
        if reason == COMPLAINT:
            self._tell_of(parcel, "Complaint", now, {"complaintSubType": sub_type})
        else:
            response = "550 5.1.1 not sent: the address is on a suppression list"
            self._tell_bounce(parcel, now, "Permanent", sub_type, "5.1.1", response)

    def _reasons(self, terms: Terms) -> Sequence[str]:
        own = terms.suppressed_reasons
        return self._account.suppressed_reasons if own is None else own

    def _list_of(self, terms: Terms) -> SuppressionList:
        return self._account.list_of(terms.listed_by)

    def _enlist(self, parcel: Parcel, reason: str, now: float) -> None:
        """Put an address on the lists after a hard bounce or a complaint (SES-SUP-1, SES-SUP-3, SES-SUP-4)."""
        if reason in self._reasons(parcel.terms):
            self._list_of(parcel.terms).put(parcel.address, reason, now)
        if reason == BOUNCE:
            self.everywhere.add(parcel.address, now)

    # ------------------------------------------------------------ steps

    def awaited(self) -> int:
        """How many recipients wait for their outcome. Cost: O(events)."""
        return sum(step > COMPLAINT_PLAIN or step in WAITING for _, _, step, _, _ in self.events)

    def _next(self, parcel: Parcel, at: float, step: int) -> None:
        """Plan the next step of a pending parcel: what it will be, or the notice that it is late before that."""
        if at >= parcel.gives_up_at:
            at, step = parcel.gives_up_at, EXPIRY
        if parcel.notice_at < at:
            parcel.then = at, step
            at, step = parcel.notice_at, NOTICE
        self._plan(at, step, parcel, parcel.origin_at)

    def _do(self, at: float, step: int, subject: Any, origin_at: float) -> None:
        if step >= LAST_PLAIN:
            super()._do(at, step, subject, origin_at)
        elif step == ATTEMPT:
            self._try(subject, at)
        elif step == EXPIRY:
            self._expire(subject, at)
        elif step == NOTICE:
            self._notify(subject, at)
        elif step == COMPLAINING:
            self._complain(subject, at)
        elif step == RETURN:
            self._account.returned += 1
            self._bounce_hard(subject, at)
        elif step == OPENING:
            self._open(subject, at)
        else:
            self._account.clicked += 1
            self._tell_of(subject, "Click", at, {})

    def _try(self, parcel: Parcel, at: float) -> None:
        """One delivery attempt.

        What is known to fail until a certain time comes before all that uses chance or the receiver's rate. So it
        makes no difference that the attempts before that time are left out.
        """
        if parcel.scene is not None:
            self._play(parcel, at)
            return
        if parcel.attempt == 1:
            parcel.server = self._server(parcel.address)
            parcel.mailbox = parcel.server.mailbox(parcel.address)
        server, receiver = parcel.server, parcel.server.receiver
        until = server.unreachable_until(at)
        if not receiver.resolves:
            self._defer(parcel, at, NO_HOST, inf)
        elif until > at:
            self._defer(parcel, at, NO_ANSWER, until)
        elif parcel.terms.requires_tls and not receiver.tls:
            self._reject(parcel, at, "General", "5.7.4", NO_TLS)
        elif (until := server.grey_until(parcel.address, at)) > at:
            self._defer(parcel, at, GREYLISTED, min(until, server.next_outage(at)))
        elif self._is_none(parcel):
            self._end_hard(parcel, at)
        elif (until := self._full_until(parcel, at)) > at:
            self._defer(parcel, at, FULL, min(until, server.next_outage(at)))
        else:
            self._offer(parcel, at)

    def _is_none(self, parcel: Parcel) -> bool:
        """Whether nobody has the address, and the receiver says so; chance decides about that once per email."""
        if not parcel.mailbox.exists:
            return not parcel.server.receiver.bounces_late
        if parcel.decided:
            return False
        parcel.decided = True
        return self._happens(self._outbox.bounce_rate)

    def _full_until(self, parcel: Parcel, at: float) -> float:
        if not (parcel.mailbox.full and parcel.mailbox.exists):
            return at
        server = parcel.server
        return server.full_until(parcel.address, at, self._draw_full_time.get(server.receiver.domains))

    def _offer(self, parcel: Parcel, at: float) -> None:
        """An attempt at a receiver that has room for the email; it may be too fast, unwelcome, or at a bad moment."""
        server, receiver = parcel.server, parcel.server.receiver
        if not server.takes(at):
            self._defer(parcel, at, TOO_FAST)
        elif self._happens(parcel.deferral):
            self._defer(parcel, at, COLD)
        elif receiver.demands and self._sends_in_bulk(parcel, at) and (missing := self._missing(parcel, at)):
            response = f"550 5.7.26 senders of bulk need {', '.join(missing)}"
            self._reject(parcel, at, "ContentRejected", "5.7.26", response)
        elif self._happens(self._outbox.soft_bounce_rate):
            self._defer(parcel, at, BUSY)
        else:
            self._deliver(parcel, at)
            if parcel.mailbox.exists:
                self._follow(parcel, at)
            else:
                self._plan(at + RETURN_AFTER, RETURN, parcel, parcel.origin_at)

    def _sends_in_bulk(self, parcel: Parcel, at: float) -> bool:
        """Whether the receiver has many emails of this sender; each counts once, however often it is offered."""
        if parcel.counted:
            return False
        parcel.counted = True
        return parcel.server.count(at)

    def _missing(self, parcel: Parcel, at: float) -> list[str]:
        """Which demands of its receiver an email does not meet (SES-IDN-3)."""
        outbox = self._outbox
        met = outbox.authentication
        if outbox.dmarc is not None:
            sender = parcel.mailing.email.sender
            met = proofs_of(sender or outbox.sender, self._account.identities, outbox.dmarc, at)
        missing = [demand for demand in parcel.server.receiver.demands if demand not in met]
        if "complaints" in missing:
            missing.remove("complaints")
            if parcel.server.minds(at):
                missing.append(f"complaints below {parcel.server.receiver.complaint_limit:.2%}")
        if "one-click" in missing and getattr(parcel.mailing.email, "one_click", False):
            missing.remove("one-click")
        return missing

    def _defer(self, parcel: Parcel, at: float, setback: Setback, until: float = 0.0) -> None:
        """An attempt failed for the moment; those before `until` would, too (SES-BNC-1, SES-BNC-2)."""
        if parcel.setback is None:
            parcel.notice_at = parcel.mailing.accepted_at + self._outbox.delay_notice
        parcel.setback = setback
        at, parcel.attempt = retry_at(at, parcel.attempt, until, parcel.gives_up_at)
        self._next(parcel, at, ATTEMPT)

    def _notify(self, parcel: Parcel, at: float) -> None:
        """Tell that an email is late (SES-BNC-3)."""
        if not parcel.noticed:
            parcel.noticed = True
            self._account.delayed += 1
        setback = parcel.setback or NO_ANSWER
        details = {
            "delayType": setback.delay_type,
            "expirationTime": parcel.gives_up_at,
            "status": setback.status,
            "diagnosticCode": f"smtp; {setback.response}",
        }
        self._tell_of(parcel, "DeliveryDelay", at, details)
        parcel.notice_at = max(at + self._outbox.delay_notice, nextafter(at, inf))
        self._next(parcel, *parcel.then)

    def _expire(self, parcel: Parcel, at: float) -> None:
        """The time is over (SES-BNC-2); a domain that was not found in all of it does not exist (SES-BNC-1)."""
        setback = parcel.setback or NO_ANSWER
        limit = parcel.terms.max_delivery_time
        if setback == NO_HOST and limit >= MAX_DELIVERY_TIME.high:
            self._end_hard(parcel, at, NO_SUCH_HOST)
            return
        sub_type = setback.bounce_sub_type if limit >= MAX_DELIVERY_TIME.high else "CustomTimeoutExceeded"
        response = f"554 4.4.7 Message expired: unable to deliver in {limit / MINUTE:g} minutes.<{setback.response}>"
        self._reject(parcel, at, sub_type, "4.4.7", response)

    def _reject(self, parcel: Parcel, at: float, sub_type: str, status: str, response: str) -> None:
        """Give up on a recipient who may be there: no matter for lists and rates (SES-BNC-4)."""
        self._account.pending -= 1
        self._account.soft_bounced += 1
        self._account.bounced += 1
        self._tell_bounce(parcel, at, "Transient", sub_type, status, response)

    def _end_hard(self, parcel: Parcel, at: float, response: str = NO_SUCH_USER) -> None:
        """Nobody is there, who has not been counted as anything else (SES-BNC-1)."""
        self._account.pending -= 1
        self._account.hard_bounced += 1
        self._account.bounced += 1
        self._bounce_hard(parcel, at, response)

    def _bounce_hard(self, parcel: Parcel, at: float, response: str = NO_SUCH_USER) -> None:
        """Nobody is there, as has been counted (SES-BNC-1)."""
        self._tell_bounce(parcel, at, "Permanent", "General", response.split()[1], response)
        if parcel.scene is None:
            self._enlist(parcel, BOUNCE, at)
            self._account.note_bounce(parcel.address, parcel.terms, at)

    def _deliver(self, parcel: Parcel, at: float) -> None:
        account = self._account
        account.delivered += 1
        account.pending -= 1
        account.end_to_end.append(at - parcel.origin_at)
        self._tell_of(parcel, "Delivery", at, {})

    def _follow(self, parcel: Parcel, at: float) -> None:
        """What follows a delivery: complaints, answers, readers (SES-EVT-7, SES-EVT-8)."""
        receiver = parcel.server.receiver
        complains = self._happens(self._outbox.complaint_rate)
        complains = self._happens(receiver.complaint_rate) or complains or parcel.mailbox.complains
        if complains and (receiver.reports or receiver.minds_complaints):
            self._plan_complaint(parcel, at)
        if self._happens(receiver.auto_reply_rate):
            self._reply(parcel, at)
        if self._happens(receiver.open_rate):
            self._plan_reading(parcel, at, OPENING)

    def _plan_complaint(self, parcel: Parcel, at: float) -> None:
        delay = self._draw_complaint_delay
        self._plan(at + delay() if delay else at, COMPLAINING, parcel, parcel.origin_at)

    def _complain(self, parcel: Parcel, at: float) -> None:
        """Somebody complains: to the receiver, which may tell the service of it (SES-EVT-4)."""
        if parcel.scene is None:
            parcel.server.count_complaint(at)
            if not parcel.server.receiver.reports:
                return
        self._account.complained += 1
        self._tell_of(parcel, "Complaint", at, {"complaintFeedbackType": "abuse", "arrivalDate": at})
        if parcel.scene is None:
            self._enlist(parcel, COMPLAINT, at)
            self._account.note_complaint(parcel.terms, at)

    def _reply(self, parcel: Parcel, at: float) -> None:
        """Somebody is out of office: the email was delivered, and the answer looks like a bounce (SES-EVT-8)."""
        self._account.auto_replied += 1
        self._tell_bounce(parcel, at, "Transient", "General", "2.0.0", "250 2.0.0 automatic reply")

    def _plan_reading(self, parcel: Parcel, at: float, step: int) -> None:
        delay = self._draw_reading_delay.get(parcel.server.receiver.domains)
        self._plan(at + delay() if delay else at, step, parcel, parcel.origin_at)

    def _open(self, parcel: Parcel, at: float) -> None:
        """Images are loaded where the email has an HTML part, as often as it is opened (SES-EVT-7)."""
        page = getattr(parcel.mailing.email, "html", None)
        if page is None:
            return
        receiver = parcel.server.receiver
        self._account.opened += 1
        self._tell_of(parcel, "Open", at, {})
        if self._happens(receiver.click_rate) and "href=" in page:
            self._plan(at, CLICKING, parcel, parcel.origin_at)
        if self._happens(receiver.reopen_rate):
            self._plan_reading(parcel, at, OPENING)

    def _play(self, parcel: Parcel, at: float) -> None:
        """An address of the mailbox simulator (SES-SIM-1)."""
        if parcel.scene == SCENE_BOUNCE:
            self._end_hard(parcel, at)
            return
        self._deliver(parcel, at)
        if parcel.scene == OUT_OF_OFFICE:
            self._reply(parcel, at)
        elif parcel.scene == SCENE_COMPLAINT:
            self._plan_complaint(parcel, at)

    # ------------------------------------------------------------ events

    def _tell(
        self,
        kind: str,
        at: float,
        recipients: tuple[str, ...],
        details: Mapping[str, Any],
        mailing: Mailing,
        origin: tuple[int, float],
    ) -> None:
        hear = self._account.on_event
        if hear is not None:
            hear(EmailEvent(kind, at, recipients, details, mailing), *origin)

    def _tell_of(self, parcel: Parcel, kind: str, at: float, details: Mapping[str, Any]) -> None:
        origin = parcel.origin_id, parcel.origin_at
        self._tell(kind, at, (parcel.written,), details, parcel.mailing, origin)

    def _tell_bounce(self, parcel: Parcel, at: float, kind: str, sub_type: str, status: str, response: str) -> None:
        details = {
            "bounceType": kind,
            "bounceSubType": sub_type,
            "action": "failed",
            "status": status,
            "diagnosticCode": f"smtp; {response}",
        }
        self._tell_of(parcel, "Bounce", at, details)
