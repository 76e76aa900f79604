"""Suppression lists: what puts an address there, for how long, and what takes it off."""

from math import nextafter

import pytest

from msgsim.bus.suppression import (
    BOUNCE,
    COMPLAINT,
    PRUNED_FROM,
    GlobalSuppressionList,
    SuppressedDestination,
    SuppressionList,
    check_reason,
    listed_address,
)
from msgsim.errors import InvalidParameterValue, MessageRejected, UnknownName

DAY = 86_400.0


def filled() -> SuppressionList:
    known = SuppressionList()
    known.put("ann@x.org", BOUNCE, 1.0)
    known.put("bob@x.org", COMPLAINT, 2.0)
    return known


class TestList:
    @pytest.mark.rule("SES-SUP-5")
    def test_put_get_delete(self) -> None:
        known = filled()
        assert known.get("ann@x.org") == SuppressedDestination("ann@x.org", BOUNCE, 1.0)
        assert (known.reason("bob@x.org"), known.reason("eve@x.org")) == (COMPLAINT, None)
        assert len(known) == 2
        assert "ann@x.org" in known
        assert "2 addresses" in repr(known)
        known.delete("ann@x.org")
        assert "ann@x.org" not in known
        for call in (known.get, known.delete):
            with pytest.raises(UnknownName, match=r"'ann@x.org' is not on the suppression list, which has 1 addresses"):
                call("ann@x.org")

    def test_a_later_reason_takes_the_place_of_an_earlier_one(self) -> None:
        known = filled()
        known.put("ann@x.org", COMPLAINT, 5.0)
        assert known.get("ann@x.org") == ("ann@x.org", COMPLAINT, 5.0)
        assert len(known) == 2

    @pytest.mark.rule("SES-SUP-4")
    def test_capitals_matter(self) -> None:
        assert "Ann@x.org" not in filled()
        assert listed_address("Ann <Ann@X.org>") == "Ann@X.org"

    def test_what_is_no_address_is_refused(self) -> None:
        with pytest.raises(MessageRejected, match="'x' is not an email address"):
            listed_address("x")
        with pytest.raises(InvalidParameterValue, match="address=3 is not a text"):
            listed_address(3)  # type: ignore[arg-type]

    @pytest.mark.rule("SES-SUP-5")
    def test_entries_are_in_the_order_in_which_they_came(self) -> None:
        assert [entry.address for entry in filled()] == ["ann@x.org", "bob@x.org"]

    @pytest.mark.rule("SES-SUP-5")
    def test_what_was_put_there_until_then_goes(self) -> None:
        known = SuppressionList()
        for at in (1.0, 2.0, 3.0):
            known.put(f"{at:g}@x.org", BOUNCE, at)
        known.clear(2.0)
        assert [entry.address for entry in known] == ["3@x.org"]

    @pytest.mark.rule("SES-SUP-5")
    def test_an_import_takes_100000_addresses_and_no_more(self) -> None:
        known = SuppressionList()
        addresses = [f"{n}@x.org" for n in range(100_001)]
        with pytest.raises(InvalidParameterValue, match=r"100001 addresses are too many .* allowed: 100000"):
            known.put_all(addresses, BOUNCE, 0.0)
        assert len(known) == 0
        known.put_all(addresses[1:], BOUNCE, 0.0)
        assert len(known) == 100_000
        known.clear()
        assert len(known) == 0

    @pytest.mark.rule("SES-SUP-4")
    def test_only_a_complaint_is_forgiven(self) -> None:
        known = filled()
        for address in ("ann@x.org", "bob@x.org", "eve@x.org"):
            known.forgive(address)
        assert [entry.address for entry in known] == ["ann@x.org"]

    def test_there_are_two_reasons(self) -> None:
        check_reason(BOUNCE)
        with pytest.raises(InvalidParameterValue, match=r"reason='spam' is not allowed; allowed: BOUNCE, COMPLAINT"):
            check_reason("spam")


class TestGlobalList:
    @pytest.mark.rule("SES-SUP-3")
    def test_each_bounce_keeps_an_address_twice_as_long_up_to_14_days(self) -> None:
        everywhere = GlobalSuppressionList()
        assert not everywhere.holds("ann@x.org", 0.0)
        now, stays = 0.0, []
        for _ in range(6):
            everywhere.add("ann@x.org", now)
            end = next(day for day in range(1, 20) if not everywhere.holds("ann@x.org", now + day * DAY))
            assert everywhere.holds("ann@x.org", nextafter(now + end * DAY, 0.0))
            stays.append(end)
            now += (end + 13) * DAY
        assert stays == [1, 2, 4, 8, 14, 14]

    @pytest.mark.rule("SES-SUP-3")
    @pytest.mark.parametrize(("after", "stay"), [(nextafter(15 * DAY, 0.0), 2 * DAY), (15 * DAY, DAY)])
    def test_who_has_been_off_it_for_14_days_is_as_new(self, after: float, stay: float) -> None:
        everywhere = GlobalSuppressionList()
        everywhere.add("ann@x.org", 0.0)
        everywhere.add("ann@x.org", after)
        assert everywhere.holds("ann@x.org", nextafter(after + stay, 0.0))
        assert not everywhere.holds("ann@x.org", after + stay)

    def test_it_does_not_grow_for_ever(self) -> None:
        everywhere = GlobalSuppressionList()
        for each in range(30_000):
            everywhere.add(f"a{each}@x.org", each * 60.0)
        a_while = 15 * DAY / 60.0
        assert a_while < len(everywhere._bounces) <= 2 * a_while + PRUNED_FROM
        assert everywhere.holds("a29999@x.org", 30_000 * 60.0)
