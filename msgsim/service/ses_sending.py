"""SES: emails, one by one and in bulk (SES-SND-1 ... SES-SND-5)."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from msgsim.bus.addresses import parse_address
from msgsim.bus.email_templates import TemplatedEmail
from msgsim.bus.emails import Email
from msgsim.bus.outbox import OVER_DAILY_QUOTA
from msgsim.bus.terms import Terms
from msgsim.bus.verified import refuse_unverified
from msgsim.errors import (
    AccountSuspended,
    BusError,
    ConfigurationSetDoesNotExist,
    ConfigurationSetPaused,
    MailFromDomainNotVerified,
    MessageRejected,
    SendingPaused,
    ServiceError,
    TemplateDoesNotExist,
    Throttled,
)
from msgsim.quotas import BULK_DESTINATIONS
from msgsim.service.account import Account
from msgsim.service.ses_contents import (
    data_of,
    extras_of,
    pairs,
    parsed,
    raw_fields,
    recipients_of,
    said_in,
    template_in,
    texts_of,
)
from msgsim.service.ses_refusals import SES, bad, configuration_set_of
from msgsim.service.ses_tenants import check_ready

STATUSES: Mapping[type[BusError], str] = {
    AccountSuspended: "ACCOUNT_SUSPENDED",
    ConfigurationSetDoesNotExist: "CONFIGURATION_SET_NOT_FOUND",
    ConfigurationSetPaused: "CONFIGURATION_SET_SENDING_PAUSED",
    MailFromDomainNotVerified: "MAIL_FROM_DOMAIN_NOT_VERIFIED",
    MessageRejected: "MESSAGE_REJECTED",
    SendingPaused: "ACCOUNT_SENDING_PAUSED",
    TemplateDoesNotExist: "TEMPLATE_NOT_FOUND",
    Throttled: "ACCOUNT_THROTTLED",
}
"""What one entry of a bulk is told; other refusals are of its parameters (SES-SND-5)."""

KINDS = ("Simple", "Raw", "Template")


def send_email(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Send an email: of texts, as it is, or of a template (SES-SND-1 ... SES-SND-4, SES-SND-7, SES-SND-8).

    Which error tells of the daily quota is unconfirmed: it goes by "LimitExceededException" here, and clients do well
    to look at the message (SES-QUO-5).
    """
    content = params["Content"]
    if len(content) != 1:
        raise bad(f"Content must have exactly one of {', '.join(KINDS)}.")
    options = dict(params)
    if "Raw" in content:
        email, own = _raw(params)
        options = {**own, **options}
        return _sent(account, email, terms_of(account, options, email.sender, now), now)
    if "FromEmailAddress" not in params:
        raise bad(SES.missing.text.format("FromEmailAddress"))
    if "Simple" in content:
        simple = content["Simple"]
        texts = {
            "subject": simple["Subject"]["Data"],
            **texts_of(simple["Body"], "Content.Simple.Body"),
            **extras_of(simple),
        }
        email = _email(params, **texts)
        return _sent(account, email, terms_of(account, options, email.sender, now), now)
    given = content["Template"]
    email = _email(params, **extras_of(given))
    template = TemplatedEmail(template_in(account, given), data_of(given.get("TemplateData", "{}")), email)
    return _sent(account, email, terms_of(account, options, email.sender, now), now, template)


