"""The doctor: each symptom is found where it is, with its numbers, and not where it is not."""

import json
from typing import Any

import attrs
import pytest

import msgsim as ms
from msgsim.errors import DeclarationError
from msgsim.study.doctor import EVENTS, POLLS, Diagnosis, _affordable, diagnose
from msgsim.study.symptoms import NOTE, SYMPTOMS, WARNING, Finding, short_visibility


def _healthy(**more: Any) -> ms.Scenario:
    """Somebody watches the dead letters, and everything has its time."""
    queue = {"redrive": ms.Redrive(to="dead", max_receive_count=5), **more.pop("queue", {})}
    dead = more.pop("dead", {"retention": 14 * ms.DAY})
    workers = {"queue": "q", "count": 4, "service_time": 0.5, "failure_rate": 0.01, **more.pop("workers", {})}
    traffic = {"to": "q", "rate": 2.0, **more.pop("traffic", {})}
    fifo = queue.get("fifo", False)
    return ms.Scenario(
        **({"horizon": 600.0} | more),
        queues={"q": ms.Queue(**queue), "dead": ms.Queue(fifo=fifo, **dead)},
        traffic={"t": ms.Traffic(**traffic)},
        workers={"w": ms.Workers(**workers), "watchers": ms.Workers(queue="dead", count=1, service_time=1)},
    )


def _found(scenario: ms.Scenario, path: str) -> Finding:
    diagnosis = diagnose(scenario)
    [finding] = [each for each in diagnosis.findings if each.path == path]
    return finding


def _paths(scenario: ms.Scenario) -> list[str]:
    return [finding.path for finding in diagnose(scenario).findings]


def test_a_healthy_scenario_has_nothing_wrong() -> None:
    diagnosis = diagnose(_healthy())
    assert diagnosis.findings == []
    assert str(diagnosis) == "Nothing wrong was found. Simulated: 600 s (10 min 00 s) of 600 s (10 min 00 s), seed 0."
    assert repr(diagnosis) == "<Diagnosis nothing wrong>"


@pytest.mark.parametrize("rate", [7.9, 8.1])
def test_too_much_work_is_found_at_its_bound(rate: float) -> None:
    scenario = _healthy(traffic={"rate": rate}, workers={"failure_rate": 0.0})
    if rate < 8:
        assert _paths(scenario) == []
        return
    finding = _found(scenario, "queues.q")
    assert finding.level == WARNING
    assert finding.found == (
        "the work of w is too much: \u03c1 is 1.01 on average, 8.10 messages/s for 8.00; "
        "60 messages are left at the end"
    )


def test_work_that_piles_up_for_a_while_is_noted() -> None:
    scenario = _healthy(traffic={"rate": ms.Constant(2) + ms.Spike(at=60, height=18, hold=60)})
    finding = _found(scenario, "queues.q")
    assert finding.level == NOTE
    assert "\u03c1 is 2.53 at the peak and 0.480 on average; a backlog of up to 725 messages lasts" in finding.found


def test_nights_without_workers_are_noted() -> None:
    scenario = _healthy(workers={"count": ms.Steps([(0, 0), (60, 8), (540, 0)])})
    finding = _found(scenario, "queues.q")
    assert finding.level == NOTE
    assert "piles up for a while: at times nobody works and 0.158 on average" in finding.found
    assert "is still there at the end" in finding.found


@pytest.mark.rule("SQS-VIS-12")
def test_batches_that_outlast_their_timeout_are_found() -> None:
    times = ms.LogNormal(mean=0.5, cv=1.0)
    scenario = _healthy(queue={"visibility_timeout": 6}, workers={"service_time": times, "count": 8})
    finding = _found(scenario, "queues.q.visibility_timeout")
    assert finding.level == WARNING
    assert finding.found.startswith("6 s is less than full batches of w can take: the p99 of 10 messages is 10.2 s, ")
    assert "take longer than the timeout; 1 message handled late" in finding.found
    assert finding.rules == ("SQS-VIS-1", "SQS-VIS-12", "SQS-VIS-6")


