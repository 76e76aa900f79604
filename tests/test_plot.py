import pickle
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from itertools import pairwise
from math import isnan
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import msgsim as ms
from msgsim.errors import MissingExtra, UnknownName
from msgsim.plot import COLOURS, CROWD, SPIKE, WARM_UP, figure
from msgsim.rates import rates
from msgsim.run import Run


def pipeline(**changes: Any) -> ms.Scenario:
    settings: dict[str, Any] = {
        "title": "Cost: $5 to $6",
        "topics": {"orders": ms.Topic(subscriptions=(ms.Subscription(endpoint="emails"),))},
        "queues": {
            "emails": ms.Queue(redrive=ms.Redrive(to="dead", max_receive_count=3)),
            "dead": ms.Queue(),
        },
        "outboxes": {"ses": ms.Outbox(max_send_rate=8)},
        "traffic": {
            "shop": ms.Traffic(to="orders", rate=ms.Constant(5) + ms.Spike(at=60, height=10, hold=30)),
            "till": ms.Traffic(to="emails", rate=ms.Spike(at=80, height=1, hold=20, every=80)),
        },
        "workers": {
            "mailers": ms.Workers(queue="emails", count=2, service_time=0.1, on_success=[ms.SendEmail("ses")]),
            "helpers": ms.Workers(queue="emails", count=1, service_time=0.1),
        },
    }
    return ms.Scenario(**(settings | changes))


@pytest.fixture(scope="module")
def run() -> Run:
    return ms.simulate(pipeline(), until=200, seed=3, warm_up=20)


def crowd(queues: int) -> ms.Scenario:
    names = [f"_queue-{number}" for number in range(queues)]
    return ms.Scenario(
        queues={name: ms.Queue() for name in names},
        traffic={f"source-{name}": ms.Traffic(to=name, rate=1) for name in names},
        workers={f"pool-{name}": ms.Workers(queue=name, count=1, service_time=0.2) for name in names},
    )


def titled(made: Figure) -> dict[str, Axes]:
    return {axes.get_title(loc="left"): axes for axes in made.axes}


def lines(axes: Axes) -> dict[str, Any]:
    return {str(line.get_gid()): line for line in axes.lines}


def windows(axes: Axes, name: str) -> list[tuple[float, float]]:
    found = next(each for each in axes.collections if str(each.get_gid()).startswith(name))
    boxes = [path.get_extents() for path in found.get_paths()]
    return [(box.x0, box.x1) for box in boxes]


