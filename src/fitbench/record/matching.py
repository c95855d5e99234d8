"""The runs whose names fit a text, and the shortest text that fits a run alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from fitbench.config import parse_run_id


def fits(wanted: str, names: Collection[str]) -> Iterator[list[str]]:
    """The names that fit, in turn: the same ones, those that end with the words of the text, those with it as a part.

    Words are what stands between hyphens, so that `1a2b3c4d-s1` fits no run of the seed 10. In `STUDY/TEXT`, TEXT may
    be any part of the name of a run in that folder.

    Args:
        wanted: the text.
        names: of runs, as `STUDY/RUN_ID`.
    """
    study, _, text = wanted.rpartition("/")
    ways: tuple[Callable[[str, str], bool], ...] = (
        lambda place, run_id: text == run_id,
        lambda place, run_id: bool(text) and f"-{run_id}".endswith(f"-{text}"),
        lambda place, run_id: text in run_id,
    )
    split = [(name, *name.rpartition("/")[::2]) for name in names]
    for i, way in enumerate(ways):
        yield [
            name
            for name, place, run_id in split
            if (study in ("", place) and way(place, run_id)) or (i == len(ways) - 1 and wanted in name)
        ]


def shortest(name: str, names: Collection[str]) -> str:
    """The shortest text among usual ones that fits this name of a run alone; without one the whole name."""
    study, _, run_id = name.rpartition("/")
    parsed = parse_run_id(run_id)
    short = parsed.short if parsed else run_id
    for text in dict.fromkeys((short, run_id, f"{study}/{short}")):
        if next(filter(None, fits(text, names)), None) == [name]:
            return text
    return name
