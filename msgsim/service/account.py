"""An account: what is live in it, and the names that its services give these things."""

import re
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from math import floor, inf
from typing import Any, TypeAlias

from msgsim.bus.email_events import FEEDBACK, EmailEvent, EventSource, IdentityFeedback
from msgsim.bus.event_destinations import EventPublisher
from msgsim.bus.fifo import FifoQueue
from msgsim.bus.fifo_topic import FifoFanout
from msgsim.bus.message import EPOCH, Content
from msgsim.bus.moves import MoveTask
from msgsim.bus.notifications import subscription_arn
from msgsim.bus.outbox import Outbox, SendingAccount
from msgsim.bus.publish_quota import PublishQuota
from msgsim.bus.queue import Queue, check_fields
from msgsim.bus.sms import SmsSender
from msgsim.bus.standard import StandardQueue
from msgsim.bus.topic import Topic, TopicFanout
from msgsim.declare import check_epoch, check_flag, check_now
from msgsim.distributions import Uniforms
from msgsim.errors import DeclarationError, InvalidParameterValue
from msgsim.quotas import CREATION_LAG, DELETION_LAG, NAME_REUSE, VERIFICATION_TIME
from msgsim.service.email_record import EmailRecord, IdentityRecord, StoredTemplate
from msgsim.service.queue_record import QueueRecord
from msgsim.service.topic_record import TopicRecord

AnyQueue: TypeAlias = StandardQueue | FifoQueue
"""A live queue of either type."""

Driven: TypeAlias = TopicFanout | MoveTask | SendingAccount | EventPublisher
"""What has deadlines of its own."""

_ACCOUNT_ID = re.compile(r"\d{12}", re.ASCII)
_STANDARD_ONLY = frozenset({"sampled", "duplicates", "disorder", "old_handle"})
_FIFO_ONLY = frozenset({"throttled"})


