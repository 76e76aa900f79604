"""Deliveries that may have to be repeated: what becomes of each attempt, and when the next one is due.

An outage is known ahead, so that a delivery goes straight from its first attempt within one to the first after it:
what is tried in between is counted when somebody looks. A server that is down for good takes two events per delivery,
however many attempts its schedule has.

With jitter an attempt comes later than the schedule says, by a random share of the pause before it; the next one counts
from the schedule and not from there. So a jump remains a jump: of the attempts within an outage only the last one can
slip beyond its end. Those that are known to fail are counted at the times of the schedule.
"""

from collections import deque
from collections.abc import Callable
from math import inf, nan
from typing import NamedTuple

from msgsim.bus.message import Content
from msgsim.bus.publication import Attributes
from msgsim.bus.retries import DeliveryPolicy, Schedule
from msgsim.bus.server import TIMEOUT, TOO_MANY, LiveServer, is_retried
from msgsim.distributions import Uniforms
from msgsim.quotas import ATTEMPT_TIMEOUT

FIRST, ATTEMPT, ARRIVAL, END = range(4)
"""What a parcel waits for: its first attempt, its next one, the answer that it arrived, the answer that it did not."""

LOG_ENTRIES = 1_000


class LogEntry(NamedTuple):
    """The outcome of an attempt (SNS-RTY-9).

    Attributes:
        at: when it ended [s].
        status: "200", the status of the failure, "timeout", or why it was not made at all.
        attempt: counted from 1.
        dwell_time: since the delivery began [s].
    """

    at: float
    status: str
    attempt: int
    dwell_time: float


class Parcel:
    """One delivery that is under way.

    Attributes:
        content, attributes, origin, origin_at, group_id: of the publish.
        redrive: name of the queue for it if it fails for good; None to drop it.
        began_at: first attempt [s].
        attempt: the next one, or the one whose answer it waits for, counted from 0.
        waits_for: `FIRST`, `ATTEMPT`, `ARRIVAL` or `END`.
        schedule: when its attempts are due; it keeps the one that it began with.
        has_slot: it has waited for its turn already.
        late: by how much the next attempt, or the latest, is later than the schedule says [s].
        jump: from which attempt on it fails for sure: its time by the schedule [s], when that says that it begins [s],
            its number, the number of the first that may not.
        length: of the attempts that fail for sure [s].
        status: of the latest failure.
    """

    __slots__ = (
        "attempt",
        "attributes",
        "began_at",
        "content",
        "group_id",
        "has_slot",
        "jump",
        "late",
        "length",
        "origin",
        "origin_at",
        "redrive",
        "schedule",
        "status",
        "waits_for",
    )

    schedule: Schedule

    def __init__(
        self,
        content: str | Content,
        attributes: Attributes | None,
        now: float,
        origin: int | None,
        origin_at: float,
        group_id: str | None,
        redrive: str | None = None,
    ) -> None:
        self.content = content
        self.attributes = attributes
        self.began_at = now
        self.origin = origin
        self.origin_at = origin_at
        self.group_id = group_id
        self.redrive = redrive
        self.attempt = 0
        self.waits_for = FIRST
        self.has_slot = False
        self.late = 0.0
        self.jump: tuple[float, float, int, int] | None = None
        self.length = 0.0
        self.status = ""


