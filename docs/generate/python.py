"""The page about the Python functions: their signatures and docstrings."""

import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import fitbench
from docs.generate.markdown import prose

FUNCTIONS = ("train", "sweep", "search", "runs", "compare", "load_runs", "load_history")
HEADS = ("Args", "Returns", "Raises", "Attributes", "Example")  # of the parts of a docstring
ENTRY = re.compile(r"([\w, ]+): (.*)", re.DOTALL)


def functions() -> str:
    """Every function, the class `Run` with its attributes and methods, and the errors."""
    parts = [_callable(f"fitbench.{name}", getattr(fitbench, name), "##") for name in FUNCTIONS]
    run = fitbench.Run
    parts.append(_callable("fitbench.Run", run, "##"))
    for name, member in vars(run).items():
        if not name.startswith("_"):
            parts.append(_property(name, member) if isinstance(member, property) else _callable(name, member, "###"))
    errors = [getattr(fitbench, name) for name in fitbench.__all__ if name.endswith(("Error", "Failed"))]
    parts.append("## Errors\n")
    parts += [f"- `fitbench.{error.__name__}`: {prose(_paragraphs(error)[0])}" for error in errors]
    return "\n".join(parts)


def _callable(name: str, function: Any, level: str) -> str:
    signature = re.sub(r"\bself, |\bself\b", "", str(inspect.signature(function)))
    signature = re.sub(r"(: |-> )'([^']*)'", r"\1\2", signature).removesuffix(" -> None")
    return f"{level} `{name}`\n\n```python\n{name}{_folded(signature)}\n```\n\n{_described(function)}"


def _folded(signature: str) -> str:
    """A signature with an argument in each line if it is long."""
    arguments, end = signature[1:].rsplit(")", 1)
    if len(signature) < 80:
        return signature
    lines = re.split(r", (?![^\[]*\])", arguments)
    return "(\n" + "".join(f"    {line},\n" for line in lines) + f"){end}"


def _property(name: str, member: property) -> str:
    return f"### `{name}`\n\n{_described(member)}"


def _paragraphs(item: Any) -> list[str]:
    return inspect.cleandoc(item.__doc__).split("\n\n")


def _described(item: Any) -> str:
    """A docstring as Markdown: paragraphs, and lists of arguments and errors."""
    return "\n".join(part for paragraph in _paragraphs(item) for part in _part(paragraph)) + "\n"


def _part(paragraph: str) -> Iterator[str]:
    head, _, rest = paragraph.partition(":\n")
    if head not in HEADS:
        yield prose(" ".join(paragraph.split())) + "\n"
        return
    body = textwrap.dedent(rest)
    if head == "Example":
        yield f"```python\n{body}\n```\n"
        return
    yield f"**{head}**\n"
    for entry in re.split(r"\n(?! )", body):
        text = " ".join(entry.split())
        named = ENTRY.fullmatch(text) if head != "Returns" else None
        yield f"- `{named[1]}`: {prose(named[2])}" if named else prose(text)
    yield ""
