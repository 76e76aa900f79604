"""A study in pictures: a measure over design points, a planner's curve, a fan of replications over time."""

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from msgsim.formats import one_line
from msgsim.plot import COLOURS, GREYS, WIDTH, Picture, short, style, time_unit
from msgsim.run import quantile
from msgsim.study.design import Point, brief, labels
from msgsim.study.estimates import Estimate
from msgsim.study.measures import unit_of
from msgsim.study.objectives import Term, parse

if TYPE_CHECKING:
    from msgsim.study.planner import Plan
    from msgsim.study.results import At, Study

HEIGHT, FOREST_ROW = 2.6, 0.32
"""Of a pair of axes, and of a design point in a forest plot [inches]."""

FEWEST = 3
"""With fewer numbers there is no curve to see."""

WIDE = 10.0
"""From this ratio on, an axis of positive numbers is logarithmic."""

BANDS = ((0.05, 0.95, 0.18), (0.25, 0.75, 0.35))
"""Of a fan chart: lower and upper quantile, and how dense the band is."""

LETTER, LINE, DOT = 4.2, 10.0, 3.0
"""About the width and height of a letter in a label, and half the width of a dot [points]."""

_AROUND = tuple(
    (sign * (5.0 + abs(dy) / 4), dy, align)
    for dy in (3.0, -11.0, 14.0, -22.0, 25.0, 36.0)
    for sign, align in ((1, "left"), (-1, "right"))
)
"""Where a label may stand: from its point [points], and which of its ends is there."""

_BLUE, _RED, _GREEN = COLOURS[:3]

_CURVES = [colour for colour in COLOURS if colour != _RED]
"""Of curves: limits are red."""


def over_points(study: "Study", entity: str, measure: str, objective: str | None, confidence: float) -> Picture:
    """See `Study.plot`."""
    places = [point for point in study.points if study.measured(point.levels)]
    estimates = [study.estimate(entity, measure, point.levels, confidence=confidence) for point in places]
    limits = [term for term in parse(objective).terms if term.key == (entity, measure)] if objective else []
    unit = unit_of(study.points[0].scenario, entity, measure)
    path, curves = _curves(places)
    with mpl.rc_context(style()):
        if curves:
            picture = Picture(figsize=(WIDTH, HEIGHT + 0.6), layout="constrained")
            axes = picture.add_subplot()
            for (label, some), colour in zip(curves.items(), _CURVES, strict=False):
                values = [places[place].levels[path] for place in some]
                _curve(axes, values, [estimates[place] for place in some], colour, label)
            _scale(axes, [point.levels[path] for point in places], path)
            axes.set_ylabel(unit)
            _from_zero(axes, [each.value for each in estimates])
            for term in limits:
                axes.axhline(term.threshold, color=_RED, dashes=(4, 2), linewidth=1.0, label=str(term))
        else:
            picture = Picture(figsize=(WIDTH, 1.0 + FOREST_ROW * len(places)), layout="constrained")
            axes = picture.add_subplot()
            _forest(axes, labels(places), estimates)
            axes.set_xlabel(unit)
            for term in limits:
                axes.axvline(term.threshold, color=_RED, dashes=(4, 2), linewidth=1.0, label=str(term))
        if limits or len(curves) > 1:
            axes.legend()
        axes.set_title(f"{one_line(entity)}: {measure}, mean with {100 * confidence:.4g} % interval")
    return picture


def planner_curve(plan: "Plan") -> Picture:
    """See `Plan.plot`."""
    terms = plan.objective.terms
    with mpl.rc_context(style()):
        picture = Picture(figsize=(WIDTH, 0.6 + HEIGHT * len(terms)), layout="constrained")
        rows = picture.subplots(len(terms), 1, sharex=True, squeeze=False)[:, 0]
        values = [trial.value for trial in plan.table]
        for place, (term, axes) in enumerate(zip(terms, rows, strict=True)):
            estimates = [trial.verdict.estimates[place] for trial in plan.table]
            _curve(axes, values, estimates, GREYS[0], "")
            for state, colour in (("met", _GREEN), ("not sure", COLOURS[5]), ("not met", _RED)):
                chosen = [
                    (value, estimate.value)
                    for value, estimate in zip(values, estimates, strict=True)
                    if _state(term, estimate) == state and isfinite(estimate.value)
                ]
                if chosen:
                    axes.plot(*zip(*chosen, strict=True), "o", color=colour, label=state, zorder=3)
            axes.axhline(term.threshold, color=_RED, dashes=(4, 2), linewidth=1.0, label=f"limit: {_limit(term)}")
            if plan.value is not None:
                axes.axvline(plan.value, color=_GREEN, linewidth=1.0, label=f"answer: {brief(plan.value)}")
            _scale_up(axes, [each.value for each in estimates], term)
            axes.set_ylabel(unit_of(plan.study.points[0].scenario, *term.key))
            axes.set_title(f"{term.statistic}({one_line(term.entity)}.{term.metric})")
            _from_zero(axes, [each.value for each in estimates])
            axes.legend()
        _scale(rows[-1], values, plan.find)
    return picture


