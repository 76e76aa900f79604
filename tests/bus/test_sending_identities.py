"""Identities of an outbox as they are declared: when they are verified, and what they do to emails."""

from typing import Any

import pytest

import msgsim as ms
from msgsim.bus.identities import Identities
from msgsim.bus.sending_identities import speaks_for
from msgsim.declare import DAY, HOUR
from msgsim.errors import DeclarationError, MailFromDomainNotVerified, MessageRejected

FILE = """
[outboxes.ses]
sender = "news@shop.org"

[[outboxes.ses.identities]]
name = "shop.org"
mail_from = "bounce.shop.org"
mail_from_after = 600
on_mail_from_failure = "REJECT_MESSAGE"

[outboxes.ses.dmarc]
policy = "none"
strict_dkim = true

[[outboxes.ses.receivers]]
demands = ["dkim", "spf", "dmarc"]
bulk = 0

[queues.q]

[traffic.t]
to = "q"
process = "regular"
rate = {type = "constant", rate = 0.01}

[workers.w]
queue = "q"
count = 1
service_time = {type = "fixed", value = 0}
delete = "each"
on_success = [{type = "send-email", outbox = "ses", to = "ann@example.com"}]
"""


def opened(*identities: ms.SendingIdentity, **settings: Any) -> ms.SendingAccount:
    return ms.SendingAccount(ms.Outbox(identities=identities, **settings))


def sends(account: ms.SendingAccount, now: float, sender: str | None = None, to: str = "ann@example.com") -> bool:
    try:
        return bool(account.send_email(ms.Email(to, sender=sender), now))
    except (MessageRejected, MailFromDomainNotVerified):
        return False


@pytest.mark.rule("SES-IDN-1")
@pytest.mark.parametrize(
    ("name", "after", "states"),
    [
        ("shop.org", 0, ["SUCCESS"] * 3),
        ("Shop.org", HOUR, ["PENDING", "SUCCESS", "SUCCESS"]),
        ("shop.org", 3 * DAY, ["PENDING", "PENDING", "FAILED"]),
        ("ann@shop.org", DAY - 1, ["PENDING", "PENDING", "SUCCESS"]),
        ("ann@shop.org", DAY, ["PENDING", "PENDING", "FAILED"]),
    ],
)
def test_an_identity_is_verified_in_time_or_not(name: str, after: float, states: list[str]) -> None:
    identities = Identities(declared=[ms.SendingIdentity(name=name, verified_after=after)])
    assert identities.in_use
    assert [identities.state(name, at) for at in (0, HOUR, 3 * DAY)] == states


@pytest.mark.rule("SES-IDN-2")
def test_a_mail_from_domain_is_found_in_time_or_not() -> None:
    mail_from = {"mail_from": "M.shop.org", "on_mail_from_failure": "REJECT_MESSAGE"}
    late = ms.SendingIdentity(name="shop.org", mail_from_after=HOUR, **mail_from)  # type: ignore[arg-type]
    account = opened(late, sender="me@example.com")
    assert [sends(account, at, "ann@shop.org") for at in (0, HOUR - 1, HOUR)] == [False, False, True]
    assert account.identities.envelope("ann@shop.org", HOUR) == "m.shop.org"
    usual = opened(ms.SendingIdentity(name="shop.org", mail_from="m.shop.org", mail_from_after=3 * DAY))
    assert sends(usual, 0, "ann@shop.org")
    assert usual.identities.envelope("ann@shop.org", 3 * DAY) == "amazonses.com"
    assert opened(ms.SendingIdentity(name="shop.org", signing=False)).identities["shop.org"].signing is False


@pytest.mark.rule("SES-SND-2")
@pytest.mark.parametrize("sandbox", [False, True])
def test_the_usual_sender_needs_no_identity_unless_one_speaks_for_it(sandbox: bool) -> None:
    waiting = ms.SendingIdentity(name="shop.org", verified_after=HOUR)
    settings: dict[str, Any] = {"sandbox": sandbox, "verified": ["example.com"], "max_send_rate": 100}
    other = opened(waiting, sender="me@other.org", **settings)
    assert sends(other, 0)
    assert not sends(other, 0, "ann@shop.org")
    own = opened(waiting, sender="Me <me@mail.shop.org>", **settings)
    assert [sends(own, at, sender) for at in (0, HOUR) for sender in (None, "me@mail.shop.org")] == [
        False,
        False,
        True,
        True,
    ]


