"""`msgsim outbox`: the emails that a scenario sends."""

import sys
from os.path import realpath
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from msgsim.cli.app import FINE, INTERRUPTED, app, whole
from msgsim.cli.course import Bar, advance, stop_asked
from msgsim.cli.options import seconds
from msgsim.cli.words import complain
from msgsim.declare import check_number
from msgsim.errors import DeclarationError, no_such
from msgsim.files import load
from msgsim.formats import duration
from msgsim.quotas import UNLIMITED
from msgsim.scenario import Scenario
from msgsim.simulation import Simulation


@app.command(name="outbox")
def outbox_command(
    name_or_file: str,
    /,
    *,
    output: str | None = None,
    maildir: str | None = None,
    outbox: str | None = None,
    until: str | None = None,
    seed: Annotated[int, Parameter(converter=whole)] = 0,
    to: str | None = None,
    subject: str | None = None,
    limit: Annotated[int, Parameter(converter=whole)] = 100_000,
    force: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
) -> int:
    """Run a scenario once and write the emails that it sent, as a mail program reads them.

    Args:
        name_or_file: a built-in example (see "msgsim examples"), or a TOML file.
        output: write one mbox file.
        maildir: write a Maildir, a file for each email.
        outbox: whose emails; may be left out if there is but one.
        until: simulated time to run: seconds, or 90m, 2h, 1d. The scenario's own horizon if it is left out.
        seed: of the random numbers; same scenario and seed, same run.
        to: only those with this in a recipient's address; * stands for anything.
        subject: only those with this in the subject; * stands for anything.
        limit: only so many of the latest emails, before to and subject are looked at.
        force: replace what is there.
    """
    scenario = load(name_or_file)
    targets = {name: path for name, path in (("output", output), ("maildir", maildir)) if path is not None}
    if len(targets) != 1:
        raise DeclarationError("--output", "give either --output FILE.mbox or --maildir FOLDER")
    [(option, path)] = targets.items()
    if not path:
        raise DeclarationError(f"--{option}", "'' is not the path of a file")
    if realpath(path) == realpath(name_or_file):
        raise DeclarationError(f"--{option}", f"{path}: the scenario is read from there")
    if Path(path).exists() and not force:
        raise DeclarationError(f"--{option}", f"{path}: is there already; --force replaces it")
    if not Path(realpath(path)).parent.is_dir():
        raise DeclarationError(f"--{option}", f"{path}: cannot be written: there is no such folder")
    name = _outbox(scenario, outbox)
    check_number("--limit", limit, low=1, high=UNLIMITED, unit="emails", integer=True)
    scenario = scenario.vary(f"outboxes.{name}.records", True).vary(f"outboxes.{name}.record_limit", limit)
    end = scenario.horizon if until is None else seconds("--until", until)
    simulation = Simulation(scenario, seed=seed, horizon=end)
    with stop_asked() as stop:
        finished = advance(simulation, end, stop, Bar(end, shown=sys.stderr.isatty()))
    account = simulation.outboxes[name]
    found = account.sent.search(to=to, subject=subject)
    (found.save_mbox if option == "output" else found.save_maildir)(path, overwrite=force)
    sys.stdout.write(f"{len(found)} of {account.accepted} emails of {name} written to {path}\n")
    if finished:
        return FINE
    return complain(f"interrupted at {duration(simulation.now)} of {duration(end)}", INTERRUPTED)


def _outbox(scenario: Scenario, wanted: str | None) -> str:
    """The name of the outbox that is meant."""
    names = list(scenario.outboxes)
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted not in names:
        given = (
            no_such("outbox", wanted, names)
            if wanted is not None
            else f"say which; declared: {', '.join(names) or 'none'}"
        )
        raise DeclarationError("--outbox", given)
    return wanted
