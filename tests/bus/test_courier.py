"""Deliveries that have to be repeated, are held back, or cannot be made."""

import copy
import pickle
from collections import Counter
from collections.abc import Sequence
from math import inf
from random import Random
from typing import Any

import attrs
import pytest
from scipy.stats import kstest, uniform

import msgsim as ms
from msgsim.bus.subscription import Subscriber
from msgsim.bus.templates import as_content
from msgsim.errors import DeclarationError, UnknownName

WEB = "https://example.com/hook"


class Often:
    """A generator that draws one number."""

    def __init__(self, number: float) -> None:
        self._number = number

    def random(self) -> float:
        return self._number


def topic_with(server: ms.Server | None, protocol: str = "https", policy: Any = None, **fields: Any) -> ms.TopicFanout:
    subscription = ms.Subscription(endpoint=WEB, protocol=protocol, server=server, **{"log_rate": 1.0} | fields)
    topic = ms.Topic(subscriptions=[attrs.evolve(subscription, delivery_policy=policy)])
    return ms.TopicFanout(topic, "t", endpoints={"dead": ms.StandardQueue(ms.Queue(), "dead")}, rng=Random(7))


def drive(topic: ms.TopicFanout, until: float = inf) -> list[float]:
    """Go from deadline to deadline; when they were."""
    times: list[float] = []
    while (due := topic.next_deadline()) is not None and due <= until:
        times.append(due)
        topic.advance(due)
        topic.check()
    return times


def the(topic: ms.TopicFanout) -> Subscriber:
    return next(iter(topic.subscriptions.values()))


def outcome(topic: ms.TopicFanout) -> tuple[int, int, int, int]:
    each = the(topic)
    return each.delivered, each.delivery_dead_lettered, each.delivery_dropped, each.pending


@pytest.mark.rule("SNS-RTY-1")
@pytest.mark.rule("SNS-DLQ-2")
@pytest.mark.rule("SNS-DLQ-3")
@pytest.mark.parametrize("redrive", [None, "dead"])
def test_what_fails_for_good_is_kept_or_dropped(redrive: str | None) -> None:
    topic = topic_with(ms.Server(failures={"503": 1}), redrive=redrive)
    topic.publish("x", 0)
    assert outcome(topic) == (0, 0, 0, 1)
    drive(topic)
    assert outcome(topic) == (0, int(redrive is not None), int(redrive is None), 0)
    assert the(topic).is_confirmed


@pytest.mark.rule("SNS-DLQ-2")
@pytest.mark.parametrize("raw", [False, True])
def test_a_dead_letter_is_what_the_endpoint_would_have_got(raw: bool) -> None:
    dead = ms.StandardQueue(ms.Queue(), "dead")
    subscription = ms.Subscription(
        endpoint=WEB, protocol="https", server=ms.Server(failures={"404": 1}), redrive="dead", raw=raw
    )
    topic = ms.TopicFanout(ms.Topic(subscriptions=[subscription]), "t", endpoints={"dead": dead})
    topic.publish("hello", 3, attributes={"kind": "a"})
    (letter,) = dead.receive(3)
    assert (letter.body == "hello") is raw
    assert "hello" in letter.body
    assert letter.attributes == ({"kind": "a"} if raw else {})


@pytest.mark.rule("SNS-RTY-1")
@pytest.mark.rule("SNS-RTY-6")
def test_a_client_error_is_not_repeated() -> None:
    topic = topic_with(ms.Server(failures={"404": 1}, latency=2), redrive="dead")
    topic.publish("x", 0)
    assert drive(topic) == [2]
    assert (the(topic).attempts, outcome(topic)) == (1, (0, 1, 0, 0))


def test_a_client_error_during_an_outage_is_not_repeated_either() -> None:
    topic = topic_with(ms.Server(outages=[ms.Outage(duration=9, status="403")]), redrive="dead")
    topic.publish("x", 0)
    topic.publish("y", 9)
    assert drive(topic) == []
    assert outcome(topic) == (1, 1, 0, 0)


