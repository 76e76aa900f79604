"""SES: tenants: made, told what they send with, stopped and let go (SES-TEN-1, SES-SUP-4)."""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import attrs

from msgsim.bus.configuration_set import check_set_name
from msgsim.bus.identities import canonical
from msgsim.bus.reputation import GOOD, PAUSE
from msgsim.bus.sending_tenants import DISABLED, ENABLED, REINSTATED, STOPPED_BY, SendingTenant, TenantStanding
from msgsim.errors import DeclarationError, ServiceError, TenantDoesNotExist
from msgsim.quotas import TENANTS
from msgsim.service.account import Account
from msgsim.service.email_record import TenantRecord
from msgsim.service.ses_refusals import SES, bad, full, page

STATUSES = (ENABLED, REINSTATED, DISABLED)
RESOURCE = "RESOURCE"
"""The one type of what has a reputation: things with an ARN, of which tenants are modelled."""

KINDS: Mapping[str, str] = {
    "identity": "EMAIL_IDENTITY",
    "configuration-set": "CONFIGURATION_SET",
    "template": "EMAIL_TEMPLATE",
}
"""What a tenant sends with, by how its ARN begins (SES-TEN-1)."""

_POLICY = "arn:aws:ses:{}:aws:reputation-policy/{}"


def create_tenant(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Make a tenant, which needs an identity and a configuration set before it can send (SES-TEN-1)."""
    name, live = params["TenantName"], account.outbox
    if name in live.tenants:
        raise SES.error("AlreadyExistsException", f"Tenant {name} already exists.")
    if len(live.tenants) >= TENANTS.high:
        raise full(TENANTS)
    given = params.get("SuppressionAttributes", {})
    try:
        check_set_name("TenantName", name)
        declared = _with_suppression(SendingTenant(), given)
    except DeclarationError as error:
        raise bad(str(error)) from error
    live.add_tenant(name, declared, now)
    tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags", ())}
    account.emails.tenants[name] = TenantRecord(account.emails.tenants_made, now, tags)
    account.emails.tenants_made += 1
    return _described(account, name)


def get_tenant(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """A tenant, and whether it may send (SES-TEN-1)."""
    tenant_of(account, params["TenantName"])
    return {"Tenant": _described(account, params["TenantName"])}


def list_tenants(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """All tenants, in the order in which they were made."""
    return page("Tenants", [_summary(account, name) for name in account.outbox.tenants], params)


def delete_tenant(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Let a tenant go with its suppression list."""
    name = params["TenantName"]
    tenant_of(account, name)
    account.outbox.drop_tenant(name, now)
    account.emails.tenants.pop(name, None)
    return {}


def put_tenant_suppression_attributes(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Whose suppression list a tenant has, and for what (SES-SUP-4); what is not said is as at the beginning."""
    standing = tenant_of(account, params["TenantName"])
    try:
        fresh = attrs.evolve(standing.tenant, suppression_scope="ACCOUNT", suppressed_reasons=None)
        standing.tenant = _with_suppression(fresh, params)
    except DeclarationError as error:
        raise bad(str(error)) from error
    return {}


def create_tenant_resource_association(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Let a tenant send with an identity, a configuration set or a template (SES-TEN-1)."""
    resources, resource = _resources(account, params)
    if resource in resources:
        raise SES.error("AlreadyExistsException", f"Resource {params['ResourceArn']} is associated already.")
    resources.append(resource)
    return {}


def delete_tenant_resource_association(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Let a tenant send with it no more."""
    resources, resource = _resources(account, params)
    if resource not in resources:
        raise SES.error("NotFoundException", f"Resource {params['ResourceArn']} is not associated.", 404)
    resources.remove(resource)
    return {}


def list_tenant_resources(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """What a tenant sends with, in the order in which it was associated; nothing for a declared one (SES-TEN-1)."""
    name = params["TenantName"]
    tenant_of(account, name)
    record = account.emails.tenants.get(name)
    listed = [
        {"ResourceType": KINDS[resource.partition("/")[0]], "ResourceArn": account.arn("ses", resource)}
        for resource in (() if record is None else record.resources)
    ]
    return page("TenantResources", listed, params)


def get_reputation_entity(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """How a tenant is judged, and whether it may send for that (SES-TEN-1)."""
    name, standing = _entity(account, params)
    entity: dict[str, Any] = {
        "ReputationEntityReference": _arn(account, name),
        "ReputationEntityType": RESOURCE,
        "ReputationManagementPolicy": _POLICY.format(account.region, standing.tenant.policy.lower()),
        "SendingStatusAggregate": standing.status,
    }
    finding = standing.reputation.finding
    if finding > GOOD:
        entity["ReputationImpact"] = "HIGH" if finding >= PAUSE else "LOW"
    return {"ReputationEntity": entity}


def update_reputation_entity_customer_managed_status(
    account: Account, params: Mapping[str, Any], now: float
) -> dict[str, Any]:
    """Stop a tenant, or let it send again, though its rates would stop it (SES-TEN-1).

    To be enabled and reinstated are one request: which of both it is then follows from the rates.
    """
    standing = _entity(account, params)[1]
    status = params["SendingStatus"]
    if status not in STATUSES:
        raise bad(f"SendingStatus {status} is not allowed; allowed: {', '.join(STATUSES)} (SES-TEN-1)")
    (standing.disable if status == DISABLED else standing.enable)(max(now, standing.now))
    return {}


def update_reputation_entity_policy(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """What stops a tenant from now on: the next email, bounce or complaint is judged by it (SES-TEN-1)."""
    standing = _entity(account, params)[1]
    policies = {_POLICY.format(account.region, each.lower()): each for each in STOPPED_BY}
    given = params["ReputationEntityPolicy"]
    if given not in policies:
        raise bad(f"ReputationEntityPolicy {given} is not allowed; allowed: {', '.join(policies)} (SES-TEN-1)")
    standing.tenant = attrs.evolve(standing.tenant, policy=policies[given])
    return {}


def tenant_of(account: Account, name: str) -> TenantStanding:
    """The tenant of a name.

    Raises:
        TenantDoesNotExist: there is none (SES-SND-4).
    """
    if name not in account.outbox.tenants:
        raise TenantDoesNotExist(f"Tenant {name} does not exist.")
    return account.outbox.tenants[name]


def check_ready(account: Account, name: str) -> None:
    """Refuse a tenant that is not there, or has nothing to send with; declared ones have what they need.

    Raises:
        TenantDoesNotExist: there is none (SES-SND-4).
        ServiceError: no identity or no configuration set is associated (SES-TEN-1); its words are unpublished.
    """
    tenant_of(account, name)
    record = account.emails.tenants.get(name)
    if record is not None and record.lacks is not None:
        raise bad(f"Tenant {name} has no associated resource of type {record.lacks} (SES-TEN-1)")


def _with_suppression(tenant: SendingTenant, given: Mapping[str, Any]) -> SendingTenant:
    names = {"SuppressionScope": "suppression_scope", "SuppressedReasons": "suppressed_reasons"}
    return attrs.evolve(tenant, **{field: given[name] for name, field in names.items() if name in given})


def _resources(account: Account, params: Mapping[str, Any]) -> tuple[list[str], str]:
    """What a tenant sends with, and the name of the thing that a request is about.

    Raises:
        ServiceError: there is no such thing, or the tenant was declared and so is not told what it sends with.
    """
    name, arn = params["TenantName"], params["ResourceArn"]
    tenant_of(account, name)
    if name not in account.emails.tenants:
        raise bad(f"Tenant {name} was declared with the outbox; it sends with all that the account has.")
    resource = arn.removeprefix(account.arn("ses", ""))
    kind, _, rest = resource.partition("/")
    there = {
        "identity": lambda: rest in account.outbox.identities,
        "configuration-set": lambda: rest in account.outbox.configuration_sets,
        "template": lambda: rest in account.emails.templates,
    }
    if resource == arn or kind not in there or not there[kind]():
        raise _no_resource(arn)
    if kind == "identity":
        resource = f"{kind}/{canonical(rest)}"  # one identity however it is written (SES-IDN-1)
    return account.emails.tenants[name].resources, resource


def _no_resource(arn: str) -> ServiceError:
    return SES.error("NotFoundException", f"Resource {arn} does not exist.", 404)


def _entity(account: Account, params: Mapping[str, Any]) -> tuple[str, TenantStanding]:
    """The tenant that a request about a reputation means.

    Raises:
        ServiceError: another type, or there is no such tenant.
    """
    if params["ReputationEntityType"] != RESOURCE:
        raise bad(f"ReputationEntityType {params['ReputationEntityType']} is not allowed; allowed: {RESOURCE}")
    arn = params["ReputationEntityReference"]
    for name, standing in account.outbox.tenants.items():
        if _arn(account, name) == arn:
            return name, standing
    raise _no_resource(arn)


def _id(account: Account, name: str) -> str:
    record = account.emails.tenants.get(name)
    seed = f"{account.arn('ses', name)} {'declared' if record is None else record.number}"
    return f"tn-{blake2b(seed.encode(), digest_size=14).hexdigest()}"


def _arn(account: Account, name: str) -> str:
    return account.arn("ses", f"tenant/{name}/{_id(account, name)}")


def _summary(account: Account, name: str) -> dict[str, Any]:
    record = account.emails.tenants.get(name)
    created_at = 0.0 if record is None else record.created_at
    return {
        "TenantName": name,
        "TenantId": _id(account, name),
        "TenantArn": _arn(account, name),
        "CreatedTimestamp": account.epoch + created_at,
        "SendingStatus": account.outbox.tenants[name].status,
    }


def _described(account: Account, name: str) -> dict[str, Any]:
    declared, record = account.outbox.tenants[name].tenant, account.emails.tenants.get(name)
    suppression: dict[str, Any] = {"SuppressionScope": declared.suppression_scope}
    if declared.suppressed_reasons is not None:
        suppression["SuppressedReasons"] = list(declared.suppressed_reasons)
    tags = {} if record is None else record.tags
    return {
        **_summary(account, name),
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        "SuppressionAttributes": suppression,
    }
