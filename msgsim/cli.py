"""The command line: `msgsim run`, `msgsim outbox`, `msgsim cost`, `msgsim prices`, `msgsim examples`, `msgsim check`.

Exit status: 0 fine, 1 warnings of `msgsim check --strict`, or a bug in msgsim, such as books that do not balance, 2 bad
input (one line per problem), 130 ended by Ctrl-C.
"""

import re
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from importlib.util import find_spec
from json import dumps
from math import inf, nextafter
from os import O_WRONLY, devnull, dup2
from os import open as open_descriptor
from os.path import realpath
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import current_thread, main_thread
from time import perf_counter
from types import FrameType
from typing import Annotated, Any, Self, TextIO

from cyclopts import App, CycloptsError, Parameter, Token
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from msgsim.declare import DAY, HOUR, MINUTE, check_number
from msgsim.errors import AuditError, DeclarationError, MissingExtra, MsgsimError, no_such
from msgsim.files import example, examples, load, vary_text
from msgsim.formats import counted, duration, exactly, significant
from msgsim.quotas import UNLIMITED
from msgsim.run import Run
from msgsim.scenario import SECTIONS, Scenario
from msgsim.simulation import Simulation
from msgsim.study.costs import ledger
from msgsim.study.doctor import diagnose
from msgsim.study.prices import load_prices, shipped_text
from msgsim.writing import write_whole

FINE, OUR_BUG, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
WARNED = 1

UNITS = {"ms": 0.001, "s": 1.0, "m": MINUTE, "min": MINUTE, "h": HOUR, "d": DAY}

SLICE = 0.05
"""A run goes on in slices of about so much real time [s], and looks for Ctrl-C between them."""

FIRST_SLICE = 1e-9
"""The first slice, as a share of the run; nobody knows yet how long it takes. No other is shorter."""

GROWTH = 4.0
"""A slice is at most so many times as long as the one before."""

PATIENCE = 1.0
"""Runs shorter than this [s of real time] show no progress."""

NOUNS = {
    "topics": "topic",
    "queues": "queue",
    "outboxes": "outbox",
    "traffic": "traffic source",
    "workers": "worker pool",
}

_NUMBER = r"(\d+\.?\d*(?:[eE][+-]?\d+)?)"
_WHOLE = re.compile(r"[+-]?\d{1,300}", re.ASCII)
_PART = re.compile(rf"{_NUMBER}\s*(ms|s|min|m|h|d)\s*", re.ASCII)
_DURATION = re.compile(rf"{_NUMBER}|(?:{_PART.pattern})+", re.ASCII)


def _version() -> str:
    try:
        return version_of("msgsim")
    except PackageNotFoundError:  # run from its source folder
        return "unknown (not installed)"


def _whole(_kind: type, tokens: Sequence[Token]) -> int:
    """A whole number as it is written: what has a fraction is none, and is not rounded to one."""
    written = tokens[0].value.strip()
    if not _WHOLE.fullmatch(written):
        raise ValueError(f"{written!r} is not a whole number")  # becomes a CycloptsError that names the option
    return int(written)


app = App(
    name="msgsim",
    help="Simulate a message bus: topics, queues, workers and emails under traffic spikes, on virtual time.",
    version=_version,
    help_format="plaintext",
    print_error=False,
    exit_on_error=False,
    suppress_keyboard_interrupt=False,
    result_action="return_value",
)


