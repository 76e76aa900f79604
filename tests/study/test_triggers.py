from math import inf

import attrs
import pytest

import msgsim as ms
from msgsim.engine.curves import RateCurve
from msgsim.study.triggers import FEWER, MORE, Trigger, _excursions, triggers, without_triggers

SPIKE = ms.Spike(at=600, height=30, hold=120)


def scenario(rate: RateCurve | float, count: RateCurve | int = 1) -> ms.Scenario:
    return ms.Scenario(
        queues={"q": ms.Queue(redrive=ms.Redrive(to="dead", max_receive_count=3)), "dead": ms.Queue()},
        traffic={"t": ms.Traffic(to="q", rate=rate)},
        workers={"w": ms.Workers(queue="q", count=count, service_time=1)},
    )


def spans(some: list[Trigger]) -> list[tuple[float, float]]:
    return [(each.start, each.end) for each in some]


# ---------------------------------------------------------------- curves


def test_a_spike_disturbs_its_queue_and_what_is_behind_it() -> None:
    spike = Trigger(start=600, end=720, paths=("traffic.t.rate.1",))
    assert triggers(scenario(10 + SPIKE), 3600) == {"q": [spike], "dead": [spike]}
    assert triggers(scenario(SPIKE), 3600)["q"] == [Trigger(start=600, end=720, paths=("traffic.t.rate",))]


@pytest.mark.parametrize(
    "rate",
    [
        5,
        ms.Diurnal(mean=5, amplitude=3),
        ms.Trace([3, 9, 3], width=60),
        ms.Spike(at=60, height=0, hold=10),
        ms.Spike(at=60, height=5, hold=0),
        ms.Ramp(start=60, end=90, from_rate=5, to_rate=2),
        ms.Ramp(start=0, end=90, from_rate=0, to_rate=2),
        ms.Steps([(0, 5)]),
        ms.Steps([(0, 5), (60, 2)]),
        ms.Spike(at=3600, height=5, hold=10),
        ms.Steps([(0, 1), (3600, 5), (3700, 1)]),
        ms.Ramp(start=3600, end=3700, from_rate=1, to_rate=2),
    ],
)
def test_what_is_no_disturbance(rate: RateCurve | float) -> None:
    assert triggers(scenario(rate), 3600) == {}


def test_a_spike_that_is_repeated_has_a_trigger_each_time() -> None:
    curve = ms.Spike(at=0, height=5, hold=10, ramp=5, decay=5, every=100)
    assert spans(triggers(scenario(curve), 310)["q"]) == [(0, 30), (100, 130), (200, 230), (300, 310)]
    assert spans(triggers(scenario(curve), inf)["q"]) == [(0, pytest.approx(0, abs=1e-9))]
    later = ms.Spike(at=50, height=5, hold=10, every=100)
    assert [each.start for each in triggers(scenario(later), inf)["q"]] == [50]


def test_what_repeats_all_the_time_is_one_trigger() -> None:
    found = triggers(scenario(ms.Spike(at=60, height=5, hold=0.0005, every=0.001)), 86_400)["q"]
    assert spans(found) == [(60, 86_400)]
    server = ms.Server(outages=[ms.Outage(at=30, duration=0.0005, every=0.001)])
    topic = ms.Topic(subscriptions=[ms.Subscription(endpoint="q", server=server)])
    failing = attrs.evolve(scenario(1), topics={"news": topic})
    assert spans(triggers(failing, 86_400)["q"]) == [(30, 86_400)]


def test_triggers_have_words() -> None:
    assert str(Trigger(start=600, end=720.5, paths=("a.rate.1", "b.rate"))) == "a.rate.1 + b.rate, 600 to 720.5 s"
    assert str(Trigger(start=600, end=720)) == "given, 600 to 720 s"


def test_triggers_that_overlap_or_touch_are_one() -> None:
    rate = sum([ms.Spike(at=at, height=1, hold=hold) for at, hold in ((50, 50), (100, 50), (20, 99))], ms.Constant(1))
    paths = ("traffic.t.rate.3", "traffic.t.rate.1", "traffic.t.rate.2")
    assert triggers(scenario(rate), 3600)["q"] == [Trigger(start=20, end=150, paths=paths)]
    touching = ms.Spike(at=50, height=1, hold=50) + ms.Spike(at=100, height=1, hold=50)
    assert spans(triggers(scenario(touching), 3600)["q"]) == [(50, 150)]
    apart = ms.Spike(at=50, height=1, hold=50) + ms.Spike(at=100.001, height=1, hold=50)
    assert len(triggers(scenario(apart), 3600)["q"]) == 2


