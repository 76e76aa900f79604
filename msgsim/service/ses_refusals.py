"""How SES (version 2) refuses: its codes, and the things that a request is about."""

from collections.abc import Mapping
from typing import Any, TypeVar

from msgsim.bus.configuration_set import ConfigurationSet
from msgsim.bus.email_templates import EmailTemplate
from msgsim.bus.identities import Identity
from msgsim.errors import (
    AccountSuspended,
    ConfigurationSetDoesNotExist,
    ConfigurationSetPaused,
    InvalidParameterValue,
    MailFromDomainNotVerified,
    SendingPaused,
    ServiceError,
    TemplateDoesNotExist,
    TenantDoesNotExist,
    Throttled,
)
from msgsim.quotas import Quota
from msgsim.service.account import Account
from msgsim.service.operation import Service
from msgsim.service.parameters import Missing

SES = Service(
    missing=Missing("BadRequestException", "The request must contain the parameter {}."),
    codes={
        AccountSuspended: ("AccountSuspendedException", 400),
        ConfigurationSetDoesNotExist: ("NotFoundException", 404),
        ConfigurationSetPaused: ("SendingPausedException", 400),
        InvalidParameterValue: ("BadRequestException", 400),
        MailFromDomainNotVerified: ("MailFromDomainNotVerifiedException", 400),
        SendingPaused: ("SendingPausedException", 400),
        TemplateDoesNotExist: ("NotFoundException", 404),
        TenantDoesNotExist: ("NotFoundException", 404),
        Throttled: ("TooManyRequestsException", 429),
    },
)
"""How SES answers; its refusals (SES-QUO-5, SES-SND-4)."""

PAGE = 1_000
"""How many things a list has on one page unless the request says (unpublished)."""

Thing = TypeVar("Thing")


def bad(text: str) -> ServiceError:
    """A request that cannot be."""
    return SES.error("BadRequestException", text)


def full(limit: Quota) -> ServiceError:
    """There are as many things of a kind as there may be (SES-QUO-8)."""
    return SES.error("LimitExceededException", f"There are {limit.high:.0f} {limit.unit} already")


def configuration_set_of(account: Account, name: str) -> ConfigurationSet:
    """The configuration set of a name.

    Raises:
        ConfigurationSetDoesNotExist: there is none (SES-SND-4).
    """
    sets = account.outbox.configuration_sets
    if name not in sets:
        raise ConfigurationSetDoesNotExist(f"Configuration set <{name}> does not exist.")
    return sets[name]


def template_of(account: Account, name: str) -> EmailTemplate:
    """The template of a name.

    Raises:
        TemplateDoesNotExist: there is none (SES-SND-4).
    """
    templates = account.emails.templates
    if name not in templates:
        raise TemplateDoesNotExist(f"Template {name} does not exist.")
    return templates[name].template


def identity_of(account: Account, written: str) -> Identity:
    """The identity of a name, which may be its ARN.

    Raises:
        ServiceError: there is none (SES-IDN-1).
    """
    name, known = identity_name(account, written), account.outbox.identities
    try:
        return known[name]
    except InvalidParameterValue as error:
        raise SES.error("NotFoundException", f"Email identity {name} does not exist.", 404) from error


def identity_name(account: Account, written: str) -> str:
    """The name of an identity that is given by its name or its ARN."""
    return written.removeprefix(account.arn("ses", "identity/"))


def page(key: str, things: list[Any], params: Mapping[str, Any], *, size_name: str = "PageSize") -> dict[str, Any]:
    """One page of a list, and the token of the next one if there is more.

    Args:
        key: what the answer calls the list.
        things: all of it.
        params: of the request.
        size_name: what the request calls the size of a page, for refusals.

    Raises:
        ServiceError: a size that is not positive, or a token that was never given.
    """
    size = params.get("PageSize", PAGE)
    if not 1 <= size <= PAGE:
        raise bad(f"{size_name} is {size}; allowed: 1 to {PAGE}")
    token = params.get("NextToken", "0")
    is_place = token.isascii() and token.isdigit() and len(token) <= len(str(len(things)))
    if not is_place or int(token) > len(things):
        raise bad(f"NextToken {token!r} is of no page of this list")
    start = int(token)
    answer: dict[str, Any] = {key: things[start : start + size]}
    if start + size < len(things):
        answer["NextToken"] = str(start + size)
    return answer
