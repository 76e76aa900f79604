"""The tables and notes that sum a run up; `summary.py` shows them as text and as HTML."""

from collections.abc import Callable, Iterator, Sequence
from math import isfinite

import attrs

from msgsim.formats import NO_VALUE, count, counted, duration, one_line, share, significant
from msgsim.metrics import CATALOGUE
from msgsim.rates import peak, rates
from msgsim.run import Run, quantile

Cell = Callable[[Run, str], str]
"""The text of one cell: of a run and an entity."""


@attrs.frozen
class Column:
    """A column of a table.

    Attributes:
        name: its head.
        unit: under it; durations carry theirs themselves, and have something else here. Columns of words have none.
        cell: its text for an entity.
        optional: left out where it says "0" or nothing for all entities.
    """

    name: str
    unit: str
    cell: Cell
    optional: bool = False


@attrs.frozen
class Table:
    """One table of a summary.

    Attributes:
        title: what it shows.
        kind: what each row is about.
        heads: pairs of a name and a unit; columns of words have no unit, the first one holds the names of the entities.
        rows: as many texts each.
    """

    title: str
    kind: str
    heads: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[str]]


def of_kind(run: Run, *kinds: str) -> list[str]:
    """The entities of some kinds, in the order of a report."""
    return [name for name, record in run.records.items() if record.kind in kinds]


def letters(run: Run) -> set[str]:
    """The dead-letter queues that nobody works on."""
    served = {workers.queue for workers in run.scenario.workers.values()}
    return {queue.redrive.to for queue in run.scenario.queues.values() if queue.redrive is not None} - served


def unfinished(run: Run, queue: str) -> int:
    """Messages that are in a queue at the end, visible or not."""
    return int(sum(run.final(queue, metric) for metric in ("visible", "in_flight", "delayed")))


def arrived(run: Run, queue: str) -> int:
    """Messages that came into a queue, dead letters included."""
    return run.total(queue, "sent") + run.total(queue, "moved_in")


def spread(run: Run, pool: str) -> tuple[int, int]:
    """The fewest and the most workers that a pool had at a reading."""
    _, values = run.series(pool, "count")
    return min(values), max(values)


def tables(run: Run) -> list[Table]:
    """All that have something to say."""
    made = []
    for title, kinds, columns in _TABLES:
        names = [name for name in of_kind(run, *kinds) if title != "Times in queues" or arrived(run, name)]
        if not names:
            continue
        filled = [(column, [column.cell(run, name) for name in names]) for column in columns]
        shown = [(column, cells) for column, cells in filled if not (column.optional and set(cells) <= {"0", ""})]
        event = event_name(run)
        heads = [(_NAMES.get(kinds[0], kinds[0]), "")]
        heads += [(column.name.replace("{event}", event), column.unit) for column, _ in shown]
        rows = list(zip(map(one_line, names), *(cells for _, cells in shown), strict=True))
        made.append(Table(title, kinds[0], heads, rows))
        if title == "Times in queues":
            made += [table for name in names for table in _groups(run, name)]
    return [*made, *_recovery(run)]


def event_name(run: Run) -> str:
    """What the traffic events of a run are, if they are all of one kind."""
    names = {one_line(traffic.event) for traffic in run.scenario.traffic.values()}
    return names.pop() if len(names) == 1 else "event"


def notes(run: Run) -> list[str]:
    """What a reader should know besides the tables, in sentences; the last one is about the books."""
    return [*_on_reading(run), *_on_warm_up(run), *_on_left_out(run), *_on_bias(run), *_on_work(run), *_on_books(run)]


# ---------------------------------------------------------------- spikes and outages

SHOWN_TRIGGERS = 5
"""Spikes and outages of one entity that have a row, those with the highest peaks."""


