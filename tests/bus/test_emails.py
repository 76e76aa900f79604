"""What an email may have: headers, tags, files, sizes."""

import re
from typing import Any

import pytest

from msgsim.bus.emails import Attachment, Email, check_email, check_tags
from msgsim.bus.outbox import Outbox, SendingAccount
from msgsim.errors import BusError, DeclarationError, InvalidParameterValue, MessageRejected
from msgsim.quotas import MESSAGE_BYTES_V1


def refusal(**fields: Any) -> str:
    with pytest.raises((InvalidParameterValue, MessageRejected)) as caught:
        check_email(Email("a@x.org", **fields))
    return str(caught.value)


class TestDeclaration:
    def test_names_with_values_are_given_as_mappings_or_lists(self) -> None:
        email = Email("a@x.org", headers={"X-A": "1"}, tags=[["kind", "news"]])  # type: ignore[arg-type]
        assert (email.headers, email.tags) == ((("X-A", "1"),), (("kind", "news"),))
        assert hash(email) == hash(Email("a@x.org", headers=[("X-A", "1")], tags={"kind": "news"}))

    @pytest.mark.parametrize(
        ("fields", "path"),
        [
            ({"headers": 5}, "Email.headers"),
            ({"headers": ["X-A"]}, "Email.headers.0"),
            ({"tags": {"a": 1}}, "Email.tags.0"),
            ({"tags": [("a", "b", "c")]}, "Email.tags.0"),
            ({"reply_to": 5}, "Email.reply_to"),
            ({"attachments": [b"x"]}, "Email.attachments.0"),
            ({"html": b"x"}, "Email.html"),
        ],
    )
    def test_a_wrong_type_is_refused_by_path(self, fields: dict[str, Any], path: str) -> None:
        with pytest.raises(DeclarationError) as caught:
            Email("a@x.org", **fields)
        assert caught.value.path == path

    @pytest.mark.parametrize(
        ("fields", "path"),
        [
            ({"name": ""}, "Attachment.name"),
            ({"name": "a\nb"}, "Attachment.name"),
            ({"content": "text"}, "Attachment.content"),
            ({"type": "image"}, "Attachment.type"),
            ({"type": "image/png\nX: y"}, "Attachment.type"),
            ({"type": "multipart/mixed"}, "Attachment.type"),
            ({"type": "Message/rfc822"}, "Attachment.type"),
            ({"content_id": "a b"}, "Attachment.content_id"),
            ({"content_id": "a>\nX: y"}, "Attachment.content_id"),
        ],
    )
    def test_a_file_that_cannot_be_attached(self, fields: dict[str, Any], path: str) -> None:
        with pytest.raises(DeclarationError) as caught:
            Attachment(**{"name": "a.png", "content": b"", **fields})
        assert caught.value.path == path


@pytest.mark.rule("SES-SND-8")
class TestHeaders:
    def test_the_longest_that_can_be(self) -> None:
        check_email(Email("a@x.org", headers={"X" * 126: "v" * 870}))
        check_email(Email("a@x.org", headers={"X": "v" * 995}))
        check_email(Email("a@x.org", headers=[(f"X-{n}", "v") for n in range(15)]))

    @pytest.mark.parametrize(
        ("name", "value", "problem"),
        [
            ("X" * 127, "v", "its name; allowed: 1 to 126"),
            ("", "v", "its name"),
            ("X-Ä", "v", "its name"),
            ("X:", "v", "its name"),
            ("X\nBcc", "v", "its name"),
            ("X", "", "the value ''"),
            ("X", "v" * 996, "allowed: 1 to 995"),
            ("X", "v\r\nBcc: eve@x.org", "the value"),
            ("X", "v\n", "the value"),
            ("X", "ü", "the value"),
            ("X" * 126, "v" * 871, "997 characters; allowed: 996"),
            ("subject", "v", "own fields or the service write"),
            ("Content-Type", "v", "own fields or the service write"),
            ("X-SES-Outgoing", "v", "own fields or the service write"),
        ],
    )
    def test_what_cannot_be_is_refused(self, name: str, value: str, problem: str) -> None:
        with pytest.raises(InvalidParameterValue, match="SES-SND-8") as caught:
            check_email(Email("a@x.org", headers={name: value}))
        assert problem in str(caught.value)

    def test_15_are_the_most(self) -> None:
        assert "16 headers; allowed: 15" in refusal(headers=[(f"X-{n}", "v") for n in range(16)])


