import copy
import math
import pickle
from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from msgsim.engine.arrivals import ArrivalTimes, arrival_times
from msgsim.engine.curves import Constant, Diurnal, Ramp, RateCurve, Spike, Steps, Trace
from msgsim.errors import DeclarationError

INF = math.inf

CURVES = {
    "constant": Constant(200),
    "ramp": Ramp(3, 40, 0, 100),
    "falling": Ramp(3, 40, 100, 0) + 1,
    "spike": Spike(10, 300, 5, ramp=4, decay=6, every=31) + 2,
    "day": Diurnal(20, 20, 60),
    "steps": Steps([(1, 50), (20, 0), (35, 7)]),
    "trace": Trace([300, 0, 17, 1, 0, 0, 400], 7.3, repeat=True),
    "all": 1 + Ramp(5, 9, 30, 4) + Diurnal(10, 7, 41) + Spike(3, 80, 2, 1, 9, 13) + Trace([5, 1], 3, repeat=True),
}
every_curve = pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)


class Counted:
    """A random stream that counts what is taken from it."""

    def __init__(self, seed: int) -> None:
        self.taken = 0
        self._random = Random(seed)

    def random(self) -> float:
        self.taken += 1
        return self._random.random()


class Scripted:
    """A random stream with known numbers."""

    def __init__(self, *values: float) -> None:
        self.values = list(values)

    def random(self) -> float:
        return self.values.pop(0)


def until(horizon: float, arrivals: ArrivalTimes) -> list[float]:
    times = []
    while (time := arrivals.next()) < horizon:
        times.append(time)
    return times


@every_curve
def test_each_arrival_is_where_the_integral_reaches_the_sum_of_the_gaps(curve: RateCurve) -> None:
    arrivals, random = arrival_times(curve, "poisson", Random(5)), Random(5).random
    reached, last = 0.0, 0.0
    for _ in range(3000):
        reached -= math.log(1.0 - random())
        time = arrivals.next()
        assert time >= last
        assert curve.integral(0.0, time) == pytest.approx(reached, rel=1e-9, abs=1e-9)
        last = time


@every_curve
def test_regular_arrivals_halve_the_steps_of_the_integral(curve: RateCurve) -> None:
    arrivals = arrival_times(curve, "regular", None, start=2.5)
    for k in range(3000):
        assert curve.integral(2.5, arrivals.next()) == pytest.approx(k + 0.5, rel=1e-9, abs=1e-9)


rates = st.floats(0.0, 50.0, allow_subnormal=False)
times = st.floats(0.0, 50.0, allow_subnormal=False)
lengths = st.just(0.0) | st.floats(0.01, 9.0, allow_subnormal=False)
shares = st.floats(0.0, 1.0, allow_subnormal=False)
parts = st.one_of(
    st.builds(Constant, rates),
    st.builds(lambda a, b, c, d: Ramp(a, a + 0.01 + b, c, d), times, times, rates, rates),
    st.builds(Spike, times, rates, lengths, lengths, lengths, st.none() | st.floats(20.0, 60.0)),
    st.builds(lambda mean, share, period: Diurnal(mean, mean * share, period), rates, shares, st.floats(1.0, 99.0)),
    st.lists(st.tuples(times, rates), min_size=1, max_size=4, unique_by=lambda step: step[0]).map(sorted).map(Steps),
    st.builds(Trace, st.lists(st.integers(0, 20), min_size=1, max_size=9), st.floats(0.1, 20.0), repeat=st.booleans()),
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(parts, min_size=1, max_size=4), st.sampled_from(["poisson", "regular"]), times)
def test_any_sum_is_inverted(terms: list[RateCurve], process: str, start: float) -> None:
    curve = sum(terms, start=Constant(0))
    random = Random(1)
    arrivals = arrival_times(curve, process, Random(1), start)
    reached = 0.5 if process == "regular" else -math.log(1.0 - random.random())
    last = start
    for _ in range(60):
        time = arrivals.next()
        assert time >= last
        if time > 1e6:
            break
        assert curve.integral(start, time) == pytest.approx(reached, rel=1e-9, abs=1e-8)
        reached += 1.0 if process == "regular" else -math.log(1.0 - random.random())
        last = time


