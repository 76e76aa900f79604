"""Events of emails come back through topics and queues to workers, who clean the list."""

import json
from typing import Any

import pytest

import msgsim as ms
from msgsim.bus.reputation import ReputationPolicy
from msgsim.engine.actions import PutSuppressedDestination
from msgsim.errors import DeclarationError

LOOP = """
horizon = 86400
[queues.due]
[queues.feedback]
[topics.events]
subscriptions = [{ endpoint = "feedback" }]
[outboxes.ses]
configuration_set = "news"
suppressed_reasons = []
[outboxes.ses.tenants.acme]
[[outboxes.ses.receivers]]
unknown_users = 0.2
complaint_rate = 0.01
[outboxes.ses.configuration_sets.news]
suppressed_reasons = ["BOUNCE", "COMPLAINT"]
events = [{ topic = "events", types = ["bounce", "complaint"] }]
[outboxes.ses.configuration_sets.off]
suppressed_reasons = []
[traffic.news]
to = "due"
groups = 200
rate = 0.1
[workers.senders]
queue = "due"
count = 2
service_time = 0.05
[[workers.senders.on_success]]
type = "send-email"
outbox = "ses"
to = "{group}@example.com"
[workers.cleaners]
queue = "feedback"
count = 1
service_time = 1
[[workers.cleaners.on_success]]
type = "put-suppressed-destination"
outbox = "ses"
"""


def loop(*changes: tuple[str, Any]) -> ms.Scenario:
    scenario = ms.Scenario.from_toml(LOOP)
    for path, value in changes:
        scenario = scenario.vary(path, value)
    return scenario


EVENTS = "outboxes.ses.configuration_sets.news.events"
ACTION = "workers.senders.on_success.0"


@pytest.mark.rule("SES-CFG-2")
class TestLoop:
    def test_every_event_comes_back_and_an_address_bounces_once(self) -> None:
        sim = ms.Simulation(loop(), seed=3, probe=ms.HOUR)
        sim.run(86_400)
        run = sim.result()
        assert run.violations == ()
        told = run.total("ses", "bounced") + run.total("ses", "complained") + run.total("ses", "suppressed")
        assert run.total("events", "published") == run.total("feedback", "sent") == told
        assert 20 < run.total("ses", "bounced") < 60
        assert run.total("ses", "suppressed") > 1_000
        listed = sim.outboxes["ses"].suppressed_destinations(86_400)
        assert len({each.address for each in listed if each.reason == "BOUNCE"}) >= run.total("ses", "bounced") - 1

    def test_a_worker_lists_what_the_service_would_not(self) -> None:
        reasons = ("outboxes.ses.configuration_sets.news.suppressed_reasons", ["COMPLAINT"])
        alone = ms.simulate(loop(reasons, (EVENTS + ".0.enabled", False)), seed=3, probe=ms.HOUR)
        cleaned = ms.simulate(
            loop(reasons, ("workers.cleaners.on_success.0.reason", "COMPLAINT")), seed=3, probe=ms.HOUR
        )
        assert alone.total("ses", "bounced") > 1_000
        assert 20 < cleaned.total("ses", "bounced") < 60

    def test_the_loop_takes_from_the_first_event_to_the_cleaned_list(self) -> None:
        run = ms.simulate(loop(), seed=3, probe=ms.HOUR)
        times = run.samples("feedback", "end_to_end_time")
        assert min(times) == pytest.approx(1.05)

    @pytest.mark.slow
    def test_run_in_two_steps_is_one_run(self) -> None:
        scenario = loop((EVENTS + ".0.delay", ms.Exponential(60)), (EVENTS + ".0.duplicate_rate", 0.2))
        whole, steps = ms.Simulation(scenario, seed=5, probe=ms.HOUR), ms.Simulation(scenario, seed=5, probe=ms.HOUR)
        whole.run(86_400)
        steps.run(30_000)
        _ = steps.outboxes["ses"].sent
        steps.run(86_400)
        first, second = whole.result(), steps.result()
        for name in first.records:
            for metric, series in first.records[name].series.items():
                assert series == second.records[name].series[metric]
        assert first.total("events", "published") > first.total("ses", "bounced") + first.total("ses", "suppressed")

    def test_messages_that_carry_no_event_fail(self) -> None:
        sim = ms.Simulation(loop(), seed=3)
        sim.queues["feedback"].send("hello", 0)
        sim.queues["feedback"].send(
            json.dumps(
                {
                    "eventType": "Bounce",
                    "bounce": {"bounceType": "Permanent", "bouncedRecipients": [{"emailAddress": "no address"}]},
                }
            ),
            0,
        )
        delivered = {"eventType": "Delivery", "delivery": {"recipients": ["ann@example.com"]}}
        sim.queues["feedback"].send(json.dumps(delivered), 0)
        sim.run(10)
        assert (sim.workers["cleaners"].failed, sim.workers["cleaners"].processed) == (2, 3)
        assert sim.outboxes["ses"].suppressed_destinations(10) == []

    def test_emails_that_events_cause_do_not_keep_one_another(self) -> None:
        scenario = loop(
            ("workers.cleaners.on_success", [ms.SendEmail("ses", to="{n}@example.com")]),
            (EVENTS, [ms.EventDestination(topic="events", types=["send"])]),
        )
        sim = ms.Simulation(scenario, seed=3)
        sim.run(60)
        run = sim.result()
        assert run.total("feedback", "sent") == run.total("ses", "accepted") > 35
        assert run.violations == ()


