"""`msgsim explain`: what a run and the formulas of queueing theory say of a queue, and why they differ."""

import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from cyclopts import Parameter

from msgsim.cli.app import FINE, INTERRUPTED, app, whole
from msgsim.cli.course import Bar, advance, stop_asked
from msgsim.cli.options import outputs, prepared, seconds, write_all, write_json, write_rows
from msgsim.cli.words import complain
from msgsim.errors import DeclarationError, UnknownName
from msgsim.files import load
from msgsim.formats import duration
from msgsim.run import Run
from msgsim.scenario import Scenario
from msgsim.study.explanation import FORMS, Explanation, explain


@app.command(name="explain")
def explain_command(
    name_or_file: str,
    /,
    *,
    queue: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = (),
    within: str | None = None,
    until: str | None = None,
    seed: Annotated[int, Parameter(converter=whole)] = 0,
    warm_up: str | None = None,
    probe: str | None = None,
    changes: Annotated[tuple[str, ...], Parameter(name="--set", negative=(), show_default=False)] = (),
    json: str | None = None,
    csv: str | None = None,
    quiet: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
) -> int:
    """Run a scenario once and put the formulas of queueing theory beside what happened.

    msgsim explain black-friday --queue billing --within 5m

    M/M/c (Erlang C) and G/G/c get the run's mean rate and number of workers, and the declared service times; fluid is
    the backlog at the end of a spike over what the workers can do beyond the rate. Below the table stands what the
    formulas leave out and the run has.

    Args:
        name_or_file: a built-in example (see "msgsim examples"), or a TOML file.
        queue: which; all that workers take messages from if it is left out. Can be given again.
        within: say how many workers it takes to drain a backlog in this time, too: seconds, or 90m, 2h, 1d.
        until: simulated time to run: seconds, or 90m, 2h, 1d. The scenario's own horizon if it is left out.
        seed: of the random numbers; same scenario and seed, same run.
        warm_up: leave what happens before out of means and quantiles: seconds, or 90m, 2h, 1d.
        probe: time between two readings: seconds, or 90m, 2h, 1d. 1 % of the run, at most 60 s, if it is left out.
        changes: change a value, as PATH=VALUE: workers.mailers.count=12. Can be given again; changes are made in order.
        json: write the numbers and the reasons to this JSON file.
        csv: write the numbers to this CSV file.
        quiet: print nothing but errors.
    """
    scenario = load(name_or_file)
    targets = outputs(name_or_file, json=json, csv=csv)
    simulation, end = prepared(scenario, changes, until=until, seed=seed, warm_up=warm_up, probe=probe)
    limit = None if within is None else seconds("--within", within)
    wanted = _wanted(simulation.scenario, queue)
    with stop_asked() as stop:
        finished = advance(simulation, end, stop, Bar(end, shown=not quiet and sys.stderr.isatty()))
    found, problems = _explained(simulation.result(interrupted=not finished), wanted, limit)
    if finished and problems and (queue or not found):
        raise problems[0]
    written, failure = write_all(
        targets,
        {
            "json": lambda _: write_json(targets, {"queues": [each.to_dict() for each in found]}),
            "csv": lambda path: write_rows(path, ("queue", "quantity", "simulated", *FORMS), _rows(found)),
        },
    )
    if not quiet:
        sys.stdout.write("\n\n".join([*map(str, found), *(f"Not explained: {each}" for each in problems)]))
        sys.stdout.write("\n")
        sys.stdout.writelines(written)
        sys.stdout.flush()
    if failure is not None:
        raise failure
    if finished:
        return FINE
    return complain(f"interrupted at {duration(simulation.now)} of {duration(end)}", INTERRUPTED)


def _wanted(scenario: Scenario, named: Sequence[str]) -> list[str]:
    """The queues that are meant.

    Raises:
        UnknownName: there is no such queue; says which there are.
        DeclarationError: no queue has workers.
    """
    for name in named:
        if name not in scenario.queues:
            raise UnknownName(f"--queue: {UnknownName.among('queue', name, scenario.queues)}")
    served = {pool.queue for pool in scenario.workers.values()}
    wanted = list(dict.fromkeys(named)) or [name for name in scenario.queues if name in served]
    if not wanted:
        raise DeclarationError("workers", "there are none; formulas are about queues with workers")
    return wanted


def _explained(
    run: Run, wanted: Sequence[str], within: float | None
) -> tuple[list[Explanation], list[DeclarationError]]:
    """Explanations of queues, and why others cannot be had."""
    found: list[Explanation] = []
    problems: list[DeclarationError] = []
    for name in wanted:
        try:
            found.append(explain(run, name, within=within))
        except DeclarationError as problem:
            problems.append(problem)
    return found, problems


def _rows(found: Sequence[Explanation]) -> Iterator[Sequence[Any]]:
    for each in found:
        for line in each.lines:
            yield each.queue, line.quantity, line.simulated, *(line.forms.get(form, "") for form in FORMS)
