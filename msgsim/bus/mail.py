"""Emails: what is asked to be sent, what is refused, and what a sent one looks like as a file."""

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, cast, overload

import attrs

from msgsim.bus.message import format_id
from msgsim.declare import text
from msgsim.errors import DeclarationError, MessageRejected
from msgsim.quotas import RECIPIENTS

if TYPE_CHECKING:
    from email.message import EmailMessage
    from os import PathLike
    from pathlib import Path

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NOT_IN_HEADERS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NOT_IN_BODIES = re.compile("[\ud800-\udfff]")


def _as_tuple(value: str | Sequence[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, (list, tuple)) else cast("tuple[str, ...]", value)


def _check_addresses(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    path = f"{type(owner).__name__}.{attribute.name}"
    if not isinstance(value, tuple):
        raise DeclarationError(path, f"{value!r} is neither an address nor a list of addresses")
    for position, item in enumerate(value):
        if not isinstance(item, str):
            raise DeclarationError(f"{path}.{position}", f"{item!r} is not a text")


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

    Raises:
        DeclarationError: a field is of the wrong type.
    """

    to: tuple[str, ...] = attrs.field(converter=_as_tuple, validator=_check_addresses)
    subject: str = text("")
    body: str = text("")
    cc: tuple[str, ...] = attrs.field(default=(), converter=_as_tuple, validator=_check_addresses, kw_only=True)
    bcc: tuple[str, ...] = attrs.field(default=(), converter=_as_tuple, validator=_check_addresses, kw_only=True)
    sender: str | None = text(None, optional=True, kw_only=True)

    @property
    def recipients(self) -> tuple[str, ...]:
        """All addresses, in the order to, cc, bcc. Quotas count these (SES-QUO-2)."""
        return self.to + self.cc + self.bcc


class EmailContent(Protocol):
    """What makes an email when somebody looks at it, so that sending one in a large run builds no text."""

    def render(self, message: Any, now: float) -> Email:
        """The email that was sent at `now` [s] because of `message`, both as given to `SendingAccount.try_send`."""
        ...

    def addresses(self, message: Any, now: float) -> tuple[str, ...]:
        """Its recipients, without building the rest of it."""
        ...


class Address(NamedTuple):
    """The parts of a written address."""

    name: str
    local: str
    domain: str


def parse_address(written: str) -> Address:
    """Take an address apart.

    Raises:
        MessageRejected: it is not `local@domain` or `Name <local@domain>` in printable characters, the address itself
            in ASCII (other domains are written in Punycode).

    Source: SES-SND-3.
    """
    name, spec = "", written
    if written.endswith(">") and "<" in written:
        name, _, spec = written[:-1].rpartition("<")
        name = name.strip()
        if len(name) > 1 and name[0] == name[-1] == '"':
            name = re.sub(r"\\(.)", r"\1", name[1:-1])
    local, at, domain = spec.rpartition("@")
    if _NOT_IN_HEADERS.search(written):
        problem = "it has a line break or control character"
    elif not at:
        problem = "missing final '@domain'"
    elif not _LOCAL.fullmatch(local):
        problem = f"the local part {local!r} has an illegal character or dot, or is empty"
    elif not _DOMAIN.fullmatch(domain):
        problem = f"the domain {domain!r} has an illegal character or dot, or is empty"
    else:
        return Address(name, local, domain)
    raise MessageRejected(f"{written!r} is not an email address: {problem} (SES-SND-3)")


def is_domain(written: str) -> bool:
    """Whether it is a domain's name in ASCII."""
    return _DOMAIN.fullmatch(written) is not None


def check_email(email: Email) -> None:
    """Refuse an email as a whole when any part of it cannot be sent.

    Raises:
        MessageRejected: no recipient or more than 50 (SES-QUO-8), an address that cannot be (SES-SND-3), or a subject
            or body that would break the email's format.
    """
    recipients = email.recipients
    if not RECIPIENTS.low <= len(recipients) <= RECIPIENTS.high:
        raise MessageRejected(
            f"Recipient count is {len(recipients)}; allowed: {RECIPIENTS.low:g} to {RECIPIENTS.high:g} "
            f"over to, cc and bcc ({RECIPIENTS.rule})"
        )
    for address in recipients:
        parse_address(address)
    if email.sender is not None:
        parse_address(email.sender)
    if _NOT_IN_HEADERS.search(email.subject):
        raise MessageRejected(f"the subject {email.subject!r} has a line break or control character")
    if _NOT_IN_BODIES.search(email.body):
        raise MessageRejected("the body has half of a surrogate pair, which no encoding carries")


def compose(email: Email, *, message_id: str, sender: str, sent_at: float) -> "EmailMessage":
    """The email as a recipient would get it: headers without Bcc, and a text body in UTF-8.

    Args:
        email: what was sent.
        message_id: as `SendingAccount.send_email` returned it.
        sender: for an email that names none.
        sent_at: seconds since 1970.

    Raises:
        MessageRejected: the email cannot be sent, see `check_email`.
    """
    from email import message_from_string  # noqa: PLC0415 - keeps `import msgsim` light
    from email.policy import default  # noqa: PLC0415 - as above
    from email.utils import formatdate  # noqa: PLC0415 - as above

    check_email(email)
    headers = [
        (header, ",\n ".join(map(_address_text, written)))
        for header, written in (("From", (email.sender or sender,)), ("To", email.to), ("Cc", email.cc))
        if written
    ]
    headers += [
        ("Subject", _encoded(email.subject, "Subject")),
        ("Date", formatdate(sent_at)),
        ("Message-ID", f"<{message_id}@email.amazonses.com>"),
    ]
    lines = "".join(f"{header}: {value}\n" for header, value in headers)
    message = message_from_string(lines, policy=default.clone(refold_source="none"))
    message.set_content(email.body)
    if "\nFrom " in f"\n{message.get_payload()}":
        message.set_content(email.body, cte="base64")  # else an mbox would turn the line into ">From "
    return message


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


@attrs.frozen(repr=False)
class SentEmail:
    """An email that the account accepted.

    Attributes:
        number: its id as an integer.
        at: when it was accepted [s].
        origin_id: the traffic event that caused it.
        origin_at: when that happened [s].
    """

    number: int
    at: float
    origin_id: int
    origin_at: float
    _content: Email | EmailContent
    _cause: Any
    _sender: str
    _epoch: float

    @property
    def message_id(self) -> str:
        """The id that `send_email` returned (SES-SND-1)."""
        return format_id(self.number)

    @property
    def email(self) -> Email:
        """What was sent; rendered at each look."""
        content = self._content
        return content if isinstance(content, Email) else content.render(self._cause, self.at)

    @property
    def message(self) -> "EmailMessage":
        """The email as a recipient would get it, as the standard library's `email.message.EmailMessage`.

        Raises:
            MessageRejected: a rendered email turns out to be one that cannot be sent.
        """
        sent_at = self._epoch + self.at
        return compose(self.email, message_id=self.message_id, sender=self._sender, sent_at=sent_at)

    def __repr__(self) -> str:
        email = self.email
        return f"<{type(self).__name__} {self.message_id} at={self.at:g} to={email.to!r} subject={email.subject!r}>"


Record: TypeAlias = tuple[int, float, int, float, Email | EmailContent, Any]
"""What is kept of a sent email: number, at, origin_id, origin_at, content, cause. One is made per email: a tuple."""


class SentMail(Sequence[SentEmail]):
    """The latest emails that an account accepted, oldest first: a live view, bounded by `Outbox.record_limit`.

    An index or a slice costs O(record_limit); iteration goes over the emails that are there when it begins.
    """

    __slots__ = ("_epoch", "_records", "_sender")

    def __init__(self, records: deque[Record], *, sender: str, epoch: float) -> None:
        self._records = records
        self._sender = sender
        self._epoch = epoch

    def _sent(self, record: Record) -> SentEmail:
        return SentEmail(*record, self._sender, self._epoch)

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, index: int) -> SentEmail: ...

    @overload
    def __getitem__(self, index: slice) -> list[SentEmail]: ...

    def __getitem__(self, index: int | slice) -> SentEmail | list[SentEmail]:
        if isinstance(index, slice):
            return [self._sent(record) for record in tuple(self._records)[index]]
        return self._sent(self._records[index])

    def __iter__(self) -> Iterator[SentEmail]:
        return map(self._sent, tuple(self._records))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} emails>"

    def save_mbox(self, path: "str | PathLike[str]", *, overwrite: bool = False) -> None:
        """Write the emails to one mbox file.

        Args:
            path: of the file.
            overwrite: replace a file that is there.

        Raises:
            FileExistsError: there is something at `path` and `overwrite` is false.
            MessageRejected: see `SentEmail.message`. Nothing has been written then.
        """
        from email.utils import parsedate_to_datetime  # noqa: PLC0415 - keeps `import msgsim` light
        from mailbox import mbox  # noqa: PLC0415 - as above

        with _replacing(path, "a file", _is_file, overwrite=overwrite) as fresh, closing(mbox(fresh)) as box:
            for sent in self:
                message = sent.message
                envelope = message["From"].addresses[0].addr_spec
                date = parsedate_to_datetime(message["Date"]).ctime()
                box.add(f"From {envelope} {date}\n".encode() + message.as_bytes())

    def save_maildir(self, path: "str | PathLike[str]", *, overwrite: bool = False) -> None:
        """Write the emails to a Maildir, each as one new message that is dated when it was sent.

        Args:
            path: of the folder.
            overwrite: replace a Maildir that is there, with all that is in it.

        Raises:
            FileExistsError: there is something at `path`, and `overwrite` is false or it is not a Maildir.
            MessageRejected: see `SentEmail.message`. Nothing has been written then.
        """
        from mailbox import Maildir, MaildirMessage  # noqa: PLC0415 - keeps `import msgsim` light

        with _replacing(path, "a Maildir", _is_maildir, overwrite=overwrite) as fresh:
            box = Maildir(fresh)
            for sent in self:
                message = MaildirMessage(sent.message.as_bytes())
                message.set_date(self._epoch + sent.at)
                box.add(message)


def _is_file(path: "Path") -> bool:
    return path.is_file()


def _is_maildir(path: "Path") -> bool:
    return all((path / part).is_dir() for part in ("cur", "new", "tmp"))


@contextmanager
def _replacing(
    path: "str | PathLike[str]", kind: str, is_kind: "Callable[[Path], bool]", *, overwrite: bool
) -> "Iterator[Path]":
    """Give a path to write to, which takes the place of `path` when all is written, and leaves no trace otherwise."""
    from pathlib import Path  # noqa: PLC0415 - keeps `import msgsim` light
    from tempfile import TemporaryDirectory  # noqa: PLC0415 - as above

    target = Path(path).resolve()
    if target.exists():
        if not overwrite:
            raise FileExistsError(f"{target} is there already; overwrite=True replaces {kind}")
        if not is_kind(target):
            raise FileExistsError(f"{target} is not {kind}; it is not replaced")
    with TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as room:
        fresh, old = Path(room, "new"), Path(room, "old")
        yield fresh
        if not target.is_dir():
            fresh.replace(target)
            return
        target.rename(old)
        try:
            fresh.rename(target)
        except BaseException:
            old.rename(target)
            raise
