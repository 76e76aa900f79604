"""Time stamps as the services write them, from seconds: `bus/` has no calendar of the machine it runs on."""

import re

_STAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d{1,9})?Z", re.ASCII)

_DAYS_TO_MARCH_OF_YEAR_0 = 719_468
"""Days from 0000-03-01 to 1970-01-01: years that begin in March have their leap day at the end."""

_DAYS_IN_400_YEARS = 146_097
_DAYS_IN_100_YEARS = 36_524
_DAYS_IN_4_YEARS = 1_461
_DAYS_IN_YEAR = 365
_DAYS_IN_MARCH_TO_JULY = 153
"""Month lengths repeat after five months: 31, 30, 31, 30, 31 days."""


def iso_timestamp(seconds: float) -> str:
    """The UTC time stamp `YYYY-MM-DDThh:mm:ss.mmmZ`, rounded to the millisecond (SNS-ENV-1).

    Args:
        seconds: since 1970-01-01T00:00:00Z, leap seconds left out [s].

    >>> iso_timestamp(1_767_225_600.25)
    '2026-01-01T00:00:00.250Z'
    """
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    days, second_of_day = divmod(whole, 86_400)
    year, month, day = _date(days)
    hour, second_of_hour = divmod(second_of_day, 3600)
    minute, second = divmod(second_of_hour, 60)
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z"


def _date(days: int) -> tuple[int, int, int]:
    """Year, month and day of the proleptic Gregorian calendar, `days` after 1970-01-01."""
    era, day_of_era = divmod(days + _DAYS_TO_MARCH_OF_YEAR_0, _DAYS_IN_400_YEARS)
    # The last day of 4 and of 400 years is a leap day that would begin a year of its own; that of 100 years is missing.
    leap_days = (
        day_of_era // (_DAYS_IN_4_YEARS - 1) - day_of_era // _DAYS_IN_100_YEARS + day_of_era // (_DAYS_IN_400_YEARS - 1)
    )
    year_of_era = (day_of_era - leap_days) // _DAYS_IN_YEAR
    day_of_year = day_of_era - (year_of_era * _DAYS_IN_YEAR + year_of_era // 4 - year_of_era // 100)
    months_after_march = (5 * day_of_year + 2) // _DAYS_IN_MARCH_TO_JULY
    day = day_of_year - (_DAYS_IN_MARCH_TO_JULY * months_after_march + 2) // 5 + 1
    next_year = months_after_march > 9  # noqa: PLR2004 - January and February are the last two months
    year = 400 * era + year_of_era + next_year
    return year, months_after_march + (-9 if next_year else 3), day


def seconds_of(stamp: str) -> float | None:
    """The seconds since 1970-01-01T00:00:00Z of a UTC time stamp; None if it is none (SNS-ARC-2).

    Args:
        stamp: `YYYY-MM-DDThh:mm:ssZ`, with up to nine digits of a fraction of the second.

    >>> seconds_of("2026-01-01T00:00:00.250Z")
    1767225600.25
    """
    found = _STAMP.fullmatch(stamp)
    if found is None:
        return None
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    begun = year - (month <= 2)  # noqa: PLR2004 - January and February belong to the year before
    months_after_march = (month + 9) % 12
    days = (
        _DAYS_IN_YEAR * begun
        + begun // 4
        - begun // 100
        + begun // 400
        + (_DAYS_IN_MARCH_TO_JULY * months_after_march + 2) // 5
        + day
        - 1
        - _DAYS_TO_MARCH_OF_YEAR_0
    )
    whole = ((24 * days + hour) * 60 + minute) * 60 + second
    if iso_timestamp(whole)[:19] != stamp[:19]:  # no such day, hour, minute or second
        return None
    return whole + float(found[7] or 0)
