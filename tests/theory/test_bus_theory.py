"""What theory says of arrivals, retries, sending rates, spikes and topics. Intervals are at 99.9 %.

Seeds are fixed: see `closed_forms.CONFIDENCE` for why no test can flake.
"""

from collections.abc import Callable
from itertools import pairwise
from math import cos, exp, inf, tau

import pytest
from scipy import integrate, stats

import msgsim as ms
from msgsim.engine.curves import RateCurve
from msgsim.run import Run
from tests.theory.closed_forms import (
    assert_count,
    assert_mean,
    dead_letter_share,
    drain_time,
    rate_after_dead_time,
    receives_per_message,
)

# ---------------------------------------------------------------- arrivals


def counts_per_probe(
    rate: RateCurve | float, until: float, probe: float, seed: int = 1
) -> tuple[list[int], list[float]]:
    """Arrivals of a source between probes, and the times of the probes."""
    source = ms.Traffic(to="q", rate=ms.Constant(rate) if isinstance(rate, (int, float)) else rate)
    run = ms.simulate(ms.Scenario(queues={"q": ms.Queue()}, traffic={"t": source}), until=until, probe=probe, seed=seed)
    times, arrivals = run.series("t", "arrivals")
    return [after - before for before, after in pairwise(arrivals)], times.tolist()


@pytest.mark.parametrize(("rate", "probe"), [(20, 5), (0.3, 20), (500, 0.1)])
def test_poisson_arrivals_have_poisson_counts(rate: float, probe: float) -> None:
    """Total, dispersion (mean = variance), lag-1 correlation, and the whole distribution of counts per probe."""
    windows = 600
    counts, _ = counts_per_probe(rate, windows * probe, probe)
    expected = rate * probe
    assert len(counts) == windows
    assert_count(sum(counts), stats.poisson(expected * windows).interval)
    dispersion = sum((count - expected) ** 2 for count in counts) / expected
    low, high = stats.chi2(windows).interval(0.999)
    assert low <= dispersion <= high

    correlation, _ = stats.pearsonr(counts[:-1], counts[1:])
    assert abs(correlation) < stats.norm.ppf(0.9995) / windows**0.5

    edges = [0, *(int(stats.poisson(expected).ppf(share / 10)) + 1 for share in range(1, 10)), 10**9]
    shares = [stats.poisson(expected).cdf(b - 1) - stats.poisson(expected).cdf(a - 1) for a, b in pairwise(edges)]
    observed = [sum(a <= count < b for count in counts) for a, b in pairwise(edges)]
    cells = [(seen, windows * share) for seen, share in zip(observed, shares, strict=True) if share > 0]
    fit = sum((seen - wanted) ** 2 / wanted for seen, wanted in cells)
    assert fit < stats.chi2(len(cells) - 1).ppf(0.999)


CURVES: dict[str, tuple[RateCurve, Callable[[float], float]]] = {
    "ramp": (ms.Ramp(200, 1000, 2, 30), lambda t: 2 + 28 * min(1.0, max(0.0, (t - 200) / 800))),
    "steps": (
        ms.Steps([(100, 12), (700, 1), (900, 25)]),
        lambda t: 12 * (100 <= t < 700) + (700 <= t < 900) + 25 * (t >= 900),
    ),
    "day": (ms.Diurnal(10, 10, 600, peak_at=150), lambda t: 10 + 10 * cos(tau * (t - 150) / 600)),
    "sum": (
        3 + 2 * ms.Diurnal(2, 1, 1200) + ms.Ramp(0, 1200, 10, 0),
        lambda t: 3 + 4 + 2 * cos(tau * (t - 600) / 1200) + 10 * (1 - t / 1200),
    ),
    "spike": (ms.Constant(2) + ms.Steps([(0, 0), (500, 20), (800, 0)]), lambda t: 2 + 20 * (500 <= t < 800)),
}


@pytest.mark.parametrize("name", CURVES)
def test_counts_follow_the_integral_of_the_rate(name: str) -> None:
    """The rates on the right are written by hand and integrated numerically."""
    curve, rate = CURVES[name]
    counts, times = counts_per_probe(curve, 1200, 20)
    expected = [integrate.quad(rate, a, b, limit=200)[0] for a, b in pairwise(times)]
    assert_count(sum(counts), stats.poisson(sum(expected)).interval)
    statistic = sum((count - mean) ** 2 / mean for count, mean in zip(counts, expected, strict=True) if mean > 3)
    low, high = stats.chi2(sum(mean > 3 for mean in expected)).interval(0.999)
    assert low <= statistic <= high
    assert all(count == 0 for count, mean in zip(counts, expected, strict=True) if mean == 0)


