"""Ids of groups and for deduplication, as they are made on the way."""

from hashlib import sha256

import pytest

from msgsim.bus.message import id_base
from msgsim.bus.queue import Queue
from msgsim.engine.identifiers import cause, identifying, is_identifier
from msgsim.errors import DeclarationError

NUMBER = id_base("shop") | 7
FIFO = Queue(fifo=True)


def test_an_event_is_a_message_before_there_is_one() -> None:
    message = cause("text", {"kind": "a"}, NUMBER, 2.5, None)
    assert (message.body, message.attributes, message.group_id) == ("text", {"kind": "a"}, None)
    assert (message.number, message.origin_id, message.sent_at, message.origin_at) == (NUMBER, NUMBER, 2.5, 2.5)
    assert message.receive_count == 0
    assert cause("text", None, NUMBER, 2.5, "g").group_id == "g"


@pytest.mark.rule("FIFO-SND-3")
@pytest.mark.parametrize(
    ("text", "is_one"), [("a", True), ("x" * 128, True), ("!~", True), ("", False), ("x" * 129, False), ("a b", False)]
)
def test_an_id_has_1_to_128_letters_digits_and_punctuation(text: str, is_one: bool) -> None:
    assert is_identifier(text) is is_one


@pytest.mark.rule("FIFO-SND-2")
def test_without_a_template_each_id_is_unique() -> None:
    assert identifying(None, FIFO, "path", 0.0) is None


@pytest.mark.rule("FIFO-DUP-3")
def test_or_it_is_the_hash_of_the_body() -> None:
    identify = identifying(None, Queue(fifo=True, content_based_deduplication=True), "path", 0.0)
    assert identify is not None
    assert identify(cause("text", None, NUMBER, 1.0, "g"), 1.0) == sha256(b"text").hexdigest()


def test_a_template_makes_it() -> None:
    identify = identifying("{group}/{n}/{now:g}", FIFO, "path", 0.0)
    assert identify is not None
    assert identify(cause("text", None, NUMBER, 1.0, "g"), 3.0) == "g/7/3"


@pytest.mark.rule("FIFO-SND-3")
def test_a_template_that_makes_no_id_says_what_it_made() -> None:
    identify = identifying("{body}", FIFO, "traffic.shop.deduplication_id", 0.0)
    assert identify is not None
    assert identify(cause("text", None, NUMBER, 1.0, "g"), 1.0) == "text"
    with pytest.raises(DeclarationError) as caught:
        identify(cause("two words", None, NUMBER, 1.0, "g"), 1.0)
    assert str(caught.value) == (
        "traffic.shop.deduplication_id: '{body}' has become 'two words'; allowed: 1 to 128 letters, digits and "
        "punctuation (FIFO-SND-3)"
    )
