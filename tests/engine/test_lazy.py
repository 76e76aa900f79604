"""A lazy station shows what one event per message would show, in every situation that a queue and its pools know."""

from collections.abc import Callable
from math import nextafter
from random import Random
from typing import Any

import pytest

import msgsim as ms
from msgsim.engine.lazy import LazyStation
from tests.engine.twins import assert_twins, differences, simulated
from tests.properties.scenarios import VERBS, Deed, User

EVEN: dict[str, Any] = {"process": "regular"}
SPIKE = ms.Constant(5) + ms.Spike(at=30, height=60, hold=10, every=200)
NOW_AND_THEN = ms.Mixture([(1, ms.Fixed(0.0)), (1, ms.Fixed(0.5))])
NIGHTS = ms.Steps([(0, 0), (60, 3), (150, 0), (200, 5), (260, 1)])


def one_queue(
    queue: dict[str, Any] | None = None, pool: dict[str, Any] | None = None, *, rate: Any = 5, **traffic: Any
) -> ms.Scenario:
    """A queue `q` with a pool `w`."""
    workers: dict[str, Any] = {"queue": "q", "count": 4, "service_time": ms.Exponential(0.5), **(pool or {})}
    return ms.Scenario(
        queues={"q": ms.Queue(**(queue or {}))},
        traffic={"t": ms.Traffic(to="q", rate=rate, **traffic)},
        workers={"w": ms.Workers(**workers)},
    )


def pools(queue: ms.Queue, traffic: dict[str, ms.Traffic], **workers: dict[str, Any]) -> ms.Scenario:
    """A queue `q` with several pools."""
    return ms.Scenario(
        queues={"q": queue},
        traffic=traffic,
        workers={name: ms.Workers(queue="q", **settings) for name, settings in workers.items()},
    )


def dead_letters(rate: Any, pool: dict[str, Any], dead: dict[str, Any], pit: dict[str, Any]) -> ms.Scenario:
    """A queue `q` whose dead letters go to `d`, and from there to `p`; all have workers. `d` is declared first."""
    return ms.Scenario(
        queues={
            "d": ms.Queue(visibility_timeout=10, redrive=ms.Redrive(to="p", max_receive_count=3)),
            "q": ms.Queue(visibility_timeout=10, redrive=ms.Redrive(to="d", max_receive_count=2)),
            "p": ms.Queue(retention=100),
        },
        traffic={"t": ms.Traffic(to="q", **rate)},
        workers={
            "w": ms.Workers(queue="q", **pool),
            "dw": ms.Workers(queue="d", **dead),
            "pw": ms.Workers(queue="p", **pit),
        },
    )


def behind_a_topic(delay: Any) -> ms.Scenario:
    """A queue `q` with a topic in front of it and traffic of its own, both in step."""
    return ms.Scenario(
        topics={
            "o": ms.Topic(
                subscriptions=(ms.Subscription(endpoint="q"), ms.Subscription(endpoint="r", delivery_delay=delay))
            )
        },
        queues={"q": ms.Queue(visibility_timeout=5), "r": ms.Queue(delay=1)},
        traffic={
            "t": ms.Traffic(to="o", rate=8, **EVEN),
            "u": ms.Traffic(to="q", rate=8, **EVEN),
            "v": ms.Traffic(to="r", rate=1),
        },
        workers={
            "a": ms.Workers(queue="q", count=6, service_time=0.25, failure_rate=0.2, batch_size=1),
            "b": ms.Workers(queue="r", count=2, service_time=ms.Exponential(0.25), batch_size=2),
        },
    )


def behind_workers(service_time: Any, **traffic: Any) -> ms.Scenario:
    """A lazy queue `r` to which the workers of `q` send."""
    return ms.Scenario(
        queues={"q": ms.Queue(visibility_timeout=5), "r": ms.Queue(visibility_timeout=3)},
        traffic={"t": ms.Traffic(to="q", rate=8, **traffic), "u": ms.Traffic(to="r", rate=2, **traffic)},
        workers={
            "a": ms.Workers(
                queue="q",
                count=5,
                service_time=service_time,
                failure_rate=0.2,
                on_success=[ms.SendMessage("r"), ms.SendMessage("r", delay=2)],
            ),
            "b": ms.Workers(queue="r", count=9, service_time=service_time, batch_size=2),
        },
    )


