"""The studies on the page: the sets of runs that may be compared, for each study and for all studies together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitbench.analysis import axes, palette, request
from fitbench.analysis.comparable import Comparable, comparable
from fitbench.analysis.frame import by_finish, of_known_task, records
from fitbench.analysis.studies import newest_studies
from fitbench.errors import RequestError
from fitbench.metrics import join
from fitbench.quantities import Quantity
from fitbench.report.content import collect, overview
from fitbench.report.curves import Curve, LeftOut
from fitbench.report.values import plain_columns
from fitbench.text import encodable
from fitbench.version import __version__

if TYPE_CHECKING:
    import pandas as pd

NAMED = 3  # studies that the title of the page names; more are counted

Content = dict[str, Any]


@dataclass(frozen=True)
class Wanted:
    """What a person asks for: the columns that make a group, the metric, and whether some run records it."""

    by: str | None
    metric: str | None
    recorded: bool


def collect_studies(
    frame: pd.DataFrame, by: str | None, metric: str | None, paths: Sequence[str | Path] = (), together: bool = False
) -> Content:
    """Everything on the page, for `report.page`.

    `studies`, the newest first, hold what `collect` gives for each of their sets. `every` has the sets of all studies
    together if this is wanted and there are several studies.

    Args:
        frame: what `load_runs` gives, or a part of it.
        by: the columns that make a group, with commas between them; None: `telling.default_keys` of each set.
        metric: what groups are ranked by, as people name it. None stands for the primary metric of each set,
            that of the newest run where there are several; so does a metric in a set in which no run records it.
        paths: those that were given; none: outputs/.
        together: whether all studies can also be looked at together.

    Raises:
        RequestError: there is no such column or metric, or runs of a set have different definitions of it. Without
            `by` and `metric` such a set joins `left_out`, unless no set remains.
    """
    wanted = Wanted(by, metric, metric is not None and records(frame, metric))
    left_out: LeftOut = []
    curves: dict[str, Curve | None] = {}
    studies = []
    for name in newest_studies(frame, finished=True):
        found = sets_of(frame[frame["study"] == name], name, wanted, paths, left_out, curves)
        studies += [(name, found)] * bool(found)
    if not studies:
        raise RequestError(left_out[-1][1])
    names = [name for name, _ in studies]
    held = [each for _, found in studies for each in found]
    every = _every(frame, held, wanted, curves, left_out) if together and len(names) > 1 else None
    contents = [{"name": name, "sets": [content for _, content in found]} for name, found in studies]
    return {**page_content(contents, paths, (*frame.attrs["left_out"], *left_out)), "every": every}


def page_content(
    studies: Sequence[Content], paths: Sequence[str | Path], left_out: Sequence[tuple[str, str]]
) -> Content:
    """What the page holds besides studies, and these. There may be none yet."""
    return {
        "title": title_of([study["name"] for study in studies]),
        "written": round(time.time()),
        "version": __version__,
        "paths": [encodable(str(path)) for path in paths or ("outputs",)],
        "axes": axes.CONSTANTS,
        "marks": {"markers": palette.MARKERS, "dashes": palette.DASHES, "ramp": len(palette.RAMP)},
        "studies": studies,
        "every": None,
        "left_out": [(encodable(str(of)), encodable(str(why))) for of, why in left_out],
    }


def title_of(names: Sequence[str]) -> str:
    """The title of a page about these studies."""
    return (", ".join(names) if len(names) <= NAMED else f"{len(names)} studies") or "No runs yet"


def sets_of(
    frame: pd.DataFrame,
    study: str,
    wanted: Wanted,
    paths: Sequence[str | Path],
    left_out: LeftOut,
    curves: dict[str, Curve | None] | None = None,
) -> list[tuple[Comparable, Content]]:
    """The sets of runs of a study that may be compared, with what `collect` gives for each; see `collect_studies`.

    What cannot be read joins `left_out`.

    Raises:
        RequestError: as `collect_studies`.
    """

    def content(each: Comparable) -> Content:
        return {"label": each.label, **collect(each.frame, *_asked(each, wanted), paths, curves)}

    found = list(_contents(study, comparable(frame, None), wanted, content, left_out))
    left_out += [reason for _, content in found for reason in content.pop("left_out")]
    return found


def _contents(
    study: str,
    sets: Sequence[Comparable],
    wanted: Wanted,
    content: Callable[[Comparable], Content],
    left_out: LeftOut,
) -> Iterator[tuple[Comparable, Content]]:
    """The sets with their contents. One whose runs have different definitions of their metric joins `left_out`."""
    for each in sets:
        try:
            yield each, content(each)
        except RequestError as error:
            if wanted.by is not None or wanted.metric is not None:
                raise
            left_out.append((f"{study} {each.label}".strip(), str(error)))


def _asked(each: Comparable, wanted: Wanted) -> tuple[list[str], Quantity]:
    """The keys, none for the default ones, and the quantity that a set is compared by."""
    known, metric = of_known_task(each.frame), wanted.metric
    if metric is not None and wanted.recorded and not records(known, metric):
        metric = None
    if metric is None:
        ended = by_finish(known)["primary"].dropna()
        if ended.nunique() > 1:
            metric = join(request.default_part(known), ended.iloc[-1])
    return [] if wanted.by is None else request.keys(known, wanted.by), request.measured(known, metric)


# -- all studies together ---------------------------------------------------------------------------------------------


def _every(
    frame: pd.DataFrame,
    held: Sequence[tuple[Comparable, Content]],
    wanted: Wanted,
    curves: Mapping[str, Curve | None],
    left_out: LeftOut,
) -> list[Content]:
    """The sets of all studies. They hold nothing twice that `held`, the sets of the studies, hold.

    `from` says of each run which of these it is in, and at which place.
    """
    places: dict[str, tuple[int, int]] = {}
    for number, (each, _) in enumerate(held):
        places |= {folder: (number, place) for place, folder in enumerate(each.frame["folder"].tolist())}

    def content(each: Comparable) -> Content:
        folders = each.frame["folder"].tolist()
        found = [places[folder] for folder in folders]
        read = [curves[folder] for folder in folders]
        together = overview(each.frame, *_asked(each, wanted), read, plain_columns(each.frame))
        columns = [_without_held(column, found, [of for _, of in held]) for column in together["columns"]]
        return {"label": each.label, **together, "columns": columns, "from": found, "searches": []}

    sets = comparable(frame[frame["folder"].isin(list(places))], None)
    return [found for _, found in _contents("all studies", sets, wanted, content, left_out)]


def _without_held(column: Content, places: Sequence[tuple[int, int]], held: Sequence[Content]) -> Content:
    """A column without its values if the sets of the studies have them; a set without the column has no value."""
    values = [next((each["values"] for each in of["columns"] if each["name"] == column["name"]), None) for of in held]
    found = [None if (of := values[number]) is None else of[place] for number, place in places]
    return {**column, "values": None} if found == column["values"] else column
