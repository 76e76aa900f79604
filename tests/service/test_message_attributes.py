"""Message attributes between wire and bus."""

import pickle
from hashlib import md5
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgsim.bus.contents import attributes_bytes
from msgsim.bus.filters import compile_policy
from msgsim.bus.publication import check_publish
from msgsim.errors import ServiceError
from msgsim.service import sns_refusals, sqs_refusals
from msgsim.service.message_attributes import checksum, from_wire, to_wire

WIRED = st.one_of(
    st.builds(
        lambda label, value: {"DataType": f"String{label}", "StringValue": value},
        st.sampled_from(["", ".Array", ".json"]),
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
        | st.sampled_from(['["a", 1]', "[1,2]", "[", "3"]),
    ),
    st.builds(
        lambda label, value: {"DataType": f"Number{label}", "StringValue": value},
        st.sampled_from(["", ".int"]),
        st.integers(-(10**38) + 1, 10**38 - 1).map(str)
        | st.sampled_from(["007", "1.50", "-.5", "+1e3", "2.", "9" * 38]),
    ),
    st.builds(
        lambda label, value: {"DataType": f"Binary{label}", "BinaryValue": value},
        st.sampled_from(["", ".gif"]),
        st.binary(min_size=1),
    ),
)


def _value(wire: dict[str, Any], *, arrays: bool = False) -> Any:
    return from_wire({"k": wire}, sqs_refusals.WORDING, arrays=arrays)["k"]


@pytest.mark.parametrize(
    ("wire", "value"),
    [
        ({"DataType": "String", "StringValue": "x"}, "x"),
        ({"DataType": "String.json", "StringValue": "[1]"}, "[1]"),
        ({"DataType": "Number", "StringValue": "1.50"}, 1.5),
        ({"DataType": "Number.int", "StringValue": "007"}, 7),
        ({"DataType": "Binary", "BinaryValue": b"\x00"}, b"\x00"),
    ],
)
def test_the_bus_sees_plain_values(wire: dict[str, Any], value: object) -> None:
    assert _value(wire) == value
    assert hash(_value(wire)) == hash(value)


@pytest.mark.rule("SNS-FLT-5")
def test_only_topics_see_the_members_of_an_array() -> None:
    wire = {"DataType": "String.Array", "StringValue": '["a", 1, null]'}
    assert _value(wire) == '["a", 1, null]'
    assert _value(wire, arrays=True) == ["a", 1, None]
    for text in ('{"a": 1}', "a", "["):
        assert _value({"DataType": "String.Array", "StringValue": text}, arrays=True) == text


@given(st.dictionaries(st.from_regex("[a-z]{1,9}", fullmatch=True), WIRED, max_size=5), st.booleans())
def test_what_came_over_the_wire_goes_back_as_it_came(wires: dict[str, Any], arrays: bool) -> None:
    values = from_wire(wires, sqs_refusals.WORDING, arrays=arrays)
    assert to_wire(dict(values)) == wires
    assert checksum(to_wire(values)) == checksum(wires)
    assert pickle.loads(pickle.dumps(values)) == values  # noqa: S301 - its own pickle
    check_publish("x", values, None)


@pytest.mark.rule("SQS-SND-3")
def test_a_number_has_the_size_that_it_was_written_with() -> None:
    assert (
        attributes_bytes(from_wire({"k": {"DataType": "Number", "StringValue": "007.50"}}, sqs_refusals.WORDING))
        == 1 + 6 + 6
    )


@pytest.mark.rule("SNS-FLT-2")
def test_filters_match_what_came_over_the_wire() -> None:
    passes = compile_policy({"kind": ["placed"], "n": [7]})
    assert passes(
        from_wire(
            {
                "kind": {"DataType": "String.Array", "StringValue": '["placed"]'},
                "n": {"DataType": "Number", "StringValue": "7.0"},
            },
            sns_refusals.WORDING,
            arrays=True,
        )
    )


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        ("x", {"DataType": "String", "StringValue": "x"}),
        (7, {"DataType": "Number", "StringValue": "7"}),
        (1.5, {"DataType": "Number", "StringValue": "1.5"}),
        (b"\x00", {"DataType": "Binary", "BinaryValue": b"\x00"}),
        (["é", 1], {"DataType": "String.Array", "StringValue": '["é", 1]'}),
        (("a",), {"DataType": "String.Array", "StringValue": '["a"]'}),
        (True, {"DataType": "String.Array", "StringValue": "[true]"}),
        (None, {"DataType": "String.Array", "StringValue": "[null]"}),
    ],
)
def test_values_that_did_not_come_over_the_wire_get_their_type(value: object, wire: dict[str, Any]) -> None:
    assert to_wire({"k": value}) == {"k": wire}


