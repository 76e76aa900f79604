"""SES (version 1): identities and their feedback: verified, signed, told of to topics (SES-IDN-1, SES-CFG-4)."""

from collections.abc import Callable, Mapping
from typing import Any

from msgsim.bus.addresses import bare_address, is_domain
from msgsim.bus.email_events import FEEDBACK, check_feedback
from msgsim.bus.identities import Identity, canonical
from msgsim.errors import InvalidParameterValue
from msgsim.quotas import IDENTITIES, IDENTITIES_ASKED
from msgsim.service.account import Account
from msgsim.service.email_record import IdentityRecord
from msgsim.service.ses_identities import begin, dkim_of, dkim_tokens, drop, put_mail_from, put_signing, token
from msgsim.service.ses_refusals import bad, full, identity_name
from msgsim.service.ses_v1_refusals import identity_v1, page_v1

KINDS: Mapping[str, str] = {"EmailAddress": "EMAIL_ADDRESS", "Domain": "DOMAIN"}
ON_FAILURE: Mapping[str, str] = {"UseDefaultValue": "USE_DEFAULT_VALUE", "RejectMessage": "REJECT_MESSAGE"}


def verify_email_identity(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Send a link to an address, or another one; it is good for 24 h (SES-IDN-1)."""
    given = params["EmailAddress"]
    name = canonical(given)
    if "@" not in name or bare_address(given) != given:
        raise bad(f"Invalid email address<{given}>.")
    _verify(account, name, now)
    return {}


def verify_domain_identity(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Look for the record of a domain during 72 h, or once more; its text is told (SES-IDN-1)."""
    name = _domain(params)
    _verify(account, name, now)
    return {"VerificationToken": _record_text(account, name)}


def verify_domain_dkim(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """The names of the records by which a domain signs; here they verify it as its own record does (SES-IDN-2)."""
    name = _domain(params)
    _verify(account, name, now)
    return {"DkimTokens": list(dkim_tokens(account, name))}


def get_identity_verification_attributes(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """How far identities are verified (SES-IDN-1)."""

    def described(identity: Identity, _: IdentityRecord) -> dict[str, Any]:
        status = {"VerificationStatus": _state(identity.state)}
        return status | ({"VerificationToken": _record_text(account, identity.name)} if _is_domain(identity) else {})

    return {"VerificationAttributes": _asked(account, params, now, described)}


def get_identity_dkim_attributes(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """How emails of identities are signed (SES-IDN-2)."""

    def described(identity: Identity, record: IdentityRecord) -> dict[str, Any]:
        dkim = dkim_of(account, identity, record)
        answer = {"DkimEnabled": dkim["SigningEnabled"], "DkimVerificationStatus": _state(dkim["Status"])}
        return answer | ({"DkimTokens": list(dkim["Tokens"])} if "Tokens" in dkim else {})

    return {"DkimAttributes": _asked(account, params, now, described)}


def get_identity_mail_from_domain_attributes(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """The MAIL FROM domains of identities; those without one are left out (SES-IDN-2)."""

    def described(identity: Identity, _: IdentityRecord) -> dict[str, Any] | None:
        mail_from = identity.mail_from
        if mail_from is None:
            return None
        words = {written: word for word, written in ON_FAILURE.items()}
        return {
            "MailFromDomain": mail_from.domain,
            "MailFromDomainStatus": _state(mail_from.state),
            "BehaviorOnMXFailure": words[mail_from.on_failure],
        }

    return {"MailFromDomainAttributes": _asked(account, params, now, described)}


def get_identity_notification_attributes(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Which topics are told of the bounces, complaints and deliveries of identities (SES-CFG-4)."""

    def described(_: Identity, record: IdentityRecord) -> dict[str, Any]:
        answer: dict[str, Any] = {"ForwardingEnabled": record.forwarding}
        for kind in FEEDBACK:
            topic = record.topics.get(kind)
            answer[f"{kind}Topic"] = "" if topic is None else account.arn("sns", topic)
            answer[f"HeadersIn{kind}NotificationsEnabled"] = kind in record.with_headers
        return answer

    return {"NotificationAttributes": _asked(account, params, now, described)}


def list_identities(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """The names of all identities, or of those of one kind, in the order in which they were created (SES-IDN-1)."""
    kind = params.get("IdentityType")
    if kind is not None and kind not in KINDS:
        raise bad(f"IdentityType {kind} is not allowed; allowed: {', '.join(KINDS)}")
    names = [each.name for each in account.outbox.identities if kind is None or each.kind == KINDS[kind]]
    return page_v1("Identities", names, params)


def delete_identity(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Let an identity go with its settings; one that is not there is no error."""
    name = canonical(identity_name(account, params["Identity"]))
    if name in account.outbox.identities:
        drop(account, name, now)
    return {}


def set_identity_notification_topic(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Tell a topic of bounces, complaints or deliveries of what an identity sends, or nobody any more (SES-CFG-4)."""
    kind, arn = params["NotificationType"], params.get("SnsTopic")
    check_feedback(kind)
    identity = identity_v1(account, params["Identity"], now)
    if not identity.counts:
        raise bad(f"Identity '{identity.name}' is not verified.")
    record = account.emails.identity(identity.name)
    if not arn:
        if not record.forwarding and kind in _FORWARDED:
            raise bad(f"The {kind} topic of '{identity.name}' is needed, for its feedback forwarding is disabled.")
        record.topics.pop(kind, None)
        return {}
    topic = account.topic_named(arn)
    if topic is None:
        raise bad(f"SNS topic <{arn}> not found.")
    if account.topics[topic].fifo:
        raise bad(f"SNS topic <{arn}> is a FIFO topic; allowed: standard topics (SES-CFG-2)")
    record.topics[kind] = topic
    account.listen()
    return {}


def set_identity_headers_in_notifications_enabled(
    account: Account, params: Mapping[str, Any], now: float
) -> dict[str, Any]:
    """Whether feedback of a type tells the headers of emails (SES-CFG-4)."""
    check_feedback(params["NotificationType"])
    identity = identity_v1(account, params["Identity"], now)
    account.emails.identity(identity.name).tell_headers(params["NotificationType"], told=params["Enabled"])
    return {}


def set_identity_feedback_forwarding_enabled(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Whether bounces and complaints are forwarded by email; topics must be told of both if not (SES-CFG-4)."""
    identity = identity_v1(account, params["Identity"], now)
    record = account.emails.identity(identity.name)
    if not params["ForwardingEnabled"] and not set(_FORWARDED) <= set(record.topics):
        raise bad(
            f"Feedback forwarding of '{identity.name}' cannot be disabled: it needs a topic for Bounce and one for "
            "Complaint (SES-CFG-4)"
        )
    record.forwarding = params["ForwardingEnabled"]
    return {}


def set_identity_mail_from_domain(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Give an identity a MAIL FROM domain, which is looked for from now on, or take it away (SES-IDN-2)."""
    behaviour = params.get("BehaviorOnMXFailure", "UseDefaultValue")
    if behaviour not in ON_FAILURE:
        raise bad(f"BehaviorOnMXFailure {behaviour} is not allowed; allowed: {', '.join(ON_FAILURE)} (SES-IDN-2)")
    identity = identity_v1(account, params["Identity"], now)
    put_mail_from(account, identity.name, params.get("MailFromDomain"), ON_FAILURE[behaviour], now)
    return {}


def set_identity_dkim_enabled(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Whether the emails of an identity are signed (SES-IDN-2)."""
    put_signing(account, identity_v1(account, params["Identity"], now), now, signing=params["DkimEnabled"])
    return {}


_FORWARDED = ("Bounce", "Complaint")
"""Feedback that is forwarded by email (SES-CFG-4)."""


def _verify(account: Account, name: str, now: float) -> None:
    known = account.outbox.identities
    if name not in known:
        if len(known) >= IDENTITIES.high:
            raise full(IDENTITIES)
        known.create(name, now, start=False)
    begin(account, name, now)


def _domain(params: Mapping[str, Any]) -> str:
    """The domain of a request.

    Raises:
        InvalidParameterValue: it is none.
    """
    given: str = params["Domain"]
    if not is_domain(given):
        raise InvalidParameterValue(f"Invalid domain name {given}.")
    return given.lower()


def _asked(
    account: Account,
    params: Mapping[str, Any],
    now: float,
    describe: Callable[[Identity, IdentityRecord], dict[str, Any] | None],
) -> dict[str, Any]:
    """What is known about each identity of a request by the name that it is called there; unknown ones are left out.

    Raises:
        ServiceError: they are more than 100.
    """
    names = params["Identities"]
    if len(names) > IDENTITIES_ASKED.high:
        raise bad(f"{len(names)} identities; allowed: up to {IDENTITIES_ASKED.high:.0f} ({IDENTITIES_ASKED.rule})")
    account.outbox.identities.advance(now)
    answer = {}
    for written in names:
        try:
            identity = identity_v1(account, written, now)
        except InvalidParameterValue:
            continue
        described = describe(identity, account.emails.identities.get(identity.name, IdentityRecord()))
        if described is not None:
            answer[written] = described
    return answer


def _is_domain(identity: Identity) -> bool:
    return identity.kind == KINDS["Domain"]


def _record_text(account: Account, domain: str) -> str:
    return token(f"{account.arn('ses', f'identity/{domain}')} record")


def _state(state: str) -> str:
    """How far a verification is, as version 1 writes it: "TEMPORARY_FAILURE" is "TemporaryFailure"."""
    return "".join(map(str.capitalize, state.split("_")))
