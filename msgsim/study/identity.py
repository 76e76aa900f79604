"""What tells studies and design points apart in a results file: texts that are the same in any process."""

import re

import attrs

from msgsim.declare import plain
from msgsim.errors import DeclarationError
from msgsim.scenario import Scenario
from msgsim.study.design import Point

_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")


def anywhere(shown: str) -> str:
    """The repr of a function or an object without its address, which is another one in each process."""
    return _ADDRESS.sub("", shown)


def filed(point: Point) -> str:
    """The key of a design point in a results file: the same for equal values in any process, and for no others.

    A declaration may be shown in short, as a trace is: a digest of the whole scenario is beside it.
    """
    key = anywhere(point.key)
    if all(value is None or isinstance(plain(value), (bool, int, float, str)) for value in point.levels.values()):
        return key
    from hashlib import sha256  # noqa: PLC0415 - few need it

    return f"{key} #{sha256(written(point.scenario).encode()).hexdigest()[:24]}"


def written(scenario: Scenario) -> str:
    """A scenario as TOML, with the names of handlers."""
    try:
        return scenario.to_toml()
    except DeclarationError:  # a Python function is a handler: a file cannot hold it, but its name tells it apart
        bare = {name: attrs.evolve(pool, handler=None) for name, pool in scenario.workers.items()}
        names = ", ".join(
            f"{name}: {getattr(pool.handler, '__qualname__', 'a handler')}"
            for name, pool in scenario.workers.items()
            if pool.handler is not None
        )
        return f"{attrs.evolve(scenario, workers=bare).to_toml()}\n# handlers: {names}\n"
