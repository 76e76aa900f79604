"""Emails as declared, as refused, as a recipient gets them, and as files that the standard library reads again."""

import mailbox
import re
from collections import deque
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgsim.bus.mail import Email, Record, SentMail, check_email, compose, is_domain, parse_address
from msgsim.bus.message import EPOCH, format_id
from msgsim.errors import DeclarationError, MessageRejected

PRINTABLE = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=60)
BODIES = st.text(st.characters(codec="utf-8"), max_size=300)


def sent_mail(*emails: Email, sender: str = "shop@example.com", limit: int = 1_000) -> SentMail:
    records: deque[Record] = deque(maxlen=limit)
    for position, email in enumerate(emails):
        records.append((7 + position, 90.0 * position, 3, 1.5, email, None))
    return SentMail(records, sender=sender, epoch=EPOCH)


def composed(email: Email, sender: str = "shop@example.com") -> EmailMessage:
    return compose(email, message_id="id-1", sender=sender, sent_at=EPOCH)


def body_of(message: object) -> str:
    assert isinstance(message, EmailMessage)
    text = message.get_content()
    assert isinstance(text, str)
    return text


def lines_of(text: str) -> list[bytes]:
    return text.encode().splitlines() or [b""]


def parsed(data: bytes) -> EmailMessage:
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


class TestEmail:
    def test_to_subject_and_body_are_positional(self) -> None:
        email = Email("ann@example.com", "Hi", "Text")
        assert (email.to, email.subject, email.body) == (("ann@example.com",), "Hi", "Text")
        assert (email.cc, email.bcc, email.sender) == ((), (), None)

    def test_recipients_are_those_of_to_cc_and_bcc(self) -> None:
        email = Email(["a@x.org", "b@x.org"], cc="c@x.org", bcc=("d@x.org",))
        assert email.recipients == ("a@x.org", "b@x.org", "c@x.org", "d@x.org")

    def test_it_is_a_value(self) -> None:
        assert Email(["a@x.org"]) == Email("a@x.org")
        assert hash(Email(["a@x.org"])) == hash(Email("a@x.org"))

    @pytest.mark.parametrize(
        ("arguments", "path"),
        [
            ({"to": 5}, "Email.to"),
            ({"to": ["a@x.org", None]}, "Email.to.1"),
            ({"to": "a@x.org", "cc": {"b@x.org"}}, "Email.cc"),
            ({"to": "a@x.org", "bcc": [b"b@x.org"]}, "Email.bcc.0"),
            ({"to": "a@x.org", "subject": None}, "Email.subject"),
            ({"to": "a@x.org", "body": b"text"}, "Email.body"),
            ({"to": "a@x.org", "sender": 1}, "Email.sender"),
        ],
    )
    def test_a_wrong_type_is_refused_by_path(self, arguments: dict[str, object], path: str) -> None:
        with pytest.raises(DeclarationError) as caught:
            Email(**arguments)  # type: ignore[arg-type]
        assert caught.value.path == path


