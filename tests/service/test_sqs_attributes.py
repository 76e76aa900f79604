"""SQS: the attributes of queues."""

import json

import pytest

from msgsim.bus.queue import Queue
from msgsim.service import Account
from tests.service.clients import Client, fifo

SSE = (
    "InvalidAttributeName",
    "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.",
    400,
)


# ---------------------------------------------------------------- as a queue is made


@pytest.mark.rule("SQS-ATT-1")
def test_a_queue_has_the_attributes_that_were_asked_for() -> None:
    client = Client(
        {
            "DelaySeconds": "1",
            "MaximumMessageSize": "2048",
            "MessageRetentionPeriod": "60",
            "ReceiveMessageWaitTimeSeconds": "3",
            "VisibilityTimeout": "4",
        }
    )
    assert client.url == "https://sqs.us-east-1.amazonaws.com/123456789012/q"
    assert client.queue.declaration == Queue(
        delay=1, max_message_bytes=2048, retention=60, wait_time=3, visibility_timeout=4
    )
    assert Client().queue.declaration == Queue()


@pytest.mark.rule("SQS-Q-7")
@pytest.mark.parametrize(
    ("attribute", "text"),
    [
        ("FifoQueue", "Unknown Attribute FifoQueue."),
        ("ContentBasedDeduplication", "Unknown Attribute ContentBasedDeduplication."),
        ("DeduplicationScope", "You can specify the DeduplicationScope only when FifoQueue is set to true."),
        ("FifoThroughputLimit", "You can specify the FifoThroughputLimit only when FifoQueue is set to true."),
        ("Delay", "Unknown Attribute Delay."),
    ],
)
def test_attributes_that_a_standard_queue_does_not_take(attribute: str, text: str) -> None:
    refusal = Client().refusal("CreateQueue", QueueName="a", Attributes={attribute: "false"})
    assert refusal == ("InvalidAttributeName", text, 400)


@pytest.mark.rule("SQS-ATT-1")
@pytest.mark.parametrize("value", ["-1", "901", "1.0", "x", "", "²", "٣", "9" * 5_000])
def test_a_number_out_of_its_range_is_refused(value: str) -> None:
    client = Client()
    assert client.refusal("CreateQueue", QueueName="a", Attributes={"DelaySeconds": value}) == (
        "InvalidAttributeValue",
        (
            f"Invalid value for the parameter DelaySeconds. Reason: {value!r} is not allowed; "
            "allowed: 0 to 900 [s] (SQS-DLY-1)"
        ),
        400,
    )
    assert "a" not in client.account.queues


@pytest.mark.rule("SQS-Q-7")
@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, Queue(fifo=True)),
        ({"ContentBasedDeduplication": "true"}, Queue(fifo=True, content_based_deduplication=True)),
        ({"DeduplicationScope": "messageGroup"}, Queue(fifo=True, deduplication_scope="messageGroup")),
        (
            {"FifoThroughputLimit": "perMessageGroupId", "DeduplicationScope": "messageGroup"},
            Queue(fifo=True, deduplication_scope="messageGroup", fifo_throughput_limit="perMessageGroupId"),
        ),
    ],
)
def test_a_fifo_queue_has_attributes_of_its_own(attributes: dict[str, str], expected: Queue) -> None:
    client = fifo(**attributes)
    assert client.queue.declaration == expected
    asked = client.attributes("FifoQueue", *attributes)
    assert asked == {"FifoQueue": "true", **attributes}


