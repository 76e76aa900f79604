"""Dedicated IP addresses: how much each may send while it is new, and where the rest goes."""

from math import floor, inf
from typing import NamedTuple

import attrs

from msgsim.declare import DAY, check_now, flag, number
from msgsim.errors import DeclarationError
from msgsim.quotas import DEDICATED_IP_VOLUME, WARM_UP_TIME

FIRST_VOLUME = 200.0
"""What an address sends on its first day unless it is said [emails] (SES-IP-1: the plan is unpublished)."""

NOT_APPLICABLE = -1
"""The percentage of a warm-up that has none, as that of a managed pool, where each mailbox provider has its own."""


@attrs.frozen(kw_only=True)
class DedicatedPool:
    """A pool of dedicated IP addresses, and the plan by which they become known to receivers.

    The plan gives each address so many emails per day, the same factor more each day, until it has its full volume.
    What goes beyond the plan is more than receivers know of the address, and they defer some of it.

    Args:
        ips: how many addresses.
        started_at: when their warm-up began [s]; before time 0 for addresses that have been in use.
        warm_up_time: how long it takes [s] (SES-IP-1).
        first_volume: of one address on the first day [emails] (unpublished).
        full_volume: of one address per day when it is warm [emails] (SES-IP-1).
        automatic: while they warm up, what goes beyond the plan goes over addresses that are shared with others. Not
            so if false: then all goes over these, and receivers defer.
        managed: warm up by mailbox provider, each with a plan of its own; in the second half of the warm-up what goes
            beyond a plan waits for the next days.
        deferral_rate: probability that a receiver defers an email that goes far beyond the plan; one that goes beyond
            it by a share of the plan is deferred with that share of it (unpublished).

    Raises:
        DeclarationError: a value is not allowed; says which are.
    """

    ips: int = number(1, low=1, unit="addresses", rule="SES-IP-1", integer=True)
    started_at: float = number(0.0, low=-inf, unit="s", rule="SES-IP-1")
    warm_up_time: float = WARM_UP_TIME.field()
    first_volume: float = number(FIRST_VOLUME, low=1, unit="emails/day", rule="SES-IP-1")
    full_volume: float = DEDICATED_IP_VOLUME.field()
    automatic: bool = flag(default=True)
    managed: bool = flag()
    deferral_rate: float = number(0.5, high=1, unit="probability", rule="SES-IP-1")

    def __attrs_post_init__(self) -> None:
        kind = type(self).__name__
        if self.first_volume > self.full_volume:
            problem = f"{self.first_volume!r} is more than the full_volume of {self.full_volume!r} [emails/day]"
            raise DeclarationError(f"{kind}.first_volume", f"{problem} (SES-IP-1)")
        if self.managed and not self.automatic:
            raise DeclarationError(f"{kind}.automatic", "a managed pool has no other warm-up (SES-IP-1)")

    def warm_up_percentage(self, now: float) -> int:
        """How far the warm-up is at `now` [s], 0 to 100; -1 for a managed pool."""
        if self.managed:
            return NOT_APPLICABLE
        return floor(100 * self._progress(now))

    def allowance(self, day: int) -> float:
        """What the pool may send on a day, counted from 0 since the warm-up began [emails]."""
        progress = self._progress(self.started_at + day * DAY)
        growth: float = (self.full_volume / self.first_volume) ** progress
        return self.ips * self.first_volume * growth

    def _progress(self, now: float) -> float:
        """How much of the warm-up has passed, 0 to 1."""
        passed = now - self.started_at
        if passed >= self.warm_up_time:
            return 1.0
        return passed / self.warm_up_time if passed > 0 else 0.0


class Passage(NamedTuple):
    """How one email leaves.

    Attributes:
        at: when [s].
        dedicated: over an address of the pool, not over a shared one.
        deferral: probability that its receiver defers it for that address.
    """

    at: float
    dedicated: bool
    deferral: float


class PoolTraffic:
    """A pool at work: how much of the plan has been used.

    Args:
        pool: the declaration.
        name: for errors.

    Attributes:
        dedicated: emails that left over the pool's addresses.
        shared: that left over others.
        delayed: of the first, those that had to wait for a day with room.

    Source: SES-IP-1. Cost: O(1) per email, over time; memory O(receiving domains) for a managed pool.
    """

    __slots__ = ("_days", "_now", "dedicated", "delayed", "name", "pool", "shared")

    def __init__(self, pool: DedicatedPool, name: str = "pool") -> None:
        self.pool = pool
        self.name = name
        self.dedicated = self.shared = self.delayed = 0
        self._now = -inf
        self._days: dict[str, tuple[int, int]] = {}

    def send(self, now: float, domain: str = "") -> Passage:
        """Let one email leave.

        Args:
            now: [s].
            domain: that it goes to; a managed pool has a plan for each.

        Raises:
            TimeRanBackwards: `now` is earlier than at the last call.
        """
        check_now(self.name, now, self._now)
        self._now = now
        pool = self.pool
        passed = now - pool.started_at
        if passed < 0:
            return self._share(now)
        plan = domain.lower() if pool.managed else ""
        today = int(passed // DAY)
        day, used = self._days.get(plan, (today, 0))
        warming = passed < pool.warm_up_time
        if day < today or (day > today and not warming):
            day, used = today, 0
        allowance = pool.allowance(day)
        if used + 1 > allowance and warming and pool.managed and 2 * passed >= pool.warm_up_time:
            day, used, allowance = day + 1, 0, pool.allowance(day + 1)
        elif used + 1 > allowance and warming and pool.automatic:
            return self._share(now)
        used += 1
        self._days[plan] = day, used
        self.dedicated += 1
        if day > today:
            self.delayed += 1
            return Passage(pool.started_at + day * DAY, dedicated=True, deferral=0.0)
        excess = max(0.0, used - allowance) / allowance
        return Passage(now, dedicated=True, deferral=min(1.0, excess) * pool.deferral_rate)

    def _share(self, now: float) -> Passage:
        self.shared += 1
        return Passage(now, dedicated=False, deferral=0.0)
