"""Symptoms: what a doctor looks for in a scenario, by what is declared and by a short simulation of it."""

from collections.abc import Callable, Iterator
from math import floor, inf

import attrs

from msgsim.bus.queue import Queue
from msgsim.declare import DAY
from msgsim.engine.actions import Action, Join, SendEmail
from msgsim.engine.streams import stream
from msgsim.engine.workers import Workers
from msgsim.formats import count, counted, duration, exactly, share, significant
from msgsim.quotas import FIFO_CALLS, FIFO_OTHER_REGIONS, FIFO_REGIONS, GROUP_RATE, TOPIC_RATE
from msgsim.run import Run, quantile
from msgsim.scenario import Scenario
from msgsim.study.billed import MONTH
from msgsim.study.costs import Ledger
from msgsim.study.loads import Load, Loads, Rates, largest_group

WARNING, NOTE = "warning", "note"

RHO = "\N{GREEK SMALL LETTER RHO}"
"""Offered load over capacity."""

ROUNDING = 1e-9
"""What rates may be off by, relatively."""

DRAWS = 2_000
"""Batches that are drawn to see how long one takes."""

MOST_DRAWN = 100
"""Messages of each, at most."""

MANY_LETTERS = 0.01
"""From this share of messages on, dead letters are many."""

LATE = 0.99
"""Of the batches, so many should be done before their visibility timeout ends."""


@attrs.frozen(kw_only=True)
class Finding:
    """Something in a scenario that is likely to go wrong.

    Attributes:
        level: "warning", or "note" for what may well be meant.
        path: of the value in the scenario.
        found: what was found, with its numbers.
        advice: what to do.
        rules: ids of the rules that make it so.
    """

    level: str
    path: str
    found: str
    advice: str
    rules: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.level}: {self.path}: {self.found}. {self.advice} ({', '.join(self.rules)})"


@attrs.frozen
class Patient:
    """What is looked at.

    Attributes:
        scenario: declared.
        loads: by its declarations.
        run: a short simulation.
        bill: of that.
    """

    scenario: Scenario
    loads: Loads
    run: Run
    bill: Ledger

    def pools(self, queue: str) -> dict[str, Workers]:
        """The worker pools of a queue."""
        return {name: workers for name, workers in self.scenario.workers.items() if workers.queue == queue}

    def messages(self, source: str) -> int:
        """What came to a queue, or was published for a subscription and not filtered out."""
        run = self.run
        if run.kind(source) == "queue":
            return run.total(source, "sent") + run.total(source, "moved_in")
        return run.total(source, "delivered") + run.total(source, "delivery_failed")

    def dead_letter_queues(self) -> dict[str, list[str]]:
        """The queues that dead letters go to, and where these come from: queues, and subscriptions."""
        found: dict[str, list[str]] = {}
        for name, queue in self.scenario.queues.items():
            if queue.redrive is not None:
                found.setdefault(queue.redrive.to, []).append(name)
        for topic, declared in self.scenario.topics.items():
            for key, subscription in declared.named().items():
                if subscription.redrive is not None:
                    found.setdefault(subscription.redrive, []).append(f"{topic}/{key}")
        return found


