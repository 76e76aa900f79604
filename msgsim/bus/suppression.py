"""Lists of addresses that are not sent to: an account's or a tenant's own, and that of the service for all."""

from collections.abc import Iterator, Sequence
from math import inf
from typing import Any, NamedTuple

import attrs

from msgsim.bus.mail import parse_address
from msgsim.declare import DAY
from msgsim.errors import DeclarationError, InvalidParameterValue, UnknownName
from msgsim.quotas import GLOBAL_SUPPRESSION_TIME, SUPPRESSION_IMPORT

BOUNCE = "BOUNCE"
COMPLAINT = "COMPLAINT"
REASONS = (BOUNCE, COMPLAINT)
"""Why an address is on a list (SES-SUP-1)."""

FIRST_STAY = DAY
"""How long an address is on the global list after a first bounce [s]; it doubles with each (SES-SUP-3: unpublished)."""

FORGOTTEN_AFTER = 14 * DAY
"""How long after an address has come off the global list its bounces are remembered [s] (SES-SUP-3: unpublished)."""

PRUNED_FROM = 1_024
"""Of fewer addresses than this, those that are forgotten are not looked for."""


def reasons_field(default: Any = None) -> Any:
    """A declaration's field with the reasons for which a list is in force; None says nothing about it (SES-SUP-2)."""

    def convert(value: Any) -> Any:
        return tuple(value) if isinstance(value, (list, tuple)) else value

    allowed = f"allowed: {', '.join(REASONS)} (SES-SUP-2)"

    def validate(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
        path = f"{type(owner).__name__}.{attribute.name}"
        if value is None:
            return
        if not isinstance(value, tuple):
            raise DeclarationError(path, f"{value!r} is not a list of reasons; {allowed}")
        for position, reason in enumerate(value):
            if reason not in REASONS:
                raise DeclarationError(f"{path}.{position}", f"{reason!r} is not allowed; {allowed}")
        if len(set(value)) != len(value):
            raise DeclarationError(path, f"{list(value)} names a reason twice")

    return attrs.field(default=default, converter=convert, validator=validate)


def check_reason(reason: object) -> None:
    """Refuse what is no reason to be on a list.

    Raises:
        InvalidParameterValue: says which there are.
    """
    if reason not in REASONS:
        raise InvalidParameterValue(f"reason={reason!r} is not allowed; allowed: {', '.join(REASONS)} (SES-SUP-1)")


def listed_address(written: str) -> str:
    """An address as lists have it: without a name, and otherwise as it is written, capitals included (SES-SUP-4).

    Raises:
        InvalidParameterValue: it is no address.
        MessageRejected: as `parse_address`.
    """
    if not isinstance(written, str):
        raise InvalidParameterValue(f"address={written!r} is not a text")
    _, local, domain = parse_address(written)
    return f"{local}@{domain}"


class SuppressedDestination(NamedTuple):
    """An address on a list.

    Attributes:
        address: as it is compared, which is letter by letter (SES-SUP-4).
        reason: "BOUNCE" or "COMPLAINT".
        since: when it was put there last [s].
    """

    address: str
    reason: str
    since: float


class SuppressionList:
    """Addresses by what put them there; they stay until they are deleted (SES-SUP-1)."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: dict[str, SuppressedDestination] = {}

    def put(self, address: str, reason: str, now: float) -> None:
        """Put an address on the list, or give it another reason and date. Cost: O(1)."""
        self._entries[address] = SuppressedDestination(address, reason, now)

    def put_all(self, addresses: Sequence[str], reason: str, now: float) -> None:
        """Put many on it at once, as an import job does.

        Raises:
            InvalidParameterValue: more than 100,000 (SES-SUP-5); nothing was put there then.
        """
        if len(addresses) > SUPPRESSION_IMPORT.high:
            allowed = f"{SUPPRESSION_IMPORT.high:g} ({SUPPRESSION_IMPORT.rule})"
            raise InvalidParameterValue(f"{len(addresses)} addresses are too many for one import; allowed: {allowed}")
        for address in addresses:
            self.put(address, reason, now)

    def delete(self, address: str) -> None:
        """Take an address off the list.

        Raises:
            UnknownName: it is not there.
        """
        self.get(address)
        del self._entries[address]

    def get(self, address: str) -> SuppressedDestination:
        """The entry of an address.

        Raises:
            UnknownName: there is none.
        """
        entry = self._entries.get(address)
        if entry is None:
            raise UnknownName(
                f"{address!r} is not on the suppression list, which has {len(self)} addresses (SES-SUP-5)"
            )
        return entry

    def reason(self, address: str) -> str | None:
        """Why an address is on the list; None if it is not. Cost: O(1)."""
        entry = self._entries.get(address)
        return None if entry is None else entry.reason

    def forgive(self, address: str) -> None:
        """Drop a complaint: the recipient says that it was none (SES-SUP-4). A bounce stays."""
        if self.reason(address) == COMPLAINT:
            del self._entries[address]

    def clear(self, until: float = inf) -> None:
        """Take off what was put there until then [s] (SES-SUP-5). Cost: O(entries)."""
        self._entries = {each: entry for each, entry in self._entries.items() if entry.since > until}

    def __contains__(self, address: object) -> bool:
        return address in self._entries

    def __iter__(self) -> Iterator[SuppressedDestination]:
        return iter(tuple(self._entries.values()))

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} addresses>"


class GlobalSuppressionList:
    """What the service itself does not send to for a while after a hard bounce, whoever sends (SES-SUP-3).

    It cannot be asked for; a simulated account knows its own share of it. With each further bounce an address stays
    twice as long, at most 14 days. Who has been off it for 14 days is as new to it.
    """

    __slots__ = ("_bounces", "_most")

    def __init__(self) -> None:
        self._bounces: dict[str, tuple[float, float]] = {}
        self._most = PRUNED_FROM

    def add(self, address: str, now: float) -> None:
        """A hard bounce. Cost: O(1), over time; memory O(addresses that bounced in the latest 28 days)."""
        known = self._bounces.get(address)
        new = known is None or now >= known[0] + FORGOTTEN_AFTER
        stay = FIRST_STAY if known is None or new else min(2.0 * known[1], GLOBAL_SUPPRESSION_TIME.high)
        self._bounces[address] = (now + stay, stay)
        if len(self._bounces) > self._most:
            self._bounces = {each: it for each, it in self._bounces.items() if now < it[0] + FORGOTTEN_AFTER}
            self._most = max(PRUNED_FROM, 2 * len(self._bounces))

    def holds(self, address: str, now: float) -> bool:
        """Whether the address is on the list at `now` [s]. Cost: O(1)."""
        known = self._bounces.get(address)
        return known is not None and now < known[0]