class Account:
    """One account in one Region: its queues and topics by name, and its outbox.

    Args:
        region: part of ARNs and URLs.
        account_id: the same; 12 digits.
        rng: uniform random numbers for queues, topics and the outbox; may be left out if nothing is left to chance.
        epoch: seconds since 1970 at time 0, for time stamps [s].
        outbox: quotas and chances of the emails; None for a production account without quotas.
        settings: fields of `Queue` that no attribute on the wire speaks of, for the queues that are created: chances,
            lags, whether throughput is throttled, the set of quotas.
        creation_lag: until requests find a new queue [s] (SQS-Q-5).
        deletion_lag: until requests do not find a deleted queue any more [s]; what they do to it is lost (SQS-Q-3).
        publish_quota: of all its standard topics together (SNS-QUO-1); None for no limit.
        fifo_publish_quota: of all its FIFO topics together; None for no limit.
        throttled_topics: FIFO topics that are created have limits of their own, too (SNS-QUO-2).
        deactivates_emails: email subscriptions that are made need another confirmation once they get more than 10
            messages within a second (SNS-SUB-7).
        sms: its text messages; None for those of an account without limits (SNS-SMS-2).
        verification_time: until the link to an address is clicked or the records of a domain are found [s]; None for
            never, unless `outbox.identities.confirm` says so (SES-IDN-1).

    Attributes:
        queues: live ones by the names that they have on the wire, with ".fifo"; further ones may be put in, such as
            those of a simulation, which drives them then.
        topics: the same.
        tasks: move tasks that run (SQS-MOV-5).
        publish_quota: of all its standard topics together; None for no limit.
        fifo_publish_quota: of all its FIFO topics together; None for no limit.
        throttled_topics: FIFO topics that are created have limits of their own, too.
        deactivates_emails: email subscriptions that are made have theirs.
        sms: its text messages.
        texted: publishes to telephone numbers.
        outbox: live, of the whole account.
        emails: what goes by names that only requests about emails use.
        billed: requests by operation, of the answered calls to SQS (PRC-SQS-2); `billed.total()` is all of them.
    """

    __slots__ = (
        "_gone",
        "_leaving",
        "_now",
        "_publisher",
        "_records",
        "_topic_records",
        "account_id",
        "billed",
        "creation_lag",
        "deactivates_emails",
        "deletion_lag",
        "emails",
        "epoch",
        "fifo_publish_quota",
        "outbox",
        "publish_quota",
        "queues",
        "region",
        "rng",
        "settings",
        "sms",
        "tasks",
        "texted",
        "throttled_topics",
        "topics",
        "verification_time",
    )

    def __init__(
        self,
        region: str = "us-east-1",
        account_id: str = "123456789012",
        rng: Uniforms | None = None,
        epoch: float = EPOCH,
        *,
        outbox: Outbox | None = None,
        settings: Mapping[str, Any] | None = None,
        creation_lag: float = 0.0,
        deletion_lag: float = 0.0,
        publish_quota: PublishQuota | None = None,
        fifo_publish_quota: PublishQuota | None = None,
        throttled_topics: bool = False,
        deactivates_emails: bool = False,
        sms: SmsSender | None = None,
        verification_time: float | None = None,
    ) -> None:
        check_epoch("Account.epoch", epoch)
        if not isinstance(account_id, str) or not _ACCOUNT_ID.fullmatch(account_id):
            raise DeclarationError("Account.account_id", f"{account_id!r} is not a text of 12 digits")
        check_fields(settings or ())
        CREATION_LAG.check("Account.creation_lag", creation_lag)
        DELETION_LAG.check("Account.deletion_lag", deletion_lag)
        check_flag("Account.throttled_topics", throttled_topics)
        check_flag("Account.deactivates_emails", deactivates_emails)
        if verification_time is not None:
            VERIFICATION_TIME.check("Account.verification_time", verification_time)
        self.region = region
        self.account_id = account_id
        self.rng = rng
        self.epoch = epoch
        self.settings = dict(settings or {})
        self.creation_lag = creation_lag
        self.deletion_lag = deletion_lag
        self.billed: Counter[str] = Counter()
        self.queues: dict[str, AnyQueue] = {}
        self.tasks: list[MoveTask] = []
        self._records: dict[str, QueueRecord] = {}
        self._leaving: dict[str, float] = {}
        self._gone: dict[str, float] = {}
        self.topics: dict[str, TopicFanout] = {}
        self._topic_records: dict[str, TopicRecord] = {}
        self.publish_quota = publish_quota
        self.fifo_publish_quota = fifo_publish_quota
        self.throttled_topics = throttled_topics
        self.deactivates_emails = deactivates_emails
        self.sms = sms or SmsSender()
        self.texted = 0
        self.verification_time = verification_time
        # Ids come from names. A queue may be called as a topic is: so only queues go by their bare names (SNS-ENV-3).
        declared = outbox or Outbox()
        source = EventSource(sender=declared.sender, account_id=account_id, region=region, epoch=epoch)
        self.outbox = SendingAccount(declared, self.arn("ses", "outbox"), rng=rng, epoch=epoch, source=source)
        self.outbox.look()  # a request may ask for statistics of all that went before (SES-REP-4)
        self.emails = EmailRecord(
            {each: StoredTemplate(template, 0.0) for each, template in declared.templates.items()}
        )
        for name, each in declared.configuration_sets.items():
            for position, destination in enumerate(each.events):
                destination.check_chance(f"Outbox.configuration_sets.{name}.events.{position}", rng)
        self._publisher = EventPublisher({}, {}, rng=rng, name=self.arn("ses", "events"))
        self._now = -inf
        self.listen()

    def __setstate__(self, state: tuple[None, dict[str, Any]]) -> None:
        for slot, value in state[1].items():
            setattr(self, slot, value)
        self.listen()

    def __repr__(self) -> str:
        return f"<Account {self.account_id} {self.region} queues={len(self.queues)} topics={len(self.topics)}>"

    def arn(self, service: str, name: str) -> str:
        """The ARN of something of this account."""
        return f"arn:aws:{service}:{self.region}:{self.account_id}:{name}"

    def queue_named(self, arn: str) -> str | None:
        """The name of the queue that has an ARN; None if there is none in this account and Region."""
        return _among(self.queues, arn, self.arn("sqs", ""))

    def topic_named(self, arn: str) -> str | None:
        """The name of the topic that has an ARN; None if there is none in this account and Region."""
        return _among(self.topics, arn, self.arn("sns", ""))

    def queue_url(self, name: str) -> str:
        """The URL of a queue."""
        return f"https://sqs.{self.region}.amazonaws.com/{self.account_id}/{name}"

    def queue_at(self, url: str) -> AnyQueue | None:
        """The queue that has a URL; None if there is none."""
        name = _among(self.queues, url, self.queue_url(""))
        return None if name is None or not self.is_found(name) else self.queues[name]

    def is_found(self, name: str) -> bool:
        """Whether requests find a queue by its name: it is there, and not too new (SQS-Q-5)."""
        lag = self.creation_lag
        return name in self.queues and (not lag or self._now >= self.record(name).created_at + lag)

    def record(self, name: str) -> QueueRecord:
        """What is known about a queue beside itself."""
        return self._records.setdefault(name, QueueRecord())

    def milliseconds(self, at: float) -> str:
        """A time as SQS writes it, in whole milliseconds since 1970 (SQS-SYS-1).

        Args:
            at: [s].
        """
        return str(round((self.epoch + at) * 1000))

    def seconds(self, at: float) -> str:
        """A time as SQS writes those of queues, in whole seconds since 1970 (SQS-ATT-3).

        Args:
            at: [s].
        """
        return str(floor(self.epoch + at))

    def declaration(self, *, fifo: bool) -> Queue:
        """What a queue of a type is that is created without attributes."""
        other = _STANDARD_ONLY if fifo else _FIFO_ONLY
        return Queue(fifo=fifo, **{name: value for name, value in self.settings.items() if name not in other})

    def add_queue(self, name: str, queue: Queue, now: float = 0.0) -> AnyQueue:
        """Make a queue; the dead-letter queue it names is one of the account.

        Queues of the account that have their dead letters in one of this name, which was deleted, send them here; so
        do subscriptions, and those whose endpoint it is deliver to it again.
        """
        target: Any = self.queues[queue.redrive.to] if queue.redrive else None
        kind = FifoQueue if queue.fifo else StandardQueue
        live: Any = kind(queue, name, dead_letter_queue=target, rng=self.rng)
        was_there = name in self.queues or name in self._gone
        self.queues[name] = live
        self._records[name] = QueueRecord(created_at=now, modified_at=now)
        self._gone.pop(name, None)
        for source in self.queues.values():
            redrive = source.intended.redrive
            if redrive is not None and redrive.to == name:
                with suppress(DeclarationError):  # it may not, or cannot: then it keeps its messages
                    source.set_attributes(now, dead_letter_queue=live, redrive=redrive)
        for topic in self.topics.values() if was_there else ():
            with suppress(DeclarationError):  # of another type: it may not
                topic.bind(name, live)
        return self.queues[name]

    def change_queue(self, queue: AnyQueue, changes: Mapping[str, Any], now: float) -> None:
        """Change fields of a queue's declaration; the dead-letter queue that they name is one of the account."""
        redrive = changes.get("redrive")
        target: Any = self.queues[redrive.to] if redrive else None
        queue.set_attributes(now, dead_letter_queue=target, **changes)

    def delete_queue(self, name: str, now: float) -> None:
        """Let a queue go, at once or after the lag; again is no error (SQS-Q-3)."""
        if name not in self._leaving:
            self._gone[name] = now
            self._leaving[name] = now + self.deletion_lag
        self.advance(now)

    def reusable_at(self, name: str) -> float:
        """When the name of a deleted queue can be used again [s]; -inf of any other name (SQS-Q-4)."""
        return self._gone.get(name, -inf) + NAME_REUSE.low

    def topic_record(self, name: str) -> TopicRecord:
        """What is known about a topic beside itself."""
        return self._topic_records.setdefault(name, TopicRecord())

    def add_topic(self, name: str, topic: Topic | None = None) -> TopicFanout:
        """Make a topic; one that has the name of a deleted one has other ids.

        Args:
            name: with ".fifo", if it is a FIFO topic.
            topic: its declaration, without subscriptions; None for a standard topic.
        """
        arn = self.arn("sns", name)
        record = self.topic_record(name)
        record.made += 1
        unique = arn if record.made == 1 else f"{arn}#{record.made}"
        declared = topic or Topic()
        kind = FifoFanout if declared.fifo else TopicFanout
        live = self.topics[name] = kind(declared, unique, rng=self.rng, epoch=self.epoch)
        live.arn = arn
        return live

    def delete_topic(self, name: str) -> None:
        """Let a topic go with its subscriptions; deliveries under way are lost (SNS-TOP-3)."""
        for subscriber in self.topics.pop(name).subscriptions.values():
            subscriber.watch_no_more()
        self._topic_records[name] = TopicRecord(made=self.topic_record(name).made)

    def listen(self) -> None:
        """Publish events of emails from now on, if a set or an identity has topics and nobody hears of them."""
        wanted = any(declared.events for declared in self.outbox.configuration_sets.values())
        wanted = wanted or any(record.topics for record in self.emails.identities.values())
        if wanted and self.outbox.on_event is None:
            self.outbox.on_event = self.publish_event

    def publish_event(self, event: EmailEvent, origin: int, origin_at: float) -> None:
        """Publish an event to the topics of its email's set and identity; one that is gone gets nothing.

        To those of a set as late and as often as is declared; to that of an identity at once.

        Source: SES-CFG-2, SES-CFG-3, SES-CFG-4.
        """
        name = event.mail.configuration_set
        declared = None if name is None else self.outbox.configuration_sets.get(name)
        for destination in () if declared is None else declared.events:
            if destination.wants(event.kind):
                publish = partial(self._publish_to, destination.topic)
                self._publisher.tell(destination, publish, event.kind, event, event.at, origin, origin_at)
        if event.kind in FEEDBACK and self.emails.identities:
            self._give_feedback(event, origin, origin_at)

    def _publish_to(self, name: str, event: str | Content, now: float, origin: int | None, origin_at: float) -> None:
        topic = self.topics.get(name)
        if topic is not None:
            topic.route(None).publish(event, now, origin, origin_at)

    def _give_feedback(self, event: EmailEvent, origin: int, origin_at: float) -> None:
        record = self.sending_identity(event.mail.email.sender, event.at)
        topic = None if record is None else self.topics.get(record.topics.get(event.kind, ""))
        if record is not None and topic is not None:
            feedback = IdentityFeedback(event, headers=event.kind in record.with_headers)
            topic.route(None).publish(feedback, event.at, origin, origin_at)

    def sending_identity(self, sender: str | None, now: float) -> IdentityRecord | None:
        """What is known about the identity that an address sends by; None if nothing, or there is no such identity.

        Args:
            sender: None for the outbox's own.
            now: [s].
        """
        with suppress(InvalidParameterValue):
            identity = self.outbox.identities.looked_up(sender or self.outbox.outbox.sender, now)
            return None if identity is None else self.emails.identities.get(identity.name)
        return None

    @property
    def tokens(self) -> dict[str, str]:
        """What endpoints were sent to confirm pending subscriptions, by the ARNs of these (SNS-SUB-2, SNS-SUB-7)."""
        records = [self.topic_record(name) for name in self.topics]
        for record in records:
            record.forget_old(self._now)
        asked = [each for record in records for each in (*record.pending.values(), *record.lapsed.values())]
        return {each.arn: each.token for each in asked}

    def subscription_arn(self, topic: str, protocol: str, endpoint: str) -> str:
        """The ARN of a subscription: the same whenever it is made, whatever else there is."""
        return subscription_arn(self.arn("sns", topic), protocol, endpoint)

    def advance(self, now: float) -> None:
        """Do what is due by `now`, each at its own time: deliveries of topics and emails, moves, deletions of queues.

        Raises:
            InvalidParameterValue: `now` is no finite number.
            TimeRanBackwards: `now` is earlier than at the last call.

        Cost: O(topics + tasks) per delivery or move.
        """
        check_now(repr(self), now, self._now)
        self._now = now
        # Over all of them in the order of time: a queue that two topics reach takes its messages as they come.
        while (due := self._next()) <= now:
            for live in self._driven():
                if _due(live) <= due:
                    live.advance(due)
            for name in [name for name, at in self._leaving.items() if at <= due]:
                self._remove(name, due)
            self.tasks = [task for task in self.tasks if task.next_deadline() is not None]

    def _driven(self) -> list[Driven]:
        return [*self.topics.values(), *self.tasks, self.outbox, self._publisher]

    def _next(self) -> float:
        return min([*map(_due, self._driven()), *self._leaving.values()], default=inf)

    def _remove(self, name: str, at: float) -> None:
        del self._leaving[name]
        self._records.pop(name, None)
        queue = self.queues.pop(name)
        if queue.exists:
            queue.close(max(at, queue.looked_at))


def _due(live: Driven) -> float:
    deadline = live.next_deadline()
    return inf if deadline is None else deadline


def _among(things: Mapping[str, object], address: str, prefix: str) -> str | None:
    name = address.removeprefix(prefix)
    return name if name != address and name in things else None