@pytest.mark.parametrize(
    ("steps", "way", "found"),
    [
        ([(0, 1), (10, 5), (20, 1)], MORE, [(10, 20, 1, False)]),
        ([(0, 1), (10, 5), (20, 0.5)], MORE, [(10, 20, 1, False)]),
        ([(0, 1), (10, 5), (20, 3), (30, 7), (40, 1)], MORE, [(10, 40, 1, False)]),
        ([(0, 1), (10, 5), (20, 1), (30, 5), (40, 1)], MORE, [(10, 20, 1, False), (30, 40, 1, False)]),
        ([(0, 1), (10, 3), (20, 5), (30, 2)], MORE, [(10, 20, 1, True)]),
        ([(0, 1), (10, 3)], MORE, [(10, 10, 1, True)]),
        ([(0, 5), (10, 1)], MORE, []),
        ([(5, 3), (10, 0)], MORE, [(5, 10, 0, False)]),
        ([(0, 5), (10, 1), (20, 5)], FEWER, [(10, 20, 5, False)]),
        ([(0, 5), (10, 1), (20, 3)], FEWER, [(10, 10, 5, True)]),
        ([(0, 5), (10, 8), (20, 5)], FEWER, [(20, 20, 8, True)]),
        ([(0, 1), (10, 5)], FEWER, []),
    ],
)
def test_steps_are_disturbed_until_they_are_back(
    steps: list[tuple[float, float]], way: int, found: list[tuple[float, float, float, bool]]
) -> None:
    assert list(_excursions(ms.Steps(steps), way)) == found


def test_changes_for_good_are_over_when_they_are_complete() -> None:
    ramp = ms.Ramp(start=60, end=90, from_rate=1, to_rate=2)
    assert triggers(scenario(ramp), 3600)["q"] == [Trigger(start=60, end=90, paths=("traffic.t.rate",), lasting=True)]
    assert spans(triggers(scenario(ramp), 70)["q"]) == [(60, 70)]
    both = triggers(scenario(ramp + ms.Steps([(0, 1), (80, 4), (100, 1)])), 3600)["q"]
    assert [(each.start, each.end, each.lasting) for each in both] == [(60, 100, True)]


def test_a_change_for_good_within_a_spike_remains_one() -> None:
    rate = ms.Spike(at=50, height=1, hold=50) + ms.Steps([(0, 1), (80, 2)])
    [both] = triggers(scenario(rate), 3600)["q"]
    assert (both.start, both.end, both.lasting) == (50, 100, True)


def test_fewer_workers_are_a_trigger() -> None:
    dip = ms.Steps([(0, 6), (600, 0), (900, 6)])
    found = triggers(scenario(1, dip), 3600)
    assert found["q"] == found["dead"] == [Trigger(start=600, end=900, paths=("workers.w.count",))]
    for count in (ms.Steps([(0, 6), (600, 9)]), ms.Constant(3) + SPIKE, ms.Diurnal(mean=5, amplitude=3)):
        assert triggers(scenario(1, count), 3600) == {}
    assert triggers(scenario(1, ms.Ramp(start=60, end=90, from_rate=5, to_rate=2)), 3600)["q"][0].lasting


# ---------------------------------------------------------------- ways

