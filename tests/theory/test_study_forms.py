"""The closed forms and the recovery times that msgsim offers, held against the books and against runs.

Intervals are at 99.9 %, over 20 independent replications. Seeds are fixed: see `closed_forms.CONFIDENCE` for why no
test can flake.
"""

from collections.abc import Callable
from functools import cache

import pytest

import msgsim as ms
from msgsim.distributions import Distribution
from msgsim.run import Run
from msgsim.study.closed_forms import GGc, MMc, erlang_b, fluid_drain
from msgsim.study.recovery import recoveries
from tests.theory.closed_forms import Markovian, assert_mean, pollaczek_khinchine

REPLICATIONS = 20
SYSTEM = Markovian(arrival_rate=2.4, service_rate=1, servers=3)


@cache
def runs(service: Distribution, servers: int, arrival_rate: float, messages: int = 12_000) -> list[Run]:
    scenario = ms.Scenario(
        queues={"q": ms.Queue(visibility_timeout=43_200)},
        traffic={"t": ms.Traffic(to="q", rate=arrival_rate)},
        workers={"w": ms.Workers(queue="q", count=servers, batch_size=1, service_time=service)},
    )
    length = messages / arrival_rate
    return [
        ms.simulate(scenario, until=1.25 * length, warm_up=0.25 * length, probe=length, seed=3, replication=replication)
        for replication in range(REPLICATIONS)
    ]


# ---------------------------------------------------------------- the books


@pytest.mark.parametrize("servers", [1, 2, 7, 100])
@pytest.mark.parametrize("utilization", [0.05, 0.5, 0.9, 0.99])
def test_the_forms_are_those_of_the_books(servers: int, utilization: float) -> None:
    book = Markovian(arrival_rate=servers * utilization * 4, service_rate=4, servers=servers)
    ours = MMc(arrival_rate=book.arrival_rate, service_time=0.25, servers=servers)
    assert erlang_b(servers, book.load) == pytest.approx(book.blocking, rel=1e-12)
    assert ours.delay_probability == pytest.approx(book.delay_probability, rel=1e-12)
    assert ours.waiting_time == pytest.approx(book.waiting_time, rel=1e-9)
    assert ours.sojourn_time == pytest.approx(book.sojourn_time, rel=1e-9)
    assert ours.waiting_time_quantile(0.9) == pytest.approx(book.waiting_time_quantile(0.9), rel=1e-9)
    if servers == 1:
        assert ours.sojourn_time_exceeds(0.7) == pytest.approx(book.sojourn_exceeds(0.7), rel=1e-9)
        service = ms.Gamma(0.25, 0.6)
        exact = pollaczek_khinchine(book.arrival_rate, 0.25, service.variance)
        assert GGc.of(book.arrival_rate, service, 1).waiting_time == pytest.approx(exact, rel=1e-9)


# ---------------------------------------------------------------- runs


def waited(run: Run) -> float:
    waits = run.samples("q", "waiting_time")
    return sum(wait > 0 for wait in waits) / len(waits)


@pytest.mark.parametrize(
    ("number", "exact", "precision"),
    [
        (waited, lambda form: form.delay_probability, 0.05),
        (lambda run: run.mean("q", "waiting_time"), lambda form: form.waiting_time, 0.2),
        (lambda run: run.mean("q", "sojourn_time"), lambda form: form.sojourn_time, 0.1),
        (lambda run: run.quantile("q", "sojourn_time", 0.5), lambda form: form.sojourn_time_quantile(0.5), 0.1),
        (lambda run: run.quantile("q", "sojourn_time", 0.9), lambda form: form.sojourn_time_quantile(0.9), 0.1),
        (lambda run: run.quantile("q", "sojourn_time", 0.99), lambda form: form.sojourn_time_quantile(0.99), 0.2),
    ],
    ids=["Erlang C", "mean wait", "mean sojourn", "p50 sojourn", "p90 sojourn", "p99 sojourn"],
)
def test_a_pool_with_exponential_times_is_m_m_c(
    number: Callable[[Run], float], exact: Callable[[MMc], float], precision: float
) -> None:
    form = MMc(arrival_rate=SYSTEM.arrival_rate, service_time=1, servers=SYSTEM.servers)
    values = [number(run) for run in runs(ms.Exponential(1), SYSTEM.servers, SYSTEM.arrival_rate)]
    assert_mean(values, exact(form), precision=precision)


def test_one_worker_with_any_times_waits_as_allen_and_cunneen_say() -> None:
    service = ms.Gamma(1, 0.5)
    values = [run.mean("q", "waiting_time") for run in runs(service, 1, 0.7)]
    assert_mean(values, GGc.of(0.7, service, 1).waiting_time, precision=0.15)


@pytest.mark.parametrize(
    ("service", "within"), [(ms.Fixed(1), 0.1), (ms.LogNormal(mean=1, cv=1.5), 0.2)], ids=["fixed", "cv 1.5"]
)
def test_several_workers_wait_about_as_allen_and_cunneen_say(service: Distribution, within: float) -> None:
    """An approximation: at 90 % utilization within a tenth, and within a fifth where service times vary more."""
    found = [run.mean("q", "waiting_time") for run in runs(service, 4, 3.6)]
    assert sum(found) / len(found) == pytest.approx(GGc.of(3.6, service, 4).waiting_time, rel=within)


# ---------------------------------------------------------------- recovery


def test_a_spike_drains_like_water_on_average() -> None:
    """The backlog is a random walk with a drift, whose mean time to a level is distance / drift (Wald)."""
    scenario = ms.Scenario(
        queues={"q": ms.Queue(visibility_timeout=43_200)},
        traffic={"t": ms.Traffic(to="q", rate=5 + ms.Spike(at=200, height=25, hold=40))},
        workers={"w": ms.Workers(queue="q", count=10, batch_size=1, service_time=ms.Exponential(1))},
    )
    shares = []
    for replication in range(REPLICATIONS):
        run = ms.simulate(scenario, until=900, probe=4, seed=3, replication=replication)
        [recovery] = recoveries(run, "q")
        times, visible = run.series("q", "visible")
        _, in_flight = run.series("q", "in_flight")
        end = list(times).index(recovery.trigger.end)
        left = visible[end] + in_flight[end] - max(recovery.normal, 10)
        # Below ten messages workers are idle, and the drift is less: what is between normal and ten takes no account.
        shares.append(recoveries(run, "q", normal=max(recovery.normal, 10))[0].drain_time / fluid_drain(left, 5))
    assert_mean(shares, 1.0, precision=0.1)
