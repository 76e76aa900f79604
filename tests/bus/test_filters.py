"""Filter policies: keys, arrays, scopes, limits; the operators are in test_matches.py."""

import json
import pickle
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import msgsim as ms
from msgsim.bus.filters import (
    MESSAGE_ATTRIBUTES,
    MESSAGE_BODY,
    REASONS,
    compile_policy,
    parse_body,
    plain_policy,
    why_filtered,
)
from msgsim.errors import DeclarationError

_KEYS = st.sampled_from(["kind", "store", "price", "$or", ""])
_SCALARS: st.SearchStrategy[Any] = st.sampled_from(
    ["a", "b", "ab", "A", "1", "0", "", " ", "\0", "é", "\U0001f600", 0, 1, -1, 1.0, 2, 0.5, True, False, None]
)
_POLICIES = st.dictionaries(_KEYS, st.lists(_SCALARS, min_size=1, max_size=2), max_size=5)
_VALUES = _SCALARS | st.lists(_SCALARS, max_size=3) | st.lists(_SCALARS, max_size=3).map(tuple) | st.binary(max_size=1)
_JSON = st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_KEYS, inner, max_size=2))


def _same(wanted: object, given_: object) -> bool:
    """Equal as JSON: numbers by value, everything else by kind and value."""

    def kind(value: object) -> str:
        return "number" if type(value) in (int, float) else type(value).__name__

    return kind(wanted) == kind(given_) and wanted == given_


def _members(value: Any) -> list[Any]:
    return [leaf for each in value for leaf in _members(each)] if isinstance(value, list) else [value]


def _naive(policy: dict[str, list[Any]], message: dict[str, Any], *, deep: bool = False) -> bool:
    for key, alternatives in policy.items():
        if key not in message:
            return False
        value = message[key]
        members = _members(value) if deep else value if isinstance(value, (list, tuple)) else [value]
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
    expected = not policy or (isinstance(body, dict) and _naive(policy, body, deep=True))
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


@pytest.mark.rule("SNS-FLT-1")
@pytest.mark.parametrize(("scope", "wanted"), [({}, "a"), ({"filter_scope": MESSAGE_BODY}, "b")])
def test_a_policy_looks_at_attributes_unless_it_is_for_the_body(scope: dict[str, str], wanted: str) -> None:
    queue = ms.StandardQueue(ms.Queue(), "q")
    subscription = ms.Subscription(endpoint="q", filter_policy={"kind": [wanted]}, **scope)
    topic = ms.TopicFanout(ms.Topic(subscriptions=[subscription]), endpoints={"q": queue})
    topic.publish('{"kind": "b"}', 0, attributes={"kind": "a"})
    topic.publish(json.dumps({"kind": "a"}), 0, attributes={"kind": "b"})
    assert (topic.delivered, topic.filtered_out) == (1, 1)
    (delivery,) = queue.receive(0, 10)
    assert json.loads(json.loads(delivery.body)["Message"]) == {"kind": "b"}


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
        ({"k": ["a", ["b"]]}, "Match value must be String, number, true, false, or null: ['b'] given"),
        ({"k": [{"a"}]}, "Match value must be String, number, true, false, or null"),
        ({"k": [float("nan")]}, "Match value must be String, number, true, false, or null"),
        ({"k": [float("inf")]}, "Match value must be String, number, true, false, or null"),
        ({"k": [b"a"]}, "Match value must be String, number, true, false, or null"),
        ({"k": [{}]}, "Only one key allowed in match expression: {} given"),
        ({"k": [{"prefix": "a", "suffix": "b"}]}, "Only one key allowed in match expression"),
        ({"k": ["a", {"begins": "b"}]}, "Unrecognized match type begins: {'begins': 'b'} given"),
        ({"$or": [{"k": ["a"]}]}, "Unrecognized match type k"),
    ],
)
def test_what_is_no_policy_is_refused_in_the_words_of_the_service(policy: Any, text: str, scope: str) -> None:
    assert text in _refusal(policy, scope)


@pytest.mark.rule("SNS-FLT-10")
def test_a_nested_policy_is_for_bodies() -> None:
    text = "Filter policy scope MessageAttributes does not support nested filter policy"
    assert text in _refusal({"k": {"j": ["a"]}}, MESSAGE_ATTRIBUTES)
    assert text in _refusal({"k": {"prefix": "a"}}, MESSAGE_ATTRIBUTES)
    assert '"prefix" must be an object or an array' in _refusal({"k": {"prefix": "a"}}, MESSAGE_BODY)
    assert "Empty objects are not allowed: 'k' has one" in _refusal({"k": {}}, MESSAGE_BODY)


