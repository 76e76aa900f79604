"""Configuration sets: what holds for the emails that name one."""

import re
from collections.abc import Mapping, Sequence

import attrs

from msgsim.bus.event_destinations import EventDestination
from msgsim.bus.suppression import reasons_field
from msgsim.declare import choice, flag, listed, text
from msgsim.errors import DeclarationError
from msgsim.quotas import EVENT_DESTINATIONS, MAX_DELIVERY_TIME

OPTIONAL, REQUIRE = "OPTIONAL", "REQUIRE"

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def check_set_name(path: str, name: object) -> None:
    """Refuse what cannot be the name of a configuration set.

    Raises:
        DeclarationError: says what is allowed.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise DeclarationError(path, f"{name!r} is not a name; allowed: 1 to 64 letters, digits, '-', '_' (SES-QUO-8)")


@attrs.frozen(kw_only=True)
class ConfigurationSet:
    """What holds for the emails that name this set, or for all without one if it is the outbox's default.

    Args:
        sending: false refuses its emails (SES-REP-3).
        tls: "REQUIRE" bounces at receivers that do not encrypt, "OPTIONAL" sends in the clear there.
        max_delivery_time: acceptance to giving up on a recipient [s]; None for the outbox's own.
        suppressed_reasons: which entries of the suppression list count, of "BOUNCE" and "COMPLAINT"; none of them
            switches the list off; None leaves it to the outbox (SES-SUP-2).
        reputation_metrics: keep bounce and complaint rates of its own (CW-SES-2).
        pool: the name of the outbox's pool of dedicated addresses that its emails leave by; None for shared ones.
        events: where events are published, at most 10 (SES-CFG-2).

    Raises:
        DeclarationError: a value is not allowed; says which are.

    Source: SES-CFG-1.
    """

    sending: bool = flag(default=True)
    tls: str = choice(OPTIONAL, (OPTIONAL, REQUIRE), "SES-CFG-1")
    max_delivery_time: float | None = MAX_DELIVERY_TIME.field(None, optional=True)
    suppressed_reasons: Sequence[str] | None = reasons_field()
    reputation_metrics: bool = flag()
    pool: str | None = text(None, optional=True, empty=False)
    events: Sequence[EventDestination] = listed(EventDestination, "an EventDestination")

    def __attrs_post_init__(self) -> None:
        if len(self.events) > EVENT_DESTINATIONS.high:
            raise DeclarationError(
                f"{type(self).__name__}.events",
                f"{len(self.events)} destinations are too many; allowed: {EVENT_DESTINATIONS.high:g} "
                f"({EVENT_DESTINATIONS.rule})",
            )


def check_sets(path: str, sets: object) -> None:
    """Refuse what is not a table of configuration sets by name.

    Raises:
        DeclarationError: says what is wrong where.
    """
    if not isinstance(sets, Mapping):
        raise DeclarationError(path, f"{sets!r} is not a table of names and ConfigurationSet")
    for name, each in sets.items():
        check_set_name(path, name)
        if not isinstance(each, ConfigurationSet):
            raise DeclarationError(f"{path}.{name}", f"{each!r} is not a ConfigurationSet")
