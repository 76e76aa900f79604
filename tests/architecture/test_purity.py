"""Same scenario and seed, same run: nothing looks at a clock, at chance without a seed, or at the hash of a text."""

import pytest

from tests.architecture.sources import PACKAGE, ROOT, calls, imports, modules, room

MODULES = modules()

HOT = {
    "distributions",
    "bus.deadlines",
    "bus.deliveries",
    "bus.fair",
    "bus.fairness",
    "bus.fifo",
    "bus.predicates",
    "bus.groups",
    "bus.message",
    "bus.outbox",
    "bus.outcomes",
    "bus.standard",
    "bus.store",
    "bus.tenants",
    "bus.topic",
    "engine.actions",
    "engine.arrivals",
    "engine.board",
    "engine.clock",
    "engine.groups",
    "engine.lazy",
    "engine.stepped",
    "engine.traffic",
    "engine.workers",
}
"""Where speed has come before clarity."""

CLOCKS = {"perf_counter", "monotonic"}
"""How long something took, for a progress bar; not what time it is."""

TIMING = {"cli.course", "study.executors", "study.progress"}

WALL = {"now", "today", "utcnow"}
"""What a `datetime` or a `date` is asked for today's."""

TIMELESS = {"formatdate", "localtime"}
"""Of `email.utils`: without a time they take that of the wall."""


@pytest.mark.parametrize("module", [name for name in MODULES if room(name) in {"bus", "service"}])
def test_rules_take_now_and_know_no_clock(module: str) -> None:
    imported = {name.partition(".")[0] for name, *_ in imports(MODULES[module])}
    assert not imported & {"simpy", "random", "time", "datetime"}


@pytest.mark.parametrize("module", MODULES)
def test_nothing_looks_at_the_wall_clock(module: str) -> None:
    for name, names, *_ in imports(MODULES[module]):
        if name == "time":
            assert module in TIMING, "only progress bars measure time, and what is worth worker processes"
            assert names, "import what is used of `time` by name"
            assert set(names) <= CLOCKS
    for call in calls(MODULES[module]):
        last = call.function.rpartition(".")[2]
        assert last not in WALL, f"line {call.line}: {call.function}()"
        assert last not in TIMELESS or call.arguments, f"line {call.line}: {call.function}()"


@pytest.mark.parametrize("module", MODULES)
def test_chance_comes_from_a_seed(module: str) -> None:
    for name, names, *_ in imports(MODULES[module]):
        assert name not in {"secrets", "uuid"}
        if name == "random":
            assert names == ("Random",), "the functions of `random` share one generator"
    for call in calls(MODULES[module]):
        last = call.function.rpartition(".")[2]
        assert last not in {"urandom", "make_msgid", "SystemRandom"}, f"line {call.line}"
        if last == "Random":
            assert call.arguments, f"line {call.line}: Random() without a seed"


@pytest.mark.parametrize("module", MODULES)
def test_nothing_is_random_while_it_is_imported(module: str) -> None:
    found = [call.function for call in calls(MODULES[module]) if call.importing]
    assert not [name for name in found if name.rpartition(".")[2] in {"Random", "random", "stream"}]


@pytest.mark.parametrize("module", MODULES)
def test_the_hash_of_a_text_decides_nothing(module: str) -> None:
    found = [call for call in calls(MODULES[module]) if call.function == "hash"]
    assert [call.line for call in found if not call.hashing] == []


def test_hot_files_say_so_in_their_first_line() -> None:
    said = {name for name, path in MODULES.items() if "Hot path" in path.read_text(encoding="utf-8").partition("\n")[0]}
    assert said == HOT


@pytest.mark.parametrize("module", sorted(HOT))
def test_hot_files_name_what_exists(module: str) -> None:
    source = MODULES[module].read_text(encoding="utf-8")
    first = source.partition("\n")[0]
    for word in first.replace("(", " ").replace(")", " ").replace(",", " ").split():
        if word.startswith("benchmarks/"):
            assert (ROOT / word.rstrip(".")).is_file()
    for quoted in first.split("`")[1::2]:
        *_, name = quoted.split(".")
        defined = f"def {name}(" in source or f"class {name}" in source or f"{name} =" in source
        assert defined or f"{name}:" in source, f"{quoted} is not in {module}"


def test_the_command_line_alone_writes_to_the_screen() -> None:
    writers = {
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES.values()
        for call in calls(path)
        if call.function in {"print", "sys.stdout.write", "sys.stdout.writelines", "sys.stderr.write"}
    }
    others = {writer for writer in writers if not writer.startswith("cli/")}
    assert others == {"study/progress.py"}, "the bar of a study, if one is asked for"
