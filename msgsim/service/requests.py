"""The one way in: `call` by the name of an operation."""

from collections.abc import Mapping
from typing import Any

from msgsim.errors import ServiceError, no_such
from msgsim.service.account import Account
from msgsim.service.billing import billed
from msgsim.service.operation import Operation
from msgsim.service.ses import OPERATIONS as SES_OPERATIONS
from msgsim.service.ses_v1 import OPERATIONS as SES_V1_OPERATIONS
from msgsim.service.sns import OPERATIONS as SNS_OPERATIONS
from msgsim.service.sqs import OPERATIONS as SQS_OPERATIONS

SERVICES: Mapping[str, Mapping[str, Operation]] = {
    "sqs": SQS_OPERATIONS,
    "sns": SNS_OPERATIONS,
    "sesv2": SES_OPERATIONS,
    "ses": SES_V1_OPERATIONS,
}
"""The operations of each service by name; a name that several have means the first one's, unless it says whose."""


def by_name(services: Mapping[str, Mapping[str, Operation]]) -> dict[str, Operation]:
    """All operations by their shortest names: with the service and a colon in front only where an earlier one has it.

    Args:
        services: operations by name, by service.
    """
    found: dict[str, Operation] = {}
    for service, operations in services.items():
        found.update({f"{service}:{name}" if name in found else name: each for name, each in operations.items()})
    return found


OPERATIONS: Mapping[str, Operation] = by_name(SERVICES)
"""All operations by their shortest names."""


def call(account: Account, operation: str, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Perform an operation, as a client of the service would ask for it.

    Args:
        account: whose things it is about.
        operation: by the service's name for it, such as "SendMessage", or "sqs:SendMessage" where services share it:
            the name of a client, a colon, and the operation. Without a service it is the first one's of `SERVICES`.
        params: by the service's names and in its types: numbers of seconds are whole, attributes are texts.
        now: [s].

    Returns:
        The answer by the service's names. A `ReceiveMessage` never blocks: with `WaitTimeSeconds` it is one look of a
        long poll, and who waits asks again.

    Raises:
        ServiceError: refused, in the service's words where they are known.
        TimeRanBackwards: `now` is earlier than at the last call.
    """
    if not isinstance(operation, str):
        raise ServiceError(
            "InvalidAction", f"The action {operation!r} is not a text; the names are those of `OPERATIONS`"
        )
    service, _, name = operation.rpartition(":")
    there = SERVICES.get(service, {}) if service else OPERATIONS
    if name not in there:
        raise ServiceError(
            "InvalidAction", f"The action {operation} is not valid for this web service: {_unknown(service, name)}"
        )
    answer = there[name].call(account, params, now)
    if SQS_OPERATIONS.get(name) is there[name]:
        account.billed[name] += billed(params, answer)
    return answer


def _unknown(service: str, name: str) -> str:
    """What is said of an operation that nobody has."""
    if not service:
        return no_such("operation", name, OPERATIONS)
    if service not in SERVICES:
        return no_such("service", service, SERVICES)
    return no_such(f"operation of {service}", name, SERVICES[service])
