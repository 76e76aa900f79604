import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msgsim.engine.forms import Constant, Sum
from msgsim.engine.spikes import Spike
from msgsim.errors import DeclarationError

lengths = st.just(0.0) | st.floats(0.01, 20.0, allow_subnormal=False)


def test_a_spike_rises_holds_and_drops() -> None:
    spike = Spike(at=60, height=400, hold=120, ramp=40)
    assert [spike.rate(t) for t in (0.0, 60.0, 80.0, 100.0, 219.9, 220.0)] == [0.0, 0.0, 200.0, 400.0, 400.0, 0.0]
    assert spike.breakpoints(0.0, 999.0) == [60.0, 100.0, 220.0]
    assert spike.integral(0.0, 999.0) == 0.5 * 40 * 400 + 120 * 400
    assert spike.integral(60.0, 80.0) == 0.5 * 20 * 200


def test_a_spike_without_rise_jumps_and_decays() -> None:
    spike = Spike(at=60, height=400, hold=120, decay=30)
    assert spike.rate(60.0) == 400.0
    assert spike.rate(210.0) == pytest.approx(400.0 / math.e)
    assert spike.integral(180.0, 1e9) == pytest.approx(400.0 * 30.0)
    assert spike.breakpoints(0.0, 999.0) == [60.0, 180.0]


def test_the_far_tail_loses_no_digits() -> None:
    spike = Spike(at=0, height=1e6, hold=0, decay=10)
    assert spike.integral(300.0, 300.001) == pytest.approx(1e6 * math.exp(-30.0) * 0.001, rel=1e-4)


@settings(deadline=None)
@given(
    at=st.floats(0.0, 50.0), hold=lengths, ramp=lengths, decay=lengths, more=st.floats(0.0, 30.0),
    a=st.floats(0.0, 400.0), b=st.floats(0.0, 400.0),
)  # fmt: skip
def test_a_repeated_spike_is_the_sum_of_its_repeats(
    at: float, hold: float, ramp: float, decay: float, more: float, a: float, b: float
) -> None:
    every = max(8.0, hold + ramp + more)
    spike = Spike(at, 100.0, hold, ramp, decay, every)
    singles = Sum([Spike(at + k * every, 100.0, hold, ramp, decay) for k in range(1 + int(400.0 / every))])
    a, b = sorted((a, b))
    assert spike.integral(a, b) == pytest.approx(singles.integral(a, b), rel=1e-9, abs=1e-9)
    # Where one begins and another ends, an ulp decides which of the two rates holds.
    if not any(term.breakpoints(a - 1e-9, a + 1e-9) for term in singles.terms):
        assert spike.rate(a) == pytest.approx(singles.rate(a), rel=1e-6, abs=1e-6)


def test_a_very_short_tail_is_not_blown_up_by_a_rounding() -> None:
    spike = Spike(at=0.1, height=5, hold=0.2, ramp=0.7, decay=1e-15, every=1.1)
    for t in spike.breakpoints(0.0, 1_000.0):
        assert spike.rate(t) <= 5.0 + 1e-9


def test_tails_much_longer_than_the_period_pile_up() -> None:
    spike = Spike(at=0, height=1, hold=1, decay=1e6, every=10)
    assert spike.rate(9_999.0) == pytest.approx(1000.0, rel=0.01)
    assert spike.rate(1e9) == pytest.approx(1e5, rel=0.01)


@pytest.mark.parametrize("every", [0.1, 0.7, 1 / 3, 60.0])
def test_repeats_begin_where_they_are_computed(every: float) -> None:
    spike = Spike(at=0.1, height=6, hold=0.25 * every, every=every)
    for k in range(5000):
        assert spike.rate(0.1 + k * every) == 6.0
        assert spike.rate(math.nextafter(0.1 + k * every, -1.0)) == 0.0
    assert spike.integral(0.0, 0.1 + 5000 * every) == pytest.approx(5000 * 6 * 0.25 * every, rel=1e-12)


def test_a_hold_that_fills_the_period_is_a_constant() -> None:
    spike = Spike(at=0, height=6, hold=0.1, ramp=0.2, every=0.1 + 0.2)
    found = spike.breakpoints(0.0, 100.0)
    assert found == sorted(set(found))
    assert spike.integral(0.0, 300.0 * (0.1 + 0.2)) == pytest.approx(300 * 6 * 0.2)
    assert Spike(at=0, height=6, hold=10, every=10).integral(0.0, 1e6) == 6e6


def test_endless_repeats_are_asked_for_bit_by_bit() -> None:
    spike = Spike(at=60, height=400, hold=5, every=60)
    assert spike.breakpoints(1e9, 1e9 + 60.0) == [1_000_000_020.0, 1_000_000_025.0]


@pytest.mark.parametrize("spike", [Spike(5, 0, 9, 1, 1, 60), Spike(5, 9, 0, every=60), Spike(5, 9, 0)])
def test_an_empty_spike_has_nothing_to_show(spike: Spike) -> None:
    assert spike.breakpoints(0.0, 1e9) == []
    assert spike.integral(0.0, 1e9) == 0.0
    assert spike.rate(5.0) == 0.0
    assert spike.windows(0.0, 1e9) == []


def test_windows_are_the_spikes_to_be_seen() -> None:
    assert Spike(60, 400, 10, ramp=5).windows(0.0, 99.0) == [(60.0, 75.0)]
    assert Spike(60, 400, 10, ramp=5, decay=10).windows(0.0, 999.0) == [(60.0, 105.0)]
    assert Spike(60, 400, 10).windows(0.0, 60.0) == []
    assert Spike(60, 400, 10).windows(70.0, 99.0) == []
    assert Spike(60, 400, 10).windows(65.0, 67.0) == [(65.0, 67.0)]
    assert Spike(60, 400, 10, every=60).windows(65.0, 185.0) == [(65.0, 70.0), (120.0, 130.0), (180.0, 185.0)]
    assert Spike(0, 400, 10, decay=100, every=60).windows(0.0, 120.0) == [(0.0, 60.0), (60.0, 120.0)]


def test_windows_of_a_sum_merge() -> None:
    both = Constant(5) + Spike(60, 400, 10) + Spike(65, 1, 20) + Spike(200, 1, 1)
    assert both.windows(0.0, 999.0) == [(60.0, 85.0), (200.0, 201.0)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1, 1, 1), "Spike.at: -1.0 is not allowed; allowed: 0 or more [s]"),
        ((1, -1, 1), "Spike.height: -1.0 is not allowed; allowed: 0 or more [1/s]"),
        ((1, 1, -1), "Spike.hold: -1.0 is not allowed; allowed: 0 or more [s]"),
        ((1, 1, 1, -1), "Spike.ramp: -1.0 is not allowed; allowed: 0 or more [s]"),
        ((1, 1, 1, 1, -1), "Spike.decay: -1.0 is not allowed; allowed: 0 or more [s]"),
        ((1, 1, 1, 1, 1, 0), "Spike.every: 0.0 is not allowed; allowed: 0.001 or more [s]"),
        ((1, 1, 7, 3, 1, 9), "Spike.every: 9.0 is not allowed; allowed: 10 or more [s] (ramp + hold)"),
    ],
)
def test_what_cannot_be_is_refused_by_name(arguments: tuple[float, ...], message: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        Spike(*arguments)
    assert str(caught.value) == message
