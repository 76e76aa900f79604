"""Closed forms of queueing theory, written from the books and not from the code under test; and intervals.

Sources:
    Kleinrock, L.: Queueing Systems, volume 1: Theory. Wiley, 1975. M/M/1: 3.2, M/M/m: 3.5, M/G/1: 5.6.
    Cooper, R. B.: Introduction to Queueing Theory, 2nd edition. North-Holland, 1981. Erlang B and C: 3.3, 3.4.
    Ross, S. M.: Introduction to Probability Models. Renewal theory: chapter 7; non-homogeneous Poisson: 5.4.
    Knoll, G. F.: Radiation Detection and Measurement, 4th edition. Wiley, 2010. Dead time: 4.VII.
"""

from collections.abc import Callable, Sequence
from math import exp, log, sqrt
from statistics import fmean, stdev

import attrs
from scipy import stats

CONFIDENCE = 0.999
"""Of every interval in these tests. Seeds are fixed, so a test that passes once always does: nothing is drawn anew.
Should the code draw its numbers in another order, then one interval in a thousand would miss the right value."""


@attrs.frozen
class Markovian:
    """M/M/c: Poisson arrivals, exponential service, `c` servers, one line.

    Attributes:
        arrival_rate: lambda [1/s].
        service_rate: mu, of one server [1/s].
        servers: c.
    """

    arrival_rate: float
    service_rate: float
    servers: int

    @property
    def load(self) -> float:
        """Offered load a = lambda / mu, in Erlang."""
        return self.arrival_rate / self.service_rate

    @property
    def utilization(self) -> float:
        """rho = a / c."""
        return self.load / self.servers

    @property
    def blocking(self) -> float:
        """Erlang B by its recursion B(n) = a B(n-1) / (n + a B(n-1)), B(0) = 1 (Cooper, 3.3)."""
        blocked = 1.0
        for n in range(1, self.servers + 1):
            blocked = self.load * blocked / (n + self.load * blocked)
        return blocked

    @property
    def delay_probability(self) -> float:
        """Erlang C, P(wait > 0) = B / (1 - rho (1 - B)) (Cooper, 3.4)."""
        blocked = self.blocking
        return blocked / (1 - self.utilization * (1 - blocked))

    @property
    def surplus(self) -> float:
        """c mu - lambda [1/s]."""
        return self.servers * self.service_rate - self.arrival_rate

    @property
    def waiting_time(self) -> float:
        """Mean Wq = C / (c mu - lambda) [s]."""
        return self.delay_probability / self.surplus

    @property
    def sojourn_time(self) -> float:
        """Mean W = Wq + 1 / mu [s]."""
        return self.waiting_time + 1 / self.service_rate

    def waiting_time_quantile(self, q: float) -> float:
        """From P(Wq > t) = C exp(-(c mu - lambda) t) (Cooper, 3.4) [s]."""
        return max(0.0, log(self.delay_probability / (1 - q)) / self.surplus)

    def sojourn_exceeds(self, t: float) -> float:
        """P(W > t) in M/M/1: exp(-(mu - lambda) t) (Kleinrock, 5.6)."""
        assert self.servers == 1
        return exp(-self.surplus * t)


def pollaczek_khinchine(arrival_rate: float, mean: float, variance: float) -> float:
    """Mean waiting time of M/G/1: Wq = lambda E[S^2] / (2 (1 - rho)) [s] (Kleinrock, 5.6)."""
    return arrival_rate * (variance + mean**2) / (2 * (1 - arrival_rate * mean))


def dead_letter_share(failure: float, receives: int) -> float:
    """P(all `receives` independent tries fail) = p^k."""
    return failure**receives


def receives_per_message(failure: float, receives: int) -> tuple[float, float]:
    """Mean and variance of min(Geometric(1 - p), k); the mean is (1 - p^k) / (1 - p)."""
    chances = [failure ** (n - 1) * (1 - failure) for n in range(1, receives)] + [failure ** (receives - 1)]
    mean = sum(n * chance for n, chance in enumerate(chances, 1))
    return mean, sum((n - mean) ** 2 * chance for n, chance in enumerate(chances, 1))


def rate_after_dead_time(arrival_rate: float, dead_time: float) -> float:
    """Accepted rate where each acceptance shuts the door for `dead_time`: 1 / (tau + 1 / lambda) (Knoll, 4.VII)."""
    return 1 / (dead_time + 1 / arrival_rate)


def drain_time(backlog: float, surplus: float) -> float:
    """Fluid approximation: how long a backlog lasts at a surplus of service over arrivals [s]."""
    return backlog / surplus


# ---------------------------------------------------------------- intervals


def student(values: Sequence[float]) -> tuple[float, float]:
    """The interval of the mean of independent replications, by Student's t."""
    half = stats.t.ppf(0.5 + CONFIDENCE / 2, len(values) - 1) * stdev(values) / sqrt(len(values))
    mean = fmean(values)
    return mean - half, mean + half


def assert_mean(values: Sequence[float], exact: float, *, precision: float) -> None:
    """The interval holds the exact value, and is narrow enough to mean something.

    Args:
        values: of independent replications.
        exact: by theory.
        precision: the largest allowed half width, as a share of the exact value.
    """
    low, high = student(values)
    assert low <= exact <= high, (low, exact, high)
    assert high - low <= 2 * precision * exact, (low, exact, high)


def assert_count(count: int, law: Callable[[float], tuple[float, float]]) -> None:
    """A count is within the interval of its law, such as `stats.poisson(5).interval`."""
    low, high = law(CONFIDENCE)
    assert low <= count <= high, (low, count, high)
