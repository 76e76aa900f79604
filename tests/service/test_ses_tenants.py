"""SES: tenants: made, told what they send with, judged, stopped and let go."""

import random
from typing import Any

import pytest

from msgsim.bus.emails import Email
from msgsim.bus.outbox import Outbox, SendingAccount
from msgsim.bus.receivers import Receiver
from msgsim.bus.sending_tenants import SendingTenant
from msgsim.quotas import TENANTS
from tests.service.emails import Emails

IDENTITY = "arn:aws:ses:us-east-1:123456789012:identity/shop.org"
SET = "arn:aws:ses:us-east-1:123456789012:configuration-set/news"
POLICY = "arn:aws:ses:us-east-1:aws:reputation-policy"
SHOP = {"FromEmailAddress": "ann@shop.org", "TenantName": "acme"}


def ready(**outbox: Any) -> Emails:
    """An account with a tenant that may send."""
    client = Emails(verified=["shop.org"], **outbox)
    client("CreateConfigurationSet", ConfigurationSetName="news")
    client("CreateTenant", TenantName="acme")
    for arn in (IDENTITY, SET):
        client("CreateTenantResourceAssociation", TenantName="acme", ResourceArn=arn)
    return client


def entity(client: Emails, now: float = 0) -> dict[str, str]:
    arn = client("GetTenant", now, TenantName="acme")["Tenant"]["TenantArn"]
    return {"ReputationEntityType": "RESOURCE", "ReputationEntityReference": arn}


@pytest.mark.rule("SES-TEN-1")
def test_a_tenant_is_made_described_and_listed() -> None:
    client = Emails(epoch=1_000, tenants={"old": SendingTenant()})
    tags = [{"Key": "k", "Value": "v"}]
    reasons = {"SuppressedReasons": ["BOUNCE"], "SuppressionScope": "TENANT"}
    answer = client("CreateTenant", 7, TenantName="acme", Tags=tags, SuppressionAttributes=reasons)
    assert answer == {
        "TenantName": "acme",
        "TenantId": answer["TenantId"],
        "TenantArn": f"arn:aws:ses:us-east-1:123456789012:tenant/acme/{answer['TenantId']}",
        "CreatedTimestamp": 1_007,
        "Tags": tags,
        "SendingStatus": "ENABLED",
        "SuppressionAttributes": reasons,
    }
    assert client("GetTenant", 8, TenantName="acme") == {"Tenant": answer}
    first = client("ListTenants", 8, PageSize=1)
    (second,) = client("ListTenants", 8, NextToken=first["NextToken"])["Tenants"]
    assert [first["Tenants"][0]["TenantName"], second["TenantName"]] == ["old", "acme"]
    old = client("GetTenant", 8, TenantName="old")["Tenant"]
    assert (old["CreatedTimestamp"], old["SuppressionAttributes"]) == (1_000, {"SuppressionScope": "ACCOUNT"})


@pytest.mark.rule("SES-TEN-1")
@pytest.mark.rule("SES-QUO-8")
def test_tenants_that_cannot_be() -> None:
    client = Emails()
    client("CreateTenant", TenantName="acme")
    again = client.refusal("CreateTenant", TenantName="acme")
    assert again == ("AlreadyExistsException", "Tenant acme already exists.", 400)
    for name in ("", "a b", "x" * 65):
        assert client.refusal("CreateTenant", TenantName=name)[0] == "BadRequestException"
    for given in ({"SuppressionScope": "ALL"}, {"SuppressedReasons": ["SPAM"]}):
        for operation, params in (("CreateTenant", {"SuppressionAttributes": given}), ("Put", given)):
            name = "b" if operation == "CreateTenant" else "acme"
            request = {"Put": "PutTenantSuppressionAttributes"}.get(operation, operation)
            code, message, _ = client.refusal(request, TenantName=name, **params)
            assert (code, "allowed: " in message) == ("BadRequestException", True)
    known = client.account.outbox.tenants
    known.update({str(number): known["acme"] for number in range(int(TENANTS.high) - 1)})
    refusal = client.refusal("CreateTenant", TenantName="more")
    assert refusal == ("LimitExceededException", "There are 10000 tenants already", 400)