@pytest.mark.rule("SQS-ATT-1")
@pytest.mark.rule("FIFO-TPS-2")
@pytest.mark.parametrize(
    ("attribute", "value", "reason"),
    [
        ("ContentBasedDeduplication", "yes", "'yes' is not allowed; allowed: true, false"),
        ("DeduplicationScope", "group", "'group' is not allowed; allowed: queue, messageGroup"),
        ("FifoThroughputLimit", "", "'' is not allowed; allowed: perQueue, perMessageGroupId"),
        (
            "FifoThroughputLimit",
            "perMessageGroupId",
            "'perMessageGroupId' needs deduplication_scope='messageGroup' (FIFO-TPS-2)",
        ),
    ],
)
def test_a_value_that_a_fifo_queue_cannot_have_is_refused(attribute: str, value: str, reason: str) -> None:
    client = fifo()
    refusal = ("InvalidAttributeValue", f"Invalid value for the parameter {attribute}. Reason: {reason}", 400)
    wanted = {"FifoQueue": "true", attribute: value}
    assert client.refusal("CreateQueue", QueueName="a.fifo", Attributes=wanted) == refusal
    assert client.refused("SetQueueAttributes", Attributes={"DelaySeconds": "5", attribute: value}) == refusal
    assert list(client.account.queues) == ["q.fifo"]
    assert client.queue.declaration == Queue(fifo=True)


# ---------------------------------------------------------------- read


@pytest.mark.rule("SQS-ATT-3")
@pytest.mark.rule("SQS-ATT-4")
def test_all_attributes_of_a_standard_queue() -> None:
    client = Client()
    for delay in (0, 0, 0, 5, 5):
        client.send(DelaySeconds=delay)
    client.receive()
    assert client.attributes("All") == {
        "ApproximateNumberOfMessages": "2",
        "ApproximateNumberOfMessagesDelayed": "2",
        "ApproximateNumberOfMessagesNotVisible": "1",
        "CreatedTimestamp": "1767225600",
        "DelaySeconds": "0",
        "LastModifiedTimestamp": "1767225600",
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "345600",
        "QueueArn": "arn:aws:sqs:us-east-1:123456789012:q",
        "ReceiveMessageWaitTimeSeconds": "0",
        "SqsManagedSseEnabled": "true",
        "VisibilityTimeout": "30",
    }


@pytest.mark.rule("SQS-ATT-3")
def test_a_fifo_queue_has_four_more() -> None:
    more = fifo().attributes("All").items() - Client().attributes("All").items()
    assert dict(more) == {
        "ContentBasedDeduplication": "false",
        "DeduplicationScope": "queue",
        "FifoQueue": "true",
        "FifoThroughputLimit": "perQueue",
        "QueueArn": "arn:aws:sqs:us-east-1:123456789012:q.fifo",
    }


@pytest.mark.rule("SQS-ATT-3")
def test_attributes_come_by_name() -> None:
    client = Client({"VisibilityTimeout": "4"})
    assert client.on("GetQueueAttributes") == {}
    assert client.on("GetQueueAttributes", AttributeNames=[]) == {}
    assert client.attributes("VisibilityTimeout", "Policy", "FifoQueue") == {"VisibilityTimeout": "4"}
    assert client.on("GetQueueAttributes", AttributeNames=["RedrivePolicy"]) == {}
    assert client.attributes("QueueArn", "All") == client.attributes("All")
    for name in ("", "visibilityTimeout"):
        refusal = ("InvalidAttributeName", f"Unknown Attribute {name}.", 400)
        assert client.refused("GetQueueAttributes", AttributeNames=["All", name]) == refusal


@pytest.mark.rule("SQS-ATT-5")
@pytest.mark.rule("FIFO-VIS-5")
def test_what_waits_behind_its_group_counts_as_visible() -> None:
    client = fifo(ContentBasedDeduplication="true")
    for body in ("a1", "a2", "b1", "b2", "c1", "c2"):
        client.send(body, MessageGroupId=body[0])
    assert client.receive()[0]["Body"] == "a1"
    assert client.receive()[0]["Body"] == "b1"
    assert client.attributes("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible") == {
        "ApproximateNumberOfMessages": "4",
        "ApproximateNumberOfMessagesNotVisible": "2",
    }


# ---------------------------------------------------------------- set


