# Hot path: `Route.publish` and `TopicFanout.fan_out` trust their arguments; `TopicFanout.publish` checks them.
"""Topics: declared (`Topic`, `Subscription`) and live (`TopicFanout`).

A publish reaches the subscriptions whose filter it passes. Which ones these are depends on its attributes (and on its
body, if a filter looks at that), so they are chosen once per `Route`: the publishes of one source with the same
attributes. Each set of subscriptions that was reached is an `Audience`, which counts its publishes; other numbers are
sums over audiences, made when they are read. A new subscription makes all audiences stale: routes choose again.
"""

from collections.abc import Callable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from math import inf
from typing import Any

import attrs

from msgsim.bus.contents import check_identifier
from msgsim.bus.filters import parse_body
from msgsim.bus.message import EPOCH, Content, format_id, id_base
from msgsim.bus.notifications import Inbox
from msgsim.bus.publication import ARN, Attributes, Envelope, check_publish, published_text, structured
from msgsim.bus.publish_quota import PublishQuota
from msgsim.bus.retries import HTTP, DeliveryPolicy, in_force
from msgsim.bus.signing import Signer
from msgsim.bus.subscription import Audience, Change, Endpoint, FilterCounts, Hooks, Subscriber, Subscription, is_fifo
from msgsim.declare import check_epoch, check_name, check_not_ahead, check_now, choice, flag, instance, listed
from msgsim.distributions import Uniforms
from msgsim.errors import (
    AuditError,
    DeclarationError,
    InvalidParameter,
    InvalidParameterValue,
    Throttled,
    UnknownName,
)
from msgsim.quotas import ARCHIVE_RETENTION, FILTER_LAG, RAW_ATTRIBUTES

__all__ = ["Endpoint", "Route", "Subscriber", "Subscription", "Topic", "TopicFanout"]

NO_FIFO = "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics (SNS-SUB-5)"
"""What is said of a subscription that cannot be."""

FIFO_DEAD = "Invalid parameter: RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic."
"""What is said of a dead-letter queue that cannot be, at a FIFO topic."""


CHANGEABLE = ("filter_policy", "filter_scope", "raw", "delivery_policy", "redrive")
"""Fields of a subscription that can be changed while it is live (SNS-SUB-8)."""

TOPIC_SCOPE = "Topic"
GROUP_SCOPE = "MessageGroup"


@attrs.frozen(kw_only=True)
class Topic:
    """A topic, declared.

    Attributes:
        subscriptions: an endpoint can be subscribed once per protocol; a FIFO topic has queues only (SNS-SUB-5).
        fifo: order within message groups, and nothing twice within 5 minutes (SNS-FIFO-1).
        content_based_deduplication: a publish without an id for deduplication takes the hash of its body.
        throughput_scope: "Topic" or "MessageGroup": what ids for deduplication are unique within, and what has limits
            of its own (SNS-FIFO-2).
        throttled: publishes over the limits are refused (SNS-QUO-2); those of traffic are lost then, and an action of a
            worker fails.
        archive: how long publishes are kept to be replayed [days], 1 to 365; None to keep none (SNS-ARC-1).
        delivery_policy: of the subscriptions of http and https that have none of their own; None for the default.
        disable_subscription_overrides: the topic's policy is that of all of them (SNS-RTY-7).
    """

    subscriptions: Sequence[Subscription] = listed(Subscription, "a Subscription")
    fifo: bool = flag()
    content_based_deduplication: bool = flag()
    throughput_scope: str = choice(TOPIC_SCOPE, (TOPIC_SCOPE, GROUP_SCOPE), "SNS-FIFO-2")
    throttled: bool = flag()
    archive: float | None = ARCHIVE_RETENTION.field(None, optional=True, integer=True)
    delivery_policy: DeliveryPolicy | None = instance(DeliveryPolicy, "a DeliveryPolicy", default=None, optional=True)
    disable_subscription_overrides: bool = flag()

    def __attrs_post_init__(self) -> None:
        self._check_kind()
        seen: set[tuple[str, str]] = set()
        for position, subscription in enumerate(self.subscriptions):
            key = (subscription.protocol, subscription.endpoint)
            if key in seen:
                raise DeclarationError(
                    f"Topic.subscriptions.{position}",
                    f"{subscription.protocol} endpoint {subscription.endpoint!r} is subscribed already (SNS-SUB-4)",
                )
            seen.add(key)

    def _check_kind(self) -> None:
        """Refuse what only FIFO topics have, or they have not."""
        if not self.fifo:
            for field in ("content_based_deduplication", "throughput_scope", "throttled", "archive"):
                if getattr(self, field) not in (False, None, TOPIC_SCOPE):
                    raise DeclarationError(f"Topic.{field}", "is for FIFO topics: fifo=True (SNS-FIFO-1, SNS-ARC-1)")
            return
        for position, subscription in enumerate(self.subscriptions):
            if subscription.protocol != "sqs":
                problem = f"{subscription.protocol!r} is not allowed at a FIFO topic; allowed: sqs (SNS-SUB-5)"
                raise DeclarationError(f"Topic.subscriptions.{position}.protocol", problem)
            if subscription.duplicate_rate:
                problem = f"{subscription.duplicate_rate!r} is not allowed at a FIFO topic; allowed: 0 (SNS-RTY-8)"
                raise DeclarationError(f"Topic.subscriptions.{position}.duplicate_rate", problem)

    def named(self) -> dict[str, Subscription]:
        """The subscriptions by name: the endpoint, with its protocol in front if an earlier one has that name."""
        named: dict[str, Subscription] = {}
        for subscription in self.subscriptions:
            name = subscription.endpoint
            while name in named:
                name = f"{subscription.protocol}:{name}"
            named[name] = subscription
        return named


