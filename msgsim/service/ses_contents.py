"""SES: what a request has for an email: its texts, a template with data, or a message as it is (SES-SND-8)."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgsim.bus.email_templates import EmailTemplate
from msgsim.bus.emails import OWN_HEADERS, Attachment
from msgsim.errors import DeclarationError, MessageRejected
from msgsim.quotas import MESSAGE_BYTES, Quota
from msgsim.service.account import Account
from msgsim.service.ses_refusals import SES, bad, template_of

if TYPE_CHECKING:
    from email.message import EmailMessage


def recipients_of(destination: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an email that say whom it goes to."""
    return {field: destination.get(f"{field.capitalize()}Addresses", ()) for field in ("to", "cc", "bcc")}


def pairs(given: Sequence[Mapping[str, str]]) -> tuple[tuple[str, str], ...]:
    """Headers or tags as an email has them."""
    return tuple((each["Name"], each["Value"]) for each in given)


def texts_of(body: Mapping[str, Any], path: str) -> dict[str, Any]:
    """The fields of an email that a body makes: a text, HTML, or both.

    Raises:
        ServiceError: it has neither.
    """
    if not body:
        raise SES.error(SES.missing.code, SES.missing.text.format(f"{path}.Text"))
    return {
        "body": body["Text"]["Data"] if "Text" in body else "",
        "html": body["Html"]["Data"] if "Html" in body else None,
    }


def extras_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an email that headers and attachments make (SES-SND-8).

    Raises:
        ServiceError: an attachment that cannot be.
    """
    try:
        files = [
            Attachment(
                each["FileName"],
                each["RawContent"],
                type=each.get("ContentType", "application/octet-stream"),
                content_id=each.get("ContentId"),
            )
            for each in content.get("Attachments", ())
        ]
    except DeclarationError as error:
        raise bad(str(error)) from error
    return {"headers": pairs(content.get("Headers", ())), "attachments": files}


def template_in(account: Account, given: Mapping[str, Any]) -> EmailTemplate:
    """The template that a request names or brings along.

    Raises:
        TemplateDoesNotExist: there is none of that name (SES-SND-4).
        ServiceError: it says neither or both, or no template can be like this.
    """
    if ("TemplateName" in given) is ("TemplateContent" in given):
        raise bad("Template must have either TemplateName or TemplateContent.")
    if "TemplateName" in given:
        return template_of(account, given["TemplateName"])
    return template_made(given["TemplateContent"])


def template_made(content: Mapping[str, str]) -> EmailTemplate:
    """A template of texts.

    Raises:
        ServiceError: no template can be like this.
    """
    try:
        return EmailTemplate(subject=content.get("Subject", ""), text=content.get("Text", ""), html=content.get("Html"))
    except DeclarationError as error:
        raise bad(str(error)) from error


def data_of(written: str) -> dict[str, Any]:
    """The data of a template.

    Raises:
        ServiceError: no JSON object.
    """
    try:
        data = json.loads(written)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise bad("TemplateData is not a JSON object.")
    return data


def parsed(raw: bytes, limit: Quota = MESSAGE_BYTES) -> "EmailMessage":
    """A message as it is on the wire.

    Raises:
        MessageRejected: too large (SES-QUO-8).
    """
    from email import message_from_bytes, policy  # noqa: PLC0415 - keeps `import msgsim` light

    if len(raw) > limit.high:
        raise MessageRejected(f"Message length is more than {limit.high:.0f} bytes long: '{len(raw)}'.")
    return message_from_bytes(raw, policy=policy.default)


def raw_fields(message: "EmailMessage") -> dict[str, Any]:
    """The fields of an email that a message makes: addresses, texts, files, and further headers as they are.

    Raises:
        ServiceError: it cannot be read.
    """
    try:
        text, html = message.get_body(("plain",)), message.get_body(("html",))
        files = [
            Attachment(
                part.get_filename() or "file",
                bytes(part.get_payload(decode=True) or b""),
                type=part.get_content_type(),
            )
            for part in message.iter_attachments()
            if not part.is_multipart()
        ]
        kept = [(name, str(value)) for name, value in message.items() if not _is_own(name)]
        return {
            **{field: _addresses(message, field) for field in ("to", "cc", "bcc", "reply-to")},
            "sender": next(iter(_addresses(message, "from")), None),
            "subject": str(message.get("subject", "")),
            "body": "" if text is None else text.get_content(),
            "html": None if html is None else html.get_content(),
            "headers": kept,
            "attachments": files,
        }
    except DeclarationError as error:
        raise bad(f"The raw message cannot be read: {error}") from error
    except (LookupError, ValueError, AttributeError, TypeError) as error:  # whatever a parser stumbles over
        raise bad("The raw message cannot be read: a header or a part of it is malformed.") from error


def said_in(message: "EmailMessage") -> tuple[dict[str, str], dict[str, str]]:
    """What the headers of a message ask of the service: parameters of a request, and message tags (SES-TEN-1)."""
    named = {"ConfigurationSetName": "X-SES-CONFIGURATION-SET", "TenantName": "X-SES-TENANT"}
    params = {name: str(message[header]).strip() for name, header in named.items() if header in message}
    written = str(message.get("X-SES-MESSAGE-TAGS", "")).split(",")
    tags = {name.strip(): value.strip() for name, _, value in (each.partition("=") for each in written if each)}
    return params, tags


def _is_own(name: str) -> bool:
    lower = name.lower()
    return lower in OWN_HEADERS or lower.startswith(("content-", "x-ses-"))


def _addresses(message: "EmailMessage", header: str) -> tuple[str, ...]:
    return tuple(str(each) for value in message.get_all(header, ()) for each in value.addresses)
