"""Fair queues: who is noisy, who goes first, and that the books balance whatever happens to whom."""

from random import Random
from typing import Any

import pytest

from msgsim.bus import fairness
from msgsim.bus.fair import FairQueue
from msgsim.bus.queue import Queue, Redrive
from msgsim.bus.receipts import Delivery
from msgsim.bus.standard import StandardQueue
from msgsim.bus.tenants import Quiet

LONG = 43_200


def make(**settings: Any) -> StandardQueue:
    return StandardQueue(Queue(**{"visibility_timeout": LONG, **settings}), "q")


def send(queue: StandardQueue, text: str, now: float = 0, delay: float | None = None) -> None:
    """Send a message per word: "a" is of tenant a, "-" of none; "a*30" is thirty of them."""
    for word in text.split():
        tenant, _, times = word.partition("*")
        for _ in range(int(times or 1)):
            queue.send("x", now, group_id=None if tenant == "-" else tenant, delay=delay)


def receive(queue: StandardQueue, now: float, count: int, limit: int = 10) -> list[Delivery]:
    got: list[Delivery] = []
    while len(got) < count:
        batch = queue.receive(now, min(limit, count - len(got)))
        if not batch:
            break
        got += batch
    return got


def tenants(deliveries: list[Delivery]) -> str:
    return "".join(delivery.group_id or "-" for delivery in deliveries)


def noisy(queue: StandardQueue) -> set[str]:
    return {name for name, state in queue.tenants.items() if state.noisy}


class TestBecomingFair:
    @pytest.mark.rule("SQS-FAIR-1")
    def test_comes_with_the_first_group_id_and_not_before(self) -> None:
        queue = make()
        send(queue, "- -")
        assert (type(queue), queue.tenants) == (StandardQueue, {})
        assert queue.quiet(3) == Quiet(0, 2, 0, 0, 3)
        send(queue, "a", 3)
        assert (type(queue), list(queue.tenants)) == (FairQueue, ["a"])

    def test_by_the_calls_of_the_hot_path(self) -> None:
        queue = make()
        message = queue.enqueue_grouped("x", None, 2, None, 2, "a")
        later = queue.enqueue_grouped("y", None, 2, None, 2, "b", 5.0)
        assert (message.group_id, later.group_id, queue.visible, queue.delayed) == ("a", "b", 1, 1)
        assert tenants(receive(queue, 7, 2)) == "ab"

    def test_what_was_received_before_belongs_to_its_tenant_from_then_on(self) -> None:
        queue = make()
        send(queue, "-")
        [old] = queue.receive(0)
        send(queue, "a", 10)
        queue.change_visibility(old.receipt_handle, 0, 20)
        assert (queue.visible, queue.in_flight) == (2, 0)
        assert tenants(receive(queue, 20, 2)) == "a-"  # all the work since then was on the old one
        queue.check(20)

    def test_without_a_noisy_tenant_it_is_a_standard_queue(self) -> None:
        queue = make()
        send(queue, "b a - a b c -")
        assert tenants(receive(queue, 0, 7)) == "ba-abc-"

    @pytest.mark.rule("SQS-FAIR-1")
    def test_a_tenant_may_have_any_number_in_flight(self) -> None:
        queue = make()
        send(queue, "a*500")
        assert len(receive(queue, 0, 500)) == 500


