"""Identities of a sending account: the addresses and domains that it asks to send from, and how far each is verified.

`Identities` takes `now` at each call. What is verified from the beginning is given to it; the rest is created, and is
confirmed or not while its clock runs.
"""

from collections.abc import Iterable, Iterator
from math import inf
from typing import TYPE_CHECKING

from msgsim.bus.addresses import is_domain, parse_address
from msgsim.bus.verified import refuse_unverified
from msgsim.declare import check_now, check_number
from msgsim.errors import InvalidParameterValue, MailFromDomainNotVerified, MessageRejected, no_such
from msgsim.quotas import ADDRESS_LINK_TIME, DNS_RECORD_TIME, IDENTITIES

if TYPE_CHECKING:
    from msgsim.bus.sending_identities import SendingIdentity

STATES = ("NOT_STARTED", "PENDING", "SUCCESS", "TEMPORARY_FAILURE", "FAILED")
"""How far a verification is (SES-IDN-1)."""

SENDING = ("SUCCESS", "TEMPORARY_FAILURE")
"""States in which it counts: records that were found once and are gone are looked for a while before that ends."""

USE_DEFAULT, REJECT = ON_FAILURE = ("USE_DEFAULT_VALUE", "REJECT_MESSAGE")
"""What becomes of emails while the MAIL FROM domain is not verified (SES-IDN-2)."""

DEFAULT_MAIL_FROM = "amazonses.com"
"""The domain of the envelope's sender where there is none of one's own (SES-IDN-2)."""

KEY_BITS = (1024, 2048)
"""Lengths of the keys of Easy DKIM (SES-IDN-2)."""


class Verification:
    """One thing that waits for somebody: a link that is to be clicked, or records that are to be published.

    Args:
        allowed: how long it waits [s].

    Attributes:
        state: one of `STATES`, as of the last `advance`.
    """

    __slots__ = ("_confirmed_at", "_expires_at", "allowed", "state")

    def __init__(self, allowed: float) -> None:
        self.allowed = allowed
        self.state = "NOT_STARTED"
        self._confirmed_at = self._expires_at = inf

    def start(self, now: float) -> None:
        """Begin, or begin anew; what is verified stays so."""
        if self.state not in SENDING:
            self.state = "PENDING"
            self._confirmed_at, self._expires_at = inf, now + self.allowed

    def confirm(self, at: float) -> None:
        """It is going to be found at `at` [s], or before if that is known, if somebody still waits for it then."""
        if self.state in {"PENDING", "TEMPORARY_FAILURE"}:
            self._confirmed_at = min(self._confirmed_at, at)

    def lose(self, now: float) -> None:
        """What was found is gone again."""
        if self.state == "SUCCESS":
            self.state = "TEMPORARY_FAILURE"
            self._confirmed_at, self._expires_at = inf, now + self.allowed

    def next_deadline(self) -> float:
        """When its state changes by itself [s]; infinite for never."""
        return min(self._confirmed_at, self._expires_at)

    def advance(self, now: float) -> None:
        """Do what is due."""
        if now >= self.next_deadline():
            self.state = "SUCCESS" if self._confirmed_at < self._expires_at else "FAILED"
            self._confirmed_at = self._expires_at = inf

    @property
    def counts(self) -> bool:
        """Whether it can be relied on."""
        return self.state in SENDING


class MailFrom(Verification):
    """A domain of one's own for the sender on the envelope.

    Args:
        domain: its name.
        on_failure: of `ON_FAILURE`.
    """

    __slots__ = ("domain", "on_failure")

    def __init__(self, domain: str, on_failure: str) -> None:
        super().__init__(DNS_RECORD_TIME.high)
        self.domain = domain
        self.on_failure = on_failure


