"""FIFO topics against lists: order by group and subscriber, deduplication, limits, and replays of what was published.

Random waits never hit a boundary: times are aimed at the end of what a brute-force model remembers, and beside it.
"""

from math import inf, nextafter
from random import Random
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from msgsim.bus.archive import COMPLETED
from msgsim.bus.fifo import FifoQueue
from msgsim.bus.fifo_topic import FifoFanout
from msgsim.bus.queue import Queue
from msgsim.bus.standard import StandardQueue
from msgsim.bus.topic import Subscription, Topic
from msgsim.bus.topic_throughput import TopicThroughput
from msgsim.distributions import Distribution, Exponential, Fixed, Uniform
from msgsim.errors import Throttled

FIVE_MINUTES = 300.0
GROUPS = ("a", "b", "c")
KINDS = ("x", "y")


class Sent(NamedTuple):
    """A publish: its place, which is its body, and what it is of."""

    place: int
    at: float
    group: str
    kind: str


publishes = st.lists(
    st.tuples(st.floats(0, 3), st.sampled_from(GROUPS), st.sampled_from(KINDS)), min_size=1, max_size=40
)
delays: st.SearchStrategy[Distribution | None] = st.one_of(
    st.none(),
    st.builds(Fixed, st.sampled_from([0.0, 0.5, 2.0])),
    st.builds(Exponential, st.sampled_from([0.1, 2.0, 20.0])),
    st.builds(Uniform, st.just(0.0), st.sampled_from([0.5, 5.0])),
)
policies = st.sampled_from([None, {"kind": ["x"]}, {"kind": [{"anything-but": "x"}]}, {"kind": [{"exists": False}]}])


def wanted(policy: dict[str, Any] | None, kind: str) -> bool:
    """Whether one of `policies` lets a publish pass."""
    if policy is None:
        return True
    (element,) = policy["kind"]
    if isinstance(element, str):
        return kind == element
    return "anything-but" in element and kind != "x"


def publish_all(topic: FifoFanout, drawn: list[tuple[float, str, str]]) -> list[Sent]:
    sent: list[Sent] = []
    now = 0.0
    for place, (gap, group, kind) in enumerate(drawn):
        now += gap
        topic.publish(f"{place}", now, group_id=group, deduplication_id=f"{place}", attributes={"kind": kind})
        sent.append(Sent(place, now, group, kind))
    return sent


def arrived(queue: Any) -> list[tuple[int, str, float]]:
    return [(int(message.body), message.group_id, message.arrived_at) for message in queue.live()]


@given(
    drawn=publishes, delays=st.tuples(delays, delays), policies=st.tuples(policies, policies), seed=st.integers(0, 9)
)
def test_each_subscriber_gets_each_group_in_order(
    drawn: list[tuple[float, str, str]],
    delays: tuple[Distribution | None, ...],
    policies: tuple[dict[str, Any] | None, ...],
    seed: int,
) -> None:
    names = ("fifo", "standard")
    subscriptions = [
        Subscription(endpoint=name, raw=True, delivery_delay=delay, filter_policy=policy)
        for name, delay, policy in zip(names, delays, policies, strict=True)
    ]
    queues = {"fifo": FifoQueue(Queue(fifo=True), "fifo"), "standard": StandardQueue(Queue(), "standard")}
    topic = FifoFanout(Topic(subscriptions=subscriptions, fifo=True), "t", endpoints=queues, rng=Random(seed))
    sent = publish_all(topic, drawn)
    topic.check()
    topic.advance(10_000.0)
    topic.check()
    for name, policy in zip(names, policies, strict=True):
        came = arrived(queues[name])
        for group in GROUPS:
            due = [each.place for each in sent if each.group == group and wanted(policy, each.kind)]
            assert [place for place, of, _ in came if of == group] == due
        for place, _, at in came:
            assert at >= sent[place].at
        assert topic.subscriptions[name].filtered_out == sum(not wanted(policy, each.kind) for each in sent)


