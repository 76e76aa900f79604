"""Events of emails as JSON."""

import json
from typing import Any

import pytest

from msgsim.bus.email_events import EmailEvent, EventSource, Mailing
from msgsim.bus.mail import Email
from msgsim.bus.message import format_id

EMAIL = Email(["Ann <ann@x.org>", "bob@x.org"], "Hi", "Text")
MAIL = Mailing(EventSource(epoch=0), 7, 1.5, EMAIL, tags={"kind": "news"}, configuration_set="s")


def told(event: EmailEvent) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(event.render(None))  # type: ignore[arg-type]
    return read


@pytest.mark.rule("SES-EVT-2")
def test_a_bounce_tells_of_each_recipient() -> None:
    details = {"bounceType": "Permanent", "bounceSubType": "General", "diagnosticCode": "smtp; 550 5.1.1"}
    read = told(EmailEvent("Bounce", 2.0, ("Ann <ann@x.org>",), details, MAIL))
    assert read["eventType"] == "Bounce"
    assert read["bounce"] == {
        "bounceType": "Permanent",
        "bounceSubType": "General",
        "bouncedRecipients": [{"emailAddress": "ann@x.org", "diagnosticCode": "smtp; 550 5.1.1"}],
        "timestamp": "1970-01-01T00:00:02.000Z",
    }
    assert read["mail"]["messageId"] == format_id(7)
    assert read["mail"]["destination"] == ["ann@x.org", "bob@x.org"]
    assert read["mail"]["tags"] == {"ses:configuration-set": ["s"], "kind": ["news"]}


@pytest.mark.rule("SES-EVT-2")
def test_a_delivery_and_a_delay() -> None:
    delivery = EmailEvent("Delivery", 2.0, ("bob@x.org",), {}, MAIL)
    assert told(delivery)["delivery"]["recipients"] == ["bob@x.org"]
    assert repr(delivery) == f"<EmailEvent Delivery at=2 of {format_id(7)}>"
    delay = told(EmailEvent("DeliveryDelay", 2.0, ("bob@x.org",), {"expirationTime": 60.0}, MAIL))
    assert delay["deliveryDelay"]["expirationTime"] == "1970-01-01T00:01:00.000Z"
    assert "send" in told(EmailEvent("Send", 1.5, EMAIL.recipients, {}, MAIL))


def test_an_email_is_rendered_when_it_is_looked_at() -> None:
    class Greeting:
        def render(self, message: str, now: float) -> Email:
            return Email(message, f"at {now:g}")

        def addresses(self, message: str, now: float) -> tuple[str, ...]:
            raise AssertionError(message, now)

    mail = Mailing(EventSource(), 1, 2.0, Greeting(), "ann@x.org")
    assert mail.email == Email("ann@x.org", "at 2")
