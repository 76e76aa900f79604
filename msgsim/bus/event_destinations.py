"""Event destinations: where the events of emails are published, late and twice as it happens."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from heapq import heappop, heappush
from math import inf
from typing import Any

import attrs

from msgsim.bus.email_events import EmailEvent
from msgsim.bus.feedback import event_of
from msgsim.bus.message import Content, Message
from msgsim.bus.receivers import check_duration
from msgsim.declare import as_tuple, check_now, flag, number, text
from msgsim.distributions import Distribution, Fixed, Uniforms, as_distribution
from msgsim.errors import DeclarationError

KINDS: Mapping[str, str] = {
    "send": "Send",
    "reject": "Reject",
    "delivery": "Delivery",
    "bounce": "Bounce",
    "complaint": "Complaint",
    "open": "Open",
    "click": "Click",
    "rendering-failure": "Rendering Failure",
    "delivery-delay": "DeliveryDelay",
    "subscription": "Subscription",
}
"""The types of events as they are declared, and as the service's events call them (SES-EVT-2)."""

Publish = Callable[[str | Content, float, int | None, float], object]
"""Publishes to one topic: content, now [s], the traffic event that caused it, and when that happened [s]."""


def _check_types(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    path = f"{type(owner).__name__}.{attribute.name}"
    allowed = ", ".join(KINDS)
    if not isinstance(value, tuple):
        raise DeclarationError(path, f"{value!r} is not a list of types; allowed: {allowed} (SES-EVT-2)")
    if not value:
        raise DeclarationError(path, f"is empty: no event would ever be published; allowed: {allowed} (SES-CFG-2)")
    for position, item in enumerate(value):
        if not isinstance(item, str) or item not in KINDS:
            raise DeclarationError(f"{path}.{position}", f"{item!r} is not allowed; allowed: {allowed} (SES-EVT-2)")
        if item in value[:position]:
            raise DeclarationError(f"{path}.{position}", f"{item!r} is named twice")


@attrs.frozen(kw_only=True)
class EventDestination:
    """A topic that gets events of emails.

    Args:
        topic: its name.
        types: of the events: "send", "reject", "delivery", "bounce", "complaint", "open", "click",
            "rendering-failure", "delivery-delay", "subscription".
        enabled: publish at all.
        delay: from what happened to its event [s], a distribution or a number, drawn per event, so that events
            overtake one another (SES-CFG-3); None for at once.
        duplicate_rate: probability that an event is published twice (SES-CFG-3).

    Raises:
        DeclarationError: a value is not allowed; says which are.

    Source: SES-CFG-2. Destinations of other kinds than topics take events out of the bus.
    """

    topic: str = text(empty=False)
    types: Sequence[str] = attrs.field(default=tuple(KINDS), converter=as_tuple, validator=_check_types)
    enabled: bool = flag(default=True)
    delay: Distribution | None = attrs.field(default=None, converter=as_distribution, validator=check_duration)
    duplicate_rate: float = number(0.0, high=1, unit="probability", rule="SES-CFG-3")

    @property
    def needs_chance(self) -> bool:
        """Whether it takes random numbers."""
        return not isinstance(self.delay, Fixed | None) or self.duplicate_rate > 0

    def check_chance(self, path: str, rng: Uniforms | None) -> None:
        """Refuse to be without random numbers where they are needed.

        Raises:
            DeclarationError: says what to do, at `path`.
        """
        if self.needs_chance and rng is None:
            raise DeclarationError(path, "has a delay or duplicates: pass rng=random.Random(seed)")

    def wants(self, kind: str) -> bool:
        """Whether events of a type, as the service calls it, are published."""
        return self.enabled and any(KINDS[each] == kind for each in self.types)


class EventPublisher:
    """The destinations of an account at work: those of each configuration set by the set's name.

    Args:
        destinations: by configuration set.
        topics: how to publish, by topic.
        rng: uniform random numbers; needed if a destination has a delay or duplicates.
        name: of the account, for errors.

    Attributes:
        published: events published, each time they were, by the service's name of their type.
        on_change: called when the next deadline gets earlier.

    Raises:
        DeclarationError: a destination's topic is not among `topics`, or `rng` is needed and missing.
    """

    __slots__ = ("_due", "_now", "_rng", "_routes", "_serial", "name", "on_change", "published")

    def __init__(
        self,
        destinations: Mapping[str, Iterable[EventDestination]],
        topics: Mapping[str, Publish],
        *,
        rng: Uniforms | None = None,
        name: str = "ses",
    ) -> None:
        self.name = name
        self.on_change: Callable[[], None] | None = None
        self.published: dict[str, int] = {}
        self._now = -inf
        self._rng = rng
        self._serial = 0
        self._due: list[tuple[float, int, Publish, str, str | Content, int | None, float]] = []
        self._routes: dict[tuple[str, str], list[tuple[EventDestination, Publish]]] = {}
        for owner, listed in destinations.items():
            for position, each in enumerate(listed):
                path = f"{owner}.events.{position}"
                if each.topic not in topics:
                    known = ", ".join(topics) or "none"
                    raise DeclarationError(f"{path}.topic", f"SNS topic {each.topic} not found; there are: {known}")
                each.check_chance(path, rng)
                for kind in KINDS.values():
                    if each.wants(kind):
                        self._routes.setdefault((owner, kind), []).append((each, topics[each.topic]))

    def wants(self, configuration_set: str, kind: str) -> bool:
        """Whether anybody is told of events of this type; if not, none need be made. Cost: O(1)."""
        return (configuration_set, kind) in self._routes

    def emit(
        self, configuration_set: str, kind: str, event: str | Content, now: float, origin: int | None, origin_at: float
    ) -> None:
        """Publish an event to every destination that wants it.

        Args:
            configuration_set: of the email.
            kind: the event's type, as the service calls it.
            event: its text, or what renders it.
            now: when it happened [s].
            origin: the id of the traffic event that caused the email.
            origin_at: when that happened [s].

        Raises:
            TimeRanBackwards: `now` is earlier than at the last call.

        Cost: a publish per destination; O(log waiting) for one that has a delay.
        """
        self.advance(now)
        for destination, publish in self._routes.get((configuration_set, kind), ()):
            self.tell(destination, publish, kind, event, now, origin, origin_at)

    def tell(
        self,
        destination: EventDestination,
        publish: Publish,
        kind: str,
        event: str | Content,
        now: float,
        origin: int | None,
        origin_at: float,
    ) -> None:
        """Publish an event to one destination, which need not be among those that it was made with; as `emit`."""
        for _ in range(self._copies(destination)):
            at = now + self._wait(destination)
            if at > now:
                self._postpone(at, publish, kind, event, origin, origin_at)
            else:
                self._publish(publish, kind, event, now, origin, origin_at)

    def hear(self, event: EmailEvent, origin: int, origin_at: float) -> None:
        """Publish an event of an account, by the configuration set of its email: for `SendingAccount.on_event`.

        Emails that events cause, and so on for ever, must not keep one another: the text of every second event is made
        at once.
        """
        configuration_set = event.mail.configuration_set
        if configuration_set is None or not self.wants(configuration_set, event.kind):
            return
        cause = event.mail.cause
        content: str | Content = event
        if isinstance(cause, Message) and event_of(cause.content) is not None:
            content = event.render(cause)
        self.emit(configuration_set, event.kind, content, event.at, origin, origin_at)

    def next_deadline(self) -> float | None:
        """When the next event is to be published [s]; None if none is."""
        return self._due[0][0] if self._due else None

    def advance(self, now: float) -> None:
        """Publish the events that are due by `now` [s], each at its own time; idempotent.

        Raises:
            TimeRanBackwards: `now` is earlier than at the last call.
        """
        check_now(self.name, now, self._now)
        while self._due and self._due[0][0] <= now:
            at, _, publish, kind, event, origin, origin_at = heappop(self._due)
            self._now = at
            self._publish(publish, kind, event, at, origin, origin_at)
        self._now = now

    def _copies(self, destination: EventDestination) -> int:
        twice = destination.duplicate_rate
        return 2 if twice and self._rng is not None and self._rng.random() < twice else 1

    def _wait(self, destination: EventDestination) -> float:
        delay = destination.delay
        if delay is None:
            return 0.0
        return delay.mean if isinstance(delay, Fixed) or self._rng is None else delay.quantile(self._rng.random())

    def _postpone(
        self, at: float, publish: Publish, kind: str, event: str | Content, origin: int | None, origin_at: float
    ) -> None:
        head = self._due[0][0] if self._due else inf
        self._serial += 1
        heappush(self._due, (at, self._serial, publish, kind, event, origin, origin_at))
        if at < head and self.on_change is not None:
            self.on_change()

    def _publish(
        self, publish: Publish, kind: str, event: str | Content, now: float, origin: int | None, origin_at: float
    ) -> None:
        self.published[kind] = self.published.get(kind, 0) + 1
        publish(event, now, origin, origin_at)
