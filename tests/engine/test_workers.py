"""What workers do, as the contract says it: batches, failures, refusals, timeouts, heartbeats, polls, shifts."""

from math import nextafter
from typing import Any

import pytest

import msgsim as ms
from msgsim.errors import AuditError, DeclarationError, TimeRanBackwards

both = pytest.mark.parametrize("lazy", [True, False])
HOURS_12 = 12 * ms.HOUR


def scenario(queue: dict[str, Any] | None = None, *, rate: Any = 1.0, **pool: Any) -> ms.Scenario:
    settings: dict[str, Any] = {"queue": "q", "count": 1, "service_time": 1.0, **pool}
    return ms.Scenario(
        queues={"q": ms.Queue(**(queue or {})), "next": ms.Queue()},
        topics={"news": ms.Topic(subscriptions=(ms.Subscription(endpoint="next", raw=True),))},
        outboxes={"ses": ms.Outbox()},
        traffic={"t": ms.Traffic(to="q", rate=rate, process="regular", body="m{n}", attributes={"kind": "a"})},
        workers={"w": ms.Workers(**settings)},
    )


def few(messages: int, /, *, lazy: bool = True, outbox: ms.Outbox | None = None, **settings: Any) -> ms.Simulation:
    """A simulation with so many messages in the queue at 0."""
    declared = scenario(rate=0, **settings).vary("outboxes.ses", outbox or ms.Outbox())
    simulation = ms.Simulation(declared, seed=1, lazy=lazy)
    queue = simulation.queues["q"]
    for number in range(messages):
        queue.send(f"m{number}", 0.0, attributes={"kind": "a"})
    return simulation


# ---------------------------------------------------------------- a batch


@both
@pytest.mark.parametrize("delete", ["each", "batch"])
def test_a_batch_is_handled_one_by_one(delete: str, lazy: bool) -> None:
    simulation = few(3, delete=delete, lazy=lazy)
    deleted, processed = [], []
    for until in (nextafter(1.0, 0), 1.0, 2.5, 3.0):
        simulation.run(until)
        deleted.append(simulation.queues["q"].deleted)
        processed.append(simulation.workers["w"].processed)
    assert deleted == ([0, 1, 2, 3] if delete == "each" else [0, 0, 0, 3])
    assert processed == [0, 1, 2, 3]


@both
def test_messages_are_handled_in_the_order_in_which_they_were_received(lazy: bool) -> None:
    simulation = few(4, lazy=lazy, service_time=ms.Uniform(0.5, 1.5))
    simulation.run(100.0)
    times = simulation.result().samples("q", "sojourn_time")
    gaps = [later - earlier for earlier, later in zip([0.0, *times], times, strict=False)]
    assert all(0.5 <= gap <= 1.5 for gap in gaps)
    assert len(set(gaps)) == 4


def test_the_order_is_that_of_sending() -> None:
    seen: list[tuple[float, str]] = []
    simulation = few(
        12, batch_size=5, handler=lambda delivery, context: seen.append((context.now, delivery.body)), service_time=0.5
    )
    simulation.run(100.0)
    assert seen == [(0.5 * number, f"m{number}") for number in range(12)]


@both
def test_a_failure_takes_its_time_and_waits_out_its_visibility_timeout(lazy: bool) -> None:
    simulation = few(1, lazy=lazy, failure_rate=1.0, queue={"visibility_timeout": 10.0})
    failed = []
    for until in (0.99, 1.0, 9.99, 10.0, 25.0):
        simulation.run(until)
        queue, pool = simulation.queues["q"], simulation.workers["w"]
        failed.append((queue.received, queue.redelivered, queue.in_flight, pool.processed, pool.failed))
    assert failed == [(1, 0, 1, 0, 0), (1, 0, 1, 1, 1), (1, 0, 1, 1, 1), (2, 1, 1, 1, 1), (3, 2, 1, 3, 3)]


@both
def test_a_failure_uses_its_whole_service_time_before_the_next_message(lazy: bool) -> None:
    simulation = few(20, lazy=lazy, failure_rate=0.5, batch_size=10, queue={"visibility_timeout": 1000.0})
    simulation.run(20.0)
    pool = simulation.workers["w"]
    assert pool.processed == 20
    assert 3 < pool.failed < 17
    assert simulation.queues["q"].deleted == 20 - pool.failed


