"""Each benchmark runs once at a hundredth of its size: its counts are asserted, its times are not."""

import sys
from collections.abc import Iterator
from importlib import import_module
from math import isclose
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from scipy import stats

from msgsim import load, simulate

FOLDER = str(Path(__file__).parents[1] / "benchmarks")
SCRIPTS = ("spike", "mmc", "topic", "orders")
SCALE = 0.01


@pytest.fixture(scope="module", autouse=True)
def _importable() -> Iterator[None]:
    sys.path.insert(0, FOLDER)
    yield
    sys.path.remove(FOLDER)


def benchmark_of(script: str) -> Any:
    return __import__(script).BENCHMARK


@pytest.mark.parametrize("script", SCRIPTS)
def test_all_forms_keep_their_books_and_agree(script: str) -> None:
    import compare

    timings = compare.compare(benchmark_of(script), scale=SCALE, rounds=1)
    assert list(timings) == list(compare.FORMS)
    text = compare.table(benchmark_of(script), timings)
    assert all(form in text for form in compare.FORMS)


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_bare_loop_and_msgsim_simulate_the_same_model(script: str) -> None:
    import bare

    benchmark = benchmark_of(script)
    scale = 0.1
    until = benchmark.until * scale
    times = {name: moment * scale for name, moment in benchmark.moments.items()}
    result = getattr(bare, benchmark.model)(until=until, **times)
    run = simulate(benchmark.scenario(scale), until=until, seed=1)
    queues = [name for name in run.scenario.queues if run.total(name, "deleted")]
    for time in ("waiting", "sojourn"):
        samples = [value for queue in queues for value in run.samples(queue, f"{time}_time")]
        # Independent runs, and the waits of a loaded queue hang together: a third more or less is chance.
        assert sum(samples) / len(samples) == pytest.approx(result[f"mean_{time}"], rel=0.6, abs=1e-3)
    for level in ("visible", "in_flight"):
        mean = sum(run.mean(queue, level) for queue in queues)
        assert mean == pytest.approx(result[f"mean_{level}"], rel=0.6, abs=0.1)


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_loops_agree_on_times(script: str) -> None:
    import bare
    import stripped

    model = benchmark_of(script).model
    full, least = (getattr(module, model)(until=200.0) for module in (bare, stripped))
    shared = [key for key in full.keys() & least.keys() if key.startswith(("mean_", "p50_"))]
    assert shared
    for key in shared:
        assert isclose(full[key], least[key], rel_tol=0.05, abs_tol=1e-3), key


def test_without_chance_in_their_order_the_forms_agree_in_each_digit() -> None:
    import bare
    import idiomatic
    import stripped

    results = [module.many_servers(until=500.0) for module in (bare, stripped, idiomatic)]
    for key in results[0].keys() & results[1].keys():
        for other in results[1:]:
            assert isclose(results[0][key], other[key], rel_tol=1e-9), key


def test_lost_messages_are_noticed() -> None:
    import baseline

    result: dict[str, float] = {"sent": 100, "received": 99, "deleted": 99, "visible": 0, "in_flight": 0}
    with pytest.raises(AssertionError, match="lost"):
        baseline.check_books("a model", result, 100.0)
    with pytest.raises(AssertionError, match="traffic"):
        baseline.check_books("a model", result | {"visible": 1}, 200.0)
    with pytest.raises(AssertionError, match=r"a model\.sent: 100 and 300"):
        baseline.check_agreement("a model", result, {"sent": 300})


def test_a_script_prints_its_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import compare

    monkeypatch.setattr(sys, "argv", ["mmc.py", "--quick", "--scale", "0.1", "--rounds", "1"])
    compare.main(benchmark_of("mmc"))
    assert "msgsim is" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["mmc.py", "--only", "msgsim", "--scale", "0.01"])
    compare.main(benchmark_of("mmc"))
    assert 2_700 < int(capsys.readouterr().out) < 3_300


def test_instructions_are_the_difference_of_two_sizes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import instructions

    def fake(command: list[str], **_options: object) -> SimpleNamespace:
        size = round(1_000 * float(command[-1]))
        return SimpleNamespace(stderr=f"==1== Collected : {7_000 + 5 * size}\n", stdout=f"{size}\n")

    monkeypatch.setattr("subprocess.run", fake)
    monkeypatch.setattr(sys, "argv", ["instructions.py", "spike"])
    instructions.main()
    assert capsys.readouterr().out.splitlines()[1].split()[-2:] == ["5", "1.00"]


@pytest.mark.parametrize("name", ["send()", "traffic to a queue"])
def test_a_waiting_message_takes_at_most_200_bytes(name: str) -> None:
    import memory

    assert memory.traced(memory.KEEPERS[name], 5_000) <= memory.LIMIT


def test_fifo_queues_lose_nothing_however_much_they_hold() -> None:
    fifo: Any = import_module("fifo")
    assert fifo.standard(100) > 0.0
    assert fifo.fifo(100) > 0.0
    for measure in fifo.KINDS.values():
        assert measure(100, 100) > 0.0


@pytest.mark.parametrize("kind", ["counted", "chance", "addresses", "receivers", "reputation", "validation"])
def test_an_outbox_loses_no_email_of_any_kind(kind: str) -> None:
    outbox: Any = import_module("outbox")
    assert kind in outbox.KINDS
    account = outbox.send(2_000, kind)
    outbox.check(account, 2_000)


