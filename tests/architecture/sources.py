"""The source files of msgsim as syntax trees, and the arrows between them."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "msgsim"


class Arrow(NamedTuple):
    """One import of msgsim by msgsim.

    `lazy` imports stand inside a function; `typing` ones are for type checkers alone.
    """

    source: str
    target: str
    lazy: bool
    typing: bool


def modules() -> dict[str, Path]:
    """Dotted name within the package, such as `bus.queue`; "" is the package itself."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


class Call(NamedTuple):
    """A call in a file.

    `arguments` says whether it has any by position, `hashing` whether it stands in a `__hash__`, `importing` whether it
    stands outside of functions and classes.
    """

    function: str
    line: int
    arguments: bool
    hashing: bool
    importing: bool


def tree(path: Path) -> ast.Module:
    """Not to be kept: the trees of all files are millions of objects for every garbage collection that follows."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def calls(path: Path) -> list[Call]:
    """Each call of a file."""
    module = tree(path)
    functions = [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef) and node.name == "__hash__"]
    statements = [each for each in module.body if not isinstance(each, (ast.FunctionDef, ast.ClassDef))]
    hashing, importing = ({node for root in roots for node in ast.walk(root)} for roots in (functions, statements))
    return [
        Call(ast.unparse(node.func), node.lineno, bool(node.args), node in hashing, node in importing)
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
    ]


@cache
def imports(path: Path) -> list[tuple[str, tuple[str, ...], bool, bool]]:
    """Module, names, lazy and typing of each import of a file."""
    return list(_imports(tree(path), lazy=False, typing=False))


def _imports(node: ast.AST, *, lazy: bool, typing: bool) -> Iterator[tuple[str, tuple[str, ...], bool, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name, (), lazy, typing) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports are absolute"
            yield child.module or "", tuple(alias.name for alias in child.names), lazy, typing
        elif isinstance(child, (ast.stmt, ast.ExceptHandler, ast.match_case)):  # no expression has an import in it
            inside = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef))
            checked = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
            yield from _imports(child, lazy=lazy or inside, typing=typing or checked)


@cache
def arrows() -> list[Arrow]:
    """All imports of msgsim by msgsim; of a package's module, not of the package, where it is one."""
    known = modules()
    found = []
    for source, path in known.items():
        for module, names, lazy, typing in imports(path):
            if module.partition(".")[0] != "msgsim":
                continue
            target = module.partition(".")[2]
            inner = [f"{target}.{name}".strip(".") for name in names if f"{target}.{name}".strip(".") in known]
            found += [Arrow(source, each, lazy, typing) for each in inner or [target]]
    return found


def room(module: str) -> str:
    """What a module belongs to: its package, or itself."""
    return module.partition(".")[0]
