"""`python -m msgsim` is the `msgsim` command."""

import sys

from msgsim.cli import main

if __name__ == "__main__":
    sys.exit(main())
