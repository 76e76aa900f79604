"""Delivery policies, and when the attempts that they schedule begin."""

from math import inf, nextafter
from typing import Any

import pytest

from msgsim.bus.retries import (
    BACKOFFS,
    DeliveryPolicy,
    Schedule,
    growing,
    in_force,
    schedule_of,
    subscription_json,
    subscription_policy,
    topic_json,
    topic_policy,
)
from msgsim.bus.subscription import PROTOCOLS
from msgsim.errors import DeclarationError

DAY = 86_400.0


def _refusal(**fields: Any) -> tuple[str, str]:
    with pytest.raises(DeclarationError) as caught:
        DeliveryPolicy(**fields)
    return caught.value.path, caught.value.problem


def _offsets(schedule: Schedule, length: float = 0.0) -> list[float]:
    return [schedule.offset(attempt, length) for attempt in range(schedule.attempts)]


@pytest.mark.rule("SNS-RTY-3")
@pytest.mark.rule("SNS-RTY-6")
def test_a_web_address_is_tried_four_times_20_s_apart() -> None:
    for protocol in ("http", "https"):
        schedule = schedule_of(protocol)
        assert _offsets(schedule) == [0, 20, 40, 60]
        assert _offsets(schedule, length=15) == [0, 35, 70, 105]


@pytest.mark.rule("SNS-RTY-2")
@pytest.mark.parametrize("protocol", ["sqs", "lambda", "firehose"])
def test_a_service_of_the_provider_is_tried_for_23_days(protocol: str) -> None:
    schedule = schedule_of(protocol)
    assert schedule.attempts == 1 + 3 + 2 + 10 + 100_000
    pauses = [schedule.pause(attempt) for attempt in range(17)]
    assert pauses == [0, 0, 0, 1, 1, 1, 2, 4, 8, 16, 20, 20, 20, 20, 20, 20, 20]
    assert 23 * DAY < schedule.offset(schedule.attempts - 1) == 2 + 131 + 2_000_000 < 24 * DAY
    assert repr(schedule) == "<Schedule attempts=100016 last=2.00013e+06 s>"


@pytest.mark.rule("SNS-RTY-2")
@pytest.mark.parametrize("protocol", ["email", "email-json", "sms", "application"])
def test_a_customers_endpoint_is_tried_for_hours(protocol: str) -> None:
    schedule = schedule_of(protocol)
    assert schedule.attempts == 1 + 2 + 10 + 38
    pauses = [schedule.pause(attempt) for attempt in range(schedule.attempts - 1)]
    assert pauses == [10, 10, 10, 20, 40, 80, 160, 320, 600, 600, 600, 600, *[600] * 38]


@pytest.mark.rule("SNS-RTY-2")
def test_only_web_addresses_have_a_policy_of_their_own() -> None:
    never = DeliveryPolicy(retries=0)
    changed = [protocol for protocol in PROTOCOLS if schedule_of(protocol, never).attempts == 1]
    assert changed == ["http", "https"]


@pytest.mark.rule("SNS-RTY-4")
def test_phases_come_in_their_order() -> None:
    policy = DeliveryPolicy(
        retries=9, min_delay=5, max_delay=45, no_delay_retries=1, min_delay_retries=2, max_delay_retries=1
    )
    assert policy.pauses() == [0, 5, 5, 5, 15, 25, 35, 45, 45]


