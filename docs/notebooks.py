"""Notebooks to download have their outputs, also when these come from the cache.

MyST-NB writes the notebook of a page as it read it, and puts outputs that it takes from
its cache into the page alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from jupyter_cache import get_cache

FOLDER = "jupyter_execute"  # where MyST-NB writes, beside the built pages


def fill_download(app: Any, doctree: Any) -> None:
    """Fill the notebook of the page that was just read (event ``doctree-read``).

    Parameters
    ----------
    app : sphinx.application.Sphinx
        Its cache is ``nb_execution_cache_path``.
    doctree : docutils.nodes.document
        Not used: the page is the one that ``app.env`` reads now.
    """
    file = Path(app.outdir).parent / FOLDER / f"{app.env.docname}.ipynb"
    if file.exists():
        cache = get_cache(app.config.nb_execution_cache_path)
        notebook = nbformat.read(file, as_version=4)
        nbformat.write(cache.merge_match_into_notebook(notebook)[1], file)
