"""Validation: which scores are sent to."""

import pytest

from msgsim.bus.email_validation import EmailValidation
from msgsim.bus.outbox import Outbox
from msgsim.errors import DeclarationError


@pytest.mark.rule("SES-SUP-6")
@pytest.mark.parametrize(
    ("threshold", "exists", "chance", "sent"),
    [
        ("MANAGED", True, 0.999, True),
        ("MANAGED", False, 0.999, False),
        ("HIGH", True, 0.79, True),
        ("HIGH", True, 0.81, False),
        ("HIGH", False, 0.999, False),
        ("MEDIUM", True, 0.999, True),
        ("MEDIUM", False, 0.79, False),
        ("MEDIUM", False, 0.81, True),
    ],
)
def test_thresholds(threshold: str, exists: bool, chance: float, sent: bool) -> None:
    assert EmailValidation(threshold=threshold).sends_to(exists, chance) == sent


@pytest.mark.rule("SES-SUP-6")
@pytest.mark.parametrize("threshold", ["MANAGED", "HIGH", "MEDIUM"])
def test_without_doubt_every_threshold_is_right(threshold: str) -> None:
    sure = EmailValidation(threshold=threshold, doubt=0)
    assert sure.sends_to(True, 0.9)
    assert not sure.sends_to(False, 0.9)


def test_what_cannot_be_is_refused() -> None:
    allowed = r"^EmailValidation\.threshold: 'LOW' is not allowed; allowed: MANAGED, HIGH, MEDIUM \(SES-SUP-6\)$"
    with pytest.raises(DeclarationError, match=allowed):
        EmailValidation(threshold="LOW")
    with pytest.raises(DeclarationError, match=r"EmailValidation\.doubt: 2.0 is not allowed"):
        EmailValidation(doubt=2)
    with pytest.raises(DeclarationError, match=r"^Outbox\.validation: 'HIGH' is not an EmailValidation$"):
        Outbox(validation="HIGH")  # type: ignore[arg-type]
    assert Outbox(validation=EmailValidation()).uses_chance
