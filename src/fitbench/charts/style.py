"""The style of every chart: fonts, lines and colours, whatever a matplotlibrc says."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from fitbench.analysis.palette import EDGE, GRID
from fitbench.charts.labels import FONT, SIZE

STYLE: Mapping[str, Any] = {
    "font.family": FONT,
    "font.size": SIZE,
    "axes.labelsize": SIZE,
    "axes.titlesize": SIZE,
    "xtick.labelsize": SIZE,
    "ytick.labelsize": SIZE,
    "legend.fontsize": SIZE,
    "legend.title_fontsize": SIZE,
    "text.parse_math": False,  # a $ in a name is a $
    "axes.linewidth": 0.6,
    "axes.edgecolor": EDGE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.3,
    "lines.markersize": 4,
    "legend.frameon": False,
    "legend.handlelength": 2.4,
    "legend.columnspacing": 1.4,
    "legend.labelspacing": 0.3,
    "legend.borderpad": 0.0,
    "legend.borderaxespad": 0.2,
    "pdf.fonttype": 42,  # TrueType, which publishers take
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "fitbench",  # else the names inside an SVG are new every time
}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Draw in this style, whatever a matplotlibrc says."""
    import matplotlib.style

    with matplotlib.style.context(["default", dict(STYLE)]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font")  # see `paper.lacking`
        yield