@pytest.mark.parametrize(
    ("queue", "workers", "is_late"),
    [
        ({"visibility_timeout": 5}, {}, False),
        ({"visibility_timeout": 4.9}, {}, True),
        ({"visibility_timeout": 4.9}, {"batch_size": 9}, False),
        ({"visibility_timeout": 4.9}, {"heartbeat": 2}, False),
        ({"visibility_timeout": 4.9}, {"handler": len, "service_time": 0.5}, False),
    ],
)
def test_a_timeout_is_measured_by_full_batches(queue: Any, workers: Any, is_late: bool) -> None:
    if "handler" in workers:
        workers = workers | {"handler": _nothing}
    assert ("queues.q.visibility_timeout" in _paths(_healthy(queue=queue, workers=workers))) == is_late


def _nothing(_delivery: object, _context: object) -> None:
    return None


@pytest.mark.rule("SQS-VIS-6")
@pytest.mark.parametrize(("duplicates", "is_late"), [(0.0, True), (0.5, False)])
def test_work_that_is_late_for_another_reason_is_found(duplicates: float, is_late: bool) -> None:
    slow = {"handler": _slow, "service_time": 0.0}
    scenario = _healthy(queue={"visibility_timeout": 2, "duplicates": duplicates}, workers=slow)
    assert ("queues.q.visibility_timeout" in _paths(scenario)) == is_late
    if is_late:
        late = ms.simulate(scenario, 600.0, 0, warm_up=0.0).total("q", "duplicate_work")
        assert (
            f"2 s ended before {late:,} messages had been handled"
            in _found(scenario, "queues.q.visibility_timeout").found
        )


def _slow(_delivery: object, _context: object) -> float:
    return 2.5


def test_batches_without_a_limit_are_drawn_in_part() -> None:
    more = {"batch_size": 1_000_000, "quotas": "relaxed", "count": 1}
    finding = _found(_healthy(quotas="relaxed", workers=more, horizon=30.0), "queues.q.visibility_timeout")
    assert "the p99 of 1,000,000 messages is 5 d 19 h" in finding.found


def test_a_fifo_queue_loses_the_handle() -> None:
    scenario = _healthy(queue={"fifo": True, "visibility_timeout": 3}, traffic={"groups": 1_000})
    assert "FIFO-VIS-1" in _found(scenario, "queues.q.visibility_timeout").rules


@pytest.mark.parametrize(("heartbeat", "is_late"), [(29.9, False), (30.0, True)])
def test_a_heartbeat_that_comes_too_late_is_found(heartbeat: float, is_late: bool) -> None:
    paths = _paths(_healthy(workers={"heartbeat": heartbeat}))
    assert ("workers.w.heartbeat" in paths) == is_late


@pytest.mark.rule("SQS-RCV-9")
@pytest.mark.parametrize("most", [1, 2])
def test_giving_up_at_once_is_found(most: int) -> None:
    scenario = _healthy(queue={"redrive": ms.Redrive(to="dead", max_receive_count=most)})
    paths = _paths(scenario)
    assert ("queues.q.redrive.max_receive_count" in paths) == (most == 1)
    if most == 1:
        found = _found(scenario, "queues.q.redrive.max_receive_count").found
        letters = ms.simulate(scenario, 600.0, 0, warm_up=0.0).total("q", "dead_lettered")
        assert letters > 0
        assert f"is lost on its way: {letters} of 1," in found


@pytest.mark.rule("SQS-RET-1")
def test_a_retention_below_the_drain_time_is_found() -> None:
    spike = {"rate": ms.Constant(1) + ms.Spike(at=60, height=50, hold=60)}
    lost = _found(_healthy(traffic=spike, queue={"retention": 120}, horizon=1_200.0), "queues.q.retention")
    assert lost.level == WARNING
    assert lost.found.startswith("120 s (2 min 00 s) is too short: its backlog takes ")
    assert "messages expired" in lost.found
    assert "queues.q.retention" not in _paths(_healthy(traffic=spike, horizon=1_200.0))


