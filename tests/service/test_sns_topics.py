"""SNS: topics."""

import json
from typing import Any

import pytest

from msgsim.bus.retries import DeliveryPolicy, topic_json
from tests.service.topics import ARN, TopicClient


def _tags(**tags: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


@pytest.mark.rule("SNS-TOP-2")
def test_the_same_name_with_something_else_is_refused() -> None:
    client = TopicClient()
    made = {"Name": "u", "Attributes": {"DisplayName": "U"}, "Tags": _tags(a="1")}
    arn = client("CreateTopic", **made)
    assert client("CreateTopic", **made) == client("CreateTopic", Name="u") == arn
    text = "Invalid parameter: Attributes Reason: Topic already exists with different attributes"
    assert client.refusal("CreateTopic", Name="u", Attributes={"DisplayName": "V"}) == ("InvalidParameter", text, 400)
    text = "Invalid parameter: Tags Reason: Topic already exists with different tags"
    for tags in ([], _tags(a="2"), _tags(a="1", b="2")):
        assert client.refusal("CreateTopic", Name="u", Tags=tags) == ("InvalidParameter", text, 400)


@pytest.mark.rule("SNS-TOP-3")
def test_a_deleted_topic_is_gone_with_its_subscriptions() -> None:
    client = TopicClient()
    client.subscribe()
    client.subscribe("email", "a@example.com")
    first = client.publish("1")
    assert client("DeleteTopic", TopicArn=ARN) == client("DeleteTopic", TopicArn=ARN) == {}
    assert client("ListTopics") == {"Topics": []}
    assert client("ListSubscriptions") == {"Subscriptions": []}
    assert client.account.tokens == {}
    assert client.refusal("Publish", TopicArn=ARN, Message="x") == ("NotFound", "Topic does not exist", 404)
    client("CreateTopic", Name="t")
    assert client.publish("2") != first
    assert len(client.bodies()) == 1
    assert not client.queue.watchers
    assert client("GetTopicAttributes", TopicArn=ARN)["Attributes"]["SubscriptionsPending"] == "0"


@pytest.mark.rule("SNS-TOP-4")
@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("GetTopicAttributes", {}),
        ("SetTopicAttributes", {"AttributeName": "DisplayName", "AttributeValue": "T"}),
        ("ListSubscriptionsByTopic", {}),
        ("ConfirmSubscription", {"Token": "x"}),
        ("PublishBatch", {"PublishBatchRequestEntries": []}),
    ],
)
def test_what_is_about_a_missing_topic_is_refused(operation: str, params: dict[str, Any]) -> None:
    refusal = TopicClient().refusal(operation, TopicArn=ARN + "x", **params)
    assert refusal == ("NotFound", "Topic does not exist", 404)


def test_attributes_are_texts() -> None:
    client = TopicClient()
    client.subscribe()
    gone = client.subscribe("sms", "+15550100")
    client("Unsubscribe", SubscriptionArn=gone)
    client.subscribe("http", "http://example.com")
    client("SetTopicAttributes", TopicArn=ARN, AttributeName="DisplayName", AttributeValue="Orders")
    assert client("GetTopicAttributes", TopicArn=ARN)["Attributes"] == {
        "DisplayName": "Orders",
        "EffectiveDeliveryPolicy": json.dumps(topic_json(DeliveryPolicy())),
        "Owner": "123456789012",
        "SubscriptionsConfirmed": "1",
        "SubscriptionsDeleted": "1",
        "SubscriptionsPending": "1",
        "TopicArn": ARN,
    }
    refusal = client.refusal("SetTopicAttributes", TopicArn=ARN, AttributeName="Beauty", AttributeValue="1")
    assert refusal[1].startswith(
        "Invalid parameter: AttributeName Reason: Beauty: not modelled; allowed: DeliveryPolicy, "
    )


def test_topics_are_listed_in_pages() -> None:
    client = TopicClient()
    for number in range(199):
        client("CreateTopic", Name=str(number))
    first = client("ListTopics")
    second = client("ListTopics", NextToken=first["NextToken"])
    assert (len(first["Topics"]), len(second["Topics"])) == (100, 100)
    assert "NextToken" not in second
    assert second["Topics"][-1] == {"TopicArn": ARN[:-1] + "198"}
    for token in ("", "0", "99", "200", "x"):
        refusal = client.refusal("ListTopics", NextToken=token)
        assert refusal == ("InvalidParameter", "Invalid parameter: NextToken Reason: no page begins there", 400)


def test_topics_have_tags() -> None:
    client = TopicClient()
    client("TagResource", ResourceArn=ARN, Tags=_tags(a="1", b="2"))
    client("TagResource", ResourceArn=ARN, Tags=_tags(a="3"))
    client("UntagResource", ResourceArn=ARN, TagKeys=["b", "c"])
    assert client("ListTagsForResource", ResourceArn=ARN) == {"Tags": _tags(a="3")}
    many = _tags(**{f"k{number}": "" for number in range(50)})
    refusal = client.refusal("TagResource", ResourceArn=ARN, Tags=many)
    assert refusal == ("TagLimitExceeded", "A topic can have 50 tags; 51 given", 400)
    assert client("ListTagsForResource", ResourceArn=ARN) == {"Tags": _tags(a="3")}
    refusal = client.refusal("ListTagsForResource", ResourceArn=ARN + "x")
    assert refusal == ("ResourceNotFound", "Resource does not exist", 404)


def test_there_are_at_most_100000_topics(monkeypatch: pytest.MonkeyPatch) -> None:
    client = TopicClient()
    monkeypatch.setattr("msgsim.service.sns_topics.TOPICS", type("Few", (), {"high": 1, "unit": "topics"})())
    assert client("CreateTopic", Name="t") == {"TopicArn": ARN}
    assert client.refusal("CreateTopic", Name="u") == ("TopicLimitExceeded", "There are 1 topics already", 403)
