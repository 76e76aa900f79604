"""SNS by its own names: its operations, and what they take (GEN-3)."""

from collections.abc import Mapping

from msgsim.service.message_attributes import WIRES
from msgsim.service.operation import Operation, Perform
from msgsim.service.parameters import FLAG, TEXT, ListOf, MapOf, Shape, Structure
from msgsim.service.sns_permissions import add_permission, remove_permission
from msgsim.service.sns_publishing import publish, publish_batch
from msgsim.service.sns_refusals import SNS
from msgsim.service.sns_sms import (
    check_if_phone_number_is_opted_out,
    create_sms_sandbox_phone_number,
    delete_sms_sandbox_phone_number,
    get_sms_attributes,
    get_sms_sandbox_account_status,
    list_phone_numbers_opted_out,
    list_sms_sandbox_phone_numbers,
    opt_in_phone_number,
    set_sms_attributes,
    verify_sms_sandbox_phone_number,
)
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
    "AddPermission": _operation(
        add_permission, {"TopicArn": TEXT, "Label": TEXT, "AWSAccountId": ListOf(TEXT), "ActionName": ListOf(TEXT)}
    ),
    "CheckIfPhoneNumberIsOptedOut": _operation(check_if_phone_number_is_opted_out, {"phoneNumber": TEXT}),
    "ConfirmSubscription": _operation(
        confirm_subscription, {"TopicArn": TEXT, "Token": TEXT}, {"AuthenticateOnUnsubscribe": TEXT}
    ),
    "CreateSMSSandboxPhoneNumber": _operation(
        create_sms_sandbox_phone_number, {"PhoneNumber": TEXT}, {"LanguageCode": TEXT}
    ),
    "CreateTopic": _operation(create_topic, {"Name": TEXT}, {"Attributes": MAP, "Tags": TAGS}),
    "DeleteSMSSandboxPhoneNumber": _operation(delete_sms_sandbox_phone_number, {"PhoneNumber": TEXT}),
    "DeleteTopic": _operation(delete_topic, {"TopicArn": TEXT}),
    "GetSMSAttributes": _operation(get_sms_attributes, {}, {"attributes": ListOf(TEXT)}),
    "GetSMSSandboxAccountStatus": _operation(get_sms_sandbox_account_status, {}),
    "GetSubscriptionAttributes": _operation(get_subscription_attributes, {"SubscriptionArn": TEXT}),
    "GetTopicAttributes": _operation(get_topic_attributes, {"TopicArn": TEXT}),
    "ListPhoneNumbersOptedOut": _operation(list_phone_numbers_opted_out, {}),
    "ListSMSSandboxPhoneNumbers": _operation(list_sms_sandbox_phone_numbers, {}),
    "ListSubscriptions": _operation(list_subscriptions, {}, PAGES),
    "ListSubscriptionsByTopic": _operation(list_subscriptions_by_topic, {"TopicArn": TEXT}, PAGES),
    "ListTagsForResource": _operation(list_tags_for_resource, {"ResourceArn": TEXT}),
    "ListTopics": _operation(list_topics, {}, PAGES),
    "OptInPhoneNumber": _operation(opt_in_phone_number, {"phoneNumber": TEXT}),
    "Publish": _operation(
        publish, {"Message": TEXT}, {**MESSAGE, "PhoneNumber": TEXT, "TargetArn": TEXT, "TopicArn": TEXT}
    ),
    "PublishBatch": _operation(
        publish_batch,
        {"TopicArn": TEXT, "PublishBatchRequestEntries": ListOf(Structure({"Id": TEXT, "Message": TEXT}, MESSAGE))},
    ),
    "RemovePermission": _operation(remove_permission, {"TopicArn": TEXT, "Label": TEXT}),
    "SetSMSAttributes": _operation(set_sms_attributes, {"attributes": MAP}),
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
    "VerifySMSSandboxPhoneNumber": _operation(
        verify_sms_sandbox_phone_number, {"PhoneNumber": TEXT, "OneTimePassword": TEXT}
    ),
}
"""The operations by name."""
