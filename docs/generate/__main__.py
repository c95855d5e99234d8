"""Write the generated tables into the pages of the reference."""

from pathlib import Path

from docs.generate.blocks import filled

REFERENCE = Path(__file__).parents[1] / "reference"

for page in sorted(REFERENCE.glob("*.md")):
    page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")
