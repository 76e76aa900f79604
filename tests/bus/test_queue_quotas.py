"""Queues under relaxed quotas: what if this limit were raised?"""

from math import inf
from typing import Any

import pytest

import msgsim as ms
from msgsim.bus.fifo import FifoQueue
from msgsim.bus.queue import Queue, Redrive
from msgsim.bus.standard import StandardQueue
from msgsim.errors import DeclarationError, InvalidParameterValue
from msgsim.quotas import DELAY, MAX_MESSAGES, RETENTION, UNLIMITED

BEYOND: dict[str, Any] = {
    "visibility_timeout": 43_201,
    "delay": 901,
    "retention": 59,
    "wait_time": 21,
    "max_message_bytes": 2**20 + 1,
}


class TestDeclared:
    @pytest.mark.parametrize("name", BEYOND)
    def test_the_set_says_what_is_allowed(self, name: str) -> None:
        for published in (None, "published"):
            with pytest.raises(DeclarationError, match=rf"Queue\.{name}: .* is not allowed"):
                Queue(**{name: BEYOND[name]}, quotas=published)
        assert getattr(Queue(**{name: BEYOND[name]}, quotas="relaxed"), name) == BEYOND[name]

    def test_what_cannot_be_is_refused_in_both(self) -> None:
        for name, value in (("delay", -1), ("retention", 0), ("max_in_flight", 0), ("wait_time", inf)):
            with pytest.raises(DeclarationError, match=rf"Queue\.{name}"):
                Queue(**{name: value}, quotas="relaxed")  # type: ignore[arg-type]
        with pytest.raises(DeclarationError, match="'free' is not allowed; allowed: published, relaxed"):
            Queue(quotas="free")

    def test_limits_have_the_default_of_their_set_and_may_be_set_one_by_one(self) -> None:
        assert (Queue().max_in_flight, Queue().max_message_bytes) == (120_000, 2**20)
        relaxed = Queue(quotas="relaxed")
        assert (relaxed.max_in_flight, relaxed.max_message_bytes) == (UNLIMITED, UNLIMITED)
        assert Queue(quotas="relaxed", max_in_flight=120_000).max_in_flight == 120_000

    def test_a_queue_gets_the_set_of_its_surroundings_unless_it_has_its_own(self) -> None:
        queue = Queue(delay=5, max_in_flight=7)
        assert queue.under("published") is queue
        relaxed = queue.under("relaxed")
        assert relaxed == Queue(delay=5, max_in_flight=7, quotas="relaxed")
        assert relaxed.max_message_bytes == UNLIMITED
        assert Queue(quotas="published").under("relaxed") == Queue(quotas="published")

    def test_the_other_set_of_a_quota(self) -> None:
        assert (DELAY.under(None), DELAY.under("published")) == (DELAY, DELAY)
        assert (DELAY.under("relaxed").low, DELAY.under("relaxed").high) == (0, inf)
        assert (RETENTION.under("relaxed").low, RETENTION.under("relaxed").default) == (1, 345_600)
        assert ms.Queue is Queue


class TestLive:
    def test_calls_have_the_limits_of_the_set(self) -> None:
        queue = StandardQueue(Queue(quotas="relaxed"), "q")
        for number in range(20):
            queue.send("a", 0, delay=1_000 if number == 0 else None, attributes={f"n{k}": 1 for k in range(11)})
        assert len(queue.receive(0, 15, 50_000, wait_time=100)) == 15
        queue.purge(1)
        queue.purge(1)
        with pytest.raises(InvalidParameterValue, match="MaxNumberOfMessages"):
            queue.receive(2, 0)
        published = StandardQueue(Queue(), "q")
        with pytest.raises(InvalidParameterValue, match="a message has at most 10 attributes"):
            published.send("a", 0, attributes={f"n{k}": 1 for k in range(11)})
        with pytest.raises(InvalidParameterValue, match="DelaySeconds"):
            published.send("a", 0, delay=1_000)

    @pytest.mark.rule("SQS-VIS-3")
    def test_a_message_may_be_hidden_for_more_than_12_hours(self) -> None:
        queue = StandardQueue(Queue(quotas="relaxed"), "q")
        queue.send("a", 0)
        [delivery] = queue.receive(0)
        queue.change_visibility(delivery.receipt_handle, 100_000, 10)
        assert (queue.counts(100_009), queue.counts(100_010)) == ((0, 1, 0), (1, 0, 0))

    @pytest.mark.slow
    @pytest.mark.rule("SQS-INF-1")
    def test_any_number_may_be_in_flight(self) -> None:
        queue = StandardQueue(Queue(quotas="relaxed"), "q")
        for _ in range(120_001):
            queue.enqueue("a", None, 0, None, 0)
        queue.receive(0, 120_001)
        assert queue.counts(0) == (0, 120_001, 0)
        assert queue.receive(0) == []

    @pytest.mark.rule("FIFO-ORD-8")
    @pytest.mark.rule("FIFO-TPS-1")
    def test_a_fifo_queue_sees_all_its_groups_and_takes_all_calls(self) -> None:
        queue = FifoQueue(Queue(fifo=True, throttled=True, quotas="relaxed"), "f")
        assert queue.look_ahead == UNLIMITED
        for number in range(301):
            queue.send("a", 0, group_id="g", deduplication_id=str(number), attributes={f"n{k}": 1 for k in range(11)})
        assert queue.sent == 301

    def test_a_live_queue_may_change_its_set(self) -> None:
        queue = StandardQueue(Queue(), "q")
        with pytest.raises(DeclarationError):
            queue.set_attributes(0, delay=1_000)
        queue.set_attributes(0, delay=1_000, quotas="relaxed", max_in_flight=1)
        queue.send("a", 0)
        assert queue.next_deadline() == 1_000


