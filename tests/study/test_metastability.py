import json
from math import inf, isnan
from typing import Any

import attrs
import pytest

import msgsim as ms
from msgsim.errors import DeclarationError
from msgsim.study.metastability import (
    METASTABLE,
    OVERLOADED,
    READINGS,
    RECOVERING,
    RETURNS,
    Metastability,
    Prognosis,
    Trial,
    _grows,
    metastability,
)
from msgsim.study.recovery import recoveries

SPIKE = ms.Spike(at=300, height=10, hold=60)


def trap(rate: Any = 1.2, *, timeout: float = 12, spike: Any = SPIKE, **pool: Any) -> ms.Scenario:
    """10 workers of 4 s a message. Batches are small until there is a backlog; full ones take 40 s."""
    declared = {"count": 10, "batch_size": 10, "service_time": 4, **pool}
    return ms.Scenario(
        horizon=900,
        queues={"q": ms.Queue(visibility_timeout=timeout)},
        traffic={"t": ms.Traffic(to="q", rate=rate + spike)},
        workers={"w": ms.Workers(queue="q", **declared)},
    )


def judged(scenario: ms.Scenario, **options: Any) -> Prognosis:
    return metastability(scenario, **{"replications": 1, **options}).queues["q"]


# ---------------------------------------------------------------- verdicts


def test_full_batches_that_outlast_their_timeout_keep_a_backlog_up() -> None:
    verdict = judged(trap(), replications=2, patience=2)
    assert verdict.state == METASTABLE
    assert verdict.count(METASTABLE) == 2
    assert (verdict.gone, verdict.until) == (360, 360 + 2 * 540)
    for place, trial in enumerate(verdict.trials):
        assert trial.replication == place
        assert trial.backlog > 10 * trial.normal
        assert trial.twin < trial.normal < 30
        assert trial.work > 1.5 > trial.twin_work
        assert trial.remaining > verdict.until - verdict.gone
    assert str(verdict).startswith("q: metastable in 2 of 2 replications; ")
    assert "messages in it towards 18 min 00 s after the last trigger" in str(verdict)
    assert "deliveries per message instead of 1.0" in str(verdict)


@pytest.mark.parametrize("mended", [{"timeout": 60}, {"batch_size": 1}])
def test_a_timeout_for_full_batches_lets_the_queue_return(mended: dict[str, Any]) -> None:
    verdict = judged(trap(**mended))
    assert verdict.state == RETURNS
    [trial] = verdict.trials
    assert trial.remaining == 0
    assert trial.backlog <= trial.normal
    assert trial.work == pytest.approx(1, abs=0.2)
    assert str(verdict).startswith("q: returns in 1 of 1 replication; ")


def test_it_looks_longer_where_it_is_not_sure() -> None:
    """The spike leaves 590 messages and the surplus is 0.4 per second: 24 min, and 9 min are looked at."""
    slow = trap(2.1, timeout=60, batch_size=1)
    early = judged(slow, patience=1)
    assert early.state in (RECOVERING, METASTABLE)
    assert early.until == 900
    late = judged(slow, patience=8)
    assert late.state == RETURNS
    assert late.until > early.until


def test_what_falls_fast_enough_is_recovering() -> None:
    verdict = judged(trap(1.5, timeout=60, batch_size=1), until=700, patience=1)
    assert verdict.state == RECOVERING
    [trial] = verdict.trials
    assert 0 < trial.remaining <= 700 - 360
    assert trial.pace == pytest.approx(1, abs=0.4)
    assert "it falls by " in str(verdict)


def test_what_grows_without_a_spike_is_overloaded() -> None:
    verdict = judged(trap(3, batch_size=1, timeout=60))
    assert verdict.state == OVERLOADED
    assert "it grows without them, too" in str(verdict)
    assert verdict.until == 900


@pytest.mark.parametrize(
    ("quarters", "grows"),
    [
        ((10, 30, 50, 70), True),
        ((10, 50, 30, 70), False),  # it comes and goes
        ((30, 40, 50, 59), False),
        ((0, 1, 2, 10), False),
        ((0, 1, 2, 11), True),
    ],
)
def test_growth_goes_on(quarters: tuple[float, ...], grows: bool) -> None:
    assert _grows([float(each) for each in quarters for _ in range(5)]) is grows


