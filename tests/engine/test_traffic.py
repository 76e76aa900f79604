"""Sources: when they send what to whom, and what cannot be declared."""

from math import inf
from typing import Any

import attrs
import pytest

import msgsim as ms
from msgsim.bus.message import id_base
from msgsim.engine.curves import Constant, Sum
from msgsim.errors import DeclarationError

both = pytest.mark.parametrize("lazy", [True, False])


def scenario(**traffic: Any) -> ms.Scenario:
    settings: dict[str, Any] = {"to": "q", "rate": 1.0, "process": "regular", **traffic}
    return ms.Scenario(
        topics={
            "t": ms.Topic(
                subscriptions=(
                    ms.Subscription(endpoint="q", raw=True),
                    ms.Subscription(endpoint="r", filter_policy={"kind": ["b"]}),
                )
            )
        },
        queues={"q": ms.Queue(), "r": ms.Queue()},
        traffic={"s": ms.Traffic(**settings)},
    )


def after(seconds: float, *, lazy: bool = True, **traffic: Any) -> ms.Simulation:
    simulation = ms.Simulation(scenario(**traffic), seed=5, lazy=lazy)
    simulation.run(seconds)
    return simulation


def received(simulation: ms.Simulation, queue: str = "q") -> list[Any]:
    return simulation.queues[queue].receive(simulation.now, 10)


@both
@pytest.mark.parametrize("to", ["q", "t"])
def test_a_regular_source_sends_evenly(to: str, lazy: bool) -> None:
    simulation = after(4.0, lazy=lazy, to=to)
    got = received(simulation)
    assert [(delivery.sent_at, delivery.body) for delivery in got] == [
        (0.5, "message 1"),
        (1.5, "message 2"),
        (2.5, "message 3"),
        (3.5, "message 4"),
    ]
    assert simulation.traffic["s"].arrivals == 4
    assert simulation.traffic["s"].time == 4.5


@both
def test_a_poisson_source_is_the_same_to_a_queue_and_to_a_topic(lazy: bool) -> None:
    times = [
        [delivery.sent_at for delivery in received(after(9.0, lazy=lazy, to=to, process="poisson"))]
        for to in ("q", "t")
    ]
    assert times[0] == times[1]
    assert times[0] == sorted(times[0])
    assert len(times[0]) > 3


@both
@pytest.mark.parametrize("to", ["q", "t"])
@pytest.mark.parametrize("rate", [0, ms.Steps([(0, 1), (3, 0)])], ids=["never", "no more"])
def test_a_source_that_ends_is_silent(to: str, rate: Any, lazy: bool) -> None:
    simulation = after(100.0, lazy=lazy, to=to, rate=rate)
    assert simulation.traffic["s"].arrivals == simulation.queues["q"].sent == (3 if rate else 0)
    assert simulation.traffic["s"].time == inf


@both
def test_an_event_is_its_own_origin_or_the_sources(lazy: bool) -> None:
    (sent,) = received(after(1.0, lazy=lazy))
    assert (sent.origin_id, sent.origin_at) == (id_base("q") + 1, 0.5)
    (published,) = received(after(1.0, lazy=lazy, to="t"))
    assert (published.origin_id, published.origin_at) == (id_base("s") + 1, 0.5)


@both
def test_bodies_are_templates_and_attributes_choose_subscriptions(lazy: bool) -> None:
    simulation = after(
        2.0, lazy=lazy, to="t", body="order {n} is {attributes[kind]}", attributes={"kind": "b"}, subject="Hello"
    )
    assert [delivery.body for delivery in received(simulation)] == ["order 1 is b", "order 2 is b"]
    first, second = received(simulation, "r")
    assert '"Message": "order 1 is b"' in first.body
    assert '"Subject": "Hello"' in second.body


def test_no_attributes_are_none() -> None:
    assert ms.Simulation(scenario(attributes={})).traffic["s"].attributes is None


def test_a_rate_is_a_number_a_curve_or_a_list_of_curves() -> None:
    assert ms.Traffic(to="q", rate=3).rate == Constant(3)
    spike = ms.Spike(at=1, height=2, hold=3)
    assert ms.Traffic(to="q", rate=spike).rate == spike
    assert ms.Traffic(to="q", rate=[Constant(1), spike]).rate == Sum((Constant(1), spike))