class TestParseAddress:
    @pytest.mark.parametrize(
        ("written", "parts"),
        [
            ("ann@example.com", ("", "ann", "example.com")),
            ("Ann.B+tag@Example.COM", ("", "Ann.B+tag", "Example.COM")),
            ("Ann <ann@example.com>", ("Ann", "ann", "example.com")),
            ("Äńņ Łee <ann@example.com>", ("Äńņ Łee", "ann", "example.com")),
            ('"Lee, \\"Ann\\"" <ann@example.com>', ('Lee, "Ann"', "ann", "example.com")),
            ("<ann@example.com>", ("", "ann", "example.com")),
            ("x@localhost", ("", "x", "localhost")),
        ],
    )
    def test_parts(self, written: str, parts: tuple[str, str, str]) -> None:
        assert parse_address(written) == parts

    @pytest.mark.rule("SES-SND-3")
    @pytest.mark.parametrize(
        ("written", "problem"),
        [
            ("", "Missing final '@domain'"),
            ("ann", "Missing final '@domain'"),
            ("Ann <ann>", "Missing final '@domain'"),
            ("@example.com", "local part ''"),
            ("ann@", "domain ''"),
            ("a@b@example.com", "local part 'a@b'"),
            ("a@x.org, b@x.org", "Local address contains control or whitespace: 'a@x.org, b'"),
            ("ann lee@example.com", "Local address contains control or whitespace"),
            (".ann@example.com", "local part"),
            ("ann.@example.com", "local part"),
            ("a..b@example.com", "local part"),
            ("änn@example.com", "Local address contains control or whitespace"),
            ("ann@exämple.com", "domain"),
            ("ann@.example.com", "domain"),
            ("ann@example..com", "domain"),
            ("ann@example.com.", "domain"),
            ("ann@-example.com", "domain"),
            ("ann@example.com>", "domain"),
            ("ann@example.com\nBcc: eve@example.com", "line break or control character"),
            ("Ann\r\nBcc: eve@example.com <ann@example.com>", "line break or control character"),
            ("ann\x00@example.com", "line break or control character"),
            ("Ann \u2028 <ann@example.com>", "line break or control character"),
            ("\ud800 <ann@example.com>", "line break or control character"),
        ],
    )
    def test_what_is_no_address_is_named_with_its_problem(self, written: str, problem: str) -> None:
        with pytest.raises(MessageRejected, match=r"SES-SND-3") as caught:
            parse_address(written)
        assert repr(written) in str(caught.value)
        assert problem in str(caught.value)

    def test_domains(self) -> None:
        assert is_domain("example.com")
        assert is_domain("xn--exmple-cua.com")
        assert not is_domain("ann@example.com")
        assert not is_domain("exämple.com")
        assert not is_domain("")


class TestCheckEmail:
    @pytest.mark.rule("SES-QUO-8")
    def test_50_recipients_over_to_cc_and_bcc_are_the_most(self) -> None:
        def email(count: int) -> Email:
            some = [f"a{n}@x.org" for n in range(count)]
            return Email(some[:20], cc=some[20:40], bcc=some[40:])

        check_email(email(1))
        check_email(email(50))
        with pytest.raises(MessageRejected, match=re.escape("Recipient count is 51; allowed: 1 to 50")):
            check_email(email(51))
        with pytest.raises(MessageRejected, match="Recipient count is 0"):
            check_email(email(0))

    @pytest.mark.rule("SES-SND-3")
    @pytest.mark.parametrize("field", ["to", "cc", "bcc"])
    def test_one_bad_address_is_enough(self, field: str) -> None:
        addresses = {"to": ["a@x.org"], "cc": ["b@x.org"], "bcc": ["c@x.org"]}
        addresses[field].append("nobody")
        with pytest.raises(MessageRejected, match="'nobody' is not an email address"):
            check_email(Email(**addresses))  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("email", "problem"),
        [
            (Email("a@x.org", sender="me"), "'me' is not an email address"),
            (Email("a@x.org", "Hi\nBcc: eve@example.com"), "the subject 'Hi"),
            (Email("a@x.org", "Hi\r"), "the subject 'Hi"),
            (Email("a@x.org", "\ud83d"), "the subject"),
            (Email("a@x.org", "Hi", "\ud83d"), "surrogate"),
        ],
    )
    def test_what_would_break_the_format_is_refused(self, email: Email, problem: str) -> None:
        with pytest.raises(MessageRejected, match=re.escape(problem)):
            check_email(email)

    def test_a_body_may_hold_anything_else(self) -> None:
        check_email(Email("a@x.org", "tab\tand Ünïcödé", "Bcc: not a header\r\n\n\x00 €"))


