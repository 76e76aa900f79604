"""The ids that messages of FIFO and fair queues get on their way: of their groups, and for deduplication."""

from collections.abc import Callable, Mapping
from typing import Any

from msgsim.bus.contents import check_identifier
from msgsim.bus.deduplication import content_id
from msgsim.bus.message import VISIBLE, Content, GroupedMessage, Message
from msgsim.bus.queue import Queue
from msgsim.bus.templates import Template
from msgsim.bus.topic import Topic
from msgsim.errors import DeclarationError, InvalidParameterValue

Identify = Callable[[Message, float], str]
"""Makes the deduplication id of what a message says at a time [s]."""


def cause(
    content: str | Content, attributes: Mapping[str, Any] | None, number: int, now: float, group: str | None
) -> Message:
    """An event as a message, for templates: before there is one, or where a queue drops it."""
    message: Message = Message()
    if group is not None:
        message = GroupedMessage()
        message.group_id = group
    message.content = content
    message.attributes = attributes
    message.number = message.origin = number
    message.arrived_at = message.origin_at = now
    message.receive_count = 0
    message.deadline = VISIBLE
    return message


def is_identifier(text: str) -> bool:
    """Whether the service takes a text for an id (FIFO-SND-3, SQS-FAIR-1)."""
    try:
        check_identifier("", text)
    except InvalidParameterValue:
        return False
    return True


def identifying(template: str | None, queue: Queue | Topic, path: str, epoch: float) -> Identify | None:
    """How what is sent to a FIFO queue gets its id for deduplication; None if each is unique (FIFO-SND-2).

    Args:
        template: of the id, with `{fields}`; None to leave it to the queue (FIFO-DUP-3).
        queue: where it is sent, or the topic that it is published to.
        path: of the template, for errors.
        epoch: seconds since 1970 at time 0.

    Raises (the function that is returned):
        DeclarationError: the template has made something that is no id (FIFO-SND-3).
    """
    if template is None:
        return _by_content if queue.content_based_deduplication else None
    filler = Template(template, path, epoch)

    def identify(message: Message, now: float) -> str:
        made = filler.fill(message, now)
        if not is_identifier(made):
            problem = (
                f"{template!r} has become {made!r}; allowed: 1 to 128 letters, digits and punctuation (FIFO-SND-3)"
            )
            raise DeclarationError(path, problem)
        return made

    return identify


def _by_content(message: Message, _now: float) -> str:
    return content_id(message.body)
