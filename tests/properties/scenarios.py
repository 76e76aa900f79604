"""Small scenarios that have a little of everything, and what a user's own code may do to them."""

from collections.abc import Callable, Generator
from math import inf
from typing import Any

import attrs
from hypothesis import strategies as st
from simpy.events import Event

import msgsim as ms
from msgsim.errors import BusError

COUNTS: dict[str, Any] = {
    "night": ms.Steps([(0, 2), (20, 0), (45, 3)]),
    "late": ms.Steps([(10, 1), (30, 4), (50, 1)]),
    "climb": ms.Ramp(0, 120, 0, 5),
}

NOW_AND_THEN = ms.Mixture([(1, ms.Fixed(0.0)), (1, ms.Fixed(0.5))])


@st.composite
def queues(draw: st.DrawFn, redrive_to: str | None = None, *, fifo: bool = False) -> ms.Queue:
    """A queue; mostly as it comes, or else with small limits that are soon reached."""
    redrive = None
    if redrive_to is not None:
        redrive = ms.Redrive(to=redrive_to, max_receive_count=draw(st.sampled_from([1, 2, 3, 5])))
    return ms.Queue(
        visibility_timeout=draw(st.sampled_from([30.0, 5.0, 2.0, 1.0, 0.75])),
        delay=draw(st.sampled_from([0.0, 0.0, 0.0, 1.0, 2.5])),
        retention=draw(st.sampled_from([4 * ms.DAY, 4 * ms.DAY, 60.0])),
        max_in_flight=draw(st.sampled_from([120_000, 120_000, 12, 3, 1])),
        poll_winner=draw(st.sampled_from(["longest", "longest", "random"])),
        redrive=redrive,
        fifo=fifo,
    )


def service_times(*, even: bool) -> st.SearchStrategy[Any]:
    """Of a message; now and then 0. Even ones meet one another at one instant."""
    if even:
        return st.sampled_from([0.25, 0.5, 1.0, 1.75, NOW_AND_THEN])
    return st.sampled_from([ms.Exponential(0.4), ms.Uniform(0.1, 1.5), ms.LogNormal(0.5, 1.5), ms.Fixed(0.3)])


def workers(
    queue: str, *, even: bool, lazy: bool, actions: st.SearchStrategy[Any] | None = None, wait_time: float = 20.0
) -> st.SearchStrategy[ms.Workers]:
    """A pool of a queue; a lazy one has nothing that needs an event at its time."""
    eager = {} if lazy else {"heartbeat": st.sampled_from([None, 0.6]), "delete": st.sampled_from(["each", "batch"])}
    return st.builds(
        ms.Workers,
        queue=st.just(queue),
        count=st.sampled_from([1, 2, 4, 7]) | st.sampled_from(list(COUNTS.values())),
        batch_size=st.sampled_from([1, 3, 10]),
        wait_time=st.just(wait_time),
        service_time=service_times(even=even),
        failure_rate=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
        on_success=st.just(()) if actions is None else actions,
        **eager,
    )


GROUPS: list[Any] = [1, 3, ms.ZipfGroups(40), ms.GroupShares({"large": 5, "small": 1})]


def traffic(to: str, *, even: bool, groups: st.SearchStrategy[Any]) -> st.SearchStrategy[ms.Traffic]:
    """A source: a few events per second, or a spike; some are sent twice."""
    rates: list[Any] = [0.3, 2.0, 5.0, 0.5 + ms.Spike(at=10, height=30, hold=3, every=50), COUNTS["night"]]
    return st.builds(
        ms.Traffic,
        to=st.just(to),
        rate=st.sampled_from([0.5, 1, 2, 4, 8] if even else rates),
        process=st.sampled_from(["regular"] if even else ["poisson", "poisson", "regular"]),
        attributes=st.sampled_from([None, {"kind": "odd"}]),
        groups=groups,
        resend=st.sampled_from([0.0, 0.0, 0.2]),
        resend_after=st.sampled_from([0.0, 1.0, 7.5]),
    )


SERVERS: list[ms.Server | None] = [
    None,
    None,
    None,
    ms.Server(outages=[ms.Outage(at=10, duration=15, every=40)]),
    ms.Server(failures={"500": 0.3, "403": 0.05}, latency=ms.Exponential(0.3)),
    ms.Server(rate_limit=1.5, latency=0.25),
    ms.Server(outages=[ms.Outage(at=20, duration=20, status="timeout"), ms.Outage(at=35, duration=inf)]),
    ms.Server(denies=True),
]


