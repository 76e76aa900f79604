"""`msgsim study`, `plan`, `compare` and `run --assert`: what they print and write, and their exit status."""

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import msgsim as ms
from msgsim import cli
from msgsim.cli.levels import bounds, levels, split
from msgsim.errors import DeclarationError, StudyError
from msgsim.study import executors
from msgsim.study.objectives import parse
from msgsim.study.prices import shipped_text

TINY = """
title = "tiny"
horizon = 60
[queues.q]
[queues.dead]
[traffic.t]
to = "q"
rate = [1, {type = "spike", at = 10, height = 5, hold = 10}]
[workers.w]
queue = "q"
count = 1
service_time = {type = "exponential", mean = 0.3}
"""

FEW = ["--replications", "3", "--jobs", "1"]

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return str(path)


@pytest.fixture
def other(tmp_path: Path) -> str:
    path = tmp_path / "other.toml"
    path.write_text(TINY.replace('title = "tiny"', "").replace("count = 1", "count = 3"))
    return str(path)


def press_after(monkeypatch: pytest.MonkeyPatch, runs: int) -> None:
    """Ctrl-C after some runs."""
    perform, made = executors.perform, []

    def one(job: Any) -> Any:
        if len(made) == runs:
            raise KeyboardInterrupt
        made.append(job)
        return perform(job)

    monkeypatch.setattr(executors, "perform", one)


# ---------------------------------------------------------------- values of --vary


@pytest.mark.parametrize(
    ("written", "path", "values"),
    [
        ("workers.w.count=2,4, 8", "workers.w.count", [2, 4, 8]),
        (" workers.w.count = 2..4", "workers.w.count", [2, 3, 4]),
        ("workers.w.count=1,2..8..3,20", "workers.w.count", [1, 2, 5, 8, 20]),
        ("workers.w.count=[2, 3]", "workers.w.count", [2, 3]),
        ("queues.q.visibility_timeout=0.1..0.3..0.1", "queues.q.visibility_timeout", [0.1, 0.2, 0.3]),
        ("queues.q.visibility_timeout=30", "queues.q.visibility_timeout", [30]),
        ("title=a,it's b,'c,d',\"e,\\\"]f\"", "title", ["a", "it's b", "c,d", 'e,"]f']),
        ("title=\"1..3\",'a\\'", "title", ["1..3", "a\\"]),
        (
            "queues.q.redrive=[{to='dead', max_receive_count=3}, {to=\"dead\", max_receive_count=5}]",
            "queues.q.redrive",
            [ms.Redrive(to="dead", max_receive_count=3), ms.Redrive(to="dead", max_receive_count=5)],
        ),
    ],
)
def test_values_are_written_as_in_a_file(written: str, path: str, values: list[Any], tiny: str) -> None:
    assert levels(ms.load(tiny), written) == (path, values)
    assert [type(value) for value in levels(ms.load(tiny), written)[1]] == [type(value) for value in values]


