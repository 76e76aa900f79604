import pickle
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import msgsim as ms
from msgsim.engine.curves import Sum
from msgsim.errors import DeclarationError, UnknownName
from msgsim.scenario import SECTIONS


def workers(queue: str = "emails", **settings: Any) -> ms.Workers:
    return ms.Workers(queue=queue, **({"count": 1, "service_time": 0.5} | settings))


def of(settings: dict[str, Any]) -> ms.Scenario:
    return ms.Scenario(**settings)


def orders(**changes: Any) -> ms.Scenario:
    settings: dict[str, Any] = {
        "topics": {
            "orders": ms.Topic(
                subscriptions=(
                    ms.Subscription(endpoint="emails", filter_policy={"kind": ["placed"]}),
                    ms.Subscription(endpoint="audit", raw=True),
                )
            )
        },
        "queues": {
            "emails": ms.Queue(visibility_timeout=60, redrive=ms.Redrive(to="emails-dlq", max_receive_count=3)),
            "emails-dlq": ms.Queue(),
            "audit": ms.Queue(),
        },
        "outboxes": {"ses": ms.Outbox(max_send_rate=500)},
        "traffic": {
            "checkout": ms.Traffic(
                to="orders",
                rate=ms.Constant(200) + ms.Spike(at=600, height=400, hold=120),
                attributes={"kind": "placed", "tags": ["a", "b"]},
            )
        },
        "workers": {
            "mailers": workers(
                count=6, service_time=ms.LogNormal(mean=0.25, cv=0.8), on_success=[ms.SendEmail(outbox="ses")]
            ),
            "archivers": workers("audit", count=4),
        },
    }
    return of(settings | changes)


def refusal(**changes: Any) -> DeclarationError:
    """The error of a scenario that cannot be; one line, whatever is wrong."""
    with pytest.raises(DeclarationError) as caught:
        orders(**changes)
    assert "\n" not in str(caught.value)
    return caught.value


# ---------------------------------------------------------------- names


MEMBERS: dict[str, Any] = {
    "topics": ms.Topic(),
    "queues": ms.Queue(),
    "outboxes": ms.Outbox(),
    "traffic": ms.Traffic(to="q", rate=1),
    "workers": workers("q"),
}


@pytest.mark.parametrize(
    ("first", "second"), [(a, b) for place, a in enumerate(MEMBERS) for b in list(MEMBERS)[place + 1 :]]
)
def test_a_name_may_be_used_once_over_all_kinds(first: str, second: str) -> None:
    sections: dict[str, Any] = {"queues": {"q": ms.Queue()}}
    for section in (first, second):
        sections[section] = sections.get(section, {}) | {"x": MEMBERS[section]}
    with pytest.raises(DeclarationError) as caught:
        of(sections)
    assert str(caught.value) == f"{second}.x: {first}.x has that name already; names are unique over all"


@pytest.mark.parametrize("section", MEMBERS)
@pytest.mark.parametrize("name", ["", "a.b", "a/b", "a b", "é", "a\n", "x" * 81, "q.fifo", 5, None])
def test_names_have_letters_digits_dashes_and_underscores(section: str, name: Any) -> None:
    with pytest.raises(DeclarationError) as caught:
        of({section: {name: MEMBERS[section]}})
    assert str(caught.value) == (
        f"{section}: {name!r} is not a name; allowed: 1 to 80 letters, digits, '-' and '_' (SQS-Q-1)"
    )


@given(st.from_regex(r"\A[A-Za-z0-9_-]{1,80}\Z"))
def test_every_other_name_is_allowed(name: str) -> None:
    assert ms.Scenario(queues={name: ms.Queue()}).entities() == {name: "queue"}


@pytest.mark.parametrize("section", MEMBERS)
def test_members_are_declarations_of_their_kind(section: str) -> None:
    kind = SECTIONS[section].__name__
    with pytest.raises(DeclarationError, match=rf"^{section}\.x: 5 is not a {kind}$"):
        of({section: {"x": 5}})
    with pytest.raises(DeclarationError, match=rf"^{section}: \[5\] is not a table of names and {kind}$"):
        of({section: [5]})


