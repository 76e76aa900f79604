import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgsim.errors import DeclarationError
from msgsim.toml.notation import WIDTH, parse, parse_value, write

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = TEXTS | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=3))


@pytest.mark.slow
@given(
    st.dictionaries(TEXTS, SCALARS | st.lists(VALUES), max_size=3),
    st.dictionaries(TEXTS, st.dictionaries(TEXTS, VALUES)),
)
def test_what_is_written_is_read_back(fields: dict[str, Any], members: dict[str, Any]) -> None:
    data = {**fields, "section": members}
    again = tomllib.loads(write(data))
    assert again == data if members else again == fields


def test_numbers_fill_lines() -> None:
    lines = write({"counts": list(range(100))}).splitlines()
    assert all(len(line) <= WIDTH for line in lines)
    assert len(lines) == 7


def test_tables_and_texts_that_do_not_fit_have_lines_of_their_own() -> None:
    assert write({"tables": [{"a": 1}, {"b": {}}], "texts": ["x" * 60, "y" * 60]}).splitlines() == [
        "tables = [",
        "    { a = 1 },",
        "    { b = {} },",
        "]",
        "texts = [",
        f'    "{"x" * 60}",',
        f'    "{"y" * 60}",',
        "]",
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        (" 1.5 ", 1.5),
        ("true", True),
        ("[1, 'a']", [1, "a"]),
        ('{to = "b"}', {"to": "b"}),
        ("'12'", "12"),
        ("emails", "emails"),
        ("", ""),
        ("a = 5", "a = 5"),
        ("1\nb = 2", "1\nb = 2"),
        ("2026-01-01", "2026-01-01"),
        ("10:00:00", "10:00:00"),
        ("order {n}", "order {n}"),
    ],
)
def test_a_value_is_what_toml_says_or_else_a_text(text: str, value: object) -> None:
    assert parse_value(text) == value
    assert type(parse_value(text)) is type(value)


@pytest.mark.parametrize("text", ["{to = ", "[1,", "'open", '"', "{a=1}}", "{a=1}\nb=2"])
def test_a_value_that_begins_as_toml_has_to_go_on_as_toml(text: str) -> None:
    with pytest.raises(DeclarationError, match="is not a TOML value"):
        parse_value(text)


def test_syntax_errors_say_line_and_column() -> None:
    with pytest.raises(DeclarationError) as raised:
        parse("a = 1\nb = [1,\n    oops]\n", "mine.toml")
    assert str(raised.value) == "mine.toml: not TOML: Invalid value (at line 3, column 5)"