@pytest.mark.rule("SQS-ATT-3")
def test_changed_attributes_are_there_at_once_and_dated() -> None:
    client = Client()
    assert client.on("SetQueueAttributes", 5.9, Attributes={"VisibilityTimeout": "7", "DelaySeconds": "2"}) == {}
    assert client.attributes(
        "VisibilityTimeout", "DelaySeconds", "CreatedTimestamp", "LastModifiedTimestamp", now=9
    ) == {
        "VisibilityTimeout": "7",
        "DelaySeconds": "2",
        "CreatedTimestamp": "1767225600",
        "LastModifiedTimestamp": "1767225605",
    }
    client.send(now=10)
    assert client.bodies(11.9) == []
    assert client.bodies(12) == ["x"]
    assert client.bodies(18.9) == []
    assert client.bodies(19) == ["x"]


@pytest.mark.rule("SQS-ATT-2")
def test_changes_take_their_time_where_they_are_said_to() -> None:
    client = Client(account=Account(settings={"attribute_lag": 60, "retention_lag": 900}))
    client.on("SetQueueAttributes", Attributes={"VisibilityTimeout": "7", "MessageRetentionPeriod": "60"})
    assert client.attributes("VisibilityTimeout", "MessageRetentionPeriod") == {
        "VisibilityTimeout": "7",
        "MessageRetentionPeriod": "60",
    }
    client.send(now=50)
    assert client.bodies(59) == ["x"]
    assert client.bodies(88.9) == []
    assert client.bodies(89) == ["x"]
    assert client.bodies(96) == ["x"]
    assert client.attributes("ApproximateNumberOfMessagesNotVisible", now=899) == {
        "ApproximateNumberOfMessagesNotVisible": "0"
    }
    assert client.attributes("ApproximateNumberOfMessages", now=899) == {"ApproximateNumberOfMessages": "1"}
    assert client.attributes("ApproximateNumberOfMessages", now=900) == {"ApproximateNumberOfMessages": "0"}


@pytest.mark.rule("SQS-Q-7")
def test_the_type_of_a_queue_stays() -> None:
    change = (
        "InvalidAttributeValue",
        "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
        400,
    )
    assert Client().refused("SetQueueAttributes", Attributes={"FifoQueue": "true"}) == change
    client = fifo()
    assert client.refused("SetQueueAttributes", Attributes={"FifoQueue": "false"}) == change
    assert client.on("SetQueueAttributes", Attributes={"FifoQueue": "true", "DelaySeconds": "3"}) == {}
    assert client.attributes("DelaySeconds") == {"DelaySeconds": "3"}
    assert Client().refused("SetQueueAttributes", Attributes={"ContentBasedDeduplication": "true"}) == (
        "InvalidAttributeName",
        "Unknown Attribute ContentBasedDeduplication.",
        400,
    )


@pytest.mark.rule("SQS-ATT-3")
@pytest.mark.parametrize("attribute", ["QueueArn", "CreatedTimestamp", "ApproximateNumberOfMessages", "Size", "All"])
def test_what_can_only_be_read_is_not_set(attribute: str) -> None:
    client = Client()
    refusal = ("InvalidAttributeName", f"Unknown Attribute {attribute}.", 400)
    assert client.refused("SetQueueAttributes", Attributes={"DelaySeconds": "3", attribute: "1"}) == refusal
    assert client.refusal("CreateQueue", QueueName="a", Attributes={attribute: "1"}) == refusal
    assert client.attributes("DelaySeconds") == {"DelaySeconds": "0"}


@pytest.mark.rule("FIFO-DUP-7")
def test_content_based_deduplication_can_be_switched() -> None:
    client = fifo()
    client.on("SetQueueAttributes", Attributes={"ContentBasedDeduplication": "true"})
    client.send("a", MessageGroupId="g")
    client.send("a", MessageGroupId="g")
    assert client.bodies() == ["a"]
    client.on("SetQueueAttributes", Attributes={"ContentBasedDeduplication": "false"})
    code, _, _ = client.refused("SendMessage", MessageBody="a", MessageGroupId="g")
    assert code == "InvalidParameterValue"


