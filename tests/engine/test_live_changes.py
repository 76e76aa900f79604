"""What a user may do to queues while they are simulated: attributes, move tasks, deletion; and queues of chance."""

from collections.abc import Generator
from typing import Any, ClassVar

import pytest

import msgsim as ms
from msgsim.errors import DeclarationError, TimeRanAhead
from tests.engine.twins import assert_twins, simulated


def at(time: float, act: Any) -> Any:
    """A process that does something to a simulation at one time."""

    def drive(simulation: ms.Simulation, notes: list[Any]) -> None:
        def process() -> Generator[Any, Any, None]:
            yield simulation.env.timeout(time)
            act(simulation)
            notes.append({name: queue.counts(simulation.now) for name, queue in simulation.queues.items()})

        simulation.env.process(process())

    return drive


def scenario(queue: ms.Queue, *, rate: float = 5, **pool: Any) -> ms.Scenario:
    settings: dict[str, Any] = {"count": 2, "batch_size": 3, "service_time": ms.Exponential(0.25), **pool}
    return ms.Scenario(
        queues={"q": queue, "dead": ms.Queue(), "other": ms.Queue()},
        traffic={"t": ms.Traffic(to="q", rate=rate)},
        workers={"w": ms.Workers(queue="q", **settings)},
    )


EMAIL = ms.Email(to="ada@example.com", subject="s", body="b")
REDRIVE = ms.Redrive(to="dead", max_receive_count=2)


class TestAttributes:
    @pytest.mark.rule("SQS-ATT-2")
    @pytest.mark.parametrize("lag", [0, 7])
    @pytest.mark.parametrize(
        "changes",
        [
            {"delay": 2},
            {"visibility_timeout": 1},
            {"retention": 60},
            {"visibility_timeout": 2, "max_in_flight": 2, "wait_time": 3},
            {"redrive": None},
            {"redrive": ms.Redrive(to="dead", max_receive_count=1)},
        ],
    )
    def test_lazy_equals_an_event_per_message(self, changes: dict[str, Any], lag: float) -> None:
        queue = ms.Queue(attribute_lag=lag, retention_lag=lag, visibility_timeout=5, retention=100, redrive=REDRIVE)
        slow = scenario(queue, failure_rate=0.2, service_time=ms.Exponential(0.4), count=1)
        drive = at(130.5, lambda simulation: simulation.queues["q"].set_attributes(simulation.now, **changes))
        run = assert_twins(slow, 200.0, drive=drive, probe=5)
        assert run.total("q", "sent") > 800

    @pytest.mark.rule("SQS-ATT-2")
    def test_they_come_into_force_in_time_though_nobody_looks(self) -> None:
        for lazy in (True, False):
            simulation = ms.Simulation(scenario(ms.Queue(attribute_lag=60), rate=0.1), horizon=500, lazy=lazy)
            simulation.queues["q"].set_attributes(0, delay=5)
            simulation.queues["q"].set_attributes(0, visibility_timeout=9)
            simulation.run(59.9)
            assert simulation._queues["q"].delay == 0
            simulation.run(60)
            assert (simulation._queues["q"].delay, simulation._queues["q"].visibility_timeout) == (5, 9)

    @pytest.mark.rule("SNS-ENV-5")
    @pytest.mark.parametrize("lag", [0, 7])
    def test_a_topic_notices_that_its_queue_has_become_smaller(self, lag: float) -> None:
        def narrow(simulation: ms.Simulation) -> None:
            simulation.queues["q"].set_attributes(simulation.now, max_message_bytes=1_024)

        long = ms.Scenario(
            topics={"topic": ms.Topic(subscriptions=[ms.Subscription(endpoint="q")])},
            queues={"q": ms.Queue(attribute_lag=lag)},
            traffic={"t": ms.Traffic(to="topic", rate=1, process="regular", body="x" * 1_024)},
            workers={"w": ms.Workers(queue="q", count=2, service_time=0.25)},
        )
        run = assert_twins(long, 60.0, drive=at(29.75, narrow), probe=5)
        assert (run.total("topic", "delivered"), run.total("topic", "delivery_failed")) == (30 + lag, 30 - lag)

    def test_what_cannot_be_hidden_from_others_is_refused_where_work_is_done_in_one_go(self) -> None:
        for changes in ({"duplicates": 0.1}, {"old_handle": "deletes"}, {"sampled": 0.5}, {"disorder": 0.5}):
            lazy = ms.Simulation(scenario(ms.Queue()))
            with pytest.raises(DeclarationError, match=rf"queues\.q\.{next(iter(changes))}: .*lazy=False"):
                lazy.queues["q"].set_attributes(0, **changes)
            assert lazy.queues["q"].intended == ms.Queue()
            ms.Simulation(scenario(ms.Queue()), lazy=False).queues["q"].set_attributes(0, **changes)

    def test_dead_letters_may_go_elsewhere(self) -> None:
        def elsewhere(simulation: ms.Simulation) -> None:
            simulation.queues["q"].set_attributes(
                simulation.now,
                redrive=ms.Redrive(to="other", max_receive_count=1),
                dead_letter_queue=simulation.queues["other"],
            )

        failing = scenario(ms.Queue(visibility_timeout=2, redrive=REDRIVE), failure_rate=0.5)
        run = assert_twins(failing, 120.0, drive=at(60.0, elsewhere), probe=5)
        assert run.total("dead", "moved_in") > 10
        assert run.total("other", "moved_in") > 10

    def test_but_not_to_a_queue_whose_work_others_see_or_that_is_none_of_the_simulation(self) -> None:
        watched = ms.Scenario(
            queues={"q": ms.Queue(), "p": ms.Queue()},
            workers={
                "w": ms.Workers(queue="q", count=1, service_time=1),
                "v": ms.Workers(queue="p", count=1, service_time=1, wait_time=0),
            },
        )
        redrive = ms.Redrive(to="p", max_receive_count=1)
        simulation = ms.Simulation(watched)
        with pytest.raises(DeclarationError, match=r"queues\.q\.redrive: .*lazy=False"):
            simulation.queues["q"].set_attributes(0, redrive=redrive, dead_letter_queue=simulation.queues["p"])
        with pytest.raises(DeclarationError, match=r"queues\.q\.redrive\.to: 'p' is no queue of this simulation"):
            simulation.queues["q"].set_attributes(
                0, redrive=redrive, dead_letter_queue=ms.StandardQueue(ms.Queue(), "p")
            )
        eager = ms.Simulation(watched, lazy=False)
        eager.queues["q"].set_attributes(0, redrive=redrive, dead_letter_queue=eager.queues["p"])


