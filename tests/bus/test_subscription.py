"""Subscriptions as they are declared; their deliveries are tested with topics."""

import pickle
from typing import Any

import pytest

from msgsim.bus.subscription import PROTOCOLS, Subscription
from msgsim.distributions import Exponential, Fixed
from msgsim.errors import DeclarationError


def _refusal(**fields: Any) -> tuple[str, str]:
    with pytest.raises(DeclarationError) as caught:
        Subscription(**{"endpoint": "q", **fields})
    return caught.value.path, caught.value.problem


def test_defaults_are_quiet() -> None:
    subscription = Subscription(endpoint="q")
    assert subscription == Subscription(
        endpoint="q",
        protocol="sqs",
        filter_policy=None,
        filter_scope="MessageAttributes",
        raw=False,
        delivery_delay=None,
        failure_rate=0.0,
    )


def test_fields_are_given_by_name() -> None:
    with pytest.raises(TypeError):
        Subscription("q")  # type: ignore[misc]


@pytest.mark.rule("SNS-SUB-1")
def test_the_protocols_are_those_of_the_service() -> None:
    assert sorted(PROTOCOLS) == [
        "application",
        "email",
        "email-json",
        "firehose",
        "http",
        "https",
        "lambda",
        "sms",
        "sqs",
    ]
    for protocol in PROTOCOLS:
        assert Subscription(endpoint="+1 555 0100", protocol=protocol).protocol == protocol


@pytest.mark.rule("SNS-SUB-1")
@pytest.mark.parametrize("protocol", ["fax", "SQS", "", None, ["sqs"]])
def test_an_unknown_protocol_is_refused_in_the_words_of_the_service(protocol: Any) -> None:
    path, problem = _refusal(protocol=protocol)
    assert path == "Subscription.protocol"
    text = f"Invalid parameter: Amazon SNS does not support this protocol string: {protocol}"
    assert problem == f"{text}; allowed: {', '.join(PROTOCOLS)} (SNS-SUB-1)"


@pytest.mark.parametrize("endpoint", ["", None, 1])
def test_an_endpoint_is_a_text(endpoint: Any) -> None:
    assert _refusal(endpoint=endpoint)[0] == "Subscription.endpoint"


@pytest.mark.rule("SNS-FLT-10")
def test_a_bad_policy_is_refused_where_it_is_written() -> None:
    assert _refusal(filter_policy={"k": "a"}) == (
        "Subscription.filter_policy",
        "\"k\" must be an object or an array: 'a' given (SNS-FLT-10)",
    )
    assert _refusal(filter_policy="k")[0] == "Subscription.filter_policy"


@pytest.mark.rule("SNS-FLT-1")
@pytest.mark.parametrize("policy", [None, {"k": ["a"]}])
def test_a_bad_scope_is_refused_with_and_without_a_policy(policy: Any) -> None:
    path, problem = _refusal(filter_policy=policy, filter_scope="Body")
    assert path == "Subscription.filter_scope"
    assert "Invalid value [Body]" in problem


def test_a_policy_does_not_change_with_its_makers_dict() -> None:
    policy = {"k": ["a"]}
    subscription = Subscription(endpoint="q", filter_policy=policy)
    policy["k"].append("b")
    policy["j"] = ["c"]
    assert subscription.filter_policy == {"k": ["a"]}


def test_subscriptions_compare_hash_and_pickle() -> None:
    one = Subscription(endpoint="q", filter_policy={"k": ["a"], "n": [1]}, delivery_delay=Exponential(2))
    same = Subscription(endpoint="q", filter_policy={"n": (1,), "k": ("a",)}, delivery_delay=Exponential(2))
    assert one == same == pickle.loads(pickle.dumps(one))  # noqa: S301 - made here
    assert hash(one) == hash(same)
    assert one != Subscription(endpoint="q", filter_policy={"k": ["a"], "n": [True]}, delivery_delay=Exponential(2))


@pytest.mark.rule("SNS-SUB-8")
def test_raw_delivery_is_for_some_protocols() -> None:
    for protocol in ("sqs", "http", "https", "firehose"):
        assert Subscription(endpoint="x", protocol=protocol, raw=True).raw
    assert _refusal(protocol="email", raw=True) == (
        "Subscription.raw",
        "email has no raw delivery; allowed: sqs, http, https, firehose (SNS-SUB-8)",
    )


def test_a_delay_is_a_distribution_or_a_number() -> None:
    assert Subscription(endpoint="q", delivery_delay=2).delivery_delay == Fixed(2)
    path, problem = _refusal(delivery_delay="soon")
    assert path == "Subscription.delivery_delay"
    assert problem == "'soon' is neither a distribution nor a number [s]"


@pytest.mark.parametrize("rate", [-0.1, 1.1, "often"])
def test_a_failure_rate_is_a_probability(rate: Any) -> None:
    assert _refusal(failure_rate=rate)[0] == "Subscription.failure_rate"
