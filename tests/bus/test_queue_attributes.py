"""Live queues: attributes that change, and when they come into force."""

from math import inf, nextafter
from random import Random
from typing import Any

import pytest

from msgsim.bus.attributes import Change, Changes, parts
from msgsim.bus.fifo import FifoQueue
from msgsim.bus.queue import LiveQueue, Queue, Redrive, RedriveAllow
from msgsim.bus.standard import StandardQueue
from msgsim.errors import DeclarationError, InvalidParameterValue, TimeRanBackwards, UnknownName


def make(**settings: Any) -> StandardQueue:
    return StandardQueue(Queue(**settings), "q")


class TestDeclared:
    @pytest.mark.rule("SQS-DLQ-6")
    def test_who_may_name_a_dead_letter_queue(self) -> None:
        with pytest.raises(DeclarationError, match="names queues with permission 'byQueue', and only then"):
            RedriveAllow(permission="byQueue")
        with pytest.raises(DeclarationError, match="names queues with permission 'byQueue', and only then"):
            RedriveAllow(sources=["a"])
        ten = [str(number) for number in range(10)]
        assert RedriveAllow(permission="byQueue", sources=ten).allows("9")
        with pytest.raises(DeclarationError, match=r"11 are too many; allowed: at most 10 \(SQS-DLQ-6\)"):
            RedriveAllow(permission="byQueue", sources=[*ten, "10"])

    @pytest.mark.parametrize("name", ["sampled", "duplicates", "disorder"])
    def test_a_fifo_queue_leaves_nothing_to_chance(self, name: str) -> None:
        with pytest.raises(DeclarationError, match=rf"Queue\.{name}: is for standard queues only"):
            Queue(fifo=True, **{name: 0.5})  # type: ignore[arg-type]
        with pytest.raises(DeclarationError, match=r"Queue\.old_handle: is for standard queues only"):
            Queue(fifo=True, old_handle="deletes")

    @pytest.mark.rule("FIFO-TPS-2")
    def test_high_throughput_needs_ids_that_count_within_a_group(self) -> None:
        with pytest.raises(DeclarationError, match=r"needs deduplication_scope='messageGroup' \(FIFO-TPS-2\)"):
            Queue(fifo=True, fifo_throughput_limit="perMessageGroupId")
        assert Queue(fifo=True, fifo_throughput_limit="perMessageGroupId", deduplication_scope="messageGroup").fifo


