"""Deliveries of FIFO topics under outages, against a model that goes attempt by attempt, group by group.

Times are whole seconds, so that sums of pauses are exact however they are made. The model has no lines and no jumps:
the first delivery of a group that has not ended is tried at its times, and the next one begins when it has.
"""

from collections.abc import Sequence
from math import nextafter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import msgsim as ms
from msgsim.bus.fifo_topic import FifoFanout
from tests.properties.test_deliveries import failing_at

GROUPS = ("a", "b")
PAUSES = (0, 0, 0, 1, 1, *(min(20, 2**step) for step in range(10)))

outages = st.lists(
    st.builds(
        ms.Outage,
        at=st.integers(0, 60),
        duration=st.integers(1, 60),
        status=st.sampled_from(["503", "429", "timeout", "404"]),
    ),
    max_size=3,
)


def attempts_from(begun: float, declared: Sequence[ms.Outage], latency: float) -> tuple[list[float], float, bool]:
    """When the attempts of a delivery begin, when it ends, and whether it arrives."""
    now, times = begun, list[float]()
    pauses = iter(PAUSES)
    while True:
        times.append(now)
        outage = failing_at(declared, now)
        if outage is None:
            return times, now + latency, True
        if outage[1] == "404":
            return times, now, False
        now += (15 if outage[1] == "timeout" else 0) + next(pauses, 20)


@given(
    published=st.lists(
        st.tuples(st.integers(0, 100), st.sampled_from(GROUPS), st.sampled_from("xy")), min_size=1, max_size=10
    ).map(lambda drawn: sorted(drawn, key=lambda each: each[0])),
    declared=outages,
    latency=st.sampled_from([0, 3]),
    delay=st.sampled_from([None, 2]),
    endpoint=st.sampled_from(["fifo", "standard"]),
    redrive=st.booleans(),
    filters=st.booleans(),
)
def test_each_delivery_ends_once_and_each_group_in_order(
    published: list[tuple[int, str, str]],
    declared: list[ms.Outage],
    latency: int,
    delay: int | None,
    endpoint: str,
    redrive: bool,
    filters: bool,
) -> None:
    kind = ms.FifoQueue if endpoint == "fifo" else ms.StandardQueue
    queues: dict[str, Any] = {name: kind(ms.Queue(fifo=endpoint == "fifo"), name) for name in (endpoint, "dead")}
    subscription = ms.Subscription(
        endpoint=endpoint,
        raw=True,
        server=ms.Server(latency=latency or None, outages=declared),
        delivery_delay=delay,
        filter_policy={"kind": ["x"]} if filters else None,
        redrive="dead" if redrive else None,
    )
    topic = FifoFanout(ms.Topic(subscriptions=[subscription], fifo=True), endpoints=queues)
    each = topic.subscriptions[endpoint]
    free = dict.fromkeys(GROUPS, 0.0)
    stories: list[tuple[int, list[float], float, bool]] = []
    for place, (at, group, kind_) in enumerate(published):
        if not filters or kind_ == "x":
            times, end, arrives = attempts_from(max(at + (delay or 0), free[group]), declared, latency)
            stories.append((place, times, end, arrives))
            free[group] = end
    instants = {float(at) for at, *_ in published}
    for _, times, end, _ in stories:
        instants.update(times, [end])
    waiting = list(enumerate(published))
    for now in sorted({time for instant in instants for time in (instant, nextafter(instant, 1e9))}):
        while waiting and waiting[0][1][0] <= now:
            place, (_, group, kind_) = waiting.pop(0)
            topic.publish(f"{place}", now, group_id=group, deduplication_id=f"{place}", attributes={"kind": kind_})
        topic.advance(now)
        topic.check()
        ended = [arrives for _, _, end, arrives in stories if end <= now]
        begun = len(published) - len(waiting) - each.filtered_out
        assert (each.delivered, each.delivery_failed) == (sum(ended), len(ended) - sum(ended))
        assert each.pending == begun - len(ended)
        assert each.attempts == sum(time <= now for _, times, _, _ in stories for time in times)
    assert topic.next_deadline() is None
    assert each.held_up == 0
    lost = [place for place, _, _, arrives in stories if not arrives]
    assert (each.delivery_dead_lettered, each.delivery_dropped) == ((len(lost), 0) if redrive else (0, len(lost)))
    for queue, places in (
        (queues[endpoint], [place for place, _, _, arrives in stories if arrives]),
        (queues["dead"], lost if redrive else []),
    ):
        messages = list(queue.live())
        assert len(messages) == len(places)
        for group in GROUPS:
            due = [place for place in places if published[place][1] == group]
            assert [int(message.body) for message in messages if message.group_id == group] == due
