"""Which queues of a scenario messages with and without groups can reach, by what is declared."""

from collections.abc import Iterable, Iterator, Mapping

from msgsim.bus.outbox import Outbox
from msgsim.bus.queue import Queue
from msgsim.bus.topic import Topic
from msgsim.engine.actions import Action, Join, Publish, SendMessage
from msgsim.engine.traffic import Traffic
from msgsim.engine.workers import Workers


class Flows:
    """Where messages go. What handlers return and users do is not declared, so it is not known here.

    Args:
        topics, queues, outboxes, traffic, workers: of a scenario, by name; what they name is there.
        joins: actions of the joins, by the pools that are their parts.

    Attributes:
        grouped: queues that messages with a group can reach.
        ungrouped: queues that messages without one can reach.
    """

    def __init__(
        self,
        topics: Mapping[str, Topic],
        queues: Mapping[str, Queue],
        outboxes: Mapping[str, Outbox],
        traffic: Mapping[str, Traffic],
        workers: Mapping[str, Workers],
        joins: Mapping[str, Join],
    ) -> None:
        self._topics = topics
        passes: dict[str, set[str]] = {name: set() for name in queues}
        starts: dict[bool, set[str]] = {True: set(), False: set()}
        for source in traffic.values():
            starts[source.groups is not None].update(self._reached(source.to))
        for outbox in outboxes.values():
            for each in outbox.configuration_sets.values():
                for destination in each.events:
                    starts[False].update(self._reached(destination.topic))
        for name, queue in queues.items():
            if queue.redrive is not None:
                passes[name].add(queue.redrive.to)
        for pool in workers.values():
            for action in flattened(pool.on_success, joins):
                if action.group_id is not None:
                    starts[True].update(self._reached(_target(action)))
                else:
                    passes[pool.queue].update(self._reached(_target(action)))
        self.grouped = _closure(starts[True], passes)
        self.ungrouped = _closure(starts[False], passes)

    def _reached(self, target: str) -> Iterator[str]:
        """The queues that a send or a publish can reach."""
        if target not in self._topics:
            yield target
            return
        for subscription in self._topics[target].subscriptions:
            if subscription.protocol == "sqs":
                yield subscription.endpoint
            if subscription.redrive is not None:
                yield subscription.redrive


def flattened(actions: Iterable[Action], joins: Mapping[str, Join]) -> Iterator[SendMessage | Publish]:
    """The sends and publishes among some actions, those of the joins that they may complete included."""
    for action in actions:
        if isinstance(action, Join):
            yield from flattened(joins[action.name].then, joins)
        elif isinstance(action, (SendMessage, Publish)):
            yield action


def _target(action: SendMessage | Publish) -> str:
    return action.queue if isinstance(action, SendMessage) else action.topic


def _closure(starts: set[str], passes: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    ahead = sorted(starts)
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += sorted(passes[name])
    return found
