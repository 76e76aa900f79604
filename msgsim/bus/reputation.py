"""Reputation: the rates of bounces and complaints that a sender is judged by, and what follows from them."""

from collections import deque
from math import inf
from typing import Any

import attrs

from msgsim.declare import DAY, bounds, check_now, number
from msgsim.errors import DeclarationError
from msgsim.quotas import (
    BOUNCE_PAUSE,
    BOUNCE_REVIEW,
    COMPLAINT_PAUSE,
    COMPLAINT_REVIEW,
    LEAST_REPRESENTATIVE_VOLUME,
    Quota,
)

HEALTHY = "HEALTHY"
PROBATION = "PROBATION"
SHUTDOWN = "SHUTDOWN"
STATUSES = (HEALTHY, PROBATION, SHUTDOWN)
"""What the service calls healthy, under review and paused (SES-REP-3)."""

GOOD, REVIEW, PAUSE = 0, 1, 2
"""How bad the rates are: below the thresholds of a review, below those of a pause, or not."""


def _threshold(quota: Quota) -> Any:
    return number(quota.default, high=quota.high, above=True, unit=quota.unit, rule=quota.rule)


@attrs.frozen(kw_only=True)
class ReputationPolicy:
    """How a sender is judged. The thresholds are published; volumes and times are not: people decide (SES-REP-3).

    Args:
        representative_volume: rates are over the latest so many recipients; None for a day's worth of them on the
            average of all days so far, and at least 1,000 (SES-REP-2: unpublished).
        minimum_volume: nobody is judged by fewer recipients.
        bounce_review, bounce_pause: the share of hard bounces from which on sending is reviewed, and may be paused
            (SES-REP-1).
        complaint_review, complaint_pause: the same for complaints.
        grace: the rates must be that bad for so long before sending is paused [s]; 0 pauses at once.
        recovery: a review ends when the rates have been below its thresholds for so long [s].
        pause_time: a pause ends, in a review and with rates that begin anew, after so long [s]; None for never.

    Raises:
        DeclarationError: a value is not allowed; says which are.
    """

    representative_volume: int | None = number(
        None, low=1, unit="recipients", rule="SES-REP-2", integer=True, optional=True
    )
    minimum_volume: int = number(100, low=1, unit="recipients", rule="SES-REP-2", integer=True)
    bounce_review: float = _threshold(BOUNCE_REVIEW)
    bounce_pause: float = _threshold(BOUNCE_PAUSE)
    complaint_review: float = _threshold(COMPLAINT_REVIEW)
    complaint_pause: float = _threshold(COMPLAINT_PAUSE)
    grace: float = number(DAY, unit="s", rule="SES-REP-3")
    recovery: float = number(7 * DAY, unit="s", rule="SES-REP-3")
    pause_time: float | None = number(None, above=True, unit="s", rule="SES-REP-3", optional=True)

    def __attrs_post_init__(self) -> None:
        kind = type(self).__name__
        for what in ("bounce", "complaint"):
            review, pause = getattr(self, f"{what}_review"), getattr(self, f"{what}_pause")
            if review > pause:
                allowed = bounds(0, pause, "of recipients", "SES-REP-1", above=True)
                problem = f"{review!r} is more than the {what}_pause of {pause!r}; allowed: {allowed}"
                raise DeclarationError(f"{kind}.{what}_review", problem)
        if self.representative_volume is not None and self.representative_volume < self.minimum_volume:
            problem = (
                f"{self.minimum_volume!r} recipients are more than the representative_volume of "
                f"{self.representative_volume!r}, so nobody would ever be judged"
            )
            raise DeclarationError(f"{kind}.minimum_volume", problem)


