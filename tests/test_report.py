import re
import sys
from html import unescape
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import attrs
import matplotlib as mpl
import pytest

import msgsim as ms
from msgsim import report
from msgsim.errors import MissingExtra
from msgsim.report import page
from msgsim.run import Run
from msgsim.summary import content


def shop(**changes: Any) -> ms.Scenario:
    settings: dict[str, Any] = {
        "title": "A shop",
        "description": "First.\n\nSecond.",
        "queues": {"q": ms.Queue()},
        "traffic": {"t": ms.Traffic(to="q", rate=ms.Constant(2) + ms.Spike(at=20, height=5, hold=5))},
        "workers": {"w": ms.Workers(queue="q", count=1, service_time=0.3)},
    }
    return ms.Scenario(**(settings | changes))


@pytest.fixture(scope="module")
def run() -> Run:
    return ms.simulate(shop(), until=60, seed=5)


@pytest.fixture(scope="module")
def source(run: Run) -> str:
    return page(run)


def texts(source: str) -> list[str]:
    """What stands in the <pre> elements."""
    return [unescape(found) for found in re.findall(r"<pre>(.*?)</pre>", source, re.DOTALL)]


def rerun(source: str) -> Run:
    """Do as the page says, from the folder in which the scenario has been saved."""
    place: dict[str, Any] = {}
    exec(texts(source)[-1], place)  # noqa: S102 - the lines under test
    made: Run = place["run"]
    return made


def test_the_page_holds_summary_picture_and_scenario(run: Run, source: str) -> None:
    assert content(run) in source
    assert source.count("<svg class=") == 1
    assert texts(source)[0] == run.scenario.to_toml()
    assert "<p>First.</p><p>Second.</p>" in source
    assert "<title>A shop</title>" in source
    assert "<footer>Made by msgsim" in source


def test_it_needs_nothing_else(source: str) -> None:
    assert not re.search(r"<(script|link|img|iframe|object|embed)\b", source)
    assert not re.search(r"@import|url\((?!#)|\ssrc=", source)
    assert not set(re.findall(r"\bhref=[\"']([^\"'#][^\"']*)", source))
    assert "default-src 'none'" in source


def test_the_same_run_gives_the_same_bytes(run: Run, source: str, tmp_path: Path) -> None:
    with mpl.rc_context({"svg.hashsalt": "other", "svg.fonttype": "none", "lines.linewidth": 9}):
        assert page(ms.simulate(shop(), until=60, seed=5)) == source
    run.report(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text("utf-8") == source
    assert "<dc:date>" not in source


def test_ids_are_unique_and_styles_stay_with_the_figure(source: str) -> None:
    ids = re.findall(r"\sid=[\"']([^\"']*)", source)
    assert len(ids) == len(set(ids)) > 50
    assert not re.search(r"[>}\s]\*\s*\{", source.replace(".msgsim-figure *{", ""))


def test_texts_of_the_scenario_are_escaped() -> None:
    nasty = shop(title="<script>alert(1)</script>", description="<img src=x onerror=alert(1)>")
    source = page(ms.simulate(nasty, until=10))
    assert "<script" not in source
    assert "<img" not in source
    assert texts(source)[0] == nasty.to_toml()


def test_a_run_without_a_title_has_one() -> None:
    assert "<h1>Untitled scenario</h1>" in page(ms.simulate(shop(title="", description=""), until=10))


# ---------------------------------------------------------------- making the run again


def test_a_scenario_of_ones_own_is_saved_first(
    run: Run, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml, command, python = texts(source)
    assert "Save the scenario above as <code>scenario.toml</code>" in source
    assert command == "msgsim run scenario.toml --until 60 --seed 5"
    assert python.splitlines() == [
        "import msgsim as ms",
        "",
        'scenario = ms.load("scenario.toml")',
        "run = ms.simulate(scenario, until=60, seed=5)",
    ]
    monkeypatch.chdir(tmp_path)
    Path("scenario.toml").write_text(toml, "utf-8")
    assert rerun(source).to_dict() == run.to_dict()


def test_a_built_in_example_is_named() -> None:
    name = next(iter(ms.examples()))
    run = ms.simulate(ms.load(name), until=20, seed=1)
    source = page(run)
    assert f"The scenario is the built-in example <code>{name}</code>." in source
    assert texts(source)[1].startswith(f"msgsim run {name} --until 20 --seed 1")
    assert rerun(source).to_dict() == run.to_dict()
    varied = attrs.evolve(run.scenario, title="Another")
    assert "Save the scenario" in page(ms.simulate(varied, until=20))


def test_what_is_not_usual_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ms.simulate(shop(), until=60.5, seed=5, warm_up=7, probe=0.1, replication=0)
    source = page(run)
    assert texts(source)[1] == "msgsim run scenario.toml --until 60.5 --seed 5 --warm-up 7 --probe 0.1"
    assert "ms.simulate(scenario, until=60.5, seed=5, warm_up=7, probe=0.1)" in texts(source)[2]
    monkeypatch.chdir(tmp_path)
    Path("scenario.toml").write_text(texts(source)[0], "utf-8")
    assert rerun(source).to_dict() == run.to_dict()


def test_an_interrupted_run_is_made_up_to_the_same_instant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("scenario.toml").write_text(shop().to_toml(), "utf-8")
    for warm_up in (0, 40):
        run = ms.simulate(shop(), until=60, warm_up=warm_up, progress=lambda simulation: simulation.now < 30)
        again = attrs.evolve(rerun(page(run)), interrupted=True)
        assert again.to_dict() == run.to_dict()


def test_a_replication_can_only_be_made_in_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ms.simulate(shop(), until=30, seed=5, replication=3)
    source = page(run)
    assert "msgsim run" not in source
    monkeypatch.chdir(tmp_path)
    Path("scenario.toml").write_text(texts(source)[0], "utf-8")
    assert rerun(source).to_dict() == run.to_dict()


def test_a_handler_cannot_be_written() -> None:
    workers = {"w": ms.Workers(queue="q", count=1, service_time=1, handler=lambda delivery, context: None)}  # noqa: ARG005
    source = page(ms.simulate(shop(workers=workers), until=10))
    assert "cannot be written as a file: workers.w.handler" in unescape(source)
    assert texts(source) == ["import msgsim as ms\n\nrun = ms.simulate(scenario, until=10, seed=0)"]


def test_the_version_is_named_if_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("msgsim.formats.version", lambda _name: "1.2.3")
    assert report._made_by() == "Made by msgsim 1.2.3"
    monkeypatch.setattr("msgsim.formats.version", missing)
    assert report._made_by() == "Made by msgsim"


def test_without_matplotlib_the_extra_is_named(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("msgsim.plot", "msgsim.report"):
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"msgsim\[plot\]"):
        run.report(tmp_path / "page.html")
    assert not list(tmp_path.iterdir())
