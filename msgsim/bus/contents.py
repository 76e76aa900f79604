"""What a queue accepts as a message: characters, size and attributes."""

import re
from collections.abc import Mapping
from typing import Any

from msgsim.errors import InvalidMessageContents, InvalidParameterValue, MissingParameter
from msgsim.quotas import MESSAGE_ATTRIBUTES

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAME = re.compile(r"(?!aws\.|amazon\.)(?!\.)[A-Za-z0-9_.-]{1,256}(?<!\.)", re.ASCII | re.IGNORECASE)

_IDENTIFIER = re.compile("[!-~]{1,128}")


def check_message(
    body: object, attributes: Mapping[str, Any] | None, max_bytes: float, quotas: str | None = None
) -> None:
    """Refuse what the service would not enqueue, by the limits of a set of quotas.

    Raises:
        MissingParameter: the body is empty (SQS-SND-1).
        InvalidMessageContents: a character is not allowed (SQS-SND-2).
        InvalidParameterValue: not a text, too long (SQS-SND-3), or attributes that cannot be (SQS-SND-4, SQS-SND-5).
    """
    if not isinstance(body, str):
        raise InvalidParameterValue(f"the body must be a text, not {type(body).__name__}: {body!r}")
    if not body:
        raise MissingParameter("The request must contain the parameter MessageBody.")
    forbidden = find_forbidden(body)
    if forbidden:
        raise InvalidMessageContents(forbidden)
    if attributes is not None and not isinstance(attributes, Mapping):
        raise InvalidParameterValue(f"attributes: {attributes!r} is not a mapping of names and values (SQS-SND-4)")
    size = len(body.encode()) + (attributes_bytes(attributes, quotas) if attributes else 0)
    if size > max_bytes:
        raise InvalidParameterValue(
            f"One or more parameters are invalid. Reason: Message must be shorter than {max_bytes:.0f} bytes."
        )


def attributes_bytes(attributes: Mapping[str, Any], quotas: str | None = None) -> int:
    """Size of message attributes: names, data types and values in UTF-8 (SQS-SND-3).

    Raises:
        InvalidParameterValue: too many, a bad name, an empty value, a character that is not allowed (SQS-SND-2), or a
            value that is no text, number or bytes.
    """
    most = MESSAGE_ATTRIBUTES.under(quotas).high
    if len(attributes) > most:
        raise InvalidParameterValue(
            f"a message has at most {most:g} attributes ({MESSAGE_ATTRIBUTES.rule}), not {len(attributes)}"
        )
    size = 0
    for name, value in attributes.items():
        check_attribute_name(name)
        data_type, octets = _encode(name, value)
        if not octets:
            raise InvalidParameterValue(
                f"Message (user) attribute '{name}' must contain a non-empty value of type '{data_type}'."
            )
        size += len(name.encode()) + len(data_type) + len(octets)
    return size


def check_attribute_name(name: object) -> None:
    """Refuse what is no name of a message attribute.

    Raises:
        InvalidParameterValue: not 1 to 256 letters, digits, '_', '-' and '.' (SQS-SND-4).
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidParameterValue(f"{name!r} is not a name for a message attribute (SQS-SND-4)")


def check_identifier(parameter: str, value: object) -> None:
    """Refuse what is no id of a message group or for deduplication (SQS-FAIR-1, FIFO-SND-3).

    Raises:
        InvalidParameterValue: not 1 to 128 ASCII letters, digits and punctuation marks.
    """
    if not (isinstance(value, str) and _IDENTIFIER.fullmatch(value)):
        raise InvalidParameterValue(
            f"Value {value} for parameter {parameter} is invalid. Reason: {parameter} can only include alphanumeric "
            "and punctuation characters. 1 to 128 in length."
        )


def find_forbidden(written: str) -> str:
    """Which character of a text is never sent, and where (SQS-SND-2); nothing if all are."""
    bad = _FORBIDDEN.search(written)
    return f"Invalid characters found: U+{ord(bad.group()):04X} at position {bad.start()}." if bad else ""


def _encode(name: str, value: object) -> tuple[str, bytes]:
    if isinstance(value, str):
        forbidden = find_forbidden(value)
        if forbidden:
            raise InvalidParameterValue(f"Message (user) attribute '{name}': {forbidden}")
        return _type(value, "String"), value.encode()
    if isinstance(value, bytes):
        return _type(value, "Binary"), value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _type(value, "Number"), repr(value).encode()
    if isinstance(value, (list, tuple)):
        return "String.Array", repr(value).encode()
    raise InvalidParameterValue(
        f"Message (user) attribute '{name}' must be a text, a number, bytes or a list, not {value!r} (SQS-SND-5)"
    )


def _type(value: object, usual: str) -> str:
    """The data type that a value names itself, label and all; or the usual one of its kind."""
    named: str = getattr(value, "data_type", usual)
    return named
