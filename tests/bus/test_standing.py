"""What an account may do and is known for: pauses, lists, reputations, tenants, and the terms of an email."""

import random
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from msgsim.bus.configuration_set import ConfigurationSet
from msgsim.bus.email_events import EmailEvent
from msgsim.bus.outbox import Email, Outbox, SendingAccount
from msgsim.bus.quota_growth import QuotaGrowth
from msgsim.bus.receivers import Receiver
from msgsim.bus.reputation import ReputationPolicy
from msgsim.bus.sending_tenants import SendingTenant
from msgsim.bus.suppression import BOUNCE, COMPLAINT
from msgsim.bus.warm_up import DedicatedPool
from msgsim.errors import DeclarationError, InvalidParameterValue, SendingPaused, TimeRanBackwards, UnknownName
from msgsim.quotas import SUPPRESSION_PAUSE

DAY = 86_400.0
ANN = Email("ann@example.com", "Hi", "Text")
STRICT = ReputationPolicy(minimum_volume=1, representative_volume=10, grace=0, pause_time=DAY)
GONE = Receiver(domains=["gone.org"], unknown_users=1)


def opened(**settings: object) -> SendingAccount:
    return SendingAccount(Outbox(**settings), rng=random.Random(1))  # type: ignore[arg-type]


class TestTerms:
    @pytest.mark.rule("SES-CFG-1")
    def test_a_configuration_set_says_what_holds(self) -> None:
        sets = {
            "a": ConfigurationSet(tls="REQUIRE", max_delivery_time=400, suppressed_reasons=[], pool="own"),
            "b": ConfigurationSet(),
        }
        account = opened(
            configuration_sets=sets, configuration_set="b", max_delivery_time=900, pools={"own": DedicatedPool()}
        )
        a, b = account.terms("a", tags={"kind": "x"}), account.terms()
        assert (a.configuration_set, a.requires_tls, a.max_delivery_time) == ("a", True, 400)
        assert (a.suppressed_reasons, a.pool, a.tags) == ((), account.pools["own"], {"kind": "x"})
        assert (b.configuration_set, b.requires_tls, b.max_delivery_time) == ("b", False, 900)
        assert (b.suppressed_reasons, b.pool, b.tags, b.tenant) == (None, None, None, None)

    def test_what_does_not_exist_is_named(self) -> None:
        account = opened(configuration_sets={"news": ConfigurationSet()}, tenants={"acme": SendingTenant()})
        with pytest.raises(UnknownName, match="no configuration set named 'nevs'; did you mean 'news'"):
            account.terms("nevs")
        with pytest.raises(UnknownName, match="no tenant named 'x'"):
            account.terms(tenant="x")
        with pytest.raises(UnknownName, match="no configuration set named 'x'"):
            account.pause_configuration_set("x", 0.0)

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"configuration_set": "a"}, r"^Outbox\.configuration_set: no configuration set named 'a'"),
            (
                {"configuration_sets": {"a": ConfigurationSet(pool="p")}},
                r"^Outbox\.configuration_sets\.a\.pool: no pool",
            ),
            ({"tenants": [1]}, r"^Outbox\.tenants: \[1\] is not a table of names with a SendingTenant each$"),
            ({"tenants": {"": SendingTenant()}}, r"^Outbox\.tenants: '' is not a name$"),
            ({"pools": {"p": 1}}, r"^Outbox\.pools\.p: 1 is not a DedicatedPool$"),
            ({"reputation": 1}, r"^Outbox\.reputation: 1 is not a ReputationPolicy$"),
            ({"receivers": [1]}, r"^Outbox\.receivers\.0: 1 is not a Receiver$"),
            ({"suppressed_reasons": "BOUNCE"}, r"^Outbox\.suppressed_reasons: 'BOUNCE' is not a list of reasons"),
            (
                {"suppressed_reasons": ["x"]},
                r"^Outbox\.suppressed_reasons\.0: 'x' is not allowed; allowed: BOUNCE, COM",
            ),
            ({"suppressed_reasons": ["BOUNCE"] * 2}, r"^Outbox\.suppressed_reasons: .* names a reason twice$"),
            ({"authentication": 3}, r"^Outbox\.authentication: 3 is not a list; allowed in it: dkim, spf, dmarc$"),
            (
                {"authentication": ["one-click"]},
                r"^Outbox\.authentication\.0: 'one-click' is not allowed; allowed: dkim",
            ),
            ({"delay_notice": 0}, r"^Outbox\.delay_notice: 0\.0 is not allowed; allowed: 1 or more \[s\]"),
        ],
    )
    def test_declarations_that_cannot_be(self, settings: dict[str, object], message: str) -> None:
        with pytest.raises(DeclarationError, match=message):
            Outbox(**settings)  # type: ignore[arg-type]

    @pytest.mark.rule("SES-SND-4")
    @pytest.mark.parametrize("name", ["x", "", 3, []])
    def test_nonsense_is_named(self, name: Any) -> None:
        account = opened()
        calls: list[Callable[[], object]] = [
            lambda: account.terms(name),
            lambda: account.terms(tenant=name),
            lambda: account.pause_configuration_set(name, 0.0),
            lambda: account.suppress("ann@x.org", BOUNCE, 0.0, tenant=name),
            lambda: account.suppressed_destinations(0.0, tenant=name),
        ]
        for call in calls:
            with pytest.raises(UnknownName, match=r"^no (configuration set|tenant) named "):
                call()
        with pytest.raises(InvalidParameterValue, match=r"^ses: tags=3 is not a table of names and values"):
            account.terms(tags=3)  # type: ignore[arg-type]
        for tags in ({"a": 3}, {3: "a"}):
            with pytest.raises(InvalidParameterValue, match=r"^ses: tags=.* is not a table of names and values"):
                account.terms(tags=tags)  # type: ignore[arg-type]
        with pytest.raises(InvalidParameterValue, match=r"^Invalid tag value <c d>"):
            account.terms(tags={"ab": "c d"})
        with pytest.raises(InvalidParameterValue, match=r"^ses: terms=3 are none; SendingAccount\.terms makes them$"):
            account.send_email(ANN, 0.0, terms=3)  # type: ignore[arg-type]


