"""Shapes of parameters, and how others are refused."""

from typing import Any

import pytest

from msgsim.errors import ServiceError
from msgsim.service.parameters import ANY_TEXT, BYTES, FLAG, TEXT, WHOLE, ListOf, MapOf, Missing, Shape, Structure

MISSING = Missing("MissingParameter", "The request must contain the parameter {}.")
PERSON = Structure({"Name": TEXT}, {"Age": WHOLE, "Tags": MapOf(TEXT), "Friends": ListOf(Structure({"Name": TEXT}))})


def _refusal(shape: Shape, value: Any, path: str = "") -> str:
    with pytest.raises(ServiceError) as caught:
        shape.check(path, value, MISSING)
    assert caught.value.status == 400
    return f"{caught.value.code}: {caught.value.message}"


@pytest.mark.parametrize(
    "person",
    [
        {"Name": "Ann"},
        {"Name": "", "Age": 7, "Tags": {"a": "b"}, "Friends": ({"Name": "Bob"},)},
        {"Name": "\U0001f600"},
    ],
)
def test_what_has_the_shape_is_accepted(person: dict[str, Any]) -> None:
    PERSON.check("", person, MISSING)


@pytest.mark.parametrize(
    ("person", "message"),
    [
        ({}, "MissingParameter: The request must contain the parameter Name."),
        (
            {"Name": "Ann", "Friends": [{"Name": "Bob"}, {}]},
            "MissingParameter: The request must contain the parameter Friends.1.Name.",
        ),
        (7, "ValidationError: Invalid type for parameter input: 7 is not a map"),
        ({"Name": 7}, "ValidationError: Invalid type for parameter Name: 7 is not a text"),
        (
            {"Name": "\ud83d"},
            r"ValidationError: Invalid type for parameter Name: '\ud83d' is not a text of whole characters",
        ),
        ({"Name": "Ann", "Age": "7"}, "ValidationError: Invalid type for parameter Age: '7' is not a whole number"),
        ({"Name": "Ann", "Age": 7.0}, "ValidationError: Invalid type for parameter Age: 7.0 is not a whole number"),
        ({"Name": "Ann", "Age": True}, "ValidationError: Invalid type for parameter Age: True is not a whole number"),
        ({"Name": "Ann", "Tags": []}, "ValidationError: Invalid type for parameter Tags: [] is not a map"),
        ({"Name": "Ann", "Tags": {1: "b"}}, "ValidationError: Invalid type for parameter Tags (name): 1 is not a text"),
        ({"Name": "Ann", "Tags": {"a": 1}}, "ValidationError: Invalid type for parameter Tags.a: 1 is not a text"),
        ({"Name": "Ann", "Friends": "Bob"}, "ValidationError: Invalid type for parameter Friends: 'Bob' is not a list"),
        (
            {"Name": "Ann", "Friends": ["Bob"]},
            "ValidationError: Invalid type for parameter Friends.0: 'Bob' is not a map",
        ),
        (
            {"Name": "Ann", "age": 7},
            (
                'ValidationError: Unknown parameter in input: "age", must be one of: Name, Age, Tags, Friends '
                "(others that the service has are not modelled yet)"
            ),
        ),
        (
            {"Name": "Ann", "Friends": [{"Name": "Bob", "Age": 7}]},
            (
                'ValidationError: Unknown parameter in Friends.0: "Age", must be one of: Name '
                "(others that the service has are not modelled yet)"
            ),
        ),
    ],
)
def test_another_shape_is_refused_with_its_place(person: Any, message: str) -> None:
    assert _refusal(PERSON, person) == message


def test_an_operation_without_parameters_takes_none() -> None:
    Structure({}).check("", {}, MISSING)
    assert 'Unknown parameter in input: "a", must be one of: none' in _refusal(Structure({}), {"a": 1})


def test_other_types() -> None:
    FLAG.check("p", False, MISSING)
    BYTES.check("p", b"", MISSING)
    ANY_TEXT.check("p", "\ud83d", MISSING)
    assert _refusal(FLAG, 0, "p") == "ValidationError: Invalid type for parameter p: 0 is not true or false"
    assert _refusal(BYTES, "", "p") == "ValidationError: Invalid type for parameter p: '' is not bytes"
