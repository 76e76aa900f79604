"""Dedicated IP addresses: the plan of a warm-up, and what goes beyond it."""

from itertools import pairwise
from math import nextafter
from typing import Any

import pytest

from msgsim.bus.warm_up import DedicatedPool, PoolTraffic
from msgsim.declare import DAY
from msgsim.errors import DeclarationError, TimeRanBackwards


def make(**settings: Any) -> PoolTraffic:
    return PoolTraffic(DedicatedPool(**settings))


@pytest.mark.rule("SES-IP-1")
class TestPlan:
    def test_grows_to_50_000_over_45_days(self) -> None:
        pool = DedicatedPool(ips=2)
        assert pool.allowance(0) == 400
        volumes = [pool.allowance(day) for day in range(46)]
        assert volumes == sorted(volumes)
        factors = [after / before for before, after in pairwise(volumes)]
        assert factors == pytest.approx([250 ** (1 / 45)] * 45)
        assert volumes[45] == pytest.approx(100_000)
        assert pool.allowance(1_000) == pytest.approx(100_000)

    def test_has_a_percentage(self) -> None:
        pool = DedicatedPool(started_at=DAY)
        assert [pool.warm_up_percentage(at) for at in (0, DAY, 10 * DAY, nextafter(46 * DAY, 0), 46 * DAY)] == [
            *(0, 0, 20, 99, 100)
        ]
        assert DedicatedPool(managed=True).warm_up_percentage(100 * DAY) == -1
        assert DedicatedPool(started_at=5, warm_up_time=0).warm_up_percentage(4) == 0
        assert DedicatedPool(warm_up_time=0).warm_up_percentage(0) == 100


@pytest.mark.rule("SES-IP-1")
class TestTraffic:
    def test_beyond_the_plan_goes_over_shared_addresses(self) -> None:
        traffic = make(first_volume=2)
        assert [traffic.send(0).dedicated for _ in range(4)] == [True, True, False, False]
        assert (traffic.dedicated, traffic.shared, traffic.delayed) == (2, 2, 0)
        assert traffic.send(nextafter(DAY, 0)) == (nextafter(DAY, 0), False, 0.0)
        assert traffic.send(DAY) == (DAY, True, 0.0)

    def test_before_the_warm_up_all_is_shared(self) -> None:
        traffic = make(started_at=10)
        assert not traffic.send(nextafter(10, 0)).dedicated
        assert traffic.send(10).dedicated

    def test_warm_addresses_take_all_and_receivers_defer_the_excess(self) -> None:
        traffic = make(started_at=-45 * DAY, first_volume=1, full_volume=4, deferral_rate=0.5)
        assert [traffic.send(0) for _ in range(10)] == [
            (0, True, share * 0.5) for share in (0, 0, 0, 0, 0.25, 0.5, 0.75, 1, 1, 1)
        ]
        assert traffic.send(DAY).deferral == 0.0

    def test_without_a_plan_the_excess_is_deferred(self) -> None:
        traffic = make(first_volume=2, automatic=False)
        assert [traffic.send(0) for _ in range(4)] == [(0, True, deferral) for deferral in (0, 0, 0.25, 0.5)]
        assert (traffic.dedicated, traffic.shared) == (4, 0)


@pytest.mark.rule("SES-IP-1")
class TestManagedPools:
    def test_have_a_plan_for_each_provider(self) -> None:
        traffic = make(first_volume=1, managed=True)
        assert [traffic.send(0, domain).dedicated for domain in ("a.com", "A.com", "b.com")] == [True, False, True]

    def test_later_the_excess_waits_for_a_day_with_room(self) -> None:
        traffic = make(first_volume=1, full_volume=1, managed=True)
        half = 22.5 * DAY
        before = nextafter(half, 0)
        assert traffic.send(before, "a.com").dedicated
        assert not traffic.send(before, "a.com").dedicated
        assert traffic.send(half, "a.com") == (23 * DAY, True, 0.0)
        assert traffic.send(half, "a.com") == (24 * DAY, True, 0.0)
        assert traffic.send(23 * DAY, "a.com") == (25 * DAY, True, 0.0)
        assert traffic.delayed == 3
        assert traffic.send(26 * DAY, "a.com") == (26 * DAY, True, 0.0)

    def test_once_warm_nothing_waits(self) -> None:
        traffic = make(first_volume=1, full_volume=1, managed=True)
        for _ in range(30):
            last = traffic.send(40 * DAY, "a.com")
        assert last.at == 69 * DAY
        assert traffic.send(45 * DAY, "a.com") == (45 * DAY, True, 0.0)
        assert traffic.send(45 * DAY, "a.com") == (45 * DAY, True, 0.5)


def test_time_does_not_run_backwards() -> None:
    traffic = make()
    traffic.send(5)
    with pytest.raises(TimeRanBackwards):
        traffic.send(4)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"ips": 0}, r"DedicatedPool\.ips: 0 is not allowed; allowed: 1 or more \[addresses\] \(SES-IP-1\)"),
        ({"first_volume": 60_000}, r"first_volume: 60000\.0 is more than the full_volume of 50000\.0"),
        ({"managed": True, "automatic": False}, r"automatic: a managed pool has no other warm-up"),
        ({"warm_up_time": 46 * DAY}, r"warm_up_time: 3974400\.0 is not allowed"),
    ],
)
def test_pools_that_cannot_be(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(DeclarationError, match=problem):
        DedicatedPool(**settings)
