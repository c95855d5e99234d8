"""Tables in LaTeX, compiled as a reader would compile them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest


def _has_packages() -> bool:
    found = shutil.which("kpsewhich") and subprocess.run(
        ["kpsewhich", "siunitx.sty", "booktabs.sty", "longtable.sty"], check=False, capture_output=True, text=True
    )
    return bool(found) and len(found.stdout.split()) == 3


needs_latex = pytest.mark.skipif(
    shutil.which("pdflatex") is None or not _has_packages(),
    reason="no pdflatex with booktabs and siunitx (Debian: texlive-latex-recommended texlive-science)",
)


def compiled(folder: Path, *tables: str) -> str | None:
    """The text of the PDF of a paper with these tables, as it is laid out; None where there is no pdftotext.

    The paper uses the packages that the first table names.
    """
    packages = re.search(r"\\usepackage\{.*?\}", tables[0])
    assert packages is not None
    inputs = ""
    for number, text in enumerate(tables):
        (folder / f"table{number}.tex").write_text(text, encoding="utf-8")
        inputs += f"\\input{{table{number}}}"
    (folder / "paper.tex").write_text(
        f"\\documentclass[landscape]{{article}}{packages[0]}\\begin{{document}}{inputs}\\end{{document}}"
    )
    process = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper"],
        cwd=folder, check=False, capture_output=True, text=True, errors="replace", timeout=120,
    )  # fmt: skip
    assert process.returncode == 0, process.stdout[-2000:]
    assert "Package siunitx Warning" not in process.stdout
    assert "Overfull" not in process.stdout
    assert (folder / "paper.pdf").read_bytes().startswith(b"%PDF")
    if shutil.which("pdftotext") is None:
        return None
    return subprocess.run(
        ["pdftotext", "-layout", "paper.pdf", "-"], cwd=folder, check=True, capture_output=True, text=True
    ).stdout
