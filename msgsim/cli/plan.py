"""`msgsim plan`: the value that it takes."""

import sys
from typing import Annotated, Any

from cyclopts import Parameter

from msgsim.cli.app import FINE, NOT_MET, app, whole
from msgsim.cli.asserts import estimate_dict, read_objectives
from msgsim.cli.levels import bounds
from msgsim.cli.options import about, changed, named, outputs, write_all, write_json
from msgsim.cli.studies import how, interrupted, kept, lengths, save
from msgsim.cli.words import complain
from msgsim.files import load
from msgsim.study.experiment import REPLICATIONS, Experiment
from msgsim.study.planner import SMALLEST, Plan, PlanInterrupted, plan
from msgsim.study.prices import load_prices
from msgsim.study.rounds import rounds
from msgsim.study.search import check_whole


@app.command(name="plan")
def plan_command(
    name_or_file: str,
    /,
    *,
    find: str,
    between: Annotated[str, Parameter(allow_leading_hyphen=True)],
    such_that: str,
    want: str = SMALLEST,
    tolerance: float | None = None,
    replications: Annotated[int, Parameter(converter=whole)] = REPLICATIONS,
    most: Annotated[int | None, Parameter(converter=whole)] = None,
    until: str | None = None,
    warm_up: str | None = None,
    seed: Annotated[int, Parameter(converter=whole)] = 0,
    changes: Annotated[tuple[str, ...], Parameter(name="--set", negative=(), show_default=False)] = (),
    confidence: float = 0.95,
    jobs: Annotated[int | None, Parameter(converter=whole)] = None,
    prices: str | None = None,
    results: str | None = None,
    json: str | None = None,
    csv: str | None = None,
    plot: str | None = None,
    quiet: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
) -> int:
    """Find the smallest or largest value of one thing such that an objective holds.

    msgsim plan black-friday --find outboxes.ses.max_send_rate --between 14..100 --such-that "p99(emails.sojourn_time) < 5 min"

    A value meets the objective if the whole confidence interval does. Where the interval is on both sides of the limit the value gets more replications, up to --most. Exit status 1 if no value meets it.

    Args:
        name_or_file: a built-in example (see "msgsim examples"), or a TOML file.
        find: the path of a number, such as workers.mailers.count, outboxes.ses.max_send_rate or traffic.shop.rate.1.height.
        between: lowest and highest value, as 1..50; whole numbers if both are.
        such_that: the objective, such as "p99(emails.sojourn_time) < 60 and cost < 500".
        want: smallest or largest.
        tolerance: of what is no whole number, how close the answer must be. 1 % of the range if it is left out.
        replications: independent runs of each value that is tried, to begin with.
        most: runs of a value at most. Four times --replications if it is left out; with as many as --replications none gets more, and intervals are narrower, since each is looked at once.
        until: simulated time of each run: seconds, or 90m, 2h, 1d. The scenario's own horizon if it is left out.
        warm_up: leave what happens before out of means and quantiles: seconds, or 90m, 2h, 1d.
        seed: of the random numbers; same scenario and seed, same answer, whatever the number of jobs.
        changes: change a value of all runs, as PATH=VALUE. Can be given again; changes are made in order.
        confidence: of the intervals, after however many rounds.
        jobs: worker processes; 1 makes all runs in this one. One for each core if it is left out, and if it is worth it.
        prices: a TOML file with prices of your own, an hour of a worker among them; "msgsim prices" prints those that are taken otherwise.
        results: keep each finished run in this SQLite file; the same plan goes on from there.
        json: write the answer and all values that were tried to this JSON file.
        csv: write every number of every run to this CSV file.
        plot: draw the objective over the values that were tried; .png, .svg or .pdf (needs matplotlib).
        quiet: print nothing but errors.
    """  # noqa: E501 - a parameter's help is one line
    scenario = changed(load(name_or_file), changes)
    targets = outputs(name_or_file, json=json, csv=csv, plot=plot, results=results)
    targets.pop("results", None)
    with about("--between"):
        low, high = bounds(between)
    listed = None if prices is None else load_prices(prices)
    times = lengths(until, warm_up)
    del times["probe"]
    with named():
        rounds(replications, most)
        experiment = Experiment(scenario, replications=replications, seed=seed)
        check_whole(experiment, find, (low, high))
    with about("--find"):
        points = experiment.vary(find, list(dict.fromkeys((low, high)))).points()
    [objective] = read_objectives([such_that], [point.scenario for point in points], "--such-that")
    try:
        with named(), kept(results):
            found = plan(
                scenario,
                find=find,
                between=(low, high),
                such_that=objective,
                want=want,
                confidence=confidence,
                replications=replications,
                most=most,
                seed=seed,
                tolerance=tolerance,
                prices=listed,
                **times,
                **how(jobs, results, quiet=quiet),
            )
    except PlanInterrupted as error:
        found = error.plan
    except KeyboardInterrupt:
        return interrupted(None, results)
    written, failure = write_all(
        targets,
        {
            "json": lambda _: write_json(targets, _as_dict(found)),
            "csv": found.study.to_csv,
            "plot": lambda path: save(found.plot(), path),
        },
    )
    if not quiet:
        sys.stdout.write(str(found))
        sys.stdout.writelines(written)
        sys.stdout.flush()
    if failure is not None:
        raise failure
    found.study.audit()
    if found.interrupted:
        return interrupted(None, results)
    if found.value is not None:
        return FINE
    return complain(found.conclusion if quiet else f"--such-that: no value that was tried meets {objective}", NOT_MET)


def _as_dict(found: Plan) -> dict[str, Any]:
    return {
        "find": found.find,
        "between": list(found.between),
        "want": found.want,
        "such_that": str(found.objective),
        "confidence": found.confidence,
        "replications": found.rounds[0],
        "most": found.rounds[-1],
        "interrupted": found.interrupted,
        "value": found.value,
        "monotone": found.monotone,
        "unsure": found.unsure,
        "conclusion": found.conclusion,
        "table": [
            {
                "value": trial.value,
                "replications": trial.replications,
                "state": trial.state,
                "terms": [{"term": str(term), **estimate_dict(estimate)} for term, estimate in trial.verdict.terms],
            }
            for trial in found.table
        ],
    }