def test_what_is_lost_is_not_back_to_normal() -> None:
    """Who has seen an old message fails from then on: no backlog is left, and no message is handled."""
    broken = set()

    def handle(delivery: Any, context: Any) -> None:
        if context.now - delivery.sent_at > 20:
            broken.add(context)
        if context in broken:
            raise RuntimeError

    given = trap(batch_size=1, handler=handle)
    queues = {
        "q": ms.Queue(visibility_timeout=5, redrive=ms.Redrive(to="dead", max_receive_count=1)),
        "dead": ms.Queue(),
    }
    found = metastability(attrs.evolve(given, queues=queues), replications=1, patience=2)
    assert list(found.queues) == ["q"], "nobody works on the dead letters"
    verdict = found.queues["q"]
    [trial] = verdict.trials
    assert trial.backlog <= trial.normal
    assert trial.lost == pytest.approx(1, abs=0.1)
    assert trial.twin_lost == 0
    assert verdict.state == METASTABLE
    assert verdict.until == 360 + 2 * 540
    assert str(verdict).endswith(f"{100 * trial.lost:.1f} % of the messages are lost instead of 0.0 %")


def test_normal_is_what_the_twin_has_at_that_time() -> None:
    """600 messages come at the beginning, with and without the spike, and take the workers six minutes."""
    begins = ms.Steps([(0, 20), (30, 1)])
    found = judged(trap(begins, timeout=60, batch_size=1, spike=ms.Spike(at=600, height=10, hold=10)))
    assert found.state == RETURNS
    assert found.trials[0].normal < 30


def test_where_nothing_comes_any_more_it_returns() -> None:
    verdict = judged(trap(0, timeout=60, batch_size=1, count=90))
    assert verdict.state == RETURNS
    assert isnan(verdict.trials[0].work)


def test_an_outage_is_a_trigger_too() -> None:
    server = ms.Server(outages=[ms.Outage(at=300, duration=60)])
    scenario = ms.Scenario(
        topics={"t": ms.Topic(subscriptions=[ms.Subscription(endpoint="q", server=server)])},
        queues={"q": ms.Queue()},
        traffic={"source": ms.Traffic(to="t", rate=1)},
        workers={"w": ms.Workers(queue="q", count=5, service_time=1)},
    )
    assert judged(scenario, until=900, probe=10).state == RETURNS


def test_same_seed_same_verdict() -> None:
    first, second = (judged(trap(), seed=5, patience=1) for _ in range(2))
    assert first == second
    assert judged(trap(), seed=6, patience=1) != first


# ---------------------------------------------------------------- what the triggers did


def test_each_trial_knows_what_each_trigger_did() -> None:
    twice = ms.Spike(at=100, height=10, hold=20) + ms.Spike(at=500, height=10, hold=30)
    growth = ms.Ramp(start=200, end=300, from_rate=0, to_rate=0.1)
    scenario = trap(timeout=60, batch_size=1, spike=twice + growth)
    verdict = judged(scenario, replications=2)
    for place, trial in enumerate(verdict.trials):
        run = ms.Simulation(scenario, replication=place)
        run.run(verdict.until)
        first, lasting, second = recoveries(run.result(), "q")
        assert lasting.trigger.lasting
        assert trial.recoveries == (first, second)
        assert (first.trigger.start, second.trigger.end) == (100, 530)
    assert verdict.drain_time == max(each.drain_time for trial in verdict.trials for each in trial.recoveries) > 0


def test_a_backlog_that_stays_takes_for_ever_to_drain() -> None:
    assert judged(trap(), patience=2).drain_time == inf
    assert isnan(Prognosis(queue="q", gone=10, until=70, trials=[trial(RETURNS)]).drain_time)


def test_it_is_plain_data() -> None:
    found = metastability(trap(), replications=1, patience=2)
    plain = found.to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["state"] == METASTABLE
    [queue] = plain["queues"]
    assert (queue["queue"], queue["state"], queue["gone"]) == ("q", METASTABLE, 360)
    [only] = queue["trials"]
    assert only["backlog"] == found.queues["q"].trials[0].backlog
    assert only["recoveries"][0]["drain_time"] is None
    assert only["recoveries"][0]["trigger"]["paths"] == ["traffic.t.rate.1"]


def test_progress_is_in_runs(capsys: pytest.CaptureFixture[str]) -> None:
    told: list[tuple[int, int]] = []
    metastability(trap(timeout=60, batch_size=1), replications=2, progress=lambda *done: told.append(done))
    assert told == [(0, 4), (2, 4)]
    with pytest.raises(KeyboardInterrupt):
        metastability(trap(), replications=2, progress=lambda done, _wanted: done < 1)
    with pytest.raises(DeclarationError, match=r"^progress: 'yes' is not a function of the runs done and wanted"):
        metastability(trap(), progress="yes")  # type: ignore[arg-type]
    assert capsys.readouterr().err == ""
    metastability(trap(timeout=60, batch_size=1), replications=1, progress=True)
    assert "0 of 2 runs" in capsys.readouterr().err