# ---------------------------------------------------------------- refusals

ONE_EMAIL = ms.Outbox(max_send_rate=0.001, burst=1)


def test_a_refused_action_fails_the_delivery_and_undoes_nothing() -> None:
    simulation = few(
        2,
        outbox=ONE_EMAIL,
        on_success=[ms.SendMessage("next", body="before"), ms.SendEmail("ses"), ms.SendMessage("next", body="after")],
    )
    simulation.run(5.0)
    assert simulation.queues["q"].counts(5.0) == (0, 1, 0)
    assert [got.body for got in simulation.queues["next"].receive(5.0, 10)] == ["before", "after", "before"]
    assert simulation.outboxes["ses"].throttled == 1
    assert (simulation.workers["w"].processed, simulation.workers["w"].failed) == (2, 1)
    simulation.run(31.0)  # by default it waits out its visibility timeout, and all is done again
    assert simulation.queues["next"].sent == 4


def test_a_retry_waits_inside_the_worker() -> None:
    simulation = few(
        2,
        outbox=ms.Outbox(max_send_rate=0.1, burst=1),
        on_success=[ms.SendMessage("next"), ms.SendEmail("ses"), ms.SendMessage("next")],
        on_refusal=ms.Retry(attempts=4, base=1.0, cap=4.0),
    )
    simulation.run(12.0)
    assert simulation.workers["w"].busy == 1
    simulation.run(60.0)
    assert simulation.queues["q"].deleted == 2
    assert simulation.workers["w"].failed == 0
    assert [sent.at for sent in simulation.outboxes["ses"].sent] == [1.0, 13.0]  # tried at 2, 3, 5, 9 and 13
    assert simulation.queues["next"].sent == 4  # what was done before the refused action is not done again


def test_a_retry_gives_up_after_its_attempts() -> None:
    simulation = few(
        3, outbox=ONE_EMAIL, on_success=[ms.SendEmail("ses")], on_refusal=ms.Retry(attempts=2, base=1.0, cap=60.0)
    )
    simulation.run(5.0 - 1e-9)
    assert simulation.workers["w"].failed == 0
    simulation.run(5.0)  # tried at 2, 3 and 5
    assert simulation.workers["w"].failed == 1
    simulation.run(9.0)  # the next one begins afresh: tried at 6, 7 and 9
    assert (simulation.workers["w"].failed, simulation.workers["w"].busy) == (2, 0)
    assert simulation.outboxes["ses"].throttled == 6


def test_a_failed_message_does_no_action() -> None:
    simulation = few(5, failure_rate=1.0, on_success=[ms.SendEmail("ses")])
    simulation.run(10.0)
    assert simulation.outboxes["ses"].accepted == 0


# ---------------------------------------------------------------- timeouts inside the worker


@both
def test_a_worker_does_not_notice_that_a_message_has_timed_out(lazy: bool) -> None:
    """At 6 the second and third message return to the other worker; the first worker handles both all the same."""
    simulation = few(3, lazy=lazy, count=2, service_time=4.0, queue={"visibility_timeout": 6.0})
    seen = []
    for until in (4.0, 6.0, 8.0, 10.0, 12.0, 14.0):
        simulation.run(until)
        queue, pool = simulation.queues["q"], simulation.workers["w"]
        seen.append((queue.received, queue.deleted, queue.duplicate_work, pool.processed, pool.failed))
    assert seen == [
        (3, 1, 0, 1, 0),
        (5, 1, 0, 1, 0),
        (5, 1, 1, 2, 0),  # with its old handle it deletes nothing
        (5, 2, 1, 3, 0),  # the second worker does, in time
        (6, 2, 2, 4, 0),  # the third message has timed out once more, and gone to the first worker
        (6, 2, 3, 5, 0),
    ]


@both
def test_a_late_delete_still_works_if_nobody_else_has_received_it(lazy: bool) -> None:
    simulation = few(2, lazy=lazy, service_time=4.0, queue={"visibility_timeout": 6.0})
    simulation.run(7.0)
    assert simulation.queues["q"].counts(7.0) == (1, 0, 0)
    simulation.run(8.0)
    queue = simulation.queues["q"]
    assert (queue.received, queue.deleted, queue.duplicate_work, queue.counts(8.0)) == (2, 2, 1, (0, 0, 0))


