"""Sending accounts: what they accept, what they refuse, and what becomes of each recipient."""

import copy
import pickle
import random
import re
from fractions import Fraction
from math import inf, nan, nextafter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgsim import Queue, Scenario, SendEmail, Simulation, Steps, Traffic, Workers
from msgsim.bus.message import EPOCH, format_id, id_base
from msgsim.bus.outbox import RATE_TOLERANCE, Email, Outbox, SendingAccount
from msgsim.bus.quota_growth import QuotaGrowth
from msgsim.bus.reputation import ReputationPolicy
from msgsim.distributions import Exponential, Fixed, Uniform
from msgsim.errors import (
    AuditError,
    BusError,
    DeclarationError,
    InvalidParameterValue,
    MessageRejected,
    SendingPaused,
    Throttled,
    TimeRanAhead,
    TimeRanBackwards,
)

if TYPE_CHECKING:
    from collections.abc import Callable

DAY = 86_400
ANN = Email("ann@example.com", "Hi", "Text")


def to(count: int) -> Email:
    return Email([f"a{n}@example.com" for n in range(count)])


def sends(account: SendingAccount, count: int, now: float) -> bool:
    accepted = account.try_send(count, now, now, 0, ANN)
    account.check()
    return accepted


class Scripted:
    """Random numbers in a given order; asking for more is an error."""

    def __init__(self, *numbers: float) -> None:
        self.left = list(numbers)

    def random(self) -> float:
        return self.left.pop(0)


class TestOutbox:
    def test_defaults_are_quiet(self) -> None:
        outbox = Outbox()
        assert (outbox.send_rate, outbox.burst_size, outbox.daily_quota) == (None, inf, inf)
        assert outbox.delivery_delay is outbox.complaint_delay is None
        assert (outbox.bounce_rate, outbox.soft_bounce_rate, outbox.complaint_rate) == (0, 0, 0)
        assert (outbox.records, outbox.record_limit, outbox.max_delivery_time) == (True, 1_000, 50_400)

    @pytest.mark.rule("SES-QUO-1")
    def test_sandbox_quotas(self) -> None:
        sandbox = Outbox(sandbox=True)
        assert (sandbox.send_rate, sandbox.burst_size, sandbox.daily_quota) == (1, 1, 200)
        generous = Outbox(sandbox=True, max_send_rate=3, burst=7, max_24_hour_send=400)
        assert (generous.send_rate, generous.burst_size, generous.daily_quota) == (3, 7, 400)

    @pytest.mark.rule("SES-QUO-4")
    @pytest.mark.parametrize(("rate", "burst", "size"), [(500, None, 500), (0.2, None, 1), (500, 1, 1), (14, 70, 70)])
    def test_a_burst_is_one_seconds_worth_unless_given(self, rate: float, burst: float | None, size: float) -> None:
        assert Outbox(max_send_rate=rate, burst=burst).burst_size == size

    def test_numbers_stand_for_fixed_delays(self) -> None:
        outbox = Outbox(delivery_delay=2, complaint_delay=Exponential(60))
        assert outbox.delivery_delay == Fixed(2)
        assert outbox.complaint_delay == Exponential(60)

    def test_it_is_a_value(self) -> None:
        outbox = Outbox(max_send_rate=500, delivery_delay=Fixed(2), verified=["example.com"])
        assert pickle.loads(pickle.dumps(outbox)) == outbox  # noqa: S301 - our own bytes
        with pytest.raises(AttributeError):
            outbox.burst = 5  # type: ignore[misc]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"max_send_rate": 0}, "Outbox.max_send_rate: 0.0 is not allowed; allowed: more than 0 .*SES-QUO-4"),
            ({"max_send_rate": nan}, "Outbox.max_send_rate: nan is not allowed"),
            ({"burst": 0.5, "max_send_rate": 1}, "Outbox.burst: 0.5 is not allowed; allowed: 1 or more"),
            ({"burst": 5}, r"Outbox.burst: 5.0 needs a max_send_rate"),
            ({"max_24_hour_send": 0}, "Outbox.max_24_hour_send: 0 is not allowed; allowed: 1 or more .*SES-QUO-3"),
            ({"max_24_hour_send": 1.5}, "Outbox.max_24_hour_send: 1.5 is not a whole number"),
            ({"sandbox": 1}, "Outbox.sandbox: 1 is neither true nor false"),
            ({"delivery_delay": -1}, "-1.0 is not allowed"),
            ({"delivery_delay": "2"}, "Outbox.delivery_delay: '2' is neither a number of seconds nor a distribution"),
            ({"complaint_delay": True}, "Outbox.complaint_delay: True is neither"),
            ({"bounce_rate": 1.1}, r"Outbox.bounce_rate: 1.1 is not allowed; allowed: 0 to 1 .*SES-BNC-1"),
            ({"soft_bounce_rate": -0.1}, "Outbox.soft_bounce_rate: -0.1 is not allowed"),
            ({"complaint_rate": "no"}, "Outbox.complaint_rate: 'no' is not a number"),
            ({"max_delivery_time": 299}, "Outbox.max_delivery_time: 299.0 is not allowed; allowed: 300 to 50400"),
            ({"max_delivery_time": 50_401}, "SES-CFG-1"),
            ({"records": None}, "Outbox.records: None is neither true nor false"),
            ({"record_limit": 0}, "Outbox.record_limit: 0 is not allowed"),
            ({"sender": "me"}, r"Outbox.sender: 'me' is not an email address: Missing final '@domain'"),
            ({"sender": "a@x.org\nBcc: b@x.org"}, "Outbox.sender: .*line break"),
            ({"verified": "example.com"}, "Outbox.verified: 'example.com' is not a list"),
            ({"verified": [1]}, "Outbox.verified.0: 1 is not an address or a domain"),
            ({"verified": ["x.org", "a@b@c"]}, "Outbox.verified.1: 'a@b@c' is not an email address"),
        ],
    )
    def test_what_cannot_be_is_refused_by_path(self, arguments: dict[str, object], message: str) -> None:
        with pytest.raises(DeclarationError, match=message):
            Outbox(**arguments)  # type: ignore[arg-type]


