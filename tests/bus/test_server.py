"""Servers: how they are declared, and how they answer."""

from math import inf
from random import Random
from typing import Any

import pytest

from msgsim.bus.server import LiveServer, Outage, Server, is_retried
from msgsim.distributions import Exponential
from msgsim.errors import DeclarationError


@pytest.mark.parametrize(
    ("fields", "path", "problem"),
    [
        ({"failures": {"200": 0.1}}, "Server.failures", "'200' is no failure; allowed: 'timeout', '400' to '599'"),
        ({"failures": {503: 0.1}}, "Server.failures", "503 is no failure"),
        ({"failures": {"503": 1.5}}, "Server.failures.503", "1.5 is not allowed; allowed: 0 to 1"),
        ({"failures": {"503": True}}, "Server.failures.503", "True is not allowed"),
        ({"failures": {"503": 0.6, "429": 0.6}}, "Server.failures", "add up to 1.2, more than 1"),
        ({"failures": 0.1}, "Server.failures", "0.1 is not a table of statuses"),
        ({"latency": -1}, "Server.latency", "-1"),
        ({"latency": "soon"}, "Server.latency", "neither a distribution nor a number"),
        ({"rate_limit": 0}, "Server.rate_limit", "0"),
        ({"outages": [1]}, "Server.outages.0", "1 is not an Outage"),
        ({"denies": 1}, "Server.denies", "neither true nor false"),
    ],
)
def test_a_server_that_cannot_be_is_refused(fields: dict[str, Any], path: str, problem: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        Server(**fields)
    assert caught.value.path == path
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"duration": 0}, "Outage.duration"),
        ({"duration": "long"}, "Outage.duration"),
        ({"duration": 10, "every": 9}, "Outage.every"),
        ({"duration": 10, "status": "301"}, "Outage.status"),
        ({"duration": 10, "at": -1}, "Outage.at"),
    ],
)
def test_an_outage_that_cannot_be_is_refused(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        Outage(**fields)
    assert caught.value.path == path


def test_an_outage_is_there_until_its_end_and_comes_again() -> None:
    once, weekly = Outage(at=10, duration=5), Outage(at=10, duration=5, every=100)
    assert [once.end(now) for now in (9.9, 10, 14.9, 15, 110)] == [None, 15, 15, None, None]
    assert [weekly.end(now) for now in (9.9, 10, 15, 110, 115, 1_012)] == [None, 15, None, 115, None, 1_015]
    assert Outage(duration=inf).end(1e9) == inf
    assert (once.windows(10), once.windows(12)) == ([], [(10, 12)])
    assert weekly.windows(212) == [(10, 15), (110, 115), (210, 212)]


def test_of_several_outages_the_one_that_ends_last_counts() -> None:
    outages = [Outage(duration=9, status="500"), Outage(duration=20), Outage(duration=3)]
    server = LiveServer(Server(outages=outages), None)
    assert server.outage(1) == (20, "503")
    assert server.outage(20) is None
    again = LiveServer(Server(outages=[*outages, Outage(at=7, duration=1, every=50)]), None)
    assert [again.outage(now) for now in (1, 7, 19)] == [(7, "503"), (20, "503"), (20, "503")]


@pytest.mark.rule("SNS-RTY-6")
def test_what_is_tried_again() -> None:
    assert [status for status in ("500", "503", "599", "429", "timeout", "404", "400") if is_retried(status)] == [
        "500",
        "503",
        "599",
        "429",
        "timeout",
    ]
    assert LiveServer(Server(latency=15), None).answer(0) == (None, 15)
    assert LiveServer(Server(latency=15.1), None).answer(0) == ("timeout", 15)
    assert LiveServer(Server(latency=99), None, patience=inf).answer(0) == (None, 99)


def test_a_limited_server_answers_its_rate() -> None:
    server = LiveServer(Server(rate_limit=2), None)
    assert [server.answer(0)[0] for _ in range(3)] == [None, None, "429"]
    assert [server.answer(0.5)[0] for _ in range(2)] == [None, "429"]
    assert [server.answer(100)[0] for _ in range(3)] == [None, None, "429"]


def test_chance_is_as_declared() -> None:
    declared = Server(failures={"timeout": 0.1, "503": 0.2}, latency=Exponential(0.1))
    server = LiveServer(declared, Random(1))
    answers = [server.answer(0)[0] for _ in range(10_000)]
    assert 0.09 < answers.count("timeout") / 10_000 < 0.11  # three standard errors
    assert 0.188 < answers.count("503") / 10_000 < 0.212
    assert not declared.is_certain
    assert Server(failures={"503": 1}, latency=3).is_certain


def test_servers_are_compared_and_hashed_by_value() -> None:
    one, other = Server(failures={"503": 0.5, "404": 0.1}), Server(failures={"404": 0.1, "503": 0.5})
    assert one == other
    assert hash(one) == hash(other)
