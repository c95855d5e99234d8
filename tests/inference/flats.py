"""Tables that the tests of inference train on and predict: flats with a size, a city, and what follows from them."""

from pathlib import Path

import numpy as np

HEADER = "city,size,rooms,balcony,kind,large,central"


def flats(count: int = 240, seed: int = 0) -> list[str]:
    """Lines of a CSV file. A seventh of the sizes is missing."""
    random = np.random.default_rng(seed)
    lines = [HEADER]
    for i in range(count):
        city, size, rooms = random.choice(["Aachen", "Bonn", "Köln"]), random.normal(80, 20), random.integers(1, 6)
        balcony = ["False", "True"][random.integers(2)]
        kind = "dear" if size * (1 + (city == "Bonn")) > 100 else "fair" if size > 70 else "cheap"
        shown = "" if i % 7 == 0 else f"{size:.1f}"
        lines.append(f"{city},{shown},{rooms},{balcony},{kind},{int(size > 80)},{int(city == 'Bonn')}")
    return lines


def with_cell(line: str, column: str, text: str) -> str:
    """A line with another text in one column."""
    cells = line.split(",")
    cells[HEADER.split(",").index(column)] = text
    return ",".join(cells)


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
