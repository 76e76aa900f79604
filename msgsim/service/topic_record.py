"""What a service knows about a topic and the topic itself does not: tags, texts, subscriptions to be confirmed."""

from typing import TypeAlias

import attrs

from msgsim.bus.subscription import Endpoint, Subscription
from msgsim.quotas import PENDING_TIME

SubscriptionKey: TypeAlias = tuple[str, str]
"""Protocol and endpoint: one topic has no two subscriptions with the same (SNS-SUB-4)."""


@attrs.define(eq=False)
class Pending:
    """A subscription whose endpoint has not confirmed it.

    Attributes:
        arn: that it has, and will have.
        token: that its endpoint was sent.
        subscription: what was asked for.
        since: [s].
        dead_letter_queue: live, that it names or did.
    """

    arn: str
    token: str
    subscription: Subscription
    since: float
    dead_letter_queue: Endpoint | None = None


@attrs.define(eq=False)
class TopicRecord:
    """What goes by a topic's name.

    Attributes:
        tags: by key.
        texts: attributes that are kept as they came, and that no message is treated by.
        pending: subscriptions to be confirmed, in the order of the requests.
        lapsed: those that were deactivated and are to be confirmed again, in the order of the requests.
        confirmed: the ARNs of those that were, by their tokens.
        replays: the replay policies of subscriptions, as they came.
        roles: what delivers to Firehose may do, as it came.
        deleted: how many subscriptions were.
        made: how many topics of this name there have been.
        requested: how many subscriptions had to be confirmed.
    """

    tags: dict[str, str] = attrs.field(factory=dict)
    texts: dict[str, str] = attrs.field(factory=dict)
    pending: dict[SubscriptionKey, Pending] = attrs.field(factory=dict)
    lapsed: dict[SubscriptionKey, Pending] = attrs.field(factory=dict)
    confirmed: dict[str, str] = attrs.field(factory=dict)
    replays: dict[SubscriptionKey, str] = attrs.field(factory=dict)
    roles: dict[SubscriptionKey, str] = attrs.field(factory=dict)
    deleted: int = 0
    made: int = 0
    requested: int = 0

    def forget_old(self, now: float) -> None:
        """Let the subscriptions go that nobody has confirmed within three days (SNS-SUB-3).

        Args:
            now: [s].
        """
        if self.pending:
            kept = {key: each for key, each in self.pending.items() if now < each.since + PENDING_TIME.high}
            self.pending = kept