def test_the_scenario_keeps_its_own_tables() -> None:
    queues = {"q": ms.Queue()}
    scenario = ms.Scenario(queues=queues)
    queues["z"] = ms.Queue()
    assert list(scenario.queues) == ["q"]


@pytest.mark.parametrize("horizon", [0, -1, float("inf"), float("nan"), "1h", True])
def test_the_horizon_is_a_positive_time(horizon: Any) -> None:
    assert refusal(horizon=horizon).path == "Scenario.horizon"


# ---------------------------------------------------------------- references


def send_to(queue: str) -> ms.SendMessage:
    return ms.SendMessage(queue)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"workers": {"mailers": workers("emial")}},
            "workers.mailers.queue: no queue named 'emial'; did you mean 'emails'? declared: audit, emails, emails-dlq",
        ),
        (
            {"topics": {"orders": ms.Topic(subscriptions=(ms.Subscription(endpoint="audits"),))}},
            (
                "topics.orders.subscriptions.0.endpoint: no queue named 'audits'; did you mean 'audit'? "
                "declared: audit, emails, emails-dlq"
            ),
        ),
        (
            {"queues": {"emails": ms.Queue(redrive=ms.Redrive(to="dead", max_receive_count=1)), "audit": ms.Queue()}},
            "queues.emails.redrive.to: no queue named 'dead'; declared: audit, emails",
        ),
        (
            {"traffic": {"checkout": ms.Traffic(to="order", rate=1)}},
            (
                "traffic.checkout.to: no topic or queue named 'order'; did you mean 'orders'? "
                "declared: audit, emails, emails-dlq, orders"
            ),
        ),
        (
            {"traffic": {"checkout": ms.Traffic(to="audit", rate=1, subject="Hello")}},
            "traffic.checkout.subject: 'audit' is a queue; it takes no subject",
        ),
        (
            {"workers": {"m": workers(on_success=[send_to("audit"), ms.SendEmail("sess")])}},
            "workers.m.on_success.1.outbox: no outbox named 'sess'; did you mean 'ses'? declared: ses",
        ),
        (
            {"outboxes": {}},
            "workers.mailers.on_success.0.outbox: no outbox named 'ses'; declared: none",
        ),
        (
            {"workers": {"m": workers(on_success=[ms.Publish("order")])}},
            "workers.m.on_success.0.topic: no topic named 'order'; did you mean 'orders'? declared: orders",
        ),
        (
            {"workers": {"m": workers(on_success=[send_to("x")])}},
            "workers.m.on_success.0.queue: no queue named 'x'; declared: audit, emails, emails-dlq",
        ),
        (
            {"workers": {"m": workers(on_success=[ms.Join("j", parts=["m", "mm"], then=[send_to("audit")])])}},
            "workers.m.on_success.0.parts.1: no worker pool named 'mm'; did you mean 'm'? declared: m",
        ),
        (
            {"workers": {"m": workers(on_success=[ms.Join("j", parts=["m"], then=[send_to("x")])])}},
            "workers.m.on_success.0.then.0.queue: no queue named 'x'; declared: audit, emails, emails-dlq",
        ),
    ],
)
def test_a_name_that_is_not_there_is_reported_with_its_path(changes: dict[str, Any], message: str) -> None:
    assert str(refusal(**changes)) == message


def test_traffic_goes_to_topics_and_queues_and_addresses_are_free() -> None:
    subscriptions = (ms.Subscription(endpoint="ops@example.com", protocol="email"),)
    scenario = ms.Scenario(
        topics={"t": ms.Topic(subscriptions=subscriptions)},
        queues={"q": ms.Queue()},
        traffic={"a": ms.Traffic(to="t", rate=1, subject="Hello"), "b": ms.Traffic(to="q", rate=1)},
    )
    assert list(scenario.entities()) == ["a", "b", "t", "t/ops@example.com", "q"]