class Identity(Verification):
    """An address or a domain.

    Args:
        name: as it is compared: the domain in lower case.
        created_at: [s].

    Attributes:
        mail_from: its MAIL FROM domain; None for the service's own.
        signing: whether emails get a DKIM signature of its domain.
        dkim_origin: "AWS_SES" for Easy DKIM, "EXTERNAL" for a key of one's own.
        key_bits: of the key of Easy DKIM.
    """

    __slots__ = ("created_at", "dkim_origin", "key_bits", "mail_from", "name", "signing")

    def __init__(self, name: str, created_at: float) -> None:
        super().__init__(DNS_RECORD_TIME.high if is_domain(name) else ADDRESS_LINK_TIME.high)
        self.name = name
        self.created_at = created_at
        self.mail_from: MailFrom | None = None
        self.signing = True
        self.dkim_origin = "AWS_SES"
        self.key_bits = max(KEY_BITS)

    @property
    def kind(self) -> str:
        """What it is: "EMAIL_ADDRESS" or "DOMAIN"."""
        return "EMAIL_ADDRESS" if "@" in self.name else "DOMAIN"

    @property
    def domain(self) -> str:
        """The domain that it is, or is in."""
        return self.name.rpartition("@")[2]


class Identities:
    """All identities of an account in one Region.

    Args:
        verified: addresses and domains that are verified already.
        declared: further ones, as they are declared.
        name: of the account, for errors.

    Attributes:
        in_use: whether there is or was any: then emails come from verified ones only.
    """

    __slots__ = ("_due", "_known", "_name", "_now", "in_use")

    def __init__(
        self, verified: Iterable[str] = (), declared: Iterable["SendingIdentity"] = (), *, name: str = "identities"
    ) -> None:
        self._name = name
        self._now = -inf
        self._due = inf
        self._known: dict[str, Identity] = {}
        for written in verified:
            identity = Identity(canonical(written), -inf)
            identity.state = "SUCCESS"
            self._known[identity.name] = identity
        for each in declared:
            self._declare(each)
        self.in_use = bool(self._known)

    def _declare(self, declared: "SendingIdentity") -> None:
        identity = Identity(canonical(declared.name), 0.0)
        identity.signing = declared.signing
        self._known[identity.name] = identity
        self._foresee(identity, declared.verified_after)
        if declared.mail_from is not None:
            identity.mail_from = MailFrom(declared.mail_from.lower(), declared.on_mail_from_failure)
            self._foresee(identity.mail_from, declared.mail_from_after)

    def _foresee(self, verification: Verification, confirmed_at: float) -> None:
        """It begins at time 0, and it is known when it will be found [s]; at 0 it has been found already."""
        verification.start(0.0)
        verification.confirm(confirmed_at)
        verification.advance(0.0)
        self._due = min(self._due, verification.next_deadline())

    def __len__(self) -> int:
        return len(self._known)

    def __iter__(self) -> Iterator[Identity]:
        """In the order in which they were created."""
        return iter(self._known.values())

    def __contains__(self, written: str) -> bool:
        return canonical(written) in self._known

    def __getitem__(self, written: str) -> Identity:
        """The identity of that name, as of the last call.

        Raises:
            InvalidParameterValue: there is none.
        """
        name = canonical(written)
        if name not in self._known:
            raise InvalidParameterValue(no_such("identity", written, self._known))
        return self._known[name]

    # ------------------------------------------------------------ verification

    def create(self, written: str, now: float, *, start: bool = True) -> Identity:
        """Add an identity, and begin to verify it: send a link to the address, or look for the domain's records.

        Args:
            written: an address or a domain.
            now: simulated time [s].
            start: False leaves it "NOT_STARTED".

        Raises:
            InvalidParameterValue: it is neither, or there already.

        Source: SES-IDN-1.
        """
        self.advance(now)
        name = canonical(written)
        if name in self._known:
            raise InvalidParameterValue(f"Email identity {written} already exist.")
        if len(self._known) >= IDENTITIES.high:
            raise InvalidParameterValue(f"{len(self._known)} identities; allowed: {IDENTITIES.high:.0f} (SES-QUO-8)")
        self.in_use = True
        identity = self._known[name] = Identity(name, now)
        if start:
            self._start(identity, now)
        return identity

    def start(self, written: str, now: float) -> None:
        """Begin to verify an identity, or begin anew: another link, or another look for its records."""
        self.advance(now)
        self._start(self[written], now)

    def confirm(self, written: str, now: float, *, found_after: float = 0.0) -> None:
        """The link is clicked, or the records are published; too late it changes nothing.

        Args:
            written: the identity.
            now: simulated time [s].
            found_after: so long it takes until records are found [s].

        Source: SES-IDN-1: links are valid for 24 h, records are looked for during 72 h.
        """
        self._confirm(self[written], now, found_after)

    def lose(self, written: str, now: float) -> None:
        """The records of a verified domain are gone: it fails for the moment, and after 72 h for good."""
        self.advance(now)
        self._lose(self[written], now)

    def delete(self, written: str, now: float) -> None:
        """Remove an identity."""
        self.advance(now)
        del self._known[self[written].name]

    def state(self, written: str, now: float) -> str:
        """How far an identity is verified: one of `STATES`."""
        self.advance(now)
        return self[written].state

    # ------------------------------------------------------------ settings

    def put_mail_from(self, written: str, domain: str | None, now: float, *, on_failure: str = USE_DEFAULT) -> None:
        """Give an identity a MAIL FROM domain, whose records are looked for from now on; None takes it away.

        Raises:
            InvalidParameterValue: the domain is not below the identity's, or there is no such behaviour.

        Source: SES-IDN-2.
        """
        self.advance(now)
        identity = self[written]
        if on_failure not in ON_FAILURE:
            allowed = ", ".join(ON_FAILURE)
            raise InvalidParameterValue(f"on_failure={on_failure!r} is not allowed; allowed: {allowed} (SES-IDN-2)")
        if domain is None:
            identity.mail_from = None
            return
        lower = domain.lower() if isinstance(domain, str) else ""
        if not is_domain(lower) or not lower.endswith(f".{identity.domain}"):
            raise InvalidParameterValue(
                f"Provided MAIL-FROM domain <{domain}> is not subdomain of the domain of the identity <{written}>"
            )
        identity.mail_from = MailFrom(lower, on_failure)
        self._start(identity.mail_from, now)

    def confirm_mail_from(self, written: str, now: float, *, found_after: float = 0.0) -> None:
        """The records of an identity's MAIL FROM domain are published; see `confirm`."""
        self._confirm(self._mail_from(written), now, found_after)

    def lose_mail_from(self, written: str, now: float) -> None:
        """The records of an identity's MAIL FROM domain are gone."""
        self.advance(now)
        self._lose(self._mail_from(written), now)

    def put_dkim(
        self, written: str, now: float, *, signing: bool = True, origin: str = "AWS_SES", key_bits: int = max(KEY_BITS)
    ) -> None:
        """How emails of an identity are signed.

        Args:
            written: the identity.
            now: simulated time [s].
            signing: whether they are.
            origin: "AWS_SES" for Easy DKIM, "EXTERNAL" for a key of one's own.
            key_bits: of the key of Easy DKIM.

        Raises:
            InvalidParameterValue: one of them is not allowed.

        Source: SES-IDN-2.
        """
        self.advance(now)
        identity = self[written]
        if origin not in {"AWS_SES", "EXTERNAL"}:
            raise InvalidParameterValue(f"origin={origin!r} is not allowed; allowed: AWS_SES, EXTERNAL (SES-IDN-2)")
        if key_bits not in KEY_BITS:
            raise InvalidParameterValue(f"key_bits={key_bits!r} is not allowed; allowed: 1024, 2048 (SES-IDN-2)")
        if not isinstance(signing, bool):
            raise InvalidParameterValue(f"signing={signing!r} is neither true nor false")
        identity.signing, identity.dkim_origin, identity.key_bits = signing, origin, key_bits

    # ------------------------------------------------------------ sending

    def covering(self, written: str, now: float) -> Identity | None:
        """The verified identity that an address is sent from by: its own, or else the nearest of its domains.

        Source: SES-IDN-1.
        """
        self.advance(now)
        address = canonical(written)
        labels = address.rpartition("@")[2].split(".")
        names = (address, *(".".join(labels[first:]) for first in range(len(labels))))
        verified = (self._known[name] for name in names if name in self._known and self._known[name].counts)
        return next(verified, None)

    def covers(self, written: str, now: float) -> bool:
        """Whether an address is verified, by itself or by its domain."""
        return self.covering(written, now) is not None

    def owns(self, written: str, now: float) -> bool:
        """Whether an address is in a verified domain: what bounces there does no harm (SES-BNC-4)."""
        return self.looked_up(written.rpartition("@")[2], now) is not None

    def looked_up(self, written: str, now: float) -> Identity | None:
        """As `covering`, for outcomes that are counted late: it is as of the last call if that was later."""
        return self.covering(written, max(now, self._now))

    def envelope(self, sender: str, now: float) -> str:
        """The domain of the sender on the envelope of emails that an address sends.

        Raises:
            MessageRejected: the address is not verified (SES-SND-2).
            MailFromDomainNotVerified: its MAIL FROM domain is not, and is to stop emails then.

        Source: SES-IDN-2.
        """
        identity = self.covering(sender, now)
        refuse_unverified([sender] if identity is None else [])
        mail_from = None if identity is None else identity.mail_from
        if mail_from is None:
            return DEFAULT_MAIL_FROM
        if mail_from.state == "SUCCESS":
            return mail_from.domain
        if mail_from.on_failure == REJECT:
            raise MailFromDomainNotVerified(
                f"The MAIL FROM domain {mail_from.domain} of {sender} is not verified: {mail_from.state} (SES-IDN-2)"
            )
        return DEFAULT_MAIL_FROM

    # ------------------------------------------------------------ time

    def next_deadline(self) -> float | None:
        """When a state changes by itself [s]; None for never. Cost: O(identities)."""
        first = min((each.next_deadline() for each in self._clocks()), default=inf)
        return None if first == inf else first

    def advance(self, now: float) -> None:
        """Do what is due.

        Raises:
            TimeRanBackwards: `now` is earlier than at the last call.

        Cost: O(1), and O(identities) where something may be due.
        """
        check_now(self._name, now, self._now)
        self._now = now
        if now >= self._due:
            for each in self._clocks():
                each.advance(now)
            self._due = min((each.next_deadline() for each in self._clocks()), default=inf)

    def _start(self, verification: Verification, now: float) -> None:
        verification.start(now)
        self._due = min(self._due, verification.next_deadline())

    def _lose(self, verification: Verification, now: float) -> None:
        verification.lose(now)
        self._due = min(self._due, verification.next_deadline())

    def _confirm(self, verification: Verification, now: float, found_after: float) -> None:
        check_number("found_after", found_after, unit="s")
        self.advance(now)
        verification.confirm(now + found_after)
        self._due = min(self._due, verification.next_deadline())
        self.advance(now)

    def _mail_from(self, written: str) -> MailFrom:
        mail_from = self[written].mail_from
        if mail_from is None:
            raise InvalidParameterValue(f"{written} has no MAIL FROM domain; give it one by put_mail_from")
        return mail_from

    def _clocks(self) -> Iterator[Verification]:
        for identity in self._known.values():
            yield identity
            if identity.mail_from is not None:
                yield identity.mail_from


def canonical(written: str) -> str:
    """An identity as it is compared: the domain in lower case (SES-IDN-1).

    Raises:
        InvalidParameterValue: it is neither an address nor a domain.
    """
    if not isinstance(written, str):
        raise InvalidParameterValue(f"{written!r} is neither an address nor a domain")
    if is_domain(written):
        return written.lower()
    try:
        _, local, domain = parse_address(written)
    except MessageRejected as error:
        raise InvalidParameterValue(f"{error}, nor a domain") from None
    return f"{local}@{domain.lower()}"
