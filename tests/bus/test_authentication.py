"""What receivers find in emails, by the identities that they are sent by."""

from typing import Any

import pytest

import msgsim as ms
from msgsim.bus.authentication import is_aligned, proofs_of
from msgsim.bus.identities import Identities
from msgsim.errors import DeclarationError

ANN, SHOP, BOUNCES = "ann@shop.org", "shop.org", "bounces.shop.org"


@pytest.mark.rule("SES-IDN-2")
@pytest.mark.parametrize(
    ("domain", "author", "relaxed", "strict"),
    [
        ("shop.org", "shop.org", True, True),
        ("bounces.shop.org", "shop.org", True, False),
        ("shop.org", "a.b.shop.org", True, False),
        ("a.shop.org", "b.shop.org", True, False),
        ("amazonses.com", "shop.org", False, False),
        ("myshop.org", "shop.org", False, False),
        ("org", "shop.org", False, False),
        ("local", "local", True, True),
    ],
)
def test_alignment(domain: str, author: str, relaxed: bool, strict: bool) -> None:
    assert is_aligned(domain, author, strict=False) is relaxed
    assert is_aligned(domain, author, strict=True) is strict


def found(sender: str, identities: Identities, now: float = 0, **record: Any) -> str:
    return " ".join(proofs_of(sender, identities, ms.DmarcPolicy(**record), now))


@pytest.mark.rule("SES-IDN-2")
class TestProofs:
    def test_a_domain_signs_and_a_mail_from_domain_aligns(self) -> None:
        identities = Identities([SHOP])
        assert found(ANN, identities) == "dkim dmarc"
        identities.put_mail_from(SHOP, BOUNCES, 0)
        assert found(ANN, identities) == "dkim dmarc"
        identities.confirm_mail_from(SHOP, 0, found_after=5)
        assert [found(ANN, identities, at) for at in (4, 5)] == ["dkim dmarc", "dkim spf dmarc"]
        identities.put_dkim(SHOP, 6, signing=False)
        assert found(ANN, identities, 6) == "spf dmarc"
        assert found(ANN, identities, 6, policy="absent") == "spf"
        assert found(ANN, identities, 6, strict_spf=True) == ""

    def test_a_key_of_ones_own_signs_alike(self) -> None:
        identities = Identities([SHOP])
        identities.put_dkim(SHOP, 0, origin="EXTERNAL")
        assert found("Ann <ann@news.SHOP.org>", identities) == "dkim dmarc"
        assert found("ann@news.shop.org", identities, strict_dkim=True) == ""

    def test_an_address_has_the_services_signature_unless_its_domain_is_verified(self) -> None:
        identities = Identities([ANN])
        assert found(ANN, identities) == ""
        assert found("eve@shop.org", identities) == ""
        identities.create(SHOP, 0)
        assert found(ANN, identities) == ""
        identities.confirm(SHOP, 1)
        assert found(ANN, identities, 1) == "dkim dmarc"
        identities.put_dkim(ANN, 1, signing=False)
        assert found(ANN, identities, 1) == ""

    def test_looking_late_is_looking_at_the_last_call(self) -> None:
        identities = Identities()
        identities.create(SHOP, 0)
        identities.confirm(SHOP, 9)
        assert found(ANN, identities, 3) == "dkim dmarc"
        assert identities.owns(ANN, 3)


@pytest.mark.rule("SES-IDN-3")
class TestReceivers:
    @pytest.mark.parametrize(
        ("dmarc", "missing"),
        [
            (ms.DmarcPolicy(), "spf"),
            (ms.DmarcPolicy(policy="absent"), "spf, dmarc"),
            (ms.DmarcPolicy(strict_dkim=True), "dkim, spf, dmarc"),
        ],
    )
    def test_they_ask_for_what_identities_lack(self, dmarc: ms.DmarcPolicy, missing: str) -> None:
        receiver = ms.Receiver(demands=["dkim", "spf", "dmarc"])
        account = ms.SendingAccount(
            ms.Outbox(verified=[SHOP], sender="ann@news.shop.org", receivers=[receiver], dmarc=dmarc, records=False)
        )
        told: list[Any] = []
        account.on_event = lambda event, *_: told.append(event)
        for n in range(5_002):
            account.send_email(ms.Email(f"c{n}@x.org"), 0)
        bounces = [event.details["diagnosticCode"] for event in told if event.kind == "Bounce"]
        assert set(bounces) == {f"smtp; 550 5.7.26 senders of bulk need {missing}"}
        account.identities.put_mail_from(SHOP, BOUNCES, 1)
        account.identities.confirm_mail_from(SHOP, 1)
        told.clear()
        account.send_email(ms.Email("d@x.org", sender="bob@shop.org"), 2)
        assert [event.kind for event in told] == ["Send", "Bounce" if dmarc.policy == "absent" else "Delivery"]


def test_it_stands_in_files() -> None:
    scenario = ms.Scenario(outboxes={"ses": ms.Outbox(dmarc=ms.DmarcPolicy(policy="reject", strict_spf=True))})
    assert ms.Scenario.from_toml(scenario.to_toml()) == scenario
    with pytest.raises(DeclarationError, match=r"^DmarcPolicy\.policy: 'no' is not allowed; allowed: absent, none"):
        ms.DmarcPolicy(policy="no")
