"""SES (version 1): configuration sets, their event destinations, and templates, which both versions share."""

from collections.abc import Mapping
from typing import Any

from msgsim.errors import InvalidParameterValue, ServiceError
from msgsim.service.account import Account
from msgsim.service.ses_contents import data_of
from msgsim.service.ses_refusals import bad, configuration_set_of
from msgsim.service.ses_sets import (
    create_configuration_set,
    create_event_destination,
    get_event_destinations,
    pause_or_resume,
    put_configuration_set_reputation_options,
    update_event_destination,
)
from msgsim.service.ses_templates import (
    create_email_template,
    get_email_template,
    test_render_email_template,
    update_email_template,
)
from msgsim.service.ses_v1_refusals import SES_V1, page_v1

TYPES: Mapping[str, str] = {
    "send": "SEND",
    "reject": "REJECT",
    "bounce": "BOUNCE",
    "complaint": "COMPLAINT",
    "delivery": "DELIVERY",
    "open": "OPEN",
    "click": "CLICK",
    "renderingFailure": "RENDERING_FAILURE",
}
"""Types of events as version 1 calls them, which has not all (SES-EVT-2)."""

_PARTS: Mapping[str, str] = {"SubjectPart": "Subject", "TextPart": "Text", "HtmlPart": "Html"}
"""Parts of a template, as version 2 calls them."""


def create_set(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Make a set with the usual options (SES-CFG-1)."""
    return create_configuration_set(account, {"ConfigurationSetName": params["ConfigurationSet"]["Name"]}, now)


def list_sets(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """The names of all sets."""
    return page_v1("ConfigurationSets", [{"Name": name} for name in account.outbox.configuration_sets], params)


def describe_set(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """A set, and of its options those that are asked for (SES-CFG-1)."""
    name = params["ConfigurationSetName"]
    declared, wanted = configuration_set_of(account, name), params.get("ConfigurationSetAttributeNames", ())
    known = ("eventDestinations", "trackingOptions", "deliveryOptions", "reputationOptions")
    for each in wanted:
        if each not in known:
            raise bad(f"ConfigurationSetAttributeNames {each} is not allowed; allowed: {', '.join(known)}")
    answer: dict[str, Any] = {"ConfigurationSet": {"Name": name}}
    if "eventDestinations" in wanted:
        listed = get_event_destinations(account, params, now)["EventDestinations"]
        answer["EventDestinations"] = [_described(each) for each in listed]
    if "deliveryOptions" in wanted:
        answer["DeliveryOptions"] = {"TlsPolicy": declared.tls.capitalize()}
    if "reputationOptions" in wanted:
        answer["ReputationOptions"] = {
            "SendingEnabled": account.outbox.is_sending(name),
            "ReputationMetricsEnabled": declared.reputation_metrics,
        }
        if name in account.emails.fresh_starts:
            answer["ReputationOptions"]["LastFreshStart"] = account.epoch + account.emails.fresh_starts[name]
    return answer


def update_set_sending_enabled(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Pause the emails of a set, or let them go on (SES-REP-3)."""
    pause_or_resume(account, params["ConfigurationSetName"], now, sending=params["Enabled"])
    return {}


def update_set_reputation_metrics_enabled(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Whether a set has rates of its own (CW-SES-2)."""
    wanted = {"ReputationMetricsEnabled": params["Enabled"]}
    return put_configuration_set_reputation_options(account, {**params, **wanted}, now)


def create_destination(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Give a set another destination; it has at most 10 (SES-CFG-2, SES-SND-10)."""
    return create_event_destination(account, _destination(params), now)


def update_destination(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Let a destination get other events, or get them elsewhere (SES-SND-10)."""
    return update_event_destination(account, _destination(params), now)


def create_template(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Store a template; the account has at most 20,000 (SES-QUO-8)."""
    return create_email_template(account, _template(params["Template"]), now)


def update_template(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Give a template other texts; emails that were accepted before keep theirs."""
    return update_email_template(account, _template(params["Template"]), now)


def get_template(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """A template as it was stored."""
    content = get_email_template(account, params, now)["TemplateContent"]
    parts = {part: content[name] for part, name in _PARTS.items() if name in content}
    return {"Template": {"TemplateName": params["TemplateName"], **parts}}


def delete_template(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Let a template go; one that is not there is no error."""
    account.emails.templates.pop(params["TemplateName"], None)
    return {}


def list_templates(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """All templates, in the order in which they were stored."""
    listed = [
        {"Name": name, "CreatedTimestamp": account.epoch + stored.created_at}
        for name, stored in account.emails.templates.items()
    ]
    return page_v1("TemplatesMetadata", listed, params)


def test_render_template(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """The message that a template and data make; data that are missing are an error at once (SES-SND-6)."""
    try:
        data_of(params["TemplateData"])
    except ServiceError as error:
        raise SES_V1.error("InvalidRenderingParameter", error.message) from error
    return test_render_email_template(account, params, now)


def _template(given: Mapping[str, str]) -> dict[str, Any]:
    content = {name: given[part] for part, name in _PARTS.items() if part in given}
    return {"TemplateName": given["TemplateName"], "TemplateContent": content}


def _destination(params: Mapping[str, Any]) -> dict[str, Any]:
    """A request about a destination as version 2 has it.

    Raises:
        InvalidParameterValue: a type of events that there is none of, or no type at all.
    """
    given = params["EventDestination"]
    unknown = [each for each in given["MatchingEventTypes"] if each not in TYPES]
    if unknown or not given["MatchingEventTypes"]:
        allowed = f"allowed: one or more of {', '.join(TYPES)} (SES-EVT-2)"
        raise InvalidParameterValue(f"MatchingEventTypes {unknown} cannot be; {allowed}")
    made = {
        "Enabled": given.get("Enabled", False),
        "MatchingEventTypes": [TYPES[each] for each in given["MatchingEventTypes"]],
        "SnsDestination": {"TopicArn": given["SNSDestination"]["TopicARN"]},
    }
    return {
        "ConfigurationSetName": params["ConfigurationSetName"],
        "EventDestinationName": given["Name"],
        "EventDestination": made,
    }


def _described(destination: Mapping[str, Any]) -> dict[str, Any]:
    """A destination as version 1 has it; it does not tell types that it has not."""
    words = {written: word for word, written in TYPES.items()}
    return {
        "Name": destination["Name"],
        "Enabled": destination["Enabled"],
        "MatchingEventTypes": [words[each] for each in destination["MatchingEventTypes"] if each in words],
        "SNSDestination": {"TopicARN": destination["SnsDestination"]["TopicArn"]},
    }