def test_a_spike_climbs_holds_and_decays() -> None:
    """A straight ramp of 100 s, a hold of 200 s, then exp(-t / 50 s)."""

    def rate(t: float) -> float:
        if t < 800:
            return 1 + 30 * max(0.0, min(1.0, (t - 500) / 100))
        return 1 + 30 * exp(-(t - 800) / 50)

    curve = ms.Constant(1) + ms.Spike(at=500, height=30, hold=200, ramp=100, decay=50)
    counts, times = counts_per_probe(curve, 1200, 50)
    for count, (a, b) in zip(counts, pairwise(times), strict=True):
        assert_count(count, stats.poisson(integrate.quad(rate, a, b)[0]).interval)


# ---------------------------------------------------------------- retries


@pytest.mark.parametrize(("failure", "receives"), [(0.1, 1), (0.3, 2), (0.5, 3), (0.9, 10), (1.0, 4)])
def test_failures_are_independent_and_the_last_one_is_dead_lettered(failure: float, receives: int) -> None:
    """Share p^k (binomial), and (1 - p^k) / (1 - p) receives per message (normal)."""
    scenario = ms.Scenario(
        queues={
            "q": ms.Queue(visibility_timeout=2, redrive=ms.Redrive(to="dead", max_receive_count=receives)),
            "dead": ms.Queue(),
        },
        traffic={"t": ms.Traffic(to="q", rate=ms.Steps([(0, 30), (100, 0)]))},
        workers={"w": ms.Workers(queue="q", count=50, batch_size=1, service_time=0.05, failure_rate=failure)},
    )
    run = ms.simulate(scenario, until=200, seed=1)
    messages = run.total("q", "sent")
    dead = run.total("q", "dead_lettered")
    assert dead + run.total("q", "deleted") == messages > 2_500
    assert run.total("dead", "moved_in") == run.final("dead", "visible") == dead
    assert_count(dead, stats.binom(messages, dead_letter_share(failure, receives)).interval)

    mean, variance = receives_per_message(failure, receives)
    if failure < 1:
        assert mean == pytest.approx((1 - failure**receives) / (1 - failure))
    half = stats.norm.ppf(0.9995) * (messages * variance) ** 0.5
    assert abs(run.total("q", "received") - messages * mean) <= half
    assert run.total("q", "redelivered") == run.total("q", "received") - messages
    assert run.total("w", "failed") == run.total("q", "received") - run.total("q", "deleted")


def test_a_failed_message_comes_back_after_its_visibility_timeout() -> None:
    """With free workers, the n-th receive is (n - 1) timeouts after the first: the sojourn tells n."""
    scenario = ms.Scenario(
        queues={"q": ms.Queue(visibility_timeout=30)},
        traffic={"t": ms.Traffic(to="q", rate=2)},
        workers={"w": ms.Workers(queue="q", count=100, batch_size=1, service_time=0.5, failure_rate=0.4)},
    )
    run = ms.simulate(scenario, until=4000, warm_up=1000, seed=1)
    tries = [(sojourn - 0.5) / 30 + 1 for sojourn in run.samples("q", "sojourn_time")]
    assert all(abs(each - round(each)) < 1e-9 for each in tries)
    for n in range(1, 6):
        expected = stats.binom(len(tries), 0.4 ** (n - 1) * 0.6)
        assert_count(sum(round(each) == n for each in tries), expected.interval)


# ---------------------------------------------------------------- sending rates


def emails(rate: float, outbox: ms.Outbox, until: float, replication: int = 0) -> Run:
    """Each event tries to send one email, at its instant and once."""
    scenario = ms.Scenario(
        queues={
            "q": ms.Queue(visibility_timeout=1, redrive=ms.Redrive(to="refused", max_receive_count=1)),
            "refused": ms.Queue(),
        },
        outboxes={"ses": outbox},
        traffic={"t": ms.Traffic(to="q", rate=rate)},
        workers={"w": ms.Workers(queue="q", count=50, batch_size=1, service_time=0, on_success=[ms.SendEmail("ses")])},
    )
    return ms.simulate(scenario, until=until, probe=1, seed=1, replication=replication)