@pytest.mark.rule("SES-SND-2")
def test_emails_of_workers_are_refused_until_then_as_well() -> None:
    class Content:
        def render(self, message: str, now: float) -> ms.Email:
            return ms.Email(message, subject=f"{now:g}")

        def addresses(self, message: str, now: float) -> tuple[str, ...]:
            assert now >= 0
            return (message,)

    account = opened(ms.SendingIdentity(name="shop.org", verified_after=HOUR), sender="me@shop.org")
    assert not account.try_send(1, 0.0, 0.0, 1, Content(), "ann@example.com")
    assert account.refusal[0] is MessageRejected
    assert account.rejected == 1
    assert account.try_send(1, HOUR, HOUR, 1, Content(), "ann@example.com")
    account.check()


@pytest.mark.rule("SES-QUO-1")
def test_the_sandbox_sends_to_identities_that_are_verified() -> None:
    account = opened(ms.SendingIdentity(name="shop.org", verified_after=HOUR), sandbox=True, sender="me@example.com")
    assert [sends(account, at, to="ann@shop.org") for at in (0, HOUR)] == [False, True]
    ms.Outbox(identities=[ms.SendingIdentity(name="shop.org")]).check_sandbox(ms.Email("ann@shop.org"))


@pytest.mark.rule("SES-IDN-2")
@pytest.mark.rule("SES-IDN-3")
def test_a_file_declares_what_receivers_find() -> None:
    scenario = ms.Scenario.from_toml(FILE)
    assert ms.Scenario.from_toml(scenario.to_toml()) == scenario
    run = ms.simulate(scenario, until=HOUR, seed=1)
    assert run.total("ses", "rejected") > 0
    assert run.total("ses", "delivered") == run.total("q", "sent") == 36
    bare = scenario.vary("outboxes.ses.identities.0.mail_from", None)
    run = ms.simulate(bare, until=HOUR, seed=1)
    assert (run.total("ses", "rejected"), run.total("ses", "delivered")) == (0, 0)
    assert run.total("ses", "bounced") == 36


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"name": ""}, r"SendingIdentity\.name: "),
        ({"name": "a b"}, r"SendingIdentity\.name: 'a b' is not an email address"),
        ({"verified_after": -1}, r"SendingIdentity\.verified_after: -1\.0 is not allowed; allowed: 0 or more \[s\]"),
        ({"mail_from": "m.other.org"}, r"mail_from: 'm\.other\.org' is not a domain below shop\.org"),
        ({"mail_from": "shop.org"}, r"is not a domain below shop\.org, as in bounce\.shop\.org \(SES-IDN-2\)"),
        ({"mail_from": "a b.shop.org"}, r"is not a domain below shop\.org"),
        ({"name": "ann@shop.org", "mail_from": "x.ann@shop.org"}, r"is not a domain below shop\.org"),
        ({"on_mail_from_failure": "BOUNCE"}, r"allowed: USE_DEFAULT_VALUE, REJECT_MESSAGE \(SES-IDN-2\)"),
        ({"signing": 1}, r"SendingIdentity\.signing: "),
    ],
)
def test_identities_that_cannot_be(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(DeclarationError, match=problem):
        ms.SendingIdentity(**{"name": "shop.org", **settings})


@pytest.mark.parametrize("verified", [["Shop.org"], []])
def test_an_identity_is_declared_once(verified: list[str]) -> None:
    identities = [ms.SendingIdentity(name=name) for name in (("shop.org",) if verified else ("shop.org", "SHOP.org"))]
    with pytest.raises(
        DeclarationError, match=r"^Outbox\.identities\.\d\.name: '.*' is declared already, here or in `v"
    ):
        ms.Outbox(verified=verified, identities=identities)


@pytest.mark.rule("SES-IDN-1")
@pytest.mark.parametrize(
    ("name", "speaks"),
    [("shop.org", True), ("org", True), ("ann@shop.org", True), ("Ann@shop.org", False), ("p.org", False)],
)
def test_an_identity_speaks_for_what_is_below_it(name: str, speaks: bool) -> None:
    assert speaks_for([ms.SendingIdentity(name=name)], "Ann <ann@SHOP.org>") is speaks
    assert not speaks_for([], "not looked at")
