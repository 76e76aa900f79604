"""What workers do with a handled message: emails, publications, messages, joins; and what cannot be declared."""

from collections.abc import Callable
from typing import Any

import pytest

import msgsim as ms
from msgsim.bus.message import Message, id_base
from msgsim.engine.actions import ACTIONS, MAX_PARTS, Action, Filled, JoinState, JoinStep, filled
from msgsim.errors import DeclarationError


def scenario(*on_success: Action, **pool: Any) -> ms.Scenario:
    """A message about every 10 s, the first at 5; handled in 1 s."""
    topic = ms.Topic(
        subscriptions=(
            ms.Subscription(endpoint="next", raw=True),
            ms.Subscription(endpoint="odd", filter_policy={"kind": ["odd"]}),
        )
    )
    return ms.Scenario(
        queues={"q": ms.Queue(), "next": ms.Queue(), "odd": ms.Queue(), "late": ms.Queue(delay=100)},
        topics={"news": topic},
        outboxes={"ses": ms.Outbox()},
        traffic={"t": ms.Traffic(to="q", rate=0.1, process="regular", body="order {n}", attributes={"kind": "a"})},
        workers={"w": ms.Workers(**{"queue": "q", "count": 1, "service_time": 1.0, "on_success": on_success, **pool})},
    )


def after(seconds: float, *on_success: Action, **pool: Any) -> ms.Simulation:
    simulation = ms.Simulation(scenario(*on_success, **pool), seed=1)
    simulation.run(seconds)
    return simulation


def contents(simulation: ms.Simulation, queue: str) -> list[tuple[str, dict[str, Any]]]:
    got = simulation.queues[queue].receive(simulation.now, 10)
    return [(delivery.body, dict(delivery.attributes)) for delivery in got]


# ---------------------------------------------------------------- emails


def test_an_email_is_a_template_of_the_message() -> None:
    simulation = after(
        20,
        ms.SendEmail(
            "ses",
            to=["c{n}@example.com", "{attributes[kind]}@example.com"],
            subject="About {body}",
            body="{elapsed:.0f} s ago; {now:.0f}; {attributes[missing]}; due {date:+3d}; {{n}}",
            cc="cc{n}@example.com",
            bcc=["bcc@example.com"],
        ),
    )
    first, second = simulation.outboxes["ses"].sent
    assert first.email == ms.Email(
        to=("c1@example.com", "a@example.com"),
        subject="About order 1",
        body="1 s ago; 6; ; due Sun, 04 Jan 2026; {n}",
        cc=("cc1@example.com",),
        bcc=("bcc@example.com",),
    )
    assert second.email.to == ("c2@example.com", "a@example.com")
    assert (simulation.outboxes["ses"].accepted, simulation.outboxes["ses"].delivered) == (2, 8)


def test_an_email_has_defaults_and_one_recipient_may_be_a_text() -> None:
    simulation = after(10, ms.SendEmail("ses"), ms.SendEmail("ses", to="a@example.com"))
    usual, other = (sent.email for sent in simulation.outboxes["ses"].sent)
    assert usual == ms.Email(to=("customer-1@example.com",), subject="Message 1", body="order 1")
    assert other.to == ("a@example.com",)


def test_emails_count_their_time_from_the_traffic_event() -> None:
    simulation = after(100, ms.SendEmail("ses"), service_time=2.5)
    assert list(simulation.result().samples("ses", "end_to_end_time")) == [2.5] * 10


# ---------------------------------------------------------------- publications and messages


def test_a_publication_passes_the_message_on_or_says_something_of_its_own() -> None:
    simulation = after(
        10,
        ms.Publish("news"),
        ms.Publish("news", body="news of {body}"),
        ms.Publish("news", body="plain", attributes={"kind": "odd", "level": 3}, subject="Hello"),
        ms.Publish("news", attributes={}),
    )
    assert contents(simulation, "next") == [
        ("order 1", {"kind": "a"}),
        ("news of order 1", {"kind": "a"}),
        ("plain", {"kind": "odd", "level": 3}),
        ("order 1", {}),
    ]
    ((envelope, _),) = contents(simulation, "odd")
    assert '"Subject": "Hello"' in envelope
    assert '"Message": "plain"' in envelope
    assert (simulation.topics["news"].published, simulation.topics["news"].filtered_out) == (4, 3)


