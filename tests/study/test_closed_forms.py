import doctest
from math import exp, factorial, inf, isclose, log, nan

import pytest

import msgsim as ms
from msgsim.errors import DeclarationError
from msgsim.study import closed_forms
from msgsim.study.closed_forms import GGc, MMc, consumers, erlang_b, erlang_c, fluid_drain


def test_the_examples_are_true() -> None:
    failed, tried = doctest.testmod(closed_forms)
    assert tried
    assert not failed


# ---------------------------------------------------------------- Erlang


@pytest.mark.parametrize(("servers", "offered"), [(1, 0.5), (2, 1.9), (5, 2.5), (20, 18.0), (20, 30.0)])
def test_erlang_b_is_the_last_term_of_a_truncated_poisson_law(servers: int, offered: float) -> None:
    terms = [offered**n / factorial(n) for n in range(servers + 1)]
    assert erlang_b(servers, offered) == pytest.approx(terms[-1] / sum(terms), rel=1e-12)


@pytest.mark.parametrize(("servers", "offered"), [(1, 0.5), (2, 1.9), (5, 2.5), (20, 18.0)])
def test_erlang_c_is_the_share_of_states_without_a_free_server(servers: int, offered: float) -> None:
    free = sum(offered**n / factorial(n) for n in range(servers))
    full = offered**servers / factorial(servers) / (1 - offered / servers)
    assert erlang_c(servers, offered) == pytest.approx(full / (free + full), rel=1e-12)


def test_one_server_is_busy_as_often_as_it_is_utilized() -> None:
    assert erlang_c(1, 0.3) == pytest.approx(0.3)


def test_nobody_comes_or_too_many() -> None:
    assert erlang_b(3, 0) == erlang_c(3, 0) == 0
    assert erlang_c(3, 3) == erlang_c(3, 1e9) == 1
    assert erlang_c(3, 2.999999999) == pytest.approx(1, abs=1e-8)
    assert erlang_b(1, 1e300) == 1


def test_many_servers_neither_overflow_nor_vanish_wrongly() -> None:
    assert erlang_b(5_000, 10) == 0
    assert erlang_c(5_000, 10) == 0
    assert 0.4 < erlang_c(10_000, 9_950) < 0.7


# ---------------------------------------------------------------- M/M/c


def system(arrival_rate: float = 2.1, service_time: float = 1, servers: int = 3) -> MMc:
    return MMc(arrival_rate=arrival_rate, service_time=service_time, servers=servers)


def test_one_server_is_m_m_1() -> None:
    one = system(0.8, 1, 1)
    assert one.offered == one.utilization == 0.8
    assert one.surplus == pytest.approx(0.2)
    assert one.waiting_time == pytest.approx(4)
    assert one.sojourn_time == pytest.approx(5)
    assert one.backlog == pytest.approx(3.2)
    for q in (0.0, 0.5, 0.99):
        assert one.sojourn_time_quantile(q) == pytest.approx(-5 * log(1 - q))
        assert one.waiting_time_quantile(q) == pytest.approx(max(0, 5 * log(0.8 / (1 - q))))


@pytest.mark.parametrize("servers", [1, 2, 3, 30])
@pytest.mark.parametrize("utilization", [0.1, 0.5, 2 / 3, 0.95])
def test_the_mean_is_the_area_below_the_tail(servers: int, utilization: float) -> None:
    queue = system(servers * utilization / 0.25, 0.25, servers)
    width = queue.sojourn_time / 100
    heights = [queue.sojourn_time_exceeds(n * width) for n in range(3_000)]
    assert heights[0] == pytest.approx(1)
    assert heights == sorted(heights, reverse=True)
    area = width * (sum(heights) - 0.5 * (heights[0] + heights[-1]))
    assert area == pytest.approx(queue.sojourn_time, rel=1e-4)


@pytest.mark.parametrize("q", [0, 0.01, 0.5, 0.9, 0.99, 0.999999])
@pytest.mark.parametrize("servers", [1, 2, 40])
def test_a_quantile_is_where_the_tail_is_what_is_left(q: float, servers: int) -> None:
    for utilization in (0.2, 0.5, 0.9):
        queue = system(servers * utilization, 1, servers)
        assert queue.sojourn_time_exceeds(queue.sojourn_time_quantile(q)) == pytest.approx(1 - q, rel=1e-9)


def test_a_sojourn_is_continuous_where_both_rates_meet() -> None:
    """Two servers, half busy: the surplus of service is that of one server, and the usual form divides by 0."""
    for t in (0.0, 0.3, 2.0, 9.0):
        at, beside = (system(rate, 1, 2).sojourn_time_exceeds(t) for rate in (1, 1 + 1e-7))
        assert isclose(at, beside, rel_tol=1e-5)
    assert system(1, 1, 2).sojourn_time_exceeds(2) == pytest.approx(exp(-2) * (1 + erlang_c(2, 1) * 2))


def test_without_a_steady_state_everything_is_infinite() -> None:
    for queue in (system(3), system(5)):
        assert not queue.is_stable
        assert queue.utilization == queue.delay_probability == 1
        assert queue.surplus <= 0
        assert queue.waiting_time == queue.sojourn_time == queue.backlog == inf
        assert queue.waiting_time_quantile(0.5) == queue.sojourn_time_quantile(0.5) == inf
        assert queue.sojourn_time_exceeds(1e9) == 1


def test_without_arrivals_nobody_waits() -> None:
    queue = system(0)
    assert queue.waiting_time == queue.backlog == queue.waiting_time_quantile(1) == 0
    assert queue.sojourn_time == 1
    assert queue.sojourn_time_quantile(0.5) == pytest.approx(log(2))


