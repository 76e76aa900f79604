"""Where moto departs from the rules, each difference by itself: what msgsim answers, then what moto does.

None of this is a complaint: moto is for tests of code that calls a service, not for what becomes of messages in time.
"""

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("moto", reason="the comparison with moto needs it: pip install 'moto[sqs]'")

from msgsim.bus.message import EPOCH
from tests.differential.departures import DEPARTURES
from tests.differential.topics import KEY, TOPICS, Sides, TopicTwins
from tests.differential.twins import ARN, TICK, Clock, Pair, Refusal, Twins, moto_on_a_clock

INVALID = "InvalidParameterValue"


@pytest.fixture(scope="module")
def moto() -> Iterator[tuple[Any, Clock]]:
    with moto_on_a_clock() as client_and_clock:
        yield client_and_clock


@pytest.fixture
def twins(moto: tuple[Any, Clock]) -> Twins:
    return Twins(*moto)


def codes(pair: Pair) -> tuple[str, str]:
    """Codes of refusals; "" of an answer."""
    ours, theirs = (each.code if isinstance(each, Refusal) else "" for each in pair)
    return ours, theirs


def failures(pair: Pair) -> tuple[dict[str, str], dict[str, str]]:
    """Codes of the entries of a batch that failed."""
    ours, theirs = ({each["Id"]: each["Code"] for each in answer.get("Failed", [])} for answer in pair)
    return ours, theirs


def attribute(twins: Twins, url: str, name: str) -> tuple[str, str]:
    """An attribute of a queue."""
    pair = twins.call("GetQueueAttributes", QueueUrl=url, AttributeNames=[name])
    return pair.ours.get("Attributes", {}).get(name), pair.theirs.get("Attributes", {}).get(name)


def grouped(twins: Twins, url: str, *bodies: str) -> None:
    """Send to the groups that the bodies begin with."""
    for body in bodies:
        twins.send(url, body, MessageGroupId=body[0], MessageDeduplicationId=body)


def redrive(target: str, most: object = 1) -> str:
    return f'{{"deadLetterTargetArn": "{ARN}:{target}", "maxReceiveCount": {most}}}'


def test_each_departure_is_shown() -> None:
    marks = [mark for each in globals().values() for mark in getattr(each, "pytestmark", []) if mark.name == "rule"]
    assert sorted(DEPARTURES) == sorted(mark.args[0] for mark in marks)


# ---------------------------------------------------------------- queues


@pytest.mark.rule("SQS-Q-1")
def test_names(twins: Twins) -> None:
    assert codes(twins.call("CreateQueue", QueueName="q.fifo")) == (INVALID, "")


@pytest.mark.rule("SQS-Q-4")
def test_names_that_are_used_again(twins: Twins) -> None:
    twins.call("DeleteQueue", QueueUrl=twins.create("q"))
    again = twins.call("CreateQueue", QueueName="q")
    assert codes(again) == ("AWS.SimpleQueueService.QueueDeletedRecently", "")


@pytest.mark.rule("SQS-ATT-1")
def test_ranges_of_attributes(twins: Twins) -> None:
    pair = twins.call("CreateQueue", QueueName="q", Attributes={"DelaySeconds": "901"})
    assert codes(pair) == ("InvalidAttributeValue", "")


@pytest.mark.rule("SQS-ATT-3")
def test_time_stamps_of_queues(twins: Twins) -> None:
    assert attribute(twins, twins.create("q"), "CreatedTimestamp") == ("1767225600", "1767225600.015625")


# ---------------------------------------------------------------- sending


@pytest.mark.rule("SQS-SND-1")
def test_no_body(twins: Twins) -> None:
    pair = twins.call("SendMessage", QueueUrl=twins.create("q"), MessageBody="")
    assert codes(pair) == ("MissingParameter", "")


@pytest.mark.rule("SQS-SND-2")
def test_characters(twins: Twins) -> None:
    pair = twins.call("SendMessage", QueueUrl=twins.create("q"), MessageBody="a\0")
    assert codes(pair) == ("InvalidMessageContents", "")