def _recovery(run: Run) -> Iterator[Table]:
    """What spikes and outages did to whom, where it was more than a ripple."""
    from msgsim.study.recovery import NOTABLE, recoveries  # noqa: PLC0415 - studies are loaded when asked for

    rows = []
    names = [name for name in of_kind(run, "queue", "subscription", "outbox") if name not in letters(run)]
    for name in names:
        found = [each for each in recoveries(run, name) if each.peak > 2 * each.normal + NOTABLE]
        highest = sorted(found, key=lambda each: -each.peak)[:SHOWN_TRIGGERS]
        rows += [
            [
                one_line(name),
                f"{duration(each.trigger.start)} to {duration(each.trigger.end)}",
                count(each.normal),
                count(each.peak),
                duration(each.peak_age),
                duration(each.drain_time) if isfinite(each.drain_time) else "not by the end",
                count(each.lost),
            ]
            for each in sorted(highest, key=lambda each: each.trigger.start)
        ]
    if rows:
        heads = [("of", ""), ("spike or outage", "from, to"), ("messages", "before"), ("messages", "at the peak")]
        heads += [("oldest", "at the peak"), ("drained", "after its end"), ("lost", "to retention")]
        shown = [place for place in range(len(heads)) if place < len(heads) - 1 or any(row[-1] != "0" for row in rows)]
        yield Table(
            "After spikes and outages",
            "queue",
            [heads[place] for place in shown],
            [[row[place] for place in shown] for row in rows],
        )


# ---------------------------------------------------------------- message groups

SHOWN_GROUPS = 3
"""Groups of a fair queue that have a row of their own, the largest first."""

LARGE = 0.02
"""From this share of a queue's messages on, its largest group is worth a table."""


def _groups(run: Run, queue: str) -> Iterator[Table]:
    """Times by message group: of the largest, and of all others together; nothing if even the largest is small."""
    if not run.records[queue].groups:
        return
    sizes = {group: len(run.samples(queue, "sojourn_time", group=group)) for group in run.groups(queue)}
    own = sorted(sizes, key=lambda group: (-sizes[group], group))[:SHOWN_GROUPS]
    if sizes[own[0]] <= LARGE * len(run.samples(queue, "sojourn_time")):
        return
    others = [group for group in sizes if group not in own]
    heads = [("group", ""), ("deleted", "messages"), ("waiting time", "p50"), ("waiting time", "p99")]
    heads += [("sojourn time", "p50"), ("sojourn time", "p99")]
    rows = [_group_row(run, queue, group, [group]) for group in own]
    if others:
        rows.append(_group_row(run, queue, counted(len(others), "other"), others))
    yield Table(f"Groups of {queue}", "group", heads, rows)


def _group_row(run: Run, queue: str, name: str, groups: Sequence[str]) -> list[str]:
    cells = [one_line(name)]
    for metric in ("waiting_time", "sojourn_time"):
        values = sorted(value for group in groups for value in run.samples(queue, metric, group=group))
        if metric == "waiting_time":
            cells.append(count(len(values)))
        cells += [duration(quantile(values, q)) for q in (0.5, 0.99)]
    return cells


# ---------------------------------------------------------------- columns


def _total(metric: str) -> Cell:
    def cell(run: Run, name: str) -> str:
        return count(run.total(name, metric)) if metric in CATALOGUE[run.records[name].table] else ""

    return cell


def _stat(metric: str, statistic: str, shown: Callable[[float], str]) -> Cell:
    def cell(run: Run, name: str) -> str:
        return shown(run.stat(name, metric, statistic)) if metric in CATALOGUE[run.records[name].table] else ""

    return cell


def _mean_rate(metric: str) -> Cell:
    return lambda run, name: significant(run.total(name, metric) / run.until) if run.until else NO_VALUE


def _peak_rate(metric: str) -> Cell:
    return lambda run, name: significant(peak(rates(run, name, metric)[1]))


def _left_over(run: Run, name: str) -> str:
    return count(unfinished(run, name))


def _workers(run: Run, name: str) -> str:
    fewest, most = spread(run, name)
    return count(most) if fewest == most else f"{count(fewest)} to {count(most)}"


def _final_share(metric: str) -> Cell:
    def cell(run: Run, name: str) -> str:
        value = run.final(name, metric) if metric in CATALOGUE[run.records[name].table] else 0.0
        return share(value) if value else ""

    return cell


def paused_from(run: Run, name: str) -> str:
    """When an outbox was first found paused; "" if it never was."""
    if "paused" not in CATALOGUE[run.records[name].table]:
        return ""
    times, values = run.series(name, "paused")
    return next((duration(at) for at, paused in zip(times, values, strict=True) if paused), "")


