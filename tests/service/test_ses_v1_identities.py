"""SES (version 1): identities and their feedback."""

from typing import Any

import pytest

from msgsim.quotas import ADDRESS_LINK_TIME
from tests.service.emails import Emails
from tests.service.test_ses_v1_sending import Older

SHOP = "example.com"
ANN = "ann@example.com"
BOUNCE = "bounce@simulator.amazonses.com"
COMPLAINT = "complaint@simulator.amazonses.com"


def told(client: Emails, kind: str, now: float = 0, *, name: str = SHOP) -> Any:
    """The attributes of an identity of a kind; None if it has none."""
    answer = client(f"GetIdentity{kind}Attributes", now, Identities=[name, "other.org"])
    (attributes,) = answer.values()
    assert set(attributes) <= {name}
    return attributes.get(name)


def with_topics(*kinds: str) -> tuple[Older, str]:
    client = Older(verified=[SHOP])
    arn = client.listen()
    for kind in kinds:
        client("SetIdentityNotificationTopic", Identity=SHOP, NotificationType=kind, SnsTopic=arn)
    return client, arn


@pytest.mark.rule("SES-IDN-1")
def test_an_address_is_verified_by_its_link_or_by_another_one() -> None:
    client = Older()
    client("VerifyEmailIdentity", EmailAddress=ANN)
    assert told(client, "Verification", name=ANN) == {"VerificationStatus": "Pending"}
    late = ADDRESS_LINK_TIME.low
    assert told(client, "Verification", late, name=ANN) == {"VerificationStatus": "Failed"}
    assert client.refused(late, Source=ANN)[0] == "MessageRejected"
    client("VerifyEmailIdentity", late, EmailAddress=ANN)
    client.account.outbox.identities.confirm(ANN, late + 1)
    assert told(client, "Verification", late + 1, name=ANN) == {"VerificationStatus": "Success"}
    client.send(late + 1, Source=ANN)
    client("VerifyEmailIdentity", late + 2, EmailAddress=ANN)
    assert told(client, "Verification", late + 2, name=ANN) == {"VerificationStatus": "Success"}


@pytest.mark.rule("SES-IDN-1")
def test_a_domain_is_verified_by_a_record() -> None:
    client = Older(verification_time=60)
    token = client("VerifyDomainIdentity", Domain="Example.com")["VerificationToken"]
    assert told(client, "Verification") == {"VerificationStatus": "Pending", "VerificationToken": token}
    assert client("VerifyDomainIdentity", Domain=SHOP) == {"VerificationToken": token}
    assert told(client, "Verification", 60)["VerificationStatus"] == "Success"
    client.account.outbox.identities.lose(SHOP, 61)
    assert told(client, "Verification", 61)["VerificationStatus"] == "TemporaryFailure"


@pytest.mark.rule("SES-IDN-1")
@pytest.mark.parametrize(
    ("operation", "params", "problem"),
    [
        ("VerifyEmailIdentity", {"EmailAddress": "example.com"}, "Invalid email address<example.com>."),
        ("VerifyEmailIdentity", {"EmailAddress": "a b"}, "nor a domain"),
        ("VerifyEmailIdentity", {"EmailAddress": "Ann <a@b.c>"}, "Invalid email address<Ann <a@b.c>>."),
        ("VerifyDomainIdentity", {"Domain": "a@example.com"}, "Invalid domain name a@example.com."),
        ("VerifyDomainDkim", {"Domain": ""}, "Invalid domain name ."),
        ("ListIdentities", {"IdentityType": "Both"}, "IdentityType Both is not allowed; allowed: EmailAddress, Domain"),
        ("ListIdentities", {"MaxItems": 0}, "MaxItems is 0; allowed: 1 to 1000"),
        ("GetIdentityVerificationAttributes", {"Identities": ["a.org"] * 101}, "101 identities; allowed: up to 100"),
        ("SetIdentityDkimEnabled", {"Identity": "x.org", "DkimEnabled": True}, "Identity 'x.org' does not exist."),
        ("SetIdentityMailFromDomain", {"Identity": "x.org"}, "Identity 'x.org' does not exist."),
        ("SetIdentityMailFromDomain", {"Identity": SHOP, "BehaviorOnMXFailure": "x"}, "UseDefaultValue, RejectMessage"),
        ("SetIdentityFeedbackForwardingEnabled", {"Identity": "x.org", "ForwardingEnabled": True}, "does not exist."),
        ("DeleteIdentity", {"Identity": "a b"}, "nor a domain"),
    ],
)  # fmt: skip
def test_requests_that_cannot_be(operation: str, params: dict[str, Any], problem: str) -> None:
    client = Older(verified=[SHOP])
    code, message, status = client.refusal(operation, **params)
    assert (code, status) == ("InvalidParameterValue", 400)
    assert problem in message
    assert len(client.account.outbox.identities) == 1


