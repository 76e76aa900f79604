"""Every AWS number, once: name, bounds, default, unit and the rule of the rule book it comes from.

Declarations take their bounds from here, and the bus its refusals; changing a limit is one line of this file.
"""

import math
from typing import Any

import attrs

from msgsim.declare import check_number, number
from msgsim.errors import InvalidParameterValue


@attrs.frozen
class Quota:
    """One limit of a service.

    Attributes:
        name: the service's parameter name.
        low: smallest allowed value.
        high: largest allowed value.
        unit: of the bounds.
        rule: the rule id that states it.
        default: what the service uses when nothing is given; None if there is no default.
        reason: the service's wording of the bounds in a refusal, where it is known.
    """

    name: str
    low: float
    high: float
    unit: str
    rule: str
    default: float | None = None
    reason: str = ""

    def field(self, default: Any = attrs.NOTHING, *, integer: bool = False, optional: bool = False) -> Any:
        """A declaration's field with these bounds."""
        value = self.default if default is attrs.NOTHING and self.default is not None else default
        return number(
            value, low=self.low, high=self.high, unit=self.unit, rule=self.rule, integer=integer, optional=optional
        )

    def check(self, path: str, value: object) -> None:
        """Refuse a declared value outside the bounds.

        Raises:
            DeclarationError: with path, value, bounds and rule.
        """
        check_number(path, value, low=self.low, high=self.high, unit=self.unit, rule=self.rule)

    def demand(self, value: float) -> None:
        """Refuse a call's parameter outside the bounds, in the service's words.

        Raises:
            InvalidParameterValue: "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: ...".
        """
        if not self.low <= value <= self.high:
            reason = self.reason or f"Must be between {self.low:g} and {self.high:g}, if provided."
            raise InvalidParameterValue(f"Value {value} for parameter {self.name} is invalid. Reason: {reason}")


def _up_to(last: int) -> str:
    return f"Must be >= 0 and <= {last}, if provided."


DELAY = Quota("DelaySeconds", 0, 900, "s", "SQS-DLY-1", 0, _up_to(900))
VISIBILITY_TIMEOUT = Quota("VisibilityTimeout", 0, 43_200, "s", "SQS-VIS-1", 30, _up_to(43_200))
WAIT_TIME = Quota("WaitTimeSeconds", 0, 20, "s", "SQS-RCV-2", 0, _up_to(20))
RETENTION = Quota("MessageRetentionPeriod", 60, 1_209_600, "s", "SQS-ATT-1", 345_600)
MAX_MESSAGE_BYTES = Quota("MaximumMessageSize", 1_024, 1_048_576, "bytes", "SQS-ATT-1", 1_048_576)
MAX_RECEIVE_COUNT = Quota("maxReceiveCount", 1, 1_000, "receives", "SQS-DLQ-1")
MAX_MESSAGES = Quota("MaxNumberOfMessages", 1, 10, "messages", "SQS-RCV-1", 1)
MAX_IN_FLIGHT = Quota("in-flight messages", 1, math.inf, "messages", "SQS-INF-1", 120_000)
MESSAGE_ATTRIBUTES = Quota("MessageAttributes", 0, 10, "attributes", "SQS-SND-4")
PURGE_INTERVAL = Quota("PurgeQueue interval", 60, 60, "s", "SQS-PRG-2", 60)
RECEIVES_BEFORE_BACK = Quota("receives before the back of the queue", 3, 3, "receives", "SQS-RCV-8", 3)

PUBLISH_BYTES = Quota("Message", 1, 262_144, "bytes", "SNS-PUB-1")
FILTER_POLICY_KEYS = Quota("FilterPolicy keys", 1, 5, "keys", "SNS-FLT-8")

RECIPIENTS = Quota("recipients of one email", 1, 50, "recipients", "SES-QUO-8")
QUOTA_WINDOW = Quota("sending quota window", 86_400, 86_400, "s", "SES-QUO-3", 86_400)
SANDBOX_SEND_RATE = Quota("sandbox MaxSendRate", 1, 1, "recipients/s", "SES-QUO-1", 1)
SANDBOX_24_HOUR_SEND = Quota("sandbox Max24HourSend", 200, 200, "recipients", "SES-QUO-1", 200)
MAX_DELIVERY_TIME = Quota("MaxDeliverySeconds", 300, 50_400, "s", "SES-CFG-1", 50_400)
