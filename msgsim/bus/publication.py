"""What a topic accepts as a publish, and the envelope that queues without raw delivery get it in."""

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from msgsim.bus.filters import parse_body
from msgsim.bus.message import VISIBLE, Content, GroupedMessage, Message, format_id
from msgsim.bus.timestamps import iso_timestamp
from msgsim.errors import InvalidParameter
from msgsim.quotas import PUBLISH_BYTES

if TYPE_CHECKING:
    from msgsim.bus.signing import Signer
    from msgsim.bus.topic import Route

Attributes: TypeAlias = Mapping[str, Any]
"""Message attributes by name: a text is a `String`, a number a `Number`, bytes a `Binary`, a list a `String.Array`.

True, false and null exist in the service as members of arrays only: one that stands alone counts as an array of one.
"""

ARN = "arn:aws:sns:us-east-1:000000000000:"
URL = "https://sns.us-east-1.amazonaws.com/"
SUBJECT = re.compile("[!-~][ -~]{0,98}")
"""What a subject is (SNS-PUB-2)."""


class Envelope:
    """One publish in its envelope, shared by all queues that get it so; becomes JSON when it is read.

    Attributes:
        route: the topic, attributes and subject of the publish.
        number: the id of the publish; another one than those of the messages that carry it (SNS-ENV-3).
        content: what was published.
        published_at: [s].
    """

    __slots__ = ("content", "number", "published_at", "route")

    route: "Route"
    number: int
    content: str | Content
    published_at: float

    def render(self, message: Message) -> str:
        """The JSON object of a notification, its keys in the order of the service (SNS-ENV-1)."""
        return json.dumps(self.fields(message), ensure_ascii=False)

    def fields(self, message: Message, protocol: str = "sqs") -> dict[str, Any]:
        """What the notification says.

        Links are placeholders, the same for all, and so is the signature unless the topic has a signer.

        Args:
            message: that carries it; its origin and group are what texts with `{fields}` are made of.
            protocol: of the endpoint, whose own text it may be (SNS-PUB-4).
        """
        route = self.route
        arn = route.topic.arn
        fields: dict[str, Any] = {"Type": "Notification", "MessageId": format_id(self.number), "TopicArn": arn}
        if route.subject is not None:
            fields["Subject"] = route.subject
        content = self.content
        fields["Message"] = published_text(
            content.text_for(protocol) if isinstance(content, ProtocolTexts) else content,
            route.attributes,
            self.number,
            self.published_at,
            message.origin_id,
            message.origin_at,
            getattr(message, "group_id", None),
        )
        fields["Timestamp"] = iso_timestamp(route.topic.epoch + self.published_at)
        signer = route.topic.signer
        sign(fields, signer)
        fields["UnsubscribeURL"] = unsubscribe_url(f"{arn}:0")
        if route.attributes:
            fields["MessageAttributes"] = typed_attributes(route.attributes)
        return fields


class FifoEnvelope(Envelope):
    """One publish to a FIFO topic in its envelope, which nobody signs (SNS-ENV-2).

    Attributes:
        sequence: the sequence number, as the service writes it.
        replayed: it comes from the archive (SNS-ARC-2).
    """

    __slots__ = ("replayed", "sequence")

    sequence: str
    replayed: bool

    def fields(self, message: Message, protocol: str = "sqs") -> dict[str, Any]:
        """What the notification says, its keys in the order of the service (SNS-ENV-2)."""
        plain = super().fields(message, protocol)
        fields: dict[str, Any] = {"Type": plain.pop("Type"), "MessageId": plain.pop("MessageId")}
        fields["SequenceNumber"] = self.sequence
        fields.update({key: value for key, value in plain.items() if key not in SIGNATURE_FIELDS})
        if self.replayed:
            fields["Replayed"] = True
        return fields


SIGNATURE_FIELDS = ("SignatureVersion", "Signature", "SigningCertURL")


def sign(fields: dict[str, Any], signer: "Signer | None") -> None:
    """Add the signature of a notification; a placeholder if nobody signs (SNS-ENV-1)."""
    fields["SignatureVersion"] = "1" if signer is None else signer.version
    fields["Signature"] = "unsigned" if signer is None else signer.sign(fields)
    fields["SigningCertURL"] = f"{URL}SimpleNotificationService-0.pem"


def unsubscribe_url(subscription_arn: str) -> str:
    """The link that ends a subscription."""
    return f"{URL}?Action=Unsubscribe&SubscriptionArn={subscription_arn}"


