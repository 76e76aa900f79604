import math
import pickle
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from msgsim.engine import curves
from msgsim.engine.curves import (
    CURVES,
    Constant,
    Diurnal,
    Ramp,
    RateCurve,
    Spike,
    Steps,
    Sum,
    Trace,
    as_curve,
)
from msgsim.errors import DeclarationError

rates = st.floats(0.0, 500.0, allow_subnormal=False)
times = st.floats(0.0, 150.0, allow_subnormal=False)
lengths = st.floats(0.01, 60.0, allow_subnormal=False)


@st.composite
def spikes(draw: st.DrawFn) -> Spike:
    hold, ramp = draw(st.just(0.0) | lengths), draw(st.just(0.0) | lengths)
    decay = draw(st.just(0.0) | lengths)
    every = draw(st.none() | st.floats(0.0, 50.0).map(lambda more: max(10.0, hold + ramp + more)))
    return Spike(draw(times), draw(rates), hold, ramp, decay, every)


@st.composite
def ramps(draw: st.DrawFn) -> Ramp:
    start = draw(times)
    return Ramp(start, start + draw(lengths), draw(rates), draw(rates))


@st.composite
def diurnals(draw: st.DrawFn) -> Diurnal:
    mean = draw(rates)
    share = draw(st.floats(0.0, 1.0, allow_subnormal=False))
    return Diurnal(mean, mean * share, draw(st.floats(10.0, 500.0)), draw(st.none() | times))


step_lists = st.lists(st.tuples(times, rates), min_size=1, max_size=5, unique_by=lambda step: step[0]).map(sorted)
traces = st.builds(
    Trace, st.lists(st.integers(0, 50), min_size=1, max_size=8), st.floats(2.0, 30.0), repeat=st.booleans()
)
simple_curves = st.one_of(rates.map(Constant), ramps(), spikes(), diurnals(), step_lists.map(Steps), traces)
all_curves = simple_curves | st.lists(simple_curves, min_size=1, max_size=4).map(Sum)


def quadrature(curve: RateCurve, a: float, b: float) -> float:
    """The integral by numbers alone, from breakpoint to breakpoint; what is too short to matter confuses it."""
    stretches = [stretch for stretch in pairwise([a, *curve.breakpoints(a, b), b]) if stretch[1] - stretch[0] > 1e-10]
    return math.fsum(quad(curve.rate, *stretch, epsabs=1e-8, epsrel=1e-8)[0] for stretch in stretches)


@settings(deadline=None)
@given(all_curves, times, times)
def test_the_integral_is_the_area_under_the_rate(curve: RateCurve, one: float, other: float) -> None:
    a, b = sorted((one, other))
    assert curve.integral(a, b) == pytest.approx(quadrature(curve, a, b), rel=1e-7, abs=1e-6)


@given(all_curves, times, times, times)
def test_integrals_of_adjacent_stretches_add_up(curve: RateCurve, one: float, two: float, three: float) -> None:
    a, b, c = sorted((one, two, three))
    parts = curve.integral(a, b) + curve.integral(b, c)
    assert curve.integral(a, c) == pytest.approx(parts, rel=1e-11, abs=1e-9)
    assert curve.integral(a, a) == 0.0
    assert curve.integral(a, b) >= -1e-9


@given(all_curves, times, times)
def test_breakpoints_ascend_and_belong_to_what_they_begin(curve: RateCurve, one: float, other: float) -> None:
    a, b = sorted((one, other))
    found = curve.breakpoints(a, b)
    assert all(low < high for low, high in pairwise([a, *found, b])) or not found
    for t in found:
        assert curve.rate(t) == pytest.approx(curve.rate(math.nextafter(t, math.inf)), rel=1e-9, abs=1e-6)


@given(all_curves, times, st.floats(0.0, 10.0, allow_subnormal=False))
def test_curves_scale(curve: RateCurve, t: float, factor: float) -> None:
    scaled = curve * factor
    assert type(scaled) is type(curve)
    assert factor * curve == scaled
    assert scaled.rate(t) == pytest.approx(factor * curve.rate(t), abs=1e-9)
    assert scaled.integral(t, t + 50.0) == pytest.approx(factor * curve.integral(t, t + 50.0), abs=1e-9)


@given(all_curves, all_curves, times)
def test_curves_add(one: RateCurve, other: RateCurve, t: float) -> None:
    both = one + other
    assert both.rate(t) == pytest.approx(one.rate(t) + other.rate(t), abs=1e-9)
    assert both.breakpoints(0.0, 90.0) == sorted({*one.breakpoints(0.0, 90.0), *other.breakpoints(0.0, 90.0)})


