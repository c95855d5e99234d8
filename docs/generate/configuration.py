"""The tables of the configuration: from the schema, the signatures of the models and the files of conf/."""

from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel

from docs.generate import conf
from docs.generate.markdown import anchor, code, explained, prose, table
from docs.generate.schema import Key, keys_of
from fitbench.config import data_sections, logger_section, optimizer_section, schema, sweep_section, training_section
from fitbench.config.builders import SECTION, kinds_taken, settings_schema
from fitbench.config.describe import describe
from fitbench.kinds import KINDS
from fitbench.tables.schema import MatrixFile, MeasureFile, RowFile, TableFile
from fitbench.text import in_sentence
from fitbench.tuning.settings import Settings

HEADINGS = ("key", "default", "meaning, and what is allowed")
SECTIONS: dict[str, tuple[type[BaseModel], str, str]] = {  # schema, prefix of the keys, file of the defaults
    "Config": (schema.Config, "", "config"),
    "Training": (training_section.Training, "training.", "training/default"),
    "TensorBoardLogger": (logger_section.TensorBoardLogger, "logger.tensorboard.", "logger/tensorboard"),
    "MlflowLogger": (logger_section.MlflowLogger, "logger.mlflow.", "logger/mlflow"),
    "WandbLogger": (logger_section.WandbLogger, "logger.wandb.", "logger/wandb"),
    "Sweep": (sweep_section.Sweep, "sweep.", "sweep/default"),
    "Settings": (Settings, "search.", "search/default"),
}
UNIONS: dict[str, Any] = {
    "data": data_sections.AnyData,
    "distortion": schema.Distortion,
    "optimizer/schedule": optimizer_section.Schedule,
}
DISCRIMINATORS = ("kind", "source")  # of the unions; the choice of a file decides them


def choices(group: str) -> str:
    """The files of a group, with the comments at their top; those of models also with what the models take."""
    files = conf.files(group)
    if group != "model":
        return table((code(f"{group}="), "what it is"), [(code(file.name), prose(file.about)) for file in files])
    rows = [(code(file.name), prose(file.about), _taken(file)) for file in files]
    return table((code("model="), "what it is", "takes"), rows)


def _taken(file: conf.File) -> str:
    """The examples that a model takes, as 'images or series'."""
    inside, _ = _model_and_others(file.values)
    return in_sentence([KINDS[kind].plural for kind in kinds_taken(inside["_target_"]) or ()])


def settings(name: str) -> str:
    """The keys of a section that has one schema."""
    model, prefix, path = SECTIONS[name]
    values = conf.read(path).values
    if prefix.startswith("logger."):  # its files hold a section each
        values = {key.partition(".")[2]: value for key, value in values.items()}
    keys = [key for key in keys_of(model) if name != "Config" or key.name in schema.TOP_LEVEL]
    return table(HEADINGS, [_row(prefix + key.name, code(values.get(key.name, "")), key) for key in keys])


def union(group: str) -> str:
    """The keys of a group each of whose files has a schema of its own: their defaults, and which files have them."""
    files = conf.files(group)
    keys: dict[str, Key] = {}
    holders: dict[str, list[conf.File]] = {}
    for file in files:
        for key in keys_of(_member(UNIONS[group], file)):
            keys.setdefault(key.name, key)
            holders.setdefault(key.name, []).append(file)
    rows = []
    for name, key in keys.items():
        if name not in DISCRIMINATORS:
            some = [] if holders[name] == files else [file.name for file in holders[name]]
            rows.append(_row(f"{group.replace('/', '.')}.{name}", _defaults(holders[name], name), key, some))
    return table(HEADINGS, rows)


def models() -> str:
    """Each model with its settings: what its builder's signature allows, and what its file says of them."""
    return "\n".join(map(_model, conf.files("model")))