class ProtocolTexts:
    """A message with a text per protocol; the body of a queue's message is that of queues (SNS-PUB-4).

    Args:
        written: a JSON object with a text under "default"; other members that are no texts are not looked at.

    Raises:
        InvalidParameter: it is none, or has no default.
    """

    __slots__ = ("texts",)

    def __init__(self, written: str) -> None:
        texts = parse_body(written)
        if not isinstance(texts, dict):
            raise InvalidParameter(f"{_STRUCTURE}JSON message body failed to parse")
        if not isinstance(texts.get("default"), str):
            raise InvalidParameter(f"{_STRUCTURE}No default entry in JSON message body")
        self.texts = {protocol: text for protocol, text in texts.items() if isinstance(text, str)}

    def text_for(self, protocol: str) -> str:
        """The text that endpoints of a protocol get."""
        return self.texts.get(protocol, self.texts["default"])

    def render(self, message: Message) -> str:  # noqa: ARG002 - the text is the same for all messages
        """The text that queues get."""
        return self.text_for("sqs")


_STRUCTURE = "Invalid parameter: Message Structure - "


def typed_attributes(attributes: Attributes) -> dict[str, dict[str, str]]:
    """Attributes as envelopes have them: `{name: {"Type": ..., "Value": ...}}`, binary ones in base64 (SNS-ENV-1)."""
    typed = {name: _typed(name, value) for name, value in attributes.items()}
    return {name: {"Type": type_, "Value": text} for name, (type_, text) in typed.items()}


def published_text(
    content: str | Content,
    attributes: Attributes | None,
    number: int,
    published_at: float,
    origin: int,
    origin_at: float,
    group_id: str | None = None,
) -> str:
    """The text of a publish. What renders itself is rendered for the publish, not for a message that it becomes."""
    if isinstance(content, str):
        return content
    message = Message()
    if group_id is not None:
        message = GroupedMessage()
        message.group_id = group_id
    message.content = content
    message.attributes = attributes
    message.number = number
    message.arrived_at = published_at
    message.origin = origin
    message.origin_at = origin_at
    message.receive_count = 0
    message.deadline = VISIBLE
    return content.render(message)


def structured(body: str, structure: object) -> str | ProtocolTexts:
    """A body as it is published: with "json" a text per protocol, else as it is (SNS-PUB-4).

    Raises:
        InvalidParameter: there is no such structure, or the body does not have it.
    """
    if structure is None:
        return body
    if structure != "json":
        raise InvalidParameter(f"Invalid parameter: MessageStructure Reason: {structure} is none; allowed: json")
    return ProtocolTexts(body)


def check_publish(body: object, attributes: Attributes | None, subject: object) -> None:
    """Refuse what the service would not publish.

    Raises:
        InvalidParameter: empty or too long (SNS-PUB-1), a subject that cannot be (SNS-PUB-2), or an attribute of no
            known type (SNS-PUB-3).
    """
    if not isinstance(body, str):
        raise InvalidParameter(f"Invalid parameter: Message: {body!r} is not a text")
    if attributes is not None and not isinstance(attributes, Mapping):
        raise InvalidParameter(f"Invalid parameter: MessageAttributes: {attributes!r} is not a mapping")
    if not body:
        raise InvalidParameter("Invalid parameter: Empty message")
    if published_bytes(body, attributes) > PUBLISH_BYTES.high:
        raise InvalidParameter("Invalid parameter: Message too long")
    if subject is not None and not (isinstance(subject, str) and SUBJECT.fullmatch(subject)):
        raise InvalidParameter("Invalid parameter: Subject")


def published_bytes(body: str, attributes: Attributes | None) -> int:
    """What a publish counts for, attributes included (SNS-PUB-1).

    Raises:
        InvalidParameter: an attribute of no known type (SNS-PUB-3).
    """
    return _bytes(body) + (sum(_attribute_bytes(*item) for item in attributes.items()) if attributes else 0)


def _bytes(text: str) -> int:
    return len(text.encode(errors="surrogatepass"))


def _attribute_bytes(name: object, value: object) -> int:
    if not isinstance(name, str):
        raise InvalidParameter(f"Invalid parameter: MessageAttributes: {name!r} is not a name (SNS-PUB-3)")
    type_, text = _typed(name, value)
    return _bytes(name) + len(type_) + (len(value) if isinstance(value, bytes) else _bytes(text))


def _typed(name: str, value: object) -> tuple[str, str]:
    """The data type of an attribute and its value as a text.

    Raises:
        InvalidParameter: no type fits (SNS-PUB-3).
    """
    if isinstance(value, str):
        return "String", value
    if isinstance(value, bytes):
        return "Binary", b64encode(value).decode()
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "Number", repr(value)
    members = value if isinstance(value, (list, tuple)) else [value]
    if not all(member is None or isinstance(member, (str, int, float)) for member in members):
        raise InvalidParameter(
            f"The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes "
            "is Binary, Number, and String."
        )
    return "String.Array", json.dumps(members, ensure_ascii=False)
