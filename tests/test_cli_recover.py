"""`msgsim explain` and `recover`: what they print and write, and their exit status."""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import msgsim as ms
from msgsim import cli
from msgsim.study.explanation import explain
from msgsim.study.metastability import METASTABLE, RETURNS, metastability
from msgsim.study.recovery import Recovery
from msgsim.study.triggers import Trigger

DESK = """
title = "desk"
horizon = 600
[queues.q]
visibility_timeout = 60
redrive = { to = "dead", max_receive_count = 100 }
[queues.dead]
[queues.idle]
[traffic.t]
to = "q"
rate = [1, {type = "spike", at = 100, height = 10, hold = 20}]
[workers.w]
queue = "q"
count = 10
batch_size = 1
service_time = 4
[workers.unused]
queue = "idle"
count = 1
service_time = 1
"""

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def desk(tmp_path: Path) -> str:
    path = tmp_path / "desk.toml"
    path.write_text(DESK)
    return str(path)


TRAP = ["--set", "workers.w.batch_size=10", "--set", "queues.q.visibility_timeout=12"]
"""Batches are small until there is a backlog; full ones take 40 s."""


# ---------------------------------------------------------------- explain


def test_formulas_stand_beside_what_happened(desk: str, tmp_path: Path, capsys: Capture) -> None:
    paths = {kind: tmp_path / f"out.{kind}" for kind in ("json", "csv")}
    files = [item for kind, path in paths.items() for item in (f"--{kind}", str(path))]
    options = ["--until", "5m", "--seed", "3", "--warm-up", "20", "--probe", "5", "--set", "workers.w.count=8"]
    assert cli.main(["explain", desk, *options, *files]) == 0
    run = ms.simulate(ms.load(desk).vary("workers.w.count", 8), until=300, seed=3, warm_up=20, probe=5)
    made = explain(run, "q")
    out, err = capsys.readouterr()
    assert err == ""
    assert out == (
        f"{made}\n\nNot explained: queues.idle: nothing was received after the warm-up: nothing to explain\n"
        + "".join(f"{kind} written to {path}\n" for kind, path in paths.items())
    )
    assert json.loads(paths["json"].read_text()) == {"queues": [made.to_dict()]}
    with paths["csv"].open() as lines:
        rows = {row["quantity"]: row for row in csv.DictReader(lines)}
    assert [row["queue"] for row in rows.values()] == ["q"] * len(made.lines)
    assert float(rows["mean waiting_time"]["M/M/c"]) == made.lines[2].forms["M/M/c"]
    assert rows["mean waiting_time"]["fluid"] == ""
    assert float(rows["utilization"]["simulated"]) == made.lines[0].simulated


def test_queues_are_chosen(capsys: Capture) -> None:
    command = ["explain", "black-friday", "--until", "5m", "--queue", "shipping", "--queue", "billing"]
    assert cli.main([*command, "--queue", "shipping"]) == 0
    out = capsys.readouterr().out
    heads = [line.partition(":")[0] for line in out.splitlines() if " deliveries/s for " in line]
    assert heads == ["shipping", "billing"]


def test_workers_that_drain_in_time_are_said(desk: str, capsys: Capture) -> None:
    assert cli.main(["explain", desk, "--queue", "q", "--within", "1m"]) == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("workers")]
    last = explain(ms.simulate(ms.load(desk)), "q", within=60).lines[-1]
    assert line.startswith(f"{last.quantity}  ")
    assert line.split()[-1] == f"{last.forms['fluid']:.0f}"


