"""SQS queues: made, found, listed, tagged, purged and deleted."""

from typing import Any

import pytest

from msgsim.bus.queue import Redrive
from msgsim.errors import DeclarationError
from msgsim.service import Account
from tests.service.clients import NO_QUEUE, Client, fifo

LETTERS = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
RECENTLY = (
    "AWS.SimpleQueueService.QueueDeletedRecently",
    "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
    400,
)


# ---------------------------------------------------------------- names


@pytest.mark.rule("SQS-Q-2")
def test_a_queue_is_made_once() -> None:
    client = Client({"VisibilityTimeout": "4"})
    live = client.queue
    for attributes in ({}, {"VisibilityTimeout": "4"}, {"DelaySeconds": "0", "RedrivePolicy": ""}):
        answer = client("CreateQueue", QueueName="q", Attributes=attributes)
        assert answer == {"QueueUrl": client.url}
    assert client("CreateQueue", QueueName="q") == {"QueueUrl": client.url}
    assert client.queue is live
    for attribute, value in (("VisibilityTimeout", "5"), ("DelaySeconds", "1")):
        assert client.refusal("CreateQueue", QueueName="q", Attributes={attribute: value}) == (
            "QueueAlreadyExists",
            f"A queue already exists with the same name and a different value for attribute {attribute}",
            400,
        )


@pytest.mark.rule("SQS-Q-1")
@pytest.mark.parametrize("name", ["", "a/b", "a.fifo", "a b", "a" * 81, "é"])
def test_a_name_that_cannot_be_is_refused(name: str) -> None:
    assert Client().refusal("CreateQueue", QueueName=name) == ("InvalidParameterValue", LETTERS, 400)


@pytest.mark.rule("SQS-Q-1")
def test_a_name_has_up_to_80_characters_and_is_case_sensitive() -> None:
    client = Client()
    for name in ("a" * 80, "A-b_9", "Q"):
        assert client("CreateQueue", QueueName=name)["QueueUrl"].endswith(f"/{name}")
    assert len(client.account.queues) == 4


def test_a_queue_is_found_by_its_name() -> None:
    client = Client()
    found = {"QueueUrl": client.url}
    assert client("GetQueueUrl", QueueName="q") == found
    assert client("GetQueueUrl", QueueName="q", QueueOwnerAWSAccountId="123456789012") == found


@pytest.mark.rule("SQS-Q-6")
@pytest.mark.rule("GEN-2")
def test_an_unknown_queue_goes_by_the_old_code() -> None:
    client = Client()
    refusal = ("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.", 400)
    assert client.refusal("GetQueueUrl", QueueName="Q") == refusal
    assert client.refusal("GetQueueUrl", QueueName="q", QueueOwnerAWSAccountId="999999999999") == refusal
    for operation, params in (
        ("SendMessage", {"MessageBody": "x"}),
        ("ReceiveMessage", {}),
        ("DeleteMessage", {"ReceiptHandle": "x"}),
        ("ChangeMessageVisibility", {"ReceiptHandle": "x", "VisibilityTimeout": 0}),
        ("PurgeQueue", {}),
    ):
        for url in ("q", client.url + "x"):
            assert client.refusal(operation, QueueUrl=url, **params) == refusal


@pytest.mark.rule("SQS-PRG-1")
@pytest.mark.rule("SQS-PRG-2")
def test_a_purge_leaves_nothing_and_comes_once_a_minute() -> None:
    client = Client()
    client.send()
    assert client("PurgeQueue", QueueUrl=client.url) == {}
    assert client.receive() == []
    assert client.refusal("PurgeQueue", 59.9, QueueUrl=client.url) == (
        "AWS.SimpleQueueService.PurgeQueueInProgress",
        "Only one PurgeQueue operation on q is allowed every 60 seconds.",
        403,
    )
    client("PurgeQueue", 60, QueueUrl=client.url)