@every_curve
def test_poisson_counts_have_the_mean_and_variance_of_their_integral(curve: RateCurve) -> None:
    counts = [len(until(40.0, arrival_times(curve, "poisson", Random(seed)))) for seed in range(30)]
    mean = curve.integral(0.0, 40.0)
    # 99.99 % intervals of the mean and the dispersion of 30 Poisson counts.
    assert sum(counts) / 30 == pytest.approx(mean, abs=3.9 * math.sqrt(mean / 30))
    dispersion = sum((count - mean) ** 2 for count in counts) / mean
    assert stats.chi2.ppf(5e-5, 30) < dispersion < stats.chi2.ppf(1.0 - 5e-5, 30)


@every_curve
def test_poisson_arrivals_are_uniform_in_the_integral(curve: RateCurve) -> None:
    found = until(400.0, arrival_times(curve, "poisson", Random(11)))
    total = curve.integral(0.0, 400.0)
    # 99.9 %, fixed seed.
    assert stats.kstest([curve.integral(0.0, time) / total for time in found], "uniform").pvalue > 0.001


def test_constant_gaps_are_exponential() -> None:
    found = until(100.0, arrival_times(Constant(200), "poisson", Random(3)))
    gaps = [late - early for early, late in zip([0.0, *found], found, strict=False)]
    assert stats.kstest(gaps, "expon", args=(0.0, 1.0 / 200.0)).pvalue > 0.001