def fan_chart(study: "Study", entity: str, metric: str, at: "At") -> Picture:
    """See `Study.fan`."""
    times, replications = study.series(entity, metric, at)
    columns = [sorted(values) for values in zip(*replications, strict=True)]
    name, size = time_unit(times[-1] if times else 0.0)
    shown = [time / size for time in times]
    with mpl.rc_context(style()):
        picture = Picture(figsize=(WIDTH, HEIGHT + 0.6), layout="constrained")
        axes = picture.add_subplot()
        for low, high, alpha in BANDS:
            lower, upper = ([quantile(column, q) for column in columns] for q in (low, high))
            label = f"{100 * (high - low):.0f} % of {len(replications)} replications"
            axes.fill_between(shown, lower, upper, color=_BLUE, alpha=alpha, linewidth=0, label=label)
        axes.plot(shown, [quantile(column, 0.5) for column in columns], color=_BLUE, label="median")
        axes.set_xlabel(f"simulated time [{name}]")
        axes.set_ylabel(unit_of(study.points[0].scenario, entity, metric))
        axes.yaxis.set_major_formatter(FuncFormatter(short))
        axes.set_ylim(bottom=0)
        axes.margins(x=0)
        axes.set_title(f"{one_line(entity)}: {metric}")
        axes.legend()
    return picture


def front_chart(
    points: Sequence[tuple[str, float, float, bool]], names: tuple[str, str], limits: Sequence[tuple[int, Term]] = ()
) -> Picture:
    """Design points by two numbers that both should be small, and the ones that no other beats in both.

    Args:
        points: of each its label, both numbers, and whether it is on the front.
        names: of the numbers.
        limits: terms of an objective, each with the number that it is about: 0 or 1.
    """
    with mpl.rc_context(style()):
        picture = Picture(figsize=(WIDTH, HEIGHT + 1.2), layout="constrained")
        axes = picture.add_subplot()
        beaten = [(x, y) for _, x, y, first in points if not first]
        front = sorted((x, y, label) for label, x, y, first in points if first)
        if beaten:
            axes.plot(*zip(*beaten, strict=True), "o", color=GREYS[1], label="beaten")
        if front:
            axes.plot([x for x, *_ in front], [y for _, y, _ in front], "o-", color=_BLUE, label="front")
        for which, term in limits:
            draw = axes.axhline if which else axes.axvline
            draw(term.threshold, color=_RED, dashes=(4, 2), linewidth=1.0, label=str(term))
        axes.set_xlabel(names[0])
        axes.set_ylabel(names[1])
        heights = [y for _, _, y, _ in points]
        for which, term in limits:
            if which:
                _scale_up(axes, heights, term)
        _from_zero(axes, heights)
        axes.xaxis.set_major_formatter(FuncFormatter(short))
        axes.yaxis.set_major_formatter(FuncFormatter(short))
        _label(axes, front, beaten)
        if points:
            axes.legend()
    return picture


# ---------------------------------------------------------------- inside


def _curves(points: Sequence[Point]) -> tuple[str, dict[str, list[int]]]:
    """The path whose numbers make curves, and for each curve its label and the places of its points, in order.

    There is a curve for each combination of the other values. None if there are too many, or too few points on one.
    """
    paths = dict.fromkeys(path for point in points for path in point.levels)
    sizes = {path: len({point.levels.get(path) for point in points}) for path in paths if _is_numeric(points, path)}
    if not sizes:
        return "", {}
    path = max(sizes, key=sizes.__getitem__)
    rest = [
        Point({name: each for name, each in point.levels.items() if name != path}, point.scenario) for point in points
    ]
    curves: dict[str, list[int]] = {}
    for place in sorted(range(len(points)), key=lambda place: float(points[place].levels[path])):
        curves.setdefault(rest[place].key, []).append(place)
    if len(curves) > len(_CURVES) or min(map(len, curves.values())) < FEWEST:
        return path, {}
    named = labels(rest) if len(curves) > 1 else [""] * len(points)
    ordered = sorted(curves.values(), key=min)
    return path, {named[some[0]]: some for some in ordered}