@pytest.mark.rule("SES-IDN-1")
def test_identities_are_listed_by_kind_and_page_and_deleted() -> None:
    client = Older(verified=[ANN, SHOP, "bob@example.com"])
    assert client("ListIdentities", IdentityType="Domain") == {"Identities": [SHOP]}
    first = client("ListIdentities", IdentityType="EmailAddress", MaxItems=1)
    assert first["Identities"] == [ANN]
    rest = client("ListIdentities", IdentityType="EmailAddress", NextToken=first["NextToken"])
    assert rest == {"Identities": ["bob@example.com"]}
    for _ in range(2):
        client("DeleteIdentity", Identity=client.account.arn("ses", f"identity/{SHOP}"))
    assert client("ListIdentities") == {"Identities": [ANN, "bob@example.com"]}


@pytest.mark.rule("SES-IDN-2")
def test_a_domain_signs_by_its_records() -> None:
    client = Older(verification_time=0)
    tokens = client("VerifyDomainDkim", Domain=SHOP)["DkimTokens"]
    assert told(client, "Dkim") == {"DkimEnabled": True, "DkimVerificationStatus": "Success", "DkimTokens": tokens}
    client("SetIdentityDkimEnabled", Identity=SHOP, DkimEnabled=False)
    assert told(client, "Dkim")["DkimEnabled"] is False
    client("VerifyEmailIdentity", EmailAddress=ANN)
    assert told(client, "Dkim", name=ANN) == {"DkimEnabled": True, "DkimVerificationStatus": "NotStarted"}


@pytest.mark.rule("SES-IDN-2")
def test_a_domain_has_a_mail_from_domain() -> None:
    client = Older(verified=[SHOP])
    assert told(client, "MailFromDomain") is None
    client("SetIdentityMailFromDomain", Identity=SHOP, MailFromDomain="m.example.com")
    assert told(client, "MailFromDomain") == {
        "MailFromDomain": "m.example.com",
        "MailFromDomainStatus": "Pending",
        "BehaviorOnMXFailure": "UseDefaultValue",
    }
    client("SetIdentityMailFromDomain", Identity=SHOP)
    assert told(client, "MailFromDomain") is None


@pytest.mark.rule("SES-CFG-4")
def test_feedback_of_an_identity_goes_to_its_topics() -> None:
    client, arn = with_topics("Bounce", "Delivery")
    message_id = client.send(1, to=BOUNCE)
    client.send(1, to=COMPLAINT)
    client.send(1, to="c@d.org", Source="Ann <ann@example.com>")
    events = client.events(1)
    assert [each["notificationType"] for each in events] == ["Bounce", "Delivery", "Delivery"]
    bounce = events[0]
    assert (bounce["bounce"]["bounceType"], bounce["mail"]["messageId"]) == ("Permanent", message_id)
    assert set(bounce) == {"notificationType", "mail", "bounce"}
    assert "tags" not in bounce["mail"]
    assert "headers" not in bounce["mail"]
    assert told(client, "Notification", 1) == {
        "BounceTopic": arn,
        "ComplaintTopic": "",
        "DeliveryTopic": arn,
        "ForwardingEnabled": True,
        "HeadersInBounceNotificationsEnabled": False,
        "HeadersInComplaintNotificationsEnabled": False,
        "HeadersInDeliveryNotificationsEnabled": False,
    }


@pytest.mark.rule("SES-CFG-4")
def test_feedback_tells_headers_where_it_is_wanted() -> None:
    client, _ = with_topics("Bounce", "Complaint")
    headers = "SetIdentityHeadersInNotificationsEnabled"
    for kind, wanted in (("Bounce", True), ("Complaint", True), ("Bounce", False)):
        client(headers, Identity=SHOP, NotificationType=kind, Enabled=wanted)
    client.send(to=BOUNCE)
    client.send(to=COMPLAINT)
    assert ["headers" in each["mail"] for each in client.events()] == [False, True]
    attributes = told(client, "Notification")
    assert attributes["HeadersInComplaintNotificationsEnabled"] is True
    assert attributes["HeadersInBounceNotificationsEnabled"] is False


@pytest.mark.rule("SES-CFG-4")
@pytest.mark.rule("SES-IDN-1")
def test_an_address_of_its_own_goes_before_its_domain() -> None:
    client = Older(verified=[SHOP, ANN])
    for name in (SHOP, ANN):
        arn = client.listen(name.replace("@", "-").replace(".", "-"), name.replace("@", "-").replace(".", "-"))
        client("SetIdentityNotificationTopic", Identity=name, NotificationType="Delivery", SnsTopic=arn)
    client.send(Source=ANN)
    client.send(Source="bob@mail.example.com")
    client.send(Source="bob@mail.example.com")
    assert [len(client.events(queue=queue)) for queue in ("example-com", "ann-example-com")] == [2, 1]


