"""How emails show themselves in a notebook: everything in them is text there, and no script of theirs runs."""

from collections.abc import Sequence
from html import escape

from msgsim.bus.composition import headers_of
from msgsim.bus.emails import Email

_CELL = ' style="text-align: left; vertical-align: top"'
_FRAME = 'style="width: 100%; height: 24em; border: 1px solid #ccc; background: #fff"'
_TEXT = 'style="white-space: pre-wrap"'


def message_as_html(email: Email, *, message_id: str, sender: str, sent_at: float) -> str:
    """One email: its headers as a table, its text, and its HTML part in a frame that may not do anything.

    Args:
        email: what was sent.
        message_id: as `SendingAccount.send_email` returned it.
        sender: for an email that names none.
        sent_at: seconds since 1970.
    """
    headers = headers_of(email, message_id=message_id, sender=sender, sent_at=sent_at)
    if email.bcc:
        headers.append(("Bcc (not in the email)", ", ".join(email.bcc)))
    headers += [("Attachment", f"{each.name} ({each.type}, {len(each.content)} bytes)") for each in email.attachments]
    rows = "".join(
        f"<tr><th{_CELL}>{_escaped(name)}</th><td{_CELL}>{_escaped(value)}</td></tr>" for name, value in headers
    )
    parts = [f"<table>{rows}</table>"]
    if email.body or email.html is None:
        parts.append(f"<pre {_TEXT}>{_escaped(email.body)}</pre>")
    if email.html is not None:
        # An empty sandbox: no scripts, no forms, an origin of its own. The policy: nothing is fetched from anywhere.
        page = "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        parts.append(f'<iframe sandbox="" {_FRAME} srcdoc="{_escaped(page + email.html)}"></iframe>')
    return f"<div>{''.join(parts)}</div>"


def table_as_html(emails: Sequence[tuple[float, Email]], total: int) -> str:
    """The latest emails, each with when it was accepted [s], of so many in all."""
    names = ("at [s]", "to", "subject")
    head = "".join(f"<th{_CELL}>{name}</th>" for name in names)
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td{_CELL}>{_escaped(value)}</td>" for value in (f"{at:.12g}", ", ".join(email.recipients), email.subject)
        )
        + "</tr>"
        for at, email in emails
    )
    shown = f", the latest {len(emails)} of them" if len(emails) < total else ""
    return f"<div><p>{total} sent emails{shown}</p><table><tr>{head}</tr>{rows}</table></div>"


def _escaped(text: str) -> str:
    return escape(text.encode("utf-8", "backslashreplace").decode())
