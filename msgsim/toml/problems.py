"""Problems with their paths, collected: a file with three mistakes says three things at once."""

import json
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from msgsim.errors import DeclarationError

LIMIT = 10
"""So many problems are said at once."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")


class Refused(Exception):  # noqa: N818 - reads as what happened
    """What is wrong with a value.

    Args:
        found: pairs of a path below the value, and the problem.
    """

    def __init__(self, *found: tuple[str, str]) -> None:
        super().__init__(*found)
        self.found = found


def refused(problem: str) -> Refused:
    """The whole value that a hook looks at is refused."""
    return Refused(("", problem))


def joined(path: str, step: object) -> str:
    """A path and one more step; a key that is no bare TOML key is quoted."""
    key = str(step)
    key = key if _BARE.fullmatch(key) else json.dumps(key)
    return f"{path}.{key}" if path else key


class Problems:
    """Collects what several parts of a value refuse."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    def add(self, step: object, problem: str) -> None:
        """A problem with one part."""
        self.found.append((joined("", step), problem))

    def part(self, step: object, make: Callable[[], Any]) -> Any:
        """What `make` makes of one part; None if it refuses."""
        try:
            return make()
        except Refused as error:
            here = joined("", step)
            self.found.extend((f"{here}.{path}" if path else here, problem) for path, problem in error.found)

    def check(self) -> None:
        """Refuse the whole if a part was refused."""
        if self.found:
            raise Refused(*self.found)


def each(items: Iterable[tuple[object, Any]], hook: Callable[[Any], Any]) -> dict[Any, Any]:
    """What a hook makes of every item, by its step."""
    problems = Problems()
    made = {step: problems.part(step, partial(hook, item)) for step, item in items}
    problems.check()
    return made


def error_of(error: Refused, path: str = "", limit: int = LIMIT) -> DeclarationError:
    """One error that says all problems, one a line."""
    places = [(f"{path}.{below}" if path and below else path or below, problem) for below, problem in error.found]
    (first, problem), *rest = [(place, " ".join(problem.split())) for place, problem in places]
    lines = [problem, *(str(DeclarationError(*each)) for each in rest)]
    if len(lines) > limit:
        more = len(lines) - limit
        lines[limit:] = [f"and {more} {'problem' if more == 1 else 'problems'} more"]
    return DeclarationError(first, "\n".join(lines))
