"""The class names of a run, for commands that answer with classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fitbench.errors import RequestError
from fitbench.tasks import task_of
from fitbench.text import clean


def class_names(result: Mapping[str, Any], command: str) -> tuple[str, ...]:
    """Return the class names that result.json records, in the order of the model's outputs.

    Args:
        result: the content of result.json.
        command: the command that needs them, for the message.

    Raises:
        RequestError: there is no such task, or the task has no classes.
    """
    task = task_of(result["task"])
    names = result["data"].get("classes")
    if not names:
        raise RequestError(
            f"{clean(result['run_id'])}: the task {task.name} has no class names here (data.classes of result.json); "
            f"{command} needs a run that classifies"
        )
    return tuple(names)
