import re
from html.parser import HTMLParser
from typing import Any

import attrs
import pytest

import msgsim as ms
from msgsim.formats import NO_VALUE, count, duration, share
from msgsim.run import Run
from msgsim.study.recovery import recoveries
from msgsim.summary import as_html, as_text, key_figures, sparkline
from msgsim.tables import BIASED, SHOWN_ERRORS, notes, tables, unfinished


def orders(**changes: Any) -> ms.Scenario:
    settings: dict[str, Any] = {
        "title": "Orders",
        "topics": {
            "orders": ms.Topic(
                subscriptions=(
                    ms.Subscription(endpoint="emails", filter_policy={"kind": ["placed"]}),
                    ms.Subscription(endpoint="audit", raw=True),
                )
            )
        },
        "queues": {
            "emails": ms.Queue(visibility_timeout=20, redrive=ms.Redrive(to="dead", max_receive_count=2)),
            "dead": ms.Queue(),
            "audit": ms.Queue(),
        },
        "outboxes": {"ses": ms.Outbox(max_send_rate=8, bounce_rate=0.05)},
        "traffic": {
            "shop": ms.Traffic(
                to="orders", rate=ms.Constant(5) + ms.Spike(at=60, height=10, hold=30), attributes={"kind": "placed"}
            )
        },
        "workers": {
            "mailers": ms.Workers(
                queue="emails",
                count=ms.Steps([(0, 2), (100, 4)]),
                service_time=ms.Exponential(0.2),
                failure_rate=0.02,
                on_success=[ms.Join("done", parts=["mailers", "archivers"], then=[ms.SendEmail("ses")])],
            ),
            "archivers": ms.Workers(queue="audit", count=2, service_time=0.05, on_success=[ms.Join("done")]),
        },
    }
    return ms.Scenario(**(settings | changes))


@pytest.fixture(scope="module")
def run() -> Run:
    return ms.simulate(orders(), until=180, seed=3)


@pytest.fixture(scope="module")
def warmed() -> Run:
    return ms.simulate(orders(), until=180, seed=3, warm_up=50)


