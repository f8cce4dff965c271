"""The tutorials: notebooks kept as Python files, executed, and written as pages of the site."""

from __future__ import annotations

import re
import tempfile
import time
from pathlib import Path

import jupytext
from nbconvert import MarkdownExporter
from nbconvert.preprocessors import ExecutePreprocessor

from livestream_env.files import atomic_path, write_text
from scripts.site.places import GENERATED, TUTORIALS, with_links

_TIMEOUT_S = 600  # of a cell
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def write_tutorials() -> None:
    """Execute each, and write its page, its pictures and the notebook to download.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raised an error.
    """
    for source in sorted(TUTORIALS.glob("*.py")):
        begin = time.perf_counter()
        write_tutorial(source)
        print(f"  {source.stem}: {time.perf_counter() - begin:.0f} s", flush=True)


def write_tutorial(source: Path) -> None:
    """Execute the tutorial ``source``; see :func:`write_tutorials`."""
    notebook = jupytext.read(source)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = with_links(cell.source, source, f"tutorials/{source.stem}.md")
    with tempfile.TemporaryDirectory() as folder:  # what a tutorial writes goes there
        execution = ExecutePreprocessor(
            timeout=_TIMEOUT_S, kernel_name="python3", extra_arguments=["--log-level=ERROR"]
        )
        execution.preprocess(notebook, {"metadata": {"path": folder}})
    for cell in notebook.cells:  # progress and advice about notebooks are for who runs them
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    folder_of_pages = GENERATED / "site" / "tutorials"
    exporter = MarkdownExporter()
    exporter.register_filter("strip_ansi", lambda text: _ANSI.sub("", text))
    page, resources = exporter.from_notebook_node(
        notebook, {"output_files_dir": f"{source.stem}_files"}
    )
    for name, picture in resources["outputs"].items():
        with atomic_path(folder_of_pages / name) as path:
            path.write_bytes(picture)
    write_text(folder_of_pages / f"{source.stem}.ipynb", jupytext.writes(notebook, "ipynb"))
    download = f"[Download as a notebook]({source.stem}.ipynb){{ .md-button download }}\n"
    write_text(folder_of_pages / f"{source.stem}.md", f"{page.strip()}\n\n{download}")
