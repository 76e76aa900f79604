"""What endpoints that are no queues get, in the forms of their protocols."""

import json
from base64 import b64decode
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from msgsim.bus.notifications import SUBSCRIPTION, UNSUBSCRIPTION, Inbox, confirmation, subscription_arn
from msgsim.bus.publication import ProtocolTexts
from msgsim.bus.queue import Queue
from msgsim.bus.retries import DeliveryPolicy
from msgsim.bus.signing import Signer, text_to_sign
from msgsim.bus.standard import StandardQueue
from msgsim.bus.topic import Subscription, Topic, TopicFanout
from msgsim.errors import DeclarationError, InvalidParameter, UnknownName

ARN = "arn:aws:sns:us-east-1:000000000000:t"
ADDRESSES = {
    "http": "http://shop.example/hook",
    "https": "https://shop.example/hook",
    "lambda": "arn:aws:lambda:us-east-1:000000000000:function:f",
    "email": "jo@example.com",
    "email-json": "robot@example.com",
    "sms": "+15550100",
    "application": "arn:aws:sns:us-east-1:000000000000:endpoint/GCM/a/b",
    "firehose": "arn:aws:firehose:us-east-1:000000000000:deliverystream/s",
}


def topic_of(protocol: str, **fields: Any) -> TopicFanout:
    subscription = Subscription(endpoint=ADDRESSES[protocol], protocol=protocol, **fields)
    queue = StandardQueue(Queue(), "q")
    return TopicFanout(Topic(subscriptions=[subscription, Subscription(endpoint="q")]), "t", endpoints={"q": queue})


def listening(protocol: str, **fields: Any) -> tuple[TopicFanout, Inbox]:
    topic = topic_of(protocol, **fields)
    return topic, topic.listen(ADDRESSES[protocol])


@pytest.mark.rule("SNS-ENV-1")
@pytest.mark.rule("SNS-ENV-3")
@pytest.mark.rule("SNS-ENV-7")
@pytest.mark.parametrize("protocol", ["http", "https"])
def test_an_http_endpoint_gets_a_post_with_the_envelope_of_queues(protocol: str) -> None:
    topic, inbox = listening(protocol)
    id_ = topic.publish("hello", 1.0, subject="s", attributes={"k": "v"})
    (request,) = topic.subscriptions[ADDRESSES[protocol]].received
    assert request.headers == {
        "x-amz-sns-message-type": "Notification",
        "x-amz-sns-message-id": id_,
        "x-amz-sns-topic-arn": ARN,
        "x-amz-sns-subscription-arn": subscription_arn(ARN, protocol, ADDRESSES[protocol]),
        "Content-Type": "text/plain; charset=UTF-8",
    }
    queue: Any = topic.subscriptions["q"].queue
    (delivery,) = queue.receive(1.0)
    fields, of_queue = json.loads(request.body), json.loads(delivery.body)
    assert fields.pop("UnsubscribeURL").endswith(f"={request.headers['x-amz-sns-subscription-arn']}")
    assert of_queue.pop("UnsubscribeURL").startswith("https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe&")
    assert fields == of_queue
    assert list(json.loads(request.body)) == [
        "Type",
        "MessageId",
        "TopicArn",
        "Subject",
        "Message",
        "Timestamp",
        "SignatureVersion",
        "Signature",
        "SigningCertURL",
        "UnsubscribeURL",
        "MessageAttributes",
    ]
    assert (request.at, request.message_id) == (1.0, id_)
    assert delivery.message_id != id_
    inbox.subscription_arn = f"{ARN}:abc"
    inbox.content_type = "application/json"
    (request,) = inbox.received
    assert request.headers["x-amz-sns-subscription-arn"] == f"{ARN}:abc"
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(request.body)["UnsubscribeURL"].endswith(f"SubscriptionArn={ARN}:abc")


@pytest.mark.rule("SNS-ENV-4")
@pytest.mark.parametrize("protocol", ["http", "firehose"])
def test_raw_deliveries_are_the_message_alone(protocol: str) -> None:
    topic, inbox = listening(protocol, raw=True)
    id_ = topic.publish("hello", 1.0, attributes={"k": "v"})
    (request,) = inbox.received
    assert (request.body, request.message_id) == ("hello", id_)
    if protocol == "http":
        assert request.headers["x-amz-sns-rawdelivery"] == "true"
        assert request.headers["x-amz-sns-message-id"] == id_
    else:
        assert request.headers == {}


