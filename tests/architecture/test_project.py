"""What the files around the code say, held against the code."""

import re
import sys
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

import msgsim
from tests.architecture.sources import PACKAGE, ROOT, imports, modules, room

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

IMPORTED_AS = {"tomli-w": "tomli_w"}
"""Distributions whose module has another name."""

TOOLS = {"coverage", "ipykernel", "mypy", "nbclient", "nbformat", "pandas-stubs", "pytest-xdist", "ruff"}
"""Declared for what they do, not to be imported."""

COMMAND_LINE = {"cyclopts", "rich"}
"""Core dependencies that only the command line imports."""


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~; ]", each, maxsplit=1)[0] for each in requirements} - {"msgsim"}


def _imported(folder: Path) -> set[str]:
    found = chain.from_iterable(imports(path) for path in folder.rglob("*.py"))
    return {name.partition(".")[0] for name, *_ in found}


def _files() -> Iterator[Path]:
    """The files of the project, and not what tools leave beside them."""
    yield from (path for path in ROOT.iterdir() if path.suffix in {".md", ".toml"} or path.name == "LICENSE")
    for folder in (".ci", "benchmarks", "msgsim", "notebooks", "tests"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and not {"__pycache__", ".ipynb_checkpoints", ".hypothesis"} & set(path.parts):
                yield path


def _releases() -> list[tuple[str, str]]:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    return re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)$", text, re.MULTILINE)


# ---------------------------------------------------------------- versions


def test_the_changelog_begins_with_this_version() -> None:
    releases = _releases()
    assert releases[0][0] == PROJECT["version"]
    assert releases == sorted(releases, key=lambda release: tuple(map(int, release[0].split("."))), reverse=True)
    assert [date for _, date in releases] == sorted((date for _, date in releases), reverse=True)


def test_the_package_knows_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import metadata

    asked = []
    monkeypatch.setattr(metadata, "version", lambda name: asked.append(name) or PROJECT["version"])
    assert msgsim.__version__ == PROJECT["version"]
    assert asked == ["msgsim"]


def test_a_folder_of_sources_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import metadata

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert msgsim.__version__ == "unknown (not installed)"


# ---------------------------------------------------------------- dependencies


@pytest.mark.slow
def test_what_is_imported_is_declared() -> None:
    extras = PROJECT["optional-dependencies"]
    kinds = ("study", "pandas", "plot", "testing", "signing")
    declared = _names(PROJECT["dependencies"] + [each for kind in kinds for each in extras[kind]])
    modules_of = {IMPORTED_AS.get(name, name) for name in declared}
    assert _imported(PACKAGE) - sys.stdlib_module_names - {"msgsim"} == modules_of


@pytest.mark.slow
def test_what_is_declared_for_development_is_used() -> None:
    extras = PROJECT["optional-dependencies"]
    used = _imported(ROOT / "tests") | _imported(ROOT / "benchmarks")
    for extra in ("test", "notebook", "dev"):
        assert _names(extras[extra]) - TOOLS <= used, extra


@pytest.mark.slow
def test_the_command_line_alone_imports_what_it_is_made_of() -> None:
    for name, path in modules().items():
        if room(name) != "cli":
            assert not COMMAND_LINE & {imported.partition(".")[0] for imported, *_ in imports(path)}


def test_every_dependency_has_a_lower_bound() -> None:
    requirements = PROJECT["dependencies"] + list(chain(*PROJECT["optional-dependencies"].values()))
    assert [each for each in requirements if not each.startswith("msgsim[") and ">=" not in each] == []


# ---------------------------------------------------------------- the files of the project


def test_the_package_is_typed_and_licensed() -> None:
    assert (PACKAGE / "py.typed").is_file()
    assert PROJECT["license"] in (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    places = ["/" + place + "/" for place in ("work", "tmp", "root", "home", "Users")] + ["../" + "shared"]
    found = []
    for path in _files():
        if path.suffix != ".png":
            text = path.read_text(encoding="utf-8")
            found += [f"{path.relative_to(ROOT)}: {place}" for place in places if place in text]
    assert found == []


def test_nothing_is_large() -> None:
    assert [str(path) for path in _files() if path.stat().st_size >= 2**20] == []


# ---------------------------------------------------------------- where to change what


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _map() -> list[list[str]]:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = text.partition("| to change")[2].partition("\n\n")[0].splitlines()[2:]
    return [_cells(row) for row in rows]


def test_the_map_has_a_row_per_behaviour() -> None:
    rows = _map()
    assert len(rows) >= 15
    assert {len(row) for row in rows} == {3}


@pytest.mark.parametrize("where", ["edit", "test"])
def test_every_row_of_the_map_leads_somewhere(where: str) -> None:
    for behaviour, *cells in _map():
        paths = re.findall(r"`([\w./]+(?:\.py|/))`", cells[where == "test"])
        assert paths, behaviour
        for path in paths:
            assert (PACKAGE / path).exists() or (ROOT / path).exists(), path


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "README.md", "CHANGELOG.md", "tests/README.md"])
def test_what_a_document_points_at_exists(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    paths = re.findall(r"`((?:msgsim|tests|benchmarks|notebooks|\.ci)/[\w./-]*)", text)
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert [link for link in links if not (ROOT / document).parent.joinpath(link).exists()] == []


def test_every_module_is_on_the_map_or_in_the_picture() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for name in modules():
        if name not in {"", "__main__", "bus", "engine", "service", "study", "toml"}:
            assert name.rpartition(".")[2] in text, f"CONTRIBUTING.md does not say what {name} is for"