def names(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    assert legend
    return [text.get_text() for text in legend.get_texts()]


# ---------------------------------------------------------------- what is shown


def test_each_row_has_a_title_and_a_unit(run: Run) -> None:
    rows = titled(figure(run))
    assert {title: axes.get_ylabel() for title, axes in rows.items()} == {
        "Arrivals (broad) and completions": "[1/s]",
        "Backlog (visible)": "[messages]",
        "In flight": "[messages]",
        "Age of the oldest message": "[s]",
        "Emails accepted, recipients throttled (dotted)": "[1/s]",
        "Workers busy, and how many there are (thin)": "[workers]",
    }
    *upper, last = rows.values()
    assert last.get_xlabel() == "simulated time [min]"
    assert all(axes.get_shared_x_axes().joined(axes, last) and not axes.get_xlabel() for axes in upper)
    assert last.get_xlim() == (0, 200)


def test_lines_are_the_series_of_the_run(run: Run) -> None:
    rows = titled(figure(run))
    times, values = run.series("emails", "visible")
    backlog = lines(rows["Backlog (visible)"])["emails.visible"]
    assert list(backlog.get_xdata()) == list(times)
    assert list(backlog.get_ydata()) == list(values)
    edges, gained = rates(run, "shop", "arrivals")
    arrivals = lines(rows["Arrivals (broad) and completions"])["shop.arrivals"]
    assert list(arrivals.get_xdata()) == edges
    assert list(arrivals.get_ydata())[:-1] == gained
    assert arrivals.get_drawstyle() == "steps-post"


def test_long_ages_are_in_larger_units() -> None:
    stuck = ms.Scenario(queues={"q": ms.Queue()}, traffic={"t": ms.Traffic(to="q", rate=0.01)})
    run = ms.simulate(stuck, until=10 * ms.HOUR)
    axes = titled(figure(run))["Age of the oldest message"]
    assert axes.get_ylabel() == "[h]"
    _, ages = run.series("q", "age_of_oldest_message")
    assert lines(axes)["q.age_of_oldest_message"].get_ydata().tolist() == [age / ms.HOUR for age in ages]


def test_spikes_and_warm_up_are_shaded(run: Run) -> None:
    made = figure(run)
    for axes in made.axes:
        assert windows(axes, "spike") == [(60, 100), (160, 180)]
        assert windows(axes, "warm-up") == [(0, 20)]
    assert names(made.axes[0])[-2:] == ["warm-up", "spike"]
    assert not {"warm-up", "spike"} & set(names(made.axes[1]))
    colours: list[Any] = [each.get_facecolor() for each in made.axes[0].collections]
    assert {mpl.colors.to_hex(colour[0]) for colour in colours} == {SPIKE.lower(), WARM_UP.lower()}


def test_windows_that_touch_are_one_and_others_are_not() -> None:
    rate = [ms.Spike(at=10, height=1, hold=10), ms.Spike(at=60, height=1, hold=10)]
    scenario = pipeline(
        traffic={
            "a": ms.Traffic(to="emails", rate=rate[0] + rate[1]),
            "b": ms.Traffic(to="emails", rate=ms.Spike(at=20, height=1, hold=5)),
        }
    )
    assert windows(figure(ms.simulate(scenario, until=100)).axes[0], "spike") == [(10, 25), (60, 70)]


def test_dead_letter_queues_are_shown_once_they_have_something(run: Run) -> None:
    assert "dead.visible" not in lines(titled(figure(run))["Backlog (visible)"])
    failing = pipeline(
        queues={
            "emails": ms.Queue(visibility_timeout=1, redrive=ms.Redrive(to="dead", max_receive_count=1)),
            "dead": ms.Queue(),
        },
        workers={"bad": ms.Workers(queue="emails", count=2, service_time=0.1, failure_rate=0.5)},
    )
    rows = titled(figure(ms.simulate(failing, until=100)))
    assert "dead.visible" in lines(rows["Backlog (visible)"])
    assert "dead.age_of_oldest_message" not in lines(rows["Age of the oldest message"])


def test_rates_and_pauses_of_outboxes_are_shown(run: Run) -> None:
    judged = ms.Outbox(
        bounce_rate=0.25,
        reputation=ms.ReputationPolicy(representative_volume=100, minimum_volume=50, grace=20, pause_time=30),
    )
    finished = ms.simulate(pipeline(outboxes={"ses": judged}), until=200, probe=1)
    made = titled(figure(finished))
    row = made["Bounce rate, complaint rate (dotted)"]
    assert row.get_ylabel() == "[%]"
    assert names(row) == ["ses: bounces", "ses: complaints"]
    (shown,) = (line.get_ydata() for gid, line in lines(row).items() if gid == "ses.bounce_rate")
    assert max(shown) == pytest.approx(100 * finished.quantile("ses", "bounce_rate", 1))
    times, paused = finished.series("ses", "paused")
    first = next(at for at, value in zip(times, paused, strict=True) if value)
    end = next(at for at, value in zip(times, paused, strict=True) if at > first and not value)
    assert windows(row, "outbox paused")[0] == (first, end)
    assert "Bounce rate, complaint rate (dotted)" not in titled(figure(run))


def test_deliveries_that_are_repeated_have_rows_and_outages_are_shaded() -> None:
    server = ms.Server(outages=[ms.Outage(at=20, duration=30)])
    web = ms.Subscription(endpoint="https://example.com", protocol="https", server=server)
    other = ms.Subscription(endpoint="+15550100", protocol="sms")
    traffic = ms.Traffic(to="t", rate=ms.Constant(2))
    scenario = ms.Scenario(topics={"t": ms.Topic(subscriptions=[web, other])}, traffic={"x": traffic})
    finished = ms.simulate(scenario, until=100, probe=1)
    made = titled(figure(finished))
    row = made["Deliveries under way"]
    assert names(row) == ["t/https://example.com"]
    (shown,) = (line.get_ydata() for line in lines(row).values())
    assert list(shown) == list(finished.series("t/https://example.com", "pending")[1])
    assert max(shown) > 40
    assert names(made["Failed attempts of deliveries"]) == ["t/https://example.com"]
    assert windows(row, "outage") == [(20, 50)]
    assert "Deliveries under way" not in titled(figure(finished, ["x", "t/+15550100"]))


def test_an_entity_looks_the_same_in_all_rows_and_a_pool_like_its_queue(run: Run) -> None:
    rows = titled(figure(run))
    shown = [line for axes in rows.values() for line in axes.lines]
    looks = {str(line.get_gid()): (line.get_color(), line.get_linestyle()) for line in shown}
    assert len({look for gid, look in looks.items() if gid.startswith("emails.")}) == 1
    assert looks["mailers.busy"] == looks["emails.visible"] == looks["mailers.count"]
    assert looks["helpers.busy"][0] == looks["emails.visible"][0]
    assert looks["helpers.busy"][1] != looks["mailers.busy"][1]
    assert looks["ses.accepted"][0] != looks["emails.visible"][0]
    assert {looks["emails.visible"][0], looks["ses.accepted"][0]} <= set(COLOURS)


def test_rows_that_have_nothing_are_left_out() -> None:
    run = ms.simulate(ms.Scenario(queues={"q": ms.Queue()}), until=10)
    rows = titled(figure(run))
    assert len(rows) == 4
    assert list(rows["Backlog (visible)"].get_yticks()) == [0]
    assert titled(figure(ms.simulate(ms.Scenario(), until=10))).keys() == {"Nothing to show"}


# ---------------------------------------------------------------- choosing


def test_only_the_chosen_are_shown(run: Run) -> None:
    shown = {gid for axes in figure(run, ["emails", "dead"]).axes for gid in lines(axes)}
    assert {gid.partition(".")[0] for gid in shown} == {"emails", "dead"}
    assert len(figure(run, ["mailers"]).axes) == 1
    assert lines(figure(run, "emails").axes[1]).keys() == {"emails.visible"}
    chosen = figure(run, ["orders", "orders/emails"])
    assert names(chosen.axes[0])[:2] == ["orders: published", "orders/emails: delivered"]
    assert titled(figure(run, [])).keys() == {"Nothing to show"}
    assert len(run.plot(entities=["ses"]).axes) == 1


def test_an_unknown_entity_is_named(run: Run) -> None:
    with pytest.raises(UnknownName, match="'email'; did you mean 'emails'"):
        figure(run, ["email"])


# ---------------------------------------------------------------- how it looks


def drawn(made: Figure) -> Figure:
    made.savefig(BytesIO(), format="png")
    return made


@pytest.mark.parametrize("queues", [1, CROWD, 12])
def test_legends_and_titles_cover_nothing(queues: int) -> None:
    made = drawn(figure(ms.simulate(crowd(queues), until=60)))
    legends = [each for each in [*made.legends, *(axes.get_legend() for axes in made.axes)] if each]
    boxes = [axes.get_window_extent() for axes in made.axes]
    assert legends
    for legend in legends:
        extent = legend.get_window_extent()
        assert not any(extent.overlaps(box) for box in boxes)
        assert 0 <= extent.x0 < extent.x1 <= made.bbox.x1
        assert 0 <= extent.y0 < extent.y1 <= made.bbox.y1 + 1
    widths = {round(box.width) for box in boxes}
    assert len(widths) == 1
    assert widths.pop() > made.bbox.width / 2
    for upper, lower in pairwise(made.axes):
        around = lower.get_tightbbox()
        assert around
        assert around.y1 < upper.get_window_extent().y0


def test_a_crowd_shares_one_legend() -> None:
    made = figure(ms.simulate(crowd(12), until=60, warm_up=5))
    assert not any(axes.get_legend() for axes in made.axes)
    (legend,) = made.legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts[:2] == ["Traffic", "source-_queue-0"]
    assert texts.count("_queue-11") == 1
    assert texts[-1] == "warm-up"
    bold = [text.get_text() for text in legend.get_texts() if text.get_fontweight() == "bold"]
    assert bold == ["Traffic", "Queues", "Workers"]


def test_names_with_an_underscore_and_dollars_are_plain(run: Run) -> None:
    made = drawn(figure(ms.simulate(crowd(2), until=20), ["_queue-0", "_queue-1"]))
    assert names(made.axes[1]) == ["_queue-0", "_queue-1"]
    assert drawn(figure(run, ["mailers"])).get_suptitle() == "Cost: $5 to $6  (seed 3)"


def test_the_title_is_short_and_says_if_the_run_was_interrupted() -> None:
    long = pipeline(title="word " * 60 + "\n\x1b")
    run = ms.simulate(long, until=100, progress=lambda simulation: simulation.now < 10)
    title = figure(run).get_suptitle()
    assert len(title) < 120
    assert title.endswith("...  (seed 0, interrupted)")
    assert figure(ms.simulate(ms.Scenario(), until=1)).get_suptitle() == "Untitled scenario  (seed 0)"


def test_few_readings_are_marked(run: Run) -> None:
    one = ms.simulate(pipeline(), until=60, probe=60)
    row = titled(figure(one))
    assert lines(row["Backlog (visible)"])["emails.visible"].get_marker() == "o"
    assert lines(row["Arrivals (broad) and completions"])["shop.arrivals"].get_marker() == ""
    assert lines(titled(figure(run))["Backlog (visible)"])["emails.visible"].get_marker() == ""


def test_a_run_of_no_length_can_be_drawn() -> None:
    made = drawn(figure(ms.Simulation(pipeline()).result()))
    assert made.axes[0].get_xlim() == (0, 1)


@pytest.mark.parametrize(
    ("until", "label", "ticks"),
    [
        (60, "simulated time [s]", ["0", "10", "20", "30", "40", "50", "60"]),
        (ms.HOUR, "simulated time [min]", ["0", "10", "20", "30", "40", "50", "60"]),
        (ms.DAY, "simulated time [h]", ["0", "3", "6", "9", "12", "15", "18", "21", "24"]),
        (10 * ms.DAY, "simulated time [d]", ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]),
    ],
)
def test_time_has_a_suitable_unit_and_round_ticks(until: float, label: str, ticks: list[str]) -> None:
    run = ms.simulate(ms.Scenario(queues={"q": ms.Queue()}), until=until, probe=until / 4)
    axis = drawn(figure(run)).axes[-1].xaxis
    assert axis.get_label_text() == label
    assert [tick.get_text() for tick in axis.get_ticklabels()] == ticks


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (2.5, "2.5"), (9000, "9000"), (12_500, "12.5k"), (3e6, "3M")])
def test_large_numbers_are_short(value: float, text: str) -> None:
    axes = figure(ms.simulate(pipeline(), until=1)).axes[1]
    assert axes.yaxis.get_major_formatter()(value, 0) == text


