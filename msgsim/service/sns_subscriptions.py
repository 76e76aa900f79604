"""SNS: subscriptions: made, confirmed, described, changed, deleted."""

import json
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any

import attrs

from msgsim.bus.complexity import check_bytes
from msgsim.bus.fifo_topic import FifoFanout
from msgsim.bus.filters import parse_body
from msgsim.bus.notifications import LETTERS
from msgsim.bus.retries import HTTP
from msgsim.bus.sms import NUMBER
from msgsim.bus.subscription import PROTOCOLS, Subscription
from msgsim.bus.topic import TopicFanout
from msgsim.errors import BusError, DeclarationError, InvalidParameter, ServiceError
from msgsim.quotas import (
    EMAIL_DELIVERIES,
    FIFO_SUBSCRIPTIONS,
    FILTER_POLICIES_OF_ACCOUNT,
    FILTER_POLICIES_OF_TOPIC,
    FIREHOSE_SUBSCRIPTIONS,
    PENDING_SUBSCRIPTIONS,
    SUBSCRIPTIONS,
    TOKEN_TIME,
)
from msgsim.service import sns_fifo, sns_policies
from msgsim.service.account import Account
from msgsim.service.sns_refusals import flag, invalid, page, refused_subscription, topic_of
from msgsim.service.sns_sms import Phone
from msgsim.service.topic_record import Pending, SubscriptionKey, TopicRecord

CONFIRMED_BY_ENDPOINT = (*HTTP, *LETTERS)
"""Protocols whose endpoints must confirm a subscription (SNS-SUB-2)."""

ATTRIBUTES = (
    "DeliveryPolicy",
    "FilterPolicy",
    "FilterPolicyScope",
    "RawMessageDelivery",
    "RedrivePolicy",
    "ReplayPolicy",
    "SubscriptionRoleArn",
)
"""Attributes of a subscription; the last one is kept, and nothing here heeds it (SNS-SUB-8)."""

_PENDING = "pending confirmation"
_LISTED = "PendingConfirmation"


