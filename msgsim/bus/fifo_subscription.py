"""Subscriptions of FIFO topics, live: their deliveries keep the order of each message group, repeated or replayed."""

from collections import Counter, deque
from collections.abc import Callable, Iterable
from itertools import islice
from math import inf
from typing import Any, TypeAlias

from msgsim.bus.archive import COMPLETED, FAILED, IN_PROGRESS, PENDING, Publication, Replay
from msgsim.bus.courier import Parcel
from msgsim.bus.message import Content
from msgsim.bus.publication import Attributes, FifoEnvelope
from msgsim.bus.subscription import (
    FAILS,
    Endpoint,
    Hooks,
    Subscriber,
    Subscription,
    can_bury,
    is_fifo,
    is_narrow,
    is_there,
)
from msgsim.distributions import Uniforms
from msgsim.errors import AuditError
from msgsim.quotas import RAW_ATTRIBUTES

Delayed: TypeAlias = tuple[Publication, str | Content, Attributes | None, str | None, bool]
"""A delivery whose attempts have not begun: what, in which form, its dead-letter queue, whether it is replayed."""


class FifoParcel(Parcel):
    """One delivery of a FIFO topic that is under way.

    Attributes:
        deduplication_id: of the publish; None if it is known to be unique.
        replayed: it comes from the archive.
        is_over: it has arrived, or failed for good.
    """

    __slots__ = ("deduplication_id", "is_over", "replayed")

    def __init__(self, delivery: Delayed, now: float) -> None:
        publication, content, attributes, redrive, self.replayed = delivery
        origin, origin_at = publication.origin, publication.origin_at
        super().__init__(content, attributes, now, origin, origin_at, publication.group_id, redrive)
        self.deduplication_id = publication.deduplication_id
        self.is_over = False


