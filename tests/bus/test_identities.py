"""Identities: how they become verified, what they cover, and what their emails have on the envelope."""

import pickle
from typing import Any

import pytest

from msgsim.bus.identities import Identities
from msgsim.bus.mail import Email
from msgsim.bus.outbox import Outbox, SendingAccount
from msgsim.declare import DAY, HOUR
from msgsim.errors import (
    DeclarationError,
    InvalidParameterValue,
    MailFromDomainNotVerified,
    MessageRejected,
    TimeRanBackwards,
)

ANN, SHOP, BOUNCES = "ann@example.com", "shop.org", "bounces.shop.org"


def created(*names: str) -> Identities:
    """Identities that wait from 0 on."""
    identities = Identities()
    for name in names:
        identities.create(name, 0)
    return identities


class TestVerification:
    """Links are clicked and records found in time, or not."""

    @pytest.mark.rule("SES-IDN-1")
    @pytest.mark.parametrize(("name", "allowed"), [(ANN, 24 * HOUR), (SHOP, 72 * HOUR)])
    def test_it_waits_so_long(self, name: str, allowed: float) -> None:
        identities = created(name)
        assert identities.next_deadline() == allowed
        assert [identities.state(name, at) for at in (0, allowed - 1, allowed)] == ["PENDING", "PENDING", "FAILED"]
        assert identities.next_deadline() is None
        identities.confirm(name, allowed)
        assert identities.state(name, allowed) == "FAILED"
        identities.start(name, allowed + 5)
        identities.confirm(name, 2 * allowed + 4)
        assert identities.state(name, 9 * allowed) == "SUCCESS"

    @pytest.mark.rule("SES-IDN-1")
    def test_records_are_found_with_time(self) -> None:
        identities = created(SHOP, "late.org")
        identities.confirm(SHOP, 2 * DAY, found_after=DAY - 1)
        identities.confirm("late.org", 2 * DAY, found_after=DAY)
        assert identities.next_deadline() == 3 * DAY - 1
        assert identities.state(SHOP, 3 * DAY - 1) == "SUCCESS"
        assert identities.state("late.org", 3 * DAY - 1) == "PENDING"
        assert identities.state("late.org", 3 * DAY) == "FAILED"

    @pytest.mark.rule("SES-IDN-1")
    @pytest.mark.parametrize("again", [0, 5, 500])
    def test_to_publish_records_again_makes_nothing_later(self, again: float) -> None:
        identities = created(SHOP)
        identities.confirm(SHOP, 0, found_after=100)
        identities.confirm(SHOP, 10, found_after=again)
        assert identities.next_deadline() == (None if not again else 10 + again if again < 90 else 100)

    @pytest.mark.rule("SES-IDN-1")
    def test_records_that_are_gone_are_looked_for_before_it_fails(self) -> None:
        identities = Identities([SHOP, "other.org"])
        for at in (10, 20):
            for name in (SHOP, "other.org"):
                identities.lose(name, at)
        assert identities.state(SHOP, 20) == "TEMPORARY_FAILURE"
        assert identities.covers("x@shop.org", 20)
        identities.start(SHOP, 30)
        identities.confirm(SHOP, 40)
        assert identities.state(SHOP, 40) == "SUCCESS"
        assert identities.state("other.org", 10 + 3 * DAY) == "FAILED"
        assert not identities.covers("x@other.org", 4 * DAY)

    @pytest.mark.rule("SES-IDN-1")
    def test_what_is_not_begun_waits_for_nothing(self) -> None:
        identities = Identities()
        identities.create(SHOP, 0, start=False)
        identities.confirm(SHOP, 1)
        assert (identities.state(SHOP, 2), identities.next_deadline()) == ("NOT_STARTED", None)
        identities.start(SHOP, 3)
        assert identities.next_deadline() == 3 + 3 * DAY

    def test_late_or_step_by_step_it_is_the_same(self) -> None:
        late, stepped = created(ANN, SHOP), created(ANN, SHOP)
        for identities in (late, stepped):
            identities.confirm(SHOP, 5, found_after=100)
        while (deadline := stepped.next_deadline()) is not None:
            stepped.advance(deadline)
        late.advance(stepped[ANN].allowed * 2)
        assert [(each.name, each.state) for each in late] == [(each.name, each.state) for each in stepped]


