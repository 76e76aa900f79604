"""Sent mail: the emails that an account accepted, to look at, to search, and to save as files."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from math import inf
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import attrs

from msgsim.bus.addresses import is_domain, parse_address
from msgsim.bus.composition import compose
from msgsim.bus.emails import Attachment, Email, EmailContent, check_email
from msgsim.bus.message import format_id
from msgsim.errors import DeclarationError

if TYPE_CHECKING:
    from email.message import EmailMessage
    from os import PathLike
    from pathlib import Path

__all__ = [
    "Attachment",
    "Email",
    "EmailContent",
    "Record",
    "SentEmail",
    "SentMail",
    "check_email",
    "compose",
    "is_domain",
    "parse_address",
]

SHOWN_EMAILS = 20
"""How many of the latest emails a notebook shows."""


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

    def _repr_html_(self) -> str:
        from msgsim.bus.preview import message_as_html  # noqa: PLC0415 - notebooks look, runs do not

        return message_as_html(
            self.email, message_id=self.message_id, sender=self._sender, sent_at=self._epoch + self.at
        )


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

    def _repr_html_(self) -> str:
        from msgsim.bus.preview import table_as_html  # noqa: PLC0415 - as above

        latest = self[-SHOWN_EMAILS:]
        return table_as_html([(sent.at, sent.email) for sent in latest], len(self))

    def search(
        self, *, to: str | None = None, subject: str | None = None, since: float = -inf, until: float = inf
    ) -> "SentMail":
        """Those of the emails that are there now and fit all that is given.

        Args:
            to: a part of one of the recipients' addresses, upper or lower case; `*` stands for anything.
            subject: a part of the subject, likewise.
            since: accepted then or later [s].
            until: accepted then or before [s].

        Returns:
            Sent mail of its own, to look at or to save; it does not follow what is sent later.

        Raises:
            DeclarationError: `to` or `subject` is no text.

        Cost: O(record_limit); emails in that time are rendered if `to` or `subject` is given.
        """
        for name, pattern in (("to", to), ("subject", subject)):
            if not (pattern is None or isinstance(pattern, str)):
                raise DeclarationError(f"search.{name}", f"{pattern!r} is not a text such as 'ann*@example.com'")

        def fits(record: Record) -> bool:
            if not since <= record[1] <= until:
                return False
            if to is None and subject is None:
                return True
            email = self._sent(record).email
            return (to is None or any(_has(each, to) for each in email.recipients)) and (
                subject is None or _has(email.subject, subject)
            )

        return SentMail(deque(filter(fits, tuple(self._records))), sender=self._sender, epoch=self._epoch)

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


def _has(text: str, pattern: str) -> bool:
    """Whether the parts of a pattern between its stars are in a text, in this order."""
    text, position = text.casefold(), 0
    for part in pattern.casefold().split("*"):
        found = text.find(part, position)
        if found < 0:
            return False
        position = found + len(part)
    return True


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