class Route:
    """The way of the publishes that have the same attributes and subject; made by `TopicFanout.route`.

    Attributes:
        topic: where they are published.
        attributes: shared by all of them and never changed; None if there are none.
        subject: in their envelopes.
    """

    __slots__ = ("_audience", "_found", "_text", "attributes", "subject", "topic")

    def __init__(self, topic: "TopicFanout", attributes: Attributes | None, subject: str | None) -> None:
        self.topic = topic
        self.attributes = attributes
        self.subject = subject
        self._audience = self._found = topic.unknown
        self._text: str | None = None

    def publish(self, content: str | Content, now: float, origin: int | None, origin_at: float) -> None:
        """Publish; the arguments are trusted.

        Cost: an `enqueue` per queue that is reached. Subscriptions that filter the publish out cost nothing. If a
        filter looks at the body: also a parsed body, unless it is the text of the publish before.
        """
        topic = self.topic
        audience = self._audience
        if audience.is_stale:
            audience = self._choose(content, now, origin, origin_at)
        published = topic.published = topic.published + 1
        audience.published += 1
        attributes = self.attributes
        for enqueue in audience.raw:
            enqueue(content, attributes, now, origin, origin_at)
        if audience.has_envelopes:
            envelope = Envelope()  # its slots are filled here: with an `__init__` it takes twice as long
            envelope.route = self
            envelope.number = topic.base | published
            envelope.content = content
            envelope.published_at = now
            for enqueue in audience.enveloped:
                enqueue(envelope, None, now, origin, origin_at)
            for each in audience.offered:
                if each.declaration.raw:
                    each.offer(content, attributes, now, origin, origin_at)
                else:
                    each.offer(envelope, None, now, origin, origin_at)
        else:
            for each in audience.offered:
                each.offer(content, attributes, now, origin, origin_at)

    def publish_grouped(
        self, content: str | Content, now: float, origin: int | None, origin_at: float, group_id: str
    ) -> None:
        """The same with the id of a group, which queues get, too (SNS-PUB-7)."""
        topic = self.topic
        audience = self._audience
        if audience.is_stale:
            audience = self._choose(content, now, origin, origin_at, group_id)
        published = topic.published = topic.published + 1
        audience.published += 1
        attributes = self.attributes
        raw, enveloped = audience.grouped
        for enqueue in raw:
            enqueue(content, attributes, now, origin, origin_at, group_id)
        envelope = None
        if audience.has_envelopes:
            envelope = Envelope()
            envelope.route = self
            envelope.number = topic.base | published
            envelope.content = content
            envelope.published_at = now
            for enqueue in enveloped:
                enqueue(envelope, None, now, origin, origin_at, group_id)
        for each in audience.offered:
            if envelope is None or each.declaration.raw:
                each.offer(content, attributes, now, origin, origin_at, group_id)
            else:
                each.offer(envelope, None, now, origin, origin_at, group_id)

    def _choose(
        self, content: str | Content, now: float, origin: int | None, origin_at: float, group_id: str | None = None
    ) -> Audience:
        """Who is reached by this publish, and by the next ones as well unless a filter looks at their bodies."""
        topic = self.topic
        if not topic.reads_bodies:
            self._audience = topic.audience(self.attributes, None)
            return self._audience
        if content is not self._text or self._found.is_stale:
            number = topic.base + topic.published + 1
            cause = number if origin is None else origin
            text = published_text(content, self.attributes, number, now, cause, origin_at, group_id)
            self._text = text if text is content else None
            self._found = topic.audience(self.attributes, parse_body(text))
        return self._found


