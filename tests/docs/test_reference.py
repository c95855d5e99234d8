"""The pages of the reference are what the sources say now, and say it of every key."""

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from fitbench.composition import conf_folder
from fitbench.record import schemas
from fitbench.tables.reading import read
from fitbench.training import attempts
from fitbench.training.run import RECORDED

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
GROUPS = ("data=image_folder", "optimizer/schedule=cosine", "optimizer=momentum", "distortion=affine")


@pytest.fixture
def blocks(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("docs.generate.blocks")


def text_of(page: str) -> str:
    return (REFERENCE / page).read_text(encoding="utf-8")


def rows_with_anchor(page: str) -> dict[str, list[str]]:
    """The cells of each row of a table that links can lead to, by the name of the anchor."""
    found = re.findall(r'^\| <a id="([^"]+)"></a>(.*) \|$', text_of(page), re.MULTILINE)
    return {name: [cell.strip() for cell in re.split(r"(?<!\\)\|", rest)] for name, rest in found}


@pytest.mark.parametrize("page", sorted(path.name for path in REFERENCE.glob("*.md")))
def test_tables_are_current(blocks: ModuleType, page: str) -> None:
    """If this fails, run `python -m docs.generate`."""
    text = text_of(page)
    assert blocks.BLOCK.search(text)
    assert blocks.filled(text) == text


def test_a_change_of_a_source_makes_a_page_stale(blocks: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    field = schemas.Epoch.model_fields["seconds"]
    monkeypatch.setattr(field, "description", "something else")
    assert blocks.filled(text_of("run-folder.md")) != text_of("run-folder.md")


def test_every_file_that_an_attempt_writes_has_a_row_on_the_page_of_the_run_folder() -> None:
    named = set(re.findall(r"^\| (?:\[)?`([^`]+)`", text_of("run-folder.md"), re.MULTILINE))
    assert {"config.yaml", "train.log", "claim.json", "checkpoint/", attempts.FILE, *RECORDED} <= named


def test_every_key_of_the_configuration_has_a_row_that_explains_it() -> None:
    rows = rows_with_anchor("configuration.md")
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        composed = OmegaConf.to_container(compose("config", overrides=list(GROUPS)))
    assert isinstance(composed, dict)
    search = OmegaConf.to_container(OmegaConf.load(conf_folder() / "search" / "default.yaml"))
    keys = {key for key in leaves({**composed, "search": search}) if not key.startswith("model.")}
    chosen_by_the_file = {"data.source", "distortion.kind", "optimizer.schedule.kind"}
    in_a_section_of_its_own = {"metrics", "logger"}
    assert keys - chosen_by_the_file - in_a_section_of_its_own - set(rows) == set()
    assert {name for name, cells in rows.items() if cells[2].startswith("<br>") or not cells[2]} == set()


def leaves(section: dict[str, object], prefix: str = "") -> list[str]:
    return [
        key
        for name, value in section.items()
        for key in (leaves(value, f"{prefix}{name}.") if isinstance(value, dict) and value else [f"{prefix}{name}"])
    ]


def test_the_page_of_commands_shows_an_option_with_its_default_and_range() -> None:
    serve = text_of("commands.md").partition("## `fitbench serve`")[2].partition("\n## ")[0]
    assert "fitbench serve RUN... [OPTIONS]" in serve
    assert "| `--port NUMBER` | `8000` | 0: any free port (from 0 to 65535) |" in serve


def test_every_claim_of_the_shipped_tables_is_counted_once_and_listed_unless_it_is_reproduced_or_explained() -> None:
    text = text_of("claims.md")
    (counts,) = re.findall(r"<!-- generated: claims -->(.*?)<!-- end -->", text, re.DOTALL)
    lines = [[cell.strip() for cell in line[2:-2].split(" | ")] for line in counts.strip().splitlines()]
    kinds = [line[0] for line in lines[2:]]
    rows = {
        name: dict(zip(kinds, map(int, numbers), strict=True))
        for name, *numbers in zip(lines[0][1:], *(line[1:] for line in lines[2:]), strict=True)
    }
    folders = {path.parent.name for path in (ROOT / "experiments").glob("*/table.yaml")}
    assert set(rows) == {*folders, "all"}
    for name, numbers in rows.items():
        assert numbers["claims"] == sum(numbers.values()) - numbers["claims"], name
        assert name == "all" or numbers["claims"] == len(claims_of(name))
    listed = {name: block.count("\n| ") - 2 for name, block in re.findall(LEFT, text, re.DOTALL)}
    assert listed == {
        name: numbers["claims"] - numbers["reproduced"] - numbers["explained"]
        for name, numbers in rows.items()
        if name != "all"
    }


LEFT = r"<!-- generated: claims-left (\w+) -->(.*?)<!-- end -->"


def claims_of(name: str) -> list[str]:
    return [row.label for row in read(ROOT / "experiments" / name).rows if row.measured and row.claim is not None]
