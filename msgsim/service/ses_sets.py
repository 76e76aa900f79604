"""SES: configuration sets and their event destinations, which are topics of the account (SES-CFG-1, SES-CFG-2)."""

from collections.abc import Mapping
from typing import Any

import attrs

from msgsim.bus.configuration_set import ConfigurationSet, check_set_name
from msgsim.bus.event_destinations import KINDS, EventDestination
from msgsim.errors import DeclarationError, ServiceError
from msgsim.service.account import Account
from msgsim.service.ses_refusals import SES, bad, configuration_set_of, page

WIRE: Mapping[str, str] = {each.upper().replace("-", "_"): each for each in KINDS}
"""Types of events on the wire, as they are declared (SES-EVT-2)."""


def create_configuration_set(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Make a set (SES-CFG-1)."""
    name = params["ConfigurationSetName"]
    if name in account.outbox.configuration_sets:
        raise SES.error("AlreadyExistsException", f"Configuration set <{name}> already exists.")
    delivery = params.get("DeliveryOptions", {})
    try:
        check_set_name("ConfigurationSetName", name)
        made = ConfigurationSet(
            tls=delivery.get("TlsPolicy", "OPTIONAL"),
            max_delivery_time=delivery.get("MaxDeliverySeconds"),
            suppressed_reasons=params.get("SuppressionOptions", {}).get("SuppressedReasons"),
            reputation_metrics=params.get("ReputationOptions", {}).get("ReputationMetricsEnabled", False),
        )
    except DeclarationError as error:
        raise bad(str(error)) from error
    account.outbox.configuration_sets[name] = made
    sending = params.get("SendingOptions", {}).get("SendingEnabled", True)
    account.outbox.pause_configuration_set(name, now, sending=sending)
    return {}


def delete_configuration_set(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Let a set go with its destinations (SES-SND-4)."""
    name = params["ConfigurationSetName"]
    configuration_set_of(account, name)
    del account.outbox.configuration_sets[name]
    account.outbox.reputations.pop(name, None)
    account.emails.destinations.pop(name, None)
    return {}


def list_configuration_sets(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """The names of all sets."""
    return page("ConfigurationSets", list(account.outbox.configuration_sets), params)


def put_configuration_set_sending_options(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Pause the emails of a set, or let them go on (SES-REP-3)."""
    name = params["ConfigurationSetName"]
    configuration_set_of(account, name)
    account.outbox.pause_configuration_set(name, now, sending=params.get("SendingEnabled", False))
    return {}


def create_event_destination(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Give a set another destination; it has at most 10 (SES-CFG-2)."""
    name, destination = params["ConfigurationSetName"], params["EventDestinationName"]
    known = _named(account, name)
    if destination in known:
        raise SES.error("AlreadyExistsException", f"Event destination {destination} already exists.")
    _put(account, name, {**known, destination: _made(account, params["EventDestination"])})
    return {}


def delete_event_destination(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Take a destination from a set (SES-SND-10)."""
    name, destination = params["ConfigurationSetName"], params["EventDestinationName"]
    known = _named(account, name)
    if destination not in known:
        raise SES.error("NotFoundException", f"No EventDestination found for {name}", 404)
    _put(account, name, {each: declared for each, declared in known.items() if each != destination})
    return {}


def get_event_destinations(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """The destinations of a set, in the order in which they were made."""
    wire = {declared: name for name, declared in WIRE.items()}
    return {
        "EventDestinations": [
            {
                "Name": name,
                "Enabled": declared.enabled,
                "MatchingEventTypes": [wire[each] for each in declared.types],
                "SnsDestination": {"TopicArn": account.arn("sns", declared.topic)},
            }
            for name, declared in _named(account, params["ConfigurationSetName"]).items()
        ]
    }


def _named(account: Account, name: str) -> dict[str, EventDestination]:
    """The destinations of a set by name; those that were declared without are numbered."""
    declared = configuration_set_of(account, name)
    names = account.emails.destinations.setdefault(name, [str(number) for number in range(len(declared.events))])
    return dict(zip(names, declared.events, strict=True))


def _put(account: Account, name: str, destinations: Mapping[str, EventDestination]) -> None:
    live = account.outbox
    try:
        live.configuration_sets[name] = attrs.evolve(live.configuration_sets[name], events=tuple(destinations.values()))
    except DeclarationError as error:
        raise ServiceError("LimitExceededException", str(error)) from error
    account.emails.destinations[name] = list(destinations)
    account.listen()


def _made(account: Account, given: Mapping[str, Any]) -> EventDestination:
    """A destination of what a request says.

    Raises:
        ServiceError: there is no such topic (SES-SND-10), or no such type of event.
    """
    arn = given["SnsDestination"]["TopicArn"]
    topic = account.topic_named(arn)
    if topic is None:
        raise bad(f"SNS topic <{arn}> not found.")
    if account.topics[topic].fifo:
        raise bad(f"SNS topic <{arn}> is a FIFO topic; allowed: standard topics (SES-CFG-2)")
    unknown = [each for each in given["MatchingEventTypes"] if each not in WIRE]
    if unknown or not given["MatchingEventTypes"]:
        raise bad(f"MatchingEventTypes {unknown} cannot be; allowed: one or more of {', '.join(WIRE)} (SES-EVT-2)")
    types = [WIRE[each] for each in given["MatchingEventTypes"]]
    return EventDestination(topic=topic, types=types, enabled=given.get("Enabled", False))