def send_bulk_email(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Send an email of one template to each of up to 50 destinations; each has a status of its own (SES-SND-5)."""
    entries = params["BulkEmailEntries"]
    if not 1 <= len(entries) <= BULK_DESTINATIONS.high:
        allowed = f"1 to {BULK_DESTINATIONS.high:g} ({BULK_DESTINATIONS.rule})"
        raise bad(f"{len(entries)} destinations; allowed: {allowed}")
    results = [status_of(account, partial(_send_entry, account, params, entry, now)) for entry in entries]
    return {"BulkEmailEntryResults": results}


def status_of(account: Account, send: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What one destination of a bulk is told: its message id, or why it has none (SES-SND-5)."""
    try:
        answer = send()
    except Throttled as error:
        over = account.outbox.refusal == OVER_DAILY_QUOTA
        return {"Status": "ACCOUNT_DAILY_QUOTA_EXCEEDED" if over else "ACCOUNT_THROTTLED", "Error": str(error)}
    except BusError as error:
        return {"Status": STATUSES.get(type(error), "INVALID_PARAMETER"), "Error": str(error)}
    except ServiceError as error:
        return {"Status": "INVALID_PARAMETER", "Error": error.message}
    return {"Status": "SUCCESS", **answer}


def _send_entry(account: Account, params: Mapping[str, Any], entry: Mapping[str, Any], now: float) -> dict[str, Any]:
    given = params["DefaultContent"]["Template"]
    content = entry.get("ReplacementEmailContent", {}).get("ReplacementTemplate", {})
    extras = extras_of(given)
    replaced = pairs(entry.get("ReplacementHeaders", ()))
    taken = {name.lower() for name, _ in replaced}
    extras["headers"] = (*replaced, *(pair for pair in extras["headers"] if pair[0].lower() not in taken))
    tags = dict(pairs(params.get("DefaultEmailTags", ()))) | dict(pairs(entry.get("ReplacementTags", ())))
    options = {**params, "Destination": entry.get("Destination", {})}
    email = _email(options, tags=tags, **extras)
    data = data_of(given.get("TemplateData", "{}")) | data_of(content.get("ReplacementTemplateData", "{}"))
    templated = TemplatedEmail(template_in(account, given), data, email)
    terms = terms_of(account, params, email.sender, now, operation="SendBulkEmail")
    return {"MessageId": accepted(account, email, terms, now, templated)}


def _email(params: Mapping[str, Any], **fields: Any) -> Email:
    """An email of what stands beside its content."""
    usual = {
        "sender": params["FromEmailAddress"],
        "reply_to": params.get("ReplyToAddresses", ()),
        "return_path": params.get("FeedbackForwardingEmailAddress"),
        "tags": pairs(params.get("EmailTags", ())),
        "list_unsubscribe": _unsubscription(params),
    }
    return Email(**recipients_of(params.get("Destination", {})), **{**usual, **fields})


def _raw(params: Mapping[str, Any]) -> tuple[Email, dict[str, Any]]:
    """An email as it is, and what its headers say beside it.

    The request's sender and recipients go before those of the message.
    """
    message = parsed(params["Content"]["Raw"]["Data"])
    fields = raw_fields(message)
    fields["reply_to"] = params.get("ReplyToAddresses", ()) or fields.pop("reply-to")
    fields.pop("reply-to", None)
    fields["sender"] = params.get("FromEmailAddress", fields["sender"])
    if fields["sender"] is None:
        raise bad("The raw message has no From header, and the request no FromEmailAddress.")
    if params.get("Destination"):
        fields |= recipients_of(params["Destination"])
    own, tags = said_in(message)
    fields["tags"] = tags | dict(pairs(params.get("EmailTags", ())))
    return Email(
        return_path=params.get("FeedbackForwardingEmailAddress"), list_unsubscribe=_unsubscription(params), **fields
    ), own


def _unsubscription(params: Mapping[str, Any]) -> tuple[str, ...]:
    """Where one click ends a subscription to a contact list, as the service adds it (SES-IDN-3)."""
    options = params.get("ListManagementOptions")
    if options is None:
        return ()
    words = [quote(options[name], safe="") for name in ("ContactListName", "TopicName") if name in options]
    return (f"https://unsubscribe.example.com/{'/'.join(words)}",)


def terms_of(
    account: Account, params: Mapping[str, Any], sender: str | None, now: float, *, operation: str = "SendEmail"
) -> Terms:
    """On what terms an email is sent: its configuration set and tenant (SES-SND-4, SES-TEN-1).

    The set is that of the request, else of the identity that it is sent by, else the outbox's (SES-CFG-1).
    """
    name, tenant = params.get("ConfigurationSetName"), params.get("TenantName")
    if name is None:
        identity = account.sending_identity(sender, now)
        own = None if identity is None else identity.configuration_set
        name = account.outbox.outbox.configuration_set if own is None else own
    if name is not None:
        configuration_set_of(account, name)
    if tenant is not None:
        check_ready(account, tenant)
    return account.outbox.terms(name, tenant=tenant, operation=operation)


def _sent(
    account: Account, email: Email, terms: Terms, now: float, templated: TemplatedEmail | None = None
) -> dict[str, Any]:
    try:
        return {"MessageId": accepted(account, email, terms, now, templated)}
    except Throttled as error:
        if account.outbox.refusal == OVER_DAILY_QUOTA:
            raise ServiceError("LimitExceededException", str(error)) from error
        raise


def accepted(
    account: Account,
    email: Email,
    terms: Terms,
    now: float,
    templated: TemplatedEmail | None = None,
    *,
    source: str | None = None,
) -> str:
    """Send it; a refusal of addresses that are not verified names the account's Region (SES-SND-2).

    Args:
        account: whose it is.
        email: what is sent, or all of it but what the template makes.
        terms: on which.
        now: [s].
        templated: the same with its template.
        source: whose verification counts beside that of the email's sender; None for nobody's.
    """
    try:
        if source is not None:
            _check_source(account, source, now)
        return account.outbox.send_email(email, now, terms=terms, templated=templated)
    except MessageRejected as error:
        raise MessageRejected(
            str(error).replace("in region US-EAST-1:", f"in region {account.region.upper()}:", 1)
        ) from error


def _check_source(account: Account, source: str, now: float) -> None:
    parse_address(source)
    live = account.outbox
    if (live.identities.in_use or live.outbox.sandbox) and not live.outbox.is_usual(source):
        refuse_unverified([] if live.identities.covers(source, now) else [source])
