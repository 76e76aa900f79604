"""SES: identities: verified while their clocks run, signed, with MAIL FROM domains and sets of their own."""

from math import inf, nextafter
from typing import Any

import pytest

from msgsim.bus.configuration_set import ConfigurationSet
from msgsim.errors import DeclarationError
from msgsim.quotas import ADDRESS_LINK_TIME, DNS_RECORD_TIME, IDENTITIES
from msgsim.service.account import Account
from tests.service.emails import Emails

GONE = ("NotFoundException", "Email identity x.org does not exist.", 404)


def created(name: str = "shop.org", *, found_after: float | None = None, **outbox: Any) -> Emails:
    client = Emails(verification_time=found_after, **outbox)
    client("CreateEmailIdentity", EmailIdentity=name)
    return client


def got(client: Emails, now: float = 0, name: str = "shop.org") -> dict[str, Any]:
    return client("GetEmailIdentity", now, EmailIdentity=name)


@pytest.mark.rule("SES-IDN-1")
@pytest.mark.parametrize(
    ("name", "allowed", "kind"),
    [("ann@shop.org", ADDRESS_LINK_TIME.low, "EMAIL_ADDRESS"), ("shop.org", DNS_RECORD_TIME.low, "DOMAIN")],
)
def test_an_identity_waits_for_its_link_or_its_records(name: str, allowed: float, kind: str) -> None:
    client = created(name)
    assert got(client, nextafter(allowed, 0), name)["VerificationStatus"] == "PENDING"
    described = got(client, allowed, name)
    assert (described["IdentityType"], described["VerificationStatus"]) == (kind, "FAILED")
    assert described["VerifiedForSendingStatus"] is False

    client = created(name)
    client.account.outbox.identities.confirm(name, nextafter(allowed, 0))
    described = got(client, allowed, name)
    assert (described["VerifiedForSendingStatus"], described["VerificationStatus"]) == (True, "SUCCESS")


@pytest.mark.rule("SES-IDN-1")
@pytest.mark.rule("SES-SND-2")
def test_an_account_may_verify_all_that_it_is_asked_for_after_a_time() -> None:
    client = created(found_after=600)
    code, message, _ = client.refused(nextafter(600, 0), FromEmailAddress="ann@mail.shop.org")
    assert (code, message.rpartition(": ")[2]) == ("MessageRejected", "ann@mail.shop.org")
    client.send(600, FromEmailAddress="ann@mail.shop.org")
    late = created("ann@shop.org", found_after=ADDRESS_LINK_TIME.low)
    assert got(late, ADDRESS_LINK_TIME.low, "ann@shop.org")["VerificationStatus"] == "FAILED"


@pytest.mark.parametrize("given", [-1, "soon"])
def test_that_time_is_a_number_of_seconds(given: Any) -> None:
    with pytest.raises(DeclarationError, match=r"^Account\.verification_time: "):
        Account(verification_time=given)


@pytest.mark.rule("SES-IDN-2")
def test_a_new_domain_is_told_how_it_is_signed() -> None:
    client = Emails()
    answer = client("CreateEmailIdentity", EmailIdentity="Shop.org")
    tokens = answer["DkimAttributes"]["Tokens"]
    assert answer == {
        "IdentityType": "DOMAIN",
        "VerifiedForSendingStatus": False,
        "DkimAttributes": {
            "SigningEnabled": True,
            "Status": "PENDING",
            "SigningAttributesOrigin": "AWS_SES",
            "Tokens": tokens,
            "NextSigningKeyLength": "RSA_2048_BIT",
            "CurrentSigningKeyLength": "RSA_2048_BIT",
        },
    }
    assert len(set(tokens)) == 3
    assert all(len(each) == 32 and each.isalnum() for each in tokens)
    assert got(client)["DkimAttributes"]["Tokens"] == tokens
    address = client("CreateEmailIdentity", EmailIdentity="ann@shop.org")
    assert address["DkimAttributes"] == {
        "SigningEnabled": True,
        "Status": "NOT_STARTED",
        "SigningAttributesOrigin": "AWS_SES",
    }


@pytest.mark.rule("SES-IDN-2")
def test_a_domain_has_a_key_of_the_service_or_one_of_its_own() -> None:
    client = Emails()
    short = client(
        "CreateEmailIdentity", EmailIdentity="a.org", DkimSigningAttributes={"NextSigningKeyLength": "RSA_1024_BIT"}
    )
    assert short["DkimAttributes"]["CurrentSigningKeyLength"] == "RSA_1024_BIT"
    own = {"DomainSigningSelector": "k1", "DomainSigningPrivateKey": "MII="}
    external = client("CreateEmailIdentity", EmailIdentity="b.org", DkimSigningAttributes=own)["DkimAttributes"]
    assert (external["SigningAttributesOrigin"], external["Tokens"]) == ("EXTERNAL", ["k1"])
    assert "CurrentSigningKeyLength" not in external

    put = {"EmailIdentity": "b.org", "SigningAttributesOrigin": "AWS_SES"}
    answer = client("PutEmailIdentityDkimSigningAttributes", **put)
    assert (answer["DkimStatus"], len(answer["DkimTokens"])) == ("PENDING", 3)
    answer = client(
        "PutEmailIdentityDkimSigningAttributes",
        EmailIdentity="a.org",
        SigningAttributesOrigin="EXTERNAL",
        SigningAttributes=own,
    )
    assert answer == {"DkimStatus": "PENDING", "DkimTokens": ["k1"]}
    client("PutEmailIdentityDkimAttributes", EmailIdentity="a.org")
    described = got(client, name="a.org")["DkimAttributes"]
    assert (described["SigningEnabled"], described["SigningAttributesOrigin"]) == (False, "EXTERNAL")
    client("PutEmailIdentityDkimAttributes", EmailIdentity="a.org", SigningEnabled=True)
    assert got(client, name="a.org")["DkimAttributes"]["SigningEnabled"] is True


