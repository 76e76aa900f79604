"""Every error that msgsim raises on purpose.

```
MsgsimError
├── DeclarationError (ValueError)        a declaration or file that cannot be: says path, problem, what is allowed
│   └── TraceError                       a CSV that is not a usable traffic series: says the row
├── UnknownName (LookupError)            an entity, metric, statistic, example or path that does not exist
├── MissingExtra (ImportError)           an optional dependency is not installed: says which extra brings it
├── TimeRanBackwards (ValueError)        `now` is earlier than at the last call
├── TimeRanAhead (ValueError)            `now` is later than the time of the simulation
├── AuditError (AssertionError)          a run's books do not balance: a bug in msgsim, please report it
├── HandlerError (TypeError)             a handler returned something that is not an outcome
├── StudyError (RuntimeError)            a study of many runs can't go on; what has finished is kept
├── BusError                             a request that the real service would refuse, by its own error name
│   ├── InvalidParameterValue (ValueError)
│   ├── InvalidMessageContents (ValueError)
│   ├── MissingParameter (ValueError)
│   ├── QueueDoesNotExist (LookupError)
│   ├── ReceiptHandleIsInvalid (LookupError)
│   ├── OverLimit (RuntimeError)
│   ├── PurgeQueueInProgress (RuntimeError)
│   ├── RequestThrottled (RuntimeError)
│   ├── InvalidParameter (ValueError)    topics
│   ├── ReplayLimitExceeded (RuntimeError)
│   ├── Throttled (RuntimeError)         outboxes and topics over their rate or quota
│   ├── MessageRejected (ValueError)     outboxes
│   ├── SendingPaused (RuntimeError)     outboxes
│   │   └── ConfigurationSetPaused        the same for one configuration set
│   ├── AccountSuspended (RuntimeError)
│   ├── MailFromDomainNotVerified (ValueError)
│   ├── ConfigurationSetDoesNotExist (LookupError)
│   ├── TemplateDoesNotExist (LookupError)
│   ├── TenantDoesNotExist (LookupError)
│   └── RenderingFailure (ValueError)    a template and the data of an email that was accepted do not fit
└── ServiceError                         the same at the request surface: code, message, HTTP status
```

Each is also a builtin error, so that `except ValueError` keeps working.
"""

from collections.abc import Iterable
from difflib import get_close_matches

SHOWN = 400
"""The longest line of an error [characters]; what is longer quotes a value that nobody wants to read."""


def shortened(text: str) -> str:
    """A text that can be printed: without the middles of its lines that are too long, and without lone surrogates."""
    text = text.encode("utf-8", "backslashreplace").decode()
    return "\n".join(
        line if len(line) <= SHOWN else f"{line[: SHOWN // 2 - 2]} ... {line[3 - SHOWN // 2 :]}"
        for line in text.split("\n")
    )


class MsgsimError(Exception):
    """The root of the tree. A value that is quoted at length is cut short here, for all of them."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(shortened(arg) if isinstance(arg, str) else arg for arg in args))


class DeclarationError(MsgsimError, ValueError):
    """A declaration, scenario or file that cannot be.

    Args:
        path: where in the scenario, such as `workers.mailers.queue`, or the field, such as `Queue.delay`.
        problem: what was given and what is allowed.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path: str
        self.problem: str
        self.path, self.problem = self.args

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}" if self.path else self.problem


class TraceError(DeclarationError):
    """A CSV that is not a usable traffic series; `path` names the file, `problem` the row."""


class UnknownName(MsgsimError, LookupError):  # noqa: N818 - reads as what happened, as the services' own names do
    """A name that does not exist; the message says which do."""

    @classmethod
    def among(cls, what: str, given: object, known: Iterable[str]) -> "UnknownName":
        """Say what was given, the nearest right name, and what exists."""
        return cls(no_such(what, given, known))


class MissingExtra(MsgsimError, ImportError):  # noqa: N818 - as above
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"this needs {package}, which is not installed: pip install 'msgsim[{extra}]'")
        self.package = package
        self.extra = extra

    def __reduce__(self) -> tuple[type["MissingExtra"], tuple[str, str]]:
        return MissingExtra, (self.package, self.extra)


class TimeRanBackwards(MsgsimError, ValueError):  # noqa: N818 - as above
    """`now` is earlier than at the last call."""

    @classmethod
    def at(cls, name: str, now: float, last: float) -> "TimeRanBackwards":
        """Name the object that noticed and both times."""
        return cls(f"{name}: time can't go backwards: now={now!r} is earlier than the last call's {last!r}")


class TimeRanAhead(MsgsimError, ValueError):  # noqa: N818 - as above
    """`now` is later than the time of the simulation that the object is a part of."""

    @classmethod
    def at(cls, name: str, now: float, present: float) -> "TimeRanAhead":
        """Name the object that noticed and both times."""
        return cls(f"{name}: now={now!r} is in the future; the simulation is at {present!r}: run it until then first")


