"""Emails: what is asked to be sent, and what is refused."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

import attrs

from msgsim.bus.addresses import NOT_IN_HEADERS, parse_address
from msgsim.declare import instance, listed, text
from msgsim.errors import DeclarationError, InvalidParameterValue, MessageRejected, RenderingFailure
from msgsim.quotas import (
    HEADER_BYTES,
    HEADER_NAME,
    HEADER_VALUE,
    HEADERS,
    MESSAGE_BYTES,
    MESSAGE_PARTS,
    RECIPIENTS,
    TAG_CHARACTERS,
    TAG_CHARACTERS_V1,
    Quota,
)

_NOT_IN_BODIES = re.compile("[\ud800-\udfff]")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}")
_CONTENT_ID = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.@-]{1,78}")
_HEADER_NAME = re.compile("[!-9;-~]+")
_HEADER_VALUE = re.compile("[ -~]+")
_UNSUBSCRIBE = re.compile(r"(?:https://|mailto:)[!#-;=?-~]+")
_TAG = re.compile("[A-Za-z0-9_-]+")
_TAG_VALUE_V1 = re.compile("[A-Za-z0-9_.@-]+")

OWN_HEADERS = frozenset(
    {
        "bcc",
        "cc",
        "date",
        "feedback-id",
        "from",
        "message-id",
        "mime-version",
        "reply-to",
        "return-path",
        "subject",
        "to",
    }
)
"""Headers that say what fields of an email or the service say, and cannot be given beside them."""

UNSUBSCRIBE_HEADERS = ("List-Unsubscribe", "List-Unsubscribe-Post")
"""What makes unsubscribing a matter of one click (SES-IDN-3)."""

Pairs = tuple[tuple[str, str], ...]


def _as_tuple(value: str | Sequence[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, (list, tuple)) else cast("tuple[str, ...]", value)


def _check_texts(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    path = f"{type(owner).__name__}.{attribute.name}"
    if not isinstance(value, tuple):
        raise DeclarationError(path, f"{value!r} is neither an address nor a list of addresses")
    for position, item in enumerate(value):
        if not isinstance(item, str):
            raise DeclarationError(f"{path}.{position}", f"{item!r} is not a text")


def _as_pairs(value: Mapping[str, str] | Sequence[tuple[str, str]]) -> Pairs:
    if isinstance(value, Mapping):
        return tuple(value.items())
    if isinstance(value, (list, tuple)):
        return tuple(tuple(pair) if isinstance(pair, (list, tuple)) else pair for pair in value)
    return cast("Pairs", value)


def _check_pairs(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    path = f"{type(owner).__name__}.{attribute.name}"
    if not isinstance(value, tuple):
        raise DeclarationError(path, f"{value!r} is neither a mapping nor a list of names with values")
    for position, pair in enumerate(value):
        if not (isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(part, str) for part in pair)):  # noqa: PLR2004 - a pair
            raise DeclarationError(f"{path}.{position}", f"{pair!r} is not a name and a value, both texts")


@attrs.frozen
class Attachment:
    """A file that comes with an email.

    Args:
        name: of the file.
        content: of the file.
        type: its media type.
        content_id: the name by which the HTML part shows it in place, as `cid:NAME`; None for a file beside the text.

    Raises:
        DeclarationError: a field is of the wrong type, or cannot stand in an email.
    """

    name: str = text(empty=False)
    content: bytes = instance(bytes, "bytes", default=attrs.NOTHING)
    type: str = text("application/octet-stream", kw_only=True)
    content_id: str | None = text(None, optional=True, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if NOT_IN_HEADERS.search(self.name):
            raise DeclarationError("Attachment.name", f"{self.name!r} has a line break or control character")
        if not _MEDIA_TYPE.fullmatch(self.type) or self.type.lower().startswith(("multipart/", "message/")):
            raise DeclarationError(
                "Attachment.type", f"{self.type!r} is not the type of a file; allowed: such as image/png"
            )
        if self.content_id is not None and not _CONTENT_ID.fullmatch(self.content_id):
            raise DeclarationError("Attachment.content_id", f"{self.content_id!r} is not a content id, such as logo")


@attrs.frozen
class Email:
    """One email to send, to each of its recipients once.

    An address is `ann@example.com` or `Ann <ann@example.com>`. Only types are checked here; what the service would
    refuse is refused when the email is sent.

    Args:
        to: address or addresses.
        subject: any Unicode text on one line.
        body: plain text.
        cc: further addresses, named in the email.
        bcc: further addresses, not named in it.
        sender: address; None for the outbox's own.
        html: the same as HTML; an email that has it and no body has no other part.
        reply_to: addresses that answers go to.
        return_path: address that bounces go to.
        headers: further ones, a mapping or a list of names with values (SES-SND-8).
        tags: message tags, which events tell: a mapping or a list of names with values (SES-SND-7).
        attachments: files.
        list_unsubscribe: `https://` and `mailto:` addresses that end a subscription; with the former, one click is
            enough (SES-IDN-3).

    Raises:
        DeclarationError: a field is of the wrong type.
    """

    to: tuple[str, ...] = attrs.field(converter=_as_tuple, validator=_check_texts)
    subject: str = text("")
    body: str = text("")
    cc: tuple[str, ...] = attrs.field(default=(), converter=_as_tuple, validator=_check_texts, kw_only=True)
    bcc: tuple[str, ...] = attrs.field(default=(), converter=_as_tuple, validator=_check_texts, kw_only=True)
    sender: str | None = text(None, optional=True, kw_only=True)
    html: str | None = text(None, optional=True, kw_only=True)
    reply_to: tuple[str, ...] = attrs.field(default=(), converter=_as_tuple, validator=_check_texts, kw_only=True)
    return_path: str | None = text(None, optional=True, kw_only=True)
    headers: Pairs = attrs.field(default=(), converter=_as_pairs, validator=_check_pairs, kw_only=True)
    tags: Pairs = attrs.field(default=(), converter=_as_pairs, validator=_check_pairs, kw_only=True)
    attachments: Sequence[Attachment] = listed(Attachment, "an Attachment", kw_only=True)
    list_unsubscribe: tuple[str, ...] = attrs.field(
        default=(), converter=_as_tuple, validator=_check_texts, kw_only=True
    )

    @property
    def recipients(self) -> tuple[str, ...]:
        """All addresses, in the order to, cc, bcc. Quotas count these (SES-QUO-2)."""
        return self.to + self.cc + self.bcc

    @property
    def one_click(self) -> bool:
        """Whether a recipient can unsubscribe by one click (SES-IDN-3)."""
        return any(address.startswith("https://") for address in self.list_unsubscribe)

    @property
    def parts(self) -> int:
        """Texts and files (SES-QUO-8)."""
        return 1 + (self.html is not None and bool(self.body)) + len(self.attachments)

    @property
    def size(self) -> int:
        """What it has on the wire, in the main [bytes]: texts in UTF-8 and files in Base64, without the service's own.

        Source: SES-QUO-8.
        """
        texts = (self.subject, self.body, self.html or "", *self.recipients, *self.reply_to, *self.list_unsubscribe)
        written = sum(_bytes(each) for each in texts) + sum(
            _bytes(name) + _bytes(value) for name, value in self.headers
        )
        return written + sum(_encoded_bytes(len(each.content)) for each in self.attachments)


class EmailContent(Protocol):
    """What makes an email when somebody looks at it, so that sending one in a large run builds no text."""

    def render(self, message: Any, now: float) -> Email:
        """The email that was sent at `now` [s] because of `message`, both as given to `SendingAccount.try_send`."""
        ...

    def addresses(self, message: Any, now: float) -> tuple[str, ...]:
        """Its recipients, without building the rest of it."""
        ...


class TemplatedContent(EmailContent, Protocol):
    """What makes an email out of a template and data, which need not fit (SES-SND-6)."""

    @property
    def template_name(self) -> str | None:
        """The template's; None if it has none."""
        ...

    def unrendered(self, message: Any, now: float) -> Email:
        """All of the email but its texts."""
        ...

    def failure(self, message: Any, now: float) -> str | None:
        """Why it cannot be rendered; None if it can."""
        ...