@pytest.mark.rule("SES-IDN-2")
@pytest.mark.parametrize(
    ("operation", "params", "problem"),
    [
        ("Create", {"EmailIdentity": "a@b.org", "DkimSigningAttributes": {"NextSigningKeyLength": "RSA_1024_BIT"}},
         "DkimSigningAttributes are for domains, and a@b.org is an address."),
        ("Create", {"EmailIdentity": "b.org", "DkimSigningAttributes": {"DomainSigningSelector": "k"}},
         "must have either DomainSigningSelector and DomainSigningPrivateKey or NextSigningKeyLength."),
        ("Create", {"EmailIdentity": "b.org", "DkimSigningAttributes": {"NextSigningKeyLength": "RSA_1_BIT"}},
         "NextSigningKeyLength RSA_1_BIT is not allowed; allowed: RSA_1024_BIT, RSA_2048_BIT (SES-IDN-2)"),
        ("Create", {"EmailIdentity": "a b"}, "nor a domain"),
        ("Create", {"EmailIdentity": "Ann <a@b.c>"}, "it has a name before its address"),
        ("Put", {"EmailIdentity": "shop.org", "SigningAttributesOrigin": "EXTERNAL"},
         "SigningAttributesOrigin EXTERNAL does not fit SigningAttributes; allowed: "),
        ("Put", {"EmailIdentity": "ann@shop.org", "SigningAttributesOrigin": "AWS_SES"},
         "DKIM keys are of domains, and ann@shop.org is an address."),
    ],
)  # fmt: skip
def test_signatures_that_cannot_be(operation: str, params: dict[str, Any], problem: str) -> None:
    client = created()
    client("CreateEmailIdentity", EmailIdentity="ann@shop.org")
    name = {"Create": "CreateEmailIdentity", "Put": "PutEmailIdentityDkimSigningAttributes"}[operation]
    code, message, status = client.refusal(name, **params)
    assert (code, status) == ("BadRequestException", 400)
    assert problem in message
    assert len(client.account.outbox.identities) == 2


@pytest.mark.rule("SES-IDN-1")
def test_identities_are_listed_found_and_deleted() -> None:
    client = created(verified=["a.org"])
    listed = client("ListEmailIdentities", PageSize=1)
    assert listed["EmailIdentities"] == [
        {"IdentityType": "DOMAIN", "IdentityName": "a.org", "SendingEnabled": True, "VerificationStatus": "SUCCESS"}
    ]
    (second,) = client("ListEmailIdentities", NextToken=listed["NextToken"])["EmailIdentities"]
    assert (second["IdentityName"], second["SendingEnabled"]) == ("shop.org", False)
    again = client.refusal("CreateEmailIdentity", EmailIdentity="SHOP.org")
    assert again == ("AlreadyExistsException", "Email identity SHOP.org already exist.", 400)
    client("DeleteEmailIdentity", EmailIdentity="Shop.ORG")
    assert len(client("ListEmailIdentities")["EmailIdentities"]) == 1
    assert client("CreateEmailIdentity", EmailIdentity="shop.org")


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("GetEmailIdentity", {}),
        ("DeleteEmailIdentity", {}),
        ("PutEmailIdentityMailFromAttributes", {}),
        ("PutEmailIdentityDkimAttributes", {}),
        ("PutEmailIdentityDkimSigningAttributes", {"SigningAttributesOrigin": "AWS_SES"}),
        ("PutEmailIdentityFeedbackAttributes", {}),
        ("PutEmailIdentityConfigurationSetAttributes", {}),
    ],
)
def test_an_identity_that_is_not_there_is_not_found(operation: str, params: dict[str, Any]) -> None:
    client = created()
    assert client.refusal(operation, EmailIdentity="x.org", **params) == GONE
    assert client.refusal(operation, EmailIdentity="not one", **params)[0] == "NotFoundException"


@pytest.mark.rule("SES-QUO-8")
def test_an_account_has_at_most_10_000_identities() -> None:
    client = Emails(verified=[f"x{number}.org" for number in range(int(IDENTITIES.high) - 1)])
    client("CreateEmailIdentity", EmailIdentity="last.org")
    refusal = client.refusal("CreateEmailIdentity", EmailIdentity="more.org")
    assert refusal == ("LimitExceededException", "There are 10000 identities already", 400)
    older = client.refusal("VerifyEmailIdentity", EmailAddress="a@more.org")
    assert older == ("LimitExceeded", "There are 10000 identities already", 400)
    client("VerifyDomainIdentity", Domain="last.org")


