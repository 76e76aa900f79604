"""SNS by its own names: topics, subscriptions and publishes (GEN-3)."""

import re
from collections.abc import Mapping
from typing import Any

from msgsim.bus.filters import parse_body
from msgsim.bus.standard import StandardQueue
from msgsim.bus.subscription import PROTOCOLS, Subscription
from msgsim.bus.topic import TopicFanout
from msgsim.errors import DeclarationError, InvalidParameter, ServiceError, Throttled
from msgsim.service.account import Account
from msgsim.service.message_attributes import WIRES, Wording, from_wire
from msgsim.service.operation import Operation, Service
from msgsim.service.parameters import FLAG, TEXT, MapOf, Missing, Structure

SNS = Service(
    missing=Missing("InvalidParameter", "Invalid parameter: {} Reason: no value for required parameter"),
    codes={Throttled: ("Throttled", 429)},
)
"""How SNS answers; its refusals (SNS-QUO-3)."""

WORDING = Wording(
    code="ParameterValueInvalid",
    kind="The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes is "
    "Binary, Number, and String.",
    empty="The message attribute '{name}' must contain non-empty message attribute value for message attribute type "
    "'{kind}'.",
    field="The message attribute '{name}' with type '{kind}' must use field '{field}'.",
    number="Could not cast message attribute '{name}' value to number.",
)
"""Refusals of message attributes (SNS-PUB-3)."""

FLAGS: Mapping[str, bool] = {"false": False, "true": True}

SUBSCRIPTION_ATTRIBUTES = ("FilterPolicy", "FilterPolicyScope", "RawMessageDelivery")
"""Attributes of a subscription that something here heeds; the service has more (SNS-SUB-8)."""

_PLACES = {
    "Subscription.endpoint": "Endpoint Reason: ",
    "Subscription.filter_policy": "Attributes Reason: FilterPolicy: ",
    "Subscription.filter_scope": "Attributes Reason: ",
    "Subscription.raw": "Attributes Reason: RawMessageDelivery: ",
}
"""What the service puts in front of a problem with a subscription (SNS-FLT-1, SNS-FLT-10)."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
_FIFO_NAME = re.compile(r"(?=.{1,256}\Z)[A-Za-z0-9_-]+\.fifo")


def create_topic(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Make a topic, or find the one that is there (SNS-TOP-1, SNS-TOP-2)."""
    name = params["Name"]
    attributes = params.get("Attributes", {})
    fifo = _flag("FifoTopic", attributes)
    if not (_FIFO_NAME if fifo else _NAME).fullmatch(name):
        raise InvalidParameter("Invalid parameter: Topic Name")
    if fifo:
        raise _invalid("Attributes", "FifoTopic: FIFO topics are not modelled yet; leave it out for a standard topic")
    for attribute in attributes:
        if attribute != "FifoTopic":
            raise _invalid("Attributes", f"{attribute}: not modelled; leave it out")
    if name not in account.topics:
        account.add_topic(name)
    return {"TopicArn": account.arn("sns", name)}


