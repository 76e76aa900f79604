"""What endpoints that are no queues get: HTTP requests, Lambda events, emails and texts, built when looked at."""

import json
from collections import deque
from collections.abc import Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import attrs

from msgsim.bus.message import EPOCH, VISIBLE, Content, GroupedMessage, Message, format_id
from msgsim.bus.publication import URL, Attributes, Envelope, sign, unsubscribe_url
from msgsim.bus.retries import HTTP
from msgsim.bus.timestamps import iso_timestamp
from msgsim.declare import check_number
from msgsim.errors import DeclarationError

if TYPE_CHECKING:
    from msgsim.bus.signing import Signer
    from msgsim.bus.subscription import Subscription

LETTERS = ("email", "email-json")
PLAIN = "text/plain; charset=UTF-8"
"""The content type of requests, unless a delivery policy has another (SNS-ENV-7)."""

SUBSCRIPTION = "SubscriptionConfirmation"
UNSUBSCRIPTION = "UnsubscribeConfirmation"
_ASKED = {
    SUBSCRIPTION: (
        "You have chosen to subscribe to the topic {arn}.\n"
        "To confirm the subscription, visit the SubscribeURL included in this message."
    ),
    UNSUBSCRIPTION: (
        "You have chosen to deactivate subscription {arn}.\n"
        "To cancel this operation and restore the subscription, visit the SubscribeURL included in this message."
    ),
}

NO_SUBJECT = "AWS Notification Message"
"""The subject of the email of a publish that has none."""

_WAY_OUT = "\n\n--\nTo get no more notifications of this topic, visit the link below to unsubscribe:\n"


@attrs.frozen
class Received:
    """What an endpoint got with one delivery.

    Attributes:
        at: when [s].
        message_id: of the publish; retries keep it, and so do all subscribers (SNS-ENV-3).
        headers: of an HTTP request, or "Subject" of an email; nothing else has any.
        body: of the request, email or text message; for Lambda the event as JSON.
    """

    at: float
    message_id: str
    headers: Mapping[str, str]
    body: str


class Inbox:
    """The endpoint of a subscription that is no queue: keeps the latest deliveries, as far as they are looked at.

    Args:
        subscription: declared.
        topic_arn: of its topic.
        limit: so many deliveries are kept.
        content_type: of HTTP requests: `headerContentType` of the delivery policy (SNS-ENV-7).

    Attributes:
        subscription_arn: as requests and events name the subscription.
        content_type: of HTTP requests.
        count: deliveries so far.

    Raises:
        DeclarationError: the subscription is of a queue, or the limit is no number from 1.
    """

    __slots__ = ("_kept", "_protocol", "_raw", "content_type", "count", "subscription_arn")

    def __init__(
        self, subscription: "Subscription", topic_arn: str, *, limit: int = 100, content_type: str = PLAIN
    ) -> None:
        if subscription.protocol == "sqs":
            problem = f"{subscription.endpoint!r} is a queue, which keeps its messages itself"
            raise DeclarationError("Inbox.subscription", problem)
        check_number("Inbox.limit", limit, low=1, unit="deliveries", integer=True)
        self._protocol = subscription.protocol
        self._raw = subscription.raw
        self.subscription_arn = subscription_arn(topic_arn, subscription.protocol, subscription.endpoint)
        self.content_type = content_type
        self.count = 0
        self._kept: deque[tuple[Envelope, Message]] = deque(maxlen=limit)

    def follow(self, subscription: "Subscription") -> "Subscription":
        """Take over the form of a subscription.

        Returns:
            How it is delivered here: not raw, as what is raw does not tell its id.
        """
        self._raw = subscription.raw
        return attrs.evolve(subscription, raw=False)

    def enqueue(
        self, content: str | Content, _: Attributes | None, now: float, origin: int | None, origin_at: float
    ) -> None:
        """Keep a delivery; as of a queue. What was under way in raw form before anybody looked is only counted."""
        self._keep(Message(), content, now, origin, origin_at)

    def enqueue_grouped(
        self,
        content: str | Content,
        _: Attributes | None,
        now: float,
        origin: int | None,
        origin_at: float,
        group_id: str,
    ) -> None:
        """Keep a delivery of a group; as of a queue."""
        message = GroupedMessage()
        message.group_id = group_id
        self._keep(message, content, now, origin, origin_at)

    def _keep(self, message: Message, content: Any, now: float, origin: int | None, origin_at: float) -> None:
        self.count += 1
        if not isinstance(content, Envelope):
            return
        message.content = envelope = content
        message.attributes = None
        message.number = envelope.number
        message.arrived_at = now
        message.origin = origin
        message.origin_at = origin_at
        message.receive_count = 0
        message.deadline = VISIBLE
        self._kept.append((envelope, message))

    @property
    def received(self) -> tuple[Received, ...]:
        """The latest deliveries, the last one last. Cost: O(kept)."""
        return tuple(self._shown(envelope, message) for envelope, message in self._kept)

    def _shown(self, envelope: Envelope, message: Message) -> Received:
        protocol = self._protocol
        fields = envelope.fields(message, protocol)
        fields["UnsubscribeURL"] = unsubscribe_url(self.subscription_arn)
        headers: dict[str, str] = {}
        if protocol in HTTP:
            headers = http_headers(fields, self.subscription_arn, self.content_type, raw=self._raw)
        elif protocol in LETTERS:
            headers = {"Subject": fields.get("Subject", NO_SUBJECT)}
        if protocol == "lambda":
            body = json.dumps(lambda_event(fields, self.subscription_arn), ensure_ascii=False)
        elif protocol == "email":
            body = f"{fields['Message']}{_WAY_OUT}{fields['UnsubscribeURL']}\n"
        elif self._raw or protocol in ("sms", "application"):
            body = fields["Message"]
        else:
            body = json.dumps(fields, ensure_ascii=False)
        return Received(message.arrived_at, fields["MessageId"], headers, body)


