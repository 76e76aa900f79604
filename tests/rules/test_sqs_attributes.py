"""What the counts of a queue say."""

import pytest

import msgsim as ms


@pytest.mark.rule("SQS-ATT-4")
def test_a_message_counts_in_one_state_at_a_time() -> None:
    queue = ms.StandardQueue(ms.Queue(visibility_timeout=10), name="q")
    queue.send("a", 0, delay=5)
    assert queue.counts(0) == (0, 0, 1)
    assert queue.counts(5) == (1, 0, 0)
    [delivery] = queue.receive(5)
    assert queue.counts(5) == (0, 1, 0)
    assert queue.counts(15) == (1, 0, 0)
    queue.delete(delivery.receipt_handle, 15)
    assert queue.counts(15) == (0, 0, 0)
