"""What a run costs: counted against hand-made bills."""

import json
import math
from pathlib import Path
from typing import Any

import attrs
import pytest

import msgsim as ms
from msgsim.errors import DeclarationError, UnknownName
from msgsim.study.billed import MONTH, batch_units, worker_hours
from msgsim.study.costs import Ledger, ledger, monthly_cost
from msgsim.study.prices import Tier, load_prices


def _queue(queue: ms.Queue | None = None, *, until: float = 100.0, body: str = "x", **more: Any) -> ms.Scenario:
    traffic = {key: more.pop(key) for key in ("rate", "groups", "resend") if key in more}
    return ms.Scenario(
        horizon=until,
        queues={"q": queue or ms.Queue()},
        traffic={"t": ms.Traffic(**({"to": "q", "rate": 1.0, "process": "regular", "body": body} | traffic))},
        workers={"w": ms.Workers(**({"queue": "q", "count": 1, "service_time": 0.1} | more))},
    )


def _bill(scenario: ms.Scenario, **more: Any) -> Ledger:
    return ledger(ms.simulate(scenario, seed=1), **more)


def _units(bill: Ledger, entity: str = "*") -> dict[str, float]:
    return {line.kind: line.units for line in bill.of(entity)}


@pytest.mark.rule("PRC-SQS-2")
def test_a_message_of_a_mebibyte_takes_33_requests() -> None:
    """V-27."""
    once = _queue(body="x" * 1_048_576, rate=ms.Steps([(0, 0.0), (0.5, 1.0), (1.5, 0.0)]), until=20.0, batch_size=1)
    run = ms.simulate(once, seed=1)
    assert run.total("q", "deleted") == 1
    units = _units(ledger(run))
    assert (units["send"], units["receive"], units["delete"]) == (16, 16, 1)
    assert sum(units.values()) - units.get("empty receive", 0) == 33


@pytest.mark.rule("PRC-SQS-2")
def test_every_call_is_a_request_empty_ones_too() -> None:
    run = ms.simulate(_queue(wait_time=0, poll_interval=0.25), seed=1)
    bill = ledger(run)
    assert _units(bill) == {
        "send": run.total("t", "arrivals"),
        "receive": run.total("q", "receives"),
        "delete": run.total("q", "deleted"),
        "empty receive": run.total("q", "empty_receives"),
    }
    assert bill.total == pytest.approx(0.4e-6 * sum(_units(bill).values()))


@pytest.mark.parametrize(
    ("receives", "received", "size", "units"),
    [
        (0, 0, 1, 0),
        (10, 10, 65_537, 20),
        (10, 100, 1_000, 10),
        (10, 100, 65_536, 100),
        (10, 25, 40_000, 20),  # 5 of 2 (80,000 bytes: 2 requests) and 5 of 3 (120,000 bytes: 2 requests)
        (4, 10, 30_000, 6),  # 2 of 2 (60,000 bytes: 1 request) and 2 of 3 (90,000 bytes: 2 requests)
    ],
)
@pytest.mark.rule("PRC-SQS-2")
def test_what_a_receive_brings_is_one_payload(receives: int, received: int, size: int, units: float) -> None:
    assert batch_units(receives, received, size) == pytest.approx(units)


def test_a_bigger_payload_costs_more_only_where_it_is_carried() -> None:
    small, large = (_units(_bill(_queue(batch_size=1), message_bytes=size)) for size in (65_536, 65_537))
    assert large["send"] == 2 * small["send"]
    assert large["receive"] == 2 * small["receive"]
    assert large["delete"] == small["delete"]


def test_sends_are_billed_by_the_size_of_each_source() -> None:
    scenario = _queue(body="x" * 70_000)
    scenario = attrs.evolve(
        scenario, traffic={**scenario.traffic, "u": ms.Traffic(to="q", rate=1, process="regular", body="small")}
    )
    run = ms.simulate(scenario, seed=1)
    assert _units(ledger(run))["send"] == 2 * run.total("t", "arrivals") + run.total("u", "arrivals")


def test_heartbeats_and_batches_of_deletes_are_calls() -> None:
    slow = {"service_time": 0.5, "heartbeat": 0.3, "batch_size": 4, "delete": "batch"}
    run = ms.simulate(_queue(rate=3.0, **slow), seed=1)
    units = _units(ledger(run))
    assert units["change visibility"] == run.total("w", "visibility_requests") > 0
    assert units["delete"] == run.total("w", "delete_requests") < run.total("q", "deleted")


