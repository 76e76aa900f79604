"""Reputation: rates over a representative volume, reviews, pauses and recovery."""

import pickle
from math import nextafter
from typing import Any

import pytest

from msgsim.bus.reputation import GOOD, HEALTHY, PAUSE, PROBATION, REVIEW, SHUTDOWN, Reputation, ReputationPolicy
from msgsim.declare import DAY
from msgsim.errors import DeclarationError, TimeRanBackwards


def make(**settings: Any) -> Reputation:
    return Reputation(ReputationPolicy(**{"representative_volume": 1_000, **settings}), "ses")


def bounce(reputation: Reputation, times: int, now: float) -> None:
    for _ in range(times):
        reputation.record_bounce(now)


class TestRates:
    @pytest.mark.rule("SES-REP-4")
    def test_are_fractions_of_what_was_sent(self) -> None:
        reputation = make()
        assert (reputation.bounce_rate, reputation.complaint_rate) == (0.0, 0.0)
        reputation.record_sent(200, 0)
        bounce(reputation, 10, 1)
        reputation.record_complaint(1)
        assert (reputation.bounce_rate, reputation.complaint_rate) == (0.05, 0.005)

    @pytest.mark.rule("SES-REP-2")
    def test_are_over_the_latest_recipients(self) -> None:
        reputation = make()
        reputation.record_sent(1_000, 0)
        bounce(reputation, 10, 0)
        reputation.record_complaint(0)
        reputation.record_sent(999, DAY)
        assert (reputation.volume, reputation.bounce_rate) == (1_000, 0.01)
        reputation.record_sent(1, DAY)
        assert (reputation.volume, reputation.bounce_rate, reputation.complaint_rate) == (1_000, 0.0, 0.0)

    @pytest.mark.rule("SES-REP-2")
    def test_the_volume_is_a_days_worth_unless_it_is_said(self) -> None:
        reputation = make(representative_volume=None)
        reputation.record_sent(6_000, 0)
        assert reputation.volume == 1_000
        reputation.record_sent(3_000, nextafter(DAY, 0))
        assert reputation.volume == 1_000
        reputation.record_sent(1, DAY)
        assert reputation.volume == 1_001
        reputation.record_sent(20_000, DAY)
        assert reputation.volume == 9_000
        reputation.record_sent(1, 100 * DAY)
        assert reputation.volume == 1_000

    def test_late_news_after_a_pause_is_forgotten(self) -> None:
        reputation = make(grace=0)
        reputation.record_sent(1_000, 0)
        bounce(reputation, 100, 0)
        reputation.reinstate(1)
        bounce(reputation, 1, 2)
        reputation.record_complaint(2)
        reputation.record_sent(100, 3)
        assert (reputation.bounce_rate, reputation.complaint_rate) == (0.0, 0.0)

    def test_are_never_more_than_all(self) -> None:
        reputation = make(representative_volume=100)
        reputation.record_sent(500, 0)
        bounce(reputation, 300, 1)
        assert reputation.bounce_rate == 1.0