WAYS = ms.Scenario(
    topics={
        "orders": ms.Topic(
            subscriptions=[
                ms.Subscription(endpoint="placed", filter_policy={"kind": ["placed"]}),
                ms.Subscription(endpoint="paid", filter_policy={"kind": ["paid"]}),
                ms.Subscription(endpoint="large", filter_policy={"sum": [1]}, filter_scope="MessageBody"),
                ms.Subscription(
                    endpoint="https://example.com/",
                    protocol="https",
                    redrive="undelivered",
                    server=ms.Server(outages=[ms.Outage(at=300, duration=60, every=1000)]),
                ),
            ]
        ),
        "done": ms.Topic(subscriptions=[ms.Subscription(endpoint="audit", server=ms.Server(latency=1))]),
        "bounces": ms.Topic(subscriptions=[ms.Subscription(endpoint="cleaning")]),
    },
    queues={
        name: ms.Queue()
        for name in ("placed", "paid", "large", "undelivered", "audit", "cleaning", "next", "joined", "alone")
    },
    outboxes={
        "ses": ms.Outbox(
            receivers=[ms.Receiver(outages=[(100, 200), (5000, 6000)])],
            configuration_sets={"all": ms.ConfigurationSet(events=[ms.EventDestination(topic="bounces")])},
        )
    },
    traffic={
        "shop": ms.Traffic(to="orders", rate=1 + SPIKE, attributes={"kind": "placed"}),
        "other": ms.Traffic(to="alone", rate=1),
    },
    workers={
        "a": ms.Workers(
            queue="placed",
            count=1,
            service_time=1,
            on_success=[ms.Publish("done"), ms.SendMessage("next"), ms.Join("j")],
        ),
        "b": ms.Workers(
            queue="next",
            count=1,
            service_time=1,
            on_success=[ms.Join("j", parts=["a", "b"], then=[ms.SendMessage("joined")])],
        ),
        "c": ms.Workers(
            queue="joined",
            count=1,
            service_time=1,
            on_success=[ms.SendEmail("ses"), ms.PutSuppressedDestination("ses")],
        ),
    },
)

AT = {name: spans(some) for name, some in triggers(WAYS, 3600).items()}


def disturbed(*window: float) -> set[str]:
    return {name for name, some in AT.items() if window in some}


def test_a_spike_goes_where_its_messages_go() -> None:
    assert disturbed(600, 720) == {
        "orders",
        "orders/placed",
        "orders/large",
        "orders/https://example.com/",
        "undelivered",
        "placed",
        "large",
        "done",
        "done/audit",
        "audit",
        "next",
        "joined",
        "ses",
        "bounces",
        "bounces/cleaning",
        "cleaning",
    }


def test_an_outage_is_felt_behind_it_and_at_its_topic() -> None:
    assert disturbed(300, 360) == disturbed(3300, 3360) == {"orders", "orders/https://example.com/", "undelivered"}
    assert disturbed(100, 200) == {"ses", "bounces", "bounces/cleaning", "cleaning"}
    assert disturbed(5000, 6000) == set()


def test_entities_are_in_the_order_of_a_report() -> None:
    assert list(AT) == [name for name in WAYS.entities() if name in AT]
    assert "paid" not in AT
    assert "alone" not in AT


def test_of_what_repeats_the_first_may_do() -> None:
    found = triggers(WAYS, inf)
    assert {name: spans(some)[0][0] for name, some in found.items()} == {name: some[0][0] for name, some in AT.items()}
    assert spans(found["orders"]) == [(300, pytest.approx(300)), (600, pytest.approx(600))]


# ---------------------------------------------------------------- without


def test_without_triggers_there_are_none() -> None:
    for each in (WAYS, *map(ms.load, ms.examples())):
        calm = without_triggers(each)
        left = [trigger for some in triggers(calm, each.horizon).values() for trigger in some]
        assert all(trigger.lasting for trigger in left)
        assert calm.entities() == each.entities()
        assert without_triggers(calm) == calm


def test_what_remains_is_what_was_before() -> None:
    steps = ms.Steps([(0, 1), (10, 5), (15, 9), (20, 1), (30, 2)])
    ramp = ms.Ramp(start=60, end=90, from_rate=1, to_rate=2)
    given = scenario(steps + SPIKE + ramp, ms.Steps([(0, 4), (10, 0), (20, 4), (25, 6)]))
    calm = without_triggers(given)
    assert calm.traffic["t"].rate == ms.Steps([(0, 1), (10, 1), (15, 1), (20, 1), (30, 2)]) + SPIKE * 0 + ramp
    assert calm.workers["w"].count == ms.Steps([(0, 4), (10, 4), (20, 4), (25, 6)])
    assert without_triggers(scenario(3)) == scenario(3)


def test_more_workers_for_a_while_remain() -> None:
    given = scenario(1, ms.Constant(3) + SPIKE)
    assert without_triggers(given) == given
