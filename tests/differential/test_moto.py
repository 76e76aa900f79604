"""msgsim against moto: programs of requests, whose observable results are the same or differ by a rule that is listed.

`test_departures.py` has the list, and shows each difference by itself.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("moto", reason="the comparison with moto needs it: pip install 'moto[sqs]'")

from tests.differential.departures import DEPARTURES
from tests.differential.twins import ARN, Clock, Pair, Refusal, Twins, moto_on_a_clock

same_programs = settings(max_examples=30, derandomize=True, database=None, deadline=None)
"""Always the same, and fewer than elsewhere: one takes 50 ms."""

GARBAGE = Pair("garbage", "garbage")
COUNTERS = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
]
RESULTS = ("first receive", "redelivery", "nothing to receive")
BACK = 3
"""Receives after which a message of a standard queue goes to the back (SQS-RCV-8)."""


@pytest.fixture(scope="module")
def moto() -> Iterator[tuple[Any, Clock]]:
    with moto_on_a_clock() as client_and_clock:
        yield client_and_clock


# ---------------------------------------------------------------- programs

BODIES = st.sampled_from(["a", "b", "é", "x" * 1_024, "x" * 1_025, "{}"])
ATTRIBUTES = st.sampled_from(
    [
        {},
        {"k": {"DataType": "String", "StringValue": "é"}},
        {
            "n": {"DataType": "Number.int", "StringValue": "7"},
            "b": {"DataType": "Binary.gif", "BinaryValue": b"\0\xff"},
        },
    ]
)
DELAYS = st.sampled_from([None, None, 0, 5, 900, 901])
TIMEOUTS = st.sampled_from([0, 1, 5, 60, 43_201])
INDEX = st.integers(0, 5)
QUEUES = st.sampled_from(["q", "q", "q", "dead"])

SEND = st.tuples(st.just("send"), st.just("q"), st.sampled_from("abc"), st.none(), ATTRIBUTES)
RECEIVE = st.tuples(st.just("receive"), st.just("q"), st.sampled_from([1, 2]), st.none(), st.just(True))
STANDARD = st.lists(
    st.one_of(
        SEND,
        SEND,
        RECEIVE,
        RECEIVE,
        st.tuples(st.just("send"), QUEUES, BODIES, DELAYS, ATTRIBUTES),
        st.tuples(st.just("send_batch"), QUEUES, st.lists(st.tuples(st.sampled_from("abc"), DELAYS), max_size=11)),
        st.tuples(
            st.just("receive"), QUEUES, st.sampled_from([0, 1, 1, 2, 10, 11]), st.none() | TIMEOUTS, st.booleans()
        ),
        st.tuples(st.just("delete"), QUEUES, INDEX),
        st.tuples(st.just("delete_batch"), QUEUES, st.lists(INDEX, max_size=3, unique=True)),
        st.tuples(st.just("change"), QUEUES, INDEX, TIMEOUTS),
        st.tuples(st.just("change_batch"), QUEUES, st.lists(st.tuples(INDEX, TIMEOUTS), min_size=1, max_size=3)),
        st.tuples(st.just("purge"), QUEUES),
        st.tuples(st.just("wait"), QUEUES, st.sampled_from([1, 5, 30, 60, 900])),
        st.tuples(st.just("create"), QUEUES, st.sampled_from(["30", "5"])),
        st.tuples(st.just("find"), QUEUES, st.sampled_from(["", "p"])),
    ),
    min_size=6,
    max_size=25,
)
FIFO = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.none()),
        st.tuples(st.just("send"), st.none() | INDEX),
        st.tuples(st.just("receive")),
        st.tuples(st.just("receive")),
        st.tuples(st.just("delete")),
        st.tuples(st.just("change"), st.sampled_from([0, 50])),
        st.tuples(st.just("wait"), st.sampled_from([1, 20, 299, 301])),
        st.tuples(st.just("purge")),
    ),
    min_size=6,
    max_size=25,
)


class Comparison:
    """One program on both: what they answer is compared, and their ids and handles are paired."""

    def __init__(self, twins: Twins) -> None:
        self.twins = twins
        self.urls: dict[str, str] = {}
        self.ids: dict[str, str] = {}
        self.handles: dict[str, list[Pair]] = {"q": [], "dead": []}
        self.most_receives = 0
        self.reached: Counter[str] = Counter()

    def on(self, operation: str, name: str, **params: Any) -> Pair:
        """An operation on a queue."""
        return self.twins.call(operation, QueueUrl=self.urls[name], **params)

    def same(self, pair: Pair, excuses: dict[Pair, str] | None = None) -> bool:
        """Whether both performed it, or the same; a difference must be an excused one (code or "", rule id)."""
        codes = Pair(*(each if isinstance(each, Refusal) else None for each in pair))
        if codes.ours == codes.theirs:
            return codes.ours is None
        short = Pair(*("" if each is None else each.code for each in codes))
        rule = (excuses or {}).get(short)
        assert rule in DEPARTURES, pair
        self.reached[rule] += 1
        return False

    def same_entries(self, pair: Pair, excuses: dict[Pair, str] | None = None) -> None:
        """The same of a batch, entry by entry."""
        if not self.same(pair):
            return
        sides = [_entries(each) for each in pair]
        assert sides[0].keys() == sides[1].keys()
        for name, ours in sides[0].items():
            theirs = sides[1][name]
            if self.same(Pair(*(_refused(each) for each in (ours, theirs))), excuses) and "MessageId" in ours:
                self.send_answer(Pair(ours, theirs))

    def send_answer(self, pair: Pair) -> None:
        """Pair the ids, and compare the rest."""
        self.ids[pair.ours["MessageId"]] = pair.theirs["MessageId"]
        keys = ("MD5OfMessageBody", "MD5OfMessageAttributes")
        assert [pair.ours.get(key) for key in keys] == [pair.theirs.get(key) for key in keys]

    def received(self, pair: Pair, name: str) -> None:
        """Compare what was received, message by message, in order."""
        ours, theirs = (each.get("Messages", []) for each in pair)
        assert [self.ids[each["MessageId"]] for each in ours] == [each["MessageId"] for each in theirs]
        self.reached["nothing to receive"] += not ours
        for mine, other in zip(ours, theirs, strict=True):
            for key in ("Body", "MD5OfBody", "MessageAttributes", "MD5OfMessageAttributes"):
                assert mine.get(key) == other.get(key), key
            counts = [each["Attributes"]["ApproximateReceiveCount"] for each in (mine, other)]
            assert counts[0] == counts[1]
            self.reached["first receive" if counts[0] == "1" else "redelivery"] += 1
            self.most_receives = max(self.most_receives, int(counts[0]))
            for key in ("SentTimestamp", "ApproximateFirstReceiveTimestamp"):
                # In a dead-letter queue, ours is the first receive there.
                if name == "q" or key == "SentTimestamp":
                    assert abs(int(mine["Attributes"][key]) - int(other["Attributes"][key])) <= 1, key
            self.handles[name].append(Pair(mine["ReceiptHandle"], other["ReceiptHandle"]))

    def counted(self, *names: str) -> None:
        """Compare the counts of queues."""
        for name in names:
            pair = self.on("GetQueueAttributes", name, AttributeNames=COUNTERS)
            assert pair.ours == pair.theirs, name

    def handle(self, name: str, index: int) -> Pair:
        """One of the latest handles, or none."""
        known = self.handles[name][-6:]
        return known[index % len(known)] if known else GARBAGE


EXCUSED_DELETE = {Pair("", "ReceiptHandleIsInvalid"): "SQS-VIS-9"}
EXCUSED_CHANGE = {Pair("InvalidParameterValue", "ReceiptHandleIsInvalid"): "SQS-VIS-8"}


class Standard(Comparison):
    """Programs on a standard queue `q` and its dead-letter queue `dead`.

    Each begins with three messages, two of which are in flight. A delete by an old handle deletes, as moto has it
    (SQS-VIS-6).
    """

    def __init__(self, moto: tuple[Any, Clock], most: int | None) -> None:
        super().__init__(Twins(*moto, old_handle="deletes"))
        self.urls["dead"] = self.twins.create("dead", MaximumMessageSize="1024")
        policy = f'{{"deadLetterTargetArn": "{ARN}:dead", "maxReceiveCount": {most}}}'
        attributes = {} if most is None else {"RedrivePolicy": policy}
        self.urls["q"] = self.twins.create("q", MaximumMessageSize="1024", **attributes)
        for body in "abc":
            self.send("q", body, None, {})
        self.receive("q", 2, 5)

    def send(self, name: str, body: str, delay: int | None, attributes: dict[str, Any]) -> None:
        if len(body.encode()) + 32 > 1_024 and len(body) <= 1_024:
            attributes = {}  # moto does not count them (SQS-SND-3)
        params: dict[str, Any] = {} if delay is None else {"DelaySeconds": delay}
        pair = self.on("SendMessage", name, MessageBody=body, MessageAttributes=attributes, **params)
        if self.same(pair):
            self.send_answer(pair)

    def send_batch(self, name: str, entries: list[tuple[str, int | None]]) -> None:
        batch = [
            {"Id": f"e{number}", "MessageBody": body} | ({} if delay is None else {"DelaySeconds": delay})
            for number, (body, delay) in enumerate(entries)
        ]
        self.same_entries(self.on("SendMessageBatch", name, Entries=batch))

    def receive(self, name: str, most: int, timeout: int | None, everything: bool = True) -> None:
        params: dict[str, Any] = {} if timeout is None else {"VisibilityTimeout": timeout}
        if everything:
            params["MessageAttributeNames"] = ["All"]
        pair = self.on("ReceiveMessage", name, MaxNumberOfMessages=most, AttributeNames=["All"], **params)
        if self.same(pair):
            self.received(pair, name)

    def delete(self, name: str, index: int) -> None:
        self.same(self.on("DeleteMessage", name, ReceiptHandle=self.handle(name, index)), EXCUSED_DELETE)

    def delete_batch(self, name: str, indices: list[int]) -> None:
        handles = list(dict.fromkeys(self.handle(name, index) for index in indices))
        batch = [{"Id": f"e{number}", "ReceiptHandle": handle} for number, handle in enumerate(handles)]
        self.same_entries(self.on("DeleteMessageBatch", name, Entries=batch), EXCUSED_DELETE)

    def change(self, name: str, index: int, timeout: int) -> None:
        handle = self.handle(name, index)
        timeout = 60 if handle is GARBAGE else timeout
        pair = self.on("ChangeMessageVisibility", name, ReceiptHandle=handle, VisibilityTimeout=timeout)
        self.same(pair, EXCUSED_CHANGE)

    def change_batch(self, name: str, changes: list[tuple[int, int]]) -> None:
        pairs = [(self.handle(name, index), timeout) for index, timeout in changes]
        batch = [
            {"Id": f"e{number}", "ReceiptHandle": handle, "VisibilityTimeout": 60 if handle is GARBAGE else timeout}
            for number, (handle, timeout) in enumerate(pairs)
        ]
        self.same_entries(self.on("ChangeMessageVisibilityBatch", name, Entries=batch), EXCUSED_CHANGE)

    def purge(self, name: str) -> None:
        self.same(self.on("PurgeQueue", name))

    def wait(self, _: str, seconds: int) -> None:
        self.twins.wait(seconds)

    def create(self, name: str, timeout: str) -> None:
        pair = self.twins.call("CreateQueue", QueueName=name, Attributes={"VisibilityTimeout": timeout})
        if self.same(pair):
            assert pair.ours == pair.theirs

    def find(self, name: str, more: str) -> None:
        pair = self.twins.call("GetQueueUrl", QueueName=name + more)
        if self.same(pair):
            assert pair.ours == pair.theirs


def test_programs_on_standard_queues(moto: tuple[Any, Clock]) -> None:
    reached: Counter[str] = Counter()

    @same_programs
    @given(most=st.sampled_from([None, 1, 2]), program=STANDARD)
    def compare(most: int | None, program: list[tuple[Any, ...]]) -> None:
        comparison = Standard(moto, most)
        for step, *arguments in program:
            getattr(comparison, step)(*arguments)
            comparison.counted(*comparison.urls if step == "receive" else arguments[:1])
            reached[step] += 1
            if comparison.most_receives >= BACK:
                reached["SQS-RCV-8"] += 1
                break
        reached.update(comparison.reached)

    compare()
    steps = ["send", "send_batch", "receive", "delete", "delete_batch", "change", "change_batch", "purge", "wait"]
    assert [step for step in [*steps, "create", "find", *RESULTS] if not reached[step]] == []
    assert {rule for rule in reached if rule in DEPARTURES} <= {"SQS-VIS-8", "SQS-VIS-9", "SQS-RCV-8"}


class Fifo(Comparison):
    """Programs on one group of a FIFO queue, with at most one message in flight.

    With more of them, moto has another order (FIFO-ORD-1, FIFO-ORD-5, FIFO-ORD-7). An id is used again only while a
    message has it (FIFO-DUP-2), and moto is not asked about expired handles (FIFO-VIS-1, FIFO-VIS-2).
    """

    def __init__(self, moto: tuple[Any, Clock]) -> None:
        super().__init__(Twins(*moto))
        self.urls["q"] = self.twins.create("q.fifo", FifoQueue="true", VisibilityTimeout="20")
        self.live: dict[str, str] = {}
        self.sent = 0
        self.held: tuple[str, Pair] | None = None

    def send(self, again: int | None) -> None:
        known = list(dict.fromkeys(self.live.values()))
        self.sent += 1
        own = f"d{self.sent}" if again is None or not known else known[again % len(known)]
        params = {"MessageBody": f"b{self.sent}", "MessageGroupId": "g", "MessageDeduplicationId": own}
        pair = self.on("SendMessage", "q", **params)
        assert ("SequenceNumber" in pair.ours) == ("SequenceNumber" in pair.theirs)
        if pair.ours["MessageId"] in self.ids:
            self.reached["FIFO-DUP-2"] += 1
            return
        self.send_answer(pair)
        self.live[pair.ours["MessageId"]] = own

    def receive(self) -> None:
        pair = self.on("ReceiveMessage", "q", AttributeNames=["All"])
        self.received(pair, "q")
        ours, theirs = (each.get("Messages", []) for each in pair)
        for mine, other in zip(ours, theirs, strict=True):
            for key in ("MessageGroupId", "MessageDeduplicationId"):
                assert mine["Attributes"][key] == other["Attributes"][key]
            self.held = mine["MessageId"], self.handles["q"][-1]

    def delete(self) -> None:
        self._with_handle("DeleteMessage", "FIFO-VIS-1", gone=True)

    def change(self, timeout: int) -> None:
        self._with_handle("ChangeMessageVisibility", "FIFO-VIS-2", VisibilityTimeout=timeout)

    def wait(self, seconds: int) -> None:
        self.twins.wait(seconds)

    def purge(self) -> None:
        if self.same(self.on("PurgeQueue", "q")):
            self.live.clear()
            self.held = None

    def _with_handle(self, operation: str, rule: str, *, gone: bool = False, **params: Any) -> None:
        if self.held is None:
            return
        message_id, handle = self.held
        params |= {"QueueUrl": self.urls["q"], "ReceiptHandle": handle}
        ours = self.twins.ask_ours(operation, **params)
        if isinstance(ours, Refusal):
            assert rule in DEPARTURES
            self.reached[rule] += 1
            return
        assert self.same(Pair(ours, self.twins.ask_theirs(operation, **params)))
        if gone:
            del self.live[message_id]
            self.held = None


def test_programs_on_a_group_of_a_fifo_queue(moto: tuple[Any, Clock]) -> None:
    reached: Counter[str] = Counter()

    @same_programs
    @given(program=FIFO)
    def compare(program: list[tuple[Any, ...]]) -> None:
        comparison = Fifo(moto)
        for step, *arguments in program:
            getattr(comparison, step)(*arguments)
            comparison.counted("q")
            reached[step] += 1
        reached.update(comparison.reached)

    compare()
    assert [
        step for step in ["send", "receive", "delete", "change", "wait", "purge", *RESULTS] if not reached[step]
    ] == []
    assert {rule for rule in reached if rule in DEPARTURES} <= {"FIFO-VIS-1", "FIFO-VIS-2", "FIFO-DUP-2"}


def _entries(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["Id"]: each for each in [*answer.get("Successful", []), *answer.get("Failed", [])]}


def _refused(entry: dict[str, Any]) -> Refusal | dict[str, Any]:
    return Refusal(entry["Code"], "") if "Code" in entry else entry