@app.command(name="run")
def run_command(
    name_or_file: str,
    /,
    *,
    until: str | None = None,
    seed: Annotated[int, Parameter(converter=_whole)] = 0,
    warm_up: str | None = None,
    probe: str | None = None,
    changes: Annotated[tuple[str, ...], Parameter(name="--set", negative=(), show_default=False)] = (),
    report: str | None = None,
    json: str | None = None,
    csv: str | None = None,
    quiet: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
) -> int:
    """Run a scenario once and print what happened.

    Ctrl-C ends the run and prints what has happened so far; a second Ctrl-C ends it at once.

    Args:
        name_or_file: a built-in example (see "msgsim examples"), or a TOML file.
        until: simulated time to run: seconds, or 90m, 2h, 1d. The scenario's own horizon if it is left out.
        seed: of the random numbers; same scenario and seed, same run.
        warm_up: leave what happens before out of means and quantiles: seconds, or 90m, 2h, 1d.
        probe: time between two readings: seconds, or 90m, 2h, 1d. 1 % of the run, at most 60 s, if it is left out.
        changes: change a value, as PATH=VALUE: workers.mailers.count=12, traffic.shop.rate.1.height=500, 'queues.emails.redrive={to="dead", max_receive_count=3}'. Can be given again; changes are made in order.
        report: write a page with summary and pictures to this HTML file (needs matplotlib).
        json: write all numbers to this JSON file.
        csv: write the time series to this CSV file.
        quiet: print nothing but errors.
    """  # noqa: E501 - a parameter's help is one line
    scenario = load(name_or_file)
    targets = _outputs(name_or_file, report=report, json=json, csv=csv)
    simulation, end = _prepared(scenario, changes, until=until, seed=seed, warm_up=warm_up, probe=probe)
    with _stop_asked() as stop:
        finished = _advance(simulation, end, stop, _Bar(end, shown=not quiet and sys.stderr.isatty()))
    run = simulation.result(interrupted=not finished)
    return _conclude(run, end, targets, quiet=quiet)


@app.command(name="outbox")
def outbox_command(
    name_or_file: str,
    /,
    *,
    output: str | None = None,
    maildir: str | None = None,
    outbox: str | None = None,
    until: str | None = None,
    seed: Annotated[int, Parameter(converter=_whole)] = 0,
    to: str | None = None,
    subject: str | None = None,
    limit: Annotated[int, Parameter(converter=_whole)] = 100_000,
    force: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
) -> int:
    """Run a scenario once and write the emails that it sent, as a mail program reads them.

    Args:
        name_or_file: a built-in example (see "msgsim examples"), or a TOML file.
        output: write one mbox file.
        maildir: write a Maildir, a file for each email.
        outbox: whose emails; may be left out if there is but one.
        until: simulated time to run: seconds, or 90m, 2h, 1d. The scenario's own horizon if it is left out.
        seed: of the random numbers; same scenario and seed, same run.
        to: only those with this in a recipient's address; * stands for anything.
        subject: only those with this in the subject; * stands for anything.
        limit: only so many of the latest emails, before to and subject are looked at.
        force: replace what is there.
    """
    scenario = load(name_or_file)
    targets = {name: path for name, path in (("output", output), ("maildir", maildir)) if path is not None}
    if len(targets) != 1:
        raise DeclarationError("--output", "give either --output FILE.mbox or --maildir FOLDER")
    [(option, path)] = targets.items()
    if not path:
        raise DeclarationError(f"--{option}", "'' is not the path of a file")
    if realpath(path) == realpath(name_or_file):
        raise DeclarationError(f"--{option}", f"{path}: the scenario is read from there")
    if Path(path).exists() and not force:
        raise DeclarationError(f"--{option}", f"{path}: is there already; --force replaces it")
    if not Path(realpath(path)).parent.is_dir():
        raise DeclarationError(f"--{option}", f"{path}: cannot be written: there is no such folder")
    name = _outbox(scenario, outbox)
    check_number("--limit", limit, low=1, high=UNLIMITED, unit="emails", integer=True)
    scenario = scenario.vary(f"outboxes.{name}.records", True).vary(f"outboxes.{name}.record_limit", limit)
    end = scenario.horizon if until is None else _seconds("--until", until)
    simulation = Simulation(scenario, seed=seed, horizon=end)
    with _stop_asked() as stop:
        finished = _advance(simulation, end, stop, _Bar(end, shown=sys.stderr.isatty()))
    account = simulation.outboxes[name]
    found = account.sent.search(to=to, subject=subject)
    (found.save_mbox if option == "output" else found.save_maildir)(path, overwrite=force)
    sys.stdout.write(f"{len(found)} of {account.accepted} emails of {name} written to {path}\n")
    if finished:
        return FINE
    return _complain(f"interrupted at {duration(simulation.now)} of {duration(end)}", INTERRUPTED)