Shown = Callable[[ms.Run], bool]
"""Whether a run shows what its case is about."""


def counted(entity: str, metric: str, least: int = 1) -> Shown:
    return lambda run: run.total(entity, metric) >= least


def anything(run: ms.Run) -> bool:
    return run.total("q", "deleted") > 100


CASES: dict[str, tuple[ms.Scenario, Shown]] = {
    "a spike, failures, two dead-letter queues in a chain, all with workers": (
        dead_letters(
            {"rate": SPIKE},
            {"count": 5, "service_time": ms.Exponential(0.3), "failure_rate": 0.3},
            {"count": 2, "service_time": ms.Exponential(0.8), "failure_rate": 0.6, "batch_size": 3},
            {"count": 1, "service_time": ms.Exponential(3)},
        ),
        lambda run: run.total("d", "deleted") > 10 and run.total("p", "deleted") > 1,
    ),
    "dead letters in step with everything else": (
        dead_letters(
            {"rate": 4, "process": "regular"},
            {"count": 3, "service_time": 0.25, "failure_rate": 0.6, "batch_size": 3},
            {"count": 2, "service_time": 0.5, "failure_rate": 0.6, "batch_size": 1},
            {"count": 2, "service_time": 0.25, "batch_size": 1, "wait_time": 5},
        ),
        lambda run: run.total("d", "deleted") > 10 and run.total("p", "deleted") > 1,
    ),
    "dead letters that are too old when they come": (
        dead_letters(
            {"rate": 2},
            {"count": NIGHTS, "service_time": ms.Exponential(0.3), "failure_rate": 0.9},
            {"count": NIGHTS, "service_time": ms.Exponential(0.8), "failure_rate": 0.9},
            {"count": 2, "service_time": 0.25},
        ).vary("queues.p.retention", 80),
        counted("p", "expired"),
    ),
    "batches of 1": (one_queue(pool={"batch_size": 1}), anything),
    "batches of 3": (one_queue(pool={"batch_size": 3}), anything),
    "batches of 10": (one_queue(rate=SPIKE, pool={"failure_rate": 0.05}), anything),
    "polls of 5 s": (
        one_queue(pool={"wait_time": 5, "batch_size": 3, "failure_rate": 0.1}, rate=0.5),
        counted("q", "empty_receives", 100),
    ),
    "several pools": (
        pools(
            ms.Queue(visibility_timeout=5),
            {"t": ms.Traffic(to="q", rate=6)},
            a={"count": 2, "service_time": ms.Exponential(0.5), "failure_rate": 0.2},
            b={"count": 2, "service_time": ms.Uniform(0.2, 0.9), "batch_size": 2},
        ),
        anything,
    ),
    "several traffics": (
        pools(
            ms.Queue(visibility_timeout=5),
            {
                "t": ms.Traffic(to="q", rate=3),
                "u": ms.Traffic(to="q", rate=2, body="u", **EVEN),
                "v": ms.Traffic(to="q", rate=SPIKE),
                "w": ms.Traffic(to="q", rate=4, body="w", **EVEN),
            },
            a={"count": 8, "service_time": ms.Exponential(0.5), "failure_rate": 0.2},
        ),
        anything,
    ),
    "no traffic": (one_queue(rate=0), counted("q", "empty_receives")),
    "no pool": (
        pools(ms.Queue(retention=60), {"t": ms.Traffic(to="q", rate=6)}),
        counted("q", "expired"),
    ),
    "a queue-level delay": (
        one_queue({"delay": 3, "visibility_timeout": 5}, {"failure_rate": 0.2}),
        lambda run: run.mean("q", "delayed") > 10,
    ),
    "a limit of messages in flight that polls wait for": (
        one_queue({"max_in_flight": 6, "visibility_timeout": 5}, {"failure_rate": 0.2}),
        lambda run: max(run.series("q", "in_flight")[1]) == 6,
    ),
    "a limit that is met by batches in part": (
        one_queue({"max_in_flight": 14}, {"failure_rate": 0.1, "count": 8, "service_time": 0.25}, rate=SPIKE, **EVEN),
        lambda run: max(run.series("q", "in_flight")[1]) == 14,
    ),
    "a limit of one message in flight": (
        one_queue({"max_in_flight": 1, "visibility_timeout": 5}, {"failure_rate": 0.2, "service_time": 0.1}),
        anything,
    ),
    "a limit of three messages in flight, with random polls": (
        one_queue(
            {"max_in_flight": 3, "visibility_timeout": 5, "poll_winner": "random"},
            {"failure_rate": 0.2, "service_time": ms.Uniform(0.1, 1)},
        ),
        anything,
    ),
    "a backlog that outlives its retention": (
        one_queue({"retention": 60, "visibility_timeout": 5}, {"failure_rate": 0.2, "count": 2}, rate=12),
        counted("q", "expired", 100),
    ),
    "messages that outlive their retention in a worker's hands": (
        one_queue(
            {"retention": 60, "visibility_timeout": 50},
            {"failure_rate": 0.2, "count": 2, "service_time": ms.Exponential(4)},
        ),
        counted("q", "expired", 100),
    ),
    "batches that outlast their visibility timeout": (
        one_queue({"visibility_timeout": 1}, {"failure_rate": 0.1}, rate=8),
        counted("q", "duplicate_work", 100),
    ),
    "batches that outlast it now and then": (
        one_queue({"visibility_timeout": 2}, {"failure_rate": 0.1, "count": 8}, rate=SPIKE),
        counted("q", "duplicate_work", 10),
    ),
    "shifts, with nobody there at night": (
        one_queue({"visibility_timeout": 5}, {"count": NIGHTS, "failure_rate": 0.1}),
        lambda run: min(run.series("w", "count")[1]) == 0,
    ),
    "shifts that change when polls end": (
        one_queue({}, {"count": ms.Steps([(0, 3), (60, 1), (100, 0), (120, 2)]), "wait_time": 20}, rate=0.05, **EVEN),
        counted("q", "empty_receives"),
    ),
    "shifts that climb": (
        one_queue({"visibility_timeout": 5}, {"count": ms.Ramp(0, 250, 0, 8), "failure_rate": 0.1}),
        lambda run: max(run.series("w", "count")[1]) == 8,
    ),
    "random polls": (
        one_queue({"poll_winner": "random", "visibility_timeout": 5}, {"failure_rate": 0.1, "count": 10}),
        anything,
    ),
    "random polls of several pools": (
        pools(
            ms.Queue(visibility_timeout=5, poll_winner="random"),
            {"t": ms.Traffic(to="q", rate=6)},
            a={"count": 3, "service_time": ms.Exponential(0.5), "failure_rate": 0.2},
            b={"count": 3, "service_time": ms.Uniform(0.2, 0.9), "batch_size": 2},
        ),
        anything,
    ),
    "ties": (
        one_queue({"visibility_timeout": 5}, {"count": 5, "service_time": 0.5, "failure_rate": 0.2}, rate=8, **EVEN),
        anything,
    ),
    "ties between pools": (
        pools(
            ms.Queue(visibility_timeout=5),
            {"t": ms.Traffic(to="q", rate=8, **EVEN)},
            a={"count": 5, "service_time": 0.5, "failure_rate": 0.2},
            b={"count": 2, "service_time": 0.25, "batch_size": 2},
        ),
        anything,
    ),
    "ties between pools with shifts": (
        pools(
            ms.Queue(visibility_timeout=5),
            {"t": ms.Traffic(to="q", rate=8 + ms.Spike(at=20, height=20, hold=10), **EVEN)},
            a={"count": 5, "service_time": 0.5, "failure_rate": 0.2},
            b={"count": ms.Steps([(0, 2), (50, 0), (100, 4)]), "service_time": 0.75, "batch_size": 2},
        ),
        anything,
    ),
    "a limit in flight, with work that takes no time": (
        pools(
            ms.Queue(max_in_flight=5, visibility_timeout=5),
            {"t": ms.Traffic(to="q", rate=8, **EVEN), "u": ms.Traffic(to="q", rate=ms.Spike(at=9, height=40, hold=1))},
            a={"count": 3, "service_time": NOW_AND_THEN, "failure_rate": 0.1, "batch_size": 2},
            b={"count": 2, "service_time": NOW_AND_THEN, "batch_size": 3},
        ),
        lambda run: max(run.series("q", "in_flight")[1]) == 5,
    ),
    "groups, with work that takes no time": (
        pools(
            ms.Queue(fifo=True, max_in_flight=5, visibility_timeout=1),
            {"t": ms.Traffic(to="q", rate=8, groups=ms.UniformGroups(count=3), **EVEN)},
            a={"count": 2, "service_time": NOW_AND_THEN, "batch_size": 2},
            b={"count": 2, "service_time": NOW_AND_THEN, "failure_rate": 0.2, "batch_size": 1},
        ),
        anything,
    ),
    "behind a topic": (behind_a_topic(ms.Exponential(1)), anything),
    "behind a topic that delivers in step": (behind_a_topic(0.5), anything),
    "behind workers": (behind_workers(ms.Exponential(0.5)), counted("r", "sent", 1000)),
    "behind workers that send in step": (behind_workers(0.25, **EVEN), counted("r", "sent", 1000)),
}


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("case", CASES)
def test_lazy_equals_an_event_per_message(case: str, seed: int) -> None:
    scenario, shown = CASES[case]
    run = assert_twins(scenario, 300.0, seed=seed, probe=2.0)
    assert shown(run)