# ---------------------------------------------------------------- dead-letter circles


def redrives(**targets: str) -> ms.Scenario:
    """Queues by name; `z=""` has no dead-letter queue."""
    return ms.Scenario(
        queues={
            name: ms.Queue(redrive=ms.Redrive(to=target, max_receive_count=1) if target else None)
            for name, target in targets.items()
        }
    )


@pytest.mark.parametrize(
    ("targets", "path", "circle"),
    [
        ({"a": "a"}, "queues.a.redrive.to", "a -> a"),
        ({"a": "b", "b": "a"}, "queues.a.redrive.to", "a -> b -> a"),
        ({"a": "b", "b": "c", "c": "a"}, "queues.a.redrive.to", "a -> b -> c -> a"),
        ({"tail": "a", "a": "b", "b": "a"}, "queues.a.redrive.to", "a -> b -> a"),
        ({"long": "tail", "tail": "a", "a": "a"}, "queues.a.redrive.to", "a -> a"),
        ({"x": "", "tail": "b", "a": "b", "b": "a"}, "queues.a.redrive.to", "a -> b -> a"),
    ],
)
def test_dead_letters_may_not_go_in_a_circle(targets: dict[str, str], path: str, circle: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        redrives(**targets)
    assert str(caught.value) == f"{path}: dead letters would go in a circle: {circle}"


def test_dead_letters_may_go_down_a_chain_and_meet() -> None:
    scenario = redrives(a="c", b="c", c="d", d="")
    assert list(scenario.queues) == ["a", "b", "c", "d"]


# ---------------------------------------------------------------- joins


DONE = ms.Join("done", parts=["a", "b"], then=[send_to("out")])


def joined(a: list[Any], b: list[Any], c: list[Any] | None = None) -> ms.Scenario:
    pools = {"a": workers("q", on_success=a), "b": workers("r", on_success=b)}
    if c is not None:
        pools["c"] = workers("out", on_success=c)
    return ms.Scenario(queues=dict.fromkeys(("q", "r", "out"), ms.Queue()), workers=pools)


def test_one_pool_or_each_may_say_what_a_join_is() -> None:
    for scenario in (joined([DONE], [ms.Join("done")]), joined([ms.Join("done")], [DONE]), joined([DONE], [DONE])):
        assert scenario.joins() == {"done": DONE}
        assert scenario.entities()["done"] == "join"


PARTS = "the parts of join 'done' are a, b; it stands in on_success of"


@pytest.mark.parametrize(
    ("a", "b", "c", "message"),
    [
        (
            [DONE],
            [ms.Join("done", parts=["a", "b"], then=[send_to("q")])],
            None,
            "workers.b.on_success.0: join 'done' is declared differently in another pool",
        ),
        (
            [ms.Join("done")],
            [ms.Join("done")],
            None,
            "workers.a.on_success: no pool says what join 'done' is: give its parts and then once",
        ),
        ([DONE], [], None, f"workers.a.on_success: {PARTS} a: "),
        ([DONE], [ms.Join("done")], [ms.Join("done")], f"workers.c.on_success: {PARTS} a, b, c: "),
        ([DONE], [ms.Join("done"), ms.Join("done")], None, f"workers.a.on_success: {PARTS} a, b, b: "),
        (
            [ms.Join("q", parts=["a"], then=[send_to("out")])],
            [],
            None,
            "workers.a.on_success.0.name: queues.q has that name already; names are unique over all",
        ),
        (
            [],
            [send_to("out"), ms.Join("b", parts=["b"], then=[send_to("out")])],
            None,
            "workers.b.on_success.1.name: workers.b has that name already; names are unique over all",
        ),
        (
            [ms.Join("a/b", parts=["a"], then=[send_to("out")])],
            [],
            None,
            "workers.a.on_success.0.name: 'a/b' is not a name; allowed: 1 to 80 letters, digits, '-' and '_'",
        ),
    ],
)
def test_joins_that_do_not_fit_together_are_refused(a: list[Any], b: list[Any], c: Any, message: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        joined(a, b, c)
    assert str(caught.value).startswith(message)


# ---------------------------------------------------------------- entities


def test_entities_are_in_the_order_of_a_report() -> None:
    scenario = orders(
        workers={
            "mailers": workers(on_success=[ms.Join("both", parts=["mailers", "archivers"], then=[send_to("audit")])]),
            "archivers": workers("audit", on_success=[ms.Join("both")]),
        }
    )
    assert list(scenario.entities().items()) == [
        ("checkout", "traffic"),
        ("orders", "topic"),
        ("orders/emails", "subscription"),
        ("orders/audit", "subscription"),
        ("emails", "queue"),
        ("emails-dlq", "queue"),
        ("audit", "queue"),
        ("mailers", "pool"),
        ("archivers", "pool"),
        ("both", "join"),
        ("ses", "outbox"),
    ]


# ---------------------------------------------------------------- vary


def at(scenario: Any, path: str) -> Any:
    """What stands at a path, found without the code under test."""
    for step in path.split("."):
        if isinstance(scenario, Sum):
            scenario = scenario.terms
        if isinstance(scenario, dict):
            scenario = scenario[step]
        elif isinstance(scenario, (list, tuple)):
            scenario = scenario[int(step)]
        else:
            scenario = getattr(scenario, step)
    return scenario


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("title", "Orders"),
        ("horizon", 60),
        ("queues.emails.visibility_timeout", 5),
        ("queues.emails.redrive.max_receive_count", 7),
        ("queues.emails.redrive", None),
        ("queues.audit", ms.Queue(delay=4)),
        ("queues", {"emails": ms.Queue(), "audit": ms.Queue()}),
        ("topics.orders.subscriptions.1.raw", False),
        ("topics.orders.subscriptions.0.filter_policy.kind", ["cancelled"]),
        ("topics.orders.subscriptions.0.filter_policy.kind.0", "cancelled"),
        ("topics.orders.subscriptions.0.filter_policy.new", ["x"]),
        ("outboxes.ses.max_send_rate", 3),
        ("traffic.checkout.rate.1.height", 1000),
        ("traffic.checkout.rate.0.rate", 0),
        ("traffic.checkout.rate.1", ms.Constant(5)),
        ("traffic.checkout.attributes.kind", "returned"),
        ("traffic.checkout.attributes.colour", "red"),
        ("traffic.checkout.attributes.tags.1", "c"),
        ("workers.mailers.count", 12),
        ("workers.mailers.service_time.cv", 2),
        ("workers.mailers.on_success.0.subject", "Thanks for {n}"),
        ("workers.mailers.on_success.0.to.0", "someone@example.com"),
    ],
)
def test_vary_changes_what_is_at_the_path_and_nothing_else(path: str, value: Any) -> None:
    scenario, untouched = orders(), orders()
    varied = scenario.vary(path, value)
    assert at(varied, path) == value
    assert scenario == untouched
    assert varied != scenario
    try:
        before = at(scenario, path)
    except KeyError:  # a new key; taking it away again is not a value to set
        return
    assert varied.vary(path, before) == scenario