def test_messages_that_expire_are_found_whatever_the_load() -> None:
    scenario = _healthy(queue={"retention": 60, "redrive": None}, workers={"failure_rate": 1.0, "service_time": 0.01})
    found = _found(scenario, "queues.q.retention").found
    assert "drain" not in found
    assert "messages expired" in found


@pytest.mark.rule("SQS-RET-2")
@pytest.mark.parametrize(
    ("fifo", "kept", "is_short"), [(False, 86_400, True), (False, 345_600, False), (True, 86_400, False)]
)
def test_dead_letters_that_go_before_their_source_are_found(fifo: bool, kept: float, is_short: bool) -> None:
    groups = {"groups": 1_000} if fifo else {}
    scenario = _healthy(queue={"fifo": fifo}, dead={"retention": kept}, traffic=groups)
    assert ("queues.dead.retention" in _paths(scenario)) == is_short


def test_short_polls_are_found_with_their_price() -> None:
    scenario = _healthy(workers={"wait_time": 0, "poll_interval": 0.5})
    finding = _found(scenario, "workers.w.wait_time")
    assert "found nothing" in finding.found
    assert "a month for USD " in finding.found
    assert "asks 129,600 times a month" in finding.advice
    busy = _healthy(workers={"wait_time": 0, "count": 1}, traffic={"rate": 50.0}, horizon=60.0)
    assert "workers.w.wait_time" in _paths(busy)  # it looked before the first message came
    never = attrs.evolve(_healthy(workers={"wait_time": 0, "count": ms.Constant(0)}), horizon=10.0)
    assert "workers.w.wait_time" not in _paths(never)


def _mail(outbox: dict[str, Any], **more: Any) -> ms.Scenario:
    healthy = _healthy(**more)
    workers = attrs.evolve(healthy.workers["w"], on_success=[ms.SendEmail("ses", cc="b@example.com")])
    return attrs.evolve(healthy, outboxes={"ses": ms.Outbox(**outbox)}, workers={**healthy.workers, "w": workers})


@pytest.mark.rule("SES-QUO-4")
@pytest.mark.parametrize(("rate", "is_low"), [(4, False), (3.9, True)])
def test_a_send_rate_below_the_peak_is_found(rate: float, is_low: bool) -> None:
    scenario = _mail({"max_send_rate": rate})
    assert ("outboxes.ses.max_send_rate" in _paths(scenario)) == is_low
    if is_low:
        found = _found(scenario, "outboxes.ses.max_send_rate").found
        assert found.startswith("3.90 recipients/s are less than the 4.00 that come at the peak; in the simulation, ")


@pytest.mark.rule("SES-QUO-3")
@pytest.mark.parametrize(("quota", "is_low"), [(345_600, False), (345_500, True)])
def test_a_daily_quota_below_the_fullest_day_is_found(quota: int, is_low: bool) -> None:
    scenario = _mail({"max_24_hour_send": quota}, horizon=2 * ms.DAY)
    assert (
        "outboxes.ses.max_24_hour_send" in [each.path for each in diagnose(scenario, until=60.0).findings]
    ) == is_low


def test_a_day_holds_one_night() -> None:
    found = diagnose(ms.load("appointment-reminders"), until=1.0).findings
    [quota] = [each for each in found if each.path == "outboxes.reminders.max_24_hour_send"]
    assert quota.found.startswith("2,500 recipients are less than the 3,000 of the fullest 24 hours; ")


def test_windows_may_be_longer_than_a_day() -> None:
    years = _mail({"max_24_hour_send": 345_600}, horizon=20 * 365 * ms.DAY)
    assert diagnose(years, until=60.0).findings == []


