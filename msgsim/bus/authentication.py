"""Authentication of emails: what receivers find in them, worked out from the identity that they are sent by."""

import attrs

from msgsim.bus.addresses import parse_address
from msgsim.bus.identities import DEFAULT_MAIL_FROM, Identities, Identity
from msgsim.declare import choice, flag

POLICIES = ("absent", "none", "quarantine", "reject")
"""What a domain's DMARC record may ask for, if it is there."""

ORGANISATION_LABELS = 2
"""So many labels of a domain are its owner's: `mail.shop.org` is of `shop.org`. Suffixes as `co.uk` are not known."""


@attrs.frozen(kw_only=True)
class DmarcPolicy:
    """The DMARC record of those who send.

    Args:
        policy: "none", "quarantine" or "reject"; "absent" if there is no record, which receivers who demand
            DMARC want.
        strict_dkim: the signature must be of the very domain of the sender; else of one of the same owner.
        strict_spf: so must the domain on the envelope.

    Raises:
        DeclarationError: a value is not allowed.
    """

    policy: str = choice("none", POLICIES, "SES-IDN-3")
    strict_dkim: bool = flag()
    strict_spf: bool = flag()


def is_aligned(domain: str, author: str, *, strict: bool) -> bool:
    """Whether what a domain vouches for holds for a sender's domain; both in lower case.

    Source: SES-IDN-2.
    """
    if strict or domain == author:
        return domain == author
    shared = domain.split(".")[-ORGANISATION_LABELS:]
    return len(shared) == ORGANISATION_LABELS and shared == author.split(".")[-ORGANISATION_LABELS:]


def proofs_of(sender: str, identities: Identities, record: DmarcPolicy, now: float) -> tuple[str, ...]:
    """What receivers find in the emails of a sender: of "dkim" and "spf" those that are aligned, and "dmarc".

    Easy DKIM and keys of one's own sign alike, for the domain of a verified identity; the emails of a single address
    have the service's signature only. SPF is aligned by a MAIL FROM domain of one's own alone. Either makes DMARC pass.

    Source: SES-IDN-2, SES-IDN-3.
    """
    author = parse_address(sender).domain.lower()
    identity = identities.looked_up(sender, now)
    signer = identities.looked_up(author, now)
    dkim = is_aligned(_signing_domain(identity, signer), author, strict=record.strict_dkim)
    spf = is_aligned(_envelope(identity), author, strict=record.strict_spf)
    dmarc = (dkim or spf) and record.policy != "absent"
    return tuple(name for name, holds in (("dkim", dkim), ("spf", spf), ("dmarc", dmarc)) if holds)


def _signing_domain(identity: Identity | None, domain: Identity | None) -> str:
    """The domain that signs: of a verified domain, unless the address's own settings say that nothing is signed."""
    if identity is None or domain is None or not (identity.signing and domain.signing):
        return DEFAULT_MAIL_FROM
    return domain.name


def _envelope(identity: Identity | None) -> str:
    mail_from = None if identity is None else identity.mail_from
    return DEFAULT_MAIL_FROM if mail_from is None or mail_from.state != "SUCCESS" else mail_from.domain
