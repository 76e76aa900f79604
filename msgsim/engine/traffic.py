# Hot path: one `pull` or `_publish` per traffic event (benchmarks/spike.py).
"""Traffic: declared (`Traffic`) and live (`TrafficSource`)."""

from collections.abc import Mapping
from math import inf
from typing import Any

import attrs
from simpy import Environment

from msgsim.bus.message import id_base
from msgsim.bus.queue import StandardQueue
from msgsim.bus.templates import Template, as_content
from msgsim.bus.topic import TopicFanout
from msgsim.declare import choice, copied, text
from msgsim.engine.arrivals import PROCESSES, ArrivalTimes
from msgsim.engine.board import Board
from msgsim.engine.clock import Timer, Turn
from msgsim.engine.curves import RateCurve, as_curve
from msgsim.errors import DeclarationError


def _check_body(_owner: object, _attribute: "attrs.Attribute[Any]", value: object) -> None:
    if not isinstance(value, str) or not value:
        raise DeclarationError("Traffic.body", f"{value!r} is not a text of at least one character (SQS-SND-1)")
    Template(value, "Traffic.body")


def _check_attributes(_owner: object, _attribute: "attrs.Attribute[Any]", value: object) -> None:
    if value is not None and not isinstance(value, dict):
        raise DeclarationError("Traffic.attributes", f"{value!r} is not a table of attributes")


def _check_rate(_owner: object, _attribute: "attrs.Attribute[Any]", value: object) -> None:
    if not isinstance(value, RateCurve):
        raise DeclarationError("Traffic.rate", f"{value!r} is neither a number nor a rate curve [1/s]")


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
    """

    to: str = text(empty=False)
    rate: RateCurve = attrs.field(converter=as_curve, validator=_check_rate)
    process: str = choice("poisson", PROCESSES)
    body: str = attrs.field(default="message {n}", validator=_check_body)
    attributes: Mapping[str, Any] | None = attrs.field(default=None, converter=copied, validator=_check_attributes)
    subject: str | None = text(None, optional=True)
    event: str = text("event", empty=False)


class TrafficSource:
    """A live source: one event per arrival, unless its station is lazy and pulls.

    Attributes:
        time: of the next event [s]; inf if there is none.
    """

    __slots__ = (
        "_board",
        "_deliver",
        "_timer",
        "attributes",
        "base",
        "content",
        "count",
        "declaration",
        "name",
        "next",
        "time",
    )

    def __init__(
        self,
        traffic: Traffic,
        name: str,
        *,
        target: TopicFanout | StandardQueue,
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
        self._deliver: Any
        if isinstance(target, TopicFanout):
            self._deliver = target.route(self.attributes, traffic.subject).publish
        else:
            self._deliver = target.enqueue
        self.time = self.next()

    @property
    def arrivals(self) -> int:
        """Events so far."""
        return self.count

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
        self._deliver(self.content, self.attributes, now, None, now)
        self.time = time = self.next()
        return time

    def _publish(self, now: float) -> None:
        self.time = time = self.next()
        if time < inf:
            self._timer.arm(time)
        self.count = count = self.count + 1
        board = self._board
        board.inside = True
        self._deliver(self.content, now, self.base | count, now)
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
        self._deliver(self.content, self.attributes, now, None, now)
        board.inside = False
        if board.pending:
            board.flush(now)