def test_the_cases_are_lazy() -> None:
    for scenario, _ in CASES.values():
        stations = ms.Simulation(scenario)._stations
        assert any(isinstance(station, LazyStation) for station in stations.values())


def test_a_lazy_run_has_no_event_per_message() -> None:
    scenario, _ = CASES["batches of 10"]
    scheduled = []
    for lazy in (True, False):
        simulation = ms.Simulation(scenario, horizon=300, lazy=lazy)
        simulation.run(300)
        scheduled.append(next(simulation.env._eid))
    assert scheduled[0] < 110  # the probes
    assert scheduled[1] > 1.5 * simulation.messages > 3000


# ---------------------------------------------------------------- users


def random_program(rng: Random, most: int, until: float) -> list[tuple[float, Deed]]:
    """Deeds at instants of arrivals and workers, and anywhere between them."""
    deeds = []
    for _ in range(rng.randrange(most + 1)):
        at = rng.choice([rng.randrange(int(until * 16)) / 16, rng.uniform(1.0, until)])
        deeds.append((at, (rng.choice(VERBS), rng.choice("qdr"), rng.randrange(12))))
    return sorted(deeds, key=lambda deed: deed[0])


def with_all_names(scenario: ms.Scenario) -> ms.Scenario:
    """The same, with queues for all that a user may name."""
    return scenario.vary("queues", {name: ms.Queue() for name in "qdrp"} | dict(scenario.queues))


