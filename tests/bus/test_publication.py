"""What a topic accepts, and the envelope that queues get it in."""

import json
from typing import Any

import pytest

from msgsim.bus.message import EPOCH, Message, format_id, id_base
from msgsim.bus.publication import Envelope, check_publish, published_text
from msgsim.bus.topic import Topic, TopicFanout
from msgsim.errors import InvalidParameter


class Template:
    """A content that shows which message it was rendered for."""

    def render(self, message: Message) -> str:
        return f"{message.number} {message.attributes} {message.arrived_at} {message.origin_id} {message.origin_at}"


def _envelope(content: Any, attributes: dict[str, Any] | None = None, subject: str | None = None) -> Envelope:
    envelope = Envelope()
    envelope.route = TopicFanout(Topic(), "orders").route(attributes, subject)
    envelope.number = id_base("orders") + 7
    envelope.content = content
    envelope.published_at = 90.0625
    return envelope


def _message() -> Message:
    message = Message()
    message.number = 5
    message.origin = 3
    message.origin_at = 80.0
    return message


@pytest.mark.rule("SNS-ENV-1")
def test_an_envelope_has_the_keys_of_the_service_in_its_order() -> None:
    envelope = _envelope(
        "é\n", {"kind": "placed", "n": 1.5, "i": 2, "raw": b"\x00\xff", "tags": ["a", 1, True, None]}, "Hi"
    )
    text = envelope.render(_message())
    arn = "arn:aws:sns:us-east-1:000000000000:orders"
    assert list(json.loads(text).items()) == [
        ("Type", "Notification"),
        ("MessageId", format_id(id_base("orders") + 7)),
        ("TopicArn", arn),
        ("Subject", "Hi"),
        ("Message", "é\n"),
        ("Timestamp", "2026-01-01T00:01:30.062Z"),
        ("SignatureVersion", "1"),
        ("Signature", "unsigned"),
        ("SigningCertURL", "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0.pem"),
        (
            "UnsubscribeURL",
            f"https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={arn}:0",
        ),
        (
            "MessageAttributes",
            {
                "kind": {"Type": "String", "Value": "placed"},
                "n": {"Type": "Number", "Value": "1.5"},
                "i": {"Type": "Number", "Value": "2"},
                "raw": {"Type": "Binary", "Value": "AP8="},
                "tags": {"Type": "String.Array", "Value": '["a", 1, true, null]'},
            },
        ),
    ]


@pytest.mark.rule("SNS-ENV-1")
def test_subject_and_attributes_are_left_out_if_there_are_none() -> None:
    keys = list(json.loads(_envelope("x", {}).render(_message())))
    assert keys == [
        "Type",
        "MessageId",
        "TopicArn",
        "Message",
        "Timestamp",
        "SignatureVersion",
        "Signature",
        "SigningCertURL",
        "UnsubscribeURL",
    ]


@pytest.mark.parametrize(("value", "text"), [(True, "[true]"), (False, "[false]"), (None, "[null]")])
def test_a_keyword_counts_as_an_array_of_one(value: object, text: str) -> None:
    attributes = json.loads(_envelope("x", {"k": value}).render(_message()))["MessageAttributes"]
    assert attributes == {"k": {"Type": "String.Array", "Value": text}}


def test_time_stamps_count_from_the_epoch() -> None:
    envelope = _envelope("x")
    envelope.route = TopicFanout(Topic(), "orders", epoch=EPOCH + 86_400).route(None)
    assert json.loads(envelope.render(_message()))["Timestamp"] == "2026-01-02T00:01:30.062Z"


@pytest.mark.rule("SNS-ENV-3")
def test_a_content_is_rendered_for_the_publish_whichever_message_carries_it() -> None:
    envelope = _envelope(Template(), {"k": "a"})
    text = json.loads(envelope.render(_message()))["Message"]
    assert text == f"{id_base('orders') + 7} {{'k': 'a'}} 90.0625 3 80.0"
    assert text == published_text(Template(), {"k": "a"}, envelope.number, 90.0625, 3, 80.0)


def _refusal(body: object, attributes: dict[str, Any] | None = None, subject: object = None) -> str:
    with pytest.raises(InvalidParameter) as caught:
        check_publish(body, attributes, subject)
    return str(caught.value)


@pytest.mark.rule("SNS-PUB-1")
def test_a_message_is_not_empty_and_at_most_256_kib_with_its_attributes() -> None:
    assert _refusal("") == "Invalid parameter: Empty message"
    assert _refusal(b"x") == "Invalid parameter: Message: b'x' is not a text"
    check_publish("x" * 262_144, None, None)
    assert _refusal("x" * 262_145) == "Invalid parameter: Message too long"
    check_publish("é" * 131_072, None, None)
    assert _refusal("é" * 131_072 + "x") == "Invalid parameter: Message too long"
    assert _refusal("\ud800" * 87_382) == "Invalid parameter: Message too long"


@pytest.mark.rule("SNS-PUB-1")
@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ({"kind": "é"}, 4 + 6 + 2),
        ({"n": 12.5}, 1 + 6 + 4),
        ({"é": b"123"}, 2 + 6 + 3),
        ({"tags": ["a", 1]}, 4 + 12 + 8),
        ({"n": 1, "m": "a"}, 8 + 8),
    ],
)
def test_names_types_and_values_of_attributes_count(attributes: dict[str, Any], size: int) -> None:
    check_publish("x" * (262_144 - size), attributes, None)
    assert _refusal("x" * (262_145 - size), attributes) == "Invalid parameter: Message too long"


@pytest.mark.rule("SNS-PUB-2")
@pytest.mark.parametrize("subject", ["a", "1 order", "! x", "x" * 99])
def test_a_subject_is_a_short_line_of_ascii(subject: str) -> None:
    check_publish("x", None, subject)


@pytest.mark.rule("SNS-PUB-2")
@pytest.mark.parametrize("subject", ["", " x", "x" * 100, "é", "a\nb", "a\n", "a\tb", "a\x7f", 1])
def test_other_subjects_are_refused(subject: object) -> None:
    assert _refusal("x", None, subject) == "Invalid parameter: Subject"


@pytest.mark.rule("SNS-PUB-3")
@pytest.mark.parametrize("value", [{"a": 1}, object(), ["a", b"b"], [["a"]]])
def test_an_attribute_has_one_of_the_types(value: object) -> None:
    assert _refusal("x", {"k": value}) == (
        "The message attribute 'k' has an invalid message attribute type, "
        "the set of supported type prefixes is Binary, Number, and String."
    )


def test_what_is_rendered_for_a_publish_knows_its_group() -> None:
    class Group:
        def render(self, message: Message) -> str:
            return f"of {message.group_id}"

    assert published_text(Group(), None, 1, 0.0, 1, 0.0, "tenant") == "of tenant"
    assert published_text(Group(), None, 1, 0.0, 1, 0.0) == "of None"
