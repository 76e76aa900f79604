"""What workers do, as the contract says it: batches, failures, refusals, joins, handlers, shifts."""

from collections.abc import Iterator
from typing import Any

import pytest

import msgsim as ms
from msgsim.errors import DeclarationError, HandlerError, TimeRanBackwards


def scenario(queue: dict[str, Any] | None = None, *, rate: Any = 1.0, **pool: Any) -> ms.Scenario:
    settings: dict[str, Any] = {"queue": "q", "count": 1, "service_time": 1.0, **pool}
    return ms.Scenario(
        queues={"q": ms.Queue(**(queue or {})), "next": ms.Queue()},
        topics={"news": ms.Topic(subscriptions=[ms.Subscription(endpoint="next", raw=True)])},
        outboxes={"ses": ms.Outbox()},
        traffic={"t": ms.Traffic(to="q", rate=rate, process="regular", body="m{n}", attributes={"kind": "a"})},
        workers={"w": ms.Workers(**settings)},
    )


def few(messages: int, /, **settings: Any) -> ms.Simulation:
    """A simulation with so many messages in the queue at 0."""
    simulation = ms.Simulation(scenario(rate=0, **settings), seed=1)
    queue = simulation.queues["q"]
    for number in range(messages):
        queue.send(f"m{number}", 0.0, attributes={"kind": "a"})
    return simulation


@pytest.mark.parametrize("delete", ["each", "batch"])
def test_a_batch_is_handled_one_by_one(delete: str) -> None:
    simulation = few(3, delete=delete)
    simulation.run(1.5)
    deleted = [simulation.queues["q"].deleted]
    simulation.run(2.5)
    deleted.append(simulation.queues["q"].deleted)
    simulation.run(3.0)
    deleted.append(simulation.queues["q"].deleted)
    assert deleted == ([1, 2, 3] if delete == "each" else [0, 0, 3])
    assert simulation.workers["w"].processed == 3


def test_a_failure_takes_its_time_and_waits_out_its_visibility_timeout() -> None:
    simulation = few(1, failure_rate=1.0, queue={"visibility_timeout": 10.0})
    simulation.run(25.0)
    queue, pool = simulation.queues["q"], simulation.workers["w"]
    assert (queue.received, queue.redelivered, pool.processed, pool.failed) == (3, 2, 3, 3)


def test_a_refused_action_fails_the_delivery_and_undoes_nothing() -> None:
    limited = ms.Outbox(max_send_rate=0.001, burst=1)
    declared = scenario(rate=0, on_success=[ms.SendMessage("next"), ms.SendEmail("ses")]).vary("outboxes.ses", limited)
    simulation = ms.Simulation(declared, seed=1)
    for _ in range(2):
        simulation.queues["q"].send("x", 0.0)
    simulation.run(5.0)
    assert simulation.queues["q"].deleted == 1
    assert simulation.queues["next"].sent == 2
    assert simulation.outboxes["ses"].throttled == 1
    assert simulation.workers["w"].failed == 1


def test_a_retry_waits_inside_the_worker() -> None:
    limited = ms.Outbox(max_send_rate=0.1, burst=1)
    declared = scenario(
        rate=0, on_success=[ms.SendEmail("ses")], on_refusal=ms.Retry(attempts=4, base=1.0, cap=4.0)
    ).vary("outboxes.ses", limited)
    simulation = ms.Simulation(declared, seed=1)
    for _ in range(2):
        simulation.queues["q"].send("x", 0.0)
    simulation.run(60.0)
    assert simulation.queues["q"].deleted == 2
    assert simulation.workers["w"].failed == 0
    assert [sent.at for sent in simulation.outboxes["ses"].sent] == [1.0, 13.0]  # tried at 2, 3, 5, 9 and 13


def test_a_worker_does_not_notice_that_a_message_has_timed_out() -> None:
    simulation = few(3, count=2, service_time=4.0, queue={"visibility_timeout": 6.0})
    simulation.run(100.0)
    queue = simulation.queues["q"]
    assert queue.duplicate_work > 0
    assert queue.deleted == 3


def test_heartbeats_keep_messages_hidden() -> None:
    simulation = few(1, count=2, service_time=100.0, heartbeat=5.0, queue={"visibility_timeout": 10.0})
    simulation.run(200.0)
    queue = simulation.queues["q"]
    assert (queue.received, queue.deleted, queue.duplicate_work) == (1, 1, 0)


@pytest.mark.parametrize("lazy", [True, False])
def test_resizing(lazy: bool) -> None:
    simulation = ms.Simulation(scenario(rate=0, count=4, batch_size=1, service_time=10.0), seed=1, lazy=lazy)
    pool = simulation.workers["w"]
    simulation.run(0.0)
    for _ in range(2):
        simulation.queues["q"].send("x", 0.0)
    simulation.run(1.0)
    assert (simulation.workers["w"].count, simulation.workers["w"].busy) == (4, 2)
    pool.resize(1, 1.0)
    assert (pool.count, pool.busy) == (2, 2)  # waiting polls are cancelled, a busy worker finishes
    simulation.run(11.0)
    assert (simulation.workers["w"].count, simulation.queues["q"].deleted) == (1, 2)
    pool.resize(3, 11.0)
    simulation.run(12.0)
    assert simulation.workers["w"].count == 3
    with pytest.raises(DeclarationError, match="whole numbers from 0"):
        pool.resize(-1, 12.0)
    with pytest.raises(TimeRanBackwards):
        pool.resize(1, 5.0)


