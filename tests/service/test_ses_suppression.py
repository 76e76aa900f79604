"""SES: the account's suppression list."""

import pytest

from tests.service.emails import Emails


@pytest.mark.rule("SES-SUP-5")
def test_an_address_is_put_on_the_list_looked_up_and_taken_off() -> None:
    client = Emails()
    client("PutSuppressedDestination", 5, EmailAddress="a@example.com", Reason="BOUNCE")
    entry = {"EmailAddress": "a@example.com", "Reason": "BOUNCE", "LastUpdateTime": client.account.epoch + 5}
    assert client("GetSuppressedDestination", 6, EmailAddress="a@example.com") == {"SuppressedDestination": entry}
    client.send(6)
    assert client.account.outbox.suppressed == 1
    client("DeleteSuppressedDestination", 7, EmailAddress="a@example.com")
    client.send(7)
    assert (client.account.outbox.suppressed, client.account.outbox.delivered) == (1, 1)


@pytest.mark.rule("SES-SUP-5")
@pytest.mark.parametrize("operation", ["GetSuppressedDestination", "DeleteSuppressedDestination"])
def test_an_address_that_is_not_listed_is_not_found(operation: str) -> None:
    text = "Email address a@b.c does not exist on your suppression list."
    assert Emails().refusal(operation, EmailAddress="a@b.c") == ("NotFoundException", text, 404)


@pytest.mark.rule("SES-SUP-5")
def test_the_list_is_read_by_reason_and_in_pages() -> None:
    client = Emails()
    for address, reason in (("a@b.c", "BOUNCE"), ("d@b.c", "COMPLAINT"), ("e@b.c", "BOUNCE")):
        client("PutSuppressedDestination", EmailAddress=address, Reason=reason)
    answer = client("ListSuppressedDestinations", Reasons=["BOUNCE"], PageSize=1)
    assert [each["EmailAddress"] for each in answer["SuppressedDestinationSummaries"]] == ["a@b.c"]
    assert answer["NextToken"] == "1"
    assert len(client("ListSuppressedDestinations")["SuppressedDestinationSummaries"]) == 3


@pytest.mark.rule("SES-SUP-5")
def test_the_sandbox_and_strange_reasons_are_refused() -> None:
    params = {"EmailAddress": "a@b.c", "Reason": "BOUNCE"}
    assert Emails(sandbox=True).refusal("PutSuppressedDestination", **params)[0] == "BadRequestException"
    assert Emails().refusal("PutSuppressedDestination", **{**params, "Reason": "x"})[0] == "BadRequestException"
    assert Emails().refusal("ListSuppressedDestinations", Reasons=["x"])[0] == "BadRequestException"


@pytest.mark.rule("SES-SUP-1")
def test_the_list_can_be_switched_off() -> None:
    client = Emails()
    client("PutSuppressedDestination", EmailAddress="a@example.com", Reason="BOUNCE")
    client("PutAccountSuppressionAttributes", SuppressedReasons=[])
    assert client("GetAccount")["SuppressionAttributes"] == {"SuppressedReasons": []}
    client.send()
    assert client.account.outbox.delivered == 1
