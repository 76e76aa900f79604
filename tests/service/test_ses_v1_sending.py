"""SES (version 1): emails of texts, as they are, of templates and in bulk; quotas, statistics, pauses."""

from typing import Any

import pytest

from msgsim.bus.configuration_set import ConfigurationSet
from msgsim.bus.deliveries import TEST_VIRUS
from msgsim.bus.sending_tenants import SendingTenant
from tests.service.emails import Emails

TO = {"ToAddresses": ["a@example.com"]}
MESSAGE = {"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": "Hello"}}}
RAW = b"""From: Shop <shop@example.com>
To: Ann <ann@example.com>, b@example.com
Cc: c@example.com
Reply-To: help@example.com
Subject: Your order
X-Order: 7
X-SES-MESSAGE-TAGS: kind=receipt, shop=1

Thanks
"""
INFECTED = RAW.replace(b"X-Order: 7\n", b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n").replace(
    b"Thanks", b"--b\n\nThanks\n--b\nContent-Disposition: attachment; filename=x\n\n" + TEST_VIRUS + b"\n--b--"
)


class Older(Emails):
    """A client of version 1."""

    def send(self, now: float = 0, *, to: str = "a@example.com", **params: Any) -> str:
        request = {
            "Source": "shop@example.com",
            "Destination": {"ToAddresses": [to]},
            "Message": MESSAGE,
            **params,
        }
        return str(self("ses:SendEmail", now, **request)["MessageId"])

    def raw(self, now: float = 0, data: bytes = RAW, **params: Any) -> Any:
        """Send a message as it is; the email that it was."""
        self("SendRawEmail", now, RawMessage={"Data": data}, **params)
        return self.last

    def raw_refused(self, data: bytes = RAW, **params: Any) -> tuple[str, str, int]:
        return self.refusal("SendRawEmail", RawMessage={"Data": data}, **params)


@pytest.mark.rule("SES-SND-1")
def test_an_email_of_texts_is_accepted_with_an_id() -> None:
    client = Older()
    body = {"Text": {"Data": "Hello"}, "Html": {"Data": "<p>Hello", "Charset": "UTF-8"}}
    destination = {"ToAddresses": ["a@b.c"], "CcAddresses": ["c@b.c"], "BccAddresses": ["d@b.c"]}
    message_id = client.send(
        3,
        Destination=destination,
        Message={**MESSAGE, "Body": body},
        ReplyToAddresses=["help@example.com"],
        ReturnPath="back@example.com",
    )
    (sent,) = client.account.outbox.sent
    email = sent.email
    assert (sent.message_id, sent.at, email.sender) == (message_id, 3, "shop@example.com")
    assert (email.subject, email.body, email.html) == ("Hi", "Hello", "<p>Hello")
    assert email.recipients == ("a@b.c", "c@b.c", "d@b.c")
    assert (email.reply_to, email.return_path) == (("help@example.com",), "back@example.com")


@pytest.mark.rule("GEN-3")
@pytest.mark.rule("SES-SND-4")
@pytest.mark.rule("SES-QUO-5")
def test_refusals_have_the_codes_of_version_1() -> None:
    sets = {"off": ConfigurationSet(sending=False)}
    client = Older(configuration_sets=sets, verified=["example.com"], max_send_rate=1, max_24_hour_send=2)
    assert client.refused(ConfigurationSetName="x") == (
        "ConfigurationSetDoesNotExist",
        "Configuration set <x> does not exist.",
        400,
    )
    assert client.refused(ConfigurationSetName="off")[0] == "ConfigurationSetSendingPausedException"
    code, message, status = client.refused(Source="a@other.org")
    assert (code, status) == ("MessageRejected", 400)
    assert message.endswith("failed the check in region US-EAST-1: a@other.org")
    client.send()
    assert client.refused() == ("Throttling", "Maximum sending rate exceeded", 400)
    client.send(1)
    assert client.refused(2) == ("Throttling", "Daily message quota exceeded", 400)
    client("UpdateAccountSendingEnabled", 2)
    assert client.refused(2)[0] == "AccountSendingPausedException"
    assert client.refusal("SendTemplatedEmail", 2, Source="a@b.c", Destination=TO, Template="x", TemplateData="{}") == (
        "TemplateDoesNotExist",
        "Template x does not exist.",
        400,
    )


@pytest.mark.rule("GEN-3")
def test_an_error_is_called_otherwise_in_the_model() -> None:
    client = Older()
    with pytest.raises(Exception, match=r"^ConfigurationSetDoesNotExist \(400\)") as caught:
        client.send(ConfigurationSetName="x")
    assert caught.value.shape == "ConfigurationSetDoesNotExistException"  # type: ignore[attr-defined]


