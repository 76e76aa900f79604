"""Emails of several parts, with further headers, as a recipient gets them."""

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from msgsim.bus.composition import compose, content_type
from msgsim.bus.emails import Attachment, Email
from msgsim.bus.message import EPOCH

LOGO = Attachment("logo.png", b"\x89PNG", type="image/png", content_id="logo")
FILE = Attachment("Zürich.pdf", b"%PDF" * 40, type="application/pdf")


def written(email: Email) -> bytes:
    return compose(email, message_id="id-1", sender="Shop <shop@example.com>", sent_at=EPOCH).as_bytes()


def sent(email: Email) -> EmailMessage:
    message = message_from_bytes(written(email), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def shape(email: Email) -> list[str]:
    return [part.get_content_type() for part in sent(email).walk()]


@pytest.mark.parametrize(
    ("fields", "types"),
    [
        ({}, ["text/plain"]),
        ({"html": "<b>"}, ["text/html"]),
        ({"body": "b", "html": "<b>"}, ["multipart/alternative", "text/plain", "text/html"]),
        ({"attachments": [FILE]}, ["multipart/mixed", "text/plain", "application/pdf"]),
        ({"attachments": [LOGO]}, ["multipart/mixed", "text/plain", "image/png"]),
        ({"html": "<b>", "attachments": [LOGO]}, ["multipart/related", "text/html", "image/png"]),
        (
            {"body": "b", "html": "<b>", "attachments": [LOGO]},
            ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"],
        ),
        (
            {"body": "b", "html": "<b>", "attachments": [FILE, LOGO, LOGO]},
            [
                *("multipart/mixed", "multipart/alternative", "text/plain", "multipart/related", "text/html"),
                *("image/png", "image/png", "application/pdf"),
            ],
        ),
    ],
)
def test_parts(fields: dict[str, object], types: list[str]) -> None:
    email = Email("a@x.org", **fields)  # type: ignore[arg-type]
    assert shape(email) == types
    assert content_type(email).partition(";")[0] == types[0]


def test_files_are_what_they_were() -> None:
    found = list(sent(Email("a@x.org", "s", "b", attachments=[FILE])).iter_attachments())
    assert [(each.get_filename(), each.get_content()) for each in found] == [("Zürich.pdf", FILE.content)]
    logo = list(sent(Email("a@x.org", html="<img src='cid:logo'>", attachments=[LOGO])).walk())[-1]
    assert logo["Content-ID"] == "<logo>"


def test_headers_and_their_order() -> None:
    email = Email(
        "a@x.org",
        "Hi",
        reply_to=["r@x.org", "Ö <s@x.org>"],
        return_path="bounces@x.org",
        headers={"X-Campaign": "spring"},
        list_unsubscribe=["https://x.org/u?id=1", "mailto:u@x.org"],
    )
    message = sent(email)
    assert message["Reply-To"] == "r@x.org, Ö <s@x.org>"
    assert message["X-Campaign"] == "spring"
    assert message["X-SES-Outgoing"] == "2026.01.01-192.0.2.20"
    assert message["Feedback-ID"].startswith("1.us-east-1.")
    assert message["Feedback-ID"].endswith(":AmazonSES")


@pytest.mark.rule("SES-IDN-3")
def test_one_click_is_two_headers() -> None:
    message = sent(Email("a@x.org", list_unsubscribe=["https://x.org/u", "mailto:u@x.org"]))
    assert message["List-Unsubscribe"] == "<https://x.org/u>, <mailto:u@x.org>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    message = sent(Email("a@x.org", list_unsubscribe="mailto:u@x.org"))
    assert message["List-Unsubscribe"] == "<mailto:u@x.org>"
    assert message["List-Unsubscribe-Post"] is None


def test_the_same_email_makes_the_same_bytes() -> None:
    email = Email("a@x.org", "s", "b", html="<b>", attachments=[FILE, LOGO])
    assert written(email) == written(email)


def test_no_text_ends_a_part() -> None:
    body = "before\n--=_0_id-1\nContent-Type: text/evil\n\nafter"
    message = sent(Email("a@x.org", "s", body, html="x =_0_id-1_"))
    plain = message.get_body(("plain",))
    assert plain is not None
    assert plain.get_content() == body + "\n"


def test_lines_that_begin_with_from_survive_a_mailbox() -> None:
    data = written(Email("a@x.org", "s", "From here", html="a\nFrom there"))
    assert b"\nFrom " not in data
    assert len(data) > 1
