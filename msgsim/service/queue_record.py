"""What a service knows about a queue and the queue itself does not: dates, tags, a policy, encryption, moves."""

from typing import Any

import attrs

from msgsim.bus.moves import MoveTask


@attrs.frozen(eq=False)
class Move:
    """A move task as it was asked for.

    Attributes:
        id: of the task.
        task: live.
        waiting: messages that could be moved then.
        destination: ARN of the queue that was named, if one was.
        rate: that was asked for [1/s], if one was.
    """

    id: str
    task: MoveTask
    waiting: int
    destination: str | None
    rate: int | None


@attrs.define(eq=False)
class QueueRecord:
    """What goes by a queue's name.

    Attributes:
        created_at: [s].
        modified_at: when an attribute was last set [s].
        tags: by key (SQS-Q-8).
        texts: attributes that are kept as they came, and that no message is treated by: encryption.
        policy: the policy document; None without statements (SQS-Q-9).
        moves: the last tasks that moved messages out of it, oldest first (SQS-MOV-5).
        started: how many there have been.
    """

    created_at: float = 0.0
    modified_at: float = 0.0
    tags: dict[str, str] = attrs.field(factory=dict)
    texts: dict[str, str] = attrs.field(factory=dict)
    policy: dict[str, Any] | None = None
    moves: list[Move] = attrs.field(factory=list)
    started: int = 0
