"""SQS: messages moved out of a dead-letter queue."""

import json
from base64 import b64decode, b64encode
from typing import Any

import pytest

from tests.service.clients import EPOCH_MS, Client

ARN = "arn:aws:sqs:us-east-1:123456789012"
NOT_FOUND = "ResourceNotFoundException"


class Moves:
    """Ten messages in the dead-letter queue of two queues, five from each."""

    def __init__(self) -> None:
        self.dead = Client(name="dead")
        account = self.dead.account
        policy = {"RedrivePolicy": f'{{"deadLetterTargetArn": "{ARN}:dead", "maxReceiveCount": 1}}'}
        self.sources = [Client(policy, name=name, account=account) for name in ("a", "b")]
        self.other = Client(name="other", account=account)
        for source in self.sources:
            for number in range(5):
                source.send(f"{source.name}{number}")
            assert len(source.bodies(VisibilityTimeout=0)) == 5
            assert source.bodies() == []

    def start(self, now: float = 0, **params: Any) -> str:
        return str(self.dead("StartMessageMoveTask", now, SourceArn=f"{ARN}:dead", **params)["TaskHandle"])

    def refusal(self, **params: Any) -> tuple[str, str, int]:
        return self.dead.refusal("StartMessageMoveTask", **{"SourceArn": f"{ARN}:dead", **params})

    def tasks(self, now: float = 0, **params: Any) -> list[dict[str, Any]]:
        answer = self.dead("ListMessageMoveTasks", now, SourceArn=f"{ARN}:dead", **params)
        results: list[dict[str, Any]] = answer["Results"]
        return results


@pytest.mark.rule("SQS-MOV-2")
@pytest.mark.rule("SQS-MOV-5")
def test_messages_go_back_to_where_they_came_from() -> None:
    moves = Moves()
    assert moves.start(5)
    assert moves.tasks(6) == [
        {
            "Status": "COMPLETED",
            "SourceArn": f"{ARN}:dead",
            "StartedTimestamp": EPOCH_MS + 5_000,
            "ApproximateNumberOfMessagesMoved": 10,
            "ApproximateNumberOfMessagesToMove": 10,
        }
    ]
    for source in moves.sources:
        assert source.bodies(6) == [f"{source.name}{number}" for number in range(5)]
    assert moves.dead.account.tasks == []


@pytest.mark.rule("SQS-MOV-1")
@pytest.mark.rule("SQS-MOV-4")
def test_messages_go_to_the_queue_that_is_named_and_are_new_there() -> None:
    moves = Moves()
    dead = {each["Body"]: each["MessageId"] for each in moves.dead.receive(MaxNumberOfMessages=10, VisibilityTimeout=0)}
    moves.start(50, DestinationArn=f"{ARN}:other", MaxNumberOfMessagesPerSecond=500)
    [task] = moves.tasks(51)
    assert (task["Status"], task["DestinationArn"]) == ("COMPLETED", f"{ARN}:other")
    assert task["MaxNumberOfMessagesPerSecond"] == 500
    for message in moves.other.receive(51, MaxNumberOfMessages=10, AttributeNames=["All"]):
        assert message["MessageId"] != dead.pop(message["Body"])
        assert message["Attributes"]["ApproximateReceiveCount"] == "1"
        assert int(message["Attributes"]["SentTimestamp"]) >= EPOCH_MS + 50_000
    assert dead == {}


@pytest.mark.rule("SQS-MOV-3")
@pytest.mark.rule("SQS-MOV-5")
def test_a_task_runs_at_its_rate_until_it_is_cancelled() -> None:
    moves = Moves()
    handle = moves.start(0, MaxNumberOfMessagesPerSecond=1, DestinationArn=f"{ARN}:other")
    assert moves.other.bodies(2.9) == ["a0", "a1", "a2"]
    [task] = moves.tasks(2.9)
    assert (task["Status"], task["TaskHandle"]) == ("RUNNING", handle)
    assert task["ApproximateNumberOfMessagesMoved"] == 3
    assert task["ApproximateNumberOfMessagesToMove"] == 10
    assert moves.dead("CancelMessageMoveTask", 2.9, TaskHandle=handle) == {"ApproximateNumberOfMessagesMoved": 3}
    assert [each["Status"] for each in moves.tasks(2.9)] == ["CANCELLING"]
    [task] = moves.tasks(10)
    assert (task["Status"], "TaskHandle" in task) == ("CANCELLED", False)
    assert moves.other.bodies(10) == []
    assert len(moves.dead.bodies(10)) == 7
    code, text, _ = moves.dead.refusal("CancelMessageMoveTask", 10, TaskHandle=handle)
    assert (code, text) == ("InvalidParameterValue", "Only active tasks can be cancelled.")


