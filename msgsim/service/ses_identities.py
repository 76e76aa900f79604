"""SES: identities: the addresses and domains that an account sends from, and their settings (SES-IDN-1, SES-IDN-2)."""

from base64 import b32encode
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

from msgsim.bus.addresses import bare_address
from msgsim.bus.identities import Identity, canonical
from msgsim.quotas import IDENTITIES
from msgsim.service.account import Account
from msgsim.service.email_record import IdentityRecord
from msgsim.service.ses_refusals import SES, bad, configuration_set_of, full, identity_of, page

KEY_LENGTHS: Mapping[str, int] = {"RSA_1024_BIT": 1024, "RSA_2048_BIT": 2048}
"""Lengths of the keys of Easy DKIM on the wire [bits] (SES-IDN-2)."""

_DKIM_TOKENS = 3


def create_email_identity(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Add an identity and begin to verify it, by a link for 24 h or by records within 72 h (SES-IDN-1)."""
    given, signing = params["EmailIdentity"], params.get("DkimSigningAttributes")
    name, known = canonical(given), account.outbox.identities
    if bare_address(given) != given:
        raise bad(f"{given!r} is neither an address nor a domain: it has a name before its address")
    if name in known:
        raise SES.error("AlreadyExistsException", f"Email identity {given} already exist.")
    if len(known) >= IDENTITIES.high:
        raise full(IDENTITIES)
    if "ConfigurationSetName" in params:
        configuration_set_of(account, params["ConfigurationSetName"])
    key = _key(signing or {}, account.arn("ses", f"identity/{name}"))
    if signing and "@" in name:
        raise bad(f"DkimSigningAttributes are for domains, and {name} is an address.")
    identity = known.create(name, now, start=False)
    begin(account, name, now)
    record = account.emails.identities[name] = IdentityRecord(
        configuration_set=params.get("ConfigurationSetName"),
        tags={tag["Key"]: tag["Value"] for tag in params.get("Tags", ())},
    )
    _sign(account, identity, record, key, now)
    return {
        "IdentityType": identity.kind,
        "VerifiedForSendingStatus": identity.counts,
        "DkimAttributes": dkim_of(account, identity, record),
    }


def begin(account: Account, name: str, now: float) -> None:
    """Begin to verify an identity, or begin anew; the account's own time ends that, if it has one (SES-IDN-1)."""
    known = account.outbox.identities
    known.start(name, now)
    if account.verification_time is not None:
        known.confirm(name, now, found_after=account.verification_time)


def get_email_identity(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """How far an identity is verified, and its settings (SES-IDN-1, SES-IDN-2)."""
    account.outbox.identities.advance(now)
    identity = identity_of(account, params["EmailIdentity"])
    record = account.emails.identities.get(identity.name, IdentityRecord())
    answer: dict[str, Any] = {
        "IdentityType": identity.kind,
        "FeedbackForwardingStatus": record.forwarding,
        "VerifiedForSendingStatus": identity.counts,
        "DkimAttributes": dkim_of(account, identity, record),
        "MailFromAttributes": {"BehaviorOnMxFailure": "USE_DEFAULT_VALUE"},
        "Policies": {},
        "Tags": [{"Key": key, "Value": value} for key, value in record.tags.items()],
        "VerificationStatus": identity.state,
    }
    if identity.mail_from is not None:
        answer["MailFromAttributes"] = {
            "MailFromDomain": identity.mail_from.domain,
            "MailFromDomainStatus": identity.mail_from.state,
            "BehaviorOnMxFailure": identity.mail_from.on_failure,
        }
    if record.configuration_set is not None:
        answer["ConfigurationSetName"] = record.configuration_set
    return answer


def list_email_identities(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """All identities, verified or not, in the order in which they were created (SES-IDN-1)."""
    account.outbox.identities.advance(now)
    listed = [
        {
            "IdentityType": each.kind,
            "IdentityName": each.name,
            "SendingEnabled": each.counts,
            "VerificationStatus": each.state,
        }
        for each in account.outbox.identities
    ]
    return page("EmailIdentities", listed, params)


def delete_email_identity(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Let an identity go with its settings; emails that it has sent are still delivered."""
    drop(account, identity_of(account, params["EmailIdentity"]).name, now)
    return {}


def drop(account: Account, name: str, now: float) -> None:
    """Let an identity go, by the name by which it is compared."""
    account.outbox.identities.delete(name, now)
    account.emails.identities.pop(name, None)
    account.emails.forget(f"identity/{name}")


def put_email_identity_mail_from_attributes(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Give an identity a MAIL FROM domain, which is looked for from now on, or take it away (SES-IDN-2)."""
    name = identity_of(account, params["EmailIdentity"]).name
    put_mail_from(account, name, params.get("MailFromDomain"), params.get("BehaviorOnMxFailure"), now)
    return {}


def put_mail_from(account: Account, name: str, domain: str | None, on_failure: str | None, now: float) -> None:
    """Give an identity a MAIL FROM domain; none, or an empty one, takes it away (SES-IDN-2)."""
    known = account.outbox.identities
    known.put_mail_from(name, domain or None, now, on_failure=on_failure or "USE_DEFAULT_VALUE")
    if domain and account.verification_time is not None:
        known.confirm_mail_from(name, now, found_after=account.verification_time)


def put_email_identity_dkim_attributes(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Whether the emails of an identity are signed (SES-IDN-2)."""
    identity = identity_of(account, params["EmailIdentity"])
    put_signing(account, identity, now, signing=params.get("SigningEnabled", False))
    return {}


def put_signing(account: Account, identity: Identity, now: float, *, signing: bool) -> None:
    """Whether the emails of an identity are signed; the key stays (SES-IDN-2)."""
    account.outbox.identities.put_dkim(
        identity.name, now, signing=signing, origin=identity.dkim_origin, key_bits=identity.key_bits
    )


def put_email_identity_dkim_signing_attributes(
    account: Account, params: Mapping[str, Any], now: float
) -> dict[str, Any]:
    """By what key the emails of a domain are signed: one of the service, or one's own (SES-IDN-2)."""
    identity = identity_of(account, params["EmailIdentity"])
    if identity.kind != "DOMAIN":
        raise bad(f"DKIM keys are of domains, and {identity.name} is an address.")
    given, origin = params.get("SigningAttributes", {}), params["SigningAttributesOrigin"]
    selector, bits = _key(given, account.arn("ses", f"identity/{identity.name}"))
    if origin != ("AWS_SES" if selector is None else "EXTERNAL"):
        raise bad(
            f"SigningAttributesOrigin {origin} does not fit SigningAttributes; allowed: EXTERNAL with a selector and a "
            "private key, AWS_SES without (SES-IDN-2)"
        )
    record = account.emails.identity(identity.name)
    _sign(account, identity, record, (selector, bits or identity.key_bits), now)
    described = dkim_of(account, identity, record)
    return {"DkimStatus": described["Status"], "DkimTokens": described.get("Tokens", [])}


def put_email_identity_feedback_attributes(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Whether bounces and complaints are forwarded to the sender by email, which leaves the bus (SES-CFG-4)."""
    name = identity_of(account, params["EmailIdentity"]).name
    account.emails.identity(name).forwarding = params.get("EmailForwardingEnabled", False)
    return {}


def put_email_identity_configuration_set_attributes(
    account: Account, params: Mapping[str, Any], _: float
) -> dict[str, Any]:
    """Give an identity the set of emails that name none, or take it away (SES-CFG-1)."""
    name = identity_of(account, params["EmailIdentity"]).name
    given = params.get("ConfigurationSetName") or None
    if given is not None:
        configuration_set_of(account, given)
    account.emails.identity(name).configuration_set = given
    return {}


def _key(given: Mapping[str, str], arn: str) -> tuple[str | None, int | None]:
    """The selector of a key of one's own and the length of one of the service [bits], as a request has them.

    Raises:
        ServiceError: it has both, half of one, or a length that there is none of.
    """
    own = [name for name in ("DomainSigningSelector", "DomainSigningPrivateKey") if name in given]
    length = given.get("NextSigningKeyLength")
    if len(own) == 1 or (own and length is not None):
        raise bad(
            f"DKIM of {arn} must have either DomainSigningSelector and DomainSigningPrivateKey or NextSigningKeyLength."
        )
    if length is not None and length not in KEY_LENGTHS:
        raise bad(f"NextSigningKeyLength {length} is not allowed; allowed: {', '.join(KEY_LENGTHS)} (SES-IDN-2)")
    return given.get("DomainSigningSelector"), None if length is None else KEY_LENGTHS[length]


def _sign(
    account: Account, identity: Identity, record: IdentityRecord, key: tuple[str | None, int | None], now: float
) -> None:
    record.selector, bits = key
    account.outbox.identities.put_dkim(
        identity.name,
        now,
        signing=identity.signing,
        origin="AWS_SES" if record.selector is None else "EXTERNAL",
        key_bits=bits or identity.key_bits,
    )


def dkim_of(account: Account, identity: Identity, record: IdentityRecord) -> dict[str, Any]:
    """How emails of an identity are signed; addresses have no keys of their own (SES-IDN-2)."""
    described: dict[str, Any] = {
        "SigningEnabled": identity.signing,
        "Status": identity.state if identity.kind == "DOMAIN" else "NOT_STARTED",
        "SigningAttributesOrigin": identity.dkim_origin,
    }
    if identity.kind == "DOMAIN" and record.selector is not None:
        described["Tokens"] = [record.selector]
    elif identity.kind == "DOMAIN":
        length = f"RSA_{identity.key_bits}_BIT"
        described["Tokens"] = dkim_tokens(account, identity.name)
        described |= {"NextSigningKeyLength": length, "CurrentSigningKeyLength": length}
    return described


def dkim_tokens(account: Account, domain: str) -> Sequence[str]:
    """What the records of a domain for Easy DKIM are called: the same whenever it is asked (SES-IDN-1)."""
    arn = account.arn("ses", f"identity/{domain}")
    return [token(f"{arn} {number}") for number in range(_DKIM_TOKENS)]


def token(seed: str) -> str:
    """A text of 32 letters and digits that is the same for the same seed, and no other's."""
    return b32encode(blake2b(seed.encode(), digest_size=20).digest()).decode().lower()
