from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import msgsim as ms
from msgsim import files
from msgsim.bus.addresses import NOT_IN_HEADERS
from msgsim.bus.contents import find_forbidden
from msgsim.bus.templates import literal
from msgsim.distributions import Distribution
from msgsim.engine.curves import RateCurve, Sum
from msgsim.errors import DeclarationError, UnknownName

NAMES = st.text("abcXYZ019-_", min_size=1, max_size=10)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
TEMPLATES = TEXTS.map(lambda text: text.replace("{", "{{").replace("}", "}}")) | st.sampled_from(
    ["{n}", "order {n} on {date:+3d}", "{attributes[kind]} € {elapsed:.0f} s"]
)
SENT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), min_size=1, max_size=12)
BODIES = TEMPLATES.filter(lambda text: bool(text) and not find_forbidden(literal(text)))
HEADERS = TEMPLATES.filter(lambda text: not NOT_IN_HEADERS.search(text))
SUBJECTS = st.from_regex("[!-~][ -~]{0,11}", fullmatch=True)
POSITIVE = st.floats(0, 1e9, exclude_min=True)
RATES = st.floats(0, 1e9) | st.integers(0, 10**6)


def at_most(high: float, low: float = 0.0) -> st.SearchStrategy[float]:
    return st.floats(low, high) | st.integers(int(low), int(high))


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


def distributions() -> st.SearchStrategy[Distribution]:
    cv = st.floats(0.001, 100)
    simple = st.one_of(
        st.builds(ms.Fixed, RATES),
        st.tuples(RATES, POSITIVE)
        .filter(lambda pair: pair[0] + pair[1] > pair[0])
        .map(lambda p: ms.Uniform(p[0], p[0] + p[1])),
        st.builds(ms.Exponential, POSITIVE),
        st.builds(ms.Gamma, POSITIVE, cv),
        st.builds(ms.Weibull, POSITIVE, cv),
        st.builds(ms.LogNormal, POSITIVE, cv),
        st.builds(ms.Pareto, POSITIVE, st.floats(1, 10, exclude_min=True)),
        st.builds(ms.Empirical, st.lists(RATES, min_size=1, max_size=4)),
    )
    return st.recursive(
        simple,
        lambda inner: st.builds(ms.Mixture, st.lists(st.tuples(POSITIVE, inner), min_size=1, max_size=3)),
        max_leaves=3,
    )


@st.composite
def steps(draw: st.DrawFn, rates: st.SearchStrategy[float] = RATES) -> ms.Steps:
    times = sorted(draw(st.sets(st.floats(0, 1e9), min_size=1, max_size=4)))
    return ms.Steps([(time, draw(rates)) for time in times])


@st.composite
def spikes(draw: st.DrawFn) -> ms.Spike:
    ramp, hold = draw(at_most(1e6)), draw(at_most(1e6))
    every = draw(optional(st.just(ramp + hold + 1.0)))
    return ms.Spike(draw(RATES), draw(RATES), hold, ramp, draw(at_most(1e6)), every)


@st.composite
def diurnals(draw: st.DrawFn) -> ms.Diurnal:
    mean = draw(st.floats(0, 1e6))
    return ms.Diurnal(
        mean, draw(st.floats(0, mean)), draw(st.just(ms.DAY) | st.floats(0.001, 1e6)), draw(optional(RATES))
    )


def curves() -> st.SearchStrategy[RateCurve]:
    single = st.one_of(
        st.builds(ms.Constant, RATES),
        st.builds(lambda start, rates: ms.Ramp(start, start + 1.5, *rates), at_most(1e6), st.tuples(RATES, RATES)),
        spikes(),
        diurnals(),
        steps(),
        st.builds(
            ms.Trace, st.lists(RATES, min_size=1, max_size=5), st.floats(0.001, 1e6), TEXTS, st.booleans(), TEXTS
        ),
    )
    return single | st.lists(single, min_size=1, max_size=3).map(Sum)


NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.one_of(SENT, st.booleans(), NUMBERS)
LISTS = st.lists(VALUES, min_size=1, max_size=3)
ATTRIBUTES = st.dictionaries(NAMES, VALUES | LISTS | LISTS.map(tuple), max_size=3)
QUEUE_ATTRIBUTES = st.dictionaries(NAMES, SENT | NUMBERS | LISTS, max_size=3)
POLICIES = st.dictionaries(
    TEXTS.filter(lambda key: "." not in key and key != "$or"),
    st.lists(st.none() | st.booleans() | TEXTS | st.integers() | st.floats(-1e9, 1e9), min_size=1, max_size=3),
    max_size=3,
)


@st.composite
def queues(draw: st.DrawFn, dead: list[str]) -> ms.Queue:
    redrive = (
        st.builds(
            lambda to, receives: ms.Redrive(to=to, max_receive_count=receives),
            st.sampled_from(dead),
            st.integers(1, 1000),
        )
        if dead
        else st.none()
    )
    return ms.Queue(
        visibility_timeout=draw(st.floats(0.001, 43_200) | st.integers(1, 43_200)),
        delay=draw(at_most(900)),
        retention=draw(at_most(1_209_600, 60)),
        wait_time=draw(at_most(20)),
        max_message_bytes=draw(st.integers(1024, 1_048_576)),
        redrive=draw(optional(redrive)),
        max_in_flight=draw(st.integers(1, 10**30)),
        poll_winner=draw(st.sampled_from(["longest", "random"])),
    )


@st.composite
def subscriptions(draw: st.DrawFn, names: list[str]) -> tuple[ms.Subscription, ...]:
    chosen = draw(st.lists(st.sampled_from(names), unique=True, max_size=3)) if names else []
    made = [
        ms.Subscription(
            endpoint=name,
            filter_policy=draw(optional(POLICIES)),
            filter_scope=draw(st.sampled_from(["MessageAttributes", "MessageBody"])),
            raw=draw(st.booleans()),
            delivery_delay=draw(optional(distributions())),
            failure_rate=draw(st.floats(0, 1)),
        )
        for name in chosen
    ]
    if draw(st.booleans()):
        made.append(ms.Subscription(endpoint="+1 555", protocol="sms"))
    return tuple(made)


def outboxes() -> st.SearchStrategy[ms.Outbox]:
    rate = st.floats(0, 1)
    return st.builds(
        ms.Outbox,
        max_send_rate=POSITIVE,
        burst=optional(st.floats(1, 1e6)),
        max_24_hour_send=optional(st.integers(1, 10**9)),
        sandbox=st.booleans(),
        delivery_delay=optional(distributions()),
        bounce_rate=rate,
        soft_bounce_rate=rate,
        complaint_rate=rate,
        complaint_delay=optional(distributions()),
        max_delivery_time=at_most(50_400, 300),
        records=st.booleans(),
        record_limit=st.integers(1, 10**6),
        sender=st.sampled_from(["no-reply@example.com", "Ann <ann@example.com>"]),
        verified=st.lists(st.sampled_from(["example.com", "bob@example.com"]), max_size=2),
    )


def actions(queue_names: list[str], topic_names: list[str], outbox_names: list[str]) -> st.SearchStrategy[Any]:
    kinds: list[st.SearchStrategy[Any]] = []
    if outbox_names:
        to = HEADERS | st.lists(HEADERS, min_size=1, max_size=2)
        cc = HEADERS | st.lists(HEADERS, max_size=2)
        kinds.append(
            st.builds(ms.SendEmail, st.sampled_from(outbox_names), to=to, subject=HEADERS, body=TEMPLATES, cc=cc)
        )
        kinds.append(st.builds(ms.SendEmail, st.sampled_from(outbox_names)))
    if topic_names:
        kinds.append(
            st.builds(
                ms.Publish,
                st.sampled_from(topic_names),
                body=optional(BODIES),
                attributes=optional(ATTRIBUTES),
                subject=optional(SUBJECTS),
            )
        )
    if queue_names:
        kinds.append(
            st.builds(
                ms.SendMessage,
                st.sampled_from(queue_names),
                body=optional(BODIES),
                attributes=optional(QUEUE_ATTRIBUTES),
                delay=optional(at_most(900)),
            )
        )
    return st.one_of(kinds)


