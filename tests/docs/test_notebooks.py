"""A downloaded notebook shows what its page shows."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace

import pytest

nbformat = pytest.importorskip("nbformat")
cache = pytest.importorskip("jupyter_cache")
DOCS = Path(__file__).parents[2] / "docs"


def notebook(outputs: list[str]) -> object:
    """Notebook of one cell, run or not."""
    v4 = nbformat.v4
    ran = [v4.new_output("stream", text=text) for text in outputs]
    return v4.new_notebook(cells=[v4.new_code_cell("print(1)", outputs=ran)])


def test_outputs_of_the_cache_are_filled_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of this very code; a page without notebook is left alone."""
    monkeypatch.syspath_prepend(DOCS)
    notebooks = importlib.import_module("notebooks")
    ran, kept = tmp_path / "ran.ipynb", tmp_path / "cache"
    nbformat.write(notebook(["1\n"]), ran)
    cache.get_cache(kept).cache_notebook_file(ran, check_validity=False)

    file = tmp_path / notebooks.FOLDER / "tutorials" / "page.ipynb"
    file.parent.mkdir(parents=True)
    nbformat.write(notebook([]), file)
    for name in ("tutorials/page", "text"):
        app = SimpleNamespace(
            outdir=tmp_path / "html",
            env=SimpleNamespace(docname=name),
            config=SimpleNamespace(nb_execution_cache_path=str(kept)),
        )
        notebooks.fill_download(app, None)
    (cell,) = nbformat.read(file, as_version=4).cells
    assert [output.text for output in cell.outputs] == ["1\n"]
    assert list(file.parent.parent.rglob("*.ipynb")) == [file]
