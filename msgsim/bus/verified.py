"""Verified identities: the addresses and domains that an account may send from, and in the sandbox to."""

from collections.abc import Iterable, Sequence

from msgsim.bus.mail import is_domain, parse_address
from msgsim.errors import DeclarationError, MessageRejected


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
    """Refuse what is neither an address nor a domain.

    Raises:
        DeclarationError: says which it is.
    """
    for position, identity in enumerate(identities):
        if not is_domain(identity):
            check_identity(f"{path}.{position}", identity)


def _canonical(identity: str) -> str:
    """An identity as it is compared: the domain in lower case (SES-IDN-1)."""
    if is_domain(identity):
        return identity.lower()
    _, local, domain = parse_address(identity)
    return f"{local}@{domain.lower()}"


def _domains(domain: str) -> list[str]:
    """A domain and those above it."""
    labels = domain.split(".")
    return [".".join(labels[first:]) for first in range(len(labels))]


class Verified:
    """A set of identities.

    Args:
        identities: addresses, and domains with all that is below them (SES-IDN-1).
    """

    __slots__ = ("_known",)

    def __init__(self, identities: Iterable[str]) -> None:
        self._known = frozenset(map(_canonical, identities))

    def covers(self, written: str) -> bool:
        """Whether an address is verified, by itself or by its domain."""
        address = _canonical(written)
        return address in self._known or self.owns(address)

    def owns(self, address: str) -> bool:
        """Whether an address is in a verified domain: what bounces there does no harm (SES-BNC-4)."""
        return not self._known.isdisjoint(_domains(address.rpartition("@")[2].lower()))


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
