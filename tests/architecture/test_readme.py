"""The front door: what README.md shows is what happens."""

import re
from contextlib import redirect_stdout
from io import StringIO
from itertools import pairwise
from pathlib import Path

import pytest

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


def test_the_example_prints_what_is_shown() -> None:
    ((_, source), (_, shown)) = next(pair for pair in pairwise(BLOCKS) if pair[0][0] == "python")
    assert len(source.splitlines()) <= 25
    sink = StringIO()
    with redirect_stdout(sink):
        exec(compile(source, "README.md", "exec"), {"__name__": "readme"})  # noqa: S102 - our own source
    assert sink.getvalue() == shown


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
