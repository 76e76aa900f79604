"""When a topic tries a delivery again: the fixed policies of the protocols, and the one that HTTP endpoints can have.

A policy is four phases of pauses: none, short ones, growing ones, long ones. Its `Schedule` knows when each attempt
begins without listing them: the one of a queue has 100,016 attempts in 23 days.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any

import attrs

from msgsim.declare import check_number, choice, number, text
from msgsim.errors import DeclarationError
from msgsim.quotas import (
    AWS_MANAGED_RETRIES,
    CUSTOMER_MANAGED_RETRIES,
    MAX_RECEIVES_PER_SECOND,
    RETRIES,
    RETRY_DELAY,
    RETRY_TIME,
)

GROWTH: dict[str, Callable[[float, float, float], float]] = {
    "linear": lambda low, high, share: low + (high - low) * share,
    "arithmetic": lambda low, high, share: low + (high - low) * share * share,
    "geometric": lambda low, high, share: low * (high / low) ** share,
}
"""How pauses grow from `low` to `high`, by the share of the way; "exponential" ones double instead (SNS-RTY-5)."""

BACKOFFS = ("linear", "arithmetic", "geometric", "exponential")
"""The names of the backoff functions."""

AWS_MANAGED = ("sqs", "lambda", "firehose")
"""Protocols whose endpoints are services of the same provider (SNS-RTY-2)."""

HTTP = ("http", "https")
"""Protocols whose policy can be chosen (SNS-RTY-2)."""


def growing(backoff: str, low: float, high: float, count: int) -> list[float]:
    """The pauses of a phase that grows [s].

    Args:
        backoff: one of `BACKOFFS`.
        low: of the first pause [s].
        high: that no pause exceeds [s].
        count: of pauses; one alone is as long as `low`.

    Source: SNS-RTY-5; the service does not publish its formulas, so these are assumptions.
    """
    if backoff == "exponential":
        return [high if step >= DOUBLINGS else min(high, low * 2.0**step) for step in range(count)]
    grow = GROWTH[backoff]
    return [grow(low, high, step / (count - 1) if count > 1 else 0.0) for step in range(count)]


DOUBLINGS = 64
"""So many take any pause beyond the longest that is allowed."""


NEAR = 1e-6
"""To a multiple of the last pause, as a share of it: nearer than this, rounding may decide."""


class Schedule:
    """When the attempts of one delivery begin, as seconds from the beginning of the first.

    A pause counts from the end of the attempt before it (SNS-RTY-6), so methods take how long an attempt lasts.

    Args:
        pauses: between attempts [s].
        tail: so many pauses more ...
        pause: ... which are all as long as this [s].

    Attributes:
        attempts: the first one included.
    """

    __slots__ = ("_begins", "_known", "_pause", "attempts")

    def __init__(self, pauses: Sequence[float], tail: int = 0, pause: float = 0.0) -> None:
        self._begins = tuple(accumulate(pauses, initial=0.0))
        self._known: dict[float, tuple[tuple[float, ...], float]] = {}
        self._pause = pause
        self.attempts = 1 + len(pauses) + tail

    def __repr__(self) -> str:
        return f"<Schedule attempts={self.attempts} last={self.offset(self.attempts - 1):g} s>"

    def offset(self, attempt: int, length: float = 0.0) -> float:
        """When an attempt begins [s].

        Args:
            attempt: counted from 0, less than `attempts`.
            length: that each attempt before it took [s].

        Cost: O(1).
        """
        begins = self._begins
        beyond = attempt - len(begins) + 1
        start = begins[attempt] if beyond <= 0 else begins[-1] + beyond * self._pause
        return start + attempt * length

    def pause(self, attempt: int) -> float:
        """The pause after an attempt that is not the last, counted from 0 [s]. Cost: O(1)."""
        begins = self._begins
        return begins[attempt + 1] - begins[attempt] if attempt + 1 < len(begins) else self._pause

    def at_or_after(self, time: float, length: float = 0.0) -> int | None:
        """The first attempt that begins at `time` [s] or later; None if all begin before. Cost: O(log attempts)."""
        attempt = bisect_left(range(self.attempts), time, key=lambda each: self.offset(each, length))
        return attempt if attempt < self.attempts else None

    def begun(self, time: float, length: float = 0.0) -> int:
        """How many attempts have begun by `time` [s], if none succeeds. Cost: O(1) among the last, equal pauses."""
        begins, last = self._known.get(length) or self._know(length)
        if time < begins[-1]:
            return bisect_right(begins, time)
        if time >= last:
            return self.attempts
        steps = (time - begins[-1]) / (self._pause + length)
        guess = len(begins) + int(steps)
        if NEAR < steps % 1.0 < 1.0 - NEAR:
            return guess
        while self.offset(guess, length) <= time:  # rounding
            guess += 1
        while self.offset(guess - 1, length) > time:
            guess -= 1
        return guess

    def _know(self, length: float) -> tuple[tuple[float, ...], float]:
        """When all but the equally spaced attempts begin, and the last one, where each takes so long [s]."""
        begins = tuple([self.offset(attempt, length) for attempt in range(len(self._begins))])
        known = self._known[length] = begins, self.offset(self.attempts - 1, length)
        return known


@attrs.frozen(kw_only=True)
class DeliveryPolicy:
    """How deliveries to an HTTP endpoint are repeated (SNS-RTY-3, SNS-RTY-4).

    Attributes:
        retries: attempts after the first, over all phases.
        min_delay: the shortest pause [s].
        max_delay: the longest pause [s].
        no_delay_retries: at once, before all others.
        min_delay_retries: then, `min_delay` apart.
        max_delay_retries: last of all, `max_delay` apart. What is left of `retries` comes before these, with pauses
            that grow from the shortest to the longest.
        backoff: how they grow: "linear", "arithmetic", "geometric" or "exponential" (SNS-RTY-5).
        max_receives_per_second: an average that deliveries are held back to; None for no limit (SNS-RTY-6b).
        content_type: of the requests; None for the usual one (SNS-ENV-7).

    Raises:
        DeclarationError: out of bounds, more retries in the phases than in all, or pauses of more than an hour in all.
    """

    retries: int = RETRIES.field(integer=True)
    min_delay: float = RETRY_DELAY.field()
    max_delay: float = RETRY_DELAY.field()
    no_delay_retries: int = number(0, high=RETRIES.high, rule="SNS-RTY-4", integer=True)
    min_delay_retries: int = number(0, high=RETRIES.high, rule="SNS-RTY-4", integer=True)
    max_delay_retries: int = number(0, high=RETRIES.high, rule="SNS-RTY-4", integer=True)
    backoff: str = choice("linear", BACKOFFS, "SNS-RTY-5")
    max_receives_per_second: float | None = MAX_RECEIVES_PER_SECOND.field(None, optional=True)
    content_type: str | None = text(None, optional=True, empty=False)

    def __attrs_post_init__(self) -> None:
        path, (low, high) = "DeliveryPolicy.min_delay", (RETRY_DELAY.low, self.max_delay)
        check_number(path, self.min_delay, low=low, high=high, unit="s", rule="SNS-RTY-4")
        phases = self.no_delay_retries + self.min_delay_retries + self.max_delay_retries
        if phases > self.retries:
            problem = f"{self.retries} are fewer than the {phases} of the phases (SNS-RTY-4)"
            raise DeclarationError("DeliveryPolicy.retries", problem)
        spent = sum(self.pauses())
        if spent > RETRY_TIME.high:
            problem = f"its pauses are {spent:g} s in all; allowed: up to {RETRY_TIME.high:g} s (SNS-RTY-4)"
            raise DeclarationError("DeliveryPolicy.retries", problem)

    def pauses(self) -> list[float]:
        """Those between its attempts [s]."""
        early = self.no_delay_retries + self.min_delay_retries
        backoff = self.retries - early - self.max_delay_retries
        return [
            *[0.0] * self.no_delay_retries,
            *[self.min_delay] * self.min_delay_retries,
            *growing(self.backoff, self.min_delay, self.max_delay, backoff),
            *[self.max_delay] * self.max_delay_retries,
        ]


@lru_cache(maxsize=256)
def schedule_of(protocol: str, policy: DeliveryPolicy | None = None) -> Schedule:
    """When deliveries by a protocol are tried.

    Args:
        protocol: of a subscription.
        policy: of an HTTP endpoint; None for the default. Other protocols have theirs, whatever is given (SNS-RTY-2).

    Source: SNS-RTY-2, SNS-RTY-3; whether the totals count the first attempt is not known, here they do not. What chance
    adds to the pauses is `Subscription.retry_jitter`.
    """
    if protocol in HTTP:
        return Schedule((policy or DeliveryPolicy()).pauses())
    if protocol in AWS_MANAGED:
        early = [0.0, 0.0, 0.0, 1.0, 1.0, *growing("exponential", 1.0, 20.0, 10)]
        return Schedule(early, AWS_MANAGED_RETRIES - len(early), 20.0)
    early = [10.0, 10.0, *growing("exponential", 10.0, 600.0, 10)]
    return Schedule(early, CUSTOMER_MANAGED_RETRIES - len(early), 600.0)


def throttled_schedule_of(protocol: str) -> Schedule | None:
    """When a delivery is tried that its endpoint throttled; None for as all others.

    Source: SNS-RTY-2: Firehose goes on as endpoints of customers do.
    """
    return schedule_of("email") if protocol == "firehose" else None


# ---------------------------------------------------------------- as the service writes them

_RETRY = {
    "numRetries": "retries",
    "minDelayTarget": "min_delay",
    "maxDelayTarget": "max_delay",
    "numNoDelayRetries": "no_delay_retries",
    "numMinDelayRetries": "min_delay_retries",
    "numMaxDelayRetries": "max_delay_retries",
    "backoffFunction": "backoff",
}
_THROTTLE = {"maxReceivesPerSecond": "max_receives_per_second"}
_REQUEST = {"headerContentType": "content_type"}
SUBSCRIPTION_PARTS = {"healthyRetryPolicy": _RETRY, "throttlePolicy": _THROTTLE, "requestPolicy": _REQUEST}
"""The parts of a subscription's policy, and the fields that their keys are (SNS-RTY-7)."""

