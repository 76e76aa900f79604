from math import inf, isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

import msgsim as ms
from msgsim.errors import DeclarationError, UnknownName
from msgsim.metrics import STATISTICS
from msgsim.study.objectives import OPERATORS, UNITS, Objective, Term, parse

SCENARIO = ms.Scenario(
    topics={
        "orders": ms.Topic(
            subscriptions=[
                ms.Subscription(endpoint="emails"),
                ms.Subscription(endpoint="https://example.com/hook?id=1", protocol="https"),
                ms.Subscription(endpoint="the phone (old)", protocol="lambda"),
            ]
        )
    },
    queues={"emails": ms.Queue()},
    outboxes={"ses": ms.Outbox()},
    traffic={"shop": ms.Traffic(to="orders", rate=1)},
    workers={"mailers": ms.Workers(queue="emails", count=1, service_time=0.1)},
)


def term(op: str = "<", amount: float = 60, unit: str = "", statistic: str = "p99") -> Term:
    return Term(statistic=statistic, entity="emails", metric="waiting_time", op=op, amount=amount, unit=unit)


# ---------------------------------------------------------------- reading


@pytest.mark.parametrize(
    ("expression", "keys", "thresholds"),
    [
        ("p99(emails.waiting_time) < 60", [("emails", "waiting_time.p99")], [60]),
        ("  p99.9 ( emails.waiting_time )>=2min ", [("emails", "waiting_time.p99.9")], [120]),
        ("total(emails.expired) <= 0", [("emails", "expired.total")], [0]),
        ("cost < 500", [("*", "cost_per_month.final")], [500]),
        ("cost_per_month<=1_000 USD", [("*", "cost_per_month.final")], [1000]),
        ("final(ses.cost_per_month) < 3", [("ses", "cost_per_month.final")], [3]),
        ("final(*.cost) < .5e1", [("*", "cost.final")], [5]),
        ("mean(mailers.utilization) < 99.9 %", [("mailers", "utilization.mean")], [0.999]),
        ("max(emails.age_of_oldest_message) < 1.5 h", [("emails", "age_of_oldest_message.max")], [5400]),
        ("max(emails.age_of_oldest_message) < 2 d", [("emails", "age_of_oldest_message.max")], [172_800]),
        ("p50(emails.waiting_time) < 250 ms", [("emails", "waiting_time.p50")], [0.25]),
        (
            "p50(emails.waiting_time)<3and max(emails.visible) > 1 AND\nfinal(emails.visible) > 2.",
            [("emails", "waiting_time.p50"), ("emails", "visible.max"), ("emails", "visible.final")],
            [3, 1, 2],
        ),
        (
            "total(orders/https://example.com/hook?id=1.delivered) > 1",
            [("orders/https://example.com/hook?id=1", "delivered.total")],
            [1],
        ),
        (
            'total("orders/the phone (old)".delivered) > 1',
            [("orders/the phone (old)", "delivered.total")],
            [1],
        ),
    ],
)
def test_an_objective_is_read(expression: str, keys: list[tuple[str, str]], thresholds: list[float]) -> None:
    objective = parse(expression)
    assert objective.keys == keys
    assert [each.threshold for each in objective.terms] == thresholds
    assert parse(str(objective)) == objective
    assert objective.check(SCENARIO) == objective