@pytest.mark.rule("SNS-FLT-6")
@pytest.mark.parametrize(
    ("policy", "body", "passes"),
    [
        ({"a": {"b": ["x"]}}, {"a": {"b": "x"}}, True),
        ({"a": {"b": ["x"]}}, {"a": {"c": "x"}}, False),
        ({"a": {"b": ["x"]}}, {"a": "x"}, False),
        ({"a": {"b": ["x"]}}, {"a": {"b": ["y", ["x"]]}}, True),
        ({"a.b": ["x"]}, {"a": {"b": "x"}}, True),
        ({"a.b": ["x"]}, {"a.b": "x"}, True),
        ({"a.b": ["x"]}, {"a": "x", "b": "x"}, False),
        ({"a.b": ["x"]}, {"ab": "x", "a.bc": "x", "a.b": {"c": "x"}}, False),
        ({"ab.c": ["x"]}, {"a": {"c": "x"}, "ab": {"c": "x"}}, True),
        ({"a.b.c": ["x"]}, {"a.b": {"c": "x"}}, True),
        ({"a.b.c": ["x"]}, {"a": {"b.c": "x"}}, True),
        ({"a": {"b": ["x"], "c": [1]}}, {"a": [{"b": "x", "c": 2}, {"b": "y", "c": 1}]}, True),
        ({"a": {"b": ["x"], "c": [1]}}, {"a": [{"b": "x"}, 1, [{"c": 2}]]}, False),
        ({"a": {"b": ["x"], "c": [1]}}, {"a": [{"b": "x"}, 1, [{"c": 1}]]}, True),
        ({"a": {"$or": [{"b": ["x"]}, {"c": ["y"]}]}}, {"a": {"c": "y"}}, True),
        ({"a": {"$or": [{"b": ["x"]}, {"c": ["y"]}]}}, {"c": "y"}, False),
        ({"a": [None]}, {"a": None}, True),
        ({"a": [{"exists": False}]}, {"a": []}, True),
        ({"a": [{"exists": False}]}, {"a": [[], {}]}, True),
        ({"a": [{"exists": True}]}, {"a": []}, False),
        ({"a": [{"exists": False}]}, {"a": {"b": 1}}, True),
        ({"a": [{"exists": True}]}, {"a": None}, True),
        ({"a.b": [{"exists": False}]}, {}, True),
    ],
)
def test_bodies_are_looked_at_by_paths(policy: dict[str, Any], body: object, passes: bool) -> None:
    assert compile_policy(policy, MESSAGE_BODY)(parse_body(json.dumps(body))) is passes


@pytest.mark.rule("SNS-FLT-4")
def test_or_is_an_operator_between_policies_and_otherwise_a_key() -> None:
    passes = compile_policy({"s": ["x"], "$or": [{"k": ["a"], "m": [1]}, {"j": [{"exists": False}]}]})
    assert passes({"s": "x", "k": "a", "m": 1, "j": 0})
    assert passes({"s": "x"})
    assert not passes({"s": "x", "k": "a", "m": 2, "j": 0})
    assert not passes({"k": "a", "m": 1})
    assert compile_policy({"$or": ["a", "b"]})({"$or": "b"})
    assert compile_policy({"$or": ["a"]})({"$or": "a"})
    assert compile_policy({"$or": [{"prefix": "a"}, {"suffix": "b"}]})({"$or": "ac"})
    assert "Unrecognized match type k" in _refusal({"$or": [{"prefix": "a"}, {"k": ["b"]}]}, MESSAGE_BODY)
    assert "Empty objects are not allowed" in _refusal({"$or": [{"k": ["a"]}, {}]}, MESSAGE_BODY)


@pytest.mark.rule("SNS-FLT-6")
def test_a_dotted_key_is_a_name_in_attributes() -> None:
    assert compile_policy({"a.b": ["x"]})({"a.b": "x"})


@pytest.mark.rule("SNS-FLT-5")
@pytest.mark.parametrize("attributes", [None, {}, {"j": b"a"}, {"k": b"a", "j": b""}])
def test_binary_attributes_are_as_if_they_were_not_there(attributes: dict[str, Any] | None) -> None:
    assert not compile_policy({"k": [{"exists": False}]})(attributes)
    assert not compile_policy({"k": [{"exists": True}]})(attributes)


@pytest.mark.rule("SNS-FLT-5")
def test_an_empty_array_is_an_attribute_that_is_there() -> None:
    assert compile_policy({"k": [{"exists": True}]})({"k": []})
    assert not compile_policy({"k": [{"exists": False}]})({"k": [], "j": "a"})
    assert compile_policy({"k": [{"exists": False}]})({"k": b"a", "j": "a"})


@pytest.mark.rule("SNS-FLT-12")
@pytest.mark.parametrize(
    ("scope", "attributes", "body", "reason"),
    [
        (MESSAGE_ATTRIBUTES, {"k": "a"}, None, "MessageAttributes"),
        (MESSAGE_ATTRIBUTES, None, None, "NoMessageAttributes"),
        (MESSAGE_ATTRIBUTES, {}, None, "NoMessageAttributes"),
        (MESSAGE_ATTRIBUTES, {"k": b"a"}, None, "NoMessageAttributes"),
        (MESSAGE_ATTRIBUTES, {"k": ["a", 1, None]}, None, "MessageAttributes"),
        (MESSAGE_ATTRIBUTES, {"k": ["a", ["b"]]}, None, "InvalidAttributes"),
        (MESSAGE_BODY, None, {"k": "a"}, "MessageBody"),
        (MESSAGE_BODY, {"k": "a"}, None, "InvalidMessageBody"),
        (MESSAGE_BODY, {"k": "a"}, ["k"], "InvalidMessageBody"),
    ],
)
def test_why_a_message_was_filtered_out(scope: str, attributes: Any, body: object, reason: str) -> None:
    assert why_filtered(scope, attributes, body) == reason
    assert reason in REASONS