@pytest.mark.rule("SES-SND-4")
@pytest.mark.rule("SES-IDN-2")
def test_a_mail_from_domain_that_is_not_found_may_stop_emails() -> None:
    client = Older(verified=["example.com"])
    behaviour = {"MailFromDomain": "m.example.com", "BehaviorOnMXFailure": "RejectMessage"}
    client("SetIdentityMailFromDomain", Identity="example.com", **behaviour)
    assert client.refused()[0] == "MailFromDomainNotVerifiedException"


@pytest.mark.rule("GEN-3")
def test_a_request_that_lacks_something() -> None:
    client = Older()
    assert client.refusal("ses:SendEmail", Destination=TO, Message=MESSAGE) == (
        "ValidationError",
        "1 validation error detected: Value null at 'Source' failed to satisfy constraint: Member must not be null",
        400,
    )
    code, message, _ = client.refused(Message={**MESSAGE, "Body": {}})
    assert (code, "Message.Body.Text" in message) == ("InvalidParameterValue", True)


@pytest.mark.rule("SES-SND-3")
@pytest.mark.rule("SES-QUO-8")
def test_emails_that_cannot_be() -> None:
    client = Older()
    assert client.refused(to="ann")[0] == "MessageRejected"
    assert client.refused(Destination={})[1].startswith("Recipient count is 0")
    assert client.refused(Destination={"ToAddresses": ["a@b.c"] * 51})[1].startswith("Recipient count is 51")
    large = {**MESSAGE, "Body": {"Text": {"Data": "x" * 10_485_760}}}
    assert client.refused(Message=large)[:2] == (
        "MessageRejected",
        "Message length is more than 10485760 bytes long: '10485775'.",
    )
    code, message, _ = client.raw_refused(b"x" * 10_485_761)
    assert (code, message) == ("MessageRejected", "Message length is more than 10485760 bytes long: '10485761'.")


@pytest.mark.rule("SES-SND-7")
@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("a b", "a b", "Invalid tag name <a b>: only alphanumeric ASCII characters, '_',  '-' are allowed."),
        ("k", "a b", "Invalid tag value <a b>: only alphanumeric ASCII characters, '_',  '-' , '.', '@' are allowed."),
        ("", "v", "The tag name must be specified."),
        ("k", "", "The tag value must be specified."),
        ("k" * 256, "v", "Tag name cannot exceed 255 characters."),
        ("k", "v" * 256, "Tag value cannot exceed 255 characters."),
    ],
)
def test_tags_that_cannot_be(name: str, value: str, problem: str) -> None:
    tags = [{"Name": name, "Value": value}]
    client = Older()
    assert client.refused(Tags=tags)[:2] == ("InvalidParameterValue", problem)
    assert client.raw_refused(Tags=tags)[:2] == ("InvalidParameterValue", problem)


@pytest.mark.rule("SES-SND-7")
@pytest.mark.rule("SES-EVT-1")
def test_events_tell_tags_and_the_operation() -> None:
    client = Older()
    client("CreateEmailTemplate", TemplateName="t", TemplateContent={"Text": "x"})
    client("ses:CreateConfigurationSet", ConfigurationSet={"Name": "s"})
    topic = {
        "Enabled": True,
        "Name": "d",
        "MatchingEventTypes": ["send"],
        "SNSDestination": {"TopicARN": client.listen()},
    }
    client("ses:CreateConfigurationSetEventDestination", ConfigurationSetName="s", EventDestination=topic)
    tags = {"Tags": [{"Name": "who", "Value": "ann@example.com"}], "ConfigurationSetName": "s"}
    template = {"Source": "a@b.c", "Template": "t"}
    client.send(**tags)
    client.raw(**tags)
    client("SendTemplatedEmail", Destination=TO, TemplateData="{}", **template, **tags)
    client(
        "SendBulkTemplatedEmail",
        DefaultTemplateData="{}",
        Destinations=[{"Destination": TO, "ReplacementTags": [{"Name": "own", "Value": "x.y"}]}],
        DefaultTags=tags["Tags"],
        ConfigurationSetName="s",
        **template,
    )
    told = [each["mail"]["tags"] for each in client.events()]
    assert [each["ses:operation"] for each in told] == [
        ["SendEmail"],
        ["SendRawEmail"],
        ["SendTemplatedEmail"],
        ["SendBulkTemplatedEmail"],
    ]
    assert [each["who"] for each in told] == [["ann@example.com"]] * 4
    assert (told[1]["kind"], told[3]["own"]) == (["receipt"], ["x.y"])


