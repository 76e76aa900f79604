"""What a receiver gets: a delivery with a receipt handle that belongs to one receive (SQS-VIS-5)."""

from collections.abc import Mapping
from struct import error, pack, unpack
from types import MappingProxyType
from typing import Any, NamedTuple

from msgsim.bus.message import COUNTER_BITS, Message
from msgsim.errors import ReceiptHandleIsInvalid

_LENGTH = 7 + 16 + 16


class Receipt(NamedTuple):
    """What a receipt handle says.

    Attributes:
        number: of the message.
        receive_count: which receive of the message it belongs to.
        received_at: when that was [s]; what the 12 h cap counts from (SQS-VIS-3).
    """

    number: int
    receive_count: int
    received_at: float


def write_handle(base: int, receipt: Receipt) -> str:
    """An opaque text for a receipt of the queue whose ids begin at `base`."""
    tag = base >> COUNTER_BITS
    return f"{tag:07x}{receipt.number:016x}{pack('>d', receipt.received_at).hex()}{receipt.receive_count:x}"


def read_handle(base: int, handle: object) -> Receipt:
    """The receipt behind a handle.

    Raises:
        ReceiptHandleIsInvalid: not a handle, or of another queue (SQS-VIS-9).
    """
    try:
        if not isinstance(handle, str) or len(handle) <= _LENGTH or int(handle[:7], 16) != base >> COUNTER_BITS:
            raise ValueError  # noqa: TRY301 - one refusal for all that is not a handle
        (received_at,) = unpack(">d", bytes.fromhex(handle[23:39]))
        return Receipt(int(handle[7:23], 16), int(handle[39:], 16), received_at)
    except (ValueError, error):
        raise ReceiptHandleIsInvalid(f'The input receipt handle "{handle}" is not a valid receipt handle.') from None


class Delivery:
    """One receive of one message.

    Attributes:
        message: the record; its `receive_count` moves on when others receive it.
        receive_count: which receive this is (SQS-SYS-2).
        receipt_handle: deletes the message or changes its visibility.
    """

    __slots__ = ("message", "receipt_handle", "receive_count")

    def __init__(self, message: Message, receipt_handle: str) -> None:
        self.message = message
        self.receive_count = message.receive_count
        self.receipt_handle = receipt_handle

    @property
    def message_id(self) -> str:
        """The id of the message; the same at every receive and in the dead-letter queue."""
        return self.message.message_id

    @property
    def body(self) -> str:
        """The text of the message."""
        return self.message.body

    @property
    def attributes(self) -> Mapping[str, Any]:
        """The message attributes, which are nobody's to change; empty if it has none."""
        return MappingProxyType(self.message.attributes or {})

    @property
    def sent_at(self) -> float:
        """When the message was first sent [s]."""
        return self.message.sent_at

    @property
    def first_received_at(self) -> float:
        """When the message was first received from this queue [s]."""
        return self.message.first_received_at

    @property
    def origin_id(self) -> int:
        """The traffic event that caused the message."""
        return self.message.origin_id

    @property
    def origin_at(self) -> float:
        """When that event happened [s]."""
        return self.message.origin_at

    @property
    def group_id(self) -> str | None:
        """The message group, if the sender named one (SQS-FAIR-2)."""
        return getattr(self.message, "group_id", None)

    def __repr__(self) -> str:
        return f"<Delivery {self.message_id} receive_count={self.receive_count}>"