@pytest.mark.parametrize("offered", [2, 10, 30])
def test_a_bucket_of_one_is_a_dead_time(offered: float) -> None:
    """Each accepted email empties the bucket, and the next one is accepted when it is full again."""
    until = 800 / offered
    accepted, attempted = [], []
    for replication in range(10):
        run = emails(offered, ms.Outbox(max_send_rate=10, burst=1), until, replication)
        accepted.append(run.total("ses", "accepted") / until)
        attempted.append(run.total("ses", "accepted") + run.total("ses", "throttled") - run.total("t", "arrivals"))
    assert_mean(accepted, rate_after_dead_time(offered, 1 / 10), precision=0.1)
    assert attempted == [0] * 10


@pytest.mark.parametrize(("offered", "burst"), [(5, None), (5, 100), (20, None), (20, 100), (60, 30)])
def test_a_bucket_lets_through_the_smaller_rate(offered: float, burst: float | None) -> None:
    """Long-run accepted rate = min(offered, max_send_rate), and no window has more than a burst on top of the rate."""
    rate, until = 10, 300
    run = emails(offered, ms.Outbox(max_send_rate=rate, burst=burst), until)
    size = burst or rate
    times, accepted = run.series("ses", "accepted")
    total = run.total("ses", "accepted")
    if offered < rate:
        arrivals = run.total("t", "arrivals")
        assert total >= 0.995 * arrivals
        assert_count(arrivals, stats.poisson(offered * until).interval)
    else:
        assert total == pytest.approx(rate * until + size, rel=0.01)
    lowest = inf
    for time, count in zip(times, accepted, strict=True):
        lowest = min(lowest, count - rate * time)
        assert count - rate * time - lowest <= size + 1e-6


@pytest.mark.parametrize("burst", [1, 30, 45])
def test_a_full_bucket_holds_a_burst(burst: int) -> None:
    """Of 100 emails at one instant, as many are accepted as the bucket holds; 2 s later, twice the rate."""
    scenario = ms.Scenario(
        queues={"q": ms.Queue(visibility_timeout=2)},
        outboxes={"ses": ms.Outbox(max_send_rate=5, burst=burst)},
        workers={"w": ms.Workers(queue="q", count=100, batch_size=1, service_time=0, on_success=[ms.SendEmail("ses")])},
    )
    simulation = ms.Simulation(scenario)
    simulation.run(10)
    for number in range(100):
        simulation.queues["q"].send(f"message {number}", 10)
    simulation.run(10)
    assert simulation.outboxes["ses"].accepted == burst
    simulation.run(12)
    assert simulation.outboxes["ses"].accepted == burst + min(burst, 2 * 5)


def test_workers_that_try_again_send_at_exactly_the_rate() -> None:
    """A backlog with patient workers keeps the bucket empty: what leaves is the rate times the time, and the burst."""
    scenario = ms.Scenario(
        queues={"q": ms.Queue(visibility_timeout=43_200)},
        outboxes={"ses": ms.Outbox(max_send_rate=8, burst=20)},
        traffic={"t": ms.Traffic(to="q", rate=40)},
        workers={
            "w": ms.Workers(
                queue="q",
                count=10,
                service_time=0.01,
                on_success=[ms.SendEmail("ses")],
                on_refusal=ms.Retry(attempts=1_000_000, base=0.05, cap=0.05),
            )
        },
    )
    run = ms.simulate(scenario, until=120, seed=1)
    assert run.total("ses", "accepted") == pytest.approx(20 + 8 * 120, abs=2)
    assert run.total("w", "failed") == 0
    assert run.mean("w", "utilization") > 0.99


# ---------------------------------------------------------------- spikes


def spike(process: str, replication: int = 0) -> Run:
    """10 per second, 50 during a minute; 10 workers do 20 per second."""
    scenario = ms.Scenario(
        queues={"q": ms.Queue(visibility_timeout=600)},
        traffic={"t": ms.Traffic(to="q", rate=10 + ms.Spike(at=100, height=40, hold=60), process=process)},
        workers={"w": ms.Workers(queue="q", count=10, batch_size=1, service_time=0.5)},
    )
    return ms.simulate(scenario, until=500, probe=2, seed=1, replication=replication)


BACKLOG = (50 - 20) * 60
SURPLUS = 20 - 10


def drained_after(run: Run) -> float:
    """From the end of the spike to the first probe with an empty line."""
    times, visible = run.series("q", "visible")
    return next(time for time, length in zip(times, visible, strict=True) if time > 160 and not length) - 160


