"""Text messages."""

from math import nextafter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgsim.bus.sms import MONTH, SmsSender, parts
from msgsim.errors import DeclarationError, InvalidParameter

A, B = "+14255550123", "+491701234567"
DAY = 86_400.0


@pytest.mark.rule("SNS-SMS-1")
@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        ("a", [1]),
        ("a" * 160, [160]),
        ("a" * 161, [160, 1]),
        ("€" * 80, [80]),
        ("€" * 81, [80, 1]),
        ("`" * 140, [140]),
        ("`" * 141, [140, 1]),
        ("ж" * 70, [70]),
        ("ж" * 71, [70, 1]),
        ("😀" * 35, [35]),
        ("😀" * 36, [35, 1]),
        ("a" * 100 + " " + "b" * 100, [101, 100]),
        ("a" * 160 + " b", [160, 2]),
        ("a" * 1_600, [160] * 10),
    ],
)
def test_parts(text: str, lengths: list[int]) -> None:
    assert [len(part) for part in parts(text)] == lengths


@pytest.mark.rule("SNS-SMS-1")
def test_parts_may_have_less_room_for_what_joins_them() -> None:
    assert [len(part) for part in parts("a" * 160, headers=True)] == [160]
    assert [len(part) for part in parts("a" * 161, headers=True)] == [153, 8]
    assert [len(part) for part in parts("ж" * 71, headers=True)] == [67, 4]
    assert [len(part) for part in parts("`" * 141, headers=True)] == [140, 1]


@pytest.mark.rule("SNS-SMS-1")
@given(st.text("ab €`ж😀", max_size=400))
def test_no_character_is_lost(text: str) -> None:
    found = parts(text)
    assert "".join(found) == text
    assert all(found) or not text


@pytest.mark.rule("SNS-SMS-1")
@pytest.mark.parametrize(
    ("number", "text", "problem"),
    [
        (A, "a" * 1_601, "Message too long"),
        (A, "", "Empty message"),
        ("14255550123", "a", "PhoneNumber Reason: 14255550123 is not valid"),
        ("+0", "a", "PhoneNumber"),
        ("+1" + "0" * 15, "a", "PhoneNumber"),
    ],
)
def test_what_cannot_be_sent(number: str, text: str, problem: str) -> None:
    sender = SmsSender()
    with pytest.raises(InvalidParameter, match=problem):
        sender.send(number, text, 0)
    assert not sender.outcomes


@pytest.mark.rule("SNS-SMS-2")
def test_a_month_has_a_limit() -> None:
    sender = SmsSender(monthly_spend_limit=1.0, price=0.25)
    assert sender.send(A, "a" * 320, 0) == "delivered"
    assert [sender.send(A, "a", 1) for _ in range(3)] == ["delivered", "delivered", "over the spend limit"]
    assert (sender.spent(1), sender.parts_sent) == (1.0, 4)
    assert sender.send(A, "a", nextafter(MONTH, 0)) == "over the spend limit"
    assert sender.send(A, "a", MONTH) == "delivered"
    assert sender.outcomes == {"delivered": 4, "over the spend limit": 2}


@pytest.mark.rule("SNS-SMS-2")
def test_what_was_spent_is_of_this_month_without_a_limit_too() -> None:
    sender = SmsSender(price=0.5)
    sender.send(A, "a", 0)
    sender.send(A, "a", MONTH)
    assert sender.spent(MONTH) == 0.5
    assert sender.spent(2 * MONTH) == 0


@pytest.mark.rule("SNS-SMS-2")
def test_who_opted_out_gets_nothing_and_can_be_opted_in_once_in_30_days() -> None:
    sender = SmsSender()
    sender.opt_in(A, 0)
    sender.opt_out(A, 0)
    assert (sender.send(A, "a", 0), sender.send(B, "a", 0)) == ("opted out", "delivered")
    sender.opt_in(A, 1)
    assert sender.send(A, "a", 1) == "delivered"
    sender.opt_out(A, 2)
    with pytest.raises(InvalidParameter, match="was opted in within 30 days"):
        sender.opt_in(A, nextafter(30 * DAY + 1, 0))
    assert sender.opted_out == [A]
    sender.opt_in(A, 30 * DAY + 1)
    assert sender.opted_out == []


@pytest.mark.rule("SNS-SMS-2")
def test_the_sandbox_has_verified_numbers() -> None:
    sender = SmsSender(sandbox=True)
    sender.add_sandbox_number(A, 0)
    assert sender.send(A, "a", 0) == sender.send(B, "a", 0) == "not verified"
    with pytest.raises(InvalidParameter, match="OneTimePassword"):
        sender.verify_sandbox_number(A, "x")
    first = sender.codes[A]
    sender.add_sandbox_number(A, 1)
    assert sender.codes[A] != first
    sender.verify_sandbox_number(A, sender.codes[A])
    assert (sender.send(A, "a", 1), sender.sandbox_numbers) == ("delivered", {A: True})
    with pytest.raises(LookupError):
        sender.verify_sandbox_number(B, "x")
    for number in range(9):
        sender.add_sandbox_number(f"+1425555000{number}", 2)
    with pytest.raises(InvalidParameter, match="10 numbers already"):
        sender.add_sandbox_number(B, 2)
    with pytest.raises(InvalidParameter, match="within 24 hours"):
        sender.delete_sandbox_number(A, nextafter(DAY, 0))
    sender.delete_sandbox_number(A, DAY)
    assert sender.send(A, "a", DAY) == "not verified"
    with pytest.raises(LookupError):
        sender.delete_sandbox_number(A, DAY)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sandbox", 1),
        ("headers", None),
        ("price", -0.01),
        ("price", float("nan")),
        ("monthly_spend_limit", -1),
        ("monthly_spend_limit", "1"),
    ],
)
def test_a_sender_that_cannot_be_is_refused(field: str, value: object) -> None:
    with pytest.raises(DeclarationError, match=rf"SmsSender\.{field}"):
        SmsSender(**{field: value})  # type: ignore[arg-type]
