"""`import msgsim` is light: notebooks, tests and every worker process of a study pay for it."""

import subprocess
import sys

from tests.architecture.sources import ROOT

HEAVY = [
    "boto3",
    "cattrs",
    "cryptography",
    "cyclopts",
    "hypothesis",
    "matplotlib",
    "numpy",
    "pandas",
    "rich",
    "scipy",
    "tomli_w",
]

EDGES = ["cli", "frames", "plot", "report", "summary", "tables", "testing", "toml"]

BUDGET = 270
"""Modules that come with `import msgsim`; most are the standard library's, on behalf of SimPy and attrs."""

SOURCE = """
import sys
before = set(sys.modules)
import msgsim
print(*sorted(set(sys.modules) - before))
"""


def _loaded() -> list[str]:
    command = [sys.executable, "-c", SOURCE]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)  # noqa: S603 - this very Python
    return done.stdout.split()


def test_importing_is_light() -> None:
    loaded = _loaded()
    roots = {name.partition(".")[0] for name in loaded}
    assert "msgsim" in roots
    assert not roots & set(HEAVY)
    assert not {f"msgsim.{edge}" for edge in EDGES} & set(loaded)
    assert not roots & {"asyncio", "concurrent", "http", "multiprocessing", "sqlite3", "ssl", "unittest"}
    assert len(loaded) <= BUDGET, f"{len(loaded)} modules: which of them can be loaded where it is used?"