def test_a_spike_drains_as_a_fluid() -> None:
    """Regular arrivals and fixed times: backlog and drain time are those of the fluid, to 1 %."""
    run = spike("regular")
    assert run.quantile("q", "visible", 1) == pytest.approx(BACKLOG, rel=0.01)
    assert drained_after(run) == pytest.approx(drain_time(BACKLOG, SURPLUS), rel=0.01)
    assert run.quantile("q", "waiting_time", 1) == pytest.approx(BACKLOG / 20, rel=0.01)
    assert run.quantile("q", "age_of_oldest_message", 1) == pytest.approx(BACKLOG / 20, rel=0.02)
    area = BACKLOG * 60 / 2 + BACKLOG * drain_time(BACKLOG, SURPLUS) / 2
    assert run.mean("q", "visible") * 500 == pytest.approx(area, rel=0.01)


def test_a_random_spike_drains_as_a_fluid_on_average() -> None:
    """The interval of the mean of 12 replications holds the fluid's drain time, and is within 10 % of it."""
    runs = [spike("poisson", replication) for replication in range(12)]
    assert_mean([drained_after(run) for run in runs], drain_time(BACKLOG, SURPLUS), precision=0.1)
    assert_mean([run.quantile("q", "visible", 1) for run in runs], BACKLOG, precision=0.06)


# ---------------------------------------------------------------- topics


def test_a_topic_multiplies_and_filters_and_loses_nothing() -> None:
    """Five subscriptions: all, half by a filter, none, some fail (binomial), some are late (Little's law)."""
    red, blue = {"colour": ["red"]}, {"colour": ["blue"]}
    queues = ("all", "red", "none", "unsure", "late")
    scenario = ms.Scenario(
        topics={
            "t": ms.Topic(
                subscriptions=(
                    ms.Subscription(endpoint="all"),
                    ms.Subscription(endpoint="red", filter_policy=red),
                    ms.Subscription(endpoint="none", filter_policy={"colour": ["green"]}),
                    ms.Subscription(endpoint="unsure", failure_rate=0.25, raw=True),
                    ms.Subscription(endpoint="late", delivery_delay=ms.Exponential(3), filter_policy=blue),
                )
            )
        },
        queues=dict.fromkeys(queues, ms.Queue()),
        traffic={
            "reds": ms.Traffic(to="t", rate=8, attributes={"colour": "red"}),
            "blues": ms.Traffic(to="t", rate=12, attributes={"colour": "blue"}),
        },
    )
    simulation = ms.Simulation(scenario, seed=1)
    simulation.run(600)
    run = simulation.result()
    reds, blues = run.total("reds", "arrivals"), run.total("blues", "arrivals")
    published = run.total("t", "published")
    assert published == reds + blues
    pending = simulation.topics["t"].pending
    ended = sum(run.total("t", name) for name in ("delivered", "filtered_out", "delivery_failed"))
    assert 5 * published == ended + pending
    for queue in queues:
        assert run.total(queue, "sent") == run.total(f"t/{queue}", "delivered")
        for name in ("delivered", "filtered_out", "delivery_failed"):
            assert sum(run.total(f"t/{each}", name) for each in queues) == run.total("t", name)
    assert run.total("all", "sent") == published
    assert (run.total("red", "sent"), run.total("t/red", "filtered_out")) == (reds, blues)
    assert (run.total("none", "sent"), run.total("t/none", "filtered_out")) == (0, published)
    assert_count(run.total("t/unsure", "delivery_failed"), stats.binom(published, 0.25).interval)
    assert run.total("late", "sent") + pending == blues
    assert_count(pending, stats.poisson(12 * 3).interval)


def test_each_of_k_subscriptions_gets_what_is_published() -> None:
    """Six queues behind one topic, each with workers: what leaves is six times what came, and nothing is in between."""
    names = [f"q{number}" for number in range(6)]
    scenario = ms.Scenario(
        topics={"t": ms.Topic(subscriptions=tuple(ms.Subscription(endpoint=name) for name in names))},
        queues=dict.fromkeys(names, ms.Queue()),
        traffic={"source": ms.Traffic(to="t", rate=ms.Steps([(0, 15), (200, 0)]))},
        workers={f"{name}-pool": ms.Workers(queue=name, count=8, service_time=ms.Exponential(0.4)) for name in names},
    )
    run = ms.simulate(scenario, until=300, seed=1)
    published = run.total("t", "published")
    assert run.total("t", "delivered") == sum(run.total(name, "deleted") for name in names) == 6 * published
    assert sum(run.total(f"{name}-pool", "processed") for name in names) == 6 * published
    _, came = run.series("t", "published")
    for name in names:
        rows = [run.series(name, each)[1] for each in ("deleted", "visible", "in_flight")]
        assert [sum(parts) for parts in zip(*rows, strict=True)] == came.tolist()
