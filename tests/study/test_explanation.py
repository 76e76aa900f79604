import json
from math import inf, isnan
from typing import Any

import attrs
import pytest

import msgsim as ms
from msgsim.errors import DeclarationError, UnknownName
from msgsim.formats import count
from msgsim.study.closed_forms import GGc, MMc, consumers, fluid_drain
from msgsim.study.explanation import FLUID, GENERAL, MARKOVIAN, Explanation, explain


def scenario(rate: Any = 2, *, queue: Any = None, traffic: Any = None, **pool: Any) -> ms.Scenario:
    declared = {"count": 3, "batch_size": 1, "service_time": ms.Exponential(1), **pool}
    return ms.Scenario(
        queues={"q": ms.Queue(**(queue or {})), "other": ms.Queue()},
        outboxes={"ses": ms.Outbox()},
        traffic={"t": ms.Traffic(to="q", rate=rate, **(traffic or {}))},
        workers={"w": ms.Workers(queue="q", **declared)},
    )


def explained(given: ms.Scenario, until: float = 200, warm_up: float = 20) -> Explanation:
    return explain(ms.simulate(given, until=until, warm_up=warm_up, probe=10), "q")


# ---------------------------------------------------------------- numbers


def test_run_and_forms_stand_side_by_side() -> None:
    run = ms.simulate(scenario(), until=400, warm_up=100, probe=20)
    made = explain(run, "q")
    times, sent = run.series("q", "sent")
    assert times[5] == 100
    assert made.arrival_rate == pytest.approx((sent[-1] - sent[5]) / 300)
    assert (made.servers, made.service_time, made.service_cv) == (3, 1, pytest.approx(1))
    exact = MMc(arrival_rate=made.arrival_rate, service_time=1, servers=3)
    lines = {line.quantity: line for line in made.lines}
    assert lines["utilization"].simulated == pytest.approx(run.mean("w", "utilization"))
    assert lines["utilization"].forms[MARKOVIAN] == exact.utilization
    assert lines["share that waits"].forms[MARKOVIAN] == exact.delay_probability
    waits = run.samples("q", "waiting_time")
    assert lines["share that waits"].simulated == sum(wait > 0 for wait in waits) / len(waits)
    assert lines["mean waiting_time"].simulated == run.mean("q", "waiting_time")
    for form in (MARKOVIAN, GENERAL):
        assert lines["mean waiting_time"].forms[form] == pytest.approx(exact.waiting_time)
        assert lines["p99 waiting_time"].forms[form] == pytest.approx(exact.waiting_time_quantile(0.99))
        assert lines["mean sojourn_time"].forms[form] == pytest.approx(exact.sojourn_time)
    assert lines["p99 sojourn_time"].forms[MARKOVIAN] == exact.sojourn_time_quantile(0.99)
    assert made.ignored == ()
    assert str(made).endswith("What the closed forms leave out:\n- nothing that the run had")


def test_a_drain_is_held_against_water() -> None:
    given = scenario(1 + ms.Spike(at=60, height=5, hold=20), traffic={"process": "regular"}, service_time=1)
    run = ms.simulate(given, until=200, probe=5)
    made = explain(run, "q")
    [line] = [line for line in made.lines if line.quantity.startswith("drain_time")]
    assert line.quantity == "drain_time after 1 min 20 s"
    assert line.forms == {FLUID: pytest.approx(fluid_drain(60, 2), abs=2)}
    assert line.simulated == pytest.approx(30, abs=2)
    assert "0 s" in str(made)
    [early] = [
        line
        for line in explain(ms.simulate(given.vary("traffic.t.rate.1.at", 0), until=200, probe=5), "q").lines
        if FLUID in line.forms
    ]
    assert early.forms[FLUID] > 30, "the rate before is not known, and the average is higher"


def test_workers_that_drain_in_time_are_said() -> None:
    """60 messages come within 20 s; what a message takes is 1 s."""
    given = scenario(ms.Steps([(0, 1), (100, 3), (120, 1)]), traffic={"process": "regular"}, service_time=1, count=2)
    run = ms.simulate(given, until=200, probe=5)
    assert [line for line in explain(run, "q").lines if line.show is count] == []
    lines = {line.quantity: line for line in explain(run, "q", within=5).lines}
    backlog = lines["drain_time after 2 min 00 s"].forms[FLUID]
    wanted = lines["workers to drain in 5.00 s after 2 min 00 s"]
    assert wanted.forms == {FLUID: consumers(steady=1, backlog=backlog, rate=1, objective=5)}
    assert wanted.forms[FLUID] == 5
    assert isnan(wanted.simulated)
    again = ms.simulate(given.vary("workers.w.count", ms.Steps([(0, 2), (120, 5)])), until=200, probe=1)
    [drained] = [line.simulated for line in explain(again, "q").lines if line.quantity.startswith("drain_time")]
    assert drained == pytest.approx(5, abs=2)
    with pytest.raises(DeclarationError, match=r"^within: 0 is not allowed; allowed: more than 0 \[s\]"):
        explain(run, "q", within=0)


