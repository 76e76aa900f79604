"""Growth of quotas: how much, up to where, and when they are looked at."""

from math import inf, nextafter

import pytest

from msgsim.bus.outbox import Outbox
from msgsim.bus.quota_growth import QuotaGrowth
from msgsim.errors import DeclarationError

DAY = 86_400.0


@pytest.mark.rule("SES-QUO-6")
@pytest.mark.parametrize(
    ("growth", "before", "after"),
    [
        (QuotaGrowth(), (100, 5.0), (200, 10.0)),
        (QuotaGrowth(factor=1.25), (10, None), (12, None)),
        (QuotaGrowth(factor=1.01), (1, 1.0), (2, 1.01)),
        (QuotaGrowth(max_24_hour_send=150, max_send_rate=7), (100, 5.0), (150, 7.0)),
        (QuotaGrowth(max_24_hour_send=50, max_send_rate=2), (100, 5.0), (100, 5.0)),
    ],
)
def test_quotas_rise_by_a_factor_to_a_most_and_never_fall(
    growth: QuotaGrowth, before: tuple[int, float | None], after: tuple[int, float | None]
) -> None:
    assert growth.grown(*before) == after


def test_looks_are_at_multiples_of_the_time_between_them() -> None:
    growth = QuotaGrowth()
    assert growth.next_look(0.0) == DAY
    assert growth.next_look(DAY) == 2 * DAY
    assert growth.next_look(DAY, 2.5 * DAY) == 3 * DAY
    assert growth.next_look(DAY, 3 * DAY) == 4 * DAY
    assert growth.next_look(1e300, 1e300) == nextafter(1e300, inf)
    assert growth.next_look(1e300) == nextafter(1e300, inf)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"factor": 1}, r"QuotaGrowth\.factor: 1.0 is not allowed; allowed: more than 1"),
        ({"use": 0}, r"QuotaGrowth\.use: 0.0 is not allowed"),
        ({"use": 1.5}, r"QuotaGrowth\.use: 1.5 is not allowed"),
        ({"every": 0}, r"QuotaGrowth\.every: 0.0 is not allowed"),
        ({"max_24_hour_send": 0}, r"QuotaGrowth\.max_24_hour_send: 0 is not allowed"),
        ({"max_send_rate": 0}, r"QuotaGrowth\.max_send_rate: 0.0 is not allowed"),
    ],
)
def test_what_cannot_be_is_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        QuotaGrowth(**arguments)  # type: ignore[arg-type]


def test_there_must_be_a_quota_that_can_grow() -> None:
    with pytest.raises(DeclarationError, match=r"^Outbox\.quota_growth: needs a max_24_hour_send that is used"):
        Outbox(quota_growth=QuotaGrowth())
    with pytest.raises(DeclarationError, match=r"^Outbox\.quota_growth: the sandbox has quotas of its own"):
        Outbox(quota_growth=QuotaGrowth(), sandbox=True, max_24_hour_send=100)
    with pytest.raises(DeclarationError, match=r"^Outbox\.quota_growth: 2 is not a QuotaGrowth$"):
        Outbox(quota_growth=2)  # type: ignore[arg-type]
