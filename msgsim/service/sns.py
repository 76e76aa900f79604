"""SNS by its own names: its operations, and what they take (GEN-3)."""

from collections.abc import Mapping

from msgsim.service.message_attributes import WIRES
from msgsim.service.operation import Operation, Perform
from msgsim.service.parameters import FLAG, TEXT, ListOf, MapOf, Shape, Structure
from msgsim.service.sns_publishing import publish, publish_batch
from msgsim.service.sns_refusals import SNS
from msgsim.service.sns_subscriptions import (
    confirm_subscription,
    get_subscription_attributes,
    list_subscriptions,
    list_subscriptions_by_topic,
    set_subscription_attributes,
    subscribe,
    unsubscribe,
)
from msgsim.service.sns_topics import (
    create_topic,
    delete_topic,
    get_topic_attributes,
    list_tags_for_resource,
    list_topics,
    set_topic_attributes,
    tag_resource,
    untag_resource,
)

MAP = MapOf(TEXT)
TAGS = ListOf(Structure({"Key": TEXT, "Value": TEXT}))
PAGES: Mapping[str, Shape] = {"NextToken": TEXT}
MESSAGE: Mapping[str, Shape] = {
    "MessageAttributes": WIRES,
    "MessageDeduplicationId": TEXT,
    "MessageGroupId": TEXT,
    "MessageStructure": TEXT,
    "Subject": TEXT,
}
"""What a message may have beside its text."""


def _operation(
    perform: Perform, required: Mapping[str, Shape], optional: Mapping[str, Shape] | None = None
) -> Operation:
    return Operation(SNS, perform, Structure(required, optional or {}))


OPERATIONS: Mapping[str, Operation] = {
    "ConfirmSubscription": _operation(
        confirm_subscription, {"TopicArn": TEXT, "Token": TEXT}, {"AuthenticateOnUnsubscribe": TEXT}
    ),
    "CreateTopic": _operation(create_topic, {"Name": TEXT}, {"Attributes": MAP, "Tags": TAGS}),
    "DeleteTopic": _operation(delete_topic, {"TopicArn": TEXT}),
    "GetSubscriptionAttributes": _operation(get_subscription_attributes, {"SubscriptionArn": TEXT}),
    "GetTopicAttributes": _operation(get_topic_attributes, {"TopicArn": TEXT}),
    "ListSubscriptions": _operation(list_subscriptions, {}, PAGES),
    "ListSubscriptionsByTopic": _operation(list_subscriptions_by_topic, {"TopicArn": TEXT}, PAGES),
    "ListTagsForResource": _operation(list_tags_for_resource, {"ResourceArn": TEXT}),
    "ListTopics": _operation(list_topics, {}, PAGES),
    "Publish": _operation(publish, {"Message": TEXT}, {**MESSAGE, "TargetArn": TEXT, "TopicArn": TEXT}),
    "PublishBatch": _operation(
        publish_batch,
        {"TopicArn": TEXT, "PublishBatchRequestEntries": ListOf(Structure({"Id": TEXT, "Message": TEXT}, MESSAGE))},
    ),
    "SetSubscriptionAttributes": _operation(
        set_subscription_attributes, {"SubscriptionArn": TEXT, "AttributeName": TEXT}, {"AttributeValue": TEXT}
    ),
    "SetTopicAttributes": _operation(
        set_topic_attributes, {"TopicArn": TEXT, "AttributeName": TEXT}, {"AttributeValue": TEXT}
    ),
    "Subscribe": _operation(
        subscribe,
        {"TopicArn": TEXT, "Protocol": TEXT, "Endpoint": TEXT},
        {"Attributes": MAP, "ReturnSubscriptionArn": FLAG},
    ),
    "TagResource": _operation(tag_resource, {"ResourceArn": TEXT, "Tags": TAGS}),
    "Unsubscribe": _operation(unsubscribe, {"SubscriptionArn": TEXT}),
    "UntagResource": _operation(untag_resource, {"ResourceArn": TEXT, "TagKeys": ListOf(TEXT)}),
}
"""The operations by name."""