def test_a_raw_message_goes_to_those_in_its_headers() -> None:
    email = Older().raw()
    assert (email.to, email.cc, email.bcc) == (("Ann <ann@example.com>", "b@example.com"), ("c@example.com",), ())
    assert (email.sender, email.return_path, email.subject) == ("Shop <shop@example.com>", None, "Your order")
    assert (email.headers, email.reply_to, email.body) == ((("X-Order", "7"),), ("help@example.com",), "Thanks\n")


def test_a_raw_message_goes_to_its_destinations_instead_if_it_has_any() -> None:
    email = Older().raw(Destinations=["ann@example.com", "Z <z@example.com>"])
    assert (email.to, email.cc, email.bcc) == (("Ann <ann@example.com>",), (), ("Z <z@example.com>",))
    assert len(Older().raw(Destinations=[]).recipients) == 3


@pytest.mark.parametrize(
    ("params", "head", "return_path"),
    [
        ({"Source": "shop@example.com"}, b"", "shop@example.com"),
        ({"Source": "Back <other@example.com>"}, b"", "other@example.com"),
        ({}, b"Return-Path: <back@example.com>\n", "back@example.com"),
        ({"Source": "other@example.com"}, b"Return-Path: <back@example.com>\n", "other@example.com"),
    ],
)
def test_bounces_of_a_raw_message_go_to_its_source_before_its_return_path(
    params: dict[str, str], head: bytes, return_path: str
) -> None:
    email = Older().raw(data=head + RAW, **params)
    assert (email.sender, email.return_path) == ("Shop <shop@example.com>", return_path)


@pytest.mark.rule("SES-SND-2")
def test_the_source_of_a_raw_message_is_verified_beside_its_from_header() -> None:
    client = Older(region="eu-west-1", verified=["example.com"])
    unverified = (
        "MessageRejected",
        "Email address is not verified. The following identities failed the check in region EU-WEST-1: a@other.org",
        400,
    )
    assert client.raw_refused(Source="a@other.org") == unverified
    disguised = client.raw_refused(RAW.replace(b"shop@example.com", b"a@other.org"), Source="b@example.com")
    assert disguised[1] == unverified[1].replace("a@other.org", "Shop <a@other.org>")
    assert Older(region="eu-west-1", sandbox=True).raw_refused(Source="a@other.org") == unverified
    assert client.raw_refused(Source="nobody")[0] == "MessageRejected"
    assert client.account.outbox.accepted == 0
    assert client.raw(Source="bounces@mail.example.com").return_path == "bounces@mail.example.com"
    assert client.raw(Source=client.account.outbox.outbox.sender).sender == "Shop <shop@example.com>"


def test_a_raw_message_without_a_sender() -> None:
    data = RAW.replace(b"From:", b"X-Not:")
    assert Older().raw_refused(data)[:2] == (
        "InvalidParameterValue",
        "The raw message has no From header, and the request no Source.",
    )
    assert Older().raw(data=data, Source="a@b.c").sender == "a@b.c"


@pytest.mark.rule("SES-SND-4")
@pytest.mark.rule("SES-TEN-1")
def test_the_headers_of_a_raw_message_ask_for_a_set_and_a_tenant() -> None:
    client = Older(configuration_sets={"s": ConfigurationSet(sending=False)}, tenants={"acme": SendingTenant()})
    data = b"X-SES-CONFIGURATION-SET: s\nX-SES-TENANT: acme\n" + RAW
    assert client.raw_refused(data)[0] == "ConfigurationSetSendingPausedException"
    client("CreateConfigurationSet", ConfigurationSetName="on")
    client.raw(data=data, ConfigurationSetName="on")
    refusal = client.raw_refused(b"X-SES-TENANT: x\n" + RAW)
    assert refusal == ("InvalidParameterValue", "Tenant x does not exist.", 400)


@pytest.mark.rule("SES-SND-6")
def test_a_template_is_filled_and_what_is_missing_is_found_after_acceptance() -> None:
    client = Older()
    template = {"TemplateName": "t", "SubjectPart": "Hi {{name}}", "TextPart": "Hello"}
    client("CreateTemplate", Template=template)
    request = {"Source": "a@b.c", "Destination": TO, "Template": "t"}
    client("SendTemplatedEmail", TemplateData='{"name": "Ann"}', **request)
    assert client.last.subject == "Hi Ann"
    assert client("SendTemplatedEmail", TemplateData="{}", **request)["MessageId"]
    assert client.account.outbox.rendering_failed == 1
    refusal = client.refusal("SendTemplatedEmail", TemplateData="[", **request)
    assert refusal == ("InvalidParameterValue", "TemplateData is not a JSON object.", 400)