class Reputation:
    """The reputation of an account, a configuration set or a tenant.

    Who reports to it decides what counts: hard bounces at addresses outside of verified domains, and complaints, with
    nothing that went to the mailbox simulator (SES-BNC-4, SES-SIM-1). A bounce counts when it comes back,
    and not where nothing has been sent since a pause.

    The rates are over a window that ends with the latest recipient. Its begin only moves forward, so a window whose
    volume grows fills up with what is sent from then on.

    Args:
        policy: how it is judged.
        name: for errors.

    Attributes:
        policy: as given.
        changes: when its status changed [s], and to what, in order.
        now: the time of the last call [s]; -inf before the first.

    Source: SES-REP-1 ... SES-REP-3. Cost: O(1) per report; memory O(bounces and complaints in the window).
    """

    __slots__ = (
        "_begin",
        "_below_since",
        "_bounces",
        "_complaints",
        "_due",
        "_first_day",
        "_next_day",
        "_over_since",
        "_sent",
        "_standing",
        "_volume",
        "changes",
        "name",
        "now",
        "policy",
    )

    def __init__(self, policy: ReputationPolicy, name: str = "reputation") -> None:
        self.policy = policy
        self.name = name
        self.changes: list[tuple[float, str]] = []
        self._standing = HEALTHY
        self.now = -inf
        self._sent = self._begin = 0
        self._bounces: deque[int] = deque()
        self._complaints: deque[int] = deque()
        self._over_since: float | None = None
        self._below_since: float | None = None
        self._due: float | None = None
        self._volume = (
            LEAST_REPRESENTATIVE_VOLUME if policy.representative_volume is None else policy.representative_volume
        )
        self._first_day: float | None = None
        self._next_day = inf

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.name!r} {self._standing} bounce_rate={self.bounce_rate:.3g} "
            f"complaint_rate={self.complaint_rate:.3g} volume={self.volume}>"
        )

    # ---------------------------------------------------------------- what is reported

    def record_sent(self, recipients: int, now: float) -> None:
        """So many recipients have been sent to at `now` [s].

        Raises:
            TimeRanBackwards: `now` is earlier than at the last call.
        """
        self.advance(now)
        if self.policy.representative_volume is None:
            self._measure_volume(now)
        self._sent += recipients
        begin = self._sent - self._volume
        if begin > self._begin:
            self._begin = begin
            for reports in (self._bounces, self._complaints):
                while reports and reports[0] <= begin:
                    reports.popleft()
        self._judge(now)

    def record_bounce(self, now: float) -> None:
        """A recipient turned out not to exist at `now` [s]. Raises as `record_sent`."""
        self.advance(now)
        if self._sent > self._begin:
            self._bounces.append(self._sent)
        self._judge(now)

    def record_complaint(self, now: float) -> None:
        """A recipient complained at `now` [s]. Raises as `record_sent`."""
        self.advance(now)
        if self._sent > self._begin:
            self._complaints.append(self._sent)
        self._judge(now)

    # ---------------------------------------------------------------- what follows

    @property
    def volume(self) -> int:
        """The recipients that the rates are over; it approaches the representative volume."""
        return self._sent - self._begin

    @property
    def bounce_rate(self) -> float:
        """Hard bounces by recipient in the window, a fraction (SES-REP-4); 0 while nothing has been sent."""
        return _share(self._bounces, self._sent - self._begin)

    @property
    def complaint_rate(self) -> float:
        """Complaints by recipient in the window, a fraction (SES-REP-4); 0 while nothing has been sent."""
        return _share(self._complaints, self._sent - self._begin)

    @property
    def finding(self) -> int:
        """How bad the rates are: GOOD, REVIEW or PAUSE; GOOD below the minimum volume (SES-REP-1)."""
        policy, volume = self.policy, self._sent - self._begin
        if volume < policy.minimum_volume:
            return GOOD
        bounces, complaints = _share(self._bounces, volume), _share(self._complaints, volume)
        if bounces >= policy.bounce_pause or complaints >= policy.complaint_pause:
            return PAUSE
        if bounces >= policy.bounce_review or complaints >= policy.complaint_review:
            return REVIEW
        return GOOD

    def status(self, now: float) -> str:
        """HEALTHY, PROBATION or SHUTDOWN at `now` [s]: as it should be, under review, paused (SES-REP-3).

        Raises:
            TimeRanBackwards: `now` is earlier than at the last call.
        """
        self.advance(now)
        return self._standing

    @property
    def is_paused(self) -> bool:
        """Whether it was paused at the last look."""
        return self._standing == SHUTDOWN

    @property
    def paused_at(self) -> float | None:
        """When it was paused first [s]; None if it never was. Cost: O(changes)."""
        return next((at for at, status in self.changes if status == SHUTDOWN), None)

    def reinstate(self, now: float) -> None:
        """End a pause: in a review, with rates that begin anew. Without a pause it does nothing.

        Raises:
            TimeRanBackwards: `now` is earlier than at the last call.
        """
        self.advance(now)
        if self._standing == SHUTDOWN:
            self._end_pause(now)

    def next_deadline(self) -> float | None:
        """When the status changes if nothing is reported until then [s]; None if it does not."""
        return self._due

    def advance(self, now: float) -> None:
        """Change the status as is due by `now` [s], each change at its own time; idempotent.

        Raises:
            TimeRanBackwards: `now` is earlier than at the last call.
        """
        check_now(self.name, now, self.now)
        self.now = now
        while self._due is not None and self._due <= now:
            due = self._due
            if self._standing == SHUTDOWN:
                self._end_pause(due)
            elif self._over_since is not None:
                self._change(SHUTDOWN, due)
            else:
                self._change(HEALTHY, due)

    def _judge(self, now: float) -> None:
        """Let the rates have their effect; they have changed."""
        if self._standing == SHUTDOWN:
            return
        finding = self.finding
        if self._standing == HEALTHY:
            if finding == GOOD:
                return
            self._change(PROBATION, now)
        self._over_since = None if finding != PAUSE else now if self._over_since is None else self._over_since
        self._below_since = None if finding != GOOD else now if self._below_since is None else self._below_since
        if self._over_since is not None:
            self._due = self._over_since + self.policy.grace
        elif self._below_since is not None:
            self._due = self._below_since + self.policy.recovery
        else:
            self._due = None
        self.advance(now)

    def _change(self, status: str, at: float) -> None:
        self._standing = status
        self.changes.append((at, status))
        self._over_since = self._below_since = self._due = None
        if status == SHUTDOWN and self.policy.pause_time is not None:
            self._due = at + self.policy.pause_time

    def _end_pause(self, at: float) -> None:
        self._begin = self._sent
        self._bounces.clear()
        self._complaints.clear()
        self._change(PROBATION, at)
        self._below_since = at
        self._due = at + self.policy.recovery

    def _measure_volume(self, now: float) -> None:
        """A day's worth of recipients, as of the latest whole day since the first one."""
        if self._first_day is None:
            self._first_day = now
            self._next_day = now + DAY
        elif now >= self._next_day:
            days = (now - self._first_day) // DAY
            self._next_day = self._first_day + (days + 1) * DAY
            self._volume = max(LEAST_REPRESENTATIVE_VOLUME, round(self._sent / days))


def _share(reports: "deque[int]", volume: int) -> float:
    """Never more than all: what was sent before the window may still come back."""
    return min(1.0, len(reports) / volume) if volume else 0.0
