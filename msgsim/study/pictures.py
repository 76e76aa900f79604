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
from msgsim.study.design import brief
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

_BLUE, _RED, _GREEN = COLOURS[:3]


def over_points(study: "Study", entity: str, measure: str, objective: str | None, confidence: float) -> Picture:
    """See `Study.plot`."""
    places = [point for point in study.points if study.measured(point.levels)]
    estimates = [study.estimate(entity, measure, point.levels, confidence=confidence) for point in places]
    limits = [term for term in parse(objective).terms if term.key == (entity, measure)] if objective else []
    paths = list(dict.fromkeys(path for point in study.points for path in point.levels))
    numbers = [point.levels.get(paths[0]) for point in places] if len(paths) == 1 else []
    unit = unit_of(study.points[0].scenario, entity, measure)
    with mpl.rc_context(style()):
        if len(numbers) >= FEWEST and all(_is_number(number) for number in numbers):
            picture = Picture(figsize=(WIDTH, HEIGHT + 0.6), layout="constrained")
            axes = picture.add_subplot()
            _curve(axes, [float(number) for number in numbers if number is not None], estimates, _BLUE)
            _scale(axes, [float(number) for number in numbers if number is not None], paths[0])
            axes.set_ylabel(unit)
            for term in limits:
                axes.axhline(term.threshold, color=_RED, dashes=(4, 2), linewidth=1.0, label=str(term))
        else:
            picture = Picture(figsize=(WIDTH, 1.0 + FOREST_ROW * len(places)), layout="constrained")
            axes = picture.add_subplot()
            _forest(axes, [str(point) for point in places], estimates)
            axes.set_xlabel(unit)
            for term in limits:
                axes.axvline(term.threshold, color=_RED, dashes=(4, 2), linewidth=1.0, label=str(term))
        if limits:
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
            _curve(axes, values, estimates, GREYS[0])
            for state, colour in (("met", _GREEN), ("not sure", COLOURS[5]), ("not met", _RED)):
                chosen = [
                    (trial.value, estimate.value)
                    for trial, estimate in zip(plan.table, estimates, strict=True)
                    if trial.state == state and isfinite(estimate.value)
                ]
                if chosen:
                    axes.plot(*zip(*chosen, strict=True), "o", color=colour, label=state, zorder=3)
            axes.axhline(term.threshold, color=_RED, dashes=(4, 2), linewidth=1.0, label=f"limit: {_limit(term)}")
            if plan.value is not None:
                axes.axvline(plan.value, color=_GREEN, linewidth=1.0, label=f"answer: {brief(plan.value)}")
            _scale_up(axes, estimates, term)
            axes.set_ylabel(unit_of(plan.study.points[0].scenario, *term.key))
            axes.set_title(f"{term.statistic}({one_line(term.entity)}.{term.metric})")
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


def front_chart(points: Sequence[tuple[str, float, float, bool]], names: tuple[str, str]) -> Picture:
    """Design points by two numbers that both should be small, and the ones that no other beats in both.

    Args:
        points: of each its label, both numbers, and whether it is on the front.
        names: of the numbers.
    """
    with mpl.rc_context(style()):
        picture = Picture(figsize=(WIDTH, HEIGHT + 1.2), layout="constrained")
        axes = picture.add_subplot()
        beaten = [(x, y) for _, x, y, first in points if not first]
        front = sorted((x, y, label) for label, x, y, first in points if first)
        if beaten:
            axes.plot(*zip(*beaten, strict=True), "o", color=GREYS[1], label="beaten in both")
        if front:
            axes.plot([x for x, *_ in front], [y for _, y, _ in front], "o-", color=_BLUE, label="front")
        for x, y, label in front:
            axes.annotate(label, (x, y), xytext=(5, 5), textcoords="offset points", fontsize=7.5)
        axes.set_xlabel(names[0])
        axes.set_ylabel(names[1])
        if points:
            axes.legend()
    return picture


# ---------------------------------------------------------------- inside


def _curve(axes: Axes, values: Sequence[float], estimates: Sequence[Estimate], colour: str) -> None:
    known = [(x, each) for x, each in zip(values, estimates, strict=True) if isfinite(each.value)]
    heights = [each.value for _, each in known]
    errors = [
        [each.value - each.low if isfinite(each.low) else 0.0 for _, each in known],
        [each.high - each.value if isfinite(each.high) else 0.0 for _, each in known],
    ]
    axes.errorbar(
        [x for x, _ in known], heights, errors, fmt="o-", color=colour, markersize=4, capsize=3, linewidth=1.0
    )


def _forest(axes: Axes, labels: Sequence[str], estimates: Sequence[Estimate]) -> None:
    for place, each in enumerate(estimates):
        if isfinite(each.value):
            ends = [end if isfinite(end) else each.value for end in (each.low, each.high)]
            axes.plot(ends, [place, place], color=_BLUE, linewidth=1.6)
            axes.plot([each.value], [place], "s", color=_BLUE, markersize=5)
    axes.set_yticks(range(len(labels)), labels=list(labels))
    axes.set_ylim(len(labels) - 0.5, -0.5)
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


def _scale_up(axes: Axes, estimates: Sequence[Estimate], term: Term) -> None:
    """A logarithmic axis where the limit would be lost at the foot of the picture."""
    heights = [each.value for each in estimates if isfinite(each.value)]
    if heights and term.threshold > 0 and max(heights) > 3 * WIDE * term.threshold:
        axes.set_yscale("symlog", linthresh=term.threshold)
        axes.set_ylim(bottom=0)


def _limit(term: Term) -> str:
    return str(term).partition(") ")[2]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
