"""SES (version 1): configuration sets, their destinations, and templates."""

from typing import Any

import pytest

from tests.service.emails import Emails
from tests.service.test_ses_v1_sending import Older

TEMPLATE = {"TemplateName": "t", "SubjectPart": "Hi {{name}}", "TextPart": "Hello", "HtmlPart": "<p>"}


def with_set() -> tuple[Older, str]:
    client = Older(epoch=1_000)
    client("ses:CreateConfigurationSet", ConfigurationSet={"Name": "s"})
    return client, client.listen()


def destination(arn: str, *types: str, name: str = "d") -> dict[str, Any]:
    given = {"Enabled": True, "Name": name, "MatchingEventTypes": [*types], "SNSDestination": {"TopicARN": arn}}
    return {"ConfigurationSetName": "s", "EventDestination": given}


def described(client: Emails, *names: str, now: float = 0) -> dict[str, Any]:
    return client("DescribeConfigurationSet", now, ConfigurationSetName="s", ConfigurationSetAttributeNames=names)


@pytest.mark.rule("SES-CFG-1")
def test_sets_are_those_of_both_versions() -> None:
    client, _ = with_set()
    client("CreateConfigurationSet", ConfigurationSetName="b", DeliveryOptions={"TlsPolicy": "REQUIRE"})
    first = client("ses:ListConfigurationSets", MaxItems=1)
    assert first["ConfigurationSets"] == [{"Name": "s"}]
    assert client("ses:ListConfigurationSets", NextToken=first["NextToken"]) == {"ConfigurationSets": [{"Name": "b"}]}
    assert described(client) == {"ConfigurationSet": {"Name": "s"}}
    assert described(client, "trackingOptions", "deliveryOptions", "reputationOptions", "eventDestinations") == {
        "ConfigurationSet": {"Name": "s"},
        "DeliveryOptions": {"TlsPolicy": "Optional"},
        "ReputationOptions": {"SendingEnabled": True, "ReputationMetricsEnabled": False},
        "EventDestinations": [],
    }
    refusal = client.refusal("DescribeConfigurationSet", ConfigurationSetName="s", ConfigurationSetAttributeNames=["x"])
    assert refusal[0] == "InvalidParameterValue"
    client("ses:DeleteConfigurationSet", ConfigurationSetName="s")
    assert client("ListConfigurationSets") == {"ConfigurationSets": ["b"]}


@pytest.mark.rule("SES-SND-4")
@pytest.mark.parametrize(
    ("operation", "params", "code"),
    [
        ("CreateConfigurationSet", {"ConfigurationSet": {"Name": "s"}}, "ConfigurationSetAlreadyExists"),
        ("CreateConfigurationSet", {"ConfigurationSet": {"Name": "a b"}}, "InvalidConfigurationSet"),
        ("DeleteConfigurationSet", {"ConfigurationSetName": "x"}, "ConfigurationSetDoesNotExist"),
        ("DescribeConfigurationSet", {"ConfigurationSetName": "x"}, "ConfigurationSetDoesNotExist"),
        ("UpdateConfigurationSetSendingEnabled", {"ConfigurationSetName": "x", "Enabled": True},
         "ConfigurationSetDoesNotExist"),
        ("UpdateConfigurationSetReputationMetricsEnabled", {"ConfigurationSetName": "x", "Enabled": True},
         "ConfigurationSetDoesNotExist"),
        ("DeleteConfigurationSetEventDestination", {"ConfigurationSetName": "x", "EventDestinationName": "d"},
         "ConfigurationSetDoesNotExist"),
        ("DeleteConfigurationSetEventDestination", {"ConfigurationSetName": "s", "EventDestinationName": "d"},
         "EventDestinationDoesNotExist"),
    ],
)  # fmt: skip
def test_refusals_have_codes_of_their_own(operation: str, params: dict[str, Any], code: str) -> None:
    client, _ = with_set()
    refusal = client.refusal(f"ses:{operation}", **params)
    assert (refusal[0], refusal[2]) == (code, 400)


@pytest.mark.rule("SES-REP-3")
@pytest.mark.rule("CW-SES-2")
def test_a_set_is_paused_and_goes_on_with_fresh_rates() -> None:
    client, _ = with_set()
    sets = {"ConfigurationSetName": "s"}
    client("UpdateConfigurationSetReputationMetricsEnabled", **sets, Enabled=True)
    client("UpdateConfigurationSetSendingEnabled", **sets, Enabled=False)
    assert client.refused(**sets)[0] == "ConfigurationSetSendingPausedException"
    client("UpdateConfigurationSetSendingEnabled", 7, **sets, Enabled=True)
    client.send(7, **sets)
    assert described(client, "reputationOptions", now=7)["ReputationOptions"] == {
        "SendingEnabled": True,
        "ReputationMetricsEnabled": True,
        "LastFreshStart": 1_007,
    }


