"""Publishes that count at the quota which all topics share (SNS-QUO-1); wired where there is one."""

from collections.abc import Callable, Iterable
from typing import Any

from msgsim.bus.message import Message
from msgsim.bus.publish_quota import PublishQuota
from msgsim.bus.topic import TopicFanout
from msgsim.engine.actions import Step
from msgsim.errors import Throttled


def share_quota(topics: Iterable[TopicFanout], region: str | None, rate: int | None) -> None:
    """Give standard topics a quota that they share, and FIFO topics theirs.

    Args:
        topics: live ones.
        region: whose quotas they are; with no rate either there is none.
        rate: of either kind instead of the Region's [messages/s].
    """
    if region is None and rate is None:
        return
    quotas = {fifo: PublishQuota(region or "", fifo=fifo, limit=rate) for fifo in (False, True)}
    for topic in topics:
        topic.quota = quotas[topic.fifo]


class Gate:
    """Publishes what the quota lets through; the rest is dropped, as no client is there to try again.

    Args:
        topic: where it is published.
        publish: as `Route.publish`, or as `publish_grouped`.
    """

    __slots__ = ("_publish", "_topic")

    def __init__(self, topic: TopicFanout, publish: Callable[..., None]) -> None:
        self._topic = topic
        self._publish = publish

    def __call__(self, content: Any, now: float, *rest: Any) -> None:
        """Publish, or drop."""
        try:
            self._topic.charge(now)
        except Throttled:
            return
        self._publish(content, now, *rest)


def gated(topic: TopicFanout, publish: Callable[..., None]) -> Callable[..., None]:
    """A way to publish, behind a gate if the topic has a quota."""
    return publish if topic.quota is None else Gate(topic, publish)


class GatedStep:
    """A wired Publish, refused while the quota is used up."""

    __slots__ = ("_step", "_topic")

    def __init__(self, topic: TopicFanout, step: Step) -> None:
        self._topic = topic
        self._step = step

    def __call__(self, message: Message, now: float) -> bool:
        """Publish, or be refused."""
        try:
            self._topic.charge(now)
        except Throttled:
            return False
        return self._step(message, now)