def short_visibility(patient: Patient) -> Iterator[Finding]:
    """A visibility timeout that ends while its batch is still in work."""
    for name, workers in patient.scenario.workers.items():
        timeout = patient.scenario.queues[workers.queue].visibility_timeout
        if workers.heartbeat is not None:
            if workers.heartbeat >= timeout:
                found = f"{exactly(workers.heartbeat)} is no earlier than the end of the {exactly(timeout)} it prolongs"
                advice = f"Let it beat every {duration(timeout / 2)} or so."
                rules = ("SQS-VIS-12",)
                yield Finding(level=WARNING, path=f"workers.{name}.heartbeat", found=found, advice=advice, rules=rules)
            continue
        if not _outlasts(workers, name, patient.scenario.queues[workers.queue]):
            continue
        times = _batch_times(workers, name)
        late = quantile(times, LATE)
        beyond = sum(1 for time in times if time > timeout) / DRAWS
        twice = patient.run.total(workers.queue, "duplicate_work")
        batch = counted(workers.batch_size, "message")
        found = (
            f"{exactly(timeout)} is less than full batches of {name} can take: the p99 of {batch} is {duration(late)}, "
            f"and {share(beyond)} take longer than the timeout; {counted(twice, 'message')} handled late, when "
            "others could have them again"
        )
        advice = f"Give them {duration(2 * late)}, smaller batches, or a heartbeat."
        fifo = patient.scenario.queues[workers.queue].fifo
        yield Finding(
            level=WARNING,
            path=f"queues.{workers.queue}.visibility_timeout",
            found=found,
            advice=advice,
            rules=("SQS-VIS-1", "SQS-VIS-12", "FIFO-VIS-1" if fifo else "SQS-VIS-6"),
        )


def late_work(patient: Patient) -> Iterator[Finding]:
    """Messages that were handled late in the simulation, for whatever reason: retries, functions, failures."""
    for name, queue in patient.scenario.queues.items():
        late = patient.run.total(name, "duplicate_work")
        pools = patient.pools(name)
        if not late or queue.duplicates or any(_outlasts(workers, pool, queue) for pool, workers in pools.items()):
            continue  # the service's own duplicates, or what full batches explain
        yield Finding(
            level=WARNING,
            path=f"queues.{name}.visibility_timeout",
            found=f"{exactly(queue.visibility_timeout)} ended before {counted(late, 'message')} had been handled, and "
            f"others could have them again, of {count(patient.run.total(name, 'received'))} deliveries",
            advice="Handlers, or retries of what is refused, take longer than service times say: give them more time.",
            rules=("SQS-VIS-1", "SQS-VIS-6"),
        )


def single_receive(patient: Patient) -> Iterator[Finding]:
    """A redrive policy that gives up at the first failure."""
    for name, queue in patient.scenario.queues.items():
        if queue.redrive is not None and queue.redrive.max_receive_count == 1:
            letters = patient.run.total(name, "dead_lettered")
            yield Finding(
                level=WARNING,
                path=f"queues.{name}.redrive.max_receive_count",
                found=f"1 makes a dead letter of a message whose first receive fails, or is lost on its way: "
                f"{count(letters)} of {count(patient.run.total(name, 'sent'))} so far",
                advice="Allow 3 or more.",
                rules=("SQS-RCV-9", "SQS-DLQ-3"),
            )


def short_retention(patient: Patient) -> Iterator[Finding]:
    """Messages that are gone before their backlog is worked off."""
    letters = patient.dead_letter_queues()
    for name, queue in patient.scenario.queues.items():
        load = patient.loads.queues.get(name)
        drain = 0.0 if load is None else load.drain_time
        expired = patient.run.total(name, "expired")
        if name in letters or not (expired or queue.retention < drain < inf):
            continue
        lost = f"{count(expired)} of {count(patient.run.total(name, 'sent'))} messages expired"
        slow = f"its backlog takes {duration(drain)} to drain; " if queue.retention < drain < inf else ""
        yield Finding(
            level=WARNING,
            path=f"queues.{name}.retention",
            found=f"{exactly(queue.retention)} is too short: {slow}{lost}",
            advice="Keep messages for longer than the longest backlog lasts, or work it off faster.",
            rules=("SQS-RET-1",),
        )


def short_lived_letters(patient: Patient) -> Iterator[Finding]:
    """A dead-letter queue that forgets earlier than its source: the age of a message counts on."""
    for name, queue in patient.scenario.queues.items():
        if queue.redrive is None or queue.fifo:
            continue
        kept = patient.scenario.queues[queue.redrive.to].retention
        if kept < queue.retention:
            yield Finding(
                level=WARNING,
                path=f"queues.{queue.redrive.to}.retention",
                found=f"{exactly(kept)} is less than the {exactly(queue.retention)} of {name}: the age of a dead "
                "letter counts from its first send, so it may be gone as soon as it comes",
                advice=f"Keep dead letters longer than messages of {name}: up to 14 days are allowed.",
                rules=("SQS-RET-2",),
            )


