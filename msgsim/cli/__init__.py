"""The command line: `msgsim run`, `msgsim outbox`, `msgsim cost`, `msgsim prices`, `msgsim examples`, `msgsim check`.

Exit status: 0 fine, 1 warnings of `msgsim check --strict`, or a bug in msgsim, such as books that do not balance, 2 bad
input (one line per problem), 130 ended by Ctrl-C.
"""

from msgsim.cli.entry import main

__all__ = ["main"]
