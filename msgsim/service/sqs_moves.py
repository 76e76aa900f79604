"""SQS: messages moved out of a dead-letter queue, in the course of time (SQS-MOV-1 ... SQS-MOV-5)."""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from msgsim.bus.filters import parse_body
from msgsim.bus.message import format_id
from msgsim.bus.moves import FAILED, RUNNING, MoveTask
from msgsim.errors import ServiceError
from msgsim.quotas import MOVE_LIST, MOVE_TASKS
from msgsim.service.account import Account, AnyQueue
from msgsim.service.queue_record import Move
from msgsim.service.sqs_refusals import SQS, invalid

KEPT = int(MOVE_LIST.high)
"""Tasks of a queue that are remembered: as many as a list can show."""


def start_message_move_task(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Begin to move messages to one queue, or each back to where it came from (SQS-MOV-1, SQS-MOV-2, SQS-MOV-3)."""
    source = _queue(account, params["SourceArn"], "SourceArn")
    to = params.get("DestinationArn")
    destination = None if to is None else _queue(account, to, "DestinationArn")
    if len(account.tasks) >= MOVE_TASKS.high:
        raise SQS.error("OverLimit", f"An account has at most {MOVE_TASKS.high:g} active tasks.", 403)
    rate = params.get("MaxNumberOfMessagesPerSecond")
    task = MoveTask(source, destination, now, rate=rate)
    waiting = source.counts(now).visible
    record = account.record(source.name)
    record.started += 1
    digest = blake2b(f"{source.name} {record.started}".encode(), digest_size=8).digest()
    move = Move(format_id(int.from_bytes(digest)), task, waiting, to, rate)
    record.moves = [*record.moves, move][-KEPT:]
    account.tasks.append(task)
    account.advance(now)
    return {"TaskHandle": _handle(account, source.name, move)}


def cancel_message_move_task(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Stop a task; what it has moved stays there (SQS-MOV-5)."""
    handle = _parsed(params["TaskHandle"])
    source = _queue(account, handle["sourceArn"], "SourceArn")
    for move in account.record(source.name).moves:
        if move.id == handle["taskId"]:
            return {"ApproximateNumberOfMessagesMoved": move.task.cancel(now)}
    raise _not_found("Task does not exist.")


def list_message_move_tasks(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """The tasks of a source, the latest first (SQS-MOV-5)."""
    source = _queue(account, params["SourceArn"], "SourceArn")
    most = params.get("MaxResults", int(MOVE_LIST.default or 0))
    if not MOVE_LIST.low <= most <= MOVE_LIST.high:
        raise invalid("MaxResults", most, f"Must be between {MOVE_LIST.low:g} and {MOVE_LIST.high:g}, if provided.")
    latest = account.record(source.name).moves[: -most - 1 : -1]
    return {"Results": [_listed(account, source.name, move) for move in latest]}


def _listed(account: Account, source: str, move: Move) -> dict[str, Any]:
    task = move.task
    optional = {
        "TaskHandle": _handle(account, source, move) if task.state == RUNNING else None,
        "DestinationArn": move.destination,
        "MaxNumberOfMessagesPerSecond": move.rate,
        "FailureReason": task.failure_reason if task.state == FAILED else None,
    }
    return {
        "Status": task.state,
        "SourceArn": account.arn("sqs", source),
        "StartedTimestamp": int(account.milliseconds(task.started_at)),
        "ApproximateNumberOfMessagesMoved": task.moved,
        "ApproximateNumberOfMessagesToMove": move.waiting,
        **{name: value for name, value in optional.items() if value is not None},
    }


def _queue(account: Account, arn: str, parameter: str) -> AnyQueue:
    name = account.queue_named(arn)
    if name is None:
        raise _not_found(f"The resource that you specified for the {parameter} parameter doesn't exist.")
    return account.queues[name]


def _not_found(text: str) -> ServiceError:
    return SQS.error("ResourceNotFoundException", text, 404)


def _handle(account: Account, source: str, move: Move) -> str:
    said = {"taskId": move.id, "sourceArn": account.arn("sqs", source)}
    return b64encode(json.dumps(said).encode()).decode()


def _parsed(handle: str) -> dict[str, str]:
    try:
        said = parse_body(b64decode(handle.encode(), validate=True).decode())
    except ValueError:
        said = None
    if not isinstance(said, dict) or not all(isinstance(said.get(key), str) for key in ("taskId", "sourceArn")):
        raise SQS.error("InvalidParameterValue", "Value for parameter TaskHandle is invalid.")
    return said
