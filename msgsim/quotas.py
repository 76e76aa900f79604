"""Every AWS number, once: name, bounds, default, unit and the rule of the rule book it comes from.

Declarations take their bounds from here, and the bus its refusals; changing a limit is one line of this file.

There are two sets: the published numbers, and the relaxed ones, which ask what would be if a limit were raised. They
are bounded by what can be at all: no time is negative, a batch has at least one entry.
"""

import math
from typing import Any

import attrs

from msgsim.declare import LARGEST, as_float, as_int, check_number, plain
from msgsim.errors import InvalidParameterValue

PUBLISHED = "published"
RELAXED = "relaxed"
SETS = (PUBLISHED, RELAXED)
"""The sets of quotas by name."""

UNLIMITED = 2**53
"""A number of things that nothing reaches, where "no limit" must be a whole number."""


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
        relaxed: the same limit in the relaxed set; None if that set has no other.
    """

    name: str
    low: float
    high: float
    unit: str
    rule: str
    default: float | None = None
    reason: str = ""
    relaxed: "Quota | None" = None

    def raised(self, *, low: float | None = None, high: float = math.inf, default: float | None = None) -> "Quota":
        """The same with other bounds and another default in the relaxed set; without a bound above if none is given."""
        start = self.low if low is None else low
        usual = self.default if default is None else default
        return attrs.evolve(self, relaxed=Quota(self.name, start, high, self.unit, self.rule, usual))

    def under(self, quotas: str | None) -> "Quota":
        """The limit in a set; None is the published one."""
        return self.relaxed if quotas == RELAXED and self.relaxed is not None else self

    def field(self, default: Any = attrs.NOTHING, *, integer: bool = False, optional: bool = False) -> Any:
        """A declaration's field with the bounds of the set that the declaration's own field `quotas` names."""
        value = self.default if default is attrs.NOTHING and self.default is not None else default

        def usual(owner: Any) -> float | None:
            return self.under(getattr(owner, "quotas", None)).default

        def validate(owner: object, attribute: "attrs.Attribute[Any]", given: object) -> None:
            if not (optional and given is None):
                quota = self.under(getattr(owner, "quotas", None))
                quota.check(f"{type(owner).__name__}.{attribute.name}", given, integer=integer)

        if value is self.default and self.relaxed is not None and self.relaxed.default != value:
            value = attrs.Factory(usual, takes_self=True)
        return attrs.field(default=value, converter=as_int if integer else as_float, validator=validate)

    def check(self, path: str, value: object, *, integer: bool = False) -> None:
        """Refuse a declared value outside the bounds.

        Raises:
            DeclarationError: with path, value, bounds and rule.
        """
        check_number(path, value, low=self.low, high=self.high, unit=self.unit, rule=self.rule, integer=integer)

    def demand(self, value: object, *, integer: bool = False) -> None:
        """Refuse a call's parameter that is no number in the bounds, in the service's words.

        Raises:
            InvalidParameterValue: "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: ...".
        """
        usual = isinstance(value, int if integer else (int, float)) and type(value) is not bool
        if usual and self.low <= value <= self.high and value <= LARGEST:  # type: ignore[operator]
            return
        kind: Any = int if integer else (int, float)
        given = plain(value)
        high = min(self.high, LARGEST)
        if not isinstance(given, kind) or isinstance(given, bool) or not self.low <= given <= high:
            reason = self.reason or f"Must be between {self.low:g} and {self.high:g}, if provided."
            raise InvalidParameterValue(f"Value {given} for parameter {self.name} is invalid. Reason: {reason}")


def _up_to(last: int) -> str:
    return f"Must be >= 0 and <= {last}, if provided."


DELAY = Quota("DelaySeconds", 0, 900, "s", "SQS-DLY-1", 0, _up_to(900)).raised()
VISIBILITY_TIMEOUT = Quota("VisibilityTimeout", 0, 43_200, "s", "SQS-VIS-1", 30, _up_to(43_200)).raised()
WAIT_TIME = Quota("WaitTimeSeconds", 0, 20, "s", "SQS-RCV-2", 0, _up_to(20)).raised()
RETENTION = Quota("MessageRetentionPeriod", 60, 1_209_600, "s", "SQS-ATT-1", 345_600).raised(low=1)
MAX_MESSAGE_BYTES = Quota("MaximumMessageSize", 1_024, 1_048_576, "bytes", "SQS-ATT-1", 1_048_576).raised(
    low=1, default=UNLIMITED
)
MAX_RECEIVE_COUNT = Quota("maxReceiveCount", 1, 1_000, "receives", "SQS-DLQ-1")
MAX_MESSAGES = Quota("MaxNumberOfMessages", 1, 10, "messages", "SQS-RCV-1", 1).raised()
MAX_IN_FLIGHT = Quota("in-flight messages", 1, math.inf, "messages", "SQS-INF-1", 120_000).raised(default=UNLIMITED)
MESSAGE_ATTRIBUTES = Quota("MessageAttributes", 0, 10, "attributes", "SQS-SND-4").raised()
PURGE_INTERVAL = Quota("PurgeQueue interval", 60, 60, "s", "SQS-PRG-2", 60).raised(low=0, default=0)
ATTRIBUTE_LAG = Quota("propagation of attributes", 0, 60, "s", "SQS-ATT-2", 0)
RETENTION_LAG = Quota("propagation of MessageRetentionPeriod", 0, 900, "s", "SQS-ATT-2", 0)
REDRIVE_SOURCES = Quota("sourceQueueArns", 1, 10, "queues", "SQS-DLQ-6")
MOVE_RATE = Quota("MaxNumberOfMessagesPerSecond", 1, 500, "messages/s", "SQS-MOV-3", 500).raised()
MOVE_TIME = Quota("time of a move task", 0, 129_600, "s", "SQS-MOV-3", 129_600).raised(default=math.inf)
RECEIVES_BEFORE_BACK = Quota("receives before the back of the queue", 3, 3, "receives", "SQS-RCV-8", 3)
NOISY_SHARE = Quota("noisy tenant's share", 0.1, 0.1, "of all", "SQS-FAIR-3", 0.1)
NOISY_IN_FLIGHT = Quota("noisy tenant's messages in flight", 30, 30, "messages", "SQS-FAIR-3", 30)
QUIET_AFTER = Quota("time without flights until a tenant is quiet", 300, 300, "s", "SQS-FAIR-5", 300)
MOVE_TASKS = Quota("active move tasks", 1, 100, "tasks", "SQS-MOV-3")
MOVE_LIST = Quota("MaxResults", 1, 10, "tasks", "SQS-MOV-5", 1)
BATCH_ENTRIES = Quota("Entries", 1, 10, "entries", "SQS-BAT-1")
BATCH_BYTES = Quota("batch of messages", 1, 1_048_576, "bytes", "SQS-BAT-3")
BILLED_CHUNK = Quota("payload that is billed as one request", 65_536, 65_536, "bytes", "PRC-SQS-2", 65_536)
DELETION_LAG = Quota("DeleteQueue", 0, 60, "s", "SQS-Q-3", 0)
CREATION_LAG = Quota("CreateQueue", 0, 1, "s", "SQS-Q-5", 0)
NAME_REUSE = Quota("wait before a name is used again", 60, 60, "s", "SQS-Q-4", 60)
PAGE = Quota("MaxResults", 1, 1_000, "queues", "SQS-Q-8", 1_000)
POLICY_BYTES = Quota("Policy", 1, 8_192, "bytes", "SQS-Q-9")
POLICY_STATEMENTS = Quota("Policy statements", 1, 20, "statements", "SQS-Q-9")
POLICY_PRINCIPALS = Quota("Policy principals", 1, 50, "principals", "SQS-Q-9")
POLICY_CONDITIONS = Quota("Policy conditions", 0, 10, "conditions", "SQS-Q-9")
POLICY_ACTIONS = Quota("Policy actions", 1, 7, "actions", "SQS-Q-9")
KMS_REUSE = Quota("KmsDataKeyReusePeriodSeconds", 60, 86_400, "s", "SQS-ATT-1", 300)

DEDUPLICATION_INTERVAL = Quota("deduplication interval", 300, 300, "s", "FIFO-DUP-1", 300)
ATTEMPT_INTERVAL = Quota("time to repeat a receive", 300, 300, "s", "FIFO-VIS-4", 300)
LOOK_AHEAD = Quota("look-ahead for groups", 1, math.inf, "messages", "FIFO-ORD-8", 120_000).raised(default=UNLIMITED)
FIFO_CALLS = Quota("calls of each kind to a FIFO queue or a partition of it", 1, 300, "calls/s", "FIFO-TPS-1", 300)
FIFO_REGIONS = {
    "us-east-1": 70_000,
    "us-west-2": 70_000,
    "eu-west-1": 70_000,
    "us-east-2": 19_000,
    "eu-central-1": 19_000,
    "ap-south-1": 9_000,
    "ap-southeast-1": 9_000,
    "ap-southeast-2": 9_000,
    "ap-northeast-1": 9_000,
    "eu-west-2": 4_500,
    "sa-east-1": 4_500,
}
"""Calls of each kind to a FIFO queue in high-throughput mode, by Region [calls/s] (FIFO-TPS-2)."""

FIFO_OTHER_REGIONS = 2_400
"""The same in all other Regions."""

# ---------------------------------------------------------------- topics: publishing
PUBLISH_BYTES = Quota("Message", 1, 262_144, "bytes", "SNS-PUB-1")

# ---------------------------------------------------------------- topics: filter policies
FILTER_POLICY_KEYS = Quota("FilterPolicy keys", 1, 5, "keys", "SNS-FLT-8")
FILTER_COMBINATIONS = Quota("FilterPolicy combinations", 1, 150, "combinations", "SNS-FLT-8")
FILTER_BYTES = Quota("FilterPolicy", 0, 262_144, "bytes", "SNS-FLT-8")
FILTER_LAG = Quota("propagation of FilterPolicy", 0, 900, "s", "SNS-FLT-11", 0)
WILDCARDS = Quota("FilterPolicy wildcards", 0, 3, "* per pattern", "SNS-FLT-9")
WILDCARD_POINTS = Quota("FilterPolicy wildcard complexity", 0, 100, "points", "SNS-FLT-9")

# ---------------------------------------------------------------- topics: deliveries
ATTEMPT_TIMEOUT = Quota("time for an attempt of a delivery", 15, 15, "s", "SNS-RTY-6", 15)
EMAIL_DELIVERIES = Quota("emails to a subscription", 10, 10, "messages/s", "SNS-SUB-7", 10)
RAW_ATTRIBUTES = Quota("attributes of a raw delivery to a queue", 0, 10, "attributes", "SNS-ENV-4")
RETRIES = Quota("numRetries", 0, 100, "retries", "SNS-RTY-4", 3)
RETRY_DELAY = Quota("minDelayTarget, maxDelayTarget", 1, 3_600, "s", "SNS-RTY-4", 20)
RETRY_TIME = Quota("time of all retries", 0, 3_600, "s", "SNS-RTY-4")
MAX_RECEIVES_PER_SECOND = Quota("maxReceivesPerSecond", 1, math.inf, "deliveries/s", "SNS-RTY-4")
AWS_MANAGED_RETRIES = 100_015
"""To queues, functions and streams, over 23 days (SNS-RTY-2)."""
CUSTOMER_MANAGED_RETRIES = 50
"""By email, SMS and push, over hours (SNS-RTY-2)."""

# ---------------------------------------------------------------- FIFO topics, archives
ARCHIVE_RETENTION = Quota("MessageRetentionPeriod of an archive", 1, 365, "days", "SNS-ARC-1")
TOPIC_RATE = Quota("publishes to a FIFO topic", 1, 3_000, "messages/s", "SNS-QUO-2", 3_000)
TOPIC_BYTES = Quota("payload of a FIFO topic", 1, 20_000_000, "bytes/s", "SNS-QUO-2", 20_000_000)
GROUP_RATE = Quota("publishes to a message group of a FIFO topic", 1, 300, "messages/s", "SNS-QUO-2", 300)

# ---------------------------------------------------------------- topics on the wire, SMS
PUBLISH_ENTRIES = Quota("PublishBatchRequestEntries", 1, 10, "entries", "SNS-PUB-6")
TOPICS = Quota("topics", 0, 100_000, "topics", "SNS-QUO-1")
FIFO_TOPICS = Quota("FIFO topics", 0, 1_000, "FIFO topics", "SNS-QUO-1")
SUBSCRIPTIONS = Quota("subscriptions", 0, 12_500_000, "subscriptions of a topic", "SNS-SUB-5")
FIFO_SUBSCRIPTIONS = Quota("subscriptions", 0, 100, "subscriptions of a FIFO topic", "SNS-SUB-5")
FIREHOSE_SUBSCRIPTIONS = Quota("Firehose subscriptions", 0, 5, "Firehose subscriptions of a topic", "SNS-SUB-5")
PENDING_SUBSCRIPTIONS = Quota("pending subscriptions", 0, 5_000, "subscriptions of an account", "SNS-SUB-2")
FILTER_POLICIES_OF_TOPIC = Quota("filter policies", 0, 200, "policies of a topic", "SNS-FLT-8")
FILTER_POLICIES_OF_ACCOUNT = Quota("filter policies", 0, 10_000, "policies of an account", "SNS-FLT-8")
TOKEN_TIME = Quota("time of a confirmation token", 172_800, 172_800, "s", "SNS-SUB-3", 172_800)
PENDING_TIME = Quota("time of a pending subscription", 259_200, 259_200, "s", "SNS-SUB-3", 259_200)
TOPIC_TAGS = Quota("tags", 0, 50, "tags of a topic", "SNS-TOP-2")
_SMALLER_REGIONS = (
    "us-east-2",
    "us-west-1",
    "ap-south-1",
    "ap-northeast-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-northeast-1",
    "eu-central-1",
)
PUBLISH_RATES = {"us-east-1": 30_000, "us-west-2": 9_000, "eu-west-1": 9_000} | dict.fromkeys(_SMALLER_REGIONS, 1_500)
"""Messages per second that all standard topics of an account publish, by Region (SNS-QUO-1)."""

PUBLISH_RATES_ELSEWHERE = 300
"""The same in all other Regions."""

FIFO_PUBLISH_RATES = {"us-east-1": 30_000, "us-west-2": 9_000, "eu-west-1": 9_000}
"""Messages per second that all FIFO topics of an account publish, by Region (SNS-QUO-1)."""

FIFO_PUBLISH_RATES_ELSEWHERE = 3_000
"""The same in all other Regions."""

SMS_CHARACTERS = Quota("Message", 1, 1_600, "characters", "SNS-SMS-1")
SMS_PART_GSM = Quota("part in GSM-7", 1, 160, "characters", "SNS-SMS-1")
SMS_PART_ASCII = Quota("part in ASCII", 1, 140, "characters", "SNS-SMS-1")
SMS_PART_UCS = Quota("part in UCS-2", 1, 70, "characters", "SNS-SMS-1")
SMS_PART_HEADER_GSM = Quota("one of several parts in GSM-7", 1, 153, "characters", "SNS-SMS-1")
SMS_PART_HEADER_UCS = Quota("one of several parts in UCS-2", 1, 67, "characters", "SNS-SMS-1")
SANDBOX_NUMBERS = Quota("sandbox numbers", 0, 10, "numbers", "SNS-SMS-2")
SANDBOX_NUMBER_TIME = Quota("least time of a sandbox number", 86_400, 86_400, "s", "SNS-SMS-2", 86_400)
OPT_IN_INTERVAL = Quota("time between opt-ins", 2_592_000, 2_592_000, "s", "SNS-SMS-2", 2_592_000)

# ---------------------------------------------------------------- outboxes: quotas of sending
RECIPIENTS = Quota("recipients of one email", 1, 50, "recipients", "SES-QUO-8")
QUOTA_WINDOW = Quota("sending quota window", 86_400, 86_400, "s", "SES-QUO-3", 86_400)
SANDBOX_SEND_RATE = Quota("sandbox MaxSendRate", 1, 1, "recipients/s", "SES-QUO-1", 1)
SANDBOX_24_HOUR_SEND = Quota("sandbox Max24HourSend", 200, 200, "recipients", "SES-QUO-1", 200)

# ---------------------------------------------------------------- outboxes: delivery, suppression, reputation
MAX_DELIVERY_TIME = Quota("MaxDeliverySeconds", 300, 50_400, "s", "SES-CFG-1", 50_400)
BOUNCE_REVIEW = Quota("bounce rate of a review", 0, 1, "of recipients", "SES-REP-1", 0.05)
BOUNCE_PAUSE = Quota("bounce rate of a pause", 0, 1, "of recipients", "SES-REP-1", 0.1)
COMPLAINT_REVIEW = Quota("complaint rate of a review", 0, 1, "of recipients", "SES-REP-1", 0.001)
COMPLAINT_PAUSE = Quota("complaint rate of a pause", 0, 1, "of recipients", "SES-REP-1", 0.005)
LEAST_REPRESENTATIVE_VOLUME = 1_000
"""Rates are over no fewer recipients, unless it is said how many [recipients] (SES-REP-2: unpublished)."""

STATISTICS_BUCKET = Quota("GetSendStatistics interval", 900, 900, "s", "SES-REP-4", 900)
STATISTICS_TIME = Quota("GetSendStatistics time", 1_209_600, 1_209_600, "s", "SES-REP-4", 1_209_600)
EVENT_DESTINATIONS = Quota("EventDestinations", 0, 10, "destinations", "SES-CFG-2")
WARM_UP_TIME = Quota("time of a warm-up", 0, 3_888_000, "s", "SES-IP-1", 3_888_000).raised()
DEDICATED_IP_VOLUME = Quota("emails by a warm dedicated IP", 1, math.inf, "emails/day", "SES-IP-1", 50_000)
SUPPRESSION_IMPORT = Quota("addresses of one import job", 1, 100_000, "addresses", "SES-SUP-5")
SUPPRESSION_PAUSE = Quota("pause that empties the suppression list", 7_776_000, 7_776_000, "s", "SES-SUP-5", 7_776_000)
GLOBAL_SUPPRESSION_TIME = Quota("time on the global suppression list", 0, 1_209_600, "s", "SES-SUP-3", 1_209_600)
COMPLAINTS_OF_BULK = Quota("complaints about a bulk sender", 0, 1, "of the emails", "SES-IDN-3", 0.003)
BULK_SENDER = Quota("emails per day of a bulk sender", 5_000, 5_000, "emails", "SES-IDN-3", 5_000)

# ---------------------------------------------------------------- emails
MESSAGE_BYTES = Quota("size of an email", 1, 41_943_040, "bytes", "SES-QUO-8")
MESSAGE_BYTES_V1 = Quota("size of an email, API version 1", 1, 10_485_760, "bytes", "SES-QUO-8")
MESSAGE_PARTS = Quota("MIME parts of an email", 1, 500, "parts", "SES-QUO-8")
HEADERS = Quota("Headers", 0, 15, "headers", "SES-SND-8")
HEADER_NAME = Quota("name of a header", 1, 126, "characters", "SES-SND-8")
HEADER_VALUE = Quota("value of a header", 1, 995, "characters", "SES-SND-8")
HEADER_BYTES = Quota("name and value of a header", 2, 996, "characters", "SES-SND-8")
TAG_CHARACTERS = Quota("name or value of a message tag", 1, 256, "characters", "SES-SND-7")
TAG_CHARACTERS_V1 = Quota("name or value of a message tag, API version 1", 1, 255, "characters", "SES-SND-7")
IDENTITIES = Quota("identities of an account", 0, 10_000, "identities", "SES-QUO-8")
CONFIGURATION_SETS = Quota("configuration sets of an account", 0, 10_000, "configuration sets", "SES-QUO-8")
TENANTS = Quota("tenants of an account", 0, 10_000, "tenants", "SES-QUO-8")
ADDRESS_LINK_TIME = Quota("time to click the link of an address", 86_400, 86_400, "s", "SES-IDN-1", 86_400)
DNS_RECORD_TIME = Quota("time in which records are looked for", 259_200, 259_200, "s", "SES-IDN-1", 259_200)
TEMPLATE_BYTES = Quota("size of a template", 0, 512_000, "bytes", "SES-QUO-8")
TEMPLATES = Quota("templates of an account", 0, 20_000, "templates", "SES-QUO-8")
BULK_DESTINATIONS = Quota("destinations of one bulk request", 1, 50, "destinations", "SES-QUO-8")
EVENT_HEADER_BYTES = Quota("headers in an event", 0, 10_240, "bytes", "SES-EVT-1")

# ---------------------------------------------------------------- SES on the wire
VERIFICATION_TIME = Quota("time until a link is clicked or records are found", 0, math.inf, "s", "SES-IDN-1")
IDENTITIES_ASKED = Quota("Identities", 0, 100, "identities of one request", "SES-IDN-1")
