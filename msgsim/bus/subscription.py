"""Subscriptions: declared (`Subscription`) and live (`Subscriber`), and the sets of them that publishes reach."""

import json
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any, NamedTuple, Protocol, TypeAlias

import attrs

from msgsim.bus.courier import FIRST, Courier, LogEntry, Parcel
from msgsim.bus.filters import (
    INVALID_ATTRIBUTES,
    INVALID_BODY,
    MESSAGE_ATTRIBUTES,
    MESSAGE_BODY,
    NO_ATTRIBUTES,
    check_scope,
    compile_policy,
    plain_policy,
    why_filtered,
)
from msgsim.bus.message import Content
from msgsim.bus.notifications import LETTERS, PLAIN, Inbox, Received
from msgsim.bus.publication import Attributes, published_bytes, published_text
from msgsim.bus.retries import HTTP, DeliveryPolicy, schedule_of, throttled_schedule_of
from msgsim.bus.server import LiveServer, Server
from msgsim.declare import flag, instance, number, text
from msgsim.distributions import Distribution, Uniforms, as_distribution, refuse_duration
from msgsim.errors import DeclarationError
from msgsim.quotas import ATTEMPT_TIMEOUT, MAX_MESSAGE_BYTES, RAW_ATTRIBUTES

PROTOCOLS = ("http", "https", "email", "email-json", "sms", "sqs", "application", "lambda", "firehose")
"""What can be subscribed (SNS-SUB-1)."""

RAW_PROTOCOLS = ("sqs", "http", "https", "firehose")
"""What can be subscribed for raw delivery (SNS-SUB-8)."""

DELETED = "endpoint deleted"
"""Why a delivery to a queue that has gone is not made."""

FAILS = "failed"
"""Why a delivery is not made that fails for good by chance."""

TOO_LONG = "message too long"
"""Why a delivery is not made that is larger than its queue takes (SNS-ENV-5)."""

DEACTIVATED = "deactivated"
"""Why an email beyond the limit is not delivered: it is dropped, whatever dead-letter queue there is (SNS-SUB-7)."""

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


_ONLY = (("delivery_policy", HTTP, "SNS-RTY-2"), ("deactivated_above", LETTERS, "SNS-SUB-7"))
"""Fields of some protocols only."""


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
        server: what answers the deliveries, and when it does not; None for what takes everything at once. What fails is
            repeated by the schedule of the protocol (SNS-RTY-2).
        retry_jitter: each repetition comes later than its schedule says by a random share, up to this, of the pause
            before it. The service has jitter and does not say how much, so that none is the default (SNS-RTY-5).
        duplicate_rate: of standard topics: probability that what has arrived arrives once more at once, as if the
            answer had been lost (SNS-RTY-8).
        delivery_policy: of http and https: when a delivery is repeated, and an average rate; None for the topic's
            (SNS-RTY-3).
        redrive: name of the queue for what fails for good; None to drop it (SNS-DLQ-1, SNS-DLQ-3).
        confirmed_at: when the owner of the endpoint confirms the subscription, before which it gets nothing [s]; None
            for never (SNS-SUB-2).
        deactivated_above: of email: so many per second end the subscription until it is confirmed again, and the one
            beyond is lost; the service does so above 10 (SNS-SUB-7). None for no limit [1/s].
        log_rate: share of the successes that the live subscription keeps in its log; failures are kept always. None
            for no log (SNS-RTY-9).
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
    server: Server | None = instance(Server, "a Server", default=None, optional=True)
    retry_jitter: float = number(0.0, high=1.0, rule="SNS-RTY-5")
    duplicate_rate: float = number(0.0, high=1.0, rule="SNS-RTY-8")
    delivery_policy: DeliveryPolicy | None = instance(DeliveryPolicy, "a DeliveryPolicy", default=None, optional=True)
    redrive: str | None = text(None, optional=True, empty=False)
    confirmed_at: float | None = number(0.0, unit="s", rule="SNS-SUB-2", optional=True)
    deactivated_above: float | None = number(None, above=True, unit="emails/s", rule="SNS-SUB-7", optional=True)
    log_rate: float | None = number(None, high=1.0, rule="SNS-RTY-9", optional=True)

    def __attrs_post_init__(self) -> None:
        for field, protocols, rule in _ONLY:
            if getattr(self, field) is not None and self.protocol not in protocols:
                allowed = ", ".join(protocols)
                problem = f"{self.protocol} has none; allowed: {allowed} ({rule})"
                raise DeclarationError(f"Subscription.{field}", problem)
        if self.raw and self.protocol not in RAW_PROTOCOLS:
            allowed = ", ".join(RAW_PROTOCOLS)
            problem = f"{self.protocol} has no raw delivery; allowed: {allowed} (SNS-SUB-8)"
            raise DeclarationError("Subscription.raw", problem)


