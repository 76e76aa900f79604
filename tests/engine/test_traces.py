import re
import warnings
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from msgsim.engine.curves import Trace
from msgsim.engine.traces import LINE_LIMIT, TraceWarning, read_trace
from msgsim.errors import DeclarationError, TraceError

Write = Callable[[str | bytes], str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write the file `t.csv` into the current folder."""
    monkeypatch.chdir(tmp_path)

    def write(content: str | bytes) -> str:
        Path("t.csv").write_bytes(content.encode() if isinstance(content, str) else content)
        return "t.csv"

    return write


def read(path: str) -> tuple[tuple[float, ...], float, str]:
    return read_trace(path, "timestamp", "value")


def rows(*pairs: str) -> str:
    return "timestamp,value\n" + "\n".join(pairs) + "\n"


def problem(path: str) -> str:
    with pytest.raises(TraceError) as caught:
        read(path)
    assert caught.value.path == path
    assert "\n" not in str(caught.value)
    return str(caught.value)


PLAIN = rows("2014-04-10 00:04:00,94.0", "2014-04-10 00:09:00,56.0", "2014-04-10 00:14:00,187.0")
EXPECTED = ((94.0, 56.0, 187.0), 300.0, "2014-04-10 00:04:00")


def test_a_tidy_file_reads_without_a_word(write: Write) -> None:
    assert read(write(PLAIN)) == EXPECTED


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        "\ufeff" + PLAIN,
        PLAIN.rstrip("\n"),
        PLAIN + "\n\n  \n,\n",
        "\n\n" + PLAIN,
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", "|"),
        PLAIN.replace(",", " , "),
        re.sub(r"([^,\n]+)", r'"\1"', PLAIN),
        re.sub(r"$", ",", PLAIN.rstrip("\n"), flags=re.MULTILINE),
        PLAIN.replace("94.0", "9.4e1").replace("56.0", "+56"),
        re.sub(r"^(.*),(.*)$", r"\2,x y,\1", PLAIN, flags=re.MULTILINE),
        PLAIN.replace(",", ",,").replace(",,value", ",p50;p90;p99;max,value"),
    ],
)  # fmt: skip
def test_what_does_not_matter_does_not_matter(write: Write, content: str) -> None:
    assert read(write(content)) == EXPECTED


def test_a_row_may_end_in_empty_cells(write: Write) -> None:
    assert read(write(PLAIN.replace("94.0", "94.0,,"))) == EXPECTED


@pytest.mark.parametrize(
    "stamps",
    [
        ("2014-04-10T00:04:00", "2014-04-10T00:09:00"),
        ("2014-04-10T00:04:00Z", "2014-04-10T00:09:00Z"),
        ("2014-04-10T00:04:00.250Z", "2014-04-10T00:09:00.250Z"),
        ("2014-04-10T00:04:00,250", "2014-04-10T00:09:00,250"),
        ("2014-04-10T00:04:00+00:00", "2014-04-10T00:09:00+00:00"),
        ("2014-04-10 00:04:00-0700", "2014-04-10 00:09:00-07"),
        ("2014-04-10 00:04:00 +05:30", "2014-04-10 00:09:00 +05:30"),
        ("2014-04-10 00:04:00 UTC", "2014-04-10 00:09:00 UTC"),
        ("2014-04-10 00:04", "2014-04-10 00:09"),
        ("2014/04/10 00:04", "2014/04/10 00:09"),
        ("2014/04/10 00:04:00", "2014/04/10 00:09:00"),
        ("2014/4/10 0:04", "2014/4/10 0:09"),
        ("10 Apr 2014 00:04:00", "10 Apr 2014 00:09:00"),
        ("10-APR-2014 00:04", "10-APR-2014 00:09"),
        ("10 April 2014, 00:04", "10 April 2014, 00:09"),
        ("Thu, 10 Apr 2014 00:04:00 GMT", "Thu, 10 Apr 2014 00:09:00 GMT"),
        ("1397088240", "1397088540"),
        ("1397088240.5", "1397088540.5"),
        ("1397088240000", "1397088540000"),
        ("1397088240000000", "1397088540000000"),
        ("1397088240000000000", "1397088540000000000"),
        ("0", "300"),
        ("3.0E2", "6.0E2"),
        ("2014-12-31 23:58", "2015-01-01 00:03"),
        ("2014-04-10T01:04:00+01:00", "2014-04-10T00:09:00Z"),
    ],
)
def test_stamps_of_many_kinds_are_understood(write: Write, stamps: tuple[str, str]) -> None:
    first, second = (f'"{stamp}"' for stamp in stamps)
    assert read(write(rows(f"{first},1", f"{second},2"))) == ((1.0, 2.0), 300.0, stamps[0])


def test_days_need_no_clock(write: Write) -> None:
    assert read(write(rows("2016-02-28,1", "2016-02-29,2", "2016-03-01,3"))) == (
        (1.0, 2.0, 3.0),
        86_400.0,
        "2016-02-28",
    )


def test_zones_are_honoured_row_by_row(write: Write) -> None:
    # The night in which Berlin leaves summer time.
    assert ZoneInfo("Europe/Berlin")
    content = rows("2026-10-25T01:30:00+02:00,1", "2026-10-25T02:30:00+02:00,2", "2026-10-25T02:30:00+01:00,3")
    assert read(write(content))[:2] == ((1.0, 2.0, 3.0), 3600.0)


ACCEPTED = "accepted: 2026-01-31 23:59:00, "


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "t.csv: is empty"),
        ("\n \n\n", "t.csv: is empty"),
        ("timestamp,value\n", "t.csv: has a header but no rows"),
        ("timestamp,value\n\n,\n", "t.csv: has a header but no rows"),
        (rows("2014-04-10,5"), "t.csv: row 2 is the only one; the width of a bucket needs at least two"),
        ("time,requests\n2014-04-10,5\n", "t.csv: no column named 'timestamp'; columns: time, requests"),
        ("timestamp,requests\n2014-04-10,5\n", "t.csv: no column named 'value'; columns: timestamp, requests"),
        ("2014-04-10,5\n2014-04-11,5\n", "t.csv: no column named 'timestamp'; columns: 2014-04-10, 5"),
        ("timestamp,value,value\n", "t.csv: has more than one column 'value'"),
        (rows("2014-04-10,5", "2014-04-11"), "t.csv: row 3: has 1 columns, the header has 2"),
        (rows("2014-04-10,5", "2014-04-11,9,4"), "t.csv: row 3: has 3 columns, the header has 2"),
        (rows("2014-04-10,5", ",4"), "t.csv: row 3: the time is missing"),
        (rows("2014-04-10,5", "2014-04-11, "), "t.csv: row 3: the count is missing"),
        (rows("2014-04-10,5", "2014-04-11,-1"), "t.csv: row 3: count '-1' is not allowed; allowed: 0 or more"),
        (rows("2014-04-10,5", "2014-04-11,1e999"), "t.csv: row 3: count '1e999' is not allowed; allowed: 0 or more"),
        *[
            (
                rows("2014-04-10,5", f'2014-04-11,"{text}"'),
                f"t.csv: row 3: count {text!r} is not a number; allowed: 0 or more",
            )
            for text in ("nan", "inf", "-inf", "many", "1,234", "1_000", "5 %", "0x10", "\u0665", "-")
        ],
        (
            rows("2014-04-10,5", "2014-04-31,6"),
            "t.csv: row 3: time '2014-04-31' does not exist: day is out of range for month",
        ),
        (
            rows("2014-04-10 23:59:60,5", "2014-04-11,6"),
            "t.csv: row 2: time '2014-04-10 23:59:60' does not exist: second must be in 0..59",
        ),
        (
            rows("2014-04-10T00:00Z,5", "2014-04-11T00:00,6"),
            "t.csv: row 3: time '2014-04-11T00:00' is a time without a zone, the rows before have a time with a zone",
        ),
        (
            rows("1397088240,5", "1397088540000,6"),
            "t.csv: row 3: time '1397088540000' is a number of milliseconds, the rows before have a number of seconds",
        ),
        (
            rows("2014-04-10,5", "2014-04-11,6", "2014-04-12,6", "2014-04-11,6"),
            "t.csv: row 5: time '2014-04-11' is that of row 3, too",
        ),
        (rows("5,5", "5,6"), "t.csv: row 3: time '5' is that of row 2, too"),
        (rows("0,5", "1e-5,6", "2e-5,6"), "t.csv: the median spacing is 1e-05 [s]; allowed: 0.001 or more"),
        (
            rows("0,1", "1,1", "2,1", "1397088240,1"),
            "t.csv: row 5: time '1397088240' makes 1,397,088,241 buckets of 1 s; allowed: up to 10,000,000",
        ),
        (rows("2014-04-10,5", '2014-04-11,"6'), "t.csv: row 3: not a CSV: unexpected end of data"),
        (rows("2014-04-10,5", '2014-04-11,"6"7'), "t.csv: row 3: not a CSV: ',' expected after '\"'"),
        (rows("2014-04-10,5", "2014-04-11,6\0"), "t.csv: row 3: not a text file: it has NUL characters"),
        (PLAIN.encode("utf-16"), "t.csv: not a text file: it has bytes that are not UTF-8"),
        (bytes(range(128, 256)) * 9, "t.csv: not a text file: it has bytes that are not UTF-8"),
        (bytes(1000), "t.csv: row 1: not a text file: it has NUL characters"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::msgsim.engine.traces.TraceWarning")
def test_what_cannot_be_used_is_said_in_one_line(write: Write, content: str | bytes, message: str) -> None:
    assert problem(write(content)) == message


@pytest.mark.parametrize(
    "text",
    [
        "04/10/2014 00:04",
        "2014-04/10",
        "10 Foo 2014",
        "yesterday",
        "20140410",
        "20140410000400",
        "-300",
        "1e400",
        "nan",
        "2014-04-10 0:4",
        "2014-04-10 00:04 PM",
        "2014-04-10 00:04 CET",
    ],
)
def test_a_stamp_of_an_unknown_kind_is_shown_with_what_is_known(write: Write, text: str) -> None:
    said = problem(write(rows("2014-04-10,5", f'"{text}",6')))
    assert said.startswith(f"t.csv: row 3: time {text!r} is not understood; {ACCEPTED}")


def test_offsets_have_bounds(write: Write) -> None:
    said = problem(write(rows("2014-04-10 00:04+99:00,5")))
    assert said.startswith("t.csv: row 2: time '2014-04-10 00:04+99:00' does not exist: ")


def test_time_and_count_must_differ(write: Write) -> None:
    with pytest.raises(TraceError, match=r"^t\.csv: time and count are the same column, 'value'$"):
        read_trace(write(PLAIN), "value", "value")


def test_long_cells_are_shortened(write: Write) -> None:
    assert problem(write(rows(f"{'9' * 999},5"))).startswith(f"t.csv: row 2: time '{'9' * 40}...' is not understood")
    columns = ", ".join(["x" * 40 + "..."] * 20)
    words = f"no column named 'timestamp'; columns: {columns}, ..."
    assert problem(write(",".join(["x" * 99] * 50))) == f"t.csv: {words[:198]} ... {words[-197:]}"


def test_rows_are_counted_as_an_editor_counts_lines(write: Write) -> None:
    content = '\n"timestamp",note,value\n2014-04-10,"two\nlines",5\n\n2014-04-11,,bad\n'
    assert problem(write(content)) == "t.csv: row 6: count 'bad' is not a number; allowed: 0 or more"


def test_rows_out_of_order_are_sorted_and_said(write: Write) -> None:
    path = write(rows("2014-04-12,3", "2014-04-10,1", "2014-04-11,2", "2014-04-13,4"))
    with pytest.warns(TraceWarning) as caught:
        assert read(path) == ((1.0, 2.0, 3.0, 4.0), 86_400.0, "2014-04-10")
    assert [str(one.message) for one in caught] == [
        "t.csv: rows out of order: 2, the first is row 3; sorted by time",
    ]


def test_gaps_count_as_zero_and_are_said(write: Write) -> None:
    path = write(rows("0,1", "10,2", "40,3", "50,4", "60,5", "80,6"))
    with pytest.warns(TraceWarning) as caught:
        assert read(path) == ((1.0, 2.0, 0.0, 0.0, 3.0, 4.0, 5.0, 0.0, 6.0), 10.0, "0")
    assert [str(one.message) for one in caught] == [
        "t.csv: gaps: 2, the first before row 4; missing buckets of 10 s, counted as 0: 3",
    ]


def test_stamps_off_the_grid_count_in_the_nearest_bucket_and_are_said(write: Write) -> None:
    path = write(rows("0,1", "100,2", "200.9,3", "302,4", "400,5", "500,6"))
    with pytest.warns(TraceWarning) as caught:
        assert read(path) == ((1.0, 2.0, 3.0, 4.0, 5.0, 6.0), 100.0, "0")
    assert [str(one.message) for one in caught] == [
        "t.csv: stamps off the grid of 100 s by more than 1%: 1, the first in row 5; each counts in the nearest bucket",
    ]


@pytest.mark.filterwarnings("ignore::msgsim.engine.traces.TraceWarning")
def test_two_stamps_in_one_bucket_are_refused(write: Write) -> None:
    assert problem(write(rows("0,1", "10,2", "20,3", "22,4", "30,5", "40,6"))) == (
        "t.csv: row 5: is in the same bucket of 10 s as row 4"
    )


@pytest.mark.parametrize(("width", "noise"), [(300.0, 0.01), (0.1, 0.0), (0.25, 0.0), (1 / 64, 0.0), (100.5, 0.0)])
def test_noise_of_the_stamps_does_not_add_up(write: Write, width: float, noise: float) -> None:
    lines = [f"{1_397_088_240 + k * width + (k * 7 % 3 - 1) * noise:.6f},{k}" for k in range(3000)]
    counts, found, _ = read(write(rows(*lines)))
    assert found == width
    assert counts == tuple(range(3000))


def test_all_that_is_odd_is_said_at_once_to_who_can_change_it(write: Write) -> None:
    path = write(rows("100,2", "0,1", "200,3", "405,4"))
    with pytest.warns(TraceWarning) as caught:
        Trace.from_csv(path)
    assert len(caught) == 3
    assert {one.filename for one in caught} == {__file__}


def test_what_is_no_file_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert problem("missing.csv") == "missing.csv: cannot be read: No such file or directory"
    assert problem(".") == ".: cannot be read: Is a directory"
    assert problem("a\0b").startswith("a\0b: cannot be read: ")
    with pytest.raises(TraceError, match=r"^5: not a path of a file$"):
        read_trace(5, "timestamp", "value")  # type: ignore[arg-type]


def test_one_endless_line_is_refused_at_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Path("t.csv").open("wb") as file:
        file.write(b"timestamp,value\n")
        # Sparse, so that nobody pays for 200 MB; the first limit is all of it that may be looked at.
        file.write(b"7" * (LINE_LIMIT + 8192))
        file.truncate(200_000_000)
    assert problem("t.csv") == "t.csv: row 2: longer than 1,048,576 characters; not a CSV of counts"


def test_one_endless_cell_is_refused(write: Write) -> None:
    said = problem(write('timestamp,value\n2014-04-10,"' + "7\n" * 200_000))
    assert said.endswith("not a CSV: field larger than field limit (131072)")
    assert problem(write('"' + "x" * 500_000)).startswith("t.csv: no column named 'timestamp'; columns: ")


def test_a_line_just_within_the_limit_is_read(write: Write) -> None:
    pad = " " * 100_000
    assert read(write(rows(f"0,{pad}1", f"10,2{pad}"))) == ((1.0, 2.0), 10.0, "0")


def test_a_trace_error_is_a_declaration_error_and_a_value_error(write: Write) -> None:
    with pytest.raises(DeclarationError), warnings.catch_warnings():
        read(write(""))
    with pytest.raises(ValueError, match="is empty"):
        read(write(""))