@given(data=st.data(), scope=st.sampled_from(["Topic", "MessageGroup"]))
def test_what_is_known_goes_nowhere(data: st.DataObject, scope: str) -> None:
    queue = StandardQueue(Queue(), "q")
    declared = Topic(subscriptions=[Subscription(endpoint="q", raw=True)], fifo=True, throughput_scope=scope)
    topic = FifoFanout(declared, "t", endpoints={"q": queue})
    accepted: list[tuple[float, str, str, str]] = []
    duplicates = 0
    now = 0.0
    for _ in range(data.draw(st.integers(1, 15), label="publishes")):
        steps = [now, now + data.draw(st.floats(0, 200), label="gap")]
        for at, *_ in accepted:
            end = at + FIVE_MINUTES
            steps += [time for time in (nextafter(end, -inf), end, nextafter(end, inf)) if time >= now]
        now = data.draw(st.sampled_from(steps), label="now")
        group = data.draw(st.sampled_from(GROUPS), label="group")
        id_ = data.draw(st.sampled_from(["1", "2"]), label="id")
        known = [
            number
            for at, of, its, number in accepted
            if its == id_ and now < at + FIVE_MINUTES and (scope == "Topic" or of == group)
        ]
        number = topic.publish("a", now, group_id=group, deduplication_id=id_)
        if known:
            duplicates += 1
            assert [number] == known
        else:
            assert all(number != other for *_, other in accepted)
            accepted.append((now, group, id_, number))
        assert (topic.published, topic.deduplicated) == (len(accepted), duplicates)
        assert queue.counts(now).visible == len(accepted)
        topic.check()


@given(
    drawn=publishes,
    policy=policies,
    start=st.floats(-1, 130),
    length=st.one_of(st.none(), st.floats(0, 130)),
    at=st.integers(0, 39),
    side=st.sampled_from([None, -inf, 0.0, inf]),
)
def test_a_replay_is_what_was_published_then_and_passes_in_order(
    drawn: list[tuple[float, str, str]],
    policy: dict[str, Any] | None,
    start: float,
    length: float | None,
    at: int,
    side: float | None,
) -> None:
    queue = StandardQueue(Queue(), "q")
    subscription = Subscription(endpoint="q", raw=True, filter_policy=policy)
    topic = FifoFanout(Topic(subscriptions=[subscription], fifo=True, archive=1), "t", endpoints={"q": queue})
    sent = publish_all(topic, drawn)
    if side is not None:
        start = sent[at % len(sent)].at
        start = start if not side else nextafter(start, side)
    end = None if length is None else start + length
    before = len(arrived(queue))
    assert before == sum(wanted(policy, each.kind) for each in sent)
    replay = topic.replay("q", 500.0, start, end)
    topic.advance(600.0)
    assert replay.status == COMPLETED
    due = [
        each.place
        for each in sent
        if each.at >= start and (end is None or each.at <= end) and wanted(policy, each.kind)
    ]
    again = sorted((at, place) for place, _, at in arrived(queue) if at > 500.0)  # the queue has them by tenant
    assert [place for _, place in again] == due
    assert topic.replayed_delivered == len(due)
    topic.publish("77", 601.0, group_id="a", deduplication_id="live", attributes={"kind": "x"})
    goes_on = end is None and wanted(policy, "x")
    assert len(arrived(queue)) == before + len(due) + goes_on
    topic.check()


@given(data=st.data())
def test_as_many_of_a_group_are_taken_as_fit_into_any_second(data: st.DataObject) -> None:
    throughput = TopicThroughput("MessageGroup")
    taken: list[tuple[float, str, int]] = []
    now = 0.0
    for _ in range(data.draw(st.integers(1, 10), label="bursts")):
        steps = [now, now + data.draw(st.floats(0, 0.5), label="gap")]
        for at, *_ in taken:
            steps += [time for time in (nextafter(at + 1.0, -inf), at + 1.0) if time >= now]
        now = data.draw(st.sampled_from(steps), label="now")
        group = data.draw(st.sampled_from(GROUPS), label="group")
        room = 300 - sum(count for at, of, count in taken if of == group and now < at + 1.0)
        wanted = data.draw(st.sampled_from([1, 50, 150, 299, 301]), label="publishes")
        count = 0
        for _ in range(wanted):
            try:
                throughput.charge(group, 1, now)
            except Throttled:
                break
            count += 1
        assert count == min(room, wanted)
        taken.append((now, group, count))