@pytest.mark.rule("SQS-SND-3")
def test_sizes(twins: Twins) -> None:
    url = twins.create("q", MaximumMessageSize="1024")
    attributes = {"k": {"DataType": "String", "StringValue": "v"}}
    for params in ({"MessageBody": "é" * 513}, {"MessageBody": "x" * 1_020, "MessageAttributes": attributes}):
        assert codes(twins.call("SendMessage", QueueUrl=url, **params)) == (INVALID, "")


@pytest.mark.rule("SQS-SND-4")
def test_numbers_of_attributes(twins: Twins) -> None:
    attributes = {f"k{number}": {"DataType": "String", "StringValue": "v"} for number in range(11)}
    pair = twins.call("SendMessage", QueueUrl=twins.create("q"), MessageBody="x", MessageAttributes=attributes)
    assert codes(pair) == (INVALID, "")


@pytest.mark.rule("SQS-SND-5")
def test_numbers_in_attributes(twins: Twins) -> None:
    url = twins.create("q")
    long = {"k": {"DataType": "Number", "StringValue": "9" * 39}}
    pair = twins.call("SendMessage", QueueUrl=url, MessageBody="x", MessageAttributes=long)
    assert codes(pair) == (INVALID, "")
    twins.call("PurgeQueue", QueueUrl=url)
    twins.send(url, MessageAttributes={"k": {"DataType": "Number", "StringValue": "007"}})
    [message] = twins.receive(url, MessageAttributeNames=["All"])
    assert [each["MessageAttributes"]["k"]["StringValue"] for each in message] == ["7", "007"]


@pytest.mark.rule("SQS-SND-8")
def test_deduplication_ids_on_standard_queues(twins: Twins) -> None:
    pair = twins.call("SendMessage", QueueUrl=twins.create("q"), MessageBody="x", MessageDeduplicationId="d")
    assert codes(pair) == (INVALID, "")


@pytest.mark.rule("SQS-DLY-1")
def test_negative_delays(twins: Twins) -> None:
    pair = twins.call("SendMessage", QueueUrl=twins.create("q"), MessageBody="x", DelaySeconds=-1)
    assert codes(pair) == (INVALID, "")


# ---------------------------------------------------------------- batches


@pytest.mark.rule("SQS-BAT-1")
def test_how_many_entries(twins: Twins) -> None:
    url = twins.create("q")
    many = [{"Id": f"e{number}", "ReceiptHandle": f"h{number}"} for number in range(11)]
    too_many = "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"
    assert codes(twins.call("DeleteMessageBatch", QueueUrl=url, Entries=many)) == (too_many, "")
    none = twins.call("ChangeMessageVisibilityBatch", QueueUrl=url, Entries=[])
    assert codes(none) == ("AWS.SimpleQueueService.EmptyBatchRequest", "")


@pytest.mark.rule("SQS-BAT-2")
def test_ids_of_entries(twins: Twins) -> None:
    url = twins.create("q")
    twins.send(url)
    handle = twins.handle(url)
    not_distinct = "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"
    ids = [{"Id": "a", "ReceiptHandle": handle}, {"Id": "a", "ReceiptHandle": "garbage"}]
    assert codes(twins.call("DeleteMessageBatch", QueueUrl=url, Entries=ids)) == (not_distinct, "")
    handles = [{"Id": "a", "ReceiptHandle": handle}, {"Id": "b", "ReceiptHandle": handle}]
    assert codes(twins.call("DeleteMessageBatch", QueueUrl=url, Entries=handles)) == ("", not_distinct)


@pytest.mark.rule("SQS-BAT-4")
def test_entries_that_are_too_large(twins: Twins) -> None:
    url = twins.create("q", MaximumMessageSize="1024")
    entries = [{"Id": "a", "MessageBody": "x"}, {"Id": "b", "MessageBody": "x" * 1_025}]
    pair = twins.call("SendMessageBatch", QueueUrl=url, Entries=entries)
    assert codes(pair) == ("", INVALID)
    assert twins.bodies(url) == (["x"], [])


@pytest.mark.rule("FIFO-SND-1")
def test_batches_without_a_group(twins: Twins) -> None:
    url = twins.create("q.fifo", FifoQueue="true")
    pair = twins.call("SendMessageBatch", QueueUrl=url, Entries=[{"Id": "a", "MessageBody": "x"}])
    assert codes(pair) == (INVALID, "MissingParameter")


