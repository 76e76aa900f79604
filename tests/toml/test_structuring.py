"""Every mistake in a scenario file is one line that begins with its place."""

import pytest

import msgsim as ms
from msgsim.errors import DeclarationError

QUEUES = """
[queues.emails]
[queues.dead]
"""

POOL = f"""{QUEUES}
[workers.mailers]
queue = "emails"
count = 2
service_time = 1
"""

SHOP = f"""{QUEUES}
[traffic.shop]
to = "emails"
"""


def problems(source: str) -> list[str]:
    with pytest.raises(DeclarationError) as raised:
        ms.Scenario.from_toml(source)
    return str(raised.value).splitlines()


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        # unknown keys
        (
            QUEUES + "[queues.a]\nvisiblity_timeout = 5",
            "queues.a.visiblity_timeout: no field named 'visiblity_timeout'; did you mean 'visibility_timeout'? declar",
        ),
        ("qeues = {}", "qeues: no field named 'qeues'; did you mean 'queues'? declared: description, epoch, horizon"),
        (POOL + '"a\\nb" = 1', r'workers.mailers."a\nb": no field named ' + r"'a\nb'; declared: batch_size, count"),
        (POOL + "handler = 5", "workers.mailers.handler: a file cannot hold a Python function; set it in Python"),
        (QUEUES + "handler = 5", "queues.dead.handler: no field named 'handler'"),
        (POOL + 'on_success = [{type = "send-email", outbox = "ses", too = "a"}]', "workers.mailers.on_success.0.too:"),
        # wrong types
        ("title = 5", "title: 5 is not a text"),
        ("horizon = 'long'", "horizon: 'long' is not a number; allowed: more than 0"),
        ("horizon = true", "horizon: True is not a number; allowed: more than 0"),
        ("horizon = 2026-01-01", "horizon: datetime.date(2026, 1, 1) is not a number"),
        ("queues = 5", "queues: 5 is not a table of names and Queue"),
        ("queues.a = 5", "queues.a: 5 is not a table; allowed: visibility_timeout, delay, "),
        ("[[queues.a]]\n[[queues.a]]", "queues.a: [{}, {}] is not a table; allowed: "),
        (QUEUES + 'redrive = "emails"', "queues.dead.redrive: 'emails' is not a table; allowed: to, max_receive_count"),
        (QUEUES + "fifo = 1", "queues.dead.fifo: 1 is neither true nor false"),
        (
            QUEUES + "[topics]\nt = {subscriptions = 'emails'}",
            "topics.t.subscriptions: 'emails' is not a list of a Sub",
        ),
        (QUEUES + "[topics]\nt = {subscriptions = ['emails']}", "topics.t.subscriptions.0: 'emails' is not a table; "),
        (SHOP + "rate = 'high'", "traffic.shop.rate: 'high' is not a rate curve; allowed: a number, or a table with a"),
        (SHOP + "rate = true", "traffic.shop.rate: True is not a rate curve"),
        (SHOP + "rate = 1\nattributes = 5", "traffic.shop.attributes: 5 is not a table of attributes"),
        (SHOP + "rate = 1\nattributes.a = 10:00:00", "traffic.shop.attributes.a: 10:00:00 is a date or time"),
        (
            POOL + "on_success = [5]",
            "workers.mailers.on_success.0: 5 is not an action; allowed: a table with a type: send",
        ),
        (POOL + "on_refusal = 5", 'workers.mailers.on_refusal: 5 is neither "return" nor a Retry'),
        # types, missing and unknown
        (SHOP + "rate = {type = 'spyke'}", "traffic.shop.rate.type: no type named 'spyke'; did you mean 'spike'?"),
        (SHOP + "rate = {at = 5}", "traffic.shop.rate.type: is missing; allowed: constant, ramp, spike"),
        (SHOP + "rate = {type = []}", "traffic.shop.rate.type: no type named []; declared: constant"),
        (POOL + "on_refusal = {type = 'return'}", "workers.mailers.on_refusal.type: no type named 'return'"),
        # missing keys
        (SHOP, "traffic.shop.rate: is missing, and has no default"),
        (
            SHOP + "rate = {type = 'spike', height = 1, hold = 1}",
            "traffic.shop.rate.at: is missing, and has no default",
        ),
        (POOL.replace("service_time = 1", ""), "workers.mailers.service_time: is missing; a number of seconds, or"),
        # values out of range, as they were written
        (QUEUES + "delay = 1000", "queues.dead.delay: 1000 is not allowed; allowed: 0 to 900 [s] (SQS-DLY-1)"),
        (QUEUES + "delay = 900.5", "queues.dead.delay: 900.5 is not allowed; allowed: 0 to 900 [s] (SQS-DLY-1)"),
        (QUEUES + "delay = inf", "queues.dead.delay: inf is not allowed"),
        (f"horizon = 1{'0' * 400}", "horizon: a whole number of more than 308 digits is not allowed"),
        (SHOP + f"rate = 1{'0' * 400}", "traffic.shop.rate: a whole number of more than 308 digits is not allowed"),
        (SHOP + "rate = -5", "traffic.shop.rate: -5 is not allowed; allowed: 0 or more [1/s]"),
        (SHOP + "rate = []", "traffic.shop.rate: an empty list is no rate; allowed: a number, a curve, or a list"),
        (SHOP + "rate = [1, [-1]]", "traffic.shop.rate.1.0: -1 is not allowed"),
        (SHOP + "rate = [1, {type='steps', steps=[[0, 1], [0]]}]", "traffic.shop.rate.1.steps.1: (0.0,) is not a pair"),
        (
            SHOP + "rate = {type='ramp', start=5, end=4, from_rate=1, to_rate=1}",
            "traffic.shop.rate.end: 4 is not allowed",
        ),
        (
            POOL.replace("= 2", "= 0"),
            "workers.mailers.count: 0 is not allowed; allowed: 1 to 10000000, or a curve (shifts)",
        ),
        (POOL.replace("= 2", "= {type='constant', rate=-1}"), "workers.mailers.count.rate: -1 is not allowed"),
        (POOL.replace("= 1", "= -1"), "workers.mailers.service_time: -1 is not allowed; allowed: 0 or more [s]"),
        (
            POOL.replace("= 1", "= {type='empirical', values=[]}"),
            "workers.mailers.service_time.values: must not be empty",
        ),
        (
            POOL.replace("= 1", "= {type='empirical', values=[1, -1]}"),
            "workers.mailers.service_time.values.1: -1 is not",
        ),
        (
            POOL.replace("= 1", "= {type='mixture', components=[[1, {type='fixed'}], [0, 5], 3]}"),
            "workers.mailers.service_time.components.0.1.value: is missing, and has no default",
        ),
        (
            POOL.replace("= 1", "= {type='mixture', components=[3]}"),
            "workers.mailers.service_time.components.0: 3 is not",
        ),
        (
            POOL + "on_success = [{type='send-email', outbox='x', subject='{x}'}]",
            "workers.mailers.on_success.0.subject: no f",
        ),
        # filter policies
        (
            QUEUES + "[topics]\nt.subscriptions = [{endpoint='dead', filter_policy=5}]",
            "topics.t.subscriptions.0.filter_pol",
        ),
        (
            QUEUES + "[topics]\nt.subscriptions = [{endpoint='dead', filter_policy={kind='a'}}]",
            'topics.t.subscriptions.0.filter_policy: "kind" must be an object or an array',
        ),
        (
            QUEUES + "[topics]\nt.subscriptions = [{endpoint='dead', filter_policy='{kind'}]",
            "topics.t.subscriptions.0.filter_policy: '{kind' is neither a table nor JSON: Expecting property name",
        ),
        # the scenario as a whole
        (
            POOL.replace('"emails"', '"emial"'),
            "workers.mailers.queue: no queue named 'emial'; did you mean 'emails'? decl",
        ),
        (
            '[queues]\na.redrive = {to="b", max_receive_count=1}\nb.redrive = {to="a", max_receive_count=1}',
            "queues.a.redrive.to: dead letters would go in a circle: a -> b -> a",
        ),
        (QUEUES + "[topics.dead]", "queues.dead: topics.dead has that name already; names are unique over all"),
        ('[queues."a b"]', "queues: 'a b' is not a name; allowed: 1 to 80 letters, digits, '-' and '_' (SQS-Q-1)"),
    ],
)
def test_a_mistake_is_one_line_that_begins_with_its_place(source: str, problem: str) -> None:
    (line,) = problems(source)
    assert line.startswith(problem)


