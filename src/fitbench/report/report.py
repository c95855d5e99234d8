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

from fitbench import metrics, quantities
from fitbench.errors import FitbenchError, RequestError
from fitbench.record.files import write_whole
from fitbench.text import clean

SCRIPTS = (  # in this order
    "data.js", "state.js", "plane.js", "curves.js", "scatter.js", "parallel.js", "tables.js", "comparison.js",
    "search.js", "filter.js", "detail.js", "main.js",
)  # fmt: skip


def report(
    paths: Sequence[str | Path],
    out: str | Path,
    by: str | None = None,
    metric: str | None = None,
    where: str | None = None,
) -> None:
    """Write the runs below the paths (none: below outputs/) as one HTML page, and print where it is.

    Args:
        paths: outputs folders, studies, run folders, or anything above.
        out: the file, replaced as a whole.
        by: columns with commas between them, whose values make a group; None: `groups.default_keys`.
        metric: what groups are ranked by, such as 'test_macro_f1'; None: the runs' primary metric on the test part.
        where: a filter, see `filters`: only these runs are on the page.

    Raises:
        RequestError: there are no runs, no such column or metric, or the file cannot be where it should.
        FitbenchError: the file cannot be written.
    """
    out = Path(out)
    if out.is_dir():
        raise RequestError(f"-o {out} is a folder; give the name of a file, such as {out / 'report.html'}")
    if not out.parent.is_dir():
        raise RequestError(f"-o {out}: there is no folder {out.parent}; make it first")
    if where is not None:
        from fitbench.analysis.filters import parse

        parse(where)

    from fitbench.analysis.frame import load_runs, primary_of, quantities_of, say_left_out
    from fitbench.report.content import collect

    frame = load_runs(*paths)
    count = len(frame)
    if where is not None:
        from fitbench.analysis.filters import select

        frame = select(frame, where)
    if not len(frame):
        say_left_out(frame)
        raise RequestError(f"--where keeps none of the {count} runs" if count else "none of the runs can be read")
    ranking = quantities.find(metric or metrics.join("test", primary_of(frame)), quantities_of(frame))
    content = collect(frame, by.split(",") if by is not None else [], ranking, paths)
    frame.attrs["left_out"] = content["left_out"]
    say_left_out(frame)
    try:
        write_whole(out, page(content))
    except OSError as error:
        raise FitbenchError(f"{out}: cannot be written ({error.strerror or error})") from None
    print(clean(out))


def page(content: Mapping[str, Any]) -> str:
    """The HTML of what `collect` gives: one file with its styles, scripts and data, which may load nothing else."""
    folder = resources.files("fitbench.report") / "page"
    script = '"use strict";\n' + "".join((folder / name).read_text("utf-8") for name in SCRIPTS)
    style = "".join((folder / f"{name}.css").read_text("utf-8") for name in ("base", "report"))
    policy = (
        f"default-src 'none'; script-src '{_source(script)}'; style-src '{_source(style)}'; base-uri 'none'; "
        "form-action 'none'; require-trusted-types-for 'script'"
    )
    return string.Template((folder / "report.html").read_text("utf-8")).substitute(
        policy=policy, title=html.escape(content["title"]), style=style, script=script, data=_embedded(content)
    )


def _source(text: str) -> str:
    """What allows exactly this inline text (Content Security Policy Level 3, section 2.3.1)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _embedded(content: Mapping[str, Any]) -> str:
    """JSON that stays inside its script element: plain ASCII without <, > and &."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