# ---------------------------------------------------------------- receiving, visibility


@pytest.mark.rule("SQS-RCV-8")
def test_the_back_of_the_queue(twins: Twins) -> None:
    url = twins.create("q", VisibilityTimeout="1")
    for body in "ab":
        twins.send(url, body)
    for _ in range(3):
        twins.receive(url)
        twins.wait(2)
    assert twins.bodies(url) == (["b", "a"], ["a", "b"])


@pytest.mark.rule("SQS-VIS-2")
def test_the_instant_of_a_deadline(twins: Twins) -> None:
    url = twins.create("q", VisibilityTimeout="10")
    twins.send(url)
    twins.receive(url)
    twins.wait(10)
    assert twins.bodies(url) == (["x"], [])


@pytest.mark.rule("SQS-VIS-3")
def test_the_longest_time_in_flight(twins: Twins) -> None:
    url = twins.create("q")
    twins.send(url)
    twins.wait(43_000)
    pair = twins.call(
        "ChangeMessageVisibility", QueueUrl=url, ReceiptHandle=twins.handle(url), VisibilityTimeout=43_000
    )
    assert codes(pair) == ("", INVALID)


@pytest.mark.rule("SQS-VIS-6")
def test_handles_of_earlier_receives(twins: Twins) -> None:
    url = twins.create("q", VisibilityTimeout="10")
    twins.send(url)
    handle = twins.handle(url)
    twins.wait(11)
    twins.receive(url)
    assert codes(twins.call("DeleteMessage", QueueUrl=url, ReceiptHandle=handle)) == ("", "")
    twins.wait(11)
    assert twins.bodies(url) == (["x"], [])


@pytest.mark.rule("SQS-VIS-8")
def test_the_visibility_of_what_is_gone(twins: Twins) -> None:
    url = twins.create("q")
    twins.send(url)
    handle = twins.handle(url)
    twins.call("DeleteMessage", QueueUrl=url, ReceiptHandle=handle)
    pair = twins.call("ChangeMessageVisibility", QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=5)
    assert codes(pair) == (INVALID, "ReceiptHandleIsInvalid")


@pytest.mark.rule("SQS-VIS-9")
def test_deleting_what_is_gone(twins: Twins) -> None:
    url = twins.create("q")
    twins.send(url)
    handle = twins.handle(url)
    twins.call("PurgeQueue", QueueUrl=url)
    assert codes(twins.call("DeleteMessage", QueueUrl=url, ReceiptHandle=handle)) == ("", "ReceiptHandleIsInvalid")


@pytest.mark.rule("SQS-RET-1")
def test_messages_that_are_too_old(twins: Twins) -> None:
    url = twins.create("q", MessageRetentionPeriod="60")
    twins.send(url, "old")
    twins.wait(61)
    assert attribute(twins, url, "ApproximateNumberOfMessages") == ("0", "1")
    twins.send(url, "young")
    assert twins.bodies(url) == (["young"], [])


# ---------------------------------------------------------------- dead letters, moves


@pytest.mark.rule("SQS-DLQ-1")
def test_redrive_policies(twins: Twins) -> None:
    twins.create("dead")
    for policy, code in ((redrive("p"), "AWS.SimpleQueueService.NonExistentQueue"), (redrive("dead", 1_001), "")):
        pair = twins.call("CreateQueue", QueueName="q", Attributes={"RedrivePolicy": policy})
        assert codes(pair) == (INVALID, code)


@pytest.mark.rule("SQS-DLQ-2")
def test_types_of_dead_letter_queues(twins: Twins) -> None:
    twins.create("dead.fifo", FifoQueue="true")
    pair = twins.call("CreateQueue", QueueName="q", Attributes={"RedrivePolicy": redrive("dead.fifo")})
    assert codes(pair) == (INVALID, "")


@pytest.mark.rule("SQS-DLQ-6")
def test_whose_dead_letters_a_queue_takes(twins: Twins) -> None:
    twins.create("dead", RedriveAllowPolicy='{"redrivePermission": "denyAll"}')
    pair = twins.call("CreateQueue", QueueName="q", Attributes={"RedrivePolicy": redrive("dead")})
    assert codes(pair) == (INVALID, "")


