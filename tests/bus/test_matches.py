"""The elements of filter policies: what each operator matches, and how each is refused (SNS-FLT-3, SNS-FLT-10)."""

from typing import Any

import pytest

from msgsim.bus.filters import MESSAGE_ATTRIBUTES, MESSAGE_BODY, compile_policy
from msgsim.errors import DeclarationError
from msgsim.service.message_attributes import WiredNumber, WiredText

V4 = "10.0.0.0/24"
CASES: list[tuple[Any, Any, bool]] = [
    ({"prefix": "ab"}, "abc", True),
    ({"prefix": "ab"}, "ABC", False),
    ({"prefix": "1"}, 1, False),
    ({"suffix": "bc"}, "abc", True),
    ({"suffix": "bc"}, "abd", False),
    ({"suffix": "1"}, 1, False),
    ({"equals-ignore-case": "Abc"}, "aBC", True),
    ({"equals-ignore-case": "Abc"}, "abcd", False),
    ({"equals-ignore-case": "1"}, 1, False),
    ({"wildcard": "a*c"}, "abc", True),
    ({"wildcard": "a*c"}, "ac", True),
    ({"wildcard": "a*a"}, "a", False),
    ({"wildcard": "*b*"}, "abc", True),
    ({"wildcard": "*b*"}, "ac", False),
    ({"wildcard": "a*bc*d"}, "abcd", True),
    ({"wildcard": "a*bc*cd"}, "abcd", False),
    ({"wildcard": "*"}, "", True),
    ({"wildcard": "**"}, "x", True),
    ({"wildcard": "abc"}, "abc", True),
    ({"wildcard": "abc"}, "abcd", False),
    ({"wildcard": "*"}, 1, False),
    ({"anything-but": "a"}, "b", True),
    ({"anything-but": "a"}, "a", False),
    ({"anything-but": "a"}, 1, True),
    ({"anything-but": 1}, "1", True),
    ({"anything-but": 1}, 1.0, False),
    ({"anything-but": [1, "a"]}, "a", False),
    ({"anything-but": [1, "a"]}, 1, False),
    ({"anything-but": [1, "a"]}, 2, True),
    ({"anything-but": ["a"]}, ["a", "b"], True),
    ({"anything-but": ["a"]}, ["a", "a"], False),
    ({"anything-but": ["a"]}, [], False),
    ({"anything-but": {"prefix": "ab"}}, "abc", False),
    ({"anything-but": {"prefix": "ab"}}, "b", True),
    ({"anything-but": {"prefix": "ab"}}, 7, True),
    ({"anything-but": {"suffix": "bc"}}, "abc", False),
    ({"anything-but": {"wildcard": "a*"}}, "abc", False),
    ({"anything-but": {"wildcard": "a*"}}, "b", True),
    ({"anything-but": {"wildcard": ["a*", "*c"]}}, "xc", False),
    ({"anything-but": {"wildcard": ["a*", "*c"]}}, "xd", True),
    ({"numeric": ["=", 3]}, 3.0, True),
    ({"numeric": ["=", 3]}, "3", False),
    ({"numeric": ["<", 3]}, 3, False),
    ({"numeric": ["<=", 3]}, 3, True),
    ({"numeric": [">", 3]}, 3, False),
    ({"numeric": [">=", 3]}, 3, True),
    ({"numeric": [">", 0, "<=", 3]}, 3, True),
    ({"numeric": [">", 0, "<=", 3]}, 0, False),
    ({"numeric": [">=", -1.5, "<", 3]}, -1.5, True),
    ({"numeric": [">=", -1.5, "<", 3]}, 3, False),
    ({"numeric": [">=", 0, "<", 3]}, True, False),
    ({"numeric": [">=", 0]}, float("nan"), False),
    ({"numeric": [">", 10**12]}, 10**13, True),
    (1e9, 10**9, True),
    (-0.00001, -1e-5, True),
    ({"exists": True}, "", True),
    ({"exists": True}, 0, True),
    ({"exists": False}, "", False),
    ({"cidr": V4}, "10.0.0.255", True),
    ({"cidr": V4}, "10.0.1.0", False),
    ({"cidr": V4}, "ten", False),
    ({"cidr": V4}, 10, False),
    ({"cidr": V4}, "::1", False),
    ({"cidr": "10.0.0.77/24"}, "10.0.0.1", True),
    ({"cidr": "2001:db8::/32"}, "2001:db8::7", True),
    ({"cidr": "2001:db8::/32"}, "2001:db9::7", False),
    (True, True, True),
    (True, 1, False),
    (1, True, False),
    (None, None, True),
]


@pytest.mark.rule("SNS-FLT-3")
@pytest.mark.rule("SNS-FLT-7")
@pytest.mark.parametrize(("element", "value", "matches"), CASES)
def test_an_element_matches(element: Any, value: Any, matches: bool) -> None:
    for scope in (MESSAGE_ATTRIBUTES, MESSAGE_BODY):
        message = {"k": value, "j": "a"}
        assert compile_policy({"k": [element]}, scope)(message) is matches
        assert compile_policy({"k": [element, "other", -7]}, scope)(message) is matches
        if not isinstance(value, list):
            assert compile_policy({"k": [element]}, scope)(message | {"k": [value]}) is matches


