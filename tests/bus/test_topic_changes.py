"""What changes at a live topic: policies and redrive of its subscriptions, its queues, and copies of it."""

import copy
import pickle
from random import Random
from typing import Any

import attrs
import pytest

import msgsim as ms
from msgsim.bus.fifo_topic import FifoFanout
from msgsim.bus.subscription import Subscriber
from msgsim.errors import DeclarationError, UnknownName

WEB = "https://example.com/hook"
DOWN = ms.Server(failures={"503": 1})
HOOK = ms.Subscription(endpoint=WEB, protocol="https", server=DOWN, log_rate=1.0)
HOOK_B = attrs.evolve(HOOK, endpoint="https://b")
ONCE = ms.DeliveryPolicy(retries=1, min_delay=5, max_delay=5)


def topic_of(*subscriptions: ms.Subscription, rng: Random | None = None, **queues: ms.Queue) -> ms.TopicFanout:
    live = {name: ms.StandardQueue(queue, name) for name, queue in queues.items()}
    return ms.TopicFanout(ms.Topic(subscriptions=subscriptions), "t", endpoints=live, rng=rng)


def fresh(name: str = "q", **fields: Any) -> ms.StandardQueue:
    return ms.StandardQueue(ms.Queue(**fields), name)


def the(topic: ms.TopicFanout) -> Subscriber:
    return next(iter(topic.subscriptions.values()))


def drive(topic: ms.TopicFanout) -> list[float]:
    times: list[float] = []
    while (due := topic.next_deadline()) is not None:
        times.append(due)
        topic.advance(due)
        topic.check()
    return times


def redirected(redrive: str | None, **fields: Any) -> ms.Subscription:
    return attrs.evolve(HOOK, redrive=redrive, **fields)


class TestPolicies:
    @pytest.mark.rule("SNS-RTY-7")
    def test_what_is_under_way_keeps_the_pauses_with_which_it_began(self) -> None:
        topic = topic_of(HOOK)
        topic.publish("x", 0)
        topic.change(WEB, attrs.evolve(HOOK, delivery_policy=ONCE))
        topic.publish("y", 1)
        assert drive(topic) == [6, 60]
        assert (the(topic).attempts, the(topic).failed_attempts, the(topic).delivery_failed) == (4 + 2, 6, 2)

    @pytest.mark.rule("SNS-RTY-7")
    def test_of_a_server_that_answers_by_chance_as_well(self) -> None:
        flaky = attrs.evolve(HOOK, server=ms.Server(failures={"503": 1 - 1e-12}, latency=0.5))
        topic = topic_of(flaky, rng=Random(7))
        topic.publish("x", 0)
        topic.change(WEB, attrs.evolve(flaky, delivery_policy=ONCE))
        topic.publish("y", 1)
        drive(topic)
        ends = [(entry.at, entry.attempt) for entry in the(topic).log]
        assert sorted(ends) == [(0.5, 1), (1.5, 1), (7.0, 2), (21.0, 2), (41.5, 3), (62.0, 4)]

    @pytest.mark.rule("SNS-RTY-7")
    def test_a_topic_has_one_for_those_that_have_none_and_may_override_the_others(self) -> None:
        own = attrs.evolve(HOOK, endpoint="https://b", delivery_policy=ms.DeliveryPolicy(retries=0))
        queue = ms.Subscription(endpoint="q")
        topic = topic_of(HOOK, own, queue, q=ms.Queue())
        twice = ms.DeliveryPolicy(retries=2)
        topic.set_delivery_policy(twice)
        assert [topic.effective_policy(each) for each in (HOOK, own, queue)] == [twice, own.delivery_policy, None]
        topic.publish("x", 0)
        topic.set_delivery_policy(ONCE, overrides=True)
        assert topic.effective_policy(own) == ONCE
        assert topic.declaration.disable_subscription_overrides
        topic.publish("y", 0)
        topic.set_delivery_policy(None)
        assert topic.effective_policy(HOOK) == ms.DeliveryPolicy()
        drive(topic)
        assert [topic.subscriptions[each].attempts for each in (WEB, "https://b", "q")] == [3 + 2, 1 + 2, 2]

    @pytest.mark.rule("SNS-RTY-6b")
    def test_an_average_rate_may_begin_and_end(self) -> None:
        plain = ms.Subscription(endpoint=WEB, protocol="https")
        slow = attrs.evolve(plain, delivery_policy=ms.DeliveryPolicy(max_receives_per_second=1))
        topic = topic_of(plain)
        topic.publish("x", 0)
        topic.change(WEB, attrs.evolve(plain, delivery_policy=ONCE))  # as before, as nothing fails
        topic.publish("x", 0)
        topic.change(WEB, slow)
        for _ in range(3):
            topic.publish("x", 10)
        each = the(topic)
        assert (each.delivered, each.attempts, each.failed_attempts, each.pending) == (3, 3, 0, 2)
        topic.check()
        topic.change(WEB, plain)
        topic.publish("x", 10)
        assert (each.delivered, each.pending) == (4, 2)
        assert drive(topic) == [11, 12]
        assert (each.delivered, each.attempts) == (6, 6)

    @pytest.mark.rule("SNS-RTY-6b")
    def test_failures_from_before_the_rate_are_attempts_still(self) -> None:
        unlucky = ms.Subscription(endpoint=WEB, protocol="https", failure_rate=1.0)
        topic = topic_of(unlucky, rng=Random(7))
        topic.publish("x", 0)
        topic.change(WEB, attrs.evolve(unlucky, delivery_policy=ms.DeliveryPolicy(max_receives_per_second=1)))
        topic.publish("x", 0)
        assert (the(topic).attempts, the(topic).failed_attempts, the(topic).delivery_failed) == (2, 2, 2)
        topic.check()

    @pytest.mark.rule("SNS-ENV-7")
    def test_the_content_type_of_requests_follows(self) -> None:
        topic = topic_of(ms.Subscription(endpoint=WEB, protocol="https"))
        topic.listen(WEB)
        topic.set_delivery_policy(ms.DeliveryPolicy(content_type="application/json"))
        topic.publish("x", 0)
        assert the(topic).received[0].headers["Content-Type"] == "application/json"


