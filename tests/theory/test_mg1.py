"""A pool of one worker is M/G/1, whatever its service time: Pollaczek and Khinchine's formula, 20 replications, 99.9 %.

Moments are the textbook's for each distribution, not what the distribution says of itself. Seeds are fixed: see
`closed_forms.CONFIDENCE` for why no test can flake.
"""

import attrs
import pytest

import msgsim as ms
from msgsim.distributions import Distribution
from msgsim.run import Run
from tests.theory.closed_forms import assert_mean, pollaczek_khinchine, student

REPLICATIONS = 20
MESSAGES = 10_000
"""Per replication, after the warm-up."""


@attrs.frozen
class Case:
    """A service time with its first two moments, and the rate of arrivals.

    Attributes:
        service_time: as declared.
        mean, variance: by hand [s], [s^2].
        arrival_rate: [1/s].
        precision: the largest half width of the interval of the mean wait, as a share of it.
    """

    service_time: Distribution
    mean: float
    variance: float
    arrival_rate: float
    precision: float

    @property
    def utilization(self) -> float:
        """rho = lambda m."""
        return self.arrival_rate * self.mean

    @property
    def waiting_time(self) -> float:
        """Wq [s]."""
        return pollaczek_khinchine(self.arrival_rate, self.mean, self.variance)


CASES = {
    "M/D/1": Case(ms.Fixed(2), 2, 0, 0.35, 0.04),
    "M/D/1 light": Case(ms.Fixed(0.01), 0.01, 0, 20, 0.05),
    "gamma, regular": Case(ms.Gamma(1, cv=0.5), 1, 0.25, 0.7, 0.05),
    "gamma, bursty": Case(ms.Gamma(1, cv=2), 1, 4, 0.6, 0.15),
    "log-normal": Case(ms.LogNormal(0.25, cv=0.8), 0.25, 0.04, 2.8, 0.1),
    "log-normal, bursty": Case(ms.LogNormal(1, cv=1.5), 1, 2.25, 0.5, 0.15),
    "uniform": Case(ms.Uniform(0.5, 3.5), 2, 0.75, 0.35, 0.05),
    "exponential": Case(ms.Exponential(1), 1, 1, 0.7, 0.1),
    "mixture": Case(ms.Mixture([(3, ms.Fixed(1)), (1, ms.Uniform(4, 6))]), 2, 3 + 1 / 12, 0.35, 0.1),
    "two values": Case(ms.Empirical([0.5, 0.5, 0.5, 2.5]), 1, 0.75, 0.7, 0.1),
}


@pytest.fixture(scope="module", params=list(CASES.values()), ids=list(CASES))
def found(request: pytest.FixtureRequest) -> tuple[Case, list[Run]]:
    case: Case = request.param
    scenario = ms.Scenario(
        queues={"q": ms.Queue(visibility_timeout=43_200)},
        traffic={"t": ms.Traffic(to="q", rate=case.arrival_rate)},
        workers={"w": ms.Workers(queue="q", count=1, batch_size=1, service_time=case.service_time)},
    )
    length = MESSAGES / case.arrival_rate
    runs = [
        ms.simulate(scenario, until=1.2 * length, warm_up=0.2 * length, probe=length, seed=1, replication=replication)
        for replication in range(REPLICATIONS)
    ]
    return case, runs


def test_pollaczek_khinchine(found: tuple[Case, list[Run]]) -> None:
    case, runs = found
    assert_mean([run.mean("q", "waiting_time") for run in runs], case.waiting_time, precision=case.precision)
    sojourns = [run.mean("q", "sojourn_time") for run in runs]
    assert_mean(sojourns, case.waiting_time + case.mean, precision=case.precision)


def test_the_line_by_littles_law(found: tuple[Case, list[Run]]) -> None:
    case, runs = found
    in_line = case.arrival_rate * case.waiting_time
    assert_mean([run.mean("q", "visible") for run in runs], in_line, precision=case.precision + 0.02)


def test_a_worker_is_busy_a_share_rho_of_the_time(found: tuple[Case, list[Run]]) -> None:
    case, runs = found
    assert_mean([run.mean("w", "utilization") for run in runs], case.utilization, precision=0.02)
    assert_mean([run.mean("q", "in_flight") for run in runs], case.utilization, precision=0.02)


def test_arrivals_find_a_worker_free_as_often_as_it_is(found: tuple[Case, list[Run]]) -> None:
    """Poisson arrivals see time averages: P(wait = 0) = 1 - rho."""
    case, runs = found
    waits = [run.samples("q", "waiting_time") for run in runs]
    shares = [sum(wait > 0 for wait in each) / len(each) for each in waits]
    assert_mean(shares, case.utilization, precision=0.025)


def test_what_is_processed_is_what_came(found: tuple[Case, list[Run]]) -> None:
    case, runs = found
    served = [len(run.samples("q", "sojourn_time")) / (run.until - run.warm_up) for run in runs]
    low, high = student(served)
    assert low <= case.arrival_rate <= high