class TestNoisyByInFlight:
    @pytest.mark.rule("SQS-FAIR-3")
    @pytest.mark.rule("SQS-FAIR-4")
    def test_a_quiet_message_overtakes_5000_noisy_ones(self) -> None:  # vector V-28
        queue = make()
        send(queue, "n*100")
        for other in range(20):
            send(queue, f"quiet-{other}")
        receive(queue, 0, 120)
        send(queue, "n*5000", 0)
        send(queue, "new", 0)
        assert noisy(queue) == {"n"}
        assert tenants(receive(queue, 0, 1)) == "new"
        assert tenants(receive(queue, 0, 2)) == "nn"

    @pytest.mark.rule("SQS-FAIR-3")
    @pytest.mark.rule("SQS-FAIR-6")
    @pytest.mark.parametrize(("held", "expected"), [(29, set()), (30, {"n"})])
    def test_takes_thirty_in_flight(self, held: int, expected: set[str]) -> None:
        queue = make()
        send(queue, f"n*{held}")
        receive(queue, 0, held)
        send(queue, "n")
        assert noisy(queue) == expected

    @pytest.mark.rule("SQS-FAIR-3")
    @pytest.mark.parametrize(("others", "expected"), [(270, set()), (269, {"n"})])
    def test_takes_more_than_a_tenth_of_all_in_flight(self, others: int, expected: set[str]) -> None:
        queue = make()
        send(queue, " ".join(["n*30", *(f"t-{other}" for other in range(others))]))
        receive(queue, 0, 30 + others)
        send(queue, "n")
        assert noisy(queue) == expected

    @pytest.mark.rule("SQS-FAIR-5")
    def test_takes_a_backlog(self) -> None:
        queue = make()
        send(queue, "n*31")
        receive(queue, 0, 30)
        assert noisy(queue) == {"n"}
        receive(queue, 0, 1)
        assert noisy(queue) == set()


class TestNoisyByProcessingTime:
    @pytest.mark.rule("SQS-FAIR-3")
    @pytest.mark.rule("SQS-FAIR-6")
    def test_one_worker_is_enough_to_notice(self) -> None:
        queue = make()
        send(queue, "n n n q")
        [first] = queue.receive(0)
        queue.delete(first.receipt_handle, 8)
        assert noisy(queue) == {"n"}
        assert queue.tenants["n"].processing_time == 8
        assert tenants(receive(queue, 8, 3)) == "qnn"

    @pytest.mark.rule("SQS-FAIR-3")
    @pytest.mark.parametrize(("seconds", "expected"), [(11.0, set()), (12.0, {"n"})])
    def test_takes_more_than_a_tenth_of_the_work(self, seconds: float, expected: set[str]) -> None:
        queue = make(processing_window=1_000)
        send(queue, " ".join(["n", *(f"t-{other}" for other in range(10))]))
        [mine, *others] = receive(queue, 0, 11)
        for other in others:
            queue.delete(other.receipt_handle, 10)
        queue.delete(mine.receipt_handle, seconds)
        send(queue, "n", seconds)
        assert noisy(queue) == expected

    @pytest.mark.rule("SQS-FAIR-5")
    def test_fades_with_the_window_before(self) -> None:
        queue = make(processing_window=60)
        send(queue, "n n n")
        [first] = queue.receive(0)
        queue.delete(first.receipt_handle, 60)
        for now, left in ((60, 60), (75, 45), (119, 1), (120, 0)):
            queue.advance(now)
            assert queue.tenants["n"].processing_time == left
            assert noisy(queue) == ({"n"} if left else set())

    @pytest.mark.rule("SQS-FAIR-5")
    def test_ends_when_nothing_has_been_in_flight_for_five_minutes(self) -> None:
        queue = make(processing_window=3_600)
        send(queue, "n n")
        [first] = queue.receive(0)
        queue.delete(first.receipt_handle, 100)
        send(queue, "q", 100)
        queue.advance(399)
        assert noisy(queue) == {"n"}
        queue.advance(400)
        assert noisy(queue) == set()
        assert tenants(receive(queue, 400, 2)) == "nq"

    @pytest.mark.rule("SQS-FAIR-3")
    def test_a_window_ends_where_it_is_said_to_however_that_is_rounded(self) -> None:
        assert 4.5 // 0.9 == 4
        queue = make(processing_window=0.9)
        tenants = " ".join(f"t-{place}" for place in range(11))
        send(queue, tenants)
        for delivery in receive(queue, 3.6, 11):
            queue.delete(delivery.receipt_handle, 4.0)
        send(queue, tenants, 4.0)
        for now in (4.0, 4.5, 4.6):
            queue.advance(now)
            assert noisy(queue) == set()  # each has an eleventh of the work

    def test_what_is_in_flight_counts_while_it_is(self) -> None:
        queue = make(processing_window=60)
        send(queue, "n n")
        queue.receive(0)
        for now in (30, 60, 90, 600):
            queue.advance(now)
            assert queue.tenants["n"].processing_time == min(now, 60)
        assert noisy(queue) == {"n"}