@pytest.mark.rule("SQS-DLQ-5")
@pytest.mark.rule("SQS-SYS-3")
def test_what_a_dead_letter_says(twins: Twins) -> None:
    dead = twins.create("dead.fifo", FifoQueue="true")
    url = twins.create("q.fifo", FifoQueue="true", RedrivePolicy=redrive("dead.fifo"))
    grouped(twins, url, "a")
    for _ in range(2):
        twins.bodies(url, VisibilityTimeout=0)
        twins.wait(TICK)
    [message] = twins.receive(dead, AttributeNames=["All"])
    ours, theirs = (each["Attributes"] for each in message)
    assert (ours["MessageDeduplicationId"], theirs["MessageDeduplicationId"]) == (message.ours["MessageId"], "a")
    assert ours["DeadLetterQueueSourceArn"] == f"{ARN}:q.fifo"
    assert "DeadLetterQueueSourceArn" not in theirs


@pytest.mark.rule("SQS-MOV-1")
def test_move_tasks(twins: Twins) -> None:
    twins.create("dead")
    twins.create("q", RedrivePolicy=redrive("dead"))
    assert twins.ask_ours("StartMessageMoveTask", SourceArn=f"{ARN}:dead").keys() == {"TaskHandle"}
    with pytest.raises(NotImplementedError):
        twins.ask_theirs("StartMessageMoveTask", SourceArn=f"{ARN}:dead")


# ---------------------------------------------------------------- FIFO queues


@pytest.mark.rule("FIFO-SND-3")
def test_what_an_id_is_made_of(twins: Twins) -> None:
    url = twins.create("q.fifo", FifoQueue="true")
    pair = twins.call(
        "SendMessage", QueueUrl=url, MessageBody="x", MessageGroupId="a b", MessageDeduplicationId="d" * 129
    )
    assert codes(pair) == (INVALID, "")


