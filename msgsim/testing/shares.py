"""How often a machine reaches what it is for."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from msgsim.testing.workbench import Workbench


def shares(machine: type[Workbench], *, examples: int = 1_000) -> dict[str, float]:
    """The share of examples that reach each interesting state: a machine that never gets there finds nothing.

    Args:
        machine: which must not fail.
        examples: how many are tried; always the same ones.

    Returns:
        By state, sorted by name: "redelivery", "dead letter", "expired handle" and so on. What is never reached is
        not in it.

    Cost: some seconds for 1,000 examples.
    """
    counts: Counter[str] = Counter()
    tried = 0

    def note_reached(_: Workbench, reached: Iterable[str]) -> None:
        nonlocal tried
        tried += 1
        counts.update(reached)

    counting: Any = type(machine.__name__, (machine,), {"note_reached": note_reached})
    its_own: settings = machine.TestCase.settings
    chosen = settings(its_own, max_examples=examples, derandomize=True, database=None, phases=[Phase.generate])
    run_state_machine_as_test(counting, settings=chosen)
    return {state: counts[state] / tried for state in sorted(counts)}
