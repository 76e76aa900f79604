"""What a queue accepts as a message: characters, size and attributes."""

import re
from collections.abc import Mapping
from typing import Any

from msgsim.errors import InvalidMessageContents, InvalidParameterValue, MissingParameter
from msgsim.quotas import MESSAGE_ATTRIBUTES

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAME = re.compile(r"(?!aws\.|amazon\.)(?!\.)[A-Za-z0-9_.-]{1,256}(?<!\.)", re.ASCII | re.IGNORECASE)


def check_message(body: object, attributes: Mapping[str, Any] | None, max_bytes: float) -> None:
    """Refuse what the service would not enqueue.

    Raises:
        MissingParameter: the body is empty (SQS-SND-1).
        InvalidMessageContents: a character is not allowed (SQS-SND-2).
        InvalidParameterValue: not a text, too long (SQS-SND-3), or attributes that cannot be (SQS-SND-4, SQS-SND-5).
    """
    if not isinstance(body, str):
        raise InvalidParameterValue(f"the body must be a text, not {type(body).__name__}: {body!r}")
    if not body:
        raise MissingParameter("The request must contain the parameter MessageBody.")
    forbidden = _find_forbidden(body)
    if forbidden:
        raise InvalidMessageContents(forbidden)
    size = len(body.encode()) + (attributes_bytes(attributes) if attributes else 0)
    if size > max_bytes:
        raise InvalidParameterValue(
            f"One or more parameters are invalid. Reason: Message must be shorter than {max_bytes:.0f} bytes."
        )


def attributes_bytes(attributes: Mapping[str, Any]) -> int:
    """Size of message attributes: names, data types and values in UTF-8 (SQS-SND-3).

    Raises:
        InvalidParameterValue: too many, a bad name, an empty value, a character that is not allowed (SQS-SND-2), or a
            value that is no text, number or bytes.
    """
    if len(attributes) > MESSAGE_ATTRIBUTES.high:
        raise InvalidParameterValue(
            f"a message has at most {MESSAGE_ATTRIBUTES.high:g} attributes ({MESSAGE_ATTRIBUTES.rule}), "
            f"not {len(attributes)}"
        )
    size = 0
    for name, value in attributes.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InvalidParameterValue(f"{name!r} is not a name for a message attribute (SQS-SND-4)")
        data_type, octets = _encode(name, value)
        if not octets:
            raise InvalidParameterValue(
                f"Message (user) attribute '{name}' must contain a non-empty value of type '{data_type}'."
            )
        size += len(name.encode()) + len(data_type) + len(octets)
    return size


def _find_forbidden(written: str) -> str:
    bad = _FORBIDDEN.search(written)
    return f"Invalid characters found: U+{ord(bad.group()):04X} at position {bad.start()}." if bad else ""


def _encode(name: str, value: object) -> tuple[str, bytes]:
    if isinstance(value, str):
        forbidden = _find_forbidden(value)
        if forbidden:
            raise InvalidParameterValue(f"Message (user) attribute '{name}': {forbidden}")
        return "String", value.encode()
    if isinstance(value, bytes):
        return "Binary", value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "Number", repr(value).encode()
    if isinstance(value, (list, tuple)):
        return "String.Array", repr(value).encode()
    raise InvalidParameterValue(
        f"Message (user) attribute '{name}' must be a text, a number, bytes or a list, not {value!r} (SQS-SND-5)"
    )
