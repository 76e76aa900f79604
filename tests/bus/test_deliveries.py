"""What becomes of recipients by their addresses, and which events tell of it."""

import copy
import pickle
import random
from itertools import accumulate
from math import nextafter
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgsim.bus import deliveries
from msgsim.bus.configuration_set import ConfigurationSet
from msgsim.bus.deliveries import RETURN_AFTER
from msgsim.bus.email_events import BOUNCES, DELAYS, EmailEvent
from msgsim.bus.email_templates import EmailTemplate, TemplatedEmail
from msgsim.bus.email_validation import EmailValidation
from msgsim.bus.emails import Attachment
from msgsim.bus.outbox import DELAY_NOTICE, Email, Outbox, SendingAccount
from msgsim.bus.receivers import Receiver, retry_at
from msgsim.bus.reputation import ReputationPolicy
from msgsim.bus.sending_tenants import SendingTenant
from msgsim.bus.warm_up import DedicatedPool
from msgsim.distributions import Exponential, Fixed

HOUR, DAY = 3_600.0, 86_400.0
LIMIT = 50_400.0
ANN = Email("ann@example.com", "Hi", "Text")


class Scripted:
    """Random numbers in a given order; asking for more is an error."""

    def __init__(self, *numbers: float) -> None:
        self.left = list(numbers)

    def random(self) -> float:
        return self.left.pop(0)


class Page:
    """An email with an HTML part."""

    def render(self, message: object, now: float) -> Any:
        return SimpleNamespace(html=f"<a href='https://x.org'>{message} {now:g}</a>")

    def addresses(self, message: str, now: float) -> tuple[str, ...]:
        assert now >= 0
        return (message,)


class Heard(list[EmailEvent]):
    """Events in the order in which they were told."""

    def __call__(self, event: EmailEvent, origin: int, origin_at: float) -> None:
        self.origin = origin, origin_at
        self.append(event)

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self]

    def details(self, kind: str) -> list[dict[str, Any]]:
        return [dict(event.details) for event in self if event.kind == kind]


def opened(receiver: Receiver | None = None, *, seed: int = 1, **settings: Any) -> tuple[SendingAccount, Heard]:
    """An account that somebody listens to."""
    receivers = [] if receiver is None else [receiver]
    account = SendingAccount(Outbox(receivers=receivers, **settings), rng=random.Random(seed))
    heard = account.on_event = Heard()
    return account, heard


def done(account: SendingAccount, now: float = 10 * DAY) -> SendingAccount:
    account.advance(now)
    account.check()
    assert account.pending == 0
    assert account.next_deadline() is None
    return account


class TestDelivery:
    @pytest.mark.rule("SES-SND-1")
    @pytest.mark.rule("SES-EVT-7")
    def test_send_then_delivery(self) -> None:
        account, heard = opened(delivery_delay=5)
        account.send_email(Email(["ann@x.org", "Bob <bob@x.org>"]), 10.0, origin_id=7, origin_at=8.0)
        assert (heard.kinds, heard[0].recipients, heard[0].at) == (["Send"], ("ann@x.org", "Bob <bob@x.org>"), 10.0)
        assert (account.pending, account.next_deadline()) == (2, 15.0)
        account.advance(nextafter(15.0, 0.0))
        assert account.delivered == 0
        done(account)
        assert heard.kinds == ["Send", "Delivery", "Delivery"]
        assert [event.recipients for event in heard[1:]] == [("ann@x.org",), ("Bob <bob@x.org>",)]
        assert [event.at for event in heard] == [10.0, 15.0, 15.0]
        assert heard.origin == (7, 8.0)
        assert list(account.end_to_end) == [7.0, 7.0]

    def test_events_are_those_of_the_email(self) -> None:
        account, heard = opened(configuration_sets={"news": ConfigurationSet()}, tenants={"a": SendingTenant()})
        terms = account.terms("news", tenant="a", tags={"kind": "weekly"})
        message_id = account.send_email(ANN, 3.0, terms=terms)
        mail = heard[0].mail
        assert (mail.accepted_at, mail.configuration_set, mail.tenant, mail.tags) == (
            3.0,
            "news",
            "a",
            {"kind": "weekly"},
        )
        assert message_id in heard[1].render(None)  # type: ignore[arg-type]

    def test_an_account_begins_to_look_when_somebody_listens(self) -> None:
        account = SendingAccount(Outbox(delivery_delay=5))
        account.send_email(ANN, 0.0)
        heard = account.on_event = Heard()
        account.send_email(ANN, 1.0)
        assert account.pending == 2
        done(account)
        assert heard.kinds == ["Send", "Delivery"]
        assert list(account.end_to_end) == [5.0, 5.0]

    def test_nobody_need_go_on_listening(self) -> None:
        account, heard = opened()
        account.on_event = None
        account.send_email(ANN, 0.0)
        assert (heard, account.on_event, account.delivered) == ([], None, 1)

    def test_rates_mean_the_same_with_addresses_and_without(self) -> None:
        settings = {
            "bounce_rate": 0.2,
            "soft_bounce_rate": 0.3,
            "complaint_rate": 0.1,
            "delivery_delay": Exponential(9),
        }
        accounts = [
            SendingAccount(Outbox(**settings, **more), rng=random.Random(5))  # type: ignore[arg-type]
            for more in ({}, {"suppressed_reasons": []})
        ]
        for account in accounts:
            for n in range(300):
                account.send_email(Email(f"a{n}@x.org"), float(n))
            done(account)
        plain, looking = accounts
        for name in ("delivered", "hard_bounced", "soft_bounced", "complained", "end_to_end"):
            assert getattr(plain, name) == getattr(looking, name)
        assert plain.hard_bounced > 30

    def test_an_address_that_cannot_be_rejects_the_email(self) -> None:
        class Wrong:
            def render(self, message: object, now: float) -> Email:
                raise AssertionError(message, now)

            def addresses(self, message: str, now: float) -> tuple[str, ...]:
                return (message, f"b@x{now:g}.org")

        account, heard = opened()
        assert not account.try_send(2, 0.0, 0.0, 0, Wrong(), "nobody")
        assert "'nobody' is not an email address" in account.refusal[1]
        assert (account.rejected, account.accepted, heard) == (2, 0, [])
        assert account.try_send(2, 1.0, 0.0, 0, Wrong(), "a@x.org")
        assert heard[0].recipients == ("a@x.org", "b@x1.org")

    def test_a_copy_goes_on_alone(self) -> None:
        account, heard = opened(Receiver(full_mailboxes=1, full_time=HOUR, reading_delay=5), seed=3)
        account.send_email(ANN, 0.0)
        twin = copy.deepcopy(account)
        assert twin.on_event is None
        done(twin)
        assert (twin.delivered, account.delivered, heard.kinds) == (1, 0, ["Send"])
        assert done(account).end_to_end == twin.end_to_end