def test_values_are_converted_as_in_a_declaration() -> None:
    scenario = orders()
    assert scenario.vary("workers.mailers.service_time", 2).workers["mailers"].service_time == ms.Fixed(2)
    assert scenario.vary("traffic.checkout.rate", [1, ms.Ramp(0, 1, 2, 3)]).traffic["checkout"].rate == Sum(
        (ms.Constant(1), ms.Ramp(0, 1, 2, 3))
    )
    assert scenario.vary("traffic.checkout.rate.1", 7).traffic["checkout"].rate == ms.Constant(200) + 7
    shifts = orders(workers={"mailers": workers(count=ms.Steps([(0, 1), (60, 4)]))})
    assert at(shifts.vary("workers.mailers.count.steps.1.1", 9), "workers.mailers.count.steps.1") == (60, 9)


QUEUE_FIELDS = ", ".join(sorted(field.name for field in attrs.fields(ms.Queue)))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "worker.mailers.count",
            (
                "no field of the scenario named 'worker'; did you mean 'workers'? declared: description, epoch, "
                "horizon, outboxes, publish_rate, queues, quotas, region, title, topics, traffic, warm_up, workers"
            ),
        ),
        (
            "queues.email.delay",
            "no queues entry named 'email'; did you mean 'emails'? declared: audit, emails, emails-dlq",
        ),
        ("queues.new", "no queues entry named 'new'; declared: audit, emails, emails-dlq"),
        (
            "queues.emails.delays",
            f"no field of queues.emails named 'delays'; did you mean 'delay'? declared: {QUEUE_FIELDS}",
        ),
        ("queues.emails.", f"no field of queues.emails named ''; declared: {QUEUE_FIELDS}"),
        ("queues.emails.delay.x", "queues.emails.delay is 0.0; it has nothing named 'x'"),
        ("queues.audit.redrive.to", "queues.audit.redrive is None; it has nothing named 'to'"),
        ("traffic.checkout.rate.2.height", "traffic.checkout.rate has the positions 0 to 1; there is no '2'"),
        ("traffic.checkout.rate.terms", "traffic.checkout.rate has the positions 0 to 1; there is no 'terms'"),
        ("traffic.checkout.rate.0.height", "no field of traffic.checkout.rate.0 named 'height'; declared: rate"),
        ("workers.mailers.on_success.-1", "workers.mailers.on_success has the positions 0 to 0; there is no '-1'"),
        ("workers.archivers.on_success.0", "workers.archivers.on_success is empty; there is no '0'"),
        (
            "traffic.checkout.attributes.kid.x",
            "no traffic.checkout.attributes entry named 'kid'; did you mean 'kind'? declared: kind, tags",
        ),
    ],
)
def test_a_path_that_does_not_exist_is_told_what_does(path: str, message: str) -> None:
    with pytest.raises(UnknownName) as caught:
        orders().vary(path, 1)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("queues.emails.delay", 1000, "queues.emails.delay: 1000.0 is not allowed; allowed: 0 to 900 [s] (SQS-DLY-1)"),
        ("horizon", -1, "horizon: -1.0 is not allowed; allowed: more than 0 [s]"),
        (
            "queues.emails.redrive.max_receive_count",
            0,
            "queues.emails.redrive.max_receive_count: 0 is not allowed; allowed: 1 to 1000 [receives] (SQS-DLQ-1)",
        ),
        (
            "traffic.checkout.rate.1.height",
            "high",
            "traffic.checkout.rate.1.height: 'high' is not a number; allowed: 0 ",
        ),
        ("traffic.checkout.rate", -5, "traffic.checkout.rate: -5.0 is not allowed; allowed: 0 or more [1/s]"),
        ("traffic.checkout.rate.1", "high", "traffic.checkout.rate.1: 'high' is not a rate curve"),
        ("workers.mailers.queue", "emial", "workers.mailers.queue: no queue named 'emial'; did you mean 'emails'?"),
        ("workers.mailers.on_success.0.outbox", "x", "workers.mailers.on_success.0.outbox: no outbox named 'x'"),
        ("workers.mailers.on_success.0", 5, "workers.mailers.on_success.0: 5 is not an action"),
        ("queues.audit", 5, "queues.audit: 5 is not a Queue"),
        ("queues.emails.redrive.to", "emails", "queues.emails.redrive.to: dead letters would go in a circle"),
        ("topics", 5, "topics: 5 is not a table of names and Topic"),
        ("workers.mailers.service_time.mean", 0, "workers.mailers.service_time.mean: 0.0 is not allowed"),
        ("workers.mailers.on_success.0.body", "{nn}", "workers.mailers.on_success.0.body: no field named '{nn}'"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_with_its_path(path: str, value: Any, message: str) -> None:
    scenario, untouched = orders(), orders()
    with pytest.raises(DeclarationError) as caught:
        scenario.vary(path, value)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert scenario == untouched


# ---------------------------------------------------------------- as a value


def test_scenarios_are_values() -> None:
    scenario = orders()
    assert scenario == orders()
    assert scenario != orders(title="other")
    assert pickle.loads(pickle.dumps(scenario)) == scenario  # noqa: S301 - our own bytes
    assert ms.Scenario.from_toml(scenario.to_toml()) == scenario
    with pytest.raises(AttributeError):
        scenario.title = "other"  # type: ignore[misc]


def test_a_repr_builds_an_equal_scenario() -> None:
    scenario = orders()
    names = {**vars(ms), "Sum": Sum}
    assert eval(repr(scenario), names) == scenario  # noqa: S307 - our own text


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: workers(service_time=-1), "Workers.service_time: -1.0 is not allowed; allowed: 0 or more [s]"),
        (lambda: ms.Traffic(to="q", rate=-1), "Traffic.rate: -1.0 is not allowed; allowed: 0 or more [1/s]"),
        (lambda: ms.Traffic(to="q", rate=10**400), "Traffic.rate: inf is not allowed; allowed: 0 or more [1/s]"),
        (lambda: ms.Traffic(to="q", rate=[]), "Traffic.rate: [] is neither a number nor a rate curve [1/s]"),
        (lambda: ms.Traffic(to="q", rate=[1, -2]), "Traffic.rate.1: -2.0 is not allowed; allowed: 0 or more [1/s]"),
        (lambda: ms.Traffic(to="q", rate=[1, "x"]), "Traffic.rate.1: 'x' is not a rate curve"),
        (lambda: ms.Traffic(to="q", rate=1, groups=0), "Traffic.groups: 0 is not allowed; allowed: 1 or more [groups]"),
        (lambda: ms.Outbox(delivery_delay=-1), "Outbox.delivery_delay: -1.0 is not allowed; allowed: 0 or more [s]"),
        (lambda: ms.Outbox(complaint_delay=-1), "Outbox.complaint_delay: -1.0 is not allowed; allowed: 0 or more [s]"),
        (
            lambda: ms.Subscription(endpoint="q", delivery_delay=-1),
            "Subscription.delivery_delay: -1.0 is not allowed; allowed: 0 or more [s]",
        ),
        (lambda: ms.Mixture([(1, -1)]), "Mixture.components.0.1: -1.0 is not allowed; allowed: 0 or more [s]"),
        (
            lambda: workers(on_refusal=np.array([1, 2])),
            'Workers.on_refusal: array([1, 2]) is neither "return" nor a Retry',
        ),
        (
            lambda: orders().vary("workers.mailers.service_time", -1),
            "workers.mailers.service_time: -1.0 is not allowed",
        ),
        (lambda: orders().vary(3, 1), "path: 3 is not a text such as workers.mailers.count"),
    ],
)
def test_a_value_is_refused_under_the_path_that_it_was_given_for(make: Any, problem: str) -> None:
    with pytest.raises(DeclarationError) as raised:
        make()
    assert str(raised.value).startswith(problem)


