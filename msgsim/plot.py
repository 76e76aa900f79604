"""A run in pictures: what came, what waited, what was done, over simulated time.

Figures are made without pyplot, so that nothing stays behind and no backend is chosen.
"""

from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from itertools import cycle, pairwise, product
from math import inf, isnan, nan
from textwrap import shorten
from typing import Any, Literal

import attrs

from msgsim.declare import DAY, HOUR, MINUTE
from msgsim.errors import DeclarationError, MissingExtra
from msgsim.formats import UNTITLED, one_line
from msgsim.rates import rates
from msgsim.run import Run
from msgsim.tables import arrived, letters, of_kind

try:
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator
except ImportError as missing:
    raise MissingExtra("matplotlib", "plot") from missing

STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#999999",
    "axes.grid": True,
    "axes.labelcolor": "#333333",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlepad": 4.0,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "font.size": 9.0,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "legend.borderaxespad": 0.0,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "legend.handlelength": 2.2,
    "legend.labelspacing": 0.25,
    "svg.fonttype": "path",
    "svg.hashsalt": "msgsim",
    "xtick.color": "#555555",
    "ytick.color": "#555555",
}
"""On top of Matplotlib's own defaults, whatever the surroundings have set."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
"""Told apart by the colour-blind: Okabe and Ito's, without the yellow and the black."""

GREYS = ("#777777", "#BBBBBB")
"""Of what makes traffic."""

Dashes = Literal["-", "--", ":", "-."]

DASHES: Sequence[Dashes] = ("-", "--", ":", "-.")
"""When the colours have been used up."""

JUDGED = ("outbox with addresses", "outbox with pools")
"""The kinds of outboxes that have rates of bounces and complaints, and may be paused."""

SPIKE, WARM_UP, PAUSED, OUTAGE = "#FBEBCF", "#EAEAEA", "#F6D5D5", "#DDE7F3"
"""Of the shading."""

WIDTH, ROW_HEIGHT = 10.0, 1.65
"""Of the figure and of a row with its title [inches]."""

CROWD = 8
"""With more lines than this in a row, all rows share one legend."""

ENTRY_HEIGHT = 0.155
"""Of a line of that legend [inches]."""

SLIM = 0.7
"""Times the usual width: of their lines."""

FEW = 12
"""Up to so many readings are marked one by one."""


class Picture(Figure):
    """A figure that shows itself in notebooks, whichever backend is active."""

    def draw(self, renderer: Any) -> None:
        """Draw in the style that it was made in."""
        with mpl.rc_context(style()):
            super().draw(renderer)

    def as_svg(self) -> str:
        """The figure as an element of an HTML page, the same every time; its text is drawn, and needs no font."""
        sink = BytesIO()
        with mpl.rc_context(style()):
            self.savefig(sink, format="svg", metadata={"Date": None, "Creator": None})
        source = sink.getvalue().decode()
        element = source[source.index("<svg") :].replace("<svg ", '<svg class="msgsim-figure" ', 1)
        # Matplotlib's style is for all elements of a document; here it is for those of the figure.
        return element.replace('<style type="text/css">*{', '<style type="text/css">.msgsim-figure *{', 1)

    def _repr_png_(self) -> bytes:
        sink = BytesIO()
        with mpl.rc_context(style()):
            self.savefig(sink, format="png", dpi=110)
        return sink.getvalue()


@attrs.frozen(kw_only=True)
class Look:
    """How a line is drawn."""

    colour: str
    dashes: Dashes
    width: float = 1.2


AGE, NOISY, QUIET = "age_of_oldest_message", "noisy_groups", "_in_quiet_groups"


@attrs.frozen
class Line:
    """One line of a row.

    Attributes:
        entity: whose it is.
        metric: of the entity.
        label: in the legend of the row.
        look: how it is drawn.
        rate: show what the metric gained per second between readings.
        steps: it keeps its value until the next reading.
    """

    entity: str
    metric: str
    label: str
    look: Look
    rate: bool = False
    steps: bool = False


@attrs.frozen
class Row:
    """One pair of axes: what it is called, the unit of its values, and its lines."""

    title: str
    unit: str
    lines: Sequence[Line]


@attrs.frozen
class Shade:
    """Stretches of time [s] that are marked in all rows."""

    name: str
    colour: str
    windows: Sequence[tuple[float, float]]


