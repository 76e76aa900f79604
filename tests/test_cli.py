"""The command line: what it prints where, its exit status, and one clear line for anything that is wrong."""

import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from importlib import import_module
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

import msgsim as ms
from msgsim import cli
from msgsim.errors import AuditError
from msgsim.run import Run
from msgsim.study.costs import ledger
from msgsim.study.doctor import diagnose

SMALL = """
title = "small"
horizon = 600
[queues.q]
[queues.dead]
[traffic.t]
to = "q"
rate = [2, {type = "spike", at = 60, height = 10, hold = 60}]
[workers.w]
queue = "q"
count = 2
service_time = 0.3
"""

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def small(tmp_path: Path) -> str:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return str(path)


def one_line(capsys: Capture) -> str:
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("msgsim: ")
    return err[len("msgsim: ") : -1]


# ---------------------------------------------------------------- run


def test_a_run_prints_its_summary(small: str, capsys: Capture) -> None:
    assert cli.main(["run", small, "--seed", "7"]) == 0
    out, err = capsys.readouterr()
    assert out == ms.simulate(ms.load(small), seed=7).summary().rstrip() + "\n"
    assert err == ""


def test_a_run_writes_its_files_and_says_where(small: str, tmp_path: Path, capsys: Capture) -> None:
    targets = {kind: tmp_path / f"out.{kind}" for kind in ("report", "json", "csv")}
    options = [item for kind, path in targets.items() for item in (f"--{kind}", str(path))]
    assert cli.main(["run", small, *options]) == 0
    assert capsys.readouterr().out.splitlines()[-3:] == [f"{kind} written to {path}" for kind, path in targets.items()]
    run = ms.simulate(ms.load(small))
    assert targets["json"].read_text() == run.to_json()
    assert targets["csv"].read_text() == run.to_csv()
    assert targets["report"].read_text().startswith("<!")


def test_slices_change_nothing(small: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli.course, "GROWTH", 1.5)
    assert cli.main(["run", small, "--quiet", "--json", str(tmp_path / "a.json")]) == 0
    assert (tmp_path / "a.json").read_text() == ms.simulate(ms.load(small)).to_json()


def test_what_is_no_file_is_written_to_all_the_same(small: str) -> None:
    assert cli.main(["run", small, "--quiet", "--json", "/dev/null", "--csv", "/dev/null"]) == 0
    assert not Path("/dev/null").is_file()


def test_quiet_prints_nothing(small: str, capsys: Capture) -> None:
    assert cli.main(["run", small, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("90", 90),
        ("1.5", 1.5),
        ("9e1", 90),
        ("90s", 90),
        ("2m", 120),
        ("1h30m", 5400),
        ("2 h", 7200),
        ("1d", 86400),
        ("500ms", 0.5),
    ],
)
def test_durations_have_units(written: str, seconds: float) -> None:
    assert cli.options.seconds("--until", written) == seconds


