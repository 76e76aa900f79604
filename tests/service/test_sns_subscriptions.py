"""SNS: subscriptions."""

import json
from math import inf, nextafter
from typing import Any

import pytest

from msgsim.errors import DeclarationError
from msgsim.service.sns_subscriptions import ATTRIBUTES
from tests.service.topics import ARN, DAY, QUEUE_ARN, TopicClient

GONE = ("NotFound", "Subscription does not exist", 404)
MAIL = ("email", "a@example.com")


def _attributes(client: TopicClient, arn: str, now: float = 0) -> dict[str, str]:
    found: dict[str, str] = client("GetSubscriptionAttributes", now, SubscriptionArn=arn)["Attributes"]
    return found


def _set(client: TopicClient, arn: str, name: str, value: str, now: float = 0) -> None:
    client("SetSubscriptionAttributes", now, SubscriptionArn=arn, AttributeName=name, AttributeValue=value)


def _set_refusal(client: TopicClient, arn: str, name: str, value: str) -> str:
    params = {"SubscriptionArn": arn, "AttributeName": name, "AttributeValue": value}
    code, message, status = client.refusal("SetSubscriptionAttributes", 0, **params)
    assert (code, status) == ("InvalidParameter", 400)
    return message


@pytest.mark.rule("SNS-SUB-2")
@pytest.mark.parametrize("protocol", ["http", "https", "email", "email-json"])
def test_v18_what_is_published_before_the_confirmation_is_never_delivered(protocol: str) -> None:
    client = TopicClient()
    request = {"TopicArn": ARN, "Protocol": protocol, "Endpoint": "there"}
    assert client("Subscribe", **request) == {"SubscriptionArn": "pending confirmation"}
    arn = client.subscribe(protocol, "there")
    assert arn.startswith(ARN + ":")
    client.publish("too early")
    assert client.topic.subscriptions == {}
    token = client.account.tokens[arn]
    for _ in range(2):
        answer = client("ConfirmSubscription", 10, TopicArn=ARN, Token=token)
        assert answer == {"SubscriptionArn": arn}
    client.publish("in time", 11)
    assert client.topic.subscriptions["there"].delivered == 1
    assert client("Subscribe", 12, **request) == {"SubscriptionArn": arn}
    assert client.account.tokens == {}


def _flooded() -> tuple[TopicClient, str]:
    """An email subscription that got ten messages within a second and then one more, at 1.9 s."""
    client = TopicClient(deactivates_emails=True)
    arn = client.subscribe(*MAIL)
    client("ConfirmSubscription", TopicArn=ARN, Token=client.account.tokens[arn])
    for number in range(11):
        client.publish("x", 1 + number * 0.09)
    return client, arn


@pytest.mark.rule("SNS-SUB-7")
def test_too_many_emails_make_a_subscription_pending_again() -> None:
    client, arn = _flooded()
    client.publish("lost", 2)
    assert client.topic.subscriptions[MAIL[1]].delivered == 10
    assert _attributes(client, arn, 2)["PendingConfirmation"] == "true"
    (listed,) = client("ListSubscriptions", 2)["Subscriptions"]
    assert listed["SubscriptionArn"] == "PendingConfirmation"
    counts = client("GetTopicAttributes", 2, TopicArn=ARN)["Attributes"]
    assert (counts["SubscriptionsConfirmed"], counts["SubscriptionsPending"]) == ("0", "1")


