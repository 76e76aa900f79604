"""Events of emails, as they are published to topics: JSON that is made when somebody reads it (SES-EVT-2)."""

import json
from collections.abc import Mapping
from typing import Any

import attrs

from msgsim.bus.mail import Email, EmailContent, parse_address
from msgsim.bus.message import EPOCH, Message, format_id
from msgsim.bus.timestamps import iso_timestamp

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

_RECIPIENTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "Bounce": ("bouncedRecipients", ("action", "status", "diagnosticCode")),
    "Complaint": ("complainedRecipients", ()),
    "DeliveryDelay": ("delayedRecipients", ("status", "diagnosticCode")),
}
"""Types that tell of each recipient: the name of that list, and which details stand with each of its members."""

_TIMES = ("arrivalDate", "expirationTime")


@attrs.frozen(kw_only=True)
class EventSource:
    """Whose emails the events are about.

    Attributes:
        sender: address, for emails that name none.
        account_id: 12 digits.
        epoch: seconds since 1970 at time 0 [s].
    """

    sender: str = "no-reply@example.com"
    account_id: str = "000000000000"
    epoch: float = EPOCH


class Mailing:
    """What the events of one email have in common.

    Args:
        source: whose email it is.
        number: its id as an integer.
        accepted_at: [s].
        content: the email, or what renders it.
        cause: the message that `content` is rendered for.
        tags: message tags.
        configuration_set: its name.
        tenant: its name.
    """

    __slots__ = ("accepted_at", "cause", "configuration_set", "content", "number", "source", "tags", "tenant")

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
    ) -> None:
        self.source = source
        self.number = number
        self.accepted_at = accepted_at
        self.content = content
        self.cause = cause
        self.tags = tags
        self.configuration_set = configuration_set
        self.tenant = tenant

    @property
    def email(self) -> Email:
        """What was sent; rendered at each look."""
        content = self.content
        return content if isinstance(content, Email) else content.render(self.cause, self.accepted_at)

    def describe(self) -> dict[str, Any]:
        """The `mail` object."""
        email, source = self.email, self.source
        automatic = {"ses:configuration-set": self.configuration_set, "ses:tenant-name": self.tenant}
        tags = {name: value for name, value in {**automatic, **(self.tags or {})}.items() if value is not None}
        return {
            "timestamp": iso_timestamp(source.epoch + self.accepted_at),
            "source": email.sender or source.sender,
            "sendingAccountId": source.account_id,
            "messageId": format_id(self.number),
            "destination": [_bare(written) for written in email.recipients],
            "tags": {name: [value] for name, value in tags.items()},
        }


class EmailEvent:
    """What became of one email, for some of its recipients.

    Args:
        kind: one of `KEYS`.
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

    def render(self, message: Message) -> str:  # noqa: ARG002 - an event is the same in every message that carries it
        """The JSON object of the event."""
        epoch = self.mail.source.epoch
        name, each = _RECIPIENTS.get(self.kind, ("", ()))
        told = {key: value for key, value in self.details.items() if key not in each}
        told |= {key: iso_timestamp(epoch + told[key]) for key in _TIMES if key in told}
        told["timestamp"] = iso_timestamp(epoch + self.at)
        if name:
            shared = {key: self.details[key] for key in each if key in self.details}
            told[name] = [{"emailAddress": _bare(written), **shared} for written in self.recipients]
        elif self.kind == "Delivery":
            told["recipients"] = [_bare(written) for written in self.recipients]
        return json.dumps({"eventType": self.kind, "mail": self.mail.describe(), KEYS[self.kind]: told})


def _bare(written: str) -> str:
    _, local, domain = parse_address(written)
    return f"{local}@{domain}"
