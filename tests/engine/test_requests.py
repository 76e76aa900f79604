"""The requests that workers make, counted by what they are billed for (PRC-SQS-2)."""

import pytest

import msgsim as ms
from msgsim.engine.workers import calls_for


def _run(queue: ms.Queue, workers: ms.Workers, rate: float = 5.0, until: float = 300.0, **more: object) -> ms.Run:
    scenario = ms.Scenario(
        queues={"q": queue},
        traffic={"t": ms.Traffic(to="q", rate=rate, **more)},  # type: ignore[arg-type]
        workers={"w": workers},
    )
    return ms.simulate(scenario, until=until, seed=3)


@pytest.mark.parametrize(
    ("queue", "more"),
    [
        (ms.Queue(), {}),
        (ms.Queue(), {"groups": 3}),
        (ms.Queue(fifo=True), {"groups": 100}),
        (ms.Queue(sampled=0.9), {}),
    ],
    ids=["standard", "fair", "fifo", "sampled"],
)
@pytest.mark.parametrize("batch_size", [1, 10])
@pytest.mark.parametrize("lazy", [True, False])
def test_a_receive_is_one_request_whatever_it_brings(
    queue: ms.Queue, more: dict[str, object], batch_size: int, lazy: bool
) -> None:
    workers = ms.Workers(queue="q", count=2, batch_size=batch_size, service_time=0.38)
    scenario = ms.Scenario(
        queues={"q": queue},
        traffic={"t": ms.Traffic(to="q", rate=5.0, **more)},  # type: ignore[arg-type]
        workers={"w": workers},
    )
    simulation = ms.Simulation(scenario, seed=3, lazy=lazy)
    simulation.run(300.0)
    run = simulation.result()
    receives, received = run.total("q", "receives"), run.total("q", "received")
    if batch_size == 1:
        assert receives == received
    else:
        assert received / 10 <= receives < received


def test_receives_are_those_that_brought_something() -> None:
    queue = ms.StandardQueue(ms.Queue(visibility_timeout=5.0), name="q")
    assert queue.receive(0.0, 10) == []
    for _ in range(12):
        queue.send("x", 1.0)
    assert [len(queue.receive(now, 10)) for now in (1.0, 2.0, 3.0, 7.0)] == [10, 2, 0, 10]
    assert (queue.receives, queue.empty_receives) == (3, 2)


def test_deliveries_once_more_come_in_receives_too() -> None:
    run = _run(ms.Queue(duplicates=0.5), ms.Workers(queue="q", count=2, service_time=0.3))
    assert run.total("q", "received") > run.total("q", "sent")
    assert 0 < run.total("q", "receives") <= run.total("q", "received")


def test_messages_are_deleted_one_by_one_or_by_the_batch() -> None:
    each = _run(ms.Queue(), ms.Workers(queue="q", count=2, service_time=0.38, failure_rate=0.1))
    assert each.total("w", "delete_requests") == each.total("w", "processed") - each.total("w", "failed")
    batch = _run(ms.Queue(), ms.Workers(queue="q", count=2, service_time=0.38, delete="batch"))
    assert batch.total("w", "delete_requests") < batch.total("w", "processed")
    busy = 2  # batches that are still in hand
    assert batch.total("q", "receives") - busy <= batch.total("w", "delete_requests") <= batch.total("q", "receives")


def test_a_batch_of_failures_deletes_nothing() -> None:
    run = _run(ms.Queue(), ms.Workers(queue="q", count=2, service_time=0.3, failure_rate=1.0, delete="batch"))
    assert run.total("w", "failed") > 0
    assert run.total("w", "delete_requests") == 0


def test_each_heartbeat_is_a_call_for_all_that_is_in_hand() -> None:
    workers = ms.Workers(queue="q", count=1, batch_size=1, service_time=10.0, heartbeat=3.0)
    run = _run(ms.Queue(), workers, rate=1 / 60, process="regular", until=600.0)
    done = run.total("w", "processed")
    assert done > 0
    assert run.total("w", "visibility_requests") == 3 * done
    assert run.total("w", "visibility_requests") > _run(ms.Queue(), workers, rate=0.0).total("w", "visibility_requests")


def test_a_call_names_up_to_ten_messages() -> None:
    assert [calls_for(number) for number in (0, 1, 10, 11, 20, 21)] == [0, 1, 1, 2, 2, 3]
