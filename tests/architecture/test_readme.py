"""The front door: what README.md shows is what happens."""

import doctest
import re
from contextlib import redirect_stdout
from io import StringIO
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import msgsim
import msgsim.service
from msgsim.cli import main
from tests.architecture.sources import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")

BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
"""Language and content of each code block."""


def _lines_that_install() -> list[str]:
    return [line for kind, block in BLOCKS if kind == "sh" for line in block.splitlines() if "-m venv" in line]


def test_two_commands_need_nothing_but_python() -> None:
    main_job, tests = _lines_that_install()
    for line in (main_job, tests):
        assert line.startswith("python3 -m venv .venv && .venv/bin/pip install '.[")
    assert "msgsim run black-friday --report spike.html" in main_job
    assert "pytest" in tests


@pytest.mark.slow
def test_the_example_prints_what_is_shown() -> None:
    ((_, source), (_, shown)) = next(pair for pair in pairwise(BLOCKS) if pair[0][0] == "python")
    assert len(source.splitlines()) <= 25
    sink = StringIO()
    with redirect_stdout(sink):
        exec(compile(source, "README.md", "exec"), {"__name__": "readme"})  # noqa: S102 - our own source
    assert sink.getvalue() == shown


@pytest.mark.slow
def test_the_plan_is_what_is_shown() -> None:
    """It goes on with the scenario of the first example."""
    (_, first) = next(block for block in BLOCKS if block[0] == "python")
    ((_, source), (_, shown)) = next(pair for pair in pairwise(BLOCKS) if "ms.plan(" in pair[0][1])
    sink = StringIO()
    names: dict[str, Any] = {"__name__": "readme"}
    exec(compile(first.partition("for count in")[0], "README.md", "exec"), names)  # noqa: S102 - our own source
    with redirect_stdout(sink):
        exec(compile(source, "README.md", "exec"), names)  # noqa: S102 - our own source
    assert sink.getvalue().split("\n") == [*shown.split("\n")[:-1], "", ""]


@pytest.mark.slow
def test_the_machine_finds_what_is_told() -> None:
    from hypothesis import settings

    ((_, source), (_, shown)) = next(pair for pair in pairwise(BLOCKS) if "QueueMachine" in pair[0][1])
    assert len([line for line in source.splitlines() if line]) <= 12
    names: dict[str, Any] = {"__name__": "readme"}
    exec(compile(source, "README.md", "exec"), names)  # noqa: S102 - our own source
    case = names["TestPayments"]
    case.settings = settings(case.settings, max_examples=300, derandomize=True, database=None)
    with pytest.raises(AssertionError) as raised:
        case().runTest()
    message, title, *story = shown.splitlines()
    assert message.startswith(f"AssertionError: {raised.value}")
    [note] = [note for note in raised.value.__notes__ if note.startswith(title)]
    told = [line.split() for line in note.splitlines()[1:]]
    assert len(told) <= len(story) + 4  # which of the short stories it is depends on the version of Hypothesis
    assert told[:3] == [line.split() for line in story[:3]]


@pytest.mark.slow
@pytest.mark.parametrize("block", [block for kind, block in BLOCKS if kind == "console"])
def test_the_tour_shows_real_output(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for command, *shown in (part.splitlines() for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]):
        program, *arguments = command.partition(" > ")[0].split()
        assert program == "msgsim"
        main(arguments)
        out, err = capsys.readouterr()
        _, _, target = command.partition(" > ")
        if target:
            Path(target).write_text(out, encoding="utf-8")
        printed = (out + err).splitlines()
        for line in shown:
            if line.strip() not in {"", "..."}:
                assert line in printed, f"$ {command}"


@pytest.mark.parametrize("module", [msgsim, msgsim.service])
def test_docstrings_of_packages_show_what_happens(module: ModuleType) -> None:
    names = vars(module) if module is msgsim.service else {name: getattr(msgsim, name) for name in msgsim.__all__}
    (test,) = doctest.DocTestFinder(recurse=False).find(module, module.__name__, globs=dict(names))
    assert len(test.examples) > 4
    assert doctest.DocTestRunner(verbose=False).run(test).failed == 0