class TestLost:
    @pytest.mark.rule("SES-SND-9")
    def test_a_virus_is_found_after_acceptance(self) -> None:
        virus = [Attachment("a.com", b"X5O!...$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*")]
        plain = SendingAccount(Outbox())
        plain.send_email(Email("ann@x.org", attachments=virus), 0.0)
        assert (done(plain).infected, plain.delivered, plain.rejected) == (1, 0, 0)
        filled = Email("ann@x.org", attachments=virus)
        plain = SendingAccount(Outbox())
        plain.send_email(filled, 0.0, templated=TemplatedEmail(EmailTemplate(subject="Hi"), {}, filled))
        assert (done(plain).infected, plain.delivered) == (1, 0)
        account, heard = opened()
        assert account.send_email(Email(["ann@x.org", "bob@x.org"], attachments=virus), 0.0)
        assert heard.kinds == ["Send", "Reject"]
        assert heard.details("Reject") == [{"reason": "Bad content"}]
        assert (done(account).infected, account.statistics.points(10 * DAY)[0].rejects) == (2, 2)

    @pytest.mark.parametrize("missing", ["", "name"])
    def test_what_cannot_be_rendered_is_lost_after_acceptance(self, missing: str) -> None:
        class Filled(Page):
            def failure(self, message: str, now: float) -> str | None:
                assert (message, now) == ("ann@x.org", 1.0)
                return f"Attribute '{missing}' is not present in the rendering data." if missing else None

        account, heard = opened()
        assert account.try_send(1, 1.0, 1.0, 0, Filled(), "ann@x.org")
        assert heard.kinds == (["Rendering Failure"] if missing else ["Send", "Delivery"])
        assert done(account).rendering_failed == bool(missing)