def test_rows_grow_the_figure(run: Run) -> None:
    heights = [figure(run, chosen).get_figheight() for chosen in (["mailers"], ["mailers", "ses"], None)]
    assert heights == sorted(set(heights))


# ---------------------------------------------------------------- no traces left


@pytest.fixture
def odd_settings() -> Iterator[None]:
    settings: Any = {"axes.facecolor": "black", "lines.linewidth": 9, "font.size": 30, "savefig.dpi": 7}
    with mpl.rc_context(settings):
        yield


def test_it_shows_itself_in_notebooks(run: Run) -> None:
    assert figure(run, ["mailers"])._repr_png_().startswith(b"\x89PNG")


@pytest.mark.usefixtures("odd_settings")
def test_settings_of_the_surroundings_neither_matter_nor_change(run: Run) -> None:
    before = dict(mpl.rcParams)
    shown = figure(run, ["emails"]).as_svg()
    assert dict(mpl.rcParams) == before
    with mpl.rc_context(mpl.rcParamsDefault):
        assert figure(run, ["emails"]).as_svg() == shown


def test_pyplot_is_not_touched(run: Run) -> None:
    source = (
        "import pickle, sys; run = pickle.load(sys.stdin.buffer); run.plot(['mailers'])._repr_png_(); "
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", source], input=pickle.dumps(run), check=True)  # noqa: S603 - our own source


def test_without_matplotlib_the_extra_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "msgsim.plot")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"msgsim\[plot\]"):
        run.plot()


