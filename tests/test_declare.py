"""Fields of declarations: what they take, keep and refuse."""

import math
import pickle
from fractions import Fraction
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgsim.declare import (
    DAY,
    HOUR,
    MINUTE,
    Named,
    bounds,
    check_epoch,
    check_name,
    check_now,
    check_number,
    choice,
    copied,
    flag,
    instance,
    listed,
    number,
    plain,
    text,
)
from msgsim.errors import DeclarationError, InvalidParameterValue, TimeRanBackwards, UnknownName


def refused(make: Any, value: object, words: str) -> None:
    with pytest.raises(DeclarationError) as raised:
        make(value)
    assert str(raised.value) == words


def test_units_are_in_seconds() -> None:
    assert (MINUTE, HOUR, DAY) == (60, 3_600, 86_400)


class TestBounds:
    @pytest.mark.parametrize(
        ("low", "high", "above", "words"),
        [
            (0, 5, False, "0 to 5"),
            (0, 5, True, "more than 0, up to 5"),
            (1.5, math.inf, False, "1.5 or more"),
            (0, math.inf, True, "more than 0"),
            (1_024, 1_048_576, False, "1024 to 1048576"),
        ],
    )
    def test_are_read_as_words(self, low: float, high: float, above: bool, words: str) -> None:
        assert bounds(low, high, above=above) == words

    def test_name_unit_and_rule(self) -> None:
        assert bounds(0, 900, "s", "SQS-DLY-1") == "0 to 900 [s] (SQS-DLY-1)"


class TestCheckNumber:
    @pytest.mark.parametrize("value", [0, 0.0, 5, 2.5, -0.0])
    def test_takes_what_is_in_the_bounds(self, value: float) -> None:
        check_number("x", value, high=5)

    @pytest.mark.parametrize("value", [math.nextafter(0, -1), 5.000001, math.nan, math.inf, -math.inf, 10**300])
    def test_refuses_what_is_not(self, value: float) -> None:
        refused(lambda value: check_number("x", value, high=5), value, f"x: {value!r} is not allowed; allowed: 0 to 5")

    def test_refuses_whole_numbers_that_no_float_holds(self) -> None:
        check_number("x", 10**308)
        with pytest.raises(DeclarationError, match=r"^x: 1000.* is not allowed; allowed: 0 or more$"):
            check_number("x", 10**309)

    @pytest.mark.parametrize("value", [math.inf, math.nan])
    def test_refuses_what_is_not_finite_though_there_is_no_upper_bound(self, value: float) -> None:
        refused(lambda value: check_number("x", value), value, f"x: {value!r} is not allowed; allowed: 0 or more")

    def test_above_leaves_out_the_lower_bound(self) -> None:
        check_number("x", 1e-9, above=True)
        refused(lambda value: check_number("x", value, above=True), 0, "x: 0 is not allowed; allowed: more than 0")

    @pytest.mark.parametrize("value", [True, "1", None, [1], 1j])
    def test_refuses_what_is_no_number(self, value: object) -> None:
        refused(lambda value: check_number("x", value), value, f"x: {value!r} is not a number; allowed: 0 or more")

    def test_whole_numbers(self) -> None:
        check_number("x", 3, integer=True)
        check_number("x", 3.0, integer=True)
        refused(
            lambda value: check_number("x", value, integer=True),
            3.5,
            "x: 3.5 is not a whole number; allowed: 0 or more",
        )

    @given(st.floats() | st.integers())
    def test_takes_exactly_the_finite_numbers_of_the_range(self, value: float) -> None:
        try:
            check_number("x", value, low=-1, high=1)
        except DeclarationError:
            assert not -1 <= value <= 1
        else:
            assert -1 <= value <= 1


@attrs.frozen(kw_only=True)
class Thing:
    """One field of each kind."""

    size: float = number(1.0, high=5, unit="s", rule="X-1")
    count: int = number(1, integer=True)
    limit: float | None = number(None, optional=True, above=True)
    on: bool = flag()
    name: str = text("a", empty=False)
    note: str | None = text(None, optional=True)
    kind: str = choice("one", ("one", "two"), "X-2")
    other: str = choice("a", ("a",))
    part: "Thing | None" = instance(object, "a thing", default=None, optional=True)
    whole: int = instance(int, "a whole", default=1)
    parts: tuple[int, ...] = listed(int, "a number")
    table: Any = attrs.field(default=None, converter=copied)