def test_the_first_attempt_after_an_outage_arrives() -> None:
    topic = topic_with(ms.Server(outages=[ms.Outage(at=5, duration=35)]))
    for now in (0, 5, 19, 39, 40):
        topic.publish("x", now)
    assert the(topic).delivered == 2
    assert drive(topic) == [45, 59]
    assert outcome(topic) == (5, 0, 0, 0)


@pytest.mark.rule("SNS-RTY-2")
@pytest.mark.parametrize(("protocol", "attempts"), [("firehose", 51), ("lambda", 100_016)])
def test_what_firehose_throttles_is_repeated_as_for_endpoints_of_customers(protocol: str, attempts: int) -> None:
    throttling = topic_with(ms.Server(failures={"429": 1}), protocol)
    failing = topic_with(ms.Server(failures={"503": 1}), protocol)
    for topic in (throttling, failing):
        topic.publish("x", 0)
        drive(topic)
    assert (the(throttling).attempts, the(failing).attempts) == (attempts, 100_016)


@pytest.mark.rule("SNS-RTY-2")
def test_a_delivery_that_firehose_throttles_once_goes_on_by_the_longer_pauses() -> None:
    slow = topic_with(ms.Server(latency=1, outages=[ms.Outage(duration=0.5, status="429")]), "firehose")
    slow.publish("x", 0)
    assert drive(slow) == [10, 11]  # the pauses of others would begin with none
    limited = topic_with(ms.Server(latency=1, rate_limit=1), "firehose")
    limited.publish("x", 0)
    limited.publish("y", 0)
    assert drive(limited) == [1, 10, 11]
    assert (the(limited).attempts, outcome(limited)) == (3, (2, 0, 0, 0))


@pytest.mark.rule("SNS-RTY-2")
@pytest.mark.parametrize("latency", [None, 0.5])
def test_a_delivery_that_firehose_throttles_after_50_others_is_over(latency: float | None) -> None:
    down = [ms.Outage(duration=1e5), ms.Outage(at=1e5, duration=inf, status="429")]
    server = ms.Server(latency=latency, outages=down[:1], failures={"429": 1}) if latency else ms.Server(outages=down)
    topic = topic_with(server, "firehose", redrive="dead")
    topic.publish("x", 0)
    assert 1e5 <= drive(topic)[-1] < 1e5 + 21
    assert outcome(topic) == (0, 1, 0, 0)
    assert 5_000 < the(topic).attempts < 5_020


def test_attempts_are_counted_when_they_are_made_though_nothing_happens_then() -> None:
    topic = topic_with(ms.Server(outages=[ms.Outage(duration=inf)]), "lambda")
    topic.publish("x", 0)
    seen = []
    for now in (0, 0.999, 1, 2, 10, 2_000_133):
        topic.advance(now)
        seen.append(the(topic).attempts)
    assert seen[0] == 4  # three pauses of no time
    assert seen[1:4] == [4, 5, 6]
    assert seen[-1] == 100_016
    assert (the(topic).failed_attempts, outcome(topic)) == (100_016, (0, 0, 1, 0))


@pytest.mark.rule("SNS-RTY-6b")
def test_a_throttle_policy_builds_a_backlog_and_loses_nothing() -> None:
    topic = topic_with(None, policy=ms.DeliveryPolicy(max_receives_per_second=2))
    for _ in range(10):
        topic.publish("x", 0)
    assert (the(topic).delivered, the(topic).pending) == (1, 9)
    assert drive(topic) == [0.5 * step for step in range(1, 10)]
    assert outcome(topic) == (10, 0, 0, 0)


def test_retries_take_their_turn_under_a_throttle_policy() -> None:
    policy = ms.DeliveryPolicy(max_receives_per_second=1, retries=2, min_delay=1, max_delay=1)
    topic = topic_with(ms.Server(failures={"503": 1}), policy=policy)
    topic.publish("x", 0)
    topic.publish("y", 0)
    drive(topic)
    assert (the(topic).attempts, outcome(topic)) == (6, (0, 0, 2, 0))