@pytest.mark.rule("SES-TEN-1")
@pytest.mark.rule("SES-SND-4")
def test_a_tenant_needs_an_identity_and_a_set_to_send() -> None:
    client = Emails(verified=["shop.org"])
    client("CreateConfigurationSet", ConfigurationSetName="news")
    client("CreateTenant", TenantName="acme")
    lacking = "Tenant acme has no associated resource of type {} (SES-TEN-1)"
    assert client.refused(**SHOP)[:2] == ("BadRequestException", lacking.format("identity"))
    associated = {"TenantName": "acme", "ResourceArn": IDENTITY}
    client("CreateTenantResourceAssociation", **associated)
    assert client.refused(**SHOP)[1] == lacking.format("configuration-set")
    client("CreateTenantResourceAssociation", TenantName="acme", ResourceArn=SET)
    client.send(**SHOP)
    again = client.refusal("CreateTenantResourceAssociation", **associated)
    assert again[:2] == ("AlreadyExistsException", f"Resource {IDENTITY} is associated already.")
    client("DeleteTenantResourceAssociation", **associated)
    assert client.refused(**SHOP)[1] == lacking.format("identity")
    again = client.refusal("DeleteTenantResourceAssociation", **associated)
    assert again == ("NotFoundException", f"Resource {IDENTITY} is not associated.", 404)


@pytest.mark.rule("SES-TEN-1")
@pytest.mark.parametrize(
    ("operation", "name", "lacks"),
    [("DeleteEmailIdentity", "shop.org", "identity"), ("DeleteConfigurationSet", "news", "configuration-set")],
)
def test_what_is_deleted_is_no_tenants_any_more(operation: str, name: str, lacks: str) -> None:
    client = ready()
    client(operation, **{"EmailIdentity" if lacks == "identity" else "ConfigurationSetName": name})
    client("CreateEmailIdentity", EmailIdentity="bob@shop.org")
    assert lacks in client.refused(**SHOP)[1]


@pytest.mark.parametrize(
    "arn", ["shop.org", IDENTITY + "x", SET + "x", SET.replace("set", "sets"), "arn:aws:ses:::x/y"]
)
def test_a_tenant_sends_with_what_is_there(arn: str) -> None:
    client = ready()
    client("CreateEmailTemplate", TemplateName="t", TemplateContent={"Text": "x"})
    template = "arn:aws:ses:us-east-1:123456789012:template/t"
    client("CreateTenantResourceAssociation", TenantName="acme", ResourceArn=template)
    refusal = client.refusal("CreateTenantResourceAssociation", TenantName="acme", ResourceArn=arn)
    assert refusal == ("NotFoundException", f"Resource {arn} does not exist.", 404)


def test_a_declared_tenant_sends_with_all() -> None:
    client = Emails(verified=["shop.org"], tenants={"acme": SendingTenant()})
    client.send(**SHOP)
    code, message, _ = client.refusal("CreateTenantResourceAssociation", TenantName="acme", ResourceArn=IDENTITY)
    assert (code, "was declared" in message) == ("BadRequestException", True)


@pytest.mark.rule("SES-SND-4")
@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("GetTenant", {}),
        ("DeleteTenant", {}),
        ("PutTenantSuppressionAttributes", {}),
        ("CreateTenantResourceAssociation", {"ResourceArn": IDENTITY}),
        ("DeleteTenantResourceAssociation", {"ResourceArn": IDENTITY}),
    ],
)
def test_a_tenant_that_is_not_there_is_not_found(operation: str, params: dict[str, str]) -> None:
    refusal = Emails().refusal(operation, TenantName="x", **params)
    assert refusal == ("NotFoundException", "Tenant x does not exist.", 404)


@pytest.mark.rule("SES-TEN-1")
def test_a_tenant_is_stopped_and_others_are_not() -> None:
    client = ready()
    stop = {**entity(client), "SendingStatus": "DISABLED"}
    client("UpdateReputationEntityCustomerManagedStatus", 1, **stop)
    assert client("GetTenant", 1, TenantName="acme")["Tenant"]["SendingStatus"] == "DISABLED"
    refusal = client.refused(1, **SHOP)
    assert refusal == ("SendingPausedException", "Email sending is paused for the tenant acme", 400)
    client.send(1, FromEmailAddress="ann@shop.org")
    client("UpdateReputationEntityCustomerManagedStatus", 2, **{**stop, "SendingStatus": "ENABLED"})
    client.send(2, **SHOP)
    known = entity(client, 2)
    assert client("GetReputationEntity", 2, **known) == {
        "ReputationEntity": {
            **known,
            "ReputationManagementPolicy": f"{POLICY}/standard",
            "SendingStatusAggregate": "ENABLED",
        }
    }


