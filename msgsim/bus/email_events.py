"""Events of emails, as they are published to topics: JSON that is made when somebody reads it (SES-EVT-1 ... 6).

An event says what became of one email for some of its recipients. Many are published and few are read, so an
`EmailEvent` keeps what happened, and builds the text on demand, as any content of a message.
"""

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import attrs

from msgsim.bus.addresses import bare_address
from msgsim.bus.composition import OUTGOING_IP, content_type, headers_of
from msgsim.bus.emails import Email, EmailContent, outline
from msgsim.bus.message import EPOCH, Message, format_id
from msgsim.bus.timestamps import iso_timestamp
from msgsim.errors import InvalidParameterValue
from msgsim.quotas import EVENT_HEADER_BYTES

KEYS: Mapping[str, str] = {
    "Send": "send",
    "Reject": "reject",
    "Delivery": "delivery",
    "Bounce": "bounce",
    "Complaint": "complaint",
    "Open": "open",
    "Click": "click",
    "Rendering Failure": "failure",
    "DeliveryDelay": "deliveryDelay",
    "Subscription": "subscription",
}
"""The types of events, and the name of the object that each brings (SES-EVT-2)."""

FEEDBACK = ("Bounce", "Complaint", "Delivery")
"""The types that an identity gives feedback about, without a configuration set (SES-CFG-4)."""

BOUNCES: Mapping[str, tuple[str, ...]] = {
    "Undetermined": ("Undetermined",),
    "Permanent": (
        "General",
        "NoEmail",
        "Suppressed",
        "OnAccountSuppressionList",
        "OnTenantSuppressionList",
        "EmailValidationSuppressed",
    ),
    "Transient": (
        "General",
        "MailboxFull",
        "MessageTooLarge",
        "CustomTimeoutExceeded",
        "ContentRejected",
        "AttachmentRejected",
    ),
}
"""Subtypes of bounces by type (SES-EVT-3)."""

COMPLAINTS = (None, "OnAccountSuppressionList", "OnTenantSuppressionList")
"""Subtypes of complaints; None is one that a recipient made (SES-EVT-4)."""

FEEDBACK_TYPES = ("abuse", "auth-failure", "fraud", "not-spam", "other", "virus")
"""What a mailbox provider may say that a complaint is about (SES-EVT-4)."""

DELAYS = (
    "InternalFailure",
    "General",
    "MailboxFull",
    "SpamDetected",
    "RecipientServerError",
    "IPFailure",
    "TransientCommunicationFailure",
    "BYOIPHostNameLookupUnavailable",
    "Undetermined",
    "SendingDeferral",
)
"""Types of delays (SES-EVT-6)."""

_RECIPIENTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "Bounce": ("bouncedRecipients", ("action", "status", "diagnosticCode")),
    "Complaint": ("complainedRecipients", ()),
    "DeliveryDelay": ("delayedRecipients", ("status", "diagnosticCode")),
}
"""Types that tell of each recipient: the name of that list, and which details stand with each of its members."""

_FIELDS: Mapping[str, tuple[str, ...]] = {
    "Send": (),
    "Reject": ("reason",),
    "Delivery": ("processingTimeMillis", "smtpResponse", "reportingMTA", "remoteMtaIp"),
    "Bounce": ("bounceType", "bounceSubType", "reportingMTA"),
    "Complaint": ("complaintSubType", "userAgent", "complaintFeedbackType", "arrivalDate"),
    "Open": ("ipAddress", "userAgent", "isBotEvent"),
    "Click": ("ipAddress", "userAgent", "link", "linkTags", "isBotEvent"),
    "Rendering Failure": ("errorMessage", "templateName"),
    "DeliveryDelay": ("delayType", "expirationTime", "reportingMTA"),
    "Subscription": ("contactList", "source", "newTopicPreferences", "oldTopicPreferences"),
}
"""Details that may be given, by type, beside those of recipients (SES-EVT-3 ... 5)."""

_TIMELESS = frozenset({"Send", "Reject", "Rendering Failure"})
_TIMES = ("arrivalDate", "expirationTime")
_SENT = frozenset({"Delivery", "Complaint", "Open", "Click"})
_BROWSER = "Mozilla/5.0 (compatible; simulated)"
_RECIPIENT_IP = "192.0.2.1"
_MTA = "smtp-out.amazonses.com"


@attrs.frozen(kw_only=True)
class EventSource:
    """Whose emails the events are about: the same for all of an account.

    Attributes:
        sender: address, for emails that name none.
        account_id: 12 digits.
        region: part of ARNs.
        epoch: seconds since 1970 at time 0 [s].
        source_ip: where requests to send come from.
        outgoing_ip: where emails leave from.
    """

    sender: str = "no-reply@example.com"
    account_id: str = "000000000000"
    region: str = "us-east-1"
    epoch: float = EPOCH
    source_ip: str = "192.0.2.10"
    outgoing_ip: str = OUTGOING_IP


