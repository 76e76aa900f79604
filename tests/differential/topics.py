"""Topics with queues behind them, in msgsim and in moto."""

import json
from collections.abc import Mapping
from functools import cache
from re import sub
from typing import Any

import boto3
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import rsa
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sns import models
from moto.sqs import models as sqs_models

from msgsim.service import Account, ServiceError, call
from tests.differential.twins import ARN, REGION, Pair, side

TOPICS = f"arn:aws:sns:{REGION}:{DEFAULT_ACCOUNT_ID}"
KEY = rsa.generate_private_key(65_537, 2_048)
"""One for all that moto signs: nobody checks it here, and to make one takes moto most of its time."""


@cache
def client(service: str) -> Any:
    """A client of moto, which must be on; to make one takes longer than most requests."""
    return boto3.client(service, region_name=REGION)  # type: ignore[call-overload]  # by any name


class TopicTwins:
    """Topics and queues of an account of msgsim and of one of moto, both new; all at one instant.

    A refusal is its code as a text.
    """

    def __init__(self) -> None:
        for backends in (models.sns_backends, sqs_models.sqs_backends):
            backends[DEFAULT_ACCOUNT_ID][REGION].reset()
        self.account = Account(REGION, DEFAULT_ACCOUNT_ID)
        self.subscriptions: dict[tuple[str, str], Pair] = {}

    def call(self, operation: str, **params: Any) -> Pair:
        """One request to both, such as "sns:Publish"."""
        service, _, name = operation.partition(":")
        try:
            ours: Any = call(self.account, operation, side(params, 0), 0)
        except ServiceError as error:
            ours = error.code
        verb = getattr(client(service), sub("(?<!^)(?=[A-Z])", "_", name).lower())
        try:
            theirs: Any = verb(**side(params, 1))
            del theirs["ResponseMetadata"]
        except ClientError as error:
            theirs = error.response["Error"]["Code"]
        return Pair(ours, theirs)

    def queue(self, name: str) -> None:
        """A queue in both."""
        self.call("sqs:CreateQueue", QueueName=name)

    def subscribe(self, topic: str, queue: str, **attributes: str) -> Pair:
        """Subscribe a queue to a topic; the ARNs are known by both names from then on."""
        pair = self.call(
            "sns:Subscribe",
            TopicArn=f"{TOPICS}:{topic}",
            Protocol="sqs",
            Endpoint=f"{ARN}:{queue}",
            Attributes=attributes,
            ReturnSubscriptionArn=True,
        )
        if not isinstance(pair.ours, str) and not isinstance(pair.theirs, str):
            arns = Pair(*(each["SubscriptionArn"] for each in pair))
            self.subscriptions.setdefault((topic, queue), arns)
            return arns
        return pair

    def received(self, queue: str) -> Pair:
        """What came into a queue: of an envelope what does not differ each time; the rest as it is."""
        url = self.account.queue_url(queue)
        asked = {"QueueUrl": url, "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]}
        answers = self.call("sqs:ReceiveMessage", **asked)
        return Pair(*([_shown(each) for each in answer.get("Messages", [])] for answer in answers))


def _shown(message: Mapping[str, Any]) -> tuple[Any, Any]:
    try:
        body = json.loads(message["Body"])
    except ValueError:
        return message["Body"], message.get("MessageAttributes")
    kept = ("Type", "TopicArn", "Subject", "Message", "MessageAttributes")
    return {key: body[key] for key in kept if key in body}, message.get("MessageAttributes")


class Sides:
    """A topic with one raw queue at each side."""

    def __init__(self, policy: dict[str, Any]) -> None:
        self.attributes = {"FilterPolicy": json.dumps(policy), "RawMessageDelivery": "true"}
        self.account = Account(REGION)
        self.sns, self.sqs = client("sns"), client("sqs")

    def ours(self, messages: list[dict[str, Any]]) -> list[str] | str:
        """Which messages get through, or the code of the refusal."""

        def ask(operation: str, **params: Any) -> dict[str, Any]:
            return call(self.account, operation, params, 0)

        url = ask("CreateQueue", QueueName="q")["QueueUrl"]
        topic = ask("CreateTopic", Name="t")["TopicArn"]
        endpoint = self.account.arn("sqs", "q")
        try:
            ask("Subscribe", TopicArn=topic, Protocol="sqs", Endpoint=endpoint, Attributes=self.attributes)
        except ServiceError as error:
            return error.code
        for number, attributes in enumerate(messages):
            ask("Publish", TopicArn=topic, Message=str(number), MessageAttributes=attributes)
        found = ask("ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        return sorted(message["Body"] for message in found)

    def theirs(self, messages: list[dict[str, Any]]) -> list[str] | str:
        """The same of moto, which must be on."""
        url = self.sqs.create_queue(QueueName="q")["QueueUrl"]
        topic = self.sns.create_topic(Name="t")["TopicArn"]
        endpoint = f"arn:aws:sqs:{REGION}:123456789012:q"
        try:
            self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=endpoint, Attributes=self.attributes)
            for number, attributes in enumerate(messages):
                self.sns.publish(TopicArn=topic, Message=str(number), MessageAttributes=attributes)
            found = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        finally:
            self.sns.delete_topic(TopicArn=topic)
            self.sqs.delete_queue(QueueUrl=url)
        return sorted(message["Body"] for message in found)