def test_a_text_that_should_be_an_array_is_malformed() -> None:
    class Wired(str):
        __slots__ = ()
        data_type = "String.Array"

    assert why_filtered(MESSAGE_ATTRIBUTES, {"k": Wired("[")}, None) == "InvalidAttributes"


@pytest.mark.rule("SNS-FLT-8")
def test_ten_thousand_levels_are_too_complex() -> None:
    policy: Any = ["a"]
    for _ in range(10_000):
        policy = {"k": policy}
    for scope in (MESSAGE_ATTRIBUTES, MESSAGE_BODY):
        with pytest.raises(DeclarationError, match="Filter policy is too complex: it has more than 200 levels"):
            compile_policy(policy, scope)
    alternatives: Any = {"j": ["a"]}
    for _ in range(5_000):
        alternatives = {"$or": [alternatives, {"j": ["a"]}]}
    with pytest.raises(DeclarationError, match="too complex"):
        compile_policy(alternatives)


def test_a_refusal_crosses_processes() -> None:
    with pytest.raises(DeclarationError) as caught:
        compile_policy({"k": []})
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - its own
    assert (again.path, again.problem) == (caught.value.path, caught.value.problem)


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


def test_an_integer_beyond_floats_is_a_number_unless_it_cannot_be_written() -> None:
    assert compile_policy({"k": [10**400]})({"k": 10**400})
    assert "Match value must be String, number" in _refusal({"k": [10**5000]}, MESSAGE_BODY)
    assert "Value of < must be numeric" in _refusal({"k": [{"numeric": ["<", 10**5000]}]}, MESSAGE_BODY)


@pytest.mark.rule("SNS-FLT-8")
def test_a_policy_has_at_most_256_kib() -> None:
    longest = "a" * (262_144 - len('{"k":[""]}'))
    assert compile_policy({"k": [longest]})({"k": longest})
    problem = _refusal({"k": [longest + "a"]}, MESSAGE_ATTRIBUTES)
    assert problem == "Filter policy is too complex: it has 262145 bytes; allowed: up to 262144 (SNS-FLT-8)"
    assert "too complex" in _refusal({"k": ["\ud800" * 100_000]}, MESSAGE_ATTRIBUTES)


def _values(count: int) -> list[int]:
    return list(range(count))


@pytest.mark.rule("SNS-FLT-8")
def test_combinations_of_branches_add_up() -> None:
    def policy(first: int, second: int, third: int, fourth: int, fifth: int) -> dict[str, Any]:
        inner = [{"d": _values(fourth)}, {"e": _values(fifth)}]
        return {"a": _values(first), "$or": [{"b": _values(second)}, {"c": _values(third), "$or": inner}]}

    assert compile_policy(policy(3, 6, 4, 4, 7))({"a": 0, "c": 3, "e": 6})
    assert "152 combinations" in _refusal(policy(4, 6, 4, 4, 4), MESSAGE_ATTRIBUTES)
    nested = {
        "$or": [{"a": _values(3)}, {"b": _values(2)}],
        "n": {"c": _values(2), "$or": [{"d": _values(1)}, {"e": _values(3)}]},
    }
    assert "160 combinations" in _refusal(nested, MESSAGE_BODY)


@pytest.mark.rule("SNS-FLT-8")
def test_only_keys_at_the_ends_count_and_each_once() -> None:
    assert compile_policy({"n": {key: ["a"] for key in "12345"}}, MESSAGE_BODY)
    assert compile_policy({"1": ["a"], "$or": [{key: ["a"] for key in "234"}, {key: ["b"] for key in "345"}]})
    problem = _refusal(
        {"1": ["a"], "$or": [{key: ["a"] for key in "234"}, {key: ["b"] for key in "356"}]}, MESSAGE_BODY
    )
    assert problem.startswith("Filter policy can not have more than 5 keys: 6 given")


@pytest.mark.rule("SNS-FLT-9")
def test_wildcards_have_points() -> None:
    patterns = [{"wildcard": f"{letter}*"} for letter in "abcdefghij"]
    assert compile_policy({"k": patterns})({"k": "jx"})
    assert "have 121 points" in _refusal({"k": [*patterns, {"wildcard": "k*"}]}, MESSAGE_BODY)
    assert "have 108 points" in _refusal({"k": [{"wildcard": f"{x}*b*"} for x in "abcdef"]}, MESSAGE_BODY)
    anything_but = {"anything-but": {"wildcard": [f"{x}*b*" for x in "abcdefghij"]}}
    assert compile_policy({"k": [anything_but]})({"k": "c"})
    assert "have 101 points" in _refusal(
        {"k": [anything_but], "j": [{"anything-but": {"wildcard": "*"}}]}, MESSAGE_BODY
    )