def test_whole_counts_fall_inside_their_buckets() -> None:
    random = Random(2)
    counts = [int(random.paretovariate(1.1)) if random.random() < 0.9 else 0 for _ in range(15_902)]
    counts[7_000:7_300] = [0] * 300
    counts[9_000] = 13_479
    trace = Trace(counts, 300.0) * 2
    found = Counter(int(time // 300.0) for time in until(INF, arrival_times(trace, "regular", None)))
    assert found == {bucket: 2 * count for bucket, count in enumerate(counts) if count}


def test_whole_counts_of_a_repeated_trace_do_not_drift() -> None:
    trace = Trace([3, 0, 7, 7, 1], 0.1, repeat=True)
    found = until(5_000.0, arrival_times(trace, "regular", None))
    assert len(found) == 180_000
    assert Counter(int(time / 0.1 + 1e-6) % 5 for time in found) == {0: 30_000, 2: 70_000, 3: 70_000, 4: 10_000}


@every_curve
def test_one_uniform_per_arrival_in_order(curve: RateCurve) -> None:
    rng = Counted(4)
    arrivals = ArrivalTimes(curve, poisson=True, rng=rng)
    for made in range(1, 500):
        arrivals.next()
        assert rng.taken == made + 1


def test_regular_arrivals_need_no_random_numbers() -> None:
    rng = Counted(4)
    arrivals = arrival_times(Constant(5), "regular", rng)
    assert [arrivals.next() for _ in range(3)] == [0.1, 0.3, 0.5]
    assert rng.taken == 0


@every_curve
def test_a_copy_goes_on_as_its_original_does(curve: RateCurve) -> None:
    arrivals = arrival_times(curve, "poisson", Random(6))
    for _ in range(321):
        arrivals.next()
    twins = [copy.deepcopy(arrivals), pickle.loads(pickle.dumps(arrivals))]  # noqa: S301 - our own bytes
    expected = [arrivals.next() for _ in range(2000)]
    for twin in twins:
        assert [twin.next() for _ in range(2000)] == expected


@pytest.mark.parametrize(
    "curve",
    [
        Constant(0),
        Steps([(5, 0)]),
        Constant(3) * 0,
        Trace([0] * 100, 60),
        Trace([0] * 100, 60, repeat=True),
        Spike(0, 0, 5, every=10),
        Spike(2.0**41, 5, 5),
        Spike(0, 1e-300, 5, every=10),
        Spike(0, 0.1, 0, decay=0.01),
    ],
)
@pytest.mark.parametrize("process", ["poisson", "regular"])
def test_a_source_without_traffic_never_sends(curve: RateCurve, process: str) -> None:
    arrivals = arrival_times(curve, process, Random(1))
    assert [arrivals.next() for _ in range(3)] == [INF, INF, INF]


@pytest.mark.parametrize(
    ("curve", "count"),
    [
        (Steps([(5, 10), (15, 0)]), 100),
        (Trace([10, 0, 25], 60), 35),
        (Ramp(0, 10, 20, 0), 100),
        (Spike(7, 10, 5), 50),
        (Spike(7, 10, 5, ramp=4, decay=2), 90),
        (Diurnal(2, 2, 10) * 0 + Spike(7, 10, 5), 50),
    ],
)
def test_a_source_that_dries_up_says_so(curve: RateCurve, count: int) -> None:
    found = until(INF, arrival_times(curve, "regular", None))
    assert len(found) == count
    assert found == sorted(found)


def test_long_silences_are_jumped(monkeypatch: pytest.MonkeyPatch) -> None:
    visits = []
    stretch = Trace.stretch
    monkeypatch.setattr(Trace, "stretch", lambda self, start: (visits.append(start), stretch(self, start))[1])
    trace = Trace([1, *[0] * 100_000, 1], 60)
    assert until(INF, arrival_times(trace, "regular", None)) == [30.0, 6_000_090.0]
    assert visits == [0.0, 60.0, 6_000_060.0, 6_000_120.0]


def test_rare_arrivals_of_a_busy_curve_are_leapt_to() -> None:
    # Half an event is due in the 166,666,667th repeat: no walk from one to the next.
    spike = Spike(at=5, height=3e-9, hold=1, every=2)
    arrivals = arrival_times(spike, "regular", None)
    for k in range(3):
        time = arrivals.next()
        assert spike.integral(0.0, time) == pytest.approx(k + 0.5, abs=1e-9)
        assert time == pytest.approx(2.0 * (k + 0.5) / 3e-9, rel=1e-6)


def test_rare_arrivals_of_a_constant_are_exact() -> None:
    arrivals = arrival_times(Constant(1e-9), "regular", None)
    assert arrivals.next() == 0.5 / 1e-9
    assert arrivals.next() == 1.5 / 1e-9


def test_nothing_arrives_before_the_start() -> None:
    arrivals = arrival_times(Trace([60, 60, 0, 60], 60), "regular", None, start=90.0)
    assert [arrivals.next() for _ in range(31)][-2:] == [119.5, 180.5]


def test_a_uniform_of_zero_arrives_at_once() -> None:
    assert arrival_times(Constant(5), "poisson", Scripted(0.0, *[0.5] * 600), start=7.0).next() == 7.0
    assert arrival_times(Ramp(0, 10, 0, 5), "poisson", Scripted(0.0, *[0.5] * 600)).next() == 0.0
    assert arrival_times(Steps([(4, 5)]), "poisson", Scripted(0.0, *[0.5] * 600)).next() == 4.0
    # At its trough this curve has an integral of 1e-12 at 0.1 s only.
    assert arrival_times(Diurnal(5, 5), "poisson", Scripted(0.0, *[0.5] * 600)).next() == pytest.approx(0.0, abs=0.2)


def test_no_rounding_goes_past_the_end_of_a_stretch() -> None:
    # Rounded up three times: the length of the stretch, its area, and its begin plus its length.
    begin, end, rate = 1.5 * 2.0**-30, (2.0**52 + 3.0) * 2.0**-30, 0.9
    area = rate * (end - begin)
    assert begin + math.nextafter(area, 0.0) / rate > end
    arrivals = ArrivalTimes(Steps([(begin, rate), (end, 1.0)]), poisson=False, rng=None, start=begin)
    arrivals._need = math.nextafter(arrivals._area, 0.0)
    assert end - 2.0**-29 <= arrivals.next() <= end


def test_no_rounding_goes_past_the_end_of_a_slope() -> None:
    arrivals = ArrivalTimes(Ramp(0.0, 1.3, 0.0, 3.0), poisson=False, rng=None)
    arrivals._need = math.nextafter(arrivals._area, 0.0)
    assert 2.0 * arrivals._need / math.sqrt(2.0 * arrivals._need * (3.0 / 1.3)) > 1.3
    assert arrivals.next() == 1.3


def test_what_cannot_be_is_refused_by_name() -> None:
    with pytest.raises(DeclarationError) as caught:
        arrival_times(Constant(5), "poison", Random(1))
    assert str(caught.value) == "arrival_times.process: 'poison' is not allowed; allowed: poisson, regular"
    with pytest.raises(DeclarationError, match=r"^arrival_times\.rng: a Poisson process needs a random stream$"):
        arrival_times(Constant(5), "poisson", None)
