"""Tenants of a sending account: what stops one, and what lets it send again."""

from typing import Any

import pytest

from msgsim.bus.reputation import ReputationPolicy
from msgsim.bus.sending_tenants import DISABLED, ENABLED, REINSTATED, SendingTenant, TenantStanding
from msgsim.errors import DeclarationError, TimeRanBackwards


def make(policy: str = "STANDARD") -> TenantStanding:
    return TenantStanding(SendingTenant(policy=policy, reputation=ReputationPolicy(representative_volume=100)), "acme")


def bounce(tenant: TenantStanding, times: int, now: float) -> None:
    for _ in range(times):
        tenant.record_bounce(now)


@pytest.mark.rule("SES-TEN-1")
class TestPolicies:
    @pytest.mark.parametrize(("policy", "stops_at"), [("STRICT", 5), ("STANDARD", 10), ("NONE", None)])
    def test_stop_at_their_finding(self, policy: str, stops_at: int | None) -> None:
        tenant = make(policy)
        tenant.record_sent(100, 0)
        for bounces in range(1, 101):
            tenant.record_bounce(bounces)
            assert tenant.may_send == (stops_at is None or bounces < stops_at)

    def test_the_usual_one_is_the_example_of_the_service(self) -> None:
        tenant = TenantStanding(SendingTenant())
        tenant.record_sent(664, 0)
        bounce(tenant, 99, 0)
        assert tenant.status == ENABLED
        bounce(tenant, 1, 0)
        assert tenant.status == DISABLED

    def test_complaints_count_too(self) -> None:
        tenant = make()
        tenant.record_sent(100, 0)
        tenant.record_complaint(1)
        assert (tenant.status, tenant.changes) == (DISABLED, [(1, DISABLED)])
        assert repr(tenant) == "<TenantStanding 'acme' DISABLED>"


@pytest.mark.rule("SES-TEN-1")
class TestStatus:
    def test_reinstated_in_spite_of_its_rates_until_they_are_good(self) -> None:
        tenant = make()
        tenant.record_sent(100, 0)
        bounce(tenant, 10, 0)
        tenant.enable(1)
        assert tenant.status == REINSTATED
        tenant.record_sent(10, 2)
        bounce(tenant, 5, 2)
        assert (tenant.status, tenant.may_send) == (REINSTATED, True)
        tenant.record_sent(100, 3)
        assert tenant.status == ENABLED
        assert [status for _, status in tenant.changes] == [DISABLED, REINSTATED, ENABLED]

    def test_by_hand(self) -> None:
        tenant = make()
        tenant.disable(1)
        tenant.disable(2)
        assert not tenant.may_send
        tenant.enable(3)
        assert tenant.changes == [(1, DISABLED), (3, ENABLED)]
        with pytest.raises(TimeRanBackwards):
            tenant.disable(2)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            {"policy": "LAX"},
            r"SendingTenant\.policy: 'LAX' is not allowed; allowed: STANDARD, STRICT, NONE \(SES-TEN-1",
        ),
        ({"suppression_scope": "ALL"}, r"suppression_scope: 'ALL' is not allowed; allowed: ACCOUNT, TENANT"),
        ({"reputation": 0.1}, r"reputation: 0\.1 is not a ReputationPolicy"),
    ],
)
def test_tenants_that_cannot_be(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(DeclarationError, match=problem):
        SendingTenant(**settings)