class TestMoves:
    @pytest.mark.rule("SQS-MOV-2")
    @pytest.mark.rule("SQS-MOV-3")
    @pytest.mark.parametrize("destination", [None, "other"])
    def test_lazy_equals_an_event_per_message(self, destination: str | None) -> None:
        def move(simulation: ms.Simulation) -> None:
            to = None if destination is None else simulation.queues[destination]
            simulation.queues["dead"].start_move(simulation.now, to, rate=1)

        failing = scenario(ms.Queue(visibility_timeout=2, redrive=REDRIVE), failure_rate=0.4)
        run = assert_twins(failing, 120.0, drive=at(60.5, move), probe=5)
        assert run.total("dead", "moved_out") == 60
        assert run.total(destination or "q", "moved_in") == 60

    def test_waiting_workers_get_what_comes_at_once(self) -> None:
        for lazy in (True, False):
            quiet = ms.Scenario(
                queues={"q": ms.Queue(visibility_timeout=1, redrive=REDRIVE), "dead": ms.Queue()},
                workers={"w": ms.Workers(queue="q", count=1, service_time=0.5)},
            )
            simulation = ms.Simulation(quiet, lazy=lazy)
            dead = simulation.queues["dead"]
            dead.send("a", 0)
            dead.send("b", 0)
            task = dead.start_move(0, simulation.queues["q"], rate=1)
            simulation.run(0.4)
            assert (task.moved, simulation.queues["q"].counts(0.4)) == (1, (0, 1, 0))
            simulation.run(1.5)
            assert simulation.queues["q"].deleted == 2
            assert list(simulation.queues["q"].waits) == [0, 0]
            simulation.run(3)
            assert task.state == "COMPLETED"
            simulation.result().audit()


