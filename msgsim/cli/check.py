"""`msgsim check` and `msgsim examples`: scenario files, and what is likely to go wrong with one."""

import sys
from typing import Annotated

from cyclopts import Parameter

from msgsim.cli.app import FINE, WARNED, app, whole
from msgsim.cli.options import outputs, seconds, write_json
from msgsim.files import example, examples, load
from msgsim.formats import counted, exactly
from msgsim.scenario import SECTIONS, Scenario
from msgsim.study.doctor import diagnose

NOUNS = {
    "topics": "topic",
    "queues": "queue",
    "outboxes": "outbox",
    "traffic": "traffic source",
    "workers": "worker pool",
}


@app.command(name="examples")
def examples_command(name: str | None = None, /) -> None:
    """List the built-in examples, or print one as TOML to start your own from.

    msgsim examples order-processing > mine.toml

    Args:
        name: of the example to print.
    """
    if name is not None:
        sys.stdout.write(example(name))
        return
    titles = examples()
    width = max(map(len, titles))
    sys.stdout.writelines(f"{name:<{width}}  {title}\n" for name, title in titles.items())


@app.command(name="check")
def check_command(
    file: str,
    /,
    *,
    until: str | None = None,
    seed: Annotated[int, Parameter(converter=whole)] = 0,
    strict: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    json: str | None = None,
) -> int:
    """Check a scenario file, and look for what is likely to go wrong.

    Warnings and notes come from what is declared, and from a short simulation. Each says where, what was found, what to
    do, and by which rules of the services. They change the exit status with --strict only.

    Args:
        file: a TOML file, or the name of a built-in example.
        until: simulated time to run: seconds, or 90m, 2h, 1d. As much as takes a second or two if it is left out.
        seed: of the random numbers; same scenario and seed, same findings.
        strict: exit with status 1 if there are warnings; notes do not count.
        json: write the findings to this JSON file, too.
    """
    scenario = load(file)
    targets = outputs(file, json=json)
    found = diagnose(scenario, until=None if until is None else seconds("--until", until), seed=seed)
    write_json(targets, found.to_dict())
    verdict = found.verdict if found.warnings else "fine"
    sys.stdout.write(f"{file}: {verdict}: {_inventory(scenario)}\n{found}\n")
    return WARNED if strict and found.warnings else FINE


def _inventory(scenario: Scenario) -> str:
    members = [
        counted(len(getattr(scenario, section)), NOUNS[section], "outboxes" if section == "outboxes" else "")
        for section in SECTIONS
    ]
    return f"{', '.join(members)}; horizon {exactly(scenario.horizon)}"
