"""What a queue accepts as a message."""

import math
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgsim.bus.contents import attributes_bytes, check_message
from msgsim.errors import InvalidMessageContents, InvalidParameterValue, MissingParameter

LARGE = 1_048_576


def allowed(code: int) -> bool:
    """SQS-SND-2, as the service's documentation writes it."""
    return code in {0x9, 0xA, 0xD} or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF


class TestBody:
    @pytest.mark.rule("SQS-SND-1")
    def test_has_at_least_one_character(self) -> None:
        check_message("x", None, LARGE)
        with pytest.raises(MissingParameter, match=r"^The request must contain the parameter MessageBody\.$"):
            check_message("", None, LARGE)

    @pytest.mark.parametrize("body", [b"x", 7, None, ["x"]])
    def test_is_a_text(self, body: object) -> None:
        with pytest.raises(InvalidParameterValue, match=r"^the body must be a text, not "):
            check_message(body, None, LARGE)

    @pytest.mark.rule("SQS-SND-2")
    @pytest.mark.parametrize("code", [0x9, 0xA, 0xD, 0x20, 0xD7FF, 0xE000, 0xFFFD, 0x10000, 0x10FFFF])
    def test_may_have_characters_at_the_ends_of_the_ranges(self, code: int) -> None:
        check_message(chr(code), None, LARGE)

    @pytest.mark.rule("SQS-SND-2")
    @pytest.mark.parametrize("code", [0x0, 0x8, 0xB, 0xC, 0xE, 0x1F, 0xD800, 0xDFFF, 0xFFFE, 0xFFFF])
    def test_may_not_have_those_just_outside(self, code: int) -> None:
        with pytest.raises(InvalidMessageContents, match=rf"^Invalid characters found: U\+{code:04X} at position 2\.$"):
            check_message("ab" + chr(code) + "\0", None, LARGE)

    @pytest.mark.rule("SQS-SND-2")
    @given(st.integers(0, sys.maxunicode))
    def test_may_have_exactly_the_allowed_characters(self, code: int) -> None:
        try:
            check_message(chr(code), None, LARGE)
        except InvalidMessageContents:
            assert not allowed(code)
        else:
            assert allowed(code)


class TestSize:
    @pytest.mark.rule("SQS-SND-3")
    def test_is_in_bytes_and_the_limit_is_inclusive(self) -> None:
        check_message("é" * 5, None, 10)
        with pytest.raises(
            InvalidParameterValue,
            match=r"^One or more parameters are invalid\. Reason: Message must be shorter than 10 bytes\.$",
        ):
            check_message("é" * 5 + "x", None, 10)

    @pytest.mark.rule("SQS-SND-3")
    def test_names_a_large_limit_in_full(self) -> None:
        with pytest.raises(InvalidParameterValue, match="shorter than 1048576 bytes"):
            check_message("x" * (LARGE + 1), None, LARGE)

    @pytest.mark.rule("SQS-SND-3")
    def test_includes_attributes(self) -> None:
        check_message("xxxx", {"a": "b"}, 4 + 1 + 6 + 1)
        with pytest.raises(InvalidParameterValue, match="must be shorter"):
            check_message("xxxx", {"a": "b"}, 4 + 1 + 6)

    @pytest.mark.rule("SQS-SND-3")
    @pytest.mark.parametrize(
        ("value", "size"),
        [
            ("é", 1 + len("String") + 2),
            (b"\0\1\2", 1 + len("Binary") + 3),
            (25, 1 + len("Number") + 2),
            (2.5, 1 + len("Number") + 3),
            (["x"], 1 + len("String.Array") + len("['x']")),
            (("x",), 1 + len("String.Array") + len("('x',)")),
        ],
    )
    def test_of_an_attribute_is_its_name_type_and_value(self, value: object, size: int) -> None:
        assert attributes_bytes({"a": value}) == size

    def test_of_several_attributes_is_their_sum(self) -> None:
        assert attributes_bytes({"a": "b", "long": b"12"}) == (1 + 6 + 1) + (4 + 6 + 2)
        assert attributes_bytes({}) == 0


class TestAttributes:
    @pytest.mark.rule("SQS-SND-4")
    def test_are_at_most_ten(self) -> None:
        attributes_bytes({f"a{number}": "x" for number in range(10)})
        with pytest.raises(InvalidParameterValue, match=r"at most 10 attributes \(SQS-SND-4\), not 11"):
            attributes_bytes({f"a{number}": "x" for number in range(11)})

    @pytest.mark.rule("SQS-SND-4")
    @pytest.mark.parametrize(
        "name", ["a", "A.b-c_9", "a..b", "x" * 256, "aws", "awsome.x", "my.aws.x", "amazon", "-", "9"]
    )
    def test_names_that_can_be(self, name: str) -> None:
        attributes_bytes({name: "x"})

    @pytest.mark.rule("SQS-SND-4")
    @pytest.mark.parametrize(
        "name",
        [
            "",
            "a b",
            ".a",
            "a.",
            ".",
            "aws.x",
            "AWS.x",
            "Aws.",
            "amazon.x",
            "AMAZON.X",
            "é",
            "x" * 257,
            "a\n",
            "\u212a",
            "\u017f",
            7,
        ],
    )
    def test_names_that_cannot_be(self, name: Any) -> None:
        with pytest.raises(InvalidParameterValue, match=r"is not a name for a message attribute \(SQS-SND-4\)$"):
            attributes_bytes({name: "x"})

    @pytest.mark.rule("SQS-SND-5")
    @pytest.mark.parametrize(("value", "data_type"), [("", "String"), (b"", "Binary")])
    def test_values_are_not_empty(self, value: object, data_type: str) -> None:
        with pytest.raises(
            InvalidParameterValue,
            match=rf"^Message \(user\) attribute 'kind' must contain a non-empty value of type '{data_type}'\.$",
        ):
            attributes_bytes({"kind": value})

    @pytest.mark.rule("SQS-SND-5")
    @pytest.mark.parametrize("value", [None, True, {"a": 1}, object, 1j])
    def test_values_are_texts_numbers_bytes_or_lists(self, value: object) -> None:
        with pytest.raises(
            InvalidParameterValue, match=r"attribute 'kind' must be a text, a number, bytes or a list, not"
        ):
            attributes_bytes({"kind": value})

    @pytest.mark.rule("SQS-SND-2")
    @pytest.mark.parametrize("value", ["a\0", "a\ud800"])
    def test_texts_have_the_characters_of_bodies(self, value: str) -> None:
        code = f"{ord(value[1]):04X}"
        with pytest.raises(
            InvalidParameterValue, match=rf"attribute 'kind': Invalid characters found: U\+{code} at position 1\.$"
        ):
            attributes_bytes({"kind": value})

    @given(st.dictionaries(st.text(max_size=4), st.text(max_size=4) | st.binary(max_size=4) | st.floats() | st.none()))
    def test_whatever_is_given_is_taken_or_refused(self, attributes: dict[str, Any]) -> None:
        try:
            size = attributes_bytes(attributes)
        except InvalidParameterValue:
            pass
        else:
            assert size >= 8 * len(attributes)

    def test_numbers_may_be_of_any_size(self) -> None:
        assert attributes_bytes({"a": math.pi}) == 1 + 6 + len("3.141592653589793")