@pytest.mark.rule("SES-IDN-3")
class TestUnsubscribing:
    def test_one_click_needs_a_web_address(self) -> None:
        assert Email("a@x.org", list_unsubscribe=["mailto:u@x.org", "https://x.org/u"]).one_click
        assert not Email("a@x.org", list_unsubscribe="mailto:u@x.org").one_click
        assert not Email("a@x.org").one_click

    @pytest.mark.parametrize("address", ["http://x.org", "https://x.org/ä", "https://", "mailto:a@x.org>\nX: y", "u"])
    def test_other_addresses_are_refused(self, address: str) -> None:
        assert "cannot end a subscription" in refusal(list_unsubscribe=address)

    def test_the_same_header_cannot_be_given_twice(self) -> None:
        headers = {"List-Unsubscribe": "<https://x.org/u>"}
        check_email(Email("a@x.org", headers=headers))
        assert "service write" in refusal(headers=headers, list_unsubscribe="https://x.org/u")


@pytest.mark.rule("SES-SND-7")
class TestTags:
    @pytest.mark.parametrize(
        ("tags", "older", "text"),
        [
            ([("", "v")], True, "The tag name must be specified."),
            ([("n", "")], True, "The tag value must be specified."),
            ([("n" * 256, "v")], True, "Tag name cannot exceed 255 characters."),
            ([("n" * 257, "v")], False, "Tag name cannot exceed 256 characters."),
            ([("n", "v" * 256)], True, "Tag value cannot exceed 255 characters."),
            (
                [("n", "v!")],
                False,
                "Invalid tag value <v!>: only alphanumeric ASCII characters, '_',  '-' are allowed.",
            ),
            ([("n", "v@x")], False, "Invalid tag value <v@x>: only"),
            (
                [("n", "v!")],
                True,
                "Invalid tag value <v!>: only alphanumeric ASCII characters, '_',  '-' , '.', '@' are allowed.",
            ),
            ([("n.", "v")], True, "Invalid tag name <n.>: only alphanumeric ASCII characters, '_',  '-' are allowed."),
            ([("n", ""), ("ä", "v")], True, "Invalid tag name <ä>"),
        ],
    )
    def test_what_cannot_be_is_refused_names_first(self, tags: Any, older: bool, text: str) -> None:
        with pytest.raises(InvalidParameterValue) as caught:
            check_tags(tags, older=older)
        assert str(caught.value).startswith(text)

    def test_what_can_be(self) -> None:
        check_tags([("n" * 255, "a.b@c-_1" + "x" * 247)], older=True)
        check_tags([("n" * 256, "v" * 256)])
        assert "Invalid tag name" in refusal(tags={"a b": "c"})


@pytest.mark.rule("SES-QUO-8")
class TestSizes:
    def test_files_count_as_they_are_encoded(self) -> None:
        assert Email((), attachments=[Attachment("a", b"x" * 57)]).size == 76 + 2
        assert Email((), attachments=[Attachment("a", b"x" * 58)]).size == 80 + 4
        assert Email((), "ä", "b", html="ü", headers={"X": "1"}).size == 7

    def test_40_mb_are_the_most_and_10_by_the_older_api(self) -> None:
        fitting = Email((), bcc="a@x.org", body="x" * (41_943_040 - 7))
        check_email(fitting)
        assert fitting.size == 41_943_040
        with pytest.raises(MessageRejected) as caught:
            check_email(fitting, MESSAGE_BYTES_V1)
        assert str(caught.value) == "Message length is more than 10485760 bytes long: '41943040'."
        assert refusal(body="x" * 41_943_040).startswith("Message length is more than 41943040 bytes long")

    def test_500_parts_are_the_most(self) -> None:
        files = [Attachment("a", b"")] * 499
        check_email(Email("a@x.org", attachments=files))
        assert refusal(html="h", body="b", attachments=files).startswith("the email has 501 MIME parts; allowed: 500")


@pytest.mark.parametrize("field", ["reply_to", "return_path", "sender"])
def test_further_addresses_are_checked_too(field: str) -> None:
    assert "line break" in refusal(**{field: "a@x.org\nBcc: eve@x.org"})


def test_an_html_part_that_no_encoding_carries_is_refused() -> None:
    assert re.search("surrogate", refusal(html="\ud83d"))


@pytest.mark.rule("SES-SND-3")
def test_a_local_part_beyond_ascii_is_refused_in_the_words_of_the_service() -> None:
    with pytest.raises(BusError, match="Local address contains control or whitespace"):
        check_email(Email("jörg@x.org"))


def test_an_outbox_counts_what_it_refuses_for_a_tag() -> None:
    account = SendingAccount(Outbox())
    with pytest.raises(InvalidParameterValue):
        account.send_email(Email(["a@x.org", "b@x.org"], tags={"a b": "c"}), 0.0)
    assert (account.rejected, account.accepted) == (2, 0)
