"""SES: configuration sets and their event destinations."""

import copy
import pickle
from random import Random
from typing import Any

import pytest

from msgsim.bus.configuration_set import ConfigurationSet
from msgsim.bus.event_destinations import EventDestination
from msgsim.bus.outbox import Outbox
from msgsim.bus.warm_up import DedicatedPool
from msgsim.distributions import Fixed
from msgsim.errors import DeclarationError
from msgsim.quotas import CONFIGURATION_SETS
from msgsim.service.account import Account
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


@pytest.mark.rule("SES-CFG-3")
@pytest.mark.parametrize("copied", [False, True])
def test_events_come_as_late_and_as_often_as_is_declared(copied: bool) -> None:
    late = EventDestination(topic="feedback", types=["send"], delay=Fixed(60))
    twice = EventDestination(topic="feedback", types=["bounce"], duplicate_rate=1.0)
    declared = {"s": ConfigurationSet(events=[late, twice])}
    client = Emails()
    client.account = Account(outbox=Outbox(configuration_sets=declared), rng=Random(7))
    arn = client.listen()
    client.send(1, to="bounce@simulator.amazonses.com", ConfigurationSetName="s")
    assert [each["eventType"] for each in client.events(60.9)] == ["Bounce", "Bounce"]
    if copied:
        client.account = pickle.loads(pickle.dumps(client.account))  # noqa: S301 - our own bytes
    assert [each["eventType"] for each in client.events(61)] == ["Send"]
    client.send(70, ConfigurationSetName="s")
    client("DeleteTopic", 80, TopicArn=arn)
    client.account.advance(200)
    assert sum(client.account.queues["events"].counts(200)) == 3


@pytest.mark.rule("SES-CFG-3")
def test_duplicates_of_events_need_chance() -> None:
    declared = {"s": ConfigurationSet(events=[EventDestination(topic="feedback", duplicate_rate=0.5)])}
    with pytest.raises(DeclarationError, match=r"Outbox.configuration_sets.s.events.0: .*rng="):
        Emails(configuration_sets=declared)


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


@pytest.mark.rule("SES-CFG-1")
def test_a_set_is_described_and_its_options_are_changed() -> None:
    client = Emails(epoch=1_000, pools={"warm": DedicatedPool(deferral_rate=0)})
    client("CreateConfigurationSet", ConfigurationSetName="s")
    usual = {
        "ConfigurationSetName": "s",
        "DeliveryOptions": {"TlsPolicy": "OPTIONAL"},
        "ReputationOptions": {"ReputationMetricsEnabled": False},
        "SendingOptions": {"SendingEnabled": True},
        "Tags": [],
    }
    assert client("GetConfigurationSet", ConfigurationSetName="s") == usual
    delivery = {"TlsPolicy": "REQUIRE", "MaxDeliverySeconds": 300, "SendingPoolName": "warm"}
    client("PutConfigurationSetDeliveryOptions", ConfigurationSetName="s", **delivery)
    client("PutConfigurationSetSuppressionOptions", ConfigurationSetName="s", SuppressedReasons=["BOUNCE"])
    client("PutConfigurationSetReputationOptions", ConfigurationSetName="s", ReputationMetricsEnabled=True)
    client("PutConfigurationSetSendingOptions", ConfigurationSetName="s")
    assert client("GetConfigurationSet", ConfigurationSetName="s") == {
        **usual,
        "DeliveryOptions": delivery,
        "ReputationOptions": {"ReputationMetricsEnabled": True},
        "SendingOptions": {"SendingEnabled": False},
        "SuppressionOptions": {"SuppressedReasons": ["BOUNCE"]},
    }
    client("PutConfigurationSetDeliveryOptions", ConfigurationSetName="s")
    client("PutConfigurationSetSuppressionOptions", ConfigurationSetName="s")
    expected = ConfigurationSet(suppressed_reasons=(), reputation_metrics=True)
    assert client.account.outbox.configuration_sets["s"] == expected


