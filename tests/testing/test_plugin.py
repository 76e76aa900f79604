"""The plugin of pytest, in runs of pytest of its own: its fixtures, what it leaves alone, how a failure looks."""

import tomllib
from itertools import takewhile
from os import pathsep

import pytest

import msgsim as ms
from tests.architecture.sources import ROOT

pytest_plugins = ["pytester"]

PLUGIN = ("-p", "pytest_msgsim", "-p", "no:cacheprovider")


@pytest.fixture(autouse=True)
def only_this_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of pytest load the plugin that stands here, and not one that is installed."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)


def test_the_fixtures_are_a_bus_and_its_clock_new_for_each_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import msgsim as ms

        def test_a_message_comes_back(bus, advance):
            queue = bus.queue("emails", visibility_timeout=30)
            queue.send("a", bus.now)
            assert len(queue.receive(bus.now)) == 1
            assert advance(29) == 29
            assert queue.receive(bus.now) == []
            assert advance(to=30) == bus.now == 30
            assert queue.receive(bus.now)[0].receive_count == 2

        def test_another_bus_begins_at_0(bus):
            assert bus.now == 0
            assert bus.queues == {}
        """
    )
    pytester.runpytest_inprocess(*PLUGIN).assert_outcomes(passed=2)


def test_the_fixtures_are_listed_with_what_they_are(pytester: pytest.Pytester) -> None:
    listed = pytester.runpytest_inprocess(*PLUGIN, "--fixtures", "-q").stdout
    listed.fnmatch_lines(
        ["bus -- *pytest_msgsim.py:*", "    Live queues, topics and outboxes by name, on one virtual*"]
    )
    listed.fnmatch_lines(
        ["advance -- *pytest_msgsim.py:*", "    Moves the clock of `bus`, and does on the way what is due*"]
    )


@pytest.mark.parametrize(("options", "outcomes"), [((), {"passed": 1}), (("-p", "no:msgsim"), {"errors": 1})])
def test_an_installed_plugin_is_found_unless_it_is_not_wanted(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], outcomes: dict[str, int]
) -> None:
    installed = pytester.mkdir("site")
    about = installed / "installed-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: installed\nVersion: 1\n", encoding="utf-8")
    (about / "entry_points.txt").write_text("[pytest11]\nmsgsim = pytest_msgsim\n", encoding="utf-8")
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    monkeypatch.setenv("PYTHONPATH", pathsep.join([str(installed), str(ROOT)]))
    pytester.makepyfile("def test(bus): assert bus.now == 0")
    result = pytester.runpytest_subprocess(*options)
    result.assert_outcomes(**outcomes)
    if options:
        result.stdout.fnmatch_lines(["*fixture 'bus' not found"])


def test_who_uses_no_fixture_loads_nothing_of_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test():
            assert "pytest_msgsim" in sys.modules
            assert not {"msgsim", "hypothesis"} & {*sys.modules}
        """
    )
    pytester.runpytest_subprocess(*PLUGIN).assert_outcomes(passed=1)


def test_a_failing_scenario_is_shown_as_the_smallest_file_with_its_seed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from hypothesis import Phase, settings
        import msgsim as ms
        from msgsim.testing import given_scenarios, scenarios

        @settings(max_examples=50, derandomize=True, database=None, phases=[Phase.generate, Phase.shrink])
        @given_scenarios(scenarios(fifo=False, most_queues=1))
        def test_nothing_is_sent(scenario, seed):
            assert ms.simulate(scenario, seed=seed).total("q", "sent") == 0
        """
    )
    result = pytester.runpytest_inprocess(*PLUGIN)
    result.assert_outcomes(failed=1)
    shown = [line.removeprefix("E").strip() for line in result.outlines if line.startswith("E  ")]
    begin = shown.index("# failing.toml")
    assert shown[begin - 2] == "The scenario, as a file; it runs with: msgsim run failing.toml --seed 0"
    lines = list(takewhile(lambda line: not line.endswith("("), shown[begin:]))  # then comes Hypothesis's own account
    assert ms.simulate(ms.Scenario.from_toml("\n".join(lines)), seed=0).total("q", "sent") > 0
    assert len([line for line in lines if line]) <= 6


def test_a_failing_machine_shows_its_story(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from hypothesis import settings
        from msgsim.testing import QueueMachine

        Charging = QueueMachine.using(lambda charged: lambda each: charged.append(each.body), world=lambda _: [],
                                      check=lambda charged: None if len(charged) < 2 else 1 / 0)
        TestCharging = Charging.TestCase
        TestCharging.settings = settings(TestCharging.settings, max_examples=100, derandomize=True, database=None)
        """
    )
    result = pytester.runpytest_inprocess(*PLUGIN)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*ZeroDivisionError*", "*The story:", "*0 s  message 1 is sent: *", "*the consumer handles*"]
    )


def test_the_package_says_where_pytest_finds_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["entry-points"]["pytest11"] == {"msgsim": "pytest_msgsim"}
    assert "pytest_msgsim.py" in project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    assert (ROOT / "pytest_msgsim.py").is_file()