class TestNames:
    """One identity to a name, however it is written."""

    @pytest.mark.rule("SES-IDN-1")
    def test_the_case_of_the_domain_does_not_matter(self) -> None:
        identities = created("Ann@Example.com", "Shop.org")
        assert "Ann@EXAMPLE.com" in identities
        assert "ann@example.com" not in identities
        assert [(each.name, each.kind, each.domain) for each in identities] == [
            ("Ann@example.com", "EMAIL_ADDRESS", "example.com"),
            ("shop.org", "DOMAIN", "shop.org"),
        ]
        with pytest.raises(InvalidParameterValue, match=r"^Email identity SHOP\.org already exist\.$"):
            identities.create("SHOP.org", 1)

    def test_deleted_is_gone_and_may_come_again(self) -> None:
        identities = Identities([SHOP])
        identities.delete(SHOP, 0)
        assert (len(identities), identities.in_use) == (0, True)
        with pytest.raises(InvalidParameterValue, match=r"^no identity named 'shop\.org'"):
            identities.state(SHOP, 0)
        assert identities.create(SHOP, 0).state == "PENDING"

    @pytest.mark.parametrize("name", ["", "a b", "a@b@c", "x.org\n", "@x.org", 5, None])
    def test_what_is_no_identity(self, name: Any) -> None:
        with pytest.raises(InvalidParameterValue, match="nor a domain"):
            Identities().create(name, 0)

    @pytest.mark.rule("SES-QUO-8")
    def test_there_are_at_most_10000(self) -> None:
        identities = Identities(f"n{n}.org" for n in range(9_999))
        identities.create("last.org", 0)
        with pytest.raises(InvalidParameterValue, match=r"^10000 identities; allowed: 10000 \(SES-QUO-8\)$"):
            identities.create("more.org", 0)

    def test_time_does_not_run_backwards(self) -> None:
        identities = created(ANN)
        identities.advance(5)
        with pytest.raises(TimeRanBackwards):
            identities.confirm(ANN, 4)
        with pytest.raises(DeclarationError, match="found_after"):
            identities.confirm(ANN, 6, found_after=-1)


class TestCovering:
    """A domain covers what is below it; what is nearer to the address comes first."""

    @pytest.mark.rule("SES-IDN-1")
    def test_the_nearest_verified_one(self) -> None:
        identities = Identities([SHOP, "a.b.shop.org"])
        identities.create("me@a.b.shop.org", 0)
        near = identities.covering("Me <me@a.b.shop.org>", 0)
        assert near is identities["a.b.shop.org"]
        assert identities.covering("x@b.shop.org", 0) is identities[SHOP]
        assert identities.covering("x@org", 0) is None
        identities.confirm("me@a.b.shop.org", 1)
        assert identities.covering("me@A.b.shop.org", 1) is identities["me@a.b.shop.org"]

    @pytest.mark.rule("SES-IDN-1")
    def test_a_domain_covers_what_is_below_it_and_an_address_itself(self) -> None:
        verified = Identities(["Ann@Example.com", "Shop.org"])
        for address in ("Ann@example.COM", "x@shop.org", "Eve <x@a.b.SHOP.org>"):
            assert verified.covers(address, 0)
        for address in ("ann@example.com", "x@example.com", "x@myshop.org", "x@org"):
            assert not verified.covers(address, 0)

    @pytest.mark.rule("SES-BNC-4")
    def test_addresses_are_owned_by_domains_only(self) -> None:
        identities = Identities([ANN, SHOP])
        assert identities.owns("x@mail.shop.org", 0)
        assert not identities.owns(ANN, 0)