class TestAcceptance:
    @pytest.mark.rule("SES-SND-1")
    def test_an_id_is_returned_at_once(self) -> None:
        account = SendingAccount(Outbox(delivery_delay=Fixed(5)), name="ses")
        assert account.send_email(ANN, 0.0) == format_id(id_base("ses") + 1)
        assert account.send_email(ANN, 0.0) == format_id(id_base("ses") + 2)
        assert SendingAccount(Outbox(), name="other").send_email(ANN, 0.0) == format_id(id_base("other") + 1)

    def test_a_quiet_outbox_delivers_at_once(self) -> None:
        account = SendingAccount(Outbox())
        account.send_email(to(3), 10.0, origin_id=5, origin_at=7.5)
        assert (account.accepted, account.recipients_accepted, account.delivered, account.pending) == (1, 3, 3, 0)
        assert list(account.end_to_end) == [2.5, 2.5, 2.5]
        assert account.next_deadline() is None
        account.check()

    def test_an_email_is_its_own_origin_unless_told(self) -> None:
        account = SendingAccount(Outbox())
        account.send_email(ANN, 4.0)
        account.send_email(ANN, 4.0, origin_id=99, origin_at=1.0)
        first, second = account.sent
        assert (first.origin_id, first.origin_at) == (first.number, 4.0)
        assert (second.origin_id, second.origin_at) == (99, 1.0)
        assert list(account.end_to_end) == [0.0, 3.0]

    @pytest.mark.rule("SES-QUO-8")
    def test_51_recipients_are_rejected(self) -> None:
        account = SendingAccount(Outbox())
        with pytest.raises(MessageRejected, match="Recipient count is 51"):
            account.send_email(to(51), 0.0)
        assert (account.accepted, account.rejected, account.throttled) == (0, 51, 0)
        assert account.send_email(to(50), 0.0)

    @pytest.mark.rule("SES-SND-3")
    def test_one_bad_address_rejects_the_email_for_everyone(self) -> None:
        account = SendingAccount(Outbox(max_send_rate=2, max_24_hour_send=2))
        with pytest.raises(MessageRejected, match="'nobody' is not an email address"):
            account.send_email(Email(["a@x.org", "nobody"]), 0.0)
        assert (account.accepted, account.delivered, account.rejected) == (0, 0, 2)
        assert account.sent_last_24_hours(0.0) == 0
        assert account.send_email(to(2), 0.0)

    def test_a_header_cannot_be_smuggled_in(self) -> None:
        account = SendingAccount(Outbox())
        with pytest.raises(MessageRejected, match="line break"):
            account.send_email(Email("a@x.org", "Hi\nBcc: eve@example.com"), 0.0)
        assert account.rejected == 1

    @pytest.mark.rule("SES-REP-3")
    def test_a_paused_account_refuses_everything(self) -> None:
        account = SendingAccount(Outbox())
        account.paused = True
        with pytest.raises(SendingPaused, match="paused"):
            account.send_email(to(2), 0.0)
        assert not sends(account, 3, 0.0)
        assert account.refusal[0] is SendingPaused
        assert (account.accepted, account.rejected, account.throttled) == (0, 5, 0)
        account.paused = False
        assert account.send_email(ANN, 0.0)

    def test_a_new_account_has_refused_nothing(self) -> None:
        assert SendingAccount(Outbox()).refusal == (BusError, "nothing has been refused")

    @pytest.mark.parametrize("now", [nan, inf, "x", None])
    def test_time_is_a_finite_number(self, now: float) -> None:
        account = SendingAccount(Outbox(), name="ses")
        for call in (lambda: account.send_email(ANN, now), lambda: account.advance(now)):
            with pytest.raises(InvalidParameterValue, match=f"ses: now={now!r} is not a time; allowed: finite numbers"):
                call()
        assert account.accepted == 0

    def test_it_is_made_of_an_outbox_and_sends_emails(self) -> None:
        with pytest.raises(DeclarationError, match=r"^SendingAccount\.outbox: None is not an Outbox$"):
            SendingAccount(None)  # type: ignore[arg-type]
        with pytest.raises(DeclarationError, match=r"^SendingAccount\.name: 3 is not a name; allowed: a text$"):
            SendingAccount(Outbox(), 3)  # type: ignore[arg-type]
        with pytest.raises(DeclarationError, match=r"^SendingAccount\.epoch: .* \(up to the year 9999\)$"):
            SendingAccount(Outbox(), epoch=1e15)
        with pytest.raises(InvalidParameterValue, match="ses: templated=5 is not a TemplatedEmail"):
            SendingAccount(Outbox()).send_email(ANN, 0.0, templated=5)  # type: ignore[arg-type]
        with pytest.raises(InvalidParameterValue, match="ses: email='x' is not an Email"):
            SendingAccount(Outbox()).send_email("x", 1)  # type: ignore[arg-type]

    def test_time_does_not_run_backwards(self) -> None:
        late = 0.5
        account = SendingAccount(Outbox(), name="ses")
        account.send_email(ANN, 1.0)
        calls: list[Callable[[], object]] = [
            lambda: account.send_email(ANN, late),
            lambda: account.try_send(1, late, 0.0, 0, ANN),
            lambda: account.advance(late),
            lambda: account.sent_last_24_hours(late),
        ]
        for call in calls:
            with pytest.raises(TimeRanBackwards, match="ses: time can't go backwards"):
                call()
        assert account.accepted == 1


