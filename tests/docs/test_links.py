"""The site builds without warnings, and no link in a Markdown file of the repository is dead."""

import importlib
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

zensical = pytest.importorskip("zensical", reason="needs pip install -e '.[docs]'")
markdown = pytest.importorskip("markdown")

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TEMPLATES = ROOT / "src" / "fitbench" / "project" / "templates"
PAGES = sorted([ROOT / "README.md", *ROOT.glob("experiments/*/README.md"), *DOCS.rglob("*.md")])
CODE = re.compile(r"^(```|~~~).*?^\1|`[^`\n]*`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(\s*([^)\s]+)|<(?:img|a)\b[^>]*\b(?:src|href)=[\"']([^\"']+)[\"']")
FILE = re.compile(
    r"(?:src|tests|docs|experiments)/[\w./*-]*\w"
)  # what stands in code and begins so is in the repository


def links_of(page: Path) -> list[str]:
    """The links and images of a page, but for those to other hosts."""
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    found = [target or other for target, other in LINK.findall(text)]
    return [target for target in found if not re.match(r"[a-z]+:", target)]


@cache
def anchors_of(page: Path) -> set[str]:
    html = markdown.markdown(page.read_text(encoding="utf-8"), extensions=["toc", "attr_list", "fenced_code", "tables"])
    return set(re.findall(r'\bid="([^"]+)"', html))


def problem_of(page: Path, link: str) -> str:
    """What is wrong with a link, or ''."""
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return "there is no such file"
    if anchor and target.suffix == ".md" and anchor not in anchors_of(target):
        return "there is no such anchor"
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    dead = {link: problem for link in links_of(page) if (problem := problem_of(page, link))}
    assert dead == {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_of_the_repository_that_are_named_exist(page: Path) -> None:
    """A page of the site cannot link to a file outside of docs/; it names it as code: `src/fitbench/cli.py`.

    A file of a project is one that `fitbench init` makes.
    """
    spans = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", page.read_text(encoding="utf-8"))
    named = {word for span in spans for word in span.split() if FILE.fullmatch(word)}
    of_projects = {path.relative_to(folder).as_posix() for folder in TEMPLATES.iterdir() for path in folder.rglob("*")}
    assert [word for word in sorted(named) if not list(ROOT.glob(word)) and f"{word}-tpl" not in of_projects] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_extras_are_installed_from_the_clone(page: Path) -> None:
    """The handbook has one form of the command: `pip install -e '.[search]'`."""
    assert re.findall(r"pip install (?:-\S+ )*'?fitbench\b", page.read_text(encoding="utf-8")) == []


def test_every_picture_is_made_by_the_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    pictures = importlib.import_module("docs.pictures").PICTURES
    assert {path.name for path in DOCS.glob("*.png")} == set(pictures)


@pytest.mark.parametrize(
    ("link", "problem"),
    [
        ("no-such-page.md", "no such file"),
        ("guides/data.md#no-such-part", "no such anchor"),
        ("#here", "no such anchor"),
    ],
)
def test_dead_links_are_found(tmp_path: Path, link: str, problem: str) -> None:
    (tmp_path / "guides").mkdir()
    (tmp_path / "guides" / "data.md").write_text("# Data\n", encoding="utf-8")
    page = tmp_path / "index.md"
    page.write_text(
        f"# There\n\n[dead]({link}), not `[code](is-none.md)`, [alive](guides/data.md#data)\n", encoding="utf-8"
    )
    assert links_of(page) == [link, "guides/data.md#data"]
    assert problem in problem_of(page, link)
    assert problem_of(page, "guides/data.md#data") == ""


# -- the site ---------------------------------------------------------------------------------------------------------


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    """Build the site of a copy of the handbook."""
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(DOCS, folder / "docs")
    shutil.copy(ROOT / "zensical.toml", folder)
    return folder


def test_site_builds_strictly_and_loads_nothing_from_other_hosts(copy: Path) -> None:
    built = build(copy)
    assert built.returncode == 0, built.stdout + built.stderr
    pages = list((copy / "site").rglob("*.html"))
    assert len(pages) >= len(list(DOCS.rglob("*.md")))
    assert list((copy / "site").rglob("*.py")) == []
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert not re.findall(r"<(?:script|img|iframe)[^>]*\ssrc=[\"']?(?:https?:)?//", text), page
        assert not re.findall(r"<link[^>]*\shref=[\"']?(?:https?:)?//", text), page
        ids = re.findall(r'\sid="([^"]+)"', text.partition("<article")[2].partition("</article>")[0])
        assert sorted({name for name in ids if ids.count(name) > 1}) == [], page


def test_dead_links_fail_the_build(copy: Path) -> None:
    links = ("no-such-page.md", "reference/configuration.md#no-such-key")
    page = copy / "docs" / "index.md"
    text = page.read_text(encoding="utf-8")
    page.write_text(text + "".join(f"\n[dead]({link})\n" for link in links), encoding="utf-8")
    built = build(copy)
    page.write_text(text, encoding="utf-8")
    assert built.returncode != 0
    printed = re.sub(r"\x1b\[[0-9;]*m", "", built.stdout + built.stderr)
    assert [link for link in links if link not in printed] == []
