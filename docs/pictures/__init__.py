"""The pictures of README.md and of the handbook: `python -m docs.pictures [OUTPUTS]` makes them all, docs/*.png.

It trains what they show, 69 small runs, in the folder OUTPUTS or in a temporary one, and needs the extras search and
serve, Selenium and Chromium. What OUTPUTS holds already is not trained again. `python -m docs.pictures.tables` draws
the charts of experiments/ again from their results.csv.
"""

PICTURES = (
    "confusion.png",
    "curves.png",
    "distortions.png",
    "live.png",
    "plot-curves.png",
    "plot-scatter.png",
    "report.png",
    "search-history.png",
    "search-slices.png",
    "serve.png",
)
