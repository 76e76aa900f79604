"""A failing scenario is shown as a file, with the command that runs it, and the file is that scenario."""

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, settings
from hypothesis import strategies as st
from hypothesis.errors import StopTest, Unsatisfiable

import msgsim as ms
from msgsim.errors import DeclarationError
from msgsim.testing import given_scenarios, reporting, scenarios

always_the_same = settings(
    max_examples=100, derandomize=True, database=None, deadline=None, phases=[Phase.generate, Phase.shrink]
)

SMALL = ms.Scenario(queues={"q": ms.Queue(delay=5)}, traffic={"t": ms.Traffic(to="q", rate=2)}, horizon=60)


def noted(failure: BaseException) -> str:
    """The one note about a scenario; Hypothesis adds others."""
    [note] = [note for note in failure.__notes__ if note.startswith("The scenario")]
    return note


def test_an_error_says_which_scenario_it_was() -> None:
    with pytest.raises(ZeroDivisionError) as raised, reporting(SMALL, 3):
        _ = 1 / 0
    assert noted(raised.value) == (
        "The scenario, as a file; it runs with: msgsim run failing.toml --seed 3\n"
        "\n"
        "# failing.toml\n"
        "horizon = 60\n"
        "\n"
        "[queues.q]\n"
        "delay = 5\n"
        "\n"
        "[traffic.t]\n"
        'to = "q"\n'
        "rate = 2\n"
    )


def test_the_time_that_was_asked_for_is_in_the_command() -> None:
    with pytest.raises(KeyError) as raised, reporting(SMALL, until=7.5):
        raise KeyError
    assert noted(raised.value).startswith(
        "The scenario, as a file; it runs with: msgsim run failing.toml --seed 0 --until 7.5\n"
    )


def test_a_scenario_that_no_file_can_hold_is_shown_as_python_has_it() -> None:
    scenario = ms.Scenario(
        queues={"q": ms.Queue()}, workers={"w": ms.Workers(queue="q", count=1, handler=lambda _: None)}
    )
    with pytest.raises(KeyError) as raised, reporting(scenario, 2):
        raise KeyError
    first, _, rest = noted(raised.value).partition("\n\n")
    assert re.fullmatch(r"The scenario, with seed 2, which no file can hold \(.*workers\.w\.handler.*\):", first)
    assert rest == repr(scenario)


def test_without_an_error_nothing_is_said() -> None:
    with reporting(SMALL):
        pass


def test_what_hypothesis_raises_for_itself_is_left_alone() -> None:
    with pytest.raises(StopTest) as raised, reporting(SMALL):
        raise StopTest(0)
    assert not hasattr(raised.value, "__notes__")

    @settings(always_the_same, max_examples=10, suppress_health_check=[HealthCheck.filter_too_much])
    @given_scenarios(st.just(SMALL))
    def never(scenario: ms.Scenario, seed: int) -> None:  # noqa: ARG001 - both are drawn
        assume(False)

    with pytest.raises(Unsatisfiable) as unsatisfied:
        never()
    assert not any(note.startswith("The scenario") for note in getattr(unsatisfied.value, "__notes__", []))


@pytest.mark.slow
def test_a_property_of_scenarios_fails_with_the_simplest_one() -> None:
    @always_the_same
    @given_scenarios(scenarios(fifo=False, most_queues=2))
    def only_two_are_sent(scenario: ms.Scenario, seed: int) -> None:
        run = ms.simulate(scenario, seed=seed)
        assert sum(run.total(name, "sent") for name in scenario.queues) <= 2

    with pytest.raises(AssertionError) as raised:
        only_two_are_sent()
    command, _, text = noted(raised.value).partition("\n\n")
    assert command == "The scenario, as a file; it runs with: msgsim run failing.toml --seed 0"
    assert len([line for line in text.splitlines() if line.strip()]) <= 8
    shown = ms.Scenario.from_toml(text)
    assert sum(ms.simulate(shown, seed=0).total(name, "sent") for name in shown.queues) > 2


def test_scenarios_and_seeds_may_be_ones_own_and_other_arguments_pass() -> None:
    seen: set[Any] = set()

    @always_the_same
    @given_scenarios(st.just(SMALL), st.just(11))
    def test(bus: str, scenario: ms.Scenario, seed: int) -> None:
        seen.add((bus, scenario.horizon, seed))

    test("a fixture")
    assert seen == {("a fixture", 60, 11)}


def test_forgotten_parentheses_are_noticed() -> None:
    with pytest.raises(
        DeclarationError, match=r"given_scenarios.scenarios: <function .*> is no strategy; write @given_s"
    ):

        @given_scenarios  # type: ignore[arg-type]
        def test(scenario: ms.Scenario, seed: int) -> None: ...
