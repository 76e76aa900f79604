"""Scenario files: TOML to scenarios and back, built-in examples, and values in texts such as `count=12`.

A file mirrors the constructors: a table per member (`[queues.emails]`), inline tables for what a member holds
(`redrive = {to = "emails-dlq", max_receive_count = 3}`), and a `type` where there is a choice
(`service_time = {type = "log-normal", mean = 0.25, cv = 0.8}`). A bare number is a fixed duration or a constant rate, a
list of rates is their sum. A recorded rate may be in a CSV file beside the TOML file:
`rate = {type = "trace", file = "load.csv", time = "timestamp", count = "value", repeat = true, scale = 2}`.

What reads and writes TOML is loaded on first use, so that `import msgsim` stays light.
"""

from collections.abc import Mapping
from functools import cache
from os import PathLike, fspath, sep
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, get_args, get_origin

import attrs

from msgsim.engine.curves import RateCurve, Sum
from msgsim.errors import DeclarationError, UnknownName
from msgsim.scenario import Scenario

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

SUFFIX = ".toml"

SIZE_LIMIT = 2**26
"""A file larger than this [bytes] is no scenario; nothing larger is ever held in memory."""


def to_toml(scenario: Scenario) -> str:
    """A scenario as a TOML text that `from_toml` reads back as an equal one; what is at its default is left out.

    Raises:
        DeclarationError: a file cannot hold it: a Python function as a handler, bytes as an attribute.
    """
    from msgsim.toml import notation, problems, unstructuring  # noqa: PLC0415 - see above

    try:
        return notation.write(unstructuring.writer().unstructure(scenario))
    except problems.Refused as refused:
        raise problems.error_of(refused) from None


def from_toml(source: str, *, folder: str | PathLike[str] = ".", name: str = "") -> Scenario:
    """Read a TOML text.

    Args:
        source: the text.
        folder: where the files of traces are.
        name: of the file, for errors.

    Raises:
        DeclarationError: not TOML, an unknown key, or a value that is not allowed; one line for each problem.
    """
    from msgsim.toml import notation, problems, structuring  # noqa: PLC0415 - see above

    if not isinstance(source, str):
        raise DeclarationError(name, f"{source!r} is not a text")
    data = notation.parse(source, name)
    try:
        scenario: Scenario = structuring.reader(fspath(folder)).structure(data, Scenario)
    except problems.Refused as refused:
        raise problems.error_of(refused) from None
    except RecursionError:
        raise DeclarationError(name, "nested too deeply") from None
    return scenario


def load(name_or_path: str | PathLike[str]) -> Scenario:
    """Read a built-in example by its name, or a TOML file.

    Raises:
        UnknownName: neither an example nor a file; says which examples there are.
        DeclarationError: the file is missing or cannot be read, or what it says cannot be; one line for each problem.
            Or `name_or_path` is neither.
    """
    if not isinstance(name_or_path, (str, PathLike)):
        raise DeclarationError("load", f"{name_or_path!r} is neither the name of an example nor the path of a file")
    name = fspath(name_or_path)
    built_in = _built_in()
    if name in built_in:
        return from_toml(built_in[name].read_text("utf-8"), name=name)
    return from_toml(_read(name), folder=Path(name).parent, name=name)


def examples() -> dict[str, str]:
    """The built-in examples: title by name, sorted by name."""
    from msgsim.toml import notation  # noqa: PLC0415 - see above

    return {name: str(notation.parse(file.read_text("utf-8"))["title"]) for name, file in _built_in().items()}


def example(name: str) -> str:
    """The TOML text of a built-in example, with its comments.

    Raises:
        UnknownName: there is no such example; says which there are.
    """
    built_in = _built_in()
    if name not in built_in:
        raise UnknownName.among("example", name, built_in)
    return built_in[name].read_text("utf-8")


def vary_text(scenario: Scenario, path: str, text: str) -> Scenario:
    """The same scenario with another value at a path, given as a text.

    Args:
        scenario: to begin with.
        path: such as `workers.mailers.count` or `traffic.shop.rate.1.height`.
        text: the value as TOML writes it; a text needs no quotes.

    Raises:
        UnknownName: the path does not exist; says what does at that place.
        DeclarationError: the value is not allowed there.
    """
    return scenario.vary(path, value_at(scenario, path, text))


def value_at(scenario: Scenario, path: str, text: str) -> Any:
    """A value for a path, given as a text: see `vary_text`. Whether the path exists, `Scenario.vary` says.

    Raises:
        DeclarationError: no such value can be there.
    """
    from msgsim.toml import notation, problems, structuring  # noqa: PLC0415 - see above

    steps = path.split(".")
    kind = _kind_at(scenario, steps)
    if steps[-1] in structuring.UNHELD and kind is not Any:
        raise DeclarationError(path, structuring.NO_FUNCTION)
    try:
        value = notation.parse_value(text)
    except DeclarationError as error:
        raise DeclarationError(path, error.problem) from None
    texts = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    if str in texts and not isinstance(value, (str, dict)):
        value = text
    try:
        return structuring.reader(".").structure(value, kind)
    except problems.Refused as refused:
        raise problems.error_of(refused, path) from None


def _kind_at(owner: Any, steps: list[str]) -> Any:
    """The declared type of what is at a path; Any where the path does not exist, which `Scenario.vary` says."""
    kind: Any = type(owner)
    for step in steps:
        if isinstance(owner, Sum):
            owner, kind = owner.terms, tuple[RateCurve, ...]
        if attrs.has(type(owner)):
            field = attrs.fields_dict(type(owner)).get(step)
            if field is None or not field.init:
                return Any
            owner, kind = getattr(owner, step), field.type
        elif isinstance(owner, Mapping):
            owner, kind = owner.get(step), _item(kind, 0)
        elif isinstance(owner, tuple) and step.isdecimal() and int(step) < len(owner):
            owner, kind = owner[int(step)], _item(kind, int(step))
        else:
            return Any
    return kind


def _item(kind: Any, place: int) -> Any:
    """The type of one item of a container: of `Mapping[str, Queue]`, `tuple[float, ...]`, `Sequence[Action] | None`."""
    container = get_args(kind)[0] if isinstance(kind, UnionType) else kind
    kinds = get_args(container) or (Any, Any)
    if get_origin(container) is tuple and ... not in kinds:
        return kinds[place]
    return kinds[1] if issubclass(get_origin(container) or Mapping, Mapping) else kinds[0]


@cache
def _built_in() -> "dict[str, Traversable]":
    from importlib.resources import files  # noqa: PLC0415 - see above

    folder = files("msgsim") / "examples"
    found = {file.name.removesuffix(SUFFIX): file for file in folder.iterdir() if file.name.endswith(SUFFIX)}
    return dict(sorted(found.items()))


def _read(name: str) -> str:
    """The text of a file that ought to be a scenario."""
    try:
        with open(name, "rb") as stream:  # noqa: PTH123 - any path, also of a pipe
            content = stream.read(SIZE_LIMIT + 1)
    except FileNotFoundError:
        if sep in name or name.endswith(SUFFIX):
            raise DeclarationError(name, "there is no such file") from None
        raise UnknownName.among("example or file", name, _built_in()) from None
    except (OSError, ValueError) as error:
        raise DeclarationError(name, f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > SIZE_LIMIT:
        raise DeclarationError(name, f"is larger than {SIZE_LIMIT:,} bytes; not a scenario")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DeclarationError(name, "is not a text file: it has bytes that are not UTF-8") from None
