"""The command `msgsim` itself: what its subcommands hang from, and the statuses that it ends with."""

import re
from collections.abc import Sequence

from cyclopts import App, Token

from msgsim.formats import release

FINE, OUR_BUG, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
WARNED = NOT_MET = 1

_WHOLE = re.compile(r"[+-]?\d{1,300}", re.ASCII)


def _version() -> str:
    return release() or "unknown (not installed)"


def whole(_kind: type, tokens: Sequence[Token]) -> int:
    """A whole number as it is written: what has a fraction is none, and is not rounded to one."""
    written = tokens[0].value.strip()
    if not _WHOLE.fullmatch(written):
        raise ValueError(f"{written!r} is not a whole number")  # becomes a CycloptsError that names the option
    return int(written)


app = App(
    name="msgsim",
    help="Simulate a message bus: topics, queues, workers and emails under traffic spikes, on virtual time.",
    version=_version,
    help_format="plaintext",
    print_error=False,
    exit_on_error=False,
    suppress_keyboard_interrupt=False,
    result_action="return_value",
)