@pytest.mark.rule("SQS-Q-1")
@pytest.mark.parametrize("name", ["a", ".fifo", "a" * 76 + ".fifo", "a/b.fifo", "a.fifo\n"])
def test_a_name_that_cannot_be_one_of_a_fifo_queue_is_refused(name: str) -> None:
    refusal = Client().refusal("CreateQueue", QueueName=name, Attributes={"FifoQueue": "true"})
    assert refusal == ("InvalidParameterValue", LETTERS, 400)


@pytest.mark.rule("SQS-Q-1")
def test_a_fifo_queue_goes_by_its_name_with_the_suffix() -> None:
    name = "a" * 75 + ".fifo"
    client = Client({"FifoQueue": "true"}, name=name)
    assert client.url == f"https://sqs.us-east-1.amazonaws.com/123456789012/{name}"
    assert client.queue.declaration.fifo
    assert client.queue.name == name
    assert client("GetQueueUrl", QueueName=name) == {"QueueUrl": client.url}
    assert client("CreateQueue", QueueName=name, Attributes={"FifoQueue": "true"}) == {"QueueUrl": client.url}


@pytest.mark.rule("SQS-Q-2")
def test_a_queue_is_found_by_the_attributes_that_it_was_changed_to() -> None:
    client = Client({"VisibilityTimeout": "4", "KmsMasterKeyId": "key"})
    client.on("SetQueueAttributes", 5, Attributes={"VisibilityTimeout": "6"})
    for attributes in (
        {"VisibilityTimeout": "6"},
        {"KmsMasterKeyId": "key", "KmsDataKeyReusePeriodSeconds": "300", "SqsManagedSseEnabled": "false"},
        {"Policy": "", "RedriveAllowPolicy": "", "RedrivePolicy": ""},
    ):
        assert client("CreateQueue", 5, QueueName="q", Attributes=attributes) == {"QueueUrl": client.url}
    for attribute, value in (
        ("VisibilityTimeout", "4"),
        ("KmsMasterKeyId", "other"),
        ("Policy", '{"Statement": {"Action": "*"}}'),
        ("RedriveAllowPolicy", '{"redrivePermission": "denyAll"}'),
    ):
        error = client.error("CreateQueue", 5, QueueName="q", Attributes={attribute: value})
        assert (error.code, error.shape) == ("QueueAlreadyExists", "QueueNameExists")
        assert error.message.endswith(f"a different value for attribute {attribute}")


# ---------------------------------------------------------------- coming and going


@pytest.mark.rule("SQS-Q-3")
def test_a_deleted_queue_is_gone_with_its_messages() -> None:
    client = Client()
    client.send()
    live = client.queue
    assert client.on("DeleteQueue", 5) == {}
    assert (live.exists, live.purged) == (False, 1)
    assert client.account.queues == {}
    for operation, params in (
        ("DeleteQueue", {}),
        ("SendMessage", {"MessageBody": "x"}),
        ("ReceiveMessage", {}),
        ("GetQueueAttributes", {}),
    ):
        assert client.refused(operation, 5, **params) == NO_QUEUE
    assert client("ListQueues", 5) == {}


@pytest.mark.rule("SQS-Q-3")
def test_calls_may_succeed_and_be_lost_while_a_queue_is_being_deleted() -> None:
    client = Client(account=Account(deletion_lag=60))
    live = client.queue
    client.on("DeleteQueue", 10)
    client.send(now=20)
    assert client.on("DeleteQueue", 30) == {}
    assert client.bodies(69.9) == ["x"]
    assert client.refusal("CreateQueue", 69.9, QueueName="q") == RECENTLY
    assert client.refused("ReceiveMessage", 70) == NO_QUEUE
    assert (live.sent, live.purged, live.exists) == (1, 1, False)
    live.check(70)
    assert client("CreateQueue", 70, QueueName="q") == {"QueueUrl": client.url}
    assert client.receive(70) == []


def test_a_queue_that_its_owner_closed_can_be_deleted() -> None:
    client = Client()
    client.queue.close(1)
    client.on("DeleteQueue", 2)
    assert client.refused("ReceiveMessage", 2) == NO_QUEUE


