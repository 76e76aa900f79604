"""Which rule of the services is modelled where, and which tests hold it.

`catalogue.toml` lists the rules; the marks `@pytest.mark.rule("SQS-VIS-2")` of the tests say what holds them.
`python -m tests.rules.traceability` writes the page `RULES.md` from both; `test_traceability.py` compares all three.
"""

import ast
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
CATALOGUE = Path("tests/rules/catalogue.toml")
PAGE = Path("tests/rules/RULES.md")
REMAKE = "python -m tests.rules.traceability"

MOST_NOT_MODELLED = 20
LONGEST = 110

TOP = f"""\
# The rules of the services

Made by `{REMAKE}` from `catalogue.toml` and the marks of the tests; do not edit.
"""


class Rule(NamedTuple):
    """What a rule says, and the files that model it, from the root."""

    says: str
    where: Sequence[str] = ()


class Catalogue(NamedTuple):
    """The rules by id; those that are not modelled, and why; those without a test so far; families to come."""

    rules: Mapping[str, Rule]
    not_modelled: Mapping[str, str]
    not_yet: Sequence[str]
    later: Sequence[str]


class Mark(NamedTuple):
    """A rule that a test is marked with; None if the id is not written out."""

    rule: str | None
    path: str
    test: str


def read(root: Path = ROOT) -> Catalogue:
    """The catalogue."""
    content = tomllib.loads((root / CATALOGUE).read_text(encoding="utf-8"))
    rules = {id_: Rule(**rule) for id_, rule in content["rules"].items()}
    return Catalogue(rules, content["not_modelled"], content.get("not_yet", ()), content.get("later", ()))


def marks(root: Path = ROOT) -> list[Mark]:
    """Every mark of a rule in a test file, in the order of the files."""
    found = []
    for path in sorted((root / "tests").rglob("test_*.py")):
        place = path.relative_to(root).as_posix()
        text = path.read_text(encoding="utf-8")
        if "rule" not in text:  # most files have no mark, and trees take time
            continue
        tree = ast.parse(text, place)
        found += [Mark(rule, place, "::".join(names)) for rule, names in _marks(tree, ())]
    return found


def _marks(node: ast.AST, names: tuple[str, ...]) -> Iterator[tuple[str | None, tuple[str, ...]]]:
    """Rule, and classes and function around it, decorators included; outside of them the list that it stands in."""
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            names = (*names, name)
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)) if not names:
            names = (name,)
        case ast.Call(func=ast.Attribute(attr="rule", value=ast.Attribute(attr="mark") | ast.Name(id="mark"))):
            match node.args:
                case [ast.Constant(value=str(rule))]:
                    yield rule, names
                case _:
                    yield None, names
    for child in ast.iter_child_nodes(node):
        yield from _marks(child, names)


def problems(catalogue: Catalogue, found: Sequence[Mark], root: Path = ROOT) -> Iterator[str]:
    """What is wrong, each with what to do."""
    rules, not_modelled, not_yet, later = catalogue
    for rule, path, test in found:
        if rule is None:
            yield f"{path}::{test}: write the id of the rule out, as a text"
        elif rule not in rules and not rule.startswith(tuple(later)):
            yield f"{path}::{test}: there is no rule {rule}: correct the mark, or add the rule to {CATALOGUE}"
    tests = {mark.rule: f"{mark.path}::{mark.test}" for mark in reversed(found)}
    for id_, (says, where) in rules.items():
        yield from _holding(id_, tests.get(id_), catalogue)
        if len(says) > LONGEST:
            yield f"{id_}: say it in {LONGEST} characters, not {len(says)}"
        for path in where:
            if not (root / path).is_file():
                yield f"{id_}: there is no file {path}: correct `where`"
    for id_ in [*not_modelled, *not_yet]:
        if id_ not in rules:
            yield f"there is no rule {id_}: remove it from [not_modelled] or not_yet, or add it to [rules]"
    if len(not_modelled) > MOST_NOT_MODELLED:
        yield f"[not_modelled] has {len(not_modelled)} rules: model some, {MOST_NOT_MODELLED} are the most"


def _holding(id_: str, test: str | None, catalogue: Catalogue) -> Iterator[str]:
    """What is wrong between a rule, the first test that holds it, and the lists of those without a test."""
    listed = [name for name in ("not_modelled", "not_yet") if id_ in getattr(catalogue, name)]
    if test is None and not listed:
        yield f'{id_} has no test: mark one with @pytest.mark.rule("{id_}"), or say why in [not_modelled]'
    elif test is not None and listed:
        yield f"{id_} is held by {test}: remove {id_} from {' and '.join(listed)}, and say `where` it is modelled"
    elif test is not None and not catalogue.rules[id_].where:
        yield f"{id_} is held by {test}: say `where` it is modelled"
    elif len(listed) > 1:
        yield f"{id_} is in not_modelled: remove {id_} from not_yet"


def page(catalogue: Catalogue, found: Sequence[Mark]) -> str:
    """The page as it should be."""
    lines = [TOP]
    for family, ids in groupby(catalogue.rules, lambda id_: id_.partition("-")[0]):
        lines += [f"## {family}", "", "| rule | what it says | modelled in | held by |", "|---|---|---|---|"]
        for id_ in ids:
            says, where = catalogue.rules[id_]
            files = "<br>".join(_link(path) for path in where)
            lines.append(f"| {id_} | {says} | {files} | {_tests(id_, found) or _reason(id_, catalogue)} |")
        lines.append("")
    lines += ["## Not modelled, because", ""]
    lines += [f"- {id_}: {reason}" for id_, reason in catalogue.not_modelled.items()]
    if catalogue.not_yet:
        lines += ["", "## Without a test so far", "", ", ".join(catalogue.not_yet)]
    return "\n".join(lines) + "\n"


def _link(path: str) -> str:
    return f"[{path}](../../{path})"


def _tests(id_: str, found: Sequence[Mark]) -> str:
    tests: dict[str, dict[str, None]] = {}
    for mark in found:
        if mark.rule == id_:
            tests.setdefault(mark.path, {})[f"`{mark.test}`"] = None
    return "<br>".join(f"{_link(path)} {', '.join(names)}" for path, names in tests.items())


def _reason(id_: str, catalogue: Catalogue) -> str:
    return "not modelled, see below" if id_ in catalogue.not_modelled else "no test so far"


if __name__ == "__main__":
    (ROOT / PAGE).write_text(page(read(), marks()), encoding="utf-8")
