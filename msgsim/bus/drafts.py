"""What declarations say of messages: attributes, subjects and texts, checked long before there is a message.

What a template will become is not known; its literal text alone can say that it is too long, or not to be sent.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from msgsim.bus.contents import attributes_bytes, check_attribute_name, find_forbidden
from msgsim.bus.filters import MESSAGE_ATTRIBUTES as ATTRIBUTES_SCOPE
from msgsim.bus.filters import compile_policy
from msgsim.bus.publication import SUBJECT, check_publish
from msgsim.bus.queue import Queue
from msgsim.bus.templates import Template, literal
from msgsim.bus.topic import Topic
from msgsim.declare import ReadOnly, plain
from msgsim.errors import BusError, DeclarationError, InvalidParameter, InvalidParameterValue
from msgsim.quotas import MESSAGE_ATTRIBUTES, PUBLISH_BYTES

# ---------------------------------------------------------------- fields


def attributes(*, kw_only: bool | None = None) -> Any:
    """A field for message attributes; None by default."""
    return attrs.field(default=None, converter=_kept, validator=_check_attributes, kw_only=kw_only)


def subject(*, kw_only: bool | None = None) -> Any:
    """A field for the subject of a notification (SNS-PUB-2); None by default."""
    return attrs.field(default=None, validator=_check_subject, kw_only=kw_only)


def check_text(path: str, value: object) -> None:
    """Refuse what is no template for the body of a message.

    Raises:
        DeclarationError: not a text, no template, or with a character that is never sent (SQS-SND-2).
    """
    if not isinstance(value, str):
        raise DeclarationError(path, f"{value!r} is not a text")
    Template(value, path)
    forbidden = find_forbidden(literal(value))
    if forbidden:
        raise DeclarationError(path, f"{forbidden} (SQS-SND-2)")


def _kept(value: Any) -> Any:
    """A declaration's own copy of attributes, as a file would give it: lists for tuples, Python's own numbers."""
    if isinstance(value, Mapping):
        return ReadOnly({name: _kept_value(item) for name, item in value.items()})
    return value


def _kept_value(value: Any) -> Any:
    return list(map(plain, value)) if isinstance(value, (list, tuple)) else plain(value)


def _check_attributes(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    path = f"{type(owner).__name__}.{attribute.name}"
    if value is None:
        return
    if not isinstance(value, dict):
        raise DeclarationError(path, f"{value!r} is not a table of attributes")
    for name, item in value.items():
        try:
            check_attribute_name(name)
        except InvalidParameterValue as error:
            raise DeclarationError(path, str(error)) from None
        _check_value(f"{path}.{name}", item)


def _check_value(path: str, value: object) -> None:
    """Refuse what is no value of an attribute, neither of a queue's message nor of a topic's."""
    members = value if isinstance(value, list) else [value]
    for member in members:
        if isinstance(member, str):
            forbidden = find_forbidden(member)
            if forbidden:
                raise DeclarationError(path, f"{forbidden} (SQS-SND-2)")
        elif not (isinstance(member, (int, float)) or (isinstance(member, bytes) and member is value)):
            if member is not None or member is value:
                allowed = "a text, a number, true, false, bytes, or a list of such but for bytes"
                raise DeclarationError(path, f"{member!r} is not allowed; allowed: {allowed} (SQS-SND-5, SNS-PUB-3)")
        elif isinstance(member, float) and not abs(member) < float("inf"):
            raise DeclarationError(path, f"{member!r} is not allowed; allowed: finite numbers (SQS-SND-4)")
    if not isinstance(value, (int, float)) and not value:
        raise DeclarationError(path, "must not be empty (SQS-SND-4, SNS-PUB-3)")


def _check_subject(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if value is None:
        return
    path = f"{type(owner).__name__}.{attribute.name}"
    if not isinstance(value, str):
        raise DeclarationError(path, f"{value!r} is not a text")
    if not SUBJECT.fullmatch(value):
        allowed = "1 to 99 ASCII characters without line breaks, of which the first is no space"
        raise DeclarationError(path, f"{value!r} is not allowed; allowed: {allowed} (SNS-PUB-2)")


# ---------------------------------------------------------------- what a target takes


def problem_at_queue(
    body: str | None, given: Mapping[str, Any] | None, queue: Queue, name: str
) -> tuple[str, str] | None:
    """Why a queue will never take what a declaration sends to it.

    Args:
        body: a template; None for a text that is not known.
        given: the attributes; None if there are none, or they are not known.
        queue: declared.
        name: of the queue.

    Returns:
        The name of the field that is wrong and the problem; None if there is none.
    """
    try:
        size = attributes_bytes(given) if given else 0
    except BusError as error:
        return "attributes", f"{name!r} does not take them: {error}"
    if body is not None:
        size += _literal_bytes(body)
    if size > queue.max_message_bytes:
        field = "attributes" if body is None else "body"
        return field, (
            f"{size} bytes without what its fields become, and {name!r} takes up to "
            f"{queue.max_message_bytes} with all attributes (SQS-SND-3)"
        )
    return None


def problem_at_topic(
    body: str | None, given: Mapping[str, Any] | None, topic: Topic, name: str, queues: Mapping[str, Queue]
) -> tuple[str, str] | None:
    """Why a topic, or a queue that is subscribed to it, will never take what a declaration publishes.

    Args:
        body: a template; None for a text that is not known.
        given: the attributes; None if they are not known.
        topic: declared.
        name: of the topic.
        queues: declared, by name.

    Returns:
        As `problem_at_queue`.
    """
    text = "x" if body is None else literal(body) or "x"
    try:
        check_publish(text, given, None)
    except InvalidParameter as error:
        field = "attributes" if body is None or _literal_bytes(body) <= PUBLISH_BYTES.high else "body"
        return field, f"{error}; {name!r} takes up to {PUBLISH_BYTES.high:g} bytes with all attributes (SNS-PUB-1)"
    for endpoint, raw in _reached(topic, given):
        if not raw:
            problem = problem_at_queue(body, None, queues[endpoint], endpoint)
        elif given and len(given) > MESSAGE_ATTRIBUTES.high:
            allowed = f"allowed: {MESSAGE_ATTRIBUTES.high:g} (SNS-ENV-4)"
            return "attributes", f"{len(given)} are too many for raw delivery to {endpoint!r}; {allowed}"
        else:
            problem = _problem_of_raw(body, given, queues[endpoint], endpoint)
        if problem is not None:
            return problem
    return None


def _problem_of_raw(
    body: str | None, given: Mapping[str, Any] | None, queue: Queue, name: str
) -> tuple[str, str] | None:
    """The same for what a topic passes on as it is, whose types the topic has judged."""
    typed = {key: value for key, value in (given or {}).items() if not isinstance(value, bool)}
    return problem_at_queue(body, typed, queue, name)


def _reached(topic: Topic, given: Mapping[str, Any] | None) -> Iterator[tuple[str, bool]]:
    """The queues that a publish with these attributes certainly reaches, and whether raw."""
    for subscription in topic.subscriptions:
        policy = subscription.filter_policy
        if subscription.protocol != "sqs":
            continue
        if policy is not None:
            if given is None or subscription.filter_scope != ATTRIBUTES_SCOPE:
                continue
            if not compile_policy(policy)(given):
                continue
        yield subscription.endpoint, subscription.raw


def _literal_bytes(body: str) -> int:
    return len(literal(body).encode())