_TABLES: Sequence[tuple[str, Sequence[str], Sequence[Column]]] = (
    (
        "Traffic",
        ("traffic",),
        (
            Column("to", "", lambda run, name: run.scenario.traffic[name].to),
            Column("arrivals", "events", _total("arrivals")),
            Column("sent again", "events", _total("resent"), optional=True),
            Column("mean rate", "1/s", _mean_rate("arrivals")),
            Column("peak rate", "1/s", _peak_rate("arrivals")),
        ),
    ),
    (
        "Topics and subscriptions",
        ("topic", "subscription"),
        (
            Column("published", "messages", _total("published")),
            Column("over quota", "messages", _total("over_quota"), optional=True),
            Column("delivered", "messages", _total("delivered")),
            Column("filtered out", "messages", _total("filtered_out")),
            Column("failed", "messages", _total("delivery_failed")),
            Column("of those kept", "messages", _total("delivery_dead_lettered"), optional=True),
            Column("failed attempts", "times", _total("failed_attempts"), optional=True),
            Column("arrived twice", "messages", _total("duplicated"), optional=True),
            Column("under way", "at the end", _stat("pending", "final", count), optional=True),
            Column("held up", "at the end", _stat("held_up", "final", count), optional=True),
        ),
    ),
    (
        "Queues",
        ("queue",),
        (
            Column("sent", "messages", _total("sent")),
            Column("deduplicated", "messages", _total("deduplicated"), optional=True),
            Column("moved in", "messages", _total("moved_in"), optional=True),
            Column("deleted", "messages", _total("deleted")),
            Column("dead-lettered", "messages", _total("dead_lettered")),
            Column("moved out", "messages", _total("moved_out"), optional=True),
            Column("expired", "messages", _total("expired"), optional=True),
            Column("purged", "messages", _total("purged"), optional=True),
            Column("left over", "messages", _left_over),
            Column("peak backlog", "messages", _stat("visible", "max", count)),
            Column("redelivered", "times", _total("redelivered"), optional=True),
        ),
    ),
    (
        "Times in queues",
        ("queue",),
        (
            Column("peak age", "of oldest", _stat("age_of_oldest_message", "max", duration)),
            Column("waiting time", "p50", _stat("waiting_time", "p50", duration)),
            Column("waiting time", "p99", _stat("waiting_time", "p99", duration)),
            Column("sojourn time", "p50", _stat("sojourn_time", "p50", duration)),
            Column("sojourn time", "p99", _stat("sojourn_time", "p99", duration)),
        ),
    ),
    (
        "Workers",
        ("pool",),
        (
            Column("queue", "", lambda run, name: run.scenario.workers[name].queue),
            Column("count", "workers", _workers),
            Column("utilization", "mean", _stat("utilization", "mean", share)),
            Column("processed", "messages", _total("processed")),
            Column("mean rate", "1/s", _mean_rate("processed")),
            Column("failed", "messages", _total("failed")),
        ),
    ),
    (
        "Joins",
        ("join",),
        (
            Column("completed", "events", _total("completed")),
            Column("open", "events", _stat("open", "final", count)),
            Column("{event} to join", "p50", _stat("end_to_end_time", "p50", duration)),
            Column("{event} to join", "p99", _stat("end_to_end_time", "p99", duration)),
        ),
    ),
    (
        "Outboxes",
        ("outbox",),
        (
            Column("accepted", "emails", _total("accepted")),
            Column("peak rate", "emails/s", _peak_rate("accepted")),
            Column("delivered", "recipients", _total("delivered")),
            Column("bounced", "recipients", _total("bounced")),
            Column("complained", "recipients", _total("complained"), optional=True),
            Column("suppressed", "recipients", _total("suppressed"), optional=True),
            Column("late", "recipients", _total("delayed"), optional=True),
            Column("pending", "recipients", _stat("pending", "final", count), optional=True),
            Column("throttled", "recipients", _total("throttled")),
            Column("rejected", "recipients", _total("rejected"), optional=True),
            Column("bounce rate", "at the end", _final_share("bounce_rate"), optional=True),
            Column("complaint rate", "at the end", _final_share("complaint_rate"), optional=True),
            Column("paused", "from", paused_from, optional=True),
            Column("{event} to email", "p50", _stat("end_to_end_time", "p50", duration)),
            Column("{event} to email", "p99", _stat("end_to_end_time", "p99", duration)),
        ),
    ),
)

_NAMES = {"traffic": "source"}

# ---------------------------------------------------------------- notes