def test_a_message_is_passed_on_or_says_something_of_its_own() -> None:
    simulation = after(
        10,
        ms.SendMessage("next"),
        ms.SendMessage("next", body="after {body}", attributes={"kind": "b"}),
        ms.SendMessage("next", delay=3.0),
        ms.SendMessage("late"),
        ms.SendMessage("late", body="at once", delay=0),
    )
    assert contents(simulation, "next") == [
        ("order 1", {"kind": "a"}),
        ("after order 1", {"kind": "b"}),
        ("order 1", {"kind": "a"}),  # sent at 6
    ]
    assert contents(simulation, "late") == [("at once", {"kind": "a"})]
    assert simulation.queues["late"].counts(10.0) == (0, 1, 1)


def test_a_delay_of_its_own_hides_the_message() -> None:
    simulation = after(8, ms.SendMessage("next", delay=3.0))
    assert simulation.queues["next"].counts(8.0) == (0, 0, 1)
    simulation.run(9.0)
    assert simulation.queues["next"].counts(9.0) == (1, 0, 0)


def test_everything_has_the_traffic_event_for_its_origin() -> None:
    simulation = after(20, ms.SendMessage("next"), ms.Publish("news"), ms.SendMessage("late", delay=1))
    origins = [
        (delivery.origin_id, delivery.origin_at)
        for queue in ("next", "late")
        for delivery in simulation.queues[queue].receive(20.0, 10)
    ]
    first, second = (id_base("q") + 1, 5.0), (id_base("q") + 2, 15.0)
    assert origins == [first, first, second, second, first, second]


def test_a_body_is_built_when_it_is_read_and_a_chain_of_them_is_not_kept() -> None:
    template = ms.Simulation(scenario(ms.SendMessage("next", body="x{body}")))._workers["w"].steps[0]._content  # type: ignore[attr-defined]
    assert filled("plain", message("a"), 1.0) == "plain"
    first = message("a")
    second = message(filled(template, first, 1.0))
    assert isinstance(second.content, Filled)
    assert second.body == "xa"
    third = message(filled(template, second, 2.0))
    assert third.content == "xxa"  # it does not keep the other two


def message(content: Any, *, number: int = 1, origin: int | None = None, at: float = 0.0) -> Message:
    made = Message()
    made.content = content
    made.attributes = None
    made.number = number
    made.origin = origin
    made.origin_at = made.arrived_at = at
    return made


# ---------------------------------------------------------------- joins


def joined(
    then: Any = None, *, a: dict[str, Any] | None = None, b: dict[str, Any] | None = None, **changes: Any
) -> ms.Scenario:
    """Each event goes to two pools; `a` takes 1 s, `b` takes 5 s."""
    join = ms.Join("done", parts=["a", "b"], then=[then or ms.SendEmail("ses", subject="{n} is done")])
    sections: dict[str, Any] = {
        "topics": {"t": ms.Topic(subscriptions=tuple(ms.Subscription(endpoint=name) for name in ("qa", "qb")))},
        "queues": {"qa": ms.Queue(visibility_timeout=20), "qb": ms.Queue(visibility_timeout=20)},
        "outboxes": {"ses": ms.Outbox()},
        "traffic": {"s": ms.Traffic(to="t", rate=0.1, process="regular")},
        "workers": {
            "a": ms.Workers(**{"queue": "qa", "count": 1, "service_time": 1.0, "on_success": [join], **(a or {})}),
            "b": ms.Workers(
                **{"queue": "qb", "count": 1, "service_time": 5.0, "on_success": [ms.Join("done")], **(b or {})}
            ),
        },
    }
    return ms.Scenario(**{**sections, **changes})


def test_a_join_acts_when_the_last_part_has_succeeded() -> None:
    simulation = ms.Simulation(joined())
    seen = []
    for until in (6.0, 9.9, 10.0, 16.0, 20.0):
        simulation.run(until)
        run = simulation.result()
        seen.append((run.total("done", "completed"), run.final("done", "open"), run.total("ses", "accepted")))
    assert seen == [(0, 1, 0), (0, 1, 0), (1, 0, 1), (1, 1, 1), (2, 0, 2)]
    assert list(simulation.result().samples("done", "end_to_end_time")) == [5.0, 5.0]
    assert [sent.email.subject for sent in simulation.outboxes["ses"].sent] == ["1 is done", "2 is done"]


def test_parts_may_come_in_any_order() -> None:
    run = ms.simulate(joined(a={"service_time": 9.0}), until=100.0)
    assert list(run.samples("done", "end_to_end_time")) == pytest.approx([9.0] * 9)
    assert run.final("done", "open") == 1  # the last one is done at 104


