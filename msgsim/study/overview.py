"""A study in a page: estimates of what most ask for, at every design point."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgsim.formats import UNTITLED, counted, duration
from msgsim.study.design import Point
from msgsim.study.estimates import mean_interval
from msgsim.study.grids import as_html as html_table
from msgsim.study.grids import as_text as text_table
from msgsim.study.measures import Key

if TYPE_CHECKING:
    from msgsim.study.results import Study


def as_text(study: "Study", keys: Sequence[Key], confidence: float) -> str:
    """Lines of text."""
    title = study.experiment.scenario.title or UNTITLED
    blocks = [f"{title}\n{'=' * len(title)}\n{_made(study, confidence)}"]
    for entity, measure in keys:
        blocks.append(f"{entity}.{measure}\n{text_table(_HEADS, _cells(study, (entity, measure), confidence))}")
    return "\n\n".join(blocks) + "\n"


def as_html(study: "Study", keys: Sequence[Key], confidence: float) -> str:
    """A table for each measure."""
    from html import escape  # noqa: PLC0415 - only here

    tables = "".join(html_table(_HEADS, _cells(study, key, confidence), ".".join(key)) for key in keys)
    return f"<p>{escape(_made(study, confidence))}</p>{tables}"


_HEADS = ("at", "mean", "interval", "n")


def _made(study: "Study", confidence: float) -> str:
    experiment = study.experiment
    parts = [
        counted(len(study.points), "design point"),
        counted(experiment.replications, "replication"),
        f"{duration(experiment.length)} each",
        f"seed {experiment.seed}",
        f"means with {100 * confidence:.4g} % confidence intervals",
    ]
    missing = len(study.points) * experiment.replications - len(study.outcomes)
    if missing:
        parts.append(f"interrupted, {counted(missing, 'run')} missing")
    return " · ".join(parts)


def _cells(study: "Study", key: Key, confidence: float) -> list[list[str]]:
    found: list[tuple[Point | str, Sequence[float]]] = [
        (point, study.values(*key, at=point.levels)) for point in study.points if key in study.measured(point.levels)
    ]
    if len(found) > 1 and all(values == found[0][1] for _, values in found):
        found = [("all of them", found[0][1])]
    rows = []
    for point, values in found:
        estimate = mean_interval(values, confidence)
        value, _, rest = str(estimate).partition(" ")
        rows.append([str(point), value, rest.partition(" (")[0], str(estimate.n)])
    return rows
