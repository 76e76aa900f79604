"""Closed forms of queueing theory: what can be said of a queue and its workers without a simulation.

Each says what it assumes. All of them take a steady state: rates that do not change, for ever. `explain` in
`msgsim.study.explanation` puts them beside a run.

Sources:
    Kleinrock, L.: Queueing Systems, volume 1: Theory. Wiley, 1975. M/M/m: 3.5.
    Cooper, R. B.: Introduction to Queueing Theory, 2nd edition. North-Holland, 1981. Erlang B and C: 3.3, 3.4.
    Allen, A. O.: Probability, Statistics, and Queueing Theory, 2nd edition. Academic Press, 1990. G/G/c: 5.2.
    Newell, G. F.: Applications of Queueing Theory, 2nd edition. Chapman and Hall, 1982. Fluid approximations: 2.
"""

from collections.abc import Callable
from functools import cached_property
from math import ceil, exp, expm1, inf, log

import attrs

from msgsim.declare import as_float, check_number, number
from msgsim.distributions import Distribution

MOST_SERVERS = 100_000_000
"""Erlang's recursion takes a step for each."""

SLACK = 1e-9
"""A number of workers that is whole but for rounding, relatively, is taken as whole."""


def erlang_b(servers: int, offered: float) -> float:
    """The probability that an arrival finds all servers busy where nobody waits (Cooper 3.3).

    Args:
        servers: 1 or more.
        offered: arrival rate times mean service time [Erlang].

    Raises:
        DeclarationError: an argument is not allowed.

    Cost: O(servers).
    """
    servers, offered = _checked("erlang_b", servers, offered)
    if not offered:
        return 0.0
    reciprocal = 1.0  # of the probability: it grows, and grows without bound where the probability vanishes
    for n in range(1, servers + 1):
        reciprocal = 1.0 + reciprocal * (n / offered)
    return 1.0 / reciprocal


def erlang_c(servers: int, offered: float) -> float:
    """The probability that an arrival waits, in M/M/c (Cooper 3.4); 1 where the servers cannot keep up.

    Args:
        servers: 1 or more.
        offered: arrival rate times mean service time [Erlang]; below `servers` in a steady state.

    Raises:
        DeclarationError: an argument is not allowed.

    Cost: O(servers).

    >>> round(erlang_c(3, 2.1), 4)
    0.4923
    """
    servers, offered = _checked("erlang_c", servers, offered)
    if offered >= servers:
        return 1.0
    blocked = erlang_b(servers, offered)
    return blocked / (1.0 - (offered / servers) * (1.0 - blocked))


def _checked(name: str, servers: int, offered: float) -> tuple[int, float]:
    check_number(f"{name}.servers", servers, low=1, high=MOST_SERVERS, integer=True)
    check_number(f"{name}.offered", offered, unit="Erlang")
    return int(servers), float(offered)


@attrs.frozen(kw_only=True)
class MMc:
    """Poisson arrivals, exponential service times, `servers` of them, one line: M/M/c. Exact.

    That is a queue with a pool of `batch_size=1` and `service_time=Exponential(mean)`, without failures.

    Attributes:
        arrival_rate: [1/s].
        service_time: the mean [s].
        servers: workers.
    """

    arrival_rate: float = number(unit="1/s")
    service_time: float = number(above=True, unit="s")
    servers: int = number(low=1, high=MOST_SERVERS, integer=True)

    @property
    def offered(self) -> float:
        """Arrival rate times mean service time [Erlang]: the workers that are busy on average."""
        return self.arrival_rate * self.service_time

    @property
    def utilization(self) -> float:
        """The share of the time that a worker is busy; 1 where they cannot keep up."""
        return min(1.0, self.offered / self.servers)

    @property
    def surplus(self) -> float:
        """What the workers could handle beyond what arrives [1/s]; negative where they cannot keep up."""
        return self.servers / self.service_time - self.arrival_rate

    @property
    def is_stable(self) -> bool:
        """Whether there is a steady state."""
        return self.offered < self.servers

    @cached_property
    def delay_probability(self) -> float:
        """That a message waits: Erlang C. Cost: O(servers), once."""
        return erlang_c(self.servers, self.offered)

    @property
    def waiting_time(self) -> float:
        """The mean, enqueue to first receive [s]; infinite where there is no steady state."""
        return self.delay_probability / self.surplus if self.is_stable else inf

    @property
    def sojourn_time(self) -> float:
        """The mean, enqueue to deletion [s]."""
        return self.waiting_time + self.service_time

    @property
    def backlog(self) -> float:
        """The mean number of messages that wait, by Little's law."""
        return self.arrival_rate * self.waiting_time if self.arrival_rate else 0.0

    def waiting_time_quantile(self, q: float) -> float:
        """Of the waiting time, which is 0 or else exponential [s].

        Raises:
            DeclarationError: `q` is not a number from 0 to 1.
        """
        check_number("MMc.waiting_time_quantile", q, high=1.0)
        if not self.is_stable:
            return inf
        return _delayed_quantile(self.delay_probability, 1.0 / self.surplus, q)

    def sojourn_time_exceeds(self, t: float) -> float:
        """The probability that a sojourn takes longer than `t` [s]: of a wait and an exponential service."""
        if not self.is_stable or t < 0.0:
            return 1.0
        served, drained = 1.0 / self.service_time, self.surplus
        slow, gap = min(served, drained), abs(served - drained)
        both = 1.0 + slow * (t if gap * t < SLACK else -expm1(-gap * t) / gap)  # of the sum of two exponentials
        waits = self.delay_probability
        return (1.0 - waits) * exp(-served * t) + waits * both * exp(-slow * t)

    def sojourn_time_quantile(self, q: float) -> float:
        """Of the sojourn time [s].

        Raises:
            DeclarationError: `q` is not a number from 0 to 1.
        """
        check_number("MMc.sojourn_time_quantile", q, high=1.0)
        if not self.is_stable or q == 1:
            return inf
        return _bisected(lambda t: self.sojourn_time_exceeds(t) <= 1.0 - q, self.service_time)