class TopicFanout(FilterCounts):
    """A live standard topic.

    Args:
        topic: its declaration.
        name: part of its ids and of the names of its subscriptions.
        endpoints: queues by name; those that are subscribed must be among them.
        rng: for delays and failures; may be left out if nothing is left to chance.
        rng_of: instead of one for all, the one of a subscription by its name, so that none disturbs the others.
        epoch: seconds since 1970 at time 0, for time stamps [s].

    Attributes:
        declaration: what was declared.
        subscriptions: live ones, by the names of `Topic.named`: their endpoints.
        published: accepted publishes.
        clock: tells the time beyond which nobody can publish [s]; None outside of a simulation.
        on_change: called when the next deadline gets earlier.
        base: where its ids begin.
        arn: its name in envelopes.
        reads_bodies: a filter looks at bodies.
        quota: that it shares with other topics, for `publish`; who publishes by a route charges it; None for none.
        over_quota: publishes that this refused (SNS-QUO-1).
        signer: signs notifications; None for placeholders. A `msgsim.bus.signing.Signer` may be put here.
        unknown: the audience of a route that has not chosen one yet.

    Raises:
        UnknownName: a subscribed queue is not among `endpoints`.
        DeclarationError: something is left to chance, and there is no `rng`; or a FIFO queue is subscribed (SNS-SUB-5).
    """

    __slots__ = (
        "_audiences",
        "_hooks",
        "_latest",
        "_now",
        "_pending",
        "_rng",
        "_rng_of",
        "_scheduled",
        "arn",
        "base",
        "clock",
        "declaration",
        "epoch",
        "name",
        "on_change",
        "over_quota",
        "published",
        "quota",
        "reads_bodies",
        "signer",
        "subscriptions",
        "unknown",
    )

    fifo = False

    def __init__(
        self,
        topic: Topic,
        name: str = "topic",
        *,
        endpoints: Mapping[str, Endpoint] | None = None,
        rng: Uniforms | None = None,
        rng_of: Callable[[str], Uniforms] | None = None,
        epoch: float = EPOCH,
    ) -> None:
        if not isinstance(topic, Topic):
            raise DeclarationError("TopicFanout.topic", f"{topic!r} is not a Topic")
        if topic.fifo is not self.fifo:
            kinds = ("TopicFanout", "FifoFanout")
            raise DeclarationError(
                "Topic.fifo", f"{topic.fifo} is for a {kinds[topic.fifo]}, not for a {kinds[self.fifo]}"
            )
        check_name("TopicFanout.name", name)
        check_epoch("TopicFanout.epoch", epoch)
        self.declaration = topic
        self.name = name
        self.base = id_base(name)
        self.arn = ARN + name
        self.epoch = epoch
        self.published = 0
        self.quota: PublishQuota | None = None
        self.over_quota = 0
        self.signer: Signer | None = None
        self.clock: Callable[[], float] | None = None
        self.on_change: Callable[[], None] | None = None
        self._now = -inf
        self._pending: list[tuple[float, int, Subscriber, Any]] = []
        self._scheduled = 0
        self._audiences: dict[Any, Audience] = {}
        self._hooks = Hooks(self._wait, self._choose_again, self._time)
        self._rng = rng
        self._rng_of = rng_of
        self.unknown = Audience((), is_stale=True)
        self.subscriptions = {
            key: self._subscriber(key, declared, endpoints or {}) for key, declared in topic.named().items()
        }
        self.reads_bodies = any(each.reads_body for each in self.subscriptions.values())
        for each in self.subscriptions.values():
            self._await_confirmation(each)
        self._latest = self.route(None)

    def __repr__(self) -> str:
        return (
            f"<TopicFanout {self.name!r} published={self.published} delivered={self.delivered} "
            f"filtered_out={self.filtered_out} delivery_failed={self.delivery_failed} pending={self.pending}>"
        )

    # ---------------------------------------------------------------- the hot path: trusted arguments, time not checked

    def route(self, attributes: Attributes | None, subject: str | None = None) -> Route:
        """The way of publishes with these attributes: for a source that has the same ones each time.

        Cost: O(1); a look at each filter at the first publish, and again after a `subscribe`.
        """
        return Route(self, attributes or None, subject)

    def audience(self, attributes: Attributes | None, body: object) -> Audience:
        """Who is reached by a publish; its body as `parse_body` returns it. Cost: a look at each filter."""
        confirmed = [each for each in self.subscriptions.values() if each.is_confirmed]
        members = tuple([each for each in confirmed if each.passes(attributes, body)])
        reasons: tuple[tuple[Subscriber, str], ...] = ()
        if len(members) < len(confirmed):
            others = [each for each in confirmed if each not in members]
            reasons = tuple([(each, each.why_not(attributes, body)) for each in others])
        crowded = attributes is not None and len(attributes) > RAW_ATTRIBUTES.high
        key = (members, reasons, crowded)
        audience = self._audiences.get(key)
        if audience is None:
            audience = self._audiences[key] = Audience(members, crowded=crowded, reasons=dict(reasons))
        return audience

    def fan_out(
        self,
        content: str | Content,
        attributes: Attributes | None,
        now: float,
        origin: int | None,
        origin_at: float,
        subject: str | None = None,
        group_id: str | None = None,
    ) -> None:
        """Publish; the arguments are trusted, and the attributes must not be changed any more.

        Cost: as `Route.publish`; and a route, unless attributes and subject are the very ones of the call before.
        """
        route = self._latest
        if route.attributes is not attributes or route.subject is not subject:
            self._latest = route = self.route(attributes, subject)
        if group_id is None:
            route.publish(content, now, origin, origin_at)
        else:
            route.publish_grouped(content, now, origin, origin_at, group_id)

    # ---------------------------------------------------------------- for everyone

    def publish(
        self,
        body: str,
        now: float,
        *,
        attributes: Attributes | None = None,
        subject: str | None = None,
        group_id: str | None = None,
        deduplication_id: str | None = None,
        structure: str | None = None,
    ) -> str:
        """Publish a message, which is its own origin.

        Args:
            body: at most 262,144 bytes, attributes included.
            now: [s].
            attributes: what filters look at, by name.
            subject: in envelopes.
            group_id: the tenant, for the fairness of the queues that are reached (SNS-PUB-7).
            deduplication_id: of FIFO topics only.
            structure: "json" if the body is a JSON object with a text for each protocol, "default" for the others; its
                attributes are not delivered then (SNS-PUB-4).

        Returns:
            The id of the publish, as in its envelope. It means "accepted", not "delivered" (SNS-PUB-5).

        Raises:
            InvalidParameter: empty or too long (SNS-PUB-1), a subject that cannot be (SNS-PUB-2), an attribute of no
                known type (SNS-PUB-3), a group id that is none, or a deduplication id (SNS-PUB-7).
            Throttled: over the quota that topics share (SNS-QUO-1).
            TimeRanBackwards: `now` is earlier than at the last call.
        """
        self.advance(now)
        check_publish(body, attributes, subject)
        content = structured(body, structure)
        attributes = dict(attributes) if attributes and content is body else None
        if group_id is not None:
            check_id("MessageGroupId", group_id)
        if deduplication_id is not None:
            raise InvalidParameter(
                "Invalid parameter: MessageDeduplicationId Reason: The request includes MessageDeduplicationId "
                "parameter that is not valid for this topic type"
            )
        self.charge(now)
        id_ = self.base + self.published + 1
        self.fan_out(content, attributes, now, id_, now, subject, group_id)
        return format_id(id_)

    def charge(self, now: float) -> None:
        """Count a publish at the quota that topics share, or refuse it.

        Raises:
            Throttled: it is one too many within the last second (SNS-QUO-3).
        """
        if self.quota is not None and not self.quota.take(now):
            self.over_quota += 1
            raise Throttled("Rate exceeded")

    def subscribe(
        self, subscription: Subscription, queue: Endpoint | None = None, dead_letter_queue: Endpoint | None = None
    ) -> Subscriber:
        """Add a subscription, which gets what is published from now on.

        Args:
            subscription: its endpoint must not be subscribed yet for its protocol.
            queue: where it delivers to; for protocol "sqs" only, which needs it.
            dead_letter_queue: the live queue that its `redrive` names (SNS-DLQ-1).

        Returns:
            The live subscription.

        Raises:
            DeclarationError: subscribed already (SNS-SUB-4), a FIFO queue (SNS-SUB-5), or left to chance while the
                topic has no `rng`.
            UnknownName: there is no queue, or none for dead letters.

        Cost: O(audiences), and a look at each filter at the next publish of each route.
        """
        declaration = attrs.evolve(self.declaration, subscriptions=(*self.declaration.subscriptions, subscription))
        key = subscription.endpoint
        while key in self.subscriptions:
            key = f"{subscription.protocol}:{key}"
        endpoints = named_dead_letters(subscription, dead_letter_queue)
        if queue is not None:
            endpoints[subscription.endpoint] = queue
        subscriber = self._subscriber(key, subscription, endpoints)
        self.declaration = declaration
        self.subscriptions[key] = subscriber
        self._await_confirmation(subscriber)
        self._choose_again()
        return subscriber

    def confirm(self, key: str, now: float) -> None:
        """Confirm a subscription, so that it gets what is published from now on (SNS-SUB-2, SNS-SUB-7).

        Raises:
            UnknownName: there is none of this name.
            TimeRanBackwards: `now` is earlier than at the last call.
        """
        self._position(key)
        self.advance(now)
        self.subscriptions[key].confirm()

    def watch(self, queue: object) -> None:
        """Look at each delivery to an endpoint: it has gone, or takes less (SNS-RTY-1, SNS-ENV-5).

        Queues tell this of themselves.
        """
        for each in self.subscriptions.values():
            if each.queue is queue:
                each.watch()

    def bind(self, name: str, queue: Endpoint) -> None:
        """Have another live queue under a name: one that was deleted and is there again.

        Its subscriptions deliver to it from now on, and those that name it have their dead letters there; so do the
        deliveries under way.

        Raises:
            DeclarationError: no queue, or a FIFO queue at a standard topic (SNS-SUB-5).
        """
        live_queue(Subscription(endpoint=name), {name: queue}, fifo=self.fifo)
        for each in self.subscriptions.values():
            each.bind(name, queue)

    def set_delivery_policy(self, policy: DeliveryPolicy | None, *, overrides: bool = False) -> None:
        """Change when deliveries to HTTP endpoints are repeated that begin from now on (SNS-RTY-7).

        Args:
            policy: of the subscriptions that have none of their own; None for the default.
            overrides: it is that of all of them.
        """
        changes: dict[str, Any] = {"delivery_policy": policy, "disable_subscription_overrides": overrides}
        self.declaration = attrs.evolve(self.declaration, **changes)
        for subscriber in self.subscriptions.values():
            self._repeat_by_policy(subscriber)

    def effective_policy(self, subscription: Subscription) -> DeliveryPolicy | None:
        """The policy that deliveries of a subscription are repeated by; None if it is not of HTTP (SNS-RTY-2)."""
        if subscription.protocol not in HTTP:
            return None
        declared = self.declaration
        overrides = declared.disable_subscription_overrides
        return in_force(declared.delivery_policy, subscription.delivery_policy, overrides=overrides)

    def _repeat_by_policy(self, subscriber: Subscriber) -> None:
        policy = self.effective_policy(subscriber.declaration)
        if policy is not None:
            subscriber.repeat_by(policy)

    def change(
        self,
        key: str,
        subscription: Subscription,
        *,
        at: float | None = None,
        dead_letter_queue: Endpoint | None = None,
    ) -> None:
        """Change a subscription: its filter, form, delivery policy or redrive, for what is published from then on.

        Deliveries under way keep the pauses and the dead-letter queue with which they began, which is an assumption.

        Args:
            key: of `subscriptions`.
            subscription: what it is to be; all else as it is.
            dead_letter_queue: the live queue that its `redrive` names, if it is not the present one (SNS-DLQ-1).
            at: when the change is in force [s]; None for at once. The service takes up to 15 minutes (SNS-FLT-11). What
                was asked for earlier, and would come into force later, does not any more.

        Raises:
            UnknownName: there is none of this name, or no queue for its dead letters.
            DeclarationError: something else differs, or it would take longer.

        Cost: as `subscribe`.
        """
        position = self._position(key)
        present = self.declaration.subscriptions[position]
        kept: dict[str, Any] = {field: getattr(present, field) for field in CHANGEABLE}
        if attrs.evolve(subscription, **kept) != present:
            allowed = ", ".join(CHANGEABLE)
            raise DeclarationError(f"{self.name}/{key}", f"something else is to be changed; allowed: {allowed}")
        attrs.evolve(self.declaration, subscriptions=(subscription,))  # what such a topic may have
        if dead_letter_queue is not None or subscription.redrive != present.redrive:
            given: dict[str, Any] = {subscription.endpoint: self.subscriptions[key].queue}
            given |= named_dead_letters(subscription, dead_letter_queue)
            dead_letter_queue = live_dead_letter_queue(subscription, given, fifo=self.fifo)
        change = Change(subscription, dead_letter_queue)
        if at is not None and at > self._time():
            FILTER_LAG.check(f"{self.name}/{key}: lag", max(0.0, at - max(self._time(), 0.0)))
            self._forget_changes(self.subscriptions[key], at)
            self._wait(self.subscriptions[key], change, at)
            return
        self._forget_changes(self.subscriptions[key], -inf)
        self._put_in_force(key, change)

    def _forget_changes(self, subscriber: Subscriber, since: float) -> None:
        """Let no change that was asked for earlier come into force after one that is asked for now."""
        self._pending[:] = [
            entry
            for entry in self._pending
            if entry[0] < since or entry[2] is not subscriber or not isinstance(entry[3], Change)
        ]
        heapify(self._pending)

    def _put_in_force(self, key: str, change: Change) -> None:
        position = self._position(key)
        self._declare([*self.declaration.subscriptions[:position], change.subscription], position + 1)
        subscriber = self.subscriptions[key]
        subscriber.change(change.subscription, change.dead_letter_queue)
        self._repeat_by_policy(subscriber)
        self._choose_again()

    def unsubscribe(self, key: str) -> Subscriber:
        """Let a subscription go: it gets nothing that is published from now on; deliveries under way are still made.

        Args:
            key: of `subscriptions`.

        Returns:
            The subscription, whose deliveries do not count among the topic's any more.

        Raises:
            UnknownName: there is none of this name.

        Cost: as `subscribe`.
        """
        position = self._position(key)
        self._declare(list(self.declaration.subscriptions[:position]), position + 1)
        subscriber = self.subscriptions.pop(key)
        subscriber.watch_no_more()
        self._choose_again()
        return subscriber

    def listen(self, key: str, *, limit: int = 100) -> Inbox:
        """Keep what an endpoint that is no queue gets from now on, to be looked at.

        Args:
            key: of `subscriptions`.
            limit: so many of the latest requests, events or letters.

        Returns:
            What keeps them; also the `queue` of the subscription.

        Raises:
            UnknownName: there is none of this name.
            DeclarationError: it is a queue, which keeps its messages itself.

        Cost: as `subscribe`; later one append per delivery.
        """
        declared = self.declaration.subscriptions[self._position(key)]
        subscriber = self.subscriptions[key]
        inbox = Inbox(declared, self.arn, limit=limit, content_type=subscriber.content_type)
        subscriber.queue = inbox
        subscriber.enqueue = inbox.enqueue
        subscriber.change(declared)
        self._choose_again()
        return inbox

    def _position(self, key: str) -> int:
        if key not in self.subscriptions:
            raise UnknownName.among("subscription", key, self.subscriptions)
        return list(self.subscriptions).index(key)

    def _declare(self, first: list[Subscription], position: int) -> None:
        rest = self.declaration.subscriptions[position:]
        self.declaration = attrs.evolve(self.declaration, subscriptions=(*first, *rest))

    def _choose_again(self) -> None:
        """Let routes choose whom they reach; what was counted stays."""
        self.reads_bodies = any(each.reads_body for each in self.subscriptions.values())
        for key, audience in self._audiences.items():
            audience.is_stale = True
            members, reasons, crowded = key
            fresh = Audience(members, published=audience.published, crowded=crowded, reasons=dict(reasons))
            self._audiences[key] = fresh

    def advance(self, now: float) -> None:
        """Make the deliveries that are due by `now`, each at its own time; idempotent.

        A queue gets them with that time, so it should not be looked at later than its topic is.

        Raises:
            TimeRanBackwards: `now` is earlier than at the last call.
            TimeRanAhead: `now` is later than the time of the simulation that the topic is in.

        Cost: O(log pending) per delivery.
        """
        check_now(self.name, now, self._now)
        if self.clock is not None:
            check_not_ahead(self.name, now, self.clock)
        self._now = now
        pending = self._pending
        while pending and pending[0][0] <= now:
            due, _, subscriber, delivery = heappop(pending)
            if isinstance(delivery, Change):
                self._take_over(subscriber, delivery)
            else:
                subscriber.arrive(delivery, due)

    def _take_over(self, subscriber: Subscriber, change: Change) -> None:
        """A change comes into force, unless the subscription has gone meanwhile."""
        for key in [key for key, each in self.subscriptions.items() if each is subscriber]:
            self._put_in_force(key, change)

    def next_deadline(self) -> float | None:
        """When the next delivery is due [s]; None if none is pending. Cost: O(1)."""
        return self._pending[0][0] if self._pending else None

    def _subscriber(self, key: str, subscription: Subscription, endpoints: Mapping[str, Endpoint]) -> Subscriber:
        queue = live_queue(subscription, endpoints, fifo=self.fifo)
        name = f"{self.name}/{key}"
        rng = self._rng if self._rng_of is None else self._rng_of(name)
        return Subscriber(
            subscription,
            name,
            queue,
            rng,
            self._audiences,
            self._hooks,
            since=self.published,
            dead_letter_queue=live_dead_letter_queue(subscription, endpoints, fifo=self.fifo),
            policy=self.effective_policy(subscription),
        )

    def _await_confirmation(self, subscriber: Subscriber) -> None:
        confirmed_at = subscriber.declaration.confirmed_at
        if confirmed_at is None or confirmed_at > max(self._now, 0.0):
            subscriber.leave()
            if confirmed_at is not None:
                self._wait(subscriber, None, confirmed_at)

    def _time(self) -> float:
        return self._now if self.clock is None else max(self._now, self.clock())

    def _wait(self, subscriber: Subscriber, delivery: Any, due: float) -> None:
        """Keep a delivery until it is due; at one instant in the order of publishing. Cost: O(log pending)."""
        self._scheduled = order = self._scheduled + 1
        heappush(self._pending, (due, order, subscriber, delivery))
        if self.on_change is not None and self._pending[0][1] == order:
            self.on_change()

    # ---------------------------------------------------------------- numbers, over all subscriptions

    @property
    def delivered(self) -> int:
        """Deliveries made."""
        return sum(each.delivered for each in self.subscriptions.values())

    @property
    def filtered_out(self) -> int:
        """Deliveries that did not begin, because the filter did not let the message pass."""
        return sum(each.filtered_out for each in self.subscriptions.values())

    @property
    def delivery_failed(self) -> int:
        """Deliveries that failed for good."""
        return sum(each.delivery_failed for each in self.subscriptions.values())

    @property
    def delivery_dead_lettered(self) -> int:
        """Of those, the ones kept in a dead-letter queue (SNS-DLQ-2)."""
        return sum(each.delivery_dead_lettered for each in self.subscriptions.values())

    @property
    def redrive_failed(self) -> int:
        """Of those, the ones that their dead-letter queue could not take."""
        return sum(each.redrive_failed for each in self.subscriptions.values())

    @property
    def delivery_dropped(self) -> int:
        """Deliveries that failed for good and are in no dead-letter queue (SNS-DLQ-3)."""
        return self.delivery_failed - self.delivery_dead_lettered

    def filtered_out_because(self, reason: str) -> int:
        """Of what was filtered out, that for one of `msgsim.bus.filters.REASONS`."""
        return sum(each.filtered_out_because(reason) for each in self.subscriptions.values())

    @property
    def duplicated(self) -> int:
        """Deliveries that arrived twice, each of which is counted once elsewhere (SNS-RTY-8)."""
        return sum(each.duplicated for each in self.subscriptions.values())

    @property
    def attempts(self) -> int:
        """Attempts that have begun."""
        return sum(each.attempts for each in self.subscriptions.values())

    @property
    def failed_attempts(self) -> int:
        """Of these, the ones that failed."""
        return sum(each.failed_attempts for each in self.subscriptions.values())

    @property
    def notifications_failed(self) -> int:
        """What the service counts as failed: each failed attempt of HTTP, else what failed for good."""
        return sum(each.notifications_failed for each in self.subscriptions.values())

    @property
    def pending(self) -> int:
        """Deliveries under way."""
        return sum(each.pending for each in self.subscriptions.values())

    def check(self, *, deep: bool = True) -> None:
        """Assert that the books balance: published * subscriptions = delivered + filtered_out + failed + pending.

        Of a subscription that was added later, only what was published since counts.

        Args:
            deep: also count the deliveries under way. Cost: O(pending) instead of O(1).

        Raises:
            AuditError: says where they do not.
        """
        counted = sum(audience.published for audience in self._audiences.values())
        if counted != self.published:
            raise AuditError(f"topic {self.name!r}: published {self.published}, but its audiences count {counted}")
        for each in self.subscriptions.values():
            waiting = each.pending
            if deep:
                others = (type(None), Change)
                waiting = sum(entry[2] is each and not isinstance(entry[3], others) for entry in self._pending)
            ended = each.delivered + each.filtered_out + each.delivery_failed
            published = self.published - each.missed
            if each.pending != waiting or ended + waiting != published:
                raise AuditError(f"{each!r}: of {published} published, {ended} have ended and {waiting} are waiting")