def test_an_outbox_refuses_what_is_beyond_its_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    outbox: Any = import_module("outbox")
    assert outbox.expected(outbox.EMAILS) == 9_136_000
    for name, value in (("RATE", 1), ("QUOTA", 50_000)):
        monkeypatch.setattr(outbox, name, value)
    account = outbox.send(100_000, "counted")
    assert (account.accepted, account.over_quota) == (50_000 + 100_000 - 86_400, 36_400)
    outbox.check(account, 100_000)


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """The first ten of its thousand studies, with seeds that are fixed, against bounds at one in a thousand."""
    intervals: Any = import_module("intervals")
    studies = 10
    rows = intervals.table(studies)
    for row in rows:
        held = round(studies * row.held.value)
        if row.name == intervals.NAIVE:
            assert held <= 6
        else:
            assert held >= stats.binom(studies, row.stated).ppf(0.001), str(row)
    assert f"of {studies}," in intervals.notes(rows)


def test_the_planner_finds_what_theory_says() -> None:
    planning: Any = import_module("planning")
    assert [question.truth for question in planning.QUESTIONS] == [3, 7, 19, 14]
    [row] = planning.table(seeds=1, questions=[0])
    assert row.above[0] + row.above[1] == 1, str(row)
    assert "100 %" in str(row)


def test_black_friday_is_planned_and_checked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    black_friday: Any = import_module("black_friday")
    scenario = load("black-friday").vary("horizon", 120.0).vary("traffic.shop.rate.1.at", 20.0)
    scenario = scenario.vary("traffic.shop.rate.1.hold", 20.0).vary("traffic.shop.rate.1.decay", 0.0)
    steps = {
        "workers.billing-workers.count": ((10, 12), "p99(billing.sojourn_time) < 2 min"),
        "outboxes.ses.max_send_rate": ((20, 22), "max(emails.age_of_oldest_message) < 2 min"),
    }
    monkeypatch.setattr(black_friday, "STEPS", steps)
    monkeypatch.setattr(black_friday, "HOUR", 120.0)
    planned = black_friday.planned(scenario)
    count = planned.workers["billing-workers"].count
    assert 10 <= count <= 12
    found, rate = capsys.readouterr().out.splitlines()
    assert f"workers.billing-workers.count = {count} is the smallest" in found
    assert f"outboxes.ses.max_send_rate = {planned.outboxes['ses'].max_send_rate:g} is the smallest" in rate
    study = black_friday.checked(scenario, planned)
    *_, hours, days = capsys.readouterr().out.splitlines()
    assert hours.split()[:3] == ["*.worker_hours.final", f"{25 / 30:.4g}", f"{(17 + count) / 30:.4g}"]
    assert days.startswith("Days on which all of it holds: ")
    assert "n=10" in days
    bills = [study.estimate("*", "cost.final", {"alternative": name}).value for name in ("as it is", "planned")]
    assert bills[1] - bills[0] == pytest.approx((count - 8) / 30 * 0.05, rel=0.2)


def test_the_plan_of_black_friday_takes_thirty_lines() -> None:
    source = Path(FOLDER, "black_friday.py").read_text(encoding="utf-8")
    code = source.partition("\nSTEPS = ")[2]
    assert len(code.splitlines()) <= 30
    assert "import" not in code


@pytest.mark.slow
def test_a_study_that_is_killed_goes_on_to_the_same_table(tmp_path: Path) -> None:
    interrupted: Any = import_module("interrupted")
    account = interrupted.made(tmp_path, [{interrupted.STUDY: 0.4}, {}], runs=50, seed=3)
    assert account.table.decode() == interrupted.experiment(50).run("sequential").to_csv()
    assert account.lost == {"the study killed (1)": account.again}
    assert f"{account.again} made again" in str(account)


def test_a_saved_run_that_is_made_again_is_noticed(tmp_path: Path) -> None:
    interrupted: Any = import_module("interrupted")
    results = tmp_path / "study.sqlite"
    declared = interrupted.experiment(20)
    declared.run("sequential", results=results)
    done = interrupted.saved(results)
    assert done == {(workers, replication) for workers in range(2, 12) for replication in range(2)}
    with pytest.raises(AssertionError, match=r"\(2, 1\) had been saved, and was made again"):
        interrupted.lost_in(["made 2 1"], done, done, results)
    (tmp_path / "study.sqlite.copy").write_bytes(results.read_bytes())
    lines = [f"made {workers} {replication}" for workers, replication in done]
    with pytest.raises(AssertionError, match=r"\(3, 0\) had been saved, and was made again"):
        interrupted.lost_in([*lines, interrupted.WORKER, "made 3 0"], set(), done, results)
    stopped = ["made 2 0", "made 2 1", interrupted.WORKER, interrupted.CTRL_C, "made 2 1"]
    (tmp_path / "study.sqlite.copy").unlink()
    interrupted.experiment(10).run("sequential", results=f"{results}.copy")
    begun = [f"made {workers} 0" for workers in range(3, 12)]
    lost = interrupted.lost_in([*begun, *stopped], set(), done - {(2, 1)}, results)
    assert lost == {interrupted.WORKER: 1, interrupted.CTRL_C: 1}


def test_studies_cost_little_and_are_the_same_whoever_makes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    studies: Any = import_module("studies")
    monkeypatch.setattr(studies, "JOBS", 1)
    figures = studies.measured("order-processing", runs=2, scale=0.02, samples=1)
    assert figures.runs == 2
    assert 0 < figures.overhead < 1
    assert figures.use > 0
    made = studies.executors()
    declared = studies.experiment("M/M/8", 2, 0.001)
    assert made["sequential"](declared) == made["joblib (loky)"](declared)
