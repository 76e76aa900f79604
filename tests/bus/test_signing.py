"""Signatures of notifications."""

import json
import sys
from base64 import b64decode

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from msgsim.bus.queue import Queue
from msgsim.bus.signing import Signer, text_to_sign
from msgsim.bus.standard import StandardQueue
from msgsim.bus.topic import Subscription, Topic, TopicFanout
from msgsim.errors import DeclarationError, MissingExtra


@pytest.mark.rule("SNS-ENV-1")
@pytest.mark.parametrize(("version", "algorithm"), [("1", hashes.SHA1()), ("2", hashes.SHA256())])  # noqa: S303
def test_a_signed_notification_can_be_verified(version: str, algorithm: hashes.HashAlgorithm) -> None:
    queue = StandardQueue(Queue())
    topic = TopicFanout(Topic(subscriptions=[Subscription(endpoint="q")]), endpoints={"q": queue})
    topic.signer = signer = Signer(version)
    topic.publish("hello", 1.0, subject="s")
    fields = json.loads(queue.receive(1.0)[0].body)
    assert fields["SignatureVersion"] == version
    key = serialization.load_pem_public_key(signer.public_key_pem)
    assert isinstance(key, rsa.RSAPublicKey)
    signature = b64decode(fields["Signature"])
    key.verify(signature, text_to_sign(fields).encode(), padding.PKCS1v15(), algorithm)
    fields["Message"] = "other"
    with pytest.raises(InvalidSignature):
        key.verify(signature, text_to_sign(fields).encode(), padding.PKCS1v15(), algorithm)


def test_what_is_signed_stands_in_byte_order() -> None:
    fields = {"Type": "Notification", "MessageId": "i", "TopicArn": "a", "Message": "m", "Timestamp": "t", "Other": 1}
    expected = "Message\nm\nMessageId\ni\nTimestamp\nt\nTopicArn\na\nType\nNotification\n"
    assert text_to_sign(fields) == expected


def test_what_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeclarationError, match="'3' is not allowed"):
        Signer("3")
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives", None)
    with pytest.raises(MissingExtra, match="signing"):
        Signer()