class TestRedrive:
    @pytest.mark.rule("SNS-DLQ-1")
    def test_a_new_subscription_has_a_dead_letter_queue(self) -> None:
        topic, dead = topic_of(), fresh("dead")
        with pytest.raises(UnknownName, match="no queue named 'dead'"):
            topic.subscribe(redirected("dead"))
        assert topic.subscriptions == {}
        topic.subscribe(redirected("dead"), None, dead)
        topic.publish("x", 0)
        drive(topic)
        assert dead.counts(60).visible == topic.delivery_dead_lettered == 1

    @pytest.mark.rule("SNS-DLQ-1")
    @pytest.mark.parametrize("delay", [None, 3.0])
    def test_a_delivery_keeps_the_dead_letter_queue_with_which_it_began(self, delay: float | None) -> None:
        declared = attrs.evolve(HOOK, delivery_delay=delay)
        topic, one, two = topic_of(declared), fresh("one"), fresh("two")
        topic.publish("dropped", 0)
        topic.change(WEB, attrs.evolve(declared, redrive="one"), dead_letter_queue=one)
        topic.publish("kept", 0)
        topic.change(WEB, attrs.evolve(declared, redrive="two"), dead_letter_queue=two)
        topic.publish("kept elsewhere", 0)
        topic.change(WEB, declared)
        topic.publish("dropped, too", 0)
        drive(topic)
        assert [queue.counts(70).visible for queue in (one, two)] == [1, 1]
        assert '"kept elsewhere"' in two.receive(70)[0].body
        assert (the(topic).delivery_dead_lettered, the(topic).delivery_dropped) == (2, 2)

    @pytest.mark.rule("SNS-DLQ-1")
    def test_a_redrive_needs_its_queue_and_comes_into_force_with_the_rest(self) -> None:
        topic, dead = topic_of(HOOK), fresh("dead")
        with pytest.raises(UnknownName, match="no queue named 'dead'"):
            topic.change(WEB, redirected("dead"))
        with pytest.raises(DeclarationError, match="FIFO"):
            topic.change(WEB, redirected("f"), dead_letter_queue=ms.FifoQueue(ms.Queue(fifo=True), "f"))
        for act in (
            lambda: topic.change(WEB, HOOK, dead_letter_queue=dead),
            lambda: topic.subscribe(HOOK_B, None, dead),
        ):
            with pytest.raises(DeclarationError, match="names no queue, but one for dead letters is given"):
                act()
        topic.change(WEB, redirected("dead"), dead_letter_queue=dead, at=10)
        topic.publish("early", 0)
        topic.publish("late", 10)
        topic.change(WEB, redirected("dead", filter_policy={"k": ["a"]}))  # the queue is known
        drive(topic)
        assert (the(topic).delivery_dead_lettered, the(topic).delivery_dropped) == (1, 1)