def test_short_polls_pause() -> None:
    simulation = few(0, wait_time=0.0, poll_interval=2.0)
    simulation.run(9.0)
    assert simulation.queues["q"].empty_receives == 5


def test_long_polls_that_end_are_counted() -> None:
    simulation = few(0, count=2)
    simulation.run(60.0)
    assert simulation.queues["q"].empty_receives == 6


def test_actions_pass_the_message_on() -> None:
    simulation = few(
        1,
        on_success=[
            ms.Publish("news"),
            ms.Publish("news", body="about {body}", attributes={"kind": "b"}, subject="hello"),
            ms.SendMessage("next", body="for {attributes[kind]}", delay=30.0),
            ms.SendEmail("ses", to="c{n}@example.com", subject="{body}", body="since {elapsed:.0f} s"),
        ],
    )
    simulation.run(2.0)
    queue = simulation.queues["next"]
    assert queue.counts(2.0) == (2, 0, 1)
    simulation.run(40.0)
    seen = [(delivery.body, dict(delivery.attributes)) for delivery in queue.receive(40.0, 10)]
    assert seen == [("m0", {"kind": "a"}), ("about m0", {"kind": "b"}), ("for a", {"kind": "a"})]
    (sent,) = simulation.outboxes["ses"].sent
    assert (sent.email.to, sent.email.subject, sent.email.body) == (("c1@example.com",), "m0", "since 1 s")


def test_a_join_acts_once_when_all_parts_have_succeeded() -> None:
    join = ms.Join("done", parts=["a", "b"], then=[ms.SendEmail("ses")])
    pools = {
        "a": ms.Workers(queue="qa", count=1, service_time=1.0, on_success=[join]),
        "b": ms.Workers(queue="qb", count=1, service_time=5.0, on_success=[ms.Join("done")], failure_rate=0.3),
    }
    declared = ms.Scenario(
        topics={"t": ms.Topic(subscriptions=[ms.Subscription(endpoint="qa"), ms.Subscription(endpoint="qb")])},
        queues={"qa": ms.Queue(), "qb": ms.Queue(visibility_timeout=100)},
        outboxes={"ses": ms.Outbox()},
        traffic={"s": ms.Traffic(to="t", rate=0.05, process="regular")},
        workers=pools,
    )
    run = ms.simulate(declared, until=1000.0, seed=3)
    assert run.total("done", "completed") == run.total("ses", "accepted") == run.total("qb", "deleted")
    assert run.final("done", "open") == run.total("qa", "deleted") - run.total("qb", "deleted") > 0
    assert min(run.samples("done", "end_to_end_time")) >= 5.0


def test_handlers_say_what_happens() -> None:
    def handler(delivery: Any, context: Any) -> Any:
        number = int(delivery.body[1:])
        assert context.now >= 0
        if number == 0:
            return None
        if number == 1:
            return 7.0
        if number == 2:
            return [ms.SendMessage("next", body="from a handler")]
        if number == 3:
            raise ValueError("no")
        return waits()

    def waits() -> Iterator[float]:
        yield 2.0
        yield 3.0

    simulation = few(5, handler=handler)
    simulation.run(100.0)
    run = simulation.result()
    assert sorted(run.samples("q", "sojourn_time")) == [1.0, 8.0, 9.0, 15.0]
    assert run.total("next", "sent") == 1
    assert run.raised == {"w": {"ValueError: no": 4}}  # at 9, 30, 60 and 90 s


@pytest.mark.parametrize("answer", ["text", -1.0, True, [3], float("inf")])
def test_an_answer_that_is_no_outcome_is_an_error(answer: Any) -> None:
    with pytest.raises(HandlerError, match="the handler of 'w' returned"):
        few(1, handler=lambda _delivery, _context: answer).run(5.0)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"count": 0}, "Workers.count: 0 is not allowed"),
        ({"count": 1.5}, "Workers.count: 1.5 is neither"),
        ({"service_time": None}, "Workers.service_time: is missing"),
        ({"service_time": "fast"}, "'fast' is not a distribution"),
        ({"on_refusal": "again"}, "Workers.on_refusal: 'again'"),
        ({"handler": 3}, "Workers.handler: 3 is not a function"),
        ({"wait_time": 0, "poll_interval": 0}, "Workers.poll_interval: must be more than 0"),
    ],
)
def test_pools_that_cannot_be(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        scenario(**settings)
    assert words in str(caught.value)


def test_shifts_follow_their_curve() -> None:
    declared = scenario(count=ms.Steps([(0, 2), (100, 5), (200, 0), (300, 1)]))
    run = ms.simulate(declared, until=400.0, probe=50.0)
    assert list(run.series("w", "count")[1]) == [2, 2, 5, 5, 1, 0, 1, 1, 1]  # at 200 s one finishes its batch