class TestFields:
    def test_numbers_are_floats(self) -> None:
        assert isinstance(Thing(size=2).size, float)
        refused(lambda value: Thing(size=value), 6, "Thing.size: 6.0 is not allowed; allowed: 0 to 5 [s] (X-1)")

    @pytest.mark.parametrize("value", [True, "2"])
    def test_what_is_no_number_stays_what_it_was_in_the_refusal(self, value: object) -> None:
        words = f"Thing.size: {value!r} is not a number; allowed: 0 to 5 [s] (X-1)"
        refused(lambda value: Thing(size=value), value, words)

    @pytest.mark.parametrize(("value", "shown"), [(10**400, "inf"), (-(10**400), "-inf")])
    def test_a_number_beyond_all_floats_is_infinite(self, value: int, shown: str) -> None:
        refused(
            lambda value: Thing(size=value), value, f"Thing.size: {shown} is not allowed; allowed: 0 to 5 [s] (X-1)"
        )

    def test_whole_numbers_are_ints(self) -> None:
        assert isinstance(Thing(count=2.0).count, int)  # type: ignore[arg-type]
        refused(lambda value: Thing(count=value), 2.5, "Thing.count: 2.5 is not a whole number; allowed: 0 or more")
        refused(lambda value: Thing(count=value), "2", "Thing.count: '2' is not a number; allowed: 0 or more")

    def test_optional_numbers_may_be_none(self) -> None:
        assert Thing(limit=None).limit is None
        assert Thing(limit=3).limit == 3
        refused(lambda value: Thing(limit=value), 0, "Thing.limit: 0.0 is not allowed; allowed: more than 0")
        refused(lambda value: Thing(size=value), None, "Thing.size: None is not a number; allowed: 0 to 5 [s] (X-1)")

    def test_flags_are_true_or_false(self) -> None:
        assert Thing(on=True).on is True
        refused(lambda value: Thing(on=value), 1, "Thing.on: 1 is neither true nor false")

    def test_texts(self) -> None:
        assert (Thing(name="b").name, Thing(note=None).note, Thing(note="").note) == ("b", None, "")
        refused(lambda value: Thing(name=value), 3, "Thing.name: 3 is not a text")
        refused(lambda value: Thing(name=value), "", "Thing.name: must not be empty")
        refused(lambda value: Thing(name=value), None, "Thing.name: None is not a text")

    def test_choices(self) -> None:
        assert Thing(kind="two").kind == "two"
        refused(lambda value: Thing(kind=value), "six", "Thing.kind: 'six' is not allowed; allowed: one, two (X-2)")
        refused(lambda value: Thing(other=value), [], "Thing.other: [] is not allowed; allowed: a")

    def test_instances(self) -> None:
        assert Thing(part=Thing()).part == Thing()
        assert Thing(part=None).part is None
        refused(lambda value: Thing(whole=value), "x", "Thing.whole: 'x' is not a whole")
        refused(lambda value: Thing(whole=value), None, "Thing.whole: None is not a whole")

    def test_lists_are_kept_as_tuples(self) -> None:
        assert Thing(parts=[1, 2]).parts == (1, 2)  # type: ignore[arg-type]
        assert Thing(parts=()).parts == ()
        refused(lambda value: Thing(parts=value), [1, "b"], "Thing.parts.1: 'b' is not a number")
        refused(lambda value: Thing(parts=value), "ab", "Thing.parts: 'ab' is not a list of a number")

    def test_tables_are_copied(self) -> None:
        table = {"a": 1}
        thing = Thing(table=table)
        table["a"] = 2
        assert thing.table == {"a": 1}
        assert Thing(table=7).table == 7

    def test_a_required_field_has_no_default(self) -> None:
        @attrs.frozen
        class Needs:
            size: float = number()
            name: str = text()
            part: int = instance(int, "a number")

        with pytest.raises(TypeError, match="missing 3 required"):
            Needs()

    def test_a_refusal_survives_pickling(self) -> None:
        with pytest.raises(DeclarationError) as raised:
            Thing(size=9)
        again = pickle.loads(pickle.dumps(raised.value))  # noqa: S301 - our own bytes
        assert (again.path, again.problem) == ("Thing.size", "9.0 is not allowed; allowed: 0 to 5 [s] (X-1)")


