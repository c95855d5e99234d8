"""Settings of the tests that make up bad input.

In the suite they try the same few inputs each time. `FITBENCH_FUZZ=100` tries a hundred times as many, and others each
time; a failure is then printed with the input that causes it, which belongs into an `@example`.
"""

import os

from hypothesis import HealthCheck, settings

TIMES = int(os.environ.get("FITBENCH_FUZZ", "1"))


def fuzz(examples: int) -> settings:
    """Settings for a test that tries so many inputs in the suite."""
    return settings(
        max_examples=examples * TIMES,
        derandomize=TIMES == 1,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
    )
