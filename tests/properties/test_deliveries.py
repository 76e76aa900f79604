"""Deliveries against a model that goes attempt by attempt: each ends once, at the same instant, after as many attempts.

Times are whole seconds, so that sums of pauses are exact however they are made.
"""

from collections.abc import Sequence
from math import nextafter

from hypothesis import given
from hypothesis import strategies as st

import msgsim as ms

WEB = "https://example.com"

statuses = st.sampled_from(["503", "500", "429", "timeout", "404"])
outages = st.lists(
    st.builds(
        ms.Outage,
        at=st.integers(0, 200),
        duration=st.integers(1, 100),
        every=st.none() | st.integers(100, 150),
        status=statuses,
    ),
    max_size=3,
)
policies = st.builds(
    ms.DeliveryPolicy,
    retries=st.integers(0, 12),
    min_delay=st.integers(1, 5),
    max_delay=st.integers(5, 40),
    no_delay_retries=st.just(0),
    backoff=st.sampled_from(["exponential"]),
)


def failing_at(declared: Sequence[ms.Outage], now: float) -> tuple[float, str] | None:
    """The end and the status of the outage that is on, the one that ends last; by going through all of them."""
    found: list[tuple[float, int, str]] = []
    for position, outage in enumerate(declared):
        start = outage.at
        while start <= now:
            if now < start + outage.duration:
                found.append((start + outage.duration, -position, outage.status))
            if outage.every is None:
                break
            start += outage.every
    return (max(found)[0], max(found)[2]) if found else None


class Always:
    """A generator that draws one number."""

    def __init__(self, number: float) -> None:
        self._number = number

    def random(self) -> float:
        return self._number


def story(
    published: float, policy: ms.DeliveryPolicy, declared: Sequence[ms.Outage], latency: float, late: float = 0.0
) -> tuple[list[float], float, bool]:
    """When the attempts of a delivery begin, when it ends, and whether it arrives.

    `late` is the share of the pause before it by which each attempt is late; the next one is not the later for it.
    """
    planned, attempts, before = published, list[float](), 0.0
    pauses = [*policy.pauses(), None]
    for pause in pauses:
        now = planned + late * before
        attempts.append(now)
        outage = failing_at(declared, now)
        if outage is None:
            return attempts, now + latency, True
        status = outage[1]
        length = 15 if status == "timeout" else 0
        if status == "404" or pause is None:
            return attempts, now + length, False
        planned += length + pause
        before = pause
    raise AssertionError("the last pause is none")


@given(
    st.lists(st.integers(0, 250), min_size=1, max_size=8).map(sorted),
    policies,
    outages,
    st.sampled_from([0, 3]),
    st.booleans(),
)
def test_each_delivery_ends_once_as_attempt_by_attempt(
    published: list[int], policy: ms.DeliveryPolicy, declared: list[ms.Outage], latency: int, redrive: bool
) -> None:
    dead = ms.StandardQueue(ms.Queue(), "dead")
    subscription = ms.Subscription(
        endpoint=WEB,
        protocol="https",
        delivery_policy=policy,
        server=ms.Server(latency=latency, outages=declared),
        redrive="dead" if redrive else None,
    )
    topic = ms.TopicFanout(ms.Topic(subscriptions=[subscription]), endpoints={"dead": dead})
    each = topic.subscriptions[WEB]
    stories = [story(at, policy, declared, latency) for at in published]
    instants = {float(at) for at in published}
    for begins, ends, _ in stories:
        instants.update(begins, [ends])
    waiting = list(published)
    for now in sorted({time for instant in instants for time in (instant, nextafter(instant, 1e9))}):
        while waiting and waiting[0] <= now:
            topic.publish("x", max(now, float(waiting.pop(0))))
        topic.advance(now)
        topic.check()
        assert each.attempts == sum(begins <= now for times, _, _ in stories for begins in times)
        ended = [arrived for _, ends, arrived in stories if ends <= now]
        assert (each.delivered, each.delivery_failed) == (sum(ended), len(ended) - sum(ended))
    assert topic.next_deadline() is None
    lost = sum(not arrived for _, _, arrived in stories)
    assert (each.delivery_dead_lettered, each.delivery_dropped) == ((lost, 0) if redrive else (0, lost))
    assert each.delivered + lost == len(published)
    assert dead.counts(1e4).visible == (lost if redrive else 0)


@given(
    st.lists(st.integers(0, 250), min_size=1, max_size=8).map(sorted),
    policies,
    outages,
    st.sampled_from([0, 3]),
    st.sampled_from([0.25, 1.0]),
    st.sampled_from([0.0, 0.25, 0.75]),
)
def test_each_late_attempt_fails_or_arrives_as_attempt_by_attempt(
    published: list[int],
    policy: ms.DeliveryPolicy,
    declared: list[ms.Outage],
    latency: int,
    jitter: float,
    share: float,
) -> None:
    server = ms.Server(latency=latency, outages=declared)
    subscription = ms.Subscription(
        endpoint=WEB, protocol="https", delivery_policy=policy, server=server, retry_jitter=jitter
    )
    topic = ms.TopicFanout(ms.Topic(subscriptions=[subscription]), rng=Always(share))
    each = topic.subscriptions[WEB]
    stories = [story(at, policy, declared, latency, jitter * share) for at in published]
    waiting = [float(at) for at in published]
    for now in sorted({*waiting, *(ends for _, ends, _ in stories)}):
        while waiting and waiting[0] <= now:
            topic.publish("x", waiting.pop(0))
        topic.advance(now)
        topic.check()
        ended = [arrived for _, ends, arrived in stories if ends <= now]
        assert (each.delivered, each.delivery_failed) == (sum(ended), len(ended) - sum(ended))
    assert topic.next_deadline() is None
    assert each.attempts == sum(len(times) for times, _, _ in stories)
