from array import array
from math import inf, isnan, nan

import pytest

import msgsim as ms
from msgsim.errors import DeclarationError, UnknownName
from msgsim.metrics import SAMPLE
from msgsim.run import Run
from msgsim.study.closed_forms import fluid_drain
from msgsim.study.objectives import parse
from msgsim.study.recovery import DERIVED, Recovery, _Descent, derived_of, derived_values, recoveries, statistics_of
from msgsim.study.triggers import Trigger

SPIKE = ms.Spike(at=100, height=6, hold=60)


def fluid(rate: object = 2 + SPIKE, count: object = 4, **queue: object) -> ms.Scenario:
    """4 workers handle 4 messages per second, 2 arrive: nothing is left to chance."""
    return ms.Scenario(
        queues={"q": ms.Queue(**queue)},  # type: ignore[arg-type]
        traffic={"t": ms.Traffic(to="q", rate=rate, process="regular")},  # type: ignore[arg-type]
        workers={"w": ms.Workers(queue="q", count=count, batch_size=1, service_time=1)},  # type: ignore[arg-type]
    )


def ran(scenario: ms.Scenario, until: float = 400, probe: float = 5, warm_up: float = 0) -> Run:
    return ms.simulate(scenario, until=until, probe=probe, warm_up=warm_up)


@pytest.fixture(scope="module")
def spiked() -> Run:
    return ran(fluid())


# ---------------------------------------------------------------- a spike


def test_a_spike_is_what_water_would_be(spiked: Run) -> None:
    """Backlog (2 + 6 - 4) x 60 s = 240, surplus 4 - 2 per second: 120 s; the last in line waits 60 s."""
    [recovery] = recoveries(spiked, "q")
    assert recovery.trigger == Trigger(start=100, end=160, paths=("traffic.t.rate.1",))
    assert recovery.peak == pytest.approx(240, abs=4)
    assert recovery.drain_time == pytest.approx(fluid_drain(recovery.peak, 2), abs=3)
    assert recovery.peak_age == pytest.approx(60, abs=1.5)
    assert recovery.recovery_time == pytest.approx(120, abs=3)
    assert 0 < recovery.normal <= 4
    assert recovery.normal_age <= 1
    assert recovery.lost == 0


@pytest.mark.parametrize("probe", [1, 7, 20, 33])
def test_times_are_finer_than_the_readings(probe: float) -> None:
    [recovery] = recoveries(ran(fluid(), probe=probe), "q")
    assert recovery.drain_time == pytest.approx(120, abs=3)
    assert recovery.recovery_time == pytest.approx(120, abs=3)


def test_an_objective_of_one_s_own(spiked: Run) -> None:
    """When the spike ends, the oldest is 30 s old; the last one that came with it 60 s later is 60 s old."""
    [recovery] = recoveries(spiked, "q", age=40)
    assert recovery.normal_age == 40
    assert recovery.recovery_time == pytest.approx(80, abs=3)
    [recovery] = recoveries(spiked, "q", normal=124)
    assert recovery.drain_time == pytest.approx(60, abs=3)
    [recovery] = recoveries(spiked, "q", normal=1e9, age=1e9)
    assert recovery.drain_time == recovery.recovery_time == 0


def test_what_is_not_drained_by_the_end_is_infinite() -> None:
    [recovery] = recoveries(ran(fluid(), until=270), "q")
    assert recovery.drain_time == recovery.recovery_time == inf
    assert not parse("max(q.drain_time) < 600").met_by({("q", "drain_time.max"): recovery.drain_time})
    [recovery] = recoveries(ran(fluid(), until=130), "q")
    assert (recovery.trigger.end, recovery.drain_time) == (130, inf)
    assert recovery.peak == pytest.approx(120, abs=4)


def test_workers_that_are_away_are_a_trigger() -> None:
    """50 s without workers: 100 messages, gone after another 50 s."""
    [recovery] = recoveries(ran(fluid(2, ms.Steps([(0, 4), (100, 0), (150, 4)]))), "q")
    assert recovery.peak == pytest.approx(100, abs=4)
    assert recovery.drain_time == pytest.approx(50, abs=3)
    assert recovery.recovery_time == pytest.approx(50, abs=3)
    assert recovery.peak_age == pytest.approx(50, abs=2)