@both
def test_an_old_handle_deletes_nothing_after_another_receive(lazy: bool) -> None:
    simulation = few(1, lazy=lazy, service_time=4.0, queue={"visibility_timeout": 3.0})
    queue = simulation.queues["q"]
    simulation.run(3.0)
    (held,) = queue.receive(3.0, visibility_timeout=100)
    simulation.run(4.0)
    assert queue.counts(4.0) == (0, 1, 0)
    assert (queue.deleted, queue.duplicate_work) == (0, 1)
    queue.delete(held.receipt_handle, 4.0)
    assert queue.deleted == 1


@both
def test_a_message_that_somebody_else_has_deleted_is_handled_for_nothing(lazy: bool) -> None:
    simulation = few(2, lazy=lazy, service_time=4.0, queue={"visibility_timeout": 100.0})
    queue = simulation.queues["q"]
    simulation.run(1.0)
    queue.purge(1.0)
    simulation.run(9.0)
    assert (simulation.workers["w"].processed, simulation.workers["w"].busy) == (2, 0)
    assert (queue.deleted, queue.purged) == (0, 2)


@both
def test_a_message_whose_visibility_a_user_has_changed_is_deleted_all_the_same(lazy: bool) -> None:
    """The worker's handle is the latest (SQS-VIS-10), whoever has changed the timeout with an older one (SQS-VIS-7)."""
    simulation = few(1, lazy=lazy, service_time=4.0, queue={"visibility_timeout": 10.0})
    queue = simulation.queues["q"]
    (held,) = queue.receive(0.0, visibility_timeout=1)
    simulation.run(2.0)
    assert queue.counts(2.0) == (0, 1, 0)
    queue.change_visibility(held.receipt_handle, 50, 2.0)
    simulation.run(5.0)
    assert queue.counts(5.0) == (0, 0, 0)
    assert (queue.deleted, queue.duplicate_work) == (1, 0)


@both
def test_a_receive_at_which_another_deadline_is_met_is_told_from_it(lazy: bool) -> None:
    """A user gives the message back and receives it so that the deadline is the worker's own; the receipt tells."""
    simulation = few(1, lazy=lazy, service_time=4.0, queue={"visibility_timeout": 8.0})
    queue = simulation.queues["q"]
    (old,) = queue.receive(0.0, visibility_timeout=0)
    simulation.run(2.0)
    queue.change_visibility(old.receipt_handle, 0, 2.0)
    queue.receive(2.0, visibility_timeout=6)
    simulation.run(4.0)
    assert queue.counts(4.0) == (0, 1, 0)
    assert (queue.deleted, queue.duplicate_work) == (0, 1)


@both
def test_a_message_that_expires_while_it_is_handled_is_not_deleted(lazy: bool) -> None:
    simulation = few(2, lazy=lazy, service_time=40.0, queue={"visibility_timeout": 1000.0, "retention": 60.0})
    simulation.run(100.0)
    queue = simulation.queues["q"]
    assert (queue.deleted, queue.expired, simulation.workers["w"].processed) == (1, 1, 2)


def test_deleting_at_the_end_of_the_batch_leaves_alone_what_others_have_received() -> None:
    """At 6 all three return to the other worker, who takes until 18; the first deletes at 12, by old handles."""
    simulation = few(3, count=2, service_time=4.0, delete="batch", queue={"visibility_timeout": 6.0})
    simulation.run(12.0)
    queue = simulation.queues["q"]
    assert (queue.deleted, queue.duplicate_work) == (0, 2)
    assert queue.received == 9  # at 0, at 6, and at 12, when it is done, once more by the first


# ---------------------------------------------------------------- heartbeats


@pytest.mark.parametrize("delete", ["each", "batch"])
def test_heartbeats_keep_messages_hidden(delete: str) -> None:
    simulation = few(3, count=2, service_time=50.0, heartbeat=5.0, delete=delete, queue={"visibility_timeout": 10.0})
    seen = []
    for until in (49.0, 50.0, 149.0, 150.0, 200.0):
        simulation.run(until)
        queue = simulation.queues["q"]
        seen.append((queue.received, queue.deleted, queue.in_flight))
    if delete == "each":
        assert seen == [(3, 0, 3), (3, 1, 2), (3, 2, 1), (3, 3, 0), (3, 3, 0)]
    else:
        assert seen == [(3, 0, 3), (3, 0, 3), (3, 0, 3), (3, 3, 0), (3, 3, 0)]
    assert simulation.queues["q"].duplicate_work == 0