class TestBounces:
    @pytest.mark.rule("SES-BNC-1")
    @pytest.mark.rule("SES-SUP-1")
    def test_a_hard_bounce_is_told_at_once_and_listed(self) -> None:
        account, heard = opened(Receiver(unknown_users=1))
        account.send_email(ANN, 1.0)
        assert heard.kinds == ["Send", "Bounce"]
        assert heard.details("Bounce") == [
            {
                "bounceType": "Permanent",
                "bounceSubType": "General",
                "action": "failed",
                "status": "5.1.1",
                "diagnosticCode": "smtp; 550 5.1.1 user unknown",
            }
        ]
        assert account.suppressed_destination("ann@example.com", 1.0) == ("ann@example.com", "BOUNCE", 1.0)
        assert (done(account).hard_bounced, account.bounced) == (1, 1)

    @pytest.mark.rule("SES-BNC-1")
    def test_the_same_address_bounces_again(self) -> None:
        account, _ = opened(Receiver(unknown_users=0.5), suppressed_reasons=[])
        emails = [Email(f"user{n}@x.org") for n in range(100)]
        bounced = []
        for email in emails * 2:
            before = account.hard_bounced + account.suppressed
            account.send_email(email, account.accepted * 20.0 * DAY)
            bounced.append(account.hard_bounced + account.suppressed > before)
        assert bounced[:100] == bounced[100:]
        assert 30 < sum(bounced[:100]) < 70

    @pytest.mark.rule("SES-BNC-2")
    @pytest.mark.rule("SES-BNC-3")
    def test_v_21_a_mailbox_that_stays_full(self) -> None:
        account, heard = opened(Receiver(full_mailboxes=1), reputation=ReputationPolicy())
        account.send_email(ANN, 100.0)
        account.advance(nextafter(100.0 + LIMIT, 0.0))
        assert heard.kinds == ["Send", *["DeliveryDelay"] * 3]
        assert [event.at - 100.0 for event in heard[1:]] == [DELAY_NOTICE, 2 * DELAY_NOTICE, 3 * DELAY_NOTICE]
        assert heard.details("DeliveryDelay")[0] == {
            "delayType": "MailboxFull",
            "expirationTime": 100.0 + LIMIT,
            "status": "4.2.2",
            "diagnosticCode": "smtp; 452 4.2.2 Mailbox full",
        }
        done(account)
        assert heard.kinds[-1] == "Bounce"
        assert heard[-1].at == 100.0 + LIMIT
        [bounce] = heard.details("Bounce")
        assert (bounce["bounceType"], bounce["bounceSubType"]) == ("Transient", "MailboxFull")
        assert bounce["diagnosticCode"] == (
            "smtp; 554 4.4.7 Message expired: unable to deliver in 840 minutes.<452 4.2.2 Mailbox full>"
        )
        assert (account.soft_bounced, account.hard_bounced, account.delayed) == (1, 0, 1)
        assert account.reputation is not None
        assert account.reputation.bounce_rate == 0
        assert account.suppressed_destinations(10 * DAY) == []

    def test_no_attempt_is_made_that_must_fail(self) -> None:
        account, _ = opened(Receiver(full_mailboxes=1))
        account.send_email(ANN, 0.0)
        deadlines = []
        while (deadline := account.next_deadline()) is not None:
            deadlines.append(deadline)
            account.advance(deadline)
        assert deadlines == [DELAY_NOTICE, 2 * DELAY_NOTICE, 3 * DELAY_NOTICE, LIMIT]

    @pytest.mark.rule("SES-BNC-2")
    @pytest.mark.rule("SES-CFG-1")
    def test_a_shorter_time_is_a_timeout_of_ones_own(self) -> None:
        sets = {"hasty": ConfigurationSet(max_delivery_time=300)}
        account, heard = opened(Receiver(full_mailboxes=1), configuration_sets=sets)
        account.send_email(ANN, 0.0, terms=account.terms("hasty"))
        assert account.next_deadline() == 300.0
        done(account)
        [bounce] = heard.details("Bounce")
        assert (bounce["bounceType"], bounce["bounceSubType"]) == ("Transient", "CustomTimeoutExceeded")
        assert "unable to deliver in 5 minutes" in bounce["diagnosticCode"]

    def test_nothing_is_tried_at_the_time_limit_itself(self) -> None:
        account, heard = opened(Receiver(outages=[(0, 400)]), max_delivery_time=420)
        account.send_email(ANN, 0.0)  # tried at 0, 60 and 180 s; the next attempt would be at 420 s
        assert (done(account).delivered, account.soft_bounced) == (0, 1)
        assert heard[-1].at == 420

    def test_a_delay_beyond_the_time_limit_is_a_bounce(self) -> None:
        account, heard = opened(delivery_delay=400, max_delivery_time=300)
        account.send_email(ANN, 0.0)
        done(account)
        assert heard[-1].at == 300.0
        assert "421 4.4.2 Connection timed out" in heard.details("Bounce")[0]["diagnosticCode"]

    def test_a_mailbox_that_has_room_again(self) -> None:
        account, heard = opened(Receiver(full_mailboxes=1, full_time=500))
        account.send_email(ANN, 0.0)
        account.send_email(ANN, 600.0)
        done(account)
        assert heard.kinds == ["Send", "Send", "Delivery", "Delivery"]
        assert list(account.end_to_end) == [0.0, 900.0]

    @pytest.mark.rule("SES-BNC-2")
    def test_chance_may_fail_an_attempt_again_and_again(self) -> None:
        account = SendingAccount(Outbox(soft_bounce_rate=0.5, suppressed_reasons=[]), rng=Scripted(*[0.4] * 9, 0.5))
        account.send_email(ANN, 100.0)
        attempts = []
        while (deadline := account.next_deadline()) is not None:
            attempts.append((deadline - 100) / 60)
            account.advance(deadline)
        assert attempts == [1, 3, 7, 15, 31, 63, 123, 183, 240, 243]  # at 240 it is told that it is late
        assert (account.delivered, account.delayed) == (1, 1)

    @pytest.mark.rule("SES-EVT-7")
    def test_a_receiver_that_finds_out_late(self) -> None:
        account, heard = opened(Receiver(unknown_users=1, bounces_late=True))
        account.send_email(ANN, 0.0)
        assert (account.delivered, account.pending, account.next_deadline()) == (1, 0, RETURN_AFTER)
        done(account)
        assert heard.kinds == ["Send", "Delivery", "Bounce"]
        assert (account.delivered, account.returned, account.bounced) == (1, 1, 0)
        assert [entry.since for entry in account.suppressed_destinations(10 * DAY)] == [RETURN_AFTER]

    @pytest.mark.rule("SES-BNC-4")
    def test_bounces_in_ones_own_domains_do_no_harm(self) -> None:
        account, _ = opened(Receiver(unknown_users=1), reputation=ReputationPolicy(), verified=["own.org"])
        account.send_email(Email(["a@own.org", "b@mail.own.org", "c@example.com"]), 0.0)
        assert account.reputation is not None
        assert account.reputation.bounce_rate == pytest.approx(1 / 3)

    def test_per_send_bounces_are_hard(self) -> None:
        account, heard = opened(bounce_rate=1)
        account.send_email(ANN, 0.0)
        assert done(account).hard_bounced == 1
        assert heard.kinds == ["Send", "Bounce"]


class TestSeenOnce:
    """What is found out about an email once is not found out anew at each attempt."""

    @pytest.mark.rule("SES-IDN-3")
    def test_an_email_counts_once_however_often_it_is_offered(self) -> None:
        receiver = Receiver(demands=["dkim"], bulk=1)
        account, _ = opened(receiver, soft_bounce_rate=0.9, authentication=[], seed=5)
        account.send_email(ANN, 0.0)
        done(account)
        assert account.soft_bounced == 0

    def test_a_mailbox_that_is_full_takes_nothing_of_its_receivers_rate(self) -> None:
        receivers = [Receiver(domains=["full.org"], full_mailboxes=1, max_rate=0.001), Receiver()]
        account = SendingAccount(Outbox(receivers=receivers), rng=random.Random(1))
        account.send_email(Email("ann@full.org"), 0.0)
        server = account.look()._servers[0]
        assert server.takes(0.0)


class TestUnknownDomains:
    """A domain that DNS does not find is the one hard bounce that is tried again."""

    @pytest.mark.rule("SES-BNC-1")
    def test_it_is_tried_for_14_hours_and_bounces_hard(self) -> None:
        account, heard = opened(Receiver(domains=["gone.org"], resolves=False), suppressed_reasons=["BOUNCE"])
        account.send_email(Email("ann@gone.org"), 0.0)
        account.advance(nextafter(LIMIT, 0.0))
        assert (account.pending, account.hard_bounced, account.delayed) == (1, 0, 1)
        assert set(heard.kinds) == {"Send", "DeliveryDelay"}
        account.advance(LIMIT)
        account.check()
        assert (account.hard_bounced, account.soft_bounced) == (1, 0)
        (bounce,) = heard.details("Bounce")
        assert (bounce["bounceType"], bounce["bounceSubType"], bounce["status"]) == ("Permanent", "General", "5.4.4")
        assert account.suppressed_destination("ann@gone.org", LIMIT).reason == "BOUNCE"

    @pytest.mark.rule("SES-BNC-2")
    def test_who_waits_less_long_does_not_know(self) -> None:
        account, heard = opened(Receiver(resolves=False), max_delivery_time=HOUR)
        account.send_email(ANN, 0.0)
        done(account)
        (bounce,) = heard.details("Bounce")
        assert (bounce["bounceType"], bounce["bounceSubType"]) == ("Transient", "CustomTimeoutExceeded")
        assert account.suppressed_destinations(10 * DAY) == []


