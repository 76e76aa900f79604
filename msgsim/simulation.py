"""Simulation: a scenario, wired and live."""

from collections.abc import Callable, Mapping
from functools import partial
from math import floor, inf
from typing import Any

from simpy import Environment

from msgsim.bus.event_destinations import EventPublisher
from msgsim.bus.fifo import FifoQueue
from msgsim.bus.fifo_topic import FifoFanout
from msgsim.bus.moves import MoveTask
from msgsim.bus.outbox import SendingAccount
from msgsim.bus.queue import LiveQueue, Queue
from msgsim.bus.standard import StandardQueue
from msgsim.bus.topic import TopicFanout
from msgsim.declare import CALENDAR, LAST_SECOND, MINUTE, Named, as_float, check_number, plain
from msgsim.engine.actions import (
    Action,
    Join,
    JoinState,
    JoinStep,
    Publish,
    PutSuppressedDestination,
    PutSuppressedDestinationStep,
    SendEmail,
    SendMessage,
    SendMessageStep,
    SendToFifoStep,
    Step,
    publish_step,
    send_email_step,
)
from msgsim.engine.arrivals import arrival_times
from msgsim.engine.board import Board
from msgsim.engine.clock import Timer, Turn, run_through
from msgsim.engine.curves import RateCurve
from msgsim.engine.handlers import Desk
from msgsim.engine.lazy import LazyStation
from msgsim.engine.publishing import GatedStep, gated, share_quota
from msgsim.engine.stations import Station
from msgsim.engine.stepped import SteppedStation
from msgsim.engine.streams import stream
from msgsim.engine.traffic import TrafficSource, source_of
from msgsim.engine.workers import WorkerPool
from msgsim.errors import DeclarationError, HandlerError
from msgsim.metrics import Meter, Probe
from msgsim.run import Run
from msgsim.scenario import Scenario

PROBES = 100
MOST_READINGS = 10_000_000
"""Of each metric of each entity: so many are gigabytes."""

SHIFT_STEP = 1.0
"""How often a count that follows a bent curve is looked at [s]."""

SHORTEST_SHIFT = 1e-6
"""A count that follows a slope changes at most so often [s]; rounding may put it that much late."""

Progress = Callable[["Simulation"], bool | None]
"""Called at each probe; returning False ends the run there."""


