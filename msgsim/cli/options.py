"""Options that several commands have: durations, changes, files to write."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from io import StringIO
from json import dumps
from os.path import realpath
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from msgsim.declare import DAY, HOUR, MINUTE, check_number
from msgsim.errors import DeclarationError, MissingExtra, UnknownName
from msgsim.files import vary_text
from msgsim.formats import exactly
from msgsim.scenario import Scenario
from msgsim.simulation import Simulation
from msgsim.writing import write_whole

UNITS = {"ms": 0.001, "s": 1.0, "m": MINUTE, "min": MINUTE, "h": HOUR, "d": DAY}

ARGUMENTS = {
    "between": "--between",
    "confidence": "--confidence",
    "find": "--find",
    "horizon": "--until",
    "most": "--most",
    "n_jobs": "--jobs",
    "patience": "--patience",
    "probe": "--probe",
    "replications": "--replications",
    "seed": "--seed",
    "tolerance": "--tolerance",
    "want": "--want",
    "warm_up": "--warm-up",
}
"""The options that stand for arguments of another name, or of the same."""

OWNERS = ("", "Experiment", "Simulation")
"""Whose arguments these are; the fields of a scenario may have the same names."""

PICTURES = (".png", ".svg", ".pdf")

_NUMBER = r"(\d+\.?\d*(?:[eE][+-]?\d+)?)"
_PART = re.compile(rf"{_NUMBER}\s*(ms|s|min|m|h|d)\s*", re.ASCII)
_DURATION = re.compile(rf"{_NUMBER}|(?:{_PART.pattern})+", re.ASCII)


def seconds(option: str, written: str, *, zero: bool = False) -> float:
    """A duration: seconds, or numbers with units."""
    written = written.strip()
    if not _DURATION.fullmatch(written):
        raise DeclarationError(
            option, f"{written!r} is not a duration; allowed: seconds, or such as 90m, 2h, 1d, 1h30m"
        )
    parts = _PART.findall(written)
    value = sum(float(size) * UNITS[unit] for size, unit in parts) if parts else float(written)
    check_number(option, value, above=not zero, unit="s")
    return value


def changed(scenario: Scenario, changes: Sequence[str], option: str = "--set") -> Scenario:
    """A scenario with changes, each PATH=VALUE, made in order."""
    for change in changes:
        path, equals, value = change.partition("=")
        if not equals or not path:
            raise DeclarationError(option, f"{change!r} is not PATH=VALUE, such as workers.mailers.count=12")
        with about(option):
            scenario = vary_text(scenario, path.strip(), value.strip())
    return scenario


@contextmanager
def about(option: str) -> Iterator[None]:
    """A context in which errors begin with the option that they are about."""
    try:
        yield
    except DeclarationError as error:
        raise DeclarationError(option, error.problem if error.path == "objective" else str(error)) from None
    except UnknownName as error:
        raise UnknownName(f"{option}: {error}") from None


@contextmanager
def named() -> Iterator[None]:
    """A context in which errors about an argument name the option that it came from."""
    try:
        yield
    except DeclarationError as error:
        owner, _, name = error.path.rpartition(".")
        if owner not in OWNERS or name not in ARGUMENTS:
            raise
        raise DeclarationError(ARGUMENTS[name], error.problem) from None


def prepared(
    scenario: Scenario,
    changes: Sequence[str],
    *,
    until: str | None,
    seed: int,
    warm_up: str | None,
    probe: str | None,
) -> tuple[Simulation, float]:
    """A simulation of a scenario with changes, and when it ends [s]."""
    scenario = changed(scenario, changes)
    end = scenario.horizon if until is None else seconds("--until", until)
    simulation = Simulation(
        scenario,
        seed=seed,
        warm_up=None if warm_up is None else seconds("--warm-up", warm_up, zero=True),
        probe=None if probe is None else seconds("--probe", probe),
        horizon=end,
    )
    if simulation.warm_up >= end:
        raise DeclarationError("warm_up", f"{exactly(simulation.warm_up)} leaves nothing of a run of {exactly(end)}")
    return simulation, end


def outputs(source: str, **given: str | None) -> dict[str, str]:
    """The files to write, by kind, after a trial that writes nothing."""
    targets = {kind: path for kind, path in given.items() if path is not None}
    taken = {realpath(source): "the scenario is read from there"}
    for kind, path in targets.items():
        if not path:
            raise DeclarationError(f"--{kind}", "'' is not the path of a file")
        problem = _why_not(path, taken)
        if kind == "plot" and Path(path).suffix.lower() not in PICTURES:
            problem = f"is no name of a picture; allowed: such as picture.png; {', '.join(PICTURES)}"
        if problem:
            raise DeclarationError(f"--{kind}", f"{path}: {problem}")
        taken[realpath(path)] = f"--{kind} is written there"
    if {"report", "plot"} & targets.keys() and find_spec("matplotlib") is None:
        raise MissingExtra("matplotlib", "plot")
    return targets


def write_all(
    targets: Mapping[str, str], writers: Mapping[str, Callable[[str], object]]
) -> tuple[list[str], DeclarationError | None]:
    """Write what is asked for, by kind: all that can be written, whatever becomes of the others.

    Returns:
        A line for each file that is written, and what is wrong with another one.
    """
    written = []
    failure: DeclarationError | None = None
    for kind, path in targets.items():
        try:
            writers[kind](path)
            written.append(f"{kind} written to {path}\n")
        except OSError as error:
            failure = DeclarationError(f"--{kind}", f"{path}: cannot be written: {error.strerror or error}")
    return written, failure


def _why_not(path: str, taken: dict[str, str]) -> str:
    """Why a file cannot be written; nothing if it can."""
    try:
        target = Path(realpath(path))
        if target.is_dir():
            return "is a folder"
        if target.exists() and not target.is_file():  # a pipe or a terminal: it may be written to twice
            return ""
        if str(target) in taken:
            return taken[str(target)]
        with NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}-"):
            return ""
    except (OSError, ValueError) as error:
        return f"cannot be written: {getattr(error, 'strerror', None) or error}"


def write_rows(path: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table as CSV.

    Raises:
        OSError: the path cannot be written; nothing is left half written.
    """
    sink = StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows(rows)
    write_whole(path, sink.getvalue())


def write_json(targets: Mapping[str, str], content: Any) -> None:
    """Write plain data to the file that is asked for, if one is."""
    if "json" not in targets:
        return
    path = targets["json"]
    try:
        write_whole(path, f"{dumps(content, indent=1, allow_nan=False)}\n")
    except OSError as error:
        raise DeclarationError("--json", f"{path}: cannot be written: {error.strerror or error}") from None