def subscribe(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Subscribe a queue by its ARN, or something else, whose deliveries are counted (SNS-SUB-1 ... SNS-SUB-4)."""
    name, topic = topic_of(account, params["TopicArn"])
    record = account.topic_record(name)
    record.forget_old(now)
    protocol = params["Protocol"]
    endpoint, queue = _endpoint(account, topic, protocol, params["Endpoint"])
    attributes = params.get("Attributes", {})
    wanted = _declared(account, protocol, endpoint, attributes)
    dead_letters = sns_policies.dead_letter_queue(account, wanted)
    replay = _replay_policy(topic, attributes.get("ReplayPolicy", ""), "Attributes Reason: ")
    key = (protocol, endpoint)
    arn = account.subscription_arn(name, protocol, endpoint)
    pending = record.pending.get(key)
    waits = pending is not None
    present = pending.subscription if pending else _present(account, name, key)
    if present is not None:
        differs = wanted != _as_known(present) or (replay.written if replay else None) != record.replays.get(key)
        differs = differs or attributes.get("SubscriptionRoleArn") != record.roles.get(key)
        if attributes and differs:
            raise invalid("Attributes", "Subscription already exists with different attributes")
        if pending is None and _has_lapsed(topic, key):
            lapsed = record.lapsed.get(key)
            if lapsed is None or now >= lapsed.since + TOKEN_TIME.high:
                record.lapsed[key] = _asked(record, arn, present, now)
            waits = True
    else:
        _check_policies(account, name, wanted)
        _check_room(account, name, protocol)
        if protocol in CONFIRMED_BY_ENDPOINT:
            pending = _ask(account, name, arn, wanted, now)
            pending.dead_letter_queue = dead_letters
            waits = True
        else:
            subscriber = topic.subscribe(wanted, queue, dead_letters)
            if "SubscriptionRoleArn" in attributes:
                record.roles[key] = attributes["SubscriptionRoleArn"]
            if protocol == "sms":
                subscriber.queue = phone = Phone(account.sms, wanted, topic.arn)
                subscriber.enqueue = phone.enqueue
            if replay is not None:
                try:
                    _replay(account, name, key, replay, now)
                except BusError:
                    topic.unsubscribe(_live_name(topic, key))
                    raise
    if waits and not params.get("ReturnSubscriptionArn"):
        return {"SubscriptionArn": _PENDING}
    return {"SubscriptionArn": arn}


def confirm_subscription(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Confirm a subscription by the token that its endpoint was sent; again is no error (SNS-SUB-2, SNS-SUB-3).

    One that was deactivated is asked for its confirmation when it is subscribed again (SNS-SUB-7).
    """
    name, topic = topic_of(account, params["TopicArn"])
    record = account.topic_record(name)
    record.forget_old(now)
    token = params["Token"]
    if token in record.confirmed:
        return {"SubscriptionArn": record.confirmed[token]}
    for key, pending in record.pending.items():
        if pending.token == token and now < pending.since + TOKEN_TIME.high:
            dead_letters = sns_policies.dead_letter_queue(account, pending.subscription, pending.dead_letter_queue)
            topic.subscribe(pending.subscription, None, dead_letters)
            del record.pending[key]
            record.confirmed[token] = pending.arn
            return {"SubscriptionArn": pending.arn}
    for key, lapsed in record.lapsed.items():
        if lapsed.token == token and now < lapsed.since + TOKEN_TIME.high:
            topic.confirm(_live_name(topic, key), now)
            del record.lapsed[key]
            record.confirmed[token] = lapsed.arn
            return {"SubscriptionArn": lapsed.arn}
    raise InvalidParameter("Invalid parameter: Token")


def unsubscribe(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Delete a subscription; again is no error (SNS-SUB-4), but one that is pending cannot be (SNS-SUB-3)."""
    found = _found(account, params["SubscriptionArn"], now)
    if found is None:
        return {}
    name, key, pending = found
    if pending:
        raise invalid("SubscriptionArn", "the subscription is pending confirmation, and goes by itself after 3 days")
    topic, record = account.topics[name], account.topic_record(name)
    topic.unsubscribe(_live_name(topic, key))
    record.replays.pop(key, None)
    record.lapsed.pop(key, None)
    record.roles.pop(key, None)
    record.deleted += 1
    record.confirmed = {token: arn for token, arn in record.confirmed.items() if arn != params["SubscriptionArn"]}
    return {}


def get_subscription_attributes(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """What is known of a subscription, in texts."""
    name, key, pending = _existing(account, params, now)
    declared = pending.subscription if pending else _present(account, name, key)
    assert declared is not None, "it was found"  # noqa: S101 - an invariant
    attributes = {
        **_described(account, name, declared),
        "ConfirmationWasAuthenticated": str(key[0] not in CONFIRMED_BY_ENDPOINT).lower(),
        "PendingConfirmation": str(pending is not None or _has_lapsed(account.topics[name], key)).lower(),
        "RawMessageDelivery": str(declared.raw).lower(),
        "SubscriptionArn": params["SubscriptionArn"],
        **sns_policies.described_subscription(account, account.topics[name], declared),
    }
    if declared.filter_policy is not None:
        attributes["FilterPolicy"] = json.dumps(declared.filter_policy, ensure_ascii=False)
        attributes["FilterPolicyScope"] = declared.filter_scope
    if key in account.topic_record(name).roles:
        attributes["SubscriptionRoleArn"] = account.topic_record(name).roles[key]
    topic = account.topics[name]
    replay = topic.subscriptions[_live_name(topic, key)].replay if isinstance(topic, FifoFanout) else None
    if replay is not None and key in account.topic_record(name).replays:
        attributes["ReplayPolicy"] = account.topic_record(name).replays[key]
        attributes["ReplayStatus"] = replay.status
    return {"Attributes": dict(sorted(attributes.items()))}


def set_subscription_attributes(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Set one attribute (SNS-SUB-8), for what is published from now on (SNS-FLT-11)."""
    name, key, pending = _existing(account, params, now)
    attribute, written = params["AttributeName"], params.get("AttributeValue", "")
    if attribute not in ATTRIBUTES:
        raise InvalidParameter(
            f"Invalid parameter: AttributeName Reason: {attribute} is not modelled; allowed: {', '.join(ATTRIBUTES)}"
        )
    if attribute == "ReplayPolicy":
        policy = _replay_policy(account.topics[name], written, "")
        if policy is not None or key in account.topic_record(name).replays:
            _replay(account, name, key, policy, now)
        return {}
    if attribute == "SubscriptionRoleArn":
        _check_role(key[0], written, "")
        account.topic_record(name).roles[key] = written
        return {}
    present = pending.subscription if pending else _present(account, name, key)
    assert present is not None, "it was found"  # noqa: S101 - an invariant
    topic = account.topics[name]
    try:
        changed = attrs.evolve(present, **_fields(account, key, attribute, written, ""))
    except DeclarationError as error:
        raise refused_subscription(error, written if attribute == "FilterPolicy" else None, "") from error
    if changed.filter_policy is not None and present.filter_policy is None:
        _check_policies(account, name, changed)
    dead_letters = sns_policies.dead_letter_queue(account, changed, pending.dead_letter_queue if pending else None)
    if pending:
        pending.subscription, pending.dead_letter_queue = changed, dead_letters
    else:
        topic.change(_live_name(topic, key), changed, dead_letter_queue=dead_letters)
    return {}


def list_subscriptions(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """All subscriptions, a hundred at a time."""
    found = [each for name in account.topics for each in _listed(account, name, now)]
    return page("Subscriptions", found, params.get("NextToken"))


def list_subscriptions_by_topic(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """The subscriptions of a topic, a hundred at a time."""
    name, _ = topic_of(account, params["TopicArn"])
    return page("Subscriptions", list(_listed(account, name, now)), params.get("NextToken"))


# ---------------------------------------------------------------- what is there


def _key(subscription: Subscription) -> SubscriptionKey:
    return subscription.protocol, subscription.endpoint


def _live_name(topic: TopicFanout, key: SubscriptionKey) -> str:
    """What the topic calls a subscription."""
    (name,) = [name for name, each in topic.subscriptions.items() if _key(each.declaration) == key]
    return name


def _has_lapsed(topic: TopicFanout, key: SubscriptionKey) -> bool:
    """Whether a subscription that is there gets nothing until it is confirmed, again (SNS-SUB-7)."""
    return not topic.subscriptions[_live_name(topic, key)].is_confirmed


def _present(account: Account, name: str, key: SubscriptionKey) -> Subscription | None:
    """The confirmed subscription of an endpoint."""
    for each in account.topics[name].declaration.subscriptions:
        if _key(each) == key:
            return each
    return None


def _as_known(subscription: Subscription) -> Subscription:
    """A subscription as far as the service would know it: not how its deliveries go."""
    return Subscription(
        endpoint=subscription.endpoint,
        protocol=subscription.protocol,
        filter_policy=subscription.filter_policy,
        filter_scope=subscription.filter_scope,
        raw=subscription.raw,
        delivery_policy=subscription.delivery_policy,
        redrive=subscription.redrive,
    )


def _found(account: Account, arn: str, now: float) -> tuple[str, SubscriptionKey, Pending | None] | None:
    """The topic of a subscription, its key, and what it waits for if it is pending."""
    name = account.topic_named(arn.rpartition(":")[0])
    if name is None:
        return None
    record = account.topic_record(name)
    record.forget_old(now)
    for key, pending in record.pending.items():
        if pending.arn == arn:
            return name, key, pending
    for each in account.topics[name].declaration.subscriptions:
        if account.subscription_arn(name, *_key(each)) == arn:
            return name, _key(each), None
    return None


def _existing(account: Account, params: Mapping[str, Any], now: float) -> tuple[str, SubscriptionKey, Pending | None]:
    found = _found(account, params["SubscriptionArn"], now)
    if found is None:
        raise ServiceError("NotFound", "Subscription does not exist", 404)
    return found


def _listed(account: Account, name: str, now: float) -> Iterator[dict[str, str]]:
    record = account.topic_record(name)
    record.forget_old(now)
    for live in account.topics[name].subscriptions.values():
        each = live.declaration
        arn = account.subscription_arn(name, *_key(each)) if live.is_confirmed else _LISTED
        yield {"SubscriptionArn": arn, **_described(account, name, each)}
    for pending in record.pending.values():
        yield {"SubscriptionArn": _LISTED, **_described(account, name, pending.subscription)}


def _described(account: Account, name: str, declared: Subscription) -> dict[str, str]:
    is_queue = declared.protocol == "sqs"
    return {
        "Endpoint": account.arn("sqs", declared.endpoint) if is_queue else declared.endpoint,
        "Owner": account.account_id,
        "Protocol": declared.protocol,
        "TopicArn": account.arn("sns", name),
    }


# ---------------------------------------------------------------- what is asked for


def _ask(account: Account, name: str, arn: str, wanted: Subscription, now: float) -> Pending:
    """Wait for the endpoint to confirm (SNS-SUB-2)."""
    waiting = sum(len(account.topic_record(each).pending) for each in account.topics)
    if waiting >= PENDING_SUBSCRIPTIONS.high:
        text = f"There are {PENDING_SUBSCRIPTIONS.high:.0f} pending subscriptions already"
        raise ServiceError("SubscriptionLimitExceeded", text, 403)
    record = account.topic_record(name)
    if account.deactivates_emails and wanted.protocol in LETTERS:
        wanted = attrs.evolve(wanted, deactivated_above=EMAIL_DELIVERIES.high)
    pending = record.pending[_key(wanted)] = _asked(record, arn, wanted, now)
    return pending


def _asked(record: TopicRecord, arn: str, wanted: Subscription, now: float) -> Pending:
    """Send the endpoint a token."""
    record.requested += 1
    token = blake2b(f"{arn}#{record.made}#{record.requested}".encode(), digest_size=32).hexdigest()
    return Pending(arn, token, wanted, now)


def _check_policies(account: Account, name: str, wanted: Subscription) -> None:
    """Refuse one filter policy more than there may be."""
    if wanted.filter_policy is None:
        return
    policies = {
        each: sum(subscription.filter_policy is not None for subscription in topic.declaration.subscriptions)
        + sum(pending.subscription.filter_policy is not None for pending in account.topic_record(each).pending.values())
        for each, topic in account.topics.items()
    }
    for count, quota in (
        (policies[name], FILTER_POLICIES_OF_TOPIC),
        (sum(policies.values()), FILTER_POLICIES_OF_ACCOUNT),
    ):
        if count >= quota.high:
            text = f"Filter policy limit exceeded: allowed: up to {quota.high:.0f} {quota.unit}"
            raise ServiceError("FilterPolicyLimitExceeded", text, 403)


def _check_room(account: Account, name: str, protocol: str) -> None:
    """Refuse one subscription more than a topic may have."""
    topic = account.topics[name]
    protocols = [each.protocol for each in topic.declaration.subscriptions]
    count = len(protocols) + len(account.topic_record(name).pending)
    for quota, taken in (
        (FIFO_SUBSCRIPTIONS if topic.fifo else SUBSCRIPTIONS, count),
        (FIREHOSE_SUBSCRIPTIONS, protocols.count("firehose") if protocol == "firehose" else 0),
    ):
        if taken >= quota.high:
            raise ServiceError("SubscriptionLimitExceeded", f"There are {quota.high:.0f} {quota.unit} already", 403)


def _replay_policy(topic: TopicFanout, written: str, place: str) -> sns_fifo.ReplayPolicy | None:
    policy = sns_fifo.replay_policy(written, place)
    if policy is not None and topic.declaration.archive is None:
        raise InvalidParameter(f"Invalid parameter: {place}ReplayPolicy: the topic has no archive (SNS-ARC-1)")
    return policy


def _replay(
    account: Account, name: str, key: SubscriptionKey, policy: sns_fifo.ReplayPolicy | None, now: float
) -> None:
    """Begin a replay, or end one, and remember its policy."""
    topic, replays = account.topics[name], account.topic_record(name).replays
    assert isinstance(topic, FifoFanout), "it has an archive, or had one"  # noqa: S101 - an invariant
    sns_fifo.replay(topic, _live_name(topic, key), policy, now)
    if policy is None:
        del replays[key]
    else:
        replays[key] = policy.written


def _endpoint(account: Account, topic: TopicFanout, protocol: str, endpoint: str) -> tuple[str, Any]:
    """What the bus calls an endpoint, and its queue if it is one (SNS-SUB-1, SNS-SUB-5)."""
    if protocol not in PROTOCOLS:
        raise InvalidParameter(f"Invalid parameter: Amazon SNS does not support this protocol string: {protocol}")
    if protocol != "sqs":
        if topic.fifo:
            raise invalid("Protocol", f"{protocol} cannot be subscribed to a FIFO topic; allowed: sqs")
        if protocol == "sms" and not NUMBER.fullmatch(endpoint):
            raise invalid("Endpoint", f"{endpoint} is no telephone number such as +14255550123")
        return endpoint, None
    if not endpoint.startswith("arn:aws:sqs:"):
        raise InvalidParameter("Invalid parameter: SQS endpoint ARN")
    name = account.queue_named(endpoint)
    if name is None:
        raise invalid("Endpoint", f"there is no queue {endpoint}: create it first, as nothing models its absence yet")
    queue = account.queues[name]
    if queue.declaration.fifo and not topic.fifo:
        raise InvalidParameter(
            "Invalid parameter: Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard "
            "SNS topics"
        )
    return name, queue


def _declared(account: Account, protocol: str, endpoint: str, attributes: Mapping[str, str]) -> Subscription:
    place = "Attributes Reason: "
    fields: dict[str, Any] = {}
    for attribute, written in attributes.items():
        if attribute not in ATTRIBUTES:
            raise invalid("Attributes", f"{attribute}: not modelled; allowed: {', '.join(ATTRIBUTES)}")
        if attribute == "SubscriptionRoleArn":
            _check_role(protocol, written, place)
        elif attribute != "ReplayPolicy":
            fields |= _fields(account, (protocol, endpoint), attribute, written, place)
    try:
        return Subscription(endpoint=endpoint, protocol=protocol, **fields)
    except DeclarationError as error:
        raise refused_subscription(error, attributes.get("FilterPolicy"), place) from error


def _fields(account: Account, key: SubscriptionKey, attribute: str, written: str, place: str) -> dict[str, Any]:
    """The field of `Subscription` that an attribute is.

    Raises:
        InvalidParameter: it cannot be.
    """
    if attribute == "DeliveryPolicy":
        return {"delivery_policy": sns_policies.delivery_policy(written, place)}
    if attribute == "FilterPolicy":
        return {"filter_policy": _parsed(written, place) if written or place else None}
    if attribute == "FilterPolicyScope":
        return {"filter_scope": written}
    if attribute == "RedrivePolicy":
        protocol, endpoint = key
        fifo = protocol == "sqs" and endpoint.endswith(".fifo")  # it may have gone by now
        return {"redrive": sns_policies.redrive(account, written, place, fifo=fifo)}
    return {"raw": flag(attribute, written, place)}


def _check_role(protocol: str, written: str, place: str) -> None:
    """Refuse a role that is none, or for what needs none (SNS-SUB-8)."""
    name = f"Invalid parameter: {place}SubscriptionRoleArn: "
    if protocol != "firehose":
        raise InvalidParameter(f"{name}{protocol} has none; allowed: firehose (SNS-SUB-8)")
    if not written.startswith("arn:aws:iam::"):
        raise InvalidParameter(f"{name}{written} is no ARN of a role such as arn:aws:iam::123456789012:role/x")


def _parsed(policy: str, place: str) -> Any:
    try:
        check_bytes(len(policy.encode()))
    except DeclarationError as error:
        raise refused_subscription(error, policy, place) from error
    parsed = parse_body(policy)
    if not isinstance(parsed, dict):
        raise InvalidParameter(f"Invalid parameter: {place}FilterPolicy: failed to parse JSON")
    return parsed