class TestValidation:
    """Addresses are scored before they are sent to."""

    @pytest.mark.rule("SES-SUP-6")
    @pytest.mark.rule("SES-QUO-7")
    def test_what_scores_low_is_accepted_counted_and_not_sent(self) -> None:
        receivers = [Receiver(domains=["gone.org"], unknown_users=1), Receiver(domains=["no.org"], resolves=False)]
        outbox = Outbox(
            receivers=receivers, validation=EmailValidation(), reputation=ReputationPolicy(), max_24_hour_send=3
        )
        account = SendingAccount(outbox, rng=random.Random(1))
        heard = account.on_event = Heard()
        account.send_email(Email(["a@gone.org", "b@no.org", "c@x.org"]), 0.0)
        assert heard.kinds == ["Send", "Bounce", "Bounce", "Delivery"]
        assert {bounce["bounceSubType"] for bounce in heard.details("Bounce")} == {"EmailValidationSuppressed"}
        assert {bounce["bounceType"] for bounce in heard.details("Bounce")} == {"Permanent"}
        assert (account.suppressed, account.delivered, account.bounced) == (2, 1, 0)
        assert account.sent_last_24_hours(0.0) == 3
        assert account.reputation is not None
        assert (account.reputation.volume, account.reputation.bounce_rate) == (1, 0.0)
        assert account.suppressed_destinations(0.0) == []
        account.check()

    @pytest.mark.rule("SES-SUP-6")
    @pytest.mark.parametrize(
        ("threshold", "good_lost", "bad_sent"), [("MANAGED", 0.0, 0.0), ("HIGH", 0.2, 0.0), ("MEDIUM", 0.0, 0.2)]
    )
    def test_thresholds_err_on_different_sides(self, threshold: str, good_lost: float, bad_sent: float) -> None:
        receiver = Receiver(domains=["gone.org"], unknown_users=1)
        outbox = Outbox(receivers=[receiver], validation=EmailValidation(threshold=threshold))
        account = SendingAccount(outbox, rng=random.Random(3))
        for each in range(1_000):
            account.send_email(Email(f"a{each}@x.org"), 0.0)
        assert account.suppressed / 1_000 == pytest.approx(good_lost, abs=0.04)
        for each in range(1_000):
            account.send_email(Email(f"a{each}@gone.org"), 0.0)
        assert account.bounced / 1_000 == pytest.approx(bad_sent, abs=0.04)

    def test_an_address_has_one_score_and_it_varies_with_the_seed(self) -> None:
        def withheld(seed: int) -> list[int]:
            account = SendingAccount(Outbox(validation=EmailValidation(threshold="HIGH")), rng=random.Random(seed))
            counts = []
            for each in range(40):
                before = account.suppressed
                for _ in range(2):
                    account.send_email(Email(f"a{each}@x.org"), 0.0)
                counts.append(account.suppressed - before)
            return counts

        assert set(withheld(1)) == {0, 2}
        assert withheld(1) == withheld(1) != withheld(2)

    def test_lists_come_first(self) -> None:
        receiver = Receiver(unknown_users=1)
        account, heard = opened(receiver, validation=EmailValidation())
        account.suppress("ann@x.org", "BOUNCE", 0.0)
        account.send_email(Email("ann@x.org"), 0.0)
        assert heard.details("Bounce")[0]["bounceSubType"] == "OnAccountSuppressionList"

    def test_the_simulator_is_not_validated(self) -> None:
        account, _ = opened(Receiver(unknown_users=1), validation=EmailValidation())
        account.send_email(Email("success@simulator.amazonses.com"), 0.0)
        assert account.delivered == 1