@app.command(name="cost")
def cost_command(
    name_or_file: str,
    /,
    *,
    until: str | None = None,
    seed: Annotated[int, Parameter(converter=_whole)] = 0,
    warm_up: str | None = None,
    changes: Annotated[tuple[str, ...], Parameter(name="--set", negative=(), show_default=False)] = (),
    prices: str | None = None,
    free_tier: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    message_bytes: float | None = None,
    attachment_bytes: float | None = None,
    vdm: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    json: str | None = None,
) -> int:
    """Run a scenario once and print what it costs, and 30 days of such traffic.

    The month is that of the run without its warm-up, over and over: run what repeats itself, such as a whole day.

    Args:
        name_or_file: a built-in example (see "msgsim examples"), or a TOML file.
        until: simulated time to run: seconds, or 90m, 2h, 1d. The scenario's own horizon if it is left out.
        seed: of the random numbers; same scenario and seed, same run.
        warm_up: leave what happens before out of the month: seconds, or 90m, 2h, 1d.
        changes: change a value, as PATH=VALUE: workers.mailers.count=12. Can be given again; changes are made in order.
        prices: a TOML file with prices of your own; "msgsim prices" prints those that are taken otherwise.
        free_tier: take off what is free each month. It is an account's, for all its traffic.
        message_bytes: size of all messages; what the scenario declares if it is left out.
        attachment_bytes: size of the attachments of each email.
        vdm: the Virtual Deliverability Manager of SES is switched on.
        json: write the bill to this JSON file, too.
    """
    scenario = load(name_or_file)
    targets = _outputs(name_or_file, json=json)
    simulation, end = _prepared(scenario, changes, until=until, seed=seed, warm_up=warm_up, probe=None)
    listed = load_prices(prices)
    with _stop_asked() as stop:
        finished = _advance(simulation, end, stop, _Bar(end, shown=sys.stderr.isatty()))
    bill = ledger(
        simulation.result(interrupted=not finished),
        listed,
        free_tier=free_tier,
        message_bytes=message_bytes,
        attachment_bytes=attachment_bytes,
        vdm=vdm,
    )
    _write_json(targets, bill.to_dict())
    sys.stdout.write(f"{bill}\n")
    if finished:
        return FINE
    return _complain(f"interrupted at {duration(simulation.now)} of {duration(end)}", INTERRUPTED)


@app.command(name="prices")
def prices_command() -> None:
    """Print the prices that "msgsim cost" takes, as TOML to start your own from.

    msgsim prices > mine.toml
    """
    sys.stdout.write(shipped_text())


@app.command(name="examples")
def examples_command(name: str | None = None, /) -> None:
    """List the built-in examples, or print one as TOML to start your own from.

    msgsim examples order-processing > mine.toml

    Args:
        name: of the example to print.
    """
    if name is not None:
        sys.stdout.write(example(name))
        return
    titles = examples()
    width = max(map(len, titles))
    sys.stdout.writelines(f"{name:<{width}}  {title}\n" for name, title in titles.items())


@app.command(name="check")
def check_command(
    file: str,
    /,
    *,
    until: str | None = None,
    seed: Annotated[int, Parameter(converter=_whole)] = 0,
    strict: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    json: str | None = None,
) -> int:
    """Check a scenario file, and look for what is likely to go wrong.

    Warnings and notes come from what is declared, and from a short simulation. Each says where, what was found, what to
    do, and by which rules of the services. They change the exit status with --strict only.

    Args:
        file: a TOML file, or the name of a built-in example.
        until: simulated time to run: seconds, or 90m, 2h, 1d. As much as takes a second or two if it is left out.
        seed: of the random numbers; same scenario and seed, same findings.
        strict: exit with status 1 if there are warnings; notes do not count.
        json: write the findings to this JSON file, too.
    """
    scenario = load(file)
    targets = _outputs(file, json=json)
    found = diagnose(scenario, until=None if until is None else _seconds("--until", until), seed=seed)
    _write_json(targets, found.to_dict())
    verdict = found.verdict if found.warnings else "fine"
    sys.stdout.write(f"{file}: {verdict}: {_inventory(scenario)}\n{found}\n")
    return WARNED if strict and found.warnings else FINE


