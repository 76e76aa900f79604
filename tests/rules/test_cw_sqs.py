"""The metrics of queues, as the service shows them."""

import pytest

import msgsim as ms


@pytest.mark.rule("CW-SQS-2")
def test_a_backlog_between_two_looks_is_not_seen() -> None:
    scenario = ms.Scenario(
        queues={"q": ms.Queue()},
        traffic={"t": ms.Traffic(to="q", rate=ms.Steps([(0, 0), (70, 10), (80, 0)]), process="regular")},
        workers={"w": ms.Workers(queue="q", count=1, service_time=ms.Fixed(0.25))},
    )
    run = ms.simulate(scenario, until=180, probe=60)
    times, values = run.series("q", "visible")
    assert times.tolist() == [0, 60, 120, 180]
    assert values.tolist() == [0, 0, 0, 0]
    assert run.series("q", "age_of_oldest_message")[1].tolist() == [0, 0, 0, 0]
    assert run.mean("q", "visible") > 1  # exact: kept between the looks
    assert run.total("q", "sent") == 100
