"""SNS: topics: made, listed, described, tagged, deleted."""

import re
from collections.abc import Mapping
from typing import Any

from msgsim.bus.fifo_topic import FifoFanout
from msgsim.bus.topic import Topic
from msgsim.errors import InvalidParameter, ServiceError
from msgsim.quotas import FIFO_TOPICS, TOPIC_TAGS, TOPICS
from msgsim.service import sns_fifo, sns_policies
from msgsim.service.account import Account
from msgsim.service.sns_refusals import flag, invalid, page, topic_of

TEXTS = ("DisplayName", "KmsMasterKeyId", "Policy", "SignatureVersion", "TracingConfig")
"""Attributes that are kept as they came, and that no message is treated by."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
_FIFO_NAME = re.compile(r"(?=.{1,256}\Z)[A-Za-z0-9_-]+\.fifo")


def create_topic(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Make a topic, or find the one that is there (SNS-TOP-1, SNS-TOP-2)."""
    name = params["Name"]
    attributes = dict(params.get("Attributes", {}))
    fifo = flag("FifoTopic", attributes.pop("FifoTopic", "false"))
    if not (_FIFO_NAME if fifo else _NAME).fullmatch(name):
        raise InvalidParameter("Invalid parameter: Topic Name")
    for attribute in attributes:
        _check_attribute(attribute, "Attributes Reason: ", fifo=fifo)
    fields = sns_fifo.fields(attributes)
    if sns_policies.DELIVERY in attributes:
        fields |= sns_policies.topic_fields(attributes[sns_policies.DELIVERY], "Attributes Reason: ")
    texts = {key: value for key, value in attributes.items() if key in TEXTS}
    tags = _tags(params.get("Tags", ()))
    if name in account.topics:
        record = account.topic_record(name)
        declared = account.topics[name].declaration
        if any(record.texts.get(key, "") != value for key, value in texts.items()) or any(
            getattr(declared, key) != value for key, value in fields.items()
        ):
            raise invalid("Attributes", "Topic already exists with different attributes")
        if "Tags" in params and tags != record.tags:
            raise invalid("Tags", "Topic already exists with different tags")
    else:
        quota = FIFO_TOPICS if fifo else TOPICS
        if sum(topic.fifo is fifo for topic in account.topics.values()) >= quota.high:
            raise ServiceError("TopicLimitExceeded", f"There are {quota.high:.0f} {quota.unit} already", 403)
        _check_tags(tags)
        archive = fields.pop("archive", None)
        topic = account.add_topic(name, Topic(fifo=fifo, throttled=fifo and account.throttled_topics, **fields))
        if isinstance(topic, FifoFanout):
            topic.keep(archive, now)
        record = account.topic_record(name)
        record.texts.update(texts)
        record.tags.update(tags)
    return {"TopicArn": account.arn("sns", name)}


def delete_topic(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Delete a topic with its subscriptions; again is no error, but an archive is (SNS-TOP-3)."""
    name = account.topic_named(params["TopicArn"])
    if name is not None:
        if account.topics[name].declaration.archive is not None:
            text = "The topic has an archive policy: set ArchivePolicy to {} first, which deletes the archive"
            raise ServiceError("InvalidState", text)
        account.delete_topic(name)
    return {}


def get_topic_attributes(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """What is known of a topic, in texts."""
    name, topic = topic_of(account, params["TopicArn"])
    record = account.topic_record(name)
    record.forget_old(now)
    confirmed = sum(each.is_confirmed for each in topic.subscriptions.values())
    attributes = {
        "DisplayName": "",
        **record.texts,
        **sns_policies.described_topic(topic),
        **(sns_fifo.described(topic, now) if isinstance(topic, FifoFanout) else {}),
        "Owner": account.account_id,
        "SubscriptionsConfirmed": str(confirmed),
        "SubscriptionsDeleted": str(record.deleted),
        "SubscriptionsPending": str(len(record.pending) + len(topic.subscriptions) - confirmed),
        "TopicArn": account.arn("sns", name),
    }
    return {"Attributes": dict(sorted(attributes.items()))}


def set_topic_attributes(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Set one attribute."""
    name, topic = topic_of(account, params["TopicArn"])
    attribute, written = params["AttributeName"], params.get("AttributeValue", "")
    _check_attribute(attribute, "AttributeName Reason: ", fifo=topic.fifo)
    if isinstance(topic, FifoFanout) and attribute in sns_fifo.ATTRIBUTES:
        sns_fifo.change(topic, attribute, written, now)
    elif attribute == sns_policies.DELIVERY:
        fields = sns_policies.topic_fields(written, "")
        topic.set_delivery_policy(fields["delivery_policy"], overrides=fields["disable_subscription_overrides"])
    else:
        account.topic_record(name).texts[attribute] = written
    return {}


def list_topics(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """All topics, a hundred at a time, in the order in which they were made."""
    topics = [{"TopicArn": account.arn("sns", name)} for name in account.topics]
    return page("Topics", topics, params.get("NextToken"))


def tag_resource(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Set tags of a topic."""
    record = account.topic_record(_tagged(account, params))
    tags = {**record.tags, **_tags(params["Tags"])}
    _check_tags(tags)
    record.tags = tags
    return {}


def untag_resource(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Remove tags of a topic; those it does not have are no error."""
    tags = account.topic_record(_tagged(account, params)).tags
    for key in params["TagKeys"]:
        tags.pop(key, None)
    return {}


def list_tags_for_resource(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """The tags of a topic."""
    tags = account.topic_record(_tagged(account, params)).tags
    return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def _check_attribute(attribute: str, place: str, *, fifo: bool) -> None:
    """Refuse what no attribute of such a topic is."""
    if attribute in sns_fifo.ATTRIBUTES and not fifo:
        raise InvalidParameter(
            f"Invalid parameter: {place}{attribute}: only FIFO topics have it (SNS-FIFO-1, SNS-ARC-1)"
        )
    allowed = (*TEXTS, sns_policies.DELIVERY, *(sns_fifo.ATTRIBUTES if fifo else ()))
    if attribute not in allowed:
        raise InvalidParameter(
            f"Invalid parameter: {place}{attribute}: not modelled; allowed: {', '.join(sorted(allowed))}"
        )


def _tagged(account: Account, params: Mapping[str, Any]) -> str:
    name = account.topic_named(params["ResourceArn"])
    if name is None:
        raise ServiceError("ResourceNotFound", "Resource does not exist", 404)
    return name


def _tags(tags: Any) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def _check_tags(tags: Mapping[str, str]) -> None:
    if len(tags) > TOPIC_TAGS.high:
        raise ServiceError("TagLimitExceeded", f"A topic can have {TOPIC_TAGS.high:.0f} tags; {len(tags)} given")