class AuditError(MsgsimError, AssertionError):
    """A run's books do not balance."""


class HandlerError(MsgsimError, TypeError):
    """A handler returned something that is not an outcome."""


class StudyError(MsgsimError, RuntimeError):
    """A study of many runs can't go on, or its results file can't be used; what has finished is kept.

    Attributes:
        study: the `Study` of the runs that have finished; None if there is none.
    """

    study: object = None


class BusError(MsgsimError):
    """A request that the real service would refuse."""


class InvalidParameterValue(BusError, ValueError):  # noqa: N818 - the service's name
    """SQS: a parameter is out of its range or does not fit the queue's state."""


class InvalidMessageContents(BusError, ValueError):  # noqa: N818 - the service's name
    """SQS: the body has characters that the service does not carry (SQS-SND-2)."""


class MissingParameter(BusError, ValueError):  # noqa: N818 - the service's name
    """SQS: a mandatory parameter is absent (SQS-SND-1)."""


class ReceiptHandleIsInvalid(BusError, LookupError):  # noqa: N818 - the service's name
    """SQS: not a receipt handle of this queue (SQS-VIS-9)."""


class QueueDoesNotExist(BusError, LookupError):  # noqa: N818 - the service's name
    """SQS: the queue was deleted (SQS-Q-3, SQS-Q-6)."""


class OverLimit(BusError, RuntimeError):  # noqa: N818 - the service's name
    """SQS: too many messages in flight for a short poll (SQS-INF-1)."""


class PurgeQueueInProgress(BusError, RuntimeError):  # noqa: N818 - the service's name
    """SQS: a purge came less than 60 s before (SQS-PRG-2)."""


class RequestThrottled(BusError, RuntimeError):  # noqa: N818 - the service's name
    """SQS: over the throughput of a FIFO queue; nothing was done (FIFO-TPS-4)."""


class InvalidParameter(BusError, ValueError):  # noqa: N818 - the service's name
    """SNS: a parameter is not acceptable (GEN-3)."""


class ReplayLimitExceeded(BusError, RuntimeError):  # noqa: N818 - the service's name
    """SNS: too many replays are under way (SNS-ARC-3)."""


class Throttled(BusError, RuntimeError):  # noqa: N818 - the service's name
    """SES and SNS: over the sending rate or quota; nothing was queued (SES-QUO-5, SNS-QUO-3)."""


class MessageRejected(BusError, ValueError):  # noqa: N818 - the service's name
    """SES: the email is not acceptable (SES-SND-2 ... SES-SND-4)."""


class SendingPaused(BusError, RuntimeError):  # noqa: N818 - the service's name
    """SES: sending is paused for the account (SES-REP-3)."""


class ConfigurationSetPaused(SendingPaused):
    """SES: sending is paused for the configuration set that the email names (SES-SND-4)."""


class AccountSuspended(BusError, RuntimeError):  # noqa: N818 - the service's name
    """SES: the account may not send any more, for good (SES-SND-4)."""


class MailFromDomainNotVerified(BusError, ValueError):  # noqa: N818 - the service's name
    """SES: the sender's own MAIL FROM domain fails, and is to stop emails then (SES-SND-4, SES-IDN-2)."""


class ConfigurationSetDoesNotExist(BusError, LookupError):  # noqa: N818 - the service's name
    """SES: no configuration set has the name that the email gives (SES-SND-4)."""


class TemplateDoesNotExist(BusError, LookupError):  # noqa: N818 - the service's name
    """SES: no template has the name that the email gives (SES-SND-4)."""


class TenantDoesNotExist(BusError, LookupError):  # noqa: N818 - the service's name
    """SES: no tenant has the name that the email gives (SES-SND-4)."""


class RenderingFailure(BusError, ValueError):  # noqa: N818 - the service's name
    """SES: a template cannot be filled with an email's data, which is found after acceptance (SES-SND-6)."""


class ServiceError(MsgsimError):
    """What the request surface answers instead of a result.

    Args:
        code: as on the wire (GEN-2, GEN-3).
        message: the service's text.
        status: HTTP status.
        shape: the error's name in the service's model, where it is another one: boto3 has it as `QueryErrorCode`
            (GEN-2).
    """

    def __init__(self, code: str, message: str, status: int = 400, shape: str = "") -> None:
        super().__init__(code, message, status, shape)
        self.code = code
        self.message = message
        self.status = status
        self.shape = shape or code

    def __str__(self) -> str:
        return f"{self.code} ({self.status}): {self.message}"


def no_such(what: str, given: object, known: Iterable[str]) -> str:
    """The sentence for a name that does not exist: the nearest right one, and all that are declared.

    >>> no_such("queue", "emial", ["emails", "audit"])
    "no queue named 'emial'; did you mean 'emails'? declared: audit, emails"
    """
    names = sorted(known)
    near = get_close_matches(str(given)[:SHOWN], names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"no {what} named {given!r}; {hint}declared: {', '.join(names) if names else 'none'}"