@pytest.mark.rule("SQS-Q-6")
def test_a_closed_queue_goes_by_the_same_code() -> None:
    client = Client()
    client.queue.close(1)
    code, _, status = client.refused("SendMessage", 2, MessageBody="x")
    assert (code, status) == ("AWS.SimpleQueueService.NonExistentQueue", 400)


@pytest.mark.rule("SQS-Q-4")
def test_a_name_is_free_again_after_60_seconds() -> None:
    client = Client({"VisibilityTimeout": "4"})
    client.on("TagQueue", Tags={"k": "v"})
    client.on("DeleteQueue", 10)
    error = client.error("CreateQueue", 69.999, QueueName="q")
    assert (error.code, error.message, error.status) == RECENTLY
    assert error.shape == "QueueDeletedRecently"
    client("CreateQueue", 70, QueueName="q")
    assert client.attributes("VisibilityTimeout", "CreatedTimestamp", now=70) == {
        "VisibilityTimeout": "30",
        "CreatedTimestamp": "1767225670",
    }
    assert client.on("ListQueueTags", 70) == {}
    client("CreateQueue", 71, QueueName="q")


@pytest.mark.rule("SQS-Q-5")
def test_a_new_queue_may_not_be_found_at_once() -> None:
    client = Client(account=Account(creation_lag=1))
    assert client.refused("ReceiveMessage", 0.999) == NO_QUEUE
    assert client.refusal("GetQueueUrl", 0.999, QueueName="q") == NO_QUEUE
    assert client("ListQueues", 0.999) == {}
    assert client("CreateQueue", 0.999, QueueName="q") == {"QueueUrl": client.url}
    assert client.receive(1) == []
    Client().send()  # without a lag it is there


@pytest.mark.parametrize(("lag", "value"), [("creation_lag", 1.5), ("deletion_lag", 61), ("deletion_lag", -1)])
def test_a_lag_that_the_service_does_not_have_is_refused(lag: str, value: float) -> None:
    lags: dict[str, Any] = {lag: value}
    with pytest.raises(DeclarationError, match=f"Account.{lag}"):
        Account(**lags)


def test_a_dead_letter_queue_that_comes_back_takes_dead_letters_again() -> None:
    client = Client()
    dead = Client(name="dead", account=client.account)
    policy = '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:dead", "maxReceiveCount": 1}'
    client.on("SetQueueAttributes", Attributes={"RedrivePolicy": policy})
    dead.on("DeleteQueue")
    client.send()
    for _ in range(3):
        assert client.bodies(VisibilityTimeout=0) == ["x"]
    client("CreateQueue", 60, QueueName="dead")
    assert client.queue.declaration.redrive == Redrive(to="dead", max_receive_count=1)
    assert client.bodies(60) == []
    assert dead.bodies(60) == ["x"]


def test_a_dead_letter_queue_that_comes_back_and_may_not_is_left_alone() -> None:
    client = Client()
    dead = Client(name="dead", account=client.account)
    policy = '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:dead", "maxReceiveCount": 1}'
    client.on("SetQueueAttributes", Attributes={"RedrivePolicy": policy})
    dead.on("DeleteQueue")
    client("CreateQueue", 60, QueueName="dead", Attributes={"RedriveAllowPolicy": '{"redrivePermission": "denyAll"}'})
    client.send(now=60)
    for _ in range(3):
        assert client.bodies(60, VisibilityTimeout=0) == ["x"]


# ---------------------------------------------------------------- lists and tags


@pytest.mark.rule("SQS-Q-8")
def test_a_list_has_the_queues_of_a_prefix() -> None:
    client = Client()
    for name in ("b-2", "b-1", "c"):
        client("CreateQueue", QueueName=name)
    urls = {name: client.account.queue_url(name) for name in ("b-1", "b-2", "c", "q")}
    assert client("ListQueues") == {"QueueUrls": list(urls.values())}
    assert client("ListQueues", QueueNamePrefix="b") == {"QueueUrls": [urls["b-1"], urls["b-2"]]}
    assert client("ListQueues", QueueNamePrefix="B") == {}


