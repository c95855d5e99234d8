"""Settings of the tests that make up bad input.

In the suite they try the same few inputs each time. `FITBENCH_FUZZ=100` tries a hundred times as many, and others each
time; a failure is then printed with the input that causes it, which belongs into an `@example`.
"""

import os
from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

TIMES = int(os.environ.get("FITBENCH_FUZZ", "1"))


def fuzz(examples: int) -> settings:
    """Settings for a test that tries so many inputs in the suite."""
    return settings(
        max_examples=examples * TIMES,
        derandomize=TIMES == 1,
        database=None,
        deadline=None,
        print_blob=True,
        phases=[phase for phase in Phase if phase is not Phase.explain or TIMES > 1],  # explaining traces every line
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
    )


@st.composite
def edited(draw: Any, texts: st.SearchStrategy[str], inserted: Sequence[str], lines: Sequence[str] = ()) -> str:
    """One of the texts, from which pieces or lines are removed, and into which pieces or lines are inserted."""
    text = draw(texts)
    for edit in draw(st.lists(st.sampled_from(("insert", "remove", "line", "double", "drop")), min_size=1, max_size=4)):
        rows = text.split("\n")
        place, row = draw(st.integers(0, len(text))), draw(st.integers(0, len(rows) - 1))
        if edit == "insert":
            text = text[:place] + draw(st.sampled_from(inserted)) + text[place:]
        elif edit == "remove":
            text = text[:place] + text[place + draw(st.integers(1, 9)) :]
        elif edit == "line" and lines:
            indent = " " * draw(st.sampled_from((0, 0, 2, 4)))
            text = "\n".join([*rows[:row], indent + draw(st.sampled_from(lines)), *rows[row:]])
        elif edit == "double":
            text = "\n".join([*rows[:row], rows[row], *rows[row:]])
        elif edit == "drop":
            text = "\n".join([*rows[:row], *rows[row + 1 :]])
    return text