@pytest.mark.rule("PRC-SQS-1")
def test_fifo_queues_have_their_own_price_and_fair_ones_one_on_top() -> None:
    standard, fair = _bill(_queue()), _bill(_queue(groups=3))
    fifo = _bill(_queue(ms.Queue(fifo=True), groups=3))
    prices = {line.kind: line.unit_price for line in fifo.lines}
    assert list(prices.values()) == pytest.approx([0.5e-6] * len(prices))
    assert "message group" not in _units(standard)
    assert _units(fair)["message group"] == _units(fair)["send"]
    assert fair.total - standard.total == pytest.approx(0.1e-6 * _units(fair)["send"])


def test_only_sends_with_a_group_pay_for_it() -> None:
    scenario = _queue(groups=3)
    more = {**scenario.traffic, "plain": ms.Traffic(to="q", rate=1, process="regular")}
    units = _units(_bill(attrs.evolve(scenario, traffic=more)))
    assert units["message group"] == units["send"] / 2


@pytest.mark.rule("PRC-SQS-1")
def test_the_free_tier_takes_a_million_off_each_month() -> None:
    run = ms.simulate(_queue(rate=10.0, count=4), seed=1)
    full, less = ledger(run), ledger(run, free_tier=True)
    assert full.per_month - less.per_month == pytest.approx(0.40)
    assert ledger(ms.simulate(_queue(rate=0.01), seed=1), free_tier=True).per_month == 0


@pytest.mark.rule("PRC-SQS-1")
def test_tiers_are_reached_by_all_queues_together() -> None:
    shipped = load_prices()
    monthly = sum(line.monthly_units for line in _bill(_queue()).lines)
    tiers = [Tier(up_to=monthly / 2, per_million=1.0), Tier(per_million=0.5)]
    prices = attrs.evolve(shipped, sqs=attrs.evolve(shipped.sqs, standard=tiers))
    bill = _bill(_queue(), prices=prices)
    assert bill.per_month == pytest.approx(monthly / 1e6 * 0.75)
    assert [line.unit_price for line in bill.lines] == pytest.approx([0.75e-6] * len(bill.lines))


def _news(*subscriptions: ms.Subscription, fifo: bool = False, **more: Any) -> ms.Scenario:
    queues = {each.endpoint: ms.Queue(fifo=fifo) for each in subscriptions if each.protocol == "sqs"}
    queues |= {each.redrive: ms.Queue() for each in subscriptions if each.redrive}
    return ms.Scenario(
        horizon=100.0,
        topics={"news": ms.Topic(subscriptions=list(subscriptions), fifo=fifo)},
        queues=queues,
        traffic={"t": ms.Traffic(**({"to": "news", "rate": 1, "process": "regular", "body": "x"} | more))},
    )


@pytest.mark.rule("PRC-SNS-1")
def test_deliveries_are_billed_by_protocol_after_the_filter() -> None:
    wanted, other = {"kind": ["a"]}, {"kind": ["b"]}
    run = ms.simulate(
        _news(
            ms.Subscription(endpoint="q"),
            ms.Subscription(endpoint="https://a.example.com", protocol="https", filter_policy=wanted),
            ms.Subscription(endpoint="https://b.example.com", protocol="https", filter_policy=other),
            ms.Subscription(endpoint="me@example.com", protocol="email"),
            ms.Subscription(endpoint="+4915112345678", protocol="sms"),
            attributes={"kind": "a"},
        ),
        seed=1,
    )
    number = run.total("news", "published")
    bill = ledger(run)
    costs = {line.entity.removeprefix("news/"): line.amount for line in bill.lines if line.service == "SNS"}
    assert costs == {
        "news": pytest.approx(0.5e-6 * number),
        "q": 0,
        "https://a.example.com": pytest.approx(0.6e-6 * number),
        "me@example.com": pytest.approx(20e-6 * number),
        "+4915112345678": pytest.approx(0.00645 * number),
    }
    assert _units(bill, "q") == {"delivery by a topic": number}
    assert bill.cost("q") == 0
    assert bill.cost("news") == pytest.approx(bill.total)


@pytest.mark.rule("PRC-SNS-1")
def test_publishes_and_deliveries_are_billed_by_64_kibibytes() -> None:
    there = ms.Subscription(endpoint="https://a.example.com", protocol="https")
    bill = _bill(_news(there, body="x" * 65_536))
    units = {line.kind: line.units / line.requests for line in bill.lines}
    assert units == {"publish": 1, "https delivery": 2}  # an envelope is around it
    text = _bill(_news(ms.Subscription(endpoint="+1", protocol="sms"), body="x" * 161))
    assert {line.kind: line.units / line.requests for line in text.lines} == {"publish": 1, "text message": 2}


