"""SQS by its own names: its operations, and what they take (GEN-2)."""

from collections.abc import Mapping

from msgsim.service.message_attributes import WIRES
from msgsim.service.operation import Operation, Perform
from msgsim.service.parameters import ANY_TEXT, TEXT, WHOLE, ListOf, MapOf, Shape, Structure
from msgsim.service.sqs_attributes import get_queue_attributes, set_queue_attributes
from msgsim.service.sqs_batches import change_message_visibility_batch, delete_message_batch, send_message_batch
from msgsim.service.sqs_messages import change_message_visibility, delete_message, receive_message, send_message
from msgsim.service.sqs_moves import cancel_message_move_task, list_message_move_tasks, start_message_move_task
from msgsim.service.sqs_policies import add_permission, remove_permission
from msgsim.service.sqs_queues import (
    create_queue,
    delete_queue,
    get_queue_url,
    list_dead_letter_source_queues,
    list_queue_tags,
    list_queues,
    purge_queue,
    tag_queue,
    untag_queue,
)
from msgsim.service.sqs_refusals import SQS

TEXTS = ListOf(TEXT)
MAP = MapOf(TEXT)
PAGES: Mapping[str, Shape] = {"MaxResults": WHOLE, "NextToken": TEXT}
SENDING: Mapping[str, Shape] = {
    "DelaySeconds": WHOLE,
    "MessageAttributes": WIRES,
    "MessageDeduplicationId": TEXT,
    "MessageGroupId": TEXT,
    "MessageSystemAttributes": WIRES,
}
"""What a message may have beside its body."""


def _on_queue(
    perform: Perform, required: Mapping[str, Shape] | None = None, optional: Mapping[str, Shape] | None = None
) -> Operation:
    """An operation on the queue that `QueueUrl` leads to."""
    return Operation(SQS, perform, Structure({"QueueUrl": TEXT, **(required or {})}, optional or {}))


def _batch(
    perform: Perform, required: Mapping[str, Shape] | None = None, optional: Mapping[str, Shape] | None = None
) -> Operation:
    """An operation on entries with an `Id` each."""
    entry = Structure({"Id": TEXT, **(required or {})}, optional or {})
    return _on_queue(perform, {"Entries": ListOf(entry)})


OPERATIONS: Mapping[str, Operation] = {
    "AddPermission": _on_queue(add_permission, {"Label": TEXT, "AWSAccountIds": TEXTS, "Actions": TEXTS}),
    "CancelMessageMoveTask": Operation(SQS, cancel_message_move_task, Structure({"TaskHandle": TEXT})),
    "ChangeMessageVisibility": _on_queue(
        change_message_visibility, {"ReceiptHandle": TEXT, "VisibilityTimeout": WHOLE}
    ),
    "ChangeMessageVisibilityBatch": _batch(
        change_message_visibility_batch, {"ReceiptHandle": TEXT, "VisibilityTimeout": WHOLE}
    ),
    "CreateQueue": Operation(SQS, create_queue, Structure({"QueueName": TEXT}, {"Attributes": MAP, "tags": MAP})),
    "DeleteMessage": _on_queue(delete_message, {"ReceiptHandle": TEXT}),
    "DeleteMessageBatch": _batch(delete_message_batch, {"ReceiptHandle": TEXT}),
    "DeleteQueue": _on_queue(delete_queue),
    "GetQueueAttributes": _on_queue(get_queue_attributes, optional={"AttributeNames": TEXTS}),
    "GetQueueUrl": Operation(SQS, get_queue_url, Structure({"QueueName": TEXT}, {"QueueOwnerAWSAccountId": TEXT})),
    "ListDeadLetterSourceQueues": _on_queue(list_dead_letter_source_queues, optional=PAGES),
    "ListMessageMoveTasks": Operation(
        SQS, list_message_move_tasks, Structure({"SourceArn": TEXT}, {"MaxResults": WHOLE})
    ),
    "ListQueueTags": _on_queue(list_queue_tags),
    "ListQueues": Operation(SQS, list_queues, Structure({}, {"QueueNamePrefix": TEXT, **PAGES})),
    "PurgeQueue": _on_queue(purge_queue),
    "ReceiveMessage": _on_queue(
        receive_message,
        optional={
            "AttributeNames": TEXTS,
            "MaxNumberOfMessages": WHOLE,
            "MessageAttributeNames": TEXTS,
            "MessageSystemAttributeNames": TEXTS,
            "ReceiveRequestAttemptId": TEXT,
            "VisibilityTimeout": WHOLE,
            "WaitTimeSeconds": WHOLE,
        },
    ),
    "RemovePermission": _on_queue(remove_permission, {"Label": TEXT}),
    "SendMessage": _on_queue(send_message, {"MessageBody": ANY_TEXT}, SENDING),
    "SendMessageBatch": _batch(send_message_batch, {"MessageBody": ANY_TEXT}, SENDING),
    "SetQueueAttributes": _on_queue(set_queue_attributes, {"Attributes": MAP}),
    "StartMessageMoveTask": Operation(
        SQS,
        start_message_move_task,
        Structure({"SourceArn": TEXT}, {"DestinationArn": TEXT, "MaxNumberOfMessagesPerSecond": WHOLE}),
    ),
    "TagQueue": _on_queue(tag_queue, {"Tags": MAP}),
    "UntagQueue": _on_queue(untag_queue, {"TagKeys": TEXTS}),
}
"""The operations by name."""
