"""Receivers: what is said of them, what is a property of an address, and when they take an email."""

import pickle
from collections.abc import Callable
from math import inf, nextafter

import pytest

from msgsim.bus.receivers import PRUNED_FROM, Receiver, ReceivingServer, check_receivers, retry_at
from msgsim.distributions import Exponential, Fixed
from msgsim.errors import DeclarationError

HOUR, DAY = 3_600.0, 86_400.0


def server(key: bytes = b"key", **settings: object) -> ReceivingServer:
    return ReceivingServer(Receiver(**settings), key)  # type: ignore[arg-type]


class TestReceiver:
    def test_defaults_are_quiet(self) -> None:
        receiver = Receiver()
        assert not receiver.knows_addresses
        assert not receiver.uses_chance
        assert (receiver.tls, receiver.reports, receiver.bulk, receiver.demands) == (True, True, 5_000, ())

    def test_it_is_a_value(self) -> None:
        receiver = Receiver(domains="gmail.com", full_mailboxes=0.1, full_time=60, outages=[[0, 10], [20, 30]])
        assert receiver.domains == ("gmail.com",)
        assert receiver.full_time == Fixed(60)
        assert receiver.outages == ((0.0, 10.0), (20.0, 30.0))
        assert pickle.loads(pickle.dumps(receiver)) == receiver  # noqa: S301 - our own bytes
        assert hash(receiver) == hash(
            Receiver(**{f: getattr(receiver, f) for f in ("domains", "full_mailboxes", "full_time", "outages")})
        )

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"domains": 3}, r"^Receiver\.domains: 3 is not a list of domains$"),
            ({"domains": ["gmail.com", "a@b.c"]}, r"^Receiver\.domains\.1: 'a@b\.c' is not a domain$"),
            (
                {"domains": ["a.org", "A.org"]},
                r"^Receiver\.domains\.1: 'A\.org' is named twice; capitals do not matter$",
            ),
            ({"domains": [""]}, r"^Receiver\.domains\.0: '' is not a domain$"),
            ({"domains": ["bücher.de"]}, r"^Receiver\.domains\.0: 'bücher\.de' is not a domain$"),
            ({"demands": ["dkim", "dkim"]}, r"^Receiver\.demands\.1: 'dkim' is named twice$"),
            ({"reopen_rate": 1}, r"^Receiver\.reopen_rate: 1.0 is not allowed; allowed: 0 to 0.99"),
            ({"domains": [1]}, r"^Receiver\.domains\.0: 1 is not a domain$"),
            ({"unknown_users": 1.1}, "Receiver.unknown_users: 1.1 is not allowed; allowed: 0 to 1 .*SES-BNC-1"),
            ({"full_time": 5}, "Receiver.full_time: needs a share of full_mailboxes"),
            ({"full_mailboxes": 1, "full_time": "x"}, "Receiver.full_time: 'x' is neither a number of seconds"),
            ({"bounces_late": True}, "Receiver.bounces_late: needs a share of unknown_users"),
            ({"greylisting": 0}, "Receiver.greylisting: 0.0 is not allowed; allowed: more than 0"),
            ({"max_rate": 0}, "Receiver.max_rate: 0.0 is not allowed"),
            ({"outages": 3}, r"Receiver.outages: 3 is not a list of pairs \(start, end\)"),
            ({"outages": [3]}, r"Receiver.outages.0: 3 is not a pair"),
            ({"outages": [(1, 2, 3)]}, r"Receiver.outages.0: \(1.0, 2.0, 3.0\) is not a pair"),
            ({"outages": [(5, 5)]}, r"Receiver.outages.0.1: 5.0 is not allowed; allowed: more than 5"),
            ({"outages": [(0, 5), (4, 6)]}, r"Receiver.outages.1.0: 4.0 is not allowed; allowed: more than 5"),
            (
                {"demands": "spam"},
                r"Receiver.demands.0: 'spam' is not allowed; allowed: dkim, spf, dmarc, one-click, complaints",
            ),
            (
                {"complaint_limit": 1.1},
                r"Receiver.complaint_limit: 1.1 is not allowed; allowed: 0 to 1 \[of the emails\]",
            ),
            ({"demands": 3}, r"Receiver.demands: 3 is not a list"),
        ],
    )
    def test_what_cannot_be_is_refused_by_path(self, arguments: dict[str, object], message: str) -> None:
        with pytest.raises(DeclarationError, match=message):
            Receiver(**arguments)  # type: ignore[arg-type]

    def test_a_domain_has_one_receiver(self) -> None:
        check_receivers("here", [Receiver(), Receiver(domains=["a.org", "b.org"])])
        with pytest.raises(DeclarationError, match=r"^here\.1\.domains: receiver 0 takes the mail of a\.org already$"):
            check_receivers("here", [Receiver(domains=["a.org"]), Receiver(domains=["b.org", "A.org"])])
        with pytest.raises(DeclarationError, match=r"^here\.2\.domains: receiver 0 takes all other mail already$"):
            check_receivers("here", [Receiver(), Receiver(domains=["b.org"]), Receiver()])