class TestWhatCanChange:
    @pytest.mark.rule("SQS-ATT-2")
    def test_attributes_change_at_once_unless_a_lag_says_otherwise(self) -> None:
        queue = make()
        queue.set_attributes(5, visibility_timeout=7, max_message_bytes=1_024)
        assert queue.declaration == Queue(visibility_timeout=7, max_message_bytes=1_024)
        assert queue.intended == queue.declaration
        queue.send("a", 5)
        queue.receive(5)
        assert (queue.counts(nextafter(12, -inf)), queue.counts(12)) == ((0, 1, 0), (1, 0, 0))
        with pytest.raises(InvalidParameterValue, match="1024"):
            queue.send("a" * 1_025, 12)

    def test_nothing_is_half_applied(self) -> None:
        queue = make()
        with pytest.raises(DeclarationError, match=r"Queue\.delay: 901\.0 is not allowed"):
            queue.set_attributes(0, visibility_timeout=7, delay=901)
        with pytest.raises(UnknownName, match="did you mean 'delay'"):
            queue.set_attributes(0, visibility_timeout=7, delya=1)
        assert (queue.declaration, queue.visibility_timeout) == (Queue(), 30)

    def test_no_change_is_allowed(self) -> None:
        queue = make()
        queue.set_attributes(0)
        assert (queue.declaration, queue.change_due) == (Queue(), inf)

    @pytest.mark.rule("SQS-Q-7")
    def test_a_queue_stays_of_its_type(self) -> None:
        queue = make()
        with pytest.raises(InvalidParameterValue) as raised:
            queue.set_attributes(0, fifo=True)
        assert str(raised.value) == (
            "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported."
        )
        queue.set_attributes(0, fifo=False, delay=1)
        assert queue.delay == 1

    def test_time_does_not_run_backwards(self) -> None:
        queue = make()
        queue.counts(5)
        with pytest.raises(TimeRanBackwards):
            queue.set_attributes(4, delay=1)

    def test_a_raised_limit_in_flight_lets_waiting_receivers_know(self) -> None:
        queue = make(max_in_flight=1)
        queue.send("a", 0)
        queue.send("b", 0)
        queue.receive(0)
        assert queue.receive(0, wait_time=20) == []
        assert queue.limited
        heard: list[float] = []
        queue.on_change = lambda: heard.append(queue.in_flight)
        queue.set_attributes(1, max_in_flight=2)
        assert heard
        assert not queue.limited
        assert [delivery.body for delivery in queue.receive(1)] == ["b"]

    @pytest.mark.rule("FIFO-DUP-5")
    def test_the_scope_of_deduplication_changes_in_name_only(self) -> None:
        queue = FifoQueue(Queue(fifo=True), "f")
        queue.send("a", 0, group_id="g", deduplication_id="x")
        queue.set_attributes(1, deduplication_scope="messageGroup")
        assert queue.declaration.deduplication_scope == "messageGroup"
        queue.send("a", 2, group_id="h", deduplication_id="x")
        queue.send("a", 2, group_id="g", deduplication_id="y")
        queue.send("a", 2, group_id="h", deduplication_id="y")
        assert (queue.sent, queue.deduplicated) == (2, 2)

    @pytest.mark.rule("FIFO-DUP-7")
    def test_content_based_deduplication_can_be_switched(self) -> None:
        queue = FifoQueue(Queue(fifo=True), "f")
        with pytest.raises(InvalidParameterValue, match="ContentBasedDeduplication"):
            queue.send("Test", 0, group_id="g")
        queue.set_attributes(0, content_based_deduplication=True)
        queue.send("Test", 1, group_id="g")
        hashed = "532eaabd9574880dbf76b9b8cc00832c20a6ec113d682299550d7a6e0f345e25"
        queue.send("other", 2, group_id="g", deduplication_id=hashed)
        assert (queue.sent, queue.deduplicated) == (1, 1)
        queue.set_attributes(3, content_based_deduplication=False)
        with pytest.raises(InvalidParameterValue, match="ContentBasedDeduplication"):
            queue.send("Test", 3, group_id="g")


class TestLag:
    @pytest.mark.rule("SQS-ATT-2")
    def test_changes_are_in_force_when_their_lag_is_over(self) -> None:
        queue = make(attribute_lag=60, retention_lag=900)
        queue.send("a", 0)
        queue.set_attributes(10, visibility_timeout=5, retention=1_000)
        assert (queue.intended.visibility_timeout, queue.intended.retention) == (5, 1_000)
        assert queue.declaration == Queue(attribute_lag=60, retention_lag=900)
        assert queue.next_deadline() == 70
        queue.advance(nextafter(70, -inf))
        assert (queue.visibility_timeout, queue.change_due) == (30, 70)
        queue.advance(70)
        assert (queue.visibility_timeout, queue.declaration.retention) == (5, 345_600)
        assert queue.next_deadline() == 910
        queue.advance(910)
        assert queue.declaration == queue.intended
        assert (queue.counts(1_000), queue.counts(nextafter(1_000, inf))) == ((1, 0, 0), (0, 0, 0))

    def test_an_empty_queue_has_them_as_its_next_deadline(self) -> None:
        queue = make(attribute_lag=60)
        assert queue.next_deadline() is None
        queue.set_attributes(0, delay=1)
        assert queue.next_deadline() == 60
        queue.advance(60)
        assert queue.next_deadline() is None

    def test_they_come_in_the_order_in_which_they_were_asked_for(self) -> None:
        queue = make(attribute_lag=60)
        queue.set_attributes(0, delay=1, attribute_lag=0)
        queue.set_attributes(10, delay=2)
        queue.set_attributes(20, delay=3)
        queue.advance(60)
        assert (queue.delay, queue.declaration.attribute_lag) == (1, 0)
        queue.set_attributes(61, delay=4)  # without a lag by now, but behind the others
        assert (queue.delay, queue.change_due) == (1, 70)
        queue.advance(70)
        assert (queue.delay, queue.change_due) == (2, 80)
        queue.advance(80)
        assert (queue.delay, queue.change_due, queue.delaying) == (4, inf, True)

    def test_a_deadline_in_between_sees_what_was_in_force_then(self) -> None:
        queue = make(retention=150, retention_lag=100)
        for at in (0, 100, 160):
            queue.send(str(at), at)
        queue.set_attributes(160, retention=60)
        queue.advance(500)
        queue.check(500)
        assert queue.expired == 3
        assert queue.integrals(500) == (150 + 150 + 100, 0, 0)

    def test_whoever_drives_the_queue_hears_of_the_time(self) -> None:
        queue = make(attribute_lag=60)
        times: list[float] = []
        queue.on_lag = lambda: times.append(queue.change_due)
        queue.set_attributes(0, delay=1)
        queue.set_attributes(5, delay=2)
        assert times == [60, 60]
        queue = make()
        queue.on_lag = lambda: times.append(queue.change_due)
        queue.set_attributes(0, delay=1)
        assert times == [60, 60]

    def test_renewing_what_is_due_keeps_them(self) -> None:
        queue = make(attribute_lag=60)
        queue.set_attributes(0, delay=1)
        queue.renew_due()
        assert queue.due == 60

    def test_the_hot_path_sees_them_in_time(self) -> None:
        queue = make(attribute_lag=60)
        queue.set_attributes(0, delay=5)
        queue.enqueue("a", None, 59, None, 59)
        queue.enqueue("b", None, 60, None, 60)
        assert queue.counts(60) == (1, 0, 1)
        queue.set_attributes(60, delay=0, attribute_lag=0)
        queue.advance(120)
        assert not queue.delaying
        queue.enqueue("c", None, 120, None, 120)
        assert queue.counts(120) == (3, 0, 0)