def test_a_part_that_succeeds_twice_counts_once() -> None:
    """Part `a` takes longer than its visibility timeout: it succeeds again and again, and `b` never does."""
    late = {"service_time": 25.0, "count": 3}
    simulation = ms.Simulation(joined(a=late, b={"failure_rate": 1.0}))
    simulation.run(100.0)
    run = simulation.result()
    assert simulation.queues["qa"].duplicate_work > 3
    assert (run.total("done", "completed"), run.total("ses", "accepted")) == (0, 0)
    assert run.final("done", "open") > 3


def test_duplicates_after_completion_act_no_more() -> None:
    simulation = ms.Simulation(joined(a={"service_time": 25.0, "count": 5}))
    simulation.run(300.0)
    run = simulation.result()
    assert simulation.queues["qa"].duplicate_work > 10
    assert run.total("done", "completed") == run.total("ses", "accepted") > 10
    ids = [sent.origin_id for sent in simulation.outboxes["ses"].sent]
    assert len(set(ids)) == len(ids)


def test_a_refused_join_acts_at_the_next_success() -> None:
    """The bucket holds one email: the second order's is refused at 20, and sent when its delivery comes back at 35."""
    outbox = ms.Outbox(max_send_rate=0.06, burst=1)
    simulation = ms.Simulation(
        joined(
            outboxes={"ses": outbox},
            traffic={"s": ms.Traffic(to="t", rate=ms.Steps([(0, 0.1), (19, 0)]), process="regular")},
        )
    )
    simulation.run(20.0)
    run = simulation.result()
    assert (run.total("done", "completed"), run.final("done", "open"), run.total("b", "failed")) == (1, 1, 1)
    simulation.run(40.0)
    run = simulation.result()
    assert [sent.at for sent in simulation.outboxes["ses"].sent] == [10.0, 40.0]
    assert (run.total("done", "completed"), run.final("done", "open"), run.total("ses", "throttled")) == (2, 0, 1)


def test_events_of_several_sources_are_told_apart() -> None:
    sources = {name: ms.Traffic(to="t", rate=0.1, process="regular") for name in ("s", "u")}
    pools = {name: {"count": 2, "batch_size": 1} for name in ("a", "b")}
    run = ms.simulate(joined(traffic=sources, **pools), until=100.0)
    assert run.total("done", "completed") == 20
    assert run.final("done", "open") == 0


def test_a_join_counts_by_the_event_and_grows_with_its_numbers() -> None:
    state = JoinState("done", 3)
    acted: list[tuple[int, float]] = []
    accept = True

    def act(message: Message, now: float) -> bool:
        acted.append((message.origin_id, now))
        return accept

    state.then([act])
    parts = [JoinStep(state, position) for position in range(3)]
    base, other = id_base("s"), id_base("u")
    for index in (1, 5, 1_000):
        for part in parts[:2]:
            assert part(message("x", number=77, origin=base + index), 1.0)
    assert parts[0](message("x", number=other + 1), 1.0)  # its own origin
    assert (state.opened, state.completed, acted) == (4, 0, [])
    accept = False
    assert not parts[2](message("x", origin=base + 5, at=0.5), 2.0)
    accept = True
    assert parts[0](message("x", origin=base + 5, at=0.5), 3.0)
    assert parts[2](message("x", origin=base + 5), 4.0)
    assert (state.opened, state.completed) == (4, 1)
    assert acted == [(base + 5, 2.0), (base + 5, 3.0)]
    assert list(state.end_to_end) == [2.5]


# ---------------------------------------------------------------- retries


