"""Tenants of a sending account: each with a reputation of its own, so that one who is stopped stops nobody else."""

from collections.abc import Sequence
from math import inf

import attrs

from msgsim.bus.reputation import GOOD, PAUSE, REVIEW, Reputation, ReputationPolicy
from msgsim.bus.suppression import reasons_field
from msgsim.declare import choice, instance

STANDARD, STRICT, NONE = "STANDARD", "STRICT", "NONE"
ENABLED, DISABLED, REINSTATED = "ENABLED", "DISABLED", "REINSTATED"
SCOPES = ("ACCOUNT", "TENANT")

STOPPED_BY = {STANDARD: PAUSE, STRICT: REVIEW, NONE: inf}
"""From which finding on a policy stops a tenant."""

JUDGEMENT = ReputationPolicy(bounce_pause=0.15, representative_volume=664)
"""How tenants are judged unless it is said: the bounce rate and the volume of the service's own example (SES-TEN-1)."""


@attrs.frozen(kw_only=True)
class SendingTenant:
    """A tenant of an outbox, declared.

    Args:
        policy: what stops it: "STANDARD", rates at which an account may be paused; "STRICT", rates at which it is
            reviewed; "NONE", nothing. There is no grace, for no people decide.
        suppression_scope: "TENANT" for a suppression list of its own, "ACCOUNT" for the account's (SES-SUP-4).
        suppressed_reasons: with a list of its own, which of "BOUNCE" and "COMPLAINT" count; None is as the account has
            it.
        reputation: the rates, and over how many recipients; its times are for accounts.

    Raises:
        DeclarationError: a value is not allowed; says which are.
    """

    policy: str = choice(STANDARD, tuple(STOPPED_BY), "SES-TEN-1")
    suppression_scope: str = choice("ACCOUNT", SCOPES, "SES-SUP-4")
    suppressed_reasons: Sequence[str] | None = reasons_field()
    reputation: ReputationPolicy = instance(ReputationPolicy, "a ReputationPolicy", default=JUDGEMENT)


class TenantStanding:
    """A tenant at work.

    Args:
        tenant: the declaration.
        name: for errors.

    Attributes:
        tenant: as given.
        reputation: its rates; report to this object, not to that one.
        changes: when its status changed [s], and to what, in order.

    Source: SES-TEN-1. Cost: O(1) per report.
    """

    __slots__ = ("_status", "changes", "name", "reputation", "tenant")

    def __init__(self, tenant: SendingTenant, name: str = "tenant") -> None:
        self.tenant = tenant
        self.name = name
        self.reputation = Reputation(tenant.reputation, name)
        self.changes: list[tuple[float, str]] = []
        self._status = ENABLED

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} {self._status}>"

    @property
    def now(self) -> float:
        """The time of the last call [s]; -inf before the first."""
        return self.reputation.now

    @property
    def status(self) -> str:
        """ENABLED, DISABLED or REINSTATED: switched on again whatever the rates are."""
        return self._status

    @property
    def may_send(self) -> bool:
        """Whether its emails are accepted."""
        return self._status != DISABLED

    def record_sent(self, recipients: int, now: float) -> None:
        """So many of its recipients have been sent to at `now` [s].

        Raises:
            TimeRanBackwards: `now` is earlier than at the last call.
        """
        self.reputation.record_sent(recipients, now)
        self._judge(now)

    def record_bounce(self, now: float) -> None:
        """One of them turned out not to exist. Raises as `record_sent`."""
        self.reputation.record_bounce(now)
        self._judge(now)

    def record_complaint(self, now: float) -> None:
        """One of them complained. Raises as `record_sent`."""
        self.reputation.record_complaint(now)
        self._judge(now)

    def disable(self, now: float) -> None:
        """Stop it by hand. Raises as `record_sent`."""
        self._turn(DISABLED, now)

    def enable(self, now: float) -> None:
        """Let it send again: REINSTATED where the rates would stop it at once, else ENABLED.

        Raises as `record_sent`.
        """
        stopped = self.reputation.finding >= STOPPED_BY[self.tenant.policy]
        self._turn(REINSTATED if stopped else ENABLED, now)

    def _judge(self, now: float) -> None:
        finding = self.reputation.finding
        if self._status == ENABLED:
            if finding >= STOPPED_BY[self.tenant.policy]:
                self._turn(DISABLED, now)
        elif self._status == REINSTATED and finding == GOOD:
            self._turn(ENABLED, now)

    def _turn(self, status: str, now: float) -> None:
        self.reputation.advance(now)
        if status != self._status:
            self._status = status
            self.changes.append((now, status))
