"""SES: the suppression list of an account, or of a tenant that has its own (SES-SUP-1, SES-SUP-4, SES-SUP-5)."""

from collections.abc import Mapping
from typing import Any

from msgsim.bus.suppression import REASONS, SuppressedDestination, check_reason
from msgsim.errors import ServiceError, UnknownName
from msgsim.service.account import Account
from msgsim.service.ses_refusals import SES, page
from msgsim.service.ses_tenants import tenant_of


def put_suppressed_destination(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Put an address on the list; the sandbox has no way to (SES-SUP-5)."""
    account.outbox.suppress(params["EmailAddress"], params["Reason"], now, tenant=_tenant(account, params))
    return {}


def delete_suppressed_destination(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Take an address off the list (SES-SUP-5)."""
    tenant = _tenant(account, params)
    try:
        account.outbox.unsuppress(params["EmailAddress"], now, tenant=tenant)
    except UnknownName as error:
        raise _not_listed(params["EmailAddress"]) from error
    return {}


def get_suppressed_destination(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Why an address is on the list, and since when (SES-SUP-5)."""
    tenant = _tenant(account, params)
    try:
        entry = account.outbox.suppressed_destination(params["EmailAddress"], now, tenant=tenant)
    except UnknownName as error:
        raise _not_listed(params["EmailAddress"]) from error
    whose = {} if tenant is None else {"TenantName": tenant}
    return {"SuppressedDestination": {**_described(account, entry), **whose}}


def list_suppressed_destinations(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """What is on the list, in the order in which it came there (SES-SUP-5)."""
    reasons = _reasons(params.get("Reasons", REASONS))
    entries = account.outbox.suppressed_destinations(now, tenant=_tenant(account, params))
    listed = [each for each in entries if each.reason in reasons]
    return page("SuppressedDestinationSummaries", [_described(account, each) for each in listed], params)


def put_account_suppression_attributes(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """For which reasons addresses come on the list and are not sent to; none switches it off (SES-SUP-1)."""
    account.outbox.suppressed_reasons = _reasons(params.get("SuppressedReasons", ()))
    account.outbox.look()
    return {}


def _tenant(account: Account, params: Mapping[str, Any]) -> str | None:
    """Whose list a request is about; None for the account's.

    Raises:
        TenantDoesNotExist: there is no such tenant (SES-SND-4).
    """
    name: str | None = params.get("TenantName")
    if name is not None:
        tenant_of(account, name)
    return name


def _reasons(given: Any) -> tuple[str, ...]:
    for reason in given:
        check_reason(reason)
    return tuple(given)


def _described(account: Account, entry: SuppressedDestination) -> dict[str, Any]:
    return {
        "EmailAddress": entry.address,
        "Reason": entry.reason,
        "LastUpdateTime": account.epoch + entry.since,
    }


def _not_listed(address: str) -> ServiceError:
    return SES.error("NotFoundException", f"Email address {address} does not exist on your suppression list.", 404)
