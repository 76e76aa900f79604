"""What 100,000 deliveries cost whose endpoint never answers: 100,016 attempts each, over 23 days.

`python benchmarks/deliveries.py` publishes 100,000 messages within an hour to an endpoint that is down for good, and
looks at the books every six hours. All attempts are counted, though a delivery takes two events: its first attempt, and
its end among the dead letters. It asserts the counts, and prints CPU time.
"""

from math import inf
from time import process_time

from msgsim import DAY, HOUR, Outage, Queue, Server, StandardQueue, Subscription, Topic, TopicFanout

MESSAGES = 100_000
ATTEMPTS = 100_016
LOOKS = 6 * HOUR


def run(messages: int = MESSAGES) -> tuple[float, int]:
    """CPU time [s], and attempts half-way through."""
    dead = StandardQueue(Queue(retention=14 * DAY), "dead")
    down = Server(outages=[Outage(duration=inf)])
    failing = Subscription(endpoint="arn:function", protocol="lambda", server=down, redrive="dead")
    topic = TopicFanout(Topic(subscriptions=[failing]), "t", endpoints={"dead": dead})
    started = process_time()
    for number in range(messages):
        topic.publish("x", HOUR * number / messages)
    now, half = HOUR, 0
    while topic.next_deadline() is not None:
        now += LOOKS
        topic.advance(now)
        seen = topic.attempts
        if now <= 12 * DAY:
            half = seen
    topic.check()
    assert (topic.attempts, topic.delivery_dead_lettered) == (messages * ATTEMPTS, messages)
    assert 0.49 < half / (messages * ATTEMPTS) < 0.53
    return process_time() - started, half


if __name__ == "__main__":
    seconds, half = run()
    print(
        f"{MESSAGES:,} deliveries, {MESSAGES * ATTEMPTS:,} attempts ({half:,} of them by day 12): {seconds:.1f} s CPU"
    )
