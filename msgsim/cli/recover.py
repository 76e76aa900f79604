"""`msgsim recover`: whether queues come back after what disturbs them, and how long they take to drain."""

import sys
from collections.abc import Iterator, Sequence
from math import inf
from textwrap import fill
from typing import Annotated, Any

from cyclopts import Parameter

from msgsim.cli.app import FINE, NOT_MET, app, whole
from msgsim.cli.options import changed, named, outputs, seconds, write_all, write_json, write_rows
from msgsim.cli.studies import lengths
from msgsim.cli.words import complain
from msgsim.files import load
from msgsim.formats import count, counted, duration
from msgsim.scenario import Scenario
from msgsim.study.grids import as_text
from msgsim.study.metastability import (
    METASTABLE,
    OVERLOADED,
    RECOVERING,
    RETURNS,
    Metastability,
    Prognosis,
    metastability,
)
from msgsim.study.recovery import Recovery

MOST_TRIGGERS = 5
"""So many spikes and outages of a queue have lines of their own; all are in the files."""

MOST_PATHS = 2
"""And so many of what overlaps is named."""

WIDTH = 100
"""Of the sentences [characters]."""

REASONS = {
    RECOVERING: "has not returned to normal yet; a longer --until or more --patience may tell",
    METASTABLE: "does not return to normal by itself",
    OVERLOADED: "grows without what disturbs it, too: it is overloaded",
}


@app.command(name="recover")
def recover_command(
    name_or_file: str,
    /,
    *,
    within: str | None = None,
    replications: Annotated[int, Parameter(converter=whole)] = 3,
    patience: float = 4.0,
    until: str | None = None,
    warm_up: str | None = None,
    seed: Annotated[int, Parameter(converter=whole)] = 0,
    probe: str | None = None,
    changes: Annotated[tuple[str, ...], Parameter(name="--set", negative=(), show_default=False)] = (),
    json: str | None = None,
    csv: str | None = None,
    quiet: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
) -> int:
    """Find out whether queues return to normal after spikes, steps and outages, and how long they take to drain.

    msgsim recover black-friday --within 30m

    The scenario runs beside a twin that nothing disturbs, with the same random numbers. A queue that does not come back
    to what its twin has is looked at for longer, until it is clear. Exit status 1 if a queue does not return to normal.

    Args:
        name_or_file: a built-in example (see "msgsim examples"), or a TOML file.
        within: exit with status 1, too, if a backlog takes longer to drain in any replication: seconds, or 90m, 2h, 1d.
        replications: independent runs, each with its twin.
        patience: how many times as long to look at what has not returned, 1 to 1,000.
        until: simulated time to run at first: seconds, or 90m, 2h, 1d. The scenario's own horizon if it is left out.
        warm_up: what begins before is no disturbance: seconds, or 90m, 2h, 1d.
        seed: of the random numbers; same scenario and seed, same answer.
        probe: time between two readings: seconds, or 90m, 2h, 1d. 1 % of the run, at most 60 s, if it is left out.
        changes: change a value, as PATH=VALUE: workers.mailers.count=12. Can be given again; changes are made in order.
        json: write all numbers of each replication to this JSON file.
        csv: write what each disturbance did to each queue in each replication to this CSV file.
        quiet: print nothing but errors.
    """
    scenario = changed(load(name_or_file), changes)
    targets = outputs(name_or_file, json=json, csv=csv)
    limit = inf if within is None else seconds("--within", within, zero=True)
    times = lengths(until, None, probe)
    with named():
        found = metastability(
            scenario,
            times["horizon"],
            seed,
            warm_up=None if warm_up is None else seconds("--warm-up", warm_up, zero=True),
            probe=times["probe"],
            replications=replications,
            patience=patience,
            progress=not quiet and sys.stderr.isatty(),
        )
    written, failure = write_all(
        targets,
        {
            "json": lambda _: write_json(targets, {**_basis(scenario, seed, patience), **found.to_dict()}),
            "csv": lambda path: write_rows(path, _COLUMNS, _rows(found)),
        },
    )
    if not quiet:
        sys.stdout.write(f"{_table(found, replications)}\n\n{_sentences(found)}\n{_conclusion(found)}\n")
        sys.stdout.writelines(written)
        sys.stdout.flush()
    if failure is not None:
        raise failure
    return _verdict(found, limit)