class TestCompose:
    def test_headers(self) -> None:
        message = composed(Email(["a@x.org", "Bo Lee <b@x.org>"], "Hi", "Text", cc="c@x.org", bcc="d@x.org"))
        assert message["From"] == "shop@example.com"
        assert message["To"] == "a@x.org, Bo Lee <b@x.org>"
        assert message["Cc"] == "c@x.org"
        assert message["Subject"] == "Hi"
        assert message["Date"] == "Thu, 01 Jan 2026 00:00:00 -0000"
        assert message["Message-ID"] == "<id-1@email.amazonses.com>"
        assert message.get_content_type() == "text/plain"
        assert body_of(message) == "Text\n"

    def test_bcc_is_nowhere_in_it(self) -> None:
        message = composed(Email("a@x.org", bcc="secret@x.org"))
        assert message["Bcc"] is None
        assert b"secret" not in message.as_bytes()

    def test_without_to_and_cc_there_are_no_such_headers(self) -> None:
        message = composed(Email((), bcc="d@x.org"))
        assert message["To"] is None
        assert message["Cc"] is None

    def test_its_own_sender_goes_first(self) -> None:
        assert composed(Email("a@x.org", sender="Me <me@x.org>"))["From"] == "Me <me@x.org>"

    def test_unicode_survives(self) -> None:
        subject, body = ("Überweisung 💶 " * 12).strip(), "Grüße\n" + "€" * 2_000
        message = parsed(composed(Email("Jörg Ü <j@x.org>", subject, body)).as_bytes())
        assert message["Subject"] == subject
        assert message["To"].addresses[0].display_name == "Jörg Ü"
        assert message["To"].addresses[0].addr_spec == "j@x.org"
        assert body_of(message) == body + "\n"

    def test_what_cannot_be_sent_cannot_be_composed(self) -> None:
        with pytest.raises(MessageRejected, match="the subject"):
            composed(Email("a@x.org", "Hi\nBcc: eve@example.com"))

    @given(body=BODIES)
    def test_every_body_survives_up_to_line_endings(self, body: str) -> None:
        message = parsed(composed(Email("a@x.org", "Hi", body)).as_bytes())
        assert lines_of(body_of(message)) == lines_of(body)

    @given(subject=PRINTABLE | st.text(" \taé,=?_", max_size=300))
    def test_every_subject_survives(self, subject: str) -> None:
        assert parsed(composed(Email("a@x.org", subject)).as_bytes())["Subject"] == subject

    @given(subject=PRINTABLE, name=PRINTABLE, extra=PRINTABLE)
    def test_no_text_adds_a_header_or_a_recipient(self, subject: str, name: str, extra: str) -> None:
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        email = Email([f'"{quoted}" <a@x.org>', "b@x.org"], subject, extra)
        message = parsed(composed(email).as_bytes())
        assert [address.addr_spec for address in message["To"].addresses] == ["a@x.org", "b@x.org"]
        headers = ["From", "To", "Subject", "Date", "Message-ID"]
        assert message.keys()[:5] == headers
        assert set(message.keys()[5:]) <= {
            "Feedback-ID",
            "X-SES-Outgoing",
            "Content-Type",
            "Content-Transfer-Encoding",
            "MIME-Version",
        }


class Greeting:
    """Renders on demand, and says how often."""

    def __init__(self) -> None:
        self.rendered = 0

    def render(self, message: str, now: float) -> Email:
        self.rendered += 1
        return Email(f"{message}@x.org", f"at {now:g}")


class TestSentMail:
    def test_it_is_a_sequence_with_the_newest_last(self) -> None:
        sent = sent_mail(Email("a@x.org"), Email("b@x.org"), Email("c@x.org"))
        assert len(sent) == 3
        assert sent[0].email.to == ("a@x.org",)
        assert sent[-1].email.to == ("c@x.org",)
        assert [mail.email.to for mail in sent[1:]] == [("b@x.org",), ("c@x.org",)]
        assert [mail.email.to[0][0] for mail in sent] == ["a", "b", "c"]
        assert sent[1] in sent
        with pytest.raises(IndexError):
            sent[3]
        assert repr(sent) == "<SentMail of 3 emails>"

    def test_what_is_known_of_an_email(self) -> None:
        mail = sent_mail(Email("a@x.org", "Hi"))[0]
        assert (mail.number, mail.at, mail.origin_id, mail.origin_at) == (7, 0.0, 3, 1.5)
        assert mail.message_id == format_id(7)
        assert mail.message["Message-ID"] == f"<{format_id(7)}@email.amazonses.com>"
        assert repr(mail) == f"<SentEmail {format_id(7)} at=0 to=('a@x.org',) subject='Hi'>"

    def test_dates_are_of_simulated_time(self) -> None:
        sent = sent_mail(Email("a@x.org"), Email("a@x.org"))
        assert sent[1].message["Date"] == "Thu, 01 Jan 2026 00:01:30 -0000"

    def test_a_content_is_rendered_when_somebody_looks(self) -> None:
        greeting = Greeting()
        sent = SentMail(deque([(1, 4.0, 1, 4.0, greeting, "ann")]), sender="shop@example.com", epoch=EPOCH)
        mail = sent[0]
        assert greeting.rendered == 0
        assert mail.email == Email("ann@x.org", "at 4")
        assert mail.message["To"] == "ann@x.org"
        assert greeting.rendered == 2