class TestRetention:
    @pytest.mark.rule("SQS-ATT-2")
    @pytest.mark.parametrize("old", [False, True])
    def test_a_reduced_one_is_for_the_messages_that_are_there_at_once(self, old: bool) -> None:
        queue = make(retention=200)
        for at in (0, 50, 90):
            queue.send(str(at), at)
        queue.advance(120 if old else 90)
        queue.receive(120, 1)
        queue.set_attributes(130, retention=60)
        assert queue.expired == 2
        assert queue.counts(130) == (1, 0, 0)
        assert queue.integrals(130) == (240, 10, 0)
        queue.check(130)
        assert (queue.counts(150), queue.counts(nextafter(150, inf))) == ((1, 0, 0), (0, 0, 0))

    def test_a_longer_one_is_for_them_too(self) -> None:
        queue = make(retention=60)
        queue.send("a", 0)
        queue.advance(59)
        queue.set_attributes(59, retention=100)
        assert (queue.counts(100), queue.counts(nextafter(100, inf))) == ((1, 0, 0), (0, 0, 0))


class TestDelay:
    @pytest.mark.rule("SQS-DLY-2")
    def test_v7_a_standard_queue_keeps_the_delay_of_what_was_sent(self) -> None:
        queue = make(delay=60)
        queue.send("a", 0)
        queue.set_attributes(5, delay=0)
        queue.send("b", 5)
        assert (queue.counts(5), queue.counts(nextafter(60, -inf)), queue.counts(60)) == (
            (1, 0, 1),
            (1, 0, 1),
            (2, 0, 0),
        )

    @pytest.mark.rule("SQS-DLY-2")
    def test_v7_a_fifo_queue_delays_what_is_waiting_anew(self) -> None:
        queue = FifoQueue(Queue(fifo=True, delay=60), "f")
        queue.send("a", 0, group_id="g", deduplication_id="1")
        queue.set_attributes(5, delay=0)
        assert queue.counts(5) == (1, 0, 0)
        queue.set_attributes(5, delay=10)
        queue.send("b", 5, group_id="h", deduplication_id="2")
        queue.set_attributes(6, delay=100)
        assert (queue.counts(nextafter(105, -inf)), queue.counts(105)) == ((1, 0, 1), (2, 0, 0))