class Mailing:
    """What the events of one email have in common: all of what the `mail` object says (SES-EVT-1).

    Args:
        source: whose email it is.
        number: its id as an integer.
        accepted_at: [s].
        content: the email, or what renders it.
        cause: the message that `content` is rendered for.
        tags: message tags, which come on top of the email's own.
        configuration_set: its name.
        tenant: its name.
        operation: by which it was sent.
    """

    __slots__ = (
        "accepted_at",
        "cause",
        "configuration_set",
        "content",
        "number",
        "operation",
        "source",
        "tags",
        "tenant",
    )

    def __init__(
        self,
        source: EventSource,
        number: int,
        accepted_at: float,
        content: Email | EmailContent,
        cause: object = None,
        *,
        tags: Mapping[str, str] | None = None,
        configuration_set: str | None = None,
        tenant: str | None = None,
        operation: str = "SendEmail",
    ) -> None:
        self.source = source
        self.number = number
        self.accepted_at = accepted_at
        self.content = content
        self.cause = cause
        self.tags = tags
        self.configuration_set = configuration_set
        self.tenant = tenant
        self.operation = operation

    @property
    def email(self) -> Email:
        """What was sent; rendered at each look."""
        content = self.content
        return content if isinstance(content, Email) else content.render(self.cause, self.accepted_at)

    def describe(self, *, tagged: bool, sent: bool, headers: bool = True) -> dict[str, Any]:
        """The `mail` object.

        Args:
            tagged: with tags, as events of configuration sets have them.
            sent: the tags tell where the email left from.
            headers: with the email's headers.
        """
        source, email = self.source, outline(self.content, self.cause, self.accepted_at)
        sender = email.sender or source.sender
        message_id = format_id(self.number)
        address = bare_address(sender)
        caller = "root"
        fields: dict[str, Any] = {
            "timestamp": iso_timestamp(source.epoch + self.accepted_at),
            "source": sender,
            "sourceArn": f"arn:aws:ses:{source.region}:{source.account_id}:identity/{address}",
            "sendingAccountId": source.account_id,
            "messageId": message_id,
            "destination": [bare_address(written) for written in email.recipients],
        }
        if not tagged:
            fields |= {"sourceIp": source.source_ip, "callerIdentity": caller}
        if headers:
            fields |= _headers(email, message_id, source.sender, source.epoch + self.accepted_at)
        if tagged:
            automatic = {
                "ses:operation": self.operation,
                "ses:configuration-set": self.configuration_set,
                "ses:source-ip": source.source_ip,
                "ses:from-domain": address.rpartition("@")[2],
                "ses:caller-identity": caller,
                "ses:tenant-name": self.tenant,
                "ses:outgoing-ip": source.outgoing_ip if sent else None,
            }
            known = {name: value for name, value in automatic.items() if value is not None}
            fields["tags"] = {
                name: [value] for name, value in (known | dict(email.tags) | dict(self.tags or {})).items()
            }
        return fields


class EmailEvent:
    """What became of one email, for some of its recipients.

    Args:
        kind: "Send", "Reject", "Delivery", "Bounce", "Complaint", "Open", "Click", "Rendering Failure",
            "DeliveryDelay" or "Subscription" (SES-EVT-2).
        at: when it happened [s].
        recipients: the addresses that it is about.
        details: fields of the type's object by the service's names, such as `bounceType`; those of single recipients,
            such as `diagnosticCode`, hold for each of them. `expirationTime` and `arrivalDate` are times [s].
        mail: the email.
    """

    __slots__ = ("at", "details", "kind", "mail", "recipients")

    def __init__(
        self, kind: str, at: float, recipients: tuple[str, ...], details: Mapping[str, Any], mail: Mailing
    ) -> None:
        self.kind = kind
        self.at = at
        self.recipients = recipients
        self.details = details
        self.mail = mail

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.kind} at={self.at:g} of {format_id(self.mail.number)}>"

    @property
    def feedback_id(self) -> str:
        """The id of a bounce or complaint: the same whenever it is asked for, and no other event's."""
        what = f"{self.mail.number}:{self.kind}:{self.at!r}:{','.join(self.recipients)}"
        return f"{format_id(int.from_bytes(blake2b(what.encode(errors='replace'), digest_size=8).digest()))}-000000"

    def render(self, message: Message) -> str:  # noqa: ARG002 - an event is the same in every message that carries it
        """The JSON object of the event, as configuration sets publish it (SES-EVT-2).

        Raises:
            InvalidParameterValue: there is no such type, or no such detail.
        """
        sent = self.kind in _SENT and self.details.get("complaintSubType") is None
        return _written("eventType", self, self.mail.describe(tagged=True, sent=sent))


