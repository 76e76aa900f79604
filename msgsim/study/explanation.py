"""Explanations: what a run and the closed forms say of one queue, side by side, and what the forms leave out."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from itertools import pairwise
from math import inf, isfinite, isnan, nan
from textwrap import fill
from typing import Any

import attrs

from msgsim.bus.queue import Queue
from msgsim.declare import check_number
from msgsim.engine.curves import Constant, RateCurve
from msgsim.engine.traffic import Traffic
from msgsim.engine.workers import Workers
from msgsim.errors import DeclarationError
from msgsim.formats import count, counted, duration, finite, share, significant
from msgsim.run import Run
from msgsim.scenario import Scenario
from msgsim.study.closed_forms import GGc, MMc, consumers, fluid_drain
from msgsim.study.grids import as_html, as_text
from msgsim.study.recovery import recoveries
from msgsim.study.triggers import Reach

MARKOVIAN, GENERAL, FLUID = "M/M/c", "G/G/c", "fluid"
FORMS = (MARKOVIAN, GENERAL, FLUID)

WIDTH = 100
"""Of the reasons as text [characters]."""

MOST_TRIGGERS = 5
"""So many spikes and outages have lines of their own."""

ROUNDING = 1e-12
"""A squared coefficient of variation below this is 0."""

BRIEFEST = 0.001
"""Times below this are none that anybody measures [s]."""

PILED = 0.1
"""Of what is received, so much may have been there before."""

ALIKE = 0.01
"""Rates and times that differ by less than this share are the same."""


@attrs.frozen
class Line:
    """One number by several ways.

    Attributes:
        quantity: what it is.
        simulated: by the run.
        forms: by each closed form that has it.
        show: a number of it in words.
    """

    quantity: str
    simulated: float
    forms: Mapping[str, float]
    show: Callable[[float], str]


@attrs.frozen(kw_only=True, repr=False)
class Explanation:
    """What a run and closed forms say of a queue.

    Attributes:
        queue: its name.
        arrival_rate: of messages, times the deliveries that each takes [1/s]: what workers would have to do.
        service_time: the mean over its workers [s].
        service_cv: standard deviation of the service time over its mean.
        servers: workers, on average.
        lines: the comparison.
        ignored: what the forms leave out and the run has, with numbers of the run.
    """

    queue: str
    arrival_rate: float
    service_time: float
    service_cv: float
    servers: float
    lines: Sequence[Line]
    ignored: Sequence[str]

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data; None is what is not finite."""
        lines = [{"quantity": line.quantity, "simulated": line.simulated, **line.forms} for line in self.lines]
        basis = attrs.asdict(self, filter=lambda attribute, _: attribute.name != "lines")
        found: dict[str, Any] = finite({**basis, "lines": lines})
        return found

    def __repr__(self) -> str:
        return f"<Explanation of {self.queue}: {len(self.lines)} numbers, {len(self.ignored)} reasons>"

    def __str__(self) -> str:
        table = as_text(("", "simulated", *FORMS), list(self._rows()))
        ignored = [
            fill(f"- {each}", WIDTH, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)
            for each in self.ignored or ["nothing that the run had"]
        ]
        return "\n".join([self._title(), "", table, "", "What the closed forms leave out:", *ignored])

    def _repr_html_(self) -> str:
        table = as_html(("", "simulated", *FORMS), list(self._rows()))
        ignored = "".join(f"<li>{escape(each)}</li>" for each in self.ignored or ["nothing that the run had"])
        return f"<p>{escape(self._title())}</p>{table}<p>What the closed forms leave out:</p><ul>{ignored}</ul>"

    def _title(self) -> str:
        return (
            f"{self.queue}: {significant(self.arrival_rate)} deliveries/s for {self.servers:.4g} workers, "
            f"{duration(self.service_time)} each (cv {_shown(significant, self.service_cv)})"
        )

    def _rows(self) -> Iterator[tuple[str, ...]]:
        for line in self.lines:
            forms = (_shown(line.show, line.forms[form]) if form in line.forms else "" for form in FORMS)
            yield line.quantity, _shown(line.show, line.simulated), *forms


def _time(seconds: float) -> str:
    return f"< {duration(BRIEFEST)}" if 0 < seconds < BRIEFEST else duration(seconds)


