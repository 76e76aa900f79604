"""What goes wrong, in one line each."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import O_WRONLY, devnull, dup2
from os import open as open_descriptor
from typing import Any, TextIO

from cyclopts import CycloptsError

from msgsim.cli.app import FINE
from msgsim.errors import AuditError


def in_words(error: Exception) -> str:
    """What is wrong, for whoever typed the command."""
    if isinstance(error, CycloptsError):
        return f"{error} Try: msgsim --help"
    if isinstance(error, AuditError):
        return f"the books do not balance, which is a bug in msgsim: {error}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, (MemoryError, RecursionError)):
        return f"too large for this machine ({type(error).__name__})"
    return str(error)


def complain(problem: str, status: int) -> int:
    """One line per problem on standard error; returns the status."""
    with suppress(OSError, ValueError):
        for line in problem.splitlines():
            text = f"msgsim: {' '.join(line.split())}\n"
            sys.stderr.write(text)
        sys.stderr.flush()
    return status


@contextmanager
def warnings_in_a_line() -> Iterator[None]:
    """A context in which a warning is a line on standard error, and not a piece of source."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        complain(f"warning: {message}", FINE)

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = show
        yield


def discard(stream: TextIO) -> None:
    """Let the interpreter's last flush go nowhere."""
    with suppress(OSError, ValueError, AttributeError):
        dup2(open_descriptor(devnull, O_WRONLY), stream.fileno())