class TestOrder:
    @pytest.mark.rule("SQS-FAIR-4")
    def test_noisy_messages_come_when_no_quiet_one_waits(self) -> None:
        queue = make()
        send(queue, "n*40")
        receive(queue, 0, 35)
        send(queue, "q q", 0)
        assert tenants(receive(queue, 0, 10)) == "qqnnnnn"

    @pytest.mark.rule("SQS-FAIR-4")
    def test_of_noisy_tenants_the_one_with_the_fewest_in_flight_goes_first(self) -> None:
        queue = make()
        send(queue, "m*40 n*60")
        receive(queue, 0, 100)
        send(queue, "n*25 m*25")
        assert noisy(queue) == {"m", "n"}
        batch = tenants(receive(queue, 0, 50))
        assert batch[:20] == "m" * 20
        assert batch[20:30] in {"nm" * 5, "mn" * 5}
        assert batch[-15:] == "n" * 15

    @pytest.mark.rule("SQS-FAIR-2")
    def test_a_message_without_a_group_is_a_tenant_of_its_own(self) -> None:
        queue = make()
        send(queue, "a - -")
        receive(queue, 0, 1)
        [one, other] = receive(queue, 0, 2)
        queue.change_visibility(one.receipt_handle, 0, 10)
        queue.delete(other.receipt_handle, 10)
        send(queue, "b", 10)
        assert queue.quiet(10).noisy_groups == 1  # a third of the work was on the one that came back
        assert tenants(receive(queue, 10, 2)) == "b-"
        queue.check(10)

    def test_a_returned_message_stands_at_its_old_place_within_its_tenant(self) -> None:
        queue = make(processing_window=1)
        send(queue, "a")
        queue.send("second", 1, group_id="a")
        [first] = queue.receive(1)
        queue.change_visibility(first.receipt_handle, 0, 1)
        assert [delivery.body for delivery in queue.receive(1, 10)] == ["x", "second"]

    @pytest.mark.rule("SQS-RCV-8")
    def test_after_three_receives_it_goes_to_the_back(self) -> None:
        queue = make(processing_window=1)
        send(queue, "a b", 0)
        for now in (0, 10, 20):
            (first, *_) = queue.receive(now)
            assert first.group_id == "a"
            queue.change_visibility(first.receipt_handle, 0, now)
        queue.send("behind", 25, group_id="a")
        assert [delivery.receive_count for delivery in queue.receive(40, 10)] == [1, 4, 1]
        queue.check(40)

    def test_many_tenants_that_change_places_are_kept_in_little_room(self) -> None:
        queue = make()
        for now in range(400):
            send(queue, f"t-{now}", now)
            [delivery] = queue.receive(now)
            queue.change_visibility(delivery.receipt_handle, 0, now)
            queue.delete(queue.receive(now)[0].receipt_handle, now)
        assert queue.fairness is not None
        assert len(queue.fairness.tenants) < 200
        assert len(queue.tenants) == 400  # their times are remembered


