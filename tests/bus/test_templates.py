"""Texts with fields of a message."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgsim.bus.message import Message, format_id, id_base
from msgsim.bus.templates import FIELDS, Template, as_content
from msgsim.errors import DeclarationError


def message(attributes: dict[str, Any] | None = None, content: str = "hello") -> Message:
    made = Message()
    made.number = id_base("q") + 5
    made.content = content
    made.attributes = attributes
    made.arrived_at = 3.0
    made.origin = id_base("traffic") + 17
    made.origin_at = 2.0
    return made


def filled(text: str, now: float = 10.0, **attributes: Any) -> str:
    return Template(text, "x").fill(message(attributes), now)


class TestFields:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("{body}", "hello"),
            ("{date}", "Thu, 01 Jan 2026"),
            ("{elapsed}", "8.0"),
            ("{elapsed:.2f}", "8.00"),
            ("{message_id}", format_id(id_base("q") + 5)),
            ("{n}", "17"),
            ("{n:05}", "00017"),
            ("{now}", "10.0"),
            ("{origin_id}", str(id_base("traffic") + 17)),
            ("{sent_at:.1f}", "3.0"),
            ("Order {n}: {body!r:>9}", "Order 17:   'hello'"),
            ("{{n}} is {n}", "{n} is 17"),
            ("plain", "plain"),
        ],
    )
    def test_are_filled(self, text: str, expected: str) -> None:
        assert filled(text) == expected

    def test_attributes_by_name(self) -> None:
        assert filled("{attributes[kind]} {attributes[total]:.2f}", kind="placed", total=2) == "placed 2.00"
        assert Template("{attributes[a.b-c]}", "x").fill(message({"a.b-c": "z"}), 0) == "z"

    def test_attributes_that_a_message_does_not_have_read_as_nothing(self) -> None:
        assert filled("<{attributes[kind]}> <{attributes[total]:.2f}>") == "<> <>"
        assert Template("<{attributes[kind]}>", "x").fill(message(None), 0) == "<>"

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("{date:+3d}", "Sun, 04 Jan 2026"),
            ("{date:+36h}", "Fri, 02 Jan 2026"),
            ("{date:-1s}", "Thu, 01 Jan 2026"),
            ("{date:-11s}", "Wed, 31 Dec 2025"),
            ("{date:+1440m}", "Fri, 02 Jan 2026"),
            ("{date!r} {date!s}", "Thu, 01 Jan 2026 Thu, 01 Jan 2026"),
        ],
    )
    def test_dates_have_offsets(self, text: str, expected: str) -> None:
        assert filled(text) == expected

    def test_dates_count_from_the_epoch(self) -> None:
        assert Template("{date}", "x", 0.0).fill(message(), 86_400.0) == "Fri, 02 Jan 1970"

    def test_the_body_may_be_another_text(self) -> None:
        assert Template("<{body}>", "x").fill(message(), 0, "inner") == "<inner>"

    def test_as_the_body_of_a_message_it_is_of_the_time_of_its_origin_and_cannot_name_itself(self) -> None:
        own = message()
        own.content = Template("{now} {n} <{body}>", "x")
        assert own.body == "2.0 17 <>"


class TestRefusals:
    @pytest.mark.parametrize(
        "text",
        [
            "{nope}",
            "{}",
            "{0}",
            "{attributes}",
            "{attributes[]}",
            "{attributes[a][b]}",
            "{attributes[a].upper}",
            "{attributes.keys}",
            "{body.upper}",
            "{n[0]}",
        ],
    )
    def test_name_the_fields_that_exist(self, text: str) -> None:
        with pytest.raises(DeclarationError, match=r"^a\.body: no field named '\{.*declared: " + ", ".join(FIELDS)):
            Template(text, "a.body")

    @pytest.mark.parametrize("text", ["{", "}", "{n", "n}", "{attributes[a}", "{n!x}"])
    def test_say_what_is_wrong_with_the_braces(self, text: str) -> None:
        with pytest.raises(DeclarationError, match=r"^a\.body: .* is not a template: "):
            Template(text, "a.body")

    @pytest.mark.parametrize("text", ["{n:zz}", "{sent_at:d}", "{body:d}", "{message_id:.2f}"])
    def test_say_which_format_does_not_fit(self, text: str) -> None:
        with pytest.raises(DeclarationError, match=r"^a\.body: .* is not a template: .*format"):
            Template(text, "a.body")

    @pytest.mark.parametrize("text", ["{date:d}", "{date:+3}", "{date:+3x}", "{date:soon}"])
    def test_say_how_offsets_are_written(self, text: str) -> None:
        with pytest.raises(DeclarationError, match=r"is not an offset such as \+3d, \+36h, \+90m or \+30s$"):
            Template(text, "a.body")

    @pytest.mark.parametrize("text", ["{date:+infd}", "{date:+1e300d}", "{date:nans}", "{date:+1e12d}"])
    def test_say_which_dates_cannot_be(self, text: str) -> None:
        with pytest.raises(DeclarationError, match="is not a template: "):
            Template(text, "a.body")

    def test_a_format_has_no_fields_of_its_own(self) -> None:
        with pytest.raises(
            DeclarationError, match=r"^a\.body: \{n:\{now\}\} is not a field: a format cannot have fields"
        ):
            Template("{n:{now}}", "a.body")

    @given(st.text("{}[]!:.nadte0+ ", max_size=12))
    def test_what_is_not_refused_can_be_filled(self, text: str) -> None:
        try:
            template = Template(text, "x")
        except DeclarationError:
            return
        template.fill(message(), 0.0)
        template.render(message())


class TestAsContent:
    def test_a_text_without_fields_is_a_text(self) -> None:
        assert as_content("plain", "x", 0.0) == "plain"
        assert as_content("{{n}}", "x", 0.0) == "{n}"

    def test_a_text_with_fields_is_a_template(self) -> None:
        content = as_content("{n}", "x", 86_400.0)
        assert isinstance(content, Template)
        assert (content.text, content.epoch, content.constant) == ("{n}", 86_400.0, False)


def test_a_body_that_is_not_named_is_not_made() -> None:
    class Endless:
        def render(self, _message: Message) -> str:
            raise AssertionError

    message = Message()
    message.number = message.origin = 1
    message.arrived_at = message.origin_at = 0.0
    message.attributes = None
    message.content = Endless()
    assert Template("order {n} of all", "x").fill(message, 0.0) == "order 1 of all"
    with pytest.raises(AssertionError):
        Template("{body}", "x").fill(message, 0.0)