def optimizers() -> str:
    """The settings of the optimizers, and their defaults in each file."""
    files = conf.files("optimizer")
    keys = {key.name: key for key in keys_of(optimizer_section.Optimizer) if not key.name.startswith("schedule")}
    for file in files:
        for name in file.values:  # those that only Keras checks
            keys.setdefault(name, Key(name, "what Keras takes", True, "", file.comments.get(name, "")))
    return table(HEADINGS, [_row(f"optimizer.{name}", _defaults(files, name), key) for name, key in keys.items()])


def launcher(name: str) -> str:
    """The settings of a launcher. They have no schema here: the launcher checks them."""
    file = conf.read(f"hydra/launcher/{name}")
    rows = [
        (anchor(f"{name}.{key}", f"hydra.launcher.{key}"), code(value), prose(file.comments.get(key, "")))
        for key, value in file.values.items()
        if key != "_target_"
    ]
    return table((*HEADINGS[:2], "meaning"), rows)


TABLE_FILES = {
    "TableFile": (TableFile, "table"),
    "MeasureFile": (MeasureFile, "measure"),
    "RowFile": (RowFile, "row"),
    "MatrixFile": (MatrixFile, "matrix"),
}


def table_file(name: str) -> str:
    """The keys of table.yaml (TableFile), or of one of its parts, such as a row (RowFile)."""
    model, prefix = TABLE_FILES[name]
    rows = []
    for key in keys_of(model):
        if "." not in key.name:  # rows have a table of their own
            default = "required" if key.required else code(key.default)
            rows.append((anchor(f"{prefix}.{key.name}", key.name), *_row(key.name, default, key)[1:]))
    return table(HEADINGS, rows)


# -- rows -------------------------------------------------------------------------------------------------------------


def _row(name: str, default: str, key: Key, where: Sequence[str] = ()) -> tuple[str, str, str]:
    has_own_section = name in ("metrics", "logger")
    named = f"[`{name}`](#{name})" if has_own_section else anchor(name, name)
    return named, default, explained(key.meaning, key.allowed, where)


def _model(file: conf.File) -> str:
    inside, others = _model_and_others(file.values)
    comments, _ = _model_and_others(file.comments)
    builder = settings_schema(inside["_target_"])
    assert builder is not None, f"{inside['_target_']} has no signature that can be read"
    rows = []
    for key in keys_of(builder):
        if key.name not in (*SECTION, "examples"):  # fitbench supplies the number of examples
            named = anchor(f"model.{file.name}.{key.name}", f"model.{key.name}")
            meaning = explained(comments.get(key.name, ""), key.allowed)
            rows.append((named, code(inside.get(key.name, "null")), meaning))
    also = f" It also sets {', '.join(code(f'{key}={value}') for key, value in others.items())}." if others else ""
    settings = table(HEADINGS, rows) if rows else "It has no settings.\n"
    return f"### `{file.name}`\n\n{prose(file.about)}{also}\n\n{settings}"


def _model_and_others(values: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """What a file says of the model, by keys without `model.`, and of the rest of the configuration."""
    if not any(key.startswith("model.") for key in values):
        return values, {}
    inside = {key.removeprefix("model."): value for key, value in values.items() if key.startswith("model.")}
    return inside, {key: value for key, value in values.items() if not key.startswith("model.")}


def _member(members: Any, file: conf.File) -> type[BaseModel]:
    """The member of a discriminated union that a file is checked by."""
    for member in get_args(get_args(members)[0]):
        for name in DISCRIMINATORS:
            field = member.model_fields.get(name)
            if field and file.values[name] in describe(field.annotation).removeprefix("one of ").split(", "):
                return member
    raise ValueError(f"no schema is for conf's {file.name}")


def _defaults(files: Sequence[conf.File], key: str) -> str:
    """The defaults of a key, with the names of the files that have them where they differ."""
    holders: dict[str, list[str]] = {}
    for file in files:
        if key in file.values:
            holders.setdefault(file.values[key], []).append(file.name)
    if len(holders) > 3:
        return "its own"
    if list(holders.values()) == [[file.name for file in files]]:
        return "".join("required" if value == "???" else code(value) for value in holders)
    return "<br>".join(f"{code(value)} in {', '.join(names)}" for value, names in holders.items())