def test_the_waits_of_a_retry_double_up_to_their_cap() -> None:
    retry = ms.Retry(attempts=5, base=0.5, cap=3.0)
    assert [retry.wait(attempt) for attempt in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    assert retry.wait(100_000) == 3.0


# ---------------------------------------------------------------- declarations


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ms.SendEmail(""), "SendEmail.outbox: must not be empty"),
        (lambda: ms.SendEmail("ses", to=3), "SendEmail.to: 3 is not a text"),
        (lambda: ms.SendEmail("ses", to=["a", None]), "SendEmail.to: None is not a text"),
        (
            lambda: ms.SendEmail("ses", subject=None),  # type: ignore[arg-type]
            "SendEmail.subject: None is not a text",
        ),
        (lambda: ms.SendEmail("ses", to=[]), "SendEmail.to: 0 recipients are not allowed; allowed: 1 to 50"),
        (
            lambda: ms.SendEmail("ses", to=["a"] * 49, cc="b", bcc="c"),
            "51 recipients are not allowed; allowed: 1 to 50",
        ),
        (lambda: ms.SendEmail("ses", cc=[3]), "SendEmail.cc: 3 is not a text"),
        (lambda: ms.SendEmail("ses", subject="{nn}"), "SendEmail.subject: no field named '{nn}'"),
        (lambda: ms.SendEmail("ses", body="{"), "SendEmail.body: '{' is not a template"),
        (
            lambda: ms.Publish("t", body=3),  # type: ignore[arg-type]
            "Publish.body: 3 is not a text",
        ),
        (lambda: ms.Publish("t", attributes=["a"]), "Publish.attributes: ['a'] is not a table of attributes"),
        (
            lambda: ms.Publish("t", subject=3),  # type: ignore[arg-type]
            "Publish.subject: 3 is not a text",
        ),
        (lambda: ms.SendMessage("q", body="{x}"), "SendMessage.body: no field named '{x}'"),
        (lambda: ms.SendMessage("q", attributes=3), "SendMessage.attributes: 3 is not a table of attributes"),
        (lambda: ms.SendMessage("q", delay=901), "SendMessage.delay: 901.0 is not allowed; allowed: 0 to 900 [s]"),
        (lambda: ms.Join("j", parts=["a", "a"], then=[ms.SendEmail("o")]), "Join.parts: ['a', 'a'] names a part twice"),
        (lambda: ms.Join("j", parts=["a"]), "Join.then: give both parts and then"),
        (lambda: ms.Join("j", then=[ms.SendEmail("o")]), "Join.then: give both parts and then"),
        (lambda: ms.Join("j", parts=["a"], then=[ms.Join("k")]), "Join.then: a join inside a join"),
        (
            lambda: ms.Join("j", parts=[3]),  # type: ignore[list-item]
            "Join.parts.0: 3 is not the name of a pool",
        ),
        (
            lambda: ms.Join("j", parts=[f"p{n}" for n in range(MAX_PARTS + 1)], then=[ms.SendEmail("o")]),
            "Join.parts: 32 parts are too many; allowed: 31",
        ),
        (lambda: ms.Retry(attempts=0), "Retry.attempts: 0 is not allowed; allowed: 1 or more"),
        (lambda: ms.Retry(attempts=1, base=0), "Retry.base: 0.0 is not allowed; allowed: more than 0"),
        (lambda: ms.Retry(attempts=1, cap=0), "Retry.cap: 0.0 is not allowed; allowed: more than 0"),
    ],
)
def test_actions_that_cannot_be(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        make()
    assert words in str(caught.value)


@pytest.mark.rule("SES-SND-3")
@pytest.mark.parametrize("field", ["to", "cc", "bcc", "subject", "list_unsubscribe"])
@pytest.mark.parametrize("given", ["a@x.org\nBcc: b@x.org", "{n}\r@x.org", "a\0@x.org", "a@x.org\u2028"])
def test_no_part_of_a_header_of_an_email_begins_another_one(field: str, given: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        ms.SendEmail("ses", **{field: given})
    problem = f"{given!r} has a line break or control character; allowed: one line of text"
    assert str(caught.value) == f"SendEmail.{field}: {problem}"


def test_actions_keep_their_own_copies() -> None:
    attributes = {"kind": "a"}
    action = ms.Publish("t", attributes=attributes)
    attributes["kind"] = "b"
    assert action.attributes == {"kind": "a"}
    assert ms.SendEmail("ses", to=["a", "b"]).to == ("a", "b")


def test_every_action_has_a_tag() -> None:
    assert set(ACTIONS.values()) == {ms.SendEmail, ms.Publish, ms.SendMessage, ms.PutSuppressedDestination, ms.Join}
    assert all(issubclass(action, Action) for action in ACTIONS.values())


@pytest.mark.parametrize("on_refusal", ["return", ms.Retry(20, base=1, cap=2)], ids=["return", "retry"])
def test_a_join_goes_on_with_the_action_that_was_refused(on_refusal: Any) -> None:
    """Customers are mailed once, however often the warehouse's account throttles."""
    mails = [ms.SendEmail("customers"), ms.SendEmail("warehouse")]
    scenario = ms.Scenario(
        queues={"q": ms.Queue(visibility_timeout=30)},
        outboxes={"customers": ms.Outbox(), "warehouse": ms.Outbox(max_send_rate=0.1, burst=1)},
        workers={
            "w": ms.Workers(
                queue="q",
                count=1,
                batch_size=1,
                service_time=1,
                on_refusal=on_refusal,
                on_success=[ms.Join("done", parts=["w"], then=mails)],
            )
        },
    )
    simulation = ms.Simulation(scenario)
    for body in ("first", "second"):
        simulation.queues["q"].send(body, 0)
    simulation.run(100)
    run = simulation.result()
    assert [run.total(name, "accepted") for name in ("customers", "warehouse")] == [2, 2]
    assert run.total("done", "completed") == 2
    assert run.total("warehouse", "throttled") > 0