MEDDLED = [
    "dead letters in step with everything else",
    "a limit of messages in flight that polls wait for",
    "a limit of three messages in flight, with random polls",
    "batches of 10",
    "batches that outlast it now and then",
    "behind a topic that delivers in step",
    "behind workers",
    "messages that outlive their retention in a worker's hands",
    "several traffics",
    "shifts that climb",
    "ties between pools",
]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("case", MEDDLED)
def test_a_user_sees_and_does_the_same(case: str, seed: int) -> None:
    scenario = with_all_names(CASES[case][0])
    rng = Random(f"{case}/{seed}")
    inside, between = random_program(rng, 60, 120.0), random_program(rng, 10, 120.0)
    seen = []
    for lazy in (True, False):
        simulation = ms.Simulation(scenario, seed=seed, horizon=120, lazy=lazy, probe=2.0)
        notes: list[Any] = []
        user = User(simulation, notes)
        simulation.env.process(user.process(inside))
        for at, deed in between:
            simulation.run(at)
            user.do(deed)
        simulation.run(120.0)
        run = simulation.result()
        run.audit()
        seen.append((run, notes))
    assert seen[0][1] == seen[1][1]
    assert differences(seen[0][0], seen[1][0]) == []


@pytest.mark.parametrize("case", ["batches of 10", "several traffics", "ties between pools"])
def test_a_result_on_the_way_sees_the_same(case: str) -> None:
    scenario, _ = CASES[case]

    def drive(simulation: ms.Simulation, notes: list[Any]) -> None:
        def process() -> Any:
            while True:
                yield simulation.env.timeout(3.0625)
                run = simulation.result()
                notes.append({name: record.series for name, record in run.records.items()})

        simulation.env.process(process())

    assert_twins(scenario, 60.0, drive=drive)