def test_each_spike_has_its_own_values_and_a_drain_goes_on_through_the_next() -> None:
    """After 40 s of draining there are 160 messages left; another spike makes 40 of it, and 200 take 100 s."""
    run = ran(fluid(2 + SPIKE + ms.Spike(at=200, height=6, hold=10)))
    first, second = recoveries(run, "q")
    assert first.peak == pytest.approx(240, abs=4)
    assert second.peak == pytest.approx(200, abs=4)
    assert first.drain_time == pytest.approx(310 - 160, abs=3)
    assert second.drain_time == pytest.approx(310 - 210, abs=3)
    assert derived_values(run)["q"]["drain_time"] == [first.drain_time, second.drain_time]
    assert DERIVED["peak_visible"].values(run, "q") == [first.peak, second.peak]


def test_what_retention_removes_is_counted_until_the_next_trigger() -> None:
    """Workers are away for 120 and 90 s, and messages are kept for 60 s: those of the first 60 and 30 s are lost."""
    steps = [(0, 4), (100, 0), (220, 4), (500, 0), (590, 4)]
    run = ran(fluid(2, ms.Steps(steps), retention=60), until=700)
    first, second = recoveries(run, "q")
    assert first.lost + second.lost == run.total("q", "expired")
    assert first.lost > second.lost > 40
    assert first.peak_age == pytest.approx(60, abs=1)
    assert DERIVED["lost_to_retention"].values(run, "q") == [first.lost, second.lost]


def test_messages_in_flight_are_not_done_yet() -> None:
    """What fails waits in flight for its visibility timeout: soon nothing is visible, and nothing is drained."""
    run = ran(fluid(visibility_timeout=300).vary("workers.w.failure_rate", 0.9).vary("workers.w.count", 40), until=300)
    [recovery] = recoveries(run, "q")
    times, visible = run.series("q", "visible")
    assert max(value for time, value in zip(times, visible, strict=True) if time > 250) == 0
    assert recovery.peak == 0
    assert recovery.recovery_time == recovery.drain_time == inf


# ---------------------------------------------------------------- what is normal


def test_of_what_begins_with_the_run_only_work_is_normal() -> None:
    """4 workers of 1 s a message; the spike leaves (1 + 6 - 4) x 60 messages, which take 60 s."""
    [recovery] = recoveries(ran(fluid(1 + ms.Spike(at=0, height=6, hold=60)), until=200), "q")
    assert (recovery.normal, recovery.normal_age) == (4, 1)
    assert recovery.drain_time == pytest.approx(60, abs=3)


def test_workers_that_come_later_are_not_normal() -> None:
    run = ran(fluid(1 + ms.Spike(at=100, height=6, hold=60), ms.Steps([(0, 2), (50, 3), (100, 9)])), until=300)
    [recovery] = recoveries(run, "q")
    assert recovery.normal == 3


def test_without_a_reading_since_the_warm_up_the_last_one_before_it_is_normal() -> None:
    run = ran(fluid(count=1), probe=40, warm_up=90, until=200)
    [recovery] = recoveries(run, "q")
    _, visible = run.series("q", "visible")
    _, in_flight = run.series("q", "in_flight")
    assert recovery.normal == visible[2] + in_flight[2] > 70


def test_triggers_of_the_warm_up_are_left_out() -> None:
    run = ran(fluid(), until=200, warm_up=101)
    assert recoveries(run, "q") == []
    assert derived_values(run)["q"] == {name: [] for name in derived_of("queue")}
    assert derived_values(ran(fluid(), until=90))["q"]["drain_time"] == []
    assert derived_values(ran(fluid(2), until=90)) == {}
    assert len(recoveries(ran(fluid(), until=200, warm_up=100), "q")) == 1


# ---------------------------------------------------------------- triggers of one's own


