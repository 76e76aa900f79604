"""SES: emails of texts, as they are, of templates, and in bulk."""

from typing import Any

import pytest

from msgsim.bus.configuration_set import ConfigurationSet
from msgsim.bus.sending_tenants import SendingTenant
from tests.service.emails import HELLO, Emails

RAW = b"""From: Shop <shop@example.com>
To: Ann <ann@example.com>
Reply-To: help@example.com
Subject: Your order
X-Order: 7
X-SES-CONFIGURATION-SET: receipts
X-SES-TENANT: north
X-SES-MESSAGE-TAGS: kind=receipt, shop=1
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: text/plain

Thanks
--b
Content-Type: text/html

<p>Thanks</p>
--b
Content-Type: application/pdf
Content-Disposition: attachment; filename="bill.pdf"
Content-Transfer-Encoding: base64

JVBERg==
--b--
"""
GREETING = {"Subject": "Hi {{name}}", "Text": "Hello {{name}}"}
TEMPLATE = {"Template": {"TemplateContent": GREETING, "TemplateData": '{"name": "Ann"}'}}


def bulk(client: Emails, *to: str, now: float = 0, **params: Any) -> list[dict[str, Any]]:
    """Send one template to some addresses; the statuses."""
    entries = [{"Destination": {"ToAddresses": [each]}} for each in to]
    request = {
        "FromEmailAddress": "shop@example.com",
        "DefaultContent": TEMPLATE,
        "BulkEmailEntries": entries,
        **params,
    }
    results: list[dict[str, Any]] = client("SendBulkEmail", now, **request)["BulkEmailEntryResults"]
    return results


@pytest.mark.rule("SES-SND-8")
@pytest.mark.rule("SES-SND-7")
def test_headers_files_and_tags_come_with_an_email() -> None:
    client = Emails()
    file = {"FileName": "a.txt", "RawContent": b"x", "ContentType": "text/plain"}
    simple = {**HELLO["Simple"], "Headers": [{"Name": "X-Order", "Value": "7"}], "Attachments": [file]}
    client.send(
        Content={"Simple": simple}, EmailTags=[{"Name": "kind", "Value": "receipt"}], ReplyToAddresses=["b@c.d"]
    )
    email = client.last
    assert (email.headers, email.tags, email.reply_to) == ((("X-Order", "7"),), (("kind", "receipt"),), ("b@c.d",))
    (attachment,) = email.attachments
    assert (attachment.name, attachment.content, attachment.type) == ("a.txt", b"x", "text/plain")

    code, message, _ = client.refused(Content={"Simple": {**simple, "Headers": [{"Name": "To", "Value": "x@y.z"}]}})
    assert (code, "'To'" in message) == ("BadRequestException", True)
    code, message, _ = client.refused(Content={"Simple": {**simple, "Attachments": [{**file, "FileName": ""}]}})
    assert (code, "Attachment.name" in message) == ("BadRequestException", True)
    code, message, _ = client.refused(EmailTags=[{"Name": "a b", "Value": "x"}])
    assert (code, message[:23]) == ("BadRequestException", "Invalid tag name <a b>:")


@pytest.mark.rule("SES-IDN-3")
def test_a_list_can_be_left_by_one_click() -> None:
    client = Emails()
    client.send(ListManagementOptions={"ContactListName": "news & more", "TopicName": "daily"})
    assert client.last.one_click
    assert client.last.list_unsubscribe == ("https://unsubscribe.example.com/news%20%26%20more/daily",)


def test_a_raw_message_says_all_by_itself() -> None:
    client = Emails(configuration_sets={"receipts": ConfigurationSet()}, tenants={"north": SendingTenant()})
    client("SendEmail", Content={"Raw": {"Data": RAW}})
    email = client.last
    assert (email.to, email.sender, email.subject) == (
        ("Ann <ann@example.com>",),
        "Shop <shop@example.com>",
        "Your order",
    )
    assert (email.body.strip(), email.html.strip()) == ("Thanks", "<p>Thanks</p>")
    assert (email.headers, email.reply_to) == ((("X-Order", "7"),), ("help@example.com",))
    assert dict(email.tags) == {"kind": "receipt", "shop": "1"}
    assert [(each.name, each.content) for each in email.attachments] == [("bill.pdf", b"%PDF")]


