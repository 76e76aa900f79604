"""An account: what is live in it, and the names that its services give these things."""

from collections.abc import Mapping
from hashlib import blake2b
from math import inf

from msgsim.bus.message import EPOCH, format_id
from msgsim.bus.outbox import Outbox, SendingAccount
from msgsim.bus.queue import Queue, StandardQueue
from msgsim.bus.topic import Topic, TopicFanout
from msgsim.distributions import Uniforms
from msgsim.errors import TimeRanBackwards


class Account:
    """One account in one Region: its queues and topics by name, and its outbox.

    Args:
        region: part of ARNs and URLs.
        account_id: the same.
        rng: uniform random numbers for topics and the outbox; may be left out if nothing is left to chance.
        epoch: seconds since 1970 at time 0, for time stamps [s].
        outbox: quotas and chances of the emails; None for a production account without quotas.

    Attributes:
        queues: live ones; further ones may be put in, such as those of a simulation, which drives them then.
        topics: the same.
        outbox: live, of the whole account.
    """

    __slots__ = ("_now", "account_id", "epoch", "outbox", "queues", "region", "rng", "topics")

    def __init__(
        self,
        region: str = "us-east-1",
        account_id: str = "123456789012",
        rng: Uniforms | None = None,
        epoch: float = EPOCH,
        *,
        outbox: Outbox | None = None,
    ) -> None:
        self.region = region
        self.account_id = account_id
        self.rng = rng
        self.epoch = epoch
        self.queues: dict[str, StandardQueue] = {}
        self.topics: dict[str, TopicFanout] = {}
        # Ids come from names. A queue may be called as a topic is: so only queues go by their bare names (SNS-ENV-3).
        self.outbox = SendingAccount(outbox or Outbox(), self.arn("ses", "outbox"), rng=rng, epoch=epoch)
        self._now = -inf

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

    def queue_at(self, url: str) -> StandardQueue | None:
        """The queue that has a URL; None if there is none."""
        name = _among(self.queues, url, self.queue_url(""))
        return None if name is None else self.queues[name]

    def milliseconds(self, at: float) -> str:
        """A time as SQS writes it, in whole milliseconds since 1970 (SQS-SYS-1).

        Args:
            at: [s].
        """
        return str(round((self.epoch + at) * 1000))

    def add_queue(self, name: str, queue: Queue) -> StandardQueue:
        """Make a queue; the dead-letter queue it names is one of the account."""
        target = self.queues[queue.redrive.to] if queue.redrive else None
        live = self.queues[name] = StandardQueue(queue, name, dead_letter_queue=target)
        return live

    def add_topic(self, name: str) -> TopicFanout:
        """Make a topic."""
        arn = self.arn("sns", name)
        live = self.topics[name] = TopicFanout(Topic(), arn, rng=self.rng, epoch=self.epoch)
        live.arn = arn
        return live

    def subscription_arn(self, topic: str, protocol: str, endpoint: str) -> str:
        """The ARN of a subscription: the same whenever it is made, whatever else there is."""
        digest = blake2b(f"{protocol}:{endpoint}".encode(), digest_size=8).digest()
        return f"{self.arn('sns', topic)}:{format_id(int.from_bytes(digest))}"

    def advance(self, now: float) -> None:
        """Make the deliveries of topics that are due by `now`, each at its own time.

        Raises:
            TimeRanBackwards: `now` is earlier than at the last call.

        Cost: O(topics) per delivery.
        """
        if not now >= self._now:
            raise TimeRanBackwards.at(repr(self), now, self._now)
        self._now = now
        # Over all topics in the order of time: a queue that two of them reach takes its messages as they come.
        while (due := min(map(_due, self.topics.values()), default=inf)) <= now:
            for topic in self.topics.values():
                if _due(topic) <= due:
                    topic.advance(due)


def _due(topic: TopicFanout) -> float:
    deadline = topic.next_deadline()
    return inf if deadline is None else deadline


def _among(things: Mapping[str, object], address: str, prefix: str) -> str | None:
    name = address.removeprefix(prefix)
    return name if name != address and name in things else None