class TestQueues:
    def test_a_queue_that_is_there_again_gets_what_is_published_and_what_is_under_way(self) -> None:
        declared = ms.Subscription(endpoint="q", raw=True)
        slow = attrs.evolve(declared, endpoint="s", server=ms.Server(latency=5))
        topic = topic_of(declared, slow, q=ms.Queue(), s=ms.Queue())
        subscribers = topic.subscriptions
        topic.publish("1", 0)
        for each in subscribers.values():
            each.queue.close(1)  # type: ignore[union-attr]
        topic.publish("2", 1)
        again = {name: fresh(name) for name in ("q", "s")}
        for name, queue in again.items():
            topic.bind(name, queue)
        topic.publish("3", 2)
        drive(topic)
        assert [each.body for each in again["q"].receive(10, 10)] == ["3"]
        assert [each.body for each in again["s"].receive(10, 10)] == ["1", "3"]
        assert [each.delivered for each in subscribers.values()] == [2, 2]
        assert [each.delivery_failed for each in subscribers.values()] == [1, 1]
        with pytest.raises(DeclarationError, match="FIFO"):
            topic.bind("q", ms.FifoQueue(ms.Queue(fifo=True), "q"))

    @pytest.mark.rule("SNS-ENV-5")
    def test_a_dead_letter_queue_takes_what_it_takes_at_that_time(self) -> None:
        declared = ms.Subscription(endpoint="q", raw=True, failure_rate=1.0, redrive="dead")
        topic = topic_of(declared, rng=Random(7), q=ms.Queue(), dead=ms.Queue(attribute_lag=60))
        dead: Any = the(topic)._dead_letters["dead"]
        dead.set_attributes(0, max_message_bytes=1_024)
        for now in (59, 60):
            topic.publish("x" * 1_025, now)
        topic.publish("x" * 1_024, 60)
        each = the(topic)
        assert (each.delivery_failed, each.delivery_dead_lettered, each.redrive_failed) == (3, 2, 1)

    def test_dead_letters_go_to_the_queue_that_is_there_again(self) -> None:
        topic, dead = topic_of(redirected("dead"), dead=ms.Queue()), fresh("dead")
        topic.publish("x", 0)
        topic.bind("dead", dead)
        drive(topic)
        assert dead.counts(60).visible == 1

    def test_a_fifo_topic_finds_its_queue_again(self) -> None:
        declared = ms.Topic(fifo=True, subscriptions=[ms.Subscription(endpoint="q", raw=True)])
        queues = [ms.FifoQueue(ms.Queue(fifo=True), "q") for _ in range(2)]
        topic = FifoFanout(declared, "t", endpoints={"q": queues[0]})
        for number, queue in enumerate(queues):
            topic.bind("q", queue)
            topic.publish("x", 0, group_id="g", deduplication_id=str(number))
        assert [queue.counts(0).visible for queue in queues] == [1, 1]
        assert [len(queue.watchers) for queue in queues] == [0, 1]

    @pytest.mark.rule("SNS-ENV-5")
    def test_a_small_one_that_takes_the_place_of_a_large_one_is_looked_at(self) -> None:
        topic = topic_of(ms.Subscription(endpoint="q"), q=ms.Queue())
        topic.bind("q", fresh("q", max_message_bytes=1_024))
        topic.publish("x" * 1_024, 0)
        assert (the(topic).delivered, the(topic).delivery_failed) == (0, 1)

    @pytest.mark.rule("SNS-ENV-5")
    @pytest.mark.parametrize("lag", [0, 60])
    def test_one_that_becomes_smaller_tells_its_topics(self, lag: float) -> None:
        topic = topic_of(ms.Subscription(endpoint="q", raw=True), q=ms.Queue(attribute_lag=lag))
        queue: Any = the(topic).queue
        queue.set_attributes(0, max_message_bytes=1_024)
        for now in (lag - 1 if lag else 0, lag):
            topic.publish("x" * 1_025, now)
        queue.set_attributes(lag, max_message_bytes=2_048)
        topic.publish("x" * 1_025, 2 * lag)
        failed = 1 if lag else 2
        assert (the(topic).delivered, the(topic).delivery_failed) == (3 - failed, failed)
        topic.check()

    @pytest.mark.rule("SNS-RTY-1")
    def test_one_that_goes_tells_its_topics_as_long_as_they_subscribe_to_it(self) -> None:
        topic = topic_of(ms.Subscription(endpoint="q"), q=ms.Queue())
        queue: Any = the(topic).queue
        topic.publish("x", 0)
        queue.close(1)
        topic.publish("x", 1)
        assert (topic.delivered, topic.delivery_failed) == (1, 1)
        topic.unsubscribe("q")
        assert queue.watchers == []

    @pytest.mark.rule("SNS-RTY-1")
    def test_a_retry_finds_that_its_queue_has_gone(self) -> None:
        down = ms.Server(outages=[ms.Outage(at=0, duration=10)])
        declared = ms.Subscription(endpoint="q", server=down, redrive="dead", log_rate=1.0)
        topic = topic_of(declared, q=ms.Queue(), dead=ms.Queue())
        topic.publish("x", 0)
        queue: Any = the(topic).queue
        queue.close(5)
        drive(topic)
        each = the(topic)
        assert (each.delivered, each.delivery_dead_lettered, each.pending) == (0, 1, 0)
        assert each.attempts == each.failed_attempts
        assert [entry.status for entry in each.log] == ["503", "endpoint deleted"]


