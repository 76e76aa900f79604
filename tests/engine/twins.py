"""One scenario, simulated lazily and with an event per message: what anybody sees must be the same."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

import msgsim as ms

Drive = Callable[[ms.Simulation, list[Any]], None]
"""Adds processes of a user's own, which note what they see."""


def simulated(
    scenario: ms.Scenario,
    until: float,
    *,
    lazy: bool,
    seed: int = 0,
    drive: Drive | None = None,
    stops: Iterable[float] = (),
    **settings: Any,
) -> tuple[ms.Run, list[Any]]:
    """A run, stopped on its way if asked for, and the notes that were taken."""
    simulation = ms.Simulation(scenario, seed=seed, horizon=until, lazy=lazy, **settings)
    notes: list[Any] = []
    if drive is not None:
        drive(simulation, notes)
    for stop in (*stops, until):
        simulation.run(stop)
    run = simulation.result()
    run.audit()
    return run, notes


def differences(left: ms.Run, right: ms.Run) -> list[str]:
    """What two runs do not agree about: anything but the order of samples and the roundings of means."""
    found = []
    if left.times != right.times:
        found.append("probe times")
    if left.raised != right.raised:
        found.append(f"raised: {left.raised} != {right.raised}")
    for entity, ours in left.records.items():
        theirs = right.records[entity]
        for metric, values in ours.series.items():
            if values != theirs.series[metric]:
                first = next(
                    (time, one, other)
                    for time, one, other in zip(left.times, values, theirs.series[metric], strict=True)
                    if one != other
                )
                found.append(f"{entity}.{metric} at {first[0]}: {first[1]} != {first[2]}")
        for metric, values in ours.samples.items():
            if sorted(values) != sorted(theirs.samples[metric]):
                found.append(f"{entity}.{metric}: samples")
        if ours.means != pytest.approx(theirs.means, rel=1e-9, abs=1e-9):
            found.append(f"{entity}: means {ours.means} != {theirs.means}")
    return found


def assert_twins(scenario: ms.Scenario, until: float, **settings: Any) -> ms.Run:
    """Lazy equals eager; returns the lazy run."""
    lazy, seen = simulated(scenario, until, lazy=True, **settings)
    eager, expected = simulated(scenario, until, lazy=False, **settings)
    assert differences(lazy, eager) == []
    assert seen == expected
    return lazy
