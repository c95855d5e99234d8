"""The tables of the page about the commands: from the command line's own definitions, and from Hydra's parser."""

import inspect
from typing import Any, get_args, get_type_hints

import typer
from hydra._internal.utils import get_args_parser

from docs.generate.markdown import code, prose, table
from fitbench.cli import app

NAMES = {"str": "text", "int": "number", "float": "number", "Path": "path"}


def commands() -> str:
    """Every command: what it does, how it is called, its arguments and its options."""
    group: Any = typer.main.get_command(app)
    return "\n".join(_command(name, command) for name, command in group.commands.items())


def hydra_flags() -> str:
    """The flags of Hydra that `fitbench train` takes."""
    rows = [
        (", ".join(map(code, action.option_strings)), prose(str(action.help).splitlines()[0].strip().rstrip(":")))
        for action in get_args_parser()._actions
        if action.option_strings and action.dest != "shell_completion"  # it is refused
    ]
    return table(("flag", "meaning"), rows)


def _command(name: str, command: Any) -> str:
    hints = get_type_hints(inspect.unwrap(command.callback), include_extras=True)
    arguments = [item for item in command.params if item.param_type_name == "argument"]
    options = [item for item in command.params if item.param_type_name == "option"]
    usage = ["fitbench", name, *map(_place, arguments)]
    if command.context_settings.get("allow_extra_args", False):
        usage.append("[KEY=VALUE]...")
    if options:
        usage.append("[OPTIONS]")
    rows = [(code(_word(item)), "required" if item.required else "", prose(item.help or "")) for item in arguments]
    rows += [(_names(item, hints[item.name]), _default(item), prose(_help(item, hints[item.name]))) for item in options]
    parts = [f"## `fitbench {name}`\n", _help_text(command.help), f"```text\n{' '.join(usage)}\n```\n"]
    return "\n".join([*parts, table(("argument", "default", "meaning"), rows) if rows else ""])


def _help_text(text: str) -> str:
    return "\n\n".join(prose(" ".join(part.split())) for part in inspect.cleandoc(text).split("\n\n")) + "\n"


def _word(argument: Any) -> str:
    return (argument.metavar or argument.name.upper()).rstrip(".")


def _place(argument: Any) -> str:
    """How an argument stands in the line of a call."""
    words = _word(argument) + ("..." if argument.nargs == -1 else "")
    return words if argument.required else f"[{words}]"


def _names(option: Any, hint: Any) -> str:
    """The names of an option, and what follows it."""
    names = ", ".join([*option.opts, *option.secondary_opts])
    return code(names if option.is_flag else f"{names} {option.metavar or _kind(hint).upper()}")


def _kind(hint: Any) -> str:
    kinds = [kind for kind in _types(hint) if kind.__name__ in NAMES]
    return NAMES[kinds[0].__name__]


def _types(hint: Any) -> list[Any]:
    inner = [kind for part in get_args(hint) for kind in _types(part)]
    return inner or ([hint] if isinstance(hint, type) else [])


def _default(option: Any) -> str:
    if option.required:
        return "required"
    return "" if option.default is None or option.is_flag else code(str(option.default))


def _help(option: Any, hint: Any) -> str:
    """What an option is for, and the range of its values."""
    info = next((item for item in get_args(hint) if isinstance(item, typer.models.OptionInfo)), None)
    limits = {"from": getattr(info, "min", None), "to": getattr(info, "max", None)}
    ends = [f"{word} {limit}" for word, limit in limits.items() if limit is not None]
    return (option.help or "") + (f" ({' '.join(ends)})" if ends else "")
