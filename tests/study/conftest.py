"""Scenarios that are small enough to run by the dozen."""

import pytest

import msgsim as ms


@pytest.fixture
def desk() -> ms.Scenario:
    """An M/M/c queue that takes milliseconds to simulate, with a spike in it."""
    return ms.Scenario(
        title="Desk",
        horizon=300.0,
        queues={"q": ms.Queue()},
        traffic={"t": ms.Traffic(to="q", rate=1 + ms.Spike(at=100.0, height=3.0, hold=20.0))},
        workers={"w": ms.Workers(queue="q", count=2, batch_size=1, service_time=ms.Exponential(mean=1.0))},
    )
