"""A topic and a queue with a filter policy between them, in msgsim and in moto."""

import json
from typing import Any

import boto3
from botocore.exceptions import ClientError

from msgsim.service import Account, ServiceError, call
from tests.differential.twins import REGION


class Sides:
    """A topic with one raw queue at each side."""

    def __init__(self, policy: dict[str, Any]) -> None:
        self.attributes = {"FilterPolicy": json.dumps(policy), "RawMessageDelivery": "true"}
        self.account = Account(REGION)
        self.sns = boto3.client("sns", region_name=REGION)
        self.sqs = boto3.client("sqs", region_name=REGION)

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