def test_all_mistakes_are_said_at_once() -> None:
    source = """
        horizon = -1
        title = 3
        [queues.a]
        delay = 1000
        retention = 1
        dely = 5
        [queues.b]
        redrive = {to = "c", max_receive_count = 0}
        [traffic.t]
        rate = [-1, 1, {type = "spike", at = -1, height = -2}]
    """
    assert [line.partition(":")[0] for line in problems(source)] == [
        "queues.a.dely",
        "queues.a.delay",
        "queues.a.retention",
        "queues.b.redrive.max_receive_count",
        "traffic.t.rate.0",
        "traffic.t.rate.2.hold",
        "traffic.t.rate.2.at",
        "traffic.t.rate.2.height",
        "traffic.t.to",
        "title",
        "and 1 problem more",
    ]


def test_a_field_is_judged_beside_others_that_are_wrong() -> None:
    source = """
        [topics.t]
        subscriptions = [
            {endpoint = "q", filter_scope = "Everything", filter_policy = {a = [1]}},
            {endpoint = "", delivery_delay = -1},
        ]
    """
    assert [line.partition(":")[0] for line in problems(source)] == [
        "topics.t.subscriptions.0.filter_scope",
        "topics.t.subscriptions.1.delivery_delay",
        "topics.t.subscriptions.1.endpoint",
    ]


def test_a_problem_quotes_no_more_than_a_reader_wants() -> None:
    (line,) = problems(f"horizon = '{'x' * 100_000}'")
    assert len(line) < 500
    assert line.endswith("is not a number; allowed: more than 0 [s]")