class Simulation:
    """A scenario at work.

    Args:
        scenario: what takes part.
        seed: of all random streams.
        warm_up: what happens before is left out of means and quantiles [s]; None for the scenario's own.
        probe: time between readings [s]; None for 1 % of the horizon, at most 60 s.
        horizon: for the default of `probe` [s]; None for the scenario's own.
        replication: another run of the same seed, with random streams of its own.
        lazy: simulate what nobody can notice in one go (see `engine/lazy.py`); it makes no difference but in speed.

    Attributes:
        scenario: as given.
        env: the SimPy environment, for processes of a user's own.

    Raises:
        DeclarationError: an argument is not allowed.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        seed: int = 0,
        warm_up: float | None = None,
        probe: float | None = None,
        horizon: float | None = None,
        replication: int = 0,
        lazy: bool = True,
    ) -> None:
        if not isinstance(scenario, Scenario):
            raise DeclarationError("scenario", f"{scenario!r} is not a Scenario")
        seed, replication = plain(seed), plain(replication)
        for name, value in (("seed", seed), ("replication", replication)):
            if isinstance(value, bool) or not isinstance(value, int):
                raise DeclarationError(name, f"{value!r} is not a whole number")
        length = scenario.horizon if horizon is None else horizon
        check_number("until", length, above=True, unit="s")
        length = _within_calendar(length, scenario)
        self.scenario = scenario
        self.seed = seed
        self.replication = replication
        self.lazy = lazy
        self.warm_up = scenario.warm_up if warm_up is None else warm_up
        check_number("warm_up", self.warm_up, unit="s")
        self.warm_up = as_float(self.warm_up)
        self.probe_interval = min(MINUTE, length / PROBES) if probe is None else probe
        check_number("probe", self.probe_interval, above=True, unit="s")
        self.probe_interval = as_float(self.probe_interval)
        _check_readings(length, self.probe_interval)

        self.env = Environment()
        self._board = Board(self.env)
        self._queues: dict[str, LiveQueue] = {}
        self._flows = scenario.flows()
        self._drivers: list[Driver] = []
        self._steps: dict[str, list[Step]] = {}
        for name in scenario.queues:
            self._add_queue(name)
        self._stations = {name: self._add_station(name) for name in scenario.queues}
        for name, queue in scenario.queues.items():
            station = self._stations[name]
            target = self._stations[queue.redrive.to] if queue.redrive else None
            if isinstance(station, LazyStation) and isinstance(target, LazyStation):
                target.upstream.append(station)
        self._ports: dict[str, Any] = {
            name: station if isinstance(station, LazyStation) else station.queue
            for name, station in self._stations.items()
        }
        self._outboxes = {
            name: SendingAccount(outbox, name, rng=self._stream(name, "outcomes"), epoch=scenario.epoch)
            for name, outbox in scenario.outboxes.items()
        }
        self._topics = self._live_topics(scenario)
        driven: list[TopicFanout | SendingAccount] = [*self._topics.values(), *self._outboxes.values()]
        for live in driven:
            live.clock = self._time
            self._drivers.append(Driver(self.env, self._board, live))
        self._connect_outboxes()
        self._declared_joins = scenario.joins()
        self._joins = {name: JoinState(name, len(join.parts)) for name, join in self._declared_joins.items()}
        for name, join in self._declared_joins.items():
            self._joins[name].then([self._wire(action, "") for action in join.then])
        self._workers = {name: self._add_pool(name) for name in scenario.workers}
        self._traffic = {name: self._add_traffic(name) for name in scenario.traffic}

        self._probe = Probe(Meter(name, kind, self._find(name, kind)) for name, kind in scenario.entities().items())
        self._readings = 0
        self._next_look = Timer(self.env, self._look, Turn.PROBE)
        self._next_look.arm(0.0)
        self._end_of_warm_up = Timer(self.env, self._begin, Turn.FIRST)
        if self.warm_up:
            self._end_of_warm_up.arm(self.warm_up)

    def __repr__(self) -> str:
        return f"<Simulation {self.scenario.title or 'untitled'!r} now={self.now:g} seed={self.seed}>"

    @property
    def now(self) -> float:
        """Simulated time [s]."""
        return self._time()

    def _time(self) -> float:
        return float(self.env.now)

    @property
    def queues(self) -> Mapping[str, LiveQueue]:
        """The live queues by name, with everything done that is due by now."""
        return self._settled("queue", self._queues)

    @property
    def topics(self) -> Mapping[str, TopicFanout]:
        """The live topics by name."""
        return self._settled("topic", self._topics)

    @property
    def outboxes(self) -> Mapping[str, SendingAccount]:
        """The live outboxes by name."""
        return self._settled("outbox", self._outboxes)

    @property
    def workers(self) -> Mapping[str, WorkerPool]:
        """The live worker pools by name."""
        return self._settled("worker pool", self._workers)

    @property
    def traffic(self) -> Mapping[str, TrafficSource]:
        """The live traffic sources by name."""
        return self._settled("traffic source", self._traffic)

    @property
    def messages(self) -> int:
        """Messages that queues have taken in, as of the latest look at them; a probe is one."""
        return sum(queue.sent for queue in self._queues.values())

    def run(self, until: float, progress: Progress | None = None) -> None:
        """Go on up to and including an instant.

        Args:
            until: [s]; not before now. `run(a)` and then `run(b)` is the same as `run(b)`.
            progress: called at each probe; returning False ends the run there.

        Raises:
            DeclarationError: `until` is in the past or not a number.
        """
        check_number("until", until, unit="s")
        check_progress(progress)
        if until < self.now:
            raise DeclarationError("until", f"{until!r} is in the past; the simulation is at {self.now!r} s")
        until = _within_calendar(until, self.scenario)
        self._board.quiet = False
        try:
            self._run(until, progress)
        finally:
            self._board.quiet = True
            self._board.inside = self._board.early = self._board.probing = False

    def _run(self, until: float, progress: Progress | None) -> None:
        if progress is not None:
            while self._readings * self.probe_interval < until:
                run_through(self.env, max(self.now, self._readings * self.probe_interval))
                self._board.quiet = True
                if progress(self) is False:
                    return
                self._board.quiet = False
        run_through(self.env, until)

    def result(self, *, interrupted: bool = False) -> Run:
        """What has happened so far, as plain data. Can be asked for at any time; it changes nothing.

        Only the last digit of a gauge's mean may depend on it: looking inside a batch adds up the same times in another
        order.
        """
        now = self.now
        probe = self._probe
        self._board.probing = True
        known = len(probe.violations)
        overtaken = probe.take_last() if probe.times and probe.times[-1] == now else None
        probe.look(now)
        probe.check(now, deep=True)
        records = probe.records(now, warm=now >= self.warm_up)
        run = Run(
            scenario=self.scenario,
            seed=self.seed,
            replication=self.replication,
            until=now,
            warm_up=self.warm_up,
            probe=self.probe_interval,
            times=probe.times[:],
            records=records,
            violations=tuple(dict.fromkeys((*probe.violations, *probe.compare(now)))),
            raised={name: dict(pool.desk.raised) for name, pool in self._workers.items() if pool.desk is not None},
            interrupted=interrupted,
        )
        probe.take_last()
        if overtaken is not None:
            probe.put_back(overtaken)
        del probe.violations[known:]
        self._board.probing = False
        return run

    def _deliveries(self, subscription: str) -> Any:
        return self._stream(subscription, "deliveries")

    def _stream(self, component: str, purpose: str) -> Any:
        return stream(self.seed, component, purpose, self.replication)

    def _settled(self, what: str, live: dict[str, Any]) -> Mapping[str, Any]:
        if not self._board.inside:
            self._board.probing = True
            self._probe.settle(self.now)
            self._board.probing = False
        return Named(what, live)

    def _find(self, name: str, kind: str) -> Any:
        if kind == "subscription":
            topic, _, key = name.partition("/")
            return self._topics[topic].subscriptions[key]
        kinds: dict[str, Mapping[str, Any]] = {
            "traffic": self._traffic,
            "topic": self._topics,
            "queue": self._queues,
            "pool": self._workers,
            "join": self._joins,
            "outbox": self._outboxes,
        }
        return kinds[kind][name]

    def _add_queue(self, name: str) -> LiveQueue:
        if name not in self._queues:
            queue = self.scenario.queues[name].under(self.scenario.quotas)
            target: Any = self._add_queue(queue.redrive.to) if queue.redrive else None
            kind = FifoQueue if queue.fifo else StandardQueue
            live = self._queues[name] = kind(queue, name, dead_letter_queue=target, rng=self._stream(name, "chance"))
            if isinstance(live, StandardQueue) and name in self._flows.grouped:
                live.be_fair(0.0)
            live.clock = self._time
            live.on_move = self._drive
            live.on_redeclare = partial(self._permit, name)
            live.on_close = partial(_keep, name)
        return self._queues[name]

    def _live_topics(self, scenario: Scenario) -> dict[str, TopicFanout]:
        topics = {
            name: (FifoFanout if topic.fifo else TopicFanout)(
                topic, name, endpoints=self._ports, rng_of=self._deliveries, epoch=scenario.epoch
            )
            for name, topic in scenario.topics.items()
        }
        share_quota(topics.values(), scenario.region, scenario.publish_rate)
        return topics

    def _add_station(self, name: str) -> Station | LazyStation:
        queue = self._queues[name]
        rng = self._stream(name, "polls") if queue.declaration.poll_winner == "random" else None
        kind: type[Station | LazyStation] = Station
        if self._is_lazy(name):
            stepped = queue.declaration.fifo or name in self._flows.grouped
            kind = SteppedStation if stepped else LazyStation
        return kind(self.env, queue, self._board, rng)

    def _is_lazy(self, name: str) -> bool:
        """Whether nobody can notice a queue's work while it happens: its workers only work, and so on behind it."""
        pools = [pool for pool in self.scenario.workers.values() if pool.queue == name]
        alone = all(
            not pool.on_success and pool.handler is None and pool.heartbeat is None and pool.delete == "each"
            for pool in pools
        )
        alike = len({pool.wait_time for pool in pools}) <= 1 and all(pool.wait_time for pool in pools)
        queue = self.scenario.queues[name]
        behind = queue.redrive is None or self._is_lazy(queue.redrive.to)
        return self.lazy and alone and alike and not _noticed(queue) and behind

    def _permit(self, name: str, queue: Queue, target: LiveQueue | None) -> None:
        """Refuse a change of attributes that would make the work of a queue noticed, which so far nobody could.

        Raises:
            DeclarationError: says what to do; or the queue would be one that the scenario cannot have.
        """
        self.scenario.check_returns(name, queue)
        if queue.content_based_deduplication != self._queues[name].intended.content_based_deduplication:
            problem = "is looked at when a simulation begins; declare it in the scenario"
            raise DeclarationError(f"queues.{name}.content_based_deduplication", problem)
        station = self._stations[name]
        after = None
        if target is not None:
            after = self._stations.get(target.name)
            if after is None or after.queue is not target:
                raise DeclarationError(f"queues.{name}.redrive.to", f"{target.name!r} is no queue of this simulation")
        if not isinstance(station, LazyStation):
            return
        field = _noticed(queue) or ("" if after is None or isinstance(after, LazyStation) else "redrive")
        if field:
            problem = (
                "cannot become that while the work of the queue is done in one go: Simulation(..., lazy=False) can"
            )
            raise DeclarationError(f"queues.{name}.{field}", problem)
        if isinstance(after, LazyStation) and station not in after.upstream:
            after.upstream.append(station)

    def _drive(self, task: MoveTask) -> None:
        """Give a move task its deadlines."""
        self._drivers.append(Driver(self.env, self._board, task))
        self._drivers[-1].begin()

    def _connect_outboxes(self) -> None:
        """Let events of emails go to topics, where configuration sets say so."""
        for name, outbox in self.scenario.outboxes.items():
            sets = {each: declared.events for each, declared in outbox.configuration_sets.items() if declared.events}
            if not sets:
                continue
            used = {each.topic: self._topics[each.topic] for some in sets.values() for each in some}
            topics = {each: gated(topic, topic.route(None).publish) for each, topic in used.items()}
            publisher = EventPublisher(sets, topics, rng=self._stream(name, "events"), name=name)
            self._outboxes[name].on_event = publisher.hear
            self._drivers.append(Driver(self.env, self._board, publisher))

    def _add_pool(self, name: str) -> WorkerPool:
        declared = self.scenario.workers[name]
        queue = self._queues[declared.queue]
        desk = None
        if declared.handler is not None:
            rng = self._stream(name, "handler")
            desk = Desk(declared.handler, name, queue, rng, lambda action: self._wire_returned(action, name))
        pool = WorkerPool(
            declared,
            name,
            env=self.env,
            station=self._stations[declared.queue],
            service_rng=self._stream(name, "service"),
            failure_rng=self._stream(name, "failure"),
            desk=desk,
        )
        pool.steps = [self._wire(action, name) for action in declared.on_success]
        if isinstance(declared.count, RateCurve):
            Shifts(self.env, pool, declared.count)
        else:
            pool.resize(declared.count, 0.0)
        return pool

    def _add_traffic(self, name: str) -> TrafficSource:
        declared = self.scenario.traffic[name]
        topic = self._topics.get(declared.to)
        source = source_of(
            declared,
            name,
            target=self._queues[declared.to] if topic is None else topic,
            times=arrival_times(declared.rate, declared.process, self._stream(name, "arrivals")),
            epoch=self.scenario.epoch,
            stream=self._stream,
        )
        if topic is not None:
            source.deliver = gated(topic, source.deliver)
        station = None if topic is not None else self._stations[declared.to]
        if isinstance(station, LazyStation):
            station.feed(source)
        else:
            source.drive(self.env, self._board, publishes=topic is not None)
        return source

    def _wire(self, action: Action, pool: str) -> Step:
        epoch = self.scenario.epoch
        if isinstance(action, SendEmail):
            return send_email_step(action, self._outboxes[action.outbox], epoch)
        if isinstance(action, PutSuppressedDestination):
            return PutSuppressedDestinationStep(action, self._outboxes[action.outbox])
        if isinstance(action, Publish):
            topic = self._topics[action.topic]
            step = publish_step(action, topic, epoch)
            return step if topic.quota is None else GatedStep(topic, step)
        if isinstance(action, SendMessage):
            port = self._ports[action.queue]
            declaration = self.scenario.queues[action.queue]
            if not declaration.fifo:
                return SendMessageStep(action, port, epoch)
            enqueue = port.enqueue_grouped if isinstance(port, LazyStation) else port.enqueue
            return SendToFifoStep(action, enqueue, declaration, epoch)
        if isinstance(action, Join):
            return JoinStep(self._joins[action.name], self._declared_joins[action.name].parts.index(pool))
        raise DeclarationError(f"workers.{pool}", f"{action!r} is not an action")

    def _wire_returned(self, action: Action, pool: str) -> Step:
        """Wire an action that a handler returned."""
        try:
            self.scenario.check_actions([action], "it")
        except DeclarationError as error:
            raise HandlerError(f"the handler of {pool!r} returned {action!r}: {error.problem}") from None
        if isinstance(action, Join):
            join = self._declared_joins.get(action.name)
            if join is None or pool not in join.parts:
                raise HandlerError(f"the handler of {pool!r} returned {action!r}, of which the pool is not a part")
        return self._wire(action, pool)

    def _begin(self, now: float) -> None:
        self._board.probing = True
        self._probe.begin(now)
        self._board.probing = False

    def _look(self, now: float) -> None:
        board = self._board
        board.quiet = board.probing = True
        self._probe.look(now)
        self._probe.check(now)
        board.quiet = board.probing = False
        self._readings += 1
        self._next_look.arm(self._readings * self.probe_interval)


