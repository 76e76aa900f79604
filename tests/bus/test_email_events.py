"""Events of emails as JSON, type by type."""

import json
from typing import Any

import pytest

from msgsim.bus.email_events import (
    BOUNCES,
    COMPLAINTS,
    DELAYS,
    FEEDBACK_TYPES,
    KEYS,
    EmailEvent,
    EventSource,
    IdentityFeedback,
    Mailing,
)
from msgsim.bus.emails import Email
from msgsim.bus.message import Message, format_id
from msgsim.errors import InvalidParameterValue

EMAIL = Email(
    ["Ann <ann@x.org>"],
    "Grüße",
    cc="bo@x.org",
    bcc="cy@x.org",
    sender="Shop <shop@example.com>",
    reply_to="r@example.com",
    return_path="b@example.com",
    tags={"kind": "news"},
)
STAMP = "2026-01-01T00:00:10.000Z"


def mailing(email: Email = EMAIL, **more: Any) -> Mailing:
    return Mailing(EventSource(account_id="123456789012"), 7, 8.5, email, **more)


def event(kind: str, details: dict[str, Any] | None = None, mail: Mailing | None = None, at: float = 10) -> EmailEvent:
    return EmailEvent(kind, at, ("Ann <ann@x.org>", "bo@x.org"), details or {}, mail or mailing())


def read(content: EmailEvent | IdentityFeedback) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(content.render(Message()))
    return found


def happened(kind: str, details: dict[str, Any] | None = None) -> Any:
    return read(event(kind, details))[KEYS[kind]]


@pytest.mark.rule("SES-EVT-1")
class TestMail:
    def test_what_it_says(self) -> None:
        mail = read(event("Send", mail=mailing(tags={"run": "7"}, configuration_set="news", tenant="acme")))["mail"]
        assert {name: mail[name] for name in list(mail)[:6]} == {
            "timestamp": "2026-01-01T00:00:08.500Z",
            "source": "Shop <shop@example.com>",
            "sourceArn": "arn:aws:ses:us-east-1:123456789012:identity/shop@example.com",
            "sendingAccountId": "123456789012",
            "messageId": format_id(7),
            "destination": ["ann@x.org", "bo@x.org", "cy@x.org"],
        }
        assert mail["headersTruncated"] is False
        assert {"name": "Subject", "value": "Grüße"} in mail["headers"]
        assert {"name": "Content-Type", "value": 'text/plain; charset="utf-8"'} in mail["headers"]
        assert mail["commonHeaders"] == {
            "from": ["Shop <shop@example.com>"],
            "date": "Thu, 01 Jan 2026 00:00:08 -0000",
            "replyTo": ["r@example.com"],
            "to": ["Ann <ann@x.org>"],
            "cc": ["bo@x.org"],
            "bcc": ["cy@x.org"],
            "returnPath": "b@example.com",
            "messageId": format_id(7),
            "subject": "Grüße",
        }
        assert mail["tags"] == {
            "ses:operation": ["SendEmail"],
            "ses:configuration-set": ["news"],
            "ses:source-ip": ["192.0.2.10"],
            "ses:from-domain": ["example.com"],
            "ses:caller-identity": ["root"],
            "ses:tenant-name": ["acme"],
            "kind": ["news"],
            "run": ["7"],
        }

    def test_where_it_left_from_is_known_after_it_left(self) -> None:
        assert read(event("Delivery"))["mail"]["tags"]["ses:outgoing-ip"] == ["192.0.2.20"]
        suppressed = event("Complaint", {"complaintSubType": "OnAccountSuppressionList"})
        assert "ses:outgoing-ip" not in read(suppressed)["mail"]["tags"]
        assert "ses:outgoing-ip" not in read(event("Bounce"))["mail"]["tags"]

    def test_an_account_has_a_sender_for_emails_that_name_none(self) -> None:
        mail = read(event("Send", mail=mailing(Email("a@x.org"))))["mail"]
        assert mail["source"] == "no-reply@example.com"
        assert set(mail["commonHeaders"]) == {"from", "date", "to", "messageId", "subject"}
        assert "ses:configuration-set" not in mail["tags"]

    def test_more_than_10_kb_of_headers_are_cut(self) -> None:
        long = Email("a@x.org", headers=[(f"X-{n}", "v" * 900) for n in range(15)])
        mail = read(event("Send", mail=mailing(long)))["mail"]
        assert mail["headersTruncated"] is True
        assert 10_240 - 910 < sum(len(h["name"]) + len(h["value"]) + 4 for h in mail["headers"]) <= 10_240

    def test_it_is_rendered_for_the_message_that_caused_it(self) -> None:
        class Greeting:
            def render(self, message: str, now: float) -> Email:
                return Email(f"{message}@x.org", f"at {now:g}")

        mail = Mailing(EventSource(), 7, 8.5, Greeting(), "ann")
        assert mail.email == Email("ann@x.org", "at 8.5")


