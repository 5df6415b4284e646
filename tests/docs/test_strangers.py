"""What a built page loads from elsewhere is found; what it links to is no matter."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
LOADS = {
    "script.html": '<script async src="https://cdn.example/a.js"></script>',
    "image.html": "<img alt='x' src=//img.example/a.png>",
    "sheet.html": '<link href="https://css.example/a.css" rel="stylesheet"/>',
    "icon.html": '<link rel="icon" href="http://icon.example/a.ico">',
    "font.css": "@font-face { src: url('https://font.example/a.woff2') }",
    "import.css": '@import "https://more.example/a.css";',
}
LOCAL = {
    "link.html": '<a href="https://docs.example/">x</a><img src="../a.png">',
    "canonical.html": '<link rel="canonical" href="https://own.example/page.html">',
    "own.html": '<script src="_static/a.js"></script> url(image.png)',
    "text.txt": '<img src="https://img.example/a.png">',
}


def test_only_what_is_loaded_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scripts, images, style sheets and fonts, in pages and in style sheets."""
    monkeypatch.syspath_prepend(DOCS)
    module = importlib.import_module("strangers")
    for name, text in {**LOADS, **LOCAL}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = {file.name: host for file, host in module.strangers(tmp_path)}
    hosts = {name: host.split(".")[0] for name, host in found.items()}
    assert hosts == {
        "script.html": "cdn",
        "image.html": "img",
        "sheet.html": "css",
        "icon.html": "icon",
        "font.css": "font",
        "import.css": "more",
    }