def _is_numeric(points: Sequence[Point], path: str) -> bool:
    return all(_is_number(point.levels.get(path)) for point in points)


def _label(axes: Axes, points: Sequence[tuple[float, float, str]], others: Sequence[tuple[float, float]]) -> None:
    """Write a label at each point, where there is room for it beside all of them; none where there is not."""
    wide, high = 72 * (WIDTH - 1), 72 * HEIGHT
    axes.autoscale_view()  # transformations are for the limits that it finds
    to_share = axes.transData - axes.transAxes

    def place(x: float, y: float) -> tuple[float, float]:
        across, up = to_share.transform((x, y))
        return float(across) * wide, float(up) * high

    places = [place(x, y) for x, y, _ in points]
    taken = [(x - DOT, y - DOT, x + DOT, y + DOT) for x, y in (*places, *(place(x, y) for x, y in others))]
    for (x, y, label), at in zip(points, places, strict=True):
        size = LETTER * len(label)
        for dx, dy, align in _AROUND:
            begin = at[0] + dx - (size if align == "right" else 0.0)
            box = begin, at[1] + dy, begin + size, at[1] + dy + LINE
            inside = box[0] >= 0 and box[2] <= wide and box[1] >= 0 and box[3] <= high
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                offset = (dx, dy)
                axes.annotate(
                    label, (x, y), offset, textcoords="offset points", ha=align, fontsize=7.5, in_layout=False
                )
                break


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _from_zero(axes: Axes, values: Sequence[float]) -> None:
    """Begin at 0 where all numbers are positive."""
    if all(value >= 0 for value in values if isfinite(value)):
        axes.set_ylim(bottom=0)


def _curve(axes: Axes, values: Sequence[float], estimates: Sequence[Estimate], colour: str, label: str) -> None:
    known = [(x, each) for x, each in zip(values, estimates, strict=True) if isfinite(each.value)]
    heights = [each.value for _, each in known]
    errors = [
        [each.value - each.low if isfinite(each.low) else 0.0 for _, each in known],
        [each.high - each.value if isfinite(each.high) else 0.0 for _, each in known],
    ]
    axes.errorbar(
        [x for x, _ in known],
        heights,
        errors,
        fmt="o-",
        color=colour,
        markersize=4,
        capsize=3,
        linewidth=1.0,
        label=label or None,
    )


def _forest(axes: Axes, labels: Sequence[str], estimates: Sequence[Estimate]) -> None:
    for place, each in enumerate(estimates):
        if isfinite(each.value):
            ends = [end if isfinite(end) else each.value for end in (each.low, each.high)]
            axes.plot(ends, [place, place], color=_BLUE, linewidth=1.6)
            axes.plot([each.value], [place], "s", color=_BLUE, markersize=5)
    axes.set_yticks(range(len(labels)), labels=list(labels))
    axes.set_ylim(max(1, len(labels)) - 0.5, -0.5)
    axes.xaxis.set_major_formatter(FuncFormatter(short))


def _scale(axes: Axes, values: Sequence[float], name: str) -> None:
    axes.set_xlabel(name)
    if min(values) > 0 and max(values) / min(values) >= WIDE:
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
        axes.set_xticks(_ticks(values), labels=[brief(value) for value in _ticks(values)])
    elif all(float(value).is_integer() for value in values):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(short))


def _ticks(values: Sequence[float]) -> list[float]:
    """As many of the values as have room for their labels on a logarithmic axis."""
    ordered, gap = sorted(set(values)), (max(values) / min(values)) ** (1 / 20)
    chosen = [ordered[0]]
    for value in ordered[1:]:
        if value >= chosen[-1] * gap:
            chosen.append(value)
    return chosen


def _scale_up(axes: Axes, values: Sequence[float], term: Term) -> None:
    """A logarithmic axis where the limit would be lost at the foot of the picture."""
    heights = [value for value in values if isfinite(value)]
    if heights and term.threshold > 0 and max(heights) > WIDE * term.threshold:
        axes.set_yscale("symlog", linthresh=term.threshold)
        axes.set_ylim(top=2 * max(heights))


def _state(term: Term, estimate: Estimate) -> str:
    """Of one term: another one may decide otherwise."""
    if term.met_by_all(estimate.low, estimate.high):
        return "met"
    return "not sure" if term.met_by(estimate.low if term.bounded_above else estimate.high) else "not met"


def _limit(term: Term) -> str:
    return str(term).partition(") ")[2]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