def test_numbers_of_numpy_are_as_good_as_pythons() -> None:
    for count in np.arange(1, 3):
        varied = orders().vary("workers.mailers.count", count).vary("traffic.checkout.rate", count)
        same = orders().vary("workers.mailers.count", int(count)).vary("traffic.checkout.rate", float(count))
        assert varied == same
        assert varied.to_toml() == same.to_toml()


def test_the_mappings_of_a_scenario_cannot_be_changed() -> None:
    scenario = orders()
    policy = scenario.topics["orders"].subscriptions[0].filter_policy
    for mapping in (scenario.workers, scenario.traffic["checkout"].attributes, policy):
        with pytest.raises(TypeError, match="a declaration does not change"):
            mapping["w"] = 1  # type: ignore[index]
    assert pickle.loads(pickle.dumps(scenario)) == scenario  # noqa: S301 - our own bytes
    assert attrs.evolve(scenario, title="x").workers == scenario.workers


def test_every_time_of_a_run_has_a_date() -> None:
    assert ms.Scenario(epoch=253_402_297_199).epoch == 253_402_297_199
    with pytest.raises(DeclarationError) as raised:
        ms.Scenario(epoch=253_402_297_200)
    assert str(raised.value) == (
        "Scenario.epoch: 253402297200.0 is not allowed; allowed: 0 to 253402297199 [s since 1970] "
        "(with the horizon up to the year 9999)"
    )
    with pytest.raises(
        DeclarationError, match=r"^Scenario\.horizon: 1e\+300 is not allowed; allowed: more than 0, up to"
    ):
        ms.Scenario(horizon=1e300)
    with pytest.raises(DeclarationError, match=r"^epoch: 1000000000000 is not allowed"):
        ms.Scenario.from_toml("epoch = 1000000000000")


