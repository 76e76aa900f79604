"""How large messages are, by what is declared."""

from typing import Any

import pytest

import msgsim as ms
from msgsim.errors import DeclarationError
from msgsim.study.message_sizes import ENVELOPE_BYTES, EVENT_BYTES, FIELD_BYTES, MessageSizes, chunks


@pytest.mark.rule("PRC-SQS-2")
@pytest.mark.parametrize(
    ("size", "requests"),
    [(0, 1), (1, 1), (65_535, 1), (65_536, 1), (65_537, 2), (131_072, 2), (262_144, 4), (1_048_576, 16)],
)
def test_a_payload_is_billed_by_64_kibibytes_begun(size: int, requests: int) -> None:
    assert chunks(size) == requests


def _scenario(**more: Any) -> ms.Scenario:
    return ms.Scenario(
        topics={
            "news": ms.Topic(subscriptions=[ms.Subscription(endpoint="a"), ms.Subscription(endpoint="b", raw=True)])
        },
        queues={"a": ms.Queue(redrive=ms.Redrive(to="dead", max_receive_count=2)), "b": ms.Queue(), "dead": ms.Queue()},
        traffic={"t": ms.Traffic(to="news", rate=1, body="x" * 100, **more)},
    )


def test_messages_are_as_large_as_what_reaches_them() -> None:
    sizes = MessageSizes(_scenario())
    assert [sizes.of(name) for name in ("t", "news", "b")] == [100, 100, 100]
    assert sizes.of("a") == sizes.of("dead") == sizes.delivered("news", "a") == 100 + ENVELOPE_BYTES


def test_characters_and_attributes_count_in_bytes() -> None:
    scenario = _scenario(attributes={"kind": "new", "flag": True})
    assert MessageSizes(scenario).of("t") == 100 + len("kind") + len("new") + len("flag") + len("True")
    queue = ms.Scenario(
        queues={"q": ms.Queue()}, traffic={"t": ms.Traffic(to="q", rate=1, body="ä{n}", attributes={"k": "v"})}
    )
    assert MessageSizes(queue).of("q") == 2 + FIELD_BYTES + len("k") + len("String") + len("v")


def test_sizes_that_are_given_go_before_those_declared() -> None:
    assert MessageSizes(_scenario(), 5_000).of("a") == 5_000
    sizes = MessageSizes(_scenario(), {"news": 7_000, "dead": 1})
    assert (sizes.of("t"), sizes.of("b"), sizes.of("a"), sizes.of("dead")) == (100, 7_000, 7_000 + ENVELOPE_BYTES, 1)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (-1, "^message_bytes: -1 is not allowed"),
        ("5 KB", "^message_bytes: '5 KB' is not a number"),
        ({"newz": 1}, "^message_bytes.newz: no traffic source, topic or queue named 'newz'; did you mean 'news'"),
        ({"news": float("nan")}, "^message_bytes.news: nan is not allowed"),
    ],
)
def test_what_is_no_size_is_refused(given: Any, problem: str) -> None:
    with pytest.raises(DeclarationError, match=problem):
        MessageSizes(_scenario(), given)


def test_what_workers_send_is_as_large_as_they_say() -> None:
    scenario = ms.Scenario(
        topics={
            "out": ms.Topic(
                subscriptions=[ms.Subscription(endpoint="https://x.example.com", protocol="https", redrive="lost")]
            )
        },
        queues={name: ms.Queue() for name in ("q", "same", "wrapped", "joined", "lost", "never")},
        traffic={"t": ms.Traffic(to="q", rate=1, body="x" * 100)},
        workers={
            "w": ms.Workers(
                queue="q",
                count=1,
                service_time=1,
                on_success=[
                    ms.SendMessage("same"),
                    ms.SendMessage("wrapped", body="<{body}>"),
                    ms.Publish("out"),
                    ms.Join("both", parts=["w"], then=[ms.SendMessage("joined", body="done")]),
                ],
            )
        },
    )
    sizes = MessageSizes(scenario)
    assert [sizes.of(name) for name in ("same", "wrapped", "joined", "never")] == [100, 102, 4, 0]
    assert sizes.of("lost") == 100 + ENVELOPE_BYTES


def test_events_of_emails_have_a_size() -> None:
    outbox = ms.Outbox(configuration_sets={"c": ms.ConfigurationSet(events=[ms.EventDestination(topic="events")])})
    scenario = ms.Scenario(
        topics={"events": ms.Topic(subscriptions=[ms.Subscription(endpoint="q")])},
        queues={"q": ms.Queue()},
        outboxes={"ses": outbox},
    )
    assert MessageSizes(scenario).of("q") == EVENT_BYTES + ENVELOPE_BYTES


def test_messages_that_go_round_in_envelopes_do_not_grow_for_ever() -> None:
    scenario = ms.Scenario(
        topics={"again": ms.Topic(subscriptions=[ms.Subscription(endpoint="q")])},
        queues={"q": ms.Queue()},
        traffic={"t": ms.Traffic(to="q", rate=1, body="x")},
        workers={"w": ms.Workers(queue="q", count=1, service_time=1, on_success=[ms.Publish("again")])},
    )
    assert 1 < MessageSizes(scenario).of("q") <= 1 + 4 * ENVELOPE_BYTES