def outline(content: Email | EmailContent, cause: object, now: float) -> Email:
    """An email as it is, or all but its texts where they cannot be rendered (SES-SND-6)."""
    if isinstance(content, Email):
        return content
    try:
        return content.render(cause, now)
    except RenderingFailure:
        return cast("TemplatedContent", content).unrendered(cause, now)


def check_email(email: Email, limit: Quota = MESSAGE_BYTES) -> None:
    """Refuse an email as a whole when any part of it cannot be sent.

    Args:
        email: what is to be sent.
        limit: of its size.

    Raises:
        MessageRejected: no recipient or more than 50, too large or of too many parts (SES-QUO-8), an address that
            cannot be (SES-SND-3), or texts that would break the email's format.
        InvalidParameterValue: a header (SES-SND-8) or tag (SES-SND-7) that cannot be.
    """
    recipients = email.recipients
    if not RECIPIENTS.low <= len(recipients) <= RECIPIENTS.high:
        raise MessageRejected(
            f"Recipient count is {len(recipients)}; allowed: {RECIPIENTS.low:g} to {RECIPIENTS.high:g} "
            f"over to, cc and bcc ({RECIPIENTS.rule})"
        )
    for address in (*recipients, *email.reply_to):
        parse_address(address)
    for one in (email.sender, email.return_path):
        if one is not None:
            parse_address(one)
    if NOT_IN_HEADERS.search(email.subject):
        raise MessageRejected(f"the subject {email.subject!r} has a line break or control character")
    if _NOT_IN_BODIES.search(email.body) or _NOT_IN_BODIES.search(email.html or ""):
        raise MessageRejected("the body has half of a surrogate pair, which no encoding carries")
    check_headers(email)
    check_tags(email.tags)
    if email.parts > MESSAGE_PARTS.high:
        raise MessageRejected(
            f"the email has {email.parts} MIME parts; allowed: {MESSAGE_PARTS.high:g} ({MESSAGE_PARTS.rule})"
        )
    if email.size > limit.high:
        raise MessageRejected(f"Message length is more than {limit.high:.0f} bytes long: '{email.size}'.")