@pytest.mark.rule("SNS-FLT-5")
def test_values_that_came_over_the_wire_are_compared_as_what_they_are() -> None:
    number, text = WiredNumber("12.50"), WiredText("placed")
    assert compile_policy({"n": [{"numeric": [">", 12, "<", 13]}]})({"n": number})
    assert compile_policy({"n": [12.5]})({"n": number})
    assert not compile_policy({"n": ["12.50"]})({"n": number})
    assert compile_policy({"t": ["placed"]})({"t": text})
    assert compile_policy({"t": [{"prefix": "pl"}, 1]})({"t": text})
    assert not compile_policy({"t": ["shipped"]})({"t": text})


@pytest.mark.rule("SNS-FLT-10")
@pytest.mark.parametrize("scope", [MESSAGE_ATTRIBUTES, MESSAGE_BODY])
@pytest.mark.parametrize(
    ("element", "text"),
    [
        ({"prefix": 1}, "prefix match pattern must be a string: 1 given"),
        ({"suffix": ["a"]}, "suffix match pattern must be a string: ['a'] given"),
        ({"equals-ignore-case": None}, "equals-ignore-case match pattern must be a string"),
        ({"wildcard": ["a*"]}, "wildcard match pattern must be a string"),
        ({"wildcard": "a*b*c*d*"}, "Filter policy is too complex: 'a*b*c*d*' has 4 wildcards; allowed: up to 3"),
        ({"exists": "true"}, "exists match pattern must be either true or false.: 'true' given"),
        ({"exists": 1}, "exists match pattern must be either true or false."),
        ({"cidr": 1}, "cidr match pattern must be a string"),
        ({"cidr": "10.0.0.0"}, "Malformed CIDR, one '/' required"),
        ({"cidr": "10.0.0.0/8/8"}, "Malformed CIDR, one '/' required"),
        ({"cidr": "10.0.0.0/a"}, "Malformed CIDR, mask bits must be an integer"),
        ({"cidr": "10.0.0.0/33"}, "Nonstandard IP address: 10.0.0.0"),
        ({"cidr": "ten/8"}, "Nonstandard IP address: ten"),
        ({"numeric": []}, "Invalid member in numeric match: ]"),
        ({"numeric": 1}, "Invalid member in numeric match: ]"),
        ({"numeric": [1]}, "Invalid member in numeric match: 1"),
        ({"numeric": ["<>", 1]}, "Unrecognized numeric range operator: <>"),
        ({"numeric": ["<"]}, "Value of < must be numeric"),
        ({"numeric": ["<", "1"]}, "Value of < must be numeric"),
        ({"numeric": ["=", True]}, "Value of equals must be numeric"),
        ({"numeric": ["=", float("inf")]}, "Value of equals must be numeric"),
        ({"numeric": ["<", 1, ">", 0]}, "Too many terms in numeric range expression"),
        ({"numeric": ["=", 1, "<", 2]}, "Too many terms in numeric range expression"),
        ({"numeric": [">", 1, ">", 2]}, "Bad numeric range operator: >"),
        ({"numeric": [">", 1, 2]}, "Bad value in numeric range: 2"),
        ({"numeric": [">", 1, "<"]}, "Value of < must be numeric"),
        ({"numeric": [">", 1, "<", 1]}, "Bottom must be less than top"),
        ({"numeric": [">", 1, "<", 2, "<"]}, "Too many terms in numeric range expression"),
        ({"anything-but": {"exists": True}}, "Unsupported anything-but pattern: exists"),
        ({"anything-but": {"numeric": ["=", 1]}}, "Unsupported anything-but pattern: numeric"),
        ({"anything-but": {}}, "Only one key allowed in match expression"),
        ({"anything-but": {"prefix": "a", "suffix": "b"}}, "Only one key allowed in match expression"),
        ({"anything-but": []}, "Empty arrays are not allowed"),
        ({"anything-but": ["a", {"prefix": "b"}]}, "Match value must be String, number, true, false, or null"),
        ({"anything-but": ["a", ["b"]]}, "Match value must be String, number, true, false, or null"),
        ({"anything-but": {"prefix": ["a"]}}, "prefix match pattern must be a string"),
        ({"anything-but": {"wildcard": []}}, "Empty arrays are not allowed"),
        ({"anything-but": {"wildcard": [1]}}, "wildcard match pattern must be a string"),
        ({"\ud800": 1}, r"Unrecognized match type \ud800"),
        ({7: 1}, "Unrecognized match type 7"),
    ],
)
def test_what_is_no_element_is_refused(element: Any, text: str, scope: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        compile_policy({"k": ["a", element]}, scope)
    assert caught.value.path == "Subscription.filter_policy"
    assert text in caught.value.problem


def test_texts_of_a_policy_are_never_code() -> None:
    hostile = '"); raise SystemExit  # \\ {} {0} \n'
    for element in (hostile, {"prefix": hostile}, {"suffix": hostile}, {"anything-but": hostile}):
        passes = compile_policy({hostile: [element, "other"], "$or": [{hostile: [element]}, {hostile: ["x"]}]})
        assert passes({hostile: hostile if element != {"anything-but": hostile} else "x"})