# ---------------------------------------------------------------- work that would never end


def endless(timeout: float, service_time: Any, redrive: ms.Redrive | None = None, **pool: Any) -> ms.Scenario:
    return ms.Scenario(
        queues={"q": ms.Queue(visibility_timeout=timeout, redrive=redrive), "dead": ms.Queue()},
        outboxes={"ses": ms.Outbox()},
        workers={
            "others": ms.Workers(queue="dead", count=1, service_time=0, failure_rate=1),
            "w": ms.Workers(queue="q", count=1, service_time=service_time, **pool),
        },
    )


POOLS: list[dict[str, Any]] = [
    {},
    {"failure_rate": 0.5},
    {"on_success": [ms.SendEmail("ses")]},
    {"on_success": [ms.Join("all", parts=["w"], then=[ms.SendEmail("ses")])]},
    {"handler": len},
]


@pytest.mark.parametrize("redrive", [None, ms.Redrive(to="dead", max_receive_count=1000)])
@pytest.mark.parametrize("pool", POOLS)
def test_a_message_must_not_be_back_in_the_moment_of_its_handling(
    pool: dict[str, Any], redrive: ms.Redrive | None
) -> None:
    with pytest.raises(DeclarationError) as caught:
        endless(0, 0, redrive, **pool)
    assert str(caught.value) == (
        "queues.q.visibility_timeout: 0.0 is not allowed with the work of 'w', which takes 0 s: a message would be "
        "received again in no time; allowed: together 0.001 [s] or more"
    )
    with pytest.raises(DeclarationError, match=r"^queues\.q\.visibility_timeout: 1e-12 is not allowed"):
        endless(1e-12, ms.Exponential(1e-9), redrive, **pool)
    for allowed in (
        endless(0.001, 0, redrive, **pool),
        endless(0, 0.001, redrive, **pool),
        endless(0.0005, ms.Exponential(0.0005), redrive, **pool),
    ):
        assert allowed.queues["q"].visibility_timeout <= 0.001


