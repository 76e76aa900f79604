"""How many machine instructions a message costs in each form of a model: a number that the load of the machine spares.

`python benchmarks/instructions.py spike orders` runs each form under `valgrind --tool=callgrind` at a twentieth and at
a tenth of the size. The difference leaves out the start of Python, imports and wiring, so it is the cost of the
messages that one run has more than the other. Strings hash the same way each time (`PYTHONHASHSEED=0`). SimPy takes
minutes, so it is asked for: `--simpy`.
"""

import os
import re
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path

from compare import FORMS, YARDSTICK

SCALES = (0.05, 0.1)
SCRIPTS = ("spike", "mmc", "topic", "orders")
_COLLECTED = re.compile(r"Collected : (\d+)")


def instructions(script: str, form: str, scale: float) -> tuple[int, int]:
    """Run one form of a model; gives its instructions and its messages."""
    return counted(str(Path(__file__).with_name(f"{script}.py")), form, scale)


def counted(path: str, form: str, scale: float) -> tuple[int, int]:
    """The same of a script anywhere that knows `--only` and `--scale`."""
    tool = ("valgrind", "--tool=callgrind", f"--callgrind-out-file={os.devnull}")
    run = subprocess.run(  # noqa: S603 - the arguments are the benchmarks' own
        [*tool, sys.executable, path, "--only", form, "--scale", str(scale)],
        env=os.environ | {"PYTHONHASHSEED": "0"},
        capture_output=True,
        check=True,
        text=True,
    )
    collected = _COLLECTED.search(run.stderr)
    assert collected, f"no count from valgrind: {run.stderr}"
    return int(collected[1]), int(run.stdout)


def per_message(script: str, form: str) -> float:
    """The instructions of one message: the difference of two sizes."""
    (less, few), (more, many) = (instructions(script, form, scale) for scale in SCALES)
    return (more - less) / (many - few)


def main() -> None:
    parser = ArgumentParser(description="Count the instructions per message of each form of a model.")
    parser.add_argument("script", nargs="*", choices=[[], *SCRIPTS], help="the models; all if none is given")
    parser.add_argument("--simpy", action="store_true", help="idiomatic SimPy, too")
    options = parser.parse_args()
    forms = FORMS if options.simpy else FORMS[:-1]
    for script in options.script or SCRIPTS:
        print(f"{script:17}{'per message':>13}{'x bare':>8}")
        counts: dict[str, float] = {}
        for form in forms:
            count = counts[form] = per_message(script, form)
            print(f"{form:17}{count:13,.0f}{count / counts[YARDSTICK]:8.2f}", flush=True)


if __name__ == "__main__":
    main()
