"""Triggers: what a scenario declares that disturbs its queues for a while, and what each of them can reach."""

from collections.abc import Iterable, Iterator
from math import inf, nextafter

import attrs

from msgsim.bus.filters import MESSAGE_ATTRIBUTES, compile_policy
from msgsim.bus.server import Outage
from msgsim.bus.topic import Subscription
from msgsim.engine.actions import Action, Join, Publish, SendEmail, SendMessage
from msgsim.engine.curves import Ramp, RateCurve, Spike, Steps, Sum
from msgsim.engine.traffic import Traffic
from msgsim.scenario import Scenario

MORE, FEWER = 1, -1
"""Which way a curve is disturbed: more traffic, fewer workers."""


MOST_REPEATS = 10_000
"""What is repeated more often is one trigger, which goes on."""


@attrs.frozen(kw_only=True)
class Trigger:
    """Something that disturbs a system, from `start` to `end` [s].

    Attributes:
        start: when it begins [s].
        end: when it is gone [s]; the end of the run, if it goes on. Of a change for good: when that is complete.
        paths: of what declares it, such as `traffic.shop.rate.1`; several where they overlap. Empty if it was given.
        lasting: whether anything of it is a change for good: a ramp, or a step that is not taken back.
    """

    start: float
    end: float
    paths: tuple[str, ...] = ()
    lasting: bool = False

    def __str__(self) -> str:
        return f"{' + '.join(self.paths) or 'given'}, {self.start:g} to {self.end:g} s"


class Reach:
    """What in a scenario passes on to what, by what is declared: what handlers return is not known.

    Args:
        scenario: of which.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._joins = scenario.joins()
        self._next: dict[str, list[str]] = {}
        for name, topic in scenario.topics.items():
            named = topic.named()
            self._next[name] = [f"{name}/{key}" for key in named]
            for key, subscription in named.items():
                self._next[f"{name}/{key}"] = _endpoints(subscription)
        for name, queue in scenario.queues.items():
            self._next[name] = [] if queue.redrive is None else [queue.redrive.to]
        for pool in scenario.workers.values():
            self._next[pool.queue] += [target for action in pool.on_success for target in self.targets(action)]
        for name, outbox in scenario.outboxes.items():
            sets = outbox.configuration_sets.values()
            self._next[name] = [destination.topic for each in sets for destination in each.events]

    def of_traffic(self, traffic: Traffic) -> set[str]:
        """The entities that events of a source can reach; of its topic's subscriptions, those that let them pass."""
        topic = self._scenario.topics.get(traffic.to)
        if topic is None:
            return self.after(traffic.to)
        passed = [key for key, subscription in topic.named().items() if _passes(traffic, subscription)]
        return {traffic.to}.union(*[self.after(f"{traffic.to}/{key}") for key in passed])

    def after(self, start: str) -> set[str]:
        """An entity and all that its messages can reach."""
        reached = {start}
        ahead = [start]
        while ahead:
            for target in self._next[ahead.pop()]:
                if target not in reached:
                    reached.add(target)
                    ahead.append(target)
        return reached

    def targets(self, action: Action) -> Iterator[str]:
        """The entities to which an action passes something on."""
        if isinstance(action, SendEmail):
            yield action.outbox
        elif isinstance(action, Publish):
            yield action.topic
        elif isinstance(action, SendMessage):
            yield action.queue
        elif isinstance(action, Join):
            for each in self._joins[action.name].then:
                yield from self.targets(each)


def triggers(scenario: Scenario, until: float) -> dict[str, list[Trigger]]:
    """The triggers of each entity that has any, ascending; those that overlap or touch are one.

    Of traffic that can reach the entity: spikes, with three time constants of their decay; steps up, until the rate is
    what it was or less; ramps up. Of the workers on the way to it: the same downwards. Of what answers on the way to
    it: outages. Changes for good are over when they are complete; what holds from time 0 on is no change.

    Args:
        scenario: of which.
        until: of those that begin before it [s]; infinite for the first of each that repeats.

    Cost: O(scenario), and O(triggers).
    """
    reach = Reach(scenario)
    found: dict[str, list[Trigger]] = {}

    def add(reached: Iterable[str], some: Iterable[Trigger]) -> None:
        begun = [each for each in some if each.start < until]
        for entity in reached if begun else ():
            found.setdefault(entity, []).extend(begun)

    for name, traffic in scenario.traffic.items():
        disturbed = list(_of_curve(traffic.rate, f"traffic.{name}.rate", until, MORE))
        add(reach.of_traffic(traffic) if disturbed else (), disturbed)
    for name, pool in scenario.workers.items():
        if isinstance(pool.count, RateCurve):
            add(reach.after(pool.queue), _of_curve(pool.count, f"workers.{name}.count", until, FEWER))
    for name, topic in scenario.topics.items():
        for place, (key, subscription) in enumerate(topic.named().items()):
            for position, outage in enumerate(() if subscription.server is None else subscription.server.outages):
                path = f"topics.{name}.subscriptions.{place}.server.outages.{position}"
                windows = _windows(outage, outage.at, outage.every, until)
                add({name, *reach.after(f"{name}/{key}")}, _spans(windows, path, until))
    for name, outbox in scenario.outboxes.items():
        for place, receiver in enumerate(outbox.receivers):
            for position, window in enumerate(receiver.outages):
                path = f"outboxes.{name}.receivers.{place}.outages.{position}"
                add(reach.after(name), _spans([window], path, until))
    return {name: _merged(found[name]) for name in scenario.entities() if name in found}