@pytest.mark.rule("SNS-RTY-4")
def test_the_bounds_of_a_policy() -> None:
    assert _refusal(retries=101) == (
        "DeliveryPolicy.retries",
        "101 is not allowed; allowed: 0 to 100 [retries] (SNS-RTY-4)",
    )
    assert _refusal(retries=2.5)[0] == "DeliveryPolicy.retries"
    assert _refusal(min_delay=0)[0] == "DeliveryPolicy.min_delay"
    assert _refusal(min_delay=21) == (
        "DeliveryPolicy.min_delay",
        "21.0 is not allowed; allowed: 1 to 20 [s] (SNS-RTY-4)",
    )
    assert _refusal(max_delay=nextafter(3_600, inf))[0] == "DeliveryPolicy.max_delay"
    assert _refusal(backoff="fibonacci")[0] == "DeliveryPolicy.backoff"
    assert _refusal(max_receives_per_second=0.5)[0] == "DeliveryPolicy.max_receives_per_second"
    assert _refusal(no_delay_retries=2, max_delay_retries=2) == (
        "DeliveryPolicy.retries",
        "3 are fewer than the 4 of the phases (SNS-RTY-4)",
    )
    for name in ("no_delay_retries", "min_delay_retries", "max_delay_retries"):
        assert _refusal(**{name: -1})[0] == f"DeliveryPolicy.{name}"


@pytest.mark.rule("SNS-RTY-4")
def test_all_pauses_together_are_an_hour_at_most() -> None:
    assert sum(DeliveryPolicy(retries=60, min_delay=60, max_delay=60).pauses()) == 3_600
    assert _refusal(retries=61, min_delay=60, max_delay=60) == (
        "DeliveryPolicy.retries",
        "its pauses are 3660 s in all; allowed: up to 3600 s (SNS-RTY-4)",
    )


@pytest.mark.rule("SNS-RTY-5")
def test_the_four_ways_to_grow() -> None:
    assert growing("linear", 1, 9, 5) == [1, 3, 5, 7, 9]
    assert growing("arithmetic", 1, 17, 5) == [1, 2, 5, 10, 17]
    assert growing("geometric", 1, 16, 5) == [1, 2, 4, 8, 16]
    assert growing("exponential", 1, 6, 5) == [1, 2, 4, 6, 6]
    assert growing("exponential", 1, 6, 2_000)[-1] == 6
    for backoff in BACKOFFS:
        assert growing(backoff, 3, 9, 1) == [3]
        assert growing(backoff, 3, 9, 0) == []
        assert growing(backoff, 4, 4, 3) == [4, 4, 4]


