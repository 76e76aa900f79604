"""Emails in a notebook: nothing that they say becomes markup of the page."""

from collections import deque

from msgsim.bus.emails import Attachment, Email
from msgsim.bus.mail import Record, SentMail
from msgsim.bus.message import EPOCH


def sent_mail(*emails: Email) -> SentMail:
    records: deque[Record] = deque((n, 60.0 * n, n, 0.0, email, None) for n, email in enumerate(emails))
    return SentMail(records, sender="shop@example.com", epoch=EPOCH)


def shown(email: Email) -> str:
    return sent_mail(email)[0]._repr_html_()


def test_an_email_shows_headers_text_and_files() -> None:
    html = shown(Email("a@x.org", "Hi", "Text", bcc="d@x.org", attachments=[Attachment("a.txt", b"abc")]))
    for words in ("shop@example.com", "Hi</td>", ">Text</pre>", "d@x.org", "a.txt (application/octet-stream, 3 bytes)"):
        assert words in html
    assert "iframe" not in html


def test_everything_is_escaped() -> None:
    evil = "<script>'\"&"
    html = shown(Email(f"{evil} <a@x.org>", evil, evil, html=f'"></iframe>{evil}', attachments=[Attachment(evil, b"")]))
    assert "<script" not in html
    assert html.count("</iframe>") == 1


def test_the_html_part_stands_in_a_frame_that_may_do_nothing() -> None:
    html = shown(Email("a@x.org", html="<p>Hi</p>"))
    assert '<iframe sandbox="" ' in html
    assert "default-src &#x27;none&#x27;" in html
    assert "&lt;p&gt;Hi&lt;/p&gt;" in html
    assert "<pre" not in html
    assert "<pre" in shown(Email("a@x.org", "s", "b", html="<p>"))


def test_half_a_character_is_shown_as_an_escape() -> None:
    assert "\\ud83d" in shown(Email("a@x.org", "\ud83d"))


def test_sent_mail_is_a_table_of_the_latest() -> None:
    mail = sent_mail(*(Email(f"a{n}@x.org", f"<{n}>") for n in range(25)))
    html = mail._repr_html_()
    assert "25 sent emails, the latest 20 of them" in html
    assert html.count("<tr>") == 21
    assert "&lt;24&gt;" in html
    assert "a4@x.org" not in html
    assert "1 sent emails</p>" in sent_mail(Email("a@x.org"))._repr_html_()
    assert "0 sent emails</p>" in sent_mail()._repr_html_()
