"""Emails of workers that a template of the outbox makes: filled, or lost."""

import json
from typing import Any

import pytest

import msgsim as ms
from msgsim.errors import DeclarationError

SHOP = """
horizon = 100
[queues.orders]
[queues.feedback]
[topics.events]
subscriptions = [{ endpoint = "feedback", raw = true }]
[outboxes.ses]
configuration_set = "news"
[outboxes.ses.templates.thanks]
subject = "Order {{order.number}}"
text = "Dear {{name}}: {{#each order.lines}}{{this}}, {{/each}}{{total}}"
html = "<p>{{name}}</p>"
[outboxes.ses.templates.broken]
text = "{{ghost}}"
[outboxes.ses.configuration_sets.news]
events = [{ topic = "events", types = ["rendering-failure"] }]
[outboxes.ses.configuration_sets.silent]
[traffic.shop]
to = "orders"
rate = 1
process = "regular"
attributes = { name = "A & B" }
[workers.mailers]
queue = "orders"
count = 1
service_time = 0.1
[[workers.mailers.on_success]]
type = "send-email"
outbox = "ses"
to = "ann@example.org"
template = "thanks"
data = { name = "{attributes[name]}", total = 9.5, order = { number = "{n}", lines = ["{n} pens", true] } }
"""
ACTION = "workers.mailers.on_success.0"


def shop(**changes: Any) -> ms.Scenario:
    scenario = ms.Scenario.from_toml(SHOP)
    for name, value in changes.items():
        scenario = scenario.vary(f"{ACTION}.{name}", value)
    return scenario


@pytest.mark.rule("SES-SND-6")
class TestRuns:
    def test_each_email_has_what_its_message_says(self) -> None:
        sim = ms.Simulation(shop(), seed=1)
        sim.run(10.5)
        first = sim.outboxes["ses"].sent[0].email
        assert (first.subject, first.body) == ("Order 1", "Dear A & B: 1 pens, true, 9.5")
        assert first.html == "<p>A &amp; B</p>"
        run = sim.result()
        assert run.violations == ()
        assert run.total("ses", "delivered") == run.total("ses", "accepted") > 5
        assert run.total("ses", "rendering_failed") == 0

    @pytest.mark.parametrize("sandbox", [False, True])
    def test_what_cannot_be_filled_is_accepted_and_told(self, sandbox: bool) -> None:
        scenario = shop(template="broken").vary("outboxes.ses.sandbox", sandbox)
        sim = ms.Simulation(scenario.vary("outboxes.ses.verified", ["example.org"]), seed=1)
        sim.run(10.5)
        run = sim.result()
        accepted = run.total("ses", "accepted")
        assert run.total("ses", "rendering_failed") == run.total("events", "published") == accepted > 5
        assert run.total("ses", "delivered") == 0
        assert len(sim.outboxes["ses"].sent) == 0
        [delivery] = sim.queues["feedback"].receive(10.5)
        told = json.loads(delivery.body)
        assert told["eventType"] == "Rendering Failure"
        assert told["failure"] == {
            "errorMessage": "Attribute 'ghost' is not present in the rendering data.",
            "templateName": "broken",
        }
        assert told["mail"]["destination"] == ["ann@example.org"]
        assert told["mail"]["commonHeaders"]["to"] == ["ann@example.org"]

    def test_without_a_destination_it_is_lost_in_silence(self) -> None:
        run = ms.simulate(shop(template="broken", configuration_set="silent"), seed=1)
        assert run.total("events", "published") == 0
        assert run.total("ses", "rendering_failed") == run.total("ses", "accepted") > 50


class TestScenario:
    def test_it_is_the_same_from_a_file(self) -> None:
        scenario = shop()
        again = ms.Scenario.from_toml(scenario.to_toml())
        assert again == scenario
        assert again.outboxes["ses"].templates["thanks"].html == "<p>{{name}}</p>"

    def test_templates_are_found_by_name(self) -> None:
        with pytest.raises(
            DeclarationError, match=r"on_success\.0\.template: no template of 'ses' named 'thank'.*thanks"
        ):
            shop(template="thank")

    @pytest.mark.parametrize(
        ("given", "problem"),
        [
            ({"data": {}}, r"^SendEmail\.data: there is no template"),
            ({"template": "t", "subject": "Hi"}, r"^SendEmail\.subject: 'Hi' is not allowed with a template"),
            ({"template": "t", "html": "<p>"}, r"^SendEmail\.html: '<p>' is not allowed with a template"),
            ({"template": ""}, r"^SendEmail\.template: must not be empty"),
            ({"template": "t", "data": 3}, r"^SendEmail\.data: 3 is not a table"),
            ({"template": "t", "data": {1: "a"}}, r"^SendEmail\.data: 1 is not a name"),
            ({"template": "t", "data": {"a": ["{x}"]}}, r"^SendEmail\.data\.a\.0: no field named '\{x\}'"),
            ({"template": "t", "data": {"a": None}}, r"^SendEmail\.data\.a: None is not a text, number"),
            ({"template": "t", "data": {"a": float("nan")}}, r"^SendEmail\.data\.a: nan is not a text, number"),
        ],
    )
    def test_what_cannot_be(self, given: dict[str, Any], problem: str) -> None:
        with pytest.raises(DeclarationError, match=problem):
            ms.SendEmail("ses", **given)

    def test_data_without_end(self) -> None:
        endless: list[Any] = []
        endless.append(endless)
        with pytest.raises(DeclarationError, match="stand in one another; allowed: 20 deep"):
            ms.SendEmail("ses", template="t", data={"a": endless})

    @pytest.mark.parametrize(("types", "refused"), [(["rendering-failure", "send"], True), (["send"], False)])
    def test_emails_that_send_themselves(self, types: list[str], refused: bool) -> None:
        path = "outboxes.ses.configuration_sets.news.events.0.types"
        scenario = ms.Scenario.from_toml(SHOP.replace('queue = "orders"', 'queue = "feedback"'))
        scenario = scenario.vary("workers.mailers.service_time", ms.Fixed(0.0))
        if refused:
            with pytest.raises(DeclarationError, match="in a circle"):
                scenario.vary(path, types)
        else:
            scenario.vary(path, types)
