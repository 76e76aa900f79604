"""How much Hypothesis tries: little at a desk, more and always the same where `CI` is set.

No example has a deadline: on a busy machine its time says nothing. And what coverage is measured by, where it is: each
module's own quick tests. The slow ones, those that look at sources, and those that compare with models and closed
forms, run unmeasured, and so does what they start.
"""

import gc
import os
from collections.abc import Generator
from pathlib import Path

import pytest
from coverage import Coverage
from hypothesis import HealthCheck, settings

settings.register_profile("dev", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "ci", max_examples=60, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

HERE = Path(__file__).parent
UNMEASURED = {
    HERE / place
    for place in (
        "properties",
        "differential",
        "theory",
        "test_benchmarks.py",
        "architecture/test_layers.py",
        "architecture/test_purity.py",
        "rules/test_traceability.py",
    )
}
INHERITED = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
"""By these, processes that a test starts are measured."""


def pytest_collection_finish() -> None:
    """Thousands of tests are there to stay: garbage collections need not look at them again and again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Stop measuring for a test that coverage does not count."""
    measuring = Coverage.current()
    counts = item.get_closest_marker("slow") is None and not {item.path, *item.path.parents} & UNMEASURED
    if measuring is None or counts:
        return (yield)
    measuring.stop()
    inherited = {name: os.environ.pop(name) for name in INHERITED if name in os.environ}
    try:
        return (yield)
    finally:
        os.environ.update(inherited)
        measuring.start()