@st.composite
def pools(draw: st.DrawFn, queue_names: list[str], topic_names: list[str], outbox_names: list[str]) -> ms.Workers:
    retry = st.builds(ms.Retry, st.integers(1, 10), POSITIVE, POSITIVE)
    return ms.Workers(
        queue=draw(st.sampled_from(queue_names)),
        count=draw(st.integers(1, 10**6) | steps(st.integers(0, 100)) | curves()),
        batch_size=draw(st.integers(1, 10)),
        wait_time=draw(st.just(0.0) | at_most(20, 0.001)),
        poll_interval=draw(st.floats(0.001, 1e9)),
        service_time=draw(distributions().filter(lambda each: each.mean)),  # who takes no time may send in a circle
        failure_rate=draw(st.floats(0, 1)),
        on_success=draw(st.lists(actions(queue_names, topic_names, outbox_names), max_size=3)),
        on_refusal=draw(st.just("return") | retry),
        delete=draw(st.sampled_from(["each", "batch"])),
        heartbeat=draw(optional(st.floats(0.001, 43_200))),
    )


@st.composite
def scenarios(draw: st.DrawFn) -> ms.Scenario:
    names = draw(st.lists(NAMES, min_size=6, max_size=14, unique=True))
    parts: list[list[str]] = [[], [], [], [], []]
    for name in names:
        parts[draw(st.integers(0, 4))].append(name)
    topic_names, queue_names, outbox_names, traffic_names, pool_names = parts
    made_queues = {name: draw(queues(queue_names[:place])) for place, name in enumerate(queue_names)}
    made_topics = {name: ms.Topic(subscriptions=draw(subscriptions(queue_names))) for name in topic_names}
    targets = [*topic_names, *queue_names]
    made_traffic = {}
    for name in traffic_names if targets else []:
        to = draw(st.sampled_from(targets))
        made_traffic[name] = ms.Traffic(
            to=to,
            rate=draw(curves()),
            process=draw(st.sampled_from(["poisson", "regular"])),
            body=draw(BODIES),
            attributes=draw(optional(ATTRIBUTES if to in topic_names else QUEUE_ATTRIBUTES)),
            subject=draw(optional(SUBJECTS)) if to in topic_names else None,
        )
    pool_names = pool_names if queue_names else []
    made_pools = {name: draw(pools(queue_names, topic_names, outbox_names)) for name in pool_names}
    if made_pools and draw(st.booleans()):
        first, *others = made_pools
        then = draw(st.lists(actions(queue_names, topic_names, outbox_names), min_size=1, max_size=2))
        joins = {first: ms.Join("all", parts=list(made_pools), then=then), **dict.fromkeys(others, ms.Join("all"))}
        made_pools = {name: joined(pool, joins[name]) for name, pool in made_pools.items()}
    return ms.Scenario(
        title=draw(TEXTS),
        description=draw(TEXTS),
        horizon=draw(POSITIVE),
        warm_up=draw(RATES),
        epoch=draw(RATES),
        topics=made_topics,
        queues=made_queues,
        outboxes={name: draw(outboxes()) for name in outbox_names},
        traffic=made_traffic,
        workers=made_pools,
    )


def joined(pool: ms.Workers, join: ms.Join) -> ms.Workers:
    import attrs

    return attrs.evolve(pool, on_success=(*pool.on_success, join))


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None, max_examples=30)
@given(scenarios())
def test_what_is_written_is_read_back_as_an_equal_scenario(scenario: ms.Scenario) -> None:
    source = scenario.to_toml()
    again = ms.Scenario.from_toml(source)
    assert again == scenario
    assert again.to_toml() == source


@given(ATTRIBUTES)
def test_attributes_keep_their_types(attributes: dict[str, Any]) -> None:
    scenario = ms.Scenario(topics={"o": ms.Topic()}, traffic={"t": ms.Traffic(to="o", rate=1, attributes=attributes)})
    kept = {name: list(value) if isinstance(value, tuple) else value for name, value in attributes.items()}
    assert repr(scenario.traffic["t"].attributes) == repr(kept)
    assert repr(ms.Scenario.from_toml(scenario.to_toml()).traffic["t"].attributes) == repr(kept)