def subscription_arn(topic_arn: str, protocol: str, endpoint: str) -> str:
    """The ARN of a subscription: the same whenever it is made, whatever else there is."""
    digest = blake2b(f"{protocol}:{endpoint}".encode(errors="replace"), digest_size=8).digest()
    return f"{topic_arn}:{format_id(int.from_bytes(digest))}"


def http_headers(
    fields: Mapping[str, Any], subscription_arn: str | None, content_type: str = PLAIN, *, raw: bool = False
) -> dict[str, str]:
    """The headers of the POST request that brings a notification, or asks for a confirmation (SNS-ENV-7, SNS-ENV-4).

    Args:
        fields: of its body.
        subscription_arn: None while there is no subscription yet.
        content_type: of the body.
        raw: the body is the message alone.
    """
    headers = {
        "x-amz-sns-message-type": fields["Type"],
        "x-amz-sns-message-id": fields["MessageId"],
        "x-amz-sns-topic-arn": fields["TopicArn"],
    }
    if subscription_arn is not None:
        headers["x-amz-sns-subscription-arn"] = subscription_arn
    if raw:
        headers["x-amz-sns-rawdelivery"] = "true"
    headers["Content-Type"] = content_type
    return headers


def lambda_event(fields: Mapping[str, Any], subscription_arn: str) -> dict[str, Any]:
    """The event that a function is invoked with: one record, with keys of its own spelling (SNS-ENV-6)."""
    renamed = {"SigningCertURL": "SigningCertUrl", "UnsubscribeURL": "UnsubscribeUrl"}
    told = {**dict.fromkeys(("Type", "MessageId", "TopicArn", "Subject")), **fields}
    told.setdefault("MessageAttributes", {})
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription_arn,
        "Sns": {renamed.get(key, key): value for key, value in told.items()},
    }
    return {"Records": [record]}


def confirmation(
    kind: str,
    *,
    topic_arn: str,
    number: int,
    token: str,
    now: float,
    subscription_arn: str | None = None,
    signer: "Signer | None" = None,
    epoch: float = EPOCH,
) -> Received:
    """The request that asks the owner of an HTTP endpoint to confirm a subscription, or tells of its end (SNS-ENV-7).

    Args:
        kind: "SubscriptionConfirmation" or "UnsubscribeConfirmation".
        topic_arn: of the topic.
        number: of the request, of which its id is made.
        token: that confirms.
        now: [s].
        subscription_arn: of the subscription that has ended.
        signer: None for a placeholder as signature.
        epoch: seconds since 1970 at time 0.

    Raises:
        DeclarationError: there is no such kind.
    """
    if kind not in _ASKED:
        raise DeclarationError("confirmation.kind", f"{kind!r} is none; allowed: {', '.join(_ASKED)} (SNS-ENV-7)")
    fields: dict[str, Any] = {
        "Type": kind,
        "MessageId": format_id(number),
        "Token": token,
        "TopicArn": topic_arn,
        "Message": _ASKED[kind].format(arn=topic_arn if subscription_arn is None else subscription_arn),
        "SubscribeURL": f"{URL}?Action=ConfirmSubscription&TopicArn={topic_arn}&Token={token}",
        "Timestamp": iso_timestamp(epoch + now),
    }
    sign(fields, signer)
    headers = http_headers(fields, subscription_arn)
    return Received(now, fields["MessageId"], headers, json.dumps(fields, ensure_ascii=False))