@pytest.mark.rule("SES-IDN-2")
@pytest.mark.rule("SES-SND-4")
def test_a_mail_from_domain_may_stop_emails_until_it_is_found() -> None:
    client = created(found_after=60)
    put = {"EmailIdentity": "shop.org", "MailFromDomain": "bounce.shop.org", "BehaviorOnMxFailure": "REJECT_MESSAGE"}
    client("PutEmailIdentityMailFromAttributes", 60, **put)
    described = {**put, "MailFromDomainStatus": "PENDING"}
    del described["EmailIdentity"]
    assert got(client, 60)["MailFromAttributes"] == described
    sender = {"FromEmailAddress": "ann@shop.org"}
    assert client.refused(60, **sender)[0] == "MailFromDomainNotVerifiedException"
    client.send(120, **sender)
    assert got(client, 120)["MailFromAttributes"]["MailFromDomainStatus"] == "SUCCESS"
    client("PutEmailIdentityMailFromAttributes", 120, EmailIdentity="shop.org", MailFromDomain="")
    assert got(client, 120)["MailFromAttributes"] == {"BehaviorOnMxFailure": "USE_DEFAULT_VALUE"}

    refusal = client.refusal("PutEmailIdentityMailFromAttributes", 120, **{**put, "MailFromDomain": "x.net"})
    assert refusal[:2] == (
        "BadRequestException",
        "Provided MAIL-FROM domain <x.net> is not subdomain of the domain of the identity <shop.org>",
    )
    code, message, _ = client.refusal("PutEmailIdentityMailFromAttributes", 120, **{**put, "BehaviorOnMxFailure": "x"})
    assert (code, "allowed: USE_DEFAULT_VALUE, REJECT_MESSAGE" in message) == ("BadRequestException", True)


@pytest.mark.rule("SES-IDN-2")
def test_without_a_time_of_the_account_somebody_else_confirms_it() -> None:
    client = created(verified=["a.org"])
    client("PutEmailIdentityMailFromAttributes", EmailIdentity="a.org", MailFromDomain="m.a.org")
    client.account.outbox.identities.confirm_mail_from("a.org", 5)
    assert got(client, 5, "a.org")["MailFromAttributes"]["MailFromDomainStatus"] == "SUCCESS"


@pytest.mark.rule("SES-CFG-1")
def test_an_identity_has_a_set_of_its_own_for_emails_that_name_none() -> None:
    sets = {name: ConfigurationSet(sending=name == "usual") for name in ("usual", "own", "other")}
    client = Emails(verification_time=0, configuration_sets=sets, configuration_set="usual")
    tags = [{"Key": "k", "Value": "v"}]
    client("CreateEmailIdentity", EmailIdentity="shop.org", ConfigurationSetName="own", Tags=tags)
    sender = {"FromEmailAddress": "Ann <ann@shop.org>"}
    described = got(client)
    assert (described["ConfigurationSetName"], described["Tags"]) == ("own", tags)
    assert client.refused(**sender)[1] == "Email sending is paused for the configuration set own"
    assert client.refused(ConfigurationSetName="other", **sender)[1].endswith("the configuration set other")
    client("PutEmailIdentityConfigurationSetAttributes", EmailIdentity="shop.org")
    client.send(**sender)
    assert "ConfigurationSetName" not in got(client)
    client("PutEmailIdentityConfigurationSetAttributes", EmailIdentity="shop.org", ConfigurationSetName="other")
    assert got(client)["ConfigurationSetName"] == "other"
    for operation, name in (
        ("CreateEmailIdentity", "b.org"),
        ("PutEmailIdentityConfigurationSetAttributes", "shop.org"),
    ):
        refusal = client.refusal(operation, EmailIdentity=name, ConfigurationSetName="none")
        assert refusal[:2] == ("NotFoundException", "Configuration set <none> does not exist.")
    assert "b.org" not in client.account.outbox.identities


@pytest.mark.rule("SES-CFG-4")
def test_feedback_is_forwarded_unless_it_is_said_that_it_is_not() -> None:
    client = created()
    assert got(client)["FeedbackForwardingStatus"] is True
    client("PutEmailIdentityFeedbackAttributes", EmailIdentity="shop.org")
    assert got(client)["FeedbackForwardingStatus"] is False


def test_settings_go_with_their_identity() -> None:
    client = created()
    client("PutEmailIdentityFeedbackAttributes", EmailIdentity="shop.org")
    client("DeleteEmailIdentity", EmailIdentity="shop.org")
    client("CreateEmailIdentity", EmailIdentity="shop.org")
    assert got(client)["FeedbackForwardingStatus"] is True


def test_a_sender_that_is_no_address_has_no_identity() -> None:
    client = created(found_after=0)
    assert client.account.sending_identity("not an address", inf) is None
    assert client.account.sending_identity(None, 0) is None
    assert client.account.sending_identity("x@shop.org", 0) is not None
