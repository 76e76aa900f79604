"""Time stamps against the standard library's calendar."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from msgsim.bus.message import EPOCH
from msgsim.bus.timestamps import iso_timestamp, seconds_of

_FIRST = int(datetime(1, 1, 1, tzinfo=UTC).timestamp()) * 1000
_LAST = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()) * 1000


@pytest.mark.rule("SNS-ENV-1")
@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (EPOCH, "2026-01-01T00:00:00.000Z"),
        (EPOCH - 0.001, "2025-12-31T23:59:59.999Z"),
        (951_782_400.0, "2000-02-29T00:00:00.000Z"),
        (951_868_800.0, "2000-03-01T00:00:00.000Z"),
        (4_107_542_399.0, "2100-02-28T23:59:59.000Z"),
        (4_107_542_400.0, "2100-03-01T00:00:00.000Z"),
        (1_709_164_799.9996, "2024-02-29T00:00:00.000Z"),
    ],
)
def test_known_stamps(seconds: float, text: str) -> None:
    assert iso_timestamp(seconds) == text


@given(st.integers(_FIRST, _LAST))
@example(_FIRST)
@example(_LAST)
def test_the_calendar_is_that_of_the_standard_library(milliseconds: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    expected = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert iso_timestamp(milliseconds / 1000) == expected


@pytest.mark.slow
def test_every_day_of_four_centuries() -> None:
    day = datetime(1900, 1, 1, tzinfo=UTC)
    for _ in range(146_098):
        assert iso_timestamp(day.timestamp())[:10] == day.date().isoformat()
        day += timedelta(days=1)


@pytest.mark.parametrize("tenth", range(10))
def test_a_decimal_fraction_shows_as_itself(tenth: int) -> None:
    assert iso_timestamp(EPOCH + tenth / 10).endswith(f".{tenth}00Z")


@pytest.mark.rule("SNS-ARC-2")
@given(st.integers(_FIRST, _LAST))
@example(_FIRST)
@example(_LAST)
def test_stamps_are_read_as_they_are_written(milliseconds: int) -> None:
    seconds = seconds_of(iso_timestamp(milliseconds / 1000))
    assert seconds is not None
    assert round(seconds * 1000) == milliseconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-1-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:60Z",
        "2026-01-01T00:00:00.Z",
        "\uff12026-01-01T00:00:00Z",
    ],
)
def test_what_is_no_stamp_is_none(text: str) -> None:
    assert seconds_of(text) is None


def test_a_stamp_needs_no_fraction() -> None:
    assert seconds_of("2026-01-01T00:00:00Z") == EPOCH
