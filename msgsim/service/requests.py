"""The one way in: `call` by the name of an operation."""

from collections.abc import Mapping
from typing import Any

from msgsim.errors import ServiceError, no_such
from msgsim.service.account import Account
from msgsim.service.billing import billed
from msgsim.service.operation import Operation
from msgsim.service.ses import OPERATIONS as SES_OPERATIONS
from msgsim.service.sns import OPERATIONS as SNS_OPERATIONS
from msgsim.service.sqs import OPERATIONS as SQS_OPERATIONS

OPERATIONS: Mapping[str, Operation] = {**SQS_OPERATIONS, **SNS_OPERATIONS, **SES_OPERATIONS}
"""All operations by name. A name that two services have will need its service in front."""


def call(account: Account, operation: str, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Perform an operation, as a client of the service would ask for it.

    Args:
        account: whose things it is about.
        operation: by the service's name for it, such as "SendMessage".
        params: by the service's names and in its types: numbers of seconds are whole, attributes are texts.
        now: [s].

    Returns:
        The answer by the service's names. A `ReceiveMessage` never blocks: with `WaitTimeSeconds` it is one look of a
        long poll, and who waits asks again.

    Raises:
        ServiceError: refused, in the service's words where they are known.
        TimeRanBackwards: `now` is earlier than at the last call.
    """
    if operation not in OPERATIONS:
        raise ServiceError(
            "InvalidAction",
            f"The action {operation} is not valid for this web service: {no_such('operation', operation, OPERATIONS)}",
        )
    answer = OPERATIONS[operation].call(account, params, now)
    if operation in SQS_OPERATIONS:
        account.billed[operation] += billed(params, answer)
    return answer
