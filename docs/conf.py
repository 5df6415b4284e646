"""Sphinx configuration: `make docs` builds with every warning an error."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import sphinx_autosummary_accessors

import xstefaland

sys.path.insert(0, str(Path(__file__).parent))
import generate
import inventories
import notebooks
import strangers

project = "xstefaland"
copyright = "The xstefaland developers, Apache-2.0"
author = "The xstefaland developers"
version = release = xstefaland.__version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx-mathjax-offline",  # serves MathJax from the manual itself
    "sphinx_autosummary_accessors",
    "sphinx_copybutton",
    "sphinx_design",
]
templates_path = [sphinx_autosummary_accessors.templates_path]
exclude_patterns = ["_build", "jupyter_execute", "**.ipynb_checkpoints"]

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc's Parameters have them, with shapes and units
numpydoc_show_class_members = False

nb_execution_mode = "cache"  # pages run with the weights that ship
nb_execution_in_temp = True  # what they write does not stay
nb_execution_raise_on_error = True
nb_execution_timeout = 900
# Tutorials take real observations where these are at hand: two caches, lest one answer
# for the other.
_data = "real" if os.environ.get("XSTEFALAND_TEST_DATA") else "synthetic"
nb_execution_cache_path = str(Path(__file__).parent / "_build" / f"cache-{_data}")
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3  # links to headings of other pages
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# Names of other packages are links where their manuals could be asked.
intersphinx_mapping = inventories.fetched(
    Path(__file__).parent / "_build" / "inventories"
)

html_theme = "furo"
html_title = "xstefaland"
html_static_path = ["_static"]
html_css_files = ["house.css"]


def short_title(app: Any, docname: str, source: list[str]) -> None:
    """Leave the package out of titles of API pages: whole, the sidebar breaks them."""
    if docname.startswith("api/generated/"):
        title, rest = source[0].split("\n", 1)
        source[0] = (
            f"{title.removeprefix('xstefaland.').removeprefix('xarray.')}\n{rest}"
        )


def setup(app: Any) -> None:
    """Write the pages that are made from data, and look after what is built."""
    generate.write(Path(app.srcdir) / "generated")
    app.connect("source-read", short_title)
    app.connect("doctree-read", notebooks.fill_download)
    app.connect("build-finished", strangers.check)