def _noticed(queue: Queue) -> str:
    """What lets others notice the work of a queue while it happens, by the name of the field; "" if nothing does."""
    quiet = ("sampled", 1.0), ("duplicates", 0.0), ("disorder", 0.0), ("old_handle", "ignored")
    return next((name for name, value in quiet if getattr(queue, name) != value), "")


Driven = TopicFanout | SendingAccount | EventPublisher | MoveTask
"""What has deadlines of its own, and says when the next one gets earlier."""


class Driver:
    """Gives a topic, an outbox, what publishes its events, or a move task its deadlines."""

    __slots__ = ("_board", "_env", "_live", "_timer")

    def __init__(self, env: Environment, board: Board, live: Driven) -> None:
        self._env = env
        self._board = board
        self._live = live
        self._timer = Timer(env, self._due, Turn.DEADLINE)
        live.on_change = self.begin

    def begin(self) -> None:
        """Be there when it is due; also if that has become earlier."""
        due = self._live.next_deadline()
        if due is not None and due < self._timer.time:
            self._timer.arm(max(due, self._env.now))

    def _due(self, now: float) -> None:
        board = self._board
        board.inside = board.early = True
        self._live.advance(now)
        self.begin()
        board.inside = board.early = False
        board.flush(now)


class Shifts:
    """Resizes a pool along a curve: to the nearest whole number of workers, half a worker up.

    It looks at breakpoints; on a straight slope, where the next worker comes or goes; on a bend, every second.
    """

    __slots__ = ("_curve", "_pool", "_timer")

    def __init__(self, env: Environment, pool: WorkerPool, curve: RateCurve) -> None:
        self._pool = pool
        self._curve = curve
        self._timer = Timer(env, self._change, Turn.FIRST)
        self._timer.arm(0.0)

    def _change(self, now: float) -> None:
        rate = self._curve.rate(now)
        count = floor(rate + 0.5)
        self._pool.shift(count, now)
        following, form = self._curve.stretch(now)
        if form.tails or form.waves:
            following = min(following, now + SHIFT_STEP)
        elif form.slope:
            next_half = count + 0.5 if form.slope > 0.0 else count - 0.5
            following = min(following, max(now + SHORTEST_SHIFT, now + (next_half - rate) / form.slope))
        if following < inf:
            self._timer.arm(following)