def test_an_outbox_that_gets_no_emails_is_fine() -> None:
    scenario = attrs.evolve(_healthy(), outboxes={"ses": ms.Outbox(max_send_rate=1)})
    assert diagnose(scenario).findings == []


@pytest.mark.rule("FIFO-TPS-1")
@pytest.mark.parametrize(("rate", "is_narrow"), [(300, False), (301, True)])
def test_a_fifo_queue_that_takes_too_few_calls_is_found(rate: float, is_narrow: bool) -> None:
    fast = {"count": 1, "service_time": 0, "failure_rate": 0}
    scenario = _healthy(queue={"fifo": True}, traffic={"rate": rate, "groups": 1_000}, workers=fast, horizon=20.0)
    findings = [each for each in diagnose(scenario).findings if each.path == "queues.q.fifo_throughput_limit"]
    assert bool(findings) == is_narrow
    assert all("more than the 300 calls/s that the queue takes, if" in each.found for each in findings)


@pytest.mark.rule("FIFO-TPS-3")
@pytest.mark.parametrize(("groups", "rate", "problems"), [(2, 600, 0), (2, 601, 1), (1_000, 2_401, 1), (1, 2_401, 2)])
def test_partitions_and_regions_of_high_throughput_are_found(groups: int, rate: float, problems: int) -> None:
    high = {"fifo": True, "deduplication_scope": "messageGroup", "fifo_throughput_limit": "perMessageGroupId"}
    fast = {"count": 1, "service_time": 0, "failure_rate": 0}
    scenario = _healthy(
        queue=high, traffic={"rate": rate, "groups": groups}, workers=fast, horizon=5.0, region="eu-north-1"
    )
    findings = [each for each in diagnose(scenario).findings if each.path == "queues.q.fifo_throughput_limit"]
    assert len(findings) == problems


@pytest.mark.rule("FIFO-ORD-4")
@pytest.mark.parametrize(("hold", "level"), [(60.0, NOTE), (600.0, WARNING)])
def test_a_group_that_is_too_much_for_one_worker_is_found(hold: float, level: str) -> None:
    spike = ms.Spike(at=0, height=3, hold=hold)
    scenario = _healthy(queue={"fifo": True}, traffic={"rate": spike, "groups": 1}, workers={"failure_rate": 0})
    finding = _found(scenario, "queues.q")
    assert finding.level == level
    assert "the group 'group-1', which one worker at a time may handle," in finding.found
    assert "more workers do not help" in finding.advice


@pytest.mark.rule("SNS-QUO-2")
@pytest.mark.parametrize(
    ("groups", "rate", "paths"),
    [(1_000, 3_000, []), (1_000, 3_001, ["topics.news"]), (1, 301, ["traffic.t.groups"]), (1, 300, [])],
)
def test_a_fifo_topic_that_takes_too_few_publishes_is_found(groups: int, rate: float, paths: list[str]) -> None:
    scenario = ms.Scenario(
        horizon=2.0,
        topics={"news": ms.Topic(fifo=True), "plain": ms.Topic()},
        traffic={"t": ms.Traffic(to="news", rate=rate, groups=groups), "u": ms.Traffic(to="plain", rate=1)},
    )
    assert _paths(scenario) == paths


@pytest.mark.rule("SQS-DLQ-1")
def test_a_queue_without_dead_letters_is_found_where_work_can_fail() -> None:
    alone = {"queue": {"redrive": None}}
    failing = _found(_healthy(**alone), "queues.q.redrive")
    assert failing.level == WARNING
    assert "comes back until it expires after 345,600 s (4 d 00 h); " in failing.found
    sure = _found(_healthy(**alone, workers={"failure_rate": 0}), "queues.q.redrive")
    assert sure.level == NOTE
    assert "queues.dead.redrive" not in _paths(_healthy())