@pytest.mark.rule("SNS-SUB-7")
@pytest.mark.rule("SNS-SUB-3")
def test_a_deactivated_subscription_is_confirmed_again_by_another_token() -> None:
    client, arn = _flooded()
    request = {"TopicArn": ARN, "Protocol": MAIL[0], "Endpoint": MAIL[1]}
    assert client("Subscribe", 2, **request) == {"SubscriptionArn": "pending confirmation"}
    token = client.account.tokens[arn]
    assert client.subscribe(*MAIL, now=3) == arn
    assert client.account.tokens[arn] == token
    assert client.refusal("ConfirmSubscription", 2 + 2 * DAY, TopicArn=ARN, Token=token)[0] == "InvalidParameter"
    client("Subscribe", 2 + 2 * DAY, **request)
    token = client.account.tokens[arn]
    for _ in range(2):
        assert client("ConfirmSubscription", 3 * DAY, TopicArn=ARN, Token=token) == {"SubscriptionArn": arn}
    assert _attributes(client, arn, 3 * DAY)["PendingConfirmation"] == "false"
    client.publish("again", 3 * DAY)
    assert client.topic.subscriptions[MAIL[1]].delivered == 11
    assert client("Subscribe", 3 * DAY, **request) == {"SubscriptionArn": arn}
    assert client.account.tokens == {}


@pytest.mark.rule("SNS-SUB-7")
def test_a_deactivated_subscription_can_be_deleted_and_made_anew() -> None:
    client, arn = _flooded()
    client.subscribe(*MAIL, now=2)
    client("Unsubscribe", 2, SubscriptionArn=arn)
    assert client.account.tokens == {}
    client.subscribe(*MAIL, now=2)
    assert list(client.account.tokens) == [arn]
    assert client.topic.subscriptions == {}


@pytest.mark.rule("SNS-SUB-7")
def test_emails_have_no_limit_unless_it_is_asked_for() -> None:
    client = TopicClient()
    arn = client.subscribe(*MAIL)
    client("ConfirmSubscription", TopicArn=ARN, Token=client.account.tokens[arn])
    for _ in range(20):
        client.publish()
    assert client.topic.subscriptions[MAIL[1]].delivered == 20
    with pytest.raises(DeclarationError, match=r"Account\.deactivates_emails: 1 is neither true nor false"):
        TopicClient(deactivates_emails=1)


@pytest.mark.rule("SNS-ENV-6")
@pytest.mark.rule("SNS-ENV-7")
def test_what_an_endpoint_gets_names_its_subscription_as_requests_do() -> None:
    client = TopicClient()
    arns = [client.subscribe("lambda", "f"), client.subscribe("lambda", "g")]
    inboxes = [client.topic.listen(endpoint) for endpoint in ("f", "g")]
    client.publish()
    events = [json.loads(inbox.received[0].body)["Records"][0] for inbox in inboxes]
    assert [event["EventSubscriptionArn"] for event in events] == arns
    client("Unsubscribe", SubscriptionArn=events[0]["Sns"]["UnsubscribeUrl"].rpartition("=")[2])
    assert list(client.topic.subscriptions) == ["g"]


@pytest.mark.rule("SNS-SUB-8")
def test_what_delivers_to_firehose_has_a_role() -> None:
    client = TopicClient()
    role, other = "arn:aws:iam::123456789012:role/a", "arn:aws:iam::123456789012:role/b"
    arn = client.subscribe("firehose", "stream", SubscriptionRoleArn=role)
    assert client.subscribe("firehose", "stream", SubscriptionRoleArn=role) == client.subscribe("firehose", "stream")
    assert _attributes(client, arn)["SubscriptionRoleArn"] == role
    request = {"TopicArn": ARN, "Protocol": "firehose", "Endpoint": "stream"}
    _, message, _ = client.refusal("Subscribe", **request, Attributes={"SubscriptionRoleArn": other})
    assert message.endswith("Subscription already exists with different attributes")
    _set(client, arn, "SubscriptionRoleArn", other)
    assert _attributes(client, arn)["SubscriptionRoleArn"] == other
    client("Unsubscribe", SubscriptionArn=arn)
    assert "SubscriptionRoleArn" not in _attributes(client, client.subscribe("firehose", "stream"))