def test_an_objective_that_is_read_already_stays() -> None:
    objective = parse("cost < 3")
    assert parse(objective) is objective
    assert str(objective) == "final(*.cost_per_month) < 3"


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        (None, "None is not a text such as p99(emails.waiting_time) < 60"),
        (3, "3 is not a text"),
        ("", "is empty; allowed: conditions joined by 'and'"),
        (" \n", "is empty"),
        ("emails.waiting_time < 3", "'.waiting_time < 3' after 'emails' is not what was expected: '(' after 'emails'"),
        ("p99", "the end after 'p99' is not what was expected: '(' after 'p99'"),
        ("(p99(a.b) < 3)", "'(p99(a.b) < 3)' is not what was expected: a condition such as"),
        ("p99((a.b)) < 3", "'(a.b)) < 3' after 'p99(' is not what was expected: ENTITY.METRIC"),
        ("p99(max(a.b)) < 3", "'max(a.b)) < 3' after 'p99(' is not what was expected: ENTITY.METRIC"),
        ("p99(a) < 3", "'a) < 3' after 'p99(' is not what was expected: ENTITY.METRIC, such as emails.waiting_time"),
        ("p99(a.b < 3", "'< 3' after 'p99(a.b' is not what was expected: ')' after ENTITY.METRIC"),
        ("p99(a.b, 3) < 3", "', 3) < 3' after 'p99(a.b' is not what was expected: ')'"),
        ("p99(a.b) == 3", "'== 3' after 'p99(a.b)' is not what was expected: an operator: < <= > >="),
        ("p99(a.b) =< 3", "'=< 3' after 'p99(a.b)' is not what was expected: an operator"),
        ("p99(a.b) ≤ 3", "'≤ 3' after 'p99(a.b)' is not what was expected: an operator"),
        ("p99(a.b) 3", "'3' after 'p99(a.b)' is not what was expected: an operator"),
        ("cost", "the end after 'cost' is not what was expected: an operator"),
        ("p99(a.b) <", "the end after 'p99(a.b) <' is not what was expected: a number, 0 or more"),
        ("p99(a.b) < nan", "'nan' after 'p99(a.b) <' is not what was expected: a number"),
        ("p99(a.b) < inf", "'inf' after 'p99(a.b) <' is not what was expected: a number"),
        ("p99(a.b) < -3", "'-3' after 'p99(a.b) <' is not what was expected: a number"),
        ("p99(a.b) < mean(c.d)", "'mean(c.d)' after 'p99(a.b) <' is not what was expected: a number"),
        ("p99(a.b) < 1e999", "1e999 is too large a number"),
        ("p99(a.b) < 3 parsecs", "'parsecs' after 'p99(a.b) < 3' is not what was expected: a unit (ms, s, min"),
        ("p99(a.b) < 3 or cost < 3", "'or cost < 3' after 'p99(a.b) < 3' is not what was expected: a unit"),
        ("p99(a.b) < 1,000", "',000' after 'p99(a.b) < 1' is not what was expected: 'and' and another condition"),
        ("p99(a.b) < 3; import os", "'; import os' after 'p99(a.b) < 3' is not what was expected: 'and'"),
        ("1 < p99(a.b) < 3", "'1 < p99(a.b) < 3' is not what was expected: a condition such as"),
        ("p99(a.b) < 3 and", "the end after 'p99(a.b) < 3 and' is not what was expected: a condition"),
        ("p99(a.b) < 3 and and cost < 3", "is not what was expected: '(' after 'and'"),
        ("cost < 3 and cost > 5", "no value meets both final(*.cost_per_month) < 3 and final(*.cost_per_month) > 5"),
        ("cost >= 3 and cost > 2 and cost < 3", "no value meets both final(*.cost_per_month) >= 3 and"),
        ("cost < 5 and cost < 3 and cost < 4 and cost > 3", "no value meets both final(*.cost_per_month) < 3 and"),
    ],
)
def test_what_is_no_objective_is_refused(expression: object, problem: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        parse(expression)  # type: ignore[arg-type]
    assert caught.value.path == "objective"
    assert problem in caught.value.problem


@pytest.mark.parametrize("piece", ["x", "(", "9", "p99(", "a.", " ", "cost<3 and ", "p99(a.b)<3,", '"'])
def test_long_nonsense_is_refused_in_a_short_sentence(piece: str) -> None:
    long = (piece * 10_000)[:10_000]
    for source in (long, f"p99({long}", f"p99(a.b) < {long}"):
        with pytest.raises((DeclarationError, UnknownName)) as caught:
            parse(source)
        assert len(str(caught.value)) < 400


def test_unknown_statistics_have_a_hint() -> None:
    with pytest.raises(UnknownName, match=r"no statistic named 'p95'; did you mean 'p9"):
        parse("p95(emails.waiting_time) < 3")
    with pytest.raises(UnknownName, match="no statistic named 'P99'"):
        parse("P99(emails.waiting_time) < 3")


def test_both_sides_may_be_bounded() -> None:
    assert len(parse("cost <= 3 and cost >= 3 and cost > 2").terms) == 3
    with pytest.raises(DeclarationError, match="no value meets both"):
        parse("cost <= 3 and cost < 3 and cost >= 3")


def test_terms_are_declarations_too() -> None:
    with pytest.raises(DeclarationError, match=r"Objective\.terms: must not be empty"):
        Objective(())
    with pytest.raises(DeclarationError, match=r"Term\.amount"):
        term(amount=nan)
    with pytest.raises(DeclarationError, match=r"Term\.op"):
        term(op="==")
    with pytest.raises(DeclarationError, match=r"Term\.statistic"):
        term(statistic="p95")
    with pytest.raises(DeclarationError, match=r"Term\.unit"):
        term(unit="years")
    with pytest.raises(DeclarationError, match=r"Term\.amount: 1e\+308 d is too large a number"):
        parse("max(emails.visible) < 1e308 d")


PIECES = st.sampled_from(
    [
        "p99",
        "(",
        ")",
        "a.b",
        ".",
        "<",
        "<=",
        "==",
        "3",
        "1e9",
        "-",
        "min",
        "%",
        "and",
        " ",
        '"',
        "cost",
        "*",
        "/",
        "é",
        "0",
    ]
)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_whatever_is_written_is_read_or_refused(source: str) -> None:
    try:
        objective = parse(source)
    except (DeclarationError, UnknownName):
        return
    assert parse(str(objective)) == objective


@given(
    st.sampled_from(STATISTICS),
    st.text("ab1*./:()<= \n\té", min_size=1, max_size=12),
    st.sampled_from(OPERATORS),
    st.floats(0, 1e300),
    st.sampled_from(["", *UNITS]),
)
def test_what_is_shown_can_be_read(statistic: str, entity: str, op: str, amount: float, unit: str) -> None:
    shown = Term(statistic=statistic, entity=entity, metric="visible", op=op, amount=amount, unit=unit)
    assert parse(str(shown)).terms == (shown,)


# ---------------------------------------------------------------- meeting


@pytest.mark.parametrize(
    ("op", "below", "at", "above"),
    [("<", True, False, False), ("<=", True, True, False), (">", False, False, True), (">=", False, True, True)],
)
def test_a_value_meets_a_term_or_not(op: str, below: bool, at: bool, above: bool) -> None:
    judged = term(op)
    assert [judged.met_by(value) for value in (59.999, 60.0, 60.001)] == [below, at, above]
    assert not judged.met_by(nan)
    assert judged.met_by(inf) is above
    assert judged.met_by_all(60.0, 60.0) is at
    assert judged.met_by_all(59.0, 61.0) is False
    assert judged.met_by_all(0.0, 59.0) is below
    assert judged.met_by_all(61.0, inf) is above


def test_an_objective_needs_all_of_its_terms() -> None:
    objective = parse("p99(emails.waiting_time) < 60 and total(emails.expired) <= 0")
    measures = {("emails", "waiting_time.p99"): 59.0, ("emails", "expired.total"): 0.0, ("x", "y"): nan}
    assert objective.met_by(measures)
    assert not objective.met_by({**measures, ("emails", "expired.total"): 1.0})
    with pytest.raises(UnknownName, match=r"no measure named 'emails\.waiting_time\.p99'; did you mean"):
        objective.met_by({("emails", "waiting_time.p90"): 3.0, ("emails", "expired.total"): 0.0})


def test_an_objective_is_met_by_a_run() -> None:
    run = ms.simulate(SCENARIO, until=60)
    objective = parse("p99(emails.waiting_time) < 1 s and mean(emails.visible) < 1").check(SCENARIO)
    values = {}
    for entity, name in objective.keys:
        metric, _, statistic = name.partition(".")
        values[entity, name] = run.stat(entity, metric, statistic)
    assert not any(map(isnan, values.values()))
    assert objective.met_by(values)


# ---------------------------------------------------------------- checking


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("p99(emials.waiting_time) < 3", "no entity named 'emials'; did you mean 'emails'?"),
        (
            "p99(emails.wating_time) < 3",
            "no metric of queue 'emails' named 'wating_time'; did you mean 'waiting_time'?",
        ),
        (
            "total(emails.visible) < 3",
            "emails.visible is a gauge: it has mean, p50, p90, p99, p99.9, max, final, and no",
        ),
        ("mean(emails.sent) < 3", "emails.sent is a counter: it has total, final, and no mean"),
        ("final(emails.waiting_time) < 3", "emails.waiting_time is a sample: it has mean, p50"),
        ("mean(*.cost) < 3", "*.cost is a figure: it has final, and no mean"),
        ("final(*.cots) < 3", "no metric of the whole scenario ('*') named 'cots'; did you mean 'cost'?"),
        ("final(shop.cost) < 3", "no metric of traffic 'shop' named 'cost'"),
        ("final(ses.cost_per_moon) < 3", "no metric of outbox 'ses' named 'cost_per_moon'; did you mean"),
        ("total(orders/emials.delivered) < 3", "no entity named 'orders/emials'; did you mean 'orders/emails'?"),
        ("total(emails.groups_in_flight) < 3", "no metric of queue 'emails' named 'groups_in_flight'"),
    ],
)
def test_what_a_scenario_does_not_measure_is_refused(expression: str, problem: str) -> None:
    objective = parse(expression)
    with pytest.raises(UnknownName) as caught:
        objective.check(SCENARIO)
    assert str(caught.value).startswith(f"{objective}: ")
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("max(emails.visible) < 3 min", "emails.visible is in messages, not in min"),
        ("p99(emails.waiting_time) < 3 %", "emails.waiting_time is in seconds (s, or ms, min, h, d), not in %"),
        ("mean(mailers.utilization) < 3 s", "mailers.utilization is in shares of 1 (%), not in s"),
        ("cost < 3 h", "*.cost_per_month is in USD, not in h"),
        ("max(emails.visible) < 3 USD", "emails.visible is in messages, not in USD"),
    ],
)
def test_a_unit_must_be_the_metric_s(expression: str, problem: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        parse(expression).check(SCENARIO)
    assert caught.value.problem == problem


def test_the_names_of_cloudwatch_become_ours() -> None:
    checked = parse("max(emails.ApproximateNumberOfMessagesVisible) < 3 and cost < 9").check(SCENARIO)
    assert str(checked) == "max(emails.visible) < 3 and final(*.cost_per_month) < 9"


def test_every_statistic_can_be_written() -> None:
    for statistic in STATISTICS:
        assert parse(f"{statistic}(emails.visible) < 3").terms[0].statistic == statistic
