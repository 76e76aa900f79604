"""SNS by its own names."""

import json
from typing import Any

import pytest

from msgsim.bus.queue import Queue
from msgsim.bus.topic import Subscription, Topic, TopicFanout
from msgsim.errors import ServiceError, Throttled
from msgsim.service.account import Account
from msgsim.service.requests import call
from msgsim.service.sns_refusals import SNS

ARN = "arn:aws:sns:us-east-1:123456789012:t"
QUEUE_ARN = "arn:aws:sqs:us-east-1:123456789012:q"


class Client:
    """An account with one topic and one queue, and calls about them."""

    def __init__(self) -> None:
        self.account = Account()
        self("CreateTopic", Name="t")
        self.queue = self.account.add_queue("q", Queue())

    def __call__(self, operation: str, now: float = 0, **params: Any) -> dict[str, Any]:
        return call(self.account, operation, params, now)

    def subscribe(self, protocol: str = "sqs", endpoint: str = QUEUE_ARN, **attributes: str) -> str:
        params: dict[str, Any] = {"Attributes": attributes} if attributes else {}
        answer = self("Subscribe", TopicArn=ARN, Protocol=protocol, Endpoint=endpoint, **params)
        return str(answer["SubscriptionArn"])

    def publish(self, message: str = "x", **params: Any) -> str:
        return str(self("Publish", TopicArn=ARN, Message=message, **params)["MessageId"])

    def refusal(self, operation: str, now: float = 0, **params: Any) -> tuple[str, str, int]:
        with pytest.raises(ServiceError) as caught:
            self(operation, now, **params)
        return caught.value.code, caught.value.message, caught.value.status

    def subscription_refusal(self, protocol: str = "sqs", endpoint: str = QUEUE_ARN, **attributes: str) -> str:
        code, message, status = self.refusal(
            "Subscribe", TopicArn=ARN, Protocol=protocol, Endpoint=endpoint, Attributes=attributes
        )
        assert (code, status) == ("InvalidParameter", 400)
        return message

    @property
    def topic(self) -> TopicFanout:
        return self.account.topics["t"]


# ---------------------------------------------------------------- topics


@pytest.mark.rule("SNS-TOP-2")
def test_a_topic_is_made_once() -> None:
    client = Client()
    live = client.topic
    assert client("CreateTopic", Name="t") == {"TopicArn": ARN}
    for attributes in ({}, {"FifoTopic": "false"}):
        assert client("CreateTopic", Name="t", Attributes=attributes) == {"TopicArn": ARN}
    assert client.topic is live
    assert client("CreateTopic", Name="T") == {"TopicArn": "arn:aws:sns:us-east-1:123456789012:T"}


@pytest.mark.rule("SNS-TOP-1")
def test_a_name_that_cannot_be_is_refused() -> None:
    client = Client()
    refusal = ("InvalidParameter", "Invalid parameter: Topic Name", 400)
    for name in ("", "a/b", "a.fifo", "a b", "a" * 257, "é"):
        assert client.refusal("CreateTopic", Name=name) == refusal
    for name in ("a", ".fifo", "a" * 252 + ".fifo"):
        assert client.refusal("CreateTopic", Name=name, Attributes={"FifoTopic": "true"}) == refusal
    client("CreateTopic", Name="a" * 256)


def test_what_is_not_modelled_yet_is_refused_clearly() -> None:
    client = Client()
    for name, attributes, text in (
        ("a", {"FifoTopic": "yes"}, "FifoTopic: Invalid value [yes]. Must be true or false."),
        (
            "a",
            {"FifoTopic": "false", "Beauty": "A"},
            (
                "Beauty: not modelled; allowed: DeliveryPolicy, DisplayName, KmsMasterKeyId, Policy, SignatureVersion, "
                "TracingConfig"
            ),
        ),
    ):
        refusal = client.refusal("CreateTopic", Name=name, Attributes=attributes)
        assert refusal == ("InvalidParameter", f"Invalid parameter: Attributes Reason: {text}", 400)
    assert list(client.account.topics) == ["t"]


@pytest.mark.rule("SNS-TOP-4")
@pytest.mark.rule("GEN-3")
def test_an_unknown_topic_is_not_found() -> None:
    client = Client()
    refusal = ("NotFound", "Topic does not exist", 404)
    for arn in (ARN + "x", "t", ARN.replace("us-east-1", "us-east-2")):
        assert client.refusal("Publish", TopicArn=arn, Message="x") == refusal
        assert client.refusal("Subscribe", TopicArn=arn, Protocol="sqs", Endpoint=QUEUE_ARN) == refusal
        assert client.refusal("Publish", TargetArn=arn, Message="x") == (
            "InvalidParameter",
            "Invalid parameter: TargetArn Reason: No endpoint found for the target arn specified",
            400,
        )


# ---------------------------------------------------------------- subscriptions