def test_the_request_goes_before_the_headers_of_a_raw_message() -> None:
    client = Emails(configuration_sets={"other": ConfigurationSet()}, tenants={"north": SendingTenant()})
    client.send(
        to="bob@example.com",
        Content={"Raw": {"Data": RAW}},
        ConfigurationSetName="other",
        EmailTags=[{"Name": "kind", "Value": "x"}],
    )
    assert (client.last.to, client.last.sender) == (("bob@example.com",), "shop@example.com")
    assert dict(client.last.tags)["kind"] == "x"


def test_a_raw_message_that_cannot_be_read_is_refused() -> None:
    client = Emails()
    assert client.refusal("SendEmail", Content={"Raw": {"Data": b"To: a@b.c\n\nx"}})[:2] == (
        "BadRequestException",
        "The raw message has no From header, and the request no FromEmailAddress.",
    )
    strange = b"From: a@b.c\nTo: a@b.c\nContent-Type: text/plain; charset=none-such\n\nx"
    code, message, _ = client.refusal("SendEmail", Content={"Raw": {"Data": strange}})
    assert (code, message) == (
        "BadRequestException",
        "The raw message cannot be read: a header or a part of it is malformed.",
    )
    named = b"From: a@b.c\nTo: a@b.c\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b\nContent-Disposition: "
    odd = named + b"attachment; filename*=utf-8''a%01b\n\nx\n--b--"
    code, message, _ = client.refusal("SendEmail", Content={"Raw": {"Data": odd}})
    assert code == "BadRequestException"
    assert "Attachment.name: 'a\\x01b' has a line break or control character" in message
    code, message, _ = client.refusal("SendEmail", Content={"Raw": {"Data": b"x" * 41_943_041}})
    assert (code, message) == ("MessageRejected", "Message length is more than 41943040 bytes long: '41943041'.")


@pytest.mark.rule("SES-SND-6")
def test_a_template_is_filled_and_what_is_missing_is_found_after_acceptance() -> None:
    client = Emails()
    client("CreateEmailTemplate", TemplateName="greeting", TemplateContent=GREETING)
    client.send(Content=TEMPLATE)
    assert (client.last.subject, client.last.body) == ("Hi Ann", "Hello Ann")
    assert client.send(Content={"Template": {"TemplateName": "greeting"}})
    assert (client.account.outbox.rendering_failed, client.account.outbox.delivered) == (1, 1)


def test_in_the_sandbox_too() -> None:
    client = Emails(sandbox=True, verified=["example.com"])
    assert client.send(Content={"Template": {"TemplateContent": GREETING}})
    assert client.account.outbox.rendering_failed == 1


@pytest.mark.rule("SES-SND-4")
def test_what_an_email_names_must_be_there() -> None:
    client = Emails()
    assert client.refused(Content={"Template": {"TemplateName": "x"}}) == (
        "NotFoundException",
        "Template x does not exist.",
        404,
    )
    assert client.refused(ConfigurationSetName="x") == (
        "NotFoundException",
        "Configuration set <x> does not exist.",
        404,
    )
    assert client.refused(TenantName="x") == ("NotFoundException", "Tenant x does not exist.", 404)


@pytest.mark.rule("SES-SND-4")
def test_requests_that_cannot_be() -> None:
    client = Emails()
    assert client.refused(Content={"Template": {}})[:2] == (
        "BadRequestException",
        "Template must have either TemplateName or TemplateContent.",
    )
    for data in ("[", "[1]"):
        given = {"Template": {"TemplateContent": GREETING, "TemplateData": data}}
        assert client.refused(Content=given)[:2] == ("BadRequestException", "TemplateData is not a JSON object.")
    code, message, _ = client.refused(Content={"Template": {"TemplateContent": {"Text": "{{#if}}"}}})
    assert (code, "EmailTemplate.text" in message) == ("BadRequestException", True)
    assert client.refusal("SendEmail", Content=HELLO)[:2] == (
        "BadRequestException",
        "The request must contain the parameter FromEmailAddress.",
    )