EMAILS = (
    Email("a@x.org", "Überraschung 💌", "Grüße aus Köln", cc="c@x.org", bcc="secret@x.org"),
    Email("Zoë <z@x.org>", "Plain", "From here on\nFrom the top\nlast"),
    Email("a@x.org", ("Long " * 60).strip(), "long " * 400 + "\nFrom the end\n" + "ü" * 300),
    Email("a@x.org", "", ""),
)


def assert_same_as_sent(sent: SentMail, found: list[bytes]) -> None:
    assert len(found) == len(sent)
    for mail, data in zip(sent, found, strict=True):
        message = parsed(data)
        assert message["Message-ID"] == f"<{mail.message_id}@email.amazonses.com>"
        assert message["Subject"] == mail.email.subject
        assert message["Date"] == mail.message["Date"]
        assert lines_of(body_of(message)) == lines_of(mail.email.body)
        assert b"secret" not in data


class TestSaveMbox:
    def read(self, path: Path) -> list[bytes]:
        box = mailbox.mbox(path, create=False)
        found = [box.get_bytes(key) for key in box.keys()]  # noqa: SIM118 - a mailbox iterates over messages
        box.close()
        return found

    def test_the_standard_library_reads_it_again(self, tmp_path: Path) -> None:
        sent = sent_mail(*EMAILS)
        sent.save_mbox(tmp_path / "out.mbox")
        assert_same_as_sent(sent, self.read(tmp_path / "out.mbox"))

    def test_envelopes_are_of_simulated_time(self, tmp_path: Path) -> None:
        sent_mail(*EMAILS[:2], sender="Shop <shop@example.com>").save_mbox(str(tmp_path / "out.mbox"))
        lines = (tmp_path / "out.mbox").read_bytes().splitlines()
        assert [line for line in lines if line.startswith(b"From ")] == [
            b"From shop@example.com Thu Jan  1 00:00:00 2026",
            b"From shop@example.com Thu Jan  1 00:01:30 2026",
        ]

    def test_the_same_emails_make_the_same_file(self, tmp_path: Path) -> None:
        for name in ("one", "two"):
            sent_mail(*EMAILS).save_mbox(tmp_path / name)
        assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()

    def test_no_emails_make_an_empty_file(self, tmp_path: Path) -> None:
        sent_mail().save_mbox(tmp_path / "out.mbox")
        assert (tmp_path / "out.mbox").read_bytes() == b""

    def test_a_file_is_overwritten_only_on_demand(self, tmp_path: Path) -> None:
        path = tmp_path / "out.mbox"
        path.write_text("precious")
        with pytest.raises(FileExistsError, match="overwrite=True replaces a file"):
            sent_mail(*EMAILS).save_mbox(path)
        assert path.read_text() == "precious"
        sent_mail(*EMAILS).save_mbox(path, overwrite=True)
        assert len(self.read(path)) == len(EMAILS)

    def test_a_folder_is_not_overwritten(self, tmp_path: Path) -> None:
        with pytest.raises(FileExistsError, match="is not a file; it is not replaced"):
            sent_mail(*EMAILS).save_mbox(tmp_path, overwrite=True)

    def test_an_email_that_cannot_be_sent_leaves_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(MessageRejected):
            sent_mail(EMAILS[0], Email("nobody")).save_mbox(tmp_path / "out.mbox")
        assert list(tmp_path.iterdir()) == []


