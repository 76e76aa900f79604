"""What `msgsim study`, `plan` and `compare` have in common."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from msgsim.cli.app import INTERRUPTED
from msgsim.cli.options import about, seconds
from msgsim.cli.words import complain
from msgsim.declare import check_number
from msgsim.errors import DeclarationError, MissingExtra, StudyError, UnknownName
from msgsim.metrics import STATISTICS
from msgsim.scenario import Scenario
from msgsim.study.experiment import MSER5
from msgsim.study.measures import Key
from msgsim.study.recovery import DERIVED
from msgsim.study.results import Study
from msgsim.study.vocabulary import Vocabulary, refuse_statistic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHARPNESS = 150
"""Of pictures [dots per inch]."""


def lengths(until: str | None, warm_up: str | None, probe: str | None = None) -> dict[str, Any]:
    """Horizon, warm-up and probe, as `Experiment` has them."""
    warm: float | str | None = warm_up
    if warm_up is not None and warm_up.strip() != MSER5:
        warm = seconds("--warm-up", warm_up, zero=True)
    return {
        "horizon": None if until is None else seconds("--until", until),
        "warm_up": warm.strip() if isinstance(warm, str) else warm,
        "probe": None if probe is None else seconds("--probe", probe),
    }


def how(jobs: int | None, results: str | None, *, quiet: bool) -> dict[str, Any]:
    """Who makes the runs, and who hears of it, as `Experiment.run` has them.

    Raises:
        MissingExtra: scipy is not installed: better to know before than after.
        DeclarationError: a number of jobs that is none.
    """
    if find_spec("scipy") is None:
        raise MissingExtra("scipy", "study")
    if jobs is not None and jobs < 1:
        raise DeclarationError("--jobs", f"{jobs} is not allowed; allowed: 1 or more; one for each core if left out")
    return {"n_jobs": jobs, "results": results, "progress": not quiet and sys.stderr.isatty()}


@contextmanager
def kept(results: str | None) -> Iterator[None]:
    """A context in which errors about the results file name its option."""
    try:
        yield
    except StudyError as error:
        if results is not None and str(error).startswith(f"{results}: "):
            raise StudyError(f"--results: {error}") from None
        raise


def read_measures(written: Sequence[str], scenarios: Iterable[Scenario]) -> list[Key] | None:
    """Measures that are asked for, by entity and name; None if none is.

    Raises:
        UnknownName: a scenario does not have one; says what it has.
        DeclarationError: that is none.
    """
    known = [Vocabulary.of(scenario) for scenario in scenarios]
    with about("--measure"):
        return [_measure(each.strip(), known) for each in written] or None


def _measure(written: str, known: Iterable[Vocabulary]) -> Key:
    statistic = next((each for each in STATISTICS if written.endswith(f".{each}")), "")
    entity, _, name = written.removesuffix(f".{statistic}" if statistic else "").rpartition(".")
    if not entity or not name:
        example = f"such as emails.sojourn_time.p99; statistics: {', '.join(STATISTICS)}"
        raise DeclarationError("", f"{written!r} is not ENTITY.METRIC.STATISTIC, {example}")
    if not statistic:
        raise UnknownName.among("statistic", name, STATISTICS)
    for vocabulary in known:
        metric = vocabulary.metric(entity, name)
        refuse_statistic(entity, metric, statistic)
        if metric.name in DERIVED and entity not in vocabulary.disturbed:
            raise DeclarationError(written, f"nothing disturbs {entity}: it needs a spike, a step or an outage")
        name = metric.name
    return entity, f"{name}.{statistic}"


def read_precision(written: str, scenarios: Iterable[Scenario]) -> tuple[Key, float, float]:
    """What is to be known how well: the measure, and its half width as a share of the mean or in its unit.

    Raises:
        UnknownName: a scenario does not have the measure; says what it has.
        DeclarationError: that is none, or no half width.
    """
    measure, equals, width = written.partition("=")
    with about("--stop-when"):
        if not equals:
            example = "such as emails.sojourn_time.p99=5% of its mean, or =0.5 in its unit"
            raise DeclarationError("", f"{written!r} is not ENTITY.METRIC.STATISTIC=HALF_WIDTH, {example}")
        key = _measure(measure.strip(), [Vocabulary.of(scenario) for scenario in scenarios])
        try:
            value = float(width.strip().removesuffix("%"))
        except ValueError:
            raise DeclarationError(measure.strip(), f"{width!r} is no half width; allowed: 5% or 0.5") from None
        check_number(measure.strip(), value, above=True)
    return (key, value / 100, 0.0) if width.strip().endswith("%") else (key, 0.0, value)


def save(figure: "Figure", path: str) -> None:
    """Write a picture."""
    figure.savefig(path, dpi=SHARPNESS)


def interrupted(study: Study | None, results: str | None) -> int:
    """Say what has been done, and how to go on.

    Args:
        study: with what has finished, if that is known.
        results: the results file.

    Returns:
        The exit status.
    """
    done = ""
    if study is not None:
        wanted = len(study.points) * study.experiment.replications
        done = f" after {len(study.outcomes):,} of {wanted:,} runs"
    if results is not None:
        following = f"the same command goes on from {results}"
    else:
        following = "with --results FILE what has finished is kept, and the same command goes on from there"
    return complain(f"interrupted{done}; {following}", INTERRUPTED)