class TestReceivers:
    def test_each_domain_has_its_own(self) -> None:
        receivers = [Receiver(domains=["full.org"], full_mailboxes=1), Receiver(unknown_users=1)]
        account = SendingAccount(Outbox(receivers=receivers), rng=random.Random(1))
        account.send_email(Email(["a@FULL.org", "b@sub.full.org", "c@other.org"]), 0.0)
        assert (account.pending, account.hard_bounced) == (1, 2)
        assert done(account).soft_bounced == 1

    def test_greylisting_defers_the_first_email_to_an_address(self) -> None:
        account, _ = opened(Receiver(greylisting=300))
        account.send_email(ANN, 0.0)
        account.send_email(ANN, 1_000.0)
        done(account)
        assert list(account.end_to_end) == [420.0, 0.0]
        assert account.delayed == 0

    @pytest.mark.rule("SES-EVT-6")
    def test_an_outage_comes_before_what_a_receiver_says(self) -> None:
        receiver = Receiver(greylisting=1_200, outages=[(500, 5_000)])
        account, heard = opened(receiver, delay_notice=1_000)
        account.send_email(ANN, 0.0)  # tried in vain at 0 s, and from 900 s on nobody answers
        assert done(account).delivered == 1
        assert heard.details("DeliveryDelay")[0]["delayType"] == "TransientCommunicationFailure"

    @pytest.mark.rule("SES-EVT-3")
    @pytest.mark.rule("SES-EVT-6")
    def test_setbacks_have_types_that_events_know(self) -> None:
        setbacks = [each for each in vars(deliveries).values() if isinstance(each, deliveries.Setback)]
        assert len(setbacks) == 7
        assert {each.delay_type for each in setbacks} <= set(DELAYS)
        assert {each.bounce_sub_type for each in setbacks} <= set(BOUNCES["Transient"])

    @pytest.mark.rule("SES-BNC-3")
    def test_an_email_is_late_since_its_acceptance_and_not_since_its_first_attempt(self) -> None:
        account, heard = opened(Receiver(greylisting=5_000), delay_notice=1_000, delivery_delay=600)
        account.send_email(ANN, 0.0)
        done(account)
        assert [event.at for event in heard if event.kind == "DeliveryDelay"][:2] == [1_000, 2_000]

    def test_an_outage_is_waited_out(self) -> None:
        account, heard = opened(Receiver(outages=[(0, 5 * HOUR)]))
        account.send_email(ANN, 0.0)
        done(account)
        assert [event.at for event in heard if event.kind == "Delivery"] == [303 * 60.0]
        assert heard.details("DeliveryDelay")[0]["delayType"] == "TransientCommunicationFailure"

    def test_what_is_too_fast_for_a_receiver_comes_later(self) -> None:
        account, _ = opened(Receiver(max_rate=2))
        for n in range(6):
            account.send_email(Email(f"a{n}@x.org"), 0.0)
        assert (account.delivered, account.pending) == (2, 4)
        account.advance(60.0)
        assert (account.delivered, account.pending) == (4, 2)
        done(account)
        assert list(account.end_to_end) == [0.0, 0.0, 60.0, 60.0, 180.0, 180.0]

    @pytest.mark.rule("SES-CFG-1")
    def test_tls_that_is_required_and_not_there(self) -> None:
        account, heard = opened(Receiver(tls=False), configuration_sets={"safe": ConfigurationSet(tls="REQUIRE")})
        account.send_email(ANN, 0.0)
        account.send_email(ANN, 0.0, terms=account.terms("safe"))
        done(account)
        assert heard.kinds == ["Send", "Delivery", "Send", "Bounce"]
        [bounce] = heard.details("Bounce")
        assert (bounce["bounceType"], bounce["status"]) == ("Transient", "5.7.4")
        assert account.suppressed_destinations(10 * DAY) == []

    @pytest.mark.rule("SES-EVT-7")
    def test_opens_need_html_and_clicks_need_an_open(self) -> None:
        account, heard = opened(Receiver(open_rate=1, click_rate=1, reading_delay=60))
        account.send_email(ANN, 0.0)
        assert account.try_send(1, 0.0, 0.0, 0, Page(), "ann@x.org")
        done(account)
        assert heard.kinds == ["Send", "Delivery", "Send", "Delivery", "Open", "Click"]
        assert (account.opened, account.clicked, heard[-1].at) == (1, 1, 60.0)
        unread, heard = opened(Receiver(open_rate=1))
        assert unread.try_send(1, 0.0, 0.0, 0, Page(), "ann@x.org")
        assert heard.kinds == ["Send", "Delivery", "Open"]

    @pytest.mark.rule("SES-EVT-8")
    def test_a_click_needs_a_link(self) -> None:
        account, heard = opened(Receiver(open_rate=1, click_rate=1))
        account.send_email(Email("ann@x.org", html="<p>Hello</p>"), 0.0)
        assert (heard.kinds, account.clicked) == (["Send", "Delivery", "Open"], 0)

    @pytest.mark.rule("SES-EVT-7")
    def test_one_email_may_be_opened_and_clicked_many_times(self) -> None:
        receiver = Receiver(open_rate=1, reopen_rate=0.75, click_rate=0.5, reading_delay=60)
        account, heard = opened(receiver)
        for each in range(400):
            account.send_email(Email(f"a{each}@x.org", html="<a href='https://x.org'>Go</a>"), 0.0)
        done(account)
        assert account.opened == pytest.approx(400 * 4, rel=0.1)
        assert account.clicked == pytest.approx(account.opened / 2, rel=0.1)
        first = [event.at for event in heard if event.kind == "Open" and event.recipients == ("a0@x.org",)]
        assert first == [60.0 * (position + 1) for position in range(len(first))]

    @pytest.mark.rule("SES-EVT-8")
    def test_automatic_replies_look_like_bounces_and_count_as_none(self) -> None:
        account, heard = opened(Receiver(auto_reply_rate=1), reputation=ReputationPolicy())
        account.send_email(ANN, 0.0)
        done(account)
        assert heard.kinds == ["Send", "Delivery", "Bounce"]
        [bounce] = heard.details("Bounce")
        assert (bounce["bounceType"], bounce["bounceSubType"]) == ("Transient", "General")
        assert (account.delivered, account.bounced, account.auto_replied) == (1, 0, 1)
        assert account.reputation is not None
        assert account.reputation.bounce_rate == 0

    @pytest.mark.rule("SES-EVT-7")
    @pytest.mark.parametrize("settings", [{"complaint_rate": 1}, {"complainers": 1}])
    def test_complaints_come_after_delivery_and_are_listed(self, settings: dict[str, float]) -> None:
        account, heard = opened(Receiver(**settings), complaint_delay=60, reputation=ReputationPolicy())  # type: ignore[arg-type]
        account.send_email(ANN, 0.0)
        assert heard.kinds == ["Send", "Delivery"]
        done(account)
        assert heard.kinds == ["Send", "Delivery", "Complaint"]
        assert heard.details("Complaint") == [{"complaintFeedbackType": "abuse", "arrivalDate": 60.0}]
        assert account.suppressed_destination("ann@example.com", 10 * DAY).reason == "COMPLAINT"
        assert account.reputation is not None
        assert account.reputation.complaint_rate == 1

    @pytest.mark.rule("SES-EVT-7")
    def test_a_receiver_may_keep_complaints_to_itself(self) -> None:
        account, _ = opened(Receiver(complaint_rate=1, reports=False))
        account.send_email(ANN, 0.0)
        assert done(account).complained == 0

    @pytest.mark.rule("SES-IDN-3")
    @pytest.mark.parametrize(
        ("proofs", "missing"), [(["dkim", "spf", "dmarc"], None), (["spf"], "dkim, dmarc"), ([], "dkim, spf, dmarc")]
    )
    def test_a_receiver_asks_those_who_send_much_for_authentication(
        self, proofs: list[str], missing: str | None
    ) -> None:
        receiver = Receiver(demands=["dkim", "spf", "dmarc"], bulk=2)
        account, heard = opened(receiver, authentication=proofs)
        for _ in range(3):
            account.send_email(ANN, 0.0)
        assert (account.delivered, account.soft_bounced) == ((2, 1) if missing else (3, 0))
        if missing:
            [bounce] = heard.details("Bounce")
            assert (bounce["bounceType"], bounce["bounceSubType"]) == ("Transient", "ContentRejected")
            assert bounce["diagnosticCode"] == f"smtp; 550 5.7.26 senders of bulk need {missing}"
        assert account.suppressed_destinations(0.0) == []

    @pytest.mark.rule("SES-IDN-3")
    @pytest.mark.parametrize("reports", [True, False])
    def test_a_receiver_rejects_those_about_whom_many_complain_until_they_are_forgotten(self, reports: bool) -> None:
        receiver = Receiver(demands="complaints", bulk=2, complaint_limit=0.5, complainers=1, reports=reports)
        account, heard = opened(receiver, suppressed_reasons=[], complaint_delay=60)
        account.send_email(ANN, 0.0)
        account.send_email(ANN, 0.0)
        account.send_email(ANN, 59.0)
        assert account.soft_bounced == 0
        account.send_email(ANN, 60.0)
        [bounce] = heard.details("Bounce")
        assert (bounce["bounceType"], bounce["bounceSubType"]) == ("Transient", "ContentRejected")
        assert bounce["diagnosticCode"] == "smtp; 550 5.7.26 senders of bulk need complaints below 50.00%"
        assert (account.delivered, account.complained) == (3, 2 if reports else 0)
        assert ("Complaint" in heard.kinds) is reports
        account.send_email(ANN, DAY + 60)
        assert account.delivered == 4

    @pytest.mark.rule("SES-IDN-3")
    def test_the_mailbox_simulator_complains_to_nobody_else(self) -> None:
        account, _ = opened(Receiver(demands="complaints", bulk=0, complaint_limit=0))
        account.send_email(Email("complaint@simulator.amazonses.com"), 0.0)
        account.send_email(ANN, 0.0)
        assert (account.complained, account.delivered) == (1, 2)

    @pytest.mark.rule("SES-IDN-3")
    @pytest.mark.parametrize("one_click", [True, False])
    def test_a_receiver_asks_for_unsubscription_by_one_click(self, one_click: bool) -> None:
        class News(Page):
            def render(self, message: object, now: float) -> Any:
                return SimpleNamespace(one_click=one_click, cause=(message, now))

        account, _ = opened(Receiver(demands="one-click", bulk=0))
        assert account.try_send(1, 0.0, 0.0, 0, News(), "ann@x.org")
        assert account.delivered == one_click

    @pytest.mark.rule("SES-IP-1")
    def test_a_pool_shares_or_delays_what_is_beyond_its_plan(self) -> None:
        pools = {"own": DedicatedPool(first_volume=2, deferral_rate=0.0)}
        account, _ = opened(pools=pools, configuration_sets={"s": ConfigurationSet(pool="own")}, configuration_set="s")
        for n in range(5):
            account.send_email(Email(f"a{n}@x.org"), 0.0)
        assert (account.pools["own"].dedicated, account.pools["own"].shared) == (2, 3)
        assert done(account).delivered == 5

    @pytest.mark.rule("SES-IP-1")
    def test_a_receiver_defers_what_comes_from_an_address_that_it_does_not_know(self) -> None:
        pools = {"own": DedicatedPool(first_volume=1, automatic=False, deferral_rate=1.0)}
        account, heard = opened(
            pools=pools, configuration_sets={"s": ConfigurationSet(pool="own")}, configuration_set="s"
        )
        account.send_email(ANN, 0.0)
        account.send_email(ANN, 0.0)
        assert (account.delivered, account.pending) == (1, 1)
        done(account)
        assert heard.details("DeliveryDelay")[0]["delayType"] == "IPFailure"