@pytest.mark.rule("PRC-SNS-1")
def test_fifo_topics_pay_for_publishes_deliveries_and_bytes() -> None:
    run = ms.simulate(_news(ms.Subscription(endpoint="q", raw=True), fifo=True, groups=3, body="x" * 2**18), seed=1)
    number = run.total("news", "published")
    amounts = {line.kind: line.amount for line in ledger(run).lines if line.service == "SNS"}
    assert amounts == {
        "publish": pytest.approx(0.3e-6 * 4 * number),
        "published bytes": pytest.approx(0.017 * number / 2**12),
        "sqs delivery": pytest.approx(0.01e-6 * 4 * number),
        "delivered bytes": pytest.approx(0.001 * number / 2**12),
    }
    assert [line.kind for line in ledger(run).of("q")] == ["delivery by a topic"]


def test_replays_are_deliveries_and_no_sends() -> None:
    scenario = attrs.evolve(
        _news(ms.Subscription(endpoint="q"), fifo=True, groups=3),
        topics={"news": ms.Topic(fifo=True, archive=1, subscriptions=[ms.Subscription(endpoint="q")])},
    )
    simulation = ms.Simulation(scenario, seed=1)
    simulation.run(400.0)
    simulation.topics["news"].replay("q", simulation.now, start=0.0)
    simulation.run(500.0)
    run = simulation.result()
    assert run.total("news", "replayed_delivered") > 0
    bill = ledger(run)
    assert _units(bill, "news")["replay"] == run.total("news", "replayed_delivered")
    assert "send" not in _units(bill, "q")


def test_what_arrived_twice_was_delivered_twice() -> None:
    run = ms.simulate(_news(ms.Subscription(endpoint="q", duplicate_rate=0.5)), seed=1)
    units = _units(ledger(run), "q")
    assert units == {"delivery by a topic": run.total("q", "sent")}
    assert run.total("q", "sent") == run.total("news", "delivered") + run.total("news", "duplicated")


def test_what_could_not_be_delivered_is_no_send_either() -> None:
    lost = ms.Subscription(endpoint="https://a.example.com", protocol="https", failure_rate=0.5, redrive="lost")
    run = ms.simulate(_news(lost), seed=1)
    kept = run.total("news", "delivery_dead_lettered")
    assert kept > 0
    assert _units(ledger(run), "lost") == {"delivery by a topic": kept}


def _mail(**outbox: Any) -> ms.Run:
    plain = _queue()
    workers = attrs.evolve(plain.workers["w"], on_success=[ms.SendEmail("ses", cc="b@example.com")])
    scenario = attrs.evolve(plain, outboxes={"ses": ms.Outbox(**outbox)}, workers={"w": workers})
    return ms.simulate(scenario, seed=1)


@pytest.mark.rule("PRC-SES-1")
def test_recipients_are_billed_and_refused_ones_are_not() -> None:
    run = _mail(max_send_rate=1, burst=2)
    assert run.total("ses", "throttled") > 0
    bill = ledger(run)
    assert _units(bill, "ses") == {"recipient": 2 * run.total("ses", "accepted")}
    assert bill.cost("ses") == pytest.approx(0.2e-3 * run.total("ses", "accepted"))


@pytest.mark.rule("PRC-SES-1")
def test_suppressed_recipients_are_billed() -> None:
    run = _mail(suppressed_reasons=["BOUNCE"], bounce_rate=1.0)
    assert ledger(run).of("ses")[0].units == run.total("ses", "recipients_accepted") == 2 * run.total("ses", "accepted")


@pytest.mark.rule("PRC-SES-1")
def test_attachments_addresses_and_the_manager_are_billed() -> None:
    run = _mail(pools={"own": ms.DedicatedPool(ips=3)})
    recipients = run.total("ses", "recipients_accepted")
    bill = ledger(run, attachment_bytes=300_000, vdm=True)
    amounts = {line.kind: line.amount for line in bill.of("ses")}
    assert amounts == {
        "recipient": pytest.approx(1e-4 * recipients),
        "attachment": pytest.approx(0.12 * recipients * 400_000 / 2**30),
        "deliverability manager": pytest.approx(0.07e-3 * recipients),
        "dedicated IP address": pytest.approx(3 * 24.95 * run.until / MONTH),
    }
    monthly = {line.kind: line.monthly for line in bill.of("ses")}
    assert monthly["dedicated IP address"] == pytest.approx(3 * 24.95)
    assert ledger(run, attachment_bytes={"ses": 0}).cost("ses") < ledger(run, attachment_bytes={"ses": 1}).cost("ses")