@pytest.mark.rule("SNS-SUB-8")
def test_a_role_that_cannot_be_is_refused() -> None:
    client = TopicClient()
    request = {"TopicArn": ARN, "Protocol": "firehose", "Endpoint": "stream"}
    _, message, _ = client.refusal("Subscribe", **request, Attributes={"SubscriptionRoleArn": "x"})
    prefix = "Invalid parameter: Attributes Reason: SubscriptionRoleArn: "
    assert message == f"{prefix}x is no ARN of a role such as arn:aws:iam::123456789012:role/x"
    assert client.topic.subscriptions == {}
    refused = _set_refusal(client, client.subscribe(), "SubscriptionRoleArn", "arn:aws:iam::123456789012:role/a")
    assert refused == "Invalid parameter: SubscriptionRoleArn: sqs has none; allowed: firehose (SNS-SUB-8)"


@pytest.mark.rule("SNS-SUB-2")
def test_other_protocols_are_confirmed_at_once() -> None:
    client = TopicClient()
    for protocol, endpoint in (
        ("sqs", QUEUE_ARN),
        ("sms", "+15"),
        ("lambda", "f"),
        ("firehose", "g"),
        ("application", "h"),
    ):
        arn = client.subscribe(protocol, endpoint)
        assert _attributes(client, arn)["PendingConfirmation"] == "false"


@pytest.mark.rule("SNS-SUB-3")
def test_a_token_is_valid_for_two_days_and_a_pending_subscription_goes_after_three() -> None:
    client = TopicClient()
    arn = client.subscribe(*MAIL)
    token = client.account.tokens[arn]
    bad = ("InvalidParameter", "Invalid parameter: Token", 400)
    assert client.refusal("ConfirmSubscription", 0, TopicArn=ARN, Token="x") == bad  # noqa: S106
    assert client.refusal("ConfirmSubscription", 2 * DAY, TopicArn=ARN, Token=token) == bad
    text = "Invalid parameter: SubscriptionArn Reason: the subscription is pending confirmation, and goes by itself"
    assert client.refusal("Unsubscribe", 2 * DAY, SubscriptionArn=arn)[1].startswith(text)
    last = nextafter(3 * DAY, 0)
    assert _attributes(client, arn, last)["PendingConfirmation"] == "true"
    assert client.refusal("GetSubscriptionAttributes", 3 * DAY, SubscriptionArn=arn) == GONE
    assert client.account.tokens == {}
    again = client.subscribe(*MAIL, now=3 * DAY)
    assert again == arn
    assert client.account.tokens[arn] != token
    client("ConfirmSubscription", nextafter(5 * DAY, -inf), TopicArn=ARN, Token=client.account.tokens[arn])
    assert _attributes(client, arn, 5 * DAY)["ConfirmationWasAuthenticated"] == "false"


@pytest.mark.rule("SNS-SUB-4")
def test_a_subscription_can_be_deleted_and_again() -> None:
    client = TopicClient()
    arn = client.subscribe(RawMessageDelivery="true")
    other = client.subscribe("sms", "+15550100")
    client.publish("1")
    for _ in range(2):
        assert client("Unsubscribe", SubscriptionArn=arn) == {}
    client.publish("2")
    assert client("Unsubscribe", SubscriptionArn="x") == {}
    assert client.bodies() == ["1"]
    assert client.refusal("GetSubscriptionAttributes", SubscriptionArn=arn) == GONE
    assert _attributes(client, other)["Endpoint"] == "+15550100"
    assert client.topic.subscriptions["+15550100"].delivered == 2
    client.topic.check()
    client.subscribe(RawMessageDelivery="true")
    client.publish("3", 1)
    assert client.bodies(1) == ["3"]
    client.topic.check()


