"""`msgsim run`: a scenario once."""

import sys
from collections.abc import Mapping, Sequence
from typing import Annotated

from cyclopts import Parameter

from msgsim.cli.app import INTERRUPTED, app, whole
from msgsim.cli.asserts import judge_run, read_objectives
from msgsim.cli.course import Bar, advance, stop_asked
from msgsim.cli.options import outputs, prepared, write_all
from msgsim.cli.words import complain
from msgsim.files import load
from msgsim.formats import duration
from msgsim.run import Run
from msgsim.study.objectives import Objective


@app.command(name="run")
def run_command(
    name_or_file: str,
    /,
    *,
    until: str | None = None,
    seed: Annotated[int, Parameter(converter=whole)] = 0,
    warm_up: str | None = None,
    probe: str | None = None,
    changes: Annotated[tuple[str, ...], Parameter(name="--set", negative=(), show_default=False)] = (),
    asserted: Annotated[tuple[str, ...], Parameter(name="--assert", negative=(), show_default=False)] = (),
    report: str | None = None,
    json: str | None = None,
    csv: str | None = None,
    quiet: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
) -> int:
    """Run a scenario once and print what happened.

    Ctrl-C ends the run and prints what has happened so far; a second Ctrl-C ends it at once.

    Args:
        name_or_file: a built-in example (see "msgsim examples"), or a TOML file.
        until: simulated time to run: seconds, or 90m, 2h, 1d. The scenario's own horizon if it is left out.
        seed: of the random numbers; same scenario and seed, same run.
        warm_up: leave what happens before out of means and quantiles: seconds, or 90m, 2h, 1d.
        probe: time between two readings: seconds, or 90m, 2h, 1d. 1 % of the run, at most 60 s, if it is left out.
        changes: change a value, as PATH=VALUE: workers.mailers.count=12, traffic.shop.rate.1.height=500, 'queues.emails.redrive={to="dead", max_receive_count=3}'. Can be given again; changes are made in order.
        asserted: exit with status 1 if this run does not meet an objective, such as "p99(emails.sojourn_time) < 60" or "max(emails.age_of_oldest_message) < 5 min and cost < 500". Can be given again. For more than one run see "msgsim study".
        report: write a page with summary and pictures to this HTML file (needs matplotlib).
        json: write all numbers to this JSON file.
        csv: write the time series to this CSV file.
        quiet: print nothing but errors.
    """  # noqa: E501 - a parameter's help is one line
    scenario = load(name_or_file)
    targets = outputs(name_or_file, report=report, json=json, csv=csv)
    simulation, end = prepared(scenario, changes, until=until, seed=seed, warm_up=warm_up, probe=probe)
    objectives = read_objectives(asserted, [simulation.scenario])
    with stop_asked() as stop:
        finished = advance(simulation, end, stop, Bar(end, shown=not quiet and sys.stderr.isatty()))
    run = simulation.result(interrupted=not finished)
    return _conclude(run, end, targets, objectives, quiet=quiet)


def _conclude(run: Run, end: float, targets: Mapping[str, str], objectives: Sequence[Objective], *, quiet: bool) -> int:
    """Write the files first: whoever reads the summary may close it early."""
    written, failure = write_all(targets, {"report": run.report, "json": run.to_json, "csv": run.to_csv})
    stopped = f"interrupted at {duration(run.until)} of {duration(end)}" if run.interrupted else ""
    if stopped:
        complain(stopped, INTERRUPTED)
    if not quiet:
        sys.stdout.write(f"{run.summary().rstrip()}\n")
        sys.stdout.writelines(written)
        sys.stdout.flush()
    if failure is not None:
        raise failure
    run.audit()
    return INTERRUPTED if run.interrupted else judge_run(run, objectives, quiet=quiet)
