"""Verified identities: which addresses they cover."""

import pytest

from msgsim.bus.verified import Verified, check_identities, check_identity, refuse_unverified
from msgsim.errors import DeclarationError, MessageRejected


@pytest.mark.rule("SES-IDN-1")
def test_a_domain_covers_what_is_below_it_and_an_address_itself() -> None:
    verified = Verified(["Ann@Example.com", "Shop.org"])
    assert [verified.covers(each) for each in ("Ann@example.COM", "x@shop.org", "Eve <x@a.b.SHOP.org>")] == [True] * 3
    assert not any(verified.covers(each) for each in ("ann@example.com", "x@example.com", "x@myshop.org", "x@org"))


@pytest.mark.rule("SES-BNC-4")
def test_addresses_are_owned_by_domains_only() -> None:
    verified = Verified(["ann@example.com", "shop.org"])
    assert verified.owns("x@mail.shop.org")
    assert not verified.owns("ann@example.com")


def test_what_is_no_identity_is_refused() -> None:
    check_identities("here", ["x.org", "ann@x.org"])
    with pytest.raises(DeclarationError, match=r"^here\.1: 'a@b@c' is not an email address"):
        check_identities("here", ["x.org", "a@b@c"])
    with pytest.raises(DeclarationError, match=r"^there: 'me' is not an email address"):
        check_identity("there", "me")


@pytest.mark.rule("SES-SND-2")
def test_the_unverified_are_named() -> None:
    refuse_unverified([])
    with pytest.raises(MessageRejected) as caught:
        refuse_unverified(["a@x.org", "b@x.org"])
    assert str(caught.value) == (
        "Email address is not verified. The following identities failed the check in region US-EAST-1: a@x.org, b@x.org"
    )