class TestSandbox:
    @pytest.mark.rule("SES-QUO-1")
    @pytest.mark.rule("SES-SND-2")
    def test_unverified_recipients_are_named(self) -> None:
        account = SendingAccount(Outbox(sandbox=True, verified=("ann@example.com",), burst=10))
        email = Email("ann@example.com", cc=["bob@example.com"], bcc="Eve <eve@x.org>")
        with pytest.raises(MessageRejected) as caught:
            account.send_email(email, 0.0)
        assert str(caught.value) == (
            "Email address is not verified. The following identities failed the check in region US-EAST-1: "
            "bob@example.com, Eve <eve@x.org>"
        )
        assert (account.rejected, account.accepted, account.sent_last_24_hours(0.0)) == (3, 0, 0)
        assert account.send_email(ANN, 0.0)

    @pytest.mark.rule("SES-SND-2")
    @pytest.mark.rule("SES-QUO-1")
    @pytest.mark.parametrize("sandbox", [True, False])
    def test_unverified_senders_are_named(self, sandbox: bool) -> None:
        account = SendingAccount(Outbox(sandbox=sandbox, verified=("example.com",), burst=10, max_send_rate=10))
        with pytest.raises(MessageRejected, match=r"not verified\. .* US-EAST-1: eve@x\.org$"):
            account.send_email(Email("ann@example.com", sender="eve@x.org"), 0.0)
        assert (account.accepted, account.rejected) == (0, 1)
        for sender in (None, "no-reply@example.com", "Bob <bob@mail.example.com>"):
            assert account.send_email(Email("ann@example.com", sender=sender), 0.0)

    @pytest.mark.rule("SES-SND-2")
    def test_the_sandbox_names_sender_and_recipients_together(self) -> None:
        account = SendingAccount(Outbox(sandbox=True, burst=10))
        with pytest.raises(MessageRejected, match=r" US-EAST-1: eve@x\.org, ann@example\.com$"):
            account.send_email(Email("ann@example.com", sender="eve@x.org"), 0.0)

    def test_where_nothing_is_verified_anybody_sends_from_production(self) -> None:
        assert SendingAccount(Outbox()).send_email(Email("ann@example.com", sender="eve@x.org"), 0.0)

    @pytest.mark.rule("SES-IDN-1")
    @pytest.mark.parametrize(
        ("address", "verified"),
        [
            ("ann@example.com", True),
            ("Ann <ann@EXAMPLE.com>", True),
            ("Ann@example.com", False),
            ("bob@example.com", False),
            ("anyone@shop.org", True),
            ("anyone@mail.eu.SHOP.org", True),
            ("anyone@myshop.org", False),
            ("anyone@org", False),
            ("bounce+label@simulator.amazonses.com", True),
            ("bounce@x.simulator.amazonses.com", False),
        ],
    )
    def test_identities(self, address: str, verified: bool) -> None:
        outbox = Outbox(sandbox=True, verified=("ann@Example.com", "Shop.org"))
        if verified:
            outbox.check_sandbox(Email(address))
        else:
            with pytest.raises(MessageRejected, match=rf": {re.escape(address)}$"):
                outbox.check_sandbox(Email(address))

    @pytest.mark.rule("SES-SND-2")
    @pytest.mark.parametrize("sandbox", [False, True])
    def test_the_usual_sender_counts_as_verified_however_it_is_written(self, sandbox: bool) -> None:
        account = SendingAccount(Outbox(sender="Me <me@example.com>", verified=["shop.org"], sandbox=sandbox))
        assert account.send_email(Email("ann@shop.org", sender="My Shop <me@EXAMPLE.com>"), 0.0)
        with pytest.raises(MessageRejected, match=r": Me <Me@example\.com>$"):
            account.send_email(Email("ann@shop.org", sender="Me <Me@example.com>"), 2.0)

    def test_the_trusted_path_looks_at_addresses_there_too(self) -> None:
        class Greeting:
            def render(self, message: str, now: float) -> Email:
                return Email(f"{message}@example.com", f"at {now:g}")

            def addresses(self, message: str, now: float) -> tuple[str, ...]:
                raise AssertionError(message, now)

        account = SendingAccount(Outbox(sandbox=True, verified=("ann@example.com",)))
        assert account.try_send(1, 0.0, 0.0, 0, Greeting(), "ann")
        assert not account.try_send(1, 5.0, 5.0, 0, Greeting(), "bob")
        assert account.refusal[0] is MessageRejected
        assert account.refusal[1].endswith("bob@example.com")
        assert not account.try_send(1, 5.0, 5.0, 0, Email("example.com"))
        assert "'example.com' is not an email address" in account.refusal[1]
        assert account.rejected == 2

    @pytest.mark.rule("SES-QUO-1")
    def test_200_a_day_and_1_a_second(self) -> None:
        account = SendingAccount(Outbox(sandbox=True, verified=("example.com",)))
        assert sends(account, 1, 0.0)
        assert not sends(account, 1, 0.5)
        assert account.refusal == (Throttled, "Maximum sending rate exceeded")
        assert all(sends(account, 1, float(second)) for second in range(1, 200))
        assert not sends(account, 1, 200.0)
        assert account.refusal == (Throttled, "Daily message quota exceeded")