@pytest.mark.rule("SNS-RTY-6b")
def test_each_attempt_within_an_outage_takes_its_turn() -> None:
    policy = ms.DeliveryPolicy(max_receives_per_second=1, retries=3, min_delay=1, max_delay=1)
    topic = topic_with(ms.Server(outages=[ms.Outage(duration=10)]), policy=policy)
    for _ in range(3):
        topic.publish("x", 0)
    assert drive(topic) == list(range(1, 12))
    assert [entry.at for entry in the(topic).log] == list(range(12))
    assert outcome(topic) == (2, 0, 1, 0)


@pytest.mark.rule("SNS-RTY-6")
def test_a_pause_begins_when_an_attempt_has_ended() -> None:
    topic = topic_with(ms.Server(latency=2, failures={"503": 0.9999999}))
    topic.publish("x", 0)
    assert drive(topic) == [22, 44, 66, 68]
    down = topic_with(ms.Server(outages=[ms.Outage(duration=inf, status="timeout")]))
    down.publish("x", 0)
    assert drive(down) == [120]  # three pauses of 20 s, and four times 15 s


@pytest.mark.rule("SNS-RTY-6")
def test_only_requests_run_out_of_patience() -> None:
    topic = topic_with(ms.Server(latency=16), "lambda")
    topic.publish("x", 0)
    assert (drive(topic), outcome(topic)) == ([16], (1, 0, 0, 0))


def test_a_log_keeps_the_latest_thousand() -> None:
    topic = topic_with(None)
    for now in range(1_001):
        topic.publish("x", now)
    assert [len(the(topic).log), the(topic).log[0].at] == [1_000, 1]


@pytest.mark.rule("SNS-RTY-8")
def test_a_retry_holds_back_nothing() -> None:
    topic = topic_with(ms.Server(outages=[ms.Outage(duration=1)]))
    topic.publish("first", 0)
    topic.publish("second", 1)
    assert the(topic).delivered == 1
    drive(topic)
    assert outcome(topic) == (2, 0, 0, 0)


@pytest.mark.rule("SNS-RTY-9")
@pytest.mark.parametrize(("rate", "logged"), [(None, 0), (0.0, 0), (0.25, 5), (1.0, 20)])
def test_successes_are_logged_at_a_rate(rate: float | None, logged: int) -> None:
    topic = topic_with(ms.Server(latency=0.5), log_rate=rate)
    for now in range(20):
        topic.publish("x", now)
    drive(topic)
    log = the(topic).log
    assert len(log) == logged
    assert {(entry.status, entry.dwell_time) for entry in log} <= {("200", 0.5)}


@pytest.mark.rule("SNS-RTY-9")
def test_failures_are_logged_always() -> None:
    topic = topic_with(ms.Server(failures={"503": 0.9999999}), log_rate=0.0)
    topic.publish("x", 0)
    drive(topic)
    assert [(entry.status, entry.attempt, entry.at) for entry in the(topic).log] == [
        ("503", attempt + 1, 20.0 * attempt) for attempt in range(4)
    ]


def queues(**declared: ms.Queue) -> dict[str, ms.StandardQueue]:
    return {name: ms.StandardQueue(queue, name) for name, queue in declared.items()}


def topic_to(endpoints: dict[str, Any], *subscriptions: ms.Subscription) -> ms.TopicFanout:
    return ms.TopicFanout(ms.Topic(subscriptions=subscriptions), "t", endpoints=endpoints)


