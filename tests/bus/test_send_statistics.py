"""Send statistics: quarters of an hour over two weeks."""

from math import nextafter

import pytest

from msgsim.bus.send_statistics import SendDataPoint, SendStatistics
from msgsim.declare import DAY
from msgsim.errors import TimeRanBackwards


@pytest.mark.rule("SES-REP-4")
class TestSendStatistics:
    def test_count_by_the_quarter_of_an_hour(self) -> None:
        statistics = SendStatistics()
        assert statistics.points(0) == []
        statistics.count(10, delivery_attempts=3)
        statistics.count(nextafter(900, 0), bounces=1, complaints=2)
        statistics.count(900, rejects=4)
        statistics.count(4_000, delivery_attempts=1)
        assert statistics.points(4_000) == [
            SendDataPoint(0, 3, 1, 2, 0),
            SendDataPoint(900, 0, 0, 0, 4),
            SendDataPoint(3_600, 1, 0, 0, 0),
        ]

    def test_forget_after_two_weeks(self) -> None:
        statistics = SendStatistics()
        statistics.count(0, delivery_attempts=1)
        assert len(statistics.points(nextafter(14 * DAY + 900, 0))) == 1
        assert statistics.points(14 * DAY + 900) == []

    def test_hold_two_weeks_of_quarters_at_most(self) -> None:
        statistics = SendStatistics()
        for quarter in range(4_000):
            statistics.count(quarter * 900.0, delivery_attempts=1)
        points = statistics.points(3_999 * 900.0)
        assert len(points) == 14 * 24 * 4 + 1  # that which has begun, too
        assert points[-1].timestamp - points[0].timestamp == 14 * DAY

    def test_time_does_not_run_backwards(self) -> None:
        statistics = SendStatistics("ses")
        statistics.count(5)
        with pytest.raises(TimeRanBackwards, match="ses"):
            statistics.points(4)