@pytest.mark.rule("SQS-Q-8")
def test_a_list_has_pages_if_a_size_was_asked_for() -> None:
    client = Client()
    for number in range(1_001):
        client("CreateQueue", QueueName=f"p{number:04}")
    first = client("ListQueues", QueueNamePrefix="p", MaxResults=1_000)
    assert len(first["QueueUrls"]) == 1_000
    rest = client("ListQueues", QueueNamePrefix="p", MaxResults=1_000, NextToken=first["NextToken"])
    assert rest == {"QueueUrls": [client.account.queue_url("p1000")]}
    unasked = client("ListQueues", QueueNamePrefix="p")
    assert (len(unasked["QueueUrls"]), "NextToken" in unasked) == (1_000, False)
    client("DeleteQueue", QueueUrl=client.account.queue_url("p1000"))
    assert "NextToken" not in client("ListQueues", QueueNamePrefix="p", MaxResults=1_000)
    for size in (0, 1_001):
        assert client.refusal("ListQueues", MaxResults=size) == (
            "InvalidParameterValue",
            f"Value {size} for parameter MaxResults is invalid. Reason: Must be between 1 and 1000, if provided.",
            400,
        )
    for token in ("a", "é", "ff"):
        code, _, _ = client.refusal("ListQueues", NextToken=token)
        assert code == "InvalidParameterValue"


@pytest.mark.rule("SQS-Q-8")
def test_the_sources_of_a_dead_letter_queue_are_listed() -> None:
    client = Client()
    assert client.on("ListDeadLetterSourceQueues") == {"queueUrls": []}
    policy = '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:q", "maxReceiveCount": 3}'
    urls = [client("CreateQueue", QueueName=name, Attributes={"RedrivePolicy": policy})["QueueUrl"] for name in "ab"]
    assert client.on("ListDeadLetterSourceQueues") == {"queueUrls": urls}
    first = client.on("ListDeadLetterSourceQueues", MaxResults=1)
    assert first["queueUrls"] == urls[:1]
    assert client.on("ListDeadLetterSourceQueues", MaxResults=1, NextToken=first["NextToken"]) == {
        "queueUrls": urls[1:]
    }
    client("SetQueueAttributes", QueueUrl=urls[0], Attributes={"RedrivePolicy": ""})
    assert client.on("ListDeadLetterSourceQueues") == {"queueUrls": urls[1:]}


@pytest.mark.rule("SQS-Q-8")
def test_tags_overwrite_by_key() -> None:
    client = fifo()
    assert client.on("ListQueueTags") == {}
    client.on("TagQueue", Tags={"k": "1", "K": "2"})
    client.on("TagQueue", Tags={"k": "3", "": "4"})
    assert client.on("ListQueueTags") == {"Tags": {"k": "3", "K": "2", "": "4"}}
    client.on("UntagQueue", TagKeys=["k", "other"])
    assert client.on("ListQueueTags") == {"Tags": {"K": "2", "": "4"}}
    url = client("CreateQueue", QueueName="tagged", tags={"a": "b"})["QueueUrl"]
    client("CreateQueue", QueueName="tagged", tags={"a": "c"})
    assert client("ListQueueTags", QueueUrl=url) == {"Tags": {"a": "b"}}
    assert client.refused("TagQueue", Tags={}) == (
        "MissingParameter",
        "The request must contain the parameter Tags.",
        400,
    )
    assert client.refused("UntagQueue", TagKeys=[]) == (
        "InvalidParameterValue",
        "Tag keys must be between 1 and 128 characters in length.",
        400,
    )


@pytest.mark.rule("GEN-2")
def test_a_refusal_has_the_name_of_the_model_too() -> None:
    client = Client()
    error = client.error("GetQueueUrl", QueueName="p")
    assert (error.code, error.shape) == ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
    client.on("PurgeQueue")
    error = client.error("PurgeQueue", QueueUrl=client.url)
    assert (error.code, error.shape) == ("AWS.SimpleQueueService.PurgeQueueInProgress", "PurgeQueueInProgress")
    error = client.error("GetQueueUrl")
    assert (error.code, error.shape) == ("MissingParameter", "MissingParameter")
