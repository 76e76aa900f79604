"""SES: what requests take and what they answer, held against the model of the service that boto3 brings."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from msgsim.service.operation import Operation
from msgsim.service.parameters import ListOf, MapOf, Shape, Structure
from msgsim.service.requests import SERVICES
from msgsim.service.ses_v1_refusals import SES_V1
from tests.service.emails import HELLO, Emails

botocore = pytest.importorskip("botocore")

CLIENTS = ("sesv2", "ses")
NARROWER = {
    "SnsDestination": "destinations of other kinds take events out of the bus",
    "SNSDestination": "the same",
    "FromEmailAddress": "there is nothing else that says whose emails they are",
    "DefaultContent.Template": "the one kind of content that a bulk has",
    "EventDestination.MatchingEventTypes": "a destination without types would get nothing",
}
"""What we demand and the model does not."""

OPERATIONS = [(client, name, each) for client in CLIENTS for name, each in SERVICES[client].items()]


@cache
def model(client: str) -> Any:
    from botocore.session import Session

    return Session().get_service_model(client)


def check_shape(path: str, ours: Shape, theirs: Any) -> None:
    """Every parameter of ours is one of theirs and of its type; what they demand, we do."""
    if isinstance(ours, Structure):
        assert theirs.type_name == "structure", path
        shapes: Mapping[str, Shape] = {**ours.required, **ours.optional}
        assert set(shapes) <= set(theirs.members), path
        assert set(theirs.required_members) <= set(ours.required), path
        more = {f"{path}.{name}".strip(".") for name in set(ours.required) - set(theirs.required_members)}
        assert {each for each in more if not each.endswith(tuple(NARROWER))} == set()
        for name, shape in shapes.items():
            check_shape(f"{path}.{name}".strip("."), shape, theirs.members[name])
    elif isinstance(ours, ListOf):
        assert theirs.type_name == "list", path
        check_shape(path, ours.member, theirs.member)
    elif isinstance(ours, MapOf):
        assert theirs.type_name == "map", path
        check_shape(path, ours.member, theirs.value)
    else:
        kind = getattr(ours, "kind", str)
        assert theirs.type_name in {str: {"string"}, int: {"integer", "long"}, bool: {"boolean"}, bytes: {"blob"}}[kind]


@pytest.mark.parametrize(("client", "name", "operation"), OPERATIONS)
def test_parameters_are_the_services(client: str, name: str, operation: Operation) -> None:
    theirs = model(client).operation_model(name).input_shape
    if theirs is None:
        assert operation.parameters == Structure({})
    else:
        check_shape("", operation.parameters, theirs)


class Checked(Emails):
    """A client that holds each answer against the model, and notes what it has asked for."""

    def __init__(self, service: str, **outbox: Any) -> None:
        super().__init__(**outbox)
        self.service = service
        self.asked: set[str] = set()

    def __call__(self, operation: str, now: float = 0, **params: Any) -> dict[str, Any]:
        if operation not in SERVICES[self.service]:
            return super().__call__(operation, now, **params)
        answer = super().__call__(f"{self.service}:{operation}", now, **params)
        self.asked.add(operation)
        check_answer(operation, answer, model(self.service).operation_model(operation).output_shape)
        return answer


def check_answer(path: str, answer: Any, theirs: Any) -> None:
    """An answer has what it must and nothing that there is not; choices are of those that there are."""
    if theirs is None:
        assert answer == {}, path
    elif theirs.type_name == "structure":
        assert set(answer) <= set(theirs.members), path
        for name, value in answer.items():
            check_answer(f"{path}.{name}", value, theirs.members[name])
    elif theirs.type_name == "list":
        for each in answer:
            check_answer(path, each, theirs.member)
    elif theirs.type_name == "map":
        for each in answer.values():
            check_answer(path, each, theirs.value)
    else:
        kinds = {"string": str, "boolean": bool, "timestamp": float, "integer": int, "long": int, "double": float}
        assert type(answer) is kinds[theirs.type_name], path
        assert answer in (getattr(theirs, "enum", None) or [answer]), path


S = {"ConfigurationSetName": "s"}
D = {**S, "EventDestinationName": "d"}
SHOP = {"EmailIdentity": "shop.org"}
ACME = {"TenantName": "acme"}
TAGS = [{"Key": "k", "Value": "v"}]
CONTENT = {"Subject": "Hi", "Text": "Hello {{name}}", "Html": "<p>"}
ENTRIES = [{"Destination": {"ToAddresses": [each]}} for each in ("a@b.c", "nobody")]
TO = {"ToAddresses": ["a@b.c"]}


def test_answers_of_version_2_are_the_services() -> None:
    client = Checked("sesv2", verification_time=0)
    topic = {"MatchingEventTypes": ["SEND"], "SnsDestination": {"TopicArn": client.listen()}, "Enabled": True}
    own, news = (client.account.arn("ses", name) for name in ("identity/shop.org", "configuration-set/s"))
    arn = client("CreateTenant", **ACME, Tags=TAGS)["TenantArn"]
    acme = {"ReputationEntityType": "RESOURCE", "ReputationEntityReference": arn}
    policy = "arn:aws:ses:us-east-1:aws:reputation-policy/strict"
    requests: list[tuple[str, dict[str, Any]]] = [
        ("CreateEmailTemplate", {"TemplateName": "t", "TemplateContent": CONTENT}),
        ("UpdateEmailTemplate", {"TemplateName": "t", "TemplateContent": CONTENT}),
        ("GetEmailTemplate", {"TemplateName": "t"}),
        ("ListEmailTemplates", {}),
        ("TestRenderEmailTemplate", {"TemplateName": "t", "TemplateData": '{"name": "Ann"}'}),
        ("CreateConfigurationSet", S),
        ("PutConfigurationSetDeliveryOptions", {**S, "MaxDeliverySeconds": 600}),
        ("PutConfigurationSetReputationOptions", {**S, "ReputationMetricsEnabled": True}),
        ("PutConfigurationSetSuppressionOptions", {**S, "SuppressedReasons": ["BOUNCE"]}),
        ("PutConfigurationSetSendingOptions", {**S, "SendingEnabled": False}),
        ("PutConfigurationSetSendingOptions", {**S, "SendingEnabled": True}),
        ("CreateConfigurationSetEventDestination", {**D, "EventDestination": topic}),
        ("UpdateConfigurationSetEventDestination", {**D, "EventDestination": topic}),
        ("GetConfigurationSetEventDestinations", S),
        ("GetConfigurationSet", S),
        ("ListConfigurationSets", {}),
        ("CreateEmailIdentity", {**SHOP, **S, "Tags": TAGS}),
        ("PutEmailIdentityMailFromAttributes", {**SHOP, "MailFromDomain": "m.shop.org"}),
        ("PutEmailIdentityConfigurationSetAttributes", {**SHOP, **S}),
        ("PutEmailIdentityDkimAttributes", {**SHOP, "SigningEnabled": True}),
        ("PutEmailIdentityFeedbackAttributes", {**SHOP, "EmailForwardingEnabled": True}),
        ("GetEmailIdentity", SHOP),
        ("PutEmailIdentityDkimSigningAttributes", {**SHOP, "SigningAttributesOrigin": "AWS_SES"}),
        ("ListEmailIdentities", {}),
        ("PutTenantSuppressionAttributes", {**ACME, "SuppressionScope": "TENANT", "SuppressedReasons": ["BOUNCE"]}),
        ("GetTenant", ACME),
        ("ListTenants", {}),
        ("CreateTenantResourceAssociation", {**ACME, "ResourceArn": own}),
        ("CreateTenantResourceAssociation", {**ACME, "ResourceArn": news}),
        ("ListTenantResources", ACME),
        ("GetReputationEntity", acme),
        ("UpdateReputationEntityCustomerManagedStatus", {**acme, "SendingStatus": "ENABLED"}),
        ("UpdateReputationEntityPolicy", {**acme, "ReputationEntityPolicy": policy}),
        ("SendEmail", {**ACME, "Content": HELLO, "FromEmailAddress": "ann@shop.org", "Destination": TO}),
        (
            "SendBulkEmail",
            {
                "FromEmailAddress": "a@shop.org",
                "DefaultContent": {"Template": {"TemplateName": "t"}},
                "BulkEmailEntries": ENTRIES,
            },
        ),
        ("GetAccount", {}),
        ("PutAccountSendingAttributes", {"SendingEnabled": True}),
        ("PutAccountSuppressionAttributes", {"SuppressedReasons": ["BOUNCE"]}),
        ("PutSuppressedDestination", {"EmailAddress": "a@b.c", "Reason": "BOUNCE"}),
        ("GetSuppressedDestination", {"EmailAddress": "a@b.c"}),
        ("PutSuppressedDestination", {"EmailAddress": "a@b.c", "Reason": "BOUNCE", **ACME}),
        ("GetSuppressedDestination", {"EmailAddress": "a@b.c", **ACME}),
        ("ListSuppressedDestinations", {}),
        ("DeleteSuppressedDestination", {"EmailAddress": "a@b.c"}),
        ("DeleteTenantResourceAssociation", {**ACME, "ResourceArn": own}),
        ("DeleteTenant", ACME),
        ("DeleteEmailIdentity", SHOP),
        ("DeleteConfigurationSetEventDestination", D),
        ("DeleteConfigurationSet", S),
        ("DeleteEmailTemplate", {"TemplateName": "t"}),
    ]
    for operation, params in requests:
        client(operation, **params)
    assert client.asked == set(SERVICES["sesv2"])


def test_answers_of_version_1_are_the_services() -> None:
    client = Checked("ses", verification_time=0)
    arn = client.listen()
    event = {"Name": "d", "Enabled": True, "MatchingEventTypes": ["send"], "SNSDestination": {"TopicARN": arn}}
    template = {"TemplateName": "t", "SubjectPart": "Hi", "TextPart": "Hello {{name}}", "HtmlPart": "<p>"}
    options = ["eventDestinations", "trackingOptions", "deliveryOptions", "reputationOptions"]
    names = {"Identities": ["shop.org", "a@b.c"]}
    shop, kind = {"Identity": "shop.org"}, {"NotificationType": "Delivery"}
    sent = {"Source": "ann@shop.org", "Destination": TO}
    simple = {"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": "Hello"}}}
    bulk = {"Source": "ann@shop.org", "Template": "t", "DefaultTemplateData": "{}"}
    requests: list[tuple[str, dict[str, Any]]] = [
        ("CreateConfigurationSet", {"ConfigurationSet": {"Name": "s"}}),
        ("CreateConfigurationSetEventDestination", {**S, "EventDestination": event}),
        ("UpdateConfigurationSetEventDestination", {**S, "EventDestination": event}),
        ("UpdateConfigurationSetReputationMetricsEnabled", {**S, "Enabled": True}),
        ("UpdateConfigurationSetSendingEnabled", {**S, "Enabled": False}),
        ("UpdateConfigurationSetSendingEnabled", {**S, "Enabled": True}),
        ("DescribeConfigurationSet", {**S, "ConfigurationSetAttributeNames": options}),
        ("ListConfigurationSets", {"MaxItems": 10}),
        ("CreateTemplate", {"Template": template}),
        ("UpdateTemplate", {"Template": template}),
        ("GetTemplate", {"TemplateName": "t"}),
        ("ListTemplates", {}),
        ("TestRenderTemplate", {"TemplateName": "t", "TemplateData": '{"name": "Ann"}'}),
        ("VerifyDomainIdentity", {"Domain": "shop.org"}),
        ("VerifyDomainDkim", {"Domain": "shop.org"}),
        ("VerifyEmailIdentity", {"EmailAddress": "a@b.c"}),
        ("ListIdentities", {"IdentityType": "Domain"}),
        ("SetIdentityDkimEnabled", {**shop, "DkimEnabled": True}),
        ("SetIdentityMailFromDomain", {**shop, "MailFromDomain": "m.shop.org"}),
        ("SetIdentityNotificationTopic", {**shop, **kind, "SnsTopic": arn}),
        ("SetIdentityHeadersInNotificationsEnabled", {**shop, **kind, "Enabled": True}),
        ("SetIdentityFeedbackForwardingEnabled", {**shop, "ForwardingEnabled": True}),
        ("GetIdentityDkimAttributes", names),
        ("GetIdentityMailFromDomainAttributes", names),
        ("GetIdentityNotificationAttributes", names),
        ("GetIdentityVerificationAttributes", names),
        ("SendEmail", {**sent, "Message": simple, **S}),
        ("SendRawEmail", {"RawMessage": {"Data": b"From: ann@shop.org\nTo: a@b.c\n\nHello"}}),
        ("SendTemplatedEmail", {**sent, "Template": "t", "TemplateData": "{}"}),
        ("SendBulkTemplatedEmail", {**bulk, "Destinations": ENTRIES}),
        ("GetSendQuota", {}),
        ("GetSendStatistics", {}),
        ("UpdateAccountSendingEnabled", {"Enabled": True}),
        ("GetAccountSendingEnabled", {}),
        ("DeleteIdentity", shop),
        ("DeleteTemplate", {"TemplateName": "t"}),
        ("DeleteConfigurationSetEventDestination", D),
        ("DeleteConfigurationSet", S),
    ]
    for operation, params in requests:
        client(operation, **params)
    assert client.asked == set(SERVICES["ses"])


def test_refusals_of_version_1_are_the_models() -> None:
    codes = {
        shape.metadata.get("error", {}).get("code"): name
        for name in model("ses").shape_names
        if (shape := model("ses").shape_for(name)).metadata.get("exception")
    }
    assert {code: codes[code] for code in SES_V1.shapes} == SES_V1.shapes
    assert {code for code, _ in SES_V1.codes.values()} - {"InvalidParameterValue", "Throttling"} <= set(codes)
