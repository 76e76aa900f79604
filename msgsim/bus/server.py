"""What answers the deliveries of a topic: how long an attempt takes, when it fails, and how."""

import re
from collections.abc import Mapping, Sequence
from math import floor, inf
from typing import Any

import attrs

from msgsim.declare import ReadOnly, Sampler, as_float, flag, listed, number, plain
from msgsim.distributions import Distribution, Uniforms, as_distribution, refuse_duration
from msgsim.errors import DeclarationError
from msgsim.quotas import ATTEMPT_TIMEOUT

TIMEOUT = "timeout"
TOO_MANY = "429"
UNAVAILABLE = "503"


def is_retried(status: str) -> bool:
    """Whether an attempt that ended so is repeated: server errors, throttling and timeouts are (SNS-RTY-6)."""
    return status in (TIMEOUT, TOO_MANY) or status.startswith("5")


_STATUS = re.compile("timeout|[45][0-9][0-9]", re.ASCII)


def _check_status(path: str, status: object) -> None:
    if not isinstance(status, str) or not _STATUS.fullmatch(status):
        problem = f"{status!r} is no failure; allowed: 'timeout', '400' to '599' as a text (SNS-RTY-6)"
        raise DeclarationError(path, problem)


def _check_failure(_: object, __: object, status: Any) -> None:
    _check_status("Outage.status", status)


@attrs.frozen(kw_only=True)
class Outage:
    """A time during which every attempt fails.

    Attributes:
        at: when it begins [s].
        duration: how long it lasts [s]; infinite for good.
        every: from one beginning to the next [s]; None for once.
        status: of the attempts: an HTTP status as a text, or "timeout".
    """

    at: float = number(0.0, unit="s")
    duration: float = attrs.field(converter=as_float)
    every: float | None = number(None, above=True, unit="s", optional=True)
    status: str = attrs.field(default=UNAVAILABLE, validator=_check_failure)

    def __attrs_post_init__(self) -> None:
        length: Any = self.duration
        if not isinstance(length, float) or not length > 0:
            raise DeclarationError("Outage.duration", f"{length!r} is not allowed; allowed: more than 0 [s]")
        if self.every is not None and self.every < length:
            raise DeclarationError("Outage.every", f"{self.every!r} is less than the duration {length!r} [s]")

    def windows(self, until: float) -> list[tuple[float, float]]:
        """When it is on before an instant: pairs of start and end [s], ascending."""
        found = []
        start = self.at
        while start < until:
            found.append((start, min(start + self.duration, until)))
            start = self.begins_after(start)
        return found

    def begins_after(self, now: float) -> float:
        """When it begins next [s]; infinite for never again."""
        if now < self.at:
            return self.at
        if self.every is None:
            return inf
        return self.at + (floor((now - self.at) / self.every) + 1) * self.every

    def end(self, now: float) -> float | None:
        """When the outage that is on ends [s]; None if none is."""
        if now < self.at:
            return None
        start = self.at if self.every is None else self.at + floor((now - self.at) / self.every) * self.every
        return start + self.duration if now < start + self.duration else None


def _check_failures(_: object, __: object, failures: Any) -> None:
    if not isinstance(failures, Mapping):
        raise DeclarationError("Server.failures", f"{failures!r} is not a table of statuses and probabilities")
    for status, probability in failures.items():
        _check_status("Server.failures", status)
        given = plain(probability)
        if isinstance(given, bool) or not isinstance(given, (int, float)) or not 0 <= given <= 1:
            path = f"Server.failures.{status}"
            raise DeclarationError(path, f"{probability!r} is not allowed; allowed: 0 to 1 [probability]")
    if sum(failures.values()) > 1 + 1e-12:
        raise DeclarationError(
            "Server.failures", f"the probabilities add up to {sum(failures.values()):g}, more than 1"
        )


def _probabilities(failures: Any) -> Any:
    if not isinstance(failures, Mapping):
        return failures
    return ReadOnly({status: plain(failures[status]) for status in sorted(failures, key=str)})


def _comparable(failures: Any) -> Any:
    """Probabilities in a form that can be compared and hashed."""
    return tuple(failures.items()) if isinstance(failures, Mapping) else failures


def _check_latency(_: object, __: object, latency: Any) -> None:
    if latency is not None:
        refuse_duration("Server.latency", latency, "is neither a distribution nor a number [s]")


