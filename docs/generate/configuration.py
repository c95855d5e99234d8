"""The tables of the page about the configuration: from the schema, the builders' signatures and the files of conf/."""

import inspect
import math
import re
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel

from docs.generate import conf
from docs.generate.markdown import anchor, as_yaml, code, prose, table
from docs.generate.schema import Key, keys_of
from fitbench import metrics
from fitbench.config import schema
from fitbench.config.builders import SECTION, settings_schema
from fitbench.config.describe import describe
from fitbench.errors import RequestError
from fitbench.search.settings import Settings
from fitbench.tables.schema import RowFile, TableFile

HEADINGS = ("key", "default", "allowed", "meaning")
SECTIONS: dict[str, tuple[type[BaseModel], str]] = {  # of the configuration: its schema, and the file of its defaults
    "Config": (schema.Config, "config"),
    "Training": (schema.Training, "training/default"),
    "Settings": (Settings, "search/default"),
}
KINDS: dict[str, Any] = {"data": schema.AnyData, "distortion": schema.Distortion, "optimizer/schedule": schema.Schedule}


def choices(group: str) -> str:
    """The files of a group, with the comments at their top."""
    rows = [(code(file.name), prose(file.about) or "as its name says") for file in conf.in_group(group.rstrip("/"))]
    return table((f"`{group.rstrip('/')}=`", "what it is"), rows)


def settings(name: str) -> str:
    """The keys of a section that has one schema."""
    model, path = SECTIONS[name]
    file = conf.read(path)
    prefix = {"Config": "", "Training": "training.", "Settings": "search."}[name]
    rows = []
    for key in keys_of(model):
        if name == "Config" and key.name.partition(".")[0] not in schema.TOP_LEVEL:
            continue
        default = file.values.get(key.name, "")
        full = prefix + key.name
        named = anchor(full, full) if full != "metrics" else "[`metrics`](#metrics)"
        rows.append((named, code(default), prose(key.allowed), prose(key.meaning)))
    return table(HEADINGS, rows)


def kinds(group: str) -> str:
    """The keys of a group whose files have schemas of their own: which files have a key, and its defaults."""
    group = group.rstrip("/")
    files = conf.in_group(group)
    known: dict[str, Key] = {}
    holders: dict[str, list[str]] = {}
    for file in files:
        for key in keys_of(_member(KINDS[group], file)):
            known[key.name] = _fuller(known.get(key.name), key)
            holders.setdefault(key.name, []).append(file.name)
    prefix = group.replace("/", ".")
    rows = []
    for name, key in known.items():
        if name in ("kind", "source"):
            continue  # the choice of the file decides it
        having = [file for file in files if file.name in holders[name]]
        of = "" if having == files else ", ".join(code(file.name) for file in having)
        full = f"{prefix}.{name}"
        rows.append((anchor(full, full), of, _defaults(having, name), prose(key.allowed), prose(key.meaning)))
    return table(("key", "in", *HEADINGS[1:]), rows)


def models(_: str = "") -> str:
    """Each model with its settings, which its builder's signature allows."""
    parts = []
    for file in conf.in_group("model"):
        own = {key.removeprefix("model."): value for key, value in file.values.items()}
        comments = {key.removeprefix("model."): value for key, value in file.comments.items()}
        others = [f"{key}={value}" for key, value in file.values.items() if not _of_model(key, file)]
        settings = settings_schema(own["_target_"])
        assert settings is not None
        rows = [
            (anchor(f"model.{file.name}.{key.name}", f"model.{key.name}"), code(own.get(key.name, "null")),
             prose(key.allowed), prose(comments.get(key.name, "")))
            for key in keys_of(settings)
            if key.name not in (*SECTION, "examples")
        ]  # fmt: skip
        also = f" It also sets {', '.join(map(code, others))}." if others else ""
        parts += [f"### `{file.name}` {{ #model.{file.name} }}\n", f"{prose(file.about)}{also}\n"]
        parts.append(table(HEADINGS, rows) if rows else "It has no settings.\n")
    return "\n".join(parts)


def optimizers(_: str = "") -> str:
    """The settings of the optimizers, and their defaults in each file."""
    files = conf.in_group("optimizer")
    known = {key.name: key for key in keys_of(schema.Optimizer) if not key.name.startswith("schedule")}
    comments = {name: comment for file in files for name, comment in file.comments.items()}
    rows = []
    for name in dict.fromkeys([*known, *(name for file in files for name in file.values)]):
        key = known.get(name)
        allowed, meaning = (key.allowed, key.meaning) if key else ("what Keras takes", comments.get(name, ""))
        full = f"optimizer.{name}"
        rows.append((anchor(full, full), _defaults(files, name), prose(allowed), prose(meaning)))
    return table(HEADINGS, rows)