def short_polls(patient: Patient) -> Iterator[Finding]:
    """Polls that ask again and again, and are paid for."""
    for name, workers in patient.scenario.workers.items():
        lines = [line for line in patient.bill.of(workers.queue) if line.kind == "empty receive"]
        if workers.wait_time or not lines:
            continue
        [line] = lines
        yield Finding(
            level=WARNING,
            path=f"workers.{name}.wait_time",
            found=f"0 s makes short polls: {count(line.requests)} of them found nothing, {count(line.monthly_units)} a "
            f"month for {patient.bill.money(line.monthly)}; and they may miss messages that are there",
            advice=f"Wait 20 s: a worker that has nothing to do then asks {count(MONTH / 20)} times a month.",
            rules=("SQS-RCV-3", "SQS-RCV-4", "PRC-SQS-2"),
        )


def slow_outbox(patient: Patient) -> Iterator[Finding]:
    """Quotas of emails below what workers send."""
    for name, outbox in patient.scenario.outboxes.items():
        coming = patient.loads.arrivals.get(name, ())
        peak, rate = max(coming, default=0.0), outbox.send_rate
        refused = patient.run.total(name, "throttled")
        sent = patient.run.total(name, "recipients_accepted")
        seen = f"in the simulation, {count(refused)} recipients were refused and {count(sent)} accepted"
        if rate is not None and _above(peak, rate):
            yield Finding(
                level=WARNING,
                path=f"outboxes.{name}.max_send_rate",
                found=f"{significant(rate)} recipients/s are less than the {significant(peak)} that come at the peak; "
                f"{seen}",
                advice="Ask for a higher rate, or send through a queue whose workers are no faster; what is refused "
                "waits for its visibility timeout, or for a Retry.",
                rules=("SES-QUO-4", "SES-QUO-5"),
            )
        days = _per_day(coming, patient.loads.width)
        if _above(days, outbox.daily_quota):
            yield Finding(
                level=WARNING,
                path=f"outboxes.{name}.max_24_hour_send",
                found=f"{count(outbox.daily_quota)} recipients are less than the {count(days)} of the fullest 24 "
                f"hours; {seen}",
                advice="Ask for a higher quota, or spread the emails over more days.",
                rules=("SES-QUO-3", "SES-QUO-5"),
            )


def narrow_fifo_queue(patient: Patient) -> Iterator[Finding]:
    """Calls to a FIFO queue above what it, or one of its partitions, takes; sends come one by one."""
    for name, queue in patient.scenario.queues.items():
        if not queue.fifo:
            continue
        peak = max(patient.loads.arrivals.get(name, ()), default=0.0)
        high = queue.fifo_throughput_limit == "perMessageGroupId"
        region = patient.scenario.region or "us-east-1"
        limit = FIFO_REGIONS.get(region, FIFO_OTHER_REGIONS) if high else FIFO_CALLS.high
        if _above(peak, limit):
            yield Finding(
                level=WARNING,
                path=f"queues.{name}.fifo_throughput_limit",
                found=f"{significant(peak)} messages/s at the peak are more than the {count(limit)} calls/s that the "
                f"queue takes{f' in {region}' if high else ''}, if each is sent alone",
                advice="Send batches of 10."
                if high
                else "Send batches of 10, or choose high throughput: "
                'deduplication_scope = "messageGroup", fifo_throughput_limit = "perMessageGroupId".',
                rules=("FIFO-TPS-2",) if high else ("FIFO-TPS-1", "FIFO-TPS-2"),
            )
        for group, load in patient.loads.of_groups(name).items():
            most = max(load.arrivals)
            if high and _above(most, FIFO_CALLS.high):
                yield Finding(
                    level=WARNING,
                    path=f"queues.{name}.fifo_throughput_limit",
                    found=f"{significant(most)} messages/s of the group {group!r} at the peak are more than the "
                    f"{count(FIFO_CALLS.high)} calls/s of a partition",
                    advice="Send batches of 10, or take finer groups.",
                    rules=("FIFO-TPS-3",),
                )
            yield from _overload(
                load,
                path=f"queues.{name}",
                what=f"the group {group!r}, which one worker at a time may handle,",
                advice="Take finer groups, or work faster: more workers do not help.",
                rules=("FIFO-ORD-4",),
            )


