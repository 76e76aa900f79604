"""SES (version 1): emails of texts, as they are, of templates and in bulk; quotas, statistics, pauses."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from msgsim.bus.addresses import bare_address
from msgsim.bus.email_templates import TemplatedEmail
from msgsim.bus.emails import Email, check_email, check_tags
from msgsim.bus.terms import Terms
from msgsim.quotas import BULK_DESTINATIONS, MESSAGE_BYTES_V1
from msgsim.service.account import Account
from msgsim.service.ses_accounts import get_account, put_account_sending_attributes
from msgsim.service.ses_contents import data_of, pairs, parsed, raw_fields, recipients_of, said_in, texts_of
from msgsim.service.ses_refusals import bad, template_of
from msgsim.service.ses_sending import accepted, status_of, terms_of

WORDS: Mapping[str, str] = {
    "CONFIGURATION_SET_NOT_FOUND": "ConfigurationSetDoesNotExist",
    "INVALID_PARAMETER": "InvalidParameterValue",
    "TEMPLATE_NOT_FOUND": "TemplateDoesNotExist",
}
"""Statuses of a bulk that version 1 calls by other words, not only in other letters (SES-SND-5)."""


def send_email(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Send an email of texts, of up to 10 MB (SES-SND-1, SES-QUO-8)."""
    message = params["Message"]
    email = _email(params, subject=message["Subject"]["Data"], **texts_of(message["Body"], "Message.Body"))
    return {"MessageId": accepted(account, _small(email), _terms(account, params, email, now), now)}


def send_raw_email(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Send a message as it is, of up to 10 MB, to those whom its headers name unless the request does (SES-QUO-8).

    It is from whom its header says. The source of the request is where bounces go, before any Return-Path, and must be
    verified, too (SES-SND-2).
    """
    message = parsed(params["RawMessage"]["Data"], MESSAGE_BYTES_V1)
    fields = raw_fields(message)
    fields["reply_to"] = fields.pop("reply-to")
    source = params.get("Source")
    author = fields["sender"] or source
    if author is None:
        raise bad("The raw message has no From header, and the request no Source.")
    back = message.get("Return-Path") if source is None else source
    if params.get("Destinations"):
        fields |= _among(params["Destinations"], fields)
    fields |= {"sender": author, "return_path": None if back is None else bare_address(str(back))}
    own, tags = said_in(message)
    tags |= dict(pairs(params.get("Tags", ())))
    email = Email(**fields)
    terms = _terms(account, {**own, **params}, email, now, tags=tuple(tags.items()), operation="SendRawEmail")
    return {"MessageId": accepted(account, email, terms, now, source=source)}


def send_templated_email(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Send an email of a stored template and data, which are found to fit or not after acceptance (SES-SND-6)."""
    return _templated(account, params, data_of(params["TemplateData"]), now, operation="SendTemplatedEmail")


def send_bulk_templated_email(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Send an email of one template to each of up to 50 destinations; each has a status of its own (SES-SND-5)."""
    entries = params["Destinations"]
    if not 1 <= len(entries) <= BULK_DESTINATIONS.high:
        allowed = f"1 to {BULK_DESTINATIONS.high:g} ({BULK_DESTINATIONS.rule})"
        raise bad(f"{len(entries)} destinations; allowed: {allowed}")
    results = [status_of(account, partial(_send_entry, account, params, entry, now)) for entry in entries]
    return {"Status": [{**each, "Status": _word(each["Status"])} for each in results]}


def get_send_quota(account: Account, _: Mapping[str, Any], now: float) -> dict[str, Any]:
    """What the account may send and has sent, in recipients; -1 for no limit (SES-QUO-2, SES-QUO-3)."""
    quota: dict[str, Any] = get_account(account, {}, now)["SendQuota"]
    return quota


def get_send_statistics(account: Account, _: Mapping[str, Any], now: float) -> dict[str, Any]:
    """What became of emails in the last 14 days, by quarters of an hour in which something happened (SES-REP-4)."""
    books = account.outbox.statistics
    return {
        "SendDataPoints": [
            {
                "Timestamp": account.epoch + point.timestamp,
                "DeliveryAttempts": point.delivery_attempts,
                "Bounces": point.bounces,
                "Complaints": point.complaints,
                "Rejects": point.rejects,
            }
            for point in books.points(max(now, books.now))
        ]
    }


def get_account_sending_enabled(account: Account, _: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Whether the account may send, as far as it is not paused (SES-REP-3)."""
    return {"Enabled": not account.outbox.is_paused(now)}


def update_account_sending_enabled(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Pause all sending, or let it go on (SES-REP-3)."""
    return put_account_sending_attributes(account, {"SendingEnabled": params.get("Enabled", False)}, now)


def _send_entry(account: Account, params: Mapping[str, Any], entry: Mapping[str, Any], now: float) -> dict[str, Any]:
    tags = dict(pairs(params.get("DefaultTags", ()))) | dict(pairs(entry.get("ReplacementTags", ())))
    data = data_of(params["DefaultTemplateData"]) | data_of(entry.get("ReplacementTemplateData", "{}"))
    own = {**params, "Destination": entry["Destination"]}
    return _templated(account, own, data, now, tags=tuple(tags.items()), operation="SendBulkTemplatedEmail")


def _templated(
    account: Account,
    params: Mapping[str, Any],
    data: Mapping[str, Any],
    now: float,
    *,
    tags: Sequence[tuple[str, str]] | None = None,
    operation: str,
) -> dict[str, Any]:
    email = _email(params)
    templated = TemplatedEmail(template_of(account, params["Template"]), data, email)
    terms = _terms(account, params, email, now, tags=tags, operation=operation)
    return {"MessageId": accepted(account, email, terms, now, templated)}


def _email(params: Mapping[str, Any], **texts: Any) -> Email:
    """An email of what stands beside its content."""
    return Email(
        **recipients_of(params["Destination"]),
        sender=params["Source"],
        reply_to=params.get("ReplyToAddresses", ()),
        return_path=params.get("ReturnPath"),
        **texts,
    )


def _small(email: Email) -> Email:
    """The email, unless it is larger than version 1 takes, or cannot be sent at all (SES-QUO-8)."""
    check_email(email, MESSAGE_BYTES_V1)
    return email


def _terms(
    account: Account,
    params: Mapping[str, Any],
    email: Email,
    now: float,
    *,
    tags: Sequence[tuple[str, str]] | None = None,
    operation: str = "SendEmail",
) -> Terms:
    """On what terms an email is sent; its tags, which may have more characters than in version 2, go with these."""
    given = pairs(params.get("Tags", ())) if tags is None else tags
    check_tags(given, older=True)
    terms = terms_of(account, params, email.sender, now, operation=operation)
    terms.tags = dict(given)
    return terms


def _among(destinations: Sequence[str], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Whom an email goes to that has its destinations beside its headers: those in no header are blind copies."""
    wanted = {bare_address(each): each for each in destinations}
    kept = {
        field: tuple(each for each in fields[field] if wanted.pop(bare_address(each), None) is not None)
        for field in ("to", "cc")
    }
    return {**kept, "bcc": tuple(wanted.values())}


def _word(status: str) -> str:
    return WORDS.get(status, "".join(map(str.capitalize, status.split("_"))))
