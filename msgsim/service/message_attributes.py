"""Message attributes on the wire, as `{"DataType": ..., "StringValue": ...}`, and as values that the bus understands.

The bus knows an attribute by its Python value: a text, a number, bytes or a list. A value that came over the wire is
one of these and remembers how it was written, so that it goes out as it came in, with its custom type and its zeros.
"""

import json
import re
from collections.abc import Mapping
from decimal import Decimal, DecimalException
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
_NUMBER = re.compile(r"([+-]?)(?=\.?\d)(\d*)\.?(\d*)([eE][+-]?\d+)?", re.ASCII)
_DIGITS = 38
_SMALLEST, _LARGEST = Decimal("1e-128"), Decimal("1e126")
_TYPE_CHARACTERS = 256
_TRANSPORT_TYPES = {"StringValue": b"\x01", "BinaryValue": b"\x02"}


class Wired:
    """A value that came over the wire.

    Attributes:
        wire: as it came.
    """

    __slots__ = ()
    wire: Wire

    @property
    def data_type(self) -> str:
        """With its label; its bytes count for the size of a message (SQS-SND-3)."""
        return str(self.wire["DataType"])


class WiredText(Wired, str):
    """A text that came over the wire."""

    __slots__ = ("wire",)


class WiredNumber(Wired, float):
    """A number that came over the wire; its representation is what was written there."""

    __slots__ = ("wire",)

    def __repr__(self) -> str:
        return str(self.wire["StringValue"])


class WiredBytes(Wired, bytes):
    """Bytes that came over the wire."""


class WiredList(Wired, list[Any]):
    """A `String.Array` that came over the wire (SNS-FLT-5)."""

    __slots__ = ("wire",)


@attrs.frozen
class Wording:
    """How a service refuses an attribute: a code, and texts with `{name}`, `{kind}` and `{field}`.

    Attributes:
        code: on the wire.
        kind: no known type.
        empty: no value.
        field: the value is in the field of another type.
        number: not a number.
        type_length: a type of more than 256 characters; "" if the service does not look.
        limited: numbers have up to 38 digits and lie within 1e-128 to 1e126.
    """

    code: str
    kind: str
    empty: str
    field: str
    number: str
    type_length: str = ""
    limited: bool = False

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
    if wording.type_length and len(data_type) > _TYPE_CHARACTERS:
        raise wording.refusal(wording.type_length, name, kind)
    field = _FIELDS[kind]
    if not wire.get(field):
        others = any(wire.get(other) for other in _TRANSPORT_TYPES)
        raise wording.refusal(wording.field if others else wording.empty, name, kind)
    written = wire[field]
    value: WiredText | WiredNumber | WiredBytes | WiredList
    if kind == "Binary":
        value = WiredBytes(written)
    elif kind == "Number":
        if not _NUMBER.fullmatch(written) or (wording.limited and not _is_within_limits(written)):
            raise wording.refusal(wording.number, name, kind)
        value = WiredNumber(written)
    else:
        members = parse_body(written) if arrays and data_type == "String.Array" else None
        value = WiredList(members) if isinstance(members, list) else WiredText(written)
    value.wire = {"DataType": data_type, field: written}
    return value


def _is_within_limits(written: str) -> bool:
    """Whether a number has up to 38 digits, zeros at either end aside, and a possible size (SQS-SND-5)."""
    try:
        number = Decimal(written)
    except DecimalException:
        return False
    digits = "".join(map(str, number.as_tuple().digits)).strip("0")
    return not number or (len(digits) <= _DIGITS and _SMALLEST <= number.copy_abs() <= _LARGEST)


def trimmed(wires: Mapping[str, Wire]) -> dict[str, Wire]:
    """Attributes as a queue hands them out: numbers without zeros in front or at the end (SQS-SND-5).

    >>> trimmed({"k": {"DataType": "Number", "StringValue": "-007.50"}})
    {'k': {'DataType': 'Number', 'StringValue': '-7.5'}}
    """
    return {name: _trimmed(wire) for name, wire in wires.items()}


def _trimmed(wire: Wire) -> Wire:
    written = wire.get("StringValue", "")
    found = wire["DataType"].partition(".")[0] == "Number" and _NUMBER.fullmatch(written)
    if not found:
        return wire
    sign, whole, fraction, exponent = found.groups("")
    point = "." if fraction.rstrip("0") else ""
    return {**wire, "StringValue": f"{sign}{whole.lstrip('0') or '0'}{point}{fraction.rstrip('0')}{exponent}"}


def to_wire(attributes: Mapping[str, Any]) -> dict[str, Wire]:
    """Attributes as they go over the wire: as they came, or in the type that fits their value."""
    return {name: _wire(value) for name, value in attributes.items()}


def _wire(value: Any) -> Wire:
    if isinstance(value, Wired):
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


def wire_bytes(wires: Mapping[str, Wire]) -> int:
    """The size of message attributes, whether they can be or not: names, types and values (SQS-SND-3)."""
    size = 0
    for name, wire in wires.items():
        text = f"{name}{wire['DataType']}{wire.get('StringValue', '')}"
        size += len(text.encode()) + len(wire.get("BinaryValue", b""))
    return size


def body_checksum(body: str) -> str:
    """The MD5 of a message's body (SQS-SND-6)."""
    return md5(body.encode(), usedforsecurity=False).hexdigest()


def _sized(octets: bytes) -> bytes:
    return len(octets).to_bytes(4) + octets
