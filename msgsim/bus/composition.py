"""An email as its recipients get it: headers, texts and files, by RFC 5322 and MIME."""

from collections.abc import Iterator
from hashlib import blake2b
from typing import TYPE_CHECKING

from msgsim.bus.addresses import bare_address, parse_address
from msgsim.bus.emails import UNSUBSCRIBE_HEADERS, Attachment, Email, check_email
from msgsim.bus.timestamps import iso_timestamp

if TYPE_CHECKING:
    from email.message import EmailMessage

OUTGOING_IP = "192.0.2.20"
"""Where emails leave from: an address for documents, which is nobody's."""

_ADDRESSES = frozenset({"From", "Reply-To", "To", "Cc"})


def headers_of(email: Email, *, message_id: str, sender: str, sent_at: float) -> list[tuple[str, str]]:
    """The headers that an email goes out with, as one reads them, MIME's left out. Bcc is not among them.

    Args:
        email: what was sent.
        message_id: as `SendingAccount.send_email` returned it.
        sender: for an email that names none.
        sent_at: seconds since 1970.

    Source: SES-EVT-1, SES-SND-8, SES-IDN-3.
    """
    from email.utils import formatdate  # noqa: PLC0415 - keeps `import msgsim` light

    lists = (("From", (email.sender or sender,)), ("Reply-To", email.reply_to), ("To", email.to), ("Cc", email.cc))
    headers = [(name, ", ".join(written)) for name, written in lists if written]
    headers += [
        ("Subject", email.subject),
        ("Date", formatdate(sent_at)),
        ("Message-ID", f"<{message_id}@email.amazonses.com>"),
        *email.headers,
        *_unsubscribing(email),
    ]
    return headers


def compose(email: Email, *, message_id: str, sender: str, sent_at: float) -> "EmailMessage":
    """The email as a recipient would get it: headers without Bcc, its texts in UTF-8, its files.

    The signature of DKIM is left out: nobody has the keys. The same email makes the same bytes.

    Args:
        email: what was sent.
        message_id: as `SendingAccount.send_email` returned it.
        sender: for an email that names none.
        sent_at: seconds since 1970.

    Raises:
        MessageRejected: the email cannot be sent, see `check_email`.
        InvalidParameterValue: the same, for a header or tag.
    """
    from email import message_from_string  # noqa: PLC0415 - keeps `import msgsim` light
    from email.policy import default  # noqa: PLC0415 - as above

    check_email(email)
    lists = {"From": (email.sender or sender,), "Reply-To": email.reply_to, "To": email.to, "Cc": email.cc}
    headers = [
        (name, ",\n ".join(map(_address_text, lists[name])) if name in _ADDRESSES else _encoded(value, name))
        for name, value in headers_of(email, message_id=message_id, sender=sender, sent_at=sent_at)
    ]
    headers += _of_service(email.sender or sender, sent_at)
    lines = "".join(f"{header}: {value}\n" for header, value in headers)
    message = message_from_string(lines, policy=default.clone(refold_source="none"))
    _fill(message, email)
    for position, part in enumerate(part for part in message.walk() if part.is_multipart()):
        part.set_boundary(_boundary(email, f"=_{position}_{message_id}"))
    return message


def content_type(email: Email) -> str:
    """The type of its body as a whole."""
    if any(each.content_id is None or email.html is None for each in email.attachments):
        return "multipart/mixed"
    if email.attachments and not email.body:
        return "multipart/related"
    if email.html is not None:
        return "multipart/alternative" if email.body else 'text/html; charset="utf-8"'
    return 'text/plain; charset="utf-8"'


def _fill(message: "EmailMessage", email: Email) -> None:
    """Put texts and files into it."""
    if email.html is None:
        _set_text(message, email.body, "plain")
    elif not email.body:
        _set_text(message, email.html, "html")
    else:
        _set_text(message, email.body, "plain")
        message.add_alternative(email.html, subtype="html")
        _shield(_html_part(message), email.html, "html")
    for each in email.attachments:
        if each.content_id is not None and email.html is not None:
            part = _html_part(message)
            part.add_related(each.content, *_kind(each), cid=f"<{each.content_id}>", filename=each.name)
        else:
            cid = None if each.content_id is None else f"<{each.content_id}>"
            message.add_attachment(each.content, *_kind(each), cid=cid, filename=each.name)


def _html_part(message: "EmailMessage") -> "EmailMessage":
    """The HTML part, or the parts that it has gathered around it."""
    found: EmailMessage | None = message.get_body(("related", "html"))  # type: ignore[assignment]
    assert found is not None  # noqa: S101 - it has been put in
    return found


def _set_text(message: "EmailMessage", written: str, kind: str) -> None:
    message.set_content(written, subtype=kind)
    _shield(message, written, kind)


def _shield(part: "EmailMessage", written: str, kind: str) -> None:
    if "\nFrom " in f"\n{part.get_payload()}":
        part.set_content(written, subtype=kind, cte="base64")  # else an mbox would turn the line into ">From "


def _kind(attachment: Attachment) -> tuple[str, str]:
    main, _, sub = attachment.type.partition("/")
    return main, sub


def _boundary(email: Email, wanted: str) -> str:
    """What separates parts: no line of them."""
    while wanted in email.body or wanted in (email.html or ""):
        wanted += "_"
    return wanted


def _unsubscribing(email: Email) -> Iterator[tuple[str, str]]:
    """Headers by which a subscription ends, the second one if a click is enough (SES-IDN-3)."""
    if email.list_unsubscribe:
        yield UNSUBSCRIBE_HEADERS[0], ", ".join(f"<{address}>" for address in email.list_unsubscribe)
    if email.one_click:
        yield UNSUBSCRIBE_HEADERS[1], "List-Unsubscribe=One-Click"


def _of_service(sender: str, sent_at: float) -> list[tuple[str, str]]:
    """Headers that the service adds on the way out: whose email it is, for complaints, and when it left from where."""
    domain = bare_address(sender).rpartition("@")[2].lower()
    token = blake2b(domain.encode(), digest_size=16).hexdigest()
    day = iso_timestamp(sent_at).partition("T")[0].replace("-", ".")
    return [("Feedback-ID", f"1.us-east-1.{token}:AmazonSES"), ("X-SES-Outgoing", f"{day}-{OUTGOING_IP}")]


def _address_text(written: str) -> str:
    from email.utils import formataddr  # noqa: PLC0415 - keeps `import msgsim` light

    name, local, domain = parse_address(written)
    spec = f"{local}@{domain}"
    return formataddr((name, spec)) if _is_plain(name) else f"{_encoded(name, 'To')}\n <{spec}>"


def _encoded(words: str, header: str) -> str:
    """Free text in lines of a header, such that readers get every space of it back.

    `EmailMessage` itself loses spaces, and even the quotes of a name, where it breaks a long text that is not ASCII.
    """
    from email.header import Header  # noqa: PLC0415 - keeps `import msgsim` light

    return Header(words, "us-ascii" if _is_plain(words) else "utf-8", header_name=header).encode()


def _is_plain(words: str) -> bool:
    return words.isascii() and words == words.strip() and "=?" not in words