@attrs.frozen(kw_only=True)
class GGc:
    """`servers` workers whose service times have any distribution, and any arrivals: G/G/c by Allen and Cunneen.

    The mean wait is that of M/M/c times (ca² + cs²) / 2. Exact for M/M/c and, in the mean, for M/G/1; otherwise an
    approximation: of several workers that are 90 % busy within a tenth, or a fifth where service times vary much.

    Attributes:
        arrival_rate: [1/s].
        service_time: the mean [s].
        servers: workers.
        service_cv: standard deviation of the service time over its mean.
        arrival_cv: the same of the time between arrivals; 1 for Poisson arrivals, 0 for regular ones.
    """

    arrival_rate: float = number(unit="1/s")
    service_time: float = number(above=True, unit="s")
    servers: int = number(low=1, high=MOST_SERVERS, integer=True)
    service_cv: float = attrs.field(converter=as_float)
    arrival_cv: float = number(1.0)

    @service_cv.validator
    def _check_cv(self, _: object, value: object) -> None:
        if value != inf:  # the second moment of heavy tails diverges
            check_number("GGc.service_cv", value)

    @classmethod
    def of(cls, arrival_rate: float, service_time: Distribution, servers: int, arrival_cv: float = 1.0) -> "GGc":
        """With the moments of a distribution."""
        mean = service_time.mean
        cv = service_time.variance**0.5 / mean
        return cls(arrival_rate=arrival_rate, service_time=mean, servers=servers, service_cv=cv, arrival_cv=arrival_cv)

    @cached_property
    def markovian(self) -> MMc:
        """The same with exponential times."""
        return MMc(arrival_rate=self.arrival_rate, service_time=self.service_time, servers=self.servers)

    @property
    def waiting_time(self) -> float:
        """The mean, enqueue to first receive [s]; infinite where there is no steady state."""
        return self.markovian.waiting_time * self._factor if self.arrival_rate else 0.0

    @property
    def _factor(self) -> float:
        return 0.5 * (self.arrival_cv * self.arrival_cv + self.service_cv * self.service_cv)

    @property
    def sojourn_time(self) -> float:
        """The mean, enqueue to deletion [s]."""
        return self.waiting_time + self.service_time

    def waiting_time_quantile(self, q: float) -> float:
        """Of the waiting time [s], as if it were Erlang C's share of messages that wait, and theirs exponential.

        Raises:
            DeclarationError: `q` is not a number from 0 to 1.
        """
        check_number("GGc.waiting_time_quantile", q, high=1.0)
        waits = self.markovian.delay_probability
        if not waits:
            return 0.0
        mean = self.waiting_time / waits
        return mean if mean in (0.0, inf) else _delayed_quantile(waits, mean, q)


def _delayed_quantile(waits: float, mean: float, q: float) -> float:
    """Of what is 0, or with a probability exponential with a mean."""
    if q == 1:
        return inf if waits else 0.0
    return max(0.0, mean * log(waits / (1.0 - q))) if waits else 0.0


def _bisected(holds: Callable[[float], bool], scale: float) -> float:
    """The smallest time for which something holds that holds from then on."""
    low, high = 0.0, scale
    while not holds(high):
        low, high = high, 2.0 * high
    if holds(low):
        return low
    while (middle := 0.5 * (low + high)) not in (low, high):
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def fluid_drain(backlog: float, surplus: float) -> float:
    """How long a backlog lasts if messages flow like water [s]: infinite where the workers do not gain on it.

    Args:
        backlog: messages.
        surplus: what the workers handle per second, less what arrives [1/s]; may be negative.

    Raises:
        DeclarationError: an argument is not allowed.

    >>> fluid_drain(12_000, 40)
    300.0
    """
    check_number("fluid_drain.backlog", backlog, unit="messages")
    check_number("fluid_drain.surplus", surplus, low=-inf, unit="1/s")
    if not backlog:
        return 0.0
    return backlog / surplus if surplus > 0 else inf


def consumers(steady: float, backlog: float, rate: float, objective: float) -> int:
    """The workers that take away a backlog within a time while traffic goes on: steady + backlog / (rate x objective).

    Args:
        steady: workers that the traffic keeps busy: arrival rate times service time [Erlang].
        backlog: messages that have piled up.
        rate: messages that one worker handles [1/s].
        objective: within which time the backlog is to be gone [s].

    Returns:
        The next whole number. It leaves nothing for chance: with so many the mean of the drain time is the objective.

    Raises:
        DeclarationError: an argument is not allowed.

    >>> consumers(steady=20, backlog=12_000, rate=2, objective=600)
    30
    """
    check_number("consumers.steady", steady, unit="workers")
    check_number("consumers.backlog", backlog, unit="messages")
    check_number("consumers.rate", rate, above=True, unit="1/s")
    check_number("consumers.objective", objective, above=True, unit="s")
    needed = steady + backlog / rate / objective
    check_number("consumers", needed, high=MOST_SERVERS, unit="workers")
    return ceil(needed * (1.0 - SLACK))