def narrow_fifo_topic(patient: Patient) -> Iterator[Finding]:
    """Publishes to a FIFO topic above what it, or one of its groups, takes."""
    for name, topic in patient.scenario.topics.items():
        peak = max(patient.loads.arrivals.get(name, ()), default=0.0)
        if not topic.fifo:
            continue
        if _above(peak, TOPIC_RATE.high):
            yield Finding(
                level=WARNING,
                path=f"topics.{name}",
                found=f"{significant(peak)} messages/s at the peak are more than the {count(TOPIC_RATE.high)} of one "
                "topic",
                advice="Spread them over several topics.",
                rules=("SNS-QUO-2",),
            )
        for source, traffic in patient.scenario.traffic.items():
            if traffic.to != name or traffic.groups is None:
                continue
            group, part = largest_group(traffic.groups)
            most = part * max(patient.loads.traffic[source])
            if _above(most, GROUP_RATE.high):
                yield Finding(
                    level=WARNING,
                    path=f"traffic.{source}.groups",
                    found=f"{significant(most)} messages/s of the group {group!r} at the peak are more than the "
                    f"{count(GROUP_RATE.high)} of a group",
                    advice="Take finer groups.",
                    rules=("SNS-QUO-2",),
                )


def no_dead_letters(patient: Patient) -> Iterator[Finding]:
    """A queue that has nowhere to put a message that always fails."""
    letters = patient.dead_letter_queues()
    for name, queue in patient.scenario.queues.items():
        pools = patient.pools(name)
        if queue.redrive is not None or name in letters or not pools:
            continue
        failing = [pool for pool, workers in pools.items() if _can_fail(workers, patient.scenario)]
        again = patient.run.total(name, "redelivered")
        yield Finding(
            level=WARNING if failing else NOTE,
            path=f"queues.{name}.redrive",
            found=f"no dead-letter queue: a message that always fails comes back until it expires after "
            f"{exactly(queue.retention)}; {count(again)} of {count(patient.run.total(name, 'received'))} deliveries "
            "were of messages received before",
            advice='Declare one: redrive = { to = "...", max_receive_count = 5 }.',
            rules=("SQS-DLQ-1", "SQS-DLQ-3", "SQS-RET-1"),
        )


def unwatched_letters(patient: Patient) -> Iterator[Finding]:
    """A dead-letter queue that nobody works on: a warning if it gets many letters, or loses any."""
    for name, sources in patient.dead_letter_queues().items():
        if patient.pools(name):
            continue
        came = patient.run.total(name, "sent") + patient.run.total(name, "moved_in")
        gone = patient.run.total(name, "expired")
        whole = sum(patient.messages(source) for source in sources)
        kept = exactly(patient.scenario.queues[name].retention)
        yield Finding(
            level=WARNING if gone or came > MANY_LETTERS * whole else NOTE,
            path=f"queues.{name}",
            found=f"nobody watches these dead letters of {', '.join(sources)}: {count(came)} of {count(whole)} "
            f"messages came here, {count(gone)} have expired, and all do after {kept}",
            advice="Have an alarm on it, and somebody who looks at what is there and moves it back.",
            rules=("SQS-DLQ-3", "SQS-RET-2"),
        )