def subscribe(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Subscribe a queue by its ARN, or something else, whose deliveries are counted (SNS-SUB-1, SNS-SUB-4).

    All are confirmed at once so far (SNS-SUB-2).
    """
    name = _topic(account, params["TopicArn"])
    topic = account.topics[name]
    protocol = params["Protocol"]
    endpoint, queue = _endpoint(account, protocol, params["Endpoint"])
    attributes = params.get("Attributes", {})
    wanted = _subscription(protocol, endpoint, attributes)
    present = _present(topic, protocol, endpoint)
    if present is None:
        topic.subscribe(wanted, queue)
    elif attributes and wanted != present:
        raise _invalid("Attributes", "Subscription already exists with different attributes")
    return {"SubscriptionArn": account.subscription_arn(name, protocol, endpoint)}


def publish(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Publish to a topic (SNS-PUB-1 ... SNS-PUB-3)."""
    targets = [key for key in ("TopicArn", "TargetArn") if key in params]
    if not targets:
        raise _invalid("TopicArn or TargetArn", "no value for required parameter")
    if len(targets) > 1:
        raise _invalid("TopicArn or TargetArn", "only one of them may be given")
    topic = account.topics[_topic(account, params[targets[0]], targets[0])]
    message_id = topic.publish(
        params["Message"],
        now,
        attributes=from_wire(params.get("MessageAttributes", {}), WORDING, arrays=True),
        subject=params.get("Subject"),
        group_id=params.get("MessageGroupId"),
        deduplication_id=params.get("MessageDeduplicationId"),
    )
    return {"MessageId": message_id}


def _topic(account: Account, arn: str, parameter: str = "TopicArn") -> str:
    """The name of a topic that is there (SNS-TOP-4)."""
    name = account.topic_named(arn)
    if name is not None:
        return name
    if parameter == "TargetArn":
        raise _invalid("TargetArn", "No endpoint found for the target arn specified")
    raise ServiceError("NotFound", "Topic does not exist", 404)


def _endpoint(account: Account, protocol: str, endpoint: str) -> tuple[str, StandardQueue | None]:
    """What the bus calls an endpoint, and its queue if it is one (SNS-SUB-1, SNS-SUB-5)."""
    if protocol not in PROTOCOLS:
        raise InvalidParameter(f"Invalid parameter: Amazon SNS does not support this protocol string: {protocol}")
    if protocol != "sqs":
        return endpoint, None
    if not endpoint.startswith("arn:aws:sqs:"):
        raise InvalidParameter("Invalid parameter: SQS endpoint ARN")
    name = account.queue_named(endpoint)
    if name is None:
        raise _invalid("Endpoint", f"there is no queue {endpoint}: create it first, as nothing models its absence yet")
    queue = account.queues[name]
    if not isinstance(queue, StandardQueue):
        raise InvalidParameter(
            "Invalid parameter: Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard "
            "SNS topics"
        )
    return name, queue


def _present(topic: TopicFanout, protocol: str, endpoint: str) -> Subscription | None:
    """The subscription of an endpoint, as far as the service would know it."""
    for each in topic.declaration.subscriptions:
        if (each.protocol, each.endpoint) == (protocol, endpoint):
            return Subscription(
                endpoint=endpoint,
                protocol=protocol,
                filter_policy=each.filter_policy,
                filter_scope=each.filter_scope,
                raw=each.raw,
            )
    return None


def _subscription(protocol: str, endpoint: str, attributes: Mapping[str, str]) -> Subscription:
    for attribute in attributes:
        if attribute not in SUBSCRIPTION_ATTRIBUTES:
            allowed = ", ".join(SUBSCRIPTION_ATTRIBUTES)
            raise _invalid("Attributes", f"{attribute}: not modelled; allowed: {allowed}")
    policy = attributes.get("FilterPolicy")
    try:
        return Subscription(
            endpoint=endpoint,
            protocol=protocol,
            filter_policy=None if policy is None else _parsed(policy),
            filter_scope=attributes.get("FilterPolicyScope", "MessageAttributes"),
            raw=_flag("RawMessageDelivery", attributes),
        )
    except DeclarationError as error:
        raise InvalidParameter(f"Invalid parameter: {_PLACES[error.path]}{error.problem}") from error


def _parsed(policy: str) -> Any:
    parsed = parse_body(policy)
    if parsed is None:
        raise _invalid("Attributes", "FilterPolicy: failed to parse JSON")
    return parsed


def _flag(attribute: str, attributes: Mapping[str, str]) -> bool:
    written = attributes.get(attribute, "false")
    if written not in FLAGS:
        raise _invalid("Attributes", f"{attribute}: Invalid value [{written}]. Must be true or false.")
    return FLAGS[written]


def _invalid(parameter: str, reason: str) -> InvalidParameter:
    return InvalidParameter(f"Invalid parameter: {parameter} Reason: {reason}")


OPERATIONS: Mapping[str, Operation] = {
    "CreateTopic": Operation(SNS, create_topic, Structure({"Name": TEXT}, {"Attributes": MapOf(TEXT)})),
    "Publish": Operation(
        SNS,
        publish,
        Structure(
            {"Message": TEXT},
            {
                "MessageAttributes": WIRES,
                "MessageDeduplicationId": TEXT,
                "MessageGroupId": TEXT,
                "Subject": TEXT,
                "TargetArn": TEXT,
                "TopicArn": TEXT,
            },
        ),
    ),
    "Subscribe": Operation(
        SNS,
        subscribe,
        Structure(
            {"TopicArn": TEXT, "Protocol": TEXT, "Endpoint": TEXT},
            {"Attributes": MapOf(TEXT), "ReturnSubscriptionArn": FLAG},
        ),
    ),
}
"""The operations by name."""