def test_the_ends_of_a_law() -> None:
    queue = system()
    assert queue.waiting_time_quantile(1) == queue.sojourn_time_quantile(1) == inf
    assert queue.waiting_time_quantile(0) == queue.sojourn_time_quantile(0) == 0
    assert queue.sojourn_time_exceeds(-1) == 1
    assert queue.waiting_time_quantile(1 - queue.delay_probability) == pytest.approx(0, abs=1e-12)


# ---------------------------------------------------------------- G/G/c


def test_exponential_times_are_m_m_c() -> None:
    exact = system()
    general = GGc.of(2.1, ms.Exponential(1), 3)
    assert general.service_cv == pytest.approx(1)
    assert general.waiting_time == pytest.approx(exact.waiting_time)
    assert general.sojourn_time == pytest.approx(exact.sojourn_time)
    for q in (0, 0.5, 0.99, 1):
        assert general.waiting_time_quantile(q) == pytest.approx(exact.waiting_time_quantile(q))


def test_one_server_is_pollaczek_and_khinchine() -> None:
    service = ms.LogNormal(mean=0.5, cv=2)
    exact = 1.2 * (service.variance + 0.25) / (2 * (1 - 0.6))
    assert GGc.of(1.2, service, 1).waiting_time == pytest.approx(exact)


def test_what_does_not_vary_does_not_wait() -> None:
    queue = GGc.of(2.9, ms.Fixed(1), 3, arrival_cv=0)
    assert queue.waiting_time == queue.waiting_time_quantile(0.99) == 0
    assert GGc.of(2.9, ms.Fixed(1), 3).waiting_time == pytest.approx(system(2.9).waiting_time / 2)


def test_heavy_tails_wait_for_ever_on_average() -> None:
    queue = GGc.of(1, ms.Pareto(1, 1.5), 3)
    assert queue.service_cv == inf
    assert queue.waiting_time == queue.sojourn_time == queue.waiting_time_quantile(0.5) == inf
    assert GGc.of(0, ms.Pareto(1, 1.5), 3).waiting_time == 0
    assert GGc.of(0, ms.Fixed(1), 3).waiting_time_quantile(0.9) == 0
    assert GGc.of(4, ms.Fixed(1), 3).waiting_time == GGc.of(4, ms.Fixed(1), 3).waiting_time_quantile(0.1) == inf


# ---------------------------------------------------------------- fluid


def test_a_backlog_drains_at_the_surplus() -> None:
    assert fluid_drain(12_000, 40) == 300
    assert fluid_drain(0, -3) == 0
    assert fluid_drain(1, 0) == fluid_drain(1, -3) == inf


@pytest.mark.parametrize(
    ("steady", "backlog", "rate", "objective", "needed"),
    [
        (20, 12_000, 2, 600, 30),
        (20.0001, 12_000, 2, 600, 31),
        (0, 9.9, 3.3, 1, 3),  # 3.0000000000000004
        (0, 0, 1, 1, 0),
        (2.5, 0, 1, 1, 3),
    ],
)
def test_consumers_for_a_drain_time(steady: float, backlog: float, rate: float, objective: float, needed: int) -> None:
    assert consumers(steady, backlog, rate, objective) == needed


def test_consumers_drain_a_backlog_in_time_and_one_fewer_does_not() -> None:
    count = consumers(steady=3.3, backlog=1_000, rate=4, objective=90)
    assert fluid_drain(1_000, 4 * (count - 3.3)) <= 90 < fluid_drain(1_000, 4 * (count - 1 - 3.3))


# ---------------------------------------------------------------- nonsense


@pytest.mark.parametrize(
    ("call", "path"),
    [
        (lambda: erlang_c(0, 1), "erlang_c.servers"),
        (lambda: erlang_c(1.5, 1), "erlang_c.servers"),  # type: ignore[arg-type]
        (lambda: erlang_c(10**12, 1), "erlang_c.servers"),
        (lambda: erlang_b(2, -1), "erlang_b.offered"),
        (lambda: erlang_c(2, nan), "erlang_c.offered"),
        (lambda: erlang_c(2, "1"), "erlang_c.offered"),  # type: ignore[arg-type]
        (lambda: system(servers=0), "MMc.servers"),
        (lambda: system(service_time=0), "MMc.service_time"),
        (lambda: system(arrival_rate=-1), "MMc.arrival_rate"),
        (lambda: system().waiting_time_quantile(1.1), "MMc.waiting_time_quantile"),
        (lambda: system().sojourn_time_quantile(nan), "MMc.sojourn_time_quantile"),
        (lambda: GGc.of(1, ms.Fixed(1), 2).waiting_time_quantile(-1), "GGc.waiting_time_quantile"),
        (lambda: GGc(arrival_rate=1, service_time=1, servers=1, service_cv=nan), "GGc.service_cv"),
        (lambda: fluid_drain(-1, 1), "fluid_drain.backlog"),
        (lambda: fluid_drain(1, nan), "fluid_drain.surplus"),
        (lambda: consumers(1, 1, 0, 1), "consumers.rate"),
        (lambda: consumers(1, 1, 1, 0), "consumers.objective"),
        (lambda: consumers(1, -1, 1, 1), "consumers.backlog"),
        (lambda: consumers(nan, 1, 1, 1), "consumers.steady"),
        (lambda: consumers(1, 1e300, 1e-300, 1), "consumers"),
    ],
)
def test_nonsense_is_refused(call: object, path: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        call()  # type: ignore[operator]
    assert caught.value.path == path