# ---------------------------------------------------------------- time


def test_there_is_as_much_time_after_as_the_triggers_took() -> None:
    verdict = judged(trap(timeout=60, spike=ms.Spike(at=100, height=1, hold=400)), until=520, probe=5)
    assert verdict.until == 500 + 400
    assert judged(trap(timeout=60, batch_size=1, count=90), until=361, probe=5).until == 360 + READINGS * 5


def test_it_stops_before_the_next_trigger() -> None:
    again = ms.Spike(at=300, height=10, hold=60, every=1000)
    verdict = judged(trap(spike=again))
    assert verdict.state == METASTABLE
    assert verdict.until == 1300


def test_triggers_must_leave_time_to_look() -> None:
    again = ms.Spike(at=300, height=10, hold=60, every=200)
    with pytest.raises(
        DeclarationError, match=r"probe: 9.* \[s\] is too long: it leaves fewer than 40 readings in the 2 min"
    ):
        metastability(trap(spike=again))


def test_triggers_of_the_warm_up_do_not_count() -> None:
    with pytest.raises(DeclarationError, match=r"that begins between 301 s \(5 min 01 s\) and 900 s \(15 min 00 s\)$"):
        metastability(trap(), warm_up=301)
    with pytest.raises(DeclarationError, match=r"that begins between 0 s and 100 s$"):
        metastability(trap(), 100)


# ---------------------------------------------------------------- nonsense, words


@pytest.mark.parametrize("rate", [1, ms.Ramp(start=300, end=400, from_rate=1, to_rate=2), ms.Steps([(0, 1), (300, 2)])])
def test_something_must_go_away(rate: Any) -> None:
    with pytest.raises(DeclarationError, match="nothing that goes away disturbs a queue with workers"):
        metastability(trap(rate, spike=0))


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"replications": 0}, "replications"),
        ({"replications": 1.5}, "replications"),
        ({"patience": 0.5}, "patience"),
        ({"until": -1}, "until"),
        ({"seed": "x"}, "seed"),
        ({"probe": 0}, "probe"),
        ({"probe": 900 / READINGS + 0.001}, "probe"),
        ({"probe": 1e9}, "probe"),
        ({"patience": 1e300}, "patience"),
    ],
)
def test_nonsense_is_refused(options: dict[str, Any], path: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        metastability(trap(), **options)
    assert caught.value.path == path


def trial(state: str, **given: Any) -> Trial:
    usual = {
        "replication": 0,
        "state": state,
        "backlog": 50,
        "twin": 3,
        "normal": 9,
        "pace": 0,
        "remaining": float("inf"),
        "work": 1,
        "twin_work": 1,
        "lost": 0,
        "twin_lost": 0,
    }
    return Trial(**{**usual, **given})


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (trial(RETURNS, backlog=3), "(at most 9.00)"),
        (trial(METASTABLE), "; it does not fall"),
        (trial(METASTABLE, pace=1e-6, remaining=1e6), "; it hardly falls"),
        (trial(METASTABLE, backlog=3, lost=0.3), "(at most 9.00); 30.0 % of the messages are lost instead of 0.0 %"),
        (trial(RECOVERING, pace=0.5, remaining=100), "; it falls by 0.500 messages/s, for another 1 min 40 s"),
        (trial(OVERLOADED), "; it grows without them, too"),
    ],
)
def test_verdicts_have_reasons(shown: Trial, words: str) -> None:
    assert str(Prognosis(queue="q", gone=10, until=70, trials=[shown])).endswith(words)


def test_the_worst_is_what_counts() -> None:
    mixed = Prognosis(queue="q", gone=10, until=70, trials=[trial(RETURNS), trial(METASTABLE), trial(RETURNS)])
    assert mixed.state == METASTABLE
    assert str(mixed).startswith("q: metastable in 1, returns in 2 of 3 replications; ")
    good = Prognosis(queue="a<b", gone=10, until=70, trials=[trial(RETURNS)])
    both = Metastability({"q": mixed, "a<b": good})
    assert both.state == METASTABLE
    assert str(both) == f"{mixed}\n{good}"
    assert repr(both) == "<Metastability: q metastable, a<b returns>"
    assert repr(good) == "<Prognosis of a<b: returns>"
    assert both._repr_html_().startswith("<p><strong>metastable</strong></p><ul><li>q: metastable in 1, ")
    assert "<li>a&lt;b: returns" in both._repr_html_()