def test_triggers_may_be_given() -> None:
    run = ran(fluid(ms.Trace([120, 120, 480, 120, 120, 120, 120, 120], width=60)), until=480)
    assert recoveries(run, "q") == []
    [recovery] = recoveries(run, "q", at=(120, 180))
    assert recovery.trigger == Trigger(start=120, end=180)
    assert recovery.peak == pytest.approx(240, abs=4)
    assert recovery.drain_time == pytest.approx(120, abs=3)
    [instant] = recoveries(run, "q", at=120)
    assert instant.drain_time == pytest.approx(60 + 120, abs=3)
    assert instant.peak == recovery.peak
    two = recoveries(run, "q", at=[(120, 180), 60])
    assert [each.trigger.start for each in two] == [60, 120]
    assert two[1].peak == recovery.peak


def test_what_comes_within_as_long_as_the_trigger_lasted_is_part_of_it() -> None:
    """40 messages more come 50 s after the end; without them nothing happens."""
    rate = ms.Trace([20] * 25 + [60] + [20] * 14, width=10)
    run = ran(fluid(rate, visibility_timeout=10))
    [long] = recoveries(run, "q", at=(100, 200))
    assert long.drain_time == pytest.approx(70, abs=10)
    assert long.peak > 15
    [short] = recoveries(run, "q", at=(190, 200))
    assert (short.drain_time, short.recovery_time, short.peak) == (0, 0, 0)


def test_what_was_before_the_warm_up_is_not_normal() -> None:
    rate = ms.Trace([100, 100] + [20] * 13 + [80, 80] + [20] * 23, width=10)
    scenario = fluid(rate)
    assert recoveries(ran(scenario), "q", at=(150, 170))[0].normal > 100
    assert recoveries(ran(scenario, warm_up=120), "q", at=(150, 170))[0].normal == 4


def test_between_two_readings_the_next_one_is_the_peak(spiked: Run) -> None:
    first, second = recoveries(spiked, "q", at=[161, 162])
    assert first.peak == second.peak == spiked.series("q", "visible")[1][33]


