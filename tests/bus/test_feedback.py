"""Feedback: what a message that carries an event says about addresses."""

import json
from typing import Any

import pytest

from msgsim.bus.email_events import EmailEvent, EventSource, Mailing
from msgsim.bus.feedback import Feedback, event_of, feedback_in
from msgsim.bus.mail import Email
from msgsim.bus.queue import Queue
from msgsim.bus.standard import StandardQueue
from msgsim.bus.topic import Subscription, Topic, TopicFanout

PERMANENT = {"bounceType": "Permanent", "bounceSubType": "General", "diagnosticCode": "smtp; 550 5.1.1 user unknown"}
TRANSIENT = {"bounceType": "Transient", "bounceSubType": "MailboxFull"}


def event(kind: str, details: dict[str, Any]) -> EmailEvent:
    mailing = Mailing(EventSource(), 1, 0.0, Email(to="Ann <ann@example.com>"))
    return EmailEvent(kind, 1.0, ("Ann <ann@example.com>",), details, mailing)


def read(content: Any) -> Feedback | None:
    """What is read from a queue that was sent this."""
    queue = StandardQueue(Queue(), "q")
    return feedback_in(queue.enqueue(content, None, 0.0, None, 0.0))


CASES = [
    ("Bounce", PERMANENT, "BOUNCE", ("ann@example.com",)),
    ("Bounce", TRANSIENT, None, ("ann@example.com",)),
    ("Complaint", {"complaintFeedbackType": "abuse"}, "COMPLAINT", ("ann@example.com",)),
    ("Complaint", {"complaintFeedbackType": "not-spam"}, None, ("ann@example.com",)),
    ("Send", {}, None, ()),
]


@pytest.mark.parametrize(("kind", "details", "reason", "addresses"), CASES)
def test_events_and_their_json_say_the_same(
    kind: str, details: dict[str, Any], reason: str | None, addresses: tuple[str, ...]
) -> None:
    happened = event(kind, details)
    expected = Feedback(kind, reason, addresses)
    assert read(happened) == expected
    text = read_text(happened)
    assert read(text) == expected
    assert read(json.dumps({"Type": "Notification", "Message": text})) == expected
    assert read(text.replace('"eventType"', '"notificationType"')) == expected


def read_text(happened: EmailEvent) -> str:
    queue = StandardQueue(Queue(), "q")
    return queue.enqueue(happened, None, 0.0, None, 0.0).body


@pytest.mark.parametrize("raw", [True, False])
def test_through_a_topic(raw: bool) -> None:
    queue = StandardQueue(Queue(), "q")
    topic = TopicFanout(Topic(subscriptions=[Subscription(endpoint="q", raw=raw)]), "t", endpoints={"q": queue})
    happened = event("Bounce", PERMANENT)
    topic.route(None).publish(happened, 0.0, None, 0.0)
    (delivery,) = queue.take(1, 30.0, 0.0)
    assert event_of(delivery.content) is happened
    assert feedback_in(delivery) == Feedback("Bounce", "BOUNCE", ("ann@example.com",))


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "[1]",
        "5",
        "{}",
        "[" * 100_000,
        '{"Type": "Notification"}',
        '{"Type": "Notification", "Message": 5}',
        '{"eventType": "Bounce"}',
        '{"eventType": ["Bounce"], "bounce": {}}',
        '{"eventType": "Party", "party": {}}',
        '{"eventType": "Bounce", "bounce": []}',
        '{"eventType": "Bounce", "bounce": {"bouncedRecipients": 5}}',
        '{"eventType": "Bounce", "bounce": {"bouncedRecipients": [{}]}}',
        '{"eventType": "Bounce", "bounce": {"bouncedRecipients": ["ann@example.com"]}}',
    ],
)
def test_what_is_no_event(text: str) -> None:
    assert read(text) is None