def table(run: Run, title: str) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Cells by entity and head, and units by head."""
    found = next(each for each in tables(run) if each.title == title)
    heads = [f"{name} {unit}" if unit in {"p50", "p99"} else name for name, unit in found.heads]
    rows = {row[0]: dict(zip(heads, row, strict=True)) for row in found.rows}
    return rows, dict(zip(heads, (unit for _, unit in found.heads), strict=True))


# ---------------------------------------------------------------- numbers


def test_numbers_are_those_of_the_run(run: Run) -> None:
    sources, _ = table(run, "Traffic")
    assert sources["shop"]["arrivals"] == count(run.total("shop", "arrivals"))
    assert float(sources["shop"]["mean rate"]) == pytest.approx(run.total("shop", "arrivals") / 180, rel=0.005)
    assert float(sources["shop"]["peak rate"]) == pytest.approx(15, rel=0.5)
    assert sources["shop"]["to"] == "orders"

    topics, _ = table(run, "Topics and subscriptions")
    assert list(topics) == ["orders", "orders/emails", "orders/audit"]
    assert topics["orders"]["published"] == count(run.total("orders", "published"))
    assert topics["orders/emails"]["published"] == ""
    assert topics["orders/audit"]["delivered"] == count(run.total("orders/audit", "delivered"))

    queues, _ = table(run, "Queues")
    times, _ = table(run, "Times in queues")
    for name in ("emails", "audit"):
        assert queues[name]["sent"] == count(run.total(name, "sent"))
        assert queues[name]["deleted"] == count(run.total(name, "deleted"))
        assert queues[name]["dead-lettered"] == count(run.total(name, "dead_lettered"))
        assert queues[name]["left over"] == count(
            run.final(name, "visible") + run.final(name, "in_flight") + run.final(name, "delayed")
        )
        assert queues[name]["peak backlog"] == count(max(run.series(name, "visible")[1]))
        assert times[name]["peak age"] == duration(max(run.series(name, "age_of_oldest_message")[1]))
        assert times[name]["waiting time p50"] == duration(run.quantile(name, "waiting_time", 0.5))
        assert times[name]["sojourn time p99"] == duration(run.quantile(name, "sojourn_time", 0.99))
    assert queues["dead"]["moved in"] == count(run.total("dead", "moved_in")) != "0"

    pools, _ = table(run, "Workers")
    assert pools["mailers"]["count"] == "2 to 4"
    assert pools["archivers"]["count"] == "2"
    assert pools["mailers"]["utilization"] == share(run.mean("mailers", "utilization"))
    assert pools["mailers"]["failed"] == count(run.total("mailers", "failed"))

    joins, _ = table(run, "Joins")
    assert joins["done"]["completed"] == count(run.total("done", "completed"))
    assert joins["done"]["open"] == count(run.final("done", "open"))

    outboxes, _ = table(run, "Outboxes")
    assert outboxes["ses"]["accepted"] == count(run.total("ses", "accepted"))
    assert outboxes["ses"]["throttled"] == count(run.total("ses", "throttled")) != "0"
    assert outboxes["ses"]["event to email p99"] == duration(run.quantile("ses", "end_to_end_time", 0.99))


def test_every_number_has_a_unit(run: Run) -> None:
    words = {"source", "topic", "queue", "pool", "join", "outbox", "to", "of"}
    for each in tables(run):
        assert {name for name, unit in each.heads if not unit} <= words
        assert each.heads[0] in {(word, "") for word in words}
    _, units = table(run, "Outboxes")
    assert (units["accepted"], units["throttled"]) == ("emails", "recipients")


def test_failed_attempts_have_a_unit_like_all_numbers() -> None:
    server = ms.Server(outages=[ms.Outage(at=0, duration=10)])
    topic = ms.Topic(subscriptions=[ms.Subscription(endpoint="audit", server=server)])
    down = ms.simulate(orders(topics={"orders": topic}), until=20, seed=3)
    rows, units = table(down, "Topics and subscriptions")
    assert units["failed attempts"] == "times"
    assert rows["orders/audit"]["failed attempts"] == count(down.total("orders/audit", "failed_attempts")) != "0"


def test_columns_that_say_nothing_are_left_out(run: Run) -> None:
    _, heads = table(run, "Queues")
    assert {"moved in", "redelivered"} <= heads.keys()
    assert not {"purged", "expired", "moved out"} & heads.keys()


def test_nothing_to_measure_is_a_dash() -> None:
    idle = ms.Scenario(queues={"q": ms.Queue()}, workers={"w": ms.Workers(queue="q", count=1, service_time=1)})
    text = as_text(ms.simulate(idle, until=10))
    assert "Times in queues" not in text
    assert "nan" not in text.lower()
    started = ms.Simulation(orders()).result()
    assert table(started, "Traffic")[0]["shop"]["mean rate"] == NO_VALUE
    assert table(started, "Workers")[0]["mailers"]["utilization"] == NO_VALUE
    assert "nan" not in (as_text(started) + as_html(started)).lower()


# ---------------------------------------------------------------- text


def test_the_head_says_what_ran(run: Run, warmed: Run) -> None:
    lines = as_text(run).splitlines()
    assert lines[0] == "Orders"
    assert lines[2] == "180 s (3 min 00 s) simulated · no warm-up · a reading every 1.8 s · seed 3"
    assert "warm-up 50 s" in as_text(warmed)
    assert "replication 2" in as_text(ms.simulate(orders(), until=1, replication=2))
    assert as_text(ms.simulate(ms.Scenario(), until=1)).startswith("Untitled scenario\n")


def test_an_interrupted_run_says_so() -> None:
    cut = ms.simulate(orders(), until=180, progress=lambda simulation: simulation.now < 30)
    assert f"INTERRUPTED at {cut.until:g} s" in as_text(cut)
    assert "INTERRUPTED" in as_html(cut)


def test_columns_are_aligned(run: Run) -> None:
    lines = as_text(run).splitlines()
    first = lines.index("Queues") + 1
    heads, units, *rows = lines[first : first + 5]
    assert len({len(line) for line in (heads, units, *rows)}) == 1
    end = heads.index("deleted") + len("deleted")
    assert units[:end].endswith("messages")
    assert rows[0][:end].endswith(count(run.total("emails", "deleted")))
    assert not any(line != line.rstrip() for line in lines)


def test_text_has_no_control_codes_and_fits_a_terminal(run: Run) -> None:
    text = as_text(run)
    assert re.fullmatch(r"[^\x00-\x09\x0b-\x1f\x7f]*", text)
    assert max(map(len, text.splitlines())) <= 120
    assert len(text.splitlines()) < 70


def test_a_title_of_several_lines_stays_one() -> None:
    assert as_text(ms.simulate(orders(title="a\nb\x1b"), until=1)).startswith("a b\n")


def test_it_is_what_the_run_shows(run: Run) -> None:
    assert run.summary() == as_text(run)
    assert run._repr_html_() == as_html(run)


# ---------------------------------------------------------------- notes


def test_what_is_in_no_statistic_is_counted(run: Run) -> None:
    left = sum(unfinished(run, name) for name in ("emails", "audit", "dead"))
    lettered = run.total("emails", "dead_lettered")
    assert f"They leave out: {left:,} unfinished at the end, {lettered} dead-lettered." in " ".join(notes(run))
    assert f"Join done: {run.final('done', 'open'):.0f} events still open" in " ".join(notes(run))


def test_expired_and_purged_ones_are_counted_too() -> None:
    simulation = ms.Simulation(
        ms.Scenario(queues={"q": ms.Queue(retention=60)}, traffic={"t": ms.Traffic(to="q", rate=1)})
    )
    simulation.run(100)
    simulation.queues["q"].purge(simulation.now)
    run = simulation.result()
    assert f"They leave out: {run.total('q', 'expired')} expired, {run.total('q', 'purged')} purged." in " ".join(
        notes(run)
    )


def test_the_warm_up_is_explained(warmed: Run) -> None:
    early = sum(
        warmed.total(name, "deleted") - len(warmed.samples(name, "sojourn_time")) for name in ("emails", "audit")
    )
    assert any("after the warm-up of 50.0 s" in note and f"; {early:,} messages" in note for note in notes(warmed))
    short = ms.simulate(orders(), until=180, warm_up=60, progress=lambda simulation: simulation.now < 30)
    assert any("ended within its warm-up" in note for note in notes(short))
    assert "nan" not in as_text(short).lower()


def test_many_unfinished_messages_make_times_too_good(run: Run) -> None:
    cut = ms.simulate(orders(), until=95, seed=3)
    assert unfinished(cut, "emails") > BIASED * cut.total("emails", "sent")
    assert any(note.startswith("Queue emails:") and "look faster" in note for note in notes(cut))
    assert unfinished(run, "emails") < BIASED * run.total("emails", "sent")
    assert unfinished(run, "dead")
    assert not any("look faster" in note for note in notes(run))


def test_work_done_twice_comes_with_advice() -> None:
    scenario = ms.Scenario(
        queues={"q": ms.Queue(visibility_timeout=4)},
        traffic={"t": ms.Traffic(to="q", rate=2)},
        workers={
            "slow": ms.Workers(queue="q", count=2, service_time=1.5),
            "own": ms.Workers(queue="q", count=1, handler=lambda delivery, context: 1.0, service_time=1),  # noqa: ARG005
        },
    )
    run = ms.simulate(scenario, until=120)
    (note,) = [note for note in notes(run) if "visibility_timeout" in note]
    assert f"{run.total('q', 'duplicate_work'):,} times after the visibility timeout of 4.00 s" in note
    assert "(a full batch of 10 takes slow about 15.0 s)" in note
    run = ms.simulate(attrs.evolve(scenario, workers={"own": scenario.workers["own"]}), until=300)
    (note,) = [note for note in notes(run) if "visibility_timeout" in note]
    assert "full batch" not in note


def test_exceptions_of_handlers_are_listed(run: Run) -> None:
    raised = {f"ValueError: {number}": number + 1 for number in range(SHOWN_ERRORS + 2)}
    raised["KeyError: with\n  lines"] = 100
    said = notes(attrs.evolve(run, raised={"mailers": raised, "archivers": {}}))
    assert "The handler of mailers raised 'KeyError: with lines' 100 times." in said
    assert "The handler of mailers raised 3 more exceptions besides." in said
    assert sum("raised" in note for note in said) == SHOWN_ERRORS + 1


def test_the_books_have_the_last_word(run: Run) -> None:
    assert notes(run)[-1] == "Books balance: every message is accounted for, and L = λW holds to 1e-9 in every queue."
    wrong = attrs.evolve(run, violations=("queue 'q': 2 is not 3",))
    assert notes(wrong)[-2:] == [
        "BOOKS DO NOT BALANCE (1 violation), which is a bug in msgsim; please report it:",
        "queue 'q': 2 is not 3",
    ]


# ---------------------------------------------------------------- HTML


Attributes = list[tuple[str, str | None]]


class Reader(HTMLParser):
    """Checks that elements are closed in order, and collects what there is."""

    VOID = frozenset({"br", "hr", "meta", "polyline", "polygon"})

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text: list[str] = []
        self.feed(source)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:  # noqa: ARG002 - the parser's signature
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Attributes) -> None:  # noqa: ARG002 - the parser's signature
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_html_is_well_formed_and_holds_the_same_cells(run: Run) -> None:
    read = Reader(as_html(run))
    said = set(read.text)
    for each in tables(run):
        assert each.title in said
        assert {cell for row in each.rows for cell in row if cell} <= said
    assert set(notes(run)) <= said
    assert read.tags.count("table") == len(tables(run))
    assert not {"script", "link", "img", "iframe"} & set(read.tags)


def test_html_follows_light_and_dark_surroundings(run: Run) -> None:
    source = as_html(run)
    assert "http" not in source
    assert not re.search(r"(?<![-\w])(?:color|background|fill|stroke)[:=]\s*['\"]?(?:#|white|black)", source)
    assert "currentColor" in source


def test_html_is_escaped(run: Run) -> None:
    nasty = ms.simulate(orders(title="<script>alert(1)</script> & 'x'"), until=1)
    nasty = attrs.evolve(nasty, raised={"mailers": {"ValueError: <b>": 1}})
    source = as_html(nasty)
    assert "<script" not in source
    assert "<b>'" not in source
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &#x27;x&#x27;" in source
    assert "<script>alert(1)</script> & 'x'" in as_text(nasty)
    assert Reader(as_html(run)).text


def test_key_figures_name_the_worst(run: Run) -> None:
    assert key_figures(run) == [
        (count(max(run.series("emails", "visible")[1])), "messages: peak backlog, in emails"),
        (count(run.total("emails", "dead_lettered")), "messages dead-lettered, in emails"),
        (duration(run.quantile("emails", "sojourn_time", 0.99)), "p99 sojourn time, in emails"),
        (
            count(run.total("ses", "accepted")),
            f"emails accepted, {count(run.total('ses', 'throttled'))} recipients throttled",
        ),
        (
            ", ".join(duration(run.quantile("ses", "end_to_end_time", q)) for q in (0.5, 0.99)),
            "event-to-email time, p50 and p99, through ses",
        ),
        (share(run.mean("mailers", "utilization")), "of the time busy: mailers"),
    ]


def test_key_figures_name_what_was_lost() -> None:
    scenario = ms.Scenario(
        queues={
            "q": ms.Queue(retention=60, redrive=ms.Redrive(to="dead", max_receive_count=1), visibility_timeout=5),
            "r": ms.Queue(retention=60),
            "dead": ms.Queue(),
        },
        traffic={"t": ms.Traffic(to="q", rate=1), "u": ms.Traffic(to="r", rate=1)},
        workers={"w": ms.Workers(queue="q", count=1, batch_size=1, service_time=2, failure_rate=0.5)},
    )
    run = ms.simulate(scenario, until=200)
    figures = key_figures(run)
    expired = run.total("q", "expired") + run.total("r", "expired")
    assert (count(expired), "messages expired, in q, r") in figures
    assert (count(run.total("q", "dead_lettered")), "messages dead-lettered, in q") in figures
    assert run.total("q", "dead_lettered") > 10


def test_an_empty_scenario_has_no_figures() -> None:
    empty = ms.simulate(ms.Scenario(), until=1)
    assert key_figures(empty) == []
    assert "msgsim-tiles'" not in as_html(empty)
    assert "Books balance" in as_html(empty)


def test_sparklines_show_the_backlog(run: Run) -> None:
    drawn = sparkline(run, "emails")
    points = [tuple(map(float, pair.split(","))) for pair in re.findall(r"polyline points='([^']*)'", drawn)[0].split()]
    assert points[0][0] == 0
    assert points[-1][0] == 120
    assert min(height for _, height in points) == 1
    assert [across for across, _ in points] == sorted({across for across, _ in points})
    assert f"at most {count(max(run.series('emails', 'visible')[1]))} messages" in drawn
    assert sparkline(ms.Simulation(orders()).result(), "emails") == ""


def test_times_to_emails_are_named_after_what_arrives() -> None:
    scenario = ms.load("order-processing").vary("horizon", 600.0)
    run = ms.simulate(scenario, seed=3)
    text = as_text(run)
    late = duration(run.quantile("ses", "end_to_end_time", 0.99))
    assert f"{late}  order-to-email time, p50 and p99, through ses" in text
    assert "order to email" in text
    assert "order to join" in text


def grouped(**shares: float) -> Run:
    scenario = ms.Scenario(
        queues={"q": ms.Queue()},
        traffic={"t": ms.Traffic(to="q", rate=20, groups=ms.GroupShares(shares), resend=0.05)},
        workers={"w": ms.Workers(queue="q", count=20, service_time=0.2)},
    )
    return ms.simulate(scenario, until=60, seed=2)


def test_the_largest_groups_have_rows_and_the_others_one_together() -> None:
    run = grouped(a=1, b=30, c=2, d=10, e=5)
    (table,) = [table for table in tables(run) if table.kind == "group"]
    assert table.title == "Groups of q"
    assert [row[0] for row in table.rows] == ["b", "d", "e", "2 others"]
    assert sum(int(row[1].replace(",", "")) for row in table.rows) == run.total("q", "deleted")
    assert table.rows[0][2:4] == [duration(run.quantile("q", "waiting_time", q, group="b")) for q in (0.5, 0.99)]
    assert "Groups of q" in as_text(run)
    assert "Groups of q" in as_html(run)


def test_groups_without_others_need_no_last_row() -> None:
    (table,) = [table for table in tables(grouped(a=1, b=2)) if table.kind == "group"]
    assert [row[0] for row in table.rows] == ["b", "a"]


def test_many_small_groups_are_no_table() -> None:
    run = grouped(**{f"g{number}": 1 for number in range(200)})
    assert [table.kind for table in tables(run)] == ["traffic", "queue", "queue", "pool"]


def test_what_was_sent_again_has_a_column() -> None:
    run = grouped(a=1)
    (table,) = [table for table in tables(run) if table.kind == "traffic"]
    assert ("sent again", "events") in table.heads
    assert count(run.total("t", "resent")) in table.rows[0]
    assert run.total("q", "sent") == run.total("t", "arrivals") + run.total("t", "resent")


def test_a_pause_of_an_outbox_is_a_key_figure_and_a_column() -> None:
    judged = ms.Outbox(
        bounce_rate=0.5, reputation=ms.ReputationPolicy(representative_volume=100, minimum_volume=50, grace=0)
    )
    scenario = ms.Scenario(
        queues={"q": ms.Queue()},
        outboxes={"ses": judged, "other": ms.Outbox()},
        traffic={"t": ms.Traffic(to="q", rate=1)},
        workers={
            "w": ms.Workers(
                queue="q", count=2, service_time=0.1, on_success=[ms.SendEmail("ses"), ms.SendEmail("other")]
            )
        },
    )
    finished = ms.simulate(scenario, until=200, probe=1)
    times, paused = finished.series("ses", "paused")
    since = duration(next(at for at, value in zip(times, paused, strict=True) if value))
    assert (since, "when ses was found paused") in key_figures(finished)
    outboxes, _ = table(finished, "Outboxes")
    assert outboxes["ses"]["paused"] == since
    assert outboxes["other"]["paused"] == ""


# ---------------------------------------------------------------- spikes and outages


def spiky(hold: float, height: float = 20.0, retention: float = 86_400.0) -> Run:
    scenario = ms.Scenario(
        queues={
            "q": ms.Queue(retention=retention, redrive=ms.Redrive(to="dead", max_receive_count=1)),
            "dead": ms.Queue(),
        },
        traffic={"t": ms.Traffic(to="q", rate=1 + ms.Spike(at=60, height=height, hold=hold), process="regular")},
        workers={"w": ms.Workers(queue="q", count=4, batch_size=1, service_time=1.0, failure_rate=0.1)},
    )
    return ms.simulate(scenario, until=400, seed=1)


def _after_spikes(run: Run) -> list[list[str]]:
    return [list(row) for table in tables(run) if table.title == "After spikes and outages" for row in table.rows]


def test_what_a_spike_did_has_a_row() -> None:
    run = spiky(hold=20)
    [found] = recoveries(run, "q")
    [row] = _after_spikes(run)
    assert row == [
        "q", "1 min 00 s to 1 min 20 s", count(found.normal), count(found.peak), duration(found.peak_age),
        duration(found.drain_time),
    ]  # fmt: skip
    assert 60 < found.drain_time < 180
    assert "drained" in as_text(run)


def test_who_is_not_drained_by_the_end_says_so() -> None:
    run = spiky(hold=100)
    [row] = _after_spikes(run)
    assert row[-1] == "not by the end"


def test_what_retention_took_has_a_column() -> None:
    [row] = _after_spikes(spiky(hold=60, retention=60.0))
    assert int(row[-1].replace(",", "")) > 0


def test_a_ripple_has_none() -> None:
    assert _after_spikes(spiky(hold=5, height=2.0)) == []