@pytest.mark.rule("SQS-MOV-5")
def test_a_task_whose_destination_is_deleted_fails() -> None:
    moves = Moves()
    moves.start(0, MaxNumberOfMessagesPerSecond=1, DestinationArn=f"{ARN}:other")
    moves.other.on("DeleteQueue", 2.5)
    [task] = moves.tasks(5)
    assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("FAILED", 3)
    assert task["FailureReason"] == "AWS.SimpleQueueService.NonExistentQueue"


@pytest.mark.rule("SQS-MOV-5")
def test_the_last_ten_tasks_are_listed_latest_first() -> None:
    moves = Moves()
    handles = [moves.start(now) for now in range(12)]
    assert len(set(handles)) == 12
    assert [each["StartedTimestamp"] for each in moves.tasks(20)] == [EPOCH_MS + 11_000]
    latest = [each["StartedTimestamp"] - EPOCH_MS for each in moves.tasks(20, MaxResults=10)]
    assert latest == [1_000 * second for second in range(11, 1, -1)]
    for most in (0, 11):
        assert moves.dead.refusal("ListMessageMoveTasks", 20, SourceArn=f"{ARN}:dead", MaxResults=most) == (
            "InvalidParameterValue",
            f"Value {most} for parameter MaxResults is invalid. Reason: Must be between 1 and 10, if provided.",
            400,
        )
    assert moves.dead("ListMessageMoveTasks", 20, SourceArn=f"{ARN}:a") == {"Results": []}


@pytest.mark.rule("SQS-MOV-1")
@pytest.mark.parametrize(
    ("params", "refusal"),
    [
        (
            {"SourceArn": f"{ARN}:other"},
            ("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.", 400),
        ),
        *(
            (
                {parameter: arn},
                (NOT_FOUND, f"The resource that you specified for the {parameter} parameter doesn't exist.", 404),
            )
            for parameter in ("SourceArn", "DestinationArn")
            for arn in ("other", f"{ARN}:p", "arn:aws:sqs:eu-west-1:123456789012:other")
        ),
        (
            {"DestinationArn": f"{ARN}:dead"},
            ("InvalidParameterValue", "Source queue and destination queue must not be the same.", 400),
        ),
    ],
)
def test_a_task_that_cannot_be_is_refused(params: dict[str, str], refusal: tuple[str, str, int]) -> None:
    moves = Moves()
    assert moves.refusal(**params) == refusal
    assert (moves.tasks(), moves.dead.account.tasks) == ([], [])
    assert len(moves.dead.bodies()) == 10


@pytest.mark.rule("SQS-MOV-3")
def test_one_task_per_queue_at_1_to_500_messages_per_second() -> None:
    moves = Moves()
    for rate in (0, 501):
        code, text, _ = moves.refusal(MaxNumberOfMessagesPerSecond=rate)
        assert code == "InvalidParameterValue"
        assert text.startswith(f"Value {rate} for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: ")
    moves.start(0, MaxNumberOfMessagesPerSecond=1)
    assert moves.refusal() == (
        "InvalidParameterValue",
        "There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
        400,
    )


@pytest.mark.rule("SQS-MOV-3")
def test_an_account_has_up_to_100_active_tasks() -> None:
    client = Client()
    arns = []
    for number in range(101):
        name = f"d{number}"
        client("CreateQueue", QueueName=name)
        arns.append(f"{ARN}:{name}")
        policy = f'{{"deadLetterTargetArn": "{arns[-1]}", "maxReceiveCount": 1}}'
        source = Client({"RedrivePolicy": policy}, name=f"s{number}", account=client.account)
        for body in "ab":
            source.send(body)
        source.bodies(VisibilityTimeout=0)
        assert source.bodies() == []
    for arn in arns[:100]:
        client("StartMessageMoveTask", SourceArn=arn, MaxNumberOfMessagesPerSecond=1)
    assert client.refusal("StartMessageMoveTask", SourceArn=arns[100]) == (
        "OverLimit",
        "An account has at most 100 active tasks.",
        403,
    )
    client("StartMessageMoveTask", 2, SourceArn=arns[100])


def test_a_handle_says_which_task_of_which_queue_it_is() -> None:
    moves = Moves()
    said = json.loads(b64decode(moves.start(0, MaxNumberOfMessagesPerSecond=1)))
    assert said["sourceArn"] == f"{ARN}:dead"

    def refusal(handle: object) -> tuple[str, str, int]:
        text = handle if isinstance(handle, str) else b64encode(json.dumps(handle).encode()).decode()
        return moves.dead.refusal("CancelMessageMoveTask", TaskHandle=text)

    bad = ("InvalidParameterValue", "Value for parameter TaskHandle is invalid.", 400)
    for handle in ("a", "é", "/w==", ["a"], {"taskId": "a"}, {"taskId": 1, "sourceArn": f"{ARN}:dead"}):
        assert refusal(handle) == bad
    assert refusal({**said, "sourceArn": f"{ARN}:p"}) == (
        NOT_FOUND,
        "The resource that you specified for the SourceArn parameter doesn't exist.",
        404,
    )
    assert refusal({**said, "taskId": "a"}) == (NOT_FOUND, "Task does not exist.", 404)
