# Hot path: one `pull` or `_publish` per traffic event (benchmarks/spike.py).
"""Traffic: declared (`Traffic`) and live (`TrafficSource`)."""

from collections import deque
from collections.abc import Callable, Mapping
from math import inf
from random import Random
from typing import Any, NamedTuple

import attrs
from simpy import Environment

from msgsim.bus import drafts
from msgsim.bus.drafts import check_text
from msgsim.bus.message import format_id, id_base
from msgsim.bus.queue import LiveQueue
from msgsim.bus.templates import Template, as_content
from msgsim.bus.topic import TopicFanout
from msgsim.declare import Sampler, check_number, choice, number, text
from msgsim.engine.arrivals import PROCESSES, ArrivalTimes
from msgsim.engine.board import Board
from msgsim.engine.clock import Timer, Turn
from msgsim.engine.curves import RateCurve, as_curve, refuse_curve
from msgsim.engine.groups import Draw, Groups, as_groups
from msgsim.engine.identifiers import Identify, cause, identifying
from msgsim.errors import DeclarationError


def _check_body(_owner: object, _attribute: "attrs.Attribute[Any]", value: object) -> None:
    if not isinstance(value, str) or not value:
        raise DeclarationError("Traffic.body", f"{value!r} is not a text of at least one character (SQS-SND-1)")
    check_text("Traffic.body", value)


def _check_rate(_owner: object, _attribute: "attrs.Attribute[Any]", value: object) -> None:
    if not isinstance(value, RateCurve):
        refuse_curve("Traffic.rate", value, "is neither a number nor a rate curve [1/s]")


def _check_groups(_owner: object, _attribute: "attrs.Attribute[Any]", value: object) -> None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        check_number("Traffic.groups", value, low=1, unit="groups", integer=True)
    if value is not None and not isinstance(value, Groups):
        problem = f"{value!r} is neither a number of groups nor UniformGroups(count) ..."
        raise DeclarationError("Traffic.groups", problem)


def _check_deduplication_id(_owner: object, _attribute: "attrs.Attribute[Any]", value: object) -> None:
    if value is None:
        return
    if not isinstance(value, str) or not value:
        problem = f"{value!r} is not a text of at least one character (FIFO-SND-3)"
        raise DeclarationError("Traffic.deduplication_id", problem)
    Template(value, "Traffic.deduplication_id")


@attrs.frozen(kw_only=True)
class Traffic:
    """A source of messages, declared.

    Attributes:
        to: the topic that it publishes to, or the queue that it sends to.
        rate: arrivals per second; a number is `Constant`, a list is the sum of its curves.
        process: "poisson", or "regular" for even spacing.
        body: of each message, with `{fields}` (see `bus/templates.py`); built only if somebody reads it.
        attributes: of each message; filter policies look at them.
        subject: of each notification, if `to` is a topic.
        event: what an arrival is, in the singular, for the words of summaries: "order", "alert".
        groups: which message group each event belongs to: the order of a FIFO queue (FIFO-SND-1), the tenant of a
            standard one (SQS-FAIR-2); a number is `UniformGroups`, None is no groups.
        deduplication_id: of each message, with `{fields}`; of FIFO queues and topics only. None makes it unique, unless
            the target takes the hash of the body for it (FIFO-SND-2, FIFO-DUP-3).
        resend: probability that an event is sent again, because the response to the first send was lost: a second
            message on a standard queue (SQS-DUP-2), dropped by a FIFO queue within its window (FIFO-DUP-1).
        resend_after: from the first send to the second [s].
    """

    to: str = text(empty=False)
    rate: RateCurve = attrs.field(converter=as_curve, validator=_check_rate)
    process: str = choice("poisson", PROCESSES)
    body: str = attrs.field(default="message {n}", validator=_check_body)
    attributes: Mapping[str, Any] | None = drafts.attributes()
    subject: str | None = drafts.subject()
    event: str = text("event", empty=False)
    groups: Groups | None = attrs.field(default=None, converter=as_groups, validator=_check_groups)
    deduplication_id: str | None = attrs.field(default=None, validator=_check_deduplication_id)
    resend: float = number(0.0, high=1.0, unit="probability", rule="SQS-DUP-2")
    resend_after: float = number(1.0, unit="s")