class TestChance:
    @pytest.mark.rule("SQS-DUP-1")
    @pytest.mark.parametrize("wait_time", [0, 20])
    def test_duplicates_are_worked_on_and_the_books_balance(self, wait_time: float) -> None:
        queue = ms.Queue(duplicates=0.1, visibility_timeout=5)
        run, _ = simulated(scenario(queue, wait_time=wait_time, failure_rate=0.1, count=4), 200.0, lazy=True)
        deleted, received = run.total("q", "deleted"), run.total("q", "received")
        assert deleted > 900
        assert 0.07 < run.total("q", "duplicate_work") / received < 0.12
        assert run.total("w", "processed") - run.total("w", "failed") > deleted
        assert run.total("q", "redelivered") > run.total("q", "duplicate_work") > 0

    def test_waiting_workers_get_duplicates_at_once(self) -> None:
        queue = ms.Queue(duplicates=1)
        simulation = ms.Simulation(scenario(queue, rate=0, count=3, batch_size=1, service_time=1))
        simulation.run(1)
        simulation.queues["q"].send("a", 1)
        simulation.run(1.5)
        assert simulation.workers["w"].busy == 2
        simulation.run(2)
        assert (simulation.queues["q"].deleted, simulation.queues["q"].duplicate_work) == (1, 1)

    def test_a_duplicate_that_takes_too_long_is_counted_once(self) -> None:
        queue = ms.Queue(duplicates=1, visibility_timeout=1)
        simulation = ms.Simulation(scenario(queue, rate=0, count=1, batch_size=1, service_time=2))
        simulation.queues["q"].send("a", 0)
        simulation.run(2)  # the message had come back; the late worker deletes it, and gets it once more
        assert (simulation.queues["q"].deleted, simulation.queues["q"].duplicate_work) == (1, 2)
        simulation.run(4)
        assert simulation.queues["q"].duplicate_work == 2
        assert simulation.workers["w"].processed == 2

    @pytest.mark.rule("SQS-RCV-3")
    def test_short_polls_of_workers_see_a_sample(self) -> None:
        def found(sampled: float, wait_time: float) -> tuple[float, float]:
            run, _ = simulated(
                scenario(ms.Queue(sampled=sampled), wait_time=wait_time, poll_interval=0.5, rate=1), 300.0, lazy=True
            )
            return run.mean("q", "waiting_time"), run.total("q", "deleted")

        assert found(1, 0)[0] < 0.5 < found(0.2, 0)[0]
        assert found(0.2, 20)[0] < 0.1
        assert found(0.2, 0)[1] > 250

    @pytest.mark.rule("SQS-RCV-8")
    def test_disorder_loses_nobody(self) -> None:
        run, _ = simulated(scenario(ms.Queue(disorder=0.3), rate=9), 200.0, lazy=True)
        assert run.total("q", "deleted") > 1_000

    def test_the_books_balance_with_handles_of_old_receives(self) -> None:
        queue = ms.Queue(old_handle="deletes", visibility_timeout=1)
        run, _ = simulated(scenario(queue, service_time=ms.Exponential(0.6), count=6), 200.0, lazy=True)
        assert run.total("q", "duplicate_work") > 20

    def test_chance_of_a_queue_moves_no_other_number(self) -> None:
        def arrivals(queue: ms.Queue) -> list[Any]:
            run, _ = simulated(scenario(queue, count=9), 100.0, lazy=False)
            return list(run.series("q", "sent")[1])

        assert arrivals(ms.Queue()) == arrivals(ms.Queue(duplicates=0.5, disorder=0.5))

    @pytest.mark.rule("SQS-VIS-3")
    @pytest.mark.parametrize(("cap", "hidden"), [("receipt", 1), ("message", 0)])
    def test_heartbeats_end_with_the_12_hours(self, cap: str, hidden: int) -> None:
        queue = ms.Queue(visibility_cap=cap, visibility_timeout=6_000)
        slow = scenario(queue, rate=0, count=1, service_time=39_000, heartbeat=5_000)
        simulation = ms.Simulation(slow)
        live = simulation.queues["q"]
        live.send("a", 0)
        live.receive(0, 1, 10_000)
        simulation.run(45_000)
        assert live.counts(45_000) == (1 - hidden, hidden, 0)
        simulation.run(49_000)
        assert (live.deleted, live.duplicate_work) == (1, 1 - hidden)