def _check_readings(length: float, interval: float) -> None:
    if length > MOST_READINGS * interval:
        problem = f"{interval!r} [s] makes {length / interval:,.0f} readings; allowed: at most {MOST_READINGS:,}"
        raise DeclarationError("probe", problem)


def _keep(name: str) -> None:
    """Refuse to delete a queue of a simulation.

    Raises:
        DeclarationError: says what to do instead.
    """
    problem = "cannot be deleted while a simulation uses it; purge(now) empties it"
    raise DeclarationError(f"queues.{name}", problem)


def _within_calendar(until: float, scenario: Scenario) -> float:
    check_number("until", until, high=LAST_SECOND - scenario.epoch, unit="s", rule=CALENDAR)
    made: float = as_float(until)
    return made


def check_progress(progress: object) -> None:
    """Refuse what cannot be called at each probe.

    Raises:
        DeclarationError: says what was given.
    """
    if progress is not None and not callable(progress):
        raise DeclarationError("progress", f"{progress!r} is not a function of the simulation")


def simulate(
    scenario: Scenario,
    until: float | None = None,
    seed: int = 0,
    *,
    warm_up: float | None = None,
    probe: float | None = None,
    progress: Progress | None = None,
    audit: bool = True,
    replication: int = 0,
) -> Run:
    """Run a scenario once.

    Args:
        scenario: what takes part.
        until: the horizon [s]; None for the scenario's own.
        seed: same scenario and seed, same run.
        warm_up: what happens before is left out of means and quantiles [s]; None for the scenario's own.
        probe: time between readings [s]; None for 1 % of the horizon, at most 60 s.
        progress: called with the simulation at each probe; returning False ends the run there.
        audit: raise if the run's books do not balance.
        replication: another run of the same seed, with random streams of its own.

    Returns:
        The finished run.

    Raises:
        DeclarationError: an argument is not allowed.
        AuditError: a message is unaccounted for; a bug in msgsim.
    """
    check_progress(progress)
    simulation = Simulation(scenario, seed=seed, warm_up=warm_up, probe=probe, horizon=until, replication=replication)
    end = scenario.horizon if until is None else as_float(until)
    if simulation.warm_up >= end:
        raise DeclarationError("warm_up", f"{simulation.warm_up!r} leaves nothing of a run of {end!r} s")
    simulation.run(end, progress)
    run = simulation.result(interrupted=simulation.now < end)
    if audit:
        run.audit()
    return run