@pytest.mark.rule("SNS-ENV-4")
def test_a_queue_takes_ten_raw_attributes() -> None:
    live = queues(raw=ms.Queue(), enveloped=ms.Queue(), dead=ms.Queue())
    crowded = ms.Subscription(endpoint="raw", raw=True, redrive="dead")
    topic = topic_to(live, crowded, ms.Subscription(endpoint="enveloped"))
    for count in (10, 11, 10):
        topic.publish("x", 0, attributes={f"a{number}": "x" for number in range(count)})
    topic.publish("x", 0, attributes={f"a{number}": "x" for number in range(11)}, group_id="g")
    raw = topic.subscriptions["raw"]
    assert (raw.delivered, raw.delivery_dead_lettered, raw.attempts, raw.failed_attempts) == (2, 2, 4, 2)
    assert [live[name].counts(0).visible for name in ("raw", "enveloped", "dead")] == [2, 4, 2]
    topic.change("enveloped", ms.Subscription(endpoint="enveloped"))
    topic.publish("x", 0, attributes={f"a{number}": "x" for number in range(11)})
    assert [live[name].counts(0).visible for name in ("raw", "enveloped", "dead")] == [2, 5, 3]
    live["raw"].close(1)
    topic.watch(live["raw"])
    assert (raw.delivered, raw.delivery_failed) == (2, 3)
    topic.check()


@pytest.mark.rule("SNS-ENV-5")
@pytest.mark.parametrize("raw", [False, True])
def test_an_envelope_counts_towards_the_limit_of_its_queue(raw: bool) -> None:
    live = queues(small=ms.Queue(max_message_bytes=1_024), dead=ms.Queue())
    topic = topic_to(live, ms.Subscription(endpoint="small", raw=raw, redrive="dead"))
    topic.publish("x" * 1_000, 0, attributes={"n": "y" * 17})
    assert live["small"].counts(0).visible == int(raw)
    topic.publish("x" * 1_000, 0, attributes={"n": "y" * 18})
    assert live["dead"].counts(0).visible == 2 - int(raw)
    topic.check()


@pytest.mark.rule("SNS-RTY-1")
def test_a_queue_that_has_gone_is_not_tried_again() -> None:
    live = queues(a=ms.Queue(), dead=ms.Queue())
    topic = topic_to(live, ms.Subscription(endpoint="a", redrive="dead"))
    topic.publish("x", 0)
    live["a"].close(1)
    topic.watch(live["a"])
    topic.publish("y", 1)
    assert outcome(topic) == (1, 1, 0, 0)
    topic.watch(live["dead"])
    topic.watch(live["a"])
    live["dead"].close(2)
    topic.publish("z", 2)
    assert outcome(topic) == (1, 1, 1, 0)
    assert (topic.redrive_failed, topic.delivery_dropped) == (1, 1)
    topic.check()


def test_a_queue_may_go_while_a_delivery_is_under_way() -> None:
    live = queues(a=ms.Queue(), dead=ms.Queue())
    server = ms.Server(latency=5)
    topic = topic_to(live, ms.Subscription(endpoint="a", redrive="dead", server=server))
    topic.publish("x", 0)
    live["a"].close(1)
    drive(topic)
    assert outcome(topic) == (0, 1, 0, 0)


@pytest.mark.rule("SNS-SUB-2")
def test_a_subscription_gets_what_is_published_once_it_is_confirmed() -> None:
    topic = topic_with(None, confirmed_at=10)
    never = topic.subscribe(ms.Subscription(endpoint="a@example.com", protocol="email", confirmed_at=None))
    for now in (0, 9.99, 10, 11):
        topic.publish("x", now)
        topic.check()
    assert (the(topic).delivered, the(topic).missed, the(topic).filtered_out) == (2, 2, 0)
    assert (never.delivered, never.missed) == (0, 4)
    topic.confirm("a@example.com", 12)
    topic.confirm("a@example.com", 12)
    topic.publish("x", 12)
    assert (never.delivered, never.missed, topic.delivered) == (1, 4, 4)
    with pytest.raises(UnknownName):
        topic.confirm("b@example.com", 12)


