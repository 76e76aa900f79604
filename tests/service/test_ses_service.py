"""SES by its own names."""

from typing import Any

import pytest

from msgsim.bus.outbox import Outbox
from msgsim.errors import ServiceError
from msgsim.service.account import Account
from msgsim.service.requests import call

TEXT = {"Text": {"Data": "Hello", "Charset": "UTF-8"}}


class Client:
    """An account, and calls about its outbox."""

    def __init__(self, **outbox: Any) -> None:
        self.account = Account(outbox=Outbox(**outbox))

    def send(self, now: float = 0, *, to: int = 1, body: Any = TEXT, **params: Any) -> dict[str, Any]:
        simple = {"Subject": {"Data": "Hi"}, "Body": body}
        request = {
            "FromEmailAddress": "shop@example.com",
            "Destination": {"ToAddresses": [f"a{n}@example.com" for n in range(to)]},
            "Content": {"Simple": simple},
            **params,
        }
        return call(self.account, "SendEmail", request, now)

    def refusal(self, now: float = 0, **params: Any) -> tuple[str, str, int]:
        with pytest.raises(ServiceError) as caught:
            self.send(now, **params)
        return caught.value.code, caught.value.message, caught.value.status

    def described(self, now: float = 0) -> dict[str, Any]:
        return call(self.account, "GetAccount", {}, now)


@pytest.mark.rule("SES-SND-1")
def test_an_email_is_accepted_with_an_id() -> None:
    client = Client()
    destination = {
        "ToAddresses": ["a@example.com"],
        "CcAddresses": ["b@example.com"],
        "BccAddresses": ["c@example.com"],
    }
    answer = client.send(5, Destination=destination)
    (sent,) = client.account.outbox.sent
    email = sent.email
    assert answer == {"MessageId": sent.message_id}
    assert (sent.at, email.sender, email.subject, email.body) == (5, "shop@example.com", "Hi", "Hello")
    assert (email.to, email.cc, email.bcc) == (("a@example.com",), ("b@example.com",), ("c@example.com",))


def test_an_email_has_a_text_or_html_or_both() -> None:
    client = Client()
    html = {"Html": {"Data": "<p>Hello</p>"}}
    client.send(body=html)
    client.send(body={**html, **TEXT})
    assert [sent.email.body for sent in client.account.outbox.sent] == ["", "Hello"]
    assert [sent.email.html for sent in client.account.outbox.sent] == ["<p>Hello</p>", "<p>Hello</p>"]
    missing = ("BadRequestException", "The request must contain the parameter Content.Simple.Body.Text.", 400)
    assert client.refusal(body={}) == missing


@pytest.mark.rule("SES-SND-4")
def test_a_request_that_lacks_something_is_a_bad_one() -> None:
    client = Client()
    refusal = client.refusal(Content={"Simple": {"Body": TEXT}})
    assert refusal == ("BadRequestException", "The request must contain the parameter Content.Simple.Subject.", 400)
    both = {"Raw": {"Data": b""}, "Simple": {"Subject": {"Data": ""}, "Body": TEXT}}
    refusal = client.refusal(Content=both)
    assert refusal == ("BadRequestException", "Content must have exactly one of Simple, Raw, Template.", 400)


@pytest.mark.rule("SES-SND-3")
@pytest.mark.rule("SES-QUO-8")
def test_an_email_that_cannot_be_is_rejected() -> None:
    client = Client()
    code, message, status = client.refusal(Destination={"ToAddresses": ["ann"]})
    assert (code, status) == ("MessageRejected", 400)
    assert "'ann' is not an email address" in message
    for code, message, _ in (client.refusal(to=51), client.refusal(Destination={})):
        assert (code, message[:15]) == ("MessageRejected", "Recipient count")


@pytest.mark.rule("SES-SND-2")
def test_the_sandbox_sends_to_verified_addresses() -> None:
    code, message, _ = Client(sandbox=True).refusal()
    assert code == "MessageRejected"
    assert message.startswith("Email address is not verified. The following identities failed the check in region")


@pytest.mark.rule("SES-QUO-5")
@pytest.mark.rule("GEN-3")
def test_over_the_rate_nothing_is_sent() -> None:
    client = Client(max_send_rate=2)
    client.send(to=2)
    assert client.refusal() == ("TooManyRequestsException", "Maximum sending rate exceeded", 429)
    client.send(0.5)
    assert client.account.outbox.accepted == 2


@pytest.mark.rule("SES-QUO-3")
@pytest.mark.rule("SES-QUO-5")
def test_over_the_daily_quota_nothing_is_sent() -> None:
    client = Client(max_24_hour_send=2)
    client.send(to=2)
    assert client.refusal(86_399) == ("LimitExceededException", "Daily message quota exceeded", 400)
    client.send(86_401)


@pytest.mark.rule("SES-REP-3")
def test_a_paused_account_sends_nothing() -> None:
    client = Client()
    client.account.outbox.paused = True
    assert client.refusal() == ("SendingPausedException", "Email sending is paused for this account", 400)
    assert client.described()["SendingEnabled"] is False


@pytest.mark.rule("SES-QUO-2")
@pytest.mark.rule("SES-QUO-3")
def test_an_account_tells_its_quotas_and_what_it_has_sent() -> None:
    client = Client(max_send_rate=14, max_24_hour_send=50_000)
    client.send(to=3)
    assert client.described(1) == {
        "EnforcementStatus": "HEALTHY",
        "ProductionAccessEnabled": True,
        "SendQuota": {"Max24HourSend": 50_000.0, "MaxSendRate": 14.0, "SentLast24Hours": 3.0},
        "SendingEnabled": True,
        "SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]},
    }
    assert client.described(86_401)["SendQuota"]["SentLast24Hours"] == 0


@pytest.mark.rule("SES-QUO-1")
def test_the_sandbox_has_quotas_and_a_quiet_account_has_none() -> None:
    sandbox, quiet = Client(sandbox=True).described(), Client().described()
    assert sandbox["ProductionAccessEnabled"] is False
    assert sandbox["SendQuota"] == {"Max24HourSend": 200.0, "MaxSendRate": 1.0, "SentLast24Hours": 0.0}
    assert quiet["SendQuota"] == {"Max24HourSend": -1.0, "MaxSendRate": -1.0, "SentLast24Hours": 0.0}


@pytest.mark.rule("SES-REP-3")
def test_sending_is_paused_and_goes_on_by_request() -> None:
    client = Client()
    call(client.account, "PutAccountSendingAttributes", {"SendingEnabled": False}, 0)
    assert client.refusal()[0] == "SendingPausedException"
    call(client.account, "PutAccountSendingAttributes", {"SendingEnabled": True}, 1)
    assert client.send(1)
