"""Message attributes on the wire, as `{"DataType": ..., "StringValue": ...}`, and as values that the bus understands.

The bus knows an attribute by its Python value: a text, a number, bytes or a list. A value that came over the wire is
one of these and remembers how it was written, so that it goes out as it came in, with its custom type and its zeros.
"""

import json
import re
from collections.abc import Mapping
from hashlib import md5
from typing import Any, TypeAlias

import attrs

from msgsim.bus.filters import parse_body
from msgsim.errors import ServiceError
from msgsim.service.parameters import BYTES, TEXT, MapOf, Structure

Wire: TypeAlias = Mapping[str, Any]
"""One attribute: its `DataType`, and its `StringValue` or `BinaryValue`."""

WIRES = MapOf(Structure({"DataType": TEXT}, {"StringValue": TEXT, "BinaryValue": BYTES}))
"""The parameter `MessageAttributes`."""

_FIELDS = {"String": "StringValue", "Number": "StringValue", "Binary": "BinaryValue"}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_TRANSPORT_TYPES = {"StringValue": b"\x01", "BinaryValue": b"\x02"}


class WiredText(str):
    """A text that came over the wire."""

    __slots__ = ("wire",)
    wire: Wire


class WiredNumber(float):
    """A number that came over the wire; its representation is what was written there."""

    __slots__ = ("wire",)
    wire: Wire

    def __repr__(self) -> str:
        return str(self.wire["StringValue"])


class WiredBytes(bytes):
    """Bytes that came over the wire."""

    wire: Wire


class WiredList(list[Any]):
    """A `String.Array` that came over the wire (SNS-FLT-5)."""

    __slots__ = ("wire",)
    wire: Wire


@attrs.frozen
class Wording:
    """How a service refuses an attribute: a code, and texts with `{name}`, `{kind}` and `{field}`.

    Attributes:
        code: on the wire.
        kind: no known type.
        empty: no value.
        field: the value is in the field of another type.
        number: not a number.
    """

    code: str
    kind: str
    empty: str
    field: str
    number: str

    def refusal(self, text: str, name: str, kind: str) -> ServiceError:
        """The refusal with one of its texts."""
        field = _FIELDS.get(kind, "").removesuffix("Value")
        return ServiceError(self.code, text.format(name=name, kind=kind, field=field))


def from_wire(wires: Mapping[str, Wire], wording: Wording, *, arrays: bool = False) -> dict[str, Any]:
    """Attributes as the bus takes them.

    Args:
        wires: by name, of the shape `WIRES`.
        wording: of the service.
        arrays: a `String.Array` is a list, as topics see it; to queues it is a text like any other.

    Raises:
        ServiceError: a type that does not exist, or a value that does not fit it (SQS-SND-5, SNS-PUB-3).
    """
    return {name: _value(name, wire, wording, arrays=arrays) for name, wire in wires.items()}


def _value(name: str, wire: Wire, wording: Wording, *, arrays: bool) -> Any:
    data_type = wire["DataType"]
    kind = data_type.partition(".")[0]
    if kind not in _FIELDS:
        raise wording.refusal(wording.kind, name, kind)
    field = _FIELDS[kind]
    if not wire.get(field):
        others = any(wire.get(other) for other in _TRANSPORT_TYPES)
        raise wording.refusal(wording.field if others else wording.empty, name, kind)
    written = wire[field]
    value: WiredText | WiredNumber | WiredBytes | WiredList
    if kind == "Binary":
        value = WiredBytes(written)
    elif kind == "Number":
        if not _NUMBER.fullmatch(written):
            raise wording.refusal(wording.number, name, kind)
        value = WiredNumber(written)
    else:
        members = parse_body(written) if arrays and data_type == "String.Array" else None
        value = WiredList(members) if isinstance(members, list) else WiredText(written)
    value.wire = {"DataType": data_type, field: written}
    return value


def to_wire(attributes: Mapping[str, Any]) -> dict[str, Wire]:
    """Attributes as they go over the wire: as they came, or in the type that fits their value."""
    return {name: _wire(value) for name, value in attributes.items()}


def _wire(value: Any) -> Wire:
    if isinstance(value, (WiredText, WiredNumber, WiredBytes, WiredList)):
        return dict(value.wire)
    if isinstance(value, str):
        return {"DataType": "String", "StringValue": value}
    if isinstance(value, bytes):
        return {"DataType": "Binary", "BinaryValue": value}
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {"DataType": "Number", "StringValue": repr(value)}
    members = value if isinstance(value, (list, tuple)) else [value]
    return {"DataType": "String.Array", "StringValue": json.dumps(members, ensure_ascii=False)}


def checksum(wires: Mapping[str, Wire]) -> str:
    """The MD5 of message attributes, which clients compare with their own (SQS-SND-7)."""
    digest = md5(usedforsecurity=False)
    for name in sorted(wires):
        wire = wires[name]
        (field,) = wire.keys() - {"DataType"}
        written = wire[field]
        digest.update(_sized(name.encode()) + _sized(wire["DataType"].encode()) + _TRANSPORT_TYPES[field])
        digest.update(_sized(written.encode() if isinstance(written, str) else written))
    return digest.hexdigest()


def body_checksum(body: str) -> str:
    """The MD5 of a message's body (SQS-SND-6)."""
    return md5(body.encode(), usedforsecurity=False).hexdigest()


def _sized(octets: bytes) -> bytes:
    return len(octets).to_bytes(4) + octets