def test_stopping_on_the_way_changes_nothing() -> None:
    scenario, _ = CASES["dead letters in step with everything else"]
    whole, _ = simulated(scenario, 200.0, lazy=True, probe=7.0)
    parts, _ = simulated(scenario, 200.0, lazy=True, probe=7.0, stops=(0.0, 33.3, 40.0, 40.0, 123.5))
    assert differences(whole, parts) == []


# ---------------------------------------------------------------- one instant, seen closely


both = pytest.mark.parametrize("lazy", [True, False])


def live(scenario: ms.Scenario, *, lazy: bool, **settings: Any) -> ms.Simulation:
    return ms.Simulation(scenario, horizon=100, lazy=lazy, **settings)


@both
def test_what_a_user_sends_between_runs_is_there_until_the_simulation_goes_on(lazy: bool) -> None:
    simulation = live(one_queue(pool={"service_time": 1.0}, rate=0), lazy=lazy)
    queue = simulation.queues["q"]
    simulation.run(5.0)
    queue.send("x", 5.0)
    assert [queue.counts(5.0), queue.counts(5.0)] == [(1, 0, 0)] * 2
    assert simulation.workers["w"].busy == 0
    simulation.run(5.0)
    assert queue.counts(5.0) == (0, 1, 0)
    simulation.run(6.0)
    assert (queue.counts(6.0), queue.deleted) == ((0, 0, 0), 1)


@both
def test_a_publish_between_runs_comes_after_the_workers_of_the_instant(lazy: bool) -> None:
    scenario = ms.Scenario(
        topics={"t": ms.Topic(subscriptions=(ms.Subscription(endpoint="q", raw=True),))},
        queues={"q": ms.Queue()},
        workers={"w": ms.Workers(queue="q", count=2, batch_size=1, service_time=1.0)},
    )
    simulation = live(scenario, lazy=lazy)
    topic, queue = simulation.topics["t"], simulation.queues["q"]
    topic.publish("a", 0.0)
    simulation.run(1.0)  # one worker is done with it at this very instant, and waits behind the other
    topic.publish("b", 1.0)
    assert queue.counts(1.0) == (1, 0, 0)
    assert queue.deleted == 1
    simulation.run(20.5)  # the first poll of the other would have ended at 20, but it got the message
    assert (queue.deleted, queue.empty_receives) == (2, 0)


@both
def test_a_dead_letter_that_a_user_moves_between_runs_comes_after_the_workers_of_the_instant(lazy: bool) -> None:
    scenario = ms.Scenario(
        queues={"d": ms.Queue(), "q": ms.Queue(redrive=ms.Redrive(to="d", max_receive_count=1))},
        traffic={"t": ms.Traffic(to="d", rate=0.5, **EVEN)},  # at 1, 3 ...
        workers={"w": ms.Workers(queue="d", count=1, batch_size=1, service_time=1.0)},
    )
    simulation = live(scenario, lazy=lazy)
    queue, dead = simulation.queues["q"], simulation.queues["d"]
    queue.send("x", 0.0)
    queue.receive(0.0, visibility_timeout=0)
    simulation.run(2.0)
    assert queue.receive(2.0) == []
    assert (dead.counts(2.0), dead.deleted) == ((1, 0, 0), 1)
    simulation.run(2.0)
    assert dead.counts(2.0) == (0, 1, 0)


@both
def test_a_process_of_a_user_sees_arrivals_of_its_instant_and_not_its_workers(lazy: bool) -> None:
    simulation = live(one_queue(pool={"count": 1, "service_time": 1.0}, rate=1, **EVEN), lazy=lazy)
    seen = []

    def process() -> Any:
        queue = simulation.queues["q"]
        for at in (0.5, 1.5, 1.5):
            yield simulation.env.timeout(at - simulation.now)
            seen.append((tuple(queue.counts(at)), queue.deleted, simulation.workers["w"].busy))

    simulation.env.process(process())
    simulation.run(2.0)
    assert seen == [((1, 0, 0), 0, 0), ((1, 1, 0), 0, 1), ((1, 1, 0), 0, 1)]


@both
def test_shifts_change_before_polls_end(lazy: bool) -> None:
    simulation = live(one_queue(pool={"count": ms.Steps([(0, 2), (20, 1)])}, rate=0), lazy=lazy)
    simulation.run(20.0)
    assert simulation.queues["q"].empty_receives == 1