class TestRedrive:
    def test_a_new_policy_is_for_the_next_receives(self) -> None:
        queue, dead = make(visibility_timeout=0), StandardQueue(Queue(), "dead")
        queue.send("a", 0)
        for _ in range(3):
            queue.receive(0)
        queue.set_attributes(1, redrive=Redrive(to="dead", max_receive_count=3), dead_letter_queue=dead)
        assert (queue.counts(1), dead.counts(1)) == ((1, 0, 0), (0, 0, 0))
        assert queue.receive(1) == []
        assert dead.counts(1) == (1, 0, 0)
        assert dead.sources() == [queue]

    def test_it_can_be_removed_and_the_count_be_raised(self) -> None:
        dead = StandardQueue(Queue(), "dead")
        redrive = Redrive(to="dead", max_receive_count=1)
        queue = StandardQueue(Queue(visibility_timeout=0, redrive=redrive), "q", dead_letter_queue=dead)
        queue.send("a", 0)
        queue.receive(0)
        queue.set_attributes(0, redrive=Redrive(to="dead", max_receive_count=2))
        assert len(queue.receive(0)) == 1
        queue.set_attributes(0, redrive=None)
        assert len(queue.receive(0)) == 1
        assert (queue.dead_letter_queue, queue.max_receive_count, dead.sources()) == (None, inf, [])

    def test_dead_letters_that_came_before_it_count_their_receives(self) -> None:
        pit, dead = StandardQueue(Queue(), "pit"), StandardQueue(Queue(visibility_timeout=0), "dead")
        redrive = Redrive(to="dead", max_receive_count=1)
        queue = StandardQueue(Queue(visibility_timeout=0, redrive=redrive), "q", dead_letter_queue=dead)
        queue.send("a", 0)
        queue.receive(0)
        queue.receive(0)
        dead.set_attributes(0, redrive=Redrive(to="pit", max_receive_count=1), dead_letter_queue=pit)
        assert dead.receive(0) == []
        assert pit.counts(0) == (1, 0, 0)

    def test_it_needs_the_live_queue(self) -> None:
        queue, dead = make(), StandardQueue(Queue(), "dead")
        with pytest.raises(DeclarationError, match="needs the live queue 'dead'"):
            queue.set_attributes(0, redrive=Redrive(to="dead", max_receive_count=1))
        queue.set_attributes(0, redrive=Redrive(to="dead", max_receive_count=1), dead_letter_queue=dead)
        with pytest.raises(DeclarationError, match="needs the live queue 'other'"):
            queue.set_attributes(0, redrive=Redrive(to="other", max_receive_count=1))
        with pytest.raises(DeclarationError, match="is None"):
            queue.set_attributes(0, redrive=None, dead_letter_queue=dead)
        other = StandardQueue(Queue(), "dead")
        queue.set_attributes(0, dead_letter_queue=other)
        assert queue.dead_letter_queue is other

    def test_a_target_on_its_way_is_known(self) -> None:
        queue, dead = make(attribute_lag=60), StandardQueue(Queue(), "dead")
        queue.set_attributes(0, redrive=Redrive(to="dead", max_receive_count=1), dead_letter_queue=dead)
        assert queue.dead_letter_queue is None
        queue.set_attributes(1, redrive=Redrive(to="dead", max_receive_count=2))
        queue.advance(61)
        assert (queue.dead_letter_queue, queue.max_receive_count) == (dead, 2)

    @pytest.mark.rule("SQS-DLQ-2")
    def test_the_other_type_is_refused(self) -> None:
        fifo, standard = FifoQueue(Queue(fifo=True), "f"), make()
        redrive = Redrive(to="x", max_receive_count=1)
        with pytest.raises(DeclarationError, match=r"of a standard queue must be one, too, .* \(SQS-DLQ-2\)"):
            standard.set_attributes(0, redrive=redrive, dead_letter_queue=fifo)  # type: ignore[arg-type]
        with pytest.raises(DeclarationError, match=r"of a FIFO queue must be one, too, .* \(SQS-DLQ-2\)"):
            FifoQueue(Queue(fifo=True, redrive=redrive), "g", dead_letter_queue=standard)  # type: ignore[arg-type]

    def test_circles_are_refused(self) -> None:
        a, b = make(), StandardQueue(Queue(), "b")
        a.set_attributes(0, redrive=Redrive(to="b", max_receive_count=1), dead_letter_queue=b)
        with pytest.raises(DeclarationError, match="dead letters of 'b' would go in a circle"):
            b.set_attributes(0, redrive=Redrive(to="q", max_receive_count=1), dead_letter_queue=a)

    @pytest.mark.rule("SQS-DLQ-6")
    @pytest.mark.parametrize(
        ("allow", "allowed"),
        [
            (None, True),
            (RedriveAllow(), True),
            (RedriveAllow(permission="denyAll"), False),
            (RedriveAllow(permission="byQueue", sources=["p", "q"]), True),
            (RedriveAllow(permission="byQueue", sources=["p"]), False),
        ],
    )
    def test_a_dead_letter_queue_says_who_may_name_it(self, allow: RedriveAllow | None, allowed: bool) -> None:
        dead = StandardQueue(Queue(redrive_allow=allow), "dead")
        redrive = Redrive(to="dead", max_receive_count=1)
        queue = make()

        def change() -> LiveQueue:
            queue.set_attributes(0, redrive=redrive, dead_letter_queue=dead)
            return queue

        for attempt in (change, lambda: StandardQueue(Queue(redrive=redrive), "q", dead_letter_queue=dead)):
            if allowed:
                assert attempt().dead_letter_queue is dead
            else:
                with pytest.raises(DeclarationError, match=r"does not allow 'q' to name it \(SQS-DLQ-6\)"):
                    attempt()