def circle(delay: float = 0.0, service_time: float = 0.0, queue_delay: float = 0.0, **pool: Any) -> ms.Scenario:
    return ms.Scenario(
        queues={"a": ms.Queue(), "b": ms.Queue(delay=queue_delay), "c": ms.Queue()},
        workers={
            "in": ms.Workers(queue="c", count=1, service_time=0, on_success=[ms.SendMessage("a")]),
            "x": ms.Workers(queue="a", count=1, service_time=0, on_success=[ms.SendMessage("b")]),
            "y": ms.Workers(
                queue="b",
                count=1,
                service_time=service_time,
                on_success=[ms.Join("all", parts=["y"], then=[ms.SendMessage("a", delay=delay or None)])],
                **pool,
            ),
        },
    )


def test_messages_must_not_go_in_a_circle_in_no_time() -> None:
    with pytest.raises(DeclarationError) as caught:
        circle()
    assert str(caught.value) == (
        "workers.x.on_success.0: messages of 'a' would go in a circle in no time, for ever; allowed: a delay, or work"
    )
    for allowed in (circle(delay=1), circle(service_time=1), circle(queue_delay=1), circle(handler=len)):
        assert len(allowed.queues) == 3


def test_a_change_on_the_way_must_not_make_work_endless_either() -> None:
    simulation = ms.Simulation(endless(30, 0, failure_rate=0.5))
    queue = simulation.queues["q"]
    with pytest.raises(DeclarationError, match=r"^queues\.q\.visibility_timeout: 0\.0 is not allowed with the work"):
        queue.set_attributes(0.0, visibility_timeout=0)
    assert queue.intended.visibility_timeout == 30.0


