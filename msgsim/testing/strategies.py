"""Hypothesis strategies: declarations that are valid, small, and simplest first.

Every choice has its default in front, and choices do not depend on one another: what is drawn for a setting that does
not apply is left aside. So a failing example shrinks to one queue with one source of traffic and, of all settings,
those alone that matter.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import inf, isfinite, nextafter
from typing import Any, TypeVar

import attrs
from hypothesis import strategies as st

from msgsim.bus.outbox import Outbox
from msgsim.bus.queue import Queue, Redrive
from msgsim.bus.topic import Subscription, Topic
from msgsim.declare import DAY, MINUTE
from msgsim.distributions import Exponential, LogNormal, Uniform
from msgsim.engine.actions import Publish, SendEmail, SendMessage
from msgsim.engine.curves import Ramp, Spike, Steps
from msgsim.engine.traffic import Traffic
from msgsim.engine.workers import Workers
from msgsim.errors import DeclarationError
from msgsim.scenario import Scenario
from msgsim.testing.faults import KINDS, OUTAGE, Fault

T = TypeVar("T")

_NAMES = "qrs"
_NEXT = "next"
_TOPIC = "t"
_OUTBOX = "o"
_ATTRIBUTES = {"kind": "odd"}
_NIGHT = Steps([(0, 2), (20, 0), (45, 3)])

_COUNTS = st.sampled_from([1, 2, 3, 5])
_QUEUES = st.fixed_dictionaries(
    {
        "visibility_timeout": st.sampled_from([30.0, 5.0, 2.0, 1.0, 0.75]),
        "delay": st.sampled_from([0.0, 0.0, 0.0, 1.0, 2.5]),
        "retention": st.sampled_from([4 * DAY, 4 * DAY, MINUTE]),
        "wait_time": st.sampled_from([0.0, 0.0, 20.0]),
        "max_in_flight": st.sampled_from([120_000, 120_000, 12, 3, 1]),
        "poll_winner": st.sampled_from(["longest", "longest", "random"]),
    }
)
_FIFO_QUEUES = st.fixed_dictionaries(
    {
        "deduplication_scope": st.sampled_from(["queue", "messageGroup"]),
        "fifo_throughput_limit": st.sampled_from(["perQueue", "perMessageGroupId"]),
        "content_based_deduplication": st.booleans(),
    }
)
_WORKERS = {
    "count": st.sampled_from([1, 2, 4, _NIGHT, Ramp(0, 120, 0, 5)]),
    "batch_size": st.sampled_from([1, 3, 10]),
    "wait_time": st.sampled_from([20.0, 1.0, 0.0]),
    "service_time": st.sampled_from([0.25, 1.0, Exponential(0.4), Uniform(0.1, 1.5), LogNormal(0.5, 1.5)]),
    "failure_rate": st.sampled_from([0.0, 0.0, 0.1, 0.5, 1.0]),
    "heartbeat": st.sampled_from([None, None, 0.6]),
    "delete": st.sampled_from(["each", "batch"]),
}
_RATES = st.sampled_from([1.0, 0.3, 2.0, 5.0, 0.5 + Spike(at=10, height=30, hold=3, every=50), _NIGHT])


def times_around(deadlines: Iterable[float], *, since: float = -inf) -> st.SearchStrategy[float]:
    """Times that matter to something with deadlines: random waits never hit a boundary.

    Args:
        deadlines: [s]; infinite ones are left out.
        since: no earlier time is drawn [s]; if it is finite, it is drawn as well.

    Returns:
        Each deadline, the numbers just before and just after it, and times between neighbours. Shrinks to `since`, or
        else to the first deadline.

    Raises:
        DeclarationError: there is no time to draw.
    """
    points = points_around(deadlines, since)
    if not points:
        raise DeclarationError("times_around.deadlines", "there are none, and no `since`")
    edges = sorted({*points})
    between = [st.floats(low, high) for low, high in pairwise(edges) if nextafter(low, inf) < high]
    return st.one_of(st.sampled_from(points), *between)


def points_around(deadlines: Iterable[float], since: float = -inf) -> list[float]:
    """The times of `times_around` that are at or beside a deadline; the simplest first [s]."""
    known = sorted({float(deadline) for deadline in deadlines if isfinite(deadline) and deadline >= since})
    beside = [nextafter(deadline, side) for side in (-inf, inf) for deadline in known]
    return [since] * isfinite(since) + known + [point for point in beside if point >= since]


@st.composite
def queues(draw: st.DrawFn, *, fifo: bool | None = None, redrive_to: Sequence[str] = ()) -> Queue:
    """Declarations of queues: mostly as they come, or with small limits that are soon reached.

    Args:
        draw: Hypothesis gives it.
        fifo: True for FIFO queues, False for standard ones, None for both.
        redrive_to: names of queues that its dead letters may go to, beside having none.
    """
    is_fifo = draw(st.booleans()) if fifo is None else fifo
    to = draw(st.sampled_from([None, *redrive_to]))
    count = draw(_COUNTS)
    settings: dict[str, Any] = draw(_QUEUES)
    fifo_only = draw(_FIFO_QUEUES)
    if fifo_only["deduplication_scope"] != "messageGroup":
        fifo_only["fifo_throughput_limit"] = "perQueue"
    if is_fifo:
        settings |= {"fifo": True, **fifo_only}
    return Queue(redrive=None if to is None else Redrive(to=to, max_receive_count=count), **settings)


def topics(endpoints: Sequence[str] = ("q",)) -> st.SearchStrategy[Topic]:
    """Declarations of topics.

    Args:
        endpoints: names of the queues that may be subscribed, each at most once.
    """
    subscription = st.builds(
        Subscription,
        endpoint=st.sampled_from(list(endpoints)),
        filter_policy=st.sampled_from([None, None, {"kind": ["odd"]}, {"kind": ["even"]}]),
        raw=st.booleans(),
        delivery_delay=st.sampled_from([None, 0.25, Exponential(0.5)]),
        failure_rate=st.sampled_from([0.0, 0.0, 0.1]),
        duplicate_rate=st.sampled_from([0.0, 0.0, 0.2]),
    )
    subscriptions = st.lists(subscription, max_size=len(endpoints), unique_by=lambda each: each.endpoint)
    return st.builds(Topic, subscriptions=subscriptions)


def traffic(to: Sequence[str] = ("q",), *, groups: Sequence[int | None] = (None,)) -> st.SearchStrategy[Traffic]:
    """Declarations of traffic: a few events per second, or a spike.

    Args:
        to: names of queues and topics that it may go to.
        groups: how many message groups it may have; None for messages without groups.
    """
    return st.builds(
        Traffic,
        to=st.sampled_from(list(to)),
        rate=_RATES,
        process=st.sampled_from(["poisson", "poisson", "regular"]),
        attributes=st.sampled_from([None, _ATTRIBUTES]),
        groups=st.sampled_from(list(groups)),
        resend=st.sampled_from([0.0, 0.0, 0.0, 0.2]),
    )


def workers(
    queue: str = "q", *, actions: Sequence[SendMessage | Publish | SendEmail] = ()
) -> st.SearchStrategy[Workers]:
    """Declarations of worker pools.

    Args:
        queue: the name of theirs.
        actions: of which some follow a success.
    """
    following = st.lists(st.sampled_from(list(actions)), max_size=2, unique_by=id) if actions else st.just([])
    return st.builds(Workers, queue=st.just(queue), on_success=following, **_WORKERS)


@st.composite
def scenarios(draw: st.DrawFn, *, fifo: bool | None = None, most_queues: int = 3, horizon: float = MINUTE) -> Scenario:
    """Scenarios of a few queues, and perhaps a topic, worker pools and an outbox.

    What a queue hands on, dead letters and what its workers send, goes to the queue after it.

    Args:
        draw: Hypothesis gives it.
        fifo: whether the queues are FIFO queues, which topics do not deliver to; None for both kinds of scenarios.
        most_queues: 1 to 3.
        horizon: of the scenarios [s].

    Raises:
        DeclarationError: `most_queues` is not allowed.
    """
    if not 1 <= most_queues <= len(_NAMES):
        raise DeclarationError("scenarios.most_queues", f"{most_queues!r} is not allowed; allowed: 1 to {len(_NAMES)}")
    is_fifo = draw(st.booleans()) if fifo is None else fifo
    pools = _some(workers(_NEXT, actions=[SendMessage(_NEXT), SendEmail(_OUTBOX)]), most=2)
    members = draw(_some(st.tuples(queues(fifo=is_fifo, redrive_to=[_NEXT]), pools), least=1, most=most_queues))
    names = list(_NAMES[: len(members)])
    topic = draw(topics(names))
    has_topic = draw(st.booleans()) and not is_fifo
    groups = [1, 3, 20] if is_fifo else [None, None, 3]
    sources = draw(_some(traffic([*names, _TOPIC] if has_topic else names, groups=groups), least=1, most=2))
    max_send_rate = draw(st.sampled_from([None, 2.0]))
    declared: dict[str, Queue] = {}
    staff: dict[str, Workers] = {}
    for name, following, (queue, own) in zip(names, [*names[1:], None], members, strict=True):
        declared[name] = _redriven(queue, following)
        for number, pool in enumerate(own):
            onwards = _onwards(pool, following)
            staff[f"{name}-workers{number}"] = attrs.evolve(pool, queue=name, on_success=onwards)
    emails = any(isinstance(action, SendEmail) for pool in staff.values() for action in pool.on_success)
    return Scenario(
        horizon=horizon,
        topics={_TOPIC: topic} if has_topic else {},
        queues=declared,
        outboxes={_OUTBOX: Outbox(max_send_rate=max_send_rate)} if emails else {},
        traffic={f"{source.to}-traffic{number}": source for number, source in enumerate(sources)},
        workers=staff,
    )


def _some(strategy: st.SearchStrategy[T], *, least: int = 0, most: int) -> st.SearchStrategy[list[T]]:
    """Up to `most` values; each can be left out for itself, which shrinks better than a list of large values does."""
    slots: list[st.SearchStrategy[T | None]] = [strategy] * least + [st.none() | strategy] * (most - least)
    return st.tuples(*slots).map(lambda drawn: [value for value in drawn if value is not None])


def _redriven(queue: Queue, following: str | None) -> Queue:
    """A queue whose dead letters, if it has any, go to the queue after it."""
    if queue.redrive is None:
        return queue
    return attrs.evolve(queue, redrive=None if following is None else attrs.evolve(queue.redrive, to=following))


def _onwards(pool: Workers, following: str | None) -> list[Any]:
    """The actions of a pool, where those that send do so to the queue after its own."""
    to_it = [] if following is None else [SendMessage(following)]
    return [each for action in pool.on_success for each in (to_it if isinstance(action, SendMessage) else [action])]


def fault_schedules(*, horizon: float = MINUTE, most: int = 5) -> st.SearchStrategy[tuple[Fault, ...]]:
    """What goes wrong and when: crashes, duplicates, redeliveries and outages, in order of time, as plain data.

    Args:
        horizon: all begin before [s].
        most: of them at most.
    """
    moments = st.integers(0, int(horizon)).map(float) | st.floats(0, horizon)
    plain = st.builds(Fault, kind=st.sampled_from([kind for kind in KINDS if kind != OUTAGE]), at=moments)
    outage = st.builds(Fault, kind=st.just(OUTAGE), at=moments, duration=st.sampled_from([1.0, 10.0, 60.0]))
    return st.lists(plain | outage, max_size=most).map(lambda faults: tuple(sorted(faults, key=lambda each: each.at)))
