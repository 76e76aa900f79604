"""SQS: policies about dead letters and about who may use a queue."""

import json
from typing import Any

import pytest

from msgsim.bus.queue import Redrive, RedriveAllow
from tests.service.clients import Client, fifo

ARN = "arn:aws:sqs:us-east-1:123456789012"


# ---------------------------------------------------------------- redrive policies


@pytest.mark.rule("SQS-DLQ-1")
@pytest.mark.parametrize("count", [3, "3"])
def test_a_redrive_policy_names_its_queue_by_arn(count: object) -> None:
    client = Client()
    policy = json.dumps({"deadLetterTargetArn": client.account.arn("sqs", "q"), "maxReceiveCount": count})
    for _ in range(2):
        client("CreateQueue", QueueName="a", Attributes={"RedrivePolicy": policy})
    live = client.account.queues["a"]
    assert live.declaration.redrive == Redrive(to="q", max_receive_count=3)
    assert live.dead_letter_queue is client.queue
    other = json.dumps({"deadLetterTargetArn": client.account.arn("sqs", "q"), "maxReceiveCount": 4})
    assert client.refusal("CreateQueue", QueueName="a", Attributes={"RedrivePolicy": other})[0] == "QueueAlreadyExists"
    client("CreateQueue", QueueName="b", Attributes={"RedrivePolicy": ""})
    assert client.account.queues["b"].declaration.redrive is None


@pytest.mark.rule("SQS-DLQ-1")
@pytest.mark.rule("SQS-DLQ-2")
@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ("{", "Redrive policy is not a valid JSON map."),
        ("[]", "Redrive policy is not a valid JSON map."),
        ("[" * 100_000, "Redrive policy is not a valid JSON map."),
        ('{"maxReceiveCount": 3}', "Redrive policy does not contain mandatory attribute: deadLetterTargetArn."),
        ('{"deadLetterTargetArn": "a"}', "Redrive policy does not contain mandatory attribute: maxReceiveCount."),
        *(
            (
                f'{{"deadLetterTargetArn": "a", "maxReceiveCount": "{count}"}}',
                f"Invalid value for maxReceiveCount: {count}, valid values are from 1 to 1000 both inclusive.",
            )
            for count in ("0", "1001", "x", "3.0", "²")
        ),
        *(
            (f'{{"deadLetterTargetArn": "{arn}", "maxReceiveCount": 3}}', "Dead letter target does not exist.")
            for arn in ("arn:aws:sqs:us-east-1:123456789012:p", "arn:aws:sqs:us-east-2:123456789012:q")
        ),
        ('{"deadLetterTargetArn": "q", "maxReceiveCount": 3}', "Invalid value for deadLetterTargetArn."),
    ],
)
def test_a_redrive_policy_that_cannot_be_is_refused(policy: str, reason: str) -> None:
    assert Client().refusal("CreateQueue", QueueName="a", Attributes={"RedrivePolicy": policy}) == (
        "InvalidParameterValue",
        f"Value {policy} for parameter RedrivePolicy is invalid. Reason: {reason}",
        400,
    )


@pytest.mark.rule("SQS-DLQ-1")
def test_a_redrive_policy_is_read_as_it_was_set_and_removed_by_an_empty_text() -> None:
    client = Client()
    client("CreateQueue", QueueName="dead")
    policy = f'{{"maxReceiveCount": "3", "deadLetterTargetArn": "{ARN}:dead"}}'
    client.on("SetQueueAttributes", Attributes={"RedrivePolicy": policy})
    assert client.attributes("RedrivePolicy") == {
        "RedrivePolicy": f'{{"deadLetterTargetArn":"{ARN}:dead","maxReceiveCount":3}}'
    }
    client.on("SetQueueAttributes", Attributes={"RedrivePolicy": ""})
    assert client.attributes("RedrivePolicy") == {}
    assert client.queue.max_receive_count == float("inf")


