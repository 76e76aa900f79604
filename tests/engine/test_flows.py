"""Which queues messages with and without groups can reach."""

from typing import Any

import msgsim as ms


def reached(**settings: Any) -> tuple[str, str]:
    """The queues `a` to `e` that messages with a group can reach, and those without."""
    declared = {name: ms.Queue() for name in "abcde"} | settings.pop("queues", {})
    topics = {"t": ms.Topic(subscriptions=settings.pop("subscriptions", ()))}
    flows = ms.Scenario(topics=topics, queues=declared, outboxes={"ses": ms.Outbox()}, **settings).flows()
    return "".join(sorted(flows.grouped)), "".join(sorted(flows.ungrouped))


def pool(queue: str, *actions: Any) -> ms.Workers:
    return ms.Workers(queue=queue, count=1, service_time=1, on_success=actions)


def test_traffic_reaches_its_queue() -> None:
    assert reached() == ("", "")
    assert reached(traffic={"s": ms.Traffic(to="a", rate=1)}) == ("", "a")
    assert reached(traffic={"s": ms.Traffic(to="a", rate=1, groups=3)}) == ("a", "")


def test_topics_reach_the_queues_that_are_subscribed() -> None:
    subscriptions = (
        ms.Subscription(endpoint="a"),
        ms.Subscription(endpoint="c"),
        ms.Subscription(endpoint="ada@example.com", protocol="email"),
    )
    assert reached(traffic={"s": ms.Traffic(to="t", rate=1, groups=3)}, subscriptions=subscriptions) == ("ac", "")


def test_dead_letters_keep_what_they_have() -> None:
    queues = {
        "a": ms.Queue(redrive=ms.Redrive(to="b", max_receive_count=1)),
        "b": ms.Queue(redrive=ms.Redrive(to="c", max_receive_count=1)),
    }
    assert reached(queues=queues, traffic={"s": ms.Traffic(to="a", rate=1, groups=3)}) == ("abc", "")


def test_workers_pass_a_group_on_or_give_one() -> None:
    workers = {"w": pool("a", ms.SendMessage("b"), ms.SendMessage("c", group_id="{n}"), ms.SendEmail("ses"))}
    assert reached(workers=workers, traffic={"s": ms.Traffic(to="a", rate=1)}) == ("c", "ab")
    assert reached(workers=workers, traffic={"s": ms.Traffic(to="a", rate=1, groups=3)}) == ("abc", "")


def test_workers_publish_and_joins_are_followed_and_circles_end() -> None:
    join = ms.Join("all", parts=["w"], then=[ms.Publish("t", group_id="all"), ms.SendMessage("e")])
    workers = {"w": pool("a", join), "v": pool("b", ms.SendMessage("a"))}
    subscriptions = (ms.Subscription(endpoint="b"),)
    traffic = {"s": ms.Traffic(to="a", rate=1)}
    assert reached(workers=workers, subscriptions=subscriptions, traffic=traffic) == ("abe", "ae")


def test_what_nothing_reaches_passes_nothing_on() -> None:
    assert reached(workers={"w": pool("d", ms.SendMessage("e"))}) == ("", "")