def test_a_month_is_thirty_days_of_what_follows_the_warm_up() -> None:
    busy = ms.Steps([(0, 5.0), (50, 1.0)])
    run = ms.simulate(_queue(rate=busy, count=3), seed=1, warm_up=50.0)
    bill = ledger(run)
    sends = next(line for line in bill.lines if line.kind == "send")
    assert sends.units == pytest.approx(300, abs=2)
    assert bill.window == 50.0
    assert sends.monthly_units == pytest.approx(50 * MONTH / 50.0, rel=0.03)
    assert sends.monthly == pytest.approx(sends.monthly_units * 0.4e-6)
    assert monthly_cost(run) == bill.per_month == pytest.approx(math.fsum(line.monthly for line in bill.lines))


def test_a_warm_up_between_two_readings_begins_at_the_one_before() -> None:
    run = ms.simulate(_queue(), seed=1, warm_up=55.0, probe=10.0)
    assert ledger(run).window == 50.0


def test_what_happened_in_the_warm_up_only_costs_the_run_and_no_month() -> None:
    early = ms.Steps([(0, 1.0), (20, 0.0)])
    bill = ledger(ms.simulate(_queue(rate=early), seed=1, warm_up=50.0), free_tier=True)
    assert next(line for line in bill.lines if line.kind == "send").monthly == 0
    assert bill.drivers()[-1][1] == 0


def test_a_run_that_has_not_begun_has_no_month() -> None:
    simulation = ms.Simulation(_queue(), warm_up=50.0)
    simulation.run(50.0)
    with pytest.raises(DeclarationError, match=r"^run: ends at 50.0 s, before anything has happened after its warm-up"):
        ledger(simulation.result())


def test_the_dearest_comes_first_and_shares_add_up() -> None:
    drivers = _bill(_queue(wait_time=0, poll_interval=0.25)).drivers()
    amounts = [line.monthly for line, _ in drivers]
    assert amounts == sorted(amounts, reverse=True)
    assert sum(part for _, part in drivers) == pytest.approx(1)


def test_costs_are_asked_for_by_entity() -> None:
    bill = ledger(_mail())
    assert bill.cost_per_month() == bill.per_month
    assert bill.cost_per_month("q") + bill.cost_per_month("ses") == pytest.approx(bill.per_month)
    assert bill.cost_per_month("w") == bill.cost_per_month("t") == 0
    measures = bill.measures()
    assert list(measures) == [
        *((entity, f"{metric}.final") for entity in ("q", "ses", "*") for metric in ("cost", "cost_per_month")),
        ("w", "worker_hours.final"),
        ("*", "worker_hours.final"),
    ]
    assert measures["*", "cost.final"] == bill.total
    with pytest.raises(UnknownName, match=r"no entity named 'sess'; did you mean 'ses'\? declared: \*, q, ses, t, w"):
        bill.cost_per_month("sess")


def test_workers_cost_what_ones_own_price_list_says_of_an_hour() -> None:
    run = ms.simulate(_queue(count=3, until=7_200.0, rate=0.1), warm_up=3_600.0)
    free, bill = ledger(run), ledger(run, attrs.evolve(load_prices(), worker_hour=0.5))
    assert "w" not in {line.entity for line in free.lines}
    assert free.worker_hours == bill.worker_hours == {"w": 6.0}
    [line] = bill.of("w")
    assert (line.service, line.kind, line.units, line.amount) == ("workers", "worker hour", 6.0, 3.0)
    assert (line.monthly_units, line.monthly) == (3 * 24 * 30, 3 * 24 * 15)
    assert bill.total - free.total == pytest.approx(3.0)
    assert bill.measures()["*", "cost.final"] == bill.total
    assert bill.measures()["w", "worker_hours.final"] == 6.0
    assert "Not in here: workers, functions" in str(free).replace("\n  ", " ")
    assert "Not in here: functions" in str(bill).replace("\n  ", " ")
    assert "0.500 per hour" in str(bill)