class IdentityFeedback:
    """An event as the feedback of an identity has it: another key for its type, and no tags (SES-CFG-4).

    Args:
        event: of one of the types of `FEEDBACK`.
        headers: tell the email's headers, too.
    """

    __slots__ = ("event", "headers")

    def __init__(self, event: EmailEvent, *, headers: bool = False) -> None:
        check_feedback(event.kind)
        self.event = event
        self.headers = headers

    def render(self, message: Message) -> str:  # noqa: ARG002 - as in `EmailEvent`
        """The JSON object."""
        described = self.event.mail.describe(tagged=False, sent=False, headers=self.headers)
        return _written("notificationType", self.event, described)


def check_feedback(kind: object) -> None:
    """Refuse what identities give no feedback about.

    Raises:
        InvalidParameterValue: in the service's words (SES-CFG-4).
    """
    if kind not in FEEDBACK:
        raise InvalidParameterValue(f"Invalid notification type: {kind}. Valid values are: {', '.join(FEEDBACK)}.")


def _written(key: str, event: EmailEvent, mail: dict[str, Any]) -> str:
    if event.kind not in KEYS:
        raise InvalidParameterValue(f"Invalid event type: {event.kind}. Valid values are: {', '.join(KEYS)}.")
    return json.dumps({key: event.kind, "mail": mail, KEYS[event.kind]: _happened(event)}, ensure_ascii=False)


def _happened(event: EmailEvent) -> dict[str, Any]:
    """The object of the event's type."""
    kind, epoch = event.kind, event.mail.source.epoch
    listed, each = _RECIPIENTS.get(kind, ("", ()))
    for name in event.details:
        if name not in _FIELDS[kind] and name not in each:
            allowed = ", ".join((*_FIELDS[kind], *each)) or "none"
            raise InvalidParameterValue(f"{name!r} is no detail of the event {kind}; allowed: {allowed}")
    given = {name: value for name, value in event.details.items() if name in _FIELDS[kind]}
    given |= {name: iso_timestamp(epoch + given[name]) for name in _TIMES if name in given}
    fields = _usual(event) | given
    if listed:
        shared = {name: event.details[name] for name in each if name in event.details}
        fields[listed] = [{"emailAddress": bare_address(written), **shared} for written in event.recipients]
    if kind not in _TIMELESS:
        fields["timestamp"] = iso_timestamp(epoch + event.at)
    return fields


def _usual(event: EmailEvent) -> dict[str, Any]:
    """What an event says unless its details say otherwise."""
    match event.kind:
        case "Reject":
            return {"reason": "Bad content"}
        case "Delivery":
            return {
                "processingTimeMillis": round((event.at - event.mail.accepted_at) * 1000),
                "recipients": [bare_address(written) for written in event.recipients],
                "smtpResponse": "250 2.6.0 Message received",
                "reportingMTA": _MTA,
            }
        case "Bounce":
            return {"feedbackId": event.feedback_id, "reportingMTA": f"dns; {_MTA}"}
        case "Complaint":
            return {"feedbackId": event.feedback_id, "complaintSubType": None}
        case "Open" | "Click":
            links = {"link": "", "linkTags": None} if event.kind == "Click" else {}
            return {"ipAddress": _RECIPIENT_IP, "userAgent": _BROWSER, "isBotEvent": "Unlikely", **links}
        case _:
            return {}


def _headers(email: Email, message_id: str, sender: str, sent_at: float) -> dict[str, Any]:
    """Headers, as many as go into 10 KB, and the usual ones once more (SES-EVT-1)."""
    every = headers_of(email, message_id=message_id, sender=sender, sent_at=sent_at)
    values = dict(every)
    every += [("MIME-Version", "1.0"), ("Content-Type", content_type(email))]
    shown, size = [], 0
    for name, value in every:
        size += len(name.encode()) + len(value.encode(errors="replace")) + len(": \r\n")
        if size > EVENT_HEADER_BYTES.high:
            break
        shown.append({"name": name, "value": value})
    common: dict[str, Any] = {"from": [email.sender or sender], "date": values["Date"]}
    lists = {"replyTo": email.reply_to, "to": email.to, "cc": email.cc, "bcc": email.bcc}
    common |= {name: list(written) for name, written in lists.items() if written}
    if email.return_path is not None:
        common["returnPath"] = email.return_path
    common |= {"messageId": message_id, "subject": email.subject}
    return {"headersTruncated": len(shown) < len(every), "headers": shown, "commonHeaders": common}
