"""The output of `fitbench search`: a line for each trial that ends, and at the end the best and the importances."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from fitbench.analysis.search_record import objective_text, parted, short_names, why_unrated
from fitbench.columns import Column, print_columns
from fitbench.config import fold_overrides
from fitbench.text import clean, console, counted, duration

SHOWN = 10  # trials in the table
SEEDS = 5  # over which the printed commands train the best trial
ON_ALL = ("training.validation_split=0", "training.early_stopping=null")  # no example is held back


def choices(trial: dict[str, Any], space: dict[str, Any]) -> str:
    """The choices of a trial, as 'optimizer=adam learning_rate=0.0012'."""
    short = short_names([parted(name)[0] for name in space])
    chosen = ((parted(name)[0], value) for name, value in trial["params"].items() if name in space)
    return " ".join(f"{short[key]}={value_text(value)}" for key, value in chosen)


def value_text(value: Any) -> str:
    """A parameter's value for people."""
    return f"{value:.3g}" if isinstance(value, float) else clean(value)


def outcome(trial: dict[str, Any], record: dict[str, Any]) -> str:
    """How a trial ended, as 'val_accuracy 0.9712', 'pruned after epoch 3, val_accuracy 0.4' or 'failed: ..'."""
    if trial["state"] == "failed":
        return f"failed: {clean(trial['error'] or 'of an unknown cause')}"
    pairs = zip(record["objectives"], trial["values"] or [], strict=False)
    values = "  ".join(f"{objective['name']} {objective_text(objective, value)}" for objective, value in pairs)
    return values if trial["state"] == "finished" else f"pruned after epoch {trial['epochs']}, {values}"


def print_summary(record: dict[str, Any], commands: Mapping[str, str], drawn: str | None) -> None:
    """Print the counts, the best trials, the importances, the drawn files, and the commands that train the best."""
    out = console()
    counts = Counter(trial["state"] for trial in record["trials"])
    states = ", ".join(f"{counts[state]:,} {state}" for state in ("finished", "pruned", "failed") if counts[state])
    rest = "".join(f", {counts[state]:,} {state}" for state in ("running", "interrupted") if counts[state])
    out.print(f"{counted(len(record['trials']), 'trial')}: {states or 'none ended'}{rest}", soft_wrap=True)
    if record["folds"]:
        of_seeds = f" and {record['seeds']} seeds each" * (record["seeds"] > 1)
        out.print(f"the value of a trial is the mean over {record['folds']} folds{of_seeds}", soft_wrap=True)
    by_number = {trial["number"]: trial for trial in record["trials"]}
    best = [by_number[number] for number in record["best"]]
    if not best:
        return
    if len(record["objectives"]) > 1:
        out.print(f"{len(best):,} of them on the Pareto front: no other is better in every objective", soft_wrap=True)
    dropped = print_columns(out, _columns(best[:SHOWN], record))
    if dropped:
        out.print(f"in a wider terminal: {', '.join(dropped)}", style="dim", soft_wrap=True)
    short = short_names(list(record["space"]))
    for name, shares in record["importance"].items():
        texts = ", ".join(f"{short[key]} {share:.2f}" for key, share in shares.items())
        out.print(f"Importance for {name}: {texts or why_unrated(record)}", soft_wrap=True)
    if drawn is not None:
        out.print(drawn, soft_wrap=True)
    for what, command in commands.items():
        print(f"{what}:\n  {command}")


def _columns(trials: Sequence[dict[str, Any]], record: dict[str, Any]) -> list[Column]:
    columns = [Column("trial", [str(trial["number"]) for trial in trials])]
    for i, objective in enumerate(record["objectives"]):
        columns.append(Column(objective["name"], [objective_text(objective, trial["values"][i]) for trial in trials]))
    names: dict[str, list[str]] = {}
    for name in record["space"]:
        names.setdefault(parted(name)[0], []).append(name)
    for key, heading in short_names(list(names)).items():
        chosen = ([trial["params"][name] for name in names[key] if name in trial["params"]] for trial in trials)
        cells = [value_text(values[0]) if values else "-" for values in chosen]
        number = all(record["space"][name]["kind"] != "choice" for name in names[key])
        columns.append(Column(heading, cells, right=number, spare=1))
    columns.append(Column("epochs", [str(trial["epochs"] or "-") for trial in trials], spare=2))
    seconds = [trial["ended"] - trial["began"] for trial in trials]
    columns.append(Column("duration", [duration(value) for value in seconds], spare=3))
    folders = [trial["run_ids"][0] if trial["run_ids"] else "-" for trial in trials]
    columns.append(Column("run", [clean(folder) for folder in folders], right=False, spare=4))
    return columns


def train_commands(overrides: Sequence[str], study: str, folds: int | None, on_all: bool) -> dict[str, str]:
    """The commands that train a trial's configuration over several seeds, ready to paste, by what they do.

    Args:
        overrides: of the configuration, without those of folds.
        study: the name of the study.
        folds: of the search; None without folds.
        on_all: after a search over folds, add the command with the overrides `ON_ALL`.
    """

    def command(*words: str) -> str:
        return shlex.join(["fitbench", "train", "-m", *overrides, *words, f"study={study}", f"seed=range({SEEDS})"])

    if folds is None:
        return {f"Train the best over {SEEDS} seeds": command()}
    of_folds = (*fold_overrides(folds), f"fold=range({folds})")
    commands = {f"Train the best over {folds} folds and {SEEDS} seeds": command(*of_folds)}
    if on_all:
        commands["Train the best on all training examples"] = command(*ON_ALL)
    return commands
