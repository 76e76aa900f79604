"""Reading a bucketed count series out of a CSV file: what a monitoring system exports, warts included.

Wrong rows are errors that say the row; what can be read in only one way (rows out of order, gaps, stamps slightly off
the grid) is read so and said in a warning.
"""

import csv
import math
import re
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from os import PathLike, fspath
from typing import NamedTuple, TextIO

from msgsim.errors import TraceError

SHORTEST = 0.001
"""The narrowest bucket of a series [s]."""

SHOWN_COLUMNS = 20
SHOWN_TEXT = 40
"""How much of a header and of a cell a message quotes."""

LINE_LIMIT = 2**20
"""A line longer than this [characters] is no CSV of counts; nothing longer is ever held in memory."""

BUCKET_LIMIT = 10_000_000
"""A series of more buckets than this, gaps included, has a wrong stamp somewhere."""

OFF_GRID = 0.01
"""A stamp off its bucket's begin by more than this part of the width is worth a warning."""

ACCEPTED = (
    "2026-01-31 23:59:00, 2026-01-31T23:59:00.5Z, 2026-01-31 23:59:00+01:00, 2026/01/31 23:59, 31 Jan 2026 23:59:00, "
    "or seconds, milliseconds, microseconds or nanoseconds since 1970"
)

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

CLOCK = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?:\s*(?P<zone>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?))?"
)
YEAR_FIRST = re.compile(
    rf"(?P<year>\d{{4}})(?P<dash>[-/])(?P<month>\d{{1,2}})(?P=dash)(?P<day>\d{{1,2}})(?:(?:T|\s+){CLOCK})?",
    re.ASCII | re.IGNORECASE,
)
DAY_FIRST = re.compile(
    rf"(?:[a-z]{{3}},?\s+)?(?P<day>\d{{1,2}})[ -](?P<month>{'|'.join(MONTHS)})[a-z]*[ -](?P<year>\d{{4}})"
    rf"(?:,?\s+{CLOCK})?",
    re.ASCII | re.IGNORECASE,
)
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
DATE_DIGITS = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])", re.ASCII)