@pytest.mark.rule("SES-SND-5")
def test_each_destination_of_a_bulk_has_its_status() -> None:
    client = Older(max_24_hour_send=2, configuration_sets={"off": ConfigurationSet(sending=False)})
    client("CreateTemplate", Template={"TemplateName": "t", "SubjectPart": "Hi {{name}}"})

    def bulk(*to: str, **params: Any) -> list[dict[str, str]]:
        entries = [{"Destination": {"ToAddresses": [each]}} for each in to]
        entries[0]["ReplacementTemplateData"] = '{"name": "Ann"}'  # type: ignore[assignment]
        request = {"Source": "a@b.c", "Template": "t", "DefaultTemplateData": '{"name": "you"}', **params}
        results: list[dict[str, str]] = client("SendBulkTemplatedEmail", Destinations=entries, **request)["Status"]
        return results

    results = bulk("a@b.c", "nobody", "b@b.c", "c@b.c")
    assert [each["Status"] for each in results] == [
        "Success",
        "MessageRejected",
        "Success",
        "AccountDailyQuotaExceeded",
    ]
    assert [sent.email.subject for sent in client.account.outbox.sent] == ["Hi Ann", "Hi you"]
    assert results[0]["MessageId"] == client.account.outbox.sent[0].message_id
    assert bulk("a@b.c", Template="x")[0]["Status"] == "TemplateDoesNotExist"
    assert bulk("a@b.c", ConfigurationSetName="x")[0]["Status"] == "ConfigurationSetDoesNotExist"
    assert bulk("a@b.c", ConfigurationSetName="off")[0]["Status"] == "ConfigurationSetSendingPaused"
    assert bulk("a@b.c", DefaultTemplateData="x")[0]["Status"] == "InvalidParameterValue"
    for count in (0, 51):
        request = {"Source": "a@b.c", "Template": "t", "DefaultTemplateData": "{}"}
        refusal = client.refusal("SendBulkTemplatedEmail", Destinations=[{"Destination": TO}] * count, **request)
        assert refusal == ("InvalidParameterValue", f"{count} destinations; allowed: 1 to 50 (SES-QUO-8)", 400)


@pytest.mark.rule("SES-QUO-2")
@pytest.mark.rule("SES-QUO-3")
def test_quotas_are_told_in_recipients() -> None:
    client = Older(max_send_rate=14, max_24_hour_send=200)
    client.send(Destination={"ToAddresses": ["a@b.c", "d@b.c"]})
    assert client("GetSendQuota") == {"Max24HourSend": 200.0, "MaxSendRate": 14.0, "SentLast24Hours": 2.0}
    assert Older()("GetSendQuota") == {"Max24HourSend": -1.0, "MaxSendRate": -1.0, "SentLast24Hours": 0.0}


@pytest.mark.rule("SES-REP-4")
def test_statistics_are_by_quarters_of_an_hour() -> None:
    client = Older(epoch=900_000)
    client.send(0)
    client.send(899)
    client.send(1_800)
    client.raw(2_000, INFECTED)
    assert client("GetSendStatistics", 2_000) == {
        "SendDataPoints": [
            {"Timestamp": 900_000.0, "DeliveryAttempts": 2, "Bounces": 0, "Complaints": 0, "Rejects": 0},
            {"Timestamp": 901_800.0, "DeliveryAttempts": 1, "Bounces": 0, "Complaints": 0, "Rejects": 3},
        ]
    }
    days = 14 * 86_400
    assert len(client("GetSendStatistics", days + 899)["SendDataPoints"]) == 2
    assert len(client("GetSendStatistics", days + 900)["SendDataPoints"]) == 1
    assert client("GetSendStatistics", days + 2_700) == {"SendDataPoints": []}


@pytest.mark.rule("SES-REP-3")
def test_sending_is_paused_and_goes_on_by_request() -> None:
    client = Older()
    assert client("GetAccountSendingEnabled") == {"Enabled": True}
    client("UpdateAccountSendingEnabled", Enabled=False)
    assert client("GetAccountSendingEnabled") == {"Enabled": False}
    client("UpdateAccountSendingEnabled", Enabled=True)
    client.send()