def main(argv: Sequence[str] | None = None) -> int:
    """The `msgsim` command.

    Args:
        argv: arguments; None for the process's own.

    Returns:
        The exit status.
    """
    if sys.stdout is None:  # it was closed before we began
        sys.stdout = Path(devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for the rest of the process
    with suppress(AttributeError, ValueError):  # a terminal that cannot show a character shows another
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        with _warnings_in_a_line():
            status = app(sys.argv[1:] if argv is None else list(argv))
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output has seen enough
        _discard(sys.stdout)
        return FINE
    except (CycloptsError, MsgsimError, OSError, MemoryError, RecursionError) as error:
        return _complain(_in_words(error), OUR_BUG if isinstance(error, AuditError) else BAD_INPUT)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - no input gives a traceback, not even one that finds a bug
        problem = f"{type(error).__name__}: {error}; this is a bug in msgsim, please report it with its input"
        return _complain(problem, OUR_BUG)
    return int(status or FINE)


# ---------------------------------------------------------------- before the run


def _seconds(option: str, written: str, *, zero: bool = False) -> float:
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


def _prepared(
    scenario: Scenario,
    changes: Sequence[str],
    *,
    until: str | None,
    seed: int,
    warm_up: str | None,
    probe: str | None,
) -> tuple[Simulation, float]:
    """A simulation of a scenario with changes, and when it ends [s]."""
    for change in changes:
        path, equals, value = change.partition("=")
        if not equals or not path:
            raise DeclarationError("--set", f"{change!r} is not PATH=VALUE, such as workers.mailers.count=12")
        scenario = vary_text(scenario, path.strip(), value.strip())
    end = scenario.horizon if until is None else _seconds("--until", until)
    simulation = Simulation(
        scenario,
        seed=seed,
        warm_up=None if warm_up is None else _seconds("--warm-up", warm_up, zero=True),
        probe=None if probe is None else _seconds("--probe", probe),
        horizon=end,
    )
    if simulation.warm_up >= end:
        raise DeclarationError("warm_up", f"{exactly(simulation.warm_up)} leaves nothing of a run of {exactly(end)}")
    return simulation, end


def _outputs(source: str, **given: str | None) -> dict[str, str]:
    """The files to write, by kind, after a trial that writes nothing."""
    targets = {kind: path for kind, path in given.items() if path is not None}
    taken = {realpath(source): "the scenario is read from there"}
    for kind, path in targets.items():
        if not path:
            raise DeclarationError(f"--{kind}", "'' is not the path of a file")
        problem = _why_not(path, taken)
        if problem:
            raise DeclarationError(f"--{kind}", f"{path}: {problem}")
        taken[realpath(path)] = f"--{kind} is written there"
    if "report" in targets and find_spec("matplotlib") is None:
        raise MissingExtra("matplotlib", "plot")
    return targets


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


def _outbox(scenario: Scenario, wanted: str | None) -> str:
    """The name of the outbox that is meant."""
    names = list(scenario.outboxes)
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted not in names:
        given = (
            no_such("outbox", wanted, names)
            if wanted is not None
            else f"say which; declared: {', '.join(names) or 'none'}"
        )
        raise DeclarationError("--outbox", given)
    return wanted


def _inventory(scenario: Scenario) -> str:
    members = [
        counted(len(getattr(scenario, section)), NOUNS[section], "outboxes" if section == "outboxes" else "")
        for section in SECTIONS
    ]
    return f"{', '.join(members)}; horizon {exactly(scenario.horizon)}"


# ---------------------------------------------------------------- the run


class _Stop:
    """Whether Ctrl-C has been pressed; the second time ends everything."""

    def __init__(self) -> None:
        self.asked = False

    def ask(self, _signal: int, _frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


@contextmanager
def _stop_asked() -> Iterator[_Stop]:
    stop = _Stop()
    if current_thread() is not main_thread():  # signals are the main thread's
        yield stop
        return
    before = signal.signal(signal.SIGINT, stop.ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


class _Bar:
    """Progress on standard error, for runs that take a while."""

    def __init__(self, end: float, *, shown: bool) -> None:
        self._end = end
        self._shown = shown
        self._began = self._looked = perf_counter()
        self._progress: Progress | None = None
        self._task: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def show(self, simulation: Simulation) -> None:
        """Show how far it is."""
        now = perf_counter()
        spent = now - self._began
        if not self._shown or spent < PATIENCE or now - self._looked < SLICE:
            return
        self._looked = now
        if self._progress is None:
            columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"))
            self._progress = Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False)
            self._task = self._progress.add_task("", total=self._end)
            self._progress.start()
        speed = f"{significant(simulation.now / spent)}x real time"
        pace = f"{significant(simulation.messages / spent)} messages/s"
        note = f"{duration(simulation.now)} of {duration(self._end)}, {speed}, {pace}"
        self._progress.update(self._task, completed=simulation.now, description=note, refresh=True)


def _advance(simulation: Simulation, end: float, stop: _Stop, bar: _Bar) -> bool:
    """Run to the end, in slices that are short in real time; False if it was stopped."""
    step = end * FIRST_SLICE
    with bar:
        while not stop.asked:
            now = simulation.now
            began = perf_counter()
            simulation.run(min(end, max(now + step, nextafter(now, inf))))
            if simulation.now >= end:
                return True
            step = max(step * min(GROWTH, SLICE / max(perf_counter() - began, 1e-9)), end * FIRST_SLICE)
            bar.show(simulation)
    return False


# ---------------------------------------------------------------- after the run


def _conclude(run: Run, end: float, targets: dict[str, str], *, quiet: bool) -> int:
    """Write the files first: whoever reads the summary may close it early."""
    written = []
    failure: DeclarationError | None = None
    writers: dict[str, Callable[[str], object]] = {"report": run.report, "json": run.to_json, "csv": run.to_csv}
    for kind, path in targets.items():
        try:
            writers[kind](path)
            written.append(f"{kind} written to {path}\n")
        except OSError as error:
            failure = DeclarationError(f"--{kind}", f"{path}: cannot be written: {error.strerror or error}")
    stopped = f"interrupted at {duration(run.until)} of {duration(end)}" if run.interrupted else ""
    if stopped:
        _complain(stopped, INTERRUPTED)
    if not quiet:
        sys.stdout.write(f"{run.summary().rstrip()}\n")
        sys.stdout.writelines(written)
        sys.stdout.flush()
    if failure is not None:
        raise failure
    run.audit()
    return INTERRUPTED if run.interrupted else FINE


def _write_json(targets: Mapping[str, str], content: Any) -> None:
    """Write plain data to the file that is asked for, if one is."""
    if "json" not in targets:
        return
    path = targets["json"]
    try:
        write_whole(path, f"{dumps(content, indent=1, allow_nan=False)}\n")
    except OSError as error:
        raise DeclarationError("--json", f"{path}: cannot be written: {error.strerror or error}") from None


# ---------------------------------------------------------------- words and pipes


def _in_words(error: Exception) -> str:
    if isinstance(error, CycloptsError):
        return f"{error} Try: msgsim --help"
    if isinstance(error, AuditError):
        return f"the books do not balance, which is a bug in msgsim: {error}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, (MemoryError, RecursionError)):
        return f"too large for this machine ({type(error).__name__})"
    return str(error)


def _complain(problem: str, status: int) -> int:
    """One line per problem on standard error; returns the status."""
    with suppress(OSError, ValueError):
        for line in problem.splitlines():
            text = f"msgsim: {' '.join(line.split())}\n"
            sys.stderr.write(text)
        sys.stderr.flush()
    return status


@contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        _complain(f"warning: {message}", FINE)

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = show
        yield


def _discard(stream: TextIO) -> None:
    """Let the interpreter's last flush go nowhere."""
    with suppress(OSError, ValueError, AttributeError):
        dup2(open_descriptor(devnull, O_WRONLY), stream.fileno())