UNITS = (
    ("seconds", 0.0, 1e10, 1.0),
    ("milliseconds", 1e11, 1e13, 1e3),
    ("microseconds", 1e14, 1e16, 1e6),
    ("nanoseconds", 1e17, 1e19, 1e9),
)
"""What a number counts since 1970, by its size: beyond doubt from 1973 to 2286. Seconds may have any other start."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TraceWarning(UserWarning):
    """A traffic series was readable, but not as tidy as it should be."""


class Stamp(NamedTuple):
    """A time stamp: seconds since 1970, and the kind that all stamps of a file must share."""

    seconds: float
    kind: str


class Row(NamedTuple):
    """One bucket: begin [s], count, the row of the file (the header is row 1), and the stamp as written."""

    seconds: float
    value: float
    row: int
    text: str


def read_trace(path: str | PathLike[str], time: str, count: str) -> tuple[tuple[float, ...], float, str]:
    """Read the counts per bucket, the width of the buckets [s] and the text of the first stamp.

    The file is UTF-8 text with a header, separated by commas, semicolons, tabs or bars. The width is the median spacing
    of the stamps; each row counts in the nearest bucket of that grid. Rows may be in any order and missing buckets are
    0; a `TraceWarning` says both.

    Args:
        path: of the file; messages name it as it is given.
        time: name of the column with the begin of each bucket: a date and time of day with or without a zone, or a
            number of seconds, milliseconds, microseconds or nanoseconds since 1970.
        count: name of the column with the number of events in the bucket.

    Raises:
        TraceError: the file or a row of it cannot be used; the row is named, the header being row 1.
    """
    if not isinstance(path, (str, PathLike)):
        raise TraceError(repr(path), "not a path of a file")
    name = str(fspath(path))
    try:
        with open(path, encoding="utf-8-sig", newline=None) as stream:  # noqa: PTH123 - any path, also of a pipe
            rows = list(_rows(name, stream, time, count))
    except TraceError:
        raise
    except UnicodeDecodeError as error:
        raise TraceError(name, "not a text file: it has bytes that are not UTF-8") from error
    except (OSError, ValueError) as error:
        raise TraceError(name, f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not rows:
        raise TraceError(name, "has a header but no rows")
    if len(rows) == 1:
        raise TraceError(name, f"row {rows[0].row} is the only one; the width of a bucket needs at least two")
    rows = _in_order(name, rows)
    width = _width(name, rows)
    return _counts(name, rows, width), width, rows[0].text


def _warn(name: str, problem: str) -> None:
    # The caller of `Trace.from_csv` is who can do something about it.
    warnings.warn(f"{name}: {problem}", TraceWarning, stacklevel=5)


def _lines(name: str, stream: TextIO) -> Iterator[str]:
    """The lines, none of them longer than fits in memory."""
    row = 0
    while line := stream.readline(LINE_LIMIT):
        row += 1
        if "\0" in line:
            raise TraceError(name, f"row {row}: not a text file: it has NUL characters")
        if len(line) == LINE_LIMIT and not line.endswith("\n"):
            raise TraceError(name, f"row {row}: longer than {LINE_LIMIT:,} characters; not a CSV of counts")
        yield line


def _rows(name: str, stream: TextIO, time: str, count: str) -> Iterator[Row]:
    """The rows of the file, checked one by one."""
    lines = _lines(name, stream)
    above = 1  # lines that the CSV reader does not see
    for header in lines:
        if header.strip():
            break
        above += 1
    else:
        raise TraceError(name, "is empty")
    delimiter, columns = _columns(header, time, count)
    at_time, at_count = (_find(name, columns, column) for column in (time, count))
    if at_time == at_count:
        raise TraceError(name, f"time and count are the same column, {time!r}")
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    kind = ""
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            row = above + reader.line_num
            if len(cells) < len(columns) or any(cells[len(columns) :]):
                raise TraceError(name, f"row {row}: has {len(cells)} columns, the header has {len(columns)}")
            text = cells[at_time].strip()
            stamp = _stamp(name, row, text)
            kind = kind or stamp.kind
            if stamp.kind != kind:
                raise TraceError(name, f"row {row}: time {_short(text)} is {stamp.kind}, the rows before have {kind}")
            yield Row(stamp.seconds, _count(name, row, cells[at_count].strip()), row, text)
    except csv.Error as error:
        raise TraceError(name, f"row {above + reader.line_num}: not a CSV: {error}") from error


def _columns(header: str, time: str, count: str) -> tuple[str, list[str]]:
    """The delimiter that shows the wanted columns, or else the most columns; and the columns."""

    def split(delimiter: str) -> list[str]:
        try:
            return [cell.strip() for cell in next(csv.reader([header], delimiter=delimiter))]
        except csv.Error:
            return [header]  # one field that is longer than any name

    def fits(delimiter: str) -> tuple[int, int]:
        columns = split(delimiter)
        return (time in columns) + (count in columns), len(columns)

    best = max((",", ";", "\t", "|"), key=fits)
    return best, split(best)


def _find(name: str, columns: list[str], column: str) -> int:
    if columns.count(column) > 1:
        raise TraceError(name, f"has more than one column {column!r}")
    if column not in columns:
        shown = ", ".join(_short(column, quoted=False) for column in columns[:SHOWN_COLUMNS])
        shown += ", ..." if len(columns) > SHOWN_COLUMNS else ""
        raise TraceError(name, f"no column named {column!r}; columns: {shown}")
    return columns.index(column)


def _short(text: str, *, quoted: bool = True) -> str:
    text = text if len(text) <= SHOWN_TEXT else text[:SHOWN_TEXT] + "..."
    return repr(text) if quoted else text


def _count(name: str, row: int, text: str) -> float:
    if not text:
        raise TraceError(name, f"row {row}: the count is missing")
    if not NUMBER.fullmatch(text):
        raise TraceError(name, f"row {row}: count {_short(text)} is not a number; allowed: 0 or more")
    value = float(text)
    if not 0.0 <= value < math.inf:
        raise TraceError(name, f"row {row}: count {_short(text)} is not allowed; allowed: 0 or more")
    return value + 0.0  # -0 is 0


def _stamp(name: str, row: int, text: str) -> Stamp:
    if not text:
        raise TraceError(name, f"row {row}: the time is missing")
    if NUMBER.fullmatch(text):
        if not DATE_DIGITS.fullmatch(text):
            value = float(text)
            for unit, low, high, scale in UNITS:
                if low <= value < high:
                    return Stamp(value / scale, f"a number of {unit}")
    elif match := YEAR_FIRST.fullmatch(text) or DAY_FIRST.fullmatch(text):
        part = match.groupdict()
        try:
            return _moment(part)
        except ValueError as error:
            raise TraceError(name, f"row {row}: time {_short(text)} does not exist: {error}") from error
    raise TraceError(name, f"row {row}: time {_short(text)} is not understood; accepted: {ACCEPTED}")


def _moment(part: dict[str, str | None]) -> Stamp:
    """The moment that the parts of a date and a time of day stand for; without a zone it is taken as UTC."""
    month = str(part["month"]).lower()
    number = MONTHS.index(month) + 1 if month in MONTHS else int(month)
    year, day = (int(part[unit] or 0) for unit in ("year", "day"))
    hour, minute, second = (int(part[unit] or 0) for unit in ("hour", "minute", "second"))
    zone = part["zone"] or ""
    offset = timedelta()
    if zone[:1] in ("+", "-"):
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:].strip(":") or 0))
        offset = -offset if zone[0] == "-" else offset
    moment = datetime(year, number, day, hour, minute, second, tzinfo=timezone(offset))
    seconds = (moment - EPOCH).total_seconds() + float(f"0.{part['fraction'] or 0}")
    return Stamp(seconds, "a time with a zone" if zone else "a time without a zone")


def _in_order(name: str, rows: list[Row]) -> list[Row]:
    latest = -math.inf
    late = []
    for row in rows:
        if row.seconds < latest:
            late.append(row.row)
        latest = max(latest, row.seconds)
    if late:
        _warn(name, f"rows out of order: {len(late)}, the first is row {late[0]}; sorted by time")
        rows = sorted(rows)
    for before, after in pairwise(rows):
        if before.seconds == after.seconds:
            low, high = sorted((before.row, after.row))
            raise TraceError(name, f"row {high}: time {_short(after.text)} is that of row {low}, too")
    return rows


def _width(name: str, rows: list[Row]) -> float:
    """The median spacing; rounded to microseconds, milliseconds or seconds if that fits all stamps better."""
    from statistics import median_low  # noqa: PLC0415 - few read traces

    median = median_low(after.seconds - before.seconds for before, after in pairwise(rows))
    if median < SHORTEST:
        raise TraceError(name, f"the median spacing is {median:g} [s]; allowed: {SHORTEST:g} or more")
    rounded = [round(median, digits) for digits in (6, 3, 0)]
    start = rows[0].seconds

    def worst(width: float) -> float:
        places = ((row.seconds - start) / width for row in rows)
        return max(abs(place - round(place)) for place in places)

    return min([median, *(width for width in rounded if abs(width - median) <= OFF_GRID * median)], key=worst)


def _counts(name: str, rows: list[Row], width: float) -> tuple[float, ...]:
    """The counts on the grid of the width; what no row is near to is 0."""
    start = rows[0].seconds
    counts: list[float] = []
    gaps: list[Row] = []
    off_grid: list[Row] = []
    for position, row in enumerate(rows):
        place = (row.seconds - start) / width
        index = round(place)
        if index < len(counts):
            before = rows[position - 1].row
            raise TraceError(name, f"row {row.row}: is in the same bucket of {width:g} s as row {before}")
        if index >= BUCKET_LIMIT:
            problem = f"makes {index + 1:,} buckets of {width:g} s; allowed: up to {BUCKET_LIMIT:,}"
            raise TraceError(name, f"row {row.row}: time {_short(row.text)} {problem}")
        if abs(place - index) > OFF_GRID:
            off_grid.append(row)
        if index > len(counts):
            gaps.append(row)
            counts.extend([0.0] * (index - len(counts)))
        counts.append(row.value)
    if gaps:
        missing = f"missing buckets of {width:g} s, counted as 0: {len(counts) - len(rows)}"
        _warn(name, f"gaps: {len(gaps)}, the first before row {gaps[0].row}; {missing}")
    if off_grid:
        problem = f"stamps off the grid of {width:g} s by more than {OFF_GRID:.0%}: {len(off_grid)}"
        _warn(name, f"{problem}, the first in row {off_grid[0].row}; each counts in the nearest bucket")
    return tuple(counts)
