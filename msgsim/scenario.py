"""Scenario: everything that takes part in a run, declared, and checked as a whole."""

import re
from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import Any

import attrs

from msgsim.bus.drafts import problem_at_queue, problem_at_topic
from msgsim.bus.message import COUNTER_BITS, EPOCH, id_base
from msgsim.bus.outbox import Outbox
from msgsim.bus.queue import Queue, check_dead_letter_queue
from msgsim.bus.topic import FIFO_DEAD, NO_FIFO, Subscription, Topic
from msgsim.declare import CALENDAR, HOUR, LAST_SECOND, check_number, choice, copied, number, text
from msgsim.engine.actions import Action, Join, Publish, PutSuppressedDestination, SendEmail, SendMessage
from msgsim.engine.curves import Sum
from msgsim.engine.flows import Flows
from msgsim.engine.traffic import Traffic
from msgsim.engine.workers import SHORTEST, Workers
from msgsim.errors import DeclarationError, UnknownName, no_such
from msgsim.quotas import MAX_MESSAGES, PUBLISHED, SETS, WAIT_TIME

SECTIONS: dict[str, type] = {
    "topics": Topic,
    "queues": Queue,
    "outboxes": Outbox,
    "traffic": Traffic,
    "workers": Workers,
}
"""The parts of a scenario and the class of their members."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
_ALLOWED = "1 to 80 letters, digits, '-' and '_'"


def _section(kind: type) -> Any:
    def validate(_owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
        if not isinstance(value, dict):
            raise DeclarationError(attribute.name, f"{value!r} is not a table of names and {kind.__name__}")
        for name, member in value.items():
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise DeclarationError(attribute.name, f"{name!r} is not a name; allowed: {_ALLOWED} (SQS-Q-1)")
            if not isinstance(member, kind):
                raise DeclarationError(f"{attribute.name}.{name}", f"{member!r} is not a {kind.__name__}")

    return attrs.field(factory=dict, converter=copied, validator=validate)


@attrs.frozen(kw_only=True)
class Scenario:
    """A message bus with its traffic and workers.

    Members refer to each other by name; names are unique over all sections.

    Attributes:
        title: one line.
        description: what it shows.
        horizon: how long a run lasts unless it says otherwise [s].
        warm_up: what happens before is left out of means and quantiles, unless a run says otherwise [s].
        epoch: time 0 in seconds since 1970.
        quotas: which limits hold for queues that do not say: "published", or "relaxed" to ask what would be if they
            were raised. Values beyond the published bounds need it at the queue, or the pool, itself.
        region: such as "eu-west-1": its topics share the number of messages per second that an account may publish
            there (SNS-QUO-1). What is published above that is dropped; a Publish is refused. None for no limit.
        publish_rate: instead of the Region's quota, for standard topics and for FIFO topics each [messages/s].
        topics, queues, outboxes, traffic, workers: by name.

    Raises:
        DeclarationError: with the path of what is wrong and what is allowed.
    """

    title: str = text("")
    description: str = text("")
    horizon: float = number(HOUR, above=True, unit="s")
    warm_up: float = number(0.0, unit="s")
    epoch: float = number(EPOCH, unit="s since 1970")
    quotas: str = choice(PUBLISHED, SETS)
    region: str | None = text(None, optional=True, empty=False)
    publish_rate: int | None = number(None, low=1, unit="messages/s", rule="SNS-QUO-1", integer=True, optional=True)
    topics: Mapping[str, Topic] = _section(Topic)
    queues: Mapping[str, Queue] = _section(Queue)
    outboxes: Mapping[str, Outbox] = _section(Outbox)
    traffic: Mapping[str, Traffic] = _section(Traffic)
    workers: Mapping[str, Workers] = _section(Workers)

    def __attrs_post_init__(self) -> None:
        if self.region is not None and not _REGION.fullmatch(self.region):
            raise DeclarationError("Scenario.region", f"{self.region!r} is no Region; allowed: names like 'eu-west-1'")
        self._check_names()
        self._check_references()
        self._check_destinations()
        self._check_redrives()
        self.joins()
        self._check_groups()
        self._check_messages()
        for name, queue in self.queues.items():
            self.check_returns(name, queue)
        self._check_circles()
        most = LAST_SECOND - min(self.horizon, LAST_SECOND)
        check_number("Scenario.horizon", self.horizon, above=True, high=LAST_SECOND, unit="s", rule=CALENDAR)
        check_number("Scenario.epoch", self.epoch, high=most, unit="s since 1970", rule=f"with the horizon {CALENDAR}")

    def to_toml(self) -> str:
        """The scenario as a TOML text that `from_toml` reads back as an equal scenario.

        Raises:
            DeclarationError: a pool has a Python function as its handler, which a file cannot hold.
        """
        from msgsim.files import to_toml  # noqa: PLC0415 - an edge, loaded when it is used

        return to_toml(self)

    @staticmethod
    def from_toml(source: str) -> "Scenario":
        """Read a TOML text.

        Raises:
            DeclarationError: not TOML, an unknown key, or a value that is not allowed; says where.
        """
        from msgsim.files import from_toml  # noqa: PLC0415 - as above

        return from_toml(source)

    def vary(self, path: str, value: Any) -> "Scenario":
        """The same with another value at a path, such as `workers.mailers.count` or `traffic.shop.rate.1.height`.

        Raises:
            UnknownName: the path does not exist; says what does at that place.
            DeclarationError: the value is not allowed there.
        """
        if not isinstance(path, str):
            raise DeclarationError("path", f"{path!r} is not a text such as workers.mailers.count")
        try:
            varied: Scenario = _replaced(self, path.split("."), value, "")
        except DeclarationError as error:
            if error.path.split(".", maxsplit=1)[0][:1].isupper():
                raise DeclarationError(path, error.problem) from None
            raise
        return varied

    def joins(self) -> dict[str, Join]:
        """The joins by name, each as the pool declares it that says what it is.

        Raises:
            DeclarationError: declared twice differently or not at all, or a part does not take part.
        """
        full: dict[str, Join] = {}
        users: dict[str, list[str]] = {}
        for pool, workers in self.workers.items():
            for position, action in enumerate(workers.on_success):
                if not isinstance(action, Join):
                    continue
                path = f"workers.{pool}.on_success.{position}"
                self._check_join_name(action.name, f"{path}.name")
                users.setdefault(action.name, []).append(pool)
                if action.parts and full.setdefault(action.name, action) != action:
                    raise DeclarationError(path, f"join {action.name!r} is declared differently in another pool")
        for name, pools in users.items():
            if name not in full:
                raise DeclarationError(
                    f"workers.{pools[0]}.on_success",
                    f"no pool says what join {name!r} is: give its parts and then once",
                )
            missing = [part for part in full[name].parts if part not in pools]
            extra = [pool for pool in pools if pool not in full[name].parts]
            if missing or extra or len(pools) != len(set(pools)):
                raise DeclarationError(
                    f"workers.{(extra or pools)[0]}.on_success",
                    f"the parts of join {name!r} are {', '.join(full[name].parts)}; it stands in on_success of "
                    f"{', '.join(pools)}: each part, and no other pool, must have it once",
                )
        return full

    def entities(self) -> dict[str, str]:
        """Everything that has metrics: name and kind, in the order of a report."""
        kinds = dict.fromkeys(self.traffic, "traffic")
        for name, topic in self.topics.items():
            kinds[name] = "topic"
            kinds.update({f"{name}/{key}": "subscription" for key in topic.named()})
        kinds.update(dict.fromkeys(self.queues, "queue"))
        kinds.update(dict.fromkeys(self.workers, "pool"))
        kinds.update(dict.fromkeys(self.joins(), "join"))
        kinds.update(dict.fromkeys(self.outboxes, "outbox"))
        return kinds

    def flows(self) -> Flows:
        """Which queues messages with and without groups can reach."""
        return Flows(self.topics, self.queues, self.outboxes, self.traffic, self.workers, self.joins())

    def _check_names(self) -> None:
        seen: dict[str, str] = {}
        bases: dict[int, str] = {}
        for section in SECTIONS:
            for name in getattr(self, section):
                if name in seen:
                    raise DeclarationError(
                        f"{section}.{name}", f"{seen[name]}.{name} has that name already; names are unique over all"
                    )
                seen[name] = section
                other = bases.setdefault(id_base(name) >> COUNTER_BITS, name)
                if other != name:  # pragma: no cover - 1 in 2**28 per pair
                    raise DeclarationError(f"{section}.{name}", f"its ids would collide with {other!r}'s: rename one")

    def _check_join_name(self, name: str, path: str) -> None:
        if not _NAME.fullmatch(name):
            raise DeclarationError(path, f"{name!r} is not a name; allowed: {_ALLOWED}")
        for section in SECTIONS:
            if name in getattr(self, section):
                raise DeclarationError(path, f"{section}.{name} has that name already; names are unique over all")

    def _check_references(self) -> None:
        for name, topic in self.topics.items():
            for position, subscription in enumerate(topic.subscriptions):
                self._check_subscription(subscription, topic, f"topics.{name}.subscriptions.{position}")
        for name, queue in self.queues.items():
            if queue.redrive is not None:
                path = f"queues.{name}.redrive.to"
                self._find("queue", queue.redrive.to, path)
                check_dead_letter_queue(queue, name, self.queues[queue.redrive.to], path)
        for name, traffic in self.traffic.items():
            if traffic.to not in self.topics:
                known = {**self.topics, **self.queues}
                if traffic.to not in known:
                    raise DeclarationError(f"traffic.{name}.to", no_such("topic or queue", traffic.to, known))
                if traffic.subject is not None:
                    raise DeclarationError(f"traffic.{name}.subject", f"{traffic.to!r} is a queue; it takes no subject")
        for name, workers in self.workers.items():
            self._find("queue", workers.queue, f"workers.{name}.queue")
            quotas = self.queues[workers.queue].quotas or self.quotas
            MAX_MESSAGES.under(quotas).check(f"workers.{name}.batch_size", workers.batch_size)
            WAIT_TIME.under(quotas).check(f"workers.{name}.wait_time", workers.wait_time)
            self.check_actions(workers.on_success, f"workers.{name}.on_success")

    def _check_subscription(self, subscription: Subscription, topic: Topic, path: str) -> None:
        """Its queues are there, and of kinds that go together (SNS-SUB-5, SNS-DLQ-1)."""
        endpoint, redrive = subscription.endpoint, subscription.redrive
        if subscription.protocol == "sqs":
            self._find("queue", endpoint, f"{path}.endpoint")
            if self.queues[endpoint].fifo and not topic.fifo:
                raise DeclarationError(f"{path}.endpoint", f"{endpoint!r}: {NO_FIFO}")
        if redrive is not None:
            self._find("queue", redrive, f"{path}.redrive")
            is_fifo = self.queues[redrive].fifo
            if is_fifo and not topic.fifo:
                problem = f"{redrive!r} is a FIFO queue; a standard topic needs a standard one (SNS-DLQ-1)"
                raise DeclarationError(f"{path}.redrive", problem)
            if topic.fifo and self.queues[endpoint].fifo and not is_fifo:
                raise DeclarationError(f"{path}.redrive", f"{redrive!r}: {FIFO_DEAD} (SNS-DLQ-1)")

    def _check_destinations(self) -> None:
        """The events of outboxes go to topics that are there (SES-SND-10)."""
        for name, outbox in self.outboxes.items():
            for each, declared in outbox.configuration_sets.items():
                for position, destination in enumerate(declared.events):
                    path = f"outboxes.{name}.configuration_sets.{each}.events.{position}.topic"
                    self._find("topic", destination.topic, path)

    def check_actions(self, actions: Sequence[Action], path: str) -> None:
        """Check that what actions name is there.

        Raises:
            DeclarationError: it is not; says which name at which path.
        """
        for position, action in enumerate(actions):
            here = f"{path}.{position}"
            if isinstance(action, SendEmail):
                self._find("outbox", action.outbox, f"{here}.outbox")
                self._check_terms(action, here)
            elif isinstance(action, PutSuppressedDestination):
                self._find("outbox", action.outbox, f"{here}.outbox")
                self._check_tenant(action.outbox, action.tenant, here)
                if self.outboxes[action.outbox].sandbox:
                    problem = f"{action.outbox!r} is in the sandbox, which lets nobody suppress addresses (SES-SUP-5)"
                    raise DeclarationError(f"{here}.outbox", problem)
            elif isinstance(action, Publish):
                self._find("topic", action.topic, f"{here}.topic")
                if action.deduplication_id is not None and not self.topics[action.topic].fifo:
                    problem = f"{action.topic!r} is a standard topic; it takes none (SNS-PUB-7)"
                    raise DeclarationError(f"{here}.deduplication_id", problem)
            elif isinstance(action, SendMessage):
                self._find("queue", action.queue, f"{here}.queue")
                self._check_send(action, here)
            elif isinstance(action, Join):
                for place, part in enumerate(action.parts):
                    self._find("worker pool", part, f"{here}.parts.{place}")
                self.check_actions(action.then, f"{here}.then")

    def _check_terms(self, action: SendEmail, path: str) -> None:
        sets = self.outboxes[action.outbox].configuration_sets
        if action.configuration_set is not None and action.configuration_set not in sets:
            problem = no_such(f"configuration set of {action.outbox!r}", action.configuration_set, sets)
            raise DeclarationError(f"{path}.configuration_set", problem)
        templates = self.outboxes[action.outbox].templates
        if action.template is not None and action.template not in templates:
            problem = no_such(f"template of {action.outbox!r}", action.template, templates)
            raise DeclarationError(f"{path}.template", problem)
        self._check_tenant(action.outbox, action.tenant, path)

    def _check_tenant(self, outbox: str, tenant: str | None, path: str) -> None:
        tenants = self.outboxes[outbox].tenants
        if tenant is not None and tenant not in tenants:
            raise DeclarationError(f"{path}.tenant", no_such(f"tenant of {outbox!r}", tenant, tenants))

    def check_returns(self, name: str, queue: Queue) -> None:
        """Check that a message does not come back in the very moment in which it is handled.

        It would be received again and again in no time: that takes a visibility timeout, or work that can be expected
        to last.

        Args:
            name: of a queue of this scenario.
            queue: as it is, or is going to be.

        Raises:
            DeclarationError: it would.
        """
        if queue.visibility_timeout >= SHORTEST:
            return
        for pool, workers in self.workers.items():
            if workers.queue != name or queue.visibility_timeout + workers.service_time.mean >= SHORTEST:
                continue
            problem = (
                f"{queue.visibility_timeout!r} is not allowed with the work of {pool!r}, which takes "
                f"{workers.service_time.mean:g} s: a message would be received again in no time; allowed: together "
                f"{SHORTEST} [s] or more"
            )
            raise DeclarationError(f"queues.{name}.visibility_timeout", problem)

    def _check_circles(self) -> None:
        """Check that no message is sent in a circle in no time: by workers without a service time, without a delay."""
        sends: dict[str, list[tuple[str, str]]] = {}
        for name, workers in self.workers.items():
            if workers.handler is not None or workers.service_time.mean:
                continue
            for action, path in self._placed(workers.on_success, f"workers.{name}.on_success"):
                targets = [queue for queue in self._sent_at_once(action) if not self.queues[queue].delay]
                sends.setdefault(workers.queue, []).extend((queue, path) for queue in targets)
        for start, first_sends in sends.items():
            reached = {start}
            edges = [(queue, path, path) for queue, path in first_sends]
            while edges:
                queue, path, first = edges.pop()
                if queue == start:
                    problem = (
                        f"messages of {start!r} would go in a circle in no time, for ever; allowed: a delay, or work"
                    )
                    raise DeclarationError(first, problem)
                if queue not in reached:
                    reached.add(queue)
                    edges += [(after, where, first) for after, where in sends.get(queue, ())]

    def _sent_at_once(self, action: Action) -> Iterator[str]:
        """The queues that certainly get a message of an action at the instant at which it is done."""
        if isinstance(action, SendMessage):
            if not action.delay:
                yield action.queue
        elif isinstance(action, Publish):
            yield from self._fanned_out_at_once(action.topic)
        elif isinstance(action, SendEmail):
            outbox = self.outboxes[action.outbox]
            name = action.configuration_set or outbox.configuration_set
            if name is None or outbox.send_rate is not None or outbox.daily_quota < inf:
                return
            kinds = ("Send",) if outbox.delivery_delay else ("Send", "Delivery")
            for destination in outbox.configuration_sets[name].events:
                if action.template is not None and not destination.wants("Rendering Failure"):
                    continue
                if destination.delay is None and any(map(destination.wants, kinds)):
                    yield from self._fanned_out_at_once(destination.topic)

    def _fanned_out_at_once(self, topic: str) -> Iterator[str]:
        for subscription in self.topics[topic].subscriptions:
            unsure = (subscription.delivery_delay, subscription.server, subscription.failure_rate or None)
            at_once = all(each is None for each in unsure)
            if subscription.protocol == "sqs" and subscription.filter_policy is None and at_once:
                yield subscription.endpoint

    def _check_send(self, action: SendMessage, path: str) -> None:
        if self.queues[action.queue].fifo:
            if action.delay:
                problem = f"{action.queue!r} is a FIFO queue; it takes no delay of a message's own (FIFO-SND-4)"
                raise DeclarationError(f"{path}.delay", problem)
        elif action.deduplication_id is not None:
            problem = f"{action.queue!r} is a standard queue; it takes none (SQS-SND-8)"
            raise DeclarationError(f"{path}.deduplication_id", problem)

    def _check_groups(self) -> None:
        """Whatever goes to a FIFO queue has a group (FIFO-SND-1), and only that may have an id for deduplication."""
        for name, traffic in self.traffic.items():
            kind, fifo = self._kind_of(traffic.to)
            if fifo and traffic.groups is None:
                rule = "FIFO-SND-1" if kind == "queue" else "SNS-PUB-6"
                problem = f"is missing; {traffic.to!r} is a FIFO {kind}, where each message has a group ({rule})"
                raise DeclarationError(f"traffic.{name}.groups", problem)
            if not fifo and traffic.deduplication_id is not None:
                problem = f"{traffic.to!r} is no FIFO {kind}; it takes none (SQS-SND-8, SNS-PUB-7)"
                raise DeclarationError(f"traffic.{name}.deduplication_id", problem)
        ungrouped = self.flows().ungrouped
        for name, workers in self.workers.items():
            if workers.queue not in ungrouped:
                continue
            for action, path in self._placed(workers.on_success, f"workers.{name}.on_success"):
                if not isinstance(action, (SendMessage, Publish)) or action.group_id is not None:
                    continue
                target = action.queue if isinstance(action, SendMessage) else action.topic
                kind, fifo = self._kind_of(target)
                if fifo:
                    rule = "FIFO-SND-1" if kind == "queue" else "SNS-PUB-6"
                    problem = (
                        f"is missing; {target!r} is a FIFO {kind}, where each message has a group, and those of "
                        f"{workers.queue!r} may have none to pass on ({rule})"
                    )
                    raise DeclarationError(f"{path}.group_id", problem)

    def _kind_of(self, target: str) -> tuple[str, bool]:
        """Whether a target is a queue or a topic, and whether it is FIFO."""
        if target in self.topics:
            return "topic", self.topics[target].fifo
        return "queue", self.queues[target].fifo

    def _placed(self, actions: Sequence[Action], path: str) -> Iterator[tuple[Action, str]]:
        """Actions and where they are declared, those of joins included."""
        for position, action in enumerate(actions):
            here = f"{path}.{position}"
            yield action, here
            if isinstance(action, Join):
                yield from self._placed(self.joins()[action.name].then, f"{here}.then")

    def _check_messages(self) -> None:
        """What is sent is something that its target, or a queue that is subscribed to it, can take."""
        queues = {name: queue.under(self.quotas) for name, queue in self.queues.items()}
        for name, traffic in self.traffic.items():
            self._check_message(traffic.to, traffic.body, traffic.attributes or {}, queues, f"traffic.{name}")
        for name, workers in self.workers.items():
            for action, path in self._placed(workers.on_success, f"workers.{name}.on_success"):
                if isinstance(action, (SendMessage, Publish)):
                    target = action.queue if isinstance(action, SendMessage) else action.topic
                    self._check_message(target, action.body, action.attributes, queues, path)

    def _check_message(
        self, target: str, body: str | None, given: Mapping[str, Any] | None, queues: Mapping[str, Queue], path: str
    ) -> None:
        if target in self.topics:
            found = problem_at_topic(body, given, self.topics[target], target, queues)
        else:
            found = problem_at_queue(body, given, queues[target], target)
        if found is not None:
            field, problem = found
            raise DeclarationError(f"{path}.{field}", problem)

    def _find(self, what: str, name: str, path: str) -> None:
        sections = {"queue": self.queues, "topic": self.topics, "outbox": self.outboxes, "worker pool": self.workers}
        if name not in sections[what]:
            raise DeclarationError(path, no_such(what, name, sections[what]))

    def _check_redrives(self) -> None:
        for name, start in self.queues.items():
            chain = [name]
            queue = start
            while queue.redrive is not None:
                chain.append(queue.redrive.to)
                if queue.redrive.to == name:
                    raise DeclarationError(
                        f"queues.{name}.redrive.to", f"dead letters would go in a circle: {' -> '.join(chain)}"
                    )
                if chain.count(queue.redrive.to) > 1:
                    break  # a circle further on; its own members report it
                queue = self.queues[queue.redrive.to]


def _replaced(owner: Any, path: list[str], value: Any, walked: str) -> Any:
    """A copy of `owner` with another value at `path`."""
    step, rest = path[0], path[1:]
    here = f"{walked}.{step}" if walked else step
    if isinstance(owner, Sum):
        terms = _replaced(owner.terms, path, value, walked)
        return attrs.evolve(owner, terms=terms)
    if isinstance(owner, Mapping):
        if step not in owner and (rest or not _open(walked)):
            raise UnknownName.among(f"{walked or 'path'} entry", step, owner)
        return {**owner, step: _replaced(owner[step], rest, value, here) if rest else value}
    if isinstance(owner, (list, tuple)):
        if not step.isdecimal() or int(step) >= len(owner):
            positions = f"has the positions 0 to {len(owner) - 1}" if owner else "is empty"
            raise UnknownName(f"{walked} {positions}; there is no {step!r}")
        place = int(step)
        item = _replaced(owner[place], rest, value, here) if rest else value
        return type(owner)((*owner[:place], item, *owner[place + 1 :]))
    if not attrs.has(type(owner)):
        raise UnknownName(f"{walked} is {owner!r}; it has nothing named {step!r}")
    fields = {field.name for field in attrs.fields(type(owner)) if field.init}
    if step not in fields:
        raise UnknownName.among(f"field of {walked or 'the scenario'}", step, fields)
    item = _replaced(getattr(owner, step), rest, value, here) if rest else value
    try:
        return attrs.evolve(owner, **{step: item})
    except DeclarationError as error:
        head, _, tail = error.path.partition(".")
        if head == type(owner).__name__:
            raise DeclarationError(f"{walked}.{tail}" if walked else tail, error.problem) from None
        raise


def _open(path: str) -> bool:
    """Whether a table may get new keys: attributes and filter policies, not the sections of a scenario."""
    return path.endswith((".attributes", ".filter_policy"))
