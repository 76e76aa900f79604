# Hot path: one Message per live message; slots are filled by the queue without calls (benchmarks/spike.py).
"""The one mutable record of the hot path, and the ids made from it on demand."""

from collections.abc import Mapping
from hashlib import blake2b
from math import inf
from typing import Any, Protocol

EPOCH = 1_767_225_600.0
"""Simulated time 0 in seconds since 1970, unless a scenario says otherwise: 2026-01-01T00:00:00Z."""

VISIBLE = -inf
"""`Message.deadline` of a message that can be received: its time has come."""

GONE = inf
"""`Message.deadline` of a message that has left its queue: its time never comes."""

COUNTER_BITS = 32


class Content(Protocol):
    """What a message carries in place of a plain text: builds the text when it is read, not when it is sent."""

    def render(self, message: "Message") -> str:
        """The body of `message`."""
        ...


class Message:
    """A message in a standard queue.

    Attributes:
        content: the body, or what renders it.
        attributes: message attributes, shared and never changed; None if there are none.
        number: the id of the message as an integer: `id_base(queue) + n` for the n-th message of its first queue.
        arrived_at: when it entered the queue it is in [s].
        origin: the id of the traffic event that caused it; None if that is the message itself.
        origin_at: when that event happened [s].
        receive_count: receives so far, over all queues (SQS-SYS-2).
        deadline: VISIBLE, GONE, or when the message becomes visible [s]: the end of a delay or of a visibility timeout.
        first_received_at: first receive in this queue [s]; meaningless while `receive_count` is 0.
    """

    __slots__ = (
        "arrived_at",
        "attributes",
        "content",
        "deadline",
        "first_received_at",
        "number",
        "origin",
        "origin_at",
        "receive_count",
    )

    content: str | Content
    attributes: Mapping[str, Any] | None
    number: int
    arrived_at: float
    origin: int | None
    origin_at: float
    receive_count: int
    deadline: float
    first_received_at: float

    @property
    def body(self) -> str:
        """The text of the message."""
        content = self.content
        return content if isinstance(content, str) else content.render(self)

    @property
    def message_id(self) -> str:
        """Opaque and unique; kept when the message is dead-lettered (SQS-SYS-3)."""
        return format_id(self.number)

    @property
    def sent_at(self) -> float:
        """When it was first sent [s]; what retention counts from (SQS-RET-1)."""
        return self.arrived_at

    @property
    def receives_here(self) -> int:
        """Receives from the queue that it is in."""
        return self.receive_count

    @property
    def group_id(self) -> str | None:
        """The group or tenant, if the sender named one."""
        return None

    @property
    def origin_id(self) -> int:
        """The id of the traffic event that caused this message."""
        return self.number if self.origin is None else self.origin

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.message_id} sent_at={self.sent_at:g}>"


class GroupedMessage(Message):
    """A message of a named tenant (SQS-FAIR-2).

    Attributes:
        group_id: the tenant.
    """

    __slots__ = ("group_id",)

    group_id: str


class RedrivenMessage(Message):
    """A message in the queue that a redrive policy moved it to (SQS-SYS-3, SQS-DLQ-4).

    Attributes:
        first_sent_at: when it was first sent to any queue [s] (SQS-RET-2).
        source: the name of the queue it came from.
        receives_before: its receives in other queues.
        group_id: the tenant, if it has one.
    """

    __slots__ = ("first_sent_at", "group_id", "receives_before", "source")

    def __init__(self, message: Message, source: str, now: float) -> None:
        self.content = message.content
        self.attributes = message.attributes
        self.number = message.number
        self.arrived_at = now
        self.origin = message.origin
        self.origin_at = message.origin_at
        self.receive_count = message.receive_count
        self.deadline = VISIBLE
        self.first_received_at = -inf
        self.first_sent_at = message.sent_at
        self.source = source
        self.receives_before = message.receive_count
        self.group_id: str | None = getattr(message, "group_id", None)

    @property
    def sent_at(self) -> float:
        """When it was first sent [s]; the move does not restart retention on standard queues (SQS-RET-2)."""
        return self.first_sent_at

    @property
    def receives_here(self) -> int:
        """Receives from the queue that it is in."""
        return self.receive_count - self.receives_before


def id_base(name: str) -> int:
    """Where the ids of a component begin: a hash of its name, with room for 2**32 ids behind it.

    Ids come from the name and the component's own counter, so that a new component renames nobody's.
    """
    return int.from_bytes(blake2b(name.encode(), digest_size=4).digest()) >> 4 << COUNTER_BITS


def format_id(number: int) -> str:
    """An id as the services write them: opaque, in the shape of a UUID.

    >>> format_id(id_base("emails") + 1) == format_id(id_base("emails") + 1)
    True
    """
    digits = blake2b(number.to_bytes(8), digest_size=16).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"