class TestScenario:
    @staticmethod
    def scenario(**settings: Any) -> ms.Scenario:
        return ms.Scenario(
            queues={"q": Queue(redrive=Redrive(to="d", max_receive_count=3)), "d": Queue(quotas="published")},
            traffic={"t": ms.Traffic(to="q", rate=5)},
            workers={"w": ms.Workers(queue="q", count=1, service_time=1)},
            **settings,
        )

    def test_it_may_be_varied(self) -> None:
        published = self.scenario()
        relaxed = published.vary("quotas", "relaxed")
        assert relaxed == self.scenario(quotas="relaxed")
        assert relaxed.vary("quotas", "published") == published
        limits = [ms.Simulation(each).queues["q"].max_in_flight for each in (published, relaxed)]
        assert limits == [120_000, UNLIMITED]
        assert ms.Simulation(relaxed).queues["d"].max_in_flight == 120_000
        ms.simulate(relaxed, 10)
        with pytest.raises(DeclarationError, match="quotas: 'free' is not allowed"):
            published.vary("quotas", "free")

    def test_it_is_written_and_read(self) -> None:
        relaxed = self.scenario(quotas="relaxed")
        assert 'quotas = "relaxed"' in relaxed.to_toml()
        assert "max_in_flight" not in relaxed.to_toml()
        assert ms.Scenario.from_toml(relaxed.to_toml()) == relaxed
        one = ms.Scenario(queues={"q": Queue(quotas="relaxed", delay=1_000, max_in_flight=120_000)})
        assert "max_in_flight = 120000" in one.to_toml()
        assert ms.Scenario.from_toml(one.to_toml()) == one

    def test_what_a_file_has_beyond_the_limits_is_said_of_each_value(self) -> None:
        with pytest.raises(DeclarationError) as raised:
            ms.Scenario.from_toml("[queues.q]\ndelay = 1000\nwait_time = 30\n")
        assert "queues.q.delay: 1000 is not allowed" in str(raised.value)
        assert "queues.q.wait_time: 30 is not allowed" in str(raised.value)

    @pytest.mark.rule("SQS-RCV-1")
    def test_workers_ask_for_no_more_than_their_queue_gives(self) -> None:
        def asking(queue: Queue, quotas: str | None, **settings: Any) -> ms.Scenario:
            pool = ms.Workers(queue="q", count=1, service_time=1, quotas=quotas, **settings)
            return ms.Scenario(queues={"q": queue}, workers={"w": pool}, traffic={"t": ms.Traffic(to="q", rate=100)})

        with pytest.raises(DeclarationError, match=r"Workers\.batch_size: 50 is not allowed"):
            asking(Queue(quotas="relaxed"), None, batch_size=50)
        with pytest.raises(DeclarationError, match=r"workers\.w\.batch_size: 50 is not allowed; allowed: 1 to 10"):
            asking(Queue(), "relaxed", batch_size=50)
        with pytest.raises(DeclarationError, match=r"workers\.w\.wait_time: 60\.0 is not allowed"):
            asking(Queue(), "relaxed", wait_time=60)
        run = ms.simulate(asking(Queue(quotas="relaxed"), "relaxed", batch_size=50, wait_time=60), 10)
        assert run.total("q", "received") > 50
        assert MAX_MESSAGES.under("relaxed").high == inf