def figure(run: Run, entities: Iterable[str] | None = None) -> Picture:
    """Draw a run.

    Args:
        run: of which.
        entities: only these; None for all but topics, subscriptions and empty dead-letter queues.

    Raises:
        UnknownName: there is no such entity; says which there are.
        DeclarationError: `entities` is no list of names.
    """
    if entities is not None and not isinstance(entities, Iterable):
        raise DeclarationError("entities", f"{entities!r} is not a list of names")
    chosen = None if entities is None else [entities] if isinstance(entities, str) else list(entities)
    for name in chosen or ():
        run.kind(name)
    looks = _looks(run)
    rows = _rows(run, chosen, looks)
    shades = _shades(run)
    with mpl.rc_context(style()):
        made = Picture(figsize=(WIDTH, ROW_HEIGHT * max(1, len(rows)) + 0.7), layout="constrained")
        made.suptitle(_title(run), x=0.01, ha="left", fontsize=11, parse_math=False)
        grid = made.subplots(max(1, len(rows)), 1, sharex=True, squeeze=False)
        stack: list[Axes] = [axes for (axes,) in grid]
        crowded = any(len(row.lines) > CROWD for row in rows)
        for axes, row in zip(stack, rows, strict=False):
            _draw_row(axes, run, row, crowded=crowded)
            if not crowded:
                _legend(axes, row, shades if axes is stack[0] else ())
        for position, axes in enumerate(stack):
            _draw_shades(axes, shades, position)
        if crowded:
            _common_legend(made, run, rows, looks, shades)
        if not rows:
            stack[0].set_title("Nothing to show")
            stack[0].set_yticks([])
        _time_axis(stack[-1], run)
    return made


def style() -> Any:
    """Matplotlib's settings for a figure: all of them, so that it looks the same everywhere."""
    return {**{key: value for key, value in mpl.rcParamsDefault.items() if "backend" not in key}, **STYLE}


def _title(run: Run) -> str:
    title = shorten(one_line(run.scenario.title), 90, placeholder=" ...") or UNTITLED
    return f"{title}  (seed {run.seed}{', interrupted' if run.interrupted else ''})"


# ---------------------------------------------------------------- what to show


def _looks(run: Run) -> dict[str, Look]:
    """How each entity looks in every row: a pool like its queue, what makes traffic broad and grey."""
    palette = cycle(Look(colour=colour, dashes=dashes) for dashes, colour in product(DASHES, COLOURS))
    greys = cycle(Look(colour=colour, dashes=dashes, width=2.6) for dashes, colour in product(DASHES, GREYS))
    looks = {name: next(greys) for name in of_kind(run, "traffic", "topic", "subscription")}
    queues = sorted(of_kind(run, "queue"), key=letters(run).__contains__)
    looks |= {name: next(palette) for name in [*queues, *of_kind(run, "join", "outbox")]}
    pools: dict[str, int] = {}
    for name in of_kind(run, "pool"):
        queue = run.scenario.workers[name].queue
        others = pools[queue] = pools.get(queue, -1) + 1
        dashes = DASHES[(DASHES.index(looks[queue].dashes) + others) % len(DASHES)]
        looks[name] = attrs.evolve(looks[queue], dashes=dashes)
    return looks


def _rows(run: Run, chosen: Sequence[str] | None, looks: dict[str, Look]) -> list[Row]:
    """The rows that have something to show. Unless chosen, dead-letter queues have a backlog and nothing else."""
    silent = letters(run) if chosen is None else set()
    usual = of_kind(run, "traffic", "queue", "join", "pool", "outbox")
    names = [name for name in usual if name not in silent or arrived(run, name)] if chosen is None else chosen

    def lines(kind: str, metric: str, label: str = "{}", look: dict[str, Any] | None = None, **how: bool) -> list[Line]:
        return [
            Line(name, metric, label.format(name), attrs.evolve(looks[name], **(look or {})), **how)
            for name in names
            if run.kind(name) == kind and (name not in silent or metric == "visible")
        ]

    def quiet(metric: str) -> list[Line]:
        noisy = [name for name in names if run.records[name].table == "fair queue" and any(run.series(name, NOISY)[1])]
        return [
            Line(
                name,
                f"{metric}{QUIET}",
                f"{name}: quiet groups",
                attrs.evolve(looks[name], dashes=":", width=1.8),
            )
            for name in noisy
        ]

    judged = [name for name in names if run.records[name].table in JUDGED and any(run.series(name, "bounce_rate")[1])]

    def rated(metric: str, what: str, look: dict[str, Any] | None = None) -> list[Line]:
        return [Line(name, metric, f"{name}: {what}", attrs.evolve(looks[name], **(look or {}))) for name in judged]

    tried = [name for name in of_kind(run, "subscription") if chosen is None or name in chosen]
    tried = [name for name in tried if run.total(name, "failed_attempts")]

    def repeated(metric: str, *, rate: bool = False) -> list[Line]:
        palette = cycle(Look(colour=colour, dashes=dashes) for dashes, colour in product(DASHES, reversed(COLOURS)))
        return [Line(name, metric, name, look, rate=rate) for name, look in zip(tried, palette, strict=False)]

    rows = [
        Row(
            "Arrivals (broad) and completions",
            "1/s",
            [
                *lines("traffic", "arrivals", "{}: arrivals", rate=True),
                *lines("topic", "published", "{}: published", rate=True),
                *lines("subscription", "delivered", "{}: delivered", rate=True),
                *lines("queue", "deleted", "{}: completed", rate=True),
                *lines("join", "completed", "{}: completed", rate=True),
            ],
        ),
        Row("Deliveries under way", "messages", repeated("pending")),
        Row("Failed attempts of deliveries", "1/s", repeated("failed_attempts", rate=True)),
        Row("Backlog (visible)", "messages", [*lines("queue", "visible"), *quiet("visible")]),
        Row("In flight", "messages", lines("queue", "in_flight")),
        Row("Age of the oldest message", "s", [*lines("queue", AGE), *quiet(AGE)]),
        Row(
            "Emails accepted, recipients throttled (dotted)",
            "1/s",
            [
                *lines("outbox", "accepted", "{}: accepted", rate=True),
                *lines("outbox", "throttled", "{}: throttled", {"dashes": ":", "width": 1.8}, rate=True),
            ],
        ),
        Row(
            "Bounce rate, complaint rate (dotted)",
            "%",
            [
                *rated("bounce_rate", "bounces"),
                *rated("complaint_rate", "complaints", {"dashes": ":", "width": 1.8}),
            ],
        ),
        Row(
            "Workers busy, and how many there are (thin)",
            "workers",
            [*lines("pool", "count", "{}: count", {"width": 0.7}, steps=True), *lines("pool", "busy", "{}: busy")],
        ),
    ]
    return [row for row in rows if row.lines]