# ---------------------------------------------------------------- FIFO queues


FIFO = {"f": ms.Queue(fifo=True), "s": ms.Queue()}


def to_fifo(**settings: Any) -> ms.Scenario:
    return ms.Scenario(queues=FIFO, **settings)


def passing(action: Any, queue: str = "s") -> dict[str, ms.Workers]:
    return {"w": ms.Workers(queue=queue, count=1, service_time=1, on_success=[action])}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"topics": {"t": ms.Topic(subscriptions=[ms.Subscription(endpoint="f")])}},
            "topics.t.subscriptions.0.endpoint: 'f': ",
        ),
        (
            {"workers": passing(ms.SendMessage("f", delay=3, group_id="g"))},
            "workers.w.on_success.0.delay: 'f' is a FIFO queue; it takes no delay of a message's own (FIFO-SND-4)",
        ),
        (
            {"workers": passing(ms.SendMessage("s", deduplication_id="{n}"))},
            "workers.w.on_success.0.deduplication_id: 's' is a standard queue; it takes none (SQS-SND-8)",
        ),
        (
            {"traffic": {"x": ms.Traffic(to="f", rate=1)}},
            "traffic.x.groups: is missing; 'f' is a FIFO queue, where each message has a group (FIFO-SND-1)",
        ),
        (
            {"traffic": {"x": ms.Traffic(to="s", rate=1, deduplication_id="{n}")}},
            "traffic.x.deduplication_id: 's' is no FIFO queue; it takes none (SQS-SND-8, SNS-PUB-7)",
        ),
        (
            {"traffic": {"x": ms.Traffic(to="s", rate=1)}, "workers": passing(ms.SendMessage("f"))},
            "workers.w.on_success.0.group_id: is missing; 'f' is a FIFO queue, where each message has a group, and",
        ),
        (
            {
                "traffic": {"x": ms.Traffic(to="s", rate=1)},
                "workers": passing(ms.Join("all", parts=["w"], then=[ms.SendMessage("f")])),
            },
            "workers.w.on_success.0.then.0.group_id: is missing; 'f' is a FIFO queue",
        ),
        (
            {"workers": passing(ms.SendMessage("s", body="x" * 2_000_000))},
            "workers.w.on_success.0.body: ",
        ),
    ],
)
@pytest.mark.rule("FIFO-SND-1")
@pytest.mark.rule("FIFO-SND-4")
def test_what_a_fifo_queue_cannot_get_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        to_fifo(**settings)
    assert str(caught.value).startswith(message)


def test_a_fifo_queue_takes_what_has_a_group() -> None:
    for action in (ms.SendMessage("f", group_id="{n}"), ms.SendMessage("f", group_id="g", deduplication_id="{n}")):
        assert to_fifo(traffic={"x": ms.Traffic(to="s", rate=1)}, workers=passing(action))
    grouped = to_fifo(traffic={"x": ms.Traffic(to="s", rate=1, groups=3)}, workers=passing(ms.SendMessage("f")))
    assert grouped.flows().grouped == {"s", "f"}