@pytest.mark.rule("SES-CFG-2")
@pytest.mark.rule("SES-SND-10")
def test_destinations_are_made_changed_and_deleted() -> None:
    client, arn = with_set()
    given = destination(arn, "send", "renderingFailure")
    client("ses:CreateConfigurationSetEventDestination", **given)
    assert described(client, "eventDestinations")["EventDestinations"] == [given["EventDestination"]]
    again = client.refusal("ses:CreateConfigurationSetEventDestination", **given)
    assert again[0] == "EventDestinationAlreadyExists"
    client("ses:UpdateConfigurationSetEventDestination", **destination(arn, "delivery"))
    client.send(ConfigurationSetName="s")
    assert [each["eventType"] for each in client.events()] == ["Delivery"]
    for operation in ("Create", "Update"):
        refusal = client.refusal(
            f"ses:{operation}ConfigurationSetEventDestination",
            **destination(f"{arn}x", "send", name="e" if operation == "Create" else "d"),
        )
        assert refusal == ("InvalidSNSDestination", f"SNS topic <{arn}x> not found.", 400)
    named = {"ConfigurationSetName": "s", "EventDestinationName": "d"}
    client("ses:DeleteConfigurationSetEventDestination", **named)
    missing = ("EventDestinationDoesNotExist", "No EventDestination found for s", 400)
    assert client.refusal("ses:DeleteConfigurationSetEventDestination", **named) == missing
    assert client.refusal("ses:UpdateConfigurationSetEventDestination", **given) == missing


@pytest.mark.rule("SES-EVT-2")
def test_types_that_version_1_does_not_have() -> None:
    client, arn = with_set()
    for types in ([], ["deliveryDelay"]):
        code, message, _ = client.refusal("ses:CreateConfigurationSetEventDestination", **destination(arn, *types))
        assert (code, f"MatchingEventTypes {types} cannot be" in message) == ("InvalidParameterValue", True)
    newer = {"MatchingEventTypes": ["SEND", "DELIVERY_DELAY"], "SnsDestination": {"TopicArn": arn}}
    named = {"ConfigurationSetName": "s", "EventDestinationName": "d"}
    client("CreateConfigurationSetEventDestination", **named, EventDestination=newer)
    (listed,) = described(client, "eventDestinations")["EventDestinations"]
    assert listed["MatchingEventTypes"] == ["send"]


@pytest.mark.rule("SES-CFG-2")
@pytest.mark.rule("SES-SND-4")
def test_a_set_has_at_most_10_destinations() -> None:
    client, arn = with_set()
    for number in range(10):
        client("ses:CreateConfigurationSetEventDestination", **destination(arn, "send", name=str(number)))
    refusal = client.refusal("ses:CreateConfigurationSetEventDestination", **destination(arn, "send", name="more"))
    assert refusal[0] == "LimitExceeded"


@pytest.mark.rule("SES-SND-6")
def test_templates_are_those_of_both_versions() -> None:
    client = Older(epoch=1_000)
    client("CreateTemplate", 5, Template=TEMPLATE)
    assert client("GetEmailTemplate", 5, TemplateName="t")["TemplateContent"] == {
        "Subject": "Hi {{name}}",
        "Text": "Hello",
        "Html": "<p>",
    }
    assert client("GetTemplate", 5, TemplateName="t") == {"Template": TEMPLATE}
    assert client("ListTemplates", 5) == {"TemplatesMetadata": [{"Name": "t", "CreatedTimestamp": 1_005}]}
    rendered = client("TestRenderTemplate", 5, TemplateName="t", TemplateData='{"name": "Ann"}')["RenderedTemplate"]
    assert "Subject: Hi Ann" in rendered
    client("UpdateTemplate", 5, Template={"TemplateName": "t", "TextPart": "Bye"})
    assert client("GetTemplate", 5, TemplateName="t") == {"Template": {"TemplateName": "t", "TextPart": "Bye"}}
    for _ in range(2):
        client("DeleteTemplate", 5, TemplateName="t")
    assert client("ListTemplates", 5) == {"TemplatesMetadata": []}


@pytest.mark.rule("SES-SND-6")
@pytest.mark.parametrize(
    ("operation", "params", "code"),
    [
        ("CreateTemplate", {"Template": TEMPLATE}, "AlreadyExists"),
        ("CreateTemplate", {"Template": {"TemplateName": "u", "TextPart": "{{#if}}"}}, "InvalidTemplate"),
        ("UpdateTemplate", {"Template": {"TemplateName": "t", "TextPart": "{{#if}}"}}, "InvalidTemplate"),
        ("UpdateTemplate", {"Template": {"TemplateName": "u"}}, "TemplateDoesNotExist"),
        ("GetTemplate", {"TemplateName": "u"}, "TemplateDoesNotExist"),
        ("TestRenderTemplate", {"TemplateName": "u", "TemplateData": "{}"}, "TemplateDoesNotExist"),
        ("TestRenderTemplate", {"TemplateName": "t", "TemplateData": "x"}, "InvalidRenderingParameter"),
        ("TestRenderTemplate", {"TemplateName": "t", "TemplateData": "{}"}, "MissingRenderingAttribute"),
    ],
)
def test_refusals_of_templates(operation: str, params: dict[str, Any], code: str) -> None:
    client = Older()
    client("CreateTemplate", Template=TEMPLATE)
    refusal = client.refusal(operation, **params)
    assert (refusal[0], refusal[2]) == (code, 400)
