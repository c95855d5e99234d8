"""The colours, marks and dashes of every chart, on paper, on the page and in a terminal.

The ten colours stay apart for protan, deutan and tritan eyes (simulated after Machado et al., 2009,
doi:10.1109/TVCG.2009.113; the least distance in OKLab is 0.09) and have a contrast of 3:1 or more against their ground.
The first three differ most in luminance, so that a greyscale print keeps them apart.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Colour:
    """A colour on white, as on paper and on the light page, and its counterpart on the dark page."""

    light: str
    dark: str


SERIES = (
    Colour("#0b4781", "#38a5ff"),  # blue
    Colour("#ee6403", "#ff600f"),  # orange
    Colour("#1a1a1a", "#fbffc5"),  # black
    Colour("#0b7668", "#4dd9d2"),  # green
    Colour("#d055ca", "#ea66cf"),  # pink
    Colour("#701c45", "#b9594a"),  # maroon
    Colour("#2790f5", "#bbf2ff"),  # sky
    Colour("#546301", "#c5d30a"),  # olive
    Colour("#8407da", "#695dfb"),  # violet
    Colour("#ca224b", "#eba889"),  # red
)
OTHERS = Colour("#8a8a8a", "#7d8792")  # what comes after them, and what is pruned
RAMP = (  # from the worst value to the best, evenly further from the ground
    Colour("#efd9a5", "#4a3f8c"),
    Colour("#e3a857", "#7d559c"),
    Colour("#b3697c", "#b3697c"),
    Colour("#5b3f94", "#e3a857"),
    Colour("#16165c", "#ffe9a8"),
)

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p")  # Matplotlib's names, one for each colour
DASHES: tuple[tuple[float, ...], ...] = ((), (4, 1.5), (1, 1.2), (5, 1.2, 1, 1.2))  # in line widths: line, gap, ...

# By their part, on paper. On the page they are the first two colours of SERIES too.
MAIN, ACCENT, BLACK = (colour.light for colour in SERIES[:3])
TRAIN, VALIDATION = MAIN, ACCENT
PALE = "#b5d4e8"  # bars
GREY, EDGE, GRID, FAINT = "#555555", "#444444", "#dddddd", "#eeeeee"
ERRORS = ("#ffffff", "#f7c9a3", ACCENT, "#7a3000")  # of a confusion matrix, by their share
RIGHT = "#e6e6e6"  # its diagonal

TERMINAL = {"train": "cyan", "validation": "yellow"}  # a terminal has colours of its own, which fit its ground