@pytest.mark.rule("SES-CFG-1")
@pytest.mark.rule("SES-TEN-1")
def test_an_action_names_set_tenant_and_tags() -> None:
    action = ms.SendEmail(
        "ses", to="{n}@example.com", configuration_set="off", tenant="acme", tags={"campaign": "spring"}
    )
    scenario = loop(("workers.senders.on_success", [action]))
    assert ms.Scenario.from_toml(scenario.to_toml()) == scenario
    heard: list[Any] = []
    sim = ms.Simulation(scenario, seed=1)
    sim.outboxes["ses"].on_event = lambda event, *_: heard.append(event.mail)
    sim.run(100)
    assert {(mail.configuration_set, mail.tenant, str(mail.tags)) for mail in heard} == {
        ("off", "acme", "{'campaign': 'spring'}")
    }
    assert sim.outboxes["ses"].tenants["acme"].reputation.volume == sim.outboxes["ses"].accepted > 0


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (EVENTS + ".0.topic", "evnts", r"events\.0\.topic: no topic named 'evnts'.*events"),
        (ACTION + ".configuration_set", "nws", r"0\.configuration_set: no configuration set of 'ses' named 'nws'"),
        (ACTION + ".tenant", "acne", r"0\.tenant: no tenant of 'ses' named 'acne'.*acme"),
        ("workers.cleaners.on_success.0.tenant", "acne", r"0\.tenant: no tenant of 'ses' named 'acne'"),
        ("workers.cleaners.on_success.0.outbox", "sess", r"0\.outbox: no outbox named 'sess'"),
        ("outboxes.ses.sandbox", True, r"0\.outbox: 'ses' is in the sandbox, which lets nobody suppress"),
        ("workers.cleaners.on_success.0.reason", "SPAM", r"reason: 'SPAM' is not allowed; allowed: BOUNCE, COMPLAINT"),
        (ACTION + ".tags", {"a b": "c"}, r"tags: 'a b' is not allowed; allowed: 1 to 256 letters"),
        (ACTION + ".tags", {"a": ""}, r"tags\.a: '' is not allowed"),
        (ACTION + ".tags", ["a"], r"tags: \['a'\] is not a table of names and values"),
    ],
)
def test_what_is_named_must_be_there(path: str, value: Any, problem: str) -> None:
    with pytest.raises(DeclarationError, match=problem):
        loop((path, value))


SENT = ms.EventDestination(topic="events", types=["delivery"])


class TestCircles:
    def echo(self, **outbox: Any) -> ms.Scenario:
        declared = {"configuration_set": "s", "configuration_sets": {"s": ms.ConfigurationSet(events=[SENT])}, **outbox}
        return ms.Scenario(
            queues={"q": ms.Queue()},
            topics={"events": ms.Topic(subscriptions=[ms.Subscription(endpoint="q")])},
            outboxes={"ses": ms.Outbox(**declared)},
            workers={"w": ms.Workers(queue="q", count=1, service_time=0, on_success=[ms.SendEmail("ses")])},
        )

    def test_an_email_whose_event_sends_the_next_in_no_time(self) -> None:
        with pytest.raises(DeclarationError, match=r"on_success\.0: messages of 'q' would go in a circle in no time"):
            self.echo()

    @pytest.mark.parametrize(
        "outbox",
        [
            {"max_send_rate": 5},
            {"max_24_hour_send": 100},
            {"delivery_delay": 1},
            {"configuration_set": None},
            {"configuration_sets": {"s": ms.ConfigurationSet(events=[ms.EventDestination(topic="events", delay=1)])}},
        ],
    )
    def test_what_takes_time_is_no_such_circle(self, outbox: dict[str, Any]) -> None:
        self.echo(**outbox)

    def test_a_publish_that_comes_back_in_no_time(self) -> None:
        pool = ms.Workers(queue="q", count=1, service_time=0, on_success=[ms.Publish("t")])
        for subscription, circle in (
            (ms.Subscription(endpoint="q"), True),
            (ms.Subscription(endpoint="q", delivery_delay=1), False),
            (ms.Subscription(endpoint="q", filter_policy={"a": ["b"]}), False),
        ):
            parts: dict[str, Any] = {
                "queues": {"q": ms.Queue()},
                "topics": {"t": ms.Topic(subscriptions=[subscription])},
                "workers": {"w": pool},
            }
            if circle:
                with pytest.raises(DeclarationError, match="in a circle in no time"):
                    ms.Scenario(**parts)
            else:
                ms.Scenario(**parts)


@pytest.mark.rule("SES-IDN-3")
def test_an_email_with_html_and_one_click() -> None:
    action = ms.SendEmail("ses", html="<p>{n}</p>", list_unsubscribe="https://example.com/leave?who={n}")
    sim = ms.Simulation(loop(("workers.senders.on_success", [action])), seed=1)
    sim.run(60)
    email = sim.outboxes["ses"].sent[0].email
    assert (email.html, email.list_unsubscribe) == ("<p>1</p>", ("https://example.com/leave?who=1",))
    assert email.one_click


def test_a_queue_of_events_gets_messages_without_a_group() -> None:
    assert "feedback" in loop().flows().ungrouped


def test_declarations_are_what_they_are() -> None:
    assert PutSuppressedDestination("ses").tenant is None
    assert ReputationPolicy().bounce_review == 0.05