@pytest.mark.parametrize(
    ("outbox", "level"),
    [({}, NOTE), ({"max_send_rate": 100}, WARNING), ({"max_24_hour_send": 10**6}, WARNING)],
)
@pytest.mark.parametrize("joined", [False, True])
def test_emails_that_are_refused_are_failures(outbox: dict[str, Any], level: str, joined: bool) -> None:
    scenario = _mail(outbox, queue={"redrive": None}, workers={"failure_rate": 0})
    if joined:
        [email] = scenario.workers["w"].on_success
        join = ms.Join("ready", parts=["w"], then=[email])
        scenario = scenario.vary("workers.w.on_success", [ms.SendMessage("dead"), join])
    assert _found(scenario, "queues.q.redrive").level == level


def test_a_function_can_raise() -> None:
    scenario = _healthy(queue={"redrive": None}, workers={"failure_rate": 0, "handler": _nothing})
    assert _found(scenario, "queues.q.redrive").level == WARNING


@pytest.mark.rule("SQS-DLQ-3")
def test_dead_letters_that_nobody_watches_are_found() -> None:
    watched = _healthy(queue={"redrive": ms.Redrive(to="dead", max_receive_count=2)}, workers={"failure_rate": 0.2})
    unwatched = attrs.evolve(watched, workers={"w": watched.workers["w"]})
    finding = _found(unwatched, "queues.dead")
    run = ms.simulate(unwatched, 600.0, 0, warm_up=0.0)
    letters, messages = run.total("dead", "moved_in"), run.total("q", "sent")
    assert finding.level == WARNING
    assert f"nobody watches these dead letters of q: {letters} of {messages:,} messages came here, 0" in finding.found
    few = _found(unwatched.vary("workers.w.failure_rate", 0.05), "queues.dead")
    assert few.level == NOTE
    assert " 0 of " not in few.found


def test_dead_letters_that_are_lost_are_found_however_few() -> None:
    redrive = ms.Redrive(to="dead", max_receive_count=2)
    watched = _healthy(queue={"redrive": redrive}, dead={"retention": 60}, workers={"failure_rate": 0.05})
    finding = _found(attrs.evolve(watched, workers={"w": watched.workers["w"]}), "queues.dead")
    assert finding.level == WARNING
    assert ", 0 have expired" not in finding.found


def test_dead_letters_of_a_subscription_are_watched_too() -> None:
    lost = ms.Subscription(endpoint="https://a.example.com", protocol="https", failure_rate=0.5, redrive="lost")
    scenario = ms.Scenario(
        horizon=60.0,
        topics={"news": ms.Topic(subscriptions=[lost])},
        queues={"lost": ms.Queue()},
        traffic={"t": ms.Traffic(to="news", rate=1)},
    )
    assert "these dead letters of news/https://a.example.com: " in _found(scenario, "queues.lost").found


def test_filters_on_bodies_are_judged_by_what_passed() -> None:
    wanted = {"kind": ["x"]}
    subscription = ms.Subscription(endpoint="q", filter_policy=wanted, filter_scope="MessageBody")
    scenario = attrs.evolve(
        _healthy(),
        topics={"news": ms.Topic(subscriptions=[subscription])},
        traffic={
            "few": ms.Traffic(to="news", rate=1, body='{{"kind": "x"}}'),
            "many": ms.Traffic(to="news", rate=99, body='{{"kind": "y"}}'),
        },
    )
    assert diagnose(scenario).findings == []
    silent = attrs.evolve(scenario, traffic={"none": ms.Traffic(to="news", rate=0)})
    assert diagnose(silent).findings == []