def test_pools_count_by_what_they_do() -> None:
    given = scenario(rate=1, count=1, service_time=0.5)
    pool = ms.Workers(queue="q", count=1, batch_size=1, service_time=1.5)
    both = ms.Scenario(queues=given.queues, traffic=given.traffic, workers={**given.workers, "v": pool})
    run = ms.simulate(both, until=300, warm_up=10, probe=10)
    made = explain(run, "q")
    share = run.total("v", "processed") / (run.total("v", "processed") + run.total("w", "processed"))
    assert made.servers == 2
    assert made.service_time == pytest.approx(0.5 + share)
    assert made.service_cv == pytest.approx((share * (1 - share)) ** 0.5 / made.service_time)
    assert any("pools are not alike: a message takes 0.500 s to 1.50 s" in each for each in made.ignored)


def test_before_anything_is_done_pools_count_alike() -> None:
    given = scenario(rate=5, service_time=1000)
    pool = ms.Workers(queue="q", count=1, service_time=3000)
    both = ms.Scenario(queues=given.queues, traffic=given.traffic, workers={**given.workers, "v": pool})
    made = explained(both, 30, 0)
    assert made.service_time == 2000
    assert isnan({line.quantity: line for line in made.lines}["mean sojourn_time"].simulated)
    assert "no message was deleted after the warm-up" in made.ignored


def test_what_fails_comes_again() -> None:
    run = ms.simulate(scenario(failure_rate=0.5), until=400, probe=10)
    each = run.total("q", "received") / (run.total("q", "received") - run.total("q", "redelivered"))
    assert each > 1.5
    assert explain(run, "q").arrival_rate == pytest.approx(each * run.total("q", "sent") / 400)


def test_workers_that_cannot_keep_up_do_not_hide_it() -> None:
    made = explained(scenario(5), 200, 0)
    assert made.arrival_rate == pytest.approx(5, rel=0.1)
    assert {line.quantity: line for line in made.lines}["mean waiting_time"].forms[MARKOVIAN] == inf


def test_regular_arrivals_wait_less() -> None:
    made = explained(scenario(2, traffic={"process": "regular"}), 400, 100)
    general = GGc(arrival_rate=made.arrival_rate, service_time=1, servers=3, service_cv=1, arrival_cv=0)
    lines = {line.quantity: line for line in made.lines}
    assert lines["mean waiting_time"].forms[GENERAL] == pytest.approx(general.waiting_time)


def test_what_does_not_vary_has_no_variance() -> None:
    assert explained(scenario(service_time=0.05)).service_cv == 0


# ---------------------------------------------------------------- reasons


def test_few_unfinished_messages_are_not_worth_a_word() -> None:
    run = ms.simulate(scenario(traffic={"process": "regular"}, service_time=1), until=400, warm_up=20, probe=10)
    assert run.final("q", "in_flight") > 0
    assert not any("unfinished" in each for each in explain(run, "q").ignored)


def test_where_there_is_no_steady_state_the_beginning_does_not_matter() -> None:
    ignored = explained(scenario(5), 200, 0).ignored
    assert any("there is no steady state" in each for each in ignored)
    assert not any("empty queue" in each for each in ignored)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (
            scenario(2 + ms.Spike(at=100, height=9, hold=20)),
            "messages/s between readings; above the 3.00 that the workers handle",
        ),
        (scenario(ms.Steps([(0, 0.5), (100, 1)])), "the rate is not steady: "),
        (scenario(2, traffic={"process": "regular"}), "traffic is regular"),
        (scenario(2, queue={"fifo": True}, traffic={"groups": 9}), "the queue is FIFO: a message waits for those"),
        (scenario(2, traffic={"groups": 9}), "the queue is fair: who waits is not who came last"),
        (scenario(2, queue={"delay": 3}), "messages are delayed: 3.00 s by the queue"),
        (scenario(2, queue={"duplicates": 0.5}), "receives miss messages, bring them twice or out of order"),
        (
            scenario(1, failure_rate=0.3),
            "of the deliveries are repeats: each comes after the visibility timeout of 30.0 s",
        ),
        (scenario(1, batch_size=10), "workers take up to 10 messages at once: those in a batch"),
        (scenario(1, count=ms.Steps([(0, 2), (100, 5)])), "the number of workers changes: 2 to 5; the forms"),
        (scenario(1, service_time=ms.Pareto(0.5, 1.5)), "service times have no variance that is finite"),
        (scenario(1, service_time=0.5), "service times are not exponential, of which M/M/c is: their cv is 0"),
        (
            scenario(1, wait_time=0, poll_interval=2),
            "polls are short: a worker without work looks again only after 2.00 s",
        ),
        (scenario(1, on_refusal=ms.Retry(2, 1, 1)), "workers try refused actions again"),
        (scenario(1, handler=lambda _delivery, _context: None), "a Python function handles messages"),
        (scenario(5), "workers would be busy all the time, and there are 3.00"),
        (scenario(5), "unfinished at the end, and 0 messages gone otherwise than by deletion"),
    ],
)
def test_what_the_forms_leave_out_is_named(given: ms.Scenario, reason: str) -> None:
    made = explained(given)
    assert any(reason in each for each in made.ignored), made.ignored
    assert f"- {next(each for each in made.ignored if reason in each)}" in " ".join(str(made).split())
    assert max(map(len, str(made).splitlines())) <= 100


