"""The notebook of the handbook: `python -m docs.notebook` executes it again and writes the page that shows it.

The cells of docs/guides/notebook.ipynb are edited by hand, in Jupyter or in an editor. Its outputs and
docs/guides/notebook.md are written here.
"""

import os
import tempfile
from pathlib import Path

import nbformat
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpecManager
from nbclient import NotebookClient
from nbformat import NotebookNode

NOTEBOOK = Path(__file__).parent / "guides" / "notebook.ipynb"
PAGE = NOTEBOOK.with_suffix(".md")
SECONDS = 300  # that a cell may take
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": NATIVE_KERNEL_NAME},
    "language_info": {"name": "python"},
}
NOTE = "<!-- This page is written by python -m docs.notebook from notebook.ipynb, which is edited instead. -->"
DOWNLOAD = "This page is a notebook: [download it](notebook.ipynb){ download } and run it in Jupyter."


def read() -> NotebookNode:
    """The notebook as it is committed."""
    return nbformat.read(NOTEBOOK, as_version=4)


def execute(notebook: NotebookNode, folder: Path, client: type[NotebookClient] = NotebookClient) -> None:
    """Execute a notebook in a folder, with a kernel of this Python; its cells then have the outputs of now.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raised an exception.
    """
    specs = KernelSpecManager(kernel_dirs=[])  # what a user has installed is not asked; ipykernel itself is a kernel
    kernel = AsyncKernelManager(kernel_name=NATIVE_KERNEL_NAME, kernel_spec_manager=specs)
    options = {"timeout": SECONDS, "record_timing": False, "resources": {"metadata": {"path": str(folder)}}}
    client(notebook, km=kernel, **options).execute(env=os.environ | {"IPYTHONDIR": str(folder / ".ipython")})
    notebook.metadata = nbformat.from_dict(METADATA)


def page(notebook: NotebookNode) -> str:
    """The notebook as a page of the handbook: its text, its code, and its outputs with pictures inside of the page."""
    parts = [NOTE]
    for place, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            parts += [cell.source, DOWNLOAD] if not place else [cell.source]
        else:
            parts += [f"```python\n{cell.source}\n```", *map(_shown, cell.outputs)]
    return "\n\n".join(parts) + "\n"


def _shown(output: NotebookNode) -> str:
    """An output: HTML or a picture where there is one, else its text."""
    data = output.get("data", {})
    if "text/html" in data:
        html = "\n".join(line.strip() for line in data["text/html"].splitlines() if line.strip())
        return f'<div class="output">{html}</div>'
    if "image/png" in data:
        width = output.metadata["image/png"]["width"]
        return f'<img alt="" width="{width}" src="data:image/png;base64,{data["image/png"].strip()}">'
    return f"```text\n{output.get('text', data.get('text/plain', '')).rstrip()}\n```"


if __name__ == "__main__":
    again = read()
    with tempfile.TemporaryDirectory() as temporary:
        execute(again, Path(temporary))
    nbformat.write(again, NOTEBOOK)
    PAGE.write_text(page(again), "utf-8")