@pytest.mark.parametrize("length", [0.0, 0.3, 15.0])
@pytest.mark.parametrize("protocol", ["sqs", "sms", "https"])
def test_attempts_are_found_by_their_time(protocol: str, length: float) -> None:
    schedule = schedule_of(protocol)
    last = schedule.attempts - 1
    for attempt in {*range(min(40, last)), last // 2, last - 1, last}:
        time = schedule.offset(attempt, length)
        found = schedule.at_or_after(time, length)
        assert found is not None
        assert schedule.offset(found, length) == time
        assert found == 0 or schedule.offset(found - 1, length) < time
        assert schedule.begun(time, length) > attempt
        assert schedule.begun(nextafter(time, -inf), length) == found
        if attempt < last:
            assert schedule.at_or_after(nextafter(time, inf), length) == schedule.begun(time, length)
            between = (time + schedule.offset(attempt + 1, length)) / 2
            assert schedule.begun(between, length) == (attempt + 1 if between > time else schedule.begun(time, length))
    assert schedule.at_or_after(nextafter(schedule.offset(last, length), inf), length) is None
    assert schedule.at_or_after(-1.0) == 0
    assert schedule.begun(-1.0) == 0
    assert schedule.begun(inf) == schedule.attempts


@pytest.mark.rule("SNS-RTY-7")
def test_a_policy_has_a_json_form() -> None:
    default = {
        "numRetries": 3,
        "minDelayTarget": 20,
        "maxDelayTarget": 20,
        "numNoDelayRetries": 0,
        "numMinDelayRetries": 0,
        "numMaxDelayRetries": 0,
        "backoffFunction": "linear",
    }
    assert subscription_json(DeliveryPolicy()) == {"healthyRetryPolicy": default}
    policy = DeliveryPolicy(retries=5, min_delay=1.5, max_receives_per_second=7, content_type="application/json")
    written = subscription_json(policy)
    assert written["throttlePolicy"] == {"maxReceivesPerSecond": 7}
    assert written["requestPolicy"] == {"headerContentType": "application/json"}
    assert subscription_policy(written) == policy
    assert topic_policy(topic_json(policy, overrides=True)) == (policy, True)
    assert topic_json(DeliveryPolicy()) == {
        "http": {"defaultHealthyRetryPolicy": default, "disableSubscriptionOverrides": False}
    }


@pytest.mark.rule("SNS-RTY-7")
def test_what_is_absent_has_its_default() -> None:
    assert subscription_policy({}) == DeliveryPolicy()
    assert topic_policy({}) == topic_policy({"http": {}}) == (DeliveryPolicy(), False)
    assert subscription_policy({"healthyRetryPolicy": {"numRetries": 7}}) == DeliveryPolicy(retries=7)


@pytest.mark.rule("SNS-RTY-7")
@pytest.mark.parametrize(
    ("given", "path"),
    [
        ([], "DeliveryPolicy"),
        ({"retry": {}}, "DeliveryPolicy"),
        ({"healthyRetryPolicy": 3}, "DeliveryPolicy.healthyRetryPolicy"),
        ({"healthyRetryPolicy": {"retries": 3}}, "DeliveryPolicy.healthyRetryPolicy"),
        ({"healthyRetryPolicy": {"numRetries": "many"}}, "DeliveryPolicy.healthyRetryPolicy.numRetries"),
        ({"healthyRetryPolicy": {"numNoDelayRetries": 4}}, "DeliveryPolicy"),
        ({"throttlePolicy": {"maxReceivesPerSecond": 0}}, "DeliveryPolicy.throttlePolicy.maxReceivesPerSecond"),
    ],
)
def test_json_that_is_no_policy_is_refused_by_its_own_names(given: Any, path: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        subscription_policy(given)
    assert caught.value.path == path


@pytest.mark.rule("SNS-RTY-7")
@pytest.mark.parametrize(
    ("given", "path"),
    [
        (None, "DeliveryPolicy"),
        ({"https": {}}, "DeliveryPolicy"),
        ({"http": None}, "DeliveryPolicy.http"),
        ({"http": {"healthyRetryPolicy": {}}}, "DeliveryPolicy.http"),
        ({"http": {"disableSubscriptionOverrides": "no"}}, "DeliveryPolicy.http.disableSubscriptionOverrides"),
    ],
)
def test_the_same_of_a_topics_policy(given: Any, path: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        topic_policy(given)
    assert caught.value.path == path


@pytest.mark.rule("SNS-RTY-7")
def test_a_subscriptions_own_policy_beats_its_topics_unless_that_overrides_it() -> None:
    topic, own = DeliveryPolicy(retries=1), DeliveryPolicy(retries=2)
    assert in_force(None, None) == in_force(None, None, overrides=True) == DeliveryPolicy()
    assert in_force(topic, None) == topic
    assert in_force(topic, own) == own
    assert in_force(topic, own, overrides=True) == topic
    assert in_force(None, own, overrides=True) == own


@pytest.mark.parametrize("length", [0.0, 0.1, 15.0])
@pytest.mark.parametrize("protocol", ["sqs", "sms", "https"])
def test_what_has_begun_is_counted_to_the_instant(protocol: str, length: float) -> None:
    schedule = schedule_of(protocol)
    attempts = sorted({*range(min(40, schedule.attempts)), schedule.attempts // 2, schedule.attempts - 1})
    for attempt in attempts:
        begins = schedule.offset(attempt, length)
        at_once = sum(schedule.offset(each, length) == begins for each in range(min(40, schedule.attempts)))
        begun = schedule.begun(begins, length)
        assert schedule.offset(begun - 1, length) <= begins
        assert begun == schedule.attempts or schedule.offset(begun, length) > begins
        assert schedule.begun(nextafter(begins, -inf), length) <= attempt < begun
        if at_once == 1:
            assert begun == attempt + 1
    assert schedule.begun(inf, 0.0) == schedule.begun(1e12, length) == schedule.attempts