@pytest.mark.parametrize("joined", [False, True])
def test_what_an_outbox_throttles_is_named(joined: bool) -> None:
    email = ms.SendEmail(outbox="ses")
    action = ms.Join("both", parts=["w"], then=[email]) if joined else email
    given = scenario(1, on_success=[action])
    assert not any("throttled" in each for each in explained(given).ignored)
    limited = attrs.evolve(given, outboxes={"ses": ms.Outbox(max_send_rate=0.5)})
    run = ms.simulate(limited, until=200)
    said = f"ses throttled {run.total('ses', 'throttled'):,.0f} recipients: workers may not send as fast"
    assert any(each.startswith(said) for each in explain(run, "q").ignored)


def test_explanations_are_plain_data() -> None:
    made = explained(scenario(5, count=ms.Steps([(0, 2), (100, 2)])), 200, 0)
    found = made.to_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert (found["queue"], found["servers"], found["ignored"]) == ("q", 2.0, list(made.ignored))
    lines = {line["quantity"]: line for line in found["lines"]}
    assert lines["utilization"]["simulated"] == made.lines[0].simulated
    assert lines["mean waiting_time"][MARKOVIAN] is None, "infinite"
    assert FLUID not in lines["mean waiting_time"]


def test_a_run_without_a_warm_up_begins_empty() -> None:
    assert "the run begins with an empty queue, and no warm-up leaves that out" in explained(scenario(), 60, 0).ignored


def test_what_had_piled_up_is_named() -> None:
    """50 messages come in the first 10 s, one worker takes 1 s for each and is in the middle of the twentieth."""
    made = explained(scenario(ms.Steps([(0, 5), (10, 0)]), traffic={"process": "regular"}, count=1, service_time=1))
    assert made.arrival_rate == 0
    assert str(made).startswith("q: 0 deliveries/s for 1 workers, 1.00 s each (cv 0)")
    assert "31 messages had piled up when the warm-up ended" in made.ignored


def test_what_other_workers_send_is_not_poisson() -> None:
    given = ms.Scenario(
        queues={"first": ms.Queue(), "q": ms.Queue()},
        traffic={"t": ms.Traffic(to="first", rate=2)},
        workers={
            "a": ms.Workers(queue="first", count=3, service_time=1, on_success=[ms.SendMessage("q")]),
            "w": ms.Workers(queue="q", count=3, batch_size=1, service_time=ms.Exponential(1)),
        },
    )
    assert any("messages come from other workers" in each for each in explained(given).ignored)
    assert not any("messages come from" in each for each in explain(ms.simulate(given, until=60), "first").ignored)


def test_infinite_times_are_said_to_be() -> None:
    made = explained(scenario(5))
    assert "infinite" in str(made)
    html = made._repr_html_()
    assert "<td>infinite</td>" in html
    assert "<th>M/M/c</th>" in html
    assert html.count("<li>") == len(made.ignored)
    assert "<li>nothing that the run had</li>" in explained(scenario(), 400, 100)._repr_html_()


def test_times_that_nobody_measures_are_called_short() -> None:
    made = explained(scenario(count=12))
    [wait] = [line for line in made.lines if line.quantity == "mean waiting_time"]
    assert 0 < wait.forms["M/M/c"] < 1e-4
    [row] = [line for line in str(made).splitlines() if line.startswith("mean waiting_time")]
    assert "< 1.00 ms" in row
    assert repr(made) == f"<Explanation of q: {len(made.lines)} numbers, {len(made.ignored)} reasons>"


# ---------------------------------------------------------------- nonsense


def test_what_has_no_closed_form_is_refused() -> None:
    run = ms.simulate(scenario(), until=60)
    with pytest.raises(UnknownName, match="no entity named 'p'"):
        explain(run, "p")
    with pytest.raises(DeclarationError, match="w: is a pool; allowed: a queue"):
        explain(run, "w")
    with pytest.raises(DeclarationError, match="nobody works on it"):
        explain(run, "other")
    with pytest.raises(DeclarationError, match="nothing was received after the warm-up"):
        explain(ms.simulate(scenario(0), until=60), "q")
    with pytest.raises(DeclarationError, match="its workers take no time by what is declared"):
        explain(ms.simulate(scenario(service_time=0), until=60), "q")
