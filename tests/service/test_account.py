"""Accounts: names of things, and deliveries that come due."""

import math
from random import Random
from typing import Any

import pytest

from msgsim.bus.outbox import Outbox
from msgsim.bus.queue import Queue, Redrive
from msgsim.bus.standard import StandardQueue
from msgsim.bus.topic import Subscription, Topic, TopicFanout
from msgsim.errors import DeclarationError, InvalidParameterValue, TimeRanBackwards, UnknownName
from msgsim.service.account import Account


def test_names_are_those_of_account_and_region() -> None:
    account = Account("eu-west-1", "111122223333")
    account.add_queue("q", Queue())
    account.add_topic("t")
    assert account.arn("sqs", "q") == "arn:aws:sqs:eu-west-1:111122223333:q"
    assert account.queue_url("q") == "https://sqs.eu-west-1.amazonaws.com/111122223333/q"
    assert account.queue_named("arn:aws:sqs:eu-west-1:111122223333:q") == "q"
    assert account.topic_named("arn:aws:sns:eu-west-1:111122223333:t") == "t"
    assert account.queue_at("https://sqs.eu-west-1.amazonaws.com/111122223333/q") is account.queues["q"]
    assert account.topics["t"].arn == "arn:aws:sns:eu-west-1:111122223333:t"
    assert repr(account) == "<Account 111122223333 eu-west-1 queues=1 topics=1>"


@pytest.mark.rule("GEN-1")
def test_what_is_elsewhere_is_not_found() -> None:
    account = Account()
    account.add_queue("q", Queue())
    account.add_topic("t")
    for arn in ("q", "arn:aws:sqs:us-east-1:123456789012:p", "arn:aws:sqs:us-east-2:123456789012:q", "arn:aws:sns:q"):
        assert account.queue_named(arn) is None
    for arn in ("t", "arn:aws:sqs:us-east-1:123456789012:t", "arn:aws:sns:us-east-1:999999999999:t"):
        assert account.topic_named(arn) is None
    for url in ("q", "https://sqs.us-east-1.amazonaws.com/999999999999/q", account.queue_url("p")):
        assert account.queue_at(url) is None


def test_a_dead_letter_queue_is_the_one_of_that_name() -> None:
    account = Account()
    dead = account.add_queue("dead", Queue())
    queue = account.add_queue("q", Queue(redrive=Redrive(to="dead", max_receive_count=1)))
    assert queue.dead_letter_queue is dead


def test_a_subscription_has_one_name_whenever_it_is_made() -> None:
    one, other = Account(), Account()
    other.add_topic("u")
    arn = one.subscription_arn("t", "sqs", "q")
    assert arn.startswith("arn:aws:sns:us-east-1:123456789012:t:")
    assert arn == other.subscription_arn("t", "sqs", "q")
    assert len({arn, one.subscription_arn("t", "sms", "q"), one.subscription_arn("t", "sqs", "p")}) == 3


def test_queue_topic_and_outbox_of_one_name_have_ids_of_their_own() -> None:
    account = Account()
    bases = {account.add_queue("outbox", Queue()).base, account.add_topic("outbox").base, account.outbox._id_base}
    assert len(bases) == 3


def test_times_are_whole_milliseconds_since_1970() -> None:
    assert Account().milliseconds(0.0625) == "1767225600062"
    assert Account(epoch=0).milliseconds(1.9996) == "2000"


def test_the_outbox_is_as_declared_and_production_otherwise() -> None:
    assert Account().outbox.outbox == Outbox()
    declared = Outbox(bounce_rate=0.5, sandbox=True)
    account = Account(rng=Random(1), outbox=declared)
    assert account.outbox.outbox is declared
    assert (account.topics, account.queues) == ({}, {})


def test_deliveries_of_all_topics_are_made_in_the_order_of_their_times() -> None:
    account = Account()
    queue = account.add_queue("q", Queue())
    for name, delay in (("slow", 5), ("quick", 2)):
        subscription = Subscription(endpoint="q", raw=True, delivery_delay=delay)
        account.topics[name] = TopicFanout(Topic(subscriptions=(subscription,)), name, endpoints={"q": queue})
    account.add_topic("quiet")
    account.topics["slow"].publish("slow at 5", 0)
    account.topics["slow"].publish("slow at 6", 1)
    account.topics["quick"].publish("quick at 5", 3)
    account.topics["quick"].publish("quick at 5.5", 3.5)
    account.advance(math.nextafter(5, 0))
    assert queue.sent == 0
    account.advance(10)
    account.advance(10)
    arrived = [(delivery.body, delivery.sent_at) for delivery in queue.receive(10, 10)]
    assert arrived == [("slow at 5", 5), ("quick at 5", 5), ("quick at 5.5", 5.5), ("slow at 6", 6)]


def test_time_does_not_run_backwards() -> None:
    account = Account()
    account.advance(5)
    account.advance(5)
    with pytest.raises(TimeRanBackwards, match=r"<Account 123456789012 us-east-1 .*: time can't go backwards"):
        account.advance(4.9)


@pytest.mark.parametrize("now", [math.nan, math.inf, "6", None])
def test_time_is_a_finite_number(now: Any) -> None:
    account = Account()
    with pytest.raises(InvalidParameterValue, match=r"<Account 123456789012 .*: now=.* is not a time"):
        account.advance(now)
    account.advance(1)


@pytest.mark.parametrize("account_id", [5, "5", "12345678901a", "1234567890123"])
def test_an_account_has_12_digits(account_id: Any) -> None:
    with pytest.raises(DeclarationError) as caught:
        Account(account_id=account_id)
    assert str(caught.value) == f"Account.account_id: {account_id!r} is not a text of 12 digits"


def test_settings_are_fields_of_queues() -> None:
    with pytest.raises(UnknownName, match=r"no attribute of a queue named 'visibilty_timeout'; did you mean 'visi"):
        Account(settings={"visibilty_timeout": 1})


def test_live_things_from_elsewhere_can_be_put_in() -> None:
    account = Account()
    account.queues["q"] = live = StandardQueue(Queue(), "q")
    assert account.queue_at(account.queue_url("q")) is live


def test_time_0_leaves_room_in_the_calendar() -> None:
    with pytest.raises(DeclarationError, match=r"^Account\.epoch: .* \(up to the year 9999\)$"):
        Account(epoch=1e15)


@pytest.mark.rule("SNS-RTY-1")
def test_what_a_topic_delivers_to_a_deleted_queue_is_lost() -> None:
    account = Account()
    queue = account.add_queue("q", Queue())
    topic = account.add_topic("t")
    each = topic.subscribe(Subscription(endpoint="q"), queue)
    topic.publish("x", 0)
    account.delete_queue("q", 1)
    topic.publish("y", 1)
    assert (each.delivered, each.delivery_dropped) == (1, 1)
    topic.check()