@st.composite
def subscriptions(draw: st.DrawFn, *, fifo: bool) -> tuple[ms.Subscription, ...]:
    """Of the topic `t`: the queue `r`, whose deliveries may take time and fail; perhaps `d`, and a webhook."""
    letters = st.sampled_from([None] if fifo else [None, "p", "d"])
    delay: Any = draw(st.sampled_from([None, 0.25, ms.Exponential(0.5)]))
    server = draw(st.sampled_from(SERVERS))
    chance: dict[str, Any] = {"retry_jitter": draw(st.sampled_from([0.0, 0.0, 0.5]))}
    if not fifo:
        chance["duplicate_rate"] = draw(st.sampled_from([0.0, 0.0, 0.3]))
    found = [ms.Subscription(endpoint="r", delivery_delay=delay, server=server, redrive=draw(letters), **chance)]
    if not fifo:
        found.append(ms.Subscription(endpoint="d", filter_policy={"kind": ["odd"]}))
    if draw(st.sampled_from([False, False, True])):
        policy = ms.DeliveryPolicy(
            retries=3, min_delay=1, max_delay=5, max_receives_per_second=draw(st.sampled_from([None, 1]))
        )
        found.append(
            ms.Subscription(
                endpoint="https://example.com/hook",
                protocol="https",
                delivery_policy=policy,
                server=draw(st.sampled_from(SERVERS)),
                redrive=draw(letters),
            )
        )
    return tuple(found)


RECEIVERS = [
    ms.Receiver(),
    ms.Receiver(unknown_users=0.3, complaint_rate=0.3, open_rate=0.5, reopen_rate=0.5, reading_delay=2.0),
    ms.Receiver(unknown_users=0.3, bounces_late=True, complainers=0.3, auto_reply_rate=0.2),
    ms.Receiver(full_mailboxes=0.5, full_time=ms.Exponential(60), greylisting=10, max_rate=1),
    ms.Receiver(outages=[(10, 40), (70, 75)], tls=False),
    ms.Receiver(demands=["one-click", "complaints"], bulk=10, complaint_rate=0.5),
    ms.Receiver(unknown_users=1, resolves=False),
]

EVENTS: list[dict[str, Any]] = [
    {},
    {"types": ["bounce", "complaint"], "delay": ms.Exponential(3)},
    {"types": ["send", "delivery", "rendering-failure"], "duplicate_rate": 0.3},
    {"enabled": False},
]

POOLS = [
    ms.DedicatedPool(first_volume=5),
    ms.DedicatedPool(first_volume=2, automatic=False, deferral_rate=1),
    ms.DedicatedPool(first_volume=1, managed=True, started_at=-40 * ms.DAY, full_volume=3),
]

REPUTATIONS = [None, None, ms.ReputationPolicy(minimum_volume=3, grace=20, pause_time=30, recovery=20)]

LETTER = ms.EmailTemplate(subject="To {{name}}", text="Dear {{name}}", html="<a href='https://x.org'>{{name}}</a>")

EMAILS = [
    ms.SendEmail("o"),
    ms.SendEmail("o", to="{group}@example.com", list_unsubscribe=["https://x.org/{n}"]),
    ms.SendEmail("o", to=["a-{n}@example.com", "b@x.org"], cc="c-{n}@X.org", configuration_set="plain"),
    ms.SendEmail("o", to="bounce@simulator.amazonses.com", tenant="acme"),
    ms.SendEmail("o", to="customer@x.org", template="letter", data={"name": "{n}"}),
    ms.SendEmail("o", template="letter", data={"nome": "{n}"}),
]