@pytest.mark.rule("SES-EVT-2")
def test_each_type_brings_an_object_of_its_name() -> None:
    for kind, key in KEYS.items():
        found = read(event(kind))
        assert list(found) == ["eventType", "mail", key]
        assert found["eventType"] == kind
    assert happened("Send") == {}
    assert happened("Reject") == {"reason": "Bad content"}
    with pytest.raises(InvalidParameterValue, match=r"Invalid event type: Sent\. Valid values are: Send, Reject"):
        event("Sent").render(Message())


@pytest.mark.rule("SES-EVT-3")
def test_a_bounce() -> None:
    details = {"bounceType": "Permanent", "bounceSubType": "General", "status": "5.1.1", "action": "failed"}
    diagnostic = "smtp; 550 5.1.1 user unknown"
    bounce = happened("Bounce", {**details, "diagnosticCode": diagnostic})
    assert bounce.pop("feedbackId") == event("Bounce").feedback_id
    each = {"action": "failed", "status": "5.1.1", "diagnosticCode": diagnostic}
    assert bounce == {
        "reportingMTA": "dns; smtp-out.amazonses.com",
        "bounceType": "Permanent",
        "bounceSubType": "General",
        "bouncedRecipients": [{"emailAddress": "ann@x.org", **each}, {"emailAddress": "bo@x.org", **each}],
        "timestamp": STAMP,
    }
    assert [len(subtypes) for subtypes in BOUNCES.values()] == [1, 6, 6]


@pytest.mark.rule("SES-EVT-4")
def test_a_complaint() -> None:
    complaint = happened("Complaint", {"complaintFeedbackType": "abuse", "arrivalDate": 10})
    assert complaint.pop("feedbackId") == event("Complaint").feedback_id
    assert complaint == {
        "complaintSubType": None,
        "complaintFeedbackType": "abuse",
        "arrivalDate": STAMP,
        "complainedRecipients": [{"emailAddress": "ann@x.org"}, {"emailAddress": "bo@x.org"}],
        "timestamp": STAMP,
    }
    assert "abuse" in FEEDBACK_TYPES
    assert len(COMPLAINTS) == 3


@pytest.mark.rule("SES-EVT-5")
def test_the_other_types() -> None:
    delivery = happened("Delivery")
    assert (delivery["processingTimeMillis"], delivery["recipients"]) == (1500, ["ann@x.org", "bo@x.org"])
    assert set(delivery) == {"timestamp", "processingTimeMillis", "recipients", "smtpResponse", "reportingMTA"}
    assert happened("Delivery", {"remoteMtaIp": "192.0.2.9"})["remoteMtaIp"] == "192.0.2.9"
    opened = {"ipAddress", "timestamp", "userAgent", "isBotEvent"}
    assert set(happened("Open")) == opened
    assert set(happened("Click", {"link": "https://x.org"})) == opened | {"link", "linkTags"}
    failure = {"errorMessage": "Attribute 'x' is not present in the rendering data.", "templateName": "t"}
    assert happened("Rendering Failure", failure) == failure
    lists = {"contactList": "c", "source": "s", "newTopicPreferences": {}, "oldTopicPreferences": {}}
    assert happened("Subscription", lists) == {**lists, "timestamp": STAMP}


@pytest.mark.rule("SES-EVT-5")
@pytest.mark.rule("SES-EVT-6")
def test_a_delay() -> None:
    details = {"delayType": "MailboxFull", "expirationTime": 10, "status": "4.2.2", "diagnosticCode": "smtp; 452 full"}
    each = {"status": "4.2.2", "diagnosticCode": "smtp; 452 full"}
    assert happened("DeliveryDelay", details) == {
        "delayType": "MailboxFull",
        "expirationTime": STAMP,
        "delayedRecipients": [{"emailAddress": "ann@x.org", **each}, {"emailAddress": "bo@x.org", **each}],
        "timestamp": STAMP,
    }
    assert len(DELAYS) == 10


def test_a_detail_of_another_type_is_refused() -> None:
    with pytest.raises(InvalidParameterValue, match="'bounceType' is no detail of the event Send; allowed: none"):
        happened("Send", {"bounceType": "Permanent"})


def test_ids_of_feedback_are_the_same_always_and_of_one_event() -> None:
    found = {each.feedback_id for each in (event("Bounce"), event("Complaint"), event("Bounce", at=11))}
    assert len(found) == 3
    assert event("Bounce").feedback_id in found
    assert repr(event("Bounce")) == f"<EmailEvent Bounce at=10 of {format_id(7)}>"


@pytest.mark.rule("SES-CFG-4")
def test_the_feedback_of_an_identity_has_another_key_and_no_tags() -> None:
    found = read(IdentityFeedback(event("Bounce")))
    assert list(found) == ["notificationType", "mail", "bounce"]
    assert list(found["mail"]) == [
        *("timestamp", "source", "sourceArn", "sendingAccountId", "messageId", "destination"),
        *("sourceIp", "callerIdentity"),
    ]
    assert "commonHeaders" in read(IdentityFeedback(event("Delivery"), headers=True))["mail"]
    with pytest.raises(InvalidParameterValue) as caught:
        IdentityFeedback(event("Send"))
    assert str(caught.value) == "Invalid notification type: Send. Valid values are: Bounce, Complaint, Delivery."
