"""SES: configuration sets and their event destinations, which are topics of the account (SES-CFG-1, SES-CFG-2)."""

from collections.abc import Mapping
from typing import Any

import attrs

from msgsim.bus.configuration_set import ConfigurationSet, check_set_name
from msgsim.bus.event_destinations import KINDS, EventDestination
from msgsim.errors import DeclarationError, ServiceError
from msgsim.quotas import CONFIGURATION_SETS
from msgsim.service.account import Account
from msgsim.service.ses_refusals import SES, bad, configuration_set_of, full, page

WIRE: Mapping[str, str] = {each.upper().replace("-", "_"): each for each in KINDS}
"""Types of events on the wire, as they are declared (SES-EVT-2)."""


def create_configuration_set(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Make a set (SES-CFG-1)."""
    name, sets = params["ConfigurationSetName"], account.outbox.configuration_sets
    if name in sets:
        raise SES.error("AlreadyExistsException", f"Configuration set <{name}> already exists.")
    if len(sets) >= CONFIGURATION_SETS.high:
        raise full(CONFIGURATION_SETS)
    try:
        check_set_name("ConfigurationSetName", name)
        made = ConfigurationSet(
            **_delivery(account, params.get("DeliveryOptions", {})),
            suppressed_reasons=params.get("SuppressionOptions", {}).get("SuppressedReasons"),
            reputation_metrics=params.get("ReputationOptions", {}).get("ReputationMetricsEnabled", False),
        )
    except DeclarationError as error:
        raise bad(str(error)) from error
    sets[name] = made
    sending = params.get("SendingOptions", {}).get("SendingEnabled", True)
    account.outbox.pause_configuration_set(name, now, sending=sending)
    return {}


def get_configuration_set(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """What a set bundles (SES-CFG-1)."""
    name = params["ConfigurationSetName"]
    declared = configuration_set_of(account, name)
    delivery: dict[str, Any] = {"TlsPolicy": declared.tls}
    if declared.pool is not None:
        delivery["SendingPoolName"] = declared.pool
    if declared.max_delivery_time is not None:
        delivery["MaxDeliverySeconds"] = int(declared.max_delivery_time)
    reputation: dict[str, Any] = {"ReputationMetricsEnabled": declared.reputation_metrics}
    if name in account.emails.fresh_starts:
        reputation["LastFreshStart"] = account.epoch + account.emails.fresh_starts[name]
    answer: dict[str, Any] = {
        "ConfigurationSetName": name,
        "DeliveryOptions": delivery,
        "ReputationOptions": reputation,
        "SendingOptions": {"SendingEnabled": account.outbox.is_sending(name)},
        "Tags": [],
    }
    if declared.suppressed_reasons is not None:
        answer["SuppressionOptions"] = {"SuppressedReasons": list(declared.suppressed_reasons)}
    return answer


def delete_configuration_set(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Let a set go with its destinations (SES-SND-4)."""
    name = params["ConfigurationSetName"]
    configuration_set_of(account, name)
    del account.outbox.configuration_sets[name]
    account.outbox.reputations.pop(name, None)
    account.emails.destinations.pop(name, None)
    account.emails.fresh_starts.pop(name, None)
    account.emails.forget(f"configuration-set/{name}")
    return {}


def list_configuration_sets(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """The names of all sets."""
    return page("ConfigurationSets", list(account.outbox.configuration_sets), params)


def put_configuration_set_sending_options(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Pause the emails of a set, or let them go on (SES-REP-3)."""
    pause_or_resume(account, params["ConfigurationSetName"], now, sending=params.get("SendingEnabled", False))
    return {}


def pause_or_resume(account: Account, name: str, now: float, *, sending: bool) -> None:
    """Pause the emails of a set, or let them go on, which begins its rates anew (SES-REP-3)."""
    configuration_set_of(account, name)
    live = account.outbox
    if sending and not live.is_sending(name):
        live.reputations.pop(name, None)
        account.emails.fresh_starts[name] = now
    live.pause_configuration_set(name, now, sending=sending)


def put_configuration_set_delivery_options(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """How emails of a set leave, and for how long it is tried; what is not said is as usual (SES-CFG-1)."""
    configuration_set_of(account, params["ConfigurationSetName"])
    return _change(account, params, **_delivery(account, params))


def put_configuration_set_suppression_options(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Which entries of the suppression list count for emails of a set; none of them switches it off (SES-SUP-2)."""
    return _change(account, params, suppressed_reasons=params.get("SuppressedReasons", ()))


def put_configuration_set_reputation_options(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Whether a set has rates of its own; without, they are forgotten (CW-SES-2)."""
    kept = params.get("ReputationMetricsEnabled", False)
    answer = _change(account, params, reputation_metrics=kept)
    if not kept:
        account.outbox.reputations.pop(params["ConfigurationSetName"], None)
    return answer


def create_event_destination(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Give a set another destination; it has at most 10 (SES-CFG-2)."""
    name, destination = params["ConfigurationSetName"], params["EventDestinationName"]
    known = named_destinations(account, name)
    if destination in known:
        raise SES.error("AlreadyExistsException", f"Event destination {destination} already exists.")
    put_destinations(account, name, {**known, destination: _made(account, params["EventDestination"])})
    return {}


def update_event_destination(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Let a destination get other events, or get them elsewhere (SES-SND-10)."""
    name, destination = params["ConfigurationSetName"], params["EventDestinationName"]
    known = named_destinations(account, name)
    if destination not in known:
        raise no_destination(name)
    put_destinations(account, name, {**known, destination: _made(account, params["EventDestination"])})
    return {}


def delete_event_destination(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Take a destination from a set (SES-SND-10)."""
    name, destination = params["ConfigurationSetName"], params["EventDestinationName"]
    known = named_destinations(account, name)
    if destination not in known:
        raise no_destination(name)
    put_destinations(account, name, {each: declared for each, declared in known.items() if each != destination})
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
            for name, declared in named_destinations(account, params["ConfigurationSetName"]).items()
        ]
    }


def no_destination(name: str) -> ServiceError:
    """A set has no destination of that name (SES-SND-10)."""
    return SES.error("NotFoundException", f"No EventDestination found for {name}", 404)


def _delivery(account: Account, given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a set that options of delivery make.

    Raises:
        ServiceError: there is no such pool.
    """
    pool = given.get("SendingPoolName") or None
    if pool is not None and pool not in account.outbox.pools:
        raise SES.error("NotFoundException", f"Dedicated IP pool {pool} does not exist.", 404)
    return {
        "tls": given.get("TlsPolicy", "OPTIONAL"),
        "max_delivery_time": given.get("MaxDeliverySeconds"),
        "pool": pool,
    }


def _change(account: Account, params: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """Change fields of a set, for the emails that are sent from now on.

    Raises:
        ConfigurationSetDoesNotExist: there is none (SES-SND-4).
        ServiceError: a value that cannot be.
    """
    name = params["ConfigurationSetName"]
    declared = configuration_set_of(account, name)
    try:
        account.outbox.configuration_sets[name] = attrs.evolve(declared, **fields)
    except DeclarationError as error:
        raise bad(str(error)) from error
    return {}


def named_destinations(account: Account, name: str) -> dict[str, EventDestination]:
    """The destinations of a set by name; those that were declared without are numbered."""
    declared = configuration_set_of(account, name)
    names = account.emails.destinations.setdefault(name, [str(number) for number in range(len(declared.events))])
    return dict(zip(names, declared.events, strict=True))


def put_destinations(account: Account, name: str, destinations: Mapping[str, EventDestination]) -> None:
    """Give a set these destinations.

    Raises:
        ServiceError: they are more than 10 (SES-CFG-2).
    """
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
    types = [WIRE[each] for each in dict.fromkeys(given["MatchingEventTypes"])]  # twice is once
    return EventDestination(topic=topic, types=types, enabled=given.get("Enabled", False))