TOPIC_PARTS = {f"default{part[0].upper()}{part[1:]}": keys for part, keys in SUBSCRIPTION_PARTS.items()}
"""The same of a topic's policy."""


def subscription_policy(given: Any) -> DeliveryPolicy:
    """A subscription's policy out of the service's JSON, parsed; what is absent has its default.

    Raises:
        DeclarationError: no policy; the path is made of the service's names.

    Source: SNS-RTY-7.
    """
    return _policy(given, SUBSCRIPTION_PARTS, "DeliveryPolicy")


def topic_policy(given: Any) -> tuple[DeliveryPolicy, bool]:
    """A topic's policy out of the service's JSON, parsed, and whether it overrides those of its subscriptions.

    Raises:
        DeclarationError: as `subscription_policy`.

    Source: SNS-RTY-7.
    """
    http = dict(_table(_table(given, ("http",), "DeliveryPolicy").get("http", {}), None, "DeliveryPolicy.http"))
    overrides = http.pop("disableSubscriptionOverrides", False)
    if not isinstance(overrides, bool):
        path = "DeliveryPolicy.http.disableSubscriptionOverrides"
        raise DeclarationError(path, f"{overrides!r} is neither true nor false")
    return _policy(http, TOPIC_PARTS, "DeliveryPolicy.http"), overrides