@given(all_curves)
def test_curves_are_values(curve: RateCurve) -> None:
    curve.integral(0.0, 100.0)
    copy = pickle.loads(pickle.dumps(curve))  # noqa: S301 - our own bytes
    assert copy == curve
    assert hash(copy) == hash(curve)
    assert eval(repr(curve), vars(curves)) == curve  # noqa: S307 - reprs are evaluable by rule


def test_a_constant_is_its_rate_and_says_it_at_any_time() -> None:
    curve = Constant(200)
    assert curve.rate == 200.0
    assert repr(curve) == "Constant(rate=200.0)"
    assert type(curve.rate(7.0)) is float
    assert curve.rate(7.0) == 200.0
    assert curve.integral(2.0, 5.0) == 600.0
    assert curve.breakpoints(0.0, 1e9) == []


def test_a_ramp_holds_its_rates_outside() -> None:
    curve = Ramp(10, 20, 100, 300)
    assert [curve.rate(t) for t in (0.0, 10.0, 15.0, 20.0, 99.0)] == [100.0, 100.0, 200.0, 300.0, 300.0]
    assert curve.breakpoints(0.0, 99.0) == [10.0, 20.0]
    assert curve.breakpoints(10.0, 20.0) == []
    assert curve.integral(0.0, 30.0) == 1000.0 + 2000.0 + 3000.0


def test_steps_hold_until_the_next_and_begin_from_nothing() -> None:
    curve = Steps([(5, 10), (8, 0), (9, 2)])
    assert [curve.rate(t) for t in (0.0, 5.0, 7.9, 8.0, 9.0, 99.0)] == [0.0, 10.0, 10.0, 0.0, 2.0, 2.0]
    assert curve.integral(0.0, 10.0) == 32.0
    assert curve.breakpoints(0.0, 99.0) == [5.0, 8.0, 9.0]


def test_a_day_peaks_at_noon_unless_told_otherwise() -> None:
    day = Diurnal(100, 80)
    assert day.rate(43_200.0) == 180.0
    assert day.rate(0.0) == pytest.approx(20.0)
    assert day.integral(0.0, 86_400.0) == pytest.approx(8_640_000.0)
    assert Diurnal(100, 80, 24.0, 6.0).rate(6.0 + 240.0) == 180.0
    assert Diurnal(100, 0).rate(5.0) == 100.0


def test_a_day_that_goes_down_to_zero_is_never_negative() -> None:
    day = Diurnal(100.0, 100.0, peak_at=12_345.6)
    assert all(day.rate(12_345.6 + 43_200.0 + k * 86_400.0 + dt) >= 0.0 for k in range(50) for dt in (-1e-4, 0.0, 1e-4))


def test_traces_spread_each_count_over_its_bucket() -> None:
    trace = Trace([30, 0, 0, 60], 10, start="monday", name="orders")
    assert [trace.rate(t) for t in (-1.0, 0.0, 9.9, 10.0, 30.0, 39.9, 40.0)] == [0.0, 3.0, 3.0, 0.0, 6.0, 6.0, 0.0]
    assert (trace.total, trace.duration, trace.start, trace.name) == (90.0, 40.0, "monday", "orders")
    assert trace.integral(-5.0, 100.0) == 90.0
    assert trace.integral(5.0, 35.0) == 45.0
    assert trace.integral(11.0, 12.0) == 0.0
    assert trace.breakpoints(-1.0, 99.0) == [0.0, 10.0, 30.0, 40.0]


def test_traces_start_over_if_told_to() -> None:
    trace = Trace([30, 0, 0, 30], 10, repeat=True)
    assert [trace.rate(t) for t in (-1.0, 0.0, 40.0, 50.0, 79.0, 4_000_030.0)] == [0.0, 3.0, 3.0, 0.0, 3.0, 3.0]
    assert trace.integral(0.0, 4_000_000.0) == 6_000_000.0
    assert trace.integral(35.0, 45.0) == 30.0
    assert trace.breakpoints(0.0, 120.0) == [10.0, 30.0, 50.0, 70.0, 90.0, 110.0]


def test_traces_without_change_have_no_breakpoints() -> None:
    assert Trace([0, 0], 10).breakpoints(-1.0, 99.0) == []
    assert Trace([0, 5], 10).breakpoints(-1.0, 99.0) == [10.0, 20.0]
    assert Trace([5, 5], 10, repeat=True).breakpoints(-1.0, 1e9) == [0.0]
    assert Trace([5, 5], 10, repeat=True).rate(-0.5) == 0.0
    assert Trace([5, 5], 10).stretch(-0.5) == (0.0, Trace([0], 1).form(0.0))


