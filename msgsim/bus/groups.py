# Hot path: the slots of a FifoMessage are filled by the queue without calls (benchmarks/fifo.py).
"""Messages of FIFO queues, and the groups that they stand in, in order (FIFO-ORD-1)."""

from typing import TypeAlias

from msgsim.bus.message import Message, RedrivenMessage

FIRST_SEQUENCE_NUMBER = 18_849_496_460_467_696_128
SEQUENCE_STEP = 256

_Next: TypeAlias = "FifoMessage | RedrivenFifoMessage | None"


class Group:
    """The messages of one group that have not left, from the oldest to the youngest, each linked to its neighbours.

    Those before the first one that is in flight or delayed can be received (FIFO-ORD-6): the group can be served if
    its head is visible. What becomes of a message behind the head is a change of that message alone.

    Attributes:
        name: the group id.
        head: the oldest message; None if the group is empty.
        tail: the youngest message.
    """

    __slots__ = ("head", "name", "tail")

    def __init__(self, name: str) -> None:
        self.name = name
        self.head: _Next = None
        self.tail: _Next = None

    def append(self, message: "FifoMessage | RedrivenFifoMessage") -> None:
        """Let a message stand behind all others. Cost: O(1)."""
        message.group = self
        tail = self.tail
        message.following = None
        message.previous = tail
        if tail is None:
            self.head = message
        else:
            tail.following = message
        self.tail = message

    def remove(self, message: "FifoMessage | RedrivenFifoMessage") -> bool:
        """Let a message leave; says whether it was the head. Cost: O(1)."""
        previous, following = message.previous, message.following
        message.previous = message.following = None
        if following is None:
            self.tail = previous
        else:
            following.previous = previous
        if previous is None:
            self.head = following
            return True
        previous.following = following
        return False


class FifoMessage(Message):
    """A message in a FIFO queue.

    Attributes:
        group: where it stands.
        previous: the message of its group before it; None if it is the head, or gone.
        following: the message of its group behind it; None if it is the tail, or gone.
        sequence: its place among all messages that came to the queue.
        given_id: the id for deduplication; None if the message has no other than its message id.
    """

    __slots__ = ("following", "given_id", "group", "previous", "sequence")

    group: Group
    previous: _Next
    following: _Next
    sequence: int
    given_id: str | None

    @property
    def group_id(self) -> str:
        """The id of its message group (FIFO-SND-1)."""
        return self.group.name

    @property
    def deduplication_id(self) -> str:
        """As given, or the hash of the body (FIFO-DUP-3); of a message that is known to be unique, its message id."""
        return self.message_id if self.given_id is None else self.given_id

    @property
    def sequence_number(self) -> str:
        """20 digits, larger than those of all messages that came before (FIFO-SND-5)."""
        return format_sequence(self.sequence)


class RedrivenFifoMessage(RedrivenMessage):
    """A message in the FIFO queue that a redrive policy moved it to (SQS-DLQ-5).

    See `FifoMessage` for its attributes. Its deduplication id is its message id.
    """

    __slots__ = ("following", "group", "previous", "sequence")

    group: Group
    previous: _Next
    following: _Next
    sequence: int

    @property
    def sent_at(self) -> float:
        """When it was moved [s]: that restarts retention on FIFO queues (SQS-RET-2)."""
        return self.arrived_at

    @property
    def deduplication_id(self) -> str:
        """Its message id, so that deduplication does not swallow it (SQS-DLQ-5)."""
        return self.message_id

    @property
    def sequence_number(self) -> str:
        """See `FifoMessage`; it is a new one."""
        return format_sequence(self.sequence)


Member: TypeAlias = FifoMessage | RedrivenFifoMessage
"""A message that stands in a group."""


def format_sequence(sequence: int) -> str:
    """A sequence number as the service writes it: 20 digits, with gaps between neighbours (FIFO-SND-5).

    >>> format_sequence(1)
    '18849496460467696384'
    """
    return str(FIRST_SEQUENCE_NUMBER + SEQUENCE_STEP * sequence)