class TestSuppression:
    @pytest.mark.rule("SES-SUP-1")
    @pytest.mark.rule("SES-QUO-7")
    @pytest.mark.rule("SES-EVT-7")
    def test_v_20_an_address_on_the_accounts_list(self) -> None:
        account, heard = opened(reputation=ReputationPolicy(), max_24_hour_send=10)
        account.suppress("Ann <ann@example.com>", "BOUNCE", 0.0)
        assert account.send_email(ANN, 1.0)
        assert heard.kinds == ["Send", "Bounce"]
        assert heard.details("Bounce")[0]["bounceSubType"] == "OnAccountSuppressionList"
        assert heard.details("Bounce")[0]["bounceType"] == "Permanent"
        assert account.sent_last_24_hours(1.0) == 1
        assert (account.suppressed, account.bounced, account.delivered) == (1, 0, 0)
        assert account.reputation is not None
        assert (account.reputation.bounce_rate, account.reputation.volume) == (0, 0)
        assert account.statistics.points(1.0) == []
        done(account)

    @pytest.mark.rule("SES-SUP-3")
    def test_v_20_an_address_on_the_global_list(self) -> None:
        account, heard = opened(Receiver(unknown_users=1), suppressed_reasons=[], reputation=ReputationPolicy())
        account.send_email(ANN, 0.0)
        assert account.reputation is not None
        for n in range(9):
            account.send_email(Email("success@simulator.amazonses.com"), 1.0 + n)
        account.send_email(ANN, 100.0)
        assert heard.details("Bounce")[-1]["bounceSubType"] == "Suppressed"
        assert (account.suppressed, account.hard_bounced, account.sent_last_24_hours(100.0)) == (1, 1, 2)
        assert (account.reputation.volume, account.reputation.bounce_rate) == (2, 1.0)
        account.send_email(ANN, DAY)
        assert (account.suppressed, account.hard_bounced) == (1, 2)
        done(account)

    @pytest.mark.rule("SES-SUP-3")
    def test_the_global_list_does_not_block_where_the_accounts_own_is_on(self) -> None:
        account, _ = opened(Receiver(unknown_users=1))
        account.send_email(ANN, 0.0)
        account.unsuppress("ann@example.com", 1.0)
        account.send_email(ANN, 2.0)
        assert (account.hard_bounced, account.suppressed) == (2, 0)

    @pytest.mark.rule("SES-SUP-1")
    def test_a_complaint_on_the_list_is_told_as_one(self) -> None:
        account, heard = opened(reputation=ReputationPolicy())
        account.suppress("ann@example.com", "COMPLAINT", 0.0)
        account.send_email(ANN, 1.0)
        assert heard.kinds == ["Send", "Complaint"]
        assert heard.details("Complaint") == [{"complaintSubType": "OnAccountSuppressionList"}]
        assert account.complained == 0

    @pytest.mark.rule("SES-SUP-2")
    @pytest.mark.parametrize(
        ("reasons", "kept", "listed"),
        [(None, 1, True), ([], 0, False), (["COMPLAINT"], 0, False), (["BOUNCE"], 1, True)],
    )
    def test_a_configuration_set_comes_before_the_account(
        self, reasons: list[str] | None, kept: int, listed: bool
    ) -> None:
        sets = {"s": ConfigurationSet(suppressed_reasons=reasons)}
        account, _ = opened(Receiver(domains=["gone.org"], unknown_users=1), configuration_sets=sets)
        account.suppress("ann@example.com", "BOUNCE", 0.0)
        terms = account.terms("s")
        account.send_email(ANN, 1.0, terms=terms)
        assert account.suppressed == kept
        account.send_email(Email("x@gone.org"), 2.0, terms=terms)
        assert (len(account.suppressed_destinations(2.0)) == 2) == listed

    @pytest.mark.rule("SES-SUP-4")
    def test_hard_bounces_of_a_tenant_go_to_the_global_list_and_complaints_do_not(self) -> None:
        account, heard = opened(
            Receiver(domains=["gone.org"], unknown_users=1),
            tenants={"own": SendingTenant(suppression_scope="TENANT", policy="NONE")},
            configuration_sets={"off": ConfigurationSet(suppressed_reasons=[])},
            complaint_rate=1,
        )
        for now, terms in enumerate([account.terms(tenant="own"), account.terms("off")]):
            account.send_email(Email(["x@gone.org", "ann@example.com"]), float(now), terms=terms)
        assert (account.suppressed, account.hard_bounced, account.delivered) == (1, 1, 2)
        assert heard.details("Bounce")[-1]["bounceSubType"] == "Suppressed"

    @pytest.mark.rule("SES-SUP-4")
    def test_a_tenant_may_have_a_list_of_its_own(self) -> None:
        tenants = {
            "own": SendingTenant(suppression_scope="TENANT", policy="NONE"),
            "shared": SendingTenant(policy="NONE"),
        }
        gone = Receiver(domains=["gone.org"], unknown_users=1)
        account, heard = opened(gone, tenants=tenants, complaint_rate=1)
        own, shared = account.terms(tenant="own"), account.terms(tenant="shared")
        account.send_email(Email("x@gone.org"), 0.0, terms=own)
        account.send_email(ANN, 0.0, terms=own)
        assert account.suppressed_destinations(0.0) == []
        assert [entry[:2] for entry in account.suppressed_destinations(0.0, tenant="own")] == [
            ("x@gone.org", "BOUNCE"),
            ("ann@example.com", "COMPLAINT"),
        ]
        account.send_email(Email(["x@gone.org", "X@gone.org"]), 1.0, terms=own)
        assert (account.suppressed, account.hard_bounced) == (1, 2)
        assert heard.details("Bounce")[1]["bounceSubType"] == "OnTenantSuppressionList"
        account.send_email(Email("x@gone.org"), 2.0, terms=shared)
        assert account.hard_bounced == 3
        assert account.suppressed_destination("x@gone.org", 2.0).reason == "BOUNCE"
        account.forgive("ann@example.com", 3.0, tenant="own")
        account.forgive("x@gone.org", 3.0, tenant="own")
        assert [entry[0] for entry in account.suppressed_destinations(3.0, tenant="own")] == [
            "x@gone.org",
            "X@gone.org",
        ]


