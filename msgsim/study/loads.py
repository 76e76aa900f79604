"""What a scenario's declarations put on its queues and outboxes over time, as a fluid: rates without chance.

Traffic flows through topics, queues and workers to wherever these send; a queue lets through what its workers can
handle, and keeps the rest. What handlers return and what events of emails set off is not declared, and not in here.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from math import ceil, inf, nan

import attrs

from msgsim.bus.filters import MESSAGE_ATTRIBUTES, compile_policy
from msgsim.bus.topic import Subscription
from msgsim.declare import MINUTE
from msgsim.engine.actions import Action, Join, Publish, SendEmail, SendMessage
from msgsim.engine.curves import RateCurve
from msgsim.engine.groups import Groups, GroupShares
from msgsim.engine.workers import Workers
from msgsim.scenario import Scenario

FEWEST, MOST = 100, 2_000
"""Windows of a horizon; of a minute each between these bounds."""

Rates = Sequence[float]
"""Per window [1/s]."""


@attrs.frozen(kw_only=True)
class Load:
    """What comes to a queue, or to a part of it, and what its workers can do.

    Attributes:
        arrivals: what comes [messages/s].
        capacity: what they can finish [messages/s]; infinite for work that takes no time.
        backlog: at the end of each window [messages].
        finished: what they finish [messages/s].
        width: of a window [s].
    """

    arrivals: Rates
    capacity: Rates
    backlog: Rates
    finished: Rates
    width: float

    @property
    def mean(self) -> float:
        """Offered load over capacity, over the whole time. Infinite without workers, NaN without messages."""
        came, can = sum(self.arrivals), sum(self.capacity)
        if not came:
            return nan
        return came / can if can else inf

    @property
    def peak(self) -> float:
        """The same in the fullest window in which anybody works."""
        pairs = zip(self.arrivals, self.capacity, strict=True)
        return max((came / can for came, can in pairs if can), default=nan)

    @property
    def peak_backlog(self) -> float:
        """The most that waits [messages]."""
        return max(self.backlog)

    @property
    def drain_time(self) -> float:
        """The longest time during which something waits [s]; infinite if something does at the end."""
        longest = here = 0.0
        for waiting in self.backlog:
            here = here + self.width if waiting >= 1.0 else 0.0
            longest = max(longest, here)
        return inf if here else longest


def load(arrivals: Rates, capacity: Rates, width: float) -> Load:
    """Let arrivals flow through a capacity, in the order in which they come."""
    waiting = 0.0
    backlog, finished = [], []
    for came, can in zip(arrivals, capacity, strict=True):
        out = min(waiting / width + came, can)
        waiting = max(0.0, waiting + (came - out) * width)
        backlog.append(waiting)
        finished.append(out)
    return Load(arrivals=arrivals, capacity=capacity, backlog=backlog, finished=finished, width=width)


def receives(workers: Workers, most: float) -> float:
    """How often a message is handled on average, if each time fails with the pool's rate, and it is given up at last.

    Args:
        workers: the pool.
        most: receives that a message may have; infinite without a redrive policy.
    """
    rate = workers.failure_rate
    return most if rate == 1.0 else (1.0 - float(rate**most)) / (1.0 - rate)


class Loads:
    """The loads of a scenario over its horizon.

    Args:
        scenario: which.
        passed: the share of publishes that a subscription lets pass, for filters that declarations do not decide.

    Attributes:
        width: of a window [s].
        windows: how many there are.
        queues: by name; of queues that workers work on, if how long they take is declared.
        traffic: what each source sends, without what it sends again [messages/s].
        arrivals: what comes to a topic, queue or outbox [messages/s, recipients/s].
    """

    def __init__(self, scenario: Scenario, passed: Mapping[str, float] | None = None) -> None:
        self._scenario = scenario
        self._passed = passed or {}
        self._joins = scenario.joins()
        self.windows = min(MOST, max(FEWEST, ceil(scenario.horizon / MINUTE)))
        self.width = scenario.horizon / self.windows
        self.traffic = {name: self._rates(traffic.rate) for name, traffic in scenario.traffic.items()}
        self._capacity = {name: self._capacity_of(name) for name in scenario.queues}
        self.queues: dict[str, Load] = {}
        self.arrivals: dict[str, Rates] = {}
        for _ in range(len(scenario.queues) + len(scenario.topics) + 1):  # further than any way without a circle
            before = self.arrivals
            self.arrivals = self._added()
            for name, capacity in self._capacity.items():
                if capacity is not None:
                    self.queues[name] = load(self.arrivals.get(name, self._nothing()), capacity, self.width)
            if self.arrivals == before:
                break

    def of_groups(self, queue: str) -> dict[str, Load]:
        """The largest message group of each source that sends to a FIFO queue, as a load on one worker (FIFO-ORD-4)."""
        pools = self._pools(queue)
        times = [self._work(workers) for workers in pools.values()]
        if not times or any(workers.handler is not None for workers in pools.values()):
            return {}
        can = 1.0 / min(times) if min(times) else inf
        found: dict[str, list[float]] = {}
        for name, traffic in self._scenario.traffic.items():
            if traffic.groups is not None:
                group, part = largest_group(traffic.groups)
                rates = [rate * part * self._reaching(name, queue) for rate in self.traffic[name]]
                if any(rates):
                    found[group] = _sum([found.get(group, self._nothing()), rates])
        return {group: load(rates, [can] * self.windows, self.width) for group, rates in found.items()}

    # ---------------------------------------------------------------- inside

    def _nothing(self) -> list[float]:
        return [0.0] * self.windows

    def _rates(self, curve: RateCurve) -> list[float]:
        bounds = [place * self.width for place in range(self.windows + 1)]
        return [curve.integral(begin, end) / self.width for begin, end in pairwise(bounds)]

    def _pools(self, queue: str) -> dict[str, Workers]:
        return {name: workers for name, workers in self._scenario.workers.items() if workers.queue == queue}

    def _most(self, queue: str) -> float:
        redrive = self._scenario.queues[queue].redrive
        return inf if redrive is None else redrive.max_receive_count

    def _work(self, workers: Workers) -> float:
        """What a message takes of a worker's time, until it is done or given up [s]."""
        mean = workers.service_time.mean
        return mean * receives(workers, self._most(workers.queue)) if mean else 0.0

    def _capacity_of(self, queue: str) -> list[float] | None:
        """What the workers of a queue can finish per second; None if there are none, or their work is not declared."""
        pools = self._pools(queue)
        if not pools or any(workers.handler is not None for workers in pools.values()):
            return None
        capacity = self._nothing()
        for workers in pools.values():
            work = self._work(workers)
            count = workers.count
            counts: Rates = self._rates(count) if isinstance(count, RateCurve) else [float(count)] * self.windows
            capacity = _sum([capacity, [(number / work if work else inf) if number else 0.0 for number in counts]])
        return capacity

    def _added(self) -> dict[str, Rates]:
        """What comes to everything, by what its queues finish as far as it is known."""
        coming: dict[str, list[Rates]] = {}
        published: list[tuple[str, Rates, Mapping[str, object] | None, bool]] = []
        for name, traffic in self._scenario.traffic.items():
            rates: Rates = [rate * (1.0 + traffic.resend) for rate in self.traffic[name]]
            coming.setdefault(traffic.to, []).append(rates)
            published.append((traffic.to, rates, traffic.attributes, True))
        for name, workers in self._scenario.workers.items():
            for action, rates in self._acted(workers.on_success, name):
                if isinstance(action, SendMessage):
                    coming.setdefault(action.queue, []).append(rates)
                elif isinstance(action, Publish):
                    coming.setdefault(action.topic, []).append(rates)
                    published.append((action.topic, rates, action.attributes, action.attributes is not None))
                elif isinstance(action, SendEmail):
                    recipients = len(action.to) + len(action.cc) + len(action.bcc)
                    coming.setdefault(action.outbox, []).append([rate * recipients for rate in rates])
        for topic, rates, attributes, known in published:
            if topic not in self._scenario.topics:
                continue
            for key, subscription in self._scenario.topics[topic].named().items():
                if subscription.protocol == "sqs":
                    part = self._part(subscription, f"{topic}/{key}", attributes, known=known)
                    part *= 1.0 + subscription.duplicate_rate
                    coming.setdefault(subscription.endpoint, []).append([rate * part for rate in rates])
        return {name: _sum(parts) for name, parts in coming.items()}

    def _part(
        self, subscription: Subscription, name: str, attributes: Mapping[str, object] | None, *, known: bool
    ) -> float:
        """The share of publishes that a subscription lets pass."""
        policy = subscription.filter_policy
        if policy is None:
            return 1.0
        if known and subscription.filter_scope == MESSAGE_ATTRIBUTES:
            return float(compile_policy(policy)(attributes))
        return self._passed.get(name, 1.0)

    def _reaching(self, source: str, queue: str) -> float:
        """The share of a source's events that come to a queue, at once or by a topic."""
        traffic = self._scenario.traffic[source]
        if traffic.to == queue:
            return 1.0
        topic = self._scenario.topics.get(traffic.to)
        found = 0.0
        for key, subscription in ({} if topic is None else topic.named()).items():
            if subscription.protocol == "sqs" and subscription.endpoint == queue:
                found += self._part(subscription, f"{traffic.to}/{key}", traffic.attributes, known=True)
        return found

    def _acted(self, actions: Sequence[Action], pool: str) -> Iterator[tuple[Action, Rates]]:
        """What a pool does, and how often [1/s]."""
        for action in actions:
            if not isinstance(action, Join):
                yield action, self._succeeded(pool)
            elif (joined := self._joins[action.name]).parts[0] == pool:  # once, not once for each part
                for then in joined.then:
                    yield then, _slowest([self._succeeded(part) for part in joined.parts])

    def _succeeded(self, pool: str) -> Rates:
        """How many messages a pool handles well [1/s]; a queue's pools are taken to share alike."""
        workers = self._scenario.workers[pool]
        queue = workers.queue
        well = 1.0 if not workers.failure_rate else 1.0 - float(workers.failure_rate ** self._most(queue))
        known = self.queues.get(queue)
        rates = self.arrivals.get(queue, self._nothing()) if known is None else known.finished
        return [rate * well / len(self._pools(queue)) for rate in rates]


def largest_group(groups: Groups) -> tuple[str, float]:
    """The group of a source that has the most of its events, and its share of them."""
    if isinstance(groups, GroupShares):
        group = max(groups.shares, key=lambda name: groups.shares[name])
    else:
        group = f"{getattr(groups, 'prefix', '')}1"  # of those that are numbered the first is the largest
    return group, groups.share(group)


def _sum(parts: Sequence[Rates]) -> list[float]:
    return [sum(values) for values in zip(*parts, strict=True)]


def _slowest(parts: Sequence[Rates]) -> list[float]:
    """How often all parts are done: at any time as often as the one that is the least far."""
    done = [min(values) for values in zip(*(list(accumulate(part)) for part in parts), strict=True)]
    return [after - before for before, after in pairwise([0.0, *done])]