def launcher(name: str) -> str:
    """The settings of a launcher, which has no schema of ours."""
    name = name.rstrip("/")
    file = conf.read(f"hydra/launcher/{name}")
    rows = [
        (anchor(f"{name}.{key}", f"hydra.launcher.{key}"), code(value), prose(file.comments.get(key, "")))
        for key, value in file.values.items()
        if key != "_target_"
    ]
    return table(("key", "default", "meaning"), rows)


def search(_: str = "") -> str:
    """The settings of a search."""
    return settings("Settings")


def table_file(name: str) -> str:
    """The keys of table.yaml, or of one of its rows."""
    model = {"TableFile": TableFile, "RowFile": RowFile}[name]
    prefix = {"TableFile": "table", "RowFile": "row"}[name]
    rows = [
        (anchor(f"{prefix}.{key.name}", key.name), "required" if key.required else code(key.default),
         prose(key.allowed), prose(key.meaning))
        for key in keys_of(model)
        if "." not in key.name
    ]  # fmt: skip
    return table(HEADINGS, rows)


# -- metrics ----------------------------------------------------------------------------------------------------------


def metrics_of_fitbench(_: str = "") -> str:
    """The metrics that fitbench supplies."""
    every = {name: metric for task in (metrics.CLASSIFICATION, metrics.REGRESSION) for name, metric in
             metrics.for_task(task).items() if name != "loss"}  # fmt: skip
    every["top_K_accuracy"] = metrics.get("top_5_accuracy")
    rows = [
        (
            code(name),
            ", ".join(metric.tasks),
            "larger" if metric.direction == "max" else "smaller",
            f"{_end(metric.low)} to {_end(metric.high)}",
            prose(_first_line(metric.score)),
        )
        for name, metric in every.items()
    ]
    return table(("metric", "task", "better", "range", "what it is"), rows)


def own_metric(_: str = "") -> str:
    """The keys of a metric of the user's."""
    defaults = metrics.description("NAME", {"direction": "max"}, "", RequestError)
    described = _attributes(metrics.Metric)
    target = (
        "_target_",
        "",
        "the dotted name of a function (targets, outputs) -> number, or of the class of a Keras metric",
    )
    rows = [target]
    for key in metrics.DESCRIPTION:
        value = defaults[key]
        default = "" if key in ("direction", "label") else as_yaml(None if value in (math.inf, -math.inf) else value)
        rows.append((key, default, described[key]))
    rows.append(("any other key", "", "a keyword argument of the function or class"))
    return table(
        ("key", "default", "meaning"),
        [(code(key) if " " not in key else key, code(default), prose(meaning)) for key, default, meaning in rows],
    )


def _attributes(kind: type) -> dict[str, str]:
    """What the docstring of a class says of each attribute; several may stand together before one colon."""
    section = (inspect.getdoc(kind) or "").partition("Attributes:\n")[2]
    texts: dict[str, str] = {}
    for names, text in re.findall(r"^    ([\w, ]+): ((?:.+\n?)(?:        .+\n?)*)", section, re.MULTILINE):
        texts |= {name.strip(): " ".join(text.split()) for name in names.split(",")}
    return texts


def _first_line(score: Any) -> str:
    """The first line of the docstring of a scoring function."""
    function = getattr(score, "func", score)  # of functools.partial
    return (inspect.getdoc(function) or "").splitlines()[0]


def _end(limit: float) -> str:
    return "∞" if limit == math.inf else "-∞" if limit == -math.inf else f"{limit:g}"


# -- files and schemas ------------------------------------------------------------------------------------------------


def _member(union: Any, file: conf.File) -> type[BaseModel]:
    """The member of a discriminated union that a file is checked by."""
    members, *_ = get_args(union)
    for member in get_args(members):
        for name in ("kind", "source"):
            field = member.model_fields.get(name)
            if field is not None and file.values[name] in describe(field.annotation).removeprefix("one of ").split(
                ", "
            ):
                return member
    raise ValueError(f"{file.name} has no schema")


def _fuller(one: Key | None, other: Key) -> Key:
    """Of two keys of the same name, the one that allows more."""
    return one if one is not None and len(one.allowed) >= len(other.allowed) else other


def _defaults(files: Sequence[conf.File], key: str) -> str:
    """The defaults of a key, with the files that have them where they differ."""
    holders: dict[str, list[str]] = {}
    for file in files:
        if key in file.values:
            holders.setdefault(file.values[key], []).append(file.name)
    if len(holders) > 3:
        return "its own"
    if list(holders.values()) == [[file.name for file in files]]:
        return "".join("required" if value == "???" else code(value) for value in holders)
    return "; ".join(f"{code(value)} ({', '.join(names)})" for value, names in holders.items())


def _of_model(key: str, file: conf.File) -> bool:
    return key.startswith("model.") or not any(name.startswith("model.") for name in file.values)