@pytest.mark.rule("SES-CFG-4")
def test_feedback_comes_beside_the_events_of_a_set() -> None:
    client, arn = with_topics("Delivery")
    client("ses:CreateConfigurationSet", ConfigurationSet={"Name": "s"})
    given = {"Name": "d", "Enabled": True, "MatchingEventTypes": ["delivery"], "SNSDestination": {"TopicARN": arn}}
    client("ses:CreateConfigurationSetEventDestination", ConfigurationSetName="s", EventDestination=given)
    client.send(ConfigurationSetName="s")
    assert [set(each) & {"eventType", "notificationType"} for each in client.events()] == [
        {"eventType"},
        {"notificationType"},
    ]


@pytest.mark.rule("SES-CFG-4")
def test_nobody_is_told_any_more() -> None:
    client, arn = with_topics("Delivery")
    client("SetIdentityNotificationTopic", Identity=SHOP, NotificationType="Delivery")
    client.send()
    client("SetIdentityNotificationTopic", Identity=SHOP, NotificationType="Delivery", SnsTopic=arn)
    client("DeleteIdentity", Identity=SHOP)
    client("VerifyDomainIdentity", Domain=SHOP)
    client.account.outbox.identities.confirm(SHOP, 0)
    client.send()
    assert client.events() == []
    client("SetIdentityNotificationTopic", Identity=SHOP, NotificationType="Delivery", SnsTopic=arn)
    client("DeleteTopic", TopicArn=arn)
    client.send()
    assert client.events() == []


@pytest.mark.rule("SES-CFG-4")
def test_forwarding_ends_only_where_topics_are_told_of_bounces_and_complaints() -> None:
    client, arn = with_topics("Bounce")
    forwarding = {"Identity": SHOP, "ForwardingEnabled": False}
    code, message, _ = client.refusal("SetIdentityFeedbackForwardingEnabled", **forwarding)
    assert (code, "needs a topic for Bounce and one for Complaint" in message) == ("InvalidParameterValue", True)
    client("SetIdentityNotificationTopic", Identity=SHOP, NotificationType="Complaint", SnsTopic=arn)
    client("SetIdentityFeedbackForwardingEnabled", **forwarding)
    assert told(client, "Notification")["ForwardingEnabled"] is False
    refusal = client.refusal("SetIdentityNotificationTopic", Identity=SHOP, NotificationType="Bounce")
    needed = "The Bounce topic of 'example.com' is needed, for its feedback forwarding is disabled."
    assert refusal == ("InvalidParameterValue", needed, 400)
    client("SetIdentityNotificationTopic", Identity=SHOP, NotificationType="Delivery")
    client("SetIdentityFeedbackForwardingEnabled", **{**forwarding, "ForwardingEnabled": True})
    client("SetIdentityNotificationTopic", Identity=SHOP, NotificationType="Bounce")
    assert told(client, "Notification")["BounceTopic"] == ""


@pytest.mark.rule("SES-CFG-4")
@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"NotificationType": "x"}, "Invalid notification type: x. Valid values are: Bounce, Complaint, Delivery."),
        ({"SnsTopic": "arn:x"}, "SNS topic <arn:x> not found."),
        ({"SnsTopic": "arn:aws:sns:us-east-1:123456789012:t.fifo"}, "is a FIFO topic; allowed: standard topics"),
        ({"Identity": "x.org"}, "Identity 'x.org' does not exist."),
        ({"Identity": "new.org"}, "Identity 'new.org' is not verified."),
    ],
)
def test_topics_that_cannot_be_told(params: dict[str, str], problem: str) -> None:
    client = Older(verified=[SHOP])
    client("CreateTopic", Name="t.fifo", Attributes={"FifoTopic": "true"})
    client("VerifyDomainIdentity", Domain="new.org")
    code, message, _ = client.refusal(
        "SetIdentityNotificationTopic", **{"Identity": SHOP, "NotificationType": "Bounce", **params}
    )
    assert code == "InvalidParameterValue"
    assert problem in message


@pytest.mark.rule("SES-CFG-4")
def test_headers_of_what_there_is_no_feedback_about() -> None:
    refusal = Older(verified=[SHOP]).refusal(
        "SetIdentityHeadersInNotificationsEnabled", Identity=SHOP, NotificationType="Open", Enabled=True
    )
    assert refusal == (
        "InvalidParameterValue",
        "Invalid notification type: Open. Valid values are: Bounce, Complaint, Delivery.",
        400,
    )