class TestPauses:
    @pytest.mark.rule("SES-REP-3")
    def test_by_hand(self) -> None:
        account = opened()
        account.pause(1.0)
        assert account.is_paused(1.0)
        with pytest.raises(SendingPaused, match="Email sending is paused for this account"):
            account.send_email(ANN, 2.0)
        account.resume(3.0)
        assert not account.is_paused(3.0)
        assert account.send_email(ANN, 3.0)

    @pytest.mark.rule("SES-REP-3")
    def test_of_one_configuration_set(self) -> None:
        account = opened(configuration_sets={"a": ConfigurationSet(sending=False), "b": ConfigurationSet()})
        with pytest.raises(SendingPaused, match=r"paused for the configuration set a$"):
            account.send_email(ANN, 0.0, terms=account.terms("a"))
        account.pause_configuration_set("a", 1.0, sending=True)
        account.pause_configuration_set("b", 1.0)
        assert account.send_email(ANN, 1.0, terms=account.terms("a"))
        with pytest.raises(SendingPaused, match=r"paused for the configuration set b$"):
            account.send_email(ANN, 1.0, terms=account.terms("b"))
        assert (account.accepted, account.rejected) == (1, 2)

    @pytest.mark.parametrize("sending", ["no", 0, None])
    def test_is_not_by_nonsense(self, sending: Any) -> None:
        account = opened(configuration_sets={"a": ConfigurationSet()})
        with pytest.raises(InvalidParameterValue, match=rf"^ses: sending={sending!r} is neither true nor false$"):
            account.pause_configuration_set("a", 1.0, sending=sending)
        assert account.is_sending("a")

    @pytest.mark.rule("SES-REP-3")
    @pytest.mark.rule("SES-REP-1")
    def test_by_the_rate_of_bounces(self) -> None:
        account = opened(receivers=[GONE], reputation=STRICT, suppressed_reasons=[])
        assert account.status(0.0) == "HEALTHY"
        account.send_email(Email("x@gone.org"), 0.0)
        assert (account.status(0.0), account.is_paused(0.0), account.paused) == ("SHUTDOWN", True, False)
        with pytest.raises(SendingPaused):
            account.send_email(ANN, 1.0)
        assert account.status(DAY) == "PROBATION"
        assert account.send_email(ANN, DAY)

    def test_an_account_that_nobody_judges_is_healthy(self) -> None:
        account = opened(bounce_rate=1)
        account.send_email(ANN, 0.0)
        assert account.status(0.0) == "HEALTHY"

    @pytest.mark.rule("SES-TEN-1")
    def test_of_one_tenant(self) -> None:
        tenants = {"bad": SendingTenant(reputation=STRICT), "good": SendingTenant(reputation=STRICT)}
        account = opened(receivers=[GONE], tenants=tenants, suppressed_reasons=[])
        bad, good = account.terms(tenant="bad"), account.terms(tenant="good")
        account.send_email(Email("x@gone.org"), 0.0, terms=bad)
        with pytest.raises(SendingPaused, match=r"paused for the tenant bad$"):
            account.send_email(ANN, 1.0, terms=bad)
        assert account.send_email(ANN, 1.0, terms=good)
        assert account.send_email(ANN, 1.0)

    @pytest.mark.rule("CW-SES-2")
    def test_configuration_sets_have_rates_of_their_own(self) -> None:
        sets = {"a": ConfigurationSet(reputation_metrics=True), "b": ConfigurationSet()}
        account = opened(receivers=[GONE], configuration_sets=sets, complaint_rate=1, suppressed_reasons=[])
        for name in sets:
            account.send_email(Email(["x@gone.org", "ann@x.org"]), 0.0, terms=account.terms(name))
        assert list(account.reputations) == ["a"]
        assert (account.reputations["a"].bounce_rate, account.reputations["a"].complaint_rate) == (0.5, 0.5)
        assert account.terms("a").judges == [account.reputations["a"]]

    @pytest.mark.rule("SES-REP-4")
    def test_statistics_count_hard_bounces(self) -> None:
        account = opened(receivers=[GONE], complaint_rate=1, suppressed_reasons=[])
        account.send_email(Email(["x@gone.org", "ann@x.org"]), 10.0)
        assert [tuple(point) for point in account.statistics.points(10.0)] == [(0.0, 2, 1, 1, 0)]

    @pytest.mark.rule("SES-REP-4")
    @pytest.mark.rule("SES-TEN-1")
    def test_outcomes_that_are_counted_after_a_look_are_counted_as_of_that_look(self) -> None:
        account = opened(
            receivers=[GONE],
            delivery_delay=5,
            complaint_rate=1,
            reputation=ReputationPolicy(),
            tenants={"acme": SendingTenant(reputation=attrs.evolve(STRICT, grace=DAY))},
            max_24_hour_send=2,
            quota_growth=QuotaGrowth(every=50),
        )
        account.send_email(Email(["x@gone.org", "ann@x.org"]), 0.0, terms=account.terms(tenant="acme"))
        assert account.reputation is not None
        tenant = account.tenants["acme"]
        account.statistics.points(1_000.0)
        account.reputation.status(1_000.0)
        tenant.enable(1_000.0)
        account.advance(1_000.0)
        account.check()
        points = [tuple(point) for point in account.statistics.points(1_000.0)]
        assert points == [(0.0, 2, 0, 0, 0), (900.0, 0, 1, 1, 0)]
        assert (account.reputation.bounce_rate, account.reputation.complaint_rate) == (0.5, 0.5)
        assert tenant.changes == [(1_000.0, "DISABLED")]
        assert [at for at, _, _ in account.quota_changes] == [50.0, 100.0]