# ---------------------------------------------------------------- live


@attrs.frozen(eq=False)
class Change:
    """What comes into force later.

    Attributes:
        subscription: what it is to be.
        dead_letter_queue: the live queue that its `redrive` names; None if that does not change.
    """

    subscription: Subscription
    dead_letter_queue: Endpoint | None


class Hooks(NamedTuple):
    """What a subscription needs of its topic.

    Attributes:
        wait: keeps a delivery until it is due [s], and calls `Subscriber.arrive` then.
        choose_again: who gets what is published has changed.
        time: of whoever looks [s].
    """

    wait: "Callable[[Subscriber, Any, float], None]"
    choose_again: Callable[[], None]
    time: Callable[[], float]


class FilterCounts(ABC):
    """Why messages were filtered out, as the metrics of the service tell it."""

    __slots__ = ()

    @abstractmethod
    def filtered_out_because(self, reason: str) -> int:
        """For one of `msgsim.bus.filters.REASONS`."""

    @property
    def filtered_by_attributes(self) -> int:
        """By a policy on attributes that could be looked at."""
        return self.filtered_out_because(MESSAGE_ATTRIBUTES)

    @property
    def filtered_by_body(self) -> int:
        """By a policy on a body that could be looked at."""
        return self.filtered_out_because(MESSAGE_BODY)

    @property
    def filtered_without_attributes(self) -> int:
        """For want of any attributes."""
        return self.filtered_out_because(NO_ATTRIBUTES)

    @property
    def filtered_invalid_attributes(self) -> int:
        """With attributes that no policy can look at."""
        return self.filtered_out_because(INVALID_ATTRIBUTES)

    @property
    def filtered_invalid_body(self) -> int:
        """With a body that no policy can look at."""
        return self.filtered_out_because(INVALID_BODY)


