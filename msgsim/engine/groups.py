# Hot path: what `sampler` returns draws one group per traffic event (benchmarks/fifo_pipeline.py).
"""Message groups of traffic, declared: which account, customer or tenant an event belongs to.

A group is drawn by inversion, from one uniform per event and from a random stream of its own: arrival times stay as
they were when groups are added. A group's id is built when the group is first drawn, and is the same text from then on.
"""

from abc import ABC, abstractmethod
from array import array
from bisect import bisect_right
from collections.abc import Callable, Mapping
from itertools import accumulate
from math import fsum
from typing import Any

import attrs

from msgsim.bus.contents import check_identifier
from msgsim.declare import as_int, check_number, copied, number
from msgsim.distributions import Uniforms
from msgsim.errors import DeclarationError, InvalidParameterValue

MOST_RANKED = 10_000_000
"""Groups of a Zipf law: each needs 8 bytes in a table of the simulation."""

MOST_NUMBERED = 10**15
"""Groups of equal shares: so many a uniform number tells apart."""

LARGEST_SHARE = 1e200
"""So that shares add up to a number."""

Draw = Callable[[], str]
"""Draws the group of the next event."""


class Groups(ABC):
    """Which group an event belongs to: the base of the classes below, for annotations and `isinstance`."""

    __slots__ = ()

    @abstractmethod
    def share(self, group: str) -> float:
        """The probability that an event belongs to a group; 0 if there is no such group."""

    @abstractmethod
    def sampler(self, rng: Uniforms) -> Draw:
        """A function that draws the group of the next event by inversion of one uniform of `rng`."""


def as_groups(value: Any) -> Any:
    """A converter for fields: a bare whole number of 1 or more becomes `UniformGroups`.

    All else stays for the validator to judge.
    """
    value = as_int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return UniformGroups(count=value)
    return value


def _check_prefix(owner: object, _attribute: "attrs.Attribute[Any]", value: object) -> None:
    most = MOST_NUMBERED if isinstance(owner, UniformGroups) else MOST_RANKED
    _check_id(f"{type(owner).__name__}.prefix", f"{value}{most}")


def _check_id(path: str, group: object) -> None:
    try:
        check_identifier("MessageGroupId", group)
    except InvalidParameterValue:
        problem = f"{group!r} is no id of a group; allowed: 1 to 128 ASCII letters, digits and punctuation (FIFO-SND-3)"
        raise DeclarationError(path, problem) from None


class _Names(dict[int, str]):
    """The ids of numbered groups, each built when it is first asked for."""

    __slots__ = ("_prefix",)

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._prefix = prefix

    def __missing__(self, place: int) -> str:
        name = self[place] = f"{self._prefix}{place + 1}"
        return name


def _place(group: object, prefix: str, count: int) -> int | None:
    """The place of a numbered group, from 0; None if it is not one of them."""
    if not isinstance(group, str):
        return None
    digits = group.removeprefix(prefix)
    numbered = digits.isascii() and digits.isdigit() and len(digits) <= len(str(count))
    if not numbered or group != f"{prefix}{int(digits)}":
        return None
    place = int(digits) - 1
    return place if 0 <= place < count else None


@attrs.frozen
class UniformGroups(Groups):
    """Each group is as likely as any other.

    Attributes:
        count: how many; the service has no limit (FIFO-SND-7).
        prefix: of their ids: "group-1", "group-2" ...
    """

    count: int = number(1_000, low=1, high=MOST_NUMBERED, integer=True, unit="groups")
    prefix: str = attrs.field(default="group-", validator=_check_prefix, kw_only=True)

    def share(self, group: str) -> float:
        """See `Groups.share`."""
        return 0.0 if _place(group, self.prefix, self.count) is None else 1.0 / self.count

    def sampler(self, rng: Uniforms) -> Draw:
        """See `Groups.sampler`. Cost of a draw: O(1)."""
        random, count, names = rng.random, self.count, _Names(self.prefix)
        return lambda: names[int(random() * count)]


@attrs.frozen
class ZipfGroups(Groups):
    """Few groups have most of the events: the k-th has a share that is proportional to 1 / k ** exponent.

    Attributes:
        count: how many.
        exponent: 0 makes them uniform; with 1.1, the first of 1,000 has 18 % of all events.
        prefix: of their ids: "group-1" is the largest, then "group-2" ...
    """

    count: int = number(1_000, low=1, high=MOST_RANKED, integer=True, unit="groups")
    exponent: float = number(1.1)
    prefix: str = attrs.field(default="group-", validator=_check_prefix, kw_only=True)

    def share(self, group: str) -> float:
        """See `Groups.share`. Cost: O(count)."""
        place = _place(group, self.prefix, self.count)
        if place is None:
            return 0.0
        return self._weight(place) / fsum(map(self._weight, range(self.count)))

    def sampler(self, rng: Uniforms) -> Draw:
        """See `Groups.sampler`. Cost: O(count), and of a draw O(log count)."""
        return _ranked(array("d", accumulate(map(self._weight, range(self.count)))), _Names(self.prefix), rng)

    def _weight(self, place: int) -> float:
        weight: float = (place + 1.0) ** -self.exponent
        return weight


def _check_shares(_owner: object, _attribute: "attrs.Attribute[Any]", value: object) -> None:
    if not isinstance(value, dict) or not value:
        raise DeclarationError("GroupShares.shares", f"{value!r} is not a table of groups and their shares")
    for group, share in value.items():
        _check_id("GroupShares.shares", group)
        check_number(f"GroupShares.shares.{group}", share, above=True, high=LARGEST_SHARE)


@attrs.frozen
class GroupShares(Groups):
    """Named groups with shares of their own: tenants, of which one is large.

    Attributes:
        shares: by group; each more than 0. They are proportions and need not add up to 1.
    """

    shares: Mapping[str, float] = attrs.field(converter=copied, validator=_check_shares)

    def share(self, group: str) -> float:
        """See `Groups.share`. Cost: O(groups)."""
        return self.shares.get(group, 0.0) / fsum(self.shares.values())

    def sampler(self, rng: Uniforms) -> Draw:
        """See `Groups.sampler`. Cost of a draw: O(log groups)."""
        return _ranked(array("d", accumulate(self.shares.values())), list(self.shares), rng)


def _ranked(sums: "array[float]", names: Any, rng: Uniforms) -> Draw:
    """Draw by cumulative weights; the last one is left to be whatever lies beyond those before it."""
    random, pick, total, last = rng.random, bisect_right, sums[-1], len(sums) - 1
    return lambda: names[pick(sums, random() * total, 0, last)]


GROUPS: dict[str, type[Groups]] = {
    "uniform": UniformGroups,
    "zipf": ZipfGroups,
    "shares": GroupShares,
}
"""The classes by their names in files."""
