"""Faults: plain data that says what goes wrong, and when. Whoever drives a consumer applies them (see `driving`)."""

import attrs

from msgsim.declare import choice, number
from msgsim.errors import DeclarationError

CRASH = "crash"
DUPLICATE = "duplicate"
REDELIVERY = "redelivery"
OUTAGE = "outage"
KINDS = (CRASH, DUPLICATE, REDELIVERY, OUTAGE)


@attrs.frozen(kw_only=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: "crash": the consumer dies when it has handled a delivery and before the delete. "duplicate": a delivery
            is handed over twice (SQS-DUP-1). "redelivery": a delivery is handled, but its visibility timeout passes
            before the delete. "outage": nothing is received for a while.
        at: when an outage begins, or the time from which on the next delivery is struck [s].
        duration: of an outage [s].
    """

    kind: str = choice(CRASH, KINDS)
    at: float = number(0.0, unit="s")
    duration: float = number(0.0, unit="s")

    def __attrs_post_init__(self) -> None:
        if self.duration and self.kind != OUTAGE:
            raise DeclarationError("Fault.duration", f"{self.duration!r} is for outages; {self.kind!r} has none")