class TrafficSource:
    """A live source: one event per arrival, unless its station is lazy and pulls.

    Attributes:
        time: of the next event [s]; inf if there is none.
        deliver: sends or publishes an event.
    """

    __slots__ = (
        "_board",
        "_timer",
        "attributes",
        "base",
        "content",
        "count",
        "declaration",
        "deliver",
        "name",
        "next",
        "time",
    )

    def __init__(
        self,
        traffic: Traffic,
        name: str,
        *,
        target: TopicFanout | LiveQueue,
        times: ArrivalTimes,
        epoch: float,
    ) -> None:
        self.declaration = traffic
        self.name = name
        self.base = id_base(name)
        self.count = 0
        self.next = times.next
        self.content = as_content(traffic.body, "Traffic.body", epoch)
        self.attributes = traffic.attributes or None
        to: Any = target
        self.deliver: Any
        if isinstance(target, TopicFanout):
            route = target.route(self.attributes, traffic.subject)
            self.deliver = route.publish if traffic.groups is None else route.publish_grouped
        elif traffic.groups is None or target.declaration.fifo:
            self.deliver = to.enqueue
        else:
            self.deliver = to.enqueue_grouped
        self.time = self.next()

    @property
    def arrivals(self) -> int:
        """Events so far."""
        return self.count

    @property
    def resent(self) -> int:
        """Events that were sent again so far."""
        return 0

    def drive(self, env: Environment, board: Board, *, publishes: bool) -> None:
        """Have an event for each arrival."""
        self._board = board
        action, turn = (self._publish, Turn.PUBLICATION) if publishes else (self._send, Turn.ARRIVAL)
        self._timer = Timer(env, action, turn)
        if self.time < inf:
            self._timer.arm(self.time)

    def pull(self) -> float:
        """Let the next event happen at its time: send it to the queue, where it is its own origin.

        Returns:
            The time of the one after it [s].
        """
        now = self.time
        self.count += 1
        self.deliver(self.content, self.attributes, now, None, now)
        self.time = time = self.next()
        return time

    def _publish(self, now: float) -> None:
        self.time = time = self.next()
        if time < inf:
            self._timer.arm(time)
        self.count = count = self.count + 1
        board = self._board
        board.inside = True
        self.deliver(self.content, now, self.base | count, now)
        board.inside = False
        if board.pending:
            board.flush(now)

    def _send(self, now: float) -> None:
        self.time = time = self.next()
        if time < inf:
            self._timer.arm(time)
        self.count += 1
        board = self._board
        board.inside = True
        self.deliver(self.content, self.attributes, now, None, now)
        board.inside = False
        if board.pending:
            board.flush(now)


class GroupedSource(TrafficSource):
    """A source whose events have message groups, drawn from a random stream of their own.

    Args:
        draw: draws the group of the next event.
    """

    __slots__ = ("draw",)

    def __init__(
        self,
        traffic: Traffic,
        name: str,
        *,
        target: TopicFanout | LiveQueue,
        times: ArrivalTimes,
        epoch: float,
        draw: Draw,
    ) -> None:
        super().__init__(traffic, name, target=target, times=times, epoch=epoch)
        self.draw = draw

    def pull(self) -> float:
        """See `TrafficSource.pull`."""
        now = self.time
        self.count += 1
        self.deliver(self.content, self.attributes, now, None, now, self.draw())
        self.time = time = self.next()
        return time

    def _publish(self, now: float) -> None:
        self.time = time = self.next()
        if time < inf:
            self._timer.arm(time)
        self.count = count = self.count + 1
        board = self._board
        board.inside = True
        self.deliver(self.content, now, self.base | count, now, self.draw())
        board.inside = False
        if board.pending:
            board.flush(now)

    def _send(self, now: float) -> None:
        self.time = time = self.next()
        if time < inf:
            self._timer.arm(time)
        self.count += 1
        board = self._board
        board.inside = True
        self.deliver(self.content, self.attributes, now, None, now, self.draw())
        board.inside = False
        if board.pending:
            board.flush(now)


class Event(NamedTuple):
    """An event of a `RepeatingSource`.

    Attributes:
        number: its id.
        at: when it happened [s].
        group: its message group; None if it has none.
        given: its id for deduplication; None if it has none.
    """

    number: int
    at: float
    group: str | None
    given: str | None


