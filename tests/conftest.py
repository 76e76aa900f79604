"""How much Hypothesis tries: little at a desk, more and always the same where `CI` is set, less of it for coverage.

No example has a deadline: on a busy machine its time says nothing.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("dev", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "ci",
    max_examples=30 if "COVERAGE_RUN" in os.environ else 60,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
