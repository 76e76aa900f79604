"""`msgsim study`: many runs of a scenario and its variations."""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

from cyclopts import Parameter

from msgsim.cli.app import app, whole
from msgsim.cli.asserts import blame, judge_study, read_objectives, verdict_dict
from msgsim.cli.levels import levels
from msgsim.cli.options import about, changed, named, outputs, write_all, write_json
from msgsim.cli.studies import how, interrupted, kept, lengths, read_measures, read_precision, save
from msgsim.declare import check_number
from msgsim.errors import DeclarationError
from msgsim.files import load
from msgsim.formats import exactly
from msgsim.scenario import Scenario
from msgsim.study.estimates import as_confidence
from msgsim.study.experiment import REPLICATIONS, Experiment
from msgsim.study.measures import Key
from msgsim.study.objectives import Objective
from msgsim.study.precision import MOST
from msgsim.study.prices import load_prices
from msgsim.study.results import Study
from msgsim.study.verdicts import Verdict


@app.command(name="study")
def study_command(
    name_or_file: str,
    /,
    *,
    vary: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = (),
    replications: Annotated[int, Parameter(converter=whole)] = REPLICATIONS,
    stop_when: str | None = None,
    most: Annotated[int | None, Parameter(converter=whole)] = None,
    until: str | None = None,
    warm_up: str | None = None,
    seed: Annotated[int, Parameter(converter=whole)] = 0,
    probe: str | None = None,
    changes: Annotated[tuple[str, ...], Parameter(name="--set", negative=(), show_default=False)] = (),
    measure: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = (),
    asserted: Annotated[tuple[str, ...], Parameter(name="--assert", negative=(), show_default=False)] = (),
    confidence: float = 0.95,
    jobs: Annotated[int | None, Parameter(converter=whole)] = None,
    prices: str | None = None,
    results: str | None = None,
    json: str | None = None,
    csv: str | None = None,
    plot: str | None = None,
    quiet: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
) -> int:
    """Run a scenario and its variations many times, and print means with their confidence intervals.

    msgsim study black-friday --vary outboxes.ses.max_send_rate=14..22..2 --assert "max(emails.drain_time) < 30 min"

    Replication r has the same random numbers at all design points. Ctrl-C ends the study with what has finished.

    Args:
        name_or_file: a built-in example (see "msgsim examples"), or a TOML file.
        vary: a path and its values: workers.mailers.count=2,4,8 or =2..10 or =2..10..2; texts that have commas in quotes, and tables as in a file: 'queues.emails.redrive=[{to="dead", max_receive_count=3}, {to="dead", max_receive_count=5}]'. Given again, all values are combined.
        replications: independent runs of each design point.
        stop_when: go on with more replications until ENTITY.METRIC.STATISTIC is known at every design point: to a share of its mean, such as emails.sojourn_time.p99=5%, or to a half width in its unit, such as =0.5.
        most: replications at which --stop-when ends in any case; 1000 if it is left out.
        until: simulated time of each run: seconds, or 90m, 2h, 1d. The scenario's own horizon if it is left out.
        warm_up: leave what happens before out of means and quantiles: seconds, or 90m, 2h, 1d; or mser5, to find a time.
        seed: of the random numbers; same scenario and seed, same numbers, whatever the number of jobs.
        probe: time between two readings: seconds, or 90m, 2h, 1d. 1 % of the run, at most 60 s, if it is left out.
        changes: change a value of all runs, as PATH=VALUE. Can be given again; changes are made in order.
        measure: print ENTITY.METRIC.STATISTIC, such as emails.sojourn_time.p99, and not the usual ones; * is the whole scenario: "*.cost_per_month.final". Can be given again.
        asserted: exit with status 1 unless the whole confidence interval meets an objective at every design point, such as "p99(emails.sojourn_time) < 60 and cost < 500". Can be given again.
        confidence: of the intervals.
        jobs: worker processes; 1 makes all runs in this one. One for each core if it is left out, and if it is worth it.
        prices: a TOML file with prices of your own, an hour of a worker among them; "msgsim prices" prints those that are taken otherwise.
        results: keep each finished run in this SQLite file; the same study goes on from there, with more values or replications if you like.
        json: write how it was made, all estimates and verdicts to this JSON file.
        csv: write every number of every run to this CSV file.
        plot: draw the first measure, or else the first objective, over the design points; .png, .svg or .pdf (needs matplotlib).
        quiet: print nothing but errors.
    """  # noqa: E501 - a parameter's help is one line
    scenario = changed(load(name_or_file), changes)
    targets = outputs(name_or_file, json=json, csv=csv, plot=plot, results=results)
    targets.pop("results", None)
    listed = None if prices is None else load_prices(prices)
    with named():
        as_confidence(confidence)
        times = lengths(until, warm_up, probe)
        experiment = Experiment(scenario, replications=replications, seed=seed, prices=listed, **times)
    with about("--vary"):
        for each in vary:
            experiment = experiment.vary(*levels(scenario, each))
        scenarios = [point.scenario for point in experiment.points()]
        if experiment.warm_up is None:
            _leave_time(scenarios, experiment.horizon)
    if stop_when is not None:
        experiment = _stopping(experiment, stop_when, most, confidence, scenarios)
    elif most is not None:
        raise DeclarationError("--most", "is when --stop-when ends in any case; allowed: together with it")
    keys = read_measures(measure, scenarios)
    objectives = read_objectives(asserted, scenarios)
    if objectives:
        check_number("--replications", replications, low=2, integer=True, rule="one has no interval for --assert")
    drawn = _drawn(keys, objectives) if "plot" in targets else None
    with named(), kept(results):
        study = experiment.run(**how(jobs, results, quiet=quiet))
    return _conclude(study, keys, objectives, drawn, targets, confidence=confidence, results=results, quiet=quiet)


