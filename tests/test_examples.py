"""The built-in examples: each runs, balances its books, and tells the story that its comments tell."""

import tomllib
from functools import cache
from typing import Any

import attrs
import pytest

import msgsim as ms
from msgsim.errors import MsgsimError
from msgsim.files import example

NAMES = [
    "appointment-reminders",
    "black-friday",
    "bounce-loop",
    "campaign",
    "hot-account",
    "incident-management",
    "month-end",
    "noisy-tenant",
    "order-processing",
    "webhook-outage",
]


@cache
def run(name: str, *changes: tuple[str, float], until: float | None = None) -> ms.Run:
    scenario = ms.load(name)
    for path, value in changes:
        scenario = scenario.vary(path, value)
    return ms.simulate(scenario, until=until)  # which audits


def test_there_are_these_with_titles() -> None:
    assert list(ms.examples()) == NAMES
    assert all(20 < len(title) < 80 for title in ms.examples().values())


@pytest.mark.parametrize("name", NAMES)
def test_an_example_explains_itself(name: str) -> None:
    source = example(name)
    lines = source.splitlines()
    assert lines[0].startswith("# ")
    assert sum(line.startswith("#") for line in lines) > 15
    assert max(map(len, lines)) <= 120
    assert tomllib.loads(source)["description"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_an_example_runs_and_balances(name: str) -> None:
    finished = run(name)
    assert finished.until == ms.load(name).horizon
    assert finished.violations == ()
    assert ms.load(name).title in finished.summary()


@pytest.mark.parametrize("name", NAMES)
def test_an_example_round_trips(name: str) -> None:
    assert ms.Scenario.from_toml(ms.load(name).to_toml()) == ms.load(name)


@pytest.mark.parametrize("name", NAMES)
def test_what_the_comments_suggest_to_try_can_be_tried(name: str) -> None:
    from msgsim.cli import main

    suggestions = [line.partition("msgsim run ")[2] for line in example(name).splitlines() if "msgsim run " in line]
    assert suggestions
    for suggestion in suggestions:
        assert main(["run", *suggestion.split(), "--until", "60", "--warm-up", "0", "--quiet"]) == 0


@pytest.mark.slow
def test_order_processing_is_as_fast_as_its_slowest_part() -> None:
    finished = run("order-processing")
    pools = ("inventory-workers", "billing-workers", "shipping-workers", "mailers")
    assert max(pools, key=lambda pool: finished.mean(pool, "utilization")) == "billing-workers"
    assert finished.quantile("billing", "visible", 1) > 400
    assert finished.quantile("inventory", "visible", 1) < 20
    joined = finished.quantile("order-ready", "end_to_end_time", 0.99)
    assert joined == pytest.approx(finished.quantile("billing", "sojourn_time", 0.99), rel=0.05)
    assert finished.total("billing", "dead_lettered") > 0
    assert finished.total("ses", "throttled") == 0
    # Two emails for each order that is ready, and none for any other.
    assert finished.total("ses", "accepted") == 2 * finished.total("order-ready", "completed")
    more = run("order-processing", ("workers.billing-workers.count", 12))
    assert more.quantile("billing", "visible", 1) < 20


def test_order_processing_writes_to_customer_and_warehouse() -> None:
    simulation = ms.Simulation(ms.load("order-processing"))
    simulation.run(60)
    sent = list(simulation.outboxes["ses"].sent)
    first = [mail.email for mail in sent if "rder 1:" in mail.email.body or "order 1." in mail.email.body]
    assert sorted(email.to for email in first) == [("customer-1@example.com",), ("warehouse@example.com",)]
    (customer,) = (email for email in first if email.to[0].startswith("customer"))
    assert customer.subject == "Your order 1 is on its way"
    assert "deliver it on Sun, 04 Jan 2026" in customer.body


@pytest.mark.slow
def test_black_friday_moves_from_one_bottleneck_to_the_other() -> None:
    usual = run("black-friday")
    assert usual.quantile("billing", "visible", 1) > 3000
    assert usual.quantile("emails", "visible", 1) > 3000
    assert usual.total("ses", "throttled") > 1000
    assert usual.total("dead-emails", "moved_in") == 0

    workers = ("workers.billing-workers.count", 16)
    billing = run("black-friday", workers)
    assert billing.quantile("billing", "visible", 1) < 100
    assert billing.quantile("emails", "visible", 1) > 5000
    assert billing.mean("ses", "end_to_end_time") > 0.9 * usual.mean("ses", "end_to_end_time")

    both = run("black-friday", workers, ("outboxes.ses.max_send_rate", 50))
    assert both.mean("ses", "end_to_end_time") < 10


HOOK = "orders/https://partner.example.com/orders"


@pytest.mark.slow
def test_the_herd_comes_back_when_the_server_does() -> None:
    finished = run("webhook-outage")
    lost = finished.total(HOOK, "delivery_dead_lettered")
    outage = 1_800 * 5
    assert 0.1 * outage < lost < 0.2 * outage
    assert finished.total(HOOK, "delivery_failed") == lost == finished.final("undelivered", "visible")
    assert finished.total(HOOK, "failed_attempts") > 80_000
    times, pending = finished.series(HOOK, "pending")
    after = [value for time, value in zip(times, pending, strict=True) if 3_600 < time < 3_900]
    assert min(after) > 3_000, "what waits does not go when the server is there again"
    assert pending[-1] < 30
    policy = "topics.orders.subscriptions.0.delivery_policy"
    assert run("webhook-outage", (f"{policy}.retries", 14)).total(HOOK, "delivery_failed") < 10
    throttled = run("webhook-outage", (f"{policy}.max_receives_per_second", 12))
    assert throttled.total(HOOK, "delivery_failed") == 0
    assert throttled.total(HOOK, "failed_attempts") < 25_000


@pytest.mark.slow
def test_the_chat_misses_ten_minutes_of_the_storm() -> None:
    chat = "alerts/https://chat.example.com/hook"
    finished = run("incident-management")
    assert 10 <= finished.total(chat, "delivery_dead_lettered") == finished.final("unsaid", "visible") <= 30
    assert finished.total("alerts/tickets", "delivered") == finished.total("alerts", "published")
    texts = "alerts/+15550100"
    assert finished.total(texts, "delivery_failed") == 0 < finished.total(texts, "failed_attempts")
    patient = run("incident-management", ("topics.alerts.subscriptions.3.delivery_policy.retries", 30))
    assert patient.total(chat, "delivery_failed") == 0


@pytest.mark.slow
def test_incidents_wait_for_hours_after_the_storm_only() -> None:
    finished = run("incident-management")
    assert finished.quantile("incidents", "waiting_time", 0.5) < ms.MINUTE
    assert finished.quantile("incidents", "waiting_time", 1) > 5 * ms.HOUR
    assert finished.quantile("incidents", "visible", 1) > 40
    assert finished.total("incidents", "duplicate_work") == 0
    twice = finished.total("incidents", "deduplicated")
    assert 10 < twice < 50
    assert finished.total("alerts/+15550100", "filtered_out") == finished.total("monitoring", "arrivals") + twice
    assert finished.total("reports", "delivered") == 3 * finished.total("reports", "accepted")
    stay = run("incident-management", ("workers.responders.count.steps.8.1", 8))
    assert stay.quantile("incidents", "waiting_time", 1) < 0.6 * finished.quantile("incidents", "waiting_time", 1)
    short = run("incident-management", ("queues.incidents.visibility_timeout", 300))
    assert short.total("incidents", "duplicate_work") > 500


@pytest.mark.slow
def test_two_responders_repair_the_same_without_heartbeats() -> None:
    assert run("incident-management").total("escalated", "moved_in") == 0
    without = run("incident-management", ("workers.responders.heartbeat", 43_200))
    assert without.total("incidents", "duplicate_work") > 200
    assert without.total("escalated", "moved_in") > 10


@pytest.mark.slow
def test_a_hot_account_keeps_one_worker_busy_and_no_other() -> None:
    finished = run("hot-account")
    assert finished.quantile("transfers", "waiting_time", 0.5) == 0
    assert finished.quantile("transfers", "waiting_time", 1) > 15 * ms.MINUTE
    assert finished.mean("bookers", "utilization") < 0.5
    assert finished.total("transfers", "deduplicated") > 10
    assert finished.total("transfers", "sent") == sum(
        finished.total(source, "arrivals") for source in ("customers", "payout")
    )
    twice = run("hot-account", ("workers.bookers.count", 24))
    assert twice.quantile("transfers", "waiting_time", 1) == pytest.approx(
        finished.quantile("transfers", "waiting_time", 1), rel=0.05
    )
    spread = run("hot-account", ("traffic.payout.groups.count", 8))
    assert spread.quantile("transfers", "waiting_time", 1) < 10


@pytest.mark.slow
def test_a_bulk_upload_keeps_nobody_else_waiting() -> None:
    finished = run("noisy-tenant")
    quiet = [group for group in finished.groups("documents") if group != "archivist"]
    assert len(quiet) == 100
    waits = sorted(wait for group in quiet for wait in finished.samples("documents", "waiting_time", group=group))
    assert waits[int(0.99 * len(waits))] < 1
    assert finished.quantile("documents", "waiting_time", 0.5, group="archivist") > 2 * ms.MINUTE
    plain = ms.load("noisy-tenant")
    traffic = {name: attrs.evolve(source, groups=None) for name, source in plain.traffic.items()}
    unfair = ms.simulate(attrs.evolve(plain, traffic=traffic))
    assert unfair.quantile("documents", "waiting_time", 0.75) > 3 * ms.MINUTE
    few = run("noisy-tenant", ("workers.converters.count", 24))
    assert few.quantile("documents", "waiting_time", 0.99, group="customer-1") < 2


def in_order(until: float) -> dict[str, list[int]]:
    """The numbers of the transactions that month-end begins to post, by account, in that order."""
    begun: dict[str, list[int]] = {}

    def post(delivery: Any, _context: Any) -> None:
        _, number, _, account = delivery.body.split()
        begun.setdefault(account, []).append(int(number))

    scenario = ms.load("month-end")
    posting = attrs.evolve(scenario.workers["posting"], handler=post)
    small = attrs.evolve(scenario, workers={"posting": posting}, traffic={"payments": scenario.traffic["payments"]})
    assert ms.simulate(small, until=until).total("ledger", "redelivered") > 0
    return begun


def test_month_end_posts_each_account_in_order() -> None:
    begun = in_order(1.5 * ms.DAY)
    assert max(map(len, begun.values())) > 50
    assert all(numbers == sorted(numbers) for numbers in begun.values())


@pytest.mark.slow
def test_month_end_is_hidden_by_the_mean() -> None:
    finished = run("month-end")
    times, backlog = finished.series("ledger", "visible")
    before = max(length for time, length in zip(times, backlog, strict=True) if time < 3 * ms.DAY)
    assert before < 100
    assert max(backlog) > 5000
    assert finished.quantile("ledger", "waiting_time", 0.5) < 1
    assert finished.quantile("ledger", "waiting_time", 0.99) > 2 * ms.HOUR
    assert finished.total("ledger", "duplicate_work") == 0
    assert finished.total("review", "sent") == finished.total("large-payments", "arrivals")


@pytest.mark.slow
def test_a_fifth_of_the_reminders_is_never_sent() -> None:
    finished = run("appointment-reminders")
    assert finished.total("nightly-job", "arrivals") == 9000
    assert finished.total("reminders", "accepted") == 7500
    assert finished.total("due", "expired") == 1500
    assert finished.total("reminders", "throttled") > 10_000
    assert 150 < finished.total("reminders", "bounced") < 350
    more = run("appointment-reminders", ("outboxes.reminders.max_24_hour_send", 10_000))
    assert more.total("reminders", "accepted") == 9000


def test_no_subject_says_anything_about_a_patient() -> None:
    (action,) = ms.load("appointment-reminders").workers["senders"].on_success
    assert isinstance(action, ms.SendEmail)
    assert "{" not in action.subject
    simulation = ms.Simulation(ms.load("appointment-reminders"))
    simulation.run(2.1 * ms.HOUR)
    sent = list(simulation.outboxes["reminders"].sent)
    assert len(sent) > 500
    assert {mail.email.subject for mail in sent} == {action.subject}


@pytest.mark.rule("SES-CFG-1")
def test_reminders_are_not_sent_in_the_clear() -> None:
    scenario = ms.load("appointment-reminders")
    assert scenario.outboxes["reminders"].configuration_sets["confidential"].tls == "REQUIRE"
    open_receiver = scenario.vary("outboxes.reminders.receivers", [ms.Receiver(tls=False)])
    finished = ms.simulate(open_receiver, until=4 * ms.HOUR)
    assert finished.total("reminders", "delivered") == 0
    assert finished.total("reminders", "bounced") == finished.total("reminders", "accepted") > 2_000


def test_examples_are_not_changed_by_running_them() -> None:
    with pytest.raises(MsgsimError):
        ms.load("order-processing").vary("workers.mailers.count", 0)
    assert ms.load("order-processing") == ms.load("order-processing")


LOOP = "outboxes.shop.configuration_sets.news.events.0.enabled"


@pytest.mark.slow
@pytest.mark.rule("SES-REP-3")
def test_bounce_loop_pauses_who_does_not_clean_the_list() -> None:
    alone, cleaned = run("bounce-loop"), run("bounce-loop", (LOOP, True))
    assert alone.final("shop", "paused") == 1
    assert alone.total("shop", "rejected") > 5_000
    assert alone.final("shop", "bounce_rate") > 0.12
    assert cleaned.total("shop", "rejected") == 0
    assert cleaned.final("shop", "bounce_rate") < 0.05
    assert cleaned.total("shop", "bounced") < 350
    assert cleaned.total("odd-feedback", "moved_in") == 0
    times, paused = alone.series("shop", "paused")
    first = next(at for at, value in zip(times, paused, strict=True) if value)
    assert 86_400 < first < 1.5 * 86_400


@pytest.mark.slow
@pytest.mark.rule("SES-QUO-3")
@pytest.mark.rule("SES-REP-1")
def test_a_campaign_is_paused_before_its_last_email_unless_the_list_is_clean() -> None:
    usual = run("campaign")
    assert usual.total("active", "arrivals") + usual.total("old", "arrivals") == 20_000
    assert usual.total("club", "accepted") == 15_000
    assert usual.final("due", "visible") + usual.final("due", "in_flight") == 5_000
    assert 2.5 * ms.DAY < first_time(usual, "paused", 1) < 2.6 * ms.DAY
    assert usual.final("club", "bounce_rate") > 0.1
    assert usual.total("club", "delayed") == 0

    clean = run("campaign", ("outboxes.club.receivers.0.unknown_users", 0.02), until=3.1 * ms.DAY)
    assert clean.total("club", "rejected") == 0
    assert clean.total("club", "accepted") == 20_000
    assert first_time(clean, "accepted", 20_000) > 3 * ms.DAY


@pytest.mark.slow
@pytest.mark.rule("SES-IP-1")
def test_a_campaign_over_an_address_that_nobody_knows_comes_late() -> None:
    assert run("campaign", ("outboxes.club.pools.own.automatic", False)).total("club", "delayed") > 3_000


@pytest.mark.slow
@pytest.mark.rule("SES-REP-3")
def test_a_campaign_without_a_quota_is_paused_after_its_last_email() -> None:
    quick = run("campaign", ("outboxes.club.max_24_hour_send", 500_000), until=14 * ms.HOUR)
    assert first_time(quick, "accepted", 20_000) < 1.5 * ms.HOUR
    assert first_time(quick, "paused", 1) > 12 * ms.HOUR
    assert quick.total("club", "rejected") == 0


def first_time(finished: ms.Run, metric: str, least: float) -> float:
    """The first reading of the club's outbox with so much of a metric [s]."""
    times, values = finished.series("club", metric)
    return next(at for at, value in zip(times, values, strict=True) if value >= least)
