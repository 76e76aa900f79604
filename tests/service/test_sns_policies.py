"""SNS: policies of deliveries and redrive on the wire."""

import copy
import json
import pickle
from typing import Any

import attrs
import pytest

from msgsim.bus.queue import Queue
from msgsim.bus.retries import DeliveryPolicy, subscription_json, topic_json
from msgsim.bus.server import Server
from tests.service.topics import ARN, DAY, QUEUE_ARN, TopicClient

INVALID = "Invalid parameter: "
ON_MAKING = "Attributes Reason: "
WEB = ("https", "https://example.com/hook")
DEAD_ARN = QUEUE_ARN[:-1] + "dead"
REDRIVE = json.dumps({"deadLetterTargetArn": DEAD_ARN})
ONCE = {"healthyRetryPolicy": {"numRetries": 1, "minDelayTarget": 5, "maxDelayTarget": 5}}


def client_with_dead_letters() -> TopicClient:
    client = TopicClient()
    client.account.add_queue("dead", Queue())
    return client


def described(client: TopicClient, arn: str, now: float = 0) -> dict[str, str]:
    found: dict[str, str] = client("GetSubscriptionAttributes", now, SubscriptionArn=arn)["Attributes"]
    return found


def of_topic(client: TopicClient) -> dict[str, str]:
    found: dict[str, str] = client("GetTopicAttributes", TopicArn=ARN)["Attributes"]
    return found


def put(client: TopicClient, arn: str, name: str, value: str, now: float = 0) -> None:
    client("SetSubscriptionAttributes", now, SubscriptionArn=arn, AttributeName=name, AttributeValue=value)


def confirmed(client: TopicClient, now: float = 0, **attributes: str) -> str:
    """An HTTP subscription whose endpoint has confirmed it."""
    arn = client.subscribe(*WEB, now=now, **attributes)
    client("ConfirmSubscription", now, TopicArn=ARN, Token=client.account.tokens[arn])
    return arn


def dead_letters(client: TopicClient, now: float) -> list[str]:
    return [json.loads(each.body)["Message"] for each in client.account.queues["dead"].receive(now, 10)]