def test_quiet_groups_have_lines_of_their_own_where_somebody_was_noisy() -> None:
    scenario = ms.Scenario(
        queues={"q": ms.Queue(), "calm": ms.Queue()},
        traffic={
            "usual": ms.Traffic(to="q", rate=5, groups=20),
            "bulk": ms.Traffic(to="q", rate=ms.Spike(at=20, height=100, hold=10), groups=ms.GroupShares({"bulk": 1})),
            "t": ms.Traffic(to="calm", rate=5, groups=20),
        },
        workers={
            "w": ms.Workers(queue="q", count=20, batch_size=1, service_time=1),
            "v": ms.Workers(queue="calm", count=20, batch_size=1, service_time=1),
        },
    )
    run = ms.simulate(scenario, until=60, probe=2)
    rows = titled(figure(run))
    for title, metric in (("Backlog (visible)", "visible"), ("Age of the oldest message", "age_of_oldest_message")):
        assert f"q.{metric}_in_quiet_groups" in lines(rows[title])
        assert f"calm.{metric}_in_quiet_groups" not in lines(rows[title])
    quiet = lines(rows["Backlog (visible)"])["q.visible_in_quiet_groups"]
    noisy = run.series("q", "noisy_groups")[1]
    for drawn, value, some in zip(quiet.get_ydata(), run.series("q", "visible_in_quiet_groups")[1], noisy, strict=True):
        assert drawn == value if some else isnan(drawn)
