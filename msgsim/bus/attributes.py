"""Changed attributes of a live queue on their way: when they come into force (SQS-ATT-2)."""

from collections import deque
from collections.abc import Mapping
from math import inf
from typing import Any, NamedTuple

RETENTION = "retention"
"""The one attribute that has a lag of its own."""


class Change(NamedTuple):
    """What comes into force at one time.

    Attributes:
        at: when [s].
        values: by the names of `Queue`'s fields.
        target: the live queue that `redrive` names, if that is among the values.
    """

    at: float
    values: Mapping[str, Any]
    target: Any


class Changes:
    """Two lines of changes, that of the retention and that of all else.

    In each they come into force in the order in which they were asked for, whatever their lags: so what is in force is
    always something that was asked for once, as a whole.

    Attributes:
        due: when the next one comes into force [s]; inf if none is on its way.
    """

    __slots__ = ("_lines", "due")

    def __init__(self) -> None:
        self._lines: tuple[deque[Change], deque[Change]] = (deque(), deque())
        self.due = inf

    def __bool__(self) -> bool:
        return self.due < inf

    def add(self, change: Change) -> None:
        """Put a change behind the others of its line. Cost: O(1)."""
        line = self._lines[RETENTION in change.values]
        line.append(change._replace(at=max(change.at, line[-1].at)) if line else change)
        self._renew()

    def pop(self) -> Change:
        """Take out the next one; there must be one. Cost: O(1)."""
        line = min((line for line in self._lines if line), key=lambda line: line[0].at)
        change = line.popleft()
        self._renew()
        return change

    def latest(self, name: str, now: Any) -> Any:
        """The target of the last change that has this name among its values; `now` if there is none."""
        return next((change.target for change in reversed(self._lines[0]) if name in change.values), now)

    def clear(self) -> None:
        """Forget them all."""
        for line in self._lines:
            line.clear()
        self._renew()

    def _renew(self) -> None:
        self.due = min((line[0].at for line in self._lines if line), default=inf)


def parts(changes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The changes that come into force together: the retention, and all else; those that there are."""
    apart = {name: value for name, value in changes.items() if name == RETENTION}
    others = {name: value for name, value in changes.items() if name != RETENTION}
    return [part for part in (others, apart) if part]