class TestSaveMaildir:
    def read(self, path: Path) -> list[bytes]:
        box = mailbox.Maildir(path, create=False)
        found = [box.get_message(key) for key in box.iterkeys()]
        assert all(message.get_subdir() == "new" for message in found)
        return [box.get_bytes(key) for key in box.iterkeys()]

    def test_the_standard_library_reads_it_again(self, tmp_path: Path) -> None:
        sent = sent_mail(*EMAILS)
        sent.save_maildir(tmp_path / "out")
        by_id = {parsed(data)["Message-ID"]: data for data in self.read(tmp_path / "out")}
        assert_same_as_sent(sent, [by_id[f"<{mail.message_id}@email.amazonses.com>"] for mail in sent])

    def test_messages_are_dated_when_they_were_sent(self, tmp_path: Path) -> None:
        sent_mail(*EMAILS[:2]).save_maildir(str(tmp_path / "out"))
        stamps = [file.stat().st_mtime for file in (tmp_path / "out" / "new").iterdir()]
        assert sorted(stamps) == [EPOCH, EPOCH + 90]

    def test_no_emails_make_an_empty_maildir(self, tmp_path: Path) -> None:
        sent_mail().save_maildir(tmp_path / "out")
        assert sorted(part.name for part in (tmp_path / "out").iterdir()) == ["cur", "new", "tmp"]

    def test_a_maildir_is_overwritten_only_on_demand(self, tmp_path: Path) -> None:
        path = tmp_path / "out"
        sent_mail(*EMAILS).save_maildir(path)
        with pytest.raises(FileExistsError, match="overwrite=True replaces a Maildir"):
            sent_mail(EMAILS[0]).save_maildir(path)
        assert len(self.read(path)) == len(EMAILS)
        sent_mail(EMAILS[0]).save_maildir(path, overwrite=True)
        assert len(self.read(path)) == 1
        assert list(tmp_path.iterdir()) == [path]

    def test_another_folder_is_never_overwritten(self, tmp_path: Path) -> None:
        (tmp_path / "precious").write_text("x")
        with pytest.raises(FileExistsError, match="is not a Maildir; it is not replaced"):
            sent_mail(EMAILS[0]).save_maildir(tmp_path, overwrite=True)
        assert (tmp_path / "precious").exists()

    def test_if_the_new_one_cannot_take_its_place_the_old_one_stays(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "out"
        sent_mail(*EMAILS).save_maildir(path)
        rename = Path.rename

        def fail_on_new(self: Path, target: Path) -> Path:
            if self.name == "new" and target == path:
                raise PermissionError(str(target))
            return rename(self, target)

        monkeypatch.setattr(Path, "rename", fail_on_new)
        with pytest.raises(PermissionError):
            sent_mail(EMAILS[0]).save_maildir(path, overwrite=True)
        assert len(self.read(path)) == len(EMAILS)
        assert list(tmp_path.iterdir()) == [path]

    def test_an_email_that_cannot_be_sent_leaves_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(MessageRejected):
            sent_mail(EMAILS[0], Email("nobody")).save_maildir(tmp_path / "out")
        assert list(tmp_path.iterdir()) == []


class TestSearch:
    MAIL = (
        Email("Ann@x.org", "Your order 1"),
        Email("bo@y.org", "Your order 2", cc="ann@z.org"),
        Email("cy@y.org", "Reminder", bcc="dan@x.org"),
    )

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            ({}, [0, 1, 2]),
            ({"to": "ann@"}, [0, 1]),
            ({"to": "@y.org"}, [1, 2]),
            ({"to": "d*x.org"}, [2]),
            ({"subject": "ORDER"}, [0, 1]),
            ({"subject": "your*2"}, [1]),
            ({"subject": "2*your"}, []),
            ({"to": "ann", "subject": "2"}, [1]),
            ({"to": "ann", "subject": "reminder"}, []),
            ({"since": 90}, [1, 2]),
            ({"until": 90}, [0, 1]),
            ({"since": 90.5, "until": 179.5}, []),
        ],
    )
    def test_what_fits_all_that_is_given(self, wanted: dict[str, Any], found: list[int]) -> None:
        sent = sent_mail(*self.MAIL)
        assert [mail.email for mail in sent.search(**wanted)] == [self.MAIL[position] for position in found]

    @pytest.mark.parametrize("field", ["to", "subject"])
    @pytest.mark.parametrize("pattern", [5, ["a"], b"a"])
    def test_a_pattern_is_a_text(self, field: str, pattern: Any) -> None:
        with pytest.raises(DeclarationError, match=rf"search\.{field}: .* is not a text such as"):
            sent_mail(*self.MAIL).search(**{field: pattern})

    def test_what_is_found_can_be_saved(self, tmp_path: Path) -> None:
        sent_mail(*self.MAIL).search(to="ann").save_mbox(tmp_path / "ann.mbox")
        assert (tmp_path / "ann.mbox").read_bytes().count(b"Message-ID: ") == 2

    def test_by_time_alone_nothing_is_rendered(self) -> None:
        greeting = Greeting()
        sent = SentMail(deque([(1, 4.0, 1, 4.0, greeting, "ann")]), sender="shop@example.com", epoch=EPOCH)
        assert len(sent.search(since=4, until=4)) == 1
        assert greeting.rendered == 0