class TestDeclared:
    @pytest.mark.rule("SQS-DLQ-2")
    @pytest.mark.parametrize("fifo", [True, False])
    def test_a_dead_letter_queue_of_the_other_type_is_refused(self, fifo: bool) -> None:
        queues = {
            "a": ms.Queue(fifo=fifo, redrive=ms.Redrive(to="b", max_receive_count=1)),
            "b": ms.Queue(fifo=not fifo),
        }
        with pytest.raises(
            DeclarationError, match=r"^queues\.a\.redrive\.to: the dead-letter queue of a .* \(SQS-DLQ-2\)"
        ):
            ms.Scenario(queues=queues)

    @pytest.mark.rule("SQS-DLQ-6")
    def test_one_that_does_not_allow_it_is_refused(self) -> None:
        dead = ms.Queue(redrive_allow=ms.RedriveAllow(permission="byQueue", sources=["a"]))
        redrive = ms.Redrive(to="dead", max_receive_count=1)
        assert ms.Scenario(queues={"dead": dead, "a": ms.Queue(redrive=redrive)})
        with pytest.raises(DeclarationError) as raised:
            ms.Scenario(queues={"dead": dead, "b": ms.Queue(redrive=redrive)})
        assert str(raised.value) == (
            "queues.b.redrive.to: the dead-letter queue does not allow 'b' to name it (SQS-DLQ-6)"
        )


class TestDeletion:
    def test_a_queue_that_a_simulation_uses_stays(self) -> None:
        simulation = ms.Simulation(scenario(ms.Queue()))
        simulation.run(10)
        with pytest.raises(DeclarationError) as raised:
            simulation.queues["q"].close(10)
        assert str(raised.value) == ("queues.q: cannot be deleted while a simulation uses it; purge(now) empties it")
        simulation.run(20)
        assert simulation.queues["q"].exists
        simulation.result().audit()


class TestTheFuture:
    """A call that is ahead of the simulation is refused, and leaves no trace; live things alone have no such limit."""

    DEEDS: ClassVar[dict[str, Any]] = {
        "q": lambda simulation, now: simulation.queues["q"].send("x", now),
        "t": lambda simulation, now: simulation.topics["t"].publish("x", now),
        "o": lambda simulation, now: simulation.outboxes["o"].send_email(EMAIL, now),
    }

    @staticmethod
    def simulation(*, lazy: bool) -> ms.Simulation:
        declared = ms.Scenario(
            topics={"t": ms.Topic(subscriptions=(ms.Subscription(endpoint="q"),))},
            queues={"q": ms.Queue(redrive=ms.Redrive(to="dead", max_receive_count=1)), "dead": ms.Queue()},
            outboxes={"o": ms.Outbox()},
            workers={"w": ms.Workers(queue="q", count=1, service_time=1.0)},
        )
        return ms.Simulation(declared, lazy=lazy)

    @pytest.mark.parametrize("lazy", [True, False])
    @pytest.mark.parametrize("name", DEEDS)
    def test_is_refused(self, name: str, lazy: bool) -> None:
        simulation = self.simulation(lazy=lazy)
        simulation.run(10.0)
        deed = self.DEEDS[name]
        with pytest.raises(TimeRanAhead, match=rf"^{name}: now=10\.5 is in the future; the simulation is at 10\.0"):
            deed(simulation, 10.5)
        deed(simulation, 10.0)
        simulation.run(20.0)
        deed(simulation, 20.0)
        simulation.result().audit()

    def test_is_refused_to_processes_and_move_tasks(self) -> None:
        simulation = self.simulation(lazy=True)
        dead = simulation.queues["dead"]
        refused: list[str] = []

        def process() -> Generator[Any, Any, None]:
            yield simulation.env.timeout(3.0)
            with pytest.raises(TimeRanAhead) as raised:
                dead.counts(4)
            refused.append(str(raised.value))
            task = dead.start_move(3.0)
            with pytest.raises(TimeRanAhead) as raised:
                task.advance(5.0)
            refused.append(str(raised.value).replace(repr(task), "<MoveTask>"))

        simulation.env.process(process())
        simulation.run(5.0)
        assert refused == [
            "dead: now=4 is in the future; the simulation is at 3.0: run it until then first",
            "<MoveTask>: now=5.0 is in the future; the simulation is at 3.0: run it until then first",
        ]

    def test_is_anybodys_outside_of_a_simulation(self) -> None:
        queue = ms.StandardQueue(ms.Queue(), "q")
        topic = ms.TopicFanout(ms.Topic(subscriptions=(ms.Subscription(endpoint="q"),)), "t", endpoints={"q": queue})
        account = ms.SendingAccount(ms.Outbox(), "o")
        queue.send("x", 1e6)
        topic.publish("x", 1e6)
        account.send_email(EMAIL, 1e6)
        assert (queue.sent, account.accepted) == (2, 1)