def _verdict(found: Metastability, limit: float) -> int:
    """Say what does not return to normal, or not in time.

    Args:
        found: of all queues.
        limit: for the time to drain [s].

    Returns:
        The exit status.
    """
    status = FINE
    for each in found.queues.values():
        if each.state != RETURNS:
            status = complain(f"{each.queue} {REASONS[each.state]}", NOT_MET)
        if each.drain_time > limit:
            took = (
                "is not drained by the end" if each.drain_time == inf else f"takes {duration(each.drain_time)} to drain"
            )
            status = complain(f"--within: {each.queue} {took}; allowed: {duration(limit)}", NOT_MET)
    return status


def _basis(scenario: Scenario, seed: int, patience: float) -> dict[str, Any]:
    return {"title": scenario.title, "seed": seed, "patience": patience}


def _conclusion(found: Metastability) -> str:
    back = sum(each.state == RETURNS for each in found.queues.values())
    return f"{back} of {counted(len(found.queues), 'queue')} {'returns' if back == 1 else 'return'} to normal."


def _table(found: Metastability, replications: int) -> str:
    """The worst of all replications, which by themselves are in the files."""
    heads = ("queue", "disturbed by", "peak", "oldest", "drained after", "lost")
    rows = [row for each in found.queues.values() for row in _cells(each)]
    return f"The worst of {counted(replications, 'replication')}:\n\n{as_text(heads, rows, words=2)}"


def _cells(found: Prognosis) -> Iterator[Sequence[str]]:
    """A line for each trigger of a queue."""
    triggers = list(zip(*(trial.recoveries for trial in found.trials), strict=False))
    for some in triggers[:MOST_TRIGGERS]:
        yield (
            found.queue,
            _cause(some[0]),
            count(max(each.peak for each in some)),
            duration(max(each.peak_age for each in some)),
            _drained(max(each.drain_time for each in some)),
            count(max(each.lost for each in some)),
        )
    if len(triggers) > MOST_TRIGGERS:
        yield found.queue, f"and {counted(len(triggers) - MOST_TRIGGERS, 'other')}", "", "", "", ""


def _cause(recovery: Recovery) -> str:
    trigger = recovery.trigger
    paths = list(trigger.paths)
    if len(paths) > MOST_PATHS:
        paths[MOST_PATHS:] = [f"{len(paths) - MOST_PATHS} more"]
    return f"{' + '.join(paths)}, {duration(trigger.start)} to {duration(trigger.end)}"


def _drained(time: float) -> str:
    return "not by the end" if time == inf else duration(time)


def _sentences(found: Metastability) -> str:
    return "\n".join(
        fill(f"- {each}", WIDTH, subsequent_indent="  ", break_on_hyphens=False) for each in found.queues.values()
    )


_COLUMNS = (
    "queue",
    "replication",
    "state",
    "disturbed by",
    "start",
    "end",
    "normal",
    "peak_visible",
    "drain_time",
    "normal_age",
    "peak_age",
    "recovery_time",
    "lost_to_retention",
)


def _rows(found: Metastability) -> Iterator[Sequence[Any]]:
    for each in found.queues.values():
        for trial in each.trials:
            for after in trial.recoveries:
                trigger = after.trigger
                yield (
                    each.queue,
                    trial.replication,
                    trial.state,
                    " + ".join(trigger.paths),
                    trigger.start,
                    trigger.end,
                    after.normal,
                    after.peak,
                    after.drain_time,
                    after.normal_age,
                    after.peak_age,
                    after.recovery_time,
                    after.lost,
                )
