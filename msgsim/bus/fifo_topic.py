"""The live FIFO topic: order within message groups, nothing twice within 5 minutes, an archive and its replays."""

from collections.abc import Callable, Hashable, Mapping
from math import inf, nextafter
from typing import Any

import attrs

from msgsim.bus.archive import COMPLETED, FAILED, IN_PROGRESS, Archive, Publication, Replay
from msgsim.bus.deduplication import Deduplication, content_id
from msgsim.bus.fifo_subscription import FifoSubscriber
from msgsim.bus.filters import parse_body
from msgsim.bus.groups import FIRST_SEQUENCE_NUMBER, SEQUENCE_STEP
from msgsim.bus.message import EPOCH, Content, format_id
from msgsim.bus.publication import (
    Attributes,
    FifoEnvelope,
    check_publish,
    published_bytes,
    published_text,
    structured,
)
from msgsim.bus.subscription import Endpoint, Subscription
from msgsim.bus.topic import TOPIC_SCOPE, Route, Topic, TopicFanout, check_id, live_dead_letter_queue, live_queue
from msgsim.bus.topic_throughput import TopicThroughput
from msgsim.declare import DAY, check_flag, check_number
from msgsim.distributions import Uniforms
from msgsim.errors import AuditError, InvalidParameter, ReplayLimitExceeded, Throttled

NO_GROUP = "Invalid parameter: The MessageGroupId parameter is required for FIFO topics"
NO_ID = (
    "Invalid parameter: The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId "
    "provided explicitly"
)


class FifoRoute(Route):
    """See `Route`; each publish has a group."""

    __slots__ = ()

    def publish(self, content: str | Content, now: float, origin: int | None, origin_at: float) -> None:  # noqa: ARG002
        """Refuse a publish without a group.

        Raises:
            InvalidParameter: always.
        """
        raise InvalidParameter(NO_GROUP)

    def publish_grouped(
        self,
        content: str | Content,
        now: float,
        origin: int | None,
        origin_at: float,
        group_id: str,
        deduplication_id: str | None = None,
    ) -> None:
        """Publish; the arguments are trusted. Without an id for deduplication it is known to be unique.

        What is throttled is counted there, and lost: nobody publishes it again.
        """
        topic: Any = self.topic
        topic.try_accept(self, content, now, origin, origin_at, group_id, deduplication_id)


