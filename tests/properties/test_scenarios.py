"""What holds in every scenario: books balance, the seed decides, components are independent, lazy equals eager."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from math import nextafter
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

import msgsim as ms
from msgsim.files import to_toml
from tests.engine.twins import differences
from tests.properties.scenarios import Deed, User, programs, scenarios

UNTIL = 120.0

brief = settings(deadline=None, max_examples=30)
"""Each example is a run or two; the profile's own number is for the comparison of the two engines."""

seeds = st.integers(0, 3)
any_scenario = scenarios() | scenarios(lazy=True)


def law(run: ms.Run, queue: str) -> list[int]:
    """What came less what left less what is there, at each probe."""
    came, elsewhere = ("sent", "moved_in"), ("deleted", "dead_lettered", "moved_out", "expired", "purged")
    here = ("visible", "in_flight", "delayed")
    series = {metric: run.series(queue, metric)[1] for metric in (*came, *elsewhere, *here)}
    rows = range(len(run.times))
    return [
        sum(series[metric][row] for metric in came) - sum(series[metric][row] for metric in (*elsewhere, *here))
        for row in rows
    ]


@brief
@given(any_scenario, programs(8), seeds, st.booleans())
def test_every_message_is_accounted_for_at_every_probe(
    scenario: ms.Scenario, program: list[tuple[float, Deed]], seed: int, lazy: bool
) -> None:
    note(to_toml(scenario))
    simulation = ms.Simulation(scenario, seed=seed, horizon=UNTIL, lazy=lazy)
    simulation.env.process(User(simulation, []).process(program))
    simulation.run(UNTIL)
    run = simulation.result()
    run.audit()
    for queue in scenario.queues:
        assert not any(law(run, queue))
        assert run.total(queue, "received") >= run.total(queue, "redelivered")
        assert len(run.samples(queue, "sojourn_time")) == run.total(queue, "deleted")
        assert all(
            0 <= wait <= sojourn
            for wait, sojourn in zip(
                run.samples(queue, "waiting_time"), run.samples(queue, "sojourn_time"), strict=True
            )
        )
    for name, pool in scenario.workers.items():
        assert run.total(name, "processed") >= run.total(name, "failed")
        assert max(run.series(name, "busy")[1]) <= max(run.series(name, "count")[1])
        assert isinstance(pool.count, ms.Steps | ms.Ramp) or run.mean(name, "count") > 0


@brief
@given(any_scenario, seeds)
def test_the_seed_decides_everything(scenario: ms.Scenario, seed: int) -> None:
    one, other = (ms.simulate(scenario, until=60.0, seed=seed).to_json() for _ in range(2))
    assert one == other


@brief
@given(any_scenario, seeds, scenarios(lazy=True))
def test_another_component_changes_no_number_of_the_others(
    scenario: ms.Scenario, seed: int, other: ms.Scenario
) -> None:
    """A queue with traffic, workers and a dead-letter queue of its own, declared before everything else."""
    redrive = ms.Redrive(to="another-end", max_receive_count=2)
    end = ms.Queue(visibility_timeout=other.queues["p"].visibility_timeout, delay=other.queues["p"].delay)
    extra = ms.Scenario(
        queues={"another": ms.Queue(visibility_timeout=2, redrive=redrive), "another-end": end},
        traffic={"another-traffic": ms.Traffic(to="another", rate=4)},
        workers={
            "another-pool": ms.Workers(queue="another", count=3, service_time=ms.Exponential(0.5), failure_rate=0.4),
            "another-end-pool": ms.Workers(queue="another-end", count=1, service_time=ms.Exponential(0.5)),
        },
    )
    sections: dict[str, Any] = {
        section: {**getattr(extra, section), **getattr(scenario, section)}
        for section in ("topics", "queues", "outboxes", "traffic", "workers")
    }
    alone = ms.simulate(scenario, until=60.0, seed=seed).to_dict()["entities"]
    together = ms.simulate(ms.Scenario(**sections), until=60.0, seed=seed).to_dict()["entities"]
    assert {name: together[name] for name in alone} == alone
    assert together["another"]["metrics"]["deleted"]["total"] > 0


@brief
@given(
    any_scenario,
    seeds,
    st.integers(0, 4 * 119).map(lambda quarter: quarter / 4) | st.floats(0, 119).filter(lambda at: not 0 < at < 1e-3),
)
def test_statistics_cover_what_was_deleted_at_or_after_the_warm_up(
    scenario: ms.Scenario, seed: int, warm_up: float
) -> None:
    note(to_toml(scenario))

    def samples(until: float, **settings: Any) -> dict[str, Counter[float]]:
        run = ms.simulate(scenario, until=until, seed=seed, probe=7.0, **settings)
        return {
            f"{name}.{metric}": Counter(values)
            for name, record in run.records.items()
            for metric, values in record.samples.items()
        }

    all_of_them, warm = samples(UNTIL), samples(UNTIL, warm_up=warm_up)
    before = samples(nextafter(warm_up, 0)) if warm_up else {name: Counter[float]() for name in warm}
    assert {name: before[name] + warm[name] for name in warm} == all_of_them


