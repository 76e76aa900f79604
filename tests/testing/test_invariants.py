"""Invariants: silent where all is well, and plain where it is not."""

import copy
from array import array
from typing import Any

import pytest

import msgsim as ms
from msgsim.bus.receipts import Delivery
from msgsim.errors import AuditError
from msgsim.testing import check_conservation, check_no_loss, check_order, check_receive_counts


def served(bodies: str = "abc") -> ms.StandardQueue:
    queue = ms.StandardQueue(ms.Queue(redrive=ms.Redrive(to="dead", max_receive_count=2)), "q")
    for body in bodies:
        queue.send(body, 0.0)
    return queue


def grouped(*groups: str) -> tuple[ms.FifoQueue, list[Delivery]]:
    queue = ms.FifoQueue(ms.Queue(fifo=True), "q")
    for number, group in enumerate(groups):
        queue.send(str(number), 0.0, group_id=group, deduplication_id=str(number))
    return queue, queue.receive(0.0, 10)


@pytest.fixture(scope="module")
def run() -> ms.Run:
    scenario = ms.Scenario(
        topics={"t": ms.Topic(subscriptions=[ms.Subscription(endpoint="q")])},
        queues={"q": ms.Queue(visibility_timeout=5)},
        traffic={"x": ms.Traffic(to="t", rate=2)},
        workers={"w": ms.Workers(queue="q", count=2, service_time=0.5, failure_rate=0.2)},
    )
    return ms.simulate(scenario, until=60, seed=1)


def falsified(run: ms.Run, metric: str, value: int, entity: str = "q") -> ms.Run:
    """The same run, with another last reading."""
    changed = copy.copy(run)
    records: dict[str, Any] = dict(run.records)
    record = copy.copy(records[entity])
    series = {name: array(values.typecode, values) for name, values in record.series.items()}
    series[metric][-1] = value
    object.__setattr__(record, "series", series)
    records[entity] = record
    object.__setattr__(changed, "records", records)
    return changed


# ---------------------------------------------------------------- conservation


def test_a_live_queue_balances() -> None:
    queue = served()
    check_conservation(queue)
    check_conservation(queue, 5.0)
    assert queue.looked_at == 5.0
    queue.deleted += 1
    with pytest.raises(AuditError, match=r"queue 'q' at 5 s: sent 3 \+ moved_in 0 is not left 1"):
        check_conservation(queue)


def test_a_run_balances_at_every_reading(run: ms.Run) -> None:
    check_conservation(run)
    with pytest.raises(AuditError, match=r"queue 'q' at 60 s: \d+ messages came, \d+ are accounted for"):
        check_conservation(falsified(run, "purged", 7))


def test_a_run_that_does_not_balance_itself_does_not_here(run: ms.Run) -> None:
    changed = copy.copy(run)
    object.__setattr__(changed, "violations", ("queue 'q': lost",))
    with pytest.raises(AuditError, match="queue 'q': lost"):
        check_conservation(changed)


# ---------------------------------------------------------------- loss


def test_what_expired_or_was_purged_is_lost() -> None:
    queue = served()
    check_no_loss(queue)
    queue.purge(0.0)
    with pytest.raises(AuditError, match="queue 'q': 0 messages expired and 3 were purged"):
        check_no_loss(queue)


def test_what_was_sent_is_handled_or_kept_be_it_as_a_dead_letter() -> None:
    queue = served("abc")
    sent = [message.message_id for message in queue.live()]
    (first,) = queue.receive(0.0)
    queue.delete(first.receipt_handle, 0.0)
    for _ in range(3):
        queue.receive(0.0, 1, 0.0)
    assert queue.dead_lettered == 1
    check_no_loss(queue, handled=[first.message_id], sent=sent)
    with pytest.raises(AuditError, match=f"queue 'q': {first.message_id}: neither handled nor kept anywhere"):
        check_no_loss(queue, handled=[], sent=sent)


def test_a_run_loses_nothing_unless_it_says_so(run: ms.Run) -> None:
    check_no_loss(run)
    with pytest.raises(AuditError, match="queue 'q': 3 messages expired and 0 were purged"):
        check_no_loss(falsified(run, "expired", 3))
    with pytest.raises(AuditError, match="topic 't': 2 deliveries failed for good"):
        check_no_loss(falsified(run, "delivery_failed", 2, "t"))


# ---------------------------------------------------------------- order


def test_deliveries_of_a_fifo_queue_are_in_order_per_group() -> None:
    queue, deliveries = grouped("g", "h", "g", "g")
    assert [delivery.body for delivery in deliveries] == ["0", "2", "3", "1"]
    check_order(deliveries)
    check_order(deliveries + deliveries)  # redeliveries have no order of their own
    first, second = deliveries[0].message_id, deliveries[1].message_id
    with pytest.raises(AuditError, match=f"group 'g': {second} was received before {first}, which was sent before it"):
        check_order([deliveries[1], deliveries[0]])
    check_order(queue)


def test_a_live_fifo_queue_has_received_the_first_of_each_group() -> None:
    queue, deliveries = grouped("g", "h", "g")
    queue.send("3", 0.0, group_id="g", deduplication_id="3")
    check_order(queue)
    deliveries[0].message.receive_count = 0
    with pytest.raises(AuditError, match=f"group 'g': .* was received before {deliveries[0].message_id}"):
        check_order(queue)


def test_messages_without_a_group_have_no_order() -> None:
    queue = served("ab")
    check_order(queue.receive(0.0, 2)[::-1])
    queue.send("c", 0.0)
    check_order(queue)


# ---------------------------------------------------------------- receive counts


def test_receive_counts_of_deliveries_never_fall() -> None:
    queue = served("a")
    first, second = (queue.receive(0.0, 1, 0.0)[0] for _ in range(2))
    check_receive_counts([first, first, second])
    with pytest.raises(AuditError, match=f"{first.message_id} was delivered with receive count 1 after 2"):
        check_receive_counts([second, first])
    first.receive_count = 0
    with pytest.raises(AuditError, match="was delivered with receive count 0 after 0"):
        check_receive_counts([first])


def test_receive_counts_go_on_in_the_dead_letter_queue() -> None:
    queue = served("a")
    deliveries = [queue.receive(0.0, 1, 0.0)[0] for _ in range(2)]
    assert queue.receive(0.0) == []
    dead = queue.dead_letter_queue
    assert dead is not None
    deliveries += dead.receive(0.0)
    assert [delivery.receive_count for delivery in deliveries] == [1, 2, 3]
    check_receive_counts(deliveries)
    check_receive_counts(queue)
    check_receive_counts(dead)


def test_a_live_queue_has_received_what_its_messages_say() -> None:
    queue = served("a")
    (delivery,) = queue.receive(0.0)
    check_receive_counts(queue)
    delivery.message.receive_count = 2
    with pytest.raises(AuditError, match="queue 'q': its messages count 2 receives, it counts 1"):
        check_receive_counts(queue)
    delivery.message.receive_count = -1
    with pytest.raises(AuditError, match="-1 of -1 receives were here"):
        check_receive_counts(queue)


def test_counters_of_a_run_never_fall(run: ms.Run) -> None:
    check_receive_counts(run)
    with pytest.raises(AuditError, match=r"q.received fell from \d+ to 0 between 59.4 and 60 s"):
        check_receive_counts(falsified(run, "received", 0))