def test_the_form_follows_the_subscription() -> None:
    topic, inbox = listening("http", raw=True)
    address = ADDRESSES["http"]
    topic.change(address, Subscription(endpoint=address, protocol="http"))
    topic.publish("a", 1.0)
    assert json.loads(inbox.received[0].body)["Message"] == "a"
    topic.change(address, Subscription(endpoint=address, protocol="http", raw=True))
    topic.publish("b", 2.0)
    assert [request.body for request in inbox.received] == ["a", "b"]


@pytest.mark.rule("SNS-ENV-6")
def test_a_function_gets_one_record() -> None:
    topic, inbox = listening("lambda")
    topic.publish("a", 1.0)
    topic.publish("b", 2.0, subject="s", attributes={"n": 1})
    first, second = (json.loads(each.body) for each in inbox.received)
    assert list(first) == ["Records"]
    (record,) = first["Records"]
    assert {key: value for key, value in record.items() if key != "Sns"} == {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription_arn(ARN, "lambda", ADDRESSES["lambda"]),
    }
    assert list(record["Sns"]) == [
        "Type",
        "MessageId",
        "TopicArn",
        "Subject",
        "Message",
        "Timestamp",
        "SignatureVersion",
        "Signature",
        "SigningCertUrl",
        "UnsubscribeUrl",
        "MessageAttributes",
    ]
    assert record["Sns"]["Subject"] is None
    assert record["Sns"]["MessageAttributes"] == {}
    told = second["Records"][0]["Sns"]
    assert told["Subject"] == "s"
    assert told["MessageAttributes"] == {"n": {"Type": "Number", "Value": "1"}}


def test_people_get_emails_and_text_messages() -> None:
    topic, letters = listening("email")
    topic.publish("hello", 1.0)
    topic.publish("hello", 2.0, subject="news")
    assert [each.headers for each in letters.received] == [
        {"Subject": "AWS Notification Message"},
        {"Subject": "news"},
    ]
    assert letters.received[0].body.startswith("hello\n\n--\n")
    assert letters.received[0].body.endswith(
        f"Action=Unsubscribe&SubscriptionArn={subscription_arn(ARN, 'email', ADDRESSES['email'])}\n"
    )
    topic, letters = listening("email-json")
    topic.publish("hello", 1.0, subject="news")
    assert letters.received[0].headers == {"Subject": "news"}
    assert json.loads(letters.received[0].body)["Message"] == "hello"
    for protocol in ("sms", "application"):
        topic, texts = listening(protocol)
        topic.publish("hello", 1.0, subject="news")
        assert [(each.headers, each.body) for each in texts.received] == [({}, "hello")]


@pytest.mark.rule("SNS-PUB-4")
def test_each_protocol_gets_its_own_text() -> None:
    body = json.dumps({"default": "d", "http": "h", "sqs": "q", "lambda": 1})
    for protocol, expected in (("http", "h"), ("https", "d"), ("lambda", "d")):
        topic, inbox = listening(protocol, raw=protocol != "lambda")
        topic.publish(body, 1.0, structure="json", attributes={"k": "v"})
        got = inbox.received[0].body
        assert got == expected if protocol != "lambda" else json.loads(got)["Records"][0]["Sns"]["Message"] == "d"
        queue: Any = topic.subscriptions["q"].queue
        fields = json.loads(queue.receive(1.0)[0].body)
        assert fields["Message"] == "q"
        assert "MessageAttributes" not in fields
    assert ProtocolTexts('{"default": "d"}').text_for("sqs") == "d"
    with pytest.raises(InvalidParameter, match="xml is none; allowed: json"):
        topic.publish(body, 1.0, structure="xml")
    for wrong, problem in (("[]", "failed to parse"), ("{", "failed to parse"), ("{}", "No default entry")):
        with pytest.raises(InvalidParameter, match=problem):
            topic.publish(wrong, 1.0, structure="json")
    assert topic.published == 1