BIASED = 0.01
"""From this share of unfinished messages on, the 99th percentile of those that are finished says too little."""

SHOWN_ERRORS = 5
"""Different exceptions that are shown of each pool."""


def _on_reading(run: Run) -> Iterator[str]:
    if of_kind(run, "queue"):
        yield "Peaks are the highest readings; between two readings there may have been more."
    ends = [
        end
        for kind, end in (
            ("join", '"{} to join" ends when the join completes'),
            ("outbox", '"{} to email" at delivery'),
        )
        if of_kind(run, kind)
    ]
    if ends:
        event = event_name(run)
        yield f"Times from the {event} on (end_to_end_time): {'; '.join(end.format(event) for end in ends)}."


def _on_warm_up(run: Run) -> Iterator[str]:
    if not run.warm_up:
        return
    if run.until <= run.warm_up:
        yield "The run ended within its warm-up: peaks, times and utilization mean little."
        return
    early = sum(run.total(name, "deleted") - len(run.samples(name, "sojourn_time")) for name in of_kind(run, "queue"))
    yield (
        f"Counts and rates cover the whole run. Peaks, times and utilization cover what came after the warm-up of "
        f"{duration(run.warm_up)}; {counted(early, 'message')} had been deleted by then."
    )


def _on_left_out(run: Run) -> Iterator[str]:
    queues = of_kind(run, "queue")
    parts = [
        (sum(unfinished(run, name) for name in queues), "unfinished at the end"),
        (sum(run.total(name, "dead_lettered") for name in queues), "dead-lettered"),
        (sum(run.total(name, "expired") for name in queues), "expired"),
        (sum(run.total(name, "purged") for name in queues), "purged"),
        (sum(run.total(name, "moved_out") for name in queues), "moved out"),
    ]
    what = ", ".join(f"{count(number)} {how}" for number, how in parts if number)
    if what:
        yield f"Times are those of deleted messages. They leave out: {what}."
    for name in of_kind(run, "join"):
        still_open = run.final(name, "open")
        if still_open:
            yield f"Join {name}: {counted(still_open, 'event')} still open; some parts had not succeeded by the end."


def _on_bias(run: Run) -> Iterator[str]:
    served = {workers.queue for workers in run.scenario.workers.values()}
    for name in of_kind(run, "queue"):
        left, came = unfinished(run, name), arrived(run, name)
        if name in served and left > BIASED * came:
            yield (
                f"Queue {name}: {share(left / came)} of its messages were unfinished at the end, so the times of those "
                f"that were finished make it look faster than it is."
            )


def _on_work(run: Run) -> Iterator[str]:
    for name in of_kind(run, "queue"):
        again = run.total(name, "duplicate_work")
        if again:
            yield _on_duplicates(run, name, again)
    for pool, raised in run.raised.items():
        ranked = sorted(raised.items(), key=lambda item: (-item[1], item[0]))
        for text, times in ranked[:SHOWN_ERRORS]:
            yield f"The handler of {pool} raised {one_line(text)!r} {counted(times, 'time')}."
        if len(ranked) > SHOWN_ERRORS:
            yield f"The handler of {pool} raised {counted(len(ranked) - SHOWN_ERRORS, 'more exception')} besides."


def _on_duplicates(run: Run, queue: str, again: int) -> str:
    """Say that work was done twice, and what would help."""
    timeout = run.scenario.queues[queue].visibility_timeout
    batches = ", ".join(
        f"a full batch of {workers.batch_size} takes {name} about "
        f"{duration(workers.batch_size * workers.service_time.mean)}"
        for name, workers in run.scenario.workers.items()
        if workers.queue == queue and workers.handler is None
    )
    return (
        f"Queue {queue}: work was done {counted(again, 'time')} after the visibility timeout of {duration(timeout)} "
        f"had run out, so others may have done it, too{f' ({batches})' if batches else ''}. To avoid that, raise "
        f"visibility_timeout above the time of a batch, make batches smaller, or set a heartbeat."
    )


def _on_books(run: Run) -> Iterator[str]:
    if not run.violations:
        yield "Books balance: every message is accounted for, and L = λW holds to 1e-9 in every queue."
        return
    found = counted(len(run.violations), "violation")
    yield f"BOOKS DO NOT BALANCE ({found}), which is a bug in msgsim; please report it:"
    yield from run.violations[:SHOWN_ERRORS]