class TestWhatHappensToMessages:
    def test_deleting_by_batch_and_one_by_one_is_the_same(self) -> None:
        for whole in (False, True):
            queue = make()
            send(queue, "a b - a b")
            batch = queue.take(0, 5, LONG)
            if whole:
                assert queue.finish(batch, [1.0] * 5, [1], LONG, 0, 0.0, 3.5) == (3, 3.0)
                assert queue.finish(batch, [1.0] * 5, [1], LONG, 3, 3.0, 9.0) == (5, 5.0)
            else:
                for place in (0, 2, 3, 4):
                    queue.finish_one(batch[place], place + 1.0)
            assert (queue.deleted, queue.in_flight) == (4, 1)
            queue.check(5)
            states = queue.tenants
            assert (list(states["a"].sojourns), list(states["b"].sojourns)) == ([1.0, 4.0], [5.0])
            assert (states["b"].in_flight, states["a"].in_flight) == (1, 0)

    def test_a_late_delete_takes_a_visible_message(self) -> None:
        queue = make(visibility_timeout=5)
        send(queue, "a a")
        [first] = queue.receive(0)
        queue.delete(first.receipt_handle, 6)
        queue.delete(first.receipt_handle, 7)
        assert (queue.deleted, queue.visible) == (1, 1)
        assert list(queue.tenants["a"].sojourns) == [6.0]
        assert len(receive(queue, 7, 5)) == 1
        queue.check(7)

    def test_an_old_handle_deletes_nothing(self) -> None:
        queue = make(visibility_timeout=5)
        send(queue, "a")
        [first] = queue.receive(0)
        queue.receive(5)
        queue.delete(first.receipt_handle, 6)
        assert (queue.deleted, queue.in_flight) == (0, 1)

    def test_hiding_a_visible_message_again_counts_for_its_tenant(self) -> None:
        queue = make(visibility_timeout=5, processing_window=10)
        send(queue, "a a")
        [first] = queue.receive(0)
        queue.change_visibility(first.receipt_handle, 100, 25)
        assert queue.tenants["a"].in_flight == 1
        queue.advance(27)
        assert queue.tenants["a"].processing_time == 2
        [second] = queue.receive(27)
        queue.change_visibility(second.receipt_handle, 0, 28)
        queue.change_visibility(second.receipt_handle, 100, 28)
        assert queue.tenants["a"].in_flight == 2
        queue.check(28)

    def test_dead_letters_keep_their_group_and_make_the_other_queue_fair(self) -> None:
        queue = make(visibility_timeout=5, redrive=Redrive(to="dead", max_receive_count=1))
        send(queue, "a - b")
        receive(queue, 0, 3)
        assert receive(queue, 5, 3) == []
        dead = queue.dead_letter_queue
        assert isinstance(dead, FairQueue)
        assert tenants(receive(dead, 6, 3)) == "a-b"
        queue.check(6)
        dead.check(6)

    @pytest.mark.rule("SQS-RET-1")
    def test_expiry_takes_visible_delayed_and_those_in_flight(self) -> None:
        queue = make(retention=60)
        send(queue, "a b c")
        send(queue, "b", 0, delay=900)
        receive(queue, 0, 1)
        queue.advance(61)
        assert (queue.expired, queue.counts(61)) == (4, (0, 0, 0))
        assert queue.tenants["a"].in_flight == 0
        queue.check(61)

    def test_a_purge_forgets_backlogs_and_flights(self) -> None:
        queue = make()
        send(queue, "n*40 - -")
        receive(queue, 0, 41)
        queue.purge(30)
        assert queue.counts(30) == (0, 0, 0)
        assert queue.tenants["n"].in_flight == 0
        assert queue.tenants["n"].processing_time == 30 * 39  # at 30 in flight the others went first
        queue.check(90)
        send(queue, "n q", 90)
        assert tenants(receive(queue, 90, 2)) == "qn"  # the work of the last minute still counts

    @pytest.mark.rule("SQS-FAIR-5")
    def test_a_purge_is_no_flight(self) -> None:
        queue = make(processing_window=3_600)
        send(queue, "n n")
        queue.delete(queue.receive(0)[0].receipt_handle, 200)
        queue.advance(600)
        assert noisy(queue) == set()
        queue.purge(600)
        send(queue, "n", 601)
        assert noisy(queue) == set()

    def test_the_in_flight_limit_holds(self) -> None:
        queue = make(max_in_flight=3)
        send(queue, "a a b b")
        assert len(queue.receive(0, 10)) == 3
        assert queue.receive(0, 10, wait_time=1) == []

    def test_a_move_task_takes_the_oldest_of_all_tenants(self) -> None:
        dead = make()
        source = StandardQueue(
            Queue(visibility_timeout=1, redrive=Redrive(to="q", max_receive_count=1)), "s", dead_letter_queue=dead
        )
        send(source, "a - b", 0)
        receive(source, 0, 3)
        receive(source, 1, 3)
        [back] = dead.receive(2)
        dead.change_visibility(back.receipt_handle, 0, 2)
        task = dead.start_move(3)
        while (due := task.next_deadline()) is not None:
            task.advance(due)
        assert (task.state, task.moved, dead.visible) == ("COMPLETED", 3, 0)
        assert tenants(receive(source, 9, 3)) == "-ab"  # the work there was that of a and b
        dead.check(9)
        source.check(9)

    def test_a_move_task_takes_fresh_messages_before_those_at_the_back(self) -> None:
        dead = make(processing_window=1)
        source = StandardQueue(
            Queue(visibility_timeout=1, redrive=Redrive(to="q", max_receive_count=1)), "s", dead_letter_queue=dead
        )
        send(source, "a", 0)
        source.send("second", 0, group_id="a")
        receive(source, 0, 2)
        receive(source, 1, 2)
        for now in (10, 20, 30):
            [first] = dead.receive(now)
            dead.change_visibility(first.receipt_handle, 0, now)
        task = dead.start_move(40)
        while (due := task.next_deadline()) is not None:
            task.advance(due)
        assert [delivery.body for delivery in receive(source, 90, 2)] == ["second", "x"]

    @pytest.mark.rule("SQS-RET-2")
    @pytest.mark.parametrize("tenant", ["a", "-"])
    def test_a_dead_letter_may_expire_in_the_middle_of_a_line(self, tenant: str) -> None:
        dead = make(retention=100)
        source = StandardQueue(
            Queue(visibility_timeout=10, redrive=Redrive(to="q", max_receive_count=1)), "s", dead_letter_queue=dead
        )
        send(source, tenant, 0)
        receive(source, 0, 1)
        send(dead, f"other {tenant}", 5)
        receive(source, 10, 1)
        send(dead, f"{tenant} {tenant}", 15)
        assert dead.counts(100) == (5, 0, 0)
        assert dead.counts(101) == (4, 0, 0)
        dead.check(101)
        assert tenants(receive(dead, 101, 9)) == f"other{tenant * 3}"
        dead.check(101)

    def test_what_came_back_before_keeps_its_place(self) -> None:
        queue = make()
        send(queue, "- -")
        [first] = queue.receive(0)
        queue.change_visibility(first.receipt_handle, 0, 1)
        send(queue, "a", 2)
        assert [(delivery.group_id, delivery.receive_count) for delivery in queue.receive(2, 10)] == [
            (None, 2),
            (None, 1),
            ("a", 1),
        ]
        queue.check(2)

    def test_heads_that_change_are_kept_in_little_room(self) -> None:
        queue = make()
        for now in range(2):
            send(queue, " ".join(f"t-{place}" for place in range(100)), now)
        for delivery in receive(queue, 2, 100):
            queue.change_visibility(delivery.receipt_handle, 0, 2)
        assert [delivery.receive_count for delivery in receive(queue, 2, 200)] == [2] * 100 + [1] * 100
        queue.check(2)

    def test_a_noisy_tenant_is_served_in_a_later_window(self) -> None:
        queue = make(processing_window=60)
        send(queue, "n*50")
        receive(queue, 0, 35)
        assert len(receive(queue, 70, 15)) == 15
        queue.advance(80)
        assert queue.tenants["n"].processing_time == pytest.approx(35 * 60 * 40 / 60 + 35 * 20 + 15 * 10)
        queue.purge(200)
        assert queue.tenants["n"].processing_time == 50 * 60 * 40 / 60 + 50 * 20
        queue.check(200)

    def test_tenants_whose_messages_all_expire_are_kept_in_little_room(self) -> None:
        queue = make(retention=60)
        for now in range(0, 60_000, 100):
            send(queue, "a", now)
        assert queue.expired == 599
        assert queue.fairness is not None
        assert len(queue.fairness.heads) < 100
        assert tenants(receive(queue, 59_900, 9)) == "a"
        queue.check(59_900)

    def test_a_message_that_is_alone_is_received_as_others_are(self) -> None:
        queue = make(visibility_timeout=100, redrive=Redrive(to="dead", max_receive_count=2))
        send(queue, "a")
        [first] = queue.receive(1, visibility_timeout=50)
        send(queue, "a", 2)
        [second] = queue.receive(2, visibility_timeout=10)
        assert [first.receive_count, second.receive_count] == [1, 1]
        assert queue.next_deadline() == 12
        queue.delete(first.receipt_handle, 3)
        assert [delivery.receive_count for delivery in queue.receive(12)] == [2]
        assert queue.receive(112) == []
        assert (queue.dead_lettered, queue.deleted, queue.counts(112)) == (1, 1, (0, 0, 0))
        assert queue.fairness is not None
        assert queue.fairness.waiting == 0
        queue.check(112)

    def test_a_dead_letter_that_is_alone_is_counted_as_new_and_moved_on_when_it_is_due(self) -> None:
        last = make()
        dead = StandardQueue(
            Queue(redrive=Redrive(to="q", max_receive_count=1), visibility_timeout=LONG), "dead", dead_letter_queue=last
        )
        source = StandardQueue(
            Queue(visibility_timeout=10, redrive=Redrive(to="dead", max_receive_count=1)), "s", dead_letter_queue=dead
        )
        send(source, "a")
        receive(source, 0, 1)
        receive(source, 10, 1)
        assert (dead.visible, dead.redelivered) == (1, 0)
        assert receive(dead, 11, 1) == []
        assert (dead.dead_lettered, last.visible, tenants(receive(last, 12, 1))) == (1, 1, "a")

    def test_one_that_is_alone_in_a_line_of_deleted_ones(self) -> None:
        dead = make(retention=100)
        source = StandardQueue(
            Queue(visibility_timeout=10, redrive=Redrive(to="q", max_receive_count=1)), "s", dead_letter_queue=dead
        )
        send(source, "a")
        receive(source, 0, 1)
        send(dead, "a", 5)
        receive(source, 10, 1)
        assert dead.counts(101) == (1, 0, 0)
        assert tenants(receive(dead, 101, 2)) == "a"
        send(dead, "a", 102)
        assert tenants(receive(dead, 102, 2)) == "a"
        dead.check(102)

    def test_a_message_in_flight_finishes_with_a_timeout_of_its_own(self) -> None:
        queue = make()
        send(queue, "a b")
        first, second = queue.take(0, 2, 100)
        queue.extend(first, 0, 50, 1)
        queue.finish_one(first, 2)
        assert queue.flights.index is None
        queue.finish_one(second, 3)
        assert (queue.deleted, list(queue.sojourns)) == (2, [2.0, 3.0])
        queue.check(60)

    @pytest.mark.rule("SQS-INF-1")
    def test_finishing_makes_room_at_the_in_flight_limit(self) -> None:
        queue = make(max_in_flight=1)
        send(queue, "a")
        heard: list[int] = []
        [only] = queue.take(0, 1, LONG)
        send(queue, "a")
        assert queue.take(0, 1, LONG) == []
        assert queue.limited
        queue.on_change = lambda: heard.append(queue.in_flight)
        queue.finish_one(only, 1)
        assert (heard, queue.limited, len(queue.take(1, 1, LONG))) == ([0], False, 1)

    def test_end_to_end_times_are_kept_apart_when_they_differ(self) -> None:
        queue = make()
        for origin_at in (5.0, 4.0, 5.0):
            queue.enqueue_grouped("x", None, 5, 7, origin_at, "a")
        for message in queue.take(6, 3, LONG):
            queue.finish_one(message, 8)
        assert (list(queue.sojourns), list(queue.end_to_end)) == ([3, 3, 3], [3, 4, 3])

    def test_a_message_stands_behind_one_of_its_tenant_that_came_back(self) -> None:
        queue = make(processing_window=1)
        send(queue, "a")
        [first] = queue.receive(0)
        queue.change_visibility(first.receipt_handle, 0, 0)
        queue.enqueue_grouped("second", None, 5, None, 5, "a")
        queue.enqueue_grouped("third", None, 5, None, 5, "b")
        assert [delivery.body for delivery in queue.receive(5, 10)] == ["x", "second", "third"]
        queue.check(5)

    def test_work_of_earlier_windows_is_counted_when_it_ends(self) -> None:
        queue = make(processing_window=60)
        queue.enqueue_grouped("x", None, 0, None, 0, "a")
        [message] = queue.take(0, 1, LONG)
        queue.finish_one(message, 75)
        queue.advance(75)
        assert queue.tenants["a"].processing_time == 45 + 15  # three quarters of the window before, and this one's
        queue.enqueue_grouped("x", None, 130, None, 130, "a")
        [message] = queue.take(130, 1, LONG)
        queue.finish_one(message, 131)
        queue.advance(131)
        assert queue.tenants["a"].processing_time == pytest.approx(15 * 49 / 60 + 1)

    def test_what_expires_in_flight_has_been_work_until_then(self) -> None:
        queue = make(retention=60, processing_window=1_000)
        send(queue, "a b")
        receive(queue, 10, 1)
        queue.advance(61)
        assert (queue.expired, queue.tenants["a"].in_flight, queue.tenants["a"].processing_time) == (2, 0, 50)
        queue.check(61)

    @pytest.mark.rule("SQS-FAIR-5")
    def test_who_was_noisy_stands_among_the_others_again(self) -> None:
        queue = make(processing_window=60)
        send(queue, "n*38 q")
        flying = receive(queue, 0, 36)
        assert tenants(flying[29:]) == "nqnnnnn"
        for delivery in flying:
            queue.delete(delivery.receipt_handle, 10)
        send(queue, "q", 20)
        assert tenants(receive(queue, 20, 1)) == "q"
        send(queue, "r", 130)
        assert tenants(receive(queue, 130, 5)) == "nnnr"
        queue.check(130)

    def test_a_delayed_message_shows_at_the_place_of_its_arrival(self) -> None:
        queue = make()
        queue.send("early", 0, group_id="a", delay=10)
        send(queue, "a", 5)
        assert (queue.counts(9), queue.counts(10)) == ((1, 0, 1), (2, 0, 0))
        assert [delivery.body for delivery in queue.receive(10, 10)] == ["early", "x"]
        queue.check(10)

    def test_a_line_comes_before_what_went_to_the_back(self) -> None:
        queue = make(processing_window=1)
        send(queue, "a")
        for now in (0, 10):
            [first] = queue.receive(now)
            queue.change_visibility(first.receipt_handle, 0, now)
        queue.send("second", 15, group_id="a")
        [first] = queue.receive(20)
        queue.change_visibility(first.receipt_handle, 0, 20)
        assert [delivery.body for delivery in queue.receive(30, 10)] == ["second", "x"]
        queue.check(30)

    def test_delays_of_the_queue_hold_for_tenants(self) -> None:
        queue = make(delay=10, retention=60)
        heard: list[int] = []
        queue.enqueue_grouped("x", None, 0, None, 0, "a")
        queue.on_change = lambda: heard.append(1)
        queue.enqueue_grouped("x", None, 40, None, 40, "b")
        assert heard == [1]
        assert queue.counts(10 + 40) == (2, 0, 0)
        queue.enqueue_grouped("x", None, 50, None, 50, "a")
        assert queue.counts(61) == (2, 0, 0)
        assert queue.counts(101) == (1, 0, 0)
        queue.check(101)

    @pytest.mark.parametrize("setting", ["disorder", "duplicates", "sampled"])
    def test_chance_may_have_its_part(self, setting: str) -> None:
        queue = StandardQueue(Queue(visibility_timeout=10, **{setting: 0.5}), "q", rng=Random(3))
        bodies: list[str] = []
        for now in range(200):
            for tenant in ("a", "b", None):
                queue.send(f"{now} {tenant}", now, group_id=tenant)
            for delivery in queue.receive(now, 5):
                bodies.append(delivery.body)
                queue.delete(delivery.receipt_handle, now + 0.5)
            queue.check(now + 0.5)
            queue.advance(now + 0.5)
        assert queue.deleted > 300
        assert (len(bodies) > len(set(bodies))) == (setting == "duplicates")
        assert bodies[:60] != [f"{now} {tenant}" for now in range(20) for tenant in ("a", "b", None)]
        states = queue.tenants
        assert sum(len(state.sojourns) for state in states.values()) < queue.deleted


