"""How large messages are, by what is declared: bodies are made only if somebody reads them, so a run knows none.

What a template's fields become is taken as a few bytes each. A queue, or a topic, has the largest of what is declared
to reach it.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from string import Formatter

from msgsim.bus.contents import attributes_bytes
from msgsim.bus.templates import literal
from msgsim.declare import check_number, plain
from msgsim.engine.actions import Action, Join, Publish, SendMessage
from msgsim.errors import BusError, DeclarationError, no_such
from msgsim.quotas import BILLED_CHUNK
from msgsim.scenario import Scenario

FIELD_BYTES = 16
"""What a `{field}` is taken to become [bytes]."""

ENVELOPE_BYTES = 1_000
"""What a topic wraps around a message that is not delivered raw: ids, signature and links (SNS-ENV-1) [bytes]."""

EVENT_BYTES = 3_000
"""An event of an outbox, as it is published [bytes]."""


def chunks(size: float) -> int:
    """The requests that a payload is billed as: one for each 64 KiB begun, and at least one (PRC-SQS-2).

    >>> chunks(0), chunks(65_536), chunks(65_537), chunks(1_048_576)
    (1, 1, 2, 16)
    """
    return max(1, ceil(size / BILLED_CHUNK.low))


class MessageSizes:
    """The sizes of a scenario's messages.

    Args:
        scenario: that they are of.
        given: instead of what is declared [bytes]: of all messages, or by the name of a traffic source, a topic or a
            queue.

    Raises:
        DeclarationError: no size, or of something that has none.
    """

    def __init__(self, scenario: Scenario, given: float | Mapping[str, float] | None = None) -> None:
        self._scenario = scenario
        known = [*scenario.traffic, *scenario.topics, *scenario.queues]
        given = plain(given)
        if given is not None and not isinstance(given, Mapping):
            check_number("message_bytes", given, unit="bytes")
            given = dict.fromkeys(known, given)
        self._given: dict[str, float] = {}
        for name, size in (given or {}).items():
            if name not in known:
                problem = no_such("traffic source, topic or queue", name, known)
                raise DeclarationError(f"message_bytes.{name}", problem)
            check_number(f"message_bytes.{name}", size, unit="bytes")
            self._given[name] = float(size)
        self._sizes: dict[str, float] = {}
        nodes = len(scenario.topics) + len(scenario.queues)
        for _ in range(nodes + 1):  # further than any way without a circle; round a circle with envelopes sizes grow
            before = dict(self._sizes)
            for target, size in self._flows():
                self._sizes[target] = max(size, self._sizes.get(target, 0.0))
            if self._sizes == before:
                break

    def of(self, name: str) -> float:
        """Of the messages of a traffic source, a topic or a queue [bytes]; 0 of one that nothing reaches."""
        if name in self._given:
            return self._given[name]
        if name in self._scenario.traffic:
            traffic = self._scenario.traffic[name]
            return _body_bytes(traffic.body) + _attributes_bytes(traffic.attributes)
        return self._sizes.get(name, 0.0)

    def delivered(self, topic: str, subscription: str) -> float:
        """Of what a subscription gets [bytes]."""
        raw = self._scenario.topics[topic].named()[subscription].raw
        return self.of(topic) + (0 if raw else ENVELOPE_BYTES)

    def _flows(self) -> Iterator[tuple[str, float]]:
        """Who gets what from whom, as far as it is known so far."""
        scenario = self._scenario
        for name, traffic in scenario.traffic.items():
            yield traffic.to, self.of(name)
        for workers in scenario.workers.values():
            yield from self._acted(workers.on_success, workers.queue)
        for outbox in scenario.outboxes.values():
            for declared in outbox.configuration_sets.values():
                yield from ((destination.topic, EVENT_BYTES) for destination in declared.events)
        for name, topic in scenario.topics.items():
            for key, subscription in topic.named().items():
                size = self.delivered(name, key)
                if subscription.protocol == "sqs":
                    yield subscription.endpoint, size
                if subscription.redrive is not None:
                    yield subscription.redrive, size
        for name, queue in scenario.queues.items():
            if queue.redrive is not None:
                yield queue.redrive.to, self.of(name)

    def _acted(self, actions: Sequence[Action], queue: str) -> Iterator[tuple[str, float]]:
        for action in actions:
            if isinstance(action, Join):
                yield from self._acted(self._scenario.joins()[action.name].then, queue)
            elif isinstance(action, (SendMessage, Publish)):
                target = action.queue if isinstance(action, SendMessage) else action.topic
                own = self.of(queue)
                size = own if action.body is None else _body_bytes(action.body, own)
                yield target, size + _attributes_bytes(action.attributes)


def _body_bytes(body: str, named: float = 0.0) -> float:
    """A template's literal text and what its fields become; `named` is the size of the body that it may name."""
    fields = [field for _, field, _, _ in Formatter().parse(body) if field is not None]
    return len(literal(body).encode()) + sum(named if field == "body" else FIELD_BYTES for field in fields)


def _attributes_bytes(attributes: Mapping[str, object] | None) -> float:
    try:
        return attributes_bytes({**attributes}) if attributes else 0.0
    except BusError:  # a topic takes some that a queue does not
        return float(sum(len(name.encode()) + len(str(value).encode()) for name, value in (attributes or {}).items()))