@pytest.mark.rule("SNS-SUB-4")
def test_a_pending_subscription_is_asked_for_with_the_same_attributes() -> None:
    client = TopicClient()
    arn = client.subscribe(*MAIL, FilterPolicy='{"k": ["a"]}')
    assert client.subscribe(*MAIL, FilterPolicy='{"k":["a"]}') == client.subscribe(*MAIL) == arn
    refusal = client.refusal(
        "Subscribe", TopicArn=ARN, Protocol="email", Endpoint=MAIL[1], Attributes={"FilterPolicy": "{}"}
    )
    assert refusal[1] == "Invalid parameter: Attributes Reason: Subscription already exists with different attributes"
    _set(client, arn, "FilterPolicy", '{"k": ["b"]}')
    client("ConfirmSubscription", TopicArn=ARN, Token=client.account.tokens[arn])
    client.publish(MessageAttributes={"k": {"DataType": "String", "StringValue": "b"}})
    client.publish(MessageAttributes={"k": {"DataType": "String", "StringValue": "a"}})
    assert client.topic.subscriptions[MAIL[1]].delivered == 1


@pytest.mark.rule("SNS-SUB-8")
def test_attributes_of_a_subscription() -> None:
    client = TopicClient()
    arn = client.subscribe()
    assert _attributes(client, arn) == {
        "ConfirmationWasAuthenticated": "true",
        "Endpoint": QUEUE_ARN,
        "Owner": "123456789012",
        "PendingConfirmation": "false",
        "Protocol": "sqs",
        "RawMessageDelivery": "false",
        "SubscriptionArn": arn,
        "TopicArn": ARN,
    }
    client.publish('{"k": "b"}')
    _set(client, arn, "RawMessageDelivery", "true")
    _set(client, arn, "FilterPolicy", '{"k": ["a"]}')
    _set(client, arn, "FilterPolicyScope", "MessageBody")
    found = _attributes(client, arn)
    assert (found["RawMessageDelivery"], found["FilterPolicyScope"]) == ("true", "MessageBody")
    assert json.loads(found["FilterPolicy"]) == {"k": ["a"]}
    for body in ('{"k": "a"}', '{"k": "b"}'):
        client.publish(body)
    _set(client, arn, "FilterPolicy", "")
    client.publish('{"k": "c"}')
    first, *others = client.bodies()
    assert json.loads(first)["Message"] == '{"k": "b"}'
    assert others == ['{"k": "a"}', '{"k": "c"}']
    subscriber = client.topic.subscriptions["q"]
    assert (subscriber.delivered, subscriber.filtered_out) == (3, 1)
    client.topic.check()


@pytest.mark.rule("SNS-SUB-8")
@pytest.mark.rule("SNS-FLT-1")
@pytest.mark.rule("SNS-FLT-10")
@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        (
            "FilterPolicy",
            '{"k": []}',
            'FilterPolicy: Empty arrays are not allowed\n at [Source: (String)"{"k": []}"; line: 1, column: 9]',
        ),
        ("FilterPolicy", "[]", "FilterPolicy: failed to parse JSON"),
        (
            "FilterPolicy",
            json.dumps({key: ["a"] for key in "123456"}),
            "FilterPolicy: Filter policy can not have more than 5 keys",
        ),
        ("FilterPolicy", json.dumps({"k": ["a" * 262_144]}), "FilterPolicy: Filter policy is too complex"),
        (
            "FilterPolicy",
            '{"k": {"j": ["a"]}}',
            "Filter policy scope MessageAttributes does not support nested filter policy",
        ),
        (
            "FilterPolicyScope",
            "X",
            "FilterPolicyScope: Invalid value [X]. Please use either MessageBody or MessageAttributes",
        ),
        ("RawMessageDelivery", "1", "RawMessageDelivery: Invalid value [1]. Must be true or false."),
        (
            "Beauty",
            "1",
            f"AttributeName Reason: Beauty is not modelled; allowed: {', '.join(ATTRIBUTES)}",
        ),
    ],
)
def test_attributes_that_cannot_be_set(name: str, value: str, text: str) -> None:
    client = TopicClient()
    arn = client.subscribe()
    assert _set_refusal(client, arn, name, value) == f"Invalid parameter: {text}"
    refusal = client.refusal("SetSubscriptionAttributes", SubscriptionArn=arn + "x", AttributeName=name)
    assert refusal == GONE