def live_queue(subscription: Subscription, endpoints: Mapping[str, Endpoint], *, fifo: bool = False) -> Endpoint | None:
    """The queue of a subscription; None if its endpoint is none.

    Raises:
        UnknownName: it is not among the endpoints.
        DeclarationError: no queue, or a FIFO queue at a standard topic (SNS-SUB-5).
    """
    if subscription.protocol != "sqs":
        return None
    if subscription.endpoint not in endpoints:
        raise UnknownName.among("queue", subscription.endpoint, endpoints)
    queue = endpoints[subscription.endpoint]
    if not hasattr(queue, "enqueue"):
        raise DeclarationError(f"endpoints.{subscription.endpoint}", f"{queue!r} is not a live queue")
    if not fifo and is_fifo(queue):
        raise DeclarationError(f"Subscription {subscription.endpoint!r}", NO_FIFO)
    return queue


def named_dead_letters(subscription: Subscription, queue: Endpoint | None) -> dict[str, Endpoint]:
    """A dead-letter queue that is given by the name that its subscription has for it; nothing without one.

    Raises:
        DeclarationError: the subscription names none.
    """
    if queue is None:
        return {}
    if subscription.redrive is None:
        raise DeclarationError("Subscription.redrive", "names no queue, but one for dead letters is given (SNS-DLQ-1)")
    return {subscription.redrive: queue}


