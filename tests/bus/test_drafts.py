"""What declarations may say of messages, before there is one."""

from functools import partial
from typing import Any

import pytest

import msgsim as ms
from msgsim.errors import DeclarationError

ALLOWED = "a text, a number, true, false, bytes, or a list of such but for bytes"


def refusal(make: Any) -> str:
    with pytest.raises(DeclarationError) as raised:
        make()
    return str(raised.value)


def traffic(**given: Any) -> ms.Traffic:
    return ms.Traffic(**{"to": "q", "rate": 1} | given)


class TestAttributes:
    @pytest.mark.parametrize("value", ["x", 1, 2.5, True, b"x", ["x", 1, None, False]])
    def test_are_what_a_queue_or_a_topic_takes(self, value: Any) -> None:
        assert traffic(attributes={"a": value}).attributes == {"a": value}
        assert ms.Publish("t", attributes={"a": value}).attributes == {"a": value}

    def test_are_kept_as_a_file_would_give_them(self) -> None:
        kept = traffic(attributes={"t": ("x", "y")}).attributes
        assert kept == {"t": ["x", "y"]}
        assert traffic(attributes=None).attributes is None
        with pytest.raises(TypeError, match="a declaration does not change"):
            kept["t"] = 1  # type: ignore[index]

    @pytest.mark.rule("SQS-SND-4")
    @pytest.mark.parametrize(
        ("given", "problem"),
        [
            ("x", ": 'x' is not a table of attributes"),
            ({1: 2}, ": 1 is not a name for a message attribute (SQS-SND-4)"),
            ({"AWS.x": 2}, ": 'AWS.x' is not a name for a message attribute (SQS-SND-4)"),
            ({"a": None}, f".a: None is not allowed; allowed: {ALLOWED} (SQS-SND-5, SNS-PUB-3)"),
            ({"a": {"x": 1}}, f".a: {{'x': 1}} is not allowed; allowed: {ALLOWED} (SQS-SND-5, SNS-PUB-3)"),
            ({"a": [b"x"]}, f".a: b'x' is not allowed; allowed: {ALLOWED} (SQS-SND-5, SNS-PUB-3)"),
            ({"a": "x\0"}, ".a: Invalid characters found: U+0000 at position 1. (SQS-SND-2)"),
            ({"a": float("inf")}, ".a: inf is not allowed; allowed: finite numbers (SQS-SND-4)"),
            ({"a": ""}, ".a: must not be empty (SQS-SND-4, SNS-PUB-3)"),
            ({"a": []}, ".a: must not be empty (SQS-SND-4, SNS-PUB-3)"),
        ],
    )
    def test_are_refused_where_they_are_declared(self, given: Any, problem: str) -> None:
        assert refusal(lambda: traffic(attributes=given)) == f"Traffic.attributes{problem}"
        assert refusal(lambda: ms.SendMessage("q", attributes=given)) == f"SendMessage.attributes{problem}"


class TestTexts:
    @pytest.mark.rule("SQS-SND-2")
    @pytest.mark.parametrize("body", ["\0", "{n}\0", "\ud800"])
    def test_have_no_character_that_is_never_sent(self, body: str) -> None:
        problem = f"Invalid characters found: U+{ord(body[-1]):04X} at position {len(body.replace('{n}', '')) - 1}."
        assert refusal(lambda: traffic(body=body)) == f"Traffic.body: {problem} (SQS-SND-2)"
        assert refusal(lambda: ms.Publish("t", body=body)) == f"Publish.body: {problem} (SQS-SND-2)"

    def test_are_not_empty(self) -> None:
        assert refusal(lambda: ms.SendMessage("q", body="")) == (
            "SendMessage.body: must not be empty (SQS-SND-1, SNS-PUB-1)"
        )

    @pytest.mark.parametrize("given", [(), ("a",), ("a", "b"), 3])
    def test_are_texts(self, given: Any) -> None:
        assert refusal(lambda: ms.SendEmail("o", subject=given)) == f"SendEmail.subject: {given!r} is not a text"
        assert refusal(lambda: ms.SendEmail("o", body=given)) == f"SendEmail.body: {given!r} is not a text"
        assert refusal(lambda: ms.SendMessage("q", body=given)) == f"SendMessage.body: {given!r} is not a text"
        assert refusal(lambda: ms.Publish("t", group_id=given)) == f"Publish.group_id: {given!r} is not a text"

    @pytest.mark.rule("SNS-PUB-2")
    def test_subjects_are_one_line_of_ascii(self) -> None:
        assert traffic(subject="Order 7 came in").subject == "Order 7 came in"
        allowed = "1 to 99 ASCII characters without line breaks, of which the first is no space"
        for subject in ("a\nb", "", " a", "é", "x" * 100):
            problem = f"{subject!r} is not allowed; allowed: {allowed} (SNS-PUB-2)"
            assert refusal(partial(traffic, subject=subject)) == f"Traffic.subject: {problem}"
            assert refusal(partial(ms.Publish, "t", subject=subject)) == f"Publish.subject: {problem}"
        assert refusal(lambda: traffic(subject=3)) == "Traffic.subject: 3 is not a text"