@pytest.mark.rule("SNS-FLT-10")
@pytest.mark.parametrize(
    ("policy", "text", "column"),
    [
        ('{"k": [{"prefix": 1}]}', "FilterPolicy: prefix match pattern must be a string", 20),
        ('{"k": [{"numeric": [">", 5, "<", 5]}]}', "FilterPolicy: Bottom must be less than top", 35),
        (
            '{"k": ["a", {"anything-but": {"exists": true}}]}',
            "FilterPolicy: Unsupported anything-but pattern: exists",
            45,
        ),
        ('{"k": [{"begins": "a"}]}', "FilterPolicy: Unrecognized match type begins", 22),
        ('{"k": {"j": ["a"]}}', "", 0),
    ],
)
def test_a_refused_policy_is_quoted_when_a_subscription_is_made(policy: str, text: str, column: int) -> None:
    refusal = TopicClient().refusal(
        "Subscribe", TopicArn=ARN, Protocol="sqs", Endpoint=QUEUE_ARN, Attributes={"FilterPolicy": policy}
    )
    if column:
        source = f'\n at [Source: (String)"{policy}"; line: 1, column: {column}]'
        assert refusal[1] == f"Invalid parameter: Attributes Reason: {text}{source}"
    else:
        nested = "Filter policy scope MessageAttributes does not support nested filter policy"
        assert refusal[1] == f"Invalid parameter: {nested}"


def test_subscriptions_are_listed() -> None:
    client = TopicClient()
    client("CreateTopic", Name="u")
    arn = client.subscribe()
    client.subscribe(*MAIL)
    client("Subscribe", TopicArn=ARN[:-1] + "u", Protocol="sms", Endpoint="+15")
    queue, mail = client("ListSubscriptionsByTopic", TopicArn=ARN)["Subscriptions"]
    assert queue == {
        "SubscriptionArn": arn,
        "Endpoint": QUEUE_ARN,
        "Owner": "123456789012",
        "Protocol": "sqs",
        "TopicArn": ARN,
    }
    assert (mail["SubscriptionArn"], mail["Endpoint"]) == ("PendingConfirmation", MAIL[1])
    assert len(client("ListSubscriptions")["Subscriptions"]) == 3
    assert len(client("ListSubscriptions", 3 * DAY)["Subscriptions"]) == 2


@pytest.mark.rule("SNS-FLT-8")
def test_a_topic_has_at_most_200_filter_policies() -> None:
    client = TopicClient()
    for number in range(200):
        arn = client.subscribe("lambda" if number % 2 else "email", str(number), FilterPolicy='{"k": ["a"]}')
    text = "Filter policy limit exceeded: allowed: up to 200 policies of a topic"
    refusal = ("FilterPolicyLimitExceeded", text, 403)
    attributes = {"FilterPolicy": '{"k": ["a"]}'}
    asked: dict[str, Any] = {"TopicArn": ARN, "Protocol": "lambda", "Endpoint": "x"}
    assert client.refusal("Subscribe", **asked, Attributes=attributes) == refusal
    plain = client.subscribe("lambda", "x")
    set_ = {"SubscriptionArn": plain, "AttributeName": "FilterPolicy", "AttributeValue": '{"k": ["a"]}'}
    assert client.refusal("SetSubscriptionAttributes", **set_) == refusal
    _set(client, arn, "FilterPolicy", '{"k": ["b"]}')


@pytest.mark.rule("SNS-SUB-2")
def test_an_account_has_at_most_5000_pending_subscriptions(monkeypatch: pytest.MonkeyPatch) -> None:
    client = TopicClient()
    monkeypatch.setattr("msgsim.service.sns_subscriptions.PENDING_SUBSCRIPTIONS", type("Few", (), {"high": 1})())
    client.subscribe(*MAIL)
    refusal = client.refusal("Subscribe", TopicArn=ARN, Protocol="email", Endpoint="b@example.com")
    assert refusal == ("SubscriptionLimitExceeded", "There are 1 pending subscriptions already", 403)
