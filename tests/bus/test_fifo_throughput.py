"""FIFO queues: how many calls they take within a second."""

from math import nextafter
from typing import Any

import pytest

from msgsim.bus.fifo import FifoQueue
from msgsim.bus.queue import Queue
from msgsim.bus.throughput import Throughput
from msgsim.errors import RequestThrottled

HIGH: dict[str, Any] = {"deduplication_scope": "messageGroup", "fifo_throughput_limit": "perMessageGroupId"}


def make(**settings: Any) -> FifoQueue:
    return FifoQueue(Queue(fifo=True, content_based_deduplication=True, **settings), "q")


def calls(throughput: Throughput, count: int, now: float, *groups: str) -> int:
    """How many of `count` calls are taken."""
    taken = 0
    for _ in range(count):
        try:
            throughput.charge("SendMessage", now, groups)
        except RequestThrottled:
            continue
        taken += 1
    return taken


class TestUsually:
    @pytest.mark.rule("FIFO-TPS-1")
    def test_300_calls_of_each_kind_within_any_second(self) -> None:
        queue = make(throttled=True)
        for number in range(300):
            queue.send(f"m{number}", 0.5 if number else 0, group_id="g")
        with pytest.raises(RequestThrottled, match=r"^Request is throttled\."):
            queue.send("more", nextafter(1, 0), group_id="g")
        assert queue.counts(nextafter(1, 0)) == (300, 0, 0)
        queue.send("m300", 1, group_id="g")
        with pytest.raises(RequestThrottled):
            queue.send("more", 1, group_id="g")
        for _ in range(300):
            queue.receive(1)
        with pytest.raises(RequestThrottled):
            queue.receive(1)
        assert queue.receive(2) == []

    @pytest.mark.rule("FIFO-TPS-1")
    def test_deletes_have_their_own_300(self) -> None:
        queue = make(throttled=True)
        for group in "ab":
            queue.send(group, 0, group_id=group)
        first, second = (queue.receive(0)[0].receipt_handle for _ in range(2))
        for _ in range(300):
            queue.delete(first, 0)
        with pytest.raises(RequestThrottled):
            queue.delete(second, 0)
        queue.delete(second, 1)
        assert queue.deleted == 2

    @pytest.mark.rule("FIFO-TPS-1")
    @pytest.mark.rule("SQS-BAT-6")
    def test_a_batch_is_one_call(self) -> None:
        queue = make(throttled=True)
        for call in range(300):
            with queue.as_one_call("SendMessage", 0, ["g"]):
                for entry in range(10):
                    queue.send(f"m{call}.{entry}", 0, group_id="g")
        assert queue.sent == 3_000
        with pytest.raises(RequestThrottled), queue.as_one_call("SendMessage", 0, ["g"]):
            queue.send("more", 0, group_id="g")
        with pytest.raises(RequestThrottled):
            queue.send("more", 0, group_id="g")
        assert queue.sent == 3_000

    @pytest.mark.rule("FIFO-TPS-1")
    def test_off_unless_it_is_asked_for(self) -> None:
        queue = make()
        for number in range(1_000):
            queue.send(f"m{number}", 0, group_id="g")
        assert (queue.throughput, queue.sent) == (None, 1_000)

    @pytest.mark.rule("FIFO-TPS-1")
    def test_can_be_switched(self) -> None:
        queue = make()
        queue.set_attributes(0, throttled=True)
        before = queue.throughput
        assert before is not None
        assert (before.high, before.limit) == (False, 300)
        queue.set_attributes(0, visibility_timeout=5)
        assert queue.throughput is before
        queue.set_attributes(0, **HIGH)
        assert queue.throughput is not before
        queue.set_attributes(0, throttled=False)
        assert queue.throughput is None