class TestCopies:
    @pytest.mark.parametrize("copied", [copy.deepcopy, lambda topic: pickle.loads(pickle.dumps(topic))])  # noqa: S301
    def test_a_copy_goes_its_own_way(self, copied: Any) -> None:
        server = ms.Server(latency=ms.Exponential(2), failures={"503": 0.5})
        topic = topic_of(
            ms.Subscription(
                endpoint="q", delivery_delay=ms.Exponential(3), failure_rate=0.5, filter_policy={"k": ["a"]}
            ),
            attrs.evolve(HOOK, server=server),
            rng=Random(7),
            q=ms.Queue(),
        )
        topic.publish("x", 0, attributes={"k": "a"})
        twin = copied(topic)
        for each in (topic, twin):
            for number in range(20):
                each.publish("x", number, attributes={"k": "ab"[number % 2]})
            drive(each)
        assert repr(twin) == repr(topic)
        assert twin.subscriptions[WEB].log == topic.subscriptions[WEB].log
        twin.subscriptions["q"].queue.close(500)
        twin.publish("x", 500, attributes={"k": "a"})
        drive(twin)
        topic.publish("x", 500, attributes={"k": "b"})
        assert the(topic).queue.exists  # type: ignore[union-attr]
        assert (twin.subscriptions["q"].filtered_out, topic.subscriptions["q"].filtered_out) == (10, 11)

    def test_a_copy_of_a_queue_alone_has_no_topic(self) -> None:
        topic = topic_of(ms.Subscription(endpoint="q"), q=ms.Queue())
        queue: Any = the(topic).queue
        assert (len(queue.watchers), copy.deepcopy(queue).watchers) == (1, [])
        assert len(copy.deepcopy(topic).subscriptions["q"].queue.watchers) == 1  # type: ignore[union-attr]

    @pytest.mark.parametrize("copied", [copy.deepcopy, lambda whole: pickle.loads(pickle.dumps(whole))])  # noqa: S301 - its own
    def test_a_copy_of_a_queue_whose_messages_lead_to_its_topic_still_tells_it(self, copied: Any) -> None:
        topic = topic_of(ms.Subscription(endpoint="q"), q=ms.Queue())
        topic.publish("x", 0)
        queue, twin = copied((the(topic).queue, topic))
        assert len(queue.watchers) == 1
        queue.close(1)
        twin.publish("x", 1)
        assert (twin.delivered, twin.delivery_failed) == (1, 1)
