"""Verified identities: what can be one, and how what is none is refused."""

import pytest

from msgsim.bus.sending_identities import SendingIdentity, check_sending
from msgsim.bus.verified import check_identities, check_identity, refuse_unverified
from msgsim.errors import DeclarationError, MessageRejected


def test_what_is_no_identity_is_refused() -> None:
    check_identities("here", ["x.org", "ann@x.org"])
    with pytest.raises(DeclarationError, match=r"^here\.1: 'a@b@c' is not an email address"):
        check_identities("here", ["x.org", "a@b@c"])
    with pytest.raises(DeclarationError, match=r"^there: 'me' is not an email address"):
        check_identity("there", "me")


@pytest.mark.rule("SES-QUO-8")
def test_an_account_has_so_many_identities() -> None:
    most = [f"shop-{number}.org" for number in range(10_000)]
    check_identities("here", most)
    check_sending("there", [SendingIdentity(name="x.org")], most[1:])
    with pytest.raises(DeclarationError, match=r"^here: 10001 identities are too many; allowed: 10000 \(SES-QUO-8\)$"):
        check_identities("here", [*most, "x.org"])
    with pytest.raises(DeclarationError, match=r"^there: 10001 identities are too many; allowed: 10000 \(SES-QUO-8\)$"):
        check_sending("there", [SendingIdentity(name="x.org")], most)


@pytest.mark.rule("SES-SND-2")
def test_the_unverified_are_named() -> None:
    refuse_unverified([])
    with pytest.raises(MessageRejected) as caught:
        refuse_unverified(["a@x.org", "b@x.org"])
    assert str(caught.value) == (
        "Email address is not verified. The following identities failed the check in region US-EAST-1: a@x.org, b@x.org"
    )