class TestHighThroughput:
    @pytest.mark.rule("FIFO-TPS-2")
    @pytest.mark.parametrize(
        ("region", "limit"),
        [
            ("us-east-1", 70_000),
            ("us-west-2", 70_000),
            ("eu-west-1", 70_000),
            ("us-east-2", 19_000),
            ("eu-central-1", 19_000),
            ("ap-south-1", 9_000),
            ("ap-southeast-1", 9_000),
            ("ap-southeast-2", 9_000),
            ("ap-northeast-1", 9_000),
            ("eu-west-2", 4_500),
            ("sa-east-1", 4_500),
            ("eu-north-1", 2_400),
        ],
    )
    def test_a_queue_takes_what_its_region_allows(self, region: str, limit: int) -> None:
        throughput = Throughput(high=True, region=region)
        assert throughput.limit == limit
        for _ in range(limit):
            throughput.charge("ReceiveMessage", 0)
        with pytest.raises(RequestThrottled, match=f"More than {limit} calls within a second"):
            throughput.charge("ReceiveMessage", nextafter(1, 0))
        throughput.charge("ReceiveMessage", 1)

    @pytest.mark.rule("FIFO-TPS-2")
    def test_a_group_has_300(self) -> None:
        queue = make(throttled=True, **HIGH)
        for number in range(300):
            queue.send(f"m{number}", 0, group_id="g")
        with pytest.raises(RequestThrottled, match="More than 300"):
            queue.send("more", 0, group_id="g")
        queue.send("more", 0, group_id="h")
        queue.send("more", 1, group_id="g")

    @pytest.mark.rule("FIFO-TPS-3")
    def test_groups_are_hashed_to_partitions_of_300(self) -> None:
        throughput = Throughput(high=True, region="elsewhere")
        assert throughput.partitions == 8
        numbers = {group: throughput.partition(group) for group in ("a", "b", "c", "e")}
        assert numbers == {"a": 3, "b": 1, "c": 7, "e": 2}
        together = [group for group in "abcdefghijklmnop" if throughput.partition(group) == 3]
        assert together[:2] == ["a", "j"]
        assert calls(throughput, 200, 0, "a") == 200
        assert calls(throughput, 200, 0, "j") == 100
        assert calls(throughput, 200, 0, "b") == 200

    @pytest.mark.rule("FIFO-TPS-3")
    def test_a_batch_counts_once_in_each_partition(self) -> None:
        throughput = Throughput(high=True, region="elsewhere")
        assert calls(throughput, 300, 0, "a", "b", "j") == 300  # a and j share a partition
        assert calls(throughput, 1, 0, "a") == calls(throughput, 1, 0, "b") == 0
        assert calls(throughput, 300, 0, "c", "a") == 0  # refused as a whole, and not counted
        assert calls(throughput, 300, 0, "c") == 300

    @pytest.mark.rule("FIFO-TPS-3")
    def test_partitions_double_from_time_to_time_when_one_is_full(self) -> None:
        throughput = Throughput(high=True, region="elsewhere", partitions=1, growth_interval=60)
        assert calls(throughput, 301, 0, "a") == 300
        assert throughput.partitions == 2
        assert calls(throughput, 301, 1, "a") == 300
        assert throughput.partitions == 2
        seen = []
        for now in (60, 120, 180, 240):
            assert calls(throughput, 302, now, "a") == 300
            seen.append(throughput.partitions)
        assert seen == [4, 8, 8, 8]

    @pytest.mark.rule("FIFO-TPS-3")
    def test_not_beyond_what_the_region_allows(self) -> None:
        throughput = Throughput(high=True, region="sa-east-1", partitions=10, growth_interval=1)
        assert calls(throughput, 301, 0, "a") == 300
        assert throughput.partitions == 15
        assert {throughput.partition(str(number)) for number in range(1_000)} == set(range(15))
        assert calls(throughput, 301, 5, "a") == 300
        assert throughput.partitions == 15
        assert Throughput(high=True, region="sa-east-1", partitions=99).partitions == 15

    @pytest.mark.rule("FIFO-TPS-2")
    def test_a_group_has_300_while_they_double(self) -> None:
        throughput = Throughput(high=True, region="elsewhere", partitions=1)
        assert sum(calls(throughput, 301, 0, group) for group in "ab") == 300
        assert throughput.partitions == 2
        assert [calls(throughput, 10, 0.5, group) for group in "ab"] == [0, 0]
        assert [throughput.partition(group) for group in "abf"] == [1, 1, 0]
        assert [calls(throughput, 301, 1, group) for group in "af"] == [300, 300]

    @pytest.mark.rule("FIFO-TPS-4")
    def test_a_queue_that_is_refused_a_call_is_as_it_was(self) -> None:
        queue = make(throttled=True)
        queue.throughput = Throughput(high=True, region="eu-west-2", partitions=1)
        for number in range(300):
            queue.send(f"m{number}", 0, group_id="g")
        with pytest.raises(RequestThrottled):
            queue.send("more", 0, group_id="g")
        assert (queue.sent, queue.deduplicated) == (300, 0)
        queue.send("more", 1, group_id="g")
        assert queue.sent == 301
