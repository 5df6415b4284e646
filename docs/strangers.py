"""Built pages load nothing from other hosts: the manual works without a network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LOADED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio)\b[^>]*?\bsrc=["']?(?:https?:)?//([^"'/>\s]+)"""
    r"""|<link\b(?=[^>]*rel=["']?(?:stylesheet|preload|preconnect|icon|manifest))"""
    r"""[^>]*?\bhref=["']?(?:https?:)?//([^"'/>\s]+)"""
    r"""|(?:url\(|@import\s)\s*["']?(?:https?:)?//([^"')/\s]+)""",
    re.IGNORECASE,
)


def strangers(folder: Path) -> Iterator[tuple[Path, str]]:
    """Find what pages and style sheets load from elsewhere; links are no matter.

    Parameters
    ----------
    folder : Path
        Of built pages.

    Yields
    ------
    Path, str
        File and host.
    """
    for file in sorted(folder.rglob("*")):
        if file.suffix in {".html", ".css"}:
            for match in LOADED.finditer(file.read_text(encoding="utf-8")):
                yield file, next(filter(None, match.groups()))


def check(app: Any, exception: Exception | None) -> None:
    """Warn of them, which `make docs` takes for errors (event ``build-finished``)."""
    from sphinx.util import logging

    if exception is None and app.builder.format == "html":
        for file, host in strangers(Path(app.outdir)):
            logging.getLogger(__name__).warning(f"{file} loads from {host}")
