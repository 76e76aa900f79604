"""SNS: what only FIFO topics have: their attributes, archives and replays (SNS-FIFO-2, SNS-ARC-1, SNS-ARC-2)."""

import json
from collections.abc import Mapping
from typing import Any

import attrs

from msgsim.bus.fifo_topic import NO_GROUP, NO_ID, FifoFanout
from msgsim.bus.filters import parse_body
from msgsim.bus.timestamps import iso_timestamp, seconds_of
from msgsim.bus.topic import GROUP_SCOPE, TOPIC_SCOPE
from msgsim.errors import DeclarationError, InvalidParameter
from msgsim.quotas import ARCHIVE_RETENTION
from msgsim.service.sns_refusals import flag

ATTRIBUTES = ("ArchivePolicy", "ContentBasedDeduplication", "FifoThroughputScope")
"""Attributes of FIFO topics that can be set."""

_PLACE = "Attributes Reason: "


def fields(attributes: Mapping[str, str], place: str = _PLACE) -> dict[str, Any]:
    """The fields of `Topic` that attributes are.

    Raises:
        InvalidParameter: one of them cannot be.
    """
    found: dict[str, Any] = {}
    for name, written in attributes.items():
        if name == "ContentBasedDeduplication":
            found["content_based_deduplication"] = flag(name, written, place)
        elif name == "FifoThroughputScope":
            if written not in (TOPIC_SCOPE, GROUP_SCOPE):
                text = f"{name}: Invalid value [{written}]. Please use either {TOPIC_SCOPE} or {GROUP_SCOPE}"
                raise InvalidParameter(f"Invalid parameter: {place}{text}")
            found["throughput_scope"] = written
        elif name == "ArchivePolicy":
            found["archive"] = _retention(written, place)
    return found


def change(topic: FifoFanout, name: str, written: str, now: float) -> None:
    """Set one attribute of a topic.

    Raises:
        InvalidParameter: it cannot be, or the topic cannot become so (SNS-FIFO-2).
    """
    changes = fields({name: written}, "")
    if name == "ArchivePolicy":
        topic.keep(changes["archive"], now)
    else:
        topic.set_deduplication(
            content_based=changes.get("content_based_deduplication"), scope=changes.get("throughput_scope")
        )


def described(topic: FifoFanout, now: float) -> dict[str, str]:
    """The attributes of a topic, in texts."""
    declared = topic.declaration
    found = {
        "ContentBasedDeduplication": str(declared.content_based_deduplication).lower(),
        "FifoThroughputScope": declared.throughput_scope,
        "FifoTopic": "true",
    }
    if topic.archive is not None:
        found["ArchivePolicy"] = json.dumps({"MessageRetentionPeriod": declared.archive})
        found["BeginningArchiveTime"] = iso_timestamp(topic.epoch + topic.archive.beginning(now))
    return found


def check_entry(topic: FifoFanout, entry: Mapping[str, Any]) -> None:
    """Refuse an entry of a batch whose absent ids refuse the whole call (SNS-PUB-6).

    Raises:
        InvalidParameter: no group, or no id for deduplication.
    """
    if "MessageGroupId" not in entry:
        raise InvalidParameter(NO_GROUP)
    if "MessageDeduplicationId" not in entry and not topic.declaration.content_based_deduplication:
        raise InvalidParameter(NO_ID)


def _retention(written: str, place: str) -> int | None:
    """The days of an archive policy; None if it is empty (SNS-ARC-1)."""
    policy = parse_body(written) if written else {}
    problem = f"{written} is no object with a MessageRetentionPeriod"
    if policy == {}:
        return None
    if isinstance(policy, dict) and set(policy) == {"MessageRetentionPeriod"}:
        days = policy["MessageRetentionPeriod"]
        if isinstance(days, str) and days.isascii() and days.isdigit() and len(days) <= 3:  # noqa: PLR2004 - as 365
            days = int(days)
        try:
            ARCHIVE_RETENTION.check("MessageRetentionPeriod", days, integer=True)
        except DeclarationError as error:
            problem = str(error)
        else:
            return int(days)
    raise InvalidParameter(f"Invalid parameter: {place}ArchivePolicy: {problem}")


# ---------------------------------------------------------------- replays


@attrs.frozen
class ReplayPolicy:
    """From when, and until when, a subscription gets again what is in the archive (SNS-ARC-2).

    Attributes:
        written: as it came.
        start: since 1970 [s].
        end: since 1970 [s]; None to catch up and go on.
    """

    written: str
    start: float
    end: float | None


def replay_policy(written: str, place: str = _PLACE) -> ReplayPolicy | None:
    """A replay policy out of the service's JSON; None if it is empty, which ends a replay.

    Raises:
        InvalidParameter: no policy.
    """
    policy = parse_body(written) if written else {}
    if policy == {}:
        return None
    prefix = f"Invalid parameter: {place}ReplayPolicy: "
    if not isinstance(policy, dict) or not {"PointType", "StartingPoint"} <= set(policy) <= _POINTS:
        raise InvalidParameter(f"{prefix}{written} is no object with {', '.join(sorted(_POINTS))}")
    if policy["PointType"] != "Timestamp":
        raise InvalidParameter(f"{prefix}PointType: {policy['PointType']} is none; allowed: Timestamp")
    times: dict[str, float] = {}
    for name in ("StartingPoint", "EndingPoint"):
        if name in policy:
            point = policy[name]
            time = seconds_of(point) if isinstance(point, str) else None
            if time is None:
                raise InvalidParameter(f"{prefix}{name}: {point} is no time such as 2026-01-01T00:00:00.000Z")
            times[name] = time
    return ReplayPolicy(written, times["StartingPoint"], times.get("EndingPoint"))


_POINTS = {"PointType", "StartingPoint", "EndingPoint"}


def replay(topic: FifoFanout, name: str, policy: ReplayPolicy | None, now: float) -> None:
    """Begin what a policy asks for; without one, end what is under way.

    Raises:
        InvalidParameter: the topic has no archive, or the end is before the start.
        ReplayLimitExceeded: too many are under way (SNS-ARC-3).
    """
    if policy is None:
        topic.resume(name, now)
    else:
        end = None if policy.end is None else policy.end - topic.epoch
        topic.replay(name, now, policy.start - topic.epoch, end)