def test_options_reach_the_run(small: str, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    options = ["--until", "5m", "--warm-up", "0.5m", "--probe", "30", "--seed", "3", "--quiet", "--json", str(out)]
    changes = ["--set", "workers.w.count=5", "--set", "queues.q.redrive={to='dead', max_receive_count=3}"]
    assert cli.main(["run", small, *options, *changes]) == 0
    varied = (
        ms.load(small).vary("workers.w.count", 5).vary("queues.q.redrive", ms.Redrive(to="dead", max_receive_count=3))
    )
    assert out.read_text() == ms.simulate(varied, 300.0, 3, warm_up=30.0, probe=30.0).to_json()
    assert json.loads(out.read_text())["until"] == 300


def test_a_warm_up_of_nothing_is_fine(small: str) -> None:
    assert cli.main(["run", small, "--warm-up", "0", "--quiet"]) == 0


def test_warnings_are_lines(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "gaps.csv").write_text("timestamp,value\n0,6\n60,12\n120,1\n240,5\n")
    path = tmp_path / "trace.toml"
    path.write_text('horizon = 60\n[queues.q]\n[traffic.t]\nto = "q"\nrate = {type = "trace", file = "gaps.csv"}')
    assert cli.main(["run", str(path), "--quiet"]) == 0
    assert one_line(capsys).startswith(f"warning: {tmp_path / 'gaps.csv'}: gaps: 1, the first before row 5")


def test_progress_is_shown_on_a_terminal(small: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli.course, "PATIENCE", 0)
    monkeypatch.setattr(cli.course, "SLICE", 0)
    monkeypatch.setattr(cli.course, "FIRST_SLICE", 0.05)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert cli.main(["run", small]) == 0
    err = capsys.readouterr().err
    assert "x real time" in err
    assert "messages/s" in err
    assert cli.main(["run", small, "--quiet"]) == 0
    assert capsys.readouterr().err == ""


# ---------------------------------------------------------------- Ctrl-C


def press(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Ctrl-C after a minute of simulated time."""
    inner = ms.Simulation.run

    def run(self: ms.Simulation, until: float) -> None:
        inner(self, until)
        if until > 60:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(ms.Simulation, "run", run)


def test_ctrl_c_prints_what_has_happened_so_far(
    small: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    press(monkeypatch, 1)
    out = tmp_path / "out.json"
    before = signal.getsignal(signal.SIGINT)
    assert cli.main(["run", small, "--json", str(out)]) == 130
    printed, err = capsys.readouterr()
    assert err.startswith("msgsim: interrupted at ")
    assert err.endswith(" of 10 min 00 s\n")
    assert "INTERRUPTED at" in printed
    written = json.loads(out.read_text())
    assert written["interrupted"]
    assert 60 < written["until"] < 600
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_again_ends_at_once(small: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    press(monkeypatch, 2)
    assert cli.main(["run", small]) == 130
    assert one_line(capsys) == "interrupted"


def test_a_run_in_another_thread_has_no_signals(small: str) -> None:
    status: list[int] = []
    thread = threading.Thread(target=lambda: status.append(cli.main(["run", small, "--quiet"])))
    thread.start()
    thread.join()
    assert status == [0]


def test_ctrl_c_reacts_in_the_middle_of_a_long_run() -> None:
    program = "import sys; from msgsim.cli import main; print('ready', flush=True); sys.exit(main())"
    process = subprocess.Popen(  # noqa: S603 - this very Python
        [sys.executable, "-c", program, "run", "order-processing", "--until", "1000d"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.startswith("msgsim: interrupted at ")
    assert "Traceback" not in err
    assert "INTERRUPTED at" in out


# ---------------------------------------------------------------- the same everywhere


def test_the_hash_seed_changes_no_byte(tmp_path: Path) -> None:
    written = []
    for hash_seed in ("0", "1"):
        path = tmp_path / f"{hash_seed}.json"
        subprocess.run(  # noqa: S603 - this very Python
            [
                sys.executable,
                "-m",
                "msgsim",
                "run",
                "black-friday",
                "--until",
                "60",
                "--quiet",
                "--json",
                str(path),
            ],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
        )
        written.append(path.read_bytes())
    assert written[0] == written[1]
    assert written[0]


def test_the_module_is_the_command(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr(sys, "argv", ["msgsim", "examples"])
    with pytest.raises(SystemExit) as raised:
        runpy.run_path(str(Path(ms.__file__).with_name("__main__.py")), run_name="__main__")
    assert raised.value.code == 0
    assert "order-processing" in capsys.readouterr().out
    assert import_module("msgsim.__main__").main is cli.main


# ---------------------------------------------------------------- examples, check, help


def test_examples_are_listed_with_titles(capsys: Capture) -> None:
    assert cli.main(["examples"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ", 1)[0].strip() for line in lines] == list(ms.examples())
    assert "order-processing       Online orders: three teams, then two emails" in lines


def test_an_example_is_printed_to_be_copied(tmp_path: Path, capsys: Capture) -> None:
    assert cli.main(["examples", "month-end"]) == 0
    copy = tmp_path / "mine.toml"
    copy.write_text(capsys.readouterr().out)
    assert copy.read_text().startswith("# A bank")
    assert ms.load(copy) == ms.load("month-end")


# ---------------------------------------------------------------- cost


def test_cost_prints_a_bill_and_writes_it(small: str, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "bill.json"
    options = ["--seed", "3", "--until", "5m", "--warm-up", "1m", "--set", "workers.w.count=5", "--free-tier", "--vdm"]
    sizes = ["--message-bytes", "70000", "--attachment-bytes", "5"]
    assert cli.main(["cost", small, *options, *sizes, "--json", str(out)]) == 0
    run = ms.simulate(ms.load(small).vary("workers.w.count", 5), 300.0, 3, warm_up=60.0)
    bill = ledger(run, free_tier=True, vdm=True, message_bytes=70_000, attachment_bytes=5)
    assert capsys.readouterr() == (f"{bill}\n", "")
    assert json.loads(out.read_text()) == bill.to_dict()


def test_prices_can_be_printed_changed_and_taken(small: str, tmp_path: Path, capsys: Capture) -> None:
    assert cli.main(["prices"]) == 0
    own = tmp_path / "mine.toml"
    own.write_text(capsys.readouterr().out.replace('currency = "USD"', 'currency = "EUR"'))
    assert cli.main(["cost", small, "--prices", str(own)]) == 0
    assert capsys.readouterr().out.startswith("EUR ")


def test_a_bill_that_cannot_be_is_a_line(small: str, tmp_path: Path, capsys: Capture) -> None:
    assert cli.main(["cost", small, "--prices", str(tmp_path / "none.toml")]) == 2
    assert "none.toml: cannot be read: No such file" in one_line(capsys)
    assert cli.main(["cost", small, "--json", str(tmp_path)]) == 2
    assert "--json: " in one_line(capsys)


def test_a_bill_that_cannot_be_written_is_a_line(
    small: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cli.options, "write_whole", full)
    path = tmp_path / "bill.json"
    assert cli.main(["cost", small, "--json", str(path)]) == 2
    assert one_line(capsys) == f"--json: {path}: cannot be written: No space left on device"


def test_an_interrupted_run_has_a_bill(small: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    advance = cli.cost.advance

    def stopped(simulation: ms.Simulation, end: float, stop: Any, bar: Any) -> bool:
        advance(simulation, end / 2, stop, bar)
        return False

    monkeypatch.setattr(cli.cost, "advance", stopped)
    assert cli.main(["cost", small]) == 130
    out, err = capsys.readouterr()
    assert "per month" in out
    assert err == "msgsim: interrupted at 5 min 00 s of 10 min 00 s\n"


# ---------------------------------------------------------------- check


def test_check_prints_an_inventory(small: str, capsys: Capture) -> None:
    assert cli.main(["check", small]) == 0
    inventory = "0 topics, 2 queues, 0 outboxes, 1 traffic source, 1 worker pool; horizon 600 s (10 min 00 s)"
    assert capsys.readouterr() == (f"{small}: fine: {inventory}\n{diagnose(ms.load(small))}\n", "")


def test_check_tells_what_may_go_wrong_and_is_strict_if_asked(small: str, tmp_path: Path, capsys: Capture) -> None:
    path, out = tmp_path / "slow.toml", tmp_path / "found.json"
    path.write_text(SMALL.replace("service_time = 0.3", "service_time = 4"))
    assert cli.main(["check", str(path), "--until", "5m", "--seed", "3", "--json", str(out)]) == 0
    found = diagnose(ms.load(path), until=300.0, seed=3)
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.startswith(f"{path}: 2 warnings, 1 note: 0 topics")
    assert lines == str(found).splitlines()
    assert json.loads(out.read_text()) == found.to_dict()
    assert cli.main(["check", str(path), "--until", "5m", "--strict"]) == 1
    assert cli.main(["check", small, "--strict"]) == 0


def test_check_says_every_problem_in_a_line(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("[queues.q]\ndelay = 1000\ndely = 1\n")
    assert cli.main(["check", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    first, second = err.splitlines()
    assert first.startswith("msgsim: queues.q.dely: no field named 'dely'; did you mean 'delay'?")
    assert second == "msgsim: queues.q.delay: 1000 is not allowed; allowed: 0 to 900 [s] (SQS-DLY-1)"


@pytest.mark.parametrize("argv", [[], ["--help"]])
def test_help_names_the_commands(argv: list[str], capsys: Capture) -> None:
    assert cli.main(argv) == 0
    out = capsys.readouterr().out
    assert all(word in out for word in ("run", "examples", "check", "--version"))


def test_help_of_run_names_its_options(capsys: Capture) -> None:
    assert cli.main(["run", "--help"]) == 0
    out = capsys.readouterr().out
    options = ("--until", "--seed", "--warm-up", "--probe", "--set", "--report", "--json", "--csv", "--quiet")
    assert all(option in out for option in options)
    assert "--no-" not in out


def test_version(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("msgsim.formats.version", lambda _: "1.2.3")
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == "1.2.3\n"

    def missing(_: str) -> str:
        raise PackageNotFoundError

    monkeypatch.setattr("msgsim.formats.version", missing)
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == "unknown (not installed)\n"


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["run"], 'Command "run" parameter NAME_OR_FILE requires an argument'),
        (["run", "nope"], "no example or file named 'nope'; declared: appointment-reminders, black-friday"),
        (["run", "SMALL", "too", "many"], "Unused Tokens: ['too', 'many']"),
        (["run", "SMALL", "--sedd", "1"], "Unknown option: --sedd. Did you mean --seed?"),
        (["run", "SMALL", "--seed", "x"], "Invalid value for --seed: 'x' is not a whole number"),
        (["run", "SMALL", "--seed", "1.5"], "Invalid value for --seed: '1.5' is not a whole number"),
        (["run", "SMALL", "--report", ""], "--report: '' is not the path of a file"),
        (["run", "SMALL", "--until"], "--until requires an argument"),
        (["rn"], 'Unknown command "rn". Did you mean "run"?'),
        (["examples", "nope"], "no example named 'nope'"),
        (["check", "nope.toml"], "nope.toml: there is no such file"),
        (["run", "SMALL", "--until", "0"], "--until: 0.0 is not allowed; allowed: more than 0 [s]"),
        (["run", "SMALL", "--until", "-5"], "--until: '-5' is not a duration; allowed: seconds, or such as 90m"),
        (["run", "SMALL", "--until", "soon"], "--until: 'soon' is not a duration"),
        (["run", "SMALL", "--until", "1" * 50 + "x"], "--until: '1111"),
        (["run", "SMALL", "--until", "9e999"], "--until: inf is not allowed"),
        (["run", "SMALL", "--probe", "0"], "--probe: 0.0 is not allowed"),
        (["run", "SMALL", "--warm-up", "1h"], "warm_up: 3,600 s (1 h 00 min) leaves nothing of a run of 600 s"),
        (["run", "SMALL", "--set", "workers.w.count"], "--set: 'workers.w.count' is not PATH=VALUE"),
        (["run", "SMALL", "--set", "=5"], "--set: '=5' is not PATH=VALUE"),
        (["run", "SMALL", "--set", "workers.w.cuont=5"], "no field of workers.w named 'cuont'; did you mean 'count'?"),
        (["run", "SMALL", "--set", "nothing.at.all=5"], "no field of the scenario named 'nothing'"),
        (["run", "SMALL", "--set", "workers.w.count=many"], "workers.w.count: 'many' is neither a whole number nor"),
        (["run", "SMALL", "--set", "workers.w.count=0"], "workers.w.count: 0 is not allowed; allowed: 1 to 10000000"),
        (["run", "SMALL", "--set", "traffic.t.rate=-1"], "traffic.t.rate: -1 is not allowed; allowed: 0 or more"),
        (["run", "SMALL", "--set", "workers.w.handler=f"], "workers.w.handler: a file cannot hold a Python function"),
        (["run", "SMALL", "--set", "horizon=0"], "horizon: 0.0 is not allowed; allowed: more than 0"),
        (
            ["run", "SMALL", "--report", "/nope/report.html"],
            "--report: /nope/report.html: cannot be written: No such file",
        ),
        (["run", "SMALL", "--json", "SMALL/out.json"], "cannot be written: Not a directory"),
        (["run", "SMALL", "--json", "a\0b"], "--json: a\0b: cannot be written: embedded null "),
        (["run", "a\0b"], "a\0b: cannot be read: embedded null "),
        (["run", "SMALL", "--csv", "FOLDER"], ": is a folder"),
        (["run", "SMALL", "--csv", "SMALL"], "small.toml: the scenario is read from there"),
        (["run", "SMALL", "--json", "FOLDER/a", "--csv", "FOLDER/a"], "/a: --json is written there"),
    ],
)
def test_a_bad_command_line_is_one_line(argv: list[str], line: str, small: str, capsys: Capture) -> None:
    folder = str(Path(small).parent)
    before = sorted(Path(folder).iterdir())
    given = [item.replace("SMALL", small).replace("FOLDER", folder) for item in argv]
    assert cli.main(given) == 2
    assert line in one_line(capsys)
    assert sorted(Path(folder).iterdir()) == before


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("rate = [2,", "rate = [-2,"), "traffic.t.rate.0: -2 is not allowed; allowed: 0 or more [1/s]"),
        (("height = 10", "height = -10"), "traffic.t.rate.1.height: -10 is not allowed"),
        (("count = 2", "count = 0"), "workers.w.count: 0 is not allowed; allowed: 1 to 10000000, or a curve (shifts)"),
        (('queue = "q"', 'queue = "p"'), "workers.w.queue: no queue named 'p'; declared: dead, q"),
        (('to = "q"', 'to = "p"'), "traffic.t.to: no topic or queue named 'p'; declared: dead, q"),
        (
            (
                "[queues.dead]",
                "redrive = {to='dead', max_receive_count=3}\n[queues.dead]\nredrive={to='q', max_receive_count=3}",
            ),
            "queues.q.redrive.to: dead letters would go in a circle: q -> dead -> q",
        ),
        (("[queues.dead]", "delay = 901\n[queues.dead]"), "queues.q.delay: 901 is not allowed; allowed: 0 to 900 [s]"),
        (
            ("[queues.dead]", "[queues.dead]\n[topics.a]\nsubscriptions = [{endpoint='q', filter_policy={kind='x'}}]"),
            'topics.a.subscriptions.0.filter_policy: "kind" must be an object or an array',
        ),
        (
            ("height = 10", "hieght = 10, height = 1"),
            "traffic.t.rate.1.hieght: no field named 'hieght'; did you mean 'height'?",
        ),
        (("horizon = 600", "horizon = 0"), "horizon: 0 is not allowed; allowed: more than 0 [s]"),
        (("horizon = 600", "horizon = ,"), "small.toml: not TOML: Invalid value (at line 3, column 11)"),
        (("[2,", "[{type = 'trace', file = 'empty.csv'},"), "traffic.t.rate.0.file: {}/empty.csv: is empty"),
        (("[2,", "[{type = 'trace', file = 'binary.csv'},"), "traffic.t.rate.0.file: {}/binary.csv: not a text file"),
        (
            ("[2,", "[{type = 'trace', file = 'zeros.csv'},"),
            "traffic.t.rate.0.file: {}/zeros.csv: row 2: not a text file",
        ),
        (
            ("[2,", "[{type = 'trace', file = 'line.csv'},"),
            "traffic.t.rate.0.file: {}/line.csv: row 2: longer than 1,048",
        ),
        (
            ("[2,", "[{type = 'trace', file = 'no.csv'},"),
            "traffic.t.rate.0.file: {}/no.csv: cannot be read: No such file",
        ),
    ],
)
@pytest.mark.parametrize("command", ["run", "check"])
def test_a_bad_file_is_one_line(
    command: str, change: tuple[str, str], line: str, tmp_path: Path, capsys: Capture
) -> None:
    assert SMALL.count(change[0]) == 1
    (tmp_path / "small.toml").write_text(SMALL.replace(*change))
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)))
    (tmp_path / "line.csv").write_text("timestamp,value\n" + "1" * 2**21)
    with (tmp_path / "zeros.csv").open("wb") as stream:  # 200 MB without a line break, of which the disk holds a block
        stream.write(b"timestamp,value\n")
        stream.truncate(200 * 2**20)
    assert cli.main([command, str(tmp_path / "small.toml")]) == 2
    assert line.format(tmp_path) in one_line(capsys)


def test_a_report_needs_its_extra_before_anything_runs(
    small: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli.options, "find_spec", lambda _: None)
    monkeypatch.setattr(ms.Simulation, "run", None)
    assert cli.main(["run", small, "--report", str(tmp_path / "x.html")]) == 2
    assert one_line(capsys) == "this needs matplotlib, which is not installed: pip install 'msgsim[plot]'"


def test_a_full_disk_does_not_hide_the_summary(
    small: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Run, path: str) -> None:
        raise OSError(28, "No space left on device", path)

    monkeypatch.setattr(Run, "to_json", fail)
    path = tmp_path / "out.json"
    assert cli.main(["run", small, "--json", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out.startswith("small\n")
    assert err == f"msgsim: --json: {path}: cannot be written: No space left on device\n"


def test_books_that_do_not_balance_are_status_1(small: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def audit(_: Run) -> None:
        raise AuditError("a message is missing")

    monkeypatch.setattr(Run, "audit", audit)
    assert cli.main(["run", small]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("small\n")
    assert err == "msgsim: the books do not balance, which is a bug in msgsim: a message is missing\n"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MemoryError(), "too large for this machine (MemoryError)"),
        (RecursionError(), "too large for this machine (RecursionError)"),
        (OSError(5, "Input/output error"), "Input/output error"),
        (OSError("strange\ndevice"), "strange"),
        (KeyError("x"), "KeyError: 'x'; this is a bug in msgsim, please report it with its input"),
    ],
)
def test_what_the_machine_refuses_is_said(
    error: Exception, line: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(_: str) -> ms.Scenario:
        raise error

    monkeypatch.setattr(cli.check, "load", load)
    assert cli.main(["check", "x"]) == (1 if isinstance(error, KeyError) else 2)
    assert capsys.readouterr().err.startswith(f"msgsim: {line}\n")


# ---------------------------------------------------------------- pipes and terminals


def test_a_reader_that_has_seen_enough_is_no_error(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert cli.main(["examples", "order-processing"]) == 0
        monkeypatch.undo()
    assert capsys.readouterr().err == ""


def test_a_terminal_without_the_characters_is_no_error(small: str) -> None:
    done = subprocess.run(  # noqa: S603 - this very Python
        [sys.executable, "-m", "msgsim", "run", small],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"small\n")


def test_a_standard_output_of_another_kind_will_do(small: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Sink:
        def __init__(self) -> None:
            self.parts: list[str] = []

        def write(self, text: str) -> None:
            self.parts.append(text)

        def writelines(self, texts: Any) -> None:
            self.parts.extend(texts)

        def flush(self) -> None:
            pass

    sink = Sink()
    monkeypatch.setattr(sys, "stdout", sink)
    assert cli.main(["run", small]) == 0
    assert "".join(sink.parts).startswith("small\n")


def test_a_closed_standard_output_is_nobody_who_reads() -> None:
    command = f"{sys.executable} -m msgsim run order-processing --until 60 --warm-up 0 >&-"
    done = subprocess.run(["/bin/sh", "-c", command], check=False, capture_output=True, text=True)  # noqa: S603 - ours
    assert (done.returncode, done.stderr) == (0, "")
