"""The same requests to msgsim and to moto, on one clock, with what each of them answers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from re import sub
from typing import Any, NamedTuple

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sqs import models

from msgsim.service import Account, ServiceError, call

REGION = "us-east-1"
ARN = f"arn:aws:sqs:{REGION}:{DEFAULT_ACCOUNT_ID}"
TICK = 1 / 64
"""Between two requests [s], so that none comes at the very instant of a deadline: those are whole seconds later."""


class Pair(NamedTuple):
    """What the two have for one thing, such as a receipt handle: `call` gives each its own."""

    ours: Any
    theirs: Any


class Refusal(NamedTuple):
    """An error: its code, and its name in the service's model."""

    code: str
    shape: str


class Twins:
    """An account of msgsim and one of moto, both new.

    Args:
        client: of moto.
        settings: of the account of msgsim.

    Attributes:
        now: [s].
    """

    def __init__(self, client: Any, clock: "Clock", **settings: Any) -> None:
        models.sqs_backends[DEFAULT_ACCOUNT_ID][REGION].reset()
        self.account = Account(REGION, DEFAULT_ACCOUNT_ID, settings=settings)
        self._client = client
        self._clock = clock
        self.now = 0.0

    def wait(self, seconds: float) -> None:
        """Let time pass for both."""
        self.now += seconds

    def call(self, operation: str, **params: Any) -> Pair:
        """One request to both: their answers, or refusals."""
        return Pair(self.ask_ours(operation, **params), self.ask_theirs(operation, **params))

    def ask_ours(self, operation: str, **params: Any) -> Any:
        """One request to msgsim alone, a tick after the one before."""
        self.wait(TICK)
        return self.ask_ours_now(operation, **params)

    def ask_ours_now(self, operation: str, **params: Any) -> Any:
        """One request to msgsim alone, at this very instant."""
        try:
            return call(self.account, operation, side(params, 0), self.now)
        except ServiceError as error:
            return Refusal(error.code, error.shape)

    def ask_theirs(self, operation: str, **params: Any) -> Any:
        """One request to moto alone, at this very instant."""
        self._clock.now = self.account.epoch + self.now
        verb: Callable[..., dict[str, Any]] = getattr(self._client, sub("(?<!^)(?=[A-Z])", "_", operation).lower())
        try:
            answer = verb(**side(params, 1))
        except ClientError as error:
            return Refusal(error.response["Error"]["Code"], error.response["Error"]["QueryErrorCode"])
        del answer["ResponseMetadata"]
        return answer

    def create(self, name: str, **attributes: str) -> str:
        """A queue in both; its URL."""
        pair = self.call("CreateQueue", QueueName=name, Attributes=attributes)
        assert pair.ours == pair.theirs
        url: str = pair.ours["QueueUrl"]
        return url

    def send(self, url: str, body: str = "x", **params: Any) -> Pair:
        """Send to both; the ids."""
        return _paired(self.call("SendMessage", QueueUrl=url, MessageBody=body, **params), "MessageId")

    def receive(self, url: str, **params: Any) -> list[Pair]:
        """Receive from both as many messages; pairs of them."""
        ours, theirs = (each.get("Messages", []) for each in self.call("ReceiveMessage", QueueUrl=url, **params))
        return [Pair(*pair) for pair in zip(ours, theirs, strict=True)]

    def handle(self, url: str, **params: Any) -> Pair:
        """The handles of the one message that both receive."""
        [message] = self.receive(url, **params)
        return _paired(message, "ReceiptHandle")

    def bodies(self, url: str, **params: Any) -> Pair:
        """Receive from both up to ten messages; their bodies, at this very instant."""
        params = {"QueueUrl": url, "MaxNumberOfMessages": 10, **params}
        answers = self.ask_ours_now("ReceiveMessage", **params), self.ask_theirs("ReceiveMessage", **params)
        return Pair(*([message["Body"] for message in each.get("Messages", [])] for each in answers))


class Clock:
    """What moto takes for the time [s since 1970]."""

    now = 0.0


@contextmanager
def moto_on_a_clock() -> Iterator[tuple[Any, Clock]]:
    """A client of moto, and the clock that it goes by; no network, and no settings of whoever runs the tests."""
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        for name in (
            "AWS_PROFILE",
            "AWS_ENDPOINT_URL",
            "AWS_ENDPOINT_URL_SNS",
            "AWS_ENDPOINT_URL_SQS",
            "AWS_DEFAULT_PROFILE",
        ):
            patch.delenv(name, raising=False)
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            patch.setenv(name, "/dev/null")
        patch.setattr(models, "unix_time", lambda _=None: clock.now)
        patch.setattr(models, "unix_time_millis", lambda _=None: clock.now * 1000)
        with mock_aws():
            yield boto3.client("sqs", region_name=REGION), clock


def side(value: Any, which: int) -> Any:
    """One side of what may have pairs in it."""
    if isinstance(value, Pair):
        return value[which]
    if isinstance(value, Mapping):
        return {key: side(each, which) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [side(each, which) for each in value]
    return value


def _paired(pair: Pair, key: str) -> Pair:
    return Pair(pair.ours[key], pair.theirs[key])