class TestDeliveries:
    @pytest.mark.rule("SNS-RTY-7")
    def test_a_topic_has_a_policy_for_those_that_have_none(self) -> None:
        client = TopicClient()
        arn = confirmed(client)
        default = json.dumps(subscription_json(DeliveryPolicy()))
        assert described(client, arn)["EffectiveDeliveryPolicy"] == default
        assert "DeliveryPolicy" not in described(client, arn) | of_topic(client)
        assert json.loads(of_topic(client)["EffectiveDeliveryPolicy"]) == topic_json(DeliveryPolicy())
        written = {"http": {"defaultHealthyRetryPolicy": {"numRetries": 7}, "disableSubscriptionOverrides": True}}
        change = {"TopicArn": ARN, "AttributeName": "DeliveryPolicy"}
        client("SetTopicAttributes", **change, AttributeValue=json.dumps(written))
        expected = topic_json(DeliveryPolicy(retries=7), overrides=True)
        assert json.loads(of_topic(client)["DeliveryPolicy"]) == expected
        assert of_topic(client)["EffectiveDeliveryPolicy"] == of_topic(client)["DeliveryPolicy"]
        put(client, arn, "DeliveryPolicy", json.dumps(ONCE))
        assert json.loads(described(client, arn)["EffectiveDeliveryPolicy"])["healthyRetryPolicy"]["numRetries"] == 7
        assert json.loads(described(client, arn)["DeliveryPolicy"])["healthyRetryPolicy"]["numRetries"] == 1
        client("SetTopicAttributes", **change, AttributeValue="")
        assert "DeliveryPolicy" not in of_topic(client)
        assert described(client, arn)["EffectiveDeliveryPolicy"] == described(client, arn)["DeliveryPolicy"]

    @pytest.mark.rule("SNS-RTY-7")
    @pytest.mark.rule("SNS-TOP-2")
    def test_a_topic_is_made_with_one(self) -> None:
        client = TopicClient()
        written = json.dumps({"http": {"defaultThrottlePolicy": {"maxReceivesPerSecond": 2}}})
        made = {"Name": "u", "Attributes": {"DeliveryPolicy": written}}
        assert client("CreateTopic", **made) == client("CreateTopic", **made) == client("CreateTopic", Name="u")
        assert client.account.topics["u"].declaration.delivery_policy == DeliveryPolicy(max_receives_per_second=2)
        refusal = client.refusal("CreateTopic", Name="u", Attributes={"DeliveryPolicy": "{}"})
        assert refusal[1].endswith("Topic already exists with different attributes")

    @pytest.mark.rule("SNS-RTY-7")
    @pytest.mark.rule("SNS-SUB-4")
    def test_a_subscription_is_made_with_one_and_what_is_null_is_absent(self) -> None:
        client = TopicClient()
        written = json.dumps({**ONCE, "throttlePolicy": None, "requestPolicy": {"headerContentType": None}})
        arn = client.subscribe(*WEB, DeliveryPolicy=written)
        assert client.subscribe(*WEB, DeliveryPolicy=json.dumps(ONCE)) == client.subscribe(*WEB) == arn
        params = {"TopicArn": ARN, "Protocol": WEB[0], "Endpoint": WEB[1]}
        refusal = client.refusal("Subscribe", **params, Attributes={"DeliveryPolicy": ""})
        assert refusal[1].endswith("Subscription already exists with different attributes")
        put(client, arn, "DeliveryPolicy", json.dumps({"healthyRetryPolicy": {"numRetries": 2}}))
        client("ConfirmSubscription", TopicArn=ARN, Token=client.account.tokens[arn])
        live = client.topic.subscriptions[WEB[1]]
        assert live.declaration.delivery_policy == DeliveryPolicy(retries=2)
        put(client, arn, "DeliveryPolicy", "")
        assert live.declaration.delivery_policy is None

    @pytest.mark.rule("SNS-RTY-7")
    @pytest.mark.parametrize(
        "http",
        [
            {"defaultHealthyRetryPolicy": {"numRetries": 7, "minDelayTarget": None}},
            {"defaultHealthyRetryPolicy": {"numRetries": 7}, "defaultThrottlePolicy": None},
            {"defaultHealthyRetryPolicy": {"numRetries": 7}, "defaultThrottlePolicy": {"maxReceivesPerSecond": None}},
        ],
    )
    def test_what_is_null_in_a_topics_policy_is_absent(self, http: dict[str, Any]) -> None:
        client = TopicClient()
        client("CreateTopic", Name="u", Attributes={"DeliveryPolicy": json.dumps({"http": http, "sqs": None})})
        assert client.account.topics["u"].declaration.delivery_policy == DeliveryPolicy(retries=7)

    @pytest.mark.rule("SNS-RTY-3")
    @pytest.mark.rule("SNS-RTY-7")
    def test_deliveries_go_by_it(self) -> None:
        client = client_with_dead_letters()
        confirmed(client)
        topic = client.topic
        declared = attrs.evolve(topic.declaration.subscriptions[0], server=Server(failures={"503": 1}), redrive="dead")
        topic.unsubscribe(WEB[1])
        topic.subscribe(declared, None, client.account.queues["dead"])  # type: ignore[arg-type]
        arn = client.account.subscription_arn("t", *WEB)
        client.publish("x")
        put(client, arn, "DeliveryPolicy", json.dumps(ONCE))
        client.publish("y", 1)
        client.account.advance(5.9)
        assert topic.subscriptions[WEB[1]].delivery_failed == 0
        assert dead_letters(client, 6) == []
        client.account.advance(6)
        assert dead_letters(client, 6) == ["y"]
        client.account.advance(60)
        assert sorted(dead_letters(client, 60)) == ["x", "y"]

    @pytest.mark.rule("SNS-RTY-4")
    @pytest.mark.rule("SNS-RTY-7")
    @pytest.mark.parametrize(
        ("written", "reason"),
        [
            ("{", "failed to parse JSON."),
            ("[]", "failed to parse JSON."),
            ('{"http": {}}', "Unexpected JSON member: http"),
            ('{"throttlePolicy": {"rate": 1}}', "Unexpected JSON member: rate"),
            ('{"throttlePolicy": ' * 400 + "{}" + "}" * 400, "Unexpected JSON member: throttlePolicy"),
            ('{"throttlePolicy": 1}', "throttlePolicy 1 is not a JSON object"),
            (
                '{"healthyRetryPolicy": {"minDelayTarget": 0}}',
                "healthyRetryPolicy.minDelayTarget must be greater than or equal to 1",
            ),
            (
                '{"healthyRetryPolicy": {"numRetries": 101}}',
                "healthyRetryPolicy.numRetries must be less than or equal to 100",
            ),
            (
                '{"throttlePolicy": {"maxReceivesPerSecond": 0}}',
                "throttlePolicy.maxReceivesPerSecond must be greater than or equal to 1",
            ),
            ('{"healthyRetryPolicy": {"numRetries": true}}', "healthyRetryPolicy.numRetries True is not a number"),
            ('{"healthyRetryPolicy": {"numRetries": 1.5}}', "healthyRetryPolicy.numRetries 1.5 is not a whole number"),
            ('{"healthyRetryPolicy": {"numRetries": "3"}}', "healthyRetryPolicy.numRetries '3' is not a number"),
            ('{"healthyRetryPolicy": {"minDelayTarget": 21}}', "healthyRetryPolicy.minDelayTarget 21.0 is not allowed"),
            ('{"healthyRetryPolicy": {"backoffFunction": "x"}}', "healthyRetryPolicy.backoffFunction 'x' is not"),
            (
                '{"healthyRetryPolicy": {"numRetries": 3, "maxDelayTarget": 3600, "numMaxDelayRetries": 2}}',
                "healthyRetryPolicy.numRetries its pauses are 7220 s in all; allowed: up to 3600 s",
            ),
            ('{"healthyRetryPolicy": {"numNoDelayRetries": 4}}', "3 are fewer than the 4 of the phases"),
        ],
    )
    def test_what_is_no_policy_is_refused(self, written: str, reason: str) -> None:
        client = TopicClient()
        params = {"TopicArn": ARN, "Protocol": WEB[0], "Endpoint": WEB[1]}
        refusal = client.refusal("Subscribe", **params, Attributes={"DeliveryPolicy": written})
        assert refusal[0] == "InvalidParameter"
        assert refusal[1].startswith(f"{INVALID}{ON_MAKING}DeliveryPolicy: {reason}")
        arn = client.subscribe(*WEB)
        change = {"SubscriptionArn": arn, "AttributeName": "DeliveryPolicy", "AttributeValue": written}
        refusal = client.refusal("SetSubscriptionAttributes", **change)
        assert refusal[1].startswith(f"{INVALID}DeliveryPolicy: {reason}")

    @pytest.mark.rule("SNS-RTY-4")
    @pytest.mark.rule("SNS-RTY-7")
    @pytest.mark.parametrize(
        ("written", "reason"),
        [
            ("3", "failed to parse JSON."),
            ('{"healthyRetryPolicy": {}}', "Unexpected JSON member: healthyRetryPolicy"),
            ('{"http": 3}', "http 3 is not a JSON object"),
            ('{"http": {"throttlePolicy": {}}}', "Unexpected JSON member: throttlePolicy"),
            (
                '{"http": {"disableSubscriptionOverrides": 1}}',
                "http.disableSubscriptionOverrides 1 is neither true nor",
            ),
            (
                '{"http": {"defaultHealthyRetryPolicy": {"numRetries": 101}}}',
                "http.defaultHealthyRetryPolicy.numRetries must be less than or equal to 100",
            ),
        ],
    )
    def test_what_is_no_policy_of_a_topic_is_refused(self, written: str, reason: str) -> None:
        client = TopicClient()
        refusal = client.refusal("CreateTopic", Name="u", Attributes={"DeliveryPolicy": written})
        assert refusal[1].startswith(f"{INVALID}{ON_MAKING}DeliveryPolicy: {reason}")
        change = {"TopicArn": ARN, "AttributeName": "DeliveryPolicy", "AttributeValue": written}
        refusal = client.refusal("SetTopicAttributes", **change)
        assert refusal[1].startswith(f"{INVALID}DeliveryPolicy: {reason}")
        assert list(client.account.topics) == ["t"]

    @pytest.mark.rule("SNS-RTY-2")
    @pytest.mark.rule("SNS-SUB-8")
    def test_only_http_endpoints_have_one(self) -> None:
        client = TopicClient()
        arn = client.subscribe()
        reason = "DeliveryPolicy: sqs has none; allowed: http, https (SNS-RTY-2)"
        change = {"SubscriptionArn": arn, "AttributeName": "DeliveryPolicy", "AttributeValue": json.dumps(ONCE)}
        assert client.refusal("SetSubscriptionAttributes", **change)[1] == INVALID + reason
        params = {"TopicArn": ARN, "Protocol": "lambda", "Endpoint": "f"}
        refusal = client.refusal("Subscribe", **params, Attributes={"DeliveryPolicy": json.dumps(ONCE)})
        assert refusal[1] == INVALID + ON_MAKING + reason.replace("sqs", "lambda")


