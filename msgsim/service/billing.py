"""How many requests a call to SQS is billed as (PRC-SQS-2)."""

from collections.abc import Iterable, Mapping
from math import ceil
from typing import Any

from msgsim.quotas import BILLED_CHUNK
from msgsim.service.message_attributes import wire_bytes


def payload_bytes(body: str, wires: Mapping[str, Any]) -> int:
    """The size of a message on the wire: body and attributes, whether they can be or not (SQS-SND-3)."""
    # A half of a surrogate pair is found when the message is sent; here it only has to be counted.
    return len(body.encode(errors="surrogatepass")) + wire_bytes(wires)


def billed(params: Mapping[str, Any], answer: Mapping[str, Any]) -> int:
    """The requests that a call counts as: one for each 64 KiB that it carries, begun ones included, and at least one.

    A batch is one call, and so is a receive, be it empty (SQS-BAT-6).

    Args:
        params: of the call.
        answer: to it.
    """
    there = [params, *params.get("Entries", ())]
    sizes = [payload_bytes(each["MessageBody"], _attributes(each)) for each in there if "MessageBody" in each]
    sizes += _received(answer.get("Messages", ()))
    return max(1, ceil(sum(sizes) / BILLED_CHUNK.low))


def _received(messages: Iterable[Mapping[str, Any]]) -> list[int]:
    return [payload_bytes(message["Body"], _attributes(message)) for message in messages]


def _attributes(message: Mapping[str, Any]) -> Mapping[str, Any]:
    wires: Mapping[str, Any] = message.get("MessageAttributes", {})
    return wires
