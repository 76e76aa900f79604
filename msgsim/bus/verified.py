"""What may be declared as verified, and the refusal of what is not; `Identities` knows which addresses are."""

from collections.abc import Collection, Sequence

from msgsim.bus.mail import is_domain, parse_address
from msgsim.errors import DeclarationError, MessageRejected
from msgsim.quotas import IDENTITIES


def check_identity(path: str, written: str) -> None:
    """Refuse what is no address.

    Raises:
        DeclarationError: says what is wrong.
    """
    try:
        parse_address(written)
    except MessageRejected as error:
        raise DeclarationError(path, str(error)) from None


def check_identities(path: str, identities: Sequence[str]) -> None:
    """Refuse what is neither an address nor a domain, and more of them than an account may have.

    Raises:
        DeclarationError: says which it is, or how many they are.
    """
    for position, identity in enumerate(identities):
        if not is_domain(identity):
            check_identity(f"{path}.{position}", identity)
    check_number_of(path, identities)


def check_number_of(path: str, identities: Collection[str]) -> None:
    """Refuse more identities than an account may have (SES-QUO-8).

    Raises:
        DeclarationError: says how many they are.
    """
    if len(identities) > IDENTITIES.high:
        problem = f"{len(identities)} identities are too many; allowed: {IDENTITIES.high:g} ({IDENTITIES.rule})"
        raise DeclarationError(path, problem)


def refuse_unverified(unverified: Sequence[str]) -> None:
    """Refuse an email with addresses that need to be verified and are not; without any it does nothing.

    Raises:
        MessageRejected: in the service's words (SES-SND-2).
    """
    if unverified:
        raise MessageRejected(
            "Email address is not verified. The following identities failed the check in region US-EAST-1: "
            + ", ".join(unverified)
        )
