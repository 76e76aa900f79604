"""Feedback: what a message that carries an email's event says about addresses that should get no more emails."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from msgsim.bus.email_events import KEYS, EmailEvent
from msgsim.bus.message import Content, Message
from msgsim.bus.publication import Envelope
from msgsim.bus.suppression import BOUNCE, COMPLAINT, listed_address

NOT_SPAM = "not-spam"

_LISTS = {"Bounce": "bouncedRecipients", "Complaint": "complainedRecipients"}
"""Where the addresses are that an event of such a type is about."""


class Feedback(NamedTuple):
    """What one event says.

    Attributes:
        kind: the event's type, as the service calls it.
        reason: why its addresses should be suppressed, "BOUNCE" or "COMPLAINT"; None if they should not.
        addresses: without names.
    """

    kind: str
    reason: str | None
    addresses: tuple[str, ...]


def feedback_in(message: Message) -> Feedback | None:
    """Read the event that a message carries, in the envelope of a topic or without one.

    Returns:
        What it says; None if the message carries no event of an email.

    Cost: O(recipients) for a message that comes from an outbox of the simulation; else its body is parsed.
    """
    event = event_of(message.content)
    if event is not None:
        return _feedback(event.kind, event.details, tuple(map(listed_address, event.recipients)))
    return _parsed(message.body)


def event_of(content: str | Content) -> EmailEvent | None:
    """The event that a content is, in an envelope or without one; None for anything else, texts included."""
    if isinstance(content, Envelope):
        content = content.content
    return content if isinstance(content, EmailEvent) else None


def _parsed(text: str) -> Feedback | None:
    event = _object(text)
    if event.get("Type") == "Notification":
        event = _object(event.get("Message"))
    kind = event.get("eventType", event.get("notificationType"))
    if not isinstance(kind, str) or kind not in KEYS:
        return None
    details = event.get(KEYS[kind])
    if not isinstance(details, dict):
        return None
    recipients = details.get(_LISTS.get(kind, ""), [])
    try:
        addresses = tuple([str(each["emailAddress"]) for each in recipients])
    except (KeyError, TypeError):
        return None
    return _feedback(kind, details, addresses)


def _object(text: object) -> dict[str, Any]:
    """The JSON object of a text; an empty one if it has none."""
    try:
        parsed = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        parsed = None
    return parsed if isinstance(parsed, dict) else {}


def _feedback(kind: str, details: Mapping[str, Any], addresses: tuple[str, ...]) -> Feedback:
    """A hard bounce and a complaint are reasons; a soft bounce, and somebody who takes a complaint back, are none."""
    reason = None
    if kind == "Bounce" and details.get("bounceType") == "Permanent":
        reason = BOUNCE
    elif kind == "Complaint" and details.get("complaintFeedbackType") != NOT_SPAM:
        reason = COMPLAINT
    return Feedback(kind, reason, addresses if kind in _LISTS else ())