def test_a_heart_beats_for_each_batch_anew() -> None:
    simulation = few(2, batch_size=1, service_time=20.0, heartbeat=6.0, queue={"visibility_timeout": 10.0})
    changed = []
    extend = ms.StandardQueue.extend
    with pytest.MonkeyPatch.context() as patch:

        def noted(queue: ms.StandardQueue, *arguments: Any) -> None:
            changed.append(arguments[-1])
            extend(queue, *arguments)

        patch.setattr(ms.StandardQueue, "extend", noted)
        simulation.run(100.0)
    assert changed == [6.0, 12.0, 18.0, 26.0, 32.0, 38.0]
    assert simulation.queues["q"].deleted == 2


def test_heartbeats_end_12_hours_after_the_receive() -> None:
    simulation = few(
        1, count=2, service_time=13 * ms.HOUR, heartbeat=600.0, wait_time=20, queue={"visibility_timeout": 1000.0}
    )
    simulation.run(nextafter(HOURS_12, 0))
    assert simulation.queues["q"].received == 1
    simulation.run(HOURS_12)
    assert simulation.queues["q"].received == 2
    simulation.run(13 * ms.HOUR)
    assert (simulation.queues["q"].deleted, simulation.queues["q"].duplicate_work) == (0, 1)
    simulation.run(25 * ms.HOUR)
    assert simulation.queues["q"].received == 3  # the first, which received it at 24 h


def test_heartbeats_of_batches_that_are_done_do_not_pile_up() -> None:
    """A batch per 0.1 s, and a heartbeat that comes after 10 s: one of it is on its way, not a hundred."""
    simulation = few(2000, batch_size=1, service_time=0.1, heartbeat=10.0, queue={"visibility_timeout": 30.0})
    for until in range(10, 200, 10):
        simulation.run(float(until))
        assert len(simulation.env._queue) < 10
    assert simulation.queues["q"].deleted > 1800


def test_the_heartbeat_of_a_later_batch_comes_in_its_own_time() -> None:
    """The first message is done at 1, the second is received at 5: heartbeats at 11 and 17, not at 6."""
    simulation = few(
        1, batch_size=1, service_time=ms.Empirical([1.0]), heartbeat=6.0, queue={"visibility_timeout": 10.0}
    )
    queue = simulation.queues["q"]
    simulation.run(5.0)
    simulation.workers["w"].sample = lambda: 14.0
    queue.send("late", 5.0)
    seen = []
    for until in (5.0, 6.0, 11.0, 17.0, 19.0):
        simulation.run(until)
        seen.append(queue.next_deadline())
    assert seen == [15.0, 15.0, 21.0, 27.0, None]


def test_a_heartbeat_does_not_bring_back_what_is_gone() -> None:
    simulation = few(2, service_time=50.0, heartbeat=7.0, queue={"visibility_timeout": 10.0})
    simulation.run(1.0)
    simulation.queues["q"].purge(1.0)
    simulation.run(200.0)
    assert simulation.queues["q"].counts(200.0) == (0, 0, 0)
    assert simulation.workers["w"].processed == 2


def test_a_heartbeat_after_the_end_of_a_messages_retention_is_for_the_others() -> None:
    simulation = few(1, service_time=65.0, heartbeat=7.0, queue={"visibility_timeout": 10.0, "retention": 60.0})
    simulation.run(10.0)
    simulation.queues["q"].send("later", 10.0)
    simulation.run(100.0)
    queue = simulation.queues["q"]
    assert (queue.expired, queue.deleted, queue.counts(100.0)) == (2, 0, (0, 0, 0))
    assert simulation.workers["w"].processed == 1  # the second expired at 70, in the hands of the worker since 65


