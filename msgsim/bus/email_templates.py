"""Templates of emails, `{{name}}` in the style of Handlebars, and emails that are made from them (SES-SND-6).

The renderer is a small one of our own. Of the libraries, pybars3 and pybars4 have had no release for years, and chevron
and pystache speak Mustache, without `#each` and `#if`; none bounds what a template may produce. Here are names, paths
such as `{{order.lines}}`, `{{#each lines}}`, `{{#if paid}}`, `{{else}}`, comments, and `{{{name}}}`.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import attrs

from msgsim.bus.addresses import NOT_IN_HEADERS
from msgsim.bus.emails import Email
from msgsim.declare import flag
from msgsim.errors import DeclarationError, RenderingFailure
from msgsim.quotas import MESSAGE_BYTES, TEMPLATE_BYTES

MOST_NESTED = 20
"""How deep blocks may stand in one another (unpublished)."""

MOST_STEPS = 200_000
"""How many pieces of a template, and members of lists, one email may take (unpublished): loops within loops that put
out little would else go on for minutes before the size of an email stops them."""

_TAG = re.compile(r"\{\{\{(?P<raw>[^{}]*)\}\}\}|\{\{(?P<tag>[^{}]*)\}\}")
_PATH = re.compile(r"@index|[A-Za-z_][\w-]*(?:\.[\w-]+)*")
_BLOCKS = ("each", "if")


class Part(NamedTuple):
    """A piece of a template.

    Attributes:
        kind: "text", "value", "raw", "each" or "if".
        word: the text, or a path.
        inner: of a block.
        other: of a block, what stands behind its `{{else}}`.
    """

    kind: str
    word: str
    inner: "tuple[Part, ...]" = ()
    other: "tuple[Part, ...]" = ()


class Rendered(NamedTuple):
    """What a template becomes."""

    subject: str
    text: str
    html: str | None


def _parsed(template: "EmailTemplate") -> dict[str, tuple[Part, ...]]:
    """The texts of a template, taken apart once for all its emails."""
    texts = {"subject": template.subject, "text": template.text, "html": "" if template.html is None else template.html}
    return {name: parse(source, f"{type(template).__name__}.{name}") for name, source in texts.items()}


@attrs.frozen(kw_only=True)
class EmailTemplate:
    """What emails of one kind have in common.

    Args:
        subject: with `{{fields}}` of the data.
        text: plain text, likewise.
        html: the same as HTML; None for no such part.
        escape: `{{name}}` is escaped in the HTML part; `{{{name}}}` never is.

    Raises:
        DeclarationError: the braces or blocks do not match, or it is too large (SES-QUO-8).
    """

    subject: str = ""
    text: str = ""
    html: str | None = None
    escape: bool = flag(default=True)
    _parts: Mapping[str, tuple[Part, ...]] = attrs.field(
        init=False, eq=False, repr=False, default=attrs.Factory(_parsed, takes_self=True)
    )

    def __attrs_post_init__(self) -> None:
        size = sum(len(each.encode(errors="replace")) for each in (self.subject, self.text, self.html or ""))
        if size > TEMPLATE_BYTES.high:
            raise DeclarationError(
                type(self).__name__, f"{size} bytes; allowed: {TEMPLATE_BYTES.high:g} ({TEMPLATE_BYTES.rule})"
            )

    def render(self, data: Mapping[str, Any]) -> Rendered:
        """Fill it.

        Args:
            data: values by name: texts, numbers, true, false, null, lists and maps, as JSON has them.

        Raises:
            RenderingFailure: a value is missing, the subject would have several lines, or the email would be too large
                or take too many steps: then it stops, however much more there would be.

        Cost: O(what is produced), and not more than the size of the largest email and `MOST_STEPS`.
        """
        room = _Room()
        subject = self._filled("subject", data, room)
        if NOT_IN_HEADERS.search(subject):
            raise RenderingFailure("The subject has a line break or control character after rendering.")
        body = self._filled("text", data, room)
        html = None if self.html is None else self._filled("html", data, room, escaped=self.escape)
        return Rendered(subject, body, html)

    def _filled(self, name: str, data: Mapping[str, Any], room: "_Room", *, escaped: bool = False) -> str:
        return "".join(_render(self._parts[name], ({"this": data, **data},), room, escaped=escaped))


@attrs.frozen
class TemplatedEmail:
    """An email that a template and data make; as the content of a sent email, it is rendered when somebody looks.

    Args:
        template: what it is made of.
        data: values by name.
        email: all but its texts.
        template_name: as events tell it.
    """

    template: EmailTemplate
    data: Mapping[str, Any]
    email: Email
    template_name: str | None = None

    def render(self, message: Any = None, now: float = 0.0) -> Email:  # noqa: ARG002 - it is the same for all
        """The email.

        Raises:
            RenderingFailure: template and data do not fit.
        """
        subject, body, html = self.template.render(self.data)
        return attrs.evolve(self.email, subject=subject, body=body, html=html)

    def unrendered(self, message: Any = None, now: float = 0.0) -> Email:  # noqa: ARG002 - as above
        """All of it but its texts."""
        return self.email

    def addresses(self, message: Any = None, now: float = 0.0) -> tuple[str, ...]:  # noqa: ARG002 - as above
        """Its recipients."""
        return self.email.recipients

    def failure(self, message: Any = None, now: float = 0.0) -> str | None:
        """Why it cannot be rendered; None if it can (SES-SND-6)."""
        try:
            self.render(message, now)
        except RenderingFailure as error:
            return str(error)
        return None


def parse(source: str, path: str = "template") -> tuple[Part, ...]:
    """Take a template apart.

    Raises:
        DeclarationError: no text, braces or blocks that do not match, or blocks too deep in one another.
    """
    if not isinstance(source, str):
        raise DeclarationError(path, f"{source!r} is not a text")
    stack: list[tuple[str, str, list[Part], list[Part] | None]] = [("", "", [], None)]
    for kind, word in _pieces(source):
        name, subject, inner, other = stack[-1]
        here = inner if other is None else other
        if kind != "tag":
            here.append(Part(kind, word))
        elif word.startswith("#"):
            block, _, of = word[1:].strip().partition(" ")
            if block not in _BLOCKS or not _PATH.fullmatch(of.strip()):
                raise DeclarationError(
                    path, f"{{{{{word}}}}} is no block; allowed: {{{{#each NAME}}}}, {{{{#if NAME}}}}"
                )
            if len(stack) > MOST_NESTED:
                raise DeclarationError(path, f"blocks stand in one another; allowed: {MOST_NESTED} deep")
            stack.append((block, of.strip(), [], None))
        elif word == "else" and name and other is None:
            stack[-1] = (name, subject, inner, [])
        elif word.startswith("/") and name and word[1:].strip() == name:
            stack.pop()
            _, _, outer, after = stack[-1]
            (outer if after is None else after).append(Part(name, subject, tuple(inner), tuple(other or ())))
        else:
            raise DeclarationError(path, f"{{{{{word}}}}} has no block that it belongs to, or is no name")
    if len(stack) > 1:
        raise DeclarationError(path, f"{{{{#{stack[-1][0]} {stack[-1][1]}}}}} has no end")
    return tuple(stack[0][2])


def _pieces(source: str) -> Iterator[tuple[str, str]]:
    """Texts, values by path, and other tags, in order; comments left out."""
    end = 0
    for found in _TAG.finditer(source):
        if found.start() > end:
            yield "text", source[end : found.start()]
        end = found.end()
        word = (found["tag"] if found["raw"] is None else found["raw"]).strip()
        if word.startswith("!"):
            continue
        if _PATH.fullmatch(word) and word != "else":
            yield ("value" if found["raw"] is None else "raw"), word
        else:
            yield "tag", word if found["raw"] is None else f"{{{word}}}"
    if end < len(source):
        yield "text", source[end:]


class _Room:
    """What is left of an email's size, and of its steps."""

    __slots__ = ("characters", "steps")

    def __init__(self) -> None:
        self.characters = int(MESSAGE_BYTES.high)
        self.steps = MOST_STEPS

    def step(self) -> None:
        """Take one.

        Raises:
            RenderingFailure: that is one too many.
        """
        self.steps -= 1
        if self.steps < 0:
            raise RenderingFailure(f"The rendered email takes more than {MOST_STEPS} pieces of its template.")

    def take(self, written: str) -> None:
        """Take the room of a text.

        Raises:
            RenderingFailure: there is not so much.
        """
        self.characters -= len(written)
        if self.characters < 0:
            raise RenderingFailure(f"The rendered email is larger than {MESSAGE_BYTES.high:.0f} bytes.")