class TestMailboxes:
    def test_what_an_address_is_does_not_change(self) -> None:
        settings = {"unknown_users": 0.3, "full_mailboxes": 0.2, "complainers": 0.1}
        one, other = server(**settings), server(**settings)
        addresses = [f"user{n}@x.org" for n in range(2_000)]
        boxes = [one.mailbox(address) for address in addresses]
        assert boxes == [other.mailbox(address) for address in addresses]
        assert boxes != [server(b"another", **settings).mailbox(address) for address in addresses]
        shares = [sum(column) / 2_000 for column in zip(*boxes, strict=True)]
        assert shares == pytest.approx([0.7, 0.2, 0.1], abs=0.03)

    def test_a_larger_share_takes_the_same_addresses_and_more(self) -> None:
        few, many = server(unknown_users=0.1), server(unknown_users=0.3)
        addresses = [f"user{n}@x.org" for n in range(500)]
        gone = [address for address in addresses if not few.mailbox(address).exists]
        assert gone
        assert not any(many.mailbox(address).exists for address in gone)

    def test_without_shares_each_is_there(self) -> None:
        assert server().mailbox("a@x.org") == (True, False, False)
        assert not server(unknown_users=1).mailbox("a@x.org").exists

    def test_a_full_mailbox_stays_full_from_the_first_look_on(self) -> None:
        full = server(full_mailboxes=1)
        assert full.full_until("a@x.org", 5.0, None) == inf
        draws = iter([60.0, 90.0])
        draw: Callable[[], float] = lambda: next(draws)  # noqa: E731 - a sampler
        assert [full.full_until("a@x.org", now, draw) for now in (5.0, 7.0, 100.0)] == [65.0] * 3
        assert full.full_until("b@x.org", 10.0, draw) == 100.0


