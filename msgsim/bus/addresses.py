"""Addresses of emails: what is one, and what its parts are."""

import re
from typing import NamedTuple

from msgsim.errors import MessageRejected

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_PRINTABLE = re.compile(r"[!-~]+")

NOT_IN_HEADERS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""What would end a line of a header, or is no text."""


class Address(NamedTuple):
    """The parts of a written address."""

    name: str
    local: str
    domain: str


def parse_address(written: str) -> Address:
    """Take an address apart.

    Raises:
        MessageRejected: it is not `local@domain` or `Name <local@domain>` in printable characters, the address itself
            in ASCII (other domains are written in Punycode).

    Source: SES-SND-3.
    """
    name, spec = _apart(written)
    local, at, domain = spec.rpartition("@")
    if NOT_IN_HEADERS.search(written):
        problem = "it has a line break or control character"
    elif not at:
        problem = "Missing final '@domain'"
    elif local and not _PRINTABLE.fullmatch(local):
        problem = f"Local address contains control or whitespace: {local!r}; allowed: printable ASCII"
    elif not _LOCAL.fullmatch(local):
        problem = f"the local part {local!r} has an illegal character or dot, or is empty"
    elif not _DOMAIN.fullmatch(domain):
        problem = f"the domain {domain!r} has an illegal character or dot, or is empty"
    else:
        return Address(name, local, domain)
    raise MessageRejected(f"{written!r} is not an email address: {problem} (SES-SND-3)")


def bare_address(written: str) -> str:
    """An address without the name before it; what is no address, as it is."""
    return _apart(written)[1]


def is_domain(written: str) -> bool:
    """Whether it is a domain's name in ASCII."""
    return _DOMAIN.fullmatch(written) is not None


def _apart(written: str) -> tuple[str, str]:
    """The name, and what stands for the address."""
    if not (written.endswith(">") and "<" in written):
        return "", written
    name, _, spec = written[:-1].rpartition("<")
    name = name.strip()
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    return name, spec