def test_a_heartbeat_that_comes_too_late_acts_on_what_another_has_received_and_deletes_it_not() -> None:
    """Received at 0 and 10 by two workers: the heartbeat of the first at 15 hides it, its delete is in vain."""
    simulation = few(1, count=2, service_time=18.0, heartbeat=15.0, queue={"visibility_timeout": 10.0})
    simulation.run(18.0)
    queue = simulation.queues["q"]
    assert (queue.received, queue.deleted, queue.duplicate_work) == (2, 0, 1)
    simulation.run(24.999)
    assert queue.counts(24.999) == (0, 1, 0)
    simulation.run(28.0)  # the second one's heartbeat at 25 hides it before anybody else looks
    assert (queue.received, queue.deleted, queue.duplicate_work) == (2, 1, 1)


def test_a_heartbeat_hides_again_what_has_timed_out_and_nobody_wants() -> None:
    simulation = few(1, count=1, service_time=18.0, heartbeat=15.0, queue={"visibility_timeout": 10.0})
    simulation.run(14.0)
    assert simulation.queues["q"].counts(14.0) == (1, 0, 0)
    simulation.run(15.0)
    assert simulation.queues["q"].counts(15.0) == (0, 1, 0)
    simulation.run(18.0)
    queue = simulation.queues["q"]
    assert (queue.received, queue.deleted, queue.duplicate_work) == (1, 1, 0)


# ---------------------------------------------------------------- resizing


@both
def test_resizing(lazy: bool) -> None:
    simulation = few(2, lazy=lazy, count=4, batch_size=1, service_time=10.0)
    pool = simulation.workers["w"]
    simulation.run(1.0)
    assert (simulation.workers["w"].count, simulation.workers["w"].busy) == (4, 2)
    pool.resize(1, 1.0)
    assert (pool.count, pool.busy) == (2, 2)  # waiting polls are cancelled, a busy worker finishes
    simulation.run(10.0)
    assert (simulation.workers["w"].count, simulation.queues["q"].deleted) == (1, 2)
    pool.resize(3, 10.0)
    simulation.run(11.0)
    assert simulation.workers["w"].count == 3


@both
def test_a_dismissed_worker_finishes_its_batch_and_takes_no_other(lazy: bool) -> None:
    simulation = few(8, lazy=lazy, count=1, batch_size=5, service_time=1.0)
    simulation.run(0.5)
    simulation.workers["w"].resize(0, 0.5)
    simulation.run(4.5)
    assert (simulation.workers["w"].count, simulation.workers["w"].busy) == (1, 1)
    simulation.run(10.0)
    assert (simulation.workers["w"].count, simulation.workers["w"].busy) == (0, 0)
    assert simulation.queues["q"].counts(10.0) == (3, 0, 0)
    assert simulation.queues["q"].deleted == 5


@both
def test_growing_again_recalls_those_that_were_to_leave(lazy: bool) -> None:
    simulation = few(30, lazy=lazy, count=3, batch_size=5, service_time=1.0)
    pool = simulation.workers["w"]
    simulation.run(0.5)
    workers = list(pool.workers)
    pool.resize(0, 0.5)
    pool.resize(2, 0.5)
    assert (pool.count, pool.busy) == (3, 3)
    simulation.run(6.0)
    assert (simulation.workers["w"].count, simulation.workers["w"].busy) == (2, 2)
    assert set(pool.workers) < set(workers)
    pool.resize(3, 6.0)
    simulation.run(6.0)
    assert (simulation.workers["w"].count, simulation.workers["w"].busy) == (3, 3)


@both
def test_the_newest_waiting_poll_is_cancelled_first(lazy: bool) -> None:
    simulation = few(0, lazy=lazy, count=3)
    simulation.run(5.0)
    pool = simulation.workers["w"]
    pool.resize(4, 5.0)
    simulation.run(6.0)
    pool.resize(3, 6.0)
    simulation.run(20.0)
    assert simulation.queues["q"].empty_receives == 3  # those that have waited since 0


@both
def test_of_two_pools_on_a_queue_each_cancels_its_own_polls(lazy: bool) -> None:
    declared = ms.Scenario(
        queues={"q": ms.Queue()},
        workers={name: ms.Workers(queue="q", count=2, service_time=1.0) for name in ("a", "b")},
    )
    simulation = ms.Simulation(declared, lazy=lazy)
    simulation.run(1.0)
    simulation.workers["a"].resize(0, 1.0)
    assert [pool.count for pool in simulation.workers.values()] == [0, 2]
    simulation.run(20.0)
    assert simulation.queues["q"].empty_receives == 2