class TestRedrive:
    @pytest.mark.rule("SNS-DLQ-1")
    @pytest.mark.rule("SNS-DLQ-2")
    def test_what_a_deleted_queue_cannot_get_is_kept(self) -> None:
        client = client_with_dead_letters()
        arn = client.subscribe(RedrivePolicy=REDRIVE)
        assert json.loads(described(client, arn)["RedrivePolicy"]) == {"deadLetterTargetArn": DEAD_ARN}
        assert client.subscribe(RedrivePolicy=REDRIVE) == client.subscribe() == arn
        client("DeleteQueue", QueueUrl=client.account.queue_url("q"))
        client.publish("x", 1)
        put(client, arn, "RedrivePolicy", "", now=2)
        client.publish("y", 2)
        assert "RedrivePolicy" not in described(client, arn, 2)
        put(client, arn, "RedrivePolicy", REDRIVE, now=3)
        client.publish("z", 3)
        assert dead_letters(client, 4) == ["x", "z"]
        live = client.topic.subscriptions["q"]
        assert (live.delivery_failed, live.delivery_dead_lettered, live.delivery_dropped) == (3, 2, 1)
        client.topic.check()

    @pytest.mark.rule("SNS-DLQ-1")
    def test_a_pending_subscription_remembers_its_queue(self) -> None:
        client = client_with_dead_letters()
        first, dead = client.subscribe("email", "a@b.c", RedrivePolicy=REDRIVE), client.account.queues["dead"]
        second = client.subscribe("email", "d@e.f")
        put(client, second, "RedrivePolicy", REDRIVE)
        client("DeleteQueue", QueueUrl=client.account.queue_url("dead"))
        put(client, first, "FilterPolicy", '{"k": ["a"]}')
        for arn in (first, second):
            client("ConfirmSubscription", TopicArn=ARN, Token=client.account.tokens[arn])
            put(client, arn, "FilterPolicy", '{"k": ["b"]}')
        assert [each._dead_letters for each in client.topic.subscriptions.values()] == [{"dead": dead}] * 2
        again = client.account.add_queue("dead", Queue())
        assert [each._dead_letters for each in client.topic.subscriptions.values()] == [{"dead": again}] * 2

    @pytest.mark.rule("SNS-DLQ-1")
    @pytest.mark.parametrize(
        ("written", "reason"),
        [
            ("{", "failed to parse JSON."),
            ('"x"', "failed to parse JSON."),
            ('{"maxReceiveCount": 3}', "deadLetterTargetArn is an invalid arn"),
            ('{"deadLetterTargetArn": 3}', "deadLetterTargetArn is an invalid arn"),
            (f'{{"deadLetterTargetArn": "{ARN}"}}', "deadLetterTargetArn is an invalid arn"),
            (f'{{"deadLetterTargetArn": "{QUEUE_ARN}x"}}', f"there is no queue {QUEUE_ARN}x: it must be one of this"),
            (
                json.dumps({"deadLetterTargetArn": DEAD_ARN.replace("us-east-1", "us-east-2")}),
                f"there is no queue {DEAD_ARN.replace('us-east-1', 'us-east-2')}: it must be one of this account",
            ),
            (f'{{"deadLetterTargetArn": "{DEAD_ARN}.fifo"}}', f"{DEAD_ARN}.fifo is a FIFO queue; allowed: a standard"),
        ],
    )
    def test_what_is_no_redrive_is_refused(self, written: str, reason: str) -> None:
        client = client_with_dead_letters()
        client.account.add_queue("dead.fifo", Queue(fifo=True))
        params = {"TopicArn": ARN, "Protocol": "sqs", "Endpoint": QUEUE_ARN}
        refusal = client.refusal("Subscribe", **params, Attributes={"RedrivePolicy": written})
        assert refusal[0] == "InvalidParameter"
        assert refusal[1].startswith(f"{INVALID}{ON_MAKING}RedrivePolicy: {reason}")
        assert client.topic.subscriptions == {}
        arn = client.subscribe()
        change = {"SubscriptionArn": arn, "AttributeName": "RedrivePolicy", "AttributeValue": written}
        assert client.refusal("SetSubscriptionAttributes", **change)[1].startswith(f"{INVALID}RedrivePolicy: {reason}")

    @pytest.mark.rule("SNS-DLQ-1")
    def test_a_fifo_subscription_needs_a_fifo_queue(self) -> None:
        client = client_with_dead_letters()
        client.account.add_queue("q.fifo", Queue(fifo=True))
        client("CreateTopic", Name="t.fifo", Attributes={"FifoTopic": "true"})
        params: dict[str, Any] = {"TopicArn": ARN + ".fifo", "Protocol": "sqs", "Endpoint": QUEUE_ARN + ".fifo"}
        refusal = client.refusal("Subscribe", **params, Attributes={"RedrivePolicy": REDRIVE})
        text = "RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic."
        assert refusal == ("InvalidParameter", INVALID + ON_MAKING + text, 400)
        arn = client("Subscribe", **params)["SubscriptionArn"]
        change = {"SubscriptionArn": arn, "AttributeName": "RedrivePolicy", "AttributeValue": REDRIVE}
        assert client.refusal("SetSubscriptionAttributes", **change)[1] == INVALID + text

    @pytest.mark.rule("SNS-DLQ-1")
    @pytest.mark.rule("SNS-DLQ-2")
    @pytest.mark.parametrize("kind", ["", ".fifo"])
    @pytest.mark.parametrize("later", [False, True])
    def test_a_subscription_of_a_fifo_topic_has_dead_letters(self, kind: str, later: bool) -> None:
        client = client_with_dead_letters()
        for name in ("q.fifo", "dead.fifo"):
            client.account.add_queue(name, Queue(fifo=True))
        client("CreateTopic", Name="t.fifo", Attributes={"FifoTopic": "true"})
        redrive = json.dumps({"deadLetterTargetArn": DEAD_ARN + kind})
        params: dict[str, Any] = {"TopicArn": ARN + ".fifo", "Protocol": "sqs", "Endpoint": QUEUE_ARN + kind}
        arn = client("Subscribe", **params, Attributes={} if later else {"RedrivePolicy": redrive})["SubscriptionArn"]
        if later:
            put(client, arn, "RedrivePolicy", redrive)
        assert described(client, arn)["RedrivePolicy"] == redrive
        client("DeleteQueue", QueueUrl=client.account.queue_url("q" + kind))
        given = {"MessageGroupId": "g", "MessageDeduplicationId": "1"}
        client("Publish", 1, TopicArn=ARN + ".fifo", Message="x", **given)
        (letter,) = client.account.queues["dead" + kind].receive(1, 10)
        assert (json.loads(letter.body)["Message"], letter.message.group_id) == ("x", "g")
        topic = client.account.topics["t.fifo"]
        assert (topic.delivery_failed, topic.delivery_dead_lettered) == (1, 1)
        topic.check()