@pytest.mark.rule("SNS-SUB-7")
def test_too_many_emails_deactivate_a_subscription() -> None:
    topic = topic_with(None, "email", deactivated_above=10)
    for number in range(30):
        topic.publish("x", number * 0.05)
    assert (the(topic).delivered, the(topic).delivery_failed, the(topic).missed) == (10, 1, 19)
    assert not the(topic).is_confirmed
    topic.confirm(WEB, 5)
    for number in range(30):
        topic.publish("x", 5 + number * 0.1)
    assert (the(topic).delivered, the(topic).missed) == (40, 19)
    topic.check()


def test_metrics_tell_why_messages_were_filtered_out() -> None:
    policy = {"kind": ["a"]}
    subscriptions: Sequence[ms.Subscription] = [
        ms.Subscription(endpoint="x", protocol="lambda", filter_policy=policy),
        ms.Subscription(endpoint="y", protocol="lambda", filter_policy=policy, filter_scope="MessageBody"),
    ]
    topic = topic_to({}, *subscriptions)
    for body, attributes in (("{}", {"kind": "b"}), ("no", None), ('{"kind": "a"}', {"kind": "a"})):
        topic.publish(body, 0, attributes=attributes)
    x, y = topic.subscriptions.values()
    assert (x.filtered_by_attributes, x.filtered_without_attributes, x.filtered_out) == (1, 1, 2)
    assert (y.filtered_by_body, y.filtered_invalid_body, y.filtered_out) == (1, 1, 2)
    assert (topic.filtered_by_attributes, topic.filtered_by_body, topic.filtered_out) == (1, 1, 4)


@pytest.mark.rule("SNS-SUB-7")
@pytest.mark.parametrize("server", [None, ms.Server()])
def test_an_email_beyond_the_limit_is_no_dead_letter(server: ms.Server | None) -> None:
    topic = topic_with(server, "email", deactivated_above=1, redrive="dead")
    topic.publish("x", 0)
    topic.publish("x", 0)
    assert outcome(topic) == (1, 0, 1, 0)


def test_emails_on_their_way_may_flood_a_subscription_that_is_deactivated_already() -> None:
    topic = topic_with(None, "email", deactivated_above=1, delivery_delay=5)
    for _ in range(4):
        topic.publish("x", 0)
    topic.advance(5)
    assert (outcome(topic), the(topic).is_confirmed) == ((1, 0, 3, 0), False)
    topic.check()


