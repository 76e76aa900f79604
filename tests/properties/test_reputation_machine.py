"""Reputations against a model that keeps everything that happened, and works its status out anew at each look."""

from collections.abc import Iterator
from math import inf, nextafter

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from msgsim.bus.reputation import GOOD, HEALTHY, PAUSE, PROBATION, REVIEW, SHUTDOWN, Reputation, ReputationPolicy

Stretch = tuple[float, float, int]
"""From when until when how bad the rates were."""


class Chapter:
    """What happened since the beginning or the latest end of a pause."""

    def __init__(self, policy: ReputationPolicy, begun_at: float, *, reviewed: bool) -> None:
        self.policy = policy
        self.begun_at = begun_at
        self.reviewed = reviewed
        self.recipients: list[float] = []
        self.bounces: list[int] = []
        self.complaints: list[int] = []
        self.findings: list[tuple[float, int]] = [(begun_at, GOOD)]

    def note(self, now: float) -> None:
        self.findings.append((now, self.finding()))

    def rates(self) -> tuple[float, float]:
        sent, volume = len(self.recipients), self.policy.representative_volume or 0
        window = range(max(0, sent - volume) + 1, sent + 1)
        if not window:
            return 0.0, 0.0
        bounces, complaints = (sum(each in window for each in some) for some in (self.bounces, self.complaints))
        return min(1.0, bounces / len(window)), min(1.0, complaints / len(window))

    def finding(self) -> int:
        policy = self.policy
        if min(len(self.recipients), policy.representative_volume or 0) < policy.minimum_volume:
            return GOOD
        bounces, complaints = self.rates()
        if bounces >= policy.bounce_pause or complaints >= policy.complaint_pause:
            return PAUSE
        return REVIEW if bounces >= policy.bounce_review or complaints >= policy.complaint_review else GOOD

    def stretches(self, wanted: int) -> Iterator[Stretch]:
        """The longest stretches of one finding; the last one is open."""
        begin = None
        for at, finding in self.findings:
            if finding == wanted and begin is None:
                begin = at
            elif finding != wanted and begin is not None:
                yield begin, at, finding
                begin = None
        if begin is not None:
            yield begin, inf, wanted

    def paused_at(self) -> float:
        grace = self.policy.grace
        return min((begin + grace for begin, end, _ in self.stretches(PAUSE) if begin + grace <= end), default=inf)

    def status(self, now: float) -> str:
        if self.paused_at() <= now:
            return SHUTDOWN
        bad = [at for at, finding in self.findings if finding != GOOD]
        if not bad and not self.reviewed:
            return HEALTHY
        for begin, end, _ in self.stretches(GOOD):
            first = begin == self.begun_at and not bad
            if end == inf and (first or begin >= max(bad, default=0)) and begin + self.policy.recovery <= now:
                return HEALTHY
        # a review that ended earlier stays ended only until the next finding, so only the last stretch matters
        return PROBATION

    def deadlines(self) -> list[float]:
        ends = [begin + self.policy.grace for begin, *_ in self.stretches(PAUSE)]
        return ends + [begin + self.policy.recovery for begin, *_ in self.stretches(GOOD)]


class ReputationMachine(RuleBasedStateMachine):
    """Sends, bounces and complaints, and time that passes, in any order."""

    @initialize(
        volume=st.integers(2, 12),
        grace=st.sampled_from([0, 1, 5]),
        recovery=st.sampled_from([0, 2, 7]),
        pause_time=st.sampled_from([None, 3]),
    )
    def begin(self, volume: int, grace: float, recovery: float, pause_time: float | None) -> None:
        policy = ReputationPolicy(
            representative_volume=volume,
            minimum_volume=min(volume, 4),
            bounce_review=0.25,
            bounce_pause=0.5,
            complaint_review=0.2,
            complaint_pause=0.4,
            grace=grace,
            recovery=recovery,
            pause_time=pause_time,
        )
        self.now = 0.0
        self.real = Reputation(policy)
        self.model = Chapter(policy, -inf, reviewed=False)

    def _pass(self, now: float) -> None:
        """Let the model's pauses end."""
        self.now = now
        pause_time = self.model.policy.pause_time
        if pause_time is not None and self.model.paused_at() + pause_time <= now:
            self._reopen(self.model.paused_at() + pause_time)

    def _reopen(self, at: float) -> None:
        self.model = Chapter(self.model.policy, at, reviewed=True)

    @rule(recipients=st.integers(1, 5))
    def send(self, recipients: int) -> None:
        self.real.record_sent(recipients, self.now)
        self.model.recipients += [self.now] * recipients
        self.model.note(self.now)

    @rule(times=st.integers(1, 3))
    def bounce(self, times: int) -> None:
        for _ in range(times):
            self.real.record_bounce(self.now)
            self.model.bounces.append(len(self.model.recipients))
            self.model.note(self.now)

    @rule()
    def complain(self) -> None:
        self.real.record_complaint(self.now)
        self.model.complaints.append(len(self.model.recipients))
        self.model.note(self.now)

    @rule(time=st.sampled_from([0.5, 1, 3, 20]))
    def wait(self, time: float) -> None:
        self._pass(self.now + time)

    @rule(data=st.data(), side=st.sampled_from([-inf, 0, inf]))
    def wait_for_a_deadline(self, data: st.DataObject, side: float) -> None:
        ahead = sorted({each for each in self.model.deadlines() if self.now < each < inf})
        if ahead:
            due = data.draw(st.sampled_from(ahead))
            self._pass(max(self.now, nextafter(due, side) if side else due))

    @precondition(lambda self: self.model.status(self.now) == SHUTDOWN)
    @rule()
    def reinstate(self) -> None:
        self.real.reinstate(self.now)
        self._reopen(self.now)

    @invariant()
    def agree(self) -> None:
        assert self.real.status(self.now) == self.model.status(self.now)
        assert (self.real.bounce_rate, self.real.complaint_rate) == self.model.rates()
        assert self.real.finding == self.model.finding()
        due = self.real.next_deadline()
        assert due is None or due > self.now


@pytest.mark.rule("SES-REP-1")
@pytest.mark.rule("SES-REP-2")
@pytest.mark.rule("SES-REP-3")
class TestReputation(ReputationMachine.TestCase):  # type: ignore[misc,name-defined]
    """The machine, as a test."""