@pytest.mark.parametrize("width", [0.1, 0.3, 1 / 3, 7.7, 300.0])
def test_bucket_bounds_are_exact_for_awkward_widths(width: float) -> None:
    counts = [1 + k % 7 for k in range(1000)]
    trace = Trace(counts, width)
    for k in range(1000):
        assert trace.rate(k * width) == counts[k] / width
        assert trace.integral(0.0, k * width) == sum(counts[:k])
    # 1, 2 ... 7, 1 ...: every bucket differs from its forerunner.
    assert trace.breakpoints(-1.0, 1e9) == [k * width for k in range(1001)]
    twice = Trace(counts, width, repeat=True)
    assert twice.integral(500 * width, 2_500 * width) == 2.0 * sum(counts)


def test_a_trace_keeps_its_working_tables_to_itself() -> None:
    trace = Trace(range_list := [float(k) for k in range(1000)], 60.0)
    before = pickle.dumps(trace)
    assert trace.integral(0.0, 600.0) == 45.0
    assert trace.breakpoints(0.0, 100.0) == [60.0]
    assert pickle.dumps(trace) == before
    assert trace == Trace(range_list, 60.0)
    assert repr(trace).startswith("Trace(counts=(0.0, 1.0, 2.0, ... 997 more), width=60.0")


def test_a_trace_takes_columns_and_arrays() -> None:
    class Column:
        def tolist(self) -> list[int]:
            return [1, 2, 3]

    assert Trace(Column(), 60) == Trace([1, 2, 3], 60)


def test_a_trace_reads_a_file(tmp_path: Path) -> None:
    path = tmp_path / "orders.2026.csv"
    path.write_text("time,orders\n2026-01-01 00:00,5\n2026-01-01 00:05,7\n")
    expected = Trace([5, 7], 300, start="2026-01-01 00:00", repeat=True, name="orders.2026")
    assert Trace.from_csv(path, time="time", count="orders", repeat=True) == expected
    assert Trace.from_csv(str(path), "time", "orders") == attrs.evolve(expected, repeat=False)


def test_plain_numbers_add_as_constants() -> None:
    spike = Spike(60, 400, 120)
    assert spike + 200 == Sum([spike, Constant(200)])
    assert 200 + spike == Sum([Constant(200), spike])
    assert sum([spike, Constant(1), Constant(2)]) == Sum([spike, Constant(1), Constant(2)])
    assert repr(Constant(200) + Constant(1.5)) == "Constant(rate=200.0) + Constant(rate=1.5)"


def test_sums_are_flat() -> None:
    one, two, three = Constant(1), Constant(2), Constant(3)
    assert ((one + two) + three).terms == (one, two, three)
    assert (one + (two + three)).terms == (one, two, three)
    assert Sum([one]).terms == (one,)
    assert repr(Sum([one])) == "Sum((Constant(rate=1.0),))"


@pytest.mark.parametrize(
    "curve",
    [
        Constant(1),
        Ramp(0, 1, 2, 3),
        Spike(1, 2, 3),
        Diurnal(2, 1),
        Steps([(0, 1)]),
        Trace([1], 1),
        Constant(1) + Constant(2),
    ],
)
def test_only_numbers_and_curves_are_operands(curve: RateCurve) -> None:
    for wrong in ("2", None, [1], curve):
        with pytest.raises(TypeError):
            curve * wrong  # type: ignore[operator]
    for wrong in ("2", None, [1]):
        with pytest.raises(TypeError):
            curve + wrong  # type: ignore[operator]
        with pytest.raises(TypeError):
            wrong + curve
    for factor in (-1, math.nan, math.inf, True):
        with pytest.raises(DeclarationError, match=rf"^{type(curve).__name__} \* factor: .*allowed: 0 or more"):
            curve * factor


def test_numbers_and_lists_become_curves() -> None:
    spike = Spike(60, 400, 120)
    assert as_curve(5) == Constant(5.0)
    assert as_curve(spike) is spike
    assert as_curve([200, spike]) == Constant(200) + spike
    assert as_curve([spike]) == Sum([spike])
    assert as_curve("many") == "many"
    assert as_curve(True) is True


