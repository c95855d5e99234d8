"""Ways to spoil a good run folder, by name, as a stranger's or a damaged disk's may be."""

import json
import os
import shutil
import socket
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .run_folders import as_task, close_values, several_labels

Spoil = Callable[[Path], None]


@dataclass(frozen=True)
class Hostile:
    """A way to spoil a run folder.

    Attributes:
        spoil: does it.
        state: of the good run: finished, unfinished or pruned; or regression or multilabel, which are finished.
        reason: what `load_runs` says of it, as a regular expression; '' where the run is listed.
        shown: what `show` says of it, likewise; None: the same; '' where it is shown.
    """

    spoil: Spoil
    state: str = "finished"
    reason: str = ""
    shown: str | None = None


# -- what stands in the place of a file -------------------------------------------------------------------------------


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    here = os.open(".", os.O_RDONLY)
    os.chdir(path.parent)  # the path of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path.name)
    finally:
        os.fchdir(here)
        os.close(here)


def _outside(path: Path) -> None:
    """A link to a file that is not in the outputs folder."""
    target = path.parents[3] / "elsewhere"
    target.write_text("{}")
    path.symlink_to(target)


INSTEAD: dict[str, tuple[Spoil, str]] = {
    "FIFO": (_fifo, "a FIFO, not a regular file"),
    "socket": (_socket, "a socket, not a regular file"),
    "folder": (Path.mkdir, "a folder, not a regular file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "a device, not a regular file"),
    "root": (lambda path: path.symlink_to("/"), "a folder, not a regular file"),
    "outside": (_outside, "a link to .*elsewhere, which is outside of .*outputs"),
}


def instead(name: str, put: Spoil) -> Spoil:
    """Spoils a folder by putting something in the place of a file."""

    def spoil(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).parent.mkdir(exist_ok=True)
        put(folder / name)

    return spoil


def replaced(name: str, content: bytes | str) -> Spoil:
    """Spoils a folder by writing this content into a file."""

    def spoil(folder: Path) -> None:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return spoil


# -- what is in a file ------------------------------------------------------------------------------------------------


def edited(name: str, key: str, value: Any, new_key: str | None = None) -> Spoil:
    """Spoils a folder by setting a value of a JSON file; its key is dotted, with `new_key` below it if given.

    A text that begins with `raw:` is written as it is, without quotes.
    """

    def spoil(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        section = content
        *path, last = [*key.split("."), *([new_key] if new_key is not None else [])]
        for part in path:
            section = section[part]
        section[last] = value
        text = json.dumps(content)
        if isinstance(value, str) and value.startswith("raw:"):
            text = text.replace(json.dumps(value), value.removeprefix("raw:"))
        (folder / name).write_text(text)

    return spoil


def added(text: str) -> Spoil:
    """Spoils a folder by adding lines to config.yaml."""

    def spoil(folder: Path) -> None:
        with (folder / "config.yaml").open("a") as file:
            file.write(text)

    return spoil


def claim(**values: Any) -> Spoil:
    """Spoils a folder by a claim with these values."""
    good = {"host": socket.gethostname(), "boot": None, "namespace": None, "pid": 1, "start": "1"}
    return replaced("claim.json", json.dumps(good | values))


def history(*epochs: dict[str, Any]) -> Spoil:
    """Spoils a folder by these lines in its history."""
    return replaced("history.jsonl", "".join(f"{json.dumps(epoch)}\n" for epoch in epochs))


def _bomb(folder: Path) -> None:
    """Arrays that expand a thousandfold."""
    with zipfile.ZipFile(folder / "predictions.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, count in {"labels": 9_000_000, "probabilities": 1, "data_sha256": 1}.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (count,)})
                file.write(bytes(8 * count))


def _negative(folder: Path) -> None:
    """Probabilities that are none."""
    arrays = dict(np.load(folder / "predictions.npz"))
    np.savez(folder / "predictions.npz", **{**arrays, "probabilities": arrays["probabilities"] - 0.5})


def arrays(**changed: Callable[[np.ndarray], np.ndarray]) -> Spoil:
    """Spoils a folder by changing arrays of its predictions."""

    def spoil(folder: Path) -> None:
        found = dict(np.load(folder / "predictions.npz"))
        changes = {name: change(found[name]) for name, change in changed.items()}
        np.savez(folder / "predictions.npz", **{**found, **changes})

    return spoil


def _filled(value: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda array: np.full(array.shape, value, np.float64 if abs(value) > 1e38 else array.dtype)


def _signs(array: np.ndarray) -> np.ndarray:
    return np.sign(array) * np.float64(1e308)


def _many_targets(folder: Path) -> None:
    edited("result.json", "data.targets", [f"t{i}" for i in range(10_000)])(folder)
    arrays(targets=lambda array: np.tile(array, 5_000), values=lambda array: np.tile(array, 5_000))(folder)


def _many_labels(folder: Path) -> None:
    edited("result.json", "data.labels", [f"l{i}" for i in range(9_000)])(folder)
    arrays(labels=lambda array: np.tile(array, 3_000), probabilities=lambda array: np.tile(array, 3_000))(folder)


def _many_examples(folder: Path) -> None:
    edited("result.json", "data.test", 400_000)(folder)
    arrays(**dict.fromkeys(("targets", "values", "rows"), lambda array: array.repeat(10_000, axis=0)))(folder)


def _many_classes(folder: Path) -> None:
    edited("result.json", "data.classes", [f"c{i}" for i in range(100_000)])(folder)
    edited("result.json", "data.test", 1)(folder)
    sha256 = np.array(json.loads((folder / "result.json").read_text())["data"]["sha256"])
    labels, probabilities = np.zeros(1, int), np.zeros((1, 100_000), np.float32)
    np.savez(folder / "predictions.npz", labels=labels, probabilities=probabilities, data_sha256=sha256)


DEEP = "raw:" + "[" * 900 + "]" * 900
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
ODD = "<b>=1+1\x1b[31m\n\u202e"
WEIRD = dict.fromkeys(("<script>alert(1)</script>", "=1+1", "a\nb", "\x1b[31m", "\ud800", "x y", "val_", ""), 0.5)

NOTES = {
    "empty": "", "zeros": bytes(5000), "a list": "[1]", "900 lists": "[" * 900, "schema 2": '{"schema": 2}',
    "tags of text": '{"schema": 1, "tags": "x"}', "odd tags": json.dumps({"schema": 1, "tags": [ODD, "\ud800", 1]}),
    "many tags": json.dumps({"schema": 1, "tags": [f"t{i}" for i in range(10**5)]}),
    "odd note": json.dumps({"schema": 1, "note": ODD + "\ud800"}), "half": b'{"schema": 1, "note": "\xff"}',
    "long note": json.dumps({"schema": 1, "note": "x" * 10**7}), "5000 digits": '{"schema": 1%s}' % ("0" * 5000),
}  # fmt: skip

HOSTILE: dict[str, Hostile] = {
    **{f"result.json: {kind}": Hostile(instead("result.json", put), "finished", f"result.json: {reason}")
       for kind, (put, reason) in INSTEAD.items()},
    **{f"config.yaml: {kind}": Hostile(instead("config.yaml", put), "unfinished", f"config.yaml: {reason}")
       for kind, (put, reason) in INSTEAD.items()},
    **{f"pruned.json: {kind}": Hostile(instead("pruned.json", put), "pruned", f"pruned.json: {reason}")
       for kind, (put, reason) in INSTEAD.items()},
    **{f"claim.json: {kind}": Hostile(instead("claim.json", put), "unfinished", f"claim.json: {reason}")
       for kind, (put, reason) in INSTEAD.items()},
    **{f"history.jsonl: {kind}": Hostile(instead("history.jsonl", put), shown=f"history.jsonl: {reason}")
       for kind, (put, reason) in INSTEAD.items()},
    **{f"predictions.npz: {kind}": Hostile(instead("predictions.npz", put), shown=f"predictions.npz: {reason}")
       for kind, (put, reason) in INSTEAD.items()},
    **{f"evaluation: {kind}": Hostile(instead("evaluations/x.json", put), shown=f"x.json: {reason}")
       for kind, (put, reason) in INSTEAD.items() if kind != "outside"},
    **{f"error.txt: {kind}": Hostile(instead("error.txt", put), "unfinished") for kind, (put, _) in INSTEAD.items()},
    **{f"model.keras: {kind}": Hostile(instead("model.keras", put)) for kind, (put, _) in INSTEAD.items()},
    "evaluations: root": Hostile(instead("evaluations", lambda path: path.symlink_to("/")),
                                 shown="evaluations: a link to /, which is outside of .*outputs"),
    "claim.json: a link to nothing": Hostile(instead("claim.json", lambda path: path.symlink_to("nothing")),
                                             "unfinished", "claim.json: a link to a file that does not exist"),
    **{f"notes.json: {kind}": Hostile(instead("notes.json", put)) for kind, (put, _) in INSTEAD.items()},
    **{f"notes: {kind}": Hostile(replaced("notes.json", text)) for kind, text in NOTES.items()},
    # result.json
    "result: empty": Hostile(replaced("result.json", b""), reason="result.json: not JSON"),
    "result: zeros": Hostile(replaced("result.json", bytes(5000)), reason="result.json: not JSON"),
    "result: not UTF-8": Hostile(replaced("result.json", b'{"a": "\xff"}'), reason="result.json: not JSON"),
    "result: 900 lists": Hostile(edited("result.json", "config.model.units", DEEP), reason="nested more than 64"),
    "result: 5000 digits": Hostile(edited("result.json", "parameters", "raw:" + "9" * 5000), reason="not JSON"),
    "result: 1e999": Hostile(edited("result.json", "metrics.test_loss", "raw:1e999"), reason="test_loss is inf"),
    "result: NaN": Hostile(edited("result.json", "metrics.test_loss", "raw:NaN"), reason="test_loss is nan"),
    "result: true": Hostile(edited("result.json", "seed", True), reason="seed is true"),
    "result: -0": Hostile(edited("result.json", "metrics.test_loss", "raw:-0")),
    "result: NaN in config": Hostile(edited("result.json", "config.training.epochs", "raw:NaN"),
                                     reason="epochs is nan", shown=""),
    "result: long text": Hostile(edited("result.json", "device", "x" * 10**7), reason="a text of 10,000,000 character"),
    "result: long key": Hostile(edited("result.json", "config.model", 1, "x" * 10**6), reason="a text of 1,000,000 ch"),
    "result: many keys": Hostile(edited("result.json", "config.model", "raw:{" + '"k":1,' * 10**6 + '"k":1}'),
                                 reason="more than 200,000 values"),
    "result: 5000 keys": Hostile(edited("result.json", "config.model", {f"k{i}": 1 for i in range(5000)}),
                                 reason="a run with more than 1,000 is not shown", shown=""),
    "result: long list": Hostile(edited("result.json", "config.model", list(range(10**5)), "units")),
    "result: half a character": Hostile(edited("result.json", "config.model", "\ud800", "k\udcff")),
    "result: half a study": Hostile(edited("result.json", "study", "\udcff")),
    "result: half a run_id": Hostile(edited("result.json", "run_id", "\udcff")),
    "result: half a class": Hostile(edited("result.json", "data.classes", ["\udcff", ODD, ""])),
    "result: odd texts": Hostile(edited("result.json", "device", ODD)),
    "result: odd keys": Hostile(edited("result.json", "config.data", 1, ODD)),
    "result: odd version": Hostile(edited("result.json", "versions", {ODD: ODD, "\ud800": "\ud800"})),
    "result: code is a number": Hostile(edited("result.json", "code", {"x": 1}), reason="code.x is 1; it must be text"),
    "result: no task": Hostile(edited("result.json", "task", "juggling"), shown="there is no task 'juggling'"),
    "result: year 1": Hostile(edited("result.json", "finished_at", "0001-01-01T00:00+23:59"), "finished", "finished_at",
                              shown=""),
    "result: year 9999": Hostile(edited("result.json", "finished_at", "9999-12-31T23:59:59Z")),
    "result: metric of lines": Hostile(edited("result.json", "metric_info", {}, "a\nb"), reason="metric_info"),
    "result: many classes": Hostile(_many_classes),
    # config.yaml
    "config: empty": Hostile(replaced("config.yaml", b""), "unfinished", "config.yaml: it is null"),
    "config: not UTF-8": Hostile(replaced("config.yaml", b"a: \xff"), "unfinished", "config.yaml: "),
    "config: aliases": Hostile(added(BOMB), "unfinished", "holds an alias"),
    "config: sexagesimal": Hostile(added("x: 1" + ":59" * 200_000), "unfinished", "a number of 600,001 characters"),
    "config: 5000 digits": Hostile(added("x: " + "9" * 5000), "unfinished", "a number of 5,000 characters"),
    "config: 900 lists": Hostile(added("x: " + "[" * 900 + "]" * 900), "unfinished", "nested more than 64"),
    "config: unclosed": Hostile(added("x: [1"), "unfinished", "not YAML"),
    "config: code": Hostile(added("x: !!python/object/apply:os.abort []"), "unfinished", "not YAML"),
    "config: long text": Hostile(added("x: " + "y" * 10**7), "unfinished", "reads files of up to 1,048,576 bytes"),
    "config: text": Hostile(added("x: " + "y" * 10**5), "unfinished", "a text of 100,000 characters"),
    "config: many keys": Hostile(added("x: [" + "1," * 10**5 + "]"), "unfinished", "holds too many values"),
    "config: infinite": Hostile(added("x: .inf"), "unfinished", "x is inf", shown=""),
    "config: half a character": Hostile(added('x: "\\udcff"\n"\\ud800": 1'), "unfinished"),
    "config: odd keys": Hostile(added("1: 2\nnull: 3\n2001-01-01: 4\n1.5: {true: 5}\n"), "unfinished"),
    "config: dates": Hostile(added("x: 2001-01-01\ny: [2001-01-01 00:00:00+01:00, !!binary aGVs]"), "unfinished"),
    # history.jsonl
    "history: empty": Hostile(replaced("history.jsonl", b"")),
    "history: not UTF-8": Hostile(replaced("history.jsonl", b'\xff\n[1]\n"\n{"epoch": 1, "loss": 0.5}\n')),
    "history: million lines": Hostile(replaced("history.jsonl", b"{}\n" * 3 * 10**6), shown="5,000,000 values"),
    "history: wide": Hostile(history({"epoch": 1, **{f"m{i}": 0.1 for i in range(10**5)}}), shown="more than 500 val"),
    "history: long name": Hostile(history({"epoch": 1, "x" * 10**6: 0.1}), shown="has 1,000,000 characters"),
    "history: odd names": Hostile(history({"epoch": 1, **WEIRD}, {"epoch": 2, **WEIRD})),
    "history: odd values": Hostile(history({"epoch": True, "loss": None}, {"epoch": 2**70, "loss": float("inf")},
                                           {"epoch": -1}, {"epoch": 3, "loss": [1], "seconds": "x"})),
    "history: huge values": Hostile(history({"epoch": 1, "loss": 1e308}, {"epoch": 2, "loss": -1e308})),
    "history: almost infinite": Hostile(history({"epoch": 1, "loss": -1.7976931348623157e308, "max": 1.7975e308})),
    "result: huge loss": Hostile(edited("result.json", "metrics.test_loss", 1e200)),
    "history: 5000 digits": Hostile(replaced("history.jsonl", '{"epoch": 1%s}\n' % ("0" * 5000))),
    # claim.json
    "claim: empty": Hostile(replaced("claim.json", b""), "unfinished"),
    "claim: a list": Hostile(replaced("claim.json", b"[" * 1000), "unfinished"),
    "claim: long": Hostile(replaced("claim.json", b'"' + b"x" * 10**7), "unfinished"),
    "claim: pid Infinity": Hostile(claim(pid=float("inf")), "unfinished"),
    "claim: start 1": Hostile(claim(), "unfinished"),
    "claim: odd": Hostile(claim(host="\ud800\n", pid=2**31 - 1, start=""), "unfinished"),
    # pruned.json, predictions.npz, error.txt
    "pruned: NaN": Hostile(edited("pruned.json", "trial", "raw:NaN"), "pruned", "trial is nan"),
    "pruned: empty": Hostile(replaced("pruned.json", b""), "pruned", "pruned.json: not JSON"),
    "predictions: empty": Hostile(replaced("predictions.npz", b""), shown="predictions.npz: not an .npz file"),
    "predictions: negative": Hostile(_negative, shown="predictions.npz: probabilities are not all from 0 to 1"),
    "predictions: bomb": Hostile(_bomb, shown="predictions.npz: its arrays have 72,000,400 byte"),
    # regression and several labels
    **{f"dataset.json: {kind}": Hostile(instead("dataset.json", put), "unfinished", f"dataset.json: {reason}")
       for kind, (put, reason) in INSTEAD.items()},
    "dataset: empty": Hostile(replaced("dataset.json", b""), "unfinished", "dataset.json: not JSON"),
    "dataset: a list": Hostile(replaced("dataset.json", b"[1]"), "unfinished", "dataset.json: "),
    "dataset: odd task": Hostile(edited("dataset.json", "task", ODD), "regression"),
    "values: no targets": Hostile(edited("result.json", "data.targets", None), "regression", "data.targets is null"),
    "values: odd names": Hostile(edited("result.json", "data.targets", [ODD, "\ud800"]), "regression"),
    "values: many targets": Hostile(_many_targets, "regression"),
    "values: many examples": Hostile(_many_examples, "regression"),
    "values: NaN": Hostile(arrays(values=_filled(np.nan)), "regression"),
    "values: infinite": Hostile(arrays(values=_filled(-np.inf)), "regression"),
    "values: huge": Hostile(arrays(values=_filled(9e37), targets=_filled(-9e37)), "regression"),
    "values: huge doubles": Hostile(arrays(values=_filled(-1e308), targets=_signs), "regression"),
    "values: constant": Hostile(arrays(targets=_filled(1)), "regression"),
    "values: targets of NaN": Hostile(arrays(targets=_filled(np.nan)), "regression",
                                      shown="predictions.npz: targets are not all finite"),
    "values: rows in a column": Hostile(arrays(rows=lambda array: array[:, np.newaxis]), "regression",
                                        shown=r"predictions.npz: rows are int64 \(40, 1\); expected 40 integers"),
    "values: rows of 0": Hostile(arrays(rows=np.zeros_like), "regression",
                                 shown="predictions.npz: rows begin at 0; expected row numbers from 1"),
    "values: one target less": Hostile(arrays(values=lambda array: array[:, 1:]), "regression",
                                       shown=r"predictions.npz: values are float32 \(40, 1\); expected floats"),
    "labels: no labels": Hostile(edited("result.json", "data.labels", None), "multilabel", "data.labels is null"),
    "labels: odd names": Hostile(edited("result.json", "data.labels", [ODD, "", "\ud800"]), "multilabel"),
    "labels: many labels": Hostile(_many_labels, "multilabel"),
    "labels: NaN": Hostile(arrays(probabilities=_filled(np.nan)), "multilabel"),
    "labels: of 2": Hostile(arrays(labels=_filled(2)), "multilabel", shown="predictions.npz: labels are not"),
    "labels: in a column": Hostile(arrays(labels=lambda array: array[:, 0]), "multilabel",
                                   shown=r"predictions.npz: labels are int8 \(40,\); expected integers \(40, 3\)"),
    "labels: above 1": Hostile(arrays(probabilities=_filled(1.5)), "multilabel",
                               shown="predictions.npz: probabilities are not all from 0 to 1"),
    "labels: threshold 1.5": Hostile(edited("result.json", "threshold", 1.5), "multilabel", "threshold is 1.5"),
    "labels: threshold NaN": Hostile(edited("result.json", "threshold", "raw:NaN"), "multilabel", "threshold is nan"),
    "labels: no threshold": Hostile(edited("result.json", "threshold", None), "multilabel"),
    "error: odd": Hostile(replaced("error.txt", ODD.encode() + b"\xff" + b"x" * 10**6), "unfinished"),
}  # fmt: skip

# -- what is beside run folders ---------------------------------------------------------------------------------------

NAMES = ("new\nline", "-rf", "x" * 255, os.fsdecode(b"\xff\xfe"), "=1+1", "<b>", "\x1b[31m")  # of run folders


def links(study: Path, elsewhere: Path) -> dict[str, str]:
    """Make links in a study that must not be followed; gives for each what is said of it, as a regular expression."""
    outside = "a link to {}, which is outside of .*outputs; name that folder to include it"
    made = {"to-root": ("/", outside.format("/")), "to-itself": ("to-itself", "Too many levels of symbolic links"),
            "to-elsewhere": (str(elsewhere), outside.format(".*"))}  # fmt: skip
    for name, (target, _) in made.items():
        (study / name).symlink_to(target)
    return {name: said for name, (_, said) in made.items()}


def spoiled(make: Callable[..., Path], outputs: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """A run folder of each kind in outputs/hostile, by the kind; and the good ones, by the state."""
    runs = [make("study=states", f"seed={seed}", outputs=outputs) for seed in (0, 3, 4)]
    good = {
        "finished": runs[0],
        "unfinished": make("study=states", "seed=1", outputs=outputs, finished=False),
        "pruned": make("study=states", "seed=2", outputs=outputs, pruned=True, trial=1),
        "regression": as_task(runs[1], "regression", *close_values(40, 2), ("price", "area"), rows=np.arange(40) + 1),
        "multilabel": as_task(runs[2], "multilabel", *several_labels(40, 3), ("red", "green", "blue"), 0.4),
    }
    folders = {}
    for number, (name, kind) in enumerate(HOSTILE.items()):
        folders[name] = outputs / "hostile" / f"run-{number}"
        shutil.copytree(good[kind.state], folders[name])
        kind.spoil(folders[name])
    return folders, good