class RepeatingSource(TrafficSource):
    """A source that sends some of its events again, or gives its messages ids for deduplication.

    Its own counter makes the ids of its events, so that both messages of one have the same origin.

    Args:
        draw: draws the group of the next event; None if they have none.
        random: draws a uniform that decides whether an event is sent again.
        identify: makes the deduplication id of an event; None if it is unique.
    """

    __slots__ = ("_again", "_arrival", "_identify", "_is_fifo", "_is_topic", "_random", "_resent", "draw")

    def __init__(
        self,
        traffic: Traffic,
        name: str,
        *,
        target: TopicFanout | LiveQueue,
        times: ArrivalTimes,
        epoch: float,
        draw: Draw | None,
        random: Sampler,
        identify: Identify | None,
    ) -> None:
        super().__init__(traffic, name, target=target, times=times, epoch=epoch)
        self._is_topic = isinstance(target, TopicFanout)
        self._is_fifo = target.declaration.fifo
        self.draw = draw
        self._random = random
        self._identify = identify
        self._arrival = self.time
        self._again: deque[tuple[float, Event]] = deque()
        self._resent = 0

    @property
    def resent(self) -> int:
        """Events that were sent again so far."""
        return self._resent

    def pull(self) -> float:
        """See `TrafficSource.pull`; what is sent again is an event of its own here."""
        now = self.time
        self._hand_over(self._turn(now), now)
        return self.time

    def _publish(self, now: float) -> None:
        self._send(now)

    def _send(self, now: float) -> None:
        event = self._turn(now)
        if self.time < inf:
            self._timer.arm(self.time)
        board = self._board
        board.inside = True
        self._hand_over(event, now)
        board.inside = False
        if board.pending:
            board.flush(now)

    def _turn(self, now: float) -> Event:
        """What is to be sent now; `time` is that of the next."""
        again = self._again
        if again and again[0][0] == now:
            _, event = again.popleft()
            self._resent += 1
        else:
            event = self._happen(now)
        self.time = min(self._arrival, again[0][0]) if again else self._arrival
        return event

    def _happen(self, now: float) -> Event:
        self.count = count = self.count + 1
        self._arrival = self.next()
        number = self.base | count
        group = None if self.draw is None else self.draw()
        given = None
        if self._identify is not None:
            given = self._identify(cause(self.content, self.attributes, number, now, group), now)
        resends = self._random() < self.declaration.resend
        if resends and self._is_fifo and given is None:
            given = format_id(number)
        event = Event(number, now, group, given)
        if resends:
            self._again.append((now + self.declaration.resend_after, event))
        return event

    def _hand_over(self, event: Event, now: float) -> None:
        number, at, group, given = event
        place = (self.content, now) if self._is_topic else (self.content, self.attributes, now)
        if group is None:
            self.deliver(*place, number, at)
        elif self._is_fifo:
            self.deliver(*place, number, at, group, given)
        else:
            self.deliver(*place, number, at, group)


def source_of(
    traffic: Traffic,
    name: str,
    *,
    target: TopicFanout | LiveQueue,
    times: ArrivalTimes,
    epoch: float,
    stream: Callable[[str, str], Random],
) -> TrafficSource:
    """The live source of a declaration: the plainest that does what is asked for.

    Args:
        traffic: declared.
        name: of the source.
        target: where it sends to.
        times: of its events.
        epoch: seconds since 1970 at time 0, for templates.
        stream: the random stream of a component and purpose.
    """
    draw = None if traffic.groups is None else traffic.groups.sampler(stream(name, "groups"))
    identify = None
    if target.declaration.fifo:
        identify = identifying(traffic.deduplication_id, target.declaration, f"traffic.{name}.deduplication_id", epoch)
    if traffic.resend or identify is not None:
        random = stream(name, "resends").random
        return RepeatingSource(
            traffic, name, target=target, times=times, epoch=epoch, draw=draw, random=random, identify=identify
        )
    if draw is not None:
        return GroupedSource(traffic, name, target=target, times=times, epoch=epoch, draw=draw)
    return TrafficSource(traffic, name, target=target, times=times, epoch=epoch)