class TestStatus:
    @pytest.mark.rule("SES-REP-1")
    @pytest.mark.parametrize(("bounces", "finding"), [(49, GOOD), (50, REVIEW), (99, REVIEW), (100, PAUSE)])
    def test_by_bounces(self, bounces: int, finding: int) -> None:
        reputation = make()
        reputation.record_sent(1_000, 0)
        bounce(reputation, bounces, 0)
        assert reputation.finding == finding
        assert reputation.status(0) == (PROBATION if finding else HEALTHY)

    @pytest.mark.rule("SES-REP-1")
    @pytest.mark.parametrize(("complaints", "finding"), [(0, GOOD), (1, REVIEW), (4, REVIEW), (5, PAUSE)])
    def test_by_complaints(self, complaints: int, finding: int) -> None:
        reputation = make()
        reputation.record_sent(1_000, 0)
        for _ in range(complaints):
            reputation.record_complaint(0)
        assert reputation.finding == finding

    @pytest.mark.rule("SES-REP-2")
    def test_nobody_is_judged_by_a_few(self) -> None:
        reputation = make(minimum_volume=100, grace=0)
        reputation.record_sent(99, 0)
        bounce(reputation, 99, 0)
        assert reputation.status(0) == HEALTHY
        reputation.record_sent(1, 5)
        assert reputation.status(5) == SHUTDOWN
        assert reputation.changes == [(5, PROBATION), (5, SHUTDOWN)]

    @pytest.mark.rule("SES-REP-3")
    def test_a_pause_follows_when_the_grace_is_over(self) -> None:
        reputation = make(grace=100)
        reputation.record_sent(1_000, 0)
        bounce(reputation, 100, 10)
        assert reputation.next_deadline() == 110
        assert reputation.status(nextafter(110, 0)) == PROBATION
        assert not reputation.is_paused
        assert reputation.status(110) == SHUTDOWN
        assert (reputation.is_paused, reputation.paused_at, reputation.next_deadline()) == (True, 110, None)
        bounce(reputation, 100, 200)
        assert reputation.status(1e9) == SHUTDOWN
        assert "SHUTDOWN bounce_rate=0.2" in repr(reputation)

    @pytest.mark.rule("SES-REP-3")
    def test_not_if_the_rate_falls_before(self) -> None:
        reputation = make(grace=100, representative_volume=2_000, recovery=50)
        reputation.record_sent(1_000, 0)
        bounce(reputation, 100, 0)
        bounce(reputation, 1, 50)
        assert reputation.next_deadline() == 100
        reputation.record_sent(100, 60)
        assert reputation.next_deadline() is None
        bounce(reputation, 9, 70)
        assert reputation.next_deadline() == 170
        assert reputation.paused_at is None

    @pytest.mark.rule("SES-REP-3")
    def test_a_review_ends_when_the_rates_have_been_good_for_long(self) -> None:
        reputation = make(recovery=100)
        reputation.record_sent(1_000, 0)
        bounce(reputation, 50, 0)
        assert reputation.next_deadline() is None
        reputation.record_sent(1_000, 10)
        assert reputation.next_deadline() == 110
        reputation.record_sent(1, 20)
        assert reputation.next_deadline() == 110
        assert reputation.status(nextafter(110, 0)) == PROBATION
        assert reputation.status(110) == HEALTHY
        assert reputation.changes == [(0, PROBATION), (110, HEALTHY)]

    @pytest.mark.rule("SES-REP-3")
    def test_a_pause_ends_by_time_or_by_hand(self) -> None:
        reputation = make(grace=0, pause_time=50, recovery=100)
        reputation.reinstate(0)
        assert reputation.status(0) == HEALTHY
        reputation.record_sent(1_000, 0)
        bounce(reputation, 100, 0)
        assert reputation.next_deadline() == 50
        assert reputation.status(50) == PROBATION
        assert (reputation.volume, reputation.bounce_rate) == (0, 0.0)
        reputation.record_sent(1_000, 60)
        bounce(reputation, 100, 60)
        reputation.record_sent(10, 61)
        reputation.reinstate(70)
        assert reputation.next_deadline() == 170
        assert reputation.status(1e9) == HEALTHY
        assert [status for _, status in reputation.changes] == [
            *(PROBATION, SHUTDOWN, PROBATION, SHUTDOWN, PROBATION, HEALTHY)
        ]
        assert reputation.paused_at == 0

    def test_time_does_not_run_backwards(self) -> None:
        reputation = make()
        reputation.record_sent(1, 5)
        with pytest.raises(TimeRanBackwards):
            reputation.status(4)

    def test_survives_being_pickled(self) -> None:
        reputation = make(grace=0)
        reputation.record_sent(1_000, 0)
        bounce(reputation, 100, 0)
        again = pickle.loads(pickle.dumps(reputation))  # noqa: S301 - our own
        assert again.is_paused
        bounce(again, 1, 1)
        assert again.status(2) == SHUTDOWN


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"bounce_review": 0.2}, r"ReputationPolicy\.bounce_review: 0\.2 is more than the bounce_pause of 0\.1"),
        ({"complaint_pause": 0.0001}, r"complaint_review: 0\.001 is more than the complaint_pause of 0\.0001"),
        ({"bounce_pause": 0}, r"bounce_pause: 0\.0 is not allowed; allowed: more than 0, up to 1 .*SES-REP-1"),
        (
            {"representative_volume": 99},
            r"minimum_volume: 100 recipients are more than the representative_volume of 99",
        ),
        ({"grace": -1}, r"grace: -1\.0 is not allowed; allowed: 0 or more \[s\] \(SES-REP-3\)"),
        ({"pause_time": 0}, r"pause_time: 0\.0 is not allowed"),
    ],
)
def test_policies_that_cannot_be(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(DeclarationError, match=problem):
        ReputationPolicy(**settings)