def check_headers(email: Email) -> None:
    """Refuse headers that cannot be given.

    Raises:
        InvalidParameterValue: too many or too long, of other characters than printable ASCII, or one that the email's
            own fields make.

    Source: SES-SND-8, SES-IDN-3.
    """
    if len(email.headers) > HEADERS.high:
        raise InvalidParameterValue(f"{len(email.headers)} headers; allowed: {HEADERS.high:g} ({HEADERS.rule})")
    taken = {name.lower() for name in UNSUBSCRIBE_HEADERS} if email.list_unsubscribe else set[str]()
    for name, value in email.headers:
        if not _HEADER_NAME.fullmatch(name) or len(name) > HEADER_NAME.high:
            problem = f"its name; allowed: 1 to {HEADER_NAME.high:g} printable ASCII characters without ':'"
        elif not _HEADER_VALUE.fullmatch(value) or len(value) > HEADER_VALUE.high:
            problem = f"the value {value!r}; allowed: 1 to {HEADER_VALUE.high:g} printable ASCII characters"
        elif len(name) + len(value) > HEADER_BYTES.high:
            problem = f"{len(name) + len(value)} characters; allowed: {HEADER_BYTES.high:g} with its name"
        elif name.lower() in OWN_HEADERS | taken or name.lower().startswith(("content-", "x-ses-")):
            problem = "a name that the email's own fields or the service write"
        else:
            continue
        raise InvalidParameterValue(f"the header {name!r} cannot have {problem} ({HEADER_NAME.rule})")
    for address in email.list_unsubscribe:
        if not _UNSUBSCRIBE.fullmatch(address):
            raise InvalidParameterValue(
                f"{address!r} cannot end a subscription; allowed: https://... and mailto:... (SES-IDN-3)"
            )


def check_tags(tags: Sequence[tuple[str, str]], *, older: bool = False) -> None:
    """Refuse message tags that cannot be; names first, then values.

    Args:
        tags: names with values.
        older: by the rules of the API's version 1.

    Raises:
        InvalidParameterValue: in the service's words.

    Source: SES-SND-7.
    """
    longest = (TAG_CHARACTERS_V1 if older else TAG_CHARACTERS).high
    more = " , '.', '@'" if older else ""
    for word, position, allowed, also in (("name", 0, _TAG, ""), ("value", 1, _TAG_VALUE_V1 if older else _TAG, more)):
        for pair in tags:
            given = pair[position]
            if not given:
                raise InvalidParameterValue(f"The tag {word} must be specified.")
            if len(given) > longest:
                raise InvalidParameterValue(f"Tag {word} cannot exceed {longest:g} characters.")
            if not allowed.fullmatch(given):
                raise InvalidParameterValue(
                    f"Invalid tag {word} <{given}>: only alphanumeric ASCII characters, '_',  '-'{also} are allowed."
                )


def _bytes(written: str) -> int:
    return len(written.encode(errors="surrogatepass"))


def _encoded_bytes(size: int) -> int:
    """What so many bytes become in Base64, in lines of 76 characters."""
    encoded = -(-size // 3) * 4
    return encoded + 2 * -(-encoded // 76)