class TestList:
    @pytest.mark.rule("SES-SUP-5")
    def test_put_get_list_delete(self) -> None:
        account = opened()
        account.suppress("Ann <ann@x.org>", "COMPLAINT", 1.0)
        account.suppress_all(["b@x.org", "c@x.org"], "BOUNCE", 2.0)
        assert account.suppressed_destination("ann@x.org", 3.0) == ("ann@x.org", "COMPLAINT", 1.0)
        assert [entry.address for entry in account.suppressed_destinations(3.0)] == ["ann@x.org", "b@x.org", "c@x.org"]
        account.unsuppress("Ann <ann@x.org>", 4.0)
        for call in (account.unsuppress, account.suppressed_destination):
            with pytest.raises(UnknownName, match=r"'ann@x\.org' is not on the suppression list"):
                call("ann@x.org", 4.0)

    def test_asking_changes_nothing_and_putting_does(self) -> None:
        account = opened(bounce_rate=1)
        assert account.suppressed_destinations(0.0) == []
        for _ in range(2):
            account.send_email(ANN, 0.0)
        assert (account.hard_bounced, account.suppressed) == (2, 0)
        account.suppress("b@x.org", "BOUNCE", 1.0)
        for _ in range(2):
            account.send_email(ANN, 1.0)
        assert (account.hard_bounced, account.suppressed) == (3, 1)

    @pytest.mark.rule("SES-SUP-5")
    def test_the_sandbox_has_no_way_to_put(self) -> None:
        account = opened(sandbox=True)
        with pytest.raises(InvalidParameterValue, match="ses: the sandbox has no way to suppress addresses"):
            account.suppress("ann@x.org", "BOUNCE", 0.0)
        assert account.suppressed_destinations(0.0) == []

    def test_what_cannot_be_is_refused(self) -> None:
        account = opened()
        account.suppress("a@x.org", BOUNCE, 5.0)
        with pytest.raises(InvalidParameterValue, match="reason='x' is not allowed"):
            account.suppress("ann@x.org", "x", 5.0)
        with pytest.raises(InvalidParameterValue, match="100001 addresses are too many"):
            account.suppress_all([f"{n}@x.org" for n in range(100_001)], BOUNCE, 5.0)
        calls: list[Callable[[], object]] = [
            lambda: account.suppress("ann@x.org", BOUNCE, 4.0),
            lambda: account.suppressed_destinations(4.0),
            lambda: account.pause(4.0),
            lambda: account.status(4.0),
        ]
        for call in calls:
            with pytest.raises(TimeRanBackwards):
                call()
        assert len(account.suppressed_destinations(5.0)) == 1

    @pytest.mark.rule("SES-SUP-5")
    @pytest.mark.parametrize(("beyond", "left"), [(0.0, 1), (1.0, 0)])
    def test_a_pause_of_more_than_90_days_empties_it(self, beyond: float, left: int) -> None:
        account = opened()
        account.suppress("ann@x.org", BOUNCE, 0.0)
        account.pause(10.0)
        account.pause(20.0)
        end = 10.0 + SUPPRESSION_PAUSE.low + beyond
        assert len(account.suppressed_destinations(end)) == left
        account.resume(end)
        assert len(account.suppressed_destinations(end)) == left

    @pytest.mark.rule("SES-SUP-5")
    @pytest.mark.parametrize(("beyond", "left"), [(0.0, 1), (1.0, 0)])
    def test_so_does_a_pause_by_reputation(self, beyond: float, left: int) -> None:
        policy = attrs.evolve(STRICT, pause_time=SUPPRESSION_PAUSE.low + beyond)
        account = opened(receivers=[GONE], reputation=policy)
        account.send_email(Email("x@gone.org"), 10.0)
        end = 10.0 + SUPPRESSION_PAUSE.low + beyond
        assert account.status(end) == "PROBATION"
        account.send_email(Email("x@gone.org"), end + 5.0)
        assert (account.suppressed, account.hard_bounced) == (left, 2 - left)
        assert len(account.suppressed_destinations(end + 5.0)) == 1

    @pytest.mark.rule("SES-SUP-5")
    @pytest.mark.parametrize(("gap", "left"), [(-DAY, 0), (DAY, 1)])
    def test_pauses_that_overlap_are_one(self, gap: float, left: int) -> None:
        account = opened(receivers=[GONE], reputation=attrs.evolve(STRICT, pause_time=50 * DAY))
        account.send_email(Email("x@gone.org"), 0.0)
        account.resume(1.0)
        start = 50 * DAY + gap
        account.pause(start)
        account.resume(start + 50 * DAY)
        assert len(account.suppressed_destinations(start + 50 * DAY)) == left

    @pytest.mark.rule("SES-SUP-5")
    def test_what_comes_on_it_after_the_90_days_stays(self) -> None:
        account = opened()
        account.suppress("old@x.org", BOUNCE, 0.0)
        account.pause(0.0)
        account.suppress("new@x.org", BOUNCE, 91 * DAY)
        account.resume(200 * DAY)
        assert [entry.address for entry in account.suppressed_destinations(200 * DAY)] == ["new@x.org"]

    @pytest.mark.rule("SES-SUP-4")
    def test_a_tenant_may_say_for_what_its_own_list_counts(self) -> None:
        own = SendingTenant(suppression_scope="TENANT", suppressed_reasons=[COMPLAINT])
        tenants = {"a": own, "b": attrs.evolve(own, suppression_scope="ACCOUNT"), "c": attrs.evolve(own)}
        account = opened(tenants=tenants, configuration_sets={"s": ConfigurationSet(suppressed_reasons=[BOUNCE])})
        assert account.terms(tenant="a").suppressed_reasons == (COMPLAINT,)
        assert account.terms(tenant="b").suppressed_reasons is None
        assert account.terms("s", tenant="c").suppressed_reasons == (BOUNCE,)

    def test_a_tenant_without_a_list_of_its_own_has_the_accounts(self) -> None:
        account = opened(tenants={"a": SendingTenant(), "b": SendingTenant(suppression_scope="TENANT")})
        account.suppress("ann@x.org", BOUNCE, 0.0, tenant="a")
        account.suppress("bob@x.org", BOUNCE, 0.0, tenant="b")
        lists = [account.suppressed_destinations(0.0, tenant=tenant) for tenant in (None, "a", "b")]
        assert [[entry.address for entry in each] for each in lists] == [["ann@x.org"], ["ann@x.org"], ["bob@x.org"]]

    @pytest.mark.rule("SES-SUP-5")
    @pytest.mark.parametrize("addresses", ["ann@x.org", None, 3])
    def test_an_import_is_of_a_list(self, addresses: Any) -> None:
        with pytest.raises(InvalidParameterValue, match=r"^ses: addresses=.* is not a list of addresses$"):
            opened().suppress_all(addresses, BOUNCE, 0.0)