def bus(subscription: dict[str, Any] | None = None, **given: Any) -> ms.Scenario:
    """Traffic to a queue of 1,024 bytes, or through a topic."""
    subscribed = [ms.Subscription(endpoint="q", **subscription)] if subscription is not None else []
    return ms.Scenario(
        topics={"news": ms.Topic(subscriptions=[*subscribed, ms.Subscription(endpoint="+1 555", protocol="sms")])},
        queues={"q": ms.Queue(max_message_bytes=1_024)},
        traffic={"t": traffic(to="q" if subscription is None else "news", **given)},
    )


TOO_LONG = "1025 bytes without what its fields become, and 'q' takes up to 1024 with all attributes (SQS-SND-3)"
ELEVEN = {f"a{number}": 1 for number in range(11)}


class TestTargets:
    @pytest.mark.rule("SQS-SND-3")
    @pytest.mark.parametrize("subscription", [None, {"raw": True}, {}])
    def test_a_text_that_no_queue_can_take_is_refused(self, subscription: dict[str, Any] | None) -> None:
        bus(subscription, body="x" * 1_024)
        bus(subscription, body="{n}" + "x" * 1_024)
        assert refusal(lambda: bus(subscription, body="x" * 1_025)) == f"traffic.t.body: {TOO_LONG}"
        assert refusal(lambda: bus(subscription, body="{n}" + "é" * 512 + "x")) == f"traffic.t.body: {TOO_LONG}"

    @pytest.mark.rule("SQS-SND-3")
    def test_attributes_count_where_they_are_carried(self) -> None:
        given = {"body": "x" * 1_000, "attributes": {"abc": "x" * 20}}
        problem = TOO_LONG.replace("1025", "1029")
        bus({}, **given)
        assert refusal(lambda: bus(**given)) == f"traffic.t.body: {problem}"
        assert refusal(lambda: bus({"raw": True}, **given)) == f"traffic.t.body: {problem}"

    @pytest.mark.rule("SQS-SND-4")
    def test_a_queue_takes_ten_attributes_and_no_flag(self) -> None:
        bus({}, attributes=ELEVEN)
        bus({"raw": True}, attributes={"a": True})
        assert refusal(lambda: bus(attributes=ELEVEN)).startswith(
            "traffic.t.attributes: 'q' does not take them: a message has at most 10 attributes"
        )
        assert refusal(lambda: bus({"raw": True}, attributes=ELEVEN)) == (
            "traffic.t.attributes: 11 are too many for raw delivery to 'q'; allowed: 10 (SNS-ENV-4)"
        )
        assert "must be a text, a number, bytes or a list, not True" in refusal(lambda: bus(attributes={"a": True}))

    def test_a_queue_that_a_filter_keeps_clear_is_not_asked(self) -> None:
        policy = {"kind": ["placed"]}
        given = {"body": "x" * 1_025, "attributes": {"kind": "odd"}}
        bus({"filter_policy": policy}, **given)
        bus({"filter_policy": policy, "filter_scope": "MessageBody"}, **given)
        given["attributes"] = {"kind": "placed"}
        assert refusal(lambda: bus({"filter_policy": policy}, **given)) == f"traffic.t.body: {TOO_LONG}"

    @pytest.mark.rule("SNS-PUB-1")
    def test_a_topic_has_a_limit_of_its_own(self) -> None:
        def publishing(**given: Any) -> ms.Scenario:
            action = ms.Publish("news", **given)
            subscriptions = [ms.Subscription(endpoint="kept", filter_policy={"a": ["x"]})]
            return ms.Scenario(
                topics={"news": ms.Topic(subscriptions=subscriptions)},
                queues={"q": ms.Queue(), "kept": ms.Queue()},
                workers={"w": ms.Workers(queue="q", count=1, service_time=1, on_success=[action])},
            )

        most = "Invalid parameter: Message too long; 'news' takes up to 262144 bytes with all attributes (SNS-PUB-1)"
        publishing()
        publishing(body="x" * 262_144)
        path = "workers.w.on_success.0"
        assert refusal(lambda: publishing(body="x" * 262_145)) == f"{path}.body: {most}"
        assert refusal(lambda: publishing(attributes={"a": "x" * 262_144})) == f"{path}.attributes: {most}"

    @pytest.mark.rule("SQS-SND-3")
    def test_sends_of_workers_are_looked_at_as_well(self) -> None:
        def sending(**given: Any) -> ms.Scenario:
            return ms.Scenario(
                queues={"q": ms.Queue(max_message_bytes=1_024)},
                workers={
                    "w": ms.Workers(queue="q", count=1, service_time=1, on_success=[ms.SendMessage("q", **given)])
                },
            )

        sending()
        path = "workers.w.on_success.0"
        assert refusal(lambda: sending(body="x" * 1_025)) == f"{path}.body: {TOO_LONG}"
        large = {"a": "x" * 1_018}
        assert refusal(lambda: sending(attributes=large)) == f"{path}.attributes: {TOO_LONG}"

    def test_the_set_of_quotas_is_that_of_the_scenario(self) -> None:
        queues = {"q": ms.Queue()}
        source = {"t": traffic(body="x" * 2**20 + "x")}
        assert ms.Scenario(quotas="relaxed", queues=queues, traffic=source).queues == queues
        assert refusal(lambda: ms.Scenario(queues=queues, traffic=source)).startswith("traffic.t.body: 1048577 bytes")