@pytest.mark.rule("SES-SND-4")
@pytest.mark.rule("SES-REP-3")
def test_a_paused_configuration_set_or_tenant_sends_nothing() -> None:
    client = Emails(configuration_sets={"s": ConfigurationSet(sending=False)}, tenants={"t": SendingTenant()})
    code, message, _ = client.refused(ConfigurationSetName="s")
    assert (code, message) == ("SendingPausedException", "Email sending is paused for the configuration set s")
    client.send()


@pytest.mark.rule("SES-SND-2")
def test_a_sender_that_is_not_verified_is_named_with_the_region() -> None:
    client = Emails(region="eu-west-1", verified=["other.example"])
    code, message, _ = client.refused()
    where = "Email address is not verified. The following identities failed the check in region EU-WEST-1: "
    assert (code, message) == ("MessageRejected", f"{where}shop@example.com")


@pytest.mark.rule("SES-SND-5")
def test_each_destination_of_a_bulk_has_its_status() -> None:
    client = Emails(max_24_hour_send=2)
    results = bulk(client, "a@example.com", "nobody", "b@example.com", "c@example.com")
    assert [each["Status"] for each in results] == [
        "SUCCESS",
        "MESSAGE_REJECTED",
        "SUCCESS",
        "ACCOUNT_DAILY_QUOTA_EXCEEDED",
    ]
    assert results[0]["MessageId"] != results[2]["MessageId"]
    assert results[3]["Error"] == "Daily message quota exceeded"
    limited = Emails(max_send_rate=1)
    assert [each["Status"] for each in bulk(limited, "a@b.c", "a@b.c")] == ["SUCCESS", "ACCOUNT_THROTTLED"]


@pytest.mark.rule("SES-SND-5")
def test_a_bulk_that_names_what_is_not_there_fails_by_destination() -> None:
    client = Emails(configuration_sets={"s": ConfigurationSet(sending=False)})

    def status(**params: Any) -> str:
        return str(bulk(client, "a@b.c", **params)[0]["Status"])

    assert status(ConfigurationSetName="x") == "CONFIGURATION_SET_NOT_FOUND"
    assert status(ConfigurationSetName="s") == "CONFIGURATION_SET_SENDING_PAUSED"
    assert status(DefaultContent={"Template": {"TemplateName": "x"}}) == "TEMPLATE_NOT_FOUND"
    assert status(DefaultContent={"Template": {"TemplateContent": {}, "TemplateData": "x"}}) == "INVALID_PARAMETER"
    assert status(TenantName="x") == "INVALID_PARAMETER"
    client.account.outbox.pause(0)
    assert status() == "ACCOUNT_SENDING_PAUSED"


@pytest.mark.rule("SES-SND-5")
def test_a_destination_of_a_bulk_may_have_data_headers_and_tags_of_its_own() -> None:
    client = Emails()
    headers = [{"Name": "X-A", "Value": "1"}, {"Name": "X-B", "Value": "2"}]
    entry = {
        "Destination": {"ToAddresses": ["a@example.com"]},
        "ReplacementEmailContent": {"ReplacementTemplate": {"ReplacementTemplateData": '{"name": "Bob"}'}},
        "ReplacementHeaders": [{"Name": "x-a", "Value": "3"}],
        "ReplacementTags": [{"Name": "k", "Value": "own"}],
    }
    content = {"Template": {**TEMPLATE["Template"], "Headers": headers}}
    tags = [{"Name": "k", "Value": "all"}, {"Name": "l", "Value": "all"}]
    bulk(client, BulkEmailEntries=[entry], DefaultContent=content, DefaultEmailTags=tags)
    assert client.last.subject == "Hi Bob"
    assert client.last.headers == (("x-a", "3"), ("X-B", "2"))
    assert dict(client.last.tags) == {"k": "own", "l": "all"}


@pytest.mark.rule("SES-QUO-8")
@pytest.mark.parametrize("destinations", [0, 51])
def test_a_bulk_has_1_to_50_destinations(destinations: int) -> None:
    entries = [{"Destination": {"ToAddresses": ["a@b.c"]}}] * destinations
    request = {"FromEmailAddress": "a@b.c", "DefaultContent": TEMPLATE, "BulkEmailEntries": entries}
    code, message, _ = Emails().refusal("SendBulkEmail", **request)
    assert (code, message) == ("BadRequestException", f"{destinations} destinations; allowed: 1 to 50 (SES-QUO-8)")