@both
def test_polls_end_before_a_user_resizes(lazy: bool) -> None:
    simulation = live(one_queue(pool={"count": 2}, rate=0), lazy=lazy)

    def process() -> Any:
        yield simulation.env.timeout(20.0)
        simulation.workers["w"].resize(1, 20.0)

    simulation.env.process(process())
    simulation.run(20.0)
    assert simulation.queues["q"].empty_receives == 2


@both
def test_looking_at_time_0_does_not_keep_shifts_from_beginning(lazy: bool) -> None:
    simulation = live(one_queue(pool={"count": ms.Steps([(0, 2)]), "service_time": 1.0}, rate=0), lazy=lazy)
    simulation.queues["q"].send("x", 0.0)
    simulation.run(1.0)
    assert (simulation.workers["w"].count, simulation.queues["q"].deleted) == (2, 1)


@both
def test_own_arrivals_come_before_publications_and_after_deliveries_of_their_instant(lazy: bool) -> None:
    scenario = ms.Scenario(
        topics={
            "now": ms.Topic(subscriptions=(ms.Subscription(endpoint="q", raw=True),)),
            "later": ms.Topic(subscriptions=(ms.Subscription(endpoint="q", raw=True, delivery_delay=1.0),)),
        },
        queues={"q": ms.Queue()},
        traffic={
            "b": ms.Traffic(to="now", rate=0.5, body="published", **EVEN),
            "c": ms.Traffic(to="later", rate=0.5, body="delivered", **EVEN),
            "a": ms.Traffic(to="q", rate=0.5, body="sent", **EVEN),
            "d": ms.Traffic(to="q", rate=1.0, body="sent, too", **EVEN),
        },
    )
    simulation = live(scenario, lazy=lazy)
    simulation.run(5.0)
    seen = [(got.sent_at, got.body) for got in simulation.queues["q"].receive(5.0, 10)]
    assert seen == [
        (0.5, "sent, too"),
        (1.0, "sent"),
        (1.0, "published"),
        (1.5, "sent, too"),
        (2.0, "delivered"),
        (2.5, "sent, too"),
        (3.0, "sent"),
        (3.0, "published"),
        (3.5, "sent, too"),
        (4.0, "delivered"),
    ]


@both
def test_of_two_sources_at_one_instant_the_one_goes_first_whose_last_event_is_longer_ago(lazy: bool) -> None:
    traffic = {
        "often": ms.Traffic(to="q", rate=3.0, body="often", **EVEN),
        "seldom": ms.Traffic(to="q", rate=1.0, body="seldom", **EVEN),
    }
    simulation = live(pools(ms.Queue(), traffic), lazy=lazy)
    simulation.run(1.0)
    seen = [got.body for got in simulation.queues["q"].receive(1.0, 10)]
    assert seen == ["often", "seldom", "often", "often"]  # both at 0.5, where `often` was at 1/6, `seldom` never


@both
@pytest.mark.rule("SQS-RCV-6")
def test_a_worker_that_is_done_goes_behind_those_that_wait(lazy: bool) -> None:
    """At 1.5, 2.5 ... a message arrives and a worker is done; the other has waited since a second before."""
    simulation = live(one_queue(pool={"count": 2, "service_time": 1.0, "batch_size": 1}, rate=1, **EVEN), lazy=lazy)
    simulation.run(20.0)
    assert (simulation.queues["q"].received, simulation.queues["q"].empty_receives) == (20, 0)


def fast_and_slow(queue: ms.Queue, groups: Any = None) -> ms.Scenario:
    """A worker that needs 1 s per message and one that needs 3 s, both with a backlog of 24 messages at 0."""
    return pools(
        queue,
        {"t": ms.Traffic(to="q", rate=ms.Steps([(0, 2400), (0.01, 0)]), groups=groups, **EVEN)},
        fast={"count": 1, "service_time": 1.0, "batch_size": 1},
        slow={"count": 1, "service_time": 3.0, "batch_size": 1},
    )