class Subscriber(FilterCounts):
    """A live subscription: its numbers, and those of its deliveries that take time or can fail.

    Args:
        subscription: its declaration.
        name: `topic/endpoint`.
        queue: where it delivers; None to count deliveries only.
        rng: for delays and failures.
        audiences: of the topic, which adds to them.
        hooks: of the topic.
        since: publishes before it was there.
        dead_letter_queue: for what fails for good; None to drop it.
        policy: that its deliveries are repeated by, if it is of HTTP.

    Attributes:
        declaration: what was declared.
        name: `topic/endpoint`.
        queue: where it delivers; None if that is no queue.
        enqueue: of the queue; None if there is none.
        is_confirmed: it gets what is published.
        is_instant: deliveries are sure, and over at once.
        reads_body: the filter looks at the body.
        delivery_failed: deliveries that failed for good.
        delivery_dead_lettered: of those, the ones kept in the dead-letter queue.
        redrive_failed: of those, the ones that it could not take.
        duplicated: deliveries that arrived twice, each of which is counted once elsewhere.
        under_way: deliveries that wait for their first attempt.

    Raises:
        DeclarationError: something is left to chance, and there is no `rng`.
    """

    __slots__ = (
        "_absent",
        "_arrived",
        "_audiences",
        "_courier",
        "_dead_letters",
        "_delay",
        "_doubles",
        "_fails",
        "_hooks",
        "_latest",
        "_left_at",
        "_passes",
        "_policy",
        "_rng",
        "declaration",
        "delivery_dead_lettered",
        "delivery_failed",
        "duplicated",
        "enqueue",
        "is_confirmed",
        "is_instant",
        "name",
        "queue",
        "reads_body",
        "redrive_failed",
        "under_way",
    )

    def __init__(
        self,
        subscription: Subscription,
        name: str,
        queue: Endpoint | None,
        rng: Uniforms | None,
        audiences: "Mapping[Any, Audience]",
        hooks: Hooks,
        *,
        since: int = 0,
        dead_letter_queue: Endpoint | None = None,
        policy: DeliveryPolicy | None = None,
    ) -> None:
        self.name = name
        self.queue = queue
        self.enqueue = None if queue is None else queue.enqueue
        self._dead_letters: dict[str, Endpoint] = {}
        self._rng = rng
        self.change(subscription, dead_letter_queue)
        self.under_way = self.delivery_failed = self.delivery_dead_lettered = self.redrive_failed = self._arrived = 0
        self.duplicated = 0
        self._draw_anew()
        self._audiences = audiences
        self._hooks = hooks
        self._policy = policy
        self._latest: deque[float] = deque()
        self._absent = since
        self._left_at: int | None = None
        self.is_confirmed = True
        server = subscription.server
        if (server is not None and not server.is_certain) or subscription.retry_jitter:
            _needed(rng, name)
        attempted = server is not None or _is_held_back(policy) or subscription.log_rate is not None
        self._courier = self._made_courier() if attempted else None
        certain = subscription.delivery_delay is None and not (subscription.failure_rate or subscription.duplicate_rate)
        at_once = self._courier is None and subscription.deactivated_above is None
        self.is_instant = certain and at_once and not is_narrow(queue)
        _tell_of(queue, self.watch)

    def __getstate__(self) -> dict[str, Any]:
        """All but functions that are made of a declaration and a generator: a copy makes them of its own."""
        slots = [slot for kind in type(self).__mro__ for slot in getattr(kind, "__slots__", ())]
        return {slot: getattr(self, slot) for slot in slots if slot not in _MADE}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for slot, value in state.items():
            setattr(self, slot, value)
        self._draw_anew()
        self._filter_anew()
        _tell_of(self.queue, self.watch)

    def __repr__(self) -> str:
        return (
            f"<Subscriber {self.name!r} delivered={self.delivered} filtered_out={self.filtered_out} "
            f"delivery_failed={self.delivery_failed} pending={self.pending}>"
        )

    # ---------------------------------------------------------------- numbers

    @property
    def matched(self) -> int:
        """Publishes that passed the filter. Cost: O(audiences of the topic)."""
        return sum(audience.published for audience in self._audiences.values() if self in audience.members)

    @property
    def missed(self) -> int:
        """Publishes while it was not there, or not confirmed: it never gets them (SNS-SUB-2)."""
        return self._absent + (0 if self._left_at is None else self._published - self._left_at)

    @property
    def _published(self) -> int:
        return sum(audience.published for audience in self._audiences.values())

    @property
    def filtered_out(self) -> int:
        """Publishes that did not: neither delivered nor dead-lettered (SNS-FLT-12). Cost: as `matched`."""
        others = sum(audience.published for audience in self._audiences.values() if self not in audience.members)
        return others - self.missed

    def filtered_out_because(self, reason: str) -> int:
        """Of these, the ones for one of `msgsim.bus.filters.REASONS`. Cost: as `matched`."""
        return sum(each.published for each in self._audiences.values() if each.reasons.get(self) == reason)

    @property
    def delivered(self) -> int:
        """Publishes that reached the endpoint. Cost: as `matched`."""
        return self.matched - self.delivery_failed if self.is_instant else self._arrived

    @property
    def pending(self) -> int:
        """Deliveries under way."""
        return self.under_way + (0 if self._courier is None else self._courier.pending)

    @property
    def is_kept(self) -> bool:
        """Whether what it gets is put in a queue, or may be."""
        return self.queue is not None or self.declaration.redrive is not None

    @property
    def delivery_dropped(self) -> int:
        """Deliveries that failed for good and are in no dead-letter queue (SNS-DLQ-3)."""
        return self.delivery_failed - self.delivery_dead_lettered

    @property
    def attempts(self) -> int:
        """Attempts that have begun. Cost: as `Courier.attempts`."""
        if self._courier is None:
            return self.delivered + self.delivery_failed + self.duplicated
        return self._courier.attempts + self.duplicated

    @property
    def failed_attempts(self) -> int:
        """Of these, the ones that failed. Cost: as `Courier.attempts`."""
        return self.delivery_failed if self._courier is None else self._courier.failed_attempts

    @property
    def notifications_failed(self) -> int:
        """What the service counts as failed: each failed attempt of HTTP, else what failed for good. Cost: as above."""
        return self.failed_attempts if self.declaration.protocol in HTTP else self.delivery_failed

    @property
    def log(self) -> "Sequence[LogEntry]":
        """The latest outcomes of attempts, oldest first; nothing without a `log_rate`."""
        return () if self._courier is None else tuple(self._courier.log)

    @property
    def content_type(self) -> str:
        """Of the requests, if it is of HTTP (SNS-ENV-7)."""
        return PLAIN if self._policy is None else self._policy.content_type or PLAIN

    # ---------------------------------------------------------------- who it is for

    @property
    def received(self) -> tuple[Received, ...]:
        """What came since `TopicFanout.listen`, the latest last; nothing without it, and nothing of a queue."""
        return self.queue.received if isinstance(self.queue, Inbox) else ()

    def change(self, subscription: Subscription, dead_letter_queue: Endpoint | None = None) -> None:
        """Take over another filter, form and redrive; the audiences that it is in must be chosen again."""
        if isinstance(self.queue, Inbox):
            subscription = self.queue.follow(subscription)
        self.declaration = subscription
        if subscription.redrive is not None and dead_letter_queue is not None:
            self._dead_letters[subscription.redrive] = dead_letter_queue
        self._filter_anew()

    def _filter_anew(self) -> None:
        policy, scope = self.declaration.filter_policy, self.declaration.filter_scope
        self.reads_body = policy is not None and scope == MESSAGE_BODY
        self._passes = None if policy is None else compile_policy(policy, scope)

    def _draw_anew(self) -> None:
        self._delay = _delays(self.declaration.delivery_delay, self._rng, self.name)
        self._fails = _chance(self.declaration.failure_rate, self._rng, self.name)
        self._doubles = _chance(self.declaration.duplicate_rate, self._rng, self.name)

    def repeat_by(self, policy: DeliveryPolicy) -> None:
        """Take over the policy that deliveries are repeated by from now on, if it is of HTTP (SNS-RTY-7).

        Those under way keep the pauses that they began with; the average rate is that of all attempts.
        """
        if policy == self._policy:
            return
        self._policy = policy
        if isinstance(self.queue, Inbox):
            self.queue.content_type = self.content_type
        if self._courier is not None:
            self._courier.repeat_by(schedule_of(self.declaration.protocol, policy), policy)
        elif _is_held_back(policy):
            self.watch()
            self._courier = self._made_courier()

    def bind(self, name: str, queue: Endpoint) -> None:
        """Use the live queue that a name is of from now on; deliveries under way arrive there, too."""
        if self.declaration.protocol == "sqs" and self.declaration.endpoint == name:
            self.watch_no_more()
            _tell_of(queue, self.watch)
            self.queue = queue
            self.enqueue = queue.enqueue
            if is_narrow(queue):
                self.watch()
            self._hooks.choose_again()
        if name in self._dead_letters:
            self._dead_letters[name] = queue

    def passes(self, attributes: Attributes | None, body: object) -> bool:
        """Whether a publish passes the filter.

        Args:
            attributes: of the publish.
            body: as `msgsim.bus.filters.parse_body` returns it, if the filter looks at it.
        """
        return self._passes is None or self._passes(body if self.reads_body else attributes)

    def why_not(self, attributes: Attributes | None, body: object) -> str:
        """Why a publish did not pass: one of `msgsim.bus.filters.REASONS`."""
        return why_filtered(self.declaration.filter_scope, attributes, body)

    def confirm(self) -> None:
        """Get what is published from now on."""
        if not self.is_confirmed:
            self._absent, self._left_at = self.missed, None
            self.is_confirmed = True
            self._hooks.choose_again()

    def leave(self) -> None:
        """Get nothing any more, until it is confirmed (again)."""
        if self.is_confirmed:
            self._left_at = self._published
            self.is_confirmed = False
            self._hooks.choose_again()

    def watch(self) -> None:
        """Look at each delivery from now on: its queue has gone, or takes less (SNS-RTY-1, SNS-ENV-5)."""
        if self.is_instant:
            self._arrived = self.matched - self.delivery_failed
            self.is_instant = False
            self._hooks.choose_again()

    def watch_no_more(self) -> None:
        """Do not be told of the queue any more."""
        watchers = _watchers(self.queue)
        if self.watch in watchers:
            watchers.remove(self.watch)

    # ---------------------------------------------------------------- deliveries that take time or can fail

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
        due = now + self._delay()
        parcel = Parcel(content, attributes, due, origin, origin_at, group_id, self.declaration.redrive)
        if due > now:
            self.under_way += 1
            self._hooks.wait(self, parcel, due)
        else:
            self._attempt(parcel, now)

    def arrive(self, delivery: "Parcel | None", now: float) -> None:
        """Go on with a delivery that waited; without one, its owner confirms the subscription."""
        if delivery is None:
            self.confirm()
        elif delivery.waits_for == FIRST:
            self.under_way -= 1
            self._attempt(delivery, now)
        else:
            self._courier.proceed(delivery, now)  # type: ignore[union-attr]  # it made it wait

    def _attempt(self, parcel: Parcel, now: float) -> None:
        """Begin the first attempt of a delivery, which may end at once."""
        if self._fails():
            why = FAILS
        elif self.declaration.deactivated_above is not None and self._is_flooded(now):
            why = DEACTIVATED
        else:
            why = self._refusal(parcel, now)
        courier = self._courier
        if courier is None:
            why = why or self._deliver(parcel, now)
            if why:
                parcel.status = why
                self._give_up(parcel, now)
        elif why:
            courier.refuse(parcel, now, why)
        else:
            courier.send(parcel, now)

    def _refusal(self, parcel: Parcel, now: float) -> str:
        """Why the queue cannot take a delivery, ever; nothing if it can (SNS-RTY-1, SNS-ENV-4, SNS-ENV-5)."""
        if self.queue is None or self.declaration.protocol != "sqs":
            return ""
        store: Any = getattr(self.queue, "queue", self.queue)  # a station has one
        if getattr(store, "change_due", inf) <= now:
            store.settle(now)
        if not getattr(store, "exists", True):
            return DELETED
        attributes = parcel.attributes or {}  # an envelope has them in its text
        if len(attributes) > RAW_ATTRIBUTES.high:
            return f"more than {RAW_ATTRIBUTES.high:g} attributes"
        return TOO_LONG if is_narrow(store) and _is_too_long(store, parcel, now) else ""

    def _is_flooded(self, now: float) -> bool:
        """Count an email; above the limit of a second the subscription must be confirmed again (SNS-SUB-7)."""
        latest, limit = self._latest, self.declaration.deactivated_above or 0.0
        latest.append(now)
        while latest[0] <= now - 1.0:
            latest.popleft()
        if len(latest) <= limit:
            return False
        self.leave()
        return True

    def _made_courier(self) -> Courier:
        subscription = self.declaration
        patience = ATTEMPT_TIMEOUT.low if subscription.protocol in HTTP else inf
        return Courier(
            schedule_of(subscription.protocol, self._policy),
            None if subscription.server is None else LiveServer(subscription.server, self._rng, patience),
            self._policy,
            refusal=self._refusal,
            deliver=self._deliver,
            give_up=self._give_up,
            wait=self._wait,
            time=self._hooks.time,
            log_rate=subscription.log_rate,
            jitter=subscription.retry_jitter,
            rng=self._rng,
            throttled=throttled_schedule_of(subscription.protocol),
            attempts=self._arrived + self.delivery_failed,
            failed_attempts=self.delivery_failed,
        )

    def _wait(self, parcel: Parcel, due: float) -> None:
        self._hooks.wait(self, parcel, due)

    def _deliver(self, parcel: Parcel, now: float) -> str:
        if self.queue is not None and not is_there(self.queue):
            return DELETED
        self._arrived += 1
        if self.queue is not None:
            _put(self.queue, parcel, now)
        if self._doubles():
            self.duplicated += 1
            if self.queue is not None:
                _put(self.queue, parcel, now)
        return ""

    def _give_up(self, parcel: Parcel, now: float) -> None:
        """Keep what failed for good in the dead-letter queue, as the endpoint would have got it (SNS-DLQ-2)."""
        self.delivery_failed += 1
        if parcel.redrive is None or parcel.status == DEACTIVATED:
            return
        target = self._dead_letters[parcel.redrive]
        if can_bury(target, parcel, now):
            self.delivery_dead_lettered += 1
            _put(target, parcel, now)
        else:
            self.redrive_failed += 1


