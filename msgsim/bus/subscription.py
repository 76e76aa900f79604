"""Subscriptions: declared (`Subscription`) and live (`Subscriber`), and the sets of them that publishes reach."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

import attrs

from msgsim.bus.filters import MESSAGE_ATTRIBUTES, MESSAGE_BODY, check_scope, compile_policy, plain_policy
from msgsim.bus.message import Content
from msgsim.bus.notifications import Inbox, Received
from msgsim.bus.publication import Attributes
from msgsim.declare import flag, number, text
from msgsim.distributions import Distribution, Uniforms, as_distribution, refuse_duration
from msgsim.errors import DeclarationError

PROTOCOLS = ("http", "https", "email", "email-json", "sms", "sqs", "application", "lambda", "firehose")
"""What can be subscribed (SNS-SUB-1)."""

RAW_PROTOCOLS = ("sqs", "http", "https", "firehose")
"""What can be subscribed for raw delivery (SNS-SUB-8)."""

Delivery: TypeAlias = tuple[str | Content, Attributes | None, float, int | None, float, str | None]
"""What `Endpoint.enqueue_grouped` takes; the time is when it arrives [s], the last is the group, if there is one."""

Enqueue: TypeAlias = Callable[[str | Content, Attributes | None, float, int | None, float, str], object]
"""`Endpoint.enqueue_grouped`."""


class Endpoint(Protocol):
    """A queue, as a topic sees it."""

    def enqueue(
        self,
        content: str | Content,
        attributes: Attributes | None,
        now: float,
        origin: int | None,
        origin_at: float,
        /,
    ) -> object:
        """Append a message; the arguments are trusted."""
        ...

    def enqueue_grouped(
        self,
        content: str | Content,
        attributes: Attributes | None,
        now: float,
        origin: int | None,
        origin_at: float,
        group_id: str,
        /,
    ) -> object:
        """The same with the id of a group (SNS-PUB-7)."""
        ...


# ---------------------------------------------------------------- declared


def _check_policy(owner: "Subscription", _: object, policy: Any) -> None:
    if policy is not None:
        compile_policy(policy, owner.filter_scope)


def _check_scope(_: object, __: object, scope: Any) -> None:
    check_scope(scope)


def _check_protocol(_: object, __: object, protocol: Any) -> None:
    if not isinstance(protocol, str) or protocol not in PROTOCOLS:
        raise DeclarationError(
            "Subscription.protocol",
            f"Invalid parameter: Amazon SNS does not support this protocol string: {protocol}; "
            f"allowed: {', '.join(PROTOCOLS)} (SNS-SUB-1)",
        )


def _check_delay(_: object, __: object, delay: Any) -> None:
    if delay is not None:
        refuse_duration("Subscription.delivery_delay", delay, "is neither a distribution nor a number [s]")


def _comparable(policy: object) -> str:
    """The policy as a text, which can be compared and hashed: in Python `{"n": [1]} == {"n": [True]}`."""
    return json.dumps(policy, sort_keys=True)


@attrs.frozen(kw_only=True)
class Subscription:
    """Who gets the messages of a topic, and which of them.

    Attributes:
        endpoint: name of a queue; for another protocol its address, a free text.
        protocol: what the endpoint is (SNS-SUB-1). Deliveries to anything but a queue are counted, and go nowhere.
        filter_policy: `{key: [value, ...]}`, see `msgsim.bus.filters.compile_policy`; None lets everything pass.
        filter_scope: what the policy looks at, "MessageAttributes" or "MessageBody" (SNS-FLT-1).
        raw: deliver the message as it was published, without an envelope (SNS-ENV-4).
        delivery_delay: from publish to delivery [s], a number or a distribution; None to deliver at once.
        failure_rate: probability that a delivery fails for good, as if all its retries had failed.
    """

    endpoint: str = text(empty=False)
    protocol: str = attrs.field(default="sqs", validator=_check_protocol)
    filter_policy: dict[str, Any] | None = attrs.field(
        default=None, converter=plain_policy, validator=_check_policy, eq=_comparable
    )
    filter_scope: str = attrs.field(default=MESSAGE_ATTRIBUTES, validator=_check_scope)
    raw: bool = flag()
    delivery_delay: Distribution | None = attrs.field(default=None, converter=as_distribution, validator=_check_delay)
    failure_rate: float = number(0.0, high=1.0)

    def __attrs_post_init__(self) -> None:
        if self.raw and self.protocol not in RAW_PROTOCOLS:
            allowed = ", ".join(RAW_PROTOCOLS)
            problem = f"{self.protocol} has no raw delivery; allowed: {allowed} (SNS-SUB-8)"
            raise DeclarationError("Subscription.raw", problem)


# ---------------------------------------------------------------- live


class Subscriber:
    """A live subscription: its numbers, and those of its deliveries that take time or can fail.

    Args:
        subscription: its declaration.
        name: `topic/endpoint`.
        queue: where it delivers; None to count deliveries only.
        rng: for delays and failures.
        audiences: of the topic, which adds to them.
        schedule: keeps a delivery until it is due, and calls `arrive` then.
        since: publishes before it was there.

    Attributes:
        declaration: what was declared.
        name: `topic/endpoint`.
        queue: where it delivers; None if that is no queue.
        enqueue: of the queue; None if there is none.
        is_instant: deliveries are sure, and over at once.
        reads_body: the filter looks at the body.
        pending: deliveries under way.
        delivery_failed: deliveries that failed for good.
        delivery_dead_lettered: of those, the ones kept in a dead-letter queue; none so far.

    Raises:
        DeclarationError: something is left to chance, and there is no `rng`.
    """

    __slots__ = (
        "_arrived",
        "_audiences",
        "_delay",
        "_fails",
        "_passes",
        "_schedule",
        "declaration",
        "delivery_dead_lettered",
        "delivery_failed",
        "enqueue",
        "is_instant",
        "name",
        "pending",
        "queue",
        "reads_body",
        "since",
    )

    def __init__(
        self,
        subscription: Subscription,
        name: str,
        queue: Endpoint | None,
        rng: Uniforms | None,
        audiences: "Mapping[tuple[Subscriber, ...], Audience]",
        schedule: "Callable[[Subscriber, Delivery], None]",
        *,
        since: int = 0,
    ) -> None:
        self.name = name
        self.queue = queue
        self.enqueue = None if queue is None else queue.enqueue
        self.is_instant = subscription.delivery_delay is None and not subscription.failure_rate
        self.change(subscription)
        self.pending = self.delivery_failed = self.delivery_dead_lettered = self._arrived = 0
        self._delay = _delays(subscription.delivery_delay, rng, name)
        self._fails = _failures(subscription.failure_rate, rng, name)
        self._audiences = audiences
        self._schedule = schedule
        self.since = since

    def __repr__(self) -> str:
        return (
            f"<Subscriber {self.name!r} delivered={self.delivered} filtered_out={self.filtered_out} "
            f"delivery_failed={self.delivery_failed} pending={self.pending}>"
        )

    @property
    def matched(self) -> int:
        """Publishes that passed the filter. Cost: O(audiences of the topic)."""
        return sum(audience.published for audience in self._audiences.values() if self in audience.members)

    @property
    def filtered_out(self) -> int:
        """Publishes that did not: neither delivered nor dead-lettered (SNS-FLT-12). Cost: as `matched`."""
        others = sum(audience.published for audience in self._audiences.values() if self not in audience.members)
        return others - self.since

    @property
    def delivered(self) -> int:
        """Publishes that reached the endpoint. Cost: as `matched`."""
        return self.matched if self.is_instant else self._arrived

    @property
    def received(self) -> tuple[Received, ...]:
        """What came since `TopicFanout.listen`, the latest last; nothing without it, and nothing of a queue."""
        return self.queue.received if isinstance(self.queue, Inbox) else ()

    def change(self, subscription: Subscription) -> None:
        """Take over another filter and form; the audiences that it is in must be chosen again."""
        if isinstance(self.queue, Inbox):
            subscription = self.queue.follow(subscription)
        self.declaration = subscription
        policy = subscription.filter_policy
        self.reads_body = policy is not None and subscription.filter_scope == MESSAGE_BODY
        self._passes = None if policy is None else compile_policy(policy, subscription.filter_scope)

    def passes(self, attributes: Attributes | None, body: object) -> bool:
        """Whether a publish passes the filter.

        Args:
            attributes: of the publish.
            body: as `msgsim.bus.filters.parse_body` returns it, if the filter looks at it.
        """
        return self._passes is None or self._passes(body if self.reads_body else attributes)

    def offer(
        self,
        content: str | Content,
        attributes: Attributes | None,
        now: float,
        origin: int | None,
        origin_at: float,
        group_id: str | None = None,
    ) -> None:
        """Begin a delivery that takes time or can fail."""
        delay = self._delay()
        if delay > 0:
            self.pending += 1
            self._schedule(self, (content, attributes, now + delay, origin, origin_at, group_id))
        else:
            self._attempt(content, attributes, now, origin, origin_at, group_id)

    def arrive(self, delivery: Delivery) -> None:
        """End a delivery that was scheduled."""
        self.pending -= 1
        self._attempt(*delivery)

    def _attempt(
        self,
        content: str | Content,
        attributes: Attributes | None,
        now: float,
        origin: int | None,
        origin_at: float,
        group_id: str | None,
    ) -> None:
        if self._fails():
            self.delivery_failed += 1
            return
        self._arrived += 1
        if self.queue is None:
            return
        if group_id is None:
            self.queue.enqueue(content, attributes, now, origin, origin_at)
        else:
            self.queue.enqueue_grouped(content, attributes, now, origin, origin_at, group_id)


class Audience:
    """The subscribers that some publishes reached, and how many publishes those were.

    Attributes:
        members: in the order of declaration.
        published: publishes that reached these and no others.
        raw: of the queues that get a message at once and as it was published.
        enveloped: of the queues that get it at once and in an envelope.
        offered: members whose deliveries take time or can fail.
        has_envelopes: whether any queue gets an envelope.
        is_stale: there may be more of them by now; who holds it must choose again.
    """

    __slots__ = ("_grouped", "enveloped", "has_envelopes", "is_stale", "members", "offered", "published", "raw")

    def __init__(self, members: tuple[Subscriber, ...], *, published: int = 0, is_stale: bool = False) -> None:
        self.members = members
        self.published = published
        self.is_stale = is_stale
        queues = [(each.enqueue, each) for each in members if each.enqueue is not None]
        self.raw = tuple(enqueue for enqueue, each in queues if each.is_instant and each.declaration.raw)
        self.enveloped = tuple(enqueue for enqueue, each in queues if each.is_instant and not each.declaration.raw)
        self.offered = tuple(each for each in members if not each.is_instant)
        self.has_envelopes = any(not each.declaration.raw for _, each in queues)
        self._grouped: tuple[tuple[Enqueue, ...], tuple[Enqueue, ...]] | None = None

    @property
    def grouped(self) -> tuple[tuple[Enqueue, ...], tuple[Enqueue, ...]]:
        """As `raw` and `enveloped`, for publishes with a group; made when the first of them comes."""
        if self._grouped is None:
            instant = [each for each in self.members if each.is_instant]
            queues = [(each.declaration.raw, each.queue) for each in instant if each.queue is not None]
            self._grouped = (
                tuple(queue.enqueue_grouped for raw, queue in queues if raw),
                tuple(queue.enqueue_grouped for raw, queue in queues if not raw),
            )
        return self._grouped


def _delays(delay: Distribution | None, rng: Uniforms | None, name: str) -> Callable[[], float]:
    if delay is None or (rng is None and not delay.variance):
        constant = delay.mean if delay else 0.0
        return lambda: constant
    return delay.sampler(_needed(rng, name))


def _failures(rate: float, rng: Uniforms | None, name: str) -> Callable[[], bool]:
    if not rate:
        return lambda: False
    random = _needed(rng, name).random
    return lambda: random() < rate


def _needed(rng: Uniforms | None, name: str) -> Uniforms:
    if rng is None:
        raise DeclarationError(name, "its deliveries fail or take time by chance: give the topic a generator, rng=")
    return rng