class FifoSubscriber(Subscriber):
    """A live subscription of a FIFO topic (SNS-FIFO-3).

    A delivery whose attempts fail, or wait for their answer, holds up the later ones of its group to this subscriber;
    other groups go on. When it has arrived, or has failed for good, the next one begins.

    Attributes:
        blocks: whether it does so; without that, an outage can change the order within a group.
        withheld: publishes while it was replaying, or stood at the end of a replay.
        delivered: publishes that reached the queue, replayed ones not counted.
        replayed_delivered: deliveries from the archive.
        replayed_failed: of these, the ones that failed for good.
        replayed_dead_lettered: of those, the ones kept in the dead-letter queue.
        replays_pending: deliveries from the archive under way.
        replay: the latest one; None if there was none.
        under_way: deliveries that have not ended, replayed ones not counted.
    """

    __slots__ = (
        "_count",
        "_ends",
        "_is_fifo",
        "_is_plain",
        "_lines",
        "_put",
        "_reasons",
        "_step",
        "blocks",
        "delivered",
        "replay",
        "replayed_dead_lettered",
        "replayed_delivered",
        "replayed_failed",
        "replays_pending",
        "withheld",
    )

    delivered: int

    def __init__(
        self,
        subscription: Subscription,
        name: str,
        queue: Any,
        rng: Uniforms | None,
        hooks: Hooks,
        *,
        since: int,
        blocks: bool,
        step: "Callable[[FifoSubscriber, Replay, float], None]",
        count: Callable[[], int],
        dead_letter_queue: Endpoint | None = None,
    ) -> None:
        super().__init__(subscription, name, queue, rng, {}, hooks, since=since, dead_letter_queue=dead_letter_queue)
        self.blocks = blocks
        self.delivered = self.withheld = 0
        self.replayed_delivered = self.replayed_failed = self.replayed_dead_lettered = self.replays_pending = 0
        self.replay: Replay | None = None
        self._step = step
        self._count = count
        self._reasons: Counter[str] = Counter()
        self._connect(queue)
        self._ends: dict[str, float] = {}
        self._lines: dict[str | None, deque[FifoParcel]] = {}

    # ---------------------------------------------------------------- numbers

    @property
    def is_live(self) -> bool:
        """Whether it gets what is published now: no replay is under way, and none has ended at an end of its own."""
        replay = self.replay
        return replay is None or (replay.status == COMPLETED and replay.end is None)

    @property
    def is_replaying(self) -> bool:
        """Whether a replay is under way."""
        return self.replay is not None and self.replay.status in (PENDING, IN_PROGRESS)

    @property
    def _published(self) -> int:
        return self._count()

    @property
    def matched(self) -> int:
        """Publishes that passed the filter."""
        return self.delivered + self.delivery_failed + self.pending

    @property
    def filtered_out(self) -> int:
        """Publishes that did not."""
        return self._reasons.total()

    def filtered_out_because(self, reason: str) -> int:
        """Of these, the ones for one of `msgsim.bus.filters.REASONS`."""
        return self._reasons[reason]

    @property
    def pending(self) -> int:
        """Deliveries under way, those that are held up included; replayed ones not."""
        return self.under_way

    @property
    def held_up(self) -> int:
        """Deliveries, replayed ones included, that wait for another one of their group. Cost: O(groups held up)."""
        return sum(len(line) - 1 for line in self._lines.values())

    @property
    def attempts(self) -> int:
        """Attempts that have begun, those of replays included. Cost: as `Courier.attempts`."""
        if self._courier is None:
            return self.delivered + self.replayed_delivered + self.failed_attempts
        return self._courier.attempts

    @property
    def failed_attempts(self) -> int:
        """Of these, the ones that failed. Cost: as `Courier.attempts`."""
        if self._courier is None:
            return self.delivery_failed + self.replayed_failed
        return self._courier.failed_attempts

    def waiting(self, kept: Iterable[object]) -> int:
        """The deliveries under way, counted one by one.

        Args:
            kept: what the topic keeps for this subscription until it is due.

        Raises:
            AuditError: deliveries wait for one of their group that nobody keeps.

        Cost: O(deliveries under way).
        """
        known = list(kept)
        parcels = [each for each in known if isinstance(each, FifoParcel)]
        first = {id(each) for each in parcels}
        for group, line in self._lines.items():
            if not line or id(line[0]) not in first:
                raise AuditError(f"{self!r}: nothing is under way that {len(line)} of group {group!r} wait for")
            parcels += islice(line, 1, None)
        delayed = sum(isinstance(each, tuple) and not each[-1] for each in known)
        return delayed + sum(not each.replayed for each in parcels)

    # ---------------------------------------------------------------- what it gets

    def queues(self) -> dict[str, Endpoint]:
        """Where it delivers, and where its dead letters go or went, by name."""
        assert self.queue is not None, "a FIFO topic delivers to queues"  # noqa: S101 - an invariant
        return {**self._dead_letters, self.declaration.endpoint: self.queue}

    def leave_out(self, attributes: Attributes | None, body: object) -> None:
        """Count a publish that does not pass the filter."""
        self._reasons[self.why_not(attributes, body)] += 1

    def stop(self) -> None:
        """End the replay, if there is one; what it has begun to deliver still arrives."""
        if self.replay is not None and self.is_replaying:
            self.replay.status = FAILED
        self.replay = None

    def bind(self, name: str, queue: Endpoint) -> None:
        """See `Subscriber.bind`."""
        super().bind(name, queue)
        if self.declaration.endpoint == name:
            self._connect(queue)

    def _connect(self, queue: Endpoint) -> None:
        self._is_fifo = is_fifo(queue)
        self._is_plain = not is_narrow(queue)
        self._put = _entrance(queue)

    def watch(self) -> None:
        """See `Subscriber.watch`."""
        self._is_plain = False
        super().watch()

    def carry(self, publication: Publication, now: float, *, replayed: bool) -> None:
        """Begin a delivery; it does not arrive before those of its group that began earlier."""
        declared = self.declaration
        delivery: Delayed
        if declared.raw:
            delivery = (publication, publication.content, publication.attributes, declared.redrive, replayed)
        else:
            delivery = (publication, _enveloped(publication, replayed=replayed), None, declared.redrive, replayed)
        if not self.is_instant:
            group_id = publication.group_id
            due = max(now + self._delay(), self._ends.get(group_id, -inf))
            if due > now:
                if self.blocks:
                    self._ends[group_id] = due
                self.under_way += not replayed
                self.replays_pending += replayed
                self._hooks.wait(self, delivery, due)
                return
        self._start(delivery, now)

    def arrive(self, delivery: Any, now: float) -> None:
        """Go on with a delivery that waited, or with a replay; without either, its owner confirms the subscription."""
        if isinstance(delivery, tuple):
            group_id, replayed = delivery[0].group_id, delivery[-1]
            if self._ends.get(group_id, inf) <= now:
                del self._ends[group_id]
            self.under_way -= not replayed
            self.replays_pending -= replayed
            self._start(delivery, now)
        elif isinstance(delivery, FifoParcel):
            self._courier.proceed(delivery, now)  # type: ignore[union-attr]  # it made it wait
            self._release(delivery.group_id, now)
        elif isinstance(delivery, Replay):
            self._step(self, delivery, now)
        else:
            self.confirm()

    def _start(self, delivery: Delayed, now: float) -> None:
        """Make a delivery whose delay is over: at once if there is one attempt only, else when it is its turn."""
        courier = self._courier
        publication, content, attributes, _, replayed = delivery
        if courier is None:
            fails = not self.is_instant and self._fails()
            is_crowded = attributes is not None and len(attributes) > RAW_ATTRIBUTES.high
            if self._is_plain and not fails and not is_crowded and is_there(self.queue):
                self.delivered += not replayed
                self.replayed_delivered += replayed
                place = (content, attributes, now, publication.origin, publication.origin_at, publication.group_id)
                if self._is_fifo:
                    self._put(*place, publication.deduplication_id)
                else:
                    self._put(*place)
                return
        parcel = FifoParcel(delivery, now)
        self.under_way += not replayed
        self.replays_pending += replayed
        if courier is None:
            parcel.status = FAILS if fails else self._deliver(parcel, now)
            if parcel.status:
                self._give_up(parcel, now)
        elif not self.blocks:
            self._attempt(parcel, now)
        else:
            line = self._lines.setdefault(publication.group_id, deque())
            line.append(parcel)
            if len(line) == 1:
                self._attempt(parcel, now)
                self._release(publication.group_id, now)

    def _release(self, group_id: str | None, now: float) -> None:
        """Begin what waits for deliveries that are over, up to the first that has to wait itself."""
        line = self._lines.get(group_id)
        while line and line[0].is_over:
            line.popleft()
            if line:
                line[0].began_at = now
                self._attempt(line[0], now)
            else:
                del self._lines[group_id]

    def _deliver(self, parcel: Any, now: float) -> str:
        why = self._refusal(parcel, now)
        if not why:
            self._end(parcel)
            self.delivered += not parcel.replayed
            self.replayed_delivered += parcel.replayed
            _put_parcel(self.queue, parcel, now)
        return why

    def _give_up(self, parcel: Any, now: float) -> None:
        """Keep what failed for good in the dead-letter queue, as the endpoint would have got it (SNS-DLQ-2)."""
        self._end(parcel)
        target = None if parcel.redrive is None else self._dead_letters[parcel.redrive]
        is_kept = target is not None and can_bury(target, parcel, now)
        if parcel.replayed:
            self.replayed_failed += 1
            self.replayed_dead_lettered += is_kept
        else:
            self.delivery_failed += 1
            self.delivery_dead_lettered += is_kept
            self.redrive_failed += target is not None and not is_kept
        if is_kept:
            _put_parcel(target, parcel, now)

    def _end(self, parcel: FifoParcel) -> None:
        parcel.is_over = True
        self.under_way -= not parcel.replayed
        self.replays_pending -= parcel.replayed


def _entrance(queue: Any) -> Callable[..., object]:
    """What takes the message of a group; of a FIFO queue also its id for deduplication."""
    is_station = getattr(queue, "queue", queue) is not queue
    return queue.enqueue_grouped if is_station or not is_fifo(queue) else queue.enqueue  # type: ignore[no-any-return]


def _put_parcel(queue: Any, parcel: FifoParcel, now: float) -> None:
    place = (parcel.content, parcel.attributes, now, parcel.origin, parcel.origin_at, parcel.group_id)
    _entrance(queue)(*place, *((parcel.deduplication_id,) if is_fifo(queue) else ()))


def _enveloped(publication: Publication, *, replayed: bool) -> FifoEnvelope:
    if not replayed:
        return publication.envelope
    copy = FifoEnvelope()
    for name in ("route", "number", "content", "published_at", "sequence"):
        setattr(copy, name, getattr(publication.envelope, name))
    copy.replayed = True
    return copy
