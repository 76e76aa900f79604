"""A study in a page: estimates of what most ask for, at every design point."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

from msgsim.formats import UNTITLED, count, counted, duration
from msgsim.study.design import brief
from msgsim.study.estimates import mean_interval
from msgsim.study.grids import as_html as html_table
from msgsim.study.grids import as_text as text_table
from msgsim.study.measures import Key, unit_of

if TYPE_CHECKING:
    from msgsim.study.results import Study

SHOWN = 10
"""Design points that are named where something is wrong with many."""


@attrs.frozen
class Section:
    """A table: what it is about, the names of its columns, and its rows."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


def as_text(study: "Study", keys: Sequence[Key], confidence: float) -> str:
    """Lines of text."""
    title = study.experiment.scenario.title or UNTITLED
    blocks = [f"{title}\n{'=' * len(title)}\n{_made(study, confidence)}"]
    blocks += ["\n  ".join([head, *lines]) for head, lines in _notes(study)]
    blocks += [f"{each.title}\n{text_table(each.heads, each.rows)}" for each in _sections(study, keys, confidence)]
    return "\n\n".join(blocks) + "\n"


def as_html(study: "Study", keys: Sequence[Key], confidence: float) -> str:
    """The same for a notebook."""
    from html import escape  # noqa: PLC0415 - only here

    tables = "".join(html_table(each.heads, each.rows, each.title) for each in _sections(study, keys, confidence))
    notes = "".join(
        f"<p>{escape(head)}</p><ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"
        for head, lines in _notes(study)
    )
    return f"<p>{escape(_made(study, confidence))}</p>{notes}{tables}"


def _made(study: "Study", confidence: float) -> str:
    experiment = study.experiment
    parts = [
        counted(len(study.points), "design point"),
        _replications(study),
        f"{duration(experiment.length)} each",
        f"seed {experiment.seed}",
        f"means with {100 * confidence:.4g} % confidence intervals",
    ]
    missing = len(study.points) * experiment.replications - len(study.outcomes)
    if study.interrupted and missing > 0:
        parts.append(f"interrupted, {counted(missing, 'run')} missing")
    return " · ".join(parts)


def _replications(study: "Study") -> str:
    """How many of each point; from the fewest to the most if a plan took more of some."""
    most = study.experiment.replications
    fewest = min(Counter(place for place, _ in study.outcomes).values(), default=most)
    return counted(most, "replication") if study.interrupted or fewest == most else f"{fewest} to {most} replications"


def _notes(study: "Study") -> list[tuple[str, list[str]]]:
    """What a reader must not miss: headlines, each with lines about some design points."""
    found = []
    if bare := [str(point) for point in study.points if not study.measured(point.levels)]:
        found.append((f"No run has finished of {counted(len(bare), 'design point')}:", _some(bare)))
    if study.imprecise:
        done, precision = study.experiment.replications, study.experiment.precision
        allowed = ", the most allowed" if precision is not None and done >= precision.most else ""
        head = f"Not as precise as wanted after {counted(done, 'replication')}{allowed}: {precision}"
        found.append((head, _some([str(each) for each in study.imprecise])))
    return found


def _some(lines: list[str]) -> list[str]:
    """The first of many lines, and how many more there are."""
    more = len(lines) - SHOWN
    return [*lines[:SHOWN], f"and {count(more)} more"] if more > 0 else lines


def _sections(study: "Study", keys: Sequence[Key], confidence: float) -> list[Section]:
    """A table for each measure that differs between design points, and one for all that do not."""
    names = list(dict.fromkeys(name for point in study.points for name in point.levels))
    made, alike = [], []
    for key in keys:
        found = [
            (point, study.values(*key, at=point.levels))
            for point in study.points
            if key in study.measured(point.levels)
        ]
        label = f"{'.'.join(key)}{_in_unit(study, key)}"
        if all(values == found[0][1] for _, values in found):
            alike.append([label, *_cells(found[0][1], confidence)])
            continue
        rows = [
            [*(brief(point.levels.get(name, "")) for name in names), *_cells(values, confidence)]
            for point, values in found
        ]
        made.append(Section(label, [*names, *_HEADS], rows))
    if alike:
        made.append(Section(_title(study), ["", *_HEADS], alike))
    return made


def _title(study: "Study") -> str:
    """Of the measures that are the same wherever there are any."""
    finished = [point for point in study.points if study.measured(point.levels)]
    if len(study.points) == 1:
        return "Measures"
    if len(finished) == 1:
        return f"Measures of {finished[0]}"
    return f"The same at all design points{' with runs' if len(finished) < len(study.points) else ''}"


_HEADS = ("mean", "interval", "n")


def _cells(values: Sequence[float], confidence: float) -> list[str]:
    estimate = mean_interval(values, confidence)
    value, _, rest = str(estimate).partition(" ")
    return [value, rest.partition(" (")[0], str(estimate.n)]


def _in_unit(study: "Study", key: Key) -> str:
    unit = unit_of(study.points[0].scenario, *key)
    return f" [{unit}]" if unit not in {"", "1"} else ""
