"""Metastability: does a system come back by itself when what disturbed it is gone?

Some do not. A spike puts a queue into a state that keeps itself up: work that is done twice, retries that cause more
retries. The load is as it was, and was no problem before; yet the backlog stays, until somebody interferes. An example
is a visibility timeout that is long enough for the few messages of a batch in quiet times, and too short for the full
batches that workers get once there is a backlog.

`metastability` runs a scenario with and without what disturbs it, with the same seed, and looks at what is left long
after. What is normal is what the undisturbed twin has.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from html import escape
from math import fsum, inf, nan
from typing import Any

import attrs

from msgsim.declare import as_float, as_int, check_number
from msgsim.errors import DeclarationError
from msgsim.formats import counted, duration, exactly, finite, share, significant
from msgsim.run import Run
from msgsim.scenario import Scenario
from msgsim.simulation import Simulation
from msgsim.study.progress import Report, shown
from msgsim.study.recovery import NOTABLE, Recovery, recoveries
from msgsim.study.triggers import Trigger, triggers, without_triggers

RETURNS = "returns"
RECOVERING = "recovering"
METASTABLE = "metastable"
OVERLOADED = "overloaded"
STATES = (RETURNS, RECOVERING, METASTABLE, OVERLOADED)
"""From the best to the worst."""

READINGS = 40
"""So many there are at least after the triggers."""

MOST_PATIENCE = 1_000.0

LOST = 0.05
"""If so much more of what is sent is lost than in the twin, and twice as much, something is wrong."""


@attrs.frozen(kw_only=True)
class Trial:
    """What one replication shows of one queue, in the last quarter of the time after the triggers.

    Attributes:
        replication: which.
        state: "returns", "recovering", "metastable" or "overloaded".
        backlog: mean number of messages in the queue, waiting or in flight.
        twin: the same without the triggers.
        normal: the highest reading of the twin in the last half of that time.
        pace: at which the backlog falls [1/s]; negative where it grows.
        remaining: until it would be normal at that pace [s]; 0 if it is, infinite if it does not fall.
        work: deliveries per message that is sent, and `twin_work` without the triggers; 1 is the least.
        lost: share of what is sent that is dead-lettered or expires, and `twin_lost` without the triggers.
        recoveries: from each trigger that goes away: how long the backlog took to drain, and how high it was.
    """

    replication: int
    state: str
    backlog: float
    twin: float
    normal: float
    pace: float
    remaining: float
    work: float
    twin_work: float
    lost: float
    twin_lost: float
    recoveries: Sequence[Recovery] = ()


@attrs.frozen(kw_only=True, repr=False)
class Prognosis:
    """Whether one queue returns to normal.

    Attributes:
        queue: its name.
        gone: when the last trigger is over [s].
        until: how far it was simulated [s].
        trials: one per replication.
    """

    queue: str
    gone: float
    until: float
    trials: Sequence[Trial]

    @property
    def state(self) -> str:
        """The worst of the replications: what can happen once will happen."""
        return max((trial.state for trial in self.trials), key=STATES.index)

    def count(self, state: str) -> int:
        """How many replications ended in a state."""
        return sum(trial.state == state for trial in self.trials)

    @property
    def drain_time(self) -> float:
        """The longest that the backlog took after a trigger in any replication [s]; infinite if it did not drain."""
        return max((each.drain_time for trial in self.trials for each in trial.recoveries), default=nan)

    def __repr__(self) -> str:
        return f"<Prognosis of {self.queue}: {self.state}>"

    def __str__(self) -> str:
        worst = max(self.trials, key=lambda trial: (STATES.index(trial.state), trial.backlog))
        often = ", ".join(f"{each} in {self.count(each)}" for each in reversed(STATES) if self.count(each))
        after = duration(self.until - self.gone)
        there = (
            f"{significant(worst.backlog)} messages in it towards {after} after the last trigger, "
            f"{significant(worst.twin)} without the triggers (at most {significant(worst.normal)})"
        )
        return f"{self.queue}: {often} of {counted(len(self.trials), 'replication')}; {there}{_because(worst)}"


def _because(trial: Trial) -> str:
    """What follows from the numbers, in words."""
    found = []
    if trial.state == OVERLOADED:
        found.append("it grows without them, too")
    if trial.state == RECOVERING:
        found.append(f"it falls by {significant(trial.pace)} messages/s, for another {duration(trial.remaining)}")
    if trial.state == METASTABLE and trial.backlog > trial.normal:
        found.append("it does not fall" if trial.remaining == inf else "it hardly falls")
    if trial.state in (RECOVERING, METASTABLE):
        if trial.work > trial.twin_work:
            found.append(f"{trial.work:.2f} deliveries per message instead of {trial.twin_work:.2f}")
        if trial.lost > trial.twin_lost:
            found.append(f"{share(trial.lost)} of the messages are lost instead of {share(trial.twin_lost)}")
    return "".join(f"; {each}" for each in found)


@attrs.frozen(repr=False)
class Metastability:
    """Whether the queues of a scenario return to normal.

    Attributes:
        queues: those with workers that a trigger reaches, by name.
    """

    queues: Mapping[str, Prognosis]

    @property
    def state(self) -> str:
        """The worst of its queues'."""
        return max((each.state for each in self.queues.values()), key=STATES.index)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data; None is what is not finite."""
        queues = [{"state": each.state, **attrs.asdict(each)} for each in self.queues.values()]
        return {"state": self.state, "queues": finite(queues)}

    def __repr__(self) -> str:
        states = ", ".join(f"{name} {each.state}" for name, each in self.queues.items())
        return f"<Metastability: {states}>"

    def __str__(self) -> str:
        return "\n".join(map(str, self.queues.values()))

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{escape(str(each))}</li>" for each in self.queues.values())
        return f"<p><strong>{escape(self.state)}</strong></p><ul>{items}</ul>"


def metastability(
    scenario: Scenario,
    until: float | None = None,
    seed: int = 0,
    *,
    warm_up: float | None = None,
    probe: float | None = None,
    replications: int = 3,
    patience: float = 4.0,
    progress: Report | bool | None = None,
) -> Metastability:
    """Find out whether queues come back to normal once spikes, steps and outages are over.

    The scenario and its twin without triggers run side by side. A queue returns if, in the last quarter of the time
    after its triggers, its mean number of messages is not above the highest reading of the twin in the last half, and
    no more of them are lost. If it does not, both go on for as long again, and again, up to `patience` times the first
    time, or until another trigger begins. A queue that would be back within as long as it was looked at is recovering;
    one that is not even falling that fast is metastable. If the twin's queue grows by itself, the queue is overloaded.

    A handler that remembers something must do so by its context: the runs go on side by side, with the same function.

    Args:
        scenario: with triggers that go away (see `triggers`).
        until: how far they run at first [s]; None for the scenario's own horizon. It goes on until there is at least
            as much time after the triggers as they took.
        seed: of the random streams; the twin has the same.
        warm_up: triggers that begin before do not count [s]; None for the scenario's own.
        probe: time between readings, at most a fortieth of `until` [s]; None for a hundredth, at most 60 s.
        replications: how many of each.
        patience: how many times as long to look, 1 to 1,000.
        progress: True shows a bar; or a function that is called with the runs done and wanted.

    Returns:
        A prognosis for each queue that has workers and is reached by a trigger.

    Raises:
        DeclarationError: an argument is not allowed, or nothing goes away that disturbs a queue with workers.
        KeyboardInterrupt: `progress` says that it ends here.

    Cost: two runs for each replication, each up to `patience` times as long after the triggers.
    """
    check_number("replications", replications, low=1, integer=True)
    check_number("patience", patience, low=1, high=MOST_PATIENCE)
    first = Simulation(scenario, seed=seed, warm_up=warm_up, probe=probe, horizon=until)
    horizon = as_float(scenario.horizon if until is None else until)
    rule = f"{READINGS} readings until {horizon:g} s"
    check_number("probe", first.probe_interval, high=horizon / READINGS, above=True, unit="s", rule=rule)
    watched = _watched(scenario, horizon, first.warm_up)
    looks = _looks(scenario, watched, horizon, first.probe_interval, patience)
    calm = without_triggers(scenario)
    ends: dict[str, float] = {}
    trials: dict[str, list[Trial]] = {name: [] for name in watched}
    wanted = as_int(replications)
    with shown(progress) as report:
        for replication in range(wanted):
            if report(2 * replication, 2 * wanted) is False:
                raise KeyboardInterrupt
            terms = {"seed": seed, "warm_up": warm_up, "probe": first.probe_interval, "horizon": horizon}
            pair = [Simulation(each, **terms, replication=replication) for each in (scenario, calm)]
            look, found = _looked(pair, looks, watched)
            for name, trial in found.items():
                trials[name].append(trial)
                ends[name] = max(look, ends.get(name, 0.0))
    return Metastability(
        {
            name: Prognosis(queue=name, gone=some[-1].end, until=ends[name], trials=tuple(trials[name]))
            for name, some in watched.items()
        }
    )


def _looked(
    pair: Sequence[Simulation], looks: Sequence[float], watched: Mapping[str, Sequence[Trigger]]
) -> tuple[float, dict[str, Trial]]:
    """Run a scenario and its twin until it is clear what becomes of all queues, or to the last look.

    Returns:
        How far they were run [s], and what they showed.
    """
    for look in looks:
        run, twin = (_until(simulation, look) for simulation in pair)
        found = {
            name: _judge(run, twin, name, gone=some[-1].end, last=look == looks[-1]) for name, some in watched.items()
        }
        if all(trial.state in (RETURNS, OVERLOADED) for trial in found.values()):
            break
    return look, found


def _until(simulation: Simulation, look: float) -> Run:
    simulation.run(look)
    run = simulation.result()
    run.audit()
    return run


def _watched(scenario: Scenario, horizon: float, warm_up: float) -> dict[str, list[Trigger]]:
    """The queues to look at, each with its triggers."""
    served = {pool.queue for pool in scenario.workers.values()}
    found = {}
    for name, some in triggers(scenario, horizon).items():
        passing = [each for each in some if each.start >= warm_up and not each.lasting]
        if name in served and passing:
            found[name] = passing
    if not found:
        problem = (
            "nothing that goes away disturbs a queue with workers: it needs a spike, steps up and down, or an outage, "
            f"that begins between {exactly(warm_up)} and {exactly(horizon)}"
        )
        raise DeclarationError("scenario", problem)
    return found


def _looks(
    scenario: Scenario, watched: Mapping[str, Sequence[Trigger]], horizon: float, probe: float, patience: float
) -> list[float]:
    """When to look: for twice as long each time."""
    gone = max(some[-1].end for some in watched.values())
    took = max(trigger.end - trigger.start for some in watched.values() for trigger in some)
    span = max(horizon - gone, took, READINGS * probe)
    last = gone + patience * span
    later = [
        trigger.start
        for name, some in triggers(scenario, last).items()
        for trigger in some
        if name in watched and trigger.start > gone
    ]
    last = min([last, *later])
    if last - gone < READINGS * probe:
        problem = (
            f"{probe!r} [s] is too long: it leaves fewer than {READINGS} readings in the {duration(last - gone)} "
            f"between two triggers"
        )
        raise DeclarationError("probe", problem)
    found = []
    while gone + span < last:
        found.append(gone + span)
        span *= 2.0
    return [*found, last]


def _judge(run: Run, twin: Run, queue: str, *, gone: float, last: bool) -> Trial:
    """What both runs, which are as long, show of a queue."""
    times = run.times
    after = bisect_left(times, gone)
    quarter = (len(times) - after) // 4
    late, before = slice(-quarter, None), slice(-2 * quarter, -quarter)
    messages, calm = _messages(run, queue), _messages(twin, queue)
    normal = max(calm[-2 * quarter :])
    backlog, earlier = _mean(messages[late]), _mean(messages[before])
    pace = (earlier - backlog) / (quarter * run.probe)
    remaining = 0.0 if backlog <= normal else ((backlog - normal) / pace if pace > 0 else inf)
    work, lost = _rates(run, queue, quarter)
    twin_work, twin_lost = _rates(twin, queue, quarter)
    if _grows(calm):
        state = OVERLOADED
    elif backlog <= normal and not lost > max(2.0 * twin_lost, twin_lost + LOST):
        state = RETURNS
    elif remaining <= run.until - gone and (backlog > normal or not last):
        state = RECOVERING
    else:
        state = METASTABLE
    return Trial(
        replication=run.replication,
        state=state,
        backlog=backlog,
        twin=_mean(calm[late]),
        normal=normal,
        pace=pace,
        remaining=remaining,
        work=work,
        twin_work=twin_work,
        lost=lost,
        twin_lost=twin_lost,
        recoveries=tuple(each for each in recoveries(run, queue) if not each.trigger.lasting),
    )


def _messages(run: Run, queue: str) -> list[float]:
    gauges = [run.series(queue, metric)[1] for metric in ("visible", "in_flight", "delayed")]
    return [float(sum(each)) for each in zip(*gauges, strict=True)]


def _grows(values: Sequence[float]) -> bool:
    """Whether readings from the beginning on, where there was nothing, grow without end."""
    size = len(values) // 4
    means = [_mean(values[place * size : (place + 1) * size]) for place in range(4)]
    first = max(values[:size])
    return means == sorted(means) and means[-1] > max(2.0 * first, first + NOTABLE)


def _mean(values: Sequence[float]) -> float:
    return fsum(values) / len(values)


def _rates(run: Run, queue: str, quarter: int) -> tuple[float, float]:
    """Deliveries per message sent, and share of what is sent that is lost, over the last readings; NaN of nothing."""

    def gained(metric: str) -> float:
        values = run.series(queue, metric)[1]
        return float(values[-1] - values[-1 - quarter])

    came = gained("sent") + gained("moved_in")
    if not came:
        return nan, nan
    return gained("received") / came, (gained("dead_lettered") + gained("expired")) / came