class TestForeignNumbers:
    @pytest.mark.parametrize("value", [np.int64(3), np.float64(3), np.float32(3), Fraction(3)])
    def test_become_pythons_own(self, value: Any) -> None:
        thing = Thing(size=value, count=value)
        assert (type(thing.size), type(thing.count)) == (float, int)
        assert thing == Thing(size=3, count=3)
        check_number("x", value)

    @pytest.mark.parametrize("value", [np.True_, np.array([1, 2])])
    def test_what_is_none_is_refused(self, value: Any) -> None:
        with pytest.raises(DeclarationError, match="is not a number"):
            Thing(size=value)
        with pytest.raises(DeclarationError, match="is not allowed; allowed: one, two"):
            Thing(kind=value)

    def test_whole_numbers_that_cannot_be_shown_are_infinite(self) -> None:
        assert (plain(10**5_000), plain(-(10**5_000))) == (math.inf, -math.inf)

    @pytest.mark.parametrize("value", [True, "x", None])
    def test_anything_else_stays_what_it_is(self, value: Any) -> None:
        assert plain(value) is value


class TestReadOnly:
    def test_cannot_be_changed(self) -> None:
        table = Thing(table={"a": 1}).table
        changes: list[Any] = [
            lambda: table.update(b=2),
            lambda: table.pop("a"),
            table.clear,
            table.popitem,
            lambda: table.setdefault("b", 2),
            lambda: table.__setitem__("a", 2),
            lambda: table.__delitem__("a"),
            lambda: table.__ior__({"b": 2}),
        ]
        for change in changes:
            with pytest.raises(TypeError, match=r"make another one, with Scenario.vary or attrs.evolve"):
                change()
        assert table == {"a": 1}

    def test_is_a_dict_in_all_else(self) -> None:
        table = Thing(table={"a": 1}).table
        assert repr(table) == "{'a': 1}"
        assert table | {"b": 2} == {"a": 1, "b": 2}
        again = pickle.loads(pickle.dumps(table))  # noqa: S301 - our own bytes
        assert (type(again), again) == (type(table), table)
        free = table.copy()
        free["b"] = 2
        assert (free, table) == ({"a": 1, "b": 2}, {"a": 1})


class TestNamed:
    def test_shows_what_is_there_and_names_what_is_not(self) -> None:
        members = {"emails": 1}
        named = Named("queue", members)
        members["audit"] = 2
        assert (named["emails"], len(named), list(named)) == (1, 2, ["emails", "audit"])
        assert (named.get("emails"), named.get("emial"), named.get("emial", 7)) == (1, None, 7)
        assert ("emails" in named, [] in named) == (True, False)
        assert repr(named) == "{'emails': 1, 'audit': 2}"
        assert named == {"emails": 1, "audit": 2}
        with pytest.raises(UnknownName) as raised:
            named["emial"]
        assert str(raised.value) == "no queue named 'emial'; did you mean 'emails'? declared: audit, emails"
        assert not hasattr(named, "pop")


class TestNow:
    @pytest.mark.parametrize("now", [5, 5.0, np.int64(5), 1e308])
    def test_is_a_finite_number(self, now: float) -> None:
        check_now("q", now, 5.0)

    @pytest.mark.parametrize("now", ["x", None, True, math.inf, -math.inf, math.nan, 10**400, [1]])
    def test_is_nothing_else(self, now: Any) -> None:
        with pytest.raises(InvalidParameterValue, match=r"q: now=.* is not a time; allowed: finite numbers"):
            check_now("q", now, 5.0)

    def test_does_not_run_backwards(self) -> None:
        with pytest.raises(TimeRanBackwards, match=r"q: time can't go backwards: now=4 is earlier than .* 5\.0"):
            check_now("q", 4, 5.0)


def test_names_of_live_things_are_texts() -> None:
    check_name("Queue.name", "q")
    for name in (3, ""):
        refused(
            lambda name: check_name("Queue.name", name), name, f"Queue.name: {name!r} is not a name; allowed: a text"
        )


def test_time_0_leaves_room_in_the_calendar() -> None:
    check_epoch("Account.epoch", 253_402_300_799)
    words = (
        "Account.epoch: 253402300800 is not allowed; allowed: 0 to 253402300799 [s since 1970] (up to the year 9999)"
    )
    refused(lambda value: check_epoch("Account.epoch", value), 253_402_300_800, words)