class TestNumbers:
    @pytest.mark.rule("SQS-FAIR-7")
    def test_quiet_numbers_leave_out_the_noisy(self) -> None:
        queue = make()
        send(queue, "n*40 q")
        receive(queue, 0, 35)
        send(queue, "n", 0, delay=100)
        send(queue, "q", 0, delay=100)
        send(queue, "r -", 4)
        queue.advance(10)
        assert queue.quiet(10) == Quiet(noisy_groups=1, visible=2, in_flight=1, delayed=1, age=10)
        assert (queue.visible, queue.in_flight, queue.delayed) == (8, 35, 2)
        assert queue.age_of_oldest(10) == 10
        receive(queue, 10, 3)
        assert queue.quiet(10)[:4] == (1, 0, 3, 1)

    def test_the_oldest_is_looked_for_among_all(self) -> None:
        queue = make(processing_window=1)
        assert queue.age_of_oldest(0) == 0
        send(queue, "-", 1)
        send(queue, "a a", 2)
        queue.delete(queue.receive(2)[0].receipt_handle, 2)
        assert queue.age_of_oldest(12) == 10
        [first] = queue.receive(12)
        queue.change_visibility(first.receipt_handle, 0, 12)
        assert queue.age_of_oldest(12) == 10
        receive(queue, 12, 2)
        assert queue.age_of_oldest(13) == 11
        queue.purge(13)
        send(queue, "a", 13)
        [only] = queue.receive(13)
        queue.change_visibility(only.receipt_handle, 0, 14)
        assert queue.age_of_oldest(15) == 2

    def test_times_are_kept_by_tenant_and_only_from_when_it_is_fair(self) -> None:
        queue = make()
        send(queue, "-")
        queue.delete(queue.receive(0)[0].receipt_handle, 1)
        send(queue, "a b -", 2)
        for now, delivery in enumerate(receive(queue, 3, 3), start=4):
            queue.delete(delivery.receipt_handle, now)
        states = queue.tenants
        assert {name: (list(state.waits), list(state.sojourns)) for name, state in states.items()} == {
            "a": ([1.0], [2.0]),
            "b": ([1.0], [3.0]),
        }

    def test_tenants_beyond_so_many_are_not_told_apart(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fairness, "MOST_LABELS", 2)
        queue = make()
        send(queue, "a b c c")
        for delivery in receive(queue, 0, 4):
            queue.delete(delivery.receipt_handle, 1)
        assert list(queue.tenants) == ["a", "b"]
        assert [len(state.sojourns) for state in queue.tenants.values()] == [1, 1]