@pytest.mark.rule("SES-TEN-1")
class TestComingAndGoingOfTenants:
    def test_a_further_one_sends_and_one_that_is_gone_does_not(self) -> None:
        account = opened()
        standing = account.add_tenant("acme", SendingTenant(suppression_scope="TENANT"), 1.0)
        account.suppress("ann@x.org", BOUNCE, 1.0, tenant="acme")
        assert account.terms(tenant="acme").tenant is standing
        account.drop_tenant("acme", 2.0)
        with pytest.raises(UnknownName, match="no tenant named 'acme'"):
            account.drop_tenant("acme", 2.0)
        account.add_tenant("acme", SendingTenant(suppression_scope="TENANT"), 2.0)
        assert account.suppressed_destinations(2.0, tenant="acme") == []

    @pytest.mark.rule("SES-QUO-8")
    def test_there_are_at_most_10_000_each_once(self) -> None:
        account = opened()
        standing = account.add_tenant("0", SendingTenant(), 0.0)
        with pytest.raises(InvalidParameterValue, match=r"^ses: there is a tenant '0' already$"):
            account.add_tenant("0", SendingTenant(), 0.0)
        account.tenants.update(dict.fromkeys(map(str, range(10_000)), standing))
        with pytest.raises(InvalidParameterValue, match=r"^ses: 10000 tenants; allowed: 10000 \(SES-QUO-8\)$"):
            account.add_tenant("more", SendingTenant(), 0.0)


@pytest.mark.rule("SES-EVT-1")
def test_events_tell_the_operation_of_the_terms() -> None:
    account = opened()
    heard: list[EmailEvent] = []
    account.on_event = lambda event, *_: heard.append(event)
    account.send_email(Email("ann@x.org"), 0.0, terms=account.terms(operation="SendRawEmail"))
    assert [each.mail.operation for each in heard] == ["SendRawEmail"] * 2


def test_a_set_that_is_paused_says_so() -> None:
    account = opened(configuration_sets={"on": ConfigurationSet(), "off": ConfigurationSet(sending=False)})
    assert (account.is_sending("on"), account.is_sending("off")) == (True, False)
    account.pause_configuration_set("on", 0.0)
    assert not account.is_sending("on")
