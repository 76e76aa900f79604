"""Where the command begins, and where every error ends."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from os import devnull
from pathlib import Path

from cyclopts import CycloptsError

from msgsim.cli import check, compare, cost, explain, outbox, plan, recover, run, study  # noqa: F401 - each adds its commands, in the order of the help
from msgsim.cli.app import BAD_INPUT, FINE, INTERRUPTED, OUR_BUG, app
from msgsim.cli.words import complain, discard, in_words, warnings_in_a_line
from msgsim.errors import AuditError, MsgsimError


def main(argv: Sequence[str] | None = None) -> int:
    """The `msgsim` command.

    Args:
        argv: arguments; None for the process's own.

    Returns:
        The exit status.
    """
    if sys.stdout is None:  # it was closed before we began
        sys.stdout = Path(devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for the rest of the process
    with suppress(AttributeError, ValueError):  # a terminal that cannot show a character shows another
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        with warnings_in_a_line():
            status = app(sys.argv[1:] if argv is None else list(argv))
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output has seen enough
        discard(sys.stdout)
        return FINE
    except (CycloptsError, MsgsimError, OSError, MemoryError, RecursionError) as error:
        return complain(in_words(error), OUR_BUG if isinstance(error, AuditError) else BAD_INPUT)
    except KeyboardInterrupt:
        return complain("interrupted", INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - no input gives a traceback, not even one that finds a bug
        problem = f"{type(error).__name__}: {error}; this is a bug in msgsim, please report it with its input"
        return complain(problem, OUR_BUG)
    return int(status or FINE)