class Courier:
    """Makes the deliveries of one subscription.

    Args:
        schedule: when attempts are due.
        server: what answers them; None for what takes everything at once.
        policy: for the average rate that deliveries are held back to.
        refusal: says why a parcel that waited cannot be delivered any more, at a time [s]; nothing if it can.
        deliver: puts a parcel where it belongs, at a time [s]; says why it cannot, nothing if it can.
        give_up: is told of a parcel that fails for good, at a time [s].
        wait: keeps a parcel until a time [s], and calls `proceed` then.
        time: the time of whoever looks [s].
        log_rate: share of the successes that are kept in the log; failures are always (SNS-RTY-9).
        jitter: the largest share of a pause by which the attempt after it is late (SNS-RTY-5).
        rng: for that; needed with jitter only.
        throttled: by which a delivery goes on once its endpoint has throttled it; None for as before (SNS-RTY-2).
        attempts: that were made before it was there.
        failed_attempts: of these, the ones that failed.

    Attributes:
        log: the latest outcomes; attempts that are known to fail ahead have one entry, for the first of them.
        pending: parcels under way.
    """

    __slots__ = (
        "_attempts",
        "_counted",
        "_counted_at",
        "_deliver",
        "_free_at",
        "_give_up",
        "_jitter",
        "_jumping",
        "_log_rate",
        "_logged",
        "_pause",
        "_refusal",
        "_rng",
        "_successes",
        "_throttled",
        "_time",
        "_wait",
        "failed_attempts_done",
        "log",
        "pending",
        "schedule",
        "server",
    )

    def __init__(
        self,
        schedule: Schedule,
        server: LiveServer | None,
        policy: DeliveryPolicy | None,
        *,
        refusal: Callable[[Parcel, float], str],
        deliver: Callable[[Parcel, float], str],
        give_up: Callable[[Parcel, float], None],
        wait: Callable[[Parcel, float], None],
        time: Callable[[], float],
        log_rate: float | None = None,
        jitter: float = 0.0,
        rng: Uniforms | None = None,
        throttled: Schedule | None = None,
        attempts: int = 0,
        failed_attempts: int = 0,
    ) -> None:
        self.server = server
        self.repeat_by(schedule, policy)
        self._free_at = 0.0
        self._refusal = refusal
        self._deliver = deliver
        self._give_up = give_up
        self._wait = wait
        self._time = time
        self._log_rate = log_rate
        self._jitter = jitter
        self._rng = rng
        self._throttled = throttled
        self._logged = self._successes = 0
        self.log: deque[LogEntry] = deque(maxlen=LOG_ENTRIES)
        self._attempts = attempts
        self.failed_attempts_done = failed_attempts
        self.pending = 0
        self._jumping: dict[Parcel, None] = {}
        self._counted = 0
        self._counted_at = nan

    def repeat_by(self, schedule: Schedule, policy: DeliveryPolicy | None) -> None:
        """Take over a policy: its schedule for parcels that begin from now on, its rate for all attempts."""
        self.schedule = schedule
        rate = policy.max_receives_per_second if policy is not None else None
        self._pause = 1.0 / rate if rate else 0.0

    @property
    def attempts(self) -> int:
        """Attempts that have begun by now. Cost: O(deliveries that wait for the end of an outage)."""
        return self._attempts + self._skipped

    @property
    def failed_attempts(self) -> int:
        """Of these, the ones that failed or are known to. Cost: as `attempts`."""
        return self.failed_attempts_done + self._skipped

    @property
    def _skipped(self) -> int:
        if not self._jumping:
            return 0
        now = self._time()
        if now != self._counted_at:  # whoever reads one number reads others
            self._counted = sum([self._begun(parcel, now) for parcel in self._jumping])
            self._counted_at = now
        return self._counted

    def _begun(self, parcel: Parcel, now: float) -> int:
        """How many attempts of a parcel that jumps have begun after the first of them."""
        began, offset, first, target = parcel.jump  # type: ignore[misc]
        begun = parcel.schedule.begun(now - began + offset, parcel.length)
        return max(0, min(begun, target) - first - 1)

    def send(self, parcel: Parcel, now: float) -> None:
        """Begin a delivery."""
        self.pending += 1
        parcel.schedule = self.schedule
        self._try(parcel, now)

    def proceed(self, parcel: Parcel, now: float) -> None:
        """Go on with a delivery that waited until now."""
        if parcel.jump is not None:
            _, _, first, target = parcel.jump
            self._attempts += target - first - 1
            self.failed_attempts_done += target - first - 1
            parcel.jump = None
            del self._jumping[parcel]
            self._counted_at = nan
        if parcel.waits_for == ATTEMPT:
            why = self._refusal(parcel, now)
            if why:
                self._attempts += 1
                self._fail(parcel, now, why)
                self._end(parcel, now)
            else:
                self._try(parcel, now)
        elif parcel.waits_for == ARRIVAL:
            self._arrive(parcel, now)
        else:
            self._end(parcel, now)

    def refuse(self, parcel: Parcel, now: float, why: str) -> None:
        """End a delivery that cannot be made, which is not repeated (SNS-RTY-1)."""
        self.pending += 1
        self._attempts += 1
        self._fail(parcel, now, why)
        self._end(parcel, now)

    def _try(self, parcel: Parcel, now: float) -> None:
        if self._pause and not parcel.has_slot:
            begins = max(now, self._free_at)
            self._free_at = begins + self._pause
            if begins > now:
                parcel.has_slot = True
                parcel.waits_for = ATTEMPT
                self._wait(parcel, begins)
                return
        parcel.has_slot = False
        server = self.server
        if server is None:
            self._attempts += 1
            self._arrive(parcel, now)
            return
        self._attempts += 1
        outage = server.outage(now)
        if server.declaration.denies:
            self._fail(parcel, now, "denied")
            self._end(parcel, now)
        elif outage is not None:
            self._fail_until(parcel, now, *outage)
        elif server.always is not None:
            self._fail_until(parcel, now, inf, server.always)
        else:
            self._ask(parcel, now, server)

    def _ask(self, parcel: Parcel, now: float, server: LiveServer) -> None:
        status, length = server.answer(now)
        if status is None:
            parcel.waits_for = ARRIVAL
            if length:
                self._wait(parcel, now + length)
            else:
                self._arrive(parcel, now)
            return
        self._fail(parcel, now + length, status)
        if not is_retried(status) or parcel.attempt + 1 >= parcel.schedule.attempts:
            parcel.waits_for = END
            if length:
                self._wait(parcel, now + length)
            else:
                self._end(parcel, now)
            return
        pause = parcel.schedule.pause(parcel.attempt)
        parcel.attempt += 1
        parcel.waits_for = ATTEMPT
        due = now + length + pause
        if self._jitter:
            late = self._lateness(pause)
            due += late - parcel.late
            parcel.late = late
        self._wait(parcel, due)

    def _fail_until(self, parcel: Parcel, now: float, end: float, status: str) -> None:
        """Let all attempts fail that begin before an end; wait for the first that does not, or for giving up."""
        first = parcel.attempt
        planned = now - parcel.late
        length = parcel.length = ATTEMPT_TIMEOUT.low if status == TIMEOUT else 0.0
        self._fail(parcel, now + length, status)
        schedule = parcel.schedule
        offset = schedule.offset(first, length)
        if not is_retried(status):
            self._end(parcel, now)
            return
        if self._pause:  # each attempt takes its turn
            target = first + 1
        else:
            found = schedule.at_or_after(end - planned + offset, length)
            target = max(schedule.attempts if found is None else found, first + 1)
        if self._jitter:
            target = self._scatter(parcel, first, target, end - planned)
        if target < schedule.attempts:
            parcel.waits_for = ATTEMPT
            due = planned + (schedule.offset(target, length) - offset) + parcel.late
        else:
            parcel.waits_for = END
            due = planned + (schedule.offset(target - 1, length) - offset) + parcel.late + length
        if target > first + 1:
            parcel.jump = (planned, offset, first, target)
            self._jumping[parcel] = None
            self._counted_at = nan
        parcel.attempt = target if target < schedule.attempts else target - 1
        if due > now:
            self._wait(parcel, due)
        else:
            self.proceed(parcel, now)

    def _lateness(self, pause: float) -> float:
        """By how much the attempt after a pause is later than the schedule says [s]."""
        return pause * self._jitter * self._rng.random()  # type: ignore[union-attr]  # given with jitter

    def _scatter(self, parcel: Parcel, first: int, target: int, time_left: float) -> int:
        """Let the attempt that a delivery jumps to be late, or the one before it if that makes it the first after all.

        Args:
            parcel: of the delivery.
            first: the attempt that has just failed.
            target: the first that does not begin before the end by the schedule; or one beyond the last.
            time_left: from the beginning of the first, by the schedule, to the end [s].

        Returns:
            The attempt that it jumps to; or one beyond the last, and the lateness is that of the last.
        """
        schedule, length = parcel.schedule, parcel.length
        before = target - 1
        if before > first:
            parcel.late = self._lateness(schedule.pause(before - 1))
            if schedule.offset(before, length) - schedule.offset(first, length) + parcel.late >= time_left:
                return before
        if target < schedule.attempts:
            parcel.late = self._lateness(schedule.pause(before))
        return target

    def _arrive(self, parcel: Parcel, now: float) -> None:
        self.pending -= 1
        why = self._deliver(parcel, now)
        if why:
            self._fail(parcel, now, why)
            self._give_up(parcel, now)
        elif self._log_rate is not None:
            self._successes += 1
            if int(self._successes * self._log_rate) > self._logged:
                self._logged += 1
                self.log.append(LogEntry(now, "200", parcel.attempt + 1, now - parcel.began_at))

    def _fail(self, parcel: Parcel, at: float, status: str) -> None:
        self.failed_attempts_done += 1
        parcel.status = status
        if status == TOO_MANY and self._throttled is not None:
            parcel.schedule = self._throttled
        if self._log_rate is not None:
            self.log.append(LogEntry(at, status, parcel.attempt + 1, at - parcel.began_at))

    def _end(self, parcel: Parcel, now: float) -> None:
        self.pending -= 1
        self._give_up(parcel, now)
