"""`msgsim cost` and `msgsim prices`: what a scenario costs, and by which prices."""

import sys
from typing import Annotated

from cyclopts import Parameter

from msgsim.cli.app import FINE, INTERRUPTED, app, whole
from msgsim.cli.course import Bar, advance, stop_asked
from msgsim.cli.options import outputs, prepared, write_json
from msgsim.cli.words import complain
from msgsim.files import load
from msgsim.formats import duration
from msgsim.study.costs import ledger
from msgsim.study.prices import load_prices, shipped_text


@app.command(name="cost")
def cost_command(
    name_or_file: str,
    /,
    *,
    until: str | None = None,
    seed: Annotated[int, Parameter(converter=whole)] = 0,
    warm_up: str | None = None,
    changes: Annotated[tuple[str, ...], Parameter(name="--set", negative=(), show_default=False)] = (),
    prices: str | None = None,
    free_tier: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    message_bytes: float | None = None,
    attachment_bytes: float | None = None,
    vdm: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    json: str | None = None,
) -> int:
    """Run a scenario once and print what it costs, and 30 days of such traffic.

    The month is that of the run without its warm-up, over and over: run what repeats itself, such as a whole day.

    Args:
        name_or_file: a built-in example (see "msgsim examples"), or a TOML file.
        until: simulated time to run: seconds, or 90m, 2h, 1d. The scenario's own horizon if it is left out.
        seed: of the random numbers; same scenario and seed, same run.
        warm_up: leave what happens before out of the month: seconds, or 90m, 2h, 1d.
        changes: change a value, as PATH=VALUE: workers.mailers.count=12. Can be given again; changes are made in order.
        prices: a TOML file with prices of your own; "msgsim prices" prints those that are taken otherwise.
        free_tier: take off what is free each month. It is an account's, for all its traffic.
        message_bytes: size of all messages; what the scenario declares if it is left out.
        attachment_bytes: size of the attachments of each email.
        vdm: the Virtual Deliverability Manager of SES is switched on.
        json: write the bill to this JSON file, too.
    """
    scenario = load(name_or_file)
    targets = outputs(name_or_file, json=json)
    simulation, end = prepared(scenario, changes, until=until, seed=seed, warm_up=warm_up, probe=None)
    listed = load_prices(prices)
    with stop_asked() as stop:
        finished = advance(simulation, end, stop, Bar(end, shown=sys.stderr.isatty()))
    bill = ledger(
        simulation.result(interrupted=not finished),
        listed,
        free_tier=free_tier,
        message_bytes=message_bytes,
        attachment_bytes=attachment_bytes,
        vdm=vdm,
    )
    write_json(targets, bill.to_dict())
    sys.stdout.write(f"{bill}\n")
    if finished:
        return FINE
    return complain(f"interrupted at {duration(simulation.now)} of {duration(end)}", INTERRUPTED)


@app.command(name="prices")
def prices_command() -> None:
    """Print the prices that "msgsim cost" takes, as TOML to start your own from.

    msgsim prices > mine.toml
    """
    sys.stdout.write(shipped_text())