def test_every_kind_of_curve_has_a_tag() -> None:
    assert {
        "constant": Constant,
        "ramp": Ramp,
        "spike": Spike,
        "diurnal": Diurnal,
        "steps": Steps,
        "trace": Trace,
    } == CURVES


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant(-5), "Constant.rate: -5.0 is not allowed; allowed: 0 or more [1/s]"),
        (lambda: Constant("5"), "Constant.rate: '5' is not a number; allowed: 0 or more [1/s]"),
        (lambda: Constant(True), "Constant.rate: True is not a number; allowed: 0 or more [1/s]"),
        (lambda: Constant(math.inf), "Constant.rate: inf is not allowed; allowed: 0 or more [1/s]"),
        (lambda: Ramp(-1, 5, 1, 2), "Ramp.start: -1.0 is not allowed; allowed: 0 or more [s]"),
        (lambda: Ramp(5, 5, 1, 2), "Ramp.end: 5.0 is not allowed; allowed: more than 5 [s]"),
        (lambda: Ramp(5, 6, -1, 2), "Ramp.from_rate: -1.0 is not allowed; allowed: 0 or more [1/s]"),
        (lambda: Ramp(5, 6, 1, math.nan), "Ramp.to_rate: nan is not allowed; allowed: 0 or more [1/s]"),
        (lambda: Diurnal(-1, 0), "Diurnal.mean: -1.0 is not allowed; allowed: 0 or more [1/s]"),
        (lambda: Diurnal(5, 6), "Diurnal.amplitude: 6.0 is not allowed; allowed: 0 to 5 [1/s] (at most the mean)"),
        (lambda: Diurnal(5, 1, 0), "Diurnal.period: 0.0 is not allowed; allowed: 0.001 or more [s]"),
        (lambda: Steps("abc"), "Steps.steps: 'abc' is not a list of pairs (time, rate)"),
        (lambda: Steps([]), "Steps.steps: () is not a list of pairs (time, rate)"),
        (lambda: Steps([(0, 1), 5]), "Steps.steps.1: 5 is not a pair (time, rate)"),
        (lambda: Steps([(0, 1, 2)]), "Steps.steps.0: (0.0, 1.0, 2.0) is not a pair (time, rate)"),
        (lambda: Steps([(-1, 1)]), "Steps.steps.0.0: -1.0 is not allowed; allowed: 0 or more [s]"),
        (lambda: Steps([(3, 1), (3, 2)]), "Steps.steps.1.0: 3.0 is not allowed; allowed: more than 3 [s]"),
        (lambda: Steps([(0, -1)]), "Steps.steps.0.1: -1.0 is not allowed; allowed: 0 or more [1/s]"),
        (lambda: Trace([], 60), "Trace.counts: () is not a list of counts"),
        (lambda: Trace(5, 60), "Trace.counts: 5 is not a list of counts"),
        (lambda: Trace([1, -1], 60), "Trace.counts.1: -1.0 is not allowed; allowed: 0 or more"),
        (lambda: Trace([1, None], 60), "Trace.counts.1: None is not a number; allowed: 0 or more"),
        (lambda: Trace([math.nan], 60), "Trace.counts.0: nan is not allowed; allowed: 0 or more"),
        (lambda: Trace([1], 0), "Trace.width: 0.0 is not allowed; allowed: 0.001 or more [s]"),
        (lambda: Trace([1], 60, repeat=1), "Trace.repeat: 1 is neither true nor false"),
        (lambda: Trace([1], 60, start=5), "Trace.start: 5 is not a text"),
        (lambda: Sum([]), "Sum.terms: () is not a list of rate curves"),
        (lambda: Sum("abc"), "Sum.terms: 'abc' is not a list of rate curves"),
        (lambda: Sum([1, "abc"]), "Sum.terms.1: 'abc' is not a rate curve"),
        (lambda: Constant(1) + -1, "Constant.rate: -1.0 is not allowed; allowed: 0 or more [1/s]"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name(make: "object", message: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        make()  # type: ignore[operator]
    assert str(caught.value) == message


def test_a_float_subclass_in_a_trace_is_fine() -> None:
    class Measured(float):
        pass

    assert Trace([Measured(2.0)], 60).total == 2.0


@pytest.mark.parametrize("time", [math.inf, math.nan, 10**400, "x", True])
def test_a_curve_is_asked_for_times_only(time: Any) -> None:
    for curve in (Trace([1, 2], 1), Diurnal(1, 1)):
        problem = f"{type(curve).__name__}: .* is not a time; allowed: numbers up to"
        for ask in (lambda: curve.rate(time), lambda: curve.integral(0, time), lambda: curve.integral(time, 9)):  # noqa: B023 - asked at once
            with pytest.raises(DeclarationError, match=problem):
                ask()


def test_numbers_of_numpy_are_rates() -> None:
    two = np.int64(2)
    assert two * Constant(1) == Constant(1) * two == Constant(two) == Constant(2)
    assert Constant(1) + two == Constant(1) + 2
    assert Sum([two]).__radd__(two) == Sum([2, 2])
    assert Steps([(0, two)]) == Steps([(0, 2)])
    assert Trace([two], two) == Trace([2], 2)


def test_a_number_that_no_float_holds_is_no_rate() -> None:
    with pytest.raises(DeclarationError, match=r"^Constant\.rate: inf is not allowed"):
        Constant(10**400)
    with pytest.raises(DeclarationError, match=r"^Trace\.counts\.1: inf is not allowed"):
        Trace([1, 10**400], 1)
