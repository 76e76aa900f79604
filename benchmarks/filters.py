"""What a filter policy costs beside a function written by hand: the decisions of a publish with five subscriptions.

`python benchmarks/filters.py` counts instructions by callgrind, as `instructions.py` does. The five policies are exact
values, a range of numbers, a prefix, an exclusion, and two keys; each message differs from the one before.

Without the loop a publish costs 8,389 instructions, by hand 7,050: 1.19 times as many (CPython 3.11).
"""

import sys
from collections.abc import Callable
from typing import Any

from instructions import counted

from msgsim.bus.filters import compile_policy

MESSAGES = 100_000
POLICIES: tuple[dict[str, Any], ...] = (
    {"kind": ["placed", "shipped"]},
    {"price": [{"numeric": [">=", 10, "<", 20]}]},
    {"store": [{"prefix": "north-"}]},
    {"kind": [{"anything-but": "test"}]},
    {"kind": ["cancelled"], "price": [{"numeric": [">", 100]}]},
)


def _exact(a: Any) -> bool:
    return a is not None and a.get("kind") in ("placed", "shipped")


def _between(a: Any) -> bool:
    return a is not None and "price" in a and 10 <= a["price"] < 20


def _starts(a: Any) -> bool:
    return a is not None and "store" in a and a["store"].startswith("north-")


def _differs(a: Any) -> bool:
    return a is not None and "kind" in a and a["kind"] != "test"


def _both(a: Any) -> bool:
    return a is not None and a.get("kind") == "cancelled" and "price" in a and a["price"] > 100


BY_HAND: tuple[Callable[[Any], bool], ...] = (_exact, _between, _starts, _differs, _both)
ATTRIBUTES: tuple[dict[str, Any], ...] = (
    {"kind": "placed", "price": 12.5, "store": "north-7"},
    {"kind": "cancelled", "price": 250, "store": "south-1"},
    {"kind": "shipped", "price": 20, "store": "north-12"},
    {"kind": "test", "price": 3, "store": "east"},
)
PASSED = 9
"""Of the 20 decisions about the four messages."""


def decide(predicates: tuple[Callable[[Any], bool], ...], messages: int) -> int:
    """How many deliveries the filters let begin."""
    passed = 0
    for number in range(messages):
        attributes = ATTRIBUTES[number & 3]
        for predicate in predicates:
            if predicate(attributes):
                passed += 1
    return passed


def main() -> None:
    if "--only" in sys.argv:
        form, scale = sys.argv[sys.argv.index("--only") + 1], float(sys.argv[sys.argv.index("--scale") + 1])
        predicates = BY_HAND if form == "hand" else tuple(compile_policy(policy) for policy in POLICIES)
        if form == "loop":
            predicates = ()
        messages = int(MESSAGES * scale) // 4 * 4
        passed = decide(predicates, messages)
        assert passed == (messages // 4 * PASSED if predicates else 0), passed
        print(messages)
        return
    costs = {}
    for form in ("loop", "hand", "policy"):
        (less, few), (more, many) = (counted(__file__, form, scale) for scale in (0.05, 0.1))
        costs[form] = (more - less) / (many - few)
        print(f"{form:10}{costs[form]:10,.0f} instructions per publish")
    print(f"ratio     {(costs['policy'] - costs['loop']) / (costs['hand'] - costs['loop']):10.2f}")


if __name__ == "__main__":
    main()