def _put(queue: Endpoint, parcel: Parcel, now: float) -> None:
    place = (parcel.content, parcel.attributes, now, parcel.origin, parcel.origin_at)
    if parcel.group_id is None:
        queue.enqueue(*place)
    else:
        queue.enqueue_grouped(*place, parcel.group_id)


def is_there(queue: object) -> bool:
    """Whether a queue, or the one of a station, has not been deleted."""
    return bool(getattr(getattr(queue, "queue", queue), "exists", True))


def _tell_of(queue: object, watcher: Callable[[], None]) -> None:
    """Have it told when a queue has gone or takes less; what is no queue tells nobody."""
    tell = getattr(getattr(queue, "queue", queue), "tell", None)
    if tell is not None:
        tell(watcher)


def _watchers(queue: object) -> list[Callable[[], None]]:
    """Whom a queue tells that it has gone or takes less; what is no queue tells nobody."""
    return getattr(getattr(queue, "queue", queue), "watchers", [])


def _is_held_back(policy: DeliveryPolicy | None) -> bool:
    """Whether deliveries have an average rate (SNS-RTY-6b)."""
    return policy is not None and policy.max_receives_per_second is not None


def can_bury(queue: Endpoint, parcel: Parcel, now: float) -> bool:
    """Whether a dead-letter queue is there, and takes so much (SNS-ENV-5)."""
    store: Any = getattr(queue, "queue", queue)
    if getattr(store, "change_due", inf) <= now:
        store.settle(now)
    return is_there(queue) and not (is_narrow(queue) and _is_too_long(queue, parcel, now))