class TestWhatIsInForceLater:
    @pytest.mark.parametrize("lazy", [True, False])
    @pytest.mark.rule("SQS-ATT-2")
    def test_a_higher_limit_wakes_the_polls_that_wait_for_it(self, lazy: bool) -> None:
        """Asked for at 1: the limit is in force at 6, the retention at 11."""
        queue = ms.Queue(max_in_flight=1, attribute_lag=5, retention_lag=10)
        declared = scenario(queue, rate=0, batch_size=1, service_time=100.0)
        simulation = ms.Simulation(declared, lazy=lazy)
        live = simulation.queues["q"]
        for _ in range(3):
            live.send("x", 0.0)
        simulation.run(1.0)
        live.set_attributes(1.0, max_in_flight=2, retention=7200.0)
        seen = []
        for until in (5.9, 6.0, 10.9, 11.0):
            simulation.run(until)
            seen.append((live.counts(until).in_flight, live.declaration.retention))
        assert seen == [(1, 345_600.0), (2, 345_600.0), (2, 345_600.0), (2, 7_200.0)]

    def test_a_queue_that_becomes_fair_on_the_way_is_the_same_with_an_event_per_message(self) -> None:
        drive = at(50.5, lambda simulation: simulation.queues["q"].send("own", simulation.now, group_id="g"))
        run = assert_twins(scenario(ms.Queue(visibility_timeout=5), failure_rate=0.1), 100.0, drive=drive, probe=5)
        assert run.total("q", "deleted") > 400


class TestStaffOfAFifoQueue:
    """Who is hired or sent away at the instant at which something happens."""

    @staticmethod
    def simulation(*, lazy: bool) -> ms.Simulation:
        declared = ms.Scenario(
            queues={"q": ms.Queue(fifo=True)},
            workers={"w": ms.Workers(queue="q", count=1, service_time=1.0)},
        )
        return ms.Simulation(declared, lazy=lazy)

    @pytest.mark.parametrize("lazy", [True, False])
    def test_who_is_hired_and_sent_away_at_once_does_nothing(self, lazy: bool) -> None:
        simulation = self.simulation(lazy=lazy)
        simulation.run(5.0)
        pool = simulation.workers["w"]
        pool.resize(4, 5.0)
        pool.resize(0, 5.0)
        simulation.queues["q"].send("x", 5.0, group_id="g", deduplication_id="1")
        simulation.run(30.0)
        assert (pool.count, pool.processed, simulation.queues["q"].counts(30.0)) == (0, 0, (1, 0, 0))

    @pytest.mark.parametrize("lazy", [True, False])
    def test_a_poll_that_is_cancelled_gets_nothing_of_what_has_just_come(self, lazy: bool) -> None:
        simulation = self.simulation(lazy=lazy)
        simulation.run(5.0)
        simulation.queues["q"].send("x", 5.0, group_id="g", deduplication_id="1")
        simulation.workers["w"].resize(0, 5.0)
        simulation.run(30.0)
        assert simulation.queues["q"].counts(30.0) == (1, 0, 0)


@pytest.mark.rule("FIFO-DUP-7")
def test_content_based_deduplication_is_declared_before_a_simulation_begins() -> None:
    simulation = ms.Simulation(
        ms.Scenario(queues={"f": ms.Queue(fifo=True)}, traffic={"t": ms.Traffic(to="f", rate=1, groups=1, body="same")})
    )
    with pytest.raises(DeclarationError) as raised:
        simulation.queues["f"].set_attributes(0, content_based_deduplication=True)
    assert str(raised.value) == (
        "queues.f.content_based_deduplication: is looked at when a simulation begins; declare it in the scenario"
    )
    assert not simulation.queues["f"].intended.content_based_deduplication
