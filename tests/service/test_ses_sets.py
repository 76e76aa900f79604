"""SES: configuration sets and their event destinations."""

import copy
from typing import Any

import pytest

from msgsim.bus.configuration_set import ConfigurationSet
from msgsim.bus.event_destinations import EventDestination
from tests.service.emails import Emails


def destination(arn: str, *types: str, **more: Any) -> dict[str, Any]:
    return {
        "ConfigurationSetName": "s",
        "EventDestinationName": "d",
        "EventDestination": {
            "Enabled": True,
            "MatchingEventTypes": list(types),
            "SnsDestination": {"TopicArn": arn},
            **more,
        },
    }


def with_set() -> tuple[Emails, str]:
    client = Emails()
    client("CreateConfigurationSet", ConfigurationSetName="s")
    return client, client.listen()


@pytest.mark.rule("SES-CFG-2")
@pytest.mark.rule("SES-SND-1")
def test_events_go_to_the_topics_of_the_account() -> None:
    client, arn = with_set()
    client("CreateConfigurationSetEventDestination", **destination(arn, "SEND", "BOUNCE"))
    message_id = client.send(1, to="bounce@simulator.amazonses.com", ConfigurationSetName="s")
    client.send(1, to="a@example.com")
    events = client.events(1)
    assert [each["eventType"] for each in events] == ["Send", "Bounce"]
    assert {each["mail"]["messageId"] for each in events} == {message_id}
    assert events[0]["mail"]["sendingAccountId"] == client.account.account_id
    client("DeleteTopic", 2, TopicArn=arn)
    client.send(2, ConfigurationSetName="s")
    assert client.events(2) == []


@pytest.mark.rule("SES-CFG-2")
@pytest.mark.parametrize("copied", [False, True])
def test_so_do_those_of_declared_sets_also_in_a_copy_of_the_account(copied: bool) -> None:
    declared = ConfigurationSet(events=[EventDestination(topic="feedback", types="bounce")])
    client = Emails(configuration_sets={"s": declared}, delivery_delay=5)
    client.listen()
    client.send(1, to="bounce@simulator.amazonses.com", ConfigurationSetName="s")
    if copied:
        client.account = copy.deepcopy(client.account)
    assert [each["eventType"] for each in client.events(6)] == ["Bounce"]


def test_a_set_that_is_made_again_has_rates_of_its_own() -> None:
    client = Emails()
    for _ in range(2):
        client("CreateConfigurationSet", ConfigurationSetName="s", ReputationOptions={"ReputationMetricsEnabled": True})
        client.send(ConfigurationSetName="s")
        assert client.account.outbox.reputations["s"].volume == 1
        client("DeleteConfigurationSet", ConfigurationSetName="s")
        assert not client.account.outbox.reputations


def test_a_set_that_is_gone_tells_nobody() -> None:
    client, arn = with_set()
    client("CreateConfigurationSetEventDestination", **destination(arn, "DELIVERY", "SEND"))
    client("DeleteConfigurationSet", ConfigurationSetName="s")
    assert client.refused(ConfigurationSetName="s")[0] == "NotFoundException"
    client.send()
    assert client.events() == []


@pytest.mark.rule("SES-SND-10")
def test_destinations_are_named_listed_and_deleted() -> None:
    client, arn = with_set()
    given = destination(arn, "DELIVERY_DELAY", "RENDERING_FAILURE")
    client("CreateConfigurationSetEventDestination", **given)
    again = client.refusal("CreateConfigurationSetEventDestination", **given)
    assert again[0] == "AlreadyExistsException"
    listed = client("GetConfigurationSetEventDestinations", ConfigurationSetName="s")["EventDestinations"]
    assert listed == [{"Name": "d", **given["EventDestination"]}]
    named = {"ConfigurationSetName": "s", "EventDestinationName": "d"}
    client("DeleteConfigurationSetEventDestination", **named)
    refusal = client.refusal("DeleteConfigurationSetEventDestination", **named)
    assert refusal == ("NotFoundException", "No EventDestination found for s", 404)


@pytest.mark.rule("SES-SND-10")
def test_a_destination_needs_a_standard_topic_and_types() -> None:
    client, arn = with_set()

    def refusal(*args: str) -> tuple[str, str]:
        return client.refusal("CreateConfigurationSetEventDestination", **destination(*args))[:2]

    assert refusal(f"{arn}x", "SEND") == ("BadRequestException", f"SNS topic <{arn}x> not found.")
    fifo = client("CreateTopic", Name="t.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
    assert "FIFO" in refusal(fifo, "SEND")[1]
    assert "MatchingEventTypes ['x'] cannot be" in refusal(arn, "x")[1]
    assert "MatchingEventTypes [] cannot be" in refusal(arn)[1]


@pytest.mark.rule("SES-CFG-2")
def test_a_set_has_at_most_10_destinations() -> None:
    client, arn = with_set()
    for number in range(11):
        request = {**destination(arn, "SEND"), "EventDestinationName": str(number)}
        if number < 10:
            client("CreateConfigurationSetEventDestination", **request)
        else:
            code, message, _ = client.refusal("CreateConfigurationSetEventDestination", **request)
            assert (code, "allowed: 10" in message) == ("LimitExceededException", True)


def test_destinations_that_are_declared_are_numbered() -> None:
    declared = ConfigurationSet(events=[EventDestination(topic="t", types=["send"])])
    client = Emails(configuration_sets={"s": declared})
    (listed,) = client("GetConfigurationSetEventDestinations", ConfigurationSetName="s")["EventDestinations"]
    assert (listed["Name"], listed["MatchingEventTypes"]) == ("0", ["SEND"])


@pytest.mark.rule("SES-CFG-1")
def test_a_set_is_made_and_listed() -> None:
    client = Emails()
    client(
        "CreateConfigurationSet",
        ConfigurationSetName="s",
        DeliveryOptions={"TlsPolicy": "REQUIRE", "MaxDeliverySeconds": 600},
        SuppressionOptions={"SuppressedReasons": []},
        ReputationOptions={"ReputationMetricsEnabled": True},
    )
    expected = ConfigurationSet(tls="REQUIRE", max_delivery_time=600, suppressed_reasons=(), reputation_metrics=True)
    assert client.account.outbox.configuration_sets["s"] == expected
    assert client("ListConfigurationSets") == {"ConfigurationSets": ["s"]}
    assert client.refusal("CreateConfigurationSet", ConfigurationSetName="s")[0] == "AlreadyExistsException"
    assert client.refusal("CreateConfigurationSet", ConfigurationSetName="a b")[0] == "BadRequestException"


@pytest.mark.rule("SES-REP-3")
def test_the_emails_of_a_set_are_paused_and_go_on() -> None:
    client = Emails()
    client("CreateConfigurationSet", ConfigurationSetName="s", SendingOptions={"SendingEnabled": False})
    assert client.refused(ConfigurationSetName="s")[0] == "SendingPausedException"
    client("PutConfigurationSetSendingOptions", ConfigurationSetName="s", SendingEnabled=True)
    client.send(ConfigurationSetName="s")
    client.send()


@pytest.mark.rule("SES-SND-4")
def test_the_usual_set_must_be_there_too() -> None:
    client = Emails(configuration_sets={"s": ConfigurationSet()}, configuration_set="s")
    client("DeleteConfigurationSet", ConfigurationSetName="s")
    assert client.refused()[:2] == ("NotFoundException", "Configuration set <s> does not exist.")
