"""A run in a page: as text, and as HTML for notebooks."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import groupby, pairwise
from math import isfinite
from textwrap import wrap

from msgsim.formats import UNTITLED, count, duration, exactly, one_line, share
from msgsim.run import Run
from msgsim.tables import Table, event_name, letters, notes, of_kind, paused_from, tables

WIDTH = 100
"""Of the notes [characters]; tables are as wide as they need."""


def as_text(run: Run) -> str:
    """The run in a page of plain text with aligned columns."""
    title = _title(run)
    lines = [title, "=" * min(len(title), WIDTH), *wrap(_facts(run), WIDTH)]
    figures = key_figures(run)
    if figures:
        width = max(len(value) for value, _ in figures)
        lines += ["", *(f"{value:>{width}}  {label}" for value, label in figures)]
    for table in tables(run):
        lines += ["", table.title, *_aligned(table)]
    lines += ["", "Notes"]
    for note in notes(run):
        lines += wrap(note, WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
    return "\n".join(lines)


def as_html(run: Run) -> str:
    """The run as a piece of HTML that shows well in light and dark notebooks, with no scripts and nothing to fetch."""
    heading = f"<p class='msgsim-title'><strong>{escape(_title(run))}</strong></p>"
    return f"<div class='msgsim'><style>{STYLE}</style>{heading}{content(run)}</div>"


def content(run: Run) -> str:
    """The same without title and style, for a page that has its own."""
    parts = [f"<p class='msgsim-facts'>{escape(_facts(run))}</p>"]
    tiles = "".join(
        f"<div><b>{escape(value)}</b><span>{escape(label)}</span></div>" for value, label in key_figures(run)
    )
    if tiles:
        parts.append(f"<div class='msgsim-tiles'>{tiles}</div>")
    parts += [_html_table(run, table) for table in tables(run)]
    parts.append("<ul>" + "".join(f"<li>{escape(note)}</li>" for note in notes(run)) + "</ul>")
    return "".join(parts)


def key_figures(run: Run) -> list[tuple[str, str]]:
    """The few numbers to look at first: each with what it is."""
    figures = []
    queues = [name for name in of_kind(run, "queue") if name not in letters(run)]
    backlog = _highest(run, queues, "visible", "max")
    if backlog:
        figures.append((count(backlog[0]), f"messages: peak backlog, in {backlog[1]}"))
    for metric, what in (("expired", "expired"), ("dead_lettered", "dead-lettered")):
        lost = sum(run.total(name, metric) for name in queues)
        if lost:
            names = [one_line(name) for name in queues if run.total(name, metric)]
            figures.append((count(lost), f"messages {what}, in {', '.join(names)}"))
    slowest = _highest(run, queues, "sojourn_time", "p99")
    if slowest:
        figures.append((duration(slowest[0]), f"p99 sojourn time, in {slowest[1]}"))
    outboxes = of_kind(run, "outbox")
    if outboxes:
        accepted = sum(run.total(name, "accepted") for name in outboxes)
        throttled = sum(run.total(name, "throttled") for name in outboxes)
        figures.append((count(accepted), f"emails accepted, {count(throttled)} recipients throttled"))
        for name in outboxes:
            if since := paused_from(run, name):
                figures.append((since, f"when {one_line(name)} was found paused"))
            median, late = (run.quantile(name, "end_to_end_time", q) for q in (0.5, 0.99))
            if isfinite(late):
                label = f"{event_name(run)}-to-email time, p50 and p99, through {one_line(name)}"
                figures.append((f"{duration(median)}, {duration(late)}", label))
    busiest = _highest(run, of_kind(run, "pool"), "utilization", "mean")
    if busiest:
        figures.append((share(busiest[0]), f"of the time busy: {busiest[1]}"))
    return figures


def _highest(run: Run, names: Iterable[str], metric: str, statistic: str) -> tuple[float, str] | None:
    """The highest value among some entities, and whose it is; the first's, if several have it."""
    values = [(run.stat(name, metric, statistic), name) for name in names]
    return max((pair for pair in values if isfinite(pair[0])), key=lambda pair: pair[0], default=None)


def _title(run: Run) -> str:
    return one_line(run.scenario.title) or UNTITLED


def _facts(run: Run) -> str:
    facts = [
        f"INTERRUPTED at {exactly(run.until)}" if run.interrupted else f"{exactly(run.until)} simulated",
        f"warm-up {exactly(run.warm_up)}" if run.warm_up else "no warm-up",
        f"a reading every {exactly(run.probe)}",
        f"seed {run.seed}",
    ]
    if run.replication:
        facts.append(f"replication {run.replication}")
    return " · ".join(facts)


# ---------------------------------------------------------------- text