@pytest.mark.rule("SQS-DLQ-2")
def test_a_dead_letter_queue_is_of_the_same_type() -> None:
    client = Client()
    ordered = Client({"FifoQueue": "true"}, name="q.fifo", account=client.account)
    for source, target in ((client, "q.fifo"), (ordered, "q")):
        policy = f'{{"deadLetterTargetArn": "{ARN}:{target}", "maxReceiveCount": 3}}'
        assert source.refused("SetQueueAttributes", Attributes={"RedrivePolicy": policy}) == (
            "InvalidParameterValue",
            (
                f"Value {policy} for parameter RedrivePolicy is invalid. Reason: Dead-letter queue must be same type "
                "of queue as the source."
            ),
            400,
        )
    dead = client("CreateQueue", QueueName="dead.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    policy = f'{{"deadLetterTargetArn": "{ARN}:dead.fifo", "maxReceiveCount": 1}}'
    ordered.on("SetQueueAttributes", Attributes={"RedrivePolicy": policy})
    for body in ("a", "b"):
        ordered.send(body, MessageGroupId="g", MessageDeduplicationId=body)
    assert ordered.bodies(VisibilityTimeout=0) == ["a", "b"]
    assert ordered.bodies() == []
    [first, second] = client("ReceiveMessage", QueueUrl=dead, MaxNumberOfMessages=10, AttributeNames=["All"])[
        "Messages"
    ]
    assert (first["Body"], second["Body"]) == ("a", "b")
    assert first["Attributes"]["DeadLetterQueueSourceArn"] == f"{ARN}:q.fifo"
    assert first["Attributes"]["MessageDeduplicationId"] == first["MessageId"]
    assert first["Attributes"]["MessageGroupId"] == "g"


def test_dead_letters_that_would_go_in_a_circle_are_refused() -> None:
    client = Client()
    policy = f'{{"deadLetterTargetArn": "{ARN}:q", "maxReceiveCount": 3}}'
    code, text, _ = client.refused("SetQueueAttributes", Attributes={"RedrivePolicy": policy})
    assert code == "InvalidAttributeValue"
    assert text.startswith("Invalid value for the parameter RedrivePolicy. Reason: ")
    assert client.attributes("RedrivePolicy") == {}


# ---------------------------------------------------------------- redrive allow policies


@pytest.mark.rule("SQS-DLQ-6")
def test_a_dead_letter_queue_says_whose_messages_it_takes() -> None:
    client = Client()
    other = Client(name="other", account=client.account)
    allow = {"redrivePermission": "byQueue", "sourceQueueArns": [f"{ARN}:other", "arn:aws:sqs:eu-west-1:1:q"]}
    client("CreateQueue", QueueName="dead", Attributes={"RedriveAllowPolicy": json.dumps(allow)})
    dead = client.account.queues["dead"]
    assert dead.declaration.redrive_allow == RedriveAllow(
        permission="byQueue", sources=("other", "arn:aws:sqs:eu-west-1:1:q")
    )
    url = client.account.queue_url("dead")
    asked = client("GetQueueAttributes", QueueUrl=url, AttributeNames=["RedriveAllowPolicy"])["Attributes"]
    assert json.loads(asked["RedriveAllowPolicy"]) == allow
    policy = {"RedrivePolicy": f'{{"deadLetterTargetArn": "{ARN}:dead", "maxReceiveCount": 3}}'}
    other.on("SetQueueAttributes", Attributes=policy)
    code, text, _ = client.refused("SetQueueAttributes", Attributes=policy)
    assert code == "InvalidParameterValue"
    assert text.endswith("The dead-letter queue's redrive allow policy does not allow this queue.")
    client("SetQueueAttributes", QueueUrl=url, Attributes={"RedriveAllowPolicy": ""})
    assert dead.declaration.redrive_allow is None
    client.on("SetQueueAttributes", Attributes=policy)
    client("SetQueueAttributes", QueueUrl=url, Attributes={"RedriveAllowPolicy": '{"redrivePermission":"denyAll"}'})
    asked = client("GetQueueAttributes", QueueUrl=url, AttributeNames=["RedriveAllowPolicy"])["Attributes"]
    assert asked == {"RedriveAllowPolicy": '{"redrivePermission":"denyAll"}'}


FORMAT = (
    "Invalid value for the parameter RedriveAllowPolicy. Reason: Amazon SQS can't create the redrive allow policy, as "
    "it's in an unsupported format."
)


@pytest.mark.rule("SQS-DLQ-6")
@pytest.mark.parametrize(
    "policy",
    [
        "{",
        "[]",
        "{}",
        '{"redrivePermission": "all"}',
        '{"redrivePermission": "allowAll", "other": 1}',
        '{"redrivePermission": "byQueue", "sourceQueueArns": "a"}',
        '{"redrivePermission": "byQueue", "sourceQueueArns": [1]}',
    ],
)
def test_a_redrive_allow_policy_of_another_form_is_refused(policy: str) -> None:
    refusal = Client().refused("SetQueueAttributes", Attributes={"RedriveAllowPolicy": policy})
    assert refusal == ("InvalidParameterValue", FORMAT, 400)


@pytest.mark.rule("SQS-DLQ-6")
@pytest.mark.parametrize(
    ("permission", "count", "reason"),
    [
        ("denyAll", 1, "To specify one or more source queue ARNs, you must set redrivePermission to byQueue."),
        (
            "byQueue",
            0,
            "When you specify the byQueue permission type, you must also specify one or more sourceQueueArns values.",
        ),
        ("byQueue", 11, "The maximum number of source queue ARNs you can specify is 10."),
    ],
)
def test_a_redrive_allow_policy_names_up_to_ten_queues(permission: str, count: int, reason: str) -> None:
    policy = json.dumps({"redrivePermission": permission, "sourceQueueArns": [f"{ARN}:a"] * count})
    assert Client().refused("SetQueueAttributes", Attributes={"RedriveAllowPolicy": policy}) == (
        "InvalidParameterValue",
        (
            f"Value {policy} for parameter RedriveAllowPolicy is invalid. Reason: Amazon SQS can't create the redrive "
            f"allow policy. {reason}"
        ),
        400,
    )


# ---------------------------------------------------------------- permissions, which nothing heeds


def _allow(client: Client, label: str, *actions: str, accounts: tuple[str, ...] = ("111122223333",)) -> None:
    client.on("AddPermission", Label=label, AWSAccountIds=list(accounts), Actions=list(actions))


@pytest.mark.rule("SQS-Q-9")
def test_permissions_are_statements_of_the_policy() -> None:
    client = fifo()
    _allow(client, "a", "SendMessage")
    assert json.loads(client.attributes("Policy")["Policy"]) == {
        "Version": "2008-10-17",
        "Id": f"{ARN}:q.fifo/SQSDefaultPolicy",
        "Statement": [
            {
                "Sid": "a",
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
                "Action": "SQS:SendMessage",
                "Resource": f"{ARN}:q.fifo",
            }
        ],
    }
    _allow(client, "b", "*", "PurgeQueue", accounts=("1", "2"))
    second = json.loads(client.attributes("Policy")["Policy"])["Statement"][1]
    assert second["Principal"] == {"AWS": ["arn:aws:iam::1:root", "arn:aws:iam::2:root"]}
    assert second["Action"] == ["SQS:*", "SQS:PurgeQueue"]
    client.on("RemovePermission", Label="a")
    assert json.loads(client.attributes("Policy")["Policy"])["Statement"] == [second]
    client.on("RemovePermission", Label="b")
    assert client.attributes("Policy") == {}
    refusal = "Value b for parameter Label is invalid. Reason: can't find label on existing policy."
    assert client.refused("RemovePermission", Label="b") == ("InvalidParameterValue", refusal, 400)
    _allow(client, "c", "*")
    assert client.refused("RemovePermission", Label="b") == ("InvalidParameterValue", refusal, 400)


@pytest.mark.rule("SQS-Q-9")
@pytest.mark.parametrize(
    ("params", "refusal"),
    [
        ({"Actions": []}, ("MissingParameter", "The request must contain the parameter Actions.", 400)),
        (
            {"AWSAccountIds": []},
            ("InvalidParameterValue", "Value [] for parameter PrincipalId is invalid. Reason: Unable to verify.", 400),
        ),
        ({"Actions": ["*"] * 8}, ("OverLimit", "8 Actions were found, maximum allowed is 7.", 403)),
        (
            {"Actions": ["*", "DeleteQueue"]},
            (
                "InvalidParameterValue",
                (
                    "Value SQS:DeleteQueue for parameter ActionName is invalid. Reason: Only the queue owner is "
                    "allowed to invoke this action."
                ),
                400,
            ),
        ),
        (
            {"Label": "there"},
            ("InvalidParameterValue", "Value there for parameter Label is invalid. Reason: Already exists.", 400),
        ),
    ],
)
def test_a_permission_that_cannot_be_is_refused(params: dict[str, Any], refusal: tuple[str, str, int]) -> None:
    client = Client()
    _allow(client, "there", "*")
    before = client.attributes("Policy")
    given = {"Label": "a", "AWSAccountIds": ["1"], "Actions": ["*"] * 7, **params}
    assert client.refused("AddPermission", **given) == refusal
    assert client.attributes("Policy") == before
    _allow(client, "seven", *["*"] * 7)


@pytest.mark.rule("SQS-Q-9")
def test_a_policy_is_kept_as_it_was_set() -> None:
    policy = {"Version": "2012-10-17", "Statement": {"Action": "sqs:*", "Principal": "*", "Resource": "é"}}
    client = Client({"Policy": json.dumps(policy)})
    assert json.loads(client.attributes("Policy")["Policy"]) == policy
    _allow(client, "a", "*")
    statements = json.loads(client.attributes("Policy")["Policy"])["Statement"]
    assert [statements[0], statements[1]["Sid"]] == [policy["Statement"], "a"]
    client.on("SetQueueAttributes", Attributes={"Policy": ""})
    assert client.attributes("Policy") == {}


@pytest.mark.rule("SQS-Q-9")
@pytest.mark.parametrize(
    ("statement", "count", "what"),
    [
        ({"Action": "*"}, 21, "21 statements were found, maximum allowed is 20."),
        ({"Principal": {"AWS": ["a"] * 26}}, 2, "52 principals were found, maximum allowed is 50."),
        ({"Condition": {"Bool": {"a": ["b"] * 11}}}, 1, "11 conditions were found, maximum allowed is 10."),
        ({"Action": ["*"] * 8}, 1, "8 Actions were found, maximum allowed is 7."),
    ],
)
def test_a_policy_has_limits(statement: dict[str, Any], count: int, what: str) -> None:
    policy = json.dumps({"Statement": [statement] * count})
    assert Client().refused("SetQueueAttributes", Attributes={"Policy": policy}) == ("OverLimit", what, 403)


@pytest.mark.rule("SQS-Q-9")
@pytest.mark.parametrize(
    "policy",
    ["{", "[]", "{}", '{"Statement": []}', '{"Statement": ["a"]}', f'{{"Statement": {{"a": "{"b" * 8180}"}}}}'],
)
def test_what_is_no_policy_is_refused(policy: str) -> None:
    refusal = ("InvalidAttributeValue", "Invalid value for the parameter Policy.", 400)
    assert Client().refused("SetQueueAttributes", Attributes={"Policy": policy}) == refusal