def test_the_text_is_laid_out_as_a_person_would() -> None:
    scenario = ms.Scenario(
        title="Two lines",
        description="one\ntwo\n",
        topics={
            "orders": ms.Topic(
                subscriptions=[
                    ms.Subscription(endpoint="emails", filter_policy={"kind": ["placed"]}),
                    ms.Subscription(endpoint="dead", raw=True),
                ]
            )
        },
        queues={
            "emails": ms.Queue(visibility_timeout=60, redrive=ms.Redrive(to="dead", max_receive_count=3)),
            "dead": ms.Queue(),
        },
        outboxes={"ses": ms.Outbox(max_send_rate=0.5)},
        traffic={
            "shop": ms.Traffic(
                to="orders", rate=ms.Constant(200) + ms.Spike(600, 400, 120), attributes={"kind": "placed", "n": 1.0}
            )
        },
        workers={
            "mailers": ms.Workers(
                queue="emails", count=6, service_time=ms.LogNormal(0.25, 0.8), on_success=[ms.SendEmail("ses")]
            )
        },
    )
    assert (
        scenario.to_toml()
        == '''\
title = "Two lines"
description = """
one
two
"""

[topics.orders]
subscriptions = [
    { endpoint = "emails", filter_policy = { kind = ["placed"] } },
    { endpoint = "dead", raw = true },
]

[queues.emails]
visibility_timeout = 60
redrive = { to = "dead", max_receive_count = 3 }

[queues.dead]

[outboxes.ses]
max_send_rate = 0.5

[traffic.shop]
to = "orders"
rate = [
    200,
    { type = "spike", at = 600, height = 400, hold = 120 },
]
attributes = { kind = "placed", n = 1.0 }

[workers.mailers]
queue = "emails"
count = 6
service_time = { type = "log-normal", mean = 0.25, cv = 0.8 }
on_success = [{ type = "send-email", outbox = "ses" }]
'''
    )


def test_long_lists_are_broken_into_lines() -> None:
    rate = ms.Trace(list(range(100)), 60)
    source = ms.Scenario(queues={"q": ms.Queue()}, traffic={"t": ms.Traffic(to="q", rate=rate)}).to_toml()
    assert ms.Scenario.from_toml(source).traffic["t"].rate == rate
    steps = ms.Workers(
        queue="q", count=ms.Steps([(time, 1) for time in range(60)]), service_time=ms.Empirical([0.123456] * 30)
    )
    source = ms.Scenario(queues={"q": ms.Queue()}, workers={"w": steps}).to_toml()
    assert ms.Scenario.from_toml(source).workers["w"] == steps


def test_a_count_that_is_a_constant_curve_is_no_bare_number() -> None:
    shift = ms.Workers(queue="q", count=ms.Constant(3), service_time=1.0)
    source = ms.Scenario(queues={"q": ms.Queue()}, workers={"w": shift}).to_toml()
    again = ms.Scenario.from_toml(source).workers["w"]
    assert again == shift
    assert isinstance(again.count, ms.Constant)


def test_an_empty_scenario_is_an_empty_text() -> None:
    assert ms.Scenario().to_toml() == ""
    assert ms.Scenario.from_toml("") == ms.Scenario()


def test_a_policy_with_null_is_written_as_json_which_has_it() -> None:
    topic = ms.Topic(subscriptions=[ms.Subscription(endpoint="q", filter_policy={"kind": ["a", None]}, raw=True)])
    scenario = ms.Scenario(topics={"t": topic}, queues={"q": ms.Queue()})
    source = scenario.to_toml()
    assert r'filter_policy = "{\"kind\": [\"a\", null]}"' in source
    assert ms.Scenario.from_toml(source) == scenario


class Own(ms.Fixed):
    pass


def traffic(**given: Any) -> ms.Scenario:
    return ms.Scenario(queues={"q": ms.Queue()}, traffic={"t": ms.Traffic(to="q", rate=1, **given)})


