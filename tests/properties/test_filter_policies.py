"""Generated filter policies and messages: what is compiled decides as what is interpreted."""

import json
from typing import Any

import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

from msgsim.bus.filters import MESSAGE_BODY, compile_policy, parse_body, why_filtered
from msgsim.errors import DeclarationError
from tests.properties.filter_model import passes_attributes, passes_body

_KEYS = st.sampled_from(["k", "j", "$or", "a.b", "", "n"])
_TEXTS = st.sampled_from(["", "a", "A", "ab", "aba", "b", "ba", "1", "10.0.0.1", "10.0.1.1", "::1"]) | st.text(
    "abA.*", max_size=4
)
_NUMBERS = st.sampled_from([0, 1, 1.0, -1, 2, 0.5, 10**12, -0.0]) | st.integers(-3, 3) | st.floats(-3, 3)
_SCALARS = st.one_of(_TEXTS, _NUMBERS, st.sampled_from([True, False, None]))
_PATTERNS = st.lists(st.sampled_from(["", "a", "b", "ab"]), min_size=1, max_size=4).map("*".join)


def _ranges(low: float, high: float) -> list[list[Any]]:
    return [[lower, low, upper, high] for lower in (">", ">=") for upper in ("<", "<=")]


_NUMERIC = st.one_of(
    st.tuples(st.sampled_from(["=", "<", "<=", ">", ">="]), _NUMBERS).map(list),
    st.sampled_from([each for low, high in ((0, 1), (-1, 2), (0.5, 10**12)) for each in _ranges(low, high)]),
)
_ANYTHING_BUT = st.one_of(
    _SCALARS,
    st.lists(_SCALARS, min_size=1, max_size=3),
    st.tuples(st.sampled_from(["prefix", "suffix"]), _TEXTS).map(lambda pair: {pair[0]: pair[1]}),
    st.one_of(_PATTERNS, st.lists(_PATTERNS, min_size=1, max_size=2)).map(lambda patterns: {"wildcard": patterns}),
)
_ELEMENTS = st.one_of(
    _SCALARS,
    st.tuples(st.sampled_from(["prefix", "suffix", "equals-ignore-case"]), _TEXTS).map(lambda pair: {pair[0]: pair[1]}),
    st.builds(lambda pattern: {"wildcard": pattern}, _PATTERNS),
    st.builds(lambda operand: {"anything-but": operand}, _ANYTHING_BUT),
    st.builds(lambda operand: {"numeric": operand}, _NUMERIC),
    st.builds(lambda there: {"exists": there}, st.booleans()),
    st.builds(lambda net: {"cidr": net}, st.sampled_from(["10.0.0.0/24", "::/64", "0.0.0.0/0"])),
)
_ARRAYS = st.lists(_ELEMENTS, min_size=1, max_size=3)
_FLAT = st.dictionaries(_KEYS, _ARRAYS, min_size=1, max_size=3)


def _with_or(policies: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    branches = st.lists(policies, min_size=2, max_size=3)
    return st.builds(lambda policy, either: {**policy, "$or": either}, st.one_of(st.just({}), _FLAT), branches)


def _nested(policies: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(_KEYS, st.one_of(_ARRAYS, policies), min_size=1, max_size=2)


_ATTRIBUTE_POLICIES = st.one_of(_FLAT, _with_or(_FLAT), _with_or(_with_or(_FLAT)))
_BODY_POLICIES = st.recursive(_FLAT, lambda inner: st.one_of(_with_or(inner), _nested(inner)), max_leaves=4)
_VALUES = st.one_of(
    _SCALARS, st.lists(_SCALARS, max_size=3), st.lists(_SCALARS, max_size=2).map(tuple), st.binary(max_size=1)
)
_BODIES = st.recursive(
    st.one_of(_SCALARS, st.just([])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["k", "j", "a", "b", "a.b", "", "n"]), inner, max_size=3),
    ),
    max_leaves=8,
)


@pytest.mark.rule("SNS-FLT-2")
@pytest.mark.rule("SNS-FLT-3")
@pytest.mark.rule("SNS-FLT-4")
@pytest.mark.rule("SNS-FLT-5")
@given(_ATTRIBUTE_POLICIES, st.none() | st.dictionaries(_KEYS, _VALUES, max_size=4))
@example({"k": [{"exists": False}, "a"]}, {"j": b""})
@example({"k": [{"anything-but": 1}]}, {"k": True})
def test_attributes(policy: dict[str, Any], attributes: dict[str, Any] | None) -> None:
    try:
        passes = compile_policy(policy)
    except DeclarationError as refusal:
        event(refusal.problem.partition(":")[0])
        return
    decision = passes(attributes)
    event(f"passes: {decision}")
    assert decision is passes_attributes(policy, attributes)
    if not decision:
        reason = why_filtered("MessageAttributes", attributes, None)
        seen = [value for value in (attributes or {}).values() if not isinstance(value, bytes)]
        assert reason == ("MessageAttributes" if seen else "NoMessageAttributes")


@pytest.mark.rule("SNS-FLT-3")
@pytest.mark.rule("SNS-FLT-6")
@pytest.mark.rule("SNS-FLT-7")
@given(_BODY_POLICIES, st.dictionaries(st.sampled_from(["k", "j", "a", "a.b", "n", ""]), _BODIES, max_size=3) | _BODIES)
@example({"a": {"b": ["a"]}}, {"a.b": "a"})
@example({"a": {"b": ["a"], "c": [{"exists": False}]}}, {"a": [{"b": ["a"]}, {"c": []}]})
def test_bodies(policy: dict[str, Any], body: Any) -> None:
    try:
        passes = compile_policy(policy, MESSAGE_BODY)
    except DeclarationError as refusal:
        event(refusal.problem.partition(":")[0])
        return
    decision = passes(parse_body(json.dumps(body)))
    event(f"passes: {decision}")
    assert decision is passes_body(policy, body)
