"""Identities of an outbox as they are declared; `Identities` has them at work."""

from collections.abc import Sequence

import attrs

from msgsim.bus.addresses import is_domain
from msgsim.bus.identities import ON_FAILURE, USE_DEFAULT, canonical
from msgsim.bus.verified import check_identity, check_number_of
from msgsim.declare import choice, flag, number, text
from msgsim.errors import DeclarationError


@attrs.frozen(kw_only=True)
class SendingIdentity:
    """An address or a domain that an outbox sends from, with how far it is verified, and its MAIL FROM domain.

    Args:
        name: the address, or the domain with all that is below it.
        verified_after: from time 0 until its link is clicked or its records are found [s]: 0 for a verified one. A link
            is good for 24 h, and records are looked for during 72 h: what takes longer fails (SES-IDN-1).
        mail_from: a domain of its own for the sender on the envelope, which must be below its domain; None for that of
            the service, by which SPF is not aligned.
        mail_from_after: the same for the records of that domain, which are looked for during 72 h [s].
        on_mail_from_failure: what becomes of emails while they are not found: "USE_DEFAULT_VALUE" sends them by the
            domain of the service, "REJECT_MESSAGE" refuses them.
        signing: whether its emails are signed for its domain.

    Raises:
        DeclarationError: a value is not allowed; says which are.

    Source: SES-IDN-1, SES-IDN-2.
    """

    name: str = text(empty=False)
    verified_after: float = number(0.0, unit="s", rule="SES-IDN-1")
    mail_from: str | None = text(None, optional=True, empty=False)
    mail_from_after: float = number(0.0, unit="s", rule="SES-IDN-2")
    on_mail_from_failure: str = choice(USE_DEFAULT, ON_FAILURE, "SES-IDN-2")
    signing: bool = flag(default=True)

    def __attrs_post_init__(self) -> None:
        kind = type(self).__name__
        if not is_domain(self.name):
            check_identity(f"{kind}.name", self.name)
        if self.mail_from is None:
            return
        above = canonical(self.name).rpartition("@")[2]
        if not is_domain(self.mail_from) or not self.mail_from.lower().endswith(f".{above}"):
            raise DeclarationError(
                f"{kind}.mail_from",
                f"{self.mail_from!r} is not a domain below {above}, as in bounce.{above} (SES-IDN-2)",
            )


def check_sending(path: str, identities: Sequence[SendingIdentity], verified: Sequence[str]) -> None:
    """Refuse an identity that is declared twice, or verified beside its declaration, and too many of both.

    Raises:
        DeclarationError: names the second, or says how many they are.
    """
    taken = set(map(canonical, verified))
    for position, identity in enumerate(identities):
        name = canonical(identity.name)
        if name in taken:
            problem = f"{identity.name!r} is declared already, here or in `verified`"
            raise DeclarationError(f"{path}.{position}.name", problem)
        taken.add(name)
    check_number_of(path, taken)


def speaks_for(identities: Sequence[SendingIdentity], sender: str) -> bool:
    """Whether one of them is an address or has it below it."""
    if not identities:
        return False
    address = canonical(sender)
    domain = address.rpartition("@")[2]
    names = [canonical(each.name) for each in identities]
    return any(name in {address, domain} or domain.endswith(f".{name}") for name in names)