def overload(patient: Patient) -> Iterator[Finding]:
    """More work than workers."""
    for name, load in patient.loads.queues.items():
        pools = ", ".join(patient.pools(name))
        yield from _overload(
            load,
            path=f"queues.{name}",
            what=f"the work of {pools}",
            advice="Take more or faster workers.",
            rules=("SQS-INF-2", "SQS-RET-1"),
        )


SYMPTOMS: tuple[Callable[[Patient], Iterator[Finding]], ...] = (
    overload,
    short_visibility,
    late_work,
    single_receive,
    short_retention,
    short_lived_letters,
    no_dead_letters,
    unwatched_letters,
    short_polls,
    slow_outbox,
    narrow_fifo_queue,
    narrow_fifo_topic,
)
"""All that is looked for."""


def _outlasts(workers: Workers, name: str, queue: Queue) -> bool:
    """Whether full batches of a pool outlast the visibility timeout, by the service times that are declared."""
    if workers.handler is not None or workers.heartbeat is not None:
        return False
    return quantile(_batch_times(workers, name), LATE) > queue.visibility_timeout


def _batch_times(workers: Workers, name: str) -> list[float]:
    """How long full batches take, in order [s]; of batches without a limit, by their beginnings."""
    draw = workers.service_time.sampler(stream(0, name, "doctor"))
    drawn = min(workers.batch_size, MOST_DRAWN)
    scale = workers.batch_size / drawn
    return sorted(scale * sum(draw() for _ in range(drawn)) for _ in range(DRAWS))


def _overload(load: Load, *, path: str, what: str, advice: str, rules: tuple[str, ...]) -> Iterator[Finding]:
    mean, peak = load.mean, load.peak
    if mean >= 1.0:
        came, can = sum(load.arrivals) / len(load.arrivals), sum(load.capacity) / len(load.capacity)
        yield Finding(
            level=WARNING,
            path=path,
            found=f"{what} is too much: {RHO} is {significant(mean)} on average, {significant(came)} messages/s for "
            f"{significant(can)}; {count(load.backlog[-1])} messages are left at the end",
            advice=advice,
            rules=rules,
        )
    elif load.drain_time and (peak >= 1.0 or not all(load.capacity)):
        lasting = "is still there at the end" if load.drain_time == inf else f"lasts {duration(load.drain_time)}"
        at_peak = f"{RHO} is {significant(peak)} at the peak" if peak >= 1.0 else "at times nobody works"
        yield Finding(
            level=NOTE,
            path=path,
            found=f"{what} piles up for a while: {at_peak} and {significant(mean)} on average; a backlog of up to "
            f"{counted(load.peak_backlog, 'message')} {lasting}",
            advice=f"Fine if messages may wait so long. {advice}",
            rules=rules,
        )


def _above(value: float, limit: float) -> bool:
    """Whether a value that has been added up is above a limit, and not by its rounding alone."""
    return value > limit * (1.0 + ROUNDING)


def _per_day(rates: Rates, width: float) -> float:
    """The most of any 24 hours in a row."""
    length = max(1, floor(DAY / width * (1.0 + ROUNDING)))
    within = min(width, DAY)
    most = here = 0.0
    for place, rate in enumerate(rates):
        here += rate * within
        if place >= length:
            here -= rates[place - length] * within
        most = max(most, here)
    return most


def _can_fail(workers: Workers, scenario: Scenario) -> bool:
    """Whether handling a message can fail: by chance, by a function's exception, by an email that is refused."""
    if workers.failure_rate or workers.handler is not None:
        return True
    return any(_can_be_refused(action, scenario) for action in workers.on_success)


def _can_be_refused(action: Action, scenario: Scenario) -> bool:
    if isinstance(action, Join):
        return any(_can_be_refused(then, scenario) for then in scenario.joins()[action.name].then)
    if not isinstance(action, SendEmail):
        return False
    outbox = scenario.outboxes[action.outbox]
    return outbox.send_rate is not None or outbox.daily_quota < inf or outbox.reputation is not None