class FifoFanout(TopicFanout):
    """A live FIFO topic; see `TopicFanout` for its arguments and verbs.

    Args:
        blocks: a delivery that takes its time, or is tried again, holds up the later ones of its group to that
            subscriber; the service does not publish how (SNS-FIFO-3).
        replay_rate: replayed messages per second and subscription; unpublished.
        most_replays: how many may be under way at once; unpublished (SNS-ARC-3).

    Attributes:
        deduplicated: publishes that were accepted and went nowhere, as their id was known.
        archive: what can be replayed; None if nothing is kept.
        throughput: publishes of the last second; None if there may be any number.
        throttled: publishes refused for too many (SNS-QUO-2).
    """

    __slots__ = (
        "_live",
        "_memory",
        "archive",
        "blocks",
        "deduplicated",
        "most_replays",
        "replay_rate",
        "throttled",
        "throughput",
    )

    fifo = True
    subscriptions: dict[str, Any]

    def __init__(
        self,
        topic: Topic,
        name: str = "topic",
        *,
        endpoints: Mapping[str, Endpoint] | None = None,
        rng: Uniforms | None = None,
        rng_of: Callable[[str], Uniforms] | None = None,
        epoch: float = EPOCH,
        blocks: bool = True,
        replay_rate: float = 1_000.0,
        most_replays: int = 100,
    ) -> None:
        check_flag("FifoFanout.blocks", blocks)
        check_number("FifoFanout.replay_rate", replay_rate, above=True, unit="messages/s")
        check_number("FifoFanout.most_replays", most_replays, low=1, unit="replays", integer=True)
        self.blocks = blocks
        self.replay_rate = replay_rate
        self.most_replays = most_replays
        self.deduplicated = self.throttled = 0
        self._memory = Deduplication()
        self._live: tuple[FifoSubscriber, ...] = ()
        super().__init__(topic, name, endpoints=endpoints, rng=rng, rng_of=rng_of, epoch=epoch)
        self._choose_again()
        self.archive = None if topic.archive is None else Archive(topic.archive, 0.0)
        self.throughput = TopicThroughput(topic.throughput_scope) if topic.throttled else None

    def route(self, attributes: Attributes | None, subject: str | None = None) -> FifoRoute:
        """See `TopicFanout.route`."""
        return FifoRoute(self, attributes or None, subject)

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
            group_id: within which it keeps its order.
            deduplication_id: may be left out if the topic takes it from the body.
            structure: see `TopicFanout.publish`; the hash is of the whole body.

        Returns:
            The id of the publish; of a duplicate, that of the first (SNS-FIFO-1; unpublished).

        Raises:
            InvalidParameter: as for a standard topic; or there is no group, or no id for deduplication (SNS-PUB-6).
            Throttled: too many publishes (SNS-QUO-2).
            TimeRanBackwards: `now` is earlier than at the last call.
        """
        given: dict[str, Any] = {"attributes": attributes, "subject": subject, "group_id": group_id}
        return self.publish_numbered(body, now, **given, deduplication_id=deduplication_id, structure=structure)[0]

    def publish_numbered(
        self,
        body: str,
        now: float,
        *,
        attributes: Attributes | None = None,
        subject: str | None = None,
        group_id: str | None = None,
        deduplication_id: str | None = None,
        structure: str | None = None,
    ) -> tuple[str, str]:
        """The same.

        Returns:
            The id of the publish and its sequence number; of a duplicate, those of the first.
        """
        self.advance(now)
        check_publish(body, attributes, subject)
        if group_id is None:
            raise InvalidParameter(NO_GROUP)
        check_id("MessageGroupId", group_id)
        if deduplication_id is not None:
            check_id("MessageDeduplicationId", deduplication_id)
        elif self.declaration.content_based_deduplication:
            deduplication_id = content_id(body)
        else:
            raise InvalidParameter(NO_ID)
        content = structured(body, structure)
        route = self.route(dict(attributes) if attributes and content is body else None, subject)
        self.charge(now)
        self._charge(group_id, body, attributes, now)
        number = self.accept(route, content, now, None, now, group_id, deduplication_id)
        return format_id(number), self._sequence(number - self.base)

    def fan_out(
        self,
        content: str | Content,
        attributes: Attributes | None,
        now: float,
        origin: int | None,
        origin_at: float,
        subject: str | None = None,
        group_id: str | None = None,
        deduplication_id: str | None = None,
    ) -> None:
        """See `TopicFanout.fan_out`.

        Raises:
            InvalidParameter: there is no group.
        """
        if group_id is None:
            raise InvalidParameter(NO_GROUP)
        self.try_accept(self.route(attributes, subject), content, now, origin, origin_at, group_id, deduplication_id)

    def try_accept(
        self,
        route: Route,
        content: str | Content,
        now: float,
        origin: int | None,
        origin_at: float,
        group_id: str,
        deduplication_id: str | None,
    ) -> bool:
        """Take a publish, unless there are too many; the arguments are trusted.

        Returns:
            Whether it was taken; a duplicate is.

        Cost: as `accept`; where publishes are throttled also that of the text.
        """
        if self.throughput is not None:
            number = self.base + self.published + 1
            cause = number if origin is None else origin
            text = published_text(content, route.attributes, number, now, cause, origin_at, group_id)
            try:
                self._charge(group_id, text, route.attributes, now)
            except Throttled:
                return False
        self.accept(route, content, now, origin, origin_at, group_id, deduplication_id)
        return True

    def _charge(self, group_id: str, text: str, attributes: Attributes | None, now: float) -> None:
        if self.throughput is None:
            return
        try:
            self.throughput.charge(group_id, published_bytes(text, attributes), now)
        except Throttled:
            self.throttled += 1
            raise

    def accept(
        self,
        route: Route,
        content: str | Content,
        now: float,
        origin: int | None,
        origin_at: float,
        group_id: str,
        deduplication_id: str | None,
    ) -> int:
        """Take a publish; the arguments are trusted.

        Returns:
            Its number; of a duplicate, that of the first.

        Cost: O(subscriptions).
        """
        if deduplication_id is not None:
            key: Hashable = (group_id, deduplication_id)
            if self.declaration.throughput_scope == TOPIC_SCOPE:
                key = deduplication_id
            known: Any = self._memory.find(key, now)
            if known is not None:
                self.deduplicated += 1
                return int(known)
        self.published = place = self.published + 1
        number = self.base + place
        if deduplication_id is not None:
            memory: Any = self._memory
            memory.remember(key, number, now)
        envelope = FifoEnvelope()
        envelope.route = route
        envelope.number = number
        envelope.content = content
        envelope.published_at = now
        envelope.sequence = self._sequence(place)
        envelope.replayed = False
        cause = number if origin is None else origin
        publication = Publication(envelope, route.attributes, cause, origin_at, group_id, deduplication_id, place)
        text = _text_of(publication) if self.archive is not None or self.reads_bodies else ""
        if self.archive is not None:
            self.archive.keep(publication, published_bytes(text, route.attributes))
        body = parse_body(text) if self.reads_bodies else None
        for each in self._live:
            if each.replay is not None and not each.is_live:
                each.withheld += 1
            elif each.passes(route.attributes, body):
                each.carry(publication, now, replayed=False)
            else:
                each.leave_out(route.attributes, body)
        return number

    def set_deduplication(self, *, content_based: bool | None = None, scope: str | None = None) -> None:
        """Change what ids for deduplication are taken from, and what they are unique within, for later publishes.

        Args:
            content_based: see `Topic.content_based_deduplication`; None to leave it.
            scope: see `Topic.throughput_scope`; None to leave it. What was known of the other scope does not count any
                more, which is an assumption.

        Raises:
            DeclarationError: no scope.
            InvalidParameter: back from "MessageGroup" to "Topic" (SNS-FIFO-2).
        """
        present = self.declaration
        changed = attrs.evolve(
            present,
            content_based_deduplication=present.content_based_deduplication if content_based is None else content_based,
            throughput_scope=present.throughput_scope if scope is None else scope,
        )
        if changed.throughput_scope != present.throughput_scope:
            if changed.throughput_scope == TOPIC_SCOPE:
                raise InvalidParameter(
                    "Invalid parameter: FifoThroughputScope Reason: a topic cannot go back from MessageGroup to Topic"
                )
            self.throughput = TopicThroughput(changed.throughput_scope) if changed.throttled else None
        self.declaration = changed

    @staticmethod
    def _sequence(place: int) -> str:
        """The sequence number of a publish by its place, as the service writes it."""
        return str(FIRST_SEQUENCE_NUMBER + SEQUENCE_STEP * place)

    # ---------------------------------------------------------------- the archive

    def replay(self, subscription: str, now: float, start: float, end: float | None = None) -> Replay:
        """Deliver to a subscription again what is in the archive (SNS-ARC-2).

        Args:
            subscription: its key in `subscriptions`.
            now: [s].
            start: publishes from then on [s].
            end: publishes up to and at then [s], after which the subscription gets nothing more until there is another
                replay or `resume`; None to catch up and go on with what is published.

        Returns:
            The replay, whose status tells how far it is.

        Raises:
            UnknownName: there is no such subscription.
            InvalidParameter: there is no archive, the times cannot be, or the subscription waits to be confirmed.
            ReplayLimitExceeded: too many are under way (SNS-ARC-3).
        """
        self.advance(now)
        self._position(subscription)
        if self.archive is None:
            raise InvalidParameter("Invalid parameter: ReplayPolicy Reason: the topic has no archive (SNS-ARC-1)")
        for what, time in (("StartingPoint", start), ("EndingPoint", 0.0 if end is None else end)):
            check_number(what, time, low=-inf, unit="s")
        if end is not None and end < start:
            raise InvalidParameter(f"Invalid parameter: ReplayPolicy Reason: EndingPoint {end} is before {start}")
        each: FifoSubscriber = self.subscriptions[subscription]
        if not each.is_confirmed:
            raise InvalidParameter(
                "Invalid parameter: ReplayPolicy Reason: the subscription is pending confirmation (SNS-SUB-2)"
            )
        active = sum(other.is_replaying for other in self.subscriptions.values() if other is not each)
        if active >= self.most_replays:
            raise ReplayLimitExceeded(f"{active} replays are under way; allowed: {self.most_replays} (SNS-ARC-3)")
        self.resume(subscription, now)
        each.replay = replay = Replay(start, end)
        self._wait(each, replay, now + 1.0 / self.replay_rate)
        return replay

    def resume(self, subscription: str, now: float) -> None:
        """End a replay, so that the subscription gets what is published from now on.

        Raises:
            UnknownName: there is no such subscription.
        """
        self.advance(now)
        self._position(subscription)
        self.subscriptions[subscription].stop()

    def bind(self, name: str, queue: Endpoint) -> None:
        """See `TopicFanout.bind`.

        Raises:
            DeclarationError: no queue, or of another kind than dead letters need (SNS-DLQ-1).
        """
        for each in self.subscriptions.values():
            live_dead_letter_queue(each.declaration, each.queues() | {name: queue}, fifo=True)
        super().bind(name, queue)

    def unsubscribe(self, key: str) -> FifoSubscriber:
        """See `TopicFanout.unsubscribe`; its replay ends."""
        subscriber: Any = super().unsubscribe(key)
        subscriber.stop()
        return subscriber  # type: ignore[no-any-return]

    def keep(self, days: float | None, now: float) -> None:
        """Switch the archive on, change its retention, or switch it off, which deletes what it has (SNS-ARC-1).

        Raises:
            DeclarationError: not 1 to 365 days.
        """
        self.advance(now)
        self.declaration = attrs.evolve(self.declaration, archive=days)
        if days is None:
            self.archive = None
        elif self.archive is None:
            self.archive = Archive(days, now)
        else:
            self.archive.retention = days * DAY
            self.archive.prune(now)

    def _step(self, each: FifoSubscriber, replay: Replay, now: float) -> None:
        """Replay one publish that passes the filter, or end."""
        if each.replay is not replay or replay.status == FAILED:
            return
        if self.archive is None:
            replay.status = FAILED
            return
        replay.status = IN_PROGRESS
        self.archive.prune(now)
        while True:
            publication = self.archive.after(replay.place, replay.start)
            if publication is None or (replay.end is not None and publication.published_at > replay.end):
                if replay.end is None or replay.end < now:
                    replay.status = COMPLETED
                else:  # what is published at the end itself belongs to it
                    self._wait(each, replay, min(nextafter(replay.end, inf), now + 1.0))
                return
            replay.place = publication.place
            if each.passes(publication.attributes, parse_body(_text_of(publication)) if each.reads_body else None):
                each.carry(publication, now, replayed=True)
                self._wait(each, replay, now + 1.0 / self.replay_rate)
                return

    # ---------------------------------------------------------------- numbers

    @property
    def replayed_delivered(self) -> int:
        """Deliveries from the archive."""
        return sum(each.replayed_delivered for each in self.subscriptions.values())

    @property
    def replayed_failed(self) -> int:
        """Deliveries from the archive that failed for good."""
        return sum(each.replayed_failed for each in self.subscriptions.values())

    @property
    def replayed_dead_lettered(self) -> int:
        """Of those, the ones kept in a dead-letter queue."""
        return sum(each.replayed_dead_lettered for each in self.subscriptions.values())

    @property
    def held_up(self) -> int:
        """Deliveries, replayed ones included, that wait for another one of their group. Cost: O(groups held up)."""
        return sum(each.held_up for each in self.subscriptions.values())

    @property
    def archived_messages(self) -> int:
        """How many publishes can be replayed; as of the latest `advance`."""
        if self.archive is None:
            return 0
        self.archive.prune(self._now)
        return len(self.archive)

    @property
    def archived_bytes(self) -> int:
        """Their size, attributes included; as of the latest `advance`."""
        return 0 if self.archive is None or not self.archived_messages else self.archive.size

    def _subscriber(self, key: str, subscription: Subscription, endpoints: Mapping[str, Endpoint]) -> FifoSubscriber:
        queue = live_queue(subscription, endpoints, fifo=True)
        name = f"{self.name}/{key}"
        rng = self._rng if self._rng_of is None else self._rng_of(name)
        return FifoSubscriber(
            subscription,
            name,
            queue,
            rng,
            self._hooks,
            since=self.published,
            blocks=self.blocks,
            step=self._step,
            count=self._count,
            dead_letter_queue=live_dead_letter_queue(subscription, endpoints, fifo=True),
        )

    def _count(self) -> int:
        return self.published

    def _choose_again(self) -> None:
        """Let later publishes reach whoever is there by now, and confirmed."""
        super()._choose_again()
        self._live = tuple([each for each in self.subscriptions.values() if each.is_confirmed])

    def check(self, *, deep: bool = True) -> None:
        """Assert that the books balance; see `TopicFanout.check`.

        Raises:
            AuditError: says where they do not.
        """
        for each in self.subscriptions.values():
            waiting = each.pending
            if deep:
                waiting = each.waiting(entry[3] for entry in self._pending if entry[2] is each)
            ended = each.delivered + each.filtered_out + each.delivery_failed + each.withheld
            published = self.published - each.missed
            if each.pending != waiting or ended + waiting != published:
                raise AuditError(f"{each!r}: of {published} published, {ended} have ended and {waiting} are waiting")


def _text_of(publication: Publication) -> str:
    envelope = publication.envelope
    return published_text(
        envelope.content,
        publication.attributes,
        envelope.number,
        envelope.published_at,
        publication.origin,
        publication.origin_at,
        publication.group_id,
    )