@pytest.mark.rule("SNS-RTY-7")
def test_the_policy_of_the_topic_is_that_of_all_if_it_says_so() -> None:
    own = ms.DeliveryPolicy(retries=0)
    for overrides, attempts in ((False, 1), (True, 3)):
        topic = ms.TopicFanout(
            ms.Topic(
                subscriptions=[
                    ms.Subscription(
                        endpoint=WEB, protocol="http", server=ms.Server(failures={"503": 1}), delivery_policy=own
                    )
                ],
                delivery_policy=ms.DeliveryPolicy(retries=2),
                disable_subscription_overrides=overrides,
            )
        )
        topic.publish("x", 0)
        drive(topic)
        assert topic.attempts == attempts


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"delivery_policy": ms.DeliveryPolicy(), "protocol": "lambda"}, "Subscription.delivery_policy"),
        ({"deactivated_above": 10, "protocol": "sms"}, "Subscription.deactivated_above"),
        ({"server": "x"}, "Subscription.server"),
        ({"redrive": ""}, "Subscription.redrive"),
        ({"confirmed_at": -1}, "Subscription.confirmed_at"),
        ({"log_rate": 2}, "Subscription.log_rate"),
    ],
)
def test_fields_that_cannot_be_are_refused(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        ms.Subscription(endpoint="x", **fields)
    assert caught.value.path == path


def test_chance_needs_a_generator() -> None:
    subscription = ms.Subscription(endpoint=WEB, protocol="http", server=ms.Server(failures={"503": 0.5}))
    with pytest.raises(DeclarationError, match="give the topic a generator"):
        ms.TopicFanout(ms.Topic(subscriptions=[subscription]))


@pytest.mark.rule("SNS-DLQ-1")
def test_dead_letters_need_a_queue_of_their_kind() -> None:
    named = ms.Topic(subscriptions=[ms.Subscription(endpoint=WEB, protocol="http", redrive="dead")])
    with pytest.raises(UnknownName):
        ms.TopicFanout(named)
    with pytest.raises(DeclarationError, match="dead"):
        ms.TopicFanout(named, endpoints={"dead": ms.FifoQueue(ms.Queue(fifo=True), "dead")})
    with pytest.raises(DeclarationError, match=r"no queue named 'dead'"):
        ms.Scenario(topics={"t": named})
    with pytest.raises(DeclarationError, match=r"a standard topic needs a standard one \(SNS-DLQ-1\)"):
        ms.Scenario(topics={"t": named}, queues={"dead": ms.Queue(fifo=True)})


@pytest.mark.rule("SNS-RTY-9")
def test_what_takes_everything_at_once_has_a_log_too() -> None:
    live = queues(a=ms.Queue())
    topic = topic_to(live, ms.Subscription(endpoint="a", log_rate=1.0))
    topic.publish("x", 0)
    live["a"].close(1)
    topic.watch(live["a"])
    topic.publish("y", 2)
    assert [(entry.at, entry.status) for entry in the(topic).log] == [(0, "200"), (2, "endpoint deleted")]
    assert outcome(topic) == (1, 0, 1, 0)
    topic.check()


def test_what_fails_at_once_is_an_attempt() -> None:
    for server in (None, ms.Server(latency=1)):
        topic = topic_with(server, failure_rate=1.0)
        topic.publish("x", 0)
        assert (the(topic).attempts, the(topic).failed_attempts, outcome(topic)) == (1, 1, (0, 0, 1, 0))
        assert [entry.status for entry in the(topic).log] == ["failed"]


@pytest.mark.rule("SNS-RTY-1")
def test_a_queue_that_goes_while_it_answers_has_failed() -> None:
    live = queues(a=ms.Queue())
    topic = topic_to(live, ms.Subscription(endpoint="a", server=ms.Server(latency=5), log_rate=1.0))
    topic.publish("x", 0)
    live["a"].close(1)
    drive(topic)
    assert (the(topic).attempts, the(topic).failed_attempts) == (1, 1)
    assert [(entry.at, entry.status) for entry in the(topic).log] == [(5, "endpoint deleted")]


def test_beyond_the_rate_limit_a_failure_is_throttling() -> None:
    topic = topic_with(ms.Server(failures={"404": 1}, rate_limit=1))
    topic.publish("x", 0)
    topic.publish("y", 0)
    drive(topic)
    assert [(entry.at, entry.status) for entry in the(topic).log] == [(0, "404"), (0, "429"), (20, "404")]


@pytest.mark.rule("SNS-ENV-5")
def test_the_group_of_a_publish_counts_in_its_text() -> None:
    live = queues(small=ms.Queue(max_message_bytes=1_024), dead=ms.Queue())
    topic = topic_to(live, ms.Subscription(endpoint="small", raw=True, redrive="dead"))
    body = as_content("{group}" * 8, "body", 0)
    for size in (128, 129):
        topic.fan_out(body, None, 0, 1, 0, group_id="g" * size)
    assert [live[name].counts(0).visible for name in ("small", "dead")] == [1, 1]


@pytest.mark.parametrize("attributes", [{"k": True}, {"a b": "x"}, {"k": ""}, {"k": [None]}])
def test_a_small_queue_takes_whatever_attributes_a_topic_does(attributes: dict[str, Any]) -> None:
    live = queues(small=ms.Queue(max_message_bytes=1_024))
    topic = topic_to(live, ms.Subscription(endpoint="small", raw=True))
    topic.publish("x", 0, attributes=attributes)
    assert outcome(topic) == (1, 0, 0, 0)
    topic.check()


def test_who_confirmed_before_it_was_subscribed_gets_messages_at_once() -> None:
    topic = topic_with(None)
    topic.publish("x", 20)
    early = topic.subscribe(ms.Subscription(endpoint="jo@example.com", protocol="email", confirmed_at=10))
    assert (early.is_confirmed, topic.next_deadline()) == (True, None)
    topic.publish("x", 20)
    assert early.delivered == 1


@pytest.mark.rule("SNS-SUB-6")
def test_what_a_policy_does_not_allow_is_not_repeated() -> None:
    topic = topic_with(ms.Server(denies=True), redrive="dead")
    topic.publish("x", 0)
    assert (outcome(topic), topic.next_deadline()) == ((0, 1, 0, 0), None)
    assert [entry.status for entry in the(topic).log] == ["denied"]


# ---------------------------------------------------------------- jitter, and answers that are lost

JITTER = 0.5
MANY = 500


def jittery(until: float, **fields: Any) -> ms.TopicFanout:
    """A topic whose server is down from 0 on, after many publishes at once."""
    topic = topic_with(ms.Server(outages=[ms.Outage(duration=until)]), log_rate=None, **fields)
    for _ in range(MANY):
        topic.publish("x", 0)
    return topic


@pytest.mark.rule("SNS-RTY-5")
def test_without_jitter_the_herd_comes_back_at_one_instant() -> None:
    assert set(drive(jittery(10))) == {20}


@pytest.mark.rule("SNS-RTY-2")
@pytest.mark.rule("SNS-RTY-5")
def test_with_jitter_it_comes_back_over_a_share_of_the_pause() -> None:
    topic = jittery(10, retry_jitter=JITTER)
    times = drive(topic)
    assert kstest(times, uniform(20, 20 * JITTER).cdf).pvalue > 0.01
    assert the(topic).attempts == 2 * MANY


@pytest.mark.rule("SNS-RTY-5")
def test_an_attempt_may_slip_beyond_the_end_of_an_outage() -> None:
    topic = jittery(25, retry_jitter=JITTER)
    times = drive(topic)
    early = [time for time in times if time < 40]
    assert min(times) >= 25
    assert len(early) == pytest.approx(MANY / 2, abs=4 * (MANY / 4) ** 0.5)
    assert kstest(early, uniform(25, 5).cdf).pvalue > 0.01
    assert kstest(times[len(early) :], uniform(40, 10).cdf).pvalue > 0.01
    assert the(topic).attempts == 2 * len(early) + 3 * (MANY - len(early))


@pytest.mark.rule("SNS-RTY-5")
def test_an_attempt_that_is_late_does_not_make_the_next_one_later() -> None:
    server = ms.Server(failures={"503": 1}, latency=1)
    subscription = ms.Subscription(endpoint=WEB, protocol="https", server=server, retry_jitter=1.0, log_rate=1)
    topic = ms.TopicFanout(ms.Topic(subscriptions=[subscription]), "t", rng=Often(0.75))
    topic.publish("x", 0)
    drive(topic)
    assert [entry.at for entry in the(topic).log] == [1, 21 + 15 + 1, 42 + 15 + 1, 63 + 15 + 1]
    assert (the(topic).attempts, outcome(topic)) == (4, (0, 0, 1, 0))


@pytest.mark.rule("SNS-RTY-5")
@pytest.mark.parametrize("server", [ms.Server(failures={"503": 1}), ms.Server(outages=[ms.Outage(duration=inf)])])
def test_the_last_attempt_in_vain_is_late_too(server: ms.Server) -> None:
    subscription = ms.Subscription(endpoint=WEB, protocol="https", server=server, retry_jitter=1.0)
    topic = ms.TopicFanout(ms.Topic(subscriptions=[subscription]), "t", rng=Often(0.75))
    topic.publish("x", 0)
    assert drive(topic) == [60 + 15]
    assert (the(topic).attempts, outcome(topic)) == (4, (0, 0, 1, 0))


@pytest.mark.rule("SNS-RTY-1")
def test_an_outage_is_a_failure_of_the_server_and_is_waited_out() -> None:
    topic = topic_with(ms.Server(outages=[ms.Outage(duration=30)]), redrive="dead")
    topic.publish("x", 0)
    assert drive(topic) == [40]
    assert (the(topic).attempts, outcome(topic)) == (3, (1, 0, 0, 0))


def test_jitter_needs_retries_to_be_seen() -> None:
    topic = topic_with(ms.Server(latency=2), retry_jitter=JITTER)
    topic.publish("x", 0)
    assert drive(topic) == [2]


@pytest.mark.rule("SNS-RTY-8")
@pytest.mark.parametrize("server", [None, ms.Server(latency=2)])
def test_a_delivery_whose_answer_is_lost_arrives_twice(server: ms.Server | None) -> None:
    queue = ms.StandardQueue(ms.Queue(), "q")
    subscription = ms.Subscription(endpoint="q", raw=True, duplicate_rate=0.3, server=server)
    topic = ms.TopicFanout(ms.Topic(subscriptions=[subscription]), "t", endpoints={"q": queue}, rng=Random(1))
    for number in range(MANY):
        topic.publish(f"{number}", 0)
    drive(topic)
    each = the(topic)
    assert topic.duplicated == each.duplicated == pytest.approx(0.3 * MANY, abs=4 * (0.21 * MANY) ** 0.5)
    assert (each.delivered, each.attempts, each.pending) == (MANY, MANY + each.duplicated, 0)
    bodies: Counter[str] = Counter()
    while deliveries := queue.receive(2, 10):
        bodies.update(delivery.body for delivery in deliveries)
    assert len(bodies) == MANY
    assert Counter(bodies.values())[2] == each.duplicated


@pytest.mark.rule("SNS-RTY-8")
def test_what_is_no_queue_gets_it_twice_too() -> None:
    topic = topic_with(None, log_rate=None, duplicate_rate=1)
    topic.publish("x", 0)
    assert (the(topic).delivered, the(topic).duplicated) == (1, 1)
    inbox = topic.listen(WEB)
    topic.publish("x", 0)
    first, second = inbox.received
    assert first == second
    topic.check()


@pytest.mark.rule("SNS-RTY-8")
def test_a_fifo_topic_delivers_once() -> None:
    twice = ms.Subscription(endpoint="q", duplicate_rate=0.1)
    with pytest.raises(
        DeclarationError, match=r"subscriptions\.0\.duplicate_rate: 0\.1 is not allowed at a FIFO topic"
    ):
        ms.Topic(fifo=True, subscriptions=[twice])


@pytest.mark.parametrize("field", ["retry_jitter", "duplicate_rate"])
def test_jitter_and_lost_answers_need_a_generator(field: str) -> None:
    topic = ms.Topic(subscriptions=[ms.Subscription(endpoint=WEB, protocol="https", **{field: 0.1})])
    with pytest.raises(DeclarationError, match="give the topic a generator"):
        ms.TopicFanout(topic)
    with pytest.raises(DeclarationError, match=f"Subscription.{field}: 1.1 is not allowed"):
        ms.Subscription(endpoint=WEB, protocol="https", **{field: 1.1})


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda topic: pickle.loads(pickle.dumps(topic))])  # noqa: S301
def test_a_copy_draws_as_the_original_does(copied: Any) -> None:
    topic = topic_with(
        ms.Server(failures={"503": 0.5}), policy=ms.DeliveryPolicy(retries=9), retry_jitter=JITTER, duplicate_rate=0.5
    )
    topic.publish("x", 0)
    twin = copied(topic)
    for each in (topic, twin):
        each.publish("y", 0)
    assert drive(topic) == drive(twin)
    assert (the(topic).attempts, the(topic).duplicated) == (the(twin).attempts, the(twin).duplicated)
