"""Imports point downwards: rules of messages, then time, then one run, then the edges."""

from graphlib import TopologicalSorter

from tests.architecture.sources import arrows, modules, room

LAYERS = [
    {"errors", "sums", "writing"},  # `sums` knows floats and `writing` files, and nothing of msgsim
    {"declare"},
    {"quotas", "distributions"},
    {"bus"},
    {"service", "engine"},
    {"scenario", "metrics"},
    {"run"},
    {"simulation"},
]
"""From the bottom up. A room imports rooms of lower layers and itself; rooms of one layer do not know each other."""

EDGES: dict[str, set[str]] = {
    "formats": set(),  # numbers in words
    "rates": set(),  # counters per second
    "tables": {"formats", "rates", "study"},  # what text and HTML both show; recovery from spikes is a study's
    "summary": {"formats", "tables"},
    "plot": {"formats", "rates", "tables"},
    "frames": set(),
    "toml": set(),
    "study": {"formats", "plot", "toml"},  # many runs
    "testing": set(),  # for those who test their own code
    "files": {"toml"},
    "report": {"files", "formats", "plot", "summary"},  # a page has text, pictures and the scenario
    "cli": {"files", "formats", "study"},
    "__main__": {"cli"},
    "": {"files", "study"},  # the public names: `load`, `examples`, `Experiment` and `plan` are among them
}
"""The edges, each with the other edges that it may know. They may import every layer."""

UPWARDS = {
    ("scenario", "files"),  # `scenario.to_toml()`: a scenario is written down as easily as it is made
    ("run", "summary"),  # `run.summary()`, and how a run shows itself in a notebook
    ("run", "plot"),  # `run.plot()`: matplotlib is loaded when somebody wants to see something
    ("run", "report"),  # `run.report(path)`
    ("run", "frames"),  # `run.to_pandas()`: the same for pandas
}
"""Methods that are an edge's front door. These imports are lazy: inside a function, done when it is called."""


def _layer(name: str) -> int:
    return next((height for height, rooms in enumerate(LAYERS) if name in rooms), len(LAYERS))


def test_every_room_has_its_place() -> None:
    placed = [name for rooms in LAYERS for name in rooms] + list(EDGES)
    assert len(placed) == len(set(placed))
    assert {room(module) for module in modules()} == set(placed)


def test_imports_point_downwards() -> None:
    wrong = []
    for arrow in arrows():
        source, target = room(arrow.source), room(arrow.target)
        allowed = (
            source == target
            or _layer(target) < _layer(source)
            or target in EDGES.get(source, ())
            or (arrow.lazy and (source, target) in UPWARDS)
        )
        if not allowed:
            wrong.append(f"msgsim.{arrow.source} imports msgsim.{arrow.target}")
    assert wrong == []


def test_no_exception_is_out_of_use() -> None:
    used = {(room(arrow.source), room(arrow.target)) for arrow in arrows()}
    assert used >= UPWARDS
    assert used >= {(source, target) for source, targets in EDGES.items() for target in targets}


def test_there_is_no_circle() -> None:
    graph: dict[str, set[str]] = {}
    for arrow in arrows():
        if not arrow.lazy and not arrow.typing and arrow.source != arrow.target:
            graph.setdefault(arrow.source, set()).add(arrow.target)
    TopologicalSorter(graph).prepare()  # raises CycleError with the circle
