"""How SES (version 1) refuses: its codes on the wire, which are not those of version 2 (GEN-3, SES-SND-4)."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgsim.bus.identities import Identity
from msgsim.errors import (
    ConfigurationSetPaused,
    InvalidParameterValue,
    MailFromDomainNotVerified,
    SendingPaused,
    ServiceError,
    TenantDoesNotExist,
    Throttled,
)
from msgsim.service.account import Account
from msgsim.service.operation import Operation, Perform, Service
from msgsim.service.parameters import Missing, Structure
from msgsim.service.ses_refusals import identity_name, page

_LONGER = (
    "AlreadyExists",
    "ConfigurationSetAlreadyExists",
    "ConfigurationSetDoesNotExist",
    "EventDestinationAlreadyExists",
    "EventDestinationDoesNotExist",
    "InvalidConfigurationSet",
    "InvalidRenderingParameter",
    "InvalidSNSDestination",
    "InvalidTemplate",
    "LimitExceeded",
    "MissingRenderingAttribute",
    "TemplateDoesNotExist",
)
"""Codes of errors whose names in the model end in "Exception"."""

SES_V1 = Service(
    missing=Missing(
        "ValidationError",
        "1 validation error detected: Value null at '{}' failed to satisfy constraint: Member must not be null",
    ),
    codes={
        ConfigurationSetPaused: ("ConfigurationSetSendingPausedException", 400),
        MailFromDomainNotVerified: ("MailFromDomainNotVerifiedException", 400),
        SendingPaused: ("AccountSendingPausedException", 400),
        TenantDoesNotExist: ("InvalidParameterValue", 400),
        Throttled: ("Throttling", 400),
    },
    shapes={code: f"{code}Exception" for code in _LONGER},
)
"""How version 1 answers; its refusals (SES-QUO-5, SES-SND-4). Others go by their own names."""

CODES: Mapping[str, str] = {
    "AlreadyExistsException": "AlreadyExists",
    "BadRequestException": "InvalidParameterValue",
    "LimitExceededException": "LimitExceeded",
    "NotFoundException": "InvalidParameterValue",
}
"""What version 1 calls the refusals that both versions have, unless an operation has another word."""


def older(
    perform: Perform, parameters: Structure | None = None, *, codes: Mapping[str, str] | None = None
) -> Operation:
    """An operation of version 1.

    Args:
        perform: what it does; a refusal of version 2 in it is told in the words of version 1.
        parameters: what it takes; None for nothing.
        codes: what this operation calls refusals of version 2, where that is not as usual.
    """
    words = {**CODES, **(codes or {})}

    def performed(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
        try:
            return perform(account, params, now)
        except ServiceError as error:
            raise SES_V1.error(words.get(error.code, error.code), error.message) from error

    return Operation(SES_V1, performed, parameters or Structure({}))


def identity_v1(account: Account, written: str, now: float) -> Identity:
    """The identity of a name or an ARN, as of now.

    Raises:
        InvalidParameterValue: there is none (SES-IDN-1).
    """
    name, known = identity_name(account, written), account.outbox.identities
    known.advance(now)
    try:
        return known[name]
    except InvalidParameterValue as error:
        raise InvalidParameterValue(f"Identity '{name}' does not exist.") from error


def page_v1(key: str, things: Sequence[Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """One page of a list; see `page`."""
    sized = {"PageSize": params["MaxItems"]} if "MaxItems" in params else {}
    return page(key, list(things), {**params, **sized}, size_name="MaxItems")
