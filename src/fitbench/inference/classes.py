"""The class names of a run, for commands that answer with classes."""

from collections.abc import Mapping
from typing import Any

from fitbench.errors import RequestError
from fitbench.tasks import task_of
from fitbench.text import clean


def class_names(result: Mapping[str, Any], command: str) -> tuple[str, ...]:
    """Return the class names of a result.json, in the order of the model's outputs, for a command.

    Raises:
        RequestError: there is no such task, or the run has no class names.
    """
    task, names = task_of(result["task"]), result["data"].get("classes")
    if not names:
        raise RequestError(
            f"{clean(result['run_id'])}: result.json has no data.classes, because its task is {task.name}; {command} "
            "needs a run that classifies"
        )
    return tuple(names)
