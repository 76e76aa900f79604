"""The metrics of queues, as the service shows them."""

import pytest

import msgsim as ms
from msgsim.errors import UnknownName


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


def tenants(**queue: object) -> ms.Scenario:
    return ms.Scenario(
        queues={"q": ms.Queue(**queue)},  # type: ignore[arg-type]
        traffic={
            "usual": ms.Traffic(to="q", rate=4, groups=ms.GroupShares({"a": 1, "b": 3})),
            "bulk": ms.Traffic(to="q", rate=ms.Spike(at=60, height=100, hold=30), groups=ms.GroupShares({"bulk": 1})),
        },
        workers={"w": ms.Workers(queue="q", count=40, batch_size=1, service_time=1)},
    )


@pytest.mark.rule("SQS-FAIR-7")
@pytest.mark.rule("CW-SQS-1")
def test_quiet_groups_have_gauges_of_their_own() -> None:
    run = ms.simulate(tenants(delay=2), until=180, probe=30)
    assert run.series("q", "noisy_groups")[1].tolist()[2:5] == [0, 2, 1]  # b had most of the work until a minute ago
    assert run.quantile("q", "visible", 1) > 1_000
    assert run.quantile("q", "visible_in_quiet_groups", 1) == 0
    assert 0 < run.quantile("q", "in_flight_in_quiet_groups", 1) < 12
    assert 0 < run.quantile("q", "delayed_in_quiet_groups", 1) < 25
    assert run.quantile("q", "age_of_oldest_message", 1) > 20
    assert run.quantile("q", "age_of_oldest_message_in_quiet_groups", 1) < 5


@pytest.mark.rule("CW-SQS-1")
def test_metrics_go_by_the_names_of_cloudwatch_too() -> None:
    run = ms.simulate(tenants(), until=120, probe=30)
    assert run.total("q", "NumberOfMessagesSent") == run.total("q", "sent") > 3_000
    assert run.series("q", "ApproximateNumberOfNoisyGroups") == run.series("q", "noisy_groups")
    assert run.mean("q", "ApproximateNumberOfMessagesVisible") == run.mean("q", "visible")
    assert run.quantile("q", "ApproximateAgeOfOldestMessage", 1) == run.quantile("q", "age_of_oldest_message", 1)
    assert run.stat("q", "ApproximateNumberOfMessagesNotVisible", "max") == 40


@pytest.mark.rule("CW-SQS-1")
def test_fifo_queues_count_groups_in_flight_and_suppressed_duplicates() -> None:
    scenario = ms.Scenario(
        queues={"q": ms.Queue(fifo=True)},
        traffic={"t": ms.Traffic(to="q", rate=5, groups=3, resend=0.2)},
        workers={"w": ms.Workers(queue="q", count=8, batch_size=1, service_time=1)},
    )
    run = ms.simulate(scenario, until=60, probe=10)
    assert run.series("q", "groups_in_flight")[1].tolist() == [0, 3, 3, 3, 3, 3, 3]
    again = run.total("t", "resent")
    assert 20 < again < 100
    assert run.total("q", "NumberOfDeduplicatedSentMessages") == again
    assert run.total("q", "sent") == run.total("t", "arrivals")


@pytest.mark.rule("CW-SQS-1")
def test_queues_without_groups_have_no_metrics_of_them() -> None:
    run = ms.simulate(
        ms.Scenario(queues={"q": ms.Queue()}, traffic={"t": ms.Traffic(to="q", rate=1)}), until=10, probe=5
    )
    for metric in ("groups_in_flight", "noisy_groups", "ApproximateNumberOfNoisyGroups"):
        with pytest.raises(UnknownName, match=rf"no metric of queue 'q' named '{metric}'"):
            run.final("q", metric)