def test_workers_that_pause_between_short_polls_are_dismissed_at_once() -> None:
    simulation = few(1, count=3, wait_time=0, service_time=10.0, poll_interval=2.0)
    simulation.run(1.0)
    pool = simulation.workers["w"]
    pool.resize(1, 1.0)
    assert (pool.count, pool.busy) == (1, 1)
    simulation.run(9.0)
    assert simulation.queues["q"].empty_receives == 2  # at 0


def test_a_size_that_cannot_be_is_refused() -> None:
    pool = few(0).workers["w"]
    for size in (-1, 1.5, True, "2"):
        with pytest.raises(DeclarationError, match=r"w.resize: .* is not allowed; allowed: whole numbers from 0"):
            pool.resize(size, 0.0)  # type: ignore[arg-type]
    with pytest.raises(TimeRanBackwards, match=r"w: resize at now=5.0, but the simulation is at 0"):
        pool.resize(1, 5.0)


@both
def test_shifts_follow_their_curve(lazy: bool) -> None:
    declared = scenario(count=ms.Steps([(0, 2), (100, 5), (200, 0), (300, 1)]))
    simulation = ms.Simulation(declared, horizon=400.0, probe=50.0, lazy=lazy)
    simulation.run(400.0)
    run = simulation.result()
    assert list(run.series("w", "count")[1]) == [2, 2, 5, 5, 1, 0, 1, 1, 1]  # at 200 s one finishes its batch


def test_shifts_that_climb_change_worker_by_worker() -> None:
    run = ms.simulate(scenario(count=ms.Ramp(0, 300, 0, 10), rate=0), until=330.0, probe=30.0)
    assert list(run.series("w", "count")[1]) == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10]


# ---------------------------------------------------------------- polls


def test_short_polls_pause() -> None:
    simulation = few(0, wait_time=0.0, poll_interval=2.0)
    simulation.run(9.0)
    assert simulation.queues["q"].empty_receives == 5  # at 0, 2, 4, 6, 8
    simulation.queues["q"].send("x", 9.0)
    simulation.run(9.9)
    assert simulation.queues["q"].counts(9.9) == (1, 0, 0)  # nobody looks before 10
    simulation.run(11.0)
    assert simulation.queues["q"].deleted == 1
    simulation.run(13.0)  # at 11 it looked again, in vain, and at 13
    assert simulation.queues["q"].empty_receives == 7


@both
def test_long_polls_that_end_are_counted(lazy: bool) -> None:
    simulation = few(0, lazy=lazy, count=2)
    counts = []
    for until in (nextafter(20.0, 0), 20.0, 60.0):
        simulation.run(until)
        counts.append(simulation.queues["q"].empty_receives)
    assert counts == [0, 2, 6]
    simulation.queues["q"].send("x", 60.0)
    simulation.run(79.9)  # one got it, was done at 61, and waits from then on; the other waits since 60
    assert simulation.queues["q"].empty_receives == 6
    simulation.run(81.0)
    assert simulation.queues["q"].empty_receives == 8


@both
def test_a_message_goes_to_the_longest_waiting_poll_or_to_any_by_chance(lazy: bool) -> None:
    def share(**queue: Any) -> list[int]:
        declared = ms.Scenario(
            queues={"q": ms.Queue(**queue)},
            traffic={"t": ms.Traffic(to="q", rate=1.0, process="regular")},
            workers={name: ms.Workers(queue="q", count=1, service_time=0.1) for name in ("a", "b")},
        )
        simulation = ms.Simulation(declared, horizon=100, seed=2, lazy=lazy)
        simulation.run(100.0)
        return [pool.processed for pool in simulation.workers.values()]

    assert share() == [50, 50]
    by_chance = share(poll_winner="random")
    assert by_chance == share(poll_winner="random")
    assert by_chance != [50, 50]
    assert min(by_chance) > 25


# ---------------------------------------------------------------- the pool itself


def test_a_pool_says_what_it_does() -> None:
    simulation = few(1, count=3)
    simulation.run(0.5)
    assert repr(simulation.workers["w"]) == "<WorkerPool 'w' count=3 busy=1>"
    pool = simulation.workers["w"]
    pool.check()
    pool.busy = 2
    with pytest.raises(AuditError, match="pool 'w': 1 of 3 workers hold a batch; the counters say 2 of 3"):
        pool.check()


