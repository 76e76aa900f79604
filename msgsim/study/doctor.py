"""A doctor: looks at a scenario before anybody builds it, and says what is likely to go wrong.

Loads, rates and service times are taken from the declarations, over the whole horizon. What happens is taken from a
simulation of its beginning, short enough to wait for.
"""

from collections.abc import Sequence
from html import escape
from math import floor
from typing import Any

import attrs

from msgsim.declare import check_number
from msgsim.engine.curves import RateCurve
from msgsim.errors import DeclarationError
from msgsim.formats import counted, exactly
from msgsim.run import Run
from msgsim.scenario import Scenario
from msgsim.simulation import Simulation
from msgsim.study.costs import ledger
from msgsim.study.loads import Loads
from msgsim.study.symptoms import NOTE, SYMPTOMS, WARNING, Finding, Patient

EVENTS = 20_000
"""So many traffic events are simulated, if it is not said for how long."""

POLLS = 50_000
"""And so many polls at most."""

HALVINGS = 60
ROUNDING = 1e-6


@attrs.frozen(kw_only=True, repr=False)
class Diagnosis:
    """What a doctor found.

    Attributes:
        findings: the warnings first.
        until: how much was simulated [s].
        horizon: of the scenario [s].
        seed: of the simulation.
    """

    findings: Sequence[Finding]
    until: float
    horizon: float
    seed: int

    def __repr__(self) -> str:
        return f"<Diagnosis {self.verdict}>"

    @property
    def warnings(self) -> list[Finding]:
        """What should be looked into."""
        return [finding for finding in self.findings if finding.level == WARNING]

    @property
    def notes(self) -> list[Finding]:
        """What may well be meant."""
        return [finding for finding in self.findings if finding.level == NOTE]

    @property
    def verdict(self) -> str:
        """In a few words."""
        numbers = ((len(self.warnings), "warning"), (len(self.notes), "note"))
        return ", ".join(counted(number, noun) for number, noun in numbers if number) or "nothing wrong"

    def __str__(self) -> str:
        return "\n".join([*(f"- {finding}" for finding in self.findings), self._basis()])

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{escape(str(finding))}</li>" for finding in self.findings)
        title, basis = escape(self.verdict), escape(self._basis())
        return f"<div class='msgsim'><p><strong>{title}</strong></p><ul>{items}</ul><p>{basis}</p></div>"

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data."""
        findings = [{**attrs.asdict(finding), "rules": list(finding.rules)} for finding in self.findings]
        return {"until": self.until, "horizon": self.horizon, "seed": self.seed, "findings": findings}

    def _basis(self) -> str:
        head = "" if self.findings else "Nothing wrong was found. "
        return f"{head}Simulated: {exactly(self.until)} of {exactly(self.horizon)}, seed {self.seed}."


def diagnose(scenario: Scenario, *, until: float | None = None, seed: int = 0) -> Diagnosis:
    """Look for what is likely to go wrong in a scenario.

    Args:
        scenario: to look at.
        until: how much to simulate [s]; None for as much as takes a second or so, at most the horizon.
        seed: of the simulation.

    Raises:
        DeclarationError: an argument is not allowed.
    """
    if not isinstance(scenario, Scenario):
        raise DeclarationError("scenario", f"{scenario!r} is not a Scenario")
    if until is None:
        until = _affordable(scenario)
    else:
        check_number("until", until, above=True, unit="s")
    simulation = Simulation(scenario, seed=seed, warm_up=0.0, horizon=until)
    simulation.run(until)
    run = simulation.result()
    patient = Patient(scenario, Loads(scenario, _passed(run)), run, ledger(run))
    found = dict.fromkeys(finding for look in SYMPTOMS for finding in look(patient))
    ordered = sorted(found, key=lambda finding: finding.level != WARNING)
    return Diagnosis(findings=ordered, until=run.until, horizon=scenario.horizon, seed=seed)


def _affordable(scenario: Scenario) -> float:
    """How much of a scenario can be simulated in a short time [s]."""
    workers = scenario.workers.values()
    counts = [(each, 1.0 if isinstance(each.count, RateCurve) else float(each.count)) for each in workers]
    polls = sum(number / (each.wait_time or each.poll_interval) for each, number in counts)
    until = min(scenario.horizon, _rounded(POLLS / polls)) if polls else scenario.horizon

    def events(time: float) -> float:
        return sum(traffic.rate.integral(0.0, time) for traffic in scenario.traffic.values())

    if events(until) <= EVENTS:
        return until
    short, long = 0.0, until
    for _ in range(HALVINGS):
        middle = (short + long) / 2.0
        short, long = (short, middle) if events(middle) > EVENTS else (middle, long)
    return min(scenario.horizon, _rounded(short))


def _rounded(seconds: float) -> float:
    """Down to whole seconds, if there are any."""
    return float(floor(seconds + ROUNDING)) or seconds


def _passed(run: Run) -> dict[str, float]:
    """The share of publishes that each subscription let pass, where there were any."""
    found = {}
    for name, record in run.records.items():
        if record.kind != "subscription":
            continue
        passed = run.total(name, "delivered") + run.total(name, "delivery_failed")
        publishes = passed + run.total(name, "filtered_out")
        if publishes:
            found[name] = passed / publishes
    return found