def test_a_source_keeps_its_own_attributes() -> None:
    attributes = {"kind": "a"}
    traffic = ms.Traffic(to="q", rate=1, attributes=attributes)
    attributes["kind"] = "b"
    assert traffic.attributes == {"kind": "a"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"to": ""}, "Traffic.to: must not be empty"),
        ({"rate": "fast"}, "Traffic.rate: 'fast' is neither a number nor a rate curve [1/s]"),
        ({"rate": None}, "Traffic.rate: None is neither a number nor a rate curve [1/s]"),
        ({"rate": -1}, "rate: -1"),
        ({"process": "bursty"}, "Traffic.process: 'bursty' is not allowed; allowed: poisson, regular"),
        ({"body": ""}, "Traffic.body: '' is not a text of at least one character (SQS-SND-1)"),
        ({"body": 3}, "Traffic.body: 3 is not a text of at least one character (SQS-SND-1)"),
        ({"body": "{order}"}, "Traffic.body: no field named '{order}'"),
        ({"attributes": ["a"]}, "Traffic.attributes: ['a'] is not a table of attributes"),
        ({"subject": 3}, "Traffic.subject: 3 is not a text"),
        ({"event": ""}, "Traffic.event: must not be empty"),
    ],
)
def test_sources_that_cannot_be(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        scenario(**settings)
    assert words in str(caught.value)


# ---------------------------------------------------------------- groups, and events that are sent again


def told(delivery: Any) -> tuple[float, str, str | None]:
    return (delivery.sent_at, delivery.body, delivery.group_id)


THREE = ms.Steps([(0.0, 1.0), (3.0, 0.0)])
"""Events at 0.5, 1.5 and 2.5, and no more."""


@both
@pytest.mark.parametrize("to", ["q", "t"])
@pytest.mark.parametrize("resend", [0.0, 1e-300])
def test_each_event_has_a_group(to: str, resend: float, lazy: bool) -> None:
    groups = ms.GroupShares({"g": 1})
    simulation = after(9.0, lazy=lazy, to=to, rate=THREE, groups=groups, resend=resend)
    assert [told(delivery) for delivery in received(simulation)] == [
        (0.5, "message 1", "g"),
        (1.5, "message 2", "g"),
        (2.5, "message 3", "g"),
    ]
    assert (simulation.traffic["s"].arrivals, simulation.traffic["s"].resent) == (3, 0)
    assert simulation.traffic["s"].time == inf


def test_groups_change_no_arrival() -> None:
    times = [
        [delivery.sent_at for delivery in received(after(9.0, process="poisson", groups=groups))]
        for groups in (None, 3, ms.ZipfGroups(7))
    ]
    assert times[0] == times[1] == times[2]


@both
@pytest.mark.rule("SQS-DUP-2")
@pytest.mark.parametrize("to", ["q", "t"])
@pytest.mark.parametrize("groups", [None, ms.GroupShares({"g": 1})])
def test_an_event_that_is_sent_again_is_two_messages_of_one_origin(to: str, groups: Any, lazy: bool) -> None:
    group = None if groups is None else "g"
    simulation = after(9.0, lazy=lazy, to=to, rate=THREE, groups=groups, resend=1.0, resend_after=1.25)
    got = sorted(received(simulation), key=lambda delivery: delivery.sent_at)
    assert [told(delivery) for delivery in got] == [
        (0.5, "message 1", group),
        (1.5, "message 2", group),
        (1.75, "message 1", group),
        (2.5, "message 3", group),
        (2.75, "message 2", group),
        (3.75, "message 3", group),
    ]
    assert (simulation.traffic["s"].arrivals, simulation.traffic["s"].resent) == (3, 3)


@both
@pytest.mark.rule("FIFO-DUP-1")
@pytest.mark.parametrize("given", [None, "order-{n}"])
def test_a_fifo_queue_drops_what_is_sent_again(given: str | None, lazy: bool) -> None:
    declared = scenario(to="q", rate=THREE, groups=2, resend=1.0, deduplication_id=None)
    fifo = ms.Scenario(
        queues={"q": ms.Queue(fifo=True)},
        traffic={"s": attrs.evolve(declared.traffic["s"], deduplication_id=given)},
    )
    simulation = ms.Simulation(fifo, lazy=lazy)
    simulation.run(9.0)
    queue = simulation.queues["q"]
    assert (queue.sent, queue.deduplicated) == (3, 3)
    got = sorted(received(simulation), key=lambda delivery: delivery.sent_at)
    assert [delivery.sent_at for delivery in got] == [0.5, 1.5, 2.5]
    ids = [delivery.message.deduplication_id for delivery in got]
    assert len(set(ids)) == 3
    assert given is None or ids == ["order-1", "order-2", "order-3"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"groups": 0}, "Traffic.groups: 0 is not allowed; allowed: 1 or more [groups]"),
        ({"groups": 2.5}, "Traffic.groups: 2.5 is not a whole number"),
        ({"groups": True}, "Traffic.groups: True is neither a number of groups nor UniformGroups(count) ..."),
        ({"groups": "three"}, "Traffic.groups: 'three' is neither"),
        ({"deduplication_id": ""}, "Traffic.deduplication_id: '' is not a text of at least one character (FIFO-SND-3)"),
        ({"deduplication_id": 3}, "Traffic.deduplication_id: 3 is not a text"),
        ({"deduplication_id": "{name}"}, "Traffic.deduplication_id: no field named '{name}'"),
    ],
)
def test_groups_and_ids_that_cannot_be(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        scenario(**settings)
    assert words in str(caught.value)