@pytest.mark.rule("SES-TEN-1")
def test_a_tenant_is_judged_by_its_policy_and_may_be_reinstated() -> None:
    client = ready(suppressed_reasons=[])
    standing, known = client.account.outbox.tenants["acme"], entity(client)
    standing.record_sent(664, 0)
    for _ in range(40):
        standing.record_bounce(0)
    found = client("GetReputationEntity", **known)["ReputationEntity"]
    assert (found["SendingStatusAggregate"], found["ReputationImpact"]) == ("ENABLED", "LOW")
    strict = {**known, "ReputationEntityPolicy": f"{POLICY}/strict"}
    client("UpdateReputationEntityPolicy", **strict)
    client.send(**SHOP)
    assert client.refused(1, **SHOP)[0] == "SendingPausedException"
    client("UpdateReputationEntityCustomerManagedStatus", 2, **known, SendingStatus="REINSTATED")
    client.send(2, **SHOP)
    for _ in range(80):
        standing.record_bounce(2)
    found = client("GetReputationEntity", 2, **known)["ReputationEntity"]
    assert found == {
        **known,
        "ReputationManagementPolicy": f"{POLICY}/strict",
        "SendingStatusAggregate": "REINSTATED",
        "ReputationImpact": "HIGH",
    }


@pytest.mark.rule("SES-TEN-1")
def test_requests_about_reputations_that_cannot_be() -> None:
    client = ready()
    known = entity(client)
    code, message, _ = client.refusal("UpdateReputationEntityPolicy", **known, ReputationEntityPolicy="lax")
    assert (code, message.count("reputation-policy/")) == ("BadRequestException", 3)
    refusal = client.refusal("UpdateReputationEntityCustomerManagedStatus", **known, SendingStatus="OFF")
    allowed = "SendingStatus OFF is not allowed; allowed: ENABLED, REINSTATED, DISABLED (SES-TEN-1)"
    assert refusal[:2] == ("BadRequestException", allowed)
    refusal = client.refusal("GetReputationEntity", **{**known, "ReputationEntityType": "IP"})
    assert refusal[1] == "ReputationEntityType IP is not allowed; allowed: RESOURCE"
    refusal = client.refusal("GetReputationEntity", **{**known, "ReputationEntityReference": "x"})
    assert refusal == ("NotFoundException", "Resource x does not exist.", 404)


@pytest.mark.rule("SES-SUP-4")
def test_a_tenant_may_have_a_list_of_its_own_for_one_reason() -> None:
    client = ready(suppressed_reasons=["BOUNCE", "COMPLAINT"])
    live = client.account.outbox
    own = {"SuppressionScope": "TENANT", "SuppressedReasons": ["COMPLAINT"]}
    client("PutTenantSuppressionAttributes", TenantName="acme", **own)
    live.suppress("bounced@x.org", "BOUNCE", 0, tenant="acme")
    live.suppress("angry@x.org", "COMPLAINT", 0, tenant="acme")
    client.send(to="bounced@x.org", **SHOP)
    client.send(to="angry@x.org", **SHOP)
    assert (live.delivered, live.suppressed) == (1, 1)
    client("PutTenantSuppressionAttributes", TenantName="acme")
    attributes = client("GetTenant", TenantName="acme")["Tenant"]["SuppressionAttributes"]
    assert attributes == {"SuppressionScope": "ACCOUNT"}
    client.send(to="angry@x.org", **SHOP)
    assert live.delivered == 2