@pytest.mark.rule("SNS-ENV-1")
@pytest.mark.rule("SNS-ENV-3")
def test_a_subscribed_queue_gets_what_is_published() -> None:
    client = Client()
    client.publish("too early")
    arn = client.subscribe()
    assert arn.startswith(ARN + ":")
    id_ = client.publish("x", Subject="Hi", MessageAttributes={"n": {"DataType": "Number", "StringValue": "1.50"}})
    (delivery,) = client.queue.receive(1, 10)
    fields = json.loads(delivery.body)
    assert (fields["TopicArn"], fields["MessageId"], fields["Message"], fields["Subject"]) == (ARN, id_, "x", "Hi")
    assert fields["MessageAttributes"] == {"n": {"Type": "Number", "Value": "1.50"}}
    assert delivery.message_id != id_
    client.topic.check()


@pytest.mark.rule("SNS-ENV-4")
def test_raw_delivery_passes_attributes_on_as_they_were_written() -> None:
    client = Client()
    client.subscribe(RawMessageDelivery="true")
    wires = {
        "kind": {"DataType": "String.Array", "StringValue": '["a",1]'},
        "n": {"DataType": "Number.int", "StringValue": "7"},
        "b": {"DataType": "Binary", "BinaryValue": b"\x00"},
    }
    client.publish("x", MessageAttributes=wires)
    url = client.account.queue_url("q")
    (message,) = client("ReceiveMessage", QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    assert (message["Body"], message["MessageAttributes"]) == ("x", wires)


@pytest.mark.rule("SNS-SUB-5")
def test_a_fifo_queue_cannot_subscribe_to_a_standard_topic() -> None:
    client = Client()
    client.account.add_queue("q.fifo", Queue(fifo=True))
    assert client.subscription_refusal(endpoint=f"{QUEUE_ARN}.fifo") == (
        "Invalid parameter: Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS "
        "topics"
    )
    assert client.topic.subscriptions == {}


@pytest.mark.rule("SNS-FLT-5")
def test_a_filter_policy_is_a_json_text() -> None:
    client = Client()
    client.subscribe(FilterPolicy='{"kind": ["placed"]}', RawMessageDelivery="true")
    for body, value in (("1", '["shipped", "placed"]'), ("2", '["shipped"]'), ("3", '"placed"')):
        client.publish(body, MessageAttributes={"kind": {"DataType": "String.Array", "StringValue": value}})
    client.publish("4", MessageAttributes={"kind": {"DataType": "String", "StringValue": "placed"}})
    assert [each.body for each in client.queue.receive(1, 10)] == ["1", "4"]
    assert client.topic.subscriptions["q"].filtered_out == 2


@pytest.mark.rule("SNS-FLT-6")
def test_a_filter_policy_can_be_about_the_body() -> None:
    client = Client()
    client.subscribe(FilterPolicy='{"kind": ["placed"]}', FilterPolicyScope="MessageBody", RawMessageDelivery="true")
    for body in ('{"kind": "placed"}', '{"kind": "shipped"}'):
        client.publish(body)
    assert [each.body for each in client.queue.receive(1, 10)] == ['{"kind": "placed"}']


@pytest.mark.rule("SNS-SUB-1")
def test_other_endpoints_are_counted() -> None:
    client = Client()
    client.subscribe("lambda", "arn:aws:lambda:us-east-1:123456789012:function:f")
    client.subscribe("sms", "+15550100")
    client.publish()
    assert {name: each.delivered for name, each in client.topic.subscriptions.items()} == {
        "arn:aws:lambda:us-east-1:123456789012:function:f": 1,
        "+15550100": 1,
    }


@pytest.mark.rule("SNS-SUB-4")
def test_a_subscription_is_made_once() -> None:
    client = Client()
    attributes = {"FilterPolicy": '{"n": [1]}', "RawMessageDelivery": "true"}
    arn = client.subscribe(**attributes)
    assert client.subscribe() == client.subscribe(**attributes) == arn
    assert client.subscribe(FilterPolicy='{ "n":[ 1 ] }', RawMessageDelivery="true") == arn
    assert client.subscribe("lambda", "q") != arn
    for other in (
        {"RawMessageDelivery": "true"},
        {**attributes, "FilterPolicy": '{"n": [true]}'},
        {**attributes, "FilterPolicyScope": "MessageBody"},
    ):
        text = "Invalid parameter: Attributes Reason: Subscription already exists with different attributes"
        assert client.subscription_refusal(**other) == text
    assert len(client.topic.subscriptions) == 2


@pytest.mark.rule("SNS-SUB-4")
def test_what_the_service_does_not_know_of_a_subscription_makes_no_difference() -> None:
    client = Client()
    declared = Subscription(endpoint="q", raw=True, delivery_delay=3)
    client.account.topics["t"] = TopicFanout(Topic(subscriptions=(declared,)), "t", endpoints={"q": client.queue})
    client.subscribe(RawMessageDelivery="true")
    client.publish()
    assert client("ReceiveMessage", 2.9, QueueUrl=client.account.queue_url("q")) == {}
    (message,) = client("ReceiveMessage", 4, QueueUrl=client.account.queue_url("q"), AttributeNames=["All"])["Messages"]
    assert message["Attributes"]["SentTimestamp"] == client.account.milliseconds(3)


@pytest.mark.rule("SNS-SUB-1")
@pytest.mark.parametrize(
    ("protocol", "endpoint", "message"),
    [
        ("smoke", "a", "Invalid parameter: Amazon SNS does not support this protocol string: smoke"),
        ("sqs", "https://sqs.us-east-1.amazonaws.com/123456789012/q", "Invalid parameter: SQS endpoint ARN"),
        (
            "sqs",
            QUEUE_ARN + "x",
            (
                f"Invalid parameter: Endpoint Reason: there is no queue {QUEUE_ARN}x: create it first, as nothing "
                "models its absence yet"
            ),
        ),
        ("lambda", "", "Invalid parameter: Endpoint Reason: must not be empty"),
        ("sms", "5550100", "Invalid parameter: Endpoint Reason: 5550100 is no telephone number such as +14255550123"),
    ],
)
def test_an_endpoint_that_cannot_be_is_refused(protocol: str, endpoint: str, message: str) -> None:
    assert Client().subscription_refusal(protocol, endpoint) == message


@pytest.mark.rule("SNS-FLT-1")
@pytest.mark.rule("SNS-FLT-10")
@pytest.mark.rule("SNS-SUB-8")
@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"FilterPolicy": "{"}, "FilterPolicy: failed to parse JSON"),
        ({"FilterPolicy": "null"}, "FilterPolicy: failed to parse JSON"),
        ({"FilterPolicy": '{"k": []}'}, "FilterPolicy: Empty arrays are not allowed"),
        ({"FilterPolicy": '{"k": "a"}'}, 'FilterPolicy: "k" must be an object or an array'),
        (
            {"FilterPolicyScope": "Body"},
            "FilterPolicyScope: Invalid value [Body]. Please use either MessageBody or MessageAttributes",
        ),
        ({"RawMessageDelivery": "1"}, "RawMessageDelivery: Invalid value [1]. Must be true or false."),
        (
            {"Beauty": "x"},
            "Beauty: not modelled; allowed: DeliveryPolicy, FilterPolicy, FilterPolicyScope, RawMessage",
        ),
    ],
)
def test_attributes_that_cannot_be_are_refused(attributes: dict[str, str], reason: str) -> None:
    client = Client()
    assert client.subscription_refusal(**attributes).startswith(f"Invalid parameter: Attributes Reason: {reason}")
    assert client.topic.subscriptions == {}