@pytest.mark.rule("FIFO-SND-5")
def test_sequence_numbers(twins: Twins) -> None:
    url = twins.create("q.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    pair = twins.call("SendMessage", QueueUrl=url, MessageBody="x", MessageGroupId="g")
    assert ["SequenceNumber" in each for each in pair] == [True, False]


@pytest.mark.rule("FIFO-DUP-2")
def test_ids_of_messages_that_are_gone(twins: Twins) -> None:
    url = twins.create("q.fifo", FifoQueue="true")
    ids = {"MessageGroupId": "g", "MessageDeduplicationId": "d"}
    first, second = twins.send(url, **ids), twins.send(url, **ids)
    assert (first.ours == second.ours, first.theirs == second.theirs) == (True, False)
    twins.call("DeleteMessage", QueueUrl=url, ReceiptHandle=twins.handle(url))
    twins.send(url, **ids)
    assert twins.bodies(url) == ([], ["x"])


@pytest.mark.rule("FIFO-DUP-4")
def test_ids_within_a_group(twins: Twins) -> None:
    url = twins.create("q.fifo", FifoQueue="true", DeduplicationScope="messageGroup")
    for group in "ab":
        twins.send(url, group, MessageGroupId=group, MessageDeduplicationId="d")
    assert twins.bodies(url) == (["a", "b"], ["a"])


@pytest.mark.rule("FIFO-ORD-1")
def test_the_order_of_groups(twins: Twins) -> None:
    url = twins.create("q.fifo", FifoQueue="true")
    grouped(twins, url, "a1", "b1", "a2")
    assert twins.bodies(url) == (["a1", "a2", "b1"], ["a1", "b1", "a2"])


@pytest.mark.rule("FIFO-ORD-5")
def test_one_message_given_back(twins: Twins) -> None:
    url = twins.create("q.fifo", FifoQueue="true")
    grouped(twins, url, "a1", "a2")
    [first, _] = twins.receive(url, MaxNumberOfMessages=2)
    handle = Pair(first.ours["ReceiptHandle"], first.theirs["ReceiptHandle"])
    twins.call("ChangeMessageVisibility", QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
    twins.wait(TICK)
    assert twins.bodies(url) == (["a1"], [])


@pytest.mark.rule("FIFO-ORD-7")
def test_the_order_after_a_timeout(twins: Twins) -> None:
    url = twins.create("q.fifo", FifoQueue="true", VisibilityTimeout="10")
    grouped(twins, url, "a1", "a2")
    twins.receive(url, MaxNumberOfMessages=2)
    twins.wait(11)
    assert twins.bodies(url) == (["a1", "a2"], ["a2"])


@pytest.mark.rule("FIFO-VIS-1")
@pytest.mark.rule("FIFO-VIS-2")
@pytest.mark.parametrize(
    ("operation", "params"), [("DeleteMessage", {}), ("ChangeMessageVisibility", {"VisibilityTimeout": 5})]
)
def test_expired_handles(twins: Twins, operation: str, params: dict[str, int]) -> None:
    url = twins.create("q.fifo", FifoQueue="true", VisibilityTimeout="10")
    grouped(twins, url, "a")
    handle = twins.handle(url)
    twins.wait(11)
    assert codes(twins.call(operation, QueueUrl=url, ReceiptHandle=handle, **params)) == (INVALID, "")
    assert twins.bodies(url) == (["a"], [])


@pytest.mark.rule("FIFO-VIS-4")
def test_receives_that_are_repeated(twins: Twins) -> None:
    url = twins.create("q.fifo", FifoQueue="true")
    grouped(twins, url, "a")
    for expected in ((["a"], ["a"]), (["a"], [])):
        assert twins.bodies(url, ReceiveRequestAttemptId="attempt") == expected


# ---------------------------------------------------------------- topics


@pytest.mark.rule("SNS-FLT-2")
def test_absent_or_a_value(moto: tuple[Any, Clock]) -> None:
    moto[1].now = EPOCH
    attributes = {"k": {"DataType": "String", "StringValue": "a"}}
    sides = Sides({"j": ["a", {"exists": False}]})
    assert (sides.ours([attributes]), sides.theirs([attributes])) == (["0"], [])
    sides = Sides({"j": [{"exists": False}]})
    assert sides.ours([attributes]) == sides.theirs([attributes]) == ["0"]


@pytest.mark.rule("SNS-FLT-10")
@pytest.mark.usefixtures("moto")
def test_a_prefix_that_is_no_text() -> None:
    sides = Sides({"k": [{"prefix": 1}]})
    assert (sides.ours([]), sides.theirs([])) == ("InvalidParameter", [])


@pytest.fixture
def topics(moto: tuple[Any, Clock], monkeypatch: pytest.MonkeyPatch) -> TopicTwins:
    """Topic t with queues a and dead."""
    moto[1].now = EPOCH
    monkeypatch.setattr("moto.sns.models.Subscription.private_key", lambda _: KEY)
    twins = TopicTwins()
    for name in ("a", "dead"):
        twins.queue(name)
    twins.call("sns:CreateTopic", Name="t")
    return twins


def answers(pair: Pair) -> tuple[str, str]:
    """Codes of refusals; "" of an answer."""
    ours, theirs = (each if isinstance(each, str) else "" for each in pair)
    return ours, theirs


def set_both(topics: TopicTwins, arns: Pair, name: str, value: str) -> Pair:
    params = {"SubscriptionArn": arns, "AttributeName": name, "AttributeValue": value}
    return topics.call("sns:SetSubscriptionAttributes", **params)


def told(topics: TopicTwins, arns: Pair, name: str) -> tuple[Any, Any]:
    pair = topics.call("sns:GetSubscriptionAttributes", SubscriptionArn=arns)
    return pair.ours["Attributes"].get(name), pair.theirs["Attributes"].get(name)


@pytest.mark.rule("SNS-TOP-2")
def test_topics_that_are_made_again(topics: TopicTwins) -> None:
    pair = topics.call("sns:CreateTopic", Name="t", Attributes={"DisplayName": "T"})
    assert answers(pair) == ("InvalidParameter", "")


@pytest.mark.rule("SNS-SUB-1")
def test_protocols(topics: TopicTwins) -> None:
    pair = topics.call("sns:Subscribe", TopicArn=f"{TOPICS}:t", Protocol="pigeon", Endpoint="x")
    assert answers(pair) == ("InvalidParameter", "")


@pytest.mark.rule("SNS-SUB-2")
def test_confirmation(topics: TopicTwins) -> None:
    params = {"TopicArn": f"{TOPICS}:t", "Protocol": "email", "Endpoint": "a@example.com"}
    pair = topics.call("sns:Subscribe", **params, ReturnSubscriptionArn=True)
    arns = Pair(*(each["SubscriptionArn"] for each in pair))
    assert told(topics, arns, "PendingConfirmation") == ("true", "false")


@pytest.mark.rule("SNS-SUB-4")
def test_subscriptions_that_are_made_again(topics: TopicTwins) -> None:
    arns = topics.subscribe("t", "a")
    assert answers(topics.subscribe("t", "a", RawMessageDelivery="true"))[0] == "InvalidParameter"
    assert told(topics, arns, "RawMessageDelivery") == ("false", "true")


@pytest.mark.rule("SNS-PUB-1")
def test_empty_messages(topics: TopicTwins) -> None:
    assert answers(topics.call("sns:Publish", TopicArn=f"{TOPICS}:t", Message="")) == ("InvalidParameter", "")


@pytest.mark.rule("SNS-ENV-4")
def test_binary_attributes_in_raw_form(topics: TopicTwins) -> None:
    topics.subscribe("t", "a", RawMessageDelivery="true")
    attributes = {
        "k": {"DataType": "String", "StringValue": "a"},
        "j": {"DataType": "Binary", "BinaryValue": b"ab"},
    }
    topics.call("sns:Publish", TopicArn=f"{TOPICS}:t", Message="x", MessageAttributes=attributes)
    (message,) = topics.account.queues["a"].receive(0, 10)
    assert (message.body, sorted(message.attributes or ())) == ("x", ["j", "k"])
    with pytest.raises(TypeError):
        topics.received("a")


@pytest.mark.rule("SNS-RTY-7")
def test_policies_of_deliveries(topics: TopicTwins) -> None:
    change = {"TopicArn": f"{TOPICS}:t", "AttributeName": "DeliveryPolicy"}
    assert answers(topics.call("sns:SetTopicAttributes", **change, AttributeValue="x")) == ("InvalidParameter", "")
    policy = '{"http": {"defaultHealthyRetryPolicy": {"numRetries": 7}}}'
    assert answers(topics.call("sns:SetTopicAttributes", **change, AttributeValue=policy)) == ("", "")
    pair = topics.call("sns:GetTopicAttributes", TopicArn=f"{TOPICS}:t")
    ours, theirs = (each["Attributes"]["EffectiveDeliveryPolicy"] for each in pair)
    assert ('"numRetries": 7' in ours, '"numRetries": 3' in theirs) == (True, True)


@pytest.mark.rule("SNS-DLQ-1")
@pytest.mark.parametrize("policy", ["x", "{}", redrive("nowhere")])
def test_redrive_policies_of_subscriptions(topics: TopicTwins, policy: str) -> None:
    arns = topics.subscribe("t", "a")
    ours, theirs = answers(set_both(topics, arns, "RedrivePolicy", policy))
    assert (ours, theirs) == ("" if policy == "{}" else "InvalidParameter", "")
    assert told(topics, arns, "RedrivePolicy") == (None, policy)


@pytest.mark.rule("SNS-DLQ-2")
def test_dead_letters_of_subscriptions(topics: TopicTwins) -> None:
    topics.subscribe("t", "a", RawMessageDelivery="true", RedrivePolicy=redrive("dead"))
    topics.call("sqs:DeleteQueue", QueueUrl=topics.account.queue_url("a"))
    ours, theirs = answers(topics.call("sns:Publish", TopicArn=f"{TOPICS}:t", Message="x"))
    assert (ours, theirs != "") == ("", True)
    assert topics.received("dead") == ([("x", None)], [])


@pytest.mark.rule("SNS-FLT-1")
def test_scopes_of_filters(topics: TopicTwins) -> None:
    arns = topics.subscribe("t", "a")
    assert answers(set_both(topics, arns, "FilterPolicyScope", "Body")) == ("InvalidParameter", "")
