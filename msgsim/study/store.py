"""Results files: every finished run of a study is kept in one SQLite file, and a study goes on from there."""

import json
import sqlite3
import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from os import PathLike, fspath
from pathlib import Path
from types import TracebackType
from typing import Self

from msgsim.errors import StudyError
from msgsim.study.jobs import Outcome
from msgsim.study.measures import Key

FORMAT = 1
"""Of the file; another one is not read."""

APPLICATION = 0x6D736773
"""What SQLite's header says of whose file it is: "msgs"."""

PATIENCE = 2.0
"""How long to wait for another process to let go of the file [s]."""

_TABLES = """
CREATE TABLE study (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE point (id INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL, columns TEXT NOT NULL);
CREATE TABLE run (
    point INTEGER NOT NULL REFERENCES point, replication INTEGER NOT NULL, "values" BLOB NOT NULL,
    violations TEXT NOT NULL, times BLOB NOT NULL, series TEXT NOT NULL, readings BLOB NOT NULL,
    PRIMARY KEY (point, replication)
);
"""


class ResultsFile:
    """A file of finished runs, open for one study at a time.

    Args:
        path: made if it is not there.
        terms: what all its runs have in common, in words; a file of runs with other terms is refused.

    Raises:
        StudyError: the file is another study's, another program's or in use, or it cannot be written.
    """

    __slots__ = ("_connection", "_points", "path")

    def __init__(self, path: "str | PathLike[str]", terms: Mapping[str, str]) -> None:
        self.path = _as_path(path)
        self._points: dict[str, int] = {}
        if not Path(self.path).absolute().parent.is_dir():
            raise StudyError(f"{self.path}: there is no such folder")
        with self._explained():
            self._connection = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)
        try:
            with self._explained():
                self._open(terms)
        except BaseException:
            self._connection.close()
            raise

    def _open(self, terms: Mapping[str, str]) -> None:
        run = self._connection.execute
        run("PRAGMA locking_mode = EXCLUSIVE")
        run("BEGIN EXCLUSIVE")
        [(application,)] = run("PRAGMA application_id").fetchall()
        [(tables,)] = run("SELECT count(*) FROM sqlite_master").fetchall()
        if not tables:
            for statement in _TABLES.split(";"):
                run(statement)
            run(f"PRAGMA application_id = {APPLICATION}")
            wanted = {"format": str(FORMAT), **terms}
            self._connection.executemany("INSERT INTO study VALUES (?, ?)", wanted.items())
        elif application != APPLICATION:
            raise StudyError(f"{self.path}: is a database of another program, and is left alone")
        run("COMMIT")
        self._check(terms)
        self._points = {key: place for place, key in run("SELECT id, key FROM point")}

    def _check(self, terms: Mapping[str, str]) -> None:
        found = dict(self._connection.execute("SELECT key, value FROM study"))
        if found.pop("format", None) != str(FORMAT):
            raise StudyError(f"{self.path}: was written by another version of msgsim, in another format")
        for key in sorted(found.keys() | terms.keys()):
            before, now = found.get(key, "nothing"), terms.get(key, "nothing")
            if before != now:
                difference = f"its {key} is {before}, not {now}"
                if "\n" in before + now:
                    difference = f"its {key} is another one ({_first_difference(before, now)})"
                raise StudyError(f"{self.path}: holds the runs of another study: {difference}; choose another file")

    def finished(self, points: Sequence[str], replications: range) -> Iterator[tuple[tuple[int, int], Outcome]]:
        """The runs that are there already, by place.

        Args:
            points: the keys of the design points.
            replications: which of each.
        """
        with self._explained():
            for place, key in enumerate(points):
                if key not in self._points:
                    continue
                identity = self._points[key]
                [(written,)] = self._connection.execute("SELECT columns FROM point WHERE id = ?", (identity,))
                columns = tuple((sys.intern(entity), sys.intern(measure)) for entity, measure in json.loads(written))
                rows = self._connection.execute(
                    'SELECT replication, "values", violations, times, series, readings FROM run'
                    " WHERE point = ? AND replication >= ? AND replication < ? ORDER BY replication",
                    (identity, replications.start, replications.stop),
                )
                for replication, values, violations, times, series, readings in rows:
                    yield (place, replication), _outcome(columns, values, violations, times, series, readings)

    def save(self, point: str, replication: int, outcome: Outcome) -> None:
        """Keep a finished run; it is on the disk when this returns.

        Raises:
            StudyError: it cannot be written, as when the disk is full.
        """
        with self._explained():
            run = self._connection.execute
            run("BEGIN")
            try:
                if point not in self._points:
                    cursor = run("INSERT INTO point (key, columns) VALUES (?, ?)", (point, json.dumps(outcome.columns)))
                    self._points[point] = int(cursor.lastrowid or 0)
                keys = json.dumps(list(outcome.series))
                readings = b"".join(_bytes(values) for values in outcome.series.values())
                row = (
                    self._points[point],
                    replication,
                    _bytes(outcome.numbers),
                    json.dumps(outcome.violations),
                    _bytes(outcome.times),
                    keys,
                    readings,
                )
                run("INSERT OR REPLACE INTO run VALUES (?, ?, ?, ?, ?, ?, ?)", row)
                run("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # SQLite may have done so itself
                    run("ROLLBACK")
                self._points = {key: place for place, key in run("SELECT id, key FROM point")}
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def _explained(self) -> "_Explained":
        return _Explained(self.path)


def _as_path(path: object) -> str:
    """The path of a file that will be there afterwards: SQLite has names for some that will not."""
    given = fspath(path) if isinstance(path, (str, PathLike)) else path
    if not isinstance(given, str) or given in {"", ":memory:"}:
        raise StudyError(f"{path!r} is no results file; allowed: the path of one, such as study.sqlite")
    return given


class _Explained:
    """SQLite's errors in words, with the file and what to do."""

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(error, sqlite3.Error):
            return
        if "locked" in str(error):
            problem = "another study is writing it; give each study a file of its own, or wait for that one"
        elif "not a database" in str(error):
            problem = "is there already, and is no results file; it is left alone"
        elif "full" in str(error):
            problem = "the disk is full; the runs that had been written are there, and the study can go on from them"
        elif getattr(error, "sqlite_errorname", "") == "SQLITE_IOERR_WRITE":
            problem = (
                "cannot be written any more: a quota, a limit of file sizes or a fault of the disk; the runs that had "
                "been written are there, and the study can go on from them"
            )
        else:
            problem = f"cannot be used as a results file: {error}"
        raise StudyError(f"{self._path}: {problem}") from error


def _outcome(
    columns: tuple[Key, ...], values: bytes, violations: str, times: bytes, series: str, readings: bytes
) -> Outcome:
    flat = _array(readings)
    keys = [(entity, metric) for entity, metric in json.loads(series)]
    length = len(flat) // len(keys) if keys else 0
    parts = {key: flat[place * length : (place + 1) * length] for place, key in enumerate(keys)}
    return Outcome(columns, _array(values), tuple(json.loads(violations)), _array(times), parts)


def _bytes(values: "array[float]") -> bytes:
    """Eight bytes a number, the least significant first."""
    if sys.byteorder == "big":  # pragma: no cover - rare machines
        values = array("d", values)
        values.byteswap()
    return values.tobytes()


def _array(source: bytes) -> "array[float]":
    values = array("d", source)
    if sys.byteorder == "big":  # pragma: no cover - rare machines
        values.byteswap()
    return values


def _first_difference(before: str, now: str) -> str:
    """The first line in which two texts differ."""
    pairs = zip([*before.splitlines(), ""], [*now.splitlines(), ""], strict=False)
    one, other = next((pair for pair in pairs if pair[0] != pair[1]), (before, now))
    return f"{one.strip() or 'nothing'} there, {other.strip() or 'nothing'} here"