@st.composite
def outboxes(draw: st.DrawFn) -> ms.Outbox:
    """An outbox that looks at addresses, and tells the topic `e` of its emails."""
    reasons: st.SearchStrategy[Any] = st.sampled_from([None, [], ["BOUNCE"], ["BOUNCE", "COMPLAINT"]])
    receivers = [draw(st.sampled_from(RECEIVERS)), attrs.evolve(draw(st.sampled_from(RECEIVERS)), domains=["x.org"])]
    pool = draw(st.sampled_from([None, *POOLS]))
    delay: Any = draw(st.sampled_from([None, 2.0, ms.Exponential(3)]))
    return ms.Outbox(
        max_send_rate=draw(st.sampled_from([None, 2.0])),
        max_24_hour_send=draw(st.sampled_from([None, None, 30])),
        delivery_delay=delay,
        soft_bounce_rate=draw(st.sampled_from([0.0, 0.3])),
        delay_notice=30,
        max_delivery_time=300,
        receivers=receivers,
        suppressed_reasons=draw(reasons),
        configuration_sets={
            "told": ms.ConfigurationSet(
                tls=draw(st.sampled_from(["OPTIONAL", "REQUIRE"])),
                suppressed_reasons=draw(reasons),
                reputation_metrics=draw(st.booleans()),
                pool=None if pool is None else "own",
                events=[ms.EventDestination(topic="e", **draw(st.sampled_from(EVENTS)))],
            ),
            "plain": ms.ConfigurationSet(),
        },
        configuration_set="told",
        pools={} if pool is None else {"own": pool},
        tenants={"acme": ms.SendingTenant()},
        templates={"letter": LETTER},
        reputation=draw(st.sampled_from(REPUTATIONS)),
        validation=draw(st.sampled_from([None, None, ms.EmailValidation()])),
    )


@st.composite
def scenarios(draw: st.DrawFn, *, lazy: bool = False) -> ms.Scenario:
    """A queue `q` with two dead-letter queues in a chain, and perhaps a queue `r` behind a topic or behind its workers.

    With `lazy`, nothing that the workers of `d`, `p` and `r` do can be noticed; else they may do anything. Messages may
    have groups, and `q`, `d` and `p` may be FIFO queues. If the outbox `o` looks at addresses, it hears of its emails
    by the topic `e` and the queue `f`.
    """
    even = draw(st.booleans())
    form = draw(st.sampled_from(["plain", "grouped", "fifo", "fifo"]))
    fifo = form == "fifo"
    groups = {"plain": st.none(), "grouped": st.none() | st.sampled_from(GROUPS), "fifo": st.sampled_from(GROUPS)}[form]
    wait_times = {name: draw(st.sampled_from([20.0, 5.0, 1.0])) for name in "qdpr"}

    def pools(queue: str, most: int, actions: st.SearchStrategy[Any] | None = None) -> dict[str, ms.Workers]:
        made = {}
        for number in range(draw(st.integers(0, most))):
            own_wait = wait_times[queue] if lazy else draw(st.sampled_from([wait_times[queue], 0.0, 3.0]))
            made[f"{queue}{number}"] = draw(workers(queue, even=even, lazy=lazy, actions=actions, wait_time=own_wait))
        return made

    to_r = [ms.SendMessage("r"), ms.SendMessage("r", delay=2), ms.Publish("t"), ms.Publish("t", body="about {n}")]
    if form != "plain":
        to_r += [ms.SendMessage("r", group_id="{n}"), ms.Publish("t", group_id="all")]
    actions = st.lists(st.sampled_from(to_r), max_size=2)
    aware = not lazy and draw(st.booleans())
    if aware:
        actions = st.lists(st.sampled_from([*EMAILS, *EMAILS, *to_r]), min_size=1, max_size=2)
    elif not lazy:
        actions |= st.just([ms.SendEmail("o"), ms.SendMessage("r")])
    feeds = draw(st.lists(st.sampled_from("qqqrt"), min_size=1, max_size=3))
    feedback: dict[str, dict[str, Any]] = {"topics": {}, "queues": {}, "workers": {}}
    if aware:
        clean = ms.PutSuppressedDestination("o", reason=draw(st.sampled_from([None, "BOUNCE"])))
        feedback = {
            "topics": {"e": ms.Topic(subscriptions=[ms.Subscription(endpoint="f", raw=draw(st.booleans()))])},
            "queues": {"f": draw(queues(None if fifo else "p"))},
            "workers": {"f0": draw(workers("f", even=even, lazy=False, actions=st.just([clean])))},
        }
    return ms.Scenario(
        topics={"t": ms.Topic(subscriptions=draw(subscriptions(fifo=fifo))), **feedback["topics"]},
        queues={
            "d": draw(queues(draw(st.sampled_from([None, "p"])), fifo=fifo)),
            "q": draw(queues(draw(st.sampled_from([None, "d", "d"])), fifo=fifo)),
            "r": draw(queues(None if fifo else draw(st.sampled_from([None, "d"])))),
            "p": draw(queues(fifo=fifo)),
            **feedback["queues"],
        },
        outboxes={"o": draw(outboxes()) if aware else ms.Outbox(max_send_rate=2.0)},
        traffic={f"{to}-traffic{place}": draw(traffic(to, even=even, groups=groups)) for place, to in enumerate(feeds)},
        workers={
            **pools("q", 2, draw(st.sampled_from([None, actions]))),
            **pools("d", 2),
            **pools("r", 2, None if lazy else actions),
            **pools("p", 1),
            **feedback["workers"],
        },
    )


