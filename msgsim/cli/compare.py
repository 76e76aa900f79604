"""`msgsim compare`: what changes from one scenario to another."""

import sys
from math import isfinite
from typing import Annotated, Any

from cyclopts import Parameter

from msgsim.cli.app import FINE, app, whole
from msgsim.cli.asserts import estimate_dict
from msgsim.cli.options import changed, named, outputs, write_all, write_json
from msgsim.cli.studies import how, interrupted, kept, lengths, read_measures
from msgsim.declare import check_number
from msgsim.errors import DeclarationError
from msgsim.files import load
from msgsim.formats import counted, exactly
from msgsim.scenario import Scenario
from msgsim.study.comparison import Comparison
from msgsim.study.estimates import as_confidence
from msgsim.study.experiment import REPLICATIONS, Experiment
from msgsim.study.prices import load_prices


@app.command(name="compare")
def compare_command(
    a: str,
    b: str | None = None,
    /,
    *,
    changes: Annotated[tuple[str, ...], Parameter(name="--set", negative=(), show_default=False)] = (),
    changes_b: Annotated[tuple[str, ...], Parameter(name="--set-b", negative=(), show_default=False)] = (),
    replications: Annotated[int, Parameter(converter=whole)] = REPLICATIONS,
    until: str | None = None,
    warm_up: str | None = None,
    seed: Annotated[int, Parameter(converter=whole)] = 0,
    probe: str | None = None,
    measure: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = (),
    confidence: float = 0.95,
    jobs: Annotated[int | None, Parameter(converter=whole)] = None,
    prices: str | None = None,
    results: str | None = None,
    json: str | None = None,
    csv: str | None = None,
    quiet: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
) -> int:
    """Compare two scenarios, or one with itself after some changes.

    msgsim compare black-friday --set-b outboxes.ses.max_send_rate=20

    msgsim compare before.toml after.toml

    Both have the same random numbers, so that differences are known far better than what differs. P-values are adjusted
    for the number of measures.

    Args:
        a: a built-in example (see "msgsim examples"), or a TOML file.
        b: another one; the same as the first if it is left out, and then --set-b says what changes.
        changes: change a value of both, as PATH=VALUE. Can be given again; changes are made in order.
        changes_b: change a value of the second alone, as PATH=VALUE. Can be given again.
        replications: independent runs of each, 2 or more.
        until: simulated time of each run: seconds, or 90m, 2h, 1d. The scenarios' own horizon if it is left out.
        warm_up: leave what happens before out of means and quantiles: seconds, or 90m, 2h, 1d; or mser5, to find a time.
        seed: of the random numbers; same scenarios and seed, same numbers, whatever the number of jobs.
        probe: time between two readings: seconds, or 90m, 2h, 1d. 1 % of the run, at most 60 s, if it is left out.
        measure: compare ENTITY.METRIC.STATISTIC, such as emails.sojourn_time.p99, and not the usual ones. Can be given again.
        confidence: of the intervals.
        jobs: worker processes; 1 makes all runs in this one. One for each core if it is left out, and if it is worth it.
        prices: a TOML file with prices of your own, an hour of a worker among them; "msgsim prices" prints those that are taken otherwise.
        results: keep each finished run in this SQLite file; the same comparison goes on from there.
        json: write the comparison to this JSON file.
        csv: write every number of every run to this CSV file.
        quiet: print nothing but errors.
    """  # noqa: E501 - a parameter's help is one line
    if b is None and not changes_b:
        raise DeclarationError(
            "compare", "there is nothing to compare with; allowed: a second scenario, or --set-b PATH=VALUE"
        )
    first = changed(load(a), changes)
    second = changed(changed(load(a if b is None else b), changes), changes_b, "--set-b")
    targets = outputs(a, json=json, csv=csv, results=results)
    if b is not None:
        outputs(b, json=json, csv=csv, results=results)
    targets.pop("results", None)
    listed = None if prices is None else load_prices(prices)
    times = lengths(until, warm_up, probe)
    _agree("--until", times["horizon"], first.horizon, second.horizon)
    _agree("--warm-up", times["warm_up"], first.warm_up, second.warm_up)
    with named():
        as_confidence(confidence)
        check_number("--replications", replications, low=2, integer=True, rule="one has no interval")
        terms = {"replications": replications, "seed": seed, "prices": listed, **times}
        experiment = Experiment(first, **terms).compare(first, second)
    keys = read_measures(measure, [first, second])
    with named(), kept(results):
        study = experiment.run(**how(jobs, results, quiet=quiet))
    if study.interrupted:
        return interrupted(study, results)
    found = study.compare(measures=keys, confidence=confidence)
    written, failure = write_all(targets, {"json": lambda _: write_json(targets, _as_dict(found)), "csv": study.to_csv})
    if not quiet:
        heads = f"a: {_title(a, first)}\nb: {_title(b or a, second)}{_with([*changes_b])}\n"
        sys.stdout.write(f"{heads}{found}\n\n{_conclusion(found)}\n")
        sys.stdout.writelines(written)
        sys.stdout.flush()
    if failure is not None:
        raise failure
    study.audit()
    return FINE


def _agree(option: str, given: object, a: float, b: float) -> None:
    """Refuse to compare over different times without being told."""
    if given is None and a != b:
        raise DeclarationError(option, f"a has {exactly(a)} and b {exactly(b)}; say what both have")


def _title(source: str, scenario: Scenario) -> str:
    return f"{source} ({scenario.title})" if scenario.title else source


def _with(changes: list[str]) -> str:
    return f" with {', '.join(changes)}" if changes else ""


def _conclusion(found: Comparison) -> str:
    if not found.rows:
        return "Nothing that is usually looked at has happened in both; say what to compare with --measure."
    return f"{len(found.changed)} of {counted(len(found.rows), 'measure')} changed by more than chance."


def _as_dict(found: Comparison) -> dict[str, Any]:
    return {
        "confidence": found.confidence,
        "rows": [
            {
                "entity": row.entity,
                "metric": row.measure,
                "a": estimate_dict(row.a),
                "b": estimate_dict(row.b),
                "difference": estimate_dict(row.difference),
                "p_value": row.p_value if isfinite(row.p_value) else None,
                "changed": row in found.changed,
            }
            for row in found.rows
        ],
    }
