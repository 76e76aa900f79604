"""SNS: permissions, which only stand in a topic's policy."""

import json
from typing import Any

import pytest

from msgsim.service import call
from tests.service.topics import ARN, QUEUE_ARN, TopicClient

GRANT: dict[str, Any] = {"TopicArn": ARN, "AWSAccountId": ["111111111111"], "ActionName": ["Publish"]}


def policy(client: TopicClient) -> Any:
    return json.loads(client("GetTopicAttributes", TopicArn=ARN)["Attributes"]["Policy"])


def test_statements_come_and_go() -> None:
    client = TopicClient()
    many = {"AWSAccountId": ["111111111111", "222222222222"], "ActionName": ["Publish", "Subscribe"]}
    assert client("sns:AddPermission", **GRANT, Label="one") == {}
    client("sns:AddPermission", **{**GRANT, **many}, Label="two")
    one, two = policy(client)["Statement"]
    assert one == {
        "Sid": "one",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
        "Action": "SNS:Publish",
        "Resource": ARN,
    }
    assert (two["Action"], len(two["Principal"]["AWS"])) == (["SNS:Publish", "SNS:Subscribe"], 2)
    assert client("sns:RemovePermission", TopicArn=ARN, Label="one") == {}
    assert policy(client)["Statement"] == [two]


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"Label": "there"}, "Statement already exists"),
        ({"ActionName": ["Fly"]}, "Policy statement action out of service scope!"),
        ({"ActionName": []}, "ActionName Reason: no value for required parameter"),
        ({"AWSAccountId": []}, "AWSAccountId Reason: no value for required parameter"),
    ],
)
def test_a_statement_that_cannot_be_is_refused(params: dict[str, Any], text: str) -> None:
    client = TopicClient()
    client("sns:AddPermission", **GRANT, Label="there")
    before = policy(client)
    refusal = client.refusal("sns:AddPermission", **{**GRANT, "Label": "x", **params})
    assert refusal == ("InvalidParameter", f"Invalid parameter: {text}", 400)
    refusal = client.refusal("sns:RemovePermission", TopicArn=ARN, Label="x")
    assert refusal == ("InvalidParameter", "Invalid parameter: Statement does not exist", 400)
    assert policy(client) == before


@pytest.mark.parametrize(
    ("written", "kept"),
    [('{"Statement": {"Sid": "mine"}}', [{"Sid": "mine"}]), ('{"Statement": [3]}', [3]), ("nonsense", [])],
)
def test_what_was_set_as_a_policy_stays(written: str, kept: list[Any]) -> None:
    client = TopicClient()
    client("SetTopicAttributes", TopicArn=ARN, AttributeName="Policy", AttributeValue=written)
    client("sns:AddPermission", **GRANT, Label="other")
    assert policy(client)["Statement"][:-1] == kept


def test_without_its_service_the_name_is_that_of_queues() -> None:
    client = TopicClient()
    url = client.account.queue_url(QUEUE_ARN.rpartition(":")[2])
    grant = {"QueueUrl": url, "Label": "one", "AWSAccountIds": ["111111111111"], "Actions": ["SendMessage"]}
    for operation in ("AddPermission", "sqs:AddPermission"):
        call(client.account, operation, {**grant, "Label": operation[:3]}, 0)
    assert client.account.billed["AddPermission"] == 2
    assert client.refusal("AddPermission", **GRANT, Label="x")[0] == "MissingParameter"
