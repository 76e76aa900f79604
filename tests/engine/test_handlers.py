"""Python functions as handlers: what they may say, when it takes effect, and what they are told if they may not."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from random import Random
from typing import Any

import numpy as np
import pytest

import msgsim as ms
from msgsim.engine.handlers import Context, Desk, LostHandler, Outcome
from msgsim.errors import DeclarationError, HandlerError

Answer = Callable[[Any, Context], Any]


def scenario(handler: Answer, **pool: Any) -> ms.Scenario:
    """A message at 0.5, 1.5, 2.5 ... with its number as its body; 0.25 s each unless the handler says otherwise."""
    settings: dict[str, Any] = {"queue": "q", "count": 1, "service_time": 0.25, "handler": handler, **pool}
    return ms.Scenario(
        queues={"q": ms.Queue(visibility_timeout=100), "next": ms.Queue()},
        topics={"t": ms.Topic(subscriptions=(ms.Subscription(endpoint="next", raw=True),))},
        outboxes={"ses": ms.Outbox(max_send_rate=0.001, burst=2)},
        traffic={"s": ms.Traffic(to="q", rate=1, process="regular", body="{n}", attributes={"kind": "a"})},
        workers={"w": ms.Workers(**settings)},
    )


def after(seconds: float, handler: Answer, **pool: Any) -> ms.Simulation:
    simulation = ms.Simulation(scenario(handler, **pool), seed=3)
    simulation.run(seconds)
    return simulation


def sojourns(simulation: ms.Simulation) -> list[float]:
    return list(simulation.result().samples("q", "sojourn_time"))


def test_it_is_called_once_for_each_message_when_a_worker_begins_on_it() -> None:
    seen: list[Any] = []

    def handler(delivery: Any, context: Context) -> None:
        seen.append((context.now, context.pool, delivery.body, delivery.receive_count, dict(delivery.attributes)))

    simulation = after(3.0, handler)
    assert seen == [(at, "w", body, 1, {"kind": "a"}) for at, body in ((0.5, "1"), (1.5, "2"), (2.5, "3"))]
    assert sojourns(simulation) == [0.25, 0.25, 0.25]


def test_nothing_is_the_pools_own_service_time_and_a_number_another() -> None:
    simulation = after(10.0, lambda delivery, _: {"1": None, "2": 0.75, "3": 0, "4": 2}.get(delivery.body))
    assert sojourns(simulation)[:4] == [0.25, 0.75, 0.0, 2.0]


def test_without_a_service_time_a_message_takes_none() -> None:
    default = ms.Workers(queue="q", count=1, handler=print).service_time
    assert sojourns(after(4.0, lambda _delivery, _context: None, service_time=default)) == [0.0] * 4


@pytest.mark.parametrize("several", [list, tuple])
def test_actions_are_done_after_the_pools_own(several: type) -> None:
    def handler(_delivery: Any, _context: Context) -> Any:
        return several([ms.SendMessage("next", body="handler"), ms.Publish("t", body="news {n}")])

    simulation = after(0.7, handler, on_success=[ms.SendMessage("next", body="pool")])
    assert simulation.queues["next"].sent == 0  # not before the service time has passed
    simulation.run(1.0)
    assert [got.body for got in simulation.queues["next"].receive(1.0, 10)] == ["pool", "handler", "news 1"]


def test_an_empty_list_of_actions_is_a_success() -> None:
    assert sojourns(after(1.0, lambda _delivery, _context: [])) == [0.25]


def test_a_generator_yields_waits_and_may_return_actions() -> None:
    seen: list[float] = []

    def handler(delivery: Any, context: Context) -> Any:
        seen.append(context.now)
        yield 0.5
        seen.append(context.now)
        yield 0.125
        seen.append(context.now)
        return [ms.SendMessage("next")] if delivery.body == "1" else None

    simulation = after(3.0, handler)
    assert seen == [0.5, 1.0, 1.125, 1.5, 2.0, 2.125, 2.5, 3.0]
    assert sojourns(simulation) == [0.625, 0.625]
    assert simulation.queues["next"].sent == 1


def test_a_generator_that_yields_nothing_takes_no_time() -> None:
    assert sojourns(after(2.0, waiting())) == [0.0, 0.0]


def test_raising_fails_the_delivery_after_its_whole_service_time_and_is_counted() -> None:
    def handler(delivery: Any, _context: Context) -> None:
        raise {"1": ValueError("no such order"), "2": KeyError("x")}.get(delivery.body, ValueError("no such order"))

    simulation = after(3.0, handler)
    run = simulation.result()
    assert run.raised == {"w": {"ValueError: no such order": 2, "KeyError: 'x'": 1}}
    assert (run.total("w", "processed"), run.total("w", "failed"), run.total("q", "deleted")) == (3, 3, 0)
    assert run.mean("w", "busy") == pytest.approx(0.25)
    assert run.final("q", "in_flight") == 3  # each waits out its visibility timeout


def test_raising_on_the_way_fails_the_delivery_at_once() -> None:
    def handler(_delivery: Any, _context: Context) -> Iterator[float]:
        yield 0.125
        raise RuntimeError("half way")

    simulation = after(0.7, handler)
    run = simulation.result()
    assert run.raised == {"w": {"RuntimeError: half way": 1}}
    assert (run.total("w", "failed"), run.final("w", "busy")) == (1, 0)


def test_a_failure_that_was_drawn_stays_one_and_its_actions_are_not_done() -> None:
    simulation = after(3.0, lambda _delivery, _context: [ms.SendMessage("next")], failure_rate=1.0)
    assert simulation.workers["w"].failed == 3
    assert simulation.queues["next"].sent == 0


def test_a_refused_action_of_a_handler_is_tried_again() -> None:
    retry = ms.Retry(attempts=1, base=0.125)
    simulation = after(3.0, lambda _delivery, _context: [ms.SendMessage("next"), ms.SendEmail("ses")], on_refusal=retry)
    assert simulation.workers["w"].failed == 1  # two emails are in the bucket
    assert simulation.queues["next"].sent == 3
    assert simulation.outboxes["ses"].throttled == 2


def test_what_one_message_asks_for_is_not_done_for_the_next() -> None:
    def handler(delivery: Any, _context: Context) -> Any:
        return [ms.SendMessage("next")] if delivery.body == "1" else 0.5

    simulation = after(5.0, handler)
    assert simulation.queues["next"].sent == 1


def test_the_delivery_may_be_used_as_a_receivers_own() -> None:
    simulation = ms.Simulation(scenario(lambda delivery, context: queue.delete(delivery.receipt_handle, context.now)))
    queue = simulation.queues["q"]
    simulation.run(3.0)
    assert queue.deleted == 3
    assert simulation.workers["w"].processed == 3


def test_its_random_stream_is_its_own_and_reproducible() -> None:
    def draws(seed: int, **pool: Any) -> list[float]:
        drawn: list[float] = []
        declared = scenario(lambda _delivery, context: drawn.append(context.rng.random()), **pool)
        ms.simulate(declared, until=5.0, seed=seed)
        return drawn

    assert draws(1) == draws(1) == draws(1, service_time=ms.Exponential(0.01), failure_rate=0.2)
    assert draws(1) != draws(2)
    assert len(set(draws(1))) == 5


def waiting(*waits: Any, result: Any = None) -> Answer:
    def handler(_delivery: Any, _context: Context) -> Any:
        yield from waits
        return result

    return handler


BAD = ["text", -1.0, True, [3], float("inf"), float("nan"), {"a": 1}, [ms.SendMessage("next"), 1.0]]
ALLOWED = "allowed: nothing, a service time of 0 or more [s], a list of actions, or a generator of waits [s]"


@pytest.mark.parametrize("answer", BAD, ids=repr)
def test_an_answer_that_is_no_outcome_reaches_the_caller_in_a_line(answer: Any) -> None:
    with pytest.raises(HandlerError) as caught:
        ms.simulate(scenario(lambda _delivery, _context: answer), until=5.0)
    assert str(caught.value) == f"the handler of 'w' returned {answer!r}; {ALLOWED}"
    assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize("wait", [*BAD, None, []], ids=repr)
def test_a_wait_that_is_none_reaches_the_caller_in_a_line(wait: Any) -> None:
    with pytest.raises(HandlerError) as caught:
        ms.simulate(scenario(waiting(0.5, wait)), until=5.0)
    assert str(caught.value) == f"the handler of 'w' yielded {wait!r}; {ALLOWED}"


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (3.0, "the handler of 'w' yields waits and then returned 3.0; allowed: nothing, or a list of actions"),
        (True, "the handler of 'w' yields waits and then returned True; allowed: nothing, or a list of actions"),
        ("x", f"the handler of 'w' returned 'x'; {ALLOWED}"),
    ],
)
def test_a_result_after_waits_that_is_no_list_of_actions_reaches_the_caller(result: Any, words: str) -> None:
    with pytest.raises(HandlerError) as caught:
        ms.simulate(scenario(waiting(0.5, result=result)), until=5.0)
    assert str(caught.value) == words


def test_a_desk_understands_answers() -> None:
    queue = ms.StandardQueue(ms.Queue(), name="q")
    message = queue.send("x", 0.0)
    queue.receive(0.0)
    answers: list[Any] = [None, 2, (), waiting(1.0)(None, None)]  # type: ignore[arg-type]
    desk = Desk(lambda _delivery, _context: answers.pop(0), "w", queue, Random(0), lambda action: action)  # type: ignore[arg-type, return-value]
    assert desk.call(message, 0.0) == Outcome()
    assert desk.call(message, 0.0) == Outcome(service_time=2.0)
    assert desk.call(message, 0.0) == Outcome(steps=[])
    waits = desk.call(message, 0.0).waits
    assert waits is not None
    assert desk.resume(waits, 0.0) == Outcome(service_time=1.0)
    assert desk.resume(waits, 1.0) == Outcome()
    assert desk.raised == {}


@pytest.mark.parametrize("answer", [np.float32(0.5), np.float64(0.5), Fraction(1, 2)])
def test_a_number_of_another_library_is_a_service_time(answer: Any) -> None:
    assert sojourns(after(3.0, lambda *_: answer)) == [0.5, 0.5, 0.5]
    assert sojourns(after(2.5, lambda *_: np.int64(1))) == [1.0, 1.0]


@pytest.mark.parametrize("answer", [10**400, np.True_, float("nan")])
def test_what_is_no_time_is_refused(answer: Any) -> None:
    with pytest.raises(HandlerError, match=r"the handler of 'w' returned .*; allowed: nothing, a service time"):
        after(3.0, lambda *_: answer)


def test_a_handler_that_was_lost_says_so() -> None:
    lost = LostHandler("charge")
    words = "the function charge did not pickle with its run; put it in again, such as with Scenario.vary"
    with pytest.raises(HandlerError) as raised:
        lost(None, None)  # type: ignore[arg-type]
    assert str(raised.value) == words
    with pytest.raises(DeclarationError) as caught:
        ms.Simulation(scenario(lost))
    assert str(caught.value) == f"workers.w.handler: {words}"
