"""Python functions as message handlers.

A handler `f(delivery, context)` is called when a worker begins on a message. What it does takes effect when its service
time has passed. It returns

- nothing: the pool's own service time;
- a number: that service time [s];
- a list of actions: done after the pool's `on_success`, with the pool's own service time;
- or is a generator that yields waits [s] one after the other, and may return a list of actions;
- or raises: the message has failed, after the pool's own service time.
"""

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from math import inf
from random import Random
from typing import Any

import attrs

from msgsim.bus.message import Message
from msgsim.bus.queue import LiveQueue
from msgsim.bus.receipts import Delivery
from msgsim.declare import as_float, plain
from msgsim.engine.actions import Action, Step
from msgsim.errors import DeclarationError, HandlerError

Handler = Callable[[Delivery, "Context"], Any]


@attrs.frozen
class LostHandler:
    """Stands in a pickled run for a handler that does not pickle: a lambda, or a function inside another one.

    It says what was there. A simulation of it is refused: put the function in again.

    Attributes:
        name: of the function.
    """

    name: str

    def __call__(self, _delivery: Delivery, _context: "Context") -> Any:
        """Never called in a simulation.

        Raises:
            HandlerError: always.
        """
        raise HandlerError(self.problem)

    @property
    def problem(self) -> str:
        """Why it does nothing."""
        return f"the function {self.name} did not pickle with its run; put it in again, such as with Scenario.vary"


class Context:
    """What a handler may know besides its message.

    Attributes:
        now: simulated time [s].
        pool: name of the worker pool.
        rng: a random stream of the pool's own; use it, and the run is reproducible.
    """

    __slots__ = ("now", "pool", "rng")

    def __init__(self, pool: str, rng: Random) -> None:
        self.now = 0.0
        self.pool = pool
        self.rng = rng


@attrs.frozen
class Outcome:
    """What a handler said."""

    service_time: float | None = None
    failed: bool = False
    steps: Sequence[Step] = ()
    waits: Generator[float, None, Any] | None = None


class Desk:
    """Where a pool's handler is called, and its answers are understood.

    Args:
        handler: the function.
        pool: name of the pool.
        queue: whose messages.
        rng: the handler's stream.
        wire: turns an action that the handler returns into a step.

    Attributes:
        raised: how often which exception was raised, by its text.
    """

    __slots__ = ("_context", "_handler", "_queue", "_wire", "raised")

    def __init__(
        self, handler: Handler, pool: str, queue: LiveQueue, rng: Random, wire: Callable[[Action], Step]
    ) -> None:
        if isinstance(handler, LostHandler):
            raise DeclarationError(f"workers.{pool}.handler", handler.problem)
        self._handler = handler
        self._queue = queue
        self._wire = wire
        self._context = Context(pool, rng)
        self.raised: Counter[str] = Counter()

    def call(self, message: Message, now: float) -> Outcome:
        """Begin on a message.

        Raises:
            HandlerError: the handler returned something that is not an outcome.
        """
        self._context.now = now
        try:
            answer: Any = self._handler(self._queue.deliver(message, now), self._context)
        except Exception as error:  # noqa: BLE001 - raising is how a handler fails
            return self._fail(error)
        if isinstance(answer, Generator):
            return Outcome(waits=answer)
        return self._understand(answer)

    def resume(self, waits: Generator[float, None, Any], now: float) -> Outcome:
        """Go on with a generator: `service_time` is its next wait; without one it has ended.

        Raises:
            HandlerError: it yielded something that is not a wait, or returned something that is not a list of actions.
        """
        self._context.now = now
        try:
            wait = next(waits)
        except StopIteration as stop:
            if isinstance(plain(stop.value), (int, float)):
                raise HandlerError(
                    f"the handler of {self._context.pool!r} yields waits and then returned {stop.value!r}; "
                    "allowed: nothing, or a list of actions"
                ) from None
            return self._understand(stop.value)
        except Exception as error:  # noqa: BLE001 - as above
            return self._fail(error)
        return Outcome(service_time=self._seconds(wait, "yielded"))

    def _fail(self, error: Exception) -> Outcome:
        self.raised[f"{type(error).__name__}: {error}"] += 1
        return Outcome(failed=True)

    def _understand(self, answer: object) -> Outcome:
        if answer is None:
            return Outcome()
        if isinstance(answer, (list, tuple)) and all(isinstance(action, Action) for action in answer):
            return Outcome(steps=[self._wire(action) for action in answer])
        return Outcome(service_time=self._seconds(answer, "returned"))

    def _seconds(self, value: object, verb: str) -> float:
        wait = as_float(value)
        if not isinstance(wait, float) or not 0 <= wait < inf:
            raise HandlerError(
                f"the handler of {self._context.pool!r} {verb} {plain(value)!r}; allowed: nothing, a service time of "
                "0 or more [s], a list of actions, or a generator of waits [s]"
            )
        return wait