def pool(**given: Any) -> ms.Scenario:
    return ms.Scenario(queues={"q": ms.Queue()}, workers={"w": ms.Workers(queue="q", count=1, **given)})


@pytest.mark.parametrize(
    ("scenario", "message"),
    [
        (pool(service_time=1, handler=print), "workers.w.handler: a file cannot hold a Python function; leave it out"),
        (pool(service_time=Own(1)), "workers.w.service_time: Own(value=1.0) is of a class of your own"),
        (traffic(attributes={"a": b"x"}), "traffic.t.attributes.a: b'x' is bytes, which TOML cannot hold"),
        (
            traffic(attributes={"a.b": [1, None]}),
            'traffic.t.attributes."a.b".1: None is not a value that TOML can hold',
        ),
        (traffic(attributes={"a": 10**400}), "traffic.t.attributes.a: a whole number of more than 308 digits"),
        (traffic(event="\ud800"), r"traffic.t.event: '\ud800' has half of a surrogate pair, which no file can hold"),
    ],
)
def test_what_no_file_can_hold_is_refused_with_its_place(scenario: ms.Scenario, message: str) -> None:
    with pytest.raises(DeclarationError) as raised:
        scenario.to_toml()
    assert str(raised.value).startswith(message)


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("given", [None, 3, b"black-friday"])
def test_what_is_no_path_is_not_loaded(given: Any) -> None:
    with pytest.raises(DeclarationError) as caught:
        ms.load(given)
    assert str(caught.value) == f"load: {given!r} is neither the name of an example nor the path of a file"


def test_a_file_is_loaded_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbftitle = 'with a byte order mark'\r\n[queues.q]\r\n")
    assert ms.load(path) == ms.load(str(path)) == ms.Scenario(title="with a byte order mark", queues={"q": ms.Queue()})


def test_traces_are_read_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "load.csv").write_text("timestamp,value,when,n\n0,6,0,1\n60,12,60,2\n")
    path = tmp_path / "mine.toml"
    path.write_text("""
        [queues.q]
        [traffic.a]
        to = "q"
        rate = {type = "trace", file = "load.csv"}
        [traffic.b]
        to = "q"
        rate = [1, {type = "trace", file = "load.csv", time = "when", count = "n", repeat = true, scale = 2}]
    """)
    scenario = ms.load(path)
    whole = ms.Trace([6, 12], 60, start="0", name="load")
    assert scenario.traffic["a"].rate == whole
    assert scenario.traffic["b"].rate == Sum([1, ms.Trace([2, 4], 60, start="0", repeat=True, name="load")])
    assert ms.Scenario.from_toml(scenario.to_toml()) == scenario


@pytest.mark.parametrize(
    ("rate", "message"),
    [
        ('file = "nope.csv"', "traffic.a.rate.file: nope.csv: cannot be read: No such file or directory"),
        ('file = "nope.csv", counts = [1]', "traffic.a.rate.counts: no field named 'counts'; did you mean 'count'?"),
        ('file = ""', "traffic.a.rate.file: must not be empty"),
        ('file = "x", scale = -1', "traffic.a.rate.scale: -1 is not allowed; allowed: 0 or more"),
        ("counts = [1, -1], width = 60", "traffic.a.rate.counts.1: -1.0 is not allowed"),
        (f"counts = [1{'0' * 400}], width = 60", "traffic.a.rate.counts.0: inf is not allowed; allowed: 0 or more"),
    ],
)
def test_a_bad_trace_is_refused_with_its_place(rate: str, message: str) -> None:
    source = f'[queues.q]\n[traffic.a]\nto = "q"\nrate = {{type = "trace", {rate}}}'
    with pytest.raises(DeclarationError) as raised:
        ms.Scenario.from_toml(source)
    assert str(raised.value).startswith(message)