class TestTaking:
    def test_outages(self) -> None:
        down = server(outages=[(10, 20), (30, 40)])
        assert [down.unreachable_until(now) for now in (0, 9.9, 10, 19.9, 20, 30, 45)] == [0, 9.9, 20, 20, 20, 40, 45]

    def test_greylisting_begins_at_the_first_attempt(self) -> None:
        grey = server(greylisting=300)
        assert [grey.grey_until("a@x.org", now) for now in (100, 160, 400, 9_000)] == [400, 400, 400, 9_000]
        assert grey.grey_until("b@x.org", 200) == 500
        assert server().grey_until("a@x.org", 7) == 7

    def test_who_is_not_heard_of_for_35_days_is_greylisted_again(self) -> None:
        grey = server(greylisting=300)
        assert grey.grey_until("a@x.org", 0.0) == 300.0
        assert grey.grey_until("a@x.org", DAY) == DAY
        last = nextafter(36 * DAY, 0.0)
        assert grey.grey_until("a@x.org", last) == last
        assert grey.grey_until("a@x.org", last + 35 * DAY) == last + 35 * DAY + 300.0

    def test_it_does_not_remember_more_addresses_for_ever(self) -> None:
        grey = server(greylisting=300)
        for each in range(60_000):
            grey.grey_until(f"a{each}@x.org", each * 300.0)
        a_while = 35 * DAY / 300.0
        assert a_while < len(grey._known) <= 2 * a_while + PRUNED_FROM

    def test_the_next_outage(self) -> None:
        shaky = server(outages=[(10, 20), (30, 40)])
        assert [shaky.next_outage(now) for now in (0.0, 10.0, 25.0, 30.0, 50.0)] == [10.0, 30.0, 30.0, inf, inf]

    def test_a_chance_of_an_address_is_even_and_its_own(self) -> None:
        one = server(unknown_users=0.5)
        addresses = [f"a{each}@x.org" for each in range(2_000)]
        chances = [one.chance(address) for address in addresses]
        assert chances == [one.chance(address) for address in addresses]
        assert sum(chances) / 2_000 == pytest.approx(0.5, abs=0.03)
        gone = [chance for address, chance in zip(addresses, chances, strict=True) if not one.mailbox(address).exists]
        assert sum(gone) / len(gone) == pytest.approx(0.5, abs=0.04)

    def test_a_rate_is_a_bucket_of_one_second(self) -> None:
        slow = server(max_rate=2)
        assert [slow.takes(0.0) for _ in range(3)] == [True, True, False]
        assert [slow.takes(0.5) for _ in range(2)] == [True, False]
        assert [slow.takes(100.0) for _ in range(3)] == [True, True, False]
        assert [server(max_rate=0.1).takes(now) for now in (0, 9)] == [True, True]
        hourly = server(max_rate=0.1)
        assert [hourly.takes(now) for now in (0, 9, 10)] == [True, False, True]
        assert all(server().takes(0.0) for _ in range(100))

    @pytest.mark.rule("SES-IDN-3")
    def test_a_bulk_sender_is_one_above_5000_in_24_hours(self) -> None:
        busy = server()
        assert not any(busy.count(n / 10) for n in range(5_000))
        assert busy.count(600.0)
        assert busy.count(23 * HOUR)
        assert not busy.count(DAY)

    @pytest.mark.rule("SES-IDN-3")
    @pytest.mark.parametrize(("emails", "minds"), [(999, True), (1_000, True), (1_001, False)])
    def test_complaints_are_too_many_from_3_in_1000_emails_of_24_hours(self, emails: int, minds: bool) -> None:
        strict = server(demands="complaints", complaint_limit=0.003)
        assert not strict.minds(0.0)
        for _ in range(emails):
            strict.count(HOUR)
        for _ in range(3):
            assert not strict.minds(HOUR)
            strict.count_complaint(HOUR)
        assert strict.minds(HOUR) == strict.minds(25 * HOUR - 1) == minds
        assert not strict.minds(25 * HOUR)

    @pytest.mark.rule("SES-IDN-3")
    def test_complaints_of_yesterday_are_forgotten(self) -> None:
        strict = server(demands="complaints", complaint_limit=0)
        assert not strict.minds(0.0)
        strict.count_complaint(0.0)
        assert strict.minds(0.0)
        strict.count(DAY)
        assert not strict.minds(DAY)
        strict.count_complaint(DAY)
        assert strict.minds(DAY)


class TestRetries:
    @pytest.mark.rule("SES-BNC-2")
    def test_pauses_double_up_to_an_hour(self) -> None:
        at, attempt, minutes = 0.0, 1, []
        for _ in range(9):
            at, attempt = retry_at(at, attempt, 0.0, inf)
            minutes.append(at / 60)
        assert minutes == [1, 3, 7, 15, 31, 63, 123, 183, 243]
        assert attempt == 10

    def test_attempts_that_must_fail_are_passed_over(self) -> None:
        assert retry_at(0.0, 1, 420.0, inf) == (420.0, 4)
        assert retry_at(0.0, 1, 421.0, inf) == (900.0, 5)
        assert retry_at(0.0, 1, inf, 50_400.0)[0] >= 50_400.0


def test_chance_is_said() -> None:
    assert Receiver(complaint_rate=0.1).uses_chance
    assert Receiver(unknown_users=0.1).uses_chance
    assert Receiver(full_mailboxes=0.1, full_time=Exponential(5)).uses_chance