def without_triggers(scenario: Scenario) -> Scenario:
    """The same without what disturbs it for a while; changes for good remain."""
    traffic = {name: attrs.evolve(each, rate=_calm(each.rate, MORE)) for name, each in scenario.traffic.items()}
    workers = {
        name: attrs.evolve(each, count=_calm(each.count, FEWER)) if isinstance(each.count, RateCurve) else each
        for name, each in scenario.workers.items()
    }
    topics = {
        name: attrs.evolve(topic, subscriptions=[_reliable(each) for each in topic.subscriptions])
        for name, topic in scenario.topics.items()
    }
    outboxes = {
        name: attrs.evolve(outbox, receivers=[attrs.evolve(each, outages=()) for each in outbox.receivers])
        for name, outbox in scenario.outboxes.items()
    }
    return attrs.evolve(scenario, traffic=traffic, workers=workers, topics=topics, outboxes=outboxes)


def _reliable(subscription: Subscription) -> Subscription:
    if subscription.server is None:
        return subscription
    return attrs.evolve(subscription, server=attrs.evolve(subscription.server, outages=()))


def _calm(curve: RateCurve, way: int) -> RateCurve:
    if isinstance(curve, Sum):
        return Sum(tuple(_calm(term, way) for term in curve.terms))
    if isinstance(curve, Spike) and way == MORE:
        return curve * 0
    if isinstance(curve, Steps):
        passing = [(start, end, base) for start, end, base, lasting in _excursions(curve, way) if not lasting]
        levels = [
            (time, next((base for start, end, base in passing if start <= time < end), rate))
            for time, rate in curve.steps
        ]
        return Steps(levels)
    return curve


def _endpoints(subscription: Subscription) -> list[str]:
    queue = subscription.endpoint if subscription.protocol == "sqs" else None
    return [each for each in (queue, subscription.redrive) if each is not None]


def _passes(traffic: Traffic, subscription: Subscription) -> bool:
    """Whether the attributes of a source's events, which are all the same, pass; bodies are thought to."""
    policy = subscription.filter_policy
    if policy is None or subscription.filter_scope != MESSAGE_ATTRIBUTES:
        return True
    return bool(compile_policy(policy)(traffic.attributes))


def _of_curve(curve: RateCurve, path: str, until: float, way: int) -> Iterator[Trigger]:
    if isinstance(curve, Sum):
        for position, term in enumerate(curve.terms):
            yield from _of_curve(term, f"{path}.{position}", until, way)
    elif isinstance(curve, Ramp):
        if way * (curve.to_rate - curve.from_rate) > 0 and curve.start > 0:
            yield Trigger(start=curve.start, end=min(curve.end, until), paths=(path,), lasting=True)
    elif isinstance(curve, Steps):
        for start, end, _, lasting in _excursions(curve, way):
            yield Trigger(start=start, end=min(end, until), paths=(path,), lasting=lasting)
    elif way == MORE:
        every = curve.every if isinstance(curve, Spike) else None
        yield from _spans(_windows(curve, curve.next_breakpoint(-1.0), every, until), path, until)


def _windows(source: RateCurve | Outage, at: float, every: float | None, until: float) -> list[tuple[float, float]]:
    """The stretches before an instant, or the first for an infinite one, of what begins at one and may repeat."""
    if at == inf:
        return []
    last = nextafter(at, inf) if until == inf else until
    if every is not None and last - at > MOST_REPEATS * every:
        return [(at, last)]
    return source.windows(0.0, last) if isinstance(source, RateCurve) else source.windows(last)


def _spans(windows: Iterable[tuple[float, float]], path: str, until: float) -> Iterator[Trigger]:
    for start, end in windows:
        yield Trigger(start=start, end=min(end, until), paths=(path,))


def _excursions(curve: Steps, way: int) -> Iterator[tuple[float, float, float, bool]]:
    """Start, end, the level before, and whether it is for good, of each stretch on one side of the level before it."""
    begun: float | None = None
    level = base = turned = 0.0
    for time, rate in curve.steps:
        rises = way * (rate - level) > 0
        if begun is None:
            if rises and time > 0:
                begun, base, turned = time, level, time
        elif way * (rate - base) <= 0:
            yield begun, time, base, False
            begun = None
        elif rises:
            turned = time
        level = rate
    if begun is not None:
        yield begun, turned, base, True


def _merged(some: Iterable[Trigger]) -> list[Trigger]:
    merged: list[Trigger] = []
    for each in sorted(some, key=lambda trigger: (trigger.start, trigger.end)):
        if merged and each.start <= merged[-1].end:
            last = merged[-1]
            paths = tuple(dict.fromkeys(last.paths + each.paths))
            end, lasting = max(last.end, each.end), last.lasting or each.lasting
            merged[-1] = attrs.evolve(last, end=end, paths=paths, lasting=lasting)
        else:
            merged.append(each)
    return merged