@pytest.mark.parametrize(
    ("at", "path"),
    [
        (-1, "at.0"),
        (401, "at.0"),
        ((300, 401), "at.0"),
        ((300, 299), "at.0"),
        ([300, nan], "at.1"),
        (["300"], "at.0"),
        ([(1, 2, 3)], "at.0"),
        ([], "at"),
    ],
)
def test_triggers_that_cannot_be(spiked: Run, at: object, path: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        recoveries(spiked, "q", at=at)  # type: ignore[arg-type]
    assert caught.value.path == path


def test_nonsense_is_refused(spiked: Run) -> None:
    with pytest.raises(DeclarationError, match="age"):
        recoveries(spiked, "q", age=-1)
    with pytest.raises(DeclarationError, match="normal"):
        recoveries(spiked, "q", normal=nan)
    with pytest.raises(UnknownName, match="no entity named 'qq'; did you mean 'q'"):
        recoveries(spiked, "qq")
    with pytest.raises(UnknownName, match="w is a pool: it has no backlog to drain; allowed: a queue, topic"):
        recoveries(spiked, "w")
    with pytest.raises(UnknownName, match="q is no topic or subscription or outbox: it has no peak_pending"):
        DERIVED["peak_pending"].values(spiked, "q")


# ---------------------------------------------------------------- other kinds


def test_a_topic_and_its_subscription_drain_after_an_outage() -> None:
    server = ms.Server(outages=[ms.Outage(at=100, duration=200)])
    scenario = ms.Scenario(
        topics={
            "news": ms.Topic(
                subscriptions=[ms.Subscription(endpoint="https://example.com/", protocol="https", server=server)]
            )
        },
        traffic={"t": ms.Traffic(to="news", rate=0.5)},
    )
    run = ran(scenario, until=1000)
    found = derived_values(run)
    [drained] = found["news/https://example.com/"]["drain_time"]
    assert 0 < drained < inf
    assert found["news"] == {"drain_time": [drained], "peak_pending": [max(run.series("news", "pending")[1])]}
    [recovery] = recoveries(run, "news")
    assert isnan(recovery.normal_age)
    assert isnan(recovery.peak_age)
    assert isnan(recovery.recovery_time)
    assert recovery.lost == 0


def test_an_outbox_drains_after_an_outage_of_a_receiver() -> None:
    scenario = ms.Scenario(
        queues={"q": ms.Queue()},
        outboxes={"ses": ms.Outbox(receivers=[ms.Receiver(outages=[(100, 300)])])},
        traffic={"t": ms.Traffic(to="q", rate=0.2)},
        workers={"w": ms.Workers(queue="q", count=2, service_time=0.1, on_success=[ms.SendEmail("ses")])},
    )
    found = derived_values(ran(scenario, until=2000))
    assert list(found) == ["ses"]
    assert found["ses"]["peak_pending"][0] > 20
    assert 0 < found["ses"]["drain_time"][0] < inf


def test_recoveries_have_words() -> None:
    trigger = Trigger(start=100, end=160, paths=("traffic.t.rate.1",))
    usual = {"trigger": trigger, "normal": 3, "peak": 2400}
    both = Recovery(**usual, drain_time=121, normal_age=2, peak_age=61, recovery_time=122, lost=7)
    assert str(both) == (
        "traffic.t.rate.1, 100 to 160 s: peak 2,400, at most 1 min 01 s old, drained 2 min 01 s after it, "
        "down to an age of 2.00 s 2 min 02 s after it, 7 lost to retention"
    )
    stuck = Recovery(**usual, drain_time=inf)
    assert str(stuck) == "traffic.t.rate.1, 100 to 160 s: peak 2,400, not drained by the end"


# ---------------------------------------------------------------- metrics


def test_derived_metrics_are_samples_of_their_kinds() -> None:
    assert all(each.metric.shape == SAMPLE for each in DERIVED.values())
    assert all(each.metric.name == name for name, each in DERIVED.items())
    assert list(derived_of("queue")) == [
        "drain_time",
        "recovery_time",
        "peak_visible",
        "peak_age",
        "lost_to_retention",
    ]
    assert list(derived_of("outbox")) == ["drain_time", "peak_pending"]
    assert derived_of("pool") == {}


@pytest.mark.parametrize(
    ("statistic", "expected"), [("mean", 3.5), ("p50", 2), ("p90", 8), ("p99", 8), ("p99.9", 8), ("max", 8)]
)
def test_statistics_are_those_of_samples(statistic: str, expected: float) -> None:
    assert statistics_of([8, 1, 3, 2])[statistic] == expected
    assert isnan(statistics_of([])[statistic])
    assert statistics_of([inf, 1])["max"] == inf


def test_samples_have_no_other_statistics() -> None:
    assert list(statistics_of([1])) == ["mean", "p50", "p90", "p99", "p99.9", "max"]


def test_an_objective_on_recovery_needs_something_to_recover_from() -> None:
    objective = parse("max(q.drain_time) < 5 min and p50(q.peak_visible) < 3000")
    assert objective.check(fluid()) == objective
    with pytest.raises(DeclarationError) as caught:
        objective.check(fluid(10))
    assert "nothing that the scenario declares disturbs q: it needs a spike" in caught.value.problem
    with pytest.raises(UnknownName, match="no metric of pool 'w' named 'drain_time'"):
        parse("max(w.drain_time) < 3").check(fluid())
    with pytest.raises(UnknownName, match=r"q\.drain_time is a sample: it has mean, p50"):
        parse("total(q.drain_time) < 3").check(fluid())
    with pytest.raises(UnknownName, match="did you mean 'drain_time'"):
        parse("max(q.drain_tim) < 3").check(fluid())


# ---------------------------------------------------------------- coming down


def descent(values: list[float], level: float = 0) -> _Descent:
    return _Descent(array("d", [10.0 * place for place in range(len(values))]), array("d", values), level)


@pytest.mark.parametrize(
    ("values", "end", "expected"),
    [
        ([0, 9, 9, 0], 0, 0),  # it is there
        ([0, 0, 0, 0], 15, 15),  # it never was above
        ([0, 9, 9, 9], 15, inf),
        ([0, 0, 9, 9], 10, 10),  # down at the end itself
        ([0, 0, 8, 0], 11, 30),  # above at 20, so it was above since; down at the latest reading
        ([0, 8, 0, 0], 12, 20),  # between two readings
        ([0, 8, 1, 0], 12, 30),
        ([0, 30, 20, 10, 0], 10, 40),  # evenly
        ([0, 90, 50, 10, 0], 10, 32.5),  # the line through 50 and 10 comes to 0 before the reading
        ([0, 90, 10, 10, 0], 10, 40),  # it did not fall before
        ([0, 90, 50, 40, 0], 10, 40),  # it would come to 0 after the reading
        ([0, 0, 0, 0, 9], 40, inf),
        ([0, 0, 0, 9, 0], 40, 40),
        ([0, 0, 0, 9, 0], 39, 40),
    ],
)
def test_when_a_gauge_comes_down(values: list[float], end: float, expected: float) -> None:
    assert descent(values).after(end, 0, inf) == pytest.approx(expected)


def test_the_line_crosses_at_the_level() -> None:
    gauge = descent([9, 9, 1], 5)
    assert gauge.after(5, 0, inf) == pytest.approx(15)
    assert gauge.after(16, 0, inf) == 16, "the line was at the level before"
    assert descent([2, 8, 2, 0], 2).after(12, 0, inf) == 20, "at the level is not above it"


@pytest.mark.parametrize(
    ("values", "calm", "following", "expected"),
    [
        ([0, 50, 0, 0, 50, 0], 19, inf, 20),  # what comes later is something else
        ([0, 50, 0, 0, 50, 0], 20, inf, 50),
        ([0, 50, 0, 0, 50, 0], 20, 40, 20),  # so is what another trigger does
        ([0, 50, 0, 0, 50, 0], 20, 41, 50),
        ([0, 50, 0, 10, 0, 0], 99, inf, 20),  # few more are chance
        ([0, 50, 0, 11, 0, 0], 99, inf, 40),
        ([0, 0, 0, 11, 0, 0], 99, inf, 40),  # it comes late
        ([0, 50, 0, 50, 0, 50], 10, inf, inf),  # again and again
        ([0, 50, 0, 50, 0, 50], 9, inf, 20),
    ],
)
def test_a_gauge_must_stay_down(values: list[float], calm: float, following: float, expected: float) -> None:
    assert descent(values).after(10, calm, following) == pytest.approx(expected)


def test_a_large_level_may_be_twice_as_large() -> None:
    assert descent([20, 90, 20, 40, 20], 20).after(10, 99, inf) == pytest.approx(20)
    assert descent([20, 90, 20, 41, 20], 20).after(10, 99, inf) == pytest.approx(40)


@pytest.mark.parametrize(
    ("values", "first", "until", "expected"),
    [
        ([0, 0, 0, 0], 1, 20, -inf),
        ([9, 0, 0, 0], 1, 20, -inf),
        ([0, 9, 0, 9, 0], 1, 25, 40),
        ([0, 9, 0, 9, 0], 1, 20, 20),
        ([0, 9, 9, 9, 0], 1, 20, 40),
        ([0, 9, 9, 9, 9], 1, 20, inf),
        ([0, 9, 0, 9, 0], 1, inf, 40),
        ([0, 9, 0, 9, 9], 1, inf, inf),
    ],
)
def test_when_it_was_above_for_the_last_time(values: list[float], first: int, until: float, expected: float) -> None:
    assert descent(values).last_within(first, until) == expected


def test_a_flood_after_an_outage_is_part_of_it() -> None:
    """Nothing reaches the queue during the outage; a minute after it, all that was held up does."""
    server = ms.Server(outages=[ms.Outage(at=100, duration=90)])
    scenario = ms.Scenario(
        topics={"t": ms.Topic(subscriptions=[ms.Subscription(endpoint="q", server=server)])},
        queues={"q": ms.Queue()},
        traffic={"source": ms.Traffic(to="t", rate=2, process="regular")},
        workers={"w": ms.Workers(queue="q", count=4, batch_size=1, service_time=1)},
    )
    run = ran(scenario, until=600)
    [recovery] = recoveries(run, "q")
    times, visible = run.series("q", "visible")
    assert max(value for time, value in zip(times, visible, strict=True) if 105 <= time <= 190) == 0
    assert recovery.peak == max(visible) > 20
    assert recovery.drain_time > 10