def test_so_many_are_kept_and_all_are_counted() -> None:
    topic = topic_of("http")
    topic.publish("before", 1.0)
    address = ADDRESSES["http"]
    assert topic.subscriptions[address].received == ()
    inbox = topic.listen(address, limit=2)
    for number in range(3):
        topic.publish(f"{number}", 2.0, group_id="g" if number == 1 else None)
    assert [json.loads(each.body)["Message"] for each in inbox.received] == ["1", "2"]
    assert inbox.count == 3
    assert topic.subscriptions["q"].received == ()
    topic.check()
    assert topic.subscriptions[address].delivered == 4


@pytest.mark.rule("SNS-ENV-7")
def test_a_delivery_policy_says_of_what_type_requests_are() -> None:
    plain = "text/plain; charset=UTF-8"
    own = {"delivery_policy": DeliveryPolicy(content_type="application/json")}
    for fields, expected in (({}, plain), ({"delivery_policy": DeliveryPolicy()}, plain), (own, "application/json")):
        topic = topic_of("http", **fields)
        inbox = topic.listen(ADDRESSES["http"])
        topic.publish("x", 1.0)
        assert inbox.received[0].headers["Content-Type"] == expected


def test_what_was_under_way_in_raw_form_is_only_counted() -> None:
    topic = topic_of("http", raw=True, delivery_delay=2.0)
    topic.publish("before", 1.0)
    inbox = topic.listen(ADDRESSES["http"])
    topic.publish("after", 2.0)
    topic.advance(4.0)
    assert inbox.count == 2
    assert [(each.at, each.body) for each in inbox.received] == [(4.0, "after")]


def test_what_cannot_be_listened_to() -> None:
    topic = topic_of("http")
    with pytest.raises(UnknownName, match="nobody"):
        topic.listen("nobody")
    with pytest.raises(DeclarationError, match="'q' is a queue"):
        topic.listen("q")
    for limit in (0, 1.5, None):
        with pytest.raises(DeclarationError, match=r"Inbox\.limit"):
            topic.listen(ADDRESSES["http"], limit=limit)  # type: ignore[arg-type]
    assert topic.subscriptions[ADDRESSES["http"]].queue is None


@pytest.mark.rule("SNS-ENV-7")
def test_endpoints_are_asked_to_confirm() -> None:
    signer = Signer("2")
    given: dict[str, Any] = {"topic_arn": ARN, "number": 7, "token": "tok", "now": 1.0}
    request = confirmation(SUBSCRIPTION, **given, signer=signer)
    fields = json.loads(request.body)
    assert list(fields) == [
        "Type",
        "MessageId",
        "Token",
        "TopicArn",
        "Message",
        "SubscribeURL",
        "Timestamp",
        "SignatureVersion",
        "Signature",
        "SigningCertURL",
    ]
    assert request.headers["x-amz-sns-message-type"] == "SubscriptionConfirmation"
    assert request.headers["x-amz-sns-message-id"] == fields["MessageId"] == request.message_id
    assert "x-amz-sns-subscription-arn" not in request.headers
    assert fields["SubscribeURL"].endswith(f"TopicArn={ARN}&Token=tok")
    assert fields["Timestamp"] == "2026-01-01T00:00:01.000Z"
    key = serialization.load_pem_public_key(signer.public_key_pem)
    assert isinstance(key, rsa.RSAPublicKey)
    signed = text_to_sign(fields)
    assert "SubscribeURL\n" in signed
    key.verify(b64decode(fields["Signature"]), signed.encode(), padding.PKCS1v15(), hashes.SHA256())


@pytest.mark.rule("SNS-ENV-7")
def test_endpoints_are_told_of_the_end_of_a_subscription() -> None:
    given: dict[str, Any] = {"topic_arn": ARN, "number": 7, "token": "tok", "now": 1.0}
    request = confirmation(UNSUBSCRIPTION, **given, subscription_arn=f"{ARN}:abc")
    assert request.headers["x-amz-sns-message-type"] == "UnsubscribeConfirmation"
    assert request.headers["x-amz-sns-subscription-arn"] == f"{ARN}:abc"
    assert f"deactivate subscription {ARN}:abc" in json.loads(request.body)["Message"]
    with pytest.raises(DeclarationError, match="'Notification' is none; allowed: SubscriptionConfirmation, Unsub"):
        confirmation("Notification", **given)
