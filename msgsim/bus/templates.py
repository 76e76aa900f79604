"""Texts with `{fields}` of a message, for bodies and emails; rendered when they are read, not when they are sent."""

import re
from email.utils import formatdate
from string import Formatter
from typing import Any

from msgsim.bus.message import COUNTER_BITS, EPOCH, Message
from msgsim.declare import DAY, HOUR, MINUTE
from msgsim.errors import DeclarationError, no_such

FIELDS = ("attributes", "body", "date", "elapsed", "group", "message_id", "n", "now", "origin_id", "sent_at")
"""What a template may name: `{n}` is the running number of the traffic event, `{date}` a calendar day (`{date:+3d}` is
three days later), `{elapsed}` the seconds since the event, `{group}` the message group, or nothing, `{now}` simulated
seconds, `{attributes[kind]}` an attribute."""

_ATTRIBUTE = re.compile(r"attributes\[[^][{}]+]")
_UNITS = {"d": DAY, "h": HOUR, "m": MINUTE, "s": 1.0}


class Template:
    """A checked template.

    Args:
        text: with `{fields}`; `{{` and `}}` stand for braces.
        path: of the declaration, for errors.

    Raises:
        DeclarationError: a field does not exist, a format does not fit it, or the braces do not match.
    """

    __slots__ = ("_has_body", "constant", "epoch", "text")

    def __init__(self, text: str, path: str, epoch: float = EPOCH) -> None:
        self.text = text
        self.epoch = epoch
        self.constant = True
        self._has_body = False
        try:
            for _, field, spec, _ in Formatter().parse(text):
                if field is None:
                    continue
                self.constant = False
                self._has_body = self._has_body or field == "body"
                _check_field(field, spec or "", path)
            self.fill(_sample(), 0.0, "")
        except DeclarationError:
            raise
        except (OSError, OverflowError, ValueError) as error:
            raise DeclarationError(path, f"{text!r} is not a template: {error}") from None

    def render(self, message: Message) -> str:
        """The text as the body of a message: the body of a message whose body this is cannot name itself."""
        return self.fill(message, message.origin_at, "")

    def fill(self, message: Message, now: float, body: str | None = None) -> str:
        """The text for a message at `now` [s]; the message's body is made only if it is named."""
        if body is None:
            body = message.body if self._has_body else ""
        return self.text.format(
            attributes=_Lenient(message.attributes or {}),
            body=body,
            date=_Date(self.epoch + now),
            elapsed=now - message.origin_at,
            group=getattr(message, "group_id", None) or "",
            message_id=message.message_id,
            n=message.origin_id & ((1 << COUNTER_BITS) - 1),
            now=now,
            origin_id=message.origin_id,
            sent_at=message.sent_at,
        )


def literal(text: str) -> str:
    """What a template says whatever its fields become."""
    return "".join(written for written, *_ in Formatter().parse(text))


def as_content(text: str, path: str, epoch: float) -> "str | Template":
    """A plain text, or the template if it has fields."""
    template = Template(text, path, epoch)
    return text.format() if template.constant else template


def _check_field(field: str, spec: str, path: str) -> None:
    if not _ATTRIBUTE.fullmatch(field) and (field not in FIELDS or field == "attributes"):
        raise DeclarationError(path, no_such("field", "{" + field + "}", FIELDS))
    if "{" in spec:
        raise DeclarationError(path, f"{{{field}:{spec}}} is not a field: a format cannot have fields of its own")


def _sample() -> Message:
    message = Message()
    message.number = message.origin = 1
    message.arrived_at = message.origin_at = 0.0
    message.attributes = None
    return message


class _Lenient(dict[str, Any]):
    """Attributes that a message does not have read as nothing."""

    def __missing__(self, key: str) -> "_Nothing":
        return _Nothing()


class _Nothing(str):
    """No text, however it is formatted."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        return ""


class _Date:
    """A day in the form `Fri, 02 Jan 2026`, with `+3d` or `+36h` as its format."""

    __slots__ = ("_seconds",)

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __repr__(self) -> str:
        return format(self)

    def __format__(self, spec: str) -> str:
        return formatdate(self._seconds + (_offset(spec) if spec else 0.0), usegmt=True)[:16]


def _offset(spec: str) -> float:
    try:
        return float(spec[:-1]) * _UNITS[spec[-1]]
    except (KeyError, ValueError):
        raise ValueError(f"{spec!r} is not an offset such as +3d, +36h, +90m or +30s") from None