@pytest.mark.rule("SQS-SND-7")
def test_the_checksum_has_its_published_value() -> None:
    wires = {"MyAttribute": {"DataType": "String", "StringValue": "foobar"}}
    assert checksum(wires) == "adb59cd4678ea5a855436b949cd07ab6"


@pytest.mark.rule("SQS-SND-7")
def test_the_checksum_is_of_names_types_and_values_in_the_order_of_names() -> None:
    wires: dict[str, Any] = {
        "b": {"DataType": "Binary.gif", "BinaryValue": b"\xff"},
        "a": {"DataType": "Number", "StringValue": "1é"},
    }
    octets = b"".join(
        (
            b"\x00\x00\x00\x01a",
            b"\x00\x00\x00\x06Number",
            b"\x01",
            b"\x00\x00\x00\x031\xc3\xa9",
            b"\x00\x00\x00\x01b",
            b"\x00\x00\x00\x0aBinary.gif",
            b"\x02",
            b"\x00\x00\x00\x01\xff",
        )
    )
    assert checksum(wires) == md5(octets, usedforsecurity=False).hexdigest()


@pytest.mark.rule("SQS-SND-5")
@pytest.mark.rule("SNS-PUB-3")
@pytest.mark.parametrize(
    ("wire", "to_queues", "to_topics"),
    [
        (
            {"DataType": "Text", "StringValue": "x"},
            (
                "The type of message (user) attribute 'k' is invalid. You must use only the following supported type "
                "prefixes: Binary, Number, String."
            ),
            (
                "The message attribute 'k' has an invalid message attribute type, the set of supported type prefixes "
                "is Binary, Number, and String."
            ),
        ),
        (
            {"DataType": "String.json"},
            "Message (user) attribute 'k' must contain a non-empty value of type 'String'.",
            (
                "The message attribute 'k' must contain non-empty message attribute value for message attribute type "
                "'String'."
            ),
        ),
        (
            {"DataType": "Binary", "BinaryValue": b""},
            "Message (user) attribute 'k' must contain a non-empty value of type 'Binary'.",
            (
                "The message attribute 'k' must contain non-empty message attribute value for message attribute type "
                "'Binary'."
            ),
        ),
        (
            {"DataType": "Number", "BinaryValue": b"1"},
            "The message attribute 'k' with type 'Number' must use field 'String'.",
            "The message attribute 'k' with type 'Number' must use field 'String'.",
        ),
        (
            {"DataType": "Number", "StringValue": "seven"},
            "Can't cast the value of message (user) attribute 'k' to a number.",
            "Could not cast message attribute 'k' value to number.",
        ),
    ],
)
def test_what_is_no_attribute_is_refused_in_the_words_of_the_service(
    wire: dict[str, Any], to_queues: str, to_topics: str
) -> None:
    for wording, code, text in (
        (sqs_refusals.WORDING, "InvalidParameterValue", to_queues),
        (sns_refusals.WORDING, "ParameterValueInvalid", to_topics),
    ):
        with pytest.raises(ServiceError) as caught:
            from_wire({"k": wire}, wording)
        assert (caught.value.code, caught.value.message, caught.value.status) == (code, text, 400)


@pytest.mark.parametrize("text", ["", "1 ", "0x1", "1_0", "nan", "inf", "1e", ".", "٣"])
def test_only_decimal_numbers_are_numbers(text: str) -> None:
    with pytest.raises(ServiceError):
        _value({"DataType": "Number", "StringValue": text})
