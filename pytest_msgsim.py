"""A pytest plugin: the fixtures `bus` and `advance`. pytest loads it wherever msgsim is installed.

It stands beside the package, since importing a module of msgsim imports msgsim: whoever uses neither fixture pays for
nothing, and needs no Hypothesis.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from msgsim.testing import Bus


@pytest.fixture
def bus() -> "Bus":
    """Live queues, topics and outboxes by name, on one virtual clock that begins at 0; see `msgsim.testing.Bus`."""
    from msgsim.testing import Bus  # noqa: PLC0415 - see above

    return Bus()


@pytest.fixture
def advance(bus: "Bus") -> Callable[..., float]:
    """Moves the clock of `bus`, and does on the way what is due: `advance(30)`, or `advance(to=90)`."""
    return bus.advance