def test_a_curve_may_have_no_more_workers_than_a_number() -> None:
    workers = {"w": ms.Workers(queue="q", count=ms.Steps([(0, 1), (5, 1e18)]), service_time=1)}
    simulation = ms.Simulation(ms.Scenario(queues={"q": ms.Queue()}, workers=workers))
    simulation.run(4)
    words = r"^workers\.w\.count: 1000000000000000000 at 5 s is not allowed; allowed: up to 10000000$"
    with pytest.raises(DeclarationError, match=words):
        simulation.run(6)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"count": 10**10}, "Workers.count: 10000000000 is not allowed; allowed: 1 to 10000000, or a curve"),
        ({"count": 0}, "Workers.count: 0 is not allowed; allowed: 1 to 10000000, or a curve"),
        ({"count": 1.5}, "Workers.count: 1.5 is neither"),
        ({"count": True}, "Workers.count: True is neither"),
        ({"service_time": None}, "Workers.service_time: is missing"),
        ({"service_time": "fast"}, "'fast' is not a distribution"),
        ({"on_refusal": "again"}, "Workers.on_refusal: 'again' is neither"),
        ({"handler": 3}, "Workers.handler: 3 is not a function"),
        ({"wait_time": 0, "poll_interval": 0}, "Workers.poll_interval: must be more than 0"),
        ({"delete": "never"}, "Workers.delete: 'never' is not allowed; allowed: each, batch"),
        ({"batch_size": 11}, "Workers.batch_size: 11 is not allowed"),
        ({"wait_time": 21}, "Workers.wait_time: 21.0 is not allowed"),
        ({"heartbeat": 0}, "Workers.heartbeat: 0.0 is not allowed"),
        ({"heartbeat": 1e-12}, "Workers.heartbeat: 1e-12 is not allowed; allowed: 0.001 to 43200 [s]"),
        (
            {"wait_time": 1e-12},
            "Workers.wait_time: 1e-12 is not allowed; allowed: 0, or 0.001 or more [s]: polls would",
        ),
        ({"wait_time": nextafter(0.001, 0)}, "Workers.wait_time: 0.0009999999999999998 is not allowed"),
        ({"wait_time": 0, "poll_interval": 1e-12}, "Workers.poll_interval: 1e-12 is not allowed; allowed: 0, or 0.001"),
        ({"on_success": ["delete"]}, "Workers.on_success.0: 'delete' is not an action"),
    ],
)
def test_pools_that_cannot_be(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        scenario(**settings)
    assert words in str(caught.value)


def test_a_whole_float_is_a_count_and_a_number_a_service_time() -> None:
    workers = ms.Workers(queue="q", count=3.0, service_time=2)
    assert (workers.count, workers.service_time) == (3, ms.Fixed(2.0))
    assert isinstance(workers.count, int)


def test_with_a_handler_the_service_time_may_be_left_out() -> None:
    assert ms.Workers(queue="q", count=1, handler=print).service_time == ms.Fixed(0.0)


# ---------------------------------------------------------------- workers of FIFO queues


def fifo(groups: list[str], /, *, lazy: bool = True, queue: dict[str, Any] | None = None, **pool: Any) -> ms.Simulation:
    """A simulation with a FIFO queue that has a message of each group at 0, and one worker."""
    settings: dict[str, Any] = {"queue": "q", "count": 1, "service_time": 1.0, **pool}
    declared = ms.Scenario(queues={"q": ms.Queue(fifo=True, **(queue or {}))}, workers={"w": ms.Workers(**settings)})
    simulation = ms.Simulation(declared, seed=1, lazy=lazy)
    live = simulation.queues["q"]
    for number, group in enumerate(groups):
        live.send(f"m{number}", 0.0, group_id=group, deduplication_id=str(number))
    return simulation


@both
@pytest.mark.rule("FIFO-ORD-4")
def test_the_rest_of_a_failed_messages_group_is_left_to_its_timeout(lazy: bool) -> None:
    """Of a, a, a, b, b in one batch, the first a and the first b fail; the others are not begun."""
    simulation = fifo(["a", "a", "a", "b", "b"], lazy=lazy, failure_rate=1.0)
    seen = []
    for until in (nextafter(1.0, 0), 1.0, 2.0, 29.0):
        simulation.run(until)
        pool = simulation.workers["w"]
        seen.append((pool.processed, pool.failed, pool.busy))
    assert seen == [(0, 0, 1), (1, 1, 1), (2, 2, 0), (2, 2, 0)]
    assert simulation.queues["q"].counts(29.0) == (0, 5, 0)


@both
@pytest.mark.rule("FIFO-VIS-1")
def test_a_fifo_message_is_not_deleted_after_its_timeout(lazy: bool) -> None:
    simulation = fifo(["a"], lazy=lazy, queue={"visibility_timeout": 10.0}, service_time=18.0)
    simulation.run(18.0)
    queue = simulation.queues["q"]
    assert (queue.received, queue.deleted, queue.duplicate_work) == (2, 0, 1)


@pytest.mark.rule("FIFO-VIS-2")
def test_a_heartbeat_does_not_hide_a_fifo_message_again_that_has_timed_out() -> None:
    simulation = fifo(["a"], queue={"visibility_timeout": 10.0}, service_time=18.0, heartbeat=15.0)
    simulation.run(15.0)
    assert simulation.queues["q"].counts(15.0) == (1, 0, 0)
    in_time = fifo(["a"], queue={"visibility_timeout": 10.0}, service_time=18.0, heartbeat=5.0)
    in_time.run(18.0)
    assert (in_time.queues["q"].received, in_time.queues["q"].deleted) == (1, 1)


def refused(action: Any, **target: Any) -> tuple[int, int]:
    """What a worker whose message says "two words" has processed and failed with an action that needs an id."""
    declared = ms.Scenario(
        topics={"t": ms.Topic(subscriptions=(ms.Subscription(endpoint="r"),))},
        queues={"q": ms.Queue(), "r": ms.Queue(), "f": ms.Queue(fifo=True), **target},
        workers={"w": ms.Workers(queue="q", count=1, service_time=1.0, on_success=[action])},
    )
    simulation = ms.Simulation(declared)
    simulation.queues["q"].send("two words", 0.0)
    simulation.run(1.0)
    assert all(simulation.queues[name].sent == 0 for name in "rf")
    return simulation.workers["w"].processed, simulation.workers["w"].failed


@pytest.mark.rule("FIFO-SND-3")
@pytest.mark.parametrize(
    "action",
    [
        ms.SendMessage("r", group_id="{body}"),
        ms.SendMessage("f", group_id="{body}"),
        ms.Publish("t", group_id="{body}"),
    ],
)
def test_a_group_that_cannot_be_is_refused_and_the_message_comes_back(action: Any) -> None:
    assert refused(action) == (1, 1)


@pytest.mark.parametrize("attributes", [None, {"kind": "b"}])
def test_groups_are_given_and_passed_on(attributes: dict[str, Any] | None) -> None:
    """From q by a topic to r; from there, and from the dead letters of q, which have none, to s."""
    declared = ms.Scenario(
        topics={"t": ms.Topic(subscriptions=(ms.Subscription(endpoint="r", raw=True),))},
        queues={
            "q": ms.Queue(redrive=ms.Redrive(to="d", max_receive_count=1), visibility_timeout=0),
            **{name: ms.Queue() for name in "drs"},
        },
        workers={
            "w": ms.Workers(
                queue="q",
                count=1,
                service_time=1.0,
                on_success=[ms.Publish("t", group_id="from-{n}", attributes=attributes)],
            ),
            "v": ms.Workers(queue="r", count=1, service_time=1.0, on_success=[ms.SendMessage("s")]),
            "u": ms.Workers(queue="d", count=1, service_time=1.0, on_success=[ms.SendMessage("s")]),
        },
    )
    simulation = ms.Simulation(declared)
    queue = simulation.queues["q"]
    queue.send("dead", 0.0)
    queue.receive(0.0)
    queue.send("a", 0.0)
    simulation.run(5.0)
    got = simulation.queues["s"].receive(5.0, 10)
    assert sorted((delivery.body, delivery.group_id) for delivery in got) == [("a", "from-2"), ("dead", None)]


def test_an_empty_body_is_no_message() -> None:
    with pytest.raises(DeclarationError, match=r"^SendMessage\.body: must not be empty \(SQS-SND-1, SNS-PUB-1\)$"):
        ms.SendMessage("q", body="")
