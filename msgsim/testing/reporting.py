"""A failure that says which scenario it was: as a file, and with the command that runs it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.errors import StopTest, UnsatisfiedAssumption

from msgsim.errors import DeclarationError
from msgsim.scenario import Scenario
from msgsim.testing.strategies import scenarios as any_scenarios

FILE = "failing.toml"


@contextmanager
def reporting(scenario: Scenario, seed: int = 0, *, until: float | None = None) -> Iterator[None]:
    """Add to an exception that leaves the block what is needed to see it again: the scenario as TOML, and the command.

    pytest shows such notes below the error. Within a Hypothesis test that is the minimal example.

    Args:
        scenario: what is under test.
        seed: with which it is run.
        until: how long it is run [s]; None for its own horizon.
    """
    try:
        yield
    except (StopTest, UnsatisfiedAssumption):
        raise
    except BaseException as error:
        error.add_note(_story(scenario, seed, until))
        raise


def given_scenarios(
    scenarios: st.SearchStrategy[Scenario] | None = None, seeds: st.SearchStrategy[int] | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """As `hypothesis.given`, for a test of a `scenario` and a `seed`; its failure is shown as by `reporting`.

    Args:
        scenarios: None for `msgsim.testing.scenarios()`.
        seeds: None for the seeds 0 to 3.

    Raises:
        DeclarationError: `scenarios` is no strategy, such as the test itself where the parentheses are missing.
    """
    if not (scenarios is None or isinstance(scenarios, st.SearchStrategy)):
        raise DeclarationError("given_scenarios.scenarios", f"{scenarios!r} is no strategy; write @given_scenarios()")
    declared = any_scenarios() if scenarios is None else scenarios
    numbers = st.integers(0, 3) if seeds is None else seeds

    def decorate(test: Callable[..., Any]) -> Callable[..., Any]:
        @given(scenario=declared, seed=numbers)
        @wraps(test)
        def reported(*args: Any, scenario: Scenario, seed: int, **others: Any) -> None:
            with reporting(scenario, seed):
                test(*args, scenario=scenario, seed=seed, **others)

        return reported

    return decorate


def _story(scenario: Scenario, seed: int, until: float | None) -> str:
    try:
        text = scenario.to_toml().strip()
    except DeclarationError as error:
        return f"The scenario, with seed {seed}, which no file can hold ({error}):\n\n{scenario!r}"
    horizon = "" if until is None else f" --until {until:g}"
    return f"The scenario, as a file; it runs with: msgsim run {FILE} --seed {seed}{horizon}\n\n# {FILE}\n{text}\n"
