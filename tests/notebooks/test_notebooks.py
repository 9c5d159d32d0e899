"""Every notebook runs from top to bottom in a fresh kernel, offline, and is stored with the pictures that it makes."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
VIEW, PICTURE = "application/vnd.jupyter.widget-view+json", "image/png"
STORED = 1_000_000
"""Most bytes of one: it is read over a network, by a page that shows pictures and runs nothing."""
RENEW = "LAYERTIE_STORE_NOTEBOOKS"
"""Set, it stores what comes of the run: LAYERTIE_STORE_NOTEBOOKS=1 python -m pytest -m notebook."""


def outputs(notebook: Any) -> list[dict[str, Any]]:
    return [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]


def check_pictures(notebook: Any) -> None:
    """A picture after each live view, and nothing that runs or asks a network."""
    found = outputs(notebook)
    views = [at for at, data in enumerate(found) if VIEW in data]
    assert len(views) >= 3
    assert all(PICTURE in found[at + 1] for at in views)
    assert len([data for data in found if PICTURE in data]) > len(views), "a chart alone in its cell is one too"
    for data in found:
        if PICTURE in data:
            assert len(base64.b64decode(data[PICTURE])) > 5_000
        assert "<script" not in json.dumps(data)
        assert "application/javascript" not in data


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_with_its_pictures(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert path.stat().st_size < STORED
    # Where a page runs nothing, the state of widgets is a megabyte of script that is never run.
    assert "widgets" not in notebook.metadata
    check_pictures(notebook)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1)), "stored as it was run, from top to bottom"


@pytest.mark.notebook
# The kernel's sockets belong to libraries; what they warn of is not ours to fix.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::RuntimeWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(path: Path, tmp_path: Path) -> None:
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=300, resources=resources, store_widget_state=False).execute()
    check_pictures(notebook)
    if os.environ.get(RENEW):
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)  # when each cell ran is nobody's business
        nbformat.write(notebook, path)
