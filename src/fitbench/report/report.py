"""`fitbench report`: all runs on one HTML page that works from a file, offline.

The page draws its charts itself (page/*.js, SVG) and not with a library: Plotly would add 4.8 MB to every report, need
inline styles that the page forbids, and WebGL for many runs. So the page may forbid itself every connection, every
script and style but its own, and (by Trusted Types) every way from a text to markup. What comes from run folders is in
it as JSON without <, > and &, and reaches the document as text alone.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import string
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from fitbench.analysis import palette, request
from fitbench.analysis.frame import say_left_out
from fitbench.record.files import check_output, check_suffix, write_whole, writing
from fitbench.report.studies import collect_studies
from fitbench.text import clean

SCRIPTS = (  # in this order
    "elements.js", "data.js", "axes.js", "looks.js", "state.js", "chart.js", "curves.js", "scatter.js", "parallel.js",
    "tables.js", "comparison.js", "trials.js", "search.js", "filter.js", "detail.js", "predictions.js", "main.js",
)  # fmt: skip
STYLES = ("base.css", "report.css")
LIVE_SCRIPTS = (  # after them, on the live page
    "activity.js", "busy.js", "restore.js", "growing.js", "progress.js", "running.js", "now.js", "live.js",
)  # fmt: skip
LIVE_STYLES = ("live.css",)
SUFFIXES = (".html", ".htm", "")  # that the name of the file may have


def report(which: request.Which, out: str | Path, by: str | None = None, metric: str | None = None) -> None:
    """Write runs as one HTML page, and print where it is.

    Args:
        which: the runs. Unless --study narrows them, those of every study are on the page, which shows one study at a
            time. With --all or several paths it can also show them together.
        out: the file, replaced as a whole.
        by: columns with commas between them, whose values make a group; None: `telling.default_keys` of each study.
        metric: what groups are ranked by, such as 'test_macro_f1'; see `studies.collect_studies`.

    Raises:
        RequestError: there are no runs, no such column or metric, or the file cannot be where it should, or has the
            suffix of another format.
        FitbenchError: the file cannot be written.
    """
    out = Path(out)
    check_suffix("-o", out, SUFFIXES)
    check_output("-o", out)
    which.check()
    which = which.located()
    frame = request.selected_runs(which.of_every_study())
    content = collect_studies(frame, by, metric, which.paths, which.of_all_studies(frame))
    say_left_out(content["left_out"][len(frame.attrs["left_out"]) :])
    with writing(out):
        write_whole(out, page(content))
    print(clean(out))


def page(content: Mapping[str, Any]) -> str:
    """The HTML of what `collect_studies` gives: one file, which may load nothing else.

    With `live` in the content it is the live page, which may also ask the server that it comes from.
    """
    is_live = "live" in content
    script = '"use strict";\n' + _joined(SCRIPTS + LIVE_SCRIPTS * is_live)
    style = _colours() + _joined(STYLES + LIVE_STYLES * is_live)
    connect = "connect-src 'self'; " * is_live
    policy = (
        f"default-src 'none'; script-src '{_source(script)}'; style-src '{_source(style)}'; {connect}"
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )
    return string.Template(_joined(["report.html"])).substitute(
        policy=policy, title=html.escape(content["title"]), style=style, script=script, data=_embedded(content)
    )


def _joined(names: Sequence[str]) -> str:
    """The text of these files of the page."""
    folder = resources.files("fitbench.report") / "page"
    return "".join((folder / name).read_text("utf-8") for name in names)


def _colours() -> str:
    """The palette as variables of CSS: --c0 and so on, --others, and --ramp0 to the last one of --ramp."""
    named = {f"c{i}": colour for i, colour in enumerate(palette.SERIES)} | {"others": palette.OTHERS}
    named |= {f"ramp{i}": colour for i, colour in enumerate(palette.RAMP)}
    variables = [f"--{name}: light-dark({colour.light}, {colour.dark});" for name, colour in named.items()]
    ramp = ", ".join(f"var(--ramp{i})" for i in range(len(palette.RAMP)))
    return ":root {\n  " + "\n  ".join([*variables, f"--ramp: {ramp};"]) + "\n}\n"


def _source(text: str) -> str:
    """What allows exactly this inline text (Content Security Policy Level 3, section 2.3.1)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _embedded(content: Mapping[str, Any]) -> str:
    """JSON that stays inside its script element: plain ASCII without <, > and &."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