def _aligned(table: Table) -> Iterator[str]:
    """The lines of a table: words to the left, all else to the right; a head that is repeated is written once."""
    names = ["" if name == before else name for (before, _), (name, _) in pairwise([("", ""), *table.heads])]
    grid: list[Sequence[str]] = [names, [unit for _, unit in table.heads], *table.rows]
    widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
    for line in grid:
        cells = [
            cell.rjust(width) if unit else cell.ljust(width)
            for cell, width, (_, unit) in zip(line, widths, table.heads, strict=True)
        ]
        yield f"  {'  '.join(cells)}".rstrip()


# ---------------------------------------------------------------- HTML

SPARK_WIDTH, SPARK_HEIGHT = 120, 22
"""Of a sparkline [pixels]."""

STYLE = """
.msgsim{font:13px/1.45 system-ui,sans-serif;color:inherit;background:transparent;font-variant-numeric:tabular-nums}
.msgsim p{margin:0 0 .5em}.msgsim .msgsim-title{font-size:1.25em;margin:0}.msgsim .msgsim-facts{opacity:.75}
.msgsim .msgsim-tiles{display:flex;flex-wrap:wrap;gap:8px;margin:.7em 0}
.msgsim .msgsim-tiles div{border:1px solid rgba(128,128,128,.4);border-radius:6px;padding:6px 12px}
.msgsim .msgsim-tiles b{display:block;font-size:1.5em;line-height:1.2}.msgsim .msgsim-tiles span{opacity:.75}
.msgsim table{border-collapse:collapse;margin:.9em 0;border:0;background:transparent;color:inherit;font-size:inherit}
.msgsim caption{text-align:left;font-weight:600;padding:0 0 2px;color:inherit;caption-side:top}
.msgsim tr{background:transparent!important}
.msgsim th,.msgsim td{padding:2px 12px 2px 0;text-align:right;white-space:nowrap;border:0;font-weight:400;color:inherit;
background:transparent;vertical-align:middle}
.msgsim th:first-child,.msgsim .msgsim-words{text-align:left}.msgsim thead th{opacity:.75;padding-bottom:0}
.msgsim thead tr+tr th{font-size:.85em}
.msgsim tbody tr{border-top:1px solid rgba(128,128,128,.3)}
.msgsim svg{vertical-align:middle}.msgsim ul{margin:.5em 0;padding-left:1.3em}
"""
"""Colours are those of the surroundings."""


def _html_table(run: Run, table: Table) -> str:
    """A table; that of the queues gets pictures of their backlogs."""
    heads = list(table.heads)
    drawn = table.title == "Queues"
    if drawn:
        heads.append(("backlog", "over time"))
    names = "".join(_head(name, list(group)) for name, group in groupby(heads, key=lambda head: head[0]))
    units = "".join(f"<th>{escape(unit)}</th>" for _, unit in heads)
    body = []
    for name, *cells in table.rows:
        texts = [_cell(cell, unit) for cell, (_, unit) in zip(cells, heads[1:], strict=False)]
        if drawn:
            texts.append(f"<td>{sparkline(run, name)}</td>")
        body.append(f"<tr><th scope='row'>{escape(name)}</th>{''.join(texts)}</tr>")
    return (
        f"<table><caption>{escape(table.title)}</caption><thead><tr>{names}</tr><tr>{units}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table>"
    )


def _head(name: str, columns: Sequence[tuple[str, str]]) -> str:
    span = f" scope='colgroup' colspan='{len(columns)}'" if len(columns) > 1 else " scope='col'"
    return f"<th{_words(columns[0][1])}{span}>{escape(name)}</th>"


def _cell(text: str, unit: str) -> str:
    return f"<td{_words(unit)}>{escape(text)}</td>"


def _words(unit: str) -> str:
    """To the left, if a column has no unit."""
    return "" if unit else " class='msgsim-words'"


def sparkline(run: Run, queue: str) -> str:
    """A queue's backlog over time as a small SVG, scaled to its own peak; empty if it had none."""
    times, values = run.series(queue, "visible")
    highest = max(values)
    if not highest or not run.until:
        return ""
    tops: dict[int, int] = {}
    for time, value in zip(times, values, strict=True):
        place = round(SPARK_WIDTH * time / run.until)
        tops[place] = max(value, tops.get(place, 0))
    points = " ".join(f"{x},{SPARK_HEIGHT - 1 - (SPARK_HEIGHT - 2) * top / highest:.1f}" for x, top in tops.items())
    return (
        f"<svg width='{SPARK_WIDTH}' height='{SPARK_HEIGHT}' viewBox='0 0 {SPARK_WIDTH} {SPARK_HEIGHT}' role='img' "
        f"aria-label='backlog of {escape(queue)} over time, at most {count(highest)} messages'>"
        f"<polygon points='0,{SPARK_HEIGHT} {points} {SPARK_WIDTH},{SPARK_HEIGHT}' fill='currentColor' opacity='.15'/>"
        f"<polyline points='{points}' fill='none' stroke='currentColor'/></svg>"
    )
