"""Pools with exponential times are exactly M/M/c: 20 independent replications from empty, intervals at 99.9 %.

Seeds are fixed: see `closed_forms.CONFIDENCE` for why no test can flake. Warm-up is at least ten relaxation times.
"""

from collections.abc import Callable, Sequence

import attrs
import pytest

import msgsim as ms
from msgsim.engine.actions import Action
from msgsim.run import Run
from tests.theory.closed_forms import Markovian, assert_mean, student

REPLICATIONS = 20
MESSAGES = 12_000
"""Per replication, after the warm-up."""

SYSTEMS = [
    Markovian(arrival_rate=0.5, service_rate=1, servers=1),
    Markovian(arrival_rate=1.5, service_rate=2, servers=1),
    Markovian(arrival_rate=2.1, service_rate=1, servers=3),
    Markovian(arrival_rate=8, service_rate=1, servers=10),
]


@attrs.frozen
class Case:
    """A system, and what came of simulating it."""

    system: Markovian
    runs: list[Run]

    def each(self, number: Callable[[Run], float]) -> list[float]:
        """A number of each replication."""
        return [number(run) for run in self.runs]


def pool(system: Markovian, queue: str, on_success: Sequence[Action] = ()) -> ms.Workers:
    service = ms.Exponential(1 / system.service_rate)
    return ms.Workers(queue=queue, count=system.servers, batch_size=1, service_time=service, on_success=on_success)


def replicate(scenario: ms.Scenario, messages: int, arrival_rate: float) -> list[Run]:
    length = messages / arrival_rate
    warm_up = 0.25 * length
    return [
        ms.simulate(scenario, until=warm_up + length, warm_up=warm_up, probe=length, seed=1, replication=replication)
        for replication in range(REPLICATIONS)
    ]


@pytest.fixture(scope="module", params=SYSTEMS, ids=lambda system: f"M/M/{system.servers}-{system.utilization:g}")
def case(request: pytest.FixtureRequest) -> Case:
    system: Markovian = request.param
    scenario = ms.Scenario(
        queues={"q": ms.Queue(visibility_timeout=43_200)},
        traffic={"t": ms.Traffic(to="q", rate=system.arrival_rate)},
        workers={"w": pool(system, "q")},
    )
    return Case(system, replicate(scenario, MESSAGES, system.arrival_rate))


def test_mean_waiting_time(case: Case) -> None:
    assert_mean(case.each(lambda run: run.mean("q", "waiting_time")), case.system.waiting_time, precision=0.15)


def test_mean_sojourn_time(case: Case) -> None:
    assert_mean(case.each(lambda run: run.mean("q", "sojourn_time")), case.system.sojourn_time, precision=0.06)


def test_probability_of_waiting(case: Case) -> None:
    """Erlang C."""

    def waited(run: Run) -> float:
        waits = run.samples("q", "waiting_time")
        return sum(wait > 0 for wait in waits) / len(waits)

    assert_mean(case.each(waited), case.system.delay_probability, precision=0.05)


@pytest.mark.parametrize(("q", "precision"), [(0.9, 0.1), (0.99, 0.3)])
def test_quantile_of_the_waiting_time(case: Case, q: float, precision: float) -> None:
    exact = case.system.waiting_time_quantile(q)
    assert_mean(case.each(lambda run: run.quantile("q", "waiting_time", q)), exact, precision=precision)


def test_utilization(case: Case) -> None:
    assert_mean(case.each(lambda run: run.mean("w", "utilization")), case.system.utilization, precision=0.015)


def test_lengths(case: Case) -> None:
    """The mean numbers in line and in service, by Little's law from the mean times."""
    in_line = case.system.arrival_rate * case.system.waiting_time
    assert_mean(case.each(lambda run: run.mean("q", "visible")), in_line, precision=0.16)
    assert_mean(case.each(lambda run: run.mean("q", "in_flight")), case.system.load, precision=0.015)


def test_littles_law(case: Case) -> None:
    """L and lambda W are estimated from different data; what differs is at the ends of the window, and 0 on average."""

    def difference(run: Run) -> float:
        length = run.mean("q", "visible") + run.mean("q", "in_flight")
        served = len(run.samples("q", "sojourn_time")) / (run.until - run.warm_up)
        return length / (served * run.mean("q", "sojourn_time")) - 1

    low, high = student(case.each(difference))
    assert low <= 0 <= high
    assert high - low < 0.005


def test_sojourn_time_of_one_server_is_exponential(case: Case) -> None:
    if case.system.servers > 1:
        return
    for t in (0.5, 2, 6):

        def exceeds(run: Run, t: float = t) -> float:
            sojourns = run.samples("q", "sojourn_time")
            return sum(sojourn > t for sojourn in sojourns) / len(sojourns)

        assert_mean(case.each(exceeds), case.system.sojourn_exceeds(t), precision=0.2)


def test_the_same_behind_a_topic_with_an_email_at_the_end() -> None:
    """What has an event for each message keeps to the same forms."""
    system = Markovian(arrival_rate=2.1, service_rate=1, servers=3)
    scenario = ms.Scenario(
        topics={"t": ms.Topic(subscriptions=(ms.Subscription(endpoint="q"),))},
        queues={"q": ms.Queue(visibility_timeout=43_200)},
        outboxes={"ses": ms.Outbox()},
        traffic={"source": ms.Traffic(to="t", rate=system.arrival_rate)},
        workers={"w": pool(system, "q", on_success=[ms.SendEmail("ses")])},
    )
    case = Case(system, replicate(scenario, 2_000, system.arrival_rate))
    assert_mean(case.each(lambda run: run.mean("q", "waiting_time")), system.waiting_time, precision=0.2)
    assert_mean(case.each(lambda run: run.mean("ses", "end_to_end_time")), system.sojourn_time, precision=0.08)
    assert_mean(case.each(lambda run: run.mean("w", "utilization")), system.utilization, precision=0.03)


@pytest.mark.parametrize(
    ("groups", "servers"), [(ms.UniformGroups(1), 1), (ms.UniformGroups(10**9), 3)], ids=["one group", "a group each"]
)
def test_a_fifo_queue_has_as_many_servers_as_groups_and_workers_allow(groups: ms.UniformGroups, servers: int) -> None:
    """Three workers: M/M/1 where all messages are of one group (FIFO-ORD-4), M/M/3 where each has its own."""
    system = Markovian(arrival_rate=0.7 * servers, service_rate=1, servers=servers)
    workers = Markovian(arrival_rate=system.arrival_rate, service_rate=1, servers=3)
    scenario = ms.Scenario(
        queues={"q": ms.Queue(fifo=True, visibility_timeout=43_200)},
        traffic={"t": ms.Traffic(to="q", rate=system.arrival_rate, groups=groups)},
        workers={"w": pool(workers, "q")},
    )
    case = Case(system, replicate(scenario, 2_500, system.arrival_rate))
    assert_mean(case.each(lambda run: run.mean("q", "waiting_time")), system.waiting_time, precision=0.3)
    assert_mean(case.each(lambda run: run.mean("q", "sojourn_time")), system.sojourn_time, precision=0.15)
    assert_mean(case.each(lambda run: run.mean("w", "busy")), system.load, precision=0.05)