class TestMailboxSimulator:
    @pytest.mark.rule("SES-SIM-1")
    @pytest.mark.parametrize(
        ("scene", "kinds", "counts"),
        [
            ("success", ["Delivery"], {"delivered": 1}),
            ("bounce", ["Bounce"], {"hard_bounced": 1}),
            ("ooto", ["Delivery", "Bounce"], {"delivered": 1, "auto_replied": 1}),
            ("complaint", ["Delivery", "Complaint"], {"delivered": 1, "complained": 1}),
            ("suppressionlist", ["Bounce"], {"suppressed": 1}),
        ],
    )
    def test_scenes(self, scene: str, kinds: list[str], counts: dict[str, int]) -> None:
        account, heard = opened(Receiver(unknown_users=1, outages=[(0, DAY)]), reputation=ReputationPolicy())
        account.send_email(Email(f"{scene}+label@simulator.amazonses.com"), 0.0)
        assert heard.kinds == ["Send", *kinds]
        assert {name: getattr(account, name) for name in counts} == counts
        done(account)
        assert account.reputation is not None
        assert account.reputation.volume == 0
        assert account.suppressed_destinations(10 * DAY) == []
        assert account.sent_last_24_hours(10 * DAY) == 0

    @pytest.mark.rule("SES-SIM-1")
    def test_details(self) -> None:
        account, heard = opened()
        for scene in ("bounce", "suppressionlist", "ooto"):
            account.send_email(Email(f"{scene}@simulator.amazonses.com"), 0.0)
        bounces = [(each["bounceType"], each["bounceSubType"]) for each in heard.details("Bounce")]
        assert bounces == [("Permanent", "General"), ("Permanent", "Suppressed"), ("Transient", "General")]
        assert heard.details("Bounce")[0]["diagnosticCode"] == "smtp; 550 5.1.1 user unknown"

    @pytest.mark.rule("SES-SIM-1")
    @pytest.mark.rule("SES-QUO-7")
    def test_they_use_the_rate_and_not_the_daily_quota(self) -> None:
        account = SendingAccount(Outbox(max_24_hour_send=2, max_send_rate=2))
        simulator = Email(["success@simulator.amazonses.com", "bounce@simulator.amazonses.com"])
        account.send_email(simulator, 0.0)
        assert account.sent_last_24_hours(0.0) == 0
        assert not account.try_send(1, 0.0, 0.0, 0, ANN)
        account.send_email(Email(["a@x.org", "b@x.org"]), 1.0)
        account.send_email(simulator, 2.0)
        assert account.sent_last_24_hours(2.0) == 2
        assert not account.try_send(1, 3.0, 3.0, 0, ANN)
        assert account.refusal[1] == "Daily message quota exceeded"
        done(account)

    @pytest.mark.rule("SES-QUO-1")
    @pytest.mark.rule("SES-SIM-1")
    def test_they_work_in_the_sandbox(self) -> None:
        account = SendingAccount(Outbox(sandbox=True))
        account.send_email(Email("bounce@simulator.amazonses.com"), 0.0)
        assert (account.hard_bounced, account.sent_last_24_hours(0.0)) == (1, 0)