def _shades(run: Run) -> list[Shade]:
    """The warm-up, the spikes of all traffic, outages of endpoints, and where an outbox was found paused."""
    spikes = [window for each in run.scenario.traffic.values() for window in each.rate.windows(0.0, run.until)]
    warm_up = [(0.0, min(run.warm_up, run.until))] if run.warm_up else []
    paused = [each for name in of_kind(run, "outbox") for each in _pauses(run, name)]
    subscriptions = [each for topic in run.scenario.topics.values() for each in topic.subscriptions]
    outages = [outage for each in subscriptions if each.server is not None for outage in each.server.outages]
    down = [window for outage in outages for window in outage.windows(run.until)]
    shades = [
        Shade("warm-up", WARM_UP, warm_up),
        Shade("outage", OUTAGE, _merged(down)),
        Shade("spike", SPIKE, _merged(spikes)),
        Shade("outbox paused", PAUSED, _merged(paused)),
    ]
    return [shade for shade in shades if shade.windows]


def _pauses(run: Run, outbox: str) -> Iterator[tuple[float, float]]:
    """From each reading that found an outbox paused to the next one."""
    if run.records[outbox].table in JUDGED:
        times, paused = run.series(outbox, "paused")
        yield from ((start, end) for (start, end), value in zip(pairwise(times), paused, strict=False) if value)


