"""Filter policies against a naive evaluator, and every way in which one is refused."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from msgsim.bus.filters import MESSAGE_ATTRIBUTES, MESSAGE_BODY, compile_policy, parse_body, plain_policy
from msgsim.errors import DeclarationError

_KEYS = st.sampled_from(["kind", "store", "price", "$or", ""])
_SCALARS: st.SearchStrategy[Any] = st.sampled_from(["a", "b", "1", "", 0, 1, 1.0, 2, 0.5, True, False, None]) | st.text(
    max_size=2
)
_POLICIES = st.dictionaries(_KEYS, st.lists(_SCALARS, min_size=1, max_size=2), max_size=5)
_VALUES = _SCALARS | st.lists(_SCALARS, max_size=3) | st.lists(_SCALARS, max_size=3).map(tuple) | st.binary(max_size=1)
_JSON = st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_KEYS, inner, max_size=2))


def _same(wanted: object, given_: object) -> bool:
    """Equal as JSON: numbers by value, everything else by kind and value."""

    def kind(value: object) -> str:
        return "number" if type(value) in (int, float) else type(value).__name__

    return kind(wanted) == kind(given_) and wanted == given_


def _naive(policy: dict[str, list[Any]], message: dict[str, Any]) -> bool:
    for key, alternatives in policy.items():
        if key not in message:
            return False
        value = message[key]
        members = value if isinstance(value, (list, tuple)) else [value]
        if not any(_same(wanted, member) for wanted in alternatives for member in members):
            return False
    return True


@pytest.mark.rule("SNS-FLT-2")
@pytest.mark.rule("SNS-FLT-5")
@given(_POLICIES, st.none() | st.dictionaries(_KEYS, _VALUES, max_size=5))
@example({"n": [1]}, {"n": True})
@example({"n": [True]}, {"n": 1})
@example({"n": [2]}, {"n": 2.0})
@example({"n": [0, "x"]}, {"n": [False, "x"]})
@example({"n": [None]}, {"n": None})
@example({"n": [None]}, {"m": 1})
@example({"n": ["x"]}, {"n": []})
def test_attributes_pass_as_a_naive_reading_says(
    policy: dict[str, list[Any]], attributes: dict[str, Any] | None
) -> None:
    expected = not policy or bool(attributes and _naive(policy, attributes))
    assert compile_policy(policy)(attributes) is expected


@pytest.mark.rule("SNS-FLT-6")
@given(_POLICIES, _JSON | st.dictionaries(_KEYS, _JSON, max_size=5))
@example({"n": ["x"]}, {"n": [{"x": 1}, "x"]})
@example({"n": ["x", 1]}, {"n": {"x": 1}})
def test_bodies_pass_as_a_naive_reading_says(policy: dict[str, list[Any]], body: Any) -> None:
    expected = not policy or (isinstance(body, dict) and _naive(policy, body))
    assert compile_policy(policy, MESSAGE_BODY)(parse_body(json.dumps(body))) is expected


@pytest.mark.rule("SNS-FLT-2")
@pytest.mark.parametrize(
    ("attributes", "passes"),
    [
        ({"store": "x", "kind": "placed"}, True),
        ({"store": "x", "kind": "shipped"}, True),
        ({"store": "x", "kind": "cancelled"}, False),
        ({"store": "y", "kind": "placed"}, False),
        ({"store": "x"}, False),
        ({"store": "X", "kind": "placed"}, False),
        ({"store": "x ", "kind": "placed"}, False),
        ({"store": "x", "kind": "placed", "more": 1}, True),
    ],
)
def test_all_keys_and_any_value(attributes: dict[str, Any], passes: bool) -> None:
    assert compile_policy({"store": ["x"], "kind": ["placed", "shipped"]})(attributes) is passes


@pytest.mark.rule("SNS-FLT-5")
@pytest.mark.parametrize("policy", [{"k": ["a"]}, {"k": ["a", 1]}, {"k": [True]}, {"k": [None], "j": ["a"]}])
@pytest.mark.parametrize("attributes", [None, {}])
def test_a_message_without_attributes_is_filtered_out(
    policy: dict[str, Any], attributes: dict[str, Any] | None
) -> None:
    assert not compile_policy(policy)(attributes)


@pytest.mark.rule("SNS-FLT-5")
@pytest.mark.parametrize("policy", [{"k": ["a", "z"]}, {"k": ["a", 0]}])
@pytest.mark.parametrize("array", [list, tuple])
def test_any_member_of_an_array_will_do(policy: dict[str, Any], array: type) -> None:
    passes = compile_policy(policy)
    assert passes({"k": array(["b", "a"])})
    assert not passes({"k": array(["b", "c"])})
    assert not passes({"k": array([])})
    assert passes({"k": array([["b"], {}, "a"])})


@pytest.mark.rule("SNS-FLT-5")
def test_kinds_are_not_mixed_and_binary_is_ignored() -> None:
    passes = compile_policy({"k": ["1"]})
    assert not passes({"k": 1})
    assert not passes({"k": b"1"})
    assert not passes({"k": {"1": 1}})
    assert not compile_policy({"k": [1]})({"k": "1"})
    assert compile_policy({"k": [3]})({"k": 3.0})


@pytest.mark.rule("SNS-FLT-6")
@pytest.mark.parametrize("text", ["", "placed", '"kind"', "1", "null", '["kind"]', '{"kind": NaN}', "{", "[" * 100_000])
def test_a_body_that_is_no_json_object_is_filtered_out(text: str) -> None:
    assert not compile_policy({"kind": ["placed"]}, MESSAGE_BODY)(parse_body(text))


def test_a_policy_without_keys_lets_everything_pass() -> None:
    for scope in (MESSAGE_ATTRIBUTES, MESSAGE_BODY):
        passes = compile_policy({}, scope)
        assert passes(None)
        assert passes({"k": "a"})


def test_the_policy_is_compiled_when_it_is_set() -> None:
    policy = {"k": ["a"]}
    passes = compile_policy(policy)
    policy["k"].append("b")
    assert not passes({"k": "b"})


def test_a_policy_has_its_own_copy_in_plain_dicts_and_lists() -> None:
    policy = {"k": ("a", ["b"]), "n": {"m": ("c",)}}
    copy = plain_policy(policy)
    assert copy == {"k": ["a", ["b"]], "n": {"m": ["c"]}}
    assert plain_policy("k") == "k"


@pytest.mark.rule("SNS-FLT-1")
@pytest.mark.parametrize("scope", ["MessageHeaders", "", None, 1])
def test_a_scope_is_one_of_two(scope: Any) -> None:
    with pytest.raises(DeclarationError) as caught:
        compile_policy({"k": ["a"]}, scope)
    assert caught.value.path == "Subscription.filter_scope"
    service = f"FilterPolicyScope: Invalid value [{scope}]. Please use either MessageBody or MessageAttributes"
    assert caught.value.problem == f"{service} (SNS-FLT-1)"


def _refusal(policy: Any, scope: str) -> str:
    with pytest.raises(DeclarationError) as caught:
        compile_policy(policy, scope)
    assert caught.value.path == "Subscription.filter_policy"
    return caught.value.problem


@pytest.mark.rule("SNS-FLT-3")
@pytest.mark.rule("SNS-FLT-10")
@pytest.mark.parametrize("scope", [MESSAGE_ATTRIBUTES, MESSAGE_BODY])
@pytest.mark.parametrize(
    ("policy", "text"),
    [
        (None, "None is not a filter policy; allowed: {key: [value, ...]}"),
        (["a"], "['a'] is not a filter policy"),
        ('{"k": ["a"]}', "is not a filter policy"),
        ({1: ["a"]}, "1 is not a key; allowed: a text"),
        ({"key_a": "a"}, "\"key_a\" must be an object or an array: 'a' given"),
        ({"key_a": None}, '"key_a" must be an object or an array: None given'),
        ({"k": []}, "Empty arrays are not allowed: 'k' has"),
        ({"k": ["a", ["b"]]}, "Match value must be String, number, true, false, or null: 'k' has ['b']"),
        ({"k": [{"a"}]}, "Match value must be String, number, true, false, or null"),
        ({"k": [float("nan")]}, "Match value must be String, number, true, false, or null"),
        ({"k": [float("inf")]}, "Match value must be String, number, true, false, or null"),
        ({"k": [b"a"]}, "Match value must be String, number, true, false, or null"),
        ({"k": [{}]}, "Only one key allowed in match expression: 'k' has {}"),
        ({"k": [{"prefix": "a", "suffix": "b"}]}, "Only one key allowed in match expression"),
        ({"k": ["a", {"begins": "b"}]}, "Unrecognized match type begins: 'k' has {'begins': 'b'}"),
        ({"$or": [{"k": ["a"]}]}, "Unrecognized match type k"),
    ],
)
def test_what_is_no_policy_is_refused_in_the_words_of_the_service(policy: Any, text: str, scope: str) -> None:
    assert text in _refusal(policy, scope)


@pytest.mark.rule("SNS-FLT-10")
def test_a_nested_policy_is_for_bodies() -> None:
    text = "Filter policy scope MessageAttributes does not support nested filter policy"
    assert text in _refusal({"k": {"j": ["a"]}}, MESSAGE_ATTRIBUTES)
    assert "the nested policy of key 'k' is not understood so far" in _refusal({"k": {"j": ["a"]}}, MESSAGE_BODY)


@pytest.mark.rule("SNS-FLT-3")
@pytest.mark.parametrize(
    ("operator", "operand"),
    [
        ("prefix", "a"),
        ("suffix", "a"),
        ("equals-ignore-case", "a"),
        ("wildcard", "a*"),
        ("anything-but", ["a"]),
        ("numeric", ["=", 1]),
        ("exists", True),
        ("cidr", "10.0.0.0/24"),
    ],
)
def test_an_operator_is_refused_by_name(operator: str, operand: object) -> None:
    for scope in (MESSAGE_ATTRIBUTES, MESSAGE_BODY):
        problem = _refusal({"k": ["a", {operator: operand}]}, scope)
        assert problem.startswith(
            f"the operator '{operator}' of key 'k' is not understood so far, only exact values are"
        )


@pytest.mark.rule("SNS-FLT-4")
def test_or_is_an_operator_between_policies_and_otherwise_a_key() -> None:
    assert "the operator '$or' is not understood" in _refusal({"$or": [{"k": ["a"]}, {"j": ["b"]}]}, MESSAGE_BODY)
    assert "the operator 'prefix' of key '$or'" in _refusal({"$or": [{"prefix": "a"}, {"k": ["b"]}]}, MESSAGE_BODY)
    assert compile_policy({"$or": ["a", "b"]})({"$or": "b"})


@pytest.mark.rule("SNS-FLT-6")
def test_a_dotted_key_is_a_name_in_attributes_and_refused_as_a_path_in_bodies() -> None:
    assert compile_policy({"a.b": ["x"]})({"a.b": "x"})
    assert "the path 'a.b' into a message body is not understood so far" in _refusal({"a.b": ["x"]}, MESSAGE_BODY)


@pytest.mark.rule("SNS-FLT-8")
def test_a_policy_has_at_most_five_keys() -> None:
    assert compile_policy({key: ["a"] for key in "12345"})(dict.fromkeys("12345", "a"))
    problem = _refusal({key: ["a"] for key in "123456"}, MESSAGE_ATTRIBUTES)
    assert problem == "Filter policy can not have more than 5 keys: 6 given (SNS-FLT-8)"


@pytest.mark.rule("SNS-FLT-8")
def test_a_policy_has_at_most_150_combinations() -> None:
    values = {"a": list(range(5)), "b": list(range(5)), "c": list(range(6))}
    assert compile_policy(values)({"a": 4, "b": 0, "c": 5})
    values["c"] = [0]
    values["a"] = list(range(31))
    problem = _refusal(values, MESSAGE_ATTRIBUTES)
    assert problem.startswith("Filter policy is too complex: 155 combinations of values given; allowed: up to 150")


def test_an_integer_beyond_floats_is_a_number() -> None:
    assert compile_policy({"k": [10**400]})({"k": 10**400})