IN_TURN = {
    "at the limit in flight": fast_and_slow(ms.Queue(max_in_flight=1)),
    "at the limit in flight of a FIFO queue": fast_and_slow(
        ms.Queue(max_in_flight=1, fifo=True), ms.UniformGroups(count=3)
    ),
    "at a blocked group": fast_and_slow(ms.Queue(fifo=True), ms.UniformGroups(count=1)),
    "of tenants at the limit in flight": fast_and_slow(ms.Queue(max_in_flight=1), ms.UniformGroups(count=3)),
}


@both
@pytest.mark.rule("SQS-RCV-6")
@pytest.mark.parametrize("case", IN_TURN)
def test_a_fast_and_a_slow_worker_take_turns(case: str, lazy: bool) -> None:
    simulation = live(IN_TURN[case], lazy=lazy)
    simulation.run(40.5)
    assert [simulation.workers[name].processed for name in ("fast", "slow")] == [10, 10]
    simulation.run(41.5)
    assert [simulation.workers[name].processed for name in ("fast", "slow")] == [11, 10]


@pytest.mark.parametrize("case", IN_TURN)
def test_taking_turns_is_the_same_with_an_event_per_message(case: str) -> None:
    run = assert_twins(IN_TURN[case], 100.0, probe=0.5)
    assert run.total("q", "deleted") == 24


@pytest.mark.rule("SQS-RCV-6")
def test_a_short_poll_does_not_overtake_those_that_wait() -> None:
    scenario = pools(
        ms.Queue(max_in_flight=1),
        {"t": ms.Traffic(to="q", rate=0)},
        short={"count": 1, "service_time": 1.0, "batch_size": 1, "wait_time": 0},
        long={"count": 1, "service_time": 3.0, "batch_size": 1},
    )
    simulation = live(scenario, lazy=True)
    for number in range(3):
        simulation.queues["q"].send(str(number), 0.0)
    simulation.run(20.0)  # the short poll is the first; from 1 s on the other has waited longer
    assert [simulation.workers[name].processed for name in ("short", "long")] == [1, 2]


@both
def test_emails_and_ages_are_of_the_traffic_event_behind_workers(lazy: bool) -> None:
    scenario = ms.Scenario(
        queues={"q": ms.Queue(), "r": ms.Queue()},
        traffic={"t": ms.Traffic(to="q", rate=0.25, **EVEN), "u": ms.Traffic(to="r", rate=0.25, **EVEN)},
        workers={
            "a": ms.Workers(queue="q", count=1, service_time=1.0, on_success=[ms.SendMessage("r")]),
            "b": ms.Workers(queue="r", count=2, service_time=0.25, batch_size=1),
        },
    )
    simulation = live(scenario, lazy=lazy)
    simulation.run(8.0)  # sent at 2 and 6, sent on at 3 and 7
    assert sorted(simulation.result().samples("r", "end_to_end_time")) == [0.25, 0.25, 1.25, 1.25]
    assert sorted(simulation.result().samples("r", "sojourn_time")) == [0.25] * 4


@both
def test_the_limit_in_flight_is_met_at_the_instant_at_which_a_batch_ends(lazy: bool) -> None:
    scenario = one_queue({"max_in_flight": 10}, {"count": 2, "batch_size": 5, "service_time": 1.0}, rate=0)
    simulation = live(scenario, lazy=lazy)
    queue = simulation.queues["q"]
    for _ in range(20):
        queue.send("x", 0.0)
    counts = []
    for until in (0.0, 1.0, nextafter(2.0, 0), 2.0, 5.0, 10.0):
        simulation.run(until)
        counts.append(tuple(queue.counts(until)))
    assert counts == [(10, 10, 0), (10, 8, 0), (10, 8, 0), (10, 6, 0), (0, 10, 0), (0, 0, 0)]


@both
def test_a_spike_on_a_fast_pool_meets_the_limit_in_flight(lazy: bool) -> None:
    """Where a batch ends while others are on their way, only so many may be received as the limit leaves room for."""
    scenario = one_queue(
        {"max_in_flight": 25},
        {"count": 20, "service_time": ms.Exponential(0.2)},
        rate=ms.Spike(at=10, height=300, hold=2),
    )
    simulation = live(scenario, lazy=lazy, probe=0.25)
    simulation.run(40.0)
    run = simulation.result()
    run.audit()
    assert max(run.series("q", "in_flight")[1]) == 25
    assert run.total("q", "deleted") == run.total("q", "sent") > 500
