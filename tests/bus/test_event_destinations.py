"""Event destinations: which events are published where, when and how often."""

import json
from random import Random
from typing import Any

import pytest

from msgsim.bus.email_events import EmailEvent, EventSource, Mailing
from msgsim.bus.emails import Email
from msgsim.bus.event_destinations import KINDS, EventDestination, EventPublisher
from msgsim.bus.message import Content
from msgsim.bus.queue import Queue
from msgsim.bus.standard import StandardQueue
from msgsim.declare import MINUTE
from msgsim.distributions import Exponential
from msgsim.errors import DeclarationError, TimeRanBackwards

Published = list[tuple[str, float, int | None, float]]


class Event:
    """An event that is known by its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def render(self, message: object) -> str:
        return f"{self.name} of {message}"


def make(*destinations: EventDestination, seed: int | None = None) -> tuple[EventPublisher, dict[str, Published]]:
    topics: dict[str, Published] = {"a": [], "b": []}

    def into(topic: str) -> Any:
        def publish(content: Content, now: float, origin: int | None, origin_at: float) -> None:
            assert isinstance(content, Event)
            topics[topic].append((content.name, now, origin, origin_at))

        return publish

    rng = None if seed is None else Random(seed)
    return EventPublisher({"set": destinations}, {name: into(name) for name in topics}, rng=rng), topics


@pytest.mark.rule("SES-CFG-2")
class TestTypes:
    def test_each_destination_gets_those_it_wants(self) -> None:
        publisher, topics = make(
            EventDestination(topic="a", types=["bounce", "complaint"]),
            EventDestination(topic="b", types="delivery-delay"),
            EventDestination(topic="b", types=["bounce"], enabled=False),
        )
        for number, kind in enumerate(KINDS.values()):
            publisher.emit("set", kind, Event(kind), number, 7, 0.5)
        assert topics == {
            "a": [("Bounce", 3, 7, 0.5), ("Complaint", 4, 7, 0.5)],
            "b": [("DeliveryDelay", 8, 7, 0.5)],
        }
        assert publisher.published == {"Bounce": 1, "Complaint": 1, "DeliveryDelay": 1}
        assert publisher.wants("set", "Bounce")
        assert not publisher.wants("set", "Send")

    def test_without_a_set_nobody_is_told(self) -> None:
        publisher, topics = make(EventDestination(topic="a"))
        publisher.emit("other", "Bounce", Event("e"), 0, None, 0)
        assert topics == {"a": [], "b": []}
        assert publisher.next_deadline() is None

    def test_all_types_unless_they_are_said(self) -> None:
        assert all(EventDestination(topic="a").wants(kind) for kind in KINDS.values())


@pytest.mark.rule("SES-CFG-3")
class TestImperfections:
    def test_a_delay_lets_events_wait(self) -> None:
        publisher, topics = make(EventDestination(topic="a", delay=10))
        calls: list[float | None] = []
        publisher.on_change = lambda: calls.append(publisher.next_deadline())
        publisher.emit("set", "Send", Event("one"), 0, 1, 0)
        publisher.emit("set", "Send", Event("two"), 5, 2, 5)
        assert (topics["a"], calls, publisher.next_deadline()) == ([], [10], 10)
        publisher.advance(12)
        assert topics["a"] == [("one", 10, 1, 0)]
        publisher.advance(15)
        publisher.advance(15)
        assert topics["a"] == [("one", 10, 1, 0), ("two", 15, 2, 5)]
        assert publisher.next_deadline() is None

    def test_drawn_delays_change_the_order(self) -> None:
        publisher, topics = make(EventDestination(topic="a", delay=Exponential(MINUTE)), seed=1)
        for number in range(100):
            publisher.emit("set", "Send", Event(f"{number:02}"), number, None, 0)
        publisher.advance(1e6)
        names = [name for name, *_ in topics["a"]]
        assert sorted(names) == [f"{number:02}" for number in range(100)]
        assert names != sorted(names)
        times = [now for _, now, *_ in topics["a"]]
        assert times == sorted(times)

    def test_some_come_twice(self) -> None:
        publisher, topics = make(EventDestination(topic="a", duplicate_rate=0.3), seed=1)
        for number in range(1_000):
            publisher.emit("set", "Send", Event(f"{number}"), number, None, 0)
        assert len({name for name, *_ in topics["a"]}) == 1_000
        assert len(topics["a"]) == publisher.published["Send"] == pytest.approx(1_300, abs=60)

    def test_each_copy_has_a_delay_of_its_own(self) -> None:
        publisher, topics = make(EventDestination(topic="a", delay=Exponential(MINUTE), duplicate_rate=1), seed=1)
        publisher.emit("set", "Send", Event("e"), 0, None, 0)
        publisher.advance(1e6)
        assert len({now for _, now, *_ in topics["a"]}) == 2

    def test_always_twice_if_it_is_sure(self) -> None:
        publisher, topics = make(EventDestination(topic="a", duplicate_rate=1), seed=1)
        publisher.emit("set", "Send", Event("e"), 0, None, 0)
        assert len(topics["a"]) == 2


def test_events_that_emails_about_events_cause_do_not_keep_one_another() -> None:
    got: list[Any] = []
    publisher = EventPublisher({"set": [EventDestination(topic="a")]}, {"a": lambda content, *_: got.append(content)})
    queue = StandardQueue(Queue())
    cause = None
    for number in range(3):
        mailing = Mailing(EventSource(), number, number, Email("ann@x.org"), cause, configuration_set="set")
        publisher.hear(EmailEvent("Send", number, ("ann@x.org",), {}, mailing), 0, 0.0)
        cause = queue.enqueue(got[-1], None, number, 0, 0.0)
    assert [type(content) for content in got] == [EmailEvent, str, EmailEvent]
    assert json.loads(got[1])["mail"]["destination"] == ["ann@x.org"]


def test_time_does_not_run_backwards() -> None:
    publisher, _ = make(EventDestination(topic="a"))
    publisher.advance(5)
    with pytest.raises(TimeRanBackwards, match="ses"):
        publisher.emit("set", "Send", Event("e"), 4, None, 0)


@pytest.mark.parametrize("settings", [{"delay": Exponential(1)}, {"duplicate_rate": 0.1}])
def test_chance_needs_a_source(settings: dict[str, Any]) -> None:
    with pytest.raises(DeclarationError, match=r"set\.events\.0: has a delay or duplicates: pass rng="):
        make(EventDestination(topic="a", **settings))


@pytest.mark.rule("SES-SND-10")
def test_a_topic_that_is_not_there() -> None:
    with pytest.raises(DeclarationError, match=r"set\.events\.1\.topic: SNS topic c not found; there are: a, b"):
        make(EventDestination(topic="a"), EventDestination(topic="c"))


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"topic": ""}, r"EventDestination\.topic: must not be empty"),
        ({"types": []}, r"types: is empty: no event would ever be published; allowed: send, .* \(SES-CFG-2\)"),
        ({"types": ["bounce", "Bounce"]}, r"types\.1: 'Bounce' is not allowed; allowed: send, .* \(SES-EVT-2\)"),
        ({"types": ["bounce", "open", "bounce"]}, r"types\.2: 'bounce' is named twice$"),
        ({"types": [["bounce"]]}, r"types\.0: \['bounce'\] is not allowed"),
        ({"types": 5}, r"types: 5 is not a list of types"),
        ({"delay": "soon"}, r"delay: 'soon' is neither a number of seconds nor a distribution"),
        ({"duplicate_rate": 2}, r"duplicate_rate: 2\.0 is not allowed; allowed: 0 to 1"),
    ],
)
def test_destinations_that_cannot_be(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(DeclarationError, match=problem):
        EventDestination(**{"topic": "a", **settings})
