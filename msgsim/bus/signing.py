"""Signatures of notifications, for those who verify them: made by a key pair of the signer's own (SNS-ENV-1)."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from msgsim.errors import DeclarationError, MissingExtra

SIGNED = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
"""What is signed if it is there, in byte order; a notification has neither `SubscribeURL` nor `Token`."""


class Signer:
    """Signs notifications by RSA. A key is made by chance: signed bodies differ from run to run.

    Args:
        version: "1" for SHA-1, the service's default, "2" for SHA-256 (SNS-ENV-1).

    Attributes:
        version: as given.
        public_key_pem: what verifies the signatures.

    Raises:
        DeclarationError: another version.
        MissingExtra: `cryptography` is not installed.
    """

    __slots__ = ("_key", "public_key_pem", "version")

    def __init__(self, version: str = "1") -> None:
        if version not in ("1", "2"):
            raise DeclarationError("Signer.version", f"{version!r} is not allowed; allowed: '1', '2' (SNS-ENV-1)")
        try:
            from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - an extra
            from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415 - an extra
        except ImportError:
            raise MissingExtra("cryptography", "signing") from None
        self.version = version
        self._key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
        self.public_key_pem = self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, fields: Mapping[str, Any]) -> str:
        """The signature of a notification, in base64."""
        from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives.asymmetric import padding  # noqa: PLC0415 - an extra

        algorithm = hashes.SHA1() if self.version == "1" else hashes.SHA256()  # noqa: S303 - the service's own
        return b64encode(self._key.sign(text_to_sign(fields).encode(), padding.PKCS1v15(), algorithm)).decode()


def text_to_sign(fields: Mapping[str, Any]) -> str:
    r"""The canonical form of a notification: the signed keys that it has and their values, each on a line.

    >>> text_to_sign({"Type": "Notification", "Message": "m", "Signature": "x"})
    'Message\nm\nType\nNotification\n'
    """
    return "".join(f"{key}\n{fields[key]}\n" for key in SIGNED if key in fields)