def subscription_json(policy: DeliveryPolicy) -> dict[str, Any]:
    """The service's JSON of a subscription's policy, unserialised (SNS-RTY-7)."""
    return _parts(policy, SUBSCRIPTION_PARTS)


def topic_json(policy: DeliveryPolicy, *, overrides: bool = False) -> dict[str, Any]:
    """The same of a topic's policy."""
    return {"http": {**_parts(policy, TOPIC_PARTS), "disableSubscriptionOverrides": overrides}}


def in_force(topic: DeliveryPolicy | None, own: DeliveryPolicy | None, *, overrides: bool = False) -> DeliveryPolicy:
    """The policy of a delivery: the subscription's own, unless it has none or the topic's overrides it (SNS-RTY-7)."""
    if own is None or (overrides and topic is not None):
        return topic or DeliveryPolicy()
    return own


def _parts(policy: DeliveryPolicy, parts: dict[str, dict[str, str]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for part, keys in parts.items():
        values = {key: getattr(policy, field) for key, field in keys.items()}
        known = {key: _whole(value) for key, value in values.items() if value is not None}
        if known:
            made[part] = known
    return made


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _policy(given: Any, parts: dict[str, dict[str, str]], path: str) -> DeliveryPolicy:
    fields: dict[str, Any] = {}
    names: dict[str, str] = {}
    for part, members in _table(given, tuple(parts), path).items():
        keys = parts[part]
        for key, value in _table(members, tuple(keys), f"{path}.{part}").items():
            fields[keys[key]] = value
            names[keys[key]] = f"{path}.{part}.{key}"
    try:
        return DeliveryPolicy(**fields)
    except DeclarationError as error:
        field = error.path.rpartition(".")[2]
        raise DeclarationError(names.get(field, path), error.problem) from None


def _table(given: Any, keys: Sequence[str] | None, path: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise DeclarationError(path, f"{given!r} is not a JSON object")
    for key in given:
        if keys is not None and key not in keys:
            raise DeclarationError(path, f"{key!r} is not one of its members: {', '.join(keys)} (SNS-RTY-7)")
    return given