class Bucket:
    """The rate rule as it is said, in exact arithmetic: every accepted email is replayed from the start."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst = Fraction(rate), Fraction(burst)
        self.accepted: list[tuple[Fraction, int]] = []

    def level(self, now: Fraction) -> Fraction:
        level, last = self.burst, now
        for position, (at, count) in enumerate(self.accepted):
            if position:
                level = min(self.burst, level + (at - last) * self.rate)
            level, last = level - count, at
        return min(self.burst, level + (now - last) * self.rate)

    def shortfall(self, count: int, now: float) -> Fraction:
        return min(Fraction(count), self.burst) - self.level(Fraction(now))

    def next_time(self, count: int, now: float) -> float:
        return float(Fraction(now) + max(Fraction(0), self.shortfall(count, now)) / self.rate)


class TestRate:
    @pytest.mark.rule("SES-QUO-5")
    def test_over_the_rate_nothing_is_queued(self) -> None:
        account = SendingAccount(Outbox(max_send_rate=2))
        account.send_email(to(2), 0.0)
        with pytest.raises(Throttled, match=r"^Maximum sending rate exceeded$"):
            account.send_email(to(2), 0.5)
        assert (account.accepted, account.delivered, account.throttled, account.rejected) == (1, 2, 2, 0)
        assert account.sent_last_24_hours(0.5) == 2
        assert len(account.sent) == 1
        account.check()

    @pytest.mark.rule("SES-QUO-2")
    def test_recipients_are_counted_not_emails(self) -> None:
        account = SendingAccount(Outbox(max_send_rate=10))
        assert sends(account, 7, 0.0)
        assert not sends(account, 4, 0.0)
        assert sends(account, 3, 0.0)
        assert not sends(account, 1, 0.0)

    @pytest.mark.rule("SES-QUO-4")
    def test_a_burst_is_tolerated_but_not_sustained(self) -> None:
        account = SendingAccount(Outbox(max_send_rate=10, burst=50))
        assert sum(sends(account, 1, 0.0) for _ in range(60)) == 50
        assert sum(sends(account, 1, n / 100) for n in range(1, 1_001)) == 100
        assert sum(sends(account, 1, 100.0) for _ in range(60)) == 50

    @pytest.mark.rule("SES-QUO-2")
    def test_more_recipients_than_the_burst_need_a_full_bucket_and_leave_a_debt(self) -> None:
        account = SendingAccount(Outbox(max_send_rate=10, burst=10))
        assert sends(account, 50, 0.0)
        assert not sends(account, 1, 4.05)
        assert sends(account, 1, 4.1)
        assert not sends(account, 50, 5.0)
        assert sends(account, 50, 5.1)

    def test_a_refused_email_costs_nothing(self) -> None:
        account = SendingAccount(Outbox(max_send_rate=1))
        assert sends(account, 1, 0.0)
        assert not any(sends(account, 1, n / 128) for n in range(128))
        assert sends(account, 1, 1.0)

    @pytest.mark.rule("SES-QUO-4")
    @pytest.mark.parametrize("rate", [0.3, 1 / 3, 10.0, 14.0, 97.0, 500.0, 5_000.0])
    @pytest.mark.parametrize("start", [0, DAY, 7 * DAY])
    def test_a_stream_at_exactly_the_rate_passes(self, rate: float, start: int) -> None:
        account = SendingAccount(Outbox(max_send_rate=rate, burst=1, records=False))
        first = int(start * rate)
        for n in range(first, first + 2_000):
            assert account.try_send(1, n / rate, 0.0, 0, ANN)

    def test_what_was_tolerated_does_not_add_up(self) -> None:
        account = SendingAccount(Outbox(max_send_rate=1, burst=1, records=False))
        early = 1 - RATE_TOLERANCE / 2
        accepted = sum(account.try_send(1, n * early, 0.0, 0, ANN) for n in range(50))
        assert accepted < 50
        assert accepted <= 1 + 49 * early + RATE_TOLERANCE

    @pytest.mark.rule("SES-QUO-4")
    @given(data=st.data())
    def test_against_brute_force(self, data: st.DataObject) -> None:
        # Rates and gaps are multiples of 1/8 and 1/64: so all is exact, and only the tolerance differs from the model.
        rate = data.draw(st.integers(1, 400), label="8 * rate") / 8
        burst = data.draw(st.none() | st.integers(2, 200).map(lambda n: n / 2), label="burst")
        outbox = Outbox(max_send_rate=rate, burst=burst)
        account, model, now = SendingAccount(outbox), Bucket(rate, outbox.burst_size), 0.0
        for _ in range(data.draw(st.integers(1, 12), label="calls")):
            count = data.draw(st.integers(1, 50), label="recipients")
            step = data.draw(st.sampled_from(["same", "gap", "due", "just before", "just after"]), label="step")
            due = model.next_time(count, now)
            if step == "gap":
                now += data.draw(st.integers(0, 640), label="64 * gap") / 64
            elif step == "due":
                now = due
            elif step == "just after":
                now = nextafter(due, inf)
            elif step == "just before":
                now = max(now, due - 2 * RATE_TOLERANCE / rate)
            shortfall = model.shortfall(count, now)
            accepted = sends(account, count, now)
            if not 0 < shortfall < 1.001 * RATE_TOLERANCE:  # what is tolerated may go either way at its very edge
                assert accepted == (shortfall <= 0)
            if accepted:
                model.accepted.append((Fraction(now), count))
        assert account.recipients_accepted == sum(count for _, count in model.accepted)


class TestDailyQuota:
    @pytest.mark.rule("SES-QUO-2")
    @pytest.mark.rule("SES-QUO-3")
    def test_v_19(self) -> None:
        account = SendingAccount(Outbox(max_24_hour_send=1_000))
        for _ in range(20):
            account.send_email(to(50), 0.0)
        with pytest.raises(Throttled, match=r"^Daily message quota exceeded$"):
            account.send_email(ANN, 86_399.0)
        assert account.send_email(ANN, 86_401.0)
        assert (account.accepted, account.throttled) == (21, 1)

    @pytest.mark.rule("SES-QUO-3")
    def test_a_second_is_forgotten_24_hours_after_it_began(self) -> None:
        account = SendingAccount(Outbox(max_24_hour_send=10))
        assert sends(account, 6, 10.9)
        assert sends(account, 4, 11.0)
        assert not sends(account, 1, nextafter(DAY + 10.0, 0))
        assert account.sent_last_24_hours(DAY + 10.0) == 4
        assert sends(account, 6, DAY + 10.0)
        assert not sends(account, 1, nextafter(DAY + 11.0, 0))
        assert sends(account, 4, DAY + 11.0)

    def test_the_daily_quota_is_named_before_the_rate(self) -> None:
        account = SendingAccount(Outbox(max_send_rate=2, max_24_hour_send=2))
        assert sends(account, 2, 0.0)
        assert not sends(account, 2, 0.0)
        assert account.refusal == (Throttled, "Daily message quota exceeded")

    @pytest.mark.rule("SES-QUO-5")
    def test_what_the_rate_refuses_uses_no_daily_quota(self) -> None:
        account = SendingAccount(Outbox(max_send_rate=1, max_24_hour_send=3))
        assert [sends(account, 1, n / 4) for n in range(9)].count(True) == 3
        assert account.sent_last_24_hours(2.0) == 3

    def test_asking_does_not_disturb_the_count(self) -> None:
        account = SendingAccount(Outbox(max_24_hour_send=10))
        assert account.sent_last_24_hours(0.0) == 0
        for n in range(8):
            assert sends(account, 1, n / 8)
            assert account.sent_last_24_hours(n / 8) == n + 1
        assert account.sent_last_24_hours(DAY - 0.5) == 8
        assert account.sent_last_24_hours(float(DAY)) == 0
        account.check()

    def test_it_holds_a_day_of_seconds_at_most(self) -> None:
        account = SendingAccount(Outbox(records=False))
        for second in range(DAY + 1_000):
            account.try_send(1, float(second), 0.0, 0, ANN)
        assert len(account._past) == DAY - 1
        assert account.sent_last_24_hours(DAY + 999.0) == DAY

    @pytest.mark.rule("SES-QUO-3")
    @given(data=st.data())
    def test_against_brute_force(self, data: st.DataObject) -> None:
        quota = data.draw(st.integers(1, 120), label="quota")
        account = SendingAccount(Outbox(max_24_hour_send=quota))
        accepted: list[tuple[float, int]] = []
        now = 0.0
        for _ in range(data.draw(st.integers(1, 20), label="calls")):
            due = [at // 1 + DAY for at, _ in accepted if at // 1 + DAY > now]
            steps = [now, now + data.draw(st.floats(0, 50_000), label="gap")]
            if due:
                end = data.draw(st.sampled_from(due), label="a second's end")
                steps += [end, max(now, nextafter(end, 0)), nextafter(end, inf)]
            now = data.draw(st.sampled_from(steps), label="now")
            count = data.draw(st.integers(1, 50), label="recipients")
            used = sum(number for at, number in accepted if now < at // 1 + DAY)
            assert account.sent_last_24_hours(now) == used
            fits = used + count <= quota
            assert sends(account, count, now) == fits
            if fits:
                accepted.append((now, count))


class TestQuotaGrowth:
    """Quotas rise by themselves for a healthy sender who uses them."""

    @pytest.mark.rule("SES-QUO-6")
    def test_a_sender_who_uses_the_quota_gets_more_every_day(self) -> None:
        outbox = Outbox(max_24_hour_send=100, max_send_rate=2, quota_growth=QuotaGrowth(max_24_hour_send=350))
        account = SendingAccount(outbox)
        sent = []
        for day in range(6):
            before = account.recipients_accepted
            for second in range(400):
                account.try_send(1, day * DAY + 10.0 + second, 0.0, 0, ANN)
            sent.append(account.recipients_accepted - before)
        assert sent == [100, 200, 350, 350, 350, 350]
        assert account.quota_changes == [(DAY, 200, 4.0), (2.0 * DAY, 350, 8.0), (3.0 * DAY, 350, 16.0)] + [
            (day * DAY, 350, 2.0 ** (day + 1)) for day in range(4, 6)
        ]
        assert (account.daily_quota, account.send_rate) == (350, account.quota_changes[-1][2])
        account.check()

    @pytest.mark.rule("SES-QUO-6")
    @pytest.mark.parametrize(("sent", "quota"), [(49, 100), (50, 200)])
    def test_who_does_not_use_it_gets_no_more(self, sent: int, quota: int) -> None:
        account = SendingAccount(Outbox(max_24_hour_send=100, quota_growth=QuotaGrowth()))
        for _ in range(sent):
            account.send_email(ANN, 10.0)
        account.advance(nextafter(DAY, 0))
        assert account.daily_quota == 100
        account.advance(DAY)
        assert (account.daily_quota, account.send_rate) == (quota, None)

    @pytest.mark.rule("SES-QUO-6")
    def test_who_is_not_healthy_or_is_paused_gets_no_more(self) -> None:
        def used(**settings: Any) -> SendingAccount:
            outbox = Outbox(max_24_hour_send=2, quota_growth=QuotaGrowth(), **settings)
            account = SendingAccount(outbox, rng=random.Random(1))
            account.send_email(ANN, 10.0)
            return account

        policy = ReputationPolicy(minimum_volume=1, representative_volume=10)
        for bounce_rate, quota in ((0, 4), (1, 2)):
            account = used(bounce_rate=bounce_rate, reputation=policy)
            account.advance(DAY)
            assert account.daily_quota == quota
        paused = used()
        paused.pause(20.0)
        paused.advance(DAY)
        assert paused.daily_quota == 2

    @pytest.mark.rule("SES-QUO-6")
    def test_a_bucket_grows_with_its_rate_unless_the_burst_is_given(self) -> None:
        for burst, at_once in ((None, 6), (2, 2)):
            growth = QuotaGrowth(factor=3, use=0.01, max_send_rate=6)
            account = SendingAccount(Outbox(max_24_hour_send=100, max_send_rate=2, burst=burst, quota_growth=growth))
            assert sends(account, 2, 10.0)
            account.advance(DAY + 5.0)
            assert account.send_rate == 6
            assert [sends(account, 1, DAY + 5.0) for _ in range(7)].count(True) == at_once

    @pytest.mark.rule("SES-QUO-6")
    def test_looks_end_where_nothing_can_grow_any_more(self) -> None:
        account = SendingAccount(Outbox(max_24_hour_send=100, quota_growth=QuotaGrowth(max_24_hour_send=100)))
        assert account.next_deadline() == DAY
        assert all(sends(account, 50, DAY / 2) for _ in range(2))
        account.advance(DAY)
        assert (account.next_deadline(), account.quota_changes) == (None, [])

    @pytest.mark.parametrize("start", [-5.0, 0.0, 1.7e9, 1e17, 1e300, 1.7976931348623157e308])
    @pytest.mark.parametrize("every", [1, 1.1, DAY])
    def test_looks_are_passed_over_while_nothing_is_sent(self, start: float, every: float) -> None:
        account = SendingAccount(Outbox(max_24_hour_send=100, quota_growth=QuotaGrowth(every=every)))
        account.send_email(ANN, start)
        account.advance(max(start, nextafter(start, 1e308)))
        deadline = account.next_deadline()
        assert deadline is not None
        assert deadline > start

    def test_a_copy_grows_alone(self) -> None:
        for outbox in (
            Outbox(max_24_hour_send=2, quota_growth=QuotaGrowth()),
            Outbox(max_24_hour_send=2, quota_growth=QuotaGrowth(), suppressed_reasons=()),
        ):
            account = SendingAccount(outbox)
            account.send_email(ANN, 10.0)
            other = copy.deepcopy(account)
            other.advance(DAY)
            assert (account.daily_quota, other.daily_quota) == (2, 4)
            account.check()
            other.check()

    def test_it_happens_in_a_simulation_at_its_time(self) -> None:
        outbox = Outbox(max_24_hour_send=100, quota_growth=QuotaGrowth())
        scenario = Scenario(
            queues={"q": Queue()},
            outboxes={"ses": outbox},
            traffic={"t": Traffic(to="q", rate=Steps([(1, 1.0), (61, 0.0)]), process="regular")},
            workers={"w": Workers(queue="q", count=1, service_time=0.1, on_success=[SendEmail("ses")])},
        )
        simulation = Simulation(scenario, seed=1)
        simulation.run(until=2 * DAY)
        assert simulation.outboxes["ses"].quota_changes == [(DAY, 200, None)]


class TestLooking:
    """An account that looks at addresses keeps the same quotas by another way."""

    @pytest.mark.rule("SES-QUO-5")
    @given(data=st.data())
    def test_it_accepts_and_refuses_the_same(self, data: st.DataObject) -> None:
        quotas: dict[str, Any] = {
            "max_send_rate": data.draw(st.sampled_from([None, 0.5, 2.0])),
            "max_24_hour_send": data.draw(st.sampled_from([None, 5, 20])),
        }
        if quotas["max_send_rate"] is not None:
            quotas["burst"] = data.draw(st.sampled_from([None, 1, 3.5]))
        counting = SendingAccount(Outbox(**quotas))
        looking = SendingAccount(Outbox(**quotas, suppressed_reasons=()))
        now = 0.0
        for _ in range(data.draw(st.integers(1, 12))):
            now += data.draw(st.sampled_from([0.0, 0.25, 1.0, 2.0, 43_200.0, 86_399.0]))
            recipients = data.draw(st.integers(1, 6))
            email = Email([f"{each}@x.org" for each in range(recipients)])
            accepted = counting.try_send(recipients, now, now, 1, email)
            assert looking.try_send(recipients, now, now, 1, email) == accepted
            assert looking.refusal == counting.refusal
            assert looking.sent_last_24_hours(now) == counting.sent_last_24_hours(now)
        for name in ("accepted", "recipients_accepted", "delivered", "over_rate", "over_quota", "end_to_end"):
            assert getattr(looking, name) == getattr(counting, name)
        looking.check()

    def test_terms_that_say_nothing_do_not_make_it_look(self) -> None:
        account = SendingAccount(Outbox())
        terms = account.terms(tags={"kind": "weekly"})
        assert account.try_send_on(terms, 3, 0.0, 0.0, 1, Email("ann@x.org"))
        assert account.delivered == 3

    def test_on_terms_time_does_not_run_backwards_either(self) -> None:
        account = SendingAccount(Outbox(suppressed_reasons=()))
        account.advance(5.0)
        with pytest.raises(TimeRanBackwards):
            account.try_send_on(account.terms(), 1, 4.0, 4.0, 1, Email("ann@x.org"))


class TestDelivery:
    def test_a_delay_makes_recipients_wait(self) -> None:
        account = SendingAccount(Outbox(delivery_delay=Fixed(5)))
        account.send_email(to(2), 10.0, origin_id=1, origin_at=8.0)
        assert (account.pending, account.delivered, account.next_deadline()) == (2, 0, 15.0)
        account.advance(nextafter(15.0, 0))
        assert account.delivered == 0
        account.advance(15.0)
        account.advance(15.0)
        assert (account.pending, account.delivered, account.next_deadline()) == (0, 2, None)
        assert list(account.end_to_end) == [7.0, 7.0]
        account.check()

    def test_a_delay_of_zero_is_over_at_once(self) -> None:
        account = SendingAccount(Outbox(delivery_delay=Fixed(0)))
        assert sends(account, 3, 1.0)
        assert (account.pending, account.delivered) == (0, 3)

    def test_each_recipient_has_a_delay_of_its_own(self) -> None:
        account = SendingAccount(Outbox(delivery_delay=Uniform(0, 10)), rng=Scripted(0.9, 0.1))
        assert sends(account, 2, 0.0)
        account.advance(20.0)
        assert list(account.end_to_end) == pytest.approx([1.0, 9.0])

    @pytest.mark.rule("SES-BNC-1")
    def test_a_hard_bounce_is_not_retried(self) -> None:
        outbox = Outbox(delivery_delay=Uniform(0, 10), bounce_rate=0.25)
        account = SendingAccount(outbox, rng=Scripted(0.5, 0.6, 0.2499, 0.25))
        assert sends(account, 2, 0.0)
        assert account.bounced == 0
        account.advance(5.0)
        assert (account.hard_bounced, account.bounced, account.pending) == (1, 1, 1)
        account.advance(6.0)
        assert (account.hard_bounced, account.delivered, account.pending) == (1, 1, 0)
        assert account.next_deadline() is None
        account.check()

    @pytest.mark.rule("SES-BNC-1")
    @pytest.mark.rule("SES-BNC-2")
    def test_a_soft_bounce_is_retried_silently(self) -> None:
        account = SendingAccount(Outbox(soft_bounce_rate=0.5), rng=Scripted(*[0.4] * 9, 0.5))
        assert sends(account, 1, 100.0)
        attempts = []
        while (deadline := account.next_deadline()) is not None:
            attempts.append((deadline - 100) / 60)
            account.advance(deadline)
            assert account.bounced == 0
        assert attempts == [1, 3, 7, 15, 31, 63, 123, 183, 243]
        assert (account.delivered, account.pending) == (1, 0)
        assert list(account.end_to_end) == [243 * 60]
        account.check()

    @pytest.mark.rule("SES-BNC-2")
    def test_after_14_hours_ses_gives_up(self) -> None:
        account = SendingAccount(Outbox(soft_bounce_rate=1), rng=random.Random(1))
        assert sends(account, 2, 7.0)
        account.advance(nextafter(50_407.0, 0))
        assert (account.bounced, account.pending, account.next_deadline()) == (0, 2, 50_407.0)
        account.advance(50_407.0)
        assert (account.soft_bounced, account.bounced, account.hard_bounced, account.pending) == (2, 2, 0, 0)
        account.check()

    @pytest.mark.rule("SES-CFG-1")
    @pytest.mark.parametrize(("limit", "delivered"), [(419, 0), (420, 0), (421, 1)])
    def test_no_attempt_is_made_when_the_time_is_over(self, limit: float, delivered: int) -> None:
        outbox = Outbox(soft_bounce_rate=0.5, max_delivery_time=limit)
        account = SendingAccount(outbox, rng=Scripted(0.1, 0.1, 0.1, 0.9))
        assert sends(account, 1, 0.0)
        account.advance(1_000.0)
        assert (account.delivered, account.soft_bounced) == (delivered, 1 - delivered)

    def test_a_delay_beyond_the_time_limit_is_a_bounce(self) -> None:
        account = SendingAccount(Outbox(delivery_delay=Fixed(400), max_delivery_time=300))
        assert sends(account, 1, 0.0)
        assert account.next_deadline() == 300.0
        account.advance(300.0)
        assert (account.soft_bounced, account.delivered) == (1, 0)

    @pytest.mark.rule("SES-EVT-7")
    def test_complaints_come_after_delivery(self) -> None:
        outbox = Outbox(complaint_rate=0.5, complaint_delay=Fixed(60))
        account = SendingAccount(outbox, rng=Scripted(0.4, 0.0, 0.6))
        assert sends(account, 1, 0.0)
        assert sends(account, 1, 0.0)
        assert (account.delivered, account.complained, account.pending) == (2, 0, 0)
        assert account.next_deadline() == 60.0
        account.advance(60.0)
        assert (account.delivered, account.complained) == (2, 1)
        account.check()

    def test_complaints_without_a_delay_come_at_once(self) -> None:
        account = SendingAccount(Outbox(complaint_rate=1), rng=random.Random(1))
        assert sends(account, 3, 0.0)
        assert account.complained == 3

    def test_a_send_sees_what_was_due_before_it(self) -> None:
        account = SendingAccount(Outbox(delivery_delay=Fixed(5)))
        assert sends(account, 1, 0.0)
        assert sends(account, 1, 7.0)
        assert (account.delivered, account.pending) == (1, 1)

    def test_even_a_refused_send_sees_what_was_due_at_that_instant(self) -> None:
        account = SendingAccount(Outbox(delivery_delay=Fixed(5), max_24_hour_send=1))
        assert sends(account, 1, 0.0)
        assert not sends(account, 1, 5.0)
        assert (account.delivered, account.pending) == (1, 0)

    @pytest.mark.rule("SES-BNC-1")
    def test_whether_a_recipient_exists_is_decided_once(self) -> None:
        chance = Scripted(0.9, 0.1, 0.1, 0.9)  # exists; soft bounce, soft bounce, delivered
        account = SendingAccount(Outbox(bounce_rate=0.5, soft_bounce_rate=0.5), rng=chance)
        assert sends(account, 1, 0.0)
        account.advance(1_000.0)
        assert (account.delivered, account.hard_bounced, chance.left) == (1, 0, [])

    @pytest.mark.parametrize(
        "outbox",
        [
            Outbox(bounce_rate=0.1),
            Outbox(soft_bounce_rate=0.1),
            Outbox(complaint_rate=0.1),
            Outbox(delivery_delay=Exponential(1)),
        ],
    )
    def test_chance_needs_random_numbers(self, outbox: Outbox) -> None:
        with pytest.raises(DeclarationError, match=r"SendingAccount.rng: 'ses' has a rate .* pass rng=random.Random"):
            SendingAccount(outbox)
        SendingAccount(outbox, rng=random.Random(1))

    def test_without_chance_no_random_numbers_are_needed(self) -> None:
        account = SendingAccount(Outbox(delivery_delay=Fixed(1), complaint_delay=Exponential(60)))
        assert sends(account, 1, 0.0)

    def test_no_number_is_drawn_where_nothing_is_left_to_chance(self) -> None:
        assert sends(SendingAccount(Outbox(bounce_rate=0.5), rng=Scripted(0.1)), 1, 0.0)
        assert sends(SendingAccount(Outbox(), rng=Scripted()), 1, 0.0)


class TestDriver:
    def test_on_change_says_that_the_next_deadline_is_earlier(self) -> None:
        account = SendingAccount(Outbox(delivery_delay=Uniform(0, 10)), rng=Scripted(0.5, 0.9, 0.3, 0.3, 0.5))
        heard: list[float | None] = []
        account.on_change = lambda: heard.append(account.next_deadline())
        assert sends(account, 1, 0.0)
        assert sends(account, 1, 0.0)
        assert sends(account, 2, 0.0)
        assert heard == [5.0, 3.0]
        account.advance(9.5)
        assert heard == [5.0, 3.0]
        assert sends(account, 1, 9.5)
        assert heard == [5.0, 3.0, 14.5]

    def test_it_is_silent_when_all_is_over_at_once(self) -> None:
        account = SendingAccount(Outbox(bounce_rate=0.5), rng=random.Random(1))
        account.on_change = lambda: pytest.fail("nothing is due later")
        assert sends(account, 50, 0.0)

    @given(seed=st.integers(0, 10**6), looks=st.lists(st.floats(0, 200_000), max_size=20))
    def test_it_does_not_matter_when_it_is_looked_at(self, seed: int, looks: list[float]) -> None:
        outbox = Outbox(
            delivery_delay=Exponential(30),
            bounce_rate=0.1,
            soft_bounce_rate=0.4,
            complaint_rate=0.2,
            complaint_delay=Exponential(3_600),
        )
        often, once = (SendingAccount(outbox, rng=random.Random(seed)) for _ in range(2))
        emails = [(n * 40.0, 1 + n % 3) for n in range(20)]
        for now, count in sorted([*emails, *((look, 0) for look in looks)]):
            if count:
                assert often.try_send(count, now, now, 0, ANN)
            else:
                often.advance(now)
            often.check()
        for now, count in emails:
            assert once.try_send(count, now, now, 0, ANN)
        for account in (often, once):
            account.advance(10**6)
            account.check()
            assert account.pending == 0
            assert account.next_deadline() is None
            assert account.recipients_accepted == account.delivered + account.bounced
        assert often.end_to_end == once.end_to_end
        outcomes = ("delivered", "hard_bounced", "soft_bounced", "complained")
        assert [getattr(often, name) for name in outcomes] == [getattr(once, name) for name in outcomes]

    def test_a_copy_goes_its_own_way(self) -> None:
        outbox = Outbox(delivery_delay=Exponential(30), soft_bounce_rate=0.3, max_send_rate=1)
        account = SendingAccount(outbox, rng=random.Random(3))
        account.on_change = lambda: None
        for n in range(10):
            assert sends(account, 1, float(n))
        twin = copy.deepcopy(account)
        assert twin.on_change is None
        for n in range(10, 20):
            assert sends(twin, 1, float(n))
        twin.advance(1e6)
        assert (account.accepted, len(account.sent), account.end_to_end) != (
            twin.accepted,
            len(twin.sent),
            twin.end_to_end,
        )
        for n in range(10, 20):
            assert sends(account, 1, float(n))
        account.advance(1e6)
        assert account.end_to_end == twin.end_to_end
        assert [mail.message_id for mail in account.sent] == [mail.message_id for mail in twin.sent]


class TestConservation:
    @given(data=st.data())
    def test_every_recipient_is_accounted_for(self, data: st.DataObject) -> None:
        rates = st.sampled_from([0.0, 0.3, 1.0])
        outbox = Outbox(
            max_send_rate=data.draw(st.none() | st.floats(0.01, 60), label="rate"),
            max_24_hour_send=data.draw(st.none() | st.integers(1, 300), label="quota"),
            delivery_delay=data.draw(st.sampled_from([None, Fixed(0), Fixed(3), Exponential(100)]), label="delay"),
            bounce_rate=data.draw(rates, label="bounces"),
            soft_bounce_rate=data.draw(rates, label="soft bounces"),
            complaint_rate=data.draw(rates, label="complaints"),
            complaint_delay=data.draw(st.sampled_from([None, Fixed(60)]), label="complaint delay"),
        )
        account = SendingAccount(outbox, rng=random.Random(data.draw(st.integers(0, 99), label="seed")))
        now, offered, failed = 0.0, 0, 0
        for _ in range(data.draw(st.integers(1, 15), label="calls")):
            now += data.draw(st.floats(0, 30_000), label="gap")
            account.paused = data.draw(st.integers(0, 9), label="pause") == 0
            count = data.draw(st.integers(1, 52), label="recipients")
            offered += count
            try:
                account.send_email(to(count), now)
            except (Throttled, MessageRejected, SendingPaused):
                failed += count
            account.check()
        assert account.recipients_accepted == offered - failed
        assert account.throttled + account.rejected == failed
        assert account.complained <= account.delivered
        account.advance(now + 10**6)
        account.check()
        assert account.pending == 0

    @pytest.mark.parametrize("name", ["delivered", "hard_bounced", "pending", "recipients_accepted", "_used"])
    def test_a_wrong_count_is_found(self, name: str) -> None:
        account = SendingAccount(Outbox(delivery_delay=Fixed(1), max_24_hour_send=10), name="ses")
        assert sends(account, 2, 0.0)
        setattr(account, name, getattr(account, name) + 1)
        with pytest.raises(AuditError, match=r"ses: .* does not hold: \d+ and \d+"):
            account.check()


class TestSent:
    def test_the_latest_are_kept(self) -> None:
        account = SendingAccount(Outbox(record_limit=3), epoch=EPOCH + DAY)
        ids = [account.send_email(Email("a@x.org", f"No. {n}"), float(n)) for n in range(5)]
        assert [mail.message_id for mail in account.sent] == ids[2:]
        assert [mail.email.subject for mail in account.sent] == ["No. 2", "No. 3", "No. 4"]
        assert account.sent[-1].at == 4.0
        assert account.sent[-1].message["Date"] == "Fri, 02 Jan 2026 00:00:04 -0000"
        assert account.sent[-1].message["From"] == "no-reply@example.com"

    def test_they_are_searched(self) -> None:
        account = SendingAccount(Outbox())
        for name in ("ann", "bob"):
            account.send_email(Email(f"{name}@x.org"), 0.0)
        assert (len(account.search(to="bob@x.org")), len(account.search()), len(account.search(to="eve@x.org"))) == (
            1,
            2,
            0,
        )

    def test_none_are_kept_without_records(self) -> None:
        account = SendingAccount(Outbox(records=False))
        account.send_email(ANN, 0.0)
        assert len(account.sent) == 0
        assert account.accepted == 1

    def test_nobody_sends_ahead_of_a_simulation(self) -> None:
        account = SendingAccount(Outbox())
        account.clock = lambda: 5.0
        account.send_email(ANN, 5.0)
        with pytest.raises(TimeRanAhead):
            account.advance(6.0)
        account.check(deep=False)

    def test_refused_ones_are_not_there(self) -> None:
        account = SendingAccount(Outbox(max_24_hour_send=1))
        account.send_email(ANN, 0.0)
        assert not sends(account, 1, 0.0)
        assert len(account.sent) == 1

    def test_sending_while_looking_is_fine(self) -> None:
        account = SendingAccount(Outbox())
        account.send_email(ANN, 0.0)
        for _ in account.sent:
            account.send_email(ANN, 1.0)
        assert len(account.sent) == 2
