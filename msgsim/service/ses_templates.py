"""SES: templates of emails: stored, listed, tried (SES-SND-6)."""

from collections.abc import Mapping
from typing import Any

import attrs

from msgsim.bus.email_templates import TemplatedEmail
from msgsim.bus.emails import Email
from msgsim.errors import RenderingFailure
from msgsim.quotas import TEMPLATES
from msgsim.service.account import Account
from msgsim.service.email_record import StoredTemplate
from msgsim.service.ses_contents import data_of, template_made
from msgsim.service.ses_refusals import SES, full, page, template_of


def create_email_template(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Store a template; the account has at most 20,000 (SES-QUO-8)."""
    name, templates = params["TemplateName"], account.emails.templates
    if name in templates:
        raise SES.error("AlreadyExistsException", f"Template {name} already exists.")
    if len(templates) >= TEMPLATES.high:
        raise full(TEMPLATES)
    templates[name] = StoredTemplate(template_made(params["TemplateContent"]), now)
    return {}


def get_email_template(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """A template as it was stored."""
    template = template_of(account, params["TemplateName"])
    content = {"Subject": template.subject, "Text": template.text, "Html": template.html}
    return {
        "TemplateName": params["TemplateName"],
        "TemplateContent": {name: value for name, value in content.items() if value},
    }


def update_email_template(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Give a template other texts; emails that were accepted before keep theirs."""
    template_of(account, params["TemplateName"])
    templates, name = account.emails.templates, params["TemplateName"]
    templates[name] = attrs.evolve(templates[name], template=template_made(params["TemplateContent"]))
    return {}


def delete_email_template(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Let a template go; one that is not there is an error."""
    template_of(account, params["TemplateName"])
    del account.emails.templates[params["TemplateName"]]
    return {}


def list_email_templates(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """All templates, in the order in which they were stored."""
    listed = [
        {"TemplateName": name, "CreatedTimestamp": account.epoch + stored.created_at}
        for name, stored in account.emails.templates.items()
    ]
    return page("TemplatesMetadata", listed, params)


def test_render_email_template(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """The message that a template and data make; here, data that are missing are an error at once (SES-SND-6)."""
    template = template_of(account, params["TemplateName"])
    templated = TemplatedEmail(template, data_of(params["TemplateData"]), Email(to="recipient@example.com"))
    try:
        email = templated.render()
    except RenderingFailure as error:
        raise SES.error("BadRequestException", str(error)) from error
    from msgsim.bus.composition import compose  # noqa: PLC0415 - keeps `import msgsim` light

    sender = account.outbox.outbox.sender
    message = compose(email, message_id="rendered", sender=sender, sent_at=account.epoch + now)
    return {"RenderedTemplate": message.as_string()}
