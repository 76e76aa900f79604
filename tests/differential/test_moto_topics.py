"""Topics of msgsim and of moto: who gets a message through a filter policy, and what is refused by which code."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("moto", reason="the comparison with moto needs it: pip install 'moto[sqs]'")

from msgsim.bus.message import EPOCH
from tests.differential.topics import Sides
from tests.differential.twins import moto_on_a_clock

KEYS = st.sampled_from(["k", "j", "n"])
TEXTS = st.sampled_from(["a", "ab", "b", "ba", "A"])
NUMBERS = st.sampled_from([0, 1, 2, 1.5, -3])
ELEMENTS = st.one_of(
    TEXTS,
    NUMBERS,
    st.builds(lambda name, text: {name: text}, st.sampled_from(["prefix", "suffix", "equals-ignore-case"]), TEXTS),
    st.builds(lambda texts: {"anything-but": texts}, st.lists(TEXTS, min_size=1, max_size=2)),
    st.builds(lambda start: {"anything-but": {"prefix": start}}, TEXTS),
    st.builds(lambda sign, n: {"numeric": [sign, n]}, st.sampled_from(["=", "<", "<=", ">", ">="]), NUMBERS),
    st.just({"numeric": [">=", 0, "<", 2]}),
    st.just({"exists": True}),
)
ARRAYS = st.one_of(st.lists(ELEMENTS, min_size=1, max_size=3), st.just([{"exists": False}]))
POLICIES = st.dictionaries(KEYS, ARRAYS, min_size=1, max_size=2)
WIRES = st.one_of(
    TEXTS.map(lambda text: {"DataType": "String", "StringValue": text}),
    NUMBERS.map(lambda number: {"DataType": "Number", "StringValue": str(number)}),
)
MESSAGES = st.dictionaries(KEYS, WIRES, min_size=1, max_size=3)


@pytest.fixture(scope="module")
def moto() -> Iterator[None]:
    with moto_on_a_clock() as (_, clock):
        clock.now = EPOCH
        yield


@pytest.mark.usefixtures("moto")
@settings(max_examples=20, deadline=None)
@given(policy=POLICIES, messages=st.lists(MESSAGES, min_size=1, max_size=6))
def test_the_same_messages_get_through(policy: dict[str, Any], messages: list[dict[str, Any]]) -> None:
    sides = Sides(policy)
    assert sides.ours(messages) == sides.theirs(messages)


@pytest.mark.usefixtures("moto")
@pytest.mark.parametrize(
    "policy",
    [
        {"k": "a"},
        {"k": [["a"]]},
        {"k": [{"begins": "a"}]},
        {"k": [{"exists": "true"}]},
        {"k": [{"numeric": []}]},
        {"k": [{"numeric": ["<", "a"]}]},
        {"k": [{"numeric": [">", 1, ">", 2]}]},
        {"k": [{"numeric": [">", 2, "<", 1]}]},
        {key: ["a"] for key in "123456"},
        {key: list(range(6)) for key in "123"},
    ],
)
def test_the_same_policies_are_refused(policy: dict[str, Any]) -> None:
    sides = Sides(policy)
    assert sides.ours([]) == sides.theirs([]) == "InvalidParameter"