def test_a_diagnosis_is_text_html_and_plain_data() -> None:
    scenario = _healthy(queue={"redrive": ms.Redrive(to="dead", max_receive_count=1)}, workers={"wait_time": 0})
    diagnosis = diagnose(attrs.evolve(scenario, workers={"w": scenario.workers["w"]}), seed=4)
    assert diagnosis.verdict == "3 warnings"
    assert [len(diagnosis.warnings), len(diagnosis.notes)] == [3, 0]
    lines = str(diagnosis).splitlines()
    assert lines[0].startswith("- warning: queues.q.redrive.max_receive_count: 1 makes a dead letter of a message")
    assert lines[0].endswith("Allow 3 or more. (SQS-RCV-9, SQS-DLQ-3)")
    assert lines[-1].endswith("seed 4.")
    assert diagnosis._repr_html_().count("<li>") == 3
    plain = json.loads(json.dumps(diagnosis.to_dict()))
    assert plain["findings"][0]["rules"] == ["SQS-RCV-9", "SQS-DLQ-3"]
    assert (plain["seed"], plain["until"], plain["horizon"]) == (4, 600, 600)


def test_warnings_come_before_notes() -> None:
    noted = _healthy(queue={"redrive": None}, workers={"failure_rate": 0, "wait_time": 0})
    assert [finding.level for finding in diagnose(noted).findings] == [WARNING, NOTE, NOTE]


def test_a_long_scenario_is_simulated_in_part() -> None:
    assert _affordable(_healthy(horizon=ms.DAY)) == EVENTS / 2
    assert _affordable(_healthy(horizon=30 * ms.DAY, traffic={"rate": 0})) == POLLS * 20 / 5
    assert _affordable(_healthy(traffic={"rate": 1e7})) == pytest.approx(EVENTS / 1e7)
    assert _affordable(_healthy(workers={"count": ms.Constant(3)})) == 600
    assert diagnose(ms.Scenario(queues={"q": ms.Queue()})).until == ms.HOUR
    part = diagnose(_healthy(horizon=ms.DAY), until=100)
    assert str(part).endswith("Simulated: 100 s of 86,400 s (1 d 00 h), seed 0.")


def test_how_long_may_be_said() -> None:
    assert diagnose(_healthy(), until=30).until == 30
    assert diagnose(_healthy(warm_up=300.0), until=30).until == 30


def test_what_is_no_scenario_or_time_is_refused() -> None:
    with pytest.raises(DeclarationError, match=r"^scenario: 3 is not a Scenario"):
        diagnose(3)  # type: ignore[arg-type]
    with pytest.raises(DeclarationError, match=r"^until: 0 is not allowed; allowed: more than 0"):
        diagnose(_healthy(), until=0)
    with pytest.raises(DeclarationError, match=r"^seed: 1\.5 is not a whole number"):
        diagnose(_healthy(), seed=1.5)  # type: ignore[arg-type]


def test_the_same_seed_finds_the_same() -> None:
    scenario = ms.load("order-processing")
    one, other = diagnose(scenario, until=60, seed=3), diagnose(scenario, until=60, seed=3)
    assert one == other


EXAMPLES = {
    "appointment-reminders": {
        "outboxes.reminders.max_send_rate",
        "outboxes.reminders.max_24_hour_send",
        "queues.due.redrive",
    },
    "black-friday": {"outboxes.ses.max_send_rate"},
    "bounce-loop": {"queues.due.redrive"},
    "campaign": {"queues.due.redrive", "outboxes.club.max_24_hour_send"},
    "hot-account": set(),
    "incident-management": set(),
    "month-end": set(),
    "noisy-tenant": set(),
    "order-processing": set(),
    "webhook-outage": set(),
}
"""What each example is about, or does without, is found from its declarations; nothing else is."""


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_no_example_raises_a_false_alarm(name: str) -> None:
    diagnosis = diagnose(ms.load(name), until=120.0)
    assert {finding.path for finding in diagnosis.warnings} == EXAMPLES[name]


def test_all_examples_are_looked_at() -> None:
    assert sorted(EXAMPLES) == sorted(ms.examples())
    assert short_visibility in SYMPTOMS
    assert isinstance(diagnose(ms.load("webhook-outage"), until=1.0), Diagnosis)