@pytest.mark.rule("SES-REP-3")
@pytest.mark.rule("CW-SES-2")
def test_the_rates_of_a_set_begin_anew_when_it_goes_on_or_they_are_not_wanted() -> None:
    client = Emails(epoch=1_000)
    client("CreateConfigurationSet", ConfigurationSetName="s", ReputationOptions={"ReputationMetricsEnabled": True})

    def put(now: float, *, sending: bool) -> dict[str, Any]:
        client("PutConfigurationSetSendingOptions", now, ConfigurationSetName="s", SendingEnabled=sending)
        options: dict[str, Any] = client("GetConfigurationSet", now, ConfigurationSetName="s")["ReputationOptions"]
        return options

    rates = client.account.outbox.reputations
    client.send(ConfigurationSetName="s")
    assert put(1, sending=True) == {"ReputationMetricsEnabled": True}
    assert rates["s"].volume == 1
    put(2, sending=False)
    assert rates["s"].volume == 1
    assert put(3, sending=True) == {"ReputationMetricsEnabled": True, "LastFreshStart": 1_003}
    assert "s" not in rates
    client.send(3, ConfigurationSetName="s")
    client("PutConfigurationSetReputationOptions", 3, ConfigurationSetName="s")
    assert "s" not in rates
    client("DeleteConfigurationSet", 3, ConfigurationSetName="s")
    client("CreateConfigurationSet", 3, ConfigurationSetName="s")
    assert put(4, sending=True) == {"ReputationMetricsEnabled": False}


@pytest.mark.rule("SES-CFG-1")
@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"TlsPolicy": "MAYBE"}, "BadRequestException"),
        ({"MaxDeliverySeconds": 299}, "BadRequestException"),
        ({"MaxDeliverySeconds": 50_401}, "BadRequestException"),
        ({"SendingPoolName": "x"}, "NotFoundException"),
    ],
)
def test_options_of_delivery_that_cannot_be(options: dict[str, Any], code: str) -> None:
    client, _ = with_set()
    assert client.refusal("CreateConfigurationSet", ConfigurationSetName="b", DeliveryOptions=options)[0] == code
    assert client.refusal("PutConfigurationSetDeliveryOptions", ConfigurationSetName="s", **options)[0] == code
    assert client.account.outbox.configuration_sets == {"s": ConfigurationSet()}


@pytest.mark.rule("SES-SND-4")
@pytest.mark.parametrize(
    "operation",
    [
        "GetConfigurationSet",
        "PutConfigurationSetDeliveryOptions",
        "PutConfigurationSetReputationOptions",
        "PutConfigurationSetSendingOptions",
        "PutConfigurationSetSuppressionOptions",
    ],
)
def test_a_set_that_is_not_there_is_not_found(operation: str) -> None:
    refusal = Emails().refusal(operation, ConfigurationSetName="x")
    assert refusal == ("NotFoundException", "Configuration set <x> does not exist.", 404)


@pytest.mark.rule("SES-QUO-8")
def test_an_account_has_at_most_10_000_sets() -> None:
    client = Emails()
    client.account.outbox.configuration_sets.update(
        dict.fromkeys(map(str, range(int(CONFIGURATION_SETS.high) - 1)), ConfigurationSet())
    )
    client("CreateConfigurationSet", ConfigurationSetName="last")
    refusal = client.refusal("CreateConfigurationSet", ConfigurationSetName="more")
    assert refusal == ("LimitExceededException", "There are 10000 configuration sets already", 400)


@pytest.mark.rule("SES-CFG-2")
@pytest.mark.rule("SES-SND-10")
def test_a_destination_gets_other_events_elsewhere() -> None:
    client, arn = with_set()
    client("CreateConfigurationSetEventDestination", **destination(arn, "SEND"))
    other = client.listen("other", "others")
    client("UpdateConfigurationSetEventDestination", **destination(other, "DELIVERY"))
    client.send(ConfigurationSetName="s")
    assert client.events() == []
    assert [each["eventType"] for each in client.events(queue="others")] == ["Delivery"]
    given = {**destination(arn, "SEND"), "EventDestinationName": "x"}
    refusal = client.refusal("UpdateConfigurationSetEventDestination", **given)
    assert refusal == ("NotFoundException", "No EventDestination found for s", 404)


def test_a_type_of_events_that_is_named_twice_is_one() -> None:
    client = Emails()
    arn = client.listen()
    client("CreateConfigurationSet", ConfigurationSetName="s")
    made = {"MatchingEventTypes": ["SEND", "BOUNCE", "SEND"], "SnsDestination": {"TopicArn": arn}, "Enabled": True}
    named = {"ConfigurationSetName": "s", "EventDestinationName": "d"}
    client("CreateConfigurationSetEventDestination", **named, EventDestination=made)
    older = {"Name": "e", "MatchingEventTypes": ["click", "click"], "SNSDestination": {"TopicARN": arn}}
    client("ses:CreateConfigurationSetEventDestination", ConfigurationSetName="s", EventDestination=older)
    listed = client("GetConfigurationSetEventDestinations", ConfigurationSetName="s")["EventDestinations"]
    assert [each["MatchingEventTypes"] for each in listed] == [["SEND", "BOUNCE"], ["CLICK"]]