@attrs.frozen(kw_only=True)
class Server:
    """The endpoint of a subscription as it answers: a web server, a mail or text message gateway, a queue's policy.

    Attributes:
        latency: from the beginning of an attempt to its answer [s], a number or a distribution; None for no time. Of
            http and https, one that takes longer than 15 s is a timeout (SNS-RTY-6).
        failures: probability of each failure, by its status as a text or "timeout". What is neither a server error, 429
            nor a timeout is not repeated.
        outages: when every attempt fails, at once or with a timeout.
        rate_limit: attempts that are answered, on average; those beyond fail with 429 [1/s]; None for no limit.
        denies: it does not let the topic in, as a queue whose policy does not name it: nothing is repeated (SNS-SUB-6).
    """

    latency: Distribution | None = attrs.field(default=None, converter=as_distribution, validator=_check_latency)
    failures: Mapping[str, float] = attrs.field(
        factory=dict, converter=_probabilities, validator=_check_failures, eq=_comparable
    )
    outages: Sequence[Outage] = listed(Outage, "an Outage")
    rate_limit: float | None = number(None, above=True, unit="attempts/s", optional=True)
    denies: bool = flag()

    @property
    def is_certain(self) -> bool:
        """Whether nothing is left to chance."""
        latency = self.latency
        return not any(0 < each < 1 for each in self.failures.values()) and (latency is None or not latency.variance)


class LiveServer:
    """A server at work.

    Args:
        server: its declaration.
        rng: for latencies and failures; may be left out if nothing is left to chance.
        patience: the longest that an attempt waits for its answer [s].
    """

    __slots__ = ("_draw", "_failures", "_filled_at", "_patience", "_random", "_rng", "_tokens", "declaration")

    def __init__(self, server: Server, rng: Uniforms | None, patience: float = ATTEMPT_TIMEOUT.low) -> None:
        self.declaration = server
        self._patience = patience
        self._rng = rng
        self._failures = [(status, share) for status, share in server.failures.items() if share]
        self._tokens = self._burst
        self._filled_at = -inf
        self._draw_anew()

    def __getstate__(self) -> dict[str, Any]:
        """All but what draws: a copy makes that of its own generator."""
        return {slot: getattr(self, slot) for slot in self.__slots__ if slot not in ("_draw", "_random")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for slot, value in state.items():
            setattr(self, slot, value)
        self._draw_anew()

    def _draw_anew(self) -> None:
        self._draw = _drawn(self.declaration.latency, self._rng)
        self._random = self._rng.random if self._rng is not None else float  # certain, without a generator: 0.0

    @property
    def _burst(self) -> float:
        return max(1.0, self.declaration.rate_limit or 1.0)

    def outage(self, now: float) -> tuple[float, str] | None:
        """Until when the outage that is on tells all [s], and how attempts fail; of several, the one that ends last.

        It does so until it ends, or another one begins.
        """
        found: tuple[float, str] | None = None
        for outage in self.declaration.outages:
            end = outage.end(now)
            if end is not None and (found is None or end > found[0]):
                found = end, outage.status
        if found is None or len(self.declaration.outages) == 1:
            return found
        return min(found[0], *[outage.begins_after(now) for outage in self.declaration.outages]), found[1]

    @property
    def always(self) -> str | None:
        """How every attempt fails, without taking time, that is made outside of outages; None if that is not so."""
        declared = self.declaration
        if declared.latency is not None or declared.rate_limit is not None:
            return None
        if len(self._failures) == 1 and self._failures[0][1] == 1:
            return self._failures[0][0]
        return None

    def answer(self, now: float) -> tuple[str | None, float]:
        """How an attempt ends that begins now: the status, None for success, and how long it takes [s]."""
        if self.declaration.rate_limit is not None and not self._is_within(now, self.declaration.rate_limit):
            return TOO_MANY, 0.0
        status = self._failure()
        if status == TIMEOUT:
            return TIMEOUT, ATTEMPT_TIMEOUT.low
        length = self._draw()
        return (TIMEOUT, self._patience) if length > self._patience else (status, length)

    def _failure(self) -> str | None:
        if not self._failures:
            return None
        chance = self._random()
        for status, share in self._failures:
            if chance < share:
                return status
            chance -= share
        return None

    def _is_within(self, now: float, rate: float) -> bool:
        tokens = self._burst if self._filled_at == -inf else self._tokens + (now - self._filled_at) * rate
        self._tokens = min(self._burst, tokens)
        self._filled_at = now
        if self._tokens < 1.0 - 1e-9:
            return False
        self._tokens -= 1.0
        return True


def _drawn(latency: Distribution | None, rng: Uniforms | None) -> Sampler:
    if latency is not None and latency.variance and rng is not None:
        return latency.sampler(rng)
    constant = 0.0 if latency is None else latency.mean
    return lambda: constant