def _shown(show: Callable[[float], str], value: float) -> str:
    return "infinite" if value == inf else show(value)


def explain(run: Run, queue: str, *, within: float | None = None) -> Explanation:
    """Put a run and the closed forms of its averages beside each other.

    M/M/c and G/G/c get the run's mean rate, its mean number of workers, and the declared service times;
    `fluid` gets the backlog at each trigger's end, and what the workers can handle beyond the rate before the first.
    What the forms leave out explains the rest: `ignored` names it.

    Args:
        run: that is finished.
        queue: its name.
        within: in which time a trigger's backlog should drain [s]: `fluid` then has the workers that this takes, from
            the trigger's end on.

    Raises:
        UnknownName: there is no such entity.
        DeclarationError: it is no queue, nobody works on it or nothing arrived, the work takes no time, or `within` is
            not allowed.
    """
    if within is not None:
        check_number("within", within, above=True, unit="s")
    return _Comparison(run, queue, within).made()


class _Comparison:
    def __init__(self, run: Run, queue: str, within: float | None) -> None:
        kind = run.kind(queue)
        if kind != "queue":
            raise DeclarationError(queue, f"is a {kind}; allowed: a queue")
        self.run = run
        self.name = queue
        self.within = within
        self.scenario: Scenario = run.scenario
        self.declared: Queue = run.scenario.queues[queue]
        self.pools: dict[str, Workers] = {
            name: pool for name, pool in run.scenario.workers.items() if pool.queue == queue
        }
        if not self.pools:
            raise DeclarationError(f"queues.{queue}", "nobody works on it; closed forms are about queues with workers")
        times = run.times
        self.begin = min(bisect_left(times, run.warm_up), len(times) - 1)
        self.span = times[-1] - times[self.begin]
        self.arrivals = self._gained("sent") + self._gained("moved_in")
        self.deliveries = self._gained("received")
        if not self.deliveries:
            raise DeclarationError(f"queues.{queue}", "nothing was received after the warm-up: nothing to explain")
        self.times_each = self.deliveries / max(1.0, self.deliveries - self._gained("redelivered"))
        self.rate = self.times_each * self.arrivals / self.span
        self.servers = sum(run.mean(name, "count") for name in self.pools)
        self.service_time, self.service_cv = self._service()
        self.reach = Reach(run.scenario)
        self.sources: dict[str, Traffic] = {
            name: each for name, each in run.scenario.traffic.items() if queue in self.reach.of_traffic(each)
        }

    def _gained(self, metric: str) -> float:
        values = self.run.series(self.name, metric)[1]
        return float(values[-1] - values[self.begin])

    def _service(self) -> tuple[float, float]:
        """Mean [s] and cv over the pools, each as often as it worked."""
        worked = {name: self.run.total(name, "processed") for name in self.pools}
        total = sum(worked.values())
        shares = {name: worked[name] / total if total else 1 / len(worked) for name in worked}
        times = {name: pool.service_time for name, pool in self.pools.items()}
        mean = sum(shares[name] * each.mean for name, each in times.items())
        if not mean:
            raise DeclarationError(f"queues.{self.name}", "its workers take no time by what is declared: none waits")
        square = sum(shares[name] * (each.variance + each.mean * each.mean) for name, each in times.items())
        excess = square / mean / mean - 1.0
        return mean, excess**0.5 if excess > ROUNDING else 0.0

    def made(self) -> Explanation:
        return Explanation(
            queue=self.name,
            arrival_rate=self.rate,
            service_time=self.service_time,
            service_cv=self.service_cv,
            servers=self.servers,
            lines=tuple(self._lines()),
            ignored=tuple(self._ignored()),
        )

    # ---------------------------------------------------------------- numbers

    def _lines(self) -> Iterator[Line]:
        run, name = self.run, self.name
        servers = max(1, round(self.servers))
        exact = MMc(arrival_rate=self.rate, service_time=self.service_time, servers=servers)
        regular = len(self.sources) == 1 and all(each.process == "regular" for each in self.sources.values())
        general = GGc(
            arrival_rate=self.rate,
            service_time=self.service_time,
            servers=servers,
            service_cv=self.service_cv,
            arrival_cv=0.0 if regular else 1.0,
        )
        busy = sum(run.mean(pool, "busy") for pool in self.pools)
        load = {MARKOVIAN: exact.utilization, GENERAL: exact.utilization}
        yield Line("utilization", busy / self.servers if self.servers else nan, load, share)
        waits = run.samples(name, "waiting_time")
        waited = sum(wait > 0 for wait in waits) / len(waits) if waits else nan
        yield Line("share that waits", waited, {MARKOVIAN: exact.delay_probability}, share)
        both = {MARKOVIAN: exact.waiting_time, GENERAL: general.waiting_time}
        yield Line("mean waiting_time", run.mean(name, "waiting_time"), both, _time)
        for statistic, q in (("p90", 0.9), ("p99", 0.99)):
            both = {MARKOVIAN: exact.waiting_time_quantile(q), GENERAL: general.waiting_time_quantile(q)}
            yield Line(f"{statistic} waiting_time", run.quantile(name, "waiting_time", q), both, _time)
        both = {MARKOVIAN: exact.sojourn_time, GENERAL: general.sojourn_time}
        yield Line("mean sojourn_time", run.mean(name, "sojourn_time"), both, _time)
        yield Line(
            "p99 sojourn_time",
            run.quantile(name, "sojourn_time", 0.99),
            {MARKOVIAN: exact.sojourn_time_quantile(0.99)},
            _time,
        )
        found = recoveries(run, name)[:MOST_TRIGGERS]
        if found:
            rate = self._rate_before(found[0].trigger.start)
            surplus = self.servers / self.service_time - rate
            for each in found:
                backlog, after = self._backlog_at(each.trigger.end), duration(each.trigger.end)
                drained = {FLUID: fluid_drain(backlog, surplus)}
                yield Line(f"drain_time after {after}", each.drain_time, drained, _time)
                if self.within is not None:
                    wanted = consumers(rate * self.service_time, backlog, 1.0 / self.service_time, self.within)
                    quantity = f"workers to drain in {duration(self.within)} after {after}"
                    yield Line(quantity, nan, {FLUID: float(wanted)}, count)

    def _backlog_at(self, end: float) -> float:
        """At the last reading until an instant."""
        times, visible = self.run.series(self.name, "visible")
        return float(visible[bisect_right(times, end) - 1])

    def _rate_before(self, start: float) -> float:
        """Deliveries per second before the first trigger; over all, if there are no readings."""
        times = self.run.times
        end = bisect_right(times, start) - 1
        if end <= self.begin:
            return self.rate
        sent, moved = (self.run.series(self.name, metric)[1] for metric in ("sent", "moved_in"))
        came = float(sent[end] + moved[end] - sent[self.begin] - moved[self.begin])
        return self.times_each * came / (times[end] - times[self.begin])

    # ---------------------------------------------------------------- reasons

    def _ignored(self) -> Iterator[str]:
        yield from self._of_arrivals()
        yield from self._of_queue()
        yield from self._of_workers()
        yield from self._of_run()

    def _of_arrivals(self) -> Iterator[str]:
        if any(not isinstance(each.rate, Constant) for each in self.sources.values()):
            low, high = self._spread()
            capacity = self.servers / self.service_time
            words = f"the rate is not steady: {significant(low)} to {significant(high)} messages/s between readings"
            if high > capacity:
                words += f"; above the {significant(capacity)} that the workers handle, everything waits"
            yield words
        if not self.sources or any(self._sends(pool) for pool in self.scenario.workers.values()):
            yield "messages come from other workers, or from nothing that is declared: their arrivals are not Poisson"
        if any(each.process == "regular" for each in self.sources.values()):
            yield "traffic is regular: its arrivals vary less than Poisson's, of which M/M/c is"

    def _sends(self, pool: Workers) -> bool:
        """Whether what a pool does can come to the queue."""
        return pool.queue != self.name and bool(pool.on_success) and self.name in self.reach.after(pool.queue)

    def _spread(self) -> tuple[float, float]:
        times, sent = self.run.series(self.name, "sent")
        later = range(self.begin, len(times))
        rates = [(sent[after] - sent[at]) / (times[after] - times[at]) for at, after in pairwise(later)]
        return min(rates), max(rates)

    def _of_queue(self) -> Iterator[str]:
        declared = self.declared
        if declared.fifo:
            yield "the queue is FIFO: a message waits for those before it in its group, though workers are free"
        elif self.run.records[self.name].table == "fair queue":
            yield "the queue is fair: who waits is not who came last, so quantiles differ where means do not"
        if declared.delay or self.run.mean(self.name, "delayed") > 0:
            yield f"messages are delayed: {duration(declared.delay)} by the queue, which counts as waiting"
        if declared.sampled < 1 or declared.duplicates or declared.disorder:
            yield "receives miss messages, bring them twice or out of order, as the queue's imperfections say"
        repeated = self._gained("redelivered")
        if repeated:
            yield (
                f"{share(repeated / self.deliveries)} of the deliveries are repeats: each comes after the visibility "
                f"timeout of {duration(declared.visibility_timeout)}, which the sojourn has and no form knows"
            )

    def _of_workers(self) -> Iterator[str]:
        pools = self.pools.values()
        batch = max(pool.batch_size for pool in pools)
        if batch > 1:
            yield (
                f"workers take up to {batch} messages at once: those in a batch are done one after the other, "
                f"{duration(batch * self.service_time)} for a full one, though other workers may be free"
            )
        if any(isinstance(pool.count, RateCurve) for pool in pools):
            counts = [
                sum(each) for each in zip(*[self.run.series(name, "count")[1] for name in self.pools], strict=True)
            ]
            yield f"the number of workers changes: {min(counts):.0f} to {max(counts):.0f}; the forms have the average"
        means = [pool.service_time.mean for pool in pools]
        if max(means) > (1 + ALIKE) * min(means):
            yield f"pools are not alike: a message takes {duration(min(means))} to {duration(max(means))} on average"
        if not isfinite(self.service_cv):
            yield "service times have no variance that is finite: means of waiting times depend on how long one looks"
        elif abs(self.service_cv - 1) > ALIKE:
            yield f"service times are not exponential, of which M/M/c is: their cv is {significant(self.service_cv)}"
        slow = [pool.poll_interval for pool in pools if not pool.wait_time]
        if slow:
            yield f"polls are short: a worker without work looks again only after {duration(max(slow))}"
        if any(pool.handler is not None for pool in pools):
            yield "a Python function handles messages: what it takes beyond the declared service time is not known"
        for name, refused in self._throttled().items():
            yield (
                f"{name} throttled {counted(refused, 'recipient')}: workers may not send as fast as they can, and what "
                f"is refused comes again"
            )
        if any(pool.on_refusal != "return" for pool in pools):
            yield "workers try refused actions again, which takes them time beyond the service"

    def _throttled(self) -> dict[str, float]:
        """What outboxes refused of what these workers, or others, sent."""
        actions = [action for pool in self.pools.values() for action in pool.on_success]
        names = dict.fromkeys(name for action in actions for name in self.reach.targets(action))
        found = {name: self.run.total(name, "throttled") for name in names if name in self.scenario.outboxes}
        return {name: refused for name, refused in found.items() if refused}

    def _of_run(self) -> Iterator[str]:
        run, name = self.run, self.name
        offered = self.rate * self.service_time
        if offered >= max(1, round(self.servers)):
            yield (
                f"{significant(offered)} workers would be busy all the time, and there are "
                f"{significant(self.servers)}: there is no steady state, and what is simulated depends on how long"
            )
        elif not run.warm_up:
            yield "the run begins with an empty queue, and no warm-up leaves that out"
        gauges = [run.series(name, metric)[1] for metric in ("visible", "in_flight", "delayed")]
        early, left = (sum(values[place] for values in gauges) for place in (self.begin, -1))
        if run.warm_up and early > PILED * self.deliveries:
            yield f"{counted(early, 'message')} had piled up when the warm-up ended"
        gone = sum(run.total(name, metric) for metric in ("dead_lettered", "expired", "purged", "moved_out"))
        if left + gone > ALIKE * self.arrivals:
            yield (
                f"{counted(left, 'message')} unfinished at the end, and {counted(gone, 'message')} gone otherwise than "
                f"by deletion, are not in the simulated times"
            )
        if isnan(run.mean(name, "sojourn_time")):
            yield "no message was deleted after the warm-up"
