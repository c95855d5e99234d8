"""A figure that a notebook shows as a picture, without pyplot."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

from fitbench.charts.style import style

DOTS, SHARPNESS = 96, 1.5  # CSS pixels per inch, and pixels of the picture for each


class InlineFigure(Figure):
    """A figure of Matplotlib, but none of pyplot: those are shown once more at the end of a cell."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """The picture and its size in CSS pixels, as IPython asks for them."""
        content = io.BytesIO()
        with style():
            self.savefig(content, format="png", dpi=DOTS * SHARPNESS)
        width, height = (round(inches * DOTS) for inches in self.get_size_inches())
        return content.getvalue(), {"width": width, "height": height}
