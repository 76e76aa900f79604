"""Sending to standard queues: what has no limit, and delays that end while somebody waits."""

import pytest

import msgsim as ms
from msgsim.service.account import Account
from msgsim.service.requests import call


@pytest.mark.slow
@pytest.mark.rule("SQS-SND-9")
def test_any_number_of_requests_at_one_instant_is_taken() -> None:
    account = Account()
    url = call(account, "CreateQueue", {"QueueName": "q"}, 0)["QueueUrl"]
    for _ in range(10_000):
        call(account, "SendMessage", {"QueueUrl": url, "MessageBody": "a"}, 0)
    for _ in range(10_000):
        [message] = call(account, "ReceiveMessage", {"QueueUrl": url}, 0)["Messages"]
        call(account, "DeleteMessage", {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}, 0)
    assert account.queues["q"].deleted == 10_000


@pytest.mark.rule("SQS-INF-2")
def test_what_is_not_in_flight_has_no_limit() -> None:
    queue = ms.StandardQueue(ms.Queue(max_in_flight=1), name="q")
    queue.send("a", 0)
    queue.receive(0)
    for _ in range(1_000):
        queue.send("a", 0)
        queue.send("a", 0, delay=5)
    assert queue.counts(0) == (1_000, 1, 1_000)


@pytest.mark.rule("SQS-DLY-3")
@pytest.mark.parametrize("of", ["message", "queue"])
def test_a_delay_that_ends_during_a_long_poll_ends_the_poll(of: str) -> None:
    scenario = ms.Scenario(
        queues={"q": ms.Queue(delay=5 if of == "queue" else 0)},
        workers={"w": ms.Workers(queue="q", count=1, wait_time=20, service_time=ms.Fixed(2))},
    )
    simulation = ms.Simulation(scenario)
    simulation.run(1)
    queue = simulation.queues["q"]
    queue.send("a", 1, delay=5 if of == "message" else None)
    simulation.run(5.999)
    assert queue.counts(5.999) == (0, 0, 1)
    simulation.run(6)
    assert queue.counts(6) == (0, 1, 0)
    simulation.run(20)
    assert simulation.result().samples("q", "sojourn_time").tolist() == [7]