class TestDriver:
    def test_whoever_drives_the_queue_may_refuse_a_change(self) -> None:
        queue = make()

        def refuse(intended: Queue, target: LiveQueue | None) -> None:
            assert (intended.delay, target) == (1, None)
            raise DeclarationError("q", "not now")

        queue.on_redeclare = refuse
        with pytest.raises(DeclarationError, match="not now"):
            queue.set_attributes(0, delay=1)
        assert queue.intended == Queue()

    def test_on_change_is_called(self) -> None:
        queue = make()
        heard: list[bool] = []
        queue.on_change = lambda: heard.append(True)
        queue.set_attributes(0, delay=1)
        assert heard == [True]


class TestChance:
    def test_a_probability_needs_chance(self) -> None:
        for name in ("duplicates", "disorder", "sampled"):
            with pytest.raises(DeclarationError, match=rf"Queue\.{name}: 0\.5 needs chance"):
                make(**{name: 0.5})
            with pytest.raises(DeclarationError, match=rf"Queue\.{name}: 0\.5 needs chance"):
                make().set_attributes(0, **{name: 0.5})

    def test_it_can_be_switched_on_and_off(self) -> None:
        queue = StandardQueue(Queue(), "q", rng=Random(1))
        queue.send("a", 0)
        queue.set_attributes(0, duplicates=1)
        queue.receive(0)
        assert len(queue.receive(0)) == 1
        queue.receive(30)
        queue.set_attributes(30, disorder=0.5)  # what was to be delivered again still is
        assert len(queue.receive(30)) == 1
        queue.set_attributes(31, disorder=0, duplicates=0)
        assert (queue.receive(31), queue.duplicate_work) == ([], 2)


class TestChanges:
    def test_each_kind_has_its_line(self) -> None:
        changes = Changes()
        assert not changes
        changes.add(Change(9, {"retention": 60}, None))
        changes.add(Change(5, {"delay": 1}, "x"))
        changes.add(Change(4, {"delay": 2}, "y"))
        assert (changes.due, bool(changes)) == (5, True)
        assert (changes.latest("delay", "now"), changes.latest("redrive", "now")) == ("y", "now")
        assert [changes.pop().at for _ in range(3)] == [5, 5, 9]
        changes.add(Change(1, {"delay": 1}, None))
        changes.clear()
        assert changes.due == inf

    def test_the_retention_goes_apart(self) -> None:
        assert parts({"delay": 1, "retention": 2, "wait_time": 3}) == [{"delay": 1, "wait_time": 3}, {"retention": 2}]
        assert (parts({"delay": 1}), parts({"retention": 2}), parts({})) == ([{"delay": 1}], [{"retention": 2}], [])