def test_hours_are_of_the_workers_that_were_there() -> None:
    """2 for 50 s, 6 for 50 s, 4 from then on; the warm-up ends between two readings."""
    shifts = ms.Steps([(0, 2), (50, 6), (100, 4)])
    run = ms.simulate(_queue(count=shifts, until=200.0), warm_up=75.0, probe=10.0)
    assert ledger(run).worker_hours["w"] * 3600 == pytest.approx(2 * 50 + 6 * 50 + 4 * 100)
    late = worker_hours(run, "w", 130.0)  # from the last reading before the end of the warm-up on
    assert late * 3600 == pytest.approx(6 * 30 + 4 * 100)


def test_a_bill_of_nothing_is_nothing() -> None:
    bill = _bill(ms.Scenario(horizon=10, queues={"q": ms.Queue()}))
    assert (bill.lines, bill.total, bill.per_month, bill.drivers()) == ([], 0, 0, [])
    assert str(bill).startswith("USD 0.00 per month. What drives the bill:")


def test_a_bill_is_a_table_as_text_and_as_html() -> None:
    bill = _bill(_news(ms.Subscription(endpoint="<b>@example.com", protocol="email"), ms.Subscription(endpoint="q")))
    lines = str(bill).splitlines()
    assert lines[0] == f"{bill.money(bill.per_month)} per month. What drives the bill:"
    assert lines[2].split("  ")[1] == "of"
    assert lines[3].split()[:4] == ["news/<b>@example.com", "SNS", "email", "delivery"]
    assert "20.0 per million" in lines[3]
    assert "- Free of charge: sqs delivery of news/q, delivery by a topic of q." in lines
    assert "free tier is not taken off" in str(bill).replace("\n  ", " ")
    html = bill._repr_html_()
    assert "news/&lt;b&gt;@example.com" in html
    assert html.count("<tr>") == 1 + sum(1 for line in bill.lines if line.unit_price)
    assert repr(bill).startswith("<Ledger USD 0.00")


def test_a_bill_is_plain_data_too() -> None:
    bill = _bill(_queue(), free_tier=True)
    plain = json.loads(json.dumps(bill.to_dict()))
    assert (plain["total"], plain["per_month"], plain["free_tier"]) == (bill.total, bill.per_month, True)
    assert plain["lines"][0]["kind"] == bill.drivers()[0][0].kind
    assert "is taken off" in str(bill)


def test_money_is_shown_to_the_cent_or_to_three_digits() -> None:
    bill = _bill(_queue())
    assert [bill.money(amount) for amount in (0, 0.0012345, 1.005, 1234.5)] == [
        "USD 0.00",
        "USD 0.00123",
        "USD 1.00",
        "USD 1,234.50",
    ]


def test_a_price_list_may_be_a_file(tmp_path: Path) -> None:
    from msgsim.study.prices import shipped_text

    path = tmp_path / "mine.toml"
    path.write_text(
        shipped_text().replace("per_million = 0.40", "per_million = 0.80").replace('region = "us-east-1"', "")
    )
    bill = _bill(_queue(), prices=path)
    assert bill.total == pytest.approx(2 * _bill(_queue()).total)
    assert "Prices of 2026-06-13, without tax" in str(bill)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"free_tier": 1}, "^free_tier: 1 is neither true nor false"),
        ({"vdm": None}, "^vdm: None is neither"),
        ({"prices": 7}, "^prices: 7 is neither"),
        ({"attachment_bytes": -1}, "^attachment_bytes: -1 is not allowed"),
        ({"attachment_bytes": {"ses": "x"}}, "^attachment_bytes.ses: 'x' is not a number"),
        ({"message_bytes": {"w": 1}}, "^message_bytes.w: no traffic source, topic or queue named 'w'"),
    ],
)
def test_what_is_no_argument_is_refused(more: dict[str, Any], problem: str) -> None:
    with pytest.raises(DeclarationError, match=problem):
        ledger(_mail(), **more)


def test_what_is_no_run_or_outbox_is_refused() -> None:
    with pytest.raises(DeclarationError, match=r"^run: 3 is not a Run"):
        ledger(3)  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match=r"^no outbox named 'sess'; did you mean 'ses'"):
        ledger(_mail(), attachment_bytes={"sess": 1})


@pytest.mark.parametrize("name", sorted(ms.examples()))
def test_every_example_has_a_bill_that_adds_up(name: str) -> None:
    scenario = ms.load(name)
    bill = ledger(ms.simulate(scenario, until=max(120.0, scenario.warm_up + 60.0), seed=1))
    assert bill.total > 0
    assert sum(bill.cost(entity) for entity, kind in bill.kinds.items() if kind != "subscription") == pytest.approx(
        bill.total
    )
    assert all(line.units >= line.requests - 1e-9 for line in bill.lines if line.per == "million")