Deed = tuple[str, str, int]
"""What a user does: a verb, the name of a queue, and a number with which to choose the details."""

VERBS = (
    *("send", "send later", "receive", "receive", "delete", "hide", "hide"),
    *("purge", "counts", "resize", "look", "deadline"),
)

deeds = st.tuples(st.sampled_from(VERBS), st.sampled_from("qdr"), st.integers(0, 11))

moments = st.integers(0, 480).map(lambda quarter: quarter / 4) | st.floats(0, 120).filter(lambda at: not 0 < at < 1e-3)


def programs(most: int = 12) -> st.SearchStrategy[list[tuple[float, Deed]]]:
    """What a user does and when, in order of time: often when events of even traffic happen."""
    return st.lists(st.tuples(moments, deeds), max_size=most).map(lambda program: sorted(program, key=lambda at: at[0]))


class User:
    """Does deeds, and notes what comes of them."""

    def __init__(self, simulation: ms.Simulation, notes: list[Any]) -> None:
        self._simulation = simulation
        self._queues = dict(simulation.queues)
        self._handles: dict[str, list[str]] = {name: [] for name in self._queues}
        self._notes = notes

    def process(self, program: list[tuple[float, Deed]]) -> Generator[Event, Any, None]:
        """A SimPy process of deeds."""
        env = self._simulation.env
        for at, deed in program:
            yield env.timeout(max(0.0, at - env.now))
            self.do(deed)

    def do(self, deed: Deed) -> None:
        """One deed, now."""
        verb, name, choice = deed
        acts: dict[str, Callable[[Any, str, int, float], Any]] = {
            "send": self._send,
            "send later": lambda queue, _name, choice, now: queue.send("own", now, delay=choice / 2).message_id,
            "receive": self._receive,
            "delete": self._delete,
            "hide": self._hide,
            "purge": lambda queue, _name, _choice, now: queue.purge(now),
            "counts": lambda queue, _name, _choice, now: queue.counts(now),
            "resize": self._resize,
            "look": lambda _queue, _name, _choice, _now: self._look(),
            "deadline": lambda queue, _name, _choice, now: (queue.counts(now), queue.next_deadline()),
        }
        now = self._simulation.now
        try:
            note = acts[verb](self._queues[name], name, choice, now)
        except BusError as error:
            note = type(error).__name__
        self._notes.append((now, verb, name, note))

    def _send(self, queue: Any, _name: str, choice: int, now: float) -> Any:
        if queue.declaration.fifo:
            group, given = f"group-{1 + choice % 2}", f"own-{choice}"
            return queue.send(f"own {choice}", now, group_id=group, deduplication_id=given).message_id
        return queue.send(f"own {choice}", now, group_id="group-1" if choice > 9 else None).message_id

    def _receive(self, queue: Any, name: str, choice: int, now: float) -> Any:
        timeout = [None, None, 0.0, 2.5][choice % 4]
        got = queue.receive(now, 1 + choice % 10, timeout, wait_time=choice % 2)
        self._handles[name] += [delivery.receipt_handle for delivery in got]
        return [(delivery.message_id, delivery.body, delivery.receive_count) for delivery in got]

    def _delete(self, queue: Any, name: str, choice: int, now: float) -> Any:
        handles = self._handles[name]
        return queue.delete(handles[choice % len(handles)], now) if handles else None

    def _hide(self, queue: Any, name: str, choice: int, now: float) -> Any:
        handles = self._handles[name]
        timeout = [0.0, 0.5, 1.25, 40.0][choice // 3]
        return queue.change_visibility(handles[choice % len(handles)], timeout, now) if handles else None

    def _resize(self, _queue: Any, name: str, choice: int, now: float) -> Any:
        pools = [pool for pool in self._simulation.workers.values() if pool.queue.name == name]
        for pool in pools:
            pool.resize(choice % 4, now)
        return [(pool.count, pool.busy) for pool in pools]

    def _look(self) -> Any:
        queues = self._simulation.queues.values()
        pools = self._simulation.workers.values()
        return [(queue.visible, queue.in_flight, queue.delayed, queue.deleted) for queue in queues], [
            (pool.busy, pool.count, pool.processed) for pool in pools
        ]