@pytest.mark.rule("SQS-DLY-2")
@pytest.mark.parametrize(("client", "shown_at"), [(Client({"DelaySeconds": "60"}), 60), (fifo(DelaySeconds="60"), 5)])
def test_v7_a_changed_delay_is_for_waiting_messages_of_fifo_queues(client: Client, shown_at: float) -> None:
    ids = {"MessageGroupId": "g", "MessageDeduplicationId": "d"} if client.queue.declaration.fifo else {}
    client.send(**ids)
    client.on("SetQueueAttributes", 5, Attributes={"DelaySeconds": "0"})
    if shown_at > 5:
        assert client.bodies(shown_at - 0.1) == []
    assert client.bodies(shown_at) == ["x"]


# ---------------------------------------------------------------- encryption, which nothing heeds


@pytest.mark.rule("SQS-ATT-1")
def test_encryption_is_kept_and_its_two_kinds_exclude_each_other() -> None:
    client = Client({"KmsMasterKeyId": "alias/k", "KmsDataKeyReusePeriodSeconds": "86400"})
    names = ("KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled")
    assert client.attributes(*names) == {
        "KmsMasterKeyId": "alias/k",
        "KmsDataKeyReusePeriodSeconds": "86400",
        "SqsManagedSseEnabled": "false",
    }
    client.on("SetQueueAttributes", Attributes={"SqsManagedSseEnabled": "true"})
    assert client.attributes(*names) == {"SqsManagedSseEnabled": "true"}
    client.on("SetQueueAttributes", Attributes={"KmsMasterKeyId": "k"})
    assert client.attributes(*names[::2]) == {"KmsMasterKeyId": "k", "SqsManagedSseEnabled": "false"}
    client.on("SetQueueAttributes", Attributes={"KmsMasterKeyId": "", "SqsManagedSseEnabled": "false"})
    assert client.attributes(*names) == {"SqsManagedSseEnabled": "false"}
    both = {"KmsMasterKeyId": "k", "SqsManagedSseEnabled": "true"}
    assert client.refused("SetQueueAttributes", Attributes=both) == SSE
    assert client.refusal("CreateQueue", QueueName="a", Attributes=both) == SSE


@pytest.mark.rule("SQS-ATT-1")
@pytest.mark.parametrize(
    ("attribute", "value"),
    [("KmsDataKeyReusePeriodSeconds", "59"), ("KmsDataKeyReusePeriodSeconds", "86401"), ("SqsManagedSseEnabled", "1")],
)
def test_encryption_that_cannot_be_is_refused(attribute: str, value: str) -> None:
    code, text, _ = Client().refused("SetQueueAttributes", Attributes={attribute: value})
    assert code == "InvalidAttributeValue"
    assert text.startswith(f"Invalid value for the parameter {attribute}. Reason: '{value}' is not allowed; allowed: ")


# ---------------------------------------------------------------- what no attribute speaks of


def test_an_account_says_what_its_queues_are_beside_their_attributes() -> None:
    account = Account(settings={"old_handle": "deletes", "max_in_flight": 1, "throttled": True, "quotas": "relaxed"})
    standard = Client({"DelaySeconds": "5000"}, account=account)
    ordered = Client({"FifoQueue": "true"}, name="q.fifo", account=account)
    assert standard.queue.declaration == Queue(quotas="relaxed", delay=5000, old_handle="deletes", max_in_flight=1)
    assert ordered.queue.declaration == Queue(quotas="relaxed", fifo=True, throttled=True, max_in_flight=1)
    assert json.loads(json.dumps(standard.attributes("DelaySeconds"))) == {"DelaySeconds": "5000"}
