"""Which group an event belongs to: shares, draws by inversion, and what cannot be declared."""

from collections import Counter
from collections.abc import Callable
from math import nextafter, sqrt
from random import Random
from typing import Any

import pytest

import msgsim as ms
from msgsim.engine.groups import GROUPS, Groups, as_groups
from msgsim.errors import DeclarationError


class Given:
    """Random numbers that are none."""

    def __init__(self, *values: float) -> None:
        self._values = iter(values)

    def random(self) -> float:
        return next(self._values)


def drawn(groups: Groups, *uniforms: float) -> list[str]:
    draw = groups.sampler(Given(*uniforms))
    return [draw() for _ in uniforms]


ONE = nextafter(1.0, 0.0)


def test_uniform_groups_have_equal_shares() -> None:
    groups = ms.UniformGroups(4)
    assert [groups.share(f"group-{number}") for number in range(6)] == [0, 0.25, 0.25, 0.25, 0.25, 0]
    assert drawn(groups, 0.0, 0.2499, 0.25, 0.5, ONE) == ["group-1", "group-1", "group-2", "group-3", "group-4"]


@pytest.mark.parametrize("kind", [ms.UniformGroups, ms.ZipfGroups])
@pytest.mark.parametrize(
    "name", ["group-", "group-01", "group-x", "group-²", "group-1 ", "1", "shop-1", "", "group-" + "9" * 5_000, 3]
)
def test_what_is_no_numbered_group_has_no_share(kind: Callable[[int], Groups], name: Any) -> None:
    assert kind(3).share(name) == 0.0


def test_zipf_groups_have_shares_by_their_rank() -> None:
    groups = ms.ZipfGroups(3, 1.0)
    assert [groups.share(f"group-{number}") for number in (1, 2, 3, 4)] == pytest.approx([6 / 11, 3 / 11, 2 / 11, 0])
    assert drawn(groups, 0.0, 0.545, 0.546, 0.818, 0.819, ONE) == [
        *("group-1", "group-1"),
        *("group-2", "group-2"),
        *("group-3", "group-3"),
    ]


def test_the_first_of_1000_zipf_groups_has_18_percent_and_an_exponent_of_0_is_uniform() -> None:
    assert ms.ZipfGroups().share("group-1") == pytest.approx(0.18, abs=0.005)
    assert ms.ZipfGroups(8, 0.0).share("group-7") == 0.125


def test_named_groups_have_shares_in_proportion() -> None:
    groups = ms.GroupShares({"large": 3, "small": 1.0})
    assert [groups.share(name) for name in ("large", "small", "none")] == [0.75, 0.25, 0.0]
    assert drawn(groups, 0.0, 0.7499, 0.75, ONE) == ["large", "large", "small", "small"]


def test_prefixes_are_the_users_own() -> None:
    assert drawn(ms.UniformGroups(2, prefix="shop:"), 0.9) == ["shop:2"]
    assert ms.ZipfGroups(2, prefix="").share("1") == pytest.approx(1 / (1 + 2**-1.1))


def test_the_id_of_a_group_is_one_text() -> None:
    first, second = drawn(ms.UniformGroups(1_000_000_000), 0.5, 0.5)
    assert first == "group-500000001"
    assert first is second


CASES: dict[str, Groups] = {
    "uniform": ms.UniformGroups(20),
    "zipf": ms.ZipfGroups(50),
    "steep": ms.ZipfGroups(10, 3.0),
    "shares": ms.GroupShares({"a": 70, "b": 20, "c": 9.9, "d": 0.1}),
}


@pytest.mark.parametrize("case", CASES)
def test_draws_have_the_shares(case: str) -> None:
    """Of 20,000 draws, each group's number is within 4.5 standard deviations: 1 in 100,000 is not. Seeds are fixed."""
    groups, number = CASES[case], 20_000
    draw = groups.sampler(Random(f"groups/{case}"))
    counts = Counter(draw() for _ in range(number))
    for group, count in counts.items():
        share = groups.share(group)
        assert abs(count - number * share) <= 4.5 * sqrt(number * share * (1 - share)), group
    assert sum(groups.share(group) for group in counts) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ms.UniformGroups(0), "UniformGroups.count: 0 is not allowed; allowed: 1 to 1e+15 [groups]"),
        (lambda: ms.UniformGroups(1.5), "UniformGroups.count: 1.5 is not a whole number"),
        (lambda: ms.UniformGroups(3, prefix="a b"), "UniformGroups.prefix: 'a b1000000000000000' is no id of a group"),
        (
            lambda: ms.ZipfGroups(3, prefix="x" * 121),
            "is no id of a group; allowed: 1 to 128 ASCII letters, digits and",
        ),
        (lambda: ms.ZipfGroups(10_000_001), "ZipfGroups.count: 10000001 is not allowed; allowed: 1 to 10000000"),
        (lambda: ms.ZipfGroups(3, -1), "ZipfGroups.exponent: -1.0 is not allowed"),
        (lambda: ms.GroupShares({}), "GroupShares.shares: {} is not a table of groups and their shares"),
        (lambda: ms.GroupShares(["a"]), "GroupShares.shares: ['a'] is not a table"),
        (lambda: ms.GroupShares({"a": 0}), "GroupShares.shares.a: 0 is not allowed; allowed: more than 0"),
        (lambda: ms.GroupShares({"a": 1e201}), "GroupShares.shares.a: 1e+201 is not allowed; allowed: more than 0"),
        (lambda: ms.UniformGroups(3, prefix="x" * 113), "is no id of a group"),
        (lambda: ms.GroupShares({"a b": 1}), "GroupShares.shares: 'a b' is no id of a group"),
        (lambda: ms.GroupShares({1: 1}), "GroupShares.shares: 1 is no id of a group"),
    ],
)
@pytest.mark.rule("FIFO-SND-3")
def test_groups_that_cannot_be(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        make()
    assert words in str(caught.value)


def test_a_whole_number_is_so_many_uniform_groups() -> None:
    assert as_groups(3) == as_groups(3.0) == ms.UniformGroups(3)
    assert [as_groups(value) for value in (0, True, None, "3")] == [0, True, None, "3"]


def test_groups_have_names_in_files() -> None:
    assert {"uniform": ms.UniformGroups, "zipf": ms.ZipfGroups, "shares": ms.GroupShares} == GROUPS