def write(content: bytes) -> Callable[[Path], str]:
    def make(folder: Path) -> str:
        (folder / "bad.toml").write_bytes(content)
        return str(folder / "bad.toml")

    return make


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: str(folder / "nope.toml"), "nope.toml: there is no such file"),
        (lambda folder: str(folder / "nope"), "nope: there is no such file"),
        (str, ": cannot be read: Is a directory"),
        (lambda _: "a\0b.toml", "cannot be read: embedded null byte"),
        (write(b"\xff\xfe\x00"), "bad.toml: is not a text file: it has bytes that are not UTF-8"),
        (write(b"a = [1,\n  oops]"), "bad.toml: not TOML: Invalid value (at line 2, column 3)"),
        (write(b"a = 1\na = 2\n"), "bad.toml: not TOML: Cannot overwrite a value (at line 2, column 6)"),
        (write(b"a = " + b"[" * 100_000), "bad.toml: not TOML that can be read: nested too deeply"),
        (write(b"a = " + b"1" * 5000), "bad.toml: not TOML that can be read: a number has too many digits"),
        (write(b"[traffic.t.attributes]\n" + b"a." * 5000 + b"a = 1"), "bad.toml: nested too deeply"),
    ],
)
def test_a_file_that_is_no_scenario_is_refused_with_its_path(
    make: Callable[[Path], str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(DeclarationError) as raised:
        ms.load(make(tmp_path))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_far_too_large_is_not_held_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.toml"
    with path.open("wb") as stream:
        stream.truncate(files.SIZE_LIMIT + 1)
    with pytest.raises(DeclarationError, match="larger than 67,108,864 bytes; not a scenario"):
        ms.load(path)


def test_a_name_that_is_neither_example_nor_file_is_unknown() -> None:
    with pytest.raises(
        UnknownName, match=r"no example or file named 'black-fryday'; did you mean 'black-friday'.*month-end"
    ):
        ms.load("black-fryday")
    with pytest.raises(UnknownName, match="no example named 'x'"):
        files.example("x")


def test_a_text_is_needed() -> None:
    with pytest.raises(DeclarationError, match="b'' is not a text"):
        ms.Scenario.from_toml(b"")  # type: ignore[arg-type]


# ---------------------------------------------------------------- values in texts


BASE = ms.Scenario(
    topics={"orders": ms.Topic(subscriptions=[ms.Subscription(endpoint="emails", filter_policy={"kind": ["a"]})])},
    queues={"emails": ms.Queue(), "dead": ms.Queue()},
    outboxes={"ses": ms.Outbox()},
    traffic={
        "shop": ms.Traffic(
            to="orders", rate=ms.Constant(2) + ms.Spike(600, 400, 120), attributes={"kind": "a", "deep": ["x", 1]}
        )
    },
    workers={
        "mailers": ms.Workers(
            queue="emails",
            count=ms.Steps([(0, 1), (60, 2)]),
            service_time=ms.Mixture([(1, 0.5), (2, ms.Exponential(1))]),
            on_success=[ms.SendEmail("ses"), ms.SendMessage("dead")],
        )
    },
)


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("title", "2026", "2026"),
        ("title", "'quoted'", "quoted"),
        ("title", "", ""),
        ("horizon", "90", 90.0),
        ("queues.emails.redrive", '{to="dead", max_receive_count=3}', ms.Redrive(to="dead", max_receive_count=3)),
        ("queues.emails", "{delay=5}", ms.Queue(delay=5)),
        ("traffic.shop.rate.1.height", "500", 500.0),
        ("traffic.shop.rate.1", '{type="ramp", start=0, end=9, from_rate=1, to_rate=2}', ms.Ramp(0, 9, 1, 2)),
        ("traffic.shop.rate.0", "7", ms.Constant(7)),
        ("traffic.shop.rate", "[1, 2]", Sum([1, 2])),
        ("traffic.shop.attributes.kind", "2026-01-01", "2026-01-01"),
        ("traffic.shop.attributes.new", "[1, 'b']", [1, "b"]),
        ("traffic.shop.attributes.deep.1", "2", 2),
        ("traffic.shop.to", "emails", "emails"),
        ("topics.orders.subscriptions.0.filter_policy", "{kind=['b']}", {"kind": ["b"]}),
        ("topics.orders.subscriptions.0.filter_policy.kind", '["b"]', ["b"]),
        ("topics.orders.subscriptions.0.filter_policy.kind.0", "b", "b"),
        ("topics.orders.subscriptions.0.raw", "true", True),
        ("workers.mailers.count", "12", 12),
        ("workers.mailers.count.steps.1.1", "3", 3.0),
        ("workers.mailers.service_time", '{type="fixed", value=1}', ms.Fixed(1)),
        ("workers.mailers.service_time.components.1.1", "3", ms.Fixed(3)),
        ("workers.mailers.service_time.components.1.1.mean", "3", 3.0),
        ("workers.mailers.service_time.components.1.0", "3", 3.0),
        ("workers.mailers.on_refusal", '{type="retry", attempts=2}', ms.Retry(2)),
        ("workers.mailers.on_success.0.to", "ann@example.com", ("ann@example.com",)),
        ("workers.mailers.on_success.0.to", "['a', 'b']", ("a", "b")),
        ("workers.mailers.on_success.0.to.0", "5", "5"),
        ("workers.mailers.on_success.1", '{type="send-email", outbox="ses"}', ms.SendEmail("ses")),
    ],
)
def test_a_text_becomes_what_its_place_holds(path: str, text: str, value: Any) -> None:
    def follow(owner: Any, steps: list[str]) -> Any:
        for step in steps:
            if isinstance(owner, Sum):
                owner = owner.terms
            if isinstance(owner, (list, tuple)):
                owner = owner[int(step)]
            else:
                owner = owner[step] if isinstance(owner, dict) else getattr(owner, step)
        return owner

    found = follow(files.vary_text(BASE, path, text), path.split("."))
    assert found == value
    assert isinstance(found, type(value))


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("workers.mailers.count", "0", "workers.mailers.count: 0 is not allowed; allowed: 1 to 10000000, or a curve"),
        ("workers.mailers.cuont", "1", "no field of workers.mailers named 'cuont'; did you mean 'count'?"),
        ("workers.nobody.count", "1", "no workers entry named 'nobody'"),
        ("traffic.shop.rate.7.height", "1", "traffic.shop.rate has the positions 0 to 1"),
        ("traffic.shop.rate.1.height", "abc", "traffic.shop.rate.1.height: 'abc' is not a number"),
        ("traffic.shop.rate.1.height", "-1", "traffic.shop.rate.1.height: -1.0 is not allowed"),
        ("traffic.shop.rate", "-1", "traffic.shop.rate: -1 is not allowed"),
        ("traffic.shop.rate", "[1, {type='spike'}]", "traffic.shop.rate.1.at: is missing, and has no default"),
        ("traffic.shop.attributes", "{a=2026-01-01}", "traffic.shop.attributes.a: 2026-01-01 is a date or time"),
        ("traffic.shop.process", "weekly", "traffic.shop.process: 'weekly' is not allowed; allowed: poisson, regular"),
        ("workers.mailers.service_time", "{type=", "workers.mailers.service_time: '{type=' is not a TOML value"),
        (
            "workers.mailers.service_time",
            "soon",
            "workers.mailers.service_time: 'soon' is not a distribution; allowed: a number",
        ),
        ("workers.mailers.service_time", "true", "workers.mailers.service_time: True is not a distribution"),
        ("workers.mailers.on_success", "[1]", "workers.mailers.on_success.0: 1 is not an action; allowed: a table"),
        ("workers.mailers.queue", "emial", "workers.mailers.queue: no queue named 'emial'; did you mean 'emails'?"),
        ("workers.mailers.queue.x", "1", "workers.mailers.queue is 'emails'; it has nothing named 'x'"),
        ("horizon", "1\nseed = 2", "horizon: '1\\nseed = 2' is not a number"),
        ("", "1", "no field of the scenario named ''"),
    ],
)
def test_a_text_that_does_not_fit_is_refused_with_its_path(path: str, text: str, message: str) -> None:
    with pytest.raises((DeclarationError, UnknownName)) as raised:
        files.vary_text(BASE, path, text)
    assert str(raised.value).startswith(message)