class TestSettings:
    """MAIL FROM domains and signatures."""

    @pytest.mark.rule("SES-IDN-2")
    def test_the_envelope_has_the_domain_once_it_is_verified(self) -> None:
        identities = Identities([SHOP])
        assert identities.envelope("x@shop.org", 0) == "amazonses.com"
        identities.put_mail_from(SHOP, "Bounces.shop.org", 0)
        assert identities.envelope("x@shop.org", 0) == "amazonses.com"
        identities.confirm_mail_from(SHOP, 1, found_after=HOUR)
        assert identities.next_deadline() == 1 + HOUR
        assert identities.envelope("x@shop.org", 1 + HOUR) == BOUNCES
        identities.lose_mail_from(SHOP, 2 * HOUR)
        assert identities.envelope("x@shop.org", 2 * HOUR) == "amazonses.com"
        identities.put_mail_from(SHOP, None, 3 * HOUR)
        assert identities[SHOP].mail_from is None

    @pytest.mark.rule("SES-IDN-2")
    @pytest.mark.parametrize(("at", "state"), [(0, "PENDING"), (3 * DAY, "FAILED")])
    def test_or_emails_are_refused_until_then(self, at: float, state: str) -> None:
        identities = Identities([SHOP])
        identities.put_mail_from(SHOP, BOUNCES, 0, on_failure="REJECT_MESSAGE")
        with pytest.raises(MailFromDomainNotVerified, match=rf"bounces\.shop\.org of x@shop\.org .*: {state} "):
            identities.envelope("x@shop.org", at)

    @pytest.mark.rule("SES-IDN-1")
    def test_an_address_has_settings_of_its_own(self) -> None:
        identities = Identities([SHOP, "me@shop.org"])
        identities.put_mail_from(SHOP, BOUNCES, 0)
        identities.confirm_mail_from(SHOP, 0)
        assert [identities.envelope(f"{who}@shop.org", 0) for who in ("x", "me")] == [BOUNCES, "amazonses.com"]

    @pytest.mark.rule("SES-IDN-2")
    def test_signatures(self) -> None:
        identities = Identities([SHOP])
        shop = identities[SHOP]
        assert (shop.signing, shop.dkim_origin, shop.key_bits) == (True, "AWS_SES", 2048)
        identities.put_dkim(SHOP, 0, signing=False, origin="EXTERNAL", key_bits=1024)
        assert (shop.signing, shop.dkim_origin, shop.key_bits) == (False, "EXTERNAL", 1024)

    @pytest.mark.rule("SES-IDN-2")
    @pytest.mark.parametrize(
        ("call", "given", "problem"),
        [
            ("put_mail_from", {"domain": "shop.org"}, r"<shop\.org> is not subdomain of the domain"),
            ("put_mail_from", {"domain": 5}, "<5> is not subdomain"),
            ("put_dkim", {"signing": "no"}, "signing='no' is neither true nor false"),
            ("put_mail_from", {"domain": "a..shop.org"}, "is not subdomain"),
            ("put_mail_from", {"domain": BOUNCES, "on_failure": "STOP"}, "'STOP' is not allowed; allowed: USE_DEF"),
            ("put_dkim", {"origin": "MINE"}, "'MINE' is not allowed; allowed: AWS_SES, EXTERNAL"),
            ("put_dkim", {"key_bits": 512}, "512 is not allowed; allowed: 1024, 2048"),
            ("confirm_mail_from", {}, r"shop\.org has no MAIL FROM domain"),
        ],
    )
    def test_what_is_no_setting(self, call: str, given: dict[str, Any], problem: str) -> None:
        with pytest.raises(InvalidParameterValue, match=problem):
            getattr(Identities([SHOP]), call)(SHOP, now=0, **given)


class TestSending:
    """Accounts send from what is verified at that instant."""

    @pytest.mark.rule("SES-SND-2")
    def test_a_sender_that_is_pending_is_refused(self) -> None:
        account = SendingAccount(Outbox())
        account.identities.create("eve@x.org", 0)
        email = Email(ANN, sender="eve@x.org")
        with pytest.raises(MessageRejected) as caught:
            account.send_email(email, 1)
        assert str(caught.value) == (
            "Email address is not verified. The following identities failed the check in region US-EAST-1: eve@x.org"
        )
        account.identities.confirm("eve@x.org", 2)
        account.send_email(email, 3)
        account.identities.delete("eve@x.org", 4)
        with pytest.raises(MessageRejected, match="not verified"):
            account.send_email(email, 5)
        assert (account.rejected, account.delivered) == (2, 1)

    @pytest.mark.rule("SES-SND-2")
    def test_the_sandbox_sends_to_what_became_verified(self) -> None:
        account = SendingAccount(Outbox(sandbox=True, burst=9, max_send_rate=9))
        account.identities.create(ANN, 0)
        with pytest.raises(MessageRejected, match=rf": {ANN}$"):
            account.send_email(Email(ANN), 1)
        account.identities.confirm(ANN, 2)
        account.send_email(Email(ANN), 3)

    @pytest.mark.rule("SES-SND-2")
    def test_the_sandbox_names_the_sender_and_the_recipients(self) -> None:
        account = SendingAccount(Outbox(sandbox=True))
        account.identities.create("eve@x.org", 0)
        with pytest.raises(MessageRejected, match=rf": eve@x\.org, {ANN}$"):
            account.send_email(Email(ANN, sender="eve@x.org"), 1)

    @pytest.mark.rule("SES-IDN-2")
    @pytest.mark.parametrize("sandbox", [False, True])
    def test_a_mail_from_domain_stops_emails_if_it_is_to(self, sandbox: bool) -> None:
        account = SendingAccount(Outbox(sandbox=sandbox, verified=[SHOP, ANN]))
        account.identities.put_mail_from(SHOP, BOUNCES, 0, on_failure="REJECT_MESSAGE")
        with pytest.raises(MailFromDomainNotVerified):
            account.send_email(Email(ANN, sender="x@shop.org"), 0)
        pickle.loads(pickle.dumps(account)).identities.confirm_mail_from(SHOP, 1)  # noqa: S301 - our own
        account.identities.confirm_mail_from(SHOP, 1)
        account.send_email(Email(ANN, sender="x@shop.org"), 1)