@pytest.mark.rule("SES-SUP-4")
@pytest.mark.rule("SES-SUP-5")
def test_the_list_of_a_tenant_is_its_own_or_the_accounts() -> None:
    client = Emails(tenants={"own": SendingTenant(suppression_scope="TENANT"), "shared": SendingTenant()})
    entry = {"EmailAddress": "a@x.org", "Reason": "BOUNCE"}
    client("PutSuppressedDestination", **entry, TenantName="own")
    client("PutSuppressedDestination", **{**entry, "EmailAddress": "b@x.org"}, TenantName="shared")

    def listed(**params: str) -> list[str]:
        entries = client("ListSuppressedDestinations", **params)["SuppressedDestinationSummaries"]
        return [each["EmailAddress"] for each in entries]

    lists = [listed(), listed(TenantName="shared"), listed(TenantName="own")]
    assert lists == [["b@x.org"], ["b@x.org"], ["a@x.org"]]
    asked = {"EmailAddress": "a@x.org", "TenantName": "own"}
    assert client("GetSuppressedDestination", **asked)["SuppressedDestination"]["TenantName"] == "own"
    assert client.refusal("GetSuppressedDestination", EmailAddress="a@x.org")[0] == "NotFoundException"
    client("DeleteSuppressedDestination", **asked)
    assert listed(TenantName="own") == []
    for operation in ("Get", "Delete"):
        refusal = client.refusal(f"{operation}SuppressedDestination", EmailAddress="a@x.org", TenantName="x")
        assert refusal == ("NotFoundException", "Tenant x does not exist.", 404)


@pytest.mark.rule("SES-TEN-1")
def test_a_tenant_tells_what_it_sends_with() -> None:
    client = ready()
    assert client("ListTenantResources", TenantName="acme")["TenantResources"] == [
        {"ResourceType": "EMAIL_IDENTITY", "ResourceArn": IDENTITY},
        {"ResourceType": "CONFIGURATION_SET", "ResourceArn": SET},
    ]
    first = client("ListTenantResources", TenantName="acme", PageSize=1)
    assert first["NextToken"] == "1"
    declared = Emails(tenants={"acme": SendingTenant()})
    assert declared("ListTenantResources", TenantName="acme") == {"TenantResources": []}


@pytest.mark.rule("SES-TEN-1")
@pytest.mark.rule("SES-SUP-4")
def test_what_an_earlier_tenant_had_under_way_is_not_on_the_list_of_a_later_one() -> None:
    gone = Receiver(domains=["gone.org"], outages=[(0, 50)])
    tenant = SendingTenant(suppression_scope="TENANT")
    account = SendingAccount(Outbox(receivers=[gone], tenants={"a": tenant}, complaint_rate=1), rng=random.Random(1))
    account.send_email(Email("ann@gone.org"), 0, terms=account.terms(tenant="a"))
    account.drop_tenant("a", 1)
    account.advance(200)
    assert account.complained == 1
    account.add_tenant("a", tenant, 200)
    assert account.suppressed_destinations(200, tenant="a") == []


@pytest.mark.rule("SES-TEN-1")
def test_a_tenant_that_is_made_again_is_another_one() -> None:
    client = ready()
    first = client("GetTenant", TenantName="acme")["Tenant"]["TenantId"]
    client("PutTenantSuppressionAttributes", TenantName="acme", SuppressionScope="TENANT")
    client.account.outbox.suppress("a@x.org", "BOUNCE", 0, tenant="acme")
    client("DeleteTenant", TenantName="acme")
    assert client.refused(**SHOP)[0] == "NotFoundException"
    scope = {"SuppressionScope": "TENANT"}
    second = client("CreateTenant", TenantName="acme", SuppressionAttributes=scope)["TenantId"]
    assert first != second
    assert client.account.outbox.suppressed_destinations(0, tenant="acme") == []
    assert client.refused(**SHOP)[0] == "BadRequestException"
    assert client.refusal("DeleteTenant", TenantName="x")[0] == "NotFoundException"


@pytest.mark.rule("SES-TEN-1")
@pytest.mark.rule("SES-IDN-1")
def test_an_identity_is_associated_once_however_it_is_written() -> None:
    client = ready()
    shouted = {"TenantName": "acme", "ResourceArn": IDENTITY.replace("shop.org", "SHOP.org")}
    assert client.refusal("CreateTenantResourceAssociation", **shouted)[0] == "AlreadyExistsException"
    client("DeleteTenantResourceAssociation", **shouted)
    client("CreateTenantResourceAssociation", **shouted)
    first = client("ListTenantResources", TenantName="acme")["TenantResources"][-1]
    assert first == {"ResourceType": "EMAIL_IDENTITY", "ResourceArn": IDENTITY}
    client("DeleteEmailIdentity", EmailIdentity="shop.org")
    assert client.refused(**SHOP)[1] == "Tenant acme has no associated resource of type identity (SES-TEN-1)"