def live_dead_letter_queue(
    subscription: Subscription, endpoints: Mapping[str, Endpoint], *, fifo: bool = False
) -> Endpoint | None:
    """The queue for what fails for good at a subscription; None if it names none.

    Args:
        subscription: its endpoint is among the endpoints, if it is a queue.
        endpoints: queues by name.
        fifo: it is one of a FIFO topic.

    Raises:
        UnknownName: it is not among the endpoints.
        DeclarationError: no queue, or not of the kind that the subscription needs (SNS-DLQ-1).
    """
    if subscription.redrive is None:
        return None
    named = Subscription(endpoint=subscription.redrive)
    queue = live_queue(named, endpoints, fifo=fifo)
    if fifo and is_fifo(endpoints[subscription.endpoint]) and not is_fifo(queue):
        raise DeclarationError(f"Subscription {subscription.endpoint!r}", f"{FIFO_DEAD} (SNS-DLQ-1)")
    return queue


def check_id(what: str, given: object) -> None:
    """Refuse what is no id of a group or for deduplication.

    Raises:
        InvalidParameter: in the service's words.
    """
    try:
        check_identifier(what, given)
    except InvalidParameterValue as error:
        reason = str(error).partition("Reason: ")[2]
        raise InvalidParameter(f"Invalid parameter: {what} Reason: {reason}") from None