def _merged(windows: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same stretches, ascending; those that overlap or touch become one."""
    whole: list[tuple[float, float]] = []
    for start, end in sorted(windows):
        if whole and start <= whole[-1][1]:
            whole[-1] = (whole[-1][0], max(end, whole[-1][1]))
        else:
            whole.append((start, end))
    return whole


def _values(run: Run, line: Line) -> tuple[list[float], list[float]]:
    """Times [s] and values; a rate holds from the reading before to the reading after."""
    if not line.rate:
        times, values = run.series(line.entity, line.metric)
        if line.metric.endswith(QUIET):  # while nobody is noisy, all are quiet: the other line shows them
            noisy = run.series(line.entity, NOISY)[1]
            return list(times), [value if some else nan for value, some in zip(values, noisy, strict=True)]
        return list(times), list(values)
    edges, gained = rates(run, line.entity, line.metric)
    return (edges, [*gained, gained[-1]]) if gained else ([], [])


# ---------------------------------------------------------------- drawing


def _draw_row(axes: Axes, run: Run, row: Row, *, crowded: bool) -> None:
    series = [_values(run, line) for line in row.lines]
    highest = max((value for _, values in series for value in values if not isnan(value)), default=0.0)
    unit, size = time_unit(highest) if row.unit == "s" else (row.unit, 0.01 if row.unit == "%" else 1.0)
    few = len(run.times) <= FEW
    slim = SLIM if crowded else 1.0
    for line, (times, values) in zip(row.lines, series, strict=True):
        (drawn,) = axes.plot(
            times,
            [value / size for value in values],
            color=line.look.colour,
            linestyle=line.look.dashes,
            linewidth=line.look.width * slim,
            drawstyle="steps-post" if line.rate or line.steps else "default",
            marker="o" if few and not (line.rate or line.steps) else "",
            markersize=3,
            clip_on=not few,
            gid=f"{line.entity}.{line.metric}",
        )
        drawn.set_in_layout(False)
    axes.set_title(row.title)
    axes.set_ylabel(f"[{unit}]")
    axes.set_ylim(0, 1.08 * highest / size or 1.0)
    whole = row.unit in {"messages", "workers"}
    locator = MaxNLocator(4, integer=whole, steps=[1, 2, 2.5, 5, 10], min_n_ticks=1)
    axes.yaxis.set_major_locator(locator if highest else FixedLocator([0]))
    axes.yaxis.set_major_formatter(FuncFormatter(short))


def _draw_shades(axes: Axes, shades: Iterable[Shade], position: int) -> None:
    for shade in shades:
        axes.broken_barh(
            [(start, end - start) for start, end in shade.windows],
            (0, 1),
            transform=axes.get_xaxis_transform(),
            color=shade.colour,
            linewidth=0,
            zorder=0.1,
            gid=f"{shade.name}-{position}",
        )


def _legend(axes: Axes, row: Row, shades: Sequence[Shade]) -> None:
    """To the right of one row. Labels are set last: names may begin with '_', and '$' is nothing special."""
    handles = [*axes.lines, *(Patch(color=shade.colour, linewidth=0) for shade in shades)]
    legend = axes.legend(handles, ["."] * len(handles), loc="upper left", bbox_to_anchor=(1.005, 1.0))
    labels = [*(line.label for line in row.lines), *(shade.name for shade in shades)]
    for text, label in zip(legend.get_texts(), labels, strict=True):
        text.set(text=one_line(label), parse_math=False)


def _common_legend(
    made: Picture, run: Run, rows: Iterable[Row], looks: dict[str, Look], shades: Sequence[Shade]
) -> None:
    """To the right of all rows: each entity once, by kind."""
    shown = {line.entity: run.kind(line.entity) for row in rows for line in row.lines}
    entries: list[tuple[Any, str]] = []
    for kind in dict.fromkeys(shown.values()):
        entries.append((Line2D([], [], linestyle=""), _KINDS[kind]))
        for name in (name for name, its in shown.items() if its == kind):
            look = looks[name]
            entries.append((Line2D([], [], color=look.colour, linestyle=look.dashes, linewidth=look.width), name))
    entries += [(Patch(color=shade.colour, linewidth=0), shade.name) for shade in shades]
    rooms = int(made.get_figheight() / ENTRY_HEIGHT) - 2
    legend = made.legend(
        [handle for handle, _ in entries],
        ["."] * len(entries),
        loc="outside right upper",
        ncols=-(-len(entries) // rooms),
    )
    for text, (handle, label) in zip(legend.get_texts(), entries, strict=True):
        head = isinstance(handle, Line2D) and handle.get_linestyle() == "None"
        text.set(text=one_line(label), parse_math=False, weight="bold" if head else "normal")


_KINDS = {
    "traffic": "Traffic",
    "topic": "Topics",
    "subscription": "Subscriptions",
    "queue": "Queues",
    "join": "Joins",
    "pool": "Workers",
    "outbox": "Outboxes",
}

_UNITS = (("s", 1.0, 2 * MINUTE), ("min", MINUTE, 2 * HOUR), ("h", HOUR, 2 * DAY), ("d", DAY, inf))


def time_unit(longest: float) -> tuple[str, float]:
    """The unit for times up to `longest` [s], and its size [s]."""
    return next((unit, size) for unit, size, limit in _UNITS if longest <= limit)


def _time_axis(axes: Axes, run: Run) -> None:
    """The shared axis is in seconds; its ticks are at round numbers of a suitable unit."""
    unit, size = time_unit(run.until)
    axes.set_xlim(0.0, run.until or 1.0)
    axes.set_xlabel(f"simulated time [{unit}]")
    axes.xaxis.set_major_locator(_Rounded(size))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _position: f"{value / size:g}"))


class _Rounded(MaxNLocator):
    """Ticks at round numbers of a unit: of hours in quarters of a day, of others in tens."""

    def __init__(self, size: float) -> None:
        super().__init__(10, steps=[1, 2, 3, 6, 10] if size == HOUR else [1, 2, 5, 10])
        self._size = size

    def tick_values(self, vmin: float, vmax: float) -> Any:
        return [self._size * tick for tick in super().tick_values(vmin / self._size, vmax / self._size)]


def short(value: float, _position: int) -> str:
    """A tick's number; from ten thousand on with k, M or G."""
    for size, least, letter in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e3, 1e4, "k")):
        if value >= least:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