def _stopping(
    experiment: Experiment, written: str, most: int | None, confidence: float, scenarios: Sequence[Scenario]
) -> Experiment:
    """The experiment with as many replications as it takes."""
    (entity, measure), relative, absolute = read_precision(written, scenarios)
    check_number("--replications", experiment.replications, low=2, integer=True, rule="one has no interval")
    most = max(MOST, experiment.replications) if most is None else most
    check_number("--most", most, low=experiment.replications, integer=True)
    return experiment.stop_when(entity, measure, relative=relative, absolute=absolute, confidence=confidence, most=most)


def _leave_time(scenarios: Sequence[Scenario], horizon: float | None) -> None:
    """Refuse a warm-up or a horizon, if that is what is varied, that leaves nothing of some run."""
    for scenario in scenarios:
        end = scenario.horizon if horizon is None else horizon
        if scenario.warm_up >= end:
            raise DeclarationError("warm_up", f"{exactly(scenario.warm_up)} leaves nothing of a run of {exactly(end)}")


def _drawn(keys: Sequence[Key] | None, objectives: Sequence[Objective]) -> tuple[Key, str | None]:
    """What a picture shows, and the objective that sets its limit."""
    asked = [*(keys or ()), *(key for each in objectives for key in each.keys)]
    if not asked:
        raise DeclarationError("--plot", "say what to draw, with --measure or --assert")
    limits = [str(each) for each in objectives if asked[0] in each.keys]
    return asked[0], limits[0] if limits else None


def _conclude(
    study: Study,
    keys: Sequence[Key] | None,
    objectives: Sequence[Objective],
    drawn: tuple[Key, str | None] | None,
    targets: Mapping[str, str],
    *,
    confidence: float,
    results: str | None,
    quiet: bool,
) -> int:
    """Write and print what there is; of a study that was interrupted no verdict is given."""
    if not study.outcomes:
        return interrupted(study, results)
    verdicts = [] if study.interrupted else judge_study(study, objectives, confidence)
    found = {**study.to_dict(confidence=confidence), "objectives": [verdict_dict(each) for each in verdicts]}
    writers: dict[str, Callable[[str], Any]] = {"json": lambda _: write_json(targets, found), "csv": study.to_csv}
    if drawn is not None:
        writers["plot"] = partial(_draw, study, drawn, confidence)
    written, failure = write_all(targets, writers)
    if not quiet:
        sys.stdout.write(study.summary(keys, confidence=confidence))
        _write_verdicts(verdicts)
        sys.stdout.writelines(written)
        sys.stdout.flush()
    if failure is not None:
        raise failure
    study.audit()
    return interrupted(study, results) if study.interrupted else blame(verdicts)


def _draw(study: Study, drawn: tuple[Key, str | None], confidence: float, path: str) -> None:
    (entity, name), limit = drawn
    save(study.plot(entity, name, objective=limit, confidence=confidence), path)


def _write_verdicts(verdicts: Sequence[Verdict]) -> None:
    if verdicts:
        sys.stdout.write("\nObjectives\n")
        sys.stdout.writelines(f"{verdict}\n" for verdict in verdicts)
