"""SES: templates."""

import pytest

from msgsim.bus.email_templates import EmailTemplate
from msgsim.service.email_record import StoredTemplate
from tests.service.emails import Emails

GREETING = {"Subject": "Hi {{name}}", "Text": "Hello {{name}}"}


def stored() -> Emails:
    client = Emails()
    client("CreateEmailTemplate", 5, TemplateName="greeting", TemplateContent=GREETING)
    return client


def test_a_template_is_stored_changed_and_deleted() -> None:
    client = stored()
    assert client("GetEmailTemplate", 5, TemplateName="greeting") == {
        "TemplateName": "greeting",
        "TemplateContent": GREETING,
    }
    client("UpdateEmailTemplate", 6, TemplateName="greeting", TemplateContent={"Subject": "x", "Html": "<p>y</p>"})
    content = client("GetEmailTemplate", 6, TemplateName="greeting")["TemplateContent"]
    assert content == {"Subject": "x", "Html": "<p>y</p>"}
    listed = client("ListEmailTemplates", 6)["TemplatesMetadata"]
    assert listed == [{"TemplateName": "greeting", "CreatedTimestamp": client.account.epoch + 5}]
    client("DeleteEmailTemplate", 7, TemplateName="greeting")
    assert client("ListEmailTemplates", 7) == {"TemplatesMetadata": []}


@pytest.mark.rule("SES-SND-4")
@pytest.mark.parametrize("operation", ["GetEmailTemplate", "UpdateEmailTemplate", "DeleteEmailTemplate"])
def test_a_template_that_is_not_there_is_not_found(operation: str) -> None:
    extra = {"TemplateContent": GREETING} if operation == "UpdateEmailTemplate" else {}
    expected = ("NotFoundException", "Template x does not exist.", 404)
    assert Emails().refusal(operation, TemplateName="x", **extra) == expected


@pytest.mark.rule("SES-QUO-8")
def test_names_are_taken_once_and_20_000_are_the_most() -> None:
    client = stored()
    refusal = client.refusal("CreateEmailTemplate", 5, TemplateName="greeting", TemplateContent=GREETING)
    assert refusal[:2] == ("AlreadyExistsException", "Template greeting already exists.")
    same = StoredTemplate(EmailTemplate(), 0)
    client.account.emails.templates.update({f"t{number}": same for number in range(19_999)})
    refusal = client.refusal("CreateEmailTemplate", 5, TemplateName="more", TemplateContent=GREETING)
    assert refusal[:2] == ("LimitExceededException", "There are 20000 templates already")


def test_lists_come_in_pages() -> None:
    client = Emails()
    for name in "abc":
        client("CreateEmailTemplate", TemplateName=name, TemplateContent={})
    first = client("ListEmailTemplates", PageSize=2)
    second = client("ListEmailTemplates", PageSize=2, NextToken=first["NextToken"])
    names = [[each["TemplateName"] for each in page["TemplatesMetadata"]] for page in (first, second)]
    assert (names, "NextToken" in second) == ([["a", "b"], ["c"]], False)
    assert client.refusal("ListEmailTemplates", PageSize=0)[0] == "BadRequestException"
    for token in ("x", "9", "9" * 5_000):
        assert client.refusal("ListEmailTemplates", NextToken=token)[0] == "BadRequestException"


@pytest.mark.rule("SES-SND-6")
def test_a_template_can_be_tried() -> None:
    client = stored()
    rendered = client("TestRenderEmailTemplate", 5, TemplateName="greeting", TemplateData='{"name": "Ann"}')
    assert "Subject: Hi Ann" in rendered["RenderedTemplate"]
    assert "Hello Ann" in rendered["RenderedTemplate"]
    refusal = client.refusal("TestRenderEmailTemplate", 5, TemplateName="greeting", TemplateData="{}")
    assert refusal[:2] == ("BadRequestException", "Attribute 'name' is not present in the rendering data.")


def test_templates_that_are_declared_are_there() -> None:
    client = Emails(templates={"hello": EmailTemplate(subject="Hello")})
    assert client("GetEmailTemplate", TemplateName="hello")["TemplateContent"] == {"Subject": "Hello"}