def _is_too_long(queue: object, parcel: Parcel, now: float) -> bool:
    """Whether a delivery is larger than a queue takes. Cost: that of its text."""
    origin = parcel.origin or 0
    text = published_text(parcel.content, parcel.attributes, 0, now, origin, parcel.origin_at, parcel.group_id)
    return published_bytes(text, parcel.attributes) > _most_bytes(queue)


def is_fifo(queue: object) -> bool:
    """Whether a queue, or the one of a station, is a FIFO queue."""
    return bool(getattr(getattr(getattr(queue, "queue", queue), "declaration", None), "fifo", False))


def _most_bytes(queue: object) -> float:
    declaration = getattr(getattr(queue, "queue", queue), "declaration", None)
    return float(getattr(declaration, "max_message_bytes", inf))


def is_narrow(queue: object) -> bool:
    """Whether a queue may be too small for a notification: those of the usual size are not looked at (SNS-ENV-5)."""
    return _most_bytes(queue) < MAX_MESSAGE_BYTES.high


class Audience:
    """The subscribers that some publishes reached, and how many publishes those were.

    Attributes:
        members: in the order of declaration.
        published: publishes that reached these and no others.
        raw: of the queues that get a message at once and as it was published.
        enveloped: of the queues that get it at once and in an envelope.
        offered: members whose deliveries take time or can fail; if the publishes have more attributes than a queue
            takes, also the queues that would get them raw.
        has_envelopes: whether any queue gets an envelope, be it one for dead letters.
        is_stale: there may be more of them by now; who holds it must choose again.
        reasons: why the others were not reached, of those that have a filter.
    """

    __slots__ = (
        "_grouped",
        "enveloped",
        "has_envelopes",
        "is_stale",
        "members",
        "offered",
        "published",
        "raw",
        "reasons",
    )

    def __init__(
        self,
        members: tuple[Subscriber, ...],
        *,
        published: int = 0,
        is_stale: bool = False,
        crowded: bool = False,
        reasons: "Mapping[Subscriber, str] | None" = None,
    ) -> None:
        self.members = members
        self.reasons = reasons or {}
        self.published = published
        self.is_stale = is_stale
        queues = [(each.enqueue, each) for each in members if each.enqueue is not None]
        raw = [enqueue for enqueue, each in queues if each.is_instant and each.declaration.raw]
        self.raw = () if crowded else tuple(raw)
        self.enveloped = tuple(enqueue for enqueue, each in queues if each.is_instant and not each.declaration.raw)
        refused = [each for _, each in queues if crowded and each.declaration.raw]
        self.offered = tuple(each for each in members if not each.is_instant or each in refused)
        self.has_envelopes = any(not each.declaration.raw for each in members if each.is_kept)
        self._grouped: tuple[tuple[Enqueue, ...], tuple[Enqueue, ...]] | None = None

    @property
    def grouped(self) -> tuple[tuple[Enqueue, ...], tuple[Enqueue, ...]]:
        """As `raw` and `enveloped`, for publishes with a group; made when the first of them comes."""
        if self._grouped is None:
            instant = [each for each in self.members if each not in self.offered]
            queues = [(each.declaration.raw, each.queue) for each in instant if each.queue is not None]
            self._grouped = (
                tuple(queue.enqueue_grouped for raw, queue in queues if raw),
                tuple(queue.enqueue_grouped for raw, queue in queues if not raw),
            )
        return self._grouped


_MADE = ("_delay", "_doubles", "_fails", "_passes")
"""Slots of a subscription that hold functions made of its declaration, which neither pickle nor copy."""


def _delays(delay: Distribution | None, rng: Uniforms | None, name: str) -> Callable[[], float]:
    if delay is None or (rng is None and not delay.variance):
        constant = delay.mean if delay else 0.0
        return lambda: constant
    return delay.sampler(_needed(rng, name))


def _chance(rate: float, rng: Uniforms | None, name: str) -> Callable[[], bool]:
    if not rate:
        return lambda: False
    random = _needed(rng, name).random
    return lambda: random() < rate


def _needed(rng: Uniforms | None, name: str) -> Uniforms:
    if rng is None:
        raise DeclarationError(name, "its deliveries fail or take time by chance: give the topic a generator, rng=")
    return rng
