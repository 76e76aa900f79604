"""The one way in, and the three services together."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgsim.errors import ServiceError
from msgsim.service.account import Account
from msgsim.service.parameters import BYTES, FLAG, WHOLE, ListOf, MapOf, Shape, Structure
from msgsim.service.requests import OPERATIONS, SERVICES, by_name, call

HOME = Account()
TELLING = [
    *("q", "t", HOME.queue_url("q"), HOME.arn("sqs", "q"), HOME.arn("sns", "t"), "sqs", "sms", "a@example.com"),
    *("true", "false", "7", "9" * 5_000, '["a", {}]', '{"k": ["a"]}', '{"k": [{"prefix": "a"}]}', "String", "Number"),
    *("Binary.x", "String.Array", "All", "k", "VisibilityTimeout", "RedrivePolicy", "FifoQueue", "FilterPolicy"),
    *(
        "q.fifo",
        HOME.queue_url("q.fifo"),
        HOME.arn("sqs", "q.fifo"),
        "Policy",
        "RedriveAllowPolicy",
        "*",
        "AWSTraceHeader",
    ),
    f'{{"deadLetterTargetArn": "{HOME.arn("sqs", "q")}", "maxReceiveCount": 2}}',
    f'{{"redrivePermission": "byQueue", "sourceQueueArns": ["{HOME.arn("sqs", "q")}"]}}',
]


def _values(shape: Shape) -> st.SearchStrategy[Any]:
    """Values of a shape, some of which mean something."""
    if isinstance(shape, Structure):
        required, optional = ({n: _values(s) for n, s in each.items()} for each in (shape.required, shape.optional))
        return st.fixed_dictionaries(required, optional=optional)
    if isinstance(shape, ListOf):
        return st.lists(_values(shape.member), max_size=3)
    texts = st.sampled_from(TELLING) | st.text(max_size=5)
    if isinstance(shape, MapOf):
        return st.dictionaries(texts, _values(shape.member), max_size=3)
    if shape is WHOLE:
        return st.sampled_from([-1, 0, 1, 10, 900, 43_200, 10**400])
    return st.booleans() if shape is FLAG else st.binary(max_size=3) if shape is BYTES else texts


REQUESTS = st.one_of(
    [st.tuples(st.just(name), _values(operation.parameters)) for name, operation in sorted(OPERATIONS.items())]
)


@pytest.mark.slow
@given(st.lists(REQUESTS, max_size=9))
def test_a_request_is_answered_or_refused_and_the_books_balance(requests: list[tuple[str, dict[str, Any]]]) -> None:
    account = Account()
    call(account, "CreateTopic", {"Name": "t"}, 0)
    call(account, "CreateQueue", {"QueueName": "q.fifo", "Attributes": {"FifoQueue": "true"}}, 0)
    url = call(account, "CreateQueue", {"QueueName": "q"}, 0)["QueueUrl"]
    call(account, "SendMessage", {"QueueUrl": url, "MessageBody": "x"}, 0)
    for now, (operation, params) in enumerate(requests):
        with suppress(ServiceError):
            assert isinstance(call(account, operation, params, now), dict)
    for queue in account.queues.values():
        queue.check(len(requests))
    for topic in account.topics.values():
        topic.check()
    account.outbox.check()


def test_each_operation_has_a_name_and_an_earlier_service_the_shorter_one() -> None:
    assert len(OPERATIONS) == sum(map(len, SERVICES.values()))
    taken: set[str] = set()
    for service, operations in SERVICES.items():
        for name, operation in operations.items():
            assert OPERATIONS[f"{service}:{name}" if name in taken else name] is operation
        taken.update(operations)
    assert sorted(OPERATIONS) == [
        "AddPermission",
        "CancelMessageMoveTask",
        "ChangeMessageVisibility",
        "ChangeMessageVisibilityBatch",
        "CheckIfPhoneNumberIsOptedOut",
        "ConfirmSubscription",
        "CreateConfigurationSet",
        "CreateConfigurationSetEventDestination",
        "CreateEmailIdentity",
        "CreateEmailTemplate",
        "CreateQueue",
        "CreateSMSSandboxPhoneNumber",
        "CreateTemplate",
        "CreateTenant",
        "CreateTenantResourceAssociation",
        "CreateTopic",
        "DeleteConfigurationSet",
        "DeleteConfigurationSetEventDestination",
        "DeleteEmailIdentity",
        "DeleteEmailTemplate",
        "DeleteIdentity",
        "DeleteMessage",
        "DeleteMessageBatch",
        "DeleteQueue",
        "DeleteSMSSandboxPhoneNumber",
        "DeleteSuppressedDestination",
        "DeleteTemplate",
        "DeleteTenant",
        "DeleteTenantResourceAssociation",
        "DeleteTopic",
        "DescribeConfigurationSet",
        "GetAccount",
        "GetAccountSendingEnabled",
        "GetConfigurationSet",
        "GetConfigurationSetEventDestinations",
        "GetEmailIdentity",
        "GetEmailTemplate",
        "GetIdentityDkimAttributes",
        "GetIdentityMailFromDomainAttributes",
        "GetIdentityNotificationAttributes",
        "GetIdentityVerificationAttributes",
        "GetQueueAttributes",
        "GetQueueUrl",
        "GetReputationEntity",
        "GetSMSAttributes",
        "GetSMSSandboxAccountStatus",
        "GetSendQuota",
        "GetSendStatistics",
        "GetSubscriptionAttributes",
        "GetSuppressedDestination",
        "GetTemplate",
        "GetTenant",
        "GetTopicAttributes",
        "ListConfigurationSets",
        "ListDeadLetterSourceQueues",
        "ListEmailIdentities",
        "ListEmailTemplates",
        "ListIdentities",
        "ListMessageMoveTasks",
        "ListPhoneNumbersOptedOut",
        "ListQueueTags",
        "ListQueues",
        "ListSMSSandboxPhoneNumbers",
        "ListSubscriptions",
        "ListSubscriptionsByTopic",
        "ListSuppressedDestinations",
        "ListTagsForResource",
        "ListTemplates",
        "ListTenantResources",
        "ListTenants",
        "ListTopics",
        "OptInPhoneNumber",
        "Publish",
        "PublishBatch",
        "PurgeQueue",
        "PutAccountSendingAttributes",
        "PutAccountSuppressionAttributes",
        "PutConfigurationSetDeliveryOptions",
        "PutConfigurationSetReputationOptions",
        "PutConfigurationSetSendingOptions",
        "PutConfigurationSetSuppressionOptions",
        "PutEmailIdentityConfigurationSetAttributes",
        "PutEmailIdentityDkimAttributes",
        "PutEmailIdentityDkimSigningAttributes",
        "PutEmailIdentityFeedbackAttributes",
        "PutEmailIdentityMailFromAttributes",
        "PutSuppressedDestination",
        "PutTenantSuppressionAttributes",
        "ReceiveMessage",
        "RemovePermission",
        "SendBulkEmail",
        "SendBulkTemplatedEmail",
        "SendEmail",
        "SendMessage",
        "SendMessageBatch",
        "SendRawEmail",
        "SendTemplatedEmail",
        "SetIdentityDkimEnabled",
        "SetIdentityFeedbackForwardingEnabled",
        "SetIdentityHeadersInNotificationsEnabled",
        "SetIdentityMailFromDomain",
        "SetIdentityNotificationTopic",
        "SetQueueAttributes",
        "SetSMSAttributes",
        "SetSubscriptionAttributes",
        "SetTopicAttributes",
        "StartMessageMoveTask",
        "Subscribe",
        "TagQueue",
        "TagResource",
        "TestRenderEmailTemplate",
        "TestRenderTemplate",
        "Unsubscribe",
        "UntagQueue",
        "UntagResource",
        "UpdateAccountSendingEnabled",
        "UpdateConfigurationSetEventDestination",
        "UpdateConfigurationSetReputationMetricsEnabled",
        "UpdateConfigurationSetSendingEnabled",
        "UpdateEmailTemplate",
        "UpdateReputationEntityCustomerManagedStatus",
        "UpdateReputationEntityPolicy",
        "UpdateTemplate",
        "VerifyDomainDkim",
        "VerifyDomainIdentity",
        "VerifyEmailIdentity",
        "VerifySMSSandboxPhoneNumber",
        "ses:CreateConfigurationSet",
        "ses:CreateConfigurationSetEventDestination",
        "ses:DeleteConfigurationSet",
        "ses:DeleteConfigurationSetEventDestination",
        "ses:ListConfigurationSets",
        "ses:SendEmail",
        "ses:UpdateConfigurationSetEventDestination",
        "sns:AddPermission",
        "sns:RemovePermission",
    ]


def test_a_name_that_several_services_have_is_the_first_ones_or_says_whose_it_is() -> None:
    first, second, third = OPERATIONS["SendMessage"], OPERATIONS["Publish"], OPERATIONS["SendEmail"]
    services = {"a": {"Send": first}, "b": {"Send": second, "Get": third}, "c": {"Get": first}}
    assert by_name(services) == {"Send": first, "b:Send": second, "Get": third, "c:Get": first}


@pytest.mark.parametrize(
    ("operation", "params"),
    [("sqs:ListQueues", {}), ("sns:ListTopics", {}), ("sesv2:GetAccount", {}), ("ses:GetSendQuota", {})],
)
def test_an_operation_may_say_whose_it_is(operation: str, params: dict[str, Any]) -> None:
    account = Account()
    assert call(account, operation, params, 0) == call(account, operation.partition(":")[2], params, 0)
    assert account.billed == ({"ListQueues": 2} if operation.startswith("sqs") else {})


@pytest.mark.parametrize(
    ("operation", "problem"),
    [
        ("sns:ListTopic", "no operation of sns named 'ListTopic'; did you mean 'ListTopics'? declared: "),
        ("snz:ListTopics", "no service named 'snz'; did you mean 'sns'? declared: "),
        ("ListTopics:sns", "no service named 'ListTopics'; declared: "),
        (":ListTopic", "no operation named 'ListTopic'; did you mean 'ListTopics'? declared: AddPermission, "),
        ("", "no operation named ''; declared: AddPermission, "),
    ],
)
def test_what_no_service_has_is_refused_and_what_it_has_is_said(operation: str, problem: str) -> None:
    with pytest.raises(ServiceError) as caught:
        call(Account(), operation, {}, 0)
    assert caught.value.code == "InvalidAction"
    assert caught.value.message.startswith(f"The action {operation} is not valid for this web service: {problem}")


def test_an_unknown_operation_is_refused_and_told_the_nearest() -> None:
    with pytest.raises(ServiceError) as caught:
        call(Account(), "SendMesage", {}, 0)
    assert (caught.value.code, caught.value.status) == ("InvalidAction", 400)
    assert caught.value.message.startswith(
        "The action SendMesage is not valid for this web service: "
        "no operation named 'SendMesage'; did you mean 'SendMessage'? declared: AddPermission, "
    )


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_unknown_parameter_is_refused(operation: str) -> None:
    service = OPERATIONS[operation].service
    params = dict.fromkeys(OPERATIONS[operation].parameters.required, "x")
    with pytest.raises(ServiceError) as caught:
        call(Account(), operation, {"Unknown": 1, **params}, 0)
    assert caught.value.code == "ValidationError"
    assert 'Unknown parameter in input: "Unknown"' in caught.value.message
    if params:
        with pytest.raises(ServiceError) as caught:
            call(Account(), operation, {}, 0)
        assert caught.value.code == service.missing.code
        assert next(iter(params)) in caught.value.message


def test_an_order_goes_from_topic_to_queue_to_email() -> None:
    account = Account()

    def at(now: float, operation: str, **params: Any) -> dict[str, Any]:
        return call(account, operation, params, now)

    dead = at(0, "CreateQueue", QueueName="emails-dlq")["QueueUrl"]
    policy = {"deadLetterTargetArn": account.arn("sqs", "emails-dlq"), "maxReceiveCount": 2}
    emails = at(
        0,
        "CreateQueue",
        QueueName="emails",
        Attributes={"VisibilityTimeout": "10", "RedrivePolicy": json.dumps(policy)},
    )["QueueUrl"]
    orders = at(0, "CreateTopic", Name="orders")["TopicArn"]
    at(
        0,
        "Subscribe",
        TopicArn=orders,
        Protocol="sqs",
        Endpoint=account.arn("sqs", "emails"),
        Attributes={"FilterPolicy": '{"kind": ["placed"]}'},
    )
    for order, kind in (("1", "placed"), ("2", "shipped")):
        at(
            1,
            "Publish",
            TopicArn=orders,
            Message=order,
            MessageAttributes={"kind": {"DataType": "String", "StringValue": kind}},
        )
    (message,) = at(2, "ReceiveMessage", QueueUrl=emails, MaxNumberOfMessages=10)["Messages"]
    order = json.loads(message["Body"])["Message"]
    answer = at(
        2,
        "SendEmail",
        FromEmailAddress="shop@example.com",
        Destination={"ToAddresses": ["ann@example.com"]},
        Content={"Simple": {"Subject": {"Data": f"Order {order}"}, "Body": {"Text": {"Data": "Thank you"}}}},
    )
    at(3, "DeleteMessage", QueueUrl=emails, ReceiptHandle=message["ReceiptHandle"])
    assert at(60, "ReceiveMessage", QueueUrl=emails) == at(60, "ReceiveMessage", QueueUrl=dead) == {}
    (sent,) = account.outbox.sent
    assert (sent.message_id, sent.email.subject) == (answer["MessageId"], "Order 1")
    assert at(60, "GetAccount")["SendQuota"]["SentLast24Hours"] == 1
    for queue in account.queues.values():
        queue.check(60)
    for topic in account.topics.values():
        topic.check()
    account.outbox.check()


@pytest.mark.parametrize("operation", [None, 7, b"Publish", ("Publish",), [], {}])
def test_what_is_no_text_is_no_operation(operation: Any) -> None:
    with pytest.raises(ServiceError, match="is not a text") as caught:
        call(Account(), operation, {}, 0)
    assert caught.value.code == "InvalidAction"