def test_as_many_values_as_are_allowed_are_read(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("msgsim.cli.levels.MOST_POINTS", 6)
    assert levels(ms.load(tiny), "workers.w.count=1..6")[1] == [1, 2, 3, 4, 5, 6]
    with pytest.raises(DeclarationError, match="stands for 7 values; allowed: up to 6"):
        levels(ms.load(tiny), "workers.w.count=1..7")


def test_lists_of_lists_are_lists() -> None:
    assert split("x", "[1, 2],[3]") == ["[1, 2]", "[3]"]
    assert split("x", "") == [""]


@pytest.mark.parametrize(
    ("written", "line"),
    [
        ("workers.w.count", "'workers.w.count' is not PATH=V1,V2,..."),
        ("=2", "'=2' is not PATH=V1,V2,..."),
        ("workers.w.count=", "there are no values to vary it over"),
        ("workers.w.count=[ ]", "there are no values to vary it over"),
        ("workers.w.count=1,,2", "value 2 of '1,,2' is empty"),
        ("workers.w.count=[1,]", "value 2 of '[1,]' is empty"),
        ("workers.w.count=1,0,2", "workers.w.count: 0 is not allowed; allowed: 1 to"),
        ("workers.w.count=1,two,3", "workers.w.count: 'two' is neither a whole number nor a curve"),
        ("workers.w.count=1,2,1", "1 is there twice"),
        ("workers.w.count=5..2", "'5..2' is an empty range"),
        ("workers.w.count=1..5..-1", "'1..5..-1' is an empty range"),
        ("workers.w.count=0.5..3", "'0.5..3' needs a step; allowed: LOW..HIGH..STEP"),
        ("workers.w.count=1..100001", "stands for 100,001 values; allowed: up to 100,000"),
        ("workers.w.count=[1,2", "'[1,2' lacks a ] at its end"),
        ("workers.w.count=1],2", "'1],2' has a ] where none can end"),
        ('workers.w.count="1,2', 'lacks a " at its end'),
        ("workers.w.cuont=1,2", "no field of workers.w named 'cuont'; did you mean 'count'?"),
        ("workers.x.count=1,2", "no workers entry named 'x'; declared: w"),
        ("queues.q.redrive={to='nope', max_receive_count=3}", "queues.q.redrive.to: no queue named 'nope'"),
        ("warm_up=1,70", "70 s leaves nothing of a run of 60 s"),
    ],
)
def test_bad_values_are_refused_before_anything_runs(written: str, line: str, tiny: str, capsys: Capture) -> None:
    assert cli.main(["study", tiny, "--vary", written]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("msgsim: --vary: ")
    assert err.count("\n") == 1
    assert line in err


@pytest.mark.parametrize(
    ("written", "found"),
    [("1..50", (1, 50)), ("1,50", (1, 50)), ("0.5..2", (0.5, 2)), ("-3..1e3", (-3, 1000.0)), ("1.5,2.5", (1.5, 2.5))],
)
def test_bounds_are_whole_if_written_so(written: str, found: tuple[float, float]) -> None:
    assert bounds(written) == found
    assert [type(bound) for bound in bounds(written)] == [type(bound) for bound in found]


@pytest.mark.parametrize("written", ["", "x", "1", "1..", "..1", "1..2..3", "1..nan", "0..inf", "a..b"])
def test_what_is_no_range_is_refused(written: str) -> None:
    with pytest.raises(DeclarationError, match="is not a range; allowed: LOW"):
        bounds(written)


# ---------------------------------------------------------------- study


def test_a_study_prints_its_summary_and_writes_its_files(tiny: str, tmp_path: Path, capsys: Capture) -> None:
    targets = {kind: tmp_path / f"out.{kind}" for kind in ("json", "csv")}
    options = [item for kind, path in targets.items() for item in (f"--{kind}", str(path))]
    vary = ["--vary", "workers.w.count=1,2", "--vary", "queues.q.delay=0,1"]
    assert cli.main(["study", tiny, *vary, *FEW, *options, "--seed", "4", "--set", "title=other"]) == 0
    out, err = capsys.readouterr()
    experiment = ms.Experiment(ms.load(tiny).vary("title", "other"), replications=3, seed=4)
    study = experiment.vary("workers.w.count", [1, 2]).vary("queues.q.delay", [0, 1]).run("sequential")
    assert out == study.summary() + "".join(f"{kind} written to {path}\n" for kind, path in targets.items())
    assert err == ""
    assert targets["csv"].read_text() == study.to_csv()
    assert json.loads(targets["json"].read_text()) == {**study.to_dict(), "objectives": []}


def test_options_reach_the_study(tiny: str, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    options = ["--until", "0.5m", "--warm-up", "5", "--probe", "1", "--confidence", "0.9", "--quiet"]
    assert cli.main(["study", tiny, *FEW, *options, "--csv", str(path)]) == 0
    experiment = ms.Experiment(ms.load(tiny), replications=3, horizon=30, warm_up=5, probe=1)
    assert path.read_text() == experiment.run("sequential").to_csv()


def test_prices_of_ones_own_reach_studies(tiny: str, tmp_path: Path, capsys: Capture) -> None:
    prices, table = tmp_path / "mine.toml", tmp_path / "out.csv"
    prices.write_text(shipped_text().replace("worker_hour = 0.00", "worker_hour = 60.0"))
    dear = [*FEW, "--prices", str(prices), "--csv", str(table)]
    assert cli.main(["study", tiny, *dear, "--quiet", "--measure", "*.worker_hours.final"]) == 0
    with table.open() as lines:
        costs = [float(row["value"]) for row in csv.DictReader(lines) if row["metric"] == "cost.final"]
    assert [cost for cost in costs if cost > 1] == pytest.approx([1] * 3, rel=1e-3)
    measures = [item for name in ("cost", "worker_hours") for item in ("--measure", f"*.{name}.final")]
    assert cli.main(["compare", tiny, "--set-b", "workers.w.count=3", *dear, *measures]) == 0
    rows = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("*.")}
    assert rows["*.cost.final"][1:3] == ["1", "3"]
    assert rows["*.worker_hours.final"][1:3] == ["0.01667", "0.05"]
    find = ["plan", tiny, "--find", "workers.w.count", "--between", "1..3", "--such-that", "cost < 100_000"]
    assert cli.main([*find, *dear, "--want", "largest"]) == 0  # a worker is 43,200 a month
    assert "workers.w.count = 2 is the largest" in " ".join(capsys.readouterr().out.split())
    for command in (["study", tiny], ["compare", tiny, "--set-b", "workers.w.count=3"], find):
        assert cli.main([*command, "--prices", "nope.toml"]) == 2
        assert capsys.readouterr().err == "msgsim: nope.toml: cannot be read: No such file or directory\n"


def test_a_study_goes_on_until_it_is_precise_or_says_that_it_is_not(tiny: str, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "out.json"
    measure = "q.sojourn_time.mean"
    command = ["study", tiny, *FEW, "--measure", measure, "--json", str(path)]
    assert cli.main([*command, "--stop-when", f" {measure} = 20 % ", "--confidence", "0.9"]) == 0
    study = ms.Experiment(ms.load(tiny), replications=3).stop_when(
        "q", "sojourn_time.mean", relative=0.2, confidence=0.9
    )
    out = capsys.readouterr().out
    expected = study.run("sequential")
    assert expected.experiment.replications > 3
    assert out.startswith(expected.summary([("q", "sojourn_time.mean")], confidence=0.9))
    assert "precise" not in out
    assert cli.main([*command, "--stop-when", f"{measure}=1e-3", "--most", "4"]) == 0
    out, err = capsys.readouterr()
    said = "Not as precise as wanted after 4 replications, the most allowed: q.sojourn_time.mean within 0.001 (95 %)\n"
    assert said in out
    assert "as declared: " in out.partition(said)[2]
    assert err == ""
    [short] = json.loads(path.read_text())["imprecise"]
    assert (short["target"], short["n"], short["at"]) == (1e-3, 4, {})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--stop-when", "q.sojourn_time.mean"], "--stop-when: 'q.sojourn_time.mean' is not ENTITY.METRIC.STATISTIC="),
        (["--stop-when", "q.sojourn_time.mean=much"], "--stop-when: q.sojourn_time.mean: 'much' is no half width; "),
        (["--stop-when", "q.sojourn_time.mean=%"], "--stop-when: q.sojourn_time.mean: '%' is no half width; allowed: "),
        (["--stop-when", "q.sojourn_time.mean=0"], "--stop-when: q.sojourn_time.mean: 0.0 is not allowed; "),
        (["--stop-when", "q.sojourn_time.mean=nan"], "--stop-when: q.sojourn_time.mean: nan is not allowed; "),
        (["--stop-when", "q.sojurn_time.mean=5%"], "--stop-when: no metric of queue 'q' named 'sojurn_time'; did you"),
        (["--stop-when", "q.sent.total=5%", "--most", "2"], "--most: 2 is not allowed; allowed: 3 or more"),
        (["--most", "20"], "--most: is when --stop-when ends in any case; allowed: together with it"),
    ],
)
def test_what_is_no_precision(tiny: str, capsys: Capture, options: list[str], said: str) -> None:
    assert cli.main(["study", tiny, *FEW, *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"msgsim: {said}")


def test_one_replication_has_no_precision(tiny: str, capsys: Capture) -> None:
    assert cli.main(["study", tiny, "--replications", "1", "--stop-when", "q.sent.total=5%"]) == 2
    assert capsys.readouterr().err.startswith("msgsim: --replications: 1 is not allowed; allowed: 2 or more (one has")


def test_the_first_replications_may_be_more_than_the_most_that_nobody_said(
    tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("msgsim.cli.study.MOST", 2)
    assert cli.main(["study", tiny, *FEW, "--quiet", "--stop-when", "q.sent.total=500%"]) == 0


def test_a_warm_up_can_be_found(tiny: str, tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    options = ["--set", "traffic.t.rate=1", "--until", "20m", "--warm-up", "mser5", "--quiet"]
    assert cli.main(["study", tiny, *FEW, *options, "--json", str(path)]) == 0
    assert 0 <= json.loads(path.read_text())["warm_up"] < 600


def test_one_replication_is_fine_without_objectives(tiny: str, capsys: Capture) -> None:
    assert cli.main(["study", tiny, "--replications", "1", "--jobs", "1", "--measure", "q.sojourn_time.p99"]) == 0
    assert "1 replication" in capsys.readouterr().out


def test_measures_are_chosen(tiny: str, capsys: Capture) -> None:
    asked = ["q.sojourn_time.p99.9", "q.NumberOfMessagesSent.total", "*.cost.final", "q.drain_time.max"]
    assert cli.main(["study", tiny, *FEW, *(item for each in asked for item in ("--measure", each))]) == 0
    table = capsys.readouterr().out.split("\n\n")[1].splitlines()
    names = [line.split()[0] for line in table[2:]]
    assert names == ["q.sojourn_time.p99.9", "q.sent.total", "*.cost.final", "q.drain_time.max"]


@pytest.mark.parametrize(
    ("measure", "line"),
    [
        ("q", "'q' is not ENTITY.METRIC.STATISTIC, such as emails.sojourn_time.p99"),
        (".p99", "'.p99' is not ENTITY.METRIC.STATISTIC"),
        ("q.sojourn_time.p98", "no statistic named 'p98'; did you mean 'p99'?"),
        ("q.sojurn_time.p99", "no metric of queue 'q' named 'sojurn_time'; did you mean 'sojourn_time'?"),
        ("nope.sojourn_time.p99", "no entity named 'nope'; declared: dead, q, t, w"),
        ("q.visible.total", "q.visible is a gauge: it has mean"),
        ("dead.drain_time.max", "dead.drain_time.max: nothing disturbs dead"),
    ],
)
def test_unknown_measures_are_refused(measure: str, line: str, tiny: str, capsys: Capture) -> None:
    assert cli.main(["study", tiny, "--measure", measure]) == 2
    assert capsys.readouterr().err.startswith(f"msgsim: --measure: {line}")


def test_objectives_decide_the_exit_status(tiny: str, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "out.json"
    options = ["--vary", "workers.w.count=1,9", "--measure", "q.visible.max", "--json", str(path)]
    asserted = ["--assert", "mean(q.sojourn_time) < 2 min and cost < 500", "--assert", "mean(q.sojourn_time) < 0.5"]
    assert cli.main(["study", tiny, *FEW, *options, *asserted]) == 1
    out, err = capsys.readouterr()
    verdicts = out.partition("\nObjectives\n")[2].splitlines()[:4]
    states = [verdict.split(": ")[:2] for verdict in verdicts]
    assert states == [
        ["workers.w.count=1", "met"],
        ["workers.w.count=9", "met"],
        ["workers.w.count=1", "not met"],
        ["workers.w.count=9", "met"],
    ]
    assert err == f"msgsim: --assert: {verdicts[2]}\n"
    written = json.loads(path.read_text())["objectives"]
    assert [each["state"] for each in written] == ["met", "met", "not met", "met"]
    assert written[2]["at"] == {"workers.w.count": 1}
    assert written[2]["terms"][0]["low"] > 0.5
    assert written[2]["terms"][0]["n"] == 3
    assert cli.main(["study", tiny, *FEW, *options[:2], *asserted[:2]]) == 0


def test_what_is_not_sure_is_not_met_and_more_replications_may_tell(tiny: str, capsys: Capture) -> None:
    study = ms.Experiment(ms.load(tiny), replications=3).run("sequential")
    middle = study.estimate("q", "sojourn_time.mean").value
    assert cli.main(["study", tiny, *FEW, "--quiet", "--assert", f"mean(q.sojourn_time) < {middle}"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("msgsim: --assert: as declared: not sure: mean(q.sojourn_time) < ")
    assert err.endswith("; more replications may tell\n")


def test_nothing_to_look_at_is_not_met(tiny: str, capsys: Capture) -> None:
    assert cli.main(["study", tiny, *FEW, "--quiet", "--assert", "p99(dead.sojourn_time) < 5"]) == 1
    assert "p99(dead.sojourn_time) < 5: nan [-inf, inf] (95 %, n=0, 3 without a value)\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["--replications", "0"], "--replications: 0 is not allowed; allowed: 1 or more"),
        (["--replications", "two"], "Invalid value for --replications: 'two' is not a whole number"),
        (
            ["--replications", "1", "--assert", "cost < 5"],
            "--replications: 1 is not allowed; allowed: 2 or more (one has no interval for --assert)",
        ),
        (["--jobs", "0"], "--jobs: 0 is not allowed; allowed: 1 or more"),
        (["--confidence", "95"], "--confidence: 95.0 is not allowed; allowed: above 0, below 1"),
        (["--warm-up", "70"], "--warm-up: 70.0 leaves nothing of a run of 60.0 s"),
        (["--warm-up", "mser"], "--warm-up: 'mser' is not a duration"),
        (["--until", "0"], "--until: 0.0 is not allowed; allowed: more than 0"),
        (["--probe", "x"], "--probe: 'x' is not a duration"),
        (["--set", "workers.w.count=0"], "--set: workers.w.count: 0 is not allowed; allowed: 1 to"),
        (["--vary", "alternative=1"], "--vary: alternative: is the column of alternatives"),
        (["--assert", ""], "--assert: is empty; allowed: conditions joined by 'and'"),
        (["--assert", "p99(q.sojurn_time) < 5"], "--assert: p99(q.sojurn_time) < 5: no metric of queue 'q' named"),
        (["--results", "/nope/x.sqlite"], "--results: /nope/x.sqlite: cannot be written: No such file or directory"),
        (["--results", "TINY"], "the scenario is read from there"),
        (["--csv", "FOLDER/a", "--json", "FOLDER/a"], "--csv: FOLDER/a: --json is written there"),
        (["--plot", "FOLDER/a.gif", "--assert", "cost < 5"], "--plot: FOLDER/a.gif: is no name of a picture; allowed:"),
        (["--plot", "FOLDER/a.png"], "--plot: say what to draw, with --measure or --assert"),
    ],
)
def test_a_bad_command_line_is_one_line(argv: list[str], line: str, tiny: str, capsys: Capture) -> None:
    folder = str(Path(tiny).parent)
    given = [item.replace("TINY", tiny).replace("FOLDER", folder) for item in argv]
    assert cli.main(["study", tiny, *given]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert line.replace("FOLDER", folder) in err
    assert [path.name for path in Path(folder).iterdir()] == ["tiny.toml"]


def test_a_field_of_the_scenario_is_not_taken_for_an_option(tiny: str, capsys: Capture) -> None:
    assert cli.main(["plan", tiny, "--find", "horizon", "--between", "-1..1", "--such-that", "cost < 1"]) == 2
    assert capsys.readouterr().err.startswith("msgsim: --find: horizon: -1.0 is not allowed")


def test_scipy_is_needed_before_anything_runs(tiny: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("msgsim.cli.studies.find_spec", lambda _: None)
    assert cli.main(["study", tiny]) == 2
    assert capsys.readouterr().err == "msgsim: this needs scipy, which is not installed: pip install 'msgsim[study]'\n"


def test_a_study_goes_on_from_its_results_file(tiny: str, tmp_path: Path, capsys: Capture) -> None:
    path = str(tmp_path / "r.sqlite")
    command = ["study", tiny, "--jobs", "1", "--results", path, "--quiet"]
    assert cli.main([*command, "--replications", "2"]) == 0
    calls: list[Any] = []
    perform: Callable[[Any], Any] = executors.perform
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(executors, "perform", lambda job: calls.append(job) or perform(job))
        assert cli.main([*command, "--replications", "3"]) == 0
    assert [job.replication for job in calls] == [2]
    assert capsys.readouterr() == ("", "")
    assert cli.main([*command, "--seed", "5"]) == 2
    line = f"msgsim: --results: {path}: holds the runs of another study: its seed is 0, not 5; choose another file\n"
    assert capsys.readouterr().err == line


def test_a_run_that_fails_is_one_line(tiny: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object, **__: object) -> None:
        raise StudyError("a worker process died")

    monkeypatch.setattr("msgsim.study.course.run_all", lost)
    assert cli.main(["study", tiny, "--results", tiny + ".sqlite"]) == 2
    assert capsys.readouterr().err == "msgsim: a worker process died\n"


@pytest.mark.parametrize("kept", [True, False])
def test_ctrl_c_ends_a_study_with_what_has_finished(
    kept: bool, tiny: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    press_after(monkeypatch, 3)
    path, table = tmp_path / "r.sqlite", tmp_path / "out.csv"
    options = ["--results", str(path)] if kept else []
    vary = ["--vary", "workers.w.count=1,2", "--assert", "cost < 0.1", "--csv", str(table)]
    assert cli.main(["study", tiny, *vary, *FEW, *options]) == 130
    out, err = capsys.readouterr()
    assert "interrupted, 3 runs missing" in out
    assert "Objectives" not in out
    hint = (
        f"the same command goes on from {path}"
        if kept
        else "with --results FILE what has finished is kept, and the same command goes on from there"
    )
    assert err == f"msgsim: interrupted after 3 of 6 runs; {hint}\n"
    with table.open() as lines:
        runs = {(row["workers.w.count"], row["replication"]) for row in csv.DictReader(lines)}
    assert runs == {("1", "0"), ("1", "1"), ("2", "0")}


def test_ctrl_c_before_any_run_has_finished(tiny: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    press_after(monkeypatch, 0)
    assert cli.main(["study", tiny, *FEW]) == 130
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("msgsim: interrupted after 0 of 3 runs; ")


def test_progress_is_shown_on_a_terminal(tiny: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert cli.main(["study", tiny, *FEW]) == 0
    assert "1 of 3 runs" in capsys.readouterr().err
    assert cli.main(["study", tiny, *FEW, "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_a_file_that_fails_late_does_not_hide_the_rest(
    tiny: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("msgsim.study.results.write_whole", full)
    commands = [
        ["study", tiny],
        ["compare", tiny, "--set-b", "workers.w.count=2"],
        ["plan", tiny, "--find", "workers.w.count", "--between", "1..2", "--such-that", "cost < 500"],
    ]
    for command in commands:
        paths = [str(tmp_path / "out.csv"), str(tmp_path / "out.json")]
        assert cli.main([*command, *FEW, "--csv", paths[0], "--json", paths[1]]) == 2
        out, err = capsys.readouterr()
        assert out.endswith(f"json written to {paths[1]}\n")
        assert err == f"msgsim: --csv: {paths[0]}: cannot be written: No space left on device\n"


def test_a_study_is_drawn(tiny: str, tmp_path: Path) -> None:
    path = tmp_path / "a.PNG"
    options = ["--vary", "workers.w.count=1..2", "--measure", "q.visible.max", "--plot", str(path), "--quiet"]
    assert cli.main(["study", tiny, *options, "--replications", "2", "--jobs", "1"]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("keys", "written", "drawn"),
    [
        ([("q", "visible.max")], ["cost < 500"], (("q", "visible.max"), None)),
        (None, ["cost < 500", "max(q.visible) < 9"], (("*", "cost_per_month.final"), "cost < 500")),
        ([("q", "visible.max")], ["cost < 500", "max(q.visible) < 9"], (("q", "visible.max"), "max(q.visible) < 9")),
    ],
)
def test_what_is_asked_for_first_is_drawn_with_its_limit(keys: Any, written: list[str], drawn: Any) -> None:
    found = cli.study._drawn(keys, [parse(each) for each in written])
    assert found == (drawn[0], drawn[1] and str(parse(drawn[1])))


# ---------------------------------------------------------------- plan

FIND = ["--find", "workers.w.count", "--between", "1..4"]


def test_a_plan_prints_and_writes_its_answer(tiny: str, tmp_path: Path, capsys: Capture) -> None:
    targets = {kind: tmp_path / f"out.{kind}" for kind in ("json", "csv", "svg")}
    options = ["--json", str(targets["json"]), "--csv", str(targets["csv"]), "--plot", str(targets["svg"])]
    wanted = "p99(q.sojourn_time) < 5"
    assert cli.main(["plan", tiny, *FIND, "--such-that", wanted, *FEW, *options, "--until", "50"]) == 0
    out, err = capsys.readouterr()
    plan = ms.plan(
        ms.load(tiny),
        find="workers.w.count",
        between=(1, 4),
        such_that=wanted,
        horizon=50,
        replications=3,
        executor="sequential",
    )
    assert out.startswith(str(plan))
    assert err == ""
    found = json.loads(targets["json"].read_text())
    assert found["value"] == plan.value
    assert found["conclusion"] == plan.conclusion
    assert [(trial["value"], trial["state"]) for trial in found["table"]] == [(t.value, t.state) for t in plan.table]
    assert found["table"][0]["terms"][0]["value"] == plan.table[0].verdict.estimates[0].value
    assert targets["csv"].read_text() == plan.study.to_csv()
    assert "<svg" in targets["svg"].read_text()


@pytest.mark.parametrize("quiet", [True, False])
def test_a_plan_without_an_answer_has_status_1(quiet: bool, tiny: str, capsys: Capture) -> None:
    options = ["--such-that", "p99(q.sojourn_time) < 1 ms", "--between", "1..2", *(["--quiet"] if quiet else [])]
    assert cli.main(["plan", tiny, *FIND[:2], *options, *FEW]) == 1
    out, err = capsys.readouterr()
    said = "No value of workers.w.count from 1 to 2 meets p99(q.sojourn_time) < 1 ms. The best that was tried is"
    if quiet:
        assert out == ""
        assert err.startswith(f"msgsim: {said}")
    else:
        assert said in " ".join(out.split())
        assert err == "msgsim: --such-that: no value that was tried meets p99(q.sojourn_time) < 1 ms\n"


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["--between", "x"], "--between: 'x' is not a range; allowed: LOW..HIGH, such as 1..50"),
        (["--between", "5..5"], "--between: (5, 5) is an empty range"),
        (["--between", "5..1"], "--between: (5, 1) is an empty range"),
        (["--between", "0..5"], "--find: workers.w.count: 0 is not allowed"),
        (["--between", "1..2.5"], "--between: (1, 2.5) is not allowed: workers.w.count takes whole numbers"),
        (["--find", "workers.w.cuont"], "--find: no field of workers.w named 'cuont'; did you mean 'count'?"),
        (["--find", "queues.q.redrive"], "--find: queues.q.redrive: 1 is not a Redrive"),
        (["--such-that", "p99(q.nope) < 5"], "--such-that: p99(q.nope) < 5: no metric of queue 'q' named 'nope'"),
        (["--such-that", "p99 < 5"], "--such-that: '< 5' after 'p99' is not what was expected: '(' after 'p99'"),
        (["--want", "best"], "--want: 'best' is not allowed; allowed: smallest, largest"),
        (["--tolerance", "0"], "--tolerance: 0.0 is not allowed; allowed: more than 0"),
        (["--replications", "1"], "--replications: 1 is not allowed; allowed: 2 or more (one has no interval)"),
        (["--most", "9"], "--most: 9 is not allowed; allowed: 10 or more (at least as many as replications)"),
        (["--most", "ten"], "Invalid value"),
        (["--warm-up", "mser5"], "--warm-up: 'mser5' would find another one for each value; allowed: seconds"),
        (["--confidence", "0"], "--confidence: 0.0 is not allowed"),
        (["--until", "-5"], "--until: '-5' is not a duration"),
    ],
)
def test_a_bad_plan_is_one_line(argv: list[str], line: str, tiny: str, capsys: Capture) -> None:
    given = {"--find": "workers.w.count", "--between": "1..5", "--such-that": "cost < 5", argv[0]: argv[1]}
    assert cli.main(["plan", tiny, *(item for pair in given.items() for item in pair)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"msgsim: {line}")
    assert err.count("\n") == 1


def test_ctrl_c_ends_a_plan_that_goes_on_from_its_file(
    tiny: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["plan", tiny, *FIND, "--such-that", "cost < 500", *FEW, "--results", str(tmp_path / "r.sqlite")]
    with monkeypatch.context() as patch:
        press_after(patch, 5)
        assert cli.main(command) == 130
    line = f"msgsim: interrupted; the same command goes on from {tmp_path / 'r.sqlite'}\n"
    out, err = capsys.readouterr()
    assert err == line
    rows = [row.split() for row in out.splitlines()[:5]]
    assert [(row[0], row[1], row[-1]) for row in rows[1:]] == [
        ("1", "2", "interrupted"),
        *((value, "1", "interrupted") for value in "234"),
    ]
    with monkeypatch.context() as patch:
        press_after(patch, 7)  # of 12
        assert cli.main(command) == 0


def test_what_an_interrupted_plan_tried_is_printed_and_written(
    tiny: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets = {kind: tmp_path / f"out.{kind}" for kind in ("json", "csv")}
    options = ["--json", str(targets["json"]), "--csv", str(targets["csv"]), "--between", "1..40"]
    command = ["plan", tiny, *FIND[:2], *options, "--such-that", "p99(q.sojourn_time) < 5", *FEW]
    press_after(monkeypatch, 20)
    assert cli.main(command) == 130
    out, err = capsys.readouterr()
    assert "Interrupted, and not decided. workers.w.count = 4 is the smallest value that was tried" in " ".join(
        out.split()
    )
    kept = "with --results FILE what has finished is kept, and the same command goes on from there"
    assert err == f"msgsim: interrupted; {kept}\n"
    found = json.loads(targets["json"].read_text())
    assert found["interrupted"]
    assert (found["replications"], found["most"]) == (3, 12)
    assert [trial["value"] for trial in found["table"]] == [1, 2, 4, 9, 19, 40]
    assert len({line.rsplit(",", 4)[0] for line in targets["csv"].read_text().splitlines()[1:]}) == 6


def test_ctrl_c_before_the_first_run_of_a_plan(tiny: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    press_after(monkeypatch, 0)
    assert cli.main(["plan", tiny, *FIND, "--such-that", "cost < 500", *FEW]) == 130
    assert capsys.readouterr().out == ""


def test_the_most_replications_of_a_plan(tiny: str, tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    wanted = ["--such-that", "mean(q.sojourn_time) < 0.4", "--json", str(path), "--quiet"]
    assert cli.main(["plan", tiny, *FIND, *wanted, *FEW, "--most", "6"]) == 0
    found = json.loads(path.read_text())
    assert not found["interrupted"]
    assert {trial["replications"] for trial in found["table"]} == {3, 6}
    assert found["most"] == 6


# ---------------------------------------------------------------- compare


def test_a_scenario_is_compared_with_itself_changed(tiny: str, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "out.json"
    assert cli.main(["compare", tiny, "--set-b", "workers.w.count=3", *FEW, "--json", str(path)]) == 0
    out, err = capsys.readouterr()
    before = ms.load(tiny)
    after = before.vary("workers.w.count", 3)
    found = ms.Experiment(before, replications=3).compare(before, after).run("sequential").compare()
    heads = f"a: {tiny} (tiny)\nb: {tiny} (tiny) with workers.w.count=3\n"
    assert out.startswith(f"{heads}{found}\n\n{len(found.changed)} of {len(found.rows)} measures changed by more than ")
    assert err == ""
    rows = json.loads(path.read_text())["rows"]
    assert [row["difference"]["value"] for row in rows] == [row.difference.value for row in found.rows]
    assert [row["changed"] for row in rows] == [row in found.changed for row in found.rows]


def test_two_files_are_compared(tiny: str, other: str, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "out.csv"
    options = ["--set", "queues.q.delay=1", "--measure", "q.sojourn_time.mean", "--csv", str(path)]
    assert cli.main(["compare", tiny, other, *FEW, *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [f"a: {tiny} (tiny)", f"b: {other}"]
    assert [line.split()[0] for line in lines[4:5]] == ["q.sojourn_time.mean"]
    assert len(lines) == 8
    assert path.read_text().startswith("alternative,replication,entity,metric,value\na,0,")


def test_nothing_in_common_is_said(tiny: str, capsys: Capture) -> None:
    options = ["--set", "traffic.t.rate=0", "--set-b", "workers.w.count=2", "--quiet"]
    assert cli.main(["compare", tiny, *FEW, *options]) == 0
    assert capsys.readouterr() == ("", "")
    assert cli.main(["compare", tiny, *FEW, *options[:-1]]) == 0
    assert "Nothing that is usually looked at has happened" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        ([], "compare: there is nothing to compare with; allowed: a second scenario, or --set-b PATH=VALUE"),
        (["nope.toml"], "nope.toml: there is no such file"),
        (["--set-b", "workers.w.count"], "--set-b: 'workers.w.count' is not PATH=VALUE"),
        (["--set-b", "workers.w.count=0"], "--set-b: workers.w.count: 0 is not allowed"),
        (["--set-b", "horizon=30"], "--until: a has 60 s and b 30 s; say what both have"),
        (["--set-b", "warm_up=30"], "--warm-up: a has 0 s and b 30 s; say what both have"),
        (["OTHER", "--replications", "1"], "--replications: 1 is not allowed; allowed: 2 or more (one has no interval"),
        (["OTHER", "--measure", "q.nope.p99"], "--measure: no metric of queue 'q' named 'nope'"),
        (["OTHER", "--csv", "OTHER"], "--csv: OTHER: the scenario is read from there"),
    ],
)
def test_a_bad_comparison_is_one_line(argv: list[str], line: str, tiny: str, other: str, capsys: Capture) -> None:
    assert cli.main(["compare", tiny, *(item.replace("OTHER", other) for item in argv)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"msgsim: {line.replace('OTHER', other)}")
    assert err.count("\n") == 1


def test_ctrl_c_ends_a_comparison(tiny: str, other: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    press_after(monkeypatch, 3)
    assert cli.main(["compare", tiny, other, *FEW]) == 130
    assert capsys.readouterr().err.startswith("msgsim: interrupted after 3 of 6 runs; with --results FILE ")


# ---------------------------------------------------------------- run --assert


def test_a_run_meets_objectives_by_its_values(tiny: str, capsys: Capture) -> None:
    value = ms.simulate(ms.load(tiny)).stat("q", "sojourn_time", "p99")
    command = ["run", tiny, "--assert", "total(q.sent) > 1 and p99(q.sojourn_time) < 1 h"]
    assert cli.main(command) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.startswith("met: total(q.sent) > 1: ")
    assert line.endswith(f"; p99(q.sojourn_time) < 1 h: {value:.6g}")
    assert cli.main([*command, "--assert", "p99(q.sojourn_time) < 1 ms", "--assert", "max(dead.sojourn_time) < 1"]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[-2] == f"not met: p99(q.sojourn_time) < 1 ms: {value:.6g}"
    assert err.splitlines() == [
        f"msgsim: --assert: not met in this run: p99(q.sojourn_time) < 1 ms: {value:.6g}",
        "msgsim: --assert: not met in this run: max(dead.sojourn_time) < 1: nothing to look at",
    ]


def test_a_quiet_run_says_only_what_is_not_met(tiny: str, capsys: Capture) -> None:
    assert cli.main(["run", tiny, "--quiet", "--assert", "total(q.sent) > 1"]) == 0
    assert capsys.readouterr() == ("", "")
    assert cli.main(["run", tiny, "--quiet", "--assert", "total(q.sent) > 100000"]) == 1
    assert capsys.readouterr().out == ""


def test_an_objective_of_a_run_is_refused_before_it_runs(tiny: str, capsys: Capture) -> None:
    assert cli.main(["run", tiny, "--assert", "p99(x.sojourn_time) < 5"]) == 2
    assert capsys.readouterr().err.startswith("msgsim: --assert: p99(x.sojourn_time) < 5: no entity named 'x'")