class Hours:
    """Notes at which times each queue is told of something, in the order in which it is told."""

    VERBS = ("enqueue", "enqueue_later", "take", "accept", "finish_one", "settle")

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.latest: dict[str, float] = {}
        for verb in self.VERBS:
            patch.setattr(ms.StandardQueue, verb, self._noting(verb, getattr(ms.StandardQueue, verb)))

    def _noting(self, verb: str, method: Callable[..., Any]) -> Callable[..., Any]:
        place = {"enqueue": 2, "enqueue_later": 2, "take": 0, "accept": 1, "finish_one": 1, "settle": 0}[verb]

        def noted(queue: ms.StandardQueue, *arguments: Any) -> Any:
            now = arguments[place]
            result = method(queue, *arguments)  # at a lazy station, `accept` first does what comes before it
            assert now >= self.latest.get(queue.name, now), f"{verb} of {queue.name!r}"
            self.latest[queue.name] = now
            return result

        return noted


@brief
@given(any_scenario, programs(8), seeds, st.booleans())
def test_time_never_runs_backwards(
    scenario: ms.Scenario, program: list[tuple[float, Deed]], seed: int, lazy: bool
) -> None:
    note(to_toml(scenario))
    with pytest.MonkeyPatch.context() as patch:
        Hours(patch)
        simulation = ms.Simulation(scenario, seed=seed, horizon=UNTIL, lazy=lazy)
        simulation.env.process(User(simulation, []).process(program))
        simulation.run(UNTIL)
        run = simulation.result()
    assert list(run.times) == sorted(run.times)


@pytest.mark.slow
@given(any_scenario, programs(), programs(6), seeds)
def test_lazy_equals_an_event_per_message(
    scenario: ms.Scenario, inside: list[tuple[float, Deed]], between: list[tuple[float, Deed]], seed: int
) -> None:
    note(to_toml(scenario))
    seen = []
    for lazy in (True, False):
        simulation = ms.Simulation(scenario, seed=seed, horizon=UNTIL, lazy=lazy)
        notes: list[Any] = []
        user = User(simulation, notes)
        simulation.env.process(user.process(inside))
        for at, deed in between:
            simulation.run(at)
            user.do(deed)
        simulation.run(UNTIL)
        seen.append((simulation.result(), notes))
    (one, notes), (other, expected) = seen
    assert notes == expected
    assert differences(one, other) == []
    one.audit()
    other.audit()


RICH = """
import hashlib
import msgsim as ms

join = ms.Join("done", parts=["a", "b"], then=[ms.SendEmail("ses"), ms.Publish("t", attributes={"kind": "z"})])
scenario = ms.Scenario(
    topics={"t": ms.Topic(subscriptions=(
        ms.Subscription(endpoint="qa", filter_policy={"kind": ["x", "y"]}, delivery_delay=ms.Exponential(0.1)),
        ms.Subscription(endpoint="qb", filter_policy={"kind": ["x", "y"]}, failure_rate=0.01),
        ms.Subscription(endpoint="qc", filter_policy={"kind": ["y", "z"]}),
    ))},
    queues={
        "qa": ms.Queue(visibility_timeout=5, redrive=ms.Redrive(to="dead", max_receive_count=2)),
        "qb": ms.Queue(poll_winner="random"), "qc": ms.Queue(max_in_flight=3), "dead": ms.Queue(),
    },
    outboxes={"ses": ms.Outbox(max_send_rate=3, bounce_rate=0.1, delivery_delay=ms.Exponential(2))},
    traffic={kind: ms.Traffic(to="t", rate=3, attributes={"kind": kind}) for kind in ("x", "y")},
    workers={
        "a": ms.Workers(queue="qa", count=4, service_time=ms.LogNormal(0.5, 1), failure_rate=0.2, on_success=[join]),
        "b": ms.Workers(queue="qb", count=4, service_time=ms.Gamma(0.4, 0.5), on_success=[ms.Join("done")]),
        "c": ms.Workers(queue="qc", count=ms.Ramp(0, 60, 1, 9), service_time=ms.Exponential(0.3)),
        "d": ms.Workers(queue="dead", count=1, service_time=0.5),
    },
)
run = ms.simulate(scenario, until=100, seed=11)
assert run.total("done", "completed") > 100
print(hashlib.sha256(run.to_json().encode()).hexdigest())
"""


def test_a_run_does_not_depend_on_the_hash_seed() -> None:
    printed = {
        subprocess.run(  # noqa: S603 - this very interpreter
            [sys.executable, "-c", RICH],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("0", "4711")
    }
    assert len(printed) == 1