@pytest.mark.rule("SNS-SUB-8")
def test_raw_delivery_is_for_some_protocols() -> None:
    message = Client().subscription_refusal("email", "a@example.com", RawMessageDelivery="true")
    assert message.startswith("Invalid parameter: Attributes Reason: RawMessageDelivery: email has no raw delivery")


# ---------------------------------------------------------------- publishes


@pytest.mark.rule("SNS-PUB-1")
def test_a_topic_may_be_the_target() -> None:
    client = Client()
    client("Publish", TargetArn=ARN, Message="x")
    assert client.topic.published == 1
    text = "Invalid parameter: TopicArn or TargetArn Reason: "
    none, both = text + "no value for required parameter", text + "only one of them may be given"
    assert client.refusal("Publish", Message="x") == ("InvalidParameter", none, 400)
    assert client.refusal("Publish", Message="x", TopicArn=ARN, TargetArn=ARN) == ("InvalidParameter", both, 400)


@pytest.mark.rule("SNS-PUB-1")
@pytest.mark.rule("SNS-PUB-2")
@pytest.mark.rule("SNS-PUB-3")
@pytest.mark.rule("SNS-PUB-7")
def test_a_publish_that_cannot_be_is_refused() -> None:
    client = Client()
    for params, code, message in (
        ({}, "InvalidParameter", "Invalid parameter: Message Reason: no value for required parameter"),
        ({"Message": ""}, "InvalidParameter", "Invalid parameter: Empty message"),
        ({"Message": "x" * 262_145}, "InvalidParameter", "Invalid parameter: Message too long"),
        ({"Message": "x", "Subject": "\n"}, "InvalidParameter", "Invalid parameter: Subject"),
        (
            {"Message": "x", "MessageDeduplicationId": "d"},
            "InvalidParameter",
            (
                "Invalid parameter: MessageDeduplicationId Reason: The request includes MessageDeduplicationId "
                "parameter that is not valid for this topic type"
            ),
        ),
        (
            {"Message": "x", "MessageAttributes": {"k": {"DataType": "Text", "StringValue": "x"}}},
            "ParameterValueInvalid",
            (
                "The message attribute 'k' has an invalid message attribute type, the set of supported type prefixes "
                "is Binary, Number, and String."
            ),
        ),
    ):
        assert client.refusal("Publish", TopicArn=ARN, **params) == (code, message, 400)
    client.publish(MessageGroupId="tenant")
    assert client.topic.published == 1


@pytest.mark.rule("SNS-QUO-3")
def test_a_throttled_call_has_its_code_and_status() -> None:
    refusal = SNS.refusal(Throttled("Rate exceeded"))
    assert (refusal.code, refusal.message, refusal.status) == ("Throttled", "Rate exceeded", 429)
