"""`fitbench init`: a small complete project in a new folder."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from string import Template

from fitbench.errors import FitbenchError, RequestError
from fitbench.project import sample_data
from fitbench.project.settings import FILE, nearest_project
from fitbench.stderr import write_note

TEMPLATES = Path(__file__).with_name("templates")
SUFFIX = "-tpl"  # of a template, which no tool takes for code, tests or settings of fitbench itself
HIDDEN = ("gitignore",)  # files whose name begins with a point in the project
SCHEMAS = ("config.schema.json", "table.schema.json")  # by which an editor completes and checks YAML
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")  # what packaging allows as the name of a project


@dataclass(frozen=True)
class Kind:
    """A kind of project.

    Attributes:
        write_data: writes the data into a new folder, and gives a sentence that describes them.
        replace: how somebody replaces the data by their own, as a sentence.
    """

    write_data: Callable[[Path], str]
    replace: str


KINDS = {
    "images": Kind(
        sample_data.write_images,
        "Put a folder with the images of each class into `data/images`, in place of those that are there.",
    ),
    "csv": Kind(
        sample_data.write_csv,
        "Put your table into `data/`, and name the file and the column to predict in `conf/data/mine.yaml`.",
    ),
    "signals": Kind(
        sample_data.write_signals,
        "Put a file of your series into `data/`, of the format .ts, or .tsv with the class first in each line, and "
        "name it in `conf/data/mine.yaml`.",
    ),
}


def init(folder: Path, data: str, conf: Path) -> str:
    """Make a project in a folder that is new or empty, and return what to do next.

    The folder appears as a whole, or not at all. In the current folder, where there is nothing to be replaced, the
    pyproject.toml comes last.

    Args:
        folder: the new folder, whose name becomes that of the project.
        data: the kind of its data, one of KINDS.
        conf: the folder with the schemas of fitbench's configuration.

    Raises:
        RequestError: there is no such kind, the name is no name of a project, or something is in the folder.
        FitbenchError: the folder cannot be written.
    """
    if data not in KINDS:
        raise RequestError(f"--data {data}: there is no such kind; it must be one of {', '.join(KINDS)}")
    place = folder.expanduser().resolve()
    _check(folder, place)
    if above := nearest_project(place.parents):
        write_note(f"{folder} lies in the project {above}; its commands take the settings of {folder} alone")
    unfinished = place.parent / f".{place.name}-{secrets.token_hex(4)}"
    try:
        try:
            unfinished.mkdir()
            _write(unfinished, place.name, KINDS[data], TEMPLATES / data)
            for schema in SCHEMAS:
                shutil.copyfile(conf / schema, unfinished / "conf" / schema)
            _move(unfinished, place)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    except OSError as error:
        raise FitbenchError(f"{folder}: cannot be made: {error.filename or place}: {error.strerror}") from error
    return _next_steps(folder, place)


def _check(folder: Path, place: Path) -> None:
    """Refuse a folder that holds something, has no parent, or whose name cannot be that of a project.

    Raises:
        RequestError: the folder is one of these.
    """
    if not NAME.fullmatch(place.name):
        raise RequestError(
            f"{folder}: a project cannot have this name; it may have letters from a to z, digits, '-', '_' and '.'; it "
            "begins and ends with a letter or a digit"
        )
    if not place.parent.is_dir():
        raise RequestError(f"{folder}: there is no folder {place.parent}; make it first")
    if place.exists() and not place.is_dir():
        raise RequestError(f"{folder}: there is a file with this name; give a new folder")
    try:
        is_empty = not place.exists() or not any(place.iterdir())
    except OSError as error:
        raise RequestError(f"{folder}: {error.strerror}; give a new folder") from error
    if not is_empty:
        raise RequestError(f"{folder}: this folder is not empty, and nothing in it is replaced; give a new folder")


def _write(folder: Path, name: str, kind: Kind, of_kind: Path) -> None:
    """Write the data of a project, and its files from the templates of all kinds and from those of this kind."""
    values = {"name": name, "replace": kind.replace, "described": kind.write_data(folder / "data")}
    for templates in (TEMPLATES / "common", of_kind):
        for template in sorted(templates.rglob(f"*{SUFFIX}")):
            path = folder / template.relative_to(templates).parent / _name_of(template)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(Template(template.read_text("utf-8")).substitute(values), "utf-8")


def _name_of(template: Path) -> str:
    name = template.name.removesuffix(SUFFIX)
    return f".{name}" if name in HIDDEN else name


def _move(unfinished: Path, place: Path) -> None:
    """Move a finished project to its place. The current folder cannot be replaced, so its content is moved."""
    if place != Path.cwd():
        unfinished.rename(place)
        return
    for path in sorted(unfinished.iterdir(), key=lambda path: path.name == FILE):
        path.rename(place / path.name)


def _next_steps(folder: Path, place: Path) -> str:
    template = Template((TEMPLATES / f"next{SUFFIX}").read_text("utf-8"))
    enter = "" if place == Path.cwd() else f"    cd {folder}\n"
    return template.substitute(folder=folder, enter=enter)