def _rates() -> st.SearchStrategy[float]:
    return st.sampled_from([0.0, 0.3, 1.0])


@st.composite
def _receivers(draw: st.DrawFn) -> Receiver:
    full = draw(_rates())
    unknown = draw(_rates())
    return Receiver(
        domains=draw(st.sampled_from([(), ("x.org",)])),
        unknown_users=unknown,
        bounces_late=bool(unknown) and draw(st.booleans()),
        full_mailboxes=full,
        full_time=draw(st.sampled_from([None, 600, Exponential(9_000)])) if full else None,
        greylisting=draw(st.sampled_from([None, 300])),
        max_rate=draw(st.sampled_from([None, 0.01, 1])),
        outages=draw(st.sampled_from([(), [(100, 5_000)], [(0, 90_000)]])),
        complaint_rate=draw(_rates()),
        complainers=draw(_rates()),
        auto_reply_rate=draw(_rates()),
        open_rate=draw(_rates()),
        click_rate=draw(_rates()),
        reading_delay=draw(st.sampled_from([None, 60])),
    )


class TestLaws:
    @given(data=st.data())
    def test_every_recipient_is_accounted_for_whenever_one_looks(self, data: st.DataObject) -> None:
        outbox = Outbox(
            receivers=[data.draw(_receivers(), label="receiver")],
            bounce_rate=data.draw(_rates(), label="bounces"),
            soft_bounce_rate=data.draw(_rates(), label="soft bounces"),
            complaint_rate=data.draw(_rates(), label="complaints"),
            complaint_delay=data.draw(st.sampled_from([None, Fixed(60)]), label="complaint delay"),
            delivery_delay=data.draw(st.sampled_from([None, Exponential(30)]), label="delay"),
            suppressed_reasons=data.draw(st.sampled_from([None, (), ("BOUNCE",)]), label="reasons"),
        )
        seed = data.draw(st.integers(0, 99), label="seed")
        often, once = (SendingAccount(outbox, rng=random.Random(seed)) for _ in range(2))
        heard = [Heard(), Heard()]
        often.on_event, once.on_event = heard
        times = sorted(data.draw(st.lists(st.floats(0, 200_000), min_size=1, max_size=12), label="times"))
        hosts = ("x.org", "y.org", "simulator.amazonses.com")
        for position, now in enumerate(times):
            host = data.draw(st.sampled_from(hosts), label="domain")
            address = f"bounce{position % 3}@{host}"
            while (deadline := often.next_deadline()) is not None and deadline <= now:
                often.advance(deadline)
                often.check()
            for account in (often, once):
                assert account.try_send(1, now, now, 0, Page(), address)
                account.check()
        for account in (often, once):
            done(account, 10**7)
            assert account.recipients_accepted == len(times)
            assert account.delivered + account.bounced + account.suppressed == len(times)
        assert [(event.kind, event.at, event.recipients) for event in heard[0]] == [
            (event.kind, event.at, event.recipients) for event in heard[1]
        ]
        assert often.end_to_end == once.end_to_end
        assert sum(event.kind == "Delivery" for event in heard[0]) == once.delivered

    @pytest.mark.rule("SES-BNC-2")
    @given(data=st.data())
    def test_attempts_that_are_left_out_make_no_difference(self, data: st.DataObject) -> None:
        def some(**choices: list[Any]) -> dict[str, Any]:
            return {name: data.draw(st.sampled_from([None, *each]), label=name) for name, each in choices.items()}

        settings = some(
            greylisting=[90.0, 7_200.0],
            max_rate=[0.001, 0.1],
            outages=[[(0, 500)], [(100, 4_000), (5_000, 90_000)]],
            full_mailboxes=[0.5, 1.0],
            unknown_users=[0.3],
            demands=[["dkim"]],
            bulk=[0],
        )
        receiver = Receiver(**{name: each for name, each in settings.items() if each is not None})
        if receiver.full_mailboxes:
            receiver = attrs.evolve(receiver, full_time=data.draw(st.sampled_from([None, Exponential(8_000)])))
        outbox = Outbox(
            receivers=[receiver],
            soft_bounce_rate=data.draw(_rates(), label="soft bounces"),
            bounce_rate=data.draw(_rates(), label="bounces"),
            authentication=data.draw(st.sampled_from([(), ("dkim",)])),
        )
        gaps = st.sampled_from([1.0, 61.7, 601.3, 4_003.1, 50_411.9])
        times = list(accumulate(data.draw(st.lists(gaps, min_size=1, max_size=8), label="gaps")))
        seed = data.draw(st.integers(0, 99), label="seed")

        def heard(copied_at: int = -1) -> list[tuple[Any, ...]]:
            account, events = SendingAccount(outbox, rng=random.Random(seed)), Heard()
            account.on_event = events
            for position, now in enumerate(times):
                if position == copied_at:
                    account = pickle.loads(pickle.dumps(account))  # noqa: S301 - our own bytes
                    account.on_event = events
                account.send_email(Email(f"a{position % 3}@x.org"), now)
                account.check()
            done(account)
            return [(event.kind, event.at, event.recipients, event.details) for event in events]

        leaping = heard()
        assert heard(copied_at=len(times) // 2) == leaping
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(deliveries, "retry_at", lambda at, attempt, _, limit: retry_at(at, attempt, 0.0, limit))
            assert heard() == leaping