def _render(
    parts: Sequence[Part], scopes: tuple[Mapping[str, Any], ...], room: _Room, *, escaped: bool
) -> Iterator[str]:
    """Texts of parts; each step and each character takes room, so that no data makes it go on for ever."""
    for kind, word, inner, other in parts:
        room.step()
        if kind in {"text", "value", "raw"}:
            written = word if kind == "text" else _text(_look_up(word, scopes))
            if escaped and kind == "value":
                from html import escape  # noqa: PLC0415 - few templates have such a part

                written = escape(written)
            room.take(written)
            yield written
        elif kind == "if":
            yield from _render(inner if _truth(word, scopes) else other, scopes, room, escaped=escaped)
        else:
            yield from _each(_look_up(word, scopes), Part(kind, word, inner, other), scopes, room, escaped=escaped)


def _each(
    members: Any, part: Part, scopes: tuple[Mapping[str, Any], ...], room: _Room, *, escaped: bool
) -> Iterator[str]:
    if isinstance(members, Mapping):
        members = list(members.values())
    if not isinstance(members, (list, tuple)):
        raise RenderingFailure(f"Attribute '{part.word}' is not a list in the rendering data.")
    if not members:
        yield from _render(part.other, scopes, room, escaped=escaped)
    for index, member in enumerate(members):
        room.step()
        own = {**(member if isinstance(member, Mapping) else {}), "this": member, "@index": index}
        yield from _render(part.inner, (own, *scopes), room, escaped=escaped)


def _look_up(path: str, scopes: tuple[Mapping[str, Any], ...]) -> Any:
    """The value at a path, from the innermost block outwards.

    Raises:
        RenderingFailure: there is none, in the service's words (SES-SND-6).
    """
    first, *rest = path.split(".")
    value: Any = next((scope for scope in scopes if first in scope), None)
    for name in (first, *rest):
        if isinstance(value, Mapping) and name in value:
            value = value[name]
        elif isinstance(value, (list, tuple)) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            raise RenderingFailure(f"Attribute '{path}' is not present in the rendering data.")
    return value


def _truth(path: str, scopes: tuple[Mapping[str, Any], ...]) -> bool:
    """Whether there is a value, and it is something."""
    try:
        return bool(_look_up(path, scopes))
    except RenderingFailure:
        return False


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, ensure_ascii=False, default=str)