def test_explanations_can_be_quiet(desk: str, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "out.json"
    assert cli.main(["explain", desk, "--quiet", "--json", str(path)]) == 0
    assert capsys.readouterr() == ("", "")
    assert path.exists()


@pytest.mark.parametrize(
    ("until", "begins", "time"),
    [(200, "q: ", "3 min 20 s"), (10, "Not explained: queues.q: nothing was received after the warm-up", "10.0 s")],
)
def test_what_has_happened_so_far_is_explained(
    until: float, begins: str, time: str, desk: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(simulation: ms.Simulation, *_: Any) -> bool:
        simulation.run(until)
        return False

    monkeypatch.setattr("msgsim.cli.explain.advance", stopped)
    assert cli.main(["explain", desk, "--warm-up", "20"]) == 130
    out, err = capsys.readouterr()
    assert out.startswith(begins)
    assert err == f"msgsim: interrupted at {time} of 10 min 00 s\n"


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["--queue", "qq"], "--queue: no queue named 'qq'; did you mean 'q'? declared: dead, idle, q"),
        (["--queue", "dead"], "queues.dead: nobody works on it; closed forms are about queues with workers"),
        (["--queue", "q", "--queue", "idle"], "queues.idle: nothing was received after the warm-up"),
        (["--set", "traffic.t.rate=0"], "queues.q: nothing was received after the warm-up: nothing to explain"),
        (["--within", "0"], "--within: 0.0 is not allowed; allowed: more than 0 [s]"),
        (["--warm-up", "1h"], "warm_up: 3,600 s (1 h 00 min) leaves nothing of a run of 600 s"),
        (["--csv", "/nope/x.csv"], "--csv: /nope/x.csv: cannot be written: No such file or directory"),
    ],
)
def test_what_cannot_be_explained_is_one_line(argv: list[str], line: str, desk: str, capsys: Capture) -> None:
    assert cli.main(["explain", desk, *argv]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith(f"msgsim: {line}")


def test_without_workers_there_is_nothing_to_explain(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "idle.toml"
    path.write_text("[queues.q]\n")
    assert cli.main(["explain", str(path)]) == 2
    assert capsys.readouterr().err == "msgsim: workers: there are none; formulas are about queues with workers\n"


# ---------------------------------------------------------------- recover


def test_what_returns_is_said_with_its_times(desk: str, tmp_path: Path, capsys: Capture) -> None:
    paths = {kind: tmp_path / f"out.{kind}" for kind in ("json", "csv")}
    files = [item for kind, path in paths.items() for item in (f"--{kind}", str(path))]
    options = ["--until", "5m", "--seed", "3", "--probe", "3", "--replications", "2", "--set", "workers.w.count=12"]
    assert cli.main(["recover", desk, *options, *files]) == 0
    found = metastability(ms.load(desk).vary("workers.w.count", 12), 300, 3, probe=3, replications=2)
    out, err = capsys.readouterr()
    assert err == ""
    begin, heads, row, sentences = out.split("\n", 3)[0], *out.split("\n")[2:4], out.split("\n\n")[2]
    assert begin == "The worst of 2 replications:"
    assert heads.split("  ")[0] == "queue"
    every = [each for trial in found.queues["q"].trials for each in trial.recoveries]
    assert len(every) == 2
    assert row.startswith("q      traffic.t.rate.1, 1 min 40 s to 2 min 00 s  ")
    assert row.split("  ")[-3].strip() == ms.formats.duration(max(each.drain_time for each in every))
    assert " ".join(sentences.split()).startswith(f"- {found} 1 of 1 queue returns to normal. json written to")
    basis = {"title": "desk", "seed": 3, "patience": 4.0}
    assert json.loads(paths["json"].read_text()) == {**basis, **found.to_dict()}
    with paths["csv"].open() as lines:
        rows = list(csv.DictReader(lines))
    assert [(each["replication"], each["state"]) for each in rows] == [("0", RETURNS), ("1", RETURNS)]
    assert [float(each["drain_time"]) for each in rows] == [each.drain_time for each in every]
    assert [float(each["peak_visible"]) for each in rows] == [each.peak for each in every]
    assert [float(each["lost_to_retention"]) for each in rows] == [0, 0]


def test_what_does_not_return_fails(desk: str, capsys: Capture) -> None:
    command = ["recover", desk, *TRAP, "--set", "traffic.t.rate.1.hold=60", "--set", "traffic.t.rate.0=1.2"]
    assert cli.main([*command, "--replications", "1", "--patience", "2"]) == 1
    out, err = capsys.readouterr()
    assert "  not by the end  " in out
    assert "0 of 1 queue return to normal." in out
    assert err == "msgsim: q does not return to normal by itself\n"
    assert cli.main([*command, "--replications", "1", "--patience", "2", "--within", "1h", "--quiet"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[1] == "msgsim: --within: q is not drained by the end; allowed: 1 h 00 min"


def test_what_takes_too_long_fails(desk: str, capsys: Capture) -> None:
    assert cli.main(["recover", desk, "--replications", "1", "--within", "1h", "--quiet"]) == 0
    assert cli.main(["recover", desk, "--replications", "1", "--within", "0", "--quiet"]) == 1
    took = metastability(ms.load(desk), replications=1).queues["q"].drain_time
    line = f"msgsim: --within: q takes {ms.formats.duration(took)} to drain; allowed: 0 s\n"
    assert capsys.readouterr() == ("", line)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (["workers.w.count=5"], "q has not returned to normal yet; a longer --until or more --patience may tell"),
        (["workers.w.count=3"], "q grows without what disturbs it, too: it is overloaded"),
    ],
)
def test_why_it_is_not_back_is_said(changes: list[str], line: str, desk: str, capsys: Capture) -> None:
    given = [item for each in changes for item in ("--set", each)]
    assert cli.main(["recover", desk, "--quiet", "--replications", "1", "--patience", "1", *given]) == 1
    assert capsys.readouterr() == ("", f"msgsim: {line}\n")


def test_what_began_before_the_warm_up_does_not_count(desk: str, capsys: Capture) -> None:
    assert cli.main(["recover", desk, "--warm-up", "101"]) == 2
    assert capsys.readouterr().err.startswith("msgsim: scenario: nothing that goes away disturbs a queue with workers")


def test_a_few_of_many_triggers_have_lines(desk: str, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "out.csv"
    often = ["--set", "traffic.t.rate.1.every=60", "--set", "workers.w.count=20", "--set", "traffic.t.rate.1.hold=1"]
    assert cli.main(["recover", desk, *often, "--replications", "1", "--probe", "1", "--csv", str(path)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("q ")]
    assert len(lines) == 6
    assert lines[-1].split() == ["q", "and", "4", "others"]
    assert path.read_text().count("\nq,") == 9


def test_what_overlaps_is_named_in_part() -> None:
    some = [Trigger(start=60, end=120, paths=tuple("abcd"[:size])) for size in (1, 2, 4)]
    causes = [cli.recover._cause(Recovery(trigger=each, normal=0, peak=0, drain_time=0)) for each in some]
    time = "1 min 00 s to 2 min 00 s"
    assert causes == [f"a, {time}", f"a + b, {time}", f"a + b + 2 more, {time}"]


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["--within", "soon"], "--within: 'soon' is not a duration"),
        (["--patience", "0"], "--patience: 0.0 is not allowed; allowed: 1 to 1000"),
        (["--replications", "0"], "--replications: 0 is not allowed; allowed: 1 or more"),
        (["--replications", "1.5"], "Invalid value for --replications: '1.5' is not a whole number"),
        (["--probe", "1m"], "--probe: 60.0 is not allowed; allowed: "),
        (["--until", "0"], "--until: 0.0 is not allowed"),
        (["--warm-up", "mser5"], "--warm-up: 'mser5' is not a duration"),
        (["--set", "workers.w.count=0"], "--set: workers.w.count: 0 is not allowed"),
        (["--set", "traffic.t.rate=1"], "scenario: nothing that goes away disturbs a queue with workers"),
        (["--json", "/nope/x.json"], "--json: /nope/x.json: cannot be written: No such file or directory"),
    ],
)
def test_a_bad_command_line_is_one_line(argv: list[str], line: str, desk: str, capsys: Capture) -> None:
    assert cli.main(["recover", desk, *argv]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith(f"msgsim: {line}")


@pytest.mark.parametrize("command", ["explain", "recover"])
def test_a_file_that_fails_late_does_not_hide_the_rest(
    command: str, desk: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"msgsim.cli.{command}.write_rows", full)
    paths = [str(tmp_path / "out.csv"), str(tmp_path / "out.json")]
    assert cli.main([command, desk, "--csv", paths[0], "--json", paths[1]]) == 2
    out, err = capsys.readouterr()
    assert out.endswith(f"json written to {paths[1]}\n")
    assert err == f"msgsim: --csv: {paths[0]}: cannot be written: No space left on device\n"


def test_progress_is_shown_on_a_terminal(desk: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert cli.main(["recover", desk, "--replications", "1"]) == 0
    assert "0 of 2 runs" in capsys.readouterr().err
    assert cli.main(["recover", desk, "--replications", "1", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_ctrl_c_ends_it(desk: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def press(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("msgsim.cli.recover.metastability", press)
    assert cli.main(["recover", desk]) == 130
    assert capsys.readouterr() == ("", "msgsim: interrupted\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        ("explain black-friday --queue billing --within 5m", 0, "billing: "),
        ("recover black-friday --within 30m --replications 1", 0, "4 of 4 queues return to normal."),
    ],
)
def test_the_examples_of_the_help_have_answers(command: str, status: int, said: str, capsys: Capture) -> None:
    words = command.split()
    assert cli.main(words) == status
    assert said in capsys.readouterr().out
    assert cli.main([words[0], "--help"]) == 0
    assert f"msgsim {' '.join(words[:4])}" in capsys.readouterr().out


def test_a_trap_is_found(desk: str, tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    rates = ["--set", "traffic.t.rate.1.hold=60", "--set", "traffic.t.rate.0=1.2"]
    options = ["--replications", "1", "--patience", "2", "--json", str(path), "--quiet"]
    assert cli.main(["recover", desk, *TRAP, *rates, *options]) == 1
    [queue] = json.loads(path.read_text())["queues"]
    assert queue["state"] == METASTABLE
