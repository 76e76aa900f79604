"""The command line: `msgsim run`, `outbox`, `cost`, `prices`, `examples`, `check`, `study`, `plan`, `compare`.

Exit status: 0 fine; 1 warnings of `msgsim check --strict`, an objective of `--assert` that is not met, a plan that
finds no value, or a bug in msgsim such as books that do not balance; 2 bad input, one line per problem; 130 Ctrl-C.
"""

from msgsim.cli.entry import main

__all__ = ["main"]