class TestQueuesOfAnAccount:
    def test_a_queue_that_is_made_again_is_found_by_its_subscription(self) -> None:
        client = TopicClient()
        client.subscribe(RawMessageDelivery="true")
        client.publish("1")
        url = client.account.queue_url("q")
        client("DeleteQueue", QueueUrl=url)
        client.publish("2", 1)
        client("CreateQueue", 61, QueueName="q")
        client.publish("3", 62)
        assert [each["Body"] for each in client("ReceiveMessage", 63, QueueUrl=url)["Messages"]] == ["3"]
        live = client.topic.subscriptions["q"]
        assert (live.delivered, live.delivery_failed, live.pending) == (2, 1, 0)
        client.topic.check()

    def test_a_queue_of_another_type_in_its_place_is_not(self) -> None:
        client = TopicClient()
        client.subscribe()
        client("DeleteQueue", QueueUrl=client.account.queue_url("q"))
        client.account.add_queue("q", Queue(fifo=True))
        client.publish("x", 1)
        assert client.topic.subscriptions["q"].delivery_failed == 1

    @pytest.mark.parametrize("copied", [copy.deepcopy, lambda account: pickle.loads(pickle.dumps(account))])  # noqa: S301
    def test_an_account_with_topics_can_be_copied(self, copied: Any) -> None:
        client = client_with_dead_letters()
        client.subscribe(FilterPolicy='{"k": [{"prefix": "a"}]}', RedrivePolicy=REDRIVE)
        client.subscribe(*WEB)
        client("CreateTopic", Name="f.fifo", Attributes={"FifoTopic": "true"})
        twin = TopicClient()
        twin.account = copied(client.account)
        for each in (client, twin):
            for text in "ab":
                each.publish(text, 1, MessageAttributes={"k": {"DataType": "String", "StringValue": text}})
            live = each.topic.subscriptions["q"]
            assert (live.delivered, live.filtered_out) == (1, 1)
            assert each.account.queues["q"].counts(1).visible == 1
            each.topic.check()
        twin("DeleteQueue", 2, QueueUrl=twin.account.queue_url("q"))
        twin.publish("a", 2, MessageAttributes={"k": {"DataType": "String", "StringValue": "a"}})
        assert dead_letters(twin, DAY) == ["a"]
        assert client.account.queues["q"].exists
